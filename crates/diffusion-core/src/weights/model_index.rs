//! Checks model_index.json: whether the pipeline consists of parts that this crate implements, and its family.
//!
//! The pipeline's class determines the parts of a model. As in diffusers, an entry that is not one of that class's is ignored, and is
//! reported to the caller by name.

use serde_json::Value;

use super::{Component, WeightSource, kinds};
use crate::{Error, Result};

const FILE: &str = "model_index.json";

/// The families of models, by input and output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ModelFamily {
    /// Text to image: Stable Diffusion 1.x and 2.x.
    StableDiffusion,
    /// Text to image with two text encoders: Stable Diffusion XL.
    StableDiffusionXl,
    /// Image to image with Stable Diffusion XL's second text encoder alone: its refiner.
    StableDiffusionXlRefiner,
    /// Image to video: Stable Video Diffusion.
    StableVideoDiffusion,
}

/// The setting of Stable Diffusion XL that replaces the states of an empty negative prompt with zeros.
const FORCE_ZEROS: &str = "force_zeros_for_empty_prompt";

/// The setting of Stable Diffusion XL's refiner that replaces the target size with an aesthetic score.
const AESTHETICS_SCORE: &str = "requires_aesthetics_score";

/// A part's name, and its allowed classes.
type Part = (&'static str, &'static [&'static str]);

impl ModelFamily {
    const ALL: [Self; 4] = [Self::StableDiffusion, Self::StableDiffusionXl, Self::StableDiffusionXlRefiner, Self::StableVideoDiffusion];

    /// The family of a model, from its model_index.json.
    ///
    /// # Errors
    /// [`Error::Config`] naming the entry that is missing or not supported; [`Error::File`] if there is no such file.
    pub fn of(source: &dyn WeightSource) -> Result<Self> {
        check(&source.config(Component::ModelIndex)?)
    }

    /// Refuses a model of another family.
    ///
    /// # Errors
    /// [`Error::Config`] that says what the model is; those of [`Self::of`].
    pub fn require(self, source: &dyn WeightSource) -> Result<()> {
        let found = Self::of(source)?;
        if found == self { Ok(()) } else { Err(found.is_not(self)) }
    }

    /// The family of a model that makes images.
    ///
    /// # Errors
    /// [`Error::Config`] that says what the model is, if it makes none; those of [`Self::of`].
    pub fn of_images(source: &dyn WeightSource) -> Result<Self> {
        let found = Self::of(source)?;
        if found.makes_images() { Ok(found) } else { Err(found.is_not(Self::StableDiffusion)) }
    }

    /// Whether its models make images, and no videos.
    pub fn makes_images(self) -> bool {
        match self {
            Self::StableDiffusion | Self::StableDiffusionXl | Self::StableDiffusionXlRefiner => true,
            Self::StableVideoDiffusion => false,
        }
    }

    /// Whether its noise predictors are conditioned on pooled texts and sizes, and its texts are read by a second text encoder.
    pub fn is_xl(self) -> bool {
        match self {
            Self::StableDiffusionXl | Self::StableDiffusionXlRefiner => true,
            Self::StableDiffusion | Self::StableVideoDiffusion => false,
        }
    }

    /// Whether its texts are read by a first text encoder, which Stable Diffusion XL's refiner lacks.
    pub(crate) fn has_first_text_encoder(self) -> bool {
        match self {
            Self::StableDiffusion | Self::StableDiffusionXl => true,
            Self::StableDiffusionXlRefiner | Self::StableVideoDiffusion => false,
        }
    }

    /// The components of its models that have weights.
    pub fn weighted_components(self) -> &'static [Component] {
        match self {
            Self::StableDiffusion => &[Component::TextEncoder, Component::Unet, Component::Vae],
            Self::StableDiffusionXl => &[Component::TextEncoder, Component::TextEncoder2, Component::Unet, Component::Vae],
            Self::StableDiffusionXlRefiner => &[Component::TextEncoder2, Component::Unet, Component::Vae],
            Self::StableVideoDiffusion => &[Component::ImageEncoder, Component::Unet, Component::Vae],
        }
    }

    /// An error about a model of this family where one of `wanted` is required.
    fn is_not(self, wanted: Self) -> Error {
        let reason = format!("the model is {}, but {} is required", self.in_words(), wanted.in_words());
        Error::config(FILE, "_class_name", reason)
    }

    fn in_words(self) -> &'static str {
        match self {
            Self::StableDiffusion => "a Stable Diffusion model, which makes pictures from texts",
            Self::StableDiffusionXl => "a Stable Diffusion XL model, which makes pictures from texts",
            Self::StableDiffusionXlRefiner => "Stable Diffusion XL's refiner, which refines pictures",
            Self::StableVideoDiffusion => "a Stable Video Diffusion model, which sets a picture in motion",
        }
    }

    /// Pipelines that have the same parts and use them differently.
    fn pipelines(self) -> &'static [&'static str] {
        match self {
            Self::StableDiffusion => &[
                "StableDiffusionPipeline",
                "StableDiffusionImg2ImgPipeline",
                "StableDiffusionInpaintPipeline",
                "LatentConsistencyModelPipeline",
                "LatentConsistencyModelImg2ImgPipeline",
            ],
            Self::StableDiffusionXl => {
                &["StableDiffusionXLPipeline", "StableDiffusionXLImg2ImgPipeline", "StableDiffusionXLInpaintPipeline"]
            }
            // The same names as Stable Diffusion XL's: see `check`.
            Self::StableDiffusionXlRefiner => &[],
            Self::StableVideoDiffusion => &["StableVideoDiffusionPipeline"],
        }
    }

    fn parts(self) -> &'static [Part] {
        match self {
            Self::StableDiffusion => &[
                ("unet", &["UNet2DConditionModel"]),
                ("vae", &["AutoencoderKL", "AutoencoderTiny"]),
                ("text_encoder", &["CLIPTextModel", "CLIPTextModelWithProjection"]),
                ("tokenizer", &["CLIPTokenizer", "CLIPTokenizerFast"]),
            ],
            Self::StableDiffusionXl => &[
                ("unet", &["UNet2DConditionModel"]),
                ("vae", &["AutoencoderKL", "AutoencoderTiny"]),
                ("text_encoder", &["CLIPTextModel"]),
                ("text_encoder_2", &["CLIPTextModelWithProjection"]),
                ("tokenizer", &["CLIPTokenizer", "CLIPTokenizerFast"]),
                ("tokenizer_2", &["CLIPTokenizer", "CLIPTokenizerFast"]),
            ],
            Self::StableDiffusionXlRefiner => &[
                ("unet", &["UNet2DConditionModel"]),
                ("vae", &["AutoencoderKL", "AutoencoderTiny"]),
                ("text_encoder_2", &["CLIPTextModelWithProjection"]),
                ("tokenizer_2", &["CLIPTokenizer", "CLIPTokenizerFast"]),
            ],
            Self::StableVideoDiffusion => &[
                ("unet", &["UNetSpatioTemporalConditionModel"]),
                ("vae", &["AutoencoderKLTemporalDecoder"]),
                ("image_encoder", &["CLIPVisionModelWithProjection"]),
                ("feature_extractor", &["CLIPImageProcessor", "CLIPImageProcessorFast", "CLIPImageProcessorPil", "CLIPFeatureExtractor"]),
            ],
        }
    }

    /// Entries of parts that are not run here: safety checkers, watermarks and image encoders of adapters; and settings.
    fn not_run(self) -> &'static [&'static str] {
        match self {
            Self::StableDiffusion => &["safety_checker", "feature_extractor", "requires_safety_checker", "image_encoder"],
            Self::StableDiffusionXl | Self::StableDiffusionXlRefiner => {
                &["image_encoder", "feature_extractor", "add_watermarker", FORCE_ZEROS, AESTHETICS_SCORE]
            }
            Self::StableVideoDiffusion => &[],
        }
    }
}

