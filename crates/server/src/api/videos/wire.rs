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
    /// Estimated seconds to make the parts that are not `cached`, from times measured on this machine; null if nothing similar has been
    /// measured yet.
    #[schema(example = 0.6)]
    pub(crate) estimated_generation_time_seconds: Option<f64>,
    /// The scenes and the joins between them, in order.
    pub(crate) timeline: Vec<TimelinePart>,
    /// Unknown keys of the body; absent if there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) ignored_fields: Vec<IgnoredField>,
}

/// A scene of a video, or the join between two.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TimelinePart {
    /// "scene" or "join".
    #[schema(example = "scene")]
    pub(crate) kind: &'static str,
    /// The scene, from 0; of a join, the scene before it.
    #[schema(example = 0)]
    pub(crate) scene: usize,
    /// Its first frame.
    #[schema(example = 0)]
    pub(crate) start_frame: usize,
    /// Its frames; a cut has none.
    #[schema(example = 72)]
    pub(crate) frames: usize,
    /// Its start in seconds.
    #[schema(example = 0.0)]
    pub(crate) start_seconds: f64,
    /// Its length in seconds.
    #[schema(example = 3.0)]
    pub(crate) seconds: f64,
    /// The seed of a scene; absent for a join. Without a seed of its own, scene k has the request's seed plus k.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 42)]
    pub(crate) seed: Option<u64>,
    /// How a scene changes to the next: "cut", "crossfade" or "slerp"; absent for a scene.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) join: Option<&'static str>,
    /// Whether the server has this part from an earlier video of yours, so that no model makes it again; true for a cut, of which there is
    /// nothing to make. False until the model has been loaded.
    #[schema(example = false)]
    pub(crate) cached: bool,
}
