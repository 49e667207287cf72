//! The models of a server: how each is read, loaded and loaded again.
//!
//! It must not know which of them is loaded when. The invariants: what a hub has is fetched at the start and never inside a request; all
//! models of a device share one handle to it; threads that load and run models go behind those that answer people.

use std::{
    cell::Cell,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use anyhow::Result;
use candle_core::Device;
use cpu_kernels::Priority;
use diffusion_core::policy::{ExecutionPolicy, Precision};
use generation::{LoadWatch, LoadedModel, LocalBackend, LocalSettings, MemoryPlan, ModelDefaults, ModelInfo, ModelSetup, PoolSettings};

use crate::{
    ALLOCATOR, engine,
    model::{EMBEDDED, Model},
    output,
    settings::{ComputeSettings, HubSettings, Settings},
    unknown_fields::UnknownFields,
};

/// Starts the device's thread with the default model, which is loaded at once, and those that are loaded when they are asked for. It makes a
/// small image first, for estimates.
///
/// # Errors
/// [`crate::failure::Usage`] if a setting names no model; otherwise if the operating system refuses a thread.
pub(crate) fn start(settings: &Settings, prediction_type: Option<&str>) -> Result<LocalBackend> {
    let devices = Devices::default();
    let served = |source: &str, motion: &str, precision: Option<Precision>, prediction_type: Option<&str>| -> Result<Served> {
        Ok(Served {
            source: source.to_owned(),
            model: Model::parse(source, prediction_type)?,
            motion: Model::parse(motion, None)?,
            compute: ComputeSettings { precision: precision.unwrap_or(settings.compute.precision), ..settings.compute.clone() },
            hub: settings.hub.clone(),
            unknown_fields: settings.model.unknown_fields,
            devices: devices.clone(),
        })
    };
    let default = served(&settings.model.name, &settings.model.motion, None, prediction_type)?;
    let mut models = vec![default.setup(&settings.model.name, ModelDefaults::default())];
    for model in &settings.models {
        let motion = model.motion.as_ref().unwrap_or(&settings.model.motion);
        models.push(served(&model.source, motion, model.precision, None)?.setup(&model.name, model.defaults()));
    }
    let pool = PoolSettings {
        budget: settings.pool.budget,
        idle: settings.pool.idle_seconds.map(Duration::from_secs),
        release: Some(|| ALLOCATOR.trim()),
    };
    Ok(LocalBackend::start_pool(LocalSettings { measure_at_start: true, ..LocalSettings::new(Instant::now) }, models, pool)?)
}

/// The device that models share: a second handle to a GPU would be a second context on it.
#[derive(Clone, Default)]
struct Devices(Arc<Mutex<Option<Device>>>);

impl Devices {
    fn policy(&self, compute: &ComputeSettings) -> diffusion_core::Result<ExecutionPolicy> {
        let mut shared = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let policy = ExecutionPolicy::resolve(compute.device, compute.precision)?;
        let device = shared.get_or_insert_with(|| policy.device.clone()).clone();
        Ok(ExecutionPolicy { device, ..policy })
    }
}

/// A model as the settings name it.
#[derive(Clone)]
struct Served {
    source: String,
    model: Model,
    motion: Model,
    compute: ComputeSettings,
    hub: HubSettings,
    unknown_fields: UnknownFields,
    devices: Devices,
}

impl Served {
    fn setup(self, name: &str, defaults: ModelDefaults) -> ModelSetup {
        let read = self.clone();
        ModelSetup::new(name, move |watch| self.load(watch)).with_facts(move || read.facts()).with_defaults(defaults)
    }

    /// What is known of the model before its weights are read; fetches it if it is a hub's.
    fn facts(&self) -> diffusion_core::Result<(ModelInfo, MemoryPlan)> {
        go_behind();
        let policy = self.devices.policy(&self.compute)?;
        let source = self.model.open(&self.hub)?;
        self.unknown_fields.judge(source.as_ref())?;
        if self.source != EMBEDDED {
            // The embedded model is there before a person could read this; gigabytes are not.
            output::remark_on_terminal(format_args!("reading {}", self.source));
        }
        let motion = self.motion.open(&self.hub)?;
        self.unknown_fields.judge(motion.as_ref())?;
        let limit = engine::memory_limit(&self.compute, &policy);
        LoadedModel::facts(source.as_ref(), &policy, motion.as_ref(), limit).map_err(|error| self.model.explain(error, &self.hub))
    }

    fn load(&self, watch: &LoadWatch) -> diffusion_core::Result<LoadedModel> {
        go_behind();
        let policy = self.devices.policy(&self.compute)?;
        // It was fetched at the start.
        let offline = HubSettings { offline: true, ..self.hub.clone() };
        let source = watch.watched(self.model.open(&offline)?);
        if self.unknown_fields == UnknownFields::Refuse {
            self.unknown_fields.judge(source.as_ref())?;
        }
        let motion = self.motion.open(&offline)?;
        let limit = engine::memory_limit(&self.compute, &policy);
        LoadedModel::load(source.as_ref(), &policy, motion, limit).map_err(|error| self.model.explain(error, &self.hub))
    }
}

/// Has the calling thread go behind those that answer people; threads that it starts, such as an encoder's, go with it.
fn go_behind() {
    thread_local! {
        static IS_BEHIND: Cell<bool> = const { Cell::new(false) };
    }
    // A second time would put it behind its own kind.
    if !IS_BEHIND.replace(true) {
        Priority::Low.take();
    }
}
