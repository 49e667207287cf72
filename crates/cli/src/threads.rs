//! Configures the number of tensor threads and the CPU kernels' instruction level.
//!
//! The CPU kernels take both as arguments. The tensor library has its own thread pools, which read their size from the environment, once.
//! Changing the environment of a running process is unsafe, so the program re-executes itself with the variable set. The invariant: after
//! [`settle`] returns, all pools have or will get the requested size, and the kernels the requested level.

use std::{env, process::Command, thread};

use anyhow::{Context as _, Result};
use cpu_kernels::{Level, Priority};

use crate::settings::Settings;

const VARIABLE: &str = "RAYON_NUM_THREADS";

/// Sets the thread pools to the settings' number of threads (default: one per core that this process may use) and the CPU kernels to their
/// level (default: the fastest on this machine). The kernels' own threads run at `priority`.
///
/// # Errors
/// If the program cannot re-execute itself.
pub(crate) fn settle(settings: &Settings, priority: Priority) -> Result<()> {
    let (threads, level) = (settings.compute.threads, settings.cpu_level());
    let given = env::var(VARIABLE).ok().and_then(|text| text.parse::<usize>().ok()).filter(|count| *count > 0);
    if let (None, Some(given)) = (threads, given) {
        configure_kernels(given, level, priority);
        return Ok(());
    }
    // The tensor library counts physical cores even in a container that may use fewer; the other pool counts usable cores, but includes
    // both hyperthreads. The smaller number is right in both cases.
    let usable = thread::available_parallelism().map_or(1, usize::from);
    let of_library = candle_core::utils::get_num_threads();
    let wanted = threads.unwrap_or(usable.min(of_library));
    if of_library == wanted && given.unwrap_or(usable) == wanted {
        configure_kernels(wanted, level, priority);
        return Ok(());
    }
    restart(wanted).with_context(|| format!("cannot start again with {wanted} threads"))
}

/// The number of threads after [`settle`].
pub(crate) fn count() -> Option<usize> {
    Some(candle_core::utils::get_num_threads())
}

/// Nothing was computed yet, so the configuration still takes effect.
fn configure_kernels(threads: usize, level: Option<Level>, priority: Priority) {
    cpu_kernels::configure(threads, level.unwrap_or_else(Level::detect), priority);
}

#[cfg(unix)]
fn restart(threads: usize) -> Result<()> {
    use std::os::unix::process::CommandExt as _;
    // Returns only if it fails.
    Err(Command::new(env::current_exe()?).args(env::args_os().skip(1)).env(VARIABLE, threads.to_string()).exec().into())
}

#[cfg(not(unix))]
fn restart(threads: usize) -> Result<()> {
    let status = Command::new(env::current_exe()?).args(env::args_os().skip(1)).env(VARIABLE, threads.to_string()).status()?;
    std::process::exit(status.code().unwrap_or(1));
}
