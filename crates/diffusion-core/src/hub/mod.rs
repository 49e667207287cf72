//! Fetching a model folder from a hub, through `hf-hub`, into the cache that Python's huggingface_hub keeps.
//!
//! Nothing here runs unless it is called, and it reads no environment: whoever stands on the roof fills [`HubSettings`]. `hf-hub` 1.0
//! writes whatever it is sent and starts a broken file again from its first byte; so files are fetched in ranges here, and a file appears
//! in a snapshot only when it is whole. The invariant: names that a server sends are checked before they become paths.
//!
//! The layout is that of <https://huggingface.co/docs/huggingface_hub/guides/manage-cache>.

mod cache;
mod selection;
mod transfer;

use std::{collections::BTreeSet, fmt, path::PathBuf, time::Duration};

use hf_hub::{
    HFClient, HFError, HFRepositorySync,
    repository::{RepoTreeEntry, RepoTypeModel},
};

use crate::{Error, Result, weights};
use cache::RepoCache;

/// Where models are fetched from and kept.
#[derive(Clone, Default)]
pub struct HubSettings {
    /// The hub's address (`HF_ENDPOINT`); `None` is <https://huggingface.co>.
    pub endpoint: Option<String>,
    /// The access token (`HF_TOKEN`), sent to the endpoint's host and to no other.
    pub token: Option<String>,
    /// The cache folder (`HF_HUB_CACHE`, or `hub` inside `HF_HOME`, or `.cache/huggingface/hub` at home). Required: it is never guessed.
    pub cache_dir: Option<PathBuf>,
    /// Use only what the cache holds and make no request (`HF_HUB_OFFLINE`).
    pub offline: bool,
}

impl fmt::Debug for HubSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let token = self.token.as_ref().map(|_| "[redacted]");
        let Self { endpoint, cache_dir, offline, .. } = self;
        f.debug_struct("HubSettings")
            .field("endpoint", endpoint)
            .field("token", &token)
            .field("cache_dir", cache_dir)
            .field("offline", offline)
            .finish()
    }
}

/// How far a fetch has come; told at the start of each file, as its bytes arrive, and at its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HubProgress {
    /// The file, relative to the model ("unet/diffusion_pytorch_model.safetensors").
    pub file: String,
    /// How many of its bytes are here, those of an earlier, broken fetch included; falls back when a range breaks and is asked for again.
    pub file_bytes: u64,
    /// How many it has.
    pub file_total: u64,
    /// How many files are whole.
    pub files_done: usize,
    /// How many the model needs.
    pub files_total: usize,
}

const DEFAULT_ENDPOINT: &str = "https://huggingface.co";
const DEFAULT_REVISION: &str = "main";
const USER_AGENT: &str = concat!("framewright/", env!("CARGO_PKG_VERSION"));
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
/// A connection that sends nothing for so long is taken for broken.
const READ_TIMEOUT: Duration = Duration::from_secs(60);
/// `hf-hub` reads the environment if it is given no token. It cannot put a line break into a header, and then sends none.
const NO_TOKEN: &str = "\n";

