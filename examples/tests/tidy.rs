//! The house's rules that no compiler checks: headers, file sizes, file names, the floors between crates and between the modules of
//! diffusion-core, and that nothing below the roof reads the environment.
//!
//! It reads text, not syntax trees: comments and test modules are cut off first, which is enough for sources that rustfmt has been over.
//! It lies among the examples because it belongs to no crate.
#![expect(clippy::unwrap_used, clippy::print_stderr, reason = "a test stops at the first surprise and tells what it saw")]

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

/// The crates from the ground up; a crate may use those that stand before it. Examples and benches stand on the roof.
const CRATES: [&str; 9] =
    ["cpu-kernels", "video-encode", "guarded-http", "diffusion-core", "generation", "server", "cli", "examples", "benches"];

/// Crates beside or below that a crate must not know all the same: frames go from the one to the other as pictures, and requests to
/// others are the roof's.
const STRANGERS: [(&str, &str); 6] = [
    ("video-encode", "cpu-kernels"),
    ("guarded-http", "cpu-kernels"),
    ("guarded-http", "video-encode"),
    ("diffusion-core", "video-encode"),
    ("diffusion-core", "guarded-http"),
    ("generation", "guarded-http"),
];

/// Heavy libraries and the crates that are there to fence them off; no other may name them. (Ends of names: all of candle's crates.)
const FENCES: [(&str, &[&str]); 6] = [
    ("candle-", &["diffusion-core", "cli", "benches"]),
    ("tokenizers", &["diffusion-core"]),
    ("actix-web", &["server"]),
    ("ffmpeg-next", &["video-encode"]),
    ("clap", &["cli"]),
    // Strangers' addresses go through guarded-http; diffusion-core asks the hub, cli its own server, and the server's tests the server.
    ("reqwest", &["guarded-http", "diffusion-core", "cli", "server", "benches"]),
];

/// Below the roof these do not stand: settings, time and chance arrive as values.
const NOT_BELOW_THE_ROOF: [&str; 5] = ["env::var", "env::vars", "env::args", "env::home_dir", "env::set_var"];

/// Names of files that say nothing of what is in them.
const EMPTY_NAMES: [&str; 4] = ["utils", "common", "helpers", "types"];

/// An import that goes up a floor, and why it may: errors name the part of the model that they are about.
const UPWARD: [(&str, &str); 1] = [("error", "weights")];

const LONG: usize = 300;
const TOO_LONG: usize = 500;
const REASON: &str = "longer than 500 lines because";

struct Source {
    path: PathBuf,
    /// Relative to the repository, with forward slashes.
    name: String,
    text: String,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// All files with an ending, below the folders that hold sources.
fn sources(ending: &str) -> Vec<Source> {
    let root = root();
    let mut found = Vec::new();
    let mut folders: Vec<PathBuf> = ["crates", "examples", "benches", "scripts"].iter().map(|name| root.join(name)).collect();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            let file_name = path.file_name().unwrap().to_str().unwrap();
            if path.is_dir() {
                if file_name != "target" && !file_name.starts_with(['.', '_']) {
                    folders.push(path);
                }
            } else if file_name.ends_with(ending) {
                let name = path.strip_prefix(&root).unwrap().to_str().unwrap().replace('\\', "/");
                found.push(Source { text: std::fs::read_to_string(&path).unwrap(), path, name });
            }
        }
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    assert!(!found.is_empty(), "no {ending} files below {}", root.display());
    found
}

/// The text without test modules and comments.
fn product(text: &str) -> String {
    let text = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
    text.lines().map(|line| if line.trim_start().starts_with("//") { "" } else { line }).collect::<Vec<_>>().join("\n")
}

fn report(rule: &str, faults: &[String]) {
    assert!(faults.is_empty(), "{rule}:\n  {}", faults.join("\n  "));
}

