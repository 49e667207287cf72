//! One blob, fetched from where an earlier download broke off.
//!
//! Bytes go to the disk and into the digest as they arrive. The invariant: bytes are appended only where they follow; a server that sends
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

/// Fills `partial` until it is as long as the file; tells how many bytes are there. Returns whether it came in more pieces than one.
///
/// # Errors
/// [`Error::Hub`] if the hub cannot send the file, or sends another; [`Error::Io`] if the disk does not take it.
pub(super) fn fetch(
    hub: &Hub<'_>,
    commit: &str,
    name: &str,
    entry: &Entry,
    partial: &mut Partial,
    tell: &mut dyn FnMut(u64),
) -> Result<bool> {
    let size = entry.size();
    let (mut failures, mut ranges, mut pieces) = (0, true, 0);
    tell(partial.have());
    while partial.have() < size {
        let start = partial.have();
        let lost = match piece(hub, commit, name, size, partial, tell) {
            Ok(()) => continue,
            Err(Trouble::Disk(source)) => return Err(full(hub, name, entry, partial, source)),
            Err(Trouble::NoRange(reason)) if !std::mem::take(&mut ranges) => HubError::Odd(reason),
            Err(Trouble::NoRange(_)) => {
                partial.restart().map_err(|source| full(hub, name, entry, partial, source))?;
                continue;
            }
            Err(Trouble::Hub(error)) => error,
        };
        pieces += 1;
        failures = if partial.have() > start { 1 } else { failures + 1 };
        if failures >= ATTEMPTS || !lost.may_pass() {
            return Err(hub.explain(lost, name));
        }
        tell(partial.have());
        lost.pause(failures);
    }
    Ok(pieces > 0)
}

/// Why a piece did not come.
enum Trouble {
    Hub(HubError),
    /// The server does not send from the requested byte on; with the evidence.
    NoRange(String),
    Disk(io::Error),
}

/// Fetches from where `partial` ends, as far as the connection holds.
fn piece(hub: &Hub<'_>, commit: &str, name: &str, size: u64, partial: &mut Partial, tell: &mut dyn FnMut(u64)) -> Result<(), Trouble> {
    let from = partial.have();
    let mut response = match hub.file(commit, name, from) {
        Ok(response) => response,
        Err(HubError::Status { status: StatusCode::RANGE_NOT_SATISFIABLE, .. }) => {
            return Err(Trouble::NoRange(format!("{name}: the hub has no byte {from} of {size}")));
        }
        Err(error) => return Err(Trouble::Hub(error)),
    };
    let odd = |reason: String| Trouble::Hub(HubError::Odd(format!("{name}: the hub sent {reason}")));
    let header = |response: &Response, name| response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    if let Some(encoding) = header(&response, CONTENT_ENCODING).filter(|encoding| !encoding.eq_ignore_ascii_case("identity")) {
        return Err(odd(format!("it encoded as {encoding}, which was not requested")));
    }
    let expected = if response.status() == StatusCode::PARTIAL_CONTENT {
        let range = header(&response, CONTENT_RANGE).unwrap_or_default();
        if !is_rest(&range, from, size) {
            return Err(Trouble::NoRange(format!("{name}: asked for bytes {from} to {size}, the hub sent {range:?}")));
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
        // A server that does not know ranges sends the whole file.
        partial.restart().map_err(Trouble::Disk)?;
    }
    let mut buffer = vec![0; CHUNK];
    while partial.have() < size {
        let count = match response.read(&mut buffer) {
            // Without a length, the end of the connection is the only sign that it broke.
            Ok(0) => return Err(Trouble::Hub(HubError::Body(io::ErrorKind::UnexpectedEof.into()))),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(Trouble::Hub(HubError::Body(error))),
        };
        if count as u64 > size - partial.have() {
            return Err(odd(format!("more than the {size} bytes that it lists")));
        }
        partial.write(buffer.get(..count).unwrap_or_default()).map_err(Trouble::Disk)?;
        tell(partial.have());
    }
    Ok(())
}

/// Whether `Content-Range` says that all of a file from some byte on comes: `bytes 100-199/200`.
fn is_rest(range: &str, from: u64, size: u64) -> bool {
    let parts = range.strip_prefix("bytes ").and_then(|range| range.split_once('/'));
    parts.is_some_and(|(range, total)| {
        let ends = range.split_once('-').and_then(|(first, last)| Some((first.parse::<u64>().ok()?, last.parse::<u64>().ok()?)));
        ends == Some((from, size - 1)) && (total == "*" || total.parse() == Ok(size))
    })
}

/// The error of a disk that cannot take the file. The bytes written so far are kept.
fn full(hub: &Hub<'_>, name: &str, entry: &Entry, partial: &Partial, source: io::Error) -> Error {
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
