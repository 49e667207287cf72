//! The fields of a request that only a Stable Diffusion XL model can follow.
//!
//! It must not know the rest of a request. Invariant: a field that was given is in the spec; the model refuses the ones that it does not use.

use diffusion_core::{pipelines::XlParams, prompt::PromptSyntax};
use serde::{Deserialize, Serialize};

use crate::spec::{
    check::Check,
    field_error::FieldErrorKind,
    limits::{AESTHETIC_SCORE, Limits, MAX_DECLARED_SIDE},
};

/// The unchecked fields. Sizes are texts such as "1024x768", width first.
#[derive(Clone, Debug, Default)]
pub struct SdxlRequest {
    /// The prompt of the second text encoder. Default: `prompt`.
    pub prompt_2: Option<String>,
    /// The negative prompt of the second text encoder. Default: `negative_prompt`.
    pub negative_prompt_2: Option<String>,
    /// The declared size of the picture before it was scaled. Default: its own.
    pub original_size: Option<String>,
    /// The declared position in the original picture, "TOP,LEFT". Default: "0,0".
    pub crops_coords_top_left: Option<String>,
    /// The declared size of the picture. Default: its own. Not for the refiner.
    pub target_size: Option<String>,
    /// `original_size` for the negative prompt. Default: the prompt's.
    pub negative_original_size: Option<String>,
    /// `crops_coords_top_left` for the negative prompt. Default: as in diffusers' pipeline of the request's kind.
    pub negative_crops_coords_top_left: Option<String>,
    /// `target_size` for the negative prompt. Default: the prompt's. Not for the refiner.
    pub negative_target_size: Option<String>,
    /// The refiner's score of the picture's looks. Default 6.
    pub aesthetic_score: Option<f64>,
    /// The refiner's score for the negative prompt. Default 2.5.
    pub negative_aesthetic_score: Option<f64>,
}

/// The validated fields; see [`SdxlRequest`]. Sizes are (height, width), positions (top, left), as in diffusers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SdxlSpec {
    #[serde(skip_serializing_if = "String::is_empty")]
    prompt_2: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    negative_prompt_2: String,
    original_size: Option<(u32, u32)>,
    crops_coords_top_left: Option<(u32, u32)>,
    target_size: Option<(u32, u32)>,
    negative_original_size: Option<(u32, u32)>,
    negative_crops_coords_top_left: Option<(u32, u32)>,
    negative_target_size: Option<(u32, u32)>,
    aesthetic_score: Option<f64>,
    negative_aesthetic_score: Option<f64>,
}

impl SdxlRequest {
    /// Checks every field; faults are added to `check`.
    pub(super) fn validate(self, check: &mut Check, limits: &Limits, syntax: Option<PromptSyntax>) -> Option<SdxlSpec> {
        let mut text = |field, text: Option<String>| {
            let text = text.unwrap_or_default();
            (check.not_too_long(field, &text, limits) && check.in_syntax(field, &text, syntax)).then_some(text)
        };
        let prompt_2 = text("prompt_2", self.prompt_2);
        let negative_prompt_2 = text("negative_prompt_2", self.negative_prompt_2);
        let mut size = |field, text: Option<String>| check.pair(field, text, ['x', 'X'], 1, "WIDTHxHEIGHT, such as \"1024x768\"");
        let original_size = size("original_size", self.original_size);
        let target_size = size("target_size", self.target_size);
        let negative_original_size = size("negative_original_size", self.negative_original_size);
        let negative_target_size = size("negative_target_size", self.negative_target_size);
        let mut crop = |field, text: Option<String>| check.pair(field, text, [',', ';'], 0, "TOP,LEFT, such as \"0,128\"");
        let crops_coords_top_left = crop("crops_coords_top_left", self.crops_coords_top_left);
        let negative_crops_coords_top_left = crop("negative_crops_coords_top_left", self.negative_crops_coords_top_left);
        let mut score = |field, score: Option<f64>| match score {
            None => Some(None),
            Some(score) => check.float(field, Some(score), 0.0, AESTHETIC_SCORE).map(Some),
        };
        let aesthetic_score = score("aesthetic_score", self.aesthetic_score);
        let negative_aesthetic_score = score("negative_aesthetic_score", self.negative_aesthetic_score);
        let turned = |size: Option<(u32, u32)>| size.map(|(width, height)| (height, width));
        Some(SdxlSpec {
            prompt_2: prompt_2?,
            negative_prompt_2: negative_prompt_2?,
            original_size: turned(original_size?),
            crops_coords_top_left: crops_coords_top_left?,
            target_size: turned(target_size?),
            negative_original_size: turned(negative_original_size?),
            negative_crops_coords_top_left: negative_crops_coords_top_left?,
            negative_target_size: turned(negative_target_size?),
            aesthetic_score: aesthetic_score?,
            negative_aesthetic_score: negative_aesthetic_score?,
        })
    }
}

