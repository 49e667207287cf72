//! The CPU's execution of the ops: adapts the crate `cpu-kernels` to candle's tensors.
//!
//! Shapes are checked by the layers, as for `portable`. Invariants: products use the weights that [`pack`] made, in bfloat16 only if the
//! model's precision is bfloat16 and the processor multiplies it; sums, statistics and softmax are f32; results do not depend on the number
//! of threads. f16 activations are computed in f32.

use candle_core::{CpuStorage, DType, Device, InplaceOp1, Layout, Tensor, WithDType};
use cpu_kernels::{
    AttentionShape, Blend, ChainShape, Channels, ConvShape, Element, Extras, Link, Norm, Packed, Stored, TemporalShape, Weight, engine,
    vec_of,
};

use super::{Activation, AttentionParams, ChainLink, ConvExtras, Elements, LinearExtras, Nhwc, conv2d::ConvGeometry, matrix::Use};
use crate::{
    Result,
    weights::{Numbers, StoredNumbers},
};

/// Calls a function that is generic over the element type in the precision `$instead` or, if that is `None`, in bf16 for a bf16 `$x` and in
/// f32 for any other; converts the result to the precision of `$x`.
macro_rules! by_dtype {
    ($x:expr, $instead:expr, |$cast:ident| $function:ident ( $($argument:expr),* $(,)? )) => {{
        let (dtype, instead): (DType, Option<DType>) = ($x.dtype(), $instead);
        let run_in = instead.unwrap_or(if dtype == DType::BF16 { DType::BF16 } else { DType::F32 });
        let $cast = |tensor: &Tensor| -> Result<Tensor> { Ok(tensor.to_dtype(run_in)?) };
        let y = if run_in == DType::BF16 { $function::<half::bf16>($($argument),*)? } else { $function::<f32>($($argument),*)? };
        Ok(y.to_dtype(dtype)?)
    }};
}

/// Packs a weight [outputs, inputs, taps] for activations of its own precision.
pub(super) fn pack(weight: &Tensor, layer: Use) -> Result<Packed> {
    let dtype = if weight.dtype() == DType::BF16 { DType::BF16 } else { DType::F32 };
    let weight = weight.to_dtype(dtype)?.contiguous()?;
    let lock = Elements::of(&weight)?;
    let numbers = if dtype == DType::BF16 { StoredNumbers::Bf16(lock.slice()?) } else { StoredNumbers::F32(lock.slice()?) };
    Ok(pack_numbers(numbers.into(), dtype, weight.dims3()?, layer))
}

/// Whether [`pack_numbers`] packs for activations of this precision.
pub(super) fn packs(dtype: DType) -> bool {
    matches!(dtype, DType::F32 | DType::BF16)
}

/// Packs the numbers of a weight [outputs, inputs, taps], rounded to `dtype`, for activations of this precision.
pub(super) fn pack_numbers(Numbers { stored, changes }: Numbers<'_>, dtype: DType, shape: (usize, usize, usize), layer: Use) -> Packed {
    match stored {
        StoredNumbers::F32(numbers) => pack_stored(Weight { numbers, changes }, dtype, shape, layer),
        StoredNumbers::F16(numbers) => pack_stored(Weight { numbers, changes }, dtype, shape, layer),
        StoredNumbers::Bf16(numbers) => pack_stored(Weight { numbers, changes }, dtype, shape, layer),
    }
}

fn pack_stored<W: Stored>(weight: Weight<'_, W>, dtype: DType, shape: (usize, usize, usize), layer: Use) -> Packed {
    if dtype == DType::BF16 { pack_for::<half::bf16, W>(weight, shape, layer) } else { pack_for::<f32, W>(weight, shape, layer) }
}

