//! Which pages may send requests through a browser: the defence against cross-site request forgery.
//!
//! A page anywhere can make a browser send a form or a fetch to localhost, where a server without keys would obey it. But the page cannot
//! forge `Origin` and `Sec-Fetch-Site`. So a request that changes something or carries a body is refused if it comes from another origin,
//! unless the operator allows that origin. The algorithm is that of Go's `http.CrossOriginProtection`, except that both headers are checked
//! if both are present. Programs send neither, and pass.
//!
//! `Origin: null` (a sandboxed frame, a file) matches no origin, and is refused unless every origin is allowed.

use actix_web::http::{
    Method,
    header::{CONTENT_LENGTH, HeaderMap, HeaderName, ORIGIN, TRANSFER_ENCODING},
};
use url::Url;

use super::{
    authority::{Authority, Host},
    refusal::Refusal,
};

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The origins that the operator allows: none, some, or all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AllowedOrigins {
    any: bool,
    origins: Vec<String>,
}

impl AllowedOrigins {
    /// Reads origins (`https://studio.example.com`, `http://localhost:3000`); `*` allows all.
    ///
    /// # Errors
    /// A sentence about the first entry that is invalid.
    pub fn parse<T: AsRef<str>>(entries: &[T]) -> Result<Self, String> {
        let mut allowed = Self::default();
        for entry in entries {
            let entry = entry.as_ref().trim();
            if entry == "*" {
                allowed.any = true;
                continue;
            }
            // People end URLs with a slash, browsers do not.
            let origin = canonical(entry.strip_suffix('/').unwrap_or(entry));
            allowed
                .origins
                .push(origin.ok_or_else(|| format!("{entry:?} is no origin such as https://example.com or http://localhost:3000"))?);
        }
        Ok(allowed)
    }

    /// Whether no origin is allowed.
    pub(crate) fn is_empty(&self) -> bool {
        !self.any && self.origins.is_empty()
    }

    /// Whether every origin is allowed.
    pub(crate) fn is_any(&self) -> bool {
        self.any
    }

    /// Whether this origin, in the browser's spelling, is allowed.
    pub(crate) fn contains(&self, origin: &str) -> bool {
        self.any || self.origins.iter().any(|allowed| allowed == origin)
    }
}

/// An http or https origin as browsers write it; `None` if the text is more or less than that.
fn canonical(text: &str) -> Option<String> {
    let url = Url::parse(text).ok()?;
    let bare =
        url.username().is_empty() && url.password().is_none() && url.path() == "/" && url.query().is_none() && url.fragment().is_none();
    let http = matches!(url.scheme(), "http" | "https");
    // The parsed path is "/" whether or not the text ends with a slash, so the text is checked as well.
    (http && bare && !text.ends_with('/')).then(|| url.origin().ascii_serialization())
}

/// Decides which origins are accepted.
#[derive(Clone, Debug)]
pub(crate) struct OriginPolicy {
    allowed: AllowedOrigins,
    /// The origin of the server's public URL: a proxy in front of us may have another host.
    own: Option<String>,
}

impl OriginPolicy {
    pub(crate) fn new(allowed: AllowedOrigins, own: Option<&Url>) -> Self {
        Self { allowed, own: own.map(|url| url.origin().ascii_serialization()) }
    }

    pub(crate) fn allowed(&self) -> &AllowedOrigins {
        &self.allowed
    }

    /// Refuses a potentially harmful request that a page of another origin made a browser send. `target` is the host that the request
    /// names.
    pub(crate) fn check(&self, method: &Method, headers: &HeaderMap, target: Option<&Authority>) -> Result<(), Refusal> {
        if [Method::GET, Method::HEAD, Method::OPTIONS].contains(method) && !has_body(headers) {
            return Ok(());
        }
        let mut origins = headers.get_all(ORIGIN);
        let origin = match (origins.next(), origins.next()) {
            (None, _) => None,
            (Some(origin), None) => Some(origin.to_str().map_err(|_| Refusal::foreign_origin("one that is no text"))?),
            (Some(_), Some(_)) => return Err(Refusal::foreign_origin("several at once")),
        };
        if origin.is_some_and(|origin| self.allowed.contains(origin)) {
            return Ok(());
        }
        let ours = origin.is_none_or(|origin| self.is_ours(origin, target));
        if let (false, Some(origin)) = (ours, origin) {
            return Err(Refusal::foreign_origin(origin));
        }
        // The browser's own statement of where the request comes from outranks our comparison of two headers. A page of the same site but
        // another port is another origin.
        let site_is_foreign = headers.get_all(SEC_FETCH_SITE).any(|site| !matches!(site.as_bytes(), b"same-origin" | b"none"));
        if site_is_foreign { Err(Refusal::foreign_origin(origin.unwrap_or("another site"))) } else { Ok(()) }
    }

