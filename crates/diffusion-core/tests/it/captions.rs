//! Captions against transformers: the image processor's pixels, the model's parts, the tokens of greedy and beam search, and their texts
//! (tests/golden/blip, scripts/golden/blip.py); and refusals of a call.

use std::{cell::Cell, collections::HashMap, fs, path::PathBuf};

use candle_core::{D, DType, Device, IndexOp, Tensor};
use diffusion_core::{
    Error,
    models::{BlipConfig, BlipTextDecoder, BlipVisionModel},
    pipelines::caption::{CaptionParams, Captioner},
    preprocess::{BlipImageProcessorConfig, blip_pixels},
    tokenizer::{BertTokenizer, BertTokenizerFiles},
    weights::{Component, ComponentWeights, TransformersFolder, WeightSource},
};
use image::RgbImage;
use serde_json::{Value, json};

use crate::{golden, golden_metadata, golden_path, relative_error, tolerance};

/// The golden model's folder.
pub(crate) fn folder() -> PathBuf {
    golden_path("blip", "x").with_file_name("model")
}

/// The golden model.
pub(crate) fn captioner(dtype: DType) -> Captioner {
    Captioner::load(&TransformersFolder::open(folder()).unwrap(), &Device::Cpu, dtype).unwrap()
}

/// One of the images that the goldens were made from.
pub(crate) fn image(tensors: &HashMap<String, Tensor>, index: usize) -> RgbImage {
    let tensor = &tensors[&format!("image.{index}")];
    let (height, width, _) = tensor.dims3().unwrap();
    RgbImage::from_raw(width as u32, height as u32, tensor.flatten_all().unwrap().to_vec1().unwrap()).unwrap()
}

fn metadata(key: &str) -> Value {
    serde_json::from_str(&golden_metadata("blip", "captions")[key]).unwrap()
}

/// The arguments of transformers' `generate` for one caption.
fn params(call: &Value) -> CaptionParams {
    let prompt_tokens = if call["prompt"].is_null() { 1 } else { 4 };
    let number = |field: &str| call[field].as_u64().map(|number| number as usize);
    let default = CaptionParams::default();
    let longest = number("max_length").map(|length| length - prompt_tokens);
    CaptionParams {
        prompt: call["prompt"].as_str().map(str::to_owned),
        num_beams: number("num_beams").unwrap(),
        max_new_tokens: number("max_new_tokens").or(longest).unwrap_or(default.max_new_tokens),
        min_length: number("min_length").unwrap_or(default.min_length),
        length_penalty: call["length_penalty"].as_f64().unwrap_or(default.length_penalty),
        repetition_penalty: call["repetition_penalty"].as_f64().unwrap_or(default.repetition_penalty),
    }
}

#[test]
fn captions_match_transformers_token_by_token() {
    let tensors = golden("blip", "captions");
    let model = captioner(DType::F32);
    let calls = metadata("captions");
    let calls = calls.as_array().unwrap();
    assert_eq!(calls.len(), 100);
    for call in calls {
        let image = image(&tensors, call["image"].as_u64().unwrap() as usize);
        let found = model.caption(&image, &params(call), &|| false).unwrap();
        let expected: Vec<u32> = serde_json::from_value(call["ids"].clone()).unwrap();
        assert_eq!(found.token_ids, expected, "{call}");
        assert_eq!(found.text, call["text"].as_str().unwrap(), "{call}");
    }
}

#[test]
fn pixels_match_the_image_processor() {
    let tensors = golden("blip", "captions");
    let json: Value = serde_json::from_slice(&fs::read(folder().join("preprocessor_config.json")).unwrap()).unwrap();
    let config = BlipImageProcessorConfig::from_json("preprocessor_config.json", &json).unwrap();
    // An unscaled image, a single line, two that are enlarged along one side, one enlarged and one reduced along both.
    for index in 0..6 {
        let found = blip_pixels(&image(&tensors, index), &config).unwrap();
        let expected = tensors["pixels"].i(index).unwrap().unsqueeze(0).unwrap();
        let difference = (found - expected).unwrap().abs().unwrap().flatten_all().unwrap().max(D::Minus1).unwrap();
        assert!(difference.to_scalar::<f32>().unwrap() <= tolerance::BLIP_PIXELS, "picture {index}: {difference}");
    }
}

/// The parts of the golden model.
fn parts(dtype: DType) -> (BlipVisionModel, BlipTextDecoder) {
    let source = TransformersFolder::open(folder()).unwrap();
    let config = BlipConfig::from_json(&source.config(Component::Captioner).unwrap()).unwrap();
    let weights = ComponentWeights::new(source.tensors(Component::Captioner).unwrap(), Component::Captioner, dtype, &Device::Cpu);
    let decoder = BlipTextDecoder::load(&config.text, config.vision.hidden_size, &weights).unwrap();
    (BlipVisionModel::load(&config.vision, &weights).unwrap(), decoder)
}

