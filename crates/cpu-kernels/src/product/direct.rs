//! Direct convolution and linear layers: which rows are multiplied with which weights, and where the sums go.
//!
//! A convolution needs no im2col matrix: each task copies the input lines that it needs, with zero padding (and enlarged or widened in the
//! same copy, if requested), so that every tap of a kernel lies at a fixed offset from its pixel. A linear layer is a convolution with one
//! tap, and reads activations in place when their rows are whole steps.
//!
//! With tile registers, a copy is a plane for each chunk of channels, in linear layers too: the rows of a tile are then contiguous, which is
//! what the processor fetches ahead, and some chunks of all rows can stay in the L2 cache while many columns are multiplied with them.
//!
//! Tasks own their outputs: no two write the same element, and no sum is split between tasks, so results do not depend on the threads.

use super::{
    Channels, ConvShape, GROUP_STEPS, Packed, STEP_BYTES, TILE_BYTES,
    block::{self, Block, Kernel, ROWS, SUMS},
    epilogue::{self, Part, Store},
};
use crate::{
    elementwise::Element,
    runtime::{Engine, Level, SendPtr, TASKS, scratch, share},
};

/// Output pixels of a task: enough that a column's weights are reused often once they are in the L2 cache.
const TASK_PIXELS: usize = 512;
/// With fewer products than this, handing out a part of them takes longer than computing it.
const FEW_PRODUCTS: usize = 1 << 17;
/// Bytes of weights that each of a few tasks may read as a whole from the L2 cache.
const SHARED_BYTES: usize = 512 << 10;
/// Most output pixels of a task in a line.
const TASK_WIDTH: usize = 64;
/// Bytes of a task's input copy, which should stay in the L2 cache together with a pair of columns.
const TASK_BYTES: usize = 768 << 10;
/// The same with planes, of which only some need to stay.
const PLANES_BYTES: usize = 8 << 20;
/// Bytes of the planes that are multiplied with a range of columns before the next ones.
const GROUP_BYTES: usize = 512 << 10;
/// Least steps of such a group: storing and reloading a block's sums takes as long as a few steps.
const LEAST_STEPS: usize = 40;
/// Bytes of sums that wait while a range of columns is multiplied with group after group.
const WAITING_BYTES: usize = 256 << 10;
/// Bytes of a group's weights that stay in the L1 cache while all tiles of a batch are multiplied with them.
const RESIDENT_BYTES: usize = 36 << 10;
/// Tiles in a batch: 64 KiB of sums.
const BATCH_TILES: usize = 32;
/// The same where sums need not wait for further steps, but should stay in the L1 cache for the epilogue.
const FEW_TILES: usize = 8;

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
    /// Bytes from a pixel's chunk of channels to its next one.
    chunk_bytes: usize,
    copy_bytes: usize,
}

