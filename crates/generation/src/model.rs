//! The model as the engine sees it: facts about it, a function that makes one picture, and where loading stands.

use std::{fmt, sync::Arc};

use diffusion_core::{denoise::StepMonitor, schedulers::SchedulerName};
use image::RgbImage;

use crate::spec::ImageSpec;

/// Facts about a loaded model that validation and answers need.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelInfo {
    /// What a person calls it: the hub id, the folder, "nano-sd (embedded)".
    pub name: String,
    /// "cpu", "cuda" or "metal".
    pub device: String,
    /// Why that device, as a sentence.
    pub device_reason: String,
    /// The width of a picture when none is asked for, in pixels.
    pub default_width: u32,
    /// The height of a picture when none is asked for, in pixels.
    pub default_height: u32,
    /// The model's own scheduler.
    pub scheduler: SchedulerName,
}

/// A text of a request that is longer than the model reads: its end had no say in the picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TruncatedText {
    /// The field's name as in [`crate::ImageRequest`]: "prompt" or "negative_prompt".
    pub field: &'static str,
    /// The tokens of the whole text.
    pub tokens: usize,
    /// How many of them the model reads.
    pub limit: usize,
}

impl fmt::Display for TruncatedText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { field, tokens, limit } = self;
        write!(f, "the {} has {tokens} tokens, of which the model reads the first {limit}", field.replace('_', " "))
    }
}

/// What a model makes of a spec and a seed.
#[derive(Clone, Debug)]
pub struct Picture {
    /// The picture.
    pub image: RgbImage,
    /// The texts that were cut for it; empty if all was read.
    pub truncated: Vec<TruncatedText>,
}

/// Makes one picture from a spec and a seed (the spec's own seed is picture 0's). Runs on the device's thread only.
pub type Generate = Box<dyn FnMut(&ImageSpec, u64, &mut dyn StepMonitor) -> diffusion_core::Result<Picture>>;

/// A model that is ready to make pictures. It lives on the thread that loaded it and never leaves it.
pub struct LoadedModel {
    /// Facts about it.
    pub info: ModelInfo,
    /// Makes one picture.
    pub generate: Generate,
}

/// Where the engine's model stands.
#[derive(Clone, Debug)]
pub enum EngineStatus {
    /// The model is being loaded.
    Loading,
    /// Pictures can be asked for.
    Ready(Arc<ModelInfo>),
    /// The model could not be loaded, or its device is lost; the reason in one line.
    Failed(String),
}
