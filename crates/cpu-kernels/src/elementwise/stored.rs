//! The numbers that weights are stored as, and how they widen to f32.

use half::{bf16, f16, slice::HalfFloatSliceExt as _};

mod sealed {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for half::bf16 {}
    impl Sealed for half::f16 {}
}

/// A number of a stored weight: f32, bfloat16 or f16.
pub trait Stored: Copy + Send + Sync + sealed::Sealed + 'static {
    /// Whether every number is one of bfloat16.
    const BF16: bool;
    /// Whether this is f16.
    const F16: bool;
    /// Widens as many numbers as both slices have, exactly.
    fn widen_all(from: &[Self], to: &mut [f32]);
}

impl Stored for f32 {
    const BF16: bool = false;
    const F16: bool = false;
    #[inline(always)]
    fn widen_all(from: &[Self], to: &mut [f32]) {
        for (wide, number) in to.iter_mut().zip(from) {
            *wide = *number;
        }
    }
}

impl Stored for bf16 {
    const BF16: bool = true;
    const F16: bool = false;
    #[inline(always)]
    fn widen_all(from: &[Self], to: &mut [f32]) {
        for (wide, number) in to.iter_mut().zip(from) {
            *wide = f32::from_bits(u32::from(number.to_bits()) << 16);
        }
    }
}

impl Stored for f16 {
    const BF16: bool = false;
    const F16: bool = true;
    #[inline(always)]
    fn widen_all(from: &[Self], to: &mut [f32]) {
        let count = from.len().min(to.len());
        from[..count].convert_to_f32_slice(&mut to[..count]);
    }
}
