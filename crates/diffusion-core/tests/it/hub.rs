//! Fetching models from a fake hub on loopback: the cache's layout, resuming, the token, offline use, and refusals.

mod damaged;
mod server;
mod shared;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use diffusion_core::{
    Error,
    hub::{Check, HubEvent, HubProgress, HubSettings, fetch_model},
};
use serde_json::json;

use server::{Fault, HubServer, Request};

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
const UNET: &str = "unet/diffusion_pytorch_model.safetensors";

/// A repository with all files that a model needs, and more; the UNet's weights are 3.5 MB, so that they take several ranges.
fn repository() -> BTreeMap<String, Vec<u8>> {
    let index = json!({
        "_class_name": "StableDiffusionPipeline",
        "scheduler": ["diffusers", "PNDMScheduler"],
        "text_encoder": ["transformers", "CLIPTextModel"],
        "tokenizer": ["transformers", "CLIPTokenizer"],
        "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", "AutoencoderKL"],
    });
    let big: Vec<u8> = (0..3_500_000_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let small = |name: &str| (name.to_owned(), format!("{{\"file\":\"{name}\"}}").into_bytes());
    let mut files: BTreeMap<_, _> = [
        "scheduler/scheduler_config.json",
        "text_encoder/config.json",
        "tokenizer/vocab.json",
        "tokenizer/merges.txt",
        "unet/config.json",
        "vae/config.json",
        "text_encoder/model.safetensors",
        "vae/diffusion_pytorch_model.bin",
        // Not needed.
        "README.md",
        "text_encoder/pytorch_model.bin",
        "unet/diffusion_pytorch_model.fp16.safetensors",
        "safety_checker/model.safetensors",
    ]
    .into_iter()
    .map(small)
    .collect();
    files.insert("model_index.json".into(), index.to_string().into_bytes());
    files.insert(UNET.into(), big);
    files
}

const WANTED: usize = 10;

fn settings(server: &HubServer, cache: &Path) -> HubSettings {
    HubSettings { endpoint: Some(server.address()), cache_dir: Some(cache.into()), ..HubSettings::default() }
}

fn fetch(settings: &HubSettings) -> Result<PathBuf, Error> {
    fetch_revision(settings, None)
}

fn fetch_revision(settings: &HubSettings, revision: Option<&str>) -> Result<PathBuf, Error> {
    fetch_model("someone/tiny", revision, settings, Check::Length, &mut |_| {})
}

/// The events of a fetch, except progress.
fn fetch_and_hear(settings: &HubSettings, check: Check) -> (Result<PathBuf, Error>, Vec<HubEvent>) {
    let mut heard = Vec::new();
    let folder = fetch_model("someone/tiny", None, settings, check, &mut |event| {
        if !matches!(event, HubEvent::Progress(_)) {
            heard.push(event);
        }
    });
    (folder, heard)
}

/// The repository's folder in a cache.
fn root(cache: &Path) -> PathBuf {
    cache.join("models--someone--tiny")
}

/// The path of a file's blob in the cache.
fn blob_of(cache: &Path, name: &str) -> PathBuf {
    root(cache).join("blobs").join(server::blob(name, &repository()[name]))
}

/// The requested ranges of the UNet's file.
fn ranges(requests: &[Request]) -> Vec<String> {
    let wanted = requests.iter().filter(|request| request.method == "GET" && request.path.ends_with(UNET));
    wanted.map(|request| request.headers.get("range").cloned().unwrap_or_default()).collect()
}

#[test]
fn a_model_is_fetched_once_into_the_caches_layout() {
    let server = HubServer::start(repository(), COMMIT);
    let cache = tempfile::tempdir().unwrap();
    let mut seen = Vec::<HubProgress>::new();
    let mut hear = |event| {
        if let HubEvent::Progress(progress) = event {
            seen.push(progress);
        }
    };
    let folder = fetch_model("someone/tiny", None, &settings(&server, cache.path()), Check::Length, &mut hear).unwrap();

    let root = root(cache.path());
    assert_eq!(folder, root.join("snapshots").join(COMMIT));
    assert_eq!(std::fs::read_to_string(root.join("refs/main")).unwrap(), COMMIT);
    let files = repository();
    assert_eq!(std::fs::read(folder.join(UNET)).unwrap(), files[UNET]);
    assert!(folder.join(UNET).symlink_metadata().unwrap().is_symlink());
    assert_eq!(std::fs::read_link(folder.join("model_index.json")).unwrap().components().count(), 4);
    assert_eq!(std::fs::read_dir(root.join("blobs")).unwrap().count(), WANTED);
    assert!(!folder.join("README.md").exists() && !folder.join("text_encoder/pytorch_model.bin").exists());

    // Progress only grows, and reaches the total.
    let last = seen.last().unwrap();
    assert_eq!((last.files_done, last.files_total), (WANTED, WANTED));
    let unet: Vec<_> = seen.iter().filter(|progress| progress.file == UNET).collect();
    assert!(unet.len() > 3 && unet.windows(2).all(|pair| pair[0].file_bytes <= pair[1].file_bytes));
    assert!(unet.iter().all(|progress| progress.file_total == 3_500_000));
    assert_eq!((unet[0].file_bytes, unet.last().unwrap().file_bytes), (0, 3_500_000));

    // The second time, the hub is asked for the commit and the list, but for no file.
    let before = server.requests().len();
    assert_eq!(fetch(&settings(&server, cache.path())).unwrap(), folder);
    assert!(server.requests()[before..].iter().all(|request| request.path.starts_with("/api/")));
}

