//! The models against the modules of diffusers and transformers, in f32 and bf16.

use std::{collections::HashMap, sync::Arc};

use candle_core::{DType, Tensor};
use diffusion_core::{
    Error,
    models::{
        AutoencoderKl, AutoencoderKlConfig, AutoencoderTiny, AutoencoderTinyConfig, ClipTextConfig, ClipTextModel, Tiling,
        UNet2dConditionModel, UNet2dConfig,
    },
    noise::SeededNoise,
    weights::Component,
};
use serde_json::{Value, json};

use crate::{
    golden, golden_metadata,
    golden_weights::GoldenWeights,
    relative_error,
    tolerance::{BF16_BELOW_DB, MODELS},
};

/// A golden's tensors, its config, its weights and its metadata.
pub(crate) struct Case {
    pub(crate) tensors: HashMap<String, Tensor>,
    pub(crate) config: Value,
    pub(crate) weights: Arc<GoldenWeights>,
    pub(crate) metadata: HashMap<String, String>,
}

pub(crate) fn case(name: &str) -> Case {
    case_of("models", name)
}

/// The golden of a model in `tests/golden/SUBJECT`.
pub(crate) fn case_of(subject: &str, name: &str) -> Case {
    let metadata = golden_metadata(subject, name);
    let config = serde_json::from_str(&metadata["config"]).unwrap();
    let weights = GoldenWeights::new(&serde_json::from_str(&metadata["shapes"]).unwrap());
    let weights = Arc::new(weights.scaled(metadata.get("scale").map_or(1.0, |scale| scale.parse().unwrap())));
    Case { tensors: golden(subject, name), config, weights, metadata }
}

impl Case {
    /// Compares a result with the golden one; in half precision with the quality of diffusers' own bf16 as the tolerance.
    pub(crate) fn check(&self, name: &str, what: &str, actual: &Tensor, dtype: DType) {
        assert_eq!(actual.dtype(), dtype, "{name} {what}");
        let error = relative_error(actual, &self.tensors[what]);
        let tolerance = if dtype == DType::F32 {
            MODELS
        } else {
            let quality_db: HashMap<String, f64> = serde_json::from_str(&self.metadata["bf16_db"]).unwrap();
            10f64.powf(-(quality_db[what] - BF16_BELOW_DB) / 20.0)
        };
        assert!(error <= tolerance, "{name} {what} in {dtype:?}: relative error {error:.2e}, allowed {tolerance:.2e}");
    }
}

fn text_encoder(name: &str, dtype: DType) {
    let case = case(name);
    let config = ClipTextConfig::from_json(&case.config).unwrap();
    let model = ClipTextModel::load(&config, &case.weights.cursor(Component::TextEncoder, dtype)).unwrap();
    assert_eq!(case.weights.unread(), Vec::<String>::new());
    let ids = case.tensors["ids"].to_dtype(DType::U32).unwrap();
    for skip in 0..=2 {
        let what = format!("clip_skip_{skip}");
        case.check(name, &what, &model.forward(&ids, skip).unwrap(), dtype);
    }
    let short = model.forward(&ids.narrow(1, 0, 9).unwrap(), 0).unwrap();
    case.check(name, "short", &short, dtype);
}

#[test]
fn text_encoders_agree_with_transformers() {
    text_encoder("clip_quick_gelu", DType::F32);
    text_encoder("clip_gelu", DType::F32);
    text_encoder("clip_gelu", DType::BF16);
}

#[test]
fn a_text_encoder_refuses_invalid_tokens() {
    let case = case("clip_gelu");
    let config = ClipTextConfig::from_json(&case.config).unwrap();
    let model = ClipTextModel::load(&config, &case.weights.cursor(Component::TextEncoder, DType::F32)).unwrap();
    let ids = |tokens: usize, id: u32| Tensor::full(id, (1, tokens), &candle_core::Device::Cpu).unwrap();
    assert!(matches!(model.forward(&ids(21, 1), 0), Err(Error::Shape { .. })));
    assert!(matches!(model.forward(&ids(20, 100), 0), Err(Error::Params { field: "input_ids", .. })));
    assert!(matches!(model.forward(&ids(20, 1), 5), Err(Error::Params { field: "clip_skip", .. })));
    assert!(model.forward(&ids(1, 1), 4).is_ok());
}

fn unet(name: &str, dtype: DType) {
    let case = case(name);
    let config = UNet2dConfig::from_json(&case.config).unwrap();
    let model = UNet2dConditionModel::load(&config, &case.weights.cursor(Component::Unet, dtype)).unwrap();
    assert_eq!(case.weights.unread(), Vec::<String>::new());
    let timestep: f64 = case.metadata["timestep"].parse().unwrap();
    let text = model.text_context(&case.tensors["encoder_hidden_states"]).unwrap();
    let output = model.forward(&case.tensors["sample"], timestep, &text, case.tensors.get("timestep_cond")).unwrap();
    case.check(name, "output", &output, dtype);
}

