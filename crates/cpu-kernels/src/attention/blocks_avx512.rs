//! Attention in AVX-512 registers: the scores of 8 queries for 32 keys stay in registers until they are weights.
//!
//! Queries pass 8 at a time. Their scores for 32 keys take 16 registers, over exactly the channels of a head. Their base-2 exponentials are
//! rounded into a small buffer; after [`KEYS`] keys these weights are multiplied with the values, three columns (24 registers) at a time.
//!
//! A softmax may subtract any number from a query's scores, so this one does not track the exact maximum: it rescales the sums to the new
//! maximum only when a score exceeds the current shift by more than [`HEADROOM`] powers of two. That is rare after the first keys, and the
//! common path needs no maximum across a register.

use std::arch::x86_64::*;

use super::shape::{Head, KEYS};
use crate::{
    elementwise::{
        Element,
        vector::avx512::{exp2, store_plain},
    },
    product::{COLUMN, STEP_BYTES, TILE_BYTES},
    runtime::scratch,
};

/// Queries of a group.
pub(crate) const ROWS: usize = 8;
/// Keys whose scores are in registers together.
const BLOCK: usize = 2 * COLUMN;
/// Columns of values whose sums are in registers together.
const COLUMNS: usize = 3;
/// How far a score may exceed the shift, in powers of two: weights up to 256 cost f32 no precision.
const HEADROOM: f32 = 8.0;
/// Bytes of a query's weights for one block of keys.
const WEIGHT_BYTES: usize = KEYS * size_of::<f32>() + STEP_BYTES;

/// Up to 8 queries and their running state.
struct Group {
    /// Queries in the products' precision, `stride` bytes apart.
    queries: *const u8,
    stride: usize,
    /// Weights of the current block of keys.
    weights: *mut u8,
    /// Sums of weighted values: `columns` of 16 floats for each of 8 rows, row by row within a column.
    sums: *mut f32,
    /// The value subtracted from each row's scores, in powers of two.
    shift: [f32; ROWS],
    /// Sums of each row's weights, in 16 lanes.
    totals: [__m512; ROWS],
}

/// Sets to minus infinity the scores of keys from `seen` on, and of keys that a causal query must not see; `last` is the last key that the
/// first row sees, and each further row sees one more.
#[target_feature(enable = "avx512f")]
fn hide(scores: &mut [[__m512; 2]; ROWS], seen: usize, last: Option<isize>) {
    for (row, scores) in scores.iter_mut().enumerate() {
        let seen = last.map_or(seen, |last| seen.min((last + row as isize + 1).max(0) as usize));
        for (half, scores) in scores.iter_mut().enumerate() {
            let left = seen.saturating_sub(half * COLUMN);
            let mask = if left >= COLUMN { u16::MAX } else { (1 << left) - 1 };
            *scores = _mm512_mask_blend_ps(mask, _mm512_set1_ps(f32::NEG_INFINITY), *scores);
        }
    }
}

impl Group {
    /// Whether no score exceeds its row's shift by more than the headroom.
    #[inline]
    #[target_feature(enable = "avx512f")]
    fn fits(&self, scores: &[[__m512; 2]; ROWS], factor: f32) -> bool {
        let factor = _mm512_set1_ps(factor);
        let mut beyond = 0;
        for (scores, shift) in scores.iter().zip(self.shift) {
            let largest = _mm512_mul_ps(_mm512_max_ps(scores[0], scores[1]), factor);
            // A NaN does not compare as greater, and stays a NaN; before the first keys the bound is minus infinity, so nothing fits.
            beyond |= _mm512_cmp_ps_mask::<_CMP_GT_OQ>(largest, _mm512_set1_ps(shift + HEADROOM));
        }
        beyond == 0
    }

