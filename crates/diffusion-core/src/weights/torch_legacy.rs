//! Files from torch before version 1.6, which it still writes on request: five pickles (a magic number, the format's version, facts about
//! the machine, the object, the names of its storages), then each storage as its number of elements and its bytes.
//!
//! This module must not depend on the meaning of tensors. Invariant, as in [`super::torch_file`]: nothing is executed, and records are
//! ranges of the file. Reference: torch's `torch/serialization.py` (`_legacy_load`) and `torch/csrc/serialization.cpp`
//! (`THPStorage_readFileRaw`).

use std::{collections::HashMap, ops::Range};

use super::{pickle, pickle_tensors::StateDict, pickle_values::Value, torch_file::refused};

/// The first pickle: a ten-byte number.
const MAGIC: &[u8] = &[0x80, 0x02, 0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, b'.'];

/// The only version of the format.
const VERSION: i64 = 1001;

/// Whether the file is a tar archive, the format before torch 0.1.10.
pub(super) fn is_tar(bytes: &[u8]) -> bool {
    bytes.get(257..262) == Some(b"ustar")
}

/// The weights, and the byte range of every storage by its name.
///
/// # Errors
/// A message about the fault, without the file's name.
pub(super) fn read(bytes: &[u8]) -> Result<(StateDict<'_>, HashMap<String, Range<usize>>), String> {
    if is_tar(bytes) {
        return Err("is a tar archive of torch before 0.1.10, which is not supported: load it with an old torch and save it again".into());
    }
    let Some(mut rest) = bytes.strip_prefix(MAGIC) else {
        return Err("is no torch file: it does not begin as a zip archive, nor as torch before 1.6 wrote".into());
    };
    let mut next = || {
        let pickled = pickle::read(rest).map_err(refused)?;
        rest = rest.get(pickled.length..).unwrap_or_default();
        Ok::<_, String>(pickled)
    };
    let version = next()?.result;
    if !matches!(version, Value::Int(VERSION)) {
        return Err(format!("is a torch file of a version that is not known: expected the number {VERSION}, found {}", version.kind()));
    }
    if let Some(Value::Bool(false)) = next()?.entry("little_endian") {
        return Err("has the byte order big, supported is little".into());
    }
    let object = next()?;
    let weights = object.state_dict().map_err(refused)?;
    let keys = next()?.texts().ok_or("is no torch file: it does not name its storages")?;
    // The width of a storage's elements is stated where the storage is referenced.
    let widths: HashMap<&str, usize> = object.values.storages.iter().map(|storage| (storage.key, storage.element.bits() / 8)).collect();
    let mut at = bytes.len() - rest.len();
    let mut records = HashMap::with_capacity(keys.len());
    for key in keys {
        let width = *widths.get(key).ok_or("is no torch file: it has a storage that nothing refers to")?;
        let count = bytes.get(at..).and_then(|rest| rest.first_chunk()).map(|count| u64::from_le_bytes(*count));
        let length = count.and_then(|count| usize::try_from(count).ok()?.checked_mul(width));
        // A storage that would end beyond the file is truncated with it.
        let start = (at + 8).min(bytes.len());
        at = length.and_then(|length| start.checked_add(length)).map_or(bytes.len(), |end| end.min(bytes.len()));
        records.insert(key.to_owned(), start..at);
    }
    Ok((weights, records))
}