    /// Whether the page came from this server. The scheme is ignored: behind a proxy the browser speaks https, and we do not.
    fn is_ours(&self, origin: &str, target: Option<&Authority>) -> bool {
        if self.own.as_deref() == Some(origin) {
            return true;
        }
        let Some((scheme, rest)) = origin.split_once("://") else { return false };
        let default = match scheme {
            "http" => 80,
            "https" => 443,
            _ => return false,
        };
        let (Some(page), Some(target)) = (Authority::parse(rest), target) else { return false };
        page.host == target.host && page.port_or(default) == target.port_or(default)
    }
}

/// The host of a URL, as [`Authority`] reads it.
pub(crate) fn host_of(url: &Url) -> Option<Host> {
    Authority::parse(url.host_str()?).map(|authority| authority.host)
}

fn has_body(headers: &HeaderMap) -> bool {
    headers.contains_key(TRANSFER_ENCODING) || headers.get(CONTENT_LENGTH).is_some_and(|length| length.as_bytes() != b"0")
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use actix_web::http::header::HeaderValue;

    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in pairs {
            map.append(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
        }
        map
    }

    #[test]
    fn a_page_of_ours_and_a_program_pass() {
        let policy = OriginPolicy::new(AllowedOrigins::default(), Some(&Url::parse("https://studio.example.com/api").unwrap()));
        let target = Authority::parse("localhost:8000");
        let passes = |pairs: &[(&'static str, &str)]| policy.check(&Method::POST, &headers(pairs), target.as_ref()).is_ok();
        assert!(passes(&[]));
        assert!(passes(&[("origin", "http://localhost:8000")]));
        assert!(passes(&[("origin", "http://localhost:8000"), ("sec-fetch-site", "same-origin")]));
        assert!(passes(&[("origin", "https://studio.example.com")]));
        assert!(passes(&[("sec-fetch-site", "none")]));
        assert!(!passes(&[("origin", "http://localhost:8000"), ("sec-fetch-site", "same-site")]));
        let default_port = Authority::parse("studio");
        assert!(policy.check(&Method::POST, &headers(&[("origin", "https://studio")]), default_port.as_ref()).is_ok());
    }

    #[test]
    fn reading_is_free_and_a_body_is_not() {
        let policy = OriginPolicy::new(AllowedOrigins::default(), None);
        let foreign = ("origin", "https://evil.com");
        assert!(policy.check(&Method::GET, &headers(&[foreign]), None).is_ok());
        assert!(policy.check(&Method::GET, &headers(&[foreign, ("content-length", "0")]), None).is_ok());
        assert!(policy.check(&Method::GET, &headers(&[foreign, ("content-length", "1")]), None).is_err());
        assert!(policy.check(&Method::GET, &headers(&[foreign, ("transfer-encoding", "chunked")]), None).is_err());
        assert!(policy.check(&Method::DELETE, &headers(&[foreign]), None).is_err());
    }

    #[test]
    fn origins_are_allowed_one_by_one_or_all() {
        let some = OriginPolicy::new(AllowedOrigins::parse(&["https://a.example", "http://LOCALHOST:3000/"]).unwrap(), None);
        let all = OriginPolicy::new(AllowedOrigins::parse(&["*"]).unwrap(), None);
        for (origin, one, any) in [
            ("https://a.example", true, true),
            ("http://localhost:3000", true, true),
            ("http://a.example", false, true),
            ("https://a.example:8443", false, true),
            ("https://a.example.evil.com", false, true),
            ("null", false, true),
        ] {
            let sent = headers(&[("origin", origin), ("sec-fetch-site", "cross-site")]);
            let passes = [&some, &all].map(|policy| policy.check(&Method::POST, &sent, None).is_ok());
            assert_eq!(passes, [one, any], "{origin}");
        }
        for entry in
            ["", "null", "a.example", "https://", "https://a.example/x", "https://u@a.example", "https://a.example?x", "ftp://a.example"]
        {
            assert!(AllowedOrigins::parse(&[entry]).is_err(), "{entry:?}");
        }
    }
}
