//! The gate that every request passes: it checks the host and the page's origin, identifies the caller and enforces rate limits.
//!
//! It must not know what handlers do: the path alone decides whether anyone may read it or a signed link opens it. The invariant: behind
//! the gate, [`Caller`] is authentic. A refused request is answered at once, and its body is not read.

use std::time::SystemTime;

use actix_web::{
    Error, HttpMessage as _, ResponseError as _,
    body::{BoxBody, MessageBody},
    dev::{RequestHead, ServiceRequest, ServiceResponse},
    http::{
        Method,
        header::{HOST, HeaderValue},
    },
    middleware::Next,
    web::{Data, Payload},
};

use super::{
    Access, Caller,
    answer_head::{self, Kind},
    authority::Authority,
    cors,
    limits::Held,
    refusal::Refusal,
};
use crate::http::{Problem, holding};

/// The result of admitting a request.
enum Entry {
    /// A browser's CORS preflight.
    Preflight,
    /// A public path: nothing there belongs to a caller.
    Open,
    /// An identified caller.
    As { caller: Caller, by_link: bool, held: Held },
}

/// The middleware.
///
/// # Errors
/// The errors of the wrapped service.
pub async fn gate(mut request: ServiceRequest, next: Next<impl MessageBody + 'static>) -> Result<ServiceResponse<BoxBody>, Error> {
    let Some(access) = request.app_data::<Data<Access>>().cloned() else { return Err(Problem::internal().into()) };
    let origin = cors::allowed_origin(access.origins.allowed(), request.headers());
    let mut kind = kind_of(request.path());
    let mut shared = !access.origins.allowed().is_empty();
    let mut response = match access.admit(request.head(), SystemTime::now()) {
        Ok(Entry::Preflight) => request.into_response(cors::preflight()),
        Ok(Entry::Open) => next.call(request).await?.map_into_boxed_body(),
        Ok(Entry::As { caller, by_link, held }) => {
            shared |= by_link;
            request.extensions_mut().insert(caller);
            next.call(request).await?.map_body(|_, body| holding(body.boxed(), held))
        }
        Err(refusal) => {
            // A refusal contains no file.
            kind = if kind == Kind::Open { Kind::Open } else { Kind::Own };
            let body = request.extract::<Payload>().await?;
            let answer = Problem::from(refusal).error_response();
            request.into_response(answer.map_body(|_, answer| holding(answer, body)))
        }
    };
    cors::open(response.headers_mut(), access.origins.allowed(), origin);
    answer_head::complete(response.headers_mut(), kind, shared);
    Ok(response)
}

impl Access {
    fn admit(&self, head: &RequestHead, now: SystemTime) -> Result<Entry, Refusal> {
        let target = target_of(head)?;
        if let Some(target) = &target {
            self.hosts.check(&target.host)?;
        }
        if cors::is_preflight(&head.method, &head.headers) {
            let allowed = cors::allowed_origin(self.origins.allowed(), &head.headers).is_some();
            let origin = || head.headers.get("origin").and_then(|origin| origin.to_str().ok()).unwrap_or("one that is no text");
            return if allowed { Ok(Entry::Preflight) } else { Err(Refusal::foreign_origin(origin())) };
        }
        self.origins.check(&head.method, &head.headers, target.as_ref())?;
        if self.keys.is_empty() {
            return Ok(Entry::As { caller: Caller::default(), by_link: false, held: self.meters.take("")? });
        }
        let path = head.uri.path();
        if kind_of(path) == Kind::Open {
            return Ok(Entry::Open);
        }
        let (caller, by_link) = match self.keys.caller(&head.headers)? {
            Some(key) => (Caller { owner: key.name().to_owned(), priority: key.priority() }, false),
            None => (Caller::named(self.link_owner(head, now)?), true),
        };
        let held = self.meters.take(&caller.owner)?;
        Ok(Entry::As { caller, by_link, held })
    }

    /// The owner of the file that a signed link opens.
    fn link_owner(&self, head: &RequestHead, now: SystemTime) -> Result<&str, Refusal> {
        let query = head.uri.query().filter(|query| query.contains("signature="));
        let reads = head.method == Method::GET || head.method == Method::HEAD;
        match query {
            Some(query) if reads && kind_of(head.uri.path()) == Kind::File => {
                self.links.check(self.keys.names(), head.uri.path(), query, now).map_err(Refusal::from)
            }
            Some(_) | None => Err(Refusal::Unauthorized),
        }
    }
}

/// Whether anyone may read this path.
pub(crate) fn is_open(path: &str) -> bool {
    kind_of(path) == Kind::Open
}

/// The kind of a path, by its name alone. Open paths show no caller's data: health probes, and the page and the documentation, where people
/// enter their key.
fn kind_of(path: &str) -> Kind {
    let under = |folder: &str| path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'));
    if ["/", "/health", "/ready", "/openapi.json", "/ui", "/docs", "/redoc"].contains(&path)
        || ["/ui", "/docs", "/redoc"].into_iter().any(under)
    {
        Kind::Open
    } else if under("/files") || under("/videos") || under("/uploads") || is_thumbnail(path) {
        Kind::File
    } else {
        Kind::Own
    }
}

/// Whether a path is that of a task's small picture, which a page shows as it shows a file.
fn is_thumbnail(path: &str) -> bool {
    let id = path.strip_prefix("/api/v1/tasks/").and_then(|rest| rest.strip_suffix("/thumbnail"));
    id.is_some_and(|id| !id.is_empty() && !id.contains('/'))
}

/// The host that a request names; `None` if it names none, which HTTP/1.0 permits.
fn target_of(head: &RequestHead) -> Result<Option<Authority>, Refusal> {
    let parse = |text: &str| Authority::parse(text).ok_or(Refusal::MalformedHost);
    let mut hosts = head.headers.get_all(HOST);
    let host = match (hosts.next(), hosts.next()) {
        (None, _) => None,
        (Some(host), None) => Some(parse(host.to_str().map_err(|_| Refusal::MalformedHost)?)?),
        (Some(_), Some(_)) => return Err(Refusal::MalformedHost),
    };
    // RFC 9112 gives a target in absolute form precedence over the header, but not every implementation does: both must agree.
    let absolute = head.uri.authority().map(|authority| parse(authority.as_str())).transpose()?;
    match (absolute, host) {
        (Some(absolute), Some(host)) if absolute != host => Err(Refusal::MalformedHost),
        (absolute, host) => Ok(absolute.or(host)),
    }
}

/// The URL by which a request reaches this server: `http://` and its host, or the public URL without its final slash. [`gate`] has checked
/// the host.
pub(super) fn base_url(access: &Access, head: &RequestHead, listens: &str) -> String {
    if let Some(url) = &access.public_url {
        return url.as_str().trim_end_matches('/').to_owned();
    }
    let host = head.uri.authority().map(|authority| authority.as_str()).or_else(|| head.headers.get(HOST).and_then(text));
    format!("http://{}", host.unwrap_or(listens))
}

fn text(value: &HeaderValue) -> Option<&str> {
    value.to_str().ok()
}
