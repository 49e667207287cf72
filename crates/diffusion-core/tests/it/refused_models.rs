//! Models and files that this program does not run are named as what they are.

use std::{fs, path::Path};

use diffusion_core::weights::{OpenOptions, open_model};

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
