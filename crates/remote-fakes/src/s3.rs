//! A small S3: puts and gets objects, by signed headers or presigned URLs, in path style and by virtual host, with ranges.
//!
//! Operation for [`Faults`]: "download". Only GET, HEAD and PUT of objects are implemented; answers are S3's XML.

use std::{
    collections::BTreeMap,
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::SystemTime,
};

use crate::{
    Clock, Fault, Faults, Recorded, Reply, Server,
    aws::{Account, Refusal, check_header, check_query, is_presigned, iso},
};

/// Files by key, by bucket.
type Buckets = BTreeMap<String, BTreeMap<String, Vec<u8>>>;

/// Objects by bucket and key. Clones share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Objects(Arc<Mutex<Buckets>>);

impl Objects {
    pub(crate) fn has_bucket(&self, bucket: &str) -> bool {
        self.lock().contains_key(bucket)
    }

    /// Puts an object; returns whether the bucket exists.
    pub(crate) fn put(&self, bucket: &str, key: &str, bytes: Vec<u8>) -> bool {
        self.lock().get_mut(bucket).map(|objects| objects.insert(key.to_owned(), bytes)).is_some()
    }

    fn lock(&self) -> MutexGuard<'_, Buckets> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A running S3 fake.
#[derive(Debug)]
pub struct S3 {
    server: Server,
    objects: Objects,
    /// The fake's clock.
    pub clock: Clock,
    /// The scheduled failures.
    pub faults: Faults,
}

impl S3 {
    /// Starts a fake that knows one account, with empty buckets of these names.
    ///
    /// # Errors
    /// If no port can be opened.
    pub async fn start(account: Account, buckets: &[&str]) -> io::Result<Self> {
        let (objects, clock, faults) = (Objects::default(), Clock::default(), Faults::default());
        objects.lock().extend(buckets.iter().map(|bucket| ((*bucket).to_owned(), BTreeMap::new())));
        let storage = Storage { account, objects: objects.clone(), clock: clock.clone(), faults: faults.clone() };
        let server = Server::start(move |request| storage.answer(request)).await?;
        Ok(Self { server, objects, clock, faults })
    }

    /// The base URL.
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// All requests so far.
    pub fn requests(&self) -> Vec<Recorded> {
        self.server.requests()
    }

    /// Puts an object; returns whether the bucket exists.
    pub fn put(&self, bucket: &str, key: &str, bytes: impl Into<Vec<u8>>) -> bool {
        self.objects.put(bucket, key, bytes.into())
    }

    /// An object.
    pub fn object(&self, bucket: &str, key: &str) -> Option<Vec<u8>> {
        self.objects.lock().get(bucket)?.get(key).cloned()
    }

    /// The keys of a bucket, in order.
    pub fn keys(&self, bucket: &str) -> Vec<String> {
        self.objects.lock().get(bucket).map(|objects| objects.keys().cloned().collect()).unwrap_or_default()
    }

