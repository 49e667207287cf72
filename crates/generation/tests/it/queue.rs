//! Places in the queue: taken, refused, and given back the moment nobody wants them.

use std::time::Duration;

use generation::{GenerationError, SubmitError};

use crate::fake::{engine, eventually, spec};

#[tokio::test]
async fn a_full_queue_refuses_and_says_when_to_come_back() {
    let engine = engine(2).await;
    let _running = engine.submit(spec("slow")).unwrap();
    let _waiting = engine.submit(spec("a boat")).unwrap();
    match engine.submit(spec("a boat")) {
        Err(SubmitError::QueueFull { places: 2, retry_after }) => assert!(retry_after > Duration::ZERO),
        other => panic!("{other:?}"),
    }
    assert_eq!(engine.jobs(), 2);
}

#[tokio::test]
async fn a_dropped_job_that_waits_leaves_at_once() {
    let engine = engine(2).await;
    let _running = engine.submit(spec("slow")).unwrap();
    let waiting = engine.submit(spec("a boat")).unwrap();
    drop(waiting);
    assert_eq!(engine.jobs(), 1, "no waiting for the device thread");
    assert!(engine.submit(spec("a boat")).is_ok());
}

#[tokio::test]
async fn a_dropped_job_that_runs_stops_at_its_next_step() {
    let engine = engine(1).await;
    let running = engine.submit(spec("slow")).unwrap();
    let mut progress = running.progress();
    progress.wait_for(|progress| progress.step >= 2).await.unwrap();
    drop(running);
    eventually("the running job stops", || engine.jobs() == 0).await;
    assert_eq!(engine.submit(spec("a boat")).unwrap().finished().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_dropped_future_cancels_like_a_dropped_handle() {
    let engine = engine(1).await;
    let job = engine.submit(spec("slow")).unwrap();
    let timed_out = tokio::time::timeout(Duration::from_millis(20), job.finished()).await;
    assert!(timed_out.is_err());
    eventually("the running job stops", || engine.jobs() == 0).await;
}

#[tokio::test]
async fn jobs_run_in_the_order_they_came_in() {
    let engine = engine(8).await;
    let jobs: Vec<_> = (0..5).map(|_| engine.submit(spec("a boat")).unwrap()).collect();
    let ids: Vec<_> = jobs.iter().map(generation::JobHandle::id).collect();
    assert_eq!(ids, [1, 2, 3, 4, 5]);
    let last = jobs.into_iter().last().unwrap();
    // The earlier ones were dropped, so the last is next.
    assert_eq!(last.finished().await.unwrap().len(), 1);
}

#[tokio::test]
async fn shutting_down_does_not_wait_for_the_running_step() {
    let engine = engine(1).await;
    let running = engine.submit(spec("stuck")).unwrap();
    running.progress().wait_for(|progress| progress.started).await.unwrap();
    engine.shut_down();
    assert!(matches!(running.finished().await, Err(GenerationError::Cancelled)));
    assert_eq!(engine.jobs(), 1, "the answer came while the step was still going on");
}

#[tokio::test]
async fn shutting_down_answers_everyone() {
    let engine = engine(4).await;
    let running = engine.submit(spec("slow")).unwrap();
    let waiting = engine.submit(spec("a boat")).unwrap();
    running.progress().wait_for(|progress| progress.step >= 1).await.unwrap();
    engine.shut_down();
    assert!(matches!(running.finished().await, Err(GenerationError::Cancelled)));
    assert!(matches!(waiting.finished().await, Err(GenerationError::Cancelled)));
    assert!(matches!(engine.submit(spec("a boat")), Err(SubmitError::ShuttingDown)));
}
