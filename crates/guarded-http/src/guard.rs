//! Sends the guarded requests.
//!
//! The invariant: every address connected to has been judged in this call and for this hop. Each hop has its own client, whose only
//! resolver always answers with the judged addresses; it keeps no connection, follows no redirect, uses no proxy, sends no cookie and no
//! referer, decompresses nothing and retries nothing.

use std::{
    error::Error as StdError,
    fmt, io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use reqwest::{
    Client, Method, Response, StatusCode,
    dns::{Addrs, Name, Resolve, Resolving},
    header::{ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, LOCATION, TRANSFER_ENCODING},
};
use tokio::time::{Instant, timeout, timeout_at};
use url::Url;

use crate::{
    Error, ErrorLocation, GuardSettings, Resolver, Result, Rule, Stage, SystemResolver, media_type,
    target::{Target, TargetHost},
};

/// The guard's user agent.
pub const USER_AGENT: &str = concat!("framewright/", env!("CARGO_PKG_VERSION"));

/// How many bytes of a webhook's answer are read before the connection is closed: closing with unread bytes would look like a failure to a
/// receiver that is still writing.
const MAX_DISCARDED: usize = 16 * 1024;
/// How long that reading may take.
const MAX_DISCARDING: Duration = Duration::from_secs(1);

/// How many addresses of a name are tried; a name usually has a handful. All of them are judged.
const MAX_TRIED: usize = 8;

/// Content codings that transform the bytes. The request asked for none, and none is decoded: the sender chooses how large the result
/// becomes. All other values that servers send (`utf-8`, `aws-chunked`, which S3 keeps from an upload, `base64`, nothing) are mere labels
/// on plain bytes. Source: IANA's HTTP Content Coding Registry.
const PACKED: [&str; 12] =
    ["gzip", "x-gzip", "deflate", "compress", "x-compress", "br", "zstd", "dcb", "dcz", "exi", "pack200-gzip", "aes128gcm"];

/// Limits of a GET.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Maximum size of the body, in bytes.
    pub max_bytes: u64,
    /// Requested media types, in lower case and without parameters: `image/png`. Answers that declare something else entirely are refused,
    /// by [`media_type::other`].
    pub media_types: &'static [&'static str],
    /// Timeout of the whole call, redirects included; capped at the settings' own timeout.
    pub timeout: Duration,
}

/// The result of a GET.
#[derive(Clone, PartialEq, Eq)]
pub struct Fetched {
    /// The body as it was sent, within the limit; may be empty. Only its bytes tell what it is: servers label files wrongly or not at all.
    pub bytes: Vec<u8>,
    /// The final URL. Its query may contain secrets.
    pub final_url: Url,
}

impl fmt::Debug for Fetched {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = formatter.debug_struct("Fetched");
        shown.field("bytes", &self.bytes.len());
        shown.field("host", &self.final_url.host_str()).finish_non_exhaustive()
    }
}

/// Sends requests to untrusted addresses. Cheap to clone.
#[derive(Clone)]
pub struct Guard {
    settings: Arc<GuardSettings>,
    resolver: Arc<dyn Resolver>,
}

impl fmt::Debug for Guard {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Guard").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Guard {
    /// A guard with the system's resolver.
    pub fn new(settings: GuardSettings) -> Self {
        Self::with_resolver(settings, Arc::new(SystemResolver::new()))
    }

    /// A guard with another resolver.
    pub fn with_resolver(settings: GuardSettings, resolver: Arc<dyn Resolver>) -> Self {
        Self { settings: Arc::new(settings), resolver }
    }

    /// Checks an address without the network, to reject it at once when a caller gives it for later use. Whatever it refuses, the calls
    /// refuse too; names with private addresses pass here and fail there.
    ///
    /// # Errors
    /// [`Error::BadUrl`], or a rule that the text alone breaks.
    pub fn check(&self, url: &str) -> Result<Url> {
        Target::read(url, &self.settings).map(|(target, _)| target.url)
    }

