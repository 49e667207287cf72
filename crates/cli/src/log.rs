//! The server's log on standard error: lines for people, or JSON objects for programs.
//!
//! The invariant: lines logged during the start are buffered and written after the start messages; a failed start prints one line, the
//! error.

use std::{
    io::{self, IsTerminal as _, Write},
    sync::{Arc, Mutex, PoisonError},
};

use tracing_subscriber::{EnvFilter, fmt::MakeWriter};

use crate::{
    failure::Usage,
    settings::{LogFormat, ServerSettings},
};

/// A configured log that is not installed yet.
pub(crate) struct Log {
    filter: EnvFilter,
    format: LogFormat,
}

/// The log's writer: lines go into the buffer until [`Lines::start`], then straight to standard error.
#[derive(Clone)]
pub(crate) struct Lines(Arc<Mutex<Option<Vec<u8>>>>);

impl Log {
    /// Configures the log from the settings.
    ///
    /// # Errors
    /// [`Usage`] if `server.log` does not parse.
    pub(crate) fn new(settings: &ServerSettings) -> Result<Self, Usage> {
        let filter = EnvFilter::try_new(&settings.log).map_err(|error| Usage(format!("setting server.log: {error}")))?;
        Ok(Self { filter, format: settings.log_format })
    }

    /// Installs the log for the rest of the process; it buffers its lines.
    pub(crate) fn keep(self) -> Lines {
        let lines = Lines(Arc::new(Mutex::new(Some(Vec::new()))));
        let log = tracing_subscriber::fmt().with_env_filter(self.filter).with_writer(lines.clone());
        match self.format {
            // Colours are for terminals; in a file they are noise.
            LogFormat::Text => log.with_target(false).with_ansi(io::stderr().is_terminal()).init(),
            // The request's name and the job's number are in `spans`.
            LogFormat::Json => log.json().flatten_event(true).with_current_span(false).init(),
        }
        lines
    }
}

impl Lines {
    /// Writes the buffered lines, and every later line at once.
    pub(crate) fn start(&self) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // If standard error is closed, no reader misses them.
        let _written: io::Result<()> = io::stderr().write_all(&kept.take().unwrap_or_default());
    }
}

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.0.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            Some(kept) => kept.write(bytes),
            None => io::stderr().write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

impl MakeWriter<'_> for Lines {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}
