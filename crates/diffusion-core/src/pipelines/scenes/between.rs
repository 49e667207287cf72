//! The frames of a join through pictures between two scenes.
//!
//! It must not know how such a picture is made. The invariant: pictures reach the film in order, and no more wait to be decoded than are
//! decoded together.

use candle_core::Tensor;
use image::RgbImage;

use super::{Film, ScenesParams};
use crate::{
    Result,
    denoise::StepMonitor as _,
    journal::{Journal, Kept, Run},
    pipelines::{StableDiffusion, TextToImageParams, interpolate::Between},
    preprocess,
};

/// Pixels that are decoded at once where several pictures are: one of 512 x 512, or sixteen of 128 x 128.
const DECODED_PIXELS: u64 = 512 * 512;

/// How many pictures of (width, height) pixels are decoded at once.
pub(in crate::pipelines) fn decoded_together((width, height): (u32, u32)) -> usize {
    let pixels = (u64::from(width) * u64::from(height)).max(1);
    usize::try_from(DECODED_PIXELS / pixels).unwrap_or(usize::MAX).max(1)
}

impl StableDiffusion {
    /// The frames of a join through pictures between the scenes; `scene` is the one behind it.
    pub(super) fn push_between(
        &self,
        (from, to): (&TextToImageParams, &TextToImageParams),
        (scene, frames): (usize, usize),
        params: &ScenesParams,
        film: &mut Film<'_>,
        journal: &mut dyn Journal,
    ) -> Result<()> {
        let size = (from.width, from.height);
        let together = decoded_together(size);
        // Made when it is first wanted: where all pictures were kept, there is no need to read the texts.
        let mut between = None;
        let mut waiting = Waiting { model: self, pictures: Vec::new(), size: (params.width, params.height) };
        for frame in 0..frames {
            if film.is_behind() {
                film.skip_to(film.position() + 1);
                continue;
            }
            let run = Run::Between { scene, frame };
            film.begin_run(from.num_inference_steps as f64);
            if let Some(picture) = Kept::new(journal, run).picture(0, size) {
                film.on_kept();
                film.end_run();
                waiting.push_all(film, journal)?;
                waiting.push(&picture, film)?;
                continue;
            }
            let latents = Kept::new(journal, run).latents_or(&self.latents_shape(from), film, |monitor| {
                let between = match &between {
                    Some(between) => between,
                    None => between.insert(Between::new(self, from, to)?),
                };
                between.latents((frame + 1) as f64 / (frames + 1) as f64, monitor)
            })?;
            film.end_run();
            waiting.pictures.push((run, latents));
            if waiting.pictures.len() >= together {
                waiting.push_all(film, journal)?;
            }
        }
        waiting.push_all(film, journal)
    }
}

/// Finished latents that are decoded together, and what becomes of the pictures.
struct Waiting<'a> {
    model: &'a StableDiffusion,
    pictures: Vec<(Run, Tensor)>,
    /// A frame's, in pixels.
    size: (u32, u32),
}

impl Waiting<'_> {
    /// Decodes all that wait, and hands them on.
    fn push_all(&mut self, film: &mut Film<'_>, journal: &mut dyn Journal) -> Result<()> {
        let (runs, latents): (Vec<Run>, Vec<Tensor>) = std::mem::take(&mut self.pictures).into_iter().unzip();
        if runs.is_empty() {
            return Ok(());
        }
        let pictures = self.model.decode_pictures(&latents, film)?;
        for (run, picture) in runs.into_iter().zip(&pictures) {
            Kept::new(journal, run).keep_picture(0, picture);
        }
        pictures.iter().try_for_each(|picture| self.push(picture, film))
    }

    fn push(&self, picture: &RgbImage, film: &mut Film<'_>) -> Result<()> {
        let frame = preprocess::resized(picture, self.size.0, self.size.1)?;
        film.push(|| frame)
    }
}
