//! BLIP, which writes captions: an image encoder, and a text decoder that attends to what it gives.
//!
//! It must not know words or searches. Our own and not candle-transformers' `models::blip`, which makes the picture's keys and values anew for
//! every token, hides its cache so that no beam search can reorder it, cannot run in half precision, and needs the tied output matrix in the
//! file; the crate's README has the list. Follows transformers models/blip.

mod config;
mod text;
mod vision;

pub use config::{BlipConfig, BlipTextConfig, BlipVisionConfig};
pub use text::{BlipCache, BlipImageContext, BlipTextDecoder};
pub use vision::BlipVisionModel;
