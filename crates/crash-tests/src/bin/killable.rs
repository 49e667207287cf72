//! A program to be killed: it submits a queue of mixed jobs for the embedded models, runs them, and prints a line for each event. Its test
//! (`tests/it/killed.rs`) kills it at a chosen moment and starts it again on the same folder.
//!
//! `killable FOLDER [POINT NTH]`: when it reaches the fail point POINT for the NTH time, it prints that and blocks until it is killed.
#![expect(clippy::print_stdout, reason = "its test reads its output")]

use std::{
    env,
    path::PathBuf,
    sync::atomic::{AtomicUsize, Ordering},
    time::{Instant, SystemTime},
};

use anyhow::{Context as _, Result, bail};
use diffusion_core::{
    adapters::UpscalerFolder,
    pipelines::{nano_sd, nano_svd},
    policy::{DeviceChoice, ExecutionPolicy, Precision},
};
use generation::{
    ImageRequest, Limits, LoadedModel, LocalBackend, LocalSettings, ModelInfo, ModelSetup, OpenModel, PoolSettings, UpscaleRequest,
    UpscaledSize, Upscalers,
    field_error::FieldError,
    jobs::{Cancelled, Durability, FailHook, FailPoint, JobState, Jobs, JobsSettings, Metadata, NewJob, Page, Priority, Work},
    video::{AnimationRequest, ClipRequest, ClipRules, MotionRequest, SceneRequest, ScenesRequest, VideoSpec},
};
use image::RgbImage;

/// Small upscalers.
const UPSCALERS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../generation-test/upscalers");
/// The job that its owner cancels while it runs.
const CALLED_OFF: &str = "called-off";
/// The last job, which its owner prefers to the others.
const PREFERRED: &str = "enlarged";

fn main() -> Result<()> {
    let mut arguments = env::args().skip(1);
    let folder = PathBuf::from(arguments.next().context("usage: killable FOLDER [POINT NTH]")?);
    let point = arguments.next().map(|name| point(&name)).transpose()?;
    let nth: usize = arguments.next().map_or(Ok(1), |nth| nth.parse())?;
    tokio::runtime::Runtime::new()?.block_on(run(folder, point, nth))
}

fn point(name: &str) -> Result<FailPoint> {
    let found = FailPoint::ALL.into_iter().find(|point| format!("{point:?}") == name);
    found.with_context(|| format!("no fail point {name:?}"))
}

async fn run(folder: PathBuf, point: Option<FailPoint>, nth: usize) -> Result<()> {
    let policy = || ExecutionPolicy::resolve(DeviceChoice::Cpu, Precision::Auto);
    let open = move || Ok(OpenModel::new(move |_| LoadedModel::load(&nano_sd(), &policy()?, Box::new(nano_svd()), None)));
    let upscalers = Upscalers::new(UpscalerFolder::open(UPSCALERS)?, move || Ok((policy()?, None)));
    let settings = LocalSettings::new(Instant::now);
    let local = LocalBackend::start_with(settings, vec![ModelSetup::new("default", open)], PoolSettings::default(), upscalers)?;
    let hook = match point {
        Some(wanted) => {
            let times = AtomicUsize::new(0);
            FailHook::new(move |point| {
                if point == wanted && times.fetch_add(1, Ordering::Relaxed) + 1 == nth {
                    println!("at {point:?}");
                    loop {
                        std::thread::park();
                    }
                }
            })
        }
        None => FailHook::default(),
    };
    let jobs = Jobs::open(JobsSettings { fail_hook: hook, ..JobsSettings::new(folder, SystemTime::now) }, local.clone()).await?;
    let info = local.loaded().await.map_err(anyhow::Error::msg)?;
    // Jobs submitted in an earlier run exist already, with the same idempotency keys.
    for (id, work) in mixed(&info)? {
        let new = NewJob {
            id: id.into(),
            owner: String::new(),
            priority: Priority::Normal,
            own_priority: Priority::Normal,
            work,
            durability: Durability::Stored,
            metadata: Metadata::default(),
            idempotency: Some(generation::jobs::Idempotency { key: id.into(), fingerprint: id.into() }),
            callback_url: None,
        };
        jobs.submit(new).await?;
        println!("accepted {id}");
    }
    // In a later run it may have ended.
    jobs.set_own_priority("", PREFERRED, Priority::High).await?;
    cancel_long_job(&jobs).await?;
    let all = Page { limit: 100, newest_first: false, ..Page::default() };
    for job in jobs.list("", all).await? {
        let Some(ended) = jobs.finished("", &job.id).await? else { bail!("{} is gone", job.id) };
        println!("{} {}", ended.state, ended.id);
    }
    // Nothing is left to persist when this returns.
    jobs.shut_down(std::time::Duration::from_secs(60)).await;
    println!("done");
    Ok(())
}

