//! Estimates the memory that a job needs, and the largest request that fits if it is too much.
//!
//! It queries neither the system nor the device: the limit arrives as a value. The invariant: an estimate covers the whole process at the
//! job's peak, the loaded models included, and errs upwards; a job of a model without a memory plan is never refused.
//!
//! Checked against measured peaks of runs on a CPU (`ru_maxrss` of `framewright image`, `animate` and `bench`): the tables are in the tests
//! here and in diffusion-core's memory module. On other devices the same arithmetic counts what the portable layers hold; it has not been
//! measured there.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use diffusion_core::pipelines::{ImageCall, ImageMemory, MotionCall, MotionMemory, scenes::Join};

use crate::backend::too_large::{MemoryRequest, TooLarge};
use crate::spec::{
    image::{ImageMode, ImageSpec, ResizeMode},
    limits::SIDE_MULTIPLE,
    video::{AnimationSpec, ClipSpec, MotionSpec, ScenesSpec, VideoSpec},
};
use crate::work::Work;

/// The memory of a process without a loaded model: its own pages, including the embedded models, and its threads' scratch.
const PROCESS_BYTES: u64 = 112 << 20;
/// Memory per pixel of video output: frames being resized and mixed, and the encoder's reference and look-ahead frames.
const FRAME_BYTES: u64 = 160;
/// Estimates are raised by this fraction, for gaps between blocks and for what is not counted.
const MARGIN: f64 = 0.1;
/// The shortest proposed side, in pixels.
const SHORTEST: u32 = 64;

/// Whether the motion model has been loaded: from then on it holds its memory during every job.
#[derive(Clone, Debug, Default)]
struct Loaded(Arc<AtomicBool>);

impl PartialEq for Loaded {
    fn eq(&self, other: &Self) -> bool {
        self.0.load(Ordering::Relaxed) == other.0.load(Ordering::Relaxed)
    }
}

/// The bytes of the ControlNets that the image model keeps.
#[derive(Clone, Debug, Default)]
struct Kept(Arc<AtomicU64>);

impl PartialEq for Kept {
    fn eq(&self, other: &Self) -> bool {
        self.0.load(Ordering::Relaxed) == other.0.load(Ordering::Relaxed)
    }
}

/// What enlarging an image with a network takes, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Enlarging {
    /// The network's weights, which stay loaded.
    pub(crate) weights: u64,
    /// The rest, during the call.
    pub(crate) working: u64,
}

/// The process's memory at the peak of an enlargement, without any model, in bytes.
pub(crate) fn peak_without_model(Enlarging { weights, working }: Enlarging) -> u64 {
    with_margin([PROCESS_BYTES, weights, working].into_iter().fold(0, u64::saturating_add))
}

/// The memory that jobs need with the device's models, and the limit. The default knows no model and refuses no job.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MemoryPlan {
    images: Option<ImageMemory>,
    image_size: (u32, u32),
    motion: Option<MotionMemory>,
    motion_is_loaded: Loaded,
    controlnets: Kept,
    /// Weights other than those of the two models, in bytes.
    other_weights: u64,
    limit: Option<u64>,
}

impl MemoryPlan {
    /// A plan for these models; `limit` is the total that the process may hold on the models' device, in bytes.
    pub(crate) fn new(images: Option<ImageMemory>, image_size: (u32, u32), motion: Option<MotionMemory>, limit: Option<u64>) -> Self {
        Self { images, image_size, motion, motion_is_loaded: Loaded::default(), controlnets: Kept::default(), other_weights: 0, limit }
    }

    /// A plan for a model that is known only by its loaded size, in bytes.
    pub fn of_weights(bytes: u64, limit: Option<u64>) -> Self {
        Self { other_weights: bytes, limit, ..Self::default() }
    }

    /// The size of the motion model's frames in pixels, and how many of them it makes at once; `None` without one.
    pub(crate) fn motion_shape(&self) -> Option<((u32, u32), usize)> {
        self.motion.as_ref().map(|motion| (motion.default_size(), motion.default_num_frames()))
    }

