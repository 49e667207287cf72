//! `framewright models`: listing, inspecting and downloading models.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::{Value, json};

use crate::program::{Run, framewright, run};

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

/// A copy of the embedded model's folder, with entries of its files changed.
pub(crate) fn edited(folder: &Path, changes: &Value) -> PathBuf {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/nano-sd");
    let to = folder.join("model");
    for part in ["", "scheduler", "text_encoder", "tokenizer", "unet", "vae"] {
        fs::create_dir_all(to.join(part)).unwrap();
        for entry in fs::read_dir(from.join(part)).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_file()) {
            fs::copy(&entry, to.join(part).join(entry.file_name().unwrap())).unwrap();
        }
    }
    for (file, fields) in changes.as_object().unwrap() {
        let mut json: Value = serde_json::from_slice(&fs::read(to.join(file)).unwrap()).unwrap();
        for (field, value) in fields.as_object().unwrap() {
            json[field] = value.clone();
        }
        fs::write(to.join(file), json.to_string()).unwrap();
    }
    to
}

/// Unknown fields, such as a trainer or another version leaves.
pub(crate) fn foreign() -> Value {
    json!({
        "model_index.json": { "force_zeros_for_empty_prompt": true },
        "text_encoder/config.json": { "bad_words_ids": null },
        "unet/config.json": { "auto_map": {}, "decay": 0.9999, "upcast_attention": null }
    })
}

const FOREIGN: &str =
    "model_index.json: force_zeros_for_empty_prompt; text_encoder/config.json: bad_words_ids; unet/config.json: auto_map, decay";

#[test]
fn unknown_fields_are_named_in_one_line_and_can_be_refused() {
    let folder = tempfile::tempdir().unwrap();
    edited(folder.path(), &foreign());
    let image = ["image", "a boat", "--steps", "1", "--seed", "1", "--model", "model", "--out", "a.png"];
    let made = framewright(folder.path(), &image);
    assert_eq!(made.code, 0, "{made:?}");
    let warnings: Vec<_> = made.stderr.lines().filter(|line| line.starts_with("warning: ")).collect();
    assert_eq!(warnings, [format!("warning: model: unknown fields are ignored: {FOREIGN}")], "{made:?}");
    // The image equals that of the model without them.
    let plain = framewright(folder.path(), &["image", "a boat", "--steps", "1", "--seed", "1", "--out", "b.png"]);
    assert_eq!((plain.code, plain.stderr.contains("warning")), (0, false), "{plain:?}");
    let pixels = |name: &str| image::open(folder.path().join(name)).unwrap().to_rgb8();
    assert!(pixels("a.png") == pixels("b.png"));

    let by_flag = framewright(folder.path(), &[&image[..], &["--unknown-fields", "refuse"]].concat());
    let mut command = Command::new(env!("CARGO_BIN_EXE_framewright"));
    let variable = ("FRAMEWRIGHT__MODEL__UNKNOWN_FIELDS", "refuse");
    let by_variable = run(command.args(image).current_dir(folder.path()).env_clear().envs([variable]));
    for refused in [by_flag, by_variable] {
        assert_eq!((refused.code, refused.stderr.lines().count()), (1, 1), "{refused:?}");
        let start = "error: model_index.json: field force_zeros_for_empty_prompt: unknown field, and model.unknown_fields is";
        assert!(refused.stderr.starts_with(start), "{refused:?}");
    }
    let wrong = framewright(folder.path(), &[&image[..], &["--unknown-fields", "no"]].concat());
    assert_eq!(wrong.code, 2, "{wrong:?}");
    assert!(wrong.stderr.contains("\"no\" is none of warn, refuse (from --unknown-fields)"), "{wrong:?}");
}

#[test]
fn inspect_shows_ignored_fields_and_exits_with_0() {
    let folder = tempfile::tempdir().unwrap();
    edited(folder.path(), &foreign());
    let inspected = framewright(folder.path(), &["models", "inspect", "model"]);
    assert_eq!((inspected.code, inspected.stderr.as_str()), (0, ""), "{inspected:?}");
    let ignored: Vec<_> = inspected.stdout.lines().filter_map(|line| line.strip_prefix("ignored          ")).collect();
    assert_eq!(ignored.join("; "), FOREIGN);
    let as_json = framewright(folder.path(), &["models", "inspect", "model", "--json"]);
    let facts: Value = serde_json::from_str(&as_json.stdout).unwrap();
    assert_eq!(facts["ignored_fields"]["unet/config.json"], json!(["auto_map", "decay"]));
    assert_eq!((&facts["refusals"], as_json.code), (&json!([]), 0));

    let strict = framewright(folder.path(), &["models", "inspect", "model", "--unknown-fields", "refuse"]);
    assert_eq!((strict.code, strict.stderr.lines().count()), (1, 1), "{strict:?}");
    assert!(strict.stdout.contains("\nrefused          model_index.json: field force_zeros_for_empty_prompt: unknown field"), "{strict:?}");
}

