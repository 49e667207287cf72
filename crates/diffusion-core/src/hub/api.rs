//! The part of the hub's HTTP API that fetching a model needs: a revision's commit, a commit's tree, and a file from a byte offset on.
//!
//! This module does not know the cache. It does not use `hf-hub` 1.0, because that reads a tree's LFS digests under a key that trees do not
//! have (so it gets none), sends two requests for each range, and hides status and headers. Files in Xet storage come through the hub's
//! HTTP bridge, as for every client without that protocol. The token is sent only to the endpoint's own host.

use std::{io::Read as _, time::Duration};

use reqwest::{
    StatusCode, Url,
    blocking::{Client, RequestBuilder, Response},
    header::{ACCEPT_ENCODING, AUTHORIZATION, HeaderMap, HeaderValue, LINK, RANGE, RETRY_AFTER},
};
use serde::Deserialize;
use serde_json::Value;

use super::{
    HubSettings, cache,
    listing::{Listing, TreeEntry},
};
use crate::{Error, Result};

const DEFAULT_ENDPOINT: &str = "https://huggingface.co";
const USER_AGENT: &str = concat!("framewright/", env!("CARGO_PKG_VERSION"));
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
/// A connection silent for this long counts as broken.
const READ_TIMEOUT: Duration = Duration::from_secs(60);
/// Attempts at a request before it fails.
pub(super) const ATTEMPTS: u32 = 5;
/// The pause after the first failure; it doubles with each.
const PAUSE: Duration = Duration::from_millis(250);
/// The longest pause that a server may ask for.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// Larger than any repository's listing; the limit applies to each page, and `MOST_PAGES` to the number of pages.
const LARGEST_JSON: u64 = 64 << 20;
const MOST_PAGES: usize = 1000;

/// The reason why a request to the hub failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum HubError {
    /// No response, or a malformed one.
    #[error("{}", root_cause(.0))]
    Connection(#[source] reqwest::Error),
    /// A response whose body was cut off.
    #[error("the connection broke: {}", root_cause(.0))]
    Body(#[source] std::io::Error),
    /// A response with an error status.
    #[error("the hub answered {status}{}", .message.as_ref().map_or(String::new(), |message| format!(": {message}")))]
    Status { status: StatusCode, code: Option<String>, message: Option<String>, pause: Option<Duration> },
    /// A response that cannot be used.
    #[error("{0}")]
    Unusable(String),
}

impl HubError {
    /// Whether a retry may succeed: connection faults and server errors.
    pub(super) fn is_transient(&self) -> bool {
        match self {
            Self::Connection(error) => !error.is_builder() && !error.is_redirect(),
            Self::Body(_) => true,
            Self::Status { status, .. } => {
                status.is_server_error() || matches!(*status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT)
            }
            Self::Unusable(_) => false,
        }
    }

    /// Sleeps before the next attempt: as long as the server asks, or else longer with each failure.
    pub(super) fn pause(&self, failures: u32) {
        let asked = if let Self::Status { pause, .. } = self { *pause } else { None };
        std::thread::sleep(asked.unwrap_or(PAUSE * 2_u32.pow(failures.clamp(1, 8) - 1)).min(LONGEST_PAUSE));
    }
}

/// A repository on the hub.
pub(super) struct Hub<'a> {
    repo_id: &'a str,
    endpoint: Url,
    client: Client,
    token: Option<HeaderValue>,
}

