//! Reader of a model's config.json that follows diffusers and transformers, so that no key is silently ignored.
//!
//! Every key is read, or required to have an implemented value, or listed as harmless; the rest is unknown to the model's class too, and is
//! reported to the caller by name. Invariant: null, 0 and 1 mean the same as in the reference. An absent key takes the class's default, as
//! does one that `_use_default_values` names; null is the value None, which few fields accept. Keys that start with an underscore are
//! diffusers' own metadata (class name, version, path). Reference: `extract_init_dict` in diffusers' configuration_utils.py.

use std::{cell::RefCell, collections::BTreeSet};

use serde_json::{Map, Value};

use crate::{Error, Result};

/// The largest number that a config may hold where it sizes a tensor; widths are in the thousands, so this only rejects absurd values.
const LARGEST: u64 = 1 << 24;

/// A reader of one config.json that records which keys were read.
pub(super) struct ConfigReader<'a> {
    file: &'static str,
    map: &'a Map<String, Value>,
    /// Keys whose values diffusers wrote as defaults, without a choice of the user.
    defaults: BTreeSet<&'a str>,
    seen: RefCell<BTreeSet<&'static str>>,
}

impl<'a> ConfigReader<'a> {
    /// `file` is the name for messages, such as "unet/config.json".
    pub(super) fn new(file: &'static str, json: &'a Value) -> Result<Self> {
        let Some(map) = json.as_object() else {
            return Err(Error::config(file, "(top)", "expected a JSON object"));
        };
        let defaults = map.get("_use_default_values").and_then(Value::as_array);
        let defaults = defaults.into_iter().flatten().filter_map(Value::as_str).collect();
        let reader = Self { file, map, defaults, seen: RefCell::default() };
        // Weights of any component that a library has quantized in its own format.
        reader.only("quantization_config", &Value::Null)?;
        Ok(reader)
    }

    /// An error about one field.
    pub(super) fn refuse(&self, field: &str, reason: impl Into<String>) -> Error {
        Error::config(self.file, field, reason)
    }

    /// An error about a field with an unimplemented value.
    fn unsupported(&self, field: &str, value: &Value, supported: &str) -> Error {
        self.refuse(field, format!("unsupported value {value}; supported: {supported}"))
    }

