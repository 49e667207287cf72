//! Facts about an image model, read from its configuration files and its tokenizer without reading tensors.
//!
//! This module must not depend on requests. Invariant: each fact equals that of the loaded model.

use super::{
    ImageDefaults, Start,
    own_scheduler::OwnScheduler,
    vaes::{VaeConfigs, available_vaes},
};
use crate::{
    Result,
    imaging::sizes::of_latents,
    models::UNet2dConfig,
    schedulers::SchedulerName,
    tokenizer::{ClipTokenizer, Scripts},
    weights::{Component, ModelFamily, VaeChoice, WeightSource},
};

/// Facts about a Stable Diffusion model that is not loaded.
#[derive(Debug)]
pub struct ImageFacts {
    /// See [`super::StableDiffusion::name`].
    pub name: String,
    /// See [`super::StableDiffusion::default_size`].
    pub default_size: (u32, u32),
    /// See [`super::StableDiffusion::scheduler_name`].
    pub scheduler: Result<SchedulerName>,
    /// See [`super::StableDiffusion::scripts`].
    pub scripts: Scripts,
    /// The model's autoencoders; the first is that of requests that choose none.
    pub vaes: Vec<VaeChoice>,
    /// Defaults of requests, by the model's own files.
    pub defaults: ImageDefaults,
}

impl ImageFacts {
    /// Reads the configurations and the tokenizer; no tensor.
    ///
    /// # Errors
    /// As [`super::StableDiffusion::load`], for these files.
    pub fn of(source: &dyn WeightSource) -> Result<Self> {
        let family = ModelFamily::of_images(source)?;
        let scheduler = OwnScheduler::read(source)?;
        let unet = UNet2dConfig::from_json(&source.config(Component::Unet)?)?;
        let vae = VaeConfigs::read(source, family)?.full;
        let tokenizer = if family.has_first_text_encoder() { ClipTokenizer::load(source)? } else { ClipTokenizer::load_second(source)? };
        Ok(Self {
            name: source.name(),
            default_size: of_latents(unet.sample_size, vae.factor()),
            scheduler: scheduler.config(&Start::Noise, None).map(|config| config.name()),
            scripts: tokenizer.scripts(),
            vaes: available_vaes(source)?,
            defaults: ImageDefaults::of(source)?,
        })
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::{
        pipelines::{StableDiffusion, nano_sd},
        policy::ExecutionPolicy,
    };

    #[test]
    fn the_facts_are_those_of_the_loaded_model() {
        let facts = ImageFacts::of(&nano_sd()).unwrap();
        let loaded = StableDiffusion::load(&nano_sd(), &ExecutionPolicy::cpu_f32()).unwrap();
        assert_eq!(facts.name, loaded.name());
        assert_eq!(facts.default_size, loaded.default_size());
        assert_eq!(facts.scheduler.unwrap(), loaded.scheduler_name().unwrap());
        assert_eq!(facts.scripts, loaded.scripts());
    }
}
