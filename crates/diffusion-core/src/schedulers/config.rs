//! A scheduler's configuration, from a model's own scheduler_config.json read as any scheduler class reads it.
//!
//! Must not know how a scheduler computes. Invariant: it behaves as diffusers' `Class.from_config(file)`: a key of the class's signature is
//! kept, an absent one takes that class's default, a key that the class doesn't have is ignored. A value that this crate doesn't implement
//! is refused by name. Reference: `configuration_utils.py` and the `__init__` of each scheduler class.
//! It is longer than 500 lines because the keys of all classes, their defaults and their limits stand side by side here.

use serde_json::{Map, Value};

use super::{
    Scheduler, SchedulerKind, SchedulerName, SigmaSchedule, ddim::DdimScheduler, ddpm::DdpmScheduler, deis::DeisMultistepScheduler,
    dpm_multistep::DpmSolverMultistepScheduler, dpm_singlestep::DpmSolverSinglestepScheduler, euler::EulerDiscreteScheduler,
    euler_ancestral::EulerAncestralDiscreteScheduler, heun::HeunDiscreteScheduler, lcm::LcmScheduler, lms::LmsDiscreteScheduler,
    pndm::PndmScheduler, tcd::TcdScheduler, unipc::UniPcMultistepScheduler,
};
pub use crate::weights::PredictionType;
use crate::{Error, Result};

/// The file that every error here names.
const FILE: &str = "scheduler/scheduler_config.json";

/// How the noise of a training step grows with its timestep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BetaSchedule {
    Linear,
    ScaledLinear,
    SquaredCosCapV2,
    Sigmoid,
    Laplace,
    Exponential,
}

/// Which of the training timesteps a run visits (table 2 of arXiv 2305.08891).
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
    FixedSmall,
    FixedSmallLog,
    FixedLarge,
}

/// A scheduler and all its settings; [`SchedulerConfig::start`] begins a run.
#[derive(Debug, Clone)]
pub struct SchedulerConfig {
    pub(super) name: SchedulerName,
    pub(super) num_train_timesteps: usize,
    pub(super) beta_start: f64,
    pub(super) beta_end: f64,
    pub(super) beta_schedule: BetaSchedule,
    pub(super) trained_betas: Option<Vec<f32>>,
    pub(super) rescale_betas_zero_snr: bool,
    pub(super) prediction_type: PredictionType,
    pub(super) timestep_spacing: TimestepSpacing,
    pub(super) steps_offset: i64,
    /// The bound of the clean prediction; none where it isn't clipped.
    pub(super) clip_sample_range: Option<f64>,
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
    /// TCD's share of noise in a step, the paper's gamma; no key of the file but a parameter of diffusers' `step`.
    pub(super) tcd_eta: f64,
}

impl SchedulerConfig {
    /// Reads a scheduler_config.json as the class of `name` reads it, or as the file's own `_class_name` where no name is given.
    ///
    /// A suffix of the name sets that one of the three `use_*_sigmas` and takes the place of another in the file.
    ///
    /// # Errors
    /// [`Error::Config`] that names the key, for an unknown class, a malformed value, or a value that is not implemented.
    pub fn from_json(json: &Value, name: Option<SchedulerName>) -> Result<Self> {
        let map = json.as_object().ok_or_else(|| Error::config(FILE, "(root)", "expected a JSON object"))?;
        let kind = match name {
            Some(name) => name.kind,
            None => kind_of_class(map)?,
        };
        let fields = Fields::new(map, kind);
        let sde = name.is_some_and(|name| name.kind == SchedulerKind::DpmMultistepSde);
        let config = fields.read(name.and_then(|name| name.sigmas), sde)?;
        config.check()?;
        Ok(config)
    }

    /// The scheduler's name, with the suffix of the sigma schedule in force.
    pub fn name(&self) -> SchedulerName {
        self.name
    }

    /// The share of noise in TCD's steps, in 0..=1: 0.3 by default, as in diffusers' `step`, and 0 in its pipelines. Nothing to others.
    #[must_use]
    pub fn with_tcd_eta(self, tcd_eta: f64) -> Self {
        Self { tcd_eta, ..self }
    }

