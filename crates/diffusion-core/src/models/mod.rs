//! The models, each driven by its own config.json.
//!
//! A model file defines the computation in `ops` layers; it never checks which device it is on. Tensors come in and go out as NCHW; inside
//! they are channels-last. A config value that is not implemented is refused, and the error names the field; a field that a model does not
//! know is reported to the caller by name.

mod autoencoder;
mod blip;
mod clip_layer;
mod clip_text;
mod clip_text_projection;
mod clip_vision;
mod config_reader;
mod controlnet;
mod embeddings;
mod patch_embedding;
mod plan;
mod resnet;
mod temporal_resnet;
mod temporal_transformer;
mod token_embedding;
mod transformer;
mod unet;
mod unet_2d;
mod unet_spatio_temporal;
mod upscaler;
#[cfg(test)]
mod video_blocks_tests;

pub use autoencoder::{
    Autoencoder, AutoencoderConfig, AutoencoderKl, AutoencoderKlConfig, AutoencoderKlTemporalDecoder, AutoencoderKlTemporalDecoderConfig,
    AutoencoderTiny, AutoencoderTinyConfig, ImageVae, ImageVaeConfig, LatentDistribution, Tiling,
};
pub use blip::{BlipCache, BlipConfig, BlipImageContext, BlipTextConfig, BlipTextDecoder, BlipVisionConfig, BlipVisionModel};
pub use clip_text::{ClipTextConfig, ClipTextModel, TextTokens};
pub use clip_text_projection::{ClipTextModelWithProjection, ClipTextProjectionConfig, ProjectedText};
pub use clip_vision::{ClipVisionConfig, ClipVisionModelWithProjection};
pub use controlnet::{ControlNetConfig, ControlNetModel, ControlStrength};
pub use plan::ActivationPlan;
pub use unet::{Residuals, UNetLevel};
pub use unet_2d::{TextContext, TextTimeConfig, UNet2dConditionModel, UNet2dConfig};
pub use unet_spatio_temporal::{ImageContext, UNetSpatioTemporalConditionModel, UNetSpatioTemporalConfig};
pub use upscaler::{BetweenBlocks, TAIL_REACH, UpscalerModel};
pub(crate) use upscaler::{body_numbers, tail_numbers, weight_bytes};
