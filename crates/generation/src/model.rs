//! The model as the engine sees it: facts about it, what it can make, and where loading stands.

use std::{fmt, sync::Arc};

use diffusion_core::{
    Result,
    denoise::StepMonitor,
    frames::FrameSink,
    journal::{Journal, Kept},
    pipelines::scenes::SceneMonitor,
    schedulers::{SchedulerKind, SchedulerName},
    tokenizer::Scripts,
};
use image::RgbImage;

use crate::{
    memory::MemoryPlan,
    spec::ImageSpec,
    video::{VideoShape, VideoSpec},
};

/// Facts about a loaded model that validation and answers need.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelInfo {
    /// What a person calls it: the hub id, the folder, "nano-sd (embedded)".
    pub name: String,
    /// The model that sets pictures in motion, by the name that it was asked for.
    pub motion: String,
    /// "cpu", "cuda" or "metal".
    pub device: String,
    /// The precision of the noise predictor: "f32", "bf16" or "f16".
    pub precision: String,
    /// Why that device, as a sentence.
    pub device_reason: String,
    /// The width of a picture when none is asked for, in pixels.
    pub default_width: u32,
    /// The height of a picture when none is asked for, in pixels.
    pub default_height: u32,
    /// The model's own scheduler; `None` if it is none that can be run, and every request names one.
    pub scheduler: Option<SchedulerName>,
    /// Why it is none that can be run, as a sentence; else empty.
    pub scheduler_reason: String,
    /// What jobs take in memory, and how much there is.
    pub memory: MemoryPlan,
    /// The scripts that it reads prompts in.
    pub scripts: Scripts,
    /// What a person should know of how the model was read, a sentence each.
    pub remarks: Vec<String>,
}

impl ModelInfo {
    /// What a request does not do as it seems to, a sentence each.
    pub fn remarks_on(&self, spec: &ImageSpec) -> Vec<String> {
        let mut remarks = self.unread_scripts([spec.prompt(), spec.negative_prompt()]);
        let scheduler = spec.scheduler().or(self.scheduler);
        if let (Some(_), Some(scheduler)) = (spec.eta(), scheduler.filter(|name| name.kind.default_eta().is_none())) {
            let takers = SchedulerKind::ALL.into_iter().filter(|kind| kind.default_eta().is_some()).map(SchedulerKind::as_str);
            let takers = takers.collect::<Vec<_>>().join(", ");
            remarks.push(format!("eta has no effect with the scheduler {scheduler}; the schedulers that take it are {takers}"));
        }
        remarks
    }

    /// A sentence for each of a request's texts that is written, at least partly, in a script that the model was not taught to read.
    pub fn unread_scripts<'a>(&self, texts: impl IntoIterator<Item = &'a str>) -> Vec<String> {
        let mut remarks: Vec<String> = Vec::new();
        for script in texts.into_iter().filter_map(|text| self.scripts.unread(text)) {
            let remark =
                format!("the model does not read the {script} script, so that part of the prompt has little effect: write it in English");
            if !remarks.contains(&remark) {
                remarks.push(remark);
            }
        }
        remarks
    }
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

/// What the device's thread asks of a model. Implementers keep no state between calls that a panic could leave half-changed.
pub trait DeviceModel {
    /// Makes one picture from a spec and a seed (the spec's own seed is picture 0's), or what of it is not kept yet.
    ///
    /// # Errors
    /// Whatever keeps the pipeline from it; [`diffusion_core::Error::Cancelled`] if the monitor breaks.
    fn picture(&mut self, spec: &ImageSpec, seed: u64, monitor: &mut dyn StepMonitor, kept: Kept<'_>) -> Result<Picture>;

    /// What a video will be, before its first frame; loads what is needed to know.
    ///
    /// # Errors
    /// If a model that it needs cannot be loaded.
    fn video_shape(&mut self, spec: &VideoSpec) -> Result<VideoShape>;

    /// Makes a video from frame `first_frame` on, and tells which texts were cut. What the journal has of it is not made again.
    ///
    /// # Errors
    /// As [`Self::picture`]; [`diffusion_core::Error::Sink`] if the sink refuses a frame.
    fn video(
        &mut self,
        spec: &VideoSpec,
        first_frame: usize,
        monitor: &mut dyn SceneMonitor,
        sink: &mut dyn FrameSink,
        journal: &mut dyn Journal,
    ) -> Result<Vec<TruncatedText>>;
}

/// A model that is ready. It lives on the thread that loaded it and never leaves it.
pub struct LoadedModel {
    /// Facts about it.
    pub info: ModelInfo,
    /// The model.
    pub model: Box<dyn DeviceModel>,
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

#[cfg(test)]
impl ModelInfo {
    /// Facts about a model of 64 x 64 pixels that is not there.
    pub(crate) fn for_tests() -> Self {
        Self {
            name: "fake".into(),
            motion: "fake".into(),
            device: "cpu".into(),
            precision: "f32".into(),
            device_reason: "there is no other".into(),
            default_width: 64,
            default_height: 64,
            scheduler: Some(diffusion_core::schedulers::SchedulerKind::Ddim.into()),
            scheduler_reason: String::new(),
            memory: MemoryPlan::default(),
            scripts: Scripts::default(),
            remarks: Vec::new(),
        }
    }
}
