//! What only the program that serves can ask the system.

use std::{path::Path, thread};

/// Asks the system about this machine; every answer is `None` where it does not tell.
#[derive(Clone, Copy, Debug)]
pub struct MachineProbe {
    /// Its memory in bytes, or the limit of the container if that is lower.
    pub total_memory: fn() -> Option<u64>,
    /// The memory that programs could take now, in bytes.
    pub available_memory: fn() -> Option<u64>,
    /// The free bytes where this folder is, or will be.
    pub free_disk: fn(&Path) -> Option<u64>,
    /// The threads that compute.
    pub threads: fn() -> Option<usize>,
}

impl Default for MachineProbe {
    fn default() -> Self {
        let threads = || thread::available_parallelism().ok().map(usize::from);
        Self { total_memory: || None, available_memory: || None, free_disk: |_| None, threads }
    }
}
