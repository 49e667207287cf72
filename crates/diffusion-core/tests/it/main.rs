//! Integration tests of diffusion-core, one module for each subject. Goldens lie in `tests/golden`, written by `scripts/golden`; a missing
//! one is a failure. Tolerances are in [`tolerance`].
#![expect(clippy::unwrap_used, reason = "a test may panic on an unexpected result")]
#![expect(clippy::print_stderr, reason = "the distance from the goldens is worth a line")]

mod adapters;
mod canny;
mod caption_files;
mod captions;
mod clip;
mod compel;
mod configs;
mod controlnet;
mod embeddings;
mod few_steps;
mod golden_weights;
#[cfg(feature = "hub")]
mod hub;
mod levels;
mod models;
mod nano_sd;
mod nano_svd;
mod noise;
mod ops;
mod other_texts;
mod other_vae;
mod pipelines;
mod previews;
mod prompts;
mod refined;
mod refused_models;
mod scenes;
mod scheduler_files;
mod schedulers;
mod sdxl;
mod sdxl_adapted;
mod shape_judge;
mod single_file_images;
mod single_file_svd;
mod text_context;
mod tiny_turbo;
mod tokenizer;
mod tolerance;
mod two_passes;
mod unet_spatio_temporal;
mod upscalers;
mod video;
mod video_pipeline;
mod weights;
mod weights_float8;
mod weights_random;
mod weights_single_file;
mod weights_single_file_xl;
mod weights_torch;

use std::{collections::HashMap, path::PathBuf};

use candle_core::{DType, Device, Tensor};

/// The golden file `tests/golden/SUBJECT/NAME.safetensors`.
pub(crate) fn golden_path(subject: &str, name: &str) -> PathBuf {
    // Every comparison with a reference begins here.
    levels::settle();
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(subject).join(format!("{name}.safetensors"))
}

/// All tensors of a golden file, on the CPU in their stored type.
pub(crate) fn golden(subject: &str, name: &str) -> HashMap<String, Tensor> {
    let path = golden_path(subject, name);
    candle_core::safetensors::load(&path, &Device::Cpu).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The metadata of a golden file: strings, most of them JSON.
pub(crate) fn golden_metadata(subject: &str, name: &str) -> HashMap<String, String> {
    let bytes = std::fs::read(golden_path(subject, name)).unwrap();
    let (_, metadata) = safetensors::SafeTensors::read_metadata(&bytes).unwrap();
    metadata.metadata().clone().unwrap_or_default()
}

/// |actual - expected| / |expected| in the Euclidean norm, over all elements in f64. Shapes must agree; any NaN gives NaN.
pub(crate) fn relative_error(actual: &Tensor, expected: &Tensor) -> f64 {
    assert_eq!(actual.dims(), expected.dims());
    let values = |tensor: &Tensor| tensor.to_dtype(DType::F64).unwrap().flatten_all().unwrap().to_vec1::<f64>().unwrap();
    let (actual, expected) = (values(actual), values(expected));
    let difference: f64 = actual.iter().zip(&expected).map(|(a, e)| (a - e).powi(2)).sum();
    let norm: f64 = expected.iter().map(|e| e.powi(2)).sum();
    if norm == 0.0 { difference.sqrt() } else { (difference / norm).sqrt() }
}
