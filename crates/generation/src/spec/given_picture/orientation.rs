//! Which way up a picture is, as Pillow 13's `ImageOps.exif_transpose` decides it.
//!
//! It must not know file formats. The order of precedence is that of `Image.getexif`: the Exif block; the raw profile if there is no Exif
//! block; XMP if neither states an orientation. What is stated but none of the eight decides too: the picture stays as it is. The invariant:
//! a damaged block leaves the picture as it is. (Pillow raises on some of them, and no picture is better served by that.)

use image::metadata::Orientation;

use super::{blocks::Blocks, exif};

/// How the picture is to be turned.
pub(super) fn orientation(blocks: &Blocks<'_>) -> Orientation {
    stated(blocks).and_then(Orientation::from_exif).unwrap_or(Orientation::NoTransforms)
}

/// The number that the blocks state.
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

/// The bytes of a raw profile: an empty line, its name, its length, and hexadecimal in lines.
fn of_hexadecimal(profile: &[u8]) -> Option<Vec<u8>> {
    let lines = profile.splitn(4, |byte| *byte == b'\n').nth(3).unwrap_or_default();
    // Lines are joined before pairs are read, so that one may begin with the second digit of a pair; blanks stand between pairs only.
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

/// The digit behind the first `tiff:Orientation="` or `tiff:Orientation>`. No XML is read: neither does Pillow.
fn of_xmp(xmp: &[u8]) -> Option<u8> {
    const NAME: &[u8] = b"tiff:Orientation";
    xmp.windows(NAME.len()).enumerate().filter(|(_, window)| *window == NAME).find_map(|(start, _)| {
        match xmp.get(start + NAME.len()..)? {
            [b'=', b'"', digit @ b'0'..=b'9', ..] | [b'>', digit @ b'0'..=b'9', ..] => Some(digit - b'0'),
            _ => None,
        }
    })
}
