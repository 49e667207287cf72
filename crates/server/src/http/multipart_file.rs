//! Reads a `multipart/form-data` body, within bounds: one file of it, or all of its parts.
//!
//! It must not know what a file is for. Bounded are the size of the files and of the whole body, the number of parts, the size of a part's
//! headers (by the parser's own buffer of 64 KiB), and the total time. The invariant is that of `request_body`: the answer holds the body,
//! so that unread data closes the connection.

use std::{
    cell::{Cell, RefCell},
    fmt::Display,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
    time::Duration,
};

use actix_multipart::{Field, Multipart, MultipartError};
use actix_web::{
    HttpRequest, HttpResponse, ResponseError as _,
    error::PayloadError,
    http::{
        StatusCode,
        header::{CONTENT_TYPE, HeaderName},
    },
    web::{Bytes, Payload},
};
use futures_util::{Stream, StreamExt as _};
use generation::field_error::shortened;
use serde_json::Value;

use crate::http::{error_bodies::ValidationErrorDetail, problem::Problem, request_body::holding};

/// Bytes that part headers and boundaries may take beside the file.
const OVERHEAD: usize = 256 << 10;
/// The maximum number of parts around one file: a form has a few fields, and browsers add none.
const MAX_PARTS: usize = 16;
/// The maximum number of parts of a whole form: a field of a list or an object takes a part for each of its values.
const MAX_FORM_PARTS: usize = 128;

/// The limits of a file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FileLimits {
    /// Bytes of the file.
    pub(crate) bytes: usize,
    /// The time until the end of the body.
    pub(crate) timeout: Duration,
}

/// A file as it was sent.
#[derive(Clone, Debug)]
pub struct SentFile {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// The media type that its sender declared, verbatim; empty if none.
    pub declared: String,
    /// The `Content-Transfer-Encoding` that its sender declared; empty if none.
    pub transfer_encoding: String,
}

/// A part of a form.
#[derive(Clone, Debug)]
pub(crate) struct FormPart {
    /// The field's name.
    pub(crate) name: String,
    /// A part with a file name, or of another type than text, is a file.
    pub(crate) is_file: bool,
    /// What it contains.
    pub(crate) sent: SentFile,
}

/// A body that is not read yet, or not to its end.
pub(crate) struct MultipartBody(Rc<RefCell<Payload>>);

impl MultipartBody {
    /// The body of a request.
    pub(crate) fn new(payload: Payload) -> Self {
        Self(Rc::new(RefCell::new(payload)))
    }

    /// Reads the body to its end, and returns the file of the part with this name.
    ///
    /// # Errors
    /// 415 if the body is not multipart, 400 if it is malformed or has more than one such part, 413 over a limit, 408 if it takes too long,
    /// 422 if there is no such part.
    pub(crate) async fn read(&mut self, request: &HttpRequest, field: &'static str, limits: &FileLimits) -> Result<SentFile, Problem> {
        self.read_parts(request, limits, async |multipart| read(multipart, field, limits.bytes).await?.ok_or_else(|| no_such_part(field)))
            .await
    }

    /// Reads the body to its end, and returns all of its parts in their order.
    ///
    /// # Errors
    /// 415 if the body is not multipart, 400 if it is malformed or has too many parts, 413 over a limit, 408 if it takes too long.
    pub(crate) async fn read_form(&mut self, request: &HttpRequest, limits: &FileLimits) -> Result<Vec<FormPart>, Problem> {
        self.read_parts(request, limits, async |multipart| form(multipart, limits.bytes).await).await
    }

    async fn read_parts<T>(
        &mut self,
        request: &HttpRequest,
        limits: &FileLimits,
        read: impl AsyncFnOnce(Multipart) -> Result<T, Problem>,
    ) -> Result<T, Problem> {
        if !is_form(request) {
            let content_type = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
            let sent = shortened(content_type);
            return Err(Problem::unsupported_media_type(format!(
                "Unsupported Media Type: send the file as multipart/form-data, not {sent}"
            )));
        }
        let spent = Rc::new(Cell::new(false));
        let rest = limits.bytes.saturating_add(OVERHEAD);
        let body = Metered { payload: Rc::clone(&self.0), rest, spent: Rc::clone(&spent) };
        let reading = async {
            let read = read(Multipart::new(request.headers(), body)).await;
            // The parser reports the same error for part headers that overflow its buffer, which is another fault.
            if spent.get() { Err(Problem::body_too_large(limits.bytes)) } else { read }
        };
        match tokio::time::timeout(limits.timeout, reading).await {
            Ok(Ok(read)) => {
                // Data after the last boundary is ignored, but read, so that the connection can be reused.
                let end = Metered { payload: Rc::clone(&self.0), rest: OVERHEAD, spent };
                let _unread = tokio::time::timeout(limits.timeout, end.for_each(|_| std::future::ready(()))).await;
                Ok(read)
            }
            Ok(Err(error)) => Err(error),
            Err(_) => Err(Problem::body_too_slow(limits.timeout)),
        }
    }

