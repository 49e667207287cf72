//! Checks of the shapes that autoencoders of every class take.

use candle_core::Tensor;

use crate::{Error, Result};

/// Checks images that are to be encoded, of which a latent spans `factor` pixels along each side.
pub(super) fn check_images(images: &Tensor, channels: usize, factor: usize) -> Result<()> {
    let fits = matches!(images.dims(), [_, found, height, width] if *found == channels
        && height * width > 0 && height.is_multiple_of(factor) && width.is_multiple_of(factor));
    let expected = || format!("[batch, {channels}, height and width in multiples of {factor}]");
    if fits { Ok(()) } else { Err(Error::Shape { what: "images to encode", expected: expected(), found: images.dims().to_vec() }) }
}

/// Checks latents that are to be decoded.
pub(super) fn check_latents(latents: &Tensor, channels: usize) -> Result<()> {
    let fits = matches!(latents.dims(), [batch, found, height, width] if *found == channels && batch * height * width > 0);
    let expected = || format!("[batch, {channels}, height, width]");
    if fits { Ok(()) } else { Err(Error::Shape { what: "latents to decode", expected: expected(), found: latents.dims().to_vec() }) }
}
