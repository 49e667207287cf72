//! The program's output: results on standard output, remarks and progress on standard error.
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

/// Prints a remark; a closed standard error is not a failure.
pub(crate) fn remark(text: impl fmt::Display) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Prints a remark if standard error is a terminal.
pub(crate) fn remark_on_terminal(text: impl fmt::Display) {
    if io::stderr().is_terminal() {
        remark(text);
    }
}

/// The widest progress bar, in columns.
const BAR: usize = 30;
/// The narrowest bar that is worth drawing, in columns.
const LEAST_BAR: usize = 6;

/// A named progress bar for denoising steps, whose number may be set later; hidden if standard error is not a terminal.
pub(crate) fn step_bar(name: String) -> ProgressBar {
    let line = move |state: &ProgressState, out: &mut dyn fmt::Write| {
        let steps = Steps { done: state.pos(), all: state.len().unwrap_or_default(), per_second: state.per_sec(), left: state.eta() };
        let (bar, text) = steps.line(&name, columns());
        let bar = if bar > 0 { format!("{} ", drawn(state.fraction(), bar)) } else { String::new() };
        let _ = write!(out, "{}{bar}{}", text.0, text.1);
    };
    bar(1, style("{line}").with_key("line", line))
}

/// A named progress bar for bytes; hidden if standard error is not a terminal.
pub(crate) fn byte_bar(bytes: u64) -> ProgressBar {
    // The part after the name takes up to 24 columns, or 74 with the bar.
    let template = match columns() {
        columns @ 100.. => {
            format!("{{prefix:{}!}}{{bar:30.cyan/238}} {{bytes}}/{{total_bytes}}  {{bytes_per_sec}}  {{eta}} left", columns - 75)
        }
        columns => format!("{{prefix:{}!}} {{bytes}}/{{total_bytes}}", columns.saturating_sub(26).max(1)),
    };
    let eta = |state: &ProgressState, out: &mut dyn fmt::Write| _ = write!(out, "{}", clock(state.eta()));
    bar(bytes, style(&template).with_key("eta", eta))
}

/// The length of [`share_bar`].
pub(crate) const SHARES: u64 = 1000;

/// A bar for a fraction, and a message as wide as the terminal allows; hidden if standard error is not a terminal.
pub(crate) fn share_bar() -> ProgressBar {
    bar(SHARES, style("{drawn} {wide_msg}").with_key("drawn", third))
}

/// A bar that counts tasks and shows the current one; hidden if standard error is not a terminal.
pub(crate) fn task_bar(tasks: u64) -> ProgressBar {
    bar(tasks, style("{drawn} {pos}/{len}  {wide_msg}").with_key("drawn", third))
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("━━─")
}

fn bar(length: u64, style: ProgressStyle) -> ProgressBar {
    // Drawn on standard error, and only if that is a terminal.
    ProgressBar::with_draw_target(Some(length), ProgressDrawTarget::stderr()).with_style(style)
}

/// A bar over a third of the terminal.
fn third(state: &ProgressState, out: &mut dyn fmt::Write) {
    let _ = out.write_str(&drawn(state.fraction(), (columns() / 3).clamp(LEAST_BAR, BAR)));
}

/// A bar with this many columns.
fn drawn(share: f32, columns: usize) -> String {
    let full = ((share * columns as f32) as usize).min(columns);
    let piece = |sign: &str, count: usize| console::style(sign.repeat(count)).for_stderr();
    format!("{}{}", piece("━", full).cyan(), piece("─", columns - full).color256(238))
}

/// The terminal's columns, except the last: some terminals wrap after writing it.
fn columns() -> usize {
    usize::from(console::Term::stderr().size().1).saturating_sub(1)
}

/// The state of denoising.
struct Steps {
    done: u64,
    all: u64,
    per_second: f64,
    left: Duration,
}

impl Steps {
    /// The texts for this state, the most detailed first. Work of unknown length precedes the first step and follows the last: the prompt
    /// is encoded, and the picture is decoded.
    fn texts(&self) -> Vec<String> {
        let Self { done, all, per_second, left } = self;
        if *done == 0 {
            vec!["starting".into()]
        } else if done >= all {
            vec![format!("{all}/{all} steps  decoding"), "decoding".into()]
        } else {
            let left = clock(*left);
            vec![
                format!("{done}/{all} steps  {per_second:.2} it/s  {left} left"),
                format!("{done}/{all} steps  {left} left"),
                format!("{done}/{all}"),
            ]
        }
    }

    /// The columns of the bar (0: none), the name before it, and the text after it: as much as fits.
    fn line<'a>(&self, name: &'a str, columns: usize) -> (usize, (&'a str, String)) {
        let texts = self.texts();
        for name in [name, ""] {
            if let Some(text) = texts.iter().find(|text| name.len() + text.len() <= columns) {
                // The bar, plus a space.
                let room = columns - name.len() - text.len();
                let bar = if room > LEAST_BAR { (room - 1).min(BAR) } else { 0 };
                return (bar, (name, text.clone()));
            }
        }
        (0, ("", String::new()))
    }
}

/// A duration as `0:07`, `12:30` or `1:02:03`.
pub(crate) fn clock(duration: Duration) -> String {
    let seconds = duration.as_secs_f64().round() as u64;
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes}:{seconds:02}") }
}

/// A number of bytes as `15.3 MB`, in powers of ten.
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

/// Rows as lines, with each column as wide as its widest cell; those of these numbers are aligned to the right.
pub(crate) fn table<const N: usize>(rows: &[[String; N]], to_the_right: &[usize]) -> Vec<String> {
    let mut widths = [0; N];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    let line = |row: &[String; N]| {
        let cells = row.iter().zip(widths).enumerate().map(|(column, (cell, width))| {
            if to_the_right.contains(&column) { format!("{cell:>width$}") } else { format!("{cell:width$}") }
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_progress_fits_every_terminal() {
        let steps = |done, all| Steps { done, all, per_second: 123.456, left: Duration::from_secs(750) };
        for columns in 0..200 {
            for (name, state) in [("", steps(0, 25)), ("", steps(12, 150)), ("picture 16 of 16 ", steps(149, 150)), ("", steps(25, 25))] {
                let (bar, (name, text)) = state.line(name, columns);
                let width = name.len() + text.len() + if bar > 0 { bar + 1 } else { 0 };
                assert!(width <= columns && (bar == 0 || (LEAST_BAR..=BAR).contains(&bar)), "{columns}: {name}{bar} {text}");
            }
        }
        let at = |columns| steps(12, 25).line("picture 2 of 4 ", columns);
        assert_eq!(at(79), (27, ("picture 2 of 4 ", "12/25 steps  123.46 it/s  12:30 left".into())));
        assert_eq!(at(39), (0, ("picture 2 of 4 ", "12/25 steps  12:30 left".into())));
        assert_eq!(at(10), (0, ("", "12/25".into())));
    }

    #[test]
    fn durations_and_sizes_read_well() {
        assert_eq!([0.4, 7.5, 750.0, 3723.0].map(|s| clock(Duration::from_secs_f64(s))), ["0:00", "0:08", "12:30", "1:02:03"]);
        assert_eq!([0, 999, 1000, 15_340_000, 999_960_000].map(size), ["0 B", "999 B", "1.0 kB", "15.3 MB", "1.0 GB"]);
    }
}
