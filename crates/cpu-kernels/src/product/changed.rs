//! A weight and what is added to it while it is packed: the changes that adapters make to a layer.
//!
//! This module must not depend on the layout of packed weights. Invariants: sums are f32; a product's terms are added in the order of its
//! ranks and then to the weight, so each number is the same whichever rows are computed together.

use std::sync::atomic::{AtomicU32, Ordering};

use super::pack::widen_all;
use crate::{
    elementwise::{Stored, vector::vectorised},
    runtime::{Engine, Level, SendPtr, vec_of, written, zeros},
};

/// Numbers of a task of [`Weight::changed`], at least.
const TASK: usize = 1 << 14;

/// A weight to pack, row-major: a row for each output.
#[derive(Clone, Copy, Debug)]
pub struct Weight<'a, W> {
    /// The stored numbers.
    pub numbers: &'a [W],
    /// What is added to them in f32, one change after another.
    pub changes: &'a [Change<'a>],
}

impl<'a, W, S: AsRef<[W]> + ?Sized> From<&'a S> for Weight<'a, W> {
    fn from(numbers: &'a S) -> Self {
        Self { numbers: numbers.as_ref(), changes: &[] }
    }
}

/// What is added to a weight.
#[derive(Debug)]
pub struct Change<'a> {
    /// The numbers to add.
    pub difference: Difference<'a>,
    /// The factor of the difference.
    pub factor: f32,
    largest: AtomicU32,
}

/// Numbers of a weight's shape.
#[derive(Clone, Copy, Debug)]
pub enum Difference<'a> {
    /// As they are.
    Whole(&'a [f32]),
    /// A product [outputs, rank] times [rank, numbers of a row].
    Product {
        /// The first operand.
        left: &'a [f32],
        /// The second operand.
        right: &'a [f32],
    },
}

impl<'a> Change<'a> {
    /// A change by `factor` times `difference`.
    pub fn new(difference: Difference<'a>, factor: f32) -> Self {
        Self { difference, factor, largest: AtomicU32::new(0) }
    }

    /// The largest magnitude among the sums of the weight and the changes up to this one; NaN if one of them is NaN. 0 before they are
    /// computed.
    pub fn largest(&self) -> f32 {
        f32::from_bits(self.largest.load(Ordering::Relaxed))
    }

    /// Adds the change to `rows`, the rows of these outputs, of `length` numbers each.
    #[inline(always)]
    fn add(&self, outputs: &[usize], length: usize, rows: &mut [f32], level: Level) {
        let most = match self.difference {
            Difference::Whole(whole) => {
                let mut most = 0;
                for (row, output) in rows.chunks_exact_mut(length).zip(outputs) {
                    most = most.max(add_scaled(row, &whole[output * length..(output + 1) * length], self.factor));
                }
                most
            }
            Difference::Product { left, right } => {
                let rank = right.len() / length;
                let lefts = |at: usize| &left[outputs[at] * rank..(outputs[at] + 1) * rank];
                #[cfg(target_arch = "x86_64")]
                if level >= Level::Avx512 {
                    // SAFETY: an engine has a level only if the processor supports it.
                    let most = unsafe { add_product_avx512(lefts, right, self.factor, (outputs.len(), length), rows) };
                    self.largest.fetch_max(most, Ordering::Relaxed);
                    return;
                }
                // Without the instruction, a fused product takes a function call.
                if level >= Level::Avx2 || cfg!(not(target_arch = "x86_64")) {
                    add_product::<true>(lefts, right, self.factor, (outputs.len(), length), rows)
                } else {
                    add_product::<false>(lefts, right, self.factor, (outputs.len(), length), rows)
                }
            }
        };
        self.largest.fetch_max(most, Ordering::Relaxed);
    }
}

/// Columns of a product that are summed together, in registers; their part of the second operand stays in the first-level cache for all
/// rows.
const BLOCK: usize = 64;

/// Adds `factor * added`; returns the largest magnitude of the sums as bits. Without their sign, the bits of floats are in the order of the
/// floats, and those of NaN are the largest.
#[inline(always)]
fn add_scaled(sums: &mut [f32], added: &[f32], factor: f32) -> u32 {
    let mut most = 0;
    for (sum, added) in sums.iter_mut().zip(added) {
        *sum += factor * added;
        most = most.max(sum.abs().to_bits());
    }
    most
}

/// Adds `factor` times a product to `rows`; returns the largest magnitude of the sums as bits. `left` has each row's numbers of the first
/// operand; `FUSED` adds each term without rounding it first.
#[inline(always)]
fn add_product<'a, const FUSED: bool>(
    left: impl Fn(usize) -> &'a [f32],
    right: &[f32],
    factor: f32,
    (count, length): (usize, usize),
    rows: &mut [f32],
) -> u32 {
    let mut most = 0;
    for start in (0..length).step_by(BLOCK) {
        let columns = BLOCK.min(length - start);
        for at in 0..count {
            let mut products = [0.0_f32; BLOCK];
            for (left, right) in left(at).iter().zip(right.chunks_exact(length)) {
                for (product, right) in products.iter_mut().zip(&right[start..start + columns]) {
                    *product = if FUSED { left.mul_add(*right, *product) } else { left * right + *product };
                }
            }
            let row = &mut rows[at * length + start..at * length + start + columns];
            most = most.max(add_scaled(row, &products[..columns], factor));
        }
    }
    most
}