    /// The answer, which holds this body until it is sent.
    pub(crate) fn held_by(self, answer: Result<HttpResponse, Problem>) -> HttpResponse {
        answer.unwrap_or_else(|problem| problem.error_response()).map_body(|_, body| holding(body, self))
    }
}

async fn read(mut multipart: Multipart, field: &'static str, limit: usize) -> Result<Option<SentFile>, Problem> {
    let mut found = None;
    let mut parts = 0;
    while let Some(part) = multipart.next().await {
        let mut part = part.map_err(refused)?;
        parts += 1;
        if parts > MAX_PARTS {
            return Err(malformed(format_args!("more than {MAX_PARTS} parts")));
        }
        if part.name() != Some(field) {
            while let Some(chunk) = part.next().await {
                chunk.map_err(refused)?;
            }
            continue;
        }
        if found.is_some() {
            return Err(malformed(format_args!("more than one file named {field}")));
        }
        found = Some(sent(&mut part, limit, limit).await?);
    }
    Ok(found)
}

async fn form(mut multipart: Multipart, limit: usize) -> Result<Vec<FormPart>, Problem> {
    let (mut parts, mut left) = (Vec::new(), limit);
    while let Some(part) = multipart.next().await {
        let mut part = part.map_err(refused)?;
        if parts.len() == MAX_FORM_PARTS {
            return Err(malformed(format_args!("more than {MAX_FORM_PARTS} parts")));
        }
        let name = part.name().unwrap_or_default().to_owned();
        let has_file_name = part.content_disposition().is_some_and(|disposition| disposition.get_filename().is_some());
        let sent = sent(&mut part, left, limit).await?;
        left -= sent.bytes.len();
        let is_file = has_file_name || !(sent.declared.is_empty() || sent.declared.starts_with("text/"));
        parts.push(FormPart { name, is_file, sent });
    }
    Ok(parts)
}

/// Whether a request's body is declared as a form.
pub(crate) fn is_form(request: &HttpRequest) -> bool {
    let content_type = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    content_type.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("multipart/form-data")
}

/// The contents of a part, of which `left` bytes may be there; the error names the form's `limit`.
async fn sent(part: &mut Field, left: usize, limit: usize) -> Result<SentFile, Problem> {
    let header =
        |name: HeaderName| part.headers().get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).unwrap_or_default();
    let (declared, transfer_encoding) = (header(CONTENT_TYPE), header(HeaderName::from_static("content-transfer-encoding")));
    let mut bytes = Vec::new();
    while let Some(chunk) = part.next().await {
        let chunk = chunk.map_err(refused)?;
        if bytes.len() + chunk.len() > left {
            return Err(Problem::body_too_large(limit));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(SentFile { bytes, declared, transfer_encoding })
}

fn malformed(reason: impl Display) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "malformed_multipart", format!("Malformed multipart body: {reason}"))
}

fn no_such_part(field: &'static str) -> Problem {
    let (kind, msg) = ("missing".to_owned(), "Field required".to_owned());
    Problem::invalid(vec![ValidationErrorDetail { kind, loc: vec!["body".into(), field.into()], msg, input: Value::Null, ctx: None }])
}

#[expect(clippy::wildcard_enum_match_arm, reason = "an enum of another crate, which may grow: all other errors are the sender's fault")]
fn refused(error: MultipartError) -> Problem {
    match error {
        MultipartError::Payload(PayloadError::Overflow) => malformed("a line is too long"),
        MultipartError::Payload(error) => Problem::unreadable_body(error),
        error => malformed(error),
    }
}

/// A body with a limit on the remaining bytes.
struct Metered {
    payload: Rc<RefCell<Payload>>,
    rest: usize,
    /// Set if more was read than the limit allows.
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
