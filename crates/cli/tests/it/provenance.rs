//! Signed files: the commands, the server, `framewright verify`, and certificates that cannot sign.

use std::{
    fs,
    path::Path,
    process::Command,
    time::{Duration, SystemTime},
};

use provenance::self_made;
use serde_json::{Value, json};

use crate::{
    program::{Run, framewright, run},
    served::Served,
};

const ON: (&str, &str) = ("FRAMEWRIGHT__PROVENANCE__C2PA", "on");

/// Runs the program with these variables; what it keeps lies in `folder`/data.
fn with(folder: &Path, variables: &[(&str, &str)], args: &[&str]) -> Run {
    let data = folder.join("data");
    let data = ("FRAMEWRIGHT__JOBS__DATA_DIR", data.to_str().unwrap());
    let mut command = Command::new(env!("CARGO_BIN_EXE_framewright"));
    run(command.args(args).current_dir(folder).env_clear().envs([data].iter().chain(variables).copied()))
}

const IMAGE: [&str; 8] = ["image", "a red circle", "--steps", "2", "--seed", "7", "--out", "a.png"];
const VIDEO: [&str; 13] =
    ["video", "--scene", "a red circle", "--steps", "2", "--duration", "0.25", "--width", "64", "--height", "64", "--seed", "1"];

fn verified(folder: &Path, files: &[&str]) -> (i32, Vec<Value>) {
    let output = framewright(folder, &[&["verify", "--json"][..], files].concat());
    (output.code, serde_json::from_str(&output.stdout).unwrap())
}

#[test]
fn commands_sign_when_the_settings_say_so() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let plain = with(folder.path(), &[], &IMAGE);
    assert!(plain.code == 0 && !plain.stderr.contains("C2PA") && !at("data").exists(), "{plain:?}");
    let unsigned = fs::read(at("a.png")).unwrap();
    assert_eq!(framewright(folder.path(), &["verify", "a.png"]).stdout, "a.png: there is no C2PA manifest\n");

    let output = with(folder.path(), &[ON], &IMAGE);
    assert!(output.code == 0 && output.stderr.contains("with a self-made certificate, "), "{output:?}");
    assert!(at("data/c2pa-signer.pem").exists());
    let signed = fs::read(at("a.png")).unwrap();
    // A second picture with the same request: the same but for the manifest, whose length is the same too.
    assert_eq!(with(folder.path(), &[ON], &IMAGE).code, 0);
    let again = fs::read(at("a.png")).unwrap();
    assert!(signed != again && signed.len().abs_diff(again.len()) < 16 && signed.len() < unsigned.len() + 8_000);
    assert_eq!(image::load_from_memory(&signed).unwrap(), image::load_from_memory(&unsigned).unwrap());

    for out in ["a.mp4", "a.webm"] {
        let output = with(folder.path(), &[ON], &[&VIDEO[..], &["--out", out]].concat());
        assert_eq!(output.code, 0, "{output:?}");
    }
    let (code, found) = verified(folder.path(), &["a.png", "a.mp4", "a.webm"]);
    assert_eq!(code, 0);
    for found in &found {
        assert_eq!((&found["state"], &found["faults"]), (&json!("valid"), &json!([])), "{found}");
        assert_eq!(found["claim_generator"], concat!("Framewright ", env!("CARGO_PKG_VERSION")));
    }
    let text = framewright(folder.path(), &["verify", "a.png"]).stdout;
    for line in [
        "a.png: as it was signed, by the untrusted \"Framewright, self-made certificate, ",
        "  c2pa.created, trainedAlgorithmicMedia",
        "  made with nano-sd (embedded), seed 7, settings \"",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }

    let mut flipped = signed.clone();
    let last = flipped.len() - 20;
    flipped[last] ^= 1;
    fs::write(at("a.png"), flipped).unwrap();
    let output = framewright(folder.path(), &["verify", "a.png", "a.mp4"]);
    assert!(output.code == 1 && output.stdout.contains("a.png: NOT as it was signed"), "{output:?}");
    assert!(output.stderr.contains("1 of 2 files are not as they were signed"), "{output:?}");

    let frames = with(folder.path(), &[ON], &[&VIDEO[..], &["--out", "shots/"]].concat());
    assert!(frames.stderr.contains("the numbered frames are not signed"), "{frames:?}");
    for (files, expected) in [(&["none.png"][..], "none.png: No such file"), (&["a.txt"], "a.txt: the ending must be .png")] {
        let output = framewright(folder.path(), &[&["verify"][..], files].concat());
        assert!(output.code == 2 && output.stderr.contains(expected), "{output:?}");
    }
}

