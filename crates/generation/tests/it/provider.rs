//! A scripted provider, so that its backend can be tested without a network; and jobs for it.
//!
//! Unless the script says otherwise, a start returns a new id at once, and a video is finished once the gate is open. If the token is
//! honoured, a repeated start returns the first one's id.

use std::{
    collections::{HashMap, VecDeque},
    path::Path,
    sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use async_trait::async_trait;
use generation::{
    Backend, RemoteBackend, RemoteSettings, Work,
    jobs::{Job, JobsSettings, NewJob, Price, SpendSettings},
    video::{RemoteVideoSpec, VideoSpec},
};
use generation_test::{Checked, PATIENCE, local};
use remote_fakes::sample_video;
use remote_providers::{
    DownloadLimits, ErrorKind, Guard, GuardSettings, Pace, Provider, ProviderError, Result, Source, Started, Status, VideoRequest,
};
use tokio::sync::watch;

use crate::jobs::image_job;

/// The provider's name.
pub(crate) const CLOUD: &str = "cloud";
/// The price of each of its videos, in millionths of a dollar.
pub(crate) const PRICE: u64 = 500_000;

/// The fakes' video: complete, 12 frames, 64x48.
pub(crate) static VIDEO: LazyLock<Vec<u8>> = LazyLock::new(|| sample_video(0));

#[derive(Debug)]
pub(crate) struct ScriptedProvider {
    pub(crate) name: &'static str,
    pub(crate) honours_token: bool,
    pub(crate) deadline: Duration,
    /// Whether starts are answered.
    pub(crate) answers: watch::Sender<bool>,
    /// Whether videos get finished.
    pub(crate) is_open: watch::Sender<bool>,
    pub(crate) script: Mutex<Script>,
}

#[derive(Debug, Default)]
pub(crate) struct Script {
    starts: VecDeque<Result<Started>>,
    polls: VecDeque<Result<Status>>,
    cancels: VecDeque<Result<()>>,
    ids: HashMap<String, String>,
    /// Jobs that were started and are not finished.
    unfinished: Vec<String>,
    most: usize,
    log: Vec<String>,
    requests: Vec<VideoRequest>,
}

impl Default for ScriptedProvider {
    fn default() -> Self {
        Self {
            name: CLOUD,
            honours_token: false,
            deadline: Duration::from_secs(60),
            answers: watch::Sender::new(true),
            is_open: watch::Sender::new(true),
            script: Mutex::default(),
        }
    }
}

impl ScriptedProvider {
    /// A provider whose videos are not finished yet.
    pub(crate) fn shut(self) -> Arc<Self> {
        self.is_open.send_replace(false);
        Arc::new(self)
    }

    fn script(&self) -> MutexGuard<'_, Script> {
        self.script.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds an answer for the next start without one.
    pub(crate) fn next_start(&self, answer: Result<Started>) {
        self.script().starts.push_back(answer);
    }

    /// The same for polls.
    pub(crate) fn next_poll(&self, answer: Result<Status>) {
        self.script().polls.push_back(answer);
    }

    /// The same for cancellations.
    pub(crate) fn next_cancel(&self, answer: Result<()>) {
        self.script().cancels.push_back(answer);
    }

    /// Starts and cancellations in order, with the token or the id.
    pub(crate) fn log(&self) -> Vec<String> {
        self.script().log.clone()
    }

    pub(crate) fn count(&self, what: &str) -> usize {
        self.script().log.iter().filter(|line| line.starts_with(what)).count()
    }

    /// The maximum number of videos in progress at once.
    pub(crate) fn most(&self) -> usize {
        self.script().most
    }

    /// The requests, in order.
    pub(crate) fn requests(&self) -> Vec<VideoRequest> {
        self.script().requests.clone()
    }
}

#[async_trait]
impl Provider for ScriptedProvider {
    fn name(&self) -> &'static str {
        self.name
    }

    fn check(&self, _model: &str, request: &VideoRequest) -> Result<()> {
        let refuse = |reason: String| Err(ProviderError::new(self.name, ErrorKind::InvalidRequest, reason));
        match request {
            VideoRequest { prompt, shots, .. } if prompt.is_empty() && shots.is_empty() => refuse("prompt: required".into()),
            VideoRequest { seconds: Some(seconds), .. } if ![6, 12].contains(seconds) => {
                refuse(format!("seconds: {seconds} is none of 6 and 12"))
            }
            VideoRequest { size: Some((width, height)), .. } => refuse(format!("size: {width}x{height}; this provider chooses it")),
            _ => Ok(()),
        }
    }

    fn pace(&self) -> Pace {
        let interval = Duration::from_millis(2);
        Pace { initial_wait: interval, interval, max_interval: interval, deadline: self.deadline }
    }

    fn honours_token(&self) -> bool {
        self.honours_token
    }

    async fn start(&self, model: &str, request: &VideoRequest, token: &str) -> Result<Started> {
        let scripted = {
            let mut script = self.script();
            script.log.push(format!("start {model} {token}"));
            script.requests.push(request.clone());
            script.starts.pop_front()
        };
        self.answers.subscribe().wait_for(|answers| *answers).await.unwrap();
        if let Some(answer) = scripted {
            return answer;
        }
        let mut script = self.script();
        if let Some(id) = script.ids.get(token).filter(|_| self.honours_token) {
            return Ok(Started::Pending(id.clone()));
        }
        let id = format!("{}/{token}", self.name);
        script.ids.insert(token.to_owned(), id.clone());
        script.unfinished.push(id.clone());
        script.most = script.most.max(script.unfinished.len());
        Ok(Started::Pending(id))
    }

    async fn poll(&self, id: &str) -> Result<Status> {
        let mut script = self.script();
        if let Some(answer) = script.polls.pop_front() {
            return answer;
        }
        if !*self.is_open.borrow() {
            return Ok(Status::Pending(Some(40)));
        }
        script.unfinished.retain(|unfinished| unfinished != id);
        Ok(Status::Finished(Source::Bytes(VIDEO.clone())))
    }

    async fn cancel(&self, id: &str) -> Result<()> {
        let mut script = self.script();
        script.unfinished.retain(|unfinished| unfinished != id);
        script.log.push(format!("cancel {id}"));
        script.cancels.pop_front().unwrap_or(Ok(()))
    }
}

