//! Estimates against measured runs, and refusals with their proposals.
#![expect(clippy::unwrap_used, reason = "tests")]

use diffusion_core::{
    adapters::ControlNetFolder,
    pipelines::{StableDiffusion, nano_sd, nano_svd},
    policy::ExecutionPolicy,
    weights::VaeChoice,
};
use image::RgbImage;

use super::*;
use crate::{
    Limits,
    model_info::ModelInfo,
    spec::{
        image::{ControlRequest, ImageRequest},
        video::{AnimationRequest, MotionRequest, SceneRequest, ScenesRequest},
    },
};

const MIB: u64 = 1 << 20;

fn plan(limit: Option<u64>) -> MemoryPlan {
    let policy = ExecutionPolicy::cpu_f32();
    let images = StableDiffusion::load(&nano_sd(), &policy).unwrap();
    let motion = MotionMemory::of(&nano_svd(), &policy).unwrap();
    MemoryPlan::new(Some(images.memory()), images.default_size(), Some(motion), limit)
}

fn motion_alone() -> MemoryPlan {
    let motion = MotionMemory::of(&nano_svd(), &ExecutionPolicy::cpu_f32()).unwrap();
    MemoryPlan::new(None, (128, 128), Some(motion), None)
}

fn image(size: (u32, u32)) -> ImageSpec {
    let request = ImageRequest {
        prompt: Some("a boat".into()),
        seed: Some(1),
        width: Some(size.0.into()),
        height: Some(size.1.into()),
        ..ImageRequest::default()
    };
    request.validate(&Limits::default(), &ModelInfo::for_tests()).unwrap()
}

fn animation(size: (u32, u32), frames: u32, chunk: Option<u32>) -> VideoSpec {
    let request = AnimationRequest {
        image: Some(RgbImage::new(8, 8)),
        width: Some(size.0.into()),
        height: Some(size.1.into()),
        motion: MotionRequest { num_frames: Some(frames.into()), decode_chunk_size: chunk.map(Into::into), ..MotionRequest::default() },
        seed: Some(1),
        ..AnimationRequest::default()
    };
    VideoSpec::Animation(request.validate(&Limits::default()).unwrap())
}

/// A net's file is held while it is loaded, before the run: it counts where it is more than the run takes.
#[test]
fn the_file_of_a_net_counts_while_it_is_loaded() {
    // As much of a net as a request is checked against.
    let file = tempfile::NamedTempFile::with_suffix(".safetensors").unwrap();
    let header = br#"{"controlnet_cond_embedding.conv_in.bias":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#;
    std::fs::write(file.path(), [&(header.len() as u64).to_le_bytes()[..], header, &[0; 4]].concat()).unwrap();
    let folder = ControlNetFolder::default().with("canny", file.path()).with("depth", file.path());
    let info = ModelInfo { controlnets: Some(folder), ..ModelInfo::for_tests() };
    let (plan, net) = (plan(None), |name: &str| ControlRequest {
        name: Some(name.into()),
        image: Some(RgbImage::new(8, 8)),
        ..ControlRequest::default()
    });
    let spec = |side: i128, controlnets: Vec<ControlRequest>| {
        let size = Some(side);
        let request = ImageRequest {
            prompt: Some("a boat".into()),
            seed: Some(1),
            width: size,
            height: size,
            controlnets,
            ..ImageRequest::default()
        };
        request.validate(&Limits::default(), &info).unwrap()
    };
    let model = plan.images.as_ref().unwrap();
    let (weights, file) = (model.controlnet_weights(), model.controlnet_file());
    assert!(file > 4 * MIB && file <= weights, "{file} in f32, {weights} packed");
    let run = |side: u32, controls| model.working(ImageCall { controls, ..call((side, side)) }) + 6 * u64::from(side) * u64::from(side);
    assert!(run(64, 2) < file && file < run(512, 2), "{} {file} {}", run(64, 2), run(512, 2));
    let fixed = PROCESS_BYTES + model.weights();
    let both = || vec![net("canny"), net("depth")];
    assert_eq!(plan.images(&spec(64, both())), Some(with_margin(fixed + 2 * weights + file)));
    assert_eq!(plan.images(&spec(512, both())), Some(with_margin(fixed + 2 * weights + run(512, 2))));
    assert_eq!(plan.images(&spec(64, Vec::new())), Some(with_margin(fixed + run(64, 0))));
}

