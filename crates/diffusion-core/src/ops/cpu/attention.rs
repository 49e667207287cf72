//! Attention on the CPU: each task takes a few queries of one image, all heads, and reads and writes tokens as they lie.

use candle_core::{Device, Tensor};
use rayon::prelude::*;

use super::{
    by_dtype,
    element::{Element, Elements, widened},
    matmul::{Extents, Threads, View, multiply},
    norm::lanes,
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
    let (wide_key, wide_value);
    let (key, value) = (key_lock.slice::<T>()?, value_lock.slice::<T>()?);
    let (key, value) = match (T::as_f32(key), T::as_f32(value)) {
        (Some(key), Some(value)) => (key, value),
        _ => {
            (wide_key, wide_value) = (widened(key), widened(value));
            (wide_key.as_slice(), wide_value.as_slice())
        }
    };
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
        let key = key.get(image * keys * channels..(image + 1) * keys * channels).unwrap_or_default();
        let value = value.get(image * keys * channels..(image + 1) * keys * channels).unwrap_or_default();
        let mut scores = vec![0f32; rows * keys];
        let mut wide = vec![0f32; y.len()];
        for head in 0..params.heads {
            let from = head * head_dim;
            let left = View { data: scaled.get(from..).unwrap_or_default(), row_stride: channels, column_stride: 1 };
            let right = View { data: key.get(from..).unwrap_or_default(), row_stride: 1, column_stride: channels };
            multiply(&mut scores, keys, false, left, right, Extents { rows, inner: head_dim, columns: keys }, Threads::One)?;
            for (row, scores) in scores.chunks_mut(keys).enumerate() {
                let seen = if params.causal { (first + row + 1).min(keys) } else { keys };
                let (seen, unseen) = scores.split_at_mut(seen);
                softmax(seen);
                unseen.fill(0.0);
            }
            let left = View { data: &scores, row_stride: keys, column_stride: 1 };
            let right = View { data: value.get(from..).unwrap_or_default(), row_stride: channels, column_stride: 1 };
            let target = wide.get_mut(from..).unwrap_or_default();
            multiply(target, channels, false, left, right, Extents { rows, inner: keys, columns: head_dim }, Threads::One)?;
        }
        T::narrow_into(&wide, y);
        Ok(())
    })?;
    Ok(Tensor::from_vec(y, (batch, queries, channels), &Device::Cpu)?)
}

/// e^x over the sum of them, shifted by the largest so that nothing overflows.
fn softmax(row: &mut [f32]) {
    let (blocks, rest) = row.as_chunks::<16>();
    let mut largest = [f32::NEG_INFINITY; 16];
    for block in blocks {
        for (largest, value) in largest.iter_mut().zip(block) {
            *largest = if *value > *largest { *value } else { *largest };
        }
    }
    let largest = largest.iter().chain(rest).fold(f32::NEG_INFINITY, |a, b| a.max(*b));
    row.iter_mut().for_each(|value| *value = exp(*value - largest));
    let inverse = 1.0 / lanes(row, |value| value);
    row.iter_mut().for_each(|value| *value *= inverse);
}
