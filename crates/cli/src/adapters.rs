//! The adapters that settings and a command's flags choose.
//!
//! It must not know models. The invariant: only files in the folders of the settings are opened, and ControlNets that a
//! command names by their paths.

use std::path::PathBuf;

use diffusion_core::{
    Error, Result as CoreResult,
    adapters::{AdapterChoice, AdapterFolder, ControlNetFolder},
    weights::WeightSource,
};
use generation::{Adapters, is_controlnet};
use serde_json::{Value, json};

use crate::{failure::Usage, settings::Settings};

/// The folders of the settings.
#[derive(Clone)]
pub(crate) struct Folders {
    pub(crate) adapters: Option<AdapterFolder>,
    embeddings: Option<PathBuf>,
    pub(crate) controlnets: Option<ControlNetFolder>,
}

impl Folders {
    /// Opens the folders that are set.
    ///
    /// # Errors
    /// [`Usage`] if one does not exist.
    pub(crate) fn open(settings: &Settings) -> Result<Self, Usage> {
        let (settings, controlnets) = (&settings.adapters, &settings.controlnets);
        let controlnets = controlnets.folder.as_ref().map(ControlNetFolder::open).transpose();
        let controlnets = controlnets.map_err(|error| Usage(format!("setting controlnets.folder: {error}")))?;
        let adapters = settings.folder.as_ref().map(AdapterFolder::open).transpose();
        if let Some(missing) = settings.embeddings.as_ref().filter(|folder| !folder.is_dir()) {
            return Err(Usage(format!("setting adapters.embeddings: {}: is no folder of embeddings", missing.display())));
        }
        let adapters = adapters.map_err(|error| Usage(format!("setting adapters.folder: {error}")))?;
        let of_adapters = adapters.as_ref().map(AdapterFolder::remarks).transpose();
        let of_adapters = of_adapters.map_err(|error| Usage(format!("setting adapters.folder: {error}")))?;
        let of_nets = controlnets.as_ref().map(|folder| folder.remarks(is_controlnet)).transpose();
        let of_nets = of_nets.map_err(|error| Usage(format!("setting controlnets.folder: {error}")))?;
        for remark in of_adapters.into_iter().chain(of_nets).flatten() {
            tracing::warn!("{remark}");
        }
        Ok(Self { adapters, embeddings: settings.embeddings.clone(), controlnets })
    }

    /// The same with another folder of ControlNets.
    ///
    /// # Errors
    /// Those of `change`.
    pub(crate) fn with_controlnets(
        self,
        change: impl FnOnce(Option<ControlNetFolder>) -> Result<Option<ControlNetFolder>, Usage>,
    ) -> Result<Self, Usage> {
        Ok(Self { controlnets: change(self.controlnets)?, ..self })
    }

    /// Checks that a model's usual adapters are there.
    ///
    /// # Errors
    /// [`Usage`] naming the model and the adapter.
    pub(crate) fn check(&self, model: &str, loras: &[AdapterChoice]) -> Result<(), Usage> {
        let Some(folder) = &self.adapters else { return Ok(()) };
        for lora in loras {
            folder.find(&lora.name).map_err(|error| Usage(format!("setting models.loras of {model}: {}", reason_of(error))))?;
        }
        Ok(())
    }

    /// What may change a model, whose usual adapters are `loras`; `None` if no folder is set.
    pub(crate) fn of_model(
        &self,
        loras: Vec<AdapterChoice>,
        reopen: impl Fn() -> CoreResult<Box<dyn WeightSource>> + Send + Sync + 'static,
    ) -> Option<Adapters> {
        let Self { adapters, embeddings, controlnets } = self;
        if adapters.is_none() && embeddings.is_none() && controlnets.is_none() {
            return None;
        }
        let mut all = Adapters::new(reopen);
        if let Some(folder) = adapters {
            all = all.with_loras(folder.clone(), loras);
        }
        if let Some(folder) = controlnets {
            all = all.with_controlnets(folder.clone());
        }
        Some(match embeddings {
            Some(folder) => all.with_embeddings(folder.clone()),
            None => all,
        })
    }
}

/// Reads the values of --lora; `None` without any.
///
/// # Errors
/// [`Usage`] for a weight that is no number within the limit.
pub(crate) fn of_flags(loras: &[String]) -> Result<Option<Vec<AdapterChoice>>, Usage> {
    let read = |text: &String| text.parse().map_err(|error: Error| Usage(format!("--lora: {}", reason_of(error))));
    let choices = loras.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    Ok((!choices.is_empty()).then_some(choices))
}

/// An error without the name of the field, which the message has under the user's own name for it.
fn reason_of(error: Error) -> String {
    if let Error::Params { reason, .. } = error { reason } else { error.to_string() }
}

/// An adapter in a command's JSON.
pub(crate) fn described(choice: &AdapterChoice) -> Value {
    let AdapterChoice { name, unet_weight, text_weight } = choice;
    json!({ "name": name, "weight": unet_weight, "text_weight": text_weight })
}
