//! What the Tasks API answers, as it stands on the wire and in /openapi.json.
//!
//! Names and shapes are those of the service that this API is compatible with; keys that it lacks are additions, never replacements.

use generation::jobs::{JobErrorKind, JobState};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::http::{IgnoredField, ValidationErrorDetail};

/// Who makes what is asked for: this machine.
pub(crate) const SERVICE: &str = "local";

/// What this API calls a service: Veo by the name of its third version, which its clients know.
pub(crate) fn service_name(service: &str) -> &str {
    if service == "veo" { "veo3" } else { service }
}

/// The tasks of a page that does not say how many.
pub(crate) const PAGE: usize = 100;

/// What `POST /api/v1/videos/generate` answers.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct VideoTaskResponse {
    /// The task's id.
    #[schema(example = "vid_abc123def456")]
    pub(crate) task_id: String,
    /// "pending".
    pub(crate) status: TaskStatus,
    /// Where to ask how it stands.
    #[schema(example = "Video generation task submitted. Poll /api/v1/tasks/vid_abc123def456 for status.")]
    pub(crate) message: String,
    /// The seed that it is made with.
    #[schema(example = 42)]
    pub(crate) seed: Option<u64>,
    /// What becomes of fields that do not do what they seem to.
    pub(crate) remarks: Vec<String>,
    /// The keys of the body that no field has; absent if there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) ignored_fields: Vec<IgnoredField>,
}

/// What `POST /api/v1/images/generate` answers.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PictureTaskResponse {
    /// The id of the task that made it.
    #[schema(example = "img_abc123def456")]
    pub(crate) task_id: Option<String>,
    /// Where the PNG file is to be had.
    #[schema(example = "http://localhost:8000/files/img_abc123def456/image-0.png")]
    pub(crate) image_url: Option<String>,
    /// The PNG file, base64 with padding; null if it is no longer kept.
    #[schema(content_encoding = "base64", content_media_type = "image/png", example = "iVBORw0KGgoAAAANSUhEUgAA...")]
    pub(crate) image_b64: Option<String>,
    /// "local".
    #[schema(example = "local")]
    pub(crate) service: String,
    /// How long it was worked on, in seconds.
    #[schema(example = 0.8)]
    pub(crate) duration: f64,
    /// Pixels across.
    #[schema(example = 1920)]
    pub(crate) width: u32,
    /// Pixels down.
    #[schema(example = 1080)]
    pub(crate) height: u32,
    /// Pixels across as the model made it.
    #[schema(example = 168)]
    pub(crate) native_width: u32,
    /// Pixels down as the model made it.
    #[schema(example = 96)]
    pub(crate) native_height: u32,
    /// The seed that it was made with.
    #[schema(example = 42)]
    pub(crate) seed: u64,
    /// How it was made, as it stands in the PNG.
    pub(crate) parameters: Option<String>,
    /// Whether the prompt was cut, for the model reads no more.
    #[schema(example = false)]
    pub(crate) prompt_truncated: bool,
    /// What the request may not do as it seems to, in sentences; absent if there is nothing to say.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) remarks: Vec<String>,
    /// The keys of the body that no field has; absent if there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) ignored_fields: Vec<IgnoredField>,
}

/// Where a task stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum TaskStatus {
    /// It waits for its turn.
    Pending,
    /// It is being made.
    Processing,
    /// It is done.
    Completed,
    /// It could not be done.
    Failed,
    /// It was called off.
    Cancelled,
}

