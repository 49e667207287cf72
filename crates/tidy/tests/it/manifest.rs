//! A member's Cargo.toml, read as text.

use crate::sources::root;

/// A dependency, by its name in Cargo.toml.
pub(crate) struct Dependency {
    pub(crate) name: String,
    /// Whether it is in `[dev-dependencies]`.
    pub(crate) is_for_tests: bool,
}

/// The dependencies of a member, of every kind and for every target, and the text of its Cargo.toml.
pub(crate) fn dependencies(member: &str) -> (Vec<Dependency>, String) {
    let folder = if ["examples", "benches"].contains(&member) { member.to_owned() } else { format!("crates/{member}") };
    let text = std::fs::read_to_string(root().join(folder).join("Cargo.toml")).unwrap();
    let mut section = String::new();
    let mut found = Vec::new();
    for line in text.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix('[') {
            section = name.trim_end_matches(']').to_owned();
        } else if section.ends_with("dependencies")
            && !line.starts_with('#')
            && let Some(end) = line.find(['.', ' ', '='])
        {
            found.push(Dependency { name: line[..end].to_owned(), is_for_tests: section.ends_with("dev-dependencies") });
        }
    }
    (found, text)
}
