//! A model in one file with CompVis' tensor names, the usual form of Stable Diffusion checkpoints.
//!
//! The architecture is inferred from the tensors' shapes; what shapes do not reveal (activation, head widths, scheduler) is that of Stable
//! Diffusion 1.x or 2.x, and [`super::prediction`] determines the prediction type. The vocabulary is OpenAI's for both, and not part of the
//! file. Reference: diffusers' `loaders/single_file_utils.py`, including its preference for non-EMA weights if a file has both.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use serde_json::{Value, json};

use super::{
    Component, PredictionType, TensorSource, WeightSource, architectures,
    contents::Contents,
    kinds,
    ldm::LdmPart,
    ldm_text, ldm_unet, ldm_vae,
    mapping::WeightFile,
    prediction::{self, Family, Prediction},
    safetensors_file,
    table::TensorTable,
    torch_file,
};
use crate::{Error, Result, regular_file};

/// Options that override a single-file checkpoint's own marks.
#[derive(Clone, Copy, Debug, Default)]
pub struct SingleFileOptions {
    /// The model's prediction type. If `None`, the file's own marks decide: the key `v_pred`, `modelspec.prediction_type` and
    /// `modelspec.architecture` in a safetensors header, `global_step` in a torch file of Stable Diffusion 2.x, and for 2.x without any of
    /// these the deviation of the last attention norm's bias; Stable Diffusion 1.x and inpainting predict noise.
    pub prediction_type: Option<PredictionType>,
}

/// A single-file checkpoint.
pub struct SingleFile {
    path: PathBuf,
    unet: (Value, Arc<TensorTable>),
    vae: (Value, Arc<TensorTable>),
    text_encoder: (Value, Arc<TensorTable>),
    tokenizer: &'static str,
    scheduler: Value,
    remark: String,
    unknown: Vec<String>,
}

impl SingleFile {
    /// Opens a safetensors or torch checkpoint: reads names and shapes, but no weights yet, except for one small tensor if nothing else
    /// reveals the prediction type.
    ///
    /// # Errors
    /// [`Error::File`] if it is truncated, malformed, or not a checkpoint of Stable Diffusion 1.x or 2.x (the message says what it is),
    /// [`Error::Weights`] for a tensor that is missing, or of a layer that these do not have.
    pub fn open(path: impl Into<PathBuf>, options: SingleFileOptions) -> Result<Self> {
        let path = path.into();
        let file = WeightFile::map(path.clone())?;
        let contents = read(&file)?;
        let all = contents.tensors.as_slice();
        let shapes: Vec<(&str, &[usize])> = all.iter().map(|(name, tensor)| (name.as_str(), tensor.shape())).collect();
        if let Some(reason) = kinds::refusal(&shapes) {
            return Err(Error::file(path, reason));
        }
        let part = |component, prefixes: &[&'static str]| LdmPart::new(component, path.clone(), prefixes, all);

        let unet_part = part(Component::Unet, &[ldm_unet::PREFIX]);
        let vae_part = part(Component::Vae, &ldm_vae::PREFIXES);
        let openclip = all.iter().any(|(name, _)| ldm_text::OPENCLIP_PREFIXES.iter().any(|prefix| name.starts_with(prefix)));
        let (text_config, text_tensors) = if openclip {
            ldm_text::openclip(&part(Component::TextEncoder, &ldm_text::OPENCLIP_PREFIXES))?
        } else {
            ldm_text::clip(&part(Component::TextEncoder, &ldm_text::CLIP_PREFIXES))?
        };
        let unet = ldm_unet::Layout::infer(&unet_part)?;
        let vae = ldm_vae::Layout::infer(&vae_part)?;

        let family = match (openclip, unet.in_channels) {
            (true, 4) => Family::Two,
            (true, _) => Family::TwoInpainting,
            (false, _) => Family::One,
        };
        let deviation = || ldm_unet::Layout::last_norm_deviation(&unet_part);
        let predicts = prediction::decide(options.prediction_type, &contents, family, deviation)?;
        let (unet_tensors, mut unknown) = unet.tensors(&unet_part)?;
        let (vae_tensors, unknown_of_vae) = vae.tensors(&vae_part)?;
        unknown.extend(unknown_of_vae);
        let Prediction { prediction_type, side, because, .. } = &predicts;
        // The sizes were published for autoencoders that reduce a side by a factor of 8.
        let latents = side / 8;
        let side = latents * vae.scale();
        let remark = format!("predicts {prediction_type} at {side}x{side}: {because}");
        Ok(Self {
            unet: (unet.config(&unet_part, latents)?, Arc::new(unet_tensors)),
            vae: (vae.config(side), Arc::new(vae_tensors)),
            text_encoder: (text_config, Arc::new(text_tensors)),
            tokenizer: if openclip { architectures::OPENCLIP_TOKENIZER } else { architectures::CLIP_TOKENIZER },
            scheduler: scheduler(&path, family, &predicts)?,
            remark,
            unknown,
            path,
        })
    }
}

fn read(file: &Arc<WeightFile>) -> Result<Contents> {
    let bytes = file.bytes();
    if torch_file::is_torch_file(bytes) {
        return torch_file::contents(file, component_of);
    }
    if bytes.starts_with(b"GGUF") {
        return Err(Error::file(file.path(), "is a GGUF file; supported are .safetensors and .ckpt checkpoints"));
    }
    if bytes.trim_ascii_start().starts_with(b"<") {
        return Err(Error::file(file.path(), "is a web page, not weights: fetch the file itself"));
    }
    safetensors_file::contents(file, component_of)
}

/// The scheduler that the model's family was published with. A Stable Diffusion 2.x model that predicts noise may be SD-Turbo, whose few
/// steps must start at pure noise; 2-base works with that too.
fn scheduler(path: &Path, family: Family, predicts: &Prediction) -> Result<Value> {
    let noise = predicts.prediction_type == PredictionType::Epsilon;
    let text = match family {
        Family::Two | Family::One if predicts.zero_snr => architectures::DDIM,
        Family::Two if predicts.base => architectures::PNDM,
        Family::Two if noise => architectures::EULER_TRAILING,
        Family::Two | Family::TwoInpainting => architectures::DDIM,
        Family::One => architectures::PNDM,
    };
    let mut scheduler = parse(path, text)?;
    if let Some(fields) = scheduler.as_object_mut() {
        fields.insert("prediction_type".into(), json!(predicts.prediction_type.name()));
        if predicts.zero_snr {
            fields.insert("rescale_betas_zero_snr".into(), json!(true));
            // With other spacings, the first step is not training's last timestep, where such a model starts.
            fields.insert("timestep_spacing".into(), json!("trailing"));
        }
    }
    Ok(scheduler)
}

fn parse(path: &Path, text: &str) -> Result<Value> {
    serde_json::from_str(text).map_err(|error| Error::file(path, error.to_string()))
}

/// The component that a tensor belongs to, for messages.
fn component_of(name: &str) -> Component {
    if ldm_vae::PREFIXES.iter().any(|prefix| name.starts_with(prefix)) {
        Component::Vae
    } else if name.starts_with("cond_stage_model.") || name.starts_with("conditioner.") {
        Component::TextEncoder
    } else {
        Component::Unet
    }
}

impl WeightSource for SingleFile {
    fn name(&self) -> String {
        self.path.display().to_string()
    }

