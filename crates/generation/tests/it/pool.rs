//! Several models on one device: loading on demand, memory, swaps, failures, cancellation, and the order of jobs.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use diffusion_core::{
    Error,
    pipelines::{nano_sd, nano_svd},
    policy::ExecutionPolicy,
};
use generation::{
    ImageRequest, Limits, LoadWatch, LoadedModel, LocalBackend, LocalSettings, MemoryPlan, ModelSetup, ModelState, OpenModel, PoolSettings,
    Refusal, SubmitError,
    jobs::{HeldJob, JobState, Jobs, Work},
};
use generation_test::{eventually, info, model};

use crate::fake::{held_only, hold, images};

const NAMES: [&str; 4] = ["a", "b", "c", "d"];

/// A load that blocks until the test opens the gate.
#[derive(Clone, Default)]
struct Gate(Arc<(Mutex<bool>, Condvar)>);

impl Gate {
    fn open(&self) {
        *self.0.0.lock().unwrap() = true;
        self.0.1.notify_all();
    }

    fn wait_open(&self) {
        let open = self.0.0.lock().unwrap();
        drop(self.0.1.wait_while(open, |open| !*open).unwrap());
    }

    /// Waits until the gate opens; fails with [`Error::Cancelled`] if the load is cancelled first.
    fn wait(&self, watch: &LoadWatch) -> diffusion_core::Result<()> {
        let mut open = self.0.0.lock().unwrap();
        while !*open {
            if watch.is_cancelled() {
                return Err(Error::Cancelled);
            }
            open = self.0.1.wait_timeout(open, Duration::from_millis(1)).unwrap().0;
        }
        Ok(())
    }
}

fn loaded(bytes: u64) -> LoadedModel {
    LoadedModel { memory: MemoryPlan::of_weights(bytes, None), ..model() }
}

/// A fake model of this many bytes; `before` runs before each load.
fn setup(name: &str, bytes: u64, before: impl Fn(&LoadWatch) -> diffusion_core::Result<()> + Send + Sync + 'static) -> ModelSetup {
    opened_after(name, || Ok(()), bytes, before)
}

/// As [`setup`]; its files are open once `open` has returned.
fn opened_after(
    name: &str,
    open: impl Fn() -> diffusion_core::Result<()> + Send + Sync + 'static,
    bytes: u64,
    before: impl Fn(&LoadWatch) -> diffusion_core::Result<()> + Send + Sync + 'static,
) -> ModelSetup {
    let before = Arc::new(before);
    ModelSetup::new(name, move || {
        open()?;
        let before = Arc::clone(&before);
        let load = move |watch: &LoadWatch| {
            before(watch)?;
            Ok(loaded(bytes))
        };
        Ok(OpenModel::new(load).with_facts(info(), MemoryPlan::of_weights(bytes, None)))
    })
}

fn at_once(name: &str) -> ModelSetup {
    setup(name, 10, |_| Ok(()))
}

async fn pool(models: Vec<ModelSetup>, budget: u64) -> LocalBackend {
    let settings = PoolSettings { budget: Some(budget), ..PoolSettings::default() };
    let local = LocalBackend::start_pool(LocalSettings::new(Instant::now), models, settings).unwrap();
    local.loaded().await.unwrap();
    opened(&local).await;
    local
}

/// Waits until the facts of all models are known.
async fn opened(local: &LocalBackend) {
    for view in local.models() {
        local.opened_model(Some(&view.name)).await.unwrap();
    }
}

fn work(model: &str, prompt: &str) -> Work {
    let request = ImageRequest {
        model: Some(model.into()),
        prompt: Some(prompt.into()),
        seed: Some(7),
        num_inference_steps: Some(3),
        ..ImageRequest::default()
    };
    Work::Image(request.validate(&Limits::default(), &info()).unwrap())
}

async fn ask(jobs: &Jobs, model: &str) -> Result<HeldJob, SubmitError> {
    hold(jobs, work(model, "a boat"), None).await
}

