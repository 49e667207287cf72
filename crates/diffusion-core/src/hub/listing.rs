//! A hub's listing of a commit, in the format that Python's client keeps in a cache (`trees/COMMIT.json`).
//!
//! This module does not know the network. A listing holds each file's length and digest, and thereby its name in a cache. The format is
//! huggingface_hub's `_tree_cache.py`, version 1.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{cache, digest::Digest, selection};

const FORMAT_VERSION: u32 = 1;

/// The files of a commit by path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Listing {
    format_version: u32,
    pub(super) files: BTreeMap<String, Entry>,
}

/// A file of the repository as the hub lists it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    size: u64,
    /// The git object's id. For a file in Git LFS the object is the pointer file, not the content.
    pub(super) blob_id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lfs_sha256: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lfs_size: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    xet_hash: Option<String>,
}

/// An entry of the hub's tree of a commit, `/api/models/OWNER/NAME/tree/COMMIT`.
#[derive(Deserialize)]
pub(super) struct TreeEntry {
    #[serde(rename = "type")]
    kind: String,
    path: String,
    oid: String,
    #[serde(default)]
    size: u64,
    lfs: Option<Lfs>,
    #[serde(rename = "xetHash")]
    xet_hash: Option<String>,
}

/// The Git LFS data of a file. A tree calls the digest `oid`, a repository's `siblings` call it `sha256`.
#[derive(Deserialize)]
struct Lfs {
    #[serde(alias = "sha256")]
    oid: String,
    size: Option<u64>,
}

impl Listing {
    /// Converts a hub's tree.
    ///
    /// # Errors
    /// A message if a path or an id is not safe as a file name.
    pub(super) fn of_tree(tree: Vec<TreeEntry>) -> Result<Self, String> {
        let files = tree.into_iter().filter(|entry| entry.kind == "file").map(|TreeEntry { path, oid, size, lfs, xet_hash, .. }| {
            let xet_hash = xet_hash.filter(|hash| is_hex(hash, 64));
            let (lfs_sha256, lfs_size) = lfs.map_or((None, None), |lfs| (Some(lfs.oid), Some(lfs.size.unwrap_or(size))));
            (path, Entry { size, blob_id: oid, lfs_sha256, lfs_size, xet_hash })
        });
        Self { format_version: FORMAT_VERSION, files: files.collect() }.checked()
    }

    /// Parses a stored listing; `None` if it has another format, is damaged, or holds unsafe names.
    pub(super) fn parse(json: &[u8]) -> Option<Self> {
        let listing: Self = serde_json::from_slice(json).ok()?;
        (listing.format_version == FORMAT_VERSION).then_some(listing)?.checked().ok()
    }

    /// The JSON that Python's client would write.
    pub(super) fn to_json(&self) -> serde_json::Result<Vec<u8>> {
        let mut text = Vec::new();
        let formatter = serde_json::ser::PrettyFormatter::with_indent(b" ");
        self.serialize(&mut serde_json::Serializer::with_formatter(&mut text, formatter))?;
        Ok(text)
    }

    fn checked(self) -> Result<Self, String> {
        let unsafe_name = |(path, entry): &(&String, &Entry)| {
            !selection::is_safe_path(path) || ![entry.blob(), &entry.blob_id].into_iter().all(cache::is_plain_name)
        };
        match self.files.iter().find(unsafe_name) {
            Some((path, entry)) => Err(format!("the hub lists {path:?} ({:?}), which is no safe name for a file", entry.blob())),
            None => Ok(self),
        }
    }
}

impl Entry {
    /// The name of its blob in a cache, which Python's client takes from the hub's ETag.
    pub(super) fn blob(&self) -> &str {
        self.lfs_sha256.as_ref().unwrap_or(&self.blob_id)
    }

    /// The content's length in bytes.
    pub(super) fn size(&self) -> u64 {
        self.lfs_size.unwrap_or(self.size)
    }

    /// The expected digest of the content.
    pub(super) fn digest(&self) -> Digest {
        match &self.lfs_sha256 {
            Some(hex) if is_hex(hex, 64) => Digest::Sha256(hex.clone()),
            None if is_hex(&self.blob_id, 40) => Digest::GitBlob(self.blob_id.clone()),
            Some(_) | None => Digest::Unstated,
        }
    }

    /// The blob's name in versions of this program up to 0.1.0, if it differs: the git id, also for a file in Git LFS.
    pub(super) fn old_name(&self) -> Option<&str> {
        (self.lfs_sha256.is_some() && self.blob() != self.blob_id).then_some(&self.blob_id)
    }
}

fn is_hex(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}
