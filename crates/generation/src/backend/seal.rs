//! The signed manifests of a job's files.
//!
//! It must not know models, nor who waits. The invariant: a file is in place only with its manifest, inside it or, for WebM, beside it.

use std::{
    fs::File,
    io::{self, Seek as _},
    path::Path,
    sync::Arc,
};

use provenance::{MediaFormat, SignError, Signer, Statement};
use tempfile::NamedTempFile;
use video_encode::Container;

use crate::{artifact, image_file::ImageFormat};

/// Signs the files of one job.
#[derive(Clone, Debug)]
pub struct Seal {
    signer: Arc<Signer>,
    statement: Statement,
}

impl Seal {
    /// With this certificate and this statement.
    pub fn new(signer: Arc<Signer>, statement: Statement) -> Self {
        Self { signer, statement }
    }

    /// An image's file with its manifest; `seed` is the image's own, if it was drawn from one.
    ///
    /// # Errors
    /// [`SignError`] if the certificate has expired.
    pub fn image(&self, format: ImageFormat, file: &[u8], seed: Option<u64>) -> Result<Vec<u8>, SignError> {
        let format = match format {
            ImageFormat::Png => MediaFormat::Png,
            ImageFormat::Jpeg { .. } => MediaFormat::Jpeg,
            ImageFormat::WebP => MediaFormat::WebP,
        };
        self.signer.sign(format, file, &Statement { seed, ..self.statement.clone() })
    }

    /// The file to put at `path` instead of the complete one at `staged`; `None` if that one stays: because its manifest is in a file beside
    /// `path` that ends in `.c2pa`, or because it has no `format` that can be signed.
    ///
    /// # Errors
    /// An error of the disk, or of the certificate.
    pub fn file(&self, format: Option<MediaFormat>, staged: &Path, path: &Path) -> io::Result<Option<NamedTempFile>> {
        let Some(format) = format else { return Ok(None) };
        let mut file = File::open(staged)?;
        if !format.embeds() {
            let manifest = self.signer.sidecar(format, &mut file, &self.statement)?;
            artifact::write(&path.with_extension("c2pa"), &manifest).map_err(|error| error.source)?;
            return Ok(None);
        }
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut signed = video_encode::staged_in(folder)?;
        self.signer.sign_stream(format, &mut file, signed.as_file_mut(), &self.statement)?;
        signed.rewind()?;
        Ok(Some(signed))
    }
}

/// The format of a container's file; `None` for a folder of frames, which is not signed.
pub fn format_of(container: Container) -> Option<MediaFormat> {
    match container {
        Container::Mp4 => Some(MediaFormat::Mp4),
        Container::WebM => Some(MediaFormat::WebM),
        Container::Gif => Some(MediaFormat::Gif),
        Container::WebP => Some(MediaFormat::WebP),
        Container::Apng => Some(MediaFormat::Png),
        Container::PngFolder => None,
    }
}
