//! A model that needs no weights, so that the engine can be tested in milliseconds and stopped at any step.
//!
//! The prompt says what it does: "slow" takes steps until it is cancelled, "panic" panics, "refuse" and "broken" fail in the two ways
//! that a pipeline can, "stuck" spends a second in its first step, and everything else is a picture in the colour of its seed.

use std::{
    ops::ControlFlow,
    time::{Duration, Instant},
};

use diffusion_core::{
    Error,
    denoise::{StepMonitor, StepReport},
    noise::SeededNoise,
    schedulers::SchedulerKind,
};
use generation::{Engine, EngineSettings, ImageRequest, ImageSpec, Limits, LoadedModel, ModelInfo};
use image::{Rgb, RgbImage};

/// Long enough for any machine, short enough to fail before a person gives up.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) fn info() -> ModelInfo {
    ModelInfo {
        name: "fake".into(),
        device: "cpu".into(),
        device_reason: "there is no other".into(),
        default_width: 64,
        default_height: 64,
        scheduler: SchedulerKind::Ddim.into(),
    }
}

pub(crate) fn model() -> LoadedModel {
    LoadedModel { info: info(), generate: Box::new(generate) }
}

fn generate(spec: &ImageSpec, seed: u64, monitor: &mut dyn StepMonitor) -> diffusion_core::Result<RgbImage> {
    let latents = SeededNoise::new(seed).randn(&[1, 4, 1, 1])?;
    let slow = spec.prompt() == "slow";
    match spec.prompt() {
        "panic" => panic!("the fake model panics\nas it was told"),
        "refuse" => return Err(Error::Params { field: "num_inference_steps", reason: "not with this scheduler".into() }),
        "stuck" => std::thread::sleep(Duration::from_secs(1)),
        "broken" => return Err(Error::Tokenizer("broken as told".into())),
        "device" => return Err(Error::Device { wanted: "cuda", reason: "fell off the bus".into() }),
        _ => {}
    }
    let steps = if slow { usize::MAX } else { spec.num_inference_steps() as usize };
    for step in 1..=steps {
        if slow {
            std::thread::sleep(Duration::from_millis(2));
        }
        if monitor.on_step(&StepReport { step, steps, timestep: 0.0, latents: &latents }) == ControlFlow::Break(()) {
            return Err(Error::Cancelled);
        }
    }
    Ok(RgbImage::from_pixel(spec.width(), spec.height(), Rgb([(seed % 256) as u8, 1, 2])))
}

pub(crate) fn spec(prompt: &str) -> ImageSpec {
    request(prompt).validate(&Limits::default(), &info()).unwrap()
}

pub(crate) fn request(prompt: &str) -> ImageRequest {
    ImageRequest { prompt: Some(prompt.into()), seed: Some(7), num_inference_steps: Some(3), ..ImageRequest::default() }
}

/// An engine whose model is loaded.
pub(crate) async fn engine(places: usize) -> Engine {
    let settings = EngineSettings { queue_capacity: places, ..EngineSettings::new(Instant::now) };
    let engine = Engine::start(settings, || Ok(model())).unwrap();
    engine.loaded().await.unwrap();
    engine
}

/// Waits until something holds.
pub(crate) async fn eventually(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "{what}");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}
