//! A program whose models fail once in the middle of a job: it warms up, runs ten jobs, one that fails, and ten more. It prints the result
//! of each job, and its memory several times before and after the failing job. Its test is `tests/it/faults.rs`.
//!
//! `faulty FOLDER FAULT PLACE`: FAULT is `memory` (the device is out of memory), `panic`, or `none`; PLACE is `steps` (of an image),
//! `frames` (of a moving scene) or `motion` (steps of an animated image).
#![expect(clippy::print_stdout, reason = "its test reads its output")]

use std::{
    env, fs,
    ops::ControlFlow,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

use anyhow::{Context as _, Result, bail, ensure};
use diffusion_core::{
    Error,
    denoise::{StepMonitor, StepReport},
    pipelines::{RunContext, VideoContext, VideoMonitor, VideoProgress, nano_sd, nano_svd},
    policy::{DeviceChoice, ExecutionPolicy, Precision},
    weights::StopCheck,
};
use generation::{
    DeviceModel, ImageOutput, ImageRequest, ImageSpec, Limits, LoadedModel, LocalBackend, LocalSettings, ModelInfo, TruncatedText,
    field_error::FieldError,
    jobs::{Durability, JobState, Jobs, JobsSettings, Metadata, NewJob, Priority, Work},
    video::{AnimationRequest, MotionRequest, SceneRequest, ScenesRequest, VideoShape, VideoSpec},
};
use image::RgbImage;
use recycler::CachingAllocator;

/// Samples of the resident memory, and the time before each.
const SAMPLES: u32 = 10;
const BETWEEN_SAMPLES: Duration = Duration::from_millis(50);

/// As in the server, because the allocator determines how much memory is held between jobs.
#[global_allocator]
static ALLOCATOR: CachingAllocator = CachingAllocator::new();

const JOBS: usize = 10;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    None,
    Memory,
    Panic,
}

/// This machine's models, which fail in the middle of a chosen job.
struct Faulty {
    inner: Box<dyn DeviceModel>,
    fault: Fault,
    /// The number of the next job's report that triggers the fault; 0 for none.
    report: Arc<AtomicUsize>,
}

/// Counts a run's reports, and interrupts it at one of them.
struct Count<'a, M: ?Sized> {
    monitor: &'a mut M,
    /// Reports until the fault; 0 for none.
    left: usize,
    fault: Fault,
    has_failed: bool,
}

impl<M: ?Sized> Count<'_, M> {
    fn report(&mut self) -> ControlFlow<()> {
        self.left = self.left.saturating_sub(1);
        if self.left != 1 {
            return ControlFlow::Continue(());
        }
        match self.fault {
            Fault::None => ControlFlow::Continue(()),
            Fault::Memory => {
                self.has_failed = true;
                ControlFlow::Break(())
            }
            Fault::Panic => panic!("a panic, as it was told"),
        }
    }
}

impl StepMonitor for Count<'_, dyn StepMonitor + '_> {
    fn on_step(&mut self, step: &StepReport<'_>) -> ControlFlow<()> {
        self.report()?;
        self.monitor.on_step(step)
    }
}

impl VideoMonitor for Count<'_, dyn VideoMonitor + '_> {
    fn on_progress(&mut self, progress: &VideoProgress) -> ControlFlow<()> {
        self.report()?;
        self.monitor.on_progress(progress)
    }
}

impl Faulty {
    fn with_fault<M: ?Sized, T>(
        &mut self,
        monitor: &mut M,
        run: impl FnOnce(&mut dyn DeviceModel, &mut Count<'_, M>) -> diffusion_core::Result<T>,
    ) -> diffusion_core::Result<T> {
        let left = self.report.swap(0, Ordering::Relaxed);
        let mut count = Count { monitor, left, fault: self.fault, has_failed: false };
        let result = run(self.inner.as_mut(), &mut count);
        // The pipeline has unwound as it does after a failed tensor operation.
        if count.has_failed { Err(Error::OutOfMemory { what: "an allocation, as it was told".into() }) } else { result }
    }
}

impl DeviceModel for Faulty {
    fn image(&mut self, spec: &ImageSpec, seed: u64, context: RunContext<'_>) -> diffusion_core::Result<ImageOutput> {
        let RunContext { monitor, journal, run } = context;
        self.with_fault(monitor, |model, monitor| model.image(spec, seed, RunContext { monitor, journal, run }))
    }

    fn video_shape(&mut self, spec: &VideoSpec, stop: &StopCheck) -> diffusion_core::Result<VideoShape> {
        self.inner.video_shape(spec, stop)
    }

    fn video(&mut self, spec: &VideoSpec, first_frame: usize, context: VideoContext<'_>) -> diffusion_core::Result<Vec<TruncatedText>> {
        let VideoContext { monitor, sink, journal } = context;
        self.with_fault(monitor, |model, monitor| model.video(spec, first_frame, VideoContext { monitor, sink, journal }))
    }
}

fn main() -> Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [folder, fault, place] = arguments.as_slice() else { bail!("usage: faulty FOLDER FAULT PLACE") };
    let fault = match fault.as_str() {
        "none" => Fault::None,
        "memory" => Fault::Memory,
        "panic" => Fault::Panic,
        unknown => bail!("no fault {unknown:?}"),
    };
    tokio::runtime::Runtime::new()?.block_on(run(PathBuf::from(folder), fault, place))
}

