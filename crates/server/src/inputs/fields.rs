//! Reads the fields of a JSON object one by one, so that all faults are reported at once and by name.
//!
//! It must not know any particular request. Values are converted as pydantic does ([`crate::inputs::scalars`]), and rule names and
//! sentences are pydantic's. An optional field may be null.

use actix_web::http::StatusCode;
use generation::{FieldError, FieldErrorKind};
use serde_json::{Map, Value};
use url::form_urlencoded;

use crate::{
    http::{Problem, ValidationErrorDetail},
    inputs::{
        faults::{detail, echo, error_detail},
        field_names::NamedBody,
        non_finite,
        scalars::NOT_FINITE,
    },
};

pub(crate) use crate::inputs::scalars::{TypeFault, boolean, float, integer, string};

/// The maximum number of list entries in one answer.
pub(crate) const MAX_LISTED: usize = 1000;

/// Parses a body that must be an object.
pub(crate) fn parse_object(body: &[u8]) -> Result<Map<String, Value>, Problem> {
    // Editors may put a byte order mark at the start of a file; RFC 8259 (8.1) lets a parser ignore it.
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    if body.iter().all(u8::is_ascii_whitespace) {
        return Err(Problem::invalid(vec![detail("missing", vec!["body".into()], "Field required".into(), Value::Null)]));
    }
    let json = match serde_json::from_slice(body) {
        Ok(json) => json,
        Err(error) => non_finite::parse_with_markers(body)
            .ok_or_else(|| Problem::new(StatusCode::BAD_REQUEST, "malformed_json", format!("Malformed JSON: {error}")))?,
    };
    if let Value::Object(object) = json {
        return Ok(object);
    }
    let sentence = "Input should be a valid dictionary or object to extract fields from";
    Err(Problem::invalid(vec![detail("model_attributes_type", vec!["body".into()], sentence.into(), echo(&json))]))
}

/// The fields of an object, and their faults so far.
pub(crate) struct Fields<'a> {
    object: &'a Map<String, Value>,
    /// The place of the object: "body", then keys and indices.
    place: Vec<Value>,
    pub(crate) faults: Vec<ValidationErrorDetail>,
}

impl<'a> Fields<'a> {
    /// The fields of the body itself.
    pub(crate) fn new(object: &'a Map<String, Value>) -> Self {
        Self { object, place: vec!["body".into()], faults: Vec::new() }
    }

    /// The text fields of a place other than the body: "query" or "header".
    pub(crate) fn of(object: &'a Map<String, Value>, place: &str) -> Self {
        Self { object, place: vec![place.into()], faults: Vec::new() }
    }

    /// The fields of a nested object.
    pub(crate) fn inside(&self, object: &'a Map<String, Value>, steps: &[Value]) -> Self {
        Self { object, place: self.place.iter().chain(steps).cloned().collect(), faults: Vec::new() }
    }

    /// A field's value as sent.
    pub(crate) fn get(&self, field: &str) -> Option<&'a Value> {
        self.object.get(field)
    }

    /// A field that may be absent or null.
    pub(crate) fn read<T>(&mut self, field: &'static str, convert: impl Fn(&Value) -> Result<T, TypeFault>) -> Option<T> {
        let value = self.object.get(field).filter(|value| !value.is_null())?;
        self.convert(field, value, convert)
    }

    /// A field that must not be null. (The validation checks that it is present.)
    pub(crate) fn required<T>(&mut self, field: &'static str, convert: impl Fn(&Value) -> Result<T, TypeFault>) -> Option<T> {
        let value = self.object.get(field)?;
        self.convert(field, value, convert)
    }

    fn convert<T>(&mut self, field: &'static str, value: &Value, convert: impl Fn(&Value) -> Result<T, TypeFault>) -> Option<T> {
        let converted = match non_finite::literal(value) {
            Some(_) => Err(NOT_FINITE),
            None => convert(value),
        };
        converted.map_err(|fault| self.fault(&[field.into()], fault, value)).ok()
    }

    /// The fault of a field that violates a rule. An absent field is reported with its object as the input.
    pub(crate) fn rule_fault(&mut self, field: &'static str, kind: FieldErrorKind) {
        let place = self.place.iter().cloned().chain([field.into()]).collect();
        let input = self.object.get(field).map_or_else(|| echo(&Value::Object(self.object.clone())), echo);
        self.faults.push(error_detail(&FieldError::new(field, "", kind), place, input));
    }

    /// The fault of a field's value.
    pub(crate) fn value_fault(&mut self, field: &'static str, fault: TypeFault) {
        self.fault(&[field.into()], fault, self.get(field).unwrap_or(&Value::Null));
    }

    /// The fault of a value inside this object.
    pub(crate) fn fault(&mut self, steps: &[Value], (kind, sentence): TypeFault, value: &Value) {
        let place = self.place.iter().chain(steps).cloned().collect();
        self.faults.push(detail(kind, place, sentence.to_owned(), echo(value)));
    }
}

