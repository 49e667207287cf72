//! Finds what loading a model would refuse, and the entries of its files that it would ignore, without reading weights.
//!
//! This module must not depend on what uses the findings. Invariant: it refuses exactly what `load` refuses, because it runs the same
//! readers and loaders over zeros in the shapes of the stored tensors.

use std::{fmt, path::PathBuf, sync::Arc};

use candle_core::{DType, Device, Tensor};
use serde_json::Value as Json;

use super::{ImageDefaults, Start, image, image::OwnScheduler, image_to_video};
use crate::{
    Error, Result,
    models::{
        AutoencoderKlTemporalDecoder, AutoencoderKlTemporalDecoderConfig, ClipTextConfig, ClipTextModel, ClipTextModelWithProjection,
        ClipTextProjectionConfig, ClipVisionConfig, ClipVisionModelWithProjection, ImageVae, ImageVaeConfig, UNet2dConditionModel,
        UNet2dConfig, UNetSpatioTemporalConditionModel, UNetSpatioTemporalConfig,
    },
    ops::execution,
    preprocess::ClipImageProcessorConfig,
    schedulers::SchedulerFile,
    tokenizer::ClipTokenizer,
    weights::{Component, ComponentWeights, ModelFamily, TensorShape, TensorSource, VaeChoice, WeightSource, ignored_entries},
};

/// Entries of one file, or tensors, that the model's classes do not know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IgnoredFields {
    /// The file, relative to the model ("unet/config.json"), or "tensors".
    pub file: String,
    /// The entries' names, at least one.
    pub fields: Vec<String>,
}

impl fmt::Display for IgnoredFields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A training checkpoint may hold thousands of extra tensors.
        const SHOWN: usize = 8;
        let shown: Vec<String> = self.fields.iter().take(SHOWN).map(|field| field.escape_debug().to_string()).collect();
        write!(f, "{}: {}", self.file, shown.join(", "))?;
        match self.fields.len().checked_sub(SHOWN) {
            None | Some(0) => Ok(()),
            Some(more) => write!(f, " and {more} more"),
        }
    }
}

/// The findings of [`inspect`].
#[derive(Debug, Default)]
pub struct Inspection {
    /// Ignored entries of the model's files, file by file.
    pub ignored: Vec<IgnoredFields>,
    /// Why the model cannot be loaded: the first reason for each component. Empty if it can be.
    pub refusals: Vec<Error>,
    /// Why the model's own scheduler cannot run. Only requests that name no other scheduler fail.
    pub own_scheduler: Option<Error>,
}

/// The entries of a model's files that loading ignores. Reads configurations only, and skips unreadable ones: the load refuses those.
pub fn ignored_fields(source: &dyn WeightSource) -> Vec<IgnoredFields> {
    Inspector::run(source, false).ignored
}

/// Finds what loading the model would refuse and ignore. Reads configurations, the tokenizer and the tensors' names and shapes, no tensor.
pub fn inspect(source: &dyn WeightSource) -> Inspection {
    Inspector::run(source, true)
}

struct Inspector<'a> {
    source: &'a dyn WeightSource,
    /// Whether to inspect tensors and the tokenizer too.
    whole: bool,
    found: Inspection,
}

impl<'a> Inspector<'a> {
    fn run(source: &'a dyn WeightSource, whole: bool) -> Inspection {
        let mut inspector = Self { source, whole, found: Inspection::default() };
        let read = |index: &Json| ModelFamily::of(source).map(|family| (family, ignored_entries(family, index)));
        match inspector.config(Component::ModelIndex, read) {
            Some(ModelFamily::StableVideoDiffusion) => inspector.stable_video_diffusion(),
            Some(family) => inspector.stable_diffusion(family),
            None => {}
        }
        let fields = source.unknown_tensors();
        if !fields.is_empty() {
            inspector.found.ignored.push(IgnoredFields { file: "tensors".into(), fields });
        }
        inspector.found
    }

