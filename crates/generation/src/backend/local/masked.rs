//! Given images and masks at the size of a run, and the repainted part put back into the image.
//!
//! It must not know models. Invariants: an image and its mask are cut and resized alike; without a [`MaskSpec`]
//! and with the default resize mode both are passed on as they are. Follows `StableDiffusionProcessingImg2Img.init` of AUTOMATIC1111's web UI.

use diffusion_core::{
    Result,
    imaging::{Part, blurred_mask, composed, filled, padded, padded_mask, resized, resized_mask, resized_part},
};
use image::{GrayImage, Luma, RgbImage, imageops};

use crate::spec::image::{ImageMode, ImageSpec, MaskContent, MaskSpec, ResizeMode};

/// A given image at the size of a run.
pub(super) fn fitted(image: &RgbImage, mode: ResizeMode, (width, height): (u32, u32)) -> Result<RgbImage> {
    match mode {
        // The pipeline stretches.
        ResizeMode::Stretch | ResizeMode::Latent => Ok(image.clone()),
        ResizeMode::Crop => resized_part(image, Part::covering(image.dimensions(), (width, height)), width, height),
        ResizeMode::Fill => padded(image, width, height),
    }
}

fn fitted_mask(mask: &GrayImage, mode: ResizeMode, (width, height): (u32, u32)) -> Result<GrayImage> {
    match mode {
        ResizeMode::Stretch | ResizeMode::Latent => resized_mask(mask, Part::whole(mask.width(), mask.height()), width, height),
        ResizeMode::Crop => resized_mask(mask, Part::covering(mask.dimensions(), (width, height)), width, height),
        ResizeMode::Fill => padded_mask(mask, width, height),
    }
}

/// A rectangle of whole pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Region {
    left: u32,
    top: u32,
    width: u32,
    height: u32,
}

/// The mask of an image, at the image's size: inverted, and with its blurred edge.
fn soft_mask(mask: &GrayImage, spec: &MaskSpec, (width, height): (u32, u32)) -> Result<GrayImage> {
    let mut mask = match mask.dimensions() == (width, height) {
        true => mask.clone(),
        false => resized_mask(mask, Part::whole(mask.width(), mask.height()), width, height)?,
    };
    if spec.invert() {
        imageops::invert(&mut mask);
    }
    Ok(blurred_mask(&mask, spec.blur()))
}

/// What a masked run starts from: the image, and its mask.
pub(super) fn start_of(
    (image, mask): (&RgbImage, &GrayImage),
    (resize, spec): (ResizeMode, Option<&MaskSpec>),
    size: (u32, u32),
) -> Result<(RgbImage, GrayImage)> {
    let Some(spec) = spec else {
        return Ok(match resize {
            ResizeMode::Stretch | ResizeMode::Latent => (image.clone(), mask.clone()),
            ResizeMode::Crop | ResizeMode::Fill => (fitted(image, resize, size)?, fitted_mask(mask, resize, size)?),
        });
    };
    let soft = soft_mask(mask, spec, image.dimensions())?;
    let (image, mask) = match spec.only_masked() {
        Some(padding) => {
            let region = region(&soft, padding, size);
            let Region { left, top, width, height } = region;
            let image = imageops::crop_imm(image, left, top, width, height).to_image();
            let mask = imageops::crop_imm(&soft, left, top, width, height).to_image();
            (padded(&image, size.0, size.1)?, padded_mask(&mask, size.0, size.1)?)
        }
        None if resize == ResizeMode::Latent => (image.clone(), soft),
        None => {
            let image = match resize {
                ResizeMode::Stretch => resized(image, size.0, size.1)?,
                ResizeMode::Crop | ResizeMode::Fill | ResizeMode::Latent => fitted(image, resize, size)?,
            };
            (image, fitted_mask(&soft, resize, size)?)
        }
    };
    let image = match spec.content() {
        MaskContent::Original => image,
        MaskContent::Fill | MaskContent::Noise | MaskContent::Nothing => filled(&image, &mask),
    };
    Ok((image, mask))
}

