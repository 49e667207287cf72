//! Files of every format, signed and read back.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::{
    io::Cursor,
    sync::{
        LazyLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use image::{ExtendedColorType, ImageEncoder as _, RgbImage};
use serde_json::{Value, json};

use super::*;
use crate::{GENERATION_LABEL, read_with_sidecar, self_made};

static SIGNER: LazyLock<Signer> = LazyLock::new(|| {
    let made = self_made(SystemTime::now()).unwrap();
    Signer::new(&made, &made, SystemTime::now).unwrap()
});

fn statement(origin: Origin) -> Statement {
    Statement {
        origin,
        models: vec!["nano-sd".into(), "nano-svd".into()],
        seed: Some(u64::MAX),
        settings_sha256: "ab".repeat(32),
        guides: vec!["control picture".into()],
    }
}

fn picture() -> RgbImage {
    RgbImage::from_fn(64, 48, |x, y| image::Rgb([(x * 37 + y * 11) as u8, (x * y) as u8, (x ^ y) as u8]))
}

/// A file with as many bytes of media as needed for flipping some.
fn file(format: MediaFormat) -> Vec<u8> {
    let (picture, mut file) = (picture(), Vec::new());
    let rgb = ExtendedColorType::Rgb8;
    match format {
        MediaFormat::Png => {
            let mut encoder = png::Encoder::new(&mut file, 64, 48);
            encoder.set_color(png::ColorType::Rgb);
            encoder.add_text_chunk("parameters".into(), "a boat\nSteps: 25, Seed: 4".into()).unwrap();
            encoder.write_header().unwrap().write_image_data(picture.as_raw()).unwrap();
        }
        MediaFormat::Jpeg => image::codecs::jpeg::JpegEncoder::new(&mut file).write_image(&picture, 64, 48, rgb).unwrap(),
        MediaFormat::WebP => image::codecs::webp::WebPEncoder::new_lossless(&mut file).write_image(&picture, 64, 48, rgb).unwrap(),
        MediaFormat::Gif => {
            file.extend(b"GIF89a\x01\0\x01\0\x80\0\0\0\0\0\xff\xff\xff!\xfe\x10comment of ours!\0");
            file.extend(b",\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0;");
        }
        MediaFormat::Mp4 => {
            let ftyp = mp4_box(b"ftyp", b"isom\0\0\x02\0isomiso2avc1mp41");
            // One chunk, whose place in the file the manifest moves.
            let place = u32::try_from(ftyp.len() + moov(0).len() + 8).unwrap();
            file.extend(ftyp.into_iter().chain(moov(place)).chain(mp4_box(b"mdat", MEDIA)));
        }
        MediaFormat::WebM => file.extend((0..2000_u32).map(|n| (n * n % 251) as u8)),
    }
    file
}

const MEDIA: &[u8] = b"frames of a video, or what stands for them: 0123456789 0123456789";

fn mp4_box(name: &[u8; 4], content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(content.len() + 8).unwrap();
    [&length.to_be_bytes(), name.as_slice(), content].concat()
}

fn moov(place: u32) -> Vec<u8> {
    let stco = mp4_box(b"stco", &[[0, 0, 0, 0], 1_u32.to_be_bytes(), place.to_be_bytes()].concat());
    let nested = [b"stbl", b"minf", b"mdia", b"trak"].into_iter().fold(stco, |content, name| mp4_box(name, &content));
    mp4_box(b"moov", &[mp4_box(b"mvhd", &[0; 100]), nested].concat())
}

/// Signs a file; the manifest inside it, or beside it.
fn signed(format: MediaFormat, statement: &Statement) -> (Vec<u8>, Option<Vec<u8>>) {
    let file = file(format);
    if format.embeds() {
        (SIGNER.sign(format, &file, statement).unwrap(), None)
    } else {
        let sidecar = SIGNER.sidecar(format, &mut Cursor::new(&file), statement).unwrap();
        (file, Some(sidecar))
    }
}

fn read_back(format: MediaFormat, file: &[u8], sidecar: Option<&[u8]>) -> Result<crate::Found, crate::ReadError> {
    match sidecar {
        None => read(format, Cursor::new(file)),
        Some(sidecar) => read_with_sidecar(format, sidecar, Cursor::new(file)),
    }
}

/// The data of an assertion in the active manifest.
fn assertion<'a>(manifest: &'a Value, label: &str) -> &'a Value {
    let active = manifest["active_manifest"].as_str().unwrap();
    let assertions = manifest["manifests"][active]["assertions"].as_array().unwrap();
    &assertions.iter().find(|assertion| assertion["label"] == label).unwrap_or_else(|| panic!("no {label}: {assertions:?}"))["data"]
}

fn ingredients(manifest: &Value) -> Vec<(&str, &str)> {
    let active = manifest["active_manifest"].as_str().unwrap();
    let ingredients = manifest["manifests"][active]["ingredients"].as_array().map(Vec::as_slice).unwrap_or_default();
    ingredients.iter().map(|one| (one["title"].as_str().unwrap(), one["relationship"].as_str().unwrap())).collect()
}

