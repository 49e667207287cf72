//! Attention over each pixel's frames, on the layout [clips, frames, pixels, heads * head_dim].
//!
//! A clip has tens of frames, so a head of a pixel is a small attention that fits in the L1 cache, and there are some hundred thousand of
//! them. A task takes a few neighbouring pixels and copies their channels of each frame in one piece: read head by head in place, the
//! frames of a pixel would lie megabytes apart, at powers of two, and evict one another from the caches. Scores, softmax and sums are f32.
//! `temporal_avx512` runs it in AVX-512 registers; this file has the plain Rust for all other levels, and for clips with too many frames
//! for the registers.

use std::mem::MaybeUninit;

use super::shape::TemporalShape;
#[cfg(target_arch = "x86_64")]
use super::temporal_avx512;
use crate::{
    elementwise::{Element, pointwise::exp, vector::vectorised},
    runtime::{Engine, Level, SendPtr, output, scratch, volume, written},
};

/// Bytes of a task's copies of queries, keys and values, which should stay in the L2 cache.
const TASK_BYTES: usize = 768 << 10;
/// A clip's pixels are cut into at least this many tasks, if there are as many pixels.
const TASKS: usize = 16;
/// Floats that are processed together.
const LANES: usize = 16;
/// Bytes of a cache line.
const LINE: usize = 64;

/// For each pixel and head, softmax(q k^T * scale) v over the frames: all operands and y are [clips, frames, pixels, heads * head_dim].
///
/// # Panics
/// If a slice's length is not what the shape says, or the scale is not positive.
pub fn temporal_attention<'y, T: Element>(
    engine: &Engine,
    query: &[T],
    key: &[T],
    value: &[T],
    shape: TemporalShape,
    y: &'y mut [MaybeUninit<T>],
) -> &'y mut [T] {
    let channels = volume([shape.heads, shape.head_dim]);
    let length = volume([shape.clips, shape.frames, shape.pixels, channels]);
    assert_eq!(query.len(), length, "a temporal attention's queries");
    assert_eq!(key.len(), length, "a temporal attention's keys");
    assert_eq!(value.len(), length, "a temporal attention's values");
    assert_eq!(y.len(), length, "a temporal attention's result");
    if y.is_empty() {
        return output::zeros(y);
    }
    assert!(shape.scale > 0.0, "a temporal attention's scale");
    let pixel_bytes = 3 * shape.frames * channels * size_of::<T>();
    let strip = (TASK_BYTES / pixel_bytes).clamp(1, shape.pixels.div_ceil(TASKS));
    let strips = shape.pixels.div_ceil(strip);
    // An odd number of cache lines, so that the frames of a pixel do not map to the same few sets of the L1 cache.
    let pitch = ((strip * channels * size_of::<T>()).div_ceil(LINE) | 1) * LINE / size_of::<T>();
    let rows = shape.frames * pitch;
    let results = SendPtr(y.as_mut_ptr().cast::<T>());
    engine.pool().run(shape.clips * strips, |task| {
        let (clip, first) = (task / strips, task % strips * strip);
        let pixels = strip.min(shape.pixels - first);
        let place = |frame: usize| ((clip * shape.frames + frame) * shape.pixels + first) * channels;
        scratch::with(1, 3 * rows * size_of::<T>(), |copies| {
            let copies = copies.cast::<T>();
            for (from, index) in [query, key, value].into_iter().zip(0..) {
                for frame in 0..shape.frames {
                    let from = &from[place(frame)..][..pixels * channels];
                    // SAFETY: a row of the copies.
                    unsafe { copies.add(index * rows + frame * pitch).copy_from_nonoverlapping(from.as_ptr(), from.len()) };
                }
            }
            // SAFETY: the three copies; heads of neighbouring pixels follow one another in them.
            unsafe { heads(engine.level(), &shape, pitch, copies, pixels * shape.heads) };
            for frame in 0..shape.frames {
                // SAFETY: results have the queries' layout; only this task writes these pixels.
                unsafe { results.get().add(place(frame)).copy_from_nonoverlapping(copies.add(frame * pitch), pixels * channels) };
            }
        });
    });
    // SAFETY: the tasks' pixels and heads cover every row and channel.
    unsafe { written(y) }
}

