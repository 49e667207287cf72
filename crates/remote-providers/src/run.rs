//! The one loop for all providers: starts, polls, retries, times out, cancels, and resumes after a restart.
//!
//! It must not know any provider, nor where its state is kept. The invariants: a start is persisted before it is sent, and a provider's id
//! before anything else is done with it; a provider without idempotency tokens is asked once, and a start whose answer was lost fails as
//! [`ErrorKind::Uncertain`]; a cancelled job is cancelled at the provider too.

use std::{
    future::Future,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    pin::Pin,
    time::Duration,
};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep, timeout};

use crate::{ErrorKind, Provider, ProviderError, Source, Started, Status, VideoRequest};

/// How long a start may continue after a stop: an answer within that time has an id, which can be cancelled or kept.
const GRACE: Duration = Duration::from_secs(5);
/// The longest retry pause unless the provider asks for more.
const MAX_PAUSE: Duration = Duration::from_secs(60);
/// The longest pause before another start that a provider can ask for: loading a model takes minutes.
const MAX_START_PAUSE: Duration = Duration::from_secs(600);
/// Growth factor of the pauses between polls.
const POLL_GROWTH: f64 = 1.5;

/// Persistent state of a remote job.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemoteState {
    /// Sent with every start of this job, so that a provider with idempotency tokens makes one video.
    pub token: String,
    /// Whether a start is about to be sent, or was sent.
    #[serde(default)]
    pub asked: bool,
    /// The provider's id, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
}

/// The durability that a record needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Survives the program: the operating system has it when the call returns.
    Program,
    /// Survives the machine: the disk has it when the call returns.
    Machine,
}

/// Persists the state of a remote job.
#[async_trait]
pub trait RemoteStateStore: Send + Sync {
    /// Persists the state.
    ///
    /// # Errors
    /// [`Lost`] if it cannot be persisted: the job then stops, and the provider gets no more requests.
    async fn record(&self, state: &RemoteState, outlives: Durability) -> Result<(), Lost>;
}

/// The state cannot be persisted, for instance because another worker holds the job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("how far the job is cannot be persisted")]
pub struct Lost;

/// Why a run must stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// The caller no longer wants the video: it is cancelled at the provider.
    Cancelled,
    /// The program is shutting down: the provider continues, and the next start of the program resumes the job by its id.
    Shutdown,
}

/// Why a run failed.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The provider's error.
    #[error(transparent)]
    Provider(#[from] ProviderError),
    /// The run was stopped.
    #[error("stopped")]
    Stopped {
        /// The reason.
        stop: Stop,
        /// Whether the provider accepted the cancellation.
        cancelled_at_provider: bool,
    },
    /// The state could not be persisted.
    #[error(transparent)]
    Lost(#[from] Lost),
}

/// Arguments of a run.
pub struct Run<'a> {
    /// The provider of the video.
    pub provider: &'a dyn Provider,
    /// The model's name without the provider's prefix; may be empty.
    pub model: &'a str,
    /// The request. It is dropped once the provider has accepted it, so that a waiting job takes little memory.
    pub request: VideoRequest,
    /// Persists the state.
    pub memory: &'a dyn RemoteStateStore,
    /// Called with the percentage if the provider reports one, and with `None` once it has accepted the job.
    pub progress: &'a (dyn Fn(Option<u32>) + Send + Sync),
    /// Attempts of a start or a poll that fails for a transient reason, before the job fails; at least 1.
    pub tries: u32,
    /// The pause after the first failed attempt; pauses grow up to a minute, with a jitter of a fifth.
    pub pause: Duration,
    /// The growth factor of the pauses; at least 1, usually 2.
    pub backoff: f64,
}

impl std::fmt::Debug for Run<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Run").field("provider", &self.provider.name()).field("model", &self.model).finish_non_exhaustive()
    }
}

/// A video that is finished at the provider.
#[derive(Debug)]
pub struct Finished {
    /// The provider's id; empty if it has none.
    pub id: String,
    /// The video's location.
    pub source: Source,
}

