//! The journal of a job: keeps finished parts, so that an interrupted job resumes after them.
//!
//! This module must not depend on where the parts are stored, nor on how the pipelines use them. Invariants: a model run's name depends
//! only on its position in the job ([`Run`]); a name yields what was kept under it, or nothing; a resumed job gives the same bytes as an
//! uninterrupted one. The last holds because each run draws its noise from its own stream: skipping a run does not shift any other.

use std::fmt;

use candle_core::{Device, Tensor};
use image::RgbImage;

use crate::{Error, Result, denoise::StepMonitor};

/// The name of the only tensor in the bytes of kept latents.
const TENSOR: &str = "latents";

/// A run of a model, identified by its position in the job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Run {
    /// One of a request's images.
    Image {
        /// The image, from 0.
        index: usize,
    },
    /// A scene's image, or the image that a clip repaints.
    Scene {
        /// The scene, from 0.
        scene: usize,
    },
    /// An image between two scenes.
    Between {
        /// The scene after the join, from 1.
        scene: usize,
        /// The join's frame, from 0.
        frame: usize,
    },
    /// An image in motion; an animation is scene 0, and each run that continues from the last frame is the next one.
    Motion {
        /// The scene, from 0.
        scene: usize,
        /// The run, from 0.
        run: usize,
    },
}

/// A name for a file: "picture-0", "scene-3", "scene-3-join-1", "scene-3-motion-2". Names are unique and must not change: journals of
/// earlier versions use them.
impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Image { index } => write!(f, "picture-{index}"),
            Self::Scene { scene } => write!(f, "scene-{scene}"),
            Self::Between { scene, frame } => write!(f, "scene-{scene}-join-{frame}"),
            Self::Motion { scene, run } => write!(f, "scene-{scene}-motion-{run}"),
        }
    }
}

/// Denoised latents, ready to be decoded: [images, channels, height, width], f32.
#[derive(Clone, Debug)]
pub struct KeptLatents(Tensor);

impl KeptLatents {
    /// The result of a denoising run.
    pub(crate) fn new(latents: Tensor) -> Self {
        Self(latents)
    }

    /// The latents, if they have this shape: any other shape is from another model.
    pub(crate) fn of_shape(self, shape: &[usize]) -> Option<Tensor> {
        (self.0.dims() == shape).then_some(self.0)
    }

    /// The bytes of a safetensors file, which stores every number exactly.
    ///
    /// # Errors
    /// [`Error::Candle`] if the tensor cannot be read.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        Ok(safetensors::serialize([(TENSOR, &self.0)], None).map_err(candle_core::Error::from)?)
    }

    /// Reads the output of [`Self::to_bytes`].
    ///
    /// # Errors
    /// [`Error::Candle`] if the bytes are truncated, or hold anything else.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let mut tensors = candle_core::safetensors::load_buffer(bytes, &Device::Cpu)?;
        tensors.remove(TENSOR).map(Self).ok_or_else(|| Error::Candle(candle_core::Error::Msg(format!("there is no tensor {TENSOR}"))))
    }
}

/// Keeps the finished parts of one job: a request, a video.
///
/// A journal never fails: a part that cannot be kept is dropped, and one that cannot be read counts as absent. Either costs only time.
pub trait Journal {
    /// The kept latents of a run.
    fn latents(&mut self, run: Run) -> Option<KeptLatents>;

    /// Keeps the denoised latents of a run. Called before they are decoded.
    fn keep_latents(&mut self, run: Run, latents: &KeptLatents);

    /// A kept image of a run, at the size at which the model generated it: frame 0 if it is the only one.
    fn image(&mut self, run: Run, frame: usize) -> Option<RgbImage>;

    /// Keeps an image of a run. Called before the image is passed on.
    fn keep_image(&mut self, run: Run, frame: usize, image: &RgbImage);
}

/// A journal that keeps nothing.
impl Journal for () {
    fn latents(&mut self, _: Run) -> Option<KeptLatents> {
        None
    }

    fn keep_latents(&mut self, _: Run, _: &KeptLatents) {}

    fn image(&mut self, _: Run, _: usize) -> Option<RgbImage> {
        None
    }

    fn keep_image(&mut self, _: Run, _: usize, _: &RgbImage) {}
}

/// One run's part of a journal.
pub(crate) struct RunJournal<'a> {
    journal: &'a mut dyn Journal,
    run: Run,
}

impl<'a> RunJournal<'a> {
    /// The run's part.
    pub(crate) fn new(journal: &'a mut dyn Journal, run: Run) -> Self {
        Self { journal, run }
    }

    /// The run's kept latents of this shape, or the result of `make`, which is then kept.
    pub(crate) fn latents_or(
        &mut self,
        shape: &[usize],
        monitor: &mut dyn StepMonitor,
        make: impl FnOnce(&mut dyn StepMonitor) -> Result<Tensor>,
    ) -> Result<Tensor> {
        if let Some(latents) = self.journal.latents(self.run).and_then(|latents| latents.of_shape(shape)) {
            monitor.on_kept();
            return Ok(latents);
        }
        let latents = KeptLatents::new(make(monitor)?);
        self.journal.keep_latents(self.run, &latents);
        Ok(latents.0)
    }

    /// A kept image of the run with this (width, height): any other size is from another model.
    pub(crate) fn image(&mut self, frame: usize, size: (u32, u32)) -> Option<RgbImage> {
        self.journal.image(self.run, frame).filter(|image| image.dimensions() == size)
    }

    /// Keeps an image of the run.
    pub(crate) fn keep_image(&mut self, frame: usize, image: &RgbImage) {
        self.journal.keep_image(self.run, frame, image);
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use candle_core::DType;

    use super::*;

    #[test]
    fn runs_have_unique_names() {
        let names =
            [Run::Image { index: 12 }, Run::Scene { scene: 1 }, Run::Between { scene: 1, frame: 2 }, Run::Motion { scene: 1, run: 2 }];
        assert_eq!(names.map(|run| run.to_string()), ["picture-12", "scene-1", "scene-1-join-2", "scene-1-motion-2"]);
    }

    #[test]
    fn latents_are_read_back_exactly_or_refused() {
        let values = [0.1f32, -0.0, 1e-42, f32::MAX, 700.000_06, 3.0];
        let bits =
            |tensor: &Tensor| tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap().iter().map(|v| v.to_bits()).collect::<Vec<_>>();
        let latents = Tensor::from_vec(values.to_vec(), (1, 3, 2, 1), &Device::Cpu).unwrap();
        let bytes = KeptLatents::new(latents.clone()).to_bytes().unwrap();
        let read = KeptLatents::from_bytes(&bytes).unwrap();
        assert_eq!((read.0.dims(), read.0.dtype(), bits(&read.0)), (latents.dims(), DType::F32, bits(&latents)));
        assert!(read.clone().of_shape(&[1, 3, 1, 2]).is_none() && read.of_shape(&[1, 3, 2, 1]).is_some());
        let half = KeptLatents::new(latents.to_dtype(DType::BF16).unwrap()).to_bytes().unwrap();
        assert_eq!(KeptLatents::from_bytes(&half).unwrap().0.dtype(), DType::BF16);
        for end in 0..bytes.len() {
            assert!(KeptLatents::from_bytes(&bytes[..end]).is_err(), "torn at {end}");
        }
        assert!(KeptLatents::from_bytes(&safetensors::serialize([("other", &latents)], None).unwrap()).is_err());
    }
}
