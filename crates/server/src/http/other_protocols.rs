//! Requests that offer another protocol (`Upgrade: websocket`, `h2c`): this server speaks none, and answers in HTTP/1.1 (RFC 9110, 7.8).
//!
//! actix takes the body of a request with `Upgrade: websocket` for a stream that ends with its connection, whatever `Content-Length` says,
//! and would frame a streamed answer to it wrongly. The invariants: a body is as long as its head says; the connection closes behind the
//! answer, so that nothing behind the body is taken for a part of it or for another request.

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
    // Without the header `Upgrade`, too, a client may say `Connection: upgrade`, which is not to be told back to it.
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
        // Of no length, an answer ends with the connection.
        head.no_chunking(true);
    }
    Ok(response)
}

/// Whether actix takes the body for a stream.
fn offers_websocket(headers: &HeaderMap) -> bool {
    headers.get_all(UPGRADE).any(|protocol| protocol.as_bytes().trim_ascii().eq_ignore_ascii_case(b"websocket"))
}

/// So many bytes of a body, which must be there.
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
