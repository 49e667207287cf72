//! The quantile function of the beta distribution by which `-beta` sigmas are spaced.
//!
//! This module does not depend on schedulers. Invariant: as exact as f64 allows. Reference: Abramowitz and Stegun 26.5.4 (the series of the
//! incomplete beta function); scipy's `scipy.stats.beta.ppf`, which diffusers calls.

/// The quantile function of the beta distribution B(0.6, 0.6): `scipy.stats.beta.ppf(p, 0.6, 0.6)`, to about 1e-14.
pub(super) fn beta_quantile(p: f64) -> f64 {
    if p <= 0.0 {
        return 0.0;
    }
    // The distribution is symmetric about 1/2.
    if p > 0.5 {
        return 1.0 - beta_quantile(1.0 - p);
    }
    const A: f64 = 0.6;
    /// Euler's beta function B(0.6, 0.6).
    const BETA: f64 = 2.415_344_208_002_472_3;
    // x^a (1/a + sum over n of (1-a)(2-a)..(n-a) / n! * x^n / (a + n)), whose terms shrink by at least half.
    let cumulative = |x: f64| {
        let (mut term, mut sum) = (1.0, 1.0 / A);
        for n in 1..64 {
            term *= (f64::from(n) - A) / f64::from(n) * x;
            sum += term / (A + f64::from(n));
        }
        x.powf(A) * sum / BETA
    };
    // The density decreases towards 1/2, so Newton's steps from the left of the root never pass 1/2 and converge within a few.
    let mut x = (p * A * BETA).powf(1.0 / A).min(0.5);
    for _ in 0..50 {
        let density = (x * (1.0 - x)).powf(A - 1.0) / BETA;
        let step = (cumulative(x) - p) / density;
        x = (x - step).clamp(x / 8.0, 0.5);
        if step.abs() <= 1e-16 * x {
            break;
        }
    }
    x
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beta_quantiles_match_scipy() {
        // scipy.stats.beta.ppf(p, 0.6, 0.6)
        let known = [
            (0.1, 0.039_584_405_588_780_85),
            (0.3, 0.234_017_003_875_235_72),
            (0.5, 0.5),
            (0.9, 0.960_415_594_411_219_2),
            (0.99, 0.999_138_761_178_457_1),
        ];
        for (p, expected) in known {
            assert!((beta_quantile(p) - expected).abs() < 2e-15, "{p}: {} {expected}", beta_quantile(p));
        }
        assert_eq!((beta_quantile(0.0), beta_quantile(1.0)), (0.0, 1.0));
    }
}
