//! Who asks, what they call this server, and under which links they find their files: all that the handlers of jobs know of access.
//!
//! It must not know jobs. The invariant: an owner is told here alone, so a job is whose this says it is.

use actix_web::{HttpRequest, http::header::HOST};
use url::Url;

use crate::app::ApiState;

/// Whose the request is: the name of an API key; empty where there are none.
pub(crate) fn owner(_request: &HttpRequest) -> String {
    String::new()
}

/// Where the client of this request finds the server, without a final slash: the public URL where one is set, else as the client calls it.
pub(crate) fn base_url(request: &HttpRequest, state: &ApiState) -> String {
    if let Some(url) = &state.public_url {
        return url.as_str().trim_end_matches('/').to_owned();
    }
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok());
    let host = host.filter(|host| is_authority(host)).unwrap_or_else(|| request.app_config().host());
    format!("http://{host}")
}

/// The path under which whoever is given it can fetch the owner's file.
pub(crate) fn link(_state: &ApiState, _owner: &str, path: &str) -> String {
    path.to_owned()
}

/// Whether a text is a host and perhaps a port, and nothing that would lead elsewhere inside of a URL.
fn is_authority(host: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte);
    !host.is_empty() && host.bytes().all(plain) && Url::parse(&format!("http://{host}/")).is_ok()
}

#[cfg(test)]
mod tests {
    use super::is_authority;

    #[test]
    fn a_host_is_a_name_or_an_address_and_perhaps_a_port() {
        for host in ["localhost:8000", "127.0.0.1", "[::1]:8000", "media.example"] {
            assert!(is_authority(host), "{host}");
        }
        for host in ["", "a b", "a/b", "user@host", "host:70000", "a?b", "[::1"] {
            assert!(!is_authority(host), "{host}");
        }
    }
}