#[test]
fn each_part_matches_transformers_in_f32_and_its_quality_in_bf16() {
    let tensors = golden("blip", "captions");
    let quality_db = metadata("bf16_db");
    let pixels = tensors["pixels"].i(..1).unwrap();
    for dtype in [DType::F32, DType::BF16] {
        let (vision, decoder) = parts(dtype);
        let check = |what: &str, actual: &Tensor, expected: &Tensor| {
            let error = relative_error(actual, expected);
            let half = 10f64.powf(-(quality_db[what].as_f64().unwrap() - tolerance::BF16_BELOW_DB) / 20.0);
            let tolerance = if dtype == DType::F32 { tolerance::MODELS } else { half };
            assert!(error <= tolerance, "{what} in {dtype:?}: relative error {error:.2e}, allowed {tolerance:.2e}");
        };
        check("embeddings", &vision.embed(&pixels).unwrap(), &tensors["embeddings"]);
        let embeds = vision.forward(&pixels, &|| Ok(())).unwrap();
        check("image_embeds", &embeds, &tensors["image_embeds"]);
        let context = decoder.image_context(&embeds).unwrap();
        let ids = tensors["ids"].to_dtype(DType::U32).unwrap();
        let count = ids.dim(1).unwrap();
        // Several tokens at once, then the others one by one: the cache must not change the result.
        for first in [1, 4, count] {
            let mut cache = decoder.new_cache();
            let mut scores = vec![decoder.forward(&ids.narrow(1, 0, first).unwrap(), &mut cache, &context).unwrap()];
            for index in first..count {
                scores.push(decoder.forward(&ids.narrow(1, index, 1).unwrap(), &mut cache, &context).unwrap());
            }
            assert_eq!(cache.tokens(), count);
            let expected = tensors["logits"].i(0).unwrap().narrow(0, first - 1, scores.len()).unwrap();
            check("logits", &Tensor::cat(&scores, 0).unwrap(), &expected);
        }
    }
}

#[test]
fn texts_in_a_batch_get_the_same_logits_as_alone() {
    let tensors = golden("blip", "captions");
    let (vision, decoder) = parts(DType::F32);
    let context = decoder.image_context(&vision.forward(&tensors["pixels"].i(..1).unwrap(), &|| Ok(())).unwrap()).unwrap();
    let texts = [[95_u32, 20, 31], [95, 7, 60], [95, 20, 44]];
    let alone = texts.map(|ids| {
        let mut cache = decoder.new_cache();
        for id in &ids[..2] {
            decoder.forward(&Tensor::new(&[[*id]], &Device::Cpu).unwrap(), &mut cache, &context).unwrap();
        }
        decoder.forward(&Tensor::new(&[[ids[2]]], &Device::Cpu).unwrap(), &mut cache, &context).unwrap()
    });
    // Two texts, of which the first is duplicated.
    let mut cache = decoder.new_cache();
    decoder.forward(&Tensor::new(&[[95_u32, 7], [95, 20]], &Device::Cpu).unwrap(), &mut cache, &context).unwrap();
    cache.select(&[1, 0, 1]).unwrap();
    let third = Tensor::new(&[[31_u32], [60], [44]], &Device::Cpu).unwrap();
    let together = decoder.forward(&third, &mut cache, &context).unwrap();
    let error = relative_error(&together, &Tensor::cat(&alone, 0).unwrap());
    assert!(error <= tolerance::MODELS, "{error:.2e}");
}

#[test]
fn tokenization_matches_transformers() {
    let read = |name: &str| fs::read(folder().join(name)).unwrap();
    let config: Value = serde_json::from_slice(&read("tokenizer_config.json")).unwrap();
    let mut cleaning = config.clone();
    cleaning["clean_up_tokenization_spaces"] = json!(true);
    let (json, text) = (read("tokenizer.json"), read("vocab.txt"));
    let (json, text) = (Some(json.as_slice()), Some(text.as_slice()));
    for (tokenizer_json, vocab_txt) in [(json, text), (json, None), (None, text)] {
        let load = |config| BertTokenizer::load(BertTokenizerFiles { tokenizer_json, vocab_txt, tokenizer_config: Some(config) }).unwrap();
        let (plain, cleaning) = (load(&config), load(&cleaning));
        assert_eq!(plain.vocab_size(), 95);
        for case in metadata("tokenized").as_array().unwrap() {
            let ids = plain.encode(case["text"].as_str().unwrap()).unwrap();
            assert_eq!(json!(ids), case["ids"], "{case}");
            assert_eq!(plain.decode(&ids).unwrap(), case["decoded"].as_str().unwrap(), "{case}");
            assert_eq!(cleaning.decode(&ids).unwrap(), case["cleaned"].as_str().unwrap(), "{case}");
        }
    }
}

#[test]
fn a_call_is_validated_and_can_be_cancelled_at_every_step() {
    let model = captioner(DType::F32);
    let image = image(&golden("blip", "captions"), 0);
    let refused = |params: CaptionParams| match model.caption(&image, &params, &|| false) {
        Err(Error::Params { field, .. }) => field,
        other => panic!("{other:?}"),
    };
    assert_eq!(refused(CaptionParams { num_beams: 0, ..CaptionParams::default() }), "num_beams");
    // 40 positions.
    assert_eq!(refused(CaptionParams { prompt: Some("cat ".repeat(39)), ..CaptionParams::default() }), "prompt");
    let empty = model.caption(&RgbImage::new(0, 3), &CaptionParams::default(), &|| false);
    assert!(matches!(empty, Err(Error::Params { field: "image", .. })));
    // The last position is used, but not one more.
    let params = CaptionParams { prompt: Some("cat ".repeat(37)), max_new_tokens: 500, min_length: 100, ..CaptionParams::default() };
    assert_eq!(model.caption(&image, &params, &|| false).unwrap().token_ids.len(), 40);

    for num_beams in [1, 4] {
        let params = CaptionParams { num_beams, max_new_tokens: 6, min_length: 7, ..CaptionParams::default() };
        let asked = Cell::new(0);
        model
            .caption(&image, &params, &|| {
                asked.set(asked.get() + 1);
                false
            })
            .unwrap();
        // Three layers of the image encoder, six tokens.
        assert_eq!(asked.get(), 9);
        for stop in 1..=9 {
            asked.set(0);
            let found = model.caption(&image, &params, &|| {
                asked.set(asked.get() + 1);
                asked.get() == stop
            });
            assert!(matches!(found, Err(Error::Cancelled)) && asked.get() == stop, "{stop}: {found:?}");
        }
    }
}
