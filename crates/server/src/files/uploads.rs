//! Pictures that callers upload: read, written anew under a name of ours, and kept for a while.
//!
//! What is stored is never what was sent: the picture is decoded within the bounds of [`generation::given_picture`] and encoded as a PNG,
//! so that metadata, a second file behind the first and broken files that a later reader may fall for are gone. The invariants: a file
//! lies in its owner's folder under a random name, or not at all (staged beside it, then renamed); no name of the sender's is used for
//! anything; a picture is decoded in its turn; what is kept is within the limits whenever a file has been stored,
//! and whoever stores much makes room with their own files before anybody else's go.

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
    given_picture,
    jobs::DiskFault,
    sandbox::{self, SandboxError, SandboxedFile},
};
use guarded_http::media_type;
use image::{DynamicImage, ImageError, ImageFormat};
use uuid::Uuid;

use crate::{
    files::{
        decoding,
        picture_text::{self, MEDIA_TYPES},
    },
    http::multipart_file::SentFile,
};

/// The longest file unless the operator says otherwise: a camera's.
pub const DEFAULT_UPLOAD_BYTES: usize = 32 << 20;
/// How long an upload is kept unless the operator says otherwise.
pub const DEFAULT_UPLOAD_AGE: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// How much all uploads may take unless the operator says otherwise, in bytes.
pub const DEFAULT_UPLOADS_BYTES: u64 = 4 << 30;

/// The names of files that are not finished begin with this, which no name of the sandbox does.
const STAGED: &str = ".staged-";
/// After this nobody works on a staged file any more: the server that did has died.
const STAGED_FOR: Duration = Duration::from_secs(60 * 60);

/// How often old uploads are looked for.
const PRUNE_EVERY: Duration = Duration::from_secs(60 * 60);

/// The folder of those who have no name; no name of a key begins so.
const NOBODY: &str = "_";

/// Why an upload is not taken.
#[derive(Debug, thiserror::Error)]
pub enum UploadError {
    /// It is called something else.
    #[error("File must be an image: it is declared as {0}")]
    DeclaredOtherwise(String),
    /// It is none.
    #[error(
        "File must be an image: a PNG, JPEG or WebP of at most {max} pixels a side{}",
        .0.map(|kind| format!(", and it is {kind}")).unwrap_or_default(),
        max = given_picture::MAX_SIDE
    )]
    NotAPicture(Option<&'static str>),
    /// It takes more than an owner's share.
    #[error("File too large to be kept: it takes {bytes} bytes as a PNG file, and the limit is {limit}")]
    TooMuch {
        /// What it would take.
        bytes: u64,
        /// What one owner's uploads may take together.
        limit: u64,
    },
    /// There is no room for it, or no right to write it.
    #[error("the file could not be stored: {}", DiskFault::of_io(.0))]
    Store(#[from] io::Error),
    /// A fault of ours.
    #[error("Internal Server Error")]
    Internal,
}

/// How much is kept, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UploadLimits {
    /// The longest file, in bytes.
    pub bytes: usize,
    /// How long an upload is kept.
    pub age: Duration,
    /// How much all uploads may take, in bytes; the oldest go first, of whoever has most.
    pub total_bytes: u64,
    /// How much one owner's may take, in bytes; the oldest go first.
    pub owner_bytes: u64,
}

impl UploadLimits {
    /// The same for so many owners: where there are several, none has more than half.
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
    /// What each owner's folder holds, in bytes; absent until somebody has looked.
    kept: Arc<Mutex<Option<BTreeMap<PathBuf, u64>>>>,
    /// Whether the folder was made. One that is gone later was taken away, with the disk that it lies on or by a person, and is not made
    /// again below what may come back.
    is_made: Arc<Mutex<bool>>,
}

/// A picture that was uploaded and is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upload {
    /// The name of its file: `character_<uuid>.png`, say.
    pub name: String,
    /// Pixels across.
    pub width: u32,
    /// Pixels down.
    pub height: u32,
}

impl UploadStore {
    /// In this folder, which is made when it is first needed, and once.
    pub fn new(root: PathBuf, limits: UploadLimits) -> Self {
        Self { root, limits, kept: Arc::default(), is_made: Arc::default() }
    }

    fn make_root(&self) -> io::Result<()> {
        let mut is_made = self.is_made.lock().unwrap_or_else(PoisonError::into_inner);
        if !*is_made {
            fs::create_dir_all(&self.root)?;
            *is_made = true;
        }
        Ok(())
    }

    /// How much is kept, and for how long.
    pub fn limits(&self) -> UploadLimits {
        self.limits
    }

    /// Stores a picture of `owner`'s as `<stem>_<uuid>.png`.
    ///
    /// # Errors
    /// [`UploadError`] if it is called something else or is no picture, or cannot be stored.
    pub async fn save(&self, owner: &str, stem: &'static str, file: SentFile) -> Result<Upload, UploadError> {
        if let Some(claimed) = media_type::other(&file.declared, MEDIA_TYPES) {
            return Err(UploadError::DeclaredOtherwise(claimed));
        }
        let _turn = decoding::turn().await.map_err(|_| UploadError::Internal)?;
        // Names of keys are names of folders.
        let folder = self.folder(owner).ok_or(UploadError::Internal)?;
        let store = self.clone();
        actix_web::web::block(move || store.store(&folder, stem, bytes_of(file))).await.map_err(|_| UploadError::Internal)?
    }

