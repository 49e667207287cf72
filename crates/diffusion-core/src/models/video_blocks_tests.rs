//! The blocks of video models against diffusers', in f32 and bf16; scripts/golden/video_models.py wrote the goldens.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{collections::HashMap, path::PathBuf, sync::Arc};

use candle_core::{DType, Device, Tensor};

use super::{
    resnet::activate_time,
    temporal_resnet::{Mix, SpatioTemporalResBlock, SpatioTemporalResParams},
    temporal_transformer::{ContextReader, SpatioTemporalTransformerParams, TransformerSpatioTemporal},
};
use crate::{
    golden_weights::GoldenWeights,
    ops::{Conv2dParams, Nhwc},
    weights::Component,
};

/// Relative to the expected tensor's norm, as for whole models: sums are in a different order.
const SINGLE: f64 = 1e-5;
/// How many decibels below diffusers' own bf16 ours may be.
const BF16_BELOW_DB: f64 = 1.0;

struct Case {
    tensors: HashMap<String, Tensor>,
    metadata: HashMap<String, String>,
    weights: Arc<GoldenWeights>,
    frames: usize,
}

fn case(name: &str) -> Case {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/models").join(format!("{name}.safetensors"));
    let tensors = candle_core::safetensors::load(&path, &Device::Cpu).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    let metadata = safetensors::SafeTensors::read_metadata(&bytes).unwrap().1.metadata().clone().unwrap();
    let weights = GoldenWeights::new(&serde_json::from_str(&metadata["shapes"]).unwrap());
    let weights = Arc::new(weights.scaled(metadata["scale"].parse().unwrap()));
    let frames = metadata["frames"].parse().unwrap();
    Case { tensors, metadata, weights, frames }
}

impl Case {
    fn input(&self, name: &str, dtype: DType) -> Option<Tensor> {
        self.tensors.get(name).map(|tensor| tensor.to_dtype(dtype).unwrap())
    }

    fn image(&self, dtype: DType) -> Nhwc {
        Nhwc::from_nchw(&self.input("x", dtype).unwrap()).unwrap()
    }

    fn check(&self, name: &str, actual: &Nhwc, dtype: DType) {
        let wide = |tensor: &Tensor| tensor.to_dtype(DType::F64).unwrap().flatten_all().unwrap().to_vec1::<f64>().unwrap();
        let (actual, expected) = (wide(&actual.to_nchw().unwrap()), wide(&self.tensors["output"]));
        let norm = |values: &mut dyn Iterator<Item = f64>| values.map(|value| value * value).sum::<f64>().sqrt();
        let error = norm(&mut actual.iter().zip(&expected).map(|(a, b)| a - b)) / norm(&mut expected.iter().copied());
        let quality_db: HashMap<String, f64> = serde_json::from_str(&self.metadata["bf16_db"]).unwrap();
        let tolerance = if dtype == DType::F32 { SINGLE } else { 10f64.powf(-(quality_db["output"] - BF16_BELOW_DB) / 20.0) };
        assert!(actual.len() == expected.len() && error <= tolerance, "{name} in {dtype:?}: {error:.2e}, allowed {tolerance:.2e}");
    }
}

fn resnet(name: &str, inputs: usize, outputs: usize, eps: (f64, f64), mix: Mix) {
    for dtype in [DType::F32, DType::BF16] {
        let case = case(name);
        let time = case.input("time", dtype).map(|time| activate_time(&time).unwrap());
        let time_channels = time.as_ref().map(|time| time.dim(1).unwrap());
        let (groups, conv) = (32, Conv2dParams::same(3));
        let params = SpatioTemporalResParams { inputs, outputs, time_channels, groups, spatial_eps: eps.0, temporal_eps: eps.1, conv, mix };
        let block = SpatioTemporalResBlock::load(&case.weights.cursor(Component::Unet, dtype), params).unwrap();
        assert_eq!(case.weights.unread(), Vec::<String>::new());
        case.check(name, &block.forward(&case.image(dtype), time.as_ref(), case.frames).unwrap(), dtype);
    }
}

#[test]
fn residual_blocks_agree_with_diffusers() {
    resnet("video_resnet", 32, 64, (1e-6, 1e-6), Mix::Spatial);
    resnet("video_resnet_plain", 32, 32, (1e-5, 1e-5), Mix::Spatial);
    resnet("video_resnet_switched", 64, 32, (1e-6, 1e-5), Mix::Temporal);
}

fn transformer(name: &str, channels: usize, heads: usize, layers: usize, cross_attention_dim: usize) {
    for dtype in [DType::F32, DType::BF16] {
        let case = case(name);
        let params = SpatioTemporalTransformerParams { channels, heads, layers, cross_attention_dim };
        let block = TransformerSpatioTemporal::load(&case.weights.cursor(Component::Unet, dtype), &params).unwrap();
        let states = case.input("encoder_hidden_states", dtype).unwrap().squeeze(1).unwrap();
        let vectors: Vec<_> = block.context(&states).map(Result::unwrap).collect();
        let output = block.forward(&case.image(dtype), &mut ContextReader::new(&vectors), case.frames).unwrap();
        case.check(name, &output, dtype);
        assert!(block.forward(&case.image(dtype), &mut ContextReader::new(&vectors[1..]), case.frames).is_err());
    }
}

#[test]
fn transformers_agree_with_diffusers() {
    transformer("video_transformer", 32, 2, 1, 20);
    transformer("video_transformer_deep", 96, 3, 2, 8);
}
