//! Answers of the Tasks API, as on the wire and in /openapi.json.
//!
//! Names and shapes are those of the service that this API is compatible with; new keys are additions, never replacements.

use generation::jobs::{JobErrorKind, JobState};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::parts_wire::TaskParts;
use crate::{
    api::tasks::summary_wire::TaskAbout,
    http::{IgnoredField, ValidationErrorDetail},
};

/// The name of this machine as a service.
pub(crate) const SERVICE: &str = "local";

/// This API's name for a service: its clients know Veo as "veo3".
pub(crate) fn service_name(service: &str) -> &str {
    if service == "veo" { "veo3" } else { service }
}

/// The default number of tasks per page.
pub(crate) const PAGE: usize = 100;

/// The answer of `POST /api/v1/videos/generate`.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct VideoTaskResponse {
    /// The task's id.
    #[schema(example = "vid_abc123def456")]
    pub(crate) task_id: String,
    /// "pending".
    pub(crate) status: TaskStatus,
    /// A sentence that says where to poll.
    #[schema(example = "Video generation task submitted. Poll /api/v1/tasks/vid_abc123def456 for status.")]
    pub(crate) message: String,
    /// The seed.
    #[schema(example = 42)]
    pub(crate) seed: Option<u64>,
    /// Remarks on fields that do not do what they seem to.
    pub(crate) remarks: Vec<String>,
    /// Unknown keys of the body; absent if there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) ignored_fields: Vec<IgnoredField>,
}

/// The answer of `POST /api/v1/images/generate`.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ImageTaskResponse {
    /// The id of the task that made it.
    #[schema(example = "img_abc123def456")]
    pub(crate) task_id: Option<String>,
    /// The URL of the PNG file.
    #[schema(example = "http://localhost:8000/files/img_abc123def456/image-0.png")]
    pub(crate) image_url: Option<String>,
    /// The PNG file, base64 with padding; null if it is no longer kept.
    #[schema(content_encoding = "base64", content_media_type = "image/png", example = "iVBORw0KGgoAAAANSUhEUgAA...")]
    pub(crate) image_b64: Option<String>,
    /// "local".
    #[schema(example = "local")]
    pub(crate) service: String,
    /// The time spent on it, in seconds.
    #[schema(example = 0.8)]
    pub(crate) duration: f64,
    /// Width in pixels.
    #[schema(example = 1920)]
    pub(crate) width: u32,
    /// Height in pixels.
    #[schema(example = 1080)]
    pub(crate) height: u32,
    /// Width in pixels as the model made it.
    #[schema(example = 168)]
    pub(crate) native_width: u32,
    /// Height in pixels as the model made it.
    #[schema(example = 96)]
    pub(crate) native_height: u32,
    /// The seed that it was made with.
    #[schema(example = 42)]
    pub(crate) seed: u64,
    /// How it was made, as in the PNG.
    pub(crate) parameters: Option<String>,
    /// Whether the prompt was longer than the model reads, and was cut.
    #[schema(example = false)]
    pub(crate) prompt_truncated: bool,
    /// Ways in which the request may not do what it seems to, in sentences; absent if there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) remarks: Vec<String>,
    /// Unknown keys of the body; absent if there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) ignored_fields: Vec<IgnoredField>,
}

/// The status of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum TaskStatus {
    /// It is queued.
    Pending,
    /// It is running.
    Processing,
    /// It is done.
    Completed,
    /// It failed.
    Failed,
    /// It was cancelled.
    Cancelled,
}

