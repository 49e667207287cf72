//! Reads the header of a safetensors file into tensor descriptions, without touching any tensor's bytes.
//!
//! The safetensors crate checks the header's own rules (offsets without gaps, sizes that match shapes); this module adds which tensor a
//! truncated file ends in.

use std::{collections::HashMap, sync::Arc};

use safetensors::{Dtype, SafeTensorError, SafeTensors, tensor::TensorInfo};

use super::{
    Component,
    contents::Contents,
    mapping::WeightFile,
    strided::{Element, StoredTensor},
};
use crate::{Error, Result};

/// Every tensor of the file by its stored name, and the header's metadata.
///
/// # Errors
/// [`Error::Weights`] naming the first tensor beyond a truncated file's end, [`Error::File`] for a malformed header.
pub(super) fn contents(file: &Arc<WeightFile>, component_of: impl Fn(&str) -> Component) -> Result<Contents> {
    let bytes = file.bytes();
    let (header, metadata) = match SafeTensors::read_metadata(bytes) {
        Ok(read) => read,
        Err(SafeTensorError::MetadataIncompleteBuffer) => return Err(length_error(file, component_of)),
        Err(SafeTensorError::HeaderTooSmall | SafeTensorError::InvalidHeaderLength) => {
            return Err(Error::file(
                file.path(),
                format!("truncated, or no safetensors file: it ends inside its header ({} bytes)", bytes.len()),
            ));
        }
        Err(error) => return Err(Error::file(file.path(), format!("is no valid safetensors file: {error}"))),
    };
    let data = header + 8;
    let mut tensors = Vec::new();
    for (name, info) in metadata.tensors() {
        let (start, end) = info.data_offsets;
        let tensor = StoredTensor::contiguous(file, data + start..data + end, element(info.dtype), info.shape.clone())
            .map_err(|reason| Error::Weights { component: component_of(&name), file: file.path().clone(), tensor: name.clone(), reason })?;
        tensors.push((name, tensor));
    }
    let notes = metadata.metadata().clone().unwrap_or_default();
    Contents::new(file, tensors, component_of).map(|contents| Contents { notes, ..contents })
}

/// The error for a file whose length differs from its header.
fn length_error(file: &WeightFile, component_of: impl Fn(&str) -> Component) -> Error {
    let bytes = file.bytes();
    let invalid = || Error::file(file.path(), "its length is not what its header says");
    let Some((length, rest)) = bytes.split_first_chunk::<8>() else { return invalid() };
    let Some((header, data)) = usize::try_from(u64::from_le_bytes(*length)).ok().and_then(|length| rest.split_at_checked(length)) else {
        return invalid();
    };
    let Ok(mut entries) = serde_json::from_slice::<HashMap<String, serde_json::Value>>(header) else { return invalid() };
    entries.remove("__metadata__");
    let mut infos: Vec<(String, TensorInfo)> =
        entries.into_iter().filter_map(|(name, value)| Some((name, serde_json::from_value(value).ok()?))).collect();
    infos.sort_by_key(|(_, info)| info.data_offsets);
    let declared = infos.last().map_or(0, |(_, info)| info.data_offsets.1);
    match infos.into_iter().find(|(_, info)| info.data_offsets.1 > data.len()) {
        Some((tensor, TensorInfo { shape, data_offsets: (start, end), .. })) => Error::Weights {
            component: component_of(&tensor),
            file: file.path().clone(),
            tensor,
            reason: format!(
                "truncated: expected shape {shape:?} in {} bytes, found {} bytes",
                end - start,
                data.len().saturating_sub(start)
            ),
        },
        None => Error::file(file.path(), format!("holds {} bytes of data where its header declares {declared}", data.len())),
    }
}

fn element(dtype: Dtype) -> Element {
    let other = |name| Element::Other { name, bits: dtype.bitsize() };
    match dtype {
        Dtype::F32 => Element::F32,
        Dtype::F16 => Element::F16,
        Dtype::BF16 => Element::Bf16,
        Dtype::F64 => Element::F64,
        Dtype::I64 => Element::I64,
        Dtype::F8_E4M3 => Element::F8E4M3,
        Dtype::F8_E5M2 => Element::F8E5M2,
        Dtype::BOOL => other("bool"),
        Dtype::U8 => Element::BYTE,
        Dtype::I8 => other("i8"),
        Dtype::I16 => other("i16"),
        Dtype::U16 => other("u16"),
        Dtype::I32 => other("i32"),
        Dtype::U32 => other("u32"),
        Dtype::U64 => other("u64"),
        Dtype::F8_E8M0 | Dtype::F8_E4M3FNUZ | Dtype::F8_E5M2FNUZ => other("an 8-bit float of another kind than e4m3fn and e5m2"),
        Dtype::F4 | Dtype::F6_E2M3 | Dtype::F6_E3M2 => other("a float below 8 bits"),
        Dtype::C64 => other("complex numbers"),
        _ => other("a type that is not known"),
    }
}
