//! What stands in the head of every answer, so that a browser takes it for no more than it is.
//!
//! It must not know what the answer says. A handler's own word (a policy, an age) stays; these are for where it has none. There is no
//! `Server` header: what we are is told at `/`, to those who ask.

use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderMap, HeaderName, HeaderValue, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};

const CROSS_ORIGIN_RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// What an answer is about, as far as its head is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The same for everybody.
    Open,
    /// A caller's own: a state, a result.
    Own,
    /// A file that a caller sent or had made.
    File,
}

/// A caller's file that is opened as a page may show itself, and run nothing: no script, no form, no origin.
const FILE_POLICY: &str = "default-src 'none'; img-src 'self'; media-src 'self'; style-src 'unsafe-inline'; sandbox";

/// Completes an answer's head. `shared` is whether pages of other origins may embed it.
pub(crate) fn complete(headers: &mut HeaderMap, kind: Kind, shared: bool) {
    let mut always = |name: HeaderName, value: &'static str| {
        headers.insert(name, HeaderValue::from_static(value));
    };
    // The declared type is what it is: a picture with a script in it is no script.
    always(X_CONTENT_TYPE_OPTIONS, "nosniff");
    // The signature of a link is not for the next page's log.
    always(REFERRER_POLICY, "same-origin");
    always(X_FRAME_OPTIONS, "DENY");
    always(CROSS_ORIGIN_RESOURCE_POLICY, if shared { "cross-origin" } else { "same-origin" });
    let mut absent = |name: HeaderName, value: &'static str| {
        if !headers.contains_key(&name) {
            headers.insert(name, HeaderValue::from_static(value));
        }
    };
    match kind {
        Kind::Open => {}
        Kind::Own => absent(CACHE_CONTROL, "no-store"),
        Kind::File => {
            absent(CACHE_CONTROL, "private");
            absent(CONTENT_SECURITY_POLICY, FILE_POLICY);
        }
    }
}
