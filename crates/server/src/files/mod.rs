//! Files that untrusted callers name or send, and files that jobs made.
//!
//! It must not know who asks. The invariant: only [`generation::sandbox`] opens a name from outside.

pub(crate) mod artifacts;
pub(crate) mod decoding;
pub(crate) mod file_schemas;
pub(crate) mod first_frame;
pub(crate) mod image_text;
pub mod secret_file;
pub mod thumbnails;
pub mod uploads;
pub(crate) mod zip_stream;

use actix_web::http::StatusCode;
use generation::{jobs::DiskFault, sandbox::SandboxError};

pub(crate) use self::{
    file_schemas::{JpegFile, Mp4File, PngFile, WebPFile},
    uploads::UploadError,
};
use crate::http::Problem;

/// For clients all errors except an unreadable file are the same: there is no such file.
impl From<SandboxError> for Problem {
    fn from(error: SandboxError) -> Self {
        match error {
            SandboxError::Name | SandboxError::Missing | SandboxError::NotAFile => Self::not_found(),
            SandboxError::Io(error) => {
                tracing::error!(%error, "a stored file cannot be read");
                let fault = DiskFault::of_io(&error);
                Self::disk(fault, format!("The file cannot be read: {fault}"))
            }
        }
    }
}

impl From<UploadError> for Problem {
    fn from(error: UploadError) -> Self {
        let message = error.to_string();
        match error {
            UploadError::DeclaredOtherwise(_) | UploadError::NotAImage(_) => Self::new(StatusCode::BAD_REQUEST, "not_an_image", message),
            UploadError::TooMuch { .. } => Self::new(StatusCode::PAYLOAD_TOO_LARGE, "upload_too_large", message),
            UploadError::Store(error) => {
                tracing::error!(%error, "an upload cannot be stored");
                Self::disk(DiskFault::of_io(&error), message)
            }
            UploadError::Internal => Self::internal(),
        }
    }
}
