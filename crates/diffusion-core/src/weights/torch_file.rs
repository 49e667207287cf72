//! The archive that torch.save writes since torch 1.6: a zip with one pickle (`NAME/data.pkl`) and one uncompressed record for each storage
//! (`NAME/data/KEY`), where NAME is the file's name when it was written.
//!
//! This module must not depend on the meaning of tensors. [`super::pickle`] reads the pickle without executing anything; records are not
//! copied: a tensor is a range of the mapped file, whatever its strides, and two tensors may share one record. [`super::torch_legacy`]
//! reads files from before torch 1.6.

use std::{collections::HashMap, io::Cursor, ops::Range, sync::Arc};

use zip::{CompressionMethod, ZipArchive};

use super::{
    Component,
    contents::Contents,
    mapping::WeightFile,
    pickle_tensors::{self, StateDict},
    pickle_values::TensorView,
    strided::StoredTensor,
    torch_legacy,
};
use crate::{Error, Result};

/// Whether torch wrote the file, in any version. A safetensors file starts with a length, which can be any bytes, followed by a brace.
pub(super) fn is_torch_file(bytes: &[u8]) -> bool {
    let marked = bytes.starts_with(b"PK") || bytes.first() == Some(&0x80) || torch_legacy::is_tar(bytes);
    marked && bytes.get(8) != Some(&b'{')
}

/// Every tensor of the file by its stored name, and the number of training steps.
///
/// # Errors
/// [`Error::File`] if it is not a torch file, is truncated, or its pickle is refused; [`Error::Weights`] for a tensor that does not match
/// its record.
pub(super) fn contents(file: &Arc<WeightFile>, component_of: impl Fn(&str) -> Component) -> Result<Contents> {
    let fail = |reason: String| Error::file(file.path(), reason);
    let bytes = file.bytes();
    let (weights, records) = if bytes.starts_with(b"PK") { archive(bytes) } else { torch_legacy::read(bytes) }.map_err(fail)?;
    let StateDict { tensors: views, global_step } = weights;
    let mut tensors = Vec::with_capacity(views.len());
    for (name, view) in views {
        let range = records.get(view.storage.key).cloned();
        let tensor = place(file, range, view).map_err(|reason| Error::Weights {
            component: component_of(&name),
            file: file.path().clone(),
            tensor: name.clone(),
            reason,
        })?;
        tensors.push((name, tensor));
    }
    Contents::new(file, tensors, component_of).map(|contents| Contents { global_step, ..contents })
}

/// The weights of an archive, and the byte range of every storage by its key.
fn archive(bytes: &[u8]) -> Result<(StateDict<'_>, HashMap<String, Range<usize>>), String> {
    let records = records(bytes)?;
    let mut pickles = records.keys().filter_map(|name| name.strip_suffix("data.pkl").filter(|root| root.is_empty() || root.ends_with('/')));
    let (Some(root), None) = (pickles.next(), pickles.next()) else {
        return Err("is no torch file: the archive does not hold one data.pkl".into());
    };
    let record = |name: &str| records.get(&format!("{root}{name}")).and_then(|range| bytes.get(range.clone()));
    if let Some(order) = record("byteorder")
        && order != b"little"
    {
        return Err(format!("has the byte order {}, supported is little", String::from_utf8_lossy(order).escape_debug()));
    }
    let weights = pickle_tensors::state_dict(record("data.pkl").unwrap_or_default()).map_err(refused)?;
    let data = format!("{root}data/");
    let storages = records.iter().filter_map(|(name, range)| Some((name.strip_prefix(&data)?.to_owned(), range.clone()))).collect();
    Ok((weights, storages))
}

/// The file's error for a refused pickle.
pub(super) fn refused(reason: String) -> String {
    format!("its pickle is refused: {reason}")
}

/// The byte range of every record.
fn records(bytes: &[u8]) -> Result<HashMap<String, Range<usize>>, String> {
    let broken = |error: zip::result::ZipError| format!("truncated, or no torch file: its archive cannot be read ({error})");
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(broken)?;
    let mut records = HashMap::with_capacity(archive.len());
    for index in 0..archive.len() {
        let entry = archive.by_index_raw(index).map_err(broken)?;
        let name = entry.name().map_err(broken)?.into_owned();
        if entry.compression() != CompressionMethod::Stored || entry.encrypted() {
            return Err(format!("is no torch file: its record {} is compressed or encrypted", name.escape_debug()));
        }
        let range = entry.data_start().and_then(|start| {
            let end = start.checked_add(entry.compressed_size())?;
            Some(usize::try_from(start).ok()?..usize::try_from(end).ok()?)
        });
        match range {
            Some(range) if range.end <= bytes.len() => records.insert(name, range),
            Some(_) | None => return Err(format!("truncated: its record {} lies beyond the end of the file", name.escape_debug())),
        };
    }
    Ok(records)
}

fn place(file: &Arc<WeightFile>, record: Option<Range<usize>>, view: TensorView<'_>) -> Result<StoredTensor, String> {
    let TensorView { storage, offset, shape, strides } = view;
    let Some(record) = record else { return Err(format!("expected shape {shape:?}, but its record data/{} is missing", storage.key)) };
    if storage.bytes != record.len() {
        return Err(format!(
            "truncated: expected shape {shape:?} in a record of {} bytes, found one of {} bytes",
            storage.bytes,
            record.len()
        ));
    }
    StoredTensor::strided(file, record, storage.element, shape, strides, offset)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::path::Path;

    use super::*;

    /// Thousands of damaged pickles, several bytes at a time: each is read or refused, none panics, and all reads are in bounds.
    #[test]
    fn damaged_pickles_never_panic() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/weights/tensors.bin");
        let file = WeightFile::map(path).unwrap();
        let records = records(file.bytes()).unwrap();
        let pickled = file.bytes()[records["tensors/data.pkl"].clone()].to_vec();
        let mut state = 1_u64;
        let mut random = |below: usize| {
            state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
            (state >> 33) as usize % below
        };
        let (mut read, mut refused) = (0, 0);
        for _ in 0..20_000 {
            let mut damaged = pickled.clone();
            for _ in 0..=random(4) {
                let at = random(damaged.len());
                damaged[at] = if random(2) == 0 { random(256) as u8 } else { pickled[random(pickled.len())] };
            }
            match pickle_tensors::state_dict(&damaged) {
                Ok(weights) => {
                    read += 1;
                    for (_, view) in weights.tensors {
                        let record = records.get(&format!("tensors/data/{}", view.storage.key)).cloned();
                        let _ = place(&file, record, view);
                    }
                }
                Err(_) => refused += 1,
            }
        }
        assert!(read > 100 && refused > 1000, "{read} {refused}");
    }
}
