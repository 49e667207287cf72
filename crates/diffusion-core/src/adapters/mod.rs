//! LoRA and its kin: files that change some layers of a model, merged into the model's weights while these are read; and files that add
//! words.
//!
//! An [`Adapter`] is one file, read in the naming of kohya-ss, diffusers, peft or LyCORIS; an [`AdaptedSource`] is a model with a set of
//! adapters, each with its own weights. This module must not depend on pipelines or requests. Invariant: everything is summed in f32 before
//! the model's precision and packing, so that the model runs as fast as without; a file that does not fit the model is refused before
//! anything is merged.

mod adapted_source;
mod adapted_tensors;
mod choice;
mod controlnet_folder;
mod embedding;
mod faults;
mod folder;
mod formula;
mod keys;
mod layer;
mod layer_names;
mod peft_notes;
mod upscaler_folder;

use std::{
    collections::BTreeMap,
    hash::{DefaultHasher, Hash, Hasher},
    path::Path,
};

use candle_core::DType;

pub use self::{
    adapted_source::{AdaptedSource, AppliedAdapter},
    choice::{AdapterChoice, MOST_WEIGHT},
    controlnet_folder::ControlNetFolder,
    embedding::Embedding,
    faults::reason,
    folder::AdapterFolder,
    upscaler_folder::UpscalerFolder,
};
use self::{
    formula::{Factor, Factors},
    keys::{LayerKey, Role},
    layer::Layer,
    peft_notes::PeftNotes,
};
use crate::{
    Error, Result,
    weights::{self, GivenAs, TensorFile},
};

/// How many keys a message names.
const SHOWN: usize = 3;

/// One adapter file: a LoRA, LoHa, LoKr, DoRA or a set of whole differences.
pub struct Adapter {
    name: String,
    /// Differs between files, and between a file and its replacement.
    stamp: u64,
    file: TensorFile,
    layers: Vec<Layer>,
    /// Keys that belong to no known kind of adapter.
    unknown: Vec<String>,
}

impl Adapter {
    /// Opens an adapter and checks that its tensors fit each other and are finite. `name` is its name in messages.
    ///
    /// # Errors
    /// [`crate::Error::Io`], [`crate::Error::Weights`] or [`crate::Error::File`] if the file cannot be read, is no adapter, or holds tensors that
    /// cannot be applied: ranks that differ or exceed the limit, a negative alpha, numbers that are not finite.
    pub fn open(name: impl Into<String>, path: &Path) -> Result<Self> {
        let file = TensorFile::open(path, keys::component_of)?;
        let (mut layers, mut unknown): (BTreeMap<LayerKey, Factors>, _) = (BTreeMap::new(), Vec::new());
        for (key, shape) in file.shapes() {
            let Some((layer, role)) = keys::parse(key) else {
                unknown.push(key.to_owned());
                continue;
            };
            let factor = Factor { key: key.to_owned(), shape: shape.to_vec() };
            if let Some(other) = layers.entry(layer).or_default().insert(role, factor) {
                return Err(file.fail(format!("has {key} and {}, which are the same tensor under two names", other.key)));
            }
        }
        let notes = PeftNotes::read(&file)?;
        let mut found = Vec::new();
        for (key, factors) in layers {
            let scale = scale_of(&key, factors.get(&Role::Alpha), &notes, &file)?;
            match Layer::new(&key, &factors, scale).map_err(|reason| file.fail(reason))? {
                Some(layer) => found.push(layer),
                None => unknown.extend(factors.into_values().map(|factor| factor.key)),
            }
        }
        if found.is_empty() {
            let all: Vec<String> = file.shapes().map(|(key, _)| key.to_owned()).collect();
            let what = weights::instead_of(GivenAs::Adapter, &file.shapes().collect::<Vec<_>>());
            return Err(file.fail(what.unwrap_or_else(|| {
                format!("is no LoRA or LyCORIS adapter that is known here; its tensors are {}", first_tensors(&file, &all))
            })));
        }
        for (key, _) in file.shapes().filter(|(key, _)| keys::parse(key).is_some()) {
            check_finite(&file, key)?;
        }
        Ok(Self { name: name.into(), stamp: stamp_of(path)?, file, layers: found, unknown })
    }

