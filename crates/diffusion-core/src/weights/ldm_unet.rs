//! The UNet of a CompVis checkpoint: infers its configuration from shapes, and renames its tensors as in diffusers.
//!
//! CompVis numbers all layers of the down path (`input_blocks`) and of the up path (`output_blocks`) consecutively; diffusers groups them
//! in blocks. Shapes do not determine the number of attention heads: Stable Diffusion 1.x (1x1 convolutions around its transformers) has 8
//! in every block, 2.x and XL (linear layers instead) have heads 64 wide. XL's transformers have several layers, not the same number in each,
//! and it is conditioned on a pooled text and sizes. Reference: diffusers' `convert_ldm_unet_checkpoint` and
//! `create_unet_diffusers_config_from_ldm`.

use candle_core::DType;
use serde_json::{Value, json};

use super::{
    ldm::{LdmPart, numbered},
    table::TensorTable,
};
use crate::Result;

/// The prefix of the UNet's tensors in a checkpoint.
pub(super) const PREFIX: &str = "model.diffusion_model.";

/// Name parts of tensors that belong to a layer. An unknown layer would change the image, unlike the tensors that trainers leave between
/// layers.
const LAYERS: [&str; 12] = [
    "label_emb.",
    "time_embed.",
    "position_net.",
    ".fuser.",
    ".in_layers.",
    ".out_layers.",
    ".emb_layers.",
    ".skip_connection.",
    ".transformer_blocks.",
    ".op.",
    ".conv.",
    ".proj_",
];

/// The UNet's structure, inferred from shapes.
pub(super) struct Layout {
    /// Input channels: 4, or 9 for an inpainting model.
    pub(super) in_channels: usize,
    /// Whether linear layers surround the transformers, as in Stable Diffusion 2.x.
    pub(super) linear_projection: bool,
    out_channels: usize,
    cross_attention_dim: usize,
    layers_per_block: usize,
    middle: Middle,
    blocks: Vec<Block>,
    /// Of Stable Diffusion XL.
    depths: Option<Depths>,
    /// Whether its layers have temporal parts, as in Stable Video Diffusion.
    is_video: bool,
    /// For each layer of the down path after the first: its block, and its index in the block or `None` for a downsampler.
    input: Vec<(usize, Option<usize>)>,
}

struct Block {
    channels: usize,
    layers: usize,
    attention: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Middle {
    None,
    /// One residual block.
    Plain,
    /// A transformer between two residual blocks.
    Attention,
}

/// Transformer layers after each residual block of each block.
struct Depths {
    /// From the finest block.
    down: Vec<Vec<usize>>,
    middle: usize,
    /// From the coarsest block.
    up: Vec<Vec<usize>>,
}

impl Layout {
    /// Infers the layout from names and shapes.
    ///
    /// # Errors
    /// [`crate::Error::Weights`] naming a tensor that is missing or that no UNet of the family has.
    pub(super) fn infer(part: &LdmPart, is_xl: bool) -> Result<Self> {
        let layout = Self::infer_down(part, is_xl)?;
        Ok(Self { out_channels: part.dimension("out.2.weight", 0)?, ..layout })
    }

