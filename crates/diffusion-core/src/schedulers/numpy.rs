//! The few numpy functions whose exact rounding determines timesteps.
//!
//! This module does not depend on schedulers. Invariant: equal to numpy on x86 to the last bit, so that truncated timesteps fall on the
//! same side. Reference: `numpy/_core/function_base.py`, `multiarray/compiled_base.c` (interp) and `loops_exponent_log` (f32 log).

/// `np.linspace(start, stop, count)`, both ends included.
pub(super) fn linspace(start: f64, stop: f64, count: usize) -> Vec<f64> {
    let step = (stop - start) / (count as f64 - 1.0);
    let mut values: Vec<f64> = (0..count).map(|index| if index == 0 { start } else { index as f64 * step + start }).collect();
    if let [_, .., last] = values.as_mut_slice() {
        *last = stop;
    }
    values
}

/// `np.arange(start, 0, -step)`. As in numpy, rounding may make it one element longer than `start / step`.
pub(super) fn arange_down(start: f64, step: f64) -> Vec<f64> {
    let count = ((0.0 - start) / -step).ceil().max(0.0) as usize;
    let delta = (start - step) - start;
    (0..count).map(|index| start + index as f64 * delta).collect()
}

/// `np.interp(x, np.arange(len(values)), values)`.
pub(super) fn interp(x: f64, values: &[f32]) -> f64 {
    let below = x.floor().max(0.0) as usize;
    match (values.get(below), values.get(below + 1)) {
        (Some(&low), Some(&high)) if x > below as f64 => (f64::from(high) - f64::from(low)) * (x - below as f64) + f64::from(low),
        (Some(&low), _) => f64::from(low),
        (None, _) => values.last().copied().map_or(f64::NAN, f64::from),
    }
}

/// `np.log` of a positive normal f32.
pub(super) fn ln_f32(x: f32) -> f32 {
    const P: [f32; 6] = [2.589_979_2e-2, 3.808_837_7e-1, 1.480_000_6, 2.112_677_6, 1.0, 0.0];
    const Q: [f32; 6] = [5.875_095_3e-3, 1.546_476_4e-1, 9.864_943e-1, 2.453_006, 2.612_677_6, 1.0];
    let bits = x.to_bits();
    let mut exponent = (bits >> 23) as f32 - 127.0;
    let mut mantissa = f32::from_bits((bits & 0x007f_ffff) | 0x3f80_0000);
    if mantissa > std::f32::consts::SQRT_2 {
        mantissa *= 0.5;
        exponent += 1.0;
    }
    let y = mantissa - 1.0;
    let polynomial =
        |coefficients: &[f32; 6]| coefficients.iter().copied().reduce(|sum, coefficient| sum.mul_add(y, coefficient)).unwrap_or(0.0);
    exponent.mul_add(std::f32::consts::LN_2, polynomial(&P) / polynomial(&Q))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn linspace_ends_exactly_at_stop() {
        assert_eq!(linspace(0.0, 999.0, 1), [0.0]);
        assert_eq!(linspace(0.0, 999.0, 4), [0.0, 333.0, 666.0, 999.0]);
        assert!(linspace(0.0, 1.0, 0).is_empty());
    }

    #[test]
    fn arange_has_numpys_extra_element_at_61_steps() {
        assert_eq!(arange_down(1000.0, 1000.0 / 60.0).len(), 60);
        assert_eq!(arange_down(1000.0, 1000.0 / 61.0).len(), 62);
    }

    #[test]
    fn interp_clamps_at_both_ends() {
        let values = [1.0, 2.0, 4.0];
        assert_eq!([-1.0, 0.0, 0.5, 1.0, 1.5, 2.0, 7.0].map(|x| interp(x, &values)), [1.0, 1.0, 1.5, 2.0, 3.0, 4.0, 4.0]);
    }
}
