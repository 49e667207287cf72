//! `framewright models`: lists, inspects and downloads models.

pub(crate) mod served;

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, anyhow};
use diffusion_core::{
    hub::Check,
    pipelines,
    weights::{Component, ModelFamily, TensorShape, WeightSource},
};
use serde_json::{Map, Value, json};

use crate::{
    failure::Usage,
    hub::{self, Fetched},
    model::{EMBEDDED, EMBEDDED_MOTION, HubId, Model},
    output::{self, size},
    settings::{HubSettings, PoolModelSettings, Settings},
};

/// `framewright models list`.
///
/// # Errors
/// If the cache cannot be read or standard output cannot be written to.
pub(crate) fn list(settings: &Settings, as_json: bool) -> Result<()> {
    let mut models = Vec::new();
    for (name, source) in [(EMBEDDED, pipelines::nano_sd()), (EMBEDDED_MOTION, pipelines::nano_svd())] {
        models.push(Listed { name: name.into(), bytes: bytes_of(&source)?, place: "inside this program".into() });
    }
    if let Some(cache) = &settings.hub.cache_dir {
        models.extend(cached(cache).with_context(|| format!("the hub's cache {}", cache.display()))?);
    }
    for PoolModelSettings { name, source, .. } in &settings.models {
        // Listing models must not download gigabytes.
        let offline = HubSettings { offline: true, ..settings.hub.clone() };
        let parts = settings.parts_of(name);
        let opened = Model::parse(source, None).ok().and_then(|model| model.open_with(&parts, &offline).ok());
        let bytes = opened.and_then(|source| bytes_of(source.as_ref()).ok());
        let is_here = if bytes.is_some() { "" } else { ", not found on this machine" };
        models.push(Listed { name: name.clone(), bytes: bytes.unwrap_or_default(), place: format!("served: {source}{is_here}") });
    }
    if as_json {
        let models: Vec<_> = models.iter().map(|model| json!({ "name": model.name, "bytes": model.bytes, "place": model.place })).collect();
        return Ok(output::json(&json!({ "models": models }))?);
    }
    let width = models.iter().map(|model| model.name.chars().count()).max().unwrap_or(0);
    for Listed { name, bytes, place } in &models {
        output::result(format_args!("{name:width$}  {:>9}  {place}", size(*bytes)))?;
    }
    Ok(())
}

/// `framewright models inspect`: a model's components, and the fields that loading it would ignore or refuse.
///
/// # Errors
/// If there is no such model or it cannot be opened; if loading it would be refused, after everything is printed.
pub(crate) fn inspect(name: &str, settings: &Settings, as_json: bool) -> Result<()> {
    let model = Model::parse(settings.source_of(name), None)?;
    // Inspecting a model must not download gigabytes.
    let parts = settings.parts_of(name);
    parts.check()?;
    let source = model.open_with(&parts, &HubSettings { offline: true, ..settings.hub.clone() })?;
    let family = ModelFamily::of(source.as_ref())?;
    let pipelines::Inspection { ignored, mut refusals, own_scheduler } = pipelines::inspect(source.as_ref());
    refusals.extend(settings.model.unknown_fields.refusal(&ignored));
    // A request that names a scheduler still runs.
    let unless_named = if refusals.is_empty() { " without --scheduler" } else { "" };
    let own_scheduler = own_scheduler.map(|error| format!("without --scheduler: {error}"));
    let refusals: Vec<_> = refusals.iter().map(ToString::to_string).chain(own_scheduler).collect();
    let mut facts = facts(&source.name(), family, source.as_ref());
    if as_json {
        if let Some(facts) = facts.as_object_mut() {
            let ignored = ignored.iter().map(|file| (file.file.clone(), json!(file.fields))).collect::<Map<_, _>>();
            facts.insert("ignored_fields".into(), ignored.into());
            facts.insert("refusals".into(), json!(refusals));
        }
        output::json(&facts)?;
    } else {
        print(&facts)?;
        for file in &ignored {
            output::result(format_args!("{:<16} {file}", "ignored"))?;
        }
        for refusal in &refusals {
            output::result(format_args!("{:<16} {refusal}", "refused"))?;
        }
    }
    if refusals.is_empty() {
        return Ok(());
    }
    let command = match family {
        ModelFamily::StableDiffusion | ModelFamily::StableDiffusionXl | ModelFamily::StableDiffusionXlRefiner => "image",
        ModelFamily::StableVideoDiffusion => "animate",
    };
    Err(anyhow!("{name}: `framewright {command}` would refuse this model{unless_named}; the reasons are listed as refused"))
}

