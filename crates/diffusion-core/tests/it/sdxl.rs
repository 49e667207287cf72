//! Stable Diffusion XL against transformers and diffusers: its second text encoder, its UNets, and whole images of a tiny model
//! (tests/golden/sdxl, scripts/golden/sdxl.py).

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use candle_core::{DType, Tensor};
use diffusion_core::{
    Error, Result,
    models::{ClipTextModelWithProjection, ClipTextProjectionConfig, ProjectedText, UNet2dConditionModel, UNet2dConfig},
    pipelines::{ImageFacts, ImageMemory, ImageParams, RunContext, StableDiffusion, Start, XlParams, inspect},
    policy::ExecutionPolicy,
    weights::{Component, ModelFamily, OpenOptions, TensorShape, TensorSource, WeightSource, open_model},
};
use image::{GrayImage, RgbImage};
use serde_json::{Value as Json, json};

use crate::{
    golden, golden_metadata, golden_path,
    golden_weights::{GoldenWeights, draw},
    models::case_of,
    pipelines::{check_psnrs, image_of, params, psnr},
    tiny_turbo,
};

fn text_encoder(name: &str, dtype: DType) {
    let case = case_of("sdxl", name);
    let config = ClipTextProjectionConfig::from_json(&case.config).unwrap();
    let model = ClipTextModelWithProjection::load(&config, &case.weights.cursor(Component::TextEncoder2, dtype)).unwrap();
    assert_eq!(case.weights.unread(), Vec::<String>::new());
    let ids = case.tensors["ids"].to_dtype(DType::U32).unwrap();
    for skip in 0..2 {
        let ProjectedText { hidden_states, text_embeds } = model.forward(&ids, skip).unwrap();
        case.check(name, &format!("clip_skip_{skip}"), &hidden_states, dtype);
        case.check(name, "text_embeds", &text_embeds, dtype);
    }
    assert!(model.forward(&ids, 2).is_ok());
    assert!(matches!(model.forward(&ids, 3), Err(Error::Params { field: "clip_skip", .. })));
}

#[test]
fn text_encoders_with_a_projection_agree_with_transformers() {
    for name in ["text_encoder", "text_encoder_old"] {
        text_encoder(name, DType::F32);
        text_encoder(name, DType::BF16);
    }
}

fn unet(name: &str, dtype: DType) {
    let case = case_of("sdxl", name);
    let config = UNet2dConfig::from_json(&case.config).unwrap();
    let model = UNet2dConditionModel::load(&config, &case.weights.cursor(Component::Unet, dtype)).unwrap();
    assert_eq!(case.weights.unread(), Vec::<String>::new());
    let timestep: f64 = case.metadata["timestep"].parse().unwrap();
    let [states, text_embeds, ids] = ["encoder_hidden_states", "text_embeds", "time_ids"].map(|name| &case.tensors[name]);
    let context = model.text_time_context(states, text_embeds, ids).unwrap();
    let output = model.forward(&case.tensors["sample"], timestep, &context, case.tensors.get("timestep_cond")).unwrap();
    case.check(name, "output", &output, dtype);
}

#[test]
fn unets_with_pooled_texts_and_sizes_agree_with_diffusers() {
    for name in ["unet_base", "unet_layered"] {
        unet(name, DType::F32);
        unet(name, DType::BF16);
    }
}

#[test]
fn one_sample_for_two_texts_is_the_same_as_two_samples() {
    let case = case_of("sdxl", "unet_base");
    let config = UNet2dConfig::from_json(&case.config).unwrap();
    let model = UNet2dConditionModel::load(&config, &case.weights.cursor(Component::Unet, DType::F32)).unwrap();
    let [states, text_embeds, ids] = ["encoder_hidden_states", "text_embeds", "time_ids"].map(|name| &case.tensors[name]);
    let context = model.text_time_context(states, text_embeds, ids).unwrap();
    let one = case.tensors["sample"].narrow(0, 0, 1).unwrap();
    let both = Tensor::cat(&[&one, &one], 0).unwrap();
    let run = |sample: &Tensor| model.forward(sample, 20.0, &context, None).unwrap();
    assert!(crate::relative_error(&run(&one), &run(&both)) < 1e-6);
}

