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