fn pack_for<T: Element, W: Stored>(weight: Weight<'_, W>, (outputs, inputs, taps): (usize, usize, usize), layer: Use) -> Packed {
    match layer {
        Use::Plain => Packed::new::<T, W>(engine(), weight, outputs, inputs, taps),
        Use::Gated => Packed::gated::<T, W>(engine(), weight, outputs, inputs),
        Use::Conv3x3 { images, chained: false } => Packed::conv3x3::<T, W>(engine(), weight, outputs, inputs, images),
        Use::Conv3x3 { images, chained: true } => Packed::link::<T, W>(engine(), weight, outputs, inputs, images),
    }
}

/// The precision that activations must have for these weights, if any.
fn required_dtype(weight: &Packed) -> Option<DType> {
    weight.is_bf16().then_some(DType::BF16)
}

/// A tensor's values in f32.
fn numbers(tensor: Option<&Tensor>) -> Result<Option<Vec<f32>>> {
    tensor.map(|tensor| Ok(tensor.to_dtype(DType::F32)?.flatten_all()?.to_vec1()?)).transpose()
}

/// See `portable::linear`; a gated weight also applies `portable::geglu` to the result.
pub(super) fn linear(x: &Tensor, weight: &Packed, bias: Option<&Tensor>, extras: LinearExtras<'_>) -> Result<Tensor> {
    by_dtype!(x, required_dtype(weight), |cast| linear_of(
        &cast(x)?,
        weight,
        bias,
        extras.per_image,
        extras.residual.map(&cast).transpose()?.as_ref(),
        extras.blend.map(|blend| Ok::<_, crate::Error>((cast(blend.other)?, blend.share))).transpose()?,
    ))
}

fn linear_of<T: Element + WithDType>(
    x: &Tensor,
    weight: &Packed,
    bias: Option<&Tensor>,
    per_image: Option<&Tensor>,
    residual: Option<&Tensor>,
    blend: Option<(Tensor, f64)>,
) -> Result<Tensor> {
    let rows = x.dim(0)?;
    let columns = if weight.is_gated() { weight.outputs() / 2 } else { weight.outputs() };
    let x = Elements::of(x)?;
    let residual = residual.map(Elements::of).transpose()?;
    let residual = residual.as_ref().map(Elements::slice).transpose()?;
    let blended = blend.as_ref().map(|(other, share)| Ok::<_, crate::Error>((Elements::of(other)?, *share as f32))).transpose()?;
    let blend = blended
        .as_ref()
        .map(|(other, share)| Ok::<_, crate::Error>(Blend { other: other.slice()?, share: *share, whole: false }))
        .transpose()?;
    let images = per_image.map_or(Ok(1), |per_image| per_image.dim(0))?;
    let (bias, per_image) = (numbers(bias)?, numbers(per_image)?);
    let extras = Extras { bias: bias.as_deref(), per_image: per_image.as_deref(), residual, relu: false, slopes: None, blend };
    let x = x.slice()?;
    let line = (1, rows / images);
    let shape = ConvShape { images, input: line, enlarged: line, output: line, kernel: (1, 1), stride: 1, pad: (0, 0) };
    let y = vec_of::<T>(rows * columns, |y| cpu_kernels::conv2d(engine(), x, weight, shape, extras, y));
    Ok(Tensor::from_vec(y, (rows, columns), &Device::Cpu)?)
}

/// See `portable::conv2d`.
pub(super) fn conv2d(
    first: &Nhwc,
    more: &[&Nhwc],
    weight: &Packed,
    bias: Option<&Tensor>,
    geometry: ConvGeometry,
    extras: ConvExtras<'_>,
) -> Result<Nhwc> {
    let run = || -> Result<Tensor> {
        by_dtype!(first.tensor(), required_dtype(weight), |cast| conv2d_of(
            &std::iter::once(&first).chain(more).map(|part| cast(part.tensor())).collect::<Result<Vec<_>>>()?,
            weight,
            bias,
            geometry,
            ConvExtras { residual: None, onto: None, ..extras },
            extras.residual.map(|residual| cast(residual.tensor())).transpose()?.as_ref(),
            extras.onto.map(|(other, share)| Ok::<_, crate::Error>((cast(other.tensor())?, share))).transpose()?,
        ))
    };
    Nhwc::new(run()?)
}

