//! The parts of a video of scenes: its scenes, and the joins between them. What a model made of a part is kept, so that a later video with
//! the same part does not make it again.
//!
//! * `keys` gives each part a key, of everything that decides what a model makes of it;
//! * `store` keeps parts by their keys, on the disk, as files of `entry`;
//! * `run` stands between a model and its sink while it makes a video: it takes parts from the store, adds new ones, and reports each.
//!
//! Kept are images as the model made them, before they are resized, faded and encoded: those steps are quick, and they are done again for
//! every video. So another frame rate, another size of the video or another duration of a still scene makes nothing again. Invariants: a
//! video has the same bytes with and without the store; a fault of the store never fails a video; to an owner, other owners' parts do not
//! exist.

mod entry;
mod job_parts;
pub(crate) mod keys;
#[cfg(test)]
mod keys_tests;
mod part;
pub(crate) mod run;
pub mod store;
#[cfg(test)]
mod store_tests;

pub use self::{
    job_parts::{JobParts, PartReports},
    part::{PartCounts, PartKind, PartReport, ScenePart},
};
