//! 8-bit floats: the values of the 256 codes of both formats.
//!
//! This module must not depend on files. Invariant: both formats are widened losslessly, because f16 can represent every value of either.
//! Reference: Micikevicius et al. 2022, "FP8 formats for deep learning", table 1; torch's float8_e4m3fn ("fn": finite, no infinities).

use half::f16;

/// Four exponent bits with bias 7, and three mantissa bits; all ones are NaN, and there are no infinities.
pub(super) fn e4m3(code: u8) -> f16 {
    let (exponent, mantissa) = (u16::from((code >> 3) & 0xf), u16::from(code & 7));
    let magnitude = match (exponent, mantissa) {
        (0xf, 7) => f16::NAN,
        // Subnormal numbers are multiples of 2^-9.
        (0, _) => f16::from_f32(f32::from(mantissa) / 512.0),
        // f16's exponent has bias 15, and its mantissa is seven bits longer.
        (..) => f16::from_bits(((exponent + 8) << 10) | (mantissa << 7)),
    };
    if code & 0x80 == 0 { magnitude } else { -magnitude }
}

/// Five exponent bits and two mantissa bits: the upper byte of an f16.
pub(super) fn e5m2(code: u8) -> f16 {
    f16::from_bits(u16::from(code) << 8)
}