/// The residual and what the sum is added onto have been converted, and those of `extras` are ignored.
fn conv2d_of<T: Element + WithDType>(
    parts: &[Tensor],
    weight: &Packed,
    bias: Option<&Tensor>,
    geometry: ConvGeometry,
    ConvExtras { per_image, relu, slopes, .. }: ConvExtras<'_>,
    residual: Option<&Tensor>,
    onto: Option<(Tensor, f64)>,
) -> Result<Tensor> {
    let Some((images, height, width, _)) = parts.first().map(Tensor::dims4).transpose()? else {
        return Err(candle_core::Error::Msg("a convolution of nothing".into()).into());
    };
    let ConvGeometry { params, enlarged, output } = geometry;
    let shape = ConvShape {
        images,
        input: (height, width),
        enlarged,
        output,
        kernel: params.kernel,
        stride: params.stride,
        pad: params.pad_before,
    };
    let locked = parts.iter().map(|part| Ok((Elements::of(part)?, part.dim(3)?))).collect::<Result<Vec<_>>>()?;
    let inputs = locked.iter().map(|(part, channels)| Ok(Channels { values: part.slice()?, channels: *channels }));
    let inputs = inputs.collect::<Result<Vec<Channels<'_, T>>>>()?;
    let residual = residual.map(Elements::of).transpose()?;
    let residual = residual.as_ref().map(Elements::slice).transpose()?;
    let onto = onto.as_ref().map(|(other, share)| Ok::<_, crate::Error>((Elements::of(other)?, *share as f32))).transpose()?;
    let onto = onto.as_ref().map(|(other, share)| Ok::<_, crate::Error>(Blend { other: other.slice()?, share: *share, whole: true }));
    let (bias, per_image, slopes) = (numbers(bias)?, numbers(per_image)?, numbers(slopes)?);
    let (bias, per_image, slopes) = (bias.as_deref(), per_image.as_deref(), slopes.as_deref());
    let extras = Extras { bias, per_image, residual, relu, slopes, blend: onto.transpose()? };
    let y = vec_of::<T>(images * output.0 * output.1 * weight.outputs(), |y| {
        cpu_kernels::conv2d_of_parts(engine(), &inputs, weight, shape, extras, y)
    });
    Ok(Tensor::from_vec(y, (images, output.0, output.1, weight.outputs()), &Device::Cpu)?)
}

