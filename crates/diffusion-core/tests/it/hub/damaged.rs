//! Damage in a cache and wrong responses: each is detected, reported and repaired, or refused with nothing kept.

use std::{fs, path::Path};

use diffusion_core::{
    Error,
    hub::{Check, HubEvent, HubSettings},
};

use super::{COMMIT, Fault, HubServer, UNET, blob_of, fetch, fetch_and_hear, ranges, repository, root, server::blob, settings};

const TEXT: &str = "text_encoder/config.json";

/// A cache with the model, and a server without requests so far.
fn filled() -> (HubServer, tempfile::TempDir) {
    let cache = tempfile::tempdir().unwrap();
    fetch(&settings(&HubServer::start(repository(), COMMIT), cache.path())).unwrap();
    (HubServer::start(repository(), COMMIT), cache)
}

/// Damages the blob of a file in place, as a failing disk does.
fn overwrite(cache: &Path, name: &str, bytes: &[u8]) {
    fs::write(blob_of(cache, name), bytes).unwrap();
}

fn is_whole(cache: &Path, name: &str) -> bool {
    fs::read(root(cache).join("snapshots").join(COMMIT).join(name)).is_ok_and(|bytes| bytes == repository()[name])
}

/// The files reported as damaged.
fn damaged(heard: &[HubEvent]) -> Vec<&str> {
    heard.iter().filter_map(|event| if let HubEvent::Damaged { file, .. } = event { Some(&**file) } else { None }).collect()
}

#[test]
fn any_fetch_repairs_a_blob_of_the_wrong_length() {
    for name in [UNET, TEXT] {
        let whole = &repository()[name];
        for wrong in [whole[..whole.len() - 1].to_vec(), Vec::new(), [whole, &b"more"[..]].concat()] {
            let (server, cache) = filled();
            overwrite(cache.path(), name, &wrong);
            let (folder, heard) = fetch_and_hear(&settings(&server, cache.path()), Check::Length);
            folder.unwrap();
            assert!(is_whole(cache.path(), name));
            assert_eq!(damaged(&heard), [name]);
            let HubEvent::Damaged { reason, .. } = &heard[0] else { panic!("{heard:?}") };
            assert_eq!(*reason, format!("it has {} bytes where the hub has {}", wrong.len(), whole.len()));
            // Nothing else was fetched.
            assert_eq!(server.requests().iter().filter(|request| request.path.contains("/resolve/")).count(), 1);
        }
    }
}

#[test]
fn a_content_check_repairs_a_blob_of_the_right_length() {
    for name in [UNET, TEXT] {
        let (server, cache) = filled();
        let mut flipped = repository()[name].clone();
        flipped[10] ^= 1;
        for wrong in [flipped, vec![0; repository()[name].len()]] {
            overwrite(cache.path(), name, &wrong);
            let (folder, heard) = fetch_and_hear(&settings(&server, cache.path()), Check::Content);
            folder.unwrap();
            assert!(is_whole(cache.path(), name));
            assert_eq!(damaged(&heard), [name]);
            assert_eq!(fetch_and_hear(&settings(&server, cache.path()), Check::Content).1, []);
        }
    }
}

#[test]
fn a_damaged_file_in_a_snapshot_without_links_is_fetched_again() {
    let (server, cache) = filled();
    let pointer = root(cache.path()).join("snapshots").join(COMMIT).join(UNET);
    fs::remove_file(&pointer).unwrap();
    fs::rename(blob_of(cache.path(), UNET), &pointer).unwrap();
    fs::write(&pointer, b"short").unwrap();
    let (folder, heard) = fetch_and_hear(&settings(&server, cache.path()), Check::Length);
    folder.unwrap();
    assert_eq!(damaged(&heard), [UNET]);
    assert!(is_whole(cache.path(), UNET));
    // If the blob is whole beside it, without a request.
    fs::remove_file(&pointer).unwrap();
    fs::write(&pointer, b"short").unwrap();
    let before = ranges(&server.requests()).len();
    fetch(&settings(&server, cache.path())).unwrap();
    assert!(is_whole(cache.path(), UNET));
    assert_eq!(ranges(&server.requests()).len(), before);
}

