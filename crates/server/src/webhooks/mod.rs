//! Webhooks: deliver the result of a job to its callback, until the receiver acknowledges it.
//!
//! They follow Standard Webhooks (github.com/standard-webhooks): `webhook-id` is the same for every attempt, so that a receiver can
//! recognize a repeated message; `webhook-signature` is an HMAC-SHA256 over id, time and body. The invariants: due messages are in the job
//! store, so neither a restart nor a crash loses one (a message that arrived right before a crash is sent again with the same id); every
//! request goes through the guard; no host and no owner takes all the slots, and a receiver that does not answer holds a slot only briefly
//! (`turns`); only the host of an address is logged.

pub(crate) mod game;
mod secret;
mod turns;

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use generation::jobs::{Delivery, Job, Jobs, StoreError};
use guarded_http::{Guard, HeaderMap, HeaderName, HeaderValue};
use tokio::{
    sync::watch,
    task::{self, JoinSet},
    time::Instant,
};
use uuid::Uuid;

pub use secret::{InvalidWebhookSecret, WebhookSecret};

/// The number of due messages from which the next ones are chosen.
const LOOKED_AT: usize = 1024;
/// The relative jitter of a retry's delay, so that messages that failed together are not retried together.
const JITTER: f64 = 0.2;
/// A receiver that answers 410 wants no more messages.
const GONE: u16 = 410;

/// The operator's settings of callbacks.
#[derive(Clone, Debug)]
pub struct WebhookSettings {
    /// The key that signs messages.
    pub secret: WebhookSecret,
    /// The delays before the second attempt, the third, ..; after the last attempt the message is given up.
    pub retries: Vec<Duration>,
    /// The time within which a receiver must answer.
    pub timeout: Duration,
    /// The time after which a receiver that does not answer no longer holds a slot.
    pub slow_after: Duration,
    /// The interval at which the store is polled for due messages.
    pub poll: Duration,
}

impl WebhookSettings {
    /// Seven attempts over some 17 hours (5 s, 5 min, 30 min, 2 h, 5 h and 10 h apart, as Standard Webhooks recommends), and 15 s for an
    /// answer, of which other messages wait for 1 s at most.
    pub fn new(secret: WebhookSecret) -> Self {
        let retries = [5, 5 * 60, 30 * 60, 2 * 3600, 5 * 3600, 10 * 3600].map(Duration::from_secs).to_vec();
        Self { secret, retries, timeout: Duration::from_secs(15), slow_after: Duration::from_secs(1), poll: Duration::from_secs(1) }
    }
}

/// A message, as the API of its job renders it.
pub(crate) struct Message {
    /// JSON.
    pub(crate) body: Vec<u8>,
    /// Headers beside those that every message has.
    pub(crate) headers: HeaderMap,
    /// The guard for an operator's own receiver; `None` for addresses that callers name.
    pub(crate) guard: Option<Guard>,
}

/// Renders the message of an ended job; `None` if there is no such callback any more.
pub(crate) type Render = dyn Fn(&Job, &Delivery) -> Option<Message> + Send + Sync;

/// The means to make and send messages.
pub(crate) struct Sender {
    pub(crate) jobs: Jobs,
    pub(crate) guard: Guard,
    pub(crate) settings: WebhookSettings,
    pub(crate) message: Box<Render>,
}

/// A message in flight.
#[derive(Debug)]
struct InFlight {
    delivery: Delivery,
    started: Instant,
    /// Whether its receiver has taken so long that it no longer holds a slot.
    is_slow: bool,
}

/// Sends due messages until the server stops.
pub(crate) async fn deliver(sender: Sender) {
    let sender = Arc::new(sender);
    let mut stopping = sender.jobs.stopping();
    let mut sending: JoinSet<()> = JoinSet::new();
    let mut under_way: HashMap<task::Id, InFlight> = HashMap::new();
    loop {
        for message in under_way.values_mut() {
            message.is_slow = message.started.elapsed() >= sender.settings.slow_after;
        }
        if turns::has_place(under_way.values()) {
            match sender.jobs.due_deliveries(LOOKED_AT + under_way.len()).await {
                Ok(due) => {
                    for delivery in turns::next(due, under_way.values()) {
                        let (sender, sent) = (Arc::clone(&sender), delivery.clone());
                        let task = sending.spawn(async move { send(&sender, sent).await });
                        under_way.insert(task.id(), InFlight { delivery, started: Instant::now(), is_slow: false });
                    }
                }
                Err(error) => tracing::error!(%error, "messages to callbacks cannot be read"),
            }
        }
        // The time until the next message becomes slow and frees its slot.
        let until_slow = under_way.values().filter_map(|message| sender.settings.slow_after.checked_sub(message.started.elapsed())).min();
        tokio::select! {
            Some(ended) = sending.join_next_with_id() => match ended {
                Ok((task, ())) => {
                    under_way.remove(&task);
                }
                // A task that panicked has recorded nothing: this counts as a failed attempt, and other messages continue.
                Err(error) => if let Some(message) = under_way.remove(&error.id()) {
                    let (sender, panicked) = (Arc::clone(&sender), message.delivery.clone());
                    let task = sending.spawn(async move { record(&sender, &panicked, Outcome::Failed("internal error".into())).await });
                    under_way.insert(task.id(), message);
                },
            },
            () = stopped(&mut stopping) => break,
            () = tokio::time::sleep(until_slow.map_or(sender.settings.poll, |until_slow| until_slow.min(sender.settings.poll))) => {}
        }
    }
    sending.shutdown().await;
}

