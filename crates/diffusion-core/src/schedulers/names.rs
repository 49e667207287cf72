//! The names of the schedulers, as a request gives them: a kind and, for some kinds, a sigma schedule as a suffix.
//!
//! Knows nothing of what a scheduler does. Invariant: every name of [`SchedulerName::all`] parses back to itself.

use std::{fmt, str::FromStr};

use super::aliases;
use crate::Error;

/// Which scheduler: one diffusers class each, but for the two forms of its multistep DPM solver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SchedulerKind {
    /// `DDIMScheduler`.
    Ddim,
    /// `DDPMScheduler`.
    Ddpm,
    /// `PNDMScheduler`.
    Pndm,
    /// `LMSDiscreteScheduler`.
    Lms,
    /// `EulerDiscreteScheduler`.
    Euler,
    /// `EulerAncestralDiscreteScheduler`.
    EulerAncestral,
    /// `HeunDiscreteScheduler`.
    Heun,
    /// `DPMSolverMultistepScheduler`.
    DpmMultistep,
    /// `DPMSolverMultistepScheduler` with `algorithm_type="sde-dpmsolver++"`.
    DpmMultistepSde,
    /// `DPMSolverSinglestepScheduler`.
    DpmSinglestep,
    /// `UniPCMultistepScheduler`.
    UniPc,
    /// `DEISMultistepScheduler`.
    Deis,
    /// `LCMScheduler`.
    Lcm,
    /// `TCDScheduler`.
    Tcd,
}

impl SchedulerKind {
    /// Every kind.
    pub const ALL: [Self; 14] = [
        Self::Ddim,
        Self::Ddpm,
        Self::Pndm,
        Self::Lms,
        Self::Euler,
        Self::EulerAncestral,
        Self::Heun,
        Self::DpmMultistep,
        Self::DpmMultistepSde,
        Self::DpmSinglestep,
        Self::UniPc,
        Self::Deis,
        Self::Lcm,
        Self::Tcd,
    ];

    /// The name without a suffix: "euler-ancestral".
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ddim => "ddim",
            Self::Ddpm => "ddpm",
            Self::Pndm => "pndm",
            Self::Lms => "lms",
            Self::Euler => "euler",
            Self::EulerAncestral => "euler-ancestral",
            Self::Heun => "heun",
            Self::DpmMultistep => "dpmpp-2m",
            Self::DpmMultistepSde => "dpmpp-2m-sde",
            Self::DpmSinglestep => "dpmpp-2s",
            Self::UniPc => "unipc",
            Self::Deis => "deis",
            Self::Lcm => "lcm",
            Self::Tcd => "tcd",
        }
    }

    /// The diffusers class, as `_class_name` of a scheduler_config.json gives it.
    pub fn class_name(self) -> &'static str {
        match self {
            Self::Ddim => "DDIMScheduler",
            Self::Ddpm => "DDPMScheduler",
            Self::Pndm => "PNDMScheduler",
            Self::Lms => "LMSDiscreteScheduler",
            Self::Euler => "EulerDiscreteScheduler",
            Self::EulerAncestral => "EulerAncestralDiscreteScheduler",
            Self::Heun => "HeunDiscreteScheduler",
            Self::DpmMultistep | Self::DpmMultistepSde => "DPMSolverMultistepScheduler",
            Self::DpmSinglestep => "DPMSolverSinglestepScheduler",
            Self::UniPc => "UniPCMultistepScheduler",
            Self::Deis => "DEISMultistepScheduler",
            Self::Lcm => "LCMScheduler",
            Self::Tcd => "TCDScheduler",
        }
    }

    /// The `eta` of a request that names none, where the scheduler takes one: the share of fresh noise in its steps.
    ///
    /// diffusers' pipelines hand 0 to every class whose `step` has an `eta`. Its ancestral class has none; there, as k-diffusion's
    /// `get_ancestral_step` has it, 1 is the whole noise of an ancestral step, and 0 makes it Euler's.
    pub fn default_eta(self) -> Option<f64> {
        match self {
            Self::Ddim | Self::Tcd => Some(0.0),
            Self::EulerAncestral => Some(1.0),
            Self::Ddpm
            | Self::Pndm
            | Self::Lms
            | Self::Euler
            | Self::Heun
            | Self::DpmMultistep
            | Self::DpmMultistepSde
            | Self::DpmSinglestep
            | Self::UniPc
            | Self::Deis
            | Self::Lcm => None,
        }
    }

    /// The names of the kinds that take an `eta`.
    pub fn with_eta() -> Vec<&'static str> {
        Self::ALL.into_iter().filter(|kind| kind.default_eta().is_some()).map(Self::as_str).collect()
    }

    /// Whether the class has `use_karras_sigmas`, `use_exponential_sigmas` and `use_beta_sigmas`; all of them or none.
    pub fn has_sigma_schedules(self) -> bool {
        match self {
            Self::Lms
            | Self::Euler
            | Self::Heun
            | Self::DpmMultistep
            | Self::DpmMultistepSde
            | Self::DpmSinglestep
            | Self::UniPc
            | Self::Deis => true,
            Self::Ddim | Self::Ddpm | Self::Pndm | Self::EulerAncestral | Self::Lcm | Self::Tcd => false,
        }
    }
}

