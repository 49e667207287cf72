//! A program that is killed at every commit point of a provider's job: the job resumes by the provider's id, a paid video is requested
//! once, and a request that may or may not have arrived is not repeated.
//!
//! The program is `killable_remote`; killed means SIGKILL. The providers are fakes in this process: Bedrock, which honours a job's
//! idempotency token, and a relay for Veo, which has no tokens.

use std::{path::Path, time::SystemTime};

use generation::jobs::{FailPoint, Job, JobErrorKind, JobState, JobsSettings};
use generation_test::{Checked, eventually, local, spend};
use remote_fakes::{FalFake, RelayOptions, VeoRelayFake, aws::Account, bedrock::Bedrock, s3::S3, sample_video};
use rusqlite::Connection;

use crate::life::{A_LIFE, Life};

/// The only job of `killable_remote`.
const ID: &str = "paid";

/// The price of its video in `killable_remote`, in millionths of a dollar.
const PRICE: u64 = 500_000;

/// The commit points of a provider's job, in order.
const POINTS: [FailPoint; 10] = [
    FailPoint::Inserted,
    FailPoint::Started,
    FailPoint::RemoteAsking,
    FailPoint::RemoteAsked,
    FailPoint::RemoteStarted,
    FailPoint::Progressed,
    FailPoint::RemoteFetched,
    FailPoint::Made,
    FailPoint::Placed,
    FailPoint::Completed,
];

fn begin(folder: &Path, provider: &str, urls: &str, word: &str) -> Life {
    Life::begin(env!("CARGO_BIN_EXE_killable_remote"), &[folder.to_str().unwrap(), provider, urls, word].map(str::to_owned))
}

/// Runs the program and kills it at a point.
fn killed(folder: &Path, provider: &str, urls: &str, point: FailPoint) {
    let life = begin(folder, provider, urls, &format!("{point:?}"));
    assert!(life.wait_for(&format!("at {point:?}"), A_LIFE).is_some(), "{provider}: {point:?} is reached");
    life.kill(folder);
}

/// The state and amount of the reservation in the database.
fn money(folder: &Path) -> (String, u64) {
    let database = Connection::open(folder.join("jobs.sqlite")).unwrap();
    let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get::<_, i64>(1)?.cast_unsigned()));
    database.query_row("SELECT state, price FROM spend", [], read).unwrap()
}

