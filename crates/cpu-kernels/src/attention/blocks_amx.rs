//! Attention with tile registers: 32 queries at a time through all keys, with the scores of 32 keys in each of two small buffers.
//!
//! The products for the next keys are issued before the exponentials of these, and the weights of [`BATCH`] keys are multiplied with the
//! values in shares between the exponentials of the next batch: neither waits for the other's results, and a processor that can run both at
//! once may. (On the Xeon that this was measured on they took as long as one after the other; the crate's README has the figures.)
//!
//! A softmax may subtract any number from a query's scores. This one subtracts the largest score of the first 32 keys, and no other: bfloat16
//! and f32 have the same exponents, so weights lose no precision until a later score exceeds that one by a hundred powers of two. Such
//! queries are computed again by [`super::blocks`], whose maximum is a running one.

use std::{arch::x86_64::*, borrow::Cow};

use super::shape::Head;
use crate::{
    elementwise::{
        Element,
        vector::avx512::{exp2_weight, first_lanes, store_rounding},
    },
    product::{
        COLUMN, STEP_BYTES, TILE_BYTES,
        block::{self, Block, Kernel, ROWS as TILE_ROWS, SUM_STRIDE, SUMS},
    },
    runtime::scratch,
};

/// Most channels of a head for which this is the faster way: with 512, as in an autoencoder, it took 1.09 times as long as
/// [`super::blocks`], whose products are as long and whose scores are few beside them.
pub(super) const MOST_CHANNELS: usize = 256;
/// Queries at a time: two row tiles.
const ROWS: usize = 2 * TILE_ROWS;
/// Keys whose scores are computed together: two columns.
const BLOCK: usize = 2 * COLUMN;
/// Keys whose weights are multiplied with the values together.
const BATCH: usize = 256;
const BLOCKS: usize = BATCH / BLOCK;
/// Bytes from one query's weights to the next: an odd number of cache lines.
const WEIGHT_STRIDE: usize = BATCH * 2 + STEP_BYTES;
/// The largest sum of a query's weights: far below the numbers' end, so that sums of weighted values stay finite too.
const MOST: f32 = (1_u128 << 100) as f32;

/// 32 queries and their running state.
struct Group<'a> {
    head: &'a Head<'a>,
    kernel: Kernel,
    /// Offsets of steps.
    steps: Cow<'static, [usize]>,
    queries: *const u8,
    stride: usize,
    row_tiles: usize,
    /// Two blocks of scores.
    scores: *mut f32,
    /// Two batches of weights.
    weights: *mut u8,
    /// Sums of weighted values, a block for each pair of columns.
    sums: *mut f32,
    /// The value subtracted from each row's exponents.
    shift: [f32; ROWS],
    /// Sums of each row's weights, in 16 lanes.
    totals: [__m512; ROWS],
    /// Keys that the last query sees, and the last one that the first query sees if the attention is causal.
    seen: usize,
    causal_from: Option<isize>,
}

/// Attends with up to 32 queries of a head starting at `from`, the first being query number `first`, and writes to `to`. Returns whether it
/// did: false if a score exceeds the first ones by too much, or is no number.
///
/// # Safety
/// The processor has the features, the tile registers are set up, and queries, keys, values and results are valid.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")]
pub(crate) unsafe fn queries<T: Element>(head: &Head<'_>, kernel: Kernel, from: *const T, first: usize, count: usize, to: *mut T) -> bool {
    let layout = head.layout;
    let stride = layout.query_stride();
    let value_pairs = layout.value_columns.div_ceil(2);
    let bytes = ROWS * stride + 2 * ROWS * WEIGHT_STRIDE + (2 + value_pairs) * SUMS * size_of::<f32>();
    scratch::with(0, bytes, |memory| {
        // SAFETY: the parts follow one another within `bytes`, each a multiple of a cache line; there are `count` queries of `head_dim`
        // channels.
        unsafe {
            let weights = memory.add(ROWS * stride);
            let scores = weights.add(2 * ROWS * WEIGHT_STRIDE).cast::<f32>();
            layout.copy_queries(from, head.channels, head.head_dim, count, count.next_multiple_of(TILE_ROWS), memory);
            let mut group = Group {
                head,
                kernel,
                steps: block::adjacent(layout.query_steps.max(BLOCKS)),
                queries: memory,
                stride,
                row_tiles: count.div_ceil(TILE_ROWS),
                scores,
                weights,
                sums: scores.add(2 * SUMS),
                shift: [0.0; ROWS],
                totals: [_mm512_setzero_ps(); ROWS],
                seen: if head.causal { head.key_count.min(first + count) } else { head.key_count },
                causal_from: head.causal.then_some(first as isize),
            };
            group.run();
            group.finish(count, to)
        }
    })
}