fn print(facts: &Value) -> Result<()> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    for key in ["model", "scheduler", "prediction_type", "default_size", "num_frames", "tokenizer"] {
        if let Some(value) = facts.get(key).filter(|value| !value.is_null()) {
            output::result(format_args!("{:<16} {}", key.replace('_', " "), text(value)))?;
        }
    }
    for component in facts.get("components").and_then(Value::as_array).into_iter().flatten() {
        let count = |key: &str| component.get(key).and_then(Value::as_u64).unwrap_or(0);
        let part = |key: &str| component.get(key).map(text).unwrap_or_default();
        output::result(format_args!(
            "{:<16} {:<22} {:>4} tensors  {:>8} parameters  {}",
            part("component").replace('_', " "),
            part("class"),
            count("tensors"),
            millions(count("parameters")),
            part("precision"),
        ))?;
    }
    for remark in facts.get("remarks").and_then(Value::as_array).into_iter().flatten() {
        output::result(text(remark))?;
    }
    Ok(())
}

/// `framewright models pull`; `verify` reads every byte of the existing files.
///
/// # Errors
/// [`Usage`] if `id` is not a hub id; otherwise if the model cannot be downloaded.
pub(crate) fn pull(id: &str, verify: bool, settings: &HubSettings) -> Result<()> {
    let id = HubId::parse(id).ok_or_else(|| Usage(format!("{id:?} is not a hub id: expected owner/name or owner/name@revision")))?;
    let check = if verify { Check::Content } else { Check::Length };
    let Fetched { folder, files, bytes } = hub::fetch(&id, settings, check)?;
    if verify {
        output::remark(format_args!("verified: {files} files, {}", size(bytes)));
    }
    Ok(output::result(folder.display())?)
}

struct Listed {
    name: String,
    bytes: u64,
    place: String,
}

fn bytes_of(source: &dyn WeightSource) -> Result<u64> {
    let mut bytes = 0;
    for component in ModelFamily::of(source)?.weighted_components() {
        bytes += tensors(source, *component)?.bytes;
    }
    Ok(bytes)
}

/// The models in a hub's cache: `models--OWNER--NAME/snapshots/COMMIT` with a model index.
fn cached(cache: &Path) -> Result<Vec<Listed>> {
    let mut found = Vec::new();
    for repo in entries(cache)? {
        let folder_name = repo.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let Some(name) = folder_name.strip_prefix("models--") else { continue };
        for snapshot in entries(&repo.join("snapshots"))? {
            if snapshot.join("model_index.json").exists() {
                let revision = snapshot.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
                // The main branch's revision needs no suffix.
                let is_main = fs::read_to_string(repo.join("refs/main")).is_ok_and(|main| main.trim() == revision);
                let name = name.replacen("--", "/", 1);
                let name = if is_main { name } else { format!("{name}@{revision}") };
                found.push(Listed { name, bytes: bytes_below(&snapshot)?, place: snapshot.display().to_string() });
            }
        }
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(found)
}

/// The entries of a folder, sorted; none if the folder does not exist.
fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let mut paths = fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>()?;
    paths.sort();
    Ok(paths)
}

