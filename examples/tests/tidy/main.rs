//! The house's rules that no compiler checks: headers, file sizes, file names, the floors between crates and between the modules of
//! some, circles of imports, and that nothing below the roof reads the environment.
//!
//! It reads text, not syntax trees: comments and test modules are cut off first, which is enough for sources that rustfmt has been over.
//! It lies among the examples because it belongs to no crate.
#![expect(clippy::unwrap_used, clippy::print_stderr, reason = "a test stops at the first surprise and tells what it saw")]

mod imports;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use imports::Imports;

/// The crates from the ground up; a crate may use those that stand before it. Examples and benches stand on the roof.
const CRATES: [&str; 13] = [
    "cpu-kernels",
    "documents",
    "recycler",
    "video-encode",
    "guarded-http",
    "remote-fakes",
    "remote-providers",
    "diffusion-core",
    "generation",
    "server",
    "cli",
    "examples",
    "benches",
];

/// The crates on the ground, which do not know each other.
const GROUND: [&str; 7] = ["cpu-kernels", "documents", "recycler", "video-encode", "guarded-http", "remote-fakes", "remote-providers"];

/// Crates on the ground that know another all the same: providers' results are fetched through the guard, and the fakes serve their tests.
const NEIGHBOURS: [(&str, &str); 2] = [("remote-providers", "guarded-http"), ("remote-providers", "remote-fakes")];

/// Crates below that a crate must not know all the same: frames go from the one to the other as pictures, and requests to others are the
/// roof's.
const STRANGERS: [(&str, &str); 4] = [
    ("diffusion-core", "remote-providers"),
    ("diffusion-core", "video-encode"),
    ("diffusion-core", "guarded-http"),
    ("generation", "guarded-http"),
];

/// Heavy libraries and the crates that are there to fence them off; no other may name them. (Ends of names: all of candle's crates.)
const FENCES: [(&str, &[&str]); 8] = [
    ("candle-", &["diffusion-core", "cli", "benches"]),
    ("tokenizers", &["diffusion-core"]),
    ("actix-web", &["server"]),
    ("ffmpeg-next", &["video-encode"]),
    ("clap", &["cli"]),
    ("pulldown-cmark", &["documents"]),
    ("aws-", &["remote-providers"]),
    // Strangers' addresses go through guarded-http; remote-providers asks the operator's services, diffusion-core the hub, cli its own
    // server, and the server's tests the server.
    ("reqwest", &["guarded-http", "remote-providers", "diffusion-core", "cli", "server", "benches"]),
];

/// Below the roof these do not stand: settings, time and chance arrive as values.
const NOT_BELOW_THE_ROOF: [&str; 5] = ["env::var", "env::vars", "env::args", "env::home_dir", "env::set_var"];

/// Names of files that say nothing of what is in them.
const EMPTY_NAMES: [&str; 4] = ["utils", "common", "helpers", "types"];

/// A crate whose modules stand on floors, as a line at the head of its `lib.rs` says.
struct Floored {
    member: &'static str,
    has_floors: bool,
    /// Whether no more than two of its files import each other.
    has_no_circles: bool,
}

