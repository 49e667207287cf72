//! The kernels that the models run, and their sizes: a walk through each model's configuration in the order of its forward pass.
//!
//! A kernel shared by two models is listed once, with the first. Slow kernels are cut, and the name has the reduced size: fewer images or,
//! for a single image, fewer lines of a convolution, fewer queries of attention, fewer pixels of a norm.

use std::collections::HashSet;

use anyhow::Result;
use cpu_kernels::{Activation, AttentionShape, ConvShape, TemporalShape};
use diffusion_core::{
    models::{AutoencoderKlConfig, ClipTextConfig, UNet2dConfig},
    weights::{Component, RandomWeights, WeightSource},
};

/// Maximum operations of a bench's convolution: a fifth of a second at 400 GFLOP/s. The decoder's convolutions at 512x512 with as many
/// outputs as inputs are just below.
const MOST_PRODUCTS: usize = 80_000_000_000;
/// The same for attention, which does more work besides products.
const MOST_ATTENTION: usize = 60_000_000_000;
/// Maximum elements that a norm reads and writes.
const MOST_ELEMENTS: usize = 1 << 27;
/// Maximum elements of attention's queries.
const MOST_QUERIES: usize = 1 << 24;
/// Pixels of Stable Video Diffusion's latents; smaller frames are grouped so that a group has as many pixels.
const VIDEO: (usize, usize) = (72, 128);
const VIDEO_FRAMES: usize = 14;
/// Tokens per text.
const TEXT: usize = 77;

/// A kernel and its operands' sizes.
pub(crate) enum Kernel {
    Conv {
        shape: ConvShape,
        inputs: usize,
        outputs: usize,
        residual: bool,
    },
    /// `outputs` are the result's; a gated weight has twice as many.
    Linear {
        rows: usize,
        inputs: usize,
        outputs: usize,
        gated: bool,
        residual: bool,
    },
    Attention(AttentionShape),
    Temporal(TemporalShape),
    GroupNorm {
        images: usize,
        pixels: usize,
        channels: usize,
        silu: bool,
    },
    LayerNorm {
        rows: usize,
        channels: usize,
    },
    Activate {
        activation: Activation,
        rows: usize,
        channels: usize,
    },
}

/// The unit of a kernel's work.
pub(crate) enum Work {
    /// Multiplications and additions.
    Products(usize),
    /// Elements read and written.
    Elements(usize),
}

impl Kernel {
    /// The kernel's part of the bench name.
    pub(crate) fn name(&self) -> String {
        let sum = |residual: bool| if residual { "+residual" } else { "" };
        match *self {
            Self::Conv { shape, inputs, outputs, residual } => {
                let ConvShape { images, input, enlarged, output, kernel, .. } = shape;
                let how = match (enlarged == input, output == enlarged) {
                    (false, _) => "up",
                    (true, false) => "down",
                    (true, true) => "",
                };
                let size = format!("{images}x{}x{}", input.0, input.1);
                format!("conv{}x{}{how}{} {size} {inputs}>{outputs}", kernel.0, kernel.1, sum(residual))
            }
            Self::Linear { rows, inputs, outputs, gated, residual } => {
                format!("{}{} {rows} {inputs}>{outputs}", if gated { "geglu" } else { "linear" }, sum(residual))
            }
            Self::Attention(shape) => {
                let AttentionShape { images, queries, keys, heads, head_dim, causal, .. } = shape;
                format!("attention{} {images}x{queries}x{keys} {heads}x{head_dim}", if causal { "+causal" } else { "" })
            }
            Self::Temporal(TemporalShape { clips, frames, pixels, heads, head_dim, .. }) => {
                format!("attention+temporal {clips}x{frames}x{pixels} {heads}x{head_dim}")
            }
            Self::GroupNorm { images, pixels, channels, silu } => {
                format!("group_norm{} {images}x{pixels} {channels}", if silu { "+silu" } else { "" })
            }
            Self::LayerNorm { rows, channels } => format!("layer_norm {rows} {channels}"),
            Self::Activate { activation, rows, channels } => {
                let name = match activation {
                    Activation::Silu => "silu",
                    Activation::Gelu => "gelu",
                    Activation::QuickGelu => "quick_gelu",
                };
                format!("{name} {rows} {channels}")
            }
        }
    }

