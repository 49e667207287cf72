//! Images that one model begins and another one ends, on the device's thread.
//!
//! It must not know what passes between the models. The invariants: all images are begun before the first one is refined, so that models that
//! do not fit beside each other are swapped once; as with one model, a resumed job gives the same bytes.

use std::sync::Arc;

use diffusion_core::{journal::Run, pipelines::RunContext, weights::StopCheck};

use super::{Device, Resident, RunResult, finished::encoded, of_model};
use crate::{
    backend::{
        BackendError, GeneratedImage, JobContext, JobProgress,
        local::{
            masked::resized_to,
            model::BegunImage,
            monitors::{ImageJobMonitor, Stage, StepClock, Watched},
            parameters,
            statement::seal,
        },
        seal::Seal,
    },
    model_info::ModelInfo,
    preview::Previewer,
    spec::image::{ImageSpec, RefinerSpec},
    work::Work,
};

impl Device {
    /// Makes the images of a spec with a refiner.
    pub(super) fn refined_images(
        &mut self,
        (spec, refiner): (&ImageSpec, &RefinerSpec),
        work: &Arc<Work>,
        job: JobContext,
    ) -> RunResult<Vec<GeneratedImage>> {
        let JobContext { cancel, progress, previews, mut journal, since, .. } = job;
        let (first, second) = (self.index_of(spec.model())?, self.index_of(Some(refiner.model()))?);
        let stopped = cancel.clone();
        let is_cancelled: StopCheck = Arc::new(move || stopped.is_cancelled());
        let previewer = Previewer::new(previews, self.settings.now);
        let watched = Watched { progress: &progress, is_cancelled: &is_cancelled, previewer: &previewer };

        self.ensure_loaded(first, work, &cancel, since)?;
        let (model, begun) = self.with_resident(first, work, |device, resident| {
            let mut begun = Vec::new();
            for part in 0..spec.count() {
                let mut monitor = device.monitor(spec, part, Stage::Begun(refiner.switch()), &watched)?;
                let run = run_of(part);
                let is_kept = journal.latents(run).is_some() || journal.image(run, 0).is_some();
                begun.push(of_model(|| resident.model.begin(spec, spec.seed_of(part), (refiner.switch(), is_kept), &mut monitor))?);
            }
            Ok((Arc::clone(&resident.info), begun))
        })?;

        // Both make the same kind of steps, which the first model's own scheduler decides.
        let refining = ImageSpec { scheduler: spec.scheduler().or(model.scheduler), ..spec.refining(refiner) };
        let of_refiner = Arc::new(Work::Image(refining.clone()));
        self.ensure_loaded(second, &of_refiner, &cancel, since)?;
        let images = self.with_resident(second, &of_refiner, |device, resident| {
            let mut images = Vec::new();
            let seal = seal(device.settings.provenance.as_ref(), work, Some((&model, Some(&resident.info))))?;
            for (part, begun) in (0..).zip(begun) {
                let mut monitor = device.monitor(spec, part, Stage::Refined(refiner.switch()), &watched)?;
                let context = RunContext::new(&mut monitor).with_journal(journal.as_mut(), run_of(part));
                images.push(refine((spec, seal.as_ref()), &refining, (refiner, part), (&model, resident), begun, context)?);
            }
            Ok(images)
        })?;
        progress.send_modify(|progress| progress.part = progress.parts);
        Ok(images)
    }

    /// Announces an image, and watches the steps of one of its parts.
    fn monitor<'a>(&'a self, spec: &ImageSpec, part: u32, stage: Stage, watched: &'a Watched<'a>) -> RunResult<ImageJobMonitor<'a>> {
        if (watched.is_cancelled)() {
            return Err(BackendError::Cancelled);
        }
        let parts = spec.count();
        let share = stage.share((part, parts), 0.0);
        watched.progress.send_replace(JobProgress { started: true, part, parts, share, ..JobProgress::default() });
        Ok(ImageJobMonitor { watched, part, parts, stage, clock: StepClock::new(self.settings.now), metrics: Some(&self.metrics) })
    }
}

fn run_of(part: u32) -> Run {
    Run::Image { index: usize::try_from(part).unwrap_or(usize::MAX) }
}

/// Ends one image, and encodes it.
fn refine(
    (spec, seal): (&ImageSpec, Option<&Seal>),
    refining: &ImageSpec,
    (refiner, part): (&RefinerSpec, u32),
    (model, resident): (&ModelInfo, &mut Resident),
    begun: BegunImage,
    context: RunContext<'_>,
) -> RunResult<GeneratedImage> {
    let BegunImage { handed, truncated, remarks, loras, embeddings } = begun;
    let image = of_model(|| resident.model.refine(refining, handed, refiner.switch(), context))?;
    let (image, seed) = (of_model(|| resized_to(image, spec.output_size()))?, spec.seed_of(part));
    let parameters = parameters::text(spec, seed, (model, Some(&resident.info)), (&loras, &embeddings));
    encoded(spec, image, (seed, seal), parameters, (truncated, remarks))
}