#[test]
fn every_file_opens_with_what_it_is() {
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
fn files_are_short_or_say_why_not() {
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
fn names_say_what_is_in_a_file() {
    let stem = |source: &Source| source.path.file_stem().unwrap().to_str().unwrap().to_owned();
    let faults: Vec<String> =
        sources(".rs").iter().filter(|source| EMPTY_NAMES.contains(&stem(source).as_str())).map(|source| source.name.clone()).collect();
    report("these names say nothing", &faults);
}

#[test]
fn nothing_below_the_roof_reads_the_environment() {
    let mut faults = Vec::new();
    for source in sources(".rs") {
        let below = [
            "crates/video-encode/src",
            "crates/guarded-http/src",
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

/// The server may name reqwest for its tests; a client in the product would go round the guard.
#[test]
fn the_server_asks_others_through_the_guard() {
    let mut faults = Vec::new();
    for source in sources(".rs") {
        if source.name.starts_with("crates/server/src") && product(&source.text).contains("reqwest") {
            faults.push(source.name);
        }
    }
    report("these files make requests beside guarded-http", &faults);
}

/// The names in the [dependencies] and [dev-dependencies] of a member, as Cargo.toml writes them, and the file.
fn dependencies(member: &str) -> (Vec<String>, String) {
    let folder = if ["examples", "benches"].contains(&member) { member.to_owned() } else { format!("crates/{member}") };
    let text = std::fs::read_to_string(root().join(folder).join("Cargo.toml")).unwrap();
    let mut section = String::new();
    let mut names = Vec::new();
    for line in text.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix('[') {
            section = name.trim_end_matches(']').to_owned();
        } else if section.ends_with("dependencies")
            && !line.starts_with('#')
            && let Some(end) = line.find(['.', ' ', '='])
        {
            names.push(line[..end].to_owned());
        }
    }
    (names, text)
}

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
        let (names, text) = dependencies(member);
        for name in &names {
            // Examples and benches do not know each other.
            let roof = CRATES.len() - 2;
            let is_above = CRATES.iter().position(|other| other == name).is_some_and(|other| other >= floor.min(roof));
            if is_above || STRANGERS.iter().any(|(one, other)| one == member && other == name) {
                faults.push(format!("{member} uses {name}, which does not stand below it"));
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

/// The floors line at the head of diffusion-core: for each module, those that it may import.
fn module_floors(head: &str) -> BTreeMap<String, BTreeSet<String>> {
    let line = head.lines().find_map(|line| line.strip_prefix("//! error, policy -> ")).expect("the floors line of lib.rs");
    let line = format!("error, policy -> {}", line.trim_end_matches('.'));
    let mut floors = BTreeMap::new();
    let mut below = BTreeSet::new();
    for group in line.split(" -> ") {
        for step in group.split(", ") {
            // Modules that stand beside each other do not import each other.
            let beside: Vec<&str> = step.split(" beside ").map(str::trim).collect();
            for module in &beside {
                floors.insert((*module).to_owned(), below.clone());
            }
            below.extend(beside.into_iter().map(str::to_owned));
        }
    }
    floors
}

/// The modules of the crate that a text names: `crate::a::..`, and a and b in `crate::{a, b::{..}}`.
fn imports(text: &str, prefix: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for rest in text.split(prefix).skip(1) {
        let word = |text: &str| text.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
        let Some(list) = rest.strip_prefix('{') else {
            found.insert(word(rest));
            continue;
        };
        let mut depth = 1;
        let mut item = String::new();
        for c in list.chars() {
            match c {
                '{' => depth += 1,
                '}' => depth -= 1,
                _ => {}
            }
            if depth == 0 || (depth == 1 && c == ',') {
                found.insert(word(&item));
                item.clear();
            } else {
                item.push(c);
            }
            if depth == 0 {
                break;
            }
        }
    }
    found
}

#[test]
fn modules_of_diffusion_core_import_only_what_stands_below_them() {
    const SRC: &str = "crates/diffusion-core/src/";
    let head = std::fs::read_to_string(root().join(SRC).join("lib.rs")).unwrap();
    let floors = module_floors(&head);
    let mut faults = Vec::new();
    // What is there for tests only stands nowhere.
    for line in head.split("#[cfg(test)]").next().unwrap_or_default().lines() {
        if let Some(module) = line.strip_prefix("pub mod ").or_else(|| line.strip_prefix("mod ")).and_then(|line| line.strip_suffix(';'))
            && !floors.contains_key(module)
        {
            faults.push(format!("{module} has no floor: add it to the line at the head of lib.rs"));
        }
    }
    for source in sources(".rs") {
        let Some(path) = source.name.strip_prefix(SRC).filter(|path| *path != "lib.rs") else { continue };
        let parts: Vec<&str> = path.trim_end_matches(".rs").split('/').collect();
        let module = parts.first().copied().unwrap_or_default();
        let Some(below) = floors.get(module) else { continue };
        let text = product(&source.text);
        let mut named = imports(&text, "crate::");
        if parts.len() == 1 || path == format!("{module}/mod.rs") {
            named.extend(imports(&text, "super::"));
        }
        for other in named.iter().filter(|other| floors.contains_key(*other)) {
            if other != module && !below.contains(other) && !UPWARD.contains(&(module, other)) {
                faults.push(format!("{}: {module} imports {other}", source.name));
            }
        }
    }
    report("the floors inside diffusion-core", &faults);
}

#[test]
fn the_reader_of_imports_reads_lists() {
    let text = "use crate::{Error, Result, noise::SeededNoise, weights::{a::B, models}};\nlet x = crate::ops::linear();";
    let found: Vec<String> = imports(text, "crate::").into_iter().collect();
    assert_eq!(found, ["Error", "Result", "noise", "ops", "weights"]);
    let floors = module_floors("//! error, policy -> noise, ops -> schedulers beside models -> pipelines.");
    assert!(floors["ops"].contains("noise") && !floors["noise"].contains("ops"));
    assert!(!floors["models"].contains("schedulers") && !floors["schedulers"].contains("models"));
    assert!(floors["pipelines"].contains("models") && floors["pipelines"].contains("schedulers"));
}
