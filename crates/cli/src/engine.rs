//! Starting the generation engine with the model and the device that the settings name; `image` and `serve` share it.

use std::time::Instant;

use anyhow::Result;
use diffusion_core::policy::ExecutionPolicy;
use generation::{Engine, EngineSettings, LoadedModel};

use crate::{
    model::{EMBEDDED, Model},
    output,
    settings::Settings,
};

/// Starts the engine; its own thread opens the device, fetches the model if need be, and loads it.
///
/// # Errors
/// [`crate::failure::Usage`] if the settings name no model; otherwise if the operating system refuses a thread.
pub(crate) fn start(settings: &Settings, prediction_type: Option<&str>) -> Result<Engine> {
    let model = Model::parse(&settings.model.name, prediction_type)?;
    let (name, compute, hub) = (settings.model.name.clone(), settings.compute.clone(), settings.hub.clone());
    let engine_settings = EngineSettings { queue_capacity: settings.server.queue_capacity, ..EngineSettings::new(Instant::now) };
    let engine = Engine::start(engine_settings, move || {
        let policy = ExecutionPolicy::resolve(compute.device, compute.precision)?;
        let source = model.open(&hub)?;
        if name != EMBEDDED {
            // The embedded model is there before a person could read this; gigabytes are not.
            output::remark_on_terminal(format_args!("loading {name}"));
        }
        LoadedModel::load(source.as_ref(), &policy)
    })?;
    Ok(engine)
}
