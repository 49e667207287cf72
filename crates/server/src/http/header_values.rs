//! Headers of answers whose values are made here.

use actix_web::{
    HttpResponse,
    http::header::{HeaderName, HeaderValue},
};

/// Values are numbers and words of ours, so they are good for a head.
pub(crate) fn insert(response: &mut HttpResponse, name: &'static str, value: &str) {
    if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::from_str(value)) {
        response.headers_mut().insert(name, value);
    }
}
