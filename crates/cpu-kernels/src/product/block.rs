//! The micro-kernels of every product: a block of at most 32 rows by 32 outputs, over the whole inner dimension.
//!
//! Rows come as one or two tiles of 16 rows each; a tile is a pointer, and its rows lie a fixed stride apart. Sums are f32 and go to a
//! small buffer, which [`super::epilogue`] reads. Every level adds the steps in order, and within a step in an order of its own: levels
//! agree up to rounding (bfloat16 instructions also treat subnormal numbers as zero), and at one level results depend only on the operands.

use std::borrow::Cow;

use super::pack::{COLUMN, STEP_BYTES, TILE_BYTES};
use crate::runtime::Level;

/// Rows in a tile.
pub(crate) const ROWS: usize = 16;
/// Floats from one row of sums to the next.
pub(crate) const SUM_STRIDE: usize = 2 * COLUMN;
/// Floats in a block's sums.
pub(crate) const SUMS: usize = 2 * ROWS * SUM_STRIDE;

/// A block's operands.
///
/// A kernel reads up to 16 rows of each row tile, and of each row one step at every offset; of each column it reads as many tiles. It writes
/// up to `row_tiles * 16` rows of `columns * 16` sums, `SUM_STRIDE` apart.
pub(crate) struct Block<'a> {
    /// First rows of the row tiles.
    pub(crate) rows: [*const u8; 2],
    /// 1 or 2.
    pub(crate) row_tiles: usize,
    /// Rows of each row tile whose sums are wanted, at least 1; the other sums are unspecified.
    pub(crate) valid: [usize; 2],
    /// Bytes from one row to the next.
    pub(crate) row_stride: usize,
    /// Bytes from a row's start to each of its steps, in the order of the columns' tiles.
    pub(crate) steps: &'a [usize],
    /// First tiles of the columns.
    pub(crate) weights: [*const u8; 2],
    /// 1 or 2.
    pub(crate) columns: usize,
    /// Space for [`SUMS`] floats, aligned to a cache line.
    pub(crate) sums: *mut f32,
    /// Whether to add to the existing sums instead of zeros.
    pub(crate) resume: bool,
    /// Whether the weights come from beyond the L1 cache each time, and should not enter it.
    pub(crate) streams: bool,
}

/// Offsets of `count` steps that follow one another: every list of [`Block::steps`] that needs no taps. A table for the counts that occur.
pub(crate) fn adjacent(count: usize) -> Cow<'static, [usize]> {
    static OFFSETS: [usize; 1024] = {
        let (mut offsets, mut step) = ([0; 1024], 0);
        while step < offsets.len() {
            offsets[step] = step * STEP_BYTES;
            step += 1;
        }
        offsets
    };
    OFFSETS.get(..count).map_or_else(|| (0..count).map(|step| step * STEP_BYTES).collect(), Cow::Borrowed)
}

/// Rows of a tile that a level's kernels read if so many are wanted.
pub(crate) fn rows_read(level: Level, bf16: bool, valid: usize) -> usize {
    if bf16 && level == Level::Amx {
        ROWS
    } else if valid > ROWS / 4 {
        valid.next_multiple_of(ROWS / 2)
    } else {
        ROWS / 4
    }
}

