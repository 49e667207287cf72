//! How long a model's change of adapters takes, against loading it, and the process's memory meanwhile. For measurements on Linux.
//!
//! `cargo run --release -p generation --example lora_swaps MODEL ADAPTERS [ROUNDS]` loads the model twice (so that its file is in memory),
//! then changes ROUNDS times (40) from no adapters to each adapter of the folder in turn. It prints a line of JSON: seconds of the second
//! load, of each first change, the mean of the others, and resident bytes after the first round, after the last, and at most.
#![expect(clippy::print_stdout, reason = "it prints its measurements")]

use std::{fs, path::PathBuf, time::Instant};

use anyhow::{Context as _, Result};
use diffusion_core::{
    adapters::{AdaptedSource, AdapterFolder},
    pipelines::StableDiffusion,
    policy::{DeviceChoice, ExecutionPolicy, Precision},
    weights::{OpenOptions, WeightSource, open_model},
};
use recycler::CachingAllocator;

#[global_allocator]
static ALLOCATOR: CachingAllocator = CachingAllocator::new();

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let model = PathBuf::from(arguments.next().context("MODEL is missing")?);
    let folder = AdapterFolder::open(arguments.next().context("ADAPTERS is missing")?)?;
    let rounds: usize = arguments.next().map_or(Ok(40), |text| text.parse()).context("ROUNDS is a number")?;
    let names = folder.names()?;
    let policy = ExecutionPolicy::resolve(DeviceChoice::Auto, Precision::Auto)?;
    let open = || open_model(&model, &OpenOptions::default());
    drop(StableDiffusion::load(open()?.as_ref(), &policy)?);
    let started = Instant::now();
    let mut loaded = StableDiffusion::load(open()?.as_ref(), &policy)?;
    let load = started.elapsed().as_secs_f64();
    let (mut firsts, mut others, mut first_bytes) = (Vec::new(), Vec::new(), 0);
    let mut applied = Vec::new();
    for round in 0..rounds {
        // No adapters, the first, none, the second, ..
        let name = names.get(round / 2 % names.len().max(1)).filter(|_| round % 2 == 1);
        let started = Instant::now();
        let choices = name.map(|name| name.parse()).transpose()?.into_iter().collect::<Vec<_>>();
        applied = folder.choose(&choices, &applied)?;
        let source: Box<dyn WeightSource> =
            if applied.is_empty() { open()? } else { Box::new(AdaptedSource::new(open()?, applied.clone())?) };
        loaded = loaded.reload(source.as_ref())?;
        drop(source);
        let took = started.elapsed().as_secs_f64();
        if round < 2 * names.len() {
            firsts.push((name.map_or("none", String::as_str).to_owned(), took));
            first_bytes = status("VmRSS")?;
        } else {
            others.push(took);
        }
    }
    let mean = others.iter().sum::<f64>() / others.len().max(1) as f64;
    let (last, most) = (status("VmRSS")?, status("VmHWM")?);
    let precision = policy.unet.as_str();
    println!(
        "{}",
        serde_json::json!({
            "precision": precision, "load_seconds": load, "first_swaps": firsts, "other_swaps_mean": mean,
            "share_of_load": mean / load, "first_round_bytes": first_bytes, "last_bytes": last, "most_bytes": most,
        })
    );
    Ok(())
}

/// A size of this process, in bytes.
fn status(key: &str) -> Result<u64> {
    let text = fs::read_to_string("/proc/self/status")?;
    let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':')).context("no such size")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? * 1024)
}
