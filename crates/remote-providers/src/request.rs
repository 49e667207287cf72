//! A provider-independent video request: plain data that stores keep and every provider reads.
//!
//! It must not know any provider's own format.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use serde_json::{Map, Value};

/// A request for a video. Fields that a provider does not support are refused by its [`check`](crate::Provider::check) if they change the
/// result, and ignored otherwise.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct VideoRequest {
    /// The prompt; may be empty if the provider accepts an image alone.
    pub prompt: String,
    /// What the video should not show.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub negative_prompt: Option<String>,
    /// The first frame.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<InputImage>,
    /// The last frame.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_image: Option<InputImage>,
    /// Shots with their own texts; empty for a video with one prompt.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shots: Vec<Shot>,
    /// Length in seconds; `None` means the provider's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<u32>,
    /// (width, height) in pixels; `None` means the provider's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<(u32, u32)>,
    /// Frames per second; `None` means the provider's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fps: Option<u32>,
    /// The random seed; `None` leaves it to the provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// The provider's own parameters, under its own names.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub options: Map<String, Value>,
}

/// One shot of a multi-shot video.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Shot {
    /// What it shows.
    pub text: String,
    /// Its first frame.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<InputImage>,
}

/// The file format of an image.
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

/// An image file.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct InputImage {
    /// The file's content. A store keeps it as base64.
    #[serde(serialize_with = "to_base64", deserialize_with = "from_base64")]
    pub bytes: Vec<u8>,
    /// Its format.
    pub format: ImageFormat,
    /// The caller's URL of the image, for providers that fetch images themselves; public, http or https.
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

    /// The caller's URL, or else the file as a data URL.
    pub fn url(&self) -> String {
        self.source_url.clone().unwrap_or_else(|| self.data_url())
    }

    /// An empty text, for checks that build a body and drop it: encoding megabytes would be wasted.
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
