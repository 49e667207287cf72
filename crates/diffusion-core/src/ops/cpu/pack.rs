//! Weights into the layout that the products read, once at load, on all threads.

use candle_core::{Device, Tensor};
use rayon::prelude::*;

use super::element::Elements;
use crate::Result;

/// Inputs that a task packs at a time.
const INPUTS: usize = 32;
/// Outputs that are packed together: what is written then fills whole cache lines.
const OUTPUTS: usize = 16;

/// [outputs, inputs, taps] in f32 to [taps * inputs, outputs].
pub(in crate::ops) fn pack(weight: &Tensor) -> Result<Tensor> {
    let (outputs, inputs, taps) = weight.dims3()?;
    let lock = Elements::of(weight)?;
    let source = lock.slice::<f32>()?;
    let mut packed = vec![0f32; source.len()];
    let mut tasks: Vec<(usize, usize, &mut [f32])> = packed
        .chunks_mut((inputs * outputs).max(1))
        .enumerate()
        .flat_map(|(tap, rows)| {
            rows.chunks_mut((INPUTS * outputs).max(1)).enumerate().map(move |(block, rows)| (block * INPUTS, tap, rows))
        })
        .collect();
    // The taps of the same inputs lie side by side in the source.
    tasks.sort_unstable_by_key(|(first, tap, _)| (*first, *tap));
    tasks.into_par_iter().for_each(|(first, tap, rows)| {
        for start in (0..outputs).step_by(OUTPUTS) {
            let window = start..(start + OUTPUTS).min(outputs);
            for (input, row) in rows.chunks_mut(outputs).enumerate() {
                let at = (first + input) * taps + tap;
                let column = source.iter().skip(start * inputs * taps + at).step_by(inputs * taps);
                row.get_mut(window.clone()).unwrap_or_default().iter_mut().zip(column).for_each(|(to, from)| *to = *from);
            }
        }
    });
    Ok(Tensor::from_vec(packed, (taps * inputs, outputs), &Device::Cpu)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packing_is_a_permutation() -> Result<()> {
        for (outputs, inputs, taps) in [(3, 2, 1), (37, 70, 9), (1, 1, 1)] {
            let weight = Tensor::arange(0f32, (outputs * inputs * taps) as f32, &Device::Cpu)?.reshape((outputs, inputs, taps))?;
            let expected = weight.permute((2, 1, 0))?.contiguous()?.flatten_all()?.to_vec1::<f32>()?;
            assert_eq!(pack(&weight)?.flatten_all()?.to_vec1::<f32>()?, expected);
        }
        Ok(())
    }
}
