//! Generates an image from a prompt with the embedded model, or with a model on disk:
//! `cargo run --release --example text_to_image -- "a red circle on a blue background" out.png [MODEL]`

use std::{env, ops::ControlFlow, path::Path};

use anyhow::{Context, Result};
use diffusion_core::{
    denoise::{StepMonitor, StepReport},
    pipelines::{ImageParams, RunContext, StableDiffusion, nano_sd},
    policy::{DeviceChoice, ExecutionPolicy, Precision},
    weights::{OpenOptions, open_model},
};

/// Prints each finished step.
struct PrintSteps;

impl StepMonitor for PrintSteps {
    #[expect(clippy::print_stdout, reason = "an example prints its results")]
    fn on_step(&mut self, step: &StepReport<'_>) -> ControlFlow<()> {
        println!("step {} of {}", step.step, step.steps);
        ControlFlow::Continue(())
    }
}

fn main() -> Result<()> {
    let mut arguments = env::args().skip(1);
    let prompt = arguments.next().context("usage: text_to_image PROMPT FILE.png [MODEL]")?;
    let file = arguments.next().context("usage: text_to_image PROMPT FILE.png [MODEL]")?;

    let policy = ExecutionPolicy::resolve(DeviceChoice::Auto, Precision::Auto)?;
    let model = match arguments.next() {
        None => StableDiffusion::load(&nano_sd(), &policy)?,
        Some(path) => StableDiffusion::load(open_model(Path::new(&path), &OpenOptions::default())?.as_ref(), &policy)?,
    };
    let params = ImageParams { seed: 7, ..ImageParams::new(prompt, model.default_size()) };
    let image = model.image(&params, RunContext::new(&mut PrintSteps))?;
    image.save(&file).with_context(|| file)
}
