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
    HttpResponse,
    body::{BodySize, BodyStream, BoxBody, MessageBody, to_bytes_limited},
    web::{Bytes, Payload},
};

use crate::error::ApiError;

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

    /// The answer, which holds this body until it is sent.
    pub(crate) fn held_by(self, answer: HttpResponse) -> HttpResponse {
        answer.map_body(|_, body| holding(body, self))
    }
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
