//! Converts a local video to a provider's request.
//!
//! It must not know any provider: [`RemoteVideoSpec::relax`] drops what one does not accept.

use remote_providers::{ImageFormat, InputImage, Shot, VideoRequest};

use super::{ClipSpec, RemoteVideoSpec, ScenesSpec, VideoSpec};
use crate::png;

impl RemoteVideoSpec {
    /// The request to a provider in place of a local video; `None` if it cannot be expressed (a picture animated by motion buckets alone).
    /// It contains everything in the local request: see [`Self::relax`].
    pub fn from_local(spec: &VideoSpec, model: &str) -> Option<Self> {
        let request = match spec {
            VideoSpec::Scenes(spec) => of_scenes(spec),
            VideoSpec::Clip(spec) => of_clip(spec)?,
            VideoSpec::Animation(_) | VideoSpec::Remote(_) => return None,
        };
        Some(Self::new(model, request))
    }
}

fn of_scenes(spec: &ScenesSpec) -> VideoRequest {
    let scenes = spec.scenes();
    let negative = scenes.iter().map(|scene| scene.negative_prompt()).find(|text| !text.is_empty()).map(str::to_owned);
    let (prompt, shots) = match scenes {
        [only] => (only.prompt().to_owned(), Vec::new()),
        several => (String::new(), several.iter().map(|scene| Shot { text: scene.prompt().to_owned(), image: None }).collect()),
    };
    VideoRequest {
        prompt,
        negative_prompt: negative,
        shots,
        seconds: Some(whole_seconds(spec.seconds())),
        size: Some((spec.width(), spec.height())),
        fps: Some(rate(spec.fps().as_f64())),
        seed: Some(spec.seed()),
        ..VideoRequest::default()
    }
}

fn of_clip(spec: &ClipSpec) -> Option<VideoRequest> {
    let image = InputImage { bytes: png::encode_fast(spec.image()).ok()?, format: ImageFormat::Png, source_url: None };
    let (prompt, negative) = spec.repaint().map_or(("", ""), |repaint| (repaint.prompt(), repaint.negative_prompt()));
    Some(VideoRequest {
        prompt: prompt.to_owned(),
        negative_prompt: (!negative.is_empty()).then(|| negative.to_owned()),
        image: Some(image),
        seconds: spec.frames().map(|frames| whole_seconds(frames as f64 / spec.fps().as_f64())),
        size: spec.size(),
        fps: Some(rate(spec.fps().as_f64())),
        seed: Some(spec.seed()),
        ..VideoRequest::default()
    })
}

/// Providers count in whole seconds; rounded up, because a longer video is better than a shorter one.
fn whole_seconds(seconds: f64) -> u32 {
    (seconds.ceil() as u32).max(1)
}

fn rate(fps: f64) -> u32 {
    (fps.round() as u32).max(1)
}
