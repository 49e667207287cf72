//! Every op in candle operations that work on any device: the reference that faster executions are tested against, and the execution on
//! CUDA and Metal.
//!
//! Shapes are checked by the callers, which are the layers. Invariant: a scratch tensor has at most `SCRATCH_BYTES` (or one output pixel of
//! a batch, or one query, if that alone has more), so it is never near 2^31 elements.

use candle_core::{D, DType, Tensor};

use super::{Activation, AttentionParams, Blend, ConvExtras, LinearExtras, Nhwc, conv2d::ConvGeometry};
use crate::Result;

/// The most memory for gathered rows or attention scores at a time. Large enough to keep a GPU busy.
pub(super) const SCRATCH_BYTES: usize = 256 << 20;

/// `x` [rows, inputs] times `weight` [inputs, outputs], plus the bias and the epilogue of `extras`.
///
/// # Errors
/// Only if the device fails.
pub fn linear(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>, extras: LinearExtras<'_>) -> Result<Tensor> {
    let mut y = x.matmul(&weight.to_dtype(x.dtype())?)?;
    if let Some(bias) = bias {
        y = y.broadcast_add(&bias.to_dtype(x.dtype())?)?;
    }
    if let Some(per_image) = extras.per_image {
        let (images, outputs) = per_image.dims2()?;
        let per_image = per_image.to_dtype(x.dtype())?.reshape((images, 1, outputs))?;
        y = y.reshape((images, (), outputs))?.broadcast_add(&per_image)?.reshape(y.dims())?;
    }
    if let Some(residual) = extras.residual {
        y = (y + residual)?;
    }
    if let Some(Blend { other, share }) = extras.blend {
        y = ((y * share)? + (other * (1.0 - share))?)?;
    }
    Ok(y)
}

/// Convolution by im2col in tiles: for a tile of output pixels, the kernel's taps are concatenated along the channels and multiplied with
/// the weights. Tiles are whole lines, or parts of one line if a line is too large.
///
/// # Errors
/// Only if the device fails.
pub fn conv2d(x: &Nhwc, weight: &Tensor, bias: Option<&Tensor>, geometry: ConvGeometry, extras: ConvExtras<'_>) -> Result<Nhwc> {
    let (batch, height, width, channels) = x.dims()?;
    let ((tall, wide), stride) = (geometry.params.kernel, geometry.params.stride);
    let (out_height, out_width) = geometry.output;
    let outputs = weight.dim(1)?;
    let mut image = x.tensor().clone();
    if geometry.enlarged != (height, width) {
        image = nearest(&nearest(&image, 1, geometry.enlarged.0)?, 2, geometry.enlarged.1)?;
    }
    let (before, after) = (geometry.params.pad_before, geometry.params.pad_after);
    if before.0 + after.0 > 0 {
        image = image.pad_with_zeros(1, before.0, after.0)?;
    }
    if before.1 + after.1 > 0 {
        image = image.pad_with_zeros(2, before.1, after.1)?;
    }
    let pixel_bytes = batch * tall * wide * channels * x.tensor().dtype().size_in_bytes();
    let tile_pixels = (SCRATCH_BYTES / pixel_bytes.max(1)).max(1);
    let (tile_rows, tile_columns) = ((tile_pixels / out_width.max(1)).clamp(1, out_height.max(1)), tile_pixels.min(out_width.max(1)));
    let mut tiles = Vec::new();
    for first in (0..out_height).step_by(tile_rows) {
        let rows = tile_rows.min(out_height - first);
        let row_index = strided_index(&image, rows, stride)?;
        let mut parts = Vec::new();
        for from in (0..out_width).step_by(tile_columns) {
            let columns = tile_columns.min(out_width - from);
            let column_index = strided_index(&image, columns, stride)?;
            let mut taps = Vec::with_capacity(tall * wide);
            for ky in 0..tall {
                let band = image.narrow(1, first * stride + ky, (rows - 1) * stride + 1)?;
                let band = if stride == 1 { band } else { band.contiguous()?.index_select(&row_index, 1)? };
                for kx in 0..wide {
                    let tap = band.narrow(2, from * stride + kx, (columns - 1) * stride + 1)?;
                    taps.push(if stride == 1 { tap } else { tap.contiguous()?.index_select(&column_index, 2)? });
                }
            }
            let gathered = Tensor::cat(&taps, D::Minus1)?.contiguous()?.reshape((batch * rows * columns, tall * wide * channels))?;
            parts.push(linear(&gathered, weight, bias, LinearExtras::default())?.reshape((batch, rows, columns, outputs))?);
        }
        tiles.push(concat(parts, 2)?);
    }
    let mut y = concat(tiles, 1)?;
    if let Some(per_image) = extras.per_image {
        y = y.broadcast_add(&per_image.to_dtype(y.dtype())?.reshape((batch, 1, 1, outputs))?)?;
    }
    if let Some(residual) = extras.residual {
        y = (y + residual.tensor())?;
    }
    if extras.relu {
        y = y.relu()?;
    }
    if let Some(slopes) = extras.slopes {
        y = (y.relu()? - y.neg()?.relu()?.broadcast_mul(&slopes.to_dtype(y.dtype())?)?)?;
    }
    if let Some((other, share)) = extras.onto {
        y = (other.tensor() + (y * share)?)?;
    }
    Nhwc::new(y)
}

