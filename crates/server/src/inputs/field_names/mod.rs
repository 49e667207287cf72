//! The names under which clients send fields: our own, in any spelling, and other programs' names for the same thing.
//!
//! It must not know any particular request: a [`Shape`] lists an object's fields. The invariant: a key either acts under its field's own
//! name, or is reported as ignored; two names of one field with different values are a fault.

mod synonyms;

use std::collections::HashMap;

use generation::{
    Limits,
    field_error::{nearest, shortened},
};
use serde_json::{Map, Value};

pub(crate) use self::synonyms::is_same_name;
use self::synonyms::{SYNONYMS, squashed};
use crate::{
    http::{IgnoredField, ValidationErrorDetail},
    inputs::faults::{detail, echo, value_fault},
};

/// The maximum number of reported ignored fields, and of reported conflicts; a body may have a hundred thousand.
const MOST_NAMED: usize = 32;

/// The maximum number of examined entries of a list. A longer list is refused by its length.
pub(crate) const MOST_ENTRIES: usize = Limits::DEFAULT.video.max_scenes + 1;

/// The maximum length of a field name, in bytes.
const LONGEST_NAME: usize = 64;

/// The fields of an object, and the objects in some of them, alone or in a list.
pub(crate) struct Shape {
    fields: Vec<&'static str>,
    inside: Vec<(&'static str, &'static Shape)>,
    /// The field of each normalized name, hashed because a body may have a million keys.
    names: HashMap<String, &'static str>,
}

impl Shape {
    pub(crate) fn new(fields: Vec<&'static str>, inside: Vec<(&'static str, &'static Shape)>) -> Self {
        let mut names = HashMap::new();
        for field in &fields {
            let name = squashed(field);
            let synonyms = SYNONYMS.into_iter().find(|names| names.iter().any(|synonym| squashed(synonym) == name)).unwrap_or_default();
            for synonym in synonyms {
                names.entry(squashed(synonym)).or_insert(*field);
            }
        }
        // A field's own name takes precedence over another's synonym.
        names.extend(fields.iter().map(|field| (squashed(field), *field)));
        Self { fields, inside, names }
    }

    /// The fields, in the order in which their faults are reported.
    pub(crate) fn fields(&self) -> &[&'static str] {
        &self.fields
    }

    /// The field that a key refers to.
    fn field(&self, key: &str) -> Option<&'static str> {
        if key.len() > LONGEST_NAME {
            return None;
        }
        self.names.get(&squashed(key)).copied()
    }
}

/// A body with its fields under their own names.
#[derive(Clone, Debug, Default)]
pub(crate) struct NamedBody {
    /// The body.
    pub(crate) json: Map<String, Value>,
    /// The ignored keys.
    pub(crate) ignored: Vec<IgnoredField>,
    /// The place of each renamed field, with the key under which it was sent.
    renamed: HashMap<Vec<Value>, String>,
    /// Faults of fields that were sent under two names with two values.
    conflicts: Vec<ValidationErrorDetail>,
}

impl NamedBody {
    /// Resolves each key to its field.
    pub(crate) fn new(json: Map<String, Value>, shape: &Shape) -> Self {
        let mut body = Self::default();
        body.json = body.object(json, shape, &mut vec!["body".into()]);
        body
    }

    /// The faults of a body, with the keys that the client sent.
    pub(crate) fn at_sent_keys(&self, faults: Vec<ValidationErrorDetail>) -> Vec<ValidationErrorDetail> {
        let as_sent = |mut fault: ValidationErrorDetail| {
            // Innermost first, because the recorded places use the fields' own names.
            for length in (1..=fault.loc.len()).rev() {
                let key = fault.loc.get(..length).and_then(|place| self.renamed.get(place));
                if let (Some(key), Some(last)) = (key, fault.loc.get_mut(length - 1)) {
                    *last = Value::from(key.as_str());
                }
            }
            fault
        };
        faults.into_iter().map(as_sent).collect()
    }

    /// Faults of fields that were sent under two names with two values.
    pub(crate) fn conflicts(&self) -> &[ValidationErrorDetail] {
        &self.conflicts
    }

