//! A picture as a service gets it: a PNG file, and the address where its caller said that it lies.

use actix_web::web;
use generation::png;
use image::RgbImage;
use remote_providers::{ImageFormat, InputImage};
use url::Url;

use crate::http::Problem;

/// The picture, and `source` where that is an address which others than this server can fetch: not one of ours, for those want a key.
pub(crate) async fn input_image(picture: RgbImage, source: &str, base_url: &str) -> Result<InputImage, Problem> {
    let bytes = web::block(move || png::encode_fast(&picture)).await?.map_err(|_| Problem::internal())?;
    Ok(InputImage { bytes, format: ImageFormat::Png, source_url: address(source, base_url) })
}

fn address(source: &str, base_url: &str) -> Option<String> {
    let url = Url::parse(source.trim()).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?;
    let is_ours = Url::parse(base_url).is_ok_and(|base| base.origin() == url.origin());
    (!is_ours).then(|| url.into())
}

#[cfg(test)]
mod tests {
    use super::address;

    #[test]
    fn a_service_is_given_addresses_that_it_can_fetch() {
        let base = "http://localhost:8000";
        for (source, expected) in [
            (" https://a.example/b.png?c=d ", Some("https://a.example/b.png?c=d")),
            ("http://localhost:8000/files/a/b.png", None),
            ("data:image/png;base64,AAAA", None),
            ("iVBORw0KGgo", None),
            ("/uploads/a.png", None),
        ] {
            assert_eq!(address(source, base).as_deref(), expected, "{source}");
        }
    }
}
