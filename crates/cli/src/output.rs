//! What the program says: results on standard output, remarks and progress on standard error.
//!
//! The invariant: standard output holds results only, so that it can be piped; progress is drawn on terminals only.

use std::{
    fmt,
    io::{self, IsTerminal as _, Write as _},
    time::Duration,
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

/// Prints one result.
///
/// # Errors
/// If standard output cannot be written to.
pub(crate) fn result(text: impl fmt::Display) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{text}")?;
    stdout.flush()
}

/// Prints a JSON object as one result.
///
/// # Errors
/// If standard output cannot be written to.
pub(crate) fn json(value: &serde_json::Value) -> io::Result<()> {
    result(format_args!("{value:#}"))
}

/// Prints a remark; nobody depends on it, so a closed standard error is no failure.
pub(crate) fn remark(text: impl fmt::Display) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Prints a remark if a person watches: beside a bar, and like it not in a pipe.
pub(crate) fn remark_on_terminal(text: impl fmt::Display) {
    if io::stderr().is_terminal() {
        remark(text);
    }
}

/// A bar that counts denoising steps, however many there will be; hidden where standard error is no terminal.
pub(crate) fn step_bar() -> ProgressBar {
    bar(1, "{prefix}{bar:30.cyan/238} {steps}")
}

/// A bar that counts bytes; hidden where standard error is no terminal.
pub(crate) fn byte_bar(bytes: u64) -> ProgressBar {
    bar(bytes, "{prefix}{bar:30.cyan/238} {bytes}/{total_bytes}  {bytes_per_sec}  {eta} left")
}

/// The length of [`share_bar`].
pub(crate) const SHARES: u64 = 1000;

/// A bar that shows a share of the whole, and a message; hidden where standard error is no terminal.
pub(crate) fn share_bar() -> ProgressBar {
    bar(SHARES, "{bar:30.cyan/238} {msg}")
}

/// A bar that counts tasks and says which one it is at; hidden where standard error is no terminal.
pub(crate) fn task_bar(tasks: u64) -> ProgressBar {
    bar(tasks, "{bar:30.cyan/238} {pos}/{len}  {msg}")
}

fn bar(length: u64, template: &str) -> ProgressBar {
    let style = ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("━━─")
        .with_key("steps", |state: &ProgressState, out: &mut dyn fmt::Write| _ = write!(out, "{}", steps(state)))
        .with_key("eta", |state: &ProgressState, out: &mut dyn fmt::Write| _ = write!(out, "{}", clock(state.eta())));
    // Drawn on standard error, and only if that is a terminal.
    ProgressBar::with_draw_target(Some(length), ProgressDrawTarget::stderr()).with_style(style)
}

/// What is said of the steps. Before the first and after the last there is other work to do, of unknown length: the prompt is read,
/// and the picture is decoded.
fn steps(state: &ProgressState) -> String {
    let (done, all) = (state.pos(), state.len().unwrap_or_default());
    if done == 0 {
        "starting".into()
    } else if done >= all {
        format!("{all}/{all} steps  decoding")
    } else {
        format!("{done}/{all} steps  {:.2} it/s  {} left", state.per_sec(), clock(state.eta()))
    }
}

/// A duration as a person reads it: `0:07`, `12:30`, `1:02:03`.
pub(crate) fn clock(duration: Duration) -> String {
    let seconds = duration.as_secs_f64().round() as u64;
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes}:{seconds:02}") }
}

/// A number of bytes as a person reads it: `15.3 MB`, in powers of ten.
pub(crate) fn size(bytes: u64) -> String {
    let units = ["B", "kB", "MB", "GB", "TB"];
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 999.95 && unit + 1 < units.len() {
        value /= 1000.0;
        unit += 1;
    }
    let unit = units.get(unit).copied().unwrap_or_default();
    if unit == "B" { format!("{bytes} B") } else { format!("{value:.1} {unit}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_sizes_read_well() {
        assert_eq!([0.4, 7.5, 750.0, 3723.0].map(|s| clock(Duration::from_secs_f64(s))), ["0:00", "0:08", "12:30", "1:02:03"]);
        assert_eq!([0, 999, 1000, 15_340_000, 999_960_000].map(size), ["0 B", "999 B", "1.0 kB", "15.3 MB", "1.0 GB"]);
    }
}
