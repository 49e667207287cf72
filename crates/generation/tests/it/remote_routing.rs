//! Local work that overflows to a provider, and the budgets that limit it.

use std::{path::Path, sync::Arc, time::Duration};

use generation::{
    Backend, SubmitError,
    jobs::{JobState, JobsSettings, Overflow, Routing},
};
use generation_test::{Checked, eventually, spend};
use serde_json::json;
use tokio::task::JoinSet;

use crate::{
    jobs::{end_of, image_job, video},
    provider::{PRICE, ScriptedProvider, backend, opened, priced, remote_job},
    remote::MODEL,
    scripted::{Scripted, loading},
};

/// Jobs of a machine with this estimate for each video, and a provider for those that would take longer than a minute.
async fn overflowing(folder: &Path, needs: Option<Duration>, cap: Option<u64>) -> (Checked, Arc<Scripted>, Arc<ScriptedProvider>) {
    let overflow = Overflow { after: Duration::from_secs(60), model: MODEL.into() };
    let settings = JobsSettings { routing: Routing { overflow: Some(overflow) }, ..priced(folder, cap) };
    let machine = Scripted { estimate: needs, ..Scripted::default() }.shut();
    let provider = ScriptedProvider::default().shut();
    // The local device has no model.
    let (local, _) = loading();
    let backends = vec![Arc::clone(&machine) as Arc<dyn Backend>, backend(&provider)];
    (Checked::open_with(settings, local, backends).await.unwrap(), machine, provider)
}

#[tokio::test]
async fn videos_that_take_too_long_overflow_to_the_provider_within_the_budget() {
    let folder = tempfile::tempdir().unwrap();
    let (jobs, machine, provider) = overflowing(folder.path(), Some(Duration::from_secs(40)), Some(2 * PRICE)).await;
    // The first is done in 40 s; any job after it is not done within a minute.
    let first = jobs.submit(video("first", "a boat")).await.unwrap();
    assert_eq!(first.routed_to, None);
    eventually("it runs here", || machine.seen().running == ["first"]).await;
    for id in ["second", "third"] {
        let submitted = jobs.submit(video(id, "a boat")).await.unwrap();
        assert_eq!(submitted.routed_to.as_deref(), Some(MODEL), "{id}");
        let events = jobs.events("", id, 0, 10).await.unwrap().unwrap();
        let routed = events.iter().find(|event| event.kind == "routed").unwrap();
        assert_eq!(routed.data, json!({"model": MODEL, "instead_of": "local"}));
    }
    // The budget is used up: the video waits here, and so does work other than videos.
    for job in [video("fourth", "a boat"), image_job("picture", "a boat")] {
        assert_eq!(jobs.submit(job).await.unwrap().routed_to, None);
    }
    provider.is_open.send_replace(true);
    for id in ["second", "third"] {
        assert_eq!(end_of(&jobs, id).await.state, JobState::Completed, "{id}");
    }
    assert_eq!(spend(&jobs).await, (2, 0, 2 * PRICE));
    // A request that names the provider gets the budget's error.
    let error = jobs.submit(remote_job("named", MODEL)).await.unwrap_err();
    assert!(matches!(error, SubmitError::OverBudget(_)), "{error}");
    assert!(error.to_string().contains("the budget for cloud"), "{error}");
    machine.open_gate();
    for id in ["first", "fourth", "picture"] {
        assert_eq!(end_of(&jobs, id).await.state, JobState::Completed, "{id}");
    }
    assert_eq!((machine.seen().ran.len(), provider.count("start")), (3, 2));
    // The request is relaxed to what the provider accepts: shots, without the parameters that it refuses.
    let asked = &provider.requests()[0];
    assert_eq!((asked.seed, asked.size, asked.seconds, asked.fps), (None, None, None, None));
    let texts: Vec<_> = asked.shots.iter().map(|shot| shot.text.as_str()).collect();
    assert_eq!(texts, ["a boat", "a star"]);
}

#[tokio::test]
async fn videos_that_are_quick_or_have_no_estimate_stay_local() {
    for needs in [Some(Duration::from_secs(20)), None] {
        let folder = tempfile::tempdir().unwrap();
        let (jobs, machine, provider) = overflowing(folder.path(), needs, None).await;
        for id in ["first", "second"] {
            assert_eq!(jobs.submit(video(id, "a boat")).await.unwrap().routed_to, None, "{needs:?}");
        }
        machine.open_gate();
        for id in ["first", "second"] {
            assert_eq!(end_of(&jobs, id).await.state, JobState::Completed);
        }
        assert_eq!((provider.log(), spend(&jobs).await), (vec![], (0, 0, 0)));
    }
}

