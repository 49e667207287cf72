//! The engine that every kernel runs on: a thread pool and an instruction level.
//!
//! This module must not depend on kernels. Invariant: a process's engine is chosen once.

use std::sync::OnceLock;

use super::{Level, Pool, Priority};

/// A thread pool, and the level of instructions that its threads use.
#[derive(Debug)]
pub struct Engine {
    level: Level,
    pool: Pool,
}

impl Engine {
    /// Creates an engine with `threads` threads (at least one) and the given level or, if the processor lacks it, the best level it has.
    pub fn new(threads: usize, level: Level) -> Self {
        Self::with_priority(threads, level, Priority::Usual)
    }

    /// [`Self::new`], whose own threads have this priority.
    pub fn with_priority(threads: usize, level: Level, priority: Priority) -> Self {
        let level = if level.is_available() { level } else { Level::detect() };
        Self { level, pool: Pool::with_priority(threads, priority) }
    }

    /// The instruction level in use.
    pub fn level(&self) -> Level {
        self.level
    }

    /// The thread pool.
    pub fn pool(&self) -> &Pool {
        &self.pool
    }
}

static ENGINE: OnceLock<Engine> = OnceLock::new();

/// Sets, once for the process, the kernels' number of threads, instruction level and priority. Returns whether it took effect, which
/// requires a call before the first [`engine`]. The thread that calls the kernels works too, with its own priority.
pub fn configure(threads: usize, level: Level, priority: Priority) -> bool {
    let mut first = false;
    ENGINE.get_or_init(|| {
        first = true;
        Engine::with_priority(threads, level, priority)
    });
    first
}

/// The process's engine: the one of [`configure`], or by default one thread for each core that the process may use and the fastest level.
pub fn engine() -> &'static Engine {
    ENGINE.get_or_init(|| Engine::new(std::thread::available_parallelism().map_or(1, usize::from), Level::detect()))
}
