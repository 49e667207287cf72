//! The moments at which a test kills the program, to see that nothing is lost; and the disk that a test fills.
//!
//! Outside such tests the hook does nothing. Each is reached just behind what its name says.

use std::{fmt, io, sync::Arc};

/// A moment between two things that must both happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FailPoint {
    /// A job is in the store, and its caller does not know yet.
    Inserted,
    /// A job is written down as running, and the device has done nothing.
    Started,
    /// A job's progress is written down.
    Progressed,
    /// Finished latents are in the journal, and are not decoded yet.
    LatentsKept,
    /// A finished picture, or a run's finished frames, are in the journal.
    PicturesKept,
    /// That a provider is about to be asked is in the store, and it was not asked.
    RemoteAsking,
    /// A provider has answered with its id of a job, which is not in the store yet.
    RemoteAsked,
    /// A provider's id of a job is in the store.
    RemoteStarted,
    /// A provider's video lies in the staging folder.
    RemoteFetched,
    /// All is made, and lies in the staging folder.
    Made,
    /// A file is in its place, and the store does not know.
    Placed,
    /// A job is written down as completed, and its journal is still there.
    Completed,
    /// A job is written down as cancelled, and the device still works on it.
    Cancelled,
    /// After a restart: jobs that ran are put back, and nothing is queued.
    Recovered,
}

impl FailPoint {
    /// Every one, in a job's order.
    pub const ALL: [Self; 14] = [
        Self::Inserted,
        Self::Started,
        Self::Progressed,
        Self::LatentsKept,
        Self::PicturesKept,
        Self::RemoteAsking,
        Self::RemoteAsked,
        Self::RemoteStarted,
        Self::RemoteFetched,
        Self::Made,
        Self::Placed,
        Self::Completed,
        Self::Cancelled,
        Self::Recovered,
    ];
}

type Reached = Arc<dyn Fn(FailPoint) + Send + Sync>;
type Disk = Arc<dyn Fn() -> io::Result<()> + Send + Sync>;

/// What happens at a [`FailPoint`], and what the disk says before a file is stored; nothing by default.
#[derive(Clone, Default)]
pub struct FailHook {
    reached: Option<Reached>,
    disk: Option<Disk>,
}

impl FailHook {
    /// Calls `hook` at every point.
    pub fn new(hook: impl Fn(FailPoint) + Send + Sync + 'static) -> Self {
        Self { reached: Some(Arc::new(hook)), disk: None }
    }

    /// Has a disk that refuses files for as long as `disk` does.
    pub fn with_disk(disk: impl Fn() -> io::Result<()> + Send + Sync + 'static) -> Self {
        Self { reached: None, disk: Some(Arc::new(disk)) }
    }

    pub(crate) fn disk(&self) -> io::Result<()> {
        self.disk.as_ref().map_or(Ok(()), |disk| disk())
    }

    pub(crate) fn reached(&self, point: FailPoint) {
        if let Some(hook) = &self.reached {
            hook(point);
        }
    }
}

impl fmt::Debug for FailHook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_some = self.reached.is_some() || self.disk.is_some();
        f.write_str(if is_some { "FailHook(..)" } else { "FailHook(nothing)" })
    }
}
