//! Enlargements on the device's thread, with a network of the operator's folder and without any model.
//!
//! It must not know models. The invariants: other models are dropped before the network would take their memory; a cancelled job stops between
//! two blocks of the network; a panic is the job's error.

use diffusion_core::{Error, pipelines::upscale::UpscaleProgress};
use image::DynamicImage;

use super::{Device, RunResult, caught, finished::files, of_model};
use crate::{
    backend::{
        BackendError, GeneratedImage, JobContext, JobProgress, Refusal,
        local::{memory::Enlarging, statement::seal},
        seal::Seal,
    },
    spec::{UpscaleSpec, upscale},
    work::Work,
};

impl Device {
    /// Enlarges the image of a spec.
    pub(super) fn upscaled(&mut self, spec: &UpscaleSpec, work: &Work, job: JobContext) -> RunResult<Vec<GeneratedImage>> {
        let JobContext { cancel, progress, .. } = job;
        let is_cancelled = cancel.stop_check(false);
        if is_cancelled() {
            return Err(BackendError::Cancelled);
        }
        let seal = seal(self.settings.provenance.as_ref(), work, None)?;
        let (enlarging, limit) = self.upscalers.needs(spec.upscaler(), spec.given_size(), spec.size()).map_err(unavailable)?;
        let going = self.pool.to_drop_for_upscaling(enlarging, limit);
        self.drop_models(&going);
        progress.send_replace(JobProgress { started: true, parts: 1, ..JobProgress::default() });
        let Enlarging { weights, working } = enlarging;
        self.pool.upscaler_holds(weights.saturating_add(working));
        self.pool.upscales(true);
        let enlarged = loop {
            let announced = |at: UpscaleProgress| {
                let share = at.done as f64 / at.total.max(1) as f64;
                let (step, steps) = (at.tiles_done, at.tiles);
                progress.send_replace(JobProgress { started: true, parts: 1, step, steps, share, ..JobProgress::default() });
            };
            let run = || self.upscalers.enlarge(spec.upscaler(), spec.image(), spec.size(), &is_cancelled, announced);
            let enlarged = caught(|| of_model(run));
            let going = match &enlarged {
                Err(BackendError::Model(Error::OutOfMemory { .. })) => self.pool.least_used(usize::MAX),
                Ok(_) | Err(_) => None,
            };
            let Some(going) = going else { break enlarged };
            self.drop_models(&[going]);
        };
        self.pool.upscales(false);
        self.pool.upscaler_holds(self.upscalers.held());
        let image = caught(|| encoded(spec, seal.as_ref(), &enlarged?))?;
        progress.send_modify(|progress| progress.part = progress.parts);
        Ok(vec![image])
    }

    /// Drops what this job and its model leave no memory for.
    pub(super) fn make_room(&mut self, index: usize, work: &Work) {
        let enlarging = match work {
            // A fault of the upscaler is reported when it is needed.
            Work::Image(spec) => self.upscalers.needs_of(spec).unwrap_or_default(),
            Work::Video(_) | Work::Upscale(_) => Enlarging::default(),
        };
        let going = self.pool.to_drop_for(index, work, enlarging);
        if going.upscaler {
            self.drop_upscaler();
        }
        self.drop_models(&going.models);
        if enlarging != Enlarging::default() {
            self.pool.upscaler_holds(enlarging.weights.saturating_add(enlarging.working));
        }
    }

    pub(super) fn drop_upscaler(&mut self) {
        if self.upscalers.unload() {
            tracing::info!("upscaler dropped");
        }
        self.pool.upscaler_dropped();
    }
}

/// Why the upscaler of an accepted job is not there any more.
fn unavailable(refusal: Refusal) -> BackendError {
    let field = if let Refusal::Unfit { field, .. } = refusal { field } else { "upscaler" };
    let reason = if let Refusal::Unfit { reason, .. } = refusal { reason } else { refusal.to_string() };
    BackendError::Model(Error::Params { field, reason })
}

/// The enlarged image with its files, signed if there is a seal.
fn encoded(spec: &UpscaleSpec, seal: Option<&Seal>, image: &DynamicImage) -> RunResult<GeneratedImage> {
    let parameters = upscale::parameters(spec.upscaler(), spec.given_size(), spec.size());
    let (png, recoded) = files(spec.file_format(), (seal, None), |format| format.encode_any(image, &parameters))?;
    let mut remarks = Vec::new();
    if image.color().has_alpha() && !spec.file_format().has_transparency() {
        remarks.push("a JPEG has no transparency; the colours beneath it remain".to_owned());
    }
    Ok(GeneratedImage { png, recoded, image: image.to_rgb8(), seed: 0, parameters, truncated: Vec::new(), remarks })
}
