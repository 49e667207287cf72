//! What every job store must do, tested over each of them. Behind every scenario the whole store must be consistent.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

use serde_json::json;

use super::{
    Claimed, JobStore, Lease, MemoryStore, ProgressRecord, SqliteStore, conformance_claims::*, conformance_remote::*,
    conformance_requests::*, conformance_upkeep::*,
};
use crate::{
    Limits,
    jobs::record::{Artifact, Durability, Job, JobError, JobErrorKind, Metadata, NewJob, Outcome, Page},
    model_info::ModelInfo,
    spec::image::ImageRequest,
    work::{Priority, Work},
};

/// A clock that a scenario sets.
#[derive(Debug, Default)]
pub(super) struct Clock(AtomicU64);

impl Clock {
    pub(super) const fn new() -> Self {
        Self(AtomicU64::new(1_763_750_000_123))
    }

    pub(super) fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_millis(self.0.load(Ordering::Relaxed))
    }

    pub(super) fn advance(&self, time: Duration) {
        self.0.fetch_add(time.as_millis() as u64, Ordering::Relaxed);
    }
}

pub(super) type Store = Arc<dyn JobStore>;

macro_rules! contract {
    ($($scenario:ident),* $(,)?) => {
        mod sqlite {
            use super::*;
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $scenario() {
                static CLOCK: Clock = Clock::new();
                let folder = tempfile::tempdir().unwrap();
                let store: Store = Arc::new(SqliteStore::open(folder.path(), || CLOCK.now(), &[]).unwrap());
                super::$scenario(&store, &CLOCK).await;
                assert_eq!(store.inconsistencies().await.unwrap(), Vec::<String>::new());
            })*
        }
        mod memory {
            use super::*;
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $scenario() {
                static CLOCK: Clock = Clock::new();
                for first in [1, 1 << 62] {
                    let store: Store = Arc::new(MemoryStore::new(|| CLOCK.now(), first));
                    super::$scenario(&store, &CLOCK).await;
                    assert_eq!(store.inconsistencies().await.unwrap(), Vec::<String>::new());
                }
            })*
        }
    };
}

contract! {
    a_job_goes_through_its_states_and_each_is_announced,
    work_comes_back_to_the_bit,
    of_workers_that_claim_at_once_one_gets_the_job,
    a_worker_whose_lease_was_lost_changes_nothing,
    a_lease_lasts_as_long_as_its_worker_gives_signs_of_life,
    an_expired_lease_does_not_matter_until_another_worker_claims_the_job,
    a_job_is_cancelled_or_completed_but_never_both,
    a_cancelled_job_takes_no_more_from_its_worker,
    a_job_that_gets_no_further_fails_after_so_many_attempts,
    a_released_job_has_no_attempt_less,
    a_request_with_a_name_makes_one_job,
    twins_that_come_at_once_make_one_job,
    an_id_is_used_once,
    lists_are_paged_both_ways_and_filtered,
    events_are_returned_after_a_number,
    messages_are_tried_until_they_arrive,
    many_messages_that_are_due_hide_no_others,
    jobs_are_forgotten_when_nothing_of_them_is_kept,
    running_jobs_wait_again_after_a_restart,
    a_job_that_waits_names_its_model_after_a_restart,
    another_owners_job_is_as_if_it_were_not_there,
    what_there_is_not_is_no_error,
    numbers_agree_with_counting,
    a_providers_record_is_handed_back_by_the_next_claim,
    a_job_is_found_by_its_providers_id_by_its_owner_alone,
    a_provider_that_has_a_job_is_asked_however_often_the_program_ends,
    every_end_settles_what_was_reserved,
    a_provider_is_to_be_told_of_a_cancelled_job_until_it_was,
    a_released_attempt_keeps_its_reservation,
    callers_that_come_at_once_never_spend_more_than_the_budget,
    budgets_are_the_providers_and_the_owners_and_each_months_own,
    what_was_spent_outlives_the_job,
    a_request_that_is_sent_again_reserves_nothing,
    a_routed_job_says_so_and_a_local_one_has_no_provider,
}

pub(super) fn work() -> Work {
    work_of(None)
}

pub(super) fn work_of(model: Option<&str>) -> Work {
    let info = ModelInfo {
        name: String::new(),
        motion: String::new(),
        device: String::new(),
        precision: String::new(),
        device_reason: String::new(),
        default_width: 64,
        default_height: 72,
        scheduler: Some(diffusion_core::schedulers::SchedulerKind::Ddim.into()),
        scheduler_reason: String::new(),
        scripts: diffusion_core::tokenizer::Scripts::default(),
        defaults: crate::model_info::ModelDefaults::default(),
        remarks: Vec::new(),
    };
    let request = ImageRequest {
        model: model.map(str::to_owned),
        prompt: Some("a boat".into()),
        guidance_scale: Some(0.1 + 0.2),
        scheduler: Some("dpmpp-2m-karras".into()),
        seed: Some(1),
        init_image: Some(image::RgbImage::from_fn(64, 72, |x, y| image::Rgb([x as u8, y as u8, 9]))),
        ..ImageRequest::default()
    };
    Work::Image(request.validate(&Limits::default(), &info).unwrap())
}

/// A job of owner "a" with a callback.
pub(super) fn new_job(id: &str) -> NewJob {
    NewJob {
        id: id.into(),
        owner: "a".into(),
        priority: Priority::High,
        work: work(),
        durability: Durability::Stored,
        metadata: Metadata { kind: "task".into(), data: json!({"k": [1, 2.5]}) },
        idempotency: None,
        callback_url: Some("https://example.org/".into()),
    }
}

pub(super) fn outcome() -> Outcome {
    Outcome {
        width: 1,
        height: 1,
        seed: u64::MAX,
        frames: 0,
        fps: String::new(),
        native: None,
        parameters: vec!["a line".into()],
        truncated: false,
        seconds: 0.1 + 0.2,
    }
}

pub(super) fn file(name: &str, bytes: u64) -> Artifact {
    Artifact { name: name.into(), media_type: "image/png".into(), bytes, sha256: "00".into(), expired: false }
}

pub(super) fn progress(percent: u32) -> ProgressRecord {
    ProgressRecord { percent, kind: "progress", data: json!({ "progress": percent }) }
}

pub(super) fn error() -> JobError {
    JobError { kind: JobErrorKind::Model, message: "a reason".into(), retryable: true }
}

pub(super) async fn insert(store: &Store, new: NewJob) -> Job {
    store.insert(new, None, Instant::now() + Duration::from_secs(60)).await.unwrap().job
}

pub(super) async fn claim(store: &Store, id: &str) -> Option<Lease> {
    match store.claim(id, "worker", 5).await.unwrap() {
        Claimed::Work(lease, _, _) => Some(lease),
        Claimed::Nothing => None,
    }
}

pub(super) async fn insert_and_claim(store: &Store, id: &str) -> Lease {
    insert(store, new_job(id)).await;
    claim(store, id).await.unwrap()
}

pub(super) async fn get(store: &Store, id: &str) -> Job {
    store.get("a", id).await.unwrap().unwrap()
}

pub(super) async fn kinds(store: &Store, id: &str) -> Vec<String> {
    let events = store.events("a", id, 0, usize::MAX).await.unwrap().unwrap();
    events.into_iter().map(|event| event.kind).collect()
}

pub(super) fn page() -> Page {
    Page { beyond: None, limit: 1000, state: None, kind: None, newest_first: false }
}

pub(super) async fn ids(store: &Store, owner: &str, page: Page) -> Vec<String> {
    store.list(owner, &page).await.unwrap().into_iter().map(|job| job.id).collect()
}
