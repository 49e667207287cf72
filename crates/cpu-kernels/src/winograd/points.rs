//! The transforms into a convolution's basis and back: from a tile's pixels to points, and from points' sums to four outputs. See
//! [`super`].

use crate::{
    elementwise::{Element, put},
    product::{
        Basis, COLUMN, STEP_BYTES,
        block::{ROWS, SUM_STRIDE, SUMS},
    },
    runtime::Level,
};

/// Tiles that are multiplied together: the rows of a block.
pub(crate) const TILES: usize = 2 * ROWS;
/// Floats of one line of a block's outputs.
pub(crate) const LINE_FLOATS: usize = 2 * TILES * SUM_STRIDE;

/// Computes one tile's points: from its 16 or 9 pixels in row-major order, with `channels` each, to a row of `chunks` steps for each point,
/// the rows `point_bytes` apart.
///
/// # Safety
/// All pointers are valid for these sizes.
pub(crate) type Points<T> = unsafe fn(Basis, &[*const T; 16], channels: usize, chunks: usize, to: *mut u8, point_bytes: usize);

pub(crate) fn points_of<T: Element>(level: Level, bf16: bool) -> Points<T> {
    match (level, bf16) {
        (Level::Portable, _) => points_portable::<T>,
        #[cfg(target_arch = "x86_64")]
        (Level::Avx2, _) => points_avx2::<T>,
        #[cfg(target_arch = "x86_64")]
        (_, false) => avx512::points_single::<T>,
        #[cfg(target_arch = "x86_64")]
        (_, true) => avx512::points_half::<T>,
        #[cfg(not(target_arch = "x86_64"))]
        _ => points_portable::<T>,
    }
}

