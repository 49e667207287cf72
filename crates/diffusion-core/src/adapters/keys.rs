//! The names of an adapter's tensors, as trainers write them: which part of the model, which layer, and which factor of its change.
//!
//! This module must not depend on models: a layer's name is flattened (`down_blocks_0_attentions_0_proj_in`), and
//! [`super::layer_names`] finds the layer. Invariant: two spellings of one layer become one name. References: kohya-ss' sd-scripts,
//! diffusers' `utils/state_dict_utils.py`, peft, and LyCORIS' `modules`.

use crate::weights::Component;

/// What a tensor is to its layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Role {
    /// LoRA: up times down, with a core between them for a convolution in three factors.
    Up,
    Down,
    Mid,
    /// The change of the bias that peft trains with its up matrix, scaled as the matrices are.
    UpBias,
    Alpha,
    /// DoRA's magnitudes, by row or by column.
    DoraScale,
    /// peft's magnitudes, by row.
    Magnitude,
    /// LoHa: two products, multiplied element by element.
    Hada1A,
    Hada1B,
    Hada1Core,
    Hada2A,
    Hada2B,
    Hada2Core,
    /// LoKr: the Kronecker product of two matrices, each whole or as a product.
    Kron1,
    Kron1A,
    Kron1B,
    Kron2,
    Kron2A,
    Kron2B,
    Kron2Core,
    /// Whole differences.
    Diff,
    DiffBias,
}

impl Role {
    /// The end of the tensor's name as its trainer writes it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Up => "lora_up",
            Self::Down => "lora_down",
            Self::Mid => "lora_mid",
            Self::UpBias => "lora_B.bias",
            Self::Alpha => "alpha",
            Self::DoraScale => "dora_scale",
            Self::Magnitude => "lora_magnitude_vector",
            Self::Hada1A => "hada_w1_a",
            Self::Hada1B => "hada_w1_b",
            Self::Hada1Core => "hada_t1",
            Self::Hada2A => "hada_w2_a",
            Self::Hada2B => "hada_w2_b",
            Self::Hada2Core => "hada_t2",
            Self::Kron1 => "lokr_w1",
            Self::Kron1A => "lokr_w1_a",
            Self::Kron1B => "lokr_w1_b",
            Self::Kron2 => "lokr_w2",
            Self::Kron2A => "lokr_w2_a",
            Self::Kron2B => "lokr_w2_b",
            Self::Kron2Core => "lokr_t2",
            Self::Diff => "diff",
            Self::DiffBias => "diff_b",
        }
    }
}

/// A tensor's role by the end of its name.
const ROLES: &[(&str, Role)] = &[
    (".lora_up.weight", Role::Up),
    (".lora_down.weight", Role::Down),
    (".lora_mid.weight", Role::Mid),
    (".lora_B.weight", Role::Up),
    (".lora_A.weight", Role::Down),
    (".lora_B.bias", Role::UpBias),
    (".lora_B.default.weight", Role::Up),
    (".lora_A.default.weight", Role::Down),
    (".lora_B.default.bias", Role::UpBias),
    (".lora.up.weight", Role::Up),
    (".lora.down.weight", Role::Down),
    ("_lora.up.weight", Role::Up),
    ("_lora.down.weight", Role::Down),
    (".lora_linear_layer.up.weight", Role::Up),
    (".lora_linear_layer.down.weight", Role::Down),
    (".alpha", Role::Alpha),
    (".dora_scale", Role::DoraScale),
    (".lora_magnitude_vector", Role::Magnitude),
    (".lora_magnitude_vector.weight", Role::Magnitude),
    (".lora_magnitude_vector.default.weight", Role::Magnitude),
    (".hada_w1_a", Role::Hada1A),
    (".hada_w1_b", Role::Hada1B),
    (".hada_t1", Role::Hada1Core),
    (".hada_w2_a", Role::Hada2A),
    (".hada_w2_b", Role::Hada2B),
    (".hada_t2", Role::Hada2Core),
    (".lokr_w1", Role::Kron1),
    (".lokr_w1_a", Role::Kron1A),
    (".lokr_w1_b", Role::Kron1B),
    (".lokr_w2", Role::Kron2),
    (".lokr_w2_a", Role::Kron2A),
    (".lokr_w2_b", Role::Kron2B),
    (".lokr_t2", Role::Kron2Core),
    (".diff", Role::Diff),
    (".diff_b", Role::DiffBias),
    (".w_norm", Role::Diff),
    (".b_norm", Role::DiffBias),
];

