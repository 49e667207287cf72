//! Field faults in an answer: pydantic's rule and sentence, the place, and the value that was sent.
//!
//! It must not know any particular request. The invariant: echoed values are short.

use generation::{
    FieldError,
    field_error::{ContextValue, shortened},
};
use serde_json::{Map, Number, Value};

use crate::{
    http::{ValidationErrorDetail, place_of},
    inputs::non_finite,
};

/// The fault of a violated rule at a place.
pub(crate) fn error_detail(error: &FieldError, loc: Vec<Value>, input: Value) -> ValidationErrorDetail {
    let context: Map<String, Value> =
        error.kind.context().into_iter().map(|(name, value)| (name.to_owned(), context_value(value))).collect();
    let ctx = (!context.is_empty()).then_some(context);
    ValidationErrorDetail { input, ctx, ..detail(error.kind.type_name(), loc, error.message.clone(), Value::Null) }
}

/// A fault for which pydantic has no rule; the sentence describes it.
pub(crate) fn value_fault(loc: Vec<Value>, sentence: &str, input: Value) -> ValidationErrorDetail {
    let ctx = Some(Map::from_iter([("error".to_owned(), Value::from(sentence))]));
    ValidationErrorDetail { ctx, ..detail("value_error", loc, format!("Value error, {sentence}"), input) }
}

/// The fault of a body's field that shows only outside the body.
pub(crate) fn value_error(field: &str, error: String, value: &Value) -> ValidationErrorDetail {
    value_fault(place_of("body", field), &error, echo(value))
}

pub(crate) fn detail(kind: &str, loc: Vec<Value>, msg: String, input: Value) -> ValidationErrorDetail {
    ValidationErrorDetail { kind: kind.to_owned(), loc, msg, input, ctx: None }
}

/// A caller's value, shortened for the answer.
pub(crate) fn echo(value: &Value) -> Value {
    if let Some(literal) = non_finite::literal(value) {
        return Value::from(literal);
    }
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
        Value::String(text) => Value::from(shortened(text)),
        Value::Array(_) | Value::Object(_) => {
            let text = value.to_string();
            match shortened(&text) {
                short if short.len() == text.len() => value.clone(),
                cut => Value::from(cut),
            }
        }
    }
}

/// A limit of the validation as JSON.
fn context_value(value: ContextValue) -> Value {
    match value {
        ContextValue::Integer(value) => Number::from_i128(value).map_or(Value::Null, Value::Number),
        ContextValue::Float(value) => Value::from(value),
        ContextValue::Text(text) => Value::from(text),
    }
}
