//! Error bodies in FastAPI's two formats: `{"detail": "text"}`, and `{"detail": [..]}` with one entry for each faulty field.
//!
//! It must not know individual errors; [`crate::http::problem`] fills the bodies in.

use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// An error in one sentence.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ErrorBody {
    /// The sentence.
    #[schema(example = "Not Found")]
    pub(crate) detail: String,
    /// The state of the month's budget, with 402; else absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) budget: Option<BudgetBody>,
}

/// The state of a month's budget for services that the request would exceed.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[schema(as = Budget)]
pub(crate) struct BudgetBody {
    /// The service that the request is for.
    #[schema(example = "bedrock")]
    pub(crate) service: String,
    /// Whether it is your own budget for all services, rather than the service's.
    #[schema(example = false)]
    pub(crate) is_yours: bool,
    /// The month, in UTC.
    #[schema(example = "2026-11")]
    pub(crate) month: String,
    /// The most that may be spent in the month, in US dollars.
    #[schema(example = 5.0)]
    pub(crate) cap_usd: f64,
    /// The sum that is spent or reserved for videos in progress.
    #[schema(example = 4.8)]
    pub(crate) spent_usd: f64,
    /// The remaining sum.
    #[schema(example = 0.2)]
    pub(crate) left_usd: f64,
    /// The price of the video.
    #[schema(example = 0.48)]
    pub(crate) price_usd: f64,
}

/// Converts millionths of a dollar to dollars.
pub(crate) fn usd(micros: u64) -> f64 {
    micros as f64 / 1e6
}

/// The place of a field in the query, the body or the like; `controlnets.1` is an entry of a list.
pub(crate) fn place_of(source: &str, field: &str) -> Vec<Value> {
    let step = |step: &str| step.parse::<usize>().map_or_else(|_| Value::from(step), Value::from);
    std::iter::once(Value::from(source)).chain(field.split('.').map(step)).collect()
}

/// All faults of a body's fields.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ValidationErrorBody {
    /// One entry for each fault.
    pub(crate) detail: Vec<ValidationErrorDetail>,
}

/// One fault of a field.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub(crate) struct ValidationErrorDetail {
    /// The violated rule, in pydantic's vocabulary.
    #[serde(rename = "type")]
    #[schema(example = "less_than_equal")]
    pub(crate) kind: String,
    /// The place: "body", then the field's name; inside lists also an index.
    #[schema(example = json!(["body", "num_inference_steps"]))]
    pub(crate) loc: Vec<Value>,
    /// A sentence that names the limit.
    #[schema(example = "Input should be less than or equal to 150")]
    pub(crate) msg: String,
    /// The value that was sent; long texts are shortened.
    #[schema(example = 151)]
    pub(crate) input: Value,
    /// The rule's limits.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>, example = json!({"le": 150}))]
    pub(crate) ctx: Option<Map<String, Value>>,
}

impl ValidationErrorDetail {
    /// The field's place in the request, without "body" before it: "loras.0.name".
    pub(crate) fn field(&self) -> String {
        let steps: Vec<String> =
            self.loc.iter().skip(1).map(|step| step.as_str().map_or_else(|| step.to_string(), str::to_owned)).collect();
        if steps.is_empty() { "body".to_owned() } else { steps.join(".") }
    }

    /// The field, what is wrong with it, and its value.
    pub(crate) fn sentence(&self) -> String {
        let sentence = self.msg.strip_prefix("Value error, ").unwrap_or(&self.msg);
        let value = match &self.input {
            _ if self.kind == "missing" => String::new(),
            Value::Null | Value::Object(_) | Value::Array(_) => String::new(),
            value @ (Value::Bool(_) | Value::Number(_) | Value::String(_)) => format!(" (it is {value})"),
        };
        format!("{}: {sentence}{value}", self.field())
    }
}
