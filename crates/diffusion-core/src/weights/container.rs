//! Reads a weight file in whichever container it is, and refuses what is none by its first bytes; and reads the start of a file alone, to
//! find such faults before the file is needed.
//!
//! This module must not depend on the meaning of tensors. Invariant: [`header`] reads no tensor, and maps nothing: the file may be replaced
//! meanwhile.

use std::{
    io::Read as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{Component, contents::Contents, kinds, mapping, mapping::WeightFile, safetensors_file, torch_file};
use crate::{Error, Result};

/// How many bytes identify a container that has no header at its start.
const START: u64 = 512;

/// A tensor's stored name and its shape.
pub(crate) type NamedShape = (String, Vec<usize>);

/// Every tensor of a file by its stored name.
///
/// # Errors
/// [`Error::File`] for a file that is neither safetensors nor torch's, saying what it is if that is known; and those of the containers.
pub(super) fn contents(file: &Arc<WeightFile>, component_of: impl Fn(&str) -> Component) -> Result<Contents> {
    if torch_file::is_torch_file(file.bytes()) {
        return torch_file::contents(file, component_of);
    }
    check_kind(file.path(), file.bytes())?;
    safetensors_file::contents(file, component_of)
}

/// Refuses a file that holds no weights, by its first bytes and by its name.
///
/// # Errors
/// [`Error::File`] naming what it is.
pub(super) fn check_kind(path: &Path, start: &[u8]) -> Result<()> {
    const ADVICE: &str = "not weights in safetensors or as a torch file: fetch the file itself";
    if let Some(is) = kinds::of_bytes(start) {
        return Err(Error::file(path, format!("is {is}, {ADVICE}")));
    }
    let is_safetensors = start.get(8) == Some(&b'{');
    match path.file_name().and_then(|name| kinds::of_file_name(name.to_str()?)) {
        Some(is) if !is_safetensors => Err(Error::file(path, format!("is {is}, {ADVICE}"))),
        Some(_) | None => Ok(()),
    }
}

/// The names and shapes in a safetensors file's header; `None` for a torch file, whose names lie elsewhere.
///
/// # Errors
/// [`Error::Io`], [`Error::File`] or [`Error::Weights`] as for the whole file, where its start and its size show the fault.
pub(crate) fn header(path: &Path, component_of: impl Fn(&str) -> Component) -> Result<Option<Vec<NamedShape>>> {
    let path = PathBuf::from(path);
    let io = |source| Error::Io { path: path.clone(), source };
    let (file, size) = mapping::open(&path)?;
    let mut file = file.take(START);
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(io)?;
    mapping::check_pointer(&path, &bytes)?;
    if torch_file::is_torch_file(&bytes) {
        return Ok(None);
    }
    check_kind(&path, &bytes)?;
    let length = safetensors_file::header_length(&path, &bytes, size)?;
    file.set_limit((8 + length).saturating_sub(bytes.len() as u64));
    file.read_to_end(&mut bytes).map_err(io)?;
    let header = bytes.get(8..).and_then(|rest| rest.get(..usize::try_from(length).ok()?)).unwrap_or_default();
    safetensors_file::shapes(&path, header, size - 8 - length, component_of).map(Some)
}
