//! Command lines in documents, and the faults in `cargo` and `scripts/` lines.
//!
//! Nothing is run. A line that a shell could not parse is a fault, not an absent command.

use crate::{Document, Workspace};

/// Programs whose command lines are checked; all others are ignored.
const PROGRAMS: [&str; 3] = ["framewright", "cargo", "scripts/"];

/// Words that end a command.
const OPERATORS: [&str; 9] = ["|", "||", "&&", "&", ";", ">", ">>", "<", "2>"];

/// A command of one of our programs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// The command's first line, from 1.
    pub line: usize,
    /// The program and its arguments; only the program if a shell could not parse the line.
    pub words: Vec<String>,
    /// Whether the command is complete; a sentence may omit arguments.
    pub is_whole: bool,
    is_readable: bool,
}

impl Command {
    /// The commands in a text whose first line has this number.
    pub(crate) fn read(text: &str, line: usize, is_whole: bool) -> Vec<Self> {
        let mut commands = Vec::new();
        let mut lines = text.lines().zip(line..);
        while let Some((first, line)) = lines.next() {
            let mut whole = first.to_owned();
            while let Some(start) = whole.strip_suffix('\\') {
                whole = format!("{start} {}", lines.next().map_or("", |(next, _)| next.trim_start()));
            }
            match shlex::split(&whole) {
                Some(words) => {
                    let parts = words.split(|word| OPERATORS.contains(&word.as_str()));
                    let commands_of = parts.map(|part| part.iter().skip_while(|word| is_assignment(word)).cloned().collect::<Vec<_>>());
                    let ours = commands_of.filter(|words| words.first().is_some_and(|program| is_ours(program)));
                    commands.extend(ours.map(|words| Self { line, words, is_whole, is_readable: true }));
                }
                None => {
                    let program = whole.split_whitespace().next().filter(|program| is_ours(program));
                    commands.extend(program.map(|program| Self { line, words: vec![program.to_owned()], is_whole, is_readable: false }));
                }
            }
        }
        commands
    }

    /// The program.
    pub fn program(&self) -> &str {
        self.words.first().map_or("", String::as_str)
    }

    /// The value of an option, `--bench NAME` or `--bench=NAME`.
    fn value(&self, names: &[&str]) -> Option<&str> {
        let is_name = |word: &str| names.contains(&word);
        let apart = self.words.iter().position(|word| is_name(word)).and_then(|at| self.words.get(at + 1));
        let together = self.words.iter().filter_map(|word| word.split_once('=')).find(|(name, _)| is_name(name));
        apart.map(String::as_str).or(together.map(|(_, value)| value))
    }
}

/// Whether a word is a `NAME=value` before a command.
fn is_assignment(word: &str) -> bool {
    word.split_once('=')
        .is_some_and(|(name, _)| !name.is_empty() && name.chars().all(|c| c.is_ascii_uppercase() || c == '_' || c.is_ascii_digit()))
}

fn is_ours(program: &str) -> bool {
    PROGRAMS.iter().any(|ours| program == *ours || (ours.ends_with('/') && program.starts_with(ours)))
}

/// Lists the names in a document's `cargo` and `scripts/` lines that do not exist: scripts, packages, examples, benches, tests, programs.
pub fn command_faults(document: &Document, workspace: &Workspace, exists: impl Fn(&str) -> bool) -> Vec<String> {
    let mut faults = Vec::new();
    for command in document.commands() {
        let mut fault = |reason: String| faults.push(format!("{}:{}: {}: {reason}", document.name, command.line, command.words.join(" ")));
        if !command.is_readable {
            fault("a quote is not closed".into());
        }
        let program = command.program();
        if program.starts_with("scripts/") && !program.contains('*') && !exists(program) {
            fault(format!("there is no {program}"));
        }
        if program == "cargo" {
            let package = command.value(&["-p", "--package"]);
            if let Some(name) = package.filter(|name| !workspace.has_package(name)) {
                fault(format!("there is no package {name}"));
            }
            for kind in ["example", "bench", "test", "bin"] {
                if let Some(name) = command.value(&[&format!("--{kind}")])
                    && !workspace.has_target(package, kind, name)
                {
                    fault(format!("there is no {kind} {name}"));
                }
            }
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(text: &str) -> Vec<String> {
        let workspace = Workspace::new([("benches", vec![("bench", "kernels")]), ("fakes", vec![("example", "fakes")])]);
        let document = Document { name: "README.md".into(), text: text.into() };
        command_faults(&document, &workspace, |path| path == "scripts/test")
    }

    #[test]
    fn valid_lines_have_no_fault() {
        let text = "`scripts/test`, `scripts/golden/*.py`\n\n    scripts/test --strict\n    cargo bench -p benches --bench kernels -- --quick\n    cargo run --package=fakes --example=fakes\n    cargo test\n";
        assert_eq!(faults(text), [""; 0]);
    }

    #[test]
    fn a_planted_fault_is_found() {
        for (text, fault) in [
            ("Run `scripts/tset`.", "README.md:1: scripts/tset: there is no scripts/tset"),
            ("\n    scripts/tset | tee log\n", "README.md:2: scripts/tset: there is no scripts/tset"),
            ("\n    cargo bench -p bench\n", "README.md:2: cargo bench -p bench: there is no package bench"),
            ("`cargo bench --bench kernel`", "README.md:1: cargo bench --bench kernel: there is no bench kernel"),
            ("`cargo run -p benches --example fakes`", "README.md:1: cargo run -p benches --example fakes: there is no example fakes"),
            ("\n    cargo test 'a\n", "README.md:2: cargo: a quote is not closed"),
        ] {
            assert_eq!(faults(text), [fault], "{text}");
        }
    }
}
