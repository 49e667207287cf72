//! A pixel's attention over frames in AVX-512 registers, one head after the other.
//!
//! Keys are transposed 16 by 16 in registers, so that a line holds one channel (or pair of channels, in bfloat16) of 16 frames; values are
//! widened, or interleaved by pairs of frames. A few queries at a time then attend to them: scores in registers, their softmax, and the
//! weighted values. The whole head stays in the L1 cache meanwhile.

use std::arch::x86_64::*;

use super::{blocks_avx512::pack_value_pair, shape::TemporalShape};
use crate::elementwise::{
    Element,
    vector::avx512::{exp2, first_lanes, load, store_plain, store_rounding, transpose},
};

/// Most frames of a clip.
pub(crate) const FRAMES: usize = COLUMNS * COLUMN;
/// Lanes of a register.
const COLUMN: usize = 16;
/// Most columns of frames.
const COLUMNS: usize = 4;
/// Most queries of a group.
const ROWS: usize = 8;
/// Bytes of a register.
const LINE: usize = 64;
/// Columns of values whose sums are in registers together.
const VALUES: usize = 3;

/// The layout of a head in memory, and in the scratch: queries, then keys, values and weights.
pub(crate) struct Heads {
    frames: usize,
    head_dim: usize,
    /// Elements from one frame to the next.
    stride: usize,
    /// Factor from scores to base-2 exponents.
    factor: f32,
    /// 32-bit units (a float, or a pair of bfloat16) of a query or key, and lines of units.
    units: usize,
    unit_lines: usize,
    /// Columns of 16 keys.
    key_columns: usize,
    /// 32-bit units of a query's weights: keys, or pairs of them.
    key_units: usize,
    /// Columns of 16 channels.
    value_columns: usize,
    /// Queries of a group, and number of groups.
    rows: usize,
    groups: usize,
}

impl Heads {
    /// Heads in rows of `stride` elements, for products in bfloat16 if `half`.
    pub(crate) fn new(shape: &TemporalShape, stride: usize, half: bool) -> Self {
        let unit = if half { 2 } else { 1 };
        let units = shape.head_dim.div_ceil(unit);
        let groups = shape.frames.div_ceil(ROWS);
        Self {
            frames: shape.frames,
            head_dim: shape.head_dim,
            stride,
            factor: shape.scale * std::f32::consts::LOG2_E,
            units,
            unit_lines: units.div_ceil(COLUMN),
            key_columns: shape.frames.div_ceil(COLUMN),
            key_units: shape.frames.div_ceil(unit),
            value_columns: shape.head_dim.div_ceil(COLUMN),
            // As even as possible, but at least the smallest kernel's rows.
            rows: shape.frames.div_ceil(groups).max(4),
            groups,
        }
    }

    fn query_bytes(&self) -> usize {
        self.unit_lines * LINE
    }

    fn keys_at(&self) -> usize {
        self.groups * self.rows * self.query_bytes()
    }

    fn values_at(&self) -> usize {
        self.keys_at() + self.key_columns * self.unit_lines * COLUMN * LINE
    }

    fn weights_at(&self) -> usize {
        self.values_at() + self.key_units * self.value_columns * LINE
    }

    pub(crate) fn scratch_bytes(&self) -> usize {
        self.weights_at() + ROWS * COLUMNS * LINE
    }
}