#[test]
fn added_conditions_of_the_wrong_shape_are_refused() {
    let case = case_of("sdxl", "unet_base");
    let config = UNet2dConfig::from_json(&case.config).unwrap();
    let model = UNet2dConditionModel::load(&config, &case.weights.cursor(Component::Unet, DType::F32)).unwrap();
    let [states, text_embeds, ids] = ["encoder_hidden_states", "text_embeds", "time_ids"].map(|name| &case.tensors[name]);
    assert!(matches!(model.text_context(states), Err(Error::Shape { .. })));
    for (text_embeds, ids) in [
        (&text_embeds.narrow(0, 0, 1).unwrap(), ids),
        (&text_embeds.narrow(1, 0, 5).unwrap(), ids),
        (text_embeds, &ids.narrow(1, 0, 5).unwrap()),
        (text_embeds, &ids.flatten_all().unwrap()),
    ] {
        assert!(matches!(model.text_time_context(states, text_embeds, ids), Err(Error::Shape { .. })));
    }
}

#[test]
fn fields_of_the_added_conditions_are_required_and_layers_need_both_lists() {
    let refused = |config: Json| match UNet2dConfig::from_json(&config) {
        Err(Error::Config { field, .. }) => field,
        other => panic!("{other:?}"),
    };
    let time = json!({ "addition_embed_type": "text_time", "projection_class_embeddings_input_dim": 2816 });
    assert_eq!(refused(time), "addition_time_embed_dim");
    let lists = |down: Json, up: Json| json!({ "transformer_layers_per_block": down, "reverse_transformer_layers_per_block": up });
    let (down, up) = (json!([1, [1, 2], 1, 1]), json!([1, 1, [1, 2, 3], 1]));
    assert!(UNet2dConfig::from_json(&lists(down.clone(), up.clone())).is_ok());
    assert_eq!(refused(lists(down.clone(), Json::Null)), "transformer_layers_per_block");
    assert_eq!(refused(lists(json!([1, [1], 1, 1]), up)), "transformer_layers_per_block");
    assert_eq!(refused(lists(down, json!([1, 1, [1, 2], 1]))), "reverse_transformer_layers_per_block");
}

/// The golden folder's configurations with a call's changes, and weights drawn by name.
pub(crate) struct GoldenXl {
    shapes: Json,
    call: Json,
}

impl GoldenXl {
    fn path(component: Component, file_name: &str) -> PathBuf {
        golden_path("sdxl", "images").with_file_name("model").join(component.folder()).join(file_name)
    }
}

impl WeightSource for GoldenXl {
    fn name(&self) -> String {
        "golden".into()
    }

    fn config(&self, component: Component) -> Result<Json> {
        let mut config: Json = serde_json::from_slice(&std::fs::read(Self::path(component, component.config_file())).unwrap()).unwrap();
        let parts = [
            (Component::Unet, "unet"),
            (Component::Vae, "vae"),
            (Component::Scheduler, "scheduler_config"),
            (Component::ModelIndex, "index"),
        ];
        let part = parts.into_iter().find(|(part, _)| *part == component).map_or("", |(_, part)| part);
        for (key, value) in self.call[part].as_object().into_iter().flatten() {
            config[key] = value.clone();
        }
        // The index decides a scheduler's class.
        if let Some(class) = self.call["scheduler_config"].get("_class_name").filter(|_| component == Component::ModelIndex) {
            config["scheduler"][1] = class.clone();
        }
        Ok(config)
    }

    fn file(&self, component: Component, file_name: &str) -> Result<Option<Vec<u8>>> {
        Ok(std::fs::read(Self::path(component, file_name)).ok())
    }

    fn tensors(&self, component: Component) -> Result<Arc<dyn TensorSource>> {
        let mut part = component.folder().to_owned();
        if component == Component::Unet {
            // As Python's json.dumps spells it.
            part = format!("unet{}", self.call["unet"].to_string().replace(':', ": ").replace(',', ", "));
        }
        Ok(Arc::new(GoldenWeights::new(&self.shapes[part])))
    }
}

pub(crate) fn call(name: &str) -> Json {
    let calls: Json = serde_json::from_str(&golden_metadata("sdxl", "images")["calls"]).unwrap();
    calls[name].clone()
}

pub(crate) fn source(call: &Json) -> GoldenXl {
    source_of("images", call)
}

/// The model of a call of another golden on the same folder.
pub(crate) fn source_of(golden: &str, call: &Json) -> GoldenXl {
    GoldenXl { shapes: serde_json::from_str(&golden_metadata("sdxl", golden)["shapes"]).unwrap(), call: call.clone() }
}

