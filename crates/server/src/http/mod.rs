//! HTTP for every API: problems and their bodies, request bodies, ranges and conditions, answer headers, the log and the metrics of
//! requests.
//!
//! It must not know the other modules, nor what any route is for.

pub(crate) mod conditions;
pub(crate) mod error_bodies;
pub(crate) mod file_answer;
pub(crate) mod head_answer;
pub(crate) mod header_values;
pub(crate) mod idempotency;
pub(crate) mod metrics;
pub(crate) mod metrics_format;
pub mod multipart_file;
pub(crate) mod other_protocols;
pub(crate) mod path_methods;
pub(crate) mod problem;
pub mod repeated_requests;
pub(crate) mod request_body;
mod request_id;
pub(crate) mod request_log;
pub mod request_memory;
pub(crate) mod request_metrics;
pub(crate) mod request_notes;
pub(crate) mod respond_async;

pub(crate) use self::{
    error_bodies::{ErrorBody, ValidationErrorBody, ValidationErrorDetail, place_of, usd},
    file_answer::FileAnswer,
    header_values::insert,
    idempotency::IdempotencyHeader,
    path_methods::path,
    problem::{
        HeadRenderer, Problem, Renderer,
        documented::{FileAnswers, HeldJobProblems, JsonBodyProblems, ModelProblems, QueueProblems, ServiceProblems, StoreProblems},
    },
    request_body::{RequestBody, check_type, holding, offload},
    request_memory::HeldMemory,
    request_notes::{IgnoredField, RequestNotes},
    respond_async::PreferHeader,
};
