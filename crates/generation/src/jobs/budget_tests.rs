//! Budgets through all of [`Jobs`], over each store: concurrent callers never reserve more than the budget, and released amounts can be
//! reserved again.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use async_trait::async_trait;
use remote_providers::{Guard, GuardSettings, Pace, Provider, Result, Started, Status, VideoRequest};
use tokio::task::JoinSet;

use super::{
    Durability, Jobs, JobsSettings, Metadata, NewJob, Price, Priority, SpendSettings, SubmitError,
    artifacts::{FolderArtifacts, MemoryArtifacts},
    scratch::Scratch,
    store::{JobStore, MemoryStore, SqliteStore},
};
use crate::{
    backend::{
        Backend,
        local::{LocalBackend, LocalSettings},
        remote::{RemoteBackend, RemoteSettings},
    },
    spec::video::{RemoteVideoSpec, VideoSpec},
    work::Work,
};

const PRICE: u64 = 250_000;
const CALLERS: usize = 64;

/// A provider whose videos never finish.
#[derive(Debug)]
struct Endless;

#[async_trait]
impl Provider for Endless {
    fn name(&self) -> &'static str {
        "endless"
    }

    fn check(&self, _model: &str, _request: &VideoRequest) -> Result<()> {
        Ok(())
    }

    fn pace(&self) -> Pace {
        let hour = Duration::from_secs(3600);
        Pace { initial_wait: hour, interval: hour, max_interval: hour, deadline: hour }
    }

    async fn start(&self, _model: &str, _request: &VideoRequest, token: &str) -> Result<Started> {
        Ok(Started::Pending(token.to_owned()))
    }

    async fn poll(&self, _id: &str) -> Result<Status> {
        Ok(Status::Pending(None))
    }
}

/// Jobs over a store, with two slots at the provider and a budget for ten and a half videos.
fn jobs(folder: &Path, is_on_disk: bool) -> Jobs {
    let spend = SpendSettings {
        prices: [("endless".to_owned(), Price { per_job: PRICE, ..Price::default() })].into(),
        provider_caps: [("endless".to_owned(), 10 * PRICE + PRICE / 2)].into(),
        ..SpendSettings::default()
    };
    let settings = JobsSettings { spend, queue_capacity: 2 * CALLERS, ..JobsSettings::new(folder, SystemTime::now) };
    let nothing = || Err(diffusion_core::Error::file("model", "there is none"));
    let local = LocalBackend::start(LocalSettings::new(Instant::now), nothing).unwrap();
    let remote = RemoteSettings { slots: 2, ..RemoteSettings::new(Instant::now) };
    let backend: Arc<dyn Backend> = Arc::new(RemoteBackend::new(Arc::new(Endless), Guard::new(GuardSettings::default()), remote));
    let scratch = Some(Scratch::open(folder).unwrap());
    if is_on_disk {
        let store: Arc<dyn JobStore> = Arc::new(SqliteStore::open(folder, SystemTime::now, &[]).unwrap());
        return Jobs::new(settings, local, vec![backend], (store, Arc::new(FolderArtifacts::open(folder).unwrap()), scratch, None));
    }
    let store = Arc::new(MemoryStore::new(SystemTime::now, 1));
    Jobs::new(settings, local, vec![backend], (store, Arc::new(MemoryArtifacts::default()), scratch, None))
}

/// Submits one job per caller, all at once, and returns the ids of the accepted ones; all others were over the budget.
async fn submit_all(jobs: &Jobs, round: &'static str) -> Vec<String> {
    let mut callers = JoinSet::new();
    for index in 0..CALLERS {
        let jobs = jobs.clone();
        let request = VideoRequest { prompt: "a boat".into(), ..VideoRequest::default() };
        let new = NewJob {
            id: format!("{round}-{index}"),
            owner: String::new(),
            priority: Priority::Normal,
            own_priority: Priority::Normal,
            work: Work::Video(VideoSpec::Remote(RemoteVideoSpec::new("endless", request))),
            durability: Durability::Stored,
            metadata: Metadata::default(),
            idempotency: None,
            callback_url: None,
        };
        callers.spawn(async move { jobs.submit(new).await });
    }
    let accepted = callers.join_all().await.into_iter().filter_map(|submitted| match submitted {
        Ok(submitted) => Some(submitted.job.id),
        Err(SubmitError::OverBudget(over)) => {
            assert_eq!((over.spent, over.price), (10 * PRICE, PRICE));
            None
        }
        Err(error) => panic!("{error}"),
    });
    accepted.collect()
}

async fn reserved_and_spent(jobs: &Jobs) -> (u64, u64) {
    let usage = jobs.usage(None, jobs.month()).await.unwrap();
    usage.iter().fold((0, 0), |(reserved, spent), of| (reserved + of.reserved, spent + of.spent))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_sixty_four_callers_ten_fit_the_budget() {
    for is_on_disk in [true, false] {
        let folder = tempfile::tempdir().unwrap();
        let jobs = jobs(folder.path(), is_on_disk);
        let accepted = submit_all(&jobs, "first").await;
        assert_eq!((accepted.len(), reserved_and_spent(&jobs).await), (10, (10 * PRICE, 0)), "on disk: {is_on_disk}");
        // Two jobs have slots and reach the provider, so they may have to be paid; cancelling any other frees its reservation.
        let mut started = 0;
        while started < 2 {
            started = 0;
            for id in &accepted {
                started += usize::from(jobs.get("", id).await.unwrap().unwrap().remote_id().is_some());
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        for id in &accepted {
            if jobs.get("", id).await.unwrap().unwrap().remote_id().is_none() {
                jobs.cancel("", id).await.unwrap();
            }
        }
        assert_eq!(reserved_and_spent(&jobs).await, (2 * PRICE, 0));
        assert_eq!(submit_all(&jobs, "second").await.len(), 8);
        assert_eq!(reserved_and_spent(&jobs).await, (10 * PRICE, 0));
        assert_eq!(submit_all(&jobs, "third").await.len(), 0);
        assert_eq!(jobs.inconsistencies().await.unwrap(), Vec::<String>::new());
        jobs.shut_down(Duration::ZERO).await;
    }
}
