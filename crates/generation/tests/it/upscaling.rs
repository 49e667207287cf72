//! Enlargements as jobs, and second passes that a network enlarges.

use std::{fs, path::Path, sync::Arc, time::Instant, time::SystemTime};

use diffusion_core::{
    adapters::UpscalerFolder,
    pipelines::{nano_sd, nano_svd, upscale::Upscaler},
    policy::ExecutionPolicy,
    weights::UpscalerFile,
};
use generation::{
    BackendError, HiresRequest, ImageFormat, ImageRequest, Limits, LocalBackend, LocalSettings, MemoryRequest, ModelSetup, ModelState,
    OpenModel, PoolSettings, Refusal, SubmitError, UpscaleRequest, UpscaleSpec, UpscaledSize, Upscalers, given_image,
    jobs::{JobState, JobsSettings, NewJob, Work},
};
use generation_test::{Checked, UPSCALERS, model, upscalers};
use image::{DynamicImage, Rgb, RgbImage, Rgba, RgbaImage};

use crate::{
    fake::{held_only, hold, images, until_free},
    jobs::{end_of, image_job, until},
};

fn picture() -> DynamicImage {
    RgbImage::from_fn(20, 12, |x, y| Rgb([(x * 12) as u8, (y * 20) as u8, 90])).into()
}

fn request(upscaler: &str, image: DynamicImage) -> UpscaleRequest {
    UpscaleRequest { image: Some(image), upscaler: Some(upscaler.into()), ..UpscaleRequest::default() }
}

fn folder() -> UpscalerFolder {
    UpscalerFolder::open(UPSCALERS).unwrap()
}

fn spec(request: UpscaleRequest) -> UpscaleSpec {
    request.validate(Some(&folder())).unwrap()
}

/// A fake model, and these upscalers.
fn backend(upscalers: Upscalers) -> LocalBackend {
    let setup = ModelSetup::new("fake", || Ok(OpenModel::new(|_| Ok(model()))));
    LocalBackend::start_with(LocalSettings::new(Instant::now), vec![setup], PoolSettings::default(), upscalers).unwrap()
}

async fn with_limit(limit: Option<u64>) -> LocalBackend {
    let local = backend(upscalers(Path::new(UPSCALERS), limit));
    local.loaded().await.unwrap();
    local
}

#[tokio::test]
async fn an_enlargement_is_the_networks_own_picture_in_the_requested_format() {
    let jobs = held_only(4, with_limit(None).await);
    let file = UpscalerFile::open(&folder().find("real_x4").unwrap()).unwrap();
    let network = Upscaler::load(&file, &ExecutionPolicy::cpu_f32()).unwrap();
    for (size, to) in [(UpscaledSize::Own, (80, 48)), (UpscaledSize::Scale(1.5), (30, 18)), (UpscaledSize::Exact((7, 9)), (7, 9))] {
        let job = hold(&jobs, Work::Upscale(spec(UpscaleRequest { size, ..request("real_x4", picture()) })), None).await.unwrap();
        let progress = job.progress();
        let made = images(job).await.unwrap().remove(0);
        let expected = network.upscale(&picture().to_rgba8(), to, &mut |_| std::ops::ControlFlow::Continue(())).unwrap();
        assert_eq!(made.image, DynamicImage::from(expected).to_rgb8(), "{size:?}");
        assert!(made.parameters.ends_with("Postprocess upscaler: real_x4"), "{}", made.parameters);
        let progress = *progress.borrow();
        assert!(progress.started && progress.part == 1 && progress.steps >= 1, "{progress:?}");
    }
    let clear = DynamicImage::from(RgbaImage::from_fn(9, 7, |x, _| Rgba([200, 30, 90, if x < 4 { 0 } else { 255 }])));
    for (file_format, keeps) in [(ImageFormat::Png, true), (ImageFormat::WebP, true), (ImageFormat::Jpeg { quality: 90 }, false)] {
        let work = Work::Upscale(spec(UpscaleRequest { file_format, ..request("compact_x2", clear.clone()) }));
        let made = images(hold(&jobs, work, None).await.unwrap()).await.unwrap().remove(0);
        let read = given_image::read(made.file().1.to_vec()).unwrap();
        assert_eq!((read.width(), read.height(), read.color().has_alpha(), made.file().0), (18, 14, keeps, file_format));
        assert_eq!(made.remarks.is_empty(), keeps);
    }
}