async fn run(folder: PathBuf, fault: Fault, place: &str) -> Result<()> {
    let report = Arc::new(AtomicUsize::new(0));
    let fault_report = Arc::clone(&report);
    let local = LocalBackend::start(LocalSettings::new(Instant::now), move || {
        let policy = ExecutionPolicy::resolve(DeviceChoice::Cpu, Precision::Auto)?;
        let LoadedModel { info, memory, model } = LoadedModel::load(&nano_sd(), &policy, Box::new(nano_svd()), None)?;
        Ok(LoadedModel { info, memory, model: Box::new(Faulty { inner: model, fault, report }) })
    })?;
    let jobs = Jobs::open(JobsSettings::new(folder, SystemTime::now), local.clone()).await?;
    let info = local.loaded().await.map_err(anyhow::Error::msg)?;

    // Afterwards all models are loaded, and every thread has its lasting allocations.
    run_ten(&jobs, &info, "warming", None).await?;
    run_ten(&jobs, &info, "first", Some("before")).await?;
    // The job that fails, and the number of its middle report.
    let (work, middle) = match place {
        "steps" => (image(&info, 20)?, 11),
        "frames" => (moving()?, 20),
        "motion" => (animation()?, 3),
        unknown => bail!("no place {unknown:?}"),
    };
    fault_report.store(middle, Ordering::Relaxed);
    let ended = run_job(&jobs, "faulty".into(), work).await?;
    let error = ended.error.as_ref().map_or(String::new(), |error| format!("{}: {}", error.kind.name(), error.message));
    println!("faulty {} {error}", ended.state);
    run_ten(&jobs, &info, "last", Some("after")).await?;
    jobs.shut_down(Duration::from_secs(60)).await;
    Ok(())
}

/// Ten jobs of all kinds, one after another. Prints the memory between them under the name `memory`, always after jobs of the same kinds.
async fn run_ten(jobs: &Jobs, info: &ModelInfo, name: &str, memory: Option<&str>) -> Result<()> {
    for number in 0..JOBS {
        let work = match number % 3 {
            0 => image(info, 8)?,
            1 => moving()?,
            _ => animation()?,
        };
        let job = run_job(jobs, format!("{name}-{number}"), work).await?;
        ensure!(job.state == JobState::Completed, "{} is {}: {:?}", job.id, job.state, job.error);
        println!("completed {}", job.id);
        if let Some(memory) = memory.filter(|_| number > 0 && number % 3 == 0) {
            println!("{memory} {}", resident_kilobytes().await?);
        }
    }
    Ok(())
}

async fn run_job(jobs: &Jobs, id: String, work: Work) -> Result<generation::jobs::Job> {
    let new = NewJob {
        id: id.clone(),
        owner: String::new(),
        priority: Priority::Normal,
        own_priority: Priority::Normal,
        work,
        durability: Durability::Stored,
        metadata: Metadata::default(),
        idempotency: None,
        callback_url: None,
    };
    jobs.submit(new).await?;
    jobs.finished("", &id).await?.context("it is gone")
}

/// The program's resident memory while it is idle: the least of several samples, because a job's last buffers are freed just after it ends.
async fn resident_kilobytes() -> Result<u64> {
    let mut least = u64::MAX;
    for _ in 0..SAMPLES {
        tokio::time::sleep(BETWEEN_SAMPLES).await;
        ALLOCATOR.trim();
        let status = fs::read_to_string("/proc/self/status")?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
        least = least.min(line.trim().trim_end_matches(" kB").parse()?);
    }
    Ok(least)
}

fn refused(faults: Vec<FieldError>) -> anyhow::Error {
    anyhow::anyhow!("{faults:?}")
}

fn image(info: &ModelInfo, steps: i128) -> Result<Work> {
    let request = ImageRequest {
        prompt: Some("a red circle on a blue background".into()),
        num_inference_steps: Some(steps),
        seed: Some(11),
        ..ImageRequest::default()
    };
    request.validate(&Limits::default(), info).map(Work::Image).map_err(refused)
}

fn motion() -> MotionRequest {
    MotionRequest { num_inference_steps: Some(4), num_frames: Some(6), ..MotionRequest::default() }
}

/// A still scene of twelve frames and a moving one of the same length.
fn moving() -> Result<Work> {
    let still = SceneRequest { prompt: Some("a beach at noon".into()), source: Some("still".into()), ..SceneRequest::default() };
    let moving = SceneRequest { source: Some("moving".into()), motion: Some(motion()), ..still.clone() };
    let request = ScenesRequest {
        scenes: Some(vec![still, moving]),
        duration_per_scene: Some(0.5),
        num_inference_steps: Some(2),
        width: Some(128),
        height: Some(128),
        seed: Some(5),
        ..ScenesRequest::default()
    };
    request.validate(&Limits::default()).map(|spec| Work::Video(VideoSpec::Scenes(spec))).map_err(refused)
}

fn animation() -> Result<Work> {
    let request = AnimationRequest {
        image: Some(RgbImage::from_fn(128, 128, |x, y| image::Rgb([(2 * x) as u8, (2 * y) as u8, 90]))),
        motion: motion(),
        seed: Some(3),
        ..AnimationRequest::default()
    };
    request.validate(&Limits::default()).map(|spec| Work::Video(VideoSpec::Animation(spec))).map_err(refused)
}
