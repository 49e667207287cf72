//! The transforms into a convolution's basis and back: from a tile's pixels to points, and from points' sums to its outputs. See
//! [`super`].

use crate::{
    elementwise::{Element, put},
    product::{
        Basis, COLUMN, MOST_POINTS, MOST_SIDE, STEP_BYTES,
        block::{ROWS, SUM_STRIDE, SUMS},
    },
    runtime::Level,
};

/// Tiles that are multiplied together: the rows of a block.
pub(crate) const TILES: usize = 2 * ROWS;
/// Floats of a step of a point in f32.
const LANES: usize = STEP_BYTES / size_of::<f32>();

/// Floats of one line of a block's outputs.
pub(crate) const fn line_floats(basis: Basis) -> usize {
    basis.outputs() * TILES * SUM_STRIDE
}

/// Computes one tile's points: from its pixels in row-major order, with `channels` each, to a row of `chunks` steps for each point, the rows
/// `point_bytes` apart.
///
/// # Safety
/// All pointers that the basis needs are valid for these sizes.
pub(crate) type Points<T> = unsafe fn(Basis, &[*const T; MOST_POINTS], channels: usize, chunks: usize, to: *mut u8, point_bytes: usize);

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
    pixels: &[*const T; MOST_POINTS],
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
unsafe fn points_avx2<T: Element>(
    basis: Basis,
    pixels: &[*const T; MOST_POINTS],
    channels: usize,
    chunks: usize,
    to: *mut u8,
    point_bytes: usize,
) {
    // SAFETY: guaranteed by the caller.
    unsafe { points_any(basis, pixels, channels, chunks, to, point_bytes) }
}