/// [`add_product`], fused, some rows at a time.
///
/// # Panics
/// If an operand is too short.
#[cfg(target_arch = "x86_64")]
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn add_product_avx512<'a>(
    left: impl Fn(usize) -> &'a [f32],
    right: &[f32],
    factor: f32,
    (count, length): (usize, usize),
    rows: &mut [f32],
) -> u32 {
    use std::arch::x86_64::*;

    use crate::elementwise::vector::avx512::first_lanes;

    /// Of a row's block.
    const REGISTERS: usize = BLOCK / 16;
    /// Rows that share what is read of the second operand: their sums fill half of the registers.
    const ROWS: usize = 4;
    let (factor, magnitude) = (_mm512_set1_ps(factor), _mm512_set1_epi32(i32::MAX));
    let mut most = _mm512_setzero_si512();
    for start in (0..length).step_by(BLOCK) {
        let columns = BLOCK.min(length - start);
        let masks: [__mmask16; REGISTERS] = std::array::from_fn(|register| first_lanes(columns.saturating_sub(register * 16)));
        for first in (0..count).step_by(ROWS) {
            // What is missing at the end repeats the last row, and is not stored.
            let lefts: [&[f32]; ROWS] = std::array::from_fn(|at| left((first + at).min(count - 1)));
            let mut products = [[_mm512_setzero_ps(); REGISTERS]; ROWS];
            for (rank, right) in right.chunks_exact(length).enumerate() {
                let from = right[start..start + columns].as_ptr();
                // No closures here: they would be compiled for the baseline, and pass registers through memory.
                let mut right = [_mm512_setzero_ps(); REGISTERS];
                for register in 0..REGISTERS {
                    // SAFETY: the mask has the slice's columns only.
                    right[register] = unsafe { _mm512_maskz_loadu_ps(masks[register], from.wrapping_add(register * 16)) };
                }
                for at in 0..ROWS {
                    let left = _mm512_set1_ps(lefts[at][rank]);
                    for register in 0..REGISTERS {
                        products[at][register] = _mm512_fmadd_ps(left, right[register], products[at][register]);
                    }
                }
            }
            for (at, products) in products.iter().enumerate().take(count - first) {
                let from = (first + at) * length + start;
                let row = rows[from..from + columns].as_mut_ptr();
                for (register, mask) in masks.iter().enumerate() {
                    let to = row.wrapping_add(register * 16);
                    // SAFETY: the mask has the slice's columns only.
                    unsafe {
                        let sum = _mm512_add_ps(_mm512_maskz_loadu_ps(*mask, to), _mm512_mul_ps(factor, products[register]));
                        _mm512_mask_storeu_ps(to, *mask, sum);
                        let sum = _mm512_maskz_mov_epi32(*mask, _mm512_castps_si512(sum));
                        most = _mm512_max_epu32(most, _mm512_and_si512(sum, magnitude));
                    }
                }
            }
        }
    }
    _mm512_reduce_max_epu32(most)
}

impl<W: Stored> Weight<'_, W> {
    /// Writes the changed rows of these outputs, of `length` numbers each.
    #[inline(always)]
    pub(super) fn write_rows(&self, outputs: &[usize], length: usize, rows: &mut [f32], level: Level) {
        if length == 0 {
            return;
        }
        for (row, output) in rows.chunks_exact_mut(length).zip(outputs) {
            widen_all(&self.numbers[output * length..(output + 1) * length], row, level);
        }
        for change in self.changes {
            change.add(outputs, length, rows, level);
        }
    }

    /// The changed numbers of a weight with `outputs` rows.
    ///
    /// # Panics
    /// If the weight has no such rows, or a change has another shape.
    pub fn changed(&self, engine: &Engine, outputs: usize) -> Vec<f32> {
        let count = self.numbers.len();
        let length = count.checked_div(outputs).unwrap_or(0);
        assert_eq!(count, outputs * length, "a weight's rows");
        let group = (TASK / length.max(1)).max(1);
        vec_of(count, |y| {
            let sums = SendPtr(y.as_mut_ptr());
            engine.pool().run(outputs.div_ceil(group), |task| {
                let outputs: Vec<usize> = (task * group..outputs.min((task + 1) * group)).collect();
                // SAFETY: only this task writes these rows.
                let rows = unsafe { std::slice::from_raw_parts_mut(sums.get().add(task * group * length), outputs.len() * length) };
                let rows = zeros(rows);
                vectorised(
                    engine.level(),
                    #[inline(always)]
                    || self.write_rows(&outputs, length, rows, engine.level()),
                );
            });
            // SAFETY: the groups cover y.
            unsafe { written(y) }
        })
    }
}
