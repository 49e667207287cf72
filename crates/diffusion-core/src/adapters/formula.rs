//! How the tensors of one layer make its change: LoRA, LoHa, LoKr or a whole difference, with DoRA's magnitudes where there are any.
//!
//! This module must not depend on models or names of layers. Invariants: a [`Formula`] exists only for tensors whose shapes fit each other,
//! so that computing it cannot fail for its shapes; everything is computed in f32, as matrices of a row for each output. Reference:
//! LyCORIS' `functional` and the `forward` of its modules (their `get_diff_weight` scales LoHa and LoKr twice).

use std::collections::BTreeMap;

use candle_core::{Result as CandleResult, Tensor};

use super::keys::Role;
use crate::{Result, ops::Elements, weights::TensorFile};

/// The largest rank of a factorisation: far above any trainer's, and small enough that a layer's product takes seconds at most.
const MOST_RANK: usize = 4096;

/// The largest rank of a product that is computed while it is added: beyond it, the second factor no longer stays in a core's cache.
const MOST_ADDED_RANK: usize = 256;

/// A change of a weight in f32: matrices with a row for each output.
pub(super) enum Difference {
    Whole(Tensor),
    /// [rows, rank] times [rank, columns].
    Product(Tensor, Tensor),
}

impl Difference {
    /// Locks its numbers.
    ///
    /// # Errors
    /// candle's, for a tensor that is not contiguous.
    pub(super) fn numbers(&self) -> Result<DifferenceNumbers<'_>> {
        Ok(match self {
            Self::Whole(whole) => DifferenceNumbers::Whole(Elements::of(whole)?),
            Self::Product(left, right) => DifferenceNumbers::Product(Elements::of(left)?, Elements::of(right)?),
        })
    }
}

/// The numbers of a [`Difference`].
pub(super) enum DifferenceNumbers<'a> {
    Whole(Elements<'a>),
    Product(Elements<'a>, Elements<'a>),
}

impl DifferenceNumbers<'_> {
    /// The change by `factor` times the difference, for the kernel that adds it.
    ///
    /// # Errors
    /// candle's, for numbers that are not f32.
    pub(super) fn change(&self, factor: f32) -> Result<cpu_kernels::Change<'_>> {
        let difference = match self {
            Self::Whole(whole) => cpu_kernels::Difference::Whole(whole.slice()?),
            Self::Product(left, right) => cpu_kernels::Difference::Product { left: left.slice()?, right: right.slice()? },
        };
        Ok(cpu_kernels::Change::new(difference, factor))
    }
}

/// A tensor of the adapter: its key and its size as a matrix, the first dimension by all others.
#[derive(Clone, Debug)]
pub(super) struct Factor {
    pub(super) key: String,
    pub(super) shape: Vec<usize>,
}

impl Factor {
    fn rows(&self) -> usize {
        self.shape.first().copied().unwrap_or(1)
    }

    fn columns(&self) -> usize {
        self.shape.iter().skip(1).product()
    }

    fn read(&self, file: &TensorFile) -> Result<Tensor> {
        Ok(file.read(&self.key)?.reshape((self.rows(), self.columns()))?)
    }
}

/// The core of a convolution in three factors: [rank of the outputs, rank of the inputs, ..kernel].
#[derive(Clone, Debug)]
struct Core(Factor);

impl Core {
    /// The sizes of its first two dimensions and of the rest.
    fn sizes(&self) -> (usize, usize, usize) {
        let (rows, columns) = (self.0.rows(), self.0.shape.get(1).copied().unwrap_or(1));
        (rows, columns, self.0.columns() / columns.max(1))
    }
}

/// A matrix, whole or as a product of factors.
#[derive(Clone, Debug)]
enum Matrix {
    Whole(Factor),
    /// [rows, rank] times [rank, columns].
    Product(Factor, Factor),
    /// A core between its factors for the outputs, [rows, rank] or transposed, and for the inputs, [rank, columns].
    Cored {
        core: Core,
        outputs: Factor,
        transposed: bool,
        inputs: Factor,
    },
}

/// A layer's change of its weight before the scale.
#[derive(Clone, Debug)]
enum Change {
    Matrix(Matrix),
    /// The product of two matrices element by element.
    Hadamard(Matrix, Matrix),
    /// The Kronecker product of two matrices.
    Kronecker(Matrix, Matrix),
}

