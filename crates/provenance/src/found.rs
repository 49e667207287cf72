//! Reads manifests, and tells whether they are valid.
//!
//! It must not know how they were signed. The invariant: a certificate that is on no list of trust is no fault of the file.

use std::io::{Read, Seek};

use c2pa::{Context, Reader, Settings, ValidationState};
use serde_json::Value;

use crate::{MediaFormat, ReadError};

/// The one status that is a matter of trust, not of the file.
const UNTRUSTED: &str = "signingCredential.untrusted";

/// Whether a file is as it was signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FoundState {
    /// It is, and its signer is on a list of trust.
    Trusted,
    /// It is, but nobody vouches for its signer.
    Valid,
    /// It was changed since, or was never signed properly.
    Invalid,
}

/// A manifest that was found.
#[derive(Clone, Debug)]
pub struct Found {
    /// Whether the file is as it was signed.
    pub state: FoundState,
    /// What is wrong with it: the specification's codes with c2pa's explanations.
    pub faults: Vec<String>,
    /// The signer's organisation and name, by its certificate.
    pub signer: String,
    /// The program that made the claim, with its version.
    pub generator: String,
    /// The whole manifest, as the C2PA tools show it.
    pub manifest: Value,
}

/// Reads the manifest inside a file.
///
/// # Errors
/// [`ReadError::None`] if there is none; [`ReadError::Library`] if it cannot be read.
pub fn read(format: MediaFormat, file: impl Read + Seek + Send) -> Result<Found, ReadError> {
    Ok(found(&reader()?.with_stream(format.media_type(), file)?))
}

/// Reads the manifest beside a file.
///
/// # Errors
/// As [`read`].
pub fn read_with_sidecar(format: MediaFormat, sidecar: &[u8], file: impl Read + Seek + Send) -> Result<Found, ReadError> {
    Ok(found(&reader()?.with_manifest_data_and_stream(sidecar, format.media_type(), file)?))
}

fn reader() -> Result<Reader, ReadError> {
    Ok(Reader::from_context(Context::new().with_settings(settings()?)?))
}

/// The library's settings: nothing is fetched, no thumbnail is made, and signed files are read back by the caller who wants it.
pub(crate) fn settings() -> Result<Settings, c2pa::Error> {
    Settings::new().with_json(
        r#"{
            "core": { "backing_store_memory_threshold_in_mb": 64 },
            "verify": { "ocsp_fetch": false, "remote_manifest_fetch": false, "verify_after_sign": false },
            "builder": { "thumbnail": { "enabled": false } }
        }"#,
    )
}

fn found(reader: &Reader) -> Found {
    let state = match reader.validation_state() {
        ValidationState::Trusted => FoundState::Trusted,
        ValidationState::Valid => FoundState::Valid,
        ValidationState::Invalid => FoundState::Invalid,
    };
    let statuses = reader.validation_status().unwrap_or_default().iter().filter(|status| status.code() != UNTRUSTED);
    let faults = statuses.map(|status| format!("{}: {}", status.code(), status.explanation().unwrap_or_default())).collect();
    let manifest = reader.active_manifest();
    let signer = manifest.map(|manifest| [manifest.issuer(), manifest.common_name()].into_iter().flatten().collect::<Vec<_>>().join(", "));
    let generators = manifest.and_then(|manifest| manifest.claim_generator_info.as_ref());
    let generator = generators.and_then(|infos| infos.first()).map(|info| match &info.version {
        Some(version) => format!("{} {version}", info.name),
        None => info.name.clone(),
    });
    Found {
        state,
        faults,
        signer: signer.unwrap_or_default(),
        generator: generator.unwrap_or_default(),
        // The library writes JSON, so it can be read as such.
        manifest: serde_json::from_str(&reader.json()).unwrap_or_default(),
    }
}
