//! Finds the blocks in JPEG, PNG and WebP files that may state a picture's orientation.
//!
//! It must not know what the blocks contain. The decoders' own readers do not suffice: they read one block of several, stop at a PNG's
//! pixels, and know neither XMP nor raw profiles. Invariants: a truncated file never fails, it only has no blocks after the cut; compressed
//! texts expand to [`MAX_TEXT`] bytes each and [`MAX_TEXTS`] in total, and a longer one counts as absent. Reference: Pillow 13's
//! `Image.info` of a loaded file (`JpegImagePlugin`, `PngImagePlugin`, `WebPImagePlugin`), with the same keys.

use std::{borrow::Cow, io::Read as _};

use flate2::{Crc, read::ZlibDecoder};
use image::ImageFormat;

use super::exif::PREFIX;

/// The maximum length of a decompressed text, in bytes: Pillow's `MAX_TEXT_CHUNK`.
const MAX_TEXT: u64 = 1 << 20;
/// The maximum length of all decompressed texts of a file: Pillow's `MAX_TEXT_MEMORY`.
const MAX_TEXTS: u64 = 64 << 20;

/// The blocks of a file that may state an orientation.
#[derive(Debug, Default)]
pub(super) struct Blocks<'a> {
    /// `exif`: a TIFF directory, with or without its prefix.
    pub(super) exif: Option<Cow<'a, [u8]>>,
    /// `Raw profile type exif`: the same in hexadecimal, as ImageMagick wrote it into PNG files.
    pub(super) raw_profile: Option<Cow<'a, [u8]>>,
    /// `XML:com.adobe.xmp`: XMP as a PNG text.
    pub(super) xmp_text: Option<Cow<'a, [u8]>>,
    /// `xmp`: XMP as bytes.
    pub(super) xmp: Option<Cow<'a, [u8]>>,
    /// Whether a JPEG ends before its picture does.
    pub(super) is_cut: bool,
}

/// The blocks of a file of this format.
pub(super) fn blocks(file: &[u8], format: ImageFormat) -> Blocks<'_> {
    #[expect(clippy::wildcard_enum_match_arm, reason = "the enum is another crate's, and other formats are not read")]
    match format {
        ImageFormat::Jpeg => of_jpeg(file),
        ImageFormat::Png => of_png(file),
        ImageFormat::WebP => of_webp(file),
        _ => Blocks::default(),
    }
}

/// The segments before the first scan. Exif in several segments is concatenated; the last of several XMP packets counts.
fn of_jpeg(file: &[u8]) -> Blocks<'_> {
    let mut found = Blocks { is_cut: true, ..Blocks::default() };
    let mut rest = file;
    while let Some((marker, behind)) = next_marker(rest) {
        // Start and end, restarts and reserved markers have no data.
        if matches!(marker, 0xc8 | 0xd0..=0xd9 | 0xf0..=0xfd) {
            rest = behind;
            continue;
        }
        let Some((length, data)) = behind.split_first_chunk() else { break };
        let length = usize::from(u16::from_be_bytes(*length)).saturating_sub(2);
        let Some((data, behind)) = data.split_at_checked(length) else { break };
        if marker == 0xda {
            // In scan data, 0xff 0xd9 only occurs as the end marker; without it the file is cut off.
            found.is_cut = !behind.windows(2).rev().any(|bytes| bytes == [0xff, 0xd9]);
            break;
        }
        if marker == 0xe1 {
            if data.starts_with(PREFIX) {
                match &mut found.exif {
                    Some(exif) => exif.to_mut().extend_from_slice(data.get(PREFIX.len()..).unwrap_or_default()),
                    None => found.exif = Some(data.into()),
                }
            } else if let Some(packet) = data.strip_prefix(b"http://ns.adobe.com/xap/1.0/\0") {
                found.xmp = Some(packet.into());
            }
        }
        rest = behind;
    }
    found
}

/// The second byte of the next marker, and the rest after it. Fill bytes and stray bytes are skipped.
fn next_marker(mut bytes: &[u8]) -> Option<(u8, &[u8])> {
    loop {
        let start = bytes.iter().position(|byte| *byte == 0xff)?;
        bytes = bytes.get(start + 1..)?;
        match bytes.first()? {
            0xff => {}
            0 => bytes = bytes.get(1..)?,
            marker => return Some((*marker, bytes.get(1..)?)),
        }
    }
}

