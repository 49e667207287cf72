//! What enlarges an image, by name: the one list of upscalers that requests, lists and backends share.
//!
//! It must not know how images are made. Invariant: every name of [`Upscaler::all`] parses back to itself.

use std::{fmt, str::FromStr};

use diffusion_core::{
    Error, Result,
    imaging::{nearest, resized},
    pipelines::LatentResize,
};
use image::RgbImage;

use crate::spec::field_error::{nearest as nearest_name, shortened};

/// An upscaler. Names are AUTOMATIC1111's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Upscaler {
    /// Pillow's Lanczos filter, under the name that stands for no upscaler in particular.
    None,
    /// Pillow's Lanczos filter.
    Lanczos,
    /// Blocks of one colour.
    Nearest,
    /// Interpolated latents: between two passes only.
    Latent(LatentResize),
}

impl Upscaler {
    /// The upscalers of finished images.
    pub const OF_IMAGES: [Self; 3] = [Self::None, Self::Lanczos, Self::Nearest];

    /// Every upscaler, those of latents first.
    pub fn all() -> impl Iterator<Item = Self> {
        LatentResize::ALL.into_iter().map(Self::Latent).chain(Self::OF_IMAGES)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "None",
            Self::Lanczos => "Lanczos",
            Self::Nearest => "Nearest",
            Self::Latent(way) => way.name(),
        }
    }

    /// An image at another size, (width, height) in pixels.
    ///
    /// # Errors
    /// [`Error::Params`] if a size is empty, or the upscaler is one of latents.
    pub fn enlarged(self, image: &RgbImage, (width, height): (u32, u32)) -> Result<RgbImage> {
        match self {
            Self::None | Self::Lanczos => resized(image, width, height),
            Self::Nearest => nearest(image, width, height),
            Self::Latent(way) => Err(Error::Params {
                field: "upscaler",
                reason: format!(
                    "{:?} enlarges latents, between two passes only; for a picture there are {}",
                    way.name(),
                    names(&Self::OF_IMAGES)
                ),
            }),
        }
    }
}

fn names(upscalers: &[Upscaler]) -> String {
    upscalers.iter().map(|upscaler| upscaler.name()).collect::<Vec<_>>().join(", ")
}

impl fmt::Display for Upscaler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A name that is not an upscaler's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no upscaler {name:?}{nearest}; there are {known}")]
pub struct UnknownUpscaler {
    name: String,
    nearest: String,
    known: String,
}

impl FromStr for Upscaler {
    type Err = UnknownUpscaler;

    fn from_str(text: &str) -> std::result::Result<Self, UnknownUpscaler> {
        let name = text.trim();
        Self::all().find(|upscaler| upscaler.name().eq_ignore_ascii_case(name)).ok_or_else(|| {
            let all: Vec<Self> = Self::all().collect();
            let near = nearest_name(name, all.iter().map(|upscaler| upscaler.name()));
            UnknownUpscaler {
                name: shortened(name).into_owned(),
                nearest: near.map(|near| format!(", the nearest is {near:?}")).unwrap_or_default(),
                known: names(&all),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_parse_and_others_are_told_the_known_ones() {
        for upscaler in Upscaler::all() {
            assert_eq!(upscaler.to_string().to_uppercase().parse(), Ok(upscaler));
        }
        let error = "Lanzcos".parse::<Upscaler>().map_err(|error| error.to_string());
        let said = error.err().unwrap_or_default();
        assert!(said.contains("the nearest is \"Lanczos\"") && said.contains("Latent (nearest-exact)"), "{said}");
    }

    #[test]
    fn images_are_enlarged_by_pixels_only() {
        let image = RgbImage::new(4, 2);
        for upscaler in Upscaler::OF_IMAGES {
            assert_eq!(upscaler.enlarged(&image, (10, 6)).map(|image| image.dimensions()).ok(), Some((10, 6)));
        }
        assert!(
            Upscaler::Latent(LatentResize::Bilinear).enlarged(&image, (8, 4)).is_err_and(|error| error.to_string().contains("Lanczos"))
        );
    }
}
