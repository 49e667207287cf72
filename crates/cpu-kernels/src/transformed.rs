//! 3x3 convolutions with fewer products than their definition has, by a change of basis of small tiles.
//!
//! Winograd's F(2x2, 3x3) makes 2x2 outputs from 4x4 pixels with 16 products a channel in the place of 36. A picture that is first
//! doubled by nearest neighbour does with 9: along one side, with a, b, c three neighbours and w the kernel, the outputs around b are
//! w0 a + (w1 + w2) b and (w0 + w1) b + w2 c, or with S = w0 + w1 + w2: w0 (a - b) + S b and S b + w2 (c - b).
//!
//! Either way a tile of the picture goes over into points (sums and differences of its pixels), every point is a linear layer of its
//! own from channels to outputs, and each output is a sum of some points' results. The tiles' points lie in a task's scratch memory,
//! 32 tiles of one point after another, which is what [`crate::block`] multiplies.
//!
//! In bfloat16 the points are rounded once more than a direct convolution's operands, which are as they come: the crate's README has
//! the error of both.

use crate::{
    Engine, Level,
    block::{self, Block, Kernel, ROWS, SUM_STRIDE, SUMS},
    element::{Element, put},
    epilogue::{self, Part, Store},
    pack::{COLUMN, Packed, STEP_BYTES, SendPtr, TILE_BYTES},
    product::{ConvShape, TASKS},
    scratch,
};

/// Tiles that are multiplied together: the rows of a block.
const TILES: usize = 2 * ROWS;
/// Bytes of points that a task makes at once: with the weights that meet them they should stay in the second cache.
const POINT_BYTES: usize = 512 << 10;
/// Blocks of tiles that share a task at most.
const BLOCKS: usize = 8;
/// Steps of a pair of columns that meet all tiles before the next ones come: 24 KiB of weights in the first cache.
const GROUP_STEPS: usize = 12;

/// Which change of basis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Basis {
    /// Winograd's F(2x2, 3x3).
    Winograd,
    /// The picture doubled by nearest neighbour, then the kernel.
    Doubling,
}

impl Basis {
    /// Points along one side of a tile.
    pub(crate) fn side(self) -> usize {
        match self {
            Self::Winograd => 4,
            Self::Doubling => 3,
        }
    }

    /// Points of a tile, which are also the products that its four outputs cost.
    pub(crate) fn points(self) -> usize {
        self.side() * self.side()
    }

    /// Pixels from one tile to the next.
    fn step(self) -> usize {
        match self {
            Self::Winograd => 2,
            Self::Doubling => 1,
        }
    }

    /// A kernel's side in the basis; the last one is unused where a side has three points.
    fn kernel_side(self, [a, b, c]: [f32; 3]) -> [f32; 4] {
        match self {
            Self::Winograd => [a, (a + b + c) * 0.5, (a - b + c) * 0.5, c],
            Self::Doubling => [a, a + b + c, c, 0.0],
        }
    }

    /// Back from the basis.
    fn kernel_side_back(self, [a, b, c, d]: [f32; 4]) -> [f32; 3] {
        match self {
            Self::Winograd => [a, b - c, d],
            Self::Doubling => [a, b - a - c, c],
        }
    }

    /// A kernel of nine taps as points.
    pub(crate) fn kernel(self, taps: [f32; 9]) -> [f32; 16] {
        let side = self.side();
        let rows: [[f32; 4]; 3] = std::array::from_fn(|y| self.kernel_side([taps[3 * y], taps[3 * y + 1], taps[3 * y + 2]]));
        let mut points = [0.0; 16];
        for x in 0..side {
            let column = self.kernel_side([rows[0][x], rows[1][x], rows[2][x]]);
            for y in 0..side {
                points[y * side + x] = column[y];
            }
        }
        points
    }

