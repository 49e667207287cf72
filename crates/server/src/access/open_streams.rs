//! The number of event streams that each owner has open.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use actix_web::http::StatusCode;

use crate::http::Problem;

/// The open event streams, counted by owner.
#[derive(Clone, Debug, Default)]
pub struct OpenStreams(Arc<Mutex<HashMap<String, usize>>>);

/// The owner follows as many tasks as the limit allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("you follow {limit} tasks at once, which is the limit; close one of the streams")]
pub(crate) struct TooManyStreams {
    /// The limit.
    limit: usize,
}

impl From<TooManyStreams> for Problem {
    fn from(error: TooManyStreams) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, "too_many_streams", error.to_string()).retry_after(1)
    }
}

/// One open stream of an owner; dropping it closes it.
#[derive(Debug)]
pub(crate) struct OpenStream {
    streams: OpenStreams,
    owner: String,
}

impl OpenStreams {
    /// Opens one more.
    ///
    /// # Errors
    /// [`TooManyStreams`] if the owner already has `limit` open.
    pub(crate) fn open(&self, owner: &str, limit: usize) -> Result<OpenStream, TooManyStreams> {
        // No code panics while it holds the lock.
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(owner.to_owned()).or_default();
        if *count >= limit {
            return Err(TooManyStreams { limit });
        }
        *count += 1;
        Ok(OpenStream { streams: self.clone(), owner: owner.to_owned() })
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        let mut open = self.streams.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.owner) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.owner);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_closed_stream_frees_its_slot() {
        let streams = OpenStreams::default();
        let first = streams.open("a", 2).unwrap();
        let _second = streams.open("a", 2).unwrap();
        assert!(streams.open("a", 2).is_err() && streams.open("b", 2).is_ok());
        drop(first);
        assert!(streams.open("a", 2).is_ok());
        assert_eq!(streams.0.lock().unwrap().len(), 1, "an owner without streams is forgotten");
    }
}