type Stopped<'a> = Pin<&'a mut (dyn Future<Output = Stop> + Send)>;

/// Makes a video at a provider, resuming from the persisted state. `stopped` resolves when the run must stop.
///
/// # Errors
/// [`RunError`]. After [`RunError::Provider`] the last persisted state says whether the provider may have started: `asked` is set unless it
/// certainly has not.
pub async fn run(mut run: Run<'_>, mut state: RemoteState, stopped: impl Future<Output = Stop> + Send) -> Result<Finished, RunError> {
    let mut stopped = std::pin::pin!(stopped);
    let (id, is_new) = match state.id.clone() {
        Some(id) => (id, false),
        None => match begin(&run, &mut state, stopped.as_mut()).await? {
            Started::Pending(id) => (id, true),
            Started::Finished(id, source) => return Ok(Finished { id, source }),
        },
    };
    // The request is not sent again, so its images are not kept in memory while polling.
    drop(std::mem::take(&mut run.request));
    (run.progress)(None);
    let source = wait(&run, &state, &id, is_new, stopped).await?;
    Ok(Finished { id, source })
}

/// Sends the start until the provider accepts it.
async fn begin(run: &Run<'_>, state: &mut RemoteState, mut stopped: Stopped<'_>) -> Result<Started, RunError> {
    let name = run.provider.name();
    if state.asked && !run.provider.honours_token() {
        return Err(uncertain(name, "the program ended while it asked").into());
    }
    let mut tried = 0;
    loop {
        if !state.asked {
            state.asked = true;
            // If the machine is lost before the answer, the same token is sent again, which is harmless with such a provider.
            let outlives = if run.provider.honours_token() { Durability::Program } else { Durability::Machine };
            run.memory.record(state, outlives).await?;
        }
        tried += 1;
        let mut start = run.provider.start(run.model, &run.request, &state.token);
        let (result, stop) = tokio::select! {
            result = &mut start => (result, None),
            stop = stopped.as_mut() => match timeout(GRACE, start).await {
                Ok(result) => (result, Some(stop)),
                Err(_) => return Err(RunError::Stopped { stop, cancelled_at_provider: false }),
            },
        };
        let error = match result {
            Ok(started) => {
                if let Started::Pending(id) | Started::Finished(id, _) = &started
                    && !id.is_empty()
                {
                    state.id = Some(id.clone());
                    run.memory.record(state, Durability::Machine).await?;
                }
                let Some(stop) = stop else { return Ok(started) };
                return Err(stop_at(run, state.id.as_deref(), stop).await);
            }
            Err(error) => error,
        };
        let may_ask_again = !error.may_have_started || run.provider.honours_token();
        if !error.may_have_started {
            // Certainly not started, so a program that exits during the pause may send it again.
            state.asked = false;
            run.memory.record(state, Durability::Machine).await?;
        }
        if let Some(stop) = stop {
            return Err(RunError::Stopped { stop, cancelled_at_provider: false });
        }
        if !may_ask_again {
            return Err(uncertain(name, &error.reason).into());
        }
        if !error.is_retryable() || tried >= run.tries {
            return Err(error.into());
        }
        let asked = error.retry_after.map(|asked| asked.min(MAX_START_PAUSE));
        let pause = pause_after((run.pause, run.backoff), tried, asked, &state.token);
        tracing::info!(provider = name, %error, ?pause, "not started; trying again");
        tokio::select! {
            () = sleep(pause) => {},
            stop = stopped.as_mut() => return Err(RunError::Stopped { stop, cancelled_at_provider: false }),
        }
    }
}

