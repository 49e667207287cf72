//! Stable Diffusion XL with what changes a model: embeddings, adapters, weighted prompts and a tiny autoencoder reach both text encoders and
//! fit its latents.

use std::{collections::BTreeMap, path::Path};

use candle_core::{DType, Tensor};
use diffusion_core::{
    adapters::{AdaptedSource, Adapter, AppliedAdapter, Embedding},
    pipelines::{ImageMemory, ImageParams, RunContext, StableDiffusion, inspect},
    policy::ExecutionPolicy,
    prompt::PromptSyntax,
    tokenizer::ClipTokenizer,
    weights::{Component, OtherVae, TensorShape, VaeChoice, WeightSource},
};
use image::RgbImage;
use serde_json::Value as Json;

use crate::{
    golden_metadata,
    golden_weights::draw,
    relative_error,
    sdxl::{GoldenXl, call, source, xl_params},
    tiny_turbo, tolerance,
};

const CALL: &str = "text_to_image.negative";

fn xl() -> GoldenXl {
    source(&call(CALL))
}

fn load(source: &dyn WeightSource) -> StableDiffusion {
    StableDiffusion::load(source, &ExecutionPolicy::cpu_f32()).unwrap()
}

fn params(prompt: &str) -> ImageParams {
    ImageParams { prompt: prompt.into(), num_inference_steps: 2, ..xl_params(&call(CALL)) }
}

fn make(model: &StableDiffusion, params: &ImageParams) -> RgbImage {
    model.image(params, RunContext::new(&mut ())).unwrap()
}

fn read(source: &dyn WeightSource, component: Component, name: &str) -> Tensor {
    let tensors = source.tensors(component).unwrap();
    let Some(TensorShape::Known(shape)) = tensors.shape(name) else { panic!("{name} is missing") };
    tensors.read(name, &shape).unwrap().to_dtype(DType::F32).unwrap()
}

/// The vectors of a text's tokens in a text encoder.
fn vectors(text: &str, component: Component, table: &str) -> Tensor {
    let tokenizer = ClipTokenizer::load(&xl()).unwrap();
    let ids = tokenizer.tokenize(text).unwrap();
    let ids = Tensor::new(ids.as_slice(), &candle_core::Device::Cpu).unwrap();
    read(&xl(), component, table).index_select(&ids, 0).unwrap()
}

fn embedding(folder: &Path, name: &str, parts: &[&str]) -> Embedding {
    let path = folder.join(format!("{name}.safetensors"));
    let of = |part: &&str| {
        let vectors = match *part {
            "clip_l" => vectors("blue ground", Component::TextEncoder, "embeddings.token_embedding.weight"),
            _ => vectors("blue ground", Component::TextEncoder2, "text_model.embeddings.token_embedding.weight"),
        };
        ((*part).to_owned(), vectors)
    };
    tiny_turbo::write(&path, parts.iter().map(of).collect());
    Embedding::open(&path).unwrap()
}

#[test]
fn an_embedding_of_two_parts_is_a_word_of_both_text_encoders() {
    let folder = tempfile::tempdir().unwrap();
    let mut model = load(&xl());
    let expected = make(&model, &params("a red circle on a blue ground, with mist"));
    let both = embedding(folder.path(), "both-parts", &["clip_l", "clip_g"]);
    let first = embedding(folder.path(), "first-part", &["clip_l"]);
    let wide = {
        let path = folder.path().join("wide.safetensors");
        tiny_turbo::write(&path, [("clip_l".to_owned(), draw("wide", &[1, 64]))].into());
        Embedding::open(&path).unwrap()
    };
    assert_eq!(
        model.set_embeddings(vec![both, first, wide]).unwrap(),
        [
            "the embedding first-part is a word of one text encoder only: its vectors have 32 numbers, and these text encoders' 32 and 40",
            "the embedding wide is left out: its vectors have 64 numbers, and these text encoders' 32 and 40",
        ]
    );
    // The vectors are those of the words' own tokens, so the image is the same; the pooled state is still that of the end token.
    assert!(make(&model, &params("a red circle on a BOTH-parts, with mist")) == expected);
    assert!(make(&model, &params("a red circle on a first-part, with mist")) != expected);
}

