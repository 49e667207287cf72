//! 3x3 convolutions with fewer products than their definition has, by a change of basis of small tiles.
//!
//! Winograd's F(2x2, 3x3) computes 2x2 outputs from 4x4 pixels with 16 products a channel instead of 36. An image that is first doubled by
//! nearest neighbour needs only 9: along one side, with a, b, c three neighbours and w the kernel, the outputs around b are w0 a + (w1 +
//! w2) b and (w0 + w1) b + w2 c, or with S = w0 + w1 + w2: w0 (a - b) + S b and S b + w2 (c - b).
//!
//! In both cases a tile of the image is transformed into points (sums and differences of its pixels), every point is a separate linear
//! layer from channels to outputs, and each output is a sum of some points' results. The tiles' points lie in a task's scratch memory, 32
//! tiles of one point after another, in the layout that [`crate::product::block`] multiplies.
//!
//! In bfloat16 the points are rounded once more than the operands of a direct convolution; the crate's README has the error of both. An
//! infinity or NaN turns whole tiles into NaNs, not just the outputs that depend on it.

mod points;

use self::points::{LINE_FLOATS, Outputs, Points, TILES, outputs_of, points_of};
use crate::{
    elementwise::Element,
    product::{
        Basis, Channels, ConvShape, GROUP_STEPS, Packed, STEP_BYTES, TASKS, TILE_BYTES,
        block::{self, Block, Kernel, ROWS, SUM_STRIDE, SUMS},
        epilogue::{self, Part, Store},
    },
    runtime::{Engine, Level, SendPtr, scratch},
};

/// Bytes of points that a task computes at once; together with their weights they should stay in the L2 cache.
const POINT_BYTES: usize = 512 << 10;
/// Most blocks of tiles that share a task.
const BLOCKS: usize = 8;
/// The size of two lines of outputs, in blocks of sums.
const LINES: usize = 2 * LINE_FLOATS / SUMS;

