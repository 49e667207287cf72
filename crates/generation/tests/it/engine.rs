//! The device's thread: loading, failures, panics, shutdown.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    time::Instant,
};

use diffusion_core::{
    Error, Result,
    pipelines::{RunContext, VideoContext},
    weights::StopCheck,
};
use generation::{
    BackendError, DeviceModel, ImageOutput, ImageSpec, LoadedModel, LocalBackend, LocalSettings, ModelStatus, Refusal, SubmitError,
    TruncatedText,
    jobs::JobState,
    video::{VideoShape, VideoSpec},
};
use generation_test::{eventually, info, local, model};

use crate::fake::{held_only, hold_image, images};

fn settings() -> LocalSettings {
    LocalSettings::new(Instant::now)
}

#[tokio::test]
async fn while_the_model_loads_jobs_are_refused_and_status_is_answered() {
    let (go, wait) = mpsc::channel();
    let local = LocalBackend::start(settings(), move || {
        wait.recv().unwrap();
        Ok(model())
    })
    .unwrap();
    let jobs = held_only(4, local.clone());
    assert!(matches!(local.status(), ModelStatus::Loading));
    assert!(matches!(hold_image(&jobs, "a boat").await, Err(SubmitError::Refused(Refusal::Loading))));
    go.send(()).unwrap();
    assert_eq!(*local.loaded().await.unwrap(), info());
    assert!(matches!(local.status(), ModelStatus::Ready(_)));
    assert_eq!(images(hold_image(&jobs, "a boat").await.unwrap()).await.unwrap().len(), 1);
}

#[tokio::test]
async fn the_reason_why_a_model_cannot_be_loaded_is_one_line() {
    let load = || Err(diffusion_core::Error::file("unet/config.json", "truncated\nbacktrace"));
    let local = LocalBackend::start(settings(), load).unwrap();
    assert_eq!(local.loaded().await.unwrap_err(), "unet/config.json: truncated");
    assert_eq!(local.failed().await, "unet/config.json: truncated");
    let refused = hold_image(&held_only(4, local), "a boat").await;
    assert!(matches!(refused, Err(SubmitError::Refused(Refusal::Failed(reason))) if reason == "unet/config.json: truncated"));
}

#[tokio::test]
async fn a_panic_of_the_loader_is_a_failure_and_not_a_hang() {
    let local = LocalBackend::start(settings(), || panic!("out of luck")).unwrap();
    assert_eq!(local.loaded().await.unwrap_err(), "internal error: out of luck");
}

#[tokio::test]
async fn a_panic_fails_only_that_job_and_the_next_one_runs() {
    let jobs = held_only(4, local().await);
    let failed = hold_image(&jobs, "panic").await.unwrap();
    let id = failed.id().to_owned();
    match images(failed).await.map_err(|error| error.to_string()) {
        Err(reason) => assert_eq!(reason, "internal error: the fake model panics"),
        other => panic!("{other:?}"),
    }
    assert_eq!(jobs.active(), 0, "the place is free before the caller knows");
    let row = jobs.get("", &id).await.unwrap().unwrap();
    assert_eq!((row.state, row.error.unwrap().message.as_str()), (JobState::Failed, "internal error"));
    assert_eq!(images(hold_image(&jobs, "a boat").await.unwrap()).await.unwrap().len(), 1);
}

#[tokio::test]
async fn an_error_of_the_model_is_returned_with_its_fields() {
    let jobs = held_only(4, local().await);
    let refused = images(hold_image(&jobs, "refuse").await.unwrap()).await.unwrap_err();
    let has_field = matches!(*refused, BackendError::Model(diffusion_core::Error::Params { field: "num_inference_steps", .. }));
    assert!(has_field, "{refused:?}");
    assert!(matches!(*images(hold_image(&jobs, "broken").await.unwrap()).await.unwrap_err(), BackendError::Model(_)));
    assert!(matches!(jobs.local().status(), ModelStatus::Ready(_)));
}

#[tokio::test]
async fn a_lost_device_ends_the_backend_and_answers_waiting_callers() {
    let jobs = held_only(4, local().await);
    let lost = hold_image(&jobs, "device").await.unwrap();
    let waiting = hold_image(&jobs, "a boat").await.unwrap();
    assert!(matches!(*images(lost).await.unwrap_err(), BackendError::Model(_)));
    assert!(matches!(*images(waiting).await.unwrap_err(), BackendError::Cancelled));
    assert_eq!(jobs.local().failed().await, "device cuda: fell off the bus");
    assert!(matches!(hold_image(&jobs, "a boat").await, Err(SubmitError::Refused(Refusal::Failed(_)))));
}

