//! The ControlNets of an image: their images, weights and windows.
//!
//! It must not know the rest of a request. Invariant: a net in a spec was in the operator's folder when the request was checked, and its window
//! holds a whole step of the run.

use diffusion_core::pipelines::{control_window, first_user_step};
use image::RgbImage;
use serde::{Deserialize, Serialize};

use crate::{
    model_info::{ModelInfo, NO_CONTROLNETS, is_controlnet},
    spec::{
        check::Check,
        field_error::FieldErrorKind,
        limits::{CANNY_THRESHOLD, CONTROL_WEIGHT, Limits, SHARE},
        stored_image,
    },
};

/// The default thresholds: those of OpenCV's examples, and of the programs that ControlNets are used in.
pub const CANNY_THRESHOLDS: (f64, f64) = (100.0, 200.0);

/// The names of what makes a control image from a picture.
pub const PREPROCESSORS: [&str; 2] = ["none", "canny"];

/// An unchecked ControlNet.
#[derive(Clone, Debug, Default)]
pub struct ControlRequest {
    /// Its name in the operator's folder. Required.
    pub name: Option<String>,
    /// The control image, or the picture that it is made from. Required.
    pub image: Option<RgbImage>,
    /// The factor of its results; at 0 it is not run. Default 1.
    pub weight: Option<f64>,
    /// The share of the steps before it acts. Default 0.
    pub start: Option<f64>,
    /// The share of the steps after which it no longer acts. Default 1.
    pub end: Option<f64>,
    /// What makes the control image from the picture, by name. Default "none".
    pub preprocessor: Option<String>,
    /// The lower threshold of "canny". Default 100.
    pub low_threshold: Option<f64>,
    /// The upper threshold of "canny". Default 200.
    pub high_threshold: Option<f64>,
}

/// The thresholds of an image's edges.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CannySpec {
    /// What every pixel of a line exceeds.
    pub low: f64,
    /// What some pixel of a line exceeds.
    pub high: f64,
}

/// A validated ControlNet.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ControlSpec {
    pub(crate) name: String,
    #[serde(with = "stored_image::rgb")]
    pub(crate) image: RgbImage,
    pub(crate) weight: f64,
    pub(crate) start: f64,
    pub(crate) end: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) canny: Option<CannySpec>,
}

impl ControlSpec {
    /// Its name in the operator's folder.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The picture as it was given.
    pub fn image(&self) -> &RgbImage {
        &self.image
    }

    /// The factor of its results.
    pub fn weight(&self) -> f64 {
        self.weight
    }

    /// The shares of the steps between which it acts.
    pub fn window(&self) -> (f64, f64) {
        (self.start, self.end)
    }

    /// The thresholds, if the control image is the edges of the picture.
    pub fn canny(&self) -> Option<CannySpec> {
        self.canny
    }
}

/// The validated ControlNets of an image.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ControlsSpec {
    pub(crate) nets: Vec<ControlSpec>,
    pub(crate) guess_mode: bool,
}

impl ControlsSpec {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.nets.is_empty()
    }

    /// The nets, whose results are added up.
    pub fn nets(&self) -> &[ControlSpec] {
        &self.nets
    }

    /// The nets that act, with their places in the request: one of weight 0 adds nothing, so it is not run.
    pub fn acting(&self) -> impl Iterator<Item = (usize, &ControlSpec)> {
        self.nets.iter().enumerate().filter(|(_, control)| control.weight != 0.0)
    }

    /// Whether they act on the prompt's half of the guidance only.
    pub fn guess_mode(&self) -> bool {
        self.guess_mode
    }
}

