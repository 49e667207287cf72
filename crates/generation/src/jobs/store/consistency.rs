//! The rules that hold for every job in every store.
//!
//! It must not know how a store is read: each implementation provides the [`Facts`], and the rules are here once.

use std::fmt;

use super::events;
use crate::{
    backend::RemoteRecord,
    jobs::{spend::SpendState, state::JobState},
};

/// A stored job.
#[derive(Debug, Default)]
pub(super) struct Facts {
    pub(super) id: String,
    /// `None` if it is not a state that this program knows.
    pub(super) state: Option<JobState>,
    pub(super) epoch: u64,
    pub(super) attempts: u32,
    pub(super) percent: u32,
    pub(super) has_worker: bool,
    pub(super) has_lease: bool,
    pub(super) is_started: bool,
    pub(super) is_finished: bool,
    pub(super) has_work: bool,
    pub(super) has_outcome: bool,
    pub(super) has_error: bool,
    pub(super) has_callback: bool,
    /// The number of files, kept or removed since.
    pub(super) files: u64,
    /// Whether it is a provider's job.
    pub(super) is_remote: bool,
    /// The state of its reservation; `None` if it has none.
    pub(super) spend: Option<String>,
    /// The provider's id by which it can be found.
    pub(super) remote_id: Option<String>,
    /// Its record at the provider.
    pub(super) record: Option<RemoteRecord>,
    /// Ids and kinds of its events, in the order in which they are returned.
    pub(super) events: Vec<(i64, String)>,
    /// The events that its webhook messages announce.
    pub(super) deliveries: Vec<String>,
}

/// Adds a sentence for each contradiction in a job.
pub(super) fn check(job: &Facts, found: &mut Vec<String>) {
    let mut rule = |holds: bool, broken: &dyn fmt::Display| {
        if !holds {
            found.push(format!("job {}: {broken}", job.id));
        }
    };
    let Some(state) = job.state else { return rule(false, &"its state is unknown") };
    let runs = state == JobState::Running;
    let ended = state.is_final();
    let announced: Vec<JobState> = job.events.iter().filter_map(|(_, kind)| events::announces(kind)).collect();

    rule(job.events.first().is_some_and(|(_, kind)| kind == "queued"), &"its first event is not \"queued\"");
    rule(announced.last() == Some(&state), &format_args!("it is {state}, and its events end with {:?}", announced.last()));
    rule(
        job.events.windows(2).all(|pair| matches!(pair, [(first, _), (second, _)] if first < second)),
        &"the numbers of its events do not rise",
    );
    let ends = announced.iter().filter(|state| state.is_final()).count();
    rule(ends == usize::from(ended), &format_args!("it is {state} and has {ends} events of an end"));
    let starts = announced.iter().filter(|state| **state == JobState::Running).count();
    rule(u64::from(job.attempts) == starts as u64, &format_args!("it has {} attempts and {starts} events of a start", job.attempts));

    rule(!runs || job.epoch > 0, &"it runs and was never claimed");
    rule(runs == job.has_worker, &format_args!("it is {state}, and its worker is {}", set(job.has_worker)));
    rule(runs == job.has_lease, &format_args!("it is {state}, and its lease is {}", set(job.has_lease)));
    rule(!runs || job.is_started, &"it runs and never started");

    rule(ended == job.is_finished, &format_args!("it is {state}, and the time of its end is {}", set(job.is_finished)));
    rule(ended != job.has_work, &format_args!("it is {state}, and its work is {}", set(job.has_work)));
    let completed = state == JobState::Completed;
    rule(completed == job.has_outcome, &format_args!("it is {state}, and its outcome is {}", set(job.has_outcome)));
    rule(completed == (job.percent == 100), &format_args!("it is {state} at {} %", job.percent));
    rule(completed || job.files == 0, &format_args!("it is {state} and has {} files", job.files));
    rule((state == JobState::Failed) == job.has_error, &format_args!("it is {state}, and its error is {}", set(job.has_error)));

    rule(job.is_remote == job.spend.is_some(), &format_args!("its provider is {}, and its money is {:?}", set(job.is_remote), job.spend));
    let is_reserved = job.spend.as_deref() == Some(SpendState::Reserved.name());
    rule(!job.is_remote || ended != is_reserved, &format_args!("it is {state}, and its money is {:?}", job.spend));
    let is_paid = !completed || !job.is_remote || job.spend.as_deref() == Some(SpendState::Spent.name());
    rule(is_paid, &format_args!("it is completed, and its money is {:?}", job.spend));
    rule(job.is_remote || job.record.is_none(), &"it is local, and a provider has a record of it");
    let recorded = job.record.as_ref().and_then(|record| record.id());
    rule(recorded == job.remote_id.as_deref(), &"it is found by another id than the provider's");
    let id_events = job.events.iter().filter(|(_, kind)| kind == "remote").count();
    rule(
        id_events == usize::from(recorded.is_some()),
        &format_args!("its provider's id is {}, and announced {id_events} times", set(recorded.is_some())),
    );

    let due = usize::from(ended && job.has_callback);
    let messages = job.deliveries.len();
    rule(messages == due, &format_args!("it is {state} and has {messages} webhook messages in place of {due}"));
    let is_true = job.deliveries.iter().all(|event| event == state.name());
    rule(is_true, &format_args!("it is {state}, and its webhook message says {:?}", job.deliveries));
}

fn set(is_set: bool) -> &'static str {
    if is_set { "set" } else { "not set" }
}
