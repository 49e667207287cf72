//! The online softmax between the two products of an attention: from a block of scores to the weights of the values.

use crate::{
    product::{
        COLUMN,
        block::{self, SUM_STRIDE, SUMS},
    },
    runtime::Level,
};

/// Queries at a time, at most: two row tiles.
pub(crate) const ROWS: usize = 2 * block::ROWS;

/// The running state of each query's softmax.
pub(crate) struct State {
    /// Factor from scores to base-2 exponents.
    factor: f32,
    /// The running maximum of the scores, times `factor`.
    largest: [f32; ROWS],
    /// The sum of the weights, relative to the maximum.
    sums: [f32; ROWS],
}

impl State {
    /// The state before any key; `scale` is the factor of the scores.
    pub(crate) fn new(scale: f32) -> Self {
        Self { factor: scale * std::f32::consts::LOG2_E, largest: [f32::NEG_INFINITY; ROWS], sums: [0.0; ROWS] }
    }

    /// The sum of a query's weights.
    pub(crate) fn sum(&self, row: usize) -> f32 {
        self.sums[row]
    }
}

/// A block of scores, and the outputs of its softmax.
#[derive(Clone, Copy)]
pub(crate) struct Scores {
    /// Sums of product blocks, one for each pair of columns of keys.
    pub(crate) scores: *mut f32,
    /// Number of keys.
    pub(crate) keys: usize,
    /// Number of queries.
    pub(crate) rows: usize,
    /// The last key that the first query of a causal attention sees; each further query sees one more.
    pub(crate) causal_from: Option<isize>,
    /// Receives the weights in bfloat16 or f32, with zeros up to a multiple of 32 keys.
    pub(crate) weights: *mut u8,
    /// Bytes from one query's weights to the next.
    pub(crate) weight_stride: usize,
    /// The weighted sums so far, as blocks; rescaled to the new maximum.
    pub(crate) sums: *mut f32,
    /// Pairs of columns in `sums`.
    pub(crate) pairs: usize,
}

/// Updates the state with a block of scores.
///
/// # Safety
/// All pointers are valid, and aligned to a cache line.
pub(crate) type UpdateFn = unsafe fn(&mut State, &Scores);

/// The function for a level and precision of the weights.
pub(crate) fn of(level: Level, bf16: bool) -> UpdateFn {
    match (level, bf16) {
        (Level::Portable, _) => portable,
        #[cfg(target_arch = "x86_64")]
        (Level::Avx2, _) => avx2,
        #[cfg(target_arch = "x86_64")]
        (Level::Avx512 | Level::Avx512Bf16 | Level::Amx, false) => avx512::single,
        #[cfg(target_arch = "x86_64")]
        (Level::Avx512 | Level::Avx512Bf16 | Level::Amx, true) => avx512::half,
        #[cfg(not(target_arch = "x86_64"))]
        _ => portable,
    }
}

/// Sets to minus infinity the scores that a query must not see.
#[inline(always)]
unsafe fn hide(scores: *mut f32, row: usize, keys: usize, causal_from: Option<isize>) {
    let padded = keys.next_multiple_of(2 * COLUMN);
    let seen = causal_from.map_or(keys, |first| keys.min((first + row as isize + 1).max(0) as usize));
    for key in seen..padded {
        // SAFETY: within the blocks of the keys.
        unsafe { scores.add(key / (2 * COLUMN) * SUMS + row * SUM_STRIDE + key % (2 * COLUMN)).write(f32::NEG_INFINITY) };
    }
}

/// 2^x, to about 2 units in the last place; 2^-126 for x below -126.
#[inline(always)]
fn exp2(x: f32) -> f32 {
    const ROUND: f32 = 12_582_912.0;
    // Not `max`, which would hide a NaN.
    let x = if x < -126.0 { -126.0 } else { x };
    let shifted = x + ROUND;
    let r = (x - (shifted - ROUND)) * std::f32::consts::LN_2;
    let p = 1.0 + r * (1.0 + r * (0.5 + r * (1.0 / 6.0 + r * (1.0 / 24.0 + r * (1.0 / 120.0 + r * (1.0 / 720.0))))));
    p * f32::from_bits(shifted.to_bits().wrapping_add(127) << 23)
}

