//! Pictures that callers upload: decoded, re-encoded under a new name, and kept for a while.
//!
//! The stored file is never the uploaded one: the picture is decoded within the bounds of [`generation::given_image`] and encoded as a
//! PNG, which drops metadata, a second file after the first, and malformed data that could exploit a later reader. The invariants: a file
//! is in its owner's folder under a random name, or not at all (staged beside it, then renamed); the sender's file name is never used;
//! decoding waits for a permit; the limits hold whenever a file has been stored, and the owner who stores the most loses files first.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    fs::{self, DirEntry},
    io::{self, BufWriter},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use generation::{
    given_image,
    jobs::DiskFault,
    sandbox::{self, SandboxError, SandboxedFile},
};
use guarded_http::media_type;
use image::{DynamicImage, ImageError, ImageFormat};
use uuid::Uuid;

use crate::{
    files::{
        decoding,
        image_text::{self, MEDIA_TYPES},
    },
    http::multipart_file::SentFile,
};

/// The default size limit of a file: a camera's picture.
pub const DEFAULT_UPLOAD_BYTES: usize = 32 << 20;
/// The default time that an upload is kept.
pub const DEFAULT_UPLOAD_AGE: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// The default limit of all uploads together, in bytes.
pub const DEFAULT_UPLOADS_BYTES: u64 = 4 << 30;

/// The prefix of unfinished files, which no sandbox name has.
const STAGED: &str = ".staged-";
/// The age after which a staged file is abandoned: the server that wrote it has died.
const STAGED_MAX_AGE: Duration = Duration::from_secs(60 * 60);

/// The interval at which old uploads are removed.
const PRUNE_EVERY: Duration = Duration::from_secs(60 * 60);

/// The folder of keyless callers; no key's name begins like this.
const ANONYMOUS: &str = "_";

/// Why an upload is refused.
#[derive(Debug, thiserror::Error)]
pub enum UploadError {
    /// It is declared as something else.
    #[error("File must be an image: it is declared as {0}")]
    DeclaredOtherwise(String),
    /// It is not a picture.
    #[error(
        "File must be an image: a PNG, JPEG or WebP of at most {max} pixels a side{}",
        .0.map(|kind| format!(", and it is {kind}")).unwrap_or_default(),
        max = given_image::MAX_SIDE
    )]
    NotAImage(Option<&'static str>),
    /// It takes more than an owner's limit.
    #[error("File too large to be kept: it takes {bytes} bytes as a PNG file, and the limit is {limit}")]
    TooMuch {
        /// Its size as a PNG file.
        bytes: u64,
        /// The limit of one owner's uploads together.
        limit: u64,
    },
    /// The disk is full, or cannot be written.
    #[error("the file could not be stored: {}", DiskFault::of_io(.0))]
    Store(#[from] io::Error),
    /// An internal fault.
    #[error("Internal Server Error")]
    Internal,
}

/// How much is kept, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UploadLimits {
    /// The size limit of a file, in bytes.
    pub bytes: usize,
    /// How long an upload is kept.
    pub age: Duration,
    /// The limit of all uploads, in bytes; beyond it the oldest of the owner with the most are removed.
    pub total_bytes: u64,
    /// The limit of one owner's uploads, in bytes; beyond it the oldest are removed.
    pub owner_bytes: u64,
}

impl UploadLimits {
    /// The limits for this number of owners: with several, no owner may take more than half.
    #[must_use]
    pub fn shared_by(self, owners: usize) -> Self {
        if owners > 1 { Self { owner_bytes: self.owner_bytes.min(self.total_bytes / 2), ..self } } else { self }
    }
}

impl Default for UploadLimits {
    fn default() -> Self {
        Self {
            bytes: DEFAULT_UPLOAD_BYTES,
            age: DEFAULT_UPLOAD_AGE,
            total_bytes: DEFAULT_UPLOADS_BYTES,
            owner_bytes: DEFAULT_UPLOADS_BYTES,
        }
    }
}

/// The folder of uploads; cheap to clone.
#[derive(Clone, Debug)]
pub struct UploadStore {
    root: PathBuf,
    limits: UploadLimits,
    /// The bytes in each owner's folder; `None` until the folders have been read.
    kept: Arc<Mutex<Option<BTreeMap<PathBuf, u64>>>>,
    /// Whether the folder was created. If it disappears later, a person or its disk took it away; it is not created again, because it may
    /// come back.
    is_made: Arc<Mutex<bool>>,
}

/// A stored upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upload {
    /// Its file name, such as `character_<uuid>.png`.
    pub name: String,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
}

