//! Vectors of 16 floats: loads and stores in either precision, and the functions of [`super::pointwise`].

/// AVX-512.
#[cfg(target_arch = "x86_64")]
pub(crate) mod avx512 {
    use std::{arch::x86_64::*, mem::MaybeUninit};

    use crate::elementwise::{Element, Stored};

    /// Loads up to 16 elements, widened; lanes outside the mask are zero.
    ///
    /// # Safety
    /// The elements in the mask are valid.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
    pub(crate) unsafe fn load<W: Stored>(from: *const W, mask: __mmask16) -> __m512 {
        // SAFETY: guaranteed by the caller; W is f16, bfloat16 or f32.
        unsafe {
            if W::F16 {
                _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(mask, from.cast()))
            } else if W::BF16 {
                let halves = _mm256_maskz_loadu_epi16(mask, from.cast());
                _mm512_castsi512_ps(_mm512_slli_epi32::<16>(_mm512_cvtepu16_epi32(halves)))
            } else {
                _mm512_maskz_loadu_ps(mask, from.cast())
            }
        }
    }

    /// Stores up to 16 elements, rounding to nearest even with integer arithmetic.
    ///
    /// # Safety
    /// The elements in the mask may be written.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
    pub(crate) unsafe fn store_plain<T: Element>(to: *mut T, value: __m512, mask: __mmask16) {
        // SAFETY: guaranteed by the caller; T is bfloat16 or f32.
        unsafe {
            if !T::HALF {
                return _mm512_mask_storeu_ps(to.cast(), mask, value);
            }
            _mm256_mask_storeu_epi16(to.cast(), mask, narrow(value));
        }
    }

    /// bfloat16, rounded to nearest even with integer arithmetic; a NaN stays a NaN.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
    fn narrow(value: __m512) -> __m256i {
        let bits = _mm512_castps_si512(value);
        let odd = _mm512_and_si512(_mm512_srli_epi32::<16>(bits), _mm512_set1_epi32(1));
        let rounded = _mm512_add_epi32(_mm512_add_epi32(bits, odd), _mm512_set1_epi32(0x7fff));
        let nan = _mm512_cmp_ps_mask::<_CMP_UNORD_Q>(value, value);
        let rounded = _mm512_mask_or_epi32(rounded, nan, bits, _mm512_set1_epi32(0x40_0000));
        _mm512_cvtepi32_epi16(_mm512_srli_epi32::<16>(rounded))
    }

    /// [`store_plain`] with the instruction that rounds.
    ///
    /// # Safety
    /// As [`store_plain`].
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")]
    pub(crate) unsafe fn store_rounding<T: Element>(to: *mut T, value: __m512, mask: __mmask16) {
        // SAFETY: guaranteed by the caller; 16 halves are 256 bits.
        unsafe {
            if !T::HALF {
                return _mm512_mask_storeu_ps(to.cast(), mask, value);
            }
            let halves: __m256i = std::mem::transmute(_mm512_cvtneps_pbh(value));
            _mm256_mask_storeu_epi16(to.cast(), mask, halves);
        }
    }

    /// (x - mean) * factor + bias for each channel of a row, then x * sigmoid(x) if `SILU`. For bfloat16: its 8 bits do not see the errors
    /// of a 14-bit reciprocal and an 18-bit exponential.
    ///
    /// # Safety
    /// `from` and `to` are rows of as many channels as `means`, `factors` and `biases` have.
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")]
    pub(crate) unsafe fn affine<T: Element, const SILU: bool>(from: *const T, to: *mut T, means: &[f32], factors: &[f32], biases: &[f32]) {
        let channels = means.len().min(factors.len()).min(biases.len());
        let one = _mm512_set1_ps(1.0);
        for at in (0..channels).step_by(16) {
            let mask = if channels - at >= 16 { u16::MAX } else { (1 << (channels - at)) - 1 };
            // SAFETY: the mask excludes everything behind the channels.
            unsafe {
                let of = |values: &[f32]| _mm512_maskz_loadu_ps(mask, values.as_ptr().add(at));
                let centred = _mm512_sub_ps(load(from.add(at), mask), of(means));
                let mut value = _mm512_fmadd_ps(centred, of(factors), of(biases));
                if SILU {
                    let power = exp2::<true>(_mm512_max_ps(
                        _mm512_mul_ps(value, _mm512_set1_ps(-std::f32::consts::LOG2_E)),
                        _mm512_set1_ps(-126.0),
                    ));
                    value = _mm512_mul_ps(value, _mm512_rcp14_ps(_mm512_add_ps(one, power)));
                }
                store_rounding(to.add(at), value, mask);
            }
        }
    }

    /// 2^x, zero for x far below -126: accurate to about 2e-7, or if `HALF` to about 4e-6, below bfloat16's resolution (4e-3).
    #[inline]
    #[target_feature(enable = "avx512f")]
    pub(crate) fn exp2<const HALF: bool>(x: __m512) -> __m512 {
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

    /// 2^x to about 1e-4, for weights that are rounded to bfloat16; 0 for minus infinity, and NaN for NaN.
    #[inline]
    #[target_feature(enable = "avx512f,avx512dq")]
    pub(crate) fn exp2_weight(x: __m512) -> __m512 {
        let set = _mm512_set1_ps;
        // What lies above the next lower integer; `scalef` rounds down by itself.
        let r = _mm512_reduce_ps::<{ _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC }>(x);
        // The polynomial of degree 3 with the least relative error for 0 <= r < 1.
        let mut p = _mm512_fmadd_ps(set(7.802_452e-2), r, set(2.260_671_6e-1));
        p = _mm512_fmadd_ps(p, r, set(6.958_335e-1));
        p = _mm512_fmadd_ps(p, r, set(9.999_252e-1));
        _mm512_scalef_ps(p, x)
    }

    /// The first `count` lanes.
    #[inline]
    pub(crate) fn first_lanes(count: usize) -> __mmask16 {
        if count >= 16 { u16::MAX } else { (1 << count) - 1 }
    }

    /// Widens as many numbers as both slices have.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
    pub(crate) fn widen_all<W: Stored>(from: &[W], to: &mut [f32]) {
        for (from, to) in from.chunks(16).zip(to.chunks_mut(16)) {
            let mask = first_lanes(from.len().min(to.len()));
            // SAFETY: the mask has lanes of both slices only.
            unsafe { _mm512_mask_storeu_ps(to.as_mut_ptr(), mask, load(from.as_ptr(), mask)) };
        }
    }

    /// Writes a tile of a product's weights: of each row the first 16 numbers or, in bfloat16, pairs of them, transposed. What a row lacks
    /// is zero.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
    pub(crate) fn tile_of_rows<W: Stored, const HALF: bool>(rows: &[&[W]; 16], to: &mut MaybeUninit<[[u32; 16]; 16]>) {
        let mut registers = [_mm512_setzero_si512(); 16];
        for (register, row) in registers.iter_mut().zip(rows) {
            let from = row.as_ptr();
            // Sixteen rows are more than the processor follows by itself.
            _mm_prefetch::<_MM_HINT_T0>(from.wrapping_add(512 / size_of::<W>()).cast());
            // SAFETY: the masks have the row's numbers only.
            *register = unsafe {
                let low = first_lanes(row.len());
                if !HALF {
                    _mm512_castps_si512(load(from, low))
                } else {
                    let high = first_lanes(row.len().saturating_sub(16));
                    let (low, high) = (narrow(load(from, low)), narrow(load(from.wrapping_add(16), high)));
                    _mm512_inserti64x4::<1>(_mm512_castsi256_si512(low), high)
                }
            };
        }
        store_transposed(registers, to);
    }

    /// Transposes: lane i of row j becomes lane j of row i.
    #[inline]
    #[target_feature(enable = "avx512f")]
    pub(crate) fn transpose(rows: &mut [__m512i; 16]) {
        let mut pairs = [_mm512_setzero_si512(); 16];
        for i in (0..16).step_by(2) {
            pairs[i] = _mm512_unpacklo_epi32(rows[i], rows[i + 1]);
            pairs[i + 1] = _mm512_unpackhi_epi32(rows[i], rows[i + 1]);
        }
        for i in (0..16).step_by(4) {
            rows[i] = _mm512_unpacklo_epi64(pairs[i], pairs[i + 2]);
            rows[i + 1] = _mm512_unpackhi_epi64(pairs[i], pairs[i + 2]);
            rows[i + 2] = _mm512_unpacklo_epi64(pairs[i + 1], pairs[i + 3]);
            rows[i + 3] = _mm512_unpackhi_epi64(pairs[i + 1], pairs[i + 3]);
        }
        // Now quarter c of rows[4 a + b] holds lanes 4 c + b of rows 4 a to 4 a + 3.
        for b in 0..4 {
            let low = [_mm512_shuffle_i32x4::<0x88>(rows[b], rows[4 + b]), _mm512_shuffle_i32x4::<0xdd>(rows[b], rows[4 + b])];
            let high = [_mm512_shuffle_i32x4::<0x88>(rows[8 + b], rows[12 + b]), _mm512_shuffle_i32x4::<0xdd>(rows[8 + b], rows[12 + b])];
            pairs[b] = _mm512_shuffle_i32x4::<0x88>(low[0], high[0]);
            pairs[4 + b] = _mm512_shuffle_i32x4::<0x88>(low[1], high[1]);
            pairs[8 + b] = _mm512_shuffle_i32x4::<0xdd>(low[0], high[0]);
            pairs[12 + b] = _mm512_shuffle_i32x4::<0xdd>(low[1], high[1]);
        }
        *rows = pairs;
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    fn store_transposed(mut rows: [__m512i; 16], to: &mut MaybeUninit<[[u32; 16]; 16]>) {
        transpose(&mut rows);
        let to = to.as_mut_ptr().cast::<__m512i>();
        for (index, row) in rows.iter().enumerate() {
            // SAFETY: there are 16 rows, each as long as a register.
            unsafe { _mm512_storeu_si512(to.add(index), *row) };
        }
    }

    /// [`transpose`] in memory.
    #[inline]
    #[target_feature(enable = "avx512f")]
    pub(crate) fn transpose_words(rows: &[[u32; 16]; 16], to: &mut MaybeUninit<[[u32; 16]; 16]>) {
        let mut registers = [_mm512_setzero_si512(); 16];
        for (register, row) in registers.iter_mut().zip(rows) {
            // SAFETY: a row is as long as a register.
            *register = unsafe { _mm512_loadu_si512(row.as_ptr().cast()) };
        }
        store_transposed(registers, to);
    }

    /// See [`crate::elementwise::pointwise::gelu`].
    #[inline]
    #[target_feature(enable = "avx512f")]
    pub(crate) fn gelu(x: __m512) -> __m512 {
        let set = _mm512_set1_ps;
        let s = _mm512_mul_ps(x, set(std::f32::consts::FRAC_1_SQRT_2));
        let s = _mm512_min_ps(set(4.0), _mm512_max_ps(set(-4.0), s));
        let t = _mm512_mul_ps(s, s);
        let mut p = set(-2.726_142_3e-10);
        for factor in [2.770_681_4e-8, -2.101_024e-6, -5.692_506_6e-5, -7.349_906_3e-4, -2.954_6e-3, -1.609_603_4e-2] {
            p = _mm512_fmadd_ps(p, t, set(factor));
        }
        let mut q = set(-1.456_607_2e-5);
        for factor in [-2.133_740_6e-4, -1.682_827e-3, -7.373_329e-3, -1.426_474e-2] {
            q = _mm512_fmadd_ps(q, t, set(factor));
        }
        // One step of Newton's method doubles the 14 bits of the estimate; a division would take longer than all the rest.
        let estimate = _mm512_rcp14_ps(q);
        let inverse = _mm512_mul_ps(estimate, _mm512_fnmadd_ps(q, estimate, set(2.0)));
        let erf = _mm512_mul_ps(_mm512_mul_ps(s, p), inverse);
        let half = _mm512_mul_ps(x, set(0.5));
        _mm512_fmadd_ps(half, erf, half)
    }
}

/// Runs a plain loop compiled for the level's vectors, not for the build's baseline processor.
///
/// The closure needs `#[inline(always)]`, or it is compiled for the baseline. Sums must be written as interleaved lanes: the compiler keeps
/// the order of additions, so results are the same at every level.
#[inline]
pub(crate) fn vectorised<R>(level: crate::runtime::Level, run: impl FnOnce() -> R) -> R {
    #[cfg(target_arch = "x86_64")]
    {
        #[target_feature(enable = "avx2,fma,f16c")]
        fn avx2<R>(run: impl FnOnce() -> R) -> R {
            run()
        }
        #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
        fn avx512<R>(run: impl FnOnce() -> R) -> R {
            run()
        }
        match level {
            crate::runtime::Level::Portable => run(),
            // SAFETY: an engine has a level only if the processor supports it.
            crate::runtime::Level::Avx2 => unsafe { avx2(run) },
            // SAFETY: as above.
            crate::runtime::Level::Avx512 | crate::runtime::Level::Avx512Bf16 | crate::runtime::Level::Amx => unsafe { avx512(run) },
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        let _ = level;
        run()
    }
}
