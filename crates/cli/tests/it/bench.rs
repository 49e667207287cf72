//! `framewright bench`: the shape of what it prints; times are this machine's own affair.

use serde_json::Value;

use crate::program::framewright;

#[test]
fn plain_prints_exactly_two_lines() {
    let folder = tempfile::tempdir().unwrap();
    for model in [&[] as &[&str], &["--precision", "bf16"], &["--architecture", "nano-sd", "--random-weights"]] {
        let mut args = vec!["bench", "--plain", "--size", "64", "--repeat", "1"];
        args.extend_from_slice(model);
        let timed = framewright(folder.path(), &args);
        assert_eq!((timed.code, timed.stderr.as_str()), (0, ""), "{args:?}: {timed:?}");
        let lines: Vec<_> = timed.stdout.lines().map(|line| line.split(' ').collect::<Vec<_>>()).collect();
        let [step, vae] = lines.as_slice() else { panic!("{timed:?}") };
        for (line, name) in [(step, "step"), (vae, "vae")] {
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
    for timing in timings {
        let (p50, p95) = (timing["p50"].as_f64().unwrap(), timing["p95"].as_f64().unwrap());
        assert!(0.0 < p50 && p50 <= p95, "{timing}");
        assert!(timing["flops"].as_u64().unwrap() > 1_000_000 && timing["share_of_peak"].as_f64().unwrap() > 0.0, "{timing}");
        assert_eq!(timing["runs"].as_array().unwrap().len(), 2);
    }
    assert!(report["matrix_product_peak"]["flops_per_second"].as_f64().unwrap() > 1e8);
    assert!(report["hardware"]["threads"].as_u64().unwrap() > 0);
    let args = ["bench", "--size", "64", "--steps", "1", "--repeat", "1", "--device", "cpu", "--cpu-level", "portable"];
    let table = framewright(folder.path(), &args);
    // The forced level is the one that is said, and decides the precision.
    for part in ["unet step", "vae decode", "picture, 1 steps, ddim", "GFLOP/s", "64x64", " portable\n", "nano-sd (embedded) in f32 on cpu"]
    {
        assert!(table.stdout.contains(part), "{part} is not in {}", table.stdout);
    }
}

#[test]
fn what_cannot_be_timed_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for (args, part) in [
        (&["--size", "100"] as &[&str], "--size 100"),
        (&["--size", "8"], "64..=2048"),
        (&["--architecture", "huge", "--random-weights"], "tiny-sd"),
        (&["--architecture", "tiny-sd"], "--random-weights"),
        (&["--scheduler", "best"], "euler"),
    ] {
        let refused = framewright(folder.path(), &[&["bench"], args].concat());
        assert_eq!((refused.code, refused.stdout.as_str(), refused.stderr.lines().count()), (2, "", 1), "{args:?}: {refused:?}");
        assert!(refused.stderr.contains(part), "{args:?}: {refused:?}");
    }
}