impl Check {
    /// Two whole numbers in a text, each from `least` to [`MAX_DECLARED_SIDE`]; `Some(None)` for an absent one.
    fn pair(
        &mut self,
        field: &'static str,
        text: Option<String>,
        separators: [char; 2],
        least: u32,
        form: &str,
    ) -> Option<Option<(u32, u32)>> {
        let Some(text) = text else { return Some(None) };
        let number = |text: &str| text.trim().parse::<u32>().ok().filter(|number| (least..=MAX_DECLARED_SIDE).contains(number));
        let pair = text.split_once(separators).and_then(|(one, other)| Some((number(one)?, number(other)?)));
        if pair.is_some() {
            return Some(pair);
        }
        let error = format!("expected {form}, with numbers of {least} to {MAX_DECLARED_SIDE}");
        self.fail(field, text, FieldErrorKind::Value { error })
    }
}

impl SdxlSpec {
    /// Whether no field was given.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The prompt of the second text encoder; empty for the prompt.
    pub fn prompt_2(&self) -> &str {
        &self.prompt_2
    }

    /// The negative prompt of the second text encoder; empty for the negative prompt.
    pub fn negative_prompt_2(&self) -> &str {
        &self.negative_prompt_2
    }

    /// The request with these fields.
    pub fn to_request(&self) -> SdxlRequest {
        let text = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
        let size = |size: Option<(u32, u32)>| size.map(|(height, width)| format!("{width}x{height}"));
        let crop = |crop: Option<(u32, u32)>| crop.map(|(top, left)| format!("{top},{left}"));
        SdxlRequest {
            prompt_2: text(&self.prompt_2),
            negative_prompt_2: text(&self.negative_prompt_2),
            original_size: size(self.original_size),
            crops_coords_top_left: crop(self.crops_coords_top_left),
            target_size: size(self.target_size),
            negative_original_size: size(self.negative_original_size),
            negative_crops_coords_top_left: crop(self.negative_crops_coords_top_left),
            negative_target_size: size(self.negative_target_size),
            aesthetic_score: self.aesthetic_score,
            negative_aesthetic_score: self.negative_aesthetic_score,
        }
    }

    /// The model's parameters.
    pub(crate) fn params(&self) -> XlParams {
        XlParams {
            prompt_2: self.prompt_2.clone(),
            negative_prompt_2: self.negative_prompt_2.clone(),
            original_size: self.original_size,
            crops_coords_top_left: self.crops_coords_top_left.unwrap_or_default(),
            target_size: self.target_size,
            negative_original_size: self.negative_original_size,
            negative_crops_coords_top_left: self.negative_crops_coords_top_left,
            negative_target_size: self.negative_target_size,
            aesthetic_score: self.aesthetic_score,
            negative_aesthetic_score: self.negative_aesthetic_score,
        }
    }

