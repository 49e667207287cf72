//! The configuration files of the named architectures.
//!
//! Data only. The values of sd15 and sd21 are those of the published models' own config files (stable-diffusion-v1-5,
//! stable-diffusion-2-1); tiny-sd is BK-SDM-Tiny's UNet (`src/unet_config/bk_tiny/config.json` of Nota-NetsPresso/BK-SDM) with Stable
//! Diffusion 1.5's other components; nano-sd has the embedded model's shape but OpenAI's vocabulary, because it brings no tokenizer here;
//! sd-turbo is sd21 with the published model's size, and with TAESD as sdxl-turbo; sdxl and sdxl-turbo are stable-diffusion-xl-base-1.0 and sdxl-turbo; svd and svd-xt are those of stable-video-diffusion-img2vid and
//! -img2vid-xt, which differ in the number of frames; nano-svd has the embedded video model's shape.

use serde_json::Value;

use super::Component;
use crate::{Error, Result};

/// One architecture: the contents of its configuration files.
pub(super) struct Architecture {
    /// The name for [`super::RandomWeights`].
    pub(super) name: &'static str,
    configs: &'static [(Component, &'static str)],
}

impl Architecture {
    /// A component's configuration file.
    ///
    /// # Errors
    /// [`Error::File`] if the architecture has no such component.
    pub(super) fn config(&self, component: Component) -> Result<&'static str> {
        let found = self.configs.iter().find(|(part, _)| *part == component).map(|(_, text)| *text);
        found.ok_or_else(|| Error::file(self.name, format!("has no {component}")))
    }

    /// The architecture's components.
    pub(super) fn components(&self) -> impl Iterator<Item = Component> {
        self.configs.iter().map(|(component, _)| *component)
    }
}

/// An architecture with Stable Diffusion's components.
macro_rules! stable_diffusion {
    ($name:literal, $unet:expr, $vae:expr, $text_encoder:expr, $tokenizer:expr, $scheduler:expr $(, $tiny_vae:expr)?) => {
        Architecture {
            name: $name,
            configs: &[
                (Component::ModelIndex, MODEL_INDEX),
                (Component::Unet, $unet),
                (Component::Vae, $vae),
                $((Component::TinyVae, $tiny_vae),)?
                (Component::TextEncoder, $text_encoder),
                (Component::Tokenizer, $tokenizer),
                (Component::Scheduler, $scheduler),
            ],
        }
    };
}

/// An architecture with Stable Diffusion XL's components.
macro_rules! stable_diffusion_xl {
    ($name:literal, $unet:expr, $scheduler:expr $(, $tiny_vae:expr)?) => {
        Architecture {
            name: $name,
            configs: &[
                (Component::ModelIndex, XL_MODEL_INDEX),
                (Component::Unet, $unet),
                (Component::Vae, SDXL_VAE),
                $((Component::TinyVae, $tiny_vae),)?
                (Component::TextEncoder, CLIP_L),
                (Component::TextEncoder2, OPENCLIP_BIG_G),
                (Component::Tokenizer, CLIP_TOKENIZER),
                (Component::Tokenizer2, OPENCLIP_TOKENIZER),
                (Component::Scheduler, $scheduler),
            ],
        }
    };
}

/// A model_index.json that names this scheduler file's class: if the two differ, the index takes precedence.
pub(super) fn with_scheduler(mut index: Value, scheduler: &Value) -> Value {
    if let (Some(class), Some(entry)) = (scheduler.get("_class_name"), index.get_mut("scheduler")) {
        *entry = Value::from(vec![Value::from("diffusers"), class.clone()]);
    }
    index
}

/// An architecture with Stable Video Diffusion's components.
macro_rules! stable_video_diffusion {
    ($name:literal, $unet:expr, $vae:expr, $image_encoder:expr, $scheduler:expr) => {
        Architecture {
            name: $name,
            configs: &[
                (Component::ModelIndex, VIDEO_MODEL_INDEX),
                (Component::Unet, $unet),
                (Component::Vae, $vae),
                (Component::ImageEncoder, $image_encoder),
                (Component::FeatureExtractor, CLIP_IMAGES),
                (Component::Scheduler, $scheduler),
            ],
        }
    };
}