/// Plain Rust; levels that use it multiply in f32.
#[inline(always)]
unsafe fn points_any<T: Element>(
    basis: Basis,
    pixels: &[*const T; MOST_POINTS],
    channels: usize,
    chunks: usize,
    to: *mut u8,
    point_bytes: usize,
) {
    let side = basis.side();
    for chunk in 0..chunks {
        let valid = LANES.min(channels - chunk * LANES);
        let mut tile = [[0_f32; LANES]; MOST_POINTS];
        for (lanes, pixel) in tile.iter_mut().zip(pixels).take(side * side) {
            for (lane, value) in lanes.iter_mut().enumerate().take(valid) {
                // SAFETY: a channel of the pixel.
                *value = unsafe { *pixel.add(chunk * LANES + lane) }.widen();
            }
        }
        for (start, step) in (0..side).map(|x| (x, side)).chain((0..side).map(|y| (y * side, 1))) {
            let mut line = [[0_f32; LANES]; MOST_SIDE];
            for (i, lanes) in line.iter_mut().enumerate().take(side) {
                *lanes = tile[start + i * step];
            }
            for (i, lanes) in side_of(basis, &line).iter().enumerate().take(side) {
                tile[start + i * step] = *lanes;
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

/// Transforms a side of a tile into the basis, each lane by itself.
#[inline(always)]
fn side_of<const N: usize>(basis: Basis, line: &[[f32; N]; MOST_SIDE]) -> [[f32; N]; MOST_SIDE] {
    let mut points = [[0.0; N]; MOST_SIDE];
    for lane in 0..N {
        let [a, b, c, d, e, f] = line.map(|lanes| lanes[lane]);
        let side = match basis {
            Basis::Winograd2 => [a - c, b + c, c - b, b - d, 0.0, 0.0],
            Basis::Winograd4 => four::side([a, b, c, d, e, f]),
            Basis::Doubling => [a - b, b, c - b, 0.0, 0.0, 0.0],
        };
        for (point, value) in points.iter_mut().zip(side) {
            point[lane] = value;
        }
    }
    points
}

/// The constants of F(4x4, 3x3), and its transforms of one lane.
mod four {
    use crate::product::{FAR, NEAR};

    pub(super) const NEAR2: f32 = NEAR * NEAR;
    pub(super) const FAR2: f32 = FAR * FAR;
    pub(super) const NEAR3: f32 = NEAR2 * NEAR;
    pub(super) const FAR3: f32 = FAR2 * FAR;
    pub(super) const SUM: f32 = NEAR2 + FAR2;
    pub(super) const PRODUCT: f32 = NEAR2 * FAR2;

    /// Six pixels' products with the coefficients of the polynomials that are zero at all points but one.
    #[inline(always)]
    pub(super) fn side([a, b, c, d, e, f]: [f32; 6]) -> [f32; 6] {
        let pair = |at: f32, other2: f32| {
            let (even, odd) = (e - other2 * c, d - other2 * b);
            [even + at * odd, even - at * odd]
        };
        let ([near, minus_near], [far, minus_far]) = (pair(NEAR, FAR2), pair(FAR, NEAR2));
        [PRODUCT * a + (e - SUM * c), near, minus_near, far, minus_far, PRODUCT * b + (f - SUM * d)]
    }

    /// Four outputs from six sums.
    #[inline(always)]
    pub(super) fn outputs([a, b, c, d, e, f]: [f32; 6]) -> [f32; 4] {
        let (near, near_odd, far, far_odd) = (b + c, b - c, d + e, d - e);
        [a + near + far, NEAR * near_odd + FAR * far_odd, NEAR2 * near + FAR2 * far, NEAR3 * near_odd + FAR3 * far_odd + f]
    }
}

/// Computes one tile's outputs of one or two columns from the points' sums, which lie [`SUMS`] floats apart: the outputs of a line beside
/// each other, the lines [`line_floats`] apart.
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
    let (side, outputs) = (basis.side(), basis.outputs());
    for column in 0..columns {
        // SAFETY: guaranteed by the caller.
        let sums = |point: usize| unsafe { *from.add(point * SUMS + column * COLUMN).cast::<[f32; COLUMN]>() };
        // The outputs of each column of points.
        let mut above = [[[0.0; COLUMN]; MOST_SIDE]; 4];
        for x in 0..side {
            let mut line = [[0.0; COLUMN]; MOST_SIDE];
            for (y, lanes) in line.iter_mut().enumerate().take(side) {
                *lanes = sums(y * side + x);
            }
            for (above, lanes) in above.iter_mut().zip(outputs_of_side(basis, &line, odd.0)) {
                above[x] = lanes;
            }
        }
        for (y, line) in above.iter().enumerate().take(outputs) {
            for (x, lanes) in outputs_of_side(basis, line, odd.1).iter().enumerate().take(outputs) {
                // SAFETY: guaranteed by the caller.
                unsafe { to.add(y * line_floats(basis) + x * SUM_STRIDE + column * COLUMN).cast::<[f32; COLUMN]>().write(*lanes) };
            }
        }
    }
}

/// Transforms back to the outputs of a side, each lane by itself.
#[inline(always)]
fn outputs_of_side<const N: usize>(basis: Basis, line: &[[f32; N]; MOST_SIDE], odd: bool) -> [[f32; N]; 4] {
    let mut outputs = [[0.0; N]; 4];
    for lane in 0..N {
        let [a, b, c, d, e, f] = line.map(|lanes| lanes[lane]);
        let side = match basis {
            Basis::Winograd2 => [a + b + c, b - c - d, 0.0, 0.0],
            Basis::Winograd4 => four::outputs([a, b, c, d, e, f]),
            Basis::Doubling => [a + b + if odd { c } else { 0.0 }, b + c, 0.0, 0.0],
        };
        for (output, value) in outputs.iter_mut().zip(side) {
            output[lane] = value;
        }
    }
    outputs
}

/// The same with AVX-512 vectors.
#[cfg(target_arch = "x86_64")]
mod avx512 {
    use std::arch::x86_64::*;

    use super::{
        Basis, COLUMN, Element, MOST_POINTS, STEP_BYTES, SUM_STRIDE, SUMS,
        four::{FAR2, FAR3, NEAR2, NEAR3, PRODUCT, SUM},
        line_floats,
    };
    use crate::{
        elementwise::vector::avx512::load,
        product::{FAR, NEAR},
    };

    type Vector = __m512;

    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
    pub(super) unsafe fn points_single<T: Element>(
        basis: Basis,
        pixels: &[*const T; MOST_POINTS],
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
                Basis::Winograd2 => winograd2(pixels, channels, vectors, vector_bytes, to, point_bytes, put),
                Basis::Winograd4 => winograd4(pixels, channels, vectors, vector_bytes, to, point_bytes, put),
                Basis::Doubling => doubling(pixels, channels, vectors, vector_bytes, to, point_bytes, put),
            }
        }
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")]
    pub(super) unsafe fn points_half<T: Element>(
        basis: Basis,
        pixels: &[*const T; MOST_POINTS],
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
                Basis::Winograd2 => winograd2(pixels, channels, vectors, vector_bytes, to, point_bytes, put),
                Basis::Winograd4 => winograd4(pixels, channels, vectors, vector_bytes, to, point_bytes, put),
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
    unsafe fn winograd2<T: Element>(
        pixels: &[*const T; MOST_POINTS],
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
    unsafe fn winograd4<T: Element>(
        pixels: &[*const T; MOST_POINTS],
        channels: usize,
        vectors: usize,
        vector_bytes: usize,
        to: *mut u8,
        point_bytes: usize,
        put: impl Fn(*mut u8, Vector),
    ) {
        for vector in 0..vectors {
            let mask = mask(channels, vector);
            // SAFETY: as for `winograd2`.
            unsafe {
                let at = |index: usize| load(pixels[index].wrapping_add(vector * 16), mask);
                // 36 vectors are more than there are registers: the columns' points wait in the L1 cache.
                let mut lines = [[_mm512_setzero_ps(); 6]; 6];
                for x in 0..6 {
                    let points = side4(at(x), at(6 + x), at(12 + x), at(18 + x), at(24 + x), at(30 + x));
                    for (line, point) in lines.iter_mut().zip(points) {
                        line[x] = point;
                    }
                }
                for (y, [a, b, c, d, e, f]) in lines.into_iter().enumerate() {
                    for (x, value) in side4(a, b, c, d, e, f).into_iter().enumerate() {
                        put(to.add((6 * y + x) * point_bytes + vector * vector_bytes), value);
                    }
                }
            }
        }
    }

    /// [`super::four::side`].
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
    fn side4(a: Vector, b: Vector, c: Vector, d: Vector, e: Vector, f: Vector) -> [Vector; 6] {
        let less = |from: Vector, factor: f32, value: Vector| _mm512_fnmadd_ps(_mm512_set1_ps(factor), value, from);
        let more = |to: Vector, factor: f32, value: Vector| _mm512_fmadd_ps(_mm512_set1_ps(factor), value, to);
        let (near, near_odd) = (less(e, FAR2, c), less(d, FAR2, b));
        let (far, far_odd) = (less(e, NEAR2, c), less(d, NEAR2, b));
        [
            more(less(e, SUM, c), PRODUCT, a),
            more(near, NEAR, near_odd),
            less(near, NEAR, near_odd),
            more(far, FAR, far_odd),
            less(far, FAR, far_odd),
            more(less(f, SUM, d), PRODUCT, b),
        ]
    }

    /// [`super::four::outputs`].
    #[inline]
    #[target_feature(enable = "avx512f")]
    fn outputs4(a: Vector, b: Vector, c: Vector, d: Vector, e: Vector, f: Vector) -> [Vector; 4] {
        let times = |factor: f32, value: Vector| _mm512_mul_ps(_mm512_set1_ps(factor), value);
        let more = |to: Vector, factor: f32, value: Vector| _mm512_fmadd_ps(_mm512_set1_ps(factor), value, to);
        let (near, near_odd, far, far_odd) = (_mm512_add_ps(b, c), _mm512_sub_ps(b, c), _mm512_add_ps(d, e), _mm512_sub_ps(d, e));
        [
            _mm512_add_ps(_mm512_add_ps(a, near), far),
            more(times(FAR, far_odd), NEAR, near_odd),
            more(times(FAR2, far), NEAR2, near),
            more(more(f, FAR3, far_odd), NEAR3, near_odd),
        ]
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
    unsafe fn doubling<T: Element>(
        pixels: &[*const T; MOST_POINTS],
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
                let put = |y: usize, x: usize, value: Vector| {
                    _mm512_store_ps(to.add(y * line_floats(basis) + x * SUM_STRIDE + column * COLUMN), value);
                };
                let two_by_two = match basis {
                    Basis::Winograd2 => {
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
                    Basis::Winograd4 => {
                        let mut lines = [[_mm512_setzero_ps(); 6]; 4];
                        for x in 0..6 {
                            let outputs = outputs4(at(x), at(6 + x), at(12 + x), at(18 + x), at(24 + x), at(30 + x));
                            for (line, output) in lines.iter_mut().zip(outputs) {
                                line[x] = output;
                            }
                        }
                        for (y, [a, b, c, d, e, f]) in lines.into_iter().enumerate() {
                            for (x, value) in outputs4(a, b, c, d, e, f).into_iter().enumerate() {
                                put(y, x, value);
                            }
                        }
                        continue;
                    }
                };
                for (y, row) in two_by_two.into_iter().enumerate() {
                    for (x, value) in row.into_iter().enumerate() {
                        put(y, x, value);
                    }
                }
            }
        }
    }
}
