//! The stored metadata of a character video, for later answers.

use serde::{Deserialize, Serialize};

use crate::http::request_notes::IgnoredField;

/// A character video's metadata.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct CharacterMetadata {
    /// The base URL of the request: a callback has no request to derive it from.
    pub(crate) base_url: String,
    pub(crate) character_image_url: String,
    pub(crate) script: String,
    pub(crate) duration: u32,
    pub(crate) quality: String,
    pub(crate) script_used: bool,
    pub(crate) notes: Vec<String>,
    pub(crate) seed: Option<u64>,
    #[serde(default)]
    /// Whether it was submitted to a provider. If not, a video that a provider makes is an overflow.
    pub(crate) by_service: bool,
    #[serde(default)]
    pub(crate) ignored_fields: Vec<IgnoredField>,
}
