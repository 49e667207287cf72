//! The files of a captioning model: the forms of its folder, an embedded model, refusals, and the published models' configurations.

use std::{fs, path::Path};

use candle_core::{DType, Device};
use diffusion_core::{
    Error,
    models::BlipConfig,
    pipelines::caption::{CaptionParams, Captioner},
    weights::{EmbeddedModel, TransformersFolder},
};
use serde_json::{Value, json};

use crate::{
    captions::{captioner, folder, image},
    golden, golden_path,
};

/// A copy of the model's folder, to be modified.
fn copied() -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, copy.path().join(path.file_name().unwrap())).unwrap();
    }
    copy
}

fn load(path: &Path) -> Result<Captioner, Error> {
    Captioner::load(&TransformersFolder::open(path)?, &Device::Cpu, DType::F32)
}

fn caption(captioner: &Captioner) -> String {
    let params = CaptionParams { num_beams: 3, ..CaptionParams::default() };
    captioner.caption(&image(&golden("blip", "captions"), 2), &params, &|| false).unwrap().text
}

#[test]
fn every_form_of_a_folder_loads_the_same_model() {
    let expected = caption(&captioner(DType::F32));
    let copy = copied();
    let path = |name: &str| copy.path().join(name);
    // As transformers 5 writes a processor.
    let processor: Value = serde_json::from_slice(&fs::read(path("preprocessor_config.json")).unwrap()).unwrap();
    fs::write(path("processor_config.json"), json!({ "image_processor": processor, "processor_class": "BlipProcessor" }).to_string())
        .unwrap();
    fs::remove_file(path("preprocessor_config.json")).unwrap();
    // As the published models are: torch's pickle with position_ids and a separate matrix of the head, and only vocab.txt.
    fs::copy(golden_path("blip", "x").with_file_name("pytorch_model.bin"), path("pytorch_model.bin")).unwrap();
    for name in ["model.safetensors", "tokenizer.json", "tokenizer_config.json"] {
        fs::remove_file(path(name)).unwrap();
    }
    let loaded = load(copy.path()).unwrap();
    assert_eq!(caption(&loaded), expected);
    assert_eq!(loaded.name(), copy.path().display().to_string());
    assert!(loaded.ignored_fields().is_empty());
    // About 134,000 parameters in f32.
    assert!((500_000..600_000).contains(&loaded.weight_bytes()), "{}", loaded.weight_bytes());
    // Exactly 140,657, plus the 97 word embeddings of 48 channels repeated as the decoder's last matrix.
    assert_eq!(loaded.weight_bytes(), 4 * (140_657 + 97 * 48));
}

/// The golden model as an embedded one.
static EMBEDDED: &[(&str, &[u8])] = &[
    ("config.json", include_bytes!("../golden/blip/model/config.json")),
    ("preprocessor_config.json", include_bytes!("../golden/blip/model/preprocessor_config.json")),
    ("vocab.txt", include_bytes!("../golden/blip/model/vocab.txt")),
    ("model.safetensors", include_bytes!("../golden/blip/model/model.safetensors")),
];

#[test]
fn an_embedded_model_loads() {
    let model = Captioner::load(&EmbeddedModel::new("tiny-blip", EMBEDDED), &Device::Cpu, DType::F32).unwrap();
    assert_eq!(model.name(), "tiny-blip (embedded)");
    assert_eq!(caption(&model), caption(&captioner(DType::F32)));
}