    /// The kernel that such points come from.
    pub(crate) fn kernel_back(self, points: [f32; 16]) -> [f32; 9] {
        let side = self.side();
        let columns: [[f32; 3]; 4] = std::array::from_fn(|x| {
            let at = |y: usize| if x < side && y < side { points[y * side + x] } else { 0.0 };
            self.kernel_side_back([at(0), at(1), at(2), at(3)])
        });
        let mut taps = [0.0; 9];
        for y in 0..3 {
            let row = self.kernel_side_back([columns[0][y], columns[1][y], columns[2][y], columns[3][y]]);
            taps[3 * y..3 * y + 3].copy_from_slice(&row);
        }
        taps
    }
}

/// Runs the convolution into `store`; the caller has checked the shapes.
pub(crate) fn run<T: Element>(engine: &Engine, x: &[T], weight: &Packed, basis: Basis, shape: &ConvShape, store: Store<'_, T>) {
    let (height, width) = shape.output;
    let (down, across) = (height.div_ceil(2), width.div_ceil(2));
    let pitch = (weight.chunks() | 1) * STEP_BYTES;
    let run = Run {
        x,
        weight,
        basis,
        shape,
        store,
        kernel: block::kernel(engine.level(), weight.is_bf16()),
        epilogue: epilogue::of::<T>(engine.level()),
        points: points_of::<T>(engine.level(), weight.is_bf16()),
        outputs: outputs_of(engine.level()),
        level: engine.level(),
        zeros: vec![T::default(); weight.inputs()],
        across,
        of_image: down * across,
        tiles: shape.images * down * across,
        pitch,
        point_bytes: TILES * pitch,
        block_bytes: basis.points() * TILES * pitch,
    };
    run.run(engine);
}

struct Run<'a, T: Element> {
    x: &'a [T],
    weight: &'a Packed,
    basis: Basis,
    shape: &'a ConvShape,
    store: Store<'a, T>,
    kernel: Kernel,
    epilogue: epilogue::Epilogue<T>,
    points: Points<T>,
    outputs: Outputs,
    level: Level,
    /// A pixel beyond the picture's edge.
    zeros: Vec<T>,
    /// Tiles of a line of tiles, of a picture, of all.
    across: usize,
    of_image: usize,
    tiles: usize,
    /// Bytes from a tile's channels to the next tile's; from a point to the next; from a block to the next.
    pitch: usize,
    point_bytes: usize,
    block_bytes: usize,
}

// SAFETY: the pointers within are of slices that outlive the run; tasks write outputs of their own.
unsafe impl<T: Element> Sync for Run<'_, T> {}

