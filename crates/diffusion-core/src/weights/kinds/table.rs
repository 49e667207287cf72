//! The kinds of models and files that are named and refused: data only.
//!
//! It must not know how a kind is found. Invariant: the first row that matches is right, so adapters and helpers, which repeat the names of
//! their models, come first, and a family comes before those whose names it repeats.

use super::{
    GivenAs, Kind,
    Sign::{Both, Start, Whole, Within},
};

pub(super) const ONLY: &str = "supported are Stable Diffusion 1.x, 2.x and XL with its refiner, and Stable Video Diffusion";
const ADAPTER: &str = "it modifies a model but is not one: give the model that it was made for, and this file as an adapter";
pub(super) const PART: &str = "give a whole checkpoint, or the folder of a diffusers model";
const HELPER: &str = "it supplements a model but is not one, and is not supported; give a checkpoint of Stable Diffusion 1.x, 2.x or XL";
const UPSCALER: &str =
    "it enlarges pictures and makes none: use it with framewright upscale, or from the folder of the setting upscalers.folder";
const FOLDER: &str = "give the model's folder instead";
const TEXT: &str = "give the model's folder or a checkpoint instead, and this one as its text encoder (--text-encoder)";

/// A model that is neither supported nor a part of one.
const fn other(is: &'static str, classes: &'static [&'static str], signs: &'static [super::Sign]) -> Kind {
    kind(is, ONLY, classes, signs)
}

const fn kind(is: &'static str, advice: &'static str, classes: &'static [&'static str], signs: &'static [super::Sign]) -> Kind {
    Kind { is, advice, role: None, classes, signs }
}

/// Files in a folder, and endings of a file's name, that belong to other programs; by the end of the name.
pub(super) const FORMATS: [(&str, &str); 9] = [
    (".gguf", "a GGUF file"),
    (".onnx", "a model in the ONNX format"),
    ("openvino_model.xml", "a model in the OpenVINO format"),
    (".xml", "a model in the OpenVINO format"),
    (".mlmodelc", "a model in the Core ML format"),
    (".mlpackage", "a model in the Core ML format"),
    (".mlmodel", "a model in the Core ML format"),
    (".engine", "a TensorRT engine"),
    (".tflite", "a model in the TensorFlow Lite format"),
];

/// First bytes of files that hold no weights that are read here.
pub(super) const SIGNATURES: [(&[u8], &str); 13] = [
    (b"GGUF", "a GGUF file"),
    (b"<", "a web page"),
    (b"\x89PNG", "a picture (PNG)"),
    (b"\xff\xd8\xff", "a picture (JPEG)"),
    (b"GIF8", "a picture (GIF)"),
    (b"RIFF", "a picture (WebP) or another RIFF file"),
    (b"%PDF", "a PDF document"),
    (b"\x1f\x8b", "an archive (gzip)"),
    (b"7z\xbc\xaf", "an archive (7z)"),
    (b"Rar!", "an archive (RAR)"),
    (b"\x89HDF", "a model in the HDF5 format"),
    (b"{", "a JSON file"),
    (b"[", "a JSON file"),
];

