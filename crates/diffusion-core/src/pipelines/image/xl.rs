//! Parameters that only Stable Diffusion XL takes: a second text for its second encoder, and the numbers that it is conditioned on.
//!
//! This module must not depend on models. Invariants: every field acts alone, or is refused by a model that does not use it; where diffusers'
//! `StableDiffusionXLPipeline` and its siblings act on the same fields, the numbers are the same.

use super::{ImageParams, Start};
use crate::{Error, Result, guidance::AddedTimeIds, weights::ModelFamily};

/// The refiner's aesthetic scores without any other, as in diffusers.
const AESTHETIC_SCORE: f64 = 6.0;
const NEGATIVE_AESTHETIC_SCORE: f64 = 2.5;

/// The part of a request that only a Stable Diffusion XL model can follow. Sizes and positions are (height, width) and (top, left) in
/// pixels, as in diffusers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct XlParams {
    /// The prompt of the second text encoder; empty for the first one's.
    pub prompt_2: String,
    /// The negative prompt of the second text encoder; empty for the first one's.
    pub negative_prompt_2: String,
    /// The declared size of the image before it was scaled; `None` for its own size.
    pub original_size: Option<(u32, u32)>,
    /// The declared position of the image in the original one.
    pub crops_coords_top_left: (u32, u32),
    /// The declared size of the image; `None` for its own size. Not for the refiner.
    pub target_size: Option<(u32, u32)>,
    /// `original_size` for the negative prompt; `None` for the prompt's.
    pub negative_original_size: Option<(u32, u32)>,
    /// `crops_coords_top_left` for the negative prompt. `None` for the prompt's, but (0, 0) for the refiner, and where an image from noise has
    /// another size for the negative prompt.
    pub negative_crops_coords_top_left: Option<(u32, u32)>,
    /// `target_size` for the negative prompt; `None` for the prompt's. Not for the refiner.
    pub negative_target_size: Option<(u32, u32)>,
    /// The refiner's score of the image's looks; `None` for 6.
    pub aesthetic_score: Option<f64>,
    /// The refiner's score for the negative prompt; `None` for 2.5.
    pub negative_aesthetic_score: Option<f64>,
}

impl XlParams {
    /// Refuses fields that a model of this family does not use, and scores that are not finite.
    pub(super) fn check(&self, family: ModelFamily) -> Result<()> {
        let every = [
            ("prompt_2", !self.prompt_2.is_empty()),
            ("negative_prompt_2", !self.negative_prompt_2.is_empty()),
            ("original_size", self.original_size.is_some()),
            ("crops_coords_top_left", self.crops_coords_top_left != (0, 0)),
            ("negative_original_size", self.negative_original_size.is_some()),
            ("negative_crops_coords_top_left", self.negative_crops_coords_top_left.is_some()),
        ];
        let targets = [("target_size", self.target_size.is_some()), ("negative_target_size", self.negative_target_size.is_some())];
        let scores = [("aesthetic_score", self.aesthetic_score), ("negative_aesthetic_score", self.negative_aesthetic_score)];
        let is_given = scores.map(|(field, score)| (field, score.is_some()));
        let (unused, reason): (Vec<(&str, bool)>, &str) = match family {
            ModelFamily::StableDiffusionXl => (is_given.to_vec(), "is only for Stable Diffusion XL's refiner, which this model is not"),
            ModelFamily::StableDiffusionXlRefiner => (targets.to_vec(), "is not for Stable Diffusion XL's refiner, which this model is"),
            ModelFamily::StableDiffusion | ModelFamily::StableVideoDiffusion => {
                ([&every[..], &targets, &is_given].concat(), "is only for Stable Diffusion XL models, which this one is not")
            }
        };
        if let Some((field, _)) = unused.into_iter().find(|(_, is_given)| *is_given) {
            return Err(Error::Params { field, reason: format!("{reason}; leave it out") });
        }
        match scores.into_iter().find(|(_, score)| score.is_some_and(|score| !score.is_finite())) {
            Some((field, _)) => Err(Error::Params { field, reason: "is not a finite number".into() }),
            None => Ok(()),
        }
    }
}

impl ImageParams {
    /// The numbers that a Stable Diffusion XL model is conditioned on.
    pub(super) fn added_time_ids(&self, family: ModelFamily) -> AddedTimeIds {
        self.added_time_ids_of(family, matches!(self.start, Start::Noise))
    }

