//! The bodies of the video routes, as they stand in /openapi.json, and the answers that are JSON.
//!
//! What comes in is read field by field ([`crate::api::videos::scenes_body`], [`crate::api::videos::animate`]); these types describe it.
//! The bounds are those of [`generation::Limits::DEFAULT`]; a test holds the two together.

use serde::Serialize;
use utoipa::{
    ToSchema,
    openapi::{ObjectBuilder, OneOfBuilder, Schema, Type},
};

use crate::{http::IgnoredField, inputs::EXAMPLE_PICTURE};

/// What `POST /generate-video` takes. Other programs' names of the fields are understood; keys that no field has are ignored, and named in
/// the answer's `X-Ignored-Fields`.
#[derive(ToSchema)]
#[schema(as = GenerateVideoRequest, example = json!({
    "scenes": ["a peaceful sunrise over mountains with mist", "a beach at noon with boats", "a snowy forest at night under the moon"],
    "num_inference_steps": 25, "duration_per_scene": 3.0, "fps": 24, "width": 512, "height": 512, "transition_frames": 12
}))]
#[expect(dead_code, reason = "it describes what is read field by field")]
pub(crate) struct ScenesBody {
    /// What is shown, one after another: texts, or objects where a scene differs from the rest. At least two.
    #[schema(required = true, nullable = false, min_items = 2, max_items = 64)]
    scenes: Vec<SceneBody>,
    /// Stands before each scene's prompt, so that a character stays the same.
    #[schema(max_length = 2000, example = "")]
    hero_description: Option<String>,
    /// Denoising steps of each picture.
    #[schema(minimum = 1, maximum = 150, default = 25, example = 25)]
    num_inference_steps: Option<i64>,
    /// How long a scene lasts, in seconds: `trunc(duration * fps)` frames.
    #[schema(minimum = 0, maximum = 600, default = 3.0, example = 3.0)]
    duration_per_scene: Option<f64>,
    /// Frames in a second: a number, or a fraction as a text ("30000/1001").
    #[schema(schema_with = fps_schema)]
    fps: Option<f64>,
    /// Pixels across a frame; pictures are made at the model's own size and resized. An odd number is raised by one.
    #[schema(minimum = 16, maximum = 2048, default = 512, example = 512)]
    width: Option<i64>,
    /// Pixels down a frame. Width x height is at most 2097152.
    #[schema(minimum = 16, maximum = 2048, default = 512, example = 512)]
    height: Option<i64>,
    /// Frames between two scenes.
    #[schema(minimum = 0, maximum = 240, default = 12, example = 12)]
    transition_frames: Option<i64>,
    /// How scenes go over into one another: at once, by crossfade, or through pictures between them.
    join: Option<JoinName>,
    /// Scene k has the seed plus k, unless it has its own. Drawn at random if absent or -1, and told in the answer.
    #[schema(minimum = -1, maximum = 9223372036854775807i64, example = 42)]
    seed: Option<i64>,
    /// What no scene should show.
    #[schema(max_length = 2000, example = "")]
    negative_prompt: Option<String>,
    /// How closely the pictures follow the prompts; 1 or less turns it off.
    #[schema(minimum = 0, maximum = 50, default = 7.5, example = 7.5)]
    guidance_scale: Option<f64>,
    /// The scheduler; the model's own if absent. See `POST /generate`.
    #[schema(example = "ddim")]
    scheduler: Option<String>,
    /// How moving scenes move.
    motion: Option<MotionBody>,
}

/// One scene: its prompt, or an object.
#[derive(ToSchema)]
#[schema(as = Scene)]
#[serde(untagged)]
#[expect(dead_code, clippy::large_enum_variant, reason = "it describes what is read field by field, and is never made")]
pub(crate) enum SceneBody {
    /// Its prompt.
    #[schema(example = "a boat at sunset")]
    Prompt(String),
    /// What differs from the rest.
    Object(SceneObject),
}

/// A scene that differs from the rest.
#[derive(ToSchema)]
#[schema(as = SceneObject)]
#[expect(dead_code, reason = "it describes what is read field by field")]
pub(crate) struct SceneObject {
    /// What it shows.
    #[schema(min_length = 1, max_length = 2000, example = "a boat at sunset")]
    prompt: String,
    /// What it should not show, in the place of the request's.
    #[schema(max_length = 2000)]
    negative_prompt: Option<String>,
    /// Its own seed; -1 draws one at random.
    #[schema(minimum = -1, maximum = 9223372036854775807i64)]
    seed: Option<i64>,
    /// How long it lasts, in seconds.
    #[schema(minimum = 0, maximum = 600)]
    duration: Option<f64>,
    /// Whether its picture stands still or is set in motion.
    source: Option<SourceName>,
    /// How it moves, in the place of the request's; makes it a moving one.
    motion: Option<MotionBody>,
    /// How it goes over into the next scene.
    join: Option<JoinName>,
    /// Frames between it and the next scene.
    #[schema(minimum = 0, maximum = 240)]
    transition_frames: Option<i64>,
}

