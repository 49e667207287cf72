//! Other programs' names for the schedulers: diffusers' classes, AUTOMATIC1111's and ComfyUI's samplers, InvokeAI's, Replicate's.
//!
//! This module does not depend on what a scheduler does. Invariant: a name is accepted only if it is exactly our method. DPM++ 2S a, DPM++
//! SDE, DPM2, DPM++ 3M and the like are other methods, so they are unknown here, and the error suggests the nearest name. Sources:
//! diffusers' table "Schedulers" (docs/source/en/api/schedulers/overview.md), AUTOMATIC1111's `sd_samplers_kdiffusion.py` (names, aliases,
//! and the schedule that "Automatic" selects), ComfyUI's `comfy/samplers.py`.

use super::{SchedulerKind, SchedulerName, SigmaSchedule};
use crate::Error;

/// Names are similar above this value (1: equal); below it, none is suggested.
const SIMILAR: f64 = 0.5;
/// Above this similarity a complete name counts as a misspelling of another.
const SLIP: f64 = 0.85;

/// Normalized aliases of kinds, besides the kinds' own names.
const KINDS: [(&str, SchedulerKind); 14] = [
    ("plms", SchedulerKind::Pndm),
    ("lmsdiscrete", SchedulerKind::Lms),
    ("eulerdiscrete", SchedulerKind::Euler),
    ("eulera", SchedulerKind::EulerAncestral),
    ("eulerancestraldiscrete", SchedulerKind::EulerAncestral),
    ("heundiscrete", SchedulerKind::Heun),
    ("dpmsolvermultistep", SchedulerKind::DpmMultistep),
    ("dpmsolverpp", SchedulerKind::DpmMultistep),
    ("dpmpp2msdegpu", SchedulerKind::DpmMultistepSde),
    ("sdedpmsolverpp", SchedulerKind::DpmMultistepSde),
    ("dpmsolversinglestep", SchedulerKind::DpmSinglestep),
    ("unipcmultistep", SchedulerKind::UniPc),
    // The variant that diffusers' class runs unless its file says otherwise.
    ("unipcbh2", SchedulerKind::UniPc),
    ("deismultistep", SchedulerKind::Deis),
];

/// Suffixes of a kind that select a schedule: whole words, A1111's aliases (`k_dpmpp_2m_ka`) and InvokeAI's (`dpmpp_2m_k`).
const SUFFIXES: [(&str, SigmaSchedule); 6] = [
    ("karras", SigmaSchedule::Karras),
    ("exponential", SigmaSchedule::Exponential),
    ("beta", SigmaSchedule::Beta),
    ("exp", SigmaSchedule::Exponential),
    ("ka", SigmaSchedule::Karras),
    ("k", SigmaSchedule::Karras),
];

/// The schedules that "Automatic" selects in AUTOMATIC1111 1.9 and later, where it is not the plain one.
const AUTOMATIC: [(SchedulerKind, SigmaSchedule); 2] =
    [(SchedulerKind::DpmMultistep, SigmaSchedule::Karras), (SchedulerKind::DpmMultistepSde, SigmaSchedule::Exponential)];

/// Lower case without separators: "DPM++ 2M Karras" and "dpmpp_2m_karras" both become "dpmpp2mkarras".
fn normalized(text: &str) -> String {
    text.to_lowercase().replace("++", "pp").chars().filter(|character| character.is_alphanumeric()).collect()
}

fn similarity(a: &str, b: &str) -> f64 {
    strsim::normalized_damerau_levenshtein(a, b)
}

fn kind(name: &str) -> Option<SchedulerKind> {
    let name = name.strip_suffix("scheduler").unwrap_or(name);
    let known = |name: &str| {
        let own = SchedulerKind::ALL.into_iter().find(|kind| normalized(kind.as_str()) == name);
        own.or_else(|| KINDS.into_iter().find(|(alias, _)| *alias == name).map(|(_, kind)| kind))
    };
    // k-diffusion's samplers: `k_euler`, `KLMS`.
    known(name).or_else(|| known(name.strip_prefix('k')?))
}

