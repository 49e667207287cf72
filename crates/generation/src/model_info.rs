//! Properties of a model, used to check requests and repeated in answers.
//!
//! It must not know how a model is run.

use std::{fmt, sync::Arc};

use diffusion_core::{
    Error, Result,
    adapters::{AdapterChoice, AdapterFolder, ControlNetFolder, UpscalerFolder},
    models::ControlNetConfig,
    pipelines::{NO_FULL_VAE, NO_TINY_VAE},
    prompt::PromptSyntax,
    schedulers::SchedulerName,
    tokenizer::Scripts,
    weights::{ModelFamily, TextEncoder, VaeChoice},
};

use crate::model_identity::ModelIdentity;

/// Why no adapter can be chosen.
pub(crate) const NO_ADAPTERS: &str = "no folder of adapters is set up; name one by the setting adapters.folder or the flag --adapters";

/// Why no ControlNet can be chosen.
pub(crate) const NO_CONTROLNETS: &str =
    "no folder of ControlNets is set up; name one by the setting controlnets.folder or the flag --controlnets";

/// Defaults for a model's requests: the operator's, then those of the model's own files. Empty fields leave the choice to the server.
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
    /// The adapters of an image.
    pub loras: Vec<AdapterChoice>,
    /// The language of prompts.
    pub prompt_syntax: Option<PromptSyntax>,
    /// The autoencoder.
    pub vae: Option<VaeChoice>,
}

impl ModelDefaults {
    /// These defaults, and for what they leave out those.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            num_inference_steps: self.num_inference_steps.or(other.num_inference_steps),
            guidance_scale: self.guidance_scale.or(other.guidance_scale),
            size: self.size.or(other.size),
            scheduler: self.scheduler.or(other.scheduler),
            prompt_syntax: self.prompt_syntax.or(other.prompt_syntax),
            vae: self.vae.or(other.vae),
            loras: if self.loras.is_empty() { other.loras } else { self.loras },
        }
    }
}

/// Why a model does not have this autoencoder.
pub(crate) fn no_vae(vae: VaeChoice) -> &'static str {
    match vae {
        VaeChoice::Full => NO_FULL_VAE,
        VaeChoice::Tiny => NO_TINY_VAE,
    }
}

/// Judges the configuration of a ControlNet.
///
/// # Errors
/// [`diffusion_core::Error::Config`] for one that no net of these families has.
pub fn is_controlnet(config: &serde_json::Value) -> diffusion_core::Result<()> {
    ControlNetConfig::from_json(config).map(drop)
}

/// Properties of a model that validation and answers need.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelInfo {
    /// Its name for users: the hub id, the folder, "nano-sd (embedded)".
    pub name: String,
    /// Its family, if it makes pictures.
    pub family: Option<ModelFamily>,
    /// Its short name: "sd1", "sd2", "sdxl", "sdxl-refiner"; `None` for models of other sizes.
    pub family_name: Option<&'static str>,
    /// The motion model, by the name under which it was requested.
    pub motion: String,
    /// "cpu", "cuda" or "metal".
    pub device: String,
    /// The precision of the noise predictor: "f32", "bf16" or "f16".
    pub precision: String,
    /// Why this device was chosen, as a sentence.
    pub device_reason: String,
    /// The default width of a picture in pixels.
    pub default_width: u32,
    /// The default height of a picture in pixels.
    pub default_height: u32,
    /// The model's own scheduler; `None` if it cannot be run, and then every request has to name one.
    pub scheduler: Option<SchedulerName>,
    /// Why it cannot be run, as a sentence; otherwise empty.
    pub scheduler_reason: String,
    /// The scripts in which it reads prompts.
    pub scripts: Scripts,
    /// Its autoencoders.
    pub vaes: Vec<VaeChoice>,
    /// The one of them that comes from elsewhere, and the name of its file or folder.
    pub other_vae: Option<(VaeChoice, String)>,
    /// Its text encoders that come from elsewhere, and the names of their files or folders.
    pub other_text_encoders: Vec<(TextEncoder, String)>,
    /// Defaults for requests.
    pub defaults: ModelDefaults,
    /// The folder of adapters that requests may choose from.
    pub adapters: Option<AdapterFolder>,
    /// The ControlNets that requests may choose.
    pub controlnets: Option<ControlNetFolder>,
    /// The upscalers that requests may choose for a second pass.
    pub upscalers: Option<UpscalerFolder>,
    /// Remarks for users on how the model was loaded, one sentence each.
    pub remarks: Vec<String>,
    /// What its results depend on beside the request; `None` before it was loaded, and if that is not known.
    pub identity: Option<Arc<ModelIdentity>>,
}

