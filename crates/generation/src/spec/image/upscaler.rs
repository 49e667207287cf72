//! What enlarges an image, by name: the one list of upscalers that requests, lists and backends share.
//!
//! It must not know how images are made. Invariant: every name of [`Upscaler::all`] parses back to itself.

use std::{fmt, str::FromStr};

use diffusion_core::{
    Error, Result,
    adapters::UpscalerFolder,
    imaging::{nearest, resized},
    pipelines::LatentResize,
};
use image::RgbImage;

use crate::spec::field_error::{nearest as nearest_name, shortened};

/// An upscaler. Names are AUTOMATIC1111's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Upscaler {
    /// Pillow's Lanczos filter, under the name that stands for no upscaler in particular.
    None,
    /// Pillow's Lanczos filter.
    Lanczos,
    /// Blocks of one colour.
    Nearest,
    /// Interpolated latents: between two passes only.
    Latent(LatentResize),
    /// A network of the operator's folder, by its file's name. The device runs it.
    Network(String),
}

impl Upscaler {
    /// The built-in upscalers of finished images.
    pub const OF_IMAGES: [Self; 3] = [Self::None, Self::Lanczos, Self::Nearest];

    /// Every built-in upscaler, those of latents first.
    pub fn all() -> impl Iterator<Item = Self> {
        LatentResize::ALL.into_iter().map(Self::Latent).chain(Self::OF_IMAGES)
    }

    /// Its name.
    pub fn name(&self) -> &str {
        match self {
            Self::None => "None",
            Self::Lanczos => "Lanczos",
            Self::Nearest => "Nearest",
            Self::Latent(way) => way.name(),
            Self::Network(name) => name,
        }
    }

    /// The upscaler of a name: a built-in one, or else a usable one of the folder.
    ///
    /// # Errors
    /// A sentence with the known names, or with the fault of the file.
    pub fn choose(name: &str, folder: Option<&UpscalerFolder>) -> std::result::Result<Self, String> {
        let unknown = match name.parse::<Self>() {
            Ok(built_in) => return Ok(built_in),
            Err(unknown) => unknown,
        };
        let Some(folder) = folder else { return Err(unknown.to_string()) };
        let name = name.trim();
        if folder.find(name).is_ok() {
            return match folder.config(name) {
                Ok(_) => Ok(Self::Network(name.to_owned())),
                Err(Error::Params { reason, .. }) => Err(reason),
                Err(error) => Err(diffusion_core::adapters::reason(&error)),
            };
        }
        Err(UnknownUpscaler::new(name, &folder.names().unwrap_or_default()).to_string())
    }

    /// The name of the file, if it is a network.
    pub fn network(&self) -> Option<&str> {
        match self {
            Self::Network(name) => Some(name),
            Self::None | Self::Lanczos | Self::Nearest | Self::Latent(_) => None,
        }
    }

    /// An image at another size, (width, height) in pixels.
    ///
    /// # Errors
    /// [`Error::Params`] if a size is empty, or the upscaler is one of latents or a network, which a device runs.
    pub fn enlarged(&self, image: &RgbImage, (width, height): (u32, u32)) -> Result<RgbImage> {
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
            Self::Network(name) => {
                Err(Error::Params { field: "upscaler", reason: format!("{name:?} is a network, and no device is here to run it") })
            }
        }
    }
}

fn names(upscalers: &[Upscaler]) -> String {
    upscalers.iter().map(Upscaler::name).collect::<Vec<_>>().join(", ")
}

/// In a stored spec: by its name. One that is not built in is a network, whose file may have gone since; its job then says so.
pub(super) mod stored {
    use serde::{Deserialize as _, Deserializer, Serializer};

    use super::Upscaler;

    pub(in crate::spec) fn serialize<S: Serializer>(upscaler: &Upscaler, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(upscaler.name())
    }

    pub(in crate::spec) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Upscaler, D::Error> {
        let name = String::deserialize(deserializer)?;
        Ok(name.parse().unwrap_or(Upscaler::Network(name)))
    }
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

impl UnknownUpscaler {
    fn new(name: &str, networks: &[String]) -> Self {
        let all: Vec<Upscaler> = Upscaler::all().chain(networks.iter().cloned().map(Upscaler::Network)).collect();
        let near = nearest_name(name, all.iter().map(Upscaler::name));
        Self {
            name: shortened(name).into_owned(),
            nearest: near.map(|near| format!(", the nearest is {near:?}")).unwrap_or_default(),
            known: names(&all),
        }
    }
}

impl FromStr for Upscaler {
    type Err = UnknownUpscaler;

    fn from_str(text: &str) -> std::result::Result<Self, UnknownUpscaler> {
        let name = text.trim();
        Self::all().find(|upscaler| upscaler.name().eq_ignore_ascii_case(name)).ok_or_else(|| UnknownUpscaler::new(name, &[]))
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
