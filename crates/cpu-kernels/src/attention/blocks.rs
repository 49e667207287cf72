//! Attention without a materialised score matrix: softmax(q k^T * scale) v, one block of queries and keys at a time.
//!
//! Keys and values of each head are packed once like weights, so both products can use [`crate::product::block`]. A task takes 32 queries
//! at a time through all keys, [`KEYS`] keys at a time. For each block it computes the scores, the running maximum, base-2 exponentials of
//! the differences, and the weighted sum of the values, which it rescales whenever the maximum grows. Scores, sums and results are f32; the
//! weights of the values have the products' precision. At levels that multiply in AVX-512 registers, `blocks_avx512` does this without the
//! blocks.

use std::mem::MaybeUninit;

#[cfg(target_arch = "x86_64")]
use super::{blocks_amx, blocks_avx512, shape::Head};
use super::{
    shape::{AttentionShape, KEYS, Layout},
    softmax::{self, Scores},
};
use crate::{
    elementwise::{Element, put},
    product::{
        COLUMN, STEP_BYTES, TILE_BYTES,
        block::{self, Block, ROWS, SUM_STRIDE, SUMS},
    },
    runtime::{Engine, Level, SendPtr, output, scratch, volume, written},
};

/// Queries that a task takes through the keys together.
const QUERIES: usize = softmax::ROWS;
/// Queries of a task.
const TASK_QUERIES: usize = 4 * QUERIES;
/// Most heads of a task, where a task has all queries of a head.
const HEADS: usize = 16;
/// Heads share a task only if at least this many tasks are left.
const MANY_TASKS: usize = 64;
/// Bytes from one query's weights to the next: an odd number of cache lines.
const WEIGHT_STRIDE: usize = KEYS * size_of::<f32>() + STEP_BYTES;