    fn object(&mut self, json: Map<String, Value>, shape: &Shape, place: &mut Vec<Value>) -> Map<String, Value> {
        let mut named = Map::new();
        // Own names first, so that a synonym's conflict is reported at the synonym.
        let (own, other): (Vec<_>, Vec<_>) = json.into_iter().partition(|(key, _)| shape.fields.contains(&key.as_str()));
        for (key, value) in own.into_iter().chain(other) {
            match shape.field(&key) {
                Some(field) => self.take(&mut named, (field, key), value, place),
                None if is_size(&key, &value, shape) => self.take_size(&mut named, &key, &value, place),
                None => self.ignore(&key, shape, place),
            }
        }
        for (field, inner) in &shape.inside {
            if let Some(value) = named.get_mut(*field) {
                place.push((*field).into());
                *value = self.inside(std::mem::take(value), inner, place);
                place.pop();
            }
        }
        named
    }

    fn inside(&mut self, value: Value, shape: &Shape, place: &mut Vec<Value>) -> Value {
        match value {
            Value::Object(object) => Value::Object(self.object(object, shape, place)),
            Value::Array(entries) => {
                let named = entries.into_iter().enumerate().map(|(index, entry)| {
                    if index >= MOST_ENTRIES {
                        return entry;
                    }
                    let Value::Object(object) = entry else { return entry };
                    place.push(index.into());
                    let object = self.object(object, shape, place);
                    place.pop();
                    Value::Object(object)
                });
                Value::Array(named.collect())
            }
            plain @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => plain,
        }
    }

