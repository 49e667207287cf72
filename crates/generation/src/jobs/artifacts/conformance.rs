//! The contract tests, run over each artifact store.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::{
    collections::HashSet,
    io,
    path::{Path, PathBuf},
};

use super::{ArtifactReader, ArtifactStore, Content, FolderArtifacts, MemoryArtifacts};
use crate::jobs::scratch::Scratch;

macro_rules! contract {
    ($($scenario:ident),* $(,)?) => {
        mod folder {
            use super::*;
            $(#[tokio::test]
            async fn $scenario() {
                let root = tempfile::tempdir().unwrap();
                super::$scenario(&FolderArtifacts::open(root.path()).unwrap(), root.path()).await;
            })*
        }
        mod memory {
            use super::*;
            $(#[tokio::test]
            async fn $scenario() {
                let root = tempfile::tempdir().unwrap();
                super::$scenario(&MemoryArtifacts::default(), root.path()).await;
            })*
        }
    };
}

contract! {
    a_file_appears_complete_and_replaces_an_older_one,
    a_staged_file_is_moved_and_a_repeated_put_returns_the_same_artifact,
    ranges_are_read_in_chunks_up_to_the_end,
    a_reader_keeps_reading_the_file_that_it_opened,
    names_that_are_not_plain_are_refused,
    only_removed_files_are_gone,
    a_sweep_removes_files_of_known_jobs_that_are_not_kept,
    an_empty_store_has_room,
}

const PNG: &str = "image-0.png";

async fn reader(store: &dyn ArtifactStore, job: &str, name: &str) -> ArtifactReader {
    store.open(job, name).await.unwrap().unwrap()
}

async fn put(store: &dyn ArtifactStore, job: &str, name: &str, bytes: &[u8]) {
    store.put(job, name, "image/png", Content::Bytes(bytes)).await.unwrap();
}

async fn a_file_appears_complete_and_replaces_an_older_one(store: &dyn ArtifactStore, _root: &Path) {
    assert!(store.open("a", PNG).await.unwrap().is_none());
    put(store, "a", PNG, b"an older one").await;
    let artifact = store.put("a", PNG, "image/png", Content::Bytes(b"abc")).await.unwrap();
    assert_eq!((artifact.name.as_str(), artifact.media_type.as_str(), artifact.bytes, artifact.expired), (PNG, "image/png", 3, false));
    // The NIST example digest of "abc".
    assert_eq!(artifact.sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_eq!(reader(store, "a", PNG).await.read_all().await.unwrap(), b"abc");
    assert_eq!(store.jobs_with_files().await.unwrap(), ["a"]);
}

async fn a_staged_file_is_moved_and_a_repeated_put_returns_the_same_artifact(store: &dyn ArtifactStore, root: &Path) {
    let scratch = Scratch::open(root).unwrap();
    let put = |path: &PathBuf| {
        let path = path.clone();
        async move { store.put("a", "video.mp4", "video/mp4", Content::File(path)).await }
    };
    let staged = scratch.begin("a").unwrap().join("video.mp4");
    let missing = put(&staged).await.unwrap_err();
    assert!(missing.to_string().contains("video.mp4"), "{missing}");
    std::fs::write(&staged, vec![7; 200_000]).unwrap();
    let first = put(&staged).await.unwrap();
    assert!(!staged.exists());
    assert_eq!(put(&staged).await.unwrap(), first);
    std::fs::write(&staged, "made again").unwrap();
    let again = put(&staged).await.unwrap();
    assert!(again != first && again.bytes == 10);
    assert_eq!(reader(store, "a", "video.mp4").await.read_all().await.unwrap(), b"made again");
}

async fn ranges_are_read_in_chunks_up_to_the_end(store: &dyn ArtifactStore, _root: &Path) {
    let bytes: Vec<u8> = (0..100_000_u32).map(|index| (index * 7) as u8).collect();
    put(store, "a", PNG, &bytes).await;
    let file = reader(store, "a", PNG).await;
    assert_eq!(file.bytes(), 100_000);
    let mut read = Vec::new();
    while read.len() < bytes.len() {
        read.extend(file.read_at(read.len() as u64, 30_000).await.unwrap());
    }
    assert_eq!(read, bytes);
    assert_eq!(file.read_at(99_990, 11).await.unwrap(), bytes[99_990..]);
    assert!(file.read_at(100_000, 11).await.unwrap().is_empty());
    assert_eq!(file.read_at(100_001, 11).await.unwrap_err().kind(), io::ErrorKind::InvalidInput);
    assert_eq!(file.read_at(u64::MAX, usize::MAX).await.unwrap_err().kind(), io::ErrorKind::InvalidInput);
    put(store, "a", "empty.png", b"").await;
    assert!(reader(store, "a", "empty.png").await.read_all().await.unwrap().is_empty());
}

async fn a_reader_keeps_reading_the_file_that_it_opened(store: &dyn ArtifactStore, _root: &Path) {
    put(store, "a", PNG, b"first").await;
    let first = reader(store, "a", PNG).await;
    put(store, "a", PNG, b"another").await;
    store.remove("a").await.unwrap();
    if cfg!(unix) {
        assert_eq!(first.read_all().await.unwrap(), b"first");
    }
}

async fn names_that_are_not_plain_are_refused(store: &dyn ArtifactStore, _root: &Path) {
    for wrong in ["", ".", "..", ".hidden", "a/b", "../a", "a\\b", "a\0", "ä", "a b", &"x".repeat(65)] {
        for (job, name) in [(wrong, PNG), ("a", wrong)] {
            assert!(store.put(job, name, "image/png", Content::Bytes(b"")).await.is_err(), "{job}/{name}");
            assert!(store.open(job, name).await.unwrap().is_none(), "{job}/{name}");
        }
    }
    for plain in ["video.mp4", PNG, "vid_0123456789ab"] {
        put(store, plain, plain, b"").await;
    }
}

async fn only_removed_files_are_gone(store: &dyn ArtifactStore, _root: &Path) {
    for name in [PNG, "image-1.png"] {
        put(store, "a", name, b"abc").await;
        put(store, "b", name, b"abc").await;
    }
    for _ in 0..2 {
        store.remove_file("a", PNG).await.unwrap();
        assert!(store.open("a", PNG).await.unwrap().is_none());
        assert!(store.open("a", "image-1.png").await.unwrap().is_some());
    }
    store.remove_file("a", "image-1.png").await.unwrap();
    assert_eq!(store.jobs_with_files().await.unwrap(), ["b"]);
    for _ in 0..2 {
        store.remove("b").await.unwrap();
        assert!(store.jobs_with_files().await.unwrap().is_empty());
    }
}

async fn a_sweep_removes_files_of_known_jobs_that_are_not_kept(store: &dyn ArtifactStore, _root: &Path) {
    for job in ["kept", "left", "unknown"] {
        put(store, job, PNG, b"abc").await;
    }
    let known = HashSet::from(["kept", "left"].map(String::from));
    store.sweep(&HashSet::from(["kept".into()]), &known).await.unwrap();
    assert_eq!(store.jobs_with_files().await.unwrap(), ["kept", "unknown"]);
}

async fn an_empty_store_has_room(store: &dyn ArtifactStore, _root: &Path) {
    store.check_room().await.unwrap();
}
