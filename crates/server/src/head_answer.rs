//! HEAD: the head of the answer that GET would have, `Content-Length` too, and no body.
//!
//! It must not know what the answer is. The invariant: no byte of the body is made (a file is not read, a stream of events is not begun);
//! what the body holds on to (a request's rest, a caller's place) is let go with the answer.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use actix_web::{
    Error,
    body::{BodySize, BoxBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::Method,
    middleware::Next,
    web::Bytes,
};

/// The middleware.
pub(crate) async fn leave_body_out(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let is_head = request.method() == Method::HEAD;
    let response = next.call(request).await?;
    Ok(response.map_body(|_, body| if is_head { BoxBody::new(LeftOut(body.boxed())) } else { body.boxed() }))
}

/// A body of which only the size is told.
struct LeftOut(BoxBody);

impl MessageBody for LeftOut {
    type Error = <BoxBody as MessageBody>::Error;

    fn size(&self) -> BodySize {
        self.0.size()
    }

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Poll::Ready(None)
    }
}
