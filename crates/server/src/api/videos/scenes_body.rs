//! Understanding the body of `POST /generate-video` and `/generate-video/info`: scenes, each a text or an object.
//!
//! The command reads its `--scenes FILE.json` with it too, through [`parse_scenes`].

use generation::{
    Limits,
    video::{FpsRequest, MotionRequest, SceneRequest, ScenesRequest, ScenesSpec},
};
use serde_json::{Map, Value};

use crate::{
    http::{IgnoredField, Problem, ValidationErrorDetail},
    inputs::{
        Fields, NamedBody, Shape, TypeFault, field_names::MOST_ENTRIES, float, integer, judged, parse_object, scheduler, seed, string,
    },
};

/// The order in which faults are told.
const FIELDS: [&str; 15] = [
    "scenes",
    "hero_description",
    "num_inference_steps",
    "duration_per_scene",
    "fps",
    "width",
    "height",
    "transition_frames",
    "join",
    "seed",
    "negative_prompt",
    "guidance_scale",
    "scheduler",
    "sampler",
    "motion",
];
static SHAPE: Shape = Shape::new(&FIELDS, &[("scenes", &SCENE), ("motion", &MOTION)]);
static SCENE: Shape =
    Shape::new(&["prompt", "negative_prompt", "seed", "duration", "source", "motion", "join", "transition_frames"], &[("motion", &MOTION)]);
static MOTION: Shape = Shape::new(&MOTION_FIELDS, &[]);

/// The fields of a motion.
pub(crate) const MOTION_FIELDS: [&str; 8] = [
    "num_frames",
    "num_inference_steps",
    "conditioning_fps",
    "motion_bucket_id",
    "noise_aug_strength",
    "min_guidance_scale",
    "max_guidance_scale",
    "decode_chunk_size",
];

/// A body that is JSON, and its fields so far.
#[derive(Debug)]
pub(crate) struct ScenesBody {
    named: NamedBody,
    request: ScenesRequest,
    faults: Vec<ValidationErrorDetail>,
}

/// Reads a body of `POST /generate-video` from a file's bytes, and the keys that nobody reads: whatever it lacks is left open.
///
/// # Errors
/// Everything that is wrong with it but for limits, in one line.
pub fn parse_scenes(body: &[u8]) -> Result<(ScenesRequest, Vec<IgnoredField>), String> {
    let one_line = |faults: &[ValidationErrorDetail]| {
        let place = |loc: &[Value]| {
            let steps = loc.iter().skip(1).map(|step| step.as_str().map_or_else(|| step.to_string(), str::to_owned));
            steps.collect::<Vec<_>>().join(".")
        };
        faults.iter().map(|fault| format!("{}: {}", place(&fault.loc), fault.msg)).collect::<Vec<_>>().join("; ")
    };
    match parse(body) {
        Ok(ScenesBody { named, request, faults }) => {
            let faults = [named.conflicts(), &faults].concat();
            if faults.is_empty() { Ok((request, named.ignored)) } else { Err(one_line(&named.at_sent_keys(faults))) }
        }
        Err(problem) if !problem.fields.is_empty() => Err(one_line(&problem.fields)),
        Err(error) => Err(error.to_string()),
    }
}

/// Parses a body and reads the fields that are there; faults are kept for [`ScenesBody::into_spec`].
pub(crate) fn parse(body: &[u8]) -> Result<ScenesBody, Problem> {
    Ok(read(parse_object(body)?))
}

/// As [`parse`], of what is parsed already.
pub(crate) fn read(json: Map<String, Value>) -> ScenesBody {
    let named = NamedBody::new(json, &SHAPE);
    let json = &named.json;
    let mut fields = Fields::new(json);
    let mut inner = Vec::new();
    let request = ScenesRequest {
        scenes: fields.required("scenes", list).map(|entries| scenes(&entries, &mut fields, &mut inner)),
        hero_description: fields.read("hero_description", string),
        negative_prompt: fields.read("negative_prompt", string),
        num_inference_steps: fields.read("num_inference_steps", integer),
        guidance_scale: fields.read("guidance_scale", float),
        scheduler: scheduler(&mut fields),
        duration_per_scene: fields.read("duration_per_scene", float),
        fps: fields.read("fps", fps),
        width: fields.read("width", integer),
        height: fields.read("height", integer),
        proportional: false,
        transition_frames: fields.read("transition_frames", integer),
        join: fields.read("join", string),
        // Whoever has no seed draws one.
        seed: fields.read("seed", integer).filter(|seed| *seed != -1),
        motion: motion(json, &mut fields, &mut inner).unwrap_or_default(),
    };
    let mut faults = fields.faults;
    faults.extend(inner);
    ScenesBody { named, request, faults }
}

