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
    HttpRequest, HttpResponse,
    body::{BodySize, BodyStream, BoxBody, MessageBody, to_bytes_limited},
    http::header::{CONTENT_LENGTH, HeaderMap, TRANSFER_ENCODING},
    web::{self, Bytes, Payload},
};

use crate::{access::Caller, app::ApiState, error::ApiError, idempotency::IDEMPOTENCY_KEY, request_memory::HeldMemory};

/// Bytes whose reading, as JSON or for a digest, holds up nobody: a tenth of a millisecond or two.
const IN_PASSING: usize = 64 << 10;

/// A body that is not read yet, or not to its end.
pub(crate) struct RequestBody(Pin<Box<BodyStream<Payload>>>);

impl RequestBody {
    pub(crate) fn new(payload: Payload) -> Self {
        Self(Box::pin(BodyStream::new(payload)))
    }

    /// Reads it to its end, of at most `limit` bytes and within `timeout`: one that trickles in would hold its connection for ever.
    pub(crate) async fn read(&mut self, limit: usize, timeout: Duration) -> Result<Bytes, ApiError> {
        match tokio::time::timeout(timeout, to_bytes_limited(&mut self.0, limit)).await {
            Ok(Ok(Ok(bytes))) => Ok(bytes),
            Ok(Ok(Err(error))) => Err(ApiError::UnreadableBody(error.to_string())),
            Ok(Err(_)) => Err(ApiError::BodyTooLarge { limit }),
            Err(_) => Err(ApiError::BodyTooSlow { timeout }),
        }
    }

    /// Reads one that carries a picture, of at most `state.picture_body_limit` bytes, and gives the memory that it was given: to be held
    /// until the picture is a part of a job. One that is long is not read for a caller whose job would not be taken; a request with a
    /// name of its own may be answered all the same, so it is read.
    pub(crate) async fn read_large(
        &mut self,
        request: &HttpRequest,
        caller: &Caller,
        state: &ApiState,
    ) -> Result<(Bytes, HeldMemory), ApiError> {
        let limit = state.picture_body_limit;
        if announced(request.headers()).unwrap_or(limit) > state.body_limit && !request.headers().contains_key(IDEMPOTENCY_KEY) {
            state.engine.check_room(&caller.owner)?;
        }
        let mut held = memory_for(request, limit, state).await?;
        let bytes = self.read(limit, state.body_timeout).await?;
        held.shrink_to(bytes.len());
        Ok((bytes, held))
    }

    /// The answer, which holds this body until it is sent.
    pub(crate) fn held_by(self, answer: HttpResponse) -> HttpResponse {
        answer.map_body(|_, body| holding(body, self))
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

/// Memory for a body of which at most `most` bytes are read; one that is no longer than any body may be needs none.
///
/// # Errors
/// 503 if there is none for as long as a body may take to arrive.
pub(crate) async fn memory_for(request: &HttpRequest, most: usize, state: &ApiState) -> Result<HeldMemory, ApiError> {
    let bytes = announced(request.headers()).map_or(most, |announced| announced.min(most));
    if bytes <= state.body_limit { Ok(HeldMemory::default()) } else { state.memory.take(bytes, state.body_timeout).await }
}

/// Does work on so many bytes of a body: on this thread if it takes but a moment, else on one that may take its time.
pub(crate) async fn aside<T: Send + 'static>(bytes: usize, work: impl FnOnce() -> T + Send + 'static) -> Result<T, ApiError> {
    if bytes <= IN_PASSING { Ok(work()) } else { web::block(work).await.map_err(|_| ApiError::Internal) }
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
