//! The models of a server: how each is opened, loaded and reloaded.
//!
//! It must not know which of them is loaded when. The invariants: hub models are downloaded at the start and never inside a request; all
//! models of a device share one handle to it; threads that load and run models have a lower priority than those that answer requests.

use std::{
    cell::Cell,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyhow::Result;
use candle_core::Device;
use cpu_kernels::Priority;
use diffusion_core::{
    adapters::{AdapterChoice, UpscalerFolder},
    policy::ExecutionPolicy,
};
use generation::{LocalBackend, LocalSettings, ModelSetup, OpenModel, PoolSettings, Upscalers};

use crate::{
    ALLOCATOR,
    adapters::Folders,
    engine,
    failure::Usage,
    model::{EMBEDDED, Model},
    output,
    parts::Parts,
    settings::{ChosenModel, ComputeSettings, HubSettings, Settings},
    unknown_fields::UnknownFields,
};

/// Starts the device's thread with the default model, which is loaded at once, and the other models, which are loaded on demand. The thread
/// warms up with a small image, for estimates.
///
/// # Errors
/// [`crate::failure::Usage`] if a setting names an invalid model; otherwise if the operating system refuses a thread.
pub(crate) fn start(settings: &Settings, prediction_type: Option<&str>, local: LocalSettings) -> Result<LocalBackend> {
    let devices = Devices::default();
    let folders = Folders::open(settings)?;
    let served = |model: ChosenModel, prediction_type: Option<&str>| -> Result<ModelSetup> {
        let ChosenModel { name, source, motion, parts, precision, defaults } = model;
        folders.check(&name, &defaults.loras)?;
        parts.check()?;
        let served = Served {
            model: Model::parse(&source, prediction_type)?,
            motion: Model::parse(&motion, None)?,
            source,
            parts,
            compute: ComputeSettings { precision, ..settings.compute.clone() },
            hub: settings.hub.clone(),
            unknown_fields: settings.model.unknown_fields,
            devices: devices.clone(),
            folders: folders.clone(),
            loras: defaults.loras.clone(),
            was_opened: AtomicBool::new(false),
        };
        Ok(ModelSetup::new(name, move || served.open()).with_defaults(defaults))
    };
    let mut models = vec![served(settings.default_model(), prediction_type)?];
    for model in settings.other_models() {
        models.push(served(model, None)?);
    }
    let pool = PoolSettings {
        budget: settings.pool.budget,
        idle: settings.pool.idle_seconds.map(Duration::from_secs),
        release: Some(|| ALLOCATOR.trim()),
    };
    let upscalers = upscalers(settings, devices)?;
    Ok(LocalBackend::start_with(LocalSettings { measure_at_start: true, ..local }, models, pool, upscalers)?)
}

/// The upscalers of the folder of the settings, on the device of the models.
///
/// # Errors
/// [`Usage`] if the folder does not exist or cannot be read.
fn upscalers(settings: &Settings, devices: Devices) -> Result<Upscalers, Usage> {
    let Some(folder) = &settings.upscalers.folder else { return Ok(Upscalers::default()) };
    let refused = |error: diffusion_core::Error| Usage(format!("setting upscalers.folder: {error}"));
    let folder = UpscalerFolder::open(folder).map_err(refused)?;
    for remark in folder.remarks().map_err(refused)? {
        tracing::warn!("{remark}");
    }
    let compute = settings.compute.clone();
    Ok(Upscalers::new(folder, move || {
        lower_priority();
        let policy = devices.policy(&compute)?;
        let limit = engine::memory_limit(&compute, &policy);
        Ok((policy, limit))
    }))
}

/// The device that models share: a second handle to a GPU would be a second context on it.
#[derive(Clone, Default)]
pub(crate) struct Devices(Arc<Mutex<Option<Device>>>);

impl Devices {
    /// Where a model runs, on the device of the first one.
    ///
    /// # Errors
    /// If there is no such device.
    pub(crate) fn policy(&self, compute: &ComputeSettings) -> diffusion_core::Result<ExecutionPolicy> {
        let mut shared = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let policy = ExecutionPolicy::resolve(compute.device, compute.precision)?;
        let device = shared.get_or_insert_with(|| policy.device.clone()).clone();
        Ok(ExecutionPolicy { device, ..policy })
    }
}

/// A model from the settings.
struct Served {
    source: String,
    model: Model,
    motion: Model,
    parts: Parts,
    compute: ComputeSettings,
    hub: HubSettings,
    unknown_fields: UnknownFields,
    devices: Devices,
    folders: Folders,
    /// The adapters of requests that choose none.
    loras: Vec<AdapterChoice>,
    /// Whether it was opened before, and thereby downloaded.
    was_opened: AtomicBool,
}

impl Served {
    /// Opens the model. The first call, at the server's start, downloads a hub model.
    fn open(&self) -> diffusion_core::Result<OpenModel> {
        lower_priority();
        let is_start = !self.was_opened.swap(true, Ordering::Relaxed);
        let policy = self.devices.policy(&self.compute)?;
        let hub = HubSettings { offline: self.hub.offline || !is_start, ..self.hub.clone() };
        let source = self.model.open_with(&self.parts, &hub)?;
        if is_start || self.unknown_fields == UnknownFields::Refuse {
            self.unknown_fields.judge(source.as_ref())?;
        }
        if is_start && self.source != EMBEDDED {
            // Not for the embedded model, which loads before a person could read this.
            output::remark_on_terminal(format_args!("reading {}", self.source));
        }
        let motion = self.motion.open(&hub)?;
        if is_start {
            self.unknown_fields.judge(motion.as_ref())?;
        }
        let limit = engine::memory_limit(&self.compute, &policy);
        let (model, parts, offline) = (self.model.clone(), self.parts.clone(), HubSettings { offline: true, ..self.hub.clone() });
        let opened = match self.folders.of_model(self.loras.clone(), move || model.open_with(&parts, &offline)) {
            None => OpenModel::of(source, &policy, motion, limit),
            Some(adapters) => OpenModel::adapted(source, &policy, motion, limit, adapters),
        };
        opened.map_err(|error| self.model.explain(error, &self.hub))
    }
}

/// Lowers the priority of the calling thread, and so of threads that it starts, such as an encoder's, below those that answer requests.
fn lower_priority() {
    thread_local! {
        static IS_LOWERED: Cell<bool> = const { Cell::new(false) };
    }
    // A second call would put it below other model threads.
    if !IS_LOWERED.replace(true) {
        Priority::Low.take();
    }
}