/// Runs the convolution into `store`; the caller has checked the shapes.
pub(crate) fn run<T: Element>(engine: &Engine, inputs: &[Channels<'_, T>], weight: &Packed, shape: ConvShape, store: Store<'_, T>) {
    let product = Product {
        inputs,
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
    /// The channels of the input, which lie in these.
    inputs: &'a [Channels<'a, T>],
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
        !self.in_planes()
            && self.inputs.len() == 1
            && self.weight.taps() == 1
            && T::HALF == self.weight.is_bf16()
            && self.weight.inputs().is_multiple_of(self.weight.step_channels())
            && shape.stride == 1
            && shape.pad == (0, 0)
            && shape.enlarged == shape.input
            && shape.output == shape.input
    }

    /// Whether all tasks may read all weights, so that pixels alone are cut into tasks.
    fn is_shared(&self) -> bool {
        self.weight.columns() * self.weight.column_bytes() <= SHARED_BYTES
    }

    /// Bytes of a pixel's channels, as the products read them.
    fn pixel_bytes(&self) -> usize {
        self.weight.chunks() * STEP_BYTES
    }

    /// Whether a copy is a plane for each chunk of channels.
    fn in_planes(&self) -> bool {
        self.level == Level::Amx && self.weight.is_bf16()
    }

    /// Bytes from one pixel to the next in a task's copy: in planes they are neighbours, else an odd number of cache lines apart, so that a
    /// tile's rows do not map to the same few sets of the L1 cache.
    fn pitch(&self) -> usize {
        if self.in_planes() { STEP_BYTES } else { (self.weight.chunks() | 1) * STEP_BYTES }
    }

    /// How the output is cut into pieces.
    fn layout(&self) -> Layout {
        let (height, width) = self.shape.output;
        let (stride, (tall, wide)) = (self.shape.stride, self.shape.kernel);
        let of = |lines: usize, part: usize| {
            // The last tile of a line reads 16 rows, however few are left. A saturated size is refused by the scratch.
            let line_bytes = (part.next_multiple_of(ROWS) - 1).saturating_mul(stride).saturating_add(wide).saturating_mul(self.pitch());
            let bytes = (lines - 1).saturating_mul(stride).saturating_add(tall).saturating_mul(line_bytes);
            // A pixel's lines in all planes map to different sets of the caches.
            let plane_bytes = bytes | STEP_BYTES;
            let (chunk_bytes, copy_bytes) =
                if self.in_planes() { (plane_bytes, plane_bytes.saturating_mul(self.weight.chunks())) } else { (STEP_BYTES, bytes) };
            Layout { part, lines, line_bytes, chunk_bytes, copy_bytes }
        };
        // Parts of long lines, so that many lines share a piece: each piece also copies what lies around it. If one line does not fit, less.
        let most = if self.in_planes() { PLANES_BYTES } else { TASK_BYTES };
        let mut part =
            if height == 1 { width.min(TASK_PIXELS) } else { width.div_ceil(width.div_ceil(TASK_WIDTH)).next_multiple_of(ROWS).min(width) };
        while part > ROWS && of(1, part).copy_bytes > most {
            part = (part / 2).next_multiple_of(ROWS);
        }
        let mut lines = (TASK_PIXELS / part).clamp(1, height);
        while lines > 1 && of(lines, part).copy_bytes > most {
            lines -= 1;
        }
        if self.is_shared() {
            let all = self.shape.images * width.div_ceil(part) * height;
            lines = lines.min(share(all, 1, ROWS.div_ceil(part), lines));
        }
        of(lines, part)
    }

    fn run(&self, engine: &Engine) {
        let (images, (height, width)) = (self.shape.images, self.shape.output);
        if self.reads_in_place() {
            // All rows of all images are one line, unless each image has its own bias.
            let (lines, length) = if self.store.bias_stride == 0 { (1, images * height * width) } else { (images, height * width) };
            let pixels = if self.is_shared() { share(lines * length, 2 * ROWS, 2 * ROWS, TASK_PIXELS) } else { TASK_PIXELS };
            let strips = length.div_ceil(pixels);
            let groups = self.column_groups(lines * strips);
            engine.pool().run(lines * strips * groups, |task| {
                let (part, group) = (task / groups, task % groups);
                let (image, from) = (part / strips, part % strips * pixels);
                self.in_place(image * length + from, pixels.min(length - from), image, self.group(group, groups));
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
        let row_stride = self.shape.stride * self.pitch();
        let steps = self.steps(&layout);
        if self.column_groups(pieces.len()) == 1 {
            engine.pool().run(pieces.len(), |task| {
                scratch::with(0, layout.copy_bytes, |copy| {
                    let mut tiles = Vec::new();
                    // SAFETY: the copy has the layout's size.
                    unsafe { self.fill(pieces[task], &layout, copy) };
                    self.tiles(pieces[task], &layout, copy, &mut tiles);
                    self.multiply(&tiles, row_stride, &steps, 0, self.weight.columns());
                });
            });
            return;
        }
        // Small images with many weights: all pieces are copied first, and each task takes some columns for all of them, or for some if columns
        // are few.
        let groups = TASKS.min(self.weight.pairs());
        let parts = TASKS.div_ceil(groups).min(pieces.len());
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
            engine.pool().run(groups * parts, |task| {
                let (part, group) = (task / groups, task % groups);
                let mut tiles = Vec::new();
                let (first, end) = (part * pieces.len() / parts, (part + 1) * pieces.len() / parts);
                for (index, piece) in pieces.iter().enumerate().take(end).skip(first) {
                    self.tiles(*piece, &layout, copy_of(index), &mut tiles);
                }
                let (from, to) = self.group(group, groups);
                self.multiply(&tiles, row_stride, &steps, from, to);
            });
        });
    }

    /// Number of groups that the columns are cut into if the pixels make `parts` tasks.
    fn column_groups(&self, parts: usize) -> usize {
        let (height, width) = self.shape.output;
        let weights = self.weight.columns() * self.weight.column_bytes() / size_of::<f32>();
        let products = [self.shape.images, height, width, weights].into_iter().fold(1, usize::saturating_mul);
        if parts >= TASKS || products < FEW_PRODUCTS { 1 } else { TASKS.div_ceil(parts).min(self.weight.pairs()) }
    }

    /// The columns of a group; pairs stay together.
    fn group(&self, group: usize, groups: usize) -> (usize, usize) {
        let pairs = self.weight.pairs();
        let start = |group: usize| 2 * (group * pairs / groups);
        (start(group), start(group + 1).min(self.weight.columns()))
    }

    /// Multiplies rows in place; remaining rows that do not fill a tile are read from a zero-padded copy.
    fn in_place(&self, first: usize, count: usize, image: usize, (from, to): (usize, usize)) {
        let stride = self.pixel_bytes();
        let whole = count / ROWS;
        let rest = count % ROWS;
        scratch::with(0, ROWS * stride, |copy| {
            let rows = |at: usize| self.inputs[0].values[at * self.weight.inputs()..].as_ptr().cast::<u8>();
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
            self.multiply(&tiles, stride, &block::adjacent(self.weight.chunks()), from, to);
        });
    }

    /// Offsets of the steps, each a chunk at a tap, from a pixel in a copy.
    fn steps(&self, layout: &Layout) -> Vec<usize> {
        let (tall, wide) = self.shape.kernel;
        let tap = |tap: usize| tap / wide * layout.line_bytes + tap % wide * self.pitch();
        (0..self.weight.chunks()).flat_map(|chunk| (0..tall * wide).map(move |at| chunk * layout.chunk_bytes + tap(at))).collect()
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
        let (pitch, channels) = (self.pitch(), self.weight.inputs());
        let (width, (tall, wide)) = (shape.input.1, shape.enlarged);
        let lines = (piece.count - 1) * shape.stride + shape.kernel.0;
        let pixels = layout.line_bytes / pitch;
        let planes = if self.in_planes() { self.weight.chunks() } else { 1 };
        // Pixels that the piece's outputs read; the tile behind them reads zeros.
        let used = (piece.width - 1) * shape.stride + shape.kernel.1;
        let left = (piece.from * shape.stride) as isize - shape.pad.1 as isize;
        let inside = ((-left).clamp(0, used as isize) as usize, (wide as isize - left).clamp(0, used as isize) as usize);
        let whole = self.inputs.len() == 1 && T::HALF == self.weight.is_bf16() && planes == 1 && channels * size_of::<T>() == pitch;
        for line in 0..lines {
            // SAFETY: `lines` lines of `pixels` pixels are the copy, or each of its planes.
            let to = unsafe { copy.add(line * layout.line_bytes) };
            let y = ((piece.first * shape.stride + line) as isize - shape.pad.0 as isize) as usize;
            let (from, until) = if y < tall { inside } else { (0, 0) };
            for plane in 0..planes {
                // SAFETY: `from <= until <= pixels`.
                unsafe {
                    let to = to.add(plane * layout.chunk_bytes);
                    to.write_bytes(0, from * pitch);
                    to.add(until * pitch).write_bytes(0, (pixels - until) * pitch);
                }
            }
            if from >= until {
                continue;
            }
            let source = (piece.image * shape.input.0 + y * shape.input.0 / tall) * width;
            let at = |pixel: usize| source + (left + pixel as isize) as usize * width / wide;
            if whole && wide == width {
                let run = &self.inputs[0].values[at(from) * channels..(at(until - 1) + 1) * channels];
                // SAFETY: a run of `until - from` pixels, which have the same length in both.
                unsafe { to.add(from * pitch).copy_from_nonoverlapping(run.as_ptr().cast(), size_of_val(run)) };
                continue;
            }
            if self.in_planes() {
                // Some pixels at a time, so that neither reads nor writes jump between more pages than the processor can follow.
                for first in (from..until).step_by(ROWS) {
                    let pixels = first..until.min(first + ROWS);
                    let mut plane = to;
                    for Channels { values, channels } in self.inputs {
                        for start in (0..*channels).step_by(self.weight.step_channels()) {
                            let channels_here = start..(*channels).min(start + self.weight.step_channels());
                            for pixel in pixels.clone() {
                                let run = &values[at(pixel) * channels..][channels_here.clone()];
                                // SAFETY: a pixel of a plane has space for a chunk's channels.
                                unsafe { self.fill_pixel(run, STEP_BYTES, plane.add(pixel * pitch)) };
                            }
                            // Behind the last plane there is none.
                            plane = plane.wrapping_add(layout.chunk_bytes);
                        }
                    }
                }
                continue;
            }
            for pixel in from..until {
                let mut room_before = 0;
                for Channels { values, channels } in self.inputs {
                    let run = &values[at(pixel) * channels..(at(pixel) + 1) * channels];
                    let room = channels.div_ceil(self.weight.step_channels()) * STEP_BYTES;
                    // SAFETY: a pixel of the copy has space for its channels in the products' precision; those of a part are whole steps.
                    unsafe { self.fill_pixel(run, room, to.add(pixel * pitch + room_before)) };
                    room_before += room;
                }
            }
        }
    }

    /// Copies channels of a pixel, with zeros behind the last.
    ///
    /// # Safety
    /// `to` has `room` bytes, enough for the channels in the products' precision.
    #[inline]
    unsafe fn fill_pixel(&self, run: &[T], room: usize, to: *mut u8) {
        // SAFETY: guaranteed by the caller.
        unsafe {
            if T::HALF == self.weight.is_bf16() {
                if size_of_val(run) == STEP_BYTES && room == STEP_BYTES {
                    // A length that the compiler knows.
                    return to.copy_from_nonoverlapping(run.as_ptr().cast(), STEP_BYTES);
                }
                to.copy_from_nonoverlapping(run.as_ptr().cast(), size_of_val(run));
                return to.add(size_of_val(run)).write_bytes(0, room - size_of_val(run));
            }
            for (index, value) in run.iter().enumerate() {
                to.cast::<f32>().add(index).write(value.widen());
            }
            to.add(size_of::<f32>() * run.len()).write_bytes(0, room - size_of::<f32>() * run.len());
        }
    }

    /// The order of the products of `tiles` tiles.
    fn order(&self, tiles: usize) -> Order {
        let chunks = self.weight.chunks();
        if !self.in_planes() {
            return Order { rows: tiles, pairs: 1, waiting: BATCH_TILES, chunks: (GROUP_STEPS / self.weight.taps()).clamp(1, chunks) };
        }
        // Some planes of all tiles if these are steps enough, else of some tiles.
        let least = LEAST_STEPS.div_ceil(self.weight.taps()).min(chunks);
        let rows = tiles.min((GROUP_BYTES / (least * TILE_BYTES)).next_multiple_of(2));
        let groups = chunks.div_ceil((GROUP_BYTES / (rows * TILE_BYTES)).max(least));
        if groups == 1 {
            return Order { rows, pairs: 1, waiting: FEW_TILES, chunks };
        }
        let sums = rows.div_ceil(2) * SUMS * size_of::<f32>();
        Order { rows, pairs: (WAITING_BYTES / sums).max(1), waiting: rows, chunks: chunks.div_ceil(groups) }
    }

    /// Multiplies all tiles with the columns from `from` to `to`.
    ///
    /// Groups of steps stay in a cache while they are multiplied: with one pair of columns, those of the columns while all rows of a batch
    /// pass; with several, those of the rows. The sums wait in the L2 cache for the next group.
    fn multiply(&self, tiles: &[Tile], row_stride: usize, steps: &[usize], from: usize, to: usize) {
        let order = self.order(tiles.len());
        let group = order.chunks * self.weight.taps();
        let streams = 2 * group * TILE_BYTES > RESIDENT_BYTES;
        let waiting = order.waiting.min(tiles.len()).div_ceil(2);
        scratch::with(1, waiting * order.pairs * SUMS * size_of::<f32>(), |sums| {
            let sums = sums.cast::<f32>();
            // SAFETY: a block for each waiting pair of tiles and pair of columns.
            let sums_of = |columns: usize, tiles: usize| unsafe { sums.add((columns * waiting + tiles) * SUMS) };
            let pairs_from =
                |range: usize| (range..to.min(range + 2 * order.pairs)).step_by(2).map(|column| (column, (to - column).min(2)));
            block::with_state(self.level, self.weight.is_bf16(), || {
                let ranges = tiles.chunks(order.rows).flat_map(|rows| (from..to).step_by(2 * order.pairs).map(move |range| (rows, range)));
                for (batch, range) in ranges.flat_map(|(rows, range)| rows.chunks(order.waiting).map(move |batch| (batch, range))) {
                    for first in (0..steps.len()).step_by(group) {
                        let steps = &steps[first..steps.len().min(first + group)];
                        for (place, (column, columns)) in pairs_from(range).enumerate() {
                            let weights = [self.weight.column(column), self.weight.column(column + columns - 1)];
                            // SAFETY: steps of the column.
                            let weights = weights.map(|weights| unsafe { weights.add(first * TILE_BYTES) });
                            for (index, pair) in batch.chunks(2).enumerate() {
                                // SAFETY: a tile has 16 readable rows at every step, a column a tile for each; each pair has its own sums.
                                unsafe {
                                    (self.kernel)(&Block {
                                        rows: [pair[0].rows, pair[pair.len() - 1].rows],
                                        row_tiles: pair.len(),
                                        valid: [pair[0].valid, pair[pair.len() - 1].valid],
                                        row_stride,
                                        steps,
                                        weights,
                                        columns,
                                        sums: sums_of(place, index),
                                        resume: first > 0,
                                        streams,
                                    });
                                }
                            }
                        }
                    }
                    for (place, (column, columns)) in pairs_from(range).enumerate() {
                        for (index, tile) in batch.iter().enumerate() {
                            // SAFETY: the tile's sums, and outputs that only this task writes.
                            unsafe {
                                let sums = sums_of(place, index / 2).add(index % 2 * ROWS * block::SUM_STRIDE);
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

/// The order of a task's products, from the outside in.
struct Order {
    /// Tiles that are multiplied with all columns before the next ones.
    rows: usize,
    /// Pairs of columns in a range.
    pairs: usize,
    /// Tiles whose sums wait for the range's next group.
    waiting: usize,
    /// Chunks of channels in a group.
    chunks: usize,
}