/// The finished image of a run at its output size: what its mask keeps of the given image is there again.
pub(super) fn put_back(spec: &ImageSpec, made: RgbImage) -> Result<RgbImage> {
    let ImageMode::Inpaint { init_image, mask_image, resize, mask: Some(mask), .. } = spec.mode() else {
        return resized_to(made, spec.output_size());
    };
    let soft = soft_mask(mask_image, mask, init_image.dimensions())?;
    if let Some(padding) = mask.only_masked() {
        let Region { left, top, width, height } = region(&soft, padding, (spec.width(), spec.height()));
        let part = resized_part(&made, Part::covering(made.dimensions(), (width, height)), width, height)?;
        let mut whole = init_image.clone();
        imageops::replace(&mut whole, &part, left.into(), top.into());
        return resized_to(composed(init_image, &whole, &soft), spec.output_size());
    }
    // Not at the run's size: what is kept would be resized with the rest.
    let made = resized_to(made, spec.output_size())?;
    let size = made.dimensions();
    let original = match resize {
        ResizeMode::Stretch | ResizeMode::Latent => resized(init_image, size.0, size.1)?,
        ResizeMode::Crop | ResizeMode::Fill => fitted(init_image, *resize, size)?,
    };
    // The edge is repainted as far as the mask is half white, so that no seam of the original is left there.
    let mut wider = fitted_mask(&soft, *resize, size)?;
    wider.pixels_mut().for_each(|Luma([value])| *value = value.saturating_mul(2));
    Ok(composed(&original, &made, &wider))
}

/// Resizes a finished image to the requested size; excess is cropped evenly at both ends rather than squeezed.
pub(super) fn resized_to(image: RgbImage, size: Option<(u32, u32)>) -> Result<RgbImage> {
    match size.filter(|size| *size != image.dimensions()) {
        None => Ok(image),
        Some((width, height)) => resized_part(&image, Part::covering(image.dimensions(), (width, height)), width, height),
    }
}

/// The rectangle about a mask, in the proportions of the run as far as the image allows; the whole image for a mask without a white pixel.
fn region(mask: &GrayImage, padding: u32, size: (u32, u32)) -> Region {
    let (width, height) = mask.dimensions();
    let white = mask.enumerate_pixels().filter(|(_, _, pixel)| pixel.0[0] > 0).map(|(x, y, _)| (x, y));
    let bounds = white.fold(None, |bounds: Option<(u32, u32, u32, u32)>, (x, y)| {
        let (left, top, right, bottom) = bounds.unwrap_or((x, y, x, y));
        Some((left.min(x), top.min(y), right.max(x), bottom.max(y)))
    });
    let Some((left, top, right, bottom)) = bounds else { return Region { left: 0, top: 0, width, height } };
    let across = (left.saturating_sub(padding), (right + 1).saturating_add(padding).min(width));
    let down = (top.saturating_sub(padding), (bottom + 1).saturating_add(padding).min(height));
    let (wide, high) = (u64::from(across.1 - across.0), u64::from(down.1 - down.0));
    let (of_width, of_height) = (u64::from(size.0.max(1)), u64::from(size.1.max(1)));
    let side = |side: u64| u32::try_from(side).unwrap_or(u32::MAX);
    let (across, down) = match wide * of_height > high * of_width {
        true => (across, widened(down, side(wide * of_height / of_width), height)),
        false => (widened(across, side(high * of_width / of_height), width), down),
    };
    Region { left: across.0, top: down.0, width: across.1 - across.0, height: down.1 - down.0 }
}

