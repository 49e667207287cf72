//! unet/config.json of an image model.
//!
//! `attention_head_dim` is the NUMBER of heads: diffusers misnamed it once and keeps the name. Absent fields take the class's defaults.

use serde_json::{Value, json};

use crate::{
    Result,
    models::{
        config_reader::ConfigReader,
        plan::{ActivationPlan, Blocks},
        unet::{TransformerLayers, UNetFamily, UNetLevel},
    },
};

const FILE: &str = "unet/config.json";

/// unet/config.json, by resolution.
#[derive(Clone, Debug, PartialEq)]
pub struct UNet2dConfig {
    /// (height, width) of the latents that the model was trained on.
    pub sample_size: Option<(usize, usize)>,
    /// Channels of the input: 4, or 9 for inpainting models (latents, mask, masked image).
    pub in_channels: usize,
    /// Channels of the output.
    pub out_channels: usize,
    /// The resolutions, from the finest; diffusers' down_blocks in order, its up_blocks in reverse.
    pub levels: Vec<UNetLevel>,
    /// Whether there is a block between the down blocks and the up blocks.
    pub has_mid_block: bool,
    /// Whether that is a UNetMidBlock2DCrossAttn, and not a UNetMidBlock2D, which is one residual block.
    pub mid_attention: bool,
    /// Divisor of the mid block's residual blocks.
    pub mid_block_scale_factor: f64,
    /// Padding of the downsampling convolutions.
    pub downsample_padding: usize,
    /// Groups of every group norm.
    pub norm_num_groups: usize,
    /// Epsilon of the residual blocks' group norms.
    pub norm_eps: f64,
    /// Cosines before sines in the timestep's embedding.
    pub flip_sin_to_cos: bool,
    /// Subtracted in the exponent of the embedding's frequencies.
    pub freq_shift: f64,
    /// Channels of the timestep's embedding.
    pub time_channels: usize,
    /// Channels of the guidance embedding of consistency models.
    pub time_cond_proj_dim: Option<usize>,
    /// The embedding of pooled texts and image sizes, where `addition_embed_type` is "text_time" (Stable Diffusion XL).
    pub text_time: Option<TextTimeConfig>,
    /// Whether attention scores are computed in f32 whatever the precision.
    pub upcast_attention: bool,
    /// Side of the first convolution's kernel.
    pub conv_in_kernel: usize,
    /// Side of the last convolution's kernel.
    pub conv_out_kernel: usize,
}

/// The fields of the "text_time" embedding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TextTimeConfig {
    /// Channels of the sinusoids of each time id.
    pub addition_time_embed_dim: usize,
    /// Channels of the pooled text and of all time ids together.
    pub projection_class_embeddings_input_dim: usize,
}

impl UNet2dConfig {
    /// Parses the model's JSON.
    ///
    /// # Errors
    /// [`crate::Error::Config`] naming the first field that is malformed or not supported.
    pub fn from_json(json: &Value) -> Result<Self> {
        Ok(Self::read(json)?.0)
    }

    /// [`Self::from_json`], with the fields that the class ignores.
    pub(crate) fn read(json: &Value) -> Result<(Self, Vec<String>)> {
        let reader = ConfigReader::new(FILE, json)?;
        refuse_unimplemented(&reader)?;
        let up_types = [("CrossAttnUpBlock2D", true), ("UpBlock2D", false)];
        let sample_size = reader.optional_extent("sample_size")?;
        let mut levels = levels(&reader, Some(up_types))?;
        UNetLevel::mark_small(&mut levels, sample_size);
        let first = levels.first().map_or(0, |level| level.channels);
        let mid_types = [("UNetMidBlock2DCrossAttn", true), ("UNetMidBlock2D", false)];
        let mid_block = reader.optional_choice("mid_block_type", Some(true), &mid_types)?;
        let has_mid_block = mid_block.is_some();
        // These fields are not validated if no layer uses them.
        reader.harmless(&["mid_block_scale_factor", "downsample_padding"]);
        let config = Self {
            sample_size,
            in_channels: reader.size("in_channels", 4)?,
            out_channels: reader.size("out_channels", 4)?,
            has_mid_block,
            mid_attention: mid_block == Some(true),
            mid_block_scale_factor: if has_mid_block { reader.positive("mid_block_scale_factor", 1.0)? } else { 1.0 },
            downsample_padding: if levels.len() > 1 { reader.count("downsample_padding", 1)? } else { 1 },
            norm_num_groups: reader.size("norm_num_groups", 32)?,
            norm_eps: reader.not_negative("norm_eps", 1e-5)?,
            flip_sin_to_cos: reader.flag("flip_sin_to_cos", true)?,
            freq_shift: reader.number("freq_shift", 0.0)?,
            time_channels: reader.size_or_default("time_embedding_dim")?.unwrap_or(4 * first),
            time_cond_proj_dim: reader.optional_size("time_cond_proj_dim")?,
            text_time: text_time(&reader)?,
            upcast_attention: reader.flag("upcast_attention", false)?,
            conv_in_kernel: reader.size("conv_in_kernel", 3)?,
            conv_out_kernel: reader.size("conv_out_kernel", 3)?,
            levels,
        };
        config.check(&reader)?;
        Ok((config, reader.ignored()))
    }

