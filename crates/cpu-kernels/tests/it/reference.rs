//! The definitions, in f64, and random numbers.

use cpu_kernels::{AttentionShape, ConvShape, Element, TemporalShape};

/// Reproducible numbers in -1..1.
pub(crate) fn random<T: Element>(count: usize, seed: u64) -> Vec<T> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        T::narrow(((state >> 40) as f32 / (1_u64 << 23) as f32) - 1.0)
    };
    (0..count).map(|_| next()).collect()
}

/// A random number below `limit`; advances the seed.
pub(crate) fn below(seed: &mut u64, limit: usize) -> usize {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*seed >> 33) as usize % limit
}

pub(crate) fn wide<T: Element>(values: &[T]) -> Vec<f64> {
    values.iter().map(|value| f64::from(value.widen())).collect()
}

/// The norm of the difference over the norm of the expected values.
pub(crate) fn relative_error<T: Element>(found: &[T], expected: &[f64]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let difference: f64 = wide(found).iter().zip(expected).map(|(a, b)| (a - b).powi(2)).sum();
    let norm: f64 = expected.iter().map(|value| value.powi(2)).sum();
    if difference == 0.0 { 0.0 } else { (difference / norm).sqrt() }
}

/// Convolution of x [images, height, width, inputs] with w [outputs, inputs, taps].
pub(crate) fn conv2d(x: &[f64], w: &[f64], shape: &ConvShape, inputs: usize, outputs: usize) -> Vec<f64> {
    let (height, width) = shape.output;
    let (tall, wide) = shape.kernel;
    let mut y = Vec::with_capacity(shape.images * height * width * outputs);
    for image in 0..shape.images {
        for (oy, ox) in (0..height).flat_map(|oy| (0..width).map(move |ox| (oy, ox))) {
            for output in 0..outputs {
                let mut sum = 0.0;
                for (ky, kx) in (0..tall).flat_map(|ky| (0..wide).map(move |kx| (ky, kx))) {
                    let (iy, ix) = (oy * shape.stride + ky, ox * shape.stride + kx);
                    let (Some(iy), Some(ix)) = (iy.checked_sub(shape.pad.0), ix.checked_sub(shape.pad.1)) else { continue };
                    if iy >= shape.enlarged.0 || ix >= shape.enlarged.1 {
                        continue;
                    }
                    let (iy, ix) = (iy * shape.input.0 / shape.enlarged.0, ix * shape.input.1 / shape.enlarged.1);
                    let pixel = ((image * shape.input.0 + iy) * shape.input.1 + ix) * inputs;
                    for input in 0..inputs {
                        sum += x[pixel + input] * w[(output * inputs + input) * tall * wide + ky * wide + kx];
                    }
                }
                y.push(sum);
            }
        }
    }
    y
}

/// x * Phi(x), with the error function by its series.
pub(crate) fn gelu(x: f64) -> f64 {
    let z = x / std::f64::consts::SQRT_2;
    if z.abs() > 4.5 {
        // The error function is within 2e-10 of its limit here, and its series loses all digits.
        return x.max(0.0);
    }
    let (mut term, mut sum) = (z, z);
    for n in 1..200 {
        term *= -z * z / f64::from(n);
        sum += term / f64::from(2 * n + 1);
    }
    0.5 * x * (1.0 + sum * std::f64::consts::FRAC_2_SQRT_PI)
}

pub(crate) fn attention(query: &[f64], key: &[f64], value: &[f64], shape: &AttentionShape) -> Vec<f64> {
    let channels = shape.heads * shape.head_dim;
    let mut y = vec![0.0; query.len()];
    for (image, head, row) in (0..shape.images)
        .flat_map(|image| (0..shape.heads).map(move |head| (image, head)))
        .flat_map(|(image, head)| (0..shape.queries).map(move |row| (image, head, row)))
    {
        let at = (image * shape.queries + row) * channels + head * shape.head_dim;
        let place = |key: usize| (image * shape.keys + key) * channels + head * shape.head_dim;
        let seen = if shape.causal { shape.keys.min(row + 1) } else { shape.keys };
        let scores: Vec<f64> = (0..seen)
            .map(|k| (0..shape.head_dim).map(|d| query[at + d] * key[place(k) + d]).sum::<f64>() * f64::from(shape.scale))
            .collect();
        let largest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let weights: Vec<f64> = scores.iter().map(|score| (score - largest).exp()).collect();
        let total: f64 = weights.iter().sum();
        for d in 0..shape.head_dim {
            y[at + d] = (0..seen).map(|k| weights[k] * value[place(k) + d]).sum::<f64>() / total;
        }
    }
    y
}

/// Attention over each pixel's frames, as an attention with one image for each pixel.
pub(crate) fn temporal_attention(query: &[f64], key: &[f64], value: &[f64], shape: &TemporalShape) -> Vec<f64> {
    let TemporalShape { clips, frames, pixels, heads, head_dim, scale } = *shape;
    let channels = heads * head_dim;
    let place = |clip: usize, frame: usize, pixel: usize| ((clip * frames + frame) * pixels + pixel) * channels;
    let mut y = vec![0.0; query.len()];
    for (clip, pixel) in (0..clips).flat_map(|clip| (0..pixels).map(move |pixel| (clip, pixel))) {
        let gather =
            |from: &[f64]| -> Vec<f64> { (0..frames).flat_map(|frame| from[place(clip, frame, pixel)..][..channels].to_vec()).collect() };
        let one = AttentionShape { images: 1, queries: frames, keys: frames, heads, head_dim, scale, causal: false };
        let result = attention(&gather(query), &gather(key), &gather(value), &one);
        for (frame, result) in result.chunks(channels).enumerate() {
            y[place(clip, frame, pixel)..][..channels].copy_from_slice(result);
        }
    }
    y
}
