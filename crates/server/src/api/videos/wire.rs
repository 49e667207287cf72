//! What the video routes take and answer beside the tables of [`crate::api::videos::scenes_body`] and [`crate::api::videos::animate`].

use serde::Serialize;
use utoipa::ToSchema;

use crate::{api::videos::scenes_body::SceneObject, http::IgnoredField};

/// One scene: its prompt, or an object.
#[derive(ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "it describes what is read field by field, and is never made")]
pub(crate) enum Scene {
    /// Its prompt.
    #[schema(example = "a boat at sunset")]
    Prompt(String),
    /// What differs from the rest.
    Object(SceneObject),
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