impl<T: Element> Run<'_, T> {
    fn run(&self, engine: &Engine) {
        let blocks = self.tiles.div_ceil(TILES);
        let columns = self.weight.columns();
        if blocks >= TASKS {
            // As many blocks to a task as share its weights and leave enough tasks.
            let share = (POINT_BYTES / self.block_bytes).clamp(1, BLOCKS).min(blocks / TASKS);
            engine.pool().run(blocks.div_ceil(share), |task| {
                let (first, count) = (task * share, share.min(blocks - task * share));
                scratch::with(0, share * self.block_bytes, |points| {
                    for block in 0..count {
                        // SAFETY: room for `share` blocks.
                        unsafe { self.fill(first + block, points.add(block * self.block_bytes)) };
                    }
                    self.multiply(first, count, points, 0, columns);
                });
            });
            return;
        }
        // Small pictures with many weights: all points are made first, and a task takes some columns for all tiles.
        scratch::with(3, blocks.saturating_mul(self.block_bytes), |points| {
            let points = SendPtr(points);
            engine.pool().run(blocks, |block| {
                // SAFETY: each block is one task's, and there is room for all.
                unsafe { self.fill(block, points.get().add(block * self.block_bytes)) };
            });
            let pairs = columns.div_ceil(2);
            engine.pool().run(pairs, |pair| self.multiply(0, blocks, points.get(), 2 * pair, columns.min(2 * pair + 2)));
        });
    }

    /// The image of a tile, and its place among the image's lines and columns of tiles.
    fn place(&self, tile: usize) -> (usize, usize, usize) {
        let within = tile % self.of_image;
        (tile / self.of_image, within / self.across, within % self.across)
    }

    /// Makes a block's points: those of its 32 tiles, with zeros for tiles behind the last.
    ///
    /// # Safety
    /// `to` has room for a block.
    unsafe fn fill(&self, block: usize, to: *mut u8) {
        let (height, width) = self.shape.input;
        let (side, step, channels) = (self.basis.side(), self.basis.step(), self.weight.inputs());
        for lane in 0..TILES {
            let tile = block * TILES + lane;
            // SAFETY: a lane of each point.
            let to = unsafe { to.add(lane * self.pitch) };
            let mut pixels = [self.zeros.as_ptr(); 16];
            if tile < self.tiles {
                let (image, line, column) = self.place(tile);
                for dy in 0..side {
                    // One pixel above and to the left of the tile; beyond the edge there are zeros.
                    let Some(y) = (line * step + dy).checked_sub(1).filter(|y| *y < height) else { continue };
                    for dx in 0..side {
                        let Some(x) = (column * step + dx).checked_sub(1).filter(|x| *x < width) else { continue };
                        let pixel = (image * height + y) * width + x;
                        pixels[dy * side + dx] = self.x[pixel * channels..(pixel + 1) * channels].as_ptr();
                    }
                }
            }
            // SAFETY: every pixel has `channels` channels, and each point a row of `chunks` steps in this lane.
            unsafe { (self.points)(self.basis, &pixels, channels, self.weight.chunks(), to, self.point_bytes) };
        }
    }

    /// The blocks from `first` on with the columns from `from` to `to`.
    fn multiply(&self, first: usize, count: usize, points: *mut u8, from: usize, to: usize) {
        let (chunks, number) = (self.weight.chunks(), self.basis.points());
        let group = if self.weight.is_bf16() && self.level == Level::Amx { chunks } else { GROUP_STEPS.min(chunks) };
        scratch::with(1, (count * number + LINES) * SUMS * size_of::<f32>(), |sums| {
            let sums = sums.cast::<f32>();
            // SAFETY: behind the points' sums.
            let lines = unsafe { sums.add(count * number * SUMS) };
            block::with_state(self.level, self.weight.is_bf16(), || {
                for column in (from..to).step_by(2) {
                    let columns = (to - column).min(2);
                    let weights = [self.weight.column(column), self.weight.column(column + columns - 1)];
                    for point in 0..number {
                        for step in (0..chunks).step_by(group) {
                            for block in 0..count {
                                // SAFETY: 32 lanes of the block's point and as many steps of the columns' point; each has sums
                                // of its own.
                                unsafe {
                                    let rows = points.add(block * self.block_bytes + point * self.point_bytes + step * STEP_BYTES);
                                    (self.kernel)(&Block {
                                        rows: [rows, rows.add(ROWS * self.pitch)],
                                        row_tiles: 2,
                                        row_stride: self.pitch,
                                        taps: &[0],
                                        chunks: group.min(chunks - step),
                                        weights: weights.map(|weights| weights.add((point * chunks + step) * TILE_BYTES)),
                                        columns,
                                        sums: sums.add((block * number + point) * SUMS),
                                        resume: step > 0,
                                    });
                                }
                            }
                        }
                    }
                    for block in 0..count {
                        // SAFETY: sums of this block's points; room for the lines.
                        unsafe { self.finish(first + block, sums.add(block * number * SUMS), lines, column, columns) };
                    }
                }
            });
        });
    }

    /// From a block's sums to the outputs.
    ///
    /// # Safety
    /// The sums of all points are there, and room for two lines of 64 outputs.
    unsafe fn finish(&self, block: usize, sums: *const f32, lines: *mut f32, column: usize, columns: usize) {
        let (height, width) = self.shape.output;
        let tiles = TILES.min(self.tiles - block * TILES);
        let mut lane = 0;
        while lane < tiles {
            // A run of tiles of one line.
            let (image, line, across) = self.place(block * TILES + lane);
            let run = (self.across - across).min(tiles - lane);
            let (y, x) = (2 * line, 2 * across);
            // Where a side is odd, the doubled picture's last line is not there: see `outputs`.
            let (last_line, last_column) = (y + 1 == height, across + run == self.across && width % 2 == 1);
            // SAFETY: as the caller vouches.
            unsafe {
                for tile in 0..run {
                    let from = sums.add((lane + tile) * SUM_STRIDE);
                    let odd = (last_line, last_column && tile + 1 == run);
                    (self.outputs)(self.basis, from, lines.add(2 * tile * SUM_STRIDE), columns, odd);
                }
                let valid = (2 * run).min(width - x);
                for below in 0..2.min(height - y) {
                    let row = (image * height + y + below) * width + x;
                    let sums = lines.add(below * LINE_FLOATS);
                    (self.epilogue)(&self.store, &Part { sums, row, valid, image, column, columns });
                }
            }
            lane += run;
        }
    }
}

