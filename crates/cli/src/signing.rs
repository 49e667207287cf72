//! The certificate that signs images and videos: the operator's, or one that is made once.
//!
//! The invariants: a certificate that cannot sign is an error before a model is loaded; the self-made key is readable by its owner only, from
//! its creation on; a self-made certificate is called one wherever it is mentioned.

use std::{
    fs, io,
    path::Path,
    sync::Arc,
    time::{Instant, SystemTime},
};

use anyhow::{Context as _, Result};
use diffusion_core::regular_file;
use generation::{LocalSettings, backend::seal::Seal};
use provenance::{Signer, Statement, self_made};
use server::secret_file;
use video_encode::Container;

use crate::{
    failure::Usage,
    output,
    serve::data_folder,
    settings::{C2pa, ProvenanceSettings, Settings},
};

/// The largest PEM file: more than a chain with the longest keys.
const LARGEST: u64 = 1 << 20;
/// The self-made certificate and its key, in the data folder.
const SELF_MADE: &str = "c2pa-signer.pem";

/// The device's settings with what signs files, and a remark on that, if files are signed.
///
/// # Errors
/// [`Usage`] if the settings name a certificate that cannot sign; otherwise if the self-made one cannot be kept.
pub(crate) fn local_settings(settings: &Settings) -> Result<(LocalSettings, Option<String>)> {
    let (signer, remark) = signer(settings)?.unzip();
    Ok((LocalSettings { provenance: signer.map(Arc::new), ..LocalSettings::new(Instant::now) }, remark))
}

/// What signs the files of a command that has no job, and says this of them; `None` if files are not signed.
///
/// # Errors
/// As [`local_settings`].
pub(crate) fn seal(settings: &Settings, statement: Statement) -> Result<Option<Seal>> {
    let Some((signer, remark)) = signer(settings)? else { return Ok(None) };
    output::remark(remark);
    Ok(Some(Seal::new(Arc::new(signer), statement)))
}

/// Says that the frames of a folder are not signed, where they would be expected to be.
pub(crate) fn remark_on_frames(settings: &Settings, container: Container) {
    if settings.provenance.c2pa == C2pa::On && container == Container::PngFolder {
        output::remark("the numbered frames are not signed: a manifest speaks for one file, so sign what you make of them");
    }
}

/// What signs files, and a remark on it; `None` if they are not signed.
fn signer(settings: &Settings) -> Result<Option<(Signer, String)>> {
    let ProvenanceSettings { c2pa, certificate, private_key } = &settings.provenance;
    if *c2pa == C2pa::Off {
        return Ok(None);
    }
    let alone = |missing: &str, given: &str| {
        Usage(format!("setting provenance.{missing}: missing; provenance.{given} is set, and neither signs without the other"))
    };
    match (certificate, private_key) {
        (Some(certificate), Some(key)) => of_operator(certificate, key).map(Some),
        (None, None) => made_here(&data_folder(settings)).map(Some),
        (Some(_), None) => Err(alone("private_key", "certificate").into()),
        (None, Some(_)) => Err(alone("certificate", "private_key").into()),
    }
}

fn of_operator(certificate: &Path, key: &Path) -> Result<(Signer, String)> {
    let read = |setting: &str, path: &Path| {
        let text = regular_file::read_small(path, LARGEST)
            .and_then(|bytes| String::from_utf8(bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error)));
        text.map_err(|error| Usage(format!("setting provenance.{setting}: {}: {error}", path.display())))
    };
    let (chain, secret) = (read("certificate", certificate)?, read("private_key", key)?);
    let signer = Signer::new(&chain, &secret, SystemTime::now).map_err(|error| {
        Usage(format!("setting provenance.certificate: {} with the key {}: {error}", certificate.display(), key.display()))
    })?;
    let remark = format!("files are signed (C2PA) by {}, until {}", signer.subject(), signer.last_day());
    Ok((signer, remark))
}

fn made_here(folder: &Path) -> Result<(Signer, String)> {
    make_private(folder).with_context(|| folder.display().to_string())?;
    let path = folder.join(SELF_MADE);
    let made = secret_file::load_or_create(&path, || self_made(SystemTime::now()).map_err(io::Error::other));
    let made = made.with_context(|| path.display().to_string())?;
    let signer =
        Signer::new(&made, &made, SystemTime::now).with_context(|| format!("{}: remove it to make a new certificate", path.display()))?;
    let remark = format!(
        "files are signed (C2PA) with a self-made certificate, {}: verifiers call its signer untrusted; provenance.certificate names your own",
        path.display()
    );
    Ok((signer, remark))
}

/// Creates the data folder, if it is not there, accessible to this user only.
fn make_private(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt as _;
        builder.mode(0o700);
    }
    builder.recursive(true).create(folder)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use std::path::PathBuf;

    use super::*;

    fn settings(folder: &Path, provenance: ProvenanceSettings) -> Settings {
        let mut settings = Settings::default();
        settings.jobs.data_dir = Some(folder.to_owned());
        settings.provenance = provenance;
        settings
    }

    fn on(certificate: Option<PathBuf>, private_key: Option<PathBuf>) -> ProvenanceSettings {
        ProvenanceSettings { c2pa: C2pa::On, certificate, private_key }
    }

    #[test]
    fn a_certificate_is_made_once_and_only_when_files_are_signed() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("new/data");
        assert!(signer(&settings(&data, ProvenanceSettings::default())).unwrap().is_none() && !data.exists());
        let (first, remark) = signer(&settings(&data, on(None, None))).unwrap().unwrap();
        assert!(remark.contains("self-made certificate") && remark.contains("c2pa-signer.pem"), "{remark}");
        let kept = fs::read(data.join(SELF_MADE)).unwrap();
        let (second, _) = signer(&settings(&data, on(None, None))).unwrap().unwrap();
        assert_eq!((first.subject(), fs::read(data.join(SELF_MADE)).unwrap()), (second.subject(), kept));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
            assert_eq!((mode(&data), mode(&data.join(SELF_MADE))), (0o700, 0o600));
        }
        fs::write(data.join(SELF_MADE), "torn").unwrap();
        let error = crate::failure::one_line(&signer(&settings(&data, on(None, None))).unwrap_err());
        assert!(error.contains("remove it to make a new certificate: the certificate file holds no certificate"), "{error}");
    }

    #[test]
    fn a_setting_at_fault_is_named_with_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("chain.pem"), self_made(SystemTime::now()).unwrap()).unwrap();
        fs::write(at("key.pem"), self_made(SystemTime::now()).unwrap()).unwrap();
        for (certificate, key, expected) in [
            (Some("chain.pem"), None, "setting provenance.private_key: missing; provenance.certificate is set"),
            (None, Some("key.pem"), "setting provenance.certificate: missing"),
            (Some("none.pem"), Some("key.pem"), "none.pem: No such file"),
            (Some("chain.pem"), Some("none.pem"), "setting provenance.private_key: "),
            (Some("chain.pem"), Some("key.pem"), "key.pem: the private key does not belong to the certificate"),
        ] {
            let error = signer(&settings(folder.path(), on(certificate.map(at), key.map(at)))).unwrap_err();
            assert!(error.is::<Usage>() && error.to_string().contains(expected), "{expected}: {error}");
        }
        assert!(signer(&settings(folder.path(), on(Some(at("chain.pem")), Some(at("chain.pem"))))).unwrap().is_some());
    }
}