/// All named architectures.
pub(super) const ALL: [Architecture; 10] = [
    stable_diffusion!("tiny-sd", TINY_UNET, SD_VAE, CLIP_L, CLIP_TOKENIZER, DPM_SOLVER),
    stable_diffusion!("sd15", SD15_UNET, SD_VAE, CLIP_L, CLIP_TOKENIZER, PNDM),
    stable_diffusion!("sd21", SD21_UNET, SD_VAE, OPENCLIP_H, OPENCLIP_TOKENIZER, DDIM_V),
    stable_diffusion!("sd-turbo", SD_TURBO_UNET, SD_VAE, OPENCLIP_H, OPENCLIP_TOKENIZER, EULER_TRAILING, TAESD),
    stable_diffusion!("nano-sd", NANO_UNET, NANO_VAE, NANO_TEXT, CLIP_TOKENIZER, DDIM),
    stable_video_diffusion!("svd", SVD_UNET, SVD_VAE, CLIP_VISION_H, EULER_V),
    stable_video_diffusion!("svd-xt", SVD_XT_UNET, SVD_VAE, CLIP_VISION_H, EULER_V),
    stable_video_diffusion!("nano-svd", NANO_VIDEO_UNET, NANO_VIDEO_VAE, NANO_VISION, NANO_EULER_V),
    stable_diffusion_xl!("sdxl", SDXL_UNET, EULER_LEADING),
    stable_diffusion_xl!("sdxl-turbo", SDXL_TURBO_UNET, EULER_ANCESTRAL_TRAILING, TAESD),
];

/// The index of a Stable Diffusion pipeline; the scheduler's own file names its class.
pub(super) const MODEL_INDEX: &str = r#"{
  "_class_name": "StableDiffusionPipeline",
  "scheduler": ["diffusers", "DDIMScheduler"],
  "text_encoder": ["transformers", "CLIPTextModel"],
  "tokenizer": ["transformers", "CLIPTokenizer"],
  "unet": ["diffusers", "UNet2DConditionModel"],
  "vae": ["diffusers", "AutoencoderKL"]
}"#;

/// The index of a Stable Diffusion XL pipeline.
pub(super) const XL_MODEL_INDEX: &str = r#"{
  "_class_name": "StableDiffusionXLPipeline",
  "force_zeros_for_empty_prompt": true,
  "scheduler": ["diffusers", "EulerDiscreteScheduler"],
  "text_encoder": ["transformers", "CLIPTextModel"],
  "text_encoder_2": ["transformers", "CLIPTextModelWithProjection"],
  "tokenizer": ["transformers", "CLIPTokenizer"],
  "tokenizer_2": ["transformers", "CLIPTokenizer"],
  "unet": ["diffusers", "UNet2DConditionModel"],
  "vae": ["diffusers", "AutoencoderKL"]
}"#;

/// The index of Stable Diffusion XL's refiner.
pub(super) const REFINER_MODEL_INDEX: &str = r#"{
  "_class_name": "StableDiffusionXLImg2ImgPipeline",
  "force_zeros_for_empty_prompt": false,
  "requires_aesthetics_score": true,
  "scheduler": ["diffusers", "EulerDiscreteScheduler"],
  "text_encoder": [null, null],
  "text_encoder_2": ["transformers", "CLIPTextModelWithProjection"],
  "tokenizer": [null, null],
  "tokenizer_2": ["transformers", "CLIPTokenizer"],
  "unet": ["diffusers", "UNet2DConditionModel"],
  "vae": ["diffusers", "AutoencoderKL"]
}"#;

