//! A model's scheduler file as diffusers holds it: the equivalent of `pipe.scheduler.config`, from which a scheduler of any class can be
//! made.
//!
//! This module must not depend on what a key means to a class (see `classes`), nor on which pipeline corrects which key. Invariant: the
//! model's own scheduler reads the file and its class's defaults, corrected; a scheduler of another class reads the file's explicit values,
//! corrected, and its own defaults for the rest, as `X.from_config(pipe.scheduler.config)` does. Reference: `configuration_utils.py`, where
//! `_use_default_values` lists the keys that hold only a class's defaults, and `pipeline_loading_utils.py`, where model_index.json names
//! the class.

use serde_json::{Map, Value};

use super::{SchedulerConfig, SchedulerKind, SchedulerName};
use crate::{
    Error, Result,
    weights::{Component, WeightSource, class_of},
};

/// The file name in every error about a configuration.
pub(super) const FILE: &str = "scheduler/scheduler_config.json";

/// The keys of a scheduler_config.json, and the class of the model's own scheduler.
#[derive(Debug, Clone)]
pub struct SchedulerFile {
    class: Option<String>,
    /// The file's explicit values.
    explicit: Map<String, Value>,
    /// Corrected defaults of the own class, which only its own scheduler reads.
    own: Map<String, Value>,
}

impl SchedulerFile {
    /// Parses a file. `class` is the scheduler's class in model_index.json, which overrides the file's `_class_name`.
    ///
    /// # Errors
    /// [`Error::Config`] if this is not a JSON object.
    pub fn new(json: &Value, class: Option<&str>) -> Result<Self> {
        let map = json.as_object().ok_or_else(|| Error::config(FILE, "(root)", "expected a JSON object"))?;
        let class = class.or_else(|| map.get("_class_name").and_then(Value::as_str)).map(str::to_owned);
        let defaults: Vec<&str> =
            map.get("_use_default_values").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
        let explicit = map.iter().filter(|(key, _)| !defaults.contains(&key.as_str()));
        Ok(Self { class, explicit: explicit.map(|(key, value)| (key.clone(), value.clone())).collect(), own: Map::new() })
    }

    /// A model's own scheduler file, with the class that its model_index.json names.
    ///
    /// # Errors
    /// Those of [`Self::new`] and of the source.
    pub(crate) fn of(source: &dyn WeightSource) -> Result<Self> {
        let index = source.config(Component::ModelIndex)?;
        Self::new(&source.config(Component::Scheduler)?, class_of(index.get("scheduler")))
    }

    /// Replaces a key's value if `is_outdated`, as diffusers' pipelines do in their constructors. A key that the file does not have is
    /// corrected only for the own class, whose default must be outdated or unused.
    pub(crate) fn correct(&mut self, key: &str, is_outdated: impl Fn(&Value) -> bool, value: Value) {
        match self.explicit.get_mut(key) {
            Some(explicit) if is_outdated(explicit) => *explicit = value,
            Some(_) => {}
            None => {
                self.own.insert(key.to_owned(), value);
            }
        }
    }

    /// The kind of the model's own scheduler.
    ///
    /// # Errors
    /// [`Error::Config`] if the class is missing or not implemented.
    pub fn own_kind(&self) -> Result<SchedulerKind> {
        let refuse = |reason: String| Err(Error::config(FILE, "_class_name", reason));
        let Some(class) = &self.class else { return refuse("missing; name a scheduler with the request".into()) };
        match SchedulerKind::ALL.into_iter().find(|kind| kind.class_name() == class) {
            Some(kind) => Ok(kind),
            None => {
                let known: Vec<&str> = SchedulerKind::ALL.iter().map(|kind| kind.class_name()).collect();
                refuse(format!("unsupported value {class:?}, known are {}; name one of them with the request", known.join(", ")))
            }
        }
    }

    /// The settings of a scheduler made from this file: of the class of `name`, or the model's own if no name is given.
    ///
    /// A suffix of the name sets that one of the three `use_*_sigmas` and replaces another one in the file.
    ///
    /// # Errors
    /// [`Error::Config`] that names the key, for a value that the class uses and that is invalid or not implemented, and for an unknown own
    /// class.
    pub fn scheduler(&self, name: Option<SchedulerName>) -> Result<SchedulerConfig> {
        SchedulerConfig::read(self, name)
    }

    /// A key's value for the model's own scheduler, or for one of another class.
    pub(super) fn get(&self, key: &str, is_own: bool) -> Option<&Value> {
        self.explicit.get(key).or_else(|| self.own.get(key).filter(|_| is_own))
    }
}
