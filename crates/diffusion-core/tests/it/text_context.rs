//! Computations that a UNet shares between steps and between texts: the results are bit-identical to separate computations, with less work.

use std::sync::Arc;

use candle_core::{DType, Device, Tensor};
use diffusion_core::{
    Error,
    guidance::Conditioning,
    models::{UNet2dConditionModel, UNet2dConfig},
    noise::SeededNoise,
    ops::execution::counting,
    weights::Component,
};
use serde_json::{Value, json};

use crate::golden_weights::GoldenWeights;

/// Channels of the finest level and of the text states, and tokens of a text, in every model here.
const CHANNELS: usize = 16;
const TEXT: usize = 12;
const TOKENS: usize = 5;
/// Height and width of the samples; odd, so that the levels' sizes are not multiples of each other.
const SIZE: (usize, usize) = (7, 6);

/// A small UNet; `fields` override the config. The weights are drawn by name.
fn unet(fields: &Value, dtype: DType) -> UNet2dConditionModel {
    let mut config = json!({
        "block_out_channels": [CHANNELS, 24],
        "down_block_types": ["CrossAttnDownBlock2D", "DownBlock2D"],
        "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D"],
        "layers_per_block": 1,
        "attention_head_dim": 2,
        "norm_num_groups": 4,
        "cross_attention_dim": TEXT,
    });
    config.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    let config = UNet2dConfig::from_json(&config).unwrap();
    UNet2dConditionModel::load(&config, &Arc::new(GoldenWeights::any()).cursor(Component::Unet, dtype)).unwrap()
}

/// One model for each position of the first cross-attention.
fn models() -> Vec<(&'static str, Value)> {
    let plain = json!(["DownBlock2D", "DownBlock2D"]);
    vec![
        ("the first block", json!({ "layers_per_block": 2 })),
        (
            "the second block, no mid block, several layers",
            json!({
                "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D"],
                "up_block_types": ["CrossAttnUpBlock2D", "UpBlock2D"],
                "mid_block_type": null,
                "transformer_layers_per_block": [1, 3],
            }),
        ),
        ("the first attention of the first block", json!({ "only_cross_attention": [true, false], "transformer_layers_per_block": 2 })),
        ("the mid block", json!({ "down_block_types": plain, "mid_block_scale_factor": 1.5, "upcast_attention": true })),
        (
            "the first block of the up path",
            json!({ "down_block_types": plain, "up_block_types": ["CrossAttnUpBlock2D", "UpBlock2D"], "mid_block_type": null }),
        ),
        (
            "the last block of the up path",
            json!({ "down_block_types": plain, "mid_block_type": null, "layers_per_block": [2, 1], "only_cross_attention": true }),
        ),
        ("nowhere", json!({ "down_block_types": plain, "up_block_types": ["UpBlock2D", "UpBlock2D"], "mid_block_type": null })),
        ("a block of a consistency model", json!({ "time_cond_proj_dim": 6 })),
    ]
}

fn randn(seed: u64, shape: &[usize]) -> Tensor {
    SeededNoise::new(seed).randn(shape).unwrap()
}

fn sample(batch: usize) -> Tensor {
    randn(1, &[batch, 4, SIZE.0, SIZE.1])
}

fn texts(batch: usize) -> Tensor {
    randn(2, &[batch, TOKENS, TEXT])
}

fn twice(tensor: &Tensor) -> Tensor {
    Tensor::cat(&[tensor, tensor], 0).unwrap()
}

/// All bits of every number: bf16 and f16 convert exactly to f32.
fn numbers(tensor: &Tensor) -> Vec<u32> {
    let wide = tensor.to_dtype(DType::F32).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
    assert!(wide.iter().all(|value| value.is_finite()));
    wide.into_iter().map(f32::to_bits).collect()
}

