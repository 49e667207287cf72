//! Who asks, what they call this server, and under which links they find their files: all that the handlers of jobs know of access.
//!
//! It must not know jobs. The invariant: an owner is told here alone, so a job is whose this says it is.

use std::time::SystemTime;

use actix_web::{HttpMessage as _, HttpRequest};

use crate::{access::Caller, app::ApiState};

/// Whose the request is: the name of an API key; empty where there are none.
pub(crate) fn owner(request: &HttpRequest) -> String {
    // The gate stands before every route and tells who it is; without it nobody would own anything that a key could open.
    request.extensions().get::<Caller>().map(|caller| caller.owner.clone()).unwrap_or_default()
}

/// Where the client of this request finds the server, without a final slash: the public URL where one is set, else as the client calls it.
pub(crate) fn base_url(request: &HttpRequest, state: &ApiState) -> String {
    state.access.base_url(request)
}

/// The path under which whoever is given it can fetch the owner's file.
pub(crate) fn link(state: &ApiState, owner: &str, path: &str) -> String {
    state.access.link(&Caller { owner: owner.to_owned() }, path, SystemTime::now())
}
