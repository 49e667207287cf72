//! Single files of Stable Diffusion XL and its refiner: names, values and configurations match diffusers' own conversion.

use diffusion_core::{
    pipelines,
    weights::{Component, ModelFamily, SingleFile, SingleFileOptions, WeightSource},
};

use crate::weights_single_file::{check_against_diffusers, golden_json, write_checkpoint};

/// A model of Stable Diffusion XL's family as a checkpoint: as in diffusers, whole, and running.
fn check_xl(name: &str, family: ModelFamily) -> SingleFile {
    let model = check_against_diffusers(name);
    assert_eq!(ModelFamily::of(&model).unwrap(), family);
    let inspection = pipelines::inspect(&model);
    assert!(inspection.refusals.is_empty() && inspection.own_scheduler.is_none(), "{inspection:?}");
    assert_eq!(inspection.ignored.len(), 0, "{:?}", inspection.ignored);
    assert_eq!(model.config(Component::Tokenizer2).unwrap()["pad_token"], "!");
    let scheduler = model.config(Component::Scheduler).unwrap();
    assert_eq!((&scheduler["_class_name"], &scheduler["timestep_spacing"]), (&"EulerDiscreteScheduler".into(), &"leading".into()));
    // The golden's autoencoder halves a side once, so its 128 latents are 256 pixels.
    assert_eq!(model.config(Component::Unet).unwrap()["sample_size"], 128);
    assert_eq!(model.remarks(), ["predicts epsilon at 256x256: no mark says otherwise, and Stable Diffusion XL does"]);
    model
}

#[test]
fn stable_diffusion_xl_with_both_text_encoders() {
    let model = check_xl("ldm_xl.json", ModelFamily::StableDiffusionXl);
    assert_eq!(model.config(Component::Tokenizer).unwrap()["pad_token"], "<|endoftext|>");
}

#[test]
fn stable_diffusion_xl_with_transformers_of_other_depths_in_each_layer() {
    check_xl("ldm_xl_layered.json", ModelFamily::StableDiffusionXl);
}

#[test]
fn stable_diffusion_xls_refiner() {
    let model = check_xl("ldm_refiner.json", ModelFamily::StableDiffusionXlRefiner);
    assert!(model.config(Component::TextEncoder).is_err() && model.tensors(Component::TextEncoder).is_err());
}

#[test]
fn an_embedding_that_does_not_fit_the_pooled_text_is_refused() {
    let mut golden = golden_json("ldm_xl.json");
    let name = "model.diffusion_model.label_emb.0.0.weight";
    golden["checkpoint"][name][1] = 41.into();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    write_checkpoint(&golden, &path);
    let message = SingleFile::open(&path, SingleFileOptions::default()).err().unwrap().to_string();
    assert!(message.contains(&format!("tensor {name}: its 41 inputs are not the 40 channels")), "{message}");
}