#[test]
fn texts_that_share_a_sample_get_the_same_results_as_separate_ones() {
    for (place, fields) in models() {
        for dtype in [DType::F32, DType::BF16] {
            let model = unet(&fields, dtype);
            let cond = model.config().time_cond_proj_dim.map(|dim| randn(3, &[1, dim]));
            // One image with two texts is guidance; two images with four texts are guidance of a batch.
            for batch in [1, 2] {
                let (sample, states) = (sample(batch), texts(2 * batch));
                let context = model.text_context(&states).unwrap();
                assert_eq!(context.batch(), 2 * batch);
                let shared = model.forward(&sample, 481.5, &context, cond.as_ref()).unwrap();
                assert_eq!((shared.dims(), shared.dtype()), (&[2 * batch, 4, SIZE.0, SIZE.1][..], dtype));
                let apart = model.forward(&twice(&sample), 481.5, &context, cond.as_ref()).unwrap();
                assert!(numbers(&shared) == numbers(&apart), "{place}, {dtype:?}, {batch}");
                for row in 0..2 * batch {
                    let one = |tensor: &Tensor, row| tensor.narrow(0, row, 1).unwrap();
                    let context = model.text_context(&one(&states, row)).unwrap();
                    let alone = model.forward(&one(&sample, row % batch), 481.5, &context, cond.as_ref()).unwrap();
                    assert!(numbers(&alone) == numbers(&one(&shared, row)), "{place}, {dtype:?}, {batch}, row {row}");
                }
            }
        }
    }
}

#[test]
fn each_image_keeps_its_own_guidance_embedding() {
    let model = unet(&json!({ "time_cond_proj_dim": 6 }), DType::F32);
    let (sample, context, cond) = (sample(2), model.text_context(&texts(4)).unwrap(), randn(3, &[2, 6]));
    let shared = model.forward(&sample, 481.5, &context, Some(&cond)).unwrap();
    let apart = model.forward(&twice(&sample), 481.5, &context, Some(&twice(&cond))).unwrap();
    assert_eq!(numbers(&shared), numbers(&apart));
    let same_for_both = model.forward(&sample, 481.5, &context, Some(&cond.narrow(0, 0, 1).unwrap())).unwrap();
    assert_ne!(numbers(&shared), numbers(&same_for_both));
}

#[test]
fn a_context_is_valid_at_every_step() {
    let model = unet(&json!({}), DType::F32);
    let context = model.text_context(&texts(2)).unwrap();
    let steps = [(981.0, sample(1)), (20.25, randn(4, &[1, 4, 3, 8])), (981.0, sample(1))];
    let (kept, flops): (Vec<_>, Vec<_>) =
        steps.iter().map(|(timestep, sample)| counting(|| model.forward(sample, *timestep, &context, None).unwrap())).unzip();
    for ((timestep, sample), kept) in steps.iter().zip(&kept) {
        let fresh = model.text_context(&texts(2)).unwrap();
        assert_eq!(numbers(kept), numbers(&model.forward(sample, *timestep, &fresh, None).unwrap()));
    }
    assert_eq!(numbers(&kept[0]), numbers(&kept[2]));
    assert_eq!(flops[0], flops[2]);

    // The context consists of keys and values: one transformer in the down path, one in the middle, two in the up path.
    let (_, flops) = counting(|| model.text_context(&texts(2)).unwrap());
    assert_eq!(flops as usize, 2 * 2 * 2 * TOKENS * TEXT * (3 * CHANNELS + 24));
}

