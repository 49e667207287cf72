//! Whose request it is.

use actix_web::HttpRequest;

/// The name of the key that asks; empty where no keys are configured.
pub(crate) fn owner(_request: &HttpRequest) -> String {
    String::new()
}