/// Defines a module for one precision of the products, bfloat16 if `$half`, so that all of it is compiled for `$features`.
///
/// `$product` is `$sum + $value * $weights`: 32 bits of a row (a float, or a pair of bfloat16) times those of 16 outputs.
macro_rules! precision {
    ($name:ident, $half:literal, $store:ident, $features:literal, |$sum:ident, $value:ident, $weights:ident| $product:expr) => {
        pub(crate) mod $name {
            use super::*;

            /// Attends in `count` consecutive heads; the pointers are to the first head's first frame. Results overwrite the queries.
            ///
            /// # Safety
            /// The processor has the module's features; the heads are valid in every frame; `memory` is aligned to a line and has
            /// `scratch_bytes`; the elements are bfloat16 if the products are.
            #[target_feature(enable = $features)]
            pub(crate) unsafe fn run<T: Element>(
                heads: &Heads,
                query: *mut T,
                key: *const T,
                value: *const T,
                count: usize,
                memory: *mut u8,
            ) {
                // SAFETY: guaranteed by the caller.
                unsafe {
                    // Zeros the rows behind the last query, whose results are not stored.
                    memory.write_bytes(0, heads.keys_at());
                    for head in 0..count {
                        let at = head * heads.head_dim;
                        let (query, key, value) = (query.add(at), key.add(at), value.add(at));
                        pack_queries(heads, query, memory);
                        pack_keys(heads, key, memory.add(heads.keys_at()));
                        pack_values(heads, value, memory.add(heads.values_at()));
                        for group in 0..heads.groups {
                            match heads.rows {
                                4 => group_of::<T, 4>(heads, memory, group, query),
                                5 => group_of::<T, 5>(heads, memory, group, query),
                                6 => group_of::<T, 6>(heads, memory, group, query),
                                7 => group_of::<T, 7>(heads, memory, group, query),
                                _ => group_of::<T, ROWS>(heads, memory, group, query),
                            }
                        }
                    }
                }
            }

            /// Line `line` of a token's units, padded with zeros.
            #[inline]
            #[target_feature(enable = $features)]
            unsafe fn units<T: Element>(heads: &Heads, from: *const T, line: usize) -> __m512i {
                let first = line * COLUMN * if $half { 2 } else { 1 };
                let left = heads.head_dim - first;
                // SAFETY: the masks exclude everything behind the head's channels.
                unsafe {
                    if $half {
                        let mask = if left >= 32 { u32::MAX } else { (1 << left) - 1 };
                        _mm512_maskz_loadu_epi16(mask, from.add(first).cast())
                    } else {
                        _mm512_castps_si512(load(from.add(first), first_lanes(left)))
                    }
                }
            }

            #[inline]
            #[target_feature(enable = $features)]
            unsafe fn pack_queries<T: Element>(heads: &Heads, from: *const T, to: *mut u8) {
                for frame in 0..heads.frames {
                    for line in 0..heads.unit_lines {
                        // SAFETY: guaranteed by the caller.
                        unsafe {
                            let units = units(heads, from.add(frame * heads.stride), line);
                            _mm512_store_si512(to.add((frame * heads.unit_lines + line) * LINE).cast(), units);
                        }
                    }
                }
            }

            #[inline]
            #[target_feature(enable = $features)]
            unsafe fn pack_keys<T: Element>(heads: &Heads, from: *const T, to: *mut u8) {
                for column in 0..heads.key_columns {
                    for line in 0..heads.unit_lines {
                        let mut rows = [_mm512_setzero_si512(); COLUMN];
                        for (row, frame) in rows.iter_mut().zip(column * COLUMN..heads.frames) {
                            // SAFETY: guaranteed by the caller.
                            *row = unsafe { units(heads, from.add(frame * heads.stride), line) };
                        }
                        transpose(&mut rows);
                        for (unit, row) in rows.into_iter().enumerate() {
                            // SAFETY: the keys have whole lines of units.
                            unsafe {
                                let at = ((column * heads.unit_lines + line) * COLUMN + unit) * LINE;
                                _mm512_store_si512(to.add(at).cast(), row);
                            }
                        }
                    }
                }
            }

            #[inline]
            #[target_feature(enable = $features)]
            unsafe fn pack_values<T: Element>(heads: &Heads, from: *const T, to: *mut u8) {
                for unit in 0..heads.key_units {
                    for column in 0..heads.value_columns {
                        let first = column * COLUMN;
                        let left = heads.head_dim - first;
                        // SAFETY: guaranteed by the caller; with an odd number of frames, the last pair has no second one.
                        unsafe {
                            let to = to.add((unit * heads.value_columns + column) * LINE);
                            let of = |frame: usize| from.add(frame * heads.stride + first);
                            if $half {
                                let second = (2 * unit + 1 < heads.frames).then(|| of(2 * unit + 1));
                                pack_value_pair(of(2 * unit), second, left, to);
                            } else {
                                _mm512_store_ps(to.cast(), load(of(unit), first_lanes(left)));
                            }
                        }
                    }
                }
            }

            /// Attends with the queries of one group.
            #[inline]
            #[target_feature(enable = $features)]
            unsafe fn group_of<T: Element, const R: usize>(heads: &Heads, memory: *mut u8, group: usize, to: *mut T) {
                let first = group * R;
                // SAFETY: guaranteed by the caller: rows of queries, columns of keys and values, and R rows of weights.
                unsafe {
                    let queries = memory.add(first * heads.query_bytes());
                    let mut scores = [[_mm512_set1_ps(f32::NEG_INFINITY); COLUMNS]; R];
                    for column in (0..heads.key_columns).step_by(2) {
                        if heads.key_columns - column > 1 {
                            score::<R, 2>(heads, queries, memory.add(heads.keys_at()), column, &mut scores);
                        } else {
                            score::<R, 1>(heads, queries, memory.add(heads.keys_at()), column, &mut scores);
                        }
                    }
                    let weights = memory.add(heads.weights_at());
                    let inverse = weigh::<R>(heads, &mut scores, weights);
                    let valid = R.min(heads.frames - first);
                    let to = to.add(first * heads.stride);
                    let passes = heads.value_columns.div_ceil(VALUES);
                    for pass in 0..passes {
                        let (from, end) = (pass * heads.value_columns / passes, (pass + 1) * heads.value_columns / passes);
                        let values = memory.add(heads.values_at() + from * LINE);
                        match end - from {
                            1 => sum::<T, R, 1>(heads, weights, values, &inverse, valid, from, to),
                            2 => sum::<T, R, 2>(heads, weights, values, &inverse, valid, from, to),
                            _ => sum::<T, R, VALUES>(heads, weights, values, &inverse, valid, from, to),
                        }
                    }
                }
            }

            /// The scores for N columns of keys starting at `column`; minus infinity where there is no key.
            #[inline]
            #[target_feature(enable = $features)]
            unsafe fn score<const R: usize, const N: usize>(
                heads: &Heads,
                queries: *const u8,
                keys: *const u8,
                column: usize,
                scores: &mut [[__m512; COLUMNS]; R],
            ) {
                let mut sums = [[_mm512_setzero_ps(); N]; R];
                let column_bytes = heads.unit_lines * COLUMN * LINE;
                // SAFETY: guaranteed by the caller.
                unsafe {
                    let keys = keys.add(column * column_bytes);
                    for unit in 0..heads.units {
                        let lines: [__m512i; N] =
                            std::array::from_fn(|column| _mm512_load_si512(keys.add(column * column_bytes + unit * LINE).cast()));
                        for (row, sums) in sums.iter_mut().enumerate() {
                            let $value = _mm512_set1_epi32(queries.add(row * heads.query_bytes()).cast::<i32>().add(unit).read());
                            for (sum, $weights) in sums.iter_mut().zip(lines) {
                                let $sum = *sum;
                                *sum = $product;
                            }
                        }
                    }
                }
                for (scores, sums) in scores.iter_mut().zip(sums) {
                    for (index, sum) in sums.into_iter().enumerate() {
                        let there = first_lanes(heads.frames - (column + index) * COLUMN);
                        scores[column + index] = _mm512_mask_blend_ps(there, _mm512_set1_ps(f32::NEG_INFINITY), sum);
                    }
                }
            }

            /// Turns scores into unnormalised weights; returns the factors that normalise the sums.
            #[inline]
            #[target_feature(enable = $features)]
            unsafe fn weigh<const R: usize>(heads: &Heads, scores: &mut [[__m512; COLUMNS]; R], to: *mut u8) -> [f32; R] {
                let factor = _mm512_set1_ps(heads.factor);
                // Far below zero, the exponential underflows to zero; the floor turns minus infinity into a finite number.
                let floor = _mm512_set1_ps(-200.0);
                let columns = heads.key_columns;
                let mut inverse = [0.0; R];
                for (row, scores) in scores.iter_mut().enumerate() {
                    let mut largest = scores[0];
                    for score in &scores[1..columns] {
                        largest = _mm512_max_ps(largest, *score);
                    }
                    let shift = _mm512_set1_ps(_mm512_reduce_max_ps(largest) * heads.factor);
                    let mut total = _mm512_setzero_ps();
                    for score in &mut scores[..columns] {
                        // `max` returns its second operand if either is a NaN.
                        *score = exp2::<$half>(_mm512_max_ps(floor, _mm512_fmsub_ps(*score, factor, shift)));
                        total = _mm512_add_ps(total, *score);
                    }
                    inverse[row] = 1.0 / _mm512_reduce_add_ps(total);
                    // SAFETY: a row of weights has space for all columns.
                    unsafe {
                        let to = to.add(row * COLUMNS * LINE);
                        for column in (0..columns).step_by(if $half { 2 } else { 1 }) {
                            if $half {
                                put_halves(
                                    to.add(column / 2 * LINE),
                                    scores[column],
                                    if column + 1 < columns { scores[column + 1] } else { _mm512_setzero_ps() },
                                );
                            } else {
                                _mm512_store_ps(to.add(column * LINE).cast(), scores[column]);
                            }
                        }
                    }
                }
                inverse
            }

            /// Writes N columns of the weighted values, starting at channel column `column`, to the results.
            #[inline]
            #[target_feature(enable = $features)]
            unsafe fn sum<T: Element, const R: usize, const N: usize>(
                heads: &Heads,
                weights: *const u8,
                values: *const u8,
                inverse: &[f32; R],
                valid: usize,
                column: usize,
                to: *mut T,
            ) {
                let mut sums = [[_mm512_setzero_ps(); N]; R];
                // SAFETY: guaranteed by the caller.
                unsafe {
                    for unit in 0..heads.key_units {
                        let lines: [__m512i; N] = std::array::from_fn(|column| {
                            _mm512_load_si512(values.add((unit * heads.value_columns + column) * LINE).cast())
                        });
                        for (row, sums) in sums.iter_mut().enumerate() {
                            let $value = _mm512_set1_epi32(weights.add(row * COLUMNS * LINE).cast::<i32>().add(unit).read());
                            for (sum, $weights) in sums.iter_mut().zip(lines) {
                                let $sum = *sum;
                                *sum = $product;
                            }
                        }
                    }
                    for (row, sums) in sums.iter().enumerate().take(valid) {
                        for (index, sum) in sums.iter().enumerate() {
                            let first = (column + index) * COLUMN;
                            let to = to.add(row * heads.stride + first);
                            $store(to, _mm512_mul_ps(*sum, _mm512_set1_ps(inverse[row])), first_lanes(heads.head_dim - first));
                        }
                    }
                }
            }
        }
    };
}

/// Stores 32 weights as bfloat16.
///
/// # Safety
/// `to` has space for a line, and is aligned.
#[inline]
#[target_feature(enable = "avx512f,avx512bf16")]
unsafe fn put_halves(to: *mut u8, low: __m512, high: __m512) {
    // SAFETY: guaranteed by the caller; 32 halves are a line.
    unsafe { _mm512_store_si512(to.cast(), std::mem::transmute::<__m512bh, __m512i>(_mm512_cvtne2ps_pbh(high, low))) }
}

// A vector of 32-bit lanes is a vector of pairs of bfloat16.
precision!(half, true, store_rounding, "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16", |sum, value, weights| _mm512_dpbf16_ps(
    sum,
    std::mem::transmute::<__m512i, __m512bh>(value),
    std::mem::transmute::<__m512i, __m512bh>(weights)
));
precision!(single, false, store_plain, "avx512f,avx512bw,avx512dq,avx512vl", |sum, value, weights| _mm512_fmadd_ps(
    _mm512_castsi512_ps(value),
    _mm512_castsi512_ps(weights),
    sum
));
