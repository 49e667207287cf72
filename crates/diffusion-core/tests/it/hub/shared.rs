//! One cache shared by several clients: names and locks as Python's huggingface_hub 1.33 and 2.4 write them, leftovers of different
//! clients, and concurrent fetches. These tests write Python's files by hand; `scripts/check-hub` runs both clients side by side.

use std::{
    fs::{self, File},
    path::Path,
    time::{Duration, SystemTime},
};

use diffusion_core::hub::{Check, HubEvent};
use serde_json::Value;

use super::{
    COMMIT, HubServer, UNET, WANTED, blob_of, fetch, fetch_and_hear, ranges, repository, root,
    server::{blob, git_blob},
    settings,
};

const TEXT: &str = "text_encoder/config.json";

/// Fills a cache with every file of the repository, as Python's client does; `linked` is false if it cannot make links.
fn filled_by_python(cache: &Path, linked: bool) {
    let root = root(cache);
    for folder in ["blobs", "refs"] {
        fs::create_dir_all(root.join(folder)).unwrap();
    }
    fs::write(root.join("refs/main"), COMMIT).unwrap();
    for (name, bytes) in repository() {
        let pointer = root.join("snapshots").join(COMMIT).join(&name);
        fs::create_dir_all(pointer.parent().unwrap()).unwrap();
        if linked {
            let blob = blob(&name, &bytes);
            fs::write(root.join("blobs").join(&blob), bytes).unwrap();
            let up = "../".repeat(name.split('/').count() + 1);
            std::os::unix::fs::symlink(format!("{up}blobs/{blob}"), pointer).unwrap();
        } else {
            fs::write(pointer, bytes).unwrap();
        }
    }
}

/// Makes a file look as if it had not been written to for an hour.
fn rest(file: &Path) {
    File::options().write(true).open(file).unwrap().set_modified(SystemTime::now() - Duration::from_secs(3600)).unwrap();
}

/// Number of requested files.
fn fetched(server: &HubServer) -> usize {
    server.requests().iter().filter(|request| request.path.contains("/resolve/")).count()
}

#[test]
fn names_match_pythons_client() {
    let server = HubServer::start(repository(), COMMIT);
    let cache = tempfile::tempdir().unwrap();
    let folder = fetch(&settings(&server, cache.path())).unwrap();
    let root = root(cache.path());

    for name in [UNET, TEXT, "model_index.json"] {
        let blob = blob(name, &repository()[name]);
        assert_eq!(blob.len(), if name == UNET { 64 } else { 40 });
        let up = "../".repeat(name.split('/').count() + 1);
        assert_eq!(fs::read_link(folder.join(name)).unwrap().to_str().unwrap(), format!("{up}blobs/{blob}"));
        let lock = cache.path().join(".locks/models--someone--tiny").join(format!("{blob}.lock")).metadata().unwrap();
        assert_eq!((lock.len(), std::os::unix::fs::PermissionsExt::mode(&lock.permissions()) & 0o777), (0, 0o664));
    }
    let tag = fs::read_to_string(cache.path().join("CACHEDIR.TAG")).unwrap();
    assert!(
        tag.starts_with("Signature: 8a477f597d28d172789f06886806bc55\n# This file is a cache directory tag created by huggingface_hub.")
    );

    // Markers for optional files that the repository lacks, and no others.
    let absent = root.join(".no_exist").join(COMMIT).join("tokenizer");
    let mut names: Vec<_> = fs::read_dir(&absent).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names, ["added_tokens.json", "special_tokens_map.json", "tokenizer.json", "tokenizer_config.json"]);
    assert_eq!(absent.join("tokenizer.json").metadata().unwrap().len(), 0);

    // The listing of both pages, as `json.dump(.., indent=1)` writes it.
    let text = fs::read_to_string(root.join("trees").join(format!("{COMMIT}.json"))).unwrap();
    let readme = &repository()["README.md"];
    let first = format!(
        "{{\n \"format_version\": 1,\n \"files\": {{\n  \"README.md\": {{\n   \"size\": {},\n   \"blob_id\": \"{}\"\n  }},\n",
        readme.len(),
        git_blob("README.md", readme)
    );
    assert!(text.starts_with(&first), "{text}");
    let listing: Value = serde_json::from_str(&text).unwrap();
    let unet = &listing["files"][UNET];
    assert_eq!(listing["files"].as_object().unwrap().len(), repository().len());
    assert_eq!((unet["lfs_sha256"].as_str(), unet["lfs_size"].as_u64()), (Some(&*blob(UNET, &repository()[UNET])), Some(3_500_000)));
    assert_eq!(
        (unet["blob_id"].as_str(), unet["xet_hash"].as_str()),
        (Some(&*git_blob(UNET, &repository()[UNET])), Some(&*"c".repeat(64)))
    );
    // No files are left over.
    assert_eq!(fs::read_dir(root.join("refs")).unwrap().count(), 1);
    assert_eq!(fs::read_dir(root.join("blobs")).unwrap().count(), WANTED);
}

