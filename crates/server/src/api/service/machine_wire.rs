//! The state of the machine, as on the wire and in /openapi.json.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use crate::api::tasks::TaskKind;

/// The state of this machine.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Machine {
    /// The program's version.
    #[schema(example = "0.1.0")]
    pub(crate) version: &'static str,
    /// "cpu", "cuda" or "metal"; null until a model's files have been opened.
    #[schema(example = "cpu")]
    pub(crate) device: Option<String>,
    /// Why this device was chosen, as a sentence; null while unknown.
    #[schema(example = "there is no GPU")]
    pub(crate) device_reason: Option<String>,
    /// The threads that compute; null if unknown.
    #[schema(example = 8)]
    pub(crate) cpu_threads: Option<usize>,
    /// The precision of the noise predictor: "f32", "bf16" or "f16"; null while unknown.
    #[schema(example = "bf16")]
    pub(crate) precision: Option<String>,
    /// The seconds since the server was set up.
    #[schema(example = 3600)]
    pub(crate) uptime_seconds: u64,
    /// Memory.
    pub(crate) memory: MachineMemory,
    /// The queue.
    pub(crate) queue: MachineQueue,
    /// The store of tasks.
    pub(crate) store: MachineStore,
    /// How fast models are; those that have been measured.
    pub(crate) speed: Vec<ModelSpeed>,
    /// Your last 20 failed tasks, the newest first.
    pub(crate) errors: Vec<FailedTask>,
}

/// The memory of this machine, in bytes; null where the system does not report it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MachineMemory {
    /// All of it, or the limit of the container if that is lower.
    #[schema(example = 34_359_738_368_u64)]
    pub(crate) total_bytes: Option<u64>,
    /// What programs could take now.
    #[schema(example = 20_000_000_000_u64)]
    pub(crate) available_bytes: Option<u64>,
    /// What this program holds.
    #[schema(example = 3_000_000_000_u64)]
    pub(crate) resident_bytes: Option<u64>,
    /// What the loaded models hold.
    #[schema(example = 2_132_000_000_u64)]
    pub(crate) models_bytes: u64,
    /// The limit of the models' memory; null without one.
    #[schema(example = json!(null))]
    pub(crate) limit_bytes: Option<u64>,
}

/// The queue.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MachineQueue {
    /// The tasks that wait.
    #[schema(example = 2)]
    pub(crate) waiting: usize,
    /// Those that run.
    #[schema(example = 1)]
    pub(crate) running: usize,
    /// How many this machine takes, the running ones included.
    #[schema(example = 100)]
    pub(crate) capacity: usize,
}

/// The store of tasks.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MachineStore {
    /// The bytes of kept files.
    #[schema(example = 1_048_576)]
    pub(crate) kept_bytes: u64,
    /// Their number.
    #[schema(example = 12)]
    pub(crate) kept_files: u64,
    /// The number of tasks in each state that has some: "queued", "running", "completed", "failed", "cancelled".
    #[schema(example = json!({"completed": 12, "failed": 1}))]
    pub(crate) jobs: BTreeMap<&'static str, u64>,
    /// The bytes that are free where files are kept; null if unknown.
    #[schema(example = 75_000_000_000_u64)]
    pub(crate) folder_free_bytes: Option<u64>,
}

/// How fast a model makes pictures of its own size.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ModelSpeed {
    /// The model's name.
    #[schema(example = "turbo")]
    pub(crate) model: String,
    /// The width of the pictures.
    #[schema(example = 512)]
    pub(crate) width: u32,
    /// Their height.
    #[schema(example = 512)]
    pub(crate) height: u32,
    /// The seconds of one denoising step: an average in which late pictures weigh more.
    #[schema(example = 0.8)]
    pub(crate) seconds_per_step: f64,
    /// Its inverse; null for 0.
    #[schema(example = 1.25)]
    pub(crate) steps_per_second: Option<f64>,
}

/// A failed task.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FailedTask {
    /// The task's id.
    #[schema(example = "img_abc123def456")]
    pub(crate) task_id: String,
    /// When it failed.
    #[schema(example = "2026-11-30T12:00:00Z")]
    pub(crate) at: String,
    /// What it should have made.
    pub(crate) kind: TaskKind,
    /// The kind of fault, as in a task's `error.code`.
    #[schema(example = "model")]
    pub(crate) code: String,
    /// One line for a person.
    #[schema(example = "the model has failed")]
    pub(crate) message: String,
}