/// Parses a scheduler's name in any of the vocabularies; `None` if it is not one of ours.
pub(super) fn parse_name(text: &str) -> Option<SchedulerName> {
    let name = normalized(text);
    if let Some(kind) = kind(&name) {
        return Some(kind.into());
    }
    SUFFIXES.into_iter().find_map(|(suffix, sigmas)| {
        let kind = kind(name.strip_suffix(suffix)?)?;
        kind.has_sigma_schedules().then_some(SchedulerName { kind, sigmas: Some(sigmas) })
    })
}

impl SchedulerName {
    /// The name most similar to a misspelt or foreign one; `None` if no name is similar.
    pub fn nearest(text: &str) -> Option<Self> {
        let name = normalized(text);
        if let Some((_, sigmas)) = SUFFIXES.into_iter().find(|(schedule, _)| *schedule == name) {
            // A schedule alone needs a kind in front of it.
            return Some(Self { kind: SchedulerKind::DpmMultistep, sigmas: Some(sigmas) });
        }
        // A long text resembles no name, and comparing it would take long.
        if name.chars().nth(64).is_some() {
            return None;
        }
        // Compare either the kind, without the schedule's suffix, or the complete name with a letter or two wrong.
        let (base, sigmas) = SigmaSchedule::ALL
            .into_iter()
            .find_map(|sigmas| Some((name.strip_suffix(sigmas.as_str())?, Some(sigmas))))
            .unwrap_or((name.as_str(), None));
        let with_sigmas = |kind: SchedulerKind| Self { kind, sigmas: sigmas.filter(|_| kind.has_sigma_schedules()) };
        let own = SchedulerKind::ALL.into_iter().map(|kind| (normalized(kind.as_str()), kind));
        let aliases = KINDS.into_iter().map(|(alias, kind)| (alias.to_owned(), kind));
        let kinds = own.chain(aliases).map(|(known, kind)| (similarity(base, &known), with_sigmas(kind)));
        let slips = Self::all().into_iter().map(|known| (similarity(&name, &normalized(&known.to_string())), known));
        let likely = kinds.filter(|(similarity, _)| *similarity > SIMILAR).chain(slips.filter(|(similarity, _)| *similarity > SLIP));
        // The first of equals.
        likely.reduce(|best, next| if next.0 > best.0 { next } else { best }).map(|(_, name)| name)
    }

    /// Whether a text is the name of a schedule, which AUTOMATIC1111 and ComfyUI give besides a sampler's: "Karras", "sgm_uniform",
    /// "Automatic".
    pub fn is_schedule(text: &str) -> bool {
        Schedule::named(text).is_some()
    }

    /// The scheduler for a sampler's name and a schedule's, as in AUTOMATIC1111 (`sampler_name`, `scheduler`) and ComfyUI.
    ///
    /// # Errors
    /// [`Error::Params`] with the nearest name, if the sampler or the schedule is not one of ours, or they cannot be combined.
    pub fn of_sampler(sampler: &str, schedule: &str) -> Result<Self, Error> {
        let name: Self = sampler.parse()?;
        let refused = |reason: String| Error::Params { field: "scheduler", reason };
        let sigmas = match Schedule::named(schedule) {
            Some(Schedule::Plain) => None,
            Some(Schedule::Automatic) => {
                let automatic = AUTOMATIC.into_iter().find(|(kind, _)| *kind == name.kind).map(|(_, sigmas)| sigmas);
                name.sigmas.or(automatic)
            }
            Some(Schedule::Ours(sigmas)) => Some(sigmas),
            Some(Schedule::Foreign) | None => {
                let known: Vec<_> = SigmaSchedule::ALL.map(SigmaSchedule::as_str).to_vec();
                return Err(refused(format!("the schedule {schedule:?} is not implemented; known are {}", known.join(", "))));
            }
        };
        if sigmas.is_some() && !name.kind.has_sigma_schedules() {
            let kind = name.kind.as_str();
            return Err(refused(format!("{kind} has no schedule of its own to choose, such as {schedule:?}; the nearest is {kind:?}")));
        }
        Ok(Self { sigmas, ..name })
    }
}

