//! The settings tables of the crate's README, generated from the settings' declarations: their comments, defaults, flags and variables.
//!
//! It reads text, not syntax trees, which is enough for sources formatted by rustfmt. The invariant: each setting that a variable can set
//! has one row. `UPDATE_DOCUMENTS=1 cargo test -p cli settings_table` rewrites the README.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    fmt::Write as _,
    fs,
};

use super::{layers, *};

const README: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src");
const BEGIN: &str = "<!-- settings: begin.";
const END: &str = "<!-- settings: end -->";

/// A deprecated section that is still read.
const OLD: &str = "bedrock";

/// A type as declared in its source.
#[derive(Debug, Default)]
struct Declaration {
    docs: String,
    /// The type that serde deserializes first (`try_from`), if it is another.
    written_as: Option<String>,
    fields: Vec<Field>,
}

#[derive(Debug)]
struct Field {
    docs: String,
    name: String,
    ty: String,
}

/// All sources of the crate as one text, in path order.
fn sources() -> String {
    let mut files = BTreeSet::new();
    let mut folders = vec![PathBuf::from(SOURCES)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                files.insert(path);
            }
        }
    }
    files.iter().map(|file| fs::read_to_string(file).unwrap()).collect()
}

/// The structs and enums of a text, by name.
fn declarations(sources: &str) -> BTreeMap<String, Declaration> {
    let mut declarations = BTreeMap::new();
    let (mut docs, mut written_as, mut current) = (String::new(), None, None::<String>);
    for line in sources.lines() {
        let text = line.trim_start();
        let is_inside = line.starts_with("    ") && !line.starts_with("     ");
        if let Some(more) = text.strip_prefix("/// ") {
            docs = format!("{docs} {more}").trim().to_owned();
            continue;
        }
        if text.starts_with("#[") {
            written_as = text.split_once("try_from = \"").and_then(|(_, name)| name.split('"').next()).map(str::to_owned).or(written_as);
            continue;
        }
        let item =
            text.split_once("struct ").or_else(|| text.split_once("enum ")).filter(|_| !line.starts_with(' ') && line.ends_with('{'));
        if let Some((_, name)) = item {
            let name = name.trim_end_matches(" {").to_owned();
            let declaration = Declaration { docs: std::mem::take(&mut docs), written_as: written_as.take(), fields: Vec::new() };
            declarations.insert(name.clone(), declaration);
            current = Some(name);
        } else if !line.starts_with(' ') {
            current = None;
        } else if let Some(declaration) = current.as_ref().and_then(|name| declarations.get_mut(name))
            && is_inside
            && let Some((name, ty)) = text.trim_start_matches("pub ").trim_end_matches(',').split_once(": ")
        {
            declaration.fields.push(Field { docs: std::mem::take(&mut docs), name: name.to_owned(), ty: ty.to_owned() });
        }
        docs.clear();
        written_as = None;
    }
    declarations
}

/// The defaults by key, in TOML syntax.
fn defaults() -> BTreeMap<String, String> {
    let shown = format!("{:#?}", Settings::default());
    let mut defaults = BTreeMap::new();
    let mut path = Vec::new();
    for line in shown.lines() {
        let depth = (line.len() - line.trim_start().len()) / 4;
        let Some((name, value)) = line.trim().trim_end_matches(',').split_once(": ") else { continue };
        path.truncate(depth.saturating_sub(1));
        path.push(name);
        let value = match value {
            "None" => String::new(),
            // A compound type, whose debug output says nothing about its TOML form.
            _ if value.ends_with(['{', '(']) => String::new(),
            _ if value.starts_with(['"', '[', '{']) || value.parse::<f64>().is_ok() || value.parse::<bool>().is_ok() => value.to_owned(),
            _ => format!("\"{}\"", value.to_ascii_lowercase()),
        };
        defaults.insert(path.join("."), value);
    }
    defaults
}

/// The flags by key, found as `Layer::flag("--port", "server.port", ..)`.
fn flags(sources: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut flags = BTreeMap::<String, BTreeSet<String>>::new();
    for call in sources.split("Layer::flag(").skip(1) {
        if let [_, flag, between, key, ..] = call.split('"').collect::<Vec<_>>().as_slice()
            && between.trim() == ","
            && flag.starts_with("--")
        {
            flags.entry((*key).to_owned()).or_default().insert(format!("`{flag}`"));
        }
    }
    flags
}