    fn stable_diffusion(&mut self, family: ModelFamily) {
        let (has_first, has_second) = (family.has_first_text_encoder(), family.is_xl());
        match OwnScheduler::read(self.source) {
            Ok(own) => self.found.own_scheduler = own.config(&Start::Noise, None).err(),
            Err(error) => self.found.refusals.push(error),
        }
        if self.whole {
            self.found.refusals.extend(ImageDefaults::sidecar(self.source).err());
        }
        if self.whole && has_first {
            self.found.refusals.extend(ClipTokenizer::load(self.source).err());
        }
        if self.whole && has_second {
            self.found.refusals.extend(ClipTokenizer::load_second(self.source).err());
        }
        let text_encoder = if has_first { self.config(Component::TextEncoder, ClipTextConfig::read) } else { None };
        let text_encoder_2 = if has_second { self.config(Component::TextEncoder2, ClipTextProjectionConfig::read) } else { None };
        let unet = self.config(Component::Unet, UNet2dConfig::read);
        let vae = self.config(Component::Vae, |json| {
            image::check_latents(json, family)?;
            ImageVaeConfig::read(json)
        });
        let were_read = text_encoder.is_some() == has_first && text_encoder_2.is_some() == has_second;
        if let Some(unet) = unet.as_ref().filter(|_| were_read) {
            self.found.refusals.extend(image::check_fit(self.source, text_encoder.as_ref(), text_encoder_2.as_ref(), unet).err());
        }
        self.weights(Component::TextEncoder, text_encoder, ClipTextModel::load);
        self.weights(Component::TextEncoder2, text_encoder_2, ClipTextModelWithProjection::load);
        self.weights(Component::Unet, unet, UNet2dConditionModel::load);
        if self.source.vaes().contains(&VaeChoice::Tiny) {
            let tiny = self.config(Component::TinyVae, ImageVaeConfig::read);
            if let (Some(full), Some(tiny)) = (&vae, &tiny) {
                let name = self.source.config_name(Component::TinyVae);
                self.found.refusals.extend(image::check_vae_fit(full, tiny).map_err(|error| error.in_file(&name)).err());
            }
            self.weights(Component::TinyVae, tiny, ImageVae::load);
        }
        self.weights(Component::Vae, vae, ImageVae::load);
    }

    fn stable_video_diffusion(&mut self) {
        let scheduler = SchedulerFile::of(self.source).and_then(|file| file.scheduler(None));
        self.found.refusals.extend(scheduler.err());
        self.config(Component::FeatureExtractor, |json| Ok((ClipImageProcessorConfig::from_json(json)?, Vec::new())));
        let image_encoder = self.config(Component::ImageEncoder, ClipVisionConfig::read);
        let unet = self.config(Component::Unet, UNetSpatioTemporalConfig::read);
        let vae = self.config(Component::Vae, AutoencoderKlTemporalDecoderConfig::read);
        if let (Some(image_encoder), Some(unet), Some(vae)) = (&image_encoder, &unet, &vae) {
            self.found.refusals.extend(image_to_video::check_fit(image_encoder, unet, vae).err());
        }
        self.weights(Component::ImageEncoder, image_encoder, ClipVisionModelWithProjection::load);
        self.weights(Component::Unet, unet, UNetSpatioTemporalConditionModel::load);
        self.weights(Component::Vae, vae, AutoencoderKlTemporalDecoder::load);
    }

    /// Reads a component's configuration.
    fn config<C>(&mut self, component: Component, read: impl FnOnce(&Json) -> Result<(C, Vec<String>)>) -> Option<C> {
        let name = self.source.config_name(component);
        match self.source.config(component).and_then(|json| read(&json).map_err(|error| error.in_file(&name))) {
            Ok((config, fields)) => {
                if !fields.is_empty() {
                    let file = self.source.config_name(component);
                    self.found.ignored.push(IgnoredFields { file, fields });
                }
                Some(config)
            }
            Err(error) => {
                self.found.refusals.push(error);
                None
            }
        }
    }

    /// Loads a component whose configuration could be read, without its values.
    fn weights<C, M>(&mut self, component: Component, config: Option<C>, load: impl FnOnce(&C, &ComponentWeights) -> Result<M>) {
        let Some(config) = config.filter(|_| self.whole) else { return };
        let loaded = self.source.tensors(component).and_then(|tensors| {
            let zeros = ComponentWeights::new(Arc::new(Zeros(tensors)), component, DType::F32, &Device::Cpu);
            execution::shapes_only(|| load(&config, &zeros))
        });
        self.found.refusals.extend(loaded.err());
    }
}

/// Zero tensors with the names and shapes of a source's tensors.
struct Zeros(Arc<dyn TensorSource>);

impl TensorSource for Zeros {
    fn file_of(&self, tensor: &str) -> PathBuf {
        self.0.file_of(tensor)
    }

    fn names(&self) -> Vec<String> {
        self.0.names()
    }

    fn shape(&self, tensor: &str) -> Option<TensorShape> {
        self.0.shape(tensor)
    }

    fn read(&self, _: &str, shape: &[usize]) -> Result<Tensor> {
        Ok(Tensor::zeros(shape, DType::F32, &Device::Cpu)?)
    }
}
