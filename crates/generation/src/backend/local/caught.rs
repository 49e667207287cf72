//! What keeps a panic or an error of many lines from going further than it should.

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
}

/// Calls what loads or reads a model.
///
/// # Errors
/// What is wrong, in one line, a panic included.
pub(super) fn guarded<T>(call: impl FnOnce() -> diffusion_core::Result<T>) -> Result<T, NotLoaded> {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(diffusion_core::Error::Cancelled)) => Err(NotLoaded::Stopped),
        Ok(Err(error @ diffusion_core::Error::OutOfMemory { .. })) => Err(NotLoaded::NoMemory(one_line(&error.to_string()))),
        Ok(Err(error)) => Err(NotLoaded::Failed(one_line(&error.to_string()))),
        Err(panic) => Err(NotLoaded::Failed(format!("internal error: {}", panic_text(panic.as_ref())))),
    }
}

/// What a panic said, if it said something.
pub(super) fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    one_line(text.unwrap_or("a panic without a message"))
}

/// Some tensor errors carry a backtrace behind their first line.
pub(super) fn one_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}
