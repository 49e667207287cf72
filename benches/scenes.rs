//! The cost of editing one scene of twelve: a video made from nothing, the same with another prompt for one scene, and the same again.
//!
//! `cargo bench -p benches --bench scenes [-- [SIDE] [ROUNDS] [MODEL]]`. The model is nano-sd as its README says it is used: 25 steps at
//! guidance 7.5, images of 128x128; or MODEL, a named architecture with random weights, such as tiny-sd. SIDE is the video's side in pixels
//! (128): twelve scenes of three seconds at 24 frames a second, with crossfades of half a second. Times are those of held jobs, from their
//! submission to the MP4 file, encoding included; a round has a folder of its own. "full" is the edited video without kept
//! parts, and its bytes must be those of "edited". Results of one machine are in `results/`.
#![expect(clippy::print_stdout, reason = "a bench prints its measurements")]

use std::{
    env, fs,
    io::Cursor,
    path::Path,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use cpu_kernels::{Level, Priority};
use diffusion_core::{
    pipelines::{nano_sd, nano_svd},
    policy::{DeviceChoice, ExecutionPolicy, Precision},
    weights::{RandomWeights, WeightSource},
};
use generation::{
    JobOutput, Limits, LoadedModel, LocalBackend, LocalSettings,
    jobs::{DEFAULT_PARTS_BYTES, Durability, HeldVideo, Jobs, JobsSettings, Metadata, NewJob, Priority as Turn, Work},
    png,
    video::{PartCounts, SceneRequest, ScenesRequest, ScenesSpec, VideoOutput, VideoSpec},
};
use image::{ImageFormat, RgbImage};
use recycler::CachingAllocator;

/// As in the program.
#[global_allocator]
static ALLOCATOR: CachingAllocator = CachingAllocator::new();

const PROMPTS: [&str; 12] = [
    "a peaceful sunrise over mountains with mist",
    "a city at night with stars and a moon",
    "a beach at noon with boats",
    "a desert at sunset with cacti",
    "a snowy forest at night under the moon",
    "a sea at noon with birds",
    "a red circle on a blue background",
    "a green star on a white background",
    "a yellow triangle on a purple background",
    "a forest at sunrise with mist",
    "a beach at sunset with palms",
    "a city at noon with clouds",
];
const EDITED: &str = "a desert at night with stars";

fn main() -> Result<()> {
    // `cargo bench` adds this flag.
    let mut values = env::args().skip(1).filter(|argument| argument != "--bench");
    let side: u32 = values.next().map_or(Ok(128), |text| text.parse()).context("SIDE is a number of pixels")?;
    let rounds: usize = values.next().map_or(Ok(5), |text| text.parse()).context("ROUNDS is a number")?;
    ensure!(rounds > 0, "ROUNDS is at least 1");
    let model = values.next();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    cpu_kernels::configure(threads, Level::detect(), Priority::Usual);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(measure(side, rounds, threads, model))
}

fn spec(side: u32, edited: bool) -> Result<ScenesSpec> {
    let scene = |(index, prompt): (usize, &&str)| {
        let prompt = if edited && index == 5 { EDITED } else { prompt };
        SceneRequest { prompt: Some(prompt.to_owned()), ..SceneRequest::default() }
    };
    let request = ScenesRequest {
        scenes: Some(PROMPTS.iter().enumerate().map(scene).collect()),
        width: Some(side.into()),
        height: Some(side.into()),
        seed: Some(1),
        ..ScenesRequest::default()
    };
    request.validate(&Limits::default()).map_err(|faults| anyhow!("{faults:?}"))
}

async fn measure(side: u32, rounds: usize, threads: usize, model: Option<String>) -> Result<()> {
    let policy = ExecutionPolicy::resolve(DeviceChoice::Cpu, Precision::Auto)?;
    let precision = policy.unet.as_str();
    let name = model.clone().unwrap_or_else(|| "nano-sd".to_owned());
    let local = LocalBackend::start(LocalSettings::new(Instant::now), move || {
        let source: Box<dyn WeightSource> = match &model {
            None => Box::new(nano_sd()),
            Some(architecture) => Box::new(RandomWeights::new(architecture, 1)?),
        };
        LoadedModel::load(source.as_ref(), &policy, Box::new(nano_svd()), None)
    })?;
    local.loaded().await.map_err(|reason| anyhow!(reason))?;
    let (base, edited) = (spec(side, false)?, spec(side, true)?);
    println!("{name} in {precision} on {threads} threads: 12 scenes, {} frames of {side}x{side}", base.timeline().frames());
    // Warms up.
    let warm = tempfile::tempdir()?;
    video(&jobs(warm.path(), &local, 0).await?, warm.path(), &base).await?;
    let mut times: [Vec<Duration>; 4] = Default::default();
    println!("{:>8} {:>8} {:>8} {:>8}   seconds", "first", "edited", "again", "full");
    for _ in 0..rounds {
        let (with, without) = (tempfile::tempdir()?, tempfile::tempdir()?);
        let kept = jobs(with.path(), &local, DEFAULT_PARTS_BYTES).await?;
        let first = video(&kept, with.path(), &base).await?;
        let one = video(&kept, with.path(), &edited).await?;
        let again = video(&kept, with.path(), &edited).await?;
        let full = video(&jobs(without.path(), &local, 0).await?, without.path(), &edited).await?;
        ensure!(one.bytes == full.bytes && again.bytes == full.bytes, "the bytes differ from those of a full video");
        let counts = [first.counts, one.counts, again.counts, full.counts].map(|PartCounts { made, reused }| (made, reused));
        ensure!(counts == [(23, 0), (3, 20), (0, 23), (23, 0)], "{counts:?}");
        let round = [first.took, one.took, again.took, full.took];
        println!("{}", round.map(|took| format!("{:>8.3}", took.as_secs_f64())).join(" "));
        times.iter_mut().zip(round).for_each(|(times, took)| times.push(took));
    }
    let [_, one, again, full] = times.map(|mut times| {
        times.sort_unstable();
        times.get(times.len() / 2).map_or(0.0, Duration::as_secs_f64)
    });
    println!(
        "medians: editing one of twelve scenes costs {:.3} of a full video; reading and encoding alone {:.3}",
        one / full,
        again / full
    );
    images(&local).await
}

async fn jobs(folder: &Path, local: &LocalBackend, parts_bytes: u64) -> Result<Jobs> {
    Ok(Jobs::open(JobsSettings { parts_bytes, ..JobsSettings::new(folder, SystemTime::now) }, local.clone()).await?)
}

struct Made {
    took: Duration,
    bytes: Vec<u8>,
    counts: PartCounts,
}

/// Makes a video as `POST /generate-video` does.
async fn video(jobs: &Jobs, folder: &Path, spec: &ScenesSpec) -> Result<Made> {
    let path = folder.join("video.mp4");
    let started = Instant::now();
    let id = format!("vid_{}", SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_nanos());
    let new = NewJob {
        id,
        owner: String::new(),
        priority: Turn::Normal,
        own_priority: Turn::Normal,
        work: Work::Video(VideoSpec::Scenes(spec.clone())),
        durability: Durability::Held { video: Some(HeldVideo { output: VideoOutput::new(&path)?, folder: None }) },
        metadata: Metadata::default(),
        idempotency: None,
        callback_url: None,
    };
    let held = jobs.submit(new).await?.held.context("the job is held")?;
    let output = held.finished().await.map_err(|error| anyhow!("{error}"))?;
    let took = started.elapsed();
    let JobOutput::Video(video) = Arc::unwrap_or_clone(output).output else { bail!("it is no video") };
    Ok(Made { took, bytes: fs::read(&path)?, counts: video.parts.context("its parts are counted")? })
}

/// What keeping and reading one of the model's images costs, in the form in which parts and journals keep it, and in others.
async fn images(local: &LocalBackend) -> Result<()> {
    let info = local.model()?;
    let request = generation::ImageRequest { prompt: Some(PROMPTS[0].into()), seed: Some(1), ..generation::ImageRequest::default() };
    let spec = request.validate(&Limits::default(), &info).map_err(|faults| anyhow!("{faults:?}"))?;
    let context = generation::JobContext::default();
    let output = generation::Backend::run(local, Arc::new(Work::Image(spec)), context).await.map_err(|error| anyhow!("{error}"))?;
    let JobOutput::Images(images) = output else { bail!("it is no image") };
    let small = &images.first().context("there is one")?.image;
    let large = image::imageops::resize(small, 1024, 576, image::imageops::FilterType::Lanczos3);
    println!("one image, lossless: bytes, milliseconds to write, milliseconds to read");
    for image in [small, &large] {
        let raw = image.as_raw().len();
        row(image, "PNG, fastest", || Ok(png::encode_fast(image)?))?;
        row(image, "PNG, usual", || Ok(png::encode(image, "")?))?;
        row(image, "WebP", || {
            let mut bytes = Cursor::new(Vec::new());
            image.write_to(&mut bytes, ImageFormat::WebP)?;
            Ok(bytes.into_inner())
        })?;
        println!("  {}x{} {:<14} {raw:>9}", image.width(), image.height(), "pixels");
    }
    Ok(())
}

fn row(image: &RgbImage, name: &str, encode: impl Fn() -> Result<Vec<u8>>) -> Result<()> {
    const TIMES: u32 = 20;
    let bytes = encode()?;
    let each = |started: Instant| started.elapsed().as_secs_f64() * 1000.0 / f64::from(TIMES);
    let started = Instant::now();
    for _ in 0..TIMES {
        encode()?;
    }
    let write = each(started);
    let started = Instant::now();
    for _ in 0..TIMES {
        ensure!(image::load_from_memory(&bytes)?.into_rgb8() == *image, "{name} is not lossless");
    }
    println!("  {}x{} {name:<14} {:>9} {write:>8.2} {:>8.2}", image.width(), image.height(), bytes.len(), each(started));
    Ok(())
}
