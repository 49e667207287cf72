//! Matrix products: the safe wrapper of the `gemm` crate, and the linear layer on it.
//!
//! This is the one place of the ops that holds `unsafe`: gemm takes raw pointers. The wrapper checks every extent first.

use candle_core::Tensor;
use gemm::Parallelism;
use rayon::prelude::*;

use super::{
    by_dtype,
    element::{Element, Elements, vectorised},
};
use crate::Result;

/// Rows of half-precision activations that are widened at a time, in bytes of f32.
const TILE_BYTES: usize = 16 << 20;

/// A matrix within a slice: element (row, column) lies at `row * row_stride + column * column_stride`.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    pub(super) data: &'a [f32],
    pub(super) row_stride: usize,
    pub(super) column_stride: usize,
}

/// The extents of a product: [rows, inner] times [inner, columns].
#[derive(Clone, Copy)]
pub(super) struct Extents {
    pub(super) rows: usize,
    pub(super) inner: usize,
    pub(super) columns: usize,
}

/// Whether the product may use all of rayon's threads, or is itself one task of many.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Threads {
    One,
    All,
}

/// `target = left * right`, or `target += left * right` if `accumulate`; `target`'s rows are `target_stride` apart.
pub(super) fn multiply(
    target: &mut [f32],
    target_stride: usize,
    accumulate: bool,
    left: View<'_>,
    right: View<'_>,
    extents: Extents,
    threads: Threads,
) -> Result<()> {
    let Extents { rows, inner, columns } = extents;
    if rows == 0 || columns == 0 {
        return Ok(());
    }
    let reach = |rows: usize, columns: usize, row_stride: usize, column_stride: usize| {
        let (down, across) = (rows.checked_sub(1)?.checked_mul(row_stride)?, columns.checked_sub(1)?.checked_mul(column_stride)?);
        down.checked_add(across)
    };
    let fits = |reach: Option<usize>, len: usize| reach.is_some_and(|last| last < len && last <= isize::MAX as usize / 4);
    let in_bounds = target_stride >= columns
        && fits(reach(rows, columns, target_stride, 1), target.len())
        && fits(reach(rows, inner, left.row_stride, left.column_stride), left.data.len())
        && fits(reach(inner, columns, right.row_stride, right.column_stride), right.data.len());
    if !in_bounds {
        return Err(candle_core::Error::Msg(format!("matrix product [{rows}, {inner}] x [{inner}, {columns}] exceeds its operands")).into());
    }
    let parallelism = match threads {
        Threads::One => Parallelism::None,
        Threads::All => Parallelism::Rayon(0),
    };
    // SAFETY: the farthest element of each matrix was checked to lie within its slice and all strides are non-negative, so every
    // element does; the target is borrowed uniquely and its rows do not overlap, for they are at least `columns` apart.
    #[expect(unsafe_code, reason = "gemm takes raw pointers")]
    unsafe {
        gemm::gemm(
            rows,
            columns,
            inner,
            target.as_mut_ptr(),
            1,
            target_stride as isize,
            accumulate,
            left.data.as_ptr(),
            left.column_stride as isize,
            left.row_stride as isize,
            right.data.as_ptr(),
            right.column_stride as isize,
            right.row_stride as isize,
            1.0,
            1.0,
            false,
            false,
            false,
            parallelism,
        );
    }
    Ok(())
}

/// Writes what a product is added to: the bias and the residual. `first` is the first row's index in the whole output.
pub(super) fn start_rows<T: Element>(target: &mut [f32], columns: usize, first: usize, bias: Option<&[f32]>, residual: Option<&[T]>) {
    match residual.and_then(|residual| residual.get(first * columns..)) {
        Some(residual) => T::widen_into(residual, target),
        None => target.fill(0.0),
    }
    if let Some(bias) = bias {
        for row in target.chunks_mut(columns) {
            for (value, bias) in row.iter_mut().zip(bias) {
                *value += bias;
            }
        }
    }
}

/// See `portable::linear`; `weight` and `bias` in f32.
pub(in crate::ops) fn linear(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>, residual: Option<&Tensor>) -> Result<Tensor> {
    by_dtype!(x, linear_of(x, weight, bias, residual))
}

fn linear_of<T: Element>(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>, residual: Option<&Tensor>) -> Result<Tensor> {
    let (rows, inner) = x.dims2()?;
    let columns = weight.dim(1)?;
    let (x_lock, weight_lock) = (Elements::of(x)?, Elements::of(weight)?);
    let bias_lock = bias.map(Elements::of).transpose()?;
    let residual_lock = residual.map(Elements::of).transpose()?;
    let bias = bias_lock.as_ref().map(|lock| lock.slice::<f32>()).transpose()?;
    let residual = residual_lock.as_ref().map(|lock| lock.slice::<T>()).transpose()?;
    let x = x_lock.slice::<T>()?;
    let right = View { data: weight_lock.slice()?, row_stride: columns, column_stride: 1 };
    let mut y = vec![T::narrow(0.0); rows * columns];
    let tile = match T::as_f32(x) {
        Some(_) => rows,
        None => TILE_BYTES / 4 / inner.max(columns).max(1),
    }
    .max(1);
    let mut wide_x = Vec::new();
    let mut wide_y = Vec::new();
    for (index, y) in y.chunks_mut(tile * columns.max(1)).enumerate() {
        let (first, rows) = (index * tile, y.len() / columns.max(1));
        let x = x.get(first * inner..(first + rows) * inner).unwrap_or_default();
        let left = match T::as_f32(x) {
            Some(x) => x,
            None => {
                wide_x.resize(x.len(), 0.0);
                wide_x.par_chunks_mut(1 << 14).zip(x.par_chunks(1 << 14)).for_each(|(to, from)| {
                    vectorised(
                        #[inline(always)]
                        || T::widen_into(from, to),
                    )
                });
                &wide_x
            }
        };
        let left = View { data: left, row_stride: inner, column_stride: 1 };
        let product = |target: &mut [f32]| {
            let accumulate = bias.is_some() || residual.is_some();
            if accumulate {
                let strip = (1 << 14) / columns.max(1) + 1;
                target
                    .par_chunks_mut(strip * columns)
                    .enumerate()
                    .for_each(|(index, target)| start_rows(target, columns, first + index * strip, bias, residual));
            }
            multiply(target, columns, accumulate, left, right, Extents { rows, inner, columns }, Threads::All)
        };
        if let Some(target) = T::as_f32_mut(y) {
            product(target)?;
            continue;
        }
        wide_y.resize(y.len(), 0.0);
        product(&mut wide_y)?;
        y.par_chunks_mut(1 << 14).zip(wide_y.par_chunks(1 << 14)).for_each(|(to, from)| {
            vectorised(
                #[inline(always)]
                || T::narrow_into(from, to),
            )
        });
    }
    Ok(Tensor::from_vec(y, (rows, columns), &candle_core::Device::Cpu)?)
}