impl UploadStore {
    /// A store in this folder, which is created on first use, and only once.
    pub fn new(root: PathBuf, limits: UploadLimits) -> Self {
        Self { root, limits, kept: Arc::default(), is_made: Arc::default() }
    }

    /// The folder of all uploads.
    pub(crate) fn folder_of_all(&self) -> &Path {
        &self.root
    }

    fn make_root(&self) -> io::Result<()> {
        let mut is_made = self.is_made.lock().unwrap_or_else(PoisonError::into_inner);
        if !*is_made {
            fs::create_dir_all(&self.root)?;
            *is_made = true;
        }
        Ok(())
    }

    /// The limits.
    pub fn limits(&self) -> UploadLimits {
        self.limits
    }

    /// Stores a picture of `owner` as `<stem>_<uuid>.png`.
    ///
    /// # Errors
    /// [`UploadError`] if it is declared as something else, is not a picture, or cannot be stored.
    pub async fn save(&self, owner: &str, stem: &'static str, file: SentFile) -> Result<Upload, UploadError> {
        if let Some(claimed) = media_type::other(&file.declared, MEDIA_TYPES) {
            return Err(UploadError::DeclaredOtherwise(claimed));
        }
        let _turn = decoding::turn().await.map_err(|_| UploadError::Internal)?;
        // A key's name is also a folder name.
        let folder = self.folder(owner).ok_or(UploadError::Internal)?;
        let store = self.clone();
        actix_web::web::block(move || store.store(&folder, stem, bytes_of(file))).await.map_err(|_| UploadError::Internal)?
    }

    /// Opens an upload of `owner` by its name. Blocks on the disk.
    ///
    /// # Errors
    /// [`SandboxError`] if there is none.
    pub fn open(&self, owner: &str, name: &str) -> Result<SandboxedFile, SandboxError> {
        // A single component: files in deeper folders are not uploads.
        if name.contains('/') {
            return Err(SandboxError::Name);
        }
        sandbox::open(&self.folder(owner).ok_or(SandboxError::Name)?, name)
    }

    /// Removes expired files, then the oldest until the rest is within the limits; returns the number of removed files. To be called
    /// periodically. Blocks on the disk.
    ///
    /// # Errors
    /// If a folder cannot be read. A file that cannot be removed is tried again next time.
    pub fn prune(&self, now: SystemTime) -> io::Result<usize> {
        let mut kept = self.kept();
        let (found, removed) = self.make_room(now, None)?;
        *kept = Some(found);
        Ok(removed)
    }

    fn kept(&self) -> MutexGuard<'_, Option<BTreeMap<PathBuf, u64>>> {
        // No code panics while it holds the lock.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Removes files as [`Self::prune`] does, until `coming` (a folder and a number of bytes) fits too. Returns the bytes in each folder
    /// without `coming`, and the number of removed files.
    fn make_room(&self, now: SystemTime, coming: Option<(&Path, u64)>) -> io::Result<(BTreeMap<PathBuf, u64>, usize)> {
        let mut removed = 0;
        let mut folders = BTreeMap::new();
        for folder in entries(&self.root)? {
            if !folder.file_type()?.is_dir() {
                continue;
            }
            let mut files = Vec::new();
            for entry in entries(&folder.path())? {
                // The file may have been removed since the folder was read.
                let Ok(metadata) = entry.metadata() else { continue };
                let age = metadata.modified().ok().and_then(|modified| now.duration_since(modified).ok()).unwrap_or_default();
                let staged = entry.file_name().as_encoded_bytes().starts_with(STAGED.as_bytes());
                if age > if staged { STAGED_MAX_AGE } else { self.limits.age } {
                    removed += usize::from(fs::remove_file(entry.path()).is_ok());
                } else if !staged {
                    files.push((age, metadata.len(), entry.path()));
                }
            }
            // The oldest is last.
            files.sort();
            let bytes: u64 = files.iter().map(|(_, bytes, _)| bytes).sum();
            folders.insert(folder.path(), (bytes, files));
        }
        let coming_to = |folder: &Path| coming.filter(|(to, _)| *to == folder).map_or(0, |(_, bytes)| bytes);
        let over = |folders: &BTreeMap<PathBuf, (u64, Vec<_>)>| {
            let full = |folder: &Path, bytes: u64| bytes.saturating_add(coming_to(folder));
            let total = folders.values().map(|(bytes, _)| bytes).sum::<u64>().saturating_add(coming.map_or(0, |(_, bytes)| bytes));
            let with_files = folders.iter().filter(|(_, (_, files))| !files.is_empty());
            let largest = with_files.map(|(folder, (bytes, _))| (full(folder, *bytes), folder.clone())).max()?;
            (largest.0 > self.limits.owner_bytes || total > self.limits.total_bytes).then_some(largest.1)
        };
        while let Some(folder) = over(&folders) {
            let Some((bytes, files)) = folders.get_mut(&folder) else { break };
            let Some((_, length, path)) = files.pop() else { break };
            *bytes = bytes.saturating_sub(length);
            removed += usize::from(fs::remove_file(path).is_ok());
        }
        Ok((folders.into_iter().map(|(folder, (bytes, _))| (folder, bytes)).collect(), removed))
    }

