//! Where a model comes from: its configuration files and its tensors, whatever the container.
//!
//! A [`WeightSource`] is a whole model (several components); a [`TensorSource`] has the tensors of one component under their diffusers
//! names. Models load from a [`ComponentWeights`]: a cursor over a `TensorSource` that converts to the requested precision and device, and
//! whose errors name file, tensor, expected and found shape.

use std::{fmt, path::PathBuf, sync::Arc};

use candle_core::{DType, Device, Shape, Tensor};

use crate::{Error, Result};

mod architectures;
mod container;
mod contents;
mod controlnet;
mod dangerous;
mod decode;
mod embedded;
mod float8;
mod folder;
mod kept;
mod kinds;
mod ldm;
mod ldm_text;
mod ldm_unet;
mod ldm_vae;
mod ldm_video;
mod mapping;
mod model_index;
mod names;
mod numbers;
mod opcodes;
mod open;
mod other_text;
mod other_texts;
mod other_vae;
mod pickle;
mod pickle_tensors;
mod pickle_values;
mod prediction;
mod python_json;
mod random;
mod safetensors_file;
mod single_file;
mod strided;
mod table;
mod tensor_file;
mod text_places;
mod torch_file;
mod torch_legacy;
mod transformers_folder;
mod upscaler;
mod vae_choice;
mod watched;

pub(crate) use container::header;
pub use controlnet::{check_controlnet, open_controlnet, open_controlnet_until};
pub use embedded::EmbeddedModel;
pub use folder::DiffusersFolder;
pub(crate) use kept::KeptLayers;
pub(crate) use kinds::{GivenAs, instead_of, model_of_adapter};
pub use model_index::ModelFamily;
#[cfg(feature = "hub")]
pub(crate) use model_index::check as check_model_index;
pub(crate) use model_index::class_of;
pub(crate) use model_index::ignored as ignored_entries;
pub(crate) use model_index::zeroes_empty_negatives;
pub use numbers::{Numbers, StoredNumbers};
pub use open::{OpenOptions, open_model};
pub(crate) use other_text::text_part;
pub use other_text::{OtherText, TextEncoder, TextEncoderFacts, check_text_encoder};
pub use other_texts::OtherTexts;
pub use other_vae::{OtherVae, check_vae};
pub use prediction::PredictionType;
pub use random::RandomWeights;
pub use single_file::{SingleFile, SingleFileOptions};
pub(crate) use tensor_file::TensorFile;
pub use transformers_folder::TransformersFolder;
pub use upscaler::{UpscalerConfig, UpscalerFile, check_upscaler};
pub use vae_choice::VaeChoice;
pub(crate) use watched::WatchedTensors;
pub use watched::{StopCheck, WatchedSource, elements_of};

/// A part of a model, named as diffusers names its folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Component {
    /// model_index.json.
    ModelIndex,
    /// The noise predictor.
    Unet,
    /// The autoencoder.
    Vae,
    /// A small approximation of the autoencoder, beside it: an AutoencoderTiny.
    TinyVae,
    /// The CLIP text encoder.
    TextEncoder,
    /// The second text encoder of Stable Diffusion XL, with a projection of its pooled state.
    TextEncoder2,
    /// The CLIP image encoder.
    ImageEncoder,
    /// The tokenizer's files.
    Tokenizer,
    /// The files of the second text encoder's tokenizer.
    Tokenizer2,
    /// The image preprocessing for the image encoder.
    FeatureExtractor,
    /// scheduler_config.json.
    Scheduler,
    /// A network that lets an image control the noise predictor, beside the models that it was made for.
    ControlNet,
    /// A model that writes captions for images: a whole model of its own, in transformers' layout.
    Captioner,
    /// A network that enlarges images: one file of its own.
    Upscaler,
}

impl Component {
    /// The folder's name in a diffusers model ("" for the model index and for a captioner, whose files lie at the top, and for an upscaler,
    /// which is one file).
    pub fn folder(self) -> &'static str {
        match self {
            Self::ModelIndex | Self::Captioner | Self::Upscaler => "",
            Self::Unet => "unet",
            Self::Vae => "vae",
            Self::TinyVae => "vae_tiny",
            Self::TextEncoder => "text_encoder",
            Self::TextEncoder2 => "text_encoder_2",
            Self::ImageEncoder => "image_encoder",
            Self::Tokenizer => "tokenizer",
            Self::Tokenizer2 => "tokenizer_2",
            Self::FeatureExtractor => "feature_extractor",
            Self::Scheduler => "scheduler",
            Self::ControlNet => "controlnet",
        }
    }

    /// The name of the component's own JSON, in its folder.
    pub fn config_file(self) -> &'static str {
        match self {
            Self::ModelIndex => "model_index.json",
            Self::Unet
            | Self::Vae
            | Self::TinyVae
            | Self::TextEncoder
            | Self::TextEncoder2
            | Self::ImageEncoder
            | Self::ControlNet
            | Self::Captioner
            | Self::Upscaler => "config.json",
            Self::Tokenizer | Self::Tokenizer2 => "tokenizer_config.json",
            Self::FeatureExtractor => "preprocessor_config.json",
            Self::Scheduler => "scheduler_config.json",
        }
    }

    /// The stems of the component's .safetensors and .bin files; `None` for a component without tensors.
    pub(crate) fn weight_stems(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Unet | Self::Vae | Self::TinyVae | Self::ControlNet => Some(("diffusion_pytorch_model", "diffusion_pytorch_model")),
            Self::TextEncoder | Self::TextEncoder2 | Self::ImageEncoder | Self::Captioner => Some(("model", "pytorch_model")),
            Self::ModelIndex | Self::Tokenizer | Self::Tokenizer2 | Self::FeatureExtractor | Self::Scheduler | Self::Upscaler => None,
        }
    }
}