/// The index of a Stable Video Diffusion pipeline.
pub(super) const VIDEO_MODEL_INDEX: &str = r#"{
  "_class_name": "StableVideoDiffusionPipeline",
  "feature_extractor": ["transformers", "CLIPImageProcessor"],
  "image_encoder": ["transformers", "CLIPVisionModelWithProjection"],
  "scheduler": ["diffusers", "EulerDiscreteScheduler"],
  "unet": ["diffusers", "UNetSpatioTemporalConditionModel"],
  "vae": ["diffusers", "AutoencoderKLTemporalDecoder"]
}"#;

const TINY_UNET: &str = r#"{
  "_class_name": "UNet2DConditionModel", "act_fn": "silu", "attention_head_dim": 8, "block_out_channels": [320, 640, 1280],
  "center_input_sample": false, "class_embed_type": null, "conv_in_kernel": 3, "conv_out_kernel": 3, "cross_attention_dim": 768,
  "down_block_types": ["CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"], "downsample_padding": 1,
  "dual_cross_attention": false, "flip_sin_to_cos": true, "freq_shift": 0, "in_channels": 4, "layers_per_block": 1,
  "mid_block_scale_factor": 1, "mid_block_type": null, "norm_eps": 1e-05, "norm_num_groups": 32, "num_class_embeds": null,
  "only_cross_attention": false, "out_channels": 4, "resnet_time_scale_shift": "default", "sample_size": 64,
  "time_cond_proj_dim": null, "time_embedding_type": "positional",
  "up_block_types": ["CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"], "upcast_attention": false,
  "use_linear_projection": false
}"#;

const SD15_UNET: &str = r#"{
  "_class_name": "UNet2DConditionModel", "act_fn": "silu", "attention_head_dim": 8, "block_out_channels": [320, 640, 1280, 1280],
  "center_input_sample": false, "cross_attention_dim": 768,
  "down_block_types": ["CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"],
  "downsample_padding": 1, "flip_sin_to_cos": true, "freq_shift": 0, "in_channels": 4, "layers_per_block": 2,
  "mid_block_scale_factor": 1, "norm_eps": 1e-05, "norm_num_groups": 32, "out_channels": 4, "sample_size": 64,
  "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"]
}"#;

const SD21_UNET: &str = r#"{
  "_class_name": "UNet2DConditionModel", "act_fn": "silu", "attention_head_dim": [5, 10, 20, 20],
  "block_out_channels": [320, 640, 1280, 1280], "center_input_sample": false, "cross_attention_dim": 1024,
  "down_block_types": ["CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"],
  "downsample_padding": 1, "dual_cross_attention": false, "flip_sin_to_cos": true, "freq_shift": 0, "in_channels": 4,
  "layers_per_block": 2, "mid_block_scale_factor": 1, "norm_eps": 1e-05, "norm_num_groups": 32, "num_class_embeds": null,
  "only_cross_attention": false, "out_channels": 4, "sample_size": 96,
  "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"], "upcast_attention": true,
  "use_linear_projection": true
}"#;

const SD_TURBO_UNET: &str = r#"{
  "_class_name": "UNet2DConditionModel", "act_fn": "silu", "attention_head_dim": [5, 10, 20, 20],
  "block_out_channels": [320, 640, 1280, 1280], "center_input_sample": false, "cross_attention_dim": 1024,
  "down_block_types": ["CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"],
  "downsample_padding": 1, "dual_cross_attention": false, "flip_sin_to_cos": true, "freq_shift": 0, "in_channels": 4,
  "layers_per_block": 2, "mid_block_scale_factor": 1, "norm_eps": 1e-05, "norm_num_groups": 32, "num_class_embeds": null,
  "only_cross_attention": false, "out_channels": 4, "sample_size": 64,
  "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"], "upcast_attention": null,
  "use_linear_projection": true
}"#;

