//! Operands and results: how long they are, memory that need not hold anything yet, and pointers that tasks share.
//!
//! Every kernel writes every element of its output, so nobody fills it with zeros first: on large activations that would cost as much
//! as a norm.

use std::mem::MaybeUninit;

/// A vector of `len` elements that `fill` writes. A kernel proves that it has written its output by giving it back.
///
/// # Panics
/// If what `fill` gives back is not all of what it was given.
pub fn vec_of<T: Copy>(len: usize, fill: impl for<'y> FnOnce(&'y mut [MaybeUninit<T>]) -> &'y mut [T]) -> Vec<T> {
    let mut vec = Vec::with_capacity(len);
    let room = &mut vec.spare_capacity_mut()[..len];
    let expected = (room.as_ptr().cast::<T>(), len);
    let written = fill(room);
    assert_eq!((written.as_ptr(), written.len()), expected, "an output is given back whole");
    // SAFETY: `written` is a slice of initialised elements, and it is the first `len` of the vector's room.
    unsafe { vec.set_len(len) };
    vec
}

/// The same memory, once every element is written.
///
/// # Safety
/// Every element is.
pub(crate) unsafe fn written<T>(y: &mut [MaybeUninit<T>]) -> &mut [T] {
    // SAFETY: as the caller vouches; the two types have one layout.
    unsafe { &mut *(std::ptr::from_mut(y) as *mut [T]) }
}

/// An output of zeros.
pub(crate) fn zeros<T: Copy + Default>(y: &mut [MaybeUninit<T>]) -> &mut [T] {
    for value in y.iter_mut() {
        value.write(T::default());
    }
    // SAFETY: just now.
    unsafe { written(y) }
}

/// The product of extents.
///
/// # Panics
/// If it overflows: nothing in memory has such extents.
pub(crate) fn volume<const N: usize>(extents: [usize; N]) -> usize {
    extents.into_iter().try_fold(1_usize, usize::checked_mul).unwrap_or_else(|| panic!("extents {extents:?} overflow"))
}

/// A pointer that tasks share; each writes a part of its own.
#[derive(Clone, Copy)]
pub(crate) struct SendPtr<T>(pub(crate) *mut T);

impl<T> SendPtr<T> {
    /// The pointer; a closure that calls this captures the whole, which may cross threads.
    pub(crate) fn get(&self) -> *mut T {
        self.0
    }
}

// SAFETY: whoever dereferences it says why parts do not overlap.
unsafe impl<T> Send for SendPtr<T> {}
// SAFETY: as above.
unsafe impl<T> Sync for SendPtr<T> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vector_is_what_was_written() {
        assert_eq!(vec_of::<u8>(3, |y| zeros(y)), [0; 3]);
        assert!(vec_of::<f32>(0, |y| zeros(y)).is_empty());
        assert!(std::panic::catch_unwind(|| vec_of::<u8>(2, |y| zeros(&mut y[..1]))).is_err());
    }
}
