//! Validation rules shared by all kinds of requests; each error names the field, the value and the limit.
//!
//! It must not know any particular request. Invariant: a method that returns `None` has recorded an error (except for the scheduler, where
//! `None` may also mean that none was requested).

use diffusion_core::{pipelines::first_user_step, prompt::PromptSyntax, schedulers::SchedulerName};

use crate::{
    model_info::ModelDefaults,
    spec::{
        field_error::{Bound, FieldError, FieldErrorKind},
        limits::{Limits, SIDE_MULTIPLE},
    },
};

/// Collects errors while the fields are read one after another.
#[derive(Debug, Default)]
pub(crate) struct Check {
    /// The errors so far, in the order in which they were found.
    pub(crate) errors: Vec<FieldError>,
    /// The scene whose fields are being read, if the request has scenes.
    pub(crate) scene: Option<usize>,
    /// The object inside the request or the scene whose fields are being read.
    pub(crate) group: Option<&'static str>,
}

/// The model that a request names; a blank name counts as none.
pub(crate) fn model_name(name: Option<String>) -> Option<String> {
    name.map(|name| name.trim().to_owned()).filter(|name| !name.is_empty())
}

/// The model's steps for a request that names none: a model of few steps has as many more as `strength`, the share of the steps that is run
/// over an image, needs to leave one of them. Steps beyond the limit of requests are not added.
pub(crate) fn model_steps(defaults: &ModelDefaults, strength: Option<f64>) -> Option<u32> {
    let steps = defaults.num_inference_steps?;
    let least = strength.filter(|strength| *strength > 0.0).map_or(1, |strength| (1.0 / strength).ceil() as u32);
    Some(if least <= Limits::DEFAULT.steps.1 { steps.max(least) } else { steps })
}

impl Check {
    pub(crate) fn fail<T>(&mut self, field: &'static str, value: impl std::fmt::Display, kind: FieldErrorKind) -> Option<T> {
        self.errors.push(FieldError { scene: self.scene, group: self.group, ..FieldError::new(field, value, kind) });
        None
    }

