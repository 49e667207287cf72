//! A model with an autoencoder from elsewhere: another folder, or a single file. An AutoencoderKL replaces the model's own; an
//! AutoencoderTiny stands beside it, and is that of requests that choose none.
//!
//! This module must not know what an autoencoder computes. The invariant: everything but that autoencoder is the model's own, the scaling
//! factor included where the other file does not state one.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use serde_json::{Value, json};

use super::{
    Component, DiffusersFolder, ModelFamily, TensorSource, TextEncoder, VaeChoice, WeightSource, container,
    contents::Contents,
    kinds::{self, GivenAs},
    ldm::LdmPart,
    ldm_vae,
    mapping::{WeightFile, never},
    model_index,
    table::TensorTable,
};
use crate::{Error, Result};

/// A model with another autoencoder.
pub struct OtherVae {
    source: Box<dyn WeightSource>,
    vae: Vae,
    /// Which of the model's autoencoders it is.
    choice: VaeChoice,
    path: PathBuf,
}

enum Vae {
    Folder(DiffusersFolder),
    File(Value, Arc<TensorTable>),
}

impl Vae {
    /// Opens what lies at `path`, and tells which of a model's autoencoders it is.
    fn open(path: &Path) -> Result<(Self, VaeChoice)> {
        let vae = if path.is_dir() {
            Self::Folder(folder(path)?)
        } else if path.exists() {
            from_file(path)?
        } else {
            return Err(Error::file(path, "does not exist; a VAE is a folder or a file"));
        };
        let config = match &vae {
            Self::Folder(folder) => &folder.config(Component::Vae)?,
            Self::File(config, _) => config,
        };
        let choice = match kinds::class_in(config) {
            None | Some("AutoencoderKL") => VaeChoice::Full,
            Some("AutoencoderTiny") => VaeChoice::Tiny,
            Some(other) => {
                let what = kinds::name_of_class(other).map(|is| format!(", {is}")).unwrap_or_default();
                let reason = format!("unsupported value {other:?}{what}; supported are AutoencoderKL and AutoencoderTiny");
                return Err(Error::config(vae.config_name(path), "_class_name", reason));
            }
        };
        Ok((vae, choice))
    }

    /// The name of its configuration in messages; that of a file is inferred from the file.
    fn config_name(&self, path: &Path) -> String {
        match self {
            Self::Folder(folder) => folder.config_path(Component::Vae).display().to_string(),
            Self::File(..) => path.display().to_string(),
        }
    }
}

impl OtherVae {
    /// Gives `source` the autoencoder at `path`: the folder of an AutoencoderKL or an AutoencoderTiny, a whole model's
    /// folder, or a file with CompVis' names (an AutoencoderKL, or a checkpoint that holds one) or with diffusers' (an AutoencoderTiny).
    ///
    /// # Errors
    /// [`Error::File`] if there is no such thing at the path; [`Error::Weights`] for tensors that no autoencoder of these families has.
    pub fn open(source: Box<dyn WeightSource>, path: &Path) -> Result<Self> {
        let (vae, choice) = Vae::open(path)?;
        if choice == VaeChoice::Tiny {
            // It stands beside the model's own.
            source.config(Component::Vae)?;
        }
        Ok(Self { source, vae, choice, path: path.to_owned() })
    }

    /// The component that comes from elsewhere.
    fn component(&self) -> Component {
        match self.choice {
            VaeChoice::Full => Component::Vae,
            VaeChoice::Tiny => Component::TinyVae,
        }
    }

    /// The scaling factor of the model's own autoencoder; that of its family if the model has none.
    fn scaling_factor(&self) -> Result<Value> {
        let own = self.source.config(Component::Vae).ok().and_then(|config| config.get("scaling_factor").cloned());
        match own {
            Some(factor) => Ok(factor),
            None => Ok(json!(if ModelFamily::of(self.source.as_ref())?.is_xl() { 0.13025 } else { 0.18215 })),
        }
    }

    /// The configuration of that component.
    fn vae_config(&self) -> Result<Value> {
        match &self.vae {
            Vae::Folder(folder) => folder.config(Component::Vae),
            Vae::File(config, _) => {
                let mut config = config.clone();
                if self.choice == VaeChoice::Full
                    && let Some(fields) = config.as_object_mut()
                {
                    fields.insert("scaling_factor".into(), self.scaling_factor()?);
                }
                Ok(config)
            }
        }
    }
}