/// Polls until the video is finished.
async fn wait(run: &Run<'_>, state: &RemoteState, id: &str, is_new: bool, mut stopped: Stopped<'_>) -> Result<Source, RunError> {
    let (name, pace) = (run.provider.name(), run.provider.pace());
    // A resumed job has already waited.
    let mut pause = if is_new { pace.initial_wait } else { Duration::ZERO };
    let (mut interval, mut failures, mut until) = (pace.interval, 0, None);
    loop {
        tokio::select! {
            biased;
            stop = stopped.as_mut() => return Err(stop_at(run, Some(id), stop).await),
            () = sleep(pause) => {},
        }
        let until = *until.get_or_insert_with(|| Instant::now() + pace.deadline);
        let polled = tokio::select! {
            biased;
            stop = stopped.as_mut() => return Err(stop_at(run, Some(id), stop).await),
            polled = run.provider.poll(id) => polled,
        };
        pause = with_jitter(interval, failures, &state.token);
        match polled {
            Ok(Status::Finished(source)) => return Ok(source),
            Ok(Status::Failed(error)) => return Err(error.into()),
            Ok(Status::Pending(percent)) => {
                failures = 0;
                (run.progress)(percent);
                interval = interval.mul_f64(POLL_GROWTH).min(pace.max_interval);
            }
            // The video may be billed already, so an outage is waited out until the video's own deadline.
            Err(error) if error.is_retryable() || (error.kind == ErrorKind::Protocol && failures < run.tries) => {
                failures += 1;
                let asked = error.retry_after.map(|asked| asked.min(MAX_PAUSE));
                pause = pause_after((pause.max(run.pause), run.backoff), failures, asked, &state.token);
                tracing::info!(provider = name, %error, ?pause, "cannot be asked how a video stands; trying again");
            }
            Err(error) => return Err(error.into()),
        }
        if Instant::now() + pause > until {
            cancel(run, id).await;
            let reason = format!("not ready {} s after the first look", pace.deadline.as_secs());
            return Err(ProviderError::new(name, ErrorKind::Deadline, reason).maybe_started().into());
        }
    }
}

/// Stops a run; cancels the job at the provider if the video is no longer wanted.
async fn stop_at(run: &Run<'_>, id: Option<&str>, stop: Stop) -> RunError {
    let cancelled_at_provider = match (stop, id) {
        (Stop::Cancelled, Some(id)) => cancel(run, id).await,
        (Stop::Cancelled, None) | (Stop::Shutdown, _) => false,
    };
    RunError::Stopped { stop, cancelled_at_provider }
}

/// Cancels a job; returns whether the provider accepted that.
async fn cancel(run: &Run<'_>, id: &str) -> bool {
    let error = match timeout(GRACE, run.provider.cancel(id)).await {
        Ok(Ok(())) => return true,
        Ok(Err(error)) => error.to_string(),
        Err(_) => "no answer in time".to_owned(),
    };
    tracing::warn!(provider = run.provider.name(), error, "a video that is not wanted any more could not be cancelled there");
    false
}

fn uncertain(provider: &'static str, reason: &str) -> ProviderError {
    let reason = format!("whether the video was begun is not known ({reason}), and asking again could make and bill a second one");
    ProviderError::new(provider, ErrorKind::Uncertain, reason).maybe_started()
}

/// The pause after the given number of failures: the first one, growing up to a minute, or the provider's retry delay if that is longer.
fn pause_after((first, backoff): (Duration, f64), failures: u32, asked: Option<Duration>, token: &str) -> Duration {
    let growth = backoff.max(1.0).powi(i32::try_from(failures.saturating_sub(1)).unwrap_or(i32::MAX));
    let grown = Duration::try_from_secs_f64(first.as_secs_f64() * growth).unwrap_or(MAX_PAUSE);
    with_jitter(grown.min(MAX_PAUSE), failures, token).max(asked.unwrap_or_default())
}

/// Jitter of up to a fifth, so that jobs stopped together do not retry together. It is derived from the job's token: nothing here uses a
/// random number generator.
fn with_jitter(time: Duration, failures: u32, token: &str) -> Duration {
    let mut hasher = DefaultHasher::new();
    (token, failures, time).hash(&mut hasher);
    let share = f64::from((hasher.finish() % 1000) as u32) / 1000.0;
    time.mul_f64(0.8 + 0.4 * share)
}