fn call(size: (u32, u32)) -> ImageCall {
    ImageCall { size, guided: true, encodes: false, between: false, vae: VaeChoice::Full, controls: 0 }
}

/// Peak MiB (`ru_maxrss`) of `framewright image` and `framewright animate` in f32 on two cores (a Xeon with AVX-512).
const IMAGES: [((u32, u32), u64); 6] =
    [((128, 128), 149), ((256, 256), 165), ((512, 512), 221), ((768, 768), 296), ((1024, 1024), 439), ((2048, 1024), 291)];
const ANIMATIONS: [((u32, u32), u32, u32, u64); 5] =
    [((128, 128), 8, 8, 325), ((256, 256), 8, 8, 796), ((512, 512), 8, 8, 2228), ((512, 512), 8, 2, 792), ((512, 512), 25, 1, 733)];

#[test]
fn estimates_are_above_measurements_but_close() {
    let mut lines = Vec::new();
    let mut check = |what: String, estimate: Option<u64>, measured: u64| {
        let ratio = estimate.unwrap() as f64 / (measured * MIB) as f64;
        lines.push(format!("{what}: {} MiB estimated, {measured} measured: {ratio:.2}", estimate.unwrap() / MIB));
        (1.0..2.0).contains(&ratio)
    };
    let mut all = true;
    let plan = plan(None);
    for (size, measured) in IMAGES {
        all &= check(format!("an image of {size:?}"), plan.images(&image(size)), measured);
    }
    let plan = motion_alone();
    for (size, frames, chunk, measured) in ANIMATIONS {
        let spec = animation(size, frames, Some(chunk));
        all &= check(format!("{frames} frames of {size:?} by {chunk}"), plan.video(&spec), measured);
    }
    assert!(all, "\n{}", lines.join("\n"));
}

#[test]
fn without_a_plan_or_a_limit_nothing_is_refused() {
    let huge = image((2048, 1024));
    assert_eq!(MemoryPlan::default().check_images(&huge), Ok(()));
    assert_eq!(plan(None).check_images(&huge), Ok(()));
    let unknown = MemoryPlan { limit: Some(1), ..MemoryPlan::default() };
    assert_eq!(unknown.check_images(&huge), Ok(()));
    assert_eq!(unknown.check_video(&animation((512, 512), 25, None)), Ok(()));
}

#[test]
fn the_error_for_an_image_names_the_largest_size_of_its_shape() {
    let needed = |size| plan(None).images(&image(size)).unwrap();
    let limit = needed((640, 320));
    let plan = plan(Some(limit));
    assert_eq!(plan.check_images(&image((640, 320))), Ok(()));
    for (asked, largest, field) in [((1024, 512), (640, 320), "width"), ((512, 1024), (320, 640), "height")] {
        let refused = plan.check_images(&image(asked)).unwrap_err();
        assert_eq!((refused.requested, refused.largest), (MemoryRequest::Size(asked), Some(MemoryRequest::Size(largest))));
        assert_eq!((refused.field(), refused.available, refused.needed), (field, limit, needed(asked)));
    }
    let refused = TooLarge { needed: 3 << 30, available: 5 << 29, ..plan.check_images(&image((1024, 512))).unwrap_err() };
    let text = "width: 1024 x 512 would need 3.0 GiB of memory, but 2.5 GiB are available; the largest that fits is 640 x 320";
    assert_eq!(refused.to_string(), text);
}

#[test]
fn no_size_is_proposed_if_the_model_alone_is_too_large() {
    let refused = plan(Some(MIB)).check_images(&image((64, 64))).unwrap_err();
    assert_eq!(refused.largest, None);
    assert!(refused.to_string().ends_with("no smaller value fits, because the model itself takes most of it"), "{refused}");
}

