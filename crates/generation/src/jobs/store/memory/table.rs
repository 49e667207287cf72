//! The rows of a [`MemoryStore`](super::MemoryStore), and all changes to them.
//!
//! Invariants: a job's work is kept until the job ends; a job changes its state in [`Jobs::transit`] only; ended jobs are forgotten, with
//! everything that belongs to them, [`RETENTION`] after their end or when more than [`MAX_ENDED`] have ended, the oldest first.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::Arc,
    time::{Duration, SystemTime},
};

use serde_json::{Value, json};

use super::{deliveries::Message, spend::Spending};
use crate::{
    backend::{RemoteRecord, job::JobProgress},
    jobs::{
        error::{StoreError, SubmitError},
        record::{Artifact, Delivery, Idempotency, Inserted, Job, JobError, JobEvent, NewJob, Outcome},
        spend::Booking,
        state::{JobState, Transition},
        store::{
            Claimed, LEASE, Lease, ProgressRecord,
            consistency::{self, Facts},
            counts::Counts,
            events::{self, LEASE_EXPIRED},
        },
    },
    work::{Priority, Work, WorkSummary},
};

/// How long an ended job is kept.
pub(super) const RETENTION: Duration = Duration::from_secs(600);
/// The maximum number of ended jobs that are kept.
pub(super) const MAX_ENDED: usize = 1000;

/// All rows, and their indexes.
#[derive(Debug, Default)]
pub(super) struct Jobs {
    pub(super) by_number: BTreeMap<i64, Row>,
    pub(super) numbers: HashMap<String, i64>,
    /// Numbers of jobs by owner and idempotency key.
    pub(super) names: HashMap<(String, String), i64>,
    pub(super) deliveries: BTreeMap<i64, Message>,
    /// Ended jobs, in the order in which they ended.
    pub(super) ended: VecDeque<i64>,
    pub(super) next_job: i64,
    pub(super) next_event: i64,
    pub(super) next_delivery: i64,
    pub(super) counts: Counts,
    /// Reserved and spent amounts by job number, kept after the job is forgotten.
    pub(super) spend: Spending,
}

/// A job, with the store's private data.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) job: Job,
    pub(super) work: Option<Arc<Work>>,
    pub(super) epoch: u64,
    pub(super) held: Option<Held>,
    pub(super) idle_attempts: u32,
    pub(super) percent: u32,
    pub(super) events: Vec<JobEvent>,
    pub(super) idempotency: Option<Idempotency>,
    pub(super) callback_url: Option<String>,
    /// Its record at the provider.
    pub(super) record: Option<RemoteRecord>,
    /// Whether it is cancelled and its provider has not been told yet.
    pub(super) has_untold_cancel: bool,
    /// The number of the webhook message about its end.
    pub(super) message: Option<i64>,
}

/// A worker's lease.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) until: SystemTime,
    /// The progress that this worker has reported.
    pub(super) percent: u32,
}

/// An error that no correct worker causes.
fn misuse(job: &str, reason: String) -> StoreError {
    StoreError::Corrupt { job: job.to_owned(), what: "a worker's write", reason }
}

impl Row {
    fn facts(&self) -> Facts {
        Facts {
            id: self.job.id.clone(),
            state: Some(self.job.state),
            epoch: self.epoch,
            attempts: self.job.attempts,
            percent: self.percent,
            has_worker: self.held.is_some(),
            has_lease: self.held.is_some(),
            is_started: self.job.started_at.is_some(),
            is_finished: self.job.finished_at.is_some(),
            has_work: self.work.is_some(),
            has_outcome: self.job.outcome.is_some(),
            has_error: self.job.error.is_some(),
            has_callback: self.callback_url.is_some(),
            files: self.job.artifacts.len() as u64,
            events: self.events.iter().map(|event| (event.id, event.kind.clone())).collect(),
            deliveries: Vec::new(),
            is_remote: self.job.remote.is_some(),
            spend: None,
            remote_id: self.job.remote_id().map(str::to_owned),
            record: self.record.clone(),
        }
    }

