//! Failures on demand: a queue for each operation, from which each request of that operation takes one.
//!
//! It must not know any provider. An operation is a word that the fake documents: "start", "get", "download".

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::Reply;

/// One failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The request is not carried out, and answered with this status and the provider's own name of the error ("ThrottlingException").
    Status(u16, &'static str),
    /// The same, with a `retry-after` header of so many seconds.
    RetryAfter(u16, &'static str, u32),
    /// The request is carried out, and answered with this status and error all the same.
    StatusAfter(u16, &'static str),
    /// The request is carried out, and its answer never comes.
    Stall,
    /// The request is carried out, and the connection closes after so many bytes of the answer's body; with 0, before its head.
    CloseAfterBytes(usize),
    /// Answered with a status word that the API does not have.
    WrongWord(&'static str),
    /// The content filter blocks the prompt or the image.
    ContentFilterAtStart,
    /// The job is taken, and its video is blocked.
    ContentFilterAtEnd,
    /// The job is taken, and fails with this message.
    Failed(&'static str),
    /// The result has so many bytes.
    TooLarge(u64),
    /// The result's address is not valid any more.
    Expired,
    /// The result is not a video: these bytes.
    NotAVideo(&'static [u8]),
}

impl Fault {
    /// What becomes of the answer to a request that was carried out, where the fault is one of the connection.
    pub fn spoil(&self, reply: Reply) -> Reply {
        match self {
            Self::Stall => reply.stall(),
            Self::CloseAfterBytes(bytes) => reply.close_after(*bytes),
            Self::Status(..)
            | Self::RetryAfter(..)
            | Self::StatusAfter(..)
            | Self::WrongWord(_)
            | Self::ContentFilterAtStart
            | Self::ContentFilterAtEnd
            | Self::Failed(_)
            | Self::TooLarge(_)
            | Self::Expired
            | Self::NotAVideo(_) => reply,
        }
    }
}

/// The failures to come. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Faults(Arc<Mutex<HashMap<&'static str, VecDeque<Fault>>>>);

impl Faults {
    /// The next request of this operation that has no other fault before it fails so.
    pub fn push(&self, operation: &'static str, fault: Fault) {
        self.lock().entry(operation).or_default().push_back(fault);
    }

    /// The fault of this request, if it has one.
    pub fn take(&self, operation: &'static str) -> Option<Fault> {
        self.lock().get_mut(operation)?.pop_front()
    }

    /// Whether all have happened. A test that expects a failure asserts it.
    pub fn all_taken(&self) -> bool {
        self.lock().values().all(VecDeque::is_empty)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<&'static str, VecDeque<Fault>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