/// Checks the pipeline's class and the class of every part; returns the family.
///
/// # Errors
/// [`Error::Config`] naming the entry that is missing or not supported.
pub(crate) fn check(index: &Value) -> Result<ModelFamily> {
    let fail = |field: &str, reason: String| Err(Error::config(FILE, field, reason));
    let Some(entries) = index.as_object() else { return fail("_class_name", "missing: the file holds no JSON object".into()) };
    let class = match entries.get("_class_name") {
        None => return fail("_class_name", "missing".into()),
        Some(Value::String(class)) if !class.is_empty() => class.as_str(),
        // [file, class] of a pipeline that lies in the folder as Python code.
        Some(value @ Value::Array(_)) => {
            let reason = format!("unsupported value {value}: it names Python code of the model's own, which is never run");
            return fail("_class_name", reason);
        }
        Some(value) => return fail("_class_name", format!("expected a pipeline's name, found {value}")),
    };
    let Some(mut family) = ModelFamily::ALL.into_iter().find(|family| family.pipelines().contains(&class)) else {
        if let Some(refusal) = kinds::of_class(class) {
            return fail("_class_name", format!("unsupported pipeline {class}: the model {refusal}"));
        }
        let known = ModelFamily::ALL.into_iter().flat_map(ModelFamily::pipelines).copied().collect::<Vec<_>>().join(", ");
        let reason =
            format!("unsupported pipeline {class}; supported are Stable Diffusion 1.x, 2.x and XL and Stable Video Diffusion ({known})");
        return fail("_class_name", reason);
    };
    if family == ModelFamily::StableDiffusionXl {
        let has_score = flag(index, AESTHETICS_SCORE, false)?;
        if class_of(entries.get("text_encoder")).is_none() && class_of(entries.get("text_encoder_2")).is_some() {
            family = ModelFamily::StableDiffusionXlRefiner;
        }
        if has_score != (family == ModelFamily::StableDiffusionXlRefiner) {
            let reason = "expected true for Stable Diffusion XL's refiner, which has no text_encoder, and false for other models";
            return fail(AESTHETICS_SCORE, reason.into());
        }
    }
    for (part, classes) in family.parts() {
        match class_of(entries.get(*part)) {
            None => return fail(part, format!("missing{}", advice(part))),
            Some(class) if classes.contains(&class) => {}
            Some(class) => return fail(part, format!("unsupported class {class}, expected {}", classes.join(" or "))),
        }
    }
    if family.is_xl() {
        zeroes_empty_negatives(index)?;
    }
    if class_of(entries.get("scheduler")).is_none() {
        return fail("scheduler", "missing".into());
    }
    Ok(family)
}

