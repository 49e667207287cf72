//! The files of a ControlNet: a folder in diffusers' layout, or one file with diffusers' tensor names or with those of lllyasviel's original
//! nets, whose architecture is inferred from names and shapes.
//!
//! This module must not depend on what a net computes. Reference: diffusers' `convert_controlnet_checkpoint` in
//! `loaders/single_file_utils.py`; sd-webui-controlnet, which tells from a file's name that its net pools its results.

use std::{
    collections::BTreeMap,
    ops::ControlFlow,
    path::{Path, PathBuf},
    sync::Arc,
};

use serde_json::{Value, json};

use super::{
    Component, DiffusersFolder, StopCheck, TensorShape, TensorSource, WatchedSource, WeightSource, container,
    contents::Contents,
    kinds::{self, GivenAs},
    ldm::LdmPart,
    ldm_unet,
    mapping::{WeightFile, never},
    table::TensorTable,
};
use crate::{Error, Result};

/// The original nets' prefixes: within a checkpoint that holds the base too, and alone.
const PREFIXES: [&str; 2] = ["control_model.", ""];

/// The width of each time id's embedding, which no shape tells; that of every Stable Diffusion XL.
const TIME_ID_CHANNELS: usize = 256;

/// Opens the ControlNet at `path`: a folder with config.json and its weights, or a file.
///
/// # Errors
/// [`Error::File`] if there is no such thing at the path, or it is not a ControlNet of Stable Diffusion; [`Error::Weights`] for tensors that
/// none of these has.
pub fn open_controlnet(path: &Path) -> Result<Box<dyn WeightSource>> {
    open(path, never())
}

/// [`open_controlnet`] that can be stopped: `stop` is asked while a file is read, and when the net is loaded from it before each tensor.
///
/// # Errors
/// As [`open_controlnet`]; [`Error::Cancelled`] if `stop` says so, also for the source's tensors.
pub fn open_controlnet_until(path: &Path, stop: StopCheck) -> Result<Box<dyn WeightSource>> {
    let source = open(path, Arc::clone(&stop))?;
    Ok(Box::new(WatchedSource::new(source, move |_| if stop() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })))
}

fn open(path: &Path, stop: StopCheck) -> Result<Box<dyn WeightSource>> {
    if path.is_dir() {
        return Ok(Box::new(folder(path, stop)?.0));
    }
    Ok(Box::new(ControlNetFile::open(path, &stop)?))
}

/// Refuses a path at which there is no ControlNet of Stable Diffusion, as far as its configuration and the start of its weights tell; no
/// tensor is read. Returns the configuration, if the net is a folder.
///
/// # Errors
/// As [`open_controlnet`].
pub fn check_controlnet(path: &Path) -> Result<Option<Value>> {
    if !path.is_dir() {
        if let Some(found) = container::header(check_exists(path)?, |_| Component::ControlNet)? {
            Names::judge(path, &found.iter().map(|(name, shape)| (name.as_str(), shape.as_slice())).collect::<Vec<_>>())?;
        }
        return Ok(None);
    }
    let (folder, config) = folder(path, never())?;
    if let Some(found) = folder.check_start(Component::ControlNet)? {
        let tensors: Vec<(&str, &[usize])> = found.iter().map(|(name, shape)| (name.as_str(), shape.as_slice())).collect();
        if let Some(reason) = kinds::instead_of(GivenAs::ControlNet, &tensors) {
            return Err(Error::file(path, format!("its weight file {reason}")));
        }
    }
    Ok(Some(config))
}

fn check_exists(path: &Path) -> Result<&Path> {
    if path.exists() { Ok(path) } else { Err(Error::file(path, "does not exist; a ControlNet is a folder or a file")) }
}

/// The folder of a ControlNet in diffusers' layout, and its configuration.
fn folder(path: &Path, stop: StopCheck) -> Result<(DiffusersFolder, Value)> {
    let folder = DiffusersFolder::of_component(path, Component::ControlNet, stop);
    if !folder.config_path(Component::ControlNet).is_file() {
        let what = if path.join(Component::ModelIndex.config_file()).is_file() {
            Some("it holds a whole model: its ControlNet, if it has one, is the folder controlnet in it".to_owned())
        } else {
            kinds::of_folder(path, GivenAs::ControlNet)
        };
        let what = what.map(|what| format!("; {what}")).unwrap_or_default();
        return Err(Error::file(path, format!("has no config.json, so this is no ControlNet's folder{what}")));
    }
    let config = folder.config(Component::ControlNet)?;
    match kinds::class_in(&config) {
        None | Some("ControlNetModel") => Ok((folder, config)),
        Some(other) => {
            let what = kinds::name_of_class(other).map(|is| format!(", {is}")).unwrap_or_default();
            let reason = format!("unsupported value {other:?}{what}; supported: \"ControlNetModel\"");
            Err(Error::config("controlnet/config.json", "_class_name", reason))
        }
    }
}

/// Whose names the tensors of a ControlNet's file have.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Names {
    Diffusers,
    Original,
}

