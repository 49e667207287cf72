//! Scaled dot-product attention on tokens in their usual layout: [batch, tokens, heads * head_dim], without a transposition by the caller.
//!
//! Invariant: the score matrix of a long sequence is never materialised as a whole, but computed in chunks of queries. The softmax is in
//! f32. Follows torch.nn.functional.scaled_dot_product_attention.

use candle_core::{DType, Tensor};

use super::{cpu, execution, portable};
use crate::{Error, Result};

/// Parameters of an attention besides its operands.
#[derive(Clone, Copy, Debug)]
pub struct AttentionParams {
    /// The number of heads; the channels are split evenly.
    pub heads: usize,
    /// Whether a query sees only keys at its own and earlier positions.
    pub causal: bool,
    /// Whether scores are computed in f32 even if the model runs in half precision (SD 2.1 overflows f16 otherwise).
    pub upcast: bool,
}

/// softmax(q k^T / sqrt(head_dim)) v for each head.
///
/// `query` is [batch, queries, channels]; `key` and `value` are [batch, keys, channels]; the result is [batch, queries, channels].
///
/// # Errors
/// [`Error::Shape`] if the shapes do not match, the heads do not divide the channels, or a causal attention is not square.
pub fn attention(query: &Tensor, key: &Tensor, value: &Tensor, params: AttentionParams) -> Result<Tensor> {
    check(query, key, value, params)?;
    let run = if execution::is_cpu(query.device()) { cpu::attention } else { portable::attention };
    run(&query.contiguous()?, &key.contiguous()?, &value.contiguous()?, params)
}

/// [`attention()`] in which some keys are hidden: `bias` [batch, keys] in f32 is added to their scores. For short sequences.
///
/// # Errors
/// As [`attention()`]; [`Error::Candle`] if the bias has another shape.
pub fn biased_attention(query: &Tensor, key: &Tensor, value: &Tensor, params: AttentionParams, bias: &Tensor) -> Result<Tensor> {
    check(query, key, value, params)?;
    let wide = |x: &Tensor| x.to_dtype(DType::F32)?.contiguous();
    let found = portable::biased_attention(&wide(query)?, &wide(key)?, &wide(value)?, params, Some(bias))?;
    Ok(found.to_dtype(query.dtype())?)
}

/// Checks the operands of an attention, and counts its work.
fn check(query: &Tensor, key: &Tensor, value: &Tensor, params: AttentionParams) -> Result<()> {
    let (batch, queries, channels) = query.dims3()?;
    let (_, keys, _) = key.dims3()?;
    let bad = |what, expected: String, found: &Tensor| Err(Error::Shape { what, expected, found: found.dims().to_vec() });
    if params.heads == 0 || !channels.is_multiple_of(params.heads) {
        return bad("attention's queries", format!("channels divisible by {} heads", params.heads), query);
    }
    let expected = [batch, keys, channels];
    if key.dims() != expected || keys == 0 {
        return bad("attention's keys", format!("{expected:?}"), key);
    }
    if value.dims() != expected {
        return bad("attention's values", format!("{expected:?}"), value);
    }
    if params.causal && queries != keys {
        return bad("a causal attention's keys", format!("{queries} tokens"), key);
    }
    // Scores, then the weighted sum of values.
    execution::count_product(batch * queries, channels, 2 * keys);
    Ok(())
}
