//! What a model lets requests choose: adapters and autoencoders; and the checks of such choices, for images and videos.
//!
//! It must not know any particular request. Invariant: an adapter that passes lies in the model's folder; the faults of its file are found when it
//! is opened.

use diffusion_core::{
    adapters::{AdapterChoice, AdapterFolder},
    weights::VaeChoice,
};

use crate::{
    model_info::{ModelInfo, NO_ADAPTERS, no_vae},
    spec::{check::Check, field_error::FieldErrorKind, limits::Limits},
};

/// What a model lets requests choose; the default is a model that is not known yet.
#[derive(Clone, Debug, Default)]
pub struct Choices {
    adapters: Option<AdapterFolder>,
    /// The adapters of requests that choose none.
    usual: Vec<AdapterChoice>,
    /// Empty for a model that is not known yet.
    vaes: Vec<VaeChoice>,
    /// The autoencoder of requests that choose none.
    vae: Option<VaeChoice>,
}

impl Choices {
    /// Those of a model.
    pub fn of(model: &ModelInfo) -> Self {
        let ModelInfo { adapters, vaes, defaults, .. } = model;
        Self { adapters: adapters.clone(), usual: defaults.loras.clone(), vaes: vaes.clone(), vae: defaults.vae }
    }

    /// A text without its adapters' tags, and those adapters; where a model has no adapters, tags are text.
    pub(super) fn tags(&self, text: &str) -> Result<(String, Vec<AdapterChoice>), FieldErrorKind> {
        match self.adapters {
            Some(_) => AdapterChoice::from_prompt(text).map_err(of_choice),
            None => Ok((text.to_owned(), Vec::new())),
        }
    }
}

fn no_adapters() -> diffusion_core::Error {
    diffusion_core::Error::Params { field: "loras", reason: NO_ADAPTERS.to_owned() }
}

/// The fault in a choice of adapters.
fn of_choice(error: diffusion_core::Error) -> FieldErrorKind {
    let error = if let diffusion_core::Error::Params { reason, .. } = error { reason } else { error.to_string() };
    FieldErrorKind::Value { error }
}

impl Check {
    /// The prompt without its adapters' tags, and those adapters; where a model has no adapters, tags are text.
    pub(super) fn tagged_prompt(
        &mut self,
        prompt: Option<String>,
        limits: &Limits,
        choices: &Choices,
    ) -> (Option<String>, Vec<AdapterChoice>) {
        let fits = |text: &&str| text.chars().nth(limits.max_prompt_chars).is_none();
        let tagged = prompt.as_deref().filter(fits).map(|prompt| choices.tags(prompt));
        let (prompt, tags) = match tagged {
            Some(Ok((text, tags))) if text.trim().is_empty() && !tags.is_empty() => {
                let error = "has adapters' tags only, which are taken out of it; say what the picture shows, too".to_owned();
                return (self.fail("prompt", prompt.unwrap_or_default(), FieldErrorKind::Value { error }), Vec::new());
            }
            Some(Ok((text, tags))) => (Some(text), tags),
            Some(Err(kind)) => return (self.fail("prompt", prompt.unwrap_or_default(), kind), Vec::new()),
            None => (prompt, Vec::new()),
        };
        (self.prompt(prompt, limits), tags)
    }

    /// A prompt in AUTOMATIC1111's syntax without the tags of networks that are not known here, and these tags.
    pub(super) fn without_unknown_tags(&mut self, prompt: String) -> (Option<String>, Vec<String>) {
        let (text, tags) = AdapterChoice::unknown_tags(&prompt);
        if text.trim().is_empty() {
            let error = "has tags of unknown networks only, which are left out of it; say what the picture shows, too".to_owned();
            return (self.fail("prompt", prompt, FieldErrorKind::Value { error }), Vec::new());
        }
        (Some(text), tags)
    }

    /// The request's adapters, or else the model's usual ones, and those of the prompt's tags.
    pub(super) fn loras(
        &mut self,
        given: Option<Vec<AdapterChoice>>,
        (tagged, tags): (&'static str, Vec<AdapterChoice>),
        limits: &Limits,
        choices: &Choices,
    ) -> Option<Vec<AdapterChoice>> {
        // The usual ones are the operator's: what is wrong with them is found when the model is loaded.
        let mut loras = if given.is_none() { choices.usual.clone() } else { Vec::new() };
        for (field, chosen) in [("loras", given.unwrap_or_default()), (tagged, tags)] {
            let count = loras.len() + chosen.len();
            if count > limits.max_loras {
                let kind = if field == "loras" {
                    FieldErrorKind::TooLong { max_length: limits.max_loras }
                } else {
                    let error = format!("its tags make {count} adapters; there are at most {}", limits.max_loras);
                    FieldErrorKind::Value { error }
                };
                return self.fail(field, count, kind);
            }
            for lora in &chosen {
                let found = match &choices.adapters {
                    Some(folder) => lora.check().and_then(|()| folder.check(&lora.name)),
                    None => Err(no_adapters()),
                };
                if let Err(error) = found {
                    return self.fail(field, &lora.name, of_choice(error));
                }
            }
            loras.extend(chosen);
        }
        Some(loras)
    }

    /// The requested autoencoder, which the model must have.
    pub(super) fn vae(&mut self, name: Option<String>, choices: &Choices) -> Option<VaeChoice> {
        let choice = self.choice("vae", name, VaeChoice::ALL.map(|choice| (choice.name(), choice)), choices.vae)?;
        if !choices.vaes.is_empty() && !choices.vaes.contains(&choice) {
            return self.fail("vae", choice, FieldErrorKind::Value { error: no_vae(choice).to_owned() });
        }
        Some(choice)
    }
}