pub(super) const KINDS: &[Kind] = &[
    kind(
        "a LyCORIS adapter (LoHa, LoKr, OFT and the like)",
        ADAPTER,
        &[],
        &[
            Within(".hada_w1"),
            Within(".lokr_w1"),
            Within(".lokr_w2"),
            Within(".lokr_t2"),
            Within(".oft_blocks"),
            Within(".oft_diag"),
            Within(".lora_mid."),
            Within(".on_input"),
            Within(".diff_b"),
            Start("lycoris_"),
        ],
    )
    .fits(GivenAs::Adapter),
    kind("a Control-LoRA", HELPER, &[], &[Start("lora_controlnet")]),
    kind("a ControlNet-Union", HELPER, &["ControlNetUnionModel"], &[Within("task_embedding"), Within("control_add_embedding.")]),
    kind("a ControlNet-XS", HELPER, &["ControlNetXSAdapter"], &[]),
    kind("a ControlNet of Stable Diffusion 3", HELPER, &["SD3ControlNetModel"], &[Start("pos_embed_input.")]),
    kind("a ControlNet of Flux", HELPER, &["FluxControlNetModel"], &[Start("controlnet_x_embedder.")]),
    kind("a ControlNet of Stable Diffusion 3 or Flux", HELPER, &[], &[Within("controlnet_blocks.")]),
    kind(
        "a ControlNet of another family",
        HELPER,
        &["SanaControlNetModel", "HunyuanDiT2DControlNetModel", "QwenImageControlNetModel", "ZImageControlNetModel"],
        &[Start("control_layers."), Start("control_all_x_embedder.")],
    ),
    kind(
        "a SparseCtrl of AnimateDiff",
        HELPER,
        &["SparseControlNet"],
        &[Both("motion_modules.", "controlnet_"), Start("control_model.motion_modules.")],
    ),
    kind(
        "a motion module (AnimateDiff)",
        HELPER,
        &["MotionAdapter", "UNetMotionModel"],
        &[Within("motion_modules."), Within(".pos_encoder.pe")],
    ),
    kind(
        "a ControlNet",
        "it steers a model but is not one; give a checkpoint of Stable Diffusion 1.x, 2.x or XL, and the ControlNet beside it",
        &["ControlNet", "MultiControlNet"],
        &[Start("control_model."), Start("input_hint_block."), Start("zero_convs."), Start("controlnet_")],
    )
    .fits(GivenAs::ControlNet),
    kind(
        "a PEFT adapter (LoRA)",
        ADAPTER,
        &[],
        &[Start("base_model.model."), Within(".lora_A."), Within(".lora_B."), Within(".lora_embedding_A")],
    )
    .fits(GivenAs::Adapter),
    kind(
        "a LoRA",
        ADAPTER,
        &[],
        &[
            Start("lora_"),
            Within(".lora_up."),
            Within(".lora_down."),
            Within(".lora.up."),
            Within(".lora.down."),
            Within("_lora.up."),
            Within("_lora.down."),
            Within(".lora_linear_layer."),
            Within(".dora_scale"),
        ],
    )
    .fits(GivenAs::Adapter),
    other("an AnimateDiff model", &["AnimateDiff"], &[]),
    kind("an IP-Adapter", HELPER, &["IPAdapter"], &[Start("ip_adapter."), Start("image_proj.")]),
    kind(
        "a T2I-Adapter",
        HELPER,
        &["T2IAdapter", "MultiAdapter"],
        &[Start("adapter.body."), Start("body.0.in_conv."), Start("body.0.block1.")],
    ),
    kind(
        "a textual-inversion embedding",
        "it adds a word to a model but is not one: give the model that it was made for",
        &[],
        &[Whole("emb_params"), Start("string_to_param."), Whole("clip_l"), Whole("clip_g")],
    )
    .fits(GivenAs::Embedding),
    kind(
        "an upscaler (ESRGAN and the like)",
        UPSCALER,
        &[],
        &[
            Start("params_ema."),
            Start("params."),
            Start("conv_first."),
            Start("model.1.sub."),
            Start("model.0.weight"),
            Within(".rdb1."),
            Within(".RDB1."),
            Within(".residual_group."),
            Start("body.0.rdb"),
            Whole("body.0.weight"),
        ],
    )
    .fits(GivenAs::Upscaler),
    kind("a safety checker", HELPER, &["StableDiffusionSafetyChecker"], &[Whole("concept_embeds"), Whole("special_care_embeds")]),
    other("a Playground 2.5 checkpoint", &[], &[Whole("edm_mean"), Whole("edm_std")]),
    other("a Stable Diffusion 3.5 checkpoint", &[], &[Within("x_block.attn.ln_q."), Within("x_block.attn2.")]),
    other(
        "a Stable Diffusion 3 checkpoint",
        &["StableDiffusion3", "SD3"],
        &[Within("joint_blocks."), Start("text_encoders.clip_g."), Start("transformer_blocks.0.norm1_context.")],
    ),
    other("a Chroma checkpoint", &["Chroma"], &[Within("distilled_guidance_layer.")]),
    other("a HunyuanVideo checkpoint", &["HunyuanVideo"], &[Within("individual_token_refiner.")]),
    other("a HunyuanImage checkpoint", &["HunyuanImage"], &[]),
    other("a HiDream checkpoint", &["HiDream"], &[Within("double_stream_blocks."), Within("double_stream_block.")]),
    other("a Flux 2 checkpoint", &["Flux2"], &[Within("single_stream_modulation.")]),
    other("a Flux checkpoint (Kontext)", &["FluxKontext"], &[]),
    other("a Flux checkpoint (dev, Kontext and the like)", &[], &[Within("guidance_in."), Within("time_text_embed.guidance_embedder.")]),
    other(
        "a Flux checkpoint (schnell, or another one without a guidance embedding)",
        &[],
        &[Within("double_blocks."), Within("single_transformer_blocks.")],
    ),
    other("a Flux checkpoint", &["Flux"], &[]),
    other("an AuraFlow checkpoint", &["AuraFlow"], &[Within("double_layers."), Start("joint_transformer_blocks.")]),
    other("a Stable Cascade checkpoint", &["StableCascade", "Wuerstchen"], &[Within(".channelwise."), Start("clip_txt_mapper.")]),
    other("an LTX-Video checkpoint", &["LTX"], &[Within("patchify_proj.")]),
    other("a Lumina or Z-Image checkpoint", &[], &[Within("cap_embedder.")]),
    other("a Z-Image checkpoint", &["ZImage"], &[]),
    other("a Lumina checkpoint", &["Lumina"], &[]),
    other("a Qwen-Image checkpoint", &["QwenImage"], &[Within(".img_mod."), Within("txt_in.text_norm.")]),
    other("a Wan checkpoint", &["Wan", "SkyReels"], &[Within("head.modulation"), Start("condition_embedder.text_embedder.")]),
    other("a Mochi checkpoint", &["Mochi"], &[Within(".attn.qkv_x."), Whole("pos_frequencies")]),
    other("a CogVideoX checkpoint", &["CogVideoX", "ConsisID"], &[Within("diffusion_model.mixins."), Start("patch_embed.text_proj.")]),
    other("a CogView checkpoint", &["CogView"], &[]),
    other("a Cosmos checkpoint", &["Cosmos"], &[Start("net.x_embedder."), Start("net.blocks.")]),
    other("an Allegro checkpoint", &["Allegro"], &[]),
    other("a Latte checkpoint", &["Latte"], &[]),
    other("a Sana checkpoint", &["Sana"], &[Within(".inverted_conv."), Within(".conv_inverted."), Within("attention_y_norm.")]),
    other("a HunyuanDiT checkpoint", &["HunyuanDiT"], &[Whole("text_embedding_padding"), Within("blocks.0.attn2.q_proj.")]),
    other(
        "a PixArt checkpoint",
        &["PixArt"],
        &[Within("blocks.0.cross_attn."), Whole("y_embedder.y_embedding"), Start("caption_projection.linear_1.")],
    ),
    other(
        "a Kandinsky checkpoint",
        &["Kandinsky", "UnCLIP", "PriorTransformer"],
        &[Start("visual_transformer_blocks."), Start("text_transformer_blocks."), Start("ln_model_n."), Start("add_embedding.image_")],
    ),
    other("a Kolors checkpoint", &["Kolors"], &[]),
    other("a DeepFloyd IF checkpoint", &["IFPipeline", "IFImg2Img", "IFInpainting", "IFSuperResolution"], &[Start("encoder_pooling.")]),
    other(
        "a Stable unCLIP checkpoint",
        &["StableUnCLIP", "StableDiffusionImageVariation"],
        &[Start("noise_augmentor."), Start("embedder.model.")],
    ),
    other("a Stable Diffusion 2 depth checkpoint", &["StableDiffusionDepth2Img"], &[Start("depth_model.")]),
    other("a Stable Diffusion upscaler", &["StableDiffusionUpscale", "StableDiffusionLatentUpscale"], &[]),
    other("an InstructPix2Pix model", &["StableDiffusionInstructPix2Pix", "StableDiffusionXLInstructPix2Pix", "CosXL"], &[]),
    other("a model with a ControlNet", &["StableDiffusionControlNet", "StableDiffusionXLControlNet"], &[]),
    other("a model with a T2I-Adapter", &["StableDiffusionAdapter", "StableDiffusionXLAdapter"], &[]),
    other("an AltDiffusion checkpoint", &["AltDiffusion"], &[Start("cond_stage_model.roberta.")]),
    other("a Zero123 checkpoint", &["Zero1to3"], &[Start("cc_projection.")]),
    other("a GLIGEN checkpoint", &["StableDiffusionGLIGEN"], &[Within(".fuser."), Start("position_net.")]),
    other("an audio model", &["AudioLDM", "MusicLDM", "StableAudio", "AceStep"], &[]),
    other("a model in the ONNX format", &["Onnx", "ORT"], &[]),
    other("a model in the OpenVINO format", &["OV", "OpenVINO"], &[]),
    kind(
        "a captioner (BLIP)",
        "it describes pictures and makes none, and runs for captions only",
        &["Blip"],
        &[Start("vision_model.encoder.layers.0.self_attn.qkv."), Start("text_decoder.bert.")],
    ),
];

