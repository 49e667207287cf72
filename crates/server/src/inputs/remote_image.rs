//! A picture for a provider: a PNG file, and the address that its caller gave.

use actix_web::web;
use generation::png;
use remote_providers::{ImageFormat, InputImage};

use super::image_source::GivenImage;
use crate::http::Problem;

/// Encodes the picture.
pub(crate) async fn input_image(given: GivenImage) -> Result<InputImage, Problem> {
    let GivenImage { image, address } = given;
    let bytes = web::block(move || png::encode_fast(&image)).await?.map_err(|_| Problem::internal())?;
    Ok(InputImage { bytes, format: ImageFormat::Png, source_url: address.map(String::from) })
}