    /// Puts a value in its field, unless another name of that field came first.
    fn take(&mut self, named: &mut Map<String, Value>, (field, key): (&'static str, String), value: Value, place: &[Value]) {
        let is_own = field == key;
        if value.is_null() && !is_own {
            return;
        }
        let at: Vec<Value> = place.iter().cloned().chain([field.into()]).collect();
        if let Some(there) = named.get(field).filter(|there| !there.is_null()) {
            if !is_equal(there, &value) {
                let other = self.renamed.get(&at).map_or(field, String::as_str);
                let sentence = format!("{} and {other} are names of one field, and their values differ: give one of them", shortened(&key));
                self.conflict(&key, &sentence, &value, place);
            }
            return;
        }
        if !is_own {
            self.renamed.insert(at, key);
        }
        named.insert(field.to_owned(), value);
    }

    /// `"size": "512x768"`, as OpenAI's clients send it, for a body with two numbers.
    fn take_size(&mut self, named: &mut Map<String, Value>, key: &str, value: &Value, place: &[Value]) {
        let Some((width, height)) = value.as_str().and_then(sides) else {
            let sentence = "it is no WIDTHxHEIGHT in pixels, as \"512x768\"";
            self.conflict(key, sentence, value, place);
            return;
        };
        for (field, side) in [("width", width), ("height", height)] {
            self.take(named, (field, key.to_owned()), side.into(), place);
        }
    }

    fn conflict(&mut self, key: &str, sentence: &str, value: &Value, place: &[Value]) {
        if self.conflicts.len() < MOST_NAMED {
            let at = place.iter().cloned().chain([Value::from(shortened(key))]).collect();
            self.conflicts.push(value_fault(at, sentence, echo(value)));
        }
    }

    fn ignore(&mut self, key: &str, shape: &Shape, place: &[Value]) {
        if self.ignored.len() >= MOST_NAMED {
            return;
        }
        let did_you_mean = nearest(key, shape.fields.iter().copied()).map(str::to_owned);
        let inside = place.iter().skip(1).map(|step| step.as_str().map_or_else(|| step.to_string(), str::to_owned));
        let field = inside.chain([shortened(key).into_owned()]).collect::<Vec<_>>().join(".");
        self.ignored.push(IgnoredField { field, did_you_mean });
    }
}

/// Whether a key gives both sides of an object that has them as two fields.
fn is_size(key: &str, value: &Value, shape: &Shape) -> bool {
    let has_sides = shape.fields.contains(&"width") && shape.fields.contains(&"height");
    has_sides && !value.is_null() && ["size", "resolution"].contains(&squashed(key).as_str())
}

/// The two numbers of "512x768".
fn sides(text: &str) -> Option<(u32, u32)> {
    let (width, height) = text.trim().split_once(['x', 'X', '×'])?;
    Some((width.trim().parse().ok()?, height.trim().parse().ok()?))
}

/// Whether two values are the same: 25, 25.0 and "25" are.
fn is_equal(a: &Value, b: &Value) -> bool {
    let number = |value: &Value| value.as_f64().or_else(|| value.as_str()?.trim().parse().ok());
    match (number(a), number(b)) {
        (Some(x), Some(y)) if a.is_number() || b.is_number() => x.total_cmp(&y).is_eq(),
        _ => a == b,
    }
}

/// The fault of a number of pictures other than one, because a request makes one.
pub(crate) fn one_image(value: &Value) -> Option<ValidationErrorDetail> {
    let is_one = value.is_null() || is_equal(value, &Value::from(1)) || value.as_str().is_some_and(|text| text.trim() == "1");
    let sentence = "Input should be 1: a request makes one picture; send another with the next seed for the next one";
    (!is_one).then(|| detail("literal_error", vec!["body".into(), "n".into()], sentence.into(), echo(value)))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::sync::LazyLock;

    use serde_json::json;

    use super::*;

    static SCENE: LazyLock<Shape> = LazyLock::new(|| Shape::new(vec!["prompt", "duration", "seed"], vec![]));
    static BODY: LazyLock<Shape> = LazyLock::new(|| {
        let fields =
            ["scenes", "prompt", "num_inference_steps", "guidance_scale", "negative_prompt", "width", "height", "duration_per_scene"];
        Shape::new(fields.to_vec(), vec![("scenes", &SCENE)])
    });

    fn named(json: Value) -> NamedBody {
        NamedBody::new(json.as_object().unwrap().clone(), &BODY)
    }

    fn ignored(body: &NamedBody) -> Vec<(&str, Option<&str>)> {
        body.ignored.iter().map(|ignored| (ignored.field.as_str(), ignored.did_you_mean.as_deref())).collect()
    }

    #[test]
    fn a_number_and_its_text_are_one_value_and_two_texts_are_not() {
        assert!(is_equal(&json!(25), &json!(25.0)) && is_equal(&json!("2"), &json!(2)) && is_equal(&json!(5), &json!(" 5.0 ")));
        assert!(!is_equal(&json!("2"), &json!(3)) && !is_equal(&json!("1"), &json!("1.0")) && !is_equal(&json!(true), &json!(1)));
    }

    #[test]
    fn every_synonym_is_a_name_of_one_thing() {
        let all: Vec<String> = SYNONYMS.iter().flat_map(|names| names.iter().map(|name| squashed(name))).collect();
        let distinct: std::collections::BTreeSet<_> = all.iter().collect();
        assert_eq!(all.len(), distinct.len());
        for names in SYNONYMS {
            for name in names {
                let shape = Shape::new(vec![names[0]], vec![]);
                assert_eq!(shape.field(name), Some(names[0]), "{name}");
                assert_eq!(shape.field(&name.to_uppercase().replace('_', "-")), Some(names[0]), "{name}");
            }
        }
    }

    #[test]
    fn other_programs_names_work_and_unknown_keys_are_reported() {
        let body = named(json!({
            "prompt": "a", "steps": 5, "cfg": 3.5, "negativePrompt": "b", "size": "64x128", "model": "sd", "negative_promt": 1,
            "scenes": ["x", {"text": "y", "seconds": 2, "sede": 3}], "duration": null,
        }));
        let expected = json!({
            "prompt": "a", "num_inference_steps": 5, "guidance_scale": 3.5, "negative_prompt": "b", "width": 64, "height": 128,
            "scenes": ["x", {"prompt": "y", "duration": 2}],
        });
        assert_eq!(Value::Object(body.json.clone()), expected);
        assert!(body.conflicts().is_empty(), "{:?}", body.conflicts());
        assert_eq!(ignored(&body), [("model", None), ("negative_promt", Some("negative_prompt")), ("scenes.1.sede", Some("seed"))]);
        let fault =
            |loc: Value| ValidationErrorDetail { loc: loc.as_array().unwrap().clone(), ..detail("x", vec![], String::new(), Value::Null) };
        let faults = [json!(["body", "num_inference_steps"]), json!(["body", "scenes", 1, "prompt"]), json!(["body", "prompt"])].map(fault);
        let places: Vec<_> = body.at_sent_keys(faults.to_vec()).into_iter().map(|fault| Value::from(fault.loc)).collect();
        assert_eq!(places, [json!(["body", "steps"]), json!(["body", "scenes", 1, "text"]), json!(["body", "prompt"])]);
        let inside = named(json!({"Scenes": [{"text": 5}]})).at_sent_keys(vec![fault(json!(["body", "scenes", 0, "prompt"]))]);
        assert_eq!(Value::from(inside[0].loc.clone()), json!(["body", "Scenes", 0, "text"]));
    }

    #[test]
    fn two_names_with_two_values_are_a_fault_that_names_both() {
        for (json, both) in [
            (json!({"num_inference_steps": 25, "steps": 5}), Some("steps and num_inference_steps are")),
            (json!({"num_steps": 6, "steps": 5}), Some("steps and num_steps are")),
            (json!({"width": 64, "size": "128x64"}), Some("size and width are")),
            (json!({"size": "large"}), Some("WIDTHxHEIGHT")),
            (json!({"num_inference_steps": 25, "steps": 25.0}), None),
            (json!({"num_inference_steps": null, "steps": 5}), None),
            (json!({"num_inference_steps": 25, "steps": null}), None),
            (json!({"width": 64, "size": "64x64"}), None),
        ] {
            let body = named(json.clone());
            match (both, body.conflicts()) {
                (Some(both), [fault]) => assert!(fault.msg.contains(both), "{json}: {}", fault.msg),
                (None, []) => assert!(body.json.values().all(|value| !value.is_null()), "{json}: {:?}", body.json),
                (_, faults) => panic!("{json}: {faults:?}"),
            }
        }
    }

    #[test]
    fn only_some_of_very_many_ignored_keys_are_reported() {
        let body = named(Value::Object((0..100_000).map(|key| (format!("{key}{}", "x".repeat(200)), Value::Null)).collect()));
        assert_eq!(body.ignored.len(), MOST_NAMED);
        assert!(body.ignored.iter().all(|ignored| ignored.field.len() < 110));
    }

    #[test]
    fn only_some_of_very_many_conflicts_are_reported() {
        let spelt = |name: &str, number: u32| format!("{name}{number:017b}").replace('0', "-").replace('1', "_");
        let flat = named((0..100_000).map(|number| (spelt("steps", number), Value::from(number))).collect());
        let sizes = named((0..100_000).map(|number| (spelt("size", number), Value::from(1))).collect());
        let scene = json!({"Seed": 1, "SEED": 2});
        let scenes = named(json!({"scenes": vec![scene; 100_000]}));
        for (body, what) in [(flat, "flat"), (sizes, "sizes"), (scenes, "scenes")] {
            assert_eq!(body.conflicts().len(), MOST_NAMED, "{what}");
            assert_eq!(body.at_sent_keys(body.conflicts().to_vec()).len(), MOST_NAMED, "{what}");
            assert!(body.renamed.len() <= MOST_ENTRIES, "{what}: {}", body.renamed.len());
        }
    }

    #[test]
    fn one_image_is_all_that_is_made() {
        assert_eq!([json!(1), json!(1.0), json!("1"), json!(null)].map(|value| one_image(&value)), [const { None }; 4]);
        for several in [json!(2), json!(0), json!("2"), json!([1]), json!(true)] {
            assert!(one_image(&several).is_some(), "{several}");
        }
    }
}