    /// Fetches a URL, following redirects that pass the same rules.
    ///
    /// # Errors
    /// All of [`Error`].
    pub async fn get(&self, url: &str, limits: &Limits) -> Result<Fetched> {
        let (target, place) = Target::read(url, &self.settings)?;
        let limit = limits.timeout.min(self.settings.timeout);
        let fetched = timeout(limit, async {
            let mut answer = self.follow(target, HeaderMap::new(), limits, &place).await?;
            let mut bytes = Vec::new();
            while let Some(chunk) = answer.chunk().await? {
                bytes.extend_from_slice(&chunk);
            }
            Ok(Fetched { bytes, final_url: answer.final_url })
        });
        let fetched = fetched.await;
        let fetched = fetched.unwrap_or_else(|_| Err(Error::TimedOut { place: place.clone(), limit }));
        if let Err(error) = &fetched {
            log(&place, error);
        }
        fetched
    }

    /// Opens a URL for reading in chunks, following redirects that pass the same rules. The headers go to the URL's own origin only, not
    /// beyond a redirect to another. `limits.timeout` covers everything up to the end of the body; the settings' shorter timeout is meant
    /// for pictures and does not apply.
    ///
    /// # Errors
    /// All of [`Error`].
    pub async fn open(&self, url: &str, headers: HeaderMap, limits: &Limits) -> Result<Incoming> {
        let (target, place) = Target::read(url, &self.settings)?;
        let limit = limits.timeout;
        let until = Instant::now() + limit;
        let opened = timeout_at(until, self.follow(target, headers, limits, &place)).await;
        let opened = opened.unwrap_or_else(|_| Err(Error::TimedOut { place: place.clone(), limit }));
        opened.map(|answer| Incoming { answer, until, limit }).inspect_err(|error| log(&place, error))
    }

    /// Posts a body once; redirects are not followed, and the answer's body is discarded. Returns any status. `within` covers everything up
    /// to the answer's head, capped at the settings' own timeout.
    ///
    /// # Errors
    /// The variants of [`Error`] for a request without an answer.
    pub async fn post(&self, url: &str, headers: HeaderMap, body: Vec<u8>, within: Duration) -> Result<u16> {
        let (target, place) = Target::read(url, &self.settings)?;
        let limit = within.min(self.settings.timeout);
        let answered = timeout(limit, async {
            let addresses = self.resolve(&target, &place).await?;
            self.send(Method::POST, &target, addresses, headers, Some(body), &place).await
        });
        let answered = answered.await.unwrap_or_else(|_| Err(Error::TimedOut { place: place.clone(), limit }));
        let mut response = answered.inspect_err(|error| log(&place, error))?;
        let status = response.status().as_u16();
        tracing::debug!(host = place.host(), status, "answered a POST");
        let discarded = async {
            let mut bytes = 0;
            while let Ok(Some(chunk)) = response.chunk().await {
                bytes += chunk.len();
                if bytes > MAX_DISCARDED {
                    break;
                }
            }
        };
        // The status has arrived; an incomplete body does not matter.
        let _ = timeout(MAX_DISCARDING, discarded).await;
        Ok(status)
    }

    async fn follow(&self, mut target: Target, mut headers: HeaderMap, limits: &Limits, first: &ErrorLocation) -> Result<Answer> {
        for redirects in 0..=self.settings.max_redirects {
            let place = first.after(redirects);
            let addresses = self.resolve(&target, &place).await?;
            if let Ok(accepted) = HeaderValue::from_str(&limits.media_types.join(", ")) {
                headers.insert(ACCEPT, accepted);
            }
            let response = self.send(Method::GET, &target, addresses, headers.clone(), None, &place).await?;
            let status = response.status();
            tracing::debug!(host = first.host(), status = status.as_u16(), redirects, "answered a GET");
            match response.headers().get(LOCATION).filter(|_| [301, 302, 303, 307, 308].contains(&status.as_u16())) {
                Some(location) => {
                    let next = target.redirected(location.as_bytes(), &self.settings);
                    let next = next.map_err(|rule| Error::Refused { place: first.after(redirects + 1), rule })?;
                    if next.url.origin() != target.url.origin() {
                        // The headers may contain a key for the first origin.
                        headers.clear();
                    }
                    target = next;
                }
                None if status.is_success() && status != StatusCode::NO_CONTENT => {
                    return check_address(response, target.url, limits, place);
                }
                None => return Err(Error::Status { place, status: status.as_u16() }),
            }
        }
        let limit = self.settings.max_redirects;
        Err(Error::Refused { place: first.after(limit), rule: Rule::Redirects { limit } })
    }

