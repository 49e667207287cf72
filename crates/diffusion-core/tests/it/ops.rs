//! The executions of the ops against the portable one. Tests use the layers, which choose by device, and call the portable execution by
//! name.

use std::sync::Arc;

use candle_core::{DType, Device, Tensor};
use diffusion_core::{
    noise::SeededNoise,
    ops::{
        Activation, AttentionParams, Blend, ChainLink, Conv2d, Conv2dParams, ConvExtras, Geglu, LinearExtras, Nhwc, TemporalConv,
        attention, conv_chain, execution, portable, temporal_attention,
    },
    weights::Component,
};

use crate::{
    golden_weights::GoldenWeights,
    relative_error,
    tolerance::{NORMS_PORTABLE, OPS, OPS_BF16},
};

fn randn(seed: u64, shape: &[usize]) -> Tensor {
    SeededNoise::new(seed).randn(shape).unwrap()
}

/// Runs a comparison in f32 and bf16; `run` returns (fast, portable).
fn in_both_precisions(what: &str, run: impl Fn(DType) -> (Tensor, Tensor)) {
    let single = if what.ends_with(" norm") { NORMS_PORTABLE } else { OPS };
    for (dtype, tolerance) in [(DType::F32, single), (DType::BF16, OPS_BF16)] {
        let (fast, portable) = run(dtype);
        assert_eq!(fast.dtype(), dtype, "{what}");
        let error = relative_error(&fast, &portable);
        assert!(error <= tolerance, "{what} in {dtype:?}: {error:.2e}");
    }
}

/// The convolution by its definition, in f64 and NCHW, without the bias of each image and the residual.
fn convolution_by_definition(x: &Tensor, weight: &Tensor, bias: &Tensor, params: Conv2dParams, enlarged: (usize, usize)) -> Tensor {
    let (batch, inputs, height, width) = x.dims4().unwrap();
    let (outputs, _, tall, wide) = weight.dims4().unwrap();
    let flat = |tensor: &Tensor| tensor.flatten_all().unwrap().to_dtype(DType::F64).unwrap().to_vec1::<f64>().unwrap();
    let (x, weight, bias) = (flat(x), flat(weight), flat(bias));
    let (before, after) = (params.pad_before, params.pad_after);
    let out_height = (enlarged.0 + before.0 + after.0 - tall) / params.stride + 1;
    let out_width = (enlarged.1 + before.1 + after.1 - wide) / params.stride + 1;
    let mut y = Vec::new();
    for image in 0..batch {
        for output in 0..outputs {
            for (oy, ox) in (0..out_height).flat_map(|oy| (0..out_width).map(move |ox| (oy, ox))) {
                let mut sum = bias[output];
                for input in 0..inputs {
                    for (ky, kx) in (0..tall).flat_map(|ky| (0..wide).map(move |kx| (ky, kx))) {
                        let (iy, ix) = (oy * params.stride + ky, ox * params.stride + kx);
                        let (Some(iy), Some(ix)) = (iy.checked_sub(before.0), ix.checked_sub(before.1)) else { continue };
                        if iy < enlarged.0 && ix < enlarged.1 {
                            let (iy, ix) = (iy * height / enlarged.0, ix * width / enlarged.1);
                            sum += x[((image * inputs + input) * height + iy) * width + ix]
                                * weight[((output * inputs + input) * tall + ky) * wide + kx];
                        }
                    }
                }
                y.push(sum as f32);
            }
        }
    }
    Tensor::from_vec(y, (batch, outputs, out_height, out_width), &Device::Cpu).unwrap()
}

#[test]
fn convolutions_follow_the_definition() {
    let downsample = Conv2dParams::downsample;
    for (params, size, enlarged) in [
        (Conv2dParams::same(3), (5, 7), (5, 7)),
        (Conv2dParams::same(1), (5, 7), (5, 7)),
        (Conv2dParams::same(5), (3, 2), (3, 2)),
        (Conv2dParams::same_of((3, 1)), (5, 70), (5, 70)),
        (Conv2dParams::same_of((3, 1)), (1, 3), (1, 3)),
        (Conv2dParams::same_of((1, 3)), (2, 9), (2, 9)),
        (Conv2dParams { pad_before: (0, 0), pad_after: (0, 0), ..Conv2dParams::same(3) }, (4, 3), (4, 3)),
        (downsample(1), (7, 6), (7, 6)),
        (downsample(0), (8, 6), (8, 6)),
        (Conv2dParams::upsample(), (3, 4), (6, 8)),
        (Conv2dParams::upsample(), (3, 4), (5, 7)),
        (Conv2dParams::upsample(), (2, 3), (5, 6)),
    ] {
        let (x, weight, bias) =
            (randn(1, &[2, 36, size.0, size.1]), randn(2, &[39, 36, params.kernel.0, params.kernel.1]), randn(3, &[39]));
        let conv = Conv2d::new(&weight, Some(bias.clone()), params).unwrap();
        let expected = convolution_by_definition(&x, &weight, &bias, params, enlarged);
        let nhwc = Nhwc::from_nchw(&x).unwrap();
        let fast = conv.forward_enlarged(&nhwc, enlarged.0, enlarged.1).unwrap();
        let error = relative_error(&fast.to_nchw().unwrap(), &expected);
        assert!(error < OPS, "{params:?}: fast {error:.2e}");
        let portable = execution::portable(|| conv.forward_enlarged(&nhwc, enlarged.0, enlarged.1)).unwrap();
        let error = relative_error(&portable.to_nchw().unwrap(), &expected);
        assert!(error < OPS, "{params:?}: portable {error:.2e}");
    }
}

