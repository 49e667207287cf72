//! Generates an image from a model on disk with what people put beside one: LoRAs, named in the prompt, and the edges of another picture,
//! which a ControlNet follows:
//! `cargo run --release --example adapters -- MODEL LORAS "a castle <lora:ink:0.8>" out.png [CONTROLNET PICTURE]`

use std::{env, path::Path, sync::Arc};

use anyhow::{Context, Result};
use diffusion_core::{
    adapters::{AdaptedSource, AdapterChoice, AdapterFolder},
    imaging::canny,
    pipelines::{ControlNet, ControlParams, ControlsParams, ImageParams, RunContext, StableDiffusion},
    policy::{DeviceChoice, ExecutionPolicy, Precision},
    prompt::PromptSyntax,
    weights::{OpenOptions, open_controlnet, open_model},
};

const USAGE: &str = "usage: adapters MODEL LORAS PROMPT FILE.png [CONTROLNET PICTURE]";

fn main() -> Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [model, loras, prompt, file, controls @ ..] = arguments.as_slice() else { anyhow::bail!(USAGE) };

    let policy = ExecutionPolicy::resolve(DeviceChoice::Auto, Precision::Auto)?;
    let (prompt, choices) = AdapterChoice::from_prompt(prompt)?;
    let applied = AdapterFolder::open(loras)?.choose(&choices, &[])?;
    let source = AdaptedSource::new(open_model(Path::new(model), &OpenOptions::default())?, applied)?;
    let model = StableDiffusion::load(&source, &policy)?;

    let mut params = ImageParams { seed: 7, prompt_syntax: PromptSyntax::A1111, ..ImageParams::new(prompt, model.default_size()) };
    if let [net, picture] = controls {
        let net = Arc::new(ControlNet::load(open_controlnet(Path::new(net))?.as_ref(), &policy)?);
        let image = canny(&image::open(picture).with_context(|| picture.clone())?.to_rgb8(), 100.0, 200.0);
        params.controls = ControlsParams { nets: vec![ControlParams { net, image, weight: 1.0, start: 0.0, end: 1.0 }], guess_mode: false };
    }
    let image = model.image(&params, RunContext::new(&mut ()))?;
    image.save(file).with_context(|| file.clone())
}