#[tokio::test]
async fn progress_reports_image_and_step() {
    let jobs = held_only(4, local().await);
    let job = hold_image(&jobs, "slow").await.unwrap();
    let mut progress = job.progress();
    let seen = *progress.wait_for(|progress| progress.step >= 1).await.unwrap();
    assert!(seen.started && seen.part == 0 && seen.parts == 1 && seen.steps == usize::MAX, "{seen:?}");
}

/// A model whose drop can be observed.
struct Watched {
    model: Box<dyn DeviceModel>,
    _alive: Arc<()>,
}

impl DeviceModel for Watched {
    fn image(&mut self, spec: &ImageSpec, seed: u64, context: RunContext<'_>) -> Result<ImageOutput> {
        self.model.image(spec, seed, context)
    }

    fn video_shape(&mut self, spec: &VideoSpec, stop: &StopCheck) -> Result<VideoShape> {
        self.model.video_shape(spec, stop)
    }

    fn video(&mut self, spec: &VideoSpec, first_frame: usize, context: VideoContext<'_>) -> Result<Vec<TruncatedText>> {
        self.model.video(spec, first_frame, context)
    }
}

/// A model that counts its images, and makes no warm-up's if it `fails`.
struct Counting {
    model: Box<dyn DeviceModel>,
    made: Arc<AtomicUsize>,
    fails: bool,
}

impl DeviceModel for Counting {
    fn image(&mut self, spec: &ImageSpec, seed: u64, context: RunContext<'_>) -> Result<ImageOutput> {
        let made = self.model.image(spec, seed, context);
        self.made.fetch_add(1, Ordering::Relaxed);
        if self.fails && spec.prompt() == "a picture" { Err(Error::NonFinite { what: "the latents".into() }) } else { made }
    }

    fn video_shape(&mut self, spec: &VideoSpec, stop: &StopCheck) -> Result<VideoShape> {
        self.model.video_shape(spec, stop)
    }

    fn video(&mut self, spec: &VideoSpec, first_frame: usize, context: VideoContext<'_>) -> Result<Vec<TruncatedText>> {
        self.model.video(spec, first_frame, context)
    }
}

/// A model without guidance is measured too, and one that cannot be measured is not tried after every job.
#[tokio::test]
async fn the_warm_up_makes_one_image_whatever_the_model() {
    for (guidance_scale, fails) in [(None, false), (Some(0.0), false), (Some(7.5), true)] {
        let made = Arc::new(AtomicUsize::new(0));
        let (count, settings) = (Arc::clone(&made), LocalSettings { measure_at_start: true, ..settings() });
        let local = LocalBackend::start(settings, move || {
            let LoadedModel { mut info, memory, model } = model();
            info.defaults.guidance_scale = guidance_scale;
            Ok(LoadedModel { info, memory, model: Box::new(Counting { model, made: count, fails }) })
        })
        .unwrap();
        eventually("the warm-up", || made.load(Ordering::Relaxed) == 1 && (fails || local.timings().step().is_some())).await;
        let jobs = held_only(4, local.clone());
        for _ in 0..3 {
            images(hold_image(&jobs, "a boat").await.unwrap()).await.unwrap();
        }
        // A job begins only when the thread is done with what follows the job before.
        assert_eq!(made.load(Ordering::Relaxed), 4, "guidance {guidance_scale:?}");
    }
}

#[tokio::test]
async fn the_thread_ends_with_the_last_handle() {
    let alive = Arc::new(());
    let watched = Arc::downgrade(&alive);
    let local = LocalBackend::start(settings(), move || {
        let LoadedModel { info, memory, model } = model();
        Ok(LoadedModel { info, memory, model: Box::new(Watched { model, _alive: alive }) })
    })
    .unwrap();
    local.loaded().await.unwrap();
    let jobs = held_only(4, local.clone());
    drop(local);
    assert!(watched.upgrade().is_some(), "jobs keep it going");
    drop(jobs);
    eventually("the model is dropped with its thread", || watched.upgrade().is_none()).await;
}
