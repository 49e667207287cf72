//! Upscalers of random weights that enlarge a small picture in milliseconds (scripts/golden/small_upscalers.py).

use std::path::Path;

use diffusion_core::{adapters::UpscalerFolder, policy::ExecutionPolicy};
use generation::Upscalers;

/// The folder of their files: `compact_x2`, `compact_x4`, `real_x2` and `real_x4`.
pub const UPSCALERS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/upscalers");

/// The upscalers of a folder on the CPU; `limit` is the memory that the process may hold, in bytes.
///
/// # Panics
/// If there is no such folder.
pub fn upscalers(folder: &Path, limit: Option<u64>) -> Upscalers {
    Upscalers::new(UpscalerFolder::open(folder).unwrap(), move || Ok((ExecutionPolicy::cpu_f32(), limit)))
}
