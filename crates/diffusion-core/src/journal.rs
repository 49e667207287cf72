//! The journal of a piece of work: what is finished of it is kept, so that work that was broken off goes on behind it.
//!
//! It must not know where things are kept, nor what the pipelines make of them. The invariants: a model run's name follows from its place
//! in the work alone ([`Run`]); what is found under a name is what was kept under it, or nothing; work that continues from a journal gives
//! the same bytes as work that was never broken off. The last holds because each run draws its noise from a stream of its own: a run that
//! is left out shifts no other's.

use std::fmt;

use candle_core::{Device, Tensor};
use image::RgbImage;

use crate::{Error, Result, denoise::StepMonitor};

/// The name of the one tensor in kept latents' bytes.
const TENSOR: &str = "latents";

/// A run of a model, by its place in the work that it is part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Run {
    /// One of a request's images.
    Image {
        /// Which, from 0.
        index: usize,
    },
    /// A scene's image, or the image that a clip repaints.
    Scene {
        /// The scene, from 0.
        scene: usize,
    },
    /// An image between two scenes.
    Between {
        /// The scene behind the join, from 1.
        scene: usize,
        /// The join's frame, from 0.
        frame: usize,
    },
    /// An image in motion; an animation is scene 0, and what continues from its last frame is its next run.
    Motion {
        /// The scene, from 0.
        scene: usize,
        /// The run, from 0.
        run: usize,
    },
}

/// A name for a file: "picture-0", "scene-3", "scene-3-join-1", "scene-3-motion-2". No two runs share one, and none changes: journals of
/// earlier versions have these.
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

/// Finished latents, which only have to be decoded: [images, channels, height, width], f32.
#[derive(Clone, Debug)]
pub struct KeptLatents(Tensor);

impl KeptLatents {
    /// Latents as a denoising run leaves them.
    pub(crate) fn new(latents: Tensor) -> Self {
        Self(latents)
    }

    /// The latents, if they have this shape: others are another model's.
    pub(crate) fn of_shape(self, shape: &[usize]) -> Option<Tensor> {
        (self.0.dims() == shape).then_some(self.0)
    }

    /// The bytes of a safetensors file, in which every number is kept as it is.
    ///
    /// # Errors
    /// [`Error::Candle`] if the tensor cannot be read.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        Ok(safetensors::serialize([(TENSOR, &self.0)], None).map_err(candle_core::Error::from)?)
    }

    /// Reads what [`Self::to_bytes`] wrote.
    ///
    /// # Errors
    /// [`Error::Candle`] if the bytes are torn, or hold anything else.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let mut tensors = candle_core::safetensors::load_buffer(bytes, &Device::Cpu)?;
        tensors.remove(TENSOR).map(Self).ok_or_else(|| Error::Candle(candle_core::Error::Msg(format!("there is no tensor {TENSOR}"))))
    }
}

/// Keeps what is finished of one piece of work: a request, a video.
///
/// It never fails: what cannot be kept is left out, and what cannot be read counts as absent. Either costs only time.
pub trait Journal {
    /// The latents that a run's denoising left.
    fn latents(&mut self, run: Run) -> Option<KeptLatents>;

    /// Keeps the latents that a run's denoising left. Called before they are decoded.
    fn keep_latents(&mut self, run: Run, latents: &KeptLatents);

    /// An image of a run, at the size at which the model made it: its only one, 0, or a frame of many.
    fn image(&mut self, run: Run, frame: usize) -> Option<RgbImage>;

    /// Keeps an image of a run. Called before the image is handed on.
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

/// The part of a journal that is one run's.
pub(crate) struct RunJournal<'a> {
    journal: &'a mut dyn Journal,
    run: Run,
}

impl<'a> RunJournal<'a> {
    /// The run's part.
    pub(crate) fn new(journal: &'a mut dyn Journal, run: Run) -> Self {
        Self { journal, run }
    }

    /// The run's latents of this shape: those that were kept, else those that `make` makes, which are kept.
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

    /// A kept image of the run that has this (width, height): one of another size is another model's.
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
    fn runs_have_names_that_no_other_has() {
        let names =
            [Run::Image { index: 12 }, Run::Scene { scene: 1 }, Run::Between { scene: 1, frame: 2 }, Run::Motion { scene: 1, run: 2 }];
        assert_eq!(names.map(|run| run.to_string()), ["picture-12", "scene-1", "scene-1-join-2", "scene-1-motion-2"]);
    }

    #[test]
    fn latents_come_back_as_they_were_or_not_at_all() {
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