const SDXL_UNET: &str = r#"{
  "_class_name": "UNet2DConditionModel", "act_fn": "silu", "addition_embed_type": "text_time", "addition_embed_type_num_heads": 64,
  "addition_time_embed_dim": 256, "attention_head_dim": [5, 10, 20], "block_out_channels": [320, 640, 1280],
  "center_input_sample": false, "class_embed_type": null, "cross_attention_dim": 2048,
  "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"], "downsample_padding": 1,
  "dual_cross_attention": false, "flip_sin_to_cos": true, "freq_shift": 0, "in_channels": 4, "layers_per_block": 2,
  "mid_block_scale_factor": 1, "mid_block_type": "UNetMidBlock2DCrossAttn", "norm_eps": 1e-05, "norm_num_groups": 32,
  "num_attention_heads": null, "num_class_embeds": null, "only_cross_attention": false, "out_channels": 4,
  "projection_class_embeddings_input_dim": 2816, "resnet_time_scale_shift": "default", "sample_size": 128,
  "time_cond_proj_dim": null, "time_embedding_type": "positional", "transformer_layers_per_block": [1, 2, 10],
  "up_block_types": ["CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"], "upcast_attention": null, "use_linear_projection": true
}"#;

const SDXL_TURBO_UNET: &str = r#"{
  "_class_name": "UNet2DConditionModel", "act_fn": "silu", "addition_embed_type": "text_time", "addition_embed_type_num_heads": 64,
  "addition_time_embed_dim": 256, "attention_head_dim": [5, 10, 20], "block_out_channels": [320, 640, 1280],
  "center_input_sample": false, "class_embed_type": null, "cross_attention_dim": 2048,
  "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"], "downsample_padding": 1,
  "dual_cross_attention": false, "flip_sin_to_cos": true, "freq_shift": 0, "in_channels": 4, "layers_per_block": 2,
  "mid_block_scale_factor": 1, "mid_block_type": "UNetMidBlock2DCrossAttn", "norm_eps": 1e-05, "norm_num_groups": 32,
  "num_attention_heads": null, "num_class_embeds": null, "only_cross_attention": false, "out_channels": 4,
  "projection_class_embeddings_input_dim": 2816, "resnet_time_scale_shift": "default", "sample_size": 64,
  "time_cond_proj_dim": null, "time_embedding_type": "positional", "transformer_layers_per_block": [1, 2, 10],
  "up_block_types": ["CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"], "upcast_attention": null, "use_linear_projection": true
}"#;

const SVD_UNET: &str = r#"{
  "_class_name": "UNetSpatioTemporalConditionModel", "addition_time_embed_dim": 256, "block_out_channels": [320, 640, 1280, 1280],
  "cross_attention_dim": 1024,
  "down_block_types": [
    "CrossAttnDownBlockSpatioTemporal", "CrossAttnDownBlockSpatioTemporal", "CrossAttnDownBlockSpatioTemporal",
    "DownBlockSpatioTemporal"
  ],
  "in_channels": 8, "layers_per_block": 2, "num_attention_heads": [5, 10, 20, 20], "num_frames": 14, "out_channels": 4,
  "projection_class_embeddings_input_dim": 768, "sample_size": 96, "transformer_layers_per_block": 1,
  "up_block_types": [
    "UpBlockSpatioTemporal", "CrossAttnUpBlockSpatioTemporal", "CrossAttnUpBlockSpatioTemporal", "CrossAttnUpBlockSpatioTemporal"
  ]
}"#;

const SVD_XT_UNET: &str = r#"{
  "_class_name": "UNetSpatioTemporalConditionModel", "addition_time_embed_dim": 256, "block_out_channels": [320, 640, 1280, 1280],
  "cross_attention_dim": 1024,
  "down_block_types": [
    "CrossAttnDownBlockSpatioTemporal", "CrossAttnDownBlockSpatioTemporal", "CrossAttnDownBlockSpatioTemporal",
    "DownBlockSpatioTemporal"
  ],
  "in_channels": 8, "layers_per_block": 2, "num_attention_heads": [5, 10, 20, 20], "num_frames": 25, "out_channels": 4,
  "projection_class_embeddings_input_dim": 768, "sample_size": 96, "transformer_layers_per_block": 1,
  "up_block_types": [
    "UpBlockSpatioTemporal", "CrossAttnUpBlockSpatioTemporal", "CrossAttnUpBlockSpatioTemporal", "CrossAttnUpBlockSpatioTemporal"
  ]
}"#;

