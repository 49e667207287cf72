//! The shape of a UNet's skeleton as its configuration defines it: the resolutions, and the layers before and after them.
//!
//! This module must not depend on a UNet class.

use crate::{
    Result,
    models::{config_reader::ConfigReader, embeddings::Sinusoids},
    ops::Conv2dParams,
};

/// One resolution of a UNet, from the finest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UNetLevel {
    /// Channels of the activations.
    pub channels: usize,
    /// Residual blocks in the down block; the up block has one more.
    pub layers: usize,
    /// Whether the down block has transformers (a `CrossAttn..` type).
    pub down_attention: bool,
    /// Whether the up block has transformers (a `CrossAttn..` type).
    pub up_attention: bool,
    /// Heads of the attentions.
    pub heads: usize,
    /// Transformer blocks after each residual block of the down block, one count for each; in a video model pairs of a spatial and a temporal
    /// one. The middle has as many as the first of the coarsest level.
    pub transformer_layers: Vec<usize>,
    /// The same of the up block, which has one more residual block.
    pub up_transformer_layers: Vec<usize>,
    /// Channels of the states that the transformers cross-attend to.
    pub cross_attention_dim: usize,
    /// Whether the first attention of each transformer block is a cross-attention to the text too.
    pub only_cross_attention: bool,
    /// Whether the level's images are less than 8 pixels on a side at the size that the model was trained on; false in a ControlNet, whose file
    /// does not state that size.
    pub small: bool,
}

