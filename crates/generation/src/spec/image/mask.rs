//! How a given image and its mask are brought to the size of a run: proportions, the mask's edge, what the masked part starts from, and
//! whether it alone is made at full size.
//!
//! It must not know how an image is repainted. Invariant: without any of these fields a mask is taken as it is, and the result is the run's.

use image::GrayImage;
use serde::{Deserialize, Serialize};

use crate::spec::{
    check::Check,
    field_error::FieldErrorKind,
    limits::{MASK_BLUR, MASK_PADDING},
};

/// How a given image of other proportions is brought to the size of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResizeMode {
    /// It is stretched.
    #[default]
    Stretch,
    /// It covers the size; the excess is cut off evenly at both ends.
    Crop,
    /// It fits inside; its outermost pixels continue to the edges.
    Fill,
    /// Its latents are stretched.
    Latent,
}

impl ResizeMode {
    /// Every mode, with its name.
    pub const ALL: [(&'static str, Self); 4] =
        [("stretch", Self::Stretch), ("crop", Self::Crop), ("fill", Self::Fill), ("latent", Self::Latent)];

    /// Whether it is the default.
    pub fn is_stretch(&self) -> bool {
        *self == Self::Stretch
    }
}

/// What the masked part of an image starts from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MaskContent {
    /// The colours around it.
    Fill,
    /// The image.
    #[default]
    Original,
    /// Noise.
    Noise,
    /// Latents of zeros.
    Nothing,
}

impl MaskContent {
    /// Every content, with its name.
    pub const ALL: [(&'static str, Self); 4] =
        [("fill", Self::Fill), ("original", Self::Original), ("noise", Self::Noise), ("nothing", Self::Nothing)];
}

/// Unchecked fields about a mask; only with `mask_image`.
#[derive(Clone, Debug, Default)]
pub struct MaskRequest {
    /// The blur of its edge, in pixels. Default 0.
    pub blur: Option<f64>,
    /// What the masked part starts from, by name. Default "original".
    pub fill: Option<String>,
    /// Whether the part about the mask alone is made, at full size, and put back into the image, which keeps its size. Default: no.
    pub only_masked: Option<bool>,
    /// The pixels about the mask that belong to that part. Default 0.
    pub padding: Option<i128>,
    /// Whether everything but the mask is repainted. Default: no.
    pub invert: Option<bool>,
}

/// How a mask is applied. What it keeps of the image is there again in the result, pixel for pixel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MaskSpec {
    pub(crate) blur: f64,
    pub(crate) content: MaskContent,
    /// The padding, if the part about the mask alone is made.
    pub(crate) only_masked: Option<u32>,
    pub(crate) invert: bool,
}

impl MaskSpec {
    /// The blur of its edge, in pixels.
    pub fn blur(&self) -> f64 {
        self.blur
    }

    /// What the masked part starts from.
    pub fn content(&self) -> MaskContent {
        self.content
    }

    /// The pixels about the mask that belong to the part that is made, if that alone is made.
    pub fn only_masked(&self) -> Option<u32> {
        self.only_masked
    }

    /// Whether everything but the mask is repainted.
    pub fn invert(&self) -> bool {
        self.invert
    }
}

impl Check {
    /// How a mask is applied; `Some(None)` if it is taken as it is.
    pub(super) fn mask_spec(&mut self, request: Option<MaskRequest>, mask: Option<&GrayImage>) -> Option<Option<MaskSpec>> {
        let Some(MaskRequest { blur, fill, only_masked, padding, invert }) = request else { return Some(None) };
        let Some(mask) = mask else {
            return self.fail(
                "mask",
                "",
                FieldErrorKind::Value { error: "it says how a mask is applied, and there is none (mask_image)".to_owned() },
            );
        };
        self.group = Some("mask");
        let (only_masked, invert) = (only_masked.unwrap_or(false), invert.unwrap_or(false));
        let blur = self.float("blur", blur, 0.0, MASK_BLUR);
        let content = self.choice("fill", fill, MaskContent::ALL, None);
        let padding = self.integer("padding", padding, 0, MASK_PADDING);
        self.group = None;
        let empty = if invert { 255 } else { 0 };
        if only_masked && !mask.as_raw().is_empty() && mask.as_raw().iter().all(|value| *value == empty) {
            let error =
                format!("it is {} everywhere, so nothing would be repainted", if invert { "white, and inverted," } else { "black" });
            return self.fail("mask_image", "", FieldErrorKind::Value { error });
        }
        Some(Some(MaskSpec { blur: blur?, content: content?, only_masked: if only_masked { Some(padding?) } else { None }, invert }))
    }

    /// How a given image is brought to the size of the run.
    pub(super) fn resize_mode(&mut self, name: Option<String>, has_image: bool) -> Option<ResizeMode> {
        if let (Some(name), false) = (&name, has_image) {
            let error = "it says how a given picture is resized, and there is none (init_image)".to_owned();
            return self.fail("resize_mode", name, FieldErrorKind::Value { error });
        }
        self.choice("resize_mode", name, ResizeMode::ALL, None)
    }
}
