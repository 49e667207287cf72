//! The prompt languages against the reference programs' own parsers, tokenizers and encoders.

use std::sync::Arc;

use candle_core::{DType, Device};
use diffusion_core::{
    conditioning::{FirstEncoder, TextConditioner, TextEncoders},
    models::{ClipTextConfig, ClipTextModel},
    pipelines::{ImageParams, RunContext, StableDiffusion},
    policy::ExecutionPolicy,
    prompt::{PromptSyntax, chunks},
    tokenizer::{ClipTokenizer, TokenizerConfig, Vocabulary},
    weights::Component,
};
use serde_json::{Value, json};

use crate::{
    golden, golden_metadata,
    golden_weights::GoldenWeights,
    pipelines::{GoldenModel, image_of, params, psnr},
    relative_error,
    tolerance::{IMAGE_PSNR, MODELS},
};

/// A tokenizer that pads as Stable Diffusion 1 (with the end token) or 2 (with "!").
pub(crate) fn tokenizer(family: &str) -> ClipTokenizer {
    let config = json!({"pad_token": if family == "sd2" { "!" } else { "<|endoftext|>" }});
    ClipTokenizer::from_parts(Vocabulary::openai().unwrap(), TokenizerConfig::from_json(Some(&config), None, None).unwrap()).unwrap()
}

fn cases() -> serde_json::Map<String, Value> {
    serde_json::from_str(&golden_metadata("prompts", "a1111")["cases"]).unwrap()
}

#[test]
fn a1111_prompts_become_the_references_chunks() {
    let mut most = 0;
    for (family, cases) in cases() {
        let tokenizer = tokenizer(&family);
        for case in cases.as_array().unwrap() {
            let prompt = case["prompt"].as_str().unwrap();
            let found = chunks(prompt, PromptSyntax::A1111, &tokenizer).unwrap();
            most = most.max(found.len());
            let mut expected: Vec<Vec<u32>> = serde_json::from_value(case["ids"].clone()).unwrap();
            for ids in &mut expected {
                // The reference pads with the end token, and puts the padding in its place just before the encoder.
                let end = ids.iter().position(|id| *id == tokenizer.end_id()).unwrap();
                ids[end + 1..].fill(tokenizer.pad_id());
            }
            assert_eq!(found.iter().map(|chunk| chunk.ids.clone()).collect::<Vec<_>>(), expected, "{family}: {prompt:?}");
            let weights: Vec<Vec<f64>> = serde_json::from_value(case["weights"].clone()).unwrap();
            let weights: Vec<Vec<f32>> = weights.into_iter().map(|chunk| chunk.into_iter().map(|weight| weight as f32).collect()).collect();
            assert_eq!(found.into_iter().map(|chunk| chunk.weights).collect::<Vec<_>>(), weights, "{family}: {prompt:?}");
        }
    }
    assert!(most >= 3);
}

#[test]
fn a1111_prompts_are_encoded_as_by_the_reference() {
    let (tensors, metadata) = (golden("prompts", "a1111"), golden_metadata("prompts", "a1111"));
    let config = ClipTextConfig::from_json(&serde_json::from_str(&metadata["config"]).unwrap()).unwrap();
    let weights = Arc::new(GoldenWeights::new(&serde_json::from_str(&metadata["shapes"]).unwrap()));
    let mut compared = 0;
    for (family, cases) in cases() {
        let model = ClipTextModel::load(&config, &weights.cursor(Component::TextEncoder, DType::F32)).unwrap();
        let encoder = FirstEncoder::new(tokenizer(&family), model);
        let conditioner = TextConditioner::new(TextEncoders::First(encoder), Device::Cpu, DType::F32);
        for (index, case) in cases.as_array().unwrap().iter().enumerate() {
            let prompt = case["prompt"].as_str().unwrap();
            for skip in [0, 1] {
                let Some(expected) = tensors.get(&format!("{family}.{index}.skip_{skip}")) else { continue };
                let embeds = conditioner.encode(prompt, Some(prompt.into()), PromptSyntax::A1111, skip).unwrap();
                let error = relative_error(&embeds.prompt_embeds.squeeze(0).unwrap(), expected);
                assert!(error < MODELS, "{family}, {prompt:?}, {skip} layers skipped: {error:.1e}");
                if skip == 0 {
                    assert_eq!(relative_error(&embeds.negative_prompt_embeds.unwrap(), &embeds.prompt_embeds), 0.0);
                }
                compared += 1;
            }
        }
    }
    assert_eq!(compared, tensors.len());
}

