//! AutoencoderTiny (TAESD): a small autoencoder of plain 3x3 convolutions, distilled from the family's own.
//!
//! Latents go in and out as the noise predictor has them, times [`AutoencoderTinyConfig::scaling_factor`]; images are in [-1, 1] as those of
//! the other autoencoders, and the shift to the model's own [0, 1] happens here. The invariant: the list of layers is what is loaded, what
//! runs, and what a plan counts. Follows diffusers models/autoencoders/autoencoder_tiny.py, and EncoderTiny and DecoderTiny of vae.py.

mod config;

use candle_core::{DType, Device, Tensor};

pub use self::config::AutoencoderTinyConfig;
use super::{
    shapes::{check_images, check_latents},
    tiling::{Direction, Tiling},
};
use crate::{
    Result,
    models::plan::{ActivationPlan, Blocks, Walk},
    ops::{ChainLink, Conv2d, Conv2dParams, ConvExtras, Nhwc, conv_chain},
    weights::ComponentWeights,
};

/// The decoder's first step limits latents to this either side of zero, by a tanh.
const LATENT_LIMIT: f64 = 3.0;

/// A kind of layer, and its channels.
#[derive(Clone, Copy, Debug)]
enum LayerShape {
    Conv { inputs: usize, outputs: usize, relu: bool },
    Block(usize),
    Downsample(usize),
    Upsample(usize),
}

#[derive(Debug)]
enum Layer {
    Conv {
        conv: Conv2d,
        relu: bool,
        /// Whether it halves the image.
        strides: bool,
    },
    /// Three convolutions, each with a ReLU; the last one's comes after the block's input is added.
    Block(Box<[Conv2d; 3]>),
    Upsample(Conv2d),
}

/// An AutoencoderTiny.
#[derive(Debug)]
pub struct AutoencoderTiny {
    encoder: Vec<Layer>,
    decoder: Vec<Layer>,
    tiling: Option<Tiling>,
    placement: (DType, Device),
    config: AutoencoderTinyConfig,
}

impl AutoencoderTiny {
    /// Reads the weights. Images of more than 1024 x 1024 pixels are coded in tiles, see [`Tiling`].
    ///
    /// # Errors
    /// [`crate::Error::Weights`] if a tensor is missing or mis-shaped.
    pub fn load(config: &AutoencoderTinyConfig, weights: &ComponentWeights) -> Result<Self> {
        let load = |part: &str, layers: Vec<(usize, LayerShape)>| -> Result<Vec<Layer>> {
            let weights = weights.pp(part).pp("layers");
            layers.into_iter().map(|(index, shape)| Layer::load(&weights.pp(index), shape)).collect()
        };
        Ok(Self {
            encoder: load("encoder", config.encoder_layers())?,
            decoder: load("decoder", config.decoder_layers())?,
            tiling: Some(Tiling::default()),
            placement: (weights.dtype(), weights.device().clone()),
            config: config.clone(),
        })
    }

    /// The same model with other tiling; `None` codes every image whole.
    #[must_use]
    pub fn with_tiling(self, tiling: Option<Tiling>) -> Self {
        Self { tiling, ..self }
    }

    /// When and how it codes images in tiles.
    pub fn tiling(&self) -> Option<Tiling> {
        self.tiling
    }

    /// The configuration that it was loaded with.
    pub fn config(&self) -> &AutoencoderTinyConfig {
        &self.config
    }

    /// Images [batch, in_channels, height, width] in [-1, 1] to latents [batch, latent_channels, height / factor, width / factor] in the
    /// model's precision. There is no distribution to draw from.
    ///
    /// # Errors
    /// [`crate::Error::Shape`] if the channels are not the config's or height or width is no multiple of [`AutoencoderTinyConfig::factor`].
    pub fn encode(&self, images: &Tensor) -> Result<Tensor> {
        let factor = self.config.factor();
        check_images(images, self.config.in_channels, factor)?;
        let images = images.to_dtype(self.placement.0)?.to_device(&self.placement.1)?;
        let encode = |images: &Tensor| run(&self.encoder, &images.affine(0.5, 0.5)?);
        match Tiling::of_image(self.tiling, images.dims(), 1, factor)? {
            Some(tiles) => tiles.run(&images, factor, Direction::Encode, encode),
            None => encode(&images),
        }
    }