const NANO_VIDEO_UNET: &str = r#"{
  "_class_name": "UNetSpatioTemporalConditionModel", "addition_time_embed_dim": 32, "block_out_channels": [96, 96],
  "cross_attention_dim": 32, "down_block_types": ["DownBlockSpatioTemporal", "CrossAttnDownBlockSpatioTemporal"], "in_channels": 8,
  "layers_per_block": 1, "num_attention_heads": [3, 3], "num_frames": 8, "out_channels": 4,
  "projection_class_embeddings_input_dim": 96, "sample_size": 16, "transformer_layers_per_block": 1,
  "up_block_types": ["UpBlockSpatioTemporal", "UpBlockSpatioTemporal"]
}"#;

const NANO_UNET: &str = r#"{
  "_class_name": "UNet2DConditionModel", "act_fn": "silu", "attention_head_dim": [2, 3, 4], "block_out_channels": [64, 96, 128],
  "center_input_sample": false, "cross_attention_dim": 128,
  "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"], "downsample_padding": 1,
  "flip_sin_to_cos": true, "freq_shift": 0, "in_channels": 4, "layers_per_block": 1, "mid_block_scale_factor": 1,
  "mid_block_type": "UNetMidBlock2DCrossAttn", "norm_eps": 1e-05, "norm_num_groups": 16, "out_channels": 4, "sample_size": 16,
  "up_block_types": ["CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"]
}"#;

/// Stable Diffusion's autoencoder. Its versions' files differ only in `sample_size`, which nothing here uses, so it is omitted.
const SD_VAE: &str = r#"{
  "_class_name": "AutoencoderKL", "act_fn": "silu", "block_out_channels": [128, 256, 512, 512],
  "down_block_types": ["DownEncoderBlock2D", "DownEncoderBlock2D", "DownEncoderBlock2D", "DownEncoderBlock2D"], "in_channels": 3,
  "latent_channels": 4, "layers_per_block": 2, "norm_num_groups": 32, "out_channels": 3, "scaling_factor": 0.18215,
  "up_block_types": ["UpDecoderBlock2D", "UpDecoderBlock2D", "UpDecoderBlock2D", "UpDecoderBlock2D"]
}"#;

/// TAESD; Stable Diffusion XL's version differs in its weights only.
const TAESD: &str = r#"{
  "_class_name": "AutoencoderTiny", "act_fn": "relu", "decoder_block_out_channels": [64, 64, 64, 64],
  "encoder_block_out_channels": [64, 64, 64, 64], "in_channels": 3, "latent_channels": 4, "num_decoder_blocks": [3, 3, 3, 1],
  "num_encoder_blocks": [1, 3, 3, 3], "out_channels": 3, "scaling_factor": 1.0, "upsampling_scaling_factor": 2
}"#;

/// Stable Diffusion XL's autoencoder, whose activations exceed f16.
const SDXL_VAE: &str = r#"{
  "_class_name": "AutoencoderKL", "act_fn": "silu", "block_out_channels": [128, 256, 512, 512],
  "down_block_types": ["DownEncoderBlock2D", "DownEncoderBlock2D", "DownEncoderBlock2D", "DownEncoderBlock2D"], "force_upcast": true,
  "in_channels": 3, "latent_channels": 4, "layers_per_block": 2, "norm_num_groups": 32, "out_channels": 3, "sample_size": 1024,
  "scaling_factor": 0.13025,
  "up_block_types": ["UpDecoderBlock2D", "UpDecoderBlock2D", "UpDecoderBlock2D", "UpDecoderBlock2D"]
}"#;

