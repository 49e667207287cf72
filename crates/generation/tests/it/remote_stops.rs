//! Jobs of a provider that are cancelled, or that a shutdown leaves to the next start: when the provider is told.

use std::{sync::Arc, time::Duration};

use generation::jobs::{Cancelled, JobState};
use generation_test::{PATIENCE, eventually, spend};
use remote_providers::{ErrorKind, ProviderError};

use crate::{
    fake::until_free,
    jobs::{end_of, until},
    provider::{CLOUD, PRICE, ScriptedProvider, opened, priced, remote_job, until_begun},
    remote::{MODEL, kinds},
};

async fn eventually_cancelled(provider: &ScriptedProvider, id: &str) {
    eventually("the provider is told", || provider.log().contains(&format!("cancel cloud/{id}"))).await;
}

#[tokio::test]
async fn a_job_that_is_cancelled_is_cancelled_at_its_provider() {
    let folder = tempfile::tempdir().unwrap();
    let provider = ScriptedProvider::default().shut();
    let jobs = opened(priced(folder.path(), None), &provider).await;
    jobs.submit(remote_job("runs", MODEL)).await.unwrap();
    until_begun(&jobs, "runs").await;
    assert!(matches!(jobs.cancel("", "runs").await.unwrap(), Cancelled::Done(_)));
    eventually_cancelled(&provider, "runs").await;
    eventually("its place is free", || jobs.active() == 0).await;
    assert_eq!(spend(&jobs).await, (1, 0, PRICE), "it may have to be paid");

    // During its start: the answer is awaited, because only the answer has the id.
    provider.answers.send_replace(false);
    jobs.submit(remote_job("starts", MODEL)).await.unwrap();
    eventually("it is asked for", || provider.count("start reel starts") == 1).await;
    assert!(matches!(jobs.cancel("", "starts").await.unwrap(), Cancelled::Done(_)));
    provider.answers.send_replace(true);
    eventually_cancelled(&provider, "starts").await;
    eventually("its place is free", || jobs.active() == 0).await;
    assert_eq!(spend(&jobs).await, (2, 0, 2 * PRICE));
    assert_eq!(provider.count("start"), 2);
    for id in ["runs", "starts"] {
        assert_eq!(jobs.get("", id).await.unwrap().unwrap().state, JobState::Cancelled, "{id}");
        assert_eq!(provider.count(&format!("cancel cloud/{id}")), 1, "{id}");
    }
}

#[tokio::test]
async fn a_waiting_job_is_cancelled_without_a_request_to_its_provider() {
    let folder = tempfile::tempdir().unwrap();
    let provider = ScriptedProvider::default().shut();
    let jobs = opened(priced(folder.path(), None), &provider).await;
    for id in ["a", "b", "waits"] {
        jobs.submit(remote_job(id, MODEL)).await.unwrap();
    }
    until_begun(&jobs, "a").await;
    until_begun(&jobs, "b").await;
    assert_eq!(jobs.waiting(), 1);
    jobs.cancel("", "waits").await.unwrap();
    assert_eq!(spend(&jobs).await, (3, 2 * PRICE, 0));
    provider.is_open.send_replace(true);
    for id in ["a", "b"] {
        assert_eq!(end_of(&jobs, id).await.state, JobState::Completed);
    }
    assert_eq!((provider.count("start"), provider.count("cancel"), spend(&jobs).await), (2, 0, (3, 0, 2 * PRICE)));
}

#[tokio::test]
async fn after_a_restart_jobs_are_resumed_by_their_ids() {
    let folder = tempfile::tempdir().unwrap();
    let provider = ScriptedProvider::default().shut();
    {
        let jobs = opened(priced(folder.path(), None), &provider).await;
        for id in ["a", "b", "waits"] {
            jobs.submit(remote_job(id, MODEL)).await.unwrap();
        }
        until_begun(&jobs, "a").await;
        until_begun(&jobs, "b").await;
        // They continue elsewhere, and the shutdown does not wait for them.
        tokio::time::timeout(PATIENCE, jobs.shut_down(Duration::from_secs(3600))).await.expect("it is down at once");
        assert_eq!((provider.count("cancel"), spend(&jobs).await), (0, (3, 3 * PRICE, 0)));
        assert_eq!(kinds(&jobs, "a").await, ["queued", "started", "remote", "requeued"]);
    }
    until_free(folder.path()).await;
    let jobs = opened(priced(folder.path(), None), &provider).await;
    until(&jobs, "a", JobState::Running).await;
    provider.is_open.send_replace(true);
    for id in ["a", "b", "waits"] {
        let job = end_of(&jobs, id).await;
        assert_eq!((job.state, job.remote_id()), (JobState::Completed, Some(format!("cloud/{id}").as_str())));
    }
    assert_eq!((provider.count("start"), spend(&jobs).await), (3, (3, 0, 3 * PRICE)));
}

