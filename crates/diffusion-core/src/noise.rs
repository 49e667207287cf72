//! Seeded normal noise on the host: the stream of torch's CPU generator, so that a seed gives the same image as in diffusers.
//!
//! This module does not depend on models, schedulers or devices: it fills f32 tensors in NCHW order on the CPU, which the caller converts
//! and moves. Invariant: successive draws continue one stream exactly as torch.randn with one generator does, including the cached second
//! normal of small draws.
//!
//! Reference: torch's `ATen/core/MT19937RNGEngine.h`, `ATen/core/DistributionsHelper.h` and `ATen/native/cpu/DistributionTemplates.h`. From
//! 16 elements on, torch fills in blocks of 16 with the Cephes polynomials for logarithm, sine and cosine in f32 (the variant that runs on
//! every x86 processor since 2013); they are reimplemented here with the same fused multiply-adds, so the values agree to the last bit.

use std::f64::consts::PI;

use candle_core::{Device, Tensor};

use crate::Result;

/// A stream of seeded noise: torch's `torch.Generator('cpu').manual_seed(seed)`.
#[derive(Debug, Clone)]
pub struct SeededNoise {
    engine: Mt19937,
    /// The second normal of the last scalar Box-Muller pair, if not yet returned.
    cached: Option<f64>,
}

impl SeededNoise {
    /// A stream that starts at `seed`. Like torch's, its engine uses only the low 32 bits.
    pub fn new(seed: u64) -> Self {
        Self { engine: Mt19937::new((seed & 0xffff_ffff) as u32), cached: None }
    }

    /// The next standard normal numbers as an f32 tensor of this shape on the CPU: `torch.randn(shape, generator=g)`.
    ///
    /// # Errors
    /// [`crate::Error::Candle`] if the tensor cannot be created.
    pub fn randn(&mut self, shape: &[usize]) -> Result<Tensor> {
        let values = self.randn_vec(shape.iter().product());
        Ok(Tensor::from_vec(values, shape, &Device::Cpu)?)
    }

    /// The next `count` standard normal numbers, drawn as by one `torch.randn` call of that many elements.
    pub fn randn_vec(&mut self, count: usize) -> Vec<f32> {
        if count < BLOCK {
            return (0..count).map(|_| self.next_scalar() as f32).collect();
        }
        let mut values: Vec<f32> = (0..count).map(|_| self.engine.next_unit_f32()).collect();
        for block in values.as_chunks_mut::<BLOCK>().0 {
            box_muller_block(block);
        }
        if !count.is_multiple_of(BLOCK) {
            // Torch redraws the last 16, overwriting those of the last whole block that they overlap.
            if let Some(last) = values.last_chunk_mut::<BLOCK>() {
                last.iter_mut().for_each(|value| *value = self.engine.next_unit_f32());
                box_muller_block(last);
            }
        }
        values
    }

    /// One normal number in f64 from a pair of f64 uniforms; the pair's other half is cached for the next call.
    fn next_scalar(&mut self) -> f64 {
        if let Some(cached) = self.cached.take() {
            return cached;
        }
        let u1 = self.engine.next_unit_f64();
        let u2 = self.engine.next_unit_f64();
        let radius = (-2.0 * (-u2).ln_1p()).sqrt();
        let theta = 2.0 * PI * u1;
        self.cached = Some(radius * theta.sin());
        radius * theta.cos()
    }
}

/// Elements of one block of the vector path; smaller draws take the scalar path.
const BLOCK: usize = 16;

/// Turns 16 uniforms of [0, 1) into 16 normals: element j pairs with element j + 8.
fn box_muller_block(block: &mut [f32; BLOCK]) {
    let (firsts, seconds) = block.split_at_mut(BLOCK / 2);
    for (first, second) in firsts.iter_mut().zip(seconds) {
        let radius = (-2.0 * ln(1.0 - *first)).sqrt();
        let (sin, cos) = sin_cos((2.0 * PI) as f32 * *second);
        *first = radius * cos;
        *second = radius * sin;
    }
}

/// The natural logarithm of a normal positive f32 by Cephes' polynomial.
fn ln(x: f32) -> f32 {
    const P: [f32; 8] =
        [-1.151_461e-1, 1.167_699_84e-1, -1.242_014_1e-1, 1.424_932_3e-1, -1.666_805_8e-1, 2.000_071_4e-1, -2.499_999_4e-1, 3.333_333e-1];
    const LN2_LOW: f32 = -2.121_944_4e-4;
    const LN2_HIGH: f32 = 0.693_359_4;
    let bits = x.to_bits();
    let mut exponent = ((bits >> 23) as i32 - 126) as f32;
    let mantissa = f32::from_bits((bits & 0x007f_ffff) | 0x3f00_0000);
    let x = if mantissa < std::f32::consts::FRAC_1_SQRT_2 {
        exponent -= 1.0;
        mantissa - 1.0 + mantissa
    } else {
        mantissa - 1.0
    };
    let z = x * x;
    let polynomial = P.iter().fold(7.037_683_6e-2_f32, |y, &coefficient| y.mul_add(x, coefficient));
    let y = (polynomial * x).mul_add(z, exponent * LN2_LOW);
    let y = (-z).mul_add(0.5, y);
    exponent.mul_add(LN2_HIGH, x + y)
}

