//! A finished image: in the requested size, with its files.
//!
//! It must not know how the image was made. The invariant: every image has a PNG file, whatever other format the request names.

use diffusion_core::imaging::{Part, resized_part};
use image::RgbImage;

use crate::{
    backend::{BackendError, GeneratedImage},
    model_info::TruncatedText,
    png,
    spec::image::ImageSpec,
};

/// A finished image with its files.
pub(super) fn encoded(
    spec: &ImageSpec,
    image: RgbImage,
    seed: u64,
    parameters: String,
    (truncated, remarks): (Vec<TruncatedText>, Vec<String>),
) -> Result<GeneratedImage, BackendError> {
    let format = Some(spec.file_format()).filter(|format| !format.is_png());
    let recoded = format.map(|format| format.encode(&image, &parameters).map(|file| (format, file))).transpose()?;
    Ok(GeneratedImage { png: png::encode(&image, &parameters)?, recoded, image, seed, parameters, truncated, remarks })
}

/// Resizes a finished image to the requested size; excess is cropped evenly at both ends rather than squeezed.
pub(super) fn resized_to(image: RgbImage, size: Option<(u32, u32)>) -> diffusion_core::Result<RgbImage> {
    match size.filter(|size| *size != image.dimensions()) {
        None => Ok(image),
        Some((width, height)) => resized_part(&image, Part::covering(image.dimensions(), (width, height)), width, height),
    }
}
