//! Group and layer normalisation in few passes, with SiLU in the last.

use candle_core::{Device, Tensor};
use rayon::prelude::*;

use super::{
    by_dtype,
    element::{Element, Elements, vectorised},
    pointwise::silu,
};
use crate::Result;

/// Elements that a task takes at a time. Fixed, so that sums come out the same on any number of threads.
const STRIP: usize = 1 << 15;
/// Rows summed in f32 before the sums go over into f64.
const RUN: usize = 32;

/// See `portable::group_norm`.
pub(in crate::ops) fn group_norm(x: &Tensor, weight: &Tensor, bias: &Tensor, groups: usize, eps: f64, with_silu: bool) -> Result<Tensor> {
    by_dtype!(x, group_norm_of(x, weight, bias, groups, eps, with_silu))
}

fn group_norm_of<T: Element>(x: &Tensor, weight: &Tensor, bias: &Tensor, groups: usize, eps: f64, with_silu: bool) -> Result<Tensor> {
    let (batch, pixels, channels) = x.dims3()?;
    let (x_lock, weight, bias) = (Elements::of(x)?, Elements::of(weight)?, Elements::of(bias)?);
    let (source, weight, bias) = (x_lock.slice::<T>()?, weight.slice::<f32>()?, bias.slice::<f32>()?);
    let mut y = vec![T::narrow(0.0); source.len()];
    let strip = (STRIP / channels.max(1) + 1) * channels;
    for (y, image) in y.chunks_mut((pixels * channels).max(1)).zip(source.chunks((pixels * channels).max(1))) {
        let (mean, factor) = affine(image, weight, groups, eps, strip);
        y.par_chunks_mut(strip).zip(image.par_chunks(strip)).for_each(|(to, from)| {
            vectorised(
                #[inline(always)]
                || {
                    for (to, from) in to.chunks_mut(channels).zip(from.chunks(channels)) {
                        let each = mean.iter().zip(&factor).zip(bias);
                        if with_silu {
                            for ((to, from), ((mean, factor), bias)) in to.iter_mut().zip(from).zip(each) {
                                *to = T::narrow(silu((from.widen() - mean) * factor + bias));
                            }
                        } else {
                            for ((to, from), ((mean, factor), bias)) in to.iter_mut().zip(from).zip(each) {
                                *to = T::narrow((from.widen() - mean) * factor + bias);
                            }
                        }
                    }
                },
            );
        });
    }
    Ok(Tensor::from_vec(y, (batch, pixels, channels), &Device::Cpu)?)
}

/// The sum and the sum of squares of each group.
type GroupSums = (Vec<f64>, Vec<f64>);

/// For each channel of one image the mean of its group, and the factor that brings its variance to 1 and scales it.
fn affine<T: Element>(image: &[T], weight: &[f32], groups: usize, eps: f64, strip: usize) -> (Vec<f32>, Vec<f32>) {
    let channels = weight.len();
    let size = (channels / groups.max(1)).max(1);
    // Sums are of the distance from the first pixel's mean of the group, so that a mean far from zero costs no digits.
    let shift: Vec<f32> = image
        .get(..channels)
        .unwrap_or_default()
        .chunks(size)
        .flat_map(|group| std::iter::repeat_n(group.iter().map(|value| value.widen()).sum::<f32>() / size as f32, size))
        .collect();
    let partials: Vec<GroupSums> = image
        .par_chunks(strip)
        .map(|rows| {
            vectorised(
                #[inline(always)]
                || sums(rows, &shift, size),
            )
        })
        .collect();
    let count = (image.len() / channels.max(1) * size) as f64;
    let (mut means, mut factors) = (Vec::with_capacity(channels), Vec::with_capacity(channels));
    for group in 0..groups {
        let total = |part: fn(&GroupSums) -> &Vec<f64>| -> f64 { partials.iter().filter_map(|p| part(p).get(group)).sum() };
        let mean = total(|p| &p.0) / count;
        let variance = (total(|p| &p.1) / count - mean * mean).max(0.0);
        let rstd = 1.0 / (variance + eps).sqrt();
        for channel in group * size..(group + 1) * size {
            let at = |values: &[f32]| f64::from(values.get(channel).copied().unwrap_or_default());
            means.push((mean + at(&shift)) as f32);
            factors.push((at(weight) * rstd) as f32);
        }
    }
    (means, factors)
}

