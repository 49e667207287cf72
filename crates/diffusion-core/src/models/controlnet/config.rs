//! controlnet/config.json: the fields of a UNet's first half, and those of the control image.
//!
//! Absent fields take the class's defaults. Invariant: a net that does not fit a UNet is refused before it is loaded.

use serde_json::{Value, json};

use crate::{
    Error, Result,
    models::{
        config_reader::ConfigReader,
        unet_2d::{
            UNet2dConfig,
            config::{levels, text_time},
        },
    },
};

const FILE: &str = "controlnet/config.json";

/// controlnet/config.json.
#[derive(Clone, Debug, PartialEq)]
pub struct ControlNetConfig {
    /// The net's copy of a UNet's first half; what a UNet has besides is not used.
    pub unet: UNet2dConfig,
    /// Channels of the control image.
    pub conditioning_channels: usize,
    /// Channels of the control image's embedding, each at half the size of the one before.
    pub conditioning_embedding_out_channels: Vec<usize>,
    /// Whether the control image's channels are read in reverse order.
    pub reversed_channels: bool,
    /// Whether the results are averaged over all pixels.
    pub global_pool_conditions: bool,
}

impl ControlNetConfig {
    /// Parses the net's JSON.
    ///
    /// # Errors
    /// [`Error::Config`] naming the first field that is malformed or not supported.
    pub fn from_json(json: &Value) -> Result<Self> {
        Ok(Self::read(json)?.0)
    }

    /// [`Self::from_json`], with the fields that the class ignores.
    pub(crate) fn read(json: &Value) -> Result<(Self, Vec<String>)> {
        let reader = ConfigReader::new(FILE, json)?;
        refuse_unimplemented(&reader)?;
        let levels = levels(&reader, None)?;
        let first = levels.first().map_or(0, |level| level.channels);
        let mid_types = [("UNetMidBlock2DCrossAttn", true), ("UNetMidBlock2D", false)];
        // This field is not validated if no layer uses it.
        reader.harmless(&["downsample_padding"]);
        let unet = UNet2dConfig {
            sample_size: None,
            in_channels: reader.size("in_channels", 4)?,
            out_channels: 4,
            has_mid_block: true,
            mid_attention: reader.choice("mid_block_type", true, &mid_types)?,
            mid_block_scale_factor: reader.positive("mid_block_scale_factor", 1.0)?,
            downsample_padding: if levels.len() > 1 { reader.count("downsample_padding", 1)? } else { 1 },
            norm_num_groups: reader.size("norm_num_groups", 32)?,
            norm_eps: reader.not_negative("norm_eps", 1e-5)?,
            flip_sin_to_cos: reader.flag("flip_sin_to_cos", true)?,
            freq_shift: reader.number("freq_shift", 0.0)?,
            time_channels: 4 * first,
            time_cond_proj_dim: None,
            text_time: text_time(&reader)?,
            upcast_attention: reader.flag("upcast_attention", false)?,
            conv_in_kernel: 3,
            conv_out_kernel: 3,
            levels,
        };
        unet.check(&reader)?;
        let config = Self {
            conditioning_channels: reader.size("conditioning_channels", 3)?,
            conditioning_embedding_out_channels: reader.sizes("conditioning_embedding_out_channels", &[16, 32, 96, 256])?,
            reversed_channels: reader.choice("controlnet_conditioning_channel_order", false, &[("rgb", false), ("bgr", true)])?,
            global_pool_conditions: reader.flag("global_pool_conditions", false)?,
            unet,
        };
        Ok((config, reader.ignored()))
    }

    /// Pixels of the control image along a side for each latent.
    pub fn factor(&self) -> usize {
        1 << (self.conditioning_embedding_out_channels.len().saturating_sub(1)).min(16)
    }

    /// Refuses a net whose results are not those that `unet` adds, for latents of this many channels and this many pixels along a side.
    ///
    /// # Errors
    /// [`Error::Config`] with the net's value and the model's.
    pub fn check_fit(&self, unet: &UNet2dConfig, latent_channels: usize, pixels_per_latent: usize) -> Result<()> {
        let fail = |field: &str, found: String, model: String| {
            Err(Error::config(FILE, field, format!("{found}, but the model has {model}: use a ControlNet made for this model's family")))
        };
        let widths = |config: &UNet2dConfig| config.levels.iter().map(|level| level.channels).collect::<Vec<_>>();
        let layers = |config: &UNet2dConfig| config.levels.iter().map(|level| level.layers).collect::<Vec<_>>();
        if let (Some(ours), Some(theirs)) = (text_width(&self.unet), text_width(unet))
            && ours != theirs
        {
            return fail("cross_attention_dim", ours.to_string(), theirs.to_string());
        }
        if widths(&self.unet) != widths(unet) {
            return fail("block_out_channels", format!("{:?}", widths(&self.unet)), format!("{:?}", widths(unet)));
        }
        if layers(&self.unet) != layers(unet) {
            return fail("layers_per_block", format!("{:?}", layers(&self.unet)), format!("{:?}", layers(unet)));
        }
        if let Some(ours) = self.unet.text_time {
            match unet.text_time {
                None => return fail("addition_embed_type", "\"text_time\"".into(), "none".into()),
                Some(theirs) if ours != theirs => {
                    let shown = |fields: crate::models::TextTimeConfig| fields.projection_class_embeddings_input_dim.to_string();
                    return fail("projection_class_embeddings_input_dim", shown(ours), shown(theirs));
                }
                Some(_) => {}
            }
        }
        if self.unet.in_channels != latent_channels {
            return fail("in_channels", self.unet.in_channels.to_string(), format!("latents of {latent_channels} channels"));
        }
        if self.factor() != pixels_per_latent {
            let found = format!("{:?} reduces a side by a factor of {}", self.conditioning_embedding_out_channels, self.factor());
            return fail("conditioning_embedding_out_channels", found, format!("{pixels_per_latent} pixels for each latent"));
        }
        if self.conditioning_channels != 3 {
            let reason = format!("unsupported value {}; supported: 3, for control images in colour", self.conditioning_channels);
            return Err(Error::config(FILE, "conditioning_channels", reason));
        }
        Ok(())
    }
}

