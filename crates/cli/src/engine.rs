//! Starts this machine's device with the models of the settings, and submits a command's single job. Shared by the commands.

use std::{sync::Arc, time::SystemTime};

use anyhow::{Result, anyhow};
use diffusion_core::{adapters::AdapterChoice, pipelines::nano_svd, policy::ExecutionPolicy};
use generation::{
    LoadedModel, LocalBackend, LocalSettings, ModelInfo, ModelSetup, OpenModel, PoolSettings, SubmitError, Work,
    jobs::{Durability, HeldJob, HeldVideo, Jobs, JobsSettings, Metadata, NewJob},
    video::{ScenesSpec, VideoOutput},
};

use crate::{
    ALLOCATOR,
    adapters::Folders,
    flags, memory,
    model::{EMBEDDED, EMBEDDED_MOTION, Model},
    output,
    parts::Parts,
    serving_models::Devices,
    settings::{ChosenModel, ComputeSettings, HubSettings, Settings},
    signing,
    unknown_fields::UnknownFields,
};

/// What an engine is started for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Still pictures from prompts alone.
    Prompts,
    /// Still pictures only, also from given ones.
    Images,
    /// Pictures, and the motion model.
    Motion,
}

impl Purpose {
    /// The purpose of a video of scenes.
    pub(crate) fn of(spec: &ScenesSpec) -> Self {
        if spec.scenes().iter().any(|scene| scene.motion().is_some()) { Self::Motion } else { Self::Images }
    }
}

/// Starts the engine with the image model; its own thread opens the device, fetches the models if necessary, and loads the image model. The
/// motion model is loaded on first use.
///
/// # Errors
/// [`crate::failure::Usage`] if the settings name no model; otherwise if the operating system refuses a thread.
pub(crate) fn start(settings: &Settings, prediction_type: Option<&str>, purpose: Purpose) -> Result<LocalBackend> {
    start_adapted(settings, prediction_type, purpose, Chosen::default(), Folders::open(settings)?)
}

/// What a command chooses for its job.
#[derive(Default)]
pub(crate) struct Chosen<'a> {
    /// The adapters that the image model is loaded with, instead of its usual ones.
    pub(crate) loras: Option<Vec<AdapterChoice>>,
    /// The model that ends the pictures.
    pub(crate) refiner: Option<&'a str>,
}

/// As [`start`], with what the job chooses, from these folders.
///
/// # Errors
/// As [`start`].
pub(crate) fn start_adapted(
    settings: &Settings,
    prediction_type: Option<&str>,
    purpose: Purpose,
    Chosen { loras, refiner }: Chosen<'_>,
    folders: Folders,
) -> Result<LocalBackend> {
    let ChosenModel { name, source, motion, parts, precision, defaults } = settings.default_model();
    let (model, motion) = (Model::parse(&source, prediction_type)?, Model::parse(&motion, None)?);
    parts.check()?;
    let (compute, hub) = (settings.compute.clone(), settings.hub.clone());
    let unknown_fields = settings.model.unknown_fields;
    // Those of flags have been checked, so any that is missing is the settings'.
    let usual = defaults.loras.clone();
    let only = loras.unwrap_or_else(|| usual.clone());
    folders.check(&name, &only)?;
    let devices = Devices::default();
    let others = refiner.map(|refiner| self::refiner(refiner, settings, devices.clone())).transpose()?.into_iter().collect();
    let load = move || {
        let encodes = purpose != Purpose::Prompts;
        let policy = ExecutionPolicy { encodes, ..devices.policy(&ComputeSettings { precision, ..compute.clone() })? };
        let images = open(&model, &parts, &name, &hub, unknown_fields)?;
        // Fetched now if it comes from the hub, because nothing is fetched inside a request; its weights are read on first use.
        let motion = motion.open(&hub)?;
        if purpose == Purpose::Motion {
            unknown_fields.judge(motion.as_ref())?;
        }
        let limit = memory_limit(&compute, &policy);
        let (reopened, parts, offline) = (model.clone(), parts.clone(), HubSettings { offline: true, ..hub.clone() });
        let loaded = match folders.of_model(usual, move || reopened.open_with(&parts, &offline)) {
            None => LoadedModel::load(images.as_ref(), &policy, motion, limit),
            Some(adapters) => LoadedModel::load_adapted(images, &policy, motion, limit, adapters.for_job(only)),
        };
        let mut loaded = loaded.map_err(|error| model.explain(error, &hub))?;
        loaded.info.set_defaults(defaults)?;
        Ok(loaded)
    };
    let pool = PoolSettings { release: Some(|| ALLOCATOR.trim()), ..PoolSettings::default() };
    Ok(LocalBackend::start_beside(local_settings(settings)?, load, others, pool)?)
}

