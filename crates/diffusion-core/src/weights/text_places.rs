//! Which text encoders a single-file checkpoint has, which it needs, and which of those lie elsewhere.
//!
//! This module must not depend on how a text encoder is read. Invariant: a file with its text encoders is judged by their names; without
//! them, by the widths of the noise predictor and of the text encoders beside it.

use super::{TextEncoderFacts, kinds, ldm::LdmPart, ldm_text, strided::StoredTensor};
use crate::{Error, Result};

/// The width of the texts of Stable Diffusion XL's refiner, which are those of the second text encoder alone.
const REFINER_CONTEXT: usize = 1280;

/// The width of the texts of Stable Diffusion 2.x.
const OPENCLIP_H_CONTEXT: usize = 1024;

/// The layer that reads Stable Diffusion XL's pooled text and its time ids.
const EMBEDDING: &str = "label_emb.0.0.weight";

/// The text encoders of a model of Stable Diffusion XL's family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum XlTexts {
    /// A base model's.
    Both,
    /// The refiner's.
    Second,
}

impl XlTexts {
    /// The number of time ids: the sizes of the original, the crop and the target; the refiner has a score instead of the target's two.
    pub(super) fn time_ids(self) -> usize {
        match self {
            Self::Both => 6,
            Self::Second => 5,
        }
    }
}

/// The text encoders of a checkpoint.
pub(super) struct TextPlaces {
    /// Those that a model of Stable Diffusion XL needs; `None` for 1.x and 2.x.
    pub(super) xl: Option<XlTexts>,
    /// Whether the only one of a model of 1.x or 2.x is OpenCLIP's.
    pub(super) is_openclip: bool,
    /// Whether the file has the first.
    pub(super) has_first: bool,
    /// Whether the file has the second.
    pub(super) has_second: bool,
    /// Whether they lie elsewhere.
    is_beside: (bool, bool),
}

impl TextPlaces {
    /// Finds them in a file, beside which there may be others.
    pub(super) fn find(
        unet: &LdmPart,
        all: &[(String, StoredTensor)],
        beside: (Option<TextEncoderFacts>, Option<TextEncoderFacts>),
    ) -> Self {
        let has = |prefix: &str| all.iter().any(|(name, _)| name.starts_with(prefix));
        let (clip, openclip) = (ldm_text::CLIP_PREFIXES.into_iter().any(has), ldm_text::OPENCLIP_PREFIXES.into_iter().any(has));
        let has_two = has(ldm_text::XL_PREFIX);
        let width = |name: &str, axis: usize| all.iter().find(|(found, _)| found == name)?.1.shape().get(axis).copied();
        let context = unet.names().find(|name| name.ends_with(".attn2.to_k.weight")).and_then(|name| unet.dimension(name, 1).ok());
        // A 1.x model's texts are as wide as its text encoder.
        let is_whole = || {
            let own = ldm_text::CLIP_PREFIXES.into_iter().flat_map(|prefix| ["text_model.", ""].map(|level| format!("{prefix}{level}")));
            let own = own.into_iter().find_map(|start| width(&format!("{start}embeddings.token_embedding.weight"), 1));
            clip && beside.1.is_none() && (context.is_none() || own == context)
        };
        let is_xl = has_two || (unet.has(EMBEDDING) && !is_whole());
        let xl = is_xl.then(|| {
            let is_refiner = match (context, beside.1) {
                _ if has_two || clip => false,
                _ if openclip => true,
                (Some(context), Some(second)) => context == second.hidden_size,
                (Some(context), None) => context == REFINER_CONTEXT,
                (None, _) => false,
            };
            if is_refiner { XlTexts::Second } else { XlTexts::Both }
        });
        let is_openclip = match beside.0 {
            _ if clip || openclip => openclip,
            Some(first) => first.is_openclip,
            None => context == Some(OPENCLIP_H_CONTEXT),
        };
        Self {
            xl,
            is_openclip,
            has_first: clip || (openclip && xl.is_none()),
            has_second: is_xl && (has_two || openclip),
            is_beside: (beside.0.is_some(), beside.1.is_some()),
        }
    }

    /// Why the checkpoint is not complete; `None` if it has every text encoder, or it lies elsewhere.
    pub(super) fn missing(&self) -> Option<String> {
        let lacks_first = !self.has_first && !self.is_beside.0 && self.xl != Some(XlTexts::Second);
        let lacks_second = !self.has_second && !self.is_beside.1 && self.xl.is_some();
        let (which, advice) = match (self.xl, lacks_first, lacks_second) {
            (_, false, false) => return None,
            (None, ..) => ("text encoder", "name one besides (--text-encoder)"),
            (Some(XlTexts::Second), ..) => ("text encoder", "name one besides (--text-encoder-2)"),
            (Some(XlTexts::Both), true, true) => ("text encoders", "name both besides (--text-encoder and --text-encoder-2)"),
            (Some(XlTexts::Both), true, false) => ("first text encoder", "name one besides (--text-encoder)"),
            (Some(XlTexts::Both), false, _) => ("second text encoder", "name one besides (--text-encoder-2)"),
        };
        Some(kinds::no_text_encoder(which, advice))
    }

    /// Refuses a second text encoder from elsewhere with so many channels of its pooled text, where they and so many time ids are not what
    /// the noise predictor reads.
    pub(super) fn check_projection(&self, unet: &LdmPart, (channels, ids): (usize, usize)) -> Result<()> {
        let inputs = unet.dimension(EMBEDDING, 1)?;
        let sinusoids = inputs.saturating_sub(channels);
        if sinusoids > 0 && sinusoids.is_multiple_of(ids) {
            return Ok(());
        }
        let reason = format!(
            "its pooled text has {channels} channels, which do not fit the model: its noise predictor reads {inputs}, those and {ids} embeddings \
             of numbers"
        );
        Err(Error::Params { field: "text_encoder_2", reason })
    }
}
