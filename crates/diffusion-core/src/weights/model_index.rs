//! Checks model_index.json: is this a pipeline made of parts that this crate has?
//!
//! Every entry is known by name or refused by name, so that a model with a second text encoder or an adapter is never run without it.

use serde_json::Value;

use crate::{Error, Result};

const FILE: &str = "model_index.json";

/// Pipelines that hold the same five parts and differ in what is done with them.
const PIPELINES: [&str; 5] = [
    "StableDiffusionPipeline",
    "StableDiffusionImg2ImgPipeline",
    "StableDiffusionInpaintPipeline",
    "LatentConsistencyModelPipeline",
    "LatentConsistencyModelImg2ImgPipeline",
];

/// The classes that each part may have.
const PARTS: [(&str, &[&str]); 4] = [
    ("unet", &["UNet2DConditionModel"]),
    ("vae", &["AutoencoderKL"]),
    ("text_encoder", &["CLIPTextModel", "CLIPTextModelWithProjection"]),
    ("tokenizer", &["CLIPTokenizer", "CLIPTokenizerFast"]),
];

/// Checks the pipeline's class and the class of every part.
///
/// # Errors
/// [`Error::Config`] naming the entry that is missing or not supported.
pub(crate) fn check(index: &Value) -> Result<()> {
    let fail = |field: &str, reason: String| Err(Error::config(FILE, field, reason));
    let Some(entries) = index.as_object() else { return fail("_class_name", "missing: the file holds no JSON object".into()) };
    match entries.get("_class_name").and_then(Value::as_str) {
        None => return fail("_class_name", "missing".into()),
        Some(class) if PIPELINES.contains(&class) => {}
        Some(class) => {
            let known = PIPELINES.join(", ");
            return fail("_class_name", format!("unsupported pipeline {class}; supported are Stable Diffusion 1.x and 2.x ({known})"));
        }
    }
    for (part, classes) in PARTS {
        match class_of(entries.get(part)) {
            None => return fail(part, "missing".into()),
            Some(class) if classes.contains(&class) => {}
            Some(class) => return fail(part, format!("unsupported class {class}, expected {}", classes.join(" or "))),
        }
    }
    if class_of(entries.get("scheduler")).is_none() {
        return fail("scheduler", "missing".into());
    }
    for (name, value) in entries {
        let known = name.starts_with('_')
            || name == "scheduler"
            || PARTS.iter().any(|(part, _)| part == name)
            // Looks at finished pictures only, and is not run here.
            || ["safety_checker", "feature_extractor", "requires_safety_checker"].contains(&name.as_str());
        if !known && class_of(Some(value)).is_some() {
            return fail(name, format!("unsupported part {value}"));
        }
        if !known && !value.is_null() && !value.is_array() {
            return fail(name, format!("unsupported value {value}"));
        }
    }
    Ok(())
}

/// The class in an entry `["library", "Class"]`; `None` for an absent part, written `[null, null]`.
fn class_of(entry: Option<&Value>) -> Option<&str> {
    entry?.as_array()?.get(1)?.as_str()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use serde_json::json;

    use super::*;

    fn index(changes: Value) -> Value {
        let mut index = json!({
            "_class_name": "StableDiffusionPipeline", "_diffusers_version": "0.6.0",
            "feature_extractor": ["transformers", "CLIPImageProcessor"], "requires_safety_checker": true,
            "safety_checker": ["stable_diffusion", "StableDiffusionSafetyChecker"], "image_encoder": [null, null],
            "scheduler": ["diffusers", "PNDMScheduler"], "text_encoder": ["transformers", "CLIPTextModel"],
            "tokenizer": ["transformers", "CLIPTokenizer"], "unet": ["diffusers", "UNet2DConditionModel"],
            "vae": ["diffusers", "AutoencoderKL"]
        });
        for (name, value) in changes.as_object().unwrap() {
            index.as_object_mut().unwrap().insert(name.clone(), value.clone());
        }
        index
    }

    fn refusal(changes: Value) -> String {
        check(&index(changes)).unwrap_err().to_string()
    }

    #[test]
    fn stable_diffusion_is_accepted() {
        check(&index(json!({}))).unwrap();
        check(&index(json!({"_class_name": "LatentConsistencyModelPipeline"}))).unwrap();
    }

    #[test]
    fn others_are_refused_by_name() {
        assert!(refusal(json!({"_class_name": "StableDiffusionXLPipeline"})).contains("unsupported pipeline StableDiffusionXLPipeline"));
        assert!(refusal(json!({"_class_name": null})).contains("field _class_name: missing"));
        assert!(refusal(json!({"text_encoder_2": ["transformers", "CLIPTextModel"]})).contains("field text_encoder_2: unsupported part"));
        assert!(refusal(json!({"vae": ["diffusers", "AutoencoderTiny"]})).contains("field vae: unsupported class AutoencoderTiny"));
        assert!(refusal(json!({"unet": [null, null]})).contains("field unet: missing"));
        assert!(refusal(json!({"force_zeros_for_empty_prompt": true})).contains("field force_zeros_for_empty_prompt: unsupported"));
    }
}