impl TaskStatus {
    /// Every status, with its state and its name.
    pub(crate) const ALL: [(Self, JobState, &'static str); 5] = [
        (Self::Pending, JobState::Queued, "pending"),
        (Self::Processing, JobState::Running, "processing"),
        (Self::Completed, JobState::Completed, "completed"),
        (Self::Failed, JobState::Failed, "failed"),
        (Self::Cancelled, JobState::Cancelled, "cancelled"),
    ];

    /// The state with this status name.
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

/// A task in its current state.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Task {
    /// Its id.
    #[schema(example = "vid_abc123def456")]
    pub(crate) task_id: String,
    /// Its status.
    pub(crate) status: TaskStatus,
    /// Progress in percent; 100 only when it is completed.
    #[schema(minimum = 0, maximum = 100, example = 45)]
    pub(crate) progress: u32,
    /// When it was accepted.
    #[schema(format = DateTime, example = "2026-01-11T10:30:00Z")]
    pub(crate) created_at: String,
    /// When it last changed.
    #[schema(format = DateTime, example = "2026-01-11T10:30:15.250Z")]
    pub(crate) updated_at: String,
    /// When it ended.
    #[schema(value_type = Option<String>, format = DateTime, example = json!(null))]
    pub(crate) completed_at: Option<String>,
    /// Its result, if it is completed.
    pub(crate) result: Option<TaskResult>,
    /// Why it failed, if it did.
    pub(crate) error: Option<TaskError>,
    /// A sentence about its state.
    #[schema(example = "45 % done")]
    pub(crate) message: String,
    /// How many jobs are served before it, while it is queued.
    #[schema(example = json!(null))]
    pub(crate) queue_position: Option<usize>,
    /// Estimated seconds until it is done, from times measured on this machine; null if there are none yet.
    #[schema(example = 12.5)]
    pub(crate) eta_seconds: Option<f64>,
    /// How many times it was started: more than once if the server went down meanwhile.
    #[schema(example = 1)]
    pub(crate) attempts: u32,
    /// The model that it waits for; absent if none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) waits_for_model: Option<ModelWait>,
    /// What it makes, and its first file.
    #[serde(flatten)]
    pub(crate) about: TaskAbout,
    /// How it is asked for again, as it was understood; null if that is not known.
    pub(crate) request: Option<TaskRequest>,
    /// How its first picture was made, as in the file; null for videos, and while there is none.
    pub(crate) parameters: Option<String>,
}

/// How a task is asked for again.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct TaskRequest {
    /// The path of the route.
    #[schema(example = "/api/v1/images/generate-i2i")]
    pub(crate) path: String,
    /// The body, with the route's own field names: defaults are filled in, the seed is concrete, and pictures are left out.
    #[schema(value_type = Object, example = json!({"prompt": "a boat at sunset", "steps": 25, "seed": 42, "strength": 0.3}))]
    pub(crate) body: Value,
    /// The fields of the body whose pictures have to be given again.
    #[schema(example = json!(["image"]))]
    pub(crate) needs: Vec<String>,
}

/// A model that a task waits for.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ModelWait {
    /// Its name, as in `GET /models`.
    #[schema(example = "turbo")]
    pub(crate) name: String,
    /// "queued", or "loading".
    #[schema(example = "loading")]
    pub(crate) state: String,
    /// How much of it is read, in percent, while it is loading.
    #[schema(minimum = 0, maximum = 100, example = 40)]
    pub(crate) progress: Option<u32>,
}

/// The result of a task.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TaskResult {
    /// What made it: "local", "veo3", "bedrock", "pika", "replicate" or "huggingface".
    #[schema(example = "local")]
    pub(crate) service: String,
    /// The output.
    pub(crate) result: TaskOutput,
    /// The time spent on it, in seconds.
    #[schema(example = 12.5)]
    pub(crate) duration: f64,
}

/// The output of a task.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TaskOutput {
    /// The URL of the video, as MP4; null for pictures.
    #[schema(example = "http://localhost:8000/files/vid_abc123def456/video.mp4")]
    pub(crate) video_url: Option<String>,
    /// The URL of the first picture, as PNG; null for videos.
    #[schema(example = json!(null))]
    pub(crate) image_url: Option<String>,
    /// All files.
    pub(crate) files: Vec<TaskFile>,
    /// Width in pixels.
    #[schema(example = 1280)]
    pub(crate) width: u32,
    /// Height in pixels.
    #[schema(example = 720)]
    pub(crate) height: u32,
    /// Frames of a video; null for pictures.
    #[schema(example = 150)]
    pub(crate) frames: Option<usize>,
    /// Frames per second, a number or a fraction; null for pictures.
    #[schema(example = "30")]
    pub(crate) fps: Option<String>,
    /// The model's own output, before frames were interpolated and resized; null if that is the output itself.
    pub(crate) native: Option<NativeOutput>,
    /// The seed; null if a service drew its own.
    #[schema(example = 42)]
    pub(crate) seed: Option<u64>,
    /// How many scenes and joins of a video of scenes were made for it, and how many are from earlier videos; absent for all else.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) parts: Option<TaskParts>,
    /// Whether a text was longer than the model reads, and was cut.
    #[schema(example = false)]
    pub(crate) prompt_truncated: bool,
    /// Remarks on fields that do not do what they seem to.
    pub(crate) remarks: Vec<String>,
    /// Unknown keys of the body; absent if there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) ignored_fields: Vec<IgnoredField>,
}

/// A file of a task.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TaskFile {
    /// Its name.
    #[schema(example = "video.mp4")]
    pub(crate) name: String,
    /// Its URL.
    pub(crate) url: String,
    /// Its media type.
    #[schema(example = "video/mp4")]
    pub(crate) media_type: String,
    /// Its size in bytes.
    #[schema(example = 1048576)]
    pub(crate) bytes: u64,
    /// Its SHA-256 digest, in hexadecimal.
    pub(crate) sha256: String,
    /// Whether it has been removed.
    #[schema(example = false)]
    pub(crate) expired: bool,
}

