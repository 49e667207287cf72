//! Fast approximate colours of latents, for previews: a quadratic map from a latent's channels to red, green and blue.
//!
//! This module must not depend on a model: the decoder arrives as a function. Invariants: the same decoder gives the same map, and a fitted
//! map needs no further decode.
//!
//! The map is fitted to the model's own decoder by least squares on first use: small images of random latents in patches are decoded, and
//! each latent is paired with the mean of its pixels. The latents have standard deviation 1, to which scaling factors normalise a model's
//! latents; they come in patches because a decoder's output for a latent depends on its neighbours, which in an image are mostly similar.
//! Four channels have ten products and squares, so each colour has fifteen coefficients. Without the products this would be the usual
//! linear map, which shows nano-sd's green as blue.
//!
//! Accuracy: over nine prompts, a preview of nano-sd's final latents has a correlation of 0.93 and a PSNR of 19 dB with the decoded image
//! at the same size, and a preview of the ninth of 25 steps has a correlation of 0.92. It shows layout and approximate colour, but not what
//! a decoder derives from several latents together, such as edges.

use std::{iter::once, sync::OnceLock};

use candle_core::{DType, Device, Tensor};
use image::{
    RgbImage,
    imageops::{FilterType, resize},
};

use crate::{Error, Result, noise::SeededNoise};

/// The number of images to decode: together as many pixels as a quarter of an image of 512 x 512.
const IMAGES: usize = 16;
/// The side of such an image, in latents.
const SIDE: usize = 8;
/// The side of a patch of equal latents.
const PATCH: usize = 4;
/// Latents are clamped to plus or minus this value: the fit has few samples beyond it, and squares grow fast. The first steps of a strongly
/// guided run predict values far beyond.
const CLAMP: f32 = 2.0;
/// The seed of the random latents; arbitrary.
const SEED: u64 = 0;
/// Ridge regularisation, as a share of the number of latents: keeps the equations solvable if a decoder ignores a channel.
const RIDGE: f64 = 1e-6;

/// The maximum longer side of an enlarged preview, in pixels; a preview of more latents has one pixel per latent.
const MAX_SIDE: u32 = 256;

/// Latents [1, channels, height, width] for a decoder, averaged until their image is no larger than an enlarged preview: decoding an image of
/// its full size at every step would cost more than the preview shows.
///
/// # Errors
/// [`Error::Candle`] if the latents have another shape.
pub(super) fn shrunk(latents: &Tensor, factor: u32) -> Result<Tensor> {
    let (_, _, height, width) = latents.dims4()?;
    let longest = (MAX_SIDE / factor.max(1)).max(1) as usize;
    let times = height.max(width).div_ceil(longest);
    let times = times.min(height).min(width);
    Ok(if times < 2 { latents.clone() } else { latents.avg_pool2d(times)? })
}

/// A map from a latent's channels to a colour.
#[derive(Debug)]
pub(super) struct LatentColours {
    /// The coefficients of each of [`terms`] for red, green and blue in the range [-1, 1].
    weights: Vec<[f32; 3]>,
}

impl LatentColours {
    /// The colour map of a decoder, fitted now if `known` is empty. `decode` takes scaled latents [1, channels, height, width] and returns
    /// pixels [1, 3, factor * height, factor * width] in [-1, 1].
    ///
    /// # Errors
    /// Any error of `decode`; [`Error::Shape`] if its output is not an image of the latents.
    pub(super) fn known(known: &OnceLock<Self>, channels: usize, decode: impl FnMut(&Tensor) -> Result<Tensor>) -> Result<&Self> {
        if let Some(colours) = known.get() {
            return Ok(colours);
        }
        let fitted = Self::fit(channels, decode)?;
        Ok(known.get_or_init(|| fitted))
    }

