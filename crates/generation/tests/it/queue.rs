//! Places in the queue: occupied, refused, and freed as soon as no caller waits.

use std::time::Duration;

use generation::{
    BackendError,
    jobs::{JobState, SubmitError},
};
use generation_test::{eventually, local};

use crate::fake::{held_only, hold_image, images};

#[tokio::test]
async fn a_full_queue_refuses_and_says_when_to_retry() {
    let jobs = held_only(2, local().await);
    let _running = hold_image(&jobs, "slow").await.unwrap();
    let _waiting = hold_image(&jobs, "a boat").await.unwrap();
    match hold_image(&jobs, "a boat").await {
        Err(SubmitError::QueueFull { places: 2, retry_after }) => assert!(retry_after > Duration::ZERO),
        other => panic!("{other:?}"),
    }
    assert_eq!(jobs.active(), 2);
}

#[tokio::test]
async fn a_dropped_job_that_waits_leaves_at_once() {
    let jobs = held_only(2, local().await);
    let _running = hold_image(&jobs, "slow").await.unwrap();
    let waiting = hold_image(&jobs, "a boat").await.unwrap();
    let id = waiting.id().to_owned();
    drop(waiting);
    assert_eq!(jobs.active(), 1, "no waiting for the device thread");
    assert_eq!(jobs.get("", &id).await.unwrap().unwrap().state, JobState::Cancelled);
    assert!(hold_image(&jobs, "a boat").await.is_ok());
}

#[tokio::test]
async fn a_dropped_job_that_runs_stops_at_its_next_step() {
    let jobs = held_only(1, local().await);
    let running = hold_image(&jobs, "slow").await.unwrap();
    let mut progress = running.progress();
    progress.wait_for(|progress| progress.step >= 2).await.unwrap();
    drop(running);
    eventually("the running job stops", || jobs.active() == 0).await;
    assert_eq!(images(hold_image(&jobs, "a boat").await.unwrap()).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_dropped_future_cancels_like_a_dropped_handle() {
    let jobs = held_only(1, local().await);
    let job = hold_image(&jobs, "slow").await.unwrap();
    let timed_out = tokio::time::timeout(Duration::from_millis(20), job.finished()).await;
    assert!(timed_out.is_err());
    eventually("the running job stops", || jobs.active() == 0).await;
}

#[tokio::test]
async fn jobs_run_in_order_of_arrival() {
    let jobs = held_only(8, local().await);
    let running = hold_image(&jobs, "slow").await.unwrap();
    let mut waiting = Vec::new();
    for _ in 0..5 {
        waiting.push(hold_image(&jobs, "a boat").await.unwrap());
    }
    for (position, job) in waiting.iter().enumerate() {
        assert_eq!(jobs.get("", job.id()).await.unwrap().unwrap().position, Some(position));
    }
    drop(running);
    // The earlier ones are dropped, so the last is next.
    let last = waiting.pop().unwrap();
    drop(waiting);
    assert_eq!(images(last).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_shutdown_answers_before_the_running_step_ends() {
    let jobs = held_only(1, local().await);
    let running = hold_image(&jobs, "stuck").await.unwrap();
    running.progress().wait_for(|progress| progress.started).await.unwrap();
    let down = tokio::spawn({
        let jobs = jobs.clone();
        async move { jobs.shut_down(Duration::ZERO).await }
    });
    assert!(matches!(*running.finished().await.unwrap_err(), BackendError::Cancelled));
    assert_eq!(jobs.active(), 1, "the answer came while the step was still going on");
    down.await.unwrap();
    assert_eq!(jobs.active(), 0);
}

#[tokio::test]
async fn a_shutdown_answers_every_caller() {
    let jobs = held_only(4, local().await);
    let running = hold_image(&jobs, "slow").await.unwrap();
    let waiting = hold_image(&jobs, "a boat").await.unwrap();
    running.progress().wait_for(|progress| progress.step >= 1).await.unwrap();
    jobs.shut_down(Duration::ZERO).await;
    assert!(matches!(*running.finished().await.unwrap_err(), BackendError::Cancelled));
    assert!(matches!(*waiting.finished().await.unwrap_err(), BackendError::Cancelled));
    assert!(matches!(hold_image(&jobs, "a boat").await, Err(SubmitError::ShuttingDown)));
}