/// Another program's name of a schedule.
enum Schedule {
    /// One of our suffixes.
    Ours(SigmaSchedule),
    /// Spaced by the timesteps.
    Plain,
    /// AUTOMATIC1111's word for its preferred schedule of the sampler.
    Automatic,
    /// One that is not implemented.
    Foreign,
}

impl Schedule {
    fn named(text: &str) -> Option<Self> {
        let name = normalized(text);
        if let Some(sigmas) = SigmaSchedule::ALL.into_iter().find(|sigmas| sigmas.as_str() == name) {
            return Some(Self::Ours(sigmas));
        }
        match name.as_str() {
            "normal" | "uniform" => Some(Self::Plain),
            "automatic" => Some(Self::Automatic),
            "simple" | "sgmuniform" | "ddimuniform" | "polyexponential" | "kloptimal" | "alignyoursteps" | "aysgits" | "ays11steps"
            | "ays32steps" | "alignyourstepsgits" | "alignyoursteps11" | "alignyoursteps32" | "linearquadratic" | "turbo" => {
                Some(Self::Foreign)
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> String {
        text.parse::<SchedulerName>().map_or_else(|error| error.to_string(), |name| name.to_string())
    }

    #[test]
    fn other_programs_names_select_the_same_methods() {
        for (text, name) in [
            // AUTOMATIC1111's samplers, and their aliases.
            ("DPM++ 2M", "dpmpp-2m"),
            ("DPM++ 2M Karras", "dpmpp-2m-karras"),
            ("DPM++ 2M SDE", "dpmpp-2m-sde"),
            ("DPM++ 2M SDE Karras", "dpmpp-2m-sde-karras"),
            ("DPM++ 2M SDE Exponential", "dpmpp-2m-sde-exponential"),
            ("Euler a", "euler-ancestral"),
            ("Euler", "euler"),
            ("LMS", "lms"),
            ("LMS Karras", "lms-karras"),
            ("Heun", "heun"),
            ("DDIM", "ddim"),
            ("PLMS", "pndm"),
            ("UniPC", "unipc"),
            ("LCM", "lcm"),
            ("k_euler", "euler"),
            ("k_euler_a", "euler-ancestral"),
            ("k_euler_ancestral", "euler-ancestral"),
            ("k_lms_ka", "lms-karras"),
            ("k_dpmpp_2m_ka", "dpmpp-2m-karras"),
            ("k_dpmpp_2m_sde_exp", "dpmpp-2m-sde-exponential"),
            // ComfyUI's samplers.
            ("euler_ancestral", "euler-ancestral"),
            ("dpmpp_2m", "dpmpp-2m"),
            ("dpmpp_2m_sde", "dpmpp-2m-sde"),
            ("dpmpp_2m_sde_gpu", "dpmpp-2m-sde"),
            ("ddpm", "ddpm"),
            ("deis", "deis"),
            ("uni_pc", "unipc"),
            ("uni_pc_bh2", "unipc"),
            // diffusers' classes.
            ("DPMSolverMultistepScheduler", "dpmpp-2m"),
            ("DPMSolverSinglestepScheduler", "dpmpp-2s"),
            ("EulerAncestralDiscreteScheduler", "euler-ancestral"),
            ("EulerDiscreteScheduler", "euler"),
            ("LMSDiscreteScheduler", "lms"),
            ("HeunDiscreteScheduler", "heun"),
            ("PNDMScheduler", "pndm"),
            ("DDPMScheduler", "ddpm"),
            ("DDIMScheduler", "ddim"),
            ("UniPCMultistepScheduler", "unipc"),
            ("DEISMultistepScheduler", "deis"),
            ("LCMScheduler", "lcm"),
            ("TCDScheduler", "tcd"),
            // Names of InvokeAI, Replicate and stable-diffusion.cpp, and our own in other spellings.
            ("dpmpp_2m_k", "dpmpp-2m-karras"),
            ("euler_k", "euler-karras"),
            ("K_EULER_ANCESTRAL", "euler-ancestral"),
            ("KLMS", "lms"),
            ("dpm++2m", "dpmpp-2m"),
            ("dpmpp_2m_karras", "dpmpp-2m-karras"),
            ("EULER-ANCESTRAL", "euler-ancestral"),
        ] {
            assert_eq!(parsed(text), name, "{text}");
        }
    }

    #[test]
    fn an_unknown_method_is_refused_with_the_nearest_name() {
        for (text, nearest) in [
            ("DPM++ 2S a", Some("dpmpp-2s")),
            ("DPM++ 2S a Karras", Some("dpmpp-2s-karras")),
            ("DPM++ SDE Karras", Some("dpmpp-2m-sde-karras")),
            ("DPM++ 3M SDE", Some("dpmpp-2m-sde")),
            ("DPM2 Karras", Some("dpmpp-2m-karras")),
            ("DPM++ 2M SDE Heun", Some("dpmpp-2m-sde")),
            ("KDPM2DiscreteScheduler", None),
            ("dpmpp_2s_ancestral", Some("euler-ancestral")),
            ("euler_cfg_pp", None),
            ("heunpp2", Some("heun")),
            ("ddim-karras", Some("ddim")),
            ("eular", Some("euler")),
            ("eular_a", Some("euler-ancestral")),
            ("dpmpp-2m-karas", Some("dpmpp-2m-karras")),
            ("karras", Some("dpmpp-2m-karras")),
            ("DPM fast", None),
            ("DPM adaptive", None),
            ("best", None),
            ("", None),
        ] {
            let message = parsed(text);
            assert!(message.contains(&format!("unknown scheduler {text:?}")) && message.contains("dpmpp-2m-sde-karras"), "{message}");
            let suggested = message.split("the nearest is \"").nth(1).and_then(|rest| rest.split('"').next());
            assert_eq!(suggested, nearest, "{text}");
        }
        assert_eq!([SchedulerName::nearest("best"), SchedulerName::nearest(&"x".repeat(1_000_000))], [None, None]);
    }

    #[test]
    fn a_sampler_and_a_schedule_select_one_scheduler() {
        let of = |sampler: &str, schedule: &str| {
            SchedulerName::of_sampler(sampler, schedule).map_or_else(|error| error.to_string(), |name| name.to_string())
        };
        for (sampler, schedule, name) in [
            ("DPM++ 2M", "Karras", "dpmpp-2m-karras"),
            // As AUTOMATIC1111 1.9 and later resolve it.
            ("DPM++ 2M", "Automatic", "dpmpp-2m-karras"),
            ("DPM++ 2M SDE", "Automatic", "dpmpp-2m-sde-exponential"),
            ("DPM++ 2M SDE Karras", "Automatic", "dpmpp-2m-sde-karras"),
            ("Euler a", "Automatic", "euler-ancestral"),
            ("dpmpp_2m", "karras", "dpmpp-2m-karras"),
            ("euler", "normal", "euler"),
            ("euler", "beta", "euler-beta"),
            ("lms", "exponential", "lms-exponential"),
        ] {
            assert_eq!(of(sampler, schedule), name, "{sampler} {schedule}");
        }
        assert!(of("euler", "sgm_uniform").contains("\"sgm_uniform\" is not implemented; known are karras, exponential, beta"));
        assert!(of("Euler a", "Karras").contains("the nearest is \"euler-ancestral\""));
        assert!(of("DPM++ 2S a", "Karras").contains("the nearest is \"dpmpp-2s\""));
        for (text, is) in [("Karras", true), ("SGM Uniform", true), ("normal", true), ("euler", false), ("", false)] {
            assert_eq!(SchedulerName::is_schedule(text), is, "{text}");
        }
    }
}
