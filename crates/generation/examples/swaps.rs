//! Thirty rounds of swaps between four models with memory for two, and the process's memory meanwhile. For measurements on Linux.
//!
//! `cargo run --release -p generation --example swaps [ROUNDS]` prints a line of JSON: resident bytes at the start, after the first round,
//! after the last, at most, and after all models were idle for a second. The models are the embedded one under four names.
#![expect(clippy::print_stdout, reason = "it prints its measurements")]

use std::{
    fs,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use diffusion_core::{
    pipelines::{nano_sd, nano_svd},
    policy::ExecutionPolicy,
};
use generation::{
    Backend as _, ImageRequest, JobContext, Limits, LoadedModel, LocalBackend, LocalSettings, ModelSetup, ModelState, OpenModel,
    PoolSettings, Work,
};
use recycler::CachingAllocator;

#[global_allocator]
static ALLOCATOR: CachingAllocator = CachingAllocator::new();

const NAMES: [&str; 4] = ["a", "b", "c", "d"];

fn main() -> Result<()> {
    let rounds: usize = std::env::args().nth(1).map_or(Ok(30), |text| text.parse()).context("ROUNDS is a number")?;
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(swap(rounds))
}

async fn swap(rounds: usize) -> Result<()> {
    let start = status("VmRSS")?;
    let policy = ExecutionPolicy::cpu_f32();
    let weights = LoadedModel::facts(&nano_sd(), &policy, &nano_svd(), None)?.1.weights();
    let models = NAMES.map(|name| {
        let policy = policy.clone();
        ModelSetup::new(name, move || OpenModel::of(Box::new(nano_sd()), &policy, Box::new(nano_svd()), None))
    });
    let pool = PoolSettings { budget: Some(weights * 2), idle: Some(Duration::from_secs(1)), release: Some(|| ALLOCATOR.trim()) };
    let local = LocalBackend::start_pool(LocalSettings::new(Instant::now), models.into(), pool)?;
    local.loaded().await.map_err(anyhow::Error::msg)?;
    let mut first = 0;
    for round in 0..rounds {
        for name in NAMES {
            image(&local, name).await?;
        }
        if round == 0 {
            first = status("VmRSS")?;
        }
    }
    let (last, most) = (status("VmRSS")?, status("VmHWM")?);
    let deadline = Instant::now() + Duration::from_secs(60);
    while local.models().iter().any(|model| model.state != ModelState::Unloaded) {
        anyhow::ensure!(Instant::now() < deadline, "models stay loaded");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let idle = status("VmRSS")?;
    let loads: u64 = local.models().iter().map(|model| model.loads).sum();
    println!(
        r#"{{"weights": {weights}, "loads": {loads}, "start": {start}, "first": {first}, "last": {last}, "most": {most}, "idle": {idle}}}"#
    );
    Ok(())
}

async fn image(local: &LocalBackend, name: &str) -> Result<()> {
    let info = local.opened_model(Some(name)).await?;
    let request = ImageRequest {
        model: Some(name.into()),
        prompt: Some("a boat".into()),
        seed: Some(3),
        num_inference_steps: Some(2),
        ..ImageRequest::default()
    };
    let spec = request.validate(&Limits::DEFAULT, &info).map_err(|faults| anyhow::anyhow!("{faults:?}"))?;
    local.run(Arc::new(Work::Image(spec)), JobContext::default()).await?;
    Ok(())
}

/// A line of `/proc/self/status`, in bytes.
fn status(line: &str) -> Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let found = status.lines().find_map(|text| text.strip_prefix(line)?.strip_prefix(':')?.trim().strip_suffix(" kB"));
    Ok(found.with_context(|| format!("no {line}"))?.parse::<u64>()? * 1024)
}
