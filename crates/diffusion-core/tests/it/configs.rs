//! Configuration files as they occur in practice (null, 0, 1, foreign keys, multi-vector tokens) against diffusers' own loaders: images and
//! frames at 72 dB or above (tests/golden/configs, scripts/golden/configs.py), and each reader's treatment of each value.
#![expect(clippy::print_stdout, reason = "figures for runs with --nocapture")]

use std::{collections::HashMap, path::PathBuf, sync::Arc};

use candle_core::Tensor;
use diffusion_core::{
    Error, Result,
    models::{
        AutoencoderKlConfig, AutoencoderKlTemporalDecoderConfig, ClipTextConfig, ClipVisionConfig, UNet2dConfig, UNetSpatioTemporalConfig,
    },
    pipelines::{
        ImageParams, ImageToVideoParams, MotionParams, RunContext, StableDiffusion, StableVideoDiffusion, Start, VideoContext,
        ignored_fields, inspect,
    },
    policy::ExecutionPolicy,
    tokenizer::ClipTokenizer,
    weights::{Component, TensorSource, WeightSource},
};
use image::RgbImage;
use serde_json::{Map, Value, json};

use crate::{golden, golden_metadata, golden_path, golden_weights::GoldenWeights, pipelines::psnr, tolerance};

const SIDE: u32 = 32;

/// A golden folder with some entries of its files changed, and weights drawn by name.
struct Edited {
    /// The golden subject whose folder it is.
    subject: &'static str,
    /// The changed entries, by file.
    changes: Value,
}

impl Edited {
    fn of(case: &Value) -> Self {
        let subject = if case["group"] == "image_to_video" { "video" } else { "pipelines" };
        Self { subject, changes: case["changes"].clone() }
    }

    /// A file with its changes; `None` if there is no such file.
    fn read(&self, component: Component, file_name: &str) -> Option<Value> {
        let relative = PathBuf::from(component.folder()).join(file_name);
        let folder = golden_path(self.subject, "x").with_file_name("model");
        let plain: Option<Value> = std::fs::read(folder.join(&relative)).ok().map(|bytes| serde_json::from_slice(&bytes).unwrap());
        let changes = self.changes[relative.to_str().unwrap()].as_object();
        let mut fields = plain.or_else(|| changes.map(|_| json!({})))?;
        for (field, value) in changes.into_iter().flatten() {
            fields[field] = value.clone();
        }
        Some(fields)
    }
}

impl WeightSource for Edited {
    fn name(&self) -> String {
        "edited".into()
    }

    fn config(&self, component: Component) -> Result<Value> {
        Ok(self.read(component, component.config_file()).unwrap())
    }

    fn file(&self, component: Component, file_name: &str) -> Result<Option<Vec<u8>>> {
        if file_name.ends_with(".txt") {
            let folder = golden_path(self.subject, "x").with_file_name("model");
            return Ok(std::fs::read(folder.join(component.folder()).join(file_name)).ok());
        }
        Ok(self.read(component, file_name).map(|json| serde_json::to_vec(&json).unwrap()))
    }

    fn tensors(&self, component: Component) -> Result<Arc<dyn TensorSource>> {
        if component != Component::TextEncoder {
            return Ok(Arc::new(GoldenWeights::any()));
        }
        // Its tensors' names may have a prefix, which generated tensors do not reveal.
        let mut shapes: Value = serde_json::from_str(&golden_metadata("pipelines", "pictures")["shapes"]).unwrap();
        let embedding = &mut shapes["text_encoder"]["embeddings.token_embedding.weight"];
        assert!(embedding.is_array());
        embedding[0] = self.config(component).unwrap()["vocab_size"].clone();
        Ok(Arc::new(GoldenWeights::new(&shapes["text_encoder"])))
    }
}

fn rgb_image(tensor: &Tensor) -> RgbImage {
    RgbImage::from_raw(SIDE, SIDE, tensor.flatten_all().unwrap().to_vec1().unwrap()).unwrap()
}