    /// The same of a ControlNet, which has no up path.
    ///
    /// # Errors
    /// As [`Self::infer`].
    pub(super) fn infer_down(part: &LdmPart, is_xl: bool) -> Result<Self> {
        let in_channels = part.dimension("input_blocks.0.0.weight", 1)?;
        let is_video = part.has_any("middle_block.0.time_mixer.");
        if in_channels != 4 && in_channels != 9 && !(is_video && in_channels == 8) {
            let kind = match in_channels {
                5 => " (a depth-to-image model)",
                7 => " (an upscaler)",
                8 => " (InstructPix2Pix, or another that edits pictures)",
                _ => "",
            };
            let reason = format!("{in_channels} input channels{kind}; supported are 4, and 9 for inpainting");
            return Err(part.fail("input_blocks.0.0.weight", reason));
        }
        let mut blocks: Vec<Block> = Vec::new();
        let mut input = Vec::new();
        let mut begin_block = true;
        for index in 1.. {
            let (downsampler, resnet) = (format!("input_blocks.{index}.0.op.weight"), format!("input_blocks.{index}.0.in_layers.2.weight"));
            if part.has(&downsampler) {
                if begin_block {
                    return Err(part.fail(&downsampler, "a downsampler without a residual block before it"));
                }
                input.push((blocks.len() - 1, None));
                begin_block = true;
            } else if part.has(&resnet) {
                let channels = part.dimension(&resnet, 0)?;
                let attention = part.has(&format!("input_blocks.{index}.1.proj_in.weight"));
                match blocks.last_mut() {
                    Some(block) if !begin_block => {
                        if block.channels != channels || block.attention != attention {
                            return Err(part.fail(&resnet, "differs in width or attention from the layers before it in its block"));
                        }
                        block.layers += 1;
                    }
                    _ => blocks.push(Block { channels, layers: 1, attention }),
                }
                input.push((blocks.len() - 1, blocks.last().map(|block| block.layers - 1)));
                begin_block = false;
            } else {
                break;
            }
        }
        let Some(layers_per_block) = blocks.first().map(|block| block.layers) else {
            return Err(part.fail("input_blocks.1.0.in_layers.2.weight", "missing"));
        };
        if blocks.iter().any(|block| block.layers != layers_per_block) {
            return Err(part.fail("input_blocks", "its blocks have different numbers of layers"));
        }
        let Some(attention) = (1..=input.len()).find(|index| part.has(&format!("input_blocks.{index}.1.proj_in.weight"))) else {
            return Err(part.fail("input_blocks.1.1.proj_in.weight", "missing: this UNet has no cross-attention to a text"));
        };
        let transformer = format!("input_blocks.{attention}.1");
        let middle = match (part.has_any("middle_block."), part.has_any("middle_block.1.")) {
            (false, _) => Middle::None,
            (true, false) if is_xl && !part.has_any("middle_block.2.") => Middle::Plain,
            (true, _) => Middle::Attention,
        };
        let depths = is_xl.then(|| Depths::infer(part, &input, blocks.len(), layers_per_block));
        Ok(Self {
            in_channels,
            linear_projection: part.shape(&format!("{transformer}.proj_in.weight"))?.len() == 2,
            out_channels: 4,
            cross_attention_dim: part.dimension(&format!("{transformer}.transformer_blocks.0.attn2.to_k.weight"), 1)?,
            layers_per_block,
            middle,
            blocks,
            depths,
            is_video,
            input,
        })
    }

    /// The configuration that diffusers would write for a video model of so many frames.
    ///
    /// # Errors
    /// [`crate::Error::Weights`] if a width cannot be divided into heads, or the embedding into numbers.
    pub(super) fn video_config(&self, part: &LdmPart, num_frames: usize) -> Result<Value> {
        /// Frames per second, motion, and the noise of the image.
        const IDS: usize = 3;
        const EMBEDDING: &str = "label_emb.0.0.weight";
        let inputs = part.dimension(EMBEDDING, 1)?;
        if inputs == 0 || !inputs.is_multiple_of(IDS) {
            return Err(part.fail(EMBEDDING, format!("its {inputs} inputs are not the embeddings of {IDS} numbers")));
        }
        let head_width = 64;
        if self.blocks.iter().any(|block| !block.channels.is_multiple_of(head_width)) {
            return Err(part.fail("input_blocks", "a width is no multiple of 64, so the number of attention heads cannot be inferred"));
        }
        let types = |with: &'static str, without: &'static str| {
            self.blocks.iter().map(move |block| if block.attention { with } else { without }).collect::<Vec<_>>()
        };
        let mut up_block_types = types("CrossAttnUpBlockSpatioTemporal", "UpBlockSpatioTemporal");
        up_block_types.reverse();
        Ok(json!({
            "_class_name": "UNetSpatioTemporalConditionModel",
            "addition_time_embed_dim": inputs / IDS,
            "block_out_channels": self.blocks.iter().map(|block| block.channels).collect::<Vec<_>>(),
            "cross_attention_dim": self.cross_attention_dim,
            "down_block_types": types("CrossAttnDownBlockSpatioTemporal", "DownBlockSpatioTemporal"),
            "in_channels": self.in_channels,
            "layers_per_block": self.layers_per_block,
            "num_attention_heads": self.blocks.iter().map(|block| block.channels / head_width).collect::<Vec<_>>(),
            "num_frames": num_frames,
            "out_channels": self.out_channels,
            "projection_class_embeddings_input_dim": inputs,
            "sample_size": 96,
            "transformer_layers_per_block": 1,
            "up_block_types": up_block_types,
        }))
    }

