//! Stores of job files: [`ArtifactStore`] is the contract, [`FolderArtifacts`] keeps files on disk, [`MemoryArtifacts`] in memory.
//!
//! It must not know the job store or what a file contains. `conformance` tests the contract over each store.

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
