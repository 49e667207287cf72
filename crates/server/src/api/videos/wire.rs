//! Wire types of the video routes beside the tables of [`crate::api::videos::scenes_body`] and [`crate::api::videos::animate`].

use serde::Serialize;
use utoipa::ToSchema;

use crate::{api::videos::scenes_body::SceneObject, http::IgnoredField};

/// One scene: its prompt, or an object.
#[derive(ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "it only documents a body")]
pub(crate) enum Scene {
    /// Its prompt.
    #[schema(example = "a boat at sunset")]
    Prompt(String),
    /// The fields in which it differs from the rest.
    Object(SceneObject),
}

/// The answer of `POST /generate-video/info`.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct VideoInfo {
    /// The number of scenes.
    #[schema(example = 3)]
    pub(crate) scenes_count: usize,
    /// Frames of a scene without its own duration.
    #[schema(example = 72)]
    pub(crate) frames_per_scene: usize,
    /// Frames of a transition without its own length.
    #[schema(example = 12)]
    pub(crate) transition_frames: u32,
    /// All frames.
    #[schema(example = 240)]
    pub(crate) total_frames: usize,
    /// The length of the video in seconds.
    #[schema(example = 10.0)]
    pub(crate) total_duration_seconds: f64,
    /// Frames per second.
    #[schema(value_type = f64, example = 24)]
    pub(crate) fps: serde_json::Number,
    /// "WIDTHxHEIGHT".
    #[schema(example = "512x512")]
    pub(crate) resolution: String,
    /// Estimated seconds to make it, from times measured on this machine; null if nothing similar has been measured yet.
    #[schema(example = 0.6)]
    pub(crate) estimated_generation_time_seconds: Option<f64>,
    /// Unknown keys of the body; absent if there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) ignored_fields: Vec<IgnoredField>,
}
