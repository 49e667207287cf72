//! Whether more jobs can be made: room on the disk, and not too many made ones that wait for it.

use std::{sync::PoisonError, time::Instant};

use super::Inner;
use crate::jobs::{DiskFault, disk_waits, error::StoreError};

impl Inner {
    /// Whether there is room for a picture, and for those that are made already.
    pub(in crate::jobs) fn check_room(&self) -> Result<(), StoreError> {
        self.check_crowd()?;
        self.disk()?;
        self.files.check_room()
    }

    /// Fails where so many jobs that are made wait to be stored that no more should be made.
    pub(in crate::jobs) fn check_crowd(&self) -> Result<(), StoreError> {
        self.waits.crowd().map_or(Ok(()), |(count, fault)| Err(StoreError::Crowded { count, fault }))
    }

    /// As [`Self::check_room`], for all the jobs that wait for room: a refusal holds a moment for each of them.
    pub(in crate::jobs) fn look_for_room(&self) -> Result<(), DiskFault> {
        // No code panics while it holds the lock.
        let mut no_room = self.no_room.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, fault)) = *no_room
            && at.elapsed() < disk_waits::FIRST
        {
            return Err(fault);
        }
        let looked = self.check_room().map_err(|error| error.fault());
        *no_room = looked.err().map(|fault| (Instant::now(), fault));
        looked
    }

    /// The disk of tests that refuses when it is told to.
    pub(in crate::jobs) fn disk(&self) -> Result<(), StoreError> {
        self.settings.fail_hook.disk().map_err(|source| StoreError::Folder { path: self.settings.folder.clone(), source })
    }
}