    /// The addresses to connect to. A single refused address refuses the name: a name that is public and private at once is either an
    /// attack or the operator's own, who can allow it.
    async fn resolve(&self, target: &Target, place: &ErrorLocation) -> Result<Vec<SocketAddr>> {
        let (name, found) = match &target.host {
            TargetHost::Address(address) => (None, vec![*address]),
            TargetHost::Name(name) => {
                let found = self.resolver.resolve(name).await.unwrap_or_default();
                (Some(name.strip_suffix('.').unwrap_or(name)), found)
            }
        };
        if found.is_empty() {
            return Err(Error::Unresolved { place: place.clone() });
        }
        // The judged address, in canonical form, is the one connected to.
        let found: Vec<IpAddr> = found.into_iter().map(|address| address.to_canonical()).collect();
        for address in &found {
            let judged = self.settings.check_address(name, *address, target.port);
            judged.map_err(|rule| Error::Refused { place: place.clone(), rule })?;
        }
        Ok(found.into_iter().take(MAX_TRIED).map(|address| SocketAddr::new(address, target.port)).collect())
    }

    async fn send(
        &self,
        method: Method,
        target: &Target,
        addresses: Vec<SocketAddr>,
        mut headers: HeaderMap,
        body: Option<Vec<u8>>,
        place: &ErrorLocation,
    ) -> Result<Response> {
        let is_https = target.url.scheme() == "https";
        let connect_timeout = self.settings.connect_timeout;
        let build_client = move || client(is_https, addresses, connect_timeout);
        // Https reads the machine's certificates: 2 to 12 ms of a thread were measured, 0.2 ms without.
        let client = if is_https { tokio::task::spawn_blocking(build_client).await.ok() } else { Some(build_client()) };
        let setup = || Error::Unreachable { place: place.clone(), stage: Stage::Setup, kind: None };
        let client = client.ok_or_else(setup)?.map_err(|error| {
            tracing::warn!(%error, "no client for requests to others: has this machine certificates?");
            setup()
        })?;
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        let mut request = client.request(method, target.url.clone()).headers(headers);
        if let Some(body) = body {
            request = request.body(body);
        }
        request.send().await.map_err(|error| {
            let stage = if error.is_connect() { Stage::Connect } else { Stage::Answer };
            Error::Unreachable { place: place.clone(), stage, kind: system_reason(&error) }
        })
    }
}

/// A client for one hop; see the module documentation.
fn client(is_https: bool, addresses: Vec<SocketAddr>, connect_timeout: Duration) -> reqwest::Result<Client> {
    let mut builder = Client::builder()
        .user_agent(USER_AGENT)
        .connect_timeout(connect_timeout)
        .dns_resolver(Arc::new(Judged(addresses)))
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .no_proxy()
        .http1_only()
        .pool_max_idle_per_host(0)
        .no_gzip()
        .no_brotli()
        .no_deflate()
        .no_zstd();
    if !is_https {
        // Http needs no certificates, so a machine without them can still use it.
        builder = builder.tls_certs_only([]);
    }
    builder.build()
}

/// A resolver that knows only the judged addresses.
struct Judged(Vec<SocketAddr>);

impl Resolve for Judged {
    fn resolve(&self, _name: Name) -> Resolving {
        let addresses: Addrs = Box::new(self.0.clone().into_iter());
        Box::pin(async move { Ok(addresses) })
    }
}

