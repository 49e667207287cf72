//! A model's scheduler file as diffusers holds it: what `pipe.scheduler.config` is, from which a scheduler of any class is made.
//!
//! Must not know what a key means to a class (that is `classes`), nor which pipeline corrects which key. Invariant: the model's own scheduler
//! reads the file and its class's defaults, corrected; a scheduler of another class reads what the file says, corrected, and its own
//! defaults for the rest, as `X.from_config(pipe.scheduler.config)` does. Reference: `configuration_utils.py`, where `_use_default_values`
//! lists the keys that hold only a class's defaults, and `pipeline_loading_utils.py`, where model_index.json names the class.

use serde_json::{Map, Value};

use super::{SchedulerConfig, SchedulerKind, SchedulerName};
use crate::{
    Error, Result,
    weights::{Component, WeightSource, class_of},
};

/// The file that every error about a configuration names.
pub(super) const FILE: &str = "scheduler/scheduler_config.json";

/// The keys of a scheduler_config.json and the class that the model's own scheduler is of.
#[derive(Debug, Clone)]
pub struct SchedulerFile {
    class: Option<String>,
    /// What the file says.
    said: Map<String, Value>,
    /// Corrected defaults of the own class, which its own scheduler alone reads.
    own: Map<String, Value>,
}

impl SchedulerFile {
    /// A file's content. `class` is the scheduler's class in model_index.json, which counts where the file names another one; without it
    /// the file's `_class_name` does.
    ///
    /// # Errors
    /// [`Error::Config`] if this is no JSON object.
    pub fn new(json: &Value, class: Option<&str>) -> Result<Self> {
        let map = json.as_object().ok_or_else(|| Error::config(FILE, "(root)", "expected a JSON object"))?;
        let class = class.or_else(|| map.get("_class_name").and_then(Value::as_str)).map(str::to_owned);
        let defaults: Vec<&str> =
            map.get("_use_default_values").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
        let said = map.iter().filter(|(key, _)| !defaults.contains(&key.as_str()));
        Ok(Self { class, said: said.map(|(key, value)| (key.clone(), value.clone())).collect(), own: Map::new() })
    }

    /// A model's own: its file, and the class that its model_index.json names.
    ///
    /// # Errors
    /// Those of [`Self::new`] and of the source.
    pub(crate) fn of(source: &dyn WeightSource) -> Result<Self> {
        let index = source.config(Component::ModelIndex)?;
        Self::new(&source.config(Component::Scheduler)?, class_of(index.get("scheduler")))
    }

    /// Replaces a key's value where `is_outdated`, as diffusers' pipelines do when they are built. A key that the file does not have is
    /// corrected for the own class alone, in which its default must be outdated or must not act.
    pub(crate) fn correct(&mut self, key: &str, is_outdated: impl Fn(&Value) -> bool, value: Value) {
        match self.said.get_mut(key) {
            Some(said) if is_outdated(said) => *said = value,
            Some(_) => {}
            None => {
                self.own.insert(key.to_owned(), value);
            }
        }
    }

    /// The kind of the model's own scheduler.
    ///
    /// # Errors
    /// [`Error::Config`] for a class that is not implemented, or none.
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

    /// The settings of a scheduler made from this file: of the class of `name`, or the model's own where no name is given.
    ///
    /// A suffix of the name sets that one of the three `use_*_sigmas` and takes the place of another in the file.
    ///
    /// # Errors
    /// [`Error::Config`] that names the key, for a value that the class reads and cannot run or that is not implemented, and for an own
    /// class that is unknown.
    pub fn scheduler(&self, name: Option<SchedulerName>) -> Result<SchedulerConfig> {
        SchedulerConfig::read(self, name)
    }

    /// A key's value as the model's own scheduler reads it, or as one of another class does.
    pub(super) fn get(&self, key: &str, is_own: bool) -> Option<&Value> {
        self.said.get(key).or_else(|| self.own.get(key).filter(|_| is_own))
    }
}
