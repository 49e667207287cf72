//! Every document of the checkout: its links, its command lines, and the length of the first page.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::path::{Path, PathBuf};

use documents::{Document, Workspace, command_faults, link_faults};

/// The first page must be short, so that users read it to the end.
const FIRST_PAGE_LINES: usize = 130;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().to_owned()
}

fn documents() -> Vec<Document> {
    let documents = Document::read_all(&root()).unwrap();
    for name in ["README.md", "crates/README.md", "crates/cli/README.md", "models/nano-sd/README.md"] {
        assert!(documents.iter().any(|document| document.name == name), "{name} was not read");
    }
    documents
}

fn exists(path: &str) -> bool {
    root().join(path).exists()
}

fn report(rule: &str, faults: &[String]) {
    assert!(faults.is_empty(), "{rule}:\n  {}", faults.join("\n  "));
}

#[test]
fn every_relative_link_resolves() {
    report("broken links", &link_faults(&documents(), exists));
}

#[test]
fn every_command_refers_to_existing_things() {
    let workspace = Workspace::read(&root()).unwrap();
    let readmes = documents().into_iter().filter(Document::is_readme);
    let faults: Vec<_> = readmes.flat_map(|readme| command_faults(&readme, &workspace, exists)).collect();
    report("command lines that cannot work", &faults);
}

#[test]
fn the_first_page_is_short_and_names_the_two_scripts() {
    let documents = documents();
    let first = documents.iter().find(|document| document.name == "README.md").unwrap();
    let lines = first.text.lines().count();
    assert!(lines <= FIRST_PAGE_LINES, "README.md has {lines} lines, which is more than {FIRST_PAGE_LINES}: move some to a crate's README");
    for script in ["scripts/quickstart", "scripts/test"] {
        assert!(first.commands().iter().any(|command| command.is_whole && command.program() == script), "README.md does not show {script}");
    }
}
