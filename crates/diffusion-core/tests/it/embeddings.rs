//! Textual inversion against diffusers (tests/golden/embeddings, scripts/golden/embeddings.py).
#![expect(clippy::print_stdout, reason = "figures for runs with --nocapture")]

use std::{collections::BTreeMap, path::Path};

use diffusion_core::{
    adapters::Embedding,
    pipelines::{ImageParams, RunContext, StableDiffusion},
    policy::ExecutionPolicy,
};
use image::RgbImage;
use serde_json::Value as Json;

use crate::{
    golden, golden_metadata, golden_path,
    pipelines::{GoldenModel, params, psnr},
    tolerance,
};

/// The files of the goldens' folder.
fn files() -> (Vec<Embedding>, Vec<String>) {
    Embedding::open_folder(&golden_path("embeddings", "files").with_extension("")).unwrap()
}

/// A model whose prompts have the words of the files.
fn model(call: &Json) -> StableDiffusion {
    let shapes = serde_json::from_str(&golden_metadata("pipelines", "pictures")["shapes"]).unwrap();
    let source = GoldenModel { shapes, call: call.clone(), poison: None };
    let mut model = StableDiffusion::load(&source, &ExecutionPolicy::cpu_f32()).unwrap();
    let remarks = model.set_embeddings(files().0).unwrap();
    assert_eq!(remarks, ["the embedding wide is left out: its vectors have 64 numbers, and this text encoder's 32"]);
    model
}

fn make(model: &StableDiffusion, params: &ImageParams) -> RgbImage {
    model.image(params, RunContext::new(&mut ())).unwrap()
}

#[test]
fn images_with_words_are_those_of_diffusers_in_any_case() {
    let calls: BTreeMap<String, Json> = serde_json::from_str(&golden_metadata("embeddings", "images")["calls"]).unwrap();
    let images = golden("embeddings", "images");
    assert_eq!(calls.len(), 2);
    for (name, call) in &calls {
        let (model, params) = (model(call), params(call));
        let expected = images[&format!("image.{name}")].flatten_all().unwrap().to_vec1::<u8>().unwrap();
        let expected = RgbImage::from_raw(params.width, params.height, expected).unwrap();
        let found = make(&model, &params);
        let decibels = psnr(&found, &expected);
        println!("image with embeddings {name}: {decibels:.1} dB");
        assert!(decibels >= tolerance::IMAGE_PSNR, "{name}: {decibels:.1} dB");
        let shouted = ImageParams { prompt: params.prompt.replace("ink-wash", "Ink-WASH").replace("fog", "FOG"), ..params.clone() };
        assert_eq!(make(&model, &shouted), found, "{name}");
    }
}

#[test]
fn a_word_counts_as_its_vectors() {
    let call = serde_json::from_str::<Json>(&golden_metadata("embeddings", "images")["calls"]).unwrap()["words"].clone();
    let model = model(&call);
    assert_eq!(model.text_length("ink-wash").unwrap().0, 3);
    assert_eq!(model.text_length("Fog, glow").unwrap().0, 2 + 1 + model.text_length(",").unwrap().0);
    assert_ne!(model.text_length("foggy").unwrap().0, 2);
}

#[test]
fn a_pickle_that_calls_a_function_is_refused_and_runs_nothing() {
    let (embeddings, remarks) = files();
    assert_eq!(embeddings.iter().map(|embedding| embedding.name.as_str()).collect::<Vec<_>>(), ["fog", "glow", "ink-wash", "wide"]);
    let [remark] = remarks.as_slice() else { panic!("{remarks:?}") };
    assert!(remark.contains("evil.pt") && remark.contains("system") && remark.contains("refused"), "{remark}");
    assert!(!Path::new("/tmp/framewright-was-here").exists());
}
