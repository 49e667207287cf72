//! Parsing the body of `POST /generate-video` and `/generate-video/info`: scenes, each a text or an object.
//!
//! The command line parses its `--scenes FILE.json` with it too, through [`parse_scenes`].

use diffusion_core::{prompt::PromptSyntax, weights::VaeChoice};
use generation::{
    Limits, VideoLimits,
    validate::{DEFAULT_GUIDANCE_SCALE, DEFAULT_STEPS},
    video::{
        DEFAULT_CONDITIONING_FPS, DEFAULT_MOTION_BUCKET_ID, DEFAULT_MOTION_GUIDANCE, DEFAULT_NOISE_AUG_STRENGTH, DEFAULT_SCENE_SECONDS,
        DEFAULT_SIDE, DEFAULT_TRANSITION_FRAMES, FpsRequest, JOINS, MotionRequest, SOURCES, SceneRequest, ScenesRequest,
    },
};
use serde_json::{Value, json};

use crate::{
    api::images::loras_body::{LORA, loras, loras_schema},
    http::{IgnoredField, ValidationErrorDetail},
    inputs::{Body, Fields, Holds, Row, Table, TypeFault, body_table, field_names::MOST_ENTRIES, nested, rows},
};

const LIMITS: Limits = Limits::DEFAULT;
const VIDEO: VideoLimits = LIMITS.video;

body_table! {
    /// The body of `POST /generate-video` with scenes. Other programs' names of the fields are accepted; unknown keys are ignored, and
    /// named in the answer's `X-Ignored-Fields`.
    pub(crate) SCENES: ScenesRequest, ScenesBody as "GenerateVideoRequest",
    example {
        "scenes": ["a peaceful sunrise over mountains with mist", "a beach at noon with boats", "a snowy forest at night under the moon"],
        "num_inference_steps": 25, "duration_per_scene": 3.0, "fps": 24, "width": 512, "height": 512, "transition_frames": 12
    },
    {
        /// The scenes in their order: texts, or objects for scenes that differ from the rest. At least two.
        scenes: Other(scenes_schema, |r, fields, name| r.scenes = scenes(fields, name)).required().inside(|| SCENE.facts()),
        /// Prepended to each scene's prompt, so that a character stays the same.
        hero_description: Text(|r| &mut r.hero_description).length(0, LIMITS.max_prompt_chars),
        /// Denoising steps of each picture.
        num_inference_steps: Whole(LIMITS.steps, |r| &mut r.num_inference_steps).or(|| DEFAULT_STEPS.into()),
        /// How long a scene lasts, in seconds: `trunc(duration * fps)` frames.
        duration_per_scene: Number(VIDEO.scene_seconds, |r| &mut r.duration_per_scene).or(|| DEFAULT_SCENE_SECONDS.into()),
        /// Frames per second: a number, or a fraction as a text ("30000/1001").
        fps: Other(fps_schema, |r, fields, name| r.fps = fields.read(name, fps)),
        /// Width of a frame in pixels; pictures are made at the model's own size and resized. An odd number is raised by one.
        width: Whole(VIDEO.side, |r| &mut r.width).or(|| DEFAULT_SIDE.into()),
        /// Height of a frame in pixels. Width x height is at most 2097152.
        height: Whole(VIDEO.side, |r| &mut r.height).or(|| DEFAULT_SIDE.into()),
        /// Frames between two scenes.
        transition_frames: Whole(VIDEO.transition_frames, |r| &mut r.transition_frames).or(|| DEFAULT_TRANSITION_FRAMES.into()),
        /// How a scene changes to the next: at once, by crossfade, or through pictures in between.
        join: Text(|r| &mut r.join).one_of(|| JOINS.to_vec()).or(|| "crossfade".into()),
        /// The seed of scene k is this plus k, unless the scene has its own. Drawn at random if absent or -1; the answer tells which.
        seed: Seed(LIMITS.max_seed, |r| &mut r.seed),
        /// What no scene should show.
        negative_prompt: Text(|r| &mut r.negative_prompt).length(0, LIMITS.max_prompt_chars),
        /// How closely the pictures follow the prompts; 1 or less turns guidance off.
        guidance_scale: Number(LIMITS.guidance_scale, |r| &mut r.guidance_scale).or(|| DEFAULT_GUIDANCE_SCALE.into()),
        /// The scheduler; the model's own if absent. The names of AUTOMATIC1111 ("DPM++ 2M Karras"), ComfyUI and diffusers are accepted
        /// too.
        scheduler: Scheduler(|r| &mut r.scheduler),
        sampler: Silent(|_, _, _| {}),
        /// The language of all prompts: `plain` (every character is text), `a1111` (AUTOMATIC1111's weights, `BREAK`, and prompts of
        /// any length), or `compel` (compel's weights, blends and conjunctions, and prompts of any length). The model's own if absent, else `plain`.
        prompt_syntax: Text(|r| &mut r.prompt_syntax).one_of(|| PromptSyntax::ALL.map(PromptSyntax::name).to_vec()),
        /// The autoencoder of the pictures: `full`, or `tiny` (TAESD: much faster, and less exact), where the model has one. The operator's
        /// choice for the model if absent.
        vae: Text(|r| &mut r.vae).one_of(|| VaeChoice::ALL.map(VaeChoice::name).to_vec()),
        /// LoRAs and other adapters that change the model for these pictures; the model's usual ones if absent, none if empty. Tags in the
        /// prompts (`<lora:ink:0.8>`) and in `hero_description` add to them; all scenes must have the same.
        loras: Other(loras_schema, |r, fields, name| r.loras = loras(fields, name)).inside(|| LORA.facts()),
        /// Which model of this machine makes it, by a name that `GET /models` lists; the default one if absent. An unknown name is 404 with
        /// the known ones.
        model: Text(|r| &mut r.model),
        /// How moving scenes move.
        motion: Object(|r, fields, name| r.motion = nested(fields, name, &MOTION).unwrap_or_default()).inside(|| MOTION.facts()),
    }
}