/// A layer's change of its weight.
#[derive(Clone, Debug)]
pub(super) struct Formula {
    change: Change,
    /// The rank that an alpha is divided by; `None` for a change that has no scale.
    pub(super) rank: Option<usize>,
}

/// The tensors of a layer by their roles.
pub(super) type Factors = BTreeMap<Role, Factor>;

impl Formula {
    /// The formula for a layer's tensors; `None` if none of them changes its weight.
    ///
    /// # Errors
    /// A message that names the tensor that is missing, or those whose shapes or ranks do not fit.
    pub(super) fn of(factors: &Factors) -> Result<Option<Self>, String> {
        let get = |role| factors.get(&role).cloned();
        let need = |role, other: &Factor| {
            get(role).ok_or_else(|| format!("{} has no counterpart: its {} is missing", other.key, Role::name(role)))
        };
        let has = |roles: &[Role]| roles.iter().any(|role| factors.contains_key(role));
        let formula = if has(&[Role::Up, Role::Down]) {
            let (up, down) = match (get(Role::Up), get(Role::Down)) {
                (Some(up), Some(down)) => (up, down),
                (Some(one), None) | (None, Some(one)) => return Err(format!("{} has no counterpart: up and down come in pairs", one.key)),
                (None, None) => return Ok(None),
            };
            let rank = down.rows();
            let matrix = match get(Role::Mid) {
                Some(mid) => Matrix::cored(mid, up, false, down)?,
                None => Matrix::product(up, down)?,
            };
            Self { change: Change::Matrix(matrix), rank: Some(rank) }
        } else if let Some(first) = get(Role::Hada1A) {
            let (b1, a2, b2) = (need(Role::Hada1B, &first)?, need(Role::Hada2A, &first)?, need(Role::Hada2B, &first)?);
            let rank = b1.rows();
            let (one, two) = match (get(Role::Hada1Core), get(Role::Hada2Core)) {
                (Some(t1), Some(t2)) => (Matrix::cored(t1, first, true, b1)?, Matrix::cored(t2, a2, true, b2)?),
                (None, None) => (Matrix::product(first, b1)?, Matrix::product(a2, b2)?),
                (Some(core), None) | (None, Some(core)) => return Err(format!("{} has no counterpart: cores come in pairs", core.key)),
            };
            if one.size() != two.size() {
                return Err(format!("its two products have the sizes {:?} and {:?}, which should be equal", one.size(), two.size()));
            }
            Self { change: Change::Hadamard(one, two), rank: Some(rank) }
        } else if let Some(any) = [Role::Kron1, Role::Kron1A, Role::Kron2, Role::Kron2A].into_iter().find_map(get) {
            let (first, rank1) = match get(Role::Kron1) {
                Some(whole) => (Matrix::Whole(whole), None),
                None => {
                    let (a, b) = (need(Role::Kron1A, &any)?, need(Role::Kron1B, &any)?);
                    let rank = b.rows();
                    (Matrix::product(a, b)?, Some(rank))
                }
            };
            let (second, rank2) = match get(Role::Kron2) {
                Some(whole) => (Matrix::Whole(whole), None),
                None => {
                    let (a, b) = (need(Role::Kron2A, &any)?, need(Role::Kron2B, &any)?);
                    let rank = b.rows();
                    let matrix = match get(Role::Kron2Core) {
                        Some(core) => Matrix::cored(core, a, true, b)?,
                        None => Matrix::product(a, b)?,
                    };
                    (matrix, Some(rank))
                }
            };
            Self { change: Change::Kronecker(first, second), rank: rank1.or(rank2) }
        } else if let Some(whole) = get(Role::Diff) {
            Self { change: Change::Matrix(Matrix::Whole(whole)), rank: None }
        } else {
            return Ok(None);
        };
        Ok(Some(formula))
    }

    /// Rows and columns of the change.
    pub(super) fn size(&self) -> (usize, usize) {
        match &self.change {
            Change::Matrix(matrix) | Change::Hadamard(matrix, _) => matrix.size(),
            Change::Kronecker(first, second) => {
                let ((rows, columns), (inner_rows, inner_columns)) = (first.size(), second.size());
                (rows.saturating_mul(inner_rows), columns.saturating_mul(inner_columns))
            }
        }
    }