/// A block of an AutoencoderTiny with the enlargement before it and the last layer behind it, in one pass where the CPU has one. No other
/// execution, and no chain that does not fit, has one.
#[test]
fn a_chain_of_convolutions_is_its_layers() {
    for dtype in [DType::F32, DType::BF16] {
        let of = |seed: u64, outputs: usize, inputs: usize, params: Conv2dParams| {
            let weight = (randn(seed, &[outputs, inputs, 3, 3]) * 0.06).unwrap().to_dtype(dtype).unwrap();
            Conv2d::new(&weight, Some(randn(seed + 1, &[outputs]).to_dtype(dtype).unwrap()), params.chained()).unwrap()
        };
        let same = |seed: u64, outputs: usize| of(seed, outputs, 64, Conv2dParams::same(3));
        let (up, last, block) = (of(1, 64, 64, Conv2dParams::upsample()), same(3, 3), [same(5, 64), same(7, 64), same(9, 64)]);
        let x = Nhwc::new(randn(11, &[2, 97, 65, 64]).to_dtype(dtype).unwrap()).unwrap();
        let link = |conv, relu| ChainLink { conv, adds: None, relu };
        let [first, second, third] = &block;
        let links =
            [link(&up, false), link(first, true), link(second, true), ChainLink { adds: Some(1), ..link(third, true) }, link(&last, false)];
        let relu = ConvExtras { relu: true, ..ConvExtras::default() };
        let enlarged = up.forward_enlarged(&x, 194, 130).unwrap();
        let hidden = second.forward_with(&first.forward_with(&enlarged, relu).unwrap(), relu).unwrap();
        let hidden = third.forward_with(&hidden, ConvExtras { residual: Some(&enlarged), ..relu }).unwrap();
        let expected = last.forward(&hidden).unwrap();
        let numbers = |x: &Nhwc| x.tensor().to_dtype(DType::F32).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
        let found = conv_chain(&x, &links).unwrap();
        let one_pass = dtype == DType::BF16 && cpu_kernels::engine().level() == cpu_kernels::Level::Amx;
        assert!(one_pass || found.is_none(), "{dtype:?}");
        // Two images of which each can be cut into some regions below one another.
        assert!(found.is_some() || !one_pass || cpu_kernels::engine().pool().threads() > 12, "{dtype:?}");
        assert!(numbers(&found.unwrap_or_else(|| expected.clone())) == numbers(&expected), "{dtype:?}");
        assert!(execution::portable(|| conv_chain(&x, &links)).unwrap().is_none());
        assert!(conv_chain(&x, &links[..1]).unwrap().is_none(), "one layer");
        assert!(conv_chain(&x, &[links[4], links[1]]).unwrap().is_none(), "other channels");
        assert!(conv_chain(&x, &[links[1], links[0]]).unwrap().is_none(), "an enlargement that is not the first");
        assert!(conv_chain(&x, &[links[0], ChainLink { adds: Some(0), ..links[1] }]).unwrap().is_none(), "another size");
        assert!(conv_chain(&x, &[links[1], ChainLink { adds: Some(2), ..links[2] }]).unwrap().is_none(), "what is not there yet");
    }
}