impl Check {
    /// The ControlNets of a run of `steps` steps, of which `strength` is run.
    pub(super) fn controls(
        &mut self,
        requests: Vec<ControlRequest>,
        guess_mode: Option<bool>,
        (steps, strength): (Option<u32>, Option<f64>),
        limits: &Limits,
        model: &ModelInfo,
    ) -> Option<ControlsSpec> {
        let guess_mode = guess_mode.unwrap_or(false);
        if requests.is_empty() && guess_mode {
            let error = "it says how ControlNets act, and the request has none (controlnets)".to_owned();
            return self.fail("guess_mode", guess_mode, FieldErrorKind::Value { error });
        }
        if requests.len() > limits.max_controlnets {
            return self.fail("controlnets", requests.len(), FieldErrorKind::TooLong { max_length: limits.max_controlnets });
        }
        let steps_run = steps.map(|steps| {
            let steps = usize::try_from(steps).unwrap_or(usize::MAX);
            // A strength that leaves no step is refused as such.
            steps - strength.and_then(|strength| first_user_step(steps, strength).ok()).unwrap_or(0)
        });
        let nets: Vec<Option<ControlSpec>> = requests
            .into_iter()
            .enumerate()
            .map(|(index, request)| {
                let checked = checked(request, steps_run, model);
                checked.map_err(|(field, error)| self.fail_in::<()>("controlnets", (index, field), FieldErrorKind::Value { error })).ok()
            })
            .collect();
        Some(ControlsSpec { nets: nets.into_iter().collect::<Option<_>>()?, guess_mode })
    }
}

/// The spec of one net, or the field at fault and what is wrong with it.
fn checked(request: ControlRequest, steps_run: Option<usize>, model: &ModelInfo) -> Result<ControlSpec, (&'static str, String)> {
    let ControlRequest { name, image, weight, start, end, preprocessor, low_threshold, high_threshold } = request;
    let of_name = |reason: &str| ("name", reason.to_owned());
    let missing = || of_name("name is missing: give one that GET /models lists in controlnets");
    let name = name.filter(|name| !name.is_empty()).ok_or_else(missing)?;
    let folder = model.controlnets.as_ref().ok_or_else(|| of_name(NO_CONTROLNETS))?;
    folder.check(&name, is_controlnet).map_err(|error| of_name(&reason_of(error)))?;
    let no_image = || ("image", "image is missing: give the control image, or with \"preprocessor\": \"canny\" a picture".to_owned());
    let image = image.ok_or_else(no_image)?;
    if image.width() == 0 || image.height() == 0 {
        return Err(("image", "image has no pixels".into()));
    }
    let number = |field: &'static str, value: Option<f64>, default: f64, (min, max): (f64, f64)| match value.unwrap_or(default) {
        value if (min..=max).contains(&value) => Ok(value),
        value => Err((field, format!("{field} is {value}; it is {min} to {max}"))),
    };
    let weight = number("weight", weight, 1.0, CONTROL_WEIGHT)?;
    let (start, end) = (number("start", start, 0.0, SHARE)?, number("end", end, 1.0, SHARE)?);
    if let Some(steps_run) = steps_run {
        control_window(steps_run, start, end).map_err(|error| ("start", reason_of(error)))?;
    }
    let canny = match preprocessor.as_deref().unwrap_or("none") {
        "none" if low_threshold.or(high_threshold).is_some() => {
            let field = if low_threshold.is_some() { "low_threshold" } else { "high_threshold" };
            return Err((field, "thresholds are those of \"preprocessor\": \"canny\", which is not chosen".into()));
        }
        "none" => None,
        "canny" => Some(CannySpec {
            low: number("low_threshold", low_threshold, CANNY_THRESHOLDS.0, CANNY_THRESHOLD)?,
            high: number("high_threshold", high_threshold, CANNY_THRESHOLDS.1, CANNY_THRESHOLD)?,
        }),
        other => return Err(("preprocessor", format!("preprocessor is {other:?}; it is one of {}", PREPROCESSORS.join(", ")))),
    };
    Ok(ControlSpec { name, image, weight, start, end, canny })
}

fn reason_of(error: diffusion_core::Error) -> String {
    if let diffusion_core::Error::Params { reason, .. } = error { reason } else { error.to_string() }
}
