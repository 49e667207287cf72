//! ESRGAN's RRDBNet: residual blocks of three dense blocks each, whose five convolutions read everything that came before them.
//!
//! The invariant: no concatenation is copied, a convolution reads its parts where they lie; the residuals' factors are in the weights or in
//! the epilogue of the last convolution. Reference: BasicSR's archs/rrdbnet_arch.py, and for `plus` ESRGAN+ (ncarraz/ESRGANplus).

use candle_core::{DType, Tensor};

use super::{BetweenBlocks, same};
use crate::{
    Result,
    ops::{Conv2d, Conv2dParams, ConvExtras, Nhwc, rounds_points},
    weights::ComponentWeights,
};

/// What negative numbers are multiplied by.
const SLOPE: f32 = 0.2;
/// What a dense block's result, and again that of three of them, is multiplied by before it is added to their input.
const RESIDUAL: f64 = 0.2;

#[derive(Debug)]
pub(super) struct Rrdb {
    conv_first: Conv2d,
    blocks: Vec<[DenseBlock; 3]>,
    conv_body: Conv2d,
    conv_up: Vec<Conv2d>,
    conv_hr: Conv2d,
    conv_last: Conv2d,
    /// One for each feature.
    slopes: Tensor,
}

#[derive(Debug)]
struct DenseBlock {
    convs: [Conv2d; 4],
    /// Its weights contain the factor of the residual.
    last: Conv2d,
    /// ESRGAN+'s path past the second convolution.
    plus: Option<Conv2d>,
    /// One for each channel that a convolution adds.
    slopes: Tensor,
}

impl Rrdb {
    pub(super) fn load(
        weights: &ComponentWeights,
        (inputs, features, growth): (usize, usize, usize),
        blocks: usize,
        doublings: usize,
        plus: bool,
    ) -> Result<Self> {
        // The residuals' factors shrink what dense blocks lose to rounding, but not what these lose: rounded points would cost small models up
        // to 3.7 dB. Plain, they cost 3 % of the time of 23 blocks (README, Upscalers).
        let exact = Conv2dParams { compact: rounds_points(weights.dtype()), ..same() };
        let conv = |name: &str, inputs: usize, outputs: usize| Conv2d::load(&weights.pp(name), inputs, outputs, exact);
        let block = |block: usize| -> Result<[DenseBlock; 3]> {
            let dense = |index: usize| DenseBlock::load(&weights.pp(format!("body.{block}.rdb{index}")), features, growth, plus);
            Ok([dense(1)?, dense(2)?, dense(3)?])
        };
        let up = |index: usize| Conv2d::load(&weights.pp(format!("conv_up{index}")), features, features, Conv2dParams::upsample());
        Ok(Self {
            conv_first: conv("conv_first", inputs, features)?,
            blocks: (0..blocks).map(block).collect::<Result<_>>()?,
            conv_body: conv("conv_body", features, features)?,
            conv_up: (1..=doublings).map(up).collect::<Result<_>>()?,
            conv_hr: conv("conv_hr", features, features)?,
            conv_last: conv("conv_last", features, 3)?,
            slopes: slopes(weights, features)?,
        })
    }

    pub(super) fn body(&self, input: &Nhwc, between: BetweenBlocks<'_>) -> Result<Nhwc> {
        let first = self.conv_first.forward(input)?;
        let mut hidden = first.clone();
        for [one, two, three] in &self.blocks {
            let inner = two.forward(&one.forward(&hidden, None)?, None)?;
            hidden = three.forward(&inner, Some(&hidden))?;
            between()?;
        }
        self.conv_body.forward_with(&hidden, ConvExtras { residual: Some(&first), ..ConvExtras::default() })
    }

    pub(super) fn tail(&self, features: &Nhwc) -> Result<Nhwc> {
        let leaky = ConvExtras { slopes: Some(&self.slopes), ..ConvExtras::default() };
        let mut hidden = features.clone();
        for conv in &self.conv_up {
            let (_, height, width, _) = hidden.dims()?;
            hidden = conv.forward_enlarged_with(&hidden, 2 * height, 2 * width, leaky)?;
        }
        self.conv_last.forward(&self.conv_hr.forward_with(&hidden, leaky)?)
    }
}

impl DenseBlock {
    fn load(weights: &ComponentWeights, features: usize, growth: usize, plus: bool) -> Result<Self> {
        let conv = |index: usize| Conv2d::load(&weights.pp(format!("conv{}", index + 1)), features + index * growth, growth, same());
        let plus = plus.then(|| Conv2d::load_without_bias(&weights.pp("conv1x1"), features, growth, Conv2dParams::same(1))).transpose()?;
        let last = scaled(&weights.pp("conv5"), features + 4 * growth, features)?;
        Ok(Self { convs: [conv(0)?, conv(1)?, conv(2)?, conv(3)?], last, plus, slopes: slopes(weights, growth)? })
    }

    /// The block's result; with the input of all three, theirs.
    fn forward(&self, x: &Nhwc, outer: Option<&Nhwc>) -> Result<Nhwc> {
        let leaky = ConvExtras { slopes: Some(&self.slopes), ..ConvExtras::default() };
        let [one, two, three, four] = &self.convs;
        let first = one.forward_with(x, leaky)?;
        let mut second = two.forward_parts(x, &[&first], leaky)?;
        if let Some(plus) = &self.plus {
            second = plus.forward_with(x, ConvExtras { residual: Some(&second), ..ConvExtras::default() })?;
        }
        let third = three.forward_parts(x, &[&first, &second], leaky)?;
        let mut fourth = four.forward_parts(x, &[&first, &second, &third], leaky)?;
        if self.plus.is_some() {
            fourth = fourth.add(&second)?;
        }
        let onto = outer.map(|outer| (outer, RESIDUAL));
        self.last.forward_parts(x, &[&first, &second, &third, &fourth], ConvExtras { residual: Some(x), onto, ..ConvExtras::default() })
    }
}

/// A convolution whose result is multiplied by the residual's factor.
fn scaled(weights: &ComponentWeights, inputs: usize, outputs: usize) -> Result<Conv2d> {
    let wide = weights.in_f32();
    let weight = (wide.get([outputs, inputs, 3, 3].as_slice(), "weight")? * RESIDUAL)?.to_dtype(weights.dtype())?;
    let bias = (wide.get(outputs, "bias")? * RESIDUAL)?.to_dtype(weights.dtype())?;
    Conv2d::new(&weight, Some(bias), same())
}

fn slopes(weights: &ComponentWeights, channels: usize) -> Result<Tensor> {
    Ok(Tensor::full(SLOPE, channels, weights.device())?.to_dtype(DType::F32)?)
}
