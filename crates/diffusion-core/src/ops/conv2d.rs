//! The 2-D convolution of channels-last images, fused with what usually follows it (a bias for each image from the time embedding, a
//! residual) and with what sometimes precedes it (nearest-neighbour enlargement).
//!
//! A 1x1 convolution is a matrix product. This module does not depend on models. Follows torch.nn.Conv2d and
//! torch.nn.functional.interpolate(mode="nearest").

use candle_core::{D, DType, Tensor};
use cpu_kernels::{Images, PART_CHANNELS, Packed};

use super::{
    Nhwc, cpu, execution,
    matrix::{Matrix, Use},
    memory, portable,
};
use crate::{Error, Result, weights::ComponentWeights};

/// Whether the CPU's kernels round the points of a transformed 3x3 kernel to this precision, which costs some of the result's.
pub fn rounds_points(dtype: DType) -> bool {
    let (bytes, transforms) = memory::packing(dtype);
    transforms && bytes == 2
}

/// A convolution's geometry; these models have no grouped convolutions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conv2dParams {
    /// (height, width) of the kernel.
    pub kernel: (usize, usize),
    /// Input pixels from one output to the next.
    pub stride: usize,
    /// Zeros added (above, to the left).
    pub pad_before: (usize, usize),
    /// Zeros added (below, to the right).
    pub pad_after: (usize, usize),
    /// Whether nearest-neighbour enlargement comes first; fast for twice the size, or a line or column less.
    pub doubles: bool,
    /// Whether a 3x3 kernel that does not double is kept as it is on the CPU: 9/16 of the memory of its fastest form (1/4 in f32 with up to 640 by
    /// 960 channels), two to three times the time, and in bf16 a third of its rounding.
    pub compact: bool,
    /// Whether its images are usually smaller than 8 pixels on a side: on the CPU another method is then the fastest.
    pub small: bool,
    /// Whether it usually runs in one pass with the convolutions behind it (see [`super::conv_chain()`]).
    pub chained: bool,
}

impl Conv2dParams {
    /// A square kernel of odd size that keeps the image's size.
    pub fn same(kernel: usize) -> Self {
        Self::same_of((kernel, kernel))
    }

    /// A kernel of odd (height, width) that keeps the image's size.
    pub fn same_of(kernel: (usize, usize)) -> Self {
        let pad = (kernel.0.saturating_sub(1) / 2, kernel.1.saturating_sub(1) / 2);
        Self { kernel, stride: 1, pad_before: pad, pad_after: pad, doubles: false, compact: false, small: false, chained: false }
    }

    /// A 3x3 kernel on an enlarged image, as in diffusers' Upsample2D.
    pub fn upsample() -> Self {
        Self { doubles: true, ..Self::same(3) }
    }

    /// A 3x3 kernel with stride 2: `padding` on all sides, or for 0 one zero below and to the right, as in diffusers' Downsample2D.
    pub fn downsample(padding: usize) -> Self {
        let after = padding.max(1);
        Self {
            kernel: (3, 3),
            stride: 2,
            pad_before: (padding, padding),
            pad_after: (after, after),
            doubles: false,
            compact: false,
            small: false,
            chained: false,
        }
    }

    /// The output's (height, width) for an input of this (height, width); `None` if the kernel does not fit.
    fn output(&self, input: (usize, usize)) -> Option<(usize, usize)> {
        let extent = |input: usize, before: usize, after: usize, kernel: usize| {
            let padded = input.checked_add(before)?.checked_add(after)?;
            Some(padded.checked_sub(kernel)?.checked_div(self.stride)? + 1)
        };
        let height = extent(input.0, self.pad_before.0, self.pad_after.0, self.kernel.0)?;
        Some((height, extent(input.1, self.pad_before.1, self.pad_after.1, self.kernel.1)?))
    }

    /// What a weight is packed for.
    fn layer(&self) -> Use {
        let is_usual = (self.kernel, self.stride, self.pad_before, self.pad_after) == ((3, 3), 1, (1, 1), (1, 1));
        let &Self { doubles, compact, small, chained, .. } = self;
        let images = match (doubles, small) {
            (true, _) => Images::Doubled,
            (false, true) => Images::Small,
            (false, false) => Images::Large,
        };
        if is_usual && (doubles || !compact) { Use::Conv3x3 { images, chained } } else { Use::Plain }
    }

    /// The same in a chain.
    #[must_use]
    pub fn chained(self) -> Self {
        Self { chained: true, ..self }
    }

    /// Inputs of an output in one channel.
    fn taps(&self) -> usize {
        self.kernel.0.saturating_mul(self.kernel.1)
    }
}

