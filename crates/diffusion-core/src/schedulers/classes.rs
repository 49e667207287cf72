//! The settings that each scheduler class reads from a model's scheduler file.
//!
//! This module must not depend on how a scheduler computes. Invariant: it matches diffusers' `Class.from_config(config)` and the run after
//! it: a key is read where the class uses it and interpreted as the class does; an absent one takes that class's default; all others are
//! ignored. A value that is not implemented is refused, and the error names the key. Reference: the `__init__`, `set_timesteps` and `step`
//! of each scheduler class.

use serde_json::Value;

use super::{
    SchedulerKind, SchedulerName, SigmaSchedule,
    config::{BetaSchedule, DdpmVariance, DpmAlgorithm, FinalSigma, PredictionType, SchedulerConfig, SolverType, TimestepSpacing},
    fields::Fields,
    file::SchedulerFile,
    latents::Bound,
};
use crate::{Error, Result};

impl SchedulerConfig {
    /// Reads all settings; the name's suffix sets its `use_*_sigmas`, and "dpmpp-2m-sde" its algorithm.
    pub(super) fn read(file: &SchedulerFile, name: Option<SchedulerName>) -> Result<Self> {
        let kind = match name {
            Some(name) => name.kind,
            None => file.own_kind()?,
        };
        let config = Fields { file, kind, is_own: name.is_none() }.read(name)?;
        config.check()?;
        Ok(config)
    }
}

