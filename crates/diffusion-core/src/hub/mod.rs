//! Fetching a model folder from a hub into the cache that Python's huggingface_hub keeps, which both may use at the same time.
//!
//! Nothing here runs unless it is called, and it reads no environment: the caller fills [`HubSettings`]. The invariants: names that a
//! server sends are checked before they become paths; a file appears in a snapshot only when it is whole and has the digest that the hub
//! states for it.
//!
//! The layout is that of <https://huggingface.co/docs/huggingface_hub/guides/manage-cache>; names and locks follow huggingface_hub 1.33
//! and 2.4 (`file_download.py`).

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
use cache::{RepoCache, Shortfall};
pub use digest::Check;
use digest::Condition;
use fetch::Fetch;

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

/// How far a file has come; told at its start, as its bytes arrive or are checked, and at its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HubProgress {
    /// The file, relative to the model ("unet/diffusion_pytorch_model.safetensors").
    pub file: String,
    /// How many of its bytes are here, those of an earlier, broken fetch included; falls back when those turn out to be damaged.
    pub file_bytes: u64,
    /// How many it has.
    pub file_total: u64,
    /// How many files are whole.
    pub files_done: usize,
    /// How many the model needs.
    pub files_total: usize,
}

/// What happens while a model is fetched. Files are named relative to the model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HubEvent {
    /// Bytes have arrived, or have been checked.
    Progress(HubProgress),
    /// Another program is downloading this file, and its end is waited for.
    Waiting {
        /// The file.
        file: String,
    },
    /// A file in the cache is damaged and is fetched again.
    Damaged {
        /// The file.
        file: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A blob that an older version of this program named by the wrong id has got the name that every client knows.
    Renamed {
        /// The file.
        file: String,
    },
    /// The hub states no digest for this file, so its length is all that was checked.
    Unchecked {
        /// The file.
        file: String,
    },
}

const DEFAULT_REVISION: &str = "main";

/// Fetches what a Stable Diffusion or Stable Video Diffusion model needs of a hub repository: configurations, tokenizer, one format of each weight
/// file (safetensors before .bin, full precision before fp16). Files that the cache holds are not fetched again, whichever client
/// fetched them; a broken download continues where it broke. What comes is checked against the digest that the hub states, what is there
/// as far as `check` says; damaged files are fetched again. Blocks the calling thread.
///
/// `repo_id` is `owner/name`; `revision` a branch, a tag or a commit ("main" if `None`). Returns the snapshot folder, which
/// [`weights::DiffusersFolder`] opens. If the hub cannot be reached, or may not be (`offline`), a whole model in the cache serves.
///
/// # Errors
/// [`Error::Hub`] if the repository or revision does not exist or is closed to the token, is no diffusers model, sends unsafe names or
/// another content than it states, or cannot be reached while the cache lacks something or holds something damaged (which is named), and
/// if the disk is full; [`Error::Config`] if it holds another kind of model; [`Error::Io`] if the cache cannot be read or written.
pub fn fetch_model(
    repo_id: &str,
    revision: Option<&str>,
    settings: &HubSettings,
    check: Check,
    tell: &mut dyn FnMut(HubEvent),
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
        return from_cache(&cache, revision, check, tell)
            .map_err(|shortfall| shortfall.explain(|lacks| fail(format!("offline, and {lacks}"))));
    }

    let hub = Hub::new(repo_id, settings)?;
    let (commit, listing) = match hub.resolve(revision) {
        Ok(resolved) => resolved,
        // What is in the cache does not need the hub.
        Err(error) if error.may_pass() => {
            return from_cache(&cache, revision, check, tell).map_err(|shortfall| shortfall.explain(|_| hub.explain(error, revision)));
        }
        Err(error) => return Err(hub.explain(error, revision)),
    };
    let names: BTreeSet<String> = listing.files.keys().cloned().collect();
    let chosen = selection::choose(&names).map_err(&fail)?;
    cache.keep_listing(&commit, &listing, &selection::absent(&names));
    for (files_done, name) in chosen.iter().enumerate() {
        let Some(entry) = listing.files.get(name) else { continue };
        let mut file = Fetch { hub: &hub, cache: &cache, commit: &commit, name, entry, check, files_done, files_total: chosen.len(), tell };
        file.settle()?;
        file.at(entry.size(), 1);
        if name == selection::MODEL_INDEX {
            // Before gigabytes are fetched: is it a model that can be run at all?
            weights::check_model_index(&cache.read_json(&commit, name)?)?;
        }
    }
    cache.set_revision(revision, &commit)?;
    let (_, folder) =
        cache.whole_model(&commit).map_err(|shortfall| shortfall.explain(|lacks| fail(format!("after fetching, {lacks}"))))?;
    Ok(folder)
}

/// The snapshot of a revision as the cache holds it, checked by the hub's listing if that is kept there.
fn from_cache(cache: &RepoCache, revision: &str, check: Check, tell: &mut dyn FnMut(HubEvent)) -> Result<PathBuf, Shortfall> {
    let (commit, folder) = cache.whole_model(revision)?;
    if check == Check::Length {
        return Ok(folder);
    }
    let unlisted = || Shortfall::Lacks("the cache does not hold the hub's list of digests, so its files cannot be verified".into());
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
            tell(HubEvent::Progress(progress));
        };
        let path = folder.join(name);
        let found = Condition::of(&path, entry.size(), &entry.digest(), check, &mut |bytes| at(bytes, 0)).map_err(Shortfall::Damaged)?;
        if let Condition::Damaged(reason) = found {
            faults.push(if damaged.is_none() { reason } else { format!("so is {name}: {reason}") });
            damaged.get_or_insert(path);
        } else {
            at(entry.size(), 1);
        }
    }
    match damaged {
        None => Ok(folder),
        Some(path) => Err(Shortfall::Damaged(Error::file(path, format!("is damaged: {}", faults.join("; "))))),
    }
}
