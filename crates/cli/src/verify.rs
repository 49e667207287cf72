//! `framewright verify`: what the signed manifests of files say, and whether the files are as they were signed.
//!
//! It must not know who signed them: manifests of other programs are shown likewise. The invariant: the exit code is 0 only if every file has a
//! manifest and is as it was signed.

use std::{io, path::Path};

use anyhow::{Context as _, Result, bail};
use diffusion_core::regular_file;
use provenance::{Found, FoundState, GENERATION_LABEL, MediaFormat, ReadError};
use serde_json::{Value, json};

use crate::{args::VerifyArgs, failure::Usage, output};

/// The largest manifest beside a file.
const LARGEST: u64 = 64 << 20;

/// Reads the manifests and prints them.
///
/// # Errors
/// [`Usage`] if a file is missing or of another format; otherwise if one has no manifest, or is not as it was signed.
pub(crate) fn run(args: &VerifyArgs) -> Result<()> {
    let (mut faults, mut found) = (0, Vec::new());
    for path in &args.files {
        let result = read(path)?;
        faults += u32::from(!result.as_ref().is_ok_and(is_unchanged));
        if args.json {
            found.push(as_json(path, &result));
        } else {
            output::result(as_text(path, &result))?;
        }
    }
    if args.json {
        output::json(&Value::from(found))?;
    }
    match faults {
        0 => Ok(()),
        1 if args.files.len() == 1 => bail!("the file is not as it was signed, or was never signed"),
        _ => bail!("{faults} of {} files are not as they were signed, or were never signed", args.files.len()),
    }
}

/// The manifest inside a file, or else beside it.
fn read(path: &Path) -> Result<Result<Found, ReadError>> {
    let usage = |reason: &dyn std::fmt::Display| Usage(format!("{}: {reason}", path.display()));
    let format = MediaFormat::of_path(path).ok_or_else(|| usage(&"the ending must be .png, .jpg, .webp, .gif, .mp4 or .webm"))?;
    let open = || regular_file::open(path).map_err(|error| usage(&error));
    let beside = path.with_extension("c2pa");
    let inside = if format.embeds() { provenance::read(format, open()?) } else { Err(ReadError::None) };
    if !matches!(inside, Err(ReadError::None)) {
        return Ok(inside);
    }
    match regular_file::read_small(&beside, LARGEST) {
        Ok(manifest) => Ok(provenance::read_with_sidecar(format, &manifest, open()?)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => open().map(|_| Err(ReadError::None)).map_err(Into::into),
        Err(error) => Err(error).with_context(|| beside.display().to_string()),
    }
}

fn is_unchanged(found: &Found) -> bool {
    match found.state {
        FoundState::Trusted | FoundState::Valid => true,
        FoundState::Invalid => false,
    }
}

fn as_text(path: &Path, result: &Result<Found, ReadError>) -> String {
    let path = path.display();
    let found = match result {
        Ok(found) => found,
        Err(error) => return format!("{path}: {error}"),
    };
    let state = match found.state {
        FoundState::Trusted => "as it was signed, by the trusted",
        FoundState::Valid => "as it was signed, by the untrusted",
        FoundState::Invalid => "NOT as it was signed, by",
    };
    let mut lines = vec![format!("{path}: {state} {:?}", found.signer)];
    lines.extend(found.faults.iter().map(|fault| format!("  {fault}")));
    lines.push(format!("  claimed by {}", found.generator));
    for action in assertion(found, "c2pa.actions").and_then(|data| data["actions"].as_array()).into_iter().flatten() {
        let source = action["digitalSourceType"].as_str().and_then(|source| source.rsplit('/').next());
        let source = source.map(|source| format!(", {source}")).unwrap_or_default();
        lines.push(format!("  {}{source}", action["action"].as_str().unwrap_or_default()));
    }
    if let Some(data) = assertion(found, GENERATION_LABEL) {
        let models: Vec<&str> = data["models"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let seed = data.get("seed").map(|seed| format!(", seed {seed}")).unwrap_or_default();
        lines.push(format!("  made with {}{seed}, settings {}", models.join(" and "), data["settings_sha256"]));
    }
    lines.iter().map(|line| plain(line)).collect::<Vec<_>>().join("\n")
}

/// A line of a file that anybody may have written: what would move a terminal's cursor is replaced.
fn plain(line: &str) -> String {
    line.chars().map(|character| if character.is_control() { char::REPLACEMENT_CHARACTER } else { character }).collect()
}

/// The data of the active manifest's first assertion whose label begins so.
fn assertion<'a>(found: &'a Found, label: &str) -> Option<&'a Value> {
    let active = found.manifest["active_manifest"].as_str()?;
    let assertions = found.manifest["manifests"][active]["assertions"].as_array()?;
    let has_label = |assertion: &&Value| assertion["label"].as_str().is_some_and(|found| found.starts_with(label));
    assertions.iter().find(has_label).map(|assertion| &assertion["data"])
}

fn as_json(path: &Path, result: &Result<Found, ReadError>) -> Value {
    let file = path.display().to_string();
    match result {
        Err(error) => json!({ "file": file, "state": Value::Null, "faults": [error.to_string()] }),
        Ok(found) => {
            let state = match found.state {
                FoundState::Trusted => "trusted",
                FoundState::Valid => "valid",
                FoundState::Invalid => "invalid",
            };
            json!({
                "file": file,
                "state": state,
                "faults": found.faults,
                "signer": found.signer,
                "claim_generator": found.generator,
                "manifest_store": found.manifest,
            })
        }
    }
}