/// The model that ends pictures, which is loaded when its part begins.
fn refiner(name: &str, settings: &Settings, devices: Devices) -> Result<ModelSetup> {
    let ChosenModel { source, parts, precision, defaults, .. } = settings.model_at(name);
    let model = Model::parse(&source, None)?;
    parts.check()?;
    let (compute, hub) = (ComputeSettings { precision, ..settings.compute.clone() }, settings.hub.clone());
    let unknown_fields = settings.model.unknown_fields;
    let open = move || {
        let policy = devices.policy(&compute)?;
        let opened = open(&model, &parts, &source, &hub, unknown_fields)?;
        // It sets nothing in motion.
        let limit = memory_limit(&compute, &policy);
        OpenModel::of(opened, &policy, Box::new(nano_svd()), limit).map_err(|error| model.explain(error, &hub))
    };
    Ok(ModelSetup::new(name, open).with_defaults(defaults))
}

/// Starts the engine with the motion model and without an image model.
///
/// # Errors
/// As [`start`].
pub(crate) fn start_motion(settings: &Settings) -> Result<LocalBackend> {
    let (name, precision) = settings.motion_model();
    let motion = Model::parse(&name, None)?;
    let (compute, hub) = (settings.compute.clone(), settings.hub.clone());
    let unknown_fields = settings.model.unknown_fields;
    Ok(LocalBackend::start(local_settings(settings)?, move || {
        let policy = ExecutionPolicy::resolve(compute.device, precision)?;
        LoadedModel::load_motion(
            open(&motion, &Parts::default(), &name, &hub, unknown_fields)?.as_ref(),
            &policy,
            memory_limit(&compute, &policy),
        )
    })?)
}

/// The device's settings of a command, which says how its files are signed.
fn local_settings(settings: &Settings) -> Result<LocalSettings> {
    let (local, remark) = signing::local_settings(settings)?;
    remark.into_iter().for_each(output::remark);
    Ok(local)
}

/// Submits a command's single job, which lives as long as the command; `video` is where a video is written.
///
/// # Errors
/// [`SubmitError`] if the device rejects it.
pub(crate) async fn hold(local: &LocalBackend, work: Work, video: Option<VideoOutput>) -> Result<HeldJob, SubmitError> {
    let jobs = Jobs::held_only(JobsSettings::new("", SystemTime::now), local.clone());
    let new = NewJob {
        id: "command".to_owned(),
        owner: String::new(),
        priority: generation::Priority::Normal,
        own_priority: generation::Priority::Normal,
        work,
        durability: Durability::Held { video: video.map(|output| HeldVideo { output, folder: None }) },
        metadata: Metadata::default(),
        idempotency: None,
        callback_url: None,
    };
    // A job submitted without an idempotency key is always new, and held.
    jobs.submit(new).await?.held.ok_or(SubmitError::ShuttingDown)
}

/// Waits until the model is loaded.
///
/// # Errors
/// [`crate::failure::Usage`] if a flag or a setting besides the model is at fault, and the reason otherwise.
pub(crate) async fn loaded(local: &LocalBackend) -> Result<Arc<ModelInfo>> {
    let loaded = local.loaded().await;
    loaded.map_err(|reason| match local.refused_setting() {
        Some(setting) => flags::not_set(setting, &reason).into(),
        None => anyhow!(reason),
    })
}

fn open(
    model: &Model,
    parts: &Parts,
    name: &str,
    hub: &HubSettings,
    unknown_fields: UnknownFields,
) -> diffusion_core::Result<Box<dyn diffusion_core::weights::WeightSource>> {
    let source = model.open_with(parts, hub)?;
    unknown_fields.judge(source.as_ref())?;
    if ![EMBEDDED, EMBEDDED_MOTION].contains(&name) {
        // An embedded model loads faster than a person could read this; gigabytes do not.
        output::remark_on_terminal(format_args!("loading {name}"));
    }
    Ok(source)
}

/// The text that a command prints about a loaded model: its name and device, and a line for each remark on how it was read.
pub(crate) fn about(model: &ModelInfo) -> String {
    let mut about = format!("{} on {}", model.name, model.device_reason);
    for remark in &model.remarks {
        about.push_str("\n  ");
        about.push_str(remark);
    }
    about
}

/// The process's memory limit: the operator's, else nine tenths of the machine's memory if the model runs on the CPU.
pub(crate) fn memory_limit(compute: &ComputeSettings, policy: &ExecutionPolicy) -> Option<u64> {
    let machine = || memory::of_the_machine().filter(|_| policy.device_name() == "cpu");
    compute.memory_limit.or_else(|| machine().map(|bytes| bytes / 10 * 9))
}
