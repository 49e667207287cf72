//! Jobs whose whole store is checked when a test drops them: the rows against each other, and the files against the rows. The server's
//! tests include this file, so it must not depend on other tests of either crate.

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

/// Jobs as every test opens them.
#[derive(Debug)]
pub(crate) struct Checked {
    jobs: Jobs,
    /// `None` if there are held jobs only.
    folder: Option<PathBuf>,
    /// Whether there may be files of no known job.
    are_strangers_there: bool,
}

impl Deref for Checked {
    type Target = Jobs;

    fn deref(&self) -> &Jobs {
        &self.jobs
    }
}

#[allow(dead_code, reason = "not every crate that includes this calls all of it")]
impl Checked {
    pub(crate) async fn open(settings: JobsSettings, local: LocalBackend) -> Result<Self, StoreError> {
        Self::open_with(settings, local, Vec::new()).await
    }

    pub(crate) async fn open_with(settings: JobsSettings, local: LocalBackend, others: Vec<Arc<dyn Backend>>) -> Result<Self, StoreError> {
        let folder = Some(settings.folder.clone());
        Ok(Self { jobs: Jobs::open_with(settings, local, others).await?, folder, are_strangers_there: false })
    }

    pub(crate) fn held_only(settings: JobsSettings, local: LocalBackend) -> Self {
        Self { jobs: Jobs::held_only(settings, local), folder: None, are_strangers_there: false }
    }

    /// Permits files without a row, because the test has put them there.
    pub(crate) fn are_among_strangers(&mut self) {
        self.are_strangers_there = true;
    }
}

impl Drop for Checked {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        let jobs = &self.jobs;
        // In a runtime of its own, because the test's runtime is blocked here.
        let rows = std::thread::scope(|scope| {
            let check = || tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(jobs.inconsistencies());
            scope.spawn(check).join().unwrap()
        });
        let mut found = rows.unwrap();
        if let Some(folder) = &self.folder {
            let is_active = |owner: &str, id: &str| jobs.previews(owner, id).is_some();
            found.extend(wrong_files(folder, folder, self.are_strangers_there, is_active));
        }
        assert!(found.is_empty(), "{found:#?}");
    }
}

/// Contradictions between a folder's files and the rows of a database, one sentence each.
fn wrong_files(folder: &Path, database: &Path, are_strangers_there: bool, is_active: impl Fn(&str, &str) -> bool) -> Vec<String> {
    let artifacts = folder.join("artifacts");
    // Read before the rows, because a file is in place before its row says so.
    let on_disk = files(&artifacts);
    let database = Connection::open(database.join("jobs.sqlite")).unwrap();
    let has_tables = "SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE name = 'jobs')";
    if !database.query_row(has_tables, [], |row| row.get::<_, bool>(0)).unwrap() {
        // The program was killed before it had a database.
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
            Ok(content) => found.push(format!("{job}/{name} has {} bytes and is another than its row says", content.len())),
            Err(error) => found.push(format!("{job}/{name}: {error}")),
        }
    }
    for (job, name) in on_disk.into_iter().filter(|file| !kept.contains_key(file)) {
        let may_be = match jobs.get(&job) {
            // A supervisor that is still active will remove it.
            Some((owner, is_open)) => *is_open || is_active(owner, &job),
            None => are_strangers_there,
        };
        if !may_be && artifacts.join(&job).join(&name).exists() {
            found.push(format!("{job}/{name} has no row"));
        }
    }
    found
}

/// Checks the files that a killed program has left, without changing them.
#[allow(dead_code, reason = "as above")]
pub(crate) fn check_killed(folder: &Path) {
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

/// All files of jobs, as (job, name).
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

#[test]
fn every_test_opens_jobs_that_are_checked() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it");
    let sources = |folder: &Path| fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect::<Vec<_>>();
    let mut left = sources(&folder);
    let mut seen = 0;
    while let Some(path) = left.pop() {
        if path.is_dir() {
            left.extend(sources(&path));
        } else if path.file_name().is_some_and(|name| name != "checked.rs") {
            let text = fs::read_to_string(&path).unwrap();
            assert!(!text.contains("Jobs::open") && !text.contains("Jobs::held_only"), "{} opens jobs by itself", path.display());
            seen += 1;
        }
    }
    assert!(seen > 10, "{seen} files");
}