    /// The job for its readers.
    pub(super) fn view(&self) -> Job {
        let mut job = self.job.clone();
        job.progress.share = f64::from(self.percent.min(100)) / 100.0;
        job.progress.started = job.started_at.is_some();
        if job.state == JobState::Completed {
            job.progress.part = job.progress.parts;
        }
        job
    }
}

impl Jobs {
    pub(super) fn new(first: i64) -> Self {
        Self { next_job: first, next_event: first, next_delivery: first, ..Self::default() }
    }

    pub(super) fn row(&self, id: &str) -> Option<&Row> {
        self.by_number.get(self.numbers.get(id)?)
    }

    pub(super) fn row_mut(&mut self, id: &str) -> Option<&mut Row> {
        self.by_number.get_mut(self.numbers.get(id)?)
    }

    pub(super) fn owned(&self, owner: &str, id: &str) -> Option<&Row> {
        self.row(id).filter(|row| row.job.owner == owner)
    }

    pub(super) fn replay(&self, owner: &str, name: &Idempotency) -> Result<Option<Job>, SubmitError> {
        // A map of pairs cannot be searched with borrowed strings.
        let Some(row) = self.names.get(&(owner.to_owned(), name.key.clone())).and_then(|number| self.by_number.get(number)) else {
            return Ok(None);
        };
        if row.idempotency.as_ref() == Some(name) {
            return Ok(Some(row.view()));
        }
        Err(SubmitError::IdempotencyConflict { key: name.key.clone() })
    }

    /// The row of a job that runs under this lease; an error if no claim returned the lease.
    pub(super) fn held_by(&mut self, lease: &Lease) -> Result<Option<&mut Row>, StoreError> {
        let Some(row) = self.row_mut(&lease.job) else { return Ok(None) };
        if lease.epoch == 0 || lease.epoch > row.epoch {
            let reason = format!("epoch {} was never handed out; the last is {}", lease.epoch, row.epoch);
            return Err(misuse(&lease.job, reason));
        }
        Ok(Some(row).filter(|row| row.job.state == JobState::Running && row.epoch == lease.epoch))
    }

    /// Applies a transition and announces it; `false` if it is not possible from the job's state.
    pub(super) fn transit(&mut self, id: &str, transition: Transition, data: Value, now: SystemTime) -> bool {
        let number = self.next_event;
        let Some(row) = self.numbers.get(id).and_then(|number| self.by_number.get_mut(number)) else { return false };
        let before = row.job.state;
        let Some(next) = before.after(transition) else { return false };
        self.next_event += 1;
        row.events.push(JobEvent { id: number, at: now, kind: events::kind(transition, next).to_owned(), data });
        (row.job.state, row.job.updated_at) = (next, now);
        if next != JobState::Running {
            row.held = None;
        }
        self.counts.left(before);
        self.counts.entered(next);
        if next.is_final() {
            row.job.finished_at = Some(now);
            row.work = None;
            let was_asked = row.record.as_ref().is_some_and(|record| record.state.asked);
            self.spend.settle(row.job.number, next == JobState::Completed || was_asked);
            if let Some(url) = &row.callback_url {
                let delivery = Delivery {
                    id: self.next_delivery,
                    job: id.to_owned(),
                    owner: row.job.owner.clone(),
                    url: url.clone(),
                    event: next.name().to_owned(),
                    attempts: 0,
                    created_at: now,
                };
                self.deliveries.insert(self.next_delivery, Message { delivery, due_at: Some(now), number: row.job.number });
                row.message = Some(self.next_delivery);
                self.next_delivery += 1;
            }
            self.ended.push_back(row.job.number);
        }
        true
    }

