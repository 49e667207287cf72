//! The contract tests, run over each job store. After every scenario the whole store must be consistent.
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
    work_is_read_back_bit_for_bit,
    one_of_several_concurrent_claims_wins,
    a_worker_without_its_lease_changes_nothing,
    a_lease_lasts_while_its_worker_renews_it,
    an_expired_lease_does_not_matter_until_another_worker_claims_the_job,
    a_job_is_cancelled_or_completed_but_never_both,
    a_cancelled_job_refuses_its_workers_writes,
    a_job_without_progress_fails_after_the_maximum_of_attempts,
    a_released_attempt_does_not_count_as_idle,
    a_waiting_jobs_own_priority_changes_and_survives_a_restart,
    an_idempotency_key_makes_one_job,
    concurrent_duplicates_make_one_job,
    an_id_is_used_once,
    lists_are_paged_both_ways_and_filtered,
    lists_are_searched_by_words_in_any_case_and_by_what_jobs_make,
    what_a_job_makes_is_known_after_its_end,
    events_are_returned_after_a_number,
    events_of_all_jobs_of_an_owner_are_returned_after_a_number,
    messages_are_tried_until_they_arrive,
    many_due_messages_delay_no_others,
    jobs_without_kept_files_or_due_messages_are_forgotten,
    an_ended_job_is_forgotten_on_its_owners_request,
    running_jobs_wait_again_after_a_restart,
    a_job_that_waits_names_its_model_after_a_restart,
    another_owners_job_is_invisible,
    missing_jobs_and_files_are_no_error,
    counters_agree_with_counting,
    the_next_claim_returns_the_providers_record,
    only_its_owner_finds_a_job_by_its_providers_id,
    a_job_at_a_provider_is_claimed_again_after_any_number_of_crashes,
    every_end_settles_the_reservation,
    a_cancellation_stays_untold_until_the_provider_is_told,
    a_released_attempt_keeps_its_reservation,
    concurrent_callers_never_exceed_the_budget,
    budgets_apply_per_provider_per_owner_and_per_month,
    spending_outlives_the_job,
    a_repeated_request_reserves_nothing,
    a_routed_job_has_a_routed_event_and_a_local_one_has_no_provider,
}

pub(super) fn work() -> Work {
    work_of(None)
}

pub(super) fn work_of(model: Option<&str>) -> Work {
    work_with("a boat", model)
}

pub(super) fn work_with(prompt: &str, model: Option<&str>) -> Work {
    let info = ModelInfo {
        name: String::new(),
        family: None,
        family_name: None,
        motion: String::new(),
        device: String::new(),
        precision: String::new(),
        device_reason: String::new(),
        default_width: 64,
        default_height: 72,
        scheduler: Some(diffusion_core::schedulers::SchedulerKind::Ddim.into()),
        scheduler_reason: String::new(),
        scripts: diffusion_core::tokenizer::Scripts::default(),
        vaes: vec![diffusion_core::weights::VaeChoice::Full],
        other_vae: None,
        other_text_encoders: Vec::new(),
        defaults: crate::model_info::ModelDefaults::default(),
        adapters: None,
        controlnets: None,
        upscalers: None,
        remarks: Vec::new(),
        identity: None,
    };
    let request = ImageRequest {
        model: model.map(str::to_owned),
        prompt: Some(prompt.into()),
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
        own_priority: Priority::Normal,
        work: work(),
        durability: Durability::Stored,
        metadata: Metadata { kind: "task".into(), data: json!({"k": [1, 2.5]}), request: json!({"path": "/again"}) },
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
        remarks: vec!["a remark".to_owned()],
        parts: Some(crate::backend::parts::PartCounts { made: 2, reused: 3 }),
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
    Page { limit: 1000, newest_first: false, ..Page::default() }
}

pub(super) async fn ids(store: &Store, owner: &str, page: Page) -> Vec<String> {
    store.list(owner, &page).await.unwrap().into_iter().map(|job| job.id).collect()
}