    /// The change in f32, a row for each output; a product of a low rank is left to the kernel that adds it.
    ///
    /// # Errors
    /// [`crate::Error::File`] if a tensor cannot be read.
    pub(super) fn read(&self, file: &TensorFile) -> Result<Difference> {
        match &self.change {
            Change::Matrix(Matrix::Product(left, right)) if right.rows() <= MOST_ADDED_RANK => {
                Ok(Difference::Product(left.read(file)?, right.read(file)?))
            }
            Change::Matrix(_) | Change::Hadamard(..) | Change::Kronecker(..) => Ok(Difference::Whole(self.compute(file)?)),
        }
    }

    /// The change in f32, a row for each output.
    ///
    /// # Errors
    /// [`crate::Error::File`] if a tensor cannot be read.
    pub(super) fn compute(&self, file: &TensorFile) -> Result<Tensor> {
        match &self.change {
            Change::Matrix(matrix) => matrix.compute(file),
            Change::Hadamard(one, two) => Ok((one.compute(file)? * two.compute(file)?)?),
            Change::Kronecker(first, second) => {
                let ((rows, columns), (inner_rows, inner_columns)) = (first.size(), second.size());
                let first = first.compute(file)?.reshape((rows, 1, columns, 1))?;
                let second = second.compute(file)?.reshape((1, inner_rows, 1, inner_columns))?;
                Ok(first.broadcast_mul(&second)?.reshape((rows * inner_rows, columns * inner_columns))?)
            }
        }
    }
}

impl Matrix {
    fn product(left: Factor, right: Factor) -> Result<Self, String> {
        check_rank(&left, left.columns(), &right, right.rows())?;
        Ok(Self::Product(left, right))
    }

    fn cored(core: Factor, outputs: Factor, transposed: bool, inputs: Factor) -> Result<Self, String> {
        let core = Core(core);
        let (rank, inner, _) = core.sizes();
        check_rank(&outputs, if transposed { outputs.rows() } else { outputs.columns() }, &core.0, rank)?;
        check_rank(&core.0, inner, &inputs, inputs.rows())?;
        Ok(Self::Cored { core, outputs, transposed, inputs })
    }

    fn size(&self) -> (usize, usize) {
        match self {
            Self::Whole(factor) => (factor.rows(), factor.columns()),
            Self::Product(left, right) => (left.rows(), right.columns()),
            Self::Cored { core, outputs, transposed, inputs } => {
                let rows = if *transposed { outputs.columns() } else { outputs.rows() };
                (rows, inputs.columns().saturating_mul(core.sizes().2))
            }
        }
    }

    fn compute(&self, file: &TensorFile) -> Result<Tensor> {
        match self {
            Self::Whole(factor) => factor.read(file),
            Self::Product(left, right) => Ok(left.read(file)?.matmul(&right.read(file)?)?),
            Self::Cored { core, outputs, transposed, inputs } => {
                let outputs = outputs.read(file)?;
                let outputs = if *transposed { outputs.t()?.contiguous()? } else { outputs };
                Ok(cored(&core.0.read(file)?, core.sizes(), &outputs, &inputs.read(file)?)?)
            }
        }
    }
}

/// `outputs` [rows, rank] times `core` [rank, inner, kernel] times `inputs` [inner, columns], as [rows, columns * kernel].
fn cored(core: &Tensor, (rank, inner, kernel): (usize, usize, usize), outputs: &Tensor, inputs: &Tensor) -> CandleResult<Tensor> {
    let (rows, columns) = (outputs.dim(0)?, inputs.dim(1)?);
    let left = outputs.matmul(&core.reshape((rank, inner * kernel))?)?;
    let left = left.reshape((rows, inner, kernel))?.transpose(1, 2)?.contiguous()?.reshape((rows * kernel, inner))?;
    left.matmul(inputs)?.reshape((rows, kernel, columns))?.transpose(1, 2)?.contiguous()?.reshape((rows, columns * kernel))
}

fn check_rank(left: &Factor, rank: usize, right: &Factor, other: usize) -> Result<(), String> {
    let shapes = || format!("{} of the shape {:?} and {} of the shape {:?}", left.key, left.shape, right.key, right.shape);
    if rank != other {
        return Err(format!("{} have the ranks {rank} and {other}, which should be equal", shapes()));
    }
    if rank == 0 || rank > MOST_RANK {
        return Err(format!("{} have the rank {rank}, supported are 1 to {MOST_RANK}", shapes()));
    }
    Ok(())
}
