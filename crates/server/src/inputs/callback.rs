//! The address of a callback in a body.

use guarded_http::Guard;
use serde_json::Value;

use crate::inputs::{body_table::Body, faults::value_error};

/// Adds a fault if nothing could be posted to the address, as far as the address alone shows.
pub(crate) fn check_callback<R>(body: &mut Body<R>, url: impl Fn(&R) -> Option<&str>, guard: &Guard) {
    let fault =
        url(&body.request).and_then(|url| Some(value_error("callback_url", guard.check(url).err()?.to_string(), &Value::from(url))));
    body.faults.extend(fault);
}
