//! Tiling: codes a large image in overlapping tiles, so that memory does not grow with the image.
//!
//! A tile's result differs from the whole image's (each tile has its own group statistics and attention), so tiles overlap and are blended
//! linearly. Follows diffusers' AutoencoderKL.tiled_encode and tiled_decode, including the numbers: the overlap is a quarter of a tile.

use candle_core::Tensor;

use crate::{Error, Result};

/// When and how an image is coded in tiles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tiling {
    /// Images with more pixels than this are coded in tiles.
    pub above_pixels: usize,
    /// A tile's side in image pixels; a multiple of the autoencoder's factor.
    pub tile_sample_min_size: usize,
}

impl Default for Tiling {
    /// Tiles of 512 pixels for images of more than 1024 x 1024.
    fn default() -> Self {
        Self { above_pixels: 1024 * 1024, tile_sample_min_size: 512 }
    }
}

/// The direction of the coding: it decides which of source and target is larger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    Encode,
    Decode,
}

impl Tiling {
    /// The tiling, if an input with the dimensions [.., height, width], whose elements span `pixels` image pixels along a side, exceeds the
    /// bound. `factor` is the ratio of an image's side to its latents'.
    ///
    /// # Errors
    /// [`Error::Params`] as [`Self::checked`].
    pub(super) fn of_image(tiling: Option<Self>, dims: &[usize], pixels: usize, factor: usize) -> Result<Option<Self>> {
        let extent = dims.iter().skip(2).map(|extent| extent * pixels).product::<usize>();
        tiling.filter(|tiling| extent > tiling.above_pixels).map(|tiling| tiling.checked(factor)).transpose()
    }

    /// # Errors
    /// [`Error::Params`] if a tile is no multiple of `factor`, or too small to overlap.
    fn checked(self, factor: usize) -> Result<Self> {
        let side = self.tile_sample_min_size;
        if side.is_multiple_of(factor) && side / factor >= 4 {
            return Ok(self);
        }
        Err(Error::Params { field: "tile_sample_min_size", reason: format!("{side} is no multiple of {factor} from {} up", 4 * factor) })
    }

    /// Codes `x` [batch, channels, height, width] tile by tile, the whole batch together. `factor` is the ratio of an image's side to its
    /// latents'.
    pub(super) fn run(&self, x: &Tensor, factor: usize, direction: Direction, code: impl Fn(&Tensor) -> Result<Tensor>) -> Result<Tensor> {
        let (sample, latent) = (self.tile_sample_min_size, self.tile_sample_min_size / factor);
        let (source, target) = match direction {
            Direction::Encode => (sample, latent),
            Direction::Decode => (latent, sample),
        };
        // The same rounding as int(size * 0.75) and int(size * 0.25).
        let (step, blend) = (source * 3 / 4, target / 4);
        let keep = target - blend;
        let (_, _, height, width) = x.dims4()?;
        // Only the row of tiles above is needed for blending.
        let mut above: Vec<Tensor> = Vec::new();
        let mut rows = Vec::new();
        for top in (0..height).step_by(step) {
            let mut coded = Vec::new();
            let mut row = Vec::new();
            for (index, left) in (0..width).step_by(step).enumerate() {
                let part = x.narrow(2, top, source.min(height - top))?.narrow(3, left, source.min(width - left))?;
                let mut tile = code(&part.contiguous()?)?;
                if let Some(upper) = above.get(index) {
                    tile = blended(upper, &tile, 2, blend)?;
                }
                if let Some(before) = coded.last() {
                    tile = blended(before, &tile, 3, blend)?;
                }
                row.push(tile.narrow(2, 0, keep.min(tile.dim(2)?))?.narrow(3, 0, keep.min(tile.dim(3)?))?);
                coded.push(tile);
            }
            rows.push(Tensor::cat(&row, 3)?);
            above = coded;
        }
        Ok(Tensor::cat(&rows, 2)?)
    }
}

/// `tile` with its first `extent` lines along `dim` cross-faded from the last ones of the tile `before` it.
fn blended(before: &Tensor, tile: &Tensor, dim: usize, extent: usize) -> Result<Tensor> {
    let extent = extent.min(before.dim(dim)?).min(tile.dim(dim)?);
    if extent == 0 {
        return Ok(tile.clone());
    }
    let other = if dim == 2 { 3 } else { 2 };
    let common = before.dim(other)?.min(tile.dim(other)?);
    let before = before.narrow(dim, before.dim(dim)? - extent, extent)?.narrow(other, 0, common)?;
    let weights: Vec<f32> = (0..extent).map(|i| i as f32 / extent as f32).collect();
    let shape = if dim == 2 { (1, 1, extent, 1) } else { (1, 1, 1, extent) };
    let fade = Tensor::from_vec(weights, shape, tile.device())?.to_dtype(tile.dtype())?;
    let start = tile.narrow(dim, 0, extent)?;
    let mixed = (before.broadcast_mul(&fade.affine(-1.0, 1.0)?)? + start.broadcast_mul(&fade)?)?;
    let rest = tile.narrow(dim, extent, tile.dim(dim)? - extent)?;
    Ok(if rest.dim(dim)? == 0 { mixed } else { Tensor::cat(&[&mixed, &rest], dim)? })
}
