//! BLIP image captioning: an image encoder, and a text decoder that attends to its output.
//!
//! This module must not depend on tokenization or search. It replaces candle-transformers' `models::blip`, which recomputes the image's
//! keys and values for every token, hides its cache so that no beam search can reorder it, cannot run in half precision, and needs the tied
//! output matrix in the file; the crate's README has the list. Follows transformers models/blip.

mod config;
mod text;
mod vision;

pub use config::{BlipConfig, BlipTextConfig, BlipVisionConfig};
pub use text::{BlipCache, BlipImageContext, BlipTextDecoder};
pub use vision::BlipVisionModel;
