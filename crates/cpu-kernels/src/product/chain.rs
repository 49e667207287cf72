//! Convolutions one after the other, whose activations between them never leave the L2 cache: 3x3 kernels with few channels, with tile
//! registers.
//!
//! A large image with few channels passes through memory between any two convolutions, and takes longer there than in the tiles. Here a task
//! takes a region of the last link's output, and goes down it some lines at a time: each link computes the lines that the next one lacks, and
//! keeps the two that both these lines and the next need. So only a region's first lines and its sides are computed twice.
//!
//! Between two links lie planes of 32 channels, in each a cache line for a pixel. A plane's lines follow one another, so every tap lies at a
//! fixed offset from its pixel. A block is 16 pixels of two lines by one column of outputs: the two lines share most of their taps' rows, and
//! a column's weights stay in the L1 cache while they are multiplied with all lines. A line's last block may run into the next line, where it
//! writes what no pixel of the region depends on. Pixels beyond the image are zeros, as every link's padding wants.
//!
//! The order of each sum is that of [`super::direct`], and activations are rounded between links as there: results are the same bit for bit.

use std::{arch::x86_64::*, ops::Range};

use half::bf16;

use super::{
    Link, Packed, STEP_BYTES,
    block::{self, Block, ROWS, SUM_STRIDE, SUMS},
    pack::COLUMN,
};
use crate::{
    elementwise::vector::avx512::{first_lanes, load, store_rounding},
    runtime::{Engine, Level, SendPtr, scratch},
};

/// Channels of a plane.
const PLANE: usize = STEP_BYTES / size_of::<bf16>();
/// Pixels behind a buffer's last line that a block may reach.
const BEHIND: usize = 2 * ROWS;
/// Most pixels of a region in a line: two threads' buffers fit in one L2 cache.
const WIDTH: usize = 136;
/// Lines that each link computes at a time.
const LINES: usize = 6;
/// Most links: with more, planes outgrow the L2 cache.
const MOST_LINKS: usize = 8;
/// Regions for each thread, if they have some lines: so many that threads which are not equally fast end at the same time.
const REGIONS: usize = 16;
/// Least lines of a region in a higher image: lines above the first are computed twice for each link.
const LEAST_LINES: usize = 32;

/// How an image's output is cut into regions.
struct Division {
    images: usize,
    /// Regions side by side, and the pixels of a line in each but the last.
    strips: usize,
    width: usize,
    /// Regions below one another, and the lines of each but the last.
    regions: usize,
    height: usize,
}

impl Division {
    fn of(engine: &Engine, images: usize, (height, width): (usize, usize), links: usize) -> Self {
        // The fewest blocks: regions' sides are computed twice, and a line's last block may be a part.
        let least = width.div_ceil(WIDTH);
        let blocks = |strips: &usize| strips * (0..links).map(|halo| (width.div_ceil(*strips) + 2 * halo).div_ceil(ROWS)).sum::<usize>();
        let strips = (least..=2 * least).min_by_key(blocks).unwrap_or(least);
        let wanted = (REGIONS * engine.pool().threads()).div_ceil(images * strips);
        let lines = height.div_ceil(wanted).max(LEAST_LINES).min(height);
        Self { images, strips, width: width.div_ceil(strips), regions: height.div_ceil(lines), height: lines }
    }

    fn count(&self) -> usize {
        self.images * self.strips * self.regions
    }
}