/// The same messages, per component, without reading a weight; and exit code 1, after everything is printed.
#[test]
fn inspect_reports_what_image_would_refuse() {
    let folder = tempfile::tempdir().unwrap();
    let changes = json!({ "unet/config.json": { "addition_embed_type": "text_image" }, "vae/config.json": { "scaling_factor": null } });
    let model = edited(folder.path(), &changes);
    let image = || framewright(folder.path(), &["image", "a boat", "--steps", "1", "--model", "model", "--out", "a.png"]);
    let inspect = || framewright(folder.path(), &["models", "inspect", "model"]);
    let refusals = |inspected: &Run| -> Vec<String> {
        inspected.stdout.lines().filter_map(|line| line.strip_prefix("refused          ")).map(str::to_owned).collect()
    };
    let (inspected, refused) = (inspect(), image());
    let found = refusals(&inspected);
    assert_eq!((inspected.code, refused.code, found.len()), (1, 1, 2), "{inspected:?} {refused:?}");
    assert_eq!(refused.stderr.trim_end(), format!("error: {}", found[0]));
    assert_eq!(found[1], "vae/config.json: field scaling_factor: expected a number, found null");
    assert_eq!(
        inspected.stderr, "error: model: `framewright image` would refuse this model; the reasons are listed as refused\n",
        "{inspected:?}"
    );
    assert!(inspected.stdout.contains("UNet2DConditionModel"), "{inspected:?}");

    // A missing tensor, one of another shape, a truncated weight file, and a missing one.
    edited(folder.path(), &json!({ "unet/config.json": { "layers_per_block": 3 }, "vae/config.json": { "latent_channels": 8 } }));
    let (inspected, refused) = (inspect(), image());
    let found = refusals(&inspected);
    assert_eq!((found.len(), refused.code), (2, 1), "{inspected:?}");
    assert_eq!(refused.stderr.lines().last().unwrap(), format!("error: {}", found[0]));
    assert!(found[1].starts_with("vae: ") && found[1].contains("expected shape"), "{inspected:?}");
    edited(folder.path(), &json!({}));
    let weights = model.join("unet/diffusion_pytorch_model.safetensors");
    let bytes = fs::read(&weights).unwrap();
    fs::write(&weights, &bytes[..bytes.len() / 2]).unwrap();
    fs::remove_file(model.join("vae/diffusion_pytorch_model.safetensors")).unwrap();
    let (inspected, refused) = (inspect(), image());
    let found = refusals(&inspected);
    assert_eq!((found.len(), inspected.code, refused.code), (2, 1, 1), "{inspected:?}");
    assert_eq!(refused.stderr.lines().last().unwrap(), format!("error: {}", found[0]));
    assert!(found[1].contains("vae: has no weight file"), "{inspected:?}");
}

#[test]
fn unknown_fields_of_the_motion_model_do_not_concern_images() {
    let folder = tempfile::tempdir().unwrap();
    edited(folder.path(), &json!({ "model_index.json": { "no\u{1b}tes": [1] } }));
    let run_with = |motion: &str, args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_framewright"));
        command.args(args).args(["--steps", "1"]).env("FRAMEWRIGHT__MODEL__UNKNOWN_FIELDS", "refuse").current_dir(folder.path());
        run(command.env("FRAMEWRIGHT__MODEL__MOTION", motion))
    };
    let made = run_with("model", &["image", "a boat", "--out", "a.png"]);
    assert_eq!(made.code, 0, "{made:?}");
    let refused = run_with("nano-svd", &["image", "a boat", "--model", "model", "--out", "a.png"]);
    assert!(refused.code == 1 && refused.stderr.contains("model_index.json: field no\\u{1b}tes: unknown field"), "{refused:?}");
    let refused = run_with("model", &["video", "--scene", "a boat", "--moving", "--out", "a.mp4"]);
    assert!(refused.code == 1 && refused.stderr.contains("model_index.json: field no"), "{refused:?}");
}

