//! A finished image with its files.
//!
//! It must not know how the image was made. The invariants: every image has a PNG file, whatever other format the request names; where files
//! are signed, each of them is.

use image::RgbImage;
use png::EncodingError;

use crate::{
    backend::{BackendError, GeneratedImage, seal::Seal},
    image_file::ImageFormat,
    model_info::TruncatedText,
    spec::image::ImageSpec,
};

/// A finished image with its files, signed if there is a seal.
pub(super) fn encoded(
    spec: &ImageSpec,
    image: RgbImage,
    (seed, seal): (u64, Option<&Seal>),
    parameters: String,
    (truncated, remarks): (Vec<TruncatedText>, Vec<String>),
) -> Result<GeneratedImage, BackendError> {
    let (png, recoded) = files(spec.file_format(), (seal, Some(seed)), |format| format.encode(&image, &parameters))?;
    Ok(GeneratedImage { png, recoded, image, seed, parameters, truncated, remarks })
}

/// The PNG file of an image, and another one with its format.
pub(super) type Files = (Vec<u8>, Option<(ImageFormat, Vec<u8>)>);

/// The PNG file of an image, and the one in the requested format if that is another; each signed if there is a seal.
pub(super) fn files(
    requested: ImageFormat,
    (seal, seed): (Option<&Seal>, Option<u64>),
    encode: impl Fn(ImageFormat) -> Result<Vec<u8>, EncodingError>,
) -> Result<Files, EncodingError> {
    let file = |format: ImageFormat| {
        let file = encode(format)?;
        match seal {
            None => Ok(file),
            Some(seal) => seal.image(format, &file, seed).map_err(|error| EncodingError::IoError(error.into())),
        }
    };
    let recoded = Some(requested).filter(|format| !format.is_png());
    Ok((file(ImageFormat::Png)?, recoded.map(|format| file(format).map(|file| (format, file))).transpose()?))
}