impl ModelInfo {
    /// The adapters that requests may choose, without those whose files show a fault. Those of a folder that cannot be read are none; a
    /// request that names one is told why.
    pub fn usable_adapters(&self) -> Vec<String> {
        self.adapters.as_ref().and_then(|folder| folder.usable().ok()).unwrap_or_default()
    }

    /// The ControlNets that requests may choose, likewise.
    pub fn usable_controlnets(&self) -> Vec<String> {
        self.controlnets.as_ref().and_then(|folder| folder.usable(is_controlnet).ok()).unwrap_or_default()
    }

    /// The parts that come from elsewhere: the settings that name them, and the names of their files or folders.
    pub fn other_parts(&self) -> Vec<(&'static str, &str)> {
        let vae = self.other_vae.iter().map(|(_, name)| ("vae", name.as_str()));
        vae.chain(self.other_text_encoders.iter().map(|(which, name)| (which.field(), name.as_str()))).collect()
    }

    /// Puts the operator's defaults before the model's.
    ///
    /// # Errors
    /// [`Error::Params`] if they select an autoencoder that the model does not have.
    pub fn set_defaults(&mut self, defaults: ModelDefaults) -> Result<()> {
        if let Some(vae) = defaults.vae.filter(|vae| !self.vaes.contains(vae)) {
            return Err(Error::Params { field: "vae", reason: format!("{vae}: {}", no_vae(vae)) });
        }
        self.defaults = defaults.or(std::mem::take(&mut self.defaults));
        Ok(())
    }

    /// Remarks on the texts of a video, which a validated spec has: those of [`Self::unread_scripts`], and one if there are tags of adapters among
    /// the texts.
    pub fn remarks_on_texts<'a>(&self, texts: impl IntoIterator<Item = &'a str>) -> Vec<String> {
        let texts: Vec<&str> = texts.into_iter().collect();
        let mut remarks = self.unread_scripts(texts.iter().copied());
        if texts.into_iter().any(AdapterChoice::has_tags) {
            let reason = if self.adapters.is_none() { NO_ADAPTERS } else { "adapters are chosen by tags of the prompts only" };
            remarks.push(format!("<lora:..> in the texts of a video is read as text: {reason}"));
        }
        remarks
    }

    /// A sentence for each script in a request's texts that the model was not trained to read.
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

/// A text of a request that is longer than the model reads: its end had no effect on the image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TruncatedText {
    /// The field's name as in [`crate::ImageRequest`]: "prompt", "negative_prompt", "prompt_2" or "negative_prompt_2".
    pub field: &'static str,
    /// The number of tokens of the whole text.
    pub tokens: usize,
    /// The number of tokens that the model reads.
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
    /// Properties of an imaginary model of 64 x 64 pixels.
    pub(crate) fn for_tests() -> Self {
        Self {
            name: "fake".into(),
            family: None,
            family_name: None,
            motion: "fake".into(),
            device: "cpu".into(),
            precision: "f32".into(),
            device_reason: "there is no other".into(),
            default_width: 64,
            default_height: 64,
            scheduler: Some(diffusion_core::schedulers::SchedulerKind::Ddim.into()),
            scheduler_reason: String::new(),
            scripts: Scripts::default(),
            vaes: vec![VaeChoice::Full],
            other_vae: None,
            other_text_encoders: Vec::new(),
            defaults: ModelDefaults::default(),
            adapters: None,
            controlnets: None,
            upscalers: None,
            remarks: Vec::new(),
            identity: None,
        }
    }
}
