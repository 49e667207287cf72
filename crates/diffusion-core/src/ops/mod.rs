//! The layers that models are made of: one meaning each, several executions.
//!
//! Models see [`Nhwc`] and the layers; which execution runs is chosen here, by the device that a tensor lies on: `portable` is
//! candle operations on any device and the reference, `cpu` is the crate cpu-kernels. Each fast execution is tested against the
//! portable one in f32. Nothing here knows a model.
//!
//! Invariants: activations are channels-last and contiguous; statistics, softmax and accumulation are f32 whatever the
//! activations' precision; results come back in the precision of the input; no scratch tensor reaches 2^31 elements.

mod activation;
mod attention;
mod conv2d;
mod cpu;
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
pub use attention::{AttentionParams, attention};
pub use conv2d::{Conv2d, Conv2dParams, ConvExtras};
pub use geglu::Geglu;
pub use group_norm::GroupNorm;
pub use layer_norm::LayerNorm;
pub use linear::{Blend, Linear, LinearExtras};
pub use nhwc::Nhwc;
pub use repeat::{repeat_images, repeat_rows};
pub use temporal_attention::temporal_attention;
pub use temporal_conv::TemporalConv;
