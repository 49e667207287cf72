//! The layers of a model's part under every name that an adapter may use for them.
//!
//! This module must not depend on adapters. kohya-ss names a layer by its path with underscores for dots: in diffusers' naming for Stable
//! Diffusion 1.x and 2.x, in CompVis' (LDM) for XL; a name cannot be split again, so the model's own names are flattened and looked up.
//! Invariant: one flattened name, one layer.

use std::collections::{BTreeSet, HashMap};

use super::keys::flatten;
use crate::weights::Component;

/// A part's layers by their flattened names.
pub(super) struct LayerNames(HashMap<String, String>);

impl LayerNames {
    /// From the names of the part's tensors.
    pub(super) fn new(component: Component, tensors: &[String]) -> Self {
        let is_parameter = |name: &str| ["weight", "bias"].contains(&name);
        let layers: BTreeSet<&str> = tensors
            .iter()
            .filter_map(|name| name.rsplit_once('.').filter(|(_, kind)| is_parameter(kind)).map(|(layer, _)| layer))
            .collect();
        let mut names = HashMap::new();
        for layer in &layers {
            for alias in aliases(component, layer) {
                names.insert(flatten(&alias), (*layer).to_owned());
            }
        }
        if component == Component::Unet {
            names.extend(ldm_names(&layers).into_iter().map(|(ldm, layer)| (flatten(&ldm), layer)));
        }
        Self(names)
    }

    /// The layer's name in the model.
    pub(super) fn find(&self, flattened: &str) -> Option<&str> {
        self.0.get(flattened).map(String::as_str)
    }
}

/// A diffusers name and its other spellings: old diffusers files end attention's output without its index and name a text encoder's
/// projections as the UNet's; transformers dropped the level `text_model.` in 5.6, and trainers kept it.
fn aliases(component: Component, layer: &str) -> Vec<String> {
    let mut all = vec![layer.to_owned()];
    let ends = [(".to_out.0", ".to_out"), (".q_proj", ".to_q"), (".k_proj", ".to_k"), (".v_proj", ".to_v"), (".out_proj", ".to_out")];
    all.extend(ends.iter().filter_map(|(end, old)| Some(format!("{}{old}", layer.strip_suffix(end)?))));
    if [Component::TextEncoder, Component::TextEncoder2].contains(&component) {
        let with_or_without = |name: &String| name.strip_prefix("text_model.").map_or_else(|| format!("text_model.{name}"), str::to_owned);
        all.extend(all.iter().map(with_or_without).collect::<Vec<_>>());
    }
    all
}

/// The layers of diffusers' blocks under CompVis' names, which number the layers of the down path and of the up path consecutively.
fn ldm_names(layers: &BTreeSet<&str>) -> Vec<(String, String)> {
    let has = |start: &str| layers.iter().any(|layer| layer.starts_with(start));
    let mut names = Vec::new();
    for (diffusers, ldm) in [
        ("time_embedding.linear_1", "time_embed.0"),
        ("time_embedding.linear_2", "time_embed.2"),
        ("add_embedding.linear_1", "label_emb.0.0"),
        ("add_embedding.linear_2", "label_emb.0.2"),
        ("conv_in", "input_blocks.0.0"),
        ("conv_norm_out", "out.0"),
        ("conv_out", "out.2"),
    ] {
        if layers.contains(diffusers) {
            names.push((ldm.to_owned(), diffusers.to_owned()));
        }
    }
    let mut push = |start: &str, ldm: &str, rename: fn(&str) -> Option<&str>| {
        let renamed = layers.iter().filter_map(|layer| Some((layer, layer.strip_prefix(start).and_then(rename)?)));
        names.extend(renamed.map(|(layer, rest)| (format!("{ldm}.{rest}"), (*layer).to_owned())));
    };
    let mut index = 1;
    for block in (0..).take_while(|block| has(&format!("down_blocks.{block}."))) {
        let block = format!("down_blocks.{block}");
        for layer in (0..).take_while(|layer| has(&format!("{block}.resnets.{layer}."))) {
            push(&format!("{block}.resnets.{layer}."), &format!("input_blocks.{index}.0"), resnet);
            push(&format!("{block}.attentions.{layer}."), &format!("input_blocks.{index}.1"), same);
            index += 1;
        }
        if has(&format!("{block}.downsamplers.0.")) {
            push(&format!("{block}.downsamplers.0."), &format!("input_blocks.{index}.0"), |_| Some("op"));
            index += 1;
        }
    }
    push("mid_block.resnets.0.", "middle_block.0", resnet);
    push("mid_block.attentions.0.", "middle_block.1", same);
    push("mid_block.resnets.1.", "middle_block.2", resnet);
    let mut index = 0;
    for block in (0..).take_while(|block| has(&format!("up_blocks.{block}."))) {
        let block = format!("up_blocks.{block}");
        let mut place = 1;
        for layer in (0..).take_while(|layer| has(&format!("{block}.resnets.{layer}."))) {
            push(&format!("{block}.resnets.{layer}."), &format!("output_blocks.{index}.0"), resnet);
            let attention = format!("{block}.attentions.{layer}.");
            push(&attention, &format!("output_blocks.{index}.1"), same);
            place = if has(&attention) { 2 } else { 1 };
            index += 1;
        }
        // The upsampler follows the block's last layer.
        push(&format!("{block}.upsamplers.0."), &format!("output_blocks.{}.{place}", usize::saturating_sub(index, 1)), same);
    }
    names
}

fn same(name: &str) -> Option<&str> {
    Some(name)
}

fn resnet(name: &str) -> Option<&str> {
    Some(match name {
        "norm1" => "in_layers.0",
        "conv1" => "in_layers.2",
        "norm2" => "out_layers.0",
        "conv2" => "out_layers.3",
        "time_emb_proj" => "emb_layers.1",
        "conv_shortcut" => "skip_connection",
        _ => return None,
    })
}