/// The parts that a prefix names.
const PREFIXES: &[(&str, &[Component])] = &[
    ("lora_unet_", &[Component::Unet]),
    ("lora_te_", &[Component::TextEncoder]),
    ("lora_te1_", &[Component::TextEncoder]),
    ("lora_te2_", &[Component::TextEncoder2]),
    ("lycoris_", &[Component::Unet]),
    ("unet.", &[Component::Unet]),
    ("model.diffusion_model.", &[Component::Unet]),
    ("diffusion_model.", &[Component::Unet]),
    ("text_encoder.", &[Component::TextEncoder]),
    ("text_encoder_2.", &[Component::TextEncoder2]),
];

/// Names without a prefix are of either part: their layers' names differ.
const EITHER: &[Component] = &[Component::Unet, Component::TextEncoder];

/// A layer of an adapter: the parts that may have it, and its flattened name there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct LayerKey {
    pub(super) name: String,
    prefix: &'static str,
}

impl LayerKey {
    /// The name before the layer's, without its dot: "unet", "text_encoder", or kohya-ss' "lora_unet_".
    pub(super) fn prefix(&self) -> &'static str {
        self.prefix.trim_end_matches('.')
    }

    /// The parts of a model that may have the layer.
    pub(super) fn components(&self) -> &'static [Component] {
        PREFIXES.iter().find(|(prefix, _)| *prefix == self.prefix).map_or(EITHER, |(_, components)| components)
    }
}

/// A tensor's layer and its role there; `None` for a name that is no adapter's.
pub(super) fn parse(key: &str) -> Option<(LayerKey, Role)> {
    let (layer, role) = ROLES.iter().find_map(|(end, role)| Some((key.strip_suffix(end)?, *role)))?;
    Some((layer_key(layer), role))
}

/// The key of a layer as an adapter names it, without the tensor.
pub(super) fn layer_key(layer: &str) -> LayerKey {
    let layer = layer.strip_prefix("base_model.model.").unwrap_or(layer);
    let found = PREFIXES.iter().find_map(|(prefix, _)| Some((*prefix, layer.strip_prefix(prefix)?)));
    let (prefix, name) = found.unwrap_or(("", layer));
    LayerKey { name: flatten(&name.replace(".processor.", ".")), prefix }
}

/// A name without its dots, as kohya-ss writes layers.
pub(super) fn flatten(name: &str) -> String {
    name.replace('.', "_")
}

/// The part that a tensor belongs to, for messages.
pub(super) fn component_of(key: &str) -> Component {
    parse(key).and_then(|(layer, _)| layer.components().first().copied()).unwrap_or(Component::Unet)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(key: &str) -> Option<(String, &'static [Component], Role)> {
        parse(key).map(|(layer, role)| (layer.name.clone(), layer.components(), role))
    }

    #[test]
    fn all_spellings_of_a_layer_are_one_name() {
        let name = "down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q".to_owned();
        let dotted = "down_blocks.0.attentions.0.transformer_blocks.0.attn1";
        for key in [
            format!("lora_unet_{name}.lora_up.weight"),
            format!("unet.{dotted}.to_q.lora_B.weight"),
            format!("unet.{dotted}.to_q.lora.up.weight"),
            format!("unet.{dotted}.processor.to_q_lora.up.weight"),
        ] {
            assert_eq!(parsed(&key), Some((name.clone(), &[Component::Unet][..], Role::Up)), "{key}");
        }
        for key in [format!("{dotted}.processor.to_q_lora.up.weight"), format!("base_model.model.{dotted}.to_q.lora_B.default.weight")] {
            assert_eq!(parsed(&key), Some((name.clone(), EITHER, Role::Up)), "{key}");
        }
        let text = "text_model_encoder_layers_3_mlp_fc1".to_owned();
        for key in ["lora_te_text_model_encoder_layers_3_mlp_fc1.lokr_w2_a", "text_encoder.text_model.encoder.layers.3.mlp.fc1.lokr_w2_a"] {
            assert_eq!(parsed(key), Some((text.clone(), &[Component::TextEncoder][..], Role::Kron2A)), "{key}");
        }
        assert_eq!(parsed("lora_te2_text_model_encoder_layers_3_mlp_fc1.alpha"), Some((text, &[Component::TextEncoder2][..], Role::Alpha)));
        assert_eq!(parsed("lora_unet_conv_in.oft_blocks"), None);
    }
}