/// How a picture is set in motion.
#[derive(ToSchema)]
#[schema(as = Motion)]
#[expect(dead_code, reason = "it describes what is read field by field")]
pub(crate) struct MotionBody {
    /// Frames that the model makes at once; as many as it was made for if absent.
    #[schema(minimum = 2, maximum = 64)]
    num_frames: Option<i64>,
    /// Denoising steps.
    #[schema(minimum = 1, maximum = 150, default = 25)]
    num_inference_steps: Option<i64>,
    /// The frame rate that the model is told.
    #[schema(minimum = 1, maximum = 120, default = 7)]
    conditioning_fps: Option<i64>,
    /// How much moves: from hardly anything (1) to a lot (255).
    #[schema(minimum = 1, maximum = 1023, default = 127)]
    motion_bucket_id: Option<i64>,
    /// Noise added to the picture first: more lets the video leave it further behind.
    #[schema(minimum = 0, maximum = 10, default = 0.02)]
    noise_aug_strength: Option<f64>,
    /// Guidance of the first frame.
    #[schema(minimum = 0, maximum = 50, default = 1.0)]
    min_guidance_scale: Option<f64>,
    /// Guidance of the last frame.
    #[schema(minimum = 0, maximum = 50, default = 3.0)]
    max_guidance_scale: Option<f64>,
    /// Frames that are decoded at once: fewer need less memory, and flicker more. All if absent.
    #[schema(minimum = 1, maximum = 64)]
    decode_chunk_size: Option<i64>,
}

/// What `POST /animate` takes. Other programs' names of the fields are understood; keys that no field has are ignored, and named in the
/// answer's `X-Ignored-Fields`.
#[derive(ToSchema)]
#[schema(as = AnimateRequest, example = json!({"image": EXAMPLE_PICTURE, "motion_bucket_id": 127, "seed": 42}))]
#[expect(dead_code, reason = "it describes what is read field by field")]
pub(crate) struct AnimateBody {
    /// The picture: base64 of a PNG, JPEG or WebP file, or a data URL.
    #[schema(content_encoding = "base64")]
    image: String,
    /// Frames in a second, which the model is told too unless `conditioning_fps` says otherwise.
    #[schema(schema_with = fps_schema)]
    fps: Option<f64>,
    /// Pixels across, a multiple of 8; the model's own if absent.
    #[schema(minimum = 64, maximum = 2048, multiple_of = 8)]
    width: Option<i64>,
    /// Pixels down, a multiple of 8; the model's own if absent.
    #[schema(minimum = 64, maximum = 2048, multiple_of = 8)]
    height: Option<i64>,
    /// The noise's seed. Drawn at random if absent or -1, and told in the answer.
    #[schema(minimum = -1, maximum = 9223372036854775807i64, example = 42)]
    seed: Option<i64>,
    /// How it moves.
    #[serde(flatten)]
    motion: MotionBody,
}

/// A number, or a fraction as a text.
fn fps_schema() -> Schema {
    let number = ObjectBuilder::new().schema_type(Type::Number).minimum(Some(1)).maximum(Some(120));
    let fraction = ObjectBuilder::new().schema_type(Type::String).examples(["30000/1001"]);
    OneOfBuilder::new().item(number).item(fraction).item(ObjectBuilder::new().schema_type(Type::Null)).into()
}

/// How a scene goes over into the next.
#[derive(ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(default = "crossfade")]
#[expect(dead_code, reason = "it describes what is read field by field")]
pub(crate) enum JoinName {
    /// At once.
    Cut,
    /// Frame i of n is i / n of the next scene.
    Crossfade,
    /// Through pictures between the two.
    Slerp,
}

/// Where a scene's frames come from.
#[derive(ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(default = "still")]
#[expect(dead_code, reason = "it describes what is read field by field")]
pub(crate) enum SourceName {
    /// One picture, held.
    Still,
    /// The picture set in motion.
    Moving,
}

/// What `POST /generate-video/info` answers.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct VideoInfo {
    /// The scenes.
    #[schema(example = 3)]
    pub(crate) scenes_count: usize,
    /// Frames of a scene that does not say otherwise.
    #[schema(example = 72)]
    pub(crate) frames_per_scene: usize,
    /// Frames of a join that does not say otherwise.
    #[schema(example = 12)]
    pub(crate) transition_frames: u32,
    /// All frames.
    #[schema(example = 240)]
    pub(crate) total_frames: usize,
    /// How long the video lasts, in seconds.
    #[schema(example = 10.0)]
    pub(crate) total_duration_seconds: f64,
    /// Frames in a second.
    #[schema(value_type = f64, example = 24)]
    pub(crate) fps: serde_json::Number,
    /// "WIDTHxHEIGHT".
    #[schema(example = "512x512")]
    pub(crate) resolution: String,
    /// How long the models will take, from what was measured on this machine; null if nothing like it was measured yet.
    #[schema(example = 0.6)]
    pub(crate) estimated_generation_time_seconds: Option<f64>,
    /// The keys of the body that no field has; absent if there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) ignored_fields: Vec<IgnoredField>,
}