    /// As [`Self::fail`], in a field of an entry of the list `field`.
    pub(crate) fn fail_in<T>(&mut self, field: &'static str, entry: (usize, &'static str), kind: FieldErrorKind) -> Option<T> {
        self.errors.push(FieldError { scene: self.scene, group: self.group, entry: Some(entry), ..FieldError::new(field, "", kind) });
        None
    }

    /// The spec, or all errors. The spec reads each field with `?`; a field that is `None` has recorded an error.
    pub(crate) fn finish<T>(self, spec: Option<T>) -> Result<T, Vec<FieldError>> {
        spec.filter(|_| self.errors.is_empty()).ok_or(self.errors)
    }

    pub(crate) fn prompt(&mut self, prompt: Option<String>, limits: &Limits) -> Option<String> {
        match prompt {
            None => self.fail("prompt", "", FieldErrorKind::Missing),
            // White space alone is as good as empty: the tokenizer drops it.
            Some(text) if text.trim().is_empty() => self.fail("prompt", text, FieldErrorKind::StringTooShort { min_length: 1 }),
            Some(text) => self.not_too_long("prompt", &text, limits).then_some(text),
        }
    }

    pub(crate) fn not_too_long(&mut self, field: &'static str, text: &str, limits: &Limits) -> bool {
        let fits = text.chars().nth(limits.max_prompt_chars).is_none();
        if !fits {
            self.fail::<()>(field, text, FieldErrorKind::StringTooLong { max_length: limits.max_prompt_chars });
        }
        fits
    }

    pub(crate) fn integer(&mut self, field: &'static str, value: Option<i128>, default: u32, (min, max): (u32, u32)) -> Option<u32> {
        let Some(value) = value else { return Some(default) };
        match FieldErrorKind::of_integer(value, (min.into(), max.into())) {
            Some(kind) => self.fail(field, value, kind),
            None => u32::try_from(value).ok(),
        }
    }

    pub(crate) fn float(&mut self, field: &'static str, value: Option<f64>, default: f64, bounds: (f64, f64)) -> Option<f64> {
        let value = value.unwrap_or(default);
        match FieldErrorKind::of_float(value, bounds) {
            Some(kind) => self.fail(field, value, kind),
            None => Some(value),
        }
    }

    pub(crate) fn side(&mut self, field: &'static str, value: Option<i128>, default: u32, limits: &Limits) -> Option<u32> {
        let side = self.integer(field, value, default, limits.side)?;
        if side.is_multiple_of(SIDE_MULTIPLE) {
            Some(side)
        } else {
            self.fail(field, side, FieldErrorKind::MultipleOf { multiple_of: SIDE_MULTIPLE })
        }
    }

    pub(crate) fn pixels(&mut self, width: Option<u32>, height: Option<u32>, limits: &Limits) {
        let (Some(width), Some(height)) = (width, height) else { return };
        let pixels = u64::from(width) * u64::from(height);
        if pixels > limits.max_pixels {
            // Reported on the longer side: the one that a caller would reduce.
            let (field, side) = if width >= height { ("width", width) } else { ("height", height) };
            let error = format!("{width} x {height} is {pixels} pixels, and a picture has at most {}", limits.max_pixels);
            self.fail::<()>(field, side, FieldErrorKind::Value { error });
        }
    }

    pub(crate) fn seed(&mut self, seed: Option<i128>, limits: &Limits) -> Option<u64> {
        let Some(value) = seed else { return self.fail("seed", "", FieldErrorKind::Missing) };
        match u64::try_from(value) {
            Ok(seed) if seed <= limits.max_seed => Some(seed),
            Ok(_) => self.fail("seed", value, FieldErrorKind::LessThanEqual { le: Bound::Integer(limits.max_seed.into()) }),
            // -1 asks for a random seed, which the caller of this crate draws before validation.
            Err(_) if value < 0 => self.fail("seed", value, FieldErrorKind::GreaterThanEqual { ge: Bound::Integer(-1) }),
            Err(_) => self.fail("seed", value, FieldErrorKind::LessThanEqual { le: Bound::Integer(limits.max_seed.into()) }),
        }
    }

    pub(crate) fn scheduler(&mut self, name: Option<String>) -> Option<SchedulerName> {
        let name = name?;
        match name.parse() {
            Ok(scheduler) => Some(scheduler),
            Err(_) => {
                let expected = SchedulerName::all().iter().map(ToString::to_string).collect();
                let nearest = SchedulerName::nearest(&name).map(|nearest| nearest.to_string());
                self.fail("scheduler", name, FieldErrorKind::Enum { expected, nearest })
            }
        }
    }

    /// The language of a request's prompts.
    pub(crate) fn prompt_syntax(&mut self, name: Option<String>, default: Option<PromptSyntax>) -> Option<PromptSyntax> {
        self.choice("prompt_syntax", name, PromptSyntax::ALL.map(|syntax| (syntax.name(), syntax)), default)
    }

    /// A text's language, where it was valid.
    pub(crate) fn in_syntax(&mut self, field: &'static str, text: &str, syntax: Option<PromptSyntax>) -> bool {
        match syntax.unwrap_or_default().check(text) {
            Ok(()) => true,
            Err(error) => {
                self.fail::<()>(field, text, FieldErrorKind::Value { error });
                false
            }
        }
    }

    /// One of a few choices by name, or else the default.
    pub(crate) fn choice<T: Copy + Default, const N: usize>(
        &mut self,
        field: &'static str,
        name: Option<String>,
        choices: [(&'static str, T); N],
        default: Option<T>,
    ) -> Option<T> {
        let Some(name) = name else { return Some(default.unwrap_or_default()) };
        match choices.iter().find(|(known, _)| *known == name) {
            Some((_, choice)) => Some(*choice),
            None => {
                let kind = FieldErrorKind::not_one_of(&name, &choices.map(|(known, _)| known));
                self.fail(field, name, kind)
            }
        }
    }

    /// Refuses a strength that leaves no denoising step to run; `instead` tells the caller an alternative.
    pub(crate) fn some_step(&mut self, strength: f64, steps: u32, instead: &str) {
        let steps = usize::try_from(steps).unwrap_or(usize::MAX);
        if let Err(diffusion_core::Error::Params { reason, .. }) = first_user_step(steps, strength) {
            self.fail::<()>("strength", strength, FieldErrorKind::Value { error: format!("{reason}{instead}") });
        }
    }

    pub(crate) fn not_empty(&mut self, field: &'static str, (width, height): (u32, u32)) -> bool {
        let has_pixels = width > 0 && height > 0;
        if !has_pixels {
            let error = "a picture has at least one pixel".to_owned();
            self.fail::<()>(field, format!("{width} x {height}"), FieldErrorKind::Value { error });
        }
        has_pixels
    }
}