    /// The configuration that diffusers would write. For Stable Diffusion XL, `pooled` is the number of channels of its pooled text and the
    /// number of its time ids.
    ///
    /// # Errors
    /// [`crate::Error::Weights`] if a width cannot be divided into heads, or the pooled text and the ids do not fit the embedding.
    pub(super) fn config(&self, part: &LdmPart, sample_size: usize, pooled: Option<(usize, usize)>) -> Result<Value> {
        let head_width = 64;
        if self.linear_projection && self.blocks.iter().any(|block| block.attention && !block.channels.is_multiple_of(head_width)) {
            return Err(part.fail("input_blocks", "a width is no multiple of 64, so the number of attention heads cannot be inferred"));
        }
        let heads = if self.linear_projection {
            json!(self.blocks.iter().map(|block| (block.channels / head_width).max(1)).collect::<Vec<_>>())
        } else {
            json!(8)
        };
        let types = |with: &'static str, without: &'static str| {
            self.blocks.iter().map(move |block| if block.attention { with } else { without }).collect::<Vec<_>>()
        };
        let mut up_block_types = types("CrossAttnUpBlock2D", "UpBlock2D");
        up_block_types.reverse();
        let mut config = json!({
            "_class_name": "UNet2DConditionModel",
            "act_fn": "silu",
            "attention_head_dim": heads,
            "block_out_channels": self.blocks.iter().map(|block| block.channels).collect::<Vec<_>>(),
            "center_input_sample": false,
            "cross_attention_dim": self.cross_attention_dim,
            "down_block_types": types("CrossAttnDownBlock2D", "DownBlock2D"),
            "downsample_padding": 1,
            "flip_sin_to_cos": true,
            "freq_shift": 0,
            "in_channels": self.in_channels,
            "layers_per_block": self.layers_per_block,
            "mid_block_scale_factor": 1,
            "mid_block_type": match self.middle {
                Middle::None => None,
                Middle::Plain => Some("UNetMidBlock2D"),
                Middle::Attention => Some("UNetMidBlock2DCrossAttn"),
            },
            "norm_eps": 1e-5,
            "norm_num_groups": 32,
            "out_channels": self.out_channels,
            "sample_size": sample_size,
            "up_block_types": up_block_types,
            "upcast_attention": self.linear_projection && self.depths.is_none(),
            "use_linear_projection": self.linear_projection,
        });
        if let (Some(fields), Some(depths), Some((channels, ids))) = (config.as_object_mut(), &self.depths, pooled) {
            const EMBEDDING: &str = "label_emb.0.0.weight";
            let inputs = part.dimension(EMBEDDING, 1)?;
            let sinusoids = inputs.saturating_sub(channels);
            if sinusoids == 0 || !sinusoids.is_multiple_of(ids) {
                let reason =
                    format!("its {inputs} inputs are not the {channels} channels of the pooled text and {ids} embeddings of numbers");
                return Err(part.fail(EMBEDDING, reason));
            }
            fields.insert("addition_embed_type".into(), json!("text_time"));
            fields.insert("addition_time_embed_dim".into(), json!(sinusoids / ids));
            fields.insert("projection_class_embeddings_input_dim".into(), json!(inputs));
            fields.extend(depths.fields(self));
        }
        Ok(config)
    }

    /// The tensors under diffusers' names, and the names of those that belong to no layer, which are omitted.
    ///
    /// # Errors
    /// [`crate::Error::Weights`] for a layer that no UNet of the family has: without it the image would differ.
    pub(super) fn tensors(&self, part: &LdmPart) -> Result<(TensorTable, Vec<String>)> {
        let mut unknown = Vec::new();
        let table = part.rename(|name, tensor| match self.rename(name) {
            Some(renamed) => Ok(vec![(renamed, tensor.clone())]),
            None if LAYERS.iter().any(|layer| name.contains(layer)) => {
                let family = match (&self.depths, self.is_video) {
                    (_, true) => "Video Diffusion",
                    (Some(_), false) => "Diffusion XL",
                    (None, false) => "Diffusion 1.x or 2.x",
                };
                Err(part.fail(name, format!("unsupported: a Stable {family} UNet has no such layer")))
            }
            None => {
                unknown.push(part.full_name(name));
                Ok(Vec::new())
            }
        })?;
        Ok((table, unknown))
    }

