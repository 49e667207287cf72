//! The kernels against their definitions in f64, at every instruction level that this processor has, with different numbers of threads.

#![allow(clippy::unwrap_used, missing_docs, reason = "a test fails by panicking")]

mod attention;
mod chain;
mod changed;
#[cfg(not(miri))]
mod guarded;
mod norms;
mod products;
mod reference;
mod temporal;

use cpu_kernels::{Engine, Level};

/// Relative to the result's norm: sums of some thousand products in a different order.
pub(crate) const SINGLE: f64 = 2e-6;
/// The same by F(4x4, 3x3), whose transforms subtract numbers that are several times larger than their differences.
pub(crate) const WINOGRAD4: f64 = 4e-6;
/// The same if operands are rounded to bfloat16 first: 8 bits of precision, on both sides and in the result.
pub(crate) const HALF: f64 = 6e-3;

/// An engine for each level that this processor has. Levels that the machine lacks cannot be tested; the portable one is always available,
/// and is the only one under Miri.
pub(crate) fn engines(threads: usize) -> Vec<Engine> {
    Level::ALL.into_iter().filter(|level| level.is_available()).map(|level| Engine::new(threads, level)).collect()
}

/// All cases, or under Miri, which takes a second where a processor takes some microseconds, only the `few` small ones.
pub(crate) fn cases<T: Clone>(all: &[T], few: &[T]) -> Vec<T> {
    if cfg!(miri) { few.to_vec() } else { all.to_vec() }
}

#[test]
fn a_level_has_a_name_and_the_best_one_is_available() {
    for level in Level::ALL {
        assert_eq!(Level::from_name(level.name()), Some(level));
    }
    assert_eq!(Level::from_name("sse9"), None);
    assert!(Level::Portable.is_available() && Level::detect().is_available());
    assert_eq!(Engine::new(1, Level::detect()).level(), Level::detect());
}
