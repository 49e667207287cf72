//! A ZIP archive that is written while it is sent, piece by piece.
//!
//! It must not know jobs. Files are stored as they are: pictures and videos are compressed already. The invariant: no more than a piece of the
//! archive is in memory, however large it becomes. Reference: PKWARE's APPNOTE.TXT, 4.4.4, for sizes behind a file's data.

use std::{
    io::{self, Write},
    mem,
    sync::{Arc, Mutex, PoisonError},
};

use jiff::{Timestamp, tz::TimeZone};
use zip::{
    CompressionMethod, DateTime, ZipWriter,
    result::ZipError,
    write::{SimpleFileOptions, StreamWriter},
};

/// An archive in the making.
pub(crate) struct ZipStream {
    writer: ZipWriter<StreamWriter<Pieces>>,
    pieces: Pieces,
}

/// What was written and is not sent yet.
#[derive(Clone, Default)]
struct Pieces(Arc<Mutex<Vec<u8>>>);

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // No code panics while it holds the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl ZipStream {
    /// An empty archive.
    pub(crate) fn new() -> Self {
        let pieces = Pieces::default();
        Self { writer: ZipWriter::new_stream(pieces.clone()), pieces }
    }

    /// Begins a file of about this many bytes.
    ///
    /// # Errors
    /// If there is a file of this name, or the archive is too large.
    pub(crate) fn begin(&mut self, name: &str, bytes: u64, modified: Timestamp) -> io::Result<()> {
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Stored)
            .last_modified_time(time(modified).unwrap_or_default())
            .unix_permissions(0o644)
            // Some readers know no other sizes than those of 32 bits, so the others are for files that need them.
            .large_file(bytes >= u64::from(u32::MAX));
        self.writer.start_file(name, options).map_err(failed)
    }

    /// Continues the file.
    ///
    /// # Errors
    /// If the archive is too large.
    pub(crate) fn write(&mut self, piece: &[u8]) -> io::Result<()> {
        self.writer.write_all(piece)
    }

    /// What was written since the last call.
    pub(crate) fn take(&self) -> Vec<u8> {
        mem::take(&mut *self.pieces.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Ends the archive, and returns its last piece.
    ///
    /// # Errors
    /// If the archive is too large.
    pub(crate) fn finish(self) -> io::Result<Vec<u8>> {
        let Self { writer, pieces } = self;
        writer.finish().map_err(failed)?;
        Ok(mem::take(&mut *pieces.0.lock().unwrap_or_else(PoisonError::into_inner)))
    }
}

fn failed(error: ZipError) -> io::Error {
    io::Error::other(error)
}

/// A time in UTC, as archives have it: in steps of two seconds from 1980 on.
fn time(time: Timestamp) -> Option<DateTime> {
    let time = TimeZone::UTC.to_datetime(time);
    let part = |part: i8| u8::try_from(part).ok();
    let year = u16::try_from(time.year()).ok()?;
    DateTime::from_date_and_time(
        year,
        part(time.month())?,
        part(time.day())?,
        part(time.hour())?,
        part(time.minute())?,
        part(time.second())?,
    )
    .ok()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn an_archive_is_sent_as_it_is_written() {
        let mut archive = ZipStream::new();
        let mut sent = Vec::new();
        archive.begin("0001-\u{e4}.png", 300, Timestamp::UNIX_EPOCH).unwrap();
        for piece in [[1; 100], [2; 100], [3; 100]] {
            archive.write(&piece).unwrap();
            let part = archive.take();
            assert!(part.len() >= 100, "{}", part.len());
            sent.extend(part);
        }
        archive.begin("b.json", 2, "2026-11-30T10:20:30Z".parse().unwrap()).unwrap();
        archive.write(b"[]").unwrap();
        sent.extend(archive.finish().unwrap());
        assert!(sent.starts_with(b"PK\x03\x04") && sent.windows(4).filter(|window| window == b"PK\x01\x02").count() == 2);
        assert!(archive_has(&sent, &[[1; 100], [2; 100], [3; 100]].concat()) && archive_has(&sent, "0001-\u{e4}.png".as_bytes()));
    }

    fn archive_has(archive: &[u8], part: &[u8]) -> bool {
        archive.windows(part.len()).any(|window| window == part)
    }
}
