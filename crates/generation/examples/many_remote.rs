//! The cost of many jobs at a provider: memory, threads and processor time with 500 in flight, and the duration of a submit meanwhile.
//!
//! `cargo run --release -p generation --example many_remote [JOBS]`. The provider is a relay in a process of its own that never finishes a
//! video; each job has a picture of 200 KB. Targets: under 50 MB for 500 jobs, and a submit within 20 ms at the median. Linux only.
#![expect(clippy::print_stdout, reason = "it prints its measurements")]

use std::{
    env, fs,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use anyhow::{Context as _, Result, ensure};
use generation::{
    Backend, LocalBackend, LocalSettings, RemoteBackend, RemoteSettings,
    jobs::{Durability, Jobs, JobsSettings, Metadata, NewJob, Priority, Work},
    video::{RemoteVideoSpec, VideoSpec},
};
use image::{Rgb, RgbImage};
use recycler::CachingAllocator;
use remote_fakes::{RelayOptions, VeoRelayFake};
use remote_providers::{Guard, GuardSettings, ImageFormat, InputImage, Pace, Provider, VeoRelay, VeoRelaySettings, VideoRequest};
use secrecy::SecretString;

/// As in the server.
#[global_allocator]
static ALLOCATOR: CachingAllocator = CachingAllocator::new();

const KEY: &str = "a-key";
/// How long the jobs run undisturbed while their cost is measured: four polls of each.
const OBSERVATION: Duration = Duration::from_secs(20);

fn main() -> Result<()> {
    let argument = env::args().nth(1);
    let runtime = tokio::runtime::Runtime::new()?;
    if argument.as_deref() == Some("relay") {
        return runtime.block_on(async {
            let options = RelayOptions { key: KEY.into(), polls: 1_000_000, ..RelayOptions::default() };
            let relay = VeoRelayFake::start(options).await?;
            println!("{}", relay.server.url());
            std::future::pending().await
        });
    }
    let count = argument.map_or(Ok(500), |count| count.parse())?;
    runtime.block_on(measure(count))
}

/// The relay's process, which exits with this one.
struct Relay {
    process: Child,
    url: String,
}

impl Relay {
    fn start() -> Result<Self> {
        let mut process = Command::new(env::current_exe()?).arg("relay").stdout(Stdio::piped()).spawn()?;
        let mut url = String::new();
        BufReader::new(process.stdout.take().context("it says nothing")?).read_line(&mut url)?;
        Ok(Self { process, url: url.trim().to_owned() })
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        // It may have exited by itself.
        let _ = self.process.kill().and_then(|()| self.process.wait());
    }
}

/// Jobs stored in a folder, with the relay as their provider.
async fn open(folder: &Path, url: &str, count: usize) -> Result<Jobs> {
    let interval = Duration::from_secs(5);
    let veo = VeoRelay::new(VeoRelaySettings {
        base_url: url.to_owned(),
        pace: Pace { initial_wait: interval, interval, max_interval: interval, deadline: Duration::from_secs(3600) },
        ..VeoRelaySettings::new(SecretString::from(KEY))
    })?;
    let provider: Arc<dyn Provider> = Arc::new(veo);
    let settings = RemoteSettings { slots: 2 * count, ..RemoteSettings::new(Instant::now) };
    let backend: Arc<dyn Backend> = Arc::new(RemoteBackend::new(provider, Guard::new(GuardSettings::default()), settings));
    let local = LocalBackend::start(LocalSettings::new(Instant::now), || Err(diffusion_core::Error::file("model", "there is none")))?;
    Ok(Jobs::open_with(JobsSettings::new(folder, SystemTime::now), local, vec![backend]).await?)
}

async fn measure(count: usize) -> Result<()> {
    let relay = Relay::start()?;
    let folder = tempfile::tempdir()?;
    let jobs = open(folder.path(), &relay.url, count).await?;
    let image = image()?;
    println!("{count} jobs, each with a picture of {} KB", image.bytes.len() / 1000);

    // Warm-up: allocates everything that does not depend on the number of jobs.
    submit_all(&jobs, "warm", 8, Some(&image)).await?;
    let before = Usage::now()?;
    let times = submit_all(&jobs, "job", count, Some(&image)).await?;
    println!("submit with a picture, while the jobs before it are begun: {times}");
    wait("in flight", &before, count).await?;
    println!("submit without a picture, {count} in flight: {}", submit_all(&jobs, "more", 100, None).await?);

    jobs.shut_down(Duration::ZERO).await;
    drop(jobs);
    let jobs = loop {
        // The last thread of the previous instance still has the folder.
        match open(folder.path(), &relay.url, count).await {
            Ok(jobs) => break jobs,
            Err(error) => println!("{error}"),
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    for index in 0..count {
        jobs.until("", &format!("job-{index}"), |job| job.attempts > 1).await?;
    }
    wait("in flight after a restart", &before, count).await?;
    jobs.shut_down(Duration::ZERO).await;
    Ok(())
}

/// Prints the cost of the jobs in flight, now and after a while.
async fn wait(what: &str, before: &Usage, count: usize) -> Result<()> {
    let now = Usage::now()?;
    tokio::time::sleep(OBSERVATION).await;
    let after = Usage::now()?;
    println!(
        "{count} {what}: {:.1} MB more than the {:.1} MB before, {:.1} MB more after {} s; {} threads, then {} ({} before)",
        now.megabytes() - before.megabytes(),
        before.megabytes(),
        after.megabytes() - before.megabytes(),
        OBSERVATION.as_secs(),
        now.threads,
        after.threads,
        before.threads
    );
    println!("processor: {:.1} % of a core", 100.0 * (after.processor - now.processor) / OBSERVATION.as_secs_f64());
    Ok(())
}

/// A picture that does not compress: noise.
fn image() -> Result<InputImage> {
    let mut state = 1_u32;
    let image = RgbImage::from_fn(260, 260, |_, _| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        Rgb([(state >> 8) as u8, (state >> 16) as u8, (state >> 24) as u8])
    });
    Ok(InputImage { bytes: generation::png::encode_fast(&image)?, format: ImageFormat::Png, source_url: None })
}

/// Durations, for percentiles.
struct Times(Vec<Duration>);

impl std::fmt::Display for Times {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let at = |share: usize| self.0.get((self.0.len() * share / 100).min(self.0.len().saturating_sub(1))).copied().unwrap_or_default();
        let milliseconds = |time: Duration| time.as_secs_f64() * 1000.0;
        write!(f, "p50 {:.1} ms, p95 {:.1} ms, p99 {:.1} ms", milliseconds(at(50)), milliseconds(at(95)), milliseconds(at(99)))
    }
}

/// Submits jobs one after another, waits until the provider has each, and returns the duration of each submit.
async fn submit_all(jobs: &Jobs, name: &str, count: usize, image: Option<&InputImage>) -> Result<Times> {
    let mut times = Vec::with_capacity(count);
    let id = |index: usize| format!("{name}-{index}");
    for index in 0..count {
        let request = VideoRequest { prompt: "a boat".into(), image: image.cloned(), ..VideoRequest::default() };
        let new = NewJob {
            id: id(index),
            owner: String::new(),
            priority: Priority::Normal,
            own_priority: Priority::Normal,
            work: Work::Video(VideoSpec::Remote(RemoteVideoSpec::new("veo", request))),
            durability: Durability::Stored,
            metadata: Metadata::default(),
            idempotency: None,
            callback_url: None,
        };
        let started = Instant::now();
        jobs.submit(new).await?;
        times.push(started.elapsed());
    }
    for index in 0..count {
        let begun = jobs.until("", &id(index), |job| job.remote_id().is_some() || job.state.is_final()).await?;
        ensure!(begun.is_some_and(|job| !job.state.is_final()), "{} has failed", id(index));
    }
    times.sort_unstable();
    Ok(Times(times))
}

/// This process's resource usage.
struct Usage {
    bytes: f64,
    threads: u32,
    /// Seconds.
    processor: f64,
}

impl Usage {
    fn now() -> Result<Self> {
        let status = fs::read_to_string("/proc/self/status")?;
        let field = |name: &str| -> Result<f64> {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).with_context(|| format!("no {name}"))?;
            Ok(line.split_whitespace().next().unwrap_or_default().parse()?)
        };
        // The fields after the program's name, which may contain spaces: user and system time are the 12th and 13th, in hundredths of a
        // second.
        let stat = fs::read_to_string("/proc/self/stat")?;
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let ticks = |index: usize| -> Result<f64> { Ok(fields.get(index).context("a short stat")?.parse()?) };
        Ok(Self { bytes: field("VmRSS:")? * 1024.0, threads: field("Threads:")? as u32, processor: (ticks(11)? + ticks(12)?) / 100.0 })
    }

    fn megabytes(&self) -> f64 {
        self.bytes / 1e6
    }
}