/// Writes the tables, and collects the keys of their rows.
struct Writer {
    declarations: BTreeMap<String, Declaration>,
    defaults: BTreeMap<String, String>,
    flags: BTreeMap<String, BTreeSet<String>>,
    keys: Vec<String>,
    text: String,
}

impl Writer {
    fn section(&mut self, path: &str, ty: &str) {
        let Some(declared) = self.declarations.get(ty) else { return };
        let docs = declared.docs.clone();
        let fields = declared.written_as.as_ref().map_or(&declared.fields, |written| &self.declarations[written].fields);
        let (mut rows, mut sections) = (String::new(), Vec::new());
        for Field { docs, name, ty } in fields {
            let key = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            let entries = ty.strip_prefix("Vec<").map(|ty| ty.trim_end_matches('>'));
            let ty = entries.unwrap_or(ty);
            if self.declarations.contains_key(ty) && (entries.is_some() || ty.ends_with("Settings")) {
                sections.push((key.clone(), ty.to_owned()));
                continue;
            }
            if key == OLD {
                continue;
            }
            assert!(!docs.is_empty(), "{key} has no comment");
            let default = self.defaults.get(&key).filter(|value| !value.is_empty()).map(|value| format!("`{value}`"));
            let mut also: Vec<_> = self.flags.get(&key).into_iter().flatten().cloned().collect();
            also.extend(layers::foreign(&key).map(|variable| format!("`{variable}`")));
            let docs = docs.replace('|', "\\|");
            writeln!(rows, "| `{name}` | {} | {} | {docs} |", default.unwrap_or_default(), also.join(", ")).unwrap();
            self.keys.push(key);
        }
        if !path.is_empty() && !rows.is_empty() {
            let is_list = self.defaults.get(path).is_some_and(|value| value == "[]");
            let heading = if is_list { format!("[[{path}]]") } else { format!("[{path}]") };
            write!(self.text, "\n### `{heading}`\n\n{docs}\n\n| key | default | also | meaning |\n|---|---|---|---|\n{rows}").unwrap();
        }
        for (key, ty) in sections {
            self.section(&key, &ty);
        }
    }
}

/// The tables, and the keys in them.
fn tables() -> (String, Vec<String>) {
    let sources = sources();
    let (declarations, flags) = (declarations(&sources), flags(&sources));
    let mut writer = Writer { declarations, defaults: defaults(), flags, keys: Vec::new(), text: String::new() };
    writer.section("", "Settings");
    (writer.text, writer.keys)
}

#[test]
fn settings_table_of_the_readme_is_generated() {
    let readme = fs::read_to_string(README).unwrap();
    let (before, rest) = readme.split_once(BEGIN).unwrap();
    let (comment, rest) = rest.split_once('\n').unwrap();
    let (_, after) = rest.split_once(END).unwrap();
    let wanted = format!("{before}{BEGIN}{comment}\n{}\n{END}{after}", tables().0);
    if env::var_os("UPDATE_DOCUMENTS").is_some() {
        fs::write(README, &wanted).unwrap();
    } else {
        let first = wanted.lines().zip(readme.lines()).find(|(wanted, there)| wanted != there);
        assert!(
            readme == wanted,
            "crates/cli/README.md does not say what src/settings says, first here: {first:?}\n\
             run: UPDATE_DOCUMENTS=1 cargo test -p cli settings_table"
        );
    }
}

#[test]
fn each_setting_with_a_variable_has_one_row() {
    let (_, keys) = tables();
    for (key, _) in layers::KEYS {
        assert_eq!(keys.iter().filter(|row| *row == key).count(), 1, "{key}");
    }
}

#[test]
fn a_row_has_default_flag_variables_and_meaning() {
    let (tables, _) = tables();
    for row in [
        "### `[server]`",
        "| `host` | `\"127.0.0.1\"` | `--host` | The address to listen on. |",
        "| `port` | `8000` | `--port`, `PORT` | The port to listen on, 0 to 65535; 0 lets the system choose one. |",
        "| `allow_public_without_key` | `false` | `--allow-public-without-key` | Whether other machines may use the server without a key. |",
        "### `[[access.keys]]`",
        "| `key_file` |  |  | A file that holds the key. |",
    ] {
        assert!(tables.contains(row), "no {row} in\n{tables}");
    }
}
