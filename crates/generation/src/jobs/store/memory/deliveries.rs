//! Webhook messages in memory, and their order; and the events of an owner's jobs.

use std::{collections::HashMap, time::SystemTime};

use super::table::{Jobs, Row};
use crate::jobs::{record::Delivery, store::OwnerEvents};

#[derive(Debug)]
pub(super) struct Message {
    pub(super) delivery: Delivery,
    pub(super) due_at: Option<SystemTime>,
    pub(super) number: i64,
}

impl Jobs {
    /// The events of an owner's jobs after a number, the oldest first.
    pub(super) fn owner_events(&self, owner: &str, after: i64, limit: usize) -> OwnerEvents {
        let rows = self.by_number.values().filter(|row| row.job.owner == owner);
        let later = |row: &Row| {
            let events = row.events.iter().filter(|event| event.id > after);
            events.map(|event| (row.job.id.clone(), event.clone())).collect::<Vec<_>>()
        };
        let mut events: Vec<_> = rows.flat_map(later).collect();
        events.sort_by_key(|(_, event)| event.id);
        events.truncate(limit);
        let last = self.next_event - 1;
        let until = events.last().filter(|_| events.len() == limit).map_or(after.max(last), |(_, event)| event.id);
        OwnerEvents { events, until }
    }

    /// Due messages: round robin over owners, within an owner over hosts, and within a host over first attempts and retries.
    pub(super) fn due_deliveries(&self, limit: usize, now: SystemTime) -> Vec<Delivery> {
        let mut due: Vec<(SystemTime, &Delivery)> =
            self.deliveries.values().filter_map(|message| Some((message.due_at.filter(|at| *at <= now)?, &message.delivery))).collect();
        due.sort_by_key(|(at, delivery)| (*at, delivery.id));
        let mut lines: HashMap<(&str, &str, bool), usize> = HashMap::new();
        let mut turns: Vec<(usize, SystemTime, &Delivery)> = Vec::with_capacity(due.len());
        for (at, delivery) in due {
            let turn = lines.entry((&delivery.owner, host(&delivery.url), delivery.attempts > 0)).or_default();
            turns.push((*turn, at, delivery));
            *turn += 1;
        }
        turns.sort_by_key(|(turn, at, delivery)| (*turn, *at, delivery.id));
        let mut owners: HashMap<&str, usize> = HashMap::new();
        let mut order: Vec<(usize, SystemTime, &Delivery)> = Vec::with_capacity(turns.len());
        for (_, at, delivery) in turns {
            let turn = owners.entry(&delivery.owner).or_default();
            order.push((*turn, at, delivery));
            *turn += 1;
        }
        order.sort_by_key(|(turn, at, delivery)| (*turn, *at, delivery.id));
        order.into_iter().take(limit).map(|(_, _, delivery)| delivery.clone()).collect()
    }
}

/// A URL's scheme and host.
fn host(url: &str) -> &str {
    let host = url.get(8..).and_then(|rest| rest.find('/')).map(|end| end + 8);
    host.and_then(|end| url.get(..end)).unwrap_or(url)
}