/// Attention of `query` [images, queries, heads * head_dim] to `key` and `value` [images, keys, heads * head_dim], written to `y` with the
/// shape of `query`.
///
/// # Panics
/// If a slice's length is not what the shape says, there are no keys, or the scale is not positive.
pub fn attention<'y, T: Element>(
    engine: &Engine,
    query: &[T],
    key: &[T],
    value: &[T],
    shape: AttentionShape,
    y: &'y mut [MaybeUninit<T>],
) -> &'y mut [T] {
    let channels = volume([shape.heads, shape.head_dim]);
    assert_eq!(query.len(), volume([shape.images, shape.queries, channels]), "attention's queries");
    assert_eq!(key.len(), volume([shape.images, shape.keys, channels]), "attention's keys");
    assert_eq!(value.len(), key.len(), "attention's values");
    assert_eq!(y.len(), query.len(), "attention's result");
    if y.is_empty() {
        return output::zeros(y);
    }
    assert!(shape.keys > 0, "attention without keys");
    assert!(shape.scale > 0.0, "attention's scale");
    let layout = Layout::of::<T>(engine.level(), &shape);
    let heads = shape.images * shape.heads;
    let results = SendPtr(y.as_mut_ptr().cast::<T>());
    let rows = |tokens: &[T], count: usize, head: usize| {
        let (image, head) = (head / shape.heads, head % shape.heads);
        tokens[image * count * channels + head * shape.head_dim..].as_ptr()
    };
    let pack = |head: usize, to: *mut u8| {
        // SAFETY: the caller gives space for a head; `keys` tokens start at its first channel.
        unsafe {
            let level = engine.level();
            pack_keys(level, rows(key, shape.keys, head), channels, &shape, &layout, to);
            pack_values(level, rows(value, shape.keys, head), channels, &shape, &layout, to.add(layout.key_bytes()));
        }
    };
    let at = |head: usize, query: usize| (head / shape.heads * shape.queries + query) * channels + head % shape.heads * shape.head_dim;
    let attend = |head: usize, keys: *const u8, strip: usize| {
        let task = Task { level: engine.level(), shape: &shape, layout, keys, channels };
        #[cfg(target_arch = "x86_64")]
        if matches!(engine.level(), Level::Avx512 | Level::Avx512Bf16) || (engine.level() == Level::Amx && !layout.bf16) {
            let first = strip * TASK_QUERIES;
            let count = TASK_QUERIES.min(shape.queries - first);
            // SAFETY: `count` queries start there; only this task writes their results for this head.
            unsafe { task.in_registers(query.as_ptr().add(at(head, first)), first, count, results.get().add(at(head, first))) };
            return;
        }
        block::with_state(engine.level(), layout.bf16, || {
            for first in (strip * TASK_QUERIES..shape.queries.min((strip + 1) * TASK_QUERIES)).step_by(QUERIES) {
                let count = QUERIES.min(shape.queries - first);
                // SAFETY: as above.
                unsafe {
                    let (from, to) = (query.as_ptr().add(at(head, first)), results.get().add(at(head, first)));
                    #[cfg(target_arch = "x86_64")]
                    if engine.level() == Level::Amx
                        && shape.head_dim <= blocks_amx::MOST_CHANNELS
                        && blocks_amx::queries(&task.head(), block::kernel(engine.level(), layout.bf16), from, first, count, to)
                    {
                        continue;
                    }
                    task.queries(from, first, count, to);
                }
            }
        });
    };
    let strips = shape.queries.div_ceil(TASK_QUERIES);
    if strips == 1 {
        // Few queries, perhaps of very many heads (attention over frames): the task that needs a head packs it.
        let together = (heads / MANY_TASKS).clamp(1, HEADS);
        engine.pool().run(heads.div_ceil(together), |task| {
            scratch::with(2, layout.head_bytes(), |packed| {
                for head in task * together..heads.min((task + 1) * together) {
                    pack(head, packed);
                    attend(head, packed, 0);
                }
            });
        });
    } else {
        scratch::with(3, heads * layout.head_bytes(), |packed| {
            let packed = SendPtr(packed);
            let head_of = |head: usize| {
                // SAFETY: the buffer holds `heads` heads, and `head` is less.
                unsafe { packed.get().add(head * layout.head_bytes()) }
            };
            engine.pool().run(heads, |head| pack(head, head_of(head)));
            engine.pool().run(heads * strips, |task| attend(task / strips, head_of(task / strips), task % strips));
        });
    }
    // SAFETY: the tasks cover every query of every head.
    unsafe { written(y) }
}

/// Packs keys as columns of 16, each a chain of the head's steps.
unsafe fn pack_keys<T: Element>(level: Level, from: *const T, channels: usize, shape: &AttentionShape, layout: &Layout, to: *mut u8) {
    // SAFETY: every write lies within the columns; tokens lie `channels` apart.
    unsafe {
        #[cfg(target_arch = "x86_64")]
        if level >= Level::Avx512
            && T::HALF == layout.bf16
            && shape.head_dim.is_multiple_of(layout.keys_of_unit())
            // Byte offsets within a column must fit in the gather's 32-bit indices.
            && channels <= i32::MAX as usize / (COLUMN * size_of::<T>())
        {
            let (units, all) = (layout.query_units(shape.head_dim), layout.query_steps * TILE_BYTES);
            for column in 0..layout.key_columns {
                let (first, to) = (column * COLUMN, to.add(column * all));
                blocks_avx512::pack_key_column(from.add(first * channels), channels, shape.keys - first, units, to);
                to.add(units * 64).write_bytes(0, all - units * 64);
            }
            return;
        }
        let _ = level;
        to.write_bytes(0, layout.key_bytes());
        for key in 0..shape.keys {
            let (column, lane) = (key / COLUMN, key % COLUMN);
            let row = from.add(key * channels);
            let column = to.add(column * layout.query_steps * TILE_BYTES + lane * 4);
            for channel in 0..shape.head_dim {
                let value = *row.add(channel);
                let step = column.add(channel / layout.step * TILE_BYTES);
                let within = channel % layout.step;
                if layout.bf16 {
                    put(true, step.add(within / 2 * 64), within % 2, value)
                } else {
                    put(false, step.add(within * 64), 0, value)
                }
            }
        }
    }
}