/// The validated value, or all faults of the body.
pub(crate) fn or_problem<T>(
    validated: Result<T, Vec<FieldError>>,
    mut faults: Vec<ValidationErrorDetail>,
    body: &NamedBody,
    order: &[&str],
) -> Result<T, Problem> {
    faults.extend_from_slice(body.conflicts());
    let errors = match validated {
        Ok(spec) if faults.is_empty() => return Ok(spec),
        Ok(_) => Vec::new(),
        Err(errors) => errors,
    };
    Err(Problem::invalid(body.at_sent_keys(all_faults(faults, &errors, &body.json, order))))
}

/// All faults of a body, in the order of `order`: type faults, and those faults of the validation that are not a second fault of the same
/// field.
fn all_faults(
    mut faults: Vec<ValidationErrorDetail>,
    errors: &[FieldError],
    json: &Map<String, Value>,
    order: &[&str],
) -> Vec<ValidationErrorDetail> {
    // The validation sees a field of the wrong type as absent, and so everything inside it.
    let more: Vec<_> = errors
        .iter()
        .map(|error| field_detail(error, json))
        .filter(|detail| !faults.iter().any(|fault| detail.loc.starts_with(&fault.loc)))
        .collect();
    faults.extend(more);
    faults.sort_by_key(|fault| {
        let field = fault.loc.get(1).and_then(Value::as_str).and_then(|name| order.iter().position(|field| name == *field));
        (field, fault.loc.get(2).and_then(Value::as_u64))
    });
    faults
}

/// A fault of the validation, with the value as sent.
fn field_detail(error: &FieldError, json: &Map<String, Value>) -> ValidationErrorDetail {
    let mut loc = vec![Value::from("body")];
    // The object with the field. A missing object is reported with the object that lacks it, as pydantic does.
    let mut parent: Option<&Value> = None;
    let scene = error.scene.map(|scene| [Value::from("scenes"), Value::from(scene)]);
    for step in scene.into_iter().flatten().chain(error.group.map(Value::from)) {
        let child = match (parent, step.as_str()) {
            (None, key) => json.get(key.unwrap_or_default()),
            (Some(parent), Some(key)) => parent.get(key),
            (Some(parent), None) => step.as_u64().and_then(|index| parent.get(usize::try_from(index).ok()?)),
        };
        parent = Some(child.unwrap_or(&Value::Null));
        loc.push(step);
    }
    loc.push(error.field.into());
    if let Some((index, field)) = error.entry {
        let entry = parent.map_or_else(|| json.get(error.field), |parent| parent.get(error.field)).and_then(|list| list.get(index));
        loc.extend([Value::from(index), field.into()]);
        let input = entry.map_or(Value::Null, |entry| echo(entry.get(field).unwrap_or(entry)));
        return error_detail(error, loc, input);
    }
    let input = match parent {
        Some(parent) => echo(parent.get(error.field).unwrap_or(parent)),
        None => json.get(error.field).map_or_else(|| echo(&Value::Object(json.clone())), echo),
    };
    error_detail(error, loc, input)
}

/// The values of a query as fields. The last value of a repeated key wins.
pub(crate) fn query_values(query: &str) -> Map<String, Value> {
    form_urlencoded::parse(query.as_bytes()).map(|(key, value)| (key.into_owned(), Value::from(value.into_owned()))).collect()
}

/// A number of list entries: one to [`MAX_LISTED`].
pub(crate) fn entries(value: &Value) -> Result<usize, TypeFault> {
    match integer(value)? {
        ..1 => Err(("greater_than_equal", "Input should be greater than or equal to 1")),
        wanted => match usize::try_from(wanted) {
            Ok(wanted) if wanted <= MAX_LISTED => Ok(wanted),
            Ok(_) | Err(_) => Err(("less_than_equal", "Input should be less than or equal to 1000")),
        },
    }
}
