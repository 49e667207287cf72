//! Failures on demand: a queue for each operation; each request of that operation takes one fault.
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
    /// The request is not carried out; the answer has this status and the provider's own error name ("ThrottlingException").
    Status(u16, &'static str),
    /// The same, with a `retry-after` header of this many seconds.
    RetryAfter(u16, &'static str, u32),
    /// The request is carried out, but the answer has this status and error.
    StatusAfter(u16, &'static str),
    /// The request is carried out, but its answer never comes.
    Stall,
    /// The request is carried out, but the connection closes after this many bytes of the answer's body; with 0, before its head.
    CloseAfterBytes(usize),
    /// The answer has a status word that the API does not define.
    WrongWord(&'static str),
    /// The content filter blocks the prompt or the image.
    ContentFilterAtStart,
    /// The job is accepted, and its video is blocked.
    ContentFilterAtEnd,
    /// The job is accepted, and fails with this message.
    Failed(&'static str),
    /// The result has this many bytes.
    TooLarge(u64),
    /// The result's URL is no longer valid.
    Expired,
    /// The result is not a video but these bytes.
    NotAVideo(&'static [u8]),
}

impl Fault {
    /// Applies a connection fault to the answer of a request that was carried out; other faults leave it unchanged.
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

/// The scheduled failures. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Faults(Arc<Mutex<HashMap<&'static str, VecDeque<Fault>>>>);

impl Faults {
    /// Queues a fault for the next request of this operation that has none yet.
    pub fn push(&self, operation: &'static str, fault: Fault) {
        self.lock().entry(operation).or_default().push_back(fault);
    }

    /// Takes the fault of this request, if there is one.
    pub fn take(&self, operation: &'static str) -> Option<Fault> {
        self.lock().get_mut(operation)?.pop_front()
    }

    /// Whether all faults were taken. A test that expects a failure asserts it.
    pub fn all_taken(&self) -> bool {
        self.lock().values().all(VecDeque::is_empty)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<&'static str, VecDeque<Fault>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
