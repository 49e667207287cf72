//! `framewright frames`: a video of scenes as a folder of numbered PNG files that can be broken off and gone on with.
//!
//! Beside the frames lies a file that says what they are frames of. The invariants: frames of two different videos never mix, and a run
//! that was broken off, however often, ends with the bytes of one that was not.

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

use crate::{args::FramesArgs, engine, failure::Usage, out_place, output, settings::Settings, video};

/// What lies beside the frames.
pub(crate) const MANIFEST: &str = "frames.json";

/// Makes the frames that are not there yet.
///
/// # Errors
/// [`Usage`] for input outside its limits, or a folder that holds something else; otherwise if a model cannot be loaded or run, or a file
/// cannot be read or written.
pub(crate) fn run(args: &FramesArgs, settings: &Settings) -> Result<()> {
    let began = Instant::now();
    video_encode::sweep_staged(&args.out);
    let manifest = args.out.join(MANIFEST);
    out_place::check_folder("--out", &args.out)?;
    let begun = if args.restart { None } else { read(&manifest)? };
    // Who names no seed means the one that was begun with.
    let spec = video::scenes(&args.scenes, begun.as_ref().and_then(|begun| begun.pointer("/video/seed")?.as_u64()))?;
    let there = if args.restart { 0 } else { PngFolder::whole_frames(&args.out) };
    if !args.restart && begun.is_none() && !frame_files(&args.out)?.is_empty() {
        return Err(Usage(format!(
            "--out {}: holds frames that this command did not begin; give another folder, or --restart to write over them",
            args.out.display()
        ))
        .into());
    }

    let engine = engine::start(settings, None, engine::Purpose::of(&spec))?;
    let (model, made) = video::make(&engine, |model| {
        let wanted = described(&spec, model);
        match &begun {
            Some(begun) if *begun != wanted => bail!(Usage(format!(
                "--out {}: holds frames of another video: {}; give another folder, or --restart to write over them",
                args.out.display(),
                difference(begun, &wanted)
            ))),
            Some(_) => {}
            None => {
                // What is there is no frame of this video, and must not be taken for one if this run is broken off. What it was frames of
                // is forgotten last: a restart that is broken off is one still.
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
    video::report(args.json, &made, &video::described(&spec, &model), began.elapsed())
}

/// What the frames are frames of, and of which program.
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

/// Every file that looks like a frame, whether or not those before it are there; none if there is no folder.
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
fn difference(begun: &Value, wanted: &Value) -> String {
    fn walk(place: &str, begun: &Value, wanted: &Value) -> Option<String> {
        match (begun, wanted) {
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
            _ => (begun != wanted).then(|| format!("{place} was {begun} and is {wanted}")),
        }
    }
    fn join(place: &str, key: &str) -> String {
        if place.is_empty() || place == "video" { key.to_owned() } else { format!("{place}.{key}") }
    }
    walk("", begun, wanted).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_named_with_both_values() {
        let video = |prompt: &str, seed: u64| json!({"version": "1", "video": {"scenes": [{"prompt": prompt}], "seed": seed}});
        assert_eq!(difference(&video("a", 1), &video("a", 2)), "seed was 1 and is 2");
        assert_eq!(difference(&video("a", 1), &video("b", 1)), "scenes.0.prompt was \"a\" and is \"b\"");
        let longer = json!({"version": "1", "video": {"scenes": [], "seed": 1}});
        assert_eq!(difference(&video("a", 1), &longer), "scenes was [{\"prompt\":\"a\"}] and is []");
    }
}