    /// The same, for an image that starts from noise or not, whatever the parameters say.
    pub(super) fn added_time_ids_of(&self, family: ModelFamily, starts_from_noise: bool) -> AddedTimeIds {
        let (xl, own) = (&self.xl, (self.height, self.width));
        let is_refiner = family == ModelFamily::StableDiffusionXlRefiner;
        let ids = |original: (u32, u32), crop: (u32, u32), target: (u32, u32), score: f64| {
            let pixels = [original.0, original.1, crop.0, crop.1].map(|pixels| pixels as f32);
            let last = if is_refiner { vec![score as f32] } else { vec![target.0 as f32, target.1 as f32] };
            [pixels.as_slice(), &last].concat()
        };
        let (original, target) = (xl.original_size.unwrap_or(own), xl.target_size.unwrap_or(own));
        let has_negative_size = xl.negative_original_size.is_some() || xl.negative_target_size.is_some();
        let crop = if is_refiner || (has_negative_size && starts_from_noise) { (0, 0) } else { xl.crops_coords_top_left };
        AddedTimeIds {
            positive: ids(original, xl.crops_coords_top_left, target, xl.aesthetic_score.unwrap_or(AESTHETIC_SCORE)),
            negative: ids(
                xl.negative_original_size.unwrap_or(original),
                xl.negative_crops_coords_top_left.unwrap_or(crop),
                xl.negative_target_size.unwrap_or(target),
                xl.negative_aesthetic_score.unwrap_or(NEGATIVE_AESTHETIC_SCORE),
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(xl: XlParams, family: ModelFamily) -> AddedTimeIds {
        ImageParams { xl, ..ImageParams::new("", (64, 72)) }.added_time_ids(family)
    }

    #[test]
    fn sizes_are_the_images_own_unless_given() {
        let check = |xl: &XlParams, positive: [f32; 6], negative: [f32; 6]| {
            let found = ids(xl.clone(), ModelFamily::StableDiffusionXl);
            assert_eq!(found, AddedTimeIds { positive: positive.to_vec(), negative: negative.to_vec() });
        };
        let own = [72.0, 64.0, 0.0, 0.0, 72.0, 64.0];
        check(&XlParams::default(), own, own);
        let moved = XlParams { crops_coords_top_left: (3, 5), ..XlParams::default() };
        let cropped = [72.0, 64.0, 3.0, 5.0, 72.0, 64.0];
        check(&moved, cropped, cropped);
        // Each negative field acts alone.
        let original = XlParams { negative_original_size: Some((8, 9)), ..moved.clone() };
        check(&original, cropped, [8.0, 9.0, 0.0, 0.0, 72.0, 64.0]);
        let crop = XlParams { negative_crops_coords_top_left: Some((1, 2)), ..moved.clone() };
        check(&crop, cropped, [72.0, 64.0, 1.0, 2.0, 72.0, 64.0]);
        let target = XlParams { negative_target_size: Some((6, 7)), original_size: Some((90, 80)), ..moved };
        check(&target, [90.0, 80.0, 3.0, 5.0, 72.0, 64.0], [90.0, 80.0, 0.0, 0.0, 6.0, 7.0]);
    }

    #[test]
    fn the_refiner_takes_a_score_instead_of_the_target() {
        let moved = XlParams { crops_coords_top_left: (3, 5), ..XlParams::default() };
        let found = ids(moved.clone(), ModelFamily::StableDiffusionXlRefiner);
        assert_eq!(found.positive, [72.0, 64.0, 3.0, 5.0, 6.0]);
        assert_eq!(found.negative, [72.0, 64.0, 0.0, 0.0, 2.5]);
        let scores = XlParams { aesthetic_score: Some(7.5), negative_aesthetic_score: Some(1.0), ..moved };
        let found = ids(scores, ModelFamily::StableDiffusionXlRefiner);
        assert_eq!((found.positive.last(), found.negative.last()), (Some(&7.5), Some(&1.0)));
    }

    #[test]
    fn a_field_without_a_use_is_refused_by_name() {
        const BASE: ModelFamily = ModelFamily::StableDiffusionXl;
        const REFINER: ModelFamily = ModelFamily::StableDiffusionXlRefiner;
        for family in [ModelFamily::StableDiffusion, BASE, REFINER] {
            assert!(XlParams::default().check(family).is_ok());
        }
        let refused = |xl: &XlParams, family| match xl.check(family) {
            Ok(()) => "",
            Err(Error::Params { field, .. }) => field,
            Err(other) => unreachable!("{other:?}"),
        };
        let check = |field: &str, xl: XlParams, base: bool, refiner: bool| {
            assert_eq!(refused(&xl, ModelFamily::StableDiffusion), field);
            assert_eq!((refused(&xl, BASE).is_empty(), refused(&xl, REFINER).is_empty()), (base, refiner), "{field}");
        };
        check("prompt_2", XlParams { prompt_2: "a".into(), ..XlParams::default() }, true, true);
        check("crops_coords_top_left", XlParams { crops_coords_top_left: (0, 1), ..XlParams::default() }, true, true);
        check("negative_target_size", XlParams { negative_target_size: Some((8, 8)), ..XlParams::default() }, true, false);
        check("aesthetic_score", XlParams { aesthetic_score: Some(6.0), ..XlParams::default() }, false, true);
        let endless = XlParams { negative_aesthetic_score: Some(f64::INFINITY), ..XlParams::default() };
        assert_eq!(refused(&endless, REFINER), "negative_aesthetic_score");
    }
}
