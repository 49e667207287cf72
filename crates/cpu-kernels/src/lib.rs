//! The loops in which a diffusion model spends its time on a CPU: slices in, slices out.
//!
//! An [`Engine`] is threads and a [`Level`] of instructions. Weights are [`Packed`] for it once; then [`linear`], [`conv2d`],
//! [`attention`], [`temporal_attention`], [`group_norm`], [`layer_norm`] and [`activate`] run on activations in f32 or bfloat16, channels last. Each writes all of
//! its output, which need hold nothing before, and gives it back; [`vec_of`] makes a vector so. The crate's README tells how they work.
//!
//! What always holds: sums are f32; results depend on operands and level, never on the number of threads; nothing outside the slices is
//! read or written. Nothing here knows a tensor library, a model or a file.

#![allow(unsafe_code, reason = "intrinsics and raw pointers are what this crate fences off; each block says why it is sound")]

use std::sync::OnceLock;

mod attention;
#[cfg(target_arch = "x86_64")]
mod attention_avx512;
mod basis;
mod block;
mod element;
mod epilogue;
mod isa;
mod norm;
mod output;
mod pack;
mod peak;
mod points;
mod pointwise;
mod pool;
mod priority;
mod product;
mod recycler;
mod scratch;
mod softmax;
mod temporal;
#[cfg(target_arch = "x86_64")]
mod temporal_avx512;
mod transformed;
mod vector;

pub use attention::{AttentionShape, attention};
pub use element::Element;
pub use isa::Level;
pub use norm::{Norm, group_norm, layer_norm, layer_norm_shifted};
pub use output::vec_of;
pub use pack::Packed;
pub use peak::peak;
pub use pointwise::{Activation, activate};
pub use pool::Pool;
pub use priority::Priority;
pub use product::{Blend, ConvShape, Extras, conv2d, linear};
pub use recycler::Recycler;
pub use temporal::{TemporalShape, temporal_attention};

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
