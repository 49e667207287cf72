//! The video UNet against diffusers', in f32 and bf16. Its blocks have their own tests in src/models.

use candle_core::{DType, Device, Tensor};
use diffusion_core::{
    Error,
    models::{UNetSpatioTemporalConditionModel, UNetSpatioTemporalConfig},
    ops::execution,
    weights::Component,
};
use serde_json::json;

use crate::{
    models::{Case, case},
    relative_error,
};

fn load(case: &Case, dtype: DType) -> UNetSpatioTemporalConditionModel {
    let config = UNetSpatioTemporalConfig::from_json(&case.config).unwrap();
    UNetSpatioTemporalConditionModel::load(&config, &case.weights.cursor(Component::Unet, dtype)).unwrap()
}

fn run(case: &Case, model: &UNetSpatioTemporalConditionModel) -> Tensor {
    let timestep: f64 = case.metadata["timestep"].parse().unwrap();
    let context = model.image_context(&case.tensors["encoder_hidden_states"]).unwrap();
    model.forward(&case.tensors["sample"], timestep, &context, &case.tensors["added_time_ids"]).unwrap()
}

fn unet(name: &str, dtype: DType) {
    let case = case(name);
    let output = run(&case, &load(&case, dtype));
    // All weights except those that a single token of context makes redundant.
    let idle =
        |name: &String| ["norm2.weight", "norm2.bias", "attn2.to_q.weight", "attn2.to_k.weight"].iter().any(|end| name.ends_with(end));
    let (idle, unread): (Vec<String>, Vec<String>) = case.weights.unread().into_iter().partition(idle);
    assert_eq!(unread, Vec::<String>::new());
    assert!(idle.iter().all(|name| name.contains("transformer_blocks.")), "{idle:?}");
    case.check(name, "output", &output, dtype);
}

#[test]
fn the_unet_of_stable_video_diffusion_agrees_with_diffusers() {
    // It is narrower, but has the published model's 1428 tensors, name by name.
    assert_eq!(case("video_unet_svd").weights.unread().len(), 1428);
    unet("video_unet_svd", DType::F32);
}

/// With small weights, an epsilon of 1e-5 instead of diffusers' 1e-6 is an error of a hundredth, and vice versa.
#[test]
fn a_video_unet_of_small_weights_agrees_with_diffusers() {
    unet("video_unet_quiet", DType::F32);
}

#[test]
fn a_video_unet_that_differs_from_level_to_level_at_odd_sizes_agrees_with_diffusers() {
    unet("video_unet_varied", DType::F32);
}

#[test]
fn a_video_of_one_frame_agrees_with_diffusers() {
    unet("video_unet_picture", DType::F32);
}

#[test]
fn video_unets_in_half_precision_stay_close() {
    for name in ["video_unet_svd", "video_unet_quiet", "video_unet_varied", "video_unet_picture"] {
        unet(name, DType::BF16);
    }
    unet("video_unet_varied", DType::F16);
}

#[test]
fn a_video_unet_runs_portably() {
    let case = case("video_unet_varied");
    let output = execution::portable(|| run(&case, &load(&case, DType::F32)));
    case.check("video_unet_varied", "output", &output, DType::F32);
}

/// Each clip of a batch is computed independently.
#[test]
fn a_video_unet_computes_each_clip_independently() {
    let case = case("video_unet_quiet");
    let model = load(&case, DType::F32);
    let both = run(&case, &model);
    for clip in 0..2 {
        let one = |tensor: &Tensor| tensor.narrow(0, clip, 1).unwrap();
        let context = model.image_context(&one(&case.tensors["encoder_hidden_states"])).unwrap();
        let alone = model.forward(&one(&case.tensors["sample"]), -1.55, &context, &one(&case.tensors["added_time_ids"])).unwrap();
        assert!(relative_error(&alone, &one(&both)) < 1e-6);
    }
}

