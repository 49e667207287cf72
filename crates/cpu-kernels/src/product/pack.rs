//! Weights in the order in which the micro-kernels read them, packed once at load.
//!
//! A product's inner dimension is cut into steps of one cache line: 32 channels in bfloat16, 16 in f32, of one tap (a linear layer has one
//! tap, a 3x3 convolution nine). Steps are ordered by chunk of channels, and within a chunk by tap, so that a convolution finds a pixel's
//! chunk in the L1 cache for all taps. The outputs are cut into columns of 16. One step of one column is a tile of 1 KiB: in f32, 16
//! channels of 16 outputs; in bfloat16, 16 pairs of channels of 16 outputs with the pair side by side, as `vdpbf16ps` and `tdpbf16ps`
//! require. Missing channels and outputs are padded with zeros.

use std::mem::MaybeUninit;

use half::bf16;

use super::{
    Weight,
    basis::{Basis, Images, MOST_POINTS},
};
#[cfg(target_arch = "x86_64")]
use crate::elementwise::vector::avx512;
use crate::{
    elementwise::{Element, Stored, vector::vectorised},
    runtime::{
        Engine, Level, SendPtr,
        scratch::{self, Aligned},
        volume,
    },
};

/// Outputs in a column.
pub(crate) const COLUMN: usize = 16;
/// Bytes of a step in a row of activations.
pub(crate) const STEP_BYTES: usize = 64;
/// Bytes of a step in a column of weights.
pub(crate) const TILE_BYTES: usize = 1024;

/// 32-bit words in a step of a row: an f32, or a pair of bfloat16.
const WORDS: usize = STEP_BYTES / size_of::<u32>();
/// A step of a column: for each word of the rows that it is multiplied with, the words of 16 outputs.
type Tile = [[u32; COLUMN]; WORDS];

/// Numbers of a row that are widened at a time.
const RUN: usize = 1024;

/// Most inputs of a link of a chain: with more, weights and planes outgrow the L2 cache.
const MOST_LINK_CHANNELS: usize = 128;

/// A weight, packed for one level's products.
pub struct Packed {
    tiles: Aligned,
    bf16: bool,
    inputs: usize,
    outputs: usize,
    taps: usize,
    /// Whether columns are pairs of value and gate (see [`Packed::gated`]).
    gated: bool,
    /// The basis of a transformed 3x3 kernel; its taps are then the basis's points.
    basis: Option<Basis>,
}

impl std::fmt::Debug for Packed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let precision = if self.bf16 { "bf16" } else { "f32" };
        write!(f, "Packed({} outputs, {} inputs, {} taps, {precision})", self.outputs, self.inputs, self.taps)
    }
}

