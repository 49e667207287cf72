//! Group and layer normalisation of channels-last activations, with a SiLU that follows fused into the same pass.
//!
//! Group norm reads twice and writes once. Statistics are summed in f32 within short runs of rows and in f64 across them. They are taken of
//! the distance from the first pixel's mean, so that a mean far from zero costs no digits. Tasks are strips of a fixed number of elements,
//! so results do not depend on the number of threads.

use std::{
    mem::MaybeUninit,
    sync::{Mutex, PoisonError},
};

use super::{element::Element, pointwise::silu, vector::vectorised};
use crate::runtime::{Engine, SendPtr, output, written};

#[cfg(target_arch = "x86_64")]
use super::vector::avx512;

/// Elements of a task.
const STRIP: usize = 1 << 15;
/// Rows summed in f32 before their sums are added in f64.
const RUN: usize = 32;

/// A normalisation's parameters.
#[derive(Clone, Copy, Debug)]
pub struct Norm<'a> {
    /// Factor of each normalised channel.
    pub weight: &'a [f32],
    /// Then added to each channel.
    pub bias: &'a [f32],
    /// Added to the variance.
    pub eps: f64,
}

/// Normalises each of `groups` channel groups of each of `images` images x [images, pixels, channels] over the whole image, then scales and
/// shifts each channel; `then_silu` applies x * sigmoid(x).
///
/// # Panics
/// If the lengths do not match, or the groups do not divide the channels.
pub fn group_norm<'y, T: Element>(
    engine: &Engine,
    x: &[T],
    images: usize,
    groups: usize,
    norm: Norm<'_>,
    then_silu: bool,
    y: &'y mut [MaybeUninit<T>],
) -> &'y mut [T] {
    let channels = norm.weight.len();
    assert_eq!(norm.bias.len(), channels, "a group norm's bias");
    assert_eq!(x.len(), y.len(), "a group norm's result");
    if x.is_empty() {
        return output::zeros(y);
    }
    assert!(groups > 0 && channels.is_multiple_of(groups), "{groups} groups of {channels} channels");
    assert!(x.len().is_multiple_of(images * channels), "a group norm's pictures");
    let length = x.len() / images;
    let strip = (STRIP / channels + 1) * channels;
    let strips = length.div_ceil(strip);
    let piece = |task: usize| {
        let (image, first) = (task / strips, task % strips * strip);
        (image, image * length + first, strip.min(length - first))
    };
    let size = channels / groups;
    let shifts: Vec<Vec<f32>> = (0..images)
        .map(|image| {
            let pixel = &x[image * length..image * length + channels];
            pixel
                .chunks(size)
                .flat_map(|group| std::iter::repeat_n(group.iter().map(|value| value.widen()).sum::<f32>() / size as f32, size))
                .collect()
        })
        .collect();
    let partials: Vec<Mutex<Vec<(f64, f64)>>> = (0..images * strips).map(|_| Mutex::default()).collect();
    engine.pool().run(images * strips, |task| {
        let (image, at, count) = piece(task);
        let sums = vectorised(
            engine.level(),
            #[inline(always)]
            || sums(&x[at..at + count], &shifts[image], size),
        );
        *partials[task].lock().unwrap_or_else(PoisonError::into_inner) = sums;
    });
    let partials: Vec<Vec<(f64, f64)>> =
        partials.into_iter().map(|sums| sums.into_inner().unwrap_or_else(PoisonError::into_inner)).collect();
    let count = (length / channels * size) as f64;
    let affine: Vec<(Vec<f32>, Vec<f32>)> = (0..images)
        .map(|image| {
            let (mut means, mut factors) = (Vec::with_capacity(channels), Vec::with_capacity(channels));
            for group in 0..groups {
                let (sum, squares) = partials[image * strips..(image + 1) * strips]
                    .iter()
                    .fold((0.0, 0.0), |total, strip| (total.0 + strip[group].0, total.1 + strip[group].1));
                let mean = sum / count;
                let rstd = 1.0 / ((squares / count - mean * mean).max(0.0) + norm.eps).sqrt();
                for (shift, weight) in shifts[image].iter().zip(norm.weight).skip(group * size).take(size) {
                    means.push((mean + f64::from(*shift)) as f32);
                    factors.push((f64::from(*weight) * rstd) as f32);
                }
            }
            (means, factors)
        })
        .collect();
    let results = SendPtr(y.as_mut_ptr());
    engine.pool().run(images * strips, |task| {
        let (image, at, count) = piece(task);
        // SAFETY: only this task writes this part of y.
        let to = unsafe { std::slice::from_raw_parts_mut(results.get().add(at), count) };
        let (from, (means, factors)) = (&x[at..at + count], &affine[image]);
        let rows = to.chunks_exact_mut(channels).zip(from.chunks_exact(channels));
        #[cfg(target_arch = "x86_64")]
        if T::HALF && engine.level().has_bf16() {
            for (to, from) in rows {
                let (from, to) = (from.as_ptr(), to.as_mut_ptr().cast());
                // SAFETY: rows have `channels` elements; the level has the instructions.
                unsafe {
                    if then_silu {
                        avx512::affine::<T, true>(from, to, means, factors, norm.bias);
                    } else {
                        avx512::affine::<T, false>(from, to, means, factors, norm.bias);
                    }
                }
            }
            return;
        }
        vectorised(
            engine.level(),
            #[inline(always)]
            || {
                for (to, from) in rows {
                    let each = to.iter_mut().zip(from).zip(means.iter().zip(factors).zip(norm.bias));
                    if then_silu {
                        each.for_each(|((to, from), ((mean, factor), bias))| {
                            _ = to.write(T::narrow(silu((from.widen() - mean) * factor + bias)));
                        });
                    } else {
                        each.for_each(|((to, from), ((mean, factor), bias))| {
                            _ = to.write(T::narrow((from.widen() - mean) * factor + bias));
                        });
                    }
                }
            },
        );
    });
    // SAFETY: the strips are whole rows and cover x.
    unsafe { written(y) }
}

