//! The loop, with a scripted provider and paused time.

use std::{collections::VecDeque, future::pending, sync::Mutex, time::Duration};

use async_trait::async_trait;
use remote_providers::{
    Durability, ErrorKind, Lost, Pace, Provider, ProviderError, RemoteState, RemoteStateStore, Result, Run, RunError, Source, Started,
    Status, Stop, VideoRequest, run,
};
use tokio::time::{Instant, sleep};

const PACE: Pace = Pace {
    initial_wait: Duration::from_secs(300),
    interval: Duration::from_secs(10),
    max_interval: Duration::from_secs(30),
    deadline: Duration::from_secs(420),
};

/// A scripted provider that records every call.
#[derive(Debug, Default)]
struct World {
    log: Mutex<Vec<String>>,
    at: Mutex<Vec<Instant>>,
    starts: Mutex<VecDeque<Result<Started>>>,
    polls: Mutex<VecDeque<Result<Status>>>,
    cancels: Mutex<VecDeque<Result<()>>>,
    /// How long the answer to a cancellation takes.
    cancel_takes: Duration,
    /// How long the answer to a start takes.
    start_takes: Duration,
    honours_token: bool,
    /// The durability of each record.
    outlives: Mutex<Vec<Durability>>,
    is_lost: bool,
}

impl World {
    fn new(
        honours_token: bool,
        starts: impl IntoIterator<Item = Result<Started>>,
        polls: impl IntoIterator<Item = Result<Status>>,
    ) -> Self {
        let (starts, polls) = (starts.into_iter().collect(), polls.into_iter().collect());
        Self { starts: Mutex::new(starts), polls: Mutex::new(polls), honours_token, ..Self::default() }
    }

    fn note(&self, what: impl Into<String>) {
        self.log.lock().unwrap().push(what.into());
        self.at.lock().unwrap().push(Instant::now());
    }

    fn log(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }

    fn count(&self, what: &str) -> usize {
        self.log().iter().filter(|line| line.starts_with(what)).count()
    }

    async fn run(&self, state: RemoteState, stopped: impl Future<Output = Stop> + Send) -> Result<String, RunError> {
        let run_of = Run {
            provider: self,
            model: "a-model",
            request: VideoRequest::default(),
            memory: self,
            progress: &|percent| self.note(format!("progress {percent:?}")),
            tries: 3,
            pause: Duration::from_secs(2),
            backoff: 2.0,
        };
        run(run_of, state, stopped).await.map(|finished| finished.id)
    }
}

#[async_trait]
impl Provider for World {
    fn name(&self) -> &'static str {
        "scripted"
    }

    fn check(&self, _model: &str, _request: &VideoRequest) -> Result<()> {
        Ok(())
    }

    fn pace(&self) -> Pace {
        PACE
    }

    fn honours_token(&self) -> bool {
        self.honours_token
    }

    async fn start(&self, model: &str, _request: &VideoRequest, token: &str) -> Result<Started> {
        self.note(format!("start {model} {token}"));
        sleep(self.start_takes).await;
        self.starts.lock().unwrap().pop_front().unwrap()
    }

    async fn poll(&self, id: &str) -> Result<Status> {
        self.note(format!("poll {id}"));
        self.polls.lock().unwrap().pop_front().unwrap_or(Ok(Status::Pending(None)))
    }

    async fn cancel(&self, id: &str) -> Result<()> {
        self.note(format!("cancel {id}"));
        sleep(self.cancel_takes).await;
        self.cancels.lock().unwrap().pop_front().unwrap_or(Ok(()))
    }
}

#[async_trait]
impl RemoteStateStore for World {
    async fn record(&self, state: &RemoteState, outlives: Durability) -> Result<(), Lost> {
        self.outlives.lock().unwrap().push(outlives);
        self.note(format!("record asked={} id={:?}", state.asked, state.id));
        if self.is_lost { Err(Lost) } else { Ok(()) }
    }
}

fn fresh() -> RemoteState {
    RemoteState { token: "token-1".into(), ..RemoteState::default() }
}

fn pending_start() -> Result<Started> {
    Ok(Started::Pending("id-1".into()))
}

fn finished() -> Result<Status> {
    Ok(Status::Finished(Source::Bytes(Vec::new())))
}

fn refused(kind: ErrorKind) -> ProviderError {
    ProviderError::new("scripted", kind, "a reason")
}