    /// What the model's output is taken for.
    pub fn prediction_type(&self) -> PredictionType {
        self.prediction_type
    }

    /// Begins a run of so many steps.
    ///
    /// # Errors
    /// [`Error::Params`] for no steps or more than the scheduler can make; [`Error::Config`] if the settings ask for a timestep that the
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

    /// What no single key shows.
    fn check(&self) -> Result<()> {
        let refuse = |field: &str, reason: &str| Err(Error::config(FILE, field, format!("{}: {reason}", self.name.kind.class_name())));
        if !(2..=100_000).contains(&self.num_train_timesteps) {
            return refuse("num_train_timesteps", "expected 2 to 100000");
        }
        if self.trained_betas.as_ref().is_some_and(|betas| betas.len() != self.num_train_timesteps) {
            return refuse("trained_betas", "expected num_train_timesteps numbers");
        }
        if !(1..=3).contains(&self.solver_order) {
            return refuse("solver_order", "unsupported value, expected 1, 2 or 3");
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

/// The kind whose class the file names.
fn kind_of_class(map: &Map<String, Value>) -> Result<SchedulerKind> {
    let class = match map.get("_class_name") {
        Some(Value::String(class)) => class,
        Some(other) => return Err(Error::config(FILE, "_class_name", format!("expected a text, found {other}"))),
        None => return Err(Error::config(FILE, "_class_name", "missing")),
    };
    SchedulerKind::ALL.into_iter().find(|kind| kind.class_name() == class).ok_or_else(|| {
        let known: Vec<&str> = SchedulerKind::ALL.iter().map(|kind| kind.class_name()).collect();
        Error::config(FILE, "_class_name", format!("unsupported value {class:?}, known are {}", known.join(", ")))
    })
}

/// The file's keys as one class sees them.
struct Fields<'a> {
    map: &'a Map<String, Value>,
    /// Keys whose values in the file are only another class's defaults.
    defaulted: Vec<&'a str>,
    kind: SchedulerKind,
}

impl<'a> Fields<'a> {
    fn new(map: &'a Map<String, Value>, kind: SchedulerKind) -> Self {
        let defaulted = map.get("_use_default_values").and_then(Value::as_array);
        let defaulted = defaulted.into_iter().flatten().filter_map(Value::as_str).collect();
        Self { map, defaulted, kind }
    }

    fn read(&self, suffix: Option<SigmaSchedule>, sde: bool) -> Result<SchedulerConfig> {
        use SchedulerKind::{
            Ddim, Ddpm, Deis, DpmMultistep, DpmMultistepSde, DpmSinglestep, Euler, EulerAncestral, Heun, Lcm, Pndm, Tcd, UniPc,
        };
        let consistency = self.is(&[Lcm, Tcd]);
        let multistep = self.is(&[DpmMultistep, DpmMultistepSde]);
        let dpm = multistep || self.kind == DpmSinglestep;
        let solver = dpm || self.is(&[UniPc, Deis]);
        let clips = self.is(&[Ddim, Ddpm, Heun, Lcm]) && self.flag("clip_sample", self.is(&[Ddim, Ddpm]))?;
        if self.is(&[Ddim, Ddpm, Lcm]) || solver {
            self.refuse_flag("thresholding")?;
        }
        if solver {
            self.refuse_flag("use_flow_sigmas")?;
            self.refuse_flag("use_dynamic_shifting")?;
        }
        if multistep {
            self.refuse_flag("use_lu_lambdas")?;
        }
        if dpm {
            self.refuse_unless_null("variance_type")?;
        }
        if self.kind == UniPc {
            self.refuse_unless_null("solver_p")?;
            self.refuse_unless_null("shift_terminal")?;
        }
        if self.kind == Euler {
            self.choice("interpolation_type", (), &[("linear", ())])?;
        }
        let (beta_start, beta_end) = if consistency || self.kind == Heun { (0.000_85, 0.012) } else { (0.0001, 0.02) };
        let algorithm = if sde { DpmAlgorithm::SdeDpmPlusPlus } else { self.algorithm(dpm)? };
        let kind = match self.kind {
            DpmMultistep | DpmMultistepSde if algorithm.is_stochastic() => DpmMultistepSde,
            DpmMultistep | DpmMultistepSde => DpmMultistep,
            other => other,
        };
        Ok(SchedulerConfig {
            name: SchedulerName { kind, sigmas: self.sigma_schedule(suffix)? },
            num_train_timesteps: self.count("num_train_timesteps", 1000)?,
            beta_start: self.number("beta_start", beta_start)?,
            beta_end: self.number("beta_end", beta_end)?,
            beta_schedule: self.beta_schedule(consistency)?,
            trained_betas: self.trained_betas()?,
            rescale_betas_zero_snr: (self.is(&[Ddim, Ddpm, Euler, EulerAncestral, UniPc]) || consistency || multistep)
                && self.flag("rescale_betas_zero_snr", false)?,
            prediction_type: self.prediction_type()?,
            timestep_spacing: self.timestep_spacing(consistency)?,
            steps_offset: if consistency || self.kind == DpmSinglestep { 0 } else { self.integer("steps_offset", 0)? },
            clip_sample_range: if clips { Some(self.number("clip_sample_range", 1.0)?) } else { None },
            set_alpha_to_one: (self.is(&[Ddim, Pndm]) || consistency) && self.flag("set_alpha_to_one", self.kind != Pndm)?,
            variance: self.variance()?,
            skip_prk_steps: self.kind == Pndm && self.flag("skip_prk_steps", false)?,
            sigma_min: if self.is(&[Euler, UniPc]) { self.optional_number("sigma_min")? } else { None },
            sigma_max: if self.is(&[Euler, UniPc]) { self.optional_number("sigma_max")? } else { None },
            continuous_timesteps: self.kind == Euler
                && self.choice("timestep_type", false, &[("discrete", false), ("continuous", true)])?,
            final_sigma: if dpm || self.is(&[Euler, UniPc]) {
                self.choice("final_sigmas_type", FinalSigma::Zero, &[("zero", FinalSigma::Zero), ("sigma_min", FinalSigma::SigmaMin)])?
            } else {
                FinalSigma::Zero
            },
            solver_order: if solver { self.count("solver_order", 2)? } else { 1 },
            algorithm,
            solver_type: self.solver_type(dpm)?,
            lower_order_final: solver && self.flag("lower_order_final", self.kind != DpmSinglestep)?,
            euler_at_final: multistep && self.flag("euler_at_final", false)?,
            lambda_min_clipped: if dpm { self.number("lambda_min_clipped", f64::NEG_INFINITY)? } else { f64::NEG_INFINITY },
            predict_x0: self.kind == UniPc && self.flag("predict_x0", true)?,
            disable_corrector: if self.kind == UniPc { self.indices("disable_corrector")? } else { Vec::new() },
            original_inference_steps: if consistency { self.count("original_inference_steps", 50)? } else { 1 },
            timestep_scaling: if self.kind == Lcm { self.number("timestep_scaling", 10.0)? } else { 10.0 },
            tcd_eta: 0.3,
        })
    }

    fn is(&self, kinds: &[SchedulerKind]) -> bool {
        kinds.contains(&self.kind)
    }

    fn beta_schedule(&self, consistency: bool) -> Result<BetaSchedule> {
        let mut known = vec![
            ("linear", BetaSchedule::Linear),
            ("scaled_linear", BetaSchedule::ScaledLinear),
            ("squaredcos_cap_v2", BetaSchedule::SquaredCosCapV2),
        ];
        if self.kind == SchedulerKind::Ddpm {
            known.extend([("sigmoid", BetaSchedule::Sigmoid), ("laplace", BetaSchedule::Laplace)]);
        }
        if self.kind == SchedulerKind::Heun {
            known.push(("exp", BetaSchedule::Exponential));
        }
        self.choice("beta_schedule", if consistency { BetaSchedule::ScaledLinear } else { BetaSchedule::Linear }, &known)
    }

    fn prediction_type(&self) -> Result<PredictionType> {
        let mut known = vec![("epsilon", PredictionType::Epsilon), ("v_prediction", PredictionType::VPrediction)];
        if !self.is(&[SchedulerKind::Pndm, SchedulerKind::EulerAncestral]) {
            known.push(("sample", PredictionType::Sample));
        }
        if self.kind == SchedulerKind::Euler {
            known.push(("original_sample", PredictionType::Sample));
        }
        self.choice("prediction_type", PredictionType::Epsilon, &known)
    }

    fn timestep_spacing(&self, consistency: bool) -> Result<TimestepSpacing> {
        if consistency || self.kind == SchedulerKind::DpmSinglestep {
            // LCM and TCD carry the key and never look at it; the single-step solver doesn't have it.
            return Ok(TimestepSpacing::Linspace);
        }
        let leads = self.is(&[SchedulerKind::Ddim, SchedulerKind::Ddpm, SchedulerKind::Pndm]);
        let known =
            [("leading", TimestepSpacing::Leading), ("linspace", TimestepSpacing::Linspace), ("trailing", TimestepSpacing::Trailing)];
        self.choice("timestep_spacing", if leads { TimestepSpacing::Leading } else { TimestepSpacing::Linspace }, &known)
    }

    fn variance(&self) -> Result<DdpmVariance> {
        if self.kind != SchedulerKind::Ddpm {
            return Ok(DdpmVariance::FixedSmall);
        }
        let known = [
            ("fixed_small", DdpmVariance::FixedSmall),
            ("fixed_small_log", DdpmVariance::FixedSmallLog),
            ("fixed_large", DdpmVariance::FixedLarge),
        ];
        self.choice("variance_type", DdpmVariance::FixedSmall, &known)
    }

    fn algorithm(&self, dpm: bool) -> Result<DpmAlgorithm> {
        let plus = DpmAlgorithm::DpmPlusPlus;
        let mut known = vec![("dpmsolver", DpmAlgorithm::Dpm), ("dpmsolver++", plus), ("deis", plus)];
        if self.kind == SchedulerKind::Deis {
            // DEIS takes the plain solvers' names for its own and has no other.
            known = known.into_iter().map(|(name, _)| (name, plus)).collect();
            return self.choice("algorithm_type", plus, &known);
        }
        if !dpm {
            return Ok(plus);
        }
        known.push(("sde-dpmsolver++", DpmAlgorithm::SdeDpmPlusPlus));
        if self.kind != SchedulerKind::DpmSinglestep {
            known.push(("sde-dpmsolver", DpmAlgorithm::SdeDpm));
        }
        self.choice("algorithm_type", plus, &known)
    }

    /// A solver type of another solver stands for this one's default.
    fn solver_type(&self, dpm: bool) -> Result<SolverType> {
        use SolverType::{Bh1, Bh2, Heun, LogRho, Midpoint};
        let known =
            |midpoint, heun, bh1, bh2, logrho| [("midpoint", midpoint), ("heun", heun), ("bh1", bh1), ("bh2", bh2), ("logrho", logrho)];
        if dpm {
            self.choice("solver_type", Midpoint, &known(Midpoint, Heun, Midpoint, Midpoint, Midpoint))
        } else if self.kind == SchedulerKind::UniPc {
            self.choice("solver_type", Bh2, &known(Bh2, Bh2, Bh1, Bh2, Bh2))
        } else if self.kind == SchedulerKind::Deis {
            self.choice("solver_type", LogRho, &known(LogRho, LogRho, LogRho, LogRho, LogRho))
        } else {
            Ok(Midpoint)
        }
    }

    fn sigma_schedule(&self, suffix: Option<SigmaSchedule>) -> Result<Option<SigmaSchedule>> {
        if !self.kind.has_sigma_schedules() {
            return match suffix {
                Some(sigmas) => {
                    let reason = format!("{} has no {} sigmas", self.kind.class_name(), sigmas.as_str());
                    Err(Error::Params { field: "scheduler", reason })
                }
                None => Ok(None),
            };
        }
        let mut found = None;
        for sigmas in SigmaSchedule::ALL {
            let key = match sigmas {
                SigmaSchedule::Karras => "use_karras_sigmas",
                SigmaSchedule::Exponential => "use_exponential_sigmas",
                SigmaSchedule::Beta => "use_beta_sigmas",
            };
            if self.flag(key, false)? && found.replace(sigmas).is_some() && suffix.is_none() {
                return Err(self.refuse(key, "only one of the use_*_sigmas keys can be true"));
            }
        }
        Ok(suffix.or(found))
    }

    fn get(&self, key: &str) -> Option<&'a Value> {
        self.map.get(key).filter(|_| !self.defaulted.contains(&key))
    }

    fn refuse(&self, key: &str, reason: impl std::fmt::Display) -> Error {
        Error::config(FILE, key, format!("{}: {reason}", self.kind.class_name()))
    }

    fn number(&self, key: &str, default: f64) -> Result<f64> {
        Ok(self.optional_number(key)?.unwrap_or(default))
    }

    /// A number; Python's infinities may stand as texts, for JSON has none.
    fn optional_number(&self, key: &str) -> Result<Option<f64>> {
        match self.get(key) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) if text.eq_ignore_ascii_case("-infinity") || text.eq_ignore_ascii_case("-inf") => {
                Ok(Some(f64::NEG_INFINITY))
            }
            Some(value) => value.as_f64().map(Some).ok_or_else(|| self.refuse(key, format!("expected a number, found {value}"))),
        }
    }

    fn integer(&self, key: &str, default: i64) -> Result<i64> {
        self.get(key)
            .map_or(Ok(default), |value| value.as_i64().ok_or_else(|| self.refuse(key, format!("expected a whole number, found {value}"))))
    }

    fn count(&self, key: &str, default: usize) -> Result<usize> {
        let value = self.integer(key, i64::try_from(default).unwrap_or(i64::MAX))?;
        usize::try_from(value).map_err(|_| self.refuse(key, format!("expected a whole number from 0, found {value}")))
    }

    /// A truth value; null is false, as in Python.
    fn flag(&self, key: &str, default: bool) -> Result<bool> {
        match self.get(key) {
            None => Ok(default),
            Some(Value::Null) => Ok(false),
            Some(value) => value.as_bool().ok_or_else(|| self.refuse(key, format!("expected true or false, found {value}"))),
        }
    }

    fn refuse_flag(&self, key: &str) -> Result<()> {
        if self.flag(key, false)? { Err(self.refuse(key, "unsupported value true")) } else { Ok(()) }
    }

    fn refuse_unless_null(&self, key: &str) -> Result<()> {
        match self.get(key) {
            None | Some(Value::Null) => Ok(()),
            Some(value) => Err(self.refuse(key, format!("unsupported value {value}, only null is"))),
        }
    }

    fn choice<T: Copy>(&self, key: &str, default: T, known: &[(&str, T)]) -> Result<T> {
        let Some(value) = self.get(key) else { return Ok(default) };
        let found = value.as_str().and_then(|text| known.iter().find(|(name, _)| *name == text));
        found.map(|&(_, choice)| choice).ok_or_else(|| {
            let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
            self.refuse(key, format!("unsupported value {value}, known are {}", names.join(", ")))
        })
    }

    fn trained_betas(&self) -> Result<Option<Vec<f32>>> {
        let refuse = || self.refuse("trained_betas", "expected null or numbers");
        match self.get("trained_betas") {
            None | Some(Value::Null) => Ok(None),
            Some(value) => {
                let values = value.as_array().ok_or_else(refuse)?;
                values.iter().map(|value| value.as_f64().map(|beta| beta as f32).ok_or_else(refuse)).collect::<Result<_>>().map(Some)
            }
        }
    }

    fn indices(&self, key: &str) -> Result<Vec<usize>> {
        let refuse = || self.refuse(key, "expected step indices");
        let index = |value: &Value| value.as_u64().and_then(|index| usize::try_from(index).ok()).ok_or_else(refuse);
        match self.get(key) {
            None | Some(Value::Null) => Ok(Vec::new()),
            Some(value) => value.as_array().ok_or_else(refuse)?.iter().map(index).collect(),
        }
    }
}
