//! Adapters, ControlNets, autoencoders and text encoders that do not fit or are something else: one line that names the flag or the setting and the file, exit
//! code 2, and no model loaded where the file's start shows it.

use std::{fs, path::Path};

use diffusion_core::{
    pipelines::nano_sd,
    weights::{Component, TensorShape, WeightSource as _},
};

use crate::{program::framewright, served::Served};

/// A safetensors file of zeros.
fn write(path: &Path, tensors: &[(&str, &[usize])]) {
    let (mut header, mut end) = (serde_json::Map::new(), 0);
    for (name, shape) in tensors {
        let begin = end;
        end += 4 * shape.iter().product::<usize>();
        header.insert((*name).to_owned(), serde_json::json!({ "dtype": "F32", "shape": shape, "data_offsets": [begin, end] }));
    }
    let header = serde_json::Value::from(header).to_string();
    fs::write(path, [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &vec![0; end]].concat()).unwrap();
}

/// A folder with adapters in "loras", ControlNets in "nets", autoencoders in "vaes" and text encoders in "texts", each with files of other kinds.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    for name in ["loras", "nets", "nets/wide", "vaes", "vaes/deep", "texts", "texts/wide", "texts/second"] {
        fs::create_dir_all(at(name)).unwrap();
    }
    let lora: [(&str, &[usize]); 2] = [
        ("lora_unet_mid_block_attentions_0_proj_in.lora_up.weight", &[130, 1]),
        ("lora_unet_mid_block_attentions_0_proj_in.lora_down.weight", &[1, 130]),
    ];
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:aa\nsize 3\n";
    for place in ["loras", "nets", "vaes", "texts"] {
        write(&at(&format!("{place}/wide-lora.safetensors")), &lora);
        write(&at(&format!("{place}/net.safetensors")), &[("input_hint_block.0.weight", &[1]), ("zero_convs.0.0.weight", &[1])]);
        fs::write(at(&format!("{place}/lfs.safetensors")), pointer).unwrap();
        fs::write(at(&format!("{place}/page.safetensors")), "<!DOCTYPE html>").unwrap();
    }
    fs::write(at("nets/wide/config.json"), r#"{"_class_name": "ControlNetModel", "cross_attention_dim": 768}"#).unwrap();
    write(&at("nets/wide/diffusion_pytorch_model.safetensors"), &[("controlnet_cond_embedding.conv_in.bias", &[1])]);
    let mut vae = nano_sd().config(Component::Vae).unwrap();
    vae["latent_channels"] = 16.into();
    fs::write(at("vaes/deep/config.json"), vae.to_string()).unwrap();
    let tensors = nano_sd().tensors(Component::Vae).unwrap();
    let shapes: Vec<(String, Vec<usize>)> = tensors
        .names()
        .into_iter()
        .map(|name| match tensors.shape(&name) {
            Some(TensorShape::Known(shape)) => (name, shape),
            _ => panic!("{name} has no shape"),
        })
        .collect();
    let shapes: Vec<(&str, &[usize])> = shapes.iter().map(|(name, shape)| (name.as_str(), shape.as_slice())).collect();
    write(&at("vaes/deep/diffusion_pytorch_model.safetensors"), &shapes);
    let mut text = nano_sd().config(Component::TextEncoder).unwrap();
    text["hidden_size"] = 256.into();
    fs::write(at("texts/wide/config.json"), text.to_string()).unwrap();
    write(&at("texts/wide/model.safetensors"), &[("text_model.final_layer_norm.bias", &[256])]);
    text["architectures"] = serde_json::json!(["CLIPTextModelWithProjection"]);
    fs::write(at("texts/second/config.json"), text.to_string()).unwrap();
    write(&at("texts/second/model.safetensors"), &[("text_projection.weight", &[1])]);
    write(&at("vaes/text.safetensors"), &[("text_model.final_layer_norm.bias", &[256]), ("text_model.final_layer_norm.weight", &[256])]);
    write(&at("texts/vae.safetensors"), &shapes);
    image::RgbImage::new(64, 64).save(at("photo.png")).unwrap();
    fs::write(
        at("usual.toml"),
        "[adapters]\nfolder = \"loras\"\n\n[[models]]\nname = \"inked\"\nsource = \"nano-sd\"\nloras = [\"lfs\"]\n",
    )
    .unwrap();
    folder
}