#[test]
fn enlarged_pictures_are_signed_too() {
    let folder = tempfile::tempdir().unwrap();
    let frames = folder.path().join("frames");
    fs::create_dir(&frames).unwrap();
    for name in ["1.png", "2.png"] {
        image::RgbImage::new(20, 12).save(frames.join(name)).unwrap();
    }
    let upscaler = concat!(env!("CARGO_MANIFEST_DIR"), "/../diffusion-core/tests/golden/upscalers/compact_x2.pth");
    for (from, to) in [("frames/1.png", "a.jpg"), ("frames", "large"), ("frames", "a.mp4"), ("frames", "a.webm")] {
        let output = with(folder.path(), &[ON], &["upscale", from, to, "--upscaler", upscaler, "--device", "cpu"]);
        assert!(output.code == 0 && output.stderr.contains("with a self-made certificate, "), "{output:?}");
    }
    let (code, found) = verified(folder.path(), &["a.jpg", "large/1.png", "large/2.png", "a.mp4", "a.webm"]);
    assert!(code == 0 && found.iter().all(|found| found["state"] == "valid"), "{found:?}");
    let text = framewright(folder.path(), &["verify", "a.jpg"]).stdout;
    for line in ["  c2pa.opened", "  c2pa.edited, compositeWithTrainedAlgorithmicMedia", "  made with compact_x2, settings \""] {
        assert!(text.contains(line), "{line}: {text}");
    }
}

#[test]
fn a_certificate_that_cannot_sign_is_an_error_before_a_model_is_loaded() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let long_ago = SystemTime::now() - Duration::from_secs(30 * 365 * 24 * 3600);
    fs::write(at("old.pem"), self_made(long_ago).unwrap()).unwrap();
    fs::write(at("good.pem"), self_made(SystemTime::now()).unwrap()).unwrap();
    for (certificate, key, expected) in [
        ("old.pem", "old.pem", "expired on "),
        ("good.pem", "old.pem", "the private key does not belong to the certificate"),
        ("none.pem", "good.pem", "setting provenance.certificate: "),
    ] {
        let (chain, secret) = (at(certificate), at(key));
        let variables =
            [ON, ("FRAMEWRIGHT__PROVENANCE__CERTIFICATE", chain.as_str()), ("FRAMEWRIGHT__PROVENANCE__PRIVATE_KEY", secret.as_str())];
        for args in [&IMAGE[..], &["serve", "--port", "0"]] {
            let output = with(folder.path(), &variables, args);
            assert!(output.code == 2 && output.stderr.lines().count() == 1 && output.stderr.contains(expected), "{output:?}");
        }
    }
    let output = with(folder.path(), &[("FRAMEWRIGHT__PROVENANCE__C2PA", "yes")], &IMAGE);
    assert!(output.code == 2 && output.stderr.contains("provenance.c2pa: \"yes\" is none of off, on"), "{output:?}");
}

#[test]
fn the_server_signs_what_it_answers_and_what_it_stores() {
    let mut served = Served::start(&[ON]);
    let remark = served.lines.by_ref().map(Result::unwrap).find(|line| line.contains("C2PA")).unwrap();
    assert!(remark.contains("self-made certificate") && remark.contains("provenance.certificate names your own"), "{remark}");
    let folder = tempfile::tempdir().unwrap();
    for format in ["png", "jpeg", "webp"] {
        let body = json!({ "prompt": "a red circle", "num_inference_steps": 2, "seed": 7, "output_format": format, "response_format": "b64_json" });
        let answer = served.post("/v1/images/generations", &body);
        let image = base64::Engine::decode(&base64::prelude::BASE64_STANDARD, answer["data"][0]["b64_json"].as_str().unwrap()).unwrap();
        let name = format!("a.{format}");
        fs::write(folder.path().join(&name), image).unwrap();
        let (code, found) = verified(folder.path(), &[&name]);
        assert_eq!((code, &found[0]["state"]), (0, &json!("valid")), "{found:?}");
    }
}