pub(crate) fn xl_params(call: &Json) -> ImageParams {
    let xl = &call["xl"];
    let text = |key: &str| xl[key].as_str().unwrap_or_default().to_owned();
    let pair = |key: &str| serde_json::from_value::<Option<(u32, u32)>>(xl[key].clone()).unwrap();
    let xl = XlParams {
        prompt_2: text("prompt_2"),
        negative_prompt_2: text("negative_prompt_2"),
        original_size: pair("original_size"),
        crops_coords_top_left: pair("crops_coords_top_left").unwrap_or_default(),
        target_size: pair("target_size"),
        negative_original_size: pair("negative_original_size"),
        negative_crops_coords_top_left: pair("negative_crops_coords_top_left"),
        negative_target_size: pair("negative_target_size"),
        aesthetic_score: xl["aesthetic_score"].as_f64(),
        negative_aesthetic_score: xl["negative_aesthetic_score"].as_f64(),
    };
    ImageParams { xl, ..params(call) }
}

/// A golden image.
fn image(name: &str) -> RgbImage {
    image_of(&golden("sdxl", "images")[name])
}

/// What a golden call starts from.
fn start(name: &str, call: &Json) -> Start {
    let strength = call["strength"].as_f64().unwrap_or_default();
    match name.split('.').next() {
        Some("text_to_image") => Start::Noise,
        Some("image_to_image") => Start::Image { init_image: image("init_image"), strength },
        _ => {
            let mask = &golden("sdxl", "images")["mask_image"];
            let (height, width) = mask.dims2().unwrap();
            let mask = mask.flatten_all().unwrap().to_vec1::<u8>().unwrap();
            let mask_image = GrayImage::from_raw(width as u32, height as u32, mask).unwrap();
            Start::Inpaint { init_image: image("init_image"), mask_image, strength }
        }
    }
}

fn check_group(group: &str) {
    let mut found = Vec::new();
    let images = golden("sdxl", "images");
    for name in images.keys().filter(|name| name.starts_with(&format!("{group}."))) {
        let call = call(name);
        let start = start(name, &call);
        let model = StableDiffusion::load(&source(&call), &ExecutionPolicy::cpu_f32()).unwrap();
        let made = model.image(&ImageParams { start, ..xl_params(&call) }, RunContext::new(&mut ())).unwrap();
        found.push((psnr(&made, &image(name)), name.clone()));
    }
    check_psnrs(&found);
}

#[test]
fn text_to_image_matches_diffusers() {
    check_group("text_to_image");
}

#[test]
fn image_to_image_matches_diffusers() {
    check_group("image_to_image");
}

#[test]
fn inpainting_matches_diffusers() {
    check_group("inpaint");
}

/// Writes a golden call's model as a diffusers folder.
fn write_folder(source: &GoldenXl, folder: &Path) {
    let family = ModelFamily::of(source).unwrap();
    let tokenizers = [Component::Tokenizer, Component::Tokenizer2];
    let all = [Component::ModelIndex, Component::Scheduler].into_iter().chain(tokenizers).chain(family.weighted_components().to_vec());
    for component in all {
        let place = folder.join(component.folder());
        fs::create_dir_all(&place).unwrap();
        fs::write(place.join(component.config_file()), source.config(component).unwrap().to_string()).unwrap();
    }
    for (component, name) in tokenizers.into_iter().flat_map(|component| ["vocab.json", "merges.txt"].map(|name| (component, name))) {
        fs::write(folder.join(component.folder()).join(name), source.file(component, name).unwrap().unwrap()).unwrap();
    }
    for &component in family.weighted_components() {
        let tensors = source.tensors(component).unwrap();
        let drawn = tensors.names().into_iter().map(|name| {
            let Some(TensorShape::Known(shape)) = tensors.shape(&name) else { panic!("{component} {name}") };
            let tensor = draw(&name, &shape);
            (name, tensor)
        });
        let stem = if component.folder().starts_with("text_encoder") { "model" } else { "diffusion_pytorch_model" };
        tiny_turbo::write(&folder.join(component.folder()).join(format!("{stem}.safetensors")), drawn.collect());
    }
}

