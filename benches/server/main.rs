//! The server's overhead: its response times while the device computes, and its cost per request with a model that returns at once.
//!
//! `cargo bench -p benches --bench server [-- [--usual-priority] [--remote] [SECONDS]]`. First a model of tiny-sd's shape with random
//! weights generates 512x512 images on all cores, at the server's priority for such threads (or at the usual one, for comparison), while
//! `/health` and a task's state are requested every few milliseconds. Then a model that returns at once replaces it, and whole requests are
//! timed one after another. A stored job's time is mostly the disk's, so that is measured too, and excluded in one run. Last are jobs of a
//! remote provider: the time that the server adds to the provider's own, and the memory of 500 waiting jobs (`--remote` runs only these).
//! The client is a thread of the same program. Results are in `../results/`.
#![expect(clippy::print_stdout, reason = "a bench prints its results")]

mod instant;
mod remote;
mod times;

use std::{
    env, fs,
    io::Write as _,
    path::Path,
    time::{Duration, Instant, SystemTime},
};

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use cpu_kernels::{Level, Priority};
use diffusion_core::{
    pipelines::nano_svd,
    policy::{DeviceChoice, ExecutionPolicy, Precision},
    weights::RandomWeights,
};
use generation::{
    LoadedModel, LocalBackend, LocalSettings, ModelStatus,
    jobs::{Durability, JobState, Jobs, JobsSettings, Metadata, NewJob, Priority as Urgency, Work},
};
use recycler::CachingAllocator;
use serde_json::{Value, json};
use server::{Server, ServerSettings, Services};
use tokio::{sync::oneshot, task::JoinHandle};

use crate::times::Times;

/// The program's own allocator.
#[global_allocator]
static ALLOCATOR: CachingAllocator = CachingAllocator::new();

/// Pause between two requests while the device computes.
const PAUSE: Duration = Duration::from_millis(5);
/// Number of rounds with the model that returns at once.
const ROUNDS: usize = 300;

fn main() -> Result<()> {
    let (mut priority, mut seconds, mut is_remote_only) = (Priority::Low, 20, false);
    // `cargo bench` adds this flag.
    for argument in env::args().skip(1).filter(|argument| argument != "--bench") {
        match argument.as_str() {
            "--usual-priority" => priority = Priority::Usual,
            "--remote" => is_remote_only = true,
            remote::AS_SERVICE => return tokio::runtime::Runtime::new()?.block_on(remote::be_the_service()),
            number => seconds = number.parse().with_context(|| format!("{number:?} is no number of seconds"))?,
        }
    }
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    cpu_kernels::configure(threads, Level::detect(), priority);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        if is_remote_only {
            remote::submitting(&env::temp_dir()).await?;
            return remote::waiting(&env::temp_dir()).await;
        }
        while_generating(priority, Duration::from_secs(seconds)).await?;
        with_instant_model("jobs on this disk", &env::temp_dir()).await?;
        // Without the cost of the disk.
        let memory = Path::new("/dev/shm");
        if memory.is_dir() {
            with_instant_model("jobs in memory", memory).await?;
        }
        remote::submitting(&env::temp_dir()).await?;
        remote::waiting(&env::temp_dir()).await
    })
}

/// A server on a free port, and a client.
struct Running {
    jobs: Jobs,
    client: reqwest::Client,
    base: String,
    stop: oneshot::Sender<()>,
    ended: JoinHandle<std::io::Result<()>>,
}

impl Running {
    async fn start(folder: &Path, load: impl FnOnce() -> diffusion_core::Result<LoadedModel> + Send + 'static) -> Result<Self> {
        let local = LocalBackend::start(LocalSettings::new(Instant::now), load)?;
        local.loaded().await.map_err(|reason| anyhow!(reason))?;
        let jobs = Jobs::open(JobsSettings::new(folder, SystemTime::now), local).await?;
        Self::serve(folder, jobs, Services::default())
    }

    fn serve(folder: &Path, jobs: Jobs, services: Services) -> Result<Self> {
        let settings = ServerSettings { port: 0, uploads: folder.join("uploads"), services, ..ServerSettings::default() };
        let server = Server::bind(&settings, jobs.clone())?;
        let base = format!("http://{}", server.addresses().first().context("it has no address")?);
        let (stop, stopped) = oneshot::channel();
        let ended = tokio::spawn(server.run_until(async {
            // A dropped sender stops the server too.
            let _stop: Result<(), oneshot::error::RecvError> = stopped.await;
        }));
        Ok(Self { jobs, client: reqwest::Client::new(), base, stop, ended })
    }

    async fn end(self) -> Result<()> {
        drop(self.stop);
        Ok(self.ended.await??)
    }

    /// Sends one request and reads the whole answer; returns the time with it.
    async fn timed(&self, path: &str, body: Option<&Value>) -> Result<(Duration, Vec<u8>)> {
        let url = format!("{}{path}", self.base);
        let request = body.map_or_else(|| self.client.get(&url), |body| self.client.post(&url).json(body));
        let began = Instant::now();
        let answer = request.send().await?;
        let status = answer.status();
        let body = answer.bytes().await?;
        let took = began.elapsed();
        ensure!(status.is_success(), "{path} was answered {status}: {}", String::from_utf8_lossy(&body));
        Ok((took, body.to_vec()))
    }
}

