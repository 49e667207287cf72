//! How a job's work is asked for again: the path of a route, and a body with its field names.
//!
//! It must not know jobs. It is the request as it was understood: defaults are filled in, and the seed is concrete. The invariant: it contains
//! no picture; `needs` names the fields whose pictures have to be given again.

use diffusion_core::{
    adapters::AdapterChoice, pipelines::scenes::Join, prompt::PromptSyntax, schedulers::SchedulerName, weights::VaeChoice,
};
use generation::{
    ControlsSpec, HiresSpec, ImageMode, ImageSpec, MaskContent, MaskSpec, SdxlRequest, UpscaleSpec, Work,
    video::{AnimationSpec, ClipSpec, MotionSpec, RemoteVideoSpec, ScenesSpec, VideoSpec},
};
use serde_json::{Map, Value, json};

/// A body in the making; values that are null are left out.
#[derive(Default)]
struct Body(Map<String, Value>);

impl Body {
    fn add(&mut self, field: &str, value: impl Into<Value>) {
        let value = value.into();
        if !value.is_null() {
            self.0.insert(field.to_owned(), value);
        }
    }

    fn add_text(&mut self, field: &str, text: &str) {
        self.add(field, Some(text).filter(|text| !text.is_empty()));
    }

    fn to(self, path: &str, needs: &[String]) -> Value {
        json!({"path": path, "body": self.0, "needs": needs})
    }
}

/// How this work is asked for again; null if no route takes it.
pub(crate) fn request(work: &Work) -> Value {
    match work {
        Work::Image(spec) => image(spec),
        Work::Upscale(spec) => upscale(spec),
        Work::Video(VideoSpec::Scenes(spec)) => scenes(spec),
        Work::Video(VideoSpec::Animation(spec)) => animation(spec),
        Work::Video(VideoSpec::Clip(spec)) => clip(spec),
        Work::Video(VideoSpec::Remote(spec)) => remote(spec),
    }
}

fn image(spec: &ImageSpec) -> Value {
    let mut body = Body::default();
    body.add_text("prompt", spec.prompt());
    body.add_text("negative_prompt", spec.negative_prompt());
    body.add("model", spec.model());
    let (width, height) = spec.result_size();
    body.add("width", width);
    body.add("height", height);
    body.add("steps", spec.num_inference_steps());
    body.add("cfg_scale", spec.guidance_scale());
    body.add("seed", spec.seed());
    add_common(&mut body, spec.scheduler(), Some(spec.prompt_syntax()), spec.vae(), Some(spec.loras()));
    body.add("eta", spec.eta());
    add_sdxl(&mut body, spec.sdxl().to_request());
    if let Some(refiner) = spec.refiner() {
        body.add("refiner", refiner.model());
        body.add("refiner_switch", refiner.switch());
    }
    body.add("hires", spec.hires().map(hires));
    let mut needs = Vec::new();
    let path = match spec.mode() {
        ImageMode::TextToImage => "/api/v1/images/generate",
        ImageMode::ImageToImage { strength, .. } => {
            body.add("strength", *strength);
            needs.push("image".to_owned());
            "/api/v1/images/generate-i2i"
        }
        ImageMode::Inpaint { strength, mask, .. } => {
            body.add("strength", *strength);
            add_mask(&mut body, mask.unwrap_or_default());
            needs.extend(["image".to_owned(), "mask".to_owned()]);
            "/api/v1/images/generate-i2i"
        }
    };
    if !spec.controls().is_empty() {
        body.add("controlnets", controlnets(spec.controls()));
        body.add("guess_mode", spec.controls().guess_mode());
        needs.extend((0..spec.controls().nets().len()).map(|index| format!("controlnets.{index}.image")));
    }
    body.to(path, &needs)
}

/// The fields about a model that most bodies share.
fn add_common(
    body: &mut Body,
    scheduler: Option<SchedulerName>,
    syntax: Option<PromptSyntax>,
    vae: VaeChoice,
    loras: Option<&[AdapterChoice]>,
) {
    body.add("scheduler", scheduler.map(|scheduler| scheduler.to_string()));
    body.add("prompt_syntax", syntax.map(PromptSyntax::name));
    body.add("vae", vae.name());
    let entry = |lora: &AdapterChoice| json!({"name": lora.name, "weight": lora.unet_weight, "text_weight": lora.text_weight});
    body.add("loras", loras.map(|loras| loras.iter().map(entry).collect::<Vec<_>>()));
}

fn add_sdxl(body: &mut Body, fields: SdxlRequest) {
    let SdxlRequest {
        prompt_2,
        negative_prompt_2,
        original_size,
        crops_coords_top_left,
        target_size,
        negative_original_size,
        negative_crops_coords_top_left,
        negative_target_size,
        aesthetic_score,
        negative_aesthetic_score,
    } = fields;
    for (field, text) in [
        ("prompt_2", prompt_2),
        ("negative_prompt_2", negative_prompt_2),
        ("original_size", original_size),
        ("crops_coords_top_left", crops_coords_top_left),
        ("target_size", target_size),
        ("negative_original_size", negative_original_size),
        ("negative_crops_coords_top_left", negative_crops_coords_top_left),
        ("negative_target_size", negative_target_size),
    ] {
        body.add(field, text);
    }
    body.add("aesthetic_score", aesthetic_score);
    body.add("negative_aesthetic_score", negative_aesthetic_score);
}