unsafe fn portable(state: &mut State, block: &Scores) {
    // SAFETY: guaranteed by the caller.
    unsafe { any(state, block) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn avx2(state: &mut State, block: &Scores) {
    // SAFETY: guaranteed by the caller.
    unsafe { any(state, block) }
}

/// Plain Rust; weights in f32.
#[inline(always)]
unsafe fn any(state: &mut State, block: &Scores) {
    let Scores { scores, keys, rows, causal_from, weights, weight_stride, sums, pairs } = *block;
    const LANES: usize = 2 * COLUMN;
    let blocks = keys.div_ceil(LANES);
    for row in 0..rows {
        // SAFETY: guaranteed by the caller: every row of every block of scores, weights and sums.
        unsafe {
            hide(scores, row, keys, causal_from);
            let line = |block: usize| &*scores.add(block * SUMS + row * SUM_STRIDE).cast::<[f32; LANES]>();
            let mut largest = [f32::NEG_INFINITY; LANES];
            for block in 0..blocks {
                for (largest, score) in largest.iter_mut().zip(line(block)) {
                    *largest = if *score > *largest { *score } else { *largest };
                }
            }
            let largest = largest.iter().fold(f32::NEG_INFINITY, |a, b| a.max(*b)) * state.factor;
            let before = state.largest[row];
            let largest = largest.max(before);
            // No key seen yet: subtract zero, not minus infinity.
            let base = if largest == f32::NEG_INFINITY { 0.0 } else { largest };
            let mut total = [0_f32; LANES];
            let to = weights.add(row * weight_stride).cast::<[f32; LANES]>();
            for block in 0..blocks {
                let to = &mut *to.add(block);
                for ((to, score), total) in to.iter_mut().zip(line(block)).zip(&mut total) {
                    let power = exp2(score * state.factor - base);
                    *to = if *score == f32::NEG_INFINITY { 0.0 } else { power };
                    *total += *to;
                }
            }
            let shrink = if before == f32::NEG_INFINITY { 0.0 } else { exp2(before - base) };
            state.largest[row] = largest;
            state.sums[row] = state.sums[row] * shrink + total.iter().sum::<f32>();
            if shrink != 1.0 && before != f32::NEG_INFINITY {
                for pair in 0..pairs {
                    for sum in &mut *sums.add(pair * SUMS + row * SUM_STRIDE).cast::<[f32; LANES]>() {
                        *sum *= shrink;
                    }
                }
            }
        }
    }
}

/// AVX-512.
#[cfg(target_arch = "x86_64")]
mod avx512 {
    use std::arch::x86_64::*;

    use super::{COLUMN, SUM_STRIDE, SUMS, Scores, State, hide};
    use crate::elementwise::vector::avx512::exp2;

    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
    pub(super) unsafe fn single(state: &mut State, block: &Scores) {
        let put = |to: *mut u8, block: usize, low: __m512, high: __m512| {
            // SAFETY: guaranteed by the caller of `single`.
            unsafe {
                let to = to.cast::<f32>().add(block * 2 * COLUMN);
                _mm512_store_ps(to, low);
                _mm512_store_ps(to.add(COLUMN), high);
            }
        };
        // SAFETY: guaranteed by the caller.
        unsafe { each_row::<false>(state, block, put) }
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")]
    pub(super) unsafe fn half(state: &mut State, block: &Scores) {
        let put = |to: *mut u8, block: usize, low: __m512, high: __m512| {
            // SAFETY: guaranteed by the caller of `half`; 32 halves are a vector.
            unsafe {
                let halves: __m512i = std::mem::transmute(_mm512_cvtne2ps_pbh(high, low));
                _mm512_store_si512(to.add(block * 64).cast(), halves);
            }
        };
        // SAFETY: guaranteed by the caller.
        unsafe { each_row::<true>(state, block, put) }
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
    unsafe fn each_row<const HALF: bool>(state: &mut State, block: &Scores, put: impl Fn(*mut u8, usize, __m512, __m512)) {
        let Scores { scores, keys, rows, causal_from, weights, weight_stride, sums, pairs } = *block;
        let blocks = keys.div_ceil(2 * COLUMN);
        let ragged = causal_from.is_some() || !keys.is_multiple_of(2 * COLUMN);
        let factor = _mm512_set1_ps(state.factor);
        for row in 0..rows {
            // SAFETY: guaranteed by the caller: every row of every block of scores, weights and sums.
            unsafe {
                if ragged {
                    hide(scores, row, keys, causal_from);
                }
                let line = scores.add(row * SUM_STRIDE);
                let mut largest = [_mm512_set1_ps(f32::NEG_INFINITY); 2];
                for block in 0..blocks {
                    largest[0] = _mm512_max_ps(largest[0], _mm512_load_ps(line.add(block * SUMS)));
                    largest[1] = _mm512_max_ps(largest[1], _mm512_load_ps(line.add(block * SUMS + COLUMN)));
                }
                let before = state.largest[row];
                let largest = (_mm512_reduce_max_ps(_mm512_max_ps(largest[0], largest[1])) * state.factor).max(before);
                // No key seen yet: subtract zero, not minus infinity.
                let base = if largest == f32::NEG_INFINITY { 0.0 } else { largest };
                let shift = _mm512_set1_ps(base);
                let mut total = [_mm512_setzero_ps(); 2];
                let to = weights.add(row * weight_stride);
                for block in 0..blocks {
                    let low = _mm512_fmsub_ps(_mm512_load_ps(line.add(block * SUMS)), factor, shift);
                    let high = _mm512_fmsub_ps(_mm512_load_ps(line.add(block * SUMS + COLUMN)), factor, shift);
                    // Far below zero, the exponential underflows to zero; the floor turns minus infinity into a finite number.
                    let floor = _mm512_set1_ps(-200.0);
                    // `max` returns its second operand if either is a NaN.
                    let low = exp2::<HALF>(_mm512_max_ps(floor, low));
                    let high = exp2::<HALF>(_mm512_max_ps(floor, high));
                    total = [_mm512_add_ps(total[0], low), _mm512_add_ps(total[1], high)];
                    put(to, block, low, high);
                }
                let shrink = if before == f32::NEG_INFINITY { 0.0 } else { (before - base).exp2() };
                state.largest[row] = largest;
                state.sums[row] = state.sums[row] * shrink + _mm512_reduce_add_ps(_mm512_add_ps(total[0], total[1]));
                if shrink != 1.0 && before != f32::NEG_INFINITY {
                    let shrink = _mm512_set1_ps(shrink);
                    for pair in 0..pairs {
                        for half in 0..2 {
                            let sum = sums.add(pair * SUMS + row * SUM_STRIDE + half * COLUMN);
                            _mm512_store_ps(sum, _mm512_mul_ps(_mm512_load_ps(sum), shrink));
                        }
                    }
                }
            }
        }
    }
}
