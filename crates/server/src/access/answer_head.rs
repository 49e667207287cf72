//! Headers that every response carries, so that a browser treats it as nothing more than it is.
//!
//! It must not know what the response says. A header that a handler has set (a policy, a cache age) stays; these fill the gaps. There is no
//! `Server` header: `/` names the server to clients that ask.

use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderMap, HeaderName, HeaderValue, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};

const CROSS_ORIGIN_RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// The kind of a response, which decides its headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The same for every caller.
    Open,
    /// Belongs to one caller: a state, a result.
    Own,
    /// A file that a caller uploaded or generated.
    File,
}

/// A caller's file opened as a page may display itself but run nothing: no script, no form, no origin.
const FILE_POLICY: &str = "default-src 'none'; img-src 'self'; media-src 'self'; style-src 'unsafe-inline'; sandbox";

/// Completes a response's headers. `shared`: pages of other origins may embed it.
pub(crate) fn complete(headers: &mut HeaderMap, kind: Kind, shared: bool) {
    let mut always = |name: HeaderName, value: &'static str| {
        headers.insert(name, HeaderValue::from_static(value));
    };
    // The declared type is final: a browser must not run a script inside a picture.
    always(X_CONTENT_TYPE_OPTIONS, "nosniff");
    // Keeps a link's signature out of the logs of the next page's server.
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