unsafe fn points_portable<T: Element>(
    basis: Basis,
    pixels: &[*const T; 16],
    channels: usize,
    chunks: usize,
    to: *mut u8,
    point_bytes: usize,
) {
    // SAFETY: guaranteed by the caller.
    unsafe { points_any(basis, pixels, channels, chunks, to, point_bytes) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn points_avx2<T: Element>(basis: Basis, pixels: &[*const T; 16], channels: usize, chunks: usize, to: *mut u8, point_bytes: usize) {
    // SAFETY: guaranteed by the caller.
    unsafe { points_any(basis, pixels, channels, chunks, to, point_bytes) }
}

/// Plain Rust; levels that use it multiply in f32.
#[inline(always)]
unsafe fn points_any<T: Element>(basis: Basis, pixels: &[*const T; 16], channels: usize, chunks: usize, to: *mut u8, point_bytes: usize) {
    const LANES: usize = STEP_BYTES / size_of::<f32>();
    let side = basis.side();
    for chunk in 0..chunks {
        let valid = LANES.min(channels - chunk * LANES);
        let mut tile = [[0_f32; LANES]; 16];
        for (lanes, pixel) in tile.iter_mut().zip(pixels).take(side * side) {
            for (lane, value) in lanes.iter_mut().enumerate().take(valid) {
                // SAFETY: a channel of the pixel.
                *value = unsafe { *pixel.add(chunk * LANES + lane) }.widen();
            }
        }
        for lane in 0..LANES {
            for first in 0..side {
                let at = |i: usize| first + i * side;
                let side = side_of(basis, std::array::from_fn(|i| tile.get(at(i)).map_or(0.0, |lanes| lanes[lane])));
                side.iter().enumerate().take(basis.side()).for_each(|(i, value)| tile[at(i)][lane] = *value);
            }
            for first in 0..side {
                let at = |i: usize| first * side + i;
                let side = side_of(basis, std::array::from_fn(|i| tile.get(at(i)).map_or(0.0, |lanes| lanes[lane])));
                side.iter().enumerate().take(basis.side()).for_each(|(i, value)| tile[at(i)][lane] = *value);
            }
        }
        for (point, lanes) in tile.iter().enumerate().take(side * side) {
            for (lane, value) in lanes.iter().enumerate() {
                // SAFETY: a step of the point's row.
                unsafe { put(false, to.add(point * point_bytes + chunk * STEP_BYTES), lane, *value) };
            }
        }
    }
}

/// Transforms a side of a tile into the basis.
#[inline(always)]
fn side_of(basis: Basis, [a, b, c, d]: [f32; 4]) -> [f32; 4] {
    match basis {
        Basis::Winograd => [a - c, b + c, c - b, b - d],
        Basis::Doubling => [a - b, b, c - b, 0.0],
    }
}

/// Computes one tile's 2x2 outputs of one or two columns from the points' sums, which lie [`SUMS`] floats apart: the upper two outputs
/// beside each other, the lower two [`LINE_FLOATS`] behind them.
///
/// `odd` says whether the tile's (second line, second column) lies beyond the output. In a doubled image that changes the first: beyond the
/// edge are zeros, not one more pixel. With c = 0 the third product is -w2 b, exactly the term to remove.
///
/// # Safety
/// All pointers are valid for these sizes, and aligned to a cache line.
pub(crate) type Outputs = unsafe fn(Basis, *const f32, *mut f32, columns: usize, odd: (bool, bool));

pub(crate) fn outputs_of(level: Level) -> Outputs {
    match level {
        Level::Portable => outputs_portable,
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 => outputs_avx2,
        #[cfg(target_arch = "x86_64")]
        _ => avx512::outputs,
        #[cfg(not(target_arch = "x86_64"))]
        _ => outputs_portable,
    }
}

unsafe fn outputs_portable(basis: Basis, from: *const f32, to: *mut f32, columns: usize, odd: (bool, bool)) {
    // SAFETY: guaranteed by the caller.
    unsafe { outputs_any(basis, from, to, columns, odd) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn outputs_avx2(basis: Basis, from: *const f32, to: *mut f32, columns: usize, odd: (bool, bool)) {
    // SAFETY: guaranteed by the caller.
    unsafe { outputs_any(basis, from, to, columns, odd) }
}

#[inline(always)]
unsafe fn outputs_any(basis: Basis, from: *const f32, to: *mut f32, columns: usize, odd: (bool, bool)) {
    let side = basis.side();
    for lane in 0..columns * COLUMN {
        // SAFETY: guaranteed by the caller.
        let sum = |point: usize| unsafe { *from.add(point * SUMS + lane) };
        let rows: [[f32; 2]; 4] = std::array::from_fn(|y| {
            let at = |x: usize| if y < side && x < side { sum(y * side + x) } else { 0.0 };
            two_of(basis, [at(0), at(1), at(2), at(3)], odd.1)
        });
        for (x, column) in [0, 1].map(|x| two_of(basis, rows.map(|row| row[x]), odd.0)).iter().enumerate() {
            for (y, value) in column.iter().enumerate() {
                // SAFETY: guaranteed by the caller.
                unsafe { to.add(y * LINE_FLOATS + x * SUM_STRIDE + lane).write(*value) };
            }
        }
    }
}

/// Transforms back to two outputs of a side.
#[inline(always)]
fn two_of(basis: Basis, [a, b, c, d]: [f32; 4], odd: bool) -> [f32; 2] {
    match basis {
        Basis::Winograd => [a + b + c, b - c - d],
        Basis::Doubling => [a + b + if odd { c } else { 0.0 }, b + c],
    }
}

/// The same with AVX-512 vectors.
#[cfg(target_arch = "x86_64")]
mod avx512 {
    use std::arch::x86_64::*;

    use super::{Basis, COLUMN, Element, LINE_FLOATS, STEP_BYTES, SUM_STRIDE, SUMS};
    use crate::elementwise::vector::avx512::load;

    type Vector = __m512;

    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
    pub(super) unsafe fn points_single<T: Element>(
        basis: Basis,
        pixels: &[*const T; 16],
        channels: usize,
        chunks: usize,
        to: *mut u8,
        point_bytes: usize,
    ) {
        let (vectors, vector_bytes) = (chunks, STEP_BYTES);
        // SAFETY: guaranteed by the caller; a vector is a step.
        unsafe {
            let put = |to: *mut u8, value: Vector| _mm512_store_ps(to.cast(), value);
            match basis {
                Basis::Winograd => winograd(pixels, channels, vectors, vector_bytes, to, point_bytes, put),
                Basis::Doubling => doubling(pixels, channels, vectors, vector_bytes, to, point_bytes, put),
            }
        }
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")]
    pub(super) unsafe fn points_half<T: Element>(
        basis: Basis,
        pixels: &[*const T; 16],
        channels: usize,
        chunks: usize,
        to: *mut u8,
        point_bytes: usize,
    ) {
        let (vectors, vector_bytes) = (2 * chunks, STEP_BYTES / 2);
        // SAFETY: guaranteed by the caller; a vector is half a step.
        unsafe {
            let put = |to: *mut u8, value: Vector| {
                _mm256_store_si256(to.cast(), std::mem::transmute::<__m256bh, __m256i>(_mm512_cvtneps_pbh(value)))
            };
            match basis {
                Basis::Winograd => winograd(pixels, channels, vectors, vector_bytes, to, point_bytes, put),
                Basis::Doubling => doubling(pixels, channels, vectors, vector_bytes, to, point_bytes, put),
            }
        }
    }

    /// A mask of a vector's channels.
    #[inline(always)]
    fn mask(channels: usize, vector: usize) -> __mmask16 {
        let left = channels.saturating_sub(vector * 16);
        if left >= 16 { u16::MAX } else { (1 << left) - 1 }
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
    unsafe fn winograd<T: Element>(
        pixels: &[*const T; 16],
        channels: usize,
        vectors: usize,
        vector_bytes: usize,
        to: *mut u8,
        point_bytes: usize,
        put: impl Fn(*mut u8, Vector),
    ) {
        for vector in 0..vectors {
            let mask = mask(channels, vector);
            // Transforms a side of a tile into the basis.
            let side = |[a, b, c, d]: [Vector; 4]| [_mm512_sub_ps(a, c), _mm512_add_ps(b, c), _mm512_sub_ps(c, b), _mm512_sub_ps(b, d)];
            // SAFETY: the mask excludes everything behind the channels.
            unsafe {
                // In a vector without channels no pixel is read, and the pointer does not go past the end.
                let at = |index: usize| load(pixels[index].wrapping_add(vector * 16), mask);
                // Written out: `map` over arrays of vectors is sometimes compiled as a call, which costs a third of a large convolution.
                let [a, b, c, d] = [
                    side([at(0), at(4), at(8), at(12)]),
                    side([at(1), at(5), at(9), at(13)]),
                    side([at(2), at(6), at(10), at(14)]),
                    side([at(3), at(7), at(11), at(15)]),
                ];
                let rows = [
                    side([a[0], b[0], c[0], d[0]]),
                    side([a[1], b[1], c[1], d[1]]),
                    side([a[2], b[2], c[2], d[2]]),
                    side([a[3], b[3], c[3], d[3]]),
                ];
                for (y, row) in rows.into_iter().enumerate() {
                    for (x, value) in row.into_iter().enumerate() {
                        put(to.add((4 * y + x) * point_bytes + vector * vector_bytes), value);
                    }
                }
            }
        }
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
    unsafe fn doubling<T: Element>(
        pixels: &[*const T; 16],
        channels: usize,
        vectors: usize,
        vector_bytes: usize,
        to: *mut u8,
        point_bytes: usize,
        put: impl Fn(*mut u8, Vector),
    ) {
        for vector in 0..vectors {
            let mask = mask(channels, vector);
            let side = |[a, b, c]: [Vector; 3]| [_mm512_sub_ps(a, b), b, _mm512_sub_ps(c, b)];
            // SAFETY: the mask excludes everything behind the channels.
            unsafe {
                let at = |index: usize| load(pixels[index].wrapping_add(vector * 16), mask);
                let [a, b, c] = [side([at(0), at(3), at(6)]), side([at(1), at(4), at(7)]), side([at(2), at(5), at(8)])];
                let rows = [side([a[0], b[0], c[0]]), side([a[1], b[1], c[1]]), side([a[2], b[2], c[2]])];
                for (y, row) in rows.into_iter().enumerate() {
                    for (x, value) in row.into_iter().enumerate() {
                        put(to.add((3 * y + x) * point_bytes + vector * vector_bytes), value);
                    }
                }
            }
        }
    }

    #[target_feature(enable = "avx512f")]
    pub(super) unsafe fn outputs(basis: Basis, from: *const f32, to: *mut f32, columns: usize, odd: (bool, bool)) {
        for column in 0..columns {
            // SAFETY: guaranteed by the caller.
            unsafe {
                let at = |point: usize| _mm512_load_ps(from.add(point * SUMS + column * COLUMN));
                let outputs = match basis {
                    Basis::Winograd => {
                        let two =
                            |[a, b, c, d]: [Vector; 4]| [_mm512_add_ps(_mm512_add_ps(a, b), c), _mm512_sub_ps(_mm512_sub_ps(b, c), d)];
                        let [a, b, c, d] = [
                            two([at(0), at(4), at(8), at(12)]),
                            two([at(1), at(5), at(9), at(13)]),
                            two([at(2), at(6), at(10), at(14)]),
                            two([at(3), at(7), at(11), at(15)]),
                        ];
                        [two([a[0], b[0], c[0], d[0]]), two([a[1], b[1], c[1], d[1]])]
                    }
                    Basis::Doubling => {
                        let two = |[a, b, c]: [Vector; 3], odd: bool| {
                            let first = _mm512_add_ps(a, b);
                            [if odd { _mm512_add_ps(first, c) } else { first }, _mm512_add_ps(b, c)]
                        };
                        let [a, b, c] =
                            [two([at(0), at(3), at(6)], odd.0), two([at(1), at(4), at(7)], odd.0), two([at(2), at(5), at(8)], odd.0)];
                        [two([a[0], b[0], c[0]], odd.1), two([a[1], b[1], c[1]], odd.1)]
                    }
                };
                for (y, row) in outputs.into_iter().enumerate() {
                    for (x, value) in row.into_iter().enumerate() {
                        _mm512_store_ps(to.add(y * LINE_FLOATS + x * SUM_STRIDE + column * COLUMN), value);
                    }
                }
            }
        }
    }
}
