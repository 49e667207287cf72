//! One layer of an adapter: its change of the weight and of the bias, with alpha, rank and DoRA's magnitudes.
//!
//! This module must not depend on how layers are named. Invariant: a change is relative to the base weight, so several adapters add up in
//! any order, and weight 0 is no change at all.

use candle_core::{Result as CandleResult, Tensor};

use super::{
    formula::{Difference, Factor, Factors, Formula},
    keys::{LayerKey, Role},
};
use crate::{Result, weights::TensorFile};

/// A layer of an adapter.
#[derive(Clone, Debug)]
pub(super) struct Layer {
    pub(super) key: LayerKey,
    /// The keys of its tensors, for messages; never empty.
    pub(super) keys: Vec<String>,
    weight: Option<WeightChange>,
    bias: Option<Factor>,
    /// The factor of the bias: peft scales it as its matrices.
    bias_scale: f64,
}

#[derive(Clone, Debug)]
struct WeightChange {
    formula: Formula,
    /// Alpha by rank.
    scale: f64,
    magnitudes: Option<Magnitudes>,
}

/// DoRA's magnitudes: the norms of the changed weight's rows or columns.
#[derive(Clone, Debug)]
struct Magnitudes {
    factor: Factor,
    /// peft has one for each row, whatever their shape.
    of_rows: bool,
}

/// The tensor of a layer that changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Parameter {
    Weight,
    Bias,
}

impl Layer {
    /// A layer from its tensors; `scale_of` has the factor for a rank. `None` if they change nothing.
    ///
    /// # Errors
    /// A message that names the tensors that do not fit each other.
    pub(super) fn new(key: &LayerKey, factors: &Factors, scale_of: impl Fn(usize) -> f64) -> Result<Option<Self>, String> {
        let keys: Vec<String> = factors.values().map(|factor| factor.key.clone()).collect();
        let get = |role| factors.get(&role).cloned();
        let mut bias_scale = 1.0;
        let weight = Formula::of(factors)?.map(|formula| {
            let scale = formula.rank.map_or(1.0, scale_of);
            let by_row = get(Role::Magnitude).map(|factor| Magnitudes { factor, of_rows: true });
            let magnitudes = by_row.or_else(|| get(Role::DoraScale).map(|factor| Magnitudes { factor, of_rows: false }));
            bias_scale = scale;
            WeightChange { formula, scale, magnitudes }
        });
        let (bias, bias_scale) = match get(Role::DiffBias) {
            Some(bias) => (Some(bias), 1.0),
            None => (get(Role::UpBias).filter(|_| weight.is_some()), bias_scale),
        };
        Ok((weight.is_some() || bias.is_some()).then_some(Self { key: key.clone(), keys, weight, bias, bias_scale }))
    }

    /// Why the layer's change does not fit a parameter of this shape; `None` if it does, or if it leaves the parameter alone.
    pub(super) fn misfit(&self, parameter: Parameter, shape: &[usize]) -> Option<String> {
        let (rows, columns) = (shape.first().copied().unwrap_or(1), shape.iter().skip(1).product::<usize>());
        match parameter {
            Parameter::Bias => {
                let bias = self.bias.as_ref()?;
                let count: usize = bias.shape.iter().product();
                (count != rows || columns != 1).then(|| format!("{} has the shape {:?}, the model's bias {shape:?}", bias.key, bias.shape))
            }
            Parameter::Weight => {
                let WeightChange { formula, magnitudes, .. } = self.weight.as_ref()?;
                let (found_rows, found_columns) = formula.size();
                if (found_rows, found_columns) != (rows, columns) {
                    let key = self.key_of(parameter).unwrap_or_default();
                    return Some(format!("{key} makes {found_rows} rows of {found_columns}, the model's weight has the shape {shape:?}"));
                }
                let magnitudes = magnitudes.as_ref()?;
                magnitudes.axis(shape).is_none().then(|| {
                    let Factor { key, shape: found } = &magnitudes.factor;
                    format!("{key} has the shape {found:?}, which scales neither rows nor columns of {shape:?}")
                })
            }
        }
    }

    /// The key of a tensor that changes this parameter; `None` if the layer leaves it alone.
    pub(super) fn key_of(&self, parameter: Parameter) -> Option<&str> {
        match parameter {
            Parameter::Weight => self.weight.as_ref().and_then(|_| self.keys.first().map(String::as_str)),
            Parameter::Bias => self.bias.as_ref().map(|bias| bias.key.as_str()),
        }
    }

    /// The difference that this layer makes to a parameter at `weight`, and the factor that it still lacks. `None` if it makes none. `base`
    /// reads the parameter in f32, in its own shape.
    ///
    /// # Errors
    /// [`crate::Error::File`] if a tensor cannot be read; those of `base`.
    pub(super) fn difference(
        &self,
        parameter: Parameter,
        base: impl FnOnce() -> Result<Tensor>,
        weight: f64,
        file: &TensorFile,
    ) -> Result<Option<(Difference, f64)>> {
        match (parameter, &self.weight, &self.bias) {
            (Parameter::Weight, Some(change), _) => change.difference(base, weight, file).map(Some),
            (Parameter::Bias, _, Some(bias)) => Ok(Some((Difference::Whole(file.read(&bias.key)?), self.bias_scale * weight))),
            (Parameter::Weight, None, _) | (Parameter::Bias, _, None) => Ok(None),
        }
    }
}

impl WeightChange {
    fn difference(&self, base: impl FnOnce() -> Result<Tensor>, weight: f64, file: &TensorFile) -> Result<(Difference, f64)> {
        let Some(magnitudes) = &self.magnitudes else { return Ok((self.formula.read(file)?, self.scale * weight)) };
        let base = base()?;
        let change = self.formula.compute(file)?.reshape(base.dims())?;
        let Some(axis) = magnitudes.axis(base.dims()) else { return Ok((Difference::Whole(change), self.scale * weight)) };
        let merged = (&base + (change * self.scale)?)?;
        let scaled = decomposed(&merged, axis, &file.read(&magnitudes.factor.key)?, weight)?;
        Ok((Difference::Whole((scaled - base)?), 1.0))
    }
}

impl Magnitudes {
    /// The dimension of the weight that they scale: 0 for its rows, 1 for its columns; `None` if they fit neither.
    fn axis(&self, shape: &[usize]) -> Option<usize> {
        let count: usize = self.factor.shape.iter().product();
        let is_row_vector = self.factor.shape.len() > 1 && self.factor.shape.first() == Some(&1) && count > 1;
        let axis = usize::from(is_row_vector && !self.of_rows);
        (shape.get(axis) == Some(&count)).then_some(axis)
    }
}

/// LyCORIS' `weight_decompose`: `weight` times (`strength` times (magnitude by norm, less 1), plus 1).
fn decomposed(weight: &Tensor, axis: usize, magnitudes: &Tensor, strength: f64) -> CandleResult<Tensor> {
    let dims = weight.dims();
    let mut along = vec![1; dims.len()];
    if let (Some(size), Some(count)) = (along.get_mut(axis), dims.get(axis)) {
        *size = *count;
    }
    let rows = weight.transpose(0, axis)?.contiguous()?.flatten_from(1)?;
    let norms = (rows.sqr()?.sum(1)?.sqrt()? + f64::from(f32::EPSILON))?;
    let scale = (magnitudes.flatten_all()? / norms)?;
    let scale = if strength == 1.0 { scale } else { scale.affine(strength, 1.0 - strength)? };
    weight.broadcast_mul(&scale.reshape(along)?)
}
