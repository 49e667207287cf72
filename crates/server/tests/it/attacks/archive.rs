//! Files built by hand, chunk by chunk: PNGs that no encoder writes, and the first bytes of other formats.

use image::{DynamicImage, ImageFormat, RgbImage};

/// A PNG's first eight bytes.
pub(super) const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";

/// A picture encoded in this format.
pub(super) fn encoded(width: u32, height: u32, format: ImageFormat) -> Vec<u8> {
    let mut file = std::io::Cursor::new(Vec::new());
    let image = RgbImage::from_fn(width, height, |x, y| image::Rgb([(x * 7) as u8, (y * 5) as u8, 99]));
    DynamicImage::from(image).write_to(&mut file, format).unwrap();
    file.into_inner()
}

/// One chunk of a PNG, with its checksum.
pub(super) fn chunk(kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let mut chunk = u32::try_from(data.len()).unwrap().to_be_bytes().to_vec();
    chunk.extend_from_slice(kind);
    chunk.extend_from_slice(data);
    let sum = crc(&chunk[4..]);
    chunk.extend_from_slice(&sum.to_be_bytes());
    chunk
}

/// A PNG's header chunk: its sides, the bits per sample and the colour type.
pub(super) fn header(width: u32, height: u32, bits: u8, colours: u8) -> Vec<u8> {
    let mut data = Vec::new();
    data.extend_from_slice(&width.to_be_bytes());
    data.extend_from_slice(&height.to_be_bytes());
    data.extend_from_slice(&[bits, colours, 0, 0, 0]);
    chunk(b"IHDR", &data)
}

/// The chunks of a PNG, with their headers and checksums.
pub(super) fn chunks(png: &[u8]) -> Vec<([u8; 4], &[u8])> {
    let mut rest = &png[PNG.len()..];
    let mut found = Vec::new();
    while rest.len() >= 12 {
        let length = u32::from_be_bytes(rest[..4].try_into().unwrap()) as usize;
        found.push((rest[4..8].try_into().unwrap(), &rest[..length + 12]));
        rest = &rest[length + 12..];
    }
    found
}

/// A PNG with another header chunk, and further chunks after it.
pub(super) fn altered(png: &[u8], head: Option<Vec<u8>>, more: &[Vec<u8>]) -> Vec<u8> {
    let mut file = PNG.to_vec();
    for (kind, chunk) in chunks(png) {
        match (&kind, &head) {
            (b"IHDR", Some(head)) => file.extend_from_slice(head),
            _ => file.extend_from_slice(chunk),
        }
        if &kind == b"IHDR" {
            file.extend(more.iter().flatten());
        }
    }
    file
}

/// `count` zeros compressed by zlib: a thousandth of their length.
pub(super) fn zeros(count: usize) -> Vec<u8> {
    // A PNG's data are such zeros: one row of grey pixels, after the filter byte.
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, u32::try_from(count - 1).unwrap(), 1);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_compression(png::Compression::High);
    encoder.set_filter(png::Filter::NoFilter);
    encoder.write_header().unwrap().write_image_data(&vec![0; count - 1]).unwrap();
    let data = chunks(&file).into_iter().filter(|(kind, _)| kind == b"IDAT").flat_map(|(_, chunk)| chunk[8..chunk.len() - 4].to_vec());
    data.collect()
}

/// The checksum of the PNG specification, bit by bit.
fn crc(bytes: &[u8]) -> u32 {
    let mut sum = u32::MAX;
    for byte in bytes {
        sum ^= u32::from(*byte);
        for _ in 0..8 {
            sum = if sum & 1 == 1 { 0xedb8_8320 ^ (sum >> 1) } else { sum >> 1 };
        }
    }
    !sum
}