    /// The standard deviation of the bias of the norm before the last self-attention, by which ComfyUI distinguishes velocity from noise
    /// prediction.
    ///
    /// # Errors
    /// [`crate::Error::Weights`] if there is no such bias, or it cannot be read.
    pub(super) fn last_norm_deviation(part: &LdmPart) -> Result<f64> {
        const NORM: &str = ".1.transformer_blocks.0.norm1.bias";
        let last = |name: &&str| name.strip_prefix("output_blocks.").and_then(|rest| rest.strip_suffix(NORM)?.parse::<usize>().ok());
        let Some(name) = part.names().filter(|name| last(name).is_some()).max_by_key(|name| last(name)) else {
            return Err(part.fail(&format!("output_blocks.11{NORM}"), "missing"));
        };
        let tensor = part.tensor(name)?;
        // Limited because it is read before anything else about the model is known.
        if !matches!(tensor.shape(), [1..=65_536]) {
            return Err(part.fail(name, format!("expected one dimension of at most 65536, found the shape {:?}", tensor.shape())));
        }
        let tensor = tensor.read().map_err(|reason| part.fail(name, reason))?;
        let values = tensor.to_dtype(DType::F64)?.to_vec1::<f64>()?;
        let count = values.len().max(1) as f64;
        let mean = values.iter().sum::<f64>() / count;
        Ok((values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / count).sqrt())
    }

    /// A tensor's name in diffusers.
    pub(super) fn rename(&self, name: &str) -> Option<String> {
        for (ldm, diffusers) in [
            ("time_embed.0.", "time_embedding.linear_1."),
            ("time_embed.2.", "time_embedding.linear_2."),
            ("input_blocks.0.0.", "conv_in."),
            ("out.0.", "conv_norm_out."),
            ("out.2.", "conv_out."),
        ] {
            if let Some(rest) = name.strip_prefix(ldm) {
                return Some(format!("{diffusers}{rest}"));
            }
        }
        if self.depths.is_some() || self.is_video {
            for (ldm, diffusers) in [("label_emb.0.0.", "linear_1."), ("label_emb.0.2.", "linear_2.")] {
                if let Some(rest) = name.strip_prefix(ldm) {
                    return Some(format!("add_embedding.{diffusers}{rest}"));
                }
            }
        }
        let transformer =
            |rest| if self.is_video { video_transformer(rest) } else { transformer(rest, self.depths.is_some()).map(str::to_owned) };
        let resnet = |rest| if self.is_video { video_resnet(rest) } else { resnet(rest) };
        if let Some(rest) = name.strip_prefix("input_blocks.") {
            let (index, rest) = numbered(rest)?;
            let (block, layer) = self.input.get(index.checked_sub(1)?)?;
            let (place, rest) = numbered(rest)?;
            return match (layer, place) {
                (None, 0) => Some(format!("down_blocks.{block}.downsamplers.0.conv.{}", rest.strip_prefix("op.")?)),
                (Some(layer), 0) => Some(format!("down_blocks.{block}.resnets.{layer}.{}", resnet(rest)?)),
                (Some(layer), 1) => Some(format!("down_blocks.{block}.attentions.{layer}.{}", transformer(rest)?)),
                _ => None,
            };
        }
        if let Some(rest) = name.strip_prefix("middle_block.") {
            return match numbered(rest)? {
                (0, rest) => Some(format!("mid_block.resnets.0.{}", resnet(rest)?)),
                (1, rest) => Some(format!("mid_block.attentions.0.{}", transformer(rest)?)),
                (2, rest) => Some(format!("mid_block.resnets.1.{}", resnet(rest)?)),
                _ => None,
            };
        }
        let (index, rest) = numbered(name.strip_prefix("output_blocks.")?)?;
        let (block, layer) = (index / (self.layers_per_block + 1), index % (self.layers_per_block + 1));
        if block >= self.blocks.len() {
            return None;
        }
        let (place, rest) = numbered(rest)?;
        match (place, rest.strip_prefix("conv.")) {
            (1 | 2, Some(rest)) => Some(format!("up_blocks.{block}.upsamplers.0.conv.{rest}")),
            (0, _) => Some(format!("up_blocks.{block}.resnets.{layer}.{}", resnet(rest)?)),
            (1, None) => Some(format!("up_blocks.{block}.attentions.{layer}.{}", transformer(rest)?)),
            _ => None,
        }
    }
}

impl Depths {
    fn infer(part: &LdmPart, input: &[(usize, Option<usize>)], blocks: usize, layers_per_block: usize) -> Self {
        let depth = |place: String| part.count(|layer| format!("{place}.1.transformer_blocks.{layer}."));
        let mut down = vec![Vec::new(); blocks];
        for (index, (block, layer)) in input.iter().enumerate() {
            if let (Some(depths), Some(_)) = (down.get_mut(*block), layer) {
                depths.push(depth(format!("input_blocks.{}", index + 1)));
            }
        }
        let row = |block: usize| (0..=layers_per_block).map(move |layer| block * (layers_per_block + 1) + layer);
        let up = (0..blocks).map(|block| row(block).map(|index| depth(format!("output_blocks.{index}"))).collect());
        Self { down, middle: depth("middle_block".into()), up: up.collect() }
    }

