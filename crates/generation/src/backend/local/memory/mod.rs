//! How much memory a job will take, and which is the largest that would do where it is too much.
//!
//! It asks neither the system nor the device: the limit arrives as a value. The invariant: an estimate is of the whole process at the
//! job's peak, the loaded models included, and rather too much than too little; where nothing is known of a model, nothing is refused.
//!
//! Held against the real peaks of runs on a CPU (`ru_maxrss` of `framewright image`, `animate` and `bench`): the tables are in the tests
//! here and in diffusion-core's memory module. On other devices the same arithmetic counts what the portable layers hold; that is
//! unmeasured.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use diffusion_core::pipelines::{ImageCall, ImageMemory, MotionCall, MotionMemory, scenes::Join};

use crate::backend::too_large::{Asked, TooLarge};
use crate::spec::{
    image::{ImageMode, ImageSpec},
    limits::SIDE_MULTIPLE,
    video::{AnimationSpec, ClipSpec, MotionSpec, ScenesSpec, VideoSpec},
};
use crate::work::Work;

/// What a process takes that has loaded no model: its own pages, the embedded models among them, and its threads' scratch.
const PROCESS_BYTES: u64 = 112 << 20;
/// What a pixel of a video takes on its way out: frames being resized and mixed, and those that an encoder looks back and ahead on.
const FRAME_BYTES: u64 = 160;
/// Estimates are raised by this part of themselves: gaps between blocks, and what was not counted.
const MARGIN: f64 = 0.1;
/// The shortest side that is proposed, in pixels.
const SHORTEST: u32 = 64;

/// Whether the model that sets pictures in motion has been loaded: from then on it takes its memory, whatever the job.
#[derive(Clone, Debug, Default)]
struct Loaded(Arc<AtomicBool>);

impl PartialEq for Loaded {
    fn eq(&self, other: &Self) -> bool {
        self.0.load(Ordering::Relaxed) == other.0.load(Ordering::Relaxed)
    }
}

/// What jobs of the device's models take, and how much there is. The default knows nothing and refuses nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MemoryPlan {
    pictures: Option<ImageMemory>,
    picture_size: (u32, u32),
    motion: Option<MotionMemory>,
    motion_is_loaded: Loaded,
    /// Weights beside those of the two models.
    other_weights: u64,
    limit: Option<u64>,
}

impl MemoryPlan {
    /// For these models; `limit` is what the process may hold in all, on the device that the models are on, in bytes.
    pub(crate) fn new(pictures: Option<ImageMemory>, picture_size: (u32, u32), motion: Option<MotionMemory>, limit: Option<u64>) -> Self {
        Self { pictures, picture_size, motion, motion_is_loaded: Loaded::default(), other_weights: 0, limit }
    }

    /// For a model of which nothing is known but what it holds while it is loaded, in bytes.
    pub fn of_weights(bytes: u64, limit: Option<u64>) -> Self {
        Self { other_weights: bytes, limit, ..Self::default() }
    }

    /// What the loaded models hold, in bytes: the one that makes images, and the one that sets them in motion once it is loaded.
    pub fn weights(&self) -> u64 {
        self.weights_for(false)
    }

    fn weights_for(&self, moves: bool) -> u64 {
        let moves = moves || self.motion_is_loaded.0.load(Ordering::Relaxed);
        let pictures = self.pictures.as_ref().map_or(0, ImageMemory::weights);
        let motion = self.motion.as_ref().filter(|_| moves).map_or(0, MotionMemory::weights);
        [pictures, motion, self.other_weights].into_iter().fold(0, u64::saturating_add)
    }

    /// What the loaded models hold while this is made, in bytes.
    pub(crate) fn weights_of(&self, work: &Work) -> u64 {
        self.weights_for(match work {
            Work::Image(_) | Work::Video(VideoSpec::Remote(_)) => false,
            Work::Video(VideoSpec::Scenes(spec)) => spec.moves(),
            Work::Video(VideoSpec::Animation(_) | VideoSpec::Clip(_)) => true,
        })
    }

