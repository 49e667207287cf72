//! Brings one file into a snapshot: it may be there already, need a link, need its blob renamed, or need a download.
//!
//! Invariants: a blob is checked again under its lock, because another process may have fetched it in the meantime; a snapshot links only
//! to blobs that have the hub's length and, if fetched here, its digest.

use std::{fs, path::Path};

use super::{
    HubEvent, HubProgress,
    api::Hub,
    cache::RepoCache,
    digest::{Check, Condition, Digest},
    listing::Entry,
    lock::BlobLock,
    partial::{self, Partial},
    transfer,
};
use crate::{Error, Result};

/// One file to bring into a snapshot.
pub(super) struct Fetch<'a> {
    pub(super) hub: &'a Hub<'a>,
    pub(super) cache: &'a RepoCache,
    pub(super) commit: &'a str,
    pub(super) name: &'a str,
    pub(super) entry: &'a Entry,
    pub(super) check: Check,
    pub(super) files_done: usize,
    pub(super) files_total: usize,
    pub(super) on_event: &'a mut dyn FnMut(HubEvent),
}

impl Fetch<'_> {
    /// Ensures that the snapshot holds the complete file.
    pub(super) fn ensure(&mut self) -> Result<()> {
        let (cache, blob) = (self.cache, self.entry.blob());
        let old = self.entry.old_name().filter(|old| fs::symlink_metadata(cache.blob(old)).is_ok_and(|file| file.is_file()));
        if self.check == Check::Content && self.entry.digest() == Digest::Unstated {
            (self.on_event)(HubEvent::Unchecked { file: self.name.into() });
        }
        // Checked without the lock, because most files are there and the cache may be read-only.
        let linked = self.condition(&cache.pointer(self.commit, self.name), self.check)?;
        let is_complete = linked == Condition::Whole && old.is_none();
        if is_complete && !partial::has_leftovers(&cache.blobs(), self.entry) {
            return Ok(());
        }
        let mut on_wait = || (self.on_event)(HubEvent::Waiting { file: self.name.into() });
        let lock = match cache.prepare().and_then(|()| BlobLock::take(&cache.lock(blob), &mut on_wait)) {
            Ok(lock) => lock,
            // A read-only cache works with old names and leftovers in it.
            Err(_) if linked == Condition::Whole => return Ok(()),
            Err(error) => return Err(error),
        };
        if is_complete {
            partial::sweep(&cache.blobs(), self.entry, &lock);
            return Ok(());
        }
        // Another process may have fetched it in the meantime. If there is an old blob, which may be intact, it is removed only for a blob
        // whose content has been verified, not just its length.
        let check = if old.is_some() { Check::Content } else { self.check };
        let mut found = self.condition(&cache.blob(blob), check)?;
        if let (Some(old), Condition::Absent) = (old, &found) {
            found = self.condition(&cache.blob(old), Check::Content)?;
            if found == Condition::Whole {
                match cache.add_name(old, blob) {
                    Err(_) if linked == Condition::Whole => return Ok(()),
                    named => named?,
                }
                (self.on_event)(HubEvent::Renamed { file: self.name.into() });
            }
        }
        let is_new = found != Condition::Whole;
        if is_new {
            if let (Condition::Damaged(reason), _) | (_, Condition::Damaged(reason)) = (&found, &linked) {
                (self.on_event)(HubEvent::Damaged { file: self.name.into(), reason: reason.clone() });
            }
            self.fetch(&lock)?;
        }
        if is_new || linked != Condition::Whole {
            cache.link(self.commit, self.name, blob, is_new)?;
        }
        if let Some(old) = old {
            match cache.retire(old, blob) {
                Err(_) if linked == Condition::Whole => {}
                retired => retired?,
            }
        }
        partial::sweep(&cache.blobs(), self.entry, &lock);
        Ok(())
    }

    /// Fetches a missing or damaged blob. It continues an earlier download's partial file, which is verified once the digest is known.
    fn fetch(&mut self, lock: &BlobLock) -> Result<()> {
        let (hub, commit, name, entry) = (self.hub, self.commit, self.name, self.entry);
        let blob = self.cache.blob(entry.blob());
        let io = |source| Error::Io { path: blob.clone(), source };
        let mut partial = Partial::open(&self.cache.blobs(), entry, lock).map_err(io)?;
        let mut in_pieces = partial.have() > 0;
        loop {
            in_pieces |= transfer::fetch(hub, commit, name, entry, &mut partial, &mut |bytes| self.at(bytes, 0))?;
            let Err(reason) = partial.check() else { return partial.finish(&blob).map_err(io) };
            partial.restart().map_err(io)?;
            // Pieces may come from several sources, so they are fetched again. A file that arrives wrong in one piece would be wrong again.
            if !std::mem::take(&mut in_pieces) {
                return Err(hub.fail(format!(
                    "{name}: the content that the hub sent does not match the digest that it lists: {reason}; the file was \
                     discarded. If HF_ENDPOINT names a mirror, try another one"
                )));
            }
            (self.on_event)(HubEvent::Damaged { file: name.into(), reason: format!("the resumed download has {reason}") });
        }
    }

    fn condition(&mut self, path: &Path, check: Check) -> Result<Condition> {
        Condition::of(path, self.entry.size(), &self.entry.digest(), check, &mut |bytes| self.at(bytes, 0))
    }

    /// Reports how many bytes of the file are present, and whether (1 or 0) it is complete.
    pub(super) fn at(&mut self, file_bytes: u64, whole: usize) {
        let (file, file_total) = (self.name.to_owned(), self.entry.size());
        let progress = HubProgress { file, file_bytes, file_total, files_done: self.files_done + whole, files_total: self.files_total };
        (self.on_event)(HubEvent::Progress(progress));
    }
}
