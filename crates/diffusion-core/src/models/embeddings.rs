//! The timestep embedding.
//!
//! Sinusoids are computed in f32 whatever the model's precision, then rounded: bf16 cannot represent a timestep of 981, and in half
//! precision the phases would be off by radians. Follows diffusers models/embeddings.py (get_timestep_embedding, TimestepEmbedding).

use candle_core::{DType, Device, Tensor};

use crate::{
    Error, Result,
    ops::{Linear, silu},
    weights::ComponentWeights,
};

/// The layout of the sinusoids.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Sinusoids {
    /// The number of channels.
    pub(super) channels: usize,
    /// Cosines before sines.
    pub(super) flip_sin_to_cos: bool,
    /// Subtracted from half the channels in the exponent of the frequencies.
    pub(super) freq_shift: f64,
}

impl Sinusoids {
    /// The sinusoids of a timestep: [1, channels] in f32 on the CPU.
    pub(super) fn embed(&self, timestep: f64) -> Result<Tensor> {
        self.embed_all(&[timestep])
    }

    /// The sinusoids of any numbers, one in each row: [numbers, channels] in f32 on the CPU.
    pub(super) fn embed_all(&self, numbers: &[f64]) -> Result<Tensor> {
        let values: Vec<f32> = numbers.iter().flat_map(|number| self.row(*number)).collect();
        Ok(Tensor::from_vec(values, (numbers.len(), self.channels), &Device::Cpu)?)
    }

    fn row(&self, number: f64) -> Vec<f32> {
        let half = self.channels / 2;
        // Every step is in f32 and in torch's order: exponent, exp, product.
        let scale = -(10_000f64.ln());
        let phases = (0..half).map(|i| {
            let exponent = (scale as f32 * i as f32) / ((half as f64 - self.freq_shift) as f32);
            number as f32 * exponent.exp()
        });
        let phases: Vec<f32> = phases.collect();
        let sines = phases.iter().map(|phase| phase.sin());
        let cosines = phases.iter().map(|phase| phase.cos());
        let mut values: Vec<f32> = if self.flip_sin_to_cos { cosines.chain(sines).collect() } else { sines.chain(cosines).collect() };
        values.resize(self.channels, 0.0);
        values
    }
}

/// The two-layer network on the sinusoids, with the guidance embedding of consistency models if the model has one.
#[derive(Debug)]
pub(super) struct TimestepEmbedding {
    linear_1: Linear,
    linear_2: Linear,
    cond_proj: Option<(Linear, usize)>,
    dtype: DType,
    device: Device,
}

impl TimestepEmbedding {
    pub(super) fn load(weights: &ComponentWeights, inputs: usize, outputs: usize, cond: Option<usize>) -> Result<Self> {
        let cond_proj = cond.map(|dim| Ok::<_, Error>((Linear::load(&weights.pp("cond_proj"), dim, inputs, false)?, dim))).transpose()?;
        Ok(Self { cond_proj, ..Self::load_to(weights, inputs, outputs, outputs)? })
    }

    /// An embedding with a different width between its layers, and without guidance embedding.
    pub(super) fn load_to(weights: &ComponentWeights, inputs: usize, inner: usize, outputs: usize) -> Result<Self> {
        Ok(Self {
            linear_1: Linear::load(&weights.pp("linear_1"), inputs, inner, true)?,
            linear_2: Linear::load(&weights.pp("linear_2"), inner, outputs, true)?,
            cond_proj: None,
            dtype: weights.dtype(),
            device: weights.device().clone(),
        })
    }

    /// The model's precision and device.
    pub(super) fn placement(&self) -> (DType, &Device) {
        (self.dtype, &self.device)
    }

    /// Maps `sinusoids` [1 or batch, inputs] and, if the model has `time_cond_proj_dim`, `cond` [batch or 1, dim], to [batch or 1,
    /// outputs].
    pub(super) fn forward(&self, sinusoids: &Tensor, cond: Option<&Tensor>) -> Result<Tensor> {
        let mut x = sinusoids.to_dtype(self.dtype)?.to_device(&self.device)?;
        match (&self.cond_proj, cond) {
            (Some((project, dim)), Some(cond)) => {
                if cond.rank() != 2 || cond.dim(1)? != *dim {
                    let found = cond.dims().to_vec();
                    return Err(Error::Shape { what: "timestep_cond", expected: format!("[batch, {dim}]"), found });
                }
                let cond = cond.to_dtype(self.dtype)?.to_device(&self.device)?;
                x = project.forward(&cond)?.broadcast_add(&x)?;
            }
            (None, Some(cond)) => {
                let expected = "none, for the model has no time_cond_proj_dim".into();
                return Err(Error::Shape { what: "timestep_cond", expected, found: cond.dims().to_vec() });
            }
            (_, None) => {}
        }
        self.linear_2.forward(&silu(&self.linear_1.forward(&x)?)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sinusoids_keep_fractions_and_order() -> Result<()> {
        let sinusoids = Sinusoids { channels: 5, flip_sin_to_cos: true, freq_shift: 0.0 };
        let values = sinusoids.embed(1.5)?.flatten_all()?.to_vec1::<f32>()?;
        let expected = [1.5f32.cos(), 0.015f32.cos(), 1.5f32.sin(), 0.015f32.sin(), 0.0];
        assert!(values.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6), "{values:?}");
        Ok(())
    }
}
