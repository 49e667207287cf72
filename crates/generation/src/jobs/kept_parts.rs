//! Which parts of a requested video are kept from earlier ones.

use super::service::Jobs;
use crate::{
    backend::parts::{PartKind, ScenePart},
    spec::video::ScenesSpec,
};

impl Jobs {
    /// Which parts of an owner's video are kept from earlier ones, so that no model makes them again; those of [`ScenePart::all`], in order.
    /// Cuts are never made. Reads the times of files, and blocks meanwhile.
    pub fn kept_parts(&self, owner: &str, spec: &ScenesSpec) -> Vec<bool> {
        let store = self.inner.parts.as_deref();
        let keys = store.and_then(|_| self.inner.local.part_keys(owner, spec)).unwrap_or_default();
        let has = |index: usize| store.zip(keys.get(index).copied().flatten()).is_some_and(|(store, key)| store.has(&key));
        let is_kept = |(index, part): (usize, &ScenePart)| match part.kind {
            PartKind::Scene => has(index),
            PartKind::Join if part.is_cut() => true,
            // A join is of both scenes' images.
            PartKind::Join => has(index) && index.checked_sub(1).is_some_and(has) && has(index + 1),
        };
        ScenePart::all(spec).iter().enumerate().map(is_kept).collect()
    }
}