#[test]
fn errors_name_what_a_folder_lacks() {
    let refusal = |path: &Path| load(path).err().unwrap().to_string();
    let empty = tempfile::tempdir().unwrap();
    assert!(refusal(&empty.path().join("nothing")).ends_with("nothing: does not exist"));
    assert!(refusal(&folder().join("config.json")).ends_with("config.json: is no folder"));
    assert!(refusal(empty.path()).ends_with("config.json: is missing"));
    fs::write(empty.path().join("model_index.json"), "{}").unwrap();
    assert!(refusal(empty.path()).ends_with("is a diffusers model; expected a folder with one transformers model"));
    for (names, expected) in [
        (&["preprocessor_config.json"][..], "has neither preprocessor_config.json nor processor_config.json"),
        (&["tokenizer.json", "vocab.txt"], "tokenizer: neither tokenizer.json nor vocab.txt is in the model's folder"),
        (&["model.safetensors"], "has no weight file: looked for model.safetensors, pytorch_model.bin, their shards and variants"),
    ] {
        let copy = copied();
        names.iter().for_each(|name| fs::remove_file(copy.path().join(name)).unwrap());
        let message = refusal(copy.path());
        assert!(message.ends_with(expected), "{message}");
    }
    for (name, content, expected) in [
        ("config.json", "{", "config.json: is no JSON"),
        ("tokenizer_config.json", "[1", "tokenizer_config.json: is no JSON"),
        (
            "preprocessor_config.json",
            r#"{"size": {"height": 384, "width": 384}}"#,
            "field size: 384 differs from vision_config's image_size 48",
        ),
        ("tokenizer.json", "{}", "tokenizer: tokenizer.json: no model"),
        ("model.safetensors", "", "model.safetensors: "),
    ] {
        let copy = copied();
        fs::write(copy.path().join(name), content).unwrap();
        let message = refusal(copy.path());
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn a_configuration_that_is_unsupported_or_contradicts_the_weights_is_refused() {
    let changed = |part: &str, field: &str, value: Value| {
        let copy = copied();
        let path = copy.path().join("config.json");
        let mut config: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        if part.is_empty() {
            config[field] = value
        } else {
            config[part][field] = value
        };
        fs::write(&path, config.to_string()).unwrap();
        load(copy.path()).err().unwrap().to_string()
    };
    for (part, field, value, expected) in [
        ("", "model_type", json!("blip-2"), "config.json: field model_type: "),
        ("", "architectures", json!(["BlipForQuestionAnswering"]), "config.json: field architectures: "),
        (
            "text_config",
            "num_attention_heads",
            json!(7),
            "config.json: text_config: field num_attention_heads: 7 does not divide hidden_size 48",
        ),
        ("text_config", "sep_token_id", json!(97), "config.json: text_config: field sep_token_id: is not in the vocabulary of 97"),
        ("text_config", "hidden_act", json!("relu"), "config.json: text_config: field hidden_act: "),
        ("text_config", "is_decoder", json!(false), "config.json: text_config: field is_decoder: "),
        ("vision_config", "num_channels", json!(1), "config.json: vision_config: field num_channels: "),
        ("vision_config", "patch_size", json!(0), "config.json: vision_config: field patch_size: "),
        ("vision_config", "hidden_size", json!(64), "patch_embedding.weight: expected shape [64, 3, 16, 16], found [32, 3, 16, 16]"),
        ("text_config", "vocab_size", json!(96), "word_embeddings.weight: expected shape [96, 48], found [97, 48]"),
    ] {
        // The start token is the second to last of the vocabulary.
        let message = changed(part, field, value);
        assert!(message.contains(expected), "{message}");
    }
    assert_eq!(
        changed("text_config", "num_hidden_layers", json!(4)).rsplit(": tensor ").next().unwrap(),
        "text_decoder.bert.encoder.layer.3.attention.self.query.weight: missing, expected shape [48, 48]"
    );
}

/// The file of Salesforce/blip-image-captioning-base, without the fields that transformers writes into every file and no class reads.
fn published_base() -> Value {
    json!({
        "_commit_hash": null, "architectures": ["BlipForConditionalGeneration"], "image_text_hidden_size": 256, "initializer_factor": 1.0,
        "logit_scale_init_value": 2.6592, "model_type": "blip", "projection_dim": 512, "torch_dtype": "float32", "transformers_version": null,
        "text_config": {
            "_name_or_path": "", "add_cross_attention": false, "architectures": null, "attention_probs_dropout_prob": 0.0, "bos_token_id": 30522,
            "eos_token_id": 2, "hidden_act": "gelu", "hidden_dropout_prob": 0.0, "hidden_size": 768, "id2label": { "0": "LABEL_0" },
            "initializer_factor": 1.0, "initializer_range": 0.02, "intermediate_size": 3072, "is_decoder": true, "layer_norm_eps": 1e-12,
            "max_length": 20, "max_position_embeddings": 512, "model_type": "blip_text_model", "num_attention_heads": 12, "num_beams": 1,
            "num_hidden_layers": 12, "pad_token_id": 0, "projection_dim": 768, "pruned_heads": {}, "sep_token_id": 102,
            "tie_word_embeddings": true, "top_k": 50, "transformers_version": "4.26.0.dev0", "use_cache": true, "vocab_size": 30524
        },
        "vision_config": {
            "_name_or_path": "", "add_cross_attention": false, "attention_dropout": 0.0, "bos_token_id": null, "dropout": 0.0,
            "eos_token_id": null, "hidden_act": "gelu", "hidden_size": 768, "image_size": 384, "initializer_range": 0.02,
            "intermediate_size": 3072, "is_decoder": false, "layer_norm_eps": 1e-05, "model_type": "blip_vision_model",
            "num_attention_heads": 12, "num_channels": 3, "num_hidden_layers": 12, "patch_size": 16, "projection_dim": 512,
            "sep_token_id": null, "tie_word_embeddings": true, "torch_dtype": null
        }
    })
}

#[test]
fn the_published_models_configurations_are_read_completely() {
    let mut json = published_base();
    let (base, ignored) = BlipConfig::read(&json).unwrap();
    assert_eq!(ignored, Vec::<String>::new());
    assert_eq!((base.text.num_attention_heads, base.text.layer_norm_eps, base.text.sep_token_id), (12, 1e-12, 102));
    assert_eq!((base.vision.image_size, base.vision.patch_size, base.vision.num_hidden_layers), (384, 16, 12));
    // -large has a larger image encoder.
    for (field, value) in [("hidden_size", 1024), ("intermediate_size", 4096), ("num_hidden_layers", 24), ("num_attention_heads", 16)] {
        json["vision_config"][field] = json!(value);
    }
    json["text_config"]["encoder_hidden_size"] = json!(1024);
    let large = BlipConfig::from_json(&json).unwrap();
    assert_eq!((large.vision.hidden_size, large.vision.num_hidden_layers, large.text), (1024, 24, base.text));
    // Absent fields take the class's defaults, which are not those of the published files.
    let bare = BlipConfig::from_json(&json!({ "model_type": "blip" })).unwrap();
    assert_eq!((bare.text.num_attention_heads, bare.vision), (8, base.vision));
}
