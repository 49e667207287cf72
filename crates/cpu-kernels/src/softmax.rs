//! The middle of an attention: from a block of scores to the weights of the values, as the softmax goes along.

use crate::{
    Level,
    block::{SUM_STRIDE, SUMS},
    pack::COLUMN,
};

/// Queries at a time, at most.
const ROWS: usize = 32;

/// What is known of each query's scores so far.
pub(crate) struct State {
    /// Scores are multiplied by this, and so become powers of two.
    factor: f32,
    /// The largest score so far, times `factor`.
    largest: [f32; ROWS],
    /// The sum of the weights, relative to the largest.
    sums: [f32; ROWS],
}

impl State {
    /// Before any key; scores are to be multiplied by `scale`.
    pub(crate) fn new(scale: f32) -> Self {
        Self { factor: scale * std::f32::consts::LOG2_E, largest: [f32::NEG_INFINITY; ROWS], sums: [0.0; ROWS] }
    }

    /// The sum of a query's weights.
    pub(crate) fn sum(&self, row: usize) -> f32 {
        self.sums[row]
    }
}

/// Takes in the scores of `keys` more keys, for `rows` queries: (state, scores, keys, rows, the key that the first query of a causal
/// attention may see last, weights, bytes from one query's weights to the next, sums of the values, pairs of columns of those).
///
/// Scores are sums of blocks, a pair of columns each. Weights are written in bfloat16 or f32, with zeros up to a multiple of 32 keys.
/// The sums are scaled down to the new largest score.
///
/// # Safety
/// All that is there, and aligned to a cache line.
pub(crate) type Soften = unsafe fn(&mut State, *mut f32, usize, usize, Option<isize>, *mut u8, usize, *mut f32, usize);