    /// The weights of the loaded models, in bytes: the image model with the ControlNets that it keeps, and the motion model once it is
    /// loaded.
    pub fn weights(&self) -> u64 {
        self.weights_for(false).saturating_add(self.controlnets.0.load(Ordering::Relaxed))
    }

    /// Records the size of the ControlNets that the image model keeps.
    pub(crate) fn keeps_controlnets(&self, bytes: u64) {
        self.controlnets.0.store(bytes, Ordering::Relaxed);
    }

    /// The bytes that ControlNets of earlier jobs may hold during this one; `None` without a limit.
    pub(crate) fn room_for_kept(&self, needed: Option<u64>) -> Option<u64> {
        let beside = (self.limit?.saturating_sub(needed?)) as f64 / (1.0 + MARGIN);
        Some(beside as u64)
    }

    fn weights_for(&self, moves: bool) -> u64 {
        let moves = moves || self.motion_is_loaded.0.load(Ordering::Relaxed);
        let images = self.images.as_ref().map_or(0, ImageMemory::weights);
        let motion = self.motion.as_ref().filter(|_| moves).map_or(0, MotionMemory::weights);
        [images, motion, self.other_weights].into_iter().fold(0, u64::saturating_add)
    }

    /// The weights of the models that are loaded during this work, in bytes.
    pub(crate) fn weights_of(&self, work: &Work) -> u64 {
        self.weights_for(match work {
            Work::Image(spec) => return self.weights_for(false).saturating_add(self.controlnets_of(spec)),
            Work::Video(VideoSpec::Remote(_)) | Work::Upscale(_) => false,
            Work::Video(VideoSpec::Scenes(spec)) => spec.moves(),
            Work::Video(VideoSpec::Animation(_) | VideoSpec::Clip(_)) => true,
        })
    }

    /// The most that a job's ControlNets hold, in bytes.
    fn controlnets_of(&self, spec: &ImageSpec) -> u64 {
        let each = self.images.as_ref().map_or(0, ImageMemory::controlnet_weights);
        each.saturating_mul(spec.controls().acting().count() as u64)
    }

    /// The process's memory at this job's peak beside other models that hold `others` bytes, in bytes. For an unknown job only its model's
    /// weights count.
    pub(crate) fn beside(&self, work: Option<&Work>, others: u64) -> u64 {
        let of_job = match work {
            Some(Work::Image(spec)) => self.images(spec),
            Some(Work::Video(spec)) => self.video(spec),
            Some(Work::Upscale(_)) | None => None,
        };
        of_job.unwrap_or_else(|| self.total(0, false)).saturating_add(with_margin(others))
    }

    /// The same for a job during which a network enlarges an image: between two steps of the model, never during one.
    pub(crate) fn beside_enlarging(&self, work: &Work, others: u64, Enlarging { weights, working }: Enlarging) -> u64 {
        let others = others.saturating_add(weights);
        self.beside(Some(work), others).max(self.beside(None, others.saturating_add(working)))
    }

    /// Records that the motion model has been dropped, together with the image model.
    pub(crate) fn is_unloaded(&self) {
        self.motion_is_loaded.0.store(false, Ordering::Relaxed);
        self.keeps_controlnets(0);
    }

    /// The total that the process may hold, in bytes; `None` without a limit.
    pub fn limit(&self) -> Option<u64> {
        self.limit
    }

    /// Records that the motion model has been loaded.
    pub(crate) fn motion_is_loaded(&self) {
        self.motion_is_loaded.0.store(true, Ordering::Relaxed);
    }

    /// The process's memory at the peak of this job, in bytes; `None` if the model is unknown.
    pub fn images(&self, spec: &ImageSpec) -> Option<u64> {
        // Latents are stretched after a given image was encoded at its own size.
        let given = match spec.mode() {
            ImageMode::ImageToImage { init_image, resize: ResizeMode::Latent, .. }
            | ImageMode::Inpaint { init_image, resize: ResizeMode::Latent, .. } => Some(init_image.dimensions()),
            ImageMode::TextToImage | ImageMode::ImageToImage { .. } | ImageMode::Inpaint { .. } => None,
        };
        let sizes = [(spec.width(), spec.height()), spec.made_size()].into_iter().chain(given);
        self.images_of(spec, sizes.max_by_key(|size| area(*size))?)
    }

