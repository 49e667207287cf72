//! The packages of this workspace and their targets, as listed by cargo.

use std::{collections::BTreeMap, path::Path, process};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

/// The packages, each with the kinds and names of its targets.
#[derive(Clone, Debug)]
pub struct Workspace(BTreeMap<String, Vec<(String, String)>>);

impl Workspace {
    /// Asks cargo for a folder's workspace, without network access.
    ///
    /// # Errors
    /// Cargo does not start, fails, or does not answer in its format 1.
    pub fn read(root: &Path) -> Result<Self> {
        let mut cargo = process::Command::new(env!("CARGO"));
        let output = cargo.args(["metadata", "--format-version", "1", "--no-deps", "--offline"]).current_dir(root).output()?;
        ensure!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
        let metadata: Value = serde_json::from_slice(&output.stdout)?;
        let name = |value: &Value| Some(value["name"].as_str()?.to_owned());
        let target = |target: &Value| Some((target["kind"][0].as_str()?.to_owned(), name(target)?));
        let package = |package: &Value| Some((name(package)?, package["targets"].as_array()?.iter().filter_map(target).collect()));
        let packages = metadata["packages"].as_array().context("cargo metadata lists no packages")?;
        Ok(Self(packages.iter().filter_map(package).collect()))
    }

    /// A workspace of these packages, for tests.
    #[cfg(test)]
    pub(crate) fn new<const N: usize>(packages: [(&str, Vec<(&str, &str)>); N]) -> Self {
        let owned = |targets: Vec<(&str, &str)>| targets.into_iter().map(|(kind, name)| (kind.to_owned(), name.to_owned())).collect();
        Self(packages.into_iter().map(|(name, targets)| (name.to_owned(), owned(targets))).collect())
    }

    pub(crate) fn has_package(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// Whether a package, or any package if None, has such a target.
    pub(crate) fn has_target(&self, package: Option<&str>, kind: &str, name: &str) -> bool {
        let mut packages = self.0.iter().filter(|(other, _)| package.is_none_or(|package| package == *other));
        packages.any(|(_, targets)| targets.iter().any(|(of, target)| of == kind && target == name))
    }
}