/// Concatenates along a dimension, without a copy if there is only one part.
fn concat(parts: Vec<Tensor>, dim: usize) -> Result<Tensor> {
    Ok(if let [part] = parts.as_slice() { part.clone() } else { Tensor::cat(&parts, dim)? })
}

/// 0, stride, 2 stride, .. : the index of every stride-th element.
fn strided_index(like: &Tensor, count: usize, stride: usize) -> Result<Tensor> {
    let index: Vec<u32> = (0..count).map(|i| (i * stride) as u32).collect();
    Ok(Tensor::from_vec(index, count, like.device())?)
}

/// Nearest-neighbour enlargement along one dimension: output i is input floor(i * input / output).
fn nearest(x: &Tensor, dim: usize, extent: usize) -> Result<Tensor> {
    let found = x.dim(dim)?;
    let index: Vec<u32> = (0..extent).map(|i| (i * found / extent) as u32).collect();
    Ok(x.contiguous()?.index_select(&Tensor::from_vec(index, extent, x.device())?, dim)?)
}

/// Normalises `x` [batch, pixels, channels] over the pixels and each group's channels.
///
/// # Errors
/// Only if the device fails.
pub fn group_norm(x: &Tensor, weight: &Tensor, bias: &Tensor, groups: usize, eps: f64, silu: bool) -> Result<Tensor> {
    let (batch, pixels, channels) = x.dims3()?;
    let grouped = x.to_dtype(DType::F32)?.reshape((batch, pixels, groups, channels / groups))?;
    let centred = grouped.broadcast_sub(&grouped.mean_keepdim((1, 3))?)?;
    let variance = centred.sqr()?.mean_keepdim((1, 3))?;
    let normal = centred.broadcast_div(&(variance + eps)?.sqrt()?)?.reshape((batch, pixels, channels))?;
    let y = normal.broadcast_mul(weight)?.broadcast_add(bias)?;
    Ok(if silu { y.silu()? } else { y }.to_dtype(x.dtype())?)
}

/// Normalises each row of `x` [rows, channels].
///
/// # Errors
/// Only if the device fails.
pub fn layer_norm(x: &Tensor, weight: &Tensor, bias: &Tensor, eps: f64) -> Result<Tensor> {
    let wide = x.to_dtype(DType::F32)?;
    let centred = wide.broadcast_sub(&wide.mean_keepdim(D::Minus1)?)?;
    let variance = centred.sqr()?.mean_keepdim(D::Minus1)?;
    let normal = centred.broadcast_div(&(variance + eps)?.sqrt()?)?;
    Ok(normal.broadcast_mul(weight)?.broadcast_add(bias)?.to_dtype(x.dtype())?)
}

/// Normalises each row of `x` [rows, channels] plus `shift` [images, channels], where the rows are `images` equal parts.
///
/// # Errors
/// Only if the device fails.
pub fn layer_norm_shifted(x: &Tensor, shift: &Tensor, weight: &Tensor, bias: &Tensor, eps: f64) -> Result<Tensor> {
    let (images, channels) = shift.dims2()?;
    let shift = shift.to_dtype(DType::F32)?.reshape((images, 1, channels))?;
    let shifted = x.to_dtype(DType::F32)?.reshape((images, (), channels))?.broadcast_add(&shift)?.reshape(x.dims())?;
    Ok(layer_norm(&shifted, weight, bias, eps)?.to_dtype(x.dtype())?)
}

/// A pointwise activation.
///
/// # Errors
/// Only if the device fails.
pub fn activation(x: &Tensor, activation: Activation) -> Result<Tensor> {
    let wide = x.to_dtype(DType::F32)?;
    let y = match activation {
        Activation::Silu => wide.silu()?,
        Activation::Gelu => wide.gelu_erf()?,
        Activation::QuickGelu => (&wide * candle_nn::ops::sigmoid(&(&wide * 1.702)?)?)?,
    };
    Ok(y.to_dtype(x.dtype())?)
}