    /// What the process takes at the peak of this job beside other models that hold so much, in bytes. Where nothing is known of the job, its
    /// model's weights count alone.
    pub(crate) fn beside(&self, work: Option<&Work>, others: u64) -> u64 {
        let of_job = match work {
            Some(Work::Image(spec)) => self.pictures(spec),
            Some(Work::Video(spec)) => self.video(spec),
            None => None,
        };
        of_job.unwrap_or_else(|| self.total(0, false)).saturating_add(with_margin(others))
    }

    /// Forgets that the model that sets images in motion is loaded: it went with the other.
    pub(crate) fn is_unloaded(&self) {
        self.motion_is_loaded.0.store(false, Ordering::Relaxed);
    }

    /// What the process may hold in all, in bytes; `None` if nobody said.
    pub fn limit(&self) -> Option<u64> {
        self.limit
    }

    /// Says that the model that sets pictures in motion has been loaded.
    pub(crate) fn motion_is_loaded(&self) {
        self.motion_is_loaded.0.store(true, Ordering::Relaxed);
    }

    /// What the process takes at the peak of this job, in bytes; `None` if nothing is known of the model.
    pub fn pictures(&self, spec: &ImageSpec) -> Option<u64> {
        self.pictures_of(spec, (spec.width(), spec.height()))
    }

    fn pictures_of(&self, spec: &ImageSpec, size: (u32, u32)) -> Option<u64> {
        let encodes = !matches!(spec.mode(), ImageMode::TextToImage);
        let call = ImageCall { size, guided: spec.guidance_scale() > 1.0, encodes, between: false };
        // Finished pictures wait for the last one, as pixels and as PNG.
        let finished = area(size).saturating_mul(6).saturating_mul(spec.count().into());
        Some(self.total(self.pictures.as_ref()?.working(call).saturating_add(finished), false))
    }

    /// What the process takes at the peak of this job, in bytes; `None` if nothing is known of a model that it needs.
    pub fn video(&self, spec: &VideoSpec) -> Option<u64> {
        match spec {
            VideoSpec::Scenes(spec) => self.scenes(spec),
            VideoSpec::Animation(spec) => self.animation(spec),
            VideoSpec::Clip(spec) => self.clip(spec),
            // Another machine makes it.
            VideoSpec::Remote(_) => Some(0),
        }
    }

    fn scenes(&self, spec: &ScenesSpec) -> Option<u64> {
        let between = spec.joins().iter().any(|join| matches!(join, Join::Slerp { .. }));
        let call = ImageCall { size: self.picture_size, guided: spec.guidance_scale() > 1.0, encodes: false, between };
        let mut working = self.pictures.as_ref()?.working(call);
        for motion in spec.scenes().iter().filter_map(|scene| scene.motion()) {
            working = working.max(self.motion.as_ref()?.working(self.call(motion, None)?));
        }
        Some(self.total(working.saturating_add(leaving((spec.width(), spec.height()))), spec.moves()))
    }

    fn animation(&self, spec: &AnimationSpec) -> Option<u64> {
        let call = self.call(spec.motion(), spec.size())?;
        Some(self.total(self.motion.as_ref()?.working(call).saturating_add(leaving(call.size)), true))
    }

    fn clip(&self, spec: &ClipSpec) -> Option<u64> {
        let size = self.clip_size(spec)?;
        let mut working = self.motion.as_ref()?.working(self.call(spec.motion(), Some(size))?);
        if let Some(repaint) = spec.repaint() {
            let guided = repaint.guidance_scale() > 1.0;
            let call = ImageCall { size: self.picture_size, guided, encodes: true, between: false };
            working = working.max(self.pictures.as_ref()?.working(call));
        }
        Some(self.total(working.saturating_add(leaving(spec.size().unwrap_or(size))), true))
    }

    /// The size that the motion model is run at for a clip.
    fn clip_size(&self, spec: &ClipSpec) -> Option<(u32, u32)> {
        let num_frames = spec.motion().num_frames().map(count);
        Some(self.motion.as_ref()?.size_for(spec.proportions(), spec.longer_side(), num_frames))
    }

    /// A run of the motion model; `size` is absent for the model's own.
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

