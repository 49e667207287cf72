//! The parts of Stable Video Diffusion against those of diffusers and transformers, in f32 and bf16 (tests/golden/video,
//! scripts/golden/video.py).

use candle_core::{DType, Tensor};
use diffusion_core::{
    Error,
    models::{AutoencoderKlTemporalDecoder, AutoencoderKlTemporalDecoderConfig, ClipVisionConfig, ClipVisionModelWithProjection, Tiling},
    preprocess::{ClipImageProcessorConfig, clip_pixels, image_tensor},
    weights::Component,
};
use image::RgbImage;
use serde_json::json;

use crate::{
    golden, golden_metadata,
    models::{Case, case_of},
    relative_error,
    tolerance::MODELS,
};

fn image_encoder(name: &str, dtype: DType) {
    let case = case_of("video", name);
    let config = ClipVisionConfig::from_json(&case.config).unwrap();
    let model = ClipVisionModelWithProjection::load(&config, &case.weights.cursor(Component::ImageEncoder, dtype)).unwrap();
    assert_eq!(case.weights.unread(), Vec::<String>::new());
    case.check(name, "image_embeds", &model.forward(&case.tensors["pixels"]).unwrap(), dtype);
    let narrow = case.tensors["pixels"].narrow(3, 0, 8).unwrap();
    assert!(matches!(model.forward(&narrow), Err(Error::Shape { .. })));
}

#[test]
fn image_encoders_agree_with_transformers() {
    image_encoder("clip_vision_gelu", DType::F32);
    image_encoder("clip_vision_quick_gelu", DType::F32);
    image_encoder("clip_vision_gelu", DType::BF16);
}

fn load(case: &Case, dtype: DType) -> AutoencoderKlTemporalDecoder {
    let config = AutoencoderKlTemporalDecoderConfig::from_json(&case.config).unwrap();
    AutoencoderKlTemporalDecoder::load(&config, &case.weights.cursor(Component::Vae, dtype)).unwrap()
}

fn autoencoder(name: &str, dtype: DType) {
    let case = case_of("video", name);
    let mut model = load(&case, dtype);
    // The attention that diffusers creates but does not run.
    let idle = |name: &String| model.config().layers_per_block == 1 && name.starts_with("decoder.mid_block.attentions");
    assert!(case.weights.unread().iter().all(idle), "{:?}", case.weights.unread());
    let latents = model.encode(&case.tensors["images"]).unwrap();
    case.check(name, "mean", &latents.mode(), dtype);
    if dtype == DType::F32 {
        case.check(name, "logvar", &latents.logvar, dtype);
    }
    let mut clips = 0;
    for what in case.tensors.keys().filter(|what| what.starts_with("decoded.")) {
        let frames: usize = what.trim_start_matches("decoded.").parse().unwrap();
        let latents = case.tensors["latents"].narrow(0, 0, frames).unwrap();
        case.check(name, what, &model.decode(&latents).unwrap(), dtype);
        clips += 1;
    }
    assert!(clips > 0);
    if let Some(tile) = case.metadata.get("tile") {
        let tile: usize = tile.parse().unwrap();
        model = model.with_tiling(Some(Tiling { above_pixels: tile * tile, tile_sample_min_size: tile }));
        case.check(name, "tiled", &model.decode(&case.tensors["latents"]).unwrap(), dtype);
    }
}

#[test]
fn temporal_autoencoders_agree_with_diffusers() {
    autoencoder("vae_temporal", DType::F32);
    autoencoder("vae_temporal_shallow", DType::F32);
}

#[test]
fn a_temporal_autoencoder_in_tiles_agrees_with_diffusers_blending() {
    autoencoder("vae_temporal_tiled", DType::F32);
}

#[test]
fn temporal_autoencoders_in_half_precision_stay_close() {
    autoencoder("vae_temporal", DType::BF16);
    autoencoder("vae_temporal_tiled", DType::BF16);
}

