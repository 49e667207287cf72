//! Floors and import cycles inside the crates: a line in the header of a crate's `lib.rs` states which module may import which.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    imports::Imports,
    report,
    sources::{modules_of, root},
};

/// A crate whose modules have floors, stated by a line in the header of its `lib.rs`.
struct Floored {
    member: &'static str,
    has_floors: bool,
    /// Whether import cycles of more than two files are forbidden.
    has_no_circles: bool,
}

const FLOORED: [Floored; 5] = [
    Floored { member: "diffusion-core", has_floors: true, has_no_circles: false },
    Floored { member: "cpu-kernels", has_floors: true, has_no_circles: true },
    Floored { member: "provenance", has_floors: true, has_no_circles: true },
    Floored { member: "generation", has_floors: true, has_no_circles: true },
    Floored { member: "server", has_floors: true, has_no_circles: true },
];

/// The permitted imports from a higher floor: errors name the part of the model that they concern.
const UPWARD: [(&str, &str); 1] = [("error", "weights")];

fn imports_of(files: &[(String, String)]) -> Imports {
    Imports::new(files.iter().map(|(file, text)| (file.as_str(), text.as_str())))
}

/// The floors in the header of a crate's `lib.rs`: for each module, the modules that it may import.
fn module_floors(head: &str) -> Option<BTreeMap<String, BTreeSet<String>>> {
    let lines = head.lines().skip_while(|line| !line.starts_with("//! Floors inside the crate")).skip(1);
    let lines: Vec<&str> = lines.map_while(|line| line.strip_prefix("//! ")).collect();
    let mut floors = BTreeMap::new();
    let mut below = BTreeSet::new();
    for group in lines.join(" ").trim_end_matches('.').split(" -> ") {
        for step in group.split(", ").filter(|step| !step.is_empty()) {
            // Modules beside each other must not import each other.
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
fn modules_import_only_lower_modules() {
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
fn floors_are_read_from_the_head_of_a_crate() {
    let head =
        "//! Floors inside the crate (..):\n//! error, policy -> noise, ops -> schedulers beside models\n//! -> pipelines.\n\nmod error;";
    let floors = module_floors(head).unwrap();
    assert!(floors["ops"].contains("noise") && !floors["noise"].contains("ops"));
    assert!(!floors["models"].contains("schedulers") && !floors["schedulers"].contains("models"));
    assert!(floors["pipelines"].contains("models") && floors["pipelines"].contains("schedulers"));
    assert_eq!(module_floors("//! A crate."), None);
}
