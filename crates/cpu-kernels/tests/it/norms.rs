//! Norms and activations against their definitions.

use cpu_kernels::{Activation, Norm, activate, group_norm, group_norm_silu_in_place, layer_norm, layer_norm_shifted, vec_of};
use half::bf16;

use crate::{
    HALF, SINGLE, cases, engines,
    reference::{gelu, random, relative_error, wide},
};

fn normal(values: &[f64], eps: f64) -> Vec<f64> {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / values.len() as f64;
    values.iter().map(|value| (value - mean) / (variance + eps).sqrt()).collect()
}

#[test]
fn group_norms_match_their_definition() {
    for engine in engines(3) {
        let all = [(2, 1500, 48, 8, true), (1, 1, 32, 32, false), (3, 333, 60, 4, false)];
        // The first has two strips.
        let few = [(1, 690, 48, 8, true), (2, 1, 32, 32, false), (3, 37, 20, 4, false)];
        for (images, pixels, channels, groups, silu) in cases(&all, &few) {
            // A mean far from zero, as in an autoencoder's activations.
            let x: Vec<f32> = random::<f32>(images * pixels * channels, 1).into_iter().map(|value| value * 3.0 + 20.0).collect();
            let (weight, bias): (Vec<f32>, Vec<f32>) = (random(channels, 2), random(channels, 3));
            let mut expected = vec![0.0; x.len()];
            let size = channels / groups;
            for (image, group) in (0..images).flat_map(|image| (0..groups).map(move |group| (image, group))) {
                let places: Vec<usize> = (0..pixels)
                    .flat_map(|pixel| (0..size).map(move |lane| (image * pixels + pixel) * channels + group * size + lane))
                    .collect();
                let values: Vec<f64> = places.iter().map(|place| f64::from(x[*place])).collect();
                for (place, value) in places.iter().zip(normal(&values, 1e-5)) {
                    let channel = place % channels;
                    let value = value * f64::from(weight[channel]) + f64::from(bias[channel]);
                    expected[*place] = if silu { value / (1.0 + (-value).exp()) } else { value };
                }
            }
            let norm = Norm { weight: &weight, bias: &bias, eps: 1e-5 };
            let y = vec_of(x.len(), |y| group_norm(&engine, &x, images, groups, norm, silu, y));
            let error = relative_error(&y, &expected);
            assert!(error < SINGLE, "{:?}: {error:.1e}", engine.level());
            if silu {
                let mut in_place = x.clone();
                group_norm_silu_in_place(&engine, &mut in_place, images, groups, norm);
                assert_eq!(in_place, y);
                let mut in_place: Vec<bf16> = x.iter().copied().map(bf16::from_f32).collect();
                let y = vec_of(x.len(), |y| group_norm(&engine, &in_place, images, groups, norm, true, y));
                group_norm_silu_in_place(&engine, &mut in_place, images, groups, norm);
                assert_eq!(in_place, y);
            }
        }
    }
}

#[test]
fn layer_norms_match_their_definition() {
    for engine in engines(2) {
        let (rows, channels) = (if cfg!(miri) { 440 } else { 700 }, 75);
        let (weight, bias): (Vec<f32>, Vec<f32>) = (random(channels, 2), random(channels, 3));
        let norm = Norm { weight: &weight, bias: &bias, eps: 1e-5 };
        let x: Vec<bf16> = random(rows * channels, 1);
        let expected: Vec<f64> = wide(&x)
            .chunks(channels)
            .flat_map(|row| normal(row, 1e-5))
            .enumerate()
            .map(|(index, value)| value * f64::from(weight[index % channels]) + f64::from(bias[index % channels]))
            .collect();
        let half = vec_of(x.len(), |y| layer_norm(&engine, &x, norm, y));
        assert!(relative_error(&half, &expected) < HALF);
        let x: Vec<f32> = x.iter().map(|value| value.to_f32()).collect();
        let single = vec_of(x.len(), |y| layer_norm(&engine, &x, norm, y));
        assert!(relative_error(&single, &expected) < SINGLE);
    }
}

#[test]
fn shifted_layer_norms_match_their_definition() {
    for engine in engines(2) {
        // Some images end within a task's strip, and some strips end within an image.
        let (images, rows, channels) = if cfg!(miri) { (3, 150, 75) } else { (5, 140, 75) };
        let (weight, bias): (Vec<f32>, Vec<f32>) = (random(channels, 2), random(channels, 3));
        let norm = Norm { weight: &weight, bias: &bias, eps: 1e-5 };
        let shift: Vec<f32> = random(images * channels, 4);
        let x: Vec<f32> = random(images * rows * channels, 1);
        let shifted: Vec<f64> = wide(&x)
            .iter()
            .enumerate()
            .map(|(index, value)| value + f64::from(shift[index / (rows * channels) * channels + index % channels]))
            .collect();
        let expected: Vec<f64> = shifted
            .chunks(channels)
            .flat_map(|row| normal(row, 1e-5))
            .enumerate()
            .map(|(index, value)| value * f64::from(weight[index % channels]) + f64::from(bias[index % channels]))
            .collect();
        let y = vec_of(x.len(), |y| layer_norm_shifted(&engine, &x, &shift, norm, y));
        assert!(relative_error(&y, &expected) < SINGLE);
    }
}

#[test]
fn activations_match_their_definition() {
    for engine in engines(2) {
        for activation in [Activation::Silu, Activation::Gelu, Activation::QuickGelu] {
            // Under Miri one of them takes two strips.
            let count = match activation {
                _ if !cfg!(miri) => 40_000,
                Activation::Silu => 17_000,
                Activation::Gelu | Activation::QuickGelu => 300,
            };
            let x: Vec<f32> = random::<f32>(count, 1).into_iter().map(|value| value * 4.0).collect();
            let function = |x: f64| match activation {
                Activation::Silu => x / (1.0 + (-x).exp()),
                Activation::Gelu => gelu(x),
                Activation::QuickGelu => x / (1.0 + (-1.702 * x).exp()),
            };
            let expected: Vec<f64> = wide(&x).into_iter().map(function).collect();
            let y = vec_of(x.len(), |y| activate(&engine, &x, activation, y));
            assert!(relative_error(&y, &expected) < SINGLE, "{activation:?}");
        }
    }
}