    pub(crate) fn objects(&self) -> Objects {
        self.objects.clone()
    }
}

struct Storage {
    account: Account,
    objects: Objects,
    clock: Clock,
    faults: Faults,
}

impl Storage {
    fn answer(&self, request: &Recorded) -> Reply {
        let now = self.clock.now();
        let fault = if request.method == "GET" { self.faults.take("download") } else { None };
        match &fault {
            Some(Fault::Status(status, code) | Fault::RetryAfter(status, code, _)) => return error(*status, code, "Please try again.", ""),
            Some(Fault::Expired) => return expired(request, now, now),
            Some(_) | None => {}
        }
        let check = if is_presigned(request) { check_query } else { check_header };
        if let Err(refusal) = check(request, &self.account, "s3", now) {
            return refused(request, refusal, now);
        }
        let (bucket, key) = address(request);
        let mut buckets = self.objects.lock();
        let Some(objects) = buckets.get_mut(&bucket) else {
            return error(404, "NoSuchBucket", "The specified bucket does not exist", "");
        };
        let reply = match request.method.as_str() {
            "PUT" => {
                objects.insert(key, request.body.clone());
                Reply::empty(200)
            }
            "GET" | "HEAD" => objects.get(&key).map_or_else(|| missing(&key), |bytes| object(request, bytes, fault.as_ref())),
            _ => error(405, "MethodNotAllowed", "The specified method is not allowed against this resource.", ""),
        };
        match fault {
            Some(Fault::StatusAfter(status, code)) => error(status, code, "Please try again.", ""),
            Some(fault) => fault.spoil(reply),
            None => reply,
        }
    }
}

/// Bucket and key: by virtual host if the host is `BUCKET.localhost`, otherwise in path style.
fn address(request: &Recorded) -> (String, String) {
    let decoded = request.segments().join("/");
    let host = request.header("host").unwrap_or_default();
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    if let Some(bucket) = name.strip_suffix(".localhost") {
        return (bucket.to_owned(), decoded);
    }
    let (bucket, key) = decoded.split_once('/').unwrap_or((&decoded, ""));
    (bucket.to_owned(), key.to_owned())
}

fn object(request: &Recorded, bytes: &[u8], fault: Option<&Fault>) -> Reply {
    let bytes = match fault {
        Some(Fault::TooLarge(size)) => vec![0; usize::try_from(*size).unwrap_or_default()],
        Some(Fault::NotAVideo(bytes)) => bytes.to_vec(),
        Some(_) | None => bytes.to_vec(),
    };
    let Some(range) = request.header("range") else {
        return Reply::bytes(200, "video/mp4", bytes).header("accept-ranges", "bytes");
    };
    let length = bytes.len();
    let invalid = || error(416, "InvalidRange", "The requested range is not satisfiable", "");
    let Some((first, last)) = range.strip_prefix("bytes=").and_then(|range| range.split_once('-')) else {
        return invalid();
    };
    let (first, last) = match (first.parse::<usize>(), last.parse::<usize>()) {
        (Ok(first), Ok(last)) => (first, last.saturating_add(1).min(length)),
        (Ok(first), Err(_)) => (first, length),
        (Err(_), Ok(suffix)) => (length.saturating_sub(suffix), length),
        (Err(_), Err(_)) => return invalid(),
    };
    let Some(part) = bytes.get(first..last).filter(|part| !part.is_empty()) else { return invalid() };
    let range = format!("bytes {first}-{}/{length}", last - 1);
    Reply::bytes(206, "video/mp4", part).header("accept-ranges", "bytes").header("content-range", range)
}

fn missing(key: &str) -> Reply {
    error(404, "NoSuchKey", "The specified key does not exist.", &format!("<Key>{key}</Key>"))
}

fn refused(request: &Recorded, refusal: Refusal, now: SystemTime) -> Reply {
    let unknown = "The AWS Access Key Id you provided does not exist in our records.";
    let mismatch = "The request signature we calculated does not match the signature you provided. Check your key and signing method.";
    match refusal {
        Refusal::Missing => error(403, "AccessDenied", "Access Denied", ""),
        Refusal::Incomplete(why) | Refusal::Scope(why) if is_presigned(request) => {
            error(400, "AuthorizationQueryParametersError", &why, "")
        }
        Refusal::Incomplete(why) | Refusal::Scope(why) => error(400, "AuthorizationHeaderMalformed", &why, ""),
        Refusal::UnknownKey => error(403, "InvalidAccessKeyId", unknown, ""),
        Refusal::ExpiredToken => error(400, "ExpiredToken", "The provided token has expired.", ""),
        Refusal::Time(_) if is_presigned(request) => error(403, "AccessDenied", "Request is not valid yet", ""),
        Refusal::Time(_) => {
            error(403, "RequestTimeTooSkewed", "The difference between the request time and the current time is too large.", "")
        }
        Refusal::ExpiredUrl(end) => expired(request, end, now),
        Refusal::Mismatch => error(403, "SignatureDoesNotMatch", mismatch, ""),
        Refusal::Payload => {
            error(400, "XAmzContentSHA256Mismatch", "The provided 'x-amz-content-sha256' header does not match what was computed.", "")
        }
    }
}

fn expired(request: &Recorded, end: SystemTime, now: SystemTime) -> Reply {
    let seconds = request.query_value("X-Amz-Expires").unwrap_or_default();
    let (end, now) = (iso(end), iso(now));
    let more = format!("<X-Amz-Expires>{seconds}</X-Amz-Expires><Expires>{end}</Expires><ServerTime>{now}</ServerTime>");
    error(403, "AccessDenied", "Request has expired", &more)
}

fn error(status: u16, code: &str, message: &str, more: &str) -> Reply {
    let head = r#"<?xml version="1.0" encoding="UTF-8"?>"#;
    let body = format!(
        "{head}\n<Error><Code>{code}</Code><Message>{message}</Message>{more}<RequestId>FAKE</RequestId><HostId>fake</HostId></Error>"
    );
    Reply::bytes(status, "application/xml", body)
}