impl fmt::Display for Component {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ModelIndex => "model_index",
            Self::Captioner => "captioner",
            Self::Upscaler => "upscaler",
            Self::Unet
            | Self::Vae
            | Self::TinyVae
            | Self::TextEncoder
            | Self::TextEncoder2
            | Self::ImageEncoder
            | Self::Tokenizer
            | Self::Tokenizer2
            | Self::FeatureExtractor
            | Self::Scheduler
            | Self::ControlNet => self.folder(),
        })
    }
}

/// A whole model: a diffusers folder, a single-file checkpoint, embedded bytes, or seeded random numbers.
pub trait WeightSource: Send + Sync {
    /// The name for users: the folder's path, the hub id, "nano-sd (embedded)".
    fn name(&self) -> String;

    /// The component's own JSON: unet/config.json, scheduler/scheduler_config.json, model_index.json, tokenizer/tokenizer_config.json,
    /// feature_extractor/preprocessor_config.json.
    ///
    /// # Errors
    /// [`Error::File`] if it is missing or is not JSON.
    fn config(&self, component: Component) -> Result<serde_json::Value>;

    /// A small file that belongs to a component ("vocab.json", "merges.txt", "tokenizer.json"); `None` if the model has none.
    ///
    /// # Errors
    /// [`Error::Io`] if it exists and cannot be read.
    fn file(&self, component: Component, file_name: &str) -> Result<Option<Vec<u8>>>;

    /// The name of a component's JSON in messages, relative to the model if it is a part of it.
    fn config_name(&self, component: Component) -> String {
        let folder = component.folder();
        let slash = if folder.is_empty() { "" } else { "/" };
        format!("{folder}{slash}{}", component.config_file())
    }

    /// The component's tensors under their diffusers names.
    ///
    /// # Errors
    /// [`Error::File`] if the file is missing, truncated or malformed.
    fn tensors(&self, component: Component) -> Result<Arc<dyn TensorSource>>;

    /// The model's autoencoders; the first is that of requests that choose none.
    fn vaes(&self) -> Vec<VaeChoice> {
        vec![VaeChoice::Full]
    }

    /// An autoencoder from elsewhere, by the name of its file or folder: which of the model's it is.
    fn other_vae(&self) -> Option<(VaeChoice, String)> {
        None
    }

    /// The text encoders from elsewhere, by the names of their files or folders.
    fn other_text_encoders(&self) -> Vec<(TextEncoder, String)> {
        Vec::new()
    }

    /// Remarks for users about how the model was read, one sentence each: conclusions about what its files do not state.
    fn remarks(&self) -> Vec<String> {
        Vec::new()
    }

    /// The names of tensors in the file that are not part of the model and are not read.
    fn unknown_tensors(&self) -> Vec<String> {
        Vec::new()
    }
}

/// The shape of a tensor before it is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TensorShape {
    /// The tensor is stored in this shape.
    Known(Vec<usize>),
    /// The source generates the tensor in the requested shape (seeded random weights). Every name exists in such a source, so a model must
    /// decide by its config, never by a tensor's presence, which parts it has.
    Any,
}

/// The tensors of one component under their diffusers names.
pub trait TensorSource: Send + Sync {
    /// The file that holds (or should hold) the tensor, for messages.
    fn file_of(&self, tensor: &str) -> PathBuf;

    /// Every name, in no particular order; empty for a source that generates tensors.
    fn names(&self) -> Vec<String>;

    /// The tensor's shape; `None` if there is no such tensor. Reads no data.
    fn shape(&self, tensor: &str) -> Option<TensorShape>;

    /// The precision that the tensor is stored in ("f32", "bf16") and its bits; `None` if there is no such tensor, or if the source
    /// generates tensors. Reads no data.
    fn precision(&self, _tensor: &str) -> Option<(&'static str, usize)> {
        None
    }

    /// Identifies the tensor's content among the sources of one model: those with equal versions have equal content. 0 is the model's own.
    fn version(&self, _tensor: &str) -> u64 {
        0
    }

    /// Reads the tensor to the CPU in its stored precision, contiguous. `shape` is the expected shape: for a [`TensorShape::Known`] tensor
    /// it equals the stored shape ([`ComponentWeights::get`] has checked it), for [`TensorShape::Any`] it is the shape to generate.
    ///
    /// # Errors
    /// [`Error::Weights`] if it is missing or its bytes cannot be read.
    fn read(&self, tensor: &str, shape: &[usize]) -> Result<Tensor>;

