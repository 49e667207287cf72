//! A tensor's numbers where they lie: in the bytes of its file, with the changes that are added when they are read.
//!
//! This module must not depend on files or names. Invariant: there is a [`StoredNumbers`] only for bytes that are numbers as this machine
//! reads them, so that nothing is converted or copied.

use cpu_kernels::{Change, Weight, engine};
use half::{bf16, f16};

use super::strided::Element;

/// A tensor's numbers, row-major.
#[derive(Clone, Copy, Debug)]
pub struct Numbers<'a> {
    /// As they are stored.
    pub stored: StoredNumbers<'a>,
    /// What is added to them in f32; each change is a matrix with a row for each number of the tensor's first dimension.
    pub changes: &'a [Change<'a>],
}

impl<'a> From<StoredNumbers<'a>> for Numbers<'a> {
    fn from(stored: StoredNumbers<'a>) -> Self {
        Self { stored, changes: &[] }
    }
}

impl Numbers<'_> {
    /// The changed numbers of a tensor whose first dimension is `rows`.
    pub(crate) fn changed(self, rows: usize) -> Vec<f32> {
        let Self { stored, changes } = self;
        match stored {
            StoredNumbers::F32(numbers) => Weight { numbers, changes }.changed(engine(), rows),
            StoredNumbers::F16(numbers) => Weight { numbers, changes }.changed(engine(), rows),
            StoredNumbers::Bf16(numbers) => Weight { numbers, changes }.changed(engine(), rows),
        }
    }
}

/// Numbers in a row, as they are stored.
#[derive(Clone, Copy, Debug)]
pub enum StoredNumbers<'a> {
    /// 32-bit floats.
    F32(&'a [f32]),
    /// Half precision.
    F16(&'a [f16]),
    /// bfloat16.
    Bf16(&'a [bf16]),
}

impl<'a> StoredNumbers<'a> {
    /// The numbers of these little-endian bytes; `None` for other types, for bytes that are not aligned for them, and on a machine with
    /// another order of bytes.
    pub(super) fn of(bytes: &'a [u8], element: Element) -> Option<Self> {
        if cfg!(target_endian = "big") {
            return None;
        }
        match element {
            Element::F32 => bytemuck::try_cast_slice(bytes).ok().map(Self::F32),
            Element::F16 => bytemuck::try_cast_slice(bytes).ok().map(Self::F16),
            Element::Bf16 => bytemuck::try_cast_slice(bytes).ok().map(Self::Bf16),
            Element::F64 | Element::I64 | Element::F8E4M3 | Element::F8E5M2 | Element::Other { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_aligned_bytes_of_a_known_type_are_numbers() {
        let halves = [0_u16, 0x3c00, 0xc000, 0x7bff];
        let bytes: &[u8] = bytemuck::cast_slice(&halves);
        assert!(
            matches!(StoredNumbers::of(bytes, Element::F16), Some(StoredNumbers::F16(found)) if found.iter().map(|half| half.to_f32()).eq([0.0, 1.0, -2.0, 65504.0]))
        );
        assert!(matches!(StoredNumbers::of(bytes, Element::Bf16), Some(StoredNumbers::Bf16(found)) if found.len() == 4));
        assert!(StoredNumbers::of(&bytes[1..], Element::F16).is_none(), "not aligned");
        assert!(StoredNumbers::of(&bytes[..3], Element::F16).is_none(), "half a number");
        assert!(StoredNumbers::of(bytes, Element::F8E4M3).is_none());
        assert!(StoredNumbers::of(bytes, Element::BYTE).is_none());
    }
}