#[test]
fn a_dangling_link_is_replaced_and_a_folder_is_an_error() {
    let (server, cache) = filled();
    fs::remove_file(blob_of(cache.path(), UNET)).unwrap();
    std::os::unix::fs::symlink("/nowhere/at/all", blob_of(cache.path(), UNET)).unwrap();
    fetch(&settings(&server, cache.path())).unwrap();
    assert!(is_whole(cache.path(), UNET));
    fs::remove_file(blob_of(cache.path(), UNET)).unwrap();
    fs::create_dir(blob_of(cache.path(), UNET)).unwrap();
    let error = fetch(&settings(&server, cache.path())).unwrap_err();
    assert!(matches!(&error, Error::Io { path, .. } if *path == blob_of(cache.path(), UNET)), "{error}");
}

#[test]
fn leftovers_of_an_earlier_download_are_verified_by_the_digest() {
    let unet = &repository()[UNET];
    let zeros = vec![0; unet.len()];
    let wrong: Vec<u8> = unet[..2_000_000].iter().map(|byte| byte ^ 1).collect();
    let tail = [&unet[..2_000_001], &zeros[2_000_001..]].concat();
    let wrong_and_right = [&wrong[..], &unet[2_000_000..]].concat();
    // The leftover, and the requested ranges. There are no zeros at the positions where the valid parts end.
    let table: [(&[u8], &[&str]); 5] =
        [(&zeros, &[""]), (&tail, &["bytes=2000001-"]), (unet, &[]), (&wrong, &["bytes=2000000-", ""]), (&wrong_and_right, &[""])];
    assert!(unet[2_000_000] != 0 && unet.last() != Some(&0));
    for (left, asked) in table {
        let server = HubServer::start(repository(), COMMIT);
        let cache = tempfile::tempdir().unwrap();
        fs::create_dir_all(root(cache.path()).join("blobs")).unwrap();
        fs::write(blob_of(cache.path(), UNET).with_extension("incomplete"), left).unwrap();
        fetch(&settings(&server, cache.path())).unwrap();
        assert!(is_whole(cache.path(), UNET));
        assert_eq!(ranges(&server.requests()), asked);
    }
}

#[test]
fn wrong_content_of_a_mirror_is_detected_and_not_kept() {
    let pages: [(Fault, &str); 3] =
        [(Fault::OtherBytes, "does not match the digest"), (Fault::Page, "of text/html"), (Fault::Encoded, "encoded as gzip")];
    for name in [UNET, TEXT] {
        for (fault, words) in &pages {
            let server = HubServer::start(repository(), COMMIT);
            server.fault(name, 1, fault.clone());
            let cache = tempfile::tempdir().unwrap();
            let reason = fetch(&settings(&server, cache.path())).unwrap_err().to_string();
            assert!(reason.contains(name) && reason.contains(words), "{reason}");
            let blobs = fs::read_dir(root(cache.path()).join("blobs")).unwrap();
            let kept =
                blobs.filter(|file| file.as_ref().unwrap().file_name().to_string_lossy().starts_with(&blob(name, &repository()[name])));
            assert_eq!(kept.count(), 0, "{fault:?}");
            // The next response is right.
            fetch(&settings(&server, cache.path())).unwrap();
            assert!(is_whole(cache.path(), name));
        }
    }
}

#[test]
fn a_page_instead_of_the_rest_does_not_discard_the_partial_file() {
    let server = HubServer::start(repository(), COMMIT);
    server.fault(UNET, 1, Fault::BreakAfter(1_500_000));
    server.fault(UNET, 2, Fault::Page);
    let cache = tempfile::tempdir().unwrap();
    assert!(fetch(&settings(&server, cache.path())).unwrap_err().to_string().contains("text/html"));
    fetch(&settings(&server, cache.path())).unwrap();
    assert_eq!(ranges(&server.requests()).last().map(String::as_str), Some("bytes=1500000-"));
    assert!(is_whole(cache.path(), UNET));
}

