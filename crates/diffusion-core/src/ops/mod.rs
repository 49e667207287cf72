//! The layers that models consist of: each has one definition and several executions.
//!
//! Models use [`Nhwc`] and the layers; the device of a tensor determines which execution runs: `portable` uses candle operations on any
//! device and is the reference, `cpu` uses the crate cpu-kernels. Each fast execution is tested against the portable one in f32. Nothing
//! here depends on a model.
//!
//! Invariants: activations are channels-last and contiguous; statistics, softmax and accumulation are f32 whatever the activations'
//! precision; results have the precision of the input; no scratch tensor reaches 2^31 elements.

mod activation;
mod attention;
mod conv2d;
mod conv_chain;
mod cpu;
mod elements;
pub mod execution;
mod geglu;
mod group_norm;
mod layer_norm;
mod linear;
mod matrix;
pub mod memory;
mod nhwc;
pub mod portable;
mod repeat;
mod temporal_attention;
mod temporal_conv;

pub use activation::{Activation, silu};
pub use attention::{AttentionParams, attention, biased_attention};
pub use conv_chain::{ChainLink, conv_chain};
pub use conv2d::{Conv2d, Conv2dParams, ConvExtras, rounds_points};
pub(crate) use elements::Elements;
pub use geglu::Geglu;
pub use group_norm::GroupNorm;
pub use layer_norm::LayerNorm;
pub use linear::{Blend, Linear, LinearExtras};
pub use nhwc::Nhwc;
pub use repeat::{repeat_images, repeat_rows};
pub use temporal_attention::temporal_attention;
pub use temporal_conv::TemporalConv;
