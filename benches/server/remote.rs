//! The cost of jobs at a remote provider: the time that the server adds to the provider's own, and the memory of many waiting jobs.
//!
//! The provider is a fake of Amazon Bedrock in a separate process, so that its recordings are not counted here.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    path::Path,
    process::{Child, ChildStdin, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use anyhow::{Context as _, Result, anyhow, ensure};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use generation::{
    Backend, LocalBackend, LocalSettings, RemoteBackend, RemoteSettings,
    jobs::{Jobs, JobsSettings},
};
use image::{ImageFormat, RgbImage};
use remote_fakes::{aws::Account, bedrock::Bedrock as BedrockFake, s3::S3};
use remote_providers::{AwsKeys, Bedrock, BedrockSettings, Guard, GuardSettings, Pace, Provider, VideoRequest};
use serde_json::{Value, json};
use server::{Service, Services};

use crate::{Running, instant, times, times::Times};

/// The argument that makes this program the provider.
pub(crate) const AS_SERVICE: &str = "--as-service";
/// Jobs that wait at the same time.
const IN_FLIGHT: usize = 500;
/// The number of requests of each kind.
const ROUNDS: usize = 200;
const BUCKET: &str = "videos";

/// Serves until standard input is closed.
pub(crate) async fn be_the_service() -> Result<()> {
    let s3 = S3::start(Account::default(), &[BUCKET]).await?;
    let bedrock = BedrockFake::start(Account::default(), &s3).await?;
    bedrock.set_polls(u32::MAX);
    writeln!(std::io::stdout(), "{} {}", bedrock.url(), s3.url())?;
    tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await??;
    Ok(())
}

/// The provider's process; dropping this ends it.
struct FakeProcess {
    _child: Child,
    _lifeline: ChildStdin,
    endpoint: String,
    s3_endpoint: String,
}

impl FakeProcess {
    fn start() -> Result<Self> {
        let mut child = Command::new(std::env::current_exe()?).arg(AS_SERVICE).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let (lifeline, stdout) = (child.stdin.take().context("no stdin")?, child.stdout.take().context("no stdout")?);
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        let (endpoint, s3_endpoint) = line.trim().split_once(' ').context("it printed no addresses")?;
        Ok(Self { endpoint: endpoint.to_owned(), s3_endpoint: s3_endpoint.to_owned(), _child: child, _lifeline: lifeline })
    }

    async fn provider(&self, pace: Pace) -> Result<Arc<dyn Provider>> {
        let Account { access_key, secret_key, .. } = Account::default();
        let keys = AwsKeys { access_key_id: access_key, secret_access_key: secret_key.into(), session_token: None };
        let settings = BedrockSettings {
            region: Some("us-east-1".into()),
            keys: Some(keys),
            endpoint: Some(self.endpoint.clone()),
            s3_endpoint: Some(self.s3_endpoint.clone()),
            pace,
            ..BedrockSettings::new(BUCKET)
        };
        Ok(Arc::new(Bedrock::connect(settings).await?))
    }
}

/// A server with this provider, and its jobs in a folder.
async fn start(folder: &Path, provider: Arc<dyn Provider>) -> Result<Running> {
    let local = LocalBackend::start(LocalSettings::new(Instant::now), || Ok(instant::model()))?;
    local.loaded().await.map_err(|reason| anyhow!(reason))?;
    let settings = RemoteSettings { slots: 2 * IN_FLIGHT, ..RemoteSettings::new(Instant::now) };
    let backend = RemoteBackend::new(provider.clone(), Guard::new(GuardSettings::default()), settings);
    let jobs = JobsSettings { queue_capacity: 4 * IN_FLIGHT, ..JobsSettings::new(folder, SystemTime::now) };
    let jobs = Jobs::open_with(jobs, local, vec![Arc::new(backend) as Arc<dyn Backend>]).await?;
    let model = Some("bedrock/nova-reel".to_owned());
    let services = Services {
        services: vec![Service { provider, model: "nova-reel".into() }],
        text: model.clone(),
        tasks: model,
        ..Services::default()
    };
    Running::serve(folder, jobs, services)
}

fn every(interval: Duration) -> Pace {
    Pace { initial_wait: interval, interval, max_interval: interval, deadline: Duration::from_secs(3600) }
}

/// Times requests until they are answered, and the provider's own share.
pub(crate) async fn submitting(place: &Path) -> Result<()> {
    let folder = tempfile::tempdir_in(place)?;
    let fake = FakeProcess::start()?;
    // Nothing is polled during these measurements.
    let provider = fake.provider(every(Duration::from_secs(3600))).await?;
    let running = start(folder.path(), provider.clone()).await?;
    let (text, task) = (json!({"text": "a boat"}), image_task()?);
    let request = VideoRequest { prompt: "a boat".into(), ..VideoRequest::default() };
    let (mut own, mut texts, mut tasks) = (Times::default(), Times::default(), Times::default());
    for round in 0..ROUNDS {
        let began = Instant::now();
        provider.start("nova-reel", &request, &format!("token-{round}")).await?;
        own.add(began.elapsed());
        texts.add(running.timed("/generate-video", Some(&text)).await?.0);
    }
    for _ in 0..ROUNDS {
        let (took, answer) = running.timed("/api/v1/videos/generate", Some(&task)).await?;
        tasks.add(took);
        // The answer comes before the provider has the image, and that work must not be measured with the next request.
        let answer: Value = serde_json::from_slice(&answer)?;
        let id = answer["task_id"].as_str().context("a task has no id")?;
        running.jobs.until("", id, |job| job.remote_id().is_some()).await?.context("a task is lost")?;
    }
    println!("\njobs of a remote provider, stored on a disk");
    println!("{}", times::HEAD);
    println!("{}", own.row("the provider's own answer to a start"));
    println!("{}", texts.row("POST /generate-video, until the ARN"));
    println!("{}", tasks.row("POST /api/v1/videos/generate, a picture"));
    running.end().await
}

/// Measures the memory of jobs that are running at a provider.
pub(crate) async fn waiting(place: &Path) -> Result<()> {
    for (what, path, body) in
        [("texts", "/generate-video", json!({"text": "a boat"})), ("pictures", "/api/v1/videos/generate", image_task()?)]
    {
        let folder = tempfile::tempdir_in(place)?;
        let fake = FakeProcess::start()?;
        let running = start(folder.path(), fake.provider(every(Duration::from_secs(2))).await?).await?;
        // The first jobs pay one-time costs.
        for _ in 0..20 {
            running.timed(path, Some(&body)).await?;
        }
        tokio::time::sleep(Duration::from_secs(3)).await;
        let before = resident()?;
        for _ in 0..IN_FLIGHT {
            running.timed(path, Some(&body)).await?;
        }
        let until = Instant::now() + Duration::from_secs(60);
        while running.jobs.provider_metrics().first().map_or(0, |of| of.running) < IN_FLIGHT {
            ensure!(Instant::now() < until, "not all have started");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        tokio::time::sleep(Duration::from_secs(10)).await;
        let grown = resident()?.saturating_sub(before);
        println!("{IN_FLIGHT} {what} at the provider, polled every 2 s: {:.1} MB more", grown as f64 / 1e6);
        running.end().await?;
    }
    Ok(())
}

/// A task with an image of 640x360.
fn image_task() -> Result<Value> {
    let mut file = std::io::Cursor::new(Vec::new());
    RgbImage::from_fn(640, 360, |x, y| image::Rgb([(x % 251) as u8, (y % 241) as u8, ((x * y) % 239) as u8]))
        .write_to(&mut file, ImageFormat::Jpeg)?;
    Ok(json!({"image": BASE64_STANDARD.encode(file.get_ref()), "prompt": "a boat", "resolution": "1280x720", "fps": 24, "duration": 6}))
}

/// The resident memory of this process, in bytes.
fn resident() -> Result<u64> {
    let pages = fs::read_to_string("/proc/self/statm")?;
    let pages: u64 = pages.split(' ').nth(1).context("no resident pages")?.parse()?;
    Ok(pages * 4096)
}