/// scripts/golden/weighted_prompts.py.
#[test]
fn images_of_a1111_prompts_match_diffusers_with_the_references_embeddings() {
    let (tensors, metadata) = (golden("pipelines", "weighted_prompts"), golden_metadata("pipelines", "weighted_prompts"));
    let calls: serde_json::Map<String, Value> = serde_json::from_str(&metadata["calls"]).unwrap();
    let shapes: Value = serde_json::from_str(&metadata["shapes"]).unwrap();
    assert_eq!(calls.len(), tensors.len());
    for (name, call) in &calls {
        let source = GoldenModel { shapes: shapes.clone(), call: call.clone(), poison: None };
        let model = StableDiffusion::load(&source, &ExecutionPolicy::cpu_f32()).unwrap();
        let image = |prompt_syntax| model.image(&ImageParams { prompt_syntax, ..params(call) }, RunContext::new(&mut ())).unwrap();
        let expected = image_of(&tensors[name]);
        let decibels = psnr(&image(PromptSyntax::A1111), &expected);
        assert!(decibels >= IMAGE_PSNR, "{name}: {decibels:.1} dB");
        assert!(psnr(&image(PromptSyntax::Plain), &expected) < IMAGE_PSNR, "{name}: the golden does not depend on the language");
    }
}

#[test]
fn texts_that_are_mixed_are_padded_to_one_length() {
    let metadata = golden_metadata("prompts", "a1111");
    let config = ClipTextConfig::from_json(&serde_json::from_str(&metadata["config"]).unwrap()).unwrap();
    let weights = Arc::new(GoldenWeights::new(&serde_json::from_str(&metadata["shapes"]).unwrap()));
    let model = ClipTextModel::load(&config, &weights.cursor(Component::TextEncoder, DType::F32)).unwrap();
    let encoders = TextEncoders::First(FirstEncoder::new(tokenizer("sd1"), model));
    let conditioner = TextConditioner::new(encoders, Device::Cpu, DType::F32);
    let encode = |prompt: &str| conditioner.encode(prompt, Some("a".into()), PromptSyntax::A1111, 0).unwrap();
    let [short, long] = conditioner.padded([encode("a boat"), encode("a BREAK b BREAK c")]).unwrap();
    let length = |embeds: &candle_core::Tensor| embeds.dim(1).unwrap();
    assert_eq!([length(&short.prompt_embeds), length(&long.prompt_embeds)], [231, 231]);
    assert_eq!(length(&short.negative_prompt_embeds.clone().unwrap()), 77);
    let part = |start: usize| short.prompt_embeds.narrow(1, start, 77).unwrap();
    assert_eq!(relative_error(&part(0), &encode("a boat").prompt_embeds), 0.0);
    assert_eq!(relative_error(&part(77), &encode("").prompt_embeds), 0.0);
    assert_eq!(relative_error(&part(154), &part(77)), 0.0);
    assert!(short.interpolate(&long, 0.5).is_ok());
}

#[test]
fn a_plain_prompt_has_one_chunk_and_no_weights() {
    let tokenizer = tokenizer("sd1");
    for prompt in ["(a:1.5) BREAK b", &"word ".repeat(100)] {
        let found = chunks(prompt, PromptSyntax::Plain, &tokenizer).unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].ids, tokenizer.encode(prompt).unwrap().ids);
        assert!(!found[0].is_weighted());
    }
}