body_table! {
    /// A scene that differs from the rest.
    SCENE: SceneRequest, SceneObject as "SceneObject",
    example null,
    {
        /// What it shows.
        prompt: Text(|r| &mut r.prompt).required().length(1, LIMITS.max_prompt_chars),
        /// What it should not show; replaces the request's.
        negative_prompt: Text(|r| &mut r.negative_prompt).length(0, LIMITS.max_prompt_chars),
        /// Its own seed; -1 draws one at random.
        seed: DrawnSeed(LIMITS.max_seed, |r| &mut r.seed),
        /// How long it lasts, in seconds.
        duration: Number(VIDEO.scene_seconds, |r| &mut r.duration),
        /// Whether its picture stands still or is set in motion; still if absent, unless it has a motion.
        source: Text(|r| &mut r.source).one_of(|| SOURCES.to_vec()),
        /// How it moves; replaces the request's, and makes the scene a moving one.
        motion: Object(|r, fields, name| r.motion = nested(fields, name, &MOTION)).inside(|| MOTION.facts()),
        /// How it changes to the next scene.
        join: Text(|r| &mut r.join).one_of(|| JOINS.to_vec()),
        /// Frames between it and the next scene.
        transition_frames: Whole(VIDEO.transition_frames, |r| &mut r.transition_frames),
    }
}

static MOTION: Table<MotionRequest> =
    Table::new("Motion", "How a picture is set in motion.", || Value::Null, &[&motion_run(), &motion_settings()]);

/// The fields of a motion model's run.
pub(super) const fn motion_run<R: Holds<MotionRequest>>() -> [Row<R>; 2] {
    rows! { R;
        /// Frames that the model makes in one run; the number that it was trained for if absent.
        num_frames: Whole(VIDEO.num_frames, |r| &mut r.held().num_frames),
        /// Denoising steps.
        num_inference_steps: Whole(LIMITS.steps, |r| &mut r.held().num_inference_steps).or(|| DEFAULT_STEPS.into()),
    }
}

