//! One Markdown file: its links, its heading anchors and its command lines.
//!
//! Positions are line numbers from 1, as in editors.

use std::{
    collections::{BTreeSet, HashMap},
    fs, io,
    path::Path,
};

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};

use crate::Command;

/// Folders without our documents, in addition to hidden ones, as in `.gitignore`.
const IGNORED: [&str; 5] = ["target", "out", "__pycache__", "node_modules", "dist"];

/// Languages of code blocks that contain command lines; `""` is a block without a language.
const SHELLS: [&str; 5] = ["", "sh", "bash", "shell", "console"];

/// A Markdown file.
#[derive(Clone, Debug)]
pub struct Document {
    /// Its path in the checkout, with forward slashes.
    pub name: String,
    /// Its text.
    pub text: String,
}

/// A link or an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) line: usize,
    pub(crate) target: String,
}

impl Document {
    /// Every Markdown file below a checkout's top folder, sorted by path.
    ///
    /// # Errors
    /// A folder or a file that cannot be read.
    pub fn read_all(root: &Path) -> io::Result<Vec<Self>> {
        let mut documents = Vec::new();
        let mut folders = vec![root.to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder)? {
                let path = entry?.path();
                let file_name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
                if path.is_dir() {
                    if !file_name.starts_with('.') && !IGNORED.contains(&file_name) {
                        folders.push(path);
                    }
                } else if file_name.ends_with(".md") {
                    let name = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().replace('\\', "/");
                    documents.push(Self { name, text: fs::read_to_string(&path)? });
                }
            }
        }
        documents.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(documents)
    }

    /// Whether it is a README, whose command lines must work in the current version.
    pub fn is_readme(&self) -> bool {
        self.name.rsplit('/').next() == Some("README.md")
    }

    /// The command lines in its code blocks, and the commands in its sentences.
    pub fn commands(&self) -> Vec<Command> {
        let mut commands = Vec::new();
        let mut block = None::<(String, usize)>;
        for (event, line) in self.events() {
            if let Event::Start(Tag::CodeBlock(kind)) = event {
                block = match kind {
                    CodeBlockKind::Indented => Some((String::new(), line)),
                    CodeBlockKind::Fenced(language) => SHELLS.contains(&language.as_ref()).then(|| (String::new(), line + 1)),
                };
            } else if let Event::End(TagEnd::CodeBlock) = event {
                commands.extend(block.take().into_iter().flat_map(|(block, line)| Command::read(&block, line, true)));
            } else if let Event::Code(text) = event {
                commands.extend(Command::read(&text, line, false));
            } else if let (Event::Text(text), Some((block, _))) = (event, &mut block) {
                // Indented blocks arrive line by line.
                block.push_str(&text);
            }
        }
        commands
    }

    pub(crate) fn links(&self) -> Vec<Link> {
        let mut links = Vec::new();
        for (event, line) in self.events() {
            if let Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) = event {
                links.push(Link { line, target: dest_url.into_string() });
            }
        }
        links
    }

    /// The anchors of its headings, as GitHub generates them.
    pub(crate) fn anchors(&self) -> BTreeSet<String> {
        let mut anchors = BTreeSet::new();
        let mut seen = HashMap::<String, usize>::new();
        let mut heading = None::<String>;
        for (event, _) in self.events() {
            if let Event::Start(Tag::Heading { .. }) = event {
                heading = Some(String::new());
            } else if let Event::End(TagEnd::Heading(_)) = event {
                let slug = slug(&heading.take().unwrap_or_default());
                let earlier = seen.entry(slug.clone()).or_default();
                anchors.insert(if *earlier == 0 { slug } else { format!("{slug}-{earlier}") });
                *earlier += 1;
            } else if let (Event::Text(text) | Event::Code(text), Some(heading)) = (event, &mut heading) {
                heading.push_str(&text);
            }
        }
        anchors
    }

    /// The parser's events, each with its line.
    fn events(&self) -> impl Iterator<Item = (Event<'_>, usize)> {
        let options = Options::ENABLE_TABLES | Options::ENABLE_YAML_STYLE_METADATA_BLOCKS;
        let starts: Vec<usize> = self.text.bytes().enumerate().filter_map(|(at, byte)| (byte == b'\n').then_some(at)).collect();
        let line = move |at| starts.partition_point(|start| *start < at) + 1;
        Parser::new_ext(&self.text, options).into_offset_iter().map(move |(event, range)| (event, line(range.start)))
    }
}

/// A heading's anchor, before repeated ones are numbered.
fn slug(heading: &str) -> String {
    let kept = |c: char| match c {
        ' ' => Some('-'),
        '-' | '_' => Some(c),
        _ => c.is_alphanumeric().then_some(c),
    };
    heading.to_lowercase().chars().filter_map(kept).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(text: &str) -> Document {
        Document { name: "README.md".into(), text: text.into() }
    }

    #[test]
    fn anchors_match_github() {
        let text = "---\nlicense: x\n---\n# What `nano-sd` can't do, and why\n## Use\n## Use\n### `[[access.keys]]`\n";
        let anchors = document(text).anchors();
        let expected = ["what-nano-sd-cant-do-and-why", "use", "use-1", "accesskeys"];
        assert_eq!(anchors, expected.map(str::to_owned).into());
    }

    #[test]
    fn links_have_their_lines() {
        let text = "a [b](c.md)\n\n| d |\n|---|\n| ![e](f.png) |\n\n    [no](code.md)\n";
        let expected = [Link { line: 1, target: "c.md".into() }, Link { line: 5, target: "f.png".into() }];
        assert_eq!(document(text).links(), expected);
    }

    #[test]
    fn commands_come_from_shell_blocks_and_sentences() {
        let text = "Run `cargo test -p a`.\n\n    scripts/a  # why\n    cargo b \\\n        -p c\n\n```json\ncargo d\n```\n\n```sh\nX=1 cargo e | scripts/f \"g h\"\n```\n";
        let found: Vec<_> =
            document(text).commands().into_iter().map(|command| (command.line, command.words.join(","), command.is_whole)).collect();
        let expected = [
            (1, "cargo,test,-p,a", false),
            (3, "scripts/a", true),
            (4, "cargo,b,-p,c", true),
            (12, "cargo,e", true),
            (12, "scripts/f,g h", true),
        ];
        assert_eq!(found, expected.map(|(line, words, is_whole)| (line, words.to_owned(), is_whole)));
    }
}
