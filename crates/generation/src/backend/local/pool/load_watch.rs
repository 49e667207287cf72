//! Watches a model being loaded: how far it is, whether it should stop, and how fast it may go on beside a running job.
//!
//! It must not know models: it stands between a model and its [`WeightSource`]. The invariant: every tensor passes here, so a load stops
//! before its next one, and beside a running job reads and packs for at most a tenth of the time.

use std::{
    ops::ControlFlow,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use diffusion_core::weights::{WatchedSource, WeightSource, elements_of};

use crate::backend::job::CancelSwitch;

/// How long a loader pauses for each part of the time that it works while a job runs. On two cores a step loses a twentieth to a thread that
/// works a tenth of the time.
const PAUSE: u32 = 9;
/// How often a loader that pauses looks whether the job has ended, or the load is not wanted any more.
const LOOK: Duration = Duration::from_millis(20);

/// Watches one load; clones watch the same.
#[derive(Clone, Debug)]
pub struct LoadWatch(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// Elements of tensors.
    all: AtomicU64,
    read: AtomicU64,
    stop: CancelSwitch,
    /// The job that the load is for, where it is for one alone.
    job: Mutex<Option<CancelSwitch>>,
    /// Whether a job runs beside the load.
    works: Arc<AtomicBool>,
    now: fn() -> Instant,
    /// When the loader last went on.
    resumed: Mutex<Instant>,
}

impl LoadWatch {
    pub(super) fn new(works: Arc<AtomicBool>, now: fn() -> Instant) -> Self {
        Self(Arc::new(Inner {
            all: AtomicU64::new(0),
            read: AtomicU64::new(0),
            stop: CancelSwitch::default(),
            job: Mutex::default(),
            works,
            now,
            resumed: Mutex::new(now()),
        }))
    }

    /// Stops when this job does.
    pub(in crate::backend::local) fn for_job(self, job: Option<CancelSwitch>) -> Self {
        *self.0.job.lock().unwrap_or_else(PoisonError::into_inner) = job;
        self
    }

    /// The same source, watched: to be called once a load.
    pub fn watched(&self, source: Box<dyn WeightSource>) -> Box<dyn WeightSource> {
        let watch = self.clone();
        self.0.all.store(elements_of(source.as_ref()), Ordering::Relaxed);
        Box::new(WatchedSource::new(source, move |elements| watch.on_tensor(elements)))
    }

    /// How much of the model is read, 0 to 1; 0 where its source does not say how much there is.
    pub fn share(&self) -> f64 {
        let (read, all) = (self.0.read.load(Ordering::Relaxed), self.0.all.load(Ordering::Relaxed));
        if all == 0 { 0.0 } else { (read as f64 / all as f64).min(1.0) }
    }

    /// Whether the load should stop: for loaders that read no tensors for a while.
    pub fn is_cancelled(&self) -> bool {
        let job = self.0.job.lock().unwrap_or_else(PoisonError::into_inner);
        self.0.stop.is_cancelled() || job.as_ref().is_some_and(CancelSwitch::is_cancelled)
    }

    pub(super) fn cancel(&self) {
        self.0.stop.cancel();
    }

    fn on_tensor(&self, elements: u64) -> ControlFlow<()> {
        self.pause();
        if self.is_cancelled() {
            return ControlFlow::Break(());
        }
        self.0.read.fetch_add(elements, Ordering::Relaxed);
        ControlFlow::Continue(())
    }

    /// Lets the running job have the machine, for as long as it takes to make up for what was read since the last time.
    fn pause(&self) {
        let mut resumed = self.0.resumed.lock().unwrap_or_else(PoisonError::into_inner);
        let now = (self.0.now)();
        let until = now + now.saturating_duration_since(*resumed) * PAUSE;
        while self.0.works.load(Ordering::Relaxed) && !self.is_cancelled() {
            let left = until.saturating_duration_since((self.0.now)());
            if left.is_zero() {
                break;
            }
            std::thread::sleep(left.min(LOOK));
        }
        *resumed = (self.0.now)();
    }
}
