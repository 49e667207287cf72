//! The body of a request as it comes in, up to a length and in time, and what becomes of a rest that nobody reads.
//!
//! Once an answer is sent, actix reads the rest of a chunked body off the connection for as long as the client cares to send it, unless
//! somebody still holds that body: then it closes the connection. So the answer holds it, which is the invariant here. A body that was
//! read to its end is no obstacle: its connection is used again.

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

/// Bytes whose reading, as JSON or for a digest, holds up nobody: a tenth of a millisecond or two.
const IN_PASSING: usize = 64 << 10;

/// A body that is not read yet, or not to its end.
pub(crate) struct RequestBody(Pin<Box<BodyStream<Payload>>>);

impl RequestBody {
    pub(crate) fn new(payload: Payload) -> Self {
        Self(Box::pin(BodyStream::new(payload)))
    }

    /// Reads it to its end, of at most `limit` bytes and within `timeout`: one that trickles in would hold its connection for ever.
    pub(crate) async fn read(&mut self, limit: usize, timeout: Duration) -> Result<Bytes, Problem> {
        match tokio::time::timeout(timeout, to_bytes_limited(&mut self.0, limit)).await {
            Ok(Ok(Ok(bytes))) => Ok(bytes),
            Ok(Ok(Err(error))) => Err(Problem::unreadable_body(error)),
            Ok(Err(_)) => Err(Problem::body_too_large(limit)),
            Err(_) => Err(Problem::body_too_slow(timeout)),
        }
    }

    /// The answer, which holds this body until it is sent.
    pub(crate) fn held_by(self, answer: Result<HttpResponse, Problem>) -> HttpResponse {
        answer.unwrap_or_else(|problem| problem.error_response()).map_body(|_, body| holding(body, self))
    }
}

/// Refuses a body that is announced as something other than JSON. One without a type is taken for JSON; another type is refused, or any
/// web page could send one without the browser asking us.
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

/// How long a body will be, if its head says so.
pub(crate) fn announced(head: &HeaderMap) -> Option<usize> {
    match head.get(CONTENT_LENGTH) {
        // actix has refused a length that is none.
        Some(length) => Some(length.to_str().ok().and_then(|text| text.trim().parse().ok()).unwrap_or(usize::MAX)),
        // Neither a length nor chunks: there is no body.
        None if !head.contains_key(TRANSFER_ENCODING) => Some(0),
        None => None,
    }
}

/// Does work on so many bytes of a body: on this thread if it takes but a moment, else on one that may take its time.
pub(crate) async fn aside<T: Send + 'static>(bytes: usize, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Problem> {
    if bytes <= IN_PASSING { Ok(work()) } else { Ok(web::block(work).await?) }
}

/// An answer's body that holds something until it is sent or given up.
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
