//! Who asks, as handlers take it.

use std::future::{Ready, ready};

use actix_web::{FromRequest, HttpMessage as _, HttpRequest, dev::Payload};
use generation::Priority;

use crate::http::Problem;

/// The owner of what the request makes, and of what it may see. [`super::gate()`] tells who it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Caller {
    /// The name of the API key; empty where no keys are configured.
    pub owner: String,
    /// How urgent what they ask for is: that of their key.
    pub priority: Priority,
}

impl Caller {
    /// Whoever has this name, for what is theirs however urgent.
    pub(crate) fn named(owner: &str) -> Self {
        Self { owner: owner.to_owned(), ..Self::default() }
    }
}

impl FromRequest for Caller {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _payload: &mut Payload) -> Self::Future {
        // A handler that the gate does not stand before would answer to anyone, so it answers to no one.
        ready(request.extensions().get::<Self>().cloned().ok_or_else(Problem::internal))
    }
}