    /// Computes the weights of a block of keys.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
    fn weigh<const HALF: bool>(&mut self, scores: &[[__m512; 2]; ROWS], factor: f32, block: usize, put: &impl Fn(*mut u8, __m512, __m512)) {
        let factor = _mm512_set1_ps(factor);
        // Far below zero, the exponential underflows to zero; the floor turns minus infinity into a finite number.
        let floor = _mm512_set1_ps(-200.0);
        for (row, scores) in scores.iter().enumerate() {
            // A query that has seen no key yet: subtract zero, not minus infinity.
            let shift = if self.shift[row] == f32::NEG_INFINITY { 0.0 } else { self.shift[row] };
            // `max` returns its second operand if either is a NaN.
            let power = |score| exp2::<HALF>(_mm512_max_ps(floor, _mm512_fmsub_ps(score, factor, _mm512_set1_ps(shift))));
            let [low, high] = scores.map(power);
            self.totals[row] = _mm512_add_ps(self.totals[row], _mm512_add_ps(low, high));
            // SAFETY: a row of weights has room for all blocks of keys.
            unsafe { put(self.weights.add(row * WEIGHT_BYTES + block * BLOCK * if HALF { 2 } else { 4 }), low, high) };
        }
    }

    /// Raises each row's shift to the largest score, and rescales its sums.
    #[cold]
    #[target_feature(enable = "avx512f")]
    unsafe fn rescale(&mut self, scores: &[[__m512; 2]; ROWS], factor: f32, columns: usize) {
        for (row, scores) in scores.iter().enumerate() {
            let before = self.shift[row];
            let largest = (_mm512_reduce_max_ps(_mm512_max_ps(scores[0], scores[1])) * factor).max(before);
            if largest == before {
                continue;
            }
            self.shift[row] = largest;
            let shrink = _mm512_set1_ps((before - largest).exp2());
            self.totals[row] = _mm512_mul_ps(self.totals[row], shrink);
            for column in 0..columns {
                // SAFETY: within the group's sums.
                unsafe {
                    let sum = self.sums.add((column * ROWS + row) * COLUMN);
                    _mm512_store_ps(sum, _mm512_mul_ps(_mm512_load_ps(sum), shrink));
                }
            }
        }
    }
}

/// Packs up to 16 keys of `units` 32-bit units (a float, or a pair of bfloat16), which start `stride` elements apart, as a column: one line
/// of 16 keys for each unit.
///
/// # Safety
/// Keys and column are valid, and the processor has AVX-512 F.
#[target_feature(enable = "avx512f")]
pub(crate) unsafe fn pack_key_column<T: Element>(from: *const T, stride: usize, keys: usize, units: usize, to: *mut u8) {
    // Gathers take 32-bit offsets; keys lie some thousand elements apart.
    let lanes = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    let places = _mm512_mullo_epi32(lanes, _mm512_set1_epi32((stride * size_of::<T>()) as i32));
    let mask = if keys >= COLUMN { u16::MAX } else { (1 << keys) - 1 };
    for unit in 0..units {
        // SAFETY: guaranteed by the caller; the mask excludes keys beyond the last.
        unsafe {
            let from = from.cast::<u8>().add(unit * 4);
            let line = _mm512_mask_i32gather_epi32::<1>(_mm512_setzero_si512(), mask, places, from.cast());
            _mm512_store_si512(to.add(unit * 64).cast(), line);
        }
    }
}

/// Packs up to 16 channels of two keys' values, or of one key's, as a line of pairs of bfloat16.
///
/// # Safety
/// Values and line are valid, and the processor has AVX-512 F, BW and VL.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
pub(crate) unsafe fn pack_value_pair<T: Element>(first: *const T, second: Option<*const T>, channels: usize, to: *mut u8) {
    let mask = if channels >= COLUMN { u16::MAX } else { (1 << channels) - 1 };
    // SAFETY: guaranteed by the caller; the mask excludes channels beyond the last.
    unsafe {
        let wide = |from: *const T| _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(mask, from.cast()));
        let second = second.map_or(_mm512_setzero_si512(), |second| _mm512_slli_epi32::<16>(wide(second)));
        _mm512_store_si512(to.cast(), _mm512_or_si512(wide(first), second));
    }
}

