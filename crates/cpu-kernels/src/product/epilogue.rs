//! The epilogue: biases, gate, residual, ReLU (plain, leaky or parametric), blend and rounding in one pass while a block's sums are in the L1 cache.

use super::{block::SUM_STRIDE, pack::COLUMN, shape::Blend};
use crate::{
    elementwise::{
        Element,
        pointwise::{gelu, leaky, relu},
    },
    runtime::{Level, SendPtr},
};

/// A product's output, and the epilogue's operands.
pub(crate) struct Store<'a, T> {
    pub(crate) y: SendPtr<T>,
    /// Outputs in a row of y.
    pub(crate) width: usize,
    /// Biases in the order of the columns, of each image or shared by all.
    pub(crate) biases: &'a [f32],
    /// Floats from one image's biases to the next; 0 if all images share them.
    pub(crate) bias_stride: usize,
    pub(crate) residual: Option<&'a [T]>,
    pub(crate) relu: bool,
    /// What negative sums are multiplied by, in the order of the columns.
    pub(crate) slopes: Option<&'a [f32]>,
    pub(crate) blend: Option<Blend<'a, T>>,
    pub(crate) gated: bool,
}

/// The sums of some rows, and their position in the output.
#[derive(Clone, Copy)]
pub(crate) struct Part {
    /// A tile's rows of a block's sums, or a line of outputs transformed back from another basis.
    pub(crate) sums: *const f32,
    /// The first row of y.
    pub(crate) row: usize,
    /// How many rows are outputs.
    pub(crate) valid: usize,
    pub(crate) image: usize,
    /// The first column of the weights, and how many.
    pub(crate) column: usize,
    pub(crate) columns: usize,
}