/// Waits for the shutdown. Messages in flight are then aborted, and sent again after a restart.
async fn stopped(stopping: &mut watch::Receiver<bool>) {
    // An error means that the jobs are gone, which has the same effect.
    let _gone: Result<_, watch::error::RecvError> = stopping.wait_for(|stopping| *stopping).await;
}

/// The delay before recording an outcome is retried; each delay is twice the previous one, up to the maximum.
const FIRST_WAIT_FOR_DISK: Duration = Duration::from_secs(1);
const LONGEST_WAIT_FOR_DISK: Duration = Duration::from_secs(60);

/// The outcome of one attempt.
enum Outcome {
    Arrived,
    /// Worth another attempt.
    Failed(String),
    /// Not worth another attempt.
    Refused(String),
}

async fn send(sender: &Sender, delivery: Delivery) {
    let outcome = match sender.jobs.get(&delivery.owner, &delivery.job).await {
        Ok(Some(found)) => match (sender.message)(&found, &delivery) {
            Some(message) => post(sender, &found, &delivery.url, message).await,
            None => Outcome::Refused("the operator's settings have no such callback any more".into()),
        },
        Ok(None) => Outcome::Refused("its job is not kept any more".into()),
        // It is sent after a restart.
        Err(StoreError::ShuttingDown) => return,
        // The job may never be readable, so this counts as an attempt and is not repeated forever.
        Err(error) => {
            tracing::error!(%error, job = delivery.job, "a job that a callback waits for cannot be read");
            Outcome::Failed("its job cannot be read".into())
        }
    };
    record(sender, &delivery, outcome).await;
}

/// Records the outcome of an attempt.
async fn record(sender: &Sender, delivery: &Delivery, outcome: Outcome) {
    let Delivery { id, job, url, attempts, .. } = delivery;
    let host = turns::host_of(url);
    let attempt = attempts + 1;
    let (next, reason) = match outcome {
        Outcome::Arrived => {
            tracing::info!(job, host, attempt, "callback delivered");
            (None, None)
        }
        Outcome::Failed(reason) => {
            let next = usize::try_from(*attempts).ok().and_then(|attempts| sender.settings.retries.get(attempts));
            if let Some(wait) = next.map(|wait| jittered(*wait, random_share())) {
                tracing::info!(job, host, attempt, reason, again_in = ?wait, "callback failed");
                (SystemTime::now().checked_add(wait), Some(reason))
            } else {
                tracing::warn!(job, host, attempt, reason, "callback failed for the last time");
                (None, Some(reason))
            }
        }
        Outcome::Refused(reason) => {
            tracing::warn!(job, host, attempt, reason, "callback not sent");
            (None, Some(reason))
        }
    };
    // Until it is recorded the message is due, and would be sent again for as long as the disk refuses writes.
    let mut again = FIRST_WAIT_FOR_DISK;
    loop {
        let recorded = match &reason {
            None => sender.jobs.delivered(*id).await,
            Some(reason) => sender.jobs.delivery_failed(*id, next, reason).await,
        };
        let Err(error) = recorded else { return };
        tracing::error!(%error, job, "cannot record the outcome of a callback; trying again");
        tokio::time::sleep(again).await;
        again = (again * 2).min(LONGEST_WAIT_FOR_DISK);
    }
}

async fn post(sender: &Sender, job: &Job, url: &str, message: Message) -> Outcome {
    let Message { body, headers: more, guard } = message;
    let Some(mut headers) = headers(&sender.settings.secret, &job.id, SystemTime::now(), &body) else {
        return Outcome::Refused("its headers cannot be written".into());
    };
    headers.extend(more);
    match guard.as_ref().unwrap_or(&sender.guard).post(url, headers, body, sender.settings.timeout).await {
        Ok(200..=299) => Outcome::Arrived,
        Ok(GONE) => Outcome::Refused(format!("answered with status {GONE}: it wants no more messages")),
        Ok(status) => Outcome::Failed(format!("answered with status {status}")),
        Err(error) if error.is_transient() => Outcome::Failed(error.to_string()),
        Err(error) => Outcome::Refused(error.to_string()),
    }
}

fn headers(secret: &WebhookSecret, job: &str, now: SystemTime, body: &[u8]) -> Option<HeaderMap> {
    // A job ends once, so its end is one message.
    let id = format!("msg_{job}");
    let timestamp = now.duration_since(UNIX_EPOCH).ok()?.as_secs();
    let signature = secret.signature(&id, timestamp, body);
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("content-type", "application/json"),
        ("webhook-id", &id),
        ("webhook-timestamp", &timestamp.to_string()),
        ("webhook-signature", &signature),
    ] {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_str(value).ok()?);
    }
    Some(headers)
}

/// Applies jitter: `share` from 0 to 1 selects a delay between the shortest and the longest.
fn jittered(wait: Duration, share: f64) -> Duration {
    wait.mul_f64(1.0 - JITTER + 2.0 * JITTER * share.clamp(0.0, 1.0))
}

fn random_share() -> f64 {
    // The low bits of a version 4 UUID are random.
    f64::from((Uuid::new_v4().as_u128() & u128::from(u32::MAX)) as u32) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_are_jittered() {
        let settings = WebhookSettings::new(WebhookSecret::random());
        assert!(settings.retries.is_sorted() && settings.retries.len() == 6);
        let wait = Duration::from_secs(100);
        assert_eq!([0.0, 0.5, 1.0].map(|share| jittered(wait, share).as_secs()), [80, 100, 120]);
        assert!((0.0..=1.0).contains(&random_share()));
    }
}
