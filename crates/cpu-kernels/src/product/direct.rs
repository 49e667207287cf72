//! Direct convolution and linear layers: which rows are multiplied with which weights, and where the sums go.
//!
//! A convolution needs no im2col matrix: each task copies the input lines that it needs, with zero padding (and enlarged or widened in the
//! same copy, if requested), so that every tap of a kernel lies at a fixed offset from its pixel. A linear layer is a convolution with one
//! tap, and reads activations in place when their rows are whole steps.
//!
//! Tasks own their outputs: no two write the same element, and no sum is split between tasks, so results do not depend on the threads.

use super::{
    ConvShape, GROUP_STEPS, Packed, STEP_BYTES, TASKS, TILE_BYTES,
    block::{self, Block, Kernel, ROWS, SUMS},
    epilogue::{self, Part, Store},
};
use crate::{
    elementwise::Element,
    runtime::{Engine, Level, SendPtr, scratch},
};

/// Output pixels of a task: enough that a column's weights are reused often once they are in the L2 cache.
const TASK_PIXELS: usize = 512;
/// Bytes of a task's input copy, which should stay in the L2 cache together with a pair of columns.
const TASK_BYTES: usize = 768 << 10;
/// Tiles in a batch: 64 KiB of sums.
const BATCH_TILES: usize = 32;

/// 16 rows of activations in one piece of memory, and the position of their outputs.
#[derive(Clone, Copy)]
struct Tile {
    rows: *const u8,
    /// The first output, as a row of y.
    output: usize,
    /// How many of the rows are outputs, at most 16.
    valid: usize,
    image: usize,
}

/// Output pixels of one task: a rectangle of one image.
#[derive(Clone, Copy)]
struct Piece {
    image: usize,
    /// The first line, and how many.
    first: usize,
    count: usize,
    /// The first pixel of a line, and how many.
    from: usize,
    width: usize,
}

/// The size of the pieces, and of their copies of the input.
struct Layout {
    /// Output pixels of a piece in a line.
    part: usize,
    /// Output lines of a piece.
    lines: usize,
    /// Bytes from one line of the copy to the next.
    line_bytes: usize,
    copy_bytes: usize,
}

/// Runs the convolution into `store`; the caller has checked the shapes.
pub(crate) fn run<T: Element>(engine: &Engine, x: &[T], weight: &Packed, shape: ConvShape, store: Store<'_, T>) {
    let product = Product {
        x,
        weight,
        shape,
        store,
        kernel: block::kernel(engine.level(), weight.is_bf16()),
        epilogue: epilogue::of::<T>(engine.level()),
        level: engine.level(),
    };
    product.run(engine);
}

struct Product<'a, T: Element> {
    x: &'a [T],
    weight: &'a Packed,
    shape: ConvShape,
    store: Store<'a, T>,
    kernel: Kernel,
    epilogue: epilogue::Epilogue<T>,
    level: Level,
}

// SAFETY: the pointers are into slices that outlive the product; each task writes its own outputs.
unsafe impl<T: Element> Sync for Product<'_, T> {}