fn kind_of(result: Result<String, RunError>) -> ErrorKind {
    match result {
        Err(RunError::Provider(error)) => error.kind,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn each_step_is_persisted_before_the_next_is_taken() {
    let world = World::new(false, [pending_start()], [Ok(Status::Pending(Some(40))), finished()]);
    let began = Instant::now();
    assert_eq!(world.run(fresh(), pending()).await.unwrap(), "id-1");
    let expected = [
        "record asked=true id=None",
        "start a-model token-1",
        "record asked=true id=Some(\"id-1\")",
        "progress None",
        "poll id-1",
        "progress Some(40)",
        "poll id-1",
    ];
    assert_eq!(world.log(), expected);
    let polled: Vec<_> = world
        .log()
        .iter()
        .zip(world.at.lock().unwrap().iter())
        .filter(|(line, _)| line.starts_with("poll"))
        .map(|(_, at)| *at - began)
        .collect();
    assert_eq!(polled[0], PACE.initial_wait);
    let pause = (polled[1] - polled[0]).as_secs_f64();
    assert!((8.0..=12.0).contains(&pause), "{pause}");
}

#[tokio::test(start_paused = true)]
async fn transient_refusals_are_retried_and_permanent_ones_are_not() {
    let throttled = || Err(refused(ErrorKind::RateLimited).retry_after(Some(Duration::from_secs(30))));
    let world = World::new(false, [throttled(), throttled(), pending_start()], [finished()]);
    let began = Instant::now();
    world.run(fresh(), pending()).await.unwrap();
    assert_eq!(world.count("start"), 3);
    // During each pause the store knows that nothing was started.
    assert_eq!(world.log()[2], "record asked=false id=None");
    assert!(began.elapsed() >= Duration::from_secs(60) + PACE.initial_wait);

    let world = World::new(false, (0..3).map(|_| throttled()), []);
    assert_eq!(kind_of(world.run(fresh(), pending()).await), ErrorKind::RateLimited);
    assert_eq!((world.count("start"), world.log().last().unwrap().as_str()), (3, "record asked=false id=None"));

    let world = World::new(true, [Err(refused(ErrorKind::ContentFilter))], []);
    assert_eq!(kind_of(world.run(fresh(), pending()).await), ErrorKind::ContentFilter);
    assert_eq!(world.count("start"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_asks_for_a_pause_gets_it_up_to_a_limit() {
    // (requested delay before another start, actual delay): a cold model takes minutes, and an hour is excessive.
    for (asked, given) in [(300, 300), (3600, 600)] {
        let busy = refused(ErrorKind::Unavailable).retry_after(Some(Duration::from_secs(asked)));
        let world = World::new(false, [Err(busy), pending_start()], [finished()]);
        let began = Instant::now();
        world.run(fresh(), pending()).await.unwrap();
        let paused = began.elapsed() - PACE.initial_wait;
        assert_eq!(paused.as_secs(), given, "{asked}");
    }
    // A poll that waits longer would find the video later than necessary.
    let busy = refused(ErrorKind::RateLimited).retry_after(Some(Duration::from_secs(3600)));
    let world = World::new(false, [pending_start()], [Err(busy), finished()]);
    let began = Instant::now();
    world.run(fresh(), pending()).await.unwrap();
    assert_eq!((began.elapsed() - PACE.initial_wait).as_secs(), 60);
}

#[tokio::test(start_paused = true)]
async fn a_start_is_recorded_durably_unless_the_provider_honours_the_token() {
    let pass = || refused(ErrorKind::Unavailable);
    for (honours_token, asked) in [(true, Durability::Program), (false, Durability::Machine)] {
        let world = World::new(honours_token, [Err(pass()), pending_start()], [finished()]);
        world.run(fresh(), pending()).await.unwrap();
        // Start, certainly not started, start again, and the id.
        assert_eq!(*world.outlives.lock().unwrap(), [asked, Durability::Machine, asked, Durability::Machine]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_start_with_a_lost_answer_is_retried_only_with_a_token() {
    let lost = || Err(refused(ErrorKind::Unavailable).maybe_started());
    let world = World::new(true, [lost(), pending_start()], [finished()]);
    world.run(fresh(), pending()).await.unwrap();
    assert_eq!(world.count("start a-model token-1"), 2);
    assert_eq!(world.count("record asked=false"), 0);

    let world = World::new(false, [lost(), pending_start()], [finished()]);
    match world.run(fresh(), pending()).await {
        Err(RunError::Provider(error)) => {
            assert!(error.kind == ErrorKind::Uncertain && !error.is_retryable() && error.may_have_started, "{error:?}");
            assert!(error.to_string().contains("a reason") && error.to_string().contains("console"), "{error}");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!((world.count("start"), world.count("record asked=false")), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_job_resumes_after_a_restart() {
    let asked = || RemoteState { asked: true, ..fresh() };
    let world = World::new(true, [pending_start()], [finished()]);
    world.run(asked(), pending()).await.unwrap();
    assert_eq!(world.log()[0], "start a-model token-1");

    let world = World::new(false, [], []);
    assert_eq!(kind_of(world.run(asked(), pending()).await), ErrorKind::Uncertain);
    assert!(world.log().is_empty());

    let world = World::new(false, [], [finished()]);
    let began = Instant::now();
    let state = RemoteState { id: Some("id-7".into()), ..asked() };
    assert_eq!(world.run(state, pending()).await.unwrap(), "id-7");
    assert_eq!((world.log(), began.elapsed()), (vec!["progress None".to_owned(), "poll id-7".to_owned()], Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_job_is_cancelled_at_the_provider_and_one_stopped_by_shutdown_is_not() {
    for (stop, cancels) in [(Stop::Cancelled, 1), (Stop::Shutdown, 0)] {
        // While it is polled.
        let world = World::new(false, [pending_start()], []);
        let stopped = async {
            sleep(Duration::from_secs(350)).await;
            stop
        };
        assert!(
            matches!(world.run(fresh(), stopped).await, Err(RunError::Stopped { stop: why, cancelled_at_provider }) if why == stop && cancelled_at_provider == (cancels == 1))
        );
        assert_eq!(world.count("cancel id-1"), cancels);

        // While it is started: the answer is awaited to get the id.
        let world = World { start_takes: Duration::from_secs(3), ..World::new(false, [pending_start()], []) };
        let stopped = async {
            sleep(Duration::from_secs(1)).await;
            stop
        };
        assert!(
            matches!(world.run(fresh(), stopped).await, Err(RunError::Stopped { stop: why, cancelled_at_provider }) if why == stop && cancelled_at_provider == (cancels == 1))
        );
        assert_eq!((world.count("cancel id-1"), world.count("record asked=true id=Some")), (cancels, 1));

        // An answer that does not arrive is not awaited further.
        let world = World { start_takes: Duration::from_secs(3600), ..World::new(false, [pending_start()], []) };
        let began = Instant::now();
        assert!(
            matches!(world.run(fresh(), async { stop }).await, Err(RunError::Stopped { stop: why, cancelled_at_provider: false }) if why == stop)
        );
        assert!(began.elapsed() < Duration::from_secs(10));
        assert_eq!(world.count("record asked=false"), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_run_reports_whether_the_provider_accepted_that() {
    let refusing = World::new(false, [pending_start()], []);
    refusing.cancels.lock().unwrap().push_back(Err(refused(ErrorKind::Unavailable)));
    let silent = World { cancel_takes: Duration::from_secs(3600), ..World::new(false, [pending_start()], []) };
    for (world, expected) in [(World::new(false, [pending_start()], []), true), (refusing, false), (silent, false)] {
        let stopped = async {
            sleep(Duration::from_secs(350)).await;
            Stop::Cancelled
        };
        let result = world.run(fresh(), stopped).await;
        assert!(
            matches!(result, Err(RunError::Stopped { stop: Stop::Cancelled, cancelled_at_provider }) if cancelled_at_provider == expected),
            "{result:?}"
        );
        assert_eq!(world.count("cancel id-1"), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_video_that_is_never_ready_fails_at_the_deadline_and_is_cancelled() {
    let world = World::new(false, [pending_start()], []);
    let began = Instant::now();
    assert_eq!(kind_of(world.run(fresh(), pending()).await), ErrorKind::Deadline);
    let took = began.elapsed();
    let most = PACE.initial_wait + PACE.deadline;
    assert!(took <= most && took >= most - PACE.max_interval.mul_f64(1.2), "{took:?}");
    assert_eq!(world.count("cancel id-1"), 1);
    // 10, 15, 22.5, then 30 s each: about sixteen in seven minutes.
    assert!((12..=20).contains(&world.count("poll")), "{}", world.count("poll"));
}

#[tokio::test(start_paused = true)]
async fn an_outage_is_waited_out_and_a_protocol_error_is_not() {
    let outage = (0..6).map(|_| Err(refused(ErrorKind::Unavailable)));
    let world = World::new(false, [pending_start()], outage.chain([finished()]));
    world.run(fresh(), pending()).await.unwrap();
    assert_eq!(world.count("poll"), 7);

    let world = World::new(false, [pending_start()], (0..9).map(|_| Err(refused(ErrorKind::Protocol))));
    assert_eq!(kind_of(world.run(fresh(), pending()).await), ErrorKind::Protocol);
    assert_eq!(world.count("poll"), 4);

    let world = World::new(false, [pending_start()], [Err(refused(ErrorKind::Credentials))]);
    assert_eq!(kind_of(world.run(fresh(), pending()).await), ErrorKind::Credentials);

    let world = World::new(false, [pending_start()], [Ok(Status::Failed(refused(ErrorKind::ContentFilter)))]);
    assert_eq!(kind_of(world.run(fresh(), pending()).await), ErrorKind::ContentFilter);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_sent_that_cannot_be_persisted() {
    let world = World { is_lost: true, ..World::new(true, [pending_start()], [finished()]) };
    assert!(matches!(world.run(fresh(), pending()).await, Err(RunError::Lost(Lost))));
    assert_eq!(world.count("start"), 0);
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_answers_at_once_is_not_polled() {
    let done = |id: &str| Ok(Started::Finished(id.to_owned(), Source::Bytes(Vec::new())));
    let world = World::new(false, [done("")], []);
    assert_eq!(world.run(fresh(), pending()).await.unwrap(), "");
    assert_eq!((world.count("poll"), world.count("record")), (0, 1));
    let world = World::new(false, [done("id-2")], []);
    assert_eq!(world.run(fresh(), pending()).await.unwrap(), "id-2");
    assert_eq!(world.count("record asked=true id=Some(\"id-2\")"), 1);
}