impl<'a> Hub<'a> {
    pub(super) fn new(repo_id: &'a str, settings: &HubSettings) -> Result<Self> {
        let fail = |reason: String, source| Error::Hub { repo: repo_id.into(), reason, source };
        let token = settings.token.as_deref().map(str::trim).filter(|token| !token.is_empty());
        if token.is_some_and(|token| !token.bytes().all(|byte| byte.is_ascii_graphic())) {
            return Err(fail("the token (HF_TOKEN) holds characters that no token has".into(), None));
        }
        let token = token.and_then(|token| HeaderValue::try_from(format!("Bearer {token}")).ok()).map(|mut token| {
            token.set_sensitive(true);
            token
        });
        let address = settings.endpoint.as_deref().unwrap_or(DEFAULT_ENDPOINT);
        let endpoint = Url::parse(address).map_err(|error| fail(format!("endpoint {address:?}: {error}"), Some(Box::new(error))))?;
        if !matches!(endpoint.scheme(), "http" | "https") {
            return Err(fail(format!("endpoint {address:?}: is neither http nor https"), None));
        }
        let mut client = Client::builder().user_agent(USER_AGENT).connect_timeout(CONNECT_TIMEOUT).timeout(READ_TIMEOUT);
        if matches!(endpoint.host_str(), Some("127.0.0.1" | "localhost" | "[::1]")) {
            // A hub on this machine is never behind a proxy.
            client = client.no_proxy();
        }
        let client = client.build().map_err(|error| fail(root_cause(&error), Some(Box::new(error))))?;
        Ok(Self { repo_id, endpoint, client, token })
    }

    /// The commit of a revision, and its files.
    pub(super) fn resolve(&self, revision: &str) -> Result<(String, Listing), HubError> {
        let commit = self.commit(revision)?;
        if !cache::is_plain_name(&commit) {
            return Err(HubError::Unusable(format!("the hub says that the revision is {commit:?}, which is no commit")));
        }
        let listing = self.listing(&commit)?;
        Ok((commit, listing))
    }

    fn commit(&self, revision: &str) -> Result<String, HubError> {
        #[derive(Deserialize)]
        struct Info {
            sha: Option<String>,
        }
        let (info, _): (Info, _) = self.json(self.api(&["revision", revision])?)?;
        info.sha.ok_or_else(|| HubError::Unusable("the hub names no commit of the repository".into()))
    }

    fn listing(&self, commit: &str) -> Result<Listing, HubError> {
        let mut tree = Vec::<TreeEntry>::new();
        let mut url = self.api(&["tree", commit])?;
        url.set_query(Some("recursive=true&expand=false"));
        for _ in 0..MOST_PAGES {
            let (page, headers): (Vec<TreeEntry>, _) = self.json(url.clone())?;
            tree.extend(page);
            let Some(next) = next_page(&headers) else { return Listing::of_tree(tree).map_err(HubError::Unusable) };
            // A mirror may pass on the hub's own address, so only the query, which holds the cursor, is taken from the link.
            url.set_query(next.query());
        }
        Err(HubError::Unusable(format!("the hub's list of files has more than {MOST_PAGES} pages")))
    }

    /// Requests a file from byte `from` on, without retries.
    pub(super) fn file(&self, commit: &str, name: &str, from: u64) -> Result<Response, HubError> {
        let mut url = self.endpoint.clone();
        extend(&mut url, self.repo_id.split('/').chain(["resolve", commit]).chain(name.split('/')))?;
        let mut request = self.get(url);
        if from > 0 {
            request = request.header(RANGE, format!("bytes={from}-"));
        }
        answer(request)
    }

    pub(super) fn fail(&self, reason: impl Into<String>) -> Error {
        Error::Hub { repo: self.repo_id.into(), reason: reason.into(), source: None }
    }

