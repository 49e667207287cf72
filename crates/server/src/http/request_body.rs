//! Request bodies: reading them within a length and a time, and handling an unread rest.
//!
//! After an answer is sent, actix reads the rest of a chunked body for as long as the client keeps sending it, unless something still holds
//! that body: then it closes the connection. So the answer holds the body; that is the invariant here. A body that was read to its end is
//! no obstacle: its connection is reused.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use actix_web::{
    HttpRequest, HttpResponse, ResponseError as _,
    body::{BodySize, BodyStream, BoxBody, MessageBody, to_bytes_limited},
    http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, TRANSFER_ENCODING},
    web::{self, Bytes, Payload},
};
use generation::field_error::shortened;

use crate::http::problem::Problem;

/// Bodies up to this size are parsed or hashed inline: that takes a tenth of a millisecond or two.
const INLINE_BYTES: usize = 64 << 10;

/// A body that is not read yet, or not to its end.
pub(crate) struct RequestBody(Pin<Box<BodyStream<Payload>>>);

impl RequestBody {
    pub(crate) fn new(payload: Payload) -> Self {
        Self(Box::pin(BodyStream::new(payload)))
    }

    /// Reads the body to its end, at most `limit` bytes and within `timeout`: a slow body would hold its connection forever.
    pub(crate) async fn read(&mut self, limit: usize, timeout: Duration) -> Result<Bytes, Problem> {
        match tokio::time::timeout(timeout, to_bytes_limited(&mut self.0, limit)).await {
            Ok(Ok(Ok(bytes))) => Ok(bytes),
            Ok(Ok(Err(error))) => Err(Problem::unreadable_body(error)),
            Ok(Err(_)) => Err(Problem::body_too_large(limit)),
            Err(_) => Err(Problem::body_too_slow(timeout)),
        }
    }

    /// Reads the body to its end as [`Self::read`] does, and keeps nothing of it.
    pub(crate) async fn discard(&mut self, limit: usize, timeout: Duration) -> Result<(), Problem> {
        let reading = async {
            let mut bytes = 0_usize;
            while let Some(chunk) = std::future::poll_fn(|context| self.0.as_mut().poll_next(context)).await {
                bytes = bytes.saturating_add(chunk.map_err(Problem::unreadable_body)?.len());
                if bytes > limit {
                    return Err(Problem::body_too_large(limit));
                }
            }
            Ok(())
        };
        tokio::time::timeout(timeout, reading).await.unwrap_or_else(|_| Err(Problem::body_too_slow(timeout)))
    }

    /// The answer, which holds this body until it is sent.
    pub(crate) fn held_by(self, answer: Result<HttpResponse, Problem>) -> HttpResponse {
        answer.unwrap_or_else(|problem| problem.error_response()).map_body(|_, body| holding(body, self))
    }
}

/// Refuses a body that is declared as something other than JSON. A body without a type counts as JSON. Other types must be refused, because
/// any web page can send them without a CORS preflight.
pub(crate) fn check_type(request: &HttpRequest) -> Result<(), Problem> {
    let Some(content_type) = request.headers().get(CONTENT_TYPE) else { return Ok(()) };
    let text = content_type.to_str().unwrap_or_default();
    let essence = text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json")) {
        Ok(())
    } else {
        Err(Problem::unsupported_media_type(format!("Unsupported Media Type: send the body as application/json, not {}", shortened(text))))
    }
}

/// The length of a body, if its headers determine it.
pub(crate) fn announced(head: &HeaderMap) -> Option<usize> {
    match head.get(CONTENT_LENGTH) {
        // actix has already refused an invalid length.
        Some(length) => Some(length.to_str().ok().and_then(|text| text.trim().parse().ok()).unwrap_or(usize::MAX)),
        // Neither a length nor chunks: there is no body.
        None if !head.contains_key(TRANSFER_ENCODING) => Some(0),
        None => None,
    }
}

/// Runs `work` on a body of this many bytes: inline if it is short, otherwise on a blocking thread.
pub(crate) async fn offload<T: Send + 'static>(bytes: usize, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Problem> {
    if bytes <= INLINE_BYTES { Ok(work()) } else { Ok(web::block(work).await?) }
}

/// An answer's body that holds a value until it is sent or dropped.
pub(crate) fn holding<T: 'static>(body: BoxBody, held: T) -> BoxBody {
    BoxBody::new(Answer { body, _held: Box::new(held) })
}

struct Answer {
    body: BoxBody,
    _held: Box<dyn std::any::Any>,
}

impl MessageBody for Answer {
    type Error = <BoxBody as MessageBody>::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Pin::new(&mut self.body).poll_next(context)
    }
}