/// Multiplies a block.
pub(crate) type Kernel = unsafe fn(&Block<'_>);

/// The kernel for weights in bfloat16 or f32.
pub(crate) fn kernel(level: Level, bf16: bool) -> Kernel {
    match (level, bf16) {
        #[cfg(target_arch = "x86_64")]
        (Level::Amx, true) => x86::amx,
        #[cfg(target_arch = "x86_64")]
        (Level::Avx512Bf16, true) => x86::avx512_bf16,
        #[cfg(target_arch = "x86_64")]
        (Level::Avx512 | Level::Avx512Bf16 | Level::Amx, false) => x86::avx512,
        #[cfg(target_arch = "x86_64")]
        (Level::Avx2, false) => x86::avx2,
        (_, false) => portable,
        (_, true) => unreachable!("weights are packed in bfloat16 only for levels that multiply it"),
    }
}

/// Runs `run`, which may call the kernel for many blocks, with the registers that the kernel needs set up: see [`x86::with_tiles`].
pub(crate) fn with_state<R>(level: Level, bf16: bool, run: impl FnOnce() -> R) -> R {
    #[cfg(target_arch = "x86_64")]
    if level == Level::Amx && bf16 {
        return x86::with_tiles(run);
    }
    let _ = (level, bf16);
    run()
}

/// For any processor; f32.
unsafe fn portable(block: &Block<'_>) {
    const GROUP: usize = 4;
    const STEP: usize = STEP_BYTES / size_of::<f32>();
    for tile in 0..block.row_tiles {
        for column in 0..block.columns {
            for group in 0..block.valid[tile].div_ceil(GROUP) {
                let mut sums = [[0_f32; COLUMN]; GROUP];
                let place = |r: usize| (tile * ROWS + group * GROUP + r) * SUM_STRIDE + column * COLUMN;
                if block.resume {
                    for (r, sums) in sums.iter_mut().enumerate() {
                        // SAFETY: `sums` has room for 32 rows of 32.
                        *sums = unsafe { block.sums.add(place(r)).cast::<[f32; COLUMN]>().read() };
                    }
                }
                let mut weights = block.weights[column].cast::<[f32; COLUMN]>();
                for step in block.steps {
                    // SAFETY: the caller of a kernel guarantees every row, step and tile.
                    unsafe {
                        let row = block.rows[tile].add(group * GROUP * block.row_stride + step);
                        for k in 0..STEP {
                            let weights = &*weights.add(k);
                            for (r, sums) in sums.iter_mut().enumerate() {
                                let value = *row.add(r * block.row_stride).cast::<f32>().add(k);
                                for (sum, weight) in sums.iter_mut().zip(weights) {
                                    *sum += value * weight;
                                }
                            }
                        }
                        weights = weights.add(STEP);
                    }
                }
                for (r, sums) in sums.iter().enumerate() {
                    // SAFETY: as above.
                    unsafe { block.sums.add(place(r)).cast::<[f32; COLUMN]>().write(*sums) };
                }
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::{asm, x86_64::*};

    use super::{Block, COLUMN, ROWS, STEP_BYTES, SUM_STRIDE, TILE_BYTES};

    /// AVX2 and FMA; f32. Four rows of one column at a time: 8 sums, 2 weights and 1 activation in 16 registers.
    #[target_feature(enable = "avx2,fma")]
    pub(super) unsafe fn avx2(block: &Block<'_>) {
        const GROUP: usize = 4;
        for tile in 0..block.row_tiles {
            for column in 0..block.columns {
                for group in 0..block.valid[tile].div_ceil(GROUP) {
                    let mut sums = [[_mm256_setzero_ps(); 2]; GROUP];
                    let mut weights = block.weights[column].cast::<f32>();
                    let place = |r: usize| (tile * ROWS + group * GROUP + r) * SUM_STRIDE + column * COLUMN;
                    // SAFETY: the caller of a kernel guarantees every row, step, tile and sum.
                    unsafe {
                        if block.resume {
                            for (r, [a, b]) in sums.iter_mut().enumerate() {
                                *a = _mm256_load_ps(block.sums.add(place(r)));
                                *b = _mm256_load_ps(block.sums.add(place(r) + 8));
                            }
                        }
                        for step in block.steps {
                            let row = block.rows[tile].add(group * GROUP * block.row_stride + step);
                            for k in 0..STEP_BYTES / 4 {
                                let low = _mm256_load_ps(weights.add(k * COLUMN));
                                let high = _mm256_load_ps(weights.add(k * COLUMN + 8));
                                for (r, [a, b]) in sums.iter_mut().enumerate() {
                                    let value = _mm256_broadcast_ss(&*row.add(r * block.row_stride).cast::<f32>().add(k));
                                    *a = _mm256_fmadd_ps(value, low, *a);
                                    *b = _mm256_fmadd_ps(value, high, *b);
                                }
                            }
                            weights = weights.add(TILE_BYTES / 4);
                        }
                        for (r, [a, b]) in sums.iter().enumerate() {
                            let to = block.sums.add(place(r));
                            _mm256_store_ps(to, *a);
                            _mm256_store_ps(to.add(8), *b);
                        }
                    }
                }
            }
        }
    }

    /// Rows that the AVX-512 kernels hold at once: 8 rows of 2 columns are 16 sums, enough to hide the latency at two products a cycle.
    const GROUP: usize = 8;
    /// The same if no more are wanted.
    const FEW: usize = 4;

    /// AVX-512; f32.
    #[target_feature(enable = "avx512f")]
    pub(super) unsafe fn avx512(block: &Block<'_>) {
        // SAFETY: the caller of a kernel guarantees the block.
        unsafe {
            match block.columns {
                1 => avx512_of::<1>(block),
                _ => avx512_of::<2>(block),
            }
        }
    }

    /// AVX-512 with products of bfloat16 pairs.
    #[target_feature(enable = "avx512f,avx512bf16")]
    pub(super) unsafe fn avx512_bf16(block: &Block<'_>) {
        // SAFETY: the caller of a kernel guarantees the block.
        unsafe {
            match block.columns {
                1 => avx512_bf16_of::<1>(block),
                _ => avx512_bf16_of::<2>(block),
            }
        }
    }

    /// Defines one function, generic over the number of columns, around `$sum + $value * $weights`: 32 bits of a row (a float, or a pair of
    /// bfloat16) times the weights of 16 outputs.
    macro_rules! avx512_kernel {
        ($name:ident, $rows:ident, $features:literal, |$sum:ident, $value:ident, $weights:ident| $product:expr) => {
            #[target_feature(enable = $features)]
            unsafe fn $name<const COLUMNS: usize>(block: &Block<'_>) {
                for tile in 0..block.row_tiles {
                    for first in (0..block.valid[tile]).step_by(GROUP) {
                        // SAFETY: the caller of a kernel guarantees the block.
                        unsafe {
                            if block.valid[tile] - first > FEW {
                                $rows::<GROUP, COLUMNS>(block, tile, first);
                            } else {
                                $rows::<FEW, COLUMNS>(block, tile, first);
                            }
                        }
                    }
                }
            }

            /// So many rows of a tile, from `first` on.
            #[inline]
            #[target_feature(enable = $features)]
            unsafe fn $rows<const COUNT: usize, const COLUMNS: usize>(block: &Block<'_>, tile: usize, first: usize) {
                let mut at = 0;
                // SAFETY: the caller of a kernel guarantees every row, step, tile and sum.
                unsafe {
                    let mut sums = start::<COUNT, COLUMNS>(block, tile, first);
                    for step in block.steps {
                        let row = block.rows[tile].add(first * block.row_stride + step);
                        for k in 0..STEP_BYTES / 4 {
                            let mut weights = [_mm512_setzero_si512(); COLUMNS];
                            for (weights, column) in weights.iter_mut().zip(block.weights) {
                                *weights = _mm512_load_si512(column.add(at + k * 64).cast());
                            }
                            for (r, sums) in sums.iter_mut().enumerate() {
                                let $value = _mm512_set1_epi32(row.add(r * block.row_stride).cast::<i32>().add(k).read_unaligned());
                                for (sum, $weights) in sums.iter_mut().zip(weights) {
                                    let $sum = *sum;
                                    *sum = $product;
                                }
                            }
                        }
                        at += TILE_BYTES;
                    }
                    store(block, tile, first, &sums);
                }
            }
        };
    }

    avx512_kernel!(avx512_of, avx512_rows, "avx512f", |sum, value, weights| _mm512_fmadd_ps(
        _mm512_castsi512_ps(value),
        _mm512_castsi512_ps(weights),
        sum
    ));
    // A vector of 32-bit lanes is a vector of pairs of bfloat16.
    avx512_kernel!(avx512_bf16_of, avx512_bf16_rows, "avx512f,avx512bf16", |sum, value, weights| _mm512_dpbf16_ps(
        sum,
        std::mem::transmute::<__m512i, __m512bh>(value),
        std::mem::transmute::<__m512i, __m512bh>(weights)
    ));

    /// The initial sums of a group of rows.
    #[inline]
    #[target_feature(enable = "avx512f")]
    unsafe fn start<const COUNT: usize, const COLUMNS: usize>(block: &Block<'_>, tile: usize, first: usize) -> [[__m512; COLUMNS]; COUNT] {
        let mut sums = [[_mm512_setzero_ps(); COLUMNS]; COUNT];
        if block.resume {
            for (r, sums) in sums.iter_mut().enumerate() {
                for (column, sum) in sums.iter_mut().enumerate() {
                    // SAFETY: `sums` has room for 32 rows of 32, and is aligned.
                    *sum = unsafe { _mm512_load_ps(block.sums.add((tile * ROWS + first + r) * SUM_STRIDE + column * COLUMN)) };
                }
            }
        }
        sums
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    unsafe fn store<const COUNT: usize, const COLUMNS: usize>(
        block: &Block<'_>,
        tile: usize,
        first: usize,
        sums: &[[__m512; COLUMNS]; COUNT],
    ) {
        for (r, sums) in sums.iter().enumerate() {
            for (column, sum) in sums.iter().enumerate() {
                // SAFETY: `sums` has room for 32 rows of 32, and is aligned.
                unsafe { _mm512_store_ps(block.sums.add((tile * ROWS + first + r) * SUM_STRIDE + column * COLUMN), *sum) };
            }
        }
    }

    /// The tile registers' shapes: palette 1, eight tiles of 16 rows of 64 bytes.
    #[repr(C, align(64))]
    struct TileConfig([u8; 64]);

    static CONFIG: TileConfig = {
        let mut bytes = [0; 64];
        bytes[0] = 1;
        let mut tile = 0;
        while tile < 8 {
            bytes[16 + 2 * tile] = STEP_BYTES as u8;
            bytes[48 + tile] = ROWS as u8;
            tile += 1;
        }
        TileConfig(bytes)
    };

    /// Runs `run` with the tile registers configured, and releases them afterwards, also after a panic. The processor has been found to
    /// support the level; calls are never nested.
    pub(super) fn with_tiles<R>(run: impl FnOnce() -> R) -> R {
        struct Release;
        impl Drop for Release {
            fn drop(&mut self) {
                // SAFETY: releases the tiles configured below.
                unsafe { asm!("tilerelease", options(nostack, nomem, preserves_flags)) };
            }
        }
        // SAFETY: the level's probe got the system's permission to use tiles; the configuration is valid and static.
        unsafe { asm!("ldtilecfg [{}]", in(reg) &raw const CONFIG, options(nostack, readonly, preserves_flags)) };
        let _release = Release;
        run()
    }

    /// AMX; bfloat16. Compiled code never touches tile registers, so no other code needs to save them.
    pub(super) unsafe fn amx(block: &Block<'_>) {
        // SAFETY: the caller of a kernel guarantees the block, and calls it within `with_tiles`.
        unsafe {
            match (block.row_tiles, block.columns, block.resume) {
                (1, 1, false) => amx_1x1(block),
                (1, 1, true) => amx_1x1_more(block),
                (1, _, false) => amx_1x2(block),
                (1, _, true) => amx_1x2_more(block),
                (_, 1, false) => amx_2x1(block),
                (_, 1, true) => amx_2x1_more(block),
                (_, _, false) if block.streams => amx_2x2_streaming(block),
                (_, _, true) if block.streams => amx_2x2_streaming_more(block),
                (_, _, false) => amx_2x2(block),
                (_, _, true) => amx_2x2_more(block),
            }
        }
    }

    /// Defines one function: the loop over steps around `$product`, then the stores.
    ///
    /// Registers of the loop: `rows0`, `rows1` point to the row tiles; `weights0`, `weights1` to the columns' next tiles; `stride` is the
    /// distance between rows; `rax` is 64; `step` and `end` walk the offsets; `at0`, `at1` are the row tiles at this step.
    macro_rules! amx_kernel {
        ($name:ident, $more:ident, zero: [$($zero:literal),*], load: [$($load:literal),*], product: $product:tt, store: $store:tt) => {
            amx_kernel!($name, start: [$($zero),*], product: $product, store: $store);
            amx_kernel!($more, start: ["mov eax, 128", $($load,)* "mov eax, 64"], product: $product, store: $store);
        };
        ($name:ident, start: [$($start:literal),*], product: [$($product:expr),*], store: [$($store:literal),*]) => {
            unsafe fn $name(block: &Block<'_>) {
                let steps = block.steps.as_ptr_range();
                // SAFETY: the caller of a kernel guarantees every row, step, tile and sum, and at least one step.
                unsafe {
                    asm!(
                        $($start,)*
                        "2:",
                        "mov {at0}, [{step}]",
                        "lea {at1}, [{at0} + {rows1}]",
                        "add {at0}, {rows0}",
                        $($product,)*
                        "add {weights0}, 1024",
                        "add {weights1}, 1024",
                        "add {step}, 8",
                        "cmp {step}, {end}",
                        "jne 2b",
                        $($store,)*
                        rows0 = in(reg) block.rows[0],
                        rows1 = in(reg) block.rows[block.row_tiles - 1],
                        weights0 = inout(reg) block.weights[0] => _,
                        weights1 = inout(reg) block.weights[block.columns - 1] => _,
                        step = inout(reg) steps.start => _,
                        end = in(reg) steps.end,
                        at0 = out(reg) _,
                        at1 = out(reg) _,
                        stride = in(reg) block.row_stride,
                        inout("rax") 64_usize => _,
                        in("rdx") block.sums,
                        out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
                        out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
                        options(nostack),
                    );
                }
            }
        };
    }

    /// Defines the kernels of two row tiles and two columns, whose weights are loaded by the instruction `$load`.
    ///
    /// Six registers, and one row tile loaded twice: a processor renames tile registers to few others, which both threads of a core share, and
    /// loads wait for one. With all eight in use this takes up to twice as long.
    macro_rules! amx_2x2_kernel {
        ($name:ident, $more:ident, $load:literal) => {
            amx_kernel!(
                $name,
                $more,
                zero: ["tilezero tmm0", "tilezero tmm1", "tilezero tmm2", "tilezero tmm3"],
                load: [
                    "tileloadd tmm0, [rdx + rax]",
                    "tileloadd tmm1, [rdx + rax + 64]",
                    "tileloadd tmm2, [rdx + rax + 2048]",
                    "tileloadd tmm3, [rdx + rax + 2112]"
                ],
                product: [
                    concat!($load, " tmm7, [{weights0} + rax]"),
                    "tileloadd tmm6, [{at0} + {stride}]",
                    "tdpbf16ps tmm0, tmm6, tmm7",
                    "tileloadd tmm6, [{at1} + {stride}]",
                    "tdpbf16ps tmm2, tmm6, tmm7",
                    concat!($load, " tmm7, [{weights1} + rax]"),
                    "tdpbf16ps tmm3, tmm6, tmm7",
                    "tileloadd tmm6, [{at0} + {stride}]",
                    "tdpbf16ps tmm1, tmm6, tmm7"
                ],
                store: [
                    "mov eax, 128",
                    "tilestored [rdx + rax], tmm0",
                    "tilestored [rdx + rax + 64], tmm1",
                    "tilestored [rdx + rax + 2048], tmm2",
                    "tilestored [rdx + rax + 2112], tmm3"
                ]
            );
        };
    }

    amx_2x2_kernel!(amx_2x2, amx_2x2_more, "tileloadd");
    // The hint keeps the tile out of the L1 cache.
    amx_2x2_kernel!(amx_2x2_streaming, amx_2x2_streaming_more, "tileloaddt1");
    amx_kernel!(
        amx_2x1,
        amx_2x1_more,
        zero: ["tilezero tmm0", "tilezero tmm2"],
        load: ["tileloadd tmm0, [rdx + rax]", "tileloadd tmm2, [rdx + rax + 2048]"],
        product: [
            "tileloadd tmm7, [{weights0} + rax]",
            "tileloadd tmm6, [{at0} + {stride}]",
            "tdpbf16ps tmm0, tmm6, tmm7",
            "tileloadd tmm6, [{at1} + {stride}]",
            "tdpbf16ps tmm2, tmm6, tmm7"
        ],
        store: ["mov eax, 128", "tilestored [rdx + rax], tmm0", "tilestored [rdx + rax + 2048], tmm2"]
    );
    amx_kernel!(
        amx_1x2,
        amx_1x2_more,
        zero: ["tilezero tmm0", "tilezero tmm1"],
        load: ["tileloadd tmm0, [rdx + rax]", "tileloadd tmm1, [rdx + rax + 64]"],
        product: [
            "tileloadd tmm6, [{at0} + {stride}]",
            "tileloadd tmm7, [{weights0} + rax]",
            "tdpbf16ps tmm0, tmm6, tmm7",
            "tileloadd tmm7, [{weights1} + rax]",
            "tdpbf16ps tmm1, tmm6, tmm7"
        ],
        store: ["mov eax, 128", "tilestored [rdx + rax], tmm0", "tilestored [rdx + rax + 64], tmm1"]
    );
    amx_kernel!(
        amx_1x1,
        amx_1x1_more,
        zero: ["tilezero tmm0"],
        load: ["tileloadd tmm0, [rdx + rax]"],
        product: [
            "tileloadd tmm7, [{weights0} + rax]",
            "tileloadd tmm6, [{at0} + {stride}]",
            "tdpbf16ps tmm0, tmm6, tmm7"
        ],
        store: ["mov eax, 128", "tilestored [rdx + rax], tmm0"]
    );
}
