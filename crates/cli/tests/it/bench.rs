//! `framewright bench`: the shape of its output; the times themselves depend on the machine.

use std::{collections::HashMap, path::Path};

use serde_json::Value;

use crate::{golden_weights::draw, program::framewright, tiny_turbo::TinyTurbo};

#[test]
fn plain_prints_a_line_for_each_part() {
    let folder = tempfile::tempdir().unwrap();
    for model in [&[] as &[&str], &["--precision", "bf16"], &["--architecture", "nano-sd", "--random-weights"]] {
        let mut args = vec!["bench", "--plain", "--size", "64", "--repeat", "1"];
        args.extend_from_slice(model);
        let timed = framewright(folder.path(), &args);
        assert_eq!((timed.code, timed.stderr.as_str()), (0, ""), "{args:?}: {timed:?}");
        let lines: Vec<_> = timed.stdout.lines().map(|line| line.split(' ').collect::<Vec<_>>()).collect();
        let [step, vae, text] = lines.as_slice() else { panic!("{timed:?}") };
        for (line, name) in [(step, "step"), (vae, "vae"), (text, "text")] {
            assert!(line.len() == 2 && line[0] == name && line[1].parse::<f64>().unwrap() > 0.0, "{timed:?}");
        }
    }
}

#[test]
fn json_has_every_combination_and_the_machine() {
    let folder = tempfile::tempdir().unwrap();
    let args = ["bench", "--json", "--size", "64,72", "--steps", "1,2", "--scheduler", "ddim,euler-karras", "--repeat", "2"];
    let timed = framewright(folder.path(), &args);
    assert_eq!((timed.code, timed.stderr.as_str()), (0, ""), "{timed:?}");
    let report: Value = serde_json::from_str(&timed.stdout).unwrap();
    let timings = report["timings"].as_array().unwrap();
    assert_eq!(timings.iter().filter(|timing| timing["what"] == "picture").count(), 2 * 2 * 2);
    assert_eq!(timings.iter().filter(|timing| timing["what"] == "unet step").count(), 2);
    assert_eq!(timings.iter().filter(|timing| timing["what"] == "video encoder").count(), 2);
    check_timings(timings, 2);
    let reached = |what: &str| report[what]["flops_per_second"].as_f64().unwrap();
    // The hardware's peak is never below what a product makes of it.
    assert!(reached("peak") >= reached("matrix_product_peak") && reached("matrix_product_peak") > 1e8, "{}", report["peak"]);
    assert_eq!(report["peak"]["precision"], report["matrix_product_peak"]["precision"]);
    assert!(report["hardware"]["threads"].as_u64().unwrap() > 0);
    let args = ["bench", "--size", "64", "--steps", "1", "--repeat", "1", "--device", "cpu", "--cpu-level", "portable"];
    let table = framewright(folder.path(), &args);
    // The forced level is reported, and decides the precision.
    let build = if cfg!(debug_assertions) { " portable debug\n" } else { " portable\n" };
    for part in [
        "unet step",
        "vae decode",
        "picture, 1 steps, ddim",
        "\npeak: a ",
        " GFLOP/s in f32 here",
        "64x64",
        build,
        "nano-sd (embedded) in f32 on cpu",
    ] {
        assert!(table.stdout.contains(part), "{part} is not in {}", table.stdout);
    }
}

/// Checks that hold for every timing.
fn check_timings(timings: &[Value], repeat: usize) {
    for timing in timings {
        let (p50, p95) = (timing["p50"].as_f64().unwrap(), timing["p95"].as_f64().unwrap());
        assert!(0.0 < p50 && p50 <= p95 && timing["its_per_second"].as_f64().unwrap() > 0.0, "{timing}");
        assert_eq!(timing["runs"].as_array().unwrap().len(), repeat);
        // The video encoder's operations are not counted.
        let (flops, share) = (timing["flops"].as_u64().unwrap(), timing["share_of_peak"].as_f64());
        assert!(
            if timing["what"] == "video encoder" { flops == 0 && share.is_none() } else { flops > 10_000 && share > Some(0.0) },
            "{timing}"
        );
    }
}

#[test]
fn a_video_model_is_timed_part_by_part() {
    let folder = tempfile::tempdir().unwrap();
    let model = ["bench", "--architecture", "nano-svd", "--random-weights", "--size", "64x72", "--repeat", "1"];
    let flags = ["--frames", "5", "--decode-chunk-size", "2", "--steps", "2", "--json"];
    let timed = framewright(folder.path(), &[&model as &[&str], &flags].concat());
    assert_eq!((timed.code, timed.stderr.as_str()), (0, ""), "{timed:?}");
    let report: Value = serde_json::from_str(&timed.stdout).unwrap();
    let timings = report["timings"].as_array().unwrap();
    check_timings(timings, 1);
    let found = timings.iter().map(|timing| (timing["what"].as_str().unwrap(), timing["frames"].as_u64(), timing["its"].as_str().unwrap()));
    let expected = [
        ("unet step", Some(5), "steps"),
        ("image encoder", None, "pictures"),
        ("vae encode", None, "pictures"),
        ("vae decode", Some(2), "frames"),
        ("video", Some(5), "steps"),
        ("video encoder", Some(96), "frames"),
    ];
    assert_eq!(found.collect::<Vec<_>>(), expected);
    assert_eq!((&timings[0]["width"], &timings[0]["height"], &timings[4]["steps"]), (&64.into(), &72.into(), &2.into()));
    assert!(timings[5]["encoder"].as_str().is_some_and(|encoder| encoder.contains("264")), "{}", timings[5]);
    assert_eq!(report["not_timed"].as_array().unwrap().len(), 0);
    // As many frames as the model was trained on, and no whole video unless steps are given.
    let table = framewright(folder.path(), &[&model as &[&str], &["--precision", "f32"]].concat());
    for part in
        ["unet step (guided: 2 clips), 8 frames  ", "vae decode, 8 frames ", "image encoder ", " 64x72 ", " frames/s", "nano-svd (random"]
    {
        assert!(table.stdout.contains(part), "{part} is not in {}", table.stdout);
    }
    assert!(!table.stdout.contains("video, "), "{}", table.stdout);
}

