//! The precisions of activations.

use half::bf16;

use super::Stored;

/// An activation's element: f32, or bfloat16, which is widened to f32 for all arithmetic except products. It is
/// also a number that a weight may be stored as.
pub trait Element: Stored + Default + std::fmt::Debug {
    /// Whether this is bfloat16.
    const HALF: bool;
    /// Widens to f32, exactly.
    fn widen(self) -> f32;
    /// Rounds to nearest, ties to even; a NaN stays a NaN.
    fn narrow(value: f32) -> Self;
}

impl Element for f32 {
    const HALF: bool = false;
    #[inline(always)]
    fn widen(self) -> f32 {
        self
    }
    #[inline(always)]
    fn narrow(value: f32) -> Self {
        value
    }
}

impl Element for bf16 {
    const HALF: bool = true;
    #[inline(always)]
    fn widen(self) -> f32 {
        f32::from_bits(u32::from(self.to_bits()) << 16)
    }
    #[inline(always)]
    fn narrow(value: f32) -> Self {
        // Branch-free, so that loops vectorise: a NaN keeps its upper half with the quiet bit set.
        let bits = value.to_bits();
        let rounded = bits.wrapping_add(0x7fff + ((bits >> 16) & 1)) >> 16;
        let quiet = (bits >> 16) | 0x40;
        Self::from_bits(if value.is_nan() { quiet } else { rounded } as u16)
    }
}

/// Writes a value as element `index` in bfloat16 or f32, the precision that products read.
///
/// # Safety
/// `to` has space for it.
#[inline(always)]
pub(crate) unsafe fn put<T: Element>(bf16: bool, to: *mut u8, index: usize, value: T) {
    // SAFETY: guaranteed by the caller.
    unsafe {
        if bf16 {
            to.cast::<bf16>().add(index).write(bf16::narrow(value.widen()));
        } else {
            to.cast::<f32>().add(index).write(value.widen());
        }
    }
}