/// Each group's sum and sum of squares of the distance from `shift`, over some rows of channels.
#[inline(always)]
fn sums<T: Element>(rows: &[T], shift: &[f32], size: usize) -> Vec<(f64, f64)> {
    let channels = shift.len();
    let mut sums = vec![(0_f64, 0_f64); channels / size];
    let (mut run_sum, mut run_squares) = (vec![0_f32; channels], vec![0_f32; channels]);
    for run in rows.chunks(RUN * channels) {
        run_sum.fill(0.0);
        run_squares.fill(0.0);
        for row in run.chunks_exact(channels) {
            for (((sum, square), value), shift) in run_sum.iter_mut().zip(&mut run_squares).zip(row).zip(shift) {
                let distance = value.widen() - shift;
                *sum += distance;
                *square += distance * distance;
            }
        }
        for ((total, sum), squares) in sums.iter_mut().zip(run_sum.chunks(size)).zip(run_squares.chunks(size)) {
            total.0 += sum.iter().map(|value| f64::from(*value)).sum::<f64>();
            total.1 += squares.iter().map(|value| f64::from(*value)).sum::<f64>();
        }
    }
    sums
}

/// Normalises each row of x [rows, channels], then scales and shifts each channel.
///
/// # Panics
/// If the lengths do not match.
pub fn layer_norm<'y, T: Element>(engine: &Engine, x: &[T], norm: Norm<'_>, y: &'y mut [MaybeUninit<T>]) -> &'y mut [T] {
    layer_norm_of(engine, x, None, norm, y)
}

/// [`layer_norm`] of x plus `shift` [images, channels]: the rows of x are `images` equal parts, and a part's shift is added to its rows
/// before they are normalised.
///
/// # Panics
/// If the lengths do not match, or the shifts do not divide the rows.
pub fn layer_norm_shifted<'y, T: Element>(
    engine: &Engine,
    x: &[T],
    shift: &[f32],
    norm: Norm<'_>,
    y: &'y mut [MaybeUninit<T>],
) -> &'y mut [T] {
    layer_norm_of(engine, x, Some(shift), norm, y)
}

fn layer_norm_of<'y, T: Element>(
    engine: &Engine,
    x: &[T],
    shift: Option<&[f32]>,
    norm: Norm<'_>,
    y: &'y mut [MaybeUninit<T>],
) -> &'y mut [T] {
    let channels = norm.weight.len();
    assert_eq!(norm.bias.len(), channels, "a layer norm's bias");
    assert_eq!(x.len(), y.len(), "a layer norm's result");
    if x.is_empty() {
        return output::zeros(y);
    }
    assert!(x.len().is_multiple_of(channels), "a layer norm's rows");
    // Elements of an image; all of x if there is no shift.
    let length = shift.map_or(x.len(), |shift| {
        assert!(!shift.is_empty() && shift.len().is_multiple_of(channels), "a layer norm's shifts");
        let images = shift.len() / channels;
        assert!((x.len() / channels).is_multiple_of(images), "a layer norm's images");
        x.len() / images
    });
    let strip = (STRIP / channels + 1) * channels;
    let results = SendPtr(y.as_mut_ptr());
    engine.pool().run(x.len().div_ceil(strip), |task| {
        let (at, count) = (task * strip, strip.min(x.len() - task * strip));
        // SAFETY: only this task writes this part of y.
        let to = unsafe { std::slice::from_raw_parts_mut(results.get().add(at), count) };
        let from = &x[at..at + count];
        let mut wide = vec![0_f32; channels];
        vectorised(
            engine.level(),
            #[inline(always)]
            || {
                for (row, (to, from)) in to.chunks_exact_mut(channels).zip(from.chunks_exact(channels)).enumerate() {
                    match shift {
                        None => wide.iter_mut().zip(from).for_each(|(to, from)| *to = from.widen()),
                        Some(shift) => {
                            let image = (at + row * channels) / length;
                            let shift = &shift[image * channels..(image + 1) * channels];
                            wide.iter_mut().zip(from).zip(shift).for_each(|((to, from), shift)| *to = from.widen() + shift);
                        }
                    }
                    let mean = lanes(&wide, |value| value) / channels as f32;
                    let variance = lanes(&wide, |value| (value - mean) * (value - mean)) / channels as f32;
                    let rstd = (1.0 / (f64::from(variance) + norm.eps).sqrt()) as f32;
                    for ((to, value), (weight, bias)) in to.iter_mut().zip(&wide).zip(norm.weight.iter().zip(norm.bias)) {
                        to.write(T::narrow((value - mean) * rstd * weight + bias));
                    }
                }
            },
        );
    });
    // SAFETY: the strips are whole rows and cover x.
    unsafe { written(y) }
}

/// Sums a function of the elements in 16 interleaved sums, which vectorise and round better than one long sum.
#[inline(always)]
fn lanes(values: &[f32], function: impl Fn(f32) -> f32) -> f32 {
    const LANES: usize = 16;
    let (blocks, rest) = values.as_chunks::<LANES>();
    let mut sums = [0_f32; LANES];
    for block in blocks {
        for (sum, value) in sums.iter_mut().zip(block) {
            *sum += function(*value);
        }
    }
    sums.iter().sum::<f32>() + rest.iter().map(|value| function(*value)).sum::<f32>()
}