impl TaskStatus {
    /// Every one, with the state that it stands for.
    pub(crate) const ALL: [(Self, JobState, &'static str); 5] = [
        (Self::Pending, JobState::Queued, "pending"),
        (Self::Processing, JobState::Running, "processing"),
        (Self::Completed, JobState::Completed, "completed"),
        (Self::Failed, JobState::Failed, "failed"),
        (Self::Cancelled, JobState::Cancelled, "cancelled"),
    ];

    /// The state that a name stands for.
    pub(crate) fn state_named(name: &str) -> Option<JobState> {
        Self::ALL.into_iter().find(|(_, _, known)| *known == name).map(|(_, state, _)| state)
    }
}

impl From<JobState> for TaskStatus {
    fn from(state: JobState) -> Self {
        match state {
            JobState::Queued => Self::Pending,
            JobState::Running => Self::Processing,
            JobState::Completed => Self::Completed,
            JobState::Failed => Self::Failed,
            JobState::Cancelled => Self::Cancelled,
        }
    }
}

/// A task as it stands.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Task {
    /// Its id.
    #[schema(example = "vid_abc123def456")]
    pub(crate) task_id: String,
    /// Where it stands.
    pub(crate) status: TaskStatus,
    /// How far it is, in percent; 100 when it is completed, and not before.
    #[schema(minimum = 0, maximum = 100, example = 45)]
    pub(crate) progress: u32,
    /// When it was taken.
    #[schema(format = DateTime, example = "2026-01-11T10:30:00Z")]
    pub(crate) created_at: String,
    /// When something last happened to it.
    #[schema(format = DateTime, example = "2026-01-11T10:30:15.250Z")]
    pub(crate) updated_at: String,
    /// When it ended.
    #[schema(value_type = Option<String>, format = DateTime, example = json!(null))]
    pub(crate) completed_at: Option<String>,
    /// What came of it, if it is completed.
    pub(crate) result: Option<TaskResult>,
    /// Why it failed, if it did.
    pub(crate) error: Option<TaskError>,
    /// A sentence on where it stands.
    #[schema(example = "45 % done")]
    pub(crate) message: String,
    /// How many jobs are served before it, while it waits.
    #[schema(example = json!(null))]
    pub(crate) queue_position: Option<usize>,
    /// How many seconds until it is done, by what was measured here; null if nothing was yet.
    #[schema(example = 12.5)]
    pub(crate) eta_seconds: Option<f64>,
    /// How often it was begun: more than once if the server went down meanwhile.
    #[schema(example = 1)]
    pub(crate) attempts: u32,
    /// The model that it waits for; absent where it waits for none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) waits_for_model: Option<ModelWait>,
}

/// A model that a task waits for.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ModelWait {
    /// Its name, as `GET /models` has it.
    #[schema(example = "turbo")]
    pub(crate) name: String,
    /// "queued", or "loading".
    #[schema(example = "loading")]
    pub(crate) state: String,
    /// How much of it is read, in percent, while it is loading.
    #[schema(minimum = 0, maximum = 100, example = 40)]
    pub(crate) progress: Option<u32>,
}

/// What came of a task.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TaskResult {
    /// Who made it: "local", "veo3", "bedrock", "pika", "replicate" or "huggingface".
    #[schema(example = "local")]
    pub(crate) service: String,
    /// What was made.
    pub(crate) result: TaskOutput,
    /// How long it was worked on, in seconds.
    #[schema(example = 12.5)]
    pub(crate) duration: f64,
}

/// What was made.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TaskOutput {
    /// Where the video is to be had, as MP4; null for pictures.
    #[schema(example = "http://localhost:8000/files/vid_abc123def456/video.mp4")]
    pub(crate) video_url: Option<String>,
    /// Where the first picture is to be had, as PNG; null for videos.
    #[schema(example = json!(null))]
    pub(crate) image_url: Option<String>,
    /// All files.
    pub(crate) files: Vec<TaskFile>,
    /// Pixels across.
    #[schema(example = 1280)]
    pub(crate) width: u32,
    /// Pixels down.
    #[schema(example = 720)]
    pub(crate) height: u32,
    /// Frames of a video; null for pictures.
    #[schema(example = 150)]
    pub(crate) frames: Option<usize>,
    /// Frames in a second, a number or a fraction; null for pictures.
    #[schema(example = "30")]
    pub(crate) fps: Option<String>,
    /// What the model itself made, before frames were mixed and resized; null where it made what you see.
    pub(crate) native: Option<NativeOutput>,
    /// The seed that it was made with; null where a service drew its own.
    #[schema(example = 42)]
    pub(crate) seed: Option<u64>,
    /// Whether a text was cut, for the model reads no more.
    #[schema(example = false)]
    pub(crate) prompt_truncated: bool,
    /// What became of fields that do not do what they seem to.
    pub(crate) remarks: Vec<String>,
    /// The keys of the body that no field has; absent if there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) ignored_fields: Vec<IgnoredField>,
}

