//! Clips on the device with the embedded models: the file, its metadata, and resuming after an interruption.

use std::{fs, path::Path, time::Instant};

use diffusion_core::{
    pipelines::{nano_sd, nano_svd},
    policy::ExecutionPolicy,
};
use generation::{
    BackendError, FolderJournal, JobContext, LoadedModel, LocalBackend, LocalSettings,
    video::{ClipRequest, ClipRules, GeneratedVideo, MotionRequest, VideoSpec},
};
use image::{Rgb, RgbImage};

use crate::fake::video;

fn start(load: fn() -> diffusion_core::Result<LoadedModel>) -> LocalBackend {
    LocalBackend::start(LocalSettings::new(Instant::now), load).unwrap()
}

fn both() -> diffusion_core::Result<LoadedModel> {
    LoadedModel::load(&nano_sd(), &ExecutionPolicy::cpu_f32(), Box::new(nano_svd()), None)
}

/// A clip of few steps: two seconds of a red square on blue.
fn request() -> ClipRequest {
    let image =
        RgbImage::from_fn(
            90,
            60,
            |x, y| {
                if (30..60).contains(&x) && (15..45).contains(&y) { Rgb([200, 30, 30]) } else { Rgb([40, 60, 200]) }
            },
        );
    let motion = MotionRequest { num_inference_steps: Some(2), ..MotionRequest::default() };
    ClipRequest {
        image: Some(image),
        duration: Some(2.0),
        fps: Some(generation::video::FpsRequest::Number(24.0)),
        resolution: Some("97x54".into()),
        camera_motion: Some("pan".into()),
        seed: Some(3),
        motion,
        ..ClipRequest::default()
    }
}

fn spec(request: ClipRequest) -> VideoSpec {
    VideoSpec::Clip(request.validate(&ClipRules::default(), &generation::Limits::default()).unwrap())
}

async fn make(local: &LocalBackend, request: ClipRequest, file: &Path) -> Result<GeneratedVideo, BackendError> {
    video(local, spec(request), file, JobContext::default()).await
}

#[tokio::test]
async fn a_clip_has_the_requested_frames_and_size() {
    let (local, folder) = (start(both), tempfile::tempdir().unwrap());
    let file = folder.path().join("a.mp4");
    let generated = make(&local, request(), &file).await.unwrap();
    let shape = generated.shape;
    assert_eq!((shape.width, shape.height, shape.frames, shape.fps.to_string().as_str()), (97, 54, 48, "24"));
    // 47 / 24 seconds at 7 frames per second, in windows of eight that share a frame; at nano-svd's size in the video's proportions.
    let native = shape.native.unwrap();
    assert_eq!((native.frames, native.windows, native.window_frames, native.width, native.height), (15, 2, 8, 176, 96));
    assert_eq!(generated.bytes, fs::metadata(&file).unwrap().len());
    // The backend has learnt how long that takes.
    let VideoSpec::Clip(next) = spec(request()) else { panic!() };
    assert!(local.timings().clip(&next).is_some());

    // The model's own size in the picture's proportions, for the duration of one window.
    let plain = ClipRequest { duration: None, resolution: None, camera_motion: None, ..request() };
    let generated = make(&local, plain, &file).await.unwrap();
    assert_eq!((generated.shape.width, generated.shape.height, generated.shape.frames), (160, 112, 25));
    assert_eq!(generated.shape.native.unwrap().windows, 1);
}

#[tokio::test]
async fn a_prompt_repaints_the_image_and_its_truncation_is_reported() {
    let (local, folder) = (start(both), tempfile::tempdir().unwrap());
    let short = || ClipRequest { duration: Some(1.0), num_inference_steps: Some(3), ..request() };
    let generated = async |request: ClipRequest, name: &str| {
        let file = folder.path().join(name);
        let generated = make(&local, request, &file).await.unwrap();
        (fs::read(&file).unwrap(), generated.truncated.len())
    };
    let plain = generated(short(), "plain.mp4").await;
    let boat = generated(ClipRequest { prompt: Some("a boat".into()), ..short() }, "boat.mp4").await;
    let long = generated(ClipRequest { prompt: Some("a boat ".repeat(60)), ..short() }, "long.mp4").await;
    assert!(plain.0 != boat.0 && boat.0 != long.0);
    assert_eq!((plain.1, boat.1, long.1), (0, 0, 1));
    let unpainted = generated(ClipRequest { prompt: Some("a boat".into()), strength: Some(0.0), ..short() }, "unpainted.mp4").await;
    assert!(unpainted == plain);
}

#[tokio::test]
async fn a_model_that_makes_no_images_repaints_none() {
    let local = start(|| LoadedModel::load_motion(&nano_svd(), &ExecutionPolicy::cpu_f32(), None));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.mp4");
    let boat = ClipRequest { prompt: Some("a boat".into()), ..request() };
    let refused = make(&local, boat, &file).await;
    assert!(matches!(refused, Err(BackendError::Model(diffusion_core::Error::Params { field: "model", .. }))), "{refused:?}");
    assert!(!file.exists());
    make(&local, request(), &file).await.unwrap();
}

#[tokio::test]
async fn an_interrupted_clip_becomes_the_same_file() {
    let (local, folder) = (start(both), tempfile::tempdir().unwrap());
    let boat = || ClipRequest { prompt: Some("a boat".into()), num_inference_steps: Some(3), ..request() };
    let whole = folder.path().join("whole.mp4");
    make(&local, boat(), &whole).await.unwrap();

    let (journal, file) = (folder.path().join("journal"), folder.path().join("a.mp4"));
    let context = || JobContext { journal: Box::new(FolderJournal::new(&journal)), ..JobContext::default() };
    let broken = context();
    let mut progress = broken.progress.subscribe();
    tokio::select! {
        generated = video(&local, spec(boat()), &file, broken) => drop(generated),
        // In the second window.
        seen = progress.wait_for(|progress| progress.frame >= 26) => drop(seen),
    }
    // The device starts the next run after it has released this one.
    assert!(journal.join("scene-0-motion-0.safetensors").exists());
    // On a machine where this test had to wait long, the job was done before it could be dropped.
    if file.exists() {
        fs::remove_file(&file).unwrap();
    }
    video(&local, spec(boat()), &file, context()).await.unwrap();
    assert!(fs::read(&file).unwrap() == fs::read(&whole).unwrap());
}
