//! An image model's autoencoders: its own, and a small one where it has one.
//!
//! This module must not depend on what an image starts from. Invariant: both have the same latents, so that either decodes what the noise
//! predictor makes.

use candle_core::DType;
use serde_json::Value;

use crate::{
    Error, Result,
    models::{ImageVae, ImageVaeConfig},
    policy::ExecutionPolicy,
    weights::{Component, ModelFamily, VaeChoice, WeightSource},
};

/// The configurations of a model's autoencoders.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::pipelines) struct VaeConfigs {
    pub full: ImageVaeConfig,
    pub tiny: Option<ImageVaeConfig>,
}

impl VaeConfigs {
    /// Reads those of a model of this family.
    ///
    /// # Errors
    /// [`Error::Config`] naming the field that is malformed, not supported, or different from the model's own autoencoder.
    pub(in crate::pipelines) fn read(source: &dyn WeightSource, family: ModelFamily) -> Result<Self> {
        let json = source.config(Component::Vae)?;
        let in_own = |error: Error| error.in_file(&source.config_name(Component::Vae));
        let full = check_latents(&json, family).and_then(|()| ImageVaeConfig::from_json(&json)).map_err(in_own)?;
        if !source.vaes().contains(&VaeChoice::Tiny) {
            return Ok(Self { full, tiny: None });
        }
        let json = source.config(Component::TinyVae)?;
        let in_own = |error: Error| error.in_file(&source.config_name(Component::TinyVae));
        let tiny = ImageVaeConfig::from_json(&json).map_err(in_own)?;
        check_fit(&full, &tiny).map_err(in_own)?;
        Ok(Self { full, tiny: Some(tiny) })
    }

    /// The policy with the full autoencoder in f32 if its config says `force_upcast` and the policy says f16, whose range its activations
    /// exceed. The tiny one keeps its precision.
    pub(in crate::pipelines) fn upcast(&self, policy: &ExecutionPolicy) -> ExecutionPolicy {
        let upcasts = policy.vae == DType::F16 && self.full.force_upcast();
        ExecutionPolicy { vae: if upcasts { DType::F32 } else { policy.vae }, ..policy.clone() }
    }

    /// The chosen one; the model's own if there is no other.
    pub(in crate::pipelines) fn chosen(&self, choice: VaeChoice) -> &ImageVaeConfig {
        match (choice, &self.tiny) {
            (VaeChoice::Tiny, Some(tiny)) => tiny,
            (VaeChoice::Tiny, None) | (VaeChoice::Full, _) => &self.full,
        }
    }
}

/// The autoencoders that a model has by these names, the one of requests that choose none first. A model whose own is an AutoencoderTiny has no
/// full one.
///
/// # Errors
/// Those of the source, for its configuration.
pub fn available_vaes(source: &dyn WeightSource) -> Result<Vec<VaeChoice>> {
    let own = source.config(Component::Vae)?;
    let is_tiny = own.get("_class_name").and_then(Value::as_str) == Some("AutoencoderTiny");
    Ok(if is_tiny { vec![VaeChoice::Tiny] } else { source.vaes() })
}

/// Refuses an autoencoder whose latents are normalised by channel, which only diffusers' pipelines of Stable Diffusion XL do.
///
/// # Errors
/// [`Error::Config`] naming the field.
pub(in crate::pipelines) fn check_latents(vae: &Value, family: ModelFamily) -> Result<()> {
    let is_given = |field: &str| vae.get(field).is_some_and(|value| !value.is_null());
    if family.is_xl() && is_given("latents_mean") && is_given("latents_std") {
        let reason = "latents that are normalised by channel are not supported; supported: null";
        return Err(Error::config("vae/config.json", "latents_mean", reason));
    }
    Ok(())
}

/// Refuses a small autoencoder whose latents are not those of the model's own.
pub(in crate::pipelines) fn check_fit(full: &ImageVaeConfig, tiny: &ImageVaeConfig) -> Result<()> {
    let fail = |field: &str, found: usize, expected: usize| {
        Err(Error::config("vae_tiny/config.json", field, format!("unsupported value {found}; the model's own autoencoder has {expected}")))
    };
    if tiny.latent_channels() != full.latent_channels() {
        return fail("latent_channels", tiny.latent_channels(), full.latent_channels());
    }
    if tiny.factor() != full.factor() {
        return fail("num_decoder_blocks", tiny.factor(), full.factor());
    }
    Ok(())
}

/// The autoencoders of a loaded model.
#[derive(Debug)]
pub(in crate::pipelines) struct Vaes {
    pub full: ImageVae,
    pub tiny: Option<ImageVae>,
}

impl Vaes {
    /// The chosen one.
    ///
    /// # Errors
    /// [`Error::Params`] if the model has no small one.
    pub(in crate::pipelines) fn chosen(&self, choice: VaeChoice) -> Result<&ImageVae> {
        match choice {
            VaeChoice::Full => Ok(&self.full),
            VaeChoice::Tiny => self.small().ok_or_else(|| Error::Params { field: "vae", reason: NO_TINY_VAE.into() }),
        }
    }

    /// The small one, which may be the model's own.
    pub(in crate::pipelines) fn small(&self) -> Option<&ImageVae> {
        self.tiny.as_ref().or(Some(&self.full).filter(|own| own.config().is_tiny()))
    }

    pub(in crate::pipelines) fn configs(&self) -> VaeConfigs {
        VaeConfigs { full: self.full.config().clone(), tiny: self.tiny.as_ref().map(|tiny| tiny.config().clone()) }
    }
}

/// Why a model cannot use a full autoencoder.
pub const NO_FULL_VAE: &str =
    "the model has a tiny autoencoder (TAESD) only: choose tiny, or name an AutoencoderKL where the model is chosen";

/// Why a model cannot use a small autoencoder.
pub const NO_TINY_VAE: &str =
    "the model has no tiny autoencoder (TAESD): put one into the model's folder vae_tiny, or name it where the model is chosen";
