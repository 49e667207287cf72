//! Checks every `framewright` line of the READMEs against the program's own command-line definition.
//!
//! Runs nothing. A line in a code block must be complete; running text may mention a command without its arguments.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;

use clap::{Parser as _, error::ErrorKind};
use documents::{Command, Document};

use super::Cli;

/// The parse error for this command line, if it has one.
fn fault(command: &Command) -> Option<String> {
    let error = Cli::try_parse_from(&command.words).err()?;
    let is_incomplete =
        [ErrorKind::MissingRequiredArgument, ErrorKind::MissingSubcommand, ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand]
            .contains(&error.kind());
    let is_answer = [ErrorKind::DisplayHelp, ErrorKind::DisplayVersion].contains(&error.kind());
    (!is_answer && (command.is_whole || !is_incomplete)).then(|| crate::failure::usage_line(&error))
}

fn faults(document: &Document) -> Vec<String> {
    let commands = document.commands().into_iter().filter(|command| command.program() == "framewright");
    commands
        .filter_map(|command| Some(format!("{}:{}: {}: {}", document.name, command.line, command.words.join(" "), fault(&command)?)))
        .collect()
}

#[test]
fn every_framewright_line_of_the_readmes_parses() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap();
    let readmes: Vec<_> = Document::read_all(root).unwrap().into_iter().filter(Document::is_readme).collect();
    let first = readmes.iter().find(|readme| readme.name == "README.md").unwrap();
    assert!(first.commands().iter().any(|command| command.program() == "framewright"), "README.md shows no framewright command");
    let faults: Vec<_> = readmes.iter().flat_map(faults).collect();
    assert!(faults.is_empty(), "command lines that the program refuses:\n  {}", faults.join("\n  "));
}

#[test]
fn a_planted_fault_is_found() {
    let faults = |text: &str| faults(&Document { name: "README.md".into(), text: text.into() });
    let right = "`framewright image`, `framewright jobs`, `framewright animate --camera pan`\n\n    framewright --help\n    framewright models list | head -1\n";
    assert_eq!(faults(right), [""; 0]);
    for wrong in [
        "`framewright imagine`",
        "`framewright image --promt a`",
        "\n    framewright image --out a.png\n",
        "\n    framewright image \"a fox\" --seeds 1 --out a.png\n",
        "\n    framewright image \"a fox\" --seed one --out a.png\n",
        "\n    framewright jobs\n",
        "\n    framewright image 'a fox --out a.png\n",
    ] {
        assert_eq!(faults(wrong).len(), 1, "{wrong}: {:?}", faults(wrong));
    }
}