/// Chunks before and after the pixels. The last of several with the same key counts.
fn of_png(file: &[u8]) -> Blocks<'_> {
    let mut found = Blocks::default();
    let mut texts_left = MAX_TEXTS;
    let mut seen_pixels = false;
    let mut rest = file.get(8..).unwrap_or_default();
    while let Some((length, behind)) = rest.split_first_chunk() {
        let Some((kind, behind)) = behind.split_first_chunk::<4>() else { break };
        let Some((data, behind)) = behind.split_at_checked(u32::from_be_bytes(*length) as usize) else { break };
        let (sum, behind) = behind.split_first_chunk().unwrap_or((&[0; 4], &[]));
        rest = behind;
        // Pillow verifies checksums before the pixels only.
        let is_whole = || seen_pixels || u32::from_be_bytes(*sum) == checksum(kind, data);
        match kind {
            b"IDAT" => seen_pixels = true,
            b"IEND" => break,
            // The next frame of an animation begins.
            b"fcTL" if seen_pixels => break,
            b"eXIf" if is_whole() => found.exif = Some([PREFIX, data].concat().into()),
            b"tEXt" if is_whole() => {
                if let Some((key, text)) = split(data) {
                    match key {
                        b"exif" => found.exif = Some(text.into()),
                        key => found.insert_text(key, text.into()),
                    }
                }
            }
            b"zTXt" if is_whole() => {
                if let Some((key, [0, packed @ ..])) = split(data)
                    && is_wanted(key)
                    && let Some(text) = decompress(packed, &mut texts_left)
                {
                    found.insert_text(key, text.unwrap_or_default().into());
                }
            }
            b"iTXt" if is_whole() => found.insert_international(data, &mut texts_left),
            _ => {}
        }
    }
    found
}

impl<'a> Blocks<'a> {
    fn insert_text(&mut self, key: &[u8], text: Cow<'a, [u8]>) {
        match key {
            RAW_PROFILE => self.raw_profile = Some(text),
            XMP => self.xmp_text = Some(text),
            _ => {}
        }
    }

    /// A UTF-8 text that may be compressed: key, 0, flag, method, language, 0, translated key, 0, text.
    fn insert_international(&mut self, data: &'a [u8], texts_left: &mut u64) {
        let Some((key, [is_packed, method, rest @ ..])) = split(data) else { return };
        let Some((language, (translated_key, text))) = split(rest).and_then(|(language, rest)| Some((language, split(rest)?))) else {
            return;
        };
        if !is_wanted(key) {
            return;
        }
        let text: Cow<[u8]> = match (is_packed, method) {
            (0, _) => text.into(),
            (_, 0) => match decompress(text, texts_left) {
                Some(Some(text)) => text.into(),
                Some(None) | None => return,
            },
            _ => return,
        };
        if key == XMP {
            self.xmp = Some(text.clone());
        }
        if [language, translated_key, &text].iter().all(|part| str::from_utf8(part).is_ok()) {
            self.insert_text(key, text);
        }
    }
}

const RAW_PROFILE: &[u8] = b"Raw profile type exif";
const XMP: &[u8] = b"XML:com.adobe.xmp";

fn is_wanted(key: &[u8]) -> bool {
    key == RAW_PROFILE || key == XMP
}

fn checksum(kind: &[u8], data: &[u8]) -> u32 {
    let mut sum = Crc::new();
    sum.update(kind);
    sum.update(data);
    sum.sum()
}

/// The bytes before and after the first zero byte.
fn split(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = bytes.iter().position(|byte| *byte == 0)?;
    Some((bytes.get(..end)?, bytes.get(end + 1..)?))
}

/// A decompressed text, up to where it is cut off; `Some(None)` if it is damaged, `None` if it exceeds the limit.
fn decompress(packed: &[u8], left: &mut u64) -> Option<Option<Vec<u8>>> {
    let limit = MAX_TEXT.min(*left);
    let mut text = Vec::new();
    let read = ZlibDecoder::new(packed).take(limit + 1).read_to_end(&mut text);
    *left = left.saturating_sub(text.len() as u64);
    match read {
        Ok(_) if text.len() as u64 > limit => None,
        Ok(_) => Some(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => Some(Some(text)),
        Err(_) => Some(None),
    }
}

/// The first chunk of each kind that the header announces: libwebp's demuxer returns no others to Pillow.
fn of_webp(file: &[u8]) -> Blocks<'_> {
    let mut found = Blocks::default();
    for (kind, data) in webp_chunks(file) {
        let block = match kind {
            b"EXIF" if webp_flags(file) & WEBP_EXIF != 0 => &mut found.exif,
            b"XMP " if webp_flags(file) & WEBP_XMP != 0 => &mut found.xmp,
            _ => continue,
        };
        if block.is_none() && !data.is_empty() {
            *block = Some(data.into());
        }
    }
    found
}

