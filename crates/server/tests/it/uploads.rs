//! The store of uploads: ownership and removal.

use std::{
    fs,
    time::{Duration, SystemTime},
};

use actix_web::http::StatusCode;
use image::{ImageFormat, RgbImage};
use server::{
    Problem,
    multipart_file::SentFile,
    uploads::{UploadLimits, UploadStore},
};

fn file() -> SentFile {
    let mut bytes = std::io::Cursor::new(Vec::new());
    RgbImage::from_pixel(5, 3, image::Rgb([9, 8, 7])).write_to(&mut bytes, ImageFormat::Png).unwrap();
    SentFile { bytes: bytes.into_inner(), declared: "image/png".into(), transfer_encoding: String::new() }
}

#[actix_web::test]
async fn an_upload_belongs_to_its_owner() {
    let folder = tempfile::tempdir().unwrap();
    let store = UploadStore::new(folder.path().join("uploads"), UploadLimits::default());
    for owner in ["alice", "bob", ""] {
        let upload = store.save(owner, "character", file()).await.unwrap();
        assert_eq!((upload.width, upload.height), (5, 3));
        assert!(store.open(owner, &upload.name).is_ok(), "{owner:?}");
        for other in ["alice", "bob", "", "_", "..", "alice/../bob"].into_iter().filter(|other| *other != owner) {
            assert!(store.open(other, &upload.name).is_err(), "{owner:?} {other:?}");
        }
    }
    for owner in ["_", "..", "../alice", "a/b", "/tmp"] {
        assert!(store.save(owner, "character", file()).await.is_err(), "{owner:?}");
    }
    let kept: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(kept, ["uploads"], "nothing lies outside");
}

#[actix_web::test]
async fn a_folder_that_was_removed_is_not_created_again() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("uploads");
    let store = UploadStore::new(root.clone(), UploadLimits::default());
    store.save("", "character", file()).await.unwrap();
    fs::rename(&root, folder.path().join("away")).unwrap();
    let error = store.save("", "character", file()).await.unwrap_err();
    assert_eq!(error.to_string(), "the file could not be stored: the data folder is gone");
    assert!(!root.exists());
    fs::rename(folder.path().join("away"), &root).unwrap();
    store.save("", "character", file()).await.unwrap();
}

#[actix_web::test]
async fn old_and_excess_uploads_are_removed() {
    let folder = tempfile::tempdir().unwrap();
    let age = Duration::from_secs(1000);
    let measured = UploadStore::new(folder.path().join("measured"), UploadLimits::default());
    let name = measured.save("", "character", file()).await.unwrap().name;
    let bytes = measured.open("", &name).unwrap().file.metadata().unwrap().len();
    let limits = UploadLimits { age, total_bytes: 2 * bytes, ..UploadLimits::default() };
    let store = UploadStore::new(folder.path().join("uploads"), limits);
    let roomy = UploadStore::new(folder.path().join("uploads"), UploadLimits::default());
    assert_eq!(store.prune(SystemTime::now()).unwrap(), 0, "there is no folder yet");
    let mut names = Vec::new();
    for (owner, seconds) in [("alice", 900), ("bob", 100), ("alice", 10), ("alice", 2000)] {
        let name = roomy.save(owner, "character", file()).await.unwrap().name;
        let opened = store.open(owner, &name).unwrap();
        let written = fs::File::options().write(true).open(opened.path).unwrap();
        written.set_modified(SystemTime::now() - Duration::from_secs(seconds)).unwrap();
        names.push((owner, name));
    }
    let staged = folder.path().join("uploads/alice/.staged-1");
    fs::write(&staged, "left by a server that died").unwrap();
    assert_eq!(store.prune(SystemTime::now()).unwrap(), 2);
    let there: Vec<_> = names.iter().map(|(owner, name)| store.open(owner, name).is_ok()).collect();
    assert_eq!(there, [false, true, true, false]);
    assert!(staged.exists(), "it may still be written");
    assert_eq!(store.prune(SystemTime::now() + Duration::from_secs(4000)).unwrap(), 3);
}

#[actix_web::test]
async fn the_owner_with_the_most_uploads_loses_files_first() {
    let folder = tempfile::tempdir().unwrap();
    let measured = UploadStore::new(folder.path().join("measured"), UploadLimits::default());
    let name = measured.save("", "character", file()).await.unwrap().name;
    let bytes = measured.open("", &name).unwrap().file.metadata().unwrap().len();
    let limits = UploadLimits { total_bytes: 4 * bytes, ..UploadLimits::default() };
    let root = folder.path().join("uploads");
    let count = |owner: &str| fs::read_dir(root.join(owner)).map_or(0, Iterator::count);
    let store = UploadStore::new(root.clone(), limits.shared_by(2));
    let bobs = store.save("bob", "character", file()).await.unwrap().name;
    for _ in 0..6 {
        let last = store.save("alice", "character", file()).await.unwrap().name;
        assert!(store.open("alice", &last).is_ok(), "the newest stays");
        assert!(count("alice") <= 2, "half of the total is the limit");
    }
    assert!(store.open("bob", &bobs).is_ok());
    // Three halves exceed the total: the owner with the most loses files.
    for owner in ["bob", "carol"] {
        store.save(owner, "character", file()).await.unwrap();
    }
    assert_eq!(["alice", "bob", "carol"].map(count).iter().sum::<usize>(), 4);
    assert_eq!(count("carol"), 1);
    assert!(count("alice") >= 1 && count("bob") >= 1);
    // A new store counts the existing files.
    let again = UploadStore::new(root.clone(), limits.shared_by(1));
    for _ in 0..3 {
        again.save("carol", "character", file()).await.unwrap();
    }
    assert_eq!(["alice", "bob", "carol"].map(count).iter().sum::<usize>(), 4);
    let small = UploadStore::new(folder.path().join("small"), UploadLimits { total_bytes: 2 * bytes - 1, ..limits }.shared_by(2));
    let refused = small.save("alice", "character", file()).await.unwrap_err();
    assert_eq!(actix_web::ResponseError::status_code(&Problem::from(refused)), StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(fs::read_dir(folder.path().join("small/alice")).unwrap().count(), 0);
}

#[actix_web::test]
async fn a_store_that_cannot_be_written_is_503_without_a_path() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("uploads"), "no folder").unwrap();
    let store = UploadStore::new(folder.path().join("uploads"), UploadLimits::default());
    let error = store.save("alice", "character", file()).await.unwrap_err();
    let message = error.to_string();
    let response = actix_web::ResponseError::error_response(&Problem::from(error));
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(response.headers().contains_key("retry-after"));
    assert!(message.starts_with("the file could not be stored: ") && !message.contains(folder.path().to_str().unwrap()), "{message}");
}
