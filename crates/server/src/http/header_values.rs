//! Answer headers with generated values.

use actix_web::{
    HttpResponse,
    http::header::{HeaderName, HeaderValue},
};

/// Inserts a header. The values are our own numbers and words, so they are always valid.
pub(crate) fn insert(response: &mut HttpResponse, name: &'static str, value: &str) {
    if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::from_str(value)) {
        response.headers_mut().insert(name, value);
    }
}
