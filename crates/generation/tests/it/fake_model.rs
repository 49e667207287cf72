//! A model that needs no weights, so that the engine can be tested in milliseconds and stopped at any step. The server's tests include
//! this file, so it knows nothing of either crate's other tests.
//!
//! The prompt says what it does: "slow" takes steps until it is cancelled, "panic" panics, "refuse" and "broken" fail in the two ways
//! that a pipeline can, "device" loses its device, "stuck" spends a second in its first step, and everything else is a picture in the
//! colour of its seed. A word is a token to it, and it reads [`READ_TOKENS`] of them.

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
use generation::{Engine, EngineSettings, ImageSpec, LoadedModel, ModelInfo, Picture, TruncatedText};
use image::{Rgb, RgbImage};

/// Long enough for any machine, short enough to fail before a person gives up.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// How many tokens of a text the model reads.
const READ_TOKENS: usize = 75;

pub(crate) fn info() -> ModelInfo {
    ModelInfo {
        name: "fake".into(),
        device: "cpu".into(),
        device_reason: "there is no other".into(),
        default_width: 64,
        default_height: 72,
        scheduler: SchedulerKind::Ddim.into(),
    }
}

pub(crate) fn model() -> LoadedModel {
    LoadedModel { info: info(), generate: Box::new(generate) }
}

fn generate(spec: &ImageSpec, seed: u64, monitor: &mut dyn StepMonitor) -> diffusion_core::Result<Picture> {
    let latents = SeededNoise::new(seed).randn(&[1, 4, 1, 1])?;
    let slow = spec.prompt() == "slow";
    match spec.prompt() {
        "panic" => panic!("the fake model panics\nas it was told"),
        "refuse" => return Err(Error::Params { field: "num_inference_steps", reason: "not with this scheduler".into() }),
        "stuck" => std::thread::sleep(Duration::from_secs(1)),
        "broken" => return Err(Error::Tokenizer("broken as told\nbacktrace".into())),
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
    let image = RgbImage::from_pixel(spec.width(), spec.height(), Rgb([(seed % 256) as u8, 1, 2]));
    let texts = [("prompt", spec.prompt()), ("negative_prompt", spec.negative_prompt())];
    let lengths = texts.map(|(field, text)| TruncatedText { field, tokens: text.split(' ').count(), limit: READ_TOKENS });
    Ok(Picture { image, truncated: lengths.into_iter().filter(|text| text.tokens > text.limit).collect() })
}

/// An engine whose model is loaded.
pub(crate) async fn engine(places: usize) -> Engine {
    let settings = EngineSettings { queue_capacity: places, ..EngineSettings::new(Instant::now) };
    let engine = Engine::start(settings, || Ok(model())).unwrap();
    engine.loaded().await.unwrap();
    engine
}