    /// The value, unless absent; null counts as a value.
    fn value(&self, field: &'static str) -> Option<&'a Value> {
        self.seen.borrow_mut().insert(field);
        self.map.get(field).filter(|_| !self.defaults.contains(field))
    }

    /// The value, unless absent or null.
    fn present(&self, field: &'static str) -> Option<&'a Value> {
        self.value(field).filter(|value| !value.is_null())
    }

    fn to_size(&self, field: &str, value: &Value) -> Result<usize> {
        match value.as_u64() {
            Some(number) if (1..=LARGEST).contains(&number) => Ok(number as usize),
            // Beyond 64 bits it is read as a number with a fraction.
            _ if value.as_f64().is_some_and(|number| number > LARGEST as f64 && number.fract() == 0.0) => {
                Err(self.refuse(field, format!("{value} is too large: the largest number here is {LARGEST}")))
            }
            _ => Err(self.refuse(field, format!("expected a positive whole number, found {value}"))),
        }
    }

    fn to_count(&self, field: &str, value: &Value) -> Result<usize> {
        if value.as_u64() == Some(0) { Ok(0) } else { self.to_size(field, value) }
    }

    /// A positive integer; `None` if absent or null.
    pub(super) fn optional_size(&self, field: &'static str) -> Result<Option<usize>> {
        self.present(field).map(|value| self.to_size(field, value)).transpose()
    }

    /// A positive integer.
    pub(super) fn size(&self, field: &'static str, default: usize) -> Result<usize> {
        match self.value(field) {
            None => Ok(default),
            Some(value) => self.to_size(field, value),
        }
    }

    /// A positive integer that must be present.
    pub(super) fn required_size(&self, field: &'static str) -> Result<usize> {
        self.optional_size(field)?.ok_or_else(|| self.refuse(field, "is missing"))
    }

    /// An integer, zero or positive.
    pub(super) fn count(&self, field: &'static str, default: usize) -> Result<usize> {
        self.value(field).map_or(Ok(default), |value| self.to_count(field, value))
    }

    /// A positive integer; `None` if absent, null or 0, where Python's `or` takes the default.
    pub(super) fn size_or_default(&self, field: &'static str) -> Result<Option<usize>> {
        self.present(field).filter(|value| truth(value) != Some(false)).map(|value| self.to_size(field, value)).transpose()
    }

    /// Whether the field is present and not null.
    pub(super) fn is_present(&self, field: &'static str) -> bool {
        self.present(field).is_some()
    }

    /// The side of a square, or [height, width]; `None` if absent, null or 0, in which case the caller must state the size.
    pub(super) fn optional_extent(&self, field: &'static str) -> Result<Option<(usize, usize)>> {
        let extent = |value: &Value| match value.as_array().map(Vec::as_slice) {
            Some([height, width]) => Ok((self.to_size(field, height)?, self.to_size(field, width)?)),
            Some(_) => Err(self.refuse(field, format!("expected one number or [height, width], found {value}"))),
            None => self.to_size(field, value).map(|side| (side, side)),
        };
        self.present(field).filter(|value| truth(value) != Some(false)).map(extent).transpose()
    }

    /// A non-empty list of positive integers.
    pub(super) fn sizes(&self, field: &'static str, default: &[usize]) -> Result<Vec<usize>> {
        match self.value(field) {
            None => Ok(default.to_vec()),
            Some(Value::Array(values)) if !values.is_empty() => values.iter().map(|value| self.to_size(field, value)).collect(),
            Some(value) => Err(self.refuse(field, format!("expected a list of whole numbers, found {value}"))),
        }
    }

    /// One positive integer for all levels, or a list with one for each.
    pub(super) fn sizes_by_level(&self, field: &'static str, default: usize, levels: usize) -> Result<Vec<usize>> {
        self.by_level(field, default, levels, |value| self.to_size(field, value))
    }

    /// [`Self::sizes_by_level`], with zero allowed.
    pub(super) fn counts_by_level(&self, field: &'static str, default: usize, levels: usize) -> Result<Vec<usize>> {
        self.by_level(field, default, levels, |value| self.to_count(field, value))
    }

    /// Counts for the layers of each level, whose numbers of layers are `layers`: one count for all, or a list with one entry for each level:
    /// a count for all of its layers, or a list with one for each layer.
    pub(super) fn counts_by_layer(&self, field: &'static str, default: usize, layers: &[usize]) -> Result<Vec<Vec<usize>>> {
        let level = |value: &Value, layers: usize| match value.as_array() {
            Some(values) if values.len() == layers => values.iter().map(|value| self.to_count(field, value)).collect(),
            Some(values) => Err(self.refuse(field, format!("expected {layers} numbers, one a layer of the level, found {}", values.len()))),
            None => Ok(vec![self.to_count(field, value)?; layers]),
        };
        match self.value(field) {
            None => Ok(layers.iter().map(|layers| vec![default; *layers]).collect()),
            Some(Value::Array(values)) if values.len() == layers.len() => {
                values.iter().zip(layers).map(|(value, layers)| level(value, *layers)).collect()
            }
            Some(Value::Array(values)) => {
                Err(self.refuse(field, format!("expected {} entries, one a level, found {}", layers.len(), values.len())))
            }
            Some(value) => layers.iter().map(|layers| level(value, *layers)).collect(),
        }
    }

    /// [`Self::counts_by_layer`] of a field that is a list of levels.
    pub(super) fn lists_by_layer(&self, field: &'static str, layers: &[usize]) -> Result<Vec<Vec<usize>>> {
        match self.value(field) {
            Some(Value::Array(_)) => self.counts_by_layer(field, 0, layers),
            other => Err(self.refuse(field, format!("expected a list, found {}", other.unwrap_or(&Value::Null)))),
        }
    }

    /// Whether the field is a list that contains a list.
    pub(super) fn is_nested(&self, field: &'static str) -> bool {
        self.present(field).and_then(Value::as_array).is_some_and(|values| values.iter().any(Value::is_array))
    }

    fn by_level(&self, field: &'static str, default: usize, levels: usize, read: impl Fn(&Value) -> Result<usize>) -> Result<Vec<usize>> {
        match self.value(field) {
            None => Ok(vec![default; levels]),
            Some(Value::Array(values)) if values.len() == levels => values.iter().map(read).collect(),
            Some(Value::Array(values)) => {
                Err(self.refuse(field, format!("expected {levels} numbers, one a level, found {}", values.len())))
            }
            Some(value) => Ok(vec![read(value)?; levels]),
        }
    }

    /// A finite number; true is 1 and false is 0, as in Python.
    pub(super) fn number(&self, field: &'static str, default: f64) -> Result<f64> {
        match self.value(field) {
            None => Ok(default),
            Some(value) => {
                let number = value.as_f64().or_else(|| value.as_bool().map(f64::from)).filter(|number| number.is_finite());
                number.ok_or_else(|| self.refuse(field, format!("expected a number, found {value}")))
            }
        }
    }

    /// A non-negative number.
    pub(super) fn not_negative(&self, field: &'static str, default: f64) -> Result<f64> {
        let number = self.number(field, default)?;
        if number >= 0.0 { Ok(number) } else { Err(self.refuse(field, format!("expected 0 or more, found {number}"))) }
    }

    /// A positive number.
    pub(super) fn positive(&self, field: &'static str, default: f64) -> Result<f64> {
        let number = self.number(field, default)?;
        if number > 0.0 { Ok(number) } else { Err(self.refuse(field, format!("expected a positive number, found {number}"))) }
    }

    /// A boolean by Python's truthiness: null is false, a number is true unless it is 0.
    pub(super) fn flag(&self, field: &'static str, default: bool) -> Result<bool> {
        match self.value(field) {
            None => Ok(default),
            Some(value) => truth(value).ok_or_else(|| self.refuse(field, format!("expected true or false, found {value}"))),
        }
    }

    /// A boolean for all levels, or a list with one for each.
    pub(super) fn flags_by_level(&self, field: &'static str, default: bool, levels: usize) -> Result<Vec<bool>> {
        let wrong = |value: &Value| self.refuse(field, format!("expected true, false or a list of {levels} of them, found {value}"));
        match self.value(field) {
            None => Ok(vec![default; levels]),
            Some(Value::Array(values)) if values.len() == levels => {
                values.iter().map(|value| truth(value).ok_or_else(|| wrong(value))).collect()
            }
            // diffusers checks the type here, so null and 0 are not booleans.
            Some(value) => Ok(vec![value.as_bool().ok_or_else(|| wrong(value))?; levels]),
        }
    }

    /// One of a table's names; an absent field takes `default`.
    pub(super) fn choice<T: Copy>(&self, field: &'static str, default: T, table: &[(&str, T)]) -> Result<T> {
        match self.value(field) {
            None => Ok(default),
            Some(value) => self.choose(field, value, table),
        }
    }

    /// A list of block types from a table. Like diffusers, it also accepts the prefix that diffusers' first versions wrote.
    pub(super) fn block_types<T: Copy>(&self, field: &'static str, default: &[T], table: &[(&str, T)]) -> Result<Vec<T>> {
        match self.value(field) {
            None => Ok(default.to_vec()),
            Some(Value::Array(values)) if !values.is_empty() => {
                let bare = |value: &Value| value.as_str().and_then(|name| name.strip_prefix("UNetRes")).map(Value::from);
                values.iter().map(|value| self.choose(field, &bare(value).unwrap_or_else(|| value.clone()), table)).collect()
            }
            Some(value) => Err(self.refuse(field, format!("expected a list of names, found {value}"))),
        }
    }

    /// [`Self::choice`], where null is a value too: `None`.
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

    /// A field with a single implemented value; if absent, it has that value.
    pub(super) fn only(&self, field: &'static str, implemented: &Value) -> Result<()> {
        match self.value(field) {
            Some(value) if !same(value, implemented) => Err(self.unsupported(field, value, &implemented.to_string())),
            _ => Ok(()),
        }
    }

    /// A flag of an unimplemented feature: it must be off.
    pub(super) fn off(&self, field: &'static str) -> Result<()> {
        if self.flag(field, false)? { Err(self.unsupported(field, &true.into(), "false")) } else { Ok(()) }
    }

    /// A field in which some words enable unimplemented features; the class ignores any other value.
    pub(super) fn none_of(&self, field: &'static str, words: &[&str]) -> Result<()> {
        match self.value(field).and_then(Value::as_str) {
            Some(word) if words.contains(&word) => Err(self.unsupported(field, &word.into(), "null")),
            Some(_) | None => Ok(()),
        }
    }

    /// Refuses a list of blocks that does not have one for each level of `block_out_channels`.
    pub(super) fn check_blocks(&self, field: &str, blocks: usize, levels: usize) -> Result<()> {
        if blocks == levels {
            return Ok(());
        }
        Err(self.refuse(field, format!("{blocks} blocks, but block_out_channels has {levels}")))
    }

    /// Refuses a number of attention heads that does not divide the channels.
    pub(super) fn check_heads(&self, hidden_size: usize, heads: usize) -> Result<()> {
        if hidden_size.is_multiple_of(heads) {
            return Ok(());
        }
        Err(self.refuse("num_attention_heads", format!("{heads} does not divide hidden_size {hidden_size}")))
    }

    /// Refuses patches that are larger than the image.
    pub(super) fn check_patch_size(&self, image_size: usize, patch_size: usize) -> Result<()> {
        if patch_size <= image_size {
            return Ok(());
        }
        Err(self.refuse("patch_size", format!("{patch_size} exceeds image_size {image_size}")))
    }

    /// Marks fields that do not affect the computation.
    pub(super) fn harmless(&self, fields: &[&'static str]) {
        self.seen.borrow_mut().extend(fields);
    }

    /// The keys that were never read: the class ignores them, and so does this crate.
    pub(super) fn ignored(self) -> Vec<String> {
        let seen = self.seen.borrow();
        self.map.keys().filter(|key| !key.starts_with('_') && !seen.contains(key.as_str())).cloned().collect()
    }
}

/// Python's truth value; `None` if the value is not a flag.
fn truth(value: &Value) -> Option<bool> {
    match value {
        Value::Null => Some(false),
        Value::Bool(truth) => Some(*truth),
        Value::Number(number) => number.as_f64().map(|number| number != 0.0),
        Value::String(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Equality as in Python: 1 equals 1.0.
fn same(a: &Value, b: &Value) -> bool {
    a == b || matches!((a.as_f64(), b.as_f64()), (Some(a), Some(b)) if a == b)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn unknown_fields_are_reported_and_unimplemented_values_refused() -> Result<()> {
        let config = json!({ "_class_name": "X", "width": 3, "factor": 1, "decay": null, "surprise": [1] });
        let reader = ConfigReader::new("unet/config.json", &config)?;
        assert_eq!(reader.size("width", 1)?, 3);
        reader.only("factor", &json!(1.0))?;
        assert!(reader.only("width", &json!(4)).is_err_and(|error| error.to_string().contains("field width: unsupported value 3")));
        assert_eq!(reader.ignored(), ["decay", "surprise"]);
        let quantized = json!({ "quantization_config": { "quant_method": "bitsandbytes" } });
        let refused = ConfigReader::new("vae/config.json", &quantized).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(refused.starts_with("vae/config.json: field quantization_config: unsupported value"), "{refused}");
        Ok(())
    }

    #[test]
    fn a_flag_has_pythons_truth_value() -> Result<()> {
        let config = json!({ "null": null, "zero": 0, "one": 1, "whole": 0.0, "yes": true, "no": false, "word": "false", "list": [] });
        let reader = ConfigReader::new("unet/config.json", &config)?;
        for default in [false, true] {
            assert_eq!(reader.flag("absent", default)?, default);
            for (field, truth) in [("null", false), ("zero", false), ("one", true), ("whole", false), ("yes", true), ("no", false)] {
                assert_eq!(reader.flag(field, default)?, truth, "{field}");
            }
            assert!(reader.flag("word", default).is_err() && reader.flag("list", default).is_err());
        }
        let levels = json!({ "all": true, "each": [null, 1], "null": null, "zero": 0 });
        let reader = ConfigReader::new("unet/config.json", &levels)?;
        assert_eq!((reader.flags_by_level("all", false, 2)?, reader.flags_by_level("each", true, 2)?), (vec![true; 2], vec![false, true]));
        assert!(reader.flags_by_level("null", false, 2).is_err() && reader.flags_by_level("zero", false, 2).is_err());
        Ok(())
    }

    #[test]
    fn a_value_in_use_default_values_is_the_classs_default() -> Result<()> {
        let config = json!({ "_use_default_values": ["width", 3], "width": 7, "height": 7 });
        let reader = ConfigReader::new("unet/config.json", &config)?;
        assert_eq!((reader.size("width", 1)?, reader.size("height", 1)?), (1, 7));
        assert_eq!(reader.ignored(), Vec::<String>::new());
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