/// Sine and cosine of an angle of [0, 2 pi] by Cephes' polynomials.
fn sin_cos(angle: f32) -> (f32, f32) {
    // pi / 4 in three parts, subtracted one after the other.
    const MINUS_QUARTER_PI: [f32; 3] = [-0.785_156_25, -2.418_756_5e-4, -3.774_895e-8];
    let octant = ((angle * (4.0 / PI) as f32) as i32 + 1) & !1;
    let x = MINUS_QUARTER_PI.iter().fold(angle, |x, &part| (octant as f32).mul_add(part, x));
    let z = x * x;
    let cos = 2.443_315_7e-5_f32.mul_add(z, -1.388_731_6e-3).mul_add(z, 4.166_664_6e-2);
    let cos = (cos * z).mul_add(z, -(z * 0.5)) + 1.0;
    let sin = (-1.951_529_6e-4_f32).mul_add(z, 8.332_161e-3).mul_add(z, -1.666_665_5e-1);
    let sin = (sin * z).mul_add(x, x);
    let (sin, cos) = if octant & 2 == 0 { (sin, cos) } else { (cos, sin) };
    (if octant & 4 == 0 { sin } else { -sin }, if (octant - 2) & 4 == 0 { -cos } else { cos })
}

/// Words of the Mersenne twister's state.
const STATE: usize = 624;

/// The Mersenne twister MT19937 (Matsumoto and Nishimura, 1998), seeded from one 32-bit word.
#[derive(Clone)]
struct Mt19937 {
    state: [u32; STATE],
    next: usize,
}

impl std::fmt::Debug for Mt19937 {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Mt19937").field("next", &self.next).finish_non_exhaustive()
    }
}

impl Mt19937 {
    fn new(seed: u32) -> Self {
        let mut state = [0; STATE];
        let mut word = seed;
        for (index, slot) in state.iter_mut().enumerate() {
            if index > 0 {
                word = 1_812_433_253_u32.wrapping_mul(word ^ (word >> 30)).wrapping_add(index as u32);
            }
            *slot = word;
        }
        Self { state, next: STATE }
    }

    fn next_u32(&mut self) -> u32 {
        if self.next == STATE {
            self.refill();
        }
        let mut word = self.state[self.next];
        self.next += 1;
        word ^= word >> 11;
        word ^= (word << 7) & 0x9d2c_5680;
        word ^= (word << 15) & 0xefc6_0000;
        word ^ (word >> 18)
    }

    fn refill(&mut self) {
        for index in 0..STATE {
            let mixed = (self.state[index] & 0x8000_0000) | (self.state[(index + 1) % STATE] & 0x7fff_ffff);
            let twist = if mixed & 1 == 0 { 0 } else { 0x9908_b0df };
            self.state[index] = self.state[(index + 397) % STATE] ^ (mixed >> 1) ^ twist;
        }
        self.next = 0;
    }

    /// Uniform in [0, 1) from the low 24 bits of one word.
    fn next_unit_f32(&mut self) -> f32 {
        (self.next_u32() & 0x00ff_ffff) as f32 * (1.0 / 16_777_216.0)
    }

    /// Uniform in [0, 1) from the low 53 bits of two words, the first drawn the higher.
    fn next_unit_f64(&mut self) -> f64 {
        let high = u64::from(self.next_u32());
        let low = u64::from(self.next_u32());
        (((high << 32) | low) & ((1 << 53) - 1)) as f64 * (1.0 / 9_007_199_254_740_992.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ten_thousandth_word_is_the_standards() {
        // C++11 [rand.predef]: the 10000th invocation of a default-seeded (5489) mt19937.
        let mut engine = Mt19937::new(5489);
        let word = (0..10_000).map(|_| engine.next_u32()).last();
        assert_eq!(word, Some(4_123_659_995));
    }

    #[test]
    fn only_the_low_32_bits_of_a_seed_count() {
        assert_eq!(SeededNoise::new(5).randn_vec(100), SeededNoise::new((1 << 40) + 5).randn_vec(100));
    }

    #[test]
    fn an_empty_draw_does_not_advance_the_stream() {
        let mut noise = SeededNoise::new(1);
        assert!(noise.randn_vec(0).is_empty());
        assert_eq!(noise.randn_vec(20), SeededNoise::new(1).randn_vec(20));
    }
}
