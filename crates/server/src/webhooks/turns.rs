//! Chooses the messages to send next, with hosts and owners taking turns.
//!
//! It must not know how messages are sent. A message takes a slot, of which each host and each owner have a few. A slow message frees its
//! slot for the next and continues without one until its timeout: so a receiver that does not answer delays later messages only briefly,
//! and a late answer still counts. The invariants: no host and no owner exceeds its share of slots or of open connections, whatever is due;
//! among those that may have one more, the one with the fewest comes first; a host's first attempts and its retries take turns.

use std::collections::{HashMap, HashSet};

use generation::jobs::Delivery;
use url::Url;

use super::InFlight;

/// Slots: in total, per owner (fewer, so that others find one), and per host.
const PLACES: usize = 16;
const PER_OWNER: usize = 12;
const PER_HOST: usize = 2;
/// Open connections per slot, including its current one: slow messages continue for 14 more seconds, and a slot becomes free each second.
const OPEN_PER_PLACE: usize = 16;

/// Messages in flight: all, or those of one owner or host.
#[derive(Clone, Copy, Default)]
struct Load {
    places: usize,
    /// Slow ones included.
    open: usize,
}

impl Load {
    /// Whether one more fits into this number of slots.
    fn is_below(self, places: usize) -> bool {
        self.places < places && self.open < places * OPEN_PER_PLACE
    }

    fn add(&mut self, is_slow: bool) {
        self.open += 1;
        self.places += usize::from(!is_slow);
    }
}

/// Messages in flight, by owner and by host.
#[derive(Default)]
struct Loads {
    all: Load,
    owners: HashMap<String, Load>,
    hosts: HashMap<String, Load>,
    /// For each host: its first attempts (false) and its retries (true).
    tries: HashMap<(String, bool), Load>,
}

impl Loads {
    fn of<'a>(under_way: impl Iterator<Item = &'a InFlight>) -> Self {
        let mut loads = Self::default();
        for InFlight { delivery, is_slow, .. } in under_way {
            loads.add(&host_of(&delivery.url), delivery, *is_slow);
        }
        loads
    }

    fn add(&mut self, host: &str, delivery: &Delivery, is_slow: bool) {
        self.all.add(is_slow);
        self.owners.entry(delivery.owner.clone()).or_default().add(is_slow);
        self.hosts.entry(host.to_owned()).or_default().add(is_slow);
        self.tries.entry((host.to_owned(), delivery.attempts > 0)).or_default().add(is_slow);
    }

    fn of_owner(&self, delivery: &Delivery) -> Load {
        self.owners.get(&delivery.owner).copied().unwrap_or_default()
    }

    fn of_host(&self, host: &str) -> Load {
        self.hosts.get(host).copied().unwrap_or_default()
    }

    fn have_room_for(&self, host: &str, delivery: &Delivery) -> bool {
        self.all.is_below(PLACES) && self.of_owner(delivery).is_below(PER_OWNER) && self.of_host(host).is_below(PER_HOST)
    }

    /// The sort key of a message: the load that counts against it, most important first.
    fn against(&self, host: &str, delivery: &Delivery) -> [usize; 3] {
        let tries = self.tries.get(&(host.to_owned(), delivery.attempts > 0)).copied().unwrap_or_default();
        [self.of_owner(delivery).places, self.of_host(host).places, tries.places]
    }
}

/// The host of an address, in the spelling that the guard uses; empty if there is none, which the guard refuses.
pub(super) fn host_of(url: &str) -> String {
    Url::parse(url).ok().and_then(|url| url.host_str().map(|host| host.trim_end_matches('.').to_owned())).unwrap_or_default()
}

/// Whether one more message fits, whoever owns it.
pub(super) fn has_place<'a>(under_way: impl Iterator<Item = &'a InFlight>) -> bool {
    Loads::of(under_way).all.is_below(PLACES)
}