/// Runs the convolution into `store`; the caller has checked the shapes.
pub(crate) fn run<T: Element>(
    engine: &Engine,
    inputs: &[Channels<'_, T>],
    weight: &Packed,
    basis: Basis,
    shape: &ConvShape,
    store: Store<'_, T>,
) {
    let (height, width) = shape.output;
    let (down, across) = (height.div_ceil(2), width.div_ceil(2));
    let pitch = (weight.chunks() | 1) * STEP_BYTES;
    let run = Run {
        inputs,
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
    /// The channels of the input, which lie in these.
    inputs: &'a [Channels<'a, T>],
    weight: &'a Packed,
    basis: Basis,
    shape: &'a ConvShape,
    store: Store<'a, T>,
    kernel: Kernel,
    epilogue: epilogue::Epilogue<T>,
    points: Points<T>,
    outputs: Outputs,
    level: Level,
    /// A pixel beyond the image's edge.
    zeros: Vec<T>,
    /// Number of tiles in a line, in an image, and in all.
    across: usize,
    of_image: usize,
    tiles: usize,
    /// Bytes from one tile's channels to the next tile's; from one point to the next; from one block to the next.
    pitch: usize,
    point_bytes: usize,
    block_bytes: usize,
}

// SAFETY: the pointers are into slices that outlive the run; each task writes its own outputs.
unsafe impl<T: Element> Sync for Run<'_, T> {}

impl<T: Element> Run<'_, T> {
    fn run(&self, engine: &Engine) {
        let blocks = self.tiles.div_ceil(TILES);
        let columns = self.weight.columns();
        if blocks >= TASKS {
            // As many blocks a task as can share its weights while enough tasks are left.
            let share = (POINT_BYTES / self.block_bytes).clamp(1, BLOCKS).min(blocks / TASKS);
            engine.pool().run(blocks.div_ceil(share), |task| {
                let (first, count) = (task * share, share.min(blocks - task * share));
                scratch::with(0, share * self.block_bytes, |points| {
                    for block in 0..count {
                        // SAFETY: the buffer holds `share` blocks.
                        unsafe { self.fill(first + block, points.add(block * self.block_bytes)) };
                    }
                    self.multiply(first, count, points, 0, columns);
                });
            });
            return;
        }
        // Small images with many weights: all points are computed first, and each task takes some columns for all tiles.
        scratch::with(3, blocks.saturating_mul(self.block_bytes), |points| {
            let points = SendPtr(points);
            engine.pool().run(blocks, |block| {
                // SAFETY: each block belongs to one task, and the buffer holds all blocks.
                unsafe { self.fill(block, points.get().add(block * self.block_bytes)) };
            });
            let pairs = columns.div_ceil(2);
            engine.pool().run(pairs, |pair| self.multiply(0, blocks, points.get(), 2 * pair, columns.min(2 * pair + 2)));
        });
    }

    /// The image of a tile, and its line and column among the image's tiles.
    fn place(&self, tile: usize) -> (usize, usize, usize) {
        let within = tile % self.of_image;
        (tile / self.of_image, within / self.across, within % self.across)
    }

    /// How many rows of 16 tiles a block multiplies: two, or one if the last block has no more.
    fn row_tiles(&self, block: usize) -> usize {
        (self.tiles - block * TILES).min(TILES).div_ceil(ROWS)
    }

    /// Computes a block's points: those of the tiles that it multiplies, with zeros for tiles behind the last.
    ///
    /// # Safety
    /// `to` has space for a block.
    unsafe fn fill(&self, block: usize, to: *mut u8) {
        let (height, width) = self.shape.input;
        let (side, step) = (self.basis.side(), self.basis.step());
        for lane in 0..ROWS * self.row_tiles(block) {
            let tile = block * TILES + lane;
            // SAFETY: a lane of each point.
            let mut to = unsafe { to.add(lane * self.pitch) };
            let mut places = [None; 16];
            if tile < self.tiles {
                let (image, line, column) = self.place(tile);
                for dy in 0..side {
                    // The tile starts one pixel above and to the left; beyond the edge there are zeros.
                    let Some(y) = (line * step + dy).checked_sub(1).filter(|y| *y < height) else { continue };
                    for dx in 0..side {
                        let Some(x) = (column * step + dx).checked_sub(1).filter(|x| *x < width) else { continue };
                        places[dy * side + dx] = Some((image * height + y) * width + x);
                    }
                }
            }
            for Channels { values, channels } in self.inputs {
                let mut pixels = [self.zeros.as_ptr(); 16];
                for (pixel, place) in pixels.iter_mut().zip(places) {
                    if let Some(place) = place {
                        *pixel = values[place * channels..(place + 1) * channels].as_ptr();
                    }
                }
                let chunks = channels.div_ceil(self.weight.step_channels());
                // SAFETY: every pixel has `channels` channels, and each point a row of as many steps as all parts have, in this lane.
                unsafe { (self.points)(self.basis, &pixels, *channels, chunks, to, self.point_bytes) };
                // Behind the last part there is none.
                to = to.wrapping_add(chunks * STEP_BYTES);
            }
        }
    }

    /// Multiplies `count` blocks starting at `first` with the columns from `from` to `to`.
    fn multiply(&self, first: usize, count: usize, points: *mut u8, from: usize, to: usize) {
        let (chunks, number) = (self.weight.chunks(), self.basis.points());
        let group = if self.weight.is_bf16() && self.level == Level::Amx { chunks } else { GROUP_STEPS.min(chunks) };
        let steps = block::adjacent(group);
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
                                // SAFETY: the lanes of the block's point and as many steps of the columns' point; each block's point has its
                                // own sums.
                                unsafe {
                                    let rows = points.add(block * self.block_bytes + point * self.point_bytes + step * STEP_BYTES);
                                    (self.kernel)(&Block {
                                        rows: [rows, rows.add(ROWS * self.pitch)],
                                        row_tiles: self.row_tiles(first + block),
                                        row_stride: self.pitch,
                                        steps: &steps[..group.min(chunks - step)],
                                        weights: weights.map(|weights| weights.add((point * chunks + step) * TILE_BYTES)),
                                        columns,
                                        sums: sums.add((block * number + point) * SUMS),
                                        resume: step > 0,
                                        streams: false,
                                    });
                                }
                            }
                        }
                    }
                    for block in 0..count {
                        // SAFETY: sums of this block's points; space for the lines.
                        unsafe { self.finish(first + block, sums.add(block * number * SUMS), lines, column, columns) };
                    }
                }
            });
        });
    }

    /// Transforms a block's sums into outputs and stores them.
    ///
    /// # Safety
    /// The sums of all points are valid, and `lines` has space for two lines of 64 outputs.
    unsafe fn finish(&self, block: usize, sums: *const f32, lines: *mut f32, column: usize, columns: usize) {
        let (height, width) = self.shape.output;
        let tiles = TILES.min(self.tiles - block * TILES);
        let mut lane = 0;
        while lane < tiles {
            // A run of tiles in one line.
            let (image, line, across) = self.place(block * TILES + lane);
            let run = (self.across - across).min(tiles - lane);
            let (y, x) = (2 * line, 2 * across);
            // If a side is odd, the doubled image lacks its last line: see `outputs`.
            let (last_line, last_column) = (y + 1 == height, across + run == self.across && width % 2 == 1);
            // SAFETY: guaranteed by the caller.
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
