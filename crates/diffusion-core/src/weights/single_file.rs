//! A model in one file with CompVis' tensor names, as most Stable Diffusion checkpoints are handed around.
//!
//! Such a file has tensors and nothing else. The architecture is read from their shapes; what shapes cannot tell (scheduler, activation,
//! head widths, what the model predicts) is what Stable Diffusion 1.x or 2.x has, and the prediction type can be given. The vocabulary
//! is OpenAI's for both, and no part of the file.
//! Reference: diffusers' `loaders/single_file_utils.py`, including that non-EMA weights are taken where a file has both.

use std::{
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
    sync::Arc,
};

use serde_json::{Value, json};

use super::{
    Component, TensorSource, WeightSource, architectures, ldm::LdmPart, ldm_text, ldm_unet, ldm_vae, mapping::WeightFile, safetensors_file,
    strided::StoredTensor, table::TensorTable, torch_file,
};
use crate::{Error, Result};

/// What a model's output means; a single-file checkpoint does not say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PredictionType {
    /// The noise in the latents: Stable Diffusion 1.x, 2-base, 2.1-base and the inpainting models.
    Epsilon,
    /// The velocity alpha * noise - sigma * clean (Salimans and Ho 2022): Stable Diffusion 2 and 2.1 at 768 pixels.
    VPrediction,
    /// The clean latents.
    Sample,
}

impl PredictionType {
    /// The word in a scheduler's configuration, which [`FromStr`] reads.
    pub fn name(self) -> &'static str {
        match self {
            Self::Epsilon => "epsilon",
            Self::VPrediction => "v_prediction",
            Self::Sample => "sample",
        }
    }
}

impl fmt::Display for PredictionType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for PredictionType {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        match text {
            "epsilon" => Ok(Self::Epsilon),
            "v_prediction" => Ok(Self::VPrediction),
            "sample" => Ok(Self::Sample),
            _ => Err(Error::Params { field: "prediction_type", reason: format!("{text:?} is none of epsilon, v_prediction, sample") }),
        }
    }
}

/// What a single-file checkpoint does not say of itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct SingleFileOptions {
    /// What the model predicts. Without it, as in diffusers: velocity for Stable Diffusion 2.x, noise for 1.x and for inpainting; so a
    /// 2-base or 2.1-base checkpoint wants [`PredictionType::Epsilon`] here.
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
}

impl SingleFile {
    /// Opens a checkpoint, safetensors or a torch archive: reads its names and shapes, no weights yet.
    ///
    /// # Errors
    /// [`Error::File`] if it is truncated, malformed, or a model of another kind (the message says which), [`Error::Weights`] for a tensor
    /// that is missing, or that Stable Diffusion 1.x and 2.x do not have.
    pub fn open(path: impl Into<PathBuf>, options: SingleFileOptions) -> Result<Self> {
        let path = path.into();
        let file = WeightFile::map(path.clone())?;
        let torch = file.bytes().starts_with(b"PK") || file.bytes().starts_with(&[0x80, 0x02]);
        let all = if torch { torch_file::tensors(&file, component_of)? } else { safetensors_file::tensors(&file, component_of)? };
        refuse_others(&path, &all)?;
        let part = |component, prefix| LdmPart::new(component, path.clone(), prefix, &all);

        let unet_part = part(Component::Unet, ldm_unet::PREFIX);
        let vae_part = part(Component::Vae, ldm_vae::PREFIX);
        let openclip = all.iter().any(|(name, _)| name.starts_with(ldm_text::OPENCLIP_PREFIX));
        let (text_config, text_tensors) = if openclip {
            ldm_text::openclip(&part(Component::TextEncoder, ldm_text::OPENCLIP_PREFIX))?
        } else {
            ldm_text::clip(&part(Component::TextEncoder, ldm_text::CLIP_PREFIX))?
        };
        let unet = ldm_unet::Layout::infer(&unet_part)?;
        let vae = ldm_vae::Layout::infer(&vae_part)?;

        let inpainting = unet.in_channels == 9;
        let prediction_type = options.prediction_type.unwrap_or(match (openclip, inpainting) {
            (true, false) => PredictionType::VPrediction,
            (true, true) | (false, _) => PredictionType::Epsilon,
        });
        // Stable Diffusion 2 was published at 768 pixels with velocity, and at 512 with noise.
        let sample_size = if openclip && prediction_type == PredictionType::VPrediction { 96 } else { 64 };
        let scheduler = if openclip { architectures::DDIM } else { architectures::PNDM };
        let mut scheduler = parse(&path, scheduler)?;
        if let Some(fields) = scheduler.as_object_mut() {
            fields.insert("prediction_type".into(), json!(prediction_type.name()));
        }
        Ok(Self {
            unet: (unet.config(&unet_part, sample_size)?, Arc::new(unet.tensors(&unet_part)?)),
            vae: (vae.config(sample_size * vae.scale()), Arc::new(vae.tensors(&vae_part)?)),
            text_encoder: (text_config, Arc::new(text_tensors)),
            tokenizer: if openclip { architectures::OPENCLIP_TOKENIZER } else { architectures::CLIP_TOKENIZER },
            scheduler,
            path,
        })
    }
}

