//! The caller of a request, as handlers extract it.

use std::future::{Ready, ready};

use actix_web::{FromRequest, HttpMessage as _, HttpRequest, dev::Payload};
use generation::Priority;

use crate::http::Problem;

/// The owner of the jobs and files that the request creates, and of those it may see. [`super::gate()`] identifies it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Caller {
    /// The name of the API key; empty if no keys are configured.
    pub owner: String,
    /// The priority of the caller's jobs: that of their key.
    pub priority: Priority,
}

impl Caller {
    /// The caller with this name, at the default priority, for requests to which priority does not matter.
    pub(crate) fn named(owner: &str) -> Self {
        Self { owner: owner.to_owned(), ..Self::default() }
    }
}

impl FromRequest for Caller {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _payload: &mut Payload) -> Self::Future {
        // A route that the gate does not protect would answer anyone, so it answers no one.
        ready(request.extensions().get::<Self>().cloned().ok_or_else(Problem::internal))
    }
}
