//! Shared by the tests of Veo: small images, requests, a download, and a check for secrets.

use std::io::Cursor;

use image::RgbImage;
use remote_providers::{ImageFormat, InputImage, ProviderError, Source, VideoRequest};

pub(crate) fn png() -> InputImage {
    encoded(image::ImageFormat::Png, ImageFormat::Png)
}

pub(crate) fn jpeg() -> InputImage {
    encoded(image::ImageFormat::Jpeg, ImageFormat::Jpeg)
}

fn encoded(as_image: image::ImageFormat, format: ImageFormat) -> InputImage {
    let mut bytes = Cursor::new(Vec::new());
    RgbImage::from_fn(16, 9, |x, y| image::Rgb([(x * 16) as u8, (y * 28) as u8, 90])).write_to(&mut bytes, as_image).unwrap();
    InputImage { bytes: bytes.into_inner(), format, source_url: None }
}

pub(crate) fn request() -> VideoRequest {
    VideoRequest { prompt: "Slow pan across the valley".to_owned(), image: Some(png()), seconds: Some(5), ..VideoRequest::default() }
}

/// Downloads a video as the crate does: the headers go to the first address only. Returns the status and the bytes.
pub(crate) async fn download(source: Source) -> (u16, Vec<u8>) {
    let (mut url, headers) = match source {
        Source::Bytes(bytes) => return (200, bytes),
        Source::Url { url, headers } => (reqwest::Url::parse(&url).unwrap(), headers),
    };
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().build().unwrap();
    let mut answer = client.get(url.clone()).headers(headers).send().await.unwrap();
    while let Some(location) = answer.headers().get("location") {
        url = url.join(location.to_str().unwrap()).unwrap();
        answer = client.get(url.clone()).send().await.unwrap();
    }
    (answer.status().as_u16(), answer.bytes().await.unwrap().to_vec())
}

/// Fails if an error's message or debug output contains the secret; returns the message.
pub(crate) fn shown(error: &ProviderError, secret: &str) -> String {
    let shown = error.to_string();
    assert!(!format!("{error:?} {shown}").contains(secret), "the key is in {shown}");
    assert!(shown.contains(error.kind.advice()), "{shown} does not say what to do");
    shown
}