    /// Prunes at once and then every hour, until the future is dropped.
    pub async fn prune_periodically(&self) -> Infallible {
        loop {
            let store = self.clone();
            let pruned = actix_web::web::block(move || store.make_root().and_then(|()| store.prune(SystemTime::now()))).await;
            if let Ok(Err(error)) = pruned {
                tracing::error!(%error, "old uploads cannot be removed");
            }
            tokio::time::sleep(PRUNE_EVERY).await;
        }
    }

    /// The folder of an owner's uploads; `None` for a name that no key can have.
    fn folder(&self, owner: &str) -> Option<PathBuf> {
        // A key's name is also a folder name.
        let name = match owner {
            "" => ANONYMOUS,
            owner if sandbox::is_name(owner) && !owner.starts_with(ANONYMOUS) => owner,
            _ => return None,
        };
        Some(self.root.join(name))
    }
}

/// The picture's bytes. RFC 7578 deprecates transfer encodings; of those still sent, only base64 changes binary data. Bytes that already
/// are a picture are not base64.
fn bytes_of(file: SentFile) -> Vec<u8> {
    let is_base64 = file.transfer_encoding.trim().eq_ignore_ascii_case("base64") && !given_image::is_image(&file.bytes);
    let decoded = is_base64.then(|| image_text::of_base64(&file.bytes).ok()).flatten();
    decoded.unwrap_or(file.bytes)
}

fn entries(folder: &Path) -> io::Result<Vec<DirEntry>> {
    match fs::read_dir(folder) {
        Ok(entries) => entries.collect(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

impl UploadStore {
    /// Decodes, encodes, stages, makes room, and renames.
    fn store(&self, folder: &Path, stem: &str, file: Vec<u8>) -> Result<Upload, UploadError> {
        let image = given_image::read(file).map_err(|error| UploadError::NotAImage(error.kind()))?;
        let image = match image.color().has_alpha() {
            true => DynamicImage::from(image.into_rgba8()),
            false => DynamicImage::from(image.into_rgb8()),
        };
        let (width, height) = (image.width(), image.height());
        self.make_root()?;
        fs::create_dir(folder).or_else(|error| if error.kind() == io::ErrorKind::AlreadyExists { Ok(()) } else { Err(error) })?;
        let staged = tempfile::Builder::new().prefix(STAGED).tempfile_in(folder)?;
        let mut writer = BufWriter::new(staged.as_file());
        image
            .write_to(&mut writer, ImageFormat::Png)
            .map_err(|error| if let ImageError::IoError(error) = error { error } else { io::Error::other(error) })?;
        writer.into_inner().map_err(|error| UploadError::Store(error.into_error()))?;
        staged.as_file().sync_all()?;
        let length = staged.as_file().metadata()?.len();
        let limit = self.limits.owner_bytes.min(self.limits.total_bytes);
        if length > limit {
            return Err(UploadError::TooMuch { bytes: length, limit });
        }
        // The lock is held until the file is in place: otherwise two concurrent uploads could count on the same free space.
        let mut kept = self.kept();
        let fits = |kept: &BTreeMap<PathBuf, u64>| {
            let own = kept.get(folder).copied().unwrap_or_default();
            own + length <= self.limits.owner_bytes && kept.values().sum::<u64>() + length <= self.limits.total_bytes
        };
        if !kept.as_ref().is_some_and(fits) {
            *kept = Some(self.make_room(SystemTime::now(), Some((folder, length)))?.0);
        }
        let name = format!("{stem}_{}.png", Uuid::new_v4());
        staged.persist_noclobber(folder.join(&name)).map_err(|error| error.error)?;
        if let Some(kept) = kept.as_mut() {
            *kept.entry(folder.to_owned()).or_default() += length;
        }
        Ok(Upload { name, width, height })
    }
}
