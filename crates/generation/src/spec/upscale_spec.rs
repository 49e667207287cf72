//! The enlargement of a picture: from an unchecked request to a validated spec.
//!
//! It must not know devices. Invariant: the size of a spec's result is within the limits of [`super::upscale`].

use diffusion_core::adapters::UpscalerFolder;
use image::DynamicImage;
use serde::{Deserialize, Serialize};

use super::{
    field_error::{FieldError, FieldErrorKind},
    image::Upscaler,
    stored_image,
    upscale::{check_size, upscaled_size},
};
use crate::image_file::ImageFormat;

/// The size of an enlarged picture, as it is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum UpscaledSize {
    /// The upscaler's own factor.
    #[default]
    Own,
    /// A factor.
    Scale(f64),
    /// (width, height) in pixels; a smaller one is resampled.
    Exact((u32, u32)),
}

/// An unchecked request to enlarge a picture.
#[derive(Clone, Debug, Default)]
pub struct UpscaleRequest {
    /// The picture; transparency is enlarged too.
    pub image: Option<DynamicImage>,
    /// The upscaler, by its name in the operator's folder.
    pub upscaler: Option<String>,
    /// The size of the result.
    pub size: UpscaledSize,
    /// The format of the file.
    pub file_format: ImageFormat,
}

/// A validated request to enlarge a picture.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UpscaleSpec {
    #[serde(with = "stored_image::whole")]
    image: DynamicImage,
    upscaler: String,
    size: (u32, u32),
    file_format: ImageFormat,
}

impl UpscaleRequest {
    /// The spec of a request. Reads the upscaler's file if it has changed since the last time.
    ///
    /// # Errors
    /// Every fault of the fields `image`, `upscaler`, `scale` and `size`.
    pub fn validate(self, folder: Option<&UpscalerFolder>) -> Result<UpscaleSpec, Vec<FieldError>> {
        let Self { image, upscaler, size, file_format } = self;
        let mut faults = Vec::new();
        let config = match (upscaler.as_deref().map(str::trim).filter(|name| !name.is_empty()), folder) {
            (None, _) => Err(FieldErrorKind::Missing),
            (Some(_), None) => Err(value("this server has no upscalers: the setting upscalers.folder names a folder of them".to_owned())),
            (Some(name), Some(folder)) => match Upscaler::choose(name, Some(folder)) {
                Ok(Upscaler::Network(name)) => folder.config(&name).map_err(|error| value(diffusion_core::adapters::reason(&error))),
                Ok(Upscaler::None | Upscaler::Lanczos | Upscaler::Nearest | Upscaler::Latent(_)) => {
                    let known = folder.names().unwrap_or_default().join(", ");
                    Err(value(format!("{name:?} is no network, and resampling a picture needs no job; there are {known}")))
                }
                Err(reason) => Err(value(reason)),
            },
        };
        let config = config.map_err(|kind| faults.push(FieldError::new("upscaler", upscaler.as_deref().unwrap_or_default(), kind))).ok();
        if image.is_none() {
            faults.push(FieldError::new("image", "", FieldErrorKind::Missing));
        }
        let (Some(config), Some(image)) = (config, image) else { return Err(faults) };
        let from = (image.width(), image.height());
        let size = match size {
            UpscaledSize::Own => upscaled_size(&config, from, None),
            UpscaledSize::Scale(scale) => upscaled_size(&config, from, Some(scale)),
            UpscaledSize::Exact(to) => check_size(&config, from, to).map(|()| to),
        };
        let size = size.map_err(|fault| vec![*fault])?;
        Ok(UpscaleSpec { image, upscaler: upscaler.unwrap_or_default().trim().to_owned(), size, file_format })
    }
}

fn value(error: String) -> FieldErrorKind {
    FieldErrorKind::Value { error }
}

impl UpscaleSpec {
    /// The given picture.
    pub fn image(&self) -> &DynamicImage {
        &self.image
    }

    /// Its size, (width, height) in pixels.
    pub fn given_size(&self) -> (u32, u32) {
        (self.image.width(), self.image.height())
    }

    /// The upscaler's name.
    pub fn upscaler(&self) -> &str {
        &self.upscaler
    }

    /// (width, height) of the result in pixels.
    pub fn size(&self) -> (u32, u32) {
        self.size
    }

    /// The format of the file.
    pub fn file_format(&self) -> ImageFormat {
        self.file_format
    }

    /// The size of the result at this factor, if it is allowed.
    pub(crate) fn size_at(&self, scale: f64, config: &diffusion_core::weights::UpscalerConfig) -> Option<(u32, u32)> {
        upscaled_size(config, self.given_size(), Some(scale)).ok()
    }
}