/// Whether a chain can run in one pass, and that is the faster way: every thread has a region.
pub(crate) fn pays(engine: &Engine, images: usize, output: (usize, usize), links: &[Link<'_>]) -> bool {
    let fits = |(index, link): (usize, &Link<'_>)| {
        let (weight, is_last) = (link.weight, index + 1 == links.len());
        Packed::is_link_direct(engine.level(), weight.is_bf16(), weight.inputs())
            && weight.basis().is_none()
            && (is_last || weight.outputs().is_multiple_of(PLANE))
    };
    links.len() <= MOST_LINKS
        && links.iter().enumerate().all(fits)
        && Division::of(engine, images, output, links.len()).count() >= engine.pool().threads()
}

/// Runs the chain on x [images, height, width, channels] of `input`, which is doubled by nearest neighbour first if `output` is twice as
/// large. The caller has checked the shapes, and that it [`pays`].
pub(crate) fn run(
    engine: &Engine,
    x: &[bf16],
    images: usize,
    input: (usize, usize),
    output: (usize, usize),
    links: &[Link<'_>],
    y: SendPtr<bf16>,
) {
    let division = Division::of(engine, images, output, links.len());
    let Division { strips, width, regions, height, .. } = division;
    // A link's blocks may be wider than the pixels that it needs; what the last of a line then writes is in the next line's halo.
    let needed = width + 2 * links.len();
    let pitch = needed.max((needed - 2).next_multiple_of(ROWS));
    let chain = Chain { x, y, input, output, links: links.iter().map(Stage::of).collect(), pitch };
    let buffers = chain.buffers();
    let bytes = buffers.last().map_or(0, |buffer| buffer.start + buffer.bytes);
    engine.pool().run(division.count(), |task| {
        let (image, region, strip) = (task / strips / regions, task / strips % regions, task % strips);
        let lines = region * height..output.0.min((region + 1) * height);
        let columns = strip * width..output.1.min((strip + 1) * width);
        scratch::with(0, bytes, |memory| {
            scratch::with(1, SUMS * size_of::<f32>(), |sums| {
                block::with_state(Level::Amx, true, || chain.region(&buffers, lines, &Task { image, columns, memory, sums: sums.cast() }));
            });
        });
    });
}

/// A link, and what its products need.
struct Stage<'a> {
    weight: &'a Packed,
    /// Of each column.
    biases: Vec<[f32; COLUMN]>,
    relu: bool,
    /// The link whose input is added.
    adds: Option<usize>,
}

impl<'a> Stage<'a> {
    fn of(link: &Link<'a>) -> Self {
        let biases = link.weight.in_columns(link.bias).as_chunks().0.to_vec();
        Self { weight: link.weight, biases, relu: link.relu, adds: link.adds }
    }

    fn finish(&self, column: usize) -> Finish<'_> {
        Finish { biases: &self.biases[column], relu: self.relu, mask: first_lanes(self.weight.outputs() - column * COLUMN) }
    }
}

/// The planes of a link's input.
struct Buffer {
    /// The first byte in the task's memory.
    start: usize,
    bytes: usize,
    planes: usize,
    plane_bytes: usize,
    /// Offsets of the link's steps, each a plane at a tap, from the tap above and to the left.
    steps: Vec<usize>,
}

/// The lines of an activation that a task has: those of the image from `first` up to `end`.
#[derive(Clone, Copy)]
struct Lines {
    first: isize,
    end: isize,
}

struct Chain<'a> {
    x: &'a [bf16],
    y: SendPtr<bf16>,
    input: (usize, usize),
    output: (usize, usize),
    links: Vec<Stage<'a>>,
    /// Pixels of a line of every buffer: a region's and, on both sides, one for each link.
    pitch: usize,
}