    pub(super) fn cancel(&mut self, id: &str, now: SystemTime) -> bool {
        let is_cancelled = self.transit(id, Transition::Cancel, json!({}), now);
        if let Some(row) = self.row_mut(id).filter(|_| is_cancelled) {
            row.has_untold_cancel = row.job.remote_id().is_some();
        }
        is_cancelled
    }

    pub(super) fn set_own_priority(&mut self, id: &str, priority: Priority, now: SystemTime) -> bool {
        let Some(row) = self.row_mut(id).filter(|row| row.job.state == JobState::Queued) else { return false };
        (row.job.own_priority, row.job.updated_at) = (priority, now);
        let number = row.job.number;
        self.announce(number, "priority", events::priority(priority), now);
        true
    }

    pub(super) fn fail(&mut self, id: &str, error: &JobError, now: SystemTime) -> bool {
        let has_failed = self.transit(id, Transition::Fail, events::failure(error), now);
        if let Some(row) = self.row_mut(id).filter(|_| has_failed) {
            row.job.error = Some(error.clone());
        }
        has_failed
    }

    pub(super) fn insert(&mut self, new: NewJob, booking: Option<Booking>, now: SystemTime) -> Result<Inserted, SubmitError> {
        if let Some(name) = &new.idempotency
            && let Some(job) = self.replay(&new.owner, name)?
        {
            return Ok(Inserted { job, replayed: true });
        }
        if self.numbers.contains_key(&new.id) {
            return Err(SubmitError::IdTaken(new.id));
        }
        let number = self.next_job;
        if let Some(booking) = &booking {
            self.spend.book(number, &new.owner, booking, now)?;
        }
        let event = JobEvent { id: self.next_event, at: now, kind: "queued".to_owned(), data: json!({}) };
        (self.next_job, self.next_event) = (number + 1, event.id + 1);
        if let Some(name) = &new.idempotency {
            self.names.insert((new.owner.clone(), name.key.clone()), number);
        }
        self.numbers.insert(new.id.clone(), number);
        self.counts.entered(JobState::Queued);
        let job = Job {
            number,
            id: new.id,
            owner: new.owner,
            priority: new.priority,
            own_priority: new.own_priority,
            state: JobState::Queued,
            created_at: now,
            updated_at: now,
            started_at: None,
            finished_at: None,
            attempts: 0,
            progress: JobProgress { parts: new.work.parts(), ..JobProgress::default() },
            position: None,
            eta: None,
            metadata: new.metadata,
            about: WorkSummary::of(&new.work),
            error: None,
            outcome: None,
            artifacts: Vec::new(),
            remote: booking.as_ref().map(|booking| events::remote_job(booking.provider.clone(), None)),
            waits_for: None,
            blocked_by: None,
            damage: None,
        };
        let row = Row {
            job: job.clone(),
            work: Some(Arc::new(new.work)),
            epoch: 0,
            held: None,
            idle_attempts: 0,
            percent: 0,
            events: vec![event],
            idempotency: new.idempotency,
            callback_url: new.callback_url,
            record: None,
            has_untold_cancel: false,
            message: None,
        };
        self.by_number.insert(number, row);
        if let Some(model) = booking.and_then(|booking| booking.routed_to) {
            self.announce(number, "routed", events::routed(&model), now);
        }
        Ok(Inserted { job, replayed: false })
    }

    fn announce(&mut self, number: i64, kind: &str, data: Value, now: SystemTime) {
        let Some(row) = self.by_number.get_mut(&number) else { return };
        row.events.push(JobEvent { id: self.next_event, at: now, kind: kind.to_owned(), data });
        self.next_event += 1;
    }

