//! The comparisons with the references again, at every level of the CPU's kernels that this machine has. A process has one level, so each gets a
//! process of its own.

use std::{env, process::Command, sync::Once};

use cpu_kernels::{Level, Priority};

/// Names the level of a process of these tests.
const VARIABLE: &str = "DIFFUSION_CORE_TESTS_LEVEL";

/// What compares whole models in bf16 with their references.
const COMPARED: [&str; 12] = [
    "captions::each_part_matches_transformers_in_f32_and_its_quality_in_bf16",
    "controlnet::nets_agree_with_diffusers",
    "models::autoencoders_in_half_precision_stay_close",
    "models::text_encoders_agree_with_transformers",
    "models::tiny_autoencoders_agree_with_diffusers",
    "models::unets_in_half_precision_stay_close",
    "sdxl::text_encoders_with_a_projection_agree_with_transformers",
    "sdxl::unets_with_pooled_texts_and_sizes_agree_with_diffusers",
    "unet_spatio_temporal::video_unets_in_half_precision_stay_close",
    "upscalers::upscalers_agree_with_spandrel",
    "video::image_encoders_agree_with_transformers",
    "video::temporal_autoencoders_in_half_precision_stay_close",
];

/// Sets the level that this process was started for; before anything computes. Others have the machine's fastest.
pub(crate) fn settle() {
    static SETTLED: Once = Once::new();
    SETTLED.call_once(|| {
        if let Ok(name) = env::var(VARIABLE) {
            assert!(cpu_kernels::configure(2, Level::from_name(&name).unwrap(), Priority::Usual), "the level is settled too late");
        }
    });
}

#[test]
fn every_level_agrees_with_the_references() {
    for level in Level::ALL.into_iter().filter(|level| level.is_available()) {
        let child = Command::new(env::current_exe().unwrap()).arg("--exact").args(COMPARED).env(VARIABLE, level.name()).output().unwrap();
        let output = String::from_utf8_lossy(&child.stdout);
        // A test that was renamed would not run.
        let all = format!("test result: ok. {} passed; 0 failed;", COMPARED.len());
        assert!(child.status.success() && output.contains(&all), "at the level {}:\n{output}", level.name());
    }
}
