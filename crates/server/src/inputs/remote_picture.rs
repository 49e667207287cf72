//! A picture for a provider: a PNG file, and the address that its caller gave.

use actix_web::web;
use generation::png;
use remote_providers::{ImageFormat, InputImage};

use super::picture_source::GivenPicture;
use crate::http::Problem;

/// Encodes the picture.
pub(crate) async fn input_image(given: GivenPicture) -> Result<InputImage, Problem> {
    let GivenPicture { picture, address } = given;
    let bytes = web::block(move || png::encode_fast(&picture)).await?.map_err(|_| Problem::internal())?;
    Ok(InputImage { bytes, format: ImageFormat::Png, source_url: address.map(String::from) })
}