/// Cancels the long job as soon as it runs.
async fn cancel_long_job(jobs: &Jobs) -> Result<()> {
    jobs.until("", CALLED_OFF, |job| job.state != JobState::Queued).await?;
    match jobs.cancel("", CALLED_OFF).await? {
        Cancelled::Done(_) | Cancelled::Finished(_) => Ok(()),
        Cancelled::Unknown => bail!("{CALLED_OFF} is gone"),
    }
}

fn refused(faults: Vec<FieldError>) -> anyhow::Error {
    anyhow::anyhow!("{faults:?}")
}

/// Small jobs of every kind.
fn mixed(info: &ModelInfo) -> Result<Vec<(&'static str, Work)>> {
    let limits = Limits::default();
    let generate = |prompt: &str, steps: i128, count: i128| {
        let request = ImageRequest {
            prompt: Some(prompt.into()),
            num_inference_steps: Some(steps),
            count: Some(count),
            seed: Some(11),
            ..ImageRequest::default()
        };
        request.validate(&limits, info).map(Work::Image).map_err(refused)
    };
    let scene = |prompt: &str, source: &str, motion: Option<MotionRequest>| SceneRequest {
        prompt: Some(prompt.into()),
        source: Some(source.into()),
        motion,
        ..SceneRequest::default()
    };
    let scenes = |scenes: Vec<SceneRequest>, join: &str, seconds: f64| {
        let request = ScenesRequest {
            scenes: Some(scenes),
            join: Some(join.into()),
            duration_per_scene: Some(seconds),
            transition_frames: Some(4),
            num_inference_steps: Some(8),
            width: Some(128),
            height: Some(128),
            seed: Some(5),
            ..ScenesRequest::default()
        };
        request.validate(&limits).map(|spec| Work::Video(VideoSpec::Scenes(spec))).map_err(refused)
    };
    let motion = || MotionRequest { num_inference_steps: Some(4), ..MotionRequest::default() };
    let still = |prompt: &str| scene(prompt, "still", None);
    let given = RgbImage::from_fn(128, 128, |x, y| image::Rgb([(2 * x) as u8, (2 * y) as u8, 90]));
    let clip = ClipRequest {
        image: Some(given.clone()),
        prompt: Some("a beach at noon with boats".into()),
        duration: Some(2.0),
        camera_motion: Some("pan".into()),
        resolution: Some("160x96".into()),
        motion: motion(),
        seed: Some(9),
        ..ClipRequest::default()
    };
    let clip = clip.validate(&ClipRules::default(), &limits).map_err(refused)?;
    let enlarged = UpscaleRequest {
        image: Some(given.clone().into()),
        upscaler: Some("real_x4".into()),
        size: UpscaledSize::Scale(2.5),
        ..UpscaleRequest::default()
    };
    let enlarged = enlarged.validate(Some(&UpscalerFolder::open(UPSCALERS)?)).map_err(refused)?;
    let animation = AnimationRequest { image: Some(given), motion: motion(), seed: Some(3), ..AnimationRequest::default() };
    let animation = animation.validate(&limits).map_err(refused)?;
    Ok(vec![
        ("pictures", generate("a red circle on a blue background", 10, 3)?),
        ("crossfade", scenes(vec![still("a beach at noon"), still("a desert at sunset"), still("a forest")], "crossfade", 0.3)?),
        (CALLED_OFF, generate("a city at night", 150, 16)?),
        ("slerp", scenes(vec![still("a green star"), still("a yellow triangle")], "slerp", 0.2)?),
        ("moving", scenes(vec![still("a beach at noon with boats"), scene("an orange star", "moving", Some(motion()))], "cut", 2.0)?),
        ("animation", Work::Video(VideoSpec::Animation(animation))),
        ("clip", Work::Video(VideoSpec::Clip(clip))),
        ("enlarged", Work::Upscale(enlarged)),
    ])
}