    fn fit(channels: usize, mut decode: impl FnMut(&Tensor) -> Result<Tensor>) -> Result<Self> {
        let mut noise = SeededNoise::new(SEED);
        let mut sums = NormalEquations::new(terms(&vec![0.0; channels]).len());
        for _ in 0..IMAGES {
            let latents = noise.randn(&[1, channels, SIDE / PATCH, SIDE / PATCH])?.upsample_nearest2d(SIDE, SIDE)?;
            let decoded = decode(&latents)?.to_device(&Device::Cpu)?.to_dtype(DType::F32)?;
            let factor = match decoded.dims() {
                [1, 3, height, width] if height == width && *height >= SIDE && height % SIDE == 0 => height / SIDE,
                found => {
                    return Err(Error::Shape { what: "decoded latents", expected: "[1, 3, side, side]".into(), found: found.to_vec() });
                }
            };
            let means = decoded.clamp(-1f32, 1f32)?.avg_pool2d(factor)?;
            for (latent, colour) in by_position(&latents)?.iter().zip(by_position(&means)?) {
                sums.add(&terms(latent), &colour);
            }
        }
        Ok(Self { weights: sums.solve() })
    }

    /// An image of latents [1, channels, height, width]: one pixel per latent, enlarged by the largest whole factor that exceeds neither
    /// the maximum side of a preview nor the image's own size (`factor` pixels per latent).
    ///
    /// # Errors
    /// [`Error::Shape`] if the latents have another shape.
    pub(super) fn paint(&self, latents: &Tensor, factor: u32) -> Result<RgbImage> {
        let shape = || Error::Shape { what: "latents", expected: "[1, channels, height, width]".into(), found: latents.dims().to_vec() };
        let (_, _, height, width) = latents.dims4()?;
        let colour = |latent: &Vec<f32>| {
            let mut sum = [0f32; 3];
            let latent: Vec<f32> = latent.iter().map(|value| value.clamp(-CLAMP, CLAMP)).collect();
            for (term, weights) in terms(&latent).into_iter().zip(&self.weights) {
                sum.iter_mut().zip(weights).for_each(|(sum, weight)| *sum += term * weight);
            }
            // NaN becomes black.
            sum.map(|value| ((value * 0.5 + 0.5) * 255.0).round() as u8)
        };
        let pixels: Vec<u8> = by_position(latents)?.iter().flat_map(colour).collect();
        let side = |side: usize| u32::try_from(side).map_err(|_| shape());
        let image = RgbImage::from_raw(side(width)?, side(height)?, pixels).ok_or_else(shape)?;
        let (width, height) = image.dimensions();
        let times = (MAX_SIDE / width.max(height).max(1)).min(factor);
        if times < 2 {
            return Ok(image);
        }
        Ok(resize(&image, width * times, height * times, FilterType::Triangle))
    }
}

/// The terms of the quadratic map: one, each channel, and the product of each pair, squares included.
fn terms(latent: &[f32]) -> Vec<f32> {
    let products = latent.iter().enumerate().flat_map(|(index, a)| latent.iter().skip(index).map(move |b| a * b));
    once(1.0).chain(latent.iter().copied()).chain(products).collect()
}

/// The channels of each position of [1, channels, height, width], row by row.
fn by_position(tensor: &Tensor) -> Result<Vec<Vec<f32>>> {
    let channels = tensor.dim(1)?;
    Ok(tensor.permute((0, 2, 3, 1))?.reshape(((), channels))?.to_vec2::<f32>()?)
}

/// The normal equations of a least-squares fit with three outputs: the rows of the matrix, each followed by its three right-hand sides.
struct NormalEquations(Vec<Vec<f64>>);

impl NormalEquations {
    fn new(knowns: usize) -> Self {
        Self(vec![vec![0.0; knowns + 3]; knowns])
    }

    fn add(&mut self, known: &[f32], colour: &[f32]) {
        for (row, weight) in self.0.iter_mut().zip(known) {
            let values = known.iter().chain(colour);
            row.iter_mut().zip(values).for_each(|(sum, value)| *sum += f64::from(*weight) * f64::from(*value));
        }
    }

