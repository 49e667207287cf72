//! A model as a folder in diffusers' layout: model_index.json and one folder for each component.
//!
//! This module must not depend on the meaning of tensors. A model's files are mapped while it is being loaded: do not truncate or rewrite
//! them in place. Those of a single component are read. The file names and their order of preference follow diffusers' `models/modeling_utils.py` and `utils/constants.py`,
//! except that a half-precision variant is used without a request if there is nothing else.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    Component, StopCheck, TensorSource, VaeChoice, WeightSource,
    container::{self, NamedShape},
    contents,
    kinds::{self, GivenAs},
    mapping::{WeightFile, never},
    model_index, python_json, safetensors_file,
    strided::StoredTensor,
    table::TensorTable,
    torch_file,
};
use crate::{Error, Result, regular_file};

/// A diffusers model folder.
pub struct DiffusersFolder {
    root: PathBuf,
    variant: Option<String>,
    /// The component whose files lie at the top, where that is all there is.
    only: Option<Component>,
    /// Stops the reading of files.
    stop: StopCheck,
}

/// The variant for components without plain files.
const HALF_PRECISION: &str = "fp16";

impl DiffusersFolder {
    /// Opens a folder: reads and checks its model_index.json, but no weights yet.
    ///
    /// `variant` selects the weight files ("fp16" for `diffusion_pytorch_model.fp16.safetensors`) of every component; if it is `None`, the
    /// plain files are used, and the fp16 variant of a component that has no plain one.
    ///
    /// # Errors
    /// [`Error::File`] if the folder has no model_index.json, [`Error::Config`] if that names a pipeline or a model class that this crate
    /// does not implement.
    pub fn open(path: impl Into<PathBuf>, variant: Option<&str>) -> Result<Self> {
        Self::open_with(path, variant, &[])
    }

    /// As [`Self::open`], for a model of which these parts come from elsewhere.
    pub(super) fn open_with(path: impl Into<PathBuf>, variant: Option<&str>, other_parts: &[Component]) -> Result<Self> {
        let root = path.into();
        check_is_folder(&root)?;
        if let Some(variant) = variant
            && (variant.is_empty() || !variant.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-'))
        {
            return Err(Error::Params { field: "variant", reason: format!("{variant:?} is no variant's name, such as fp16") });
        }
        let folder = Self { root, variant: variant.map(str::to_owned), only: None, stop: never() };
        model_index::check(&model_index::with_parts(folder.config(Component::ModelIndex)?, other_parts))?;
        Ok(folder)
    }

    /// A folder without a model index: the only component of a transformers model lies at its top.
    pub(super) fn unindexed(root: PathBuf) -> Self {
        Self { root, variant: None, only: None, stop: never() }
    }

    /// A folder that is one component of a model, without the folder above it; `stop` stops the reading of its files.
    pub(super) fn of_component(root: impl Into<PathBuf>, component: Component, stop: StopCheck) -> Self {
        Self { root: root.into(), variant: None, only: Some(component), stop }
    }

    fn folder(&self, component: Component) -> PathBuf {
        if self.only == Some(component) { self.root.clone() } else { self.root.join(component.folder()) }
    }

    fn path(&self, component: Component, file_name: &str) -> PathBuf {
        self.folder(component).join(file_name)
    }

    /// The file of a component's configuration.
    pub(super) fn config_path(&self, component: Component) -> PathBuf {
        self.path(component, component.config_file())
    }

    /// The tensors of one file of a component. What supplements a model is read, not mapped: people replace it while a server runs.
    fn read_file(&self, path: PathBuf, component: Component) -> Result<Vec<(String, StoredTensor)>> {
        let torch = path.extension().is_some_and(|extension| extension == "bin");
        let file = if self.only.is_some() { WeightFile::read(path, &self.stop)? } else { WeightFile::map(path)? };
        container::check_kind(file.path(), file.bytes())?;
        let found = if torch { torch_file::contents(&file, |_| component) } else { safetensors_file::contents(&file, |_| component) };
        found.map(|found| found.tensors)
    }

    /// Refuses a component whose weight file shows a fault at its start; returns the names and shapes in it, if its container has them there.
    ///
    /// # Errors
    /// As for [`WeightSource::tensors`].
    pub(super) fn check_start(&self, component: Component) -> Result<Option<Vec<NamedShape>>> {
        let Weights { path, sharded } = self.weights_of(component)?;
        if sharded { Ok(None) } else { container::header(&path, |_| component) }
    }

    /// The preferred weight file among those that exist for a component.
    fn weights_of(&self, component: Component) -> Result<Weights> {
        let Some((safetensors, torch)) = component.weight_stems() else {
            return Err(Error::file(self.folder(component), "has no tensors"));
        };
        let variants: &[Option<&str>] = match &self.variant {
            Some(variant) => &[Some(variant)],
            None => &[None, Some(HALF_PRECISION)],
        };
        for variant in variants {
            for (stem, extension) in [(safetensors, "safetensors"), (torch, "bin")] {
                for candidate in candidates(stem, extension, *variant) {
                    let path = self.path(component, &candidate.file_name);
                    if path.is_file() {
                        return Ok(Weights { path, sharded: candidate.sharded });
                    }
                }
            }
        }
        let wanted = self.variant.as_ref().map_or(String::new(), |variant| format!(" of the variant {variant}"));
        let folder = self.folder(component);
        let other = kinds::of_other_program(&folder).map(|is| format!("; it holds {is}, which is not supported")).unwrap_or_default();
        let reason =
            format!("has no weight file{wanted}: looked for {safetensors}.safetensors, {torch}.bin, their shards and variants{other}");
        Err(Error::file(folder, reason))
    }
}

/// Refuses a path that is not a folder or does not exist.
pub(super) fn check_is_folder(path: &Path) -> Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    Err(Error::file(path, if path.exists() { "is no folder" } else { "does not exist" }))
}