    /// Counted by the kernel's definition, however it is computed.
    pub(crate) fn work(&self) -> Work {
        match *self {
            Self::Conv { shape: ConvShape { images, output, kernel, .. }, inputs, outputs, .. } => {
                Work::Products(2 * images * output.0 * output.1 * kernel.0 * kernel.1 * inputs * outputs)
            }
            Self::Linear { rows, inputs, outputs, gated, .. } => Work::Products(2 * rows * inputs * outputs * if gated { 2 } else { 1 }),
            // For causal attention, all scores.
            Self::Attention(AttentionShape { images, queries, keys, heads, head_dim, .. }) => {
                Work::Products(4 * images * queries * keys * heads * head_dim)
            }
            Self::Temporal(TemporalShape { clips, frames, pixels, heads, head_dim, .. }) => {
                Work::Products(4 * clips * pixels * frames * frames * heads * head_dim)
            }
            Self::GroupNorm { images, pixels, channels, .. } => Work::Elements(2 * images * pixels * channels),
            Self::LayerNorm { rows, channels } | Self::Activate { rows, channels, .. } => Work::Elements(2 * rows * channels),
        }
    }

    fn takes_long(&self) -> bool {
        match (self, self.work()) {
            (Self::Conv { .. }, Work::Products(operations)) => operations > MOST_PRODUCTS,
            (Self::Attention(shape), Work::Products(operations)) => {
                operations > MOST_ATTENTION || shape.images * shape.queries * shape.heads * shape.head_dim > MOST_QUERIES
            }
            (Self::GroupNorm { .. }, Work::Elements(elements)) => elements > MOST_ELEMENTS,
            _ => false,
        }
    }

    /// Halves the number of images, or a single image.
    fn halve(&mut self) {
        match self {
            Self::Conv { shape: ConvShape { images, .. }, .. } | Self::Attention(AttentionShape { images, .. }) if *images > 1 => {
                *images /= 2
            }
            Self::Conv { shape, .. } => {
                // For a convolution over frames, half of the pixels.
                let frames = shape.kernel.0 > shape.kernel.1;
                for (height, width) in [&mut shape.input, &mut shape.enlarged, &mut shape.output] {
                    *(if frames { width } else { height }) /= 2;
                }
            }
            Self::Attention(shape) => shape.queries /= 2,
            Self::GroupNorm { pixels, .. } => *pixels /= 2,
            Self::Linear { .. } | Self::Temporal(_) | Self::LayerNorm { .. } | Self::Activate { .. } => {}
        }
    }
}

/// A convolution that keeps the size.
fn same(images: usize, size: (usize, usize), kernel: (usize, usize)) -> ConvShape {
    ConvShape { images, input: size, enlarged: size, output: size, kernel, stride: 1, pad: (kernel.0 / 2, kernel.1 / 2) }
}

fn half((height, width): (usize, usize)) -> (usize, usize) {
    (height / 2, width / 2)
}

/// A model's name, and the kernels that no earlier model has.
pub(crate) struct Model {
    pub(crate) name: &'static str,
    pub(crate) kernels: Vec<Kernel>,
}

