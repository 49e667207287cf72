//! Chains of convolutions against the same convolutions one after the other, which have tests of their own: bit for bit.

use std::panic::{AssertUnwindSafe, catch_unwind};

use cpu_kernels::{ChainShape, ConvShape, Element, Engine, Extras, Images, Level, Link, Packed, conv_chain, conv2d, vec_of};
use half::bf16;

use crate::{cases, engines, reference::random};

/// A link's outputs, what it adds, and whether it has a bias and a ReLU.
#[derive(Clone, Copy, Debug)]
struct Plan {
    outputs: usize,
    adds: Option<usize>,
    bias: bool,
    relu: bool,
}

const PLAIN: Plan = Plan { outputs: 64, adds: None, bias: false, relu: false };
const RELU: Plan = Plan { bias: true, relu: true, ..PLAIN };
/// A block of an AutoencoderTiny.
const BLOCK: [Plan; 3] = [RELU, RELU, Plan { adds: Some(0), ..RELU }];
/// A block between the enlargement before it and the last layer.
const DECODER: [Plan; 5] = [PLAIN, RELU, RELU, Plan { adds: Some(1), ..RELU }, Plan { outputs: 3, bias: true, ..PLAIN }];

fn bits<T: Element>(values: &[T]) -> Vec<u32> {
    values.iter().map(|value| value.widen().to_bits()).collect()
}

fn images(doubles: bool) -> Images {
    if doubles { Images::Doubled } else { Images::Large }
}

/// Compares a chain of `inputs` channels with its convolutions.
fn check<T: Element>(engine: &Engine, shape: ChainShape, inputs: usize, plans: &[Plan]) {
    let before = |index: usize| if index == 0 { inputs } else { plans[index - 1].outputs };
    let weights: Vec<Packed> = (plans.iter().enumerate())
        .map(|(index, plan)| {
            let (outputs, inputs) = (plan.outputs, before(index));
            // Small enough that sums stay finite, and large enough that no ReLU empties an activation.
            let weight: Vec<T> = random::<f32>(9 * outputs * inputs, index as u64).iter().map(|w| T::narrow(w * 0.1)).collect();
            Packed::link::<T, T>(engine, &weight[..], outputs, inputs, images(shape.doubles && index == 0))
        })
        .collect();
    let biases: Vec<Vec<f32>> = plans.iter().map(|plan| random(plan.outputs, 20 + plan.outputs as u64)).collect();
    let links: Vec<Link<'_>> = (plans.iter().zip(&weights).zip(&biases))
        .map(|((plan, weight), bias)| Link { weight, bias: plan.bias.then_some(&bias[..]), adds: plan.adds, relu: plan.relu })
        .collect();
    let output = if shape.doubles { (2 * shape.input.0, 2 * shape.input.1) } else { shape.input };
    let pixels = shape.images * output.0 * output.1;
    let mut activations: Vec<Vec<T>> = vec![random(shape.images * shape.input.0 * shape.input.1 * inputs, 7)];
    for (index, link) in links.iter().enumerate() {
        let input = if index == 0 { shape.input } else { output };
        let conv = ConvShape { images: shape.images, input, enlarged: output, output, kernel: (3, 3), stride: 1, pad: (1, 1) };
        let extras =
            Extras { bias: link.bias, residual: link.adds.map(|added| &activations[added][..]), relu: link.relu, ..Extras::default() };
        let next = vec_of(pixels * plans[index].outputs, |y| conv2d(engine, &activations[index], link.weight, conv, extras, y));
        activations.push(next);
    }
    let expected = &activations[links.len()];
    let found = vec_of(expected.len(), |y| conv_chain(engine, &activations[0], shape, &links, y));
    assert!(bits(&found) == bits(expected), "{:?}, {shape:?}, {inputs} channels, {plans:?}", engine.level());
    assert!(found.iter().any(|value| value.widen().abs() > 1e-3), "{shape:?}: nothing but zeros");
}

fn both(engine: &Engine, shape: ChainShape, inputs: usize, plans: &[Plan]) {
    check::<f32>(engine, shape, inputs, plans);
    check::<bf16>(engine, shape, inputs, plans);
}

#[test]
fn a_chain_is_its_convolutions() {
    let sides = [1, 2, 3, 5, 17];
    let all: Vec<(usize, usize)> = sides.iter().flat_map(|height| sides.map(|width| (*height, width))).collect();
    for engine in engines(1) {
        for (place, input) in cases(&all, &[(2, 3)]).into_iter().enumerate() {
            let images = 1 + place % 2;
            both(&engine, ChainShape { images, input, doubles: false }, 64, &BLOCK);
            both(&engine, ChainShape { images, input, doubles: true }, 64, &DECODER);
        }
    }
}