    /// The coefficients of each known number for each output, by Gauss-Jordan elimination. The ridge makes all pivots positive.
    fn solve(mut self) -> Vec<[f32; 3]> {
        let knowns = self.0.len();
        let ridge = RIDGE * (IMAGES * SIDE * SIDE) as f64;
        for pivot in 0..knowns {
            self.0[pivot][pivot] += ridge;
        }
        for pivot in 0..knowns {
            let scale = self.0[pivot][pivot];
            let used: Vec<f64> = self.0[pivot].iter().map(|value| value / scale).collect();
            for (index, row) in self.0.iter_mut().enumerate() {
                let times = if index == pivot { scale - 1.0 } else { row[pivot] };
                row.iter_mut().zip(&used).for_each(|(value, used)| *value -= times * used);
            }
        }
        self.0.iter().map(|row| std::array::from_fn(|colour| row[knowns + colour] as f32)).collect()
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use std::cell::Cell;

    use super::*;

    /// A decoder that is itself a quadratic map, eight pixels per latent; it ignores the third channel.
    fn quadratic(latents: &Tensor) -> Result<Tensor> {
        let map = Tensor::new(&[[0.1f32, 0.2, 0.0, -0.1], [-0.05, 0.1, 0.0, 0.1], [0.0, 0.0, 0.0, 0.2]], &Device::Cpu)?;
        let (_, _, height, width) = latents.dims4()?;
        let linear = map.matmul(&latents.reshape((4, height * width))?)?.reshape((1, 3, height, width))?;
        let product = (latents.narrow(1, 0, 1)? * latents.narrow(1, 3, 1)?)?;
        let colours = (linear.broadcast_add(&(product * 0.05)?)? + 0.25)?;
        Ok(colours.upsample_nearest2d(8 * height, 8 * width)?)
    }

    #[test]
    fn a_quadratic_decoder_is_recovered_and_fitted_once() {
        let (known, decodes) = (OnceLock::new(), Cell::new(0));
        let decode = |latents: &Tensor| {
            decodes.set(decodes.get() + 1);
            quadratic(latents)
        };
        for _ in 0..3 {
            LatentColours::known(&known, 4, decode).unwrap();
        }
        assert_eq!(decodes.get(), IMAGES);
        let found = known.get().unwrap();
        let mut expected = vec![[0.0; 3]; 15];
        expected[..5].copy_from_slice(&[[0.25; 3], [0.1, -0.05, 0.0], [0.2, 0.1, 0.0], [0.0; 3], [-0.1, 0.1, 0.2]]);
        // The product of the first and the fourth channel.
        expected[8] = [0.05; 3];
        assert_eq!(found.weights.len(), expected.len());
        for (found, expected) in found.weights.iter().zip(expected) {
            for (found, expected) in found.iter().zip(expected) {
                assert!((found - expected).abs() < 1e-3, "{found} {expected}");
            }
        }
    }

    #[test]
    fn a_preview_is_enlarged_up_to_its_limits() {
        let mut weights = vec![[0.0; 3]; 15];
        weights[1..5].fill([0.5; 3]);
        let colours = LatentColours { weights };
        let size = |height: usize, width: usize| {
            colours.paint(&Tensor::zeros((1, 4, height, width), DType::F32, &Device::Cpu).unwrap(), 8).unwrap().dimensions()
        };
        assert_eq!(
            [size(64, 64), size(72, 128), size(16, 16), size(1, 3), size(300, 20)],
            [(256, 256), (256, 144), (128, 128), (24, 8), (20, 300)]
        );
        let latents = Tensor::new(&[[[[f32::NAN]], [[1.0]], [[1.0]], [[1.0]]]], &Device::Cpu).unwrap();
        assert_eq!(colours.paint(&latents, 1).unwrap().as_raw(), &[0, 0, 0]);
        let latents = Tensor::new(&[[[[0.0f32]], [[2.0]], [[0.0]], [[0.0]]]], &Device::Cpu).unwrap();
        assert_eq!(colours.paint(&latents, 1).unwrap().as_raw(), &[255, 255, 255]);
    }

    #[test]
    fn a_decoder_that_returns_no_image_is_an_error() {
        let known = OnceLock::new();
        let found = LatentColours::known(&known, 4, |latents| Ok(latents.clone()));
        assert!(matches!(found, Err(Error::Shape { .. })));
        assert!(known.get().is_none());
    }
}