    /// Latents [batch, latent_channels, height, width], already divided by the scaling factor, to images [batch, out_channels,
    /// factor * height, factor * width] in about [-1, 1] and the model's precision.
    ///
    /// # Errors
    /// [`crate::Error::Shape`] if the channels are not the config's, or there are no latents.
    pub fn decode(&self, latents: &Tensor) -> Result<Tensor> {
        self.decode_tiled(latents, self.tiling)
    }

    /// The same with other tiling than the model's own; `None` decodes every image whole.
    ///
    /// # Errors
    /// As [`Self::decode`]; [`crate::Error::Params`] if the tiling is not one.
    pub fn decode_tiled(&self, latents: &Tensor, tiling: Option<Tiling>) -> Result<Tensor> {
        let factor = self.config.factor();
        check_latents(latents, self.config.latent_channels)?;
        let latents = latents.to_dtype(self.placement.0)?.to_device(&self.placement.1)?;
        let decode = |latents: &Tensor| {
            let limited = (latents / LATENT_LIMIT)?.tanh()?.affine(LATENT_LIMIT, 0.0)?;
            Ok(run(&self.decoder, &limited)?.affine(2.0, -1.0)?)
        };
        match Tiling::of_image(tiling, latents.dims(), factor, factor)? {
            Some(tiles) => tiles.run(&latents, factor, Direction::Decode, decode),
            None => decode(&latents),
        }
    }

    /// How large the activations become that a decode of these latents holds, tiles taken into account.
    ///
    /// # Errors
    /// [`crate::Error::Params`] if the tiling is not one.
    pub fn planned_decode(&self, batch: usize, height: usize, width: usize) -> Result<ActivationPlan> {
        let factor = self.config.factor();
        let tiles = Tiling::of_image(self.tiling, &[batch, self.config.latent_channels, height, width], factor, factor)?;
        let longest = tiles.map_or(usize::MAX, |tiles| tiles.tile_sample_min_size / factor);
        Ok(self.config.planned_decode(batch, height.min(longest), width.min(longest)))
    }
}

impl AutoencoderTinyConfig {
    /// Layers by their indices in the class's list, which counts blocks, activations and enlargements too.
    fn encoder_layers(&self) -> Vec<(usize, LayerShape)> {
        let channels = self.encoder_channels;
        let mut layers = Vec::new();
        for (level, blocks) in self.num_encoder_blocks.iter().enumerate() {
            let first = LayerShape::Conv { inputs: self.in_channels, outputs: channels, relu: false };
            layers.push(if level == 0 { first } else { LayerShape::Downsample(channels) });
            layers.extend((0..*blocks).map(|_| LayerShape::Block(channels)));
        }
        layers.push(LayerShape::Conv { inputs: channels, outputs: self.latent_channels, relu: false });
        layers.into_iter().enumerate().collect()
    }

    fn decoder_layers(&self) -> Vec<(usize, LayerShape)> {
        let channels = self.decoder_channels;
        let mut layers = vec![(0, LayerShape::Conv { inputs: self.latent_channels, outputs: channels, relu: true })];
        let mut index = 2;
        for (level, blocks) in self.num_decoder_blocks.iter().enumerate() {
            for _ in 0..*blocks {
                layers.push((index, LayerShape::Block(channels)));
                index += 1;
            }
            if level + 1 < self.num_decoder_blocks.len() {
                layers.push((index + 1, LayerShape::Upsample(channels)));
                index += 2;
            } else {
                layers.push((index, LayerShape::Conv { inputs: channels, outputs: self.out_channels, relu: false }));
            }
        }
        layers
    }

    /// The activations if this many images are decoded at once, whole, from latents of that size. Computes; nothing is run.
    pub fn planned_decode(&self, images: usize, height: usize, width: usize) -> ActivationPlan {
        planned(Walk::new(Blocks::Images, images, height, width), self.decoder_layers())
    }