/// The model's own output.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub(crate) struct NativeOutput {
    /// Width in pixels.
    #[schema(example = 1024)]
    pub(crate) width: u32,
    /// Height in pixels.
    #[schema(example = 576)]
    pub(crate) height: u32,
    /// Frames of a video; null for pictures.
    #[schema(example = 37)]
    pub(crate) frames: Option<usize>,
}

/// Why a task failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct TaskError {
    /// "VideoGenerationError" or "ImageGenerationError" if the request cannot be fulfilled, "ServiceError" if the fault is here or with the
    /// service.
    #[serde(rename = "type")]
    #[schema(example = "VideoGenerationError")]
    pub(crate) kind: String,
    /// One line for a person.
    pub(crate) message: String,
    /// Whether the same request may succeed later.
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
            // This API's clients look for the word "content_policy".
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

/// A video's task in `GET /api/v1/videos/{id}`.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct VideoStatus {
    /// Its id.
    #[schema(example = "vid_abc123def456")]
    pub(crate) task_id: String,
    /// Its status.
    pub(crate) status: TaskStatus,
    /// Progress in percent.
    #[schema(minimum = 0, maximum = 100, example = 45)]
    pub(crate) progress: u32,
    /// The URL of the video, if it is completed.
    #[schema(example = json!(null))]
    pub(crate) video_url: Option<String>,
    /// Why it failed, if it did, in one line.
    #[schema(example = json!(null))]
    pub(crate) error: Option<String>,
    /// When it was accepted.
    #[schema(format = DateTime, example = "2026-01-11T10:30:00Z")]
    pub(crate) created_at: String,
    /// When it last changed.
    #[schema(format = DateTime, example = "2026-01-11T10:30:15Z")]
    pub(crate) updated_at: String,
}

/// The answer of `DELETE /api/v1/tasks/{id}`.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CancelResponse {
    /// True.
    #[schema(example = true)]
    pub(crate) success: bool,
    /// A sentence that says that it has been cancelled or deleted.
    #[schema(example = "Task vid_abc123def456 has been cancelled")]
    pub(crate) message: String,
    /// The task's id.
    #[schema(example = "vid_abc123def456")]
    pub(crate) task_id: String,
}

/// One server-sent event of a stream, line by line.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "it only documents the lines of an event")]
pub(crate) struct StreamedEvent {
    /// Its number, for `Last-Event-ID`; previews and deletions have none.
    #[schema(example = "29")]
    id: Option<String>,
    /// What happened: "queued", "routed", "started", "progress", "part", "requeued", "priority", "completed", "failed", "cancelled" or "preview";
    /// in the stream of all tasks also "hello" and "forgotten".
    #[schema(example = "progress")]
    event: Option<String>,
    /// JSON: `task_id`, `status`, `at`, and further keys of the kind; a "part" of a video of scenes has the keys of `ScenePartData`; the last event has `task`, as in `GET /api/v1/tasks/{id}`; a preview
    /// has the keys of `PreviewData`.
    #[schema(example = r#"{"task_id":"vid_abc123def456","status":"processing","at":"2026-01-11T10:30:00Z","progress":42}"#)]
    data: String,
}

/// The data of an event "preview": a small picture of what a step leads to, or of a finished frame.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(crate) struct PreviewData {
    /// The frame of the video, from 0; absent for a step.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) frame: Option<usize>,
    /// Height in pixels.
    #[schema(example = 96)]
    pub(crate) height: u32,
    /// The PNG file as a data URL.
    #[schema(example = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAA...")]
    pub(crate) image: String,
    /// The picture or the scene in progress, from 0; absent for a frame.
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
    /// Width in pixels.
    #[schema(example = 96)]
    pub(crate) width: u32,
}

/// The `error` of an error below `/api/v1`.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TaskErrorObject {
    /// "TASK_NOT_FOUND", "MODEL_NOT_FOUND", "TASK_CANCELLED", "VALIDATION_ERROR", "BUDGET_EXCEEDED", "RATE_LIMIT_EXCEEDED",
    /// "SERVICE_ERROR", "INTERNAL_ERROR" or "HTTP_ERROR".
    #[schema(example = "TASK_NOT_FOUND")]
    pub(crate) code: String,
    /// A sentence.
    #[schema(example = "Task not found: vid_abc123def456")]
    pub(crate) message: String,
    /// More about it; usually empty.
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

/// The `error` object of a validation error.
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

/// All faults of a request below `/api/v1`.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TaskValidationErrorBody {
    /// One entry for each fault.
    pub(crate) detail: Vec<ValidationErrorDetail>,
    /// The same for programs.
    pub(crate) error: TaskValidationErrorObject,
}