/// The shared work of the first levels is done for one image instead of two, and all other work is the same.
#[test]
fn layers_before_the_first_cross_attention_run_once() {
    let saved = |fields: &Value| {
        let model = unet(fields, DType::F32);
        let context = model.text_context(&texts(2)).unwrap();
        let run = |sample: &Tensor| counting(|| model.forward(sample, 1.0, &context, None).unwrap()).1 as usize;
        run(&twice(&sample(1))) - run(&sample(1))
    };
    let (c, pixels) = (CHANNELS, SIZE.0 * SIZE.1);
    let conv_in = 9 * 4 * c;
    let resnet = 2 * 9 * c * c;
    let (proj_in, query) = (c * c, c * c);
    // Four projections, scores, and the weighted sum.
    let self_attention = 4 * c * c + 2 * pixels * c;
    assert_eq!(saved(&json!({})), 2 * pixels * (conv_in + resnet + proj_in + self_attention + query));
    assert_eq!(saved(&json!({ "only_cross_attention": true })), 2 * pixels * (conv_in + resnet + proj_in + query));

    // Without cross-attention, everything is computed once.
    let nowhere = models().into_iter().find(|(place, _)| *place == "nowhere").unwrap().1;
    let model = unet(&nowhere, DType::F32);
    let run = |text: usize| counting(|| model.forward(&sample(1), 1.0, &model.text_context(&texts(text)).unwrap(), None).unwrap()).1;
    assert_eq!(run(2), run(1));
}

#[test]
fn mismatched_batches_are_refused() {
    let model = unet(&json!({ "time_cond_proj_dim": 6 }), DType::F32);
    let refused = |images: usize, text: usize, cond: Option<usize>| {
        let context = model.text_context(&texts(text)).unwrap();
        let cond = cond.map(|rows| randn(3, &[rows, 6]));
        match model.forward(&sample(images), 1.0, &context, cond.as_ref()) {
            Err(Error::Shape { what, .. }) => what,
            other => panic!("{images} images, {text} texts: {other:?}"),
        }
    };
    for (images, text) in [(2, 3), (2, 1), (3, 4)] {
        assert_eq!(refused(images, text, None), "the UNet's sample");
    }
    for rows in [2, 3, 4] {
        assert_eq!(refused(1, 4, Some(rows)), "timestep_cond");
    }
    for shape in [&[0, TOKENS, TEXT][..], &[2, 0, TEXT], &[2, TOKENS], &[2, TOKENS, TEXT + 1]] {
        let states = Tensor::zeros(shape, DType::F32, &Device::Cpu).unwrap();
        assert!(matches!(model.text_context(&states), Err(Error::Shape { .. })), "{shape:?}");
    }
    let smaller = unet(&json!({ "mid_block_type": null }), DType::F32);
    let foreign = smaller.text_context(&texts(2)).unwrap();
    assert!(matches!(model.forward(&sample(1), 1.0, &foreign, None), Err(Error::Shape { .. })));
}

#[test]
fn guidance_combines_separate_predictions() {
    let model = unet(&json!({ "in_channels": 9 }), DType::F32);
    let (latents, channels) = (sample(1), randn(5, &[1, 5, SIZE.0, SIZE.1]));
    let (prompt, negative) = (randn(6, &[1, TOKENS, TEXT]), randn(7, &[1, TOKENS, TEXT]));
    let predict = |conditioning: Conditioning<'_>| conditioning.with_channels(channels.clone()).predict(&latents, 481.5, 0).unwrap();
    let guided = predict(Conditioning::guided(&model, &prompt, &negative, 7.5).unwrap());
    let [text, uncond] = [&prompt, &negative].map(|states| predict(Conditioning::unguided(&model, states).unwrap()));
    let expected = (&uncond + ((text - &uncond).unwrap() * 7.5).unwrap()).unwrap();
    assert_eq!(numbers(&guided), numbers(&expected));

    // A longer negative prompt, as prompts of several chunks have it.
    let longer = randn(8, &[1, 2 * TOKENS, TEXT]);
    let guided = predict(Conditioning::guided(&model, &prompt, &longer, 7.5).unwrap());
    let uncond = predict(Conditioning::unguided(&model, &longer).unwrap());
    let expected = (&uncond + ((predict(Conditioning::unguided(&model, &prompt).unwrap()) - &uncond).unwrap() * 7.5).unwrap()).unwrap();
    assert_eq!(numbers(&guided), numbers(&expected));

    let conditioning = Conditioning::guided(&model, &prompt, &negative, 7.5).unwrap();
    assert!(matches!(conditioning.predict(&sample(2), 481.5, 0), Err(Error::Shape { what: "latents", .. })));
}
