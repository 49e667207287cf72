//! The server's log: on standard error, as lines for people or as objects for programs.

use std::io::{self, IsTerminal as _};

use tracing_subscriber::EnvFilter;

use crate::{
    failure::Usage,
    settings::{LogFormat, ServerSettings},
};

/// A log that has not begun.
pub(crate) struct Log {
    filter: EnvFilter,
    format: LogFormat,
}

impl Log {
    /// As the settings want it.
    ///
    /// # Errors
    /// [`Usage`] if `server.log` cannot be understood.
    pub(crate) fn new(settings: &ServerSettings) -> Result<Self, Usage> {
        let filter = EnvFilter::try_new(&settings.log).map_err(|error| Usage(format!("setting server.log: {error}")))?;
        Ok(Self { filter, format: settings.log_format })
    }

    /// Begins, for as long as the program runs.
    pub(crate) fn start(self) {
        let log = tracing_subscriber::fmt().with_env_filter(self.filter).with_writer(io::stderr);
        match self.format {
            // Colours are for terminals; in a file they are noise.
            LogFormat::Text => log.with_target(false).with_ansi(io::stderr().is_terminal()).init(),
            // The request's name and the job's number stand in `spans`.
            LogFormat::Json => log.json().flatten_event(true).with_current_span(false).init(),
        }
    }
}
