//! compel's prompt language against compel's own parser and encoders, and diffusers' images with its embeddings.

use std::sync::Arc;

use candle_core::{DType, Device};
use diffusion_core::{
    Error,
    conditioning::{FirstEncoder, PromptEmbeds, SecondEncoder, TextConditioner, TextEncoders, Texts},
    models::{ClipTextConfig, ClipTextModel, ClipTextModelWithProjection, ClipTextProjectionConfig},
    pipelines::{RunContext, StableDiffusion},
    policy::ExecutionPolicy,
    prompt::{
        PromptSyntax,
        compel::{Fragment, parse},
    },
    weights::Component,
};
use serde_json::Value;

use crate::{
    golden, golden_metadata,
    golden_weights::GoldenWeights,
    pipelines::{GoldenModel, image_of, params, psnr},
    prompts::tokenizer,
    relative_error,
    tolerance::{IMAGE_PSNR, MODELS},
};

/// A JSON value in the golden's metadata.
fn metadata(name: &str) -> Value {
    serde_json::from_str(&golden_metadata("prompts", "compel")[name]).unwrap()
}

fn first_encoder(family: &str) -> FirstEncoder {
    let weights = Arc::new(GoldenWeights::new(&metadata("shapes")));
    let config = ClipTextConfig::from_json(&metadata("config")).unwrap();
    let model = ClipTextModel::load(&config, &weights.cursor(Component::TextEncoder, DType::F32)).unwrap();
    FirstEncoder::new(tokenizer(family), model)
}

#[test]
fn prompts_are_parsed_as_by_compel() {
    let cases = metadata("cases");
    for case in cases.as_array().unwrap() {
        let prompt = case["prompt"].as_str().unwrap();
        let found = parse(prompt).unwrap_or_else(|error| panic!("{prompt:?}: {error}"));
        let parts = case["parts"].as_array().unwrap();
        assert_eq!(found.len(), parts.len().max(1), "{prompt:?}");
        for (found, part) in found.iter().zip(parts) {
            assert_eq!(Some(found.weight), part["weight"].as_f64(), "{prompt:?}");
            let blend = &part["blend"];
            let shares: Vec<f64> = if blend.is_null() {
                vec![1.0]
            } else {
                let weights: Vec<f64> = serde_json::from_value(blend["weights"].clone()).unwrap();
                let sum = if blend["normalize"] == true { weights.iter().sum() } else { 1.0 };
                weights.into_iter().map(|weight| weight / sum).collect()
            };
            assert_eq!(found.texts.iter().map(|(_, share)| *share).collect::<Vec<_>>(), shares, "{prompt:?}");
            let texts: Vec<Vec<(String, f64)>> = serde_json::from_value(part["texts"].clone()).unwrap();
            let fragment = |(text, weight)| Fragment { text, weight };
            let texts: Vec<Vec<Fragment>> = texts.into_iter().map(|text| text.into_iter().map(fragment).collect()).collect();
            assert_eq!(found.texts.iter().map(|(text, _)| text.clone()).collect::<Vec<_>>(), texts, "{prompt:?}");
        }
    }
    assert!(cases.as_array().unwrap().len() > 70);
}

#[test]
fn prompts_are_encoded_as_by_compel() {
    let (tensors, cases) = (golden("prompts", "compel"), metadata("cases"));
    let mut compared = 0;
    for family in ["sd1", "sd2"] {
        let conditioner = TextConditioner::new(TextEncoders::First(first_encoder(family)), Device::Cpu, DType::F32);
        for (index, case) in cases.as_array().unwrap().iter().enumerate() {
            let prompt = case["prompt"].as_str().unwrap();
            for skip in [0, 1] {
                let Some(expected) = tensors.get(&format!("{family}.{index}.skip_{skip}")) else { continue };
                let embeds = conditioner.encode(prompt, None, PromptSyntax::Compel, skip).unwrap();
                let error = relative_error(&embeds.prompt_embeds.squeeze(0).unwrap(), expected);
                assert!(error < MODELS, "{family}, {prompt:?}, {skip} layers skipped: {error:.1e}");
                compared += 1;
            }
        }
    }
    assert_eq!(compared, tensors.keys().filter(|name| !name.starts_with("sdxl")).count());
}

