//! Linear layers and convolutions against their definitions.

use std::panic::{AssertUnwindSafe, catch_unwind};

use cpu_kernels::{Blend, Channels, ConvShape, Element, Engine, Extras, PART_CHANNELS, Packed, conv2d, conv2d_of_parts, linear, vec_of};
use half::{bf16, f16};

use crate::{
    HALF, SINGLE, WINOGRAD4, cases, engines,
    reference::{self, below, random, relative_error, wide},
};

/// How a convolution's weight is packed.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Packing {
    Direct,
    Winograd,
    Winograd4,
    Doubling,
}

/// The relative error of a convolution with all epilogue operands, between the kernels and the definition.
fn conv_error<T: Element>(engine: &Engine, packing: Packing, shape: ConvShape, inputs: usize, outputs: usize, seed: u64) -> f64 {
    let taps = shape.kernel.0 * shape.kernel.1;
    let pixels = shape.output.0 * shape.output.1;
    let x: Vec<T> = random(shape.images * shape.input.0 * shape.input.1 * inputs, seed);
    let w: Vec<T> = random(outputs * inputs * taps, seed + 1);
    let (bias, per_image): (Vec<f32>, Vec<f32>) = (random(outputs, seed + 2), random(shape.images * outputs, seed + 3));
    let residual: Vec<T> = random(shape.images * pixels * outputs, seed + 4);
    // Every second case is blended: the share must not hide an error of the rest.
    let (other, share): (Vec<T>, f32) = (random(residual.len(), seed + 5), 0.8);
    let whole = seed.is_multiple_of(4);
    let blend = seed.is_multiple_of(2).then_some(Blend { other: &other, share, whole });
    let relu = seed.is_multiple_of(3);
    let slopes: Vec<f32> = random(outputs, seed + 6);
    let slopes = (seed % 3 == 1).then_some(slopes.as_slice());
    let mut expected = reference::conv2d(&wide(&x), &wide(&w), &shape, inputs, outputs);
    for (index, value) in expected.iter_mut().enumerate() {
        let (row, output) = (index / outputs, index % outputs);
        *value += f64::from(bias[output] + per_image[row / pixels * outputs + output]) + f64::from(residual[index].widen());
        if relu {
            *value = value.max(0.0);
        }
        if let Some(slopes) = slopes {
            *value = value.max(0.0) + f64::from(slopes[output]) * value.min(0.0);
        }
        if blend.is_some() {
            let share = f64::from(share);
            *value = if whole { 1.0 } else { 1.0 - share } * f64::from(other[index].widen()) + share * *value;
        }
    }
    let packed = match packing {
        Packing::Direct => Packed::new::<T, T>(engine, &w, outputs, inputs, taps),
        Packing::Winograd => Packed::winograd::<T, T>(engine, &w, outputs, inputs),
        Packing::Winograd4 => Packed::winograd4::<T, T>(engine, &w, outputs, inputs),
        Packing::Doubling => Packed::doubling::<T, T>(engine, &w, outputs, inputs),
    };
    let extras = Extras { bias: Some(&bias), per_image: Some(&per_image), residual: Some(&residual), relu, slopes, blend };
    let y = vec_of(expected.len(), |y| conv2d(engine, &x, &packed, shape, extras, y));
    relative_error(&y, &expected)
}

fn same(images: usize, height: usize, width: usize, kernel: usize) -> ConvShape {
    let size = (height, width);
    ConvShape { images, input: size, enlarged: size, output: size, kernel: (kernel, kernel), stride: 1, pad: (kernel / 2, kernel / 2) }
}

fn check(engine: &Engine, shape: ConvShape, inputs: usize, outputs: usize, seed: u64) {
    check_packed(engine, Packing::Direct, shape, inputs, outputs, seed);
}

fn check_packed(engine: &Engine, packing: Packing, shape: ConvShape, inputs: usize, outputs: usize, seed: u64) {
    let single = conv_error::<f32>(engine, packing, shape, inputs, outputs, seed);
    let half = conv_error::<bf16>(engine, packing, shape, inputs, outputs, seed);
    let case = || format!("{:?}, {packing:?}, {shape:?}, {inputs} to {outputs}", engine.level());
    assert!(single < SINGLE, "f32, {}: {single:.1e}", case());
    assert!(half < HALF, "bf16, {}: {half:.1e}", case());
}