fn hires(spec: &HiresSpec) -> Value {
    let mut body = Body::default();
    match spec.scale() {
        Some(scale) => body.add("scale", scale),
        None => {
            body.add("width", spec.size().0);
            body.add("height", spec.size().1);
        }
    }
    body.add("upscaler", spec.upscaler().name());
    body.add("steps", spec.steps());
    body.add("strength", spec.strength());
    body.add("guidance_scale", spec.guidance_scale());
    body.add("scheduler", spec.scheduler().map(|scheduler| scheduler.to_string()));
    body.add("prompt", spec.prompt());
    body.add("negative_prompt", spec.negative_prompt());
    body.0.into()
}

fn add_mask(body: &mut Body, mask: MaskSpec) {
    body.add("mask_blur", mask.blur());
    let content = MaskContent::ALL.into_iter().find(|(_, content)| *content == mask.content());
    body.add("mask_fill", content.map(|(name, _)| name));
    body.add("mask_only", mask.only_masked().is_some());
    body.add("mask_padding", mask.only_masked());
    body.add("mask_invert", mask.invert());
}

fn controlnets(controls: &ControlsSpec) -> Vec<Value> {
    let entry = |control: &generation::ControlSpec| {
        let mut body = Body::default();
        let (start, end) = control.window();
        body.add("name", control.name());
        body.add("weight", control.weight());
        body.add("start", start);
        body.add("end", end);
        body.add("preprocessor", if control.canny().is_some() { "canny" } else { "none" });
        body.add("low_threshold", control.canny().map(|canny| canny.low));
        body.add("high_threshold", control.canny().map(|canny| canny.high));
        Value::from(body.0)
    };
    controls.nets().iter().map(entry).collect()
}

fn upscale(spec: &UpscaleSpec) -> Value {
    let mut body = Body::default();
    let (from, to) = (spec.given_size(), spec.size());
    body.add("model", spec.upscaler());
    // Rounded, because the size that was made is.
    body.add("scale", (f64::from(to.0) / f64::from(from.0.max(1)) * 1e4).round() / 1e4);
    body.add("output_format", spec.file_format().name());
    body.to("/v1/images/upscale", &["image".to_owned()])
}

fn scenes(spec: &ScenesSpec) -> Value {
    let fps = spec.fps().as_f64();
    let mut body = Body::default();
    let scenes = spec.scenes().iter().enumerate().map(|(index, scene)| {
        let mut body = Body::default();
        body.add_text("prompt", scene.prompt());
        body.add_text("negative_prompt", scene.negative_prompt());
        body.add("seed", scene.seed());
        // Rounded up, because a scene has the whole frames of its duration.
        body.add("duration", (scene.frames() as f64 / fps * 1e6).ceil() / 1e6);
        body.add("source", if scene.motion().is_some() { "moving" } else { "still" });
        body.add("motion", scene.motion().map(|motion| motion_fields(motion).0));
        if let Some(join) = spec.joins().get(index) {
            body.add("join", join.name());
            body.add("transition_frames", (!matches!(join, Join::Cut)).then(|| join.frames()));
        }
        Value::from(body.0)
    });
    body.add("scenes", scenes.collect::<Vec<_>>());
    body.add("model", spec.model());
    body.add("width", spec.width());
    body.add("height", spec.height());
    body.add("fps", rate(&spec.fps().to_string()));
    body.add("num_inference_steps", spec.num_inference_steps());
    body.add("guidance_scale", spec.guidance_scale());
    body.add("seed", spec.seed());
    add_common(&mut body, spec.scheduler(), Some(spec.prompt_syntax()), spec.vae(), spec.loras());
    body.to("/generate-video", &[])
}

/// A frame rate: a number if it is whole, else a fraction as a text.
fn rate(text: &str) -> Value {
    text.parse::<u64>().map_or_else(|_| Value::from(text), Value::from)
}

fn motion_fields(motion: &MotionSpec) -> Body {
    let mut body = Body::default();
    body.add("num_frames", motion.num_frames());
    body.add("num_inference_steps", motion.num_inference_steps());
    body.add("conditioning_fps", motion.conditioning_fps());
    body.add("motion_bucket_id", motion.motion_bucket_id());
    body.add("noise_aug_strength", motion.noise_aug_strength());
    body.add("min_guidance_scale", motion.min_guidance_scale());
    body.add("max_guidance_scale", motion.max_guidance_scale());
    body.add("decode_chunk_size", motion.decode_chunk_size());
    body
}