impl<T: Element> Product<'_, T> {
    /// Whether products can read activations in place: one tap, rows of whole steps, no resizing and no skipped pixels.
    fn reads_in_place(&self) -> bool {
        let shape = &self.shape;
        self.weight.taps() == 1
            && T::HALF == self.weight.is_bf16()
            && self.weight.inputs().is_multiple_of(self.weight.step_channels())
            && shape.stride == 1
            && shape.pad == (0, 0)
            && shape.enlarged == shape.input
            && shape.output == shape.input
    }

    /// Bytes of a pixel's channels, as the products read them.
    fn pixel_bytes(&self) -> usize {
        self.weight.chunks() * STEP_BYTES
    }

    /// Bytes from one pixel to the next in a task's copy: an odd number of cache lines, so that a tile's rows do not map to the same few
    /// sets of the L1 cache.
    fn pitch(&self) -> usize {
        (self.weight.chunks() | 1) * STEP_BYTES
    }

    /// How the output is cut into pieces.
    fn layout(&self) -> Layout {
        let (height, width) = self.shape.output;
        let (stride, (tall, wide)) = (self.shape.stride, self.shape.kernel);
        let of = |lines: usize, part: usize| {
            // The last tile of a line reads 16 rows, however few are left. A saturated size is refused by the scratch.
            let line_bytes = (part.next_multiple_of(ROWS) - 1).saturating_mul(stride).saturating_add(wide).saturating_mul(self.pitch());
            let copy_bytes = (lines - 1).saturating_mul(stride).saturating_add(tall).saturating_mul(line_bytes);
            Layout { part, lines, line_bytes, copy_bytes }
        };
        // As many lines as fit; if one line does not fit, a part of it.
        let mut part = width;
        while part > ROWS && of(1, part).copy_bytes > TASK_BYTES {
            part = (part / 2).next_multiple_of(ROWS);
        }
        let mut lines = (TASK_PIXELS / part).clamp(1, height);
        while lines > 1 && of(lines, part).copy_bytes > TASK_BYTES {
            lines -= 1;
        }
        of(lines, part)
    }

    fn run(&self, engine: &Engine) {
        let (images, (height, width)) = (self.shape.images, self.shape.output);
        if self.reads_in_place() {
            // All rows of all images are one line, unless each image has its own bias.
            let (lines, length) = if self.store.bias_stride == 0 { (1, images * height * width) } else { (images, height * width) };
            let strips = length.div_ceil(TASK_PIXELS);
            let groups = self.column_groups(lines * strips);
            engine.pool().run(lines * strips * groups, |task| {
                let (part, group) = (task / groups, task % groups);
                let (image, from) = (part / strips, part % strips * TASK_PIXELS);
                self.in_place(image * length + from, TASK_PIXELS.min(length - from), image, self.group(group, groups));
            });
            return;
        }
        let layout = self.layout();
        let (strips, parts) = (height.div_ceil(layout.lines), width.div_ceil(layout.part));
        let pieces: Vec<Piece> = (0..images * strips * parts)
            .map(|index| {
                let (image, first, from) = (index / parts / strips, index / parts % strips * layout.lines, index % parts * layout.part);
                Piece { image, first, count: layout.lines.min(height - first), from, width: layout.part.min(width - from) }
            })
            .collect();
        let groups = self.column_groups(pieces.len());
        let row_stride = self.shape.stride * self.pitch();
        let taps = self.taps(&layout);
        if groups == 1 {
            engine.pool().run(pieces.len(), |task| {
                scratch::with(0, layout.copy_bytes, |copy| {
                    let mut tiles = Vec::new();
                    // SAFETY: the copy has the layout's size.
                    unsafe { self.fill(pieces[task], &layout, copy) };
                    self.tiles(pieces[task], &layout, copy, &mut tiles);
                    self.multiply(&tiles, row_stride, &taps, 0, self.weight.columns());
                });
            });
            return;
        }
        // Small images with many weights: all pieces are copied first, and each task takes some columns for all of them.
        scratch::with(3, pieces.len().saturating_mul(layout.copy_bytes), |copies| {
            let copies = SendPtr(copies);
            let copy_of = |index: usize| {
                // SAFETY: the buffer has a copy for each piece.
                unsafe { copies.get().add(index * layout.copy_bytes) }
            };
            engine.pool().run(pieces.len(), |index| {
                // SAFETY: each copy belongs to one task and has the layout's size.
                unsafe { self.fill(pieces[index], &layout, copy_of(index)) }
            });
            engine.pool().run(groups, |group| {
                let mut tiles = Vec::new();
                for (index, piece) in pieces.iter().enumerate() {
                    self.tiles(*piece, &layout, copy_of(index), &mut tiles);
                }
                let (from, to) = self.group(group, groups);
                self.multiply(&tiles, row_stride, &taps, from, to);
            });
        });
    }

    /// Number of groups that the columns are cut into if the pixels make `parts` tasks.
    fn column_groups(&self, parts: usize) -> usize {
        if parts >= TASKS { 1 } else { TASKS.div_ceil(parts).min(self.weight.columns().div_ceil(2)) }
    }

    /// The columns of a group; pairs stay together.
    fn group(&self, group: usize, groups: usize) -> (usize, usize) {
        let pairs = self.weight.columns().div_ceil(2);
        let start = |group: usize| 2 * (group * pairs / groups);
        (start(group), start(group + 1).min(self.weight.columns()))
    }

    /// Multiplies rows in place; remaining rows that do not fill a tile are read from a zero-padded copy.
    fn in_place(&self, first: usize, count: usize, image: usize, (from, to): (usize, usize)) {
        let stride = self.pixel_bytes();
        let whole = count / ROWS;
        let rest = count % ROWS;
        scratch::with(0, ROWS * stride, |copy| {
            let rows = |at: usize| self.x[at * self.weight.inputs()..].as_ptr().cast::<u8>();
            let mut tiles: Vec<Tile> =
                (0..whole).map(|tile| Tile { rows: rows(first + tile * ROWS), output: first + tile * ROWS, valid: ROWS, image }).collect();
            if rest > 0 {
                let at = first + whole * ROWS;
                // SAFETY: `rest` rows of x start there, and the copy has space for a tile.
                unsafe {
                    copy.copy_from_nonoverlapping(rows(at), rest * stride);
                    copy.add(rest * stride).write_bytes(0, (ROWS - rest) * stride);
                }
                tiles.push(Tile { rows: copy, output: at, valid: rest, image });
            }
            self.multiply(&tiles, stride, &[0], from, to);
        });
    }

    /// Offsets of the taps from a pixel in a copy.
    fn taps(&self, layout: &Layout) -> Vec<usize> {
        let (tall, wide) = self.shape.kernel;
        (0..tall * wide).map(|tap| tap / wide * layout.line_bytes + tap % wide * self.pitch()).collect()
    }

    /// The tiles of a piece.
    fn tiles(&self, piece: Piece, layout: &Layout, copy: *const u8, tiles: &mut Vec<Tile>) {
        let (pixel, pitch) = (self.pitch() * self.shape.stride, layout.line_bytes * self.shape.stride);
        let (height, width) = self.shape.output;
        for line in 0..piece.count {
            for x in (0..piece.width).step_by(ROWS) {
                // SAFETY: within the copy, which has a whole tile at the end of every line.
                let rows = unsafe { copy.add(line * pitch + x * pixel) };
                let output = (piece.image * height + piece.first + line) * width + piece.from + x;
                tiles.push(Tile { rows, output, valid: ROWS.min(piece.width - x), image: piece.image });
            }
        }
    }

    /// Copies a piece's part of the image, with zero padding.
    ///
    /// # Safety
    /// `copy` has the layout's `copy_bytes`.
    unsafe fn fill(&self, piece: Piece, layout: &Layout, copy: *mut u8) {
        let shape = &self.shape;
        let (pixel_bytes, pitch, channels) = (self.pixel_bytes(), self.pitch(), self.weight.inputs());
        let (width, (tall, wide)) = (shape.input.1, shape.enlarged);
        let lines = (piece.count - 1) * shape.stride + shape.kernel.0;
        let pixels = layout.line_bytes / pitch;
        // Pixels that the piece's outputs read; the tile behind them reads zeros.
        let used = (piece.width - 1) * shape.stride + shape.kernel.1;
        let left = (piece.from * shape.stride) as isize - shape.pad.1 as isize;
        let inside = ((-left).clamp(0, used as isize) as usize, (wide as isize - left).clamp(0, used as isize) as usize);
        let whole = T::HALF == self.weight.is_bf16() && channels * size_of::<T>() == pitch;
        for line in 0..lines {
            // SAFETY: `lines` lines of `pixels` pixels are the copy.
            let to = unsafe { copy.add(line * layout.line_bytes) };
            let y = ((piece.first * shape.stride + line) as isize - shape.pad.0 as isize) as usize;
            let (from, until) = if y < tall { inside } else { (0, 0) };
            // SAFETY: `from <= until <= pixels`.
            unsafe {
                to.write_bytes(0, from * pitch);
                to.add(until * pitch).write_bytes(0, (pixels - until) * pitch);
            }
            if from >= until {
                continue;
            }
            let source = (piece.image * shape.input.0 + y * shape.input.0 / tall) * width;
            let at = |pixel: usize| source + (left + pixel as isize) as usize * width / wide;
            if whole && wide == width {
                let run = &self.x[at(from) * channels..(at(until - 1) + 1) * channels];
                // SAFETY: a run of `until - from` pixels, which have the same length in both.
                unsafe { to.add(from * pitch).copy_from_nonoverlapping(run.as_ptr().cast(), size_of_val(run)) };
                continue;
            }
            for pixel in from..until {
                let run = &self.x[at(pixel) * channels..(at(pixel) + 1) * channels];
                // SAFETY: a pixel of the copy has space for its channels in the products' precision.
                unsafe {
                    let to = to.add(pixel * pitch);
                    let filled = if T::HALF == self.weight.is_bf16() {
                        to.copy_from_nonoverlapping(run.as_ptr().cast(), size_of_val(run));
                        size_of_val(run)
                    } else {
                        for (index, value) in run.iter().enumerate() {
                            to.cast::<f32>().add(index).write(value.widen());
                        }
                        size_of::<f32>() * channels
                    };
                    to.add(filled).write_bytes(0, pixel_bytes - filled);
                }
            }
        }
    }

    /// Multiplies all tiles with the columns from `from` to `to`.
    ///
    /// A pair of columns is processed in groups of steps that stay in the L1 cache while all rows of a batch are multiplied with them; the
    /// batch's sums wait in the L2 cache.
    fn multiply(&self, tiles: &[Tile], row_stride: usize, taps: &[usize], from: usize, to: usize) {
        let chunks = self.weight.chunks();
        // With tile registers, storing and reloading the sums costs more than closer weights save.
        let unsplit = self.weight.is_bf16() && self.level == Level::Amx;
        let group = if unsplit { chunks } else { (GROUP_STEPS / taps.len()).clamp(1, chunks) };
        scratch::with(1, BATCH_TILES / 2 * SUMS * size_of::<f32>(), |sums| {
            let sums = sums.cast::<f32>();
            block::with_state(self.level, self.weight.is_bf16(), || {
                for column in (from..to).step_by(2) {
                    let columns = (to - column).min(2);
                    let weights = [self.weight.column(column), self.weight.column(column + columns - 1)];
                    for batch in tiles.chunks(BATCH_TILES) {
                        for first in (0..chunks).step_by(group) {
                            // SAFETY: steps of the column.
                            let weights = weights.map(|weights| unsafe { weights.add(first * taps.len() * TILE_BYTES) });
                            for (index, pair) in batch.chunks(2).enumerate() {
                                // SAFETY: a tile has 16 readable rows at every tap and chunk, a column `chunks * taps` tiles; each pair has
                                // its own sums.
                                unsafe {
                                    let rows = [pair[0], pair[pair.len() - 1]].map(|tile| tile.rows.add(first * STEP_BYTES));
                                    (self.kernel)(&Block {
                                        rows,
                                        row_tiles: pair.len(),
                                        row_stride,
                                        taps,
                                        chunks: group.min(chunks - first),
                                        weights,
                                        columns,
                                        sums: sums.add(index * SUMS),
                                        resume: first > 0,
                                    });
                                }
                            }
                        }
                        for (index, tile) in batch.iter().enumerate() {
                            // SAFETY: the tile's sums, and outputs that only this task writes.
                            unsafe {
                                let sums = sums.add(index / 2 * SUMS + index % 2 * ROWS * block::SUM_STRIDE);
                                let Tile { output: row, valid, image, .. } = *tile;
                                (self.epilogue)(&self.store, &Part { sums, row, valid, image, column, columns });
                            }
                        }
                    }
                }
            });
        });
    }
}