/// F(4x4, 3x3) rounds more; in bfloat16 it is no choice of [`Packed::conv3x3`], but must not be wrong either.
fn check_winograd4(engine: &Engine, shape: ConvShape, inputs: usize, outputs: usize, seed: u64) {
    let single = conv_error::<f32>(engine, Packing::Winograd4, shape, inputs, outputs, seed);
    let half = conv_error::<bf16>(engine, Packing::Winograd4, shape, inputs, outputs, seed);
    let case = || format!("{:?}, {shape:?}, {inputs} to {outputs}", engine.level());
    assert!(single < WINOGRAD4, "f32, {}: {single:.1e}", case());
    assert!(half < 4.0 * HALF, "bf16, {}: {half:.1e}", case());
}

/// Splits the channels of [pixels, channels] into parts.
fn split<T: Element>(x: &[T], counts: &[usize]) -> Vec<Vec<T>> {
    let channels = counts.iter().sum();
    let start = |part: usize| counts[..part].iter().sum::<usize>();
    let of = |part: usize| x.chunks(channels).flat_map(|pixel| pixel[start(part)..][..counts[part]].to_vec()).collect();
    (0..counts.len()).map(of).collect()
}

fn check_parts<T: Element>(engine: &Engine, shape: ConvShape, counts: &[usize], outputs: usize, seed: u64) {
    let inputs: usize = counts.iter().sum();
    let x: Vec<T> = random(shape.images * shape.input.0 * shape.input.1 * inputs, seed);
    let w: Vec<T> = random(outputs * inputs * 9, seed + 1);
    let parts = split(&x, counts);
    let parts: Vec<Channels<'_, T>> = parts.iter().zip(counts).map(|(values, channels)| Channels { values, channels: *channels }).collect();
    let length = shape.images * shape.output.0 * shape.output.1 * outputs;
    let packings = [
        Packed::new::<T, T>(engine, &w, outputs, inputs, 9),
        Packed::winograd::<T, T>(engine, &w, outputs, inputs),
        Packed::winograd4::<T, T>(engine, &w, outputs, inputs),
    ];
    for weight in packings {
        let whole = vec_of(length, |y| conv2d(engine, &x, &weight, shape, Extras::default(), y));
        let of_parts = vec_of(length, |y| conv2d_of_parts(engine, &parts, &weight, shape, Extras::default(), y));
        let bytes = |y: &[T]| y.iter().map(|value| value.widen().to_bits()).collect::<Vec<u32>>();
        assert_eq!(bytes(&whole), bytes(&of_parts), "{:?}, {weight:?}, {shape:?}, parts of {counts:?}", engine.level());
    }
}

#[test]
fn parts_of_an_input_are_as_good_as_the_whole() {
    for engine in engines(2) {
        for (shape, counts, outputs) in [
            (same(1, 24, 21, 3), &[64, 32, 32][..], 32),
            (same(2, 5, 7, 3), &[PART_CHANNELS, 20], 48),
            (same(1, 40, 40, 3), &[32, 32, 32, 32, 3], 40),
        ] {
            check_parts::<f32>(&engine, shape, counts, outputs, 5);
            check_parts::<bf16>(&engine, shape, counts, outputs, 6);
        }
    }
}