    pub(super) fn record_remote(&mut self, lease: &Lease, record: &RemoteRecord, now: SystemTime) -> Result<bool, StoreError> {
        let Some(row) = self.held_by(lease)? else { return Ok(false) };
        let Some(remote) = &mut row.job.remote else {
            return Err(misuse(&lease.job, "it is no provider's job".to_owned()));
        };
        if row.record.as_ref().is_some_and(|known| known.state.id.is_some() && known.state.id != record.state.id) {
            return Err(misuse(&lease.job, "a provider's id is replaced by another".to_owned()));
        }
        let is_new = remote.id.is_none() && record.id().is_some();
        *remote = events::remote_job(std::mem::take(&mut remote.provider), Some(record));
        let event_data = is_new.then(|| events::remote(&remote.provider, record.id().unwrap_or_default()));
        row.record = Some(record.clone());
        row.job.updated_at = now;
        if let Some(held) = &mut row.held {
            held.until = now + LEASE;
        }
        let number = row.job.number;
        if let Some(data) = event_data {
            row.idle_attempts = 0;
            self.announce(number, "remote", data, now);
        }
        Ok(true)
    }

    pub(super) fn claim(&mut self, id: &str, most_idle: u32, now: SystemTime) -> Claimed {
        let Some(row) = self.row(id) else { return Claimed::Nothing };
        let (Some(work), is_held) = (row.work.clone(), row.held.as_ref().is_some_and(|held| held.until > now)) else {
            return Claimed::Nothing;
        };
        if is_held {
            return Claimed::Nothing;
        }
        let (idle, percent, attempt) = (row.idle_attempts, row.percent, row.job.attempts + 1);
        let is_elsewhere = row.record.as_ref().is_some_and(|record| record.id().is_some());
        if idle >= most_idle && !is_elsewhere {
            self.fail(id, &events::crashed(idle, percent), now);
            return Claimed::Nothing;
        }
        if row.job.state == JobState::Running {
            self.transit(id, Transition::Requeue, events::reason(LEASE_EXPIRED), now);
        }
        if !self.transit(id, Transition::Start, events::attempt(attempt), now) {
            return Claimed::Nothing;
        }
        let Some(row) = self.row_mut(id) else { return Claimed::Nothing };
        row.job.attempts = attempt;
        row.idle_attempts += 1;
        row.job.started_at.get_or_insert(now);
        row.epoch += 1;
        row.held = Some(Held { until: now + LEASE, percent: 0 });
        Claimed::Work(Lease { job: id.to_owned(), epoch: row.epoch }, work, row.record.clone())
    }

    pub(super) fn record_progress(&mut self, lease: &Lease, progress: ProgressRecord, now: SystemTime) -> Result<bool, StoreError> {
        let event = self.next_event;
        let Some(row) = self.held_by(lease)? else { return Ok(false) };
        let Some(held) = &mut row.held else { return Ok(false) };
        if progress.percent > 99 || progress.percent < held.percent {
            let reason = format!("progress of {} % after {} % under one lease", progress.percent, held.percent);
            return Err(misuse(&lease.job, reason));
        }
        (held.percent, held.until) = (progress.percent, now + LEASE);
        if progress.percent > row.percent {
            (row.percent, row.idle_attempts) = (progress.percent, 0);
        }
        row.job.updated_at = now;
        row.events.push(JobEvent { id: event, at: now, kind: progress.kind.to_owned(), data: progress.data });
        self.next_event += 1;
        Ok(true)
    }

    pub(super) fn complete(&mut self, lease: &Lease, outcome: &Outcome, files: &[Artifact], now: SystemTime) -> Result<bool, StoreError> {
        if self.held_by(lease)?.is_none() {
            return Ok(false);
        }
        let names = events::files(files.iter().map(|file| file.name.as_str()));
        self.transit(&lease.job, Transition::Complete, names, now);
        if let Some(row) = self.row_mut(&lease.job) {
            row.job.outcome = Some(outcome.clone());
            row.job.artifacts = files.to_vec();
            row.percent = 100;
        }
        for file in files {
            self.counts.kept(1, file.bytes);
        }
        Ok(true)
    }

