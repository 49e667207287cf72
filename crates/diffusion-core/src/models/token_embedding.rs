//! The token embedding of text models.
//!
//! This module does not depend on positions or on a model's token limit. Invariant: an id outside the table is refused, on every device.

use candle_core::{DType, Tensor};

use crate::{Error, Result};

/// As [`embed_tokens`], where ids behind the vocabulary are rows of `added` [words, hidden], which has the table's precision and device.
///
/// # Errors
/// [`Error::Params`] if an id is in neither.
pub(super) fn embed_tokens_or_added(table: &Tensor, added: &Tensor, ids: &Tensor) -> Result<Tensor> {
    let ((vocabulary, hidden), (batch, tokens)) = (table.dims2()?, ids.dims2()?);
    let mut rows = Vec::new();
    for id in ids.to_dtype(DType::U32)?.flatten_all()?.to_vec1::<u32>()? {
        rows.push(match (id as usize).checked_sub(vocabulary) {
            None => table.narrow(0, id as usize, 1)?,
            Some(word) if word < added.dim(0)? => added.narrow(0, word, 1)?,
            Some(_) => {
                return Err(Error::Params { field: "input_ids", reason: format!("{id} is no id of the vocabulary or an added word") });
            }
        });
    }
    Ok(Tensor::cat(&rows, 0)?.reshape((batch, tokens, hidden))?)
}

/// Looks up ids [batch, tokens] (u32) in `table` [vocab_size, hidden]: [batch, tokens, hidden], on the table's device.
///
/// # Errors
/// [`Error::Params`] if an id is not in the vocabulary.
pub(super) fn embed_tokens(table: &Tensor, ids: &Tensor) -> Result<Tensor> {
    let ((vocabulary, hidden), (batch, tokens)) = (table.dims2()?, ids.dims2()?);
    let ids = ids.to_dtype(DType::U32)?.flatten_all()?;
    if let Some(id) = ids.to_vec1::<u32>()?.into_iter().find(|id| *id as usize >= vocabulary) {
        return Err(Error::Params { field: "input_ids", reason: format!("{id} is not in the vocabulary of {vocabulary}") });
    }
    Ok(table.index_select(&ids.to_device(table.device())?, 0)?.reshape((batch, tokens, hidden))?)
}
