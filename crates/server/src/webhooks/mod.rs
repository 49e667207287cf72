//! Webhooks: telling a callback that its task has ended, until it says that it knows.
//!
//! It follows Standard Webhooks (github.com/standard-webhooks): `webhook-id` is the same for every try, so that a receiver can tell a
//! message that comes twice; `webhook-signature` is an HMAC-SHA256 over id, time and body. The invariants: what is due lies in the job
//! store, so neither a restart nor a crash loses a message (one that arrived right before a crash comes again, under the same id); every
//! request goes through the guard; no host and no owner takes all the places, and no receiver that does not answer holds one up for long
//! (`turns`); no address is logged but its host.

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

/// Messages that are due among which those are chosen that go next.
const LOOKED_AT: usize = 1024;
/// How much sooner or later than planned a message is tried again, as a share: those that failed together do not come back together.
const JITTER: f64 = 0.2;
/// A receiver that answers so wants no more messages.
const GONE: u16 = 410;

/// How messages are sent; the operator's choice.
#[derive(Clone, Debug)]
pub struct WebhookSettings {
    /// What they are signed with.
    pub secret: WebhookSecret,
    /// How long to wait before the second try, the third, ..; after the last the message is given up.
    pub retries: Vec<Duration>,
    /// How long a receiver may take to answer.
    pub timeout: Duration,
    /// How long a receiver that does not answer keeps others waiting for its place.
    pub slow_after: Duration,
    /// How often the store is asked what is due.
    pub poll: Duration,
}

impl WebhookSettings {
    /// Seven tries over some 17 hours (5 s, 5 min, 30 min, 2 h, 5 h and 10 h apart, as Standard Webhooks advises), 15 s for an answer, of
    /// which others wait for one at most.
    pub fn new(secret: WebhookSecret) -> Self {
        let retries = [5, 5 * 60, 30 * 60, 2 * 3600, 5 * 3600, 10 * 3600].map(Duration::from_secs).to_vec();
        Self { secret, retries, timeout: Duration::from_secs(15), slow_after: Duration::from_secs(1), poll: Duration::from_secs(1) }
    }
}

/// A message, as the API of its job writes it.
pub(crate) struct Message {
    /// JSON.
    pub(crate) body: Vec<u8>,
    /// What stands in its head beside what every message has.
    pub(crate) headers: HeaderMap,
    /// What asks its receiver, where that is the operator's own; else what asks the addresses that callers name.
    pub(crate) guard: Option<Guard>,
}

/// What a callback is told of a job that has ended; none if it is not told any more.
pub(crate) type Render = dyn Fn(&Job, &Delivery) -> Option<Message> + Send + Sync;

/// What messages are made and sent with.
pub(crate) struct Sender {
    pub(crate) jobs: Jobs,
    pub(crate) guard: Guard,
    pub(crate) settings: WebhookSettings,
    pub(crate) message: Box<Render>,
}

/// A message on its way.
#[derive(Debug)]
struct UnderWay {
    delivery: Delivery,
    started: Instant,
    /// Whether its receiver has taken so long that the next message need not wait for it.
    is_slow: bool,
}

/// Sends what is due, for as long as the jobs are there and the server does not stop.
pub(crate) async fn deliver(sender: Sender) {
    let sender = Arc::new(sender);
    let mut stopping = sender.jobs.stopping();
    let mut sending: JoinSet<()> = JoinSet::new();
    let mut under_way: HashMap<task::Id, UnderWay> = HashMap::new();
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
                        under_way.insert(task.id(), UnderWay { delivery, started: Instant::now(), is_slow: false });
                    }
                }
                Err(error) => tracing::error!(%error, "messages to callbacks cannot be read"),
            }
        }
        // When the next place is given up, if no message ends before.
        let patience = under_way.values().filter_map(|message| sender.settings.slow_after.checked_sub(message.started.elapsed())).min();
        tokio::select! {
            Some(ended) = sending.join_next_with_id() => match ended {
                Ok((task, ())) => {
                    under_way.remove(&task);
                }
                // One that panicked has written nothing down: that is a try like any other, and nobody else's matter.
                Err(error) => if let Some(message) = under_way.remove(&error.id()) {
                    let (sender, panicked) = (Arc::clone(&sender), message.delivery.clone());
                    let task = sending.spawn(async move { note(&sender, &panicked, Tried::Failed("internal error".into())).await });
                    under_way.insert(task.id(), message);
                },
            },
            () = stopped(&mut stopping) => break,
            () = tokio::time::sleep(patience.map_or(sender.settings.poll, |patience| patience.min(sender.settings.poll))) => {}
        }
    }
    sending.shutdown().await;
}

