//! Group and layer normalisation of channels-last activations, with a SiLU that follows fused into the same pass.
//!
//! Group norm reads twice and writes once. Statistics are summed in f32 within short runs of rows and in f64 across them. They are taken of
//! the distance from the first pixel's mean, so that a mean far from zero costs no digits. Tasks are strips whose number of elements
//! depends on the image's size alone, so results depend neither on the number of threads nor on other images.

use std::{
    mem::MaybeUninit,
    sync::{Mutex, PoisonError},
};

use super::{element::Element, pointwise::silu, vector::vectorised};
use crate::runtime::{Engine, SendPtr, output, share, written};

#[cfg(target_arch = "x86_64")]
use super::vector::avx512;

/// Most elements of a task, and least.
const STRIP: usize = 1 << 15;
const LEAST: usize = 1 << 11;
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
    assert_eq!(x.len(), y.len(), "a group norm's result");
    if x.is_empty() {
        return output::zeros(y);
    }
    let strips = Strips::of(x.len(), images, norm.weight.len());
    let affine = strips.affine(engine, x, groups, norm);
    let results = SendPtr(y.as_mut_ptr());
    strips.run(engine, |image, at, count| {
        // SAFETY: only this task writes this part of y.
        let to = unsafe { std::slice::from_raw_parts_mut(results.get().add(at), count) };
        let (channels, (means, factors)) = (strips.channels, &affine[image]);
        let rows = to.chunks_exact_mut(channels).zip(x[at..at + count].chunks_exact(channels));
        #[cfg(target_arch = "x86_64")]
        if T::HALF && engine.level().has_bf16() {
            for (to, from) in rows {
                // SAFETY: rows have `channels` elements; the level has the instructions.
                unsafe { affine_half(from.as_ptr(), to.as_mut_ptr().cast(), means, factors, norm.bias, then_silu) };
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

/// [`group_norm`] and SiLU in the memory of x.
///
/// # Panics
/// As [`group_norm`].
pub fn group_norm_silu_in_place<T: Element>(engine: &Engine, x: &mut [T], images: usize, groups: usize, norm: Norm<'_>) {
    if x.is_empty() {
        return;
    }
    let strips = Strips::of(x.len(), images, norm.weight.len());
    let affine = strips.affine(engine, x, groups, norm);
    let base = SendPtr(x.as_mut_ptr());
    strips.run(engine, |image, at, count| {
        // SAFETY: this part of x belongs to this task alone.
        let rows = unsafe { std::slice::from_raw_parts_mut(base.get().add(at), count) }.chunks_exact_mut(strips.channels);
        let (means, factors) = &affine[image];
        #[cfg(target_arch = "x86_64")]
        if T::HALF && engine.level().has_bf16() {
            for row in rows {
                let row = row.as_mut_ptr();
                // SAFETY: as above; each vector is read before it is written.
                unsafe { affine_half(row, row, means, factors, norm.bias, true) };
            }
            return;
        }
        vectorised(
            engine.level(),
            #[inline(always)]
            || {
                for row in rows {
                    for (value, ((mean, factor), bias)) in row.iter_mut().zip(means.iter().zip(factors).zip(norm.bias)) {
                        *value = T::narrow(silu((value.widen() - mean) * factor + bias));
                    }
                }
            },
        );
    });
}

/// A row of channels in bfloat16: normalised, scaled, shifted.
///
/// # Safety
/// Both pointers are valid for as many elements as there are means, and the same or apart; the processor has the level's instructions.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
unsafe fn affine_half<T: Element>(from: *const T, to: *mut T, means: &[f32], factors: &[f32], bias: &[f32], then_silu: bool) {
    // SAFETY: guaranteed by the caller.
    unsafe {
        if then_silu {
            avx512::affine::<T, true>(from, to, means, factors, bias);
        } else {
            avx512::affine::<T, false>(from, to, means, factors, bias);
        }
    }
}

/// Images [images, pixels, channels] in strips, the tasks of a group norm.
struct Strips {
    images: usize,
    channels: usize,
    /// Elements of an image, and of a strip.
    length: usize,
    strip: usize,
}

impl Strips {
    /// # Panics
    /// If the elements are not those of so many images of whole pixels.
    fn of(elements: usize, images: usize, channels: usize) -> Self {
        assert!(elements.is_multiple_of(images * channels), "a group norm's pictures");
        // Of the image's size alone: an image's statistics do not depend on the others.
        let length = elements / images;
        Self { images, channels, length, strip: share(length, channels, LEAST, STRIP) }
    }

    fn of_image(&self) -> usize {
        self.length.div_ceil(self.strip)
    }

    /// Runs `task` for each strip: its image, its first element, and how many.
    fn run(&self, engine: &Engine, task: impl Fn(usize, usize, usize) + Sync) {
        engine.pool().run(self.images * self.of_image(), |index| {
            let (image, first) = (index / self.of_image(), index % self.of_image() * self.strip);
            task(image, image * self.length + first, self.strip.min(self.length - first));
        });
    }

    /// For each image, what is subtracted from each channel, and the factor of the rest.
    ///
    /// # Panics
    /// If the lengths of the norm differ, or the groups do not divide the channels.
    fn affine<T: Element>(&self, engine: &Engine, x: &[T], groups: usize, norm: Norm<'_>) -> Vec<(Vec<f32>, Vec<f32>)> {
        let Self { images, channels, length, strip } = *self;
        assert_eq!(norm.bias.len(), channels, "a group norm's bias");
        assert!(groups > 0 && channels.is_multiple_of(groups), "{groups} groups of {channels} channels");
        let (size, strips) = (channels / groups, self.of_image());
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
        self.run(engine, |image, at, count| {
            let sums = vectorised(
                engine.level(),
                #[inline(always)]
                || sums(&x[at..at + count], &shifts[image], size),
            );
            let index = image * strips + (at - image * length) / strip;
            *partials[index].lock().unwrap_or_else(PoisonError::into_inner) = sums;
        });
        let partials: Vec<Vec<(f64, f64)>> =
            partials.into_iter().map(|sums| sums.into_inner().unwrap_or_else(PoisonError::into_inner)).collect();
        let count = (length / channels * size) as f64;
        (0..images)
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
            .collect()
    }
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
    let strip = share(x.len(), channels, LEAST, STRIP);
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
