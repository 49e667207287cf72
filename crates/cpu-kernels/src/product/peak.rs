//! Peak throughput of the product instructions, measured without memory traffic: the reference for a kernel's speed.
//!
//! Each loop keeps its operands in registers (the portable one in the L1 cache) and has enough sums to hide an instruction's latency. It
//! adds products and subtracts them again, so that sums neither grow nor vanish. Operands are random because tile products are slower with
//! random numbers than with zeros.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use super::block;
use crate::runtime::{Engine, Level};

/// The best of this many runs is the peak: the others are slowed down by the machine's other work, or by a core that has not woken up yet.
const RUNS: usize = 6;
/// Minimum duration of a task; the maximum is twice that.
const TASK: Duration = Duration::from_millis(1);
/// Tasks of each thread in a run, about 30 ms: as in a kernel, threads take the next one when they are free.
const TASKS: usize = 20;

/// Runs the given number of rounds of products, at least one, and returns one of the sums.
type Loop = unsafe fn(usize) -> f32;

/// Measures the floating-point operations a second of the product instruction that an engine's kernels use for activations in bfloat16 or
/// f32, on all of its threads at once; a multiplication and an addition count as two. Takes a fifth of a second.
///
/// At a level without bfloat16 products this measures f32 products, as the kernels use them.
pub fn peak(engine: &Engine, bf16: bool) -> f64 {
    best_of(engine, bf16, RUNS)
}

fn best_of(engine: &Engine, bf16: bool, runs: usize) -> f64 {
    let bf16 = bf16 && engine.level().has_bf16();
    let (products, operations) = products(engine.level(), bf16);
    let task = |rounds: usize| {
        // SAFETY: the engine's level is available, and the registers are set up.
        block::with_state(engine.level(), bf16, || _ = black_box(unsafe { products(rounds) }));
    };
    let time = |run: &dyn Fn()| {
        let start = Instant::now();
        run();
        start.elapsed()
    };
    let mut rounds = 1;
    while time(&|| task(rounds)) < TASK {
        rounds *= 2;
    }
    let tasks = engine.pool().threads() * TASKS;
    let total = operations as f64 * rounds as f64 * tasks as f64;
    (0..runs).map(|_| total / time(&|| engine.pool().run(tasks, |_| task(rounds))).as_secs_f64()).fold(0.0, f64::max)
}

/// A level's loop, and the operations of one of its rounds.
fn products(level: Level, bf16: bool) -> (Loop, usize) {
    match (level, bf16) {
        #[cfg(target_arch = "x86_64")]
        (Level::Amx, true) => (x86::amx, x86::AMX_OPERATIONS),
        #[cfg(target_arch = "x86_64")]
        (Level::Avx512Bf16, true) => (x86::avx512_bf16, x86::AVX512_BF16_OPERATIONS),
        #[cfg(target_arch = "x86_64")]
        (Level::Avx512 | Level::Avx512Bf16 | Level::Amx, false) => (x86::avx512, x86::AVX512_OPERATIONS),
        #[cfg(target_arch = "x86_64")]
        (Level::Avx2, false) => (x86::avx2, x86::AVX2_OPERATIONS),
        _ => (portable, PORTABLE_OPERATIONS),
    }
}

/// Numbers from 1/2 to 1 of either sign that the compiler cannot predict. The upper half of each is also such a number in bfloat16, as is
/// the lower half of [`pairs`].
fn numbers<const N: usize>(seed: u64) -> [f32; N] {
    let mut state = seed;
    black_box(std::array::from_fn(|_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let bits = (state >> 40) as u32;
        f32::from_bits(0x3f00_0000 | (bits & 0x7f_ffff) | ((bits >> 23) << 31))
    }))
}

/// Pairs of such numbers in bfloat16, each pair stored as the bits of a float that is such a number too.
#[cfg(target_arch = "x86_64")]
fn pairs<const N: usize>(seed: u64) -> [f32; N] {
    let (high, low) = (numbers::<N>(seed), numbers::<N>(seed + 1));
    black_box(std::array::from_fn(|i| f32::from_bits((high[i].to_bits() & 0xffff_0000) | (low[i].to_bits() >> 16))))
}

/// Steps of a round of [`portable`].
const STEPS: usize = 64;
/// The dimensions of [`portable`]'s sums: 8 registers of an x86-64 without AVX.
const SUMS: (usize, usize) = (2, 16);
const PORTABLE_OPERATIONS: usize = STEPS * SUMS.0 * SUMS.1 * 2;