#[test]
fn every_format_says_what_made_it_and_shows_a_flipped_byte() {
    for format in MediaFormat::ALL {
        let (file, sidecar) = signed(format, &statement(Origin::Created));
        let found = read_back(format, &file, sidecar.as_deref()).unwrap();
        assert_eq!((found.state, &found.faults), (FoundState::Valid, &Vec::new()), "{format:?}");
        assert_eq!(found.generator, concat!("Framewright ", env!("CARGO_PKG_VERSION")));
        assert!(found.signer.contains("self-made certificate"), "{}", found.signer);
        let actions = assertion(&found.manifest, "c2pa.actions.v2");
        assert_eq!(actions["actions"].as_array().unwrap().len(), 1, "{actions}");
        assert_eq!(actions["actions"][0]["action"], "c2pa.created");
        assert!(actions["actions"][0]["digitalSourceType"].as_str().unwrap().ends_with("/trainedAlgorithmicMedia"));
        assert_eq!(actions["allActionsIncluded"], true);
        let expected = json!({ "models": ["nano-sd", "nano-svd"], "seed": u64::MAX.to_string(), "settings_sha256": "ab".repeat(32) });
        assert_eq!(assertion(&found.manifest, GENERATION_LABEL), &expected);
        assert_eq!(ingredients(&found.manifest), [("control picture", "inputTo")]);

        // Bytes of the media, wherever the manifest has moved them.
        let original = self::file(format);
        let last = &original[original.len() - 30..][..8];
        let place = file.windows(8).position(|window| window == last).unwrap();
        let mut flipped = file.clone();
        flipped[place + 3] ^= 1;
        let found = read_back(format, &flipped, sidecar.as_deref()).unwrap();
        assert_eq!(found.state, FoundState::Invalid, "{format:?}");
        assert!(found.faults.iter().any(|fault| fault.contains("mismatch")), "{format:?}: {:?}", found.faults);
    }
}

#[test]
fn a_changed_picture_has_a_parent() {
    let edited = Statement { guides: Vec::new(), ..statement(Origin::Edited) };
    let (file, _) = signed(MediaFormat::Jpeg, &edited);
    let found = read(MediaFormat::Jpeg, Cursor::new(file)).unwrap();
    assert_eq!((found.state, &found.faults), (FoundState::Valid, &Vec::new()));
    let actions = &assertion(&found.manifest, "c2pa.actions.v2")["actions"];
    assert_eq!((&actions[0]["action"], &actions[1]["action"]), (&json!("c2pa.opened"), &json!("c2pa.edited")));
    assert!(actions[1]["digitalSourceType"].as_str().unwrap().ends_with("/compositeWithTrainedAlgorithmicMedia"));
    assert_eq!(ingredients(&found.manifest), [("source picture", "parentOf")]);
}

#[test]
fn all_but_the_manifest_is_the_file_as_it_was() {
    let (png, _) = signed(MediaFormat::Png, &statement(Origin::Created));
    let decoder = png::Decoder::new(Cursor::new(&png));
    let mut reader = decoder.read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    reader.next_frame(&mut pixels).unwrap();
    assert_eq!(&pixels, picture().as_raw());
    assert_eq!(reader.info().uncompressed_latin1_text[0].text, "a boat\nSteps: 25, Seed: 4");
    // The chunk taken out again: its length, its name, its content and its checksum.
    let name = png.windows(4).position(|window| window == b"caBX").unwrap();
    let length = u32::from_be_bytes(png[name - 4..name].try_into().unwrap()) as usize;
    let without = [&png[..name - 4], &png[name + 4 + length + 4..]].concat();
    assert!(without == file(MediaFormat::Png));
    assert!(length < 20_000, "no thumbnail: {length} bytes");

    let (mp4, _) = signed(MediaFormat::Mp4, &statement(Origin::Created));
    let stco = mp4.windows(4).position(|window| window == b"stco").unwrap();
    let place = u32::from_be_bytes(mp4[stco + 12..stco + 16].try_into().unwrap()) as usize;
    assert_eq!(&mp4[place..place + MEDIA.len()], MEDIA, "the offset of the chunk has moved with it");
}

#[test]
fn a_file_without_a_manifest_and_one_of_another_format_are_told_apart() {
    for format in MediaFormat::ALL.into_iter().filter(|format| format.embeds()) {
        let error = read(format, Cursor::new(file(format))).unwrap_err();
        assert!(matches!(error, crate::ReadError::None), "{format:?}: {error}");
    }
    let error = SIGNER.sign(MediaFormat::Png, b"not a picture", &statement(Origin::Created)).unwrap_err();
    assert!(matches!(error, SignError::Library(_)), "{error}");
}

#[test]
fn a_certificate_that_expires_meanwhile_signs_no_more() {
    static SECONDS: AtomicU64 = AtomicU64::new(0);
    fn now() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(SECONDS.load(Ordering::Relaxed))
    }
    SECONDS.store(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs(), Ordering::Relaxed);
    let made = self_made(now()).unwrap();
    let signer = Signer::new(&made, &made, now).unwrap();
    SECONDS.fetch_add(21 * 365 * 24 * 3600, Ordering::Relaxed);
    let error = signer.sign(MediaFormat::Png, &file(MediaFormat::Png), &statement(Origin::Created)).unwrap_err();
    assert!(error.to_string().contains(&format!("expired on {}; set a new one", signer.last_day())), "{error}");
}
