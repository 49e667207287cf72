//! The precisions that activations come in, and access to a tensor's elements as a slice.

use candle_core::{CpuStorage, Storage, StorageRef, Tensor, WithDType};

use crate::Result;

/// An activation's element: f32, or a half precision that is widened to f32 for arithmetic.
pub(super) trait Element: WithDType {
    fn narrow(value: f32) -> Self;
    fn widen(self) -> f32;

    /// The slice itself where no widening is needed.
    fn as_f32(_: &[Self]) -> Option<&[f32]> {
        None
    }

    /// The slice itself where no narrowing is needed.
    fn as_f32_mut(_: &mut [Self]) -> Option<&mut [f32]> {
        None
    }

    /// Widens element by element; the shorter slice decides.
    #[inline(always)]
    fn widen_into(from: &[Self], to: &mut [f32]) {
        for (to, from) in to.iter_mut().zip(from) {
            *to = from.widen();
        }
    }

    /// Narrows element by element, to nearest even; the shorter slice decides.
    #[inline(always)]
    fn narrow_into(from: &[f32], to: &mut [Self]) {
        for (to, from) in to.iter_mut().zip(from) {
            *to = Self::narrow(*from);
        }
    }
}

impl Element for f32 {
    #[inline(always)]
    fn narrow(value: f32) -> Self {
        value
    }
    #[inline(always)]
    fn widen(self) -> f32 {
        self
    }
    fn as_f32(slice: &[Self]) -> Option<&[f32]> {
        Some(slice)
    }
    fn as_f32_mut(slice: &mut [Self]) -> Option<&mut [f32]> {
        Some(slice)
    }
}

/// The half precisions have no trait in common that converts, only functions of the same names.
macro_rules! half_element {
    ($half:ty) => {
        impl Element for $half {
            #[inline(always)]
            fn narrow(value: f32) -> Self {
                Self::from_f32(value)
            }
            #[inline(always)]
            fn widen(self) -> f32 {
                self.to_f32()
            }
        }
    };
}
half_element!(half::bf16);
half_element!(half::f16);

/// Runs a loop that was compiled for the widest vectors that this processor has (AVX2, AVX-512), not for the oldest of its kind.
///
/// The closure needs `#[inline(always)]`, or it is compiled as everything else is. Sums must be written as interleaved lanes: the compiler
/// keeps the order of additions, so results are the same on any processor.
#[inline]
pub(super) fn vectorised<R>(run: impl FnOnce() -> R) -> R {
    pulp::Arch::new().dispatch(run)
}

/// A read lock on a tensor's storage, and where in it the tensor lies.
pub(super) struct Elements<'a> {
    storage: StorageRef<'a>,
    start: usize,
    end: usize,
}

impl<'a> Elements<'a> {
    /// Locks a contiguous tensor.
    pub(super) fn of(tensor: &'a Tensor) -> Result<Self> {
        let (storage, layout) = tensor.storage_and_layout();
        let Some((start, end)) = layout.contiguous_offsets() else {
            return Err(candle_core::Error::RequiresContiguous { op: "cpu op" }.into());
        };
        Ok(Self { storage, start, end })
    }

    /// Its elements in row-major order.
    pub(super) fn slice<T: WithDType>(&self) -> Result<&[T]> {
        let cpu: &CpuStorage = match &*self.storage {
            Storage::Cpu(cpu) => cpu,
            Storage::Cuda(_) | Storage::Metal(_) => {
                return Err(candle_core::Error::Msg("a CPU op was given another device's tensor".into()).into());
            }
        };
        let all = T::cpu_storage_as_slice(cpu)?;
        all.get(self.start..self.end).ok_or_else(|| candle_core::Error::Msg("a tensor's layout exceeds its storage".into()).into())
    }
}

/// A tensor's elements in f32, in a vector of their own.
pub(super) fn widened<T: Element>(slice: &[T]) -> Vec<f32> {
    let mut wide = vec![0.0; slice.len()];
    vectorised(
        #[inline(always)]
        || T::widen_into(slice, &mut wide),
    );
    wide
}
