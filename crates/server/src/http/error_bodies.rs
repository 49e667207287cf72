//! What errors look like in FastAPI's two shapes: `{"detail": "text"}`, and `{"detail": [..]}` with one entry for each faulty field.
//!
//! It must not know which error it is; [`crate::http::problem`] fills them in.

use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// An error in one sentence.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ErrorBody {
    /// The sentence.
    #[schema(example = "Not Found")]
    pub(crate) detail: String,
    /// How the month's budget stands, with 402; else absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) budget: Option<BudgetBody>,
}

/// How a month's budget for services stands, where that has no room for what was asked for.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[schema(as = Budget)]
pub(crate) struct BudgetBody {
    /// The service that was to make it.
    #[schema(example = "bedrock")]
    pub(crate) service: String,
    /// Whether it is your own budget for all services, and not the service's.
    #[schema(example = false)]
    pub(crate) is_yours: bool,
    /// The month, in UTC.
    #[schema(example = "2026-11")]
    pub(crate) month: String,
    /// The most that may be spent in it, in US dollars.
    #[schema(example = 5.0)]
    pub(crate) cap_usd: f64,
    /// What is spent of it or reserved for videos that are being made.
    #[schema(example = 4.8)]
    pub(crate) spent_usd: f64,
    /// What is left of it.
    #[schema(example = 0.2)]
    pub(crate) left_usd: f64,
    /// What the video would cost.
    #[schema(example = 0.48)]
    pub(crate) price_usd: f64,
}

/// Millionths of a dollar in dollars.
pub(crate) fn usd(micros: u64) -> f64 {
    micros as f64 / 1e6
}

/// Everything that is wrong with a body's fields.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ValidationErrorBody {
    /// One entry for each fault.
    pub(crate) detail: Vec<ValidationErrorDetail>,
}

/// One fault of a field.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub(crate) struct ValidationErrorDetail {
    /// The rule that is broken, in pydantic's vocabulary.
    #[serde(rename = "type")]
    #[schema(example = "less_than_equal")]
    pub(crate) kind: String,
    /// Where: "body", then the field's name; inside of lists also an index.
    #[schema(example = json!(["body", "num_inference_steps"]))]
    pub(crate) loc: Vec<Value>,
    /// A sentence that names the limit.
    #[schema(example = "Input should be less than or equal to 150")]
    pub(crate) msg: String,
    /// The value that was sent, long texts cut.
    #[schema(example = 151)]
    pub(crate) input: Value,
    /// The rule's limits.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>, example = json!({"le": 150}))]
    pub(crate) ctx: Option<Map<String, Value>>,
}
