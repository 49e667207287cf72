//! The answer of `POST /api/v1/i2v`, as on the wire and in /openapi.json.

use serde::Serialize;
use utoipa::ToSchema;

/// The same for every accepted request.
const MESSAGE: &str = "Video generation pipeline initialized | ETA: 5-7 minutes";

/// The answer to an accepted request.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ImageToVideoResponse)]
pub(crate) struct Accepted {
    /// "Video generation pipeline initialized | ETA: 5-7 minutes".
    #[schema(example = "Video generation pipeline initialized | ETA: 5-7 minutes")]
    message: &'static str,
    /// The request's name: its `x-request-id`.
    #[schema(example = "8e03978e-40d5-43e8-bc93-6894a57f9324")]
    request_id: String,
}

impl Accepted {
    pub(crate) fn new(request_id: String) -> Self {
        Self { message: MESSAGE, request_id }
    }
}
