//! Rules for single files: their headers, their lengths, their names, and the APIs that they may use.

use crate::{
    report,
    sources::{Source, product, sources},
};

/// Not allowed below the roof: settings arrive as values.
const NOT_BELOW_THE_ROOF: [&str; 5] = ["env::var", "env::vars", "env::args", "env::home_dir", "env::set_var"];

/// File names that do not describe the contents.
const EMPTY_NAMES: [&str; 4] = ["utils", "common", "helpers", "types"];

const LONG: usize = 300;
const TOO_LONG: usize = 500;
const REASON: &str = "longer than 500 lines because";

#[test]
fn every_file_has_a_header() {
    let mut faults: Vec<String> =
        sources(".rs").iter().filter(|source| !source.text.starts_with("//! ")).map(|source| source.name.clone()).collect();
    for source in sources(".py") {
        let first = source.text.lines().find(|line| !line.starts_with("#!")).unwrap_or_default();
        if !first.starts_with("\"\"\"") {
            faults.push(source.name);
        }
    }
    report("these files do not open with a //! header or a docstring", &faults);
}

#[test]
fn files_are_short_or_give_a_reason() {
    let mut faults = Vec::new();
    for source in sources(".rs") {
        let lines = source.text.lines().count();
        if lines > LONG {
            eprintln!("{lines:5} lines: {}", source.name);
        }
        let header = source.text.lines().take_while(|line| line.starts_with("//!")).collect::<Vec<_>>().join(" ");
        if lines > TOO_LONG && !header.replace("//! ", "").contains(REASON) {
            faults.push(format!("{} has {lines}", source.name));
        }
    }
    report(&format!("these files have more than {TOO_LONG} lines and no \"{REASON} ..\" in their header"), &faults);
}

#[test]
fn file_names_describe_their_contents() {
    let stem = |source: &Source| source.path.file_stem().unwrap().to_str().unwrap().to_owned();
    let faults: Vec<String> =
        sources(".rs").iter().filter(|source| EMPTY_NAMES.contains(&stem(source).as_str())).map(|source| source.name.clone()).collect();
    report("these names do not describe the contents", &faults);
}

#[test]
fn nothing_below_the_roof_reads_the_environment() {
    let mut faults = Vec::new();
    for source in sources(".rs") {
        let below = [
            "crates/video-encode/src",
            "crates/guarded-http/src",
            "crates/remote-providers/src",
            "crates/diffusion-core/src",
            "crates/generation/src",
            "crates/server/src",
        ];
        if below.iter().any(|folder| source.name.starts_with(folder)) {
            let text = product(&source.text);
            let found = NOT_BELOW_THE_ROOF.iter().find(|word| text.contains(*word));
            faults.extend(found.map(|word| format!("{}: {word}", source.name)));
        }
    }
    report("these files read what should arrive as a value", &faults);
}

/// The server may name reqwest for its tests; a client in the product would bypass the guard.
#[test]
fn the_server_makes_requests_through_the_guard() {
    let mut faults = Vec::new();
    for source in sources(".rs") {
        if source.name.starts_with("crates/server/src") && product(&source.text).contains("reqwest") {
            faults.push(source.name);
        }
    }
    report("these files make requests without guarded-http", &faults);
}

/// Jobs that a test opens directly are not checked when it ends.
#[test]
fn every_test_opens_jobs_that_are_checked() {
    let mut seen = 0;
    let mut faults = Vec::new();
    for source in sources(".rs") {
        if ["generation", "server", "crash-tests"].iter().any(|member| source.name.starts_with(&format!("crates/{member}/tests/it/"))) {
            seen += 1;
            if source.text.contains("Jobs::open") || source.text.contains("Jobs::held_only") {
                faults.push(source.name);
            }
        }
    }
    assert!(seen > 30, "{seen} files");
    report("these files open jobs directly; use generation_test::Checked", &faults);
}