#[test]
fn both_encoders_of_sdxl_read_prompts_as_by_compel() {
    let tensors = golden("prompts", "compel");
    let config = ClipTextProjectionConfig::from_json(&metadata("config_2")).unwrap();
    let weights = Arc::new(GoldenWeights::new(&metadata("shapes_2")));
    let model = ClipTextModelWithProjection::load(&config, &weights.cursor(Component::TextEncoder2, DType::F32)).unwrap();
    let second = SecondEncoder::new(tokenizer("sd2"), model, true);
    let conditioner = TextConditioner::new(TextEncoders::Both(first_encoder("sd1"), second), Device::Cpu, DType::F32);
    let prompts: Vec<(String, String)> = serde_json::from_value(metadata("sdxl_prompts")).unwrap();
    for (index, (first, second)) in prompts.iter().enumerate() {
        let texts = Texts { first, second };
        let PromptEmbeds { prompt_embeds, negative_prompt_embeds, pooled } =
            conditioner.encode(texts, Some("a (dark)0.5 night".into()), PromptSyntax::Compel, 0).unwrap();
        let pooled = pooled.unwrap();
        let (negative, negative_pooled) = (negative_prompt_embeds.unwrap(), pooled.negative_pooled_prompt_embeds.unwrap());
        for (name, found) in [
            ("embeds", &prompt_embeds),
            ("pooled", &pooled.pooled_prompt_embeds),
            ("negative_embeds", &negative),
            ("negative_pooled", &negative_pooled),
        ] {
            let error = relative_error(&found.squeeze(0).unwrap(), &tensors[&format!("sdxl.{index}.{name}")]);
            assert!(error < MODELS, "{first:?}, {second:?}: {name}: {error:.1e}");
        }
    }
    assert_eq!(prompts.len(), 8);
}

/// scripts/golden/compel_prompts.py.
#[test]
fn images_of_compel_prompts_match_diffusers_with_the_references_embeddings() {
    let (tensors, metadata) = (golden("pipelines", "compel_prompts"), golden_metadata("pipelines", "compel_prompts"));
    let calls: serde_json::Map<String, Value> = serde_json::from_str(&metadata["calls"]).unwrap();
    let shapes: Value = serde_json::from_str(&metadata["shapes"]).unwrap();
    assert_eq!(calls.len(), tensors.len());
    for (name, call) in &calls {
        let source = GoldenModel { shapes: shapes.clone(), call: call.clone(), poison: None };
        let model = StableDiffusion::load(&source, &ExecutionPolicy::cpu_f32()).unwrap();
        let image = |prompt_syntax| {
            let params = diffusion_core::pipelines::ImageParams { prompt_syntax, ..params(call) };
            model.image(&params, RunContext::new(&mut ())).unwrap()
        };
        let expected = image_of(&tensors[name]);
        let decibels = psnr(&image(PromptSyntax::Compel), &expected);
        assert!(decibels >= IMAGE_PSNR, "{name}: {decibels:.1} dB");
        assert!(psnr(&image(PromptSyntax::Plain), &expected) < IMAGE_PSNR, "{name}: the golden does not depend on the language");
    }
}

#[test]
fn a_fault_in_a_prompt_is_one_of_the_request() {
    let conditioner = TextConditioner::new(TextEncoders::First(first_encoder("sd1")), Device::Cpu, DType::F32);
    let error = conditioner.encode("a cat.swap(dog)", None, PromptSyntax::Compel, 0).unwrap_err();
    assert!(matches!(&error, Error::Params { field: "prompt", reason } if reason.starts_with("at character 6: ")), "{error}");
}
