//! The ControlNets that a command's flags choose.
//!
//! It must not know models. The invariant: the k-th value of each flag is that of the k-th ControlNet.

use std::path::{Path, PathBuf};

use anyhow::Result;
use diffusion_core::adapters::ControlNetFolder;
use generation::{ControlRequest, ControlSpec, ImageSpec, given_image};
use serde_json::{Value, json};

use crate::{args::ControlArgs, failure::Usage, image::read_image};

/// A ControlNet of the flags: its name in the request, and its place if it is not the folder's.
struct Chosen {
    name: String,
    path: Option<PathBuf>,
}

/// The nets in the order of the flags, each path under its own name.
fn chosen(args: &ControlArgs) -> Vec<Chosen> {
    let mut all: Vec<Chosen> = Vec::new();
    for text in &args.controlnet {
        let path = Path::new(text);
        if !path.exists() {
            all.push(Chosen { name: text.clone(), path: None });
            continue;
        }
        if let Some(same) = all.iter().find(|other| other.path.as_deref() == Some(path)) {
            let again = Chosen { name: same.name.clone(), path: same.path.clone() };
            all.push(again);
            continue;
        }
        let stem = if path.is_dir() { path.file_name() } else { path.file_stem() };
        let stem = stem.map_or_else(|| text.clone(), |stem| stem.to_string_lossy().into_owned());
        let taken = |name: &String| all.iter().any(|other| other.name == *name);
        let name = std::iter::once(stem.clone()).chain((2..).map(|number| format!("{stem}-{number}"))).find(|name| !taken(name));
        all.push(Chosen { name: name.unwrap_or(stem), path: Some(path.to_owned()) });
    }
    all
}

/// The folder of ControlNets with those that the flags name by their paths.
///
/// # Errors
/// [`Usage`] for a path that does not exist, and for a name where the settings have no folder.
pub(crate) fn folder(args: &ControlArgs, of_settings: Option<ControlNetFolder>) -> Result<Option<ControlNetFolder>, Usage> {
    let has_folder = of_settings.is_some();
    chosen(args).into_iter().try_fold(of_settings, |folder, Chosen { name, path }| match path {
        Some(path) => Ok(Some(folder.unwrap_or_default().with(name, path))),
        None if name.contains(['/', '\\']) => Err(Usage(format!("--controlnet {name}: does not exist"))),
        None if !has_folder => Err(Usage(format!(
            "--controlnet {name}: does not exist as a folder or a file, and the setting controlnets.folder names no folder to find it in"
        ))),
        None => Ok(folder),
    })
}

/// The ControlNets of the flags, with their images.
///
/// # Errors
/// [`Usage`] if their numbers do not match, or a file is no picture.
pub(crate) fn of_flags(args: &ControlArgs) -> Result<Vec<ControlRequest>> {
    let (nets, images) = (args.controlnet.len(), args.control_image.len());
    if images != nets {
        let sentence = format!("--control-image: {images} for {nets} times --controlnet; give one for each, in the same order");
        return Err(Usage(sentence).into());
    }
    let numbers =
        [("--control-weight", &args.control_weight), ("--control-start", &args.control_start), ("--control-end", &args.control_end)];
    if let Some((flag, values)) = numbers.into_iter().find(|(_, values)| values.len() > nets) {
        return Err(Usage(format!("{flag}: {} for {nets} times --controlnet; give at most one for each", values.len())).into());
    }
    let request = |(index, (Chosen { name, .. }, image)): (usize, (Chosen, &PathBuf))| -> Result<ControlRequest> {
        let value = |values: &[f64]| values.get(index).copied();
        Ok(ControlRequest {
            name: Some(name),
            image: Some(read_image(image, given_image::rgb)?),
            weight: value(&args.control_weight),
            start: value(&args.control_start),
            end: value(&args.control_end),
            preprocessor: args.canny.then(|| "canny".to_owned()),
            low_threshold: None,
            high_threshold: None,
        })
    };
    chosen(args).into_iter().zip(&args.control_image).enumerate().map(request).collect()
}

/// The ControlNets in a command's JSON.
pub(crate) fn described(spec: &ImageSpec) -> Value {
    let of = |control: &ControlSpec| {
        let (start, end) = control.window();
        json!({
            "name": control.name(),
            "weight": control.weight(),
            "start": start,
            "end": end,
            "preprocessor": if control.canny().is_some() { "canny" } else { "none" },
        })
    };
    spec.controls().nets().iter().map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_get_names_of_their_own_and_names_stay() {
        let folder = std::env::temp_dir().join(format!("framewright-controls-{}", std::process::id()));
        let paths = ["a/net", "b/net"].map(|path| folder.join(path));
        paths.iter().for_each(|path| std::fs::create_dir_all(path).unwrap_or_default());
        let texts = paths.iter().map(|path| path.display().to_string());
        let controlnet: Vec<String> = texts.clone().chain(["canny".to_owned()]).chain(texts.take(1)).collect();
        let args = ControlArgs {
            controlnet,
            control_image: Vec::new(),
            control_weight: Vec::new(),
            control_start: Vec::new(),
            control_end: Vec::new(),
            canny: false,
            guess_mode: false,
        };
        let names: Vec<String> = chosen(&args).into_iter().map(|one| one.name).collect();
        std::fs::remove_dir_all(folder).unwrap_or_default();
        assert_eq!(names, ["net", "net-2", "canny", "net"]);
    }
}
