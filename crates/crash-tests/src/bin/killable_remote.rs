//! A program to be killed: it requests one video from a provider, and prints a line for each event. Its test (`tests/it/killed_remote.rs`)
//! is the provider, kills it at a chosen moment and starts it again on the same folder.
//!
//! `killable_remote FOLDER PROVIDER URL[,URL] [POINT]`: when it reaches the fail point POINT, it prints that and blocks until it is killed.
//! Providers are "bedrock" (with the URLs of Bedrock and of S3), "veo" (a relay) and "pika" (fal). If POINT is `Cancelled`, it cancels the
//! job once the provider has accepted it. If POINT is `linger`, it prints `done` and waits to be killed.
#![expect(clippy::print_stdout, reason = "its test reads its output")]

use std::{
    env,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use anyhow::{Context as _, Result, bail};
use generation::{
    Backend, LocalBackend, LocalSettings, RemoteBackend, RemoteSettings,
    jobs::{Durability, FailHook, FailPoint, Idempotency, Jobs, JobsSettings, Metadata, NewJob, Price, Priority, SpendSettings, Work},
    video::{RemoteVideoSpec, VideoSpec},
};
use remote_providers::{
    AwsKeys, Bedrock, BedrockSettings, Guard, GuardSettings, Pace, PikaFal, PikaFalSettings, Provider, VeoRelay, VeoRelaySettings,
    VideoRequest,
};
use secrecy::SecretString;

/// The only job.
const ID: &str = "paid";

fn main() -> Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [folder, provider, urls, rest @ ..] = arguments.as_slice() else {
        bail!("usage: killable_remote FOLDER PROVIDER URL[,URL] [POINT]");
    };
    let word = rest.first().map_or("", String::as_str);
    tokio::runtime::Runtime::new()?.block_on(run(folder.into(), provider, urls, word))
}

/// A provider at the test's servers, and the requested model.
async fn provider(name: &str, urls: &str) -> Result<(Arc<dyn Provider>, &'static str)> {
    let interval = Duration::from_millis(30);
    let pace = Pace { initial_wait: interval, interval, max_interval: interval, deadline: Duration::from_secs(240) };
    let key = || SecretString::from("a-key");
    Ok(match name {
        "bedrock" => {
            let (endpoint, s3) = urls.split_once(',').context("bedrock has two addresses")?;
            let keys = AwsKeys {
                access_key_id: "AKIDEXAMPLE".into(),
                secret_access_key: SecretString::from("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
                session_token: None,
            };
            let settings = BedrockSettings {
                region: Some("us-east-1".into()),
                keys: Some(keys),
                endpoint: Some(endpoint.into()),
                s3_endpoint: Some(s3.into()),
                pace,
                ..BedrockSettings::new("videos")
            };
            (Arc::new(Bedrock::connect(settings).await?), "bedrock/nova-reel")
        }
        "veo" => {
            let settings = VeoRelaySettings { base_url: urls.into(), pace, ..VeoRelaySettings::new(key()) };
            (Arc::new(VeoRelay::new(settings)?), "veo")
        }
        "pika" => {
            // The job is cancelled before the first poll.
            let pace = Pace { initial_wait: Duration::from_secs(240), ..pace };
            (Arc::new(PikaFal::new(PikaFalSettings { base_url: urls.into(), pace, ..PikaFalSettings::new(key()) })), "pika")
        }
        _ => bail!("no provider {name:?}"),
    })
}

async fn run(folder: PathBuf, name: &str, urls: &str, word: &str) -> Result<()> {
    let point = FailPoint::ALL.into_iter().find(|point| format!("{point:?}") == word);
    let hook = FailHook::new(move |reached| {
        if Some(reached) == point {
            println!("at {reached:?}");
            loop {
                std::thread::park();
            }
        }
    });
    let (provider, model) = provider(name, urls).await?;
    let allow = vec!["127.0.0.1".parse()?];
    let guard = Guard::new(GuardSettings { allow, ports: (1..=u16::MAX).collect(), ..GuardSettings::default() });
    let backend: Arc<dyn Backend> = Arc::new(RemoteBackend::new(provider, guard, RemoteSettings::new(Instant::now)));
    let prices = [(name.to_owned(), Price { per_job: 500_000, ..Price::default() })].into();
    let spend = SpendSettings { prices, ..SpendSettings::default() };
    let local = LocalBackend::start(LocalSettings::new(Instant::now), || Err(diffusion_core::Error::file("model", "there is none")))?;
    let settings = JobsSettings { fail_hook: hook, spend, ..JobsSettings::new(folder, SystemTime::now) };
    let jobs = Jobs::open_with(settings, local, vec![backend]).await?;
    let request = VideoRequest { prompt: "a boat".into(), ..VideoRequest::default() };
    // The job of an earlier run exists already, with the same idempotency key.
    let new = NewJob {
        id: ID.into(),
        owner: String::new(),
        priority: Priority::Normal,
        own_priority: Priority::Normal,
        work: Work::Video(VideoSpec::Remote(RemoteVideoSpec::new(model, request))),
        durability: Durability::Stored,
        metadata: Metadata::default(),
        idempotency: Some(Idempotency { key: ID.into(), fingerprint: ID.into() }),
        callback_url: None,
    };
    jobs.submit(new).await?;
    println!("accepted");
    if point == Some(FailPoint::Cancelled) {
        jobs.until("", ID, |job| job.remote_id().is_some()).await?;
        jobs.cancel("", ID).await?;
    }
    let Some(ended) = jobs.finished("", ID).await? else { bail!("the job is gone") };
    println!("{}", ended.state);
    if word != "linger" {
        // Nothing is left to persist when this returns.
        jobs.shut_down(Duration::from_secs(60)).await;
    }
    println!("done");
    if word == "linger" {
        std::future::pending::<()>().await;
    }
    Ok(())
}
