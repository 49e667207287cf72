//! A checkpoint without a text encoder, through the command, the server, the settings and `models inspect`.

use std::{collections::HashMap, fs, path::Path};

use candle_core::Device;

use crate::{program::framewright, served::Served, tiny_turbo::TinyTurbo};

/// SD-Turbo's structure as "whole.safetensors", without its text encoder as "bare.safetensors", and that as a folder "text".
fn write_models(folder: &Path) {
    let at = |name: &str| folder.join(name);
    TinyTurbo::load().write_single_file(&at("whole.safetensors"), &[], &[]);
    TinyTurbo::load().write_folder(&at("folder"), None);
    fs::rename(at("folder/text_encoder"), at("text")).unwrap();
    let all = candle_core::safetensors::load(at("whole.safetensors"), &Device::Cpu).unwrap();
    let others: HashMap<_, _> = all.into_iter().filter(|(name, _)| !name.starts_with("cond_stage_model.")).collect();
    candle_core::safetensors::save(&others, at("bare.safetensors")).unwrap();
}

fn pixels(path: &Path) -> Vec<u8> {
    image::open(path).unwrap().into_bytes()
}

#[test]
fn a_checkpoint_runs_with_the_text_encoder_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    write_models(folder.path());
    let image = |model: &str, more: &[&str], out: &str| {
        let args =
            ["image", "a boat", "--model", model, "--steps", "1", "--guidance", "0", "--seed", "3", "--width", "64", "--height", "64"];
        framewright(folder.path(), &[&args[..], more, &["--precision", "f32", "--json", "--out", out]].concat())
    };
    let refused = image("bare.safetensors", &[], "a.png");
    assert_eq!((refused.code, refused.stderr.lines().count()), (1, 1), "{refused:?}");
    assert!(
        refused
            .stderr
            .contains("has no text encoder, so it is not a complete Stable Diffusion checkpoint: name one besides (--text-encoder)")
    );
    let made = image("bare.safetensors", &["--text-encoder", "text"], "a.png");
    assert_eq!((made.code, image("whole.safetensors", &[], "b.png").code), (0, 0), "{made:?}");
    assert!(pixels(&folder.path().join("a.png")) == pixels(&folder.path().join("b.png")));
    let printed: serde_json::Value = serde_json::from_str(&made.stdout).unwrap();
    assert!(printed["files"][0]["parameters"].as_str().unwrap().contains(", Text encoder: text, "), "{printed}");
    assert!(printed["remarks"].as_array().unwrap().contains(&"the text encoder: text".into()), "{printed}");

    let inspect = |more: &[&str]| framewright(folder.path(), &[&["models", "inspect"], more].concat());
    assert_eq!(inspect(&["bare.safetensors"]).code, 1);
    let whole = inspect(&["bare.safetensors", "--text-encoder", "text", "--json"]);
    let facts: serde_json::Value = serde_json::from_str(&whole.stdout).unwrap();
    assert_eq!((whole.code, &facts["refusals"], &facts["components"][0]["component"]), (0, &serde_json::json!([]), &"text_encoder".into()));
    assert_eq!(inspect(&["nano-sd", "--text-encoder", "text"]).code, 1);
    // The benchmark opens the same model.
    let bench = [
        "bench",
        "--model",
        "bare.safetensors",
        "--text-encoder",
        "text",
        "--size",
        "64",
        "--repeat",
        "1",
        "--plain",
        "--precision",
        "f32",
    ];
    let timed = framewright(folder.path(), &bench);
    assert!(timed.code == 0 && timed.stdout.contains("text 0."), "{timed:?}");
}

#[test]
fn a_server_lists_what_comes_from_elsewhere() {
    let folder = tempfile::tempdir().unwrap();
    write_models(folder.path());
    let config = folder.path().join("framewright.toml");
    let at = |name: &str| folder.path().join(name).display().to_string();
    let model = format!("[[models]]\nname = \"turbo\"\nsource = {:?}\ntext_encoder = {:?}\n", at("bare.safetensors"), at("text"));
    fs::write(&config, format!("[model]\nname = \"turbo\"\n\n{model}")).unwrap();
    let served = Served::start_by(&format!("exec \"$0\" --config {} \"$@\"", config.display()), &[]);
    let models = || -> serde_json::Value {
        let answer = served.ask("GET /models", &[], b"");
        serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap()
    };
    while models()["models"][0]["width"].is_null() {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    assert_eq!(models()["models"][0]["other_parts"], serde_json::json!({ "text_encoder": "text" }));
    let body =
        serde_json::json!({ "prompt": "a boat", "num_inference_steps": 1, "guidance_scale": 0, "width": 64, "height": 64 }).to_string();
    let answer = served.ask("POST /generate", &["Content-Type: application/json"], body.as_bytes());
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("Text encoder: text"), "{}", &answer[..200]);
}