#[test]
fn a_folder_with_a_second_text_encoder_is_opened() {
    for name in ["text_to_image.two_texts", "image_to_image.refiner"] {
        let call = call(name);
        let folder = tempfile::tempdir().unwrap();
        write_folder(&source(&call), folder.path());
        let opened = open_model(folder.path(), &OpenOptions::default()).unwrap();
        let inspection = inspect(opened.as_ref());
        assert!(inspection.refusals.is_empty() && inspection.ignored.is_empty(), "{name}: {inspection:?}");
        let params = ImageParams { start: start(name, &call), ..xl_params(&call) };
        let made = |model: &dyn WeightSource| {
            let model = StableDiffusion::load(model, &ExecutionPolicy::cpu_f32()).unwrap();
            model.image(&params, RunContext::new(&mut ())).unwrap()
        };
        assert!(made(opened.as_ref()) == made(&source(&call)), "{name}");
    }
}

#[test]
fn what_is_known_before_loading_is_what_is_loaded() {
    for name in ["text_to_image.negative", "image_to_image.refiner"] {
        let source = source(&call(name));
        let model = StableDiffusion::load(&source, &ExecutionPolicy::cpu_f32()).unwrap();
        let facts = ImageFacts::of(&source).unwrap();
        assert_eq!((facts.default_size, facts.scripts), (model.default_size(), model.scripts()));
        assert_eq!(facts.scheduler.unwrap(), model.scheduler_name().unwrap());
        let memory = ImageMemory::of(&source, &ExecutionPolicy::cpu_f32()).unwrap();
        assert_eq!(memory.weights(), model.memory().weights());
        let inspection = inspect(&source);
        assert!(inspection.refusals.is_empty() && inspection.ignored.is_empty(), "{name}: {inspection:?}");
    }
}

#[test]
fn a_vae_that_overflows_in_f16_is_planned_and_loaded_in_f32() {
    let precision = |dtype: DType| ExecutionPolicy { text_encoder: dtype, unet: dtype, vae: dtype, ..ExecutionPolicy::cpu_f32() };
    let source = |force_upcast: bool| source(&json!({ "unet": {}, "vae": { "force_upcast": force_upcast } }));
    for (dtype, force_upcast, expected) in
        [(DType::F16, true, DType::F32), (DType::F16, false, DType::F16), (DType::BF16, true, DType::BF16)]
    {
        let source = source(force_upcast);
        let model = StableDiffusion::load(&source, &precision(dtype)).unwrap();
        assert_eq!((model.policy().unet, model.policy().vae), (dtype, expected));
        assert_eq!(ImageMemory::of(&source, &precision(dtype)).unwrap(), model.memory());
    }
}

#[test]
fn the_refiner_makes_no_image_from_a_prompt_alone() {
    let call = call("image_to_image.refiner");
    let model = StableDiffusion::load(&source(&call), &ExecutionPolicy::cpu_f32()).unwrap();
    let made = model.image(&xl_params(&call), RunContext::new(&mut ()));
    assert!(matches!(made, Err(Error::Params { field: "init_image", .. })), "{made:?}");
}

#[test]
fn parts_that_do_not_fit_each_other_are_refused() {
    let refused = |changes: Json, field: &str| {
        let source = source(&changes);
        let Err(error) = StableDiffusion::load(&source, &ExecutionPolicy::cpu_f32()) else { panic!("{field} was not refused") };
        assert!(error.to_string().contains(&format!("field {field}")), "{error}");
        assert!(inspect(&source).refusals.iter().any(|refusal| refusal.to_string() == error.to_string()), "{error}");
    };
    refused(json!({ "unet": { "cross_attention_dim": 64 } }), "cross_attention_dim");
    refused(json!({ "unet": { "projection_class_embeddings_input_dim": 128 } }), "projection_class_embeddings_input_dim");
    refused(json!({ "unet": { "addition_embed_type": null } }), "addition_embed_type");
    refused(json!({ "index": { "requires_aesthetics_score": true } }), "requires_aesthetics_score");
    let refiner = json!({ "text_encoder": [null, null], "requires_aesthetics_score": true });
    refused(json!({ "index": refiner }), "cross_attention_dim");
    refused(json!({ "index": refiner, "unet": { "cross_attention_dim": 40 } }), "projection_class_embeddings_input_dim");
    refused(json!({ "index": { "force_zeros_for_empty_prompt": "yes" } }), "force_zeros_for_empty_prompt");
}
