//! Who asks, as handlers take it.

use std::future::{Ready, ready};

use actix_web::{FromRequest, HttpMessage as _, HttpRequest, dev::Payload};

use crate::error::ApiError;

/// The owner of what the request makes, and of what it may see. [`super::gate`] tells who it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The name of the API key; empty where no keys are configured.
    pub owner: String,
}

impl FromRequest for Caller {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _payload: &mut Payload) -> Self::Future {
        // A handler that the gate does not stand before would answer to anyone, so it answers to no one.
        ready(request.extensions().get::<Self>().cloned().ok_or(ApiError::Internal))
    }
}