const NANO_VAE: &str = r#"{
  "_class_name": "AutoencoderKL", "act_fn": "silu", "block_out_channels": [16, 32, 64, 64],
  "down_block_types": ["DownEncoderBlock2D", "DownEncoderBlock2D", "DownEncoderBlock2D", "DownEncoderBlock2D"], "in_channels": 3,
  "latent_channels": 4, "layers_per_block": 1, "norm_num_groups": 4, "out_channels": 3, "sample_size": 128,
  "scaling_factor": 0.4969,
  "up_block_types": ["UpDecoderBlock2D", "UpDecoderBlock2D", "UpDecoderBlock2D", "UpDecoderBlock2D"]
}"#;

/// The temporal autoencoder of both video models.
const SVD_VAE: &str = r#"{
  "_class_name": "AutoencoderKLTemporalDecoder", "block_out_channels": [128, 256, 512, 512],
  "down_block_types": ["DownEncoderBlock2D", "DownEncoderBlock2D", "DownEncoderBlock2D", "DownEncoderBlock2D"],
  "force_upcast": true, "in_channels": 3, "latent_channels": 4, "layers_per_block": 2, "out_channels": 3, "sample_size": 768,
  "scaling_factor": 0.18215
}"#;

const NANO_VIDEO_VAE: &str = r#"{
  "_class_name": "AutoencoderKLTemporalDecoder", "block_out_channels": [64, 64, 64, 96],
  "down_block_types": ["DownEncoderBlock2D", "DownEncoderBlock2D", "DownEncoderBlock2D", "DownEncoderBlock2D"],
  "force_upcast": false, "in_channels": 3, "latent_channels": 4, "layers_per_block": 1, "out_channels": 3, "sample_size": 128,
  "scaling_factor": 0.4969
}"#;

/// OpenCLIP's ViT-H/14.
const CLIP_VISION_H: &str = r#"{
  "architectures": ["CLIPVisionModelWithProjection"], "attention_dropout": 0.0, "dropout": 0.0, "hidden_act": "gelu",
  "hidden_size": 1280, "image_size": 224, "initializer_factor": 1.0, "initializer_range": 0.02, "intermediate_size": 5120,
  "layer_norm_eps": 1e-05, "model_type": "clip_vision_model", "num_attention_heads": 16, "num_channels": 3, "num_hidden_layers": 32,
  "patch_size": 14, "projection_dim": 1024, "torch_dtype": "float32"
}"#;

const NANO_VISION: &str = r#"{
  "architectures": ["CLIPVisionModelWithProjection"], "attention_dropout": 0.0, "hidden_act": "gelu", "hidden_size": 32,
  "image_size": 224, "intermediate_size": 64, "layer_norm_eps": 1e-05, "model_type": "clip_vision_model", "num_attention_heads": 2,
  "num_channels": 3, "num_hidden_layers": 1, "patch_size": 32, "projection_dim": 32
}"#;

/// The image preprocessing for these image encoders.
pub(super) const CLIP_IMAGES: &str = r#"{
  "crop_size": {"height": 224, "width": 224}, "do_center_crop": true, "do_convert_rgb": true, "do_normalize": true,
  "do_rescale": true, "do_resize": true, "feature_extractor_type": "CLIPFeatureExtractor",
  "image_mean": [0.48145466, 0.4578275, 0.40821073], "image_processor_type": "CLIPImageProcessor",
  "image_std": [0.26862954, 0.26130258, 0.27577711], "resample": 3, "rescale_factor": 0.00392156862745098,
  "size": {"shortest_edge": 224}
}"#;

const CLIP_L: &str = r#"{
  "architectures": ["CLIPTextModel"], "attention_dropout": 0.0, "bos_token_id": 0, "dropout": 0.0, "eos_token_id": 2,
  "hidden_act": "quick_gelu", "hidden_size": 768, "initializer_factor": 1.0, "initializer_range": 0.02, "intermediate_size": 3072,
  "layer_norm_eps": 1e-05, "max_position_embeddings": 77, "model_type": "clip_text_model", "num_attention_heads": 12,
  "num_hidden_layers": 12, "pad_token_id": 1, "projection_dim": 768, "torch_dtype": "float32", "vocab_size": 49408
}"#;

