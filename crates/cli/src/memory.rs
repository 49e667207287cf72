//! The memory that this process uses, the memory that the machine has, and its free disk space.

use std::path::Path;

use sysinfo::{Disk, DiskRefreshKind, Disks, MemoryRefreshKind, RefreshKind, System};

/// Resident memory of this process in bytes, where the system reports it.
pub(crate) fn resident() -> Option<u64> {
    let id = sysinfo::get_current_pid().ok()?;
    let mut system = System::new().ok()?;
    let memory = sysinfo::ProcessRefreshKind::nothing().with_memory();
    system.refresh_processes_specifics(sysinfo::ProcessesToUpdate::Some(&[id]), true, memory);
    system.process(id).map(sysinfo::Process::memory)
}

/// The machine's memory in bytes, or the control group's limit if that is lower, as in a container; where the system reports it.
pub(crate) fn of_the_machine() -> Option<u64> {
    let system = with_memory()?;
    let total = system.total_memory();
    let most = system.cgroup_limits().map_or(total, |limits| limits.total_memory.min(total));
    (most > 0).then_some(most)
}

/// The memory that programs could take now in bytes, within the control group's limit; where the system reports it.
pub(crate) fn available() -> Option<u64> {
    let system = with_memory()?;
    let available = system.available_memory();
    Some(system.cgroup_limits().map_or(available, |limits| limits.free_memory.min(available)))
}

fn with_memory() -> Option<System> {
    System::new_with_specifics(RefreshKind::nothing().with_memory(MemoryRefreshKind::nothing().with_ram())).ok()
}

/// The free bytes on the disk where this folder is, or will be; where the system reports it.
pub(crate) fn free_on_disk(folder: &Path) -> Option<u64> {
    let there = folder.ancestors().find_map(|folder| folder.canonicalize().ok())?;
    let disks = Disks::new_with_refreshed_list_specifics(DiskRefreshKind::nothing().with_storage()).ok()?;
    let holds = |disk: &&Disk| there.starts_with(disk.mount_point());
    disks.iter().filter(holds).max_by_key(|disk| disk.mount_point().components().count()).map(Disk::available_space)
}
