//! HEAD: the head of the answer that GET would have, `Content-Length` too, and no body.
//!
//! It must not know what the answer is. The invariants: no byte of the body is made (a file is not read, a stream of events is not begun);
//! what the body holds on to (a request's rest, a caller's place) is let go with the answer. actix leaves the bodies of HEAD's answers out
//! by itself, unless the next request has come already: so it is given none, and a head that is written out.

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

/// A body of which nothing is sent. To actix it is a stream without frames, of which it says nothing by itself.
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
