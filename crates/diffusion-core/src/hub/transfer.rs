//! The download of one blob, resumed where an earlier one was interrupted.
//!
//! Bytes go to the disk and into the digest as they arrive. Invariant: bytes are appended only at their own offset; a server that sends
//! other bytes than requested is detected by its headers, or else by the digest.

use std::io::{self, Read as _};

use reqwest::{
    StatusCode,
    blocking::Response,
    header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE},
};

use super::{
    api::{ATTEMPTS, Hub, HubError},
    listing::Entry,
    partial::Partial,
};
use crate::{Error, Result};

const CHUNK: usize = 256 << 10;

/// Fills `partial` to the file's length; calls `on_progress` with the number of bytes present. Returns whether it took more than one piece.
///
/// # Errors
/// [`Error::Hub`] if the hub cannot send the file, or sends a different one; [`Error::Io`] if the disk cannot store it.
pub(super) fn fetch(
    hub: &Hub<'_>,
    commit: &str,
    name: &str,
    entry: &Entry,
    partial: &mut Partial,
    on_progress: &mut dyn FnMut(u64),
) -> Result<bool> {
    let size = entry.size();
    let (mut failures, mut ranges, mut pieces) = (0, true, 0);
    on_progress(partial.have());
    while partial.have() < size {
        let start = partial.have();
        let lost = match piece(hub, commit, name, size, partial, on_progress) {
            Ok(()) => continue,
            Err(PieceError::Disk(source)) => return Err(disk_error(hub, name, entry, partial, source)),
            Err(PieceError::NoRange(reason)) if !std::mem::take(&mut ranges) => HubError::Unusable(reason),
            Err(PieceError::NoRange(_)) => {
                partial.restart().map_err(|source| disk_error(hub, name, entry, partial, source))?;
                continue;
            }
            Err(PieceError::Hub(error)) => error,
        };
        pieces += 1;
        failures = if partial.have() > start { 1 } else { failures + 1 };
        if failures >= ATTEMPTS || !lost.is_transient() {
            return Err(hub.explain(lost, name));
        }
        on_progress(partial.have());
        lost.pause(failures);
    }
    Ok(pieces > 0)
}

/// Why a piece failed.
enum PieceError {
    Hub(HubError),
    /// The server does not send the requested range; with the evidence.
    NoRange(String),
    Disk(io::Error),
}

/// Downloads from the end of `partial` until the file is complete or the connection fails.
fn piece(
    hub: &Hub<'_>,
    commit: &str,
    name: &str,
    size: u64,
    partial: &mut Partial,
    on_progress: &mut dyn FnMut(u64),
) -> Result<(), PieceError> {
    let from = partial.have();
    let mut response = match hub.file(commit, name, from) {
        Ok(response) => response,
        Err(HubError::Status { status: StatusCode::RANGE_NOT_SATISFIABLE, .. }) => {
            return Err(PieceError::NoRange(format!("{name}: the hub has no byte {from} of {size}")));
        }
        Err(error) => return Err(PieceError::Hub(error)),
    };
    let odd = |reason: String| PieceError::Hub(HubError::Unusable(format!("{name}: the hub sent {reason}")));
    let header = |response: &Response, name| response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    if let Some(encoding) = header(&response, CONTENT_ENCODING).filter(|encoding| !encoding.eq_ignore_ascii_case("identity")) {
        return Err(odd(format!("it encoded as {encoding}, which was not requested")));
    }
    let expected = if response.status() == StatusCode::PARTIAL_CONTENT {
        let range = header(&response, CONTENT_RANGE).unwrap_or_default();
        if !is_rest(&range, from, size) {
            return Err(PieceError::NoRange(format!("{name}: asked for bytes {from} to {size}, the hub sent {range:?}")));
        }
        size - from
    } else {
        size
    };
    if let Some(length) = header(&response, CONTENT_LENGTH).and_then(|length| length.parse::<u64>().ok())
        && length != expected
    {
        let kind = header(&response, CONTENT_TYPE).map_or(String::new(), |kind| format!(" of {kind}"));
        return Err(odd(format!("{length} bytes{kind} instead of {expected}")));
    }
    if expected > size - from {
        // A server without support for ranges sends the whole file.
        partial.restart().map_err(PieceError::Disk)?;
    }
    let mut buffer = vec![0; CHUNK];
    while partial.have() < size {
        let count = match response.read(&mut buffer) {
            // Without a length, the end of the connection is the only sign of an interruption.
            Ok(0) => return Err(PieceError::Hub(HubError::Body(io::ErrorKind::UnexpectedEof.into()))),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(PieceError::Hub(HubError::Body(error))),
        };
        if count as u64 > size - partial.have() {
            return Err(odd(format!("more than the {size} bytes that it lists")));
        }
        partial.write(buffer.get(..count).unwrap_or_default()).map_err(PieceError::Disk)?;
        on_progress(partial.have());
    }
    Ok(())
}

/// Whether `Content-Range` is the rest of a file from byte `from` on: `bytes 100-199/200`.
fn is_rest(range: &str, from: u64, size: u64) -> bool {
    let parts = range.strip_prefix("bytes ").and_then(|range| range.split_once('/'));
    parts.is_some_and(|(range, total)| {
        let ends = range.split_once('-').and_then(|(first, last)| Some((first.parse::<u64>().ok()?, last.parse::<u64>().ok()?)));
        ends == Some((from, size - 1)) && (total == "*" || total.parse() == Ok(size))
    })
}

/// The error of a disk that cannot store the file. The bytes written so far are kept.
fn disk_error(hub: &Hub<'_>, name: &str, entry: &Entry, partial: &Partial, source: io::Error) -> Error {
    if !matches!(source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) {
        return Error::Io { path: partial.path().into(), source };
    }
    hub.fail(format!(
        "{name}: the disk is full ({}): {} of {} bytes are stored. Free some space and run it again: the download continues",
        partial.path().display(),
        partial.have(),
        entry.size(),
    ))
}