/// The result of a case's call, with the arguments that diffusers got.
fn make(case: &Value, image: &RgbImage) -> Result<Vec<RgbImage>> {
    let (source, policy) = (Edited::of(case), ExecutionPolicy::cpu_f32());
    if case["group"] == "image_to_video" {
        let motion = MotionParams { size: Some((SIDE, SIDE)), num_frames: Some(2), num_inference_steps: 2, ..MotionParams::default() };
        let mut frames = Vec::new();
        let model = StableVideoDiffusion::load(&source, &policy)?;
        model.image_to_video(&ImageToVideoParams { image: image.clone(), motion, seed: 11 }, VideoContext::new(&mut (), &mut frames))?;
        return Ok(frames);
    }
    let text = |key: &str, default: &str| case["call"][key].as_str().unwrap_or(default).to_owned();
    let start = match case["group"].as_str() {
        Some("image_to_image") => Start::Image { init_image: image.clone(), strength: 0.7 },
        _ => Start::Noise,
    };
    let params = ImageParams {
        negative_prompt: text("negative_prompt", "noisy, dark"),
        num_inference_steps: 3,
        guidance_scale: 5.0,
        seed: 11,
        start,
        ..ImageParams::new(text("prompt", "a red circle on a blue ground, with mist"), (SIDE, SIDE))
    };
    let model = StableDiffusion::load(&source, &policy)?;
    let made = model.image(&params, RunContext::new(&mut ()))?;
    Ok(vec![made])
}

fn check_group(group: &str, least: usize) {
    let (tensors, metadata) = (golden("configs", "configs"), golden_metadata("configs", "configs"));
    let cases: Map<String, Value> = serde_json::from_str(&metadata["cases"]).unwrap();
    let image = rgb_image(&tensors["image"]);
    let (mut held, mut failures) = (0, Vec::new());
    for (name, case) in cases.iter().filter(|(_, case)| case["group"] == group) {
        let outcome = case["outcome"].as_str().unwrap();
        if outcome == "fails" {
            // diffusers fails somewhere in its code; here the error names the field before anything is computed.
            let field = case["changes"].as_object().unwrap().values().next().unwrap().as_object().unwrap().keys().next().unwrap();
            match make(case, &image) {
                Err(Error::Config { field: found, .. }) if found == *field => {}
                other => failures.push(format!("{name}: {:?}", other.map(|_| "made"))),
            }
            continue;
        }
        let expected = &tensors[if outcome == "same" { group } else { name.as_str() }];
        let expected: Vec<RgbImage> = match expected.rank() {
            3 => vec![rgb_image(expected)],
            _ => (0..expected.dim(0).unwrap()).map(|frame| rgb_image(&expected.get(frame).unwrap())).collect(),
        };
        match make(case, &image) {
            Ok(made) => {
                assert_eq!(made.len(), expected.len(), "{name}");
                let likeness = made.iter().zip(&expected).map(|(made, expected)| psnr(made, expected)).fold(f64::INFINITY, f64::min);
                println!("{name}: {likeness:.1} dB");
                if likeness < tolerance::EQUAL_IMAGES {
                    failures.push(format!("{name}: {likeness:.1} dB"));
                }
            }
            Err(error) => failures.push(format!("{name}: {error}")),
        }
        held += 1;
    }
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
    assert!(held >= least, "only {held} cases of {group}");
}

#[test]
fn images_with_edited_configs_match_diffusers() {
    check_group("text_to_image", 90);
}

#[test]
fn image_to_image_with_edited_configs_matches_diffusers() {
    check_group("image_to_image", 3);
}

#[test]
fn videos_with_edited_configs_match_diffusers() {
    check_group("image_to_video", 15);
}

#[test]
fn multi_vector_tokens_are_expanded_as_in_diffusers() {
    let metadata = golden_metadata("configs", "configs");
    let (texts, tokens): (Vec<(String, Vec<u32>)>, Vec<String>) =
        (serde_json::from_str(&metadata["texts"]).unwrap(), serde_json::from_str(&metadata["tokens"]).unwrap());
    let added: Map<String, Value> = tokens.into_iter().zip(520..).map(|(token, id)| (token, json!(id))).collect();
    let tokenizer =
        ClipTokenizer::load(&Edited { subject: "pipelines", changes: json!({ "tokenizer/added_tokens.json": added }) }).unwrap();
    for (text, ids) in &texts {
        let encoding = tokenizer.encode(text).unwrap();
        let kept = ids.len().min(75);
        assert_eq!(encoding.ids[1..=kept], ids[..kept], "{text:?}");
        assert_eq!((encoding.token_count, encoding.truncated, encoding.ids[kept + 1]), (ids.len(), ids.len() > 75, 519), "{text:?}");
    }
    assert!(texts.len() >= 20);
}