fn animation(spec: &AnimationSpec) -> Value {
    let mut body = motion_fields(spec.motion());
    body.add("model", spec.model());
    body.add("fps", rate(&spec.fps().to_string()));
    body.add("width", spec.size().map(|(width, _)| width));
    body.add("height", spec.size().map(|(_, height)| height));
    body.add("seed", spec.seed());
    body.to("/animate", &["image".to_owned()])
}

fn clip(spec: &ClipSpec) -> Value {
    let fps = spec.fps().as_f64();
    let mut body = Body::default();
    body.add("duration", spec.frames().map(|frames| frames as f64 / fps));
    body.add("fps", fps);
    body.add("resolution", spec.size().map(|(width, height)| format!("{width}x{height}")));
    body.add("motion_strength", f64::from(spec.motion().motion_bucket_id().saturating_sub(1)) / 254.0);
    body.add("camera_motion", spec.camera().name());
    body.add("seed", spec.seed());
    body.add("model", spec.model());
    if let Some(repaint) = spec.repaint() {
        body.add_text("prompt", repaint.prompt());
        add_common(&mut body, None, None, repaint.vae(), repaint.loras());
    }
    body.to("/api/v1/videos/generate", &["image".to_owned()])
}

fn remote(spec: &RemoteVideoSpec) -> Value {
    let RemoteVideoSpec { model, request, .. } = spec;
    let size = request.size.map(|(width, height)| format!("{width}x{height}"));
    let mut body = Body::default();
    body.add_text("prompt", &request.prompt);
    body.add("model", model.as_str());
    if request.image.is_none() {
        // Only OpenAI's route makes a service's video of a text.
        body.add("seconds", request.seconds);
        body.add("size", size);
        return if request.prompt.is_empty() { Value::Null } else { body.to("/v1/videos", &[]) };
    }
    body.add("duration", request.seconds);
    body.add("resolution", size);
    body.add("fps", request.fps);
    body.add("seed", request.seed);
    body.to("/api/v1/videos/generate", &["image".to_owned()])
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use generation::{
        Limits,
        video::{ClipRequest, ClipRules, SceneRequest, ScenesRequest},
    };
    use image::RgbImage;
    use remote_providers::VideoRequest;

    use super::*;

    #[test]
    fn scenes_keep_their_frames() {
        let scene =
            |prompt: &str, seconds| SceneRequest { prompt: Some(prompt.into()), duration: Some(seconds), ..SceneRequest::default() };
        for (rate, frames) in [("24", [24, 40]), ("30000/1001", [29, 50])] {
            let request = ScenesRequest {
                scenes: Some(vec![scene("a boat", 1.0), scene("a star", 1.7)]),
                fps: Some(generation::video::FpsRequest::Text(rate.into())),
                seed: Some(4),
                ..ScenesRequest::default()
            };
            let spec = request.validate(&Limits::DEFAULT).unwrap();
            assert_eq!(spec.scenes().iter().map(|scene| scene.frames()).collect::<Vec<_>>(), frames);
            let again = super::request(&Work::Video(VideoSpec::Scenes(spec.clone())));
            assert_eq!((&again["path"], &again["needs"]), (&json!("/generate-video"), &json!([])));
            let (read, ignored) = crate::api::videos::scenes_body::parse_scenes(again["body"].to_string().as_bytes()).unwrap();
            assert!(ignored.is_empty(), "{ignored:?}");
            let same = read.validate(&Limits::DEFAULT).unwrap();
            assert_eq!(serde_json::to_value(&same).unwrap(), serde_json::to_value(&spec).unwrap());
        }
    }

    #[test]
    fn a_clip_needs_its_picture_again() {
        let request = ClipRequest {
            image: Some(RgbImage::new(8, 8)),
            duration: Some(2.0),
            resolution: Some("640x480".into()),
            motion_strength: Some(0.5),
            camera_motion: Some("pan".into()),
            seed: Some(5),
            ..ClipRequest::default()
        };
        let spec = request.validate(&ClipRules::default(), &Limits::DEFAULT).unwrap();
        let again = super::request(&Work::Video(VideoSpec::Clip(spec)));
        let body = json!({
            "duration": 2.0, "fps": 30.0, "resolution": "640x480", "motion_strength": 0.5, "camera_motion": "pan", "seed": 5
        });
        assert_eq!(again, json!({"path": "/api/v1/videos/generate", "body": body, "needs": ["image"]}));
    }

    #[test]
    fn a_services_video_names_its_model() {
        let of = |request: VideoRequest| super::request(&Work::Video(VideoSpec::Remote(RemoteVideoSpec::new("veo/a", request))));
        let text = of(VideoRequest { prompt: "waves".into(), seconds: Some(4), ..VideoRequest::default() });
        assert_eq!(text, json!({"path": "/v1/videos", "body": {"prompt": "waves", "model": "veo/a", "seconds": 4}, "needs": []}));
        assert_eq!(of(VideoRequest::default()), Value::Null);
    }
}