/// Every model.
pub(crate) fn models() -> Result<Vec<Model>> {
    let mut list = List::default();
    for name in ["tiny-sd", "sd15"] {
        list.model(name);
        let config = UNet2dConfig::from_json(&RandomWeights::new(name, 1)?.config(Component::Unet)?)?;
        // Both halves of classifier-free guidance.
        Input { images: 2, frames: None, text: TEXT }.unet(&mut list, &config, (64, 64));
    }
    let sd15 = RandomWeights::new("sd15", 1)?;
    let vae = AutoencoderKlConfig::from_json(&sd15.config(Component::Vae)?)?;
    list.model("vae");
    let image = Input { images: 1, frames: None, text: 0 };
    image.decoder(&mut list, &vae, (64, 64));
    image.encoder(&mut list, &vae, (512, 512));
    list.model("clip");
    clip(&mut list, &ClipTextConfig::from_json(&sd15.config(Component::TextEncoder)?)?);
    // Stable Video Diffusion's UNet differs from Stable Diffusion 1.5's only in these fields and in its temporal layers.
    let mut video = UNet2dConfig::from_json(&sd15.config(Component::Unet)?)?;
    video.in_channels = 8;
    for level in &mut video.levels {
        (level.heads, level.cross_attention_dim) = (level.channels / 64, 1024);
    }
    let input = Input { images: 1, frames: Some(VIDEO_FRAMES), text: 0 };
    list.model("svd");
    input.unet(&mut list, &video, VIDEO);
    // Its image encoder's activation: CLIP ViT-H, 257 tokens.
    list.add(Kernel::Activate { activation: Activation::Gelu, rows: 257, channels: 5120 });
    list.model("svd-vae");
    input.decoder(&mut list, &vae, VIDEO);
    Ok(list.models)
}

/// The list under construction.
#[derive(Default)]
struct List {
    models: Vec<Model>,
    names: HashSet<String>,
}

impl List {
    /// Starts a model; the following kernels belong to it.
    fn model(&mut self, name: &'static str) {
        self.models.push(Model { name, kernels: Vec::new() });
    }

    /// Adds a kernel, cut to a bench's size, unless it is already listed.
    fn add(&mut self, mut kernel: Kernel) {
        while kernel.takes_long() {
            kernel.halve();
        }
        if let (true, Some(model)) = (self.names.insert(kernel.name()), self.models.last_mut()) {
            model.kernels.push(kernel);
        }
    }
}

/// A model's input.
#[derive(Clone, Copy)]
struct Input {
    /// Images at a time.
    images: usize,
    /// For a video, the number of frames in its temporal layers.
    frames: Option<usize>,
    /// Tokens of the text.
    text: usize,
}

/// Images of one size at one level of a model.
#[derive(Clone, Copy)]
struct Place {
    input: Input,
    images: usize,
    size: (usize, usize),
}

impl Place {
    fn pixels(&self) -> usize {
        self.size.0 * self.size.1
    }

    fn conv(&self, list: &mut List, kernel: usize, inputs: usize, outputs: usize, residual: bool) {
        let shape = same(self.images, self.size, (kernel, kernel));
        list.add(Kernel::Conv { shape, inputs, outputs, residual });
    }

    /// Halves height and width; `pad` as in diffusers' Downsample2D.
    fn downsample(&self, list: &mut List, channels: usize, pad: usize) {
        let shape = ConvShape { output: half(self.size), stride: 2, pad: (pad, pad), ..same(self.images, self.size, (3, 3)) };
        list.add(Kernel::Conv { shape, inputs: channels, outputs: channels, residual: false });
    }

    /// Doubles height and width to this size.
    fn upsampled(&self, list: &mut List, channels: usize) {
        let shape = ConvShape { input: half(self.size), ..same(self.images, self.size, (3, 3)) };
        list.add(Kernel::Conv { shape, inputs: channels, outputs: channels, residual: false });
    }

    fn group_norm(&self, list: &mut List, channels: usize, silu: bool) {
        list.add(Kernel::GroupNorm { images: self.images, pixels: self.pixels(), channels, silu });
    }