impl Fields<'_> {
    fn read(&self, name: Option<SchedulerName>) -> Result<SchedulerConfig> {
        use SchedulerKind::{
            Ddim, Ddpm, Deis, DpmMultistep, DpmMultistepSde, DpmSinglestep, Euler, EulerAncestral, Heun, Lcm, Pndm, Tcd, UniPc,
        };
        let consistency = self.is(&[Lcm, Tcd]);
        let multistep = self.is(&[DpmMultistep, DpmMultistepSde]);
        let dpm = multistep || self.kind == DpmSinglestep;
        let solver = dpm || self.is(&[UniPc, Deis]);
        let prediction_type = self.prediction_type()?;
        let sigmas = self.sigma_schedule(name.and_then(|name| name.sigmas))?;
        if solver {
            self.refuse_flag("use_flow_sigmas")?;
        }
        if multistep && sigmas != Some(SigmaSchedule::Karras) {
            self.refuse_flag("use_lu_lambdas")?;
        }
        if dpm && prediction_type == PredictionType::Epsilon {
            self.refuse_learned_variance()?;
        }
        if self.kind == UniPc {
            self.refuse_flag("use_dynamic_shifting")?;
            self.refuse_what_unipc_lacks()?;
        }
        if self.kind == Euler {
            self.choice("interpolation_type", (), &[("linear", ())])?;
        }
        let trained_betas = self.numbers("trained_betas")?;
        let beta_schedule = match trained_betas {
            None => self.beta_schedule(consistency)?,
            Some(_) => BetaSchedule::Linear,
        };
        let ranges = trained_betas.is_none() && beta_schedule.has_range();
        let beta = |key, default| if ranges { self.number(key, default) } else { Ok(default) };
        let (beta_start, beta_end) = if consistency || self.kind == Heun { (0.000_85, 0.012) } else { (0.0001, 0.02) };
        let sde = name.is_some_and(|name| name.kind == DpmMultistepSde);
        let algorithm = if sde { DpmAlgorithm::SdeDpmPlusPlus } else { self.algorithm(dpm)? };
        let kind = match (multistep, algorithm.is_stochastic()) {
            (true, true) => DpmMultistepSde,
            (true, false) => DpmMultistep,
            (false, _) => self.kind,
        };
        let timestep_spacing = self.timestep_spacing(consistency)?;
        let predict_x0 = self.kind == UniPc && self.flag("predict_x0", true)?;
        let limits_sigmas = sigmas.is_some_and(|sigmas| (self.kind, sigmas) != (SchedulerKind::Lms, SigmaSchedule::Karras));
        let limit = |key| if limits_sigmas { self.optional_number(key) } else { Ok(None) };
        Ok(SchedulerConfig {
            name: SchedulerName { kind, sigmas },
            num_train_timesteps: self.count("num_train_timesteps", 1000)?,
            beta_start: beta("beta_start", beta_start)?,
            beta_end: beta("beta_end", beta_end)?,
            // Whether Karras' timesteps are rounded depends on this key, whether or not the betas use it.
            is_cosine: self.get("beta_schedule").and_then(Value::as_str) == Some("squaredcos_cap_v2"),
            beta_schedule,
            trained_betas,
            rescale_betas_zero_snr: (self.is(&[Ddim, Ddpm, Euler, EulerAncestral, UniPc]) || consistency || multistep)
                && self.flag("rescale_betas_zero_snr", false)?,
            prediction_type,
            timestep_spacing,
            steps_offset: if timestep_spacing == TimestepSpacing::Leading { self.integer("steps_offset", 0)? } else { 0 },
            bound: self.bound(solver && (self.kind != UniPc || predict_x0))?,
            set_alpha_to_one: (self.is(&[Ddim, Pndm]) || consistency) && self.flag("set_alpha_to_one", self.kind != Pndm)?,
            variance: self.variance()?,
            skip_prk_steps: self.kind == Pndm && self.flag("skip_prk_steps", false)?,
            sigma_min: limit("sigma_min")?,
            sigma_max: limit("sigma_max")?,
            continuous_timesteps: self.kind == Euler && self.get("timestep_type").and_then(Value::as_str) == Some("continuous"),
            final_sigma: if dpm || self.is(&[Euler, UniPc]) {
                self.choice("final_sigmas_type", FinalSigma::Zero, &[("zero", FinalSigma::Zero), ("sigma_min", FinalSigma::SigmaMin)])?
            } else if self.kind == Deis {
                FinalSigma::SigmaMin
            } else {
                FinalSigma::Zero
            },
            solver_order: match (solver, self.count("solver_order", 2)) {
                (false, _) => 1,
                // These two use at most the third order.
                (true, Ok(order)) if multistep || self.kind == Deis => order.min(3),
                (true, order) => order?,
            },
            algorithm,
            solver_type: self.solver_type(dpm)?,
            lower_order_final: solver && self.flag("lower_order_final", self.kind != DpmSinglestep)?,
            euler_at_final: multistep && self.flag("euler_at_final", false)?,
            lambda_min_clipped: if dpm { self.number("lambda_min_clipped", f64::NEG_INFINITY)? } else { f64::NEG_INFINITY },
            predict_x0,
            disable_corrector: if self.kind == UniPc { self.indices("disable_corrector")? } else { Vec::new() },
            original_inference_steps: if consistency { self.count("original_inference_steps", 50)? } else { 1 },
            timestep_scaling: if self.kind == Lcm { self.number("timestep_scaling", 10.0)? } else { 10.0 },
            // The default of TCD's `step`; the pipelines pass 0, as to the others.
            eta: if self.kind == Tcd { 0.3 } else { self.kind.default_eta().unwrap_or(0.0) },
        })
    }

    /// Refuses models that predict their variance too, from which the DPM solvers take half of the output's channels.
    fn refuse_learned_variance(&self) -> Result<()> {
        match self.get("variance_type").and_then(Value::as_str) {
            Some(learned @ ("learned" | "learned_range")) => Err(self.refuse("variance_type", format!("unsupported value {learned:?}"))),
            Some(_) | None => Ok(()),
        }
    }

    fn refuse_what_unipc_lacks(&self) -> Result<()> {
        let is_false =
            |value: &Value| matches!(value, Value::Null | Value::Bool(false)) || value.as_object().is_some_and(serde_json::Map::is_empty);
        if let Some(value) = self.get("solver_p").filter(|value| !is_false(value)) {
            return Err(self.refuse("solver_p", format!("unsupported value {value}, only null is")));
        }
        match self.get("shift_terminal").filter(|value| !value.is_null()) {
            Some(value) => Err(self.refuse("shift_terminal", format!("unsupported value {value}, only null is"))),
            None => Ok(()),
        }
    }

    /// The bound of clean predictions; `thresholds` if the class is a solver with the key `thresholding`.
    fn bound(&self, thresholds: bool) -> Result<Bound> {
        use SchedulerKind::{Ddim, Ddpm, Heun, Lcm};
        if (thresholds || self.is(&[Ddim, Ddpm, Lcm])) && self.flag("thresholding", false)? {
            let ratio = self.number("dynamic_thresholding_ratio", 0.995)?;
            if !(0.0..=1.0).contains(&ratio) {
                return Err(self.refuse("dynamic_thresholding_ratio", format!("{ratio} is not within 0 and 1")));
            }
            // Null means no limit.
            let max = if self.get("sample_max_value").is_none() { Some(1.0) } else { self.optional_number("sample_max_value")? };
            return Ok(Bound::Threshold { ratio, max: max.unwrap_or(f64::INFINITY) });
        }
        let clips = self.is(&[Ddim, Ddpm, Heun, Lcm]) && self.flag("clip_sample", self.is(&[Ddim, Ddpm]))?;
        Ok(if clips { Bound::Clip(self.number("clip_sample_range", 1.0)?) } else { Bound::None })
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
            // LCM and TCD have the key but never use it; the single-step solver does not have it.
            return Ok(TimestepSpacing::Linspace);
        }
        let leads = self.is(&[SchedulerKind::Ddim, SchedulerKind::Ddpm, SchedulerKind::Pndm]);
        let known =
            [("leading", TimestepSpacing::Leading), ("linspace", TimestepSpacing::Linspace), ("trailing", TimestepSpacing::Trailing)];
        self.choice("timestep_spacing", if leads { TimestepSpacing::Leading } else { TimestepSpacing::Linspace }, &known)
    }

    /// Any other name, and null, means the same as "fixed_small".
    fn variance(&self) -> Result<DdpmVariance> {
        if self.kind != SchedulerKind::Ddpm {
            return Ok(DdpmVariance::Small);
        }
        match self.get("variance_type").and_then(Value::as_str) {
            Some("fixed_large") => Ok(DdpmVariance::Large),
            Some("fixed_small_log") => Ok(DdpmVariance::SmallLog),
            // diffusers takes the square root of a negative logarithm for the first; the others are for models that predict their variance.
            Some(other @ ("fixed_large_log" | "learned" | "learned_range")) => {
                Err(self.refuse("variance_type", format!("unsupported value {other:?}")))
            }
            Some(_) | None => Ok(DdpmVariance::Small),
        }
    }

    fn algorithm(&self, dpm: bool) -> Result<DpmAlgorithm> {
        let plus = DpmAlgorithm::DpmPlusPlus;
        let mut known = vec![("dpmsolver", DpmAlgorithm::Dpm), ("dpmsolver++", plus), ("deis", plus)];
        if self.kind == SchedulerKind::Deis {
            // DEIS treats the plain solvers' names as its own and supports no other.
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

    /// Another solver's type selects this solver's default.
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
}
