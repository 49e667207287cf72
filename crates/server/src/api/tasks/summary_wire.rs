//! What lists and whole tasks have in common, as on the wire and in /openapi.json.

use generation::jobs::{Priority, WorkKind};
use serde::Serialize;
use utoipa::ToSchema;

use crate::api::tasks::wire::TaskStatus;

/// What a task makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum TaskKind {
    /// A picture.
    Image,
    /// A video.
    Video,
    /// An enlarged picture.
    Upscale,
}

impl From<WorkKind> for TaskKind {
    fn from(kind: WorkKind) -> Self {
        match kind {
            WorkKind::Image => Self::Image,
            WorkKind::Video => Self::Video,
            WorkKind::Upscale => Self::Upscale,
        }
    }
}

/// The priority of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum TaskPriority {
    /// After the others.
    Low,
    /// The default.
    Normal,
    /// Before the others.
    High,
}

impl From<Priority> for TaskPriority {
    fn from(priority: Priority) -> Self {
        match priority {
            Priority::Low => Self::Low,
            Priority::Normal => Self::Normal,
            Priority::High => Self::High,
        }
    }
}

/// What a task makes, and its first file.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TaskAbout {
    /// What it makes.
    pub(crate) kind: TaskKind,
    /// What the result shows, the prompts of scenes joined by " / "; null if it has no prompt.
    #[schema(example = "a boat at sunset")]
    pub(crate) prompt: Option<String>,
    /// The model, by the name in the request; null for the default model.
    #[schema(example = json!(null))]
    pub(crate) model: Option<String>,
    /// Width in pixels; null while unknown.
    #[schema(example = 1024)]
    pub(crate) width: Option<u32>,
    /// Height in pixels; null while unknown.
    #[schema(example = 768)]
    pub(crate) height: Option<u32>,
    /// The seed; null if a service draws its own.
    #[schema(example = 42)]
    pub(crate) seed: Option<u64>,
    /// Its priority among your tasks.
    pub(crate) priority: TaskPriority,
    /// Frames of a video; null while unknown, and for pictures.
    #[schema(example = json!(null))]
    pub(crate) frames: Option<usize>,
    /// The duration of a video in seconds; null while unknown, and for pictures.
    #[schema(example = json!(null))]
    pub(crate) duration_seconds: Option<f64>,
    /// The time spent on it so far, in seconds; null before it starts.
    #[schema(example = 12.5)]
    pub(crate) elapsed_seconds: Option<f64>,
    /// Its first file; null while there is none.
    pub(crate) file: Option<TaskFileLink>,
    /// The URL of a small picture of it; null while there is none. Like the file's URL it changes about every hour if the server has keys.
    #[schema(example = "http://localhost:8000/api/v1/tasks/img_abc123def456/thumbnail")]
    pub(crate) thumbnail_url: Option<String>,
}

/// A file of a task, and where it is.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TaskFileLink {
    /// Its name.
    #[schema(example = "image-0.png")]
    pub(crate) name: String,
    /// Its URL.
    #[schema(example = "http://localhost:8000/files/img_abc123def456/image-0.png")]
    pub(crate) url: String,
    /// Its media type.
    #[schema(example = "image/png")]
    pub(crate) media_type: String,
    /// Its size in bytes.
    #[schema(example = 1048576)]
    pub(crate) bytes: u64,
    /// Whether it has been removed.
    #[schema(example = false)]
    pub(crate) expired: bool,
}

/// A task in a list.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TaskSummary {
    /// Its id.
    #[schema(example = "vid_abc123def456")]
    pub(crate) task_id: String,
    /// Its status.
    pub(crate) status: TaskStatus,
    /// Progress in percent.
    #[schema(minimum = 0, maximum = 100, example = 45)]
    pub(crate) progress: u32,
    /// When it was accepted.
    #[schema(format = DateTime, example = "2026-01-11T10:30:00Z")]
    pub(crate) created_at: String,
    /// When it last changed.
    #[schema(format = DateTime, example = "2026-01-11T10:30:15.250Z")]
    pub(crate) updated_at: String,
    /// When it ended; null before.
    #[schema(value_type = Option<String>, format = DateTime, example = json!(null))]
    pub(crate) completed_at: Option<String>,
    /// A sentence about its state.
    #[schema(example = "45 % done")]
    pub(crate) message: String,
    /// How many jobs are served before it, while it is queued.
    #[schema(example = json!(null))]
    pub(crate) queue_position: Option<usize>,
    /// Estimated seconds until it is done.
    #[schema(example = 12.5)]
    pub(crate) eta_seconds: Option<f64>,
    /// Why it failed, in one line; null if it did not.
    #[schema(example = json!(null))]
    pub(crate) error: Option<String>,
    /// What it makes, and its first file.
    #[serde(flatten)]
    pub(crate) about: TaskAbout,
}
