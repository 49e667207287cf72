//! The picture that a request starts from, and the mask of its transparent parts.
//!
//! The invariant: decoding happens off the async threads, in its turn, within the bounds of [`generation::given_image`].

use actix_web::web;
use diffusion_core::imaging::{Part, resized_part};
use image::{DynamicImage, GrayImage, Luma, RgbImage};

use super::body::Given;
use crate::{
    files::{decoding, image_text},
    http::{Problem, multipart_file::SentFile},
    inputs::{Requester, SourceError, image_source},
    state::ApiState,
};

/// A picture as it came.
pub(super) enum Sent {
    /// A file of the form.
    File(SentFile),
    /// A text: an address, base64 or a data URL.
    Text(String),
}

/// A field at fault, and why; or a fault of the server.
pub(super) type Fault = (&'static str, SourceError);

/// The picture and its mask. A picture by URL has no transparency.
pub(super) async fn given(image: Sent, mask: Option<Sent>, asker: Requester<'_>, state: &ApiState) -> Result<Given, Fault> {
    let of_image = |error| ("image", error);
    let (image, file) = match image {
        Sent::Text(text) if is_address(&text) => (Some(state.images().image(text, asker).await.map_err(of_image)?.image), None),
        sent @ (Sent::File(_) | Sent::Text(_)) => (None, Some(sent)),
    };
    let _turn = decoding::turn().await.map_err(|_| of_image(Problem::internal().into()))?;
    let decoded = web::block(move || {
        let whole = |field, sent: Sent| bytes(sent).and_then(image_source::decode_whole).map_err(|reason| (field, reason));
        let (image, own_mask) = match (image, file) {
            (Some(image), _) => (image, None),
            (None, Some(file)) => parts_of(whole("image", file)?),
            (None, None) => return Err(("image", "there is none".to_owned())),
        };
        let mask = match mask {
            None => own_mask,
            Some(sent) => {
                let mask = whole("mask", sent)?;
                if (mask.width(), mask.height()) != image.dimensions() {
                    let (width, height) = image.dimensions();
                    let reason = format!(
                        "a mask has the size of its picture: it is {}x{} pixels, and the picture {width}x{height}",
                        mask.width(),
                        mask.height()
                    );
                    return Err(("mask", reason));
                }
                let reason = "a mask is a PNG or WebP file with transparent parts, which are edited; this one has none".to_owned();
                Some(parts_of(mask).1.ok_or(("mask", reason))?)
            }
        };
        Ok(Given { image: Some(image_source::limit_size(image).map_err(|reason| ("image", reason))?), mask })
    });
    let decoded = decoded.await.map_err(|error| of_image(Problem::from(error).into()))?;
    decoded.map_err(|(field, reason)| (field, SourceError::Refused(reason)))
}

fn is_address(text: &str) -> bool {
    let start = text.trim_start().get(..8).unwrap_or_default().to_ascii_lowercase();
    start.starts_with("http://") || start == "https://"
}

fn bytes(sent: Sent) -> Result<Vec<u8>, String> {
    match sent {
        Sent::File(file) => Ok(file.bytes),
        Sent::Text(text) => image_text::bytes(&text).map_err(|error| error.to_string()),
    }
}

/// The colours of a picture, and white where it is fully transparent; no mask if it is so nowhere.
fn parts_of(image: DynamicImage) -> (RgbImage, Option<GrayImage>) {
    if !image.color().has_alpha() {
        return (image.into_rgb8(), None);
    }
    let rgba = image.into_rgba8();
    let mask = GrayImage::from_fn(rgba.width(), rgba.height(), |x, y| Luma([if rgba.get_pixel(x, y).0[3] == 0 { 255 } else { 0 }]));
    let has_hole = mask.as_raw().contains(&255);
    (DynamicImage::from(rgba).into_rgb8(), has_hole.then_some(mask))
}

impl Given {
    /// Cut about the middle to the proportions of `size`, and resized to `native`, the size at which the model works.
    pub(super) fn fitted(self, size: Option<(u32, u32)>, native: Option<(u32, u32)>) -> Self {
        let (Some(image), Some(size), Some((width, height))) = (self.image, size, native) else { return Self::default() };
        let fit = |image: &RgbImage| resized_part(image, Part::covering(image.dimensions(), size), width, height).ok();
        let mask = self.mask.and_then(|mask| fit(&DynamicImage::from(mask).into_rgb8()));
        // The pipeline divides the mask at one half.
        let mask = mask.map(|mask| GrayImage::from_fn(mask.width(), mask.height(), |x, y| Luma([mask.get_pixel(x, y).0[0]])));
        Self { image: fit(&image), mask }
    }
}

#[cfg(test)]
mod tests {
    use image::{Rgb, Rgba, RgbaImage};

    use super::*;

    #[test]
    fn transparent_pixels_are_the_mask_and_keep_their_colours() {
        let image = RgbaImage::from_fn(4, 2, |x, _| Rgba([9, x as u8, 3, if x < 2 { 0 } else { 1 }]));
        let (colours, mask) = parts_of(DynamicImage::from(image));
        assert_eq!(colours.get_pixel(1, 0), &Rgb([9, 1, 3]));
        assert_eq!(mask.map(GrayImage::into_raw), Some(vec![255, 255, 0, 0, 255, 255, 0, 0]));
        assert!(parts_of(DynamicImage::from(RgbaImage::from_pixel(2, 2, Rgba([1, 2, 3, 4])))).1.is_none());
        assert!(parts_of(DynamicImage::from(RgbImage::new(2, 2))).1.is_none());
    }

    #[test]
    fn a_picture_and_its_mask_are_cut_alike() {
        let image = RgbImage::from_fn(80, 40, |x, _| Rgb([if x < 40 { 0 } else { 255 }; 3]));
        let mask = GrayImage::from_fn(80, 40, |x, _| Luma([if x < 40 { 0 } else { 255 }]));
        let Given { image, mask } = Given { image: Some(image), mask: Some(mask) }.fitted(Some((10, 10)), Some((64, 64)));
        let (image, mask) = (image.unwrap_or_default(), mask.unwrap_or_default());
        assert_eq!((image.dimensions(), mask.dimensions()), ((64, 64), (64, 64)));
        for (x, white) in [(8, false), (56, true)] {
            assert_eq!((image.get_pixel(x, 30).0[1] > 128, mask.get_pixel(x, 30).0[0] > 128), (white, white), "{x}");
        }
    }
}