    /// Opens an upload of `owner`'s by its name. Blocks for as long as the disk takes.
    ///
    /// # Errors
    /// `SandboxError` if there is none.
    pub fn open(&self, owner: &str, name: &str) -> Result<SandboxedFile, SandboxError> {
        // One part: what lies deeper is nobody's upload.
        if name.contains('/') {
            return Err(SandboxError::Name);
        }
        sandbox::open(&self.folder(owner).ok_or(SandboxError::Name)?, name)
    }

    /// Removes what is older than the limits say, then the oldest until the rest is within them; gives how many files went. To be called
    /// now and then. Blocks for as long as the disk takes.
    ///
    /// # Errors
    /// If a folder cannot be read. A file that cannot be removed stays for the next time.
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

    /// Removes files as [`Self::prune`] does, so many that one more of so many bytes finds room in a folder; gives what each folder then
    /// holds without it, and how many files went.
    fn make_room(&self, now: SystemTime, coming: Option<(&Path, u64)>) -> io::Result<(BTreeMap<PathBuf, u64>, usize)> {
        let mut removed = 0;
        let mut folders = BTreeMap::new();
        for folder in entries(&self.root)? {
            if !folder.file_type()?.is_dir() {
                continue;
            }
            let mut files = Vec::new();
            for entry in entries(&folder.path())? {
                // It may have gone since the folder was read.
                let Ok(metadata) = entry.metadata() else { continue };
                let age = metadata.modified().ok().and_then(|modified| now.duration_since(modified).ok()).unwrap_or_default();
                let staged = entry.file_name().as_encoded_bytes().starts_with(STAGED.as_bytes());
                if age > if staged { STAGED_FOR } else { self.limits.age } {
                    removed += usize::from(fs::remove_file(entry.path()).is_ok());
                } else if !staged {
                    files.push((age, metadata.len(), entry.path()));
                }
            }
            // The oldest is the last.
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

    /// Prunes at once and then every hour, for as long as it is waited for.
    pub async fn prune_now_and_then(&self) -> Infallible {
        loop {
            let store = self.clone();
            let pruned = actix_web::web::block(move || store.make_root().and_then(|()| store.prune(SystemTime::now()))).await;
            if let Ok(Err(error)) = pruned {
                tracing::error!(%error, "old uploads cannot be removed");
            }
            tokio::time::sleep(PRUNE_EVERY).await;
        }
    }

    /// Where an owner's uploads lie; none for a name that no key has.
    fn folder(&self, owner: &str) -> Option<PathBuf> {
        // Names of keys are names of folders too.
        let name = match owner {
            "" => NOBODY,
            owner if sandbox::is_name(owner) && !owner.starts_with(NOBODY) => owner,
            _ => return None,
        };
        Some(self.root.join(name))
    }
}

/// The bytes of the picture that a file is. RFC 7578 has done away with transfer encodings, and of those that are still sent only base64
/// changes bytes that are not text; what is a picture as it stands is none.
fn bytes_of(file: SentFile) -> Vec<u8> {
    let is_base64 = file.transfer_encoding.trim().eq_ignore_ascii_case("base64") && !given_picture::is_picture(&file.bytes);
    let decoded = is_base64.then(|| picture_text::of_base64(&file.bytes).ok()).flatten();
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
    /// Decodes, encodes, stages, makes room and renames.
    fn store(&self, folder: &Path, stem: &str, file: Vec<u8>) -> Result<Upload, UploadError> {
        let picture = given_picture::read(file).map_err(|error| UploadError::NotAPicture(error.kind()))?;
        let picture = match picture.color().has_alpha() {
            true => DynamicImage::from(picture.into_rgba8()),
            false => DynamicImage::from(picture.into_rgb8()),
        };
        let (width, height) = (picture.width(), picture.height());
        self.make_root()?;
        fs::create_dir(folder).or_else(|error| if error.kind() == io::ErrorKind::AlreadyExists { Ok(()) } else { Err(error) })?;
        let staged = tempfile::Builder::new().prefix(STAGED).tempfile_in(folder)?;
        let mut writer = BufWriter::new(staged.as_file());
        picture
            .write_to(&mut writer, ImageFormat::Png)
            .map_err(|error| if let ImageError::IoError(error) = error { error } else { io::Error::other(error) })?;
        writer.into_inner().map_err(|error| UploadError::Store(error.into_error()))?;
        staged.as_file().sync_all()?;
        let length = staged.as_file().metadata()?.len();
        let limit = self.limits.owner_bytes.min(self.limits.total_bytes);
        if length > limit {
            return Err(UploadError::TooMuch { bytes: length, limit });
        }
        // Held until the file is there, or two that come at once would both find the same room.
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
