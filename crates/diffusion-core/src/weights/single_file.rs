//! A model in one file with CompVis' tensor names, the usual form of Stable Diffusion checkpoints.
//!
//! The architecture is inferred from the tensors' names and shapes; what these do not reveal (activation, head widths, scheduler) is that of
//! Stable Diffusion 1.x, 2.x or XL, and [`super::prediction`] determines the prediction type. The vocabulary is OpenAI's for all, and not part
//! of the file. Reference: diffusers' `loaders/single_file_utils.py`, including its preference for non-EMA weights if a file has both.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use serde_json::{Value, json};

use super::{
    Component, PredictionType, TensorSource, TextEncoderFacts, WeightSource, architectures, container, kinds,
    kinds::Beside,
    ldm::LdmPart,
    ldm_text::{self, OpenClip},
    ldm_unet, ldm_vae, ldm_video,
    mapping::WeightFile,
    prediction::{self, Family, Prediction},
    strided::StoredTensor,
    table::TensorTable,
    text_places::{TextPlaces, XlTexts},
};
use crate::{Error, Result, regular_file};

/// Options that override a single-file checkpoint's own marks.
#[derive(Clone, Copy, Debug, Default)]
pub struct SingleFileOptions {
    /// The model's prediction type. If `None`, the file's own marks decide: the key `v_pred`, `modelspec.prediction_type` and
    /// `modelspec.architecture` in a safetensors header, `global_step` in a torch file of Stable Diffusion 2.x, and for 2.x without any of
    /// these the deviation of the last attention norm's bias; Stable Diffusion 1.x and inpainting predict noise.
    pub prediction_type: Option<PredictionType>,
    /// Whether the autoencoder comes from elsewhere, so that the file may lack one: see [`super::OtherVae`].
    pub has_other_vae: bool,
    /// The text encoder that comes from elsewhere, so that the file may lack it: see [`super::OtherTexts`].
    pub text_encoder: Option<TextEncoderFacts>,
    /// The second text encoder of Stable Diffusion XL, likewise.
    pub text_encoder_2: Option<TextEncoderFacts>,
}

/// A component's configuration and tensors.
type Part = (Value, Arc<TensorTable>);

/// How many pixels a side of a latent stands for in every published model.
const USUAL_SCALE: usize = 8;

/// A single-file checkpoint.
pub struct SingleFile {
    path: PathBuf,
    index: &'static str,
    unet: Part,
    /// Absent if it comes from elsewhere and the file has none.
    vae: Option<Part>,
    /// Not in Stable Diffusion XL's refiner. Absent if it comes from elsewhere and the file has none.
    text_encoder: Option<Part>,
    /// Of Stable Diffusion XL. Likewise.
    text_encoder_2: Option<Part>,
    /// The configurations of their tokenizers.
    tokenizer: Option<&'static str>,
    tokenizer_2: Option<&'static str>,
    /// Of Stable Video Diffusion.
    image_encoder: Option<Part>,
    scheduler: Value,
    remark: String,
    unknown: Vec<String>,
}