#[test]
fn convolutions_match_their_definition() {
    let downsample = ConvShape { output: (4, 11), stride: 2, ..same(2, 8, 21, 3) };
    let below_and_right = ConvShape { pad: (0, 0), ..downsample };
    let upsample = ConvShape { enlarged: (10, 18), output: (10, 18), ..same(1, 5, 9, 3) };
    let odd = ConvShape { enlarged: (7, 11), output: (7, 11), ..same(1, 5, 9, 3) };
    // A temporal convolution: a kernel of 3x1 over frames by pixels.
    let temporal = ConvShape { kernel: (3, 1), pad: (1, 0), ..same(1, 7, 30, 3) };
    let all = [
        // Whole and ragged channels; wide enough for several tasks of a line; many weights and few pixels.
        (same(2, 9, 21, 3), 33, 37),
        (same(1, 3, 700, 3), 32, 16),
        (same(1, 40, 40, 3), 16, 32),
        (same(2, 4, 4, 3), 160, 96),
        (same(1, 5, 7, 5), 4, 50),
        (same(3, 1, 70, 1), 64, 48),
        (downsample, 20, 24),
        (below_and_right, 20, 24),
        (upsample, 32, 16),
        (odd, 32, 16),
        (temporal, 24, 40),
        // More channels than a group of planes has, of all tiles and of some.
        (same(1, 24, 25, 3), 600, 18),
        (same(1, 1, 530, 1), 1600, 34),
    ];
    let tiny = ConvShape { output: (2, 3), ..downsample };
    // Several steps and columns; a task for each image; rows read in place and from a copy.
    let few = [
        (ConvShape { kernel: (3, 1), pad: (1, 0), ..same(1, 2, 3, 3) }, 17, 18),
        (same(8, 1, 1, 1), 4, 3),
        (same(2, 1, 19, 1), 16, 33),
        (same(1, 1, 5, 1), 5, 3),
        (ConvShape { images: 1, input: (4, 5), enlarged: (4, 5), ..tiny }, 3, 5),
        (ConvShape { input: (2, 3), enlarged: (3, 5), output: (3, 5), ..same(1, 2, 3, 1) }, 3, 5),
    ];
    for engine in engines(2) {
        for (index, (shape, inputs, outputs)) in cases(&all, &few).into_iter().enumerate() {
            check(&engine, shape, inputs, outputs, 1 + index as u64);
        }
    }
}

/// `shape` with the image enlarged to twice its size, less (lines, columns).
fn doubled(shape: ConvShape, less: (usize, usize)) -> ConvShape {
    let enlarged = (2 * shape.input.0 - less.0, 2 * shape.input.1 - less.1);
    ConvShape { enlarged, output: enlarged, ..shape }
}

#[test]
fn convolutions_with_fewer_products_match_their_definition() {
    for engine in engines(2) {
        // Even and odd sides; less than a tile; lines that end within a block; many blocks, and few with many weights.
        let all = [
            (same(2, 9, 21, 3), 33, 37),
            (same(1, 1, 1, 3), 5, 3),
            (same(3, 2, 70, 3), 64, 16),
            (same(1, 40, 38, 3), 20, 50),
            (same(2, 4, 4, 3), 450, 96),
        ];
        for (shape, inputs, outputs) in cases(&all, &[(same(1, 2, 3, 3), 5, 3)]) {
            check_packed(&engine, Packing::Winograd, shape, inputs, outputs, 1);
            check_winograd4(&engine, shape, inputs, outputs, 1);
            for less in cases(&[(0, 0), (1, 0), (0, 1), (1, 1)], &[(1, 1)]) {
                check_packed(&engine, Packing::Doubling, doubled(shape, less), inputs, outputs, 2);
            }
        }
        // The smallest number of blocks that are cut into tasks of their own.
        assert!(conv_error::<f32>(&engine, Packing::Doubling, doubled(same(1, 15, 15, 3), (0, 0)), 2, 2, 3) < SINGLE);
    }
}

/// The precision that the other bases cost in bfloat16, at a model's number of channels; the crate's README states these errors.
#[test]
fn fewer_products_cost_little_precision() {
    for engine in engines(2).iter().filter(|engine| engine.level().has_bf16()) {
        let error = |packing, shape| conv_error::<bf16>(engine, packing, shape, 320, 64, 1);
        let shape = same(1, 16, 16, 3);
        let (direct, winograd) = (error(Packing::Direct, shape), error(Packing::Winograd, shape));
        let (enlarged, doubling) = (error(Packing::Direct, doubled(shape, (0, 0))), error(Packing::Doubling, doubled(shape, (0, 0))));
        let found = format!("{:?}: {direct:.2e}, {winograd:.2e}; doubled {enlarged:.2e}, {doubling:.2e}", engine.level());
        assert!(winograd < 3.0 * direct && doubling < 3.0 * enlarged, "{found}");
    }
}

/// The same in f32, where F(4x4, 3x3) is the one that costs.
#[test]
fn the_fewest_products_cost_little_precision() {
    for engine in engines(2) {
        let error = |packing| conv_error::<f32>(&engine, packing, same(1, 16, 16, 3), 320, 64, 1);
        let (direct, two, four) = (error(Packing::Direct), error(Packing::Winograd), error(Packing::Winograd4));
        let found = format!("{:?}: {direct:.2e}, {two:.2e}, {four:.2e}", engine.level());
        assert!(two < direct && four < 3.0 * direct, "{found}");
    }
}

