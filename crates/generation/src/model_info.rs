//! Facts about a model that requests are checked against and answers repeat.
//!
//! It must not know how a model is run.

use std::fmt;

use diffusion_core::{schedulers::SchedulerName, tokenizer::Scripts};

/// What the operator has a model's requests filled in with where they leave it out. The default leaves that to the model and the service.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ModelDefaults {
    /// Denoising steps of an image.
    pub num_inference_steps: Option<u32>,
    /// Classifier-free guidance of an image.
    pub guidance_scale: Option<f64>,
    /// (width, height) of an image in pixels.
    pub size: Option<(u32, u32)>,
    /// The scheduler of an image.
    pub scheduler: Option<SchedulerName>,
}

/// Facts about a model that validation and answers need.
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
    /// The scripts that it reads prompts in.
    pub scripts: Scripts,
    /// What requests that leave it out are filled in with.
    pub defaults: ModelDefaults,
    /// What a person should know of how the model was read, a sentence each.
    pub remarks: Vec<String>,
}

impl ModelInfo {
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
            scripts: Scripts::default(),
            defaults: ModelDefaults::default(),
            remarks: Vec::new(),
        }
    }
}