/// The names of block types in a file, and whether each one has transformers.
type BlockTypes = [(&'static str, bool); 2];

/// The transformer blocks after each residual block of each level, from the finest: of the down blocks, and of the up blocks.
pub(in crate::models) type TransformerLayers = [Vec<Vec<usize>>; 2];

/// With at least this many transformer blocks after a residual block, the residual blocks' convolutions are kept compact.
const MANY_TRANSFORMERS: usize = 4;

impl UNetLevel {
    /// Whether the level's 3x3 convolutions are kept [compact](crate::ops::Conv2dParams::compact): where transformers take nearly all of the
    /// time, as in Stable Diffusion XL, whose coarsest level takes 0.37 GB less in bf16, and a step 4 % longer.
    pub(in crate::models) fn is_compact(&self) -> bool {
        self.transformer_layers.iter().chain(&self.up_transformer_layers).any(|layers| *layers >= MANY_TRANSFORMERS)
    }

    /// The 3x3 convolutions of the level's residual blocks.
    pub(in crate::models) fn conv3x3(&self) -> Conv2dParams {
        Conv2dParams { compact: self.is_compact(), small: self.small, ..Conv2dParams::same(3) }
    }

    /// Marks the levels that are [small](Self::small) for latents of this (height, width).
    pub(in crate::models) fn mark_small(levels: &mut [Self], sample_size: Option<(usize, usize)>) {
        let Some((height, width)) = sample_size else { return };
        let side = height.min(width);
        for (index, level) in levels.iter_mut().enumerate() {
            level.small = u32::try_from(index).ok().and_then(|halvings| side.checked_shr(halvings)).unwrap_or(0) < SMALL;
        }
    }

    /// Reads all resolutions; without types of up blocks there are none with attentions. `heads` reads the number of heads at each of the given number of levels, `transformers` the transformer blocks
    /// of levels with these numbers of residual blocks; no level is `only_cross_attention` or `small`.
    pub(in crate::models) fn read(
        reader: &ConfigReader<'_>,
        (down_types, up_types): (BlockTypes, Option<BlockTypes>),
        default_cross_attention_dim: usize,
        heads: impl FnOnce(usize) -> Result<Vec<usize>>,
        transformers: impl FnOnce(&[usize]) -> Result<TransformerLayers>,
    ) -> Result<Vec<Self>> {
        let channels = reader.sizes("block_out_channels", &[320, 640, 1280, 1280])?;
        let count = channels.len();
        let down = reader.block_types("down_block_types", &[true, true, true, false], &down_types)?;
        let up = up_types.map(|types| reader.block_types("up_block_types", &[false, true, true, true], &types)).transpose()?;
        reader.check_blocks("down_block_types", down.len(), count)?;
        if let Some(up) = &up {
            reader.check_blocks("up_block_types", up.len(), count)?;
        }
        let up = up.unwrap_or_else(|| vec![false; count]);
        let layers = reader.sizes_by_level("layers_per_block", 2, count)?;
        let heads = heads(count)?;
        let [down_transformers, up_transformers] = transformers(&layers)?;
        let cross = reader.sizes_by_level("cross_attention_dim", default_cross_attention_dim, count)?;
        let blocks = channels.into_iter().zip(layers).zip(down.into_iter().zip(up.into_iter().rev()));
        let attentions = heads.into_iter().zip(cross).zip(down_transformers.into_iter().zip(up_transformers));
        let level = |(
            ((channels, layers), (down_attention, up_attention)),
            ((heads, cross_attention_dim), (transformer_layers, up_transformer_layers)),
        )| Self {
            channels,
            layers,
            down_attention,
            up_attention,
            heads,
            transformer_layers,
            up_transformer_layers,
            cross_attention_dim,
            only_cross_attention: false,
            small: false,
        };
        Ok(blocks.zip(attentions).map(level).collect())
    }

    /// Reads a number of transformer blocks for each level, the same after all of its residual blocks.
    pub(in crate::models) fn even_transformers(reader: &ConfigReader<'_>, layers: &[usize]) -> Result<TransformerLayers> {
        let counts = reader.counts_by_level("transformer_layers_per_block", 1, layers.len())?;
        let all = |more: usize| counts.iter().zip(layers).map(|(count, layers)| vec![*count; layers + more]).collect();
        Ok([all(0), all(1)])
    }

    /// Refuses numbers of heads, from the field `field`, that do not divide the channels of a level with attentions.
    pub(in crate::models) fn check_heads(levels: &[Self], mid_attention: bool, reader: &ConfigReader<'_>, field: &str) -> Result<()> {
        for (index, level) in levels.iter().enumerate() {
            let in_middle = mid_attention && index + 1 == levels.len();
            if (level.down_attention || level.up_attention || in_middle) && !level.channels.is_multiple_of(level.heads) {
                return Err(reader.refuse(field, format!("{} heads do not divide {} channels", level.heads, level.channels)));
            }
        }
        Ok(())
    }
}

/// Sides below this are small.
const SMALL: usize = 8;

/// The skeleton of a UNet.
#[derive(Clone, Copy, Debug)]
pub(in crate::models) struct UNetShape<'a> {
    pub(in crate::models) in_channels: usize,
    pub(in crate::models) out_channels: usize,
    /// From the finest resolution: diffusers' down_blocks in order, its up_blocks in reverse.
    pub(in crate::models) levels: &'a [UNetLevel],
    pub(in crate::models) has_mid_block: bool,
    /// Whether the middle has a transformer and a second residual block.
    pub(in crate::models) mid_attention: bool,
    pub(in crate::models) downsample_padding: usize,
    /// Sides of the kernels of the first and the last convolution.
    pub(in crate::models) kernels: (usize, usize),
    /// Groups and epsilon of the group norm before the last convolution.
    pub(in crate::models) norm_out: (usize, f64),
    pub(in crate::models) sinusoids: Sinusoids,
    /// Channels of the time embedding.
    pub(in crate::models) time_channels: usize,
    /// Channels of the guidance embedding of consistency models.
    pub(in crate::models) time_cond_proj_dim: Option<usize>,
}

impl UNetShape<'_> {
    pub(super) fn first_channels(&self) -> usize {
        self.levels.first().map_or(0, |level| level.channels)
    }
}
