//! The device thread: loading, failing, panicking, ending.

use std::{
    sync::{Arc, mpsc},
    time::Instant,
};

use diffusion_core::{
    Result,
    denoise::StepMonitor,
    frames::FrameSink,
    journal::{Journal, Kept},
    pipelines::scenes::SceneMonitor,
};
use generation::{
    DeviceModel, Engine, EngineSettings, EngineStatus, GenerationError, ImageSpec, LoadedModel, Picture, SubmitError, TruncatedText,
    video::{VideoShape, VideoSpec},
};

use crate::fake::{engine, eventually, info, model, spec};

fn settings() -> EngineSettings {
    EngineSettings::new(Instant::now)
}

#[tokio::test]
async fn while_the_model_loads_jobs_are_refused_and_status_is_answered() {
    let (go, wait) = mpsc::channel();
    let engine = Engine::start(settings(), move || {
        wait.recv().unwrap();
        Ok(model())
    })
    .unwrap();
    assert!(matches!(engine.status(), EngineStatus::Loading));
    assert!(matches!(engine.submit(spec("a boat")), Err(SubmitError::Loading)));
    go.send(()).unwrap();
    assert_eq!(*engine.loaded().await.unwrap(), info());
    assert!(matches!(engine.status(), EngineStatus::Ready(_)));
    assert_eq!(engine.submit(spec("a boat")).unwrap().finished().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_model_that_cannot_be_loaded_is_told_in_one_line() {
    let engine = Engine::start(settings(), || Err(diffusion_core::Error::file("unet/config.json", "truncated\nbacktrace"))).unwrap();
    assert_eq!(engine.loaded().await.unwrap_err(), "unet/config.json: truncated");
    assert_eq!(engine.failed().await, "unet/config.json: truncated");
    assert!(matches!(engine.submit(spec("a boat")), Err(SubmitError::Failed(reason)) if reason == "unet/config.json: truncated"));
}

#[tokio::test]
async fn a_loader_that_panics_is_a_failure_and_not_a_hang() {
    let engine = Engine::start(settings(), || panic!("out of luck")).unwrap();
    assert_eq!(engine.loaded().await.unwrap_err(), "internal error: out of luck");
}

#[tokio::test]
async fn a_panic_is_that_jobs_error_and_the_next_job_runs() {
    let engine = engine(4).await;
    match engine.submit(spec("panic")).unwrap().finished().await {
        Err(GenerationError::Internal(reason)) => assert_eq!(reason, "the fake model panics"),
        other => panic!("{other:?}"),
    }
    assert_eq!(engine.jobs(), 0, "the place is free before the caller knows");
    assert_eq!(engine.submit(spec("a boat")).unwrap().finished().await.unwrap().len(), 1);
}

#[tokio::test]
async fn an_error_of_the_model_is_handed_out_whole() {
    let engine = engine(4).await;
    match engine.submit(spec("refuse")).unwrap().finished().await {
        Err(GenerationError::Model(diffusion_core::Error::Params { field: "num_inference_steps", .. })) => {}
        other => panic!("{other:?}"),
    }
    assert!(matches!(engine.submit(spec("broken")).unwrap().finished().await, Err(GenerationError::Model(_))));
    assert!(matches!(engine.status(), EngineStatus::Ready(_)));
}

#[tokio::test]
async fn a_lost_device_ends_the_engine_and_answers_those_who_wait() {
    let engine = engine(4).await;
    let lost = engine.submit(spec("device")).unwrap();
    assert!(matches!(lost.finished().await, Err(GenerationError::Model(_))));
    assert_eq!(engine.failed().await, "device cuda: fell off the bus");
    assert!(matches!(engine.submit(spec("a boat")), Err(SubmitError::Failed(_))));
}

#[tokio::test]
async fn progress_tells_image_and_step() {
    let engine = engine(4).await;
    let job = engine.submit(spec("slow")).unwrap();
    let mut progress = job.progress();
    let seen = *progress.wait_for(|progress| progress.step >= 1).await.unwrap();
    assert!(seen.started && seen.part == 0 && seen.parts == 1 && seen.steps == usize::MAX, "{seen:?}");
}

/// A model whose end can be seen.
struct Watched {
    model: Box<dyn DeviceModel>,
    _alive: Arc<()>,
}

impl DeviceModel for Watched {
    fn picture(&mut self, spec: &ImageSpec, seed: u64, monitor: &mut dyn StepMonitor, kept: Kept<'_>) -> Result<Picture> {
        self.model.picture(spec, seed, monitor, kept)
    }

    fn video_shape(&mut self, spec: &VideoSpec) -> Result<VideoShape> {
        self.model.video_shape(spec)
    }

    fn video(
        &mut self,
        spec: &VideoSpec,
        first_frame: usize,
        monitor: &mut dyn SceneMonitor,
        sink: &mut dyn FrameSink,
        journal: &mut dyn Journal,
    ) -> Result<Vec<TruncatedText>> {
        self.model.video(spec, first_frame, monitor, sink, journal)
    }
}

#[tokio::test]
async fn the_thread_ends_with_the_last_handle() {
    let alive = Arc::new(());
    let watched = Arc::downgrade(&alive);
    let engine = Engine::start(settings(), move || {
        let LoadedModel { info, model } = model();
        Ok(LoadedModel { info, model: Box::new(Watched { model, _alive: alive }) })
    })
    .unwrap();
    engine.loaded().await.unwrap();
    let clone = engine.clone();
    drop(engine);
    assert!(watched.upgrade().is_some(), "a clone keeps it going");
    drop(clone);
    eventually("the model is dropped with its thread", || watched.upgrade().is_none()).await;
}