/// For any processor; f32. The operands come from arrays: a constant product would be hoisted out of the loop, leaving only the additions.
fn portable(rounds: usize) -> f32 {
    let random = numbers::<{ STEPS * (SUMS.0 + SUMS.1) }>(1);
    let (values, weights) = random.split_at(STEPS * SUMS.0);
    // Every second step repeats the one before it with the opposite sign.
    let sign = |step: usize| if step.is_multiple_of(2) { 1.0 } else { -1.0 };
    let values: [[f32; SUMS.0]; STEPS] =
        std::array::from_fn(|step| std::array::from_fn(|row| sign(step) * values[step / 2 * SUMS.0 + row]));
    let weights: [[f32; SUMS.1]; STEPS] = std::array::from_fn(|step| std::array::from_fn(|lane| weights[step / 2 * SUMS.1 + lane]));
    let first = numbers::<{ SUMS.0 * SUMS.1 }>(2);
    let mut sums: [[f32; SUMS.1]; SUMS.0] = std::array::from_fn(|row| std::array::from_fn(|lane| first[row * SUMS.1 + lane]));
    for _ in 0..rounds {
        let (values, weights) = black_box((&values, &weights));
        for (values, weights) in values.iter().zip(weights) {
            for (sums, value) in sums.iter_mut().zip(values) {
                for (sum, weight) in sums.iter_mut().zip(weights) {
                    *sum += value * weight;
                }
            }
        }
    }
    black_box(sums)[0][0]
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::{asm, x86_64::*};

    use super::{numbers, pairs};

    /// Defines a loop and the operations of its rounds: every sum adds a product and subtracts it again.
    ///
    /// Sums and factors leave registers free for the other factor with both signs; there are enough independent sums to start two products
    /// in each cycle.
    macro_rules! products {
        (
            $name:ident, $operations:ident, $features:literal, sums: $sums:literal, factors: $factors:literal, of $lanes:literal lanes,
            $width:literal products each, $random:ident, $load:ident,
            |$sum:ident, $a:ident, $b:ident| $add:expr, $take:expr
        ) => {
            pub(super) const $operations: usize = 2 * $sums * $lanes * $width * 2;

            #[target_feature(enable = $features)]
            pub(super) unsafe fn $name(rounds: usize) -> f32 {
                let (first, factors, other) = (numbers::<{ $sums * $lanes }>(1), $random::<{ $factors * $lanes }>(2), $random::<$lanes>(4));
                // SAFETY: each array has as many floats as its vectors.
                let (mut sums, factors, $b) = unsafe {
                    (
                        std::array::from_fn::<_, $sums, _>(|i| $load(first.as_ptr().add(i * $lanes))),
                        std::array::from_fn::<_, $factors, _>(|i| $load(factors.as_ptr().add(i * $lanes))),
                        $load(other.as_ptr()),
                    )
                };
                for _ in 0..rounds {
                    for (i, sum) in sums.iter_mut().enumerate() {
                        let ($sum, $a) = (*sum, factors[i % $factors]);
                        *sum = $add;
                    }
                    for (i, sum) in sums.iter_mut().enumerate() {
                        let ($sum, $a) = (*sum, factors[i % $factors]);
                        *sum = $take;
                    }
                }
                let sums = std::hint::black_box(sums);
                // SAFETY: a vector consists of floats.
                unsafe { sums.as_ptr().cast::<f32>().read() }
            }
        };
    }

    products!(
        avx2, AVX2_OPERATIONS, "avx2,fma", sums: 12, factors: 2, of 8 lanes, 1 products each, numbers, _mm256_loadu_ps,
        |sum, a, b| _mm256_fmadd_ps(a, b, sum), _mm256_fnmadd_ps(a, b, sum)
    );
    products!(
        avx512, AVX512_OPERATIONS, "avx512f", sums: 16, factors: 8, of 16 lanes, 1 products each, numbers, _mm512_loadu_ps,
        |sum, a, b| _mm512_fmadd_ps(a, b, sum), _mm512_fnmadd_ps(a, b, sum)
    );
    products!(
        avx512_bf16, AVX512_BF16_OPERATIONS, "avx512f,avx512bf16", sums: 16, factors: 8, of 16 lanes, 2 products each, pairs,
        _mm512_loadu_ps, |sum, a, b| _mm512_dpbf16_ps(sum, halves(a), halves(b)), _mm512_dpbf16_ps(sum, halves(a), halves(negative(b)))
    );

    /// A vector of 32-bit lanes as a vector of pairs of bfloat16.
    #[inline]
    #[target_feature(enable = "avx512f")]
    fn halves(vector: __m512) -> __m512bh {
        // SAFETY: any bits are valid in both vector types.
        unsafe { std::mem::transmute(vector) }
    }

    /// Negates both numbers of every pair; the compiler does this once, before the loop.
    #[inline]
    #[target_feature(enable = "avx512f")]
    fn negative(vector: __m512) -> __m512 {
        _mm512_castsi512_ps(_mm512_xor_si512(_mm512_castps_si512(vector), _mm512_set1_epi32(SIGNS as i32)))
    }

    /// The sign bits of a pair of bfloat16.
    const SIGNS: u32 = 0x8000_8000;

    /// Floats, or pairs of bfloat16, in a tile register.
    const TILE: usize = 256;
    /// Eight products of 16x32 and 32x16.
    pub(super) const AMX_OPERATIONS: usize = 8 * 16 * 16 * 32 * 2;

    /// AMX; bfloat16. Four sums and four operands, as in the kernel; the second tile of rows is the first one negated, so that sums add a
    /// product and subtract it again.
    pub(super) unsafe fn amx(rounds: usize) -> f32 {
        let (rows, weights, first) = (pairs::<TILE>(1), pairs::<{ 2 * TILE }>(3), numbers::<{ 4 * TILE }>(5));
        let minus = std::hint::black_box(rows.map(|pair| f32::from_bits(pair.to_bits() ^ SIGNS)));
        let mut sums = [0_f32; TILE];
        // SAFETY: each tile is 1 KiB of the arrays; the caller has the tile registers set up.
        unsafe {
            asm!(
                "tileloadd tmm0, [{first} + {stride}]",
                "tileloadd tmm1, [{first} + {stride} + 1024]",
                "tileloadd tmm2, [{first} + {stride} + 2048]",
                "tileloadd tmm3, [{first} + {stride} + 3072]",
                "tileloadd tmm4, [{rows} + {stride}]",
                "tileloadd tmm5, [{minus} + {stride}]",
                "tileloadd tmm6, [{weights} + {stride}]",
                "tileloadd tmm7, [{weights} + {stride} + 1024]",
                "2:",
                "tdpbf16ps tmm0, tmm4, tmm6",
                "tdpbf16ps tmm1, tmm4, tmm7",
                "tdpbf16ps tmm2, tmm5, tmm6",
                "tdpbf16ps tmm3, tmm5, tmm7",
                "tdpbf16ps tmm0, tmm5, tmm6",
                "tdpbf16ps tmm1, tmm5, tmm7",
                "tdpbf16ps tmm2, tmm4, tmm6",
                "tdpbf16ps tmm3, tmm4, tmm7",
                "dec {rounds}",
                "jne 2b",
                "tilestored [{sums} + {stride}], tmm0",
                first = in(reg) first.as_ptr(),
                rows = in(reg) rows.as_ptr(),
                minus = in(reg) minus.as_ptr(),
                weights = in(reg) weights.as_ptr(),
                sums = in(reg) sums.as_mut_ptr(),
                stride = in(reg) 64_usize,
                rounds = inout(reg) rounds.max(1) => _,
                out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
                out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
                options(nostack),
            );
        }
        sums[0]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn levels() -> impl Iterator<Item = (Level, bool)> {
        let available = Level::ALL.into_iter().filter(|level| level.is_available());
        available.flat_map(|level| [(level, false), (level, true)])
    }

    #[test]
    #[cfg_attr(miri, ignore = "the speed of an interpreter means nothing")]
    fn every_level_has_a_peak() {
        for (level, bf16) in levels() {
            let peak = best_of(&Engine::new(2, level), bf16, 1);
            assert!((1e6..1e16).contains(&peak), "{peak} operations a second at {level:?}, bf16 {bf16}");
        }
    }

    #[test]
    fn sums_neither_grow_nor_vanish() {
        for (level, bf16) in levels().filter(|(level, bf16)| !bf16 || level.has_bf16()) {
            for rounds in [1, 2, if cfg!(miri) { 20 } else { 20_000 }] {
                let (products, _) = products(level, bf16);
                // SAFETY: the level is available, and the registers are set up.
                let sum = block::with_state(level, bf16, || unsafe { products(rounds) });
                assert!((0.4..1.1).contains(&sum.abs()), "{sum} after {rounds} rounds at {level:?}, bf16 {bf16}");
            }
        }
    }
}
