//! Maps the tensor names of older diffusers versions to today's.
//!
//! One rule for each component; the models use only today's names:
//! * text encoders: `text_model.` precedes every name (transformers dropped it in 5.6 and accepts both);
//! * VAE attention: `query`, `key`, `value`, `proj_attn` became `to_q`, `to_k`, `to_v`, `to_out.0`, and their weights, once 1x1
//!   convolutions in LDM files, are matrices (diffusers `models/attention_processor.py` and `loaders/single_file_utils.py`);
//! * the image encoder's and the captioner's never changed;
//! * a file of a whole CLIP has an image encoder too, which is left out;
//! * `position_ids` is a buffer that old transformers stored; no model reads it.

use super::{Component, strided::StoredTensor};

/// A stored tensor under today's name and in today's shape; `None` for one that no model reads.
pub(super) fn canonical(component: Component, name: String, tensor: StoredTensor) -> Option<(String, StoredTensor)> {
    match component {
        Component::TextEncoder | Component::TextEncoder2 => text_encoder(name).map(|name| (name, tensor)),
        Component::Vae => Some(vae(name, tensor)),
        Component::ImageEncoder | Component::Captioner => without_position_ids(name).map(|name| (name, tensor)),
        Component::Unet
        | Component::TinyVae
        | Component::ControlNet
        | Component::Upscaler
        | Component::ModelIndex
        | Component::Tokenizer
        | Component::Tokenizer2
        | Component::FeatureExtractor
        | Component::Scheduler => Some((name, tensor)),
    }
}

fn without_position_ids(name: String) -> Option<String> {
    (!name.ends_with(".position_ids")).then_some(name)
}

fn text_encoder(name: String) -> Option<String> {
    // A whole CLIP's file has an image encoder besides.
    let of_images = ["vision_model.", "visual_projection."].iter().any(|start| name.starts_with(start)) || name == "logit_scale";
    if of_images || name == "position_ids" || name.ends_with(".position_ids") {
        return None;
    }
    // The projection is not part of the text model.
    let outside = name.starts_with("text_model.") || name.starts_with("text_projection.");
    Some(if outside { name } else { format!("text_model.{name}") })
}

const VAE_ATTENTION: [(&str, &str); 4] = [("query", "to_q"), ("key", "to_k"), ("value", "to_v"), ("proj_attn", "to_out.0")];

fn vae(name: String, tensor: StoredTensor) -> (String, StoredTensor) {
    if !name.contains(".attentions.") {
        return (name, tensor);
    }
    let Some((path, kind)) = name.rsplit_once('.') else { return (name, tensor) };
    let name = VAE_ATTENTION
        .iter()
        .find_map(|(old, new)| path.strip_suffix(old).filter(|path| path.ends_with('.')).map(|path| format!("{path}{new}.{kind}")))
        .unwrap_or(name);
    let tensor = if name.ends_with(".weight") { tensor.as_matrix() } else { tensor };
    (name, tensor)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::weights::{mapping::WeightFile, strided::Element};

    fn renamed(component: Component, name: &str, shape: &[usize]) -> Option<(String, Vec<usize>)> {
        let file = WeightFile::embedded(PathBuf::from("file"), &[0; 64]);
        let tensor = StoredTensor::contiguous(&file, 0..64, Element::F32, shape.to_vec()).ok()?;
        canonical(component, name.into(), tensor).map(|(name, tensor)| (name, tensor.shape().to_vec()))
    }

    #[test]
    fn text_encoder_names_get_their_prefix_once() {
        let expected = Some(("text_model.final_layer_norm.weight".to_owned(), vec![4]));
        assert_eq!(renamed(Component::TextEncoder, "final_layer_norm.weight", &[4]), expected);
        assert_eq!(renamed(Component::TextEncoder, "text_model.final_layer_norm.weight", &[4]), expected);
        assert_eq!(renamed(Component::TextEncoder, "text_model.embeddings.position_ids", &[1, 4]), None);
        assert_eq!(renamed(Component::TextEncoder, "embeddings.position_ids", &[1, 4]), None);
        let projection = Some(("text_projection.weight".to_owned(), vec![2, 2]));
        assert_eq!(renamed(Component::TextEncoder, "text_projection.weight", &[2, 2]), projection);
    }

    #[test]
    fn image_encoder_names_are_unchanged_and_position_ids_are_omitted() {
        let name = "vision_model.embeddings.position_embedding.weight";
        assert_eq!(renamed(Component::ImageEncoder, name, &[4, 2]), Some((name.to_owned(), vec![4, 2])));
        assert_eq!(renamed(Component::ImageEncoder, "vision_model.embeddings.position_ids", &[1, 4]), None);
    }

    #[test]
    fn vae_attention_gets_its_new_names_and_shapes() {
        for (old, new) in VAE_ATTENTION {
            let weight = format!("decoder.mid_block.attentions.0.{old}.weight");
            let expected = format!("decoder.mid_block.attentions.0.{new}.weight");
            assert_eq!(renamed(Component::Vae, &weight, &[2, 2, 1, 1]), Some((expected.clone(), vec![2, 2])));
            assert_eq!(renamed(Component::Vae, &expected, &[2, 2]), Some((expected, vec![2, 2])));
        }
        let norm = "encoder.mid_block.attentions.0.group_norm.weight";
        assert_eq!(renamed(Component::Vae, norm, &[4]), Some((norm.to_owned(), vec![4])));
        let conv = "quant_conv.weight";
        assert_eq!(renamed(Component::Vae, conv, &[2, 2, 1, 1]), Some((conv.to_owned(), vec![2, 2, 1, 1])));
    }
}
