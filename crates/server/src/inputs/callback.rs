//! The address of a callback in a body.

use guarded_http::Guard;
use serde_json::Value;

use crate::{http::ValidationErrorDetail, inputs::faults::value_error};

/// Why nothing could be posted there, as far as the address itself tells.
pub(crate) fn callback_fault(url: &str, guard: &Guard) -> Option<ValidationErrorDetail> {
    let error = guard.check(url).err()?;
    Some(value_error("callback_url", error.to_string(), &Value::from(url)))
}
