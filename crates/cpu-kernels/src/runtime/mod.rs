//! What kernels run on: threads, instructions, scratch memory, and the memory of operands and results.
//!
//! It must not know any kernel.

mod engine;
mod isa;
pub(crate) mod output;
mod pool;
mod priority;
pub(crate) mod scratch;

pub(crate) use self::output::{SendPtr, volume, written};
pub use self::{
    engine::{Engine, configure, engine},
    isa::Level,
    output::vec_of,
    pool::Pool,
    priority::Priority,
};