/// Under transformers 5, diffusers looks a token up by its lower-case spelling and misses vectors; here the token expands to all of them.
#[test]
fn a_multi_vector_token_may_have_capitals() {
    let changes = json!({ "tokenizer/added_tokens.json": { "<Cat>": 520, "<Cat>_1": 521 } });
    let tokenizer = ClipTokenizer::load(&Edited { subject: "pipelines", changes }).unwrap();
    assert_eq!(tokenizer.encode("<Cat>").unwrap().ids[..4], [518, 520, 521, 519]);
    // Only the token's own spelling is replaced.
    assert_eq!(tokenizer.encode("<cat>").unwrap().ids[..3], [518, 520, 519]);
}

#[test]
fn ignored_fields_are_named_file_by_file() {
    let changes = json!({
        "unet/config.json": { "decay": 0.5, "_private": 1, "inv_gamma": null },
        "text_encoder/config.json": { "bad_words_ids": null, "use_cache": true },
        "model_index.json": { "notes": [1] }
    });
    let source = Edited { subject: "pipelines", changes };
    let named: Vec<String> = ignored_fields(&source).iter().map(ToString::to_string).collect();
    assert_eq!(named, ["model_index.json: notes", "text_encoder/config.json: bad_words_ids", "unet/config.json: decay, inv_gamma"]);
    let inspection = inspect(&source);
    assert!(inspection.refusals.is_empty(), "{:?}", inspection.refusals);
    assert_eq!(inspection.ignored, ignored_fields(&source));
    assert!(ignored_fields(&Edited { subject: "pipelines", changes: json!({}) }).is_empty());
}

#[test]
fn inspect_reports_every_refusal_of_load() {
    let changes = json!({
        "unet/config.json": { "addition_embed_type": "text_image" },
        "vae/config.json": { "scaling_factor": null },
        "text_encoder/config.json": { "hidden_size": 64 },
        "tokenizer/tokenizer_config.json": { "padding_side": "left" }
    });
    let source = Edited { subject: "pipelines", changes };
    let refusals: Vec<String> = inspect(&source).refusals.iter().map(ToString::to_string).collect();
    let files = ["tokenizer/tokenizer_config.json: field padding_side", "unet/config.json: field addition_embed_type"];
    assert_eq!(refusals.len(), 4, "{refusals:?}");
    assert!(files.iter().all(|file| refusals.iter().any(|refusal| refusal.starts_with(file))), "{refusals:?}");
    // A tensor whose shape differs from the configuration's is refused with the same message as when it is read.
    assert!(refusals.iter().any(|refusal| refusal.contains("token_embedding.weight: expected shape [520, 64], found [520, 32]")));
    let loaded = StableDiffusion::load(&source, &ExecutionPolicy::cpu_f32()).err().unwrap().to_string();
    assert!(refusals.contains(&loaded), "{loaded}");
}

/// A reader's results for null, 0 and 1: `d` the same as for an absent field, `f` as for false, `t` as for true, `v` a value of its own,
/// `x` a refusal that names the field, and `-` a result that depends on another field.
type Row = (&'static str, &'static str);

fn check_table<C: PartialEq + std::fmt::Debug>(read: impl Fn(&Value) -> Result<C>, table: &[Row]) {
    let absent = read(&json!({})).unwrap();
    for (field, marks) in table {
        let with = |value: &Value| read(&json!({ *field: value }));
        for (mark, value) in marks.chars().zip([json!(null), json!(0), json!(1)]) {
            let found = with(&value);
            match mark {
                'd' => assert_eq!(found.unwrap(), absent, "{field}: {value}"),
                'f' => assert_eq!(found.unwrap(), with(&json!(false)).unwrap(), "{field}: {value}"),
                't' => assert_eq!(found.unwrap(), with(&json!(true)).unwrap(), "{field}: {value}"),
                'v' => assert_ne!(found.unwrap(), absent, "{field}: {value}"),
                '-' => {}
                _ => {
                    let Err(Error::Config { field: refused, .. }) = &found else { panic!("{field}: {value} gave {found:?}") };
                    assert_eq!(refused, field, "{field}: {value}");
                }
            }
        }
    }
}

