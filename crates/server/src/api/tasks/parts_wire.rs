//! Wire types of the parts of a video of scenes: its scenes, and the joins between them.

use serde::Serialize;
use utoipa::ToSchema;

/// The scenes and joins of a video. Cuts do not count.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub(crate) struct TaskParts {
    /// Made for this video.
    #[schema(example = 3)]
    pub(crate) made: u32,
    /// Taken from earlier videos of the same owner.
    #[schema(example = 20)]
    pub(crate) reused: u32,
}

/// The data of an event "part" of a video of scenes: a scene or a join whose last frame is finished.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "it only documents an event, whose data is stored as it is sent")]
pub(crate) struct ScenePartData {
    /// Its index in the timeline of `POST /generate-video/info`: scene k is 2k, and the join after it 2k + 1.
    #[schema(example = 2)]
    part: usize,
    /// The number of scenes and joins, cuts included.
    #[schema(example = 5)]
    parts: usize,
    /// "scene" or "join".
    #[schema(example = "scene")]
    kind: String,
    /// The scene, from 0; of a join, the scene before it.
    #[schema(example = 1)]
    scene: usize,
    /// Whether it is from an earlier video; otherwise it was made.
    #[schema(example = false)]
    reused: bool,
    /// A small picture of a scene's first frame, a JPEG file as a data URL; absent for joins.
    #[schema(example = "data:image/jpeg;base64,/9j/4AAQSkZJRg...")]
    still_url: Option<String>,
}