/// The width of the texts that a model attends to, if it has such attentions.
fn text_width(config: &UNet2dConfig) -> Option<usize> {
    let attends = |level: &&crate::models::UNetLevel| level.down_attention || level.up_attention;
    let middle = config.levels.last().filter(|_| config.mid_attention && config.has_mid_block);
    config.levels.iter().find(attends).or(middle).map(|level| level.cross_attention_dim)
}

/// Refuses fields of the class that enable unimplemented features, and marks those that have no effect at inference.
fn refuse_unimplemented(reader: &ConfigReader<'_>) -> Result<()> {
    for field in ["encoder_hid_dim", "encoder_hid_dim_type", "num_class_embeds"] {
        reader.only(field, &Value::Null)?;
    }
    reader.choice("act_fn", (), &[("silu", ()), ("swish", ())])?;
    reader.none_of("class_embed_type", &["timestep", "identity", "projection", "simple_projection"])?;
    reader.only("resnet_time_scale_shift", &json!("default"))?;
    reader.flag("use_linear_projection", false)?;
    reader.harmless(&["addition_embed_type_num_heads"]);
    Ok(())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::weights::{Component, RandomWeights, WeightSource};

    fn unet(architecture: &str) -> UNet2dConfig {
        UNet2dConfig::from_json(&RandomWeights::new(architecture, 0).unwrap().config(Component::Unet).unwrap()).unwrap()
    }

    #[test]
    fn a_net_of_another_family_is_refused_with_both_values() {
        let net = |config: Value| ControlNetConfig::from_json(&config).unwrap();
        let sd15 = json!({ "cross_attention_dim": 768 });
        assert!(net(sd15.clone()).check_fit(&unet("sd15"), 4, 8).is_ok());
        let refused = |config: Value, architecture: &str| net(config).check_fit(&unet(architecture), 4, 8).unwrap_err().to_string();
        let message = refused(sd15.clone(), "sdxl");
        assert!(message.contains("field cross_attention_dim: 768, but the model has 2048"), "{message}");
        let message = refused(json!({ "cross_attention_dim": 768, "block_out_channels": [320, 640, 1280, 640] }), "sd15");
        assert!(message.contains("[320, 640, 1280, 640], but the model has [320, 640, 1280, 1280]"), "{message}");
        let message = refused(json!({ "cross_attention_dim": 768, "layers_per_block": 1 }), "sd15");
        assert!(message.contains("field layers_per_block"), "{message}");
        let message = refused(json!({ "cross_attention_dim": 768, "in_channels": 9 }), "sd15");
        assert!(message.contains("field in_channels: 9, but the model has latents of 4"), "{message}");
        let message = refused(json!({ "cross_attention_dim": 768, "conditioning_embedding_out_channels": [16, 32] }), "sd15");
        assert!(message.contains("factor of 2, but the model has 8 pixels"), "{message}");
        let message = refused(json!({ "cross_attention_dim": 768, "conditioning_channels": 1 }), "sd15");
        assert!(message.contains("field conditioning_channels: unsupported value 1"), "{message}");
    }

    #[test]
    fn what_is_not_implemented_is_refused_by_name_and_what_is_unknown_is_told() {
        for (field, value) in [
            ("class_embed_type", json!("timestep")),
            ("addition_embed_type", json!("text")),
            ("encoder_hid_dim", json!(8)),
            ("mid_block_type", Value::Null),
            ("controlnet_conditioning_channel_order", json!("gbr")),
            ("conditioning_embedding_out_channels", Value::Null),
            ("transformer_layers_per_block", json!([1, [1, 2], 1, 1])),
            ("norm_num_groups", Value::Null),
        ] {
            let message = ControlNetConfig::from_json(&json!({ field: value })).unwrap_err().to_string();
            assert!(message.starts_with(&format!("{FILE}: field {field}: ")), "{message}");
        }
        let (config, ignored) = ControlNetConfig::read(&json!({ "sample_size": 64, "up_block_types": [] })).unwrap();
        assert_eq!(ignored, ["sample_size", "up_block_types"]);
        assert_eq!((config.factor(), config.conditioning_channels), (8, 3));
    }
}