    fn config(&self, component: Component) -> Result<Value> {
        match component {
            Component::ModelIndex => Ok(architectures::with_scheduler(parse(&self.path, architectures::MODEL_INDEX)?, &self.scheduler)),
            Component::Unet => Ok(self.unet.0.clone()),
            Component::Vae => Ok(self.vae.0.clone()),
            Component::TextEncoder => Ok(self.text_encoder.0.clone()),
            Component::Tokenizer => parse(&self.path, self.tokenizer),
            Component::Scheduler => Ok(self.scheduler.clone()),
            Component::TinyVae | Component::ImageEncoder | Component::FeatureExtractor | Component::Captioner => {
                Err(Error::file(&self.path, format!("has no {component}: it is a Stable Diffusion checkpoint")))
            }
        }
    }

    /// A file of the whole model lies beside the checkpoint: `NAME.framewright.json` for `NAME.safetensors`. Every other is `None`: a
    /// checkpoint has no tokenizer files.
    fn file(&self, component: Component, file_name: &str) -> Result<Option<Vec<u8>>> {
        if component != Component::ModelIndex {
            return Ok(None);
        }
        let path = self.path.with_extension(file_name);
        match regular_file::read(&path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(source) if source.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(Error::Io { path, source }),
        }
    }

    fn tensors(&self, component: Component) -> Result<Arc<dyn TensorSource>> {
        let (_, table) = match component {
            Component::Unet => &self.unet,
            Component::Vae => &self.vae,
            Component::TextEncoder => &self.text_encoder,
            Component::ModelIndex
            | Component::TinyVae
            | Component::ImageEncoder
            | Component::Tokenizer
            | Component::FeatureExtractor
            | Component::Scheduler
            | Component::Captioner => {
                return Err(Error::file(&self.path, format!("{component} has no tensors")));
            }
        };
        Ok(Arc::<TensorTable>::clone(table))
    }

    fn remarks(&self) -> Vec<String> {
        vec![self.remark.clone()]
    }

    fn unknown_tensors(&self) -> Vec<String> {
        self.unknown.clone()
    }
}