    /// Activation sizes of a call for this many texts and latents of this size; only computes, runs nothing.
    pub fn planned(&self, texts: usize, height: usize, width: usize) -> ActivationPlan {
        self.shape().planned(Blocks::Images, texts, height, width)
    }

    /// Channels of the texts that its transformers read; `None` without transformers.
    pub fn text_width(&self) -> Option<usize> {
        let reads = |level: &&UNetLevel| level.down_attention || level.up_attention;
        self.levels.iter().find(reads).map(|level| level.cross_attention_dim)
    }

    /// The channels of the residuals that a ControlNet adds: to each skip, and to the middle.
    pub(crate) fn residual_channels(&self) -> Vec<usize> {
        let (mut channels, middle) = self.shape().residual_channels();
        channels.push(middle);
        channels
    }

    /// Elements of the 3x3 kernels that are kept compact: in the first half, which a ControlNet copies, and in all.
    pub(crate) fn compact_elements(&self) -> (usize, usize) {
        self.shape().compact_elements()
    }

    /// Checks constraints between fields.
    pub(in crate::models) fn check(&self, reader: &ConfigReader<'_>) -> Result<()> {
        for (field, kernel) in [("conv_in_kernel", self.conv_in_kernel), ("conv_out_kernel", self.conv_out_kernel)] {
            if kernel.is_multiple_of(2) {
                return Err(reader.refuse(field, format!("unsupported value {kernel}; supported: odd numbers")));
            }
        }
        if self.downsample_padding > 1 {
            return Err(reader.refuse("downsample_padding", format!("unsupported value {}; supported: 0, 1", self.downsample_padding)));
        }
        let half = (self.shape().sinusoids.channels / 2) as f64;
        if self.freq_shift >= half {
            return Err(reader.refuse("freq_shift", format!("{} is not below half the first block's channels, {half}", self.freq_shift)));
        }
        for level in &self.levels {
            if !level.channels.is_multiple_of(self.norm_num_groups) {
                return Err(
                    reader.refuse("norm_num_groups", format!("{} does not divide {} channels", self.norm_num_groups, level.channels))
                );
            }
        }
        UNetLevel::check_heads(&self.levels, self.mid_attention, reader, "attention_head_dim")
    }
}

/// Reads the resolutions of this UNet, or without types of up blocks those of a ControlNet.
pub(in crate::models) fn levels(reader: &ConfigReader<'_>, up_types: Option<[(&'static str, bool); 2]>) -> Result<Vec<UNetLevel>> {
    let down_types = [("CrossAttnDownBlock2D", true), ("DownBlock2D", false)];
    let heads = |count: usize| {
        let heads = reader.sizes_by_level("attention_head_dim", 8, count)?;
        let has_num_attention_heads = reader.is_present("num_attention_heads");
        if has_num_attention_heads { reader.sizes_by_level("num_attention_heads", 8, count) } else { Ok(heads) }
    };
    let transformers = |layers: &[usize]| match up_types {
        Some(_) => transformers(reader, layers),
        None => UNetLevel::even_transformers(reader, layers),
    };
    let mut levels = UNetLevel::read(reader, (down_types, up_types), 1280, heads, transformers)?;
    let only_cross_attention = reader.flags_by_level("only_cross_attention", false, levels.len())?;
    for (level, only_cross_attention) in levels.iter_mut().zip(only_cross_attention) {
        level.only_cross_attention = only_cross_attention;
    }
    Ok(levels)
}

/// Reads the transformer blocks after each residual block of levels that have `layers` residual blocks. Where the down blocks' are listed by
/// residual block, the up blocks' have a list of their own, from the coarsest level.
fn transformers(reader: &ConfigReader<'_>, layers: &[usize]) -> Result<TransformerLayers> {
    const DOWN: &str = "transformer_layers_per_block";
    const UP: &str = "reverse_transformer_layers_per_block";
    if !reader.is_present(UP) {
        if reader.is_nested(DOWN) {
            return Err(reader.refuse(DOWN, format!("lists of a level's layers need {UP}, which is missing")));
        }
        return UNetLevel::even_transformers(reader, layers);
    }
    let down = reader.counts_by_layer(DOWN, 1, layers)?;
    let up_layers: Vec<usize> = layers.iter().rev().map(|layers| layers + 1).collect();
    let mut up = reader.lists_by_layer(UP, &up_layers)?;
    up.reverse();
    Ok([down, up])
}