    /// [`Self::read`], converted to `dtype`. A source that reads files converts while it reads.
    ///
    /// # Errors
    /// As [`Self::read`].
    fn read_as(&self, tensor: &str, shape: &[usize], dtype: DType) -> Result<Tensor> {
        Ok(self.read(tensor, shape)?.to_dtype(dtype)?)
    }

    /// Calls `take` with the tensor's numbers, row-major, where they lie, if they need not be read first; returns whether it did. `shape`
    /// is as for [`Self::read`].
    ///
    /// # Errors
    /// As [`Self::read`]; if the changes of the numbers are at fault, `take` has been called before.
    fn in_place(&self, _tensor: &str, _shape: &[usize], _take: &mut dyn FnMut(Numbers<'_>)) -> Result<bool> {
        Ok(false)
    }
}

/// A cursor over one component's tensors: a prefix, a precision and a device.
#[derive(Clone)]
pub struct ComponentWeights {
    source: Arc<dyn TensorSource>,
    component: Component,
    prefix: String,
    dtype: DType,
    device: Device,
    /// Layers that an earlier load made, if the model is to be loaded again.
    kept: Option<KeptLayers>,
}

impl ComponentWeights {
    /// A cursor at the root of a component.
    pub fn new(source: Arc<dyn TensorSource>, component: Component, dtype: DType, device: &Device) -> Self {
        Self { source, component, prefix: String::new(), dtype, device: device.clone(), kept: None }
    }

    /// A cursor one level down: `pp("down_blocks")`, `pp(0)`, `pp("to_out.0")`.
    #[must_use]
    pub fn pp(&self, level: impl fmt::Display) -> Self {
        Self { prefix: self.full_name(&level.to_string()), ..self.clone() }
    }

    /// The same cursor with tensors in f32: for computations before they are rounded to the model's precision.
    #[must_use]
    pub(crate) fn in_f32(&self) -> Self {
        Self { dtype: DType::F32, ..self.clone() }
    }

    /// The precision that [`Self::get`] converts to.
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// The device that [`Self::get`] moves to.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// The component, for messages.
    pub fn component(&self) -> Component {
        self.component
    }

    /// Whether the tensor exists; always true if the source generates tensors ([`TensorShape::Any`]).
    pub fn contains(&self, name: &str) -> bool {
        self.source.shape(&self.full_name(name)).is_some()
    }

    /// The tensor's shape, if it exists and is known before it is read.
    pub fn shape(&self, name: &str) -> Option<Vec<usize>> {
        match self.source.shape(&self.full_name(name)) {
            Some(TensorShape::Known(shape)) => Some(shape),
            Some(TensorShape::Any) | None => None,
        }
    }

    /// The tensor in the cursor's precision on the cursor's device.
    ///
    /// # Errors
    /// [`Error::Weights`] if it is missing or has another shape; names file, tensor, expected and found shape.
    pub fn get(&self, shape: impl Into<Shape>, name: &str) -> Result<Tensor> {
        let (full_name, expected) = (self.full_name(name), shape.into());
        self.check_shape(&full_name, expected.dims())?;
        // Precision first: halving it on the host halves the transfer to the device.
        let tensor = self.source.read_as(&full_name, expected.dims(), self.dtype)?;
        if tensor.dims() != expected.dims() {
            return Err(self.wrong_shape(&full_name, expected.dims(), tensor.dims()));
        }
        Ok(tensor.to_device(&self.device)?)
    }

    /// What `take` makes of the tensor's stored numbers; `None` if they must be read first, with [`Self::get`].
    ///
    /// # Errors
    /// As [`Self::get`].
    pub(crate) fn in_place<R>(&self, shape: &[usize], name: &str, take: impl Fn(Numbers<'_>) -> R) -> Result<Option<R>> {
        let full_name = self.full_name(name);
        self.check_shape(&full_name, shape)?;
        let mut taken = None;
        self.source.in_place(&full_name, shape, &mut |numbers| taken = Some(take(numbers)))?;
        Ok(taken)
    }

    fn check_shape(&self, full_name: &str, expected: &[usize]) -> Result<()> {
        match self.source.shape(full_name) {
            None => Err(self.fail(full_name, format!("missing, expected shape {expected:?}"))),
            Some(TensorShape::Known(found)) if found != expected => Err(self.wrong_shape(full_name, expected, &found)),
            Some(TensorShape::Known(_) | TensorShape::Any) => Ok(()),
        }
    }

    fn wrong_shape(&self, full_name: &str, expected: &[usize], found: &[usize]) -> Error {
        self.fail(full_name, format!("expected shape {expected:?}, found {found:?}"))
    }

    fn fail(&self, full_name: &str, reason: String) -> Error {
        Error::Weights { component: self.component, file: self.source.file_of(full_name), tensor: full_name.to_owned(), reason }
    }

    fn full_name(&self, name: &str) -> String {
        if self.prefix.is_empty() { name.to_owned() } else { format!("{}.{name}", self.prefix) }
    }
}
