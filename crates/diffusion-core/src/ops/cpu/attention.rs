//! Attention on the CPU: each task takes a few queries of one image, all heads, and reads and writes tokens as they lie.

use candle_core::{Device, Tensor};
use rayon::prelude::*;

use super::{
    by_dtype,
    element::{Element, Elements, vectorised, widened},
    matmul::{Extents, Threads, View, multiply},
    pointwise::exp,
};
use crate::{Result, ops::AttentionParams};

/// Queries that a task takes at a time: enough that packing the keys for the product is lost among the products.
const QUERIES: usize = 128;
/// The most that a task's scores may take.
const SCORE_BYTES: usize = 8 << 20;

/// See `portable::attention`.
pub(in crate::ops) fn attention(query: &Tensor, key: &Tensor, value: &Tensor, params: AttentionParams) -> Result<Tensor> {
    by_dtype!(query, attention_of(query, key, value, params))
}

fn attention_of<T: Element>(query: &Tensor, key: &Tensor, value: &Tensor, params: AttentionParams) -> Result<Tensor> {
    let (batch, queries, channels) = query.dims3()?;
    let keys = key.dim(1)?;
    let head_dim = channels / params.heads;
    let scale = (head_dim as f64).powf(-0.5) as f32;
    let (query_lock, key_lock, value_lock) = (Elements::of(query)?, Elements::of(key)?, Elements::of(value)?);
    let query = query_lock.slice::<T>()?;
    let heads = params.heads;
    let keys_by_head = by_head(key_lock.slice::<T>()?, (batch, keys, heads, head_dim), true);
    let values_by_head = by_head(value_lock.slice::<T>()?, (batch, keys, heads, head_dim), false);
    let spread = (batch * queries).div_ceil(rayon::current_num_threads().max(1));
    let chunk = QUERIES.min(spread).min(SCORE_BYTES / 4 / keys.max(1)).clamp(1, queries.max(1));
    let chunks = queries.div_ceil(chunk);
    let mut y = vec![T::narrow(0.0); batch * queries * channels];
    // Chunks end where their image does: each image's queries are cut by themselves.
    let tasks: Vec<(usize, &mut [T])> =
        y.chunks_mut((queries * channels).max(1)).flat_map(|image| image.chunks_mut((chunk * channels).max(1))).enumerate().collect();
    tasks.into_par_iter().try_for_each(|(task, y)| -> Result<()> {
        let (image, first) = (task / chunks, task % chunks * chunk);
        let rows = y.len() / channels;
        let at = (image * queries + first) * channels;
        let mut scaled = widened(query.get(at..at + y.len()).unwrap_or_default());
        scaled.iter_mut().for_each(|value| *value *= scale);
        let mut scores = vec![0f32; rows * keys];
        let mut wide = vec![0f32; y.len()];
        let mut inverses = vec![0f32; rows];
        for head in 0..heads {
            let from = head * head_dim;
            let left = View { data: scaled.get(from..).unwrap_or_default(), row_stride: channels, column_stride: 1 };
            let block = (image * heads + head) * keys * head_dim..;
            let right = View { data: keys_by_head.get(block.clone()).unwrap_or_default(), row_stride: keys, column_stride: 1 };
            multiply(&mut scores, keys, false, left, right, Extents { rows, inner: head_dim, columns: keys }, Threads::One)?;
            vectorised(
                #[inline(always)]
                || {
                    for ((row, scores), inverse) in scores.chunks_mut(keys).enumerate().zip(&mut inverses) {
                        let seen = if params.causal { (first + row + 1).min(keys) } else { keys };
                        let (seen, unseen) = scores.split_at_mut(seen);
                        *inverse = 1.0 / exponentials(seen);
                        unseen.fill(0.0);
                    }
                },
            );
            let left = View { data: &scores, row_stride: keys, column_stride: 1 };
            let right = View { data: values_by_head.get(block).unwrap_or_default(), row_stride: head_dim, column_stride: 1 };
            let target = wide.get_mut(from..).unwrap_or_default();
            multiply(target, channels, false, left, right, Extents { rows, inner: keys, columns: head_dim }, Threads::One)?;
            // Dividing the few results by the softmax's sum, not the many weights.
            for (row, inverse) in wide.chunks_mut(channels).zip(&inverses) {
                row.iter_mut().skip(from).take(head_dim).for_each(|value| *value *= inverse);
            }
        }
        T::narrow_into(&wide, y);
        Ok(())
    })?;
    Ok(Tensor::from_vec(y, (batch, queries, channels), &Device::Cpu)?)
}

/// Keys or values [batch, tokens, heads, head_dim], widened, with each head's in one piece as the product likes it best: [batch, heads,
/// tokens, head_dim], or `transposed` to [batch, heads, head_dim, tokens].
fn by_head<T: Element>(source: &[T], (batch, tokens, heads, head_dim): (usize, usize, usize, usize), transposed: bool) -> Vec<f32> {
    let channels = heads * head_dim;
    let mut blocks = vec![0f32; batch * tokens * channels];
    blocks.par_chunks_mut((tokens * head_dim).max(1)).enumerate().for_each(|(index, block)| {
        let (image, head) = (index / heads, index % heads);
        let rows = source.get(image * tokens * channels..(image + 1) * tokens * channels).unwrap_or_default();
        for (token, row) in rows.chunks(channels).enumerate() {
            let values = row.iter().skip(head * head_dim).take(head_dim).map(|value| value.widen());
            if transposed {
                block.iter_mut().skip(token).step_by(tokens).zip(values).for_each(|(to, value)| *to = value);
            } else {
                block.iter_mut().skip(token * head_dim).zip(values).for_each(|(to, value)| *to = value);
            }
        }
    });
    blocks
}

/// Replaces scores by e^score, shifted by the largest so that nothing overflows; returns their sum.
#[inline(always)]
fn exponentials(row: &mut [f32]) -> f32 {
    const LANES: usize = 32;
    let (blocks, rest) = row.as_chunks_mut::<LANES>();
    let mut largest = [f32::NEG_INFINITY; LANES];
    for block in blocks.iter() {
        for (largest, value) in largest.iter_mut().zip(block) {
            *largest = if *value > *largest { *value } else { *largest };
        }
    }
    let largest = largest.iter().chain(rest.iter()).fold(f32::NEG_INFINITY, |a, b| a.max(*b));
    let mut sums = [0f32; LANES];
    for block in blocks {
        for (sum, value) in sums.iter_mut().zip(block) {
            *value = exp(*value - largest);
            *sum += *value;
        }
    }
    for value in rest.iter_mut() {
        *value = exp(*value - largest);
    }
    sums.iter().chain(rest.iter()).sum()
}