    fn images_of(&self, spec: &ImageSpec, size: (u32, u32)) -> Option<u64> {
        let encodes = spec.hires().is_some() || !matches!(spec.mode(), ImageMode::TextToImage);
        let (guided, controls) = (spec.guidance_scale() > 1.0, spec.controls().acting().count());
        let call = ImageCall { size, guided, encodes, between: false, vae: spec.vae(), controls };
        // Finished images wait for the last one, as pixels and as PNG.
        let finished = area(size).saturating_mul(6).saturating_mul(spec.count().into());
        let model = self.images.as_ref()?;
        // A net is loaded before the run, and its file held meanwhile; the nets are loaded one after another.
        let loading = if controls > 0 { model.controlnet_file() } else { 0 };
        let working = model.working(call).saturating_add(finished).max(loading);
        Some(self.total(working.saturating_add(self.controlnets_of(spec)), false))
    }

    /// The process's memory at the peak of this job, in bytes; `None` if a model that it needs is unknown.
    pub fn video(&self, spec: &VideoSpec) -> Option<u64> {
        match spec {
            VideoSpec::Scenes(spec) => self.scenes(spec),
            VideoSpec::Animation(spec) => self.animation(spec),
            VideoSpec::Clip(spec) => self.clip(spec),
            // A provider generates it.
            VideoSpec::Remote(_) => Some(0),
        }
    }

    fn scenes(&self, spec: &ScenesSpec) -> Option<u64> {
        let between = spec.joins().iter().any(|join| matches!(join, Join::Slerp { .. }));
        let guided = spec.guidance_scale() > 1.0;
        let call = ImageCall { size: self.image_size, guided, encodes: false, between, vae: spec.vae(), controls: 0 };
        let mut working = self.images.as_ref()?.working(call);
        for motion in spec.scenes().iter().filter_map(|scene| scene.motion()) {
            working = working.max(self.motion.as_ref()?.working(self.call(motion, None)?));
        }
        Some(self.total(working.saturating_add(output_memory((spec.width(), spec.height()))), spec.moves()))
    }

    fn animation(&self, spec: &AnimationSpec) -> Option<u64> {
        let call = self.call(spec.motion(), spec.size())?;
        Some(self.total(self.motion.as_ref()?.working(call).saturating_add(output_memory(call.size)), true))
    }

    fn clip(&self, spec: &ClipSpec) -> Option<u64> {
        let size = self.clip_size(spec)?;
        let mut working = self.motion.as_ref()?.working(self.call(spec.motion(), Some(size))?);
        if let Some(repaint) = spec.repaint() {
            let guided = repaint.guidance_scale() > 1.0;
            let call = ImageCall { size: self.image_size, guided, encodes: true, between: false, vae: repaint.vae(), controls: 0 };
            working = working.max(self.images.as_ref()?.working(call));
        }
        Some(self.total(working.saturating_add(output_memory(spec.size().unwrap_or(size))), true))
    }

    /// The size that the motion model is run at for a clip.
    fn clip_size(&self, spec: &ClipSpec) -> Option<(u32, u32)> {
        let num_frames = spec.motion().num_frames().map(count);
        Some(self.motion.as_ref()?.size_for(spec.proportions(), spec.longer_side(), num_frames))
    }

    /// A run of the motion model; without `size`, at the model's own.
    fn call(&self, motion: &MotionSpec, size: Option<(u32, u32)>) -> Option<MotionCall> {
        let model = self.motion.as_ref()?;
        let frames = motion.num_frames().map_or_else(|| model.default_num_frames(), count);
        let (min, max) = (motion.min_guidance_scale(), motion.max_guidance_scale());
        let guided = max > 1.0 || min > 1.0;
        let size = size.unwrap_or_else(|| model.default_size());
        let call = MotionCall { size, frames, decoded_together: frames.min(model.most_decoded_together(size)), guided };
        let together = motion.decode_chunk_size().map(count).or_else(|| self.decode_chunk(call)).unwrap_or(call.decoded_together);
        Some(MotionCall { decoded_together: together, ..call })
    }