const FLOORED: [Floored; 4] = [
    Floored { member: "diffusion-core", has_floors: true, has_no_circles: false },
    Floored { member: "cpu-kernels", has_floors: true, has_no_circles: true },
    Floored { member: "generation", has_floors: true, has_no_circles: true },
    Floored { member: "server", has_floors: true, has_no_circles: true },
];

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
    let text = text.split("\nmod tests {").next().unwrap_or_default();
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
            let pair = (*member, name.as_str());
            let are_on_the_ground = GROUND.contains(member) && GROUND.contains(&name.as_str());
            if is_above || STRANGERS.contains(&pair) || (are_on_the_ground && !NEIGHBOURS.contains(&pair)) {
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

/// The sources of a crate without tests: paths below `src`, and texts. Files that `#[cfg(test)]` declares are not among them.
fn modules_of(member: &str) -> Vec<(String, String)> {
    let src = format!("crates/{member}/src/");
    let all: Vec<(String, String)> =
        sources(".rs").into_iter().filter_map(|source| Some((source.name.strip_prefix(&src)?.to_owned(), source.text))).collect();
    let for_tests: BTreeSet<String> = all
        .iter()
        .flat_map(|(file, text)| {
            let folder = file.trim_end_matches("lib.rs").trim_end_matches("mod.rs").trim_end_matches(".rs").trim_end_matches('/');
            let declared = text.split("#[cfg(test)]\nmod ").skip(1).filter_map(|rest| rest.split_once(';').map(|(name, _)| name));
            declared.map(move |name| format!("{folder}/{name}.rs").trim_start_matches('/').to_owned()).collect::<Vec<_>>()
        })
        .collect();
    all.into_iter().filter(|(file, _)| !for_tests.contains(file)).map(|(file, text)| (file, product(&text))).collect()
}

fn imports_of(files: &[(String, String)]) -> Imports {
    Imports::new(files.iter().map(|(file, text)| (file.as_str(), text.as_str())))
}

/// The floors at the head of a crate's `lib.rs`: for each module, those that it may import.
fn module_floors(head: &str) -> Option<BTreeMap<String, BTreeSet<String>>> {
    let lines = head.lines().skip_while(|line| !line.starts_with("//! Floors inside the crate")).skip(1);
    let lines: Vec<&str> = lines.map_while(|line| line.strip_prefix("//! ")).collect();
    let mut floors = BTreeMap::new();
    let mut below = BTreeSet::new();
    for group in lines.join(" ").trim_end_matches('.').split(" -> ") {
        for step in group.split(", ").filter(|step| !step.is_empty()) {
            // Modules that stand beside each other do not import each other.
            let beside: Vec<&str> = step.split(" beside ").map(str::trim).collect();
            for module in &beside {
                floors.insert((*module).to_owned(), below.clone());
            }
            below.extend(beside.into_iter().map(str::to_owned));
        }
    }
    (!floors.is_empty()).then_some(floors)
}

#[test]
fn modules_import_only_what_stands_below_them() {
    let mut faults = Vec::new();
    for Floored { member, .. } in FLOORED.iter().filter(|row| row.has_floors) {
        let head = std::fs::read_to_string(root().join(format!("crates/{member}/src/lib.rs"))).unwrap();
        let Some(floors) = module_floors(&head) else {
            faults.push(format!("{member} has no floors at the head of its lib.rs"));
            continue;
        };
        for (file, found) in imports_of(&modules_of(member)).files {
            let module_of = |file: &str| file.split('/').next().unwrap_or_default().trim_end_matches(".rs").to_owned();
            let module = module_of(&file);
            if module == "lib" {
                continue;
            }
            let Some(below) = floors.get(&module) else {
                faults.push(format!("{member}: {module} has no floor: add it to the line at the head of lib.rs"));
                continue;
            };
            for other in found.iter().map(|other| module_of(other)) {
                if other != module && !below.contains(&other) && !UPWARD.contains(&(module.as_str(), other.as_str())) {
                    faults.push(format!("{member}, {file}: {module} imports {other}"));
                }
            }
        }
    }
    report("the floors inside the crates", &faults);
}

#[test]
fn no_three_files_import_each_other_in_a_circle() {
    let mut faults = Vec::new();
    for Floored { member, .. } in FLOORED.iter().filter(|row| row.has_no_circles) {
        let circles = imports_of(&modules_of(member)).circles();
        faults.extend(circles.iter().map(|circle| format!("{member}: {}", circle.iter().cloned().collect::<Vec<_>>().join(", "))));
    }
    report("these files import each other in a circle", &faults);
}

#[test]
fn a_planted_circle_is_found() {
    let two = [("a.rs", "use crate::b::{C, D};"), ("b/mod.rs", "pub use d::D;\nuse crate::a::A;"), ("b/d.rs", "")];
    assert!(Imports::new(two.into_iter()).circles().is_empty());
    let three = |last: &'static str| {
        let files = [
            ("lib.rs", "mod a;\npub use b::B;\npub use other::Error;"),
            ("a.rs", "use crate::{B, Error};"),
            ("b/mod.rs", "pub use c::C as B;"),
            ("b/c.rs", last),
        ];
        Imports::new(files.into_iter()).circles()
    };
    assert!(three("use super::Other;").is_empty(), "a is not reached");
    assert!(three("use crate::a::A;").is_empty(), "two are none: the re-export stands in no circle");
    let within = |c: &'static str| {
        let files = [("a.rs", "use crate::b::C;"), ("b/mod.rs", "pub use c::C;\nuse crate::a::A;"), ("b/c.rs", c)];
        Imports::new(files.into_iter()).circles().len()
    };
    assert_eq!(within("use super::Other;"), 1);
    assert_eq!(within("pub(in crate::a) fn f() {}"), 0, "to be seen is no import");
    assert_eq!(within("mod inner {\n    use super::Other;\n}"), 0, "the parent of a module in a file is the file");
    let planted = [("a.rs", "use crate::b::B;"), ("b/mod.rs", "fn f() { c::g() }"), ("b/c.rs", "fn g() { crate::a::h() }")];
    let names: BTreeSet<String> = planted.iter().map(|(file, _)| (*file).to_owned()).collect();
    assert_eq!(Imports::new(planted.into_iter()).circles(), [names]);
}

#[test]
fn names_are_followed_to_the_files_that_define_them() {
    let text =
        "use crate::{Error, noise::SeededNoise, weights::{a::B, self}};\nuse ::models::M;\nlet x = crate::ops::linear() + weights::a::f();";
    let files = [
        ("lib.rs", "pub use error::Error;"),
        ("error.rs", ""),
        ("noise/mod.rs", "mod seeded;\npub(crate) use self::seeded::SeededNoise;"),
        ("noise/seeded.rs", ""),
        ("weights/mod.rs", ""),
        ("weights/a.rs", ""),
        ("models.rs", ""),
        ("ops.rs", ""),
        ("it.rs", text),
    ];
    let found = Imports::new(files.into_iter()).files["it.rs"].iter().cloned().collect::<Vec<_>>();
    assert_eq!(found, ["error.rs", "noise/seeded.rs", "ops.rs", "weights/a.rs", "weights/mod.rs"]);
    let head =
        "//! Floors inside the crate (..):\n//! error, policy -> noise, ops -> schedulers beside models\n//! -> pipelines.\n\nmod error;";
    let floors = module_floors(head).unwrap();
    assert!(floors["ops"].contains("noise") && !floors["noise"].contains("ops"));
    assert!(!floors["models"].contains("schedulers") && !floors["schedulers"].contains("models"));
    assert!(floors["pipelines"].contains("models") && floors["pipelines"].contains("schedulers"));
    assert_eq!(module_floors("//! A crate."), None);
}
