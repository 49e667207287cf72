//! ControlNetModel: a copy of a UNet's first half that reads a control image too, and whose results are added to the UNet's skips and to its
//! middle.
//!
//! This module must not depend on guidance or schedulers. Invariant: it computes the same as diffusers' class with the same config, or the
//! config is refused. The control image's embedding does not depend on the step, so it is computed separately, once for a run. Follows
//! diffusers models/controlnets/controlnet.py.

mod condition;
mod config;

use candle_core::{D, DType, Tensor};

pub use config::ControlNetConfig;

use self::condition::ConditioningEmbedding;
use super::{
    transformer::TextReader,
    unet::{DownPath, Residuals, UNetFamily as _},
    unet_2d::{Call, TextContext, TextTimeEmbedding, UNet2dConfig},
};
use crate::{
    Error, Result,
    ops::{Conv2d, Conv2dParams, Nhwc, repeat_images},
    weights::ComponentWeights,
};

/// How strongly a net's results act.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ControlStrength {
    /// The factor of all results.
    pub weight: f64,
    /// Whether the finer results are weakened, from a tenth up to all of the middle's.
    pub guess_mode: bool,
}

/// A ControlNet.
#[derive(Debug)]
pub struct ControlNetModel {
    down: DownPath<UNet2dConfig>,
    text_time: Option<TextTimeEmbedding>,
    embedding: ConditioningEmbedding,
    /// One for each skip: 1x1 convolutions that begin as zeros in training.
    zero_convs: Vec<Conv2d>,
    middle: Conv2d,
    config: ControlNetConfig,
}

impl ControlNetModel {
    /// Loads the weights that the config requires.
    ///
    /// # Errors
    /// [`Error::Weights`] if a tensor is missing or has the wrong shape.
    pub fn load(config: &ControlNetConfig, weights: &ComponentWeights) -> Result<Self> {
        let (skips, middle) = config.unet.shape().residual_channels();
        let zero_conv = |name: String, channels| Conv2d::load(&weights.pp(name), channels, channels, Conv2dParams::same(1));
        let zero_convs = skips.into_iter().enumerate();
        Ok(Self {
            down: DownPath::load(&config.unet, weights)?,
            text_time: TextTimeEmbedding::load(&config.unet, weights)?,
            embedding: ConditioningEmbedding::load(config, &weights.pp("controlnet_cond_embedding"))?,
            zero_convs: zero_convs
                .map(|(index, channels)| zero_conv(format!("controlnet_down_blocks.{index}"), channels))
                .collect::<Result<_>>()?,
            middle: zero_conv("controlnet_mid_block".into(), middle)?,
            config: config.clone(),
        })
    }

    /// The configuration that the model was loaded with.
    pub fn config(&self) -> &ControlNetConfig {
        &self.config
    }

    /// Embeds a control image [1, conditioning_channels, height, width] with values in [0, 1], once for all steps of a run.
    ///
    /// # Errors
    /// [`Error::Shape`] if the image does not match the config.
    pub fn condition(&self, image: &Tensor) -> Result<Nhwc> {
        let channels = self.config.conditioning_channels;
        if !matches!(image.dims(), [1, found, height, width] if *found == channels && height * width > 0) {
            let expected = format!("[1, {channels}, height, width]");
            return Err(Error::Shape { what: "control image", expected, found: image.dims().to_vec() });
        }
        let (dtype, device) = self.down.placement();
        let mut image = image.to_dtype(dtype)?.to_device(device)?;
        if self.config.reversed_channels {
            let last = u32::try_from(channels).unwrap_or(u32::MAX);
            image = image.index_select(&Tensor::from_vec((0..last).rev().collect::<Vec<u32>>(), channels, device)?, 1)?;
        }
        self.embedding.forward(&Nhwc::from_nchw(&image)?)
    }