/// Every field of diffusers' UNet2DConditionModel.
#[test]
fn a_unets_null_0_and_1_match_diffusers() {
    let table = [
        ("sample_size", "ddv"),
        ("in_channels", "xxv"),
        ("out_channels", "xxv"),
        ("center_input_sample", "ffx"),
        ("flip_sin_to_cos", "fft"),
        ("freq_shift", "xdv"),
        ("down_block_types", "xxx"),
        ("mid_block_type", "vxx"),
        ("up_block_types", "xxx"),
        ("only_cross_attention", "xxx"),
        ("block_out_channels", "xxx"),
        ("layers_per_block", "xxv"),
        ("downsample_padding", "xvd"),
        ("mid_block_scale_factor", "xxd"),
        ("dropout", "xdd"),
        ("act_fn", "xxx"),
        ("norm_num_groups", "xxv"),
        ("norm_eps", "xvv"),
        ("cross_attention_dim", "xxv"),
        ("transformer_layers_per_block", "xvd"),
        ("reverse_transformer_layers_per_block", "dxx"),
        ("encoder_hid_dim", "dxx"),
        ("encoder_hid_dim_type", "dxx"),
        ("attention_head_dim", "xxv"),
        // diffusers refuses 1 too: it looks for the heads only under the other name.
        ("num_attention_heads", "dxv"),
        ("dual_cross_attention", "ffx"),
        ("use_linear_projection", "fft"),
        ("class_embed_type", "ddd"),
        ("addition_embed_type", "dxx"),
        ("addition_time_embed_dim", "ddd"),
        ("num_class_embeds", "dxx"),
        ("upcast_attention", "fft"),
        ("resnet_time_scale_shift", "xxx"),
        ("resnet_skip_time_act", "ddd"),
        ("resnet_out_scale_factor", "ddd"),
        ("time_embedding_type", "xxx"),
        ("time_embedding_dim", "ddv"),
        ("time_embedding_act_fn", "dxx"),
        ("timestep_post_act", "dxx"),
        // diffusers treats 0 as an embedding of no numbers, which disables guidance.
        ("time_cond_proj_dim", "dxv"),
        ("conv_in_kernel", "xxv"),
        ("conv_out_kernel", "xxv"),
        ("projection_class_embeddings_input_dim", "ddd"),
        ("attention_type", "ddd"),
        ("class_embeddings_concat", "ffx"),
        ("mid_block_only_cross_attention", "ddd"),
        ("cross_attention_norm", "ddd"),
        ("addition_embed_type_num_heads", "ddd"),
        ("quantization_config", "dxx"),
        ("decay", "ddd"),
    ];
    check_table(UNet2dConfig::from_json, &table);
}

/// Every field of diffusers' AutoencoderKL; diffusers fails on a `sample_size` of null, which only sizes its tiles.
#[test]
fn an_autoencoders_null_0_and_1_match_diffusers() {
    let table = [
        ("in_channels", "xxv"),
        ("out_channels", "xxv"),
        ("down_block_types", "xxx"),
        ("up_block_types", "xxx"),
        ("block_out_channels", "xxx"),
        ("layers_per_block", "xxd"),
        ("act_fn", "xxx"),
        ("latent_channels", "xxv"),
        ("norm_num_groups", "xxv"),
        ("sample_size", "ddv"),
        ("scaling_factor", "xxv"),
        ("shift_factor", "ddd"),
        ("latents_mean", "ddd"),
        ("latents_std", "ddd"),
        ("force_upcast", "fft"),
        ("use_quant_conv", "fft"),
        ("use_post_quant_conv", "fft"),
        ("mid_block_add_attention", "fft"),
        ("double_z", "ddd"),
    ];
    check_table(AutoencoderKlConfig::from_json, &table);
}

/// Every field of diffusers' UNetSpatioTemporalConditionModel, and some of its siblings'.
#[test]
fn a_video_unets_null_0_and_1_match_diffusers() {
    let table = [
        ("sample_size", "ddv"),
        ("in_channels", "xxv"),
        ("out_channels", "xxv"),
        ("down_block_types", "xxx"),
        ("up_block_types", "xxx"),
        ("block_out_channels", "xxx"),
        ("addition_time_embed_dim", "xxv"),
        ("projection_class_embeddings_input_dim", "xxx"),
        ("layers_per_block", "xxv"),
        ("cross_attention_dim", "xxv"),
        ("transformer_layers_per_block", "xvd"),
        ("num_attention_heads", "xxv"),
        ("num_frames", "ddv"),
        ("upcast_attention", "ddd"),
        ("norm_num_groups", "ddd"),
    ];
    check_table(UNetSpatioTemporalConfig::from_json, &table);
}

