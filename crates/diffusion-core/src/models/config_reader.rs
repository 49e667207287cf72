//! Reading a model's config.json so that nothing in it is ignored by accident.
//!
//! Every key is either read, required to have the one value that is implemented, or listed as harmless; what is left over is refused
//! by name. The invariant: a config that loads is a config that was understood. Keys that start with an underscore are diffusers'
//! own notes (class name, version, path).

use std::{cell::RefCell, collections::BTreeSet};

use serde_json::{Map, Value};

use crate::{Error, Result};

/// The largest number that a config may hold where it sizes a tensor; a width is thousands, so this only stops nonsense.
const LARGEST: u64 = 1 << 24;

/// A cursor over one config.json that remembers which keys it was asked for.
pub(super) struct ConfigReader<'a> {
    file: &'static str,
    map: &'a Map<String, Value>,
    seen: RefCell<BTreeSet<&'static str>>,
}

impl<'a> ConfigReader<'a> {
    /// `file` is the name for messages, "unet/config.json".
    pub(super) fn new(file: &'static str, json: &'a Value) -> Result<Self> {
        let Some(map) = json.as_object() else {
            return Err(Error::config(file, "(top)", "expected a JSON object"));
        };
        Ok(Self { file, map, seen: RefCell::default() })
    }

    /// An error about one field.
    pub(super) fn refuse(&self, field: &str, reason: impl Into<String>) -> Error {
        Error::config(self.file, field, reason)
    }

    /// An error about a field whose value is not implemented.
    fn unsupported(&self, field: &str, value: &Value, supported: &str) -> Error {
        self.refuse(field, format!("unsupported value {value}; supported: {supported}"))
    }

