//! Addresses of a provider's API, built from the operator's base URL and untrusted path segments.
//!
//! The invariants: each part is one path segment, whatever it contains; a key goes to the base URL's origin only.

use url::Url;

use crate::{ErrorKind, ProviderError, Result};

/// Parses the operator's base URL.
pub(crate) fn base(provider: &'static str, text: &str) -> Result<Url> {
    let url = Url::parse(text).map_err(|_| malformed(provider))?;
    let is_plain = matches!(url.scheme(), "http" | "https") && url.username().is_empty() && url.password().is_none();
    if is_plain && url.query().is_none() && url.fragment().is_none() { Ok(url) } else { Err(malformed(provider)) }
}

/// Appends escaped segments to the base URL. They come from answers and callers, so empty, "." and ".." segments, which would lead to
/// another route, are refused.
pub(crate) fn below<'a>(provider: &'static str, base: &Url, segments: impl IntoIterator<Item = &'a str>) -> Result<Url> {
    let mut url = base.clone();
    let mut path = url.path_segments_mut().map_err(|()| malformed(provider))?;
    path.pop_if_empty();
    for segment in segments {
        if matches!(segment, "" | "." | "..") {
            return Err(ProviderError::new(provider, ErrorKind::Protocol, format!("\"{segment}\" is no name or id")));
        }
        path.push(segment);
    }
    drop(path);
    Ok(url)
}

/// The same for an unparsed base URL.
pub(crate) fn endpoint(provider: &'static str, text: &str, segments: &[&str]) -> Result<Url> {
    below(provider, &base(provider, text)?, segments.iter().copied())
}

/// Whether an address has the base URL's origin, and no user name or password.
pub(crate) fn is_same_origin(base: &Url, url: &Url) -> bool {
    url.origin() == base.origin() && url.username().is_empty() && url.password().is_none()
}

/// The parsed address, if it has the base URL's origin.
pub(crate) fn same_origin(provider: &'static str, text: &str, address: &str) -> Result<Option<Url>> {
    let base = base(provider, text)?;
    Ok(Url::parse(address).ok().filter(|url| is_same_origin(&base, url)))
}

/// The error does not repeat the base URL, which may contain a password.
fn malformed(provider: &'static str) -> ProviderError {
    let reason = "the base URL is malformed; it has to be http or https, without user name, password, query and fragment";
    ProviderError::new(provider, ErrorKind::Settings, reason)
}

#[cfg(test)]
mod tests {
    use super::{endpoint, same_origin};
    use crate::ErrorKind;

    #[test]
    fn parts_stay_within_one_segment() {
        let url = endpoint("pika", "https://api.test/web/", &["jobs", "a/../b?c#d%2e é"]).map(String::from);
        assert_eq!(url.as_deref(), Ok("https://api.test/web/jobs/a%2F..%2Fb%3Fc%23d%252e%20%C3%A9"));
        for part in ["", ".", ".."] {
            let kind = endpoint("pika", "https://api.test", &["jobs", part]).map_err(|error| error.kind);
            assert_eq!(kind, Err(ErrorKind::Protocol), "{part:?}");
        }
    }

    #[test]
    fn a_malformed_base_url_is_not_repeated() {
        for base in ["", "api.test", "ftp://api.test", "https://me:secret@api.test", "https://api.test/?key=secret", "data:,secret"] {
            let error = endpoint("pika", base, &["jobs"]).map_err(|error| (error.kind, error.to_string()));
            assert!(matches!(error, Err((ErrorKind::Settings, text)) if !text.contains("secret")), "{base}");
        }
    }

    #[test]
    fn only_the_base_urls_origin_is_ours() {
        let is_ours = |address| same_origin("pika", "https://queue.test/fal", address).map(|url| url.is_some());
        assert_eq!(is_ours("https://queue.test:443/x/requests/1"), Ok(true));
        for other in ["http://queue.test/x", "https://queue.test:8443/x", "https://queue.test.evil/x", "https://a:b@queue.test/", "/x", ""]
        {
            assert_eq!(is_ours(other), Ok(false), "{other}");
        }
    }
}