#[test]
fn the_unet_of_tiny_sd_agrees_with_diffusers() {
    unet("unet_tiny_sd", DType::F32);
}

#[test]
fn the_unet_of_stable_diffusion_1_agrees_with_diffusers() {
    unet("unet_sd15", DType::F32);
}

#[test]
fn the_unet_of_stable_diffusion_2_agrees_with_diffusers() {
    unet("unet_sd21", DType::F32);
}

#[test]
fn the_unet_of_a_consistency_model_with_nine_channels_agrees_with_diffusers() {
    unet("unet_lcm_inpainting", DType::F32);
}

#[test]
fn a_unet_at_odd_sizes_agrees_with_diffusers() {
    unet("unet_odd", DType::F32);
}

#[test]
fn a_unet_that_differs_from_level_to_level_agrees_with_diffusers() {
    unet("unet_varied", DType::F32);
}

#[test]
fn unets_in_half_precision_stay_close() {
    for name in ["unet_tiny_sd", "unet_sd15", "unet_sd21", "unet_odd"] {
        unet(name, DType::BF16);
    }
    unet("unet_tiny_sd", DType::F16);
}

/// Each image of a batch is computed independently: within rounding the same as in a batch of one.
#[test]
fn a_unet_computes_each_image_independently() {
    let case = case("unet_tiny_sd");
    let config = UNet2dConfig::from_json(&case.config).unwrap();
    let model = UNet2dConditionModel::load(&config, &case.weights.cursor(Component::Unet, DType::F32)).unwrap();
    let (sample, text) = (&case.tensors["sample"], &case.tensors["encoder_hidden_states"]);
    let run = |sample: &Tensor, text: &Tensor| model.forward(sample, 7.25, &model.text_context(text).unwrap(), None).unwrap();
    let both = run(sample, text);
    for image in 0..2 {
        let one = |tensor: &Tensor| tensor.narrow(0, image, 1).unwrap();
        let alone = run(&one(sample), &one(text));
        assert!(relative_error(&alone, &one(&both)) < 1e-6);
    }
}

#[test]
fn a_unet_refuses_tensors_of_the_wrong_shape() {
    let case = case("unet_tiny_sd");
    let config = UNet2dConfig::from_json(&case.config).unwrap();
    let model = UNet2dConditionModel::load(&config, &case.weights.cursor(Component::Unet, DType::F32)).unwrap();
    let (sample, text) = (&case.tensors["sample"], &case.tensors["encoder_hidden_states"]);
    let refused = |sample: &Tensor, text: &Tensor, cond: Option<&Tensor>| {
        let output = model.text_context(text).and_then(|text| model.forward(sample, 1.0, &text, cond));
        assert!(matches!(output, Err(Error::Shape { .. })));
    };
    refused(&sample.narrow(1, 0, 3).unwrap(), text, None);
    refused(&sample.flatten_all().unwrap(), text, None);
    refused(sample, &text.narrow(0, 0, 1).unwrap(), None);
    refused(sample, &text.narrow(1, 0, 0).unwrap(), None);
    refused(sample, &text.narrow(2, 0, 5).unwrap(), None);
    refused(sample, text, Some(sample));
}

fn autoencoder(name: &str, dtype: DType) {
    let case = case(name);
    let config = AutoencoderKlConfig::from_json(&case.config).unwrap();
    let tile = case.metadata.get("tile").map(|tile| tile.parse::<usize>().unwrap());
    let tiling = tile.map(|tile| Tiling { above_pixels: tile * tile, tile_sample_min_size: tile });
    let model = AutoencoderKl::load(&config, &case.weights.cursor(Component::Vae, dtype)).unwrap().with_tiling(tiling);
    assert_eq!(case.weights.unread(), Vec::<String>::new());
    let latents = model.encode(&case.tensors["images"]).unwrap();
    let sample = latents.sample(&mut SeededNoise::new(7)).unwrap();
    let decoded = model.decode(&case.tensors["latents"]).unwrap();
    for (what, actual) in [("mean", &latents.mode()), ("latent_sample", &sample), ("decoded", &decoded)] {
        case.check(name, what, actual, dtype);
    }
    // In half precision the few small logarithms scatter more than they matter; the sample is the check.
    if dtype == DType::F32 {
        case.check(name, "logvar", &latents.logvar, dtype);
    }
}

#[test]
fn autoencoders_agree_with_diffusers() {
    autoencoder("vae", DType::F32);
    autoencoder("vae_plain", DType::F32);
}

