//! A fixed set of threads that run the tasks of one kernel at a time.
//!
//! A kernel cuts its work into tasks whose number and sizes do not depend on the threads, so neither do its results. Each thread first takes
//! the tasks of its own part, in order: the next kernel's part is mostly what this core has just written, and fetching it from another core's
//! cache takes longer than many of a small model's kernels. Then it helps with the others' parts, so that the rest continues when other work
//! delays one core. Between kernels a worker spins for about 50 microseconds, because the next kernel usually follows closely, and then sleeps.
//!
//! A thread with less urgent work, such as packing another model's weights, calls kernels in [`aside`]: they then leave the pool to others.

use std::{
    any::Any,
    cell::RefCell,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread::JoinHandle,
};

use super::Priority;

/// Iterations that a worker spins for before it sleeps: about 50 microseconds.
const SPINS: usize = if cfg!(miri) { 20 } else { 2_000 };

/// How many tasks a kernel is cut into at least, if its work suffices for more than one: with few unequal ones, threads wait for the last.
pub(crate) const TASKS: usize = 8;

/// The part of a task of `length` elements: whole units, at most about `most` elements, and at least about `least`, which make the task longer
/// than it takes to hand it out.
pub(crate) fn share(length: usize, unit: usize, least: usize, most: usize) -> usize {
    length.div_ceil(TASKS).clamp(least.min(most), most).next_multiple_of(unit)
}

type Task<'a> = dyn Fn(usize) + Sync + 'a;

/// One call of [`Pool::run`], as the workers see it.
struct Job {
    /// The caller's closure; lives until every worker has left the job.
    task: *const Task<'static>,
    /// One for each thread.
    parts: Vec<Part>,
    /// The payload of the first panic of a task.
    panic: Mutex<Option<Box<dyn Any + Send>>>,
}

/// Consecutive tasks, in a cache line of its own.
#[repr(align(64))]
struct Part {
    next: AtomicUsize,
    end: usize,
}

// SAFETY: the closure behind the pointer is Sync, and `run` keeps it alive until the last worker has left the job.
unsafe impl Send for Job {}
// SAFETY: as above.
unsafe impl Sync for Job {}

impl Job {
    /// Runs tasks until none is left: first those of `thread`'s part, then those of the next ones.
    fn work(&self, thread: usize) {
        let (before, from) = self.parts.split_at(thread);
        from.iter().chain(before).for_each(|part| self.work_on(part));
    }

    fn work_on(&self, part: &Part) {
        // SAFETY: `run` does not return, so the closure lives, until every thread that entered the job has left it.
        let task = unsafe { &*self.task };
        // Looked at first: with many threads, each would otherwise write to every part.
        while part.next.load(Ordering::Relaxed) < part.end {
            let index = part.next.fetch_add(1, Ordering::Relaxed);
            if index >= part.end {
                return;
            }
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| task(index))) {
                // The first payload is resumed in the caller. The others are leaked: their destructors may panic, and `run` would then
                // unwind while other threads still work.
                let mut first = self.panic.lock().unwrap_or_else(PoisonError::into_inner);
                if first.is_none() { *first = Some(panic) } else { std::mem::forget(panic) }
            }
        }
    }
}

#[derive(Default)]
struct Board {
    job: Option<Arc<Job>>,
    /// Workers that wait to be woken: waking nobody would still be a call of the system, for each of hundreds of kernels a step.
    asleep: usize,
    closing: bool,
}

#[derive(Default)]
struct Shared {
    board: Mutex<Board>,
    wake: Condvar,
    /// Counts the jobs, so that a spinning worker sees a new one without the lock.
    posted: AtomicUsize,
    /// Workers inside the current job.
    inside: AtomicUsize,
}