/// Whether the pipeline replaces the states of an empty negative prompt with zeros, from a Stable Diffusion XL model's model_index.json.
///
/// # Errors
/// [`Error::Config`] if the entry is neither true nor false.
pub(crate) fn zeroes_empty_negatives(index: &Value) -> Result<bool> {
    flag(index, FORCE_ZEROS, true)
}

/// A setting of a pipeline; an absent one takes the class's default.
fn flag(index: &Value, field: &str, default: bool) -> Result<bool> {
    match index.get(field) {
        None => Ok(default),
        Some(Value::Bool(truth)) => Ok(*truth),
        Some(Value::Null) => Ok(false),
        Some(value) => Err(Error::config(FILE, field, format!("expected true or false, found {value}"))),
    }
}

/// The index with entries for parts that lie elsewhere. Stable Diffusion XL's refiner has no first text encoder and gets none.
pub(super) fn with_parts(mut index: Value, parts: &[Component]) -> Value {
    let is_refiner = index.get(AESTHETICS_SCORE) == Some(&Value::Bool(true));
    let Some(entries) = index.as_object_mut() else { return index };
    for part in parts {
        let class = if *part == Component::Vae {
            ["diffusers", "AutoencoderKL"]
        } else if *part == Component::TextEncoder2 {
            ["transformers", "CLIPTextModelWithProjection"]
        } else if *part == Component::TextEncoder && !is_refiner {
            ["transformers", "CLIPTextModel"]
        } else {
            continue;
        };
        entries.insert(part.folder().into(), Value::from(class.to_vec()));
    }
    index
}

