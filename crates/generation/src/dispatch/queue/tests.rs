//! The order of jobs of several models, and of several owners.
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
        own_priority: Priority::Normal,
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

/// Owners with a job each in turn: 0 is x's, 1 is y's, 2 is x's, and so on.
fn alternating(count: usize, now: Instant) -> Queue {
    let queue = Queue::new(64, 64, []);
    for number in 0..count {
        queue.push(entry(number, ["x", "y"][number % 2], "a", now), None).unwrap();
    }
    queue
}

/// The order that is forecast, and the one in which the jobs are served.
fn orders(queue: &Queue, now: Instant) -> (Vec<u64>, Vec<usize>) {
    // Numbers count from 1, and the tests' ids from 0.
    let forecast = queue.order().into_iter().map(|(number, _)| number - 1).collect();
    // As long as the forecast assumes while nothing was measured.
    (forecast, served(queue, FIRST_GUESS, now).0)
}

#[test]
fn an_owners_priorities_order_their_own_jobs_and_no_others() {
    let now = Instant::now();
    let queue = alternating(8, now);
    assert_eq!(orders(&queue, now).0, [0, 1, 2, 3, 4, 5, 6, 7]);
    let queue = alternating(8, now);
    queue.set_own_priority(7, Priority::High);
    queue.set_own_priority(1, Priority::Low);
    queue.set_own_priority(99, Priority::High);
    let (forecast, served) = orders(&queue, now);
    // Of x's jobs 0, 2, 4 and 6 the last is first, and the first is last; y's are where they were.
    assert_eq!(forecast, [6, 1, 2, 3, 4, 5, 0, 7]);
    assert_eq!(served, [6, 1, 2, 3, 4, 5, 0, 7]);
}

#[test]
fn many_urgent_jobs_of_one_owner_delay_no_other_owner() {
    let now = Instant::now();
    let queue = Queue::new(64, 64, []);
    for number in 0..10 {
        queue.push(Entry { own_priority: Priority::High, ..entry(number, "x", "a", now) }, None).unwrap();
    }
    queue.push(entry(10, "y", "a", now), None).unwrap();
    let (forecast, served) = orders(&queue, now);
    assert_eq!((forecast[1], served[1]), (10, 10), "{forecast:?} {served:?}");
    // The operator's priority of an owner's jobs still comes before all of them.
    let queue = Queue::new(64, 64, []);
    queue.push(Entry { own_priority: Priority::High, ..entry(0, "x", "a", now) }, None).unwrap();
    queue.push(Entry { priority: Priority::High, own_priority: Priority::Low, ..entry(1, "y", "a", now) }, None).unwrap();
    assert_eq!(orders(&queue, now), (vec![1, 0], vec![1, 0]));
}

#[test]
fn an_urgent_job_is_passed_by_no_less_urgent_one_of_its_owner_while_its_model_is_loaded() {
    let (queue, now) = (Queue::new(8, 8, []), Instant::now());
    queue.push(entry(0, "x", "a", now), None).unwrap();
    queue.push(Entry { own_priority: Priority::High, ..entry(1, "x", "b", now) }, None).unwrap();
    queue.push(entry(2, "y", "a", now), None).unwrap();
    let loading = |entry: &Entry| if entry.model.as_deref() == Some("a") { Readiness::Ready } else { Readiness::Loading };
    assert_eq!(queue.take(0, now, loading).entry.unwrap().id, "2", "another owner's job");
    assert_eq!(queue.take(0, now, loading), NextJob::default());
    assert_eq!(queue.take(0, now, |_| Readiness::Ready).entry.unwrap().id, "1");
}