/// Fetches what a Stable Diffusion or Stable Video Diffusion model needs of a hub repository: configurations, tokenizer, one format of each weight
/// file (safetensors before .bin, full precision before fp16). Files that the cache holds are not fetched again; a broken one continues
/// where it broke. Blocks the calling thread.
///
/// `repo_id` is `owner/name`; `revision` a branch, a tag or a commit ("main" if `None`). Returns the snapshot folder, which
/// [`weights::DiffusersFolder`] opens. If the hub cannot be reached, or may not be (`offline`), a whole model in the cache serves.
///
/// # Errors
/// [`Error::Hub`] if the repository or revision does not exist or is closed to the token, is no diffusers model, sends unsafe names, or
/// cannot be reached while the cache lacks something (which is named); [`Error::Config`] if it holds another kind of model;
/// [`Error::Io`] if the cache cannot be written.
pub fn fetch_model(
    repo_id: &str,
    revision: Option<&str>,
    settings: &HubSettings,
    progress: &mut dyn FnMut(HubProgress),
) -> Result<PathBuf> {
    let fail = |reason: String| Error::Hub { repo: repo_id.into(), reason, source: None };
    let revision = revision.unwrap_or(DEFAULT_REVISION);
    let well_formed = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
    if repo_id.split('/').count() > 2 || !repo_id.split('/').all(|part| well_formed(part) && !part.contains("..") && !part.contains("--")) {
        return Err(fail("is no repository id: expected owner/name".into()));
    }
    if !selection::is_safe_path(revision) {
        return Err(fail(format!("{revision:?} is no revision")));
    }
    let Some(cache_dir) = &settings.cache_dir else { return Err(fail("no cache folder is set".into())) };
    let cache = RepoCache::new(cache_dir, repo_id);
    if settings.offline {
        return cache.whole_model(revision).map_err(|reason| fail(format!("offline, and {reason}")));
    }

    let hub = Hub { repo_id, repository: connect(repo_id, settings)?, has_token: token_of(settings).is_some() };
    let commit = match hub.commit(revision) {
        Ok(commit) => commit,
        // What is in the cache does not need the hub.
        Err(error @ HFError::Request { .. }) => return cache.whole_model(revision).map_err(|_| hub.explain(error)),
        Err(error) => return Err(hub.explain(error)),
    };
    if !cache::is_plain_name(&commit) {
        return Err(fail(format!("the hub says that the revision is {commit:?}, which is no commit")));
    }
    let entries = hub.entries(&commit)?;
    let names: BTreeSet<String> = entries.iter().map(|entry| entry.path.clone()).collect();
    let chosen = selection::choose(&names).map_err(&fail)?;
    for (files_done, name) in chosen.iter().enumerate() {
        let Some(entry) = entries.iter().find(|entry| entry.path == *name) else { continue };
        let mut tell = |file_bytes, whole: bool| {
            let files_done = files_done + usize::from(whole);
            progress(HubProgress { file: name.clone(), file_bytes, file_total: entry.size, files_done, files_total: chosen.len() });
        };
        if !cache.has(&commit, name) {
            let lock = cache.lock(&entry.blob)?;
            if !cache.has_blob(&entry.blob) {
                transfer::fetch(&hub, &commit, entry, &cache.incomplete(&entry.blob), &mut |bytes| tell(bytes, false))?;
                cache.complete(&entry.blob)?;
            }
            cache.link(&commit, name, &entry.blob)?;
            drop(lock);
        }
        tell(entry.size, true);
        if name == selection::MODEL_INDEX {
            // Before gigabytes are fetched: is it a model that can be run at all?
            weights::check_model_index(&cache.read_json(&commit, name)?)?;
        }
    }
    cache.set_revision(revision, &commit)?;
    cache.whole_model(&commit).map_err(|reason| fail(format!("after fetching, {reason}")))
}

/// A file of the repository as the hub lists it.
struct Entry {
    /// Its path in the repository, checked.
    path: String,
    /// Its length in bytes.
    size: u64,
    /// The content's identity, which names its blob in the cache.
    blob: String,
}

/// A repository on the hub.
struct Hub<'a> {
    repo_id: &'a str,
    repository: HFRepositorySync<RepoTypeModel>,
    has_token: bool,
}

