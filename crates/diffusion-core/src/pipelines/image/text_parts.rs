//! The text encoders of a model: their files, their loading, and whether they fit the noise predictor.
//!
//! This module must not depend on requests. Invariant: a model whose noise predictor cannot read its texts is refused before its first
//! tensor is read.

use std::sync::Arc;

use candle_core::DType;

use crate::{
    Error, Result,
    conditioning::{FirstEncoder, SecondEncoder, TextConditioner, TextEncoders, Tokenizers},
    models::{ClipTextConfig, ClipTextModel, ClipTextModelWithProjection, ClipTextProjectionConfig, UNet2dConfig},
    policy::ExecutionPolicy,
    tokenizer::ClipTokenizer,
    weights::{Component, ComponentWeights, ModelFamily, TextEncoder, WeightSource, zeroes_empty_negatives},
};

/// Height and width of the original image, top and left of the crop, height and width of the target.
const TIME_IDS: usize = 6;

/// The width of Stable Diffusion XL's first text encoder.
const FIRST_WIDTH: usize = 768;

/// The refiner's, which has a score instead of the target.
const REFINER_TIME_IDS: usize = 5;

/// The tokenizers and configurations of a model's text encoders.
pub(super) struct TextParts {
    configs: TextEncoders<(Arc<ClipTokenizer>, ClipTextConfig), (Arc<ClipTokenizer>, ClipTextProjectionConfig)>,
    zeroes_empty_negatives: bool,
}

impl TextParts {
    /// Reads the files of the text encoders of a model of this family, without those of the tokenizers that are loaded already.
    ///
    /// # Errors
    /// [`Error::Config`] or [`Error::Tokenizer`] for a file that is malformed or not supported; those of the source.
    pub(super) fn read(source: &dyn WeightSource, family: ModelFamily, loaded: &Tokenizers) -> Result<Self> {
        let first = || -> Result<_> {
            let tokenizer = loaded.first.clone().map_or_else(|| ClipTokenizer::load(source).map(Arc::new), Ok)?;
            let config = ClipTextConfig::from_json(&source.config(Component::TextEncoder)?);
            Ok((tokenizer, config.map_err(|error| error.in_file(&source.config_name(Component::TextEncoder)))?))
        };
        let second = || -> Result<_> {
            let tokenizer = loaded.second.clone().map_or_else(|| ClipTokenizer::load_second(source).map(Arc::new), Ok)?;
            let config = ClipTextProjectionConfig::from_json(&source.config(Component::TextEncoder2)?);
            Ok((tokenizer, config.map_err(|error| error.in_file(&source.config_name(Component::TextEncoder2)))?))
        };
        let configs = match (family.has_first_text_encoder(), family.is_xl()) {
            (true, false) => TextEncoders::First(first()?),
            (true, true) => TextEncoders::Both(first()?, second()?),
            (false, _) => TextEncoders::Second(second()?),
        };
        let zeroes_empty_negatives = family.is_xl() && zeroes_empty_negatives(&source.config(Component::ModelIndex)?)?;
        Ok(Self { configs, zeroes_empty_negatives })
    }

    /// [`check_fit`] of these text encoders of `source`; and one from elsewhere has an embedding for every id of the model's tokenizer. (A
    /// model's own may have fewer: published folders hold tokenizers with tokens that were never trained.)
    ///
    /// # Errors
    /// [`Error::Config`] naming the field that does not fit.
    pub(super) fn check_fit(&self, source: &dyn WeightSource, unet: &UNet2dConfig) -> Result<()> {
        let first = self.configs.first().map(|(tokenizer, config)| (TextEncoder::First, tokenizer, config.vocab_size));
        let second = self.configs.second().map(|(tokenizer, config)| (TextEncoder::Second, tokenizer, config.text.vocab_size));
        for (which, tokenizer, found) in first.into_iter().chain(second) {
            let is_other = source.other_text_encoders().iter().any(|(other, _)| *other == which);
            let ids = tokenizer.vocab_size();
            if is_other && found < ids {
                let reason = format!("{found}, but the model's tokenizer has {ids} ids");
                return Err(Error::config(source.config_name(which.component()), "vocab_size", reason));
            }
        }
        check_fit(source, self.configs.first().map(|(_, config)| config), self.configs.second().map(|(_, config)| config), unet)
    }