#[test]
fn an_interrupted_transfer_resumes_where_it_stopped() {
    let server = HubServer::start(repository(), COMMIT);
    server.fault(UNET, 1, Fault::BreakAfter(1_500_000));
    let cache = tempfile::tempdir().unwrap();
    let folder = fetch(&settings(&server, cache.path())).unwrap();
    assert_eq!(std::fs::read(folder.join(UNET)).unwrap(), repository()[UNET]);
    assert_eq!(ranges(&server.requests()), ["", "bytes=1500000-"]);
}

#[test]
fn a_failed_fetch_is_resumed_by_the_next_and_never_seems_complete() {
    let server = HubServer::start(repository(), COMMIT);
    server.fault(UNET, 1, Fault::BreakAfter(1_500_000));
    for request in 2..20 {
        server.fault(UNET, request, Fault::BreakAfter(0));
    }
    let cache = tempfile::tempdir().unwrap();
    let error = fetch(&settings(&server, cache.path())).unwrap_err();
    assert!(matches!(error, Error::Hub { .. }), "{error}");
    let blobs = std::fs::read_dir(root(cache.path()).join("blobs")).unwrap().map(|entry| entry.unwrap().path());
    let incomplete: Vec<_> = blobs.filter(|path| path.extension().is_some_and(|extension| extension == "incomplete")).collect();
    // The name by which older clients find it, including Python's.
    assert_eq!(incomplete, [blob_of(cache.path(), UNET).with_extension("incomplete")]);
    assert_eq!(incomplete[0].metadata().unwrap().len(), 1_500_000);
    assert!(!root(cache.path()).join("snapshots").join(COMMIT).join(UNET).exists());
    let offline = HubSettings { offline: true, ..settings(&server, cache.path()) };
    assert!(fetch(&offline).unwrap_err().to_string().contains("offline"));

    server.clear_faults();
    let before = server.requests().len();
    let folder = fetch(&settings(&server, cache.path())).unwrap();
    assert_eq!(std::fs::read(folder.join(UNET)).unwrap(), repository()[UNET]);
    assert_eq!(ranges(&server.requests()[before..]), ["bytes=1500000-"]);
    assert!(!incomplete[0].exists());
}

#[test]
fn a_failing_server_or_one_without_ranges_is_tolerated() {
    let server = HubServer::start(repository(), COMMIT);
    server.fault(UNET, 1, Fault::Status(503));
    server.fault("model_index.json", 1, Fault::Status(500));
    server.fault(UNET, 2, Fault::BreakAfter(1_500_000));
    server.fault(UNET, 3, Fault::IgnoreRange);
    let cache = tempfile::tempdir().unwrap();
    let folder = fetch(&settings(&server, cache.path())).unwrap();
    assert_eq!(std::fs::read(folder.join(UNET)).unwrap(), repository()[UNET]);
}

#[test]
fn offline_makes_no_request_and_names_the_missing_file() {
    let server = HubServer::start(repository(), COMMIT);
    let cache = tempfile::tempdir().unwrap();
    let offline = HubSettings { offline: true, ..settings(&server, cache.path()) };
    let reason = fetch(&offline).unwrap_err().to_string();
    assert!(reason.contains("offline") && reason.contains("does not hold"), "{reason}");
    let folder = fetch(&settings(&server, cache.path())).unwrap();
    let before = server.requests().len();
    assert_eq!(fetch(&offline).unwrap(), folder);
    assert_eq!(fetch_revision(&offline, Some(COMMIT)).unwrap(), folder);
    assert!(fetch_revision(&offline, Some("other")).is_err());
    std::fs::remove_file(folder.join("vae/config.json")).unwrap();
    let reason = fetch(&offline).unwrap_err().to_string();
    assert!(reason.contains("vae/config.json"), "{reason}");
    assert_eq!(server.requests().len(), before);
}