/// A model of one step without guidance is timed as it runs: one text, its own steps, and its TAESD where it has one.
#[test]
fn a_few_step_model_is_timed_as_it_runs() {
    let folder = tempfile::tempdir().unwrap();
    let model = folder.path().join("turbo");
    TinyTurbo::load().write_folder(&model, None);
    let timed = |more: &[&str]| {
        let args = ["bench", "--model", "turbo", "--size", "64", "--repeat", "1", "--json"];
        let timed = framewright(folder.path(), &[&args[..], more].concat());
        assert_eq!((timed.code, timed.stderr.as_str()), (0, ""), "{timed:?}");
        let report: Value = serde_json::from_str(&timed.stdout).unwrap();
        let of = |what: &str, field: &str| {
            let timings = report["timings"].as_array().unwrap();
            timings.iter().find(|timing| timing["what"] == what).unwrap()[field].clone()
        };
        for what in ["unet step", "vae decode", "picture"] {
            let share = of(what, "share_of_peak").as_f64().unwrap();
            assert!(share > 0.0 && share <= 1.0, "{what}: {share}");
        }
        (of("unet step", "texts"), of("vae decode", "vae"), of("picture", "steps"), of("picture", "vae"))
    };
    assert_eq!(timed(&[]), (1.into(), "full".into(), 1.into(), "full".into()));
    write_taesd(&model.join("vae_tiny"));
    assert_eq!(timed(&[]), (1.into(), "tiny".into(), 1.into(), "tiny".into()));
    assert_eq!(timed(&["--vae", "full", "--steps", "2"]), (1.into(), "full".into(), 2.into(), "full".into()));
    let table = framewright(folder.path(), &["bench", "--model", "turbo", "--size", "64", "--repeat", "1"]).stdout;
    for part in ["unet step (unguided: 1 text)", "vae decode, TAESD", "picture, TAESD, 1 steps"] {
        assert!(table.contains(part), "{part} is not in {table}");
    }
}

/// Writes the AutoencoderTiny of diffusion-core's goldens as a folder.
fn write_taesd(folder: &Path) {
    std::fs::create_dir(folder).unwrap();
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../diffusion-core/tests/golden/pipelines/tiny_vae.safetensors");
    let (_, header) = safetensors::SafeTensors::read_metadata(&std::fs::read(path).unwrap()).unwrap();
    let json = |key: &str| -> Value { serde_json::from_str(&header.metadata().as_ref().unwrap()[key]).unwrap() };
    std::fs::write(folder.join("config.json"), json("calls")["text_to_image"]["vae"].to_string()).unwrap();
    let shapes: HashMap<String, Vec<usize>> = serde_json::from_value(json("shapes")["vae_tiny"].clone()).unwrap();
    let tensors: HashMap<String, candle_core::Tensor> = shapes.iter().map(|(name, shape)| (name.clone(), draw(name, shape))).collect();
    candle_core::safetensors::save(&tensors, folder.join("diffusion_pytorch_model.safetensors")).unwrap();
}

#[test]
fn invalid_benchmarks_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    for (args, part) in [
        (&["--size", "100"] as &[&str], "--size 100"),
        (&["--size", "8"], "64..=2048"),
        (&["--size", "64x"], "WIDTHxHEIGHT"),
        (&["--frames", "8"], "makes pictures"),
        (&["--decode-chunk-size", "8"], "makes pictures"),
        (&["--architecture", "nano-svd", "--random-weights", "--frames", "0"], "1..=1000"),
        (&["--architecture", "nano-svd", "--random-weights", "--scheduler", "ddim"], "its own"),
        (&["--architecture", "nano-svd", "--random-weights", "--plain"], "models of pictures"),
        (&["--architecture", "huge", "--random-weights"], "tiny-sd"),
        (&["--architecture", "tiny-sd"], "--random-weights"),
        (&["--scheduler", "best"], "euler"),
    ] {
        let refused = framewright(folder.path(), &[&["bench"], args].concat());
        assert_eq!((refused.code, refused.stdout.as_str(), refused.stderr.lines().count()), (2, "", 1), "{args:?}: {refused:?}");
        assert!(refused.stderr.contains(part), "{args:?}: {refused:?}");
    }
}