/// Every field of diffusers' AutoencoderKLTemporalDecoder, and some of its siblings'.
#[test]
fn a_video_autoencoders_null_0_and_1_match_diffusers() {
    let table = [
        ("in_channels", "xxv"),
        ("out_channels", "xxv"),
        ("down_block_types", "xxx"),
        ("block_out_channels", "xxx"),
        ("layers_per_block", "xxd"),
        ("latent_channels", "xxv"),
        ("sample_size", "ddv"),
        ("scaling_factor", "xxv"),
        ("force_upcast", "fft"),
        ("norm_num_groups", "ddd"),
        ("use_quant_conv", "ddd"),
    ];
    check_table(AutoencoderKlTemporalDecoderConfig::from_json, &table);
}

/// The fields that transformers' two configurations share: those with an effect, and the most common of those without.
const CLIP: [Row; 20] = [
    ("hidden_size", "xx-"),
    ("intermediate_size", "xxv"),
    ("num_hidden_layers", "xvv"),
    ("num_attention_heads", "xxv"),
    ("hidden_act", "xxx"),
    ("layer_norm_eps", "xxv"),
    ("attention_dropout", "ddd"),
    ("initializer_range", "ddd"),
    ("initializer_factor", "ddd"),
    ("architectures", "ddd"),
    ("model_type", "ddd"),
    ("dtype", "ddd"),
    ("torch_dtype", "ddd"),
    ("transformers_version", "ddd"),
    ("per_layer_config", "dxx"),
    ("quantization_config", "dxx"),
    ("use_cache", "ddd"),
    ("torchscript", "ddd"),
    ("bad_words_ids", "ddd"),
    ("is_decoder", "ddd"),
];

#[test]
fn a_text_encoders_null_0_and_1_match_transformers() {
    check_table(ClipTextConfig::from_json, &CLIP);
    let table = [
        ("vocab_size", "xxv"),
        ("max_position_embeddings", "xxv"),
        ("projection_dim", "ddd"),
        ("pad_token_id", "ddd"),
        ("bos_token_id", "ddd"),
        ("eos_token_id", "ddd"),
        // diffusers' pipelines read it from any text encoder's file.
        ("use_attention_mask", "ffx"),
    ];
    check_table(ClipTextConfig::from_json, &table);
}

#[test]
fn an_image_encoders_null_0_and_1_match_transformers() {
    check_table(ClipVisionConfig::from_json, &CLIP);
    let table = [
        ("projection_dim", "xxv"),
        ("num_channels", "xxv"),
        // 1 is too small for a patch.
        ("image_size", "xx-"),
        ("patch_size", "xxv"),
    ];
    check_table(ClipVisionConfig::from_json, &table);
}

/// No two cases of the golden are the same by accident.
#[test]
fn all_cases_differ() {
    let cases: Map<String, Value> = serde_json::from_str(&golden_metadata("configs", "configs")["cases"]).unwrap();
    let mut seen: HashMap<String, &String> = HashMap::new();
    for (name, case) in &cases {
        let description = json!([case["group"], case["changes"], case["call"]]).to_string();
        assert_eq!(seen.insert(description, name), None, "{name}");
    }
}

#[test]
fn numbers_beyond_the_limit_are_told_the_limit() {
    let refusal = |value: Value| match ClipTextConfig::from_json(&json!({"hidden_size": value})) {
        Err(Error::Config { field, reason, .. }) if field == "hidden_size" => reason,
        other => panic!("{:?}", other.map(|_| "taken")),
    };
    for value in [json!(16_777_217), json!(u64::MAX), json!(1e30)] {
        assert_eq!(refusal(value.clone()), format!("{value} is too large: the largest number here is 16777216"));
    }
    for value in [json!(-1), json!(0.5), json!(1e8 + 0.5), json!("many")] {
        assert_eq!(refusal(value.clone()), format!("expected a positive whole number, found {value}"));
    }
}