impl Chain<'_> {
    fn buffers(&self) -> Vec<Buffer> {
        let line_bytes = self.pitch * STEP_BYTES;
        let mut start = 0;
        let buffer = |(index, stage): (usize, &Stage<'_>)| {
            // Two lines are used twice; an activation that is added must wait.
            let kept = (index + 2..=self.links.len()).filter(|later| self.links[later - 1].adds == Some(index)).map(|later| later - index);
            let lines = LINES + kept.max().unwrap_or(2).max(2);
            // A pixel's lines in all planes map to different sets of the caches.
            let plane_bytes = (lines * line_bytes + BEHIND * STEP_BYTES) | STEP_BYTES;
            let planes = stage.weight.chunks();
            let taps = (0..9).map(|tap| tap / 3 * line_bytes + tap % 3 * STEP_BYTES);
            let steps = (0..planes).flat_map(|plane| taps.clone().map(move |tap| plane * plane_bytes + tap)).collect();
            let buffer = Buffer { start, bytes: planes * plane_bytes, planes, plane_bytes, steps };
            start += buffer.bytes;
            buffer
        };
        self.links.iter().enumerate().map(buffer).collect()
    }

    /// Computes these lines of a region.
    fn region(&self, buffers: &[Buffer], lines: Range<usize>, task: &Task) {
        let count = self.links.len();
        let halo = |index: usize| (count - index) as isize;
        let start = |index: usize| lines.start as isize - halo(index);
        let mut have: Vec<Lines> = (0..=count).map(|index| Lines { first: start(index), end: start(index) }).collect();
        // The first link begins as far above the region as it ends below the last line.
        let mut front = lines.start as isize - 2 * halo(0);
        while front < lines.end as isize {
            front = (front + LINES as isize).min(lines.end as isize);
            for index in 0..=count {
                let until = front + halo(index);
                if until <= have[index].end {
                    continue;
                }
                // SAFETY: the memory has all buffers. Each has space for these lines behind those that it keeps; the one before it has the
                // lines that they need, as has one whose lines are added.
                unsafe {
                    if let Some(buffer) = buffers.get(index) {
                        let adds = (index + 1..=count).filter(|later| self.links[later - 1].adds == Some(index));
                        let needed = adds.map(|later| have[later].end).fold(have[index + 1].end - 1, isize::min);
                        self.keep(buffer, &mut have[index], needed, task.memory);
                    }
                    if index == 0 {
                        self.fill(&buffers[0], have[0], until, task)
                    } else {
                        self.convolve(buffers, index, &have, until, task)
                    }
                }
                have[index].end = until;
            }
        }
    }

    /// Where a buffer's pixel lies: that of its column 0 in a line of the image.
    fn place(&self, buffer: &Buffer, have: Lines, line: isize) -> usize {
        buffer.start + (line - have.first) as usize * self.pitch * STEP_BYTES
    }

    /// Moves lines from `needed` on to the buffer's start.
    ///
    /// # Safety
    /// `memory` has all buffers, and this one all lines of `have`.
    unsafe fn keep(&self, buffer: &Buffer, have: &mut Lines, needed: isize, memory: *mut u8) {
        if needed <= have.first {
            return;
        }
        let bytes = (have.end - needed) as usize * self.pitch * STEP_BYTES;
        for plane in 0..buffer.planes {
            let at = |line: isize| plane * buffer.plane_bytes + self.place(buffer, *have, line);
            // SAFETY: guaranteed by the caller.
            unsafe { memory.add(at(have.first)).copy_from(memory.add(at(needed)), bytes) };
        }
        have.first = needed;
    }

    /// The lines of the image among these; those before it, and those behind it, are zeros.
    fn inside(&self, lines: Range<isize>) -> Range<isize> {
        let height = self.output.0 as isize;
        lines.start.clamp(0, height)..lines.end.clamp(0, height)
    }

    /// Zeros for the lines beyond the image, and for the pixels beside it in the others.
    ///
    /// # Safety
    /// The buffer has these lines.
    unsafe fn pad(&self, buffer: &Buffer, have: Lines, lines: Range<isize>, task: &Task) {
        let (pitch, halo, width) = (self.pitch as isize, self.links.len() as isize, self.output.1 as isize);
        let left = halo - task.columns.start as isize;
        let inside = left.clamp(0, pitch) as usize..(left + width).clamp(0, pitch) as usize;
        for plane in 0..buffer.planes {
            for line in lines.clone() {
                let within = if (0..self.output.0 as isize).contains(&line) { inside.clone() } else { 0..0 };
                // SAFETY: pixels of this line, by the caller.
                unsafe {
                    let to = task.memory.add(plane * buffer.plane_bytes + self.place(buffer, have, line));
                    to.write_bytes(0, within.start * STEP_BYTES);
                    to.add(within.end * STEP_BYTES).write_bytes(0, (self.pitch - within.end) * STEP_BYTES);
                }
            }
        }
    }

    /// Copies lines of the input into its planes, up to `until`.
    ///
    /// # Safety
    /// The buffer has space for them.
    unsafe fn fill(&self, buffer: &Buffer, have: Lines, until: isize, task: &Task) {
        let doubles = usize::from(self.input != self.output);
        let channels = self.links[0].weight.inputs();
        let first = task.columns.start as isize - self.links.len() as isize;
        let columns = first.max(0) as usize..((first + self.pitch as isize) as usize).min(self.output.1);
        for line in self.inside(have.end..until) {
            let source = (task.image * self.input.0 + (line as usize >> doubles)) * self.input.1;
            // SAFETY: the pixels of this line, each with as many planes as its channels fill.
            unsafe {
                let mut to = task.memory.add(self.place(buffer, have, line) + (columns.start as isize - first) as usize * STEP_BYTES);
                for column in columns.clone() {
                    let pixel = &self.x[(source + (column >> doubles)) * channels..][..channels];
                    for (plane, run) in pixel.as_chunks::<PLANE>().0.iter().enumerate() {
                        to.add(plane * buffer.plane_bytes).copy_from_nonoverlapping(run.as_ptr().cast(), STEP_BYTES);
                    }
                    to = to.add(STEP_BYTES);
                }
            }
        }
        // SAFETY: guaranteed by the caller.
        unsafe { self.pad(buffer, have, have.end..until, task) };
    }

    /// Computes lines of the input of link `index`, or of the chain's output, up to `until`.
    ///
    /// # Safety
    /// The buffer has space for them, and the buffers of what they need have its lines.
    unsafe fn convolve(&self, buffers: &[Buffer], index: usize, have: &[Lines], until: isize, task: &Task) {
        let (stage, steps) = (&self.links[index - 1], &buffers[index - 1].steps);
        let (kernel, line_bytes) = (block::kernel(Level::Amx, true), self.pitch * STEP_BYTES);
        let lines = self.inside(have[index].end..until);
        let pixels = index..self.links.len() + task.columns.len() + self.links.len() - index;
        let place = |buffer: usize, line: isize| self.place(&buffers[buffer], have[buffer], line);
        for column in 0..stage.weight.columns() {
            let finish = stage.finish(column);
            // Of a pixel in a plane.
            let half = column % 2 * COLUMN * size_of::<bf16>();
            for (x, line) in pixels.clone().step_by(ROWS).flat_map(|x| lines.clone().step_by(2).map(move |line| (x, line))) {
                let row_tiles = (lines.end - line).min(2) as usize;
                // SAFETY: a block reads the pixels around its own, and a line's last one, as any reads of buffers, ends less than `BEHIND`
                // pixels behind the line.
                unsafe {
                    let first = task.memory.add(place(index - 1, line - 1) + (x - 1) * STEP_BYTES);
                    kernel(&Block {
                        rows: [first, first.add(line_bytes)],
                        row_tiles,
                        valid: [ROWS; 2],
                        row_stride: STEP_BYTES,
                        steps,
                        weights: [stage.weight.column(column); 2],
                        columns: 1,
                        sums: task.sums,
                        resume: false,
                        streams: false,
                    });
                }
                for (tile, line) in (line..line + row_tiles as isize).enumerate() {
                    let at = |buffer: usize| {
                        let plane = column / 2 * buffers[buffer].plane_bytes;
                        // SAFETY: a buffer has a plane for each pair of columns of what fills it, or is added to it.
                        unsafe { task.memory.add(place(buffer, line) + plane + x * STEP_BYTES + half).cast::<bf16>() }
                    };
                    let added = stage.adds.map_or(std::ptr::null(), |added| at(added).cast_const());
                    // SAFETY: the tile's sums, and as many rows as above; of the output only pixels of the region, which no other task writes.
                    unsafe {
                        let sums = task.sums.add(tile * ROWS * SUM_STRIDE);
                        if index < buffers.len() {
                            finish.rows(sums, added, at(index), PLANE, ROWS);
                            continue;
                        }
                        let row = (task.image * self.output.0 + line as usize) * self.output.1 + task.columns.start + x - index;
                        let outputs = stage.weight.outputs();
                        let to = self.y.get().add(row * outputs + column * COLUMN);
                        finish.rows(sums, added, to, outputs, ROWS.min(pixels.end - x));
                    }
                }
            }
        }
        if let Some(to) = buffers.get(index) {
            // SAFETY: guaranteed by the caller.
            unsafe { self.pad(to, have[index], have[index].end..until, task) };
        }
    }
}