/// The fields of a motion model's conditioning.
pub(super) const fn motion_settings<R: Holds<MotionRequest>>() -> [Row<R>; 6] {
    rows! { R;
        /// The frame rate that the model is conditioned on.
        conditioning_fps: Whole(VIDEO.conditioning_fps, |r| &mut r.held().conditioning_fps).or(|| DEFAULT_CONDITIONING_FPS.into()),
        /// How much moves: from hardly anything (1) to a lot (255).
        motion_bucket_id: Whole(VIDEO.motion_bucket_id, |r| &mut r.held().motion_bucket_id).or(|| DEFAULT_MOTION_BUCKET_ID.into()),
        /// Noise added to the picture first: with more of it, the video departs further from the picture.
        noise_aug_strength: Number(VIDEO.noise_aug_strength, |r| &mut r.held().noise_aug_strength)
            .or(|| DEFAULT_NOISE_AUG_STRENGTH.into()),
        /// Guidance of the first frame.
        min_guidance_scale: Number(LIMITS.guidance_scale, |r| &mut r.held().min_guidance_scale).or(|| DEFAULT_MOTION_GUIDANCE.0.into()),
        /// Guidance of the last frame.
        max_guidance_scale: Number(LIMITS.guidance_scale, |r| &mut r.held().max_guidance_scale).or(|| DEFAULT_MOTION_GUIDANCE.1.into()),
        /// Frames decoded at once: fewer need less memory, and flicker more. All if absent.
        decode_chunk_size: Whole(VIDEO.decode_chunk_size, |r| &mut r.held().decode_chunk_size),
    }
}

/// Parses a body of `POST /generate-video` from a file's bytes. Returns the request, with absent fields unset, and the ignored keys.
///
/// # Errors
/// All faults except violated limits, in one line.
pub fn parse_scenes(body: &[u8]) -> Result<(ScenesRequest, Vec<IgnoredField>), String> {
    let one_line = |faults: &[ValidationErrorDetail]| {
        let place = |loc: &[Value]| {
            let steps = loc.iter().skip(1).map(|step| step.as_str().map_or_else(|| step.to_string(), str::to_owned));
            steps.collect::<Vec<_>>().join(".")
        };
        faults.iter().map(|fault| format!("{}: {}", place(&fault.loc), fault.msg)).collect::<Vec<_>>().join("; ")
    };
    match SCENES.parse(body) {
        Ok(Body { request, faults, named, .. }) => {
            let faults = [named.conflicts(), &faults].concat();
            if faults.is_empty() { Ok((request, named.ignored)) } else { Err(one_line(&named.at_sent_keys(faults))) }
        }
        Err(problem) if !problem.fields.is_empty() => Err(one_line(&problem.fields)),
        Err(error) => Err(error.to_string()),
    }
}

fn scenes(body: &mut Fields<'_>, name: &'static str) -> Option<Vec<SceneRequest>> {
    let entries = body.required(name, list)?;
    let mut scenes = Vec::new();
    // Longer lists are refused for their length, whatever the entries are.
    for (index, entry) in entries.iter().enumerate().take(MOST_ENTRIES) {
        let place = [Value::from(name), Value::from(index)];
        scenes.push(match entry {
            Value::String(prompt) => SceneRequest { prompt: Some(prompt.clone()), ..SceneRequest::default() },
            Value::Object(object) => {
                let mut fields = body.inside(object, &place);
                let scene = SCENE.fill(&mut fields);
                let faults = fields.faults;
                body.faults.extend(faults);
                scene
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => {
                body.fault(&place, ("string_type", "Input should be a valid string, or an object with a prompt"), entry);
                SceneRequest::default()
            }
        });
    }
    Some(scenes)
}

fn scenes_schema() -> Value {
    json!({"type": "array", "items": {"$ref": "#/components/schemas/Scene"}, "minItems": 2, "maxItems": VIDEO.max_scenes})
}

/// A number, or a fraction as a text.
pub(super) fn fps_schema() -> Value {
    let (min, max) = VIDEO.fps;
    json!({"type": ["number", "string", "null"], "minimum": min, "maximum": max, "examples": [24, "30000/1001"]})
}

/// A number, or a fraction as text.
pub(super) fn fps(value: &Value) -> Result<FpsRequest, TypeFault> {
    match value {
        Value::Number(number) => number.as_f64().map(FpsRequest::Number).ok_or(("float_type", "Input should be a valid number")),
        Value::String(text) => Ok(FpsRequest::Text(text.clone())),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => Err(("float_type", "Input should be a valid number")),
    }
}

fn list(value: &Value) -> Result<Vec<Value>, TypeFault> {
    value.as_array().cloned().ok_or(("list_type", "Input should be a valid list"))
}