#[test]
fn as_many_frames_are_decoded_together_as_fit() {
    let needed = |chunk| plan(None).video(&animation((256, 256), 8, Some(chunk))).unwrap();
    assert!((1..8).all(|chunk| needed(chunk) < needed(chunk + 1)));
    let chunk_with = |limit: u64| {
        let plan = plan(Some(limit));
        let VideoSpec::Animation(spec) = animation((256, 256), 8, None) else { unreachable!() };
        assert_eq!(plan.check_video(&VideoSpec::Animation(spec.clone())).is_ok(), limit >= needed(1));
        plan.decode_chunk_of(spec.motion(), spec.size())
    };
    assert_eq!(
        [needed(8), needed(8) - 1, needed(3), needed(3) - 1, needed(1), MIB].map(chunk_with),
        [None, Some(7), Some(3), Some(2), Some(1), Some(1)]
    );
    // A request that sets the number gets the largest that fits.
    let refused = plan(Some(needed(3))).check_video(&animation((256, 256), 8, Some(8))).unwrap_err();
    assert_eq!((refused.field(), refused.largest), ("decode_chunk_size", Some(MemoryRequest::Chunk(3))));
    assert!(refused.to_string().contains("8 frames decoded together would need"), "{refused}");
}

#[test]
fn the_error_names_the_most_frames_of_a_long_run_and_the_largest_size_of_a_large_one() {
    let needed = |size, frames| plan(None).video(&animation(size, frames, Some(1))).unwrap();
    let limit = needed((256, 256), 20);
    let refused = plan(Some(limit)).check_video(&animation((256, 256), 64, None)).unwrap_err();
    assert_eq!((refused.field(), refused.requested), ("num_frames", MemoryRequest::Frames { frames: 64, size: (256, 256) }));
    let Some(MemoryRequest::Frames { frames, size: (256, 256) }) = refused.largest else { panic!("{refused}") };
    let of = |frames: usize| needed((256, 256), u32::try_from(frames).unwrap());
    assert!(of(frames) <= limit && of(frames + 1) > limit, "{refused}");
    let refused = plan(Some(needed((256, 128), 2))).check_video(&animation((1024, 512), 2, None)).unwrap_err();
    assert_eq!((refused.field(), refused.largest), ("width", Some(MemoryRequest::Size((256, 128)))));
}

#[test]
fn the_largest_part_determines_the_memory_of_a_video_of_scenes() {
    let spec = |join: &str, source: &str, size: (u32, u32)| {
        let scene = |source: &str| SceneRequest { prompt: Some("a boat".into()), source: Some(source.into()), ..SceneRequest::default() };
        let request = ScenesRequest {
            scenes: Some(vec![scene("still"), scene(source)]),
            join: Some(join.into()),
            width: Some(size.0.into()),
            height: Some(size.1.into()),
            seed: Some(1),
            ..ScenesRequest::default()
        };
        VideoSpec::Scenes(request.validate(&Limits::default()).unwrap())
    };
    let plan_of = plan(None);
    let needed = |join, source, side| plan_of.video(&spec(join, source, (side, side))).unwrap();
    assert!(needed("cut", "still", 64) < needed("cut", "still", 1024));
    assert!(needed("cut", "still", 64) < needed("slerp", "still", 64));
    assert!(needed("cut", "still", 64) + plan_of.motion.as_ref().unwrap().weights() < needed("cut", "moving", 64));
    // Once loaded, the motion model counts for every job.
    let before = needed("cut", "still", 64);
    plan_of.motion_is_loaded();
    assert!(plan_of.video(&spec("cut", "still", (64, 64))).unwrap() > before);

    let limited = plan(plan(None).video(&spec("cut", "still", (512, 512))));
    let refused = limited.check_video(&spec("cut", "still", (2048, 512))).unwrap_err();
    assert_eq!((refused.field(), refused.largest), ("width", Some(MemoryRequest::Size((1024, 256)))));
    assert_eq!(limited.check_video(&spec("cut", "moving", (64, 64))).unwrap_err().field(), "num_frames");
}
