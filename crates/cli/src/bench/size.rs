//! A benchmark size as typed: `512`, or `1024x576`.

use std::{fmt, str::FromStr};

use crate::failure::Usage;

/// Allowed sides in pixels; below them models have no latents left, above them one run takes unreasonably long.
const SIDES: std::ops::RangeInclusive<u32> = 64..=2048;
/// A side is a multiple of this: pixels per latent.
const MULTIPLE: u32 = 8;

/// Size of a picture or a frame in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Size {
    /// Pixels across.
    pub(super) width: u32,
    /// Pixels down.
    pub(super) height: u32,
}

impl FromStr for Size {
    type Err = Usage;

    fn from_str(text: &str) -> Result<Self, Usage> {
        let (width, height) = text.split_once(['x', 'X']).unwrap_or((text, text));
        let side = |side: &str| match side.parse::<u32>() {
            Err(_) => Err(Usage(format!("--size {text}: is neither a side in pixels nor WIDTHxHEIGHT"))),
            Ok(side) if !SIDES.contains(&side) => Err(Usage(format!("--size {text}: is outside {}..={}", SIDES.start(), SIDES.end()))),
            Ok(side) if !side.is_multiple_of(MULTIPLE) => Err(Usage(format!("--size {text}: is no multiple of {MULTIPLE}"))),
            Ok(side) => Ok(side),
        };
        Ok(Self { width: side(width)?, height: side(height)? })
    }
}

impl From<(u32, u32)> for Size {
    fn from((width, height): (u32, u32)) -> Self {
        Self { width, height }
    }
}

impl fmt::Display for Size {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}x{}", self.width, self.height)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_a_side_or_two() {
        let size = |text: &str| text.parse::<Size>().map(|size| size.to_string()).map_err(|usage| usage.to_string());
        assert_eq!(size("512"), Ok("512x512".into()));
        assert_eq!(size("1024x576"), Ok("1024x576".into()));
        for (text, part) in
            [("100", "multiple of 8"), ("64x8", "64..=2048"), ("4096", "64..=2048"), ("x64", "WIDTHxHEIGHT"), ("-8", "WIDTH")]
        {
            assert!(size(text).is_err_and(|message| message.contains(part) && message.contains(text)), "{text}");
        }
    }
}