/// What a task's steps share.
struct Task {
    image: usize,
    /// The region's columns.
    columns: Range<usize>,
    memory: *mut u8,
    sums: *mut f32,
}

/// The epilogue of a column.
struct Finish<'a> {
    biases: &'a [f32; COLUMN],
    relu: bool,
    /// The outputs that there are.
    mask: u16,
}

impl Finish<'_> {
    /// Finishes `count` rows of sums, adding those of a plane if there are any, and stores them `stride` outputs apart.
    ///
    /// # Safety
    /// The processor has the level `amx`; the rows of all are valid.
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")]
    unsafe fn rows(&self, sums: *const f32, added: *const bf16, to: *mut bf16, stride: usize, count: usize) {
        // A maximum with the least number changes nothing; a NaN as its second operand is its result.
        let least = _mm512_set1_ps(if self.relu { 0.0 } else { f32::NEG_INFINITY });
        // SAFETY: guaranteed by the caller; the mask excludes outputs that do not exist.
        unsafe {
            let biases = _mm512_loadu_ps(self.biases.as_ptr());
            for row in 0..count {
                let mut value = _mm512_add_ps(_mm512_load_ps(sums.add(row * SUM_STRIDE)), biases);
                if !added.is_null() {
                    value = _mm512_add_ps(value, load(added.add(row * PLANE), self.mask));
                }
                store_rounding(to.add(row * stride), _mm512_max_ps(least, value), self.mask);
            }
        }
    }
}