/// An enlargement needs no model: not even one that is still being loaded.
#[tokio::test]
async fn an_enlargement_waits_for_no_model() {
    let (go, wait) = std::sync::mpsc::channel::<()>();
    let wait = Arc::new(std::sync::Mutex::new(wait));
    let setup = ModelSetup::new("slow", move || {
        let wait = Arc::clone(&wait);
        Ok(OpenModel::new(move |_| {
            wait.lock().unwrap().recv().unwrap();
            Ok(model())
        }))
    });
    let networks = upscalers(Path::new(UPSCALERS), None);
    let local = LocalBackend::start_with(LocalSettings::new(Instant::now), vec![setup], PoolSettings::default(), networks).unwrap();
    let jobs = held_only(4, local.clone());
    let made = loop {
        match hold(&jobs, Work::Upscale(spec(request("compact_x2", picture()))), None).await {
            // The device is being opened.
            Err(SubmitError::Refused(Refusal::Loading)) => tokio::task::yield_now().await,
            held => break images(held.unwrap()).await.unwrap(),
        }
    };
    assert_eq!(made[0].image.dimensions(), (40, 24));
    assert!(matches!(local.models()[0].state, ModelState::Loading { .. }));
    go.send(()).unwrap();
    local.loaded().await.unwrap();
}

#[tokio::test]
async fn what_cannot_be_enlarged_is_refused_by_its_field() {
    let faults = |request: UpscaleRequest| -> Vec<(String, String)> {
        let faults = request.validate(Some(&folder())).unwrap_err();
        faults.into_iter().map(|fault| (fault.field.to_owned(), fault.message)).collect()
    };
    for (changed, field, reason) in [
        (request("compact_x3", picture()), "upscaler", "the nearest is"),
        (request("Lanczos", picture()), "upscaler", "is no network"),
        (request("../compact_x2", picture()), "upscaler", "../compact_x2"),
        (UpscaleRequest { image: None, ..request("compact_x2", picture()) }, "image", "required"),
        (UpscaleRequest { upscaler: None, ..request("", picture()) }, "upscaler", "required"),
        (UpscaleRequest { size: UpscaledSize::Scale(9.0), ..request("compact_x2", picture()) }, "scale", "at most 8 times as large"),
        (UpscaleRequest { size: UpscaledSize::Exact((0, 9)), ..request("compact_x2", picture()) }, "size", "at least one pixel"),
    ] {
        let faults = faults(changed);
        assert!(matches!(faults.as_slice(), [(of, message)] if of == field && message.contains(reason)), "{faults:?}");
    }
    let none = request("compact_x2", picture()).validate(None).unwrap_err();
    assert!(none[0].message.contains("upscalers.folder"), "{none:?}");
    // A server without the folder, with a job of an earlier one.
    let local = backend(Upscalers::default());
    local.loaded().await.unwrap();
    let refused = hold(&held_only(1, local), Work::Upscale(spec(request("compact_x2", picture()))), None).await;
    assert!(matches!(refused, Err(SubmitError::Refused(Refusal::Unfit { field: "upscaler", .. }))), "{refused:?}");
}

#[tokio::test]
async fn a_picture_that_memory_cannot_hold_is_refused_with_the_largest_that_it_can() {
    let large = || request("compact_x4", RgbImage::new(1024, 512).into());
    let jobs = held_only(1, with_limit(Some(400 << 20)).await);
    let refused = hold(&jobs, Work::Upscale(spec(UpscaleRequest { size: UpscaledSize::Scale(8.0), ..large() })), None).await;
    let Err(SubmitError::Refused(Refusal::TooLarge(refusal))) = refused else { panic!("it is too large: {refused:?}") };
    assert!(refusal.field() == "scale" && refusal.needed > refusal.available, "{refusal}");
    if let Some(MemoryRequest::Enlarged(size)) = refusal.largest {
        let smaller = Work::Upscale(spec(UpscaleRequest { size: UpscaledSize::Exact(size), ..large() }));
        // It is accepted; dropping it cancels it.
        drop(hold(&jobs, smaller, None).await.unwrap());
    }
    let small = hold(&held_only(1, with_limit(Some(1 << 20)).await), Work::Upscale(spec(request("compact_x2", picture()))), None).await;
    assert!(matches!(&small, Err(SubmitError::Refused(Refusal::TooLarge(refusal))) if refusal.largest.is_none()), "{small:?}");
}

#[tokio::test]
async fn a_cancelled_enlargement_stops_between_blocks() {
    let jobs = held_only(1, with_limit(None).await);
    let large = spec(request("real_x4", RgbImage::new(1024, 1024).into()));
    let job = hold(&jobs, Work::Upscale(large), None).await.unwrap();
    let (cancel, mut progress) = (job.cancel_switch(), job.progress());
    progress.wait_for(|progress| progress.share > 0.0).await.unwrap();
    cancel.cancel();
    let error = images(job).await.unwrap_err();
    assert!(matches!(error.as_ref(), BackendError::Cancelled), "{error}");
}