    /// The configuration's fields: a number for each block if that says all, or else a list of them for each.
    fn fields(&self, layout: &Layout) -> Vec<(String, Value)> {
        let last = self.down.len().saturating_sub(1);
        let one_for_all = |depths: &[usize]| depths.first().copied().filter(|first| depths.iter().all(|depth| depth == first));
        let even = self.down.iter().zip(self.up.iter().rev()).zip(&layout.blocks).enumerate().map(|(index, ((down, up), block))| {
            if block.attention {
                one_for_all(&[down.as_slice(), up].concat())
                    .filter(|depth| index != last || layout.middle != Middle::Attention || *depth == self.middle)
            } else {
                // A block without attention does not read the number; the middle takes the last one.
                Some(if index == last && layout.middle == Middle::Attention { self.middle } else { 1 })
            }
        });
        const DOWN: &str = "transformer_layers_per_block";
        match even.collect::<Option<Vec<usize>>>() {
            Some(even) => vec![(DOWN.into(), json!(even))],
            None => vec![(DOWN.into(), json!(self.down)), ("reverse_transformer_layers_per_block".into(), json!(self.up))],
        }
    }
}

/// A residual block's spatial part, its temporal one, and their mixer.
fn video_resnet(name: &str) -> Option<String> {
    if name.starts_with("time_mixer.") {
        return Some(name.to_owned());
    }
    match name.strip_prefix("time_stack.") {
        Some(rest) => Some(format!("temporal_res_block.{}", resnet(rest)?)),
        None => Some(format!("spatial_res_block.{}", resnet(name)?)),
    }
}

/// A transformer's spatial layer, its temporal one, and their mixer.
fn video_transformer(name: &str) -> Option<String> {
    if name.starts_with("time_mixer.") {
        return Some(name.to_owned());
    }
    [
        ("time_stack.", "temporal_transformer_blocks."),
        ("time_pos_embed.0.", "time_pos_embed.linear_1."),
        ("time_pos_embed.2.", "time_pos_embed.linear_2."),
    ]
    .into_iter()
    .find_map(|(ldm, diffusers)| name.strip_prefix(ldm).map(|rest| format!("{diffusers}{rest}")))
    .or_else(|| transformer(name, false).map(str::to_owned))
}

/// A residual block's layers.
pub(super) fn resnet(name: &str) -> Option<String> {
    [
        ("in_layers.0.", "norm1."),
        ("in_layers.2.", "conv1."),
        ("out_layers.0.", "norm2."),
        ("out_layers.3.", "conv2."),
        ("emb_layers.1.", "time_emb_proj."),
        ("skip_connection.", "conv_shortcut."),
    ]
    .into_iter()
    .find_map(|(ldm, diffusers)| name.strip_prefix(ldm).map(|rest| format!("{diffusers}{rest}")))
}

/// A transformer's names are the same in both; only one of Stable Diffusion XL has more than one layer.
fn transformer(name: &str, is_xl: bool) -> Option<&str> {
    let layers = if is_xl { "transformer_blocks." } else { "transformer_blocks.0." };
    ["norm.", "proj_in.", "proj_out.", layers].into_iter().any(|start| name.starts_with(start)).then_some(name)
}
