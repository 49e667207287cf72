//! Decodes a tensor's stored bytes to numbers, on the kernels' threads and straight to the precision in which they are needed.
//!
//! This module must not depend on files or names. Invariant: the numbers are those of a conversion by candle, bit for bit.

use candle_core::{DType, Device, Result, Tensor};
use cpu_kernels::{engine, vec_in_strips};
use half::{bf16, f16, slice::HalfFloatSliceExt as _};

use super::strided::Element;

/// Numbers that are converted at a time, in the first-level cache.
const RUN: usize = 1 << 10;

/// Decodes row-major `bytes` to `dtype` if there is a direct way; `None` if there is none.
pub(super) fn direct(bytes: &[u8], element: Element, dtype: DType, shape: &[usize]) -> Option<Result<Tensor>> {
    Some(match (element, dtype) {
        (Element::F32, DType::F32) => Tensor::from_vec(each(bytes, f32::from_le_bytes), shape, &Device::Cpu),
        (Element::F32, DType::BF16) => {
            Tensor::from_vec(each(bytes, |number| bf16::from_f32(f32::from_le_bytes(number))), shape, &Device::Cpu)
        }
        (Element::Bf16, DType::BF16) => Tensor::from_vec(each(bytes, bf16::from_le_bytes), shape, &Device::Cpu),
        (Element::Bf16, DType::F32) => Tensor::from_vec(each(bytes, |number| bf16::from_le_bytes(number).to_f32()), shape, &Device::Cpu),
        (Element::F16, DType::F16) => Tensor::from_vec(each(bytes, f16::from_le_bytes), shape, &Device::Cpu),
        (Element::F16, DType::F32) => Tensor::from_vec(halves(bytes, |number| number), shape, &Device::Cpu),
        (Element::F16, DType::BF16) => Tensor::from_vec(halves(bytes, bf16::from_f32), shape, &Device::Cpu),
        _ => return None,
    })
}

/// Decodes one number after another.
pub(super) fn each<T: Copy + Default + Send, const SIZE: usize>(bytes: &[u8], decode: impl Fn([u8; SIZE]) -> T + Sync) -> Vec<T> {
    let (elements, _) = bytes.as_chunks::<SIZE>();
    vec_in_strips(engine(), elements.len(), |start, strip| {
        for (number, element) in strip.iter_mut().zip(elements.iter().skip(start)) {
            *number = decode(*element);
        }
    })
}

/// Decodes f16, of which a processor converts several at a time.
fn halves<T: Copy + Default + Send>(bytes: &[u8], narrow: impl Fn(f32) -> T + Sync) -> Vec<T> {
    let (elements, _) = bytes.as_chunks::<2>();
    vec_in_strips(engine(), elements.len(), |start, strip| {
        let (mut halves, mut wide) = ([f16::ZERO; RUN], [0.0; RUN]);
        for (run, numbers) in strip.chunks_mut(RUN).enumerate() {
            let (halves, wide) = (&mut halves[..numbers.len()], &mut wide[..numbers.len()]);
            for (half, element) in halves.iter_mut().zip(elements.iter().skip(start + run * RUN)) {
                *half = f16::from_le_bytes(*element);
            }
            halves.convert_to_f32_slice(wide);
            for (number, wide) in numbers.iter_mut().zip(wide) {
                *number = narrow(*wide);
            }
        }
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    /// Every pattern of 16 bits: zeros, subnormals, infinities and NaNs of either kind among them.
    #[test]
    fn direct_ways_agree_with_candle() {
        let bytes: Vec<u8> = (0..=u16::MAX).flat_map(u16::to_le_bytes).collect();
        let f32s: Vec<u8> =
            (0..=u16::MAX).flat_map(|bits| (u32::from(bits) << 16 | u32::from(bits).wrapping_mul(40_503) & 0xffff).to_le_bytes()).collect();
        let bits = |tensor: Tensor| -> Vec<u32> {
            tensor.to_dtype(DType::F32).unwrap().to_vec1::<f32>().unwrap().into_iter().map(f32::to_bits).collect()
        };
        let shape = [usize::from(u16::MAX) + 1];
        for (element, own, bytes) in
            [(Element::F16, DType::F16, &bytes), (Element::Bf16, DType::BF16, &bytes), (Element::F32, DType::F32, &f32s)]
        {
            let stored = direct(bytes, element, own, &shape).unwrap().unwrap();
            for dtype in [DType::F32, DType::BF16] {
                let direct = direct(bytes, element, dtype, &shape).unwrap().unwrap();
                assert_eq!(direct.dtype(), dtype);
                assert_eq!(bits(direct), bits(stored.to_dtype(dtype).unwrap()), "{element:?} to {dtype:?}");
            }
        }
        assert!(direct(&bytes, Element::BYTE, DType::F32, &shape).is_none());
    }
}
