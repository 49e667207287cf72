//! A scheduler's settings, as one scheduler class reads them from a model's scheduler file.
//!
//! This module must not depend on how a scheduler computes, nor on how the keys are read (see `classes`). Invariant: an existing
//! configuration can be run, except with numbers of steps that its scheduler does not support. Reference: the `__init__` of each of
//! diffusers' scheduler classes.

use serde_json::Value;

use super::{
    Scheduler, SchedulerKind, SchedulerName,
    ddim::DdimScheduler,
    ddpm::DdpmScheduler,
    deis::DeisMultistepScheduler,
    dpm_multistep::DpmSolverMultistepScheduler,
    dpm_singlestep::DpmSolverSinglestepScheduler,
    euler::EulerDiscreteScheduler,
    euler_ancestral::EulerAncestralDiscreteScheduler,
    file::{FILE, SchedulerFile},
    heun::HeunDiscreteScheduler,
    latents::Bound,
    lcm::LcmScheduler,
    lms::LmsDiscreteScheduler,
    pndm::PndmScheduler,
    tcd::TcdScheduler,
    unipc::UniPcMultistepScheduler,
};
pub use crate::weights::PredictionType;
use crate::{Error, Result};

/// How training noise grows with the timestep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BetaSchedule {
    Linear,
    ScaledLinear,
    SquaredCosCapV2,
    Sigmoid,
    Laplace,
    Exponential,
}

impl BetaSchedule {
    /// Whether it starts and ends at `beta_start` and `beta_end`.
    pub(super) fn has_range(self) -> bool {
        matches!(self, Self::Linear | Self::ScaledLinear | Self::Sigmoid)
    }
}

/// The training timesteps that a run visits (table 2 of arXiv 2305.08891).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TimestepSpacing {
    Leading,
    Linspace,
    Trailing,
}

/// The noise level after the last step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FinalSigma {
    Zero,
    SigmaMin,
}

/// The equation that a DPM solver integrates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DpmAlgorithm {
    Dpm,
    DpmPlusPlus,
    SdeDpm,
    SdeDpmPlusPlus,
}

impl DpmAlgorithm {
    pub(super) fn is_stochastic(self) -> bool {
        matches!(self, Self::SdeDpm | Self::SdeDpmPlusPlus)
    }

    /// Whether the solver works on predictions of the clean latents, not of the noise.
    pub(super) fn predicts_original(self) -> bool {
        matches!(self, Self::DpmPlusPlus | Self::SdeDpmPlusPlus)
    }
}

/// The form of a multistep solver's higher orders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SolverType {
    Midpoint,
    Heun,
    Bh1,
    Bh2,
    LogRho,
}

/// The variance that DDPM adds at each step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DdpmVariance {
    Small,
    SmallLog,
    Large,
}

/// A scheduler and all its settings; [`SchedulerConfig::start`] starts a run.
#[derive(Debug, Clone)]
pub struct SchedulerConfig {
    pub(super) name: SchedulerName,
    pub(super) num_train_timesteps: usize,
    pub(super) beta_start: f64,
    pub(super) beta_end: f64,
    pub(super) beta_schedule: BetaSchedule,
    /// Whether the file's `beta_schedule` is "squaredcos_cap_v2".
    pub(super) is_cosine: bool,
    pub(super) trained_betas: Option<Vec<f32>>,
    pub(super) rescale_betas_zero_snr: bool,
    pub(super) prediction_type: PredictionType,
    pub(super) timestep_spacing: TimestepSpacing,
    pub(super) steps_offset: i64,
    /// The bound of the clean prediction.
    pub(super) bound: Bound,
    pub(super) set_alpha_to_one: bool,
    pub(super) variance: DdpmVariance,
    pub(super) skip_prk_steps: bool,
    pub(super) sigma_min: Option<f64>,
    pub(super) sigma_max: Option<f64>,
    pub(super) continuous_timesteps: bool,
    pub(super) final_sigma: FinalSigma,
    pub(super) solver_order: usize,
    pub(super) algorithm: DpmAlgorithm,
    pub(super) solver_type: SolverType,
    pub(super) lower_order_final: bool,
    pub(super) euler_at_final: bool,
    pub(super) lambda_min_clipped: f64,
    pub(super) predict_x0: bool,
    pub(super) disable_corrector: Vec<usize>,
    pub(super) original_inference_steps: usize,
    pub(super) timestep_scaling: f64,
    /// The share of fresh noise in a step, for schedulers with one; not a key of the file but a parameter of diffusers' `step`.
    pub(super) eta: f64,
}

impl SchedulerConfig {
    /// A scheduler from a scheduler_config.json alone, without the pipelines' corrections; see [`SchedulerFile::scheduler`].
    ///
    /// # Errors
    /// Those of [`SchedulerFile::new`] and [`SchedulerFile::scheduler`].
    pub fn from_json(json: &Value, name: Option<SchedulerName>) -> Result<Self> {
        SchedulerFile::new(json, None)?.scheduler(name)
    }

    /// The scheduler's name, with the suffix of the active sigma schedule.
    pub fn name(&self) -> SchedulerName {
        self.name
    }