#[test]
#[cfg_attr(miri, ignore = "too many products; the other tests cover the paths")]
fn convolutions_of_random_shapes_match_their_definition() {
    let mut seed = 7;
    for engine in engines(3) {
        for round in 0..12 {
            let kernel = 1 + 2 * below(&mut seed, 2);
            let shape = same(1 + below(&mut seed, 2), 1 + below(&mut seed, 12), 1 + below(&mut seed, 40), kernel);
            let (inputs, outputs) = (1 + below(&mut seed, 70), 1 + below(&mut seed, 70));
            check(&engine, shape, inputs, outputs, 100 + round);
            if kernel == 3 {
                let less = (below(&mut seed, 2), below(&mut seed, 2));
                check_packed(&engine, Packing::Winograd, shape, inputs, outputs, 200 + round);
                check_winograd4(&engine, shape, inputs, outputs, 400 + round);
                check_packed(&engine, Packing::Doubling, doubled(shape, less), inputs, outputs, 300 + round);
            }
        }
    }
}

#[test]
fn linear_and_gated_layers_match_their_definition() {
    let all = [(1, 64, 64), (77, 96, 130), (600, 32, 20), (33, 50, 18), (16, 33, 2)];
    for engine in engines(2) {
        for (rows, inputs, outputs) in cases(&all, &[(1, 16, 34), (18, 16, 20), (17, 5, 2)]) {
            let x: Vec<f32> = random(rows * inputs, 1);
            let (w, bias): (Vec<f32>, Vec<f32>) = (random(outputs * inputs, 2), random(outputs, 3));
            let shape = same(1, 1, rows, 1);
            let mut plain = reference::conv2d(&wide(&x), &wide(&w), &shape, inputs, outputs);
            plain.iter_mut().enumerate().for_each(|(index, value)| *value += f64::from(bias[index % outputs]));
            let extras = Extras { bias: Some(&bias), ..Extras::default() };
            let y = vec_of(rows * outputs, |y| linear(&engine, &x, &Packed::new::<f32, _>(&engine, &w, outputs, inputs, 1), extras, y));
            assert!(relative_error(&y, &plain) < SINGLE, "{:?}", engine.level());
            let gated: Vec<f64> = plain
                .chunks(outputs)
                .flat_map(|row| (0..outputs / 2).map(|index| row[index] * reference::gelu(row[outputs / 2 + index])))
                .collect();
            let y = vec_of(rows * outputs / 2, |y| linear(&engine, &x, &Packed::gated::<f32, _>(&engine, &w, outputs, inputs), extras, y));
            assert!(relative_error(&y, &gated) < SINGLE, "{:?}", engine.level());
        }
    }
}

#[test]
fn packing_loses_nothing() {
    for engine in engines(1) {
        let (outputs, inputs, taps) = (37, 41, 9);
        let w: Vec<bf16> = random(outputs * inputs * taps, 5);
        let packed = Packed::new::<bf16, _>(&engine, &w, outputs, inputs, taps);
        let rows = packed.unpacked();
        for (output, input, tap) in [(0, 0, 0), (36, 40, 8), (17, 33, 4), (15, 31, 1)] {
            assert_eq!(rows[(tap * inputs + input) * outputs + output], w[(output * inputs + input) * taps + tap].to_f32());
        }
        assert_eq!((packed.is_bf16(), packed.is_gated()), (engine.level().has_bf16(), false));
        let gated = Packed::gated::<f32, _>(&engine, &random::<f32>(70 * 5, 6), 70, 5);
        assert_eq!(gated.unpacked(), Packed::new::<f32, _>(&engine, &random::<f32>(70 * 5, 6), 70, 5, 1).unpacked());
    }
}