const OPENCLIP_H: &str = r#"{
  "architectures": ["CLIPTextModel"], "attention_dropout": 0.0, "bos_token_id": 0, "dropout": 0.0, "eos_token_id": 2,
  "hidden_act": "gelu", "hidden_size": 1024, "initializer_factor": 1.0, "initializer_range": 0.02, "intermediate_size": 4096,
  "layer_norm_eps": 1e-05, "max_position_embeddings": 77, "model_type": "clip_text_model", "num_attention_heads": 16,
  "num_hidden_layers": 23, "pad_token_id": 1, "projection_dim": 512, "torch_dtype": "float32", "vocab_size": 49408
}"#;

/// OpenCLIP's ViT-bigG/14.
const OPENCLIP_BIG_G: &str = r#"{
  "architectures": ["CLIPTextModelWithProjection"], "attention_dropout": 0.0, "bos_token_id": 0, "dropout": 0.0, "eos_token_id": 2,
  "hidden_act": "gelu", "hidden_size": 1280, "initializer_factor": 1.0, "initializer_range": 0.02, "intermediate_size": 5120,
  "layer_norm_eps": 1e-05, "max_position_embeddings": 77, "model_type": "clip_text_model", "num_attention_heads": 20,
  "num_hidden_layers": 32, "pad_token_id": 1, "projection_dim": 1280, "torch_dtype": "float16", "vocab_size": 49408
}"#;

const NANO_TEXT: &str = r#"{
  "architectures": ["CLIPTextModel"], "attention_dropout": 0.0, "bos_token_id": 49406, "eos_token_id": 49407,
  "hidden_act": "quick_gelu", "hidden_size": 128, "intermediate_size": 512, "layer_norm_eps": 1e-05, "max_position_embeddings": 77,
  "model_type": "clip_text_model", "num_attention_heads": 4, "num_hidden_layers": 3, "pad_token_id": 49407, "projection_dim": 128,
  "vocab_size": 49408
}"#;

/// OpenAI's tokenizer settings, as in Stable Diffusion 1.x.
pub(super) const CLIP_TOKENIZER: &str = r#"{
  "add_prefix_space": false, "bos_token": "<|startoftext|>", "do_lower_case": true, "eos_token": "<|endoftext|>", "errors": "replace",
  "model_max_length": 77, "pad_token": "<|endoftext|>", "tokenizer_class": "CLIPTokenizer", "unk_token": "<|endoftext|>"
}"#;

/// OpenCLIP's tokenizer settings, as in Stable Diffusion 2.x: padded with "!", whose id is 0.
pub(super) const OPENCLIP_TOKENIZER: &str = r#"{
  "add_prefix_space": false, "bos_token": "<|startoftext|>", "do_lower_case": true, "eos_token": "<|endoftext|>", "errors": "replace",
  "model_max_length": 77, "pad_token": "!", "tokenizer_class": "CLIPTokenizer", "unk_token": "<|endoftext|>"
}"#;

/// Stable Diffusion 1.x's scheduler.
pub(super) const PNDM: &str = r#"{
  "_class_name": "PNDMScheduler", "beta_end": 0.012, "beta_schedule": "scaled_linear", "beta_start": 0.00085, "clip_sample": false,
  "num_train_timesteps": 1000, "set_alpha_to_one": false, "skip_prk_steps": true, "steps_offset": 1, "trained_betas": null
}"#;

const DDIM_V: &str = r#"{
  "_class_name": "DDIMScheduler", "beta_end": 0.012, "beta_schedule": "scaled_linear", "beta_start": 0.00085, "clip_sample": false,
  "num_train_timesteps": 1000, "prediction_type": "v_prediction", "set_alpha_to_one": false, "skip_prk_steps": true,
  "steps_offset": 1, "trained_betas": null
}"#;