/// The messages of `due`, most urgent first, that may be sent beside those in flight.
pub(super) fn next<'a>(due: Vec<Delivery>, under_way: impl Iterator<Item = &'a InFlight> + Clone) -> Vec<Delivery> {
    let ids: HashSet<i64> = under_way.clone().map(|message| message.delivery.id).collect();
    let mut loads = Loads::of(under_way);
    let due = due.into_iter().filter(|due| !ids.contains(&due.id)).map(|due| (host_of(&due.url), due));
    let mut due: Vec<(String, Delivery)> = due.collect();
    let mut chosen = Vec::new();
    loop {
        let may = |(_, (host, due)): &(usize, &(String, Delivery))| loads.have_room_for(host, due);
        // `min_by_key` returns the first of several equal ones, which has been due the longest.
        let first = due.iter().enumerate().filter(may).min_by_key(|(_, (host, due))| loads.against(host, due));
        let Some((index, _)) = first else { return chosen };
        let (host, delivery) = due.remove(index);
        loads.add(&host, &delivery, false);
        chosen.push(delivery);
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use tokio::time::Instant;

    use super::*;

    fn delivery(id: i64, owner: &str, host: &str) -> Delivery {
        Delivery {
            id,
            job: format!("job-{id}"),
            owner: owner.into(),
            url: format!("https://{host}/hook/{id}"),
            event: "completed".into(),
            attempts: 0,
            created_at: SystemTime::UNIX_EPOCH,
        }
    }

    fn ids(chosen: &[Delivery]) -> Vec<i64> {
        chosen.iter().map(|delivery| delivery.id).collect()
    }

    fn under_way(deliveries: &[Delivery], is_slow: bool) -> Vec<InFlight> {
        deliveries.iter().map(|delivery| InFlight { delivery: delivery.clone(), started: Instant::now(), is_slow }).collect()
    }

    #[test]
    fn neither_a_host_nor_an_owner_takes_all_places() {
        let slow: Vec<_> = (0..100).map(|id| delivery(id, "alice", "slow.example")).collect();
        let first = next(slow.clone(), [].iter());
        assert_eq!(ids(&first), [0, 1], "two to one host");
        let first = under_way(&first, false);
        assert!(next(slow.clone(), first.iter()).is_empty());
        for spelling in ["SLOW.example", "slow.example.", "slow.example:8443"] {
            assert!(next(vec![delivery(200, "alice", spelling)], first.iter()).is_empty(), "{spelling}");
        }
        let many: Vec<_> = (0..100).map(|id| delivery(id, "alice", &format!("{id}.example"))).collect();
        let all_of_alice = next(many.clone(), [].iter());
        assert_eq!(all_of_alice.len(), PER_OWNER);
        let all_of_alice = under_way(&all_of_alice, false);
        let bob = vec![delivery(300, "bob", "slow.example")];
        assert!(has_place(all_of_alice.iter()));
        assert_eq!(ids(&next([many, bob].concat(), all_of_alice.iter())), [300]);
    }

    #[test]
    fn owners_and_hosts_take_turns() {
        let due = vec![
            delivery(1, "alice", "a.example"),
            delivery(2, "alice", "a.example"),
            delivery(3, "alice", "b.example"),
            delivery(4, "bob", "a.example"),
            delivery(5, "bob", "c.example"),
        ];
        let places = vec![delivery(6, "carol", "d.example"); PLACES - 4];
        assert_eq!(ids(&next(due, under_way(&places, false).iter())), [1, 5, 3, 4]);
    }

    #[test]
    fn a_slow_message_frees_its_slot_and_open_connections_are_bounded() {
        let due: Vec<_> = (0..1000).map(|id| delivery(id, "alice", "slow.example")).collect();
        let mut slow = Vec::new();
        for round in 0..OPEN_PER_PLACE {
            let chosen = next(due.clone(), slow.iter());
            assert_eq!(chosen.len(), PER_HOST, "round {round}");
            slow.extend(under_way(&chosen, true));
        }
        assert!(next(due.clone(), slow.iter()).is_empty(), "a host opens no more connections");
        let others = vec![delivery(2000, "alice", "b.example"), delivery(2001, "bob", "c.example")];
        assert_eq!(ids(&next([due, others].concat(), slow.iter())), [2000, 2001], "which delays no other host");
        let everywhere = (0..10_000).map(|id| delivery(id, "alice", &format!("{id}.example")));
        let all_of_alice: Vec<_> = everywhere.clone().take(PER_OWNER * OPEN_PER_PLACE).collect();
        let all_of_alice = under_way(&all_of_alice, true);
        let bob = vec![delivery(20_000, "bob", "b.example")];
        assert_eq!(ids(&next(everywhere.chain(bob).collect(), all_of_alice.iter())), [20_000], "and neither does an owner");
    }

    #[test]
    fn first_attempts_and_retries_take_turns() {
        let again = |id| Delivery { attempts: 1, ..delivery(id, "alice", "a.example") };
        let due: Vec<_> = (0..100).map(again).chain([delivery(200, "alice", "a.example"), delivery(201, "alice", "a.example")]).collect();
        assert_eq!(ids(&next(due.clone(), [].iter())), [0, 200]);
        assert_eq!(ids(&next(due.clone(), under_way(&[again(0)], false).iter())), [200]);
        assert_eq!(ids(&next(due, under_way(&[delivery(200, "alice", "a.example")], false).iter())), [0]);
    }
}
