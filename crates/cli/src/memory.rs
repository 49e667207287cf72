//! The memory that this process uses, and the memory that the machine has.

use sysinfo::{MemoryRefreshKind, RefreshKind, System};

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
    let system = System::new_with_specifics(RefreshKind::nothing().with_memory(MemoryRefreshKind::nothing().with_ram())).ok()?;
    let total = system.total_memory();
    let most = system.cgroup_limits().map_or(total, |limits| limits.total_memory.min(total));
    (most > 0).then_some(most)
}