/// Floats of one line of a block's outputs.
const LINE_FLOATS: usize = 2 * TILES * SUM_STRIDE;
/// Blocks' worth of sums that two lines of outputs take.
const LINES: usize = 2 * LINE_FLOATS / SUMS;

/// Makes one tile's points: from its pixels (those of a line side by side, 16 or 9), `channels` each, to a row of `chunks` steps for
/// each point, the rows `point_bytes` apart.
///
/// # Safety
/// All of that is there.
type Points<T> = unsafe fn(Basis, &[*const T; 16], channels: usize, chunks: usize, to: *mut u8, point_bytes: usize);

fn points_of<T: Element>(level: Level, bf16: bool) -> Points<T> {
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
    // SAFETY: as the caller vouches.
    unsafe { points_any(basis, pixels, channels, chunks, to, point_bytes) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn points_avx2<T: Element>(basis: Basis, pixels: &[*const T; 16], channels: usize, chunks: usize, to: *mut u8, point_bytes: usize) {
    // SAFETY: as the caller vouches.
    unsafe { points_any(basis, pixels, channels, chunks, to, point_bytes) }
}

/// Plain Rust; these levels multiply in f32.
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

/// A side of a tile in the basis.
#[inline(always)]
fn side_of(basis: Basis, [a, b, c, d]: [f32; 4]) -> [f32; 4] {
    match basis {
        Basis::Winograd => [a - c, b + c, c - b, b - d],
        Basis::Doubling => [a - b, b, c - b, 0.0],
    }
}

/// Makes one tile's 2x2 outputs of one or two columns from the points' sums, which lie [`SUMS`] floats apart: the upper two beside
/// each other, the lower two [`LINE_FLOATS`] behind them.
///
/// `odd` says whether the tile's (second line, second column) lies beyond the output. That changes the first where the picture is
/// doubled: beyond the edge are zeros, not one pixel more. With c = 0 the third product is -w2 b, which is what must go.
///
/// # Safety
/// All of that is there, and aligned to a cache line.
type Outputs = unsafe fn(Basis, *const f32, *mut f32, columns: usize, odd: (bool, bool));

fn outputs_of(level: Level) -> Outputs {
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
    // SAFETY: as the caller vouches.
    unsafe { outputs_any(basis, from, to, columns, odd) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn outputs_avx2(basis: Basis, from: *const f32, to: *mut f32, columns: usize, odd: (bool, bool)) {
    // SAFETY: as the caller vouches.
    unsafe { outputs_any(basis, from, to, columns, odd) }
}

#[inline(always)]
unsafe fn outputs_any(basis: Basis, from: *const f32, to: *mut f32, columns: usize, odd: (bool, bool)) {
    let side = basis.side();
    for lane in 0..columns * COLUMN {
        // SAFETY: as the caller vouches.
        let sum = |point: usize| unsafe { *from.add(point * SUMS + lane) };
        let rows: [[f32; 2]; 4] = std::array::from_fn(|y| {
            let at = |x: usize| if y < side && x < side { sum(y * side + x) } else { 0.0 };
            two_of(basis, [at(0), at(1), at(2), at(3)], odd.1)
        });
        for x in 0..2 {
            let column = two_of(basis, [rows[0][x], rows[1][x], rows[2][x], rows[3][x]], odd.0);
            for (y, value) in column.iter().enumerate() {
                // SAFETY: as the caller vouches.
                unsafe { to.add(y * LINE_FLOATS + x * SUM_STRIDE + lane).write(*value) };
            }
        }
    }
}

/// Two outputs of a side.
#[inline(always)]
fn two_of(basis: Basis, [a, b, c, d]: [f32; 4], odd: bool) -> [f32; 2] {
    match basis {
        Basis::Winograd => [a + b + c, b - c - d],
        Basis::Doubling => [a + b + if odd { c } else { 0.0 }, b + c],
    }
}

/// The same in vectors.
#[cfg(target_arch = "x86_64")]
mod avx512 {
    use std::arch::x86_64::*;

    use super::{Basis, COLUMN, Element, LINE_FLOATS, STEP_BYTES, SUM_STRIDE, SUMS};
    use crate::vector::avx512::load;

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
        // SAFETY: as the caller vouches; a vector is a step.
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
        // SAFETY: as the caller vouches; a vector is half a step.
        unsafe {
            let put = |to: *mut u8, value: Vector| _mm256_store_si256(to.cast(), std::mem::transmute(_mm512_cvtneps_pbh(value)));
            match basis {
                Basis::Winograd => winograd(pixels, channels, vectors, vector_bytes, to, point_bytes, put),
                Basis::Doubling => doubling(pixels, channels, vectors, vector_bytes, to, point_bytes, put),
            }
        }
    }

    /// A mask of the channels that a vector has.
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
            // A side of a tile in the basis.
            let side = |[a, b, c, d]: [Vector; 4]| [_mm512_sub_ps(a, c), _mm512_add_ps(b, c), _mm512_sub_ps(c, b), _mm512_sub_ps(b, d)];
            // SAFETY: the mask leaves out what lies behind the channels.
            unsafe {
                // Of a vector without channels no pixel is read, and none is pointed behind.
                let at = |index: usize| load(pixels[index].wrapping_add(vector * 16), mask);
                let columns = [
                    side([at(0), at(4), at(8), at(12)]),
                    side([at(1), at(5), at(9), at(13)]),
                    side([at(2), at(6), at(10), at(14)]),
                    side([at(3), at(7), at(11), at(15)]),
                ];
                for y in 0..4 {
                    let row = side([columns[0][y], columns[1][y], columns[2][y], columns[3][y]]);
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
            // SAFETY: the mask leaves out what lies behind the channels.
            unsafe {
                let at = |index: usize| load(pixels[index].wrapping_add(vector * 16), mask);
                let columns = [side([at(0), at(3), at(6)]), side([at(1), at(4), at(7)]), side([at(2), at(5), at(8)])];
                for y in 0..3 {
                    let row = side([columns[0][y], columns[1][y], columns[2][y]]);
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
            // SAFETY: as the caller vouches.
            unsafe {
                let at = |point: usize| _mm512_load_ps(from.add(point * SUMS + column * COLUMN));
                let outputs = match basis {
                    Basis::Winograd => {
                        let two =
                            |[a, b, c, d]: [Vector; 4]| [_mm512_add_ps(_mm512_add_ps(a, b), c), _mm512_sub_ps(_mm512_sub_ps(b, c), d)];
                        let columns = [
                            two([at(0), at(4), at(8), at(12)]),
                            two([at(1), at(5), at(9), at(13)]),
                            two([at(2), at(6), at(10), at(14)]),
                            two([at(3), at(7), at(11), at(15)]),
                        ];
                        [0, 1].map(|y| two([columns[0][y], columns[1][y], columns[2][y], columns[3][y]]))
                    }
                    Basis::Doubling => {
                        let two = |[a, b, c]: [Vector; 3], odd: bool| {
                            let first = _mm512_add_ps(a, b);
                            [if odd { _mm512_add_ps(first, c) } else { first }, _mm512_add_ps(b, c)]
                        };
                        let columns =
                            [two([at(0), at(3), at(6)], odd.0), two([at(1), at(4), at(7)], odd.0), two([at(2), at(5), at(8)], odd.0)];
                        [0, 1].map(|y| two([columns[0][y], columns[1][y], columns[2][y]], odd.1))
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
