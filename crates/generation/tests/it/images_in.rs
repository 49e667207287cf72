//! Callers' pictures, compared bit for bit with Pillow 13's reading of them: `scripts/golden/pictures_in.py` has made both.

use std::{fs, io::Read as _, path::Path};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use flate2::read::ZlibDecoder;
use generation::given_image::{self, GivenImageError};
use serde::Deserialize;

#[derive(Deserialize)]
struct Golden {
    #[serde(rename = "pictures")]
    images: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    file: String,
    width: u32,
    height: u32,
    rgb: String,
    grey: String,
    /// Pillow's error. Such a picture is read without the block that causes it.
    pillow_raises: Option<String>,
}

fn bytes(base64: &str) -> Vec<u8> {
    BASE64_STANDARD.decode(base64).unwrap()
}

fn decompress(base64: &str) -> Vec<u8> {
    let mut pixels = Vec::new();
    ZlibDecoder::new(bytes(base64).as_slice()).read_to_end(&mut pixels).unwrap();
    pixels
}

fn cases() -> Vec<Case> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/pictures_in.json");
    serde_json::from_str::<Golden>(&fs::read_to_string(path).unwrap()).unwrap().images
}

/// What is wrong with a picture, if anything.
fn mismatch(case: &Case) -> Option<String> {
    let failed = |error: GivenImageError| format!("{}: {error}", case.name);
    let (rgb, grey) = match (given_image::rgb(bytes(&case.file)), given_image::mask(bytes(&case.file))) {
        (Ok(rgb), Ok(grey)) => (rgb, grey),
        (Err(error), _) | (_, Err(error)) => return Some(failed(error)),
    };
    let size = (case.width, case.height);
    if rgb.dimensions() != size || grey.dimensions() != size {
        return Some(format!("{}: {:?} and {:?} instead of {size:?}", case.name, rgb.dimensions(), grey.dimensions()));
    }
    for (ours, theirs, what) in [(rgb.as_raw(), &case.rgb, "colour"), (grey.as_raw(), &case.grey, "grey")] {
        let theirs = decompress(theirs);
        if *ours != theirs {
            return Some(format!("{}: {what} is {ours:?} instead of {theirs:?}", case.name));
        }
    }
    None
}

#[test]
fn images_equal_pillows() {
    let cases = cases();
    let faults: Vec<_> = cases.iter().filter_map(mismatch).collect();
    assert_eq!(faults, [""; 0], "{} of {}", faults.len(), cases.len());
    let raised = cases.iter().filter(|case| case.pillow_raises.is_some()).count();
    assert!(cases.len() >= 170 && raised <= 12, "{} pictures, of which Pillow raises on {raised}", cases.len());
}

/// Pillow refuses it too: "image file is truncated".
#[test]
fn a_truncated_jpeg_is_refused_and_not_filled_with_grey() {
    let mut tried = 0;
    for case in cases() {
        let file = bytes(&case.file);
        // Some have other bytes after their end.
        if file.starts_with(&[0xff, 0xd8]) && file.ends_with(&[0xff, 0xd9]) {
            tried += 1;
            for length in [file.len() - 2, file.len() - 3, file.len() / 2] {
                let result = given_image::rgb(file[..length].to_vec());
                assert!(matches!(result, Err(GivenImageError::Cut)), "{} cut to {length}: {:?}", case.name, result.err());
            }
        }
    }
    assert!(tried > 20, "{tried}");
}

/// Every case with an inverted byte, and truncated: the result is a picture within the limits, or an error.
#[test]
fn a_damaged_image_is_an_image_or_an_error() {
    let mut readable = 0_usize;
    for (number, case) in cases().iter().enumerate() {
        let whole = bytes(&case.file);
        for place in (number % 7..whole.len()).step_by(7) {
            let mut damaged = whole.clone();
            damaged[place] ^= 0xff;
            for file in [damaged, whole[..place].to_vec()] {
                readable += usize::from(given_image::rgb(file).is_ok_and(|image| image.width() <= given_image::MAX_SIDE));
            }
        }
    }
    assert!(readable > 1000, "{readable} are pictures still");
}