#[tokio::test]
async fn a_stored_enlargement_survives_a_shutdown_and_a_file_that_is_gone_is_named() {
    let (data, networks) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for name in ["compact_x2", "real_x2"] {
        let file = format!("{name}.safetensors");
        fs::copy(Path::new(UPSCALERS).join(&file), networks.path().join(&file)).unwrap();
    }
    let settings = || JobsSettings { queue_capacity: 8, ..JobsSettings::new(data.path(), SystemTime::now) };
    let local = || async {
        let local = backend(upscalers(networks.path(), None));
        local.loaded().await.unwrap();
        local
    };
    {
        let jobs = Checked::open(settings(), local().await).await.unwrap();
        jobs.submit(image_job("stuck", "slow")).await.unwrap();
        until(&jobs, "stuck", JobState::Running).await;
        for (id, name) in [("a", "compact_x2"), ("b", "real_x2")] {
            jobs.submit(NewJob { work: Work::Upscale(spec(request(name, picture()))), ..image_job(id, "of another kind") }).await.unwrap();
        }
        jobs.shut_down(std::time::Duration::ZERO).await;
    }
    until_free(data.path()).await;
    fs::remove_file(networks.path().join("real_x2.safetensors")).unwrap();
    let jobs = Checked::open(settings(), local().await).await.unwrap();
    jobs.cancel("", "stuck").await.unwrap();
    let made = end_of(&jobs, "a").await;
    let outcome = made.outcome.as_ref().unwrap();
    assert_eq!((made.state, outcome.width, outcome.height), (JobState::Completed, 40, 24));
    assert_eq!(made.artifacts[0].name, "image-0.png");
    let failed = end_of(&jobs, "b").await;
    let error = failed.error.unwrap();
    assert!(failed.state == JobState::Failed && error.message.contains("real_x2"), "{error:?}");
}

fn nano(name: &str, limit: Option<u64>) -> ModelSetup {
    ModelSetup::new(name, move || OpenModel::of(Box::new(nano_sd()), &ExecutionPolicy::cpu_f32(), Box::new(nano_svd()), limit))
}

fn two_passes(local: &LocalBackend, upscaler: &str) -> Result<Work, Vec<generation::FieldError>> {
    let hires = HiresRequest { upscaler: Some(upscaler.into()), steps: Some(2), strength: Some(0.5), ..HiresRequest::default() };
    let request = ImageRequest {
        prompt: Some("a boat".into()),
        num_inference_steps: Some(3),
        width: Some(64),
        height: Some(64),
        seed: Some(7),
        hires: Some(hires),
        ..ImageRequest::default()
    };
    request.validate(&Limits::default(), &local.model().unwrap()).map(Work::Image)
}

#[tokio::test]
async fn a_network_enlarges_between_two_passes() {
    let networks = upscalers(Path::new(UPSCALERS), None);
    let local =
        LocalBackend::start_with(LocalSettings::new(Instant::now), vec![nano("a", None)], PoolSettings::default(), networks).unwrap();
    local.loaded().await.unwrap();
    let jobs = held_only(1, local.clone());
    let mut made = Vec::new();
    for name in ["Lanczos", "compact_x2", "compact_x4"] {
        let work = two_passes(&local, name).unwrap();
        let stored: Work = serde_json::from_str(&serde_json::to_string(&work).unwrap()).unwrap();
        let image = images(hold(&jobs, stored, None).await.unwrap()).await.unwrap().remove(0);
        assert_eq!(image.image.dimensions(), (128, 128));
        assert!(image.parameters.contains(&format!("Hires upscaler: {name}")), "{}", image.parameters);
        made.push(image.image);
    }
    assert!(made[0] != made[1] && made[1] != made[2]);
    let faults = two_passes(&local, "compact_x3").unwrap_err();
    assert!(faults[0].field == "upscaler" && faults[0].message.contains("the nearest is \"compact_x"), "{faults:?}");
}

/// A network takes memory from the models: the unused ones are dropped for it, and it for them.
#[tokio::test]
async fn a_network_and_models_share_the_memory() {
    let weights = {
        let local = LocalBackend::start_pool(LocalSettings::new(Instant::now), vec![nano("a", None)], PoolSettings::default()).unwrap();
        local.loaded().await.unwrap();
        local.models()[0].bytes
    };
    let settings = PoolSettings { budget: Some(weights + 1000), ..PoolSettings::default() };
    let networks = upscalers(Path::new(UPSCALERS), None);
    let local = LocalBackend::start_with(LocalSettings::new(Instant::now), vec![nano("a", None)], settings, networks).unwrap();
    local.loaded().await.unwrap();
    let jobs = held_only(1, local.clone());
    let work = || Work::Upscale(spec(request("compact_x4", picture())));
    images(hold(&jobs, work(), None).await.unwrap()).await.unwrap();
    assert_eq!(local.models()[0].state, ModelState::Unloaded);
    let image = ImageRequest { prompt: Some("a boat".into()), num_inference_steps: Some(1), seed: Some(7), ..ImageRequest::default() };
    let image = Work::Image(image.validate(&Limits::default(), &local.model().unwrap()).unwrap());
    images(hold(&jobs, image, None).await.unwrap()).await.unwrap();
    assert_eq!((local.models()[0].state.clone(), local.models()[0].loads), (ModelState::Ready, 2));
}