#[test]
fn an_unreachable_hub_leaves_the_cache() {
    let cache = tempfile::tempdir().unwrap();
    let server = HubServer::start(repository(), COMMIT);
    let settings = settings(&server, cache.path());
    let folder = fetch(&settings).unwrap();
    drop(server);
    assert_eq!(fetch(&settings).unwrap(), folder);
    let empty = tempfile::tempdir().unwrap();
    let reason = fetch(&HubSettings { cache_dir: Some(empty.path().into()), ..settings }).unwrap_err().to_string();
    assert!(reason.contains("cannot reach the hub"), "{reason}");
}

#[test]
fn the_token_goes_only_to_the_endpoints_host() {
    let storage = HubServer::start(repository(), COMMIT);
    let server = HubServer::start(repository(), COMMIT);
    server.fault(UNET, 1, Fault::RedirectTo(storage.address()));
    let cache = tempfile::tempdir().unwrap();
    let settings = HubSettings { token: Some("hf_secret".into()), ..settings(&server, cache.path()) };
    assert!(!format!("{settings:?}").contains("hf_secret"));
    fetch(&settings).unwrap();
    let authorization = |request: &Request| request.headers.get("authorization").cloned();
    assert!(server.requests().iter().all(|request| authorization(request).as_deref() == Some("Bearer hf_secret")));
    assert!(!storage.requests().is_empty());
    assert!(storage.requests().iter().all(|request| authorization(request).is_none()));

    let without = tempfile::tempdir().unwrap();
    let before = server.requests().len();
    fetch(&HubSettings { token: None, cache_dir: Some(without.path().into()), ..settings }).unwrap();
    assert!(server.requests()[before..].iter().all(|request| authorization(request).is_none()));
}

#[test]
fn refusals_say_what_to_do() {
    let cache = tempfile::tempdir().unwrap();
    for (status, code, words) in [
        (401, None, "set HF_TOKEN"),
        (404, Some("RepoNotFound"), "set HF_TOKEN"),
        (404, None, "no revision \"main\""),
        (403, None, "gated"),
    ] {
        let server = HubServer::start(repository(), COMMIT);
        server.refuse(status, code);
        let error = fetch(&settings(&server, cache.path())).unwrap_err();
        assert!(matches!(&error, Error::Hub { repo, .. } if repo == "someone/tiny"));
        assert!(error.to_string().contains(words), "{status}: {error}");
    }
}

#[test]
fn unsafe_names_are_refused() {
    for name in ["../../../outside", "/etc/outside", "unet/..\\outside"] {
        let mut files = repository();
        files.insert(name.into(), b"evil".to_vec());
        let server = HubServer::start(files, COMMIT);
        let cache = tempfile::tempdir().unwrap();
        let reason = fetch(&settings(&server, cache.path())).unwrap_err().to_string();
        assert!(reason.contains("no safe name"), "{reason}");
        assert_eq!(std::fs::read_dir(cache.path()).unwrap().count(), 0);
    }
    // A commit is also used as a folder's name.
    let server = HubServer::start(repository(), "../../up");
    let cache = tempfile::tempdir().unwrap();
    assert!(fetch(&settings(&server, cache.path())).unwrap_err().to_string().contains("no commit"));
    for id in ["", "a/b/c", "../b", "a/..", "a b/c", "a--b/c", "a/"] {
        assert!(fetch_model(id, None, &settings(&server, cache.path()), Check::Length, &mut |_| {}).is_err(), "{id:?}");
    }
    assert!(fetch_model("a/b", Some("../main"), &settings(&server, cache.path()), Check::Length, &mut |_| {}).is_err());
}

#[test]
fn another_kind_of_model_is_refused_before_its_weights_are_fetched() {
    let mut files = repository();
    files.insert("model_index.json".into(), br#"{"_class_name": "StableDiffusion3Pipeline"}"#.to_vec());
    let server = HubServer::start(files, COMMIT);
    let cache = tempfile::tempdir().unwrap();
    let error = fetch(&settings(&server, cache.path())).unwrap_err();
    assert!(error.to_string().contains("StableDiffusion3Pipeline"), "{error}");
    assert!(!server.requests().iter().any(|request| request.path.contains("safetensors")));
}
