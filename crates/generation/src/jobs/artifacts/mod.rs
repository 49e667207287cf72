//! What keeps the files of jobs: [`ArtifactStore`] is the contract, [`FolderArtifacts`] keeps them on disk, and [`MemoryArtifacts`] in
//! memory.
//!
//! It must not know the job store or what a file holds. `conformance` tests the contract over each of them.

mod artifact_store;
mod folder;
mod memory;
mod reader;

pub use self::{
    artifact_store::{ArtifactStore, Content, is_plain_name},
    folder::FolderArtifacts,
    memory::MemoryArtifacts,
    reader::ArtifactReader,
};

#[cfg(test)]
mod conformance;
