//! How many threads the tensor operations use, and which instructions the CPU's kernels.
//!
//! The CPU's kernels are told both. The tensor library has thread pools of its own, which take their size from the environment only, and
//! once. To change the environment of a running process is unsafe, so the program starts itself again in its own place with the
//! variable set. The invariant: after [`settle`] returns, all pools have the wanted size, or will, and the kernels the wanted level.

use std::{env, process::Command, thread};

use anyhow::{Context as _, Result};
use cpu_kernels::{Level, Priority};

const VARIABLE: &str = "RAYON_NUM_THREADS";

/// Makes the thread pools have `threads` threads, or one for each core that this process may use, and the CPU's kernels use the
/// instructions of `level`, which this machine has, or the best that it has. The kernels' own threads get the priority.
///
/// # Errors
/// If the program cannot start itself again.
pub(crate) fn settle(threads: Option<usize>, level: Option<Level>, priority: Priority) -> Result<()> {
    let given = env::var(VARIABLE).ok().and_then(|text| text.parse::<usize>().ok()).filter(|count| *count > 0);
    if let (None, Some(given)) = (threads, given) {
        tell_kernels(given, level, priority);
        return Ok(());
    }
    // The tensor library counts physical cores even where a container may use fewer; the other pool counts what may be used, but
    // takes both halves of a core. The smaller is right in both cases.
    let usable = thread::available_parallelism().map_or(1, usize::from);
    let of_library = candle_core::utils::get_num_threads();
    let wanted = threads.unwrap_or(usable.min(of_library));
    if of_library == wanted && given.unwrap_or(usable) == wanted {
        tell_kernels(wanted, level, priority);
        return Ok(());
    }
    restart(wanted).with_context(|| format!("cannot start again with {wanted} threads"))
}

/// Nothing was computed yet, so the kernels hear of it in time.
fn tell_kernels(threads: usize, level: Option<Level>, priority: Priority) {
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
