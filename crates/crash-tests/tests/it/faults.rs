//! A device out of memory, and a panic, in the middle of a job: each fails that job only, and leaks no memory.
//!
//! The program is `faulty`, a process that does nothing else, so that its memory shows what the jobs leak.

use std::{process::Command, time::SystemTime};

use generation::jobs::JobsSettings;
use generation_test::{Checked, local};

/// The permitted growth of memory relative to ten jobs without a fault, as a fraction.
const WITHIN: f64 = 0.05;

#[tokio::test]
async fn a_fault_fails_one_job_and_leaks_no_memory() {
    let memory = ("memory", "failed out_of_memory: out of memory: an allocation, as it was told");
    let panic = ("panic", "failed internal: internal error");
    check("steps", ("none", "completed ")).await;
    for place in ["steps", "frames", "motion"] {
        check(place, memory).await;
        check(place, panic).await;
    }
}

/// Runs the program, and checks the result of its faulty job, the other jobs and its memory.
async fn check(place: &str, (fault, ended): (&str, &str)) {
    let folder = tempfile::tempdir().unwrap();
    let mut program = Command::new(env!("CARGO_BIN_EXE_faulty"));
    // The first backtrace reads the program's symbols, some 40 MB that the standard library keeps; later ones add nothing.
    program.env_remove("RUST_BACKTRACE").env_remove("RUST_LIB_BACKTRACE");
    let output = program.arg(folder.path()).args([fault, place]).output().unwrap();
    let (printed, errors) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{fault} in {place}: {printed}{errors}");
    let words = |word: &str| printed.lines().filter_map(|line| line.strip_prefix(word).map(str::to_owned)).collect::<Vec<_>>();
    assert_eq!(words("faulty "), [ended], "{fault} in {place}");
    for name in ["first", "last"] {
        assert_eq!(words(&format!("completed {name}-")).len(), 10, "{fault} in {place}");
    }
    drop(Checked::open(JobsSettings::new(folder.path(), SystemTime::now), local().await).await.unwrap());
    // Memory is measured on Linux only.
    if cfg!(target_os = "linux") {
        let kilobytes = |word: &str| words(word).iter().map(|kilobytes| kilobytes.parse().unwrap()).collect::<Vec<f64>>();
        let (before, after) = (kilobytes("before "), kilobytes("after "));
        assert_eq!((before.len(), after.len()), (3, 3), "{printed}");
        // The least afterwards, because what has leaked is in every measurement, and what a job's last threads still hold is not.
        let (before, after) = (before.into_iter().fold(0.0, f64::max), after.into_iter().fold(f64::INFINITY, f64::min));
        assert!(after <= before * (1.0 + WITHIN), "{fault} in {place}: {before} kB before, {after} kB after");
    }
}