/// Stable Diffusion 2.x's scheduler, before the prediction type is determined.
pub(super) const DDIM: &str = r#"{
  "_class_name": "DDIMScheduler", "beta_end": 0.012, "beta_schedule": "scaled_linear", "beta_start": 0.00085, "clip_sample": false,
  "num_train_timesteps": 1000, "prediction_type": "epsilon", "set_alpha_to_one": false, "steps_offset": 1, "trained_betas": null
}"#;

/// SD-Turbo's scheduler.
pub(super) const EULER_TRAILING: &str = r#"{
  "_class_name": "EulerDiscreteScheduler", "beta_end": 0.012, "beta_schedule": "scaled_linear", "beta_start": 0.00085,
  "clip_sample": false, "interpolation_type": "linear", "num_train_timesteps": 1000, "prediction_type": "epsilon",
  "set_alpha_to_one": false, "sigma_max": null, "sigma_min": null, "skip_prk_steps": true, "steps_offset": 1,
  "timestep_spacing": "trailing", "timestep_type": "discrete", "trained_betas": null, "use_karras_sigmas": false
}"#;

const DPM_SOLVER: &str = r#"{
  "_class_name": "DPMSolverMultistepScheduler", "algorithm_type": "dpmsolver++", "beta_end": 0.012, "beta_schedule": "scaled_linear",
  "beta_start": 0.00085, "lower_order_final": true, "num_train_timesteps": 1000, "prediction_type": "epsilon", "solver_order": 2,
  "solver_type": "midpoint", "steps_offset": 1, "thresholding": false, "trained_betas": null
}"#;

/// Stable Diffusion XL's scheduler.
pub(super) const EULER_LEADING: &str = r#"{
  "_class_name": "EulerDiscreteScheduler", "beta_end": 0.012, "beta_schedule": "scaled_linear", "beta_start": 0.00085,
  "clip_sample": false, "interpolation_type": "linear", "num_train_timesteps": 1000, "prediction_type": "epsilon",
  "sample_max_value": 1.0, "set_alpha_to_one": false, "skip_prk_steps": true, "steps_offset": 1, "timestep_spacing": "leading",
  "trained_betas": null, "use_karras_sigmas": false
}"#;

/// SDXL-Turbo's scheduler.
const EULER_ANCESTRAL_TRAILING: &str = r#"{
  "_class_name": "EulerAncestralDiscreteScheduler", "beta_end": 0.012, "beta_schedule": "scaled_linear", "beta_start": 0.00085,
  "clip_sample": false, "interpolation_type": "linear", "num_train_timesteps": 1000, "prediction_type": "epsilon",
  "sample_max_value": 1.0, "set_alpha_to_one": false, "skip_prk_steps": true, "steps_offset": 1, "timestep_spacing": "trailing",
  "trained_betas": null, "use_karras_sigmas": false
}"#;

/// Stable Video Diffusion's scheduler.
pub(super) const EULER_V: &str = r#"{
  "_class_name": "EulerDiscreteScheduler", "beta_end": 0.012, "beta_schedule": "scaled_linear", "beta_start": 0.00085,
  "clip_sample": false, "interpolation_type": "linear", "num_train_timesteps": 1000, "prediction_type": "v_prediction",
  "set_alpha_to_one": false, "sigma_max": 700.0, "sigma_min": 0.002, "skip_prk_steps": true, "steps_offset": 1,
  "timestep_spacing": "leading", "timestep_type": "continuous", "trained_betas": null, "use_karras_sigmas": true
}"#;

const NANO_EULER_V: &str = r#"{
  "_class_name": "EulerDiscreteScheduler", "beta_end": 0.012, "beta_schedule": "scaled_linear", "beta_start": 0.00085,
  "num_train_timesteps": 1000, "prediction_type": "v_prediction", "sigma_max": 80.0, "sigma_min": 0.002, "steps_offset": 1,
  "timestep_spacing": "leading", "timestep_type": "continuous", "use_karras_sigmas": true
}"#;