/// A file of a task.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TaskFile {
    /// Its name.
    #[schema(example = "video.mp4")]
    pub(crate) name: String,
    /// Where it is to be had.
    pub(crate) url: String,
    /// Its media type.
    #[schema(example = "video/mp4")]
    pub(crate) media_type: String,
    /// Its length in bytes.
    #[schema(example = 1048576)]
    pub(crate) bytes: u64,
    /// Its SHA-256 digest, in hexadecimal.
    pub(crate) sha256: String,
    /// Whether it was removed since.
    #[schema(example = false)]
    pub(crate) expired: bool,
}

/// What the model itself made.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub(crate) struct NativeOutput {
    /// Pixels across.
    #[schema(example = 1024)]
    pub(crate) width: u32,
    /// Pixels down.
    #[schema(example = 576)]
    pub(crate) height: u32,
    /// Frames of a video; null for pictures.
    #[schema(example = 37)]
    pub(crate) frames: Option<usize>,
}

/// Why a task failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct TaskError {
    /// "VideoGenerationError" or "ImageGenerationError" where what was asked for cannot be made, "ServiceError" where the fault is here or
    /// with the service.
    #[serde(rename = "type")]
    #[schema(example = "VideoGenerationError")]
    pub(crate) kind: String,
    /// One line for a person.
    pub(crate) message: String,
    /// Whether the same request may well succeed at another time.
    #[schema(example = false)]
    pub(crate) retryable: bool,
    /// The kind of fault: "out_of_memory", "model", "refused", "encoder", "provider", "content_filter", "deadline", "uncertain", "internal" or
    /// "crashed".
    #[schema(example = "model")]
    pub(crate) code: String,
}

impl TaskError {
    pub(crate) fn new(is_video: bool, error: &generation::jobs::JobError) -> Self {
        let kind = match error.kind {
            JobErrorKind::OutOfMemory
            | JobErrorKind::Model
            | JobErrorKind::Refused
            | JobErrorKind::Encoder
            | JobErrorKind::ContentFilter => {
                if is_video {
                    "VideoGenerationError"
                } else {
                    "ImageGenerationError"
                }
            }
            JobErrorKind::Provider | JobErrorKind::Deadline | JobErrorKind::Uncertain | JobErrorKind::Internal | JobErrorKind::Crashed => {
                "ServiceError"
            }
        };
        let message = match error.kind {
            // This API's clients look for the word.
            JobErrorKind::ContentFilter => format!("Content policy violation (content_policy): {}", error.message),
            JobErrorKind::OutOfMemory
            | JobErrorKind::Model
            | JobErrorKind::Refused
            | JobErrorKind::Encoder
            | JobErrorKind::Provider
            | JobErrorKind::Deadline
            | JobErrorKind::Uncertain
            | JobErrorKind::Internal
            | JobErrorKind::Crashed => error.message.clone(),
        };
        Self { kind: kind.to_owned(), message, retryable: error.retryable, code: error.kind.name().to_owned() }
    }
}

/// A task in a list.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TaskSummary {
    /// Its id.
    #[schema(example = "vid_abc123def456")]
    pub(crate) task_id: String,
    /// Where it stands.
    pub(crate) status: TaskStatus,
    /// How far it is, in percent.
    #[schema(minimum = 0, maximum = 100, example = 45)]
    pub(crate) progress: u32,
    /// When it was taken.
    #[schema(format = DateTime, example = "2026-01-11T10:30:00Z")]
    pub(crate) created_at: String,
    /// When something last happened to it.
    #[schema(format = DateTime, example = "2026-01-11T10:30:15.250Z")]
    pub(crate) updated_at: String,
    /// A sentence on where it stands.
    #[schema(example = "45 % done")]
    pub(crate) message: String,
    /// How many jobs are served before it, while it waits.
    #[schema(example = json!(null))]
    pub(crate) queue_position: Option<usize>,
    /// How many seconds until it is done.
    #[schema(example = 12.5)]
    pub(crate) eta_seconds: Option<f64>,
}

