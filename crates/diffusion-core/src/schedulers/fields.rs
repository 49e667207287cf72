//! The keys of a scheduler_config.json as one scheduler class reads them.
//!
//! Must not know how a scheduler computes. Invariant: it behaves as diffusers' `Class.from_config(file)`: a key of the class's signature is
//! kept, an absent one takes that class's default, a key that the class doesn't have is ignored. A value that this crate doesn't implement
//! is refused by name. Reference: `configuration_utils.py` and the `__init__` of each scheduler class.

use serde_json::{Map, Value};

use super::{
    SchedulerKind, SchedulerName, SigmaSchedule,
    config::{BetaSchedule, DdpmVariance, DpmAlgorithm, FinalSigma, PredictionType, SchedulerConfig, SolverType, TimestepSpacing},
};
use crate::{Error, Result};

/// The file that every error about a configuration names.
pub(super) const FILE: &str = "scheduler/scheduler_config.json";

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
pub(super) struct Fields<'a> {
    map: &'a Map<String, Value>,
    /// Keys whose values in the file are only another class's defaults.
    defaulted: Vec<&'a str>,
    kind: SchedulerKind,
}

impl<'a> Fields<'a> {
    /// # Errors
    /// [`Error::Config`] if this is no JSON object, or if no kind is given and the file's class is unknown.
    pub(super) fn new(json: &'a Value, kind: Option<SchedulerKind>) -> Result<Self> {
        let map = json.as_object().ok_or_else(|| Error::config(FILE, "(root)", "expected a JSON object"))?;
        let kind = match kind {
            Some(kind) => kind,
            None => kind_of_class(map)?,
        };
        let defaulted = map.get("_use_default_values").and_then(Value::as_array);
        let defaulted = defaulted.into_iter().flatten().filter_map(Value::as_str).collect();
        Ok(Self { map, defaulted, kind })
    }

    /// All settings; the name's suffix sets its `use_*_sigmas`, and "dpmpp-2m-sde" its algorithm.
    pub(super) fn read(&self, name: Option<SchedulerName>) -> Result<SchedulerConfig> {
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
        let sde = name.is_some_and(|name| name.kind == DpmMultistepSde);
        let algorithm = if sde { DpmAlgorithm::SdeDpmPlusPlus } else { self.algorithm(dpm)? };
        let kind = match (multistep, algorithm.is_stochastic()) {
            (true, true) => DpmMultistepSde,
            (true, false) => DpmMultistep,
            (false, _) => self.kind,
        };
        Ok(SchedulerConfig {
            name: SchedulerName { kind, sigmas: self.sigma_schedule(name.and_then(|name| name.sigmas))? },
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
            } else if self.kind == Deis {
                FinalSigma::SigmaMin
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
            return Ok(DdpmVariance::Small);
        }
        let known =
            [("fixed_small", DdpmVariance::Small), ("fixed_small_log", DdpmVariance::SmallLog), ("fixed_large", DdpmVariance::Large)];
        self.choice("variance_type", DdpmVariance::Small, &known)
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
