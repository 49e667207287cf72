//! Threads and a level of instructions: what every kernel runs on.
//!
//! It must not know kernels. The invariant: a process's engine is decided once.

use std::sync::OnceLock;

use super::{Level, Pool, Priority};

/// Threads, and the level of instructions that they use.
#[derive(Debug)]
pub struct Engine {
    level: Level,
    pool: Pool,
}

impl Engine {
    /// With so many threads (at least one), and the given level or, where the processor lacks it, the best one that it has.
    pub fn new(threads: usize, level: Level) -> Self {
        Self::with_priority(threads, level, Priority::Usual)
    }

    /// The same, whose own threads have this priority.
    pub fn with_priority(threads: usize, level: Level, priority: Priority) -> Self {
        let level = if level.is_available() { level } else { Level::detect() };
        Self { level, pool: Pool::with_priority(threads, priority) }
    }

    /// The instructions in use.
    pub fn level(&self) -> Level {
        self.level
    }

    /// The threads.
    pub fn pool(&self) -> &Pool {
        &self.pool
    }
}

static ENGINE: OnceLock<Engine> = OnceLock::new();

/// Decides, once for the process, how many threads the kernels have, which instructions they use, and how urgent their work is; says
/// whether it came in time, which is before the first [`engine`]. The thread that calls the kernels works too, and has its own priority.
pub fn configure(threads: usize, level: Level, priority: Priority) -> bool {
    let mut first = false;
    ENGINE.get_or_init(|| {
        first = true;
        Engine::with_priority(threads, level, priority)
    });
    first
}

/// The process's engine: as [`configure`] decided, or one thread for each core that the process may use and the best instructions.
pub fn engine() -> &'static Engine {
    ENGINE.get_or_init(|| Engine::new(std::thread::available_parallelism().map_or(1, usize::from), Level::detect()))
}
