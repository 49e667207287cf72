//! The kinds of files that are signed.
//!
//! It must not know how: c2pa's handler of each format does.

use std::path::Path;

/// The format of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MediaFormat {
    /// PNG, animated or not.
    Png,
    /// JPEG.
    Jpeg,
    /// WebP, animated or not.
    WebP,
    /// GIF.
    Gif,
    /// MP4.
    Mp4,
    /// WebM, whose manifest is a file beside it: no specification says where it would be inside.
    WebM,
}

impl MediaFormat {
    /// Every format.
    pub const ALL: [Self; 6] = [Self::Png, Self::Jpeg, Self::WebP, Self::Gif, Self::Mp4, Self::WebM];

    /// Its media type.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Png => "image/png",
            Self::Jpeg => "image/jpeg",
            Self::WebP => "image/webp",
            Self::Gif => "image/gif",
            Self::Mp4 => "video/mp4",
            Self::WebM => "video/webm",
        }
    }

    /// Whether the manifest is inside the file, rather than beside it.
    pub const fn embeds(self) -> bool {
        match self {
            Self::Png | Self::Jpeg | Self::WebP | Self::Gif | Self::Mp4 => true,
            Self::WebM => false,
        }
    }

    /// The format of a file with this name, by its ending; `None` if it is none of these.
    pub fn of_path(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "png" | "apng" => Some(Self::Png),
            "jpg" | "jpeg" => Some(Self::Jpeg),
            "webp" => Some(Self::WebP),
            "gif" => Some(Self::Gif),
            "mp4" | "m4v" => Some(Self::Mp4),
            "webm" => Some(Self::WebM),
            _ => None,
        }
    }
}
