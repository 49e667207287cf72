//! unet/config.json of a video model.
//!
//! Absent fields take the class's defaults. Group norms of this class always have 32 groups, and the epsilons are hard-coded in its blocks,
//! so neither is in the file.

use serde_json::Value;

use crate::{
    Result,
    models::{
        config_reader::ConfigReader,
        plan::{ActivationPlan, Blocks},
        unet::{UNetFamily, UNetLevel},
    },
};

const FILE: &str = "unet/config.json";
const HEADS: &str = "num_attention_heads";
/// Hard-coded in diffusers' class, whatever the model.
pub(super) const GROUPS: usize = 32;

/// unet/config.json, by resolution.
#[derive(Clone, Debug, PartialEq)]
pub struct UNetSpatioTemporalConfig {
    /// (height, width) of the latents according to the file; Stable Video Diffusion's says 96, although it was trained at 72x128.
    pub sample_size: Option<(usize, usize)>,
    /// Channels of the input: those of the noisy latents plus those of the image latents.
    pub in_channels: usize,
    /// Channels of the output.
    pub out_channels: usize,
    /// Frames that the model was trained on, and the default length of a clip.
    pub num_frames: usize,
    /// Channels of the image embedding that the frames attend to.
    pub cross_attention_dim: usize,
    /// Channels of the sinusoids of each added time id.
    pub addition_time_embed_dim: usize,
    /// Channels of all added time ids together: `addition_time_embed_dim` times their number.
    pub projection_class_embeddings_input_dim: usize,
    /// From the finest resolution to the coarsest.
    pub levels: Vec<UNetLevel>,
}

impl UNetSpatioTemporalConfig {
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
        let sample_size = reader.optional_extent("sample_size")?;
        let mut levels = levels(&reader)?;
        UNetLevel::mark_small(&mut levels, sample_size);
        let config = Self {
            sample_size,
            in_channels: reader.size("in_channels", 8)?,
            out_channels: reader.size("out_channels", 4)?,
            num_frames: reader.size_or_default("num_frames")?.unwrap_or(25),
            cross_attention_dim: cross_attention_dim(&reader, &levels)?,
            addition_time_embed_dim: reader.size("addition_time_embed_dim", 256)?,
            projection_class_embeddings_input_dim: reader.size("projection_class_embeddings_input_dim", 768)?,
            levels,
        };
        config.check(&reader)?;
        Ok((config, reader.ignored()))
    }

    /// Number of added time ids: fps, motion bucket and noise augmentation for Stable Video Diffusion.
    pub fn added_time_ids(&self) -> usize {
        self.projection_class_embeddings_input_dim.checked_div(self.addition_time_embed_dim).unwrap_or(0)
    }

    /// Activation sizes of a call for latents of this size; only computes, runs nothing.
    pub fn planned(&self, batch: usize, num_frames: usize, height: usize, width: usize) -> ActivationPlan {
        self.shape().planned(Blocks::Clips, batch.saturating_mul(num_frames), height, width)
    }

    /// Channels of the time embedding.
    pub(super) fn time_channels(&self) -> usize {
        4 * self.levels.first().map_or(0, |level| level.channels)
    }

    /// Checks constraints between fields.
    fn check(&self, reader: &ConfigReader<'_>) -> Result<()> {
        let (all, each) = (self.projection_class_embeddings_input_dim, self.addition_time_embed_dim);
        if !all.is_multiple_of(each) {
            let reason = format!("{all} is no multiple of addition_time_embed_dim {each}");
            return Err(reader.refuse("projection_class_embeddings_input_dim", reason));
        }
        if let Some(level) = self.levels.iter().find(|level| !level.channels.is_multiple_of(GROUPS)) {
            let reason = format!("{} channels are no multiple of the {GROUPS} groups of the norms", level.channels);
            return Err(reader.refuse("block_out_channels", reason));
        }
        UNetLevel::check_heads(&self.levels, true, reader, HEADS)
    }
}

/// `cross_attention_dim`, which must be the same at all levels because there is one image embedding.
fn cross_attention_dim(reader: &ConfigReader<'_>, levels: &[UNetLevel]) -> Result<usize> {
    let dims: Vec<usize> = levels.iter().map(|level| level.cross_attention_dim).collect();
    match dims.split_first() {
        Some((first, rest)) if rest.iter().all(|dim| dim == first) => Ok(*first),
        _ => Err(reader.refuse("cross_attention_dim", format!("unsupported value {dims:?}; supported: one number for all levels"))),
    }
}

fn levels(reader: &ConfigReader<'_>) -> Result<Vec<UNetLevel>> {
    let down_types = [("CrossAttnDownBlockSpatioTemporal", true), ("DownBlockSpatioTemporal", false)];
    let up_types = [("CrossAttnUpBlockSpatioTemporal", true), ("UpBlockSpatioTemporal", false)];
    let heads = |count: usize| match reader.sizes_by_level(HEADS, 0, count)? {
        // A number in the file cannot be zero, so zero means absent; the class's default is for four levels.
        absent if absent.contains(&0) && count == 4 => Ok(vec![5, 10, 20, 20]),
        absent if absent.contains(&0) => Err(reader.refuse(HEADS, format!("is missing, and there are {count} levels"))),
        heads => Ok(heads),
    };
    UNetLevel::read(reader, (down_types, Some(up_types)), 1024, heads, |layers| UNetLevel::even_transformers(reader, layers))
}
