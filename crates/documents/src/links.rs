//! Broken relative links.
//!
//! External links are not followed: a test must not depend on the network.

use crate::Document;

/// Lists the relative links of documents whose file, or whose heading in the file, does not exist. `exists` receives paths in the checkout.
pub fn link_faults(documents: &[Document], exists: impl Fn(&str) -> bool) -> Vec<String> {
    let mut faults = Vec::new();
    for document in documents {
        for link in document.links() {
            if link.target.contains("://") || link.target.starts_with("mailto:") {
                continue;
            }
            let mut fault = |reason: String| faults.push(format!("{}:{}: {}: {reason}", document.name, link.line, link.target));
            let (path, anchor) = link.target.split_once('#').map_or((link.target.as_str(), None), |(path, anchor)| (path, Some(anchor)));
            let Some(file) = (if path.is_empty() { Some(document.name.clone()) } else { resolve(&document.name, path) }) else {
                fault("it leaves the checkout".into());
                continue;
            };
            if !exists(&file) {
                fault(format!("there is no {file}"));
            } else if let Some(anchor) = anchor
                && !documents.iter().any(|other| other.name == file && other.anchors().contains(anchor))
            {
                fault(format!("{file} has no heading #{anchor}"));
            }
        }
    }
    faults
}

/// The path in the checkout of a link in a document; None if it is outside.
fn resolve(document: &str, link: &str) -> Option<String> {
    let mut parts: Vec<&str> = document.split('/').collect();
    parts.pop();
    for part in link.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            _ => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(text: &str) -> Vec<String> {
        let document = |name: &str, text: &str| Document { name: name.into(), text: text.into() };
        let documents = [document("a/README.md", text), document("b/README.md", "# The map\n")];
        link_faults(&documents, |path| ["a", "a/README.md", "b/README.md", "b/c.png"].contains(&path))
    }

    #[test]
    fn valid_links_have_no_fault() {
        let text =
            "# Here\n[1](../b/README.md) [2](../b/README.md#the-map) [3](#here) ![4](../b/c.png) [5](https://a.example/nowhere) [6](../a/)";
        assert_eq!(faults(text), [""; 0]);
    }

    #[test]
    fn a_planted_fault_is_found() {
        for (text, fault) in [
            ("[a](../b/READM.md)", "a/README.md:1: ../b/READM.md: there is no b/READM.md"),
            ("\n![a](c.png)", "a/README.md:2: c.png: there is no a/c.png"),
            ("[a](../b/README.md#a-map)", "a/README.md:1: ../b/README.md#a-map: b/README.md has no heading #a-map"),
            ("[a](#there)", "a/README.md:1: #there: a/README.md has no heading #there"),
            ("[a](../../etc)", "a/README.md:1: ../../etc: it leaves the checkout"),
            ("[a][b]\n\n[b]: ../b/d.md", "a/README.md:1: ../b/d.md: there is no b/d.md"),
        ] {
            assert_eq!(faults(text), [fault], "{text}");
        }
    }
}