/// Operands of the epilogue: added to a convolution's output before it is rounded to the activations' precision.
#[derive(Clone, Copy, Debug, Default)]
pub struct ConvExtras<'a> {
    /// An additional bias for each image: [batch, channels].
    pub per_image: Option<&'a Tensor>,
    /// Has the output's shape.
    pub residual: Option<&'a Nhwc>,
    /// Whether the sum's negative numbers become 0 (ReLU).
    pub relu: bool,
    /// \[channels\]: what the sum's negative numbers are multiplied by (a leaky or parametric ReLU).
    pub slopes: Option<&'a Tensor>,
    /// The result is this, of the output's shape, plus a share of everything above.
    pub onto: Option<(&'a Nhwc, f64)>,
}

/// Everything an execution of the convolution needs to know; the sizes have been checked.
#[derive(Clone, Copy, Debug)]
pub struct ConvGeometry {
    /// The kernel, stride and padding.
    pub params: Conv2dParams,
    /// (height, width) after nearest-neighbour enlargement; the input's own if there is none.
    pub enlarged: (usize, usize),
    /// (height, width) of the output.
    pub output: (usize, usize),
}

/// A convolution.
#[derive(Clone, Debug)]
pub struct Conv2d {
    /// Has kernel height * width * inputs rows, in the order ky, kx, channel.
    matrix: Matrix,
    inputs: usize,
    params: Conv2dParams,
}

impl Conv2d {
    /// Loads `weight` [outputs, inputs, kernel height, kernel width] and `bias` \[outputs\].
    ///
    /// # Errors
    /// [`Error::Weights`] if a tensor is missing or has the wrong shape.
    pub fn load(weights: &ComponentWeights, inputs: usize, outputs: usize, params: Conv2dParams) -> Result<Self> {
        Self::load_layer(weights, inputs, outputs, true, params)
    }

