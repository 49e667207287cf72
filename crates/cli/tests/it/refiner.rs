//! A picture that one model begins and another one ends, through the command, the settings and the server.

use std::{fs, path::Path};

use crate::{program::framewright, served::Served};

fn picture(folder: &Path, more: &[&str]) -> crate::program::Run {
    let args = [
        "image",
        "a red circle on a blue background",
        "--steps",
        "4",
        "--seed",
        "3",
        "--precision",
        "f32",
        "--width",
        "64",
        "--height",
        "64",
    ];
    framewright(folder, &[&args[..], more].concat())
}

#[test]
fn the_command_lets_a_second_model_end_the_picture() {
    let folder = tempfile::tempdir().unwrap();
    let nano = concat!(env!("CARGO_MANIFEST_DIR"), "/../../models/nano-sd");
    let made = picture(folder.path(), &["--refiner", nano, "--refiner-switch", "0.5", "--json", "--out", "a.png"]);
    assert_eq!(made.code, 0, "{made:?}");
    let printed: serde_json::Value = serde_json::from_str(&made.stdout).unwrap();
    let parameters = printed["files"][0]["parameters"].as_str().unwrap();
    assert!(parameters.contains(&format!(", Refiner: {nano}, Refiner switch at: 0.5, ")), "{parameters}");
    assert_eq!(printed["settings"]["refiner"], serde_json::json!({ "model": nano, "switch": 0.5 }));
    // The models are the same, and so nearly is the picture: only the scheduler's memory of earlier steps is lost.
    assert!(folder.path().join("a.png").exists());

    for (more, code, part) in [
        (&["--refiner-switch", "0.5"] as &[&str], 2, "--refiner <"),
        (&["--refiner", "nowhere.safetensors"], 2, "model \"nowhere.safetensors\": does not exist"),
        (&["--refiner", nano, "--refiner-switch", "1.5"], 2, "--refiner-switch 1.5: Input should be less than or equal to 1"),
        (
            &["--refiner", nano, "--refiner-switch", "0.9999"],
            2,
            "--refiner-switch: 0.9999 leaves no step to the refiner: lower it, or raise --steps",
        ),
    ] {
        let refused = picture(folder.path(), &[more, &["--out", "b.png"]].concat());
        assert!(refused.code == code && refused.stderr.contains(part), "{more:?}: {refused:?}");
    }
    assert!(!folder.path().join("b.png").exists());
}

#[test]
fn a_request_names_a_refiner_of_the_settings() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("framewright.toml");
    fs::write(&config, "[compute]\nprecision = \"f32\"\n\n[[models]]\nname = \"second\"\nsource = \"nano-sd\"\n").unwrap();
    let served = Served::start_by(&format!("exec \"$0\" --config {} \"$@\"", config.display()), &[]);
    let ask = |fields: serde_json::Value| {
        let mut body = serde_json::json!({ "prompt": "a boat", "num_inference_steps": 4, "seed": 3, "width": 64, "height": 64 });
        body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        served.ask("POST /generate", &["Content-Type: application/json"], body.to_string().as_bytes())
    };
    while served.ask("GET /health", &[], b"").contains("\"model_loaded\":false") {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let named = ask(serde_json::json!({ "refiner": "second", "refiner_switch": 0.5, "return_base64": true }));
    assert!(named.starts_with("HTTP/1.1 200") && named.contains("Refiner switch at: 0.5"), "{named}");
    // AUTOMATIC1111's names of the fields.
    let synonyms = ask(serde_json::json!({ "refiner_checkpoint": "second", "refiner_switch_at": 0.5, "return_base64": true }));
    let body = |answer: &str| answer.split_once("\r\n\r\n").unwrap().1.to_owned();
    assert_eq!(body(&named), body(&synonyms));
    for (fields, field, part) in [
        (serde_json::json!({ "refiner": "nowhere" }), "refiner", "no model \\\"nowhere\\\" is set up"),
        (serde_json::json!({ "refiner_switch": 0.5 }), "refiner_switch", "it needs the model that takes over"),
    ] {
        let refused = ask(fields);
        assert!(refused.starts_with("HTTP/1.1 422") && refused.contains(&format!("\"{field}\"")) && refused.contains(part), "{refused}");
    }
}