    /// The same if images of that size in pixels are encoded.
    pub fn planned_encode(&self, images: usize, height: usize, width: usize) -> ActivationPlan {
        planned(Walk::new(Blocks::Images, images, height, width), self.encoder_layers())
    }
}

fn planned(mut walk: Walk, layers: Vec<(usize, LayerShape)>) -> ActivationPlan {
    for (_, layer) in layers {
        match layer {
            LayerShape::Conv { inputs, outputs, .. } => walk.conv(inputs, outputs),
            LayerShape::Block(channels) => walk.residual_convs(channels),
            LayerShape::Downsample(channels) => walk.downsample(channels),
            LayerShape::Upsample(channels) => walk.upsample(channels, walk.height.saturating_mul(2), walk.width.saturating_mul(2)),
        }
    }
    walk.plan()
}

fn run(layers: &[Layer], x: &Tensor) -> Result<Tensor> {
    let mut hidden = Nhwc::from_nchw(x)?;
    let mut rest = layers;
    while let Some((layer, others)) = rest.split_first() {
        let (chain, behind) = chain(rest);
        (hidden, rest) = match conv_chain(&hidden, &chain)? {
            Some(result) => (result, behind),
            None => (layer.forward(&hidden)?, others),
        };
    }
    hidden.to_nchw()
}

/// The convolutions of a block, of the enlargement before it, and of a plain layer behind it, as far as these layers begin with them; and
/// the layers behind those. In one pass over an image they need no activation of the block's size but the result.
fn chain(layers: &[Layer]) -> (Vec<ChainLink<'_>>, &[Layer]) {
    let mut links = Vec::new();
    let mut rest = layers;
    if let [Layer::Upsample(conv), others @ ..] = rest {
        links.push(ChainLink { conv, adds: None, relu: false });
        rest = others;
    }
    let [Layer::Block(convs), others @ ..] = rest else { return (Vec::new(), layers) };
    let input = links.len();
    let [first, second, third] = convs.as_ref();
    links.extend([first, second].map(|conv| ChainLink { conv, adds: None, relu: true }));
    links.push(ChainLink { conv: third, adds: Some(input), relu: true });
    match others {
        [Layer::Conv { conv, relu, strides: false }, others @ ..] => {
            links.push(ChainLink { conv, adds: None, relu: *relu });
            (links, others)
        }
        _ => (links, others),
    }
}

impl Layer {
    fn load(weights: &ComponentWeights, shape: LayerShape) -> Result<Self> {
        Ok(match shape {
            LayerShape::Conv { inputs, outputs, relu } => {
                Self::Conv { conv: Conv2d::load(weights, inputs, outputs, Conv2dParams::same(3))?, relu, strides: false }
            }
            LayerShape::Block(channels) => {
                let conv = |index: usize| Conv2d::load(&weights.pp("conv").pp(index), channels, channels, Conv2dParams::same(3).chained());
                Self::Block(Box::new([conv(0)?, conv(2)?, conv(4)?]))
            }
            LayerShape::Downsample(channels) => {
                let conv = Conv2d::load_without_bias(weights, channels, channels, Conv2dParams::downsample(1))?;
                Self::Conv { conv, relu: false, strides: true }
            }
            LayerShape::Upsample(channels) => {
                Self::Upsample(Conv2d::load_without_bias(weights, channels, channels, Conv2dParams::upsample().chained())?)
            }
        })
    }

    fn forward(&self, x: &Nhwc) -> Result<Nhwc> {
        match self {
            Self::Conv { conv, relu, .. } => conv.forward_with(x, ConvExtras { relu: *relu, ..ConvExtras::default() }),
            Self::Block(convs) => {
                let [first, second, third] = convs.as_ref();
                let relu = ConvExtras { relu: true, ..ConvExtras::default() };
                let mut hidden = first.forward_with(x, relu)?;
                hidden = second.forward_with(&hidden, relu)?;
                third.forward_with(&hidden, ConvExtras { residual: Some(x), ..relu })
            }
            Self::Upsample(conv) => {
                let (_, height, width, _) = x.dims()?;
                conv.forward_enlarged(x, 2 * height, 2 * width)
            }
        }
    }
}