    /// Refuses a file that holds no adapter, as far as its start tells; no tensor is read.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn check(path: &Path) -> Result<()> {
        let Some(found) = weights::header(path, keys::component_of)? else { return Ok(()) };
        if found.iter().any(|(key, _)| keys::parse(key).is_some()) {
            return Ok(());
        }
        let shapes: Vec<(&str, &[usize])> = found.iter().map(|(key, shape)| (key.as_str(), shape.as_slice())).collect();
        weights::instead_of(GivenAs::Adapter, &shapes).map_or(Ok(()), |what| Err(Error::file(path, what)))
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its file.
    pub fn path(&self) -> &Path {
        self.file.path()
    }

    /// The hash of its tensors as its trainer wrote it into the header (`sshs_model_hash`).
    pub fn stated_hash(&self) -> Option<&str> {
        self.file.note("sshs_model_hash")
    }
}

/// Identifies a file's content by its path, size and time of change.
fn stamp_of(path: &Path) -> Result<u64> {
    let io = |source| Error::Io { path: path.to_owned(), source };
    let metadata = std::fs::metadata(path).map_err(io)?;
    let mut hasher = DefaultHasher::new();
    (path, metadata.len(), metadata.modified().map_err(io)?).hash(&mut hasher);
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        // Copies may keep the size and the time of change of their content.
        (metadata.dev(), metadata.ino(), metadata.ctime(), metadata.ctime_nsec()).hash(&mut hasher);
    }
    Ok(hasher.finish())
}

/// A layer's factor by its rank: alpha by rank, where the file has an alpha.
fn scale_of<'a>(
    layer: &'a LayerKey,
    alpha: Option<&Factor>,
    notes: &'a PeftNotes,
    file: &TensorFile,
) -> Result<impl Fn(usize) -> f64 + use<'a>> {
    let alpha = alpha.map(|factor| read_alpha(factor, file)).transpose()?;
    Ok(move |rank: usize| match alpha {
        // sd-scripts and LyCORIS read 0 as "the rank".
        Some(0.0) => 1.0,
        Some(alpha) => alpha / rank as f64,
        None => notes.scale(layer, rank).unwrap_or(1.0),
    })
}

fn read_alpha(factor: &Factor, file: &TensorFile) -> Result<f64> {
    let Factor { key, shape } = factor;
    if shape.iter().product::<usize>() != 1 {
        return Err(file.fail(format!("{key} has the shape {shape:?}, but an alpha is one number")));
    }
    let alpha = f64::from(file.read(key)?.flatten_all()?.get(0)?.to_scalar::<f32>()?);
    check_alpha(key, alpha).map_err(|reason| file.fail(reason))?;
    Ok(alpha)
}

/// Refuses an alpha that no trainer writes: it would turn an adapter into its opposite, which a negative weight says more clearly.
fn check_alpha(key: &str, alpha: f64) -> std::result::Result<(), String> {
    if alpha.is_finite() && alpha >= 0.0 {
        return Ok(());
    }
    Err(format!(
        "{key} is {alpha}, but an alpha is a finite number of at least 0; to apply an adapter the other way, give it a negative weight"
    ))
}

fn check_finite(file: &TensorFile, key: &str) -> Result<()> {
    // Finite f32 numbers cannot overflow a sum in f64.
    let sum = file.read(key)?.abs()?.to_dtype(DType::F64)?.sum_all()?.to_scalar::<f64>()?;
    if sum.is_finite() { Ok(()) } else { Err(file.fail(format!("tensor {key} has numbers that are infinite or NaN"))) }
}

/// The first few of a file's tensors with their shapes, and how many more there are.
fn first_tensors(file: &TensorFile, keys: &[String]) -> String {
    first(keys, |key| file.described(key))
}

/// The first few of some keys, and how many more there are.
fn first_of(keys: &[String]) -> String {
    first(keys, |key| key.escape_debug().to_string())
}

fn first(keys: &[String], described: impl Fn(&str) -> String) -> String {
    let shown: Vec<String> = keys.iter().take(SHOWN).map(|key| described(key)).collect();
    let rest = keys.len().saturating_sub(SHOWN);
    let more = if rest == 0 { String::new() } else { format!(" and {rest} more") };
    if keys.is_empty() { "none".into() } else { format!("{}{more}", shown.join(", ")) }
}
