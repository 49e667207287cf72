//! 3x3 convolutions with fewer products than their definition has, by a change of basis of small tiles.
//!
//! Winograd's F(2x2, 3x3) computes 2x2 outputs from 4x4 pixels with 16 products a channel instead of 36, F(4x4, 3x3) computes 4x4 outputs from
//! 6x6 pixels with 36 instead of 144. An image that is first doubled by nearest neighbour needs only 9: along one side, with a, b, c three neighbours and w the kernel, the outputs around b are w0 a + (w1 +
//! w2) b and (w0 + w1) b + w2 c, or with S = w0 + w1 + w2: w0 (a - b) + S b and S b + w2 (c - b).
//!
//! In all cases a tile of the image is transformed into points (weighted sums of its pixels), every point is a separate linear
//! layer from channels to outputs, and each output is a weighted sum of some points' results. The tiles' points lie in a task's scratch memory, 32
//! tiles of one point after another, in the layout that [`crate::product::block`] multiplies.
//!
//! In bfloat16 the points are rounded once more than the operands of a direct convolution; the crate's README has the error of both. An
//! infinity or NaN turns whole tiles into NaNs, not just the outputs that depend on it.

mod points;

use std::ops::Range;

use self::points::{Outputs, Points, TILES, line_floats, outputs_of, points_of};
use crate::{
    elementwise::Element,
    product::{
        Basis, Channels, ConvShape, GROUP_STEPS, MOST_POINTS, Packed, STEP_BYTES, TILE_BYTES,
        block::{self, Block, Kernel, ROWS, SUM_STRIDE, SUMS, rows_read},
        epilogue::{self, Part, Store},
    },
    runtime::{Engine, Level, SendPtr, TASKS, scratch},
};

/// Bytes of points that a task computes at once, if it has several blocks; together with their weights they should stay in the L2 cache. A block
/// of F(4x4, 3x3) may exceed it, and is still the faster.
const POINT_BYTES: usize = 512 << 10;
/// Most blocks of tiles that share a task.
const BLOCKS: usize = 8;
/// Tiles whose points are a task of their own where blocks are few.
const STRIP: usize = 8;

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
    let (down, across) = (height.div_ceil(basis.outputs()), width.div_ceil(basis.outputs()));
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

