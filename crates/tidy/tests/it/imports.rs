//! Which file of a crate imports which: names are followed through re-exports to the file that defines them.
//!
//! It reads text, as the other rules do, without comments and test modules. `mod` declarations do not count as imports. A name that is not
//! found belongs to another crate.

use std::collections::{BTreeMap, BTreeSet};

/// The files of one crate, by their paths below `src` ("http/mod.rs"), and the files that each imports.
pub(crate) struct Imports {
    pub(crate) files: BTreeMap<String, BTreeSet<String>>,
}

/// A path, segment by segment, and the name that it is imported under.
type Used = (Vec<String>, String);

struct Module {
    file: String,
    /// The paths that `use` imports, by their names in the module.
    uses: BTreeMap<String, Vec<String>>,
}

struct Modules(BTreeMap<Vec<String>, Module>);

impl Imports {
    /// The imports of these files, given as path and text.
    pub(crate) fn new<'a>(sources: impl Iterator<Item = (&'a str, &'a str)>) -> Self {
        let sources: Vec<_> =
            sources.map(|(file, text)| (module_of(file), file, text, read(&without_inner_supers(&without_visibilities(text))))).collect();
        let mut modules = Modules(BTreeMap::new());
        for (module, file, _, (uses, _)) in &sources {
            let uses = uses.iter().map(|(path, name)| (name.clone(), path.clone())).collect();
            modules.0.insert(module.clone(), Module { file: (*file).to_owned(), uses });
        }
        let mut files = BTreeMap::new();
        for (module, file, _, (uses, paths)) in &sources {
            let all = uses.iter().map(|(path, _)| path).chain(paths);
            let found: BTreeSet<String> = all.filter_map(|path| modules.file_of(module, path, 0)).filter(|other| other != file).collect();
            files.insert((*file).to_owned(), found);
        }
        Self { files }
    }

    /// The groups of more than two files in which each file reaches every other.
    pub(crate) fn circles(&self) -> Vec<BTreeSet<String>> {
        let reached: BTreeMap<&String, BTreeSet<&String>> = self.files.keys().map(|file| (file, self.reached(file))).collect();
        let circle = |file: &String| -> BTreeSet<String> {
            reached[file].iter().filter(|other| reached[**other].contains(file)).map(|other| (**other).clone()).collect()
        };
        let found: BTreeSet<BTreeSet<String>> = self.files.keys().map(circle).collect();
        found.into_iter().filter(|circle| circle.len() > 2).collect()
    }

    fn reached<'a>(&'a self, file: &'a String) -> BTreeSet<&'a String> {
        let (mut found, mut next) = (BTreeSet::new(), vec![file]);
        while let Some(file) = next.pop() {
            next.extend(self.files.get(file).into_iter().flatten().filter(|other| found.insert(*other)));
        }
        found
    }
}

impl Modules {
    /// The file that defines the item at a path in a module.
    fn file_of(&self, module: &[String], path: &[String], depth: usize) -> Option<String> {
        let (mut at, mut rest) = self.start(module, path)?;
        // A bound on re-exports of re-exports.
        if depth > 8 {
            return None;
        }
        while let Some((name, more)) = rest.split_first() {
            let inner: Vec<String> = at.iter().chain([name]).cloned().collect();
            if !self.0.contains_key(&inner) {
                break;
            }
            (at, rest) = (inner, more);
        }
        let module = &self.0[&at];
        match rest.split_first() {
            Some((name, more)) if module.uses.contains_key(name) => {
                let full: Vec<String> = module.uses[name].iter().chain(more).cloned().collect();
                // `None` if another crate defines it.
                self.file_of(&at, &full, depth + 1)
            }
            _ => Some(module.file.clone()),
        }
    }

    /// The module where a path begins, and the rest of the path; `None` if it belongs to another crate.
    fn start<'a>(&self, module: &[String], path: &'a [String]) -> Option<(Vec<String>, &'a [String])> {
        let (first, rest) = path.split_first()?;
        match first.as_str() {
            "crate" => Some((Vec::new(), rest)),
            "self" => Some((module.to_vec(), rest)),
            "super" => {
                let (mut at, mut rest) = (module.split_last()?.1.to_vec(), rest);
                while let Some(more) = rest.split_first().filter(|(name, _)| *name == "super").map(|(_, more)| more) {
                    at.pop();
                    rest = more;
                }
                Some((at, rest))
            }
            name => {
                let inner: Vec<String> = module.iter().cloned().chain([name.to_owned()]).collect();
                let is_known = self.0.contains_key(&inner) || self.0.get(module).is_some_and(|module| module.uses.contains_key(name));
                is_known.then(|| (module.to_vec(), path))
            }
        }
    }
}

