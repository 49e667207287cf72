//! What is kept with a video of a character, for its later answers.

use serde::{Deserialize, Serialize};

use crate::http::request_notes::IgnoredField;

/// A character's metadata.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct CharacterMetadata {
    /// What the caller called this server: messages to a callback have no request of their own to tell it by.
    pub(crate) base_url: String,
    pub(crate) character_image_url: String,
    pub(crate) script: String,
    pub(crate) duration: u32,
    pub(crate) quality: String,
    pub(crate) script_used: bool,
    pub(crate) notes: Vec<String>,
    pub(crate) seed: Option<u64>,
    #[serde(default)]
    /// Whether a service was to make it: one that a service makes all the same has overflowed to it.
    pub(crate) by_service: bool,
    #[serde(default)]
    pub(crate) ignored_fields: Vec<IgnoredField>,
}
