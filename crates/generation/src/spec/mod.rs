//! Requests as callers send them, and validated specs as backends read them.
//!
//! It must not know jobs or devices. Every kind of request takes the same path: `request` -> `validate` -> `spec`.

mod check;
pub(crate) mod choices;
pub mod field_error;
pub mod given_image;
pub mod image;
pub mod limits;
mod literal_prompt;
mod stored_image;
mod stored_joins;
mod stored_text;
pub mod upscale;
mod upscale_spec;
pub mod video;

pub(crate) use self::literal_prompt::{escaped, has_comment};
pub use self::upscale_spec::{UpscaleRequest, UpscaleSpec, UpscaledSize};