/// Maps `x` [rows, 2 n] to value * gelu(gate).
///
/// # Errors
/// Only if the device fails.
pub fn geglu(x: &Tensor) -> Result<Tensor> {
    let width = x.dim(1)? / 2;
    let wide = x.to_dtype(DType::F32)?;
    let gate = wide.narrow(1, width, width)?.contiguous()?.gelu_erf()?;
    Ok((wide.narrow(1, 0, width)? * gate)?.to_dtype(x.dtype())?)
}

/// Attention in chunks of queries; see [`super::attention()`].
///
/// # Errors
/// Only if the device fails.
pub fn attention(query: &Tensor, key: &Tensor, value: &Tensor, params: AttentionParams) -> Result<Tensor> {
    biased_attention(query, key, value, params, None)
}

/// Attention whose scores get a bias of each key, [batch, keys] in f32; in chunks of queries.
///
/// # Errors
/// Only if the device fails.
pub fn biased_attention(query: &Tensor, key: &Tensor, value: &Tensor, params: AttentionParams, bias: Option<&Tensor>) -> Result<Tensor> {
    let (batch, queries, channels) = query.dims3()?;
    let keys = key.dim(1)?;
    let (heads, head_dim) = (params.heads, channels / params.heads);
    let dtype = query.dtype();
    let score_dtype = if params.upcast { DType::F32 } else { dtype };
    let split = |x: &Tensor, tokens: usize| x.reshape((batch, tokens, heads, head_dim))?.transpose(1, 2)?.contiguous();
    // Scaling the queries instead of the scores keeps half precision away from its limit and costs less.
    let q = (split(query, queries)?.to_dtype(score_dtype)? * (head_dim as f64).powf(-0.5))?;
    let k = split(key, keys)?.to_dtype(score_dtype)?.transpose(2, 3)?.contiguous()?;
    let v = split(value, keys)?;
    let bytes_per_query = batch * heads * keys * DType::F32.size_in_bytes();
    let chunk = (SCRATCH_BYTES / bytes_per_query.max(1)).clamp(1, queries.max(1));
    let mut chunks = Vec::new();
    for first in (0..queries).step_by(chunk) {
        let rows = chunk.min(queries - first);
        let mut scores = q.narrow(2, first, rows)?.contiguous()?.matmul(&k)?.to_dtype(DType::F32)?;
        if params.causal {
            scores = scores.broadcast_add(&causal_mask(first, rows, keys, &scores)?)?;
        }
        if let Some(bias) = bias {
            scores = scores.broadcast_add(&bias.reshape((batch, 1, 1, keys))?)?;
        }
        let probabilities = candle_nn::ops::softmax_last_dim(&scores)?.to_dtype(dtype)?;
        chunks.push(probabilities.matmul(&v)?);
    }
    Ok(concat(chunks, 2)?.transpose(1, 2)?.contiguous()?.reshape((batch, queries, channels))?)
}

/// Attention over each pixel's frames; see [`super::temporal_attention()`].
///
/// # Errors
/// Only if the device fails.
pub fn temporal_attention(query: &Tensor, key: &Tensor, value: &Tensor, num_frames: usize, heads: usize) -> Result<Tensor> {
    let (rows, pixels, channels) = query.dims3()?;
    let clips = rows / num_frames;
    let by_pixel = |x: &Tensor| -> Result<Tensor> {
        let x = x.reshape((clips, num_frames, pixels, channels))?.transpose(1, 2)?.contiguous()?;
        Ok(x.reshape((clips * pixels, num_frames, channels))?)
    };
    let params = AttentionParams { heads, causal: false, upcast: false };
    let y = attention(&by_pixel(query)?, &by_pixel(key)?, &by_pixel(value)?, params)?;
    Ok(y.reshape((clips, pixels, num_frames, channels))?.transpose(1, 2)?.contiguous()?.reshape((rows, pixels, channels))?)
}

/// [rows, keys]: 0 where query `first + row` may attend, minus infinity elsewhere.
fn causal_mask(first: usize, rows: usize, keys: usize, like: &Tensor) -> Result<Tensor> {
    let value = |row: usize, key: usize| if key <= first + row { 0f32 } else { f32::NEG_INFINITY };
    let mask: Vec<f32> = (0..rows).flat_map(|row| (0..keys).map(move |key| value(row, key))).collect();
    Ok(Tensor::from_vec(mask, (rows, keys), like.device())?)
}