/// Parts of a model; tensors are compared only if the file lacks a checkpoint's names.
pub(super) const PARTS: &[Kind] = &[
    kind(
        "one component of a diffusers model, its VAE",
        FOLDER,
        &["Autoencoder", "AsymmetricAutoencoder", "VQModel"],
        &[Start("encoder.down_blocks."), Start("decoder.up_blocks.")],
    )
    .fits(GivenAs::Vae),
    kind(
        "one component of a diffusers model, its UNet",
        FOLDER,
        &["UNet"],
        &[Start("down_blocks."), Start("up_blocks."), Start("mid_block.")],
    ),
    kind(
        "a CLIP, which has a text encoder",
        TEXT,
        &["CLIPModel"],
        &[Both("vision_model.", "text_model."), Both("visual.", "transformer.resblocks.0.ln_1.")],
    )
    .fits(GivenAs::TextEncoder),
    kind("an image encoder alone", PART, &["CLIPVision"], &[Start("vision_model."), Start("visual.")]),
    kind("one component of a diffusers model, its text encoder", TEXT, &["CLIPText"], &[Start("text_model.")]).fits(GivenAs::TextEncoder),
    other("a T5 text encoder (of Stable Diffusion 3, Flux and others)", &["T5", "UMT5"], &[Start("encoder.block.0.layer.")]),
    kind(
        "a VAE alone",
        PART,
        &[],
        &[
            Start("first_stage_model."),
            Start("vae."),
            Start("encoder.down."),
            Start("decoder.up."),
            Start("taesd_"),
            Start("decoder.layers."),
            Whole("decoder.1.weight"),
        ],
    )
    .fits(GivenAs::Vae),
    kind(
        "a UNet alone",
        PART,
        &[],
        &[Start("model.diffusion_model."), Start("diffusion_model."), Start("input_blocks."), Start("output_blocks."), Start("unet.")],
    ),
    kind(
        "a text encoder alone",
        TEXT,
        &[],
        &[
            Start("cond_stage_model."),
            Start("conditioner.embedders."),
            Start("text_encoder."),
            Start("transformer.resblocks."),
            Start("encoder.layers."),
        ],
    )
    .fits(GivenAs::TextEncoder),
    other(
        "a language model",
        &["Llama", "Qwen", "Gemma", "Mistral", "GPT"],
        &[Start("model.layers."), Start("model.embed_tokens."), Start("transformer.h.")],
    ),
];
