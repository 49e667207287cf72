//! Text encoders that lie beside a model: a transformers folder, or a single file with transformers' names or OpenCLIP's.
//!
//! This module must not know what a text encoder computes. Invariant: what is opened has the names of a CLIP text encoder; a file states its
//! sizes only, and the rest is that of the published text encoder of these sizes, until [`super::OtherTexts`] knows the model's own.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use serde_json::Value;

use super::{
    Component, DiffusersFolder, TensorSource, WeightSource, container,
    contents::Contents,
    kinds::{self, GivenAs},
    ldm::LdmPart,
    ldm_text::{self, OpenClip},
    mapping::{WeightFile, never},
    strided::StoredTensor,
    table::TensorTable,
};
use crate::{Error, Result};

/// One of a model's text encoders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextEncoder {
    /// The only one of Stable Diffusion 1.x and 2.x, and the first of XL.
    First,
    /// The second one of Stable Diffusion XL, which its refiner has alone.
    Second,
}

impl TextEncoder {
    /// Both, in their order.
    pub const ALL: [Self; 2] = [Self::First, Self::Second];

    /// The component.
    pub fn component(self) -> Component {
        match self {
            Self::First => Component::TextEncoder,
            Self::Second => Component::TextEncoder2,
        }
    }

    /// The name of the setting that gives it.
    pub fn field(self) -> &'static str {
        match self {
            Self::First => "text_encoder",
            Self::Second => "text_encoder_2",
        }
    }

    /// The flag that gives it.
    pub(super) fn flag(self) -> &'static str {
        match self {
            Self::First => "--text-encoder",
            Self::Second => "--text-encoder-2",
        }
    }

    /// The classes of its configuration; a whole CLIP holds one.
    fn classes(self) -> &'static [&'static str] {
        match self {
            Self::First => &["CLIPTextModel", "CLIPTextModelWithProjection", "CLIPModel"],
            Self::Second => &["CLIPTextModelWithProjection", "CLIPModel"],
        }
    }

    /// Where its tensors' names begin: in a checkpoint, in a file of OpenCLIP's, and alone.
    fn prefixes(self) -> ([&'static str; 3], [&'static str; 4]) {
        let ([clip, later_clip], [openclip, later], [second, refiner]) =
            (ldm_text::CLIP_PREFIXES, ldm_text::OPENCLIP_PREFIXES, ldm_text::SECOND_PREFIXES);
        match self {
            Self::First => ([clip, later_clip, ""], [openclip, later, "text.", ""]),
            Self::Second => (["text_encoder_2.", "", ""], [second, refiner, "text.", ""]),
        }
    }
}

/// What a checkpoint without a text encoder has to know of the one beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TextEncoderFacts {
    /// Channels of its hidden states.
    pub hidden_size: usize,
    /// Channels of its projected pooled state.
    pub projection_dim: usize,
    /// Whether it is OpenCLIP's and not OpenAI's: they have different activations, and texts are padded differently for them.
    pub is_openclip: bool,
}

/// A text encoder beside a model.
pub struct OtherText {
    pub(super) which: TextEncoder,
    path: PathBuf,
    text: Text,
}

enum Text {
    Folder(DiffusersFolder),
    File(Value, Arc<TensorTable>),
}

impl OtherText {
    /// Opens what lies at `path`: a transformers folder (config.json and weights), the folder of a whole model, or a file with transformers'
    /// or OpenCLIP's names, which may be a whole checkpoint. Reads names and shapes, no weights.
    ///
    /// # Errors
    /// [`Error::File`] if there is no such thing at the path, or something else that is named; [`Error::Config`] for a folder of another
    /// class; [`Error::Weights`] for a tensor that is missing.
    pub fn open(path: &Path, which: TextEncoder) -> Result<Self> {
        let text = if path.is_dir() {
            Text::Folder(folder(path, which)?)
        } else if path.exists() {
            from_file(path, which)?
        } else {
            return Err(Error::file(path, "does not exist; a text encoder is a folder or a file"));
        };
        Ok(Self { which, path: path.to_owned(), text })
    }

    /// What a checkpoint has to know of it.
    ///
    /// # Errors
    /// [`Error::File`] or [`Error::Config`] if its configuration cannot be read.
    pub fn facts(&self) -> Result<TextEncoderFacts> {
        let config = self.config()?;
        let config = text_part(&config);
        let size = |field: &str, default: u64| {
            let value = config.get(field).map_or(Some(default), Value::as_u64);
            let reason = || "expected a whole number".to_owned();
            value.map(|value| value as usize).ok_or_else(|| Error::config(self.config_name(), field, reason()))
        };
        // Where they are absent, transformers' defaults.
        Ok(TextEncoderFacts {
            hidden_size: size("hidden_size", 512)?,
            projection_dim: size("projection_dim", 512)?,
            is_openclip: config.get("hidden_act").is_some_and(|act| act != "quick_gelu"),
        })
    }

    /// Its own configuration.
    pub(super) fn config(&self) -> Result<Value> {
        match &self.text {
            Text::Folder(folder) => folder.config(self.which.component()),
            Text::File(config, _) => Ok(config.clone()),
        }
    }

    /// Whether its configuration is inferred from shapes.
    pub(super) fn is_inferred(&self) -> bool {
        matches!(self.text, Text::File(..))
    }