/// Both correct an outdated file as diffusers does; an unknown scheduler fails only requests that name none.
#[test]
fn inspect_judges_the_scheduler_as_image_does() {
    let folder = tempfile::tempdir().unwrap();
    let image = |more: &[&str]| {
        let args = ["image", "a boat", "--steps", "1", "--model", "model", "--out", "a.png"];
        framewright(folder.path(), &[&args[..], more].concat()).code
    };
    let inspect = || framewright(folder.path(), &["models", "inspect", "model"]);
    edited(folder.path(), &json!({ "scheduler/scheduler_config.json": { "steps_offset": null } }));
    assert_eq!((inspect().code, image(&[])), (0, 0));
    edited(folder.path(), &json!({ "model_index.json": { "scheduler": ["diffusers", "KDPM2DiscreteScheduler"] } }));
    let inspected = inspect();
    assert_eq!((inspected.code, image(&[]), image(&["--scheduler", "ddim"])), (1, 2, 0), "{inspected:?}");
    assert!(inspected.stdout.contains("refused          without --scheduler: ") && inspected.stdout.contains("KDPM2"), "{inspected:?}");
    assert_eq!(
        inspected.stderr,
        "error: model: `framewright image` would refuse this model without --scheduler; the reasons are listed as refused\n",
        "{inspected:?}"
    );
}

#[test]
fn a_class_name_that_is_a_list_is_not_reported_as_missing() {
    let folder = tempfile::tempdir().unwrap();
    edited(folder.path(), &json!({ "model_index.json": { "_class_name": ["my_pipeline", "MyPipeline"] } }));
    for args in [&["models", "inspect", "model"][..], &["image", "a boat", "--model", "model", "--out", "a.png"]] {
        let refused = framewright(folder.path(), args);
        assert_eq!((refused.code, refused.stderr.lines().count()), (1, 1), "{refused:?}");
        assert!(refused.stderr.contains(r#"field _class_name: unsupported value ["my_pipeline","MyPipeline"]"#), "{refused:?}");
        assert!(refused.stderr.contains("Python code") && !refused.stderr.contains("missing"), "{refused:?}");
    }
}

/// A cache with a model of small files, and the hub's list of them; the VAE's configuration is one byte shorter than listed.
fn damaged_cache(folder: &Path) -> std::path::PathBuf {
    let root = folder.join("cache/models--some--model");
    let snapshot = root.join("snapshots/abc");
    let mut files = serde_json::Map::new();
    let index = r#"{
        "_class_name": "StableDiffusionPipeline", "scheduler": ["diffusers", "PNDMScheduler"], "unet": ["diffusers", "UNet2DConditionModel"],
        "text_encoder": ["transformers", "CLIPTextModel"], "tokenizer": ["transformers", "CLIPTokenizer"], "vae": ["diffusers", "AutoencoderKL"]
    }"#;
    for (name, text) in [
        ("model_index.json", index),
        ("scheduler/scheduler_config.json", "{}"),
        ("text_encoder/config.json", "{}"),
        ("tokenizer/vocab.json", "{}"),
        ("tokenizer/merges.txt", ""),
        ("unet/config.json", "{}"),
        ("vae/config.json", "{}"),
        ("text_encoder/model.safetensors", "short"),
        ("unet/diffusion_pytorch_model.safetensors", "short"),
        ("vae/diffusion_pytorch_model.safetensors", "short"),
    ] {
        let path = snapshot.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        files.insert(name.into(), serde_json::json!({"size": text.len(), "blob_id": "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"}));
    }
    files["vae/config.json"]["size"] = 3.into();
    for kept in ["refs", "trees"] {
        fs::create_dir_all(root.join(kept)).unwrap();
    }
    fs::write(root.join("refs/main"), "abc").unwrap();
    fs::write(root.join("trees/abc.json"), serde_json::json!({"format_version": 1, "files": files}).to_string()).unwrap();
    snapshot
}

#[test]
fn every_command_names_a_damaged_file_in_the_cache_and_its_repair() {
    let folder = tempfile::tempdir().unwrap();
    let snapshot = damaged_cache(folder.path());
    let offline = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_framewright"));
        run(command.args(args).current_dir(folder.path()).env_clear().env("HF_HUB_OFFLINE", "1").env("HF_HUB_CACHE", "cache"))
    };
    let image: &[&str] = &["image", "a boat", "--model", "some/model", "--out", "a.png"];
    for args in
        [image, &["models", "inspect", "some/model"], &["models", "pull", "some/model"], &["models", "pull", "some/model", "--verify"]]
    {
        let refused = offline(args);
        assert_eq!((refused.code, refused.stdout.as_str()), (1, ""), "{args:?}: {refused:?}");
        for words in
            ["vae/config.json: is damaged: it has 2 bytes where the hub has 3", "`framewright models pull some/model --verify` repairs it"]
        {
            assert!(refused.stderr.contains(words), "{args:?}: {refused:?}");
        }
    }
    // By its folder, which is not checked against the hub's list, so that the unreadable files are named.
    let inspected = offline(&["models", "inspect", snapshot.to_str().unwrap()]);
    assert_eq!(inspected.code, 1, "{inspected:?}");
    for words in ["text_encoder/model.safetensors: truncated", "`framewright models pull some/model@abc --verify` repairs it"] {
        assert!(inspected.stdout.contains(words), "{inspected:?}");
    }
}