/// Messages on their way when the server stops are broken off, and sent again by its next life.
async fn stopped(stopping: &mut watch::Receiver<bool>) {
    // An error says that the jobs are gone, which is as good a reason.
    let _gone: Result<_, watch::error::RecvError> = stopping.wait_for(|stopping| *stopping).await;
}

/// How long it is waited before what became of a try is written down once more; each wait is twice as long as the one before, up to the
/// last.
const FIRST_WAIT_FOR_DISK: Duration = Duration::from_secs(1);
const LONGEST_WAIT_FOR_DISK: Duration = Duration::from_secs(60);

/// What became of one try.
enum Tried {
    Arrived,
    /// It is worth another try.
    Failed(String),
    /// It is not.
    Refused(String),
}

async fn send(sender: &Sender, delivery: Delivery) {
    let tried = match sender.jobs.get(&delivery.owner, &delivery.job).await {
        Ok(Some(found)) => match (sender.message)(&found, &delivery) {
            Some(message) => post(sender, &found, &delivery.url, message).await,
            None => Tried::Refused("the operator's settings have no such callback any more".into()),
        },
        Ok(None) => Tried::Refused("its job is not kept any more".into()),
        // It is sent by the program's next life.
        Err(StoreError::ShuttingDown) => return,
        // A job that cannot be read may be one that never can: it is not tried for ever.
        Err(error) => {
            tracing::error!(%error, job = delivery.job, "a job that a callback waits for cannot be read");
            Tried::Failed("its job cannot be read".into())
        }
    };
    note(sender, &delivery, tried).await;
}

/// Writes down what became of a try.
async fn note(sender: &Sender, delivery: &Delivery, tried: Tried) {
    let Delivery { id, job, url, attempts, .. } = delivery;
    let host = turns::host_of(url);
    let attempt = attempts + 1;
    let (next, reason) = match tried {
        Tried::Arrived => {
            tracing::info!(job, host, attempt, "a callback was told");
            (None, None)
        }
        Tried::Failed(reason) => {
            let next = usize::try_from(*attempts).ok().and_then(|attempts| sender.settings.retries.get(attempts));
            if let Some(wait) = next.map(|wait| jittered(*wait, random_share())) {
                tracing::info!(job, host, attempt, reason, again_in = ?wait, "a callback could not be told");
                (SystemTime::now().checked_add(wait), Some(reason))
            } else {
                tracing::warn!(job, host, attempt, reason, "a callback could not be told, and is given up");
                (None, Some(reason))
            }
        }
        Tried::Refused(reason) => {
            tracing::warn!(job, host, attempt, reason, "a callback is not told");
            (None, Some(reason))
        }
    };
    // Until it is written down the message is due, and would be sent again for as long as the disk refuses.
    let mut again = FIRST_WAIT_FOR_DISK;
    loop {
        let noted = match &reason {
            None => sender.jobs.delivered(*id).await,
            Some(reason) => sender.jobs.delivery_failed(*id, next, reason).await,
        };
        let Err(error) = noted else { return };
        tracing::error!(%error, job, "what became of a message to a callback cannot be written down; trying again");
        tokio::time::sleep(again).await;
        again = (again * 2).min(LONGEST_WAIT_FOR_DISK);
    }
}

async fn post(sender: &Sender, job: &Job, url: &str, message: Message) -> Tried {
    let Message { body, headers: more, guard } = message;
    let Some(mut headers) = headers(&sender.settings.secret, &job.id, SystemTime::now(), &body) else {
        return Tried::Refused("its head cannot be written".into());
    };
    headers.extend(more);
    match guard.as_ref().unwrap_or(&sender.guard).post(url, headers, body, sender.settings.timeout).await {
        Ok(200..=299) => Tried::Arrived,
        Ok(GONE) => Tried::Refused(format!("answered with status {GONE}: it wants no more messages")),
        Ok(status) => Tried::Failed(format!("answered with status {status}")),
        Err(error) if error.is_transient() => Tried::Failed(error.to_string()),
        Err(error) => Tried::Refused(error.to_string()),
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

/// `share` of 0 to 1 decides between the soonest and the latest.
fn jittered(wait: Duration, share: f64) -> Duration {
    wait.mul_f64(1.0 - JITTER + 2.0 * JITTER * share.clamp(0.0, 1.0))
}

fn random_share() -> f64 {
    // A version 4 UUID's low bits are random.
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