impl SingleFile {
    /// Opens a safetensors or torch checkpoint: reads names and shapes, but no weights yet, except for one small tensor if nothing else
    /// reveals the prediction type.
    ///
    /// # Errors
    /// [`Error::File`] if it is truncated, malformed, or not a checkpoint of Stable Diffusion 1.x, 2.x or XL (the message says what it is),
    /// [`Error::Weights`] for a tensor that is missing, or of a layer that these do not have.
    pub fn open(path: impl Into<PathBuf>, options: SingleFileOptions) -> Result<Self> {
        let path = path.into();
        let file = WeightFile::map(path.clone())?;
        let contents = container::contents(&file, component_of)?;
        let all = contents.tensors.as_slice();
        let shapes: Vec<(&str, &[usize])> = all.iter().map(|(name, tensor)| (name.as_str(), tensor.shape())).collect();
        if ldm_video::is_video(all) {
            return Self::video(path.clone(), all);
        }
        let beside = (options.text_encoder, options.text_encoder_2);
        let is_beside = Beside { vae: options.has_other_vae, text_encoder: beside.0.is_some() || beside.1.is_some() };
        if let Some(reason) = kinds::refusal(&shapes, is_beside) {
            return Err(Error::file(path, reason));
        }
        let part = |component, prefixes: &[&'static str]| LdmPart::new(component, path.clone(), prefixes, all);

        let unet_part = part(Component::Unet, &[ldm_unet::PREFIX]);
        let vae_part = part(Component::Vae, &ldm_vae::PREFIXES);
        let texts = TextPlaces::find(&unet_part, all, beside);
        if let Some(reason) = texts.missing() {
            return Err(Error::file(path, reason));
        }
        let (openclip, is_xl) = (texts.is_openclip, texts.xl.is_some());
        let own = |(config, tensors): (Value, TensorTable)| (config, Arc::new(tensors));
        let text_encoder = if !texts.has_first {
            None
        } else if openclip && !is_xl {
            Some(own(ldm_text::openclip(&part(Component::TextEncoder, &ldm_text::OPENCLIP_PREFIXES), OpenClip::Penultimate)?))
        } else {
            Some(own(ldm_text::clip(&part(Component::TextEncoder, &ldm_text::CLIP_PREFIXES), false)?))
        };
        let text_encoder_2 = if texts.has_second {
            Some(own(ldm_text::openclip(&part(Component::TextEncoder2, &ldm_text::SECOND_PREFIXES), OpenClip::Projected)?))
        } else {
            None
        };
        let (tokenizer, tokenizer_2) = match (texts.xl, openclip) {
            (Some(XlTexts::Both), _) => (Some(architectures::CLIP_TOKENIZER), Some(architectures::OPENCLIP_TOKENIZER)),
            (Some(XlTexts::Second), _) => (None, Some(architectures::OPENCLIP_TOKENIZER)),
            (None, true) => (Some(architectures::OPENCLIP_TOKENIZER), None),
            (None, false) => (Some(architectures::CLIP_TOKENIZER), None),
        };
        let unet = ldm_unet::Layout::infer(&unet_part, is_xl)?;
        let vae = if vae_part.has_any("") { Some(ldm_vae::Layout::infer(&vae_part)?) } else { None };

        let family = match (openclip, unet.in_channels) {
            _ if is_xl => Family::Xl,
            (true, 4) => Family::Two,
            (true, _) => Family::TwoInpainting,
            (false, _) => Family::One,
        };
        let deviation = || ldm_unet::Layout::last_norm_deviation(&unet_part);
        let predicts = prediction::decide(options.prediction_type, &contents, family, deviation)?;
        let (unet_tensors, mut unknown) = unet.tensors(&unet_part)?;
        let vae_tensors = vae.as_ref().map(|vae| vae.tensors(&vae_part)).transpose()?;
        let Prediction { prediction_type, side, because, .. } = &predicts;
        // The sizes were published for autoencoders that reduce a side by a factor of 8.
        let latents = side / USUAL_SCALE;
        let side = latents * vae.as_ref().map_or(USUAL_SCALE, |vae| vae.scale());
        let vae = vae.zip(vae_tensors).map(|(vae, (tensors, unknown_of_vae))| {
            unknown.extend(unknown_of_vae);
            own((vae.config(side, is_xl), tensors))
        });
        let remark = format!("predicts {prediction_type} at {side}x{side}: {because}");
        let projected = text_encoder_2.as_ref().and_then(|(config, _)| config.get("projection_dim")?.as_u64());
        let projected = projected.map(|channels| channels as usize).or(options.text_encoder_2.map(|text| text.projection_dim));
        let pooled = projected.zip(texts.xl).map(|(channels, texts)| (channels, texts.time_ids()));
        if text_encoder_2.is_none()
            && let Some(pooled) = pooled
        {
            texts.check_projection(&unet_part, pooled)?;
        }
        Ok(Self {
            index: match texts.xl {
                None => architectures::MODEL_INDEX,
                Some(XlTexts::Both) => architectures::XL_MODEL_INDEX,
                Some(XlTexts::Second) => architectures::REFINER_MODEL_INDEX,
            },
            unet: own((unet.config(&unet_part, latents, pooled)?, unet_tensors)),
            vae,
            text_encoder,
            text_encoder_2,
            tokenizer,
            tokenizer_2,
            image_encoder: None,
            scheduler: scheduler(&path, family, &predicts)?,
            remark,
            unknown,
            path,
        })
    }
}

impl SingleFile {
    /// A Stable Video Diffusion checkpoint. The number of frames is in no tensor, so the file's name tells its two models apart.
    fn video(path: PathBuf, all: &[(String, StoredTensor)]) -> Result<Self> {
        ldm_video::check(&path, all)?;
        let own = |(config, tensors): (Value, TensorTable)| (config, Arc::new(tensors));
        let part = LdmPart::new(Component::Unet, path.clone(), &[ldm_unet::PREFIX], all);
        let unet = ldm_unet::Layout::infer(&part, false)?;
        let is_xt = path.file_stem().is_some_and(|name| name.to_string_lossy().to_lowercase().contains("xt"));
        let num_frames = if is_xt { 25 } else { 14 };
        let (tensors, unknown) = unet.tensors(&part)?;
        Ok(Self {
            index: architectures::VIDEO_MODEL_INDEX,
            unet: own((unet.video_config(&part, num_frames)?, tensors)),
            vae: Some(own(ldm_video::vae(&path, all)?)),
            text_encoder: None,
            text_encoder_2: None,
            tokenizer: None,
            tokenizer_2: None,
            image_encoder: Some(own(ldm_video::image_encoder(&path, all)?)),
            scheduler: parse(&path, architectures::EULER_V)?,
            remark: format!("makes {num_frames} frames: its name {} xt", if is_xt { "has" } else { "lacks" }),
            unknown,
            path,
        })
    }

