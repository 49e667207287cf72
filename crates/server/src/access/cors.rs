//! CORS headers: none, unless the operator allows other origins.
//!
//! Written by hand instead of using actix-cors, because the same list also decides which forged requests are refused ([`super::origins`]),
//! and two parsers of one list would diverge. The invariant: `Access-Control-Allow-Credentials` is never sent. A page sets the key in a
//! header itself, so there are no credentials to allow, with or without `*`.

use actix_web::{
    HttpResponse,
    http::{
        Method,
        header::{
            ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS,
            ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, HeaderMap, HeaderValue, ORIGIN, VARY,
        },
    },
};

use super::origins::AllowedOrigins;

const METHODS: &str = "GET, HEAD, POST, PATCH, DELETE, OPTIONS";

/// Request headers that a page may send beside the CORS-safelisted ones.
const REQUEST_HEADERS: &str = "Authorization, Content-Type, Idempotency-Key, Last-Event-ID, Range, X-Request-Id";

/// Response headers that a page may read beside the CORS-safelisted ones.
const ANSWER_HEADERS: &str = "Accept-Ranges, Content-Disposition, Content-Length, Content-Range, ETag, Location, Retry-After, \
                              X-Hero-Used, X-Ignored-Fields, X-Parts-Made, X-Parts-Reused, X-Prompt-Truncated, X-Remarks, \
                              X-Request-Id, X-Seed, X-Video-Duration, X-Video-FPS, X-Video-Scenes";

/// Ten minutes until a browser asks again; Chrome caches for at most two hours.
const MAX_AGE_SECONDS: &str = "600";

/// Whether the request is a browser's preflight and not the page's own request.
pub(crate) fn is_preflight(method: &Method, headers: &HeaderMap) -> bool {
    *method == Method::OPTIONS && headers.contains_key(ORIGIN) && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
}

/// The `Access-Control-Allow-Origin` of the page that asks, if the operator allows its origin; `*` if every origin is allowed.
pub(crate) fn allowed_origin(allowed: &AllowedOrigins, headers: &HeaderMap) -> Option<HeaderValue> {
    let origin = headers.get(ORIGIN)?;
    if allowed.is_any() {
        Some(HeaderValue::from_static("*"))
    } else {
        origin.to_str().is_ok_and(|origin| allowed.contains(origin)).then(|| origin.clone())
    }
}

/// The answer to a preflight.
pub(crate) fn preflight() -> HttpResponse {
    HttpResponse::NoContent()
        .insert_header((ACCESS_CONTROL_ALLOW_METHODS, METHODS))
        .insert_header((ACCESS_CONTROL_ALLOW_HEADERS, REQUEST_HEADERS))
        .insert_header((ACCESS_CONTROL_MAX_AGE, MAX_AGE_SECONDS))
        .finish()
}

/// Lets the page that asked read the response.
pub(crate) fn open(headers: &mut HeaderMap, allowed: &AllowedOrigins, origin: Option<HeaderValue>) {
    if !allowed.is_empty() && !allowed.is_any() {
        // A cache must not serve one origin's response to another.
        headers.append(VARY, HeaderValue::from_static("Origin"));
    }
    if let Some(origin) = origin {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(ANSWER_HEADERS));
    }
}