fn tiny_autoencoder(name: &str, dtype: DType) {
    let case = case(name);
    let config = AutoencoderTinyConfig::from_json(&case.config).unwrap();
    let model = AutoencoderTiny::load(&config, &case.weights.cursor(Component::Vae, dtype)).unwrap();
    assert_eq!(case.weights.unread(), Vec::<String>::new());
    case.check(name, "encoded", &model.encode(&case.tensors["images"]).unwrap(), dtype);
    case.check(name, "decoded", &model.decode(&case.tensors["latents"]).unwrap(), dtype);
}

#[test]
fn tiny_autoencoders_agree_with_diffusers() {
    for name in ["vae_tiny", "vae_tiny_varied"] {
        tiny_autoencoder(name, DType::F32);
        tiny_autoencoder(name, DType::BF16);
    }
}

#[test]
fn an_autoencoder_in_tiles_agrees_with_diffusers() {
    autoencoder("vae_tiled", DType::F32);
}

#[test]
fn autoencoders_in_half_precision_stay_close() {
    autoencoder("vae", DType::BF16);
    autoencoder("vae_tiled", DType::BF16);
}

#[test]
fn an_autoencoder_refuses_images_of_the_wrong_shape() {
    let case = case("vae");
    let config = AutoencoderKlConfig::from_json(&case.config).unwrap();
    let model = AutoencoderKl::load(&config, &case.weights.cursor(Component::Vae, DType::F32)).unwrap();
    let (images, latents) = (&case.tensors["images"], &case.tensors["latents"]);
    assert!(matches!(model.encode(&images.narrow(3, 0, 95).unwrap()), Err(Error::Shape { .. })));
    assert!(matches!(model.encode(latents), Err(Error::Shape { .. })));
    assert!(matches!(model.decode(images), Err(Error::Shape { .. })));
    let tiny = Tiling { above_pixels: 0, tile_sample_min_size: 20 };
    assert!(matches!(model.with_tiling(Some(tiny)).decode(latents), Err(Error::Params { field: "tile_sample_min_size", .. })));
}

/// Unsupported config values are refused, and the error names the field.
#[test]
fn configs_are_refused_by_field() {
    let refused = |error: Option<Error>, file: &str, field: &str| {
        let Some(Error::Config { file: found_file, field: found, .. }) = error else { panic!("{field} gave {error:?}") };
        assert_eq!((found_file.as_str(), found.as_str()), (file, field));
    };
    for (field, value) in [
        ("act_fn", json!("mish")),
        ("addition_embed_type", json!("text_image")),
        ("attention_head_dim", json!(7)),
        ("attention_head_dim", json!([8, 8])),
        ("attention_type", json!("gated")),
        ("block_out_channels", json!([])),
        ("block_out_channels", json!("wide")),
        ("center_input_sample", json!(true)),
        ("class_embed_type", json!("timestep")),
        ("conv_in_kernel", json!(4)),
        ("down_block_types", json!(["DownBlock2D", "AttnDownBlock2D", "DownBlock2D", "DownBlock2D"])),
        ("down_block_types", json!(["DownBlock2D"])),
        ("dual_cross_attention", json!(true)),
        ("encoder_hid_dim", json!(1280)),
        ("in_channels", json!(0)),
        ("layers_per_block", json!(-1)),
        ("mid_block_type", json!("UNetMidBlock2DSimpleCrossAttn")),
        ("norm_num_groups", json!(null)),
        ("norm_num_groups", json!(7)),
        ("norm_eps", json!("small")),
        ("resnet_time_scale_shift", json!("scale_shift")),
        ("time_embedding_type", json!("fourier")),
        ("transformer_layers_per_block", json!([[1], [1], [1], [1]])),
    ] {
        let mut config = serde_json::Map::new();
        config.insert(field.into(), value);
        refused(UNet2dConfig::from_json(&config.into()).err(), "unet/config.json", field);
    }
    for (field, value) in [
        ("up_block_types", json!(["AttnUpDecoderBlock2D"])),
        ("norm_num_groups", json!(5)),
        ("scaling_factor", json!(0)),
        ("mid_block_add_attention", json!("yes")),
        ("quantization_config", json!({"quant_method": "gguf"})),
    ] {
        let mut config = serde_json::Map::new();
        config.insert(field.into(), value);
        refused(AutoencoderKlConfig::from_json(&config.into()).err(), "vae/config.json", field);
    }
    for (field, value) in [
        ("hidden_act", json!("relu")),
        ("num_attention_heads", json!(7)),
        ("use_attention_mask", json!(true)),
        ("per_layer_config", json!({"0": {}})),
    ] {
        let mut config = serde_json::Map::new();
        config.insert(field.into(), value);
        refused(ClipTextConfig::from_json(&config.into()).err(), "text_encoder/config.json", field);
    }
    assert!(UNet2dConfig::from_json(&json!({})).is_ok() && AutoencoderKlConfig::from_json(&json!({})).is_ok());
}