    /// A residual block, followed by the temporal one in a video.
    fn resnet(&self, list: &mut List, inputs: usize, outputs: usize, time: Option<usize>) {
        self.group_norm(list, inputs, true);
        if let Some(time) = time {
            let rows = self.input.frames.unwrap_or(self.input.images);
            list.add(Kernel::Linear { rows, inputs: time, outputs, gated: false, residual: false });
        }
        self.conv(list, 3, inputs, outputs, false);
        self.group_norm(list, outputs, true);
        self.conv(list, 3, outputs, outputs, true);
        if inputs != outputs {
            self.conv(list, 1, inputs, outputs, false);
        }
        let Some(frames) = self.input.frames else { return };
        // Frames are the lines of an image of [frames, pixels].
        let pixels = self.pixels();
        list.add(Kernel::GroupNorm { images: 1, pixels: frames * pixels, channels: outputs, silu: true });
        for residual in [false, true] {
            list.add(Kernel::Conv { shape: same(1, (frames, pixels), (3, 1)), inputs: outputs, outputs, residual });
        }
    }

    /// A transformer of one block, with the temporal attention in a video.
    fn transformer(&self, list: &mut List, channels: usize, heads: usize, text_channels: usize) {
        let rows = self.images * self.pixels();
        let linear = |rows, inputs, outputs| Kernel::Linear { rows, inputs, outputs, gated: false, residual: false };
        let summed = |inputs| Kernel::Linear { rows, inputs, outputs: channels, gated: false, residual: true };
        self.group_norm(list, channels, false);
        list.add(Kernel::LayerNorm { rows, channels });
        list.add(linear(rows, channels, channels));
        list.add(attention(self.images, self.pixels(), self.pixels(), heads, channels));
        list.add(summed(channels));
        list.add(Kernel::Linear { rows, inputs: channels, outputs: 4 * channels, gated: true, residual: false });
        list.add(summed(4 * channels));
        match self.input.frames {
            // A video's attention to its single state is a bias.
            Some(frames) => {
                let (pixels, head_dim) = (self.pixels(), channels / heads);
                let scale = (head_dim as f32).powf(-0.5);
                list.add(Kernel::Temporal(TemporalShape { clips: 1, frames, pixels, heads, head_dim, scale }));
            }
            None => {
                list.add(linear(self.images * self.input.text, text_channels, channels));
                list.add(attention(self.images, self.pixels(), self.input.text, heads, channels));
            }
        }
    }
}

fn attention(images: usize, queries: usize, keys: usize, heads: usize, channels: usize) -> Kernel {
    let head_dim = channels / heads;
    let scale = (head_dim as f32).powf(-0.5);
    Kernel::Attention(AttentionShape { images, queries, keys, heads, head_dim, scale, causal: false })
}

impl Input {
    /// For a video, as many frames as have the latents' pixels.
    fn at(self, size: (usize, usize)) -> Place {
        let frames = self.frames.map(|frames| (VIDEO.0 * VIDEO.1 / (size.0 * size.1)).clamp(1, frames));
        Place { input: self, images: frames.unwrap_or(self.images), size }
    }

    fn unet(self, list: &mut List, config: &UNet2dConfig, size: (usize, usize)) {
        let (levels, time) = (&config.levels, Some(config.time_channels));
        let places: Vec<Place> = (0..levels.len()).map(|level| self.at((size.0 >> level, size.1 >> level))).collect();
        let (Some(first), Some(top), Some(last), Some(bottom)) = (levels.first(), places.first(), levels.last(), places.last()) else {
            return;
        };
        let embed = |inputs| Kernel::Linear { rows: 1, inputs, outputs: config.time_channels, gated: false, residual: false };
        list.add(embed(first.channels));
        list.add(Kernel::Activate { activation: Activation::Silu, rows: 1, channels: config.time_channels });
        list.add(embed(config.time_channels));
        top.conv(list, 3, config.in_channels, first.channels, false);
        let (mut hidden, mut skips) = (first.channels, vec![first.channels]);
        for (level, place) in levels.iter().zip(&places) {
            for _ in 0..level.layers {
                place.resnet(list, hidden, level.channels, time);
                if level.down_attention {
                    place.transformer(list, level.channels, level.heads, level.cross_attention_dim);
                }
                hidden = level.channels;
                skips.push(hidden);
            }
            if place.size != bottom.size {
                place.downsample(list, hidden, config.downsample_padding);
                skips.push(hidden);
            }
        }
        if config.has_mid_block {
            bottom.resnet(list, hidden, hidden, time);
            bottom.transformer(list, hidden, last.heads, last.cross_attention_dim);
        }
        for (level, place) in levels.iter().zip(&places).rev() {
            if place.size != bottom.size {
                place.upsampled(list, hidden);
            }
            for _ in 0..=level.layers {
                place.resnet(list, hidden + skips.pop().unwrap_or(0), level.channels, time);
                if level.up_attention {
                    place.transformer(list, level.channels, level.heads, level.cross_attention_dim);
                }
                hidden = level.channels;
            }
        }
        top.group_norm(list, hidden, true);
        top.conv(list, 3, hidden, config.out_channels, false);
    }

