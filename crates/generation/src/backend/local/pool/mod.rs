//! The models of this machine's device: which are set up, which are loaded, and which are loaded or dropped next.
//!
//! It must not know who waits for a job, nor hold a loaded model: the device's thread owns those, and carries out what `Pool` decides. The
//! invariants: models loaded or being loaded stay within the budget; the least recently used model is dropped first, and before its
//! replacement is read; one model is loaded at a time; a failed load leaves the other models unchanged.

mod load_watch;
mod setup;
mod state;

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use diffusion_core::adapters::UpscalerFolder;
use tokio::sync::watch;

use self::state::State;
pub(super) use self::state::{Going, Slot};
pub use self::{
    load_watch::LoadWatch,
    setup::{ModelSetup, OpenModel},
};
use super::{
    caught::{NotLoaded, guarded},
    memory::{Enlarging, MemoryPlan},
    model::{LoadedModel, ModelState},
    timings::Timings,
};
use crate::{
    backend::{Readiness, Refusal},
    model_info::ModelInfo,
    work::Work,
};

/// The default model's index.
pub(super) const DEFAULT: usize = 0;

/// The operator's settings for sharing the device between models. By default all that fit stay loaded.
#[derive(Clone, Copy, Debug, Default)]
pub struct PoolSettings {
    /// The memory that loaded models may hold together, in bytes; `None`: as much as fits beside a job by the memory plans.
    pub budget: Option<u64>,
    /// Models unused for this long are dropped; `None`: none are.
    pub idle: Option<Duration>,
    /// Returns freed memory to the system; called after every drop of a model.
    pub release: Option<fn()>,
}

/// A model as callers see it.
#[derive(Clone, Debug)]
pub struct ModelView {
    /// The name that requests use.
    pub name: String,
    /// Whether requests without a model name use this one.
    pub is_default: bool,
    /// Its state.
    pub state: ModelState,
    /// Facts about it, once they are known.
    pub info: Option<Arc<ModelInfo>>,
    /// The memory it holds while loaded, in bytes; 0 while unknown.
    pub bytes: u64,
    /// How many times it was loaded.
    pub loads: u64,
    /// Its timings so far.
    pub timings: Timings,
}

/// The motion model as callers see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MotionView {
    /// Its name for users.
    pub name: String,
    /// The width of its frames in pixels.
    pub width: u32,
    /// Their height.
    pub height: u32,
    /// How many of them it makes at once.
    pub frames: usize,
    /// How many of them make a second.
    pub fps: u32,
}

/// The state that the handles, the device's thread and the loader share.
pub(super) struct Pool {
    models: Vec<ModelSetup>,
    settings: PoolSettings,
    now: fn() -> Instant,
    /// The upscalers that requests for any of the models may choose.
    upscalers: Option<UpscalerFolder>,
    state: Mutex<State>,
    changed: watch::Sender<()>,
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("models", &self.models).field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// The pool's next task for the device's thread.
pub(super) enum Step {
    /// Drop these models.
    Drop(Vec<usize>),
    /// Load this one; `beside`: on a second thread, while jobs run.
    Load { index: usize, beside: bool },
    /// Refuse to load this one, with the reason.
    Refuse(usize, String),
    /// Drop the loaded upscaler.
    DropUpscaler,
}

impl Pool {
    /// The first model is the default one.
    pub(super) fn new(models: Vec<ModelSetup>, settings: PoolSettings, now: fn() -> Instant) -> Self {
        let state = Mutex::new(State::new(models.len(), now()));
        Self { models, settings, now, upscalers: None, state, changed: watch::Sender::new(()) }
    }

    /// The same with upscalers that requests may choose.
    pub(super) fn with_upscalers(self, upscalers: Option<UpscalerFolder>) -> Self {
        Self { upscalers, ..self }
    }

    pub(super) fn count(&self) -> usize {
        self.models.len()
    }

    pub(super) fn name(&self, index: usize) -> &str {
        self.models.get(index).map_or("", |model| &model.name)
    }

