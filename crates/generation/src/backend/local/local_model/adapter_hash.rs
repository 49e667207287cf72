//! The hashes by which AUTOMATIC1111's web UI and the sites of its users know adapters and embeddings.
//!
//! It must not know models. The invariant: a file has the hash that the web UI shows for it (`NetworkOnDisk` of
//! extensions-builtin/Lora/network.py, `addnet_hash_safetensors` of modules/hashes.py), which does not depend on the header; an embedding's is that of its
//! whole file (`Embedding.set_hash` of modules/textual_inversion/textual_inversion.py).

use std::{
    fs::File,
    io::{self, Read as _, Seek as _, SeekFrom},
    path::Path,
};

use diffusion_core::adapters::Adapter;
use sha2::{Digest as _, Sha256};

/// How many hexadecimal digits the web UI shows.
const SHOWN: usize = 12;

/// The first digits of an adapter's hash.
///
/// # Errors
/// If its file cannot be read.
pub(super) fn short(adapter: &Adapter) -> io::Result<String> {
    if let Some(stated) = adapter.stated_hash() {
        return Ok(stated.chars().take(SHOWN).collect());
    }
    let path = adapter.path();
    let mut file = File::open(path)?;
    if path.extension().is_some_and(|extension| extension == "safetensors") {
        let mut length = [0; 8];
        file.read_exact(&mut length)?;
        file.seek(SeekFrom::Start(u64::from_le_bytes(length).saturating_add(8)))?;
    }
    of_rest(&mut file)
}

/// The first digits of the hash of an embedding's file.
///
/// # Errors
/// If it cannot be read.
pub(super) fn of_embedding(path: &Path) -> io::Result<String> {
    of_rest(&mut File::open(path)?)
}

fn of_rest(file: &mut File) -> io::Result<String> {
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer)? {
            0 => break,
            read => hasher.update(buffer.get(..read).unwrap_or_default()),
        }
    }
    let digits = hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    Ok(digits.chars().take(SHOWN).collect())
}