    /// Loads the text encoders; `weights` opens a component in a precision.
    ///
    /// # Errors
    /// [`Error::Weights`] if a tensor is missing or has the wrong shape; those of `weights`.
    pub(super) fn load(
        self,
        policy: &ExecutionPolicy,
        weights: impl Fn(Component, DType) -> Result<ComponentWeights>,
    ) -> Result<TextConditioner> {
        let first = |(tokenizer, config): (Arc<ClipTokenizer>, ClipTextConfig)| -> Result<FirstEncoder> {
            let text_encoder = ClipTextModel::load(&config, &weights(Component::TextEncoder, policy.text_encoder)?)?;
            Ok(FirstEncoder::new(tokenizer, text_encoder))
        };
        let second = |(tokenizer, config): (Arc<ClipTokenizer>, ClipTextProjectionConfig)| -> Result<SecondEncoder> {
            let text_encoder = ClipTextModelWithProjection::load(&config, &weights(Component::TextEncoder2, policy.text_encoder)?)?;
            Ok(SecondEncoder::new(tokenizer, text_encoder, self.zeroes_empty_negatives))
        };
        let encoders = match self.configs {
            TextEncoders::First(config) => TextEncoders::First(first(config)?),
            TextEncoders::Both(config, config_2) => TextEncoders::Both(first(config)?, second(config_2)?),
            TextEncoders::Second(config_2) => TextEncoders::Second(second(config_2)?),
        };
        Ok(TextConditioner::new(encoders, policy.device.clone(), policy.unet))
    }
}

/// Refuses a noise predictor that cannot read the states of these text encoders of `source`. If one of them comes from elsewhere, it is the one at
/// fault.
///
/// # Errors
/// [`Error::Config`] naming the field.
pub(in crate::pipelines) fn check_fit(
    source: &dyn WeightSource,
    first: Option<&ClipTextConfig>,
    second: Option<&ClipTextProjectionConfig>,
    unet: &UNet2dConfig,
) -> Result<()> {
    let refuse = |field: &str, reason: String| Err(Error::config("unet/config.json", field, reason));
    let others = source.other_text_encoders();
    let is_other = |which: TextEncoder| others.iter().any(|(other, _)| *other == which);
    let misfit = |which: TextEncoder, field: &str, found: usize, expected: usize| {
        Err(Error::config(source.config_name(which.component()), field, format!("{found}, but the model reads {expected}")))
    };
    let (second, text_time) = match (second, unet.text_time) {
        (None, None) => {
            let (Some(first), Some(wanted)) = (first, unet.text_width()) else { return Ok(()) };
            return match first.hidden_size {
                found if found == wanted => Ok(()),
                found if is_other(TextEncoder::First) => misfit(TextEncoder::First, "hidden_size", found, wanted),
                expected => {
                    let reason = format!("unsupported value {wanted}, expected {expected}: the text encoder's hidden_size");
                    refuse("cross_attention_dim", reason)
                }
            };
        }
        (None, Some(_)) => {
            let reason = "unsupported value \"text_time\" in a model with one text encoder; supported: null";
            return refuse("addition_embed_type", reason.into());
        }
        (Some(_), None) => {
            return refuse("addition_embed_type", "is not \"text_time\", which a model with text_encoder_2 needs".into());
        }
        (Some(second), Some(text_time)) => (second, text_time),
    };
    let widths = (first.map_or(0, |first| first.hidden_size), second.text.hidden_size);
    let states = widths.0 + widths.1;
    if let Some(wanted) = unet.text_width().filter(|wanted| *wanted != states) {
        // Of two from elsewhere, the one that is as wide as the published one is not at fault.
        let is_second = is_other(TextEncoder::Second) && (!is_other(TextEncoder::First) || widths.0 == FIRST_WIDTH);
        if is_second {
            return misfit(TextEncoder::Second, "hidden_size", widths.1, wanted.saturating_sub(widths.0));
        }
        if is_other(TextEncoder::First) {
            return misfit(TextEncoder::First, "hidden_size", widths.0, wanted.saturating_sub(widths.1));
        }
    }
    if let Some(level) = unet.levels.iter().find(|level| level.cross_attention_dim != states) {
        let found = level.cross_attention_dim;
        return refuse("cross_attention_dim", format!("unsupported value {found}, expected {states}: the text encoders' hidden_size"));
    }
    let ids = if first.is_some() { TIME_IDS } else { REFINER_TIME_IDS };
    let expected = second.projection_dim + ids * text_time.addition_time_embed_dim;
    let found = text_time.projection_class_embeddings_input_dim;
    if found != expected && is_other(TextEncoder::Second) {
        let wanted = found.saturating_sub(ids * text_time.addition_time_embed_dim);
        return misfit(TextEncoder::Second, "projection_dim", second.projection_dim, wanted);
    }
    if found != expected {
        let parts = format!("text_encoder_2's projection_dim and {ids} times addition_time_embed_dim");
        return refuse("projection_class_embeddings_input_dim", format!("unsupported value {found}, expected {expected}: {parts}"));
    }
    Ok(())
}