#[tokio::test]
async fn a_shutdown_during_a_start_waits_a_moment_for_the_id() {
    let folder = tempfile::tempdir().unwrap();
    let provider = ScriptedProvider::default().shut();
    {
        let jobs = opened(priced(folder.path(), None), &provider).await;
        provider.answers.send_replace(false);
        jobs.submit(remote_job("a", MODEL)).await.unwrap();
        eventually("it is asked for", || provider.count("start") == 1).await;
        let (down, answered) = (jobs.shut_down(Duration::ZERO), async { provider.answers.send_replace(true) });
        tokio::join!(down, answered);
        assert_eq!(kinds(&jobs, "a").await, ["queued", "started", "remote", "requeued"]);
    }
    until_free(folder.path()).await;
    provider.is_open.send_replace(true);
    let jobs = opened(priced(folder.path(), None), &provider).await;
    assert_eq!(end_of(&jobs, "a").await.state, JobState::Completed);
    assert_eq!(provider.log(), ["start reel a"]);
}

#[tokio::test]
async fn a_provider_is_told_of_a_job_that_was_cancelled_while_it_did_not_run() {
    let folder = tempfile::tempdir().unwrap();
    let provider = ScriptedProvider::default().shut();
    let another = Arc::new(ScriptedProvider { name: "another", ..ScriptedProvider::default() });
    {
        let jobs = opened(priced(folder.path(), None), &provider).await;
        for id in ["a", "b"] {
            jobs.submit(remote_job(id, MODEL)).await.unwrap();
            until_begun(&jobs, id).await;
        }
        jobs.shut_down(Duration::ZERO).await;
    }
    {
        // A run in which the provider is not set up: its jobs wait, and can be cancelled.
        until_free(folder.path()).await;
        let jobs = opened(priced(folder.path(), None), &another).await;
        assert_eq!(jobs.get("", "a").await.unwrap().unwrap().state, JobState::Queued);
        jobs.cancel("", "a").await.unwrap();
        jobs.shut_down(Duration::ZERO).await;
    }
    assert_eq!(provider.count("cancel"), 0);
    // The provider refuses the cancellation the first time.
    provider.next_cancel(Err(ProviderError::new(CLOUD, ErrorKind::Unavailable, "cannot connect")));
    for life in 1..=3 {
        until_free(folder.path()).await;
        let jobs = opened(priced(folder.path(), None), &provider).await;
        eventually("the provider is told", || provider.count("cancel cloud/a") == life.min(2)).await;
        jobs.shut_down(Duration::ZERO).await;
    }
    until_free(folder.path()).await;
    assert_eq!(
        provider.log(),
        ["start reel a", "start reel b", "cancel cloud/a", "cancel cloud/a"],
        "an accepted cancellation is not repeated"
    );
}

#[tokio::test]
async fn a_refused_cancellation_is_repeated_until_the_provider_accepts_it() {
    let folder = tempfile::tempdir().unwrap();
    let provider = ScriptedProvider::default().shut();
    {
        let jobs = opened(priced(folder.path(), None), &provider).await;
        jobs.submit(remote_job("a", MODEL)).await.unwrap();
        until_begun(&jobs, "a").await;
        // Refused twice: during the run, and after it has ended.
        for _ in 0..2 {
            provider.next_cancel(Err(ProviderError::new(CLOUD, ErrorKind::Unavailable, "cannot connect")));
        }
        jobs.cancel("", "a").await.unwrap();
        eventually("it is told twice", || provider.count("cancel cloud/a") == 2).await;
        jobs.shut_down(Duration::ZERO).await;
    }
    for _ in 0..2 {
        until_free(folder.path()).await;
        let jobs = opened(priced(folder.path(), None), &provider).await;
        eventually("the provider is told", || provider.count("cancel cloud/a") == 3).await;
        jobs.shut_down(Duration::ZERO).await;
    }
    until_free(folder.path()).await;
    assert_eq!((provider.count("cancel"), provider.count("start")), (3, 1), "an accepted cancellation is not repeated");
}

#[tokio::test]
async fn a_job_cancelled_during_a_shutdown_is_cancelled_at_its_provider() {
    let folder = tempfile::tempdir().unwrap();
    let provider = ScriptedProvider::default().shut();
    let jobs = opened(priced(folder.path(), None), &provider).await;
    provider.answers.send_replace(false);
    jobs.submit(remote_job("a", MODEL)).await.unwrap();
    eventually("it is asked for", || provider.count("start") == 1).await;
    // Its run is interrupted, and waits a moment for the id.
    let cancelled = async {
        assert!(matches!(jobs.cancel("", "a").await.unwrap(), Cancelled::Done(_)));
        provider.answers.send_replace(true);
    };
    tokio::time::timeout(PATIENCE, async { tokio::join!(jobs.shut_down(Duration::ZERO), cancelled) }).await.expect("it is down");
    assert_eq!(jobs.get("", "a").await.unwrap().unwrap().state, JobState::Cancelled);
    assert_eq!((provider.log(), spend(&jobs).await), (vec!["start reel a".to_owned(), "cancel cloud/a".to_owned()], (1, 0, PRICE)));
}
