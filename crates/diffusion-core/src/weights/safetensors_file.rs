//! Reads the header of a safetensors file into tensor descriptions, without touching any tensor's bytes.
//!
//! The safetensors crate checks the header's own rules (offsets without gaps, sizes that match shapes); this module adds which tensor a
//! truncated file ends in.

use std::{collections::HashMap, path::Path, sync::Arc};

use safetensors::{Dtype, SafeTensorError, SafeTensors, tensor::TensorInfo};

use super::{
    Component,
    container::NamedShape,
    contents::Contents,
    mapping::WeightFile,
    strided::{Element, StoredTensor},
};
use crate::{Error, Result};

/// The longest header that the safetensors crate reads, in bytes.
const LONGEST_HEADER: u64 = 100_000_000;

/// Every tensor of the file by its stored name, and the header's metadata.
///
/// # Errors
/// [`Error::Weights`] naming the first tensor beyond a truncated file's end, [`Error::File`] for a malformed header.
pub(super) fn contents(file: &Arc<WeightFile>, component_of: impl Fn(&str) -> Component) -> Result<Contents> {
    let bytes = file.bytes();
    let (header, metadata) = match SafeTensors::read_metadata(bytes) {
        Ok(read) => read,
        Err(SafeTensorError::MetadataIncompleteBuffer) => return Err(length_error_of(file, component_of)),
        Err(SafeTensorError::HeaderTooSmall | SafeTensorError::InvalidHeaderLength) => {
            return Err(ends_in_header(file.path(), bytes.len() as u64));
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

fn ends_in_header(path: &Path, size: u64) -> Error {
    Error::file(path, format!("truncated, or no safetensors file: it ends inside its header ({size} bytes)"))
}

/// The length of the header, which follows the eight bytes that state it.
///
/// # Errors
/// [`Error::File`] if the file, of `size` bytes, ends before it, or it is longer than any is.
pub(super) fn header_length(path: &Path, start: &[u8], size: u64) -> Result<u64> {
    let length = start.first_chunk::<8>().map(|length| u64::from_le_bytes(*length));
    let length =
        length.filter(|length| size.checked_sub(8).is_some_and(|rest| *length <= rest)).ok_or_else(|| ends_in_header(path, size))?;
    if length > LONGEST_HEADER {
        return Err(Error::file(
            path,
            format!("is no valid safetensors file: its header has {length} bytes; one has at most {LONGEST_HEADER}"),
        ));
    }
    Ok(length)
}

/// The names and shapes in a header, if the `data` bytes that follow it are those that it describes.
///
/// # Errors
/// As [`contents`].
pub(super) fn shapes(path: &Path, header: &[u8], data: u64, component_of: impl Fn(&str) -> Component) -> Result<Vec<NamedShape>> {
    let infos = infos(header).map_err(|error| Error::file(path, format!("is no valid safetensors file: {error}")))?;
    if infos.last().map_or(0, |(_, info)| info.data_offsets.1 as u64) != data {
        return Err(length_error(path, infos, data, component_of));
    }
    Ok(infos.into_iter().map(|(name, info)| (name, info.shape)).collect())
}

/// A header's tensors, in the order of their bytes.
fn infos(header: &[u8]) -> serde_json::Result<Vec<(String, TensorInfo)>> {
    let mut entries = serde_json::from_slice::<HashMap<String, serde_json::Value>>(header)?;
    entries.remove("__metadata__");
    let read = |(name, value)| Ok((name, serde_json::from_value::<TensorInfo>(value)?));
    let mut infos = entries.into_iter().map(read).collect::<serde_json::Result<Vec<_>>>()?;
    infos.sort_by_key(|(_, info)| info.data_offsets);
    Ok(infos)
}

/// The error for a mapped file whose length differs from its header.
fn length_error_of(file: &WeightFile, component_of: impl Fn(&str) -> Component) -> Error {
    let (bytes, path) = (file.bytes(), file.path());
    let header = header_length(path, bytes, bytes.len() as u64).ok().and_then(|length| usize::try_from(length).ok());
    let split = header.and_then(|length| bytes.get(8..)?.split_at_checked(length));
    match split.and_then(|(header, data)| Some((infos(header).ok()?, data.len() as u64))) {
        Some((infos, data)) => length_error(path, infos, data, component_of),
        None => Error::file(path, "its length is not what its header says"),
    }
}

/// The error for a file with another number of bytes after its header than that describes.
fn length_error(path: &Path, infos: Vec<(String, TensorInfo)>, data: u64, component_of: impl Fn(&str) -> Component) -> Error {
    let declared = infos.last().map_or(0, |(_, info)| info.data_offsets.1);
    match infos.into_iter().find(|(_, info)| info.data_offsets.1 as u64 > data) {
        Some((tensor, TensorInfo { shape, data_offsets: (start, end), .. })) => Error::Weights {
            component: component_of(&tensor),
            file: path.to_owned(),
            tensor,
            reason: format!(
                "truncated: expected shape {shape:?} in {} bytes, found {} bytes",
                end.saturating_sub(start),
                data.saturating_sub(start as u64)
            ),
        },
        None => Error::file(path, format!("holds {data} bytes of data where its header declares {declared}")),
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