    pub(super) fn forget_old(&mut self, now: SystemTime) {
        while let Some(number) = self.ended.front() {
            let ended_at = self.by_number.get(number).and_then(|row| row.job.finished_at);
            let is_kept = ended_at.is_some_and(|at| now.duration_since(at).is_ok_and(|age| age < RETENTION) || at > now);
            if is_kept && self.ended.len() <= MAX_ENDED {
                return;
            }
            if let Some(number) = self.ended.pop_front() {
                self.forget(number);
            }
        }
    }

    /// Removes a job with everything that belongs to it.
    fn forget(&mut self, number: i64) {
        let Some(row) = self.by_number.remove(&number) else { return };
        self.numbers.remove(&row.job.id);
        if let Some(name) = row.idempotency {
            self.names.remove(&(row.job.owner, name.key));
        }
        if let Some(message) = row.message {
            self.deliveries.remove(&message);
        }
        self.counts.left(row.job.state);
        for file in row.job.artifacts.iter().filter(|file| !file.expired) {
            self.counts.removed(file.bytes);
        }
    }

    pub(super) fn forget_before(&mut self, time: SystemTime) -> usize {
        let is_due = |message| self.deliveries.get(&message).is_some_and(|message: &Message| message.due_at.is_some());
        let is_over = |row: &Row| {
            row.job.finished_at.is_some_and(|at| at < time)
                && row.job.artifacts.iter().all(|file| file.expired)
                && !row.message.is_some_and(is_due)
        };
        let over: Vec<i64> = self.by_number.values().filter(|row| is_over(row)).map(|row| row.job.number).collect();
        for number in &over {
            self.forget(*number);
        }
        self.ended.retain(|number| self.by_number.contains_key(number));
        over.len()
    }

    pub(super) fn forget_one(&mut self, owner: &str, id: &str) -> bool {
        let is_over = |row: &&Row| {
            row.job.owner == owner
                && row.job.finished_at.is_some()
                && !row.has_untold_cancel
                && row.job.artifacts.iter().all(|file| file.expired)
        };
        let over = self.numbers.get(id).and_then(|number| self.by_number.get(number)).filter(is_over).map(|row| row.job.number);
        if let Some(number) = over {
            self.forget(number);
            self.ended.retain(|ended| *ended != number);
        }
        over.is_some()
    }

    pub(super) fn inconsistencies(&self) -> Vec<String> {
        let mut found = Vec::new();
        let mut counts = Counts::default();
        for row in self.by_number.values() {
            let mut facts = row.facts();
            let messages = self.deliveries.values().filter(|message| message.number == row.job.number);
            facts.deliveries = messages.map(|message| message.delivery.event.clone()).collect();
            facts.spend = self.spend.state(row.job.number);
            consistency::check(&facts, &mut found);
            counts.entered(row.job.state);
            for file in row.job.artifacts.iter().filter(|file| !file.expired) {
                counts.kept(1, file.bytes);
            }
            if self.numbers.get(&row.job.id) != Some(&row.job.number) {
                found.push(format!("job {} is not found by its id", row.job.id));
            }
            if row.job.number >= self.next_job || row.events.last().is_some_and(|event| event.id >= self.next_event) {
                found.push(format!("job {}: a number would be used again", row.job.id));
            }
        }
        for ((owner, key), number) in &self.names {
            let is_theirs = self
                .by_number
                .get(number)
                .is_some_and(|row| row.job.owner == *owner && row.idempotency.as_ref().is_some_and(|name| name.key == *key));
            if !is_theirs {
                found.push(format!("the idempotency key {key:?} names another owner's job"));
            }
        }
        for number in self.spend.reserved() {
            if self.by_number.get(&number).is_none_or(|row| row.job.state.is_final()) {
                found.push(format!("money is reserved for job number {number}, which has ended"));
            }
        }
        if self.deliveries.values().any(|message| !self.by_number.contains_key(&message.number)) {
            found.push("a webhook message belongs to no job".to_owned());
        }
        if counts != self.counts {
            found.push(format!("the numbers are {:?}, and by counting {counts:?}", self.counts));
        }
        found
    }
}