struct Weights {
    path: PathBuf,
    sharded: bool,
}

struct Candidate {
    file_name: String,
    sharded: bool,
}

/// The file names that diffusers has used for a component's weights in one format.
fn candidates(stem: &str, extension: &str, variant: Option<&str>) -> Vec<Candidate> {
    let whole = |file_name| Candidate { file_name, sharded: false };
    let sharded = |file_name| Candidate { file_name, sharded: true };
    match variant {
        None => vec![whole(format!("{stem}.{extension}")), sharded(format!("{stem}.{extension}.index.json"))],
        Some(variant) => vec![
            whole(format!("{stem}.{variant}.{extension}")),
            sharded(format!("{stem}.{extension}.index.{variant}.json")),
            sharded(format!("{stem}.{variant}.{extension}.index.json")),
        ],
    }
}

impl WeightSource for DiffusersFolder {
    fn name(&self) -> String {
        self.root.display().to_string()
    }

    fn config(&self, component: Component) -> Result<serde_json::Value> {
        let path = self.path(component, component.config_file());
        match regular_file::read(&path) {
            Ok(bytes) => python_json::parse(&bytes).map_err(|error| Error::file(path, format!("is no JSON: {error}"))),
            Err(source) if source.kind() == std::io::ErrorKind::NotFound && component == Component::ModelIndex => {
                let known = kinds::of_folder(&self.root, GivenAs::Model).map(|what| format!("; {what}")).unwrap_or_default();
                Err(Error::file(path, format!("is missing, so this is no diffusers model folder{known}")))
            }
            Err(source) if source.kind() == std::io::ErrorKind::NotFound => {
                Err(Error::file(path, format!("is missing{}", model_index::advice(component.folder()))))
            }
            Err(source) => Err(Error::Io { path, source }),
        }
    }

    fn file(&self, component: Component, file_name: &str) -> Result<Option<Vec<u8>>> {
        let path = self.path(component, file_name);
        match regular_file::read(&path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(source) if source.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(Error::Io { path, source }),
        }
    }

    fn vaes(&self) -> Vec<VaeChoice> {
        let has_tiny = self.path(Component::TinyVae, Component::TinyVae.config_file()).is_file();
        if has_tiny { VaeChoice::ALL.to_vec() } else { vec![VaeChoice::Full] }
    }

    fn tensors(&self, component: Component) -> Result<Arc<dyn TensorSource>> {
        let Weights { path, sharded } = self.weights_of(component)?;
        let mut table = TensorTable::new(component, &path);
        if sharded {
            let weight_map = read_index(&path)?;
            for shard in weight_map.values().collect::<BTreeSet<_>>() {
                let shard_path = path.with_file_name(shard);
                if !shard_path.is_file() {
                    return Err(Error::file(shard_path, format!("is missing; {} names it", path.display())));
                }
                for (name, tensor) in self.read_file(shard_path.clone(), component)? {
                    // A scale is attached to its tensor only within one file.
                    if let Some(weight) = contents::scaled_by(&name).filter(|weight| weight_map.contains_key(weight)) {
                        let reason =
                            format!("is a scale in a different shard than {weight}, which is not supported; put both into one shard");
                        return Err(Error::Weights { component, file: shard_path, tensor: name, reason });
                    }
                    // The index decides: a tensor that it places in another shard, or does not list, is not read from this one.
                    if weight_map.get(&name) == Some(shard) {
                        table.insert(name, tensor)?;
                    }
                }
            }
        } else {
            for (name, tensor) in self.read_file(path, component)? {
                table.insert(name, tensor)?;
            }
        }
        Ok(Arc::new(table))
    }
}

/// The index of a sharded file: maps each tensor to its shard.
fn read_index(path: &Path) -> Result<HashMap<String, String>> {
    #[derive(serde::Deserialize)]
    struct Index {
        weight_map: BTreeMap<String, String>,
    }
    let bytes = regular_file::read(path).map_err(|source| Error::Io { path: path.into(), source })?;
    let index: Index = serde_json::from_slice(&bytes).map_err(|error| Error::file(path, format!("is no shard index: {error}")))?;
    // A shard lies beside its index; a name that leads elsewhere is refused.
    let plain = |shard: &str| !shard.is_empty() && shard != ".." && !shard.contains(['/', '\\', ':', '\0']);
    let readable = |shard: &str| shard.ends_with(".safetensors") || shard.ends_with(".bin");
    if let Some(shard) = index.weight_map.values().find(|shard| !plain(shard) || !readable(shard)) {
        return Err(Error::file(path, format!("names {shard:?} as a shard, which is no .safetensors or .bin file beside it")));
    }
    Ok(index.weight_map.into_iter().collect())
}
