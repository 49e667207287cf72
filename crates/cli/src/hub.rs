//! Fetching a model from a hub, with a bar for each file that is on its way.

use std::path::PathBuf;

use diffusion_core::{
    Result,
    hub::{self, HubProgress},
};
use indicatif::ProgressBar;
use secrecy::ExposeSecret as _;

use crate::{model::HubId, output, settings::HubSettings};

/// Fetches the model's files, or finds them in the cache, and returns the folder that they lie in.
///
/// # Errors
/// If a file is in neither, or the cache cannot be written to.
pub(crate) fn fetch(id: &HubId, settings: &HubSettings) -> Result<PathBuf> {
    let core_settings = hub::HubSettings {
        endpoint: settings.endpoint.clone(),
        token: settings.token.as_ref().map(|token| token.expose_secret().to_owned()),
        cache_dir: settings.cache_dir.clone(),
        offline: settings.offline,
    };
    let mut drawn: Option<(String, ProgressBar)> = None;
    let folder = hub::fetch_model(&id.repo, id.revision.as_deref(), &core_settings, &mut |progress| draw(&mut drawn, progress));
    if let Some((_, bar)) = drawn {
        bar.finish_and_clear();
    }
    folder
}

/// Draws a file's progress in a bar of its own, and leaves one line of each file that is whole.
fn draw(drawn: &mut Option<(String, ProgressBar)>, progress: HubProgress) {
    let HubProgress { file, file_bytes, file_total, files_done, files_total } = progress;
    if drawn.as_ref().is_none_or(|(name, _)| *name != file) {
        let bar = output::byte_bar(file_total);
        // What an earlier, broken fetch left behind was not fetched now, and must not count as speed.
        bar.set_position(file_bytes);
        bar.reset_eta();
        bar.set_prefix(format!("{} of {files_total}  {file}  ", (files_done + 1).min(files_total)));
        *drawn = Some((file.clone(), bar));
    }
    if let Some((_, bar)) = drawn {
        bar.set_position(file_bytes);
        if file_bytes >= file_total {
            bar.suspend(|| output::remark_on_terminal(format_args!("{file}  {}", output::size(file_total))));
            bar.finish_and_clear();
        }
    }
}
