//! Downloads model folders from a hub into the cache of Python's huggingface_hub; both clients may use it at the same time.
//!
//! Nothing here runs unless it is called, and nothing reads the environment: the caller fills [`HubSettings`]. Invariants: names from a
//! server are checked before they become paths; a file appears in a snapshot only when it is complete and has the digest that the hub lists
//! for it.
//!
//! The layout is that of <https://huggingface.co/docs/huggingface_hub/guides/manage-cache>; names and locks follow huggingface_hub 1.33 and
//! 2.4 (`file_download.py`).

mod api;
mod cache;
mod digest;
mod fetch;
mod listing;
mod lock;
mod partial;
mod selection;
mod transfer;

use std::{collections::BTreeSet, fmt, path::PathBuf};

use crate::{Error, Result, weights};
use api::Hub;
use cache::{CacheMiss, RepoCache};
pub use digest::Check;
use digest::Condition;
use fetch::Fetch;

/// The hub to fetch models from, and the cache to keep them in.
#[derive(Clone, Default)]
pub struct HubSettings {
    /// The hub's address (`HF_ENDPOINT`); `None` is <https://huggingface.co>.
    pub endpoint: Option<String>,
    /// The access token (`HF_TOKEN`), sent only to the endpoint's host.
    pub token: Option<String>,
    /// The cache folder (`HF_HUB_CACHE`, or `hub` inside `HF_HOME`, or `.cache/huggingface/hub` at home). Required: there is no default.
    pub cache_dir: Option<PathBuf>,
    /// Use only the cache and make no request (`HF_HUB_OFFLINE`).
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

/// Progress of a file; reported at its start, as its bytes arrive or are checked, and when it is complete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HubProgress {
    /// The file, relative to the model ("unet/diffusion_pytorch_model.safetensors").
    pub file: String,
    /// Bytes present, including those of an earlier, interrupted download; drops back if those turn out to be damaged.
    pub file_bytes: u64,
    /// The file's length.
    pub file_total: u64,
    /// Number of complete files.
    pub files_done: usize,
    /// Number of files that the model needs.
    pub files_total: usize,
}

/// Events while a model is fetched. Files are named relative to the model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HubEvent {
    /// Bytes have arrived, or have been checked.
    Progress(HubProgress),
    /// Another process is downloading this file; the call waits until it has finished.
    Waiting {
        /// The file.
        file: String,
    },
    /// A file in the cache is damaged, and is fetched again.
    Damaged {
        /// The file.
        file: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A blob that an older version of this program stored under the wrong id now has the name that every client uses.
    Renamed {
        /// The file.
        file: String,
    },
    /// The hub lists no digest for this file, so only its length is checked.
    Unchecked {
        /// The file.
        file: String,
    },
}

const DEFAULT_REVISION: &str = "main";

/// Downloads the files of a hub repository that a Stable Diffusion or Stable Video Diffusion model needs: configurations, tokenizer, and
/// one format of each weight file (safetensors before .bin, full precision before fp16). Files in the cache are not downloaded again,
/// whichever client stored them; an interrupted download resumes. Downloaded files are checked against the hub's digests, cached ones as
/// far as `check` says; damaged files are downloaded again. Blocks the calling thread.
///
/// `repo_id` is `owner/name`; `revision` is a branch, a tag or a commit ("main" if `None`). Returns the snapshot folder, which
/// [`weights::DiffusersFolder`] opens. If the hub cannot be reached, or must not be (`offline`), a complete model in the cache is used.
///
/// # Errors
/// [`Error::Hub`] if the repository or revision does not exist or the token does not give access to it; if it is no diffusers model; if the
/// hub sends unsafe names or content that differs from its digest; if it cannot be reached while the cache is incomplete or damaged (the
/// message names the file); and if the disk is full. [`Error::Config`] if it is another kind of model; [`Error::Io`] if the cache cannot be
/// read or written.
pub fn fetch_model(
    repo_id: &str,
    revision: Option<&str>,
    settings: &HubSettings,
    check: Check,
    on_event: &mut dyn FnMut(HubEvent),
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
        return from_cache(&cache, revision, check, on_event)
            .map_err(|shortfall| shortfall.explain(|lacks| fail(format!("offline, and {lacks}"))));
    }

    let hub = Hub::new(repo_id, settings)?;
    let (commit, listing) = match hub.resolve(revision) {
        Ok(resolved) => resolved,
        // A cached model does not need the hub.
        Err(error) if error.is_transient() => {
            return from_cache(&cache, revision, check, on_event).map_err(|shortfall| shortfall.explain(|_| hub.explain(error, revision)));
        }
        Err(error) => return Err(hub.explain(error, revision)),
    };
    let names: BTreeSet<String> = listing.files.keys().cloned().collect();
    let chosen = selection::choose(&names).map_err(&fail)?;
    cache.keep_listing(&commit, &listing, &selection::absent(&names));
    for (files_done, name) in chosen.iter().enumerate() {
        let Some(entry) = listing.files.get(name) else { continue };
        let mut file =
            Fetch { hub: &hub, cache: &cache, commit: &commit, name, entry, check, files_done, files_total: chosen.len(), on_event };
        file.ensure()?;
        file.at(entry.size(), 1);
        if name == selection::MODEL_INDEX {
            // Check that the model is supported before downloading gigabytes.
            weights::check_model_index(&cache.read_json(&commit, name)?)?;
        }
    }
    cache.set_revision(revision, &commit)?;
    let (_, folder) =
        cache.whole_model(&commit).map_err(|shortfall| shortfall.explain(|lacks| fail(format!("after fetching, {lacks}"))))?;
    Ok(folder)
}

/// The cached snapshot of a revision, checked against the hub's listing if the cache holds it.
fn from_cache(cache: &RepoCache, revision: &str, check: Check, on_event: &mut dyn FnMut(HubEvent)) -> Result<PathBuf, CacheMiss> {
    let (commit, folder) = cache.whole_model(revision)?;
    if check == Check::Length {
        return Ok(folder);
    }
    let unlisted = || CacheMiss::Lacks("the cache does not hold the hub's list of digests, so its files cannot be verified".into());
    let listing = cache.listing(&commit).ok_or_else(unlisted)?;
    let chosen: Vec<_> = listing.files.iter().filter(|(name, _)| folder.join(name).is_file()).collect();
    let (mut damaged, mut faults) = (None, Vec::new());
    for (files_done, (name, entry)) in chosen.iter().enumerate() {
        let mut at = |file_bytes, whole: usize| {
            let progress = HubProgress {
                file: (*name).clone(),
                file_bytes,
                file_total: entry.size(),
                files_done: files_done + whole,
                files_total: chosen.len(),
            };
            on_event(HubEvent::Progress(progress));
        };
        let path = folder.join(name);
        let found = Condition::of(&path, entry.size(), &entry.digest(), check, &mut |bytes| at(bytes, 0)).map_err(CacheMiss::Damaged)?;
        if let Condition::Damaged(reason) = found {
            faults.push(if damaged.is_none() { reason } else { format!("so is {name}: {reason}") });
            damaged.get_or_insert(path);
        } else {
            at(entry.size(), 1);
        }
    }
    match damaged {
        None => Ok(folder),
        Some(path) => Err(CacheMiss::Damaged(Error::file(path, format!("is damaged: {}", faults.join("; "))))),
    }
}
