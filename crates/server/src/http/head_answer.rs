//! HEAD: the headers of the answer to GET, including `Content-Length`, without a body.
//!
//! It must not know what the answer is. The invariants: no byte of the body is produced (no file is read, no event stream is started); the
//! body's resources (the rest of the request, a caller's permit) are released with the answer. actix drops the bodies of HEAD answers
//! itself, except when the next request has already arrived; so the body is replaced here, and the length headers are written explicitly.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use actix_web::{
    Error,
    body::{BodySize, BoxBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::{
        Method,
        header::{CONTENT_LENGTH, HeaderValue, TRANSFER_ENCODING},
    },
    middleware::Next,
    web::Bytes,
};

/// The middleware.
pub(crate) async fn leave_body_out(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let is_head = request.method() == Method::HEAD;
    let mut response = next.call(request).await?.map_into_boxed_body();
    if !is_head {
        return Ok(response);
    }
    let (name, value) = match response.response().body().size() {
        BodySize::None | BodySize::Sized(0) => return Ok(response),
        BodySize::Sized(length) => (CONTENT_LENGTH, HeaderValue::from(length)),
        BodySize::Stream => (TRANSFER_ENCODING, HeaderValue::from_static("chunked")),
    };
    response.headers_mut().insert(name, value);
    response.response_mut().head_mut().no_chunking(true);
    Ok(response.map_body(|_, body| BoxBody::new(LeftOut { _body: body })))
}

/// A body that sends nothing. To actix it is an empty stream, for which it adds no headers of its own.
struct LeftOut {
    _body: BoxBody,
}

impl MessageBody for LeftOut {
    type Error = <BoxBody as MessageBody>::Error;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Poll::Ready(None)
    }
}
