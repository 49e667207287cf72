//! A CPU tensor's elements as a slice.

use candle_core::{CpuStorage, Storage, StorageRef, Tensor, WithDType};

use crate::Result;

/// A read lock on a tensor's storage, and the tensor's range in it.
pub(crate) struct Elements<'a> {
    storage: StorageRef<'a>,
    start: usize,
    end: usize,
}

impl<'a> Elements<'a> {
    /// Locks a contiguous tensor.
    ///
    /// # Errors
    /// candle's, for a tensor that is not contiguous.
    pub(crate) fn of(tensor: &'a Tensor) -> Result<Self> {
        let (storage, layout) = tensor.storage_and_layout();
        let Some((start, end)) = layout.contiguous_offsets() else {
            return Err(candle_core::Error::RequiresContiguous { op: "cpu op" }.into());
        };
        Ok(Self { storage, start, end })
    }

    /// The tensor's elements in row-major order.
    ///
    /// # Errors
    /// candle's, for a tensor of another device or type.
    pub(crate) fn slice<T: WithDType>(&self) -> Result<&[T]> {
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