impl Hub<'_> {
    /// The commit that a revision stands for.
    fn commit(&self, revision: &str) -> std::result::Result<String, HFError> {
        let info = self.repository.info().revision(revision).send()?;
        info.sha.ok_or_else(|| HFError::malformed_response("the repository's information names no commit"))
    }

    /// The files of a commit.
    fn entries(&self, commit: &str) -> Result<Vec<Entry>> {
        let tree = self.repository.list_tree().revision(commit).recursive(true).send().map_err(|error| self.explain(error))?;
        let mut entries = Vec::new();
        for entry in tree {
            let RepoTreeEntry::File { oid, size, path, lfs, .. } = entry else { continue };
            let blob = lfs.and_then(|lfs| lfs.sha256).unwrap_or(oid);
            if !selection::is_safe_path(&path) || !cache::is_plain_name(&blob) {
                return Err(self.fail(format!("the hub lists {path:?} ({blob:?}), which is no safe name for a file")));
            }
            entries.push(Entry { path, size, blob });
        }
        Ok(entries)
    }

    fn fail(&self, reason: String) -> Error {
        Error::Hub { repo: self.repo_id.into(), reason, source: None }
    }

    /// What a person should do about an error of the client.
    fn explain(&self, error: HFError) -> Error {
        let missing = if let HFError::RevisionNotFound { context: Some(context), .. } = &error {
            context.error_code.as_deref() == Some("RepoNotFound")
        } else {
            matches!(error, HFError::AuthRequired { .. } | HFError::RepoNotFound { .. })
        };
        let reason = if missing && self.has_token {
            "repository not found, or the token (HF_TOKEN) does not open it".to_owned()
        } else if missing {
            "repository not found or private: check the id, or set HF_TOKEN".to_owned()
        } else if let HFError::RevisionNotFound { revision, .. } = &error {
            format!("no such repository, or it has no revision {revision:?}")
        } else if let HFError::EntryNotFound { path, .. } = &error {
            format!("{path} is listed, but not there")
        } else if matches!(error, HFError::Forbidden { .. }) {
            "access refused: a gated model wants its terms accepted on its page, and a token (HF_TOKEN) of who did".to_owned()
        } else if matches!(error, HFError::RateLimited { .. }) {
            "too many requests; try again later".to_owned()
        } else if matches!(error, HFError::Request { .. }) {
            format!("cannot reach the hub: {}", root_cause(&error))
        } else {
            root_cause(&error)
        };
        Error::Hub { repo: self.repo_id.into(), reason, source: Some(Box::new(error)) }
    }
}

/// The innermost message of an error, where the useful word is ("connection refused").
fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

/// The token, if there is one: an empty variable is none.
fn token_of(settings: &HubSettings) -> Option<&str> {
    settings.token.as_deref().map(str::trim).filter(|token| !token.is_empty())
}

fn connect(repo_id: &str, settings: &HubSettings) -> Result<HFRepositorySync<RepoTypeModel>> {
    let fail = |reason: String, source| Error::Hub { repo: repo_id.into(), reason, source };
    let token = token_of(settings);
    if token.is_some_and(|token| !token.bytes().all(|byte| byte.is_ascii_graphic())) {
        return Err(fail("the token (HF_TOKEN) holds characters that no token has".into(), None));
    }
    let endpoint = settings.endpoint.as_deref().unwrap_or(DEFAULT_ENDPOINT);
    let mut client = reqwest::Client::builder().user_agent(USER_AGENT).connect_timeout(CONNECT_TIMEOUT).read_timeout(READ_TIMEOUT);
    if ["http://127.0.0.1", "http://localhost", "http://[::1]"].iter().any(|local| endpoint.starts_with(local)) {
        // A hub on this machine is not behind a proxy.
        client = client.no_proxy();
    }
    let client = client.build().map_err(|error| fail(root_cause(&error), Some(Box::new(error))))?;
    let client = HFClient::builder()
        .endpoint(endpoint)
        .token(token.unwrap_or(NO_TOKEN))
        .user_agent(USER_AGENT)
        .client(client)
        .cache_dir(settings.cache_dir.clone().unwrap_or_default())
        .cache_enabled(false)
        .retry_max_attempts(2)
        .build_sync()
        .map_err(|error| fail(format!("endpoint {endpoint:?}: {}", root_cause(&error)), Some(Box::new(error))))?;
    let (owner, name) = hf_hub::split_id(repo_id);
    Ok(client.model(owner, name))
}