/// A range about the same middle, of at least this length, inside 0 to `most`.
fn widened((start, end): (u32, u32), length: u32, most: u32) -> (u32, u32) {
    let length = length.max(end - start).min(most);
    let start = start.saturating_sub((length - (end - start)) / 2).min(most - length);
    (start, start + length)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use image::Rgb;

    use super::*;
    use crate::{
        model_info::ModelInfo,
        spec::{
            image::{ImageRequest, MaskRequest},
            limits::Limits,
        },
    };

    fn mask(size: (u32, u32), white: [u32; 4]) -> GrayImage {
        let [left, top, right, bottom] = white;
        GrayImage::from_fn(size.0, size.1, |x, y| Luma([if (left..right).contains(&x) && (top..bottom).contains(&y) { 255 } else { 0 }]))
    }

    #[test]
    fn a_region_has_the_runs_proportions_and_stays_inside() {
        let of = |white: [u32; 4], padding, size| {
            let Region { left, top, width, height } = region(&mask((200, 100), white), padding, size);
            [left, top, width, height]
        };
        assert_eq!(of([90, 40, 110, 60], 0, (64, 64)), [90, 40, 20, 20]);
        assert_eq!(of([90, 40, 110, 60], 10, (64, 64)), [80, 30, 40, 40]);
        assert_eq!(of([90, 40, 110, 60], 0, (128, 64)), [80, 40, 40, 20]);
        // At the corner it is shifted inside, and at most the whole image.
        assert_eq!(of([0, 0, 30, 10], 0, (64, 64)), [0, 0, 30, 30]);
        assert_eq!(of([190, 0, 200, 100], 4, (128, 64)), [0, 0, 200, 100]);
        assert_eq!(of([0, 0, 0, 0], 4, (64, 64)), [0, 0, 200, 100]);
    }

    fn spec(init_image: RgbImage, mask_image: GrayImage, mask: MaskRequest, resize: &str) -> ImageSpec {
        let request = ImageRequest {
            prompt: Some("a boat".into()),
            seed: Some(1),
            width: Some(64),
            height: Some(64),
            init_image: Some(init_image),
            mask_image: Some(mask_image),
            mask: Some(mask),
            resize_mode: Some(resize.to_owned()),
            ..ImageRequest::default()
        };
        request.validate(&Limits::default(), &ModelInfo::for_tests()).unwrap()
    }

    #[test]
    fn what_a_mask_keeps_is_the_given_image_pixel_for_pixel() {
        let given = RgbImage::from_fn(160, 80, |x, y| Rgb([x as u8, y as u8, 7]));
        let made = RgbImage::from_pixel(64, 64, Rgb([255, 255, 255]));
        let white = mask((160, 80), [60, 30, 90, 50]);
        for invert in [false, true] {
            let request = MaskRequest { only_masked: Some(true), padding: Some(8), invert: Some(invert), ..MaskRequest::default() };
            let result = put_back(&spec(given.clone(), white.clone(), request, "stretch"), made.clone()).unwrap();
            assert_eq!(result.dimensions(), (160, 80), "the image keeps its size");
            for (x, y, pixel) in result.enumerate_pixels() {
                let is_made = (white.get_pixel(x, y).0[0] == 255) != invert;
                assert_eq!(pixel, if is_made { &Rgb([255, 255, 255]) } else { given.get_pixel(x, y) }, "{x} {y} {invert}");
            }
        }
        // The whole image is made at the run's size.
        let request = MaskRequest { blur: Some(2.0), ..MaskRequest::default() };
        let result = put_back(&spec(given.clone(), white, request, "crop"), made).unwrap();
        let small = fitted(&given, ResizeMode::Crop, (64, 64)).unwrap();
        assert_eq!((result.dimensions(), result.get_pixel(2, 2)), ((64, 64), small.get_pixel(2, 2)));
        assert_eq!(result.get_pixel(28, 32), &Rgb([255, 255, 255]));
    }

    #[test]
    fn what_a_mask_keeps_has_not_been_through_the_runs_size() {
        let given = RgbImage::from_fn(160, 160, |x, y| Rgb([x as u8, y as u8, (x * y) as u8]));
        let made = RgbImage::from_pixel(64, 64, Rgb([255, 255, 255]));
        let white = mask((160, 160), [60, 30, 90, 50]);
        for only_masked in [false, true] {
            let request = MaskRequest { only_masked: Some(only_masked), ..MaskRequest::default() };
            let mut spec = spec(given.clone(), white.clone(), request, "stretch");
            spec.output_size = Some((160, 160));
            let result = put_back(&spec, made.clone()).unwrap();
            for (x, y, pixel) in result.enumerate_pixels() {
                let expected = if white.get_pixel(x, y).0[0] == 255 { &Rgb([255, 255, 255]) } else { given.get_pixel(x, y) };
                assert_eq!(pixel, expected, "{x} {y} {only_masked}");
            }
        }
    }

    #[test]
    fn a_run_starts_from_the_part_about_the_mask() {
        let given = RgbImage::from_fn(160, 80, |x, _| Rgb([if x < 80 { 10 } else { 200 }, 0, 0]));
        let white = mask((160, 80), [100, 30, 120, 50]);
        let of = |content: &str| {
            let request = MaskRequest { only_masked: Some(true), padding: Some(4), fill: Some(content.into()), ..MaskRequest::default() };
            let spec = spec(given.clone(), white.clone(), request, "stretch");
            let ImageMode::Inpaint { init_image, mask_image, resize, mask, .. } = spec.mode() else { unreachable!() };
            start_of((init_image, mask_image), (*resize, mask.as_ref()), (64, 64)).unwrap()
        };
        let (image, mask) = of("original");
        assert_eq!((image.dimensions(), mask.dimensions()), ((64, 64), (64, 64)));
        assert!(image.pixels().all(|pixel| pixel.0[0] == 200), "the region is right of the border");
        assert_eq!((mask.get_pixel(32, 32).0[0], mask.get_pixel(1, 1).0[0]), (255, 0));
        assert_eq!(of("fill").0.get_pixel(32, 32).0[0], 200);
    }
}
