//! Loads models on a thread beside the device's, so that a load does not hold up the running job.
//!
//! It must not know which model is next. The invariant: the device's thread receives the result of every load, exactly once.

use std::{
    sync::{Arc, mpsc},
    time::{Duration, Instant},
};

use super::{
    caught::NotLoaded,
    model::LoadedModel,
    pool::{LoadWatch, Pool},
};

/// The result of a load.
pub(super) struct Loaded {
    pub(super) index: usize,
    pub(super) result: Result<LoadedModel, NotLoaded>,
    pub(super) took: Duration,
}

/// Starts loads.
#[derive(Clone, Debug)]
pub(super) struct Loader {
    pub(super) pool: Arc<Pool>,
    pub(super) loaded: mpsc::Sender<Loaded>,
    pub(super) now: fn() -> Instant,
}

impl Loader {
    /// Loads a model beside the device's thread.
    pub(super) fn start(&self, index: usize, watch: LoadWatch) {
        self.pool.begin(index, &watch);
        let Self { pool, loaded, now } = self.clone();
        let load = move || {
            let started = now();
            let result = pool.open(index).and_then(|open| pool.load(index, open, &watch));
            let took = now().saturating_duration_since(started);
            // Fails only if the device's thread has ended; no job needs the model then.
            let _unread: Result<(), mpsc::SendError<Loaded>> = loaded.send(Loaded { index, result, took });
        };
        if let Err(error) = std::thread::Builder::new().name("loader".into()).spawn(load) {
            let result = Err(NotLoaded::Failed(format!("no thread can be started: {error}")));
            let _unread: Result<(), mpsc::SendError<Loaded>> = self.loaded.send(Loaded { index, result, took: Duration::ZERO });
        }
    }
}