/// A video's task as `GET /api/v1/videos/{id}` tells of it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct VideoStatus {
    /// Its id.
    #[schema(example = "vid_abc123def456")]
    pub(crate) task_id: String,
    /// Where it stands.
    pub(crate) status: TaskStatus,
    /// How far it is, in percent.
    #[schema(minimum = 0, maximum = 100, example = 45)]
    pub(crate) progress: u32,
    /// Where the video is to be had, if it is completed.
    #[schema(example = json!(null))]
    pub(crate) video_url: Option<String>,
    /// Why it failed, if it did, in one line.
    #[schema(example = json!(null))]
    pub(crate) error: Option<String>,
    /// When it was taken.
    #[schema(format = DateTime, example = "2026-01-11T10:30:00Z")]
    pub(crate) created_at: String,
    /// When something last happened to it.
    #[schema(format = DateTime, example = "2026-01-11T10:30:15Z")]
    pub(crate) updated_at: String,
}

/// What `DELETE /api/v1/tasks/{id}` answers.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CancelResponse {
    /// True.
    #[schema(example = true)]
    pub(crate) success: bool,
    /// That it has been cancelled.
    #[schema(example = "Task vid_abc123def456 has been cancelled")]
    pub(crate) message: String,
    /// The task's id.
    #[schema(example = "vid_abc123def456")]
    pub(crate) task_id: String,
}

/// One of a stream's server-sent events, as its lines say it.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "it describes what is written line by line")]
pub(crate) struct StreamedEvent {
    /// Its number, for `Last-Event-ID`; a preview has none.
    #[schema(example = "29")]
    id: Option<String>,
    /// What happened: "queued", "started", "progress", "part", "requeued", "completed", "failed", "cancelled" or "preview".
    #[schema(example = "progress")]
    event: Option<String>,
    /// JSON: `task_id`, `status`, `at` and what the kind has more; of the last event `task`, as `GET /api/v1/tasks/{id}` tells of it; of a
    /// preview what `PreviewData` has.
    #[schema(example = r#"{"task_id":"vid_abc123def456","status":"processing","at":"2026-01-11T10:30:00Z","progress":42}"#)]
    data: String,
}

/// The data of an event "preview": a small picture of what a step is coming to, or of a finished frame.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(crate) struct PreviewData {
    /// The frame of the video, from 0; absent for a step.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) frame: Option<usize>,
    /// Pixels down.
    #[schema(example = 96)]
    pub(crate) height: u32,
    /// The PNG file as a data URL.
    #[schema(example = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAA...")]
    pub(crate) image: String,
    /// The picture or the scene being made, from 0; absent for a frame.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) part: Option<u32>,
    /// Steps done, from 1; absent for a frame.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) step: Option<usize>,
    /// Steps of the part; absent for a frame.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) steps: Option<usize>,
    /// The task's id.
    #[schema(example = "vid_abc123def456")]
    pub(crate) task_id: String,
    /// Pixels across.
    #[schema(example = 96)]
    pub(crate) width: u32,
}

/// The `error` of an error below `/api/v1`.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TaskErrorObject {
    /// "TASK_NOT_FOUND", "TASK_CANCELLED", "VALIDATION_ERROR", "BUDGET_EXCEEDED", "RATE_LIMIT_EXCEEDED", "SERVICE_ERROR", "INTERNAL_ERROR" or
    /// "HTTP_ERROR".
    #[schema(example = "TASK_NOT_FOUND")]
    pub(crate) code: String,
    /// A sentence.
    #[schema(example = "Task not found: vid_abc123def456")]
    pub(crate) message: String,
    /// More about it; nothing for most.
    #[schema(value_type = Object)]
    pub(crate) details: Value,
}

/// An error below `/api/v1`.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TaskErrorBody {
    /// A sentence.
    #[schema(example = "Task not found: vid_abc123def456")]
    pub(crate) detail: String,
    /// The same for programs.
    pub(crate) error: TaskErrorObject,
}

/// The `error` where fields are wrong.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TaskValidationErrorObject {
    /// "VALIDATION_ERROR".
    #[schema(example = "VALIDATION_ERROR")]
    pub(crate) code: String,
    /// A sentence.
    #[schema(example = "Request validation failed")]
    pub(crate) message: String,
    /// One entry for each fault, as in `detail`.
    pub(crate) details: Vec<ValidationErrorDetail>,
}

/// Everything that is wrong with a request below `/api/v1`.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TaskValidationErrorBody {
    /// One entry for each fault.
    pub(crate) detail: Vec<ValidationErrorDetail>,
    /// The same for programs.
    pub(crate) error: TaskValidationErrorObject,
}
