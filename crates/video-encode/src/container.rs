//! The container formats, and the choice of one by a path.
//!
//! Plain values; a path is only checked for an existing folder.

use std::{fmt, path::Path, str::FromStr};

use crate::{Error, Result, settings::named};

/// The container format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Container {
    /// MP4 with its index in front, so that it plays while it loads.
    Mp4,
    /// WebM: VP9 or AV1.
    WebM,
    /// Animated GIF that loops forever, with a palette for each frame.
    Gif,
    /// Animated WebP that loops forever.
    WebP,
    /// Animated PNG that loops forever, lossless.
    Apng,
    /// A folder of `frame-000000.png`, `frame-000001.png`, ...
    PngFolder,
}

impl Container {
    /// All formats.
    pub const ALL: [Self; 6] = [Self::Mp4, Self::WebM, Self::Gif, Self::WebP, Self::Apng, Self::PngFolder];

    /// By the extension: `.mp4` or `.m4v`, `.webm`, `.gif`, `.webp`, `.png` or `.apng`. A path that ends in a separator, is a folder, or
    /// has no extension is a folder of PNG files.
    ///
    /// # Errors
    /// [`Error::UnknownExtension`] for any other extension.
    pub fn from_path(path: &Path) -> Result<Self> {
        let ends_in_separator = path.as_os_str().as_encoded_bytes().last().is_some_and(|byte| std::path::is_separator(char::from(*byte)));
        let Some(ending) = path.extension().filter(|_| !ends_in_separator && !path.is_dir()) else { return Ok(Self::PngFolder) };
        match ending.to_ascii_lowercase().to_str() {
            Some("mp4" | "m4v") => Ok(Self::Mp4),
            Some("webm") => Ok(Self::WebM),
            Some("gif") => Ok(Self::Gif),
            Some("webp") => Ok(Self::WebP),
            Some("png" | "apng") => Ok(Self::Apng),
            _ => Err(Error::UnknownExtension { path: path.to_owned() }),
        }
    }

    /// The HTTP media type; None for a folder.
    pub fn media_type(self) -> Option<&'static str> {
        match self {
            Self::Mp4 => Some("video/mp4"),
            Self::WebM => Some("video/webm"),
            Self::Gif => Some("image/gif"),
            Self::WebP => Some("image/webp"),
            Self::Apng => Some("image/apng"),
            Self::PngFolder => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Mp4 => "mp4",
            Self::WebM => "webm",
            Self::Gif => "gif",
            Self::WebP => "webp",
            Self::Apng => "apng",
            Self::PngFolder => "png",
        }
    }
}

/// `mp4`, `webm`, `gif`, `webp`, `apng`, `png`.
impl fmt::Display for Container {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// Parses the names that [`fmt::Display`] gives.
impl FromStr for Container {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        named(&Self::ALL, "container", text)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn the_extension_decides() {
        for (path, expected) in [
            ("a.mp4", Container::Mp4),
            ("out/A.MP4", Container::Mp4),
            ("a.m4v", Container::Mp4),
            ("a.webm", Container::WebM),
            ("a.b.gif", Container::Gif),
            ("a.webp", Container::WebP),
            ("a.png", Container::Apng),
            ("a.apng", Container::Apng),
            ("frames", Container::PngFolder),
            ("frames/", Container::PngFolder),
            ("frames.mp4/", Container::PngFolder),
            ("/tmp", Container::PngFolder),
        ] {
            assert_eq!(Container::from_path(Path::new(path)).unwrap(), expected, "{path}");
        }
        for path in ["a.mov", "a.jpg", "a."] {
            assert!(matches!(Container::from_path(Path::new(path)), Err(Error::UnknownExtension { .. })), "{path}");
        }
    }
}