    /// How many frames to decode together where nobody says: as many as there is memory for. `None` for as many as the call says.
    ///
    /// Fewer give slightly other pixels, so it depends on the operator's limit and the request alone, and not on what is free just now.
    fn decode_chunk(&self, call: MotionCall) -> Option<usize> {
        let (limit, model) = (self.limit?, self.motion.as_ref()?);
        let needed = |together: usize| {
            let working = model.working(MotionCall { decoded_together: together, ..call });
            self.total(working.saturating_add(leaving(call.size)), true)
        };
        if needed(call.decoded_together) <= limit {
            return None;
        }
        Some((1..call.decoded_together).rev().find(|together| needed(*together) <= limit).unwrap_or(1))
    }

    /// The run's chunk where nobody says one, for the model's thread.
    pub(crate) fn decode_chunk_of(&self, motion: &MotionSpec, size: Option<(u32, u32)>) -> Option<usize> {
        let call = self.call(motion, size)?;
        (call.decoded_together < call.frames).then_some(call.decoded_together)
    }

    fn total(&self, working: u64, moves: bool) -> u64 {
        let sum = [PROCESS_BYTES, self.weights_for(moves), working].into_iter().fold(0, u64::saturating_add);
        with_margin(sum)
    }

    /// Refuses pictures that there is no memory for.
    ///
    /// # Errors
    /// [`TooLarge`] with the largest of the same shape that would do.
    pub fn check_pictures(&self, spec: &ImageSpec) -> Result<(), TooLarge> {
        let (Some(available), Some(needed)) = (self.limit, self.pictures(spec)) else { return Ok(()) };
        if needed <= available {
            return Ok(());
        }
        let size = (spec.width(), spec.height());
        let largest = smaller_sizes(size).find(|size| self.pictures_of(spec, *size).is_some_and(|needed| needed <= available));
        Err(TooLarge::new(Asked::Size(size), needed, available, largest.map(Asked::Size)))
    }

    /// Refuses a video that there is no memory for.
    ///
    /// # Errors
    /// [`TooLarge`] with the most frames at once that would do, or else the largest size.
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
            let asked = Asked::Frames { frames: call.frames, size: call.size };
            let chunk = motion.decode_chunk_size().map(count);
            // What costs nothing but flicker first: fewer decoded together, where somebody said how many.
            let chunks = (1..chunk.unwrap_or(1).min(call.frames))
                .rev()
                .find(|chunk| fits(with(spec, |motion| motion.decode_chunk_size = narrow(*chunk))));
            if let Some((asked, fewer)) = chunk.zip(chunks) {
                return Err(TooLarge::new(Asked::Chunk(asked), needed, available, Some(Asked::Chunk(fewer))));
            }
            let frames = (2..call.frames).rev().find(|frames| fits(with(spec, |motion| motion.num_frames = narrow(*frames))));
            if let Some(frames) = frames {
                return Err(TooLarge::new(asked, needed, available, Some(Asked::Frames { frames, size: call.size })));
            }
            if let VideoSpec::Animation(animation) = spec {
                let fits = |size: &(u32, u32)| fits(VideoSpec::Animation(AnimationSpec { size: Some(*size), ..animation.clone() }));
                let largest = smaller_sizes(call.size).find(fits);
                return Err(TooLarge::new(Asked::Size(call.size), needed, available, largest.map(Asked::Size)));
            }
            return Err(TooLarge::new(asked, needed, available, None));
        }
        // A video of still scenes: its pictures have the model's own size, its frames that of the request.
        let (asked, largest) = match spec {
            VideoSpec::Scenes(scenes) => {
                let size = (scenes.width, scenes.height);
                let fits =
                    |(width, height): &(u32, u32)| fits(VideoSpec::Scenes(ScenesSpec { width: *width, height: *height, ..scenes.clone() }));
                (size, smaller_sizes(size).find(fits))
            }
            // Both have a motion, which was dealt with.
            VideoSpec::Animation(animation) => (animation.size.unwrap_or_default(), None),
            VideoSpec::Clip(clip) => (clip.size().unwrap_or_default(), None),
            // It takes nothing.
            VideoSpec::Remote(_) => return Ok(()),
        };
        Err(TooLarge::new(Asked::Size(asked), needed, available, largest.map(Asked::Size)))
    }

    /// Of a video's runs of the motion model the one that takes most.
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

/// What frames of this size take on their way out.
fn leaving(size: (u32, u32)) -> u64 {
    area(size).saturating_mul(FRAME_BYTES)
}

/// Smaller sizes of about the same shape, the largest first.
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