impl ScenesBody {
    /// How many scenes there are, if there are scenes at all.
    pub(crate) fn scene_count(&self) -> Option<usize> {
        self.request.scenes.as_ref().map(Vec::len)
    }

    /// The keys that nobody reads.
    pub(crate) fn ignored(&self) -> Vec<IgnoredField> {
        self.named.ignored.clone()
    }

    /// Validates the request, with `random_seed` if it names none.
    pub(crate) fn into_spec(self, random_seed: u32, limits: &Limits) -> Result<ScenesSpec, Problem> {
        let Self { named, mut request, faults } = self;
        request.seed.get_or_insert(random_seed.into());
        judged(request.validate(limits), faults, &named, &FIELDS)
    }
}

fn scenes(entries: &[Value], body: &mut Fields<'_>, faults: &mut Vec<ValidationErrorDetail>) -> Vec<SceneRequest> {
    let mut scenes = Vec::new();
    // More than there may be are refused by their number, whatever is in them.
    for (index, entry) in entries.iter().enumerate().take(MOST_ENTRIES) {
        let place = [Value::from("scenes"), Value::from(index)];
        scenes.push(match entry {
            Value::String(prompt) => SceneRequest { prompt: Some(prompt.clone()), ..SceneRequest::default() },
            Value::Object(object) => scene(object, body.inside(object, &place), faults),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => {
                body.fault(&place, ("string_type", "Input should be a valid string, or an object with a prompt"), entry);
                SceneRequest::default()
            }
        });
    }
    scenes
}

fn scene(object: &Map<String, Value>, mut fields: Fields<'_>, faults: &mut Vec<ValidationErrorDetail>) -> SceneRequest {
    let scene = SceneRequest {
        prompt: fields.required("prompt", string),
        negative_prompt: fields.read("negative_prompt", string),
        seed: fields.read("seed", seed),
        duration: fields.read("duration", float),
        source: fields.read("source", string),
        motion: motion(object, &mut fields, faults),
        join: fields.read("join", string),
        transition_frames: fields.read("transition_frames", integer),
    };
    faults.extend(fields.faults);
    scene
}

/// The `motion` of the request or of a scene; its own faults go to `faults`.
fn motion(object: &Map<String, Value>, outer: &mut Fields<'_>, faults: &mut Vec<ValidationErrorDetail>) -> Option<MotionRequest> {
    let value = object.get("motion").filter(|value| !value.is_null())?;
    let Value::Object(inner) = value else {
        outer.fault(&["motion".into()], ("dict_type", "Input should be a valid dictionary"), value);
        return None;
    };
    let mut fields = outer.inside(inner, &["motion".into()]);
    let motion = motion_fields(&mut fields);
    faults.extend(fields.faults);
    Some(motion)
}

/// The fields of a motion, wherever they stand.
pub(crate) fn motion_fields(fields: &mut Fields<'_>) -> MotionRequest {
    MotionRequest {
        num_frames: fields.read("num_frames", integer),
        num_inference_steps: fields.read("num_inference_steps", integer),
        conditioning_fps: fields.read("conditioning_fps", integer),
        motion_bucket_id: fields.read("motion_bucket_id", integer),
        noise_aug_strength: fields.read("noise_aug_strength", float),
        min_guidance_scale: fields.read("min_guidance_scale", float),
        max_guidance_scale: fields.read("max_guidance_scale", float),
        decode_chunk_size: fields.read("decode_chunk_size", integer),
    }
}

/// A number, or a fraction as text.
pub(crate) fn fps(value: &Value) -> Result<FpsRequest, TypeFault> {
    match value {
        Value::Number(number) => number.as_f64().map(FpsRequest::Number).ok_or(("float_type", "Input should be a valid number")),
        Value::String(text) => Ok(FpsRequest::Text(text.clone())),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => Err(("float_type", "Input should be a valid number")),
    }
}

fn list(value: &Value) -> Result<Vec<Value>, TypeFault> {
    value.as_array().cloned().ok_or(("list_type", "Input should be a valid list"))
}
