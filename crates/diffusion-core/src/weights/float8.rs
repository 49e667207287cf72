//! Floats of eight bits: what each of the 256 codes of both kinds means.
//!
//! It must not know files. The invariant: both are widened without loss, for f16 holds every number of either.
//! Reference: Micikevicius et al. 2022, "FP8 formats for deep learning", table 1; torch's float8_e4m3fn ("fn": finite, no infinities).

use half::f16;

/// Four bits of exponent, biased by 7, and three of mantissa; all ones are NaN, and there are no infinities.
pub(super) fn e4m3(code: u8) -> f16 {
    let (exponent, mantissa) = (u16::from((code >> 3) & 0xf), u16::from(code & 7));
    let magnitude = match (exponent, mantissa) {
        (0xf, 7) => f16::NAN,
        // Below the smallest exponent they count in steps of 2^-9.
        (0, _) => f16::from_f32(f32::from(mantissa) / 512.0),
        // f16's exponent is biased by 15, and its mantissa is seven bits longer.
        (..) => f16::from_bits(((exponent + 8) << 10) | (mantissa << 7)),
    };
    if code & 0x80 == 0 { magnitude } else { -magnitude }
}

/// Five bits of exponent and two of mantissa: the upper byte of an f16.
pub(super) fn e5m2(code: u8) -> f16 {
    f16::from_bits(u16::from(code) << 8)
}
