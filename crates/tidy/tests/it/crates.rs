//! Floors between the crates: which crate may use which other, and which heavy libraries.

use std::collections::BTreeSet;

use crate::{
    manifest::{Dependency, dependencies},
    report,
    sources::root,
};

/// The crates from the ground up; a crate may use those before it in this list. Examples and benches are on the roof.
const CRATES: [&str; 17] = [
    "cpu-kernels",
    "documents",
    "provenance",
    "recycler",
    "video-encode",
    "guarded-http",
    "remote-fakes",
    "remote-providers",
    "diffusion-core",
    "generation",
    "generation-test",
    "crash-tests",
    "server",
    "cli",
    "tidy",
    "examples",
    "benches",
];

/// The crates on the ground, which must not use each other.
const GROUND: [&str; 8] =
    ["cpu-kernels", "documents", "provenance", "recycler", "video-encode", "guarded-http", "remote-fakes", "remote-providers"];

/// The exceptions on the ground: providers' results are fetched through the guard, and the fakes serve their tests.
const GROUND_EXCEPTIONS: [(&str, &str); 2] = [("remote-providers", "guarded-http"), ("remote-providers", "remote-fakes")];

/// Crates on a lower floor that a crate must not use: frames pass between the two as images, and the roof makes requests to other hosts.
const FORBIDDEN: [(&str, &str); 4] = [
    ("diffusion-core", "remote-providers"),
    ("diffusion-core", "video-encode"),
    ("diffusion-core", "guarded-http"),
    ("generation", "guarded-http"),
];

/// Crates that only tests may use, so that they are not part of the program.
const FOR_TESTS: [&str; 3] = ["documents", "remote-fakes", "generation-test"];

/// Members outside the program, which may use crates for tests in all their targets.
const OUTSIDE_THE_PROGRAM: [&str; 4] = ["generation-test", "crash-tests", "tidy", "benches"];

/// A crate whose tests use a crate above it: its own test doubles.
const DOUBLES: [(&str, &str); 1] = [("generation", "generation-test")];

/// Heavy libraries, and the only crates that may name them. (A name that ends with `-` is a prefix: all of candle's crates.)
const FENCES: [(&str, &[&str]); 9] = [
    ("candle-", &["diffusion-core", "cli", "benches"]),
    ("tokenizers", &["diffusion-core"]),
    ("actix-web", &["server"]),
    ("ffmpeg-next", &["video-encode"]),
    ("clap", &["cli"]),
    ("c2pa", &["provenance"]),
    ("pulldown-cmark", &["documents"]),
    ("aws-", &["remote-providers"]),
    // URLs from callers go through guarded-http; remote-providers calls the operator's providers, diffusion-core the hub, cli its own
    // server, and the server's tests the server.
    ("reqwest", &["guarded-http", "remote-providers", "diffusion-core", "cli", "server", "benches"]),
];

#[test]
fn crates_use_only_crates_below_them() {
    let members: BTreeSet<String> =
        std::fs::read_dir(root().join("crates")).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    let mut faults: Vec<String> = members
        .iter()
        .filter(|member| !member.ends_with(".md") && !CRATES.contains(&member.as_str()))
        .map(|member| format!("{member} has no floor: add it to this test and to crates/README.md"))
        .collect();
    for (floor, member) in CRATES.iter().enumerate() {
        let (dependencies, text) = dependencies(member);
        for Dependency { name, is_for_tests } in &dependencies {
            // Examples and benches do not know each other.
            let roof = CRATES.len() - 2;
            let is_above = CRATES.iter().position(|other| other == name).is_some_and(|other| other >= floor.min(roof));
            let pair = (*member, name.as_str());
            let are_on_the_ground = GROUND.contains(member) && GROUND.contains(&name.as_str());
            let is_own_double = *is_for_tests && DOUBLES.contains(&pair);
            if (is_above && !is_own_double) || FORBIDDEN.contains(&pair) || (are_on_the_ground && !GROUND_EXCEPTIONS.contains(&pair)) {
                faults.push(format!("{member} uses {name}, which is not below it"));
            }
            if FOR_TESTS.contains(&name.as_str()) && !is_for_tests && !OUTSIDE_THE_PROGRAM.contains(member) {
                faults.push(format!("{member} uses {name} outside its tests: name it in [dev-dependencies]"));
            }
            if let Some((fence, inside)) =
                FENCES.iter().find(|(fence, _)| name == fence || (fence.ends_with('-') && name.starts_with(fence)))
                && !inside.contains(member)
            {
                faults.push(format!("{member} uses {name}, which only {} may ({fence})", inside.join(", ")));
            }
        }
        if !text.contains("[lints]\nworkspace = true") {
            faults.push(format!("{member} does not take the workspace's lints"));
        }
    }
    report("the floors between crates", &faults);
}
