//! The frames of a join through intermediate images between two scenes.
//!
//! This module must not depend on how such an image is generated. Invariant: frames are pushed in order, and no more latents wait to be
//! decoded than fit in one decode.

use candle_core::Tensor;
use image::RgbImage;

use super::{ScenesParams, VideoRun};
use crate::{
    Result,
    denoise::StepMonitor,
    imaging::resized,
    journal::{Run, RunJournal},
    pipelines::{ImageParams, RunContext, StableDiffusion, image::Between},
    weights::VaeChoice,
};

/// The maximum number of pixels to decode at once for more than one image: one image of 512 x 512, or sixteen of 128 x 128.
const MAX_DECODED_PIXELS: u64 = 512 * 512;

/// The number of images of (width, height) pixels to decode at once.
pub(in crate::pipelines) fn decoded_together((width, height): (u32, u32)) -> usize {
    let pixels = (u64::from(width) * u64::from(height)).max(1);
    usize::try_from(MAX_DECODED_PIXELS / pixels).unwrap_or(usize::MAX).max(1)
}

/// The result of a model run between two scenes.
enum Finished {
    /// The image, from the journal.
    Image(RgbImage),
    /// Latents to decode.
    Latents(Tensor),
}

impl StableDiffusion {
    /// Pushes the frames of a join through intermediate images; `scene` is the one after the join.
    pub(super) fn push_between(
        &self,
        (from, to): (&ImageParams, &ImageParams),
        (scene, frames): (usize, usize),
        params: &ScenesParams,
        video: &mut VideoRun<'_>,
    ) -> Result<()> {
        let size = (from.width, from.height);
        let together = decoded_together(size);
        // Created on first use: if the journal has all images, the prompts need not be encoded.
        let mut between = None;
        let mut waiting = Waiting { model: self, latents: Vec::new(), size: (params.width, params.height), vae: from.vae };
        for frame in 0..frames {
            if video.progress.is_behind() {
                video.progress.skip_to(video.progress.position() + 1);
                continue;
            }
            let run = Run::Between { scene, frame };
            let finished = video.run(run, from.num_inference_steps as f64, |RunContext { monitor, journal, run }| {
                let mut journal = RunJournal::new(journal, run);
                if let Some(image) = journal.image(0, size) {
                    monitor.on_kept();
                    return Ok(Finished::Image(image));
                }
                let make = |monitor: &mut dyn StepMonitor| {
                    let between = match &between {
                        Some(between) => between,
                        None => between.insert(Between::new(self, from, to)?),
                    };
                    between.latents((frame + 1) as f64 / (frames + 1) as f64, monitor)
                };
                journal.latents_or(&self.latents_shape(from), monitor, make).map(Finished::Latents)
            })?;
            match finished {
                Finished::Image(image) => {
                    waiting.push_all(video)?;
                    waiting.push(&image, video)?;
                }
                Finished::Latents(latents) => {
                    waiting.latents.push((run, latents));
                    if waiting.latents.len() >= together {
                        waiting.push_all(video)?;
                    }
                }
            }
        }
        waiting.push_all(video)
    }
}

/// Finished latents that wait to be decoded together.
struct Waiting<'a> {
    model: &'a StableDiffusion,
    latents: Vec<(Run, Tensor)>,
    /// The frame size in pixels.
    size: (u32, u32),
    vae: VaeChoice,
}

impl Waiting<'_> {
    /// Decodes all waiting latents, and pushes their images.
    fn push_all(&mut self, video: &mut VideoRun<'_>) -> Result<()> {
        let (runs, latents): (Vec<Run>, Vec<Tensor>) = std::mem::take(&mut self.latents).into_iter().unzip();
        if runs.is_empty() {
            return Ok(());
        }
        let images = self.model.decode_images(&latents, self.vae, &mut video.progress)?;
        for (run, image) in runs.into_iter().zip(&images) {
            video.journal.keep_image(run, 0, image);
        }
        images.iter().try_for_each(|image| self.push(image, video))
    }

    fn push(&self, image: &RgbImage, video: &mut VideoRun<'_>) -> Result<()> {
        let frame = resized(image, self.size.0, self.size.1)?;
        video.progress.push(|| frame)
    }
}