    /// The index of a model by the name in a request; of the default model without a name.
    ///
    /// # Errors
    /// [`Refusal::UnknownModel`] with the known names.
    pub(super) fn index_of(&self, name: Option<&str>) -> Result<usize, Refusal> {
        let Some(name) = name else { return Ok(0) };
        self.models.iter().position(|model| model.name == name).ok_or_else(|| Refusal::UnknownModel {
            model: name.to_owned(),
            known: self.models.iter().map(|model| model.name.clone()).collect(),
        })
    }

    pub(super) fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No code panics while it holds the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state and notifies its watchers.
    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let changed = change(&mut self.lock());
        self.changed.send_replace(());
        changed
    }

    pub(super) fn views(&self) -> Vec<ModelView> {
        let state = self.lock();
        let models = self.models.iter().zip(&state.slots).enumerate();
        models.map(|(index, (model, slot))| ModelView { name: model.name.clone(), is_default: index == 0, ..slot.view() }).collect()
    }

    /// Reads a model's state; `None` if there is no such model.
    pub(super) fn look<T>(&self, index: usize, look: impl FnOnce(&Slot) -> T) -> Option<T> {
        self.lock().slots.get(index).map(look)
    }

    /// Facts about a model.
    ///
    /// # Errors
    /// [`Refusal::Loading`] or [`Refusal::Failed`] while they are not known.
    pub(super) fn info(&self, index: usize) -> Result<Arc<ModelInfo>, Refusal> {
        self.look(index, Slot::known_info).unwrap_or(Err(Refusal::Loading))
    }

    /// The limit of the models' memory, in bytes.
    pub(super) fn budget(&self) -> Option<u64> {
        self.settings.budget
    }

    pub(super) fn memory(&self, index: usize) -> Option<MemoryPlan> {
        self.look(index, |slot| slot.memory.clone()).flatten()
    }

    pub(super) fn timings(&self, index: usize) -> Timings {
        self.look(index, |slot| slot.timings).unwrap_or_default()
    }

    pub(super) fn learn(&self, index: usize, learn: impl FnOnce(&mut Timings)) {
        if let Some(slot) = self.lock().slots.get_mut(index) {
            learn(&mut slot.timings);
        }
    }

    /// Whether a job submitted at `since` can start with this model.
    pub(super) fn readiness(&self, index: usize, since: Instant) -> Readiness {
        self.lock().readiness(index, since)
    }

    /// Opens a model's files and publishes its facts. A failed opening is retried when the model is loaded.
    ///
    /// # Errors
    /// Any fault of the files.
    pub(super) fn open(&self, index: usize) -> Result<OpenModel, NotLoaded> {
        let model = self.models.get(index).ok_or(NotLoaded::Stopped)?;
        let opened = guarded(|| model.open());
        let facts = opened.as_ref().map(|model| {
            model.facts.clone().map(|(info, memory)| (Arc::new(ModelInfo { upscalers: self.upscalers.clone(), ..info }), memory))
        });
        self.change(|state| state.opened(index, facts, (self.now)()));
        opened
    }

    /// Reads the facts of the models other than the default, each on its own thread: one that is still being downloaded delays no other.
    pub(super) fn open_others(self: &Arc<Self>) {
        for index in (0..self.models.len()).filter(|index| *index != DEFAULT) {
            let pool = Arc::clone(self);
            let read = move || {
                if let Err(failure) = pool.open(index) {
                    tracing::error!(model = pool.name(index), reason = %failure, "a model cannot be opened");
                }
            };
            if let Err(error) = std::thread::Builder::new().name("facts".into()).spawn(read) {
                let failure = NotLoaded::Failed(format!("no thread can be started: {error}"));
                self.change(|state| state.opened(index, Err(&failure), (self.now)()));
            }
        }
    }

    /// Requests a model. Returns a watch if the caller is to load it now, beside the running job. Otherwise, if `may_swap` lets other
    /// models be dropped for it, it is queued for the device's thread.
    pub(super) fn request_load(&self, index: usize, may_swap: bool) -> Option<LoadWatch> {
        let watch = self.new_watch();
        let watch_to_load = self.lock().request_load(index, may_swap, self.settings.budget, watch);
        if watch_to_load.is_some() || may_swap {
            self.changed.send_replace(());
        }
        watch_to_load
    }

    /// Drops a model as soon as no job runs with it, and stops its loading.
    pub(super) fn request_unload(&self, index: usize) {
        self.change(|state| state.request_unload(index));
    }

