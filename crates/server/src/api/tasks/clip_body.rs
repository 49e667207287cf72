//! Understanding the body of `POST /api/v1/videos/generate`.
//!
//! It must not know where a picture comes from: its source is a text here, and whoever fetches it hands the picture back. The invariant:
//! all that is wrong with the other fields is told before anything is fetched.

use generation::{
    Limits,
    video::{ClipRequest, ClipRules, ClipSpec, FpsRequest, MotionRequest},
};
use guarded_http::Guard;
use image::RgbImage;
use serde_json::Value;

use crate::{
    api::tasks::request_wire::{DEFAULT_MOTION_STRENGTH, DEFAULT_SIZE, FPS, SECONDS},
    http::{Problem, RequestNotes, ValidationErrorDetail},
    inputs::{
        Fields, NamedBody, Shape, TypeFault, boolean, callback_fault, float, judged, parse_named, random_seed, seed, string, value_error,
    },
    state::TasksSettings,
};

/// The order in which faults are told.
const FIELDS: [&str; 10] =
    ["image", "prompt", "duration", "fps", "resolution", "motion_strength", "camera_motion", "optimize_prompt", "seed", "callback_url"];
static SHAPE: Shape = Shape::new(&FIELDS, &[]);

const PROMPT_IDLE: &str = "The prompt changed nothing: the motion model knows no texts. The operator can let prompts repaint the picture \
                           before it moves (tasks.repaint_strength).";

/// A body that is JSON, and its fields so far.
#[derive(Debug)]
pub(crate) struct ClipBody {
    named: NamedBody,
    request: ClipRequest,
    rules: ClipRules,
    /// The picture, as the caller names or sends it.
    pub(crate) source: Option<String>,
    /// Where to tell of the end.
    pub(crate) callback_url: Option<String>,
    /// What is to be said of the body.
    pub(crate) notes: RequestNotes,
    faults: Vec<ValidationErrorDetail>,
}

/// Reads the fields that are there; faults are kept for [`ClipBody::check`].
pub(crate) fn parse(body: &[u8], settings: &TasksSettings, guard: &Guard) -> Result<ClipBody, Problem> {
    let named = parse_named(body, &SHAPE)?;
    let mut fields = Fields::new(&named.json);
    let source = fields.required("image", string);
    let request = ClipRequest {
        prompt: fields.read("prompt", string),
        strength: Some(settings.repaint_strength),
        duration: fields.read("duration", float),
        fps: fields.read("fps", float).map(FpsRequest::Number),
        resolution: fields.read("resolution", string),
        motion_strength: Some(fields.read("motion_strength", float).unwrap_or(DEFAULT_MOTION_STRENGTH)),
        camera_motion: fields.read("camera_motion", string),
        seed: Some(fields.read("seed", seed).unwrap_or(random_seed().into())),
        motion: MotionRequest::default(),
        ..ClipRequest::default()
    };
    fields.read("optimize_prompt", not_optimized);
    let callback_url = fields.read("callback_url", string);
    let mut faults = fields.faults;
    faults.extend(callback_url.as_deref().and_then(|url| callback_fault(url, guard)));
    let notes = RequestNotes::new(named.ignored.clone(), remarks(&request, settings));
    // Thirty frames a second are the rules' own default.
    let rules = ClipRules { seconds: SECONDS, fps: FPS, default_size: Some(DEFAULT_SIZE), ..ClipRules::default() };
    Ok(ClipBody { named, request, rules, source, callback_url, notes, faults })
}

fn remarks(request: &ClipRequest, settings: &TasksSettings) -> Vec<String> {
    let has_prompt = request.prompt.as_deref().is_some_and(|prompt| !prompt.trim().is_empty());
    let strength = settings.repaint_strength;
    let remark = (has_prompt && strength <= 0.0).then(|| PROMPT_IDLE.to_owned());
    let remark = remark.or_else(|| {
        has_prompt
            .then(|| format!("The prompt repainted the picture at a strength of {strength} before it moved; it did not guide the motion."))
    });
    remark.into_iter().collect()
}

/// A truth value that must be false, for there is nothing here that rewrites prompts.
pub(super) fn not_optimized(value: &Value) -> Result<(), TypeFault> {
    if boolean(value)? { Err(("value_error", "Value error, no prompt optimizer is configured")) } else { Ok(()) }
}

impl ClipBody {
    /// The prompt, if there is one.
    pub(crate) fn prompt(&self) -> Option<&str> {
        self.request.prompt.as_deref()
    }

    /// Checks all but the picture.
    ///
    /// # Errors
    /// 422 with every fault.
    pub(crate) fn check(&self, limits: &Limits) -> Result<(), Problem> {
        let image = self.source.as_ref().map(|_| RgbImage::new(1, 1));
        let request = ClipRequest { image, ..self.request.clone() };
        judged(request.validate(&self.rules, limits), self.faults.clone(), &self.named, &FIELDS).map(drop)
    }

    /// The fault of the picture.
    pub(crate) fn picture_fault(&self, error: String) -> Problem {
        let faults = vec![value_error("image", error, self.named.json.get("image").unwrap_or(&Value::Null))];
        Problem::invalid(self.named.at_sent_keys(faults))
    }

    /// The spec of what is to be made of the picture.
    ///
    /// # Errors
    /// 422 with every fault.
    pub(crate) fn into_spec(self, image: RgbImage, limits: &Limits) -> Result<ClipSpec, Problem> {
        let request = ClipRequest { image: Some(image), ..self.request };
        judged(request.validate(&self.rules, limits), self.faults, &self.named, &FIELDS)
    }
}
