//! Chains of 3x3 convolutions: checks of operands and results, and the choice between one pass over the image and a convolution after another.

use std::mem::MaybeUninit;

use crate::{
    conv::conv2d,
    elementwise::Element,
    product::{ConvShape, Extras, Link},
    runtime::{Engine, output, vec_of, volume},
};
#[cfg(target_arch = "x86_64")]
use crate::{
    product::chain,
    runtime::{SendPtr, written},
};

/// A chain's images.
#[derive(Clone, Copy, Debug)]
pub struct ChainShape {
    /// Number of images.
    pub images: usize,
    /// (height, width) of an image in memory.
    pub input: (usize, usize),
    /// Whether nearest-neighbour enlargement to twice the size comes before the first link.
    pub doubles: bool,
}

impl ChainShape {
    /// (height, width) of the output.
    ///
    /// # Panics
    /// If they overflow.
    pub fn output(&self) -> (usize, usize) {
        let times = if self.doubles { 2 } else { 1 };
        (volume([self.input.0, times]), volume([self.input.1, times]))
    }
}

/// Whether [`conv_chain`] runs these links in one pass; if not, it runs a convolution after another.
pub fn is_one_pass<T: Element>(engine: &Engine, shape: ChainShape, links: &[Link<'_>]) -> bool {
    #[cfg(target_arch = "x86_64")]
    if T::HALF && volume([shape.images, shape.input.0, shape.input.1]) > 0 {
        return chain::pays(engine, shape.images, shape.output(), links);
    }
    let _ = (engine, shape, links);
    false
}

/// 3x3 convolutions with stride 1 and padding 1, one after the other, of x [images, height, width, inputs of the first] to
/// y [images, height, width, outputs of the last].
///
/// With tile registers and few channels, the activations between them stay in the L2 cache. Otherwise, and at every other level, each
/// convolution runs by itself; the results are those of [`conv2d`] bit for bit in either case.
///
/// # Panics
/// If a slice's length is not what the shapes say, a link's inputs are not the outputs of the one before, or a link adds what has other
/// channels or comes later.
pub fn conv_chain<'y, T: Element>(
    engine: &Engine,
    x: &[T],
    shape: ChainShape,
    links: &[Link<'_>],
    y: &'y mut [MaybeUninit<T>],
) -> &'y mut [T] {
    let [first, .., last] = links else { panic!("a chain of {} links", links.len()) };
    let (height, width) = shape.output();
    assert_eq!(x.len(), volume([shape.images, shape.input.0, shape.input.1, first.weight.inputs()]), "a chain's input");
    assert_eq!(y.len(), volume([shape.images, height, width, last.weight.outputs()]), "a chain's output");
    for (index, link) in links.iter().enumerate() {
        assert_eq!((link.weight.taps(), link.weight.is_gated()), (9, false), "a link's taps");
        assert!(T::HALF || !link.weight.is_bf16(), "weights packed for bfloat16 activations");
        assert!(index == 0 || links[index - 1].weight.outputs() == link.weight.inputs(), "a link's channels");
        assert!(link.bias.is_none_or(|bias| bias.len() == link.weight.outputs()), "a link's bias");
        let fits = |added: usize| added <= index && links[added].weight.inputs() == link.weight.outputs() && (added > 0 || !shape.doubles);
        assert!(link.adds.is_none_or(fits), "what a link adds");
    }
    if y.is_empty() {
        return output::zeros(y);
    }
    #[cfg(target_arch = "x86_64")]
    if is_one_pass::<T>(engine, shape, links) {
        // SAFETY: every element that is half a float is a bfloat16, and has its layout.
        let x = unsafe { std::slice::from_raw_parts(x.as_ptr().cast(), x.len()) };
        let to = SendPtr(y.as_mut_ptr().cast());
        chain::run(engine, x, shape.images, shape.input, (height, width), links, to);
        // SAFETY: the regions cover every pixel, and their columns every output.
        return unsafe { written(y) };
    }
    one_by_one(engine, x, shape, links, y)
}

/// Each convolution by itself. An activation is kept until the last link that adds it.
fn one_by_one<'y, T: Element>(engine: &Engine, x: &[T], shape: ChainShape, links: &[Link<'_>], y: &'y mut [MaybeUninit<T>]) -> &'y mut [T] {
    let output = shape.output();
    let mut made: Vec<Vec<T>> = Vec::new();
    let mut spare = Some(y);
    for (index, link) in links.iter().enumerate() {
        let input_of = |index: usize| if index == 0 { x } else { &made[index - 1] };
        let input = if index == 0 { shape.input } else { output };
        let conv = ConvShape { images: shape.images, input, enlarged: output, output, kernel: (3, 3), stride: 1, pad: (1, 1) };
        let extras = Extras { bias: link.bias, residual: link.adds.map(input_of), relu: link.relu, ..Extras::default() };
        if index + 1 == links.len()
            && let Some(y) = spare.take()
        {
            return conv2d(engine, input_of(index), link.weight, conv, extras, y);
        }
        let length = volume([shape.images, output.0, output.1, link.weight.outputs()]);
        let next = vec_of(length, |y| conv2d(engine, input_of(index), link.weight, conv, extras, y));
        if let Some(previous) =
            index.checked_sub(1).filter(|previous| links[index + 1..].iter().all(|later| later.adds != Some(previous + 1)))
        {
            made[previous] = Vec::new();
        }
        made.push(next);
    }
    unreachable!("the last link returns")
}
