//! Request field errors in the terms of the command line: the user typed `--steps`, not `num_inference_steps`.
//!
//! It must not know any particular command, except for the name of its prompt. The invariant: an error about a flag never shows a field's
//! name; fields of a scenes file keep their names, because that is what the file contains.

use std::{borrow::Cow, sync::Arc};

use clap::{Command, CommandFactory as _};
use diffusion_core::{Error, schedulers::SchedulerName};
use generation::{BackendError, FieldError, FieldErrorKind, Refusal, SubmitError};

use crate::{args::Cli, failure::Usage};

/// Flags whose fields have other names; the prompt's flag differs between commands.
const FLAGS: [(&str, &str); 15] = [
    ("hero_description", "--hero"),
    ("negative_prompt", "--negative"),
    ("negative_prompt_2", "--negative-2"),
    ("num_inference_steps", "--steps"),
    ("guidance_scale", "--guidance"),
    ("mask_image", "--mask"),
    ("loras", "--lora"),
    ("controlnets", "--controlnet"),
    ("scenes", "--scene"),
    ("source", "--moving"),
    ("duration_per_scene", "--duration"),
    ("min_guidance_scale", "--min-guidance"),
    ("max_guidance_scale", "--max-guidance"),
    ("camera_motion", "--camera"),
    ("image", "IMAGE"),
];

/// The flags of the fields of a ControlNet.
const CONTROL_FLAGS: [(&str, &str); 6] = [
    ("name", "--controlnet"),
    ("image", "--control-image"),
    ("weight", "--control-weight"),
    ("start", "--control-start"),
    ("end", "--control-end"),
    ("preprocessor", "--canny"),
];

/// The flag of a field, in a command whose prompt flag is `prompt`; a field without a flag keeps its name.
fn flag<'a>(field: &'a str, prompt: &'a str) -> Cow<'a, str> {
    if field == "prompt" {
        return prompt.into();
    }
    // An entry of a list, such as `controlnets.1`.
    let field = field.split('.').next().unwrap_or(field);
    if let Some((_, flag)) = FLAGS.iter().find(|(name, _)| *name == field) {
        return (*flag).into();
    }
    let own = field.replace('_', "-");
    let is_flag = Cli::command().get_subcommands().flat_map(Command::get_arguments).any(|flag| flag.get_long() == Some(&own));
    if is_flag { format!("--{own}").into() } else { field.into() }
}

/// All errors of a request, each with its flag.
pub(crate) fn refused(errors: &[FieldError], prompt: &str) -> Usage {
    let faults: Vec<_> = errors.iter().map(|error| fault(error, prompt)).collect();
    Usage(faults.join("; "))
}

fn fault(error: &FieldError, prompt: &str) -> String {
    // A scene's own motion stands in a file, under its field names.
    let flag = match (error.group, error.scene) {
        (Some(group), Some(_)) => format!("{group}.{}", error.field),
        (_, _) => flag_of_entry(error).map_or_else(|| flag(error.field, prompt).into_owned(), str::to_owned),
    };
    if let FieldErrorKind::TooLong { max_length } = error.kind {
        return format!("{flag}: {} are given, and {max_length} are the most", error.value);
    }
    if let FieldErrorKind::TooShort { min_length } = error.kind {
        return format!("{flag}: {} are given, and {min_length} are the least", error.value);
    }
    let entry = error.entry.map(|(index, _)| format!(" (number {})", index + 1)).unwrap_or_default();
    let given = if error.value.is_empty() { String::new() } else { format!(" {}", error.value) };
    let scene = error.scene.map(|scene| format!(" (scene {})", scene + 1)).unwrap_or_default();
    let message = error.message.strip_prefix("Value error, ").unwrap_or(&error.message);
    format!("{flag}{given}{entry}{scene}: {}", in_flags(message))
}

/// The flag of a field of a ControlNet.
fn flag_of_entry(error: &FieldError) -> Option<&'static str> {
    let (_, field) = error.entry?;
    CONTROL_FLAGS.iter().find(|(name, _)| *name == field).map(|(_, flag)| *flag)
}

/// A sentence with field names replaced by flags. A name of one word is kept: it may be just that word.
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

/// The error of a model that could not be loaded because of a setting or a flag; `reason` begins with its name.
pub(crate) fn not_set(setting: &'static str, reason: &str) -> Usage {
    let reason = reason.strip_prefix(setting).and_then(|rest| rest.strip_prefix(": ")).unwrap_or(reason);
    Usage(match setting {
        "vae" | "text_encoder" | "text_encoder_2" => format!("{setting} {reason}"),
        setting if setting.contains('.') => format!("setting {setting}: {reason}"),
        field => format!("{}: {}", flag(field, field), in_flags(reason)),
    })
}

/// The error of a failed job: a parameter that only the model could check is still the user's error.
pub(crate) fn not_made(error: &Arc<BackendError>, prompt: &str) -> anyhow::Error {
    let BackendError::Model(Error::Params { field, reason }) = error.as_ref() else { return Arc::clone(error).into() };
    Usage(format!("{}: {}", flag(field, prompt), in_flags(reason))).into()
}

/// The error of a rejected job.
pub(crate) fn not_taken(error: SubmitError, prompt: &str) -> anyhow::Error {
    if let SubmitError::Refused(Refusal::Unfit { field, reason }) = &error {
        return Usage(format!("{}: {}", flag(field, prompt), in_flags(reason))).into();
    }
    let SubmitError::Refused(Refusal::TooLarge(too_large)) = &error else { return error.into() };
    let text = too_large.to_string();
    let reason = text.split_once(": ").map_or(text.as_str(), |(_, reason)| reason);
    anyhow::anyhow!("{}: {}", flag(too_large.field(), prompt), in_flags(reason))
}

/// Parses a scheduler name.
///
/// # Errors
/// [`Usage`] with the nearest name and all available ones.
pub(crate) fn scheduler(name: &str) -> Result<SchedulerName, Usage> {
    name.parse().map_err(|error| {
        let reason = if let Error::Params { reason, .. } = error { reason } else { error.to_string() };
        Usage(format!("--scheduler {name}: {reason}"))
    })
}

/// The seed as given; None or -1 mean a random seed, as in other programs.
pub(crate) fn seed(given: Option<i64>) -> Option<i128> {
    given.filter(|seed| *seed != -1).map(i128::from)
}

#[cfg(test)]
mod tests {
    use generation::field_error::{Bound, FieldErrorKind};

    use super::*;

    #[test]
    fn errors_name_flags() {
        let value = |error: &str| FieldErrorKind::Value { error: error.into() };
        let step = value("0.03 of 25 steps leaves no step to run: raise it or num_inference_steps, or give 0");
        let le = FieldErrorKind::LessThanEqual { le: Bound::Integer(150) };
        for (error, message) in [
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
            assert_eq!(refused(&[error], "PROMPT").0, message);
        }
    }

    #[test]
    fn errors_from_the_model_name_flags_too() {
        let error = |field| Error::Params { field, reason: "guidance_scale and strength: ä_b".into() };
        let message = not_made(&Arc::new(BackendError::Model(error("num_inference_steps"))), "PROMPT");
        assert!(message.is::<Usage>());
        assert_eq!(message.to_string(), "--steps: --guidance and strength: ä_b");
    }

    #[test]
    fn a_seed_of_minus_one_is_none() {
        assert_eq!([seed(None), seed(Some(-1)), seed(Some(-2)), seed(Some(7))], [None, None, Some(-2), Some(7)]);
    }
}