/// Flags of a WebP's extended header.
pub(super) const WEBP_XMP: u8 = 0x04;
pub(super) const WEBP_EXIF: u8 = 0x08;
pub(super) const WEBP_ALPHA: u8 = 0x10;

/// The offset of the flags of a WebP's extended header.
pub(super) const WEBP_FLAGS: usize = 20;

/// The flags of a WebP file; 0 if it has no extended header.
pub(super) fn webp_flags(file: &[u8]) -> u8 {
    match file.get(12..16) {
        Some(b"VP8X") => file.get(WEBP_FLAGS).copied().unwrap_or_default(),
        _ => 0,
    }
}

/// The chunks of a WebP file after its header, up to where the file is cut off.
pub(super) fn webp_chunks(file: &[u8]) -> impl Iterator<Item = (&[u8; 4], &[u8])> {
    let length = file.get(4..).and_then(|rest| rest.first_chunk()).map_or(0, |length| u32::from_le_bytes(*length) as usize);
    let mut rest = file.get(..length.saturating_add(8)).unwrap_or(file).get(12..).unwrap_or_default();
    std::iter::from_fn(move || {
        let (kind, behind) = rest.split_first_chunk::<4>()?;
        let (length, behind) = behind.split_first_chunk()?;
        let length = u32::from_le_bytes(*length) as usize;
        let (data, behind) = behind.split_at_checked(length)?;
        // Chunks begin at even offsets.
        rest = behind.get(length % 2..).unwrap_or_default();
        Some((kind, data))
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use std::io::Write as _;

    use flate2::{Compression, write::ZlibEncoder};

    use super::*;

    fn packed(text: &[u8]) -> Vec<u8> {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn png(chunks: &[(&[u8; 4], Vec<u8>)]) -> Vec<u8> {
        let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
        for (kind, data) in chunks {
            file.extend_from_slice(&(data.len() as u32).to_be_bytes());
            file.extend_from_slice(*kind);
            file.extend_from_slice(data);
            file.extend_from_slice(&checksum(*kind, data).to_be_bytes());
        }
        file
    }

    #[test]
    fn a_text_that_expands_beyond_the_limit_counts_as_absent() {
        let text = |length: usize| [b"XML:com.adobe.xmp\0\0".as_slice(), &packed(&vec![b' '; length])].concat();
        let length = |file: &[u8]| of_png(file).xmp_text.map(|text| text.len());
        assert_eq!(length(&png(&[(b"zTXt", text(MAX_TEXT as usize))])), Some(MAX_TEXT as usize));
        assert_eq!(length(&png(&[(b"zTXt", text(MAX_TEXT as usize + 1))])), None);
        // There is a limit on the total too: the last text is not decompressed any more.
        let many = |count: usize| {
            let long = [b"Raw profile type exif\0\0".as_slice(), &packed(&vec![b' '; MAX_TEXT as usize])].concat();
            png(&[vec![(b"zTXt", long); count], vec![(b"zTXt", text(9))]].concat())
        };
        assert_eq!(length(&many(63)), Some(9));
        assert_eq!(length(&many(64)), None);
    }

    #[test]
    fn a_truncated_block_counts_as_absent() {
        let exif = [PREFIX, b"II\x2a\0"].concat();
        let jpeg = [b"\xff\xd8\xff\xe1\0\x0c".as_slice(), &exif].concat();
        assert_eq!(of_jpeg(&jpeg).exif.as_deref(), Some(exif.as_slice()));
        let webp = [b"RIFF\xff\xff\0\0WEBPVP8X\x0a\0\0\0\x08\0\0\0\0\0\0\0\0\0EXIF\x0a\0\0\0".as_slice(), &exif].concat();
        assert_eq!(of_webp(&webp).exif.as_deref(), Some(exif.as_slice()));
        let png = png(&[(b"IDAT", Vec::new()), (b"eXIf", b"II\x2a\0".to_vec())]);
        assert_eq!(of_png(&png).exif.as_deref(), Some(exif.as_slice()));
        for end in 0..jpeg.len() {
            assert_eq!(of_jpeg(&jpeg[..end]).exif, None, "{end}");
        }
        for end in 0..webp.len() {
            assert_eq!(of_webp(&webp[..end]).exif, None, "{end}");
        }
        // The last four bytes are a checksum, which is not verified after the pixels.
        for end in 0..png.len() - 4 {
            assert_eq!(of_png(&png[..end]).exif, None, "{end}");
        }
    }
}
