//! The memory that this process holds.

/// In bytes, where the system says.
pub(crate) fn resident() -> Option<u64> {
    let id = sysinfo::get_current_pid().ok()?;
    let mut system = sysinfo::System::new().ok()?;
    let memory = sysinfo::ProcessRefreshKind::nothing().with_memory();
    system.refresh_processes_specifics(sysinfo::ProcessesToUpdate::Some(&[id]), true, memory);
    system.process(id).map(sysinfo::Process::memory)
}