    /// The name of its configuration in messages; that of a file is inferred from the file.
    pub(super) fn config_name(&self) -> String {
        match &self.text {
            Text::Folder(folder) => folder.config_path(self.which.component()).display().to_string(),
            Text::File(..) => self.path.display().to_string(),
        }
    }

    pub(super) fn tensors(&self) -> Result<Arc<dyn TensorSource>> {
        match &self.text {
            Text::Folder(folder) => folder.tensors(self.which.component()),
            Text::File(_, table) => Ok(Arc::<TensorTable>::clone(table)),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

/// Refuses a path at which there is no text encoder that a model can use; no weights are read.
///
/// # Errors
/// As [`OtherText::open`], and if a folder's weight file shows a fault at its start.
pub fn check_text_encoder(path: &Path, which: TextEncoder) -> Result<()> {
    match OtherText::open(path, which)?.text {
        Text::Folder(folder) => folder.check_start(which.component()).map(drop),
        Text::File(..) => Ok(()),
    }
}

/// The text encoder's part of a configuration: that of a whole CLIP holds it in a nested object.
pub(crate) fn text_part(json: &Value) -> &Value {
    json.get("text_config").filter(|part| part.is_object()).unwrap_or(json)
}

/// The folder of a text encoder, or of a whole model that has one.
fn folder(path: &Path, which: TextEncoder) -> Result<DiffusersFolder> {
    let component = which.component();
    let is_model = path.join(Component::ModelIndex.config_file()).is_file();
    let folder = if is_model { DiffusersFolder::open(path, None)? } else { DiffusersFolder::of_component(path, component, never()) };
    let config_path = folder.config_path(component);
    if !config_path.is_file() {
        if is_model {
            return Err(Error::file(path, format!("is a model without {component}/config.json")));
        }
        let what = kinds::of_folder(path, GivenAs::TextEncoder).map(|what| format!("; {what}")).unwrap_or_default();
        return Err(Error::file(path, format!("has no config.json, so this is no text encoder's folder{what}")));
    }
    let config = folder.config(component)?;
    if let Some(class) = kinds::class_in(&config).filter(|class| !which.classes().contains(class)) {
        let field = if config.get("_class_name").is_some() { "_class_name" } else { "architectures" };
        let classes = which.classes().join(", ");
        let reason = if TextEncoder::First.classes().contains(&class) {
            let flag = TextEncoder::First.flag();
            format!("unsupported value {class:?}, a text encoder without a projection; supported are {classes}, and this one as {flag}")
        } else {
            let what = kinds::name_of_class(class).map(|is| format!(", {is}")).unwrap_or_default();
            format!("unsupported value {class:?}{what}; supported are {classes}")
        };
        return Err(Error::config(config_path.display().to_string(), field, reason));
    }
    Ok(folder)
}

/// Reads names and shapes; no weights.
fn from_file(path: &Path, which: TextEncoder) -> Result<Text> {
    let component = which.component();
    let file = WeightFile::map(path.to_owned())?;
    let Contents { tensors, .. } = container::contents(&file, |_| component)?;
    let (clip, openclip) = which.prefixes();
    let of_part = |prefix: &&'static str, marks: &[&str]| {
        let is_mark = |name: &str| name.strip_prefix(*prefix).is_some_and(|rest| marks.contains(&rest));
        tensors.iter().any(|(name, _)| is_mark(name))
    };
    let part = |prefix: &'static str| LdmPart::new(component, path.to_owned(), &[prefix], &tensors);
    let projects = which == TextEncoder::Second;
    let clip_marks = ["text_model.embeddings.token_embedding.weight", "embeddings.token_embedding.weight"];
    let (config, table) = if let Some(prefix) = clip.iter().find(|prefix| of_part(prefix, &clip_marks)) {
        let part = part(prefix);
        check_projection(&part, projects, "text_projection.weight", path)?;
        ldm_text::clip(&part, projects)?
    } else if let Some(prefix) = openclip.iter().find(|prefix| of_part(prefix, &["transformer.resblocks.0.ln_1.weight"])) {
        let part = part(prefix);
        check_projection(&part, projects, ldm_text::PROJECTION, path)?;
        ldm_text::openclip(&part, if projects { OpenClip::Projected } else { OpenClip::Penultimate })?
    } else {
        return Err(Error::file(path, no_text_encoder(&tensors)));
    };
    Ok(Text::File(config, Arc::new(table)))
}

/// Refuses a second text encoder without its projection.
fn check_projection(part: &LdmPart, projects: bool, name: &str, path: &Path) -> Result<()> {
    if !projects || part.has(name) {
        return Ok(());
    }
    let flag = TextEncoder::First.flag();
    Err(Error::file(
        path,
        format!("is a text encoder without a projection, not Stable Diffusion XL's second one: give it as the first ({flag})"),
    ))
}

/// What a file without a text encoder's names is.
fn no_text_encoder(tensors: &[(String, StoredTensor)]) -> String {
    let shapes: Vec<(&str, &[usize])> = tensors.iter().map(|(name, tensor)| (name.as_str(), tensor.shape())).collect();
    kinds::instead_of(GivenAs::TextEncoder, &shapes).unwrap_or_else(|| {
        let first = tensors.iter().map(|(name, _)| name.as_str()).min().unwrap_or_default().escape_debug();
        format!("has no names of a text encoder (its first is {first}): {}", GivenAs::TextEncoder.supported())
    })
}
