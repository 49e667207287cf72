//! The CPU's execution of the ops where candle's own is slow: fused passes over channels-last slices on rayon's threads, and the
//! `gemm` crate's matrix product written straight into the output.
//!
//! Shapes are checked by the layers beside `portable`. The invariants: arithmetic is f32 whatever the activations' precision, weights
//! arrive in f32, results do not depend on the number of threads, scratch stays within a few tens of MiB a thread.

mod attention;
mod conv2d;
mod element;
mod matmul;
mod norm;
mod pack;
mod pointwise;

pub(super) use attention::attention;
pub(super) use conv2d::conv2d;
pub(super) use matmul::linear;
pub(super) use norm::{group_norm, layer_norm};
pub(super) use pack::pack;
pub(super) use pointwise::{activation, geglu};

/// Calls a function that is generic over the element type with the tensor's own.
macro_rules! by_dtype {
    ($tensor:expr, $function:ident ( $($argument:expr),* $(,)? )) => {{
        let dtype = $tensor.dtype();
        if dtype == candle_core::DType::F32 {
            $function::<f32>($($argument),*)
        } else if dtype == candle_core::DType::BF16 {
            $function::<half::bf16>($($argument),*)
        } else if dtype == candle_core::DType::F16 {
            $function::<half::f16>($($argument),*)
        } else {
            Err(candle_core::Error::UnsupportedDTypeForOp(dtype, stringify!($function)).into())
        }
    }};
}
use by_dtype;
