//! The pipelines.

mod embedded;

pub use self::embedded::nano_sd;