    /// The next task between jobs.
    pub(super) fn next_step(&self) -> Option<Step> {
        self.lock().next_step((self.now)(), &self.settings)
    }

    /// What to drop so that this job fits, its own model's weights and those of the upscaler that it needs included.
    pub(super) fn to_drop_for(&self, index: usize, work: &Work, enlarging: Enlarging) -> Going {
        self.lock().to_drop_for(index, work, enlarging, self.settings.budget)
    }

    /// The models to drop so that an enlargement fits; `limit` is the total that the process may hold, in bytes.
    pub(super) fn to_drop_for_upscaling(&self, enlarging: Enlarging, limit: Option<u64>) -> Vec<usize> {
        self.lock().to_drop_for_upscaling(enlarging, (limit, self.settings.budget))
    }

    /// Records the bytes that the upscaler holds, and needs while it runs. They change when it begins and ends to run only.
    pub(super) fn upscaler_holds(&self, bytes: u64) {
        let now = (self.now)();
        let mut state = self.lock();
        if state.upscaler != bytes {
            (state.upscaler, state.upscaler_used) = (bytes, now);
        }
    }

    /// Records that the upscaler was dropped.
    pub(super) fn upscaler_dropped(&self) {
        self.upscaler_holds(0);
        if let Some(release) = self.settings.release {
            release();
        }
    }

    /// Records whether an enlargement runs, during which loaders hold back.
    pub(super) fn upscales(&self, is_running: bool) {
        self.lock().works.store(is_running, std::sync::atomic::Ordering::Relaxed);
    }

    /// The time until the next model has been idle for too long; `None` if none will be.
    pub(super) fn until_idle(&self) -> Option<Duration> {
        self.lock().until_idle((self.now)(), self.settings.idle?)
    }

    /// Records the start of a load.
    pub(super) fn begin(&self, index: usize, watch: &LoadWatch) {
        self.change(|state| state.begin(index, watch.clone()));
    }

    /// Loads an open model on the calling thread.
    ///
    /// # Errors
    /// Why it could not be loaded.
    pub(super) fn load(&self, index: usize, open: OpenModel, watch: &LoadWatch) -> Result<LoadedModel, NotLoaded> {
        let model = self.models.get(index).ok_or(NotLoaded::Stopped)?;
        guarded(|| watch.aside(|| model.load(open, watch)))
    }

    /// Records the result of a load.
    pub(super) fn loaded(&self, index: usize, result: Result<(Arc<ModelInfo>, MemoryPlan), NotLoaded>) {
        let now = (self.now)();
        self.change(|state| state.loaded(index, result, now));
    }

    /// Records that models were dropped.
    pub(super) fn dropped(&self, indices: &[usize]) {
        self.change(|state| indices.iter().for_each(|index| state.dropped(*index)));
        if let Some(release) = self.settings.release.filter(|_| !indices.is_empty()) {
            release();
        }
    }

    /// Records that a job starts with a model, or without `work`, that it has finished.
    pub(super) fn runs(&self, index: usize, work: Option<Arc<Work>>) {
        let now = (self.now)();
        let mut state = self.lock();
        state.works.store(work.is_some(), std::sync::atomic::Ordering::Relaxed);
        state.running = work.map(|work| (index, work));
        if let Some(slot) = state.slots.get_mut(index) {
            slot.used = now;
        }
    }

    /// The least recently used of the other models.
    pub(super) fn least_used(&self, but: usize) -> Option<usize> {
        self.lock().by_use(but).first().copied()
    }

    /// Whether a model is being loaded or queued.
    pub(super) fn is_busy(&self) -> bool {
        self.lock().is_busy()
    }

    /// Stops the current load.
    pub(super) fn stop_loading(&self) {
        self.lock().stop_loading();
    }

    /// Why a model does not fit even alone.
    pub(super) fn too_large(&self, index: usize) -> Option<String> {
        self.look(index, |slot| slot.too_large(self.settings.budget)).flatten()
    }

    pub(super) fn new_watch(&self) -> LoadWatch {
        let state = self.lock();
        LoadWatch::new(Arc::clone(&state.works), self.now)
    }
}
