//! One file from a `multipart/form-data` body, with everything about it bounded.
//!
//! It must not know what the file is for. Bounds: bytes of the file and of the whole body, parts, bytes of a part's head (the reader's own
//! buffer of 64 KiB), and the time until the end. Other parts are read over. The invariant is that of [`crate::request_body`]: the answer
//! holds the body, so that a rest that nobody reads closes the connection.

use std::{
    cell::{Cell, RefCell},
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
    time::Duration,
};

use actix_multipart::{Multipart, MultipartError};
use actix_web::{
    HttpRequest, HttpResponse,
    error::PayloadError,
    http::header::{CONTENT_TYPE, HeaderName},
    web::{Bytes, Payload},
};
use futures_util::{Stream, StreamExt as _};
use generation::{field_error::shortened, given_picture};

use crate::{error::ApiError, picture_text, request_body::holding, uploads::UploadError};

/// What the parts' heads and the boundaries may take beside the file.
const OVERHEAD: usize = 256 << 10;
/// The most parts: a form has a few fields, and browsers add none.
const MAX_PARTS: usize = 16;

/// How much is taken, and for how long.
#[derive(Clone, Copy, Debug)]
pub struct FileLimits {
    /// Bytes of the file.
    pub bytes: usize,
    /// Until the end of the body.
    pub timeout: Duration,
}

/// A file as it was sent.
#[derive(Clone, Debug)]
pub struct SentFile {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// The media type that its sender gave it, as it was written; empty if none.
    pub declared: String,
    /// The `Content-Transfer-Encoding` that its sender gave it; empty if none.
    pub transfer_encoding: String,
}

impl SentFile {
    /// The bytes of the picture that it is. RFC 7578 has done away with transfer encodings, and of those that are still sent only base64
    /// changes bytes that are not text; what is a picture as it stands is none.
    pub(crate) fn picture(self) -> Vec<u8> {
        let is_base64 = self.transfer_encoding.trim().eq_ignore_ascii_case("base64") && !given_picture::is_picture(&self.bytes);
        let decoded = is_base64.then(|| picture_text::of_base64(&self.bytes).ok()).flatten();
        decoded.unwrap_or(self.bytes)
    }
}

/// A body that is not read yet, or not to its end.
pub struct MultipartBody(Rc<RefCell<Payload>>);

impl MultipartBody {
    /// Of a request.
    pub fn new(payload: Payload) -> Self {
        Self(Rc::new(RefCell::new(payload)))
    }

    /// Reads the body to its end, and gives the file of the part that has this name.
    ///
    /// # Errors
    /// 415 if the body is no multipart, 400 if it is malformed or has more than one such part, 413 over a limit, 408 if it takes too long,
    /// 422 if there is no such part.
    pub async fn read(&mut self, request: &HttpRequest, field: &'static str, limits: &FileLimits) -> Result<SentFile, ApiError> {
        let content_type = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let essence = content_type.split(';').next().unwrap_or_default().trim();
        if !essence.eq_ignore_ascii_case("multipart/form-data") {
            return Err(UploadError::NotMultipart(shortened(content_type).into_owned()).into());
        }
        let spent = Rc::new(Cell::new(false));
        let rest = limits.bytes.saturating_add(OVERHEAD);
        let body = Metered { payload: Rc::clone(&self.0), rest, spent: Rc::clone(&spent) };
        let reading = async {
            let read = read(Multipart::new(request.headers(), body), field, limits.bytes).await;
            // The reader says the same of a head that does not fit into its buffer, which is another fault.
            if spent.get() { Err(ApiError::BodyTooLarge { limit: limits.bytes }) } else { read }
        };
        match tokio::time::timeout(limits.timeout, reading).await {
            Ok(Ok(Some(file))) => {
                // What comes behind the last boundary counts for nothing, and is read so that the connection can be used again.
                let end = Metered { payload: Rc::clone(&self.0), rest: OVERHEAD, spent };
                let _unread = tokio::time::timeout(limits.timeout, end.for_each(|_| std::future::ready(()))).await;
                Ok(file)
            }
            Ok(Ok(None)) => Err(UploadError::NoSuchPart(field).into()),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(ApiError::BodyTooSlow { timeout: limits.timeout }),
        }
    }

    /// The answer, which holds this body until it is sent.
    pub fn held_by(self, answer: HttpResponse) -> HttpResponse {
        answer.map_body(|_, body| holding(body, self))
    }
}

async fn read(mut multipart: Multipart, field: &'static str, limit: usize) -> Result<Option<SentFile>, ApiError> {
    let mut found = None;
    let mut parts = 0;
    while let Some(part) = multipart.next().await {
        let mut part = part.map_err(refused)?;
        parts += 1;
        if parts > MAX_PARTS {
            return Err(UploadError::TooManyParts { limit: MAX_PARTS }.into());
        }
        if part.name() != Some(field) {
            while let Some(chunk) = part.next().await {
                chunk.map_err(refused)?;
            }
            continue;
        }
        if found.is_some() {
            return Err(UploadError::SamePart(field).into());
        }
        let header = |name: HeaderName| {
            part.headers().get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).unwrap_or_default()
        };
        let (declared, transfer_encoding) = (header(CONTENT_TYPE), header(HeaderName::from_static("content-transfer-encoding")));
        let mut bytes = Vec::new();
        while let Some(chunk) = part.next().await {
            let chunk = chunk.map_err(refused)?;
            if bytes.len() + chunk.len() > limit {
                return Err(ApiError::BodyTooLarge { limit });
            }
            bytes.extend_from_slice(&chunk);
        }
        found = Some(SentFile { bytes, declared, transfer_encoding });
    }
    Ok(found)
}

#[expect(clippy::wildcard_enum_match_arm, reason = "an enum of another crate, which may grow: whatever else is wrong is the sender's")]
fn refused(error: MultipartError) -> ApiError {
    match error {
        MultipartError::Payload(PayloadError::Overflow) => UploadError::Malformed("a line is too long".into()).into(),
        MultipartError::Payload(error) => ApiError::UnreadableBody(error.to_string()),
        error => UploadError::Malformed(error.to_string()).into(),
    }
}

/// The body, of which so many bytes more are taken.
struct Metered {
    payload: Rc<RefCell<Payload>>,
    rest: usize,
    /// Whether more was asked of it.
    spent: Rc<Cell<bool>>,
}

impl Stream for Metered {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.rest == 0 {
            self.spent.set(true);
            return Poll::Ready(Some(Err(PayloadError::Overflow)));
        }
        let polled = Pin::new(&mut *self.payload.borrow_mut()).poll_next(context);
        if let Poll::Ready(Some(Ok(chunk))) = &polled {
            self.rest = self.rest.saturating_sub(chunk.len());
        }
        polled
    }
}
