//! `framewright frames`: a video of scenes as a folder of numbered PNG files; an interrupted run can be resumed.
//!
//! A manifest beside the frames says which video they belong to. The invariants: frames of two different videos never mix, and a run that
//! was interrupted, however often, produces the same bytes as one that was not.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Instant,
};

use anyhow::{Context as _, Result, bail};
use diffusion_core::regular_file;
use generation::{
    artifact,
    video::{ScenesSpec, VideoOutput, VideoSpec},
};
use serde_json::{Value, json};
use video_encode::{Container, PngFolder};

use crate::{
    adapters::Folders, args::FramesArgs, failure::Usage, image::stand_in, output, output_check, settings::Settings, signing, video,
};

/// The manifest beside the frames.
pub(crate) const MANIFEST: &str = "frames.json";

/// Generates the missing frames.
///
/// # Errors
/// [`Usage`] for input outside its limits, or a folder that holds something else; otherwise if a model cannot be loaded or run, or a file
/// cannot be read or written.
pub(crate) fn run(args: &FramesArgs, settings: &Settings) -> Result<()> {
    let began = Instant::now();
    video_encode::sweep_staged(&args.out);
    let manifest = args.out.join(MANIFEST);
    output_check::check_folder("--out", &args.out)?;
    let previous = if args.restart { None } else { read(&manifest)? };
    // Without --seed, a resumed run uses the seed that it began with.
    let seed = previous.as_ref().and_then(|previous| previous.pointer("/video/seed")?.as_u64());
    let request = video::scenes(&args.scenes, seed)?;
    let folders = Folders::open(settings)?;
    let mut spec = video::validate(request.clone(), &stand_in(settings.default_model().defaults, &folders))?;
    let there = if args.restart { 0 } else { PngFolder::whole_frames(&args.out) };
    if !args.restart && previous.is_none() && !frame_files(&args.out)?.is_empty() {
        return Err(Usage(format!(
            "--out {}: holds frames that this command did not begin; give another folder, or --restart to write over them",
            args.out.display()
        ))
        .into());
    }

    signing::remark_on_frames(settings, Container::PngFolder);
    let engine = video::start(settings, &spec, folders)?;
    let (model, output_video) = video::make(&engine, |model| {
        spec = video::validate(request, model)?;
        let wanted = described(&spec, model);
        match &previous {
            Some(previous) if *previous != wanted => bail!(Usage(format!(
                "--out {}: holds frames of another video: {}; give another folder, or --restart to write over them",
                args.out.display(),
                difference(previous, &wanted)
            ))),
            Some(_) => {}
            None => {
                // The existing frames are not of this video, and a later run must not resume from them if this one is interrupted. The old
                // manifest is overwritten last: an interrupted restart remains a restart.
                for frame in frame_files(&args.out)? {
                    fs::remove_file(&frame).with_context(|| frame.display().to_string())?;
                }
                artifact::write(&manifest, format!("{wanted:#}\n").as_bytes())?;
            }
        }
        if there > 0 {
            output::remark(format_args!("{there} frames are there already"));
        }
        let base = VideoOutput { container: Container::PngFolder, resume: Some(there), ..VideoOutput::new(args.out.join(""))? };
        Ok((VideoSpec::Scenes(spec.clone()), base))
    })?;
    video::report(args.json, &output_video, &video::described(&spec, &model), began.elapsed())
}

/// What identifies the frames: the video's parameters and the program version.
fn described(spec: &ScenesSpec, model: &generation::ModelInfo) -> Value {
    json!({ "version": env!("CARGO_PKG_VERSION"), "video": video::described(spec, model) })
}

fn read(path: &Path) -> Result<Option<Value>> {
    match regular_file::read(path) {
        Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes).with_context(|| path.display().to_string())?)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| path.display().to_string()),
    }
}

/// Every file that looks like a frame, with or without gaps in the numbering; none if there is no folder.
fn frame_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error).with_context(|| folder.display().to_string()),
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.with_context(|| folder.display().to_string())?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if name.starts_with("frame-") && name.ends_with(".png") {
            found.push(path);
        }
    }
    Ok(found)
}

/// The first setting that differs, with both values.
fn difference(previous: &Value, wanted: &Value) -> String {
    fn walk(place: &str, previous: &Value, wanted: &Value) -> Option<String> {
        match (previous, wanted) {
            (Value::Object(a), Value::Object(b)) => {
                let keys = b.keys().chain(a.keys().filter(|key| !b.contains_key(*key)));
                let at = |object: &serde_json::Map<String, Value>, key: &str| object.get(key).cloned().unwrap_or_default();
                let mut differences = keys.filter_map(|key| walk(&join(place, key), &at(a, key), &at(b, key)));
                differences.next()
            }
            (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
                let mut differences = a.iter().zip(b).enumerate().filter_map(|(i, (a, b))| walk(&join(place, &i.to_string()), a, b));
                differences.next()
            }
            _ => (previous != wanted).then(|| format!("{place} was {previous} and is {wanted}")),
        }
    }
    fn join(place: &str, key: &str) -> String {
        if place.is_empty() || place == "video" { key.to_owned() } else { format!("{place}.{key}") }
    }
    walk("", previous, wanted).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_difference_is_named_with_both_values() {
        let video = |prompt: &str, seed: u64| json!({"version": "1", "video": {"scenes": [{"prompt": prompt}], "seed": seed}});
        assert_eq!(difference(&video("a", 1), &video("a", 2)), "seed was 1 and is 2");
        assert_eq!(difference(&video("a", 1), &video("b", 1)), "scenes.0.prompt was \"a\" and is \"b\"");
        let longer = json!({"version": "1", "video": {"scenes": [], "seed": 1}});
        assert_eq!(difference(&video("a", 1), &longer), "scenes was [{\"prompt\":\"a\"}] and is []");
    }
}
