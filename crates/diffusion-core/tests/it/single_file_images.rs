//! A model with SD-Turbo's structure, as a folder and as a single file, against diffusers' images (tests/golden/single_file,
//! scripts/golden/single_file.py).

use diffusion_core::{
    pipelines::{ImageParams, RunContext, StableDiffusion},
    policy::ExecutionPolicy,
    weights::{OpenOptions, SingleFile, SingleFileOptions, WeightSource as _, open_model},
};
use image::RgbImage;
use serde_json::{Value as Json, json};

use crate::{golden, golden_metadata, pipelines::psnr, tiny_turbo::TinyTurbo, tolerance};

/// Makes a golden's image with the model at this path, and compares it with diffusers'.
fn check(model: &std::path::Path, name: &str, scheduler: Option<&str>) -> Vec<String> {
    let metadata = golden_metadata("single_file", "pictures");
    let calls: Json = serde_json::from_str(&metadata["calls"]).unwrap();
    let source = open_model(model, &OpenOptions::default()).unwrap();
    let model = StableDiffusion::load(source.as_ref(), &ExecutionPolicy::cpu_f32()).unwrap();
    let side: u32 = metadata["side"].parse().unwrap();
    let params = ImageParams {
        num_inference_steps: calls[name]["steps"].as_u64().unwrap() as usize,
        guidance_scale: calls[name]["guidance_scale"].as_f64().unwrap(),
        seed: metadata["seed"].parse().unwrap(),
        scheduler: scheduler.map(|name| name.parse().unwrap()),
        ..ImageParams::new(metadata["prompt"].clone(), (side, side))
    };
    let made = model.image(&params, RunContext::new(&mut ())).unwrap();
    let bytes = golden("single_file", "pictures")[name].flatten_all().unwrap().to_vec1::<u8>().unwrap();
    let decibels = psnr(&made, &RgbImage::from_raw(side, side, bytes).unwrap());
    assert!(decibels >= tolerance::EQUAL_IMAGES, "{name} {scheduler:?}: {decibels:.1} dB");
    source.remarks()
}

#[test]
fn sd_turbos_folder_matches_diffusers_for_every_upcast_attention() {
    let turbo = TinyTurbo::load();
    for upcast_attention in [Some(Json::Null), None, Some(json!(false)), Some(json!(0))] {
        let folder = tempfile::tempdir().unwrap();
        turbo.write_folder(folder.path(), upcast_attention.as_ref());
        for name in ["turbo_1", "turbo_4"] {
            assert!(check(folder.path(), name, None).is_empty());
            check(folder.path(), name, Some("euler"));
        }
    }
}

#[test]
fn sd_turbos_single_file_matches_diffusers_and_explains_its_prediction_type() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let turbo = TinyTurbo::load();
    turbo.write_single_file(&path, &[], &[]);
    for name in ["turbo_1", "turbo_4"] {
        let remarks = check(&path, name, None);
        assert!(
            remarks[0].starts_with("predicts epsilon at 512x512: no mark says it, and its last attention norm's bias deviates by"),
            "{remarks:?}"
        );
        check(&path, name, Some("euler"));
    }
    // In the layout of Stability AI's later code, and with leftovers of a trainer.
    let renamed = [("cond_stage_model.model.", "conditioner.embedders.0.model."), ("first_stage_model.", "vae.")];
    turbo.write_single_file(&path, &renamed, &["model.diffusion_model.ema_decay", "vae.loss.logvar", "vae.quant.colours"]);
    let remarks = check(&path, "turbo_4", None);
    assert_eq!(remarks.len(), 1, "{remarks:?}");
    let unknown = SingleFile::open(&path, SingleFileOptions::default()).unwrap().unknown_tensors();
    assert_eq!(unknown, ["model.diffusion_model.ema_decay", "vae.quant.colours"]);
}

#[test]
fn v_pred_and_ztsnr_select_velocity_with_zero_terminal_snr() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    TinyTurbo::load().write_single_file(&path, &[], &["v_pred", "ztsnr"]);
    assert_eq!(check(&path, "zero_snr_4", None), ["predicts v_prediction at 768x768: the key v_pred says so"]);
    check(&path, "zero_snr_4", Some("ddim"));
}
