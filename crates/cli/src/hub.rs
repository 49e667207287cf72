//! Fetches a model from a hub, with a progress bar for each file, and names the repair for a damaged one.

use std::path::{Path, PathBuf};

use diffusion_core::{
    Error, Result,
    hub::{self, Check, HubEvent, HubProgress},
};
use indicatif::ProgressBar;
use secrecy::ExposeSecret as _;

use crate::{model::HubId, output, settings::HubSettings};

/// A model that is complete in the cache.
pub(crate) struct Fetched {
    /// The folder of its files.
    pub(crate) folder: PathBuf,
    /// Number of files that it needs.
    pub(crate) files: usize,
    /// Their total size in bytes.
    pub(crate) bytes: u64,
}

/// Fetches the model's files or finds them in the cache; reports repairs and waits on standard error.
///
/// # Errors
/// If a file is in neither place, or the cache is not writable. Errors about a damaged file name the command that repairs it.
pub(crate) fn fetch(id: &HubId, settings: &HubSettings, check: Check) -> Result<Fetched> {
    let core_settings = hub::HubSettings {
        endpoint: settings.endpoint.clone(),
        token: settings.token.as_ref().map(|token| token.expose_secret().to_owned()),
        cache_dir: settings.cache_dir.clone(),
        offline: settings.offline,
    };
    let mut shown = Shown::default();
    let folder = hub::fetch_model(&id.repo, id.revision.as_deref(), &core_settings, check, &mut |event| shown.show(event));
    shown.bar.finish_and_clear();
    let folder = folder.map_err(|error| with_cure(error, &cure(id)))?;
    Ok(Fetched { folder, files: shown.files, bytes: shown.bytes })
}

/// The command that repairs a model's files.
pub(crate) fn cure(id: &HubId) -> String {
    format!("framewright models pull {id} --verify")
}

/// The same command for a model given by its folder, if that is a snapshot in a hub cache.
pub(crate) fn cure_of_folder(folder: &Path, settings: &HubSettings) -> Option<String> {
    let folder = std::path::absolute(folder).ok()?;
    let commit = folder.file_name()?.to_str()?;
    let snapshots = folder.parent().filter(|snapshots| snapshots.ends_with("snapshots"))?;
    let repo_folder = snapshots.parent()?;
    let repo = repo_folder.file_name()?.to_str()?.strip_prefix("models--")?.replacen("--", "/", 1);
    let cure = cure(&HubId::parse(&format!("{repo}@{commit}"))?);
    let cache = repo_folder.parent()?;
    let is_usual = settings.cache_dir.as_ref().and_then(|usual| std::path::absolute(usual).ok()).is_some_and(|usual| usual == cache);
    Some(if is_usual { cure } else { format!("HF_HUB_CACHE={} {cure}", cache.display()) })
}

/// Adds the repair command for a damaged download to an error about one of a model's files.
pub(crate) fn with_cure(mut error: Error, cure: &str) -> Error {
    if let Error::File { reason, .. } | Error::Weights { reason, .. } | Error::Tokenizer(reason) = &mut error
        && !reason.contains(cure)
    {
        *reason = format!("{reason}; if the download is damaged, `{cure}` repairs it from the hub");
    }
    error
}

/// The progress bar and the remarks of a fetch.
struct Shown {
    file: String,
    bar: ProgressBar,
    files: usize,
    bytes: u64,
}

impl Default for Shown {
    fn default() -> Self {
        Self { file: String::new(), bar: ProgressBar::hidden(), files: 0, bytes: 0 }
    }
}

impl Shown {
    fn show(&mut self, event: HubEvent) {
        match event {
            HubEvent::Progress(progress) => self.draw(progress),
            HubEvent::Waiting { file } => self.remark(format_args!("{file}: another program is downloading it; waiting")),
            HubEvent::Damaged { file, reason } => self.remark(format_args!("{file}: damaged: {reason}; fetching it again")),
            HubEvent::Renamed { file } => self.remark(format_args!("{file}: already there; renamed so that other clients find it")),
            HubEvent::Unchecked { file } => self.remark(format_args!("{file}: the hub lists no digest, so only the length was checked")),
        }
    }

    fn remark(&self, text: std::fmt::Arguments<'_>) {
        self.bar.suspend(|| output::remark(text));
    }

    /// Draws each file's progress in its own bar, and leaves one line for each complete file.
    fn draw(&mut self, progress: HubProgress) {
        let HubProgress { file, file_bytes, file_total, files_done, files_total } = progress;
        if self.file != file {
            self.bar = output::byte_bar(file_total);
            // Bytes left by an earlier, interrupted fetch were not fetched now and must not count as speed.
            self.bar.set_position(file_bytes);
            self.bar.reset_eta();
            self.bar.set_prefix(format!("{} of {files_total}  {file}  ", (files_done + 1).min(files_total)));
            self.file = file;
        }
        self.bar.set_position(file_bytes);
        if files_done > self.files {
            self.files = files_done;
            self.bytes += file_total;
            self.bar.suspend(|| output::remark_on_terminal(format_args!("{}  {}", self.file, output::size(file_total))));
            self.bar.finish_and_clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cure_names_the_model_of_a_folder_in_a_cache() {
        let settings = HubSettings { cache_dir: Some("/cache".into()), ..HubSettings::default() };
        let cure = |folder: &str| cure_of_folder(Path::new(folder), &settings);
        let expected = "framewright models pull some/model-x@abc --verify";
        assert_eq!(cure("/cache/models--some--model-x/snapshots/abc").as_deref(), Some(expected));
        let elsewhere = format!("HF_HUB_CACHE=/other {expected}");
        assert_eq!(cure("/other/models--some--model-x/snapshots/abc"), Some(elsewhere));
        assert_eq!(cure("/cache/models--some--model-x/snapshots/abc/unet"), None);
        assert_eq!(cure("/models/mine"), None);
    }
}
