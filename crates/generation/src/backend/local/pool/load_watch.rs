//! Watches a load: its progress, its cancellation, and its pace beside a running job.
//!
//! It must not know models: it sits between a model and its [`WeightSource`]. The invariant: every tensor passes here, so a cancelled load
//! stops before its next tensor, and beside a running job a load reads and packs for at most a tenth of the time, in short pieces.

use std::{
    ops::ControlFlow,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use cpu_kernels::Manners;
use diffusion_core::weights::{WatchedSource, WeightSource, elements_of};

use crate::backend::job::CancelSwitch;

/// A loader's pause while a job runs, as a multiple of its preceding work. On two cores a step loses a twentieth to a thread that works a
/// tenth of the time.
const PAUSE: u32 = 9;
/// How often a pausing loader checks whether the job has finished or the load is cancelled.
const LOOK: Duration = Duration::from_millis(20);

/// Watches one load; clones share it.
#[derive(Clone, Debug)]
pub struct LoadWatch(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// Elements of tensors.
    all: AtomicU64,
    read: AtomicU64,
    stop: CancelSwitch,
    /// The job that the load is for, if it is for a single one.
    job: Mutex<Option<CancelSwitch>>,
    /// Whether a job runs beside the load.
    works: Arc<AtomicBool>,
    now: fn() -> Instant,
    /// When the loader last resumed work.
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

    /// Stops the load when this job is cancelled.
    pub(in crate::backend::local) fn for_job(self, job: Option<CancelSwitch>) -> Self {
        *self.0.job.lock().unwrap_or_else(PoisonError::into_inner) = job;
        self
    }

    /// Wraps the source so that this watches it; to be called once per load.
    pub fn watched(&self, source: Box<dyn WeightSource>) -> Box<dyn WeightSource> {
        let watch = self.clone();
        self.0.all.store(elements_of(source.as_ref()), Ordering::Relaxed);
        Box::new(WatchedSource::new(source, move |elements| watch.on_tensor(elements)))
    }

    /// The fraction of the model that has been read, 0 to 1; 0 if its source does not state its size.
    pub fn share(&self) -> f64 {
        let (read, all) = (self.0.read.load(Ordering::Relaxed), self.0.all.load(Ordering::Relaxed));
        if all == 0 { 0.0 } else { (read as f64 / all as f64).min(1.0) }
    }

    /// Whether the load should stop, for loaders that read no tensors for a while.
    pub fn is_cancelled(&self) -> bool {
        self.0.is_cancelled()
    }

    pub(super) fn cancel(&self) {
        self.0.stop.cancel();
    }

    fn on_tensor(&self, elements: u64) -> ControlFlow<()> {
        self.0.pause();
        if self.is_cancelled() {
            return ControlFlow::Break(());
        }
        self.0.read.fetch_add(elements, Ordering::Relaxed);
        ControlFlow::Continue(())
    }

    /// Calls `load`, whose kernels leave the pool of kernel threads to the running job. A large tensor's packing would otherwise hold it for
    /// a tenth of a second.
    pub(super) fn aside<T>(&self, load: impl FnOnce() -> T) -> T {
        cpu_kernels::aside(Arc::clone(&self.0) as Arc<dyn Manners>, load)
    }
}

impl Inner {
    fn is_cancelled(&self) -> bool {
        let job = self.job.lock().unwrap_or_else(PoisonError::into_inner);
        self.stop.is_cancelled() || job.as_ref().is_some_and(CancelSwitch::is_cancelled)
    }
}

impl Manners for Inner {
    fn is_yielding(&self) -> bool {
        self.works.load(Ordering::Relaxed)
    }

    /// Yields the machine to the running job: pauses for [`PAUSE`] times the work since the last pause.
    fn pause(&self) {
        let mut resumed = self.resumed.lock().unwrap_or_else(PoisonError::into_inner);
        let now = (self.now)();
        let until = now + now.saturating_duration_since(*resumed) * PAUSE;
        while self.works.load(Ordering::Relaxed) && !self.is_cancelled() {
            let left = until.saturating_duration_since((self.now)());
            if left.is_zero() {
                break;
            }
            std::thread::sleep(left.min(LOOK));
        }
        *resumed = (self.now)();
    }
}
