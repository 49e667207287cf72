//! The order of jobs of several models.
#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;

/// A backend with memory for two models that loads what it should at once and counts the loads.
#[derive(Default)]
struct FakeBackend {
    /// The least recently used first.
    ready: Vec<String>,
    loads: usize,
}

impl FakeBackend {
    fn readiness(&self, entry: &Entry) -> Readiness {
        if self.ready.contains(entry.model.as_ref().unwrap()) { Readiness::Ready } else { Readiness::Cold }
    }

    fn load(&mut self, Wanted { model, may_swap }: Wanted) {
        if self.ready.len() == 2 && may_swap {
            self.ready.remove(0);
        }
        if self.ready.len() < 2 {
            self.ready.push(model.unwrap());
            self.loads += 1;
        }
    }

    fn uses(&mut self, model: &str) {
        self.ready.retain(|ready| ready != model);
        self.ready.push(model.to_owned());
    }
}

fn entry(number: usize, owner: &str, model: &str, now: Instant) -> Entry {
    Entry {
        number: 0,
        id: number.to_string(),
        owner: owner.to_owned(),
        priority: Priority::Normal,
        model: Some(model.to_owned()),
        backends: BackendSet::from_iter([0]),
        handed_in: now,
    }
}

/// Serves all waiting jobs, each for the same time; returns the ids in the order in which they were served, and the number of loads.
fn served(queue: &Queue, each: Duration, mut now: Instant) -> (Vec<usize>, usize) {
    let (mut room, mut order) = (FakeBackend::default(), Vec::new());
    while queue.waiting() > 0 {
        let NextJob { entry, load } = queue.take(0, now, |entry| room.readiness(entry));
        assert!(entry.is_some() || load.is_some(), "nothing waits for ever");
        if let Some(load) = load {
            room.load(load);
        }
        if let Some(entry) = entry {
            room.uses(&entry.model.unwrap());
            now += each;
            queue.done(entry.number, each, true);
            order.push(entry.id.parse().unwrap());
        }
    }
    (order, room.loads)
}

const MODELS: [&str; 4] = ["a", "b", "c", "d"];

/// Forty jobs over four models, round robin.
fn burst(owners: &[&str], now: Instant) -> Queue {
    let queue = Queue::new(64, 64, []);
    for number in 0..40 {
        queue.push(entry(number, owners[number % owners.len()], MODELS[number % 4], now), None).unwrap();
    }
    queue
}

#[test]
fn a_burst_swaps_at_most_twice_as_often_as_the_best_order_and_starves_no_job() {
    let now = Instant::now();
    for owners in [&["x"][..], &["x", "y", "z"]] {
        let (order, loads) = served(&burst(owners, now), Duration::from_millis(100), now);
        // The best order loads each model once.
        assert!((4..=8).contains(&loads), "{loads} loads");
        assert_eq!(order.len(), 40);
        for (place, number) in order.iter().enumerate() {
            // At most as many jobs of others as there are models that do not fit.
            let late = place.saturating_sub(*number);
            assert!(late <= 3 * MAX_PASSED as usize, "job {number} is served at place {place}: {order:?}");
        }
    }
}

#[test]
fn the_wait_of_a_job_whose_model_is_not_loaded_is_bounded() {
    let now = Instant::now();
    let (order, _) = served(&burst(&["x"], now), MAX_PASSED_FOR / 2, now);
    // Job 2 is the first whose model does not fit: two others pass it, then a model is evicted for its own.
    let place = order.iter().position(|number| *number == 2).unwrap();
    assert!(place <= 6, "it is served at place {place}: {order:?}");
}

#[test]
fn no_less_urgent_job_begins_while_the_model_of_a_more_urgent_one_is_loaded() {
    let (queue, now) = (Queue::new(8, 8, []), Instant::now());
    queue.push(entry(0, "x", "a", now), None).unwrap();
    queue.push(Entry { priority: Priority::High, ..entry(1, "y", "b", now) }, None).unwrap();
    let is_a = |entry: &Entry| if entry.model.as_deref() == Some("a") { Readiness::Ready } else { Readiness::Cold };
    let NextJob { entry: None, load: Some(load) } = queue.take(0, now, is_a) else { panic!("the less urgent one begins") };
    assert_eq!(load, Wanted { model: Some("b".into()), may_swap: true });
    let loading = |entry: &Entry| if entry.model.as_deref() == Some("a") { Readiness::Ready } else { Readiness::Loading };
    assert_eq!(queue.take(0, now, loading), NextJob::default());
    assert_eq!(queue.take(0, now, |_| Readiness::Ready).entry.unwrap().id, "1");
}