/// Packs values as columns of 16 channels, each a chain of all keys.
unsafe fn pack_values<T: Element>(level: Level, from: *const T, channels: usize, shape: &AttentionShape, layout: &Layout, to: *mut u8) {
    // SAFETY: every write lies within the columns; tokens lie `channels` apart.
    unsafe {
        #[cfg(target_arch = "x86_64")]
        if level >= Level::Avx512 && T::HALF && layout.bf16 {
            let (pairs, all) = (shape.keys.div_ceil(2), layout.key_steps * TILE_BYTES);
            for column in 0..layout.value_columns {
                let (from, to) = (from.add(column * COLUMN), to.add(column * all));
                for pair in 0..pairs {
                    let first = from.add(2 * pair * channels);
                    let second = (2 * pair + 1 < shape.keys).then(|| first.add(channels));
                    blocks_avx512::pack_value_pair(first, second, shape.head_dim - column * COLUMN, to.add(pair * 64));
                }
                to.add(pairs * 64).write_bytes(0, all - pairs * 64);
            }
            return;
        }
        let _ = level;
        to.write_bytes(0, layout.value_columns * layout.key_steps * TILE_BYTES);
        for key in 0..shape.keys {
            let row = from.add(key * channels);
            let within = key % layout.step;
            let line = if layout.bf16 { within / 2 * 64 } else { within * 64 };
            for column in 0..layout.value_columns {
                let tile = to.add((column * layout.key_steps + key / layout.step) * TILE_BYTES + line);
                for lane in 0..COLUMN.min(shape.head_dim - column * COLUMN) {
                    let value = *row.add(column * COLUMN + lane);
                    if layout.bf16 { put(true, tile, 2 * lane + within % 2, value) } else { put(false, tile, lane, value) }
                }
            }
        }
    }
}

/// State that all queries of a head share.
struct Task<'a> {
    level: Level,
    shape: &'a AttentionShape,
    layout: Layout,
    /// The head's packed keys; its values follow.
    keys: *const u8,
    channels: usize,
}

