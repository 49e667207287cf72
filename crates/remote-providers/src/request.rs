//! What a provider is asked for: plain data that a store keeps and every provider reads.
//!
//! It must not know any provider's own format.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use serde_json::{Map, Value};

/// A video to be made. Fields that a provider has no word for are refused by its [`check`](crate::Provider::check) if they change what the
/// caller gets, and ignored otherwise.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct VideoRequest {
    /// What the video shows; empty where the provider takes an image alone.
    pub prompt: String,
    /// What it should not show.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub negative_prompt: Option<String>,
    /// The first frame.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<InputImage>,
    /// The last frame.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_image: Option<InputImage>,
    /// Shots that each have a text; empty for a video of one prompt.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shots: Vec<Shot>,
    /// Length in seconds; `None` is the provider's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<u32>,
    /// (width, height) in pixels; `None` is the provider's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<(u32, u32)>,
    /// Frames in a second; `None` is the provider's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fps: Option<u32>,
    /// The noise's seed; `None` leaves it to the provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// The provider's own parameters, under its own names.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub options: Map<String, Value>,
}

/// One shot of a video of several.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Shot {
    /// What it shows.
    pub text: String,
    /// Its first frame.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<InputImage>,
}

/// The format of an image's file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ImageFormat {
    /// PNG.
    Png,
    /// JPEG.
    Jpeg,
}

impl ImageFormat {
    /// Its media type: "image/png" or "image/jpeg".
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Png => "image/png",
            Self::Jpeg => "image/jpeg",
        }
    }

    /// Its name: "png" or "jpeg".
    pub const fn name(self) -> &'static str {
        match self {
            Self::Png => "png",
            Self::Jpeg => "jpeg",
        }
    }
}

/// An image as a file.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct InputImage {
    /// The file. A store keeps it as base64.
    #[serde(serialize_with = "to_base64", deserialize_with = "from_base64")]
    pub bytes: Vec<u8>,
    /// Its format.
    pub format: ImageFormat,
    /// Where the caller said that it lies, for providers that fetch images themselves; public, http or https.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_url: Option<String>,
}

impl InputImage {
    /// The file in base64.
    pub fn base64(&self) -> String {
        STANDARD.encode(&self.bytes)
    }

    /// The file as a data URL.
    pub fn data_url(&self) -> String {
        format!("data:{};base64,{}", self.format.media_type(), self.base64())
    }

    /// Where it lies, or the file itself as a data URL.
    pub fn url(&self) -> String {
        self.source_url.clone().unwrap_or_else(|| self.data_url())
    }

    /// Nothing. For checks, which build a body and drop it: encoding megabytes would be wasted.
    pub(crate) fn left_out(&self) -> String {
        String::new()
    }
}

impl fmt::Debug for InputImage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InputImage").field("bytes", &self.bytes.len()).field("format", &self.format).finish_non_exhaustive()
    }
}

fn to_base64<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&STANDARD.encode(bytes))
}

fn from_base64<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    let text = String::deserialize(deserializer)?;
    STANDARD.decode(text).map_err(D::Error::custom)
}