/// How the noise levels of a run are spaced between the largest and the smallest, instead of by the timesteps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SigmaSchedule {
    /// Karras et al. 2022, equation 5, rho 7.
    Karras,
    /// Evenly in the logarithm.
    Exponential,
    /// By the quantiles of the beta distribution B(0.6, 0.6).
    Beta,
}

impl SigmaSchedule {
    /// Every schedule.
    pub const ALL: [Self; 3] = [Self::Karras, Self::Exponential, Self::Beta];

    /// The suffix without its dash.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Karras => "karras",
            Self::Exponential => "exponential",
            Self::Beta => "beta",
        }
    }
}

/// A scheduler's full name: "euler", "dpmpp-2m-karras".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SchedulerName {
    /// The kind.
    pub kind: SchedulerKind,
    /// The suffix; none leaves the choice to the model's own scheduler_config.json.
    pub sigmas: Option<SigmaSchedule>,
}

impl SchedulerName {
    /// Every name, kind by kind, the plain one first.
    pub fn all() -> Vec<Self> {
        let suffixes = |kind: SchedulerKind| SigmaSchedule::ALL.into_iter().filter(move |_| kind.has_sigma_schedules()).map(Some);
        let names = |kind| std::iter::once(None).chain(suffixes(kind)).map(move |sigmas| Self { kind, sigmas });
        SchedulerKind::ALL.into_iter().flat_map(names).collect()
    }
}

impl From<SchedulerKind> for SchedulerName {
    fn from(kind: SchedulerKind) -> Self {
        Self { kind, sigmas: None }
    }
}

impl fmt::Display for SchedulerName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.kind.as_str())?;
        self.sigmas.map_or(Ok(()), |sigmas| write!(formatter, "-{}", sigmas.as_str()))
    }
}

impl FromStr for SchedulerName {
    type Err = Error;

    /// Reads a name in whichever spelling: our own, diffusers' class, or what AUTOMATIC1111, ComfyUI and others call it (`aliases.rs`).
    ///
    /// # Errors
    /// [`Error::Params`] with the nearest name and all known ones, if this is none of them.
    fn from_str(text: &str) -> Result<Self, Error> {
        aliases::understood(text).ok_or_else(|| {
            let known: Vec<String> = Self::all().iter().map(ToString::to_string).collect();
            let nearest = Self::nearest(text).map(|name| format!("the nearest is \"{name}\"; ")).unwrap_or_default();
            Error::Params { field: "scheduler", reason: format!("unknown scheduler {text:?}; {nearest}known are {}", known.join(", ")) }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_parses_back_to_itself() {
        let all = SchedulerName::all();
        assert_eq!(all.len(), 14 + 8 * 3);
        for name in all {
            assert_eq!(name.to_string().parse::<SchedulerName>().ok(), Some(name));
        }
    }

    #[test]
    fn an_unknown_name_is_answered_with_the_known_ones() {
        for text in ["", "Eular", "ddim-karras", "dpmpp-3m"] {
            let message = text.parse::<SchedulerName>().map_or_else(|error| error.to_string(), |known| known.to_string());
            assert!(message.contains(&format!("{text:?}")) && message.contains("dpmpp-2m-sde-karras"), "{message}");
        }
    }
}