    /// How many frames to decode together where the request does not set it: as many as memory allows. `None` for the call's own number.
    ///
    /// Fewer give slightly different pixels, so it depends on the operator's limit and the request alone, not on the memory free right now.
    fn decode_chunk(&self, call: MotionCall) -> Option<usize> {
        let (limit, model) = (self.limit?, self.motion.as_ref()?);
        let needed = |together: usize| {
            let working = model.working(MotionCall { decoded_together: together, ..call });
            self.total(working.saturating_add(output_memory(call.size)), true)
        };
        if needed(call.decoded_together) <= limit {
            return None;
        }
        Some((1..call.decoded_together).rev().find(|together| needed(*together) <= limit).unwrap_or(1))
    }

    /// The number of frames that a run decodes together, for the device's thread; `None` for all at once.
    pub(crate) fn decode_chunk_of(&self, motion: &MotionSpec, size: Option<(u32, u32)>) -> Option<usize> {
        let call = self.call(motion, size)?;
        (call.decoded_together < call.frames).then_some(call.decoded_together)
    }

    /// As [`Self::decode_chunk_of`], for a moving scene; `proportions` are the video's if its images have them.
    pub(crate) fn decode_chunk_of_scene(&self, motion: &MotionSpec, proportions: Option<(u32, u32)>) -> Option<usize> {
        let model = self.motion.as_ref()?;
        self.decode_chunk_of(motion, proportions.map(|size| model.size_for(size, None, motion.num_frames().map(count))))
    }

    fn total(&self, working: u64, moves: bool) -> u64 {
        let sum = [PROCESS_BYTES, self.weights_for(moves), working].into_iter().fold(0, u64::saturating_add);
        with_margin(sum)
    }

    /// Refuses images that do not fit in memory.
    ///
    /// # Errors
    /// [`TooLarge`] with the largest size of the same shape that fits.
    pub fn check_images(&self, spec: &ImageSpec) -> Result<(), TooLarge> {
        let (Some(available), Some(needed)) = (self.limit, self.images(spec)) else { return Ok(()) };
        if needed <= available {
            return Ok(());
        }
        let size = (spec.width(), spec.height());
        let largest = smaller_sizes(size).find(|size| self.images_of(spec, *size).is_some_and(|needed| needed <= available));
        Err(TooLarge::new(MemoryRequest::Size(size), needed, available, largest.map(MemoryRequest::Size)))
    }

    /// Refuses a video that does not fit in memory.
    ///
    /// # Errors
    /// [`TooLarge`] with the largest number of frames at once that fits, or else the largest size.
    pub fn check_video(&self, spec: &VideoSpec) -> Result<(), TooLarge> {
        let (Some(available), Some(needed)) = (self.limit, self.video(spec)) else { return Ok(()) };
        if needed <= available {
            return Ok(());
        }
        let fits = |spec: VideoSpec| self.video(&spec).is_some_and(|needed| needed <= available);
        let motion = self.largest_motion(spec);
        if let Some((motion, size)) = motion
            && let Some(call) = self.call(motion, size)
        {
            let asked = MemoryRequest::Frames { frames: call.frames, size: call.size };
            let chunk = motion.decode_chunk_size().map(count);
            // First the change that costs only flicker: fewer frames decoded together, if the request set their number.
            let chunks = (1..chunk.unwrap_or(1).min(call.frames))
                .rev()
                .find(|chunk| fits(with(spec, |motion| motion.decode_chunk_size = narrow(*chunk))));
            if let Some((asked, fewer)) = chunk.zip(chunks) {
                return Err(TooLarge::new(MemoryRequest::Chunk(asked), needed, available, Some(MemoryRequest::Chunk(fewer))));
            }
            let frames = (2..call.frames).rev().find(|frames| fits(with(spec, |motion| motion.num_frames = narrow(*frames))));
            if let Some(frames) = frames {
                return Err(TooLarge::new(asked, needed, available, Some(MemoryRequest::Frames { frames, size: call.size })));
            }
            if let VideoSpec::Animation(animation) = spec {
                let fits = |size: &(u32, u32)| fits(VideoSpec::Animation(AnimationSpec { size: Some(*size), ..animation.clone() }));
                let largest = smaller_sizes(call.size).find(fits);
                return Err(TooLarge::new(MemoryRequest::Size(call.size), needed, available, largest.map(MemoryRequest::Size)));
            }
            return Err(TooLarge::new(asked, needed, available, None));
        }
        // A video of still scenes: its images have the model's own size, its frames the request's.
        let (asked, largest) = match spec {
            VideoSpec::Scenes(scenes) => {
                let size = (scenes.width, scenes.height);
                let fits =
                    |(width, height): &(u32, u32)| fits(VideoSpec::Scenes(ScenesSpec { width: *width, height: *height, ..scenes.clone() }));
                (size, smaller_sizes(size).find(fits))
            }
            // Both have a motion, handled above.
            VideoSpec::Animation(animation) => (animation.size.unwrap_or_default(), None),
            VideoSpec::Clip(clip) => (clip.size().unwrap_or_default(), None),
            // It needs no local memory.
            VideoSpec::Remote(_) => return Ok(()),
        };
        Err(TooLarge::new(MemoryRequest::Size(asked), needed, available, largest.map(MemoryRequest::Size)))
    }

