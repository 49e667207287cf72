//! How the program fails: one line and an exit code. 2 means that the command or its input was wrong, 1 that the work failed.

use std::{fmt, process::ExitCode, sync::Arc};

use generation::BackendError;

/// A wrong command, flag, setting or value, which the user must fix.
#[derive(Debug)]
pub(crate) struct Usage(pub String);

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Usage {}

/// The exit code of an error. Input that the model rejects counts as the user's error too.
pub(crate) fn exit_code(error: &anyhow::Error) -> ExitCode {
    let refused = error.downcast_ref::<Arc<BackendError>>().is_some_and(|error| error.refusal().is_some());
    let of_parameter = matches!(error.downcast_ref(), Some(diffusion_core::Error::Params { .. }));
    ExitCode::from(if error.is::<Usage>() || refused || of_parameter { 2 } else { 1 })
}

/// An error and its causes in one line. A cause that its parent already quotes is not repeated.
pub(crate) fn one_line(error: &anyhow::Error) -> String {
    let mut line = String::new();
    for cause in error.chain() {
        let text = cause.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
        if !line.contains(&text) {
            line = if line.is_empty() { text } else { format!("{line}: {text}") };
        }
    }
    line
}

/// clap's multi-line error as one line, without the usage and the hint at `--help`.
pub(crate) fn usage_line(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let shown: Vec<_> = text.lines().take_while(|line| !line.starts_with("Usage:") && !line.starts_with("For more")).collect();
    let line = shown.join(" ").split_whitespace().collect::<Vec<_>>().join(" ");
    line.strip_prefix("error: ").unwrap_or(&line).replace(" tip:", "; tip:")
}

#[cfg(test)]
mod tests {
    use anyhow::Context as _;

    use super::*;

    #[test]
    fn a_chain_is_one_line_and_says_nothing_twice() {
        let disk = std::io::Error::other("no\n  space");
        let error = Err::<(), _>(disk).context("a.png: no space").context("cannot write").err();
        assert_eq!(error.map(|error| one_line(&error)).as_deref(), Some("cannot write: a.png: no space"));
    }
}
