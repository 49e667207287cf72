//! One file, fetched in ranges that are appended to what is there already.
//!
//! A range is asked for whole, so a broken one costs that range only; ranges grow while the line holds and shrink when it breaks. The
//! invariant: the file on disk is always a beginning of the file on the hub.

use std::{fs::File, io::Write as _, path::Path, sync::mpsc, time::Duration};

use hf_hub::{
    HFError,
    progress::{DownloadEvent, ProgressEvent, ProgressHandler},
};

use super::{Entry, Hub};
use crate::{Error, Result};

const FIRST_RANGE: u64 = 1 << 20;
const LARGEST_RANGE: u64 = 64 << 20;

/// How often a range is tried before the fetch is given up, the client's own quick repeats aside.
const ATTEMPTS: u32 = 5;

/// The pause after the first failure; it doubles with each.
const PAUSE: Duration = Duration::from_millis(250);

/// How often a waiting thread looks whether the range has come to its end without a word.
const LOOK: Duration = Duration::from_millis(100);

/// Appends to `path` until it is as long as the file on the hub; tells how many bytes are there.
pub(super) fn fetch(hub: &Hub<'_>, commit: &str, entry: &Entry, path: &Path, tell: &mut dyn FnMut(u64)) -> Result<()> {
    let io = |source| Error::Io { path: path.into(), source };
    let mut file = File::options().create(true).append(true).open(path).map_err(io)?;
    let mut have = file.metadata().map_err(io)?.len();
    if have > entry.size {
        file.set_len(0).map_err(io)?;
        have = 0;
    }
    tell(have);
    let (mut length, mut failures) = (FIRST_RANGE, 0);
    while have < entry.size {
        let end = entry.size.min(have.saturating_add(length));
        match range(hub, commit, entry, have..end, &mut |bytes| tell(have.saturating_add(bytes).min(end))) {
            Ok(bytes) => {
                file.write_all(&bytes).map_err(io)?;
                have = end;
                failures = 0;
                length = (length * 2).min(LARGEST_RANGE);
                tell(have);
            }
            Err(error) => {
                failures += 1;
                if failures >= ATTEMPTS || !may_pass(&error) {
                    return Err(hub.explain(error));
                }
                length = (length / 2).max(FIRST_RANGE);
                tell(have);
                std::thread::sleep(PAUSE * 2_u32.pow(failures - 1));
            }
        }
    }
    file.sync_all().map_err(io)
}

/// One range of the file, checked to be as long as it should.
fn range(hub: &Hub<'_>, commit: &str, entry: &Entry, range: std::ops::Range<u64>, tell: &mut dyn FnMut(u64)) -> Result<Vec<u8>, HFError> {
    let (sender, receiver) = mpsc::channel();
    // The client counts on a thread of its own, the caller's `tell` stays on this one.
    let bytes = std::thread::scope(|scope| {
        let request = range.clone();
        let worker = scope.spawn(move || {
            hub.repository.download_file_to_bytes().filename(&entry.path).revision(commit).range(request).progress(Meter(sender)).send()
        });
        loop {
            match receiver.recv_timeout(LOOK) {
                Ok(bytes) => tell(bytes),
                Err(mpsc::RecvTimeoutError::Timeout) if !worker.is_finished() => {}
                Err(_) => break,
            }
        }
        worker.join().map_err(|_| HFError::Other("the hub's client panicked".into()))?
    })?;
    let whole = |bytes: &[u8], range: std::ops::Range<usize>| bytes.get(range).map(<[u8]>::to_vec);
    let length = range.end - range.start;
    let found = match bytes.len() as u64 {
        found if found == length => Some(bytes.to_vec()),
        // A server that does not know ranges sends the whole file.
        found if found == entry.size => {
            usize::try_from(range.start).ok().zip(usize::try_from(range.end).ok()).and_then(|(start, end)| whole(&bytes, start..end))
        }
        _ => None,
    };
    found.ok_or_else(|| HFError::Other(format!("{}: {} bytes came where {length} were asked for", entry.path, bytes.len())))
}

/// Whether an error may pass by itself: the line, or a server in trouble.
fn may_pass(error: &HFError) -> bool {
    if let HFError::Http { context } = error {
        return context.status.is_server_error();
    }
    matches!(error, HFError::Request { .. } | HFError::RateLimited { .. } | HFError::Xet { .. } | HFError::Other(_))
}

/// Sends the count of bytes that have arrived of the current range.
struct Meter(mpsc::Sender<u64>);

impl ProgressHandler for Meter {
    fn on_progress(&self, event: &ProgressEvent) {
        if let ProgressEvent::Download(DownloadEvent::Progress { files }) = event
            && let Some(file) = files.first()
        {
            // Nobody listens any more once the range has ended.
            let _ = self.0.send(file.bytes_completed);
        }
    }
}
