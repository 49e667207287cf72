//! The names of the schedulers in a request: a kind and, for some kinds, a sigma schedule as a suffix.
//!
//! This module does not depend on what a scheduler does. Invariant: every name of [`SchedulerName::all`] parses back to itself.

use std::{fmt, str::FromStr};

use super::aliases;
use crate::Error;

/// The scheduler kinds: one diffusers class each, except for the two variants of its multistep DPM solver.
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

    /// The diffusers class, as in `_class_name` of a scheduler_config.json.
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

    /// The default `eta` of a request, if the scheduler has one: the share of fresh noise in its steps.
    ///
    /// diffusers' pipelines pass 0 to every class whose `step` has an `eta`. Its ancestral class has none; there, as in k-diffusion's
    /// `get_ancestral_step`, 1 is the full noise of an ancestral step, and 0 makes it the same as Euler.
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

    /// The names of the kinds with an `eta`.
    pub fn with_eta() -> Vec<&'static str> {
        Self::ALL.into_iter().filter(|kind| kind.default_eta().is_some()).map(Self::as_str).collect()
    }

    /// Whether the class has `use_karras_sigmas`, `use_exponential_sigmas` and `use_beta_sigmas`; it has all of them or none.
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

/// How the noise levels of a run are spaced between the largest and the smallest, instead of by timesteps.
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
    /// The suffix; `None` leaves the choice to the model's own scheduler_config.json.
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

    /// Parses a name in any spelling: our own, diffusers' class, or the name in AUTOMATIC1111, ComfyUI and others (`aliases.rs`).
    ///
    /// # Errors
    /// [`Error::Params`] with the nearest name and all known ones, if the name is unknown.
    fn from_str(text: &str) -> Result<Self, Error> {
        aliases::parse_name(text).ok_or_else(|| {
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
    fn an_unknown_name_is_refused_with_the_known_ones() {
        for text in ["", "Eular", "ddim-karras", "dpmpp-3m"] {
            let message = text.parse::<SchedulerName>().map_or_else(|error| error.to_string(), |known| known.to_string());
            assert!(message.contains(&format!("{text:?}")) && message.contains("dpmpp-2m-sde-karras"), "{message}");
        }
    }
}
