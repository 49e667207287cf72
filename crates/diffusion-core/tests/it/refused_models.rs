//! Models and files that this program does not run are named as what they are.

use std::{fs, path::Path};

use diffusion_core::{
    adapters::{Adapter, Embedding},
    weights::{OpenOptions, TextEncoder, check_controlnet, check_text_encoder, check_vae, open_controlnet, open_model},
};

use crate::weights::safetensors_bytes;

fn refusal(path: &Path) -> String {
    open_model(path, &OpenOptions::default()).err().unwrap().to_string()
}

#[test]
fn folders_of_other_families_are_named() {
    let folder = tempfile::tempdir().unwrap();
    for (class, kind) in [
        ("StableDiffusion3Pipeline", "is a Stable Diffusion 3 checkpoint"),
        ("FluxPipeline", "is a Flux checkpoint:"),
        ("FluxKontextPipeline", "is a Flux checkpoint (Kontext)"),
        ("Flux2Pipeline", "is a Flux 2 checkpoint"),
        ("WanImageToVideoPipeline", "is a Wan checkpoint"),
        ("PixArtSigmaPipeline", "is a PixArt checkpoint"),
        ("KandinskyV22Pipeline", "is a Kandinsky checkpoint"),
        ("Kandinsky5T2VPipeline", "is a Kandinsky checkpoint"),
        ("StableCascadeDecoderPipeline", "is a Stable Cascade checkpoint"),
        ("AuraFlowPipeline", "is an AuraFlow checkpoint"),
        ("HunyuanDiTPipeline", "is a HunyuanDiT checkpoint"),
        ("HunyuanVideoPipeline", "is a HunyuanVideo checkpoint"),
        ("LTXConditionPipeline", "is an LTX-Video checkpoint"),
        ("QwenImageEditPipeline", "is a Qwen-Image checkpoint"),
        ("SanaSprintPipeline", "is a Sana checkpoint"),
        ("ZImagePipeline", "is a Z-Image checkpoint"),
        ("CogVideoXImageToVideoPipeline", "is a CogVideoX checkpoint"),
        ("MochiPipeline", "is a Mochi checkpoint"),
        ("AnimateDiffPipeline", "is an AnimateDiff model"),
        ("StableDiffusionControlNetPipeline", "is a model with a ControlNet"),
        ("OnnxStableDiffusionPipeline", "is a model in the ONNX format"),
        ("OVStableDiffusionPipeline", "is a model in the OpenVINO format"),
    ] {
        fs::write(folder.path().join("model_index.json"), format!(r#"{{"_class_name": "{class}"}}"#)).unwrap();
        let message = refusal(folder.path());
        assert!(message.contains(kind) && message.contains("supported are Stable Diffusion 1.x, 2.x and XL"), "{class}: {message}");
        assert_eq!(message.lines().count(), 1);
    }
    fs::write(folder.path().join("model_index.json"), r#"{"_class_name": "SomethingNewPipeline"}"#).unwrap();
    assert!(refusal(folder.path()).contains("unsupported pipeline SomethingNewPipeline; supported are"));
}

#[test]
fn folders_of_parts_and_formats_are_named() {
    for (file, content, kind) in [
        ("config.json", r#"{"_class_name": "FluxTransformer2DModel"}"#, "its config.json is a Flux checkpoint"),
        ("config.json", r#"{"_class_name": "SD3Transformer2DModel"}"#, "is a Stable Diffusion 3 checkpoint"),
        ("config.json", r#"{"_class_name": "ControlNetModel"}"#, "is a ControlNet: it steers a model"),
        ("config.json", r#"{"_class_name": "T2IAdapter"}"#, "is a T2I-Adapter"),
        ("config.json", r#"{"_class_name": "MotionAdapter"}"#, "is a motion module (AnimateDiff)"),
        ("config.json", r#"{"_class_name": "AutoencoderKL"}"#, "is one component of a diffusers model, its VAE: give the model's folder"),
        ("config.json", r#"{"_class_name": "UNet2DConditionModel"}"#, "is one component of a diffusers model, its UNet"),
        ("config.json", r#"{"architectures": ["CLIPTextModel"]}"#, "is one component of a diffusers model, its text encoder"),
        ("config.json", r#"{"architectures": ["BlipForConditionalGeneration"]}"#, "is a captioner (BLIP)"),
        ("config.json", r#"{"architectures": ["LlamaForCausalLM"]}"#, "is a language model"),
        ("config.json", "{}", "it may be one component of a model: give the folder above it"),
        ("learned_embeds.safetensors", "", "it holds a textual-inversion embedding"),
        ("model.onnx", "", "it holds a model in the ONNX format"),
        ("unet/openvino_model.xml", "", "it holds a model in the OpenVINO format"),
        ("Unet.mlmodelc/model.mil", "", "it holds a model in the Core ML format"),
        ("flux-Q4.gguf", "", "it holds a GGUF file"),
        ("v1-5.safetensors", "", "it holds v1-5.safetensors: if that is a whole checkpoint, give that file"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
        let message = refusal(folder.path());
        assert!(message.contains(kind) && message.contains("this is no diffusers model folder; "), "{file} {content}: {message}");
    }
}

#[test]
fn files_of_other_families_and_formats_are_named() {
    let folder = tempfile::tempdir().unwrap();
    for (tensor, kind) in [
        ("model.diffusion_model.joint_blocks.0.x_block.attn.ln_q.weight", "is a Stable Diffusion 3.5 checkpoint"),
        ("joint_blocks.0.context_block.adaLN_modulation.1.bias", "is a Stable Diffusion 3 checkpoint"),
        ("guidance_in.in_layer.weight", "is a Flux checkpoint (dev, Kontext and the like)"),
        ("double_blocks.0.img_attn.norm.key_norm.scale", "is a Flux checkpoint (schnell, or another one without"),
        ("single_transformer_blocks.0.attn.to_q.weight", "is a Flux checkpoint"),
        ("head.modulation", "is a Wan checkpoint"),
        ("y_embedder.y_embedding", "is a PixArt checkpoint"),
        ("blocks.0.cross_attn.q_linear.weight", "is a PixArt checkpoint"),
        ("blocks.0.mlp.inverted_conv.conv.weight", "is a Sana checkpoint"),
        ("blocks.0.attn2.q_proj.weight", "is a HunyuanDiT checkpoint"),
        ("txt_in.individual_token_refiner.blocks.0.adaLN_modulation.1.bias", "is a HunyuanVideo checkpoint"),
        ("visual_transformer_blocks.0.x", "is a Kandinsky checkpoint"),
        ("clip_txt_mapper.weight", "is a Stable Cascade checkpoint"),
        ("down_blocks.1.0.channelwise.0.weight", "is a Stable Cascade checkpoint"),
        ("double_layers.0.attn.w2q.weight", "is an AuraFlow checkpoint"),
        ("model.diffusion_model.patchify_proj.weight", "is an LTX-Video checkpoint"),
        ("txt_in.text_norm.weight", "is a Qwen-Image checkpoint"),
        ("cap_embedder.0.weight", "is a Lumina or Z-Image checkpoint"),
        ("model.diffusion_model.mixins.pos_embed.freqs", "is a CogVideoX checkpoint"),
        ("blocks.0.attn.qkv_x.weight", "is a Mochi checkpoint"),
    ] {
        let path = folder.path().join("model.safetensors");
        fs::write(&path, safetensors_bytes(&[(tensor, &[1])], 0.0)).unwrap();
        let message = refusal(&path);
        assert!(message.contains(kind) && message.contains("supported are Stable Diffusion 1.x, 2.x and XL"), "{tensor}: {message}");
        assert_eq!(message.lines().count(), 1);
    }
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:aa\nsize 3\n";
    for (name, content, kind) in [
        ("x.gguf", "GGUF", "is a GGUF file"),
        ("x.onnx", "", "is a model in the ONNX format"),
        ("openvino_model.xml", "", "is a model in the OpenVINO format"),
        ("x.mlmodel", "", "is a model in the Core ML format"),
        ("x.engine", "", "is a TensorRT engine"),
        ("x.safetensors", pointer, "is a Git LFS pointer"),
        ("x.ckpt", pointer, "is a Git LFS pointer"),
        ("x.txt", "", "is neither a model folder nor a .safetensors or .ckpt checkpoint"),
    ] {
        let path = folder.path().join(name);
        fs::write(&path, content).unwrap();
        let message = refusal(&path);
        assert!(message.contains(kind), "{name}: {message}");
    }
}

/// What is said of a file that is given as a ControlNet, as a VAE, as an adapter and as an embedding; the first two by a look at its start,
/// too.
fn elsewhere(path: &Path) -> [(&'static str, Option<String>); 8] {
    let said = |result: diffusion_core::Result<()>| result.err().map(|error| error.to_string());
    [
        ("a ControlNet", said(open_controlnet(path).map(drop))),
        ("a ControlNet", said(check_controlnet(path).map(drop))),
        ("a VAE", said(check_vae(path))),
        ("a text encoder", said(check_text_encoder(path, TextEncoder::First))),
        ("a text encoder", said(check_text_encoder(path, TextEncoder::Second))),
        ("an adapter", said(Adapter::open("x", path).map(drop))),
        ("an adapter", said(Adapter::check(path))),
        ("an embedding", said(Embedding::open(path).map(drop))),
    ]
}

#[test]
fn files_are_named_wherever_they_are_given() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.safetensors");
    let names: [(&[&str], &str, &str); 17] = [
        (&["lora_unet_mid_block.lora_up.weight", "lora_unet_mid_block.lora_down.weight"], "is a LoRA, not ", "choose it as an adapter"),
        (&["x.hada_w1_a", "x.hada_w2_a"], "is a LyCORIS adapter (LoHa, LoKr, OFT and the like), not ", "choose it as an adapter"),
        (&["emb_params"], "is a textual-inversion embedding, not ", "put it into the folder of the setting adapters.embeddings"),
        (&["<cat>"], "is a textual-inversion embedding, or another single tensor, not ", "put it into the folder"),
        (&["input_hint_block.0.weight", "zero_convs.0.0.weight"], "is a ControlNet, not ", "choose it as a ControlNet"),
        (
            &["model.diffusion_model.out.2.bias", "first_stage_model.x", "cond_stage_model.x"],
            "is a whole checkpoint, not ",
            "give it as the model",
        ),
        (
            &["down_blocks.0.resnets.0.conv1.weight", "mid_block.x"],
            "is one component of a diffusers model, its UNet, not ",
            "supported are",
        ),
        (&["decoder.up.0.x", "encoder.down.0.x"], "is a VAE alone, not ", "give it as the VAE"),
        (
            &["text_model.encoder.layers.0.x", "text_model.y"],
            "is one component of a diffusers model, its text encoder, not ",
            "give it as the text encoder (--text-encoder, or --text-encoder-2",
        ),
        (&["transformer.resblocks.0.ln_2.weight", "y"], "is a text encoder alone, not ", "give it as the text encoder"),
        (&["vision_model.x", "text_model.y"], "is a CLIP, which has a text encoder, not ", "give it as the text encoder"),
        (
            &["encoder.block.0.layer.0.x", "shared.weight"],
            "is a T5 text encoder (of Stable Diffusion 3, Flux and others), not ",
            "supported are",
        ),
        (&["double_blocks.0.img_attn.norm.key_norm.scale", "x"], "is a Flux checkpoint (schnell, or another one", "supported are"),
        (&["joint_blocks.0.context_block.x", "y"], "is a Stable Diffusion 3 checkpoint, not ", "supported are"),
        (&["task_embedding", "control_add_embedding.x", "controlnet_cond_embedding.x"], "is a ControlNet-Union, not ", "supported are"),
        (&["lora_controlnet", "input_hint_block.0.weight"], "is a Control-LoRA, not ", "supported are"),
        (&["body.0.in_conv.weight", "body.1.x"], "is a T2I-Adapter, not ", "supported are"),
    ];
    for (tensors, is, advice) in names {
        let tensors: Vec<(&str, &[usize])> = tensors.iter().map(|name| (*name, &[1_usize, 1] as &[usize])).collect();
        fs::write(&path, safetensors_bytes(&tensors, 0.0)).unwrap();
        for (role, said) in elsewhere(&path) {
            let said = said.unwrap_or_default();
            // Where it belongs it is taken, or refused for another reason.
            let belongs = match role {
                "an adapter" => advice == "choose it as an adapter",
                "an embedding" => advice.starts_with("put it into the folder"),
                // A checkpoint has a VAE.
                "a VAE" => ["give it as the VAE", "give it as the model"].contains(&advice),
                "a text encoder" => advice.starts_with("give it as the text encoder"),
                _ => advice == "choose it as a ControlNet",
            };
            if belongs {
                assert!(!said.contains(is), "{is} as {role}: {said}");
            } else {
                assert!(said.contains(&format!("x.safetensors: {is}")) && said.contains(advice), "{is} as {role}: {said}");
                assert!(said.contains(&format!("not {role}: ")) && said.lines().count() == 1, "{is} as {role}: {said}");
            }
        }
    }
    // Files that hold no tensors at all.
    for (bytes, is) in [
        (&b"version https://git-lfs.github.com/spec/v1\noid sha256:aa\nsize 3\n"[..], "is a Git LFS pointer"),
        (b"GGUF\x03\0\0\0\0\0\0\0", "is a GGUF file, not weights"),
        (b"<!DOCTYPE html><html></html>", "is a web page, not weights"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "is a picture (PNG), not weights"),
        (b"\xff\xd8\xff\xe0\0\x10JFIF", "is a picture (JPEG), not weights"),
        (b"Invalid username or password.", "is a text file, not weights"),
        (b"{\"error\": \"Repository not found\"}", "is a JSON file, not weights"),
        (b"\xff\0\0\0\0\0\0\0{}", "truncated, or no safetensors file: it ends inside its header (10 bytes)"),
        (b"", "truncated: the file is empty"),
    ] {
        fs::write(&path, bytes).unwrap();
        for (role, said) in elsewhere(&path).into_iter().chain([("a model", Some(refusal(&path)))]) {
            let said = said.unwrap_or_default();
            assert!(said.contains(&format!("x.safetensors: {is}")) && said.lines().count() == 1, "{is} as {role}: {said}");
        }
    }
    // A file that is cut within its data.
    let whole = safetensors_bytes(&[("lora_unet_x.lora_up.weight", &[2, 2]), ("emb_params", &[2, 2])], 0.0);
    fs::write(&path, &whole[..whole.len() - 4]).unwrap();
    for (role, said) in elsewhere(&path) {
        let said = said.unwrap_or_default();
        assert!(said.contains("truncated: expected shape [2, 2] in "), "{role}: {said}");
    }
}

#[test]
fn folders_are_named_wherever_they_are_given() {
    for (file, content, is) in [
        ("config.json", r#"{"_class_name": "T2IAdapter"}"#, "\"T2IAdapter\", a T2I-Adapter; supported"),
        (
            "config.json",
            r#"{"architectures": ["CLIPTextModel"]}"#,
            "\"CLIPTextModel\", one component of a diffusers model, its text encoder",
        ),
        ("adapter_config.json", "{}", "it holds a PEFT adapter: choose it as an adapter"),
        ("learned_embeds.safetensors", "", "it holds a textual-inversion embedding: put it into the folder"),
        ("flux-Q4.gguf", "", "it holds a GGUF file: supported are"),
        ("net.safetensors", "", "it holds net.safetensors: if that is a "),
    ] {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(file), content).unwrap();
        for said in [
            check_controlnet(folder.path()).map(drop),
            open_controlnet(folder.path()).map(drop),
            check_vae(folder.path()),
            check_text_encoder(folder.path(), TextEncoder::First),
        ] {
            let said = match said {
                Err(error) => error.to_string(),
                Ok(()) => panic!("{file} {content}"),
            };
            if said.contains("has no weight file: looked for model.safetensors") {
                assert!(content.contains("CLIPTextModel"), "where it belongs: {said}");
                continue;
            }
            assert!(said.contains(is) && said.lines().count() == 1, "{file}: {said}");
        }
    }
    // A folder of the right class, whose weights are not there.
    let folder = tempfile::tempdir().unwrap();
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:aa\nsize 3\n";
    fs::write(folder.path().join("diffusion_pytorch_model.safetensors"), pointer).unwrap();
    fs::write(folder.path().join("config.json"), r#"{"_class_name": "ControlNetModel"}"#).unwrap();
    assert!(check_controlnet(folder.path()).unwrap_err().to_string().contains("diffusion_pytorch_model.safetensors: is a Git LFS pointer"));
    fs::write(folder.path().join("model.safetensors"), pointer).unwrap();
    fs::write(folder.path().join("config.json"), r#"{"architectures": ["CLIPTextModel"]}"#).unwrap();
    let said = check_text_encoder(folder.path(), TextEncoder::First).unwrap_err().to_string();
    assert!(said.contains("model.safetensors: is a Git LFS pointer"), "{said}");
    fs::write(folder.path().join("config.json"), r#"{"_class_name": "AutoencoderKL"}"#).unwrap();
    assert!(check_vae(folder.path()).unwrap_err().to_string().contains("diffusion_pytorch_model.safetensors: is a Git LFS pointer"));
}
