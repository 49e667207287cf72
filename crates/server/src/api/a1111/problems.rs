//! The web UI's form of problems: `error`, `detail`, `body` and `errors`.
//!
//! The invariant: a field at fault is in the sentence of `detail`, which is all that most clients show.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::http::{Problem, ValidationErrorDetail};

/// An error.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WebUiErrorBody {
    /// A stable word for programs.
    #[schema(example = "validation_error")]
    pub(crate) error: &'static str,
    /// A sentence with the field, its value and its limit.
    #[schema(example = "steps: Input should be less than or equal to 150 (it is 151)")]
    pub(crate) detail: String,
    /// Empty, as in most answers of the web UI.
    #[schema(example = "")]
    pub(crate) body: &'static str,
    /// The same as `detail`.
    #[schema(example = "steps: Input should be less than or equal to 150 (it is 151)")]
    pub(crate) errors: String,
}

/// The body of a problem.
pub(crate) fn render(problem: &Problem) -> Value {
    let detail = match problem.fields.as_slice() {
        [] => problem.message.clone(),
        faults => faults.iter().map(ValidationErrorDetail::sentence).collect::<Vec<_>>().join("; "),
    };
    let body = WebUiErrorBody { error: problem.code, errors: detail.clone(), detail, body: "" };
    // It contains nothing that JSON cannot represent.
    serde_json::to_value(body).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::inputs::faults::detail;

    #[test]
    fn a_fault_is_a_sentence_with_its_field() {
        let fault = detail("less_than_equal", vec!["body".into(), "steps".into()], "Input should be at most 150".into(), 151.into());
        let sentence = "steps: Input should be at most 150 (it is 151)";
        let expected = json!({"error": "validation_error", "detail": sentence, "body": "", "errors": sentence});
        assert_eq!(render(&Problem::invalid(vec![fault])), expected);
        assert_eq!(render(&Problem::missing("Sampler not found"))["detail"], "Sampler not found");
    }
}