    /// The fields that were given, by names for people, with their values as in a request.
    pub(crate) fn described(&self) -> Vec<(&'static str, String)> {
        let texts = [("Prompt 2", &self.prompt_2), ("Negative prompt 2", &self.negative_prompt_2)];
        let texts = texts.into_iter().filter(|(_, text)| !text.is_empty()).map(|(key, text)| (key, text.clone()));
        let sizes = [
            ("Original size", self.original_size),
            ("Target size", self.target_size),
            ("Negative original size", self.negative_original_size),
            ("Negative target size", self.negative_target_size),
        ];
        let sizes = sizes.into_iter().filter_map(|(key, size)| size.map(|(height, width)| (key, format!("{width}x{height}"))));
        let crops = [("Crop top left", self.crops_coords_top_left), ("Negative crop top left", self.negative_crops_coords_top_left)];
        let crops = crops.into_iter().filter_map(|(key, crop)| crop.map(|(top, left)| (key, format!("{top},{left}"))));
        let scores = [("Aesthetic score", self.aesthetic_score), ("Negative aesthetic score", self.negative_aesthetic_score)];
        let scores = scores.into_iter().filter_map(|(key, score)| score.map(|score| (key, score.to_string())));
        texts.chain(sizes).chain(crops).chain(scores).collect()
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn checked(request: SdxlRequest) -> Result<SdxlSpec, Vec<String>> {
        let mut check = Check::default();
        let spec = request.validate(&mut check, &Limits::DEFAULT, None);
        check.finish(spec).map_err(|errors| errors.iter().map(|error| format!("{} {}", error.field, error.message)).collect())
    }

    #[test]
    fn sizes_are_read_width_first_and_kept_height_first() {
        let request = SdxlRequest {
            prompt_2: Some("snow".into()),
            original_size: Some("1024x768".into()),
            crops_coords_top_left: Some("8, 16".into()),
            negative_target_size: Some(" 640 X 480 ".into()),
            aesthetic_score: Some(7.0),
            ..SdxlRequest::default()
        };
        let spec = checked(request).unwrap();
        let params = spec.params();
        assert_eq!((params.prompt_2.as_str(), params.original_size, params.crops_coords_top_left), ("snow", Some((768, 1024)), (8, 16)));
        assert_eq!((params.negative_target_size, params.target_size), (Some((480, 640)), None));
        let text: Vec<String> = spec.described().into_iter().map(|(key, value)| format!("{key}: {value}")).collect();
        let expected =
            ["Prompt 2: snow", "Original size: 1024x768", "Negative target size: 640x480", "Crop top left: 8,16", "Aesthetic score: 7"];
        assert_eq!(text, expected);
        let stored = serde_json::to_string(&spec).unwrap();
        assert_eq!(serde_json::from_str::<SdxlSpec>(&stored).unwrap(), spec);
        assert_eq!(checked(spec.to_request()).unwrap(), spec);
        assert!(!spec.is_empty() && checked(SdxlRequest::default()).unwrap().is_empty());
    }

    #[test]
    fn every_wrong_field_is_named_with_its_form() {
        let long = Some("x".repeat(2001));
        for text in ["", "1024", "0x768", "1024x-1", "10000x1", "1e3x5", "axb"] {
            let errors = checked(SdxlRequest { original_size: Some(text.into()), ..SdxlRequest::default() }).unwrap_err();
            assert!(errors[0].starts_with("original_size ") && errors[0].contains("WIDTHxHEIGHT"), "{text}: {errors:?}");
        }
        let request = SdxlRequest {
            prompt_2: long.clone(),
            negative_prompt_2: long,
            crops_coords_top_left: Some("8x16".into()),
            aesthetic_score: Some(f64::NAN),
            negative_aesthetic_score: Some(-1.0),
            ..SdxlRequest::default()
        };
        let errors = checked(request).unwrap_err();
        let fields: Vec<&str> = errors.iter().filter_map(|error| error.split(' ').next()).collect();
        let expected = ["prompt_2", "negative_prompt_2", "crops_coords_top_left", "aesthetic_score", "negative_aesthetic_score"];
        assert_eq!(fields, expected);
    }
}
