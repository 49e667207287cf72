//! Turns panics into errors, and shortens errors of several lines to their first.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
};

/// Why a model is not loaded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum NotLoaded {
    #[error("its loading was stopped")]
    Stopped,
    #[error("{0}")]
    NoMemory(String),
    #[error("{0}")]
    Failed(String),
    /// A setting or a flag is at fault: its name, and why.
    #[error("{0}: {1}")]
    Refused(&'static str, String),
}

/// Calls a function that loads or reads a model, and catches its panics.
///
/// # Errors
/// Any error of the call, in one line, panics included.
pub(super) fn guarded<T>(call: impl FnOnce() -> diffusion_core::Result<T>) -> Result<T, NotLoaded> {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(diffusion_core::Error::Cancelled)) => Err(NotLoaded::Stopped),
        Ok(Err(error @ diffusion_core::Error::OutOfMemory { .. })) => Err(NotLoaded::NoMemory(one_line(&error.to_string()))),
        Ok(Err(diffusion_core::Error::Params { field, reason })) => Err(NotLoaded::Refused(field, one_line(&reason))),
        Ok(Err(error)) => Err(NotLoaded::Failed(one_line(&error.to_string()))),
        Err(panic) => Err(NotLoaded::Failed(format!("internal error: {}", panic_text(panic.as_ref())))),
    }
}

/// The message of a panic, in one line.
pub(super) fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    one_line(text.unwrap_or("a panic without a message"))
}

/// The first line: some tensor errors carry a backtrace after it.
pub(super) fn one_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}