/// Attends in `count` heads side by side in rows of `pitch` elements, one row for each frame of the queries, then of the keys, then of the
/// values. Results overwrite the queries.
///
/// # Safety
/// The rows are valid, and the processor has the level.
unsafe fn heads<T: Element>(level: Level, shape: &TemporalShape, pitch: usize, copies: *mut T, count: usize) {
    let rows = shape.frames * pitch;
    #[cfg(target_arch = "x86_64")]
    if matches!(level, Level::Avx512 | Level::Avx512Bf16 | Level::Amx) && shape.frames <= temporal_avx512::FRAMES {
        let half = T::HALF && level.has_bf16();
        let heads = temporal_avx512::Heads::new(shape, pitch, half);
        scratch::with(0, heads.scratch_bytes(), |memory| {
            // SAFETY: guaranteed by the caller.
            unsafe {
                let (key, value) = (copies.add(rows), copies.add(2 * rows));
                if half {
                    temporal_avx512::half::run(&heads, copies, key, value, count, memory);
                } else {
                    temporal_avx512::single::run(&heads, copies, key, value, count, memory);
                }
            }
        });
        return;
    }
    let mut plain = Plain::new(shape, pitch);
    // SAFETY: guaranteed by the caller. The gaps between rows are never read.
    let copies = unsafe { std::slice::from_raw_parts_mut(copies, 3 * rows) };
    let (query, rest) = copies.split_at_mut(rows);
    let (key, value) = rest.split_at(rows);
    vectorised(
        level,
        #[inline(always)]
        || (0..count).for_each(|head| plain.head(query, key, value, head * shape.head_dim)),
    );
}

/// One head of a pixel at a time, widened to f32.
struct Plain {
    frames: usize,
    head_dim: usize,
    scale: f32,
    /// Elements from one frame to the next.
    pitch: usize,
    /// Channels of a row, padded with zeros to a multiple of the lanes.
    padded: usize,
    keys: Vec<f32>,
    values: Vec<f32>,
    query: Vec<f32>,
    weights: Vec<f32>,
    sums: Vec<f32>,
}

impl Plain {
    fn new(shape: &TemporalShape, pitch: usize) -> Self {
        let padded = shape.head_dim.next_multiple_of(LANES);
        let zeros = |count: usize| vec![0_f32; count];
        Self {
            frames: shape.frames,
            head_dim: shape.head_dim,
            scale: shape.scale,
            pitch,
            padded,
            keys: zeros(shape.frames * padded),
            values: zeros(shape.frames * padded),
            query: zeros(padded),
            weights: zeros(shape.frames),
            sums: zeros(padded),
        }
    }

    /// Attends in the head whose first frame starts at `start`; its result overwrites its queries.
    #[inline(always)]
    fn head<T: Element>(&mut self, query: &mut [T], key: &[T], value: &[T], start: usize) {
        let at = |frame: usize| start + frame * self.pitch;
        let widen = |from: &[T], to: &mut [f32]| to.iter_mut().zip(from).for_each(|(to, from)| *to = from.widen());
        for (frame, (keys, values)) in self.keys.chunks_exact_mut(self.padded).zip(self.values.chunks_exact_mut(self.padded)).enumerate() {
            widen(&key[at(frame)..at(frame) + self.head_dim], keys);
            widen(&value[at(frame)..at(frame) + self.head_dim], values);
        }
        for frame in 0..self.frames {
            widen(&query[at(frame)..at(frame) + self.head_dim], &mut self.query);
            for (weight, keys) in self.weights.iter_mut().zip(self.keys.chunks_exact(self.padded)) {
                let mut lanes = [0_f32; LANES];
                for (query, keys) in self.query.as_chunks::<LANES>().0.iter().zip(keys.as_chunks::<LANES>().0) {
                    for lane in 0..LANES {
                        lanes[lane] += query[lane] * keys[lane];
                    }
                }
                *weight = lanes.iter().sum::<f32>() * self.scale;
            }
            // `max` ignores a NaN, and the exponential of its difference is a NaN.
            let largest = self.weights.iter().fold(f32::NEG_INFINITY, |a, b| a.max(*b));
            let mut total = 0.0;
            self.sums.fill(0.0);
            for (weight, values) in self.weights.iter().zip(self.values.chunks_exact(self.padded)) {
                let power = exp(weight - largest);
                total += power;
                for (sum, value) in self.sums.iter_mut().zip(values) {
                    *sum += power * value;
                }
            }
            let inverse = 1.0 / total;
            let to = &mut query[at(frame)..at(frame) + self.head_dim];
            to.iter_mut().zip(&self.sums).for_each(|(to, sum)| *to = T::narrow(sum * inverse));
        }
    }
}