    /// Prepares texts for the model, once for all steps of a run; `encoder_hidden_states` is [texts, tokens, cross_attention_dim] in any
    /// float type. `added` are the pooled texts and the time ids of Stable Diffusion XL, as in
    /// [`super::UNet2dConditionModel::text_time_context`]; a net without a "text_time" embedding does not read them.
    ///
    /// # Errors
    /// [`Error::Shape`] if a tensor does not match the config, or the model has such an embedding and `added` is `None`.
    pub fn text_context(&self, encoder_hidden_states: &Tensor, added: Option<(&Tensor, &Tensor)>) -> Result<TextContext> {
        let context = TextContext::new(encoder_hidden_states, self.down.placement(), self.down.transformers())?;
        let Some(text_time) = &self.text_time else { return Ok(context) };
        let Some((text_embeds, added_time_ids)) = added else {
            let expected = "text_embeds and added_time_ids, which a text_time embedding needs".into();
            return Err(Error::Shape { what: "added conditions", expected, found: Vec::new() });
        };
        let added = text_time.forward(text_embeds, added_time_ids, context.batch)?;
        Ok(TextContext { added: Some(added), ..context })
    }

    /// The residuals for noisy latents, which are as in [`super::UNet2dConditionModel::forward`]. `condition` is the control image of
    /// [`Self::condition`], for all texts.
    ///
    /// # Errors
    /// [`Error::Shape`] if a tensor does not match the config or the texts, or the control image is not of the latents' size.
    pub fn forward(
        &self,
        sample: &Tensor,
        timestep: f64,
        text: &TextContext,
        condition: &Nhwc,
        strength: ControlStrength,
    ) -> Result<Residuals> {
        text.check_sample(sample, self.config.unet.in_channels, "the ControlNet's sample")?;
        let (_, _, height, width) = sample.dims4()?;
        let (_, rows, columns, _) = condition.dims()?;
        if (rows, columns) != (height, width) {
            let expected = format!("an embedding of {height}x{width} pixels, the latents' size");
            return Err(Error::Shape { what: "control image", expected, found: vec![rows, columns] });
        }
        let time = self.down.time(timestep, None, text.added.as_ref())?;
        let mut call = Call { time, text: TextReader::new(&text.keys_values) };
        let (middle, skips) = match &text.added {
            None => self.down.forward(sample, Some(condition), &mut call)?,
            Some(_) => self.down.forward(&repeat_images(sample, text.batch)?, Some(condition), &mut call)?,
        };
        let result = |conv: &Conv2d, x: &Nhwc, index: usize| {
            let scaled = scaled(&conv.forward(x)?, self.factor_of(index, strength))?;
            if self.config.global_pool_conditions { pooled(&scaled) } else { Ok(scaled) }
        };
        let down = self.zero_convs.iter().zip(&skips).enumerate().map(|(index, (conv, skip))| result(conv, skip, index));
        Ok(Residuals { down: down.collect::<Result<_>>()?, middle: result(&self.middle, &middle, self.zero_convs.len())? })
    }

    /// The factor of one result, of which the middle's is the last. In guess mode they grow evenly in their logarithms.
    fn factor_of(&self, index: usize, strength: ControlStrength) -> f64 {
        if !strength.guess_mode || self.config.global_pool_conditions {
            return strength.weight;
        }
        strength.weight * 10f64.powf(index as f64 / self.zero_convs.len().max(1) as f64 - 1.0)
    }
}

/// Computed in f32: in half precision the factor itself would be rounded.
fn scaled(x: &Nhwc, factor: f64) -> Result<Nhwc> {
    if factor == 1.0 {
        return Ok(x.clone());
    }
    let tensor = x.tensor();
    Nhwc::new((tensor.to_dtype(DType::F32)? * factor)?.to_dtype(tensor.dtype())?)
}

/// The mean of each image's pixels.
fn pooled(x: &Nhwc) -> Result<Nhwc> {
    let (_, height, width, _) = x.dims()?;
    let tensor = x.tensor();
    // Summed in f32: in half precision a sum of thousands loses its last terms.
    let sums = tensor.to_dtype(DType::F32)?.sum_keepdim((1, D::Minus2))?;
    Nhwc::new((sums / (height * width) as f64)?.to_dtype(tensor.dtype())?)
}
