//! The models of `[[models]]`: as `--model` of the commands, and as `framewright models list --server` has them of a running server.

use std::{fs, path::Path, process::Command, time::Instant};

use serde_json::{Value, json};

use crate::{
    models::edited,
    program::{Run, framewright, run},
    served::Served,
};

const SMALL: &str = "[[models]]\nname = \"small\"\nsource = \"nano-sd\"\nprecision = \"f32\"\nmotion = \"nano-svd\"\nsteps = 2\n\
    guidance_scale = 3.0\nwidth = 64\nheight = 72\nscheduler = \"euler\"\n";

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("framewright.toml"), SMALL).unwrap();
    folder
}

fn image(folder: &Path, more: &[&str]) -> Value {
    let made = framewright(folder, &[&["image", "a boat", "--seed", "1", "--out", "a.png", "--json"], more].concat());
    assert_eq!(made.code, 0, "{made:?}");
    let report: Value = serde_json::from_str(&made.stdout).unwrap();
    report["settings"].clone()
}

#[test]
fn a_command_takes_a_model_of_the_settings_with_what_is_set_for_it() {
    let folder = folder();
    let pixels = || image::open(folder.path().join("a.png")).unwrap().to_rgb8();
    let set = ["--steps", "2", "--guidance", "3", "--height", "72", "--scheduler", "euler"];
    let made = image(folder.path(), &["--model", "small"]);
    let found = ["width", "height", "num_inference_steps", "guidance_scale", "scheduler"].map(|key| made[key].clone());
    assert_eq!(found, [json!(64), json!(72), json!(2), json!(3.0), json!("euler")], "{made}");
    let by_name = pixels();
    image(folder.path(), &[&set[..], &["--width", "64", "--precision", "f32"]].concat());
    assert!(by_name == pixels(), "it is the image of the same flags");
    // Flags override what is set for it.
    image(folder.path(), &["--model", "small", "--width", "72", "--precision", "bf16"]);
    let by_name = pixels();
    image(folder.path(), &[&set[..], &["--width", "72", "--precision", "bf16"]].concat());
    assert!(by_name == pixels(), "it is the image of the same flags");
}

#[test]
fn videos_take_it_too() {
    let folder = folder();
    let made = |args: &[&str]| -> Value {
        let made = framewright(folder.path(), &[args, &["--seed", "1", "--json", "--out", "a.mp4"]].concat());
        assert_eq!(made.code, 0, "{made:?}");
        serde_json::from_str(&made.stdout).unwrap()
    };
    let video = made(&["video", "--scene", "a boat", "--duration", "0.2", "--width", "64", "--height", "64", "--model", "small"]);
    let video = &video["settings"];
    assert_eq!(
        (&video["precision"], &video["num_inference_steps"], &video["scheduler"]),
        (&json!("f32"), &json!(2), &json!("euler")),
        "{video}"
    );
    framewright(folder.path(), &["image", "a boat", "--steps", "1", "--seed", "1", "--out", "a.png"]);
    // Its motion model.
    let moved = made(&["animate", "a.png", "--model", "small", "--num-frames", "2", "--steps", "1", "--width", "64", "--height", "64"]);
    assert!(moved["settings"]["model"].as_str().unwrap().starts_with("nano-svd"), "{moved}");
    let without = SMALL.replace("motion = \"nano-svd\"\n", "");
    fs::write(folder.path().join("framewright.toml"), without).unwrap();
    let refused = framewright(folder.path(), &["animate", "a.png", "--model", "small", "--out", "a.mp4"]);
    assert_eq!((refused.code, refused.stderr.lines().count()), (2, 1), "{refused:?}");
    assert!(refused.stderr.contains("the model \"small\" of [[models]] has no motion of its own"), "{refused:?}");
}

#[test]
fn bench_and_inspect_take_it_too() {
    let folder = folder();
    let inspected = framewright(folder.path(), &["models", "inspect", "small"]);
    assert_eq!(inspected.code, 0, "{inspected:?}");
    assert!(inspected.stdout.starts_with("model            nano-sd"), "{inspected:?}");
    let timed = framewright(folder.path(), &["bench", "--json", "--model", "small", "--repeat", "1"]);
    assert_eq!((timed.code, timed.stderr.as_str()), (0, ""), "{timed:?}");
    let report: Value = serde_json::from_str(&timed.stdout).unwrap();
    let whole = report["timings"].as_array().unwrap().iter().find(|timing| timing["what"] == "picture").unwrap();
    let found = ["width", "height", "steps", "scheduler"].map(|key| whole[key].clone());
    assert_eq!(found, [json!(64), json!(72), json!(2), json!("euler")], "{whole}");
    assert_eq!(report["precision"]["unet"], "f32");
}

/// `framewright models list` with these arguments and variables.
fn list(args: &[&str], variables: &[(&str, &str)]) -> Run {
    let mut command = Command::new(env!("CARGO_BIN_EXE_framewright"));
    command.args(["models", "list"]).args(args).env_clear().envs(variables.iter().copied());
    run(command.current_dir("/"))
}

/// The words of each model's line.
fn rows(listed: &Run) -> Vec<Vec<&str>> {
    assert_eq!((listed.code, listed.stderr.as_str()), (0, ""), "{listed:?}");
    listed.stdout.lines().map(|line| line.split_whitespace().collect()).collect()
}