/// Each group's sum and sum of squares over some rows of channels, of the distance from `shift`.
#[inline(always)]
fn sums<T: Element>(rows: &[T], shift: &[f32], size: usize) -> GroupSums {
    let channels = shift.len().max(1);
    let groups = channels / size;
    let (mut sum, mut squares) = (vec![0f64; groups], vec![0f64; groups]);
    let (mut run_sum, mut run_squares) = (vec![0f32; channels], vec![0f32; channels]);
    for run in rows.chunks(RUN * channels) {
        run_sum.fill(0.0);
        run_squares.fill(0.0);
        for row in run.chunks(channels) {
            for (((sum, square), value), shift) in run_sum.iter_mut().zip(&mut run_squares).zip(row).zip(shift) {
                let distance = value.widen() - shift;
                *sum += distance;
                *square += distance * distance;
            }
        }
        for (total, run) in [(&mut sum, &run_sum), (&mut squares, &run_squares)] {
            for (total, run) in total.iter_mut().zip(run.chunks(size)) {
                *total += run.iter().map(|value| f64::from(*value)).sum::<f64>();
            }
        }
    }
    (sum, squares)
}

/// See `portable::layer_norm`.
pub(in crate::ops) fn layer_norm(x: &Tensor, weight: &Tensor, bias: &Tensor, eps: f64) -> Result<Tensor> {
    by_dtype!(x, layer_norm_of(x, weight, bias, eps))
}

fn layer_norm_of<T: Element>(x: &Tensor, weight: &Tensor, bias: &Tensor, eps: f64) -> Result<Tensor> {
    let (rows, channels) = x.dims2()?;
    let (x_lock, weight, bias) = (Elements::of(x)?, Elements::of(weight)?, Elements::of(bias)?);
    let (source, weight, bias) = (x_lock.slice::<T>()?, weight.slice::<f32>()?, bias.slice::<f32>()?);
    let mut y = vec![T::narrow(0.0); source.len()];
    let strip = (STRIP / channels.max(1) + 1) * channels.max(1);
    y.par_chunks_mut(strip).zip(source.par_chunks(strip)).for_each(|(to, from)| {
        let mut wide = vec![0f32; channels];
        vectorised(
            #[inline(always)]
            || {
                for (to, from) in to.chunks_mut(channels).zip(from.chunks(channels)) {
                    T::widen_into(from, &mut wide);
                    let mean = lanes(&wide, |value| value) / channels as f32;
                    let variance = lanes(&wide, |value| (value - mean) * (value - mean)) / channels as f32;
                    let rstd = (1.0 / (f64::from(variance) + eps).sqrt()) as f32;
                    for ((to, value), (weight, bias)) in to.iter_mut().zip(&wide).zip(weight.iter().zip(bias)) {
                        *to = T::narrow((value - mean) * rstd * weight + bias);
                    }
                }
            },
        );
    });
    Ok(Tensor::from_vec(y, (rows, channels), &Device::Cpu)?)
}

/// The sum of a function of the elements in 16 interleaved sums: vector code, and better rounded than one long sum.
#[inline(always)]
pub(super) fn lanes(values: &[f32], function: impl Fn(f32) -> f32) -> f32 {
    const LANES: usize = 16;
    let (blocks, rest) = values.as_chunks::<LANES>();
    let mut sums = [0f32; LANES];
    for block in blocks {
        for (sum, value) in sums.iter_mut().zip(block) {
            *sum += function(*value);
        }
    }
    sums.iter().sum::<f32>() + rest.iter().map(|value| function(*value)).sum::<f32>()
}
