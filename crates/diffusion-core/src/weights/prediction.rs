//! Determines a single-file checkpoint's prediction type and image size, which its tensors' shapes do not reveal.
//!
//! The marks in files are checked in this order: the caller's option; a tensor named `v_pred`; the header's `modelspec.prediction_type` and
//! `modelspec.architecture`; the number of training steps in a torch file; for Stable Diffusion 2.x the deviation of the last attention
//! norm's bias; else the family's default. This module must not depend on the layout of tensors. References: ComfyUI's
//! `comfy/supported_models.py` (the keys and the statistic), diffusers' `loaders/single_file_utils.py` (the steps), Stability AI's
//! ModelSpec.

use std::{fmt, str::FromStr};

use super::contents::Contents;
use crate::{Error, Result};

/// The meaning of a model's output, which a single-file checkpoint does not state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PredictionType {
    /// The noise in the latents: Stable Diffusion 1.x, 2-base, 2.1-base, Turbo and the inpainting models.
    Epsilon,
    /// The velocity alpha * noise - sigma * clean (Salimans and Ho 2022): Stable Diffusion 2 and 2.1 at 768 pixels.
    VPrediction,
    /// The clean latents.
    Sample,
}

impl PredictionType {
    /// The name in a scheduler's configuration, which [`FromStr`] parses.
    pub fn name(self) -> &'static str {
        match self {
            Self::Epsilon => "epsilon",
            Self::VPrediction => "v_prediction",
            Self::Sample => "sample",
        }
    }
}

impl fmt::Display for PredictionType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for PredictionType {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        match text {
            "epsilon" => Ok(Self::Epsilon),
            "v_prediction" => Ok(Self::VPrediction),
            "sample" => Ok(Self::Sample),
            _ => Err(Error::Params { field: "prediction_type", reason: format!("{text:?} is none of epsilon, v_prediction, sample") }),
        }
    }
}

/// The families of checkpoints, by their prediction type without any mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    /// Stable Diffusion 1.x, inpainting included.
    One,
    /// Stable Diffusion 2.x: both noise and velocity models were published.
    Two,
    /// Stable Diffusion 2 inpainting.
    TwoInpainting,
    /// Stable Diffusion XL and its refiner, inpainting included.
    Xl,
}

impl Family {
    fn name(self) -> &'static str {
        match self {
            Self::One => "Stable Diffusion 1.x",
            Self::Two => "Stable Diffusion 2.x",
            Self::TwoInpainting => "Stable Diffusion 2 inpainting",
            Self::Xl => "Stable Diffusion XL",
        }
    }
}

/// The result, with the mark that decided.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Prediction {
    pub(super) prediction_type: PredictionType,
    /// Whether the model was trained up to pure noise, so that its scheduler starts there (Lin et al. 2023).
    pub(super) zero_snr: bool,
    /// Whether the file is Stable Diffusion 2 base itself.
    pub(super) base: bool,
    /// The side of the model's native images, in pixels.
    pub(super) side: usize,
    /// The mark that decided, as the end of a sentence.
    pub(super) because: String,
}

/// The training steps of Stable Diffusion 2 base's own file and of 2.1's.
const STEPS_OF_2_BASE: i64 = 875_000;
const STEPS_OF_2_1: i64 = 110_000;

/// Above this deviation of the last attention norm's bias, the model predicts velocity.
const VELOCITY_DEVIATION: f64 = 0.09;

/// Decides by the first mark found. `deviation` computes the standard deviation of the last attention norm's bias; it is called only if
/// there is no other mark.
///
/// # Errors
/// Those of `deviation`.
pub(super) fn decide(
    asked: Option<PredictionType>,
    contents: &Contents,
    family: Family,
    deviation: impl FnOnce() -> Result<f64>,
) -> Result<Prediction> {
    let has = |key: &str| contents.tensors.iter().any(|(name, _)| name == key);
    let note = |key: &str| contents.notes.get(key).map(String::as_str);
    let architecture = note("modelspec.architecture").and_then(of_architecture);
    let steps = contents.global_step.filter(|_| family == Family::Two).and_then(of_steps);
    let (prediction_type, because) = if let Some(asked) = asked {
        (asked, "as --prediction-type says".to_owned())
    } else if has("v_pred") {
        (PredictionType::VPrediction, "the key v_pred says so".to_owned())
    } else if let Some((found, text)) = note("modelspec.prediction_type").and_then(|text| Some((of_word(text)?, text))) {
        (found, format!("its modelspec.prediction_type is {text:?}"))
    } else if let Some((found, text)) = architecture {
        (found, format!("its modelspec.architecture is {text:?}"))
    } else if let Some((found, steps)) = steps {
        (found, format!("its global_step is {steps}"))
    } else if family == Family::Two {
        let deviation = deviation()?;
        let velocity = deviation > VELOCITY_DEVIATION;
        let compared = if velocity { "above" } else { "not above" };
        let because = format!(
            "no mark says it, and its last attention norm's bias deviates by {deviation:.3}, {compared} {VELOCITY_DEVIATION}; \
             --prediction-type decides otherwise"
        );
        (if velocity { PredictionType::VPrediction } else { PredictionType::Epsilon }, because)
    } else {
        (PredictionType::Epsilon, format!("no mark says otherwise, and {} does", family.name()))
    };
    let velocity = prediction_type == PredictionType::VPrediction;
    let usual = match family {
        Family::One => 512,
        // Published at 768 pixels with velocity, and at 512 with noise.
        Family::Two | Family::TwoInpainting => {
            if velocity {
                768
            } else {
                512
            }
        }
        Family::Xl => 1024,
    };
    Ok(Prediction {
        prediction_type,
        // A model that starts at pure noise cannot predict noise.
        zero_snr: velocity && has("ztsnr"),
        base: steps.is_some_and(|(_, steps)| steps == STEPS_OF_2_BASE),
        side: note("modelspec.resolution").and_then(side).unwrap_or(usual),
        because,
    })
}

/// The spellings found in headers.
fn of_word(text: &str) -> Option<PredictionType> {
    match text.to_ascii_lowercase().as_str() {
        "epsilon" | "eps" => Some(PredictionType::Epsilon),
        "v" | "v_prediction" | "v-prediction" | "v_pred" | "vpred" | "velocity" => Some(PredictionType::VPrediction),
        "sample" => Some(PredictionType::Sample),
        _ => None,
    }
}

fn of_architecture(text: &str) -> Option<(PredictionType, &str)> {
    match text {
        "stable-diffusion-v2-512" => Some((PredictionType::Epsilon, text)),
        "stable-diffusion-v2-768-v" => Some((PredictionType::VPrediction, text)),
        _ => None,
    }
}

fn of_steps(steps: i64) -> Option<(PredictionType, i64)> {
    match steps {
        STEPS_OF_2_BASE => Some((PredictionType::Epsilon, steps)),
        STEPS_OF_2_1 => Some((PredictionType::VPrediction, steps)),
        _ => None,
    }
}

/// The side of a square resolution, "768x768", if it is a valid image size.
fn side(resolution: &str) -> Option<usize> {
    let (width, height) = resolution.split_once('x')?;
    let side: usize = width.trim().parse().ok()?;
    (width.trim() == height.trim() && (64..=2048).contains(&side) && side.is_multiple_of(64)).then_some(side)
}