    /// One of the text encoders.
    fn text(&self, component: Component) -> Result<&Part> {
        let text = if component == Component::TextEncoder2 { &self.text_encoder_2 } else { &self.text_encoder };
        text.as_ref().ok_or_else(|| self.has_no(component))
    }

    fn has_no(&self, component: Component) -> Error {
        let advice = if component == Component::Vae {
            "; give the folder or file of an AutoencoderKL as its VAE"
        } else if component == Component::TextEncoder && self.tokenizer.is_some() {
            "; name one besides (--text-encoder)"
        } else if component == Component::TextEncoder2 && self.tokenizer_2.is_some() {
            "; name one besides (--text-encoder-2)"
        } else {
            ""
        };
        Error::file(&self.path, format!("has no {component}: it is a Stable Diffusion checkpoint{advice}"))
    }
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
        Family::Xl => architectures::EULER_LEADING,
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
    } else if name.starts_with(ldm_text::XL_PREFIX) {
        Component::TextEncoder2
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
            Component::ModelIndex => Ok(architectures::with_scheduler(parse(&self.path, self.index)?, &self.scheduler)),
            Component::Unet => Ok(self.unet.0.clone()),
            Component::Vae => Ok(self.vae.as_ref().ok_or_else(|| self.has_no(component))?.0.clone()),
            Component::TextEncoder | Component::TextEncoder2 => Ok(self.text(component)?.0.clone()),
            Component::Tokenizer => parse(&self.path, self.tokenizer.ok_or_else(|| self.has_no(component))?),
            Component::Tokenizer2 => parse(&self.path, self.tokenizer_2.ok_or_else(|| self.has_no(component))?),
            Component::Scheduler => Ok(self.scheduler.clone()),
            Component::ImageEncoder => Ok(self.image_encoder.as_ref().ok_or_else(|| self.has_no(component))?.0.clone()),
            Component::FeatureExtractor if self.image_encoder.is_some() => parse(&self.path, architectures::CLIP_IMAGES),
            Component::TinyVae | Component::FeatureExtractor | Component::ControlNet | Component::Captioner | Component::Upscaler => {
                Err(self.has_no(component))
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
            Component::Vae => self.vae.as_ref().ok_or_else(|| self.has_no(component))?,
            Component::TextEncoder | Component::TextEncoder2 => self.text(component)?,
            Component::ImageEncoder => self.image_encoder.as_ref().ok_or_else(|| self.has_no(component))?,
            Component::ModelIndex
            | Component::TinyVae
            | Component::ControlNet
            | Component::Upscaler
            | Component::Tokenizer
            | Component::Tokenizer2
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