    /// Turns an error into one that says what to do; `subject` is the requested revision or file.
    pub(super) fn explain(&self, error: HubError, subject: &str) -> Error {
        let reason = match &error {
            HubError::Connection(cause) if !cause.is_builder() && !cause.is_redirect() => format!("cannot reach the hub: {error}"),
            HubError::Status { status, code, .. } => {
                let code = code.as_deref().unwrap_or_default();
                match *status {
                    StatusCode::FORBIDDEN => {
                        "access refused: accept the gated model's terms on its page, and set HF_TOKEN to a token of that account".to_owned()
                    }
                    StatusCode::UNAUTHORIZED | StatusCode::NOT_FOUND if *status == StatusCode::UNAUTHORIZED || code == "RepoNotFound" => {
                        match self.token {
                            Some(_) => "repository not found, or the token (HF_TOKEN) does not open it".to_owned(),
                            None => "repository not found or private: check the id, or set HF_TOKEN".to_owned(),
                        }
                    }
                    StatusCode::NOT_FOUND if code == "EntryNotFound" => format!("{subject} is listed, but missing"),
                    StatusCode::NOT_FOUND => format!("no such repository, or it has no revision {subject:?}"),
                    StatusCode::TOO_MANY_REQUESTS => "too many requests; try again later".to_owned(),
                    _ => error.to_string(),
                }
            }
            HubError::Connection(_) | HubError::Body(_) | HubError::Unusable(_) => error.to_string(),
        };
        Error::Hub { repo: self.repo_id.into(), reason, source: Some(Box::new(error)) }
    }

    fn api(&self, path: &[&str]) -> Result<Url, HubError> {
        let mut url = self.endpoint.clone();
        extend(&mut url, ["api", "models"].into_iter().chain(self.repo_id.split('/')).chain(path.iter().copied()))?;
        Ok(url)
    }

    /// A GET request to the endpoint, with the token; `reqwest` removes the token when a redirect leads to another host.
    fn get(&self, url: Url) -> RequestBuilder {
        // Uncompressed, so that lengths and ranges are those of the file.
        let request = self.client.get(url).header(ACCEPT_ENCODING, "identity");
        match &self.token {
            Some(token) => request.header(AUTHORIZATION, token),
            None => request,
        }
    }

    /// Requests a JSON document, with retries; returns it with the response's headers.
    fn json<T: serde::de::DeserializeOwned>(&self, url: Url) -> Result<(T, HeaderMap), HubError> {
        let once = || -> Result<_, HubError> {
            let response = answer(self.get(url.clone()))?;
            let headers = response.headers().clone();
            let mut bytes = Vec::new();
            response.take(LARGEST_JSON).read_to_end(&mut bytes).map_err(HubError::Body)?;
            let value: Value = serde_json::from_slice(&bytes)
                .map_err(|error| HubError::Unusable(format!("{url} did not send JSON; is HF_ENDPOINT a hub's address? ({error})")))?;
            let read = T::deserialize(value).map_err(|error| HubError::Unusable(format!("{url} sent unexpected JSON: {error}")))?;
            Ok((read, headers))
        };
        for failures in 1..ATTEMPTS {
            match once() {
                Err(error) if error.is_transient() => error.pause(failures),
                settled => return settled,
            }
        }
        once()
    }
}

/// Sends a request; any status but success is an error.
fn answer(request: RequestBuilder) -> Result<Response, HubError> {
    let response = request.send().map_err(HubError::Connection)?;
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let text = |name: &str| Some(response.headers().get(name)?.to_str().ok()?.chars().take(200).collect::<String>());
    let pause = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok()).map(Duration::from_secs);
    Err(HubError::Status { status, code: text("x-error-code"), message: text("x-error-message"), pause })
}

/// Appends segments to a URL's path, each escaped, including slashes inside a segment.
fn extend<'a>(url: &mut Url, parts: impl Iterator<Item = &'a str>) -> Result<(), HubError> {
    let mut path = url.path_segments_mut().map_err(|()| HubError::Unusable("the endpoint cannot have a path".into()))?;
    path.pop_if_empty().extend(parts);
    Ok(())
}

/// The next page of a list: `Link: <URL>; rel="next"`.
fn next_page(headers: &HeaderMap) -> Option<Url> {
    let links = headers.get(LINK)?.to_str().ok()?;
    links.split('<').find_map(|link| {
        let (url, parameters) = link.split_once('>')?;
        parameters.contains("rel=\"next\"").then(|| Url::parse(url).ok())?
    })
}

/// The innermost message of an error, which is the informative one ("connection refused").
fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}
