//! Resizes latents as `torch.nn.functional.interpolate` does, for images that are enlarged between two passes.
//!
//! This module must not depend on models. Invariant: results are torch's, up to the order of f32 sums.

use candle_core::{Device, Tensor};

use crate::Result;

/// How latents are resized; the names are AUTOMATIC1111's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LatentResize {
    /// `mode="bilinear"`.
    Bilinear,
    /// `mode="bilinear", antialias=True`.
    BilinearAntialiased,
    /// `mode="bicubic"`.
    Bicubic,
    /// `mode="bicubic", antialias=True`.
    BicubicAntialiased,
    /// `mode="nearest"`.
    Nearest,
    /// `mode="nearest-exact"`.
    NearestExact,
}

/// torch's coefficients of the bicubic kernel, without and with antialiasing.
const CUBIC_A: f64 = -0.75;
const ANTIALIASED_CUBIC_A: f64 = -0.5;

impl LatentResize {
    /// Every way, the default one first.
    pub const ALL: [Self; 6] =
        [Self::Bilinear, Self::BilinearAntialiased, Self::Bicubic, Self::BicubicAntialiased, Self::Nearest, Self::NearestExact];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bilinear => "Latent",
            Self::BilinearAntialiased => "Latent (antialiased)",
            Self::Bicubic => "Latent (bicubic)",
            Self::BicubicAntialiased => "Latent (bicubic antialiased)",
            Self::Nearest => "Latent (nearest)",
            Self::NearestExact => "Latent (nearest-exact)",
        }
    }

    /// The positions along an axis of `from` values that an output position is made of, with their weights.
    fn window(self, from: usize, to: usize, position: usize) -> Vec<(usize, f64)> {
        let (scale, last) = (from as f64 / to as f64, from.saturating_sub(1));
        let center = (position as f64 + 0.5) * scale;
        match self {
            Self::Nearest => vec![(((position as f64 * scale) as usize).min(last), 1.0)],
            Self::NearestExact => vec![((center as usize).min(last), 1.0)],
            Self::Bilinear => {
                let at = (center - 0.5).max(0.0);
                let first = (at as usize).min(last);
                let share = at - first as f64;
                vec![(first, 1.0 - share), ((first + 1).min(last), share)]
            }
            Self::Bicubic => {
                let at = center - 0.5;
                let first = at.floor();
                let taps = -1_i32..=2;
                taps.map(|tap| {
                    let place = first + f64::from(tap);
                    (place.clamp(0.0, last as f64) as usize, cubic((at - place).abs(), CUBIC_A))
                })
                .collect()
            }
            Self::BilinearAntialiased => antialiased(center, scale, from, 1.0, |x| (1.0 - x).max(0.0)),
            Self::BicubicAntialiased => antialiased(center, scale, from, 2.0, |x| cubic(x, ANTIALIASED_CUBIC_A)),
        }
    }
}

fn antialiased(center: f64, scale: f64, from: usize, radius: f64, kernel: impl Fn(f64) -> f64) -> Vec<(usize, f64)> {
    let wider = scale.max(1.0);
    let support = radius * wider;
    // A negative float becomes 0, which is the intended bound.
    let (start, end) = ((center - support + 0.5) as usize, ((center + support + 0.5) as usize).min(from));
    let weights: Vec<(usize, f64)> = (start..end).map(|x| (x, kernel(((x as f64 + 0.5 - center) / wider).abs()))).collect();
    let total: f64 = weights.iter().map(|(_, weight)| weight).sum();
    weights.into_iter().map(|(x, weight)| (x, weight / total)).collect()
}

fn cubic(x: f64, a: f64) -> f64 {
    if x < 1.0 {
        ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0
    } else if x < 2.0 {
        (((x - 5.0) * x + 8.0) * x - 4.0) * a
    } else {
        0.0
    }
}