/// Defines a module for one precision, bfloat16 if `$half`, so that all of it is compiled for `$features` and inlined together.
///
/// `$product` is `$sum + $value * $weights`: 32 bits of a row (a float, or a pair of bfloat16) times the weights of 16 outputs; `$put`
/// stores two vectors of weights at `$to`.
macro_rules! precision {
    ($name:ident, $half:literal, $features:literal, |$sum:ident, $value:ident, $weights:ident| $product:expr, |$to:ident, $low:ident, $high:ident| $put:expr) => {
        pub(crate) mod $name {
            use super::*;

            /// Attends with `count` queries of a head starting at `from`, the first being query number `first`, and writes to `to`.
            ///
            /// # Safety
            /// The processor has the module's features; queries, keys, values and results are valid.
            #[target_feature(enable = $features)]
            pub(crate) unsafe fn queries<T: Element>(head: &Head<'_>, from: *const T, first: usize, count: usize, to: *mut T) {
                // SAFETY: guaranteed by the caller.
                let put_weights = |$to: *mut u8, $low: __m512, $high: __m512| unsafe { $put };
                let value_columns = head.layout.value_columns;
                let stride = head.layout.query_stride();
                let sum_bytes = value_columns * ROWS * COLUMN * size_of::<f32>();
                let groups = count.div_ceil(ROWS);
                scratch::with(0, groups * (ROWS * stride + sum_bytes) + ROWS * WEIGHT_BYTES, |memory| {
                    // SAFETY: the parts follow one another, each a multiple of a cache line; there are `count` queries of `head_dim`
                    // channels.
                    unsafe {
                        let weights = memory;
                        let (rows, sums) = (memory.add(ROWS * WEIGHT_BYTES), memory.add(ROWS * WEIGHT_BYTES + groups * ROWS * stride));
                        sums.write_bytes(0, groups * sum_bytes);
                        head.layout.copy_queries(from, head.channels, head.head_dim, count, groups * ROWS, rows);
                        let mut states: Vec<Group> = (0..groups)
                            .map(|group| Group {
                                queries: rows.add(group * ROWS * stride),
                                stride,
                                weights,
                                sums: sums.add(group * sum_bytes).cast(),
                                shift: [f32::NEG_INFINITY; ROWS],
                                totals: [_mm512_setzero_ps(); ROWS],
                            })
                            .collect();
                        for from_key in (0..head.key_count).step_by(KEYS) {
                            for (index, group) in states.iter_mut().enumerate() {
                                // Causal queries of this group see no key from here on.
                                let last = first + (index + 1) * ROWS;
                                let seen = if head.causal { head.key_count.min(last) } else { head.key_count };
                                let until = seen.min(from_key + KEYS);
                                // Blocks from `pending` on have weights that are not yet multiplied with their values.
                                let mut pending = 0;
                                for block in 0..until.saturating_sub(from_key).div_ceil(BLOCK) {
                                    let key = from_key + block * BLOCK;
                                    let mut scores = block_scores(head, group, key / BLOCK);
                                    if head.causal || key + BLOCK > seen {
                                        hide(&mut scores, seen - key, head.causal.then(|| (first + index * ROWS) as isize - key as isize));
                                    }
                                    if !group.fits(&scores, head.factor) {
                                        weighted_values(head, group, from_key / BLOCK, (pending, block));
                                        pending = block;
                                        group.rescale(&scores, head.factor, value_columns);
                                    }
                                    group.weigh::<$half>(&scores, head.factor, block, &put_weights);
                                }
                                weighted_values(head, group, from_key / BLOCK, (pending, until.saturating_sub(from_key).div_ceil(BLOCK)));
                            }
                        }
                        for row in 0..count {
                            let group = &states[row / ROWS];
                            let inverse = _mm512_set1_ps(1.0 / _mm512_reduce_add_ps(group.totals[row % ROWS]));
                            for column in 0..value_columns {
                                let sum = _mm512_load_ps(group.sums.add((column * ROWS + row % ROWS) * COLUMN));
                                let room = head.head_dim - column * COLUMN;
                                let mask = if room >= COLUMN { u16::MAX } else { (1 << room) - 1 };
                                store_plain(to.add(row * head.channels + column * COLUMN), _mm512_mul_ps(sum, inverse), mask);
                            }
                        }
                    }
                });
            }

            /// The scores of 8 queries for 32 keys; if there is no second column of keys, the first one's scores stand in.
            #[inline]
            #[target_feature(enable = $features)]
            unsafe fn block_scores(head: &Head<'_>, group: &Group, block: usize) -> [[__m512; 2]; ROWS] {
                let column_bytes = head.layout.query_steps * TILE_BYTES;
                let columns = [2 * block, (2 * block + 1).min(head.layout.key_columns - 1)];
                let mut sums = [[_mm512_setzero_ps(); 2]; ROWS];
                // SAFETY: columns of keys, rows of queries, as many units as a head has.
                unsafe {
                    let columns = columns.map(|column| head.keys.add(column * column_bytes));
                    for k in 0..head.layout.query_units(head.head_dim) {
                        let weights = columns.map(|column| _mm512_load_si512(column.add(k * 64).cast()));
                        for (row, sums) in sums.iter_mut().enumerate() {
                            let $value = _mm512_set1_epi32(group.queries.add(row * group.stride).cast::<i32>().add(k).read());
                            for (sum, $weights) in sums.iter_mut().zip(weights) {
                                let $sum = *sum;
                                *sum = $product;
                            }
                        }
                    }
                }
                sums
            }

            /// Adds the weighted values of the blocks `pending` (from, to); `first_block` is the key block that the first block of weights
            /// belongs to.
            #[target_feature(enable = $features)]
            unsafe fn weighted_values(head: &Head<'_>, group: &Group, first_block: usize, pending: (usize, usize)) {
                #[inline]
                #[target_feature(enable = $features)]
                unsafe fn columns<const COLUMNS: usize>(
                    head: &Head<'_>,
                    group: &Group,
                    first_block: usize,
                    (from, to): (usize, usize),
                    first: usize,
                ) {
                    let units = BLOCK / head.layout.keys_of_unit();
                    let column_bytes = head.layout.key_steps * TILE_BYTES;
                    // The last block's second half may be missing.
                    let last = column_bytes / 64 - first_block * units;
                    // SAFETY: guaranteed by the caller.
                    unsafe {
                        let values = head.keys.add(head.layout.key_bytes() + first * column_bytes + first_block * units * 64);
                        let sums = group.sums.add(first * ROWS * COLUMN);
                        let place = |row: usize, column: usize| sums.add((column * ROWS + row) * COLUMN);
                        let mut registers: [[__m512; COLUMNS]; ROWS] =
                            std::array::from_fn(|row| std::array::from_fn(|column| _mm512_load_ps(place(row, column))));
                        for k in from * units..last.min(to * units) {
                            let weights: [__m512i; COLUMNS] =
                                std::array::from_fn(|column| _mm512_load_si512(values.add(column * column_bytes + k * 64).cast()));
                            for (row, sums) in registers.iter_mut().enumerate() {
                                let $value = _mm512_set1_epi32(group.weights.add(row * WEIGHT_BYTES).cast::<i32>().add(k).read());
                                for (sum, $weights) in sums.iter_mut().zip(weights) {
                                    let $sum = *sum;
                                    *sum = $product;
                                }
                            }
                        }
                        for (row, sums) in registers.iter().enumerate() {
                            for (column, sum) in sums.iter().enumerate() {
                                _mm512_store_ps(place(row, column), *sum);
                            }
                        }
                    }
                }
                if pending.0 == pending.1 {
                    return;
                }
                // The fewest passes possible, with nearly equal numbers of columns.
                let total = head.layout.value_columns;
                let passes = total.div_ceil(COLUMNS);
                for pass in 0..passes {
                    let (first, end) = (pass * total / passes, (pass + 1) * total / passes);
                    // SAFETY: guaranteed by the caller.
                    unsafe {
                        match end - first {
                            1 => columns::<1>(head, group, first_block, pending, first),
                            2 => columns::<2>(head, group, first_block, pending, first),
                            _ => columns::<COLUMNS>(head, group, first_block, pending, first),
                        }
                    }
                }
            }
        }
    };
}

// A vector of 32-bit lanes is a vector of pairs of bfloat16.
precision!(
    half,
    true,
    "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16",
    |sum, value, weights| _mm512_dpbf16_ps(
        sum,
        std::mem::transmute::<__m512i, __m512bh>(value),
        std::mem::transmute::<__m512i, __m512bh>(weights)
    ),
    |to, low, high| _mm512_store_si512(to.cast(), std::mem::transmute::<__m512bh, __m512i>(_mm512_cvtne2ps_pbh(high, low)))
);
precision!(
    single,
    false,
    "avx512f,avx512bw,avx512dq,avx512vl",
    |sum, value, weights| _mm512_fmadd_ps(_mm512_castsi512_ps(value), _mm512_castsi512_ps(weights), sum),
    |to, low, high| {
        _mm512_store_ps(to.cast(), low);
        _mm512_store_ps(to.add(STEP_BYTES).cast(), high);
    }
);
