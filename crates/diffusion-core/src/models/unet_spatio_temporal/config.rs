//! unet/config.json of a video model.
//!
//! Absent fields take the class's defaults. Group norms of this class always have 32 groups, and the epsilons are written into its
//! blocks, so neither is in the file.

use serde_json::Value;

use super::plan::{UNetSpatioTemporalPlan, plan};
use crate::{Result, models::config_reader::ConfigReader};

const FILE: &str = "unet/config.json";
/// diffusers writes this into the class, whatever the model.
pub(super) const GROUPS: usize = 32;

/// One resolution of the UNet, from the finest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpatioTemporalLevel {
    /// Channels of the activations.
    pub channels: usize,
    /// Residual blocks on the way down; one more on the way up.
    pub layers: usize,
    /// Whether the way down has transformers (CrossAttnDownBlockSpatioTemporal).
    pub down_attention: bool,
    /// Whether the way up has transformers (CrossAttnUpBlockSpatioTemporal).
    pub up_attention: bool,
    /// Heads of the attentions.
    pub heads: usize,
    /// Pairs of a spatial and a temporal block in each transformer.
    pub transformer_layers: usize,
}

/// unet/config.json, by resolution.
#[derive(Clone, Debug, PartialEq)]
pub struct UNetSpatioTemporalConfig {
    /// The latents' (height, width) that the file names; Stable Video Diffusion's says 96, and it was trained at 72x128.
    pub sample_size: Option<(usize, usize)>,
    /// Channels of the input: the noisy latents' and the picture's.
    pub in_channels: usize,
    /// Channels of the output.
    pub out_channels: usize,
    /// Frames that the model was trained on, and makes unless told otherwise.
    pub num_frames: usize,
    /// Channels of the image embedding that the frames attend to.
    pub cross_attention_dim: usize,
    /// Channels of the sinusoids of each added time id.
    pub addition_time_embed_dim: usize,
    /// Channels of all added time ids together: `addition_time_embed_dim` times their number.
    pub projection_class_embeddings_input_dim: usize,
    /// From the finest resolution to the coarsest.
    pub levels: Vec<SpatioTemporalLevel>,
}

impl UNetSpatioTemporalConfig {
    /// Reads the model's own JSON.
    ///
    /// # Errors
    /// [`crate::Error::Config`] naming the first field that is malformed or not supported.
    pub fn from_json(json: &Value) -> Result<Self> {
        Ok(Self::read(json)?.0)
    }

    /// As [`Self::from_json`], and the fields that the class ignores.
    pub(crate) fn read(json: &Value) -> Result<(Self, Vec<String>)> {
        let reader = ConfigReader::new(FILE, json)?;
        let levels = levels(&reader)?;
        let config = Self {
            sample_size: reader.optional_extent("sample_size")?,
            in_channels: reader.size("in_channels", 8)?,
            out_channels: reader.size("out_channels", 4)?,
            num_frames: reader.size_or_default("num_frames")?.unwrap_or(25),
            cross_attention_dim: cross_attention_dim(&reader, levels.len())?,
            addition_time_embed_dim: reader.size("addition_time_embed_dim", 256)?,
            projection_class_embeddings_input_dim: reader.size("projection_class_embeddings_input_dim", 768)?,
            levels,
        };
        config.check(&reader)?;
        Ok((config, reader.ignored()))
    }

    /// How many added time ids the model takes: fps, motion bucket and noise augmentation for Stable Video Diffusion.
    pub fn added_time_ids(&self) -> usize {
        self.projection_class_embeddings_input_dim.checked_div(self.addition_time_embed_dim).unwrap_or(0)
    }

    /// How large a call's activations become, for latents of that size; computed, nothing is run.
    pub fn planned(&self, batch: usize, num_frames: usize, height: usize, width: usize) -> UNetSpatioTemporalPlan {
        plan(self, batch, num_frames, height, width)
    }

    /// Channels at the finest resolution.
    pub(super) fn first_channels(&self) -> usize {
        self.levels.first().map_or(0, |level| level.channels)
    }

    /// Channels of the time embedding.
    pub(super) fn time_channels(&self) -> usize {
        4 * self.first_channels()
    }

    /// What fields must satisfy together.
    fn check(&self, reader: &ConfigReader<'_>) -> Result<()> {
        let (all, each) = (self.projection_class_embeddings_input_dim, self.addition_time_embed_dim);
        if !all.is_multiple_of(each) {
            let reason = format!("{all} is no multiple of addition_time_embed_dim {each}");
            return Err(reader.refuse("projection_class_embeddings_input_dim", reason));
        }
        let last = self.levels.len().saturating_sub(1);
        for (index, level) in self.levels.iter().enumerate() {
            if !level.channels.is_multiple_of(GROUPS) {
                let reason = format!("{} channels are no multiple of the {GROUPS} groups of the norms", level.channels);
                return Err(reader.refuse("block_out_channels", reason));
            }
            let attends = level.down_attention || level.up_attention || index == last;
            if attends && !level.channels.is_multiple_of(level.heads) {
                let reason = format!("{} heads do not divide {} channels", level.heads, level.channels);
                return Err(reader.refuse("num_attention_heads", reason));
            }
        }
        Ok(())
    }
}

/// One number, or one for each level that is the same for all: there is one image embedding.
fn cross_attention_dim(reader: &ConfigReader<'_>, levels: usize) -> Result<usize> {
    const FIELD: &str = "cross_attention_dim";
    let dims = reader.sizes_by_level(FIELD, 1024, levels)?;
    match dims.split_first() {
        Some((first, rest)) if rest.iter().all(|dim| dim == first) => Ok(*first),
        _ => Err(reader.refuse(FIELD, format!("unsupported value {dims:?}; supported: one number for all levels"))),
    }
}

fn levels(reader: &ConfigReader<'_>) -> Result<Vec<SpatioTemporalLevel>> {
    const HEADS: &str = "num_attention_heads";
    let channels = reader.sizes("block_out_channels", &[320, 640, 1280, 1280])?;
    let count = channels.len();
    let down_types = [("CrossAttnDownBlockSpatioTemporal", true), ("DownBlockSpatioTemporal", false)];
    let up_types = [("CrossAttnUpBlockSpatioTemporal", true), ("UpBlockSpatioTemporal", false)];
    let down = reader.block_types("down_block_types", &[true, true, true, false], &down_types)?;
    let up = reader.block_types("up_block_types", &[false, true, true, true], &up_types)?;
    for (field, found) in [("down_block_types", down.len()), ("up_block_types", up.len())] {
        if found != count {
            return Err(reader.refuse(field, format!("{found} blocks, but block_out_channels has {count}")));
        }
    }
    let layers = reader.sizes_by_level("layers_per_block", 2, count)?;
    let heads = match reader.sizes_by_level(HEADS, 0, count)? {
        // No number of a file is zero: absent, and the class's default is for four levels.
        absent if absent.contains(&0) && count == 4 => vec![5, 10, 20, 20],
        absent if absent.contains(&0) => return Err(reader.refuse(HEADS, format!("is missing, and there are {count} levels"))),
        heads => heads,
    };
    let transformer_layers = reader.counts_by_level("transformer_layers_per_block", 1, count)?;
    let columns = channels.into_iter().zip(layers).zip(down).zip(up.into_iter().rev()).zip(heads).zip(transformer_layers);
    let level = |(((((channels, layers), down_attention), up_attention), heads), transformer_layers)| SpatioTemporalLevel {
        channels,
        layers,
        down_attention,
        up_attention,
        heads,
        transformer_layers,
    };
    Ok(columns.map(level).collect())
}
