//! Images for Nova Reel: always exactly 1280x720 and opaque, whatever the input.

use std::io::Cursor;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use image::{DynamicImage, ImageReader, Rgb, RgbImage, Rgba, RgbaImage};
use remote_providers::{ErrorKind, ImageFormat, InputImage, Provider as _, VideoRequest};
use serde_json::{Value, json};

use super::{World, fresh, text};
use crate::drive::check_error;

fn png(image: impl Into<DynamicImage>) -> InputImage {
    let mut bytes = Cursor::new(Vec::new());
    image.into().write_to(&mut bytes, image::ImageFormat::Png).unwrap();
    InputImage { bytes: bytes.into_inner(), format: ImageFormat::Png, source_url: None }
}

fn jpeg(image: impl Into<DynamicImage>) -> InputImage {
    let mut bytes = Cursor::new(Vec::new());
    image.into().write_to(&mut bytes, image::ImageFormat::Jpeg).unwrap();
    InputImage { bytes: bytes.into_inner(), format: ImageFormat::Jpeg, source_url: None }
}

/// An image that needs no fitting.
pub(super) fn frame() -> InputImage {
    png(RgbImage::from_fn(1280, 720, |x, y| Rgb([(x / 5) as u8, (y / 3) as u8, 90])))
}

/// [`frame`] as it is sent: unchanged.
pub(super) fn input() -> Value {
    json!({"format": "png", "source": {"bytes": frame().base64()}})
}

/// A JPEG file with EXIF orientation 6, which means that it lies on its side.
fn turned(image: RgbImage) -> InputImage {
    let mut file = jpeg(image);
    let tiff = [&b"Exif\0\0MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"[..]].concat();
    let length = u16::try_from(tiff.len() + 2).unwrap().to_be_bytes();
    let segment = [&[0xff, 0xe1][..], &length, &tiff].concat();
    file.bytes.splice(2..2, segment);
    file
}

/// The image that is sent for a given input.
async fn sent(image: InputImage) -> (InputImage, RgbImage) {
    let world = World::new().await;
    let provider = world.provider().await;
    let format = image.format;
    world.run(&provider, &VideoRequest { image: Some(image), ..text() }, fresh("job-1")).await.unwrap();
    let body = world.starts()[0].json();
    let sent = body.pointer("/modelInput/textToVideoParams/images/0").unwrap();
    assert_eq!(sent["format"], format.name());
    let bytes = STANDARD.decode(sent["source"]["bytes"].as_str().unwrap()).unwrap();
    let kind = ImageReader::new(Cursor::new(&bytes)).with_guessed_format().unwrap().format().unwrap();
    assert_eq!(kind.to_mime_type(), format.media_type());
    let decoded = image::load_from_memory(&bytes).unwrap();
    assert!(!decoded.color().has_alpha());
    assert_eq!((decoded.width(), decoded.height()), (1280, 720));
    (InputImage { bytes, format, source_url: None }, decoded.into_rgb8())
}

fn is_near(found: Rgb<u8>, wanted: [u8; 3]) -> bool {
    found.0.iter().zip(wanted).all(|(found, wanted)| found.abs_diff(wanted) <= 8)
}

#[tokio::test]
async fn an_image_that_fits_is_sent_as_it_is() {
    assert_eq!(sent(frame()).await.0, frame());
    let file = jpeg(RgbImage::from_pixel(1280, 720, Rgb([1, 2, 3])));
    assert_eq!(sent(file.clone()).await.0, file);
}

#[tokio::test]
async fn transparent_parts_become_white() {
    let half = RgbaImage::from_fn(1280, 720, |x, _| Rgba([200, 0, 0, if x < 640 { 0 } else { 255 }]));
    let (_, seen) = sent(png(half)).await;
    assert!(is_near(*seen.get_pixel(100, 300), [255, 255, 255]) && is_near(*seen.get_pixel(1200, 300), [200, 0, 0]));
    let faint = RgbaImage::from_pixel(640, 360, Rgba([0, 0, 0, 128]));
    assert!(is_near(*sent(png(faint)).await.1.get_pixel(9, 9), [127, 127, 127]));
}

#[tokio::test]
async fn an_image_of_another_shape_fills_the_frame() {
    // A square loses bands at the top and the bottom.
    let square = RgbImage::from_fn(800, 800, |_, y| if (175..625).contains(&y) { Rgb([0, 200, 0]) } else { Rgb([200, 0, 0]) });
    let (_, seen) = sent(png(square)).await;
    for (x, y) in [(0, 8), (1279, 8), (640, 360), (0, 711), (1279, 711)] {
        assert!(is_near(*seen.get_pixel(x, y), [0, 200, 0]), "{x} {y}");
    }
    let tiny = sent(jpeg(RgbImage::from_pixel(2, 3, Rgb([10, 100, 200])))).await.1;
    assert!(is_near(*tiny.get_pixel(1279, 719), [10, 100, 200]));
    let grey = DynamicImage::from(RgbImage::from_pixel(300, 300, Rgb([77, 77, 77]))).into_luma16();
    assert!(is_near(*sent(png(grey)).await.1.get_pixel(640, 360), [77, 77, 77]));
}

#[tokio::test]
async fn a_photograph_stands_upright() {
    // After a quarter turn to the right, the left side is at the top.
    let lying = RgbImage::from_fn(720, 1280, |x, _| if x < 360 { Rgb([0, 0, 220]) } else { Rgb([220, 0, 0]) });
    let (_, seen) = sent(turned(lying)).await;
    assert!(is_near(*seen.get_pixel(640, 60), [0, 0, 220]) && is_near(*seen.get_pixel(640, 660), [220, 0, 0]));
}

#[tokio::test]
async fn an_invalid_image_is_refused_without_a_request() {
    let world = World::new().await;
    let provider = world.provider().await;
    let named = |image: InputImage| VideoRequest { image: Some(image), ..text() };
    let error = check_error(&provider, "", &named(InputImage { bytes: b"<html>".to_vec(), ..frame() }));
    assert!(error.reason.contains("image is no png file"), "{error}");
    let error = check_error(&provider, "", &named(InputImage { format: ImageFormat::Jpeg, ..frame() }));
    assert!(error.reason.contains("image is no jpeg file"), "{error}");
    let error = check_error(&provider, "", &named(png(RgbImage::new(20_000, 1))));
    assert!(error.reason.contains("20000x1") && error.reason.contains("16384"), "{error}");
    // Its header is valid, so the fault shows when it is decoded.
    let whole = frame().bytes;
    let cut = InputImage { bytes: whole[..whole.len() / 2].to_vec(), ..frame() };
    provider.check("", &named(cut.clone())).unwrap();
    let error = world.run(&provider, &named(cut), fresh("job-1")).await.unwrap_err();
    assert_eq!((error.kind, error.may_have_started), (ErrorKind::InvalidRequest, false), "{error}");
    assert!(world.bedrock.requests().is_empty());
}