/// A text without the modules in `pub(in ..)`: visibility is not an import.
fn without_visibilities(text: &str) -> String {
    let mut parts = text.split("pub(in ");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |plain, part| plain + "pub" + part.split_once(')').map_or(part, |(_, rest)| rest))
}

/// A formatted text in which `super` inside an inline module is replaced by `self`, because that parent is the file itself.
fn without_inner_supers(text: &str) -> String {
    let mut inside: Option<&str> = None;
    let mut plain = String::with_capacity(text.len());
    for line in text.lines() {
        let (indent, code) = line.split_at(line.len() - line.trim_start().len());
        match inside {
            None if code.ends_with('{') && code.split('{').next().is_some_and(|head| head.split(' ').any(|word| word == "mod")) => {
                inside = Some(indent);
            }
            Some(outer) if code == "}" && indent == outer => inside = None,
            _ => {}
        }
        plain += &if inside.is_some() { line.replace("super::", "self::") } else { line.to_owned() };
        plain.push('\n');
    }
    plain
}

/// The module that a file is.
fn module_of(file: &str) -> Vec<String> {
    let path = file.trim_end_matches(".rs");
    let path = path.strip_suffix("/mod").unwrap_or(path);
    if path == "lib" { Vec::new() } else { path.split('/').map(str::to_owned).collect() }
}

/// The imports of a text by `use`, and the other paths in it.
fn read(text: &str) -> (Vec<Used>, Vec<Vec<String>>) {
    let (mut uses, mut paths) = (Vec::new(), Vec::new());
    let mut rest = text;
    while let Some(start) = rest.find(is_word) {
        let before = &rest[..start];
        let from_here = &rest[start..];
        let word = &from_here[..from_here.find(|c| !is_word(c)).unwrap_or(from_here.len())];
        let is_item = before.trim_end().is_empty() || before.trim_end().ends_with(['\n', ';', '}', ')', ']', '{']);
        if word == "use" && is_item && from_here[word.len()..].starts_with(char::is_whitespace) {
            let end = from_here.find(';').unwrap_or(from_here.len());
            tree(&from_here[word.len()..end], &[], &mut uses);
            rest = &from_here[end..];
            continue;
        }
        let mut path = vec![word.to_owned()];
        rest = &from_here[word.len()..];
        while let Some(more) = rest.strip_prefix("::").filter(|more| more.starts_with(is_word)) {
            let end = more.find(|c| !is_word(c)).unwrap_or(more.len());
            path.push(more[..end].to_owned());
            rest = &more[end..];
        }
        // `::name` belongs to another crate, and `.name` is a field or a method.
        if path.len() > 1 && !before.ends_with("::") && !before.ends_with('.') {
            paths.push(path);
        }
    }
    (uses, paths)
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The paths of a `use` tree after the segments `before`.
fn tree(text: &str, before: &[String], found: &mut Vec<Used>) {
    let text = text.trim();
    // After a list's last comma.
    if text.is_empty() {
        return;
    }
    if let Some((head, list)) = text.split_once('{') {
        let head: Vec<String> = before.iter().cloned().chain(segments(head)).collect();
        let (mut depth, mut item) = (0, String::new());
        let list = list.trim_end();
        for c in list.strip_suffix('}').unwrap_or(list).chars().chain([',']) {
            depth += i32::from(c == '{') - i32::from(c == '}');
            if c == ',' && depth <= 0 {
                tree(&item, &head, found);
                item.clear();
            } else {
                item.push(c);
            }
        }
        return;
    }
    let (path, alias) = text.split_once(" as ").map_or((text, None), |(path, alias)| (path, Some(alias.trim())));
    let mut path: Vec<String> = before.iter().cloned().chain(segments(path)).collect();
    if path.len() > 1 && path.last().is_some_and(|last| last == "self" || last == "*") {
        path.pop();
    }
    if let Some(last) = path.last().cloned() {
        found.push((path, alias.map_or(last, str::to_owned)));
    }
}

fn segments(path: &str) -> impl Iterator<Item = String> + '_ {
    // A path of another crate may begin with an empty segment, which matches no module.
    path.trim().trim_end_matches("::").split("::").map(|segment| segment.trim().to_owned())
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
    assert!(three("use crate::a::A;").is_empty(), "two are no circle: the re-export is in none");
    let within = |c: &'static str| {
        let files = [("a.rs", "use crate::b::C;"), ("b/mod.rs", "pub use c::C;\nuse crate::a::A;"), ("b/c.rs", c)];
        Imports::new(files.into_iter()).circles().len()
    };
    assert_eq!(within("use super::Other;"), 1);
    assert_eq!(within("pub(in crate::a) fn f() {}"), 0, "visibility is not an import");
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
}