impl Task<'_> {
    #[cfg(target_arch = "x86_64")]
    fn head(&self) -> Head<'_> {
        Head {
            layout: &self.layout,
            keys: self.keys,
            key_count: self.shape.keys,
            head_dim: self.shape.head_dim,
            channels: self.channels,
            factor: self.shape.scale * std::f32::consts::LOG2_E,
            causal: self.shape.causal,
        }
    }

    /// [`Self::queries`] with the scores in registers, for any number of queries.
    ///
    /// # Safety
    /// The queries and their results are valid; the level has AVX-512, and BF16 if the layout is bfloat16.
    #[cfg(target_arch = "x86_64")]
    unsafe fn in_registers<T: Element>(&self, from: *const T, first: usize, count: usize, to: *mut T) {
        let head = self.head();
        // SAFETY: guaranteed by the caller.
        unsafe {
            if self.layout.bf16 {
                blocks_avx512::half::queries(&head, from, first, count, to);
            } else {
                blocks_avx512::single::queries(&head, from, first, count, to);
            }
        }
    }

    /// Attends with `count` queries starting at `from`, the first being query number `first`, and writes to `to`.
    ///
    /// # Safety
    /// The queries and their results are valid, and the level's state is set up.
    unsafe fn queries<T: Element>(&self, from: *const T, first: usize, count: usize, to: *mut T) {
        let Layout { bf16, query_steps, key_columns, value_columns, key_steps, step } = self.layout;
        let kernel = block::kernel(self.level, bf16);
        let update = softmax::of(self.level, bf16);
        let query_stride = self.layout.query_stride();
        let value_pairs = value_columns.div_ceil(2);
        let steps = block::adjacent(query_steps.max(KEYS.div_ceil(step)));
        let score_floats = KEYS / (2 * COLUMN) * SUMS;
        let bytes = QUERIES * query_stride + QUERIES * WEIGHT_STRIDE + (score_floats + value_pairs * SUMS) * size_of::<f32>();
        scratch::with(0, bytes, |memory| {
            // SAFETY: the parts follow one another within `bytes`, each a multiple of a cache line.
            let (queries, weights, scores, sums) = unsafe {
                let weights = memory.add(QUERIES * query_stride);
                let scores = weights.add(QUERIES * WEIGHT_STRIDE).cast::<f32>();
                (memory, weights, scores, scores.add(score_floats))
            };
            let row_tiles = count.div_ceil(ROWS);
            // SAFETY: `count` queries of `head_dim` channels, and space for two tiles of them.
            unsafe { self.layout.copy_queries(from, self.channels, self.shape.head_dim, count, row_tiles * ROWS, queries) };
            let mut state = softmax::State::new(self.shape.scale);
            // Causal queries of this block see no key from here on.
            let seen = if self.shape.causal { self.shape.keys.min(first + count) } else { self.shape.keys };
            for from_key in (0..seen).step_by(KEYS) {
                let here = KEYS.min(seen - from_key);
                for pair in 0..here.div_ceil(2 * COLUMN) {
                    let column = from_key / COLUMN + 2 * pair;
                    let columns = 2.min(key_columns - column);
                    // SAFETY: columns of the packed keys; tiles of queries; the sums of this pair.
                    unsafe {
                        let at = |column: usize| self.keys.add(column * query_steps * TILE_BYTES);
                        kernel(&Block {
                            rows: [queries, queries.add((row_tiles - 1) * ROWS * query_stride)],
                            row_tiles,
                            valid: [ROWS; 2],
                            row_stride: query_stride,
                            steps: &steps[..query_steps],
                            weights: [at(column), at(column + columns - 1)],
                            columns,
                            sums: scores.add(pair * SUMS),
                            resume: false,
                            streams: false,
                        });
                    }
                }
                let causal_from = if self.shape.causal { Some(first as isize - from_key as isize) } else { None };
                // SAFETY: scores of `here` keys, weights for as many rounded up to a step, sums of all pairs of columns.
                unsafe {
                    let rows = row_tiles * ROWS;
                    let (weight_stride, pairs) = (WEIGHT_STRIDE, value_pairs);
                    update(&mut state, &Scores { scores, keys: here, rows, causal_from, weights, weight_stride, sums, pairs });
                }
                for pair in 0..value_pairs {
                    let columns = 2.min(value_columns - 2 * pair);
                    // SAFETY: as above.
                    unsafe {
                        let values = self.keys.add(self.layout.key_bytes());
                        let at = |column: usize| values.add((column * key_steps + from_key / step) * TILE_BYTES);
                        kernel(&Block {
                            rows: [weights, weights.add((row_tiles - 1) * ROWS * WEIGHT_STRIDE)],
                            row_tiles,
                            valid: [ROWS; 2],
                            row_stride: WEIGHT_STRIDE,
                            steps: &steps[..here.div_ceil(step)],
                            weights: [at(2 * pair), at(2 * pair + columns - 1)],
                            columns,
                            sums: sums.add(pair * SUMS),
                            resume: from_key > 0,
                            streams: false,
                        });
                    }
                }
            }
            for row in 0..count {
                let inverse = 1.0 / state.sum(row);
                for column in 0..value_columns {
                    // SAFETY: sums of this row and column; only this task writes these results.
                    unsafe {
                        let sums = &*sums.add(column / 2 * SUMS + row * SUM_STRIDE + column % 2 * COLUMN).cast::<[f32; COLUMN]>();
                        let to = to.add(row * self.channels + column * COLUMN);
                        let room = self.shape.head_dim - column * COLUMN;
                        if room >= COLUMN {
                            to.cast::<[T; COLUMN]>().write_unaligned(sums.map(|sum| T::narrow(sum * inverse)));
                        } else {
                            for (lane, sum) in sums.iter().enumerate().take(room) {
                                to.add(lane).write(T::narrow(sum * inverse));
                            }
                        }
                    }
                }
            }
        });
    }
}