/// The size of a snapshot. Its files are links into the cache's blobs; their targets count. Links to folders are not followed.
fn bytes_below(folder: &Path) -> Result<u64> {
    let mut bytes = 0;
    for path in entries(folder)? {
        if fs::symlink_metadata(&path)?.is_dir() {
            bytes += bytes_below(&path)?;
        } else {
            // A dangling link is an interrupted download.
            bytes += fs::metadata(&path).map_or(0, |file| file.len());
        }
    }
    Ok(bytes)
}

/// The readable facts of a model; unreadable ones are omitted here and listed among the refusals.
fn facts(name: &str, family: ModelFamily, source: &dyn WeightSource) -> Value {
    let config = |component| source.config(component).unwrap_or_default();
    let (index, scheduler) = (config(Component::ModelIndex), config(Component::Scheduler));
    let (unet, vae) = (config(Component::Unet), config(Component::Vae));
    // The VAE halves the image once less than it has levels.
    let levels = vae.get("block_out_channels").and_then(Value::as_array).map_or(4, Vec::len);
    let pixels = |sample_size: u64| sample_size << levels.saturating_sub(1).min(16);
    let size = unet.get("sample_size").and_then(Value::as_u64).filter(|side| *side > 0).map(pixels);
    let mut components = Vec::new();
    for &component in family.weighted_components() {
        // An encoder's config names no class; each component has only one.
        let only = || {
            let encoders =
                [(Component::ImageEncoder, "CLIPVisionModelWithProjection"), (Component::TextEncoder2, "CLIPTextModelWithProjection")];
            encoders.into_iter().find(|(encoder, _)| *encoder == component).map_or("CLIPTextModel", |(_, class)| class).into()
        };
        let class = config(component).get("_class_name").cloned().unwrap_or_else(only);
        let Ok(Tensors { count, parameters, bytes, precision }) = tensors(source, component) else { continue };
        components.push(json!({
            "component": component.to_string(), "class": class, "tensors": count, "parameters": parameters, "bytes": bytes,
            "precision": precision,
        }));
    }
    let tokenizer = ["tokenizer.json", "vocab.json"].into_iter().find_map(|file| {
        let has = |component| matches!(source.file(component, file), Ok(Some(_)));
        (has(Component::Tokenizer) || has(Component::Tokenizer2)).then_some(match file {
            "vocab.json" => "vocab.json and merges.txt",
            other => other,
        })
    });
    json!({
        "model": name,
        // As in diffusers, the index takes precedence over the class in the scheduler's own file.
        "scheduler": index.pointer("/scheduler/1"),
        "prediction_type": scheduler.get("prediction_type").and_then(Value::as_str).unwrap_or("epsilon"),
        "default_size": size.map(|side| format!("{side}x{side}")),
        "tokenizer": tokenizer,
        "num_frames": unet.get("num_frames").filter(|_| family == ModelFamily::StableVideoDiffusion),
        "components": components,
        "remarks": source.remarks(),
    })
}

struct Tensors {
    count: usize,
    parameters: u64,
    bytes: u64,
    precision: String,
}

/// The totals of a component's tensors. Reads no tensor data.
fn tensors(source: &dyn WeightSource, component: Component) -> Result<Tensors> {
    let tensors = source.tensors(component)?;
    let (mut parameters, mut bytes) = (0, 0);
    let mut precisions = BTreeSet::new();
    let names = tensors.names();
    for name in &names {
        let Some(TensorShape::Known(shape)) = tensors.shape(name) else { continue };
        let elements: u64 = shape.iter().map(|extent| *extent as u64).product();
        parameters += elements;
        if let Some((precision, bits)) = tensors.precision(name) {
            bytes += elements * bits as u64 / 8;
            precisions.insert(precision);
        }
    }
    let precision = precisions.into_iter().collect::<Vec<_>>().join(", ");
    Ok(Tensors { count: names.len(), parameters, bytes, precision })
}

/// A number of parameters in millions: `323.40 M`.
fn millions(parameters: u64) -> String {
    format!("{:.2} M", parameters as f64 / 1e6)
}
