//! The container that torch.save writes since torch 1.6.
use std::sync::Arc;

use super::{Component, mapping::WeightFile, strided::StoredTensor};
use crate::{Error, Result};

pub(super) fn tensors(file: &Arc<WeightFile>, _component: Component) -> Result<Vec<(String, StoredTensor)>> {
    Err(Error::file(file.path(), "torch files are not read yet"))
}