#[test]
fn one_tile_equals_the_whole_image() {
    let case = case_of("video", "vae_temporal_tiled");
    let whole = load(&case, DType::F32).decode(&case.tensors["latents"]).unwrap();
    // 56 x 44 pixels fit one step of a tile of 128, which is 96.
    let tiles = Tiling { above_pixels: 0, tile_sample_min_size: 128 };
    let tiled = load(&case, DType::F32).with_tiling(Some(tiles)).decode(&case.tensors["latents"]).unwrap();
    assert!(relative_error(&tiled, &whole) == 0.0);
}

/// In f16, the encoder of a model with `force_upcast` stays in f32, but the decoder does not.
#[test]
fn an_encoder_that_overflows_in_f16_is_kept_in_f32() {
    for (name, encoder) in [("vae_temporal", DType::F32), ("vae_temporal_shallow", DType::F16)] {
        let case = case_of("video", name);
        let model = load(&case, DType::F16);
        assert_eq!(model.encode(&case.tensors["images"]).unwrap().mean.dtype(), encoder, "{name}");
        assert_eq!(model.decode(&case.tensors["latents"]).unwrap().dtype(), DType::F16, "{name}");
    }
}

#[test]
fn a_temporal_autoencoder_refuses_invalid_inputs_and_configs() {
    let case = case_of("video", "vae_temporal");
    let model = load(&case, DType::F32);
    let (images, latents) = (&case.tensors["images"], &case.tensors["latents"]);
    assert!(matches!(model.encode(&images.narrow(3, 0, 95).unwrap()), Err(Error::Shape { .. })));
    assert!(matches!(model.decode(images), Err(Error::Shape { .. })));
    assert!(matches!(model.decode(&latents.narrow(0, 0, 0).unwrap()), Err(Error::Shape { .. })));
    for (field, value) in [
        ("block_out_channels", json!([48, 64])),
        ("down_block_types", json!(["DownEncoderBlock2D"])),
        ("scaling_factor", json!(-1)),
        ("quantization_config", json!({})),
    ] {
        let mut config = json!({ "block_out_channels": [32, 64], "down_block_types": ["DownEncoderBlock2D", "DownEncoderBlock2D"] });
        config[field] = value;
        let found = AutoencoderKlTemporalDecoderConfig::from_json(&config);
        assert!(matches!(&found, Err(Error::Config { field: found, .. }) if found == field), "{field}: {found:?}");
    }
    for (field, value) in
        [("hidden_act", json!("relu")), ("patch_size", json!(225)), ("num_attention_heads", json!(7)), ("per_layer_config", json!({}))]
    {
        let found = ClipVisionConfig::from_json(&json!({ field: value }));
        assert!(matches!(&found, Err(Error::Config { field: found, .. }) if found == field), "{field}: {found:?}");
    }
}

#[test]
fn preprocessing_matches_diffusers() {
    let (tensors, metadata) = (golden("video", "preprocessing"), golden_metadata("video", "preprocessing"));
    let config = ClipImageProcessorConfig::from_json(&serde_json::from_str(&metadata["config"]).unwrap()).unwrap();
    assert_eq!(config, ClipImageProcessorConfig::default());
    let side: usize = metadata["side"].parse().unwrap();
    let image = |size: &str| {
        let tensor: &Tensor = &tensors[&format!("picture.{size}")];
        let (height, width, _) = tensor.dims3().unwrap();
        RgbImage::from_raw(width as u32, height as u32, tensor.flatten_all().unwrap().to_vec1().unwrap()).unwrap()
    };
    let mut sizes = 0;
    for (name, expected) in &tensors {
        let Some(size) = name.strip_prefix("pixels.") else { continue };
        let (size, side) = if size == "224" { ("100x75", 224) } else { (size, side) };
        let error = relative_error(&clip_pixels(&image(size), side, &config).unwrap(), expected);
        eprintln!("{name}: {error:.1e}");
        assert!(error <= MODELS, "{name}: {error:.2e}");
        sizes += 1;
    }
    assert!(sizes >= 6);
    // The autoencoder's input has Pillow's bytes.
    assert!(relative_error(&image_tensor(&image("100x75"), 64, 48).unwrap(), &tensors["video.64x48"]) < 1e-7);
}