/// An answer whose head was judged; its body is counted while it is read.
struct Answer {
    response: Response,
    final_url: Url,
    place: ErrorLocation,
    /// The most bytes of the body.
    limit: u64,
    read: u64,
}

impl Answer {
    /// The next chunk of the body; `None` at its end.
    async fn chunk(&mut self) -> Result<Option<Bytes>> {
        let chunk = self.response.chunk().await.map_err(|error| {
            let place = self.place.clone();
            Error::Unreachable { place, stage: Stage::Body, kind: system_reason(&error) }
        })?;
        let Some(chunk) = chunk else { return Ok(None) };
        self.read = self.read.saturating_add(u64::try_from(chunk.len()).unwrap_or(u64::MAX));
        if self.read > self.limit { Err(Error::TooLarge { place: self.place.clone(), limit: self.limit }) } else { Ok(Some(chunk)) }
    }
}

/// A body that is being read; see [`Guard::open`].
pub struct Incoming {
    answer: Answer,
    until: Instant,
    limit: Duration,
}

impl Incoming {
    /// The next chunk of the body, within the limits given to [`Guard::open`]; `None` at its end.
    ///
    /// # Errors
    /// [`Error::TooLarge`], [`Error::TimedOut`], or [`Error::Unreachable`] if the body breaks off.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>> {
        let chunk = timeout_at(self.until, self.answer.chunk()).await;
        let timed_out = |_| Err(Error::TimedOut { place: self.answer.place.clone(), limit: self.limit });
        chunk.unwrap_or_else(timed_out).inspect_err(|error| log(&self.answer.place, error))
    }
}

impl fmt::Debug for Incoming {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Incoming").field("host", &self.answer.place.host()).field("read", &self.answer.read).finish_non_exhaustive()
    }
}

/// Judges the head of an answer.
fn check_address(response: Response, final_url: Url, limits: &Limits, place: ErrorLocation) -> Result<Answer> {
    if let Some(claimed) = values(response.headers(), &CONTENT_TYPE).find_map(|declared| media_type::other(&declared, limits.media_types)) {
        return Err(Error::WrongType { place, claimed, wanted: limits.media_types });
    }
    let is_packed = |coding: &str| PACKED.iter().any(|packed| packed.eq_ignore_ascii_case(coding.trim()));
    let is_transformed = |coding: &str| !coding.trim().eq_ignore_ascii_case("chunked");
    if values(response.headers(), &CONTENT_ENCODING).any(|codings| codings.split(',').any(is_packed))
        || values(response.headers(), &TRANSFER_ENCODING).any(|codings| is_transformed(&codings))
    {
        return Err(Error::Encoded { place });
    }
    // The declared length saves the transfer; the bytes are counted anyway.
    if response.content_length().is_some_and(|length| length > limits.max_bytes) {
        return Err(Error::TooLarge { place, limit: limits.max_bytes });
    }
    Ok(Answer { response, final_url, place, limit: limits.max_bytes, read: 0 })
}

/// The values of a header, line by line. Bytes that are not text match nothing.
fn values(headers: &HeaderMap, name: &HeaderName) -> impl Iterator<Item = String> {
    headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
}

/// The operating system's reason at the root of an error; nothing that a server wrote.
fn system_reason(error: &(dyn StdError + 'static)) -> Option<io::ErrorKind> {
    std::iter::successors(Some(error), |error| (*error).source()).find_map(|error| error.downcast_ref::<io::Error>()).map(io::Error::kind)
}

/// For operators who debug missing pictures; a caller's mistakes are no warnings.
fn log(place: &ErrorLocation, error: &Error) {
    if let Error::Unreachable { stage, kind, .. } = error {
        tracing::debug!(host = place.host(), ?stage, ?kind, "no answer");
    } else {
        tracing::debug!(host = place.host(), kind = ?error.kind(), "not fetched");
    }
}
