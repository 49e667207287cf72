//! What is wrong with the entries of a folder that requests choose from: files that cannot be used, and names that cannot be given.
//!
//! It must not know what the entries are. Invariants: a sentence for clients names no folder; a file is judged once, until it changes.

use std::{
    collections::HashMap,
    fmt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use super::{SHOWN, first_of};
use crate::{Error, Result};

/// What is wrong with each file, if anything, for the content that a stamp identifies.
type Faults = HashMap<PathBuf, (u64, Option<String>)>;

/// The faults of the files that were judged so far, by their paths.
#[derive(Clone, Default)]
pub(super) struct KnownFaults(Arc<Mutex<Faults>>);

impl KnownFaults {
    /// What is wrong with a file, if anything; `check` finds it.
    pub(super) fn of(&self, path: &Path, stamp: Result<u64>, check: impl FnOnce(&Path) -> Result<(), String>) -> Option<String> {
        let stamp = match stamp {
            Ok(stamp) => stamp,
            Err(error) => return Some(reason(&error)),
        };
        let known = |faults: &Faults| faults.get(path).filter(|(of, _)| *of == stamp).map(|(_, fault)| fault.clone());
        if let Some(fault) = known(&self.0.lock().unwrap_or_else(PoisonError::into_inner)) {
            return fault;
        }
        // Unlocked: others need not wait for this file.
        let fault = check(path).err();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(path.to_owned(), (stamp, fault.clone()));
        fault
    }
}

/// Folders with the same entries are the same, whatever was judged so far.
impl PartialEq for KnownFaults {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for KnownFaults {}

impl fmt::Debug for KnownFaults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KnownFaults").finish_non_exhaustive()
    }
}

/// A fault in a file without its path, for clients: they name files by other names, and folders are the operator's business.
#[expect(clippy::wildcard_enum_match_arm, reason = "the rest is not about files")]
pub fn reason(error: &Error) -> String {
    match error {
        Error::File { reason, .. } | Error::Params { reason, .. } => reason.clone(),
        // Names of tensors are a stranger's text.
        Error::Weights { tensor, reason, .. } => format!("{}: {reason}", tensor.escape_debug()),
        Error::Config { field, reason, .. } => format!("{field}: {reason}"),
        Error::Io { source, .. } => source.to_string(),
        other => other.to_string(),
    }
}

/// A sentence about entries that no request can name.
pub(super) fn of_names(root: &Path, left_out: &[String]) -> Option<String> {
    // A name that begins with a dot hides its file on purpose.
    let left_out: Vec<String> = left_out.iter().filter(|name| !name.starts_with('.')).cloned().collect();
    let (root, names) = (root.display(), first_of(&left_out));
    let rule = "a name has none of the characters / \\ : < >, and no blanks at its ends";
    (!left_out.is_empty()).then(|| format!("{root}: no request can choose {names}: {rule}: rename them"))
}

/// A sentence about entries that cannot be used.
pub(super) fn of_files(root: &Path, faults: &[(String, String)]) -> Option<String> {
    let shown: Vec<String> = faults.iter().take(SHOWN).map(|(name, fault)| format!("{name} ({fault})")).collect();
    let more = if faults.len() > SHOWN { format!(" and {} more", faults.len() - SHOWN) } else { String::new() };
    (!faults.is_empty()).then(|| format!("{}: these cannot be used and are not listed: {}{more}", root.display(), shown.join(", ")))
}
