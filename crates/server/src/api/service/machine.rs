//! `GET /api/v1/machine`: the device, memory, the queue and the store, how fast models are, and your last failed tasks.
//!
//! It must not name folders. The invariant: a key sees no task of another key; counts are of all of them.

use std::time::SystemTime;

use actix_web::web::{self, Data, Json};
use generation::{
    ModelView,
    jobs::{JobState, Page},
};

use super::machine_wire::{FailedTask, Machine, MachineMemory, MachineQueue, MachineStore, ModelSpeed};
use crate::{
    access::Caller,
    api::tasks::failure,
    http::{Problem, StoreProblems},
    state::{ApiState, MachineProbe},
};

/// How many failed tasks are listed.
const MOST_ERRORS: usize = 20;

/// The state of this machine.
///
/// Counts of the queue and of the store are of all keys; `errors` has your own tasks only.
#[utoipa::path(
    get,
    path = "/api/v1/machine",
    operation_id = "show_machine",
    tag = "service",
    responses((status = 200, description = "Its state", body = Machine), StoreProblems)
)]
pub(crate) async fn machine(caller: Caller, state: Data<ApiState>) -> Result<Json<Machine>, Problem> {
    let failed = Page { limit: MOST_ERRORS, states: vec![JobState::Failed], newest_first: true, ..Page::default() };
    let failed = state.jobs.list(&caller.owner, failed).await?;
    let stats = state.jobs.stats().await?;
    let (probe, resident, folder) = (state.machine, state.resident_memory, state.uploads.folder_of_all().to_owned());
    // The system may take a while to answer.
    let facts = web::block(move || {
        let MachineProbe { total_memory, available_memory, free_disk, .. } = probe;
        (total_memory(), available_memory(), resident(), free_disk(&folder))
    });
    let (total_bytes, available_bytes, resident_bytes, folder_free_bytes) = facts.await?;
    let views = state.local().models();
    let info = views.iter().find_map(|view| view.info.clone());
    let (active, waiting) = (state.jobs.active(), state.jobs.waiting());
    Ok(Json(Machine {
        version: env!("CARGO_PKG_VERSION"),
        device: info.as_ref().map(|info| info.device.clone()),
        device_reason: info.as_ref().map(|info| info.device_reason.clone()),
        cpu_threads: (state.machine.threads)(),
        precision: info.map(|info| info.precision.clone()),
        uptime_seconds: SystemTime::now().duration_since(state.started).unwrap_or_default().as_secs(),
        memory: MachineMemory {
            total_bytes,
            available_bytes,
            resident_bytes,
            models_bytes: views.iter().filter(|view| matches!(view.state, generation::ModelState::Ready)).map(|view| view.bytes).sum(),
            limit_bytes: state.local().memory_budget(),
        },
        queue: MachineQueue { waiting, running: active.saturating_sub(waiting), capacity: state.jobs.capacity() },
        store: MachineStore {
            kept_bytes: stats.kept_bytes,
            kept_files: stats.kept_files,
            jobs: stats.jobs.into_iter().map(|(state, count)| (state.name(), count)).collect(),
            folder_free_bytes,
        },
        speed: views.iter().filter_map(speed).collect(),
        errors: failed
            .iter()
            .map(|job| {
                let failure = failure(job);
                FailedTask { task_id: job.id.clone(), at: failure.at, kind: failure.kind, code: failure.code, message: failure.message }
            })
            .collect(),
    }))
}

/// The measured speed of a model, if there is one.
fn speed(view: &ModelView) -> Option<ModelSpeed> {
    let (info, step) = (view.info.as_ref()?, view.timings.step()?.as_secs_f64());
    let rate = (step > 0.0).then(|| 1.0 / step);
    Some(ModelSpeed {
        model: view.name.clone(),
        width: info.default_width,
        height: info.default_height,
        seconds_per_step: step,
        steps_per_second: rate,
    })
}
