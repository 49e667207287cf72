//! Attention over each pixel's frames, on tokens in their usual layout: [clips * frames, pixels, heads * head_dim].
//!
//! Invariant: no frame is moved in memory if the execution can read with a stride. The softmax is in f32. Follows
//! torch.nn.functional.scaled_dot_product_attention over [clips * pixels, frames, channels].

use candle_core::Tensor;

use super::{cpu, execution, portable};
use crate::{Error, Result};

/// softmax(q k^T / sqrt(head_dim)) v over the frames of each pixel, for each head.
///
/// `query`, `key` and `value` are [clips * num_frames, pixels, channels], a clip's frames one after the other, as is the result.
///
/// # Errors
/// [`Error::Shape`] if the shapes differ, the first dimension is no multiple of `num_frames`, or the heads do not divide the channels.
pub fn temporal_attention(query: &Tensor, key: &Tensor, value: &Tensor, num_frames: usize, heads: usize) -> Result<Tensor> {
    let (rows, pixels, channels) = query.dims3()?;
    if num_frames == 0 || !rows.is_multiple_of(num_frames) || heads == 0 || !channels.is_multiple_of(heads) {
        let expected = format!("[a multiple of {num_frames} frames, pixels, a multiple of {heads} heads]");
        return Err(Error::Shape { what: "queries of a temporal attention", expected, found: query.dims().to_vec() });
    }
    for (what, tensor) in [("keys of a temporal attention", key), ("values of a temporal attention", value)] {
        if tensor.dims() != query.dims() {
            return Err(Error::Shape { what, expected: format!("{:?}", query.dims()), found: tensor.dims().to_vec() });
        }
    }
    // Scores, then the weighted sum of values.
    execution::count_product(rows * pixels, channels, 2 * num_frames);
    let run = if execution::is_cpu(query.device()) { cpu::temporal_attention } else { portable::temporal_attention };
    run(&query.contiguous()?, &key.contiguous()?, &value.contiguous()?, num_frames, heads)
}