/// Stores a part.
///
/// # Safety
/// The part's rows and columns lie within y, no other task writes them, and its sums are valid.
pub(crate) type Epilogue<T> = unsafe fn(&Store<'_, T>, &Part);

/// The epilogue for a level.
pub(crate) fn of<T: Element>(level: Level) -> Epilogue<T> {
    match level {
        Level::Portable => portable::<T>,
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 => avx2::<T>,
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 => avx512::plain::<T>,
        #[cfg(target_arch = "x86_64")]
        Level::Avx512Bf16 | Level::Amx => avx512::rounding::<T>,
        #[cfg(not(target_arch = "x86_64"))]
        _ => portable::<T>,
    }
}

unsafe fn portable<T: Element>(store: &Store<'_, T>, part: &Part) {
    // SAFETY: guaranteed by the caller.
    unsafe { any(store, part) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn avx2<T: Element>(store: &Store<'_, T>, part: &Part) {
    // SAFETY: guaranteed by the caller.
    unsafe { any(store, part) }
}

#[inline(always)]
unsafe fn any<T: Element>(store: &Store<'_, T>, part: &Part) {
    let Part { sums, row, valid, image, column, columns } = *part;
    let biases = &store.biases[image * store.bias_stride + column * COLUMN..][..columns * COLUMN];
    // SAFETY: guaranteed by the caller.
    unsafe {
        if store.gated {
            let first = column / 2 * COLUMN;
            let (value_bias, gate_bias) = biases.split_at(COLUMN);
            let Some((value_bias, gate_bias)) = value_bias.first_chunk::<COLUMN>().zip(gate_bias.first_chunk::<COLUMN>()) else { return };
            for r in 0..valid {
                let values = &*sums.add(r * SUM_STRIDE).cast::<[f32; COLUMN]>();
                let gates = &*sums.add(r * SUM_STRIDE + COLUMN).cast::<[f32; COLUMN]>();
                let mut out = [0_f32; COLUMN];
                for lane in 0..COLUMN {
                    out[lane] = (values[lane] + value_bias[lane]) * gelu(gates[lane] + gate_bias[lane]);
                }
                put(store, row + r, first, out);
            }
            return;
        }
        for (index, bias) in biases.as_chunks::<COLUMN>().0.iter().enumerate() {
            for r in 0..valid {
                let sums = &*sums.add(r * SUM_STRIDE + index * COLUMN).cast::<[f32; COLUMN]>();
                let mut out = [0_f32; COLUMN];
                for lane in 0..COLUMN {
                    out[lane] = sums[lane] + bias[lane];
                }
                put(store, row + r, (column + index) * COLUMN, out);
            }
        }
    }
}

/// Adds the residual, applies ReLU or slopes, blends and writes up to 16 outputs.
#[inline(always)]
unsafe fn put<T: Element>(store: &Store<'_, T>, row: usize, first: usize, mut out: [f32; COLUMN]) {
    let at = row * store.width + first;
    let room = store.width - first;
    // SAFETY: the row lies within y, with `room` outputs from `first` on.
    unsafe {
        let y = store.y.get().add(at);
        if room >= COLUMN {
            if let Some(residual) = store.residual {
                let residual = &*residual.as_ptr().add(at).cast::<[T; COLUMN]>();
                for lane in 0..COLUMN {
                    out[lane] += residual[lane].widen();
                }
            }
            if store.relu {
                for value in &mut out {
                    *value = relu(*value);
                }
            }
            if let Some(slopes) = store.slopes {
                for (value, slope) in out.iter_mut().zip(&slopes[first..first + COLUMN]) {
                    *value = leaky(*value, *slope);
                }
            }
            if let Some(blend) = store.blend {
                let other = &*blend.other.as_ptr().add(at).cast::<[T; COLUMN]>();
                for lane in 0..COLUMN {
                    let other = other[lane].widen();
                    out[lane] = other + blend.share * if blend.whole { out[lane] } else { out[lane] - other };
                }
            }
            let mut narrow = [T::default(); COLUMN];
            for lane in 0..COLUMN {
                narrow[lane] = T::narrow(out[lane]);
            }
            y.cast::<[T; COLUMN]>().write_unaligned(narrow);
            return;
        }
        for (lane, value) in out.iter().enumerate().take(room) {
            let mut value = value + store.residual.map_or(0.0, |residual| residual[at + lane].widen());
            if store.relu {
                value = relu(value);
            }
            if let Some(slopes) = store.slopes {
                value = leaky(value, slopes[first + lane]);
            }
            if let Some(blend) = store.blend {
                let other = blend.other[at + lane].widen();
                value = other + blend.share * if blend.whole { value } else { value - other };
            }
            y.add(lane).write(T::narrow(value));
        }
    }
}

/// `any` with explicit vectors: otherwise the compiler passes every row through the stack.
#[cfg(target_arch = "x86_64")]
mod avx512 {
    use std::arch::x86_64::*;

    use super::{COLUMN, Element, Part, SUM_STRIDE, Store};
    use crate::elementwise::vector::avx512::{gelu, load, store_plain, store_rounding};

    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
    pub(super) unsafe fn plain<T: Element>(store: &Store<'_, T>, part: &Part) {
        // SAFETY: guaranteed by the caller.
        unsafe { rows(store, part, |to, value, mask| store_plain(to, value, mask)) }
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")]
    pub(super) unsafe fn rounding<T: Element>(store: &Store<'_, T>, part: &Part) {
        let plain = !store.gated && !store.relu && store.blend.is_none();
        // A gated layer has more columns than outputs.
        let whole = plain && part.columns == 2 && store.width - part.column * COLUMN >= 2 * COLUMN;
        // SAFETY: guaranteed by the caller.
        unsafe {
            if T::HALF && whole {
                return pairs(store, part);
            }
            rows(store, part, |to, value, mask| store_rounding(to, value, mask))
        }
    }

    /// `rows` for two whole columns of bfloat16 with at most a residual and slopes: most products. Both columns are rounded and stored at once.
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")]
    unsafe fn pairs<T: Element>(store: &Store<'_, T>, part: &Part) {
        let Part { sums, row, valid, image, column, .. } = *part;
        let biases = store.biases[image * store.bias_stride + column * COLUMN..][..2 * COLUMN].as_ptr();
        // SAFETY: two columns of biases and sums; the rows, and those of the residual, have 32 outputs here.
        unsafe {
            let biases = [_mm512_loadu_ps(biases), _mm512_loadu_ps(biases.add(COLUMN))];
            let slopes = slopes(store, column, 2);
            for r in 0..valid {
                let mut low = _mm512_add_ps(_mm512_load_ps(sums.add(r * SUM_STRIDE)), biases[0]);
                let mut high = _mm512_add_ps(_mm512_load_ps(sums.add(r * SUM_STRIDE + COLUMN)), biases[1]);
                let at = (row + r) * store.width + column * COLUMN;
                if let Some(residual) = store.residual {
                    let residual = residual.as_ptr().add(at);
                    low = _mm512_add_ps(low, load(residual, u16::MAX));
                    high = _mm512_add_ps(high, load(residual.add(COLUMN), u16::MAX));
                }
                if let Some(slopes) = slopes {
                    low = leaky(low, slopes[0]);
                    high = leaky(high, slopes[1]);
                }
                let halves: __m512i = std::mem::transmute(_mm512_cvtne2ps_pbh(high, low));
                _mm512_storeu_si512(store.y.get().add(at).cast(), halves);
            }
        }
    }

    /// The slopes of a column, or of two.
    #[inline]
    #[target_feature(enable = "avx512f")]
    fn slopes<T: Element>(store: &Store<'_, T>, column: usize, columns: usize) -> Option<[__m512; 2]> {
        let slopes = store.slopes?[column * COLUMN..][..columns * COLUMN].as_ptr();
        // SAFETY: `columns` columns of slopes.
        Some(unsafe { [_mm512_loadu_ps(slopes), _mm512_loadu_ps(slopes.add((columns - 1) * COLUMN))] })
    }

    /// A NaN stays one: the second operand is the result of a maximum or a minimum where one is NaN.
    #[inline]
    #[target_feature(enable = "avx512f")]
    fn leaky(value: __m512, slope: __m512) -> __m512 {
        let zero = _mm512_setzero_ps();
        _mm512_fmadd_ps(_mm512_min_ps(zero, value), slope, _mm512_max_ps(zero, value))
    }

    // Always inlined, so that `put` is compiled with the caller's target features and never called.
    #[inline(always)]
    unsafe fn rows<T: Element>(store: &Store<'_, T>, part: &Part, put: impl Fn(*mut T, __m512, __mmask16)) {
        let Part { sums, row, valid, image, column, columns } = *part;
        let biases = store.biases[image * store.bias_stride + column * COLUMN..][..columns * COLUMN].as_ptr();
        let outputs = if store.gated { 1 } else { columns };
        let first = if store.gated { column / 2 * COLUMN } else { column * COLUMN };
        let mask = |index: usize| {
            let room = store.width - (first + index * COLUMN);
            if room >= COLUMN { u16::MAX } else { (1 << room) - 1 }
        };
        let masks = [mask(0), mask(outputs - 1)];
        // SAFETY: `columns` columns of biases and sums; the rows lie within y, the residual and the blend's other operand; masks exclude
        // everything behind a row's end.
        unsafe {
            let biases = [_mm512_loadu_ps(biases), _mm512_loadu_ps(biases.add((columns - 1) * COLUMN))];
            let slopes = slopes(store, column, columns);
            for r in 0..valid {
                let sums = [_mm512_load_ps(sums.add(r * SUM_STRIDE)), _mm512_load_ps(sums.add(r * SUM_STRIDE + COLUMN))];
                let mut values = [_mm512_add_ps(sums[0], biases[0]), _mm512_add_ps(sums[1], biases[1])];
                if store.gated {
                    values[0] = _mm512_mul_ps(values[0], gelu(values[1]));
                }
                let at = (row + r) * store.width + first;
                for index in 0..outputs {
                    let at = at + index * COLUMN;
                    let mut value = values[index];
                    if let Some(residual) = store.residual {
                        value = _mm512_add_ps(value, load(residual.as_ptr().add(at), masks[index]));
                    }
                    if store.relu {
                        // The second operand is the result where one is NaN.
                        value = _mm512_max_ps(_mm512_setzero_ps(), value);
                    }
                    if let Some(slopes) = slopes {
                        value = leaky(value, slopes[index]);
                    }
                    if let Some(blend) = store.blend {
                        let other = load(blend.other.as_ptr().add(at), masks[index]);
                        let rest = if blend.whole { value } else { _mm512_sub_ps(value, other) };
                        value = _mm512_fmadd_ps(_mm512_set1_ps(blend.share), rest, other);
                    }
                    put(store.y.get().add(at), value, masks[index]);
                }
            }
        }
    }
}