impl Names {
    /// # Errors
    /// [`Error::File`] for a file that holds something else.
    fn judge(path: &Path, tensors: &[(&str, &[usize])]) -> Result<Self> {
        if let Some(reason) = kinds::instead_of(GivenAs::ControlNet, tensors) {
            return Err(Error::file(path, reason));
        }
        let has = |part: &str| tensors.iter().any(|(name, _)| name.contains(part));
        if has("controlnet_cond_embedding.") {
            Ok(Self::Diffusers)
        } else if has("input_hint_block.") {
            Ok(Self::Original)
        } else {
            let reason = "is not a ControlNet: it embeds no control image (controlnet_cond_embedding, or input_hint_block)";
            Err(Error::file(path, reason))
        }
    }
}

/// A ControlNet in one file.
struct ControlNetFile {
    path: PathBuf,
    config: Value,
    tensors: Arc<TensorTable>,
    remarks: Vec<String>,
}

impl ControlNetFile {
    /// Reads names and shapes; no weights.
    fn open(path: &Path, stop: &StopCheck) -> Result<Self> {
        // Read, not mapped: people add and replace such files while a server runs.
        let file = WeightFile::read(check_exists(path)?.to_owned(), stop)?;
        let Contents { tensors, .. } = container::contents(&file, |_| Component::ControlNet)?;
        let shapes: Vec<(&str, &[usize])> = tensors.iter().map(|(name, tensor)| (name.as_str(), tensor.shape())).collect();
        let table = match Names::judge(path, &shapes)? {
            Names::Diffusers => {
                let mut table = TensorTable::new(Component::ControlNet, path);
                for (name, tensor) in tensors {
                    table.insert(name, tensor)?;
                }
                table
            }
            Names::Original => original(&LdmPart::new(Component::ControlNet, path.to_owned(), &PREFIXES, &tensors))?,
        };
        let mut config = Shapes::of(&table, path).config()?;
        let mut remarks = Vec::new();
        let name = path.file_stem().unwrap_or_default().to_string_lossy().to_lowercase();
        if let Some(fields) = config.as_object_mut().filter(|_| name.contains("shuffle")) {
            fields.insert("global_pool_conditions".into(), json!(true));
            remarks.push("its name contains \"shuffle\", so its results are averaged over all pixels, as such nets were trained".into());
        }
        Ok(Self { path: path.to_owned(), config, tensors: Arc::new(table), remarks })
    }
}

/// The tensors of an original net under diffusers' names.
fn original(part: &LdmPart) -> Result<TensorTable> {
    let layout = ldm_unet::Layout::infer_down(part, part.has_any("label_emb."))?;
    // Convolutions lie between SiLUs, at even places.
    let last = part.names().filter_map(|name| hint(name).map(|(place, _)| place)).max().unwrap_or(0);
    part.rename(|name, tensor| {
        let renamed = if let Some((place, rest)) = hint(name) {
            Some(match place / 2 {
                _ if place == last => format!("controlnet_cond_embedding.conv_out.{rest}"),
                0 => format!("controlnet_cond_embedding.conv_in.{rest}"),
                index => format!("controlnet_cond_embedding.blocks.{}.{rest}", index - 1),
            })
        } else if let Some(rest) = name.strip_prefix("zero_convs.") {
            rest.split_once(".0.").map(|(index, rest)| format!("controlnet_down_blocks.{index}.{rest}"))
        } else if let Some(rest) = name.strip_prefix("middle_block_out.0.") {
            Some(format!("controlnet_mid_block.{rest}"))
        } else {
            layout.rename(name)
        };
        let Some(renamed) = renamed else {
            return Err(part.fail(name, "unsupported: a ControlNet of Stable Diffusion has no such tensor"));
        };
        Ok(vec![(renamed, tensor.clone())])
    })
}

/// The place in the control image's embedding, and the rest of the name.
fn hint(name: &str) -> Option<(usize, &str)> {
    super::ldm::numbered(name.strip_prefix("input_hint_block.")?)
}

/// The shapes of a net's tensors under diffusers' names.
struct Shapes<'a> {
    path: &'a Path,
    all: BTreeMap<String, Vec<usize>>,
}

impl<'a> Shapes<'a> {
    fn of(table: &TensorTable, path: &'a Path) -> Self {
        let shape = |name: String| match table.shape(&name) {
            Some(TensorShape::Known(shape)) => Some((name, shape)),
            Some(TensorShape::Any) | None => None,
        };
        Self { path, all: table.names().into_iter().filter_map(shape).collect() }
    }

    fn fail(&self, tensor: &str, reason: impl Into<String>) -> Error {
        Error::Weights { component: Component::ControlNet, file: self.path.to_owned(), tensor: tensor.to_owned(), reason: reason.into() }
    }

    fn dimension(&self, name: &str, axis: usize) -> Result<usize> {
        let shape = self.all.get(name).ok_or_else(|| self.fail(name, "missing"))?;
        shape.get(axis).copied().ok_or_else(|| self.fail(name, format!("expected {} dimensions or more, found shape {shape:?}", axis + 1)))
    }

    fn has_any(&self, start: &str) -> bool {
        self.all.range(start.to_owned()..).next().is_some_and(|(name, _)| name.starts_with(start))
    }