/// Several layers as `portable::conv2d` one after the other; `None` unless they run in one pass. Their channels follow one another.
pub(super) fn conv_chain(x: &Nhwc, layers: &[ChainLink<'_>], doubles: bool) -> Result<Option<Nhwc>> {
    let (images, height, width, _) = x.dims()?;
    let Some(packed) = layers.iter().map(|layer| layer.conv.packed()).collect::<Option<Vec<_>>>() else { return Ok(None) };
    // Activations in another precision would have to be converted for each layer.
    if x.tensor().dtype() != DType::BF16 {
        return Ok(None);
    }
    let biases = packed.iter().map(|(_, bias)| numbers(*bias)).collect::<Result<Vec<_>>>()?;
    let links: Vec<Link<'_>> = (layers.iter().zip(&packed).zip(&biases))
        .map(|((layer, (weight, _)), bias)| Link { weight, bias: bias.as_deref(), adds: layer.adds, relu: layer.relu })
        .collect();
    let shape = ChainShape { images, input: (height, width), doubles };
    if !cpu_kernels::is_one_pass::<half::bf16>(engine(), shape, &links) {
        return Ok(None);
    }
    let (height, width) = shape.output();
    let outputs = links.last().map_or(0, |link| link.weight.outputs());
    let source = Elements::of(x.tensor())?;
    let source = source.slice()?;
    let y = vec_of::<half::bf16>(images * height * width * outputs, |y| cpu_kernels::conv_chain(engine(), source, shape, &links, y));
    Ok(Some(Nhwc::new(Tensor::from_vec(y, (images, height, width, outputs), &Device::Cpu)?)?))
}

/// See `portable::attention`.
pub(super) fn attention(query: &Tensor, key: &Tensor, value: &Tensor, params: AttentionParams) -> Result<Tensor> {
    by_dtype!(query, None, |cast| attention_of(&cast(query)?, &cast(key)?, &cast(value)?, params))
}

fn attention_of<T: Element + WithDType>(query: &Tensor, key: &Tensor, value: &Tensor, params: AttentionParams) -> Result<Tensor> {
    let (images, queries, channels) = query.dims3()?;
    let head_dim = channels / params.heads;
    let shape = AttentionShape {
        images,
        queries,
        keys: key.dim(1)?,
        heads: params.heads,
        head_dim,
        scale: (head_dim as f64).powf(-0.5) as f32,
        causal: params.causal,
    };
    let (query, key, value) = (Elements::of(query)?, Elements::of(key)?, Elements::of(value)?);
    let (query, key, value) = (query.slice()?, key.slice()?, value.slice()?);
    let y = vec_of::<T>(images * queries * channels, |y| cpu_kernels::attention(engine(), query, key, value, shape, y));
    Ok(Tensor::from_vec(y, (images, queries, channels), &Device::Cpu)?)
}

/// See `portable::temporal_attention`.
pub(super) fn temporal_attention(query: &Tensor, key: &Tensor, value: &Tensor, num_frames: usize, heads: usize) -> Result<Tensor> {
    by_dtype!(query, None, |cast| temporal_attention_of(&cast(query)?, &cast(key)?, &cast(value)?, num_frames, heads))
}

fn temporal_attention_of<T: Element + WithDType>(
    query: &Tensor,
    key: &Tensor,
    value: &Tensor,
    num_frames: usize,
    heads: usize,
) -> Result<Tensor> {
    let (rows, pixels, channels) = query.dims3()?;
    let head_dim = channels / heads;
    let scale = (head_dim as f64).powf(-0.5) as f32;
    let shape = TemporalShape { clips: rows / num_frames, frames: num_frames, pixels, heads, head_dim, scale };
    let (query, key, value) = (Elements::of(query)?, Elements::of(key)?, Elements::of(value)?);
    let (query, key, value) = (query.slice()?, key.slice()?, value.slice()?);
    let y = vec_of::<T>(query.len(), |y| cpu_kernels::temporal_attention(engine(), query, key, value, shape, y));
    Ok(Tensor::from_vec(y, (rows, pixels, channels), &Device::Cpu)?)
}

/// See `portable::group_norm`.
pub(super) fn group_norm(x: &Tensor, weight: &Tensor, bias: &Tensor, groups: usize, eps: f64, silu: bool) -> Result<Tensor> {
    by_dtype!(x, None, |cast| group_norm_of(&cast(x)?, weight, bias, groups, eps, silu))
}

fn group_norm_of<T: Element + WithDType>(
    x: &Tensor,
    weight: &Tensor,
    bias: &Tensor,
    groups: usize,
    eps: f64,
    silu: bool,
) -> Result<Tensor> {
    let (weight, bias, source) = (Elements::of(weight)?, Elements::of(bias)?, Elements::of(x)?);
    let norm = Norm { weight: weight.slice()?, bias: bias.slice()?, eps };
    let (source, images) = (source.slice()?, x.dim(0)?);
    let y = vec_of::<T>(x.elem_count(), |y| cpu_kernels::group_norm(engine(), source, images, groups, norm, silu, y));
    Ok(Tensor::from_vec(y, x.dims(), &Device::Cpu)?)
}

/// [`group_norm`] and SiLU in the memory of `x`, which is contiguous, in f32 or bf16, and nobody else's.
pub(super) fn group_norm_silu_in_place(x: &Tensor, weight: &Tensor, bias: &Tensor, groups: usize, eps: f64) -> Result<()> {
    struct InPlace<'a>(usize, usize, Norm<'a>);

    impl InplaceOp1 for InPlace<'_> {
        fn name(&self) -> &'static str {
            "group norm and SiLU in place"
        }

        fn cpu_fwd(&self, storage: &mut CpuStorage, layout: &Layout) -> candle_core::Result<()> {
            let Self(images, groups, norm) = *self;
            let refused = candle_core::Error::RequiresContiguous { op: self.name() };
            let Some((start, end)) = layout.contiguous_offsets() else { return Err(refused) };
            if let CpuStorage::F32(all) = storage
                && let Some(x) = all.get_mut(start..end)
            {
                cpu_kernels::group_norm_silu_in_place(engine(), x, images, groups, norm);
            } else if let CpuStorage::BF16(all) = storage
                && let Some(x) = all.get_mut(start..end)
            {
                cpu_kernels::group_norm_silu_in_place(engine(), x, images, groups, norm);
            } else {
                return Err(refused);
            }
            Ok(())
        }
    }

    let (weight, bias) = (Elements::of(weight)?, Elements::of(bias)?);
    let norm = Norm { weight: weight.slice()?, bias: bias.slice()?, eps };
    Ok(x.inplace_op1(&InPlace(x.dim(0)?, groups, norm))?)
}