/// Every pattern of f16 among them, in rows that are no multiple of a vector.
#[test]
fn stored_numbers_are_rounded_before_they_are_packed() {
    let (outputs, inputs) = (57, 39);
    let halves: Vec<f16> = (0..outputs * inputs * 9).map(|index| f16::from_bits((index * 40_503 % 65_536) as u16)).collect();
    let wide: Vec<f32> = halves.iter().map(|half| half.to_f32()).collect();
    let rounded: Vec<bf16> = wide.iter().map(|number| bf16::from_f32(*number)).collect();
    let bits = |packed: Packed| -> Vec<u32> { packed.unpacked().into_iter().map(f32::to_bits).collect() };
    for engine in engines(2) {
        for taps in [1, 9, 3] {
            let pack = |gated: bool| {
                let count = outputs / 2 * 2;
                let rows = count * inputs * taps;
                let (halves, wide, rounded) = (&halves[..rows], &wide[..rows], &rounded[..rows]);
                if gated && taps == 1 {
                    return [
                        Packed::gated::<bf16, _>(&engine, halves, count, inputs),
                        Packed::gated::<bf16, _>(&engine, wide, count, inputs),
                        Packed::gated::<bf16, _>(&engine, rounded, count, inputs),
                    ];
                }
                [
                    Packed::new::<bf16, _>(&engine, halves, count, inputs, taps),
                    Packed::new::<bf16, _>(&engine, wide, count, inputs, taps),
                    Packed::new::<bf16, _>(&engine, rounded, count, inputs, taps),
                ]
            };
            for gated in [false, true] {
                let [halves, wide, rounded] = pack(gated).map(bits);
                assert!(halves == rounded && wide == rounded, "{:?}, {taps} taps, gated: {gated}", engine.level());
            }
        }
        let finite: Vec<f16> = halves.iter().map(|half| if half.is_finite() { *half } else { f16::ONE }).collect();
        let rounded: Vec<bf16> = finite.iter().map(|half| bf16::from_f32(half.to_f32())).collect();
        assert!(
            bits(Packed::winograd::<bf16, _>(&engine, &finite, outputs, inputs))
                == bits(Packed::winograd::<bf16, _>(&engine, &rounded, outputs, inputs))
        );
        assert!(
            bits(Packed::doubling::<bf16, _>(&engine, &finite, outputs, inputs))
                == bits(Packed::doubling::<bf16, _>(&engine, &rounded, outputs, inputs))
        );
    }
}

#[test]
fn threads_change_no_bit() {
    for level in cpu_kernels::Level::ALL.into_iter().filter(|level| level.is_available()) {
        let results = [1, 2, 3, 7].map(|threads| {
            let engine = Engine::new(threads, level);
            let (shape, inputs, outputs) = if cfg!(miri) { (same(9, 1, 2, 1), 3, 5) } else { (same(2, 33, 50, 3), 40, 70) };
            let pixels = shape.images * shape.input.0 * shape.input.1;
            let taps = shape.kernel.0 * shape.kernel.1;
            let (x, w): (Vec<bf16>, Vec<bf16>) = (random(pixels * inputs, 1), random(outputs * inputs * taps, 2));
            let packed = Packed::new::<bf16, _>(&engine, &w, outputs, inputs, taps);
            vec_of(pixels * outputs, |y| conv2d(&engine, &x, &packed, shape, Extras::default(), y))
        });
        assert!(results.iter().all(|result| *result == results[0]));
    }
}

#[test]
fn empty_input_gives_empty_output() {
    for engine in engines(1) {
        let packed = Packed::new::<f32, f32>(&engine, &random::<f32>(12, 1), 3, 4, 1);
        linear::<f32>(&engine, &[], &packed, Extras::default(), &mut []);
    }
}

#[test]
fn shapes_that_overflow_are_refused() {
    let engine = &engines(1)[0];
    let packed = Packed::new::<f32, f32>(engine, &[1.0, 1.0], 1, 1, 2);
    let half = (1_usize << 63) + 1;
    let shape = ConvShape { kernel: (half, 2), ..same(1, 1, 2, 1) };
    let wild = ConvShape { stride: (11 * (1 << 58) + 1) / 15, ..same(1, 1, 1, 1) };
    let single = Packed::new::<f32, f32>(engine, &[1.0], 1, 1, 1);
    for refused in [
        catch_unwind(AssertUnwindSafe(|| vec_of(2, |y| conv2d(engine, &[1.0, 1.0], &packed, shape, Extras::default(), y)))),
        catch_unwind(AssertUnwindSafe(|| vec_of(1, |y| conv2d(engine, &[1.0], &single, wild, Extras::default(), y)))),
    ] {
        assert!(refused.is_err());
    }
}