    /// The first `n` for which no tensor's name starts with `start(n)`.
    fn count(&self, start: impl Fn(usize) -> String) -> usize {
        (0..).take_while(|index| self.has_any(&start(*index))).count()
    }

    /// The number of transformer layers after each residual block; the same after all of these blocks.
    fn depth(&self, block: &str, layers: usize) -> Result<usize> {
        let depth = |layer: usize| self.count(|index| format!("{block}.attentions.{layer}.transformer_blocks.{index}."));
        let first = depth(0);
        if (1..layers).all(|layer| depth(layer) == first) {
            return Ok(first);
        }
        Err(self.fail(&format!("{block}.attentions"), "unsupported: transformers of different depths within a block"))
    }

    /// The configuration that diffusers would write.
    fn config(&self) -> Result<Value> {
        let blocks = self.count(|block| format!("down_blocks.{block}.resnets."));
        let layers = self.count(|layer| format!("down_blocks.0.resnets.{layer}."));
        let (mut channels, mut types, mut depths) = (Vec::new(), Vec::new(), Vec::new());
        let mid_attends = self.has_any("mid_block.attentions.");
        for block in 0..blocks {
            let name = format!("down_blocks.{block}");
            channels.push(self.dimension(&format!("{name}.resnets.0.conv1.weight"), 0)?);
            let attends = self.has_any(&format!("{name}.attentions."));
            types.push(if attends { "CrossAttnDownBlock2D" } else { "DownBlock2D" });
            depths.push(if attends { self.depth(&name, layers)? } else { 1 });
        }
        if let (Some(last), Some(kind), true) = (depths.last_mut(), types.last(), mid_attends) {
            let middle = self.depth("mid_block", 1)?;
            if *kind == "CrossAttnDownBlock2D" && *last != middle {
                return Err(self.fail("mid_block.attentions", "unsupported: a transformer of another depth than in the last block"));
            }
            *last = middle;
        }
        let transformer = self.all.keys().find(|name| name.ends_with(".attentions.0.proj_in.weight"));
        let linear = transformer.is_some_and(|name| self.all.get(name).is_some_and(|shape| shape.len() == 2));
        let text_width =
            self.all.iter().find(|(name, _)| name.ends_with(".attn2.to_k.weight")).and_then(|(_, shape)| shape.get(1).copied());
        let embedding = "controlnet_cond_embedding";
        let mut widths = vec![self.dimension(&format!("{embedding}.conv_in.weight"), 0)?];
        for block in (1..self.count(|index| format!("{embedding}.blocks.{index}."))).step_by(2) {
            widths.push(self.dimension(&format!("{embedding}.blocks.{block}.weight"), 0)?);
        }
        // As in Stable Diffusion's UNets: eight heads between 1x1 convolutions, heads of 64 channels between linear layers.
        let heads: Vec<usize> = channels.iter().map(|channels| if linear { (channels / 64).max(1) } else { 8 }).collect();
        let has_pooled = self.has_any("add_embedding.");
        let mut config = json!({
            "_class_name": "ControlNetModel",
            "attention_head_dim": heads,
            "block_out_channels": channels,
            "conditioning_channels": self.dimension(&format!("{embedding}.conv_in.weight"), 1)?,
            "conditioning_embedding_out_channels": widths,
            "cross_attention_dim": text_width.unwrap_or(768),
            "down_block_types": types,
            "in_channels": self.dimension("conv_in.weight", 1)?,
            "layers_per_block": layers,
            "mid_block_type": if mid_attends { "UNetMidBlock2DCrossAttn" } else { "UNetMidBlock2D" },
            "transformer_layers_per_block": depths,
            "upcast_attention": linear && !has_pooled,
            "use_linear_projection": linear,
        });
        if let Some(fields) = config.as_object_mut().filter(|_| has_pooled) {
            fields.insert("addition_embed_type".into(), json!("text_time"));
            fields.insert("addition_time_embed_dim".into(), json!(TIME_ID_CHANNELS));
            let inputs = self.dimension("add_embedding.linear_1.weight", 1)?;
            fields.insert("projection_class_embeddings_input_dim".into(), json!(inputs));
        }
        Ok(config)
    }
}

impl WeightSource for ControlNetFile {
    fn name(&self) -> String {
        self.path.display().to_string()
    }

    fn config(&self, component: Component) -> Result<Value> {
        if component == Component::ControlNet { Ok(self.config.clone()) } else { Err(self.has_no(component)) }
    }

    fn file(&self, _: Component, _: &str) -> Result<Option<Vec<u8>>> {
        Ok(None)
    }

    fn tensors(&self, component: Component) -> Result<Arc<dyn TensorSource>> {
        if component == Component::ControlNet { Ok(Arc::<TensorTable>::clone(&self.tensors)) } else { Err(self.has_no(component)) }
    }

    fn remarks(&self) -> Vec<String> {
        self.remarks.clone()
    }
}

impl ControlNetFile {
    fn has_no(&self, component: Component) -> Error {
        Error::file(&self.path, format!("has no {component}: it is a ControlNet"))
    }
}
