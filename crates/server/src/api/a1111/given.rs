//! The picture that a request starts from, and its mask.
//!
//! The invariant: decoding happens off the async threads, in its turn, within the bounds of [`generation::given_image`].

use actix_web::web;
use image::{DynamicImage, GrayImage, RgbImage};

use super::fields::Given;
use crate::{
    files::{decoding, image_text},
    http::Problem,
    inputs::{Requester, SourceError, image_source, mask::mask_for},
    state::ApiState,
};

/// The picture and its mask, each at its own size.
///
/// # Errors
/// The field at fault, and why; or a fault of the server.
pub(super) async fn given(
    image: String,
    mask: Option<String>,
    asker: Requester<'_>,
    state: &ApiState,
) -> Result<Given, (&'static str, SourceError)> {
    let image = state.images().image(image, asker).await.map_err(|error| ("init_images", error))?.image;
    let Some(mask) = mask else { return Ok(Given { image: Some(image), ..Given::default() }) };
    let of_mask = |error| ("mask", error);
    let mask = match is_address(&mask) {
        true => {
            let mask = state.images().image(mask, asker).await.map_err(of_mask)?.image;
            Ok(DynamicImage::from(mask))
        }
        false => {
            let _turn = decoding::turn().await.map_err(|_| of_mask(Problem::internal().into()))?;
            let decoded = web::block(move || {
                let bytes = image_text::bytes(&mask).map_err(|error| error.to_string())?;
                image_source::decode_whole(bytes)
            });
            decoded.await.map_err(|error| of_mask(Problem::from(error).into()))?
        }
    };
    let mask = mask.map_err(|reason| of_mask(SourceError::Refused(reason)))?;
    let sized = web::block(move || {
        mask_for(mask, image.dimensions()).map(|mask| Given { image: Some(image), mask: Some(mask), ..Given::default() })
    });
    let sized = sized.await.map_err(|error| of_mask(Problem::from(error).into()))?;
    sized.map_err(|reason| of_mask(SourceError::Refused(reason)))
}

fn is_address(text: &str) -> bool {
    let start = text.trim_start().get(..8).unwrap_or_default().to_ascii_lowercase();
    start.starts_with("http://") || start == "https://"
}

/// Stand-ins for pictures that are not there yet: a mask that is white somewhere and black elsewhere.
pub(super) fn stand_in(has_mask: bool) -> Given {
    let mask = GrayImage::from_fn(8, 8, |x, _| image::Luma([if x < 4 { 255 } else { 0 }]));
    Given { image: Some(RgbImage::new(8, 8)), mask: has_mask.then_some(mask), ..Given::default() }
}