fn parse(path: &Path, text: &str) -> Result<Value> {
    serde_json::from_str(text).map_err(|error| Error::file(path, error.to_string()))
}

/// The component that a tensor belongs to, for messages.
fn component_of(name: &str) -> Component {
    if name.starts_with(ldm_vae::PREFIX) {
        Component::Vae
    } else if name.starts_with("cond_stage_model.") {
        Component::TextEncoder
    } else {
        Component::Unet
    }
}

/// Names that give away a model of another kind.
const OTHERS: [(&str, &str); 9] = [
    ("conditioner.embedders.", "a Stable Diffusion XL checkpoint"),
    ("model.diffusion_model.joint_blocks.", "a Stable Diffusion 3 checkpoint"),
    ("model.diffusion_model.double_blocks.", "a Flux checkpoint"),
    ("double_blocks.", "a Flux checkpoint"),
    ("control_model.", "a ControlNet"),
    ("lora_", "a LoRA, which changes a model and is none"),
    ("down_blocks.", "one component of a diffusers model: give the model's folder instead"),
    ("encoder.down_blocks.", "one component of a diffusers model: give the model's folder instead"),
    ("text_model.", "one component of a diffusers model: give the model's folder instead"),
];

fn refuse_others(path: &Path, all: &[(String, StoredTensor)]) -> Result<()> {
    let holds = |test: &dyn Fn(&str) -> bool| all.iter().any(|(name, _)| test(name));
    for (start, kind) in OTHERS {
        if holds(&|name| name.starts_with(start)) {
            return Err(Error::file(path, format!("is {kind}; supported are checkpoints of Stable Diffusion 1.x and 2.x")));
        }
    }
    if holds(&|name| name.starts_with(ldm_unet::PREFIX) && name.contains(".time_stack.")) {
        return Err(Error::file(path, "is a Stable Video Diffusion checkpoint; supported are checkpoints of Stable Diffusion 1.x and 2.x"));
    }
    for (part, prefix) in [("UNet", ldm_unet::PREFIX), ("VAE", ldm_vae::PREFIX), ("text encoder", "cond_stage_model.")] {
        if !holds(&|name| name.starts_with(prefix)) {
            let reason = format!("has no {part} (no tensor's name begins with {prefix}), so it is no whole Stable Diffusion checkpoint");
            return Err(Error::file(path, reason));
        }
    }
    Ok(())
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
            Component::ImageEncoder | Component::FeatureExtractor => {
                Err(Error::file(&self.path, format!("has no {component}: it is a Stable Diffusion checkpoint")))
            }
        }
    }

    /// Always `None`: a checkpoint brings no tokenizer files.
    fn file(&self, _component: Component, _file_name: &str) -> Result<Option<Vec<u8>>> {
        Ok(None)
    }

    fn tensors(&self, component: Component) -> Result<Arc<dyn TensorSource>> {
        let (_, table) = match component {
            Component::Unet => &self.unet,
            Component::Vae => &self.vae,
            Component::TextEncoder => &self.text_encoder,
            Component::ModelIndex | Component::ImageEncoder | Component::Tokenizer | Component::FeatureExtractor | Component::Scheduler => {
                return Err(Error::file(&self.path, format!("{component} has no tensors")));
            }
        };
        Ok(Arc::<TensorTable>::clone(table))
    }
}