    /// The video's run of the motion model that needs the most memory.
    fn largest_motion<'a>(&self, spec: &'a VideoSpec) -> Option<(&'a MotionSpec, Option<(u32, u32)>)> {
        match spec {
            VideoSpec::Animation(spec) => Some((spec.motion(), spec.size())),
            VideoSpec::Clip(spec) => Some((spec.motion(), Some(self.clip_size(spec)?))),
            VideoSpec::Scenes(spec) => {
                let model = self.motion.as_ref()?;
                let needed = |motion: &&MotionSpec| self.call(motion, None).map_or(0, |call| model.working(call));
                Some((spec.scenes().iter().filter_map(|scene| scene.motion()).max_by_key(needed)?, None))
            }
            VideoSpec::Remote(_) => None,
        }
    }
}

fn with_margin(bytes: u64) -> u64 {
    (bytes as f64 * (1.0 + MARGIN)) as u64
}

/// The same video with every motion changed.
fn with(spec: &VideoSpec, change: impl Fn(&mut MotionSpec)) -> VideoSpec {
    let mut spec = spec.clone();
    match &mut spec {
        VideoSpec::Animation(animation) => change(&mut animation.motion),
        VideoSpec::Clip(clip) => change(&mut clip.motion),
        VideoSpec::Scenes(scenes) => scenes.scenes.iter_mut().filter_map(|scene| scene.motion.as_mut()).for_each(change),
        VideoSpec::Remote(_) => {}
    }
    spec
}

fn narrow(number: usize) -> Option<u32> {
    u32::try_from(number).ok()
}

fn count(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

fn area((width, height): (u32, u32)) -> u64 {
    u64::from(width).saturating_mul(u64::from(height))
}

/// The memory of video output at this size.
fn output_memory(size: (u32, u32)) -> u64 {
    area(size).saturating_mul(FRAME_BYTES)
}

/// Smaller sizes of about the same aspect ratio, the largest first.
fn smaller_sizes((width, height): (u32, u32)) -> impl Iterator<Item = (u32, u32)> {
    let (long, short) = (width.max(height), width.min(height));
    let steps = (1..=long / SIDE_MULTIPLE).rev().map(|side| side * SIDE_MULTIPLE).filter(move |side| *side < long);
    steps.filter_map(move |side| {
        let other = u64::from(side) * u64::from(short) / u64::from(long.max(1));
        let other = u32::try_from(other).ok()? / SIDE_MULTIPLE * SIDE_MULTIPLE;
        (other >= SHORTEST).then_some(if width >= height { (side, other) } else { (other, side) })
    })
}

#[cfg(test)]
mod tests;