#[tokio::test]
async fn a_video_submitted_with_submit_here_stays_local() {
    let folder = tempfile::tempdir().unwrap();
    let (jobs, machine, provider) = overflowing(folder.path(), Some(Duration::from_secs(90)), None).await;
    assert_eq!(jobs.submit_here(video("here", "a boat")).await.unwrap().routed_to, None);
    machine.open_gate();
    assert_eq!(end_of(&jobs, "here").await.state, JobState::Completed);
    assert_eq!((provider.log(), spend(&jobs).await), (vec![], (0, 0, 0)));
}

#[tokio::test]
async fn videos_stay_local_when_the_provider_is_full() {
    let folder = tempfile::tempdir().unwrap();
    let (jobs, machine, provider) = overflowing(folder.path(), Some(Duration::from_secs(90)), None).await;
    // Sixteen places, as for local jobs.
    for index in 0..16 {
        let submitted = jobs.submit(video(&format!("away-{index}"), "a boat")).await.unwrap();
        assert_eq!(submitted.routed_to.as_deref(), Some(MODEL), "{index}");
    }
    assert_eq!(jobs.submit(video("here", "a boat")).await.unwrap().routed_to, None);
    assert_eq!(spend(&jobs).await, (16, 16 * PRICE, 0));
    provider.is_open.send_replace(true);
    machine.open_gate();
    for index in 0..16 {
        assert_eq!(end_of(&jobs, &format!("away-{index}")).await.state, JobState::Completed);
    }
    assert_eq!(end_of(&jobs, "here").await.state, JobState::Completed);
}

#[tokio::test]
async fn a_repeated_routed_request_gets_its_job() {
    let folder = tempfile::tempdir().unwrap();
    let (jobs, _machine, provider) = overflowing(folder.path(), Some(Duration::from_secs(90)), Some(PRICE)).await;
    let name = generation::jobs::Idempotency { key: "key".into(), fingerprint: "one".into() };
    let named = |id: &str| generation::jobs::NewJob { idempotency: Some(name.clone()), ..video(id, "a boat") };
    assert_eq!(jobs.submit(named("a")).await.unwrap().routed_to.as_deref(), Some(MODEL));
    let again = jobs.submit(named("b")).await.unwrap();
    assert_eq!((again.replayed, again.job.id.as_str()), (true, "a"));
    provider.is_open.send_replace(true);
    assert_eq!(end_of(&jobs, "a").await.state, JobState::Completed);
    assert_eq!(spend(&jobs).await, (1, 0, PRICE));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_callers_never_exceed_the_budget() {
    let folder = tempfile::tempdir().unwrap();
    let provider = ScriptedProvider::default().shut();
    let settings = JobsSettings { queue_capacity: 128, ..priced(folder.path(), Some(10 * PRICE)) };
    let jobs = Arc::new(opened(settings, &provider).await);
    let submit_all = async |round: &'static str| {
        let mut callers = JoinSet::new();
        for index in 0..64 {
            let jobs = Arc::clone(&jobs);
            callers.spawn(async move { jobs.submit(remote_job(&format!("{round}-{index}"), MODEL)).await });
        }
        let (mut accepted, mut refused) = (Vec::new(), 0);
        for submitted in callers.join_all().await {
            match submitted {
                Ok(submitted) => accepted.push(submitted.job.id),
                Err(SubmitError::OverBudget(_)) => refused += 1,
                Err(error) => panic!("{error}"),
            }
        }
        (accepted, refused)
    };
    let (accepted, refused) = submit_all("first").await;
    assert_eq!((accepted.len(), refused, spend(&jobs).await), (10, 54, (10, 10 * PRICE, 0)));
    // Waiting jobs are cancelled, which frees their reservations for as many others. Two were started, and may have to be paid.
    eventually("two are begun", || provider.count("start") == 2).await;
    let begun: Vec<String> = provider.log().iter().filter_map(|line| line.rsplit(' ').next().map(str::to_owned)).collect();
    for id in accepted.iter().filter(|id| !begun.contains(id)) {
        jobs.cancel("", id).await.unwrap();
    }
    assert_eq!(spend(&jobs).await, (10, 2 * PRICE, 0));
    let (more, refused) = submit_all("second").await;
    assert_eq!((more.len(), refused, spend(&jobs).await), (8, 56, (18, 10 * PRICE, 0)));
    provider.is_open.send_replace(true);
    for id in begun.iter().chain(&more) {
        assert_eq!(end_of(&jobs, id).await.state, JobState::Completed, "{id}");
    }
    assert_eq!((provider.count("start"), spend(&jobs).await), (10, (18, 0, 10 * PRICE)));
    let (none, refused) = submit_all("third").await;
    assert_eq!((none.len(), refused), (0, 64));
}