/// See `portable::layer_norm`.
pub(super) fn layer_norm(x: &Tensor, weight: &Tensor, bias: &Tensor, eps: f64) -> Result<Tensor> {
    by_dtype!(x, None, |cast| layer_norm_of(&cast(x)?, weight, bias, eps))
}

fn layer_norm_of<T: Element + WithDType>(x: &Tensor, weight: &Tensor, bias: &Tensor, eps: f64) -> Result<Tensor> {
    let (weight, bias, source) = (Elements::of(weight)?, Elements::of(bias)?, Elements::of(x)?);
    let norm = Norm { weight: weight.slice()?, bias: bias.slice()?, eps };
    let source = source.slice()?;
    let y = vec_of::<T>(x.elem_count(), |y| cpu_kernels::layer_norm(engine(), source, norm, y));
    Ok(Tensor::from_vec(y, x.dims(), &Device::Cpu)?)
}

/// See `portable::layer_norm_shifted`.
pub(super) fn layer_norm_shifted(x: &Tensor, shift: &Tensor, weight: &Tensor, bias: &Tensor, eps: f64) -> Result<Tensor> {
    by_dtype!(x, None, |cast| layer_norm_shifted_of(&cast(x)?, &shift.to_dtype(DType::F32)?.contiguous()?, weight, bias, eps))
}

fn layer_norm_shifted_of<T: Element + WithDType>(x: &Tensor, shift: &Tensor, weight: &Tensor, bias: &Tensor, eps: f64) -> Result<Tensor> {
    let (weight, bias, source, shift) = (Elements::of(weight)?, Elements::of(bias)?, Elements::of(x)?, Elements::of(shift)?);
    let norm = Norm { weight: weight.slice()?, bias: bias.slice()?, eps };
    let (source, shift) = (source.slice()?, shift.slice()?);
    let y = vec_of::<T>(x.elem_count(), |y| cpu_kernels::layer_norm_shifted(engine(), source, shift, norm, y));
    Ok(Tensor::from_vec(y, x.dims(), &Device::Cpu)?)
}

/// See `portable::activation`.
pub(super) fn activation(x: &Tensor, activation: Activation) -> Result<Tensor> {
    by_dtype!(x, None, |cast| activation_of(&cast(x)?, activation))
}

fn activation_of<T: Element + WithDType>(x: &Tensor, activation: Activation) -> Result<Tensor> {
    let source = Elements::of(x)?;
    let source = source.slice()?;
    let activation = match activation {
        Activation::Silu => cpu_kernels::Activation::Silu,
        Activation::Gelu => cpu_kernels::Activation::Gelu,
        Activation::QuickGelu => cpu_kernels::Activation::QuickGelu,
    };
    let y = vec_of::<T>(x.elem_count(), |y| cpu_kernels::activate(engine(), source, activation, y));
    Ok(Tensor::from_vec(y, x.dims(), &Device::Cpu)?)
}
