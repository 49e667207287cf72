//! Requests that offer another protocol (`Upgrade: websocket`, `h2c`): this server supports none, and answers in HTTP/1.1 (RFC 9110, 7.8).
//!
//! actix treats the body of a request with `Upgrade: websocket` as a stream that ends with its connection, whatever `Content-Length` says,
//! and would frame a streamed answer to it wrongly. The invariants: a body has the length that its headers declare; the connection closes
//! after the answer, so that data after the body is taken neither for a part of it nor for another request.

use actix_web::{
    Error, HttpMessage as _,
    body::MessageBody,
    dev::{Payload, ServiceRequest, ServiceResponse},
    error::PayloadError,
    http::{
        ConnectionType,
        header::{HeaderMap, UPGRADE},
    },
    middleware::Next,
    web::Bytes,
};
use futures_util::{Stream, StreamExt as _, stream};

use crate::http::request_body::announced;

/// The middleware.
pub(crate) async fn decline(mut request: ServiceRequest, next: Next<impl MessageBody>) -> Result<ServiceResponse<impl MessageBody>, Error> {
    // A client may send `Connection: upgrade` even without `Upgrade`; it must not be echoed.
    if !request.headers().contains_key(UPGRADE) && !request.head().upgrade() {
        return next.call(request).await;
    }
    let length = announced(request.headers());
    if let Some(length) = length {
        let payload = request.take_payload();
        request.set_payload(Payload::Stream { payload: Box::pin(first_bytes(payload, length)) });
    }
    let is_endless = length.is_some() && offers_websocket(request.headers());
    let mut response = next.call(request).await?;
    let head = response.response_mut().head_mut();
    head.set_connection_type(ConnectionType::Close);
    if is_endless {
        // An answer of unknown length ends with the connection.
        head.no_chunking(true);
    }
    Ok(response)
}

/// Whether actix treats the body as a stream.
fn offers_websocket(headers: &HeaderMap) -> bool {
    headers.get_all(UPGRADE).any(|protocol| protocol.as_bytes().trim_ascii().eq_ignore_ascii_case(b"websocket"))
}

/// The first `length` bytes of a body; fewer are an error.
fn first_bytes(payload: Payload, length: usize) -> impl Stream<Item = Result<Bytes, PayloadError>> {
    stream::try_unfold((payload, length), |(mut payload, left)| async move {
        if left == 0 {
            return Ok(None);
        }
        let mut bytes = payload.next().await.ok_or(PayloadError::Incomplete(None))??;
        bytes.truncate(left);
        let left = left - bytes.len();
        Ok(Some((bytes, (payload, left))))
    })
}
