//! Which messages go next: hosts and owners in turn.
//!
//! It must not know how they are sent. A receiver that does not answer holds its place until the time is over, so the invariants: no host
//! has more than [`PER_HOST`] places and no owner more than [`PER_OWNER`], whatever is due; of those who may have one more, whoever has
//! fewest is first.

use std::collections::HashMap;

use generation::jobs::Delivery;
use url::Url;

/// Messages on their way to one host.
const PER_HOST: usize = 2;
/// Messages on their way of one owner: a few less than there are places.
const PER_OWNER: usize = 12;

/// The host of an address, in the one spelling that the guard asks for it by; empty if there is none, which the guard refuses.
pub(super) fn host_of(url: &str) -> String {
    Url::parse(url).ok().and_then(|url| url.host_str().map(|host| host.trim_end_matches('.').to_owned())).unwrap_or_default()
}

/// Those of `due`, the most urgent first, that fill `places` up beside those that are under way.
pub(super) fn next<'a>(due: Vec<Delivery>, under_way: impl Iterator<Item = &'a Delivery>, places: usize) -> Vec<Delivery> {
    let (mut hosts, mut owners) = (HashMap::<String, usize>::new(), HashMap::<String, usize>::new());
    let mut ids = Vec::new();
    for delivery in under_way {
        *hosts.entry(host_of(&delivery.url)).or_default() += 1;
        *owners.entry(delivery.owner.clone()).or_default() += 1;
        ids.push(delivery.id);
    }
    let due = due.into_iter().filter(|due| !ids.contains(&due.id)).map(|due| (host_of(&due.url), due));
    let mut due: Vec<(String, Delivery)> = due.collect();
    let mut chosen = Vec::new();
    while ids.len() + chosen.len() < places {
        let has = |counts: &HashMap<String, usize>, name: &str| counts.get(name).copied().unwrap_or_default();
        let may = |(_, (host, due)): &(usize, &(String, Delivery))| has(&hosts, host) < PER_HOST && has(&owners, &due.owner) < PER_OWNER;
        // Of several that are equal the first is taken, which is the one that is due longest.
        let first = due.iter().enumerate().filter(may).min_by_key(|(_, (host, due))| (has(&owners, &due.owner), has(&hosts, host)));
        let Some((index, _)) = first else { break };
        let (host, delivery) = due.remove(index);
        *hosts.entry(host).or_default() += 1;
        *owners.entry(delivery.owner.clone()).or_default() += 1;
        chosen.push(delivery);
    }
    chosen
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

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

    #[test]
    fn neither_a_host_nor_an_owner_takes_all_places() {
        let slow: Vec<_> = (0..100).map(|id| delivery(id, "alice", "slow.example")).collect();
        let first = next(slow.clone(), [].iter(), 16);
        assert_eq!(ids(&first), [0, 1], "two to one host");
        assert!(next(slow.clone(), first.iter(), 16).is_empty());
        for spelling in ["SLOW.example", "slow.example.", "slow.example:8443"] {
            assert!(next(vec![delivery(200, "alice", spelling)], first.iter(), 16).is_empty(), "{spelling}");
        }
        let many: Vec<_> = (0..100).map(|id| delivery(id, "alice", &format!("{id}.example"))).collect();
        let all_of_alice = next(many.clone(), [].iter(), 16);
        assert_eq!(all_of_alice.len(), PER_OWNER);
        let bob = vec![delivery(300, "bob", "slow.example")];
        assert_eq!(ids(&next([many, bob].concat(), all_of_alice.iter(), 16)), [300]);
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
        assert_eq!(ids(&next(due, [].iter(), 4)), [1, 5, 3, 4]);
    }
}
