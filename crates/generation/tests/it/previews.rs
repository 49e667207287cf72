//! Previews of jobs with the embedded models: they are for owners who ask for them, and do not change the result.

use std::{
    fs,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

use diffusion_core::{
    pipelines::{nano_sd, nano_svd},
    policy::ExecutionPolicy,
};
use generation::{
    Backend as _, ImageRequest, ImageSpec, JobContext, JobOutput, Limits, LoadedModel, LocalBackend, LocalSettings, ModelInfo, PreviewOf,
    jobs::{Durability, JobState, JobsSettings, Metadata, NewJob, Priority, Work},
    video::{AnimationRequest, MotionRequest, VideoSpec},
};
use generation_test::{Checked, PATIENCE};
use image::RgbImage;

use crate::fake::video;

/// A clock that advances by a second at every call, so that there is a preview at every step.
fn hasty() -> Instant {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    static LOOKS: AtomicU64 = AtomicU64::new(0);
    *START + Duration::from_secs(LOOKS.fetch_add(1, Ordering::Relaxed))
}

async fn local() -> (LocalBackend, ModelInfo) {
    let load = || LoadedModel::load(&nano_sd(), &ExecutionPolicy::cpu_f32(), Box::new(nano_svd()), None);
    let local = LocalBackend::start(LocalSettings::new(hasty), load).unwrap();
    let info = local.loaded().await.unwrap();
    (local, info.as_ref().clone())
}

fn spec(info: &ModelInfo, prompt: &str, steps: u32) -> ImageSpec {
    let request =
        ImageRequest { prompt: Some(prompt.into()), seed: Some(3), num_inference_steps: Some(steps.into()), ..ImageRequest::default() };
    request.validate(&Limits::default(), info).unwrap()
}

/// The mean colours of a picture in an 8 x 8 grid.
fn fields(image: &RgbImage) -> Vec<f64> {
    let small = image::imageops::thumbnail(image, 8, 8);
    small.as_raw().iter().map(|byte| f64::from(*byte)).collect()
}

fn correlation(a: &RgbImage, b: &RgbImage) -> f64 {
    let centred = |image: &RgbImage| {
        let fields = fields(image);
        let mean = fields.iter().sum::<f64>() / fields.len() as f64;
        fields.into_iter().map(|value| value - mean).collect::<Vec<f64>>()
    };
    let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let (a, b) = (centred(a), centred(b));
    product(&a, &b) / (product(&a, &a) * product(&b, &b)).sqrt()
}

#[tokio::test]
async fn the_last_preview_resembles_the_image_and_does_not_change_it() {
    let (local, info) = local().await;
    let mut seen = Vec::new();
    for prompt in ["a red circle on a blue background", "A peaceful sunrise over mountains with mist"] {
        let work = Arc::new(Work::Image(spec(&info, prompt, 20)));
        let context = JobContext::default();
        let mut previews = context.previews.want();
        let JobOutput::Images(images) = local.run(Arc::clone(&work), context).await.unwrap() else { panic!("no images") };
        let last = previews.next().await.unwrap();
        assert_eq!(last.of, PreviewOf::Step { part: 0, step: 20, steps: 20 });
        let preview = image::load_from_memory(&last.png).unwrap().to_rgb8();
        assert_eq!(preview.dimensions(), (128, 128));
        assert!(previews.next().await.is_none(), "the job has ended");

        let JobOutput::Images(alone) = local.run(work, JobContext::default()).await.unwrap() else { panic!("no images") };
        assert!(alone[0].png == images[0].png);
        seen.push((preview, images.into_iter().next().unwrap().image));
    }
    let score = |preview: usize, image: usize| correlation(&seen[preview].0, &seen[image].1);
    assert!(score(0, 0) >= 0.75 && score(1, 1) >= 0.75, "{} {}", score(0, 0), score(1, 1));
    assert!(score(0, 1) <= 0.4 && score(1, 0) <= 0.4, "{} {}", score(0, 1), score(1, 0));
}

#[tokio::test]
async fn a_video_has_previews_and_is_the_same_with_them() {
    let (local, _) = local().await;
    let folder = tempfile::tempdir().unwrap();
    let image = RgbImage::from_fn(128, 128, |x, y| image::Rgb([(2 * x) as u8, (2 * y) as u8, 90]));
    let spec = |steps: i128| {
        let motion = MotionRequest { num_inference_steps: Some(steps), ..MotionRequest::default() };
        let request = AnimationRequest { image: Some(image.clone()), motion, seed: Some(4), ..AnimationRequest::default() };
        VideoSpec::Animation(request.validate(&Limits::default()).unwrap())
    };
    let file = |name: &str| folder.path().join(name);

    // Steps have previews, and the job is dropped after the first.
    let (context, unfinished) = (JobContext::default(), file("let-go.mp4"));
    let mut previews = context.previews.want();
    let first = tokio::select! {
        result = video(&local, spec(100), &unfinished, context) => panic!("{result:?}"),
        first = tokio::time::timeout(PATIENCE, previews.next()) => first.expect("a preview comes").unwrap(),
    };
    assert!(matches!(first.of, PreviewOf::Step { part: 0, step: 1.., steps: 100 }), "{first:?}");
    assert_eq!((first.width, first.height), (128, 128));

    let context = JobContext::default();
    let mut previews = context.previews.want();
    video(&local, spec(3), &file("seen.mp4"), context).await.unwrap();
    let last = previews.next().await.unwrap();
    assert_eq!(last.of, PreviewOf::Frame { frame: 7 });
    assert_eq!(image::load_from_memory(&last.png).unwrap().to_rgb8().dimensions(), (128, 128));
    video(&local, spec(3), &file("alone.mp4"), JobContext::default()).await.unwrap();
    let read = |name: &str| fs::read(folder.path().join(name)).unwrap();
    assert!(read("seen.mp4") == read("alone.mp4"));
}

#[tokio::test]
async fn a_stored_jobs_owner_sees_previews_and_can_cancel_meanwhile() {
    let (local, info) = local().await;
    let folder = tempfile::tempdir().unwrap();
    let jobs = Checked::open(JobsSettings::new(folder.path(), SystemTime::now), local).await.unwrap();
    let job = NewJob {
        id: "img_1".into(),
        owner: "anna".into(),
        priority: Priority::Normal,
        own_priority: Priority::Normal,
        work: Work::Image(spec(&info, "a boat on the sea at noon", 150)),
        durability: Durability::Stored,
        metadata: Metadata::default(),
        idempotency: None,
        callback_url: None,
    };
    jobs.submit(job).await.unwrap();
    assert!(jobs.previews("bert", "img_1").is_none() && jobs.previews("anna", "img_2").is_none());
    let mut previews = jobs.previews("anna", "img_1").unwrap();
    let seen = tokio::time::timeout(PATIENCE, previews.next()).await.expect("a preview comes").unwrap();
    assert!(matches!(seen.of, PreviewOf::Step { part: 0, step: 1..=150, steps: 150 }), "{seen:?}");
    jobs.cancel("anna", "img_1").await.unwrap();
    let rest = async { while previews.next().await.is_some() {} };
    tokio::time::timeout(PATIENCE, rest).await.expect("previews end with the job");
    assert_eq!(jobs.get("anna", "img_1").await.unwrap().unwrap().state, JobState::Cancelled);
    assert!(jobs.previews("anna", "img_1").is_none());
}