    /// The autoencoder's two residual blocks at the latents' size, with attention over all pixels between them.
    fn middle(self, list: &mut List, channels: usize, size: (usize, usize)) {
        let place = self.at(size);
        place.resnet(list, channels, channels, None);
        place.group_norm(list, channels, false);
        for residual in [false, true] {
            list.add(Kernel::Linear { rows: place.pixels(), inputs: channels, outputs: channels, gated: false, residual });
        }
        list.add(attention(place.images, place.pixels(), place.pixels(), 1, channels));
    }

    fn decoder(self, list: &mut List, config: &AutoencoderKlConfig, latents: (usize, usize)) {
        let mut hidden = config.block_out_channels.last().copied().unwrap_or(0);
        self.at(latents).conv(list, 3, config.latent_channels, hidden, false);
        self.middle(list, hidden, latents);
        let mut size = latents;
        for (index, channels) in config.block_out_channels.iter().rev().enumerate() {
            if index > 0 {
                size = (2 * size.0, 2 * size.1);
                self.at(size).upsampled(list, hidden);
            }
            for _ in 0..=config.layers_per_block {
                self.at(size).resnet(list, hidden, *channels, None);
                hidden = *channels;
            }
        }
        self.at(size).group_norm(list, hidden, true);
        self.at(size).conv(list, 3, hidden, config.out_channels, false);
        if let Some(frames) = self.frames {
            let shape = same(1, (frames, size.0 * size.1), (3, 1));
            list.add(Kernel::Conv { shape, inputs: config.out_channels, outputs: config.out_channels, residual: false });
        }
    }

    fn encoder(self, list: &mut List, config: &AutoencoderKlConfig, image: (usize, usize)) {
        let mut hidden = config.block_out_channels.first().copied().unwrap_or(0);
        self.at(image).conv(list, 3, config.in_channels, hidden, false);
        let mut size = image;
        for (index, channels) in config.block_out_channels.iter().enumerate() {
            for _ in 0..config.layers_per_block {
                self.at(size).resnet(list, hidden, *channels, None);
                hidden = *channels;
            }
            if index + 1 < config.block_out_channels.len() {
                self.at(size).downsample(list, hidden, 0);
                size = half(size);
            }
        }
        self.middle(list, hidden, size);
        self.at(size).group_norm(list, hidden, true);
        self.at(size).conv(list, 3, hidden, 2 * config.latent_channels, false);
    }
}

/// CLIP's text encoder, one text at a time.
fn clip(list: &mut List, config: &ClipTextConfig) {
    let (channels, wide) = (config.hidden_size, config.intermediate_size);
    let linear = |inputs, outputs, residual| Kernel::Linear { rows: TEXT, inputs, outputs, gated: false, residual };
    list.add(Kernel::LayerNorm { rows: TEXT, channels });
    list.add(linear(channels, channels, false));
    if let Kernel::Attention(shape) = attention(1, TEXT, TEXT, config.num_attention_heads, channels) {
        list.add(Kernel::Attention(AttentionShape { causal: true, ..shape }));
    }
    list.add(linear(channels, channels, true));
    list.add(linear(channels, wide, false));
    list.add(Kernel::Activate { activation: Activation::QuickGelu, rows: TEXT, channels: wide });
    list.add(linear(wide, channels, true));
}
