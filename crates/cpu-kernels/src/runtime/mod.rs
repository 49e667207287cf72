//! The runtime of the kernels: threads, instruction levels, scratch memory, and the memory of operands and results.
//!
//! This module must not depend on any kernel.

mod engine;
mod isa;
pub(crate) mod output;
mod pool;
mod priority;
pub(crate) mod scratch;

pub use self::{
    engine::{Engine, configure, engine},
    isa::Level,
    output::{vec_in_strips, vec_of},
    pool::{Manners, Pool, aside},
    priority::Priority,
};
pub(crate) use self::{
    output::{SendPtr, volume, written, zeros},
    pool::{TASKS, share},
};