#[test]
fn an_adapter_changes_each_text_encoder_by_its_own_keys() {
    let layer = "text_model.encoder.layers.1.mlp.fc1";
    let (up, down) = (draw("up", &[64, 2]), draw("down", &[2, 40]));
    let kohya = format!("lora_te2_{}", layer.replace('.', "_"));
    let dotted = format!("text_encoder_2.{layer}");
    for keys in [
        [format!("{kohya}.lora_up.weight"), format!("{kohya}.lora_down.weight")],
        [format!("{dotted}.lora_B.weight"), format!("{dotted}.lora_A.weight")],
    ] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.safetensors");
        tiny_turbo::write(&path, keys.into_iter().zip([up.clone(), down.clone()]).collect());
        let adapter = Adapter::open("a", &path).unwrap();
        let applied = AppliedAdapter { adapter: adapter.into(), unet_weight: 0.0, text_weight: 0.5 };
        let adapted = AdaptedSource::new(Box::new(xl()), vec![applied]).unwrap();
        assert!(adapted.remarks().is_empty(), "{:?}", adapted.remarks());
        let weight = format!("{layer}.weight");
        let expected = (read(&xl(), Component::TextEncoder2, &weight) + (up.matmul(&down).unwrap() * 0.5).unwrap()).unwrap();
        let error = relative_error(&read(&adapted, Component::TextEncoder2, &weight), &expected);
        assert!(error < tolerance::MODELS, "{error:.1e}");
        let own = "encoder.layers.1.mlp.fc1.weight";
        assert_eq!(relative_error(&read(&adapted, Component::TextEncoder, own), &read(&xl(), Component::TextEncoder, own)), 0.0);

        let params = params("a red circle");
        let (plain, changed) = (make(&load(&xl()), &params), make(&load(&adapted), &params));
        assert!(plain != changed);
        let again = load(&xl()).reload(&adapted).unwrap();
        assert!(make(&again, &params) == changed);
        assert!(make(&again.reload(&xl()).unwrap(), &params) == plain);
    }
}

#[test]
fn a_long_prompt_stands_against_a_short_negative_prompt() {
    let model = load(&xl());
    let a1111 = |prompt: &str, negative: &str| {
        let params = ImageParams { prompt_syntax: PromptSyntax::A1111, negative_prompt: negative.into(), ..params(prompt) };
        make(&model, &params)
    };
    let (long, short) = ("a red circle BREAK mist", "noisy");
    let mixed = a1111(long, short);
    assert!(mixed != a1111(long, "noisy BREAK dark") && mixed != a1111("a red circle", short));
    // A weight of 1 has no effect in either text encoder; another has one.
    assert!(a1111("a (red:1.0) circle", short) == a1111("a red circle", short));
    assert!(a1111("a (red:1.5) circle", short) != a1111("a red circle", short));
}

#[test]
fn a_tiny_autoencoder_stands_beside_the_full_one_in_its_own_precision() {
    let metadata = golden_metadata("pipelines", "tiny_vae");
    let (calls, shapes): (Json, Json) =
        (serde_json::from_str(&metadata["calls"]).unwrap(), serde_json::from_str(&metadata["shapes"]).unwrap());
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("config.json"), calls["text_to_image"]["vae"].to_string()).unwrap();
    let shapes: BTreeMap<String, Vec<usize>> = serde_json::from_value(shapes["vae_tiny"].clone()).unwrap();
    let tensors = shapes.iter().map(|(name, shape)| (name.clone(), draw(name, shape))).collect();
    tiny_turbo::write(&folder.path().join("diffusion_pytorch_model.safetensors"), tensors);
    let both = || OtherVae::open(Box::new(xl()), folder.path()).unwrap();
    assert!(inspect(&both()).refusals.is_empty(), "{:?}", inspect(&both()).refusals);
    let model = load(&both());
    let with = |vae| make(&model, &ImageParams { vae, ..params("a red circle") });
    assert!(with(VaeChoice::Full) == make(&load(&xl()), &params("a red circle")));
    assert!(with(VaeChoice::Tiny) != with(VaeChoice::Full));
    let half = ExecutionPolicy { text_encoder: DType::F16, unet: DType::F16, vae: DType::F16, ..ExecutionPolicy::cpu_f32() };
    let loaded = StableDiffusion::load(&both(), &half).unwrap();
    assert_eq!((loaded.policy().unet, loaded.policy().vae), (DType::F16, DType::F32));
    assert_eq!(ImageMemory::of(&both(), &half).unwrap(), loaded.memory());
    assert!(loaded.memory().weights() > StableDiffusion::load(&xl(), &half).unwrap().memory().weights());
}