impl Packed {
    /// Packs `weight` [outputs, inputs, taps], as torch stores it, for activations in `T`.
    ///
    /// bfloat16 activations get bfloat16 weights if the level multiplies those, and f32 weights otherwise.
    ///
    /// # Panics
    /// If the weight's length is not the product of the three dimensions, or there are no taps.
    pub fn new<'a, T: Element, W: Stored>(
        engine: &Engine,
        weight: impl Into<Weight<'a, W>>,
        outputs: usize,
        inputs: usize,
        taps: usize,
    ) -> Self {
        Self::of::<T, W>(engine, weight.into(), [outputs, inputs, taps], false, None)
    }

    /// [`Self::new`] for a linear layer [2 * outputs, inputs] whose second half of outputs gates the first.
    ///
    /// # Panics
    /// As [`Self::new`], or if the number of outputs is odd.
    pub fn gated<'a, T: Element, W: Stored>(engine: &Engine, weight: impl Into<Weight<'a, W>>, outputs: usize, inputs: usize) -> Self {
        assert!(outputs.is_multiple_of(2), "a gated layer has as many gates as values");
        Self::of::<T, W>(engine, weight.into(), [outputs, inputs, 1], true, None)
    }

    /// [`Self::new`] for a 3x3 convolution with stride 1 and padding 1, by Winograd's F(2x2, 3x3): 16 products where the definition has 36.
    /// In bfloat16 the operands are rounded once more.
    ///
    /// # Panics
    /// If the weight's length is not the product of the two dimensions and nine.
    pub fn winograd<'a, T: Element, W: Stored>(engine: &Engine, weight: impl Into<Weight<'a, W>>, outputs: usize, inputs: usize) -> Self {
        Self::of::<T, W>(engine, weight.into(), [outputs, inputs, 9], false, Some(Basis::Winograd2))
    }

    /// [`Self::winograd`] by F(4x4, 3x3): 36 products where the definition has 144. It rounds three times as much, and takes four times the
    /// memory of the kernel, where F(2x2, 3x3) takes 16/9.
    ///
    /// # Panics
    /// As [`Self::winograd`].
    pub fn winograd4<'a, T: Element, W: Stored>(engine: &Engine, weight: impl Into<Weight<'a, W>>, outputs: usize, inputs: usize) -> Self {
        Self::of::<T, W>(engine, weight.into(), [outputs, inputs, 9], false, Some(Basis::Winograd4))
    }

    /// [`Self::winograd`] for an image that nearest-neighbour upsampling has first enlarged to twice its size, or one line less: 9 products
    /// where the definition has 36.
    ///
    /// # Panics
    /// As [`Self::winograd`].
    pub fn doubling<'a, T: Element, W: Stored>(engine: &Engine, weight: impl Into<Weight<'a, W>>, outputs: usize, inputs: usize) -> Self {
        Self::of::<T, W>(engine, weight.into(), [outputs, inputs, 9], false, Some(Basis::Doubling))
    }

    /// [`Self::new`] for a 3x3 convolution with stride 1 and padding 1, by the method that is fastest at this level for such images.
    ///
    /// # Panics
    /// As [`Self::winograd`].
    pub fn conv3x3<'a, T: Element, W: Stored>(
        engine: &Engine,
        weight: impl Into<Weight<'a, W>>,
        outputs: usize,
        inputs: usize,
        images: Images,
    ) -> Self {
        let basis = Basis::of_conv3x3(engine.level(), T::HALF && engine.level().has_bf16(), [outputs, inputs], images);
        Self::of::<T, W>(engine, weight.into(), [outputs, inputs, 9], false, basis)
    }

    /// The most points that [`Self::conv3x3`] keeps of a kernel of nine taps: 36, 16, or the nine taps themselves. `bf16` says whether the
    /// products are in bfloat16.
    pub fn most_points(level: Level, bf16: bool, outputs: usize, inputs: usize) -> usize {
        Basis::of_conv3x3(level, bf16, [outputs, inputs], Images::Large).map_or(9, Basis::points)
    }

    /// [`Self::conv3x3`] for a link of a chain (see [`crate::conv_chain`]), which gets doubled images only if it is the first link.
    ///
    /// # Panics
    /// As [`Self::winograd`].
    pub fn link<'a, T: Element, W: Stored>(
        engine: &Engine,
        weight: impl Into<Weight<'a, W>>,
        outputs: usize,
        inputs: usize,
        images: Images,
    ) -> Self {
        if Self::is_link_direct(engine.level(), T::HALF, inputs) {
            return Self::new::<T, W>(engine, weight, outputs, inputs, 9);
        }
        Self::conv3x3::<T, W>(engine, weight, outputs, inputs, images)
    }

    /// Whether a link of so many inputs runs in one pass with the others, with tile registers, and its kernel is therefore kept as it is.
    pub(crate) fn is_link_direct(level: Level, bf16: bool, inputs: usize) -> bool {
        let step = STEP_BYTES / size_of::<bf16>();
        level == Level::Amx && bf16 && inputs.is_multiple_of(step) && inputs <= MOST_LINK_CHANNELS
    }

    fn of<T: Element, W: Stored>(
        engine: &Engine,
        weight: Weight<'_, W>,
        [outputs, inputs, taps]: [usize; 3],
        gated: bool,
        basis: Option<Basis>,
    ) -> Self {
        assert_eq!(weight.numbers.len(), volume([outputs, inputs, taps]), "a weight's length");
        assert!(taps > 0, "a weight's taps");
        let bf16 = T::HALF && engine.level().has_bf16();
        let points = basis.map_or(taps, Basis::points);
        let mut packed = Self { tiles: Aligned::default(), bf16, inputs, outputs, taps: points, gated, basis };
        let column_bytes = packed.column_bytes();
        packed.tiles = Aligned::unfilled(packed.columns() * column_bytes);
        let base = SendPtr(packed.tiles.as_mut_ptr());
        let this = &packed;
        engine.pool().run(this.columns(), |column| {
            // SAFETY: each column belongs to one task, and all lie within the buffer, whose start is a cache line's.
            let tiles = unsafe {
                std::slice::from_raw_parts_mut(base.get().add(column * column_bytes).cast::<MaybeUninit<Tile>>(), column_bytes / TILE_BYTES)
            };
            let length = inputs * taps;
            // The model's precision applies to the weight itself, before any change of basis; tiles of bfloat16 are rounded anyway.
            let rounds = T::HALF && (basis.is_some() || !bf16);
            if weight.changes.is_empty() {
                let rows = this.lanes(column).map(|output| output.map_or(&[][..], |output| &weight.numbers[output * length..][..length]));
                return this.fill_column_of(&rows, taps, rounds && !W::BF16, tiles, engine.level());
            }
            // The rows of one column stay in the second-level cache until they are packed.
            let outputs: Vec<usize> = this.lanes(column).into_iter().flatten().collect();
            scratch::with(0, outputs.len() * length * size_of::<f32>(), |made| {
                // SAFETY: the buffer is this task's until the end of this call, as long as these rows, and holds bytes that are initialised;
                // every pattern of bits is a float.
                let made = unsafe { std::slice::from_raw_parts_mut(made.cast::<f32>(), outputs.len() * length) };
                vectorised(
                    engine.level(),
                    #[inline(always)]
                    || weight.write_rows(&outputs, length, made, engine.level()),
                );
                let mut rows = made.chunks_exact(length.max(1));
                let rows = this.lanes(column).map(|output| output.and_then(|_| rows.next()).unwrap_or_default());
                this.fill_column_of(&rows, taps, rounds, tiles, engine.level());
            });
        });
        packed
    }

    /// Writes all tiles of a column from its outputs' rows, [inputs, taps] each; a lane without an output has an empty one.
    fn fill_column_of<W: Stored>(&self, rows: &[&[W]; COLUMN], taps: usize, rounds: bool, tiles: &mut [MaybeUninit<Tile>], level: Level) {
        vectorised(
            level,
            #[inline(always)]
            || match taps {
                1 => self.fill_column::<W, 1>(rows, taps, rounds, tiles, level),
                9 => self.fill_column::<W, 9>(rows, taps, rounds, tiles, level),
                _ => self.fill_column::<W, 0>(rows, taps, rounds, tiles, level),
            },
        );
    }

    /// [`Self::fill_column_of`] for rows of `taps` taps, which the compiler knows to be `TAPS` unless that is 0.
    ///
    /// `rounds` first rounds the numbers to bfloat16. A chunk's numbers are first arranged for each lane, in the products' precision, and then
    /// transposed.
    #[inline(always)]
    fn fill_column<W: Stored, const TAPS: usize>(
        &self,
        rows: &[&[W]; COLUMN],
        taps: usize,
        rounds: bool,
        tiles: &mut [MaybeUninit<Tile>],
        level: Level,
    ) {
        let taps = if TAPS == 0 { taps } else { TAPS };
        let step = self.step_channels();
        #[cfg(target_arch = "x86_64")]
        if TAPS == 1 && level >= Level::Avx512 && !rounds {
            for (chunk, tile) in tiles.iter_mut().enumerate() {
                let rows = rows.map(|row| row.get(chunk * step..).unwrap_or_default());
                // SAFETY: an engine has a level only if the processor supports it.
                unsafe {
                    if self.bf16 {
                        avx512::tile_of_rows::<W, true>(&rows, tile)
                    } else {
                        avx512::tile_of_rows::<W, false>(&rows, tile)
                    };
                }
            }
            return;
        }
        // Rows are read some hundreds of numbers at a time, so that the processor's prefetching keeps up with 16 of them.
        let group = step * (RUN / (step * taps)).max(1);
        let mut wide = vec![0.0; COLUMN * group * taps];
        // For each of a chunk's tiles, a line for each lane.
        let mut lines = vec![[[0_u32; WORDS]; COLUMN]; self.taps];
        for first in (0..self.inputs).step_by(group) {
            let channels = group.min(self.inputs - first);
            let padded = channels.next_multiple_of(step);
            for (lane, wide) in wide.chunks_exact_mut(group * taps).enumerate() {
                if rows[lane].is_empty() {
                    continue;
                }
                let wide = &mut wide[..padded * taps];
                widen_all(&rows[lane][first * taps..(first + channels) * taps], wide, level);
                wide[channels * taps..].fill(0.0);
                if rounds {
                    wide.iter_mut().for_each(|number| *number = bf16::narrow(*number).widen());
                }
            }
            for chunk in 0..padded / step {
                for (lane, wide) in wide.chunks_exact(group * taps).enumerate() {
                    if rows[lane].is_empty() {
                        continue;
                    }
                    let wide = &wide[chunk * step * taps..(chunk + 1) * step * taps];
                    // Channels that lie in the first half of a line, and those in the second.
                    for (part, wide) in wide.chunks_exact(WORDS * taps).enumerate() {
                        self.fill_lines::<TAPS>(wide, taps, part, lane, &mut lines);
                    }
                }
                for (tap, lines) in lines.iter().enumerate() {
                    transpose(lines, &mut tiles[self.tile_of(first / step + chunk, tap)], level);
                }
            }
        }
    }

    /// Writes 16 channels of a lane's lines: its kernels `wide` [channels, taps], by tap or point.
    #[inline(always)]
    fn fill_lines<const TAPS: usize>(&self, wide: &[f32], taps: usize, part: usize, lane: usize, lines: &mut [[[u32; WORDS]; COLUMN]]) {
        if TAPS == 9 {
            let mut kernels = [[0.0; WORDS]; 9];
            for (channel, kernel) in wide.as_chunks::<9>().0.iter().enumerate().take(WORDS) {
                for (tap, number) in kernel.iter().enumerate() {
                    kernels[tap][channel] = *number;
                }
            }
            let fill = |taps: &[[f32; WORDS]]| {
                for (channels, lines) in taps.iter().zip(lines) {
                    self.fill_part(channels, part, &mut lines[lane]);
                }
            };
            return match self.basis {
                Some(basis) => fill(&basis.kernels(&kernels)),
                None => fill(&kernels),
            };
        }
        for (tap, lines) in lines.iter_mut().enumerate() {
            let mut channels = [0.0; WORDS];
            for (channel, kernel) in channels.iter_mut().zip(wide.chunks_exact(taps)) {
                *channel = kernel[tap];
            }
            self.fill_part(&channels, part, &mut lines[lane]);
        }
    }

    /// Writes 16 channels of a line: all of it in f32, the `part`th half of it in bfloat16.
    #[inline(always)]
    fn fill_part(&self, channels: &[f32; WORDS], part: usize, line: &mut [u32; WORDS]) {
        if !self.bf16 {
            for (word, number) in line.iter_mut().zip(channels) {
                *word = number.to_bits();
            }
            return;
        }
        // SAFETY: a line is that many halves.
        let halves = unsafe { std::slice::from_raw_parts_mut(line.as_mut_ptr().cast::<bf16>(), 2 * WORDS) };
        for (half, number) in halves[part * WORDS..].iter_mut().zip(channels) {
            *half = bf16::narrow(*number);
        }
    }

    /// The tile of a column that holds a chunk's channels for a tap or point.
    fn tile_of(&self, chunk: usize, tap: usize) -> usize {
        // A point's steps are contiguous: each point is a separate product.
        if self.basis.is_some() { tap * self.chunks() + chunk } else { chunk * self.taps + tap }
    }

    /// Offset in a column's bytes of the weight of (input, tap) for the column's output `lane`.
    fn place(&self, input: usize, tap: usize, lane: usize) -> usize {
        let step = self.step_channels();
        let (chunk, within) = (input / step, input % step);
        let tile = self.tile_of(chunk, tap) * TILE_BYTES;
        if self.bf16 { tile + (within / 2) * 64 + lane * 4 + (within % 2) * 2 } else { tile + within * 64 + lane * 4 }
    }

    /// The output in `lane` of a column, if any: in a gated layer, even columns are values and odd ones their gates.
    fn output_of(&self, column: usize, lane: usize) -> Option<usize> {
        if !self.gated {
            return Some(column * COLUMN + lane).filter(|output| *output < self.outputs);
        }
        let half = self.outputs / 2;
        let within = column / 2 * COLUMN + lane;
        (within < half).then_some(within + if column.is_multiple_of(2) { 0 } else { half })
    }

    /// The outputs in the lanes of a column.
    fn lanes(&self, column: usize) -> [Option<usize>; COLUMN] {
        std::array::from_fn(|lane| self.output_of(column, lane))
    }

    /// `bias` \[outputs\] in the order of the columns, padded with zeros.
    pub(crate) fn in_columns(&self, bias: Option<&[f32]>) -> Vec<f32> {
        let mut all = vec![0.0; self.columns() * COLUMN];
        for (column, lanes) in all.chunks_exact_mut(COLUMN).enumerate() {
            // A column's outputs follow one another.
            if let (Some(bias), Some(first)) = (bias, self.output_of(column, 0)) {
                let end = if self.gated && first < self.outputs / 2 { self.outputs / 2 } else { self.outputs };
                let count = COLUMN.min(end - first);
                lanes[..count].copy_from_slice(&bias[first..first + count]);
            }
        }
        all
    }

    /// The original weight as [taps * inputs, outputs], up to the rounding of packing (with a basis, the rounding of the points).
    pub fn unpacked(&self) -> Vec<f32> {
        let taps = if self.basis.is_some() { 9 } else { self.taps };
        let mut rows = vec![0_f32; taps * self.inputs * self.outputs];
        let mut kernel = vec![0_f32; self.taps.max(MOST_POINTS)];
        for column in 0..self.columns() {
            for (lane, output) in (0..COLUMN).filter_map(|lane| Some((lane, self.output_of(column, lane)?))) {
                for input in 0..self.inputs {
                    for (tap, value) in kernel.iter_mut().enumerate().take(self.taps) {
                        // SAFETY: `place` lies within a column.
                        *value = unsafe {
                            let from = self.column(column).add(self.place(input, tap, lane));
                            if self.bf16 { from.cast::<bf16>().read().to_f32() } else { from.cast::<f32>().read() }
                        };
                    }
                    if let (Some(basis), Some(points)) = (self.basis, kernel.first_chunk::<MOST_POINTS>()) {
                        let taps = basis.kernel_back(points);
                        kernel[..9].copy_from_slice(&taps);
                    }
                    for (tap, value) in kernel.iter().enumerate().take(taps) {
                        rows[(tap * self.inputs + input) * self.outputs + output] = *value;
                    }
                }
            }
        }
        rows
    }

    pub(crate) fn columns(&self) -> usize {
        if self.gated { 2 * (self.outputs / 2).div_ceil(COLUMN) } else { self.outputs.div_ceil(COLUMN) }
    }

    /// Pairs of columns, which kernels multiply together; the last may be one column.
    pub(crate) fn pairs(&self) -> usize {
        self.columns().div_ceil(2)
    }

    /// Channels in a step.
    pub(crate) fn step_channels(&self) -> usize {
        if self.bf16 { STEP_BYTES / size_of::<bf16>() } else { STEP_BYTES / size_of::<f32>() }
    }

    /// Chunks of channels.
    pub(crate) fn chunks(&self) -> usize {
        self.inputs.div_ceil(self.step_channels())
    }

    pub(crate) fn column_bytes(&self) -> usize {
        self.chunks() * self.taps * TILE_BYTES
    }

    /// The tiles of a column.
    pub(crate) fn column(&self, column: usize) -> *const u8 {
        assert!(column < self.columns(), "column {column} of {}", self.columns());
        // SAFETY: within the buffer, by the assertion.
        unsafe { self.tiles.as_ptr().add(column * self.column_bytes()) }
    }

    /// Whether the products are in bfloat16.
    pub fn is_bf16(&self) -> bool {
        self.bf16
    }

    /// Whether the second half of the outputs gates the first.
    pub fn is_gated(&self) -> bool {
        self.gated
    }

    /// Channels of the input.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// Outputs of the weight; a gated layer's result has half as many.
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// Input pixels of an output.
    pub fn taps(&self) -> usize {
        if self.basis.is_some() { 9 } else { self.taps }
    }

    pub(crate) fn basis(&self) -> Option<Basis> {
        self.basis
    }
}

/// Widens as many numbers as both slices have.
#[inline(always)]
pub(super) fn widen_all<W: Stored>(from: &[W], to: &mut [f32], level: Level) {
    #[cfg(target_arch = "x86_64")]
    if W::F16 && level >= Level::Avx512 {
        // SAFETY: an engine has a level only if the processor supports it.
        return unsafe { avx512::widen_all(from, to) };
    }
    let _ = level;
    W::widen_all(from, to);
}

/// Writes a tile from the lines of its lanes.
#[inline(always)]
fn transpose(lines: &[[u32; WORDS]; COLUMN], to: &mut MaybeUninit<Tile>, level: Level) {
    #[cfg(target_arch = "x86_64")]
    if level >= Level::Avx512 {
        // SAFETY: an engine has a level only if the processor supports it.
        unsafe { avx512::transpose_words(lines, to) };
        return;
    }
    let _ = level;
    let mut tile = [[0; COLUMN]; WORDS];
    for (word, words) in tile.iter_mut().enumerate() {
        for (lane, line) in lines.iter().enumerate() {
            words[lane] = line[word];
        }
    }
    to.write(tile);
}