/// A guard that permits the tests' own servers.
pub(crate) fn guard() -> Guard {
    let allow = vec!["127.0.0.1".parse().unwrap()];
    Guard::new(GuardSettings { allow, ports: (1..=u16::MAX).collect(), ..GuardSettings::default() })
}

/// Two jobs at once, three attempts, very short pauses.
pub(crate) fn remote_settings() -> RemoteSettings {
    let download = DownloadLimits { max_bytes: 1 << 20, timeout: Duration::from_secs(2) };
    RemoteSettings { slots: 2, tries: 3, pause: Duration::from_millis(1), download, ..RemoteSettings::new(Instant::now) }
}

pub(crate) fn backend(provider: &Arc<ScriptedProvider>) -> Arc<dyn Backend> {
    Arc::new(RemoteBackend::new(Arc::clone(provider) as Arc<dyn Provider>, guard(), remote_settings()))
}

/// Jobs whose videos cost [`PRICE`] each, with this monthly budget for the provider.
pub(crate) fn priced(folder: &Path, cap: Option<u64>) -> JobsSettings {
    let price = Price { per_job: PRICE, ..Price::default() };
    let caps = cap.map(|cap| (CLOUD.to_owned(), cap));
    let spend =
        SpendSettings { prices: [(CLOUD.to_owned(), price)].into(), provider_caps: caps.into_iter().collect(), ..SpendSettings::default() };
    JobsSettings { spend, ..JobsSettings::new(folder, SystemTime::now) }
}

/// Jobs with a provider and this machine's device.
pub(crate) async fn opened(settings: JobsSettings, provider: &Arc<ScriptedProvider>) -> Checked {
    Checked::open_with(settings, local().await, vec![backend(provider)]).await.unwrap()
}

/// A job for a provider's model.
pub(crate) fn remote_job(id: &str, model: &str) -> NewJob {
    let request = VideoRequest { prompt: "a boat".into(), ..VideoRequest::default() };
    NewJob { work: Work::Video(VideoSpec::Remote(RemoteVideoSpec::new(model, request))), ..image_job(id, "a boat") }
}

/// Waits until the provider's id of a job is stored.
pub(crate) async fn until_begun(jobs: &Checked, id: &str) -> Job {
    let begun = jobs.until("", id, |job| job.remote_id().is_some());
    tokio::time::timeout(PATIENCE, begun).await.expect("it is begun").unwrap().unwrap()
}