#[test]
fn files_fetched_by_python_are_not_fetched_again() {
    for linked in [true, false] {
        let server = HubServer::start(repository(), COMMIT);
        let cache = tempfile::tempdir().unwrap();
        filled_by_python(cache.path(), linked);
        fetch(&settings(&server, cache.path())).unwrap();
        let (verified, heard) = fetch_and_hear(&settings(&server, cache.path()), Check::Content);
        verified.unwrap();
        assert_eq!((fetched(&server), heard), (0, Vec::new()), "linked: {linked}");
    }
    // The blobs exist, from another commit, but the snapshot does not.
    let server = HubServer::start(repository(), COMMIT);
    let cache = tempfile::tempdir().unwrap();
    filled_by_python(cache.path(), true);
    fs::remove_dir_all(root(cache.path()).join("snapshots")).unwrap();
    let folder = fetch(&settings(&server, cache.path())).unwrap();
    assert_eq!(fs::read(folder.join(UNET)).unwrap(), repository()[UNET]);
    assert_eq!(fetched(&server), 0);
}

#[test]
fn a_blob_in_pythons_shared_store_is_used_and_never_overwritten() {
    let server = HubServer::start(repository(), COMMIT);
    let cache = tempfile::tempdir().unwrap();
    filled_by_python(cache.path(), true);
    let store = cache.path().join("blobs/cc").join("c".repeat(64));
    fs::create_dir_all(store.parent().unwrap()).unwrap();
    fs::rename(blob_of(cache.path(), UNET), &store).unwrap();
    std::os::unix::fs::symlink(format!("../../blobs/cc/{}", "c".repeat(64)), blob_of(cache.path(), UNET)).unwrap();
    fetch(&settings(&server, cache.path())).unwrap();
    assert_eq!(fetched(&server), 0);

    fs::write(&store, b"short").unwrap();
    let folder = fetch(&settings(&server, cache.path())).unwrap();
    assert_eq!(fs::read(folder.join(UNET)).unwrap(), repository()[UNET]);
    assert_eq!(fs::read(store).unwrap(), b"short");
}

#[test]
fn partial_files_of_any_client_are_resumed() {
    let unet = &repository()[UNET];
    let (sha, git) = (blob(UNET, unet), git_blob(UNET, unet));
    // Older Python clients and this program; Python since 1.33, killed just now or long ago; this program when it named blobs by git ids,
    // and this program killed just now.
    let table = [
        (format!("{sha}.incomplete"), false, false),
        (format!("{sha}.1a2b3c4d.incomplete"), false, true),
        (format!("{sha}.5e6f7a8b.incomplete"), true, false),
        (format!("{git}.incomplete"), false, false),
        (format!("{sha}.framewright-1a2b3c4d.incomplete"), false, false),
    ];
    for (name, old, stays) in &table {
        let server = HubServer::start(repository(), COMMIT);
        let cache = tempfile::tempdir().unwrap();
        let blobs = root(cache.path()).join("blobs");
        fs::create_dir_all(&blobs).unwrap();
        // A shorter one, one that is too long, and one of another blob have no effect.
        fs::write(blobs.join(format!("{sha}.00000000.incomplete")), &unet[..10]).unwrap();
        fs::write(blobs.join(format!("{sha}.00000001.incomplete")), [&unet[..], b"more"].concat()).unwrap();
        fs::write(blobs.join("0000.incomplete"), unet).unwrap();
        // Killed before its first byte.
        let empty = blobs.join(format!("{sha}.framewright-00000000.incomplete"));
        File::create(&empty).unwrap();
        let file = blobs.join(name);
        fs::write(&file, &unet[..2_000_001]).unwrap();
        if *old {
            rest(&file);
        }
        let folder = fetch(&settings(&server, cache.path())).unwrap();
        assert_eq!(fs::read(folder.join(UNET)).unwrap(), *unet);
        assert_eq!(ranges(&server.requests()), ["bytes=2000001-"], "{name}");
        assert!(!empty.exists());
        // A file that another machine's client may still write to is not removed; the next fetch removes it once it has not changed for a
        // while.
        assert_eq!(file.exists(), *stays, "{name}");
        if *stays {
            rest(&file);
            fetch(&settings(&server, cache.path())).unwrap();
            assert!(!file.exists());
        }
    }
}

#[test]
fn concurrent_fetches_download_each_file_once() {
    let server = HubServer::start(repository(), COMMIT);
    let cache = tempfile::tempdir().unwrap();
    let settings = settings(&server, cache.path());
    std::thread::scope(|scope| {
        let fetches = [(), (), ()].map(|()| scope.spawn(|| fetch(&settings).unwrap()));
        for fetch in fetches {
            assert_eq!(fs::read(fetch.join().unwrap().join(UNET)).unwrap(), repository()[UNET]);
        }
    });
    assert_eq!(fetched(&server), WANTED);
}

