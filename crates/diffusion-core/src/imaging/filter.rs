//! Pillow's resampling kernels.
//!
//! This module must not depend on images. Follows Pillow's `libImaging/Resample.c`.

/// A resampling filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filter {
    /// `Image.Resampling.BICUBIC`, with Keys' a = -0.5.
    Bicubic,
    /// `Image.Resampling.LANCZOS`, with three lobes.
    Lanczos,
}

/// Pillow's coefficient for the bicubic kernel.
const CUBIC_A: f64 = -0.5;

impl Filter {
    /// The kernel's half-width in source pixels, if the image is not downscaled.
    pub(super) fn support(self) -> f64 {
        match self {
            Self::Bicubic => 2.0,
            Self::Lanczos => 3.0,
        }
    }

    /// The weight of a source pixel at this distance, before weights are normalised to a sum of one.
    pub(super) fn weight(self, x: f64) -> f64 {
        match self {
            Self::Bicubic => cubic(x.abs()),
            Self::Lanczos if (-3.0..3.0).contains(&x) => sinc(x) * sinc(x / 3.0),
            Self::Lanczos => 0.0,
        }
    }
}

fn cubic(x: f64) -> f64 {
    if x < 1.0 {
        ((CUBIC_A + 2.0) * x - (CUBIC_A + 3.0)) * x * x + 1.0
    } else if x < 2.0 {
        (((x - 5.0) * x + 8.0) * x - 4.0) * CUBIC_A
    } else {
        0.0
    }
}

fn sinc(x: f64) -> f64 {
    if x == 0.0 {
        return 1.0;
    }
    let x = x * std::f64::consts::PI;
    x.sin() / x
}
