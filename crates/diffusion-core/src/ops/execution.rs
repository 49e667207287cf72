//! Thread-local switches of the layers' execution, and a counter of their operations, for tests and measurements.
//!
//! Models are unaware of this: they run as usual inside [`portable`] or [`counting`]. Invariant: both apply to the calling thread and for
//! the duration of the call only, even if it panics.

use std::{cell::Cell, thread::LocalKey};

use candle_core::Device;

thread_local! {
    static PORTABLE: Cell<bool> = const { Cell::new(false) };
    static SHAPES_ONLY: Cell<bool> = const { Cell::new(false) };
    static FLOPS: Cell<u64> = const { Cell::new(0) };
}

/// Runs `run` with the portable execution of every layer, whatever the device: the reference that the fast executions are tested against.
pub fn portable<R>(run: impl FnOnce() -> R) -> R {
    with_switch(&PORTABLE, run)
}

/// Runs `run`, in which loaded layers keep no weights: for checking whether a model would load without running it.
pub(crate) fn shapes_only<R>(run: impl FnOnce() -> R) -> R {
    with_switch(&SHAPES_ONLY, run)
}

fn with_switch<R>(switch: &'static LocalKey<Cell<bool>>, run: impl FnOnce() -> R) -> R {
    struct Restore(&'static LocalKey<Cell<bool>>, bool);
    impl Drop for Restore {
        fn drop(&mut self) {
            self.0.set(self.1);
        }
    }
    let _restore = Restore(switch, switch.replace(true));
    run()
}

/// Runs `run` and counts the floating-point operations of its matrix products: linear layers, convolutions and attention, a multiplication
/// and an addition each, by the layers' definition (a kernel may need fewer). Everything else in a diffusion model is small compared to
/// them.
pub fn counting<R>(run: impl FnOnce() -> R) -> (R, u64) {
    let before = FLOPS.get();
    let result = run();
    (result, FLOPS.get().wrapping_sub(before))
}

/// Whether a layer's operands on `device` use the CPU's own execution.
pub(super) fn is_cpu(device: &Device) -> bool {
    device.is_cpu() && !PORTABLE.get()
}

/// Whether only a weight's shape is needed.
pub(super) fn is_shapes_only() -> bool {
    SHAPES_ONLY.get()
}

/// Counts a product of matrices [rows, inner] and [inner, columns].
pub(super) fn count_product(rows: usize, inner: usize, columns: usize) {
    let flops = [rows, inner, columns].into_iter().fold(2_u64, |product, extent| product.wrapping_mul(extent as u64));
    FLOPS.set(FLOPS.get().wrapping_add(flops));
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use candle_core::{DType, Tensor};

    use super::*;
    use crate::ops::{AttentionParams, Linear, attention};

    #[test]
    fn portable_applies_only_during_its_call() {
        assert!(is_cpu(&Device::Cpu));
        assert!(!portable(|| is_cpu(&Device::Cpu)));
        assert!(std::panic::catch_unwind(|| portable(|| std::panic::resume_unwind(Box::new(())))).is_err());
        assert!(is_cpu(&Device::Cpu));
    }

    #[test]
    fn products_are_counted() {
        let ones = |dims: &[usize]| Tensor::ones(dims, DType::F32, &Device::Cpu).unwrap();
        let linear = Linear::new(&ones(&[5, 3]), None).unwrap();
        let (result, flops) = counting(|| linear.forward(&ones(&[2, 7, 3])));
        assert_eq!((result.unwrap().dims(), flops), (&[2, 7, 5][..], 2 * 14 * 3 * 5));
        let params = AttentionParams { heads: 2, causal: false, upcast: false };
        let (result, flops) = counting(|| attention(&ones(&[1, 6, 4]), &ones(&[1, 9, 4]), &ones(&[1, 9, 4]), params));
        assert_eq!((result.unwrap().dims(), flops), (&[1, 6, 4][..], 2 * 2 * 6 * 9 * 4));
    }
}