impl Group<'_> {
    /// Computes the sums of weights and of weighted values.
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")]
    unsafe fn run(&mut self) {
        let blocks = self.seen.div_ceil(BLOCK);
        let value_pairs = self.head.layout.value_columns.div_ceil(2);
        // SAFETY: guaranteed by the caller of `queries`; blocks of keys that exist.
        unsafe {
            self.score(0);
            self.hide(0);
            self.find_shift();
            for block in 0..blocks {
                if block + 1 < blocks {
                    self.score(block + 1);
                }
                // A share of the batch before, so that all of it is done before its memory is needed again.
                let (batch, within) = (block / BLOCKS, block % BLOCKS);
                if batch > 0 {
                    let until = if block + 1 == blocks { BLOCKS } else { within + 1 };
                    for pair in within * value_pairs / BLOCKS..until * value_pairs / BLOCKS {
                        self.add_values(batch - 1, pair);
                    }
                }
                if block > 0 {
                    self.hide(block);
                }
                self.weigh(block);
            }
            for pair in 0..value_pairs {
                self.add_values((blocks - 1) / BLOCKS, pair);
            }
        }
    }

    /// The buffer of a block's scores.
    fn scores_of(&self, block: usize) -> *mut f32 {
        self.scores.wrapping_add(block % 2 * SUMS)
    }

    /// Multiplies the queries with a block of keys.
    #[inline]
    unsafe fn score(&self, block: usize) {
        let layout = self.head.layout;
        let columns = 2.min(layout.key_columns - 2 * block);
        // SAFETY: columns of packed keys, tiles of queries, a buffer of scores.
        unsafe {
            let at = |column: usize| self.head.keys.add(column * layout.query_steps * TILE_BYTES);
            (self.kernel)(&Block {
                rows: [self.queries, self.queries.add((self.row_tiles - 1) * TILE_ROWS * self.stride)],
                row_tiles: self.row_tiles,
                valid: [TILE_ROWS; 2],
                row_stride: self.stride,
                steps: &self.steps[..layout.query_steps],
                weights: [at(2 * block), at(2 * block + columns - 1)],
                columns,
                sums: self.scores_of(block),
                resume: false,
                streams: true,
            });
        }
    }

    /// Sets to minus infinity the scores of keys that do not exist or that a causal query must not see.
    #[inline]
    #[target_feature(enable = "avx512f")]
    unsafe fn hide(&self, block: usize) {
        let last = (block + 1) * BLOCK;
        if last > self.seen || self.causal_from.is_some_and(|first| last as isize > first + 1) {
            // SAFETY: the block's scores are in their buffer.
            unsafe { self.hide_some(block) };
        }
    }

    #[cold]
    #[target_feature(enable = "avx512f")]
    unsafe fn hide_some(&self, block: usize) {
        let scores = self.scores_of(block);
        for row in 0..self.row_tiles * TILE_ROWS {
            let seen = self.causal_from.map_or(self.seen, |first| self.seen.min((first + row as isize + 1).max(0) as usize));
            let seen = seen.saturating_sub(block * BLOCK);
            for half in 0..2 {
                let hidden = !first_lanes(seen.saturating_sub(half * COLUMN));
                // SAFETY: a row of the block's scores.
                unsafe {
                    _mm512_mask_store_ps(scores.add(row * SUM_STRIDE + half * COLUMN), hidden, _mm512_set1_ps(f32::NEG_INFINITY));
                }
            }
        }
    }

    /// Sets each row's shift to its largest score for the first keys.
    #[target_feature(enable = "avx512f")]
    unsafe fn find_shift(&mut self) {
        let scores = self.scores_of(0);
        for row in 0..self.row_tiles * TILE_ROWS {
            // SAFETY: a row of the first block's scores.
            let largest = unsafe {
                let row = scores.add(row * SUM_STRIDE);
                _mm512_reduce_max_ps(_mm512_max_ps(_mm512_load_ps(row), _mm512_load_ps(row.add(COLUMN))))
            };
            self.shift[row] = largest * self.head.factor;
        }
    }

    /// Computes the weights of a block of keys.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")]
    unsafe fn weigh(&mut self, block: usize) {
        let factor = _mm512_set1_ps(self.head.factor);
        let scores = self.scores_of(block);
        let weights = self.weights.wrapping_add(block / BLOCKS % 2 * ROWS * WEIGHT_STRIDE + block % BLOCKS * STEP_BYTES);
        for row in 0..self.row_tiles * TILE_ROWS {
            // SAFETY: a row of the block's scores, and its place among the weights.
            unsafe {
                let from = scores.add(row * SUM_STRIDE);
                let shift = _mm512_set1_ps(self.shift[row]);
                let low = exp2_weight(_mm512_fmsub_ps(_mm512_load_ps(from), factor, shift));
                let high = exp2_weight(_mm512_fmsub_ps(_mm512_load_ps(from.add(COLUMN)), factor, shift));
                self.totals[row] = _mm512_add_ps(self.totals[row], _mm512_add_ps(low, high));
                let halves: __m512i = std::mem::transmute(_mm512_cvtne2ps_pbh(high, low));
                _mm512_store_si512(weights.add(row * WEIGHT_STRIDE).cast(), halves);
            }
        }
    }

    /// Adds the weighted values of a batch of keys to the sums of a pair of columns.
    #[inline]
    unsafe fn add_values(&self, batch: usize, pair: usize) {
        let layout = self.head.layout;
        let columns = 2.min(layout.value_columns - 2 * pair);
        // SAFETY: the batch's weights and values, the pair's sums.
        unsafe {
            let weights = self.weights.add(batch % 2 * ROWS * WEIGHT_STRIDE);
            let values = self.head.keys.add(layout.key_bytes());
            let at = |column: usize| values.add((column * layout.key_steps + batch * BLOCKS) * TILE_BYTES);
            (self.kernel)(&Block {
                rows: [weights, weights.add((self.row_tiles - 1) * TILE_ROWS * WEIGHT_STRIDE)],
                row_tiles: self.row_tiles,
                valid: [TILE_ROWS; 2],
                row_stride: WEIGHT_STRIDE,
                steps: &self.steps[..(self.seen - batch * BATCH).min(BATCH).div_ceil(BLOCK)],
                weights: [at(2 * pair), at(2 * pair + columns - 1)],
                columns,
                sums: self.sums.add(pair * SUMS),
                resume: batch > 0,
                streams: true,
            });
        }
    }

    /// Writes the results of `count` queries, unless one of them cannot be trusted.
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")]
    unsafe fn finish<T: Element>(&self, count: usize, to: *mut T) -> bool {
        let mut inverse = [0.0; ROWS];
        for (inverse, totals) in inverse.iter_mut().zip(self.totals).take(count) {
            let total = _mm512_reduce_add_ps(totals);
            // Also false for a sum that is no number, as it is after a score that is infinite.
            if !(total > 0.0 && total < MOST) {
                return false;
            }
            *inverse = 1.0 / total;
        }
        for (row, inverse) in inverse.iter().enumerate().take(count) {
            let inverse = _mm512_set1_ps(*inverse);
            for column in 0..self.head.layout.value_columns {
                // SAFETY: sums of this row and column; the mask excludes everything behind the head's channels.
                unsafe {
                    let sum = _mm512_load_ps(self.sums.add(column / 2 * SUMS + row * SUM_STRIDE + column % 2 * COLUMN));
                    let mask = first_lanes(self.head.head_dim - column * COLUMN);
                    store_rounding(to.add(row * self.head.channels + column * COLUMN), _mm512_mul_ps(sum, inverse), mask);
                }
            }
        }
        true
    }
}