#[test]
fn a_wrong_range_leads_to_a_fetch_of_the_whole_file() {
    // Ranges that start elsewhere, refused ranges, and a rest with different content.
    for fault in [Fault::OtherRange(5), Fault::NoSuchRange, Fault::OtherBytes] {
        let server = HubServer::start(repository(), COMMIT);
        server.fault(UNET, 1, Fault::BreakAfter(1_500_000));
        server.fault(UNET, 2, fault.clone());
        let cache = tempfile::tempdir().unwrap();
        fetch(&settings(&server, cache.path())).unwrap();
        assert!(is_whole(cache.path(), UNET));
        assert_eq!(ranges(&server.requests()), ["", "bytes=1500000-", ""], "{fault:?}");
    }
}

#[test]
fn a_response_without_a_length_may_be_whole_or_interrupted() {
    let server = HubServer::start(repository(), COMMIT);
    server.fault(TEXT, 1, Fault::NoLength(None));
    server.fault(UNET, 1, Fault::NoLength(Some(1_500_000)));
    let cache = tempfile::tempdir().unwrap();
    fetch(&settings(&server, cache.path())).unwrap();
    assert!(is_whole(cache.path(), TEXT) && is_whole(cache.path(), UNET));
    assert_eq!(ranges(&server.requests()), ["", "bytes=1500000-"]);
}

#[test]
fn offline_a_damaged_file_is_reported_and_never_loaded() {
    let (server, cache) = filled();
    let offline = HubSettings { offline: true, ..settings(&server, cache.path()) };
    fetch_and_hear(&offline, Check::Content).0.unwrap();
    let pointer = root(cache.path()).join("snapshots").join(COMMIT).join(UNET);

    // A changed byte, which only a content check finds.
    let mut flipped = repository()[UNET].clone();
    flipped[10] ^= 1;
    overwrite(cache.path(), UNET, &flipped);
    fetch(&offline).unwrap();
    let error = fetch_and_hear(&offline, Check::Content).0.unwrap_err();
    assert!(matches!(&error, Error::File { file, reason } if *file == pointer && reason.contains("SHA-256")), "{error}");

    // A wrong length, which every load finds.
    overwrite(cache.path(), UNET, b"short");
    for check in [Check::Length, Check::Content] {
        let error = fetch_and_hear(&offline, check).0.unwrap_err();
        assert!(matches!(&error, Error::File { file, reason } if *file == pointer && reason.contains("5 bytes")), "{error}");
    }
    // Without a list of digests, the files cannot be verified.
    fs::remove_dir_all(root(cache.path()).join("trees")).unwrap();
    fetch(&offline).unwrap();
    assert!(fetch_and_hear(&offline, Check::Content).0.unwrap_err().to_string().contains("cannot be verified"));
    assert!(server.requests().is_empty());
}

#[test]
fn a_damaged_or_unsafe_listing_in_the_cache_is_ignored() {
    let (server, cache) = filled();
    let list = root(cache.path()).join("trees").join(format!("{COMMIT}.json"));
    let text = fs::read_to_string(&list).unwrap();
    let offline = HubSettings { offline: true, ..settings(&server, cache.path()) };
    for bad in
        ["", "{", "[]", &text.replace("\"format_version\": 1", "\"format_version\": 2"), &text.replace("README.md", "../../README.md")]
    {
        fs::write(&list, bad).unwrap();
        fetch(&offline).unwrap();
        fetch(&settings(&server, cache.path())).unwrap();
        assert_eq!(fs::read_to_string(&list).unwrap(), text, "rewritten");
    }
}