/// What to do about a part that a model lacks, as the end of a sentence.
pub(super) fn advice(part: &str) -> &'static str {
    match part {
        "vae" => ": name one besides (--vae)",
        "text_encoder" => ": name one besides (--text-encoder)",
        "text_encoder_2" => ": name one besides (--text-encoder-2)",
        _ => "",
    }
}

/// The entries that the family's pipelines do not know: parts and settings of others.
pub(crate) fn ignored(family: ModelFamily, index: &Value) -> Vec<String> {
    let known = |name: &String| {
        name.starts_with('_')
            || name == "scheduler"
            || family.parts().iter().any(|(part, _)| part == name)
            || family.not_run().contains(&name.as_str())
    };
    // An absent part is written `[null, null]`.
    let absent = |value: &Value| value.is_null() || value.as_array().is_some_and(|entry| entry.iter().all(Value::is_null));
    let entries = index.as_object().into_iter().flatten();
    entries.filter(|(name, value)| !known(name) && !absent(value)).map(|(name, _)| name.clone()).collect()
}

/// The class in an entry `["library", "Class"]`; `None` for an absent part, written `[null, null]`.
pub(crate) fn class_of(entry: Option<&Value>) -> Option<&str> {
    entry?.as_array()?.get(1)?.as_str()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use serde_json::json;

    use super::*;

    fn changed(mut index: Value, changes: Value) -> Value {
        for (name, value) in changes.as_object().unwrap() {
            index.as_object_mut().unwrap().insert(name.clone(), value.clone());
        }
        index
    }

    fn index(changes: Value) -> Value {
        let index = json!({
            "_class_name": "StableDiffusionPipeline", "_diffusers_version": "0.6.0",
            "feature_extractor": ["transformers", "CLIPImageProcessor"], "requires_safety_checker": true,
            "safety_checker": ["stable_diffusion", "StableDiffusionSafetyChecker"], "image_encoder": [null, null],
            "scheduler": ["diffusers", "PNDMScheduler"], "text_encoder": ["transformers", "CLIPTextModel"],
            "tokenizer": ["transformers", "CLIPTokenizer"], "unet": ["diffusers", "UNet2DConditionModel"],
            "vae": ["diffusers", "AutoencoderKL"]
        });
        changed(index, changes)
    }

    fn video_index(changes: Value) -> Value {
        let index = json!({
            "_class_name": "StableVideoDiffusionPipeline", "_diffusers_version": "0.24.0.dev0",
            "feature_extractor": ["transformers", "CLIPImageProcessor"],
            "image_encoder": ["transformers", "CLIPVisionModelWithProjection"], "scheduler": ["diffusers", "EulerDiscreteScheduler"],
            "unet": ["diffusers", "UNetSpatioTemporalConditionModel"], "vae": ["diffusers", "AutoencoderKLTemporalDecoder"]
        });
        changed(index, changes)
    }

    fn refusal(index: &Value) -> String {
        check(index).unwrap_err().to_string()
    }

    #[test]
    fn stable_diffusion_xl_and_its_refiner_are_told_apart_by_the_first_text_encoder() {
        let clip = |class: &str| json!(["transformers", class]);
        let xl = |changes| {
            let parts = json!({
                "_class_name": "StableDiffusionXLPipeline", "safety_checker": [null, null],
                "text_encoder_2": clip("CLIPTextModelWithProjection"), "tokenizer_2": clip("CLIPTokenizer"), "add_watermarker": null,
            });
            changed(changed(index(json!({})), parts), changes)
        };
        assert_eq!(check(&xl(json!({}))).unwrap(), ModelFamily::StableDiffusionXl);
        assert_eq!(ignored(ModelFamily::StableDiffusionXl, &xl(json!({}))), ["requires_safety_checker"]);
        for contradiction in [json!({"text_encoder": [null, null]}), json!({"requires_aesthetics_score": true})] {
            assert!(
                refusal(&xl(contradiction)).contains("field requires_aesthetics_score: expected true for Stable Diffusion XL's refiner")
            );
        }
        let refiner = xl(json!({
            "_class_name": "StableDiffusionXLImg2ImgPipeline", "requires_aesthetics_score": true, "force_zeros_for_empty_prompt": false,
            "text_encoder": [null, null], "tokenizer": [null, null], "feature_extractor": null, "requires_safety_checker": null
        }));
        assert_eq!(check(&refiner).unwrap(), ModelFamily::StableDiffusionXlRefiner);
        assert_eq!(ignored(ModelFamily::StableDiffusionXlRefiner, &refiner), Vec::<String>::new());
        assert!(
            refusal(&xl(json!({"text_encoder_2": clip("CLIPTextModel")})))
                .contains("field text_encoder_2: unsupported class CLIPTextModel")
        );
        assert!(refusal(&xl(json!({"tokenizer_2": [null, null]}))).contains("field tokenizer_2: missing"));
        assert!(zeroes_empty_negatives(&xl(json!({}))).unwrap());
        assert!(!zeroes_empty_negatives(&xl(json!({"force_zeros_for_empty_prompt": false}))).unwrap());
    }

    #[test]
    fn both_families_are_accepted() {
        assert_eq!(check(&index(json!({}))).unwrap(), ModelFamily::StableDiffusion);
        assert_eq!(check(&index(json!({"_class_name": "LatentConsistencyModelPipeline"}))).unwrap(), ModelFamily::StableDiffusion);
        assert_eq!(check(&index(json!({"vae": ["diffusers", "AutoencoderTiny"]}))).unwrap(), ModelFamily::StableDiffusion);
        assert_eq!(check(&video_index(json!({}))).unwrap(), ModelFamily::StableVideoDiffusion);
    }

    #[test]
    fn others_are_refused_by_name() {
        let refused = |changes| refusal(&index(changes));
        assert!(refused(json!({"_class_name": "StableDiffusion3Pipeline"})).contains("unsupported pipeline StableDiffusion3Pipeline"));
        let consistency = refused(json!({"vae": ["diffusers", "ConsistencyDecoderVAE"]}));
        assert!(consistency.contains("field vae: unsupported class ConsistencyDecoderVAE"), "{consistency}");
        assert!(refused(json!({"unet": [null, null]})).contains("field unet: missing"));
        let refused = |changes| refusal(&video_index(changes));
        assert!(refused(json!({"vae": ["diffusers", "AutoencoderKL"]})).contains("field vae: unsupported class AutoencoderKL"));
        assert!(refused(json!({"image_encoder": [null, null]})).contains("field image_encoder: missing"));
    }

    #[test]
    fn a_class_name_that_is_not_a_string_is_not_called_missing() {
        let refused = |class: Value| refusal(&index(json!({ "_class_name": class })));
        let list = refused(json!(["my_pipeline", "MyPipeline"]));
        assert!(list.contains(r#"field _class_name: unsupported value ["my_pipeline","MyPipeline"]: it names Python code"#), "{list}");
        for (class, shown) in [(json!(null), "null"), (json!(3), "3"), (json!({}), "{}"), (json!(true), "true"), (json!(""), "\"\"")] {
            assert!(refused(class).ends_with(&format!("field _class_name: expected a pipeline's name, found {shown}")), "{shown}");
        }
        let mut without = index(json!({}));
        without.as_object_mut().unwrap().remove("_class_name");
        assert!(refusal(&without).ends_with("field _class_name: missing"));
    }

    #[test]
    fn unknown_entries_are_ignored_and_reported() {
        let more = json!({
            "force_zeros_for_empty_prompt": true, "notes": [1], "controlnet": [null, null], "watermarker": null,
            "text_encoder_2": ["transformers", "CLIPTextModel"]
        });
        let index = index(more);
        assert_eq!(ignored(check(&index).unwrap(), &index), ["force_zeros_for_empty_prompt", "notes", "text_encoder_2"]);
        let index = video_index(json!({"tokenizer": ["transformers", "CLIPTokenizer"]}));
        assert_eq!(ignored(check(&index).unwrap(), &index), ["tokenizer"]);
    }
}
