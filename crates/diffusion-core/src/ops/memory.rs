//! Memory of weights and activations in each execution, for estimates before anything is run.
//!
//! This module must not depend on models. Invariant: estimates are upper bounds; where the shape does not determine how a layer stores a
//! weight, the larger size counts.

use candle_core::DType;
use cpu_kernels::{Level, Packed, engine};

use super::portable::SCRATCH_BYTES;

/// Bytes that a portable layer's own tensors take for each element of the largest tensor: a group norm holds five copies in f32 and its
/// result.
const PORTABLE_BYTES: u64 = 24;

/// Scratch tensors that portable attention holds at once: scores, their softmax, and the softmax in the values' precision.
const PORTABLE_SCRATCHES: u64 = 3;

/// Bytes of a weight of this shape, loaded in this precision; `on_cpu` if the CPU's kernels multiply it, in their fastest form.
pub fn weight_bytes(shape: &[usize], dtype: DType, on_cpu: bool) -> u64 {
    let elements = shape.iter().fold(1_u64, |product, extent| product.saturating_mul(*extent as u64));
    let (true, [outputs, inputs, taps @ ..]) = (on_cpu, shape) else {
        return elements.saturating_mul(dtype.size_in_bytes() as u64);
    };
    let (bytes, _) = packing(dtype);
    let packed = elements.saturating_mul(bytes);
    let points = if taps == [3, 3] { Packed::most_points(engine().level(), bytes == 2, *outputs, *inputs) } else { 9 };
    if points == 9 { packed } else { packed.saturating_mul(points as u64) / 9 }
}

/// Bytes that [`weight_bytes`] counts too many, at least, for 3x3 kernels of so many elements in all if they are kept compact.
pub fn compact_saving(elements: usize, dtype: DType, on_cpu: bool) -> u64 {
    let (bytes, transforms) = packing(dtype);
    if on_cpu && transforms { (elements as u64).saturating_mul(bytes).saturating_mul(7) / 9 } else { 0 }
}

/// The bytes of a packed element, and whether 3x3 kernels are stored as the points of a tile, which tile registers do not.
pub(super) fn packing(dtype: DType) -> (u64, bool) {
    // The kernels multiply in bf16 if the processor supports it, and otherwise in f32, whatever the activations' precision.
    let level = engine().level();
    let is_bf16 = dtype == DType::BF16 && level.has_bf16();
    (if is_bf16 { 2 } else { 4 }, !(is_bf16 && level == Level::Amx))
}

/// Bytes of a call's activations, given the peak of elements held at a time and the largest tensor.
pub fn working_bytes(peak_elements: usize, largest_elements: usize, dtype: DType, on_cpu: bool) -> u64 {
    let (peak, largest, size) = (peak_elements as u64, largest_elements as u64, dtype.size_in_bytes() as u64);
    let held = peak.saturating_mul(size);
    if !on_cpu {
        let scratch = PORTABLE_SCRATCHES.saturating_mul(SCRATCH_BYTES as u64);
        return held.saturating_add(largest.saturating_mul(PORTABLE_BYTES)).saturating_add(scratch);
    }
    // f16 is computed in f32, with f32 copies of a layer's input and output besides the originals.
    if dtype == DType::F16 { held.saturating_add(largest.saturating_mul(2 * 4)) } else { held }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn estimates_match_the_packed_sizes() {
        assert_eq!(weight_bytes(&[320], DType::F32, true), 4 * 320);
        assert_eq!(weight_bytes(&[320, 640], DType::F32, true), 4 * 320 * 640);
        assert_eq!(weight_bytes(&[320, 640], DType::F16, true), 4 * 320 * 640);
        assert_eq!(weight_bytes(&[320, 640, 3, 3], DType::F32, true), 4 * 320 * 640 * 36);
        assert_eq!(weight_bytes(&[1280, 640, 3, 3], DType::F32, true), 4 * 1280 * 640 * 16);
        assert_eq!(weight_bytes(&[320, 4, 3, 3], DType::F32, true), 4 * 320 * 4 * 9);
        assert_eq!(compact_saving(1280 * 640 * 9, DType::F32, true), 4 * 1280 * 640 * (16 - 9));
        assert_eq!(compact_saving(320 * 640 * 9, DType::F32, false), 0);
        assert_eq!(weight_bytes(&[320, 640, 3, 1, 1], DType::F32, true), 4 * 320 * 640 * 3);
        assert_eq!(weight_bytes(&[usize::MAX, usize::MAX, 3, 3], DType::F32, true), u64::MAX / 9);
        assert_eq!(working_bytes(10, 4, DType::F32, true), 40);
        assert_eq!(working_bytes(10, 4, DType::F16, true), 20 + 32);
        assert_eq!(weight_bytes(&[320, 640, 3, 3], DType::F16, false), 2 * 320 * 640 * 9);
        assert_eq!(working_bytes(10, 4, DType::F16, false), 20 + 24 * 4 + (3 << 28));
        assert_eq!(working_bytes(usize::MAX, 4, DType::F32, true), u64::MAX);
    }
}