/// Times answers while the device computes without a pause.
async fn while_generating(priority: Priority, lasting: Duration) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let running = Running::start(folder.path(), move || {
        priority.take();
        let policy = ExecutionPolicy::resolve(DeviceChoice::Cpu, Precision::Auto)?;
        LoadedModel::load(&RandomWeights::new("tiny-sd", 1)?, &policy, Box::new(nano_svd()), None)
    });
    let running = running.await?;
    let Some(info) = model_of(&running) else { bail!("the model is gone") };
    let request = generation::ImageRequest {
        prompt: Some("a red circle on a blue background".into()),
        num_inference_steps: Some(100),
        count: Some(16),
        width: Some(512),
        height: Some(512),
        seed: Some(1),
        ..generation::ImageRequest::default()
    };
    let spec = request.validate(&generation::Limits::default(), &info).map_err(|faults| anyhow!("{faults:?}"))?;
    let id = running.jobs.submit(job("img_000000000000".into(), Work::Image(spec))).await?.job.id;
    while running.jobs.get("", &id).await?.is_none_or(|job| job.progress.step == 0) {
        tokio::time::sleep(PAUSE).await;
    }
    let (mut health, mut state) = (Times::default(), Times::default());
    let (began, task) = (Instant::now(), format!("/api/v1/tasks/{id}"));
    while began.elapsed() < lasting {
        health.add(running.timed("/health", None).await?.0);
        tokio::time::sleep(PAUSE).await;
        let (took, answer) = running.timed(&task, None).await?;
        state.add(took);
        let answer: Value = serde_json::from_slice(&answer)?;
        ensure!(answer["status"] == "processing", "it no longer runs: {answer}");
        tokio::time::sleep(PAUSE).await;
    }
    println!("while tiny-sd's shape generates 512x512 ({}, {}), threads at {priority:?} priority", info.device, info.precision);
    println!("{}", times::HEAD);
    println!("{}", health.row("GET /health"));
    println!("{}", state.row("GET /api/v1/tasks/{id}"));
    running.jobs.cancel("", &id).await?;
    running.end().await
}

fn model_of(running: &Running) -> Option<std::sync::Arc<generation::ModelInfo>> {
    match running.jobs.local().status() {
        ModelStatus::Ready(info) => Some(info),
        ModelStatus::Loading | ModelStatus::Failed(_) => None,
    }
}

fn job(id: String, work: Work) -> NewJob {
    NewJob {
        id,
        owner: String::new(),
        priority: Urgency::Normal,
        own_priority: Urgency::Normal,
        work,
        durability: Durability::Stored,
        metadata: Metadata::default(),
        idempotency: None,
        callback_url: None,
    }
}

/// Times requests to a model that returns at once.
async fn with_instant_model(what: &str, place: &Path) -> Result<()> {
    let folder = tempfile::tempdir_in(place)?;
    let running = Running::start(folder.path(), || Ok(instant::model())).await?;
    let Some(info) = model_of(&running) else { bail!("the model is gone") };
    let image = json!({"prompt": "a boat", "seed": 1, "width": instant::SIDE, "height": instant::SIDE});
    let request = generation::ImageRequest { prompt: Some("a boat".into()), seed: Some(1), ..generation::ImageRequest::default() };
    let spec = request.validate(&generation::Limits::default(), &info).map_err(|faults| anyhow!("{faults:?}"))?;

    let (mut generate, mut task, mut accepted, mut stored) = (Times::default(), Times::default(), Times::default(), Times::default());
    for round in 0..ROUNDS {
        generate.add(running.timed("/generate", Some(&image)).await?.0);
        task.add(running.timed("/api/v1/images/generate", Some(&image)).await?.0);
        let (began, id) = (Instant::now(), format!("img_{round}"));
        running.jobs.submit(job(id.clone(), Work::Image(spec.clone()))).await?;
        accepted.add(began.elapsed());
        let ended = running.jobs.finished("", &id).await?.context("the job is gone")?;
        stored.add(began.elapsed());
        ensure!(ended.state == JobState::Completed, "{id} is {}", ended.state);
    }
    let mut synced = Times::default();
    for _ in 0..ROUNDS {
        synced.add(one_sync(folder.path())?);
    }
    println!("\nover a model that returns at once (a picture of {0}x{0}), {what}", instant::SIDE);
    println!("{}", times::HEAD);
    println!("{}", generate.row("POST /generate"));
    println!("{}", task.row("POST /api/v1/images/generate, a stored job"));
    println!("{}", stored.row("a stored job, without HTTP"));
    println!("{}", accepted.row("  of that, until it is accepted"));
    println!("{}", synced.row("one write of 4 KiB, synced"));
    running.end().await
}

/// The disk's time for the smallest synced write.
fn one_sync(folder: &Path) -> Result<Duration> {
    let mut file = fs::OpenOptions::new().create(true).append(true).open(folder.join("synced"))?;
    file.write_all(&[7; 4096])?;
    let began = Instant::now();
    file.sync_data()?;
    Ok(began.elapsed())
}