/// Reads the "text_time" embedding's fields, which mean nothing to a model without it.
pub(in crate::models) fn text_time(reader: &ConfigReader<'_>) -> Result<Option<TextTimeConfig>> {
    let fields = ["addition_time_embed_dim", "projection_class_embeddings_input_dim"];
    if reader.optional_choice("addition_embed_type", None, &[("text_time", ())])?.is_none() {
        reader.harmless(&fields);
        return Ok(None);
    }
    let [addition_time_embed_dim, projection_class_embeddings_input_dim] = fields.map(|field| reader.required_size(field));
    Ok(Some(TextTimeConfig {
        addition_time_embed_dim: addition_time_embed_dim?,
        projection_class_embeddings_input_dim: projection_class_embeddings_input_dim?,
    }))
}

/// Refuses fields of the class that enable unimplemented features, and marks those that have no effect at inference.
fn refuse_unimplemented(reader: &ConfigReader<'_>) -> Result<()> {
    for field in ["encoder_hid_dim", "encoder_hid_dim_type", "num_class_embeds", "time_embedding_act_fn", "timestep_post_act"] {
        reader.only(field, &Value::Null)?;
    }
    for field in ["center_input_sample", "class_embeddings_concat", "dual_cross_attention"] {
        reader.off(field)?;
    }
    reader.choice("act_fn", (), &[("silu", ()), ("swish", ())])?;
    reader.none_of("attention_type", &["gated", "gated-text-image"])?;
    reader.none_of("class_embed_type", &["timestep", "identity", "projection", "simple_projection"])?;
    reader.only("resnet_time_scale_shift", &json!("default"))?;
    reader.only("time_embedding_type", &json!("positional"))?;
    // Dropout is for training, but torch does not accept None as its value. A linear projection differs from a 1x1 convolution only in its
    // weights' shape, and both compute the same. The other fields belong to block types and embeddings that are refused.
    reader.number("dropout", 0.0)?;
    reader.flag("use_linear_projection", false)?;
    reader.harmless(&[
        "addition_embed_type_num_heads",
        "cross_attention_norm",
        "mid_block_only_cross_attention",
        "resnet_out_scale_factor",
        "resnet_skip_time_act",
    ]);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::weights::{Component, RandomWeights, WeightSource};

    #[test]
    fn stable_diffusions_skips_match_a_count_by_hand() -> Result<()> {
        let config = UNet2dConfig::from_json(&RandomWeights::new("sd15", 0)?.config(Component::Unet)?)?;
        let found = config.planned(2, 64, 64);
        let at = |side: usize, channels: usize| 2 * side * side * channels;
        // conv_in and two layers, then a downsampled one and two layers at each further level.
        let skips = 3 * at(64, 320) + at(32, 320) + 2 * at(32, 640) + at(16, 640) + 2 * at(16, 1280) + 3 * at(8, 1280);
        assert_eq!(found.skip_elements, skips);
        // The feed-forward layers at the finest resolution.
        assert_eq!(found.largest_elements, at(64, 8 * 320));
        // The up block's first layer at the finest resolution: the transformer, and the two remaining skips.
        assert_eq!(found.peak_elements, at(64, 10 * 320 + 2 * 320));
        assert_eq!(config.planned(usize::MAX, usize::MAX / 4, 8).peak_elements, usize::MAX);
        Ok(())
    }

    /// Residual blocks with 1280 outputs, by their inputs: two going down, two in the middle, three going up; each has two kernels.
    #[test]
    fn stable_diffusion_xl_keeps_the_kernels_of_its_coarsest_level_compact() -> Result<()> {
        let of = |name: &str| -> Result<_> {
            Ok(UNet2dConfig::from_json(&RandomWeights::new(name, 0)?.config(Component::Unet)?)?.compact_elements())
        };
        let blocks = |inputs: &[usize]| inputs.iter().map(|inputs| 9 * 1280 * (inputs + 1280)).sum::<usize>();
        let first = blocks(&[640, 1280, 1280, 1280]);
        assert_eq!(of("sdxl")?, (first, first + blocks(&[2560, 2560, 1920])));
        assert_eq!(of("sd15")?, (0, 0));
        Ok(())
    }
}
