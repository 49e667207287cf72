//! Operands and results: their lengths, uninitialised output memory, and pointers that tasks share.
//!
//! Every kernel writes every element of its output, so outputs are not zeroed first: for large activations that would cost as much as a
//! norm.

use std::mem::MaybeUninit;

use super::Engine;

/// Makes a vector of `len` elements that `fill` writes. A kernel proves that it has written its output by returning it.
///
/// # Panics
/// If `fill` does not return exactly the slice that it was given.
pub fn vec_of<T: Copy>(len: usize, fill: impl for<'y> FnOnce(&'y mut [MaybeUninit<T>]) -> &'y mut [T]) -> Vec<T> {
    let mut vec = Vec::with_capacity(len);
    let spare = &mut vec.spare_capacity_mut()[..len];
    let expected = (spare.as_ptr().cast::<T>(), len);
    let written = fill(spare);
    assert_eq!((written.as_ptr(), written.len()), expected, "an output is given back whole");
    // SAFETY: `written` is a slice of initialised elements, and it is the first `len` of the vector's capacity.
    unsafe { vec.set_len(len) };
    vec
}

/// Elements of a task of [`vec_in_strips`]: 64 KiB of f32.
const STRIP: usize = 1 << 14;

/// Makes a vector of `len` elements in parallel: `fill` gets the index of each strip's first element, and the strip, which is zero.
pub fn vec_in_strips<T: Copy + Default + Send>(engine: &Engine, len: usize, fill: impl Fn(usize, &mut [T]) + Sync) -> Vec<T> {
    vec_of(len, |y| {
        let results = SendPtr(y.as_mut_ptr());
        engine.pool().run(len.div_ceil(STRIP), |task| {
            let start = task * STRIP;
            // SAFETY: only this task writes this part of y.
            let strip = unsafe { std::slice::from_raw_parts_mut(results.get().add(start), STRIP.min(len - start)) };
            // Costs little, because the strip stays in the cache; and `fill` then cannot leave anything uninitialised.
            fill(start, zeros(strip));
        });
        // SAFETY: the strips cover y.
        unsafe { written(y) }
    })
}

/// Asserts that every element of `y` has been written.
///
/// # Safety
/// Every element is initialised.
pub(crate) unsafe fn written<T>(y: &mut [MaybeUninit<T>]) -> &mut [T] {
    // SAFETY: guaranteed by the caller; both types have the same layout.
    unsafe { &mut *(std::ptr::from_mut(y) as *mut [T]) }
}

/// Fills an output with zeros.
pub(crate) fn zeros<T: Copy + Default>(y: &mut [MaybeUninit<T>]) -> &mut [T] {
    for value in y.iter_mut() {
        value.write(T::default());
    }
    // SAFETY: every element was written above.
    unsafe { written(y) }
}

/// The product of dimensions.
///
/// # Panics
/// If it overflows: nothing in memory can have such dimensions.
pub(crate) fn volume<const N: usize>(extents: [usize; N]) -> usize {
    extents.into_iter().try_fold(1_usize, usize::checked_mul).unwrap_or_else(|| panic!("extents {extents:?} overflow"))
}

/// A pointer that tasks share; each task writes its own part.
#[derive(Clone, Copy)]
pub(crate) struct SendPtr<T>(pub(crate) *mut T);

impl<T> SendPtr<T> {
    /// The pointer. A closure that calls this captures the whole struct, which is Send and Sync, rather than the pointer field.
    pub(crate) fn get(&self) -> *mut T {
        self.0
    }
}

// SAFETY: each dereference states why the tasks' parts do not overlap.
unsafe impl<T> Send for SendPtr<T> {}
// SAFETY: as above.
unsafe impl<T> Sync for SendPtr<T> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strips_cover_a_vector() {
        let engine = Engine::new(2, crate::Level::Portable);
        for len in [0, 1, STRIP, STRIP + 1, 3 * STRIP - 1] {
            let made = vec_in_strips(&engine, len, |start, strip: &mut [usize]| {
                assert!(strip.iter().all(|value| *value == 0));
                (start..).zip(strip).for_each(|(index, value)| *value = index);
            });
            assert!(made.iter().copied().eq(0..len), "{len}");
        }
    }

    #[test]
    fn a_vector_holds_the_written_elements() {
        assert_eq!(vec_of::<u8>(3, |y| zeros(y)), [0; 3]);
        assert!(vec_of::<f32>(0, |y| zeros(y)).is_empty());
        assert!(std::panic::catch_unwind(|| vec_of::<u8>(2, |y| zeros(&mut y[..1]))).is_err());
    }
}