    /// Sets the share of fresh noise in a step, in 0..=1; the default is that of diffusers' `step`. Ignored by schedulers without a
    /// [default](SchedulerKind::default_eta).
    #[must_use]
    pub fn with_eta(self, eta: f64) -> Self {
        Self { eta, ..self }
    }

    /// The number of training's timesteps.
    pub(crate) fn num_train_timesteps(&self) -> usize {
        self.num_train_timesteps
    }

    /// The interpretation of the model's output.
    pub fn prediction_type(&self) -> PredictionType {
        self.prediction_type
    }

    /// Whether every run begins at the last of training's timesteps.
    pub(crate) fn trails(&self) -> bool {
        self.timestep_spacing == TimestepSpacing::Trailing
    }

    /// Starts a run of `num_inference_steps` steps.
    ///
    /// # Errors
    /// [`Error::Params`] for zero steps or more than the scheduler supports; [`Error::Config`] if the settings lead to a timestep that the
    /// model was not trained on.
    pub fn start(&self, num_inference_steps: usize) -> Result<Box<dyn Scheduler>> {
        let most = match self.name.kind {
            SchedulerKind::Lcm | SchedulerKind::Tcd => self.original_inference_steps,
            SchedulerKind::Ddim
            | SchedulerKind::Ddpm
            | SchedulerKind::Pndm
            | SchedulerKind::Lms
            | SchedulerKind::Euler
            | SchedulerKind::EulerAncestral
            | SchedulerKind::Heun
            | SchedulerKind::DpmMultistep
            | SchedulerKind::DpmMultistepSde
            | SchedulerKind::DpmSinglestep
            | SchedulerKind::UniPc
            | SchedulerKind::Deis => self.num_train_timesteps,
        };
        if num_inference_steps == 0 || num_inference_steps > most {
            let reason = format!("{num_inference_steps} steps, but {} takes 1 to {most} with this model", self.name);
            return Err(Error::Params { field: "num_inference_steps", reason });
        }
        Ok(match self.name.kind {
            SchedulerKind::Ddim => Box::new(DdimScheduler::new(self, num_inference_steps)?),
            SchedulerKind::Ddpm => Box::new(DdpmScheduler::new(self, num_inference_steps)?),
            SchedulerKind::Pndm => Box::new(PndmScheduler::new(self, num_inference_steps)?),
            SchedulerKind::Lms => Box::new(LmsDiscreteScheduler::new(self, num_inference_steps)?),
            SchedulerKind::Euler => Box::new(EulerDiscreteScheduler::new(self, num_inference_steps)?),
            SchedulerKind::EulerAncestral => Box::new(EulerAncestralDiscreteScheduler::new(self, num_inference_steps)?),
            SchedulerKind::Heun => Box::new(HeunDiscreteScheduler::new(self, num_inference_steps)?),
            SchedulerKind::DpmMultistep | SchedulerKind::DpmMultistepSde => {
                Box::new(DpmSolverMultistepScheduler::new(self, num_inference_steps)?)
            }
            SchedulerKind::DpmSinglestep => Box::new(DpmSolverSinglestepScheduler::new(self, num_inference_steps)?),
            SchedulerKind::UniPc => Box::new(UniPcMultistepScheduler::new(self, num_inference_steps)?),
            SchedulerKind::Deis => Box::new(DeisMultistepScheduler::new(self, num_inference_steps)?),
            SchedulerKind::Lcm => Box::new(LcmScheduler::new(self, num_inference_steps)?),
            SchedulerKind::Tcd => Box::new(TcdScheduler::new(self, num_inference_steps)?),
        })
    }

    /// Checks constraints between keys, and ranges.
    pub(super) fn check(&self) -> Result<()> {
        let refuse = |field: &str, reason: &str| Err(Error::config(FILE, field, format!("{}: {reason}", self.name.kind.class_name())));
        if !(2..=100_000).contains(&self.num_train_timesteps) {
            return refuse("num_train_timesteps", "expected 2 to 100000");
        }
        if self.trained_betas.as_ref().is_some_and(|betas| betas.len() != self.num_train_timesteps) {
            return refuse("trained_betas", "expected num_train_timesteps numbers");
        }
        let highest = if self.name.kind == SchedulerKind::UniPc { self.num_train_timesteps } else { 3 };
        if !(1..=highest).contains(&self.solver_order) {
            return refuse("solver_order", &format!("unsupported value, expected 1 to {highest}"));
        }
        if !(1..=self.num_train_timesteps).contains(&self.original_inference_steps) {
            return refuse("original_inference_steps", "expected 1 to num_train_timesteps");
        }
        if self.steps_offset.unsigned_abs() > self.num_train_timesteps as u64 {
            return refuse("steps_offset", "larger than num_train_timesteps");
        }
        if !self.algorithm.predicts_original() && self.final_sigma == FinalSigma::Zero {
            return refuse("final_sigmas_type", "zero is not possible with this algorithm_type, sigma_min is");
        }
        if self.algorithm == DpmAlgorithm::SdeDpm && self.solver_order == 3 {
            return refuse("solver_order", "unsupported value 3 with algorithm_type sde-dpmsolver");
        }
        Ok(())
    }
}
