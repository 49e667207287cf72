//! Few-step models against diffusers' pipelines (tests/golden/pipelines/few_steps, scripts/golden/few_steps.py), with the scheduler files
//! that they are published with.

use diffusion_core::{
    pipelines::{ImageDefaults, RunContext, StableDiffusion},
    policy::ExecutionPolicy,
    weights::{SingleFile, SingleFileOptions},
};
use serde_json::Value as Json;

use crate::{
    golden, golden_metadata,
    pipelines::{GoldenModel, check_psnrs, deviation, image_of, params, psnr},
    tiny_turbo::TinyTurbo,
};

#[test]
fn few_step_models_match_diffusers() {
    let (tensors, metadata) = (golden("pipelines", "few_steps"), golden_metadata("pipelines", "few_steps"));
    let calls: serde_json::Map<String, Json> = serde_json::from_str(&metadata["calls"]).unwrap();
    let shapes: Json = serde_json::from_str(&metadata["shapes"]).unwrap();
    assert_eq!(calls.len(), tensors.len());
    let mut found = Vec::new();
    for (name, call) in &calls {
        let model =
            StableDiffusion::load(&GoldenModel { shapes: shapes.clone(), call: call.clone(), poison: None }, &ExecutionPolicy::cpu_f32());
        let image = model.unwrap().image(&params(call), RunContext::new(&mut ())).unwrap();
        let expected = image_of(&tensors[name]);
        assert!(deviation(&expected) >= 30.0, "{name}");
        found.push((psnr(&image, &expected), name.clone()));
    }
    check_psnrs(&found);
}

#[test]
fn a_single_file_has_its_defaults_in_a_file_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mine.safetensors");
    TinyTurbo::load().write_single_file(&path, &[], &[]);
    let defaults = || ImageDefaults::of(&SingleFile::open(&path, SingleFileOptions::default()).unwrap()).unwrap();
    assert_eq!(defaults(), ImageDefaults::default());
    std::fs::write(folder.path().join("mine.framewright.json"), r#"{"steps": 2, "guidance_scale": 0}"#).unwrap();
    let expected = ImageDefaults { num_inference_steps: Some(2), guidance_scale: Some(0.0), ..ImageDefaults::default() };
    assert_eq!(defaults(), expected);
}