#[test]
fn a_file_that_another_client_is_fetching_is_awaited() {
    let server = HubServer::start(repository(), COMMIT);
    let cache = tempfile::tempdir().unwrap();
    let locks = cache.path().join(".locks/models--someone--tiny");
    fs::create_dir_all(&locks).unwrap();
    let held = locks.join(format!("{}.lock", blob(UNET, &repository()[UNET])));
    let lock = File::create(&held).unwrap();
    lock.lock().unwrap();
    let settings = settings(&server, cache.path());
    let mut lock = Some(lock);
    let mut waited = Vec::new();
    let folder = diffusion_core::hub::fetch_model("someone/tiny", None, &settings, Check::Length, &mut |event| {
        if let HubEvent::Waiting { file } = event {
            waited.push(file);
            // The other client finishes, and removes its lock, as some versions do.
            fs::write(blob_of(cache.path(), UNET), &repository()[UNET]).unwrap();
            fs::remove_file(&held).unwrap();
            lock.take();
        }
    });
    assert_eq!(fs::read(folder.unwrap().join(UNET)).unwrap(), repository()[UNET]);
    assert_eq!((waited, ranges(&server.requests()).len()), (vec![UNET.to_owned()], 0));
    assert!(held.exists(), "locked again, on a file that others see");
}

#[test]
fn a_cache_of_an_older_version_loads_and_gets_todays_names() {
    let server = HubServer::start(repository(), COMMIT);
    let cache = tempfile::tempdir().unwrap();
    filled_by_python(cache.path(), true);
    // As version 0.1.0 wrote it: every blob by its git id, and no listing. Another commit has the same weights.
    let (root, unet) = (root(cache.path()), &repository()[UNET]);
    let weights: Vec<_> = repository().into_iter().filter(|(name, _)| name.ends_with(".safetensors") || name.ends_with(".bin")).collect();
    let other = root.join("snapshots/abc/of/another/weights");
    fs::create_dir_all(other.parent().unwrap()).unwrap();
    for (name, bytes) in &weights {
        fs::rename(root.join("blobs").join(blob(name, bytes)), root.join("blobs").join(git_blob(name, bytes))).unwrap();
        let pointer = root.join("snapshots").join(COMMIT).join(name);
        fs::remove_file(&pointer).unwrap();
        std::os::unix::fs::symlink(format!("../../../blobs/{}", git_blob(name, bytes)), &pointer).unwrap();
    }
    std::os::unix::fs::symlink(format!("../../../../blobs/{}", git_blob(UNET, unet)), &other).unwrap();

    let offline = diffusion_core::hub::HubSettings { offline: true, ..settings(&server, cache.path()) };
    fetch(&offline).unwrap();
    let (folder, heard) = fetch_and_hear(&settings(&server, cache.path()), Check::Length);
    assert_eq!(fs::read(folder.unwrap().join(UNET)).unwrap(), *unet);
    assert_eq!(fetched(&server), 0);
    assert_eq!(heard.iter().filter(|event| matches!(event, HubEvent::Renamed { .. })).count(), 3);
    assert!(blob_of(cache.path(), UNET).is_file() && !root.join("blobs").join(git_blob(UNET, unet)).exists());
    assert_eq!(fs::read(other).unwrap(), *unet);
    // Only once.
    assert_eq!(fetch_and_hear(&settings(&server, cache.path()), Check::Content).1, Vec::new());

    // A damaged blob does not get a digest as its name.
    let cache = tempfile::tempdir().unwrap();
    filled_by_python(cache.path(), true);
    let root = super::root(cache.path());
    let old = root.join("blobs").join(git_blob(UNET, unet));
    fs::remove_file(blob_of(cache.path(), UNET)).unwrap();
    fs::write(&old, vec![7; unet.len()]).unwrap();
    let pointer = root.join("snapshots").join(COMMIT).join(UNET);
    fs::remove_file(&pointer).unwrap();
    std::os::unix::fs::symlink(format!("../../../blobs/{}", git_blob(UNET, unet)), &pointer).unwrap();
    let (folder, heard) = fetch_and_hear(&settings(&server, cache.path()), Check::Length);
    assert_eq!(fs::read(folder.unwrap().join(UNET)).unwrap(), *unet);
    assert!(matches!(&heard[..], [HubEvent::Damaged { file, .. }] if file == UNET), "{heard:?}");
    assert!(!old.exists());
}

#[test]
fn a_failing_hub_leaves_the_cache() {
    let server = HubServer::start(repository(), COMMIT);
    let cache = tempfile::tempdir().unwrap();
    let folder = fetch(&settings(&server, cache.path())).unwrap();
    server.refuse(503, None);
    assert_eq!(fetch(&settings(&server, cache.path())).unwrap(), folder);
}