fn state(local: &LocalBackend, name: &str) -> ModelState {
    local.models().into_iter().find(|view| view.name == name).unwrap().state
}

fn loads(local: &LocalBackend) -> BTreeMap<String, u64> {
    local.models().into_iter().map(|view| (view.name, view.loads)).collect()
}

#[tokio::test]
async fn a_model_is_loaded_on_demand_and_the_least_recently_used_one_is_evicted() {
    let local = pool(NAMES.map(at_once).into(), 25).await;
    let jobs = held_only(8, local.clone());
    assert_eq!((state(&local, "a"), state(&local, "b")), (ModelState::Ready, ModelState::Unloaded));
    for name in ["b", "a", "c"] {
        assert_eq!(images(ask(&jobs, name).await.unwrap()).await.unwrap().len(), 1);
    }
    // b was used before a.
    let ready = NAMES.map(|name| state(&local, name) == ModelState::Ready);
    assert_eq!(ready, [true, false, true, false]);
    assert_eq!(loads(&local)["a"], 1);
}

/// A model that is still being downloaded: the default model and the others start without it.
#[tokio::test]
async fn a_model_whose_files_are_missing_delays_no_other() {
    let gate = Gate::default();
    let held = gate.clone();
    let wait = move || {
        held.wait_open();
        Ok(())
    };
    let opened = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&opened);
    let count = move || {
        counted.fetch_add(1, Ordering::Relaxed);
        Ok(())
    };
    let models = vec![opened_after("a", count, 10, |_| Ok(())), opened_after("b", wait, 10, |_| Ok(())), at_once("c")];
    let local = LocalBackend::start_pool(LocalSettings::new(Instant::now), models, PoolSettings::default()).unwrap();
    local.loaded().await.unwrap();
    assert_eq!(opened.load(Ordering::Relaxed), 1, "the default model's files are opened once");
    local.opened_model(Some("c")).await.unwrap();
    let jobs = held_only(8, local.clone());
    for name in ["a", "c"] {
        assert_eq!(images(ask(&jobs, name).await.unwrap()).await.unwrap().len(), 1);
    }
    // Its facts are unknown, so no request can be checked.
    assert_eq!(state(&local, "b"), ModelState::Unloaded);
    assert!(matches!(ask(&jobs, "b").await, Err(SubmitError::Refused(Refusal::Loading))));
    // A load by name waits for the files and delays no job.
    local.load_model("b").unwrap();
    assert_eq!(images(ask(&jobs, "a").await.unwrap()).await.unwrap().len(), 1);
    assert_eq!(state(&local, "b"), ModelState::Queued);
    // So does a job that was checked before a restart of the program.
    let running = tokio::spawn({
        let local = local.clone();
        async move { generation::Backend::run(&local, Arc::new(work("b", "a boat")), generation::JobContext::default()).await }
    });
    gate.open();
    assert!(running.await.unwrap().is_ok());
    assert_eq!((state(&local, "b"), loads(&local)["b"]), (ModelState::Ready, 1));
    assert_eq!(images(ask(&jobs, "b").await.unwrap()).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_model_with_broken_files_reports_why_and_a_load_by_name_tries_again() {
    let broken = Arc::new(AtomicBool::new(true));
    let is_broken = Arc::clone(&broken);
    let open = move || match is_broken.load(Ordering::Relaxed) {
        true => Err(Error::file("/srv/models/b/unet/config.json", "truncated")),
        false => Ok(()),
    };
    let models = vec![at_once("a"), opened_after("b", open, 10, |_| Ok(()))];
    let local = LocalBackend::start_pool(LocalSettings::new(Instant::now), models, PoolSettings::default()).unwrap();
    local.loaded().await.unwrap();
    assert!(matches!(local.opened_model(Some("b")).await, Err(Refusal::Failed(_))));
    assert_eq!(state(&local, "b"), ModelState::Failed { reason: "config.json: truncated".into() });
    broken.store(false, Ordering::Relaxed);
    local.load_model("b").unwrap();
    eventually("it is loaded", || state(&local, "b") == ModelState::Ready).await;
}

#[tokio::test]
async fn an_unknown_model_is_refused_with_the_known_names() {
    let local = pool(NAMES.map(at_once).into(), 25).await;
    let jobs = held_only(8, local);
    let refused = ask(&jobs, "e").await;
    let Err(SubmitError::Refused(refusal @ Refusal::UnknownModel { .. })) = refused else { panic!("{refused:?}") };
    assert_eq!(refusal.to_string(), "no model \"e\" is set up; there are a, b, c, d");
    assert_eq!(refusal.field(), Some("model"));
}

#[test]
fn work_stored_by_an_older_version_has_the_default_model() {
    let named = work("turbo", "a boat");
    let mut json = serde_json::to_value(&named).unwrap();
    assert_eq!(json["pictures"]["model"], "turbo");
    let read: Work = serde_json::from_value(json.clone()).unwrap();
    assert_eq!(read.model(), Some("turbo"));
    json["pictures"].as_object_mut().unwrap().remove("model");
    let read: Work = serde_json::from_value(json.clone()).unwrap();
    assert_eq!(read.model(), None);
    // The field is absent if no model is named, so older versions can read it.
    assert_eq!(serde_json::to_value(&read).unwrap(), json);
}

#[tokio::test]
async fn a_job_that_waits_for_its_model_shows_it_and_other_jobs_run() {
    let gate = Gate::default();
    let held = gate.clone();
    let local = pool(vec![at_once("a"), setup("b", 10, move |watch| held.wait(watch))], 25).await;
    let jobs = held_only(8, local.clone());
    let waiting = ask(&jobs, "b").await.unwrap();
    let id = waiting.id().to_owned();
    eventually("it is being loaded", || matches!(state(&local, "b"), ModelState::Loading { .. })).await;
    let job = jobs.get("", &id).await.unwrap().unwrap();
    assert_eq!(job.state, JobState::Queued);
    assert!(matches!(job.waits_for, Some((name, ModelState::Loading { .. })) if name == "b"));
    // The device continues with its loaded model.
    assert_eq!(images(ask(&jobs, "a").await.unwrap()).await.unwrap().len(), 1);
    gate.open();
    assert_eq!(images(waiting).await.unwrap().len(), 1);
    let job = jobs.get("", &id).await.unwrap().unwrap();
    assert_eq!((job.state, job.waits_for), (JobState::Completed, None));
}

#[tokio::test]
async fn a_job_that_is_cancelled_while_its_model_loads_finishes_at_once() {
    let gate = Gate::default();
    let held = gate.clone();
    let local = pool(vec![at_once("a"), setup("b", 10, move |watch| held.wait(watch))], 25).await;
    let jobs = held_only(8, local.clone());
    let waiting = ask(&jobs, "b").await.unwrap();
    let id = waiting.id().to_owned();
    eventually("it is being loaded", || matches!(state(&local, "b"), ModelState::Loading { .. })).await;
    jobs.cancel("", &id).await.unwrap();
    assert!(images(waiting).await.is_err());
    assert_eq!(jobs.get("", &id).await.unwrap().unwrap().state, JobState::Cancelled);
    assert_eq!(jobs.active(), 0);
    // Unloading by name stops the load itself.
    local.unload_model("b").unwrap();
    eventually("the load is stopped", || state(&local, "b") == ModelState::Unloaded).await;
}

#[tokio::test]
async fn cancelling_a_job_stops_a_load_for_it_alone() {
    use generation::{Backend as _, BackendError, CancelSwitch, JobContext};
    let local = pool(vec![at_once("a"), setup("b", 10, |watch| Gate::default().wait(watch))], 15).await;
    let cancel = CancelSwitch::default();
    let context = JobContext { cancel: cancel.clone(), ..JobContext::default() };
    let running = tokio::spawn({
        let local = local.clone();
        async move { local.run(Arc::new(work("b", "a boat")), context).await }
    });
    eventually("it is being loaded", || matches!(state(&local, "b"), ModelState::Loading { .. })).await;
    cancel.cancel();
    assert!(matches!(running.await.unwrap(), Err(BackendError::Cancelled)));
    assert_eq!(state(&local, "b"), ModelState::Unloaded);
}

#[tokio::test]
async fn a_failed_load_leaves_the_other_models_serving_and_is_retried_later() {
    let broken = Arc::new(AtomicBool::new(true));
    let is_broken = Arc::clone(&broken);
    let fails = move |_: &LoadWatch| match is_broken.load(Ordering::Relaxed) {
        true => Err(Error::file("unet/config.json", "truncated\nbacktrace")),
        false => Ok(()),
    };
    let local = pool(vec![at_once("a"), setup("b", 10, fails)], 25).await;
    let jobs = held_only(8, local.clone());
    let failed = images(ask(&jobs, "b").await.unwrap()).await.unwrap_err();
    assert_eq!(failed.to_string(), "the model b could not be loaded: unet/config.json: truncated");
    assert_eq!(state(&local, "b"), ModelState::Failed { reason: "unet/config.json: truncated".into() });
    assert_eq!(images(ask(&jobs, "a").await.unwrap()).await.unwrap().len(), 1);
    broken.store(false, Ordering::Relaxed);
    assert_eq!(images(ask(&jobs, "b").await.unwrap()).await.unwrap().len(), 1);
    assert_eq!(state(&local, "b"), ModelState::Ready);
}

#[tokio::test]
async fn a_panic_of_a_loader_fails_only_its_model() {
    let local = pool(vec![at_once("a"), setup("b", 10, |_| panic!("out of luck"))], 25).await;
    let jobs = held_only(8, local.clone());
    assert!(images(ask(&jobs, "b").await.unwrap()).await.is_err());
    assert_eq!(state(&local, "b"), ModelState::Failed { reason: "internal error: out of luck".into() });
    assert_eq!(images(ask(&jobs, "a").await.unwrap()).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_failed_default_model_leaves_the_others_serving() {
    let broken = setup("a", 10, |_| Err(Error::file("unet/config.json", "truncated")));
    let settings = PoolSettings { budget: Some(25), ..PoolSettings::default() };
    let local = LocalBackend::start_pool(LocalSettings::new(Instant::now), vec![broken, at_once("b")], settings).unwrap();
    assert_eq!(*local.loaded().await.unwrap(), info(), "it is tried again on demand");
    opened(&local).await;
    let jobs = held_only(8, local.clone());
    assert_eq!(images(ask(&jobs, "b").await.unwrap()).await.unwrap().len(), 1);
    assert!(matches!(state(&local, "a"), ModelState::Failed { .. }));
}

#[tokio::test]
async fn a_job_of_a_model_larger_than_the_budget_fails_with_both_sizes() {
    let local = pool(vec![at_once("a"), setup("b", 40, |_| Ok(()))], 25).await;
    let jobs = held_only(8, local.clone());
    let failed = images(ask(&jobs, "b").await.unwrap()).await.unwrap_err().to_string();
    assert!(failed.contains("it holds 40 bytes, and pool.budget is 25"), "{failed}");
    assert_eq!(state(&local, "a"), ModelState::Ready, "no model is dropped for it");
}

#[tokio::test]
async fn a_model_is_loaded_and_dropped_by_name() {
    let local = pool(NAMES.map(at_once).into(), 25).await;
    local.load_model("d").unwrap();
    eventually("it is loaded", || state(&local, "d") == ModelState::Ready).await;
    local.unload_model("a").unwrap();
    eventually("it is dropped", || state(&local, "a") == ModelState::Unloaded).await;
    assert!(matches!(local.load_model("e"), Err(Refusal::UnknownModel { .. })));
    // The default model is loaded again on demand.
    let jobs = held_only(8, local.clone());
    assert_eq!(images(ask(&jobs, "a").await.unwrap()).await.unwrap().len(), 1);
    assert_eq!(loads(&local)["a"], 2);
}

#[tokio::test]
async fn idle_models_are_dropped_and_their_memory_is_released() {
    static RELEASED: AtomicUsize = AtomicUsize::new(0);
    let release = || {
        RELEASED.fetch_add(1, Ordering::Relaxed);
    };
    let settings = PoolSettings { budget: None, idle: Some(Duration::from_millis(1)), release: Some(release) };
    let local = LocalBackend::start_pool(LocalSettings::new(Instant::now), NAMES.map(at_once).into(), settings).unwrap();
    local.loaded().await.unwrap();
    eventually("it is dropped", || state(&local, "a") == ModelState::Unloaded).await;
    eventually("its memory is released", || RELEASED.load(Ordering::Relaxed) > 0).await;
}

/// A burst over four models with memory for two: every job completes, with at most twice as many loads as in the best order, which loads
/// each model once.
#[tokio::test]
async fn a_burst_over_four_models_swaps_seldom_and_starves_no_job() {
    let local = pool(NAMES.map(at_once).into(), 25).await;
    let jobs = held_only(64, local.clone());
    // All jobs are queued before the first finishes.
    let first = hold(&jobs, work("a", "slow"), None).await.unwrap();
    let mut progress = first.progress();
    progress.wait_for(|progress| progress.started).await.unwrap();
    let mut burst = Vec::new();
    for _ in 0..10 {
        for name in NAMES {
            burst.push(ask(&jobs, name).await.unwrap());
        }
    }
    drop(first);
    for job in burst {
        assert_eq!(images(job).await.unwrap().len(), 1);
    }
    let loads = loads(&local);
    assert!(loads.values().sum::<u64>() <= 8, "{loads:?}");
}

/// The embedded models under four names, two in each precision.
fn embedded(name: &'static str) -> ModelSetup {
    let policy = move || match name {
        "a" | "b" => ExecutionPolicy::cpu_f32(),
        _ => ExecutionPolicy::resolve(diffusion_core::policy::DeviceChoice::Cpu, diffusion_core::policy::Precision::Bf16).unwrap(),
    };
    ModelSetup::new(name, move || OpenModel::of(Box::new(nano_sd()), &policy(), Box::new(nano_svd()), None))
}

async fn png_of(jobs: &Jobs, name: &str) -> Vec<u8> {
    let request = ImageRequest {
        model: Some(name.into()),
        prompt: Some("a boat".into()),
        seed: Some(3),
        num_inference_steps: Some(2),
        ..ImageRequest::default()
    };
    let info = jobs.local().model_named(Some(name)).unwrap();
    let spec = request.validate(&Limits::default(), &info).unwrap();
    images(hold(jobs, Work::Image(spec), None).await.unwrap()).await.unwrap().remove(0).png
}

/// Thirty swaps between four models with memory for two: each image equals the one after a fresh start, byte for byte.
#[tokio::test]
async fn thirty_swaps_change_no_image() {
    let bytes = LoadedModel::facts(&nano_sd(), &ExecutionPolicy::cpu_f32(), &nano_svd(), None).unwrap().1.weights();
    let mut fresh = BTreeMap::new();
    for name in NAMES {
        let alone = held_only(1, pool(vec![embedded(name)], u64::MAX).await);
        fresh.insert(name, png_of(&alone, name).await);
    }
    let local = pool(NAMES.map(embedded).into(), bytes * 2).await;
    let jobs = held_only(1, local.clone());
    for round in 0..30 {
        // Four names in turn: the next is never one of the last two.
        let name = NAMES[round % 4];
        assert!(png_of(&jobs, name).await == fresh[name], "the image of {name} in round {round}");
        let held: u64 = local.models().iter().filter(|view| view.state == ModelState::Ready).map(|view| view.bytes).sum();
        assert!(held <= bytes * 2, "{held} bytes are held");
    }
    assert!(loads(&local).values().sum::<u64>() >= 20, "{:?}", loads(&local));
}
