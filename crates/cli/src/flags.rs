//! Errors about a request's fields in the words of the command line: a person typed `--steps`, not `num_inference_steps`.
//!
//! It must not know any one command, but for what a prompt is there. The invariant: no field's name reaches a person who gave a flag; those
//! of a file of scenes keep theirs, which stand in that file.

use std::{borrow::Cow, sync::Arc};

use clap::{Command, CommandFactory as _};
use diffusion_core::{Error, schedulers::SchedulerName};
use generation::{BackendError, FieldError, Refusal, SubmitError};

use crate::{args::Cli, failure::Usage};

/// The flags of fields that are called otherwise; a prompt's flag differs from command to command.
const FLAGS: [(&str, &str); 12] = [
    ("hero_description", "--hero"),
    ("negative_prompt", "--negative"),
    ("num_inference_steps", "--steps"),
    ("guidance_scale", "--guidance"),
    ("mask_image", "--mask"),
    ("scenes", "--scene"),
    ("source", "--moving"),
    ("duration_per_scene", "--duration"),
    ("min_guidance_scale", "--min-guidance"),
    ("max_guidance_scale", "--max-guidance"),
    ("camera_motion", "--camera"),
    ("image", "IMAGE"),
];

/// The flag of a field, of a command whose prompt comes by `prompt`; a field that has none keeps its name.
fn flag<'a>(field: &'a str, prompt: &'a str) -> Cow<'a, str> {
    if field == "prompt" {
        return prompt.into();
    }
    if let Some((_, flag)) = FLAGS.iter().find(|(name, _)| *name == field) {
        return (*flag).into();
    }
    let own = field.replace('_', "-");
    let is_flag = Cli::command().get_subcommands().flat_map(Command::get_arguments).any(|flag| flag.get_long() == Some(&own));
    if is_flag { format!("--{own}").into() } else { field.into() }
}

/// All faults of a request, at the flags that they came by.
pub(crate) fn refused(errors: &[FieldError], prompt: &str) -> Usage {
    let faults: Vec<_> = errors.iter().map(|error| fault(error, prompt)).collect();
    Usage(faults.join("; "))
}

fn fault(error: &FieldError, prompt: &str) -> String {
    // A scene's own motion stands in a file, under its own names.
    let flag = match (error.group, error.scene) {
        (Some(group), Some(_)) => format!("{group}.{}", error.field),
        (_, _) => flag(error.field, prompt).into_owned(),
    };
    let given = if error.value.is_empty() { String::new() } else { format!(" {}", error.value) };
    let scene = error.scene.map(|scene| format!(" (scene {})", scene + 1)).unwrap_or_default();
    let message = error.message.strip_prefix("Value error, ").unwrap_or(&error.message);
    format!("{flag}{given}{scene}: {}", in_flags(message))
}

/// A sentence with flags where it names fields. A name of one word is left: it may be just that word.
fn in_flags(sentence: &str) -> String {
    let is_name = |character: char| character.is_ascii_lowercase() || character == '_';
    let mut spoken = String::with_capacity(sentence.len());
    let mut rest = sentence;
    while let Some(at) = rest.find(is_name) {
        let (before, from) = rest.split_at(at);
        let (name, after) = from.split_at(from.find(|character| !is_name(character)).unwrap_or(from.len()));
        spoken.push_str(before);
        spoken.push_str(&if name.contains('_') { flag(name, name) } else { name.into() });
        rest = after;
    }
    spoken + rest
}

/// Why there is no picture or video: a parameter that only the model could judge is the person's to mend.
pub(crate) fn not_made(error: &Arc<BackendError>, prompt: &str) -> anyhow::Error {
    let BackendError::Model(Error::Params { field, reason }) = error.as_ref() else { return Arc::clone(error).into() };
    Usage(format!("{}: {}", flag(field, prompt), in_flags(reason))).into()
}

/// Why a job is not taken.
pub(crate) fn not_taken(error: SubmitError, prompt: &str) -> anyhow::Error {
    let SubmitError::Refused(Refusal::TooLarge(too_large)) = &error else { return error.into() };
    let text = too_large.to_string();
    let reason = text.split_once(": ").map_or(text.as_str(), |(_, reason)| reason);
    anyhow::anyhow!("{}: {}", flag(too_large.field(), prompt), in_flags(reason))
}

/// The scheduler that a name means.
///
/// # Errors
/// [`Usage`] with the nearest name and all that there are.
pub(crate) fn scheduler(name: &str) -> Result<SchedulerName, Usage> {
    name.parse().map_err(|error| {
        let reason = if let Error::Params { reason, .. } = error { reason } else { error.to_string() };
        Usage(format!("--scheduler {name}: {reason}"))
    })
}

/// A seed as it was given; none is one to be drawn, and so is -1, as in other programs.
pub(crate) fn seed(given: Option<i64>) -> Option<i128> {
    given.filter(|seed| *seed != -1).map(i128::from)
}

#[cfg(test)]
mod tests {
    use generation::field_error::{Bound, FieldErrorKind};

    use super::*;

    #[test]
    fn a_person_reads_of_flags() {
        let value = |error: &str| FieldErrorKind::Value { error: error.into() };
        let step = value("0.03 of 25 steps leaves no step to run: raise it or num_inference_steps, or give 0");
        let le = FieldErrorKind::LessThanEqual { le: Bound::Integer(150) };
        for (error, told) in [
            (FieldError::new("num_inference_steps", 151, le), "--steps 151: Input should be less than or equal to 150"),
            (
                FieldError::new("strength", 0.03, step),
                "--strength 0.03: 0.03 of 25 steps leaves no step to run: raise it or --steps, or give 0",
            ),
            (FieldError::new("prompt", "", FieldErrorKind::Missing), "PROMPT: Field required"),
            (
                FieldError::new("mask_image", "", value("a mask needs a picture to start from (init_image)")),
                "--mask: a mask needs a picture to start from (--init-image)",
            ),
            (
                FieldError { scene: Some(1), group: Some("motion"), ..FieldError::new("num_frames", 1, FieldErrorKind::Missing) },
                "motion.num_frames 1 (scene 2): Field required",
            ),
            (
                FieldError { group: Some("motion"), ..FieldError::new("num_frames", 1, FieldErrorKind::Missing) },
                "--num-frames 1: Field required",
            ),
        ] {
            assert_eq!(refused(&[error], "PROMPT").0, told);
        }
    }

    #[test]
    fn what_only_the_model_judges_speaks_of_flags_too() {
        let error = |field| Error::Params { field, reason: "guidance_scale and strength: ä_b".into() };
        let told = not_made(&Arc::new(BackendError::Model(error("num_inference_steps"))), "PROMPT");
        assert!(told.is::<Usage>());
        assert_eq!(told.to_string(), "--steps: --guidance and strength: ä_b");
    }

    #[test]
    fn a_seed_of_minus_one_is_none() {
        assert_eq!([seed(None), seed(Some(-1)), seed(Some(-2)), seed(Some(7))], [None, None, Some(-2), Some(7)]);
    }
}
