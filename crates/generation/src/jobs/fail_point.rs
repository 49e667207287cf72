//! The points at which a test kills the program, to check that nothing is lost, and a fake disk that a test can fill.
//!
//! Outside such tests the hook does nothing. A point is reached right after the event that it is named for.

use std::{fmt, io, sync::Arc};

/// A point between two steps that must both happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FailPoint {
    /// A job is in the store, and its caller does not know yet.
    Inserted,
    /// A waiting job's own priority is persisted, and the queue has the old order.
    Reordered,
    /// A job is persisted as running, and the device has done nothing.
    Started,
    /// A job's progress is persisted.
    Progressed,
    /// Finished latents are in the journal, not decoded yet.
    LatentsKept,
    /// A finished image, or the finished frames of a run, are in the journal.
    ImagesKept,
    /// A part of a video is complete under its temporary name, beside the other parts.
    PartStaged,
    /// The store says that a provider is about to be asked, and it has not been.
    RemoteAsking,
    /// A provider has returned its id of a job, which is not in the store yet.
    RemoteAsked,
    /// A provider's id of a job is in the store.
    RemoteStarted,
    /// A provider's video is in the staging folder.
    RemoteFetched,
    /// The result is finished, and in the staging folder.
    Made,
    /// A file is in place, and the store does not know.
    Placed,
    /// A job is persisted as completed, and its journal still exists.
    Completed,
    /// A job is persisted as cancelled, and the device still works on it.
    Cancelled,
    /// After a restart: interrupted jobs are queued in the store again, and the dispatcher has none yet.
    Recovered,
}

impl FailPoint {
    /// All points, in the order in which a job reaches them.
    pub const ALL: [Self; 16] = [
        Self::Inserted,
        Self::Reordered,
        Self::Started,
        Self::Progressed,
        Self::LatentsKept,
        Self::ImagesKept,
        Self::PartStaged,
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

/// What happens at a [`FailPoint`], and the disk's answer before a file is stored; by default nothing.
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

    /// A disk that refuses files while `disk` returns an error.
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