/// Latents, [1, channels, height, width], f32 on the CPU, at another (height, width).
pub(super) fn resized(latents: &Tensor, (height, width): (usize, usize), way: LatentResize) -> Result<Tensor> {
    let (batch, channels, from_height, from_width) = latents.dims4()?;
    let values: Vec<f32> = latents.flatten_all()?.to_vec1()?;
    let across: Vec<_> = (0..width).map(|x| way.window(from_width, width, x)).collect();
    let down: Vec<_> = (0..height).map(|y| way.window(from_height, height, y)).collect();
    let mut resized = Vec::with_capacity(batch * channels * height * width);
    for plane in values.chunks_exact((from_height * from_width).max(1)) {
        let rows: Vec<Vec<f64>> =
            plane.chunks_exact(from_width.max(1)).map(|row| across.iter().map(|window| mixed(row, window)).collect()).collect();
        for window in &down {
            for x in 0..width {
                let sum: f64 = window.iter().filter_map(|(y, weight)| Some(rows.get(*y)?.get(x)? * weight)).sum();
                resized.push(sum as f32);
            }
        }
    }
    Ok(Tensor::from_vec(resized, (batch, channels, height, width), &Device::Cpu)?)
}

fn mixed(row: &[f32], window: &[(usize, f64)]) -> f64 {
    window.iter().filter_map(|(x, weight)| Some(f64::from(*row.get(*x)?) * weight)).sum()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn rows(values: &[f32], (height, width): (usize, usize), to: (usize, usize), way: LatentResize) -> Vec<f32> {
        let latents = Tensor::from_vec(values.to_vec(), (1, 1, height, width), &Device::Cpu).unwrap();
        resized(&latents, to, way).unwrap().flatten_all().unwrap().to_vec1().unwrap()
    }

    fn is_near(found: &[f32], expected: &[f32]) -> bool {
        found.len() == expected.len() && found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-5)
    }

    #[test]
    fn bilinear_is_torchs() {
        // The first two rows of the example in torch's documentation of Upsample; antialiasing changes nothing where nothing shrinks.
        let expected = [1.0, 1.25, 1.75, 2.0, 1.5, 1.75, 2.25, 2.5];
        for way in [LatentResize::Bilinear, LatentResize::BilinearAntialiased] {
            let found = rows(&[1.0, 2.0, 3.0, 4.0], (2, 2), (4, 4), way);
            assert!(is_near(&found[..8], &expected), "{found:?}");
        }
        // Two windows of three values with the weights 3, 3, 1 and 1, 3, 3.
        let small = rows(&[1.0, 2.0, 3.0, 4.0], (1, 4), (1, 2), LatentResize::BilinearAntialiased);
        assert!(is_near(&small, &[12.0 / 7.0, 23.0 / 7.0]), "{small:?}");
    }

    #[test]
    fn bicubic_is_torchs() {
        // torch 2.15: interpolate(arange(1, 17).view(1, 1, 4, 4), size=(8, 8), mode="bicubic", antialias=..), the first row.
        let values: Vec<f32> = (1_u8..=16).map(f32::from).collect();
        for (way, expected) in [
            (LatentResize::Bicubic, [0.472_656_25, 0.769_531_25, 1.246_093_8, 1.875, 2.281_25, 2.910_156_3, 3.386_718_8, 3.683_593_8]),
            (
                LatentResize::BicubicAntialiased,
                [0.558_823_47, 0.814_942, 1.356_982_3, 1.897_058_6, 2.397_058_7, 2.937_135, 3.479_175_6, 3.735_293_4],
            ),
        ] {
            let found = rows(&values, (4, 4), (8, 8), way);
            assert!(is_near(&found[..8], &expected), "{}: {:?}", way.name(), &found[..8]);
        }
    }

    #[test]
    fn nearest_takes_the_pixel_before_and_nearest_exact_the_closest() {
        let of = |way| rows(&[0.0, 1.0, 2.0, 3.0], (1, 4), (1, 6), way);
        assert_eq!(of(LatentResize::Nearest), [0.0, 0.0, 1.0, 2.0, 2.0, 3.0]);
        assert_eq!(of(LatentResize::NearestExact), [0.0, 1.0, 1.0, 2.0, 3.0, 3.0]);
    }

    #[test]
    fn an_equal_size_keeps_every_value() {
        let values: Vec<f32> = (0_u8..30).map(f32::from).collect();
        for way in LatentResize::ALL {
            assert!(is_near(&rows(&values, (5, 6), (5, 6), way), &values), "{}", way.name());
        }
    }
}