/// Both ways of dividing the work of a convolution (small and large weights), with all epilogue operands.
#[test]
fn convolutions_agree_with_portable() {
    for (inputs, outputs, kernel, side) in [(24, 40, 3, 33), (160, 320, 3, 10), (48, 24, 1, 9)] {
        let weight = (randn(2, &[outputs, inputs, kernel, kernel]) * (1.0 / (inputs as f64).sqrt())).unwrap();
        in_both_precisions("convolution", |dtype| {
            let cast = |tensor: Tensor| tensor.to_dtype(dtype).unwrap();
            let load = || Conv2d::new(&cast(weight.clone()), Some(cast(randn(3, &[outputs]))), Conv2dParams::same(kernel)).unwrap();
            let x = Nhwc::new(cast(randn(1, &[3, side, side + 1, inputs]))).unwrap();
            let residual = Nhwc::new(cast(randn(4, &[3, side, side + 1, outputs]))).unwrap();
            let per_image = cast(randn(5, &[3, outputs]));
            let extras = ConvExtras { per_image: Some(&per_image), residual: Some(&residual), relu: kernel == 3, ..ConvExtras::default() };
            let run = || load().forward_with(&x, extras).unwrap().tensor().clone();
            (run(), execution::portable(run))
        });
    }
}

#[test]
fn linear_layers_agree_with_portable() {
    let weights = Arc::new(GoldenWeights::any());
    in_both_precisions("linear", |dtype| {
        let layer = diffusion_core::ops::Linear::load(&weights.cursor(Component::Unet, dtype), 130, 70, true).unwrap();
        let weight = weights.cursor(Component::Unet, dtype).get((70, 130), "weight").unwrap().t().unwrap().contiguous().unwrap();
        let bias = weights.cursor(Component::Unet, dtype).get(70, "bias").unwrap();
        let (x, residual) = (randn(1, &[65, 130]).to_dtype(dtype).unwrap(), randn(2, &[65, 70]).to_dtype(dtype).unwrap());
        let fast = layer.forward_add(&x, &residual).unwrap();
        (fast, portable::linear(&x, &weight, Some(&bias), LinearExtras { residual: Some(&residual), ..LinearExtras::default() }).unwrap())
    });
}

#[test]
fn norms_agree_with_portable() {
    let weights = Arc::new(GoldenWeights::any());
    let cursor = weights.cursor(Component::Unet, DType::F32);
    let (weight, bias) = (cursor.get(48, "weight").unwrap(), cursor.get(48, "bias").unwrap());
    // A mean far from zero, as in an autoencoder's activations.
    let source = ((randn(1, &[2, 31 * 33, 48]) * 3.0).unwrap() + 20.0).unwrap();
    let by_definition = {
        let x = source.to_dtype(DType::F64).unwrap().reshape((2, 31 * 33, 8, 6)).unwrap();
        let centred = x.broadcast_sub(&x.mean_keepdim((1, 3)).unwrap()).unwrap();
        let variance = centred.sqr().unwrap().mean_keepdim((1, 3)).unwrap();
        let normal = centred.broadcast_div(&(variance + 1e-5).unwrap().sqrt().unwrap()).unwrap().reshape((2, 31 * 33, 48)).unwrap();
        let wide = |tensor: &Tensor| tensor.to_dtype(DType::F64).unwrap();
        normal.broadcast_mul(&wide(&weight)).unwrap().broadcast_add(&wide(&bias)).unwrap()
    };
    let layer = diffusion_core::ops::GroupNorm::load(&cursor, 48, 8, 1e-5).unwrap();
    let fast = layer.forward(&Nhwc::from_tokens(&source, 31, 33).unwrap()).unwrap().tokens().unwrap();
    let portable = portable::group_norm(&source, &weight, &bias, 8, 1e-5, false).unwrap();
    assert!(relative_error(&fast, &by_definition) < OPS);
    assert!(relative_error(&portable, &by_definition) < NORMS_PORTABLE);
    for silu in [false, true] {
        in_both_precisions("group norm", |dtype| {
            let x = source.to_dtype(dtype).unwrap();
            let layer = diffusion_core::ops::GroupNorm::load(&cursor, 48, 8, 1e-5).unwrap();
            let image = Nhwc::from_tokens(&x, 31, 33).unwrap();
            let fast = if silu { layer.forward_silu(&image) } else { layer.forward(&image) };
            (fast.unwrap().tokens().unwrap(), portable::group_norm(&x, &weight, &bias, 8, 1e-5, silu).unwrap())
        });
    }
    in_both_precisions("layer norm", |dtype| {
        let x = source.to_dtype(dtype).unwrap();
        let layer = diffusion_core::ops::LayerNorm::load(&cursor, 48, 1e-5).unwrap();
        let rows = x.reshape(((), 48)).unwrap();
        let portable = portable::layer_norm(&rows, &weight, &bias, 1e-5).unwrap();
        (layer.forward(&x).unwrap(), portable.reshape(x.dims()).unwrap())
    });
}