#[test]
fn a_video_unet_refuses_tensors_of_the_wrong_shape() {
    let case = case("video_unet_quiet");
    let model = load(&case, DType::F32);
    let (sample, states, ids) = (&case.tensors["sample"], &case.tensors["encoder_hidden_states"], &case.tensors["added_time_ids"]);
    let refused = |sample: &Tensor, states: &Tensor, ids: &Tensor| {
        let output = model.image_context(states).and_then(|context| model.forward(sample, 1.0, &context, ids));
        assert!(matches!(output, Err(Error::Shape { .. })));
    };
    refused(&sample.narrow(2, 0, 3).unwrap(), states, ids);
    refused(&sample.flatten(0, 1).unwrap(), states, ids);
    refused(&sample.narrow(1, 0, 0).unwrap(), states, ids);
    refused(sample, &states.narrow(0, 0, 1).unwrap(), ids);
    refused(sample, &states.narrow(2, 0, 5).unwrap(), ids);
    refused(sample, &Tensor::cat(&[states, states], 1).unwrap(), ids);
    refused(sample, states, &ids.narrow(1, 0, 2).unwrap());
    refused(sample, states, &ids.narrow(0, 0, 1).unwrap());
    assert!(model.forward(sample, 1.0, &model.image_context(states).unwrap(), ids).is_ok());
    assert!(Tensor::zeros(1, DType::F32, &Device::Cpu).is_ok_and(|zero| model.image_context(&zero).is_err()));
}

#[test]
fn a_video_unets_config_is_refused_by_field() {
    for (field, value) in [
        ("addition_time_embed_dim", json!(100)),
        ("block_out_channels", json!([320, 640, 1280, 1300])),
        ("block_out_channels", json!([])),
        ("cross_attention_dim", json!([1024, 1024, 1024, 768])),
        ("down_block_types", json!(["DownBlock2D", "DownBlock2D", "DownBlock2D", "DownBlock2D"])),
        ("in_channels", json!(0)),
        ("layers_per_block", json!([2, 2])),
        ("num_attention_heads", json!([5, 10, 20])),
        ("num_attention_heads", json!(7)),
        ("num_attention_heads", json!(null)),
        ("num_frames", json!("many")),
        ("transformer_layers_per_block", json!([[1], [1], [1], [1]])),
        ("up_block_types", json!(["UpBlockSpatioTemporal"])),
        ("quantization_config", json!({})),
    ] {
        let mut config = serde_json::Map::new();
        config.insert(field.into(), value);
        let Some(Error::Config { file, field: found, .. }) = UNetSpatioTemporalConfig::from_json(&config.into()).err() else {
            panic!("{field} was taken");
        };
        // A contradiction between two numbers is reported for one field.
        let expected = if field == "addition_time_embed_dim" { "projection_class_embeddings_input_dim" } else { field };
        assert_eq!((file.as_str(), found.as_str()), ("unet/config.json", expected));
    }
    let heads = json!({ "block_out_channels": [32, 32], "down_block_types": ["DownBlockSpatioTemporal", "DownBlockSpatioTemporal"],
        "up_block_types": ["UpBlockSpatioTemporal", "UpBlockSpatioTemporal"] });
    assert!(UNetSpatioTemporalConfig::from_json(&heads).is_err_and(|error| error.to_string().contains("num_attention_heads")));
}

/// Stable Video Diffusion at its own size: the plan fits 32-bit indices and an H200, for both models' frames.
#[test]
fn the_activations_of_stable_video_diffusion_are_planned() {
    let config = UNetSpatioTemporalConfig::from_json(&json!({})).unwrap();
    assert_eq!((config.added_time_ids(), config.num_frames), (3, 25));
    for (frames, largest, skips, peak) in [(14, 660_602_880, 418_037_760, 908_328_960), (25, 1_179_648_000, 746_496_000, 1_622_016_000)] {
        let plan = config.planned(2, frames, 72, 128);
        assert_eq!(plan.largest_elements, largest);
        assert!(plan.largest_elements < 1 << 31);
        assert_eq!((plan.skip_elements, plan.peak_elements), (skips, peak));
    }
}