/// Checks that the job has finished once and has left only its file; returns it with its spending.
async fn ended(folder: &Path, what: &str) -> (Job, (u64, u64, u64)) {
    let jobs = Checked::open(JobsSettings::new(folder, SystemTime::now), local().await).await.unwrap();
    let job = jobs.get("", ID).await.unwrap().unwrap();
    let events = jobs.events("", ID, 0, 1000).await.unwrap().unwrap();
    let of = |kind: &str| events.iter().filter(|event| event.kind == kind).count();
    assert_eq!((of("queued"), of("started")), (1, job.attempts as usize), "{what}");
    assert_eq!(of("completed") + of("cancelled") + of("failed"), 1, "{what}: it ended once");
    for left in ["staging", "journal"] {
        let names: Vec<_> = std::fs::read_dir(folder.join(left)).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert!(names.is_empty(), "{what}: {left}: {names:?}");
    }
    if job.state == JobState::Completed {
        assert!(std::fs::read(folder.join("artifacts").join(ID).join("video.mp4")).unwrap() == sample_video(0), "{what}");
    }
    let spent = spend(&jobs).await;
    (job, spent)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_every_commit_point_a_job_whose_token_is_honoured_starts_once() {
    for point in POINTS {
        // Bedrock does not report a video's progress.
        if point == FailPoint::Progressed {
            continue;
        }
        let folder = tempfile::tempdir().unwrap();
        let s3 = S3::start(Account::default(), &["videos"]).await.unwrap();
        let bedrock = Bedrock::start(Account::default(), &s3).await.unwrap();
        let urls = format!("{},{}", bedrock.url(), s3.url());
        killed(folder.path(), "bedrock", &urls, point);
        let expected = if point == FailPoint::Completed { "spent" } else { "reserved" };
        assert_eq!(money(folder.path()), (expected.to_owned(), PRICE), "{point:?}");
        let begun_before = bedrock.begun();
        begin(folder.path(), "bedrock", &urls, "").ends();
        let (job, spent) = ended(folder.path(), &format!("{point:?}")).await;
        assert_eq!((job.state, bedrock.begun(), spent), (JobState::Completed, 1, (1, 0, PRICE)), "{point:?}");
        let requests = bedrock.requests();
        let starts: Vec<_> = requests.iter().filter(|request| request.method == "POST").map(|request| request.json()).collect();
        // The answer was lost with the program, so the same request is repeated with the same token.
        let is_asked_twice = point == FailPoint::RemoteAsked;
        assert_eq!(starts.len(), if is_asked_twice { 2 } else { 1 }, "{point:?}");
        assert!(starts.iter().all(|start| start["clientRequestToken"] == ID && *start == starts[0]), "{point:?}");
        let was_begun = POINTS.iter().position(|other| *other == point) > POINTS.iter().position(|other| *other == FailPoint::RemoteAsking);
        assert_eq!(begun_before, usize::from(was_begun), "{point:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_every_commit_point_a_job_without_a_token_is_requested_once() {
    for point in POINTS {
        let folder = tempfile::tempdir().unwrap();
        let polls = if point == FailPoint::Progressed { 50 } else { 1 };
        let options = RelayOptions { key: "a-key".into(), polls, ..RelayOptions::default() };
        let relay = VeoRelayFake::start(options).await.unwrap();
        killed(folder.path(), "veo", &relay.server.url(), point);
        begin(folder.path(), "veo", &relay.server.url(), "").ends();
        let (job, spent) = ended(folder.path(), &format!("{point:?}")).await;
        let starts = relay.server.requests().iter().filter(|request| request.method == "POST").count();
        if let FailPoint::RemoteAsking | FailPoint::RemoteAsked = point {
            // It is unknown whether the provider started it, so it counts as paid and is not repeated.
            let error = job.error.unwrap();
            assert_eq!((job.state, error.kind, error.retryable), (JobState::Failed, JobErrorKind::Uncertain, false), "{point:?}");
            assert!(error.message.contains("look at the provider's console"), "{point:?}: {}", error.message);
            assert_eq!((starts, spent), (usize::from(point == FailPoint::RemoteAsked), (1, 0, PRICE)), "{point:?}");
        } else {
            assert_eq!((job.state, starts, spent), (JobState::Completed, 1, (1, 0, PRICE)), "{point:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_after_a_restart_or_repeatedly_it_is_resumed_by_its_id() {
    let folder = tempfile::tempdir().unwrap();
    let options = RelayOptions { key: "a-key".into(), ..RelayOptions::default() };
    let relay = VeoRelayFake::start(options).await.unwrap();
    let url = relay.server.url();
    killed(folder.path(), "veo", &url, FailPoint::RemoteStarted);
    // More crashes than a job without progress may cause: crashes during a provider's job are not counted against it.
    for point in [FailPoint::Recovered, FailPoint::Started, FailPoint::Started].into_iter().chain([FailPoint::Started; 5]) {
        killed(folder.path(), "veo", &url, point);
    }
    begin(folder.path(), "veo", &url, "").ends();
    let (job, spent) = ended(folder.path(), "again and again").await;
    assert_eq!((job.state, job.attempts, spent), (JobState::Completed, 9, (1, 0, PRICE)));
    assert_eq!(relay.server.requests().iter().filter(|request| request.method == "POST").count(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_before_a_cancellation_reaches_the_provider_the_next_start_sends_it() {
    let folder = tempfile::tempdir().unwrap();
    let fal = FalFake::start("a-key").await.unwrap();
    let cancelled = || fal.server.requests().iter().filter(|request| request.path.ends_with("/cancel")).count();
    killed(folder.path(), "pika", &fal.server.url(), FailPoint::Cancelled);
    assert_eq!((fal.jobs(), cancelled()), (1, 0));
    for _ in 0..2 {
        let life = begin(folder.path(), "pika", &fal.server.url(), "linger");
        assert!(life.wait_for("done", A_LIFE).is_some());
        eventually("fal gets the cancellation", || cancelled() == 1).await;
        // Until this is persisted, the cancellation would be sent again.
        eventually("it is persisted", || unsent_cancellations(folder.path()) == 0).await;
        life.kill(folder.path());
    }
    assert_eq!((fal.jobs(), cancelled()), (1, 1), "it is sent once");
    let (job, spent) = ended(folder.path(), "cancelled").await;
    assert_eq!((job.state, spent), (JobState::Cancelled, (1, 0, PRICE)));
}

fn unsent_cancellations(folder: &Path) -> i64 {
    let database = Connection::open(folder.join("jobs.sqlite")).unwrap();
    database.query_row("SELECT count(*) FROM jobs WHERE untold_cancel IS NOT NULL", [], |row| row.get(0)).unwrap()
}