    /// The value, unless absent; null counts as a value.
    fn value(&self, field: &'static str) -> Option<&'a Value> {
        self.seen.borrow_mut().insert(field);
        self.map.get(field)
    }

    /// The value, unless absent or null.
    fn present(&self, field: &'static str) -> Option<&'a Value> {
        self.value(field).filter(|value| !value.is_null())
    }

    fn to_size(&self, field: &str, value: &Value) -> Result<usize> {
        match value.as_u64() {
            Some(number) if (1..=LARGEST).contains(&number) => Ok(number as usize),
            _ => Err(self.refuse(field, format!("expected a positive whole number, found {value}"))),
        }
    }

    /// A positive whole number; `None` if absent or null.
    pub(super) fn optional_size(&self, field: &'static str) -> Result<Option<usize>> {
        self.present(field).map(|value| self.to_size(field, value)).transpose()
    }

    /// A positive whole number.
    pub(super) fn size(&self, field: &'static str, default: usize) -> Result<usize> {
        match self.value(field) {
            None => Ok(default),
            Some(value) => self.to_size(field, value),
        }
    }

    /// A whole number, zero included.
    pub(super) fn count(&self, field: &'static str, default: usize) -> Result<usize> {
        match self.value(field) {
            None => Ok(default),
            Some(value) if value.as_u64() == Some(0) => Ok(0),
            Some(value) => self.to_size(field, value),
        }
    }

    /// Whether the field is there and not null.
    pub(super) fn is_present(&self, field: &'static str) -> bool {
        self.present(field).is_some()
    }

    /// One side of a square, or [height, width]; `None` if absent or null.
    pub(super) fn optional_extent(&self, field: &'static str) -> Result<Option<(usize, usize)>> {
        let extent = |value: &Value| match value.as_array().map(Vec::as_slice) {
            Some([height, width]) => Ok((self.to_size(field, height)?, self.to_size(field, width)?)),
            Some(_) => Err(self.refuse(field, format!("expected one number or [height, width], found {value}"))),
            None => self.to_size(field, value).map(|side| (side, side)),
        };
        self.present(field).map(extent).transpose()
    }

    /// A list of positive whole numbers, at least one.
    pub(super) fn sizes(&self, field: &'static str, default: &[usize]) -> Result<Vec<usize>> {
        match self.value(field) {
            None => Ok(default.to_vec()),
            Some(Value::Array(values)) if !values.is_empty() => values.iter().map(|value| self.to_size(field, value)).collect(),
            Some(value) => Err(self.refuse(field, format!("expected a list of whole numbers, found {value}"))),
        }
    }

    /// One positive whole number for all levels, or a list with one for each.
    pub(super) fn sizes_by_level(&self, field: &'static str, default: usize, levels: usize) -> Result<Vec<usize>> {
        match self.value(field) {
            None => Ok(vec![default; levels]),
            Some(Value::Array(values)) if values.len() == levels => values.iter().map(|value| self.to_size(field, value)).collect(),
            Some(Value::Array(values)) => {
                Err(self.refuse(field, format!("expected {levels} numbers, one a level, found {}", values.len())))
            }
            Some(value) => Ok(vec![self.to_size(field, value)?; levels]),
        }
    }

    /// A finite number.
    pub(super) fn number(&self, field: &'static str, default: f64) -> Result<f64> {
        match self.value(field) {
            None => Ok(default),
            Some(value) => {
                let number = value.as_f64().filter(|number| number.is_finite());
                number.ok_or_else(|| self.refuse(field, format!("expected a number, found {value}")))
            }
        }
    }

    /// A positive number.
    pub(super) fn positive(&self, field: &'static str, default: f64) -> Result<f64> {
        let number = self.number(field, default)?;
        if number > 0.0 { Ok(number) } else { Err(self.refuse(field, format!("expected a positive number, found {number}"))) }
    }

    /// true or false, as Python's `if` reads it: null is false, a number is whether it is not 0.
    pub(super) fn flag(&self, field: &'static str, default: bool) -> Result<bool> {
        match self.value(field) {
            None => Ok(default),
            Some(value) => truth(value).ok_or_else(|| self.refuse(field, format!("expected true or false, found {value}"))),
        }
    }

    /// One flag for all levels, or a list with one for each.
    pub(super) fn flags_by_level(&self, field: &'static str, default: bool, levels: usize) -> Result<Vec<bool>> {
        let wrong = |value: &Value| self.refuse(field, format!("expected true, false or a list of {levels} of them, found {value}"));
        match self.value(field) {
            None => Ok(vec![default; levels]),
            Some(Value::Array(values)) if values.len() == levels => {
                values.iter().map(|value| truth(value).ok_or_else(|| wrong(value))).collect()
            }
            Some(value) => Ok(vec![truth(value).ok_or_else(|| wrong(value))?; levels]),
        }
    }

    /// A word out of a table; an absent field takes `default`.
    pub(super) fn choice<T: Copy>(&self, field: &'static str, default: T, table: &[(&str, T)]) -> Result<T> {
        match self.value(field) {
            None => Ok(default),
            Some(value) => self.choose(field, value, table),
        }
    }

    /// A list of words out of a table.
    pub(super) fn choices<T: Copy>(&self, field: &'static str, default: &[T], table: &[(&str, T)]) -> Result<Vec<T>> {
        match self.value(field) {
            None => Ok(default.to_vec()),
            Some(Value::Array(values)) if !values.is_empty() => values.iter().map(|value| self.choose(field, value, table)).collect(),
            Some(value) => Err(self.refuse(field, format!("expected a list of names, found {value}"))),
        }
    }

    /// As [`Self::choice`], where null is a value too: `None`.
    pub(super) fn optional_choice<T: Copy>(&self, field: &'static str, default: Option<T>, table: &[(&str, T)]) -> Result<Option<T>> {
        match self.value(field) {
            None => Ok(default),
            Some(Value::Null) => Ok(None),
            Some(value) => self.choose(field, value, table).map(Some),
        }
    }

    fn choose<T: Copy>(&self, field: &str, value: &Value, table: &[(&str, T)]) -> Result<T> {
        let found = value.as_str().and_then(|text| table.iter().find(|(name, _)| *name == text));
        found.map(|(_, choice)| *choice).ok_or_else(|| {
            let names: Vec<&str> = table.iter().map(|(name, _)| *name).collect();
            self.unsupported(field, value, &names.join(", "))
        })
    }

    /// A field for which one value alone is implemented; absent is that value.
    pub(super) fn only(&self, field: &'static str, implemented: &Value) -> Result<()> {
        match self.value(field) {
            Some(value) if !same(value, implemented) => Err(self.unsupported(field, value, &implemented.to_string())),
            _ => Ok(()),
        }
    }

    /// Fields that say nothing about what is computed here.
    pub(super) fn harmless(&self, fields: &[&'static str]) {
        self.seen.borrow_mut().extend(fields);
    }

    /// Refuses every key that nothing asked for.
    pub(super) fn finish(self) -> Result<()> {
        let seen = self.seen.borrow();
        match self.map.iter().find(|(key, _)| !key.starts_with('_') && !seen.contains(key.as_str())) {
            Some((key, value)) => Err(self.refuse(key, format!("unknown field (its value is {value})"))),
            None => Ok(()),
        }
    }
}

/// What a flag's value means in Python; `None` for what is no flag's value.
fn truth(value: &Value) -> Option<bool> {
    match value {
        Value::Null => Some(false),
        Value::Bool(truth) => Some(*truth),
        Value::Number(number) => number.as_f64().map(|number| number != 0.0),
        Value::String(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Equal as Python would say: 1 equals 1.0.
fn same(a: &Value, b: &Value) -> bool {
    a == b || matches!((a.as_f64(), b.as_f64()), (Some(a), Some(b)) if a == b)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_not_understood_is_refused_by_name() -> Result<()> {
        let config = json!({ "_class_name": "X", "width": 3, "factor": 1, "surprise": [1] });
        let reader = ConfigReader::new("unet/config.json", &config)?;
        assert_eq!(reader.size("width", 1)?, 3);
        reader.only("factor", &json!(1.0))?;
        assert!(reader.only("width", &json!(4)).is_err_and(|error| error.to_string().contains("field width: unsupported value 3")));
        let message = reader.finish().err().map(|error| error.to_string()).unwrap_or_default();
        assert!(message.contains("unet/config.json") && message.contains("surprise"), "{message}");
        Ok(())
    }

    #[test]
    fn a_flag_is_what_pythons_if_makes_of_it() -> Result<()> {
        let config = json!({ "null": null, "zero": 0, "one": 1, "whole": 0.0, "yes": true, "no": false, "word": "false", "list": [] });
        let reader = ConfigReader::new("unet/config.json", &config)?;
        for default in [false, true] {
            assert_eq!(reader.flag("absent", default)?, default);
            for (field, truth) in [("null", false), ("zero", false), ("one", true), ("whole", false), ("yes", true), ("no", false)] {
                assert_eq!(reader.flag(field, default)?, truth, "{field}");
                assert_eq!(reader.flags_by_level(field, default, 2)?, [truth; 2], "{field}");
            }
            assert!(reader.flag("word", default).is_err() && reader.flag("list", default).is_err());
        }
        Ok(())
    }

    #[test]
    fn values_of_the_wrong_kind_are_refused() -> Result<()> {
        let config = json!({ "a": "x", "b": -1, "c": [1, 2], "d": null });
        let reader = ConfigReader::new("vae/config.json", &config)?;
        assert!(reader.size("a", 1).is_err() && reader.size("b", 1).is_err() && reader.flag("a", true).is_err());
        assert!(reader.sizes_by_level("c", 1, 3).is_err() && reader.sizes_by_level("c", 1, 2)? == [1, 2]);
        assert!(reader.optional_size("d")?.is_none() && reader.number("a", 1.0).is_err());
        assert!(reader.choice("a", 1, &[("y", 1)]).is_err());
        assert!(ConfigReader::new("vae/config.json", &json!(3)).is_err());
        Ok(())
    }
}
