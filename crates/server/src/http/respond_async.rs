//! `Prefer: respond-async` (RFC 7240, section 4.1): the client does not want to wait.

use actix_web::HttpRequest;
use utoipa::IntoParams;

/// The header in /openapi.json.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "it only documents the header")]
pub(crate) struct PreferHeader {
    /// respond-async: do not wait for the result
    #[param(rename = "Prefer")]
    preference: Option<String>,
}

/// The preference.
pub(crate) const PREFERENCE: &str = "respond-async";

/// Whether the client wants an answer at once.
pub(crate) fn is_wanted(request: &HttpRequest) -> bool {
    let texts = request.headers().get_all("Prefer").filter_map(|value| value.to_str().ok());
    // Preferences may have parameters; this one has none, so they are ignored.
    let mut names = texts.flat_map(|text| text.split(',')).filter_map(|preference| preference.split(';').next());
    names.any(|name| name.trim().eq_ignore_ascii_case(PREFERENCE))
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn the_preference_is_found_among_others() {
        let wanted = |values: &[&str]| {
            let request = values.iter().fold(TestRequest::post(), |request, value| request.append_header(("Prefer", *value)));
            is_wanted(&request.to_http_request())
        };
        for values in [&["respond-async"][..], &["wait=10, Respond-Async"], &["wait=10", "respond-async; x=1"]] {
            assert!(wanted(values), "{values:?}");
        }
        for values in [&[][..], &["wait=10"], &["respond-asynchronously"], &["x=respond-async"]] {
            assert!(!wanted(values), "{values:?}");
        }
    }
}
