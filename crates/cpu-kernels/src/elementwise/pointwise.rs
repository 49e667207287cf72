//! Functions of one number, free of calls and branches so that the compiler vectorises them.

use std::mem::MaybeUninit;

use super::{element::Element, vector::vectorised};
use crate::runtime::{Engine, SendPtr, share, written};

/// Most elements of a task, and least.
const STRIP: usize = 1 << 14;
const LEAST: usize = 1 << 11;

/// A function of one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// x * sigmoid(x).
    Silu,
    /// x * Phi(x), with the exact error function.
    Gelu,
    /// x * sigmoid(1.702 x).
    QuickGelu,
}

/// y = activation(x), element by element.
///
/// # Panics
/// If the lengths differ.
pub fn activate<'y, T: Element>(engine: &Engine, x: &[T], activation: Activation, y: &'y mut [MaybeUninit<T>]) -> &'y mut [T] {
    match activation {
        Activation::Silu => map(engine, x, y, silu),
        Activation::Gelu => map(engine, x, y, gelu),
        Activation::QuickGelu => map(engine, x, y, quick_gelu),
    }
}

/// Generic over the function, so that each is inlined into its own loop.
fn map<'y, T: Element>(engine: &Engine, x: &[T], y: &'y mut [MaybeUninit<T>], function: impl Fn(f32) -> f32 + Sync) -> &'y mut [T] {
    assert_eq!(x.len(), y.len(), "an activation's result");
    let results = SendPtr(y.as_mut_ptr());
    let strip = share(x.len(), 1, LEAST, STRIP);
    engine.pool().run(x.len().div_ceil(strip), |task| {
        let (at, count) = (task * strip, strip.min(x.len() - task * strip));
        // SAFETY: only this task writes this part of y.
        let to = unsafe { std::slice::from_raw_parts_mut(results.get().add(at), count) };
        vectorised(
            engine.level(),
            #[inline(always)]
            || to.iter_mut().zip(&x[at..at + count]).for_each(|(to, from)| _ = to.write(T::narrow(function(from.widen())))),
        );
    });
    // SAFETY: the strips cover x.
    unsafe { written(y) }
}

/// e^x to about 2 units in the last place; about 1e-38 far below zero, large but finite above 88.
#[inline(always)]
pub(crate) fn exp(x: f32) -> f32 {
    // Adding 1.5 * 2^23 rounds to an integer and leaves it in the low bits.
    const ROUND: f32 = 12_582_912.0;
    const LN2_HIGH: f32 = 0.693_359_4;
    const LN2_LOW: f32 = -2.121_944_4e-4;
    let x = x.clamp(-87.3, 88.3);
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = (x - n * LN2_HIGH) - n * LN2_LOW;
    // The Taylor series: |r| <= ln 2 / 2, so the first omitted term is below 6e-9.
    let p = 1.0 + r * (1.0 + r * (0.5 + r * (1.0 / 6.0 + r * (1.0 / 24.0 + r * (1.0 / 120.0 + r * (1.0 / 720.0 + r * (1.0 / 5040.0)))))));
    p * f32::from_bits(shifted.to_bits().wrapping_add(127) << 23)
}

/// x * sigmoid(x).
#[inline(always)]
pub(crate) fn silu(x: f32) -> f32 {
    x / (1.0 + exp(-x))
}

/// x, or 0 where it is negative; NaN stays NaN, which `max` would not keep.
#[inline(always)]
pub(crate) fn relu(x: f32) -> f32 {
    if x < 0.0 { 0.0 } else { x }
}

/// x, or its product with `slope` where it is negative; NaN stays NaN.
#[inline(always)]
pub(crate) fn leaky(x: f32, slope: f32) -> f32 {
    if x < 0.0 { slope * x } else { x }
}

/// x * sigmoid(1.702 x).
#[inline(always)]
fn quick_gelu(x: f32) -> f32 {
    x / (1.0 + exp(-1.702 * x))
}

/// The error function to about 3e-7: a rational minimax approximation, odd in x, saturated beyond 4.
#[inline(always)]
fn erf(x: f32) -> f32 {
    let x = x.clamp(-4.0, 4.0);
    let t = x * x;
    let p = -2.726_142_3e-10;
    let p = p * t + 2.770_681_4e-8;
    let p = p * t - 2.101_024e-6;
    let p = p * t - 5.692_506_6e-5;
    let p = p * t - 7.349_906_3e-4;
    let p = p * t - 2.954_6e-3;
    let p = p * t - 1.609_603_4e-2;
    let q = -1.456_607_2e-5;
    let q = q * t - 2.133_740_6e-4;
    let q = q * t - 1.682_827e-3;
    let q = q * t - 7.373_329e-3;
    let q = q * t - 1.426_474e-2;
    x * p / q
}

/// x * Phi(x), to about 3e-7 of x.
#[inline(always)]
pub(crate) fn gelu(x: f32) -> f32 {
    0.5 * x * (1.0 + erf(x * std::f32::consts::FRAC_1_SQRT_2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_matches_the_standard_library() {
        for i in -8700..8800 {
            let x = i as f32 / 100.0;
            let exact = f64::from(x).exp();
            assert!((f64::from(exp(x)) / exact - 1.0).abs() < 3e-7, "exp({x})");
        }
        assert!(exp(f32::NEG_INFINITY) < 1e-37 && exp(-1000.0) < 1e-37 && exp(1000.0).is_finite() && exp(f32::NAN).is_nan());
    }

    #[test]
    fn erf_matches_its_series() {
        // erf(x) = 2 / sqrt(pi) * sum of (-1)^n x^(2n+1) / (n! (2n+1)), in f64.
        for i in -400..=400 {
            let x = f64::from(i) / 100.0;
            let (mut term, mut sum) = (x, x);
            for n in 1..120 {
                term *= -x * x / f64::from(n);
                sum += term / f64::from(2 * n + 1);
            }
            let exact = sum * std::f64::consts::FRAC_2_SQRT_PI;
            assert!((f64::from(erf(x as f32)) - exact).abs() < 4e-7, "erf({x}) = {exact}, found {}", erf(x as f32));
        }
    }
}
