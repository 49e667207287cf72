//! A program that is killed, at every fail point and at seeded moments: every accepted job finishes exactly once, with the bytes of an
//! uninterrupted run.
//!
//! The program is `killable`, with embedded models; killed means SIGKILL.

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    time::{Duration, Instant, SystemTime},
};

use generation::jobs::{FailPoint, JobState, JobsSettings, Page};
use generation_test::{Checked, local};

use crate::life::{A_LIFE, Life};

/// Every job of `killable`, and its final state.
const ENDS: [(&str, JobState); 8] = [
    ("pictures", JobState::Completed),
    ("crossfade", JobState::Completed),
    ("called-off", JobState::Cancelled),
    ("slerp", JobState::Completed),
    ("moving", JobState::Completed),
    ("animation", JobState::Completed),
    ("clip", JobState::Completed),
    ("enlarged", JobState::Completed),
];

/// Starts the program on this folder; it blocks at the given point.
fn begin(folder: &Path, point: Option<(FailPoint, usize)>) -> Life {
    let mut arguments = vec![folder.to_str().unwrap().to_owned()];
    arguments.extend(point.into_iter().flat_map(|(point, nth)| [format!("{point:?}"), nth.to_string()]));
    Life::begin(env!("CARGO_BIN_EXE_killable"), &arguments)
}

/// All files of jobs, by path.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for job in fs::read_dir(folder.join("artifacts")).unwrap().map(Result::unwrap) {
        for file in fs::read_dir(job.path()).unwrap().map(Result::unwrap) {
            let name = format!("{}/{}", job.file_name().to_str().unwrap(), file.file_name().to_str().unwrap());
            found.insert(name, fs::read(file.path()).unwrap());
        }
    }
    found
}

/// Checks that every job has finished once, in its expected state, and has left only its files.
async fn check(folder: &Path) -> Vec<(String, u32)> {
    let jobs = Checked::open(JobsSettings::new(folder, SystemTime::now), local().await).await.unwrap();
    let all = jobs.list("", Page { limit: 100, newest_first: false, ..Page::default() }).await.unwrap();
    let ends: Vec<(&str, JobState)> = all.iter().map(|job| (job.id.as_str(), job.state)).collect();
    assert_eq!(ends, ENDS);
    for job in &all {
        let events = jobs.events("", &job.id, 0, 10_000).await.unwrap().unwrap();
        let of = |kind: &str| events.iter().filter(|event| event.kind == kind).count();
        assert_eq!(of("queued"), 1, "{}", job.id);
        assert_eq!(of("completed") + of("cancelled") + of("failed"), 1, "{} ended once", job.id);
        assert_eq!(of("started"), job.attempts as usize, "{}", job.id);
        assert!(events.last().unwrap().kind == job.state.name(), "{}: nothing happens after the end", job.id);
    }
    for left in ["staging", "journal"] {
        let names: Vec<_> = fs::read_dir(folder.join(left)).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert!(names.is_empty(), "{left}: {names:?}");
    }
    for part in fs::read_dir(folder.join("parts")).unwrap() {
        let name = part.unwrap().file_name().into_string().unwrap();
        assert!(name.ends_with(".part") && !name.starts_with('.'), "half-written: {name}");
    }
    all.into_iter().map(|job| (job.id, job.attempts)).collect()
}

fn uninterrupted() -> (BTreeMap<String, Vec<u8>>, Duration) {
    let folder = tempfile::tempdir().unwrap();
    let started = Instant::now();
    begin(folder.path(), None).ends();
    (files(folder.path()), started.elapsed())
}

fn assert_same(found: &BTreeMap<String, Vec<u8>>, expected: &BTreeMap<String, Vec<u8>>, when: &str) {
    assert_eq!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>(), "{when}");
    for (name, bytes) in expected {
        assert!(found.get(name) == Some(bytes), "{when}: {name} differs");
    }
}

#[tokio::test]
async fn killed_at_every_fail_point_it_resumes() {
    let (expected, _) = uninterrupted();
    assert_eq!(expected.len(), 9);
    for point in FailPoint::ALL {
        // Late enough that other jobs lie on both sides; points that are reached once per run take their first time.
        let nth = match point {
            FailPoint::Inserted => 4,
            FailPoint::Started => 2,
            FailPoint::Progressed => 6,
            FailPoint::LatentsKept => 5,
            FailPoint::ImagesKept => 9,
            FailPoint::PartStaged => 4,
            FailPoint::Made | FailPoint::Placed | FailPoint::Completed => 2,
            FailPoint::Reordered | FailPoint::Cancelled | FailPoint::Recovered => 1,
            // Points of a provider's job: `killed_remote.rs`.
            FailPoint::RemoteAsking | FailPoint::RemoteAsked | FailPoint::RemoteStarted | FailPoint::RemoteFetched => continue,
        };
        let folder = tempfile::tempdir().unwrap();
        if point == FailPoint::Recovered {
            // Leaves jobs to resume.
            let life = begin(folder.path(), Some((FailPoint::ImagesKept, 4)));
            assert!(life.wait_for("at ImagesKept", A_LIFE).is_some());
            life.kill(folder.path());
        }
        let life = begin(folder.path(), Some((point, nth)));
        assert!(life.wait_for(&format!("at {point:?}"), A_LIFE).is_some(), "{point:?} is reached {nth} times");
        life.kill(folder.path());
        begin(folder.path(), None).ends();
        assert_same(&files(folder.path()), &expected, &format!("killed at {point:?}"));
        check(folder.path()).await;
    }
}

#[tokio::test]
async fn killed_at_ten_moments_it_resumes() {
    let (expected, mut whole) = uninterrupted();
    // Moments from a linear congruential generator (Knuth's MMIX), so that a failure can be reproduced.
    let mut state: u64 = 20_261_121;
    let (mut interrupted, mut again) = (0, 0);
    while interrupted < 10 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let moment = whole.mul_f64((state >> 33) as f64 / f64::from(1_u32 << 31));
        let folder = tempfile::tempdir().unwrap();
        let life = begin(folder.path(), None);
        let is_done = life.wait_for("done", moment).is_some();
        life.kill(folder.path());
        if is_done {
            // The run was faster than the one that was timed.
            whole = whole.mul_f64(0.8);
            continue;
        }
        interrupted += 1;
        begin(folder.path(), None).ends();
        assert_same(&files(folder.path()), &expected, &format!("killed after {moment:?}"));
        again += check(folder.path()).await.iter().filter(|(_, attempts)| *attempts > 1).count();
    }
    assert!(again >= 3, "most moments fall into a running job: {again}");
}

#[tokio::test]
async fn killed_repeatedly_it_resumes() {
    let (expected, whole) = uninterrupted();
    let folder = tempfile::tempdir().unwrap();
    // Each run is a little longer than a start takes, so that each makes some progress.
    for life in 1..=6 {
        let begun = begin(folder.path(), None);
        begun.wait_for("done", whole.mul_f64(0.2 + 0.02 * f64::from(life)));
        begun.kill(folder.path());
    }
    begin(folder.path(), None).ends();
    assert_same(&files(folder.path()), &expected, "killed again and again");
    check(folder.path()).await;
}
