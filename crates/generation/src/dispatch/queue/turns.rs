//! Whose turn it is among owners who have had the same: the one whose oldest waiting job is older.

use std::collections::BTreeMap;

use super::Entry;
use crate::work::Priority;

/// The places of the oldest waiting job of each owner, by priority.
pub(super) struct Oldest<'a>(BTreeMap<(Priority, &'a str), usize>);

impl<'a> Oldest<'a> {
    /// Of these jobs, in order of arrival.
    pub(super) fn of(waiting: impl Iterator<Item = (usize, &'a Entry)>) -> Self {
        let mut oldest = BTreeMap::new();
        for (place, entry) in waiting {
            oldest.entry((entry.priority, entry.owner.as_str())).or_insert(place);
        }
        Self(oldest)
    }

    /// The place of the oldest job of this job's owner.
    pub(super) fn place(&self, entry: &Entry) -> usize {
        self.0.get(&(entry.priority, entry.owner.as_str())).copied().unwrap_or_default()
    }
}