/// [`list`], again and again until the models' lines are as `is_reached` wants them.
fn listed_when(args: &[&str], variables: &[(&str, &str)], is_reached: impl Fn(&[Vec<&str>]) -> bool) -> Run {
    let started = Instant::now();
    loop {
        let listed = list(args, variables);
        if is_reached(&rows(&listed)) {
            return listed;
        }
        assert!(started.elapsed().as_secs() < 60, "{listed:?}");
    }
}

#[test]
fn the_models_of_a_running_server_are_listed_with_their_states() {
    let folder = folder();
    let broken = edited(folder.path(), &json!({ "unet/config.json": { "addition_embed_type": "image" } }));
    let config = folder.path().join("framewright.toml");
    fs::write(&config, format!("{SMALL}\n[[models]]\nname = \"broken\"\nsource = {broken:?}\n")).unwrap();
    let script = format!("exec \"$0\" \"$@\" --config '{}' --precision f32", config.display());
    let served = Served::start_by(&script, &[]);
    let url = served.url();
    let listed = listed_when(&["--server", &url], &[], |found| found[1][1] == "ready");
    let found = rows(&listed);
    assert_eq!(found[0], ["MODEL", "STATE", "MEMORY", "PRECISION", "SIZE"]);
    assert_eq!(found[1][..2], ["nano-sd", "ready"], "{listed:?}");
    assert_eq!(found[1][3..], ["MB", "f32", "128x128", "default"], "{listed:?}");

    // What loads it waits for its files.
    let answer = served.ask("POST /models/small/load", &[], b"");
    assert!(answer.starts_with("HTTP/1.1 202"), "{answer}");
    // The address may also be the setting's.
    let by_setting = [("FRAMEWRIGHT__CLIENT__SERVER", url.as_str())];
    let listed = listed_when(&["--server"], &by_setting, |found| found[2][1] == "ready" && found[3][1] == "failed");
    let found = rows(&listed);
    assert_eq!((found[2][0], &found[2][3..]), ("small", &["MB", "f32", "64x72"][..]), "{listed:?}");
    assert_eq!(found[3][0], "broken", "{listed:?}");
    assert!(listed.stdout.contains("addition_embed_type"), "it says why: {listed:?}");
    let models: Value = serde_json::from_str(&list(&["--json", "--server", &url], &[]).stdout).unwrap();
    assert_eq!((&models["models"][1]["name"], &models["models"][1]["state"]), (&json!("small"), &json!("ready")), "{models}");
}

#[test]
fn the_default_model_of_a_server_may_be_one_of_the_settings() {
    let folder = folder();
    let config = folder.path().join("framewright.toml");
    let served = Served::start_by(&format!("exec \"$0\" \"$@\" --config '{}' --model small", config.display()), &[]);
    let listed = listed_when(&["--server", &served.url()], &[], |found| found[1][1] == "ready");
    let found = rows(&listed);
    assert_eq!(found.len(), 2, "{listed:?}");
    assert_eq!((&found[1][..2], &found[1][3..]), (&["small", "ready"][..], &["MB", "f32", "64x72", "default"][..]), "{listed:?}");
    for body in [json!({"prompt": "a boat", "return_base64": true}), json!({"prompt": "a boat", "return_base64": true, "model": "small"})] {
        let made = served.post("/generate", &body);
        assert_eq!((&made["width"], &made["height"]), (&json!(64), &json!(72)), "{made}");
    }
}

#[test]
fn a_usual_adapter_that_is_not_there_is_said_before_anything_starts() {
    let folder = folder();
    fs::create_dir(folder.path().join("loras")).unwrap();
    fs::write(folder.path().join("framewright.toml"), format!("{SMALL}loras = [\"ink:0.8\"]\n\n[adapters]\nfolder = \"loras\"\n")).unwrap();
    for args in [&["serve"][..], &["image", "a boat", "--model", "small", "--out", "a.png"]] {
        let refused = framewright(folder.path(), args);
        assert_eq!(refused.code, 2, "{refused:?}");
        assert_eq!(refused.stderr, "error: setting models.loras of small: \"ink\" is none of the adapters here: none\n", "{args:?}");
    }
}

#[test]
fn a_server_that_does_not_answer_or_wants_a_key_is_said_in_one_line() {
    let served = Served::start(&[("FRAMEWRIGHT__ACCESS__API_KEY", "a-key-of-16-chars")]);
    let url = served.url();
    let refused = list(&["--server", &url], &[]);
    assert_eq!((refused.code, refused.stdout.as_str(), refused.stderr.lines().count()), (1, "", 1), "{refused:?}");
    assert!(refused.stderr.contains("(the setting client.api_key, FRAMEWRIGHT__CLIENT__API_KEY)"), "{refused:?}");
    let listed = list(&["--server", &url], &[("FRAMEWRIGHT__CLIENT__API_KEY", "a-key-of-16-chars")]);
    assert_eq!(rows(&listed).len(), 2, "{listed:?}");
    drop(served);
    let gone = list(&["--server", &url], &[]);
    assert_eq!((gone.code, gone.stderr.lines().count()), (1, 1), "{gone:?}");
    assert!(gone.stderr.starts_with(&format!("error: cannot reach {url} (--server, client.server): ")), "{gone:?}");
    let wrong = list(&["--server", "localhost"], &[]);
    assert_eq!(wrong.code, 2, "{wrong:?}");
    assert!(wrong.stderr.contains("\"localhost\" is not an http:// or https:// address (from --server)"), "{wrong:?}");
}