    /// Reads a layer without a bias: `weight` alone.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn load_without_bias(weights: &ComponentWeights, inputs: usize, outputs: usize, params: Conv2dParams) -> Result<Self> {
        Self::load_layer(weights, inputs, outputs, false, params)
    }

    fn load_layer(weights: &ComponentWeights, inputs: usize, outputs: usize, has_bias: bool, params: Conv2dParams) -> Result<Self> {
        weights.kept_or(|| {
            let kernel = [params.kernel.0, params.kernel.1];
            let matrix = Matrix::load(weights, (outputs, inputs), &kernel, has_bias, params.layer())?;
            Ok(Self { matrix, inputs, params })
        })
    }

    /// Makes a layer from `weight` [outputs, inputs, kernel height, kernel width] and `bias` \[outputs\].
    ///
    /// # Errors
    /// [`Error::Shape`] if the weight or the bias has another shape.
    pub fn new(weight: &Tensor, bias: Option<Tensor>, params: Conv2dParams) -> Result<Self> {
        let (outputs, inputs, height, width) = weight.dims4()?;
        if (height, width) != params.kernel {
            let expected = format!("[outputs, inputs, {}, {}]", params.kernel.0, params.kernel.1);
            return Err(Error::Shape { what: "weight of a convolution", expected, found: weight.dims().to_vec() });
        }
        let flat = weight.reshape((outputs, inputs, height * width))?;
        Ok(Self { matrix: Matrix::new(&flat, bias, params.layer())?, inputs, params })
    }

    /// Whether its image is enlarged first.
    pub(super) fn doubles(&self) -> bool {
        self.params.doubles
    }

    /// Whether it is a 3x3 kernel whose result has the size of its (enlarged) image.
    pub(super) fn keeps_size(&self) -> bool {
        let Conv2dParams { kernel, stride, pad_before, pad_after, .. } = self.params;
        (kernel, stride, pad_before, pad_after) == ((3, 3), 1, (1, 1), (1, 1))
    }

    /// Channels of its image.
    pub(super) fn inputs(&self) -> usize {
        self.inputs
    }

    pub(super) fn outputs(&self) -> usize {
        self.matrix.outputs()
    }

    /// The packed weight, if there is one, and the bias.
    pub(super) fn packed(&self) -> Option<(&Packed, Option<&Tensor>)> {
        Some((self.matrix.packed()?, self.matrix.bias.as_ref()))
    }

    /// Convolves `x`.
    ///
    /// # Errors
    /// [`Error::Shape`] if the channels are not the layer's, or the image is smaller than the kernel.
    pub fn forward(&self, x: &Nhwc) -> Result<Nhwc> {
        self.run(x, &[], None, ConvExtras::default())
    }

    /// Convolves `x` and adds `extras`.
    ///
    /// # Errors
    /// [`Error::Shape`] as [`Self::forward`], or if an extra has the wrong shape.
    pub fn forward_with(&self, x: &Nhwc, extras: ConvExtras<'_>) -> Result<Nhwc> {
        self.run(x, &[], None, extras)
    }

    /// Convolves the channels of `first` and then of `more`, as if they were concatenated, and adds `extras`. Parts of multiples of 32 channels
    /// are read where they lie if the execution can.
    ///
    /// # Errors
    /// [`Error::Shape`] as [`Self::forward_with`]; [`Error::Candle`] if the parts' sizes differ.
    pub fn forward_parts(&self, first: &Nhwc, more: &[&Nhwc], extras: ConvExtras<'_>) -> Result<Nhwc> {
        self.run(first, more, None, extras)
    }

    /// Enlarges the image to (height, width) by nearest neighbour, then convolves it, for a layer of [`Conv2dParams::upsample`]; the
    /// enlarged image is not materialised if the execution can avoid it.
    ///
    /// # Errors
    /// [`Error::Shape`] as [`Self::forward`], or if the layer does not enlarge and the size is not the image's.
    pub fn forward_enlarged(&self, x: &Nhwc, height: usize, width: usize) -> Result<Nhwc> {
        self.run(x, &[], Some((height, width)), ConvExtras::default())
    }

    /// [`Self::forward_enlarged`] with an epilogue.
    ///
    /// # Errors
    /// [`Error::Shape`] as [`Self::forward_enlarged`], or if an extra has the wrong shape.
    pub fn forward_enlarged_with(&self, x: &Nhwc, height: usize, width: usize, extras: ConvExtras<'_>) -> Result<Nhwc> {
        self.run(x, &[], Some((height, width)), extras)
    }

    fn run(&self, x: &Nhwc, more: &[&Nhwc], enlarge_to: Option<(usize, usize)>, extras: ConvExtras<'_>) -> Result<Nhwc> {
        let (batch, height, width, first) = x.dims()?;
        let same = more.iter().all(|part| part.tensor().dims().starts_with(&[batch, height, width]));
        let channels = first + more.iter().map(|part| part.dims().map_or(0, |dims| dims.3)).sum::<usize>();
        let enlarged = enlarge_to.unwrap_or((height, width));
        let output = self.params.output(enlarged);
        let fits = same && channels == self.inputs && height > 0 && width > 0 && (self.params.doubles || enlarged == (height, width));
        let Some(output) = output.filter(|_| fits) else {
            let expected = format!("[batch, height and width that {:?} to {enlarged:?} fits in, {}]", self.params, self.inputs);
            return Err(Error::Shape { what: "input of a convolution", expected, found: x.tensor().dims().to_vec() });
        };
        let outputs = self.matrix.outputs();
        let check = |what, found: &[usize], expected: &[usize]| {
            if found == expected { Ok(()) } else { Err(Error::Shape { what, expected: format!("{expected:?}"), found: found.to_vec() }) }
        };
        if let Some(per_image) = extras.per_image {
            check("bias for each image of a convolution", per_image.dims(), &[batch, outputs])?;
        }
        if let Some(residual) = extras.residual {
            check("residual of a convolution", residual.tensor().dims(), &[batch, output.0, output.1, outputs])?;
        }
        if let Some(slopes) = extras.slopes {
            check("slopes of a convolution", slopes.dims(), &[outputs])?;
        }
        if let Some((other, _)) = extras.onto {
            check("what a convolution is added onto", other.tensor().dims(), &[batch, output.0, output.1, outputs])?;
        }
        let geometry = ConvGeometry { params: self.params, enlarged, output };
        execution::count_product(batch * output.0 * output.1, self.params.taps() * self.inputs, outputs);
        let bias = self.matrix.bias.as_ref();
        // Other enlargements occur only where a UNet without padding halves an odd size: too rare for dedicated kernels.
        let twice = |extent: usize, to: usize| to == 2 * extent || to + 1 == 2 * extent;
        let packs = !self.params.doubles || (twice(height, enlarged.0) && twice(width, enlarged.1));
        let weight = self.matrix.packed().filter(|_| packs && execution::is_cpu(x.tensor().device()));
        let whole_steps = |part: &&Nhwc| part.tensor().dim(D::Minus1).is_ok_and(|channels| channels.is_multiple_of(PART_CHANNELS));
        let in_place = std::iter::once(&x).chain(more).take(more.len()).all(whole_steps);
        if let Some(weight) = weight.filter(|_| in_place) {
            return cpu::conv2d(x, more, weight, bias, geometry, extras);
        }
        let all: Vec<&Tensor> = std::iter::once(x).chain(more.iter().copied()).map(Nhwc::tensor).collect();
        let joined = if more.is_empty() { x.clone() } else { Nhwc::new(Tensor::cat(&all, D::Minus1)?)? };
        match weight {
            Some(weight) => cpu::conv2d(&joined, &[], weight, bias, geometry, extras),
            None => portable::conv2d(&joined, &self.matrix.rows()?, bias, geometry, extras),
        }
    }
}