#[test]
fn activations_agree_with_portable() {
    let source = (randn(1, &[50, 66]) * 3.0).unwrap();
    in_both_precisions("geglu", |dtype| {
        let cast = |tensor: Tensor| tensor.to_dtype(dtype).unwrap();
        let layer = Geglu::new(&cast((randn(2, &[84, 66]) * 0.1).unwrap()), Some(cast(randn(3, &[84])))).unwrap();
        let x = cast(source.clone());
        (layer.forward(&x).unwrap(), execution::portable(|| layer.forward(&x)).unwrap())
    });
    for activation in [Activation::Silu, Activation::Gelu, Activation::QuickGelu] {
        in_both_precisions("activation", |dtype| {
            let x = source.to_dtype(dtype).unwrap();
            (activation.forward(&x).unwrap(), portable::activation(&x, activation).unwrap())
        });
    }
}

#[test]
fn attentions_agree_with_portable() {
    for (queries, keys, heads, causal) in [(300, 300, 3, false), (150, 77, 5, false), (77, 77, 2, true), (1, 1, 1, true)] {
        in_both_precisions("attention", |dtype| {
            let tokens = |seed, tokens| (randn(seed, &[2, tokens, 30 * heads]) * 1.5).unwrap().to_dtype(dtype).unwrap();
            let (query, key, value) = (tokens(1, queries), tokens(2, keys), tokens(3, keys));
            let params = AttentionParams { heads, causal, upcast: true };
            (attention(&query, &key, &value, params).unwrap(), portable::attention(&query, &key, &value, params).unwrap())
        });
    }
}

#[test]
fn temporal_attentions_agree_with_portable() {
    for (clips, frames, pixels, heads) in [(2, 14, 33, 3), (1, 25, 10, 5), (1, 1, 4, 2), (1, 70, 5, 1)] {
        in_both_precisions("temporal attention", |dtype| {
            // The portable execution rounds scores to bf16, so they are kept small.
            let tokens = |seed| randn(seed, &[clips * frames, pixels, 24 * heads]).to_dtype(dtype).unwrap();
            let (query, key, value) = (tokens(1), tokens(2), tokens(3));
            let run = || temporal_attention(&query, &key, &value, frames, heads).unwrap();
            (run(), execution::portable(run))
        });
    }
}

#[test]
fn temporal_convolutions_agree_with_portable() {
    let weights = Arc::new(GoldenWeights::any());
    in_both_precisions("temporal convolution", |dtype| {
        let cast = |tensor: Tensor| tensor.to_dtype(dtype).unwrap();
        let frames = Nhwc::new(cast(randn(1, &[10, 7, 9, 48]))).unwrap();
        let (clips, per_clip) = (frames.clips(5).unwrap(), cast(randn(2, &[2, 40])));
        let extras = ConvExtras { per_image: Some(&per_clip), ..ConvExtras::default() };
        let load = || TemporalConv::load(&weights.cursor(Component::Unet, dtype), 48, 40).unwrap();
        let run = || load().forward_with(&clips, extras).unwrap().tensor().clone();
        (run(), execution::portable(run))
    });
    // Half of a convolution is the convolution with half the weights.
    let cursor = weights.cursor(Component::Unet, DType::F32);
    let clips = Nhwc::new(randn(1, &[2, 5, 63, 48])).unwrap();
    let whole = TemporalConv::load(&cursor, 48, 40).unwrap().forward(&clips).unwrap().scale(0.5).unwrap();
    let half = TemporalConv::load_scaled(&cursor, 48, 40, 0.5).unwrap().forward(&clips).unwrap();
    assert!(relative_error(half.tensor(), whole.tensor()) < OPS);
}

/// A bias of each image, a residual and a blend, fused and one after the other.
#[test]
fn epilogues_of_linear_layers_agree_with_portable() {
    let weights = Arc::new(GoldenWeights::any());
    in_both_precisions("linear with its epilogue", |dtype| {
        let cast = |seed, shape: &[usize]| randn(seed, shape).to_dtype(dtype).unwrap();
        let (x, residual, other, per_image) = (cast(1, &[3, 22, 130]), cast(2, &[3, 22, 70]), cast(3, &[3, 22, 70]), cast(4, &[6, 70]));
        let blend = Some(Blend { other: &other, share: 0.7 });
        let extras = LinearExtras { per_image: Some(&per_image), residual: Some(&residual), blend };
        let load = || diffusion_core::ops::Linear::load(&weights.cursor(Component::Unet, dtype), 130, 70, true).unwrap();
        let run = || load().forward_with(&x, extras).unwrap();
        (run(), execution::portable(run))
    });
    in_both_precisions("shifted layer norm", |dtype| {
        let cast = |seed, shape: &[usize]| randn(seed, shape).to_dtype(dtype).unwrap();
        let (x, shift) = (cast(1, &[4, 33, 48]), cast(2, &[2, 48]));
        let layer = diffusion_core::ops::LayerNorm::load(&weights.cursor(Component::Unet, DType::F32), 48, 1e-5).unwrap();
        let run = || layer.forward_shifted(&x, &shift).unwrap();
        (run(), execution::portable(run))
    });
}

