//! SD-Turbo's structure with small widths, through the command and the server: as a folder and as a single file, its pictures of one and of
//! four steps equal diffusers' (diffusion-core's tests/golden/single_file).

use std::{collections::HashMap, io::Cursor, path::Path};

use candle_core::{Device, Tensor};
use serde_json::{Value, json};

use crate::{
    program::framewright,
    served::{Served, exchange},
    tiny_turbo::TinyTurbo,
};

/// Pictures count as equal from this many decibels on.
const EQUAL: f64 = 72.0;

/// diffusers' pictures by name, and the parameters they were made with.
fn goldens() -> (HashMap<String, Tensor>, HashMap<String, String>) {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../diffusion-core/tests/golden/single_file/pictures.safetensors");
    let (_, header) = safetensors::SafeTensors::read_metadata(&std::fs::read(path).unwrap()).unwrap();
    (candle_core::safetensors::load(path, &Device::Cpu).unwrap(), header.metadata().clone().unwrap())
}

/// How close a PNG file is to a golden, in decibels.
fn decibels(png: &[u8], golden: &Tensor) -> f64 {
    let mut reader = png::Decoder::new(Cursor::new(png)).read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    reader.next_frame(&mut pixels).unwrap();
    let expected: Vec<u8> = golden.flatten_all().unwrap().to_vec1().unwrap();
    assert_eq!(pixels.len(), expected.len());
    let error: f64 = pixels.iter().zip(&expected).map(|(a, b)| f64::from(a.abs_diff(*b)).powi(2)).sum();
    10.0 * (255.0 * 255.0 * expected.len() as f64 / error).log10()
}

/// Writes the model in every supported form: its path, and whether it is a single file.
fn write_models(folder: &Path) -> Vec<(String, bool)> {
    let turbo = TinyTurbo::load();
    turbo.write_folder(&folder.join("with-null"), Some(&Value::Null));
    turbo.write_folder(&folder.join("without"), None);
    turbo.write_single_file(&folder.join("checkpoint.safetensors"), &[], &[]);
    let path = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    vec![(path("with-null"), false), (path("without"), false), (path("checkpoint.safetensors"), true)]
}

#[test]
fn the_command_makes_sd_turbos_images_and_explains_a_single_file() {
    let folder = tempfile::tempdir().unwrap();
    let (images, metadata) = goldens();
    let calls: Value = serde_json::from_str(&metadata["calls"]).unwrap();
    let models = write_models(folder.path());
    for (model, is_file) in &models {
        for name in ["turbo_1", "turbo_4"] {
            let steps = calls[name]["steps"].to_string();
            let args = ["image", metadata["prompt"].as_str(), "--model", model, "--steps", &steps, "--guidance", "0"];
            let more = ["--seed", metadata["seed"].as_str(), "--width", "64", "--height", "64", "--precision", "f32", "--out", "a.png"];
            let output = framewright(folder.path(), &[&args[..], &more[..]].concat());
            assert_eq!(output.code, 0, "{output:?}");
            let found = decibels(&std::fs::read(folder.path().join("a.png")).unwrap(), &images[name]);
            assert!(found >= EQUAL, "{model} {name}: {found:.1} dB");
            let remark = "\n  predicts epsilon at 512x512: no mark says it, and its last attention norm's bias deviates by ";
            assert_eq!(output.stderr.contains(remark), *is_file, "{output:?}");
            // The remark names the flag that overrides the decision.
            assert_eq!(output.stderr.contains("--prediction-type decides otherwise"), *is_file, "{output:?}");
        }
    }
    let (file, _) = &models[2];
    let inspected = framewright(folder.path(), &["models", "inspect", file]);
    assert!(
        inspected.stdout.contains("prediction type  epsilon") && inspected.stdout.contains("\npredicts epsilon at 512x512: no mark"),
        "{inspected:?}"
    );
    // The flag overrides the decision, and the remark says so.
    let args = ["image", "a", "--model", file, "--prediction-type", "v_prediction", "--steps", "1", "--width", "64", "--height", "64"];
    let flagged = framewright(folder.path(), &[&args[..], &["--out", "b.png"]].concat());
    assert!(flagged.stderr.contains("\n  predicts v_prediction at 768x768: as --prediction-type says\n"), "{flagged:?}");
}

#[test]
fn the_server_makes_sd_turbos_images_and_explains_a_single_file() {
    let folder = tempfile::tempdir().unwrap();
    let (images, metadata) = goldens();
    let calls: Value = serde_json::from_str(&metadata["calls"]).unwrap();
    for (model, is_file) in write_models(folder.path()) {
        let mut served = Served::start(&[("FRAMEWRIGHT__MODEL__NAME", &model), ("FRAMEWRIGHT__COMPUTE__PRECISION", "f32")]);
        let model_line = loop {
            let line = served.lines.next().unwrap().unwrap();
            if line.starts_with("model: ") && !line.contains("still being loaded") {
                break line;
            }
        };
        assert!(model_line.contains(&model), "{model_line}");
        if is_file {
            let remark = served.lines.next().unwrap().unwrap();
            assert!(remark.starts_with("  predicts epsilon at 512x512: no mark says it"), "{remark}");
        }
        for name in ["turbo_1", "turbo_4"] {
            let seed: u64 = metadata["seed"].parse().unwrap();
            let body =
                json!({ "prompt": metadata["prompt"], "num_inference_steps": calls[name]["steps"], "guidance_scale": 0, "seed": seed,
                "width": 64, "height": 64 })
                .to_string();
            let head = "POST /generate HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json";
            let answer = exchange(&served.address, format!("{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len()).as_bytes());
            let start = answer.windows(8).position(|bytes| bytes == b"\x89PNG\r\n\x1a\n");
            let png = &answer[start.unwrap_or_else(|| panic!("{}", String::from_utf8_lossy(&answer)))..];
            let found = decibels(png, &images[name]);
            assert!(found >= EQUAL, "{model} {name}: {found:.1} dB");
        }
    }
}