/// Refuses a path at which there is no autoencoder that a model can use; no weights are read.
///
/// # Errors
/// As [`OtherVae::open`], but for those about the model.
pub fn check_vae(path: &Path) -> Result<()> {
    match Vae::open(path)?.0 {
        Vae::Folder(folder) => folder.check_start(Component::Vae).map(drop),
        Vae::File(..) => Ok(()),
    }
}

/// The folder of an autoencoder, or of a whole model that has one.
fn folder(path: &Path) -> Result<DiffusersFolder> {
    if path.join(Component::ModelIndex.config_file()).is_file() {
        return DiffusersFolder::open(path, None);
    }
    let folder = DiffusersFolder::of_component(path, Component::Vae, never());
    if !folder.config_path(Component::Vae).is_file() {
        let what = kinds::of_folder(path, GivenAs::Vae).map(|what| format!("; {what}")).unwrap_or_default();
        return Err(Error::file(path, format!("has no config.json, so this is no VAE's folder{what}")));
    }
    Ok(folder)
}

/// Reads names and shapes; no weights.
fn from_file(path: &Path) -> Result<Vae> {
    let file = WeightFile::map(path.to_owned())?;
    let Contents { tensors, .. } = container::contents(&file, |_| Component::Vae)?;
    let has = |start: &str| tensors.iter().any(|(name, _)| name.starts_with(start));
    if has("encoder.layers.") && has("decoder.layers.") {
        let mut table = TensorTable::new(Component::Vae, path);
        for (name, tensor) in tensors {
            table.insert(name, tensor)?;
        }
        return Ok(Vae::File(json!({ "_class_name": "AutoencoderTiny" }), Arc::new(table)));
    }
    if has("encoder.down_blocks.") {
        return Err(Error::file(path, "has diffusers' names but no configuration: name the folder that holds it and its config.json"));
    }
    if !ldm_vae::PREFIXES.into_iter().any(has) {
        let shapes: Vec<(&str, &[usize])> = tensors.iter().map(|(name, tensor)| (name.as_str(), tensor.shape())).collect();
        if let Some(reason) = kinds::instead_of(GivenAs::Vae, &shapes) {
            return Err(Error::file(path, reason));
        }
    }
    let prefixes = [ldm_vae::PREFIXES[0], ldm_vae::PREFIXES[1], ""];
    let part = LdmPart::new(Component::Vae, path.to_owned(), &prefixes, &tensors);
    let layout = ldm_vae::Layout::infer(&part)?;
    let (table, _) = layout.tensors(&part)?;
    let mut config = layout.config(0, false);
    if let Some(fields) = config.as_object_mut() {
        // Neither is in such a file.
        fields.remove("scaling_factor");
        fields.remove("sample_size");
    }
    Ok(Vae::File(config, Arc::new(table)))
}

impl WeightSource for OtherVae {
    fn name(&self) -> String {
        self.source.name()
    }

    fn config(&self, component: Component) -> Result<Value> {
        if component == self.component() {
            return self.vae_config();
        }
        let config = self.source.config(component)?;
        let is_replaced = component == Component::ModelIndex && self.choice == VaeChoice::Full;
        Ok(if is_replaced { model_index::with_parts(config, &[Component::Vae]) } else { config })
    }

    fn file(&self, component: Component, file_name: &str) -> Result<Option<Vec<u8>>> {
        self.source.file(component, file_name)
    }

    fn config_name(&self, component: Component) -> String {
        if component == self.component() { self.vae.config_name(&self.path) } else { self.source.config_name(component) }
    }

    fn other_vae(&self) -> Option<(VaeChoice, String)> {
        let name = self.path.file_name().unwrap_or(self.path.as_os_str());
        Some((self.choice, name.to_string_lossy().into_owned()))
    }

    fn other_text_encoders(&self) -> Vec<(TextEncoder, String)> {
        self.source.other_text_encoders()
    }

    fn tensors(&self, component: Component) -> Result<Arc<dyn TensorSource>> {
        match &self.vae {
            _ if component != self.component() => self.source.tensors(component),
            Vae::Folder(folder) => folder.tensors(Component::Vae),
            Vae::File(_, table) => Ok(Arc::<TensorTable>::clone(table)),
        }
    }

    fn vaes(&self) -> Vec<VaeChoice> {
        match self.choice {
            VaeChoice::Full => self.source.vaes(),
            VaeChoice::Tiny => vec![VaeChoice::Tiny, VaeChoice::Full],
        }
    }

    fn remarks(&self) -> Vec<String> {
        let mut remarks = self.source.remarks();
        remarks.push(format!("the VAE {}: {}", self.choice, self.path.display()));
        remarks
    }

    fn unknown_tensors(&self) -> Vec<String> {
        self.source.unknown_tensors()
    }
}