/// More lines than are computed at a time, more regions than one in both directions, and sides that are no multiples of anything: at the best
/// level, because the others run these convolutions one after the other.
#[test]
fn regions_join_without_a_seam() {
    for threads in [1, 3] {
        let engine = Engine::new(threads, Level::detect());
        for (images, height, width) in cases(&[(1, 130, 130), (2, 71, 5), (1, 5, 283), (1, 97, 137)], &[(1, 7, 4)]) {
            check::<bf16>(&engine, ChainShape { images, input: (height, width), doubles: false }, 64, &BLOCK);
        }
        for (images, height, width) in cases(&[(1, 65, 65), (2, 35, 3), (1, 3, 140)], &[(1, 4, 3)]) {
            check::<bf16>(&engine, ChainShape { images, input: (height, width), doubles: true }, 64, &DECODER);
        }
    }
}

/// Two links, eight and more; channels that come and go, that fill no plane, or that are too many; sums of more than one activation.
#[test]
fn chains_of_any_length_and_width_are_their_convolutions() {
    let of = |outputs: usize, adds: Option<usize>| Plan { outputs, adds, ..RELU };
    for engine in engines(2) {
        let shape = ChainShape { images: 1, input: (70, 33), doubles: false };
        let wide = [of(96, None), of(32, Some(0)), of(96, Some(1)), of(32, Some(0)), of(40, None)];
        both(&engine, shape, 32, &wide);
        both(&engine, ChainShape { input: (9, 40), doubles: true, ..shape }, 32, &[of(96, None), of(17, None)]);
        both(&engine, shape, 32, &[of(32, None), of(32, Some(0))]);
        for length in [8, 9] {
            let links = (0..length).map(|index| of(32, if index % 3 == 2 { Some(index - 2) } else { None }));
            both(&engine, shape, 32, &links.collect::<Vec<Plan>>());
        }
        both(&engine, ChainShape { input: (40, 9), ..shape }, 20, &[of(36, None), of(20, Some(0))]);
        both(&engine, ChainShape { input: (40, 9), ..shape }, 160, &[of(32, None), of(160, Some(0))]);
    }
}

#[test]
fn threads_change_no_bit_of_a_chain() {
    for level in engines(1).iter().map(Engine::level) {
        let run = |threads: usize| {
            let engine = Engine::new(threads, level);
            let weight: Vec<bf16> = random(9 * 32 * 32, 1);
            let weight = Packed::link::<bf16, bf16>(&engine, &weight[..], 32, 32, Images::Large);
            let link = Link { weight: &weight, bias: None, adds: None, relu: true };
            let x: Vec<bf16> = random(90 * 40 * 32, 2);
            let shape = ChainShape { images: 1, input: (90, 40), doubles: false };
            bits(&vec_of(x.len(), |y| conv_chain(&engine, &x, shape, &[link, Link { adds: Some(0), ..link }], y)))
        };
        assert!(run(1) == run(2) && run(1) == run(7), "{level:?}");
    }
}

#[test]
fn chains_that_do_not_fit_are_refused() {
    for engine in engines(1) {
        let weight = |outputs: usize, inputs: usize| {
            Packed::link::<f32, f32>(&engine, &random::<f32>(9 * outputs * inputs, 1)[..], outputs, inputs, Images::Large)
        };
        let (same, more) = (weight(32, 32), weight(64, 32));
        let link = |weight| Link { weight, bias: None, adds: None, relu: false };
        let runs = |doubles: bool, links: &[Link<'_>]| {
            let outputs = links.last().map_or(0, |link| link.weight.outputs());
            let shape = ChainShape { images: 1, input: (3, 4), doubles };
            let pixels = if doubles { 48 } else { 12 };
            let x: Vec<f32> = random(12 * 32, 2);
            catch_unwind(AssertUnwindSafe(|| vec_of(pixels * outputs, |y| conv_chain(&engine, &x, shape, links, y)))).is_ok()
        };
        let adding = |weight, adds| Link { adds: Some(adds), ..link(weight) };
        let doubling = Packed::link::<f32, f32>(&engine, &random::<f32>(9 * 32 * 32, 1)[..], 32, 32, Images::Doubled);
        assert!(runs(false, &[link(&same), adding(&same, 1)]) && runs(true, &[link(&doubling), adding(&same, 1)]));
        assert!(!runs(false, &[link(&same)]), "one link");
        assert!(!runs(false, &[link(&more), link(&same)]), "channels that do not follow one another");
        assert!(!runs(false, &[link(&same), adding(&same, 2)]), "what is not there yet");
        assert!(!runs(false, &[link(&same), adding(&more, 0)]), "other channels");
        assert!(!runs(true, &[link(&doubling), adding(&same, 0)]), "another size");
        assert!(!runs(false, &[link(&same), Link { bias: Some(&[0.0]), ..link(&same) }]), "another bias");
    }
}

#[test]
fn a_chain_of_nothing_is_nothing() {
    for engine in engines(1) {
        let weight = Packed::link::<f32, f32>(&engine, &random::<f32>(9 * 32 * 32, 1)[..], 32, 32, Images::Large);
        let link = Link { weight: &weight, bias: None, adds: None, relu: false };
        let shape = ChainShape { images: 1, input: (0, 4), doubles: true };
        assert!(vec_of::<f32>(0, |y| conv_chain(&engine, &[], shape, &[link, link], y)).is_empty());
    }
}
