//! Timings of images, for estimates: the warm-up at the start, and what jobs teach.
//!
//! It must not know who asks for an estimate. Invariant: only images of the kind that estimates are for are recorded.

use std::sync::{Arc, atomic::Ordering};

use diffusion_core::{pipelines::RunContext, schedulers::SchedulerKind, weights::StopCheck};
use tokio::sync::watch;

use super::{Device, Resident, caught, of_model};
use crate::{
    backend::{
        BackendError, JobProgress,
        local::{
            monitors::{ImageJobMonitor, Stage, StepClock, Watched},
            pool::DEFAULT,
        },
    },
    model_info::ModelInfo,
    preview::{PreviewSlot, Previewer},
    spec::{
        image::{ImageMode, ImageRequest, ImageSpec},
        limits::Limits,
    },
};

/// Steps of the warm-up image: enough for a mean, few enough to finish soon.
const MEASURED_STEPS: u32 = 3;

impl Device {
    /// Times the default model if the settings require it and it has no timings yet. Once only: a model that cannot make the warm-up's
    /// image would otherwise try after every job.
    pub(super) fn measure_default(&mut self) {
        if self.settings.measure_at_start
            && !self.is_measured
            && self.pool.timings(DEFAULT).step().is_none()
            && let Some(mut resident) = self.residents.remove(&DEFAULT)
        {
            self.is_measured = self.measure(&mut resident);
            self.residents.insert(DEFAULT, resident);
        }
    }

    /// Warm-up: times a three-step image so that forecasts exist; stops when a job arrives. Returns whether it ran to its end.
    fn measure(&self, resident: &mut Resident) -> bool {
        let info = Arc::clone(&resident.info);
        let request = ImageRequest {
            prompt: Some("a picture".into()),
            num_inference_steps: Some(MEASURED_STEPS.into()),
            seed: Some(0),
            scheduler: info.scheduler.is_none().then(|| SchedulerKind::Euler.as_str().to_owned()),
            ..ImageRequest::default()
        };
        let Ok(spec) = request.validate(&Limits::DEFAULT, &info) else { return true };
        let (progress, _) = watch::channel(JobProgress::default());
        let previewer = Previewer::new(PreviewSlot::default(), self.settings.now);
        let wanted = Arc::clone(&self.wanted);
        let is_cancelled: StopCheck = Arc::new(move || wanted.load(Ordering::Relaxed) > 0);
        let watched = Watched { progress: &progress, is_cancelled: &is_cancelled, previewer: &previewer };
        let (stage, clock) = (Stage::Whole, StepClock::new(self.settings.now));
        let mut monitor = ImageJobMonitor { watched: &watched, part: 0, parts: 1, stage, clock, metrics: None };
        match caught(|| of_model(|| resident.model.image(&spec, 0, RunContext::new(&mut monitor)))) {
            Ok(_) => self.learn(DEFAULT, &spec, &info, &monitor.clock),
            Err(BackendError::Cancelled) => return false,
            Err(error) => tracing::debug!(%error, "the warm-up measured nothing"),
        }
        true
    }

    /// Records an image's timings if it is of the kind that estimates are for: the model's own size, and guided unless the model usually
    /// is not.
    pub(super) fn learn(&self, index: usize, spec: &ImageSpec, info: &ModelInfo, clock: &StepClock) {
        let is_guided = |scale: f64| scale > 1.0;
        let is_usual = is_guided(spec.guidance_scale) == info.defaults.guidance_scale.is_none_or(is_guided);
        if is_usual
            && matches!(spec.mode(), ImageMode::TextToImage)
            && spec.hires.is_none()
            && (spec.width, spec.height) == (info.default_width, info.default_height)
            && let Some((steps, stepping)) = clock.steps()
        {
            self.pool.learn(index, |timings| timings.image(steps, stepping, self.since(clock.started)));
        }
    }
}