/// Large scores neither overflow nor lose the rest.
#[test]
fn attention_survives_large_scores() {
    let x = (randn(1, &[1, 40, 16]) * 60.0).unwrap();
    let y = attention(&x, &x, &x, AttentionParams { heads: 1, causal: false, upcast: false }).unwrap();
    assert!(y.flatten_all().unwrap().to_vec1::<f32>().unwrap().iter().all(|value| value.is_finite()));
}

#[test]
fn layers_refuse_wrong_shapes() {
    let weights = Arc::new(GoldenWeights::any());
    let cursor = weights.cursor(Component::Unet, DType::F32);
    let x = randn(1, &[1, 2, 2, 6]);
    let image = Nhwc::new(x.clone()).unwrap();
    assert!(diffusion_core::ops::Linear::load(&cursor, 5, 4, true).unwrap().forward(&x).is_err());
    assert!(diffusion_core::ops::LayerNorm::load(&cursor, 5, 1e-5).unwrap().forward(&x).is_err());
    assert!(diffusion_core::ops::GroupNorm::load(&cursor, 5, 5, 1e-5).unwrap().forward(&image).is_err());
    assert!(diffusion_core::ops::GroupNorm::load(&cursor, 6, 4, 1e-5).is_err());
    assert!(Conv2d::load(&cursor, 5, 4, Conv2dParams::same(3)).unwrap().forward(&image).is_err());
    assert!(
        Conv2d::load(&cursor, 6, 4, Conv2dParams { pad_before: (0, 0), pad_after: (0, 0), ..Conv2dParams::same(3) })
            .unwrap()
            .forward(&image)
            .is_err()
    );
    assert!(Geglu::new(&randn(1, &[5, 4]), None).is_err());
    assert!(Geglu::new(&randn(1, &[6, 4]), None).unwrap().forward(&randn(1, &[4, 5])).is_err());
    let tokens = randn(1, &[1, 4, 6]);
    let params = |heads, causal| AttentionParams { heads, causal, upcast: false };
    assert!(attention(&tokens, &tokens, &tokens, params(4, false)).is_err());
    assert!(attention(&tokens, &randn(2, &[1, 3, 6]), &tokens, params(2, false)).is_err());
    assert!(attention(&tokens, &randn(2, &[1, 3, 6]), &randn(2, &[1, 3, 6]), params(2, true)).is_err());
    assert!(attention(&tokens, &randn(2, &[2, 4, 6]), &randn(2, &[2, 4, 6]), params(2, false)).is_err());
    let frames = randn(1, &[4, 3, 6]);
    assert!(temporal_attention(&frames, &frames, &frames, 2, 3).is_ok());
    assert!(temporal_attention(&frames, &frames, &frames, 3, 3).is_err());
    assert!(temporal_attention(&frames, &frames, &frames, 0, 3).is_err());
    assert!(temporal_attention(&frames, &frames, &frames, 2, 4).is_err());
    assert!(temporal_attention(&frames, &frames.narrow(1, 0, 2).unwrap(), &frames, 2, 3).is_err());
    let linear = diffusion_core::ops::Linear::load(&cursor, 6, 4, true).unwrap();
    let with = |extras| linear.forward_with(&frames, extras).is_ok();
    let (fits, fits_not) = (randn(1, &[4, 3, 4]), randn(1, &[12, 4]));
    assert!(with(LinearExtras { residual: Some(&fits), ..LinearExtras::default() }));
    assert!(!with(LinearExtras { residual: Some(&fits_not), ..LinearExtras::default() }));
    assert!(!with(LinearExtras { blend: Some(Blend { other: &fits_not, share: 0.5 }), ..LinearExtras::default() }));
    assert!(!with(LinearExtras { per_image: Some(&randn(1, &[5, 4])), ..LinearExtras::default() }));
    let norm = diffusion_core::ops::LayerNorm::load(&cursor, 6, 1e-5).unwrap();
    assert!(norm.forward_shifted(&frames, &randn(1, &[3, 6])).is_ok() && norm.forward_shifted(&frames, &randn(1, &[5, 6])).is_err());
}