#[test]
fn a_misfit_ends_a_command_with_2_and_names_the_flag_and_the_file() {
    let folder = folder();
    let lora = |name: &'static str| vec!["--adapters", "loras", "--lora", name];
    let net = |path: &'static str| vec!["--controlnet", path, "--control-image", "photo.png"];
    let cases: Vec<(Vec<&str>, &str)> = vec![
        (lora("lfs"), "--lora lfs: lfs: is a Git LFS pointer, not the weights themselves: fetch them with `git lfs pull`"),
        (lora("page"), "--lora page: page: is a web page, not weights"),
        (lora("net"), "--lora net: net: is a ControlNet, not an adapter: choose it as a ControlNet"),
        (lora("wide-lora"), "--lora: wide-lora: was made for another model"),
        (vec!["--config", "usual.toml", "--model", "inked"], "setting models.loras: lfs: is a Git LFS pointer"),
        (net("nets/lfs.safetensors"), "--controlnet (number 1): lfs: lfs.safetensors: is a Git LFS pointer"),
        (net("nets/page.safetensors"), "--controlnet (number 1): page: page.safetensors: is a web page"),
        (net("nets/wide-lora.safetensors"), "wide-lora.safetensors: is a LoRA, not a ControlNet: choose it as an adapter"),
        (net("nets/wide"), "--controlnet: wide: cross_attention_dim: 768, but the model has 128"),
        (vec!["--vae", "vaes/lfs.safetensors"], "vae vaes/lfs.safetensors: is a Git LFS pointer"),
        (vec!["--vae", "vaes/page.safetensors"], "vae vaes/page.safetensors: is a web page"),
        (vec!["--vae", "vaes/wide-lora.safetensors"], "vae vaes/wide-lora.safetensors: is a LoRA, not a VAE: choose it as an adapter"),
        (vec!["--vae", "nets/wide"], "vae nets/wide/config.json: field _class_name: unsupported value \"ControlNetModel\", a ControlNet"),
        (
            vec!["--vae", "vaes/deep"],
            "vae vaes/deep/diffusion_pytorch_model.safetensors: tensor decoder.conv_in.weight: expected shape [64, 16, 3, 3], found [64, 4, ",
        ),
        (vec!["--vae", "vaes/text.safetensors"], "its text encoder, not a VAE: give it as the text encoder (--text-encoder, or"),
        (vec!["--text-encoder", "texts/none"], "text_encoder texts/none: does not exist; a text encoder is a folder or a file"),
        (vec!["--text-encoder", "texts/lfs.safetensors"], "text_encoder texts/lfs.safetensors: is a Git LFS pointer"),
        (vec!["--text-encoder-2", "texts/page.safetensors"], "text_encoder_2 texts/page.safetensors: is a web page"),
        (vec!["--text-encoder", "texts/wide-lora.safetensors"], "is a LoRA, not a text encoder: choose it as an adapter"),
        (
            vec!["--text-encoder", "texts/vae.safetensors"],
            "text_encoder texts/vae.safetensors: is one component of a diffusers model, its VAE, not a text encoder: give it as the VAE (--vae)",
        ),
        (
            vec!["--text-encoder", "vaes/deep"],
            "field _class_name: unsupported value \"AutoencoderKL\", one component of a diffusers model, its VAE",
        ),
        (vec!["--text-encoder", "texts/wide"], "text_encoder texts/wide/config.json: field hidden_size: 256, but the model reads 128"),
        (vec!["--text-encoder-2", "texts/wide"], "unsupported value \"CLIPTextModel\", a text encoder without a projection"),
        (
            vec!["--text-encoder-2", "texts/second"],
            "text_encoder_2 texts/second: the model has one text encoder; only Stable Diffusion XL has",
        ),
    ];
    for (more, part) in cases {
        // `--config` stands before the command.
        let (config, more) = if more[0] == "--config" { more.split_at(2) } else { more.split_at(0) };
        let args = [config, &["image", "a boat", "--steps", "1", "--seed", "1", "--out", "a.png"], more].concat();
        let refused = framewright(folder.path(), &args);
        let last = refused.stderr.lines().last().unwrap_or_default();
        assert_eq!((refused.code, refused.stdout.as_str()), (2, ""), "{more:?}: {refused:?}");
        assert!(last.starts_with("error: ") && last.contains(part), "{more:?}: {part}: {refused:?}");
        // The model's name and device are printed once it is loaded.
        let shows_late = more.contains(&"nets/wide") && more[0] == "--controlnet";
        assert_eq!(refused.stderr.lines().count() == 1, !shows_late, "{more:?}: {refused:?}");
    }
    assert!(!folder.path().join("a.png").exists());
    let five = ["--controlnet", "nets/wide", "--control-image", "photo.png"].repeat(5);
    let refused = framewright(folder.path(), &[&["image", "a boat", "--out", "a.png"], &five[..]].concat());
    assert_eq!((refused.code, refused.stderr.as_str()), (2, "error: --controlnet: 5 are given, and 4 are the most\n"));
}

/// A refusal is the caller's affair; the log's errors are the operator's.
#[test]
fn a_refused_request_is_no_error_in_the_servers_log() {
    let folder = folder();
    let config = folder.path().join("framewright.toml");
    let (loras, nets) = (folder.path().join("loras"), folder.path().join("nets"));
    fs::write(nets.join("a:b.pth"), "x").unwrap();
    fs::write(&config, format!("[adapters]\nfolder = {loras:?}\n\n[controlnets]\nfolder = {nets:?}\n\n[server]\nlog = \"info\"\n"))
        .unwrap();
    let mut served = Served::start_by(&format!("exec \"$0\" --config {} \"$@\"", config.display()), &[]);
    let body = serde_json::json!({ "prompt": "a boat", "num_inference_steps": 1, "loras": ["wide-lora"] }).to_string();
    let answer = served.ask("POST /generate", &["Content-Type: application/json"], body.as_bytes());
    assert!(answer.starts_with("HTTP/1.1 422") && answer.contains("wide-lora: was made for another model"), "{answer}");
    let mut logged = Vec::new();
    while !logged.iter().any(|line: &String| line.contains("status=422")) {
        logged.push(served.lines.next().unwrap().unwrap());
    }
    let refused: Vec<&String> = logged.iter().filter(|line| line.contains("was made for another model")).collect();
    assert!(refused.iter().any(|line| line.contains(" INFO ") && line.contains("refused")), "{logged:?}");
    assert!(logged.iter().all(|line| !line.contains(" ERROR ")), "{logged:?}");
    // What lies in the folders and cannot be chosen or used is said once, at the start.
    let warned = |part: &str| logged.iter().filter(|line| line.contains(" WARN ") && line.contains(part)).count();
    assert_eq!(warned("no request can choose a:b: a name has none of the characters"), 1, "{logged:?}");
    assert_eq!(warned("these cannot be used and are not listed: lfs (is a Git LFS pointer"), 1, "{logged:?}");
}
