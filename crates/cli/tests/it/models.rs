//! `framewright models`: what there is, what it is made of.

use std::{fs, path::Path, process::Command};

use serde_json::Value;

use crate::program::{framewright, run};

#[test]
fn the_embedded_models_are_listed_and_inspected() {
    let folder = tempfile::tempdir().unwrap();
    let listed = framewright(folder.path(), &["models", "list"]);
    assert_eq!(listed.code, 0, "{listed:?}");
    let names: Vec<&str> = listed.stdout.lines().filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(names, ["nano-sd", "nano-svd"], "{listed:?}");
    assert!(listed.stdout.lines().all(|line| line.contains(" MB ")), "{listed:?}");

    let inspected = framewright(folder.path(), &["models", "inspect", "--json"]);
    let facts: Value = serde_json::from_str(&inspected.stdout).unwrap();
    assert_eq!(facts["default_size"], "128x128");
    let components = facts["components"].as_array().unwrap();
    assert_eq!(components.iter().map(|c| c["component"].as_str().unwrap()).collect::<Vec<_>>(), ["text_encoder", "unet", "vae"]);
    let bytes: u64 = components.iter().map(|component| component["bytes"].as_u64().unwrap()).sum();
    assert!((1_000_000..16_000_000).contains(&bytes), "{bytes} bytes");
    let as_text = framewright(folder.path(), &["models", "inspect", "nano-sd"]);
    assert!(as_text.stdout.contains("UNet2DConditionModel") && as_text.stdout.contains("M parameters"), "{as_text:?}");

    let motion = framewright(folder.path(), &["models", "inspect", "nano-svd"]);
    for word in ["EulerDiscreteScheduler", "128x128", "UNetSpatioTemporalConditionModel", "CLIPVisionModelWithProjection", "num frames"] {
        assert!(motion.stdout.contains(word), "{word}: {motion:?}");
    }
}

#[test]
fn the_hubs_cache_is_listed() {
    let folder = tempfile::tempdir().unwrap();
    let model = folder.path().join("cache/models--some--model-x");
    for commit in ["abc", "def"] {
        fs::create_dir_all(model.join("snapshots").join(commit).join("unet")).unwrap();
        fs::write(model.join("snapshots").join(commit).join("model_index.json"), "{}").unwrap();
        fs::write(model.join("snapshots").join(commit).join("unet/weights"), vec![0; 1498]).unwrap();
    }
    fs::create_dir_all(model.join("refs")).unwrap();
    fs::write(model.join("refs/main"), "def").unwrap();
    fs::create_dir_all(folder.path().join("cache/models--other--text/snapshots/abc")).unwrap();
    let list = |more: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_framewright"));
        run(command.args(["models", "list"]).args(more).current_dir(folder.path()).env_clear().env("HF_HUB_CACHE", "cache"))
    };
    let listed = list(&[]);
    let names: Vec<_> = listed.stdout.lines().map(|line| line.split("  ").next().unwrap().trim()).collect();
    assert_eq!(names, ["nano-sd", "nano-svd", "some/model-x", "some/model-x@abc"], "{listed:?}");
    assert!(listed.stdout.contains("1.5 kB"), "{listed:?}");
    let json: Value = serde_json::from_str(&list(&["--json"]).stdout).unwrap();
    assert_eq!(json["models"][2]["bytes"], 1500);
}

#[test]
fn offline_nothing_is_fetched_and_the_reason_is_one_line() {
    let offline = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_framewright"));
        let settings = [("HF_HUB_OFFLINE", "1"), ("HF_HUB_CACHE", "/nowhere/cache")];
        run(command.args(args).current_dir(Path::new("/")).env_clear().envs(settings))
    };
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("a.png").display().to_string();
    let image: &[&str] = &["image", "a boat", "--model", "some/model", "--out", &out];
    for args in [&["models", "pull", "some/model"] as &[&str], &["models", "inspect", "some/model"], image] {
        let refused = offline(args);
        assert_eq!((refused.code, refused.stdout.as_str(), refused.stderr.lines().count()), (1, "", 1), "{args:?}: {refused:?}");
        assert!(refused.stderr.contains("some/model") && refused.stderr.contains("offline"), "{args:?}: {refused:?}");
    }
    let wrong = offline(&["models", "pull", "some"]);
    assert_eq!((wrong.code, wrong.stderr.lines().count()), (2, 1), "{wrong:?}");
}
