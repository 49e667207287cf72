//! A model's own scheduler file, and the corrections that a request's pipeline applies to it.
//!
//! This module must not depend on how an image is generated. Invariant: a request uses the same scheduler as diffusers' pipeline of its
//! kind built from the model's folder: the model's own or, with a name, `X.from_config(pipe.scheduler.config)`. Reference: the
//! `__init__` of the pipelines named below; `load_sub_model`, which takes the scheduler's class from model_index.json.

use serde_json::{Value as Json, json};

use super::{ImageParams, Start};
use crate::{
    Result,
    schedulers::{PredictionType, Scheduler, SchedulerConfig, SchedulerFile, SchedulerKind, SchedulerName},
    weights::{Component, ModelFamily, WeightSource},
};

/// The diffusers pipelines that requests correspond to, distinguished by how they correct their schedulers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pipeline {
    /// `StableDiffusionPipeline` and `StableDiffusionImg2ImgPipeline`.
    StableDiffusion,
    /// `StableDiffusionInpaintPipeline`.
    Inpaint,
    /// `LatentConsistencyModelPipeline`.
    LatentConsistency,
    /// `StableDiffusionXLPipeline`, and those from an image and inside a mask.
    StableDiffusionXl,
}

impl Pipeline {
    /// The pipeline for a request, regardless of the pipeline that model_index.json names.
    ///
    /// The pipelines of latent consistency models run only with `LCMScheduler`; with another scheduler, the plain pipelines are used. For
    /// inpainting, diffusers has only the plain one. Image to image follows `StableDiffusionImg2ImgPipeline` for every model, because
    /// strength is a share of the steps here; in `LatentConsistencyModelImg2ImgPipeline` it is a share of the distillation's steps.
    fn of(start: &Start, is_consistency_model: bool, scheduler: Option<SchedulerKind>) -> Self {
        match start {
            Start::Noise if is_consistency_model && scheduler == Some(SchedulerKind::Lcm) => Self::LatentConsistency,
            Start::Noise | Start::Image { .. } => Self::StableDiffusion,
            Start::Inpaint { .. } => Self::Inpaint,
        }
    }

    /// Corrects values that this pipeline's `__init__` considers outdated: `!= 1`, `is True`, `is False`.
    fn correct(self, file: &mut SchedulerFile) {
        let is_not_one = |value: &Json| *value != json!(true) && value.as_f64() != Some(1.0);
        match self {
            Self::StableDiffusion => {
                file.correct("steps_offset", is_not_one, json!(1));
                file.correct("clip_sample", |value| *value == json!(true), json!(false));
            }
            Self::Inpaint => {
                file.correct("steps_offset", is_not_one, json!(1));
                file.correct("skip_prk_steps", |value| *value == json!(false), json!(true));
            }
            Self::LatentConsistency | Self::StableDiffusionXl => {}
        }
    }
}

/// A model's own scheduler file, from which every scheduler of a request is built.
pub(in crate::pipelines) struct OwnScheduler {
    file: SchedulerFile,
    is_consistency_model: bool,
    is_xl: bool,
}

impl OwnScheduler {
    /// Reads the model's scheduler file. Whether the scheduler is supported is checked in [`Self::config`].
    ///
    /// # Errors
    /// [`crate::Error::Config`] if the file is not a JSON object; any error of the source.
    pub(in crate::pipelines) fn read(source: &dyn WeightSource) -> Result<Self> {
        let index = source.config(Component::ModelIndex)?;
        let pipeline = index.get("_class_name").and_then(Json::as_str);
        Ok(Self {
            file: SchedulerFile::of(source)?,
            is_consistency_model: pipeline.is_some_and(|class| class.starts_with("LatentConsistencyModel")),
            is_xl: ModelFamily::of(source)?.is_xl(),
        })
    }

    /// The kind of the model's own scheduler, if this crate has its class.
    pub(super) fn kind(&self) -> Option<SchedulerKind> {
        self.file.own_kind().ok()
    }

    /// Whether the model's own scheduler starts at the last training timestep, for a model that predicts noise.
    pub(super) fn trails_on_noise(&self) -> bool {
        self.file.scheduler(None).is_ok_and(|config| config.trails() && config.prediction_type() == PredictionType::Epsilon)
    }

    /// Starts the scheduler for a request.
    ///
    /// # Errors
    /// Those of [`Self::config`] and of [`SchedulerConfig::start`].
    pub(super) fn start(&self, params: &ImageParams) -> Result<Box<dyn Scheduler>> {
        let config = self.config(&params.start, params.scheduler)?;
        let eta = params.eta.or(config.name().kind.default_eta());
        config.with_eta(eta.unwrap_or(0.0)).start(params.num_inference_steps)
    }

    /// The scheduler of a request.
    ///
    /// # Errors
    /// [`crate::Error::Config`] naming the key of the file whose value the scheduler does not support.
    pub(in crate::pipelines) fn config(&self, start: &Start, name: Option<SchedulerName>) -> Result<SchedulerConfig> {
        let kind = name.map(|name| name.kind).or_else(|| self.file.own_kind().ok());
        let mut file = self.file.clone();
        let pipeline = if self.is_xl { Pipeline::StableDiffusionXl } else { Pipeline::of(start, self.is_consistency_model, kind) };
        pipeline.correct(&mut file);
        file.scheduler(name)
    }
}
