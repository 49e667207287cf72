//! Reads the fields of a body from the parts of a form.
//!
//! OpenAI's clients send a list as parts `name[]`, an object as parts `name[key]`, and every value as text. It must not know what a field
//! means, except that adapters and ControlNets are lists. The invariant: no part is dropped, and no name nests deeper than [`MOST_STEPS`].

use std::collections::HashMap;

use actix_web::http::StatusCode;
use generation::field_error::shortened;
use serde_json::{Map, Value};

use crate::http::{
    Problem,
    multipart_file::{FormPart, SentFile},
};

/// The maximum number of brackets in a name.
const MOST_STEPS: usize = 4;
/// Fields that are lists, also if a form has them as one text.
const LISTS: [&str; 2] = ["loras", "controlnets"];

/// A form as a body, and the files beside it.
#[derive(Default)]
pub(super) struct Form {
    pub(super) fields: Map<String, Value>,
    files: HashMap<String, Vec<SentFile>>,
}

impl Form {
    /// The form of these parts; `files` are the fields that may be files, also as `name[]`.
    ///
    /// # Errors
    /// 400 for a part that is no text, or a name that is malformed or given twice.
    pub(super) fn of(parts: Vec<FormPart>, files: &[&str]) -> Result<Self, Problem> {
        let mut form = Self::default();
        for FormPart { name, is_file, sent } in parts {
            let base = name.strip_suffix("[]").unwrap_or(&name);
            if is_file && files.contains(&base) {
                form.files.entry(base.to_owned()).or_default().push(sent);
            } else if is_file {
                // Named in the answer: refused, or ignored.
                form.fields.insert(name, Value::from("(a file)"));
            } else {
                let text = String::from_utf8(sent.bytes).map_err(|_| malformed(&name, "is no text in UTF-8"))?;
                form.insert(&name, text)?;
            }
        }
        Ok(form)
    }

    /// The file of a field that takes one.
    ///
    /// # Errors
    /// 400 if there are several.
    pub(super) fn file(&mut self, name: &str) -> Result<Option<SentFile>, Problem> {
        let mut files = self.files.remove(name).unwrap_or_default();
        if files.len() > 1 { Err(malformed(name, "is there twice")) } else { Ok(files.pop()) }
    }

    /// The files of a field.
    pub(super) fn files(&mut self, name: &str) -> Vec<SentFile> {
        self.files.remove(name).unwrap_or_default()
    }

    fn insert(&mut self, name: &str, text: String) -> Result<(), Problem> {
        let (base, rest) = name.split_at(name.find('[').unwrap_or(name.len()));
        let steps: Option<Vec<&str>> = rest.split_terminator(']').map(|step| step.strip_prefix('[')).collect();
        let steps = steps.filter(|steps| steps.len() <= MOST_STEPS && (rest.is_empty() || rest.ends_with(']')));
        let steps = steps.ok_or_else(|| malformed(name, "is no name of a field, such as loras[] or loras[][name]"))?;
        let value = if steps.is_empty() && LISTS.contains(&base) { list(text) } else { Value::from(text) };
        let field = self.fields.entry(base).or_insert(Value::Null);
        if put(field, &steps, value) { Ok(()) } else { Err(malformed(name, "is there twice, or as two kinds of values")) }
    }
}

/// A list in one text: as JSON, or its only entry.
fn list(text: String) -> Value {
    match serde_json::from_str(&text) {
        Ok(list @ Value::Array(_)) => list,
        Ok(_) | Err(_) => Value::from(vec![text]),
    }
}

/// Puts a value at its place; false if there is another one.
fn put(at: &mut Value, steps: &[&str], value: Value) -> bool {
    match (steps, at) {
        ([], at @ Value::Null) => {
            *at = value;
            true
        }
        ([_, ..], at @ Value::Null) => {
            *at = if steps.first() == Some(&"") { Value::Array(Vec::new()) } else { Value::Object(Map::new()) };
            put(at, steps, value)
        }
        (["", rest @ ..], Value::Array(list)) => {
            // A key that the last object has begins the next one.
            let continues = |last: &Value| rest.first().is_some_and(|key| last.is_object() && last.get(key).is_none());
            if !list.last().is_some_and(continues) {
                list.push(Value::Null);
            }
            list.last_mut().is_some_and(|last| put(last, rest, value))
        }
        ([key, rest @ ..], Value::Object(object)) if !key.is_empty() => put(object.entry(*key).or_insert(Value::Null), rest, value),
        _ => false,
    }
}

fn malformed(name: &str, reason: &str) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "malformed_multipart", format!("The part {:?} of the form {reason}", shortened(name)))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use serde_json::json;

    use super::*;

    fn read(texts: &[(&str, &str)]) -> Result<Value, String> {
        let sent = |text: &str| SentFile { bytes: text.into(), declared: String::new(), transfer_encoding: String::new() };
        let part = |(name, text): &(&str, &str)| FormPart { name: (*name).to_owned(), is_file: false, sent: sent(text) };
        Form::of(texts.iter().map(part).collect(), &[]).map(|form| Value::Object(form.fields)).map_err(|problem| problem.message)
    }

    #[test]
    fn lists_and_objects_come_in_brackets() {
        let form = [
            ("prompt", "[a] b"),
            ("loras[]", "ink:0.8"),
            ("loras[][name]", "wash"),
            ("loras[][weight]", "1"),
            ("loras[][name]", "oil"),
            ("svg[reasoning][effort]", "low"),
        ];
        let expected = json!({
            "prompt": "[a] b", "loras": ["ink:0.8", {"name": "wash", "weight": "1"}, {"name": "oil"}], "svg": {"reasoning": {"effort": "low"}},
        });
        assert_eq!(read(&form).unwrap(), expected);
        assert_eq!(read(&[("loras", "ink:0.8")]).unwrap(), json!({"loras": ["ink:0.8"]}));
        assert_eq!(read(&[("loras", r#"[{"name": "ink"}]"#)]).unwrap(), json!({"loras": [{"name": "ink"}]}));
    }

    #[test]
    fn a_part_that_has_no_place_is_refused_by_its_name() {
        for (form, reason) in [
            (&[("n", "1"), ("n", "2")][..], "\"n\" of the form is there twice"),
            (&[("a[b]", "1"), ("a[]", "2")], "\"a[]\" of the form is there twice"),
            (&[("a[b", "1")], "is no name"),
            (&[("a[b]c", "1")], "is no name"),
            (&[("a[][][][][]", "1")], "is no name"),
        ] {
            let refused = read(form).unwrap_err();
            assert!(refused.contains(reason), "{form:?}: {refused}");
        }
        let part = FormPart {
            name: "prompt".into(),
            is_file: false,
            sent: SentFile { bytes: vec![0xff], declared: String::new(), transfer_encoding: String::new() },
        };
        assert!(Form::of(vec![part], &[]).is_err_and(|problem| problem.message.contains("UTF-8")));
    }
}
