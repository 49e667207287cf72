//! The sources of the checkout as text, and a crate's text without its tests. It must not know any rule.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

pub(crate) struct Source {
    pub(crate) path: PathBuf,
    /// Relative to the repository, with forward slashes.
    pub(crate) name: String,
    pub(crate) text: String,
}

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().to_owned()
}

/// All files with this name ending, in the folders that hold sources.
pub(crate) fn sources(ending: &str) -> Vec<Source> {
    let root = root();
    let mut found = Vec::new();
    let mut folders: Vec<PathBuf> = ["crates", "examples", "benches", "scripts"].iter().map(|name| root.join(name)).collect();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            let file_name = path.file_name().unwrap().to_str().unwrap();
            if path.is_dir() {
                if !["target", "node_modules", "dist"].contains(&file_name) && !file_name.starts_with(['.', '_']) {
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
pub(crate) fn product(text: &str) -> String {
    let text = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
    let text = text.split("\nmod tests {").next().unwrap_or_default();
    text.lines().map(|line| if line.trim_start().starts_with("//") { "" } else { line }).collect::<Vec<_>>().join("\n")
}

/// The sources of a crate without tests: paths below `src`, and texts. Files declared under `#[cfg(test)]` are excluded.
pub(crate) fn modules_of(member: &str) -> Vec<(String, String)> {
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
