//! A picture's orientation, as Pillow 13's `ImageOps.exif_transpose` determines it.
//!
//! It must not know file formats. The order of precedence is that of `Image.getexif`: the Exif block; the raw profile if there is no Exif
//! block; XMP if neither has an orientation. An invalid value takes precedence too: the picture stays as it is. Invariant: a damaged block
//! leaves the picture as it is. (Pillow raises errors for some of them, which would help no one.)

use image::metadata::Orientation;

use super::{blocks::Blocks, exif};

/// The transformation that turns the picture upright.
pub(super) fn orientation(blocks: &Blocks<'_>) -> Orientation {
    stated(blocks).and_then(Orientation::from_exif).unwrap_or(Orientation::NoTransforms)
}

/// The orientation number in the blocks.
fn stated(blocks: &Blocks<'_>) -> Option<u8> {
    let in_exif = match (&blocks.exif, &blocks.raw_profile) {
        (Some(exif), _) => exif::orientation(exif),
        (None, Some(profile)) => exif::orientation(&of_hexadecimal(profile)?),
        (None, None) => Ok(None),
    };
    let in_xmp = || {
        let text = blocks.xmp_text.as_ref().filter(|text| !text.is_empty());
        text.or(blocks.xmp.as_ref()).and_then(|xmp| of_xmp(xmp))
    };
    in_exif.ok()?.or_else(in_xmp)
}

/// The bytes of a raw profile: an empty line, its name, its length, and lines of hexadecimal digits.
fn of_hexadecimal(profile: &[u8]) -> Option<Vec<u8>> {
    let lines = profile.splitn(4, |byte| *byte == b'\n').nth(3).unwrap_or_default();
    // Lines are joined before pairs are read, so a pair may continue on the next line; blanks may stand between pairs only.
    let mut digits = lines.iter().copied().filter(|byte| *byte != b'\n');
    let mut bytes = Vec::with_capacity(lines.len() / 2);
    while let Some(first) = digits.next() {
        if !matches!(first, b' ' | b'\t' | b'\r' | 0x0b | 0x0c) {
            let digit = |byte: u8| char::from(byte).to_digit(16);
            let byte = digit(first)? * 16 + digit(digits.next()?)?;
            bytes.push(u8::try_from(byte).ok()?);
        }
    }
    Some(bytes)
}

/// The digit after the first `tiff:Orientation="` or `tiff:Orientation>`. No XML is parsed, as in Pillow.
fn of_xmp(xmp: &[u8]) -> Option<u8> {
    const NAME: &[u8] = b"tiff:Orientation";
    xmp.windows(NAME.len()).enumerate().filter(|(_, window)| *window == NAME).find_map(|(start, _)| {
        match xmp.get(start + NAME.len()..)? {
            [b'=', b'"', digit @ b'0'..=b'9', ..] | [b'>', digit @ b'0'..=b'9', ..] => Some(digit - b'0'),
            _ => None,
        }
    })
}