/// How many of so many tiles of a block are in its first 16 rows, and how many in its last.
fn in_rows(tiles: usize) -> [usize; 2] {
    [tiles.min(ROWS), tiles.saturating_sub(ROWS)]
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
                        unsafe { self.fill(first + block, 0..TILES, points.add(block * self.block_bytes)) };
                    }
                    self.multiply(first * TILES..(first + count) * TILES, points, 0..columns);
                });
            });
            return;
        }
        // Small images: all points are computed first, and each task takes some columns for all tiles, or for some if columns are few.
        scratch::with(3, blocks.saturating_mul(self.block_bytes), |points| {
            let points = SendPtr(points);
            let strips = TILES / STRIP;
            engine.pool().run(blocks * strips, |index| {
                let (block, first) = (index / strips, index % strips * STRIP);
                // SAFETY: each strip of a block belongs to one task, and the buffer holds all blocks.
                unsafe { self.fill(block, first..first + STRIP, points.get().add(block * self.block_bytes)) };
            });
            let pairs = self.weight.pairs();
            let rows = self.tiles.div_ceil(ROWS);
            let parts = TASKS.div_ceil(pairs).min(rows);
            engine.pool().run(pairs * parts, |index| {
                // A thread multiplies mostly the points that it computed.
                let (part, pair) = (index / pairs, index % pairs);
                let (first, end) = (part * rows / parts * ROWS, (part + 1) * rows / parts * ROWS);
                // SAFETY: as above.
                let points = unsafe { points.get().add(first / TILES * self.block_bytes) };
                self.multiply(first..end, points, 2 * pair..columns.min(2 * pair + 2));
            });
        });
    }

    /// The image of a tile, and its line and column among the image's tiles.
    fn place(&self, tile: usize) -> (usize, usize, usize) {
        let within = tile % self.of_image;
        (tile / self.of_image, within / self.across, within % self.across)
    }

    /// Computes the points of a block's tiles in `lanes`, with zeros for tiles behind the last as far as they are multiplied.
    ///
    /// # Safety
    /// `to` has space for a block.
    unsafe fn fill(&self, block: usize, lanes: Range<usize>, to: *mut u8) {
        let (height, width) = self.shape.input;
        let (side, step) = (self.basis.side(), self.basis.step());
        let [above, below] = in_rows((self.tiles - block * TILES).min(TILES));
        let read = |valid: usize| rows_read(self.level, self.weight.is_bf16(), valid);
        let end = if below > 0 { ROWS + read(below) } else { read(above) };
        for lane in lanes.start..lanes.end.min(end) {
            let tile = block * TILES + lane;
            // SAFETY: a lane of each point.
            let mut to = unsafe { to.add(lane * self.pitch) };
            let mut places = [None; MOST_POINTS];
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
                let mut pixels = [self.zeros.as_ptr(); MOST_POINTS];
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

    /// Multiplies tiles, of which the first is the first of 16 rows, with some columns; `points` are those of the first tile's block.
    fn multiply(&self, tiles: Range<usize>, points: *mut u8, columns: Range<usize>) {
        let blocks = tiles.start / TILES..tiles.end.min(self.tiles).div_ceil(TILES);
        let (first, count) = (blocks.start, blocks.len());
        // The lanes of a block that are multiplied here.
        let lanes = |block: usize| {
            let start = block * TILES;
            tiles.start.max(start) - start..tiles.end.min(self.tiles).min(start + TILES) - start
        };
        let (chunks, number) = (self.weight.chunks(), self.basis.points());
        let group = if self.weight.is_bf16() && self.level == Level::Amx { chunks } else { GROUP_STEPS.min(chunks) };
        let steps = block::adjacent(group);
        let lines_floats = self.basis.outputs() * line_floats(self.basis);
        scratch::with(1, (count * number * SUMS + lines_floats) * size_of::<f32>(), |sums| {
            let sums = sums.cast::<f32>();
            // SAFETY: behind the points' sums.
            let lines = unsafe { sums.add(count * number * SUMS) };
            block::with_state(self.level, self.weight.is_bf16(), || {
                for column in columns.clone().step_by(2) {
                    let columns = (columns.end - column).min(2);
                    let weights = [self.weight.column(column), self.weight.column(column + columns - 1)];
                    for point in 0..number {
                        for step in (0..chunks).step_by(group) {
                            for block in 0..count {
                                let lanes = lanes(first + block);
                                let valid = in_rows(lanes.len());
                                // SAFETY: the lanes of the block's point and as many steps of the columns' point; each block's point has its
                                // own sums.
                                unsafe {
                                    let rows = points.add(block * self.block_bytes + point * self.point_bytes + step * STEP_BYTES);
                                    let rows = rows.add(lanes.start * self.pitch);
                                    (self.kernel)(&Block {
                                        // The second is used only if it is there.
                                        rows: [rows, rows.wrapping_add(ROWS * self.pitch)],
                                        row_tiles: 1 + usize::from(valid[1] > 0),
                                        valid,
                                        row_stride: self.pitch,
                                        steps: &steps[..group.min(chunks - step)],
                                        weights: weights.map(|weights| weights.add((point * chunks + step) * TILE_BYTES)),
                                        columns,
                                        sums: sums.add((block * number + point) * SUMS + lanes.start * SUM_STRIDE),
                                        resume: step > 0,
                                        streams: false,
                                    });
                                }
                            }
                        }
                    }
                    for block in 0..count {
                        // SAFETY: sums of this block's points; space for the lines.
                        unsafe {
                            self.finish(first + block, lanes(first + block), sums.add(block * number * SUMS), lines, column, columns)
                        };
                    }
                }
            });
        });
    }

    /// Transforms the sums of a block's lanes into outputs and stores them.
    ///
    /// # Safety
    /// The sums of all points are valid, and `lines` has space for a block's lines of outputs.
    unsafe fn finish(&self, block: usize, lanes: Range<usize>, sums: *const f32, lines: *mut f32, column: usize, columns: usize) {
        let (height, width) = self.shape.output;
        let mut lane = lanes.start;
        while lane < lanes.end {
            // A run of tiles in one line.
            let (image, line, across) = self.place(block * TILES + lane);
            let run = (self.across - across).min(lanes.end - lane);
            let side = self.basis.outputs();
            let (y, x) = (side * line, side * across);
            // If a side is odd, the doubled image lacks its last line: see `outputs`.
            let (last_line, last_column) = (y + 1 == height, across + run == self.across && width % 2 == 1);
            // SAFETY: guaranteed by the caller.
            unsafe {
                for tile in 0..run {
                    let from = sums.add((lane + tile) * SUM_STRIDE);
                    let odd = (last_line, last_column && tile + 1 == run);
                    (self.outputs)(self.basis, from, lines.add(side * tile * SUM_STRIDE), columns, odd);
                }
                let valid = (side * run).min(width - x);
                for below in 0..side.min(height - y) {
                    let row = (image * height + y + below) * width + x;
                    let sums = lines.add(below * line_floats(self.basis));
                    (self.epilogue)(&self.store, &Part { sums, row, valid, image, column, columns });
                }
            }
            lane += run;
        }
    }
}
