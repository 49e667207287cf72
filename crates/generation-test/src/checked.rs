//! Jobs whose store is checked when a test drops them: the rows against each other, and the files against the rows.
//!
//! It reads the database and the folder directly, so that a fault in the store's own queries cannot hide another. It changes neither.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    ops::Deref,
    path::{Path, PathBuf},
    sync::Arc,
};

use generation::{
    Backend, LocalBackend,
    jobs::{Jobs, JobsSettings, StoreError},
};
use rusqlite::Connection;
use sha2::{Digest as _, Sha256};

/// [`Jobs`] as every test opens them. Dropping them panics if the store is inconsistent.
#[derive(Debug)]
pub struct Checked {
    jobs: Jobs,
    /// The folder of the store; `None` if all jobs are held.
    folder: Option<PathBuf>,
    /// Whether the folder may contain files of no job.
    allows_unknown_files: bool,
}

impl Deref for Checked {
    type Target = Jobs;

    fn deref(&self) -> &Jobs {
        &self.jobs
    }
}

impl Checked {
    /// As [`Jobs::open`].
    ///
    /// # Errors
    /// The store cannot be opened.
    pub async fn open(settings: JobsSettings, local: LocalBackend) -> Result<Self, StoreError> {
        Self::open_with(settings, local, Vec::new()).await
    }

    /// As [`Jobs::open_with`].
    ///
    /// # Errors
    /// The store cannot be opened.
    pub async fn open_with(settings: JobsSettings, local: LocalBackend, others: Vec<Arc<dyn Backend>>) -> Result<Self, StoreError> {
        let folder = Some(settings.folder.clone());
        Ok(Self { jobs: Jobs::open_with(settings, local, others).await?, folder, allows_unknown_files: false })
    }

    /// As [`Jobs::held_only`].
    pub fn held_only(settings: JobsSettings, local: LocalBackend) -> Self {
        Self { jobs: Jobs::held_only(settings, local), folder: None, allows_unknown_files: false }
    }

    /// Accepts files without a row, because the test itself created some.
    pub fn allow_unknown_files(&mut self) {
        self.allows_unknown_files = true;
    }
}

impl Drop for Checked {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        let jobs = &self.jobs;
        // On its own runtime, because the test's waits for this drop.
        let rows = std::thread::scope(|scope| {
            let check = || tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(jobs.inconsistencies());
            scope.spawn(check).join().unwrap()
        });
        let mut found = rows.unwrap();
        if let Some(folder) = &self.folder {
            let is_active = |owner: &str, id: &str| jobs.previews(owner, id).is_some();
            found.extend(wrong_files(folder, folder, self.allows_unknown_files, is_active));
        }
        assert!(found.is_empty(), "{found:#?}");
    }
}

/// Lists the files of `folder` that contradict the rows of the database in `database`, one sentence each.
fn wrong_files(folder: &Path, database: &Path, allows_unknown_files: bool, is_active: impl Fn(&str, &str) -> bool) -> Vec<String> {
    let artifacts = folder.join("artifacts");
    // Read before the rows, because a file is in place before its row exists.
    let on_disk = files(&artifacts);
    let database = Connection::open(database.join("jobs.sqlite")).unwrap();
    let has_tables = "SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE name = 'jobs')";
    if !database.query_row(has_tables, [], |row| row.get::<_, bool>(0)).unwrap() {
        // The program was killed before it made the tables.
        return on_disk.into_iter().map(|(job, name)| format!("{job}/{name} has no row")).collect();
    }
    let mut select = database.prepare("SELECT id, owner, state IN ('queued', 'running') FROM jobs").unwrap();
    let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, (row.get(1)?, row.get(2)?)));
    let jobs: BTreeMap<String, (String, bool)> = select.query_map([], read).unwrap().map(Result::unwrap).collect();
    let sql = "SELECT id, name, bytes, sha256 FROM artifacts JOIN jobs ON number = job WHERE removed_at IS NULL";
    let mut select = database.prepare(sql).unwrap();
    let read = |row: &rusqlite::Row<'_>| Ok(((row.get(0)?, row.get(1)?), (row.get(2)?, row.get(3)?)));
    let kept: BTreeMap<(String, String), (i64, String)> = select.query_map([], read).unwrap().map(Result::unwrap).collect();

    let mut found = Vec::new();
    for ((job, name), (bytes, digest)) in &kept {
        match fs::read(artifacts.join(job).join(name)) {
            Ok(content) if i64::try_from(content.len()) == Ok(*bytes) && sha256(&content) == *digest => {}
            Ok(content) => found.push(format!("{job}/{name} has {} bytes, and its content differs from its row", content.len())),
            Err(error) => found.push(format!("{job}/{name}: {error}")),
        }
    }
    for (job, name) in on_disk.into_iter().filter(|file| !kept.contains_key(file)) {
        let may_be = match jobs.get(&job) {
            // Its supervisor has not finished yet, and will remove the file.
            Some((owner, is_open)) => *is_open || is_active(owner, &job),
            None => allows_unknown_files,
        };
        if !may_be && artifacts.join(&job).join(&name).exists() {
            found.push(format!("{job}/{name} has no row"));
        }
    }
    found
}

/// This month's number of provider jobs, and their reserved and spent amounts in millionths of a dollar.
///
/// # Panics
/// The store cannot be read.
pub async fn spend(jobs: &Checked) -> (u64, u64, u64) {
    let usage = jobs.usage(None, jobs.month()).await.unwrap();
    usage.iter().fold((0, 0, 0), |(jobs, reserved, spent), of| (jobs + of.jobs, reserved + of.reserved, spent + of.spent))
}

/// Checks the files that a killed program has left, without changing them.
///
/// # Panics
/// A file and its row contradict each other.
pub fn check_killed(folder: &Path) {
    let copy = tempfile::tempdir().unwrap();
    for name in ["jobs.sqlite", "jobs.sqlite-wal", "jobs.sqlite-journal"] {
        // A program that was killed early has no write-ahead log yet.
        if folder.join(name).exists() {
            fs::copy(folder.join(name), copy.path().join(name)).unwrap();
        }
    }
    let found = wrong_files(folder, copy.path(), false, |_, _| false);
    assert!(found.is_empty(), "{found:#?}");
}

/// All files of jobs, as pairs of job and file name.
fn files(artifacts: &Path) -> BTreeSet<(String, String)> {
    let entries = |folder: &Path| fs::read_dir(folder).into_iter().flatten().map(Result::unwrap).collect::<Vec<_>>();
    let name = |entry: &fs::DirEntry| entry.file_name().into_string().unwrap();
    let mut found = BTreeSet::new();
    for job in entries(artifacts).iter().filter(|entry| entry.path().is_dir()) {
        found.extend(entries(&job.path()).iter().map(|file| (name(job), name(file))));
    }
    found
}

fn sha256(content: &[u8]) -> String {
    Sha256::digest(content).iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}