/// The function for a level and precision of the weights.
pub(crate) fn of(level: Level, bf16: bool) -> Soften {
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

/// Hides the scores that a query must not see.
#[inline(always)]
unsafe fn hide(scores: *mut f32, row: usize, keys: usize, causal_from: Option<isize>) {
    let padded = keys.next_multiple_of(2 * COLUMN);
    let seen = causal_from.map_or(keys, |first| keys.min((first + row as isize + 1).max(0) as usize));
    for key in seen..padded {
        // SAFETY: within the blocks of the keys.
        unsafe { scores.add(key / (2 * COLUMN) * SUMS + row * SUM_STRIDE + key % (2 * COLUMN)).write(f32::NEG_INFINITY) };
    }
}

/// 2^x, to about 2 units in the last place; 0 far below.
#[inline(always)]
fn exp2(x: f32) -> f32 {
    const ROUND: f32 = 12_582_912.0;
    let x = x.max(-126.0);
    let shifted = x + ROUND;
    let r = (x - (shifted - ROUND)) * std::f32::consts::LN_2;
    let p = 1.0 + r * (1.0 + r * (0.5 + r * (1.0 / 6.0 + r * (1.0 / 24.0 + r * (1.0 / 120.0 + r * (1.0 / 720.0))))));
    p * f32::from_bits(shifted.to_bits().wrapping_add(127) << 23)
}

#[expect(clippy::too_many_arguments, reason = "see Soften")]
unsafe fn portable(
    state: &mut State,
    scores: *mut f32,
    keys: usize,
    rows: usize,
    causal_from: Option<isize>,
    weights: *mut u8,
    weight_stride: usize,
    sums: *mut f32,
    pairs: usize,
) {
    // SAFETY: as the caller vouches.
    unsafe { any(state, scores, keys, rows, causal_from, weights, weight_stride, sums, pairs) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
#[expect(clippy::too_many_arguments, reason = "see Soften")]
unsafe fn avx2(
    state: &mut State,
    scores: *mut f32,
    keys: usize,
    rows: usize,
    causal_from: Option<isize>,
    weights: *mut u8,
    weight_stride: usize,
    sums: *mut f32,
    pairs: usize,
) {
    // SAFETY: as the caller vouches.
    unsafe { any(state, scores, keys, rows, causal_from, weights, weight_stride, sums, pairs) }
}

/// Plain Rust; weights in f32.
#[inline(always)]
#[expect(clippy::too_many_arguments, reason = "see Soften")]
unsafe fn any(
    state: &mut State,
    scores: *mut f32,
    keys: usize,
    rows: usize,
    causal_from: Option<isize>,
    weights: *mut u8,
    weight_stride: usize,
    sums: *mut f32,
    pairs: usize,
) {
    const LANES: usize = 2 * COLUMN;
    let blocks = keys.div_ceil(LANES);
    for row in 0..rows {
        // SAFETY: as the caller vouches: every row of every block of scores, weights and sums.
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
            // Nothing seen yet: differences from zero, not from minus infinity.
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

    use super::{COLUMN, SUM_STRIDE, SUMS, State, hide};

    /// 2^x: to about 2e-7, or for weights that become bfloat16 (which keeps 4e-3) to about 4e-6.
    #[inline]
    #[target_feature(enable = "avx512f")]
    fn exp2<const HALF: bool>(x: __m512) -> __m512 {
        let set = _mm512_set1_ps;
        let n = _mm512_roundscale_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(x);
        let r = _mm512_sub_ps(x, n);
        // ln(2)^k / k!, the Taylor series: |r| <= 1/2.
        let mut p = if HALF { set(9.618_129e-3) } else { set(1.540_353e-4) };
        if !HALF {
            p = _mm512_fmadd_ps(p, r, set(1.333_355_8e-3));
            p = _mm512_fmadd_ps(p, r, set(9.618_129e-3));
        }
        p = _mm512_fmadd_ps(p, r, set(5.550_411e-2));
        p = _mm512_fmadd_ps(p, r, set(2.402_265e-1));
        p = _mm512_fmadd_ps(p, r, set(std::f32::consts::LN_2));
        p = _mm512_fmadd_ps(p, r, set(1.0));
        _mm512_scalef_ps(p, n)
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
    #[expect(clippy::too_many_arguments, reason = "see Soften")]
    pub(super) unsafe fn single(
        state: &mut State,
        scores: *mut f32,
        keys: usize,
        rows: usize,
        causal_from: Option<isize>,
        weights: *mut u8,
        weight_stride: usize,
        sums: *mut f32,
        pairs: usize,
    ) {
        let put = |to: *mut u8, block: usize, low: __m512, high: __m512| {
            // SAFETY: as the caller of `rows` vouches.
            unsafe {
                let to = to.cast::<f32>().add(block * 2 * COLUMN);
                _mm512_store_ps(to, low);
                _mm512_store_ps(to.add(COLUMN), high);
            }
        };
        // SAFETY: as the caller vouches.
        unsafe { each_row::<false>(state, scores, keys, rows, causal_from, weights, weight_stride, sums, pairs, put) }
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")]
    #[expect(clippy::too_many_arguments, reason = "see Soften")]
    pub(super) unsafe fn half(
        state: &mut State,
        scores: *mut f32,
        keys: usize,
        rows: usize,
        causal_from: Option<isize>,
        weights: *mut u8,
        weight_stride: usize,
        sums: *mut f32,
        pairs: usize,
    ) {
        let put = |to: *mut u8, block: usize, low: __m512, high: __m512| {
            // SAFETY: as the caller of `rows` vouches; 32 halves are a vector.
            unsafe {
                let halves: __m512i = std::mem::transmute(_mm512_cvtne2ps_pbh(high, low));
                _mm512_store_si512(to.add(block * 64).cast(), halves);
            }
        };
        // SAFETY: as the caller vouches.
        unsafe { each_row::<true>(state, scores, keys, rows, causal_from, weights, weight_stride, sums, pairs, put) }
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
    #[expect(clippy::too_many_arguments, reason = "see Soften")]
    unsafe fn each_row<const HALF: bool>(
        state: &mut State,
        scores: *mut f32,
        keys: usize,
        rows: usize,
        causal_from: Option<isize>,
        weights: *mut u8,
        weight_stride: usize,
        sums: *mut f32,
        pairs: usize,
        put: impl Fn(*mut u8, usize, __m512, __m512),
    ) {
        let blocks = keys.div_ceil(2 * COLUMN);
        let ragged = causal_from.is_some() || !keys.is_multiple_of(2 * COLUMN);
        let factor = _mm512_set1_ps(state.factor);
        for row in 0..rows {
            // SAFETY: as the caller vouches: every row of every block of scores, weights and sums.
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
                // Nothing seen yet: differences from zero, not from minus infinity.
                let base = if largest == f32::NEG_INFINITY { 0.0 } else { largest };
                let shift = _mm512_set1_ps(base);
                let mut total = [_mm512_setzero_ps(); 2];
                let to = weights.add(row * weight_stride);
                for block in 0..blocks {
                    let low = _mm512_fmsub_ps(_mm512_load_ps(line.add(block * SUMS)), factor, shift);
                    let high = _mm512_fmsub_ps(_mm512_load_ps(line.add(block * SUMS + COLUMN)), factor, shift);
                    // Far below zero, minus infinity included, the power is zero by itself once the rest is finite.
                    let floor = _mm512_set1_ps(-200.0);
                    let low = exp2::<HALF>(_mm512_max_ps(low, floor));
                    let high = exp2::<HALF>(_mm512_max_ps(high, floor));
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
