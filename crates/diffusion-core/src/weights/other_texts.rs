//! A model with text encoders from elsewhere, which replace its own.
//!
//! This module must not know what a text encoder computes. Invariant: everything but those text encoders is the model's own, the tokenizers
//! included. What a file does not state (activation, heads, special tokens) is the model's own too where its text encoder is as wide.

use std::sync::Arc;

use serde_json::Value;

use super::{Component, ModelFamily, OtherText, TensorSource, TextEncoder, VaeChoice, WeightSource, model_index, other_text::text_part};
use crate::{Error, Result};

/// A model with other text encoders.
pub struct OtherTexts {
    source: Box<dyn WeightSource>,
    texts: Vec<OtherText>,
}

impl OtherTexts {
    /// Gives `source` these text encoders, at most one of each.
    ///
    /// # Errors
    /// [`Error::Params`] of `text_encoder` or `text_encoder_2` if the model's family has no such text encoder; those of the model's index.
    pub fn new(source: Box<dyn WeightSource>, texts: Vec<OtherText>) -> Result<Self> {
        let with_texts = Self { source, texts };
        let family = ModelFamily::of(&with_texts)?;
        for text in &with_texts.texts {
            let reason = match (text.which, family) {
                (_, ModelFamily::StableDiffusionXl)
                | (TextEncoder::First, ModelFamily::StableDiffusion)
                | (TextEncoder::Second, ModelFamily::StableDiffusionXlRefiner) => continue,
                (TextEncoder::First, ModelFamily::StableDiffusionXlRefiner) => {
                    "the model is Stable Diffusion XL's refiner, which has no first text encoder: give this one as the second (--text-encoder-2)"
                }
                (TextEncoder::Second, ModelFamily::StableDiffusion) => {
                    "the model has one text encoder; only Stable Diffusion XL has a second: give this one as the first (--text-encoder)"
                }
                (_, ModelFamily::StableVideoDiffusion) => "the model is Stable Video Diffusion, which reads no texts",
            };
            return Err(Error::Params { field: text.which.field(), reason: format!("{}: {reason}", text.path().display()) });
        }
        Ok(with_texts)
    }

    fn other(&self, component: Component) -> Option<&OtherText> {
        self.texts.iter().find(|text| text.which.component() == component)
    }

    /// The configuration of a text encoder from elsewhere.
    fn config_of(&self, text: &OtherText) -> Result<Value> {
        let config = text.config()?;
        let own = self.source.config(text.which.component()).ok().filter(|_| text.is_inferred());
        Ok(own.and_then(|own| completed(&config, text_part(&own))).unwrap_or(config))
    }
}

/// The sizes of an inferred configuration with the rest of the model's own, if that is as wide.
fn completed(inferred: &Value, own: &Value) -> Option<Value> {
    const SIZES: [&str; 6] =
        ["architectures", "vocab_size", "intermediate_size", "num_hidden_layers", "max_position_embeddings", "projection_dim"];
    if own.get("hidden_size")? != inferred.get("hidden_size")? {
        return None;
    }
    let mut config = own.clone();
    let fields = config.as_object_mut()?;
    for field in SIZES {
        fields.insert(field.into(), inferred.get(field)?.clone());
    }
    // Stable Diffusion 2.x leaves out a last layer, which its text encoder's file may have.
    let layers = [inferred, own].into_iter().filter_map(|config| config.get("num_hidden_layers")?.as_u64()).min()?;
    fields.insert("num_hidden_layers".into(), layers.into());
    Some(config)
}

impl WeightSource for OtherTexts {
    fn name(&self) -> String {
        self.source.name()
    }

    fn config(&self, component: Component) -> Result<Value> {
        if let Some(text) = self.other(component) {
            return self.config_of(text);
        }
        let config = self.source.config(component)?;
        if component != Component::ModelIndex {
            return Ok(config);
        }
        let given: Vec<Component> = self.texts.iter().map(|text| text.which.component()).collect();
        Ok(model_index::with_parts(config, &given))
    }

    fn file(&self, component: Component, file_name: &str) -> Result<Option<Vec<u8>>> {
        self.source.file(component, file_name)
    }

    fn config_name(&self, component: Component) -> String {
        self.other(component).map_or_else(|| self.source.config_name(component), OtherText::config_name)
    }

    fn other_vae(&self) -> Option<(VaeChoice, String)> {
        self.source.other_vae()
    }

    fn other_text_encoders(&self) -> Vec<(TextEncoder, String)> {
        let name = |text: &OtherText| text.path().file_name().unwrap_or(text.path().as_os_str()).to_string_lossy().into_owned();
        self.texts.iter().map(|text| (text.which, name(text))).collect()
    }

    fn tensors(&self, component: Component) -> Result<Arc<dyn TensorSource>> {
        self.other(component).map_or_else(|| self.source.tensors(component), OtherText::tensors)
    }

    fn vaes(&self) -> Vec<VaeChoice> {
        self.source.vaes()
    }

    fn remarks(&self) -> Vec<String> {
        let mut remarks = self.source.remarks();
        for text in &self.texts {
            let name = match text.which {
                TextEncoder::First => "the text encoder",
                TextEncoder::Second => "the second text encoder",
            };
            remarks.push(format!("{name}: {}", text.path().display()));
        }
        remarks
    }

    fn unknown_tensors(&self) -> Vec<String> {
        self.source.unknown_tensors()
    }
}
