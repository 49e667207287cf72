//! The keys of a model's scheduler file as one scheduler class sees them, by the types that their values may have.
//!
//! This module must not depend on the meaning of a key. Invariant: a value is validated only when it is read, so that a key that the class
//! does not use may hold anything. Reference: Python's truthiness, by which diffusers' classes test flags.

use serde_json::Value;

use super::{
    SchedulerKind,
    file::{FILE, SchedulerFile},
};
use crate::{Error, Result};

/// The file's keys as one class sees them.
pub(super) struct Fields<'a> {
    pub(super) file: &'a SchedulerFile,
    pub(super) kind: SchedulerKind,
    /// Whether this is the model's own scheduler.
    pub(super) is_own: bool,
}

impl<'a> Fields<'a> {
    pub(super) fn is(&self, kinds: &[SchedulerKind]) -> bool {
        kinds.contains(&self.kind)
    }

    pub(super) fn get(&self, key: &str) -> Option<&'a Value> {
        self.file.get(key, self.is_own)
    }

    pub(super) fn refuse(&self, key: &str, reason: impl std::fmt::Display) -> Error {
        Error::config(FILE, key, format!("{}: {reason}", self.kind.class_name()))
    }

    pub(super) fn number(&self, key: &str, default: f64) -> Result<f64> {
        match self.get(key) {
            None => Ok(default),
            Some(value) => self.number_of(key, value),
        }
    }

    /// A number; `None` if absent or null.
    pub(super) fn optional_number(&self, key: &str) -> Result<Option<f64>> {
        self.get(key).filter(|value| !value.is_null()).map(|value| self.number_of(key, value)).transpose()
    }

    /// Minus infinity may be a string, because JSON has no infinities.
    fn number_of(&self, key: &str, value: &Value) -> Result<f64> {
        if value.as_str().is_some_and(|text| text.eq_ignore_ascii_case("-infinity") || text.eq_ignore_ascii_case("-inf")) {
            return Ok(f64::NEG_INFINITY);
        }
        value.as_f64().ok_or_else(|| self.refuse(key, format!("expected a number, found {value}")))
    }

    pub(super) fn integer(&self, key: &str, default: i64) -> Result<i64> {
        self.get(key).map_or(Ok(default), |value| value.as_i64().ok_or_else(|| self.refuse(key, not_whole(value))))
    }

    pub(super) fn count(&self, key: &str, default: usize) -> Result<usize> {
        let value = self.integer(key, i64::try_from(default).unwrap_or(i64::MAX))?;
        usize::try_from(value).map_err(|_| self.refuse(key, format!("expected a whole number from 0, found {value}")))
    }

    /// A boolean; null and 0 are false and other numbers are true, as in Python.
    pub(super) fn flag(&self, key: &str, default: bool) -> Result<bool> {
        match self.get(key) {
            None => Ok(default),
            Some(Value::Null) => Ok(false),
            Some(Value::Bool(value)) => Ok(*value),
            Some(Value::Number(number)) => Ok(number.as_f64() != Some(0.0)),
            Some(value) => Err(self.refuse(key, format!("expected true or false, found {value}"))),
        }
    }

    pub(super) fn refuse_flag(&self, key: &str) -> Result<()> {
        if self.flag(key, false)? { Err(self.refuse(key, "unsupported value true")) } else { Ok(()) }
    }

    pub(super) fn choice<T: Copy>(&self, key: &str, default: T, known: &[(&str, T)]) -> Result<T> {
        let Some(value) = self.get(key) else { return Ok(default) };
        let found = value.as_str().and_then(|text| known.iter().find(|(name, _)| *name == text));
        found.map(|&(_, choice)| choice).ok_or_else(|| {
            let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
            self.refuse(key, format!("unsupported value {value}, known are {}", names.join(", ")))
        })
    }

    pub(super) fn numbers(&self, key: &str) -> Result<Option<Vec<f32>>> {
        let refuse = || self.refuse(key, "expected null or numbers");
        match self.get(key) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => {
                let values = value.as_array().ok_or_else(refuse)?;
                values.iter().map(|value| value.as_f64().map(|number| number as f32).ok_or_else(refuse)).collect::<Result<_>>().map(Some)
            }
        }
    }

    /// Step indices. Negative ones match no step and are dropped.
    pub(super) fn indices(&self, key: &str) -> Result<Vec<usize>> {
        let refuse = || self.refuse(key, "expected step indices");
        let Some(value) = self.get(key) else { return Ok(Vec::new()) };
        let indices = value.as_array().ok_or_else(refuse)?.iter().map(|index| index.as_i64().ok_or_else(refuse));
        Ok(indices.collect::<Result<Vec<i64>>>()?.into_iter().filter_map(|index| usize::try_from(index).ok()).collect())
    }
}

/// Why a value is no whole number that can be held.
fn not_whole(value: &Value) -> String {
    let is_large = value.as_f64().is_some_and(|number| number.abs() >= i64::MAX as f64 && number.fract() == 0.0);
    if is_large {
        format!("{value} is too large: numbers here are from {} to {}", i64::MIN, i64::MAX)
    } else {
        format!("expected a whole number, found {value}")
    }
}
