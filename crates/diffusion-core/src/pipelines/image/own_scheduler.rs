//! A model's scheduler file, and what becomes of it when a request's pipeline is built.
//!
//! It must not know how an image is made. The invariant: a request has the scheduler that diffusers' pipeline of its kind has when it is
//! built from the model's folder, be that the model's own one or, with a name, `X.from_config(pipe.scheduler.config)`. Reference: the
//! `__init__` of the pipelines named below; `load_sub_model`, which takes the scheduler's class from model_index.json.

use serde_json::{Value as Json, json};

use super::{ImageParams, Start};
use crate::{
    Result,
    schedulers::{Scheduler, SchedulerConfig, SchedulerFile, SchedulerKind, SchedulerName},
    weights::{Component, WeightSource},
};

/// The pipelines of diffusers that requests run as, as far as they correct their schedulers differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pipeline {
    /// `StableDiffusionPipeline` and `StableDiffusionImg2ImgPipeline`.
    StableDiffusion,
    /// `StableDiffusionInpaintPipeline`.
    Inpaint,
    /// `LatentConsistencyModelPipeline`.
    LatentConsistency,
}

impl Pipeline {
    /// The pipeline that a model's folder is loaded with for a request, whichever pipeline its model_index.json names.
    ///
    /// The pipelines of latent consistency models run with no scheduler but `LCMScheduler`; with another, people take the plain ones. For
    /// inpainting diffusers has no other than the plain one. Image to image follows `StableDiffusionImg2ImgPipeline` for every model, for
    /// a strength is a share of the steps here; `LatentConsistencyModelImg2ImgPipeline` makes it a share of the distillation's.
    fn of(start: &Start, is_consistency_model: bool, scheduler: Option<SchedulerKind>) -> Self {
        match start {
            Start::Noise if is_consistency_model && scheduler == Some(SchedulerKind::Lcm) => Self::LatentConsistency,
            Start::Noise | Start::Image { .. } => Self::StableDiffusion,
            Start::Inpaint { .. } => Self::Inpaint,
        }
    }

    /// Corrects what this pipeline's `__init__` takes for outdated: `!= 1`, `is True`, `is False`.
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
            Self::LatentConsistency => {}
        }
    }
}

/// A model's own scheduler, from which those that requests name are made too.
pub(in crate::pipelines) struct OwnScheduler {
    file: SchedulerFile,
    is_consistency_model: bool,
}

impl OwnScheduler {
    /// Reads the model's scheduler file. Whether that can be run shows when it is asked for.
    ///
    /// # Errors
    /// [`crate::Error::Config`] if the file holds no JSON object; those of the source.
    pub(in crate::pipelines) fn read(source: &dyn WeightSource) -> Result<Self> {
        let index = source.config(Component::ModelIndex)?;
        let pipeline = index.get("_class_name").and_then(Json::as_str);
        Ok(Self {
            file: SchedulerFile::of(source)?,
            is_consistency_model: pipeline.is_some_and(|class| class.starts_with("LatentConsistencyModel")),
        })
    }

    /// Begins a request's run.
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
    /// [`crate::Error::Config`] naming the key of the file that the scheduler reads and cannot run.
    pub(in crate::pipelines) fn config(&self, start: &Start, name: Option<SchedulerName>) -> Result<SchedulerConfig> {
        let kind = name.map(|name| name.kind).or_else(|| self.file.own_kind().ok());
        let mut file = self.file.clone();
        Pipeline::of(start, self.is_consistency_model, kind).correct(&mut file);
        file.scheduler(name)
    }
}
