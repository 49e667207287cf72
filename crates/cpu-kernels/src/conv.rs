//! Linear layers and convolutions: checks of operands and results, and the choice between direct and Winograd convolution.

use std::mem::MaybeUninit;

use crate::{
    elementwise::Element,
    product::{COLUMN, Channels, ConvShape, Extras, PART_CHANNELS, Packed, Store, direct},
    runtime::{Engine, SendPtr, output, volume, written},
    winograd,
};

/// y = x W^T with the epilogue of `extras`: x is [rows, inputs], y [rows, outputs] (half as many outputs for a gated weight). All rows are
/// one image for `extras`.
///
/// # Panics
/// If a slice's length is not what the shapes say.
pub fn linear<'y, T: Element>(
    engine: &Engine,
    x: &[T],
    weight: &Packed,
    extras: Extras<'_, T>,
    y: &'y mut [MaybeUninit<T>],
) -> &'y mut [T] {
    assert_eq!(weight.taps(), 1, "a linear layer has one tap");
    let rows = x.len().checked_div(weight.inputs()).unwrap_or(0);
    let shape = ConvShape { images: 1, input: (1, rows), enlarged: (1, rows), output: (1, rows), kernel: (1, 1), stride: 1, pad: (0, 0) };
    conv2d(engine, x, weight, shape, extras, y)
}

/// The convolution of x [images, height, width, inputs] to y [images, height, width, outputs].
///
/// # Panics
/// If a slice's length is not what the shapes say, or the weight was packed for another kind of convolution.
pub fn conv2d<'y, T: Element>(
    engine: &Engine,
    x: &[T],
    weight: &Packed,
    shape: ConvShape,
    extras: Extras<'_, T>,
    y: &'y mut [MaybeUninit<T>],
) -> &'y mut [T] {
    conv2d_of_parts(engine, &[Channels { values: x, channels: weight.inputs() }], weight, shape, extras, y)
}

/// [`conv2d`] of an input whose channels lie in several activations, as if they were concatenated: each part is read where it lies.
///
/// # Panics
/// As [`conv2d`], or if a part other than the last has no multiple of [`PART_CHANNELS`] channels.
pub fn conv2d_of_parts<'y, T: Element>(
    engine: &Engine,
    inputs: &[Channels<'_, T>],
    weight: &Packed,
    shape: ConvShape,
    extras: Extras<'_, T>,
    y: &'y mut [MaybeUninit<T>],
) -> &'y mut [T] {
    let pixels = volume([shape.output.0, shape.output.1]);
    let width = if weight.is_gated() { weight.outputs() / 2 } else { weight.outputs() };
    for Channels { values, channels } in inputs {
        assert_eq!(values.len(), volume([shape.images, shape.input.0, shape.input.1, *channels]), "a convolution's input");
    }
    assert_eq!(inputs.iter().map(|part| part.channels).sum::<usize>(), weight.inputs(), "a convolution's channels");
    let inner = inputs.split_last().map_or(inputs, |(_, inner)| inner);
    assert!(inner.iter().all(|part| part.channels.is_multiple_of(PART_CHANNELS)), "channels of a part of a convolution's input");
    assert_eq!(y.len(), volume([shape.images, pixels, width]), "a convolution's output");
    assert_eq!(weight.taps(), volume([shape.kernel.0, shape.kernel.1]), "a convolution's taps");
    assert!(shape.stride > 0, "a convolution's stride");
    assert!(T::HALF || !weight.is_bf16(), "weights packed for bfloat16 activations");
    assert!(extras.per_image.is_none_or(|bias| bias.len() == shape.images * weight.outputs()), "a bias of each image");
    assert!(extras.bias.is_none_or(|bias| bias.len() == weight.outputs()), "a bias");
    assert!(extras.slopes.is_none_or(|slopes| slopes.len() == weight.outputs() && !weight.is_gated()), "slopes");
    assert!(extras.residual.is_none_or(|residual| residual.len() == y.len()), "a residual");
    assert!(extras.blend.is_none_or(|blend| blend.other.len() == y.len()), "what is blended");
    if y.is_empty() {
        return output::zeros(y);
    }
    assert!(inputs.iter().all(|part| !part.values.is_empty()) && !inputs.is_empty(), "a convolution of nothing to something");
    let columns = weight.columns();
    let biases: Vec<f32> = (0..if extras.per_image.is_some() { shape.images } else { 1 })
        .flat_map(|image| {
            let mut biases = weight.in_columns(extras.bias);
            if let Some(own) = extras.per_image {
                let own = weight.in_columns(Some(&own[image * weight.outputs()..(image + 1) * weight.outputs()]));
                biases.iter_mut().zip(own).for_each(|(bias, own)| *bias += own);
            }
            biases
        })
        .collect();
    let slopes = extras.slopes.map(|slopes| weight.in_columns(Some(slopes)));
    let store = Store {
        y: SendPtr(y.as_mut_ptr().cast()),
        width,
        biases: &biases,
        bias_stride: if extras.per_image.is_some() { columns * COLUMN } else { 0 },
        residual: extras.residual,
        relu: extras.relu,
        slopes: slopes.as_deref(),
        blend: extras.blend,
        gated: weight.is_gated(),
    };
    if let Some(basis) = weight.basis() {
        assert!(shape.fits(basis), "{basis:?} of {shape:?}");
        winograd::run(engine, inputs, weight, basis, &shape, store);
        // SAFETY: the tiles and columns cover every row and output.
        return unsafe { written(y) };
    }
    direct::run(engine, inputs, weight, shape, store);
    // SAFETY: the tasks' tiles and columns cover every row and output.
    unsafe { written(y) }
}