impl Shared {
    fn board(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(&self, thread: usize) {
        let mut seen = 0;
        loop {
            for _ in 0..SPINS {
                if self.posted.load(Ordering::Acquire) != seen {
                    break;
                }
                std::hint::spin_loop();
            }
            let mut board = self.board();
            while self.posted.load(Ordering::Acquire) == seen && !board.closing {
                board.asleep += 1;
                board = self.wake.wait(board).unwrap_or_else(PoisonError::into_inner);
                board.asleep -= 1;
            }
            if board.closing {
                return;
            }
            seen = self.posted.load(Ordering::Acquire);
            let Some(job) = board.job.clone() else { continue };
            // Incremented under the lock: `run` takes the job off the board first and then waits until `inside` is zero.
            self.inside.fetch_add(1, Ordering::AcqRel);
            drop(board);
            job.work(thread);
            drop(job);
            self.inside.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

/// How the kernels of a less urgent thread give way to those of others.
pub trait Manners {
    /// Whether the next kernel runs on its calling thread only, because others need the pool.
    fn is_yielding(&self) -> bool;
    /// Called after each task of such a kernel, a millisecond or so of work; may sleep.
    fn pause(&self);
}

thread_local! {
    static ASIDE: RefCell<Option<Arc<dyn Manners>>> = const { RefCell::new(None) };
}

/// Calls `work`; the kernels that it runs on this thread have these manners. Results do not change.
pub fn aside<T>(manners: Arc<dyn Manners>, work: impl FnOnce() -> T) -> T {
    /// Restores the thread's former manners, also after a panic.
    struct Restore(Option<Arc<dyn Manners>>);
    impl Drop for Restore {
        fn drop(&mut self) {
            ASIDE.set(self.0.take());
        }
    }
    let _restore = Restore(ASIDE.replace(Some(manners)));
    work()
}

/// A pool of threads.
pub struct Pool {
    shared: Arc<Shared>,
    workers: Vec<JoinHandle<()>>,
    /// Held while a job runs: one kernel at a time.
    turn: Mutex<()>,
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Pool({} threads)", self.threads())
    }
}

impl Pool {
    /// Creates a pool of `threads` threads including the caller of [`Self::run`], at least one; fewer if the system refuses to start them.
    pub fn new(threads: usize) -> Self {
        Self::with_priority(threads, Priority::Usual)
    }

    /// [`Self::new`], whose own threads have this priority; the caller of [`Self::run`] keeps its own priority.
    pub fn with_priority(threads: usize, priority: Priority) -> Self {
        let shared = Arc::new(Shared::default());
        let spawn = |index| {
            let shared = Arc::clone(&shared);
            let serve = move || {
                priority.take();
                shared.serve(index);
            };
            std::thread::Builder::new().name(format!("kernel-{index}")).spawn(serve).ok()
        };
        let workers = (1..threads.max(1)).map_while(spawn).collect();
        Self { shared, workers, turn: Mutex::new(()) }
    }

    /// The number of threads.
    pub fn threads(&self) -> usize {
        self.workers.len() + 1
    }

    /// Calls `task` once with every number below `count`, on all threads, and waits until all calls have returned; on the calling thread
    /// only where [`aside`] says so.
    ///
    /// A task must not call `run` itself.
    ///
    /// # Panics
    /// If a task panics; with several threads, after all tasks have finished.
    pub fn run(&self, count: usize, task: impl Fn(usize) + Sync) {
        if let Some(manners) = ASIDE.with_borrow(Clone::clone).filter(|manners| manners.is_yielding()) {
            for index in 0..count {
                task(index);
                manners.pause();
            }
            return;
        }
        if count <= 1 || self.workers.is_empty() {
            (0..count).for_each(task);
            return;
        }
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let task: &Task<'_> = &task;
        // SAFETY: only the lifetime changes; this function returns after the last use, as the wait below ensures.
        let task = unsafe { std::mem::transmute::<*const Task<'_>, *const Task<'static>>(task) };
        let threads = self.threads();
        // Of few tasks the caller has the most: it is awake.
        let from = |index: usize| (index * count).div_ceil(threads);
        let part = |index: usize| Part { next: AtomicUsize::new(from(index)), end: from(index + 1) };
        let job = Arc::new(Job { task, parts: (0..threads).map(part).collect(), panic: Mutex::new(None) });
        let asleep = {
            let mut board = self.shared.board();
            board.job = Some(Arc::clone(&job));
            self.shared.posted.fetch_add(1, Ordering::AcqRel);
            board.asleep
        };
        if asleep > 0 {
            self.shared.wake.notify_all();
        }
        job.work(0);
        self.shared.board().job = None;
        // No thread can enter any more; those inside are at their last task.
        let mut waited = 0_u32;
        while self.shared.inside.load(Ordering::Acquire) != 0 {
            waited += 1;
            if waited < 10_000 { std::hint::spin_loop() } else { std::thread::yield_now() }
        }
        let panic = job.panic.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(panic) = panic {
            resume_unwind(panic);
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.board().closing = true;
        self.shared.wake.notify_all();
        for worker in self.workers.drain(..) {
            // A worker catches its tasks' panics, so there is no error to report.
            let _ = worker.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_task_runs_once() {
        for threads in [1, 2, 5] {
            let pool = Pool::new(threads);
            for count in [0, 1, 2, 7, if cfg!(miri) { 50 } else { 1000 }] {
                let hits: Vec<AtomicUsize> = (0..count).map(|_| AtomicUsize::new(0)).collect();
                pool.run(count, |index| {
                    hits[index].fetch_add(1, Ordering::Relaxed);
                });
                assert!(hits.iter().all(|hit| hit.load(Ordering::Relaxed) == 1));
            }
        }
    }

    #[test]
    fn a_panic_is_resumed_and_the_pool_stays_usable() {
        let pool = Pool::new(3);
        let result = catch_unwind(AssertUnwindSafe(|| pool.run(10, |index| assert_ne!(index, 5))));
        assert!(result.is_err());
        let done = AtomicUsize::new(0);
        pool.run(10, |_| {
            done.fetch_add(1, Ordering::Relaxed);
        });
        assert_eq!(done.into_inner(), 10);
    }

    /// A panic's payload may itself panic when it is dropped; that must not unwind `run` before its tasks have finished.
    #[test]
    fn panics_whose_payload_panics_on_drop_are_resumed() {
        struct Bomb;
        impl Drop for Bomb {
            fn drop(&mut self) {
                panic!("a bomb was dropped");
            }
        }
        let pool = Pool::new(2);
        let done: Vec<AtomicUsize> = (0..10).map(|_| AtomicUsize::new(0)).collect();
        let thrown = catch_unwind(AssertUnwindSafe(|| {
            pool.run(10, |index| {
                done[index].fetch_add(1, Ordering::Relaxed);
                if index == 2 || index == 5 {
                    std::panic::panic_any(Bomb);
                }
            });
        }));
        assert!(done.iter().all(|done| done.load(Ordering::Relaxed) == 1));
        assert!(catch_unwind(AssertUnwindSafe(|| drop(thrown))).is_err());
    }

    /// Manners that yield for a number of kernels, and count the pauses.
    #[derive(Default)]
    struct Yielding {
        kernels: AtomicUsize,
        pauses: AtomicUsize,
    }

    impl Manners for Yielding {
        fn is_yielding(&self) -> bool {
            self.kernels.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
        }

        fn pause(&self) {
            self.pauses.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// While another thread's kernel holds the pool, a kernel that yields finishes on its own thread.
    #[test]
    fn a_kernel_with_manners_needs_no_turn() {
        let pool = Pool::new(2);
        let manners = Arc::new(Yielding { kernels: 1.into(), ..Yielding::default() });
        let turn = pool.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let own = std::thread::current().id();
        aside(manners.clone(), || pool.run(5, |_| assert_eq!(std::thread::current().id(), own)));
        drop(turn);
        assert_eq!(manners.pauses.load(Ordering::Relaxed), 5);
        // The next kernel does not yield, and uses the pool without a pause.
        let done = AtomicUsize::new(0);
        let count = |_| {
            done.fetch_add(1, Ordering::Relaxed);
        };
        aside(manners.clone(), || pool.run(7, count));
        assert_eq!((done.load(Ordering::Relaxed), manners.pauses.load(Ordering::Relaxed)), (7, 5));
    }

    #[test]
    fn manners_end_with_the_work_even_if_it_panics() {
        let pool = Pool::new(1);
        let manners = Arc::new(Yielding { kernels: 9.into(), ..Yielding::default() });
        assert!(catch_unwind(AssertUnwindSafe(|| aside(manners.clone(), || pool.run(2, |_| panic!("a task"))))).is_err());
        pool.run(3, |_| {});
        assert_eq!(manners.pauses.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn concurrent_callers_are_serialised() {
        const ROUNDS: usize = if cfg!(miri) { 5 } else { 50 };
        let pool = Pool::new(2);
        let done = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..ROUNDS {
                        pool.run(8, |_| {
                            done.fetch_add(1, Ordering::Relaxed);
                        });
                    }
                });
            }
        });
        assert_eq!(done.into_inner(), 4 * ROUNDS * 8);
    }
}
