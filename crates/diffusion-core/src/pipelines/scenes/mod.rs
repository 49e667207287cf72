//! Videos of scenes: an image for each prompt, still or set in motion, and joins between them.
//!
//! This module must not depend on encoders or on the origin of a request: frames are pushed to a sink, one by one, and only a few are held
//! in memory. Invariants: a video has the number of frames that its [`Timeline`] states; frame k does not depend on the frame that
//! rendering starts with, so that an interrupted video can be resumed. Scenes are generated at the model's native size and resized to the
//! video's with Lanczos, as in the service whose API the server is compatible with; crossfade weights are i / n, as there, so that a join
//! starts with the old scene.

mod between;
mod moving;
mod timeline;

use image::RgbImage;

pub(super) use self::between::decoded_together;
use self::moving::push_moving;
pub use self::timeline::{Span, Timeline, scene_frames};
use super::{
    Activity, ImageParams, MotionParams, StableDiffusion, StableVideoDiffusion, VideoContext,
    image::check_sizes,
    image_to_video::Windows,
    progress::{VideoRun, VideoSize},
};
use crate::{
    Error, Result,
    imaging::{blend, resized},
    journal::Run,
};

/// The transition from one scene to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Join {
    /// No transition.
    Cut,
    /// Frame i of n is a mix of i / n of the next scene and the rest of the old one.
    Crossfade {
        /// Frames between the scenes; 0 is a cut.
        frames: usize,
    },
    /// Intermediate images, each denoised from spherically interpolated noise and linearly interpolated text embeddings. Frame i of n is at
    /// position (i + 1) / (n + 1), so that it repeats neither scene's image.
    Slerp {
        /// Frames between the scenes; 0 is a cut.
        frames: usize,
    },
}

impl Join {
    /// The name: "cut", "crossfade" or "slerp".
    pub fn name(&self) -> &'static str {
        match self {
            Self::Cut => "cut",
            Self::Crossfade { .. } => "crossfade",
            Self::Slerp { .. } => "slerp",
        }
    }

    /// The number of frames that the join adds between the scenes.
    pub fn frames(&self) -> usize {
        match self {
            Self::Cut => 0,
            Self::Crossfade { frames } | Self::Slerp { frames } => *frames,
        }
    }
}

/// One scene.
#[derive(Clone, Debug)]
pub struct SceneParams {
    /// The scene's image, generated from noise, preferably at the model's native size.
    pub image: ImageParams,
    /// The number of frames, without joins.
    pub frames: usize,
    /// The motion of its image; `None` for a still.
    pub motion: Option<MotionParams>,
}

/// One video.
#[derive(Clone, Debug)]
pub struct ScenesParams {
    /// The scenes in order; at least one.
    pub scenes: Vec<SceneParams>,
    /// The joins between each scene and the next; missing ones are cuts.
    pub joins: Vec<Join>,
    /// The frame width in pixels.
    pub width: u32,
    /// The frame height in pixels.
    pub height: u32,
    /// Frames per second, for scenes that move.
    pub fps: f64,
    /// The first frame to push: earlier ones are neither rendered nor pushed. 0 for the whole video.
    pub first_frame: usize,
}

impl ScenesParams {
    /// The position of every scene and join.
    pub fn timeline(&self) -> Timeline {
        Timeline::new(self.scenes.iter().map(|scene| scene.frames), &self.joins)
    }

    /// The join between a scene and the one before it; a join without frames is a cut.
    fn join_before(&self, scene: usize) -> Join {
        let join = scene.checked_sub(1).and_then(|before| self.joins.get(before)).copied();
        join.filter(|join| join.frames() > 0).unwrap_or(Join::Cut)
    }

    /// Checks all scenes before the first step, so that an error in a later scene is not found only when its turn comes.
    fn check(&self, pixels_per_latent: u32, motion: Option<&StableVideoDiffusion>) -> Result<()> {
        if self.scenes.is_empty() {
            return Err(Error::Params { field: "scenes", reason: "a video has at least one scene".into() });
        }
        for (field, value) in [("width", self.width), ("height", self.height)] {
            if value == 0 {
                return Err(Error::Params { field, reason: "a frame has at least one pixel".into() });
            }
        }
        if !(self.fps.is_finite() && self.fps > 0.0) {
            return Err(Error::Params { field: "fps", reason: format!("{} is not a positive number of frames per second", self.fps) });
        }
        for (index, scene) in self.scenes.iter().enumerate() {
            scene.image.check_from_noise("a scene's image", pixels_per_latent)?;
            match (&scene.motion, motion) {
                (None, _) => {}
                (Some(moves), Some(model)) => model.check(moves)?,
                (Some(_), None) => {
                    return Err(Error::Params { field: "motion", reason: "there is no model that could set a picture in motion".into() });
                }
            }
            let before = index.checked_sub(1).and_then(|before| self.scenes.get(before));
            if let (Some(before), Join::Slerp { .. }) = (before, self.join_before(index)) {
                if scene.motion.is_some() || before.motion.is_some() {
                    return Err(Error::Params { field: "join", reason: "a slerp join is possible only between still scenes".into() });
                }
                check_sizes(&before.image, &scene.image)?;
            }
        }
        Ok(())
    }
}

impl StableDiffusion {
    /// Generates a video of scenes, frame by frame; `motion` animates the images of moving scenes. All frames from `first_frame` on reach
    /// the sink, and parts that the context's journal has are reused.
    ///
    /// # Errors
    /// [`Error::Params`] naming the parameter that is out of range; [`Error::Sink`] if the sink refuses a frame; [`Error::Cancelled`] if
    /// the monitor breaks; [`Error::NonFinite`] if the model's numbers overflow; [`Error::Candle`] from the device.
    pub fn scenes(&self, params: &ScenesParams, motion: Option<&StableVideoDiffusion>, context: VideoContext<'_>) -> Result<()> {
        params.check(self.pixels_per_latent(), motion)?;
        let timeline = params.timeline();
        let size = VideoSize { scenes: params.scenes.len(), frames: timeline.frames(), work: work(params, motion, &timeline) };
        let mut video = VideoRun::new(context, params.first_frame, size);
        // The previous scene and its last frame.
        let mut before: Option<(&SceneParams, RgbImage)> = None;
        for (index, scene) in params.scenes.iter().enumerate() {
            let start = timeline.scene(index).map_or(0, |span| span.start);
            if timeline.end_of_influence(index) <= params.first_frame {
                video.progress.skip_to(timeline.scene(index).map_or(0, |span| span.end()));
                before = None;
                continue;
            }
            video.progress.begin(index, Activity::Image)?;
            let steps = scene.image.num_inference_steps as f64;
            let image = video.run(Run::Scene { scene: index }, steps, |context| self.image(&scene.image, context))?;
            if let (Some(motion), Some(moves)) = (motion, &scene.motion) {
                let join = params.join_before(index);
                if before.is_none() {
                    // The join is a cut, or the caller already has all of it.
                    video.progress.skip_to(start);
                }
                let last = before.as_ref().map(|(_, last)| last);
                let last = push_moving(motion, (index, scene, moves), image, (join, last), params, &mut video)?;
                before = last.map(|last| (scene, last));
                continue;
            }
            let image = resized(&image, params.width, params.height)?;
            match (params.join_before(index), &before) {
                (Join::Crossfade { frames }, Some((_, last))) => {
                    for i in 0..frames {
                        video.progress.push(|| blend(last, &image, i, frames))?;
                    }
                }
                (Join::Slerp { frames }, Some((scene_before, _))) => {
                    video.progress.begin(index, Activity::Between)?;
                    self.push_between((&scene_before.image, &scene.image), (index, frames), params, &mut video)?;
                }
                (Join::Cut, _) => {}
                // The previous scene was skipped: the caller already has all of the join.
                (Join::Crossfade { .. } | Join::Slerp { .. }, None) => video.progress.skip_to(start),
            }
            for _ in 0..scene.frames {
                video.progress.push(|| image.clone())?;
            }
            before = Some((scene, image));
        }
        Ok(())
    }
}

/// The total model work, in steps of an image, without the parts that the caller already has.
fn work(params: &ScenesParams, motion: Option<&StableVideoDiffusion>, timeline: &Timeline) -> f64 {
    let of_scene = |(index, scene): (usize, &SceneParams)| {
        if timeline.end_of_influence(index) <= params.first_frame {
            return 0;
        }
        let wanted = |span: Span| span.end().saturating_sub(span.start.max(params.first_frame));
        // An intermediate image takes as many steps as the first scene's.
        let before = index.checked_sub(1).and_then(|before| params.scenes.get(before));
        let between = match (params.join_before(index), before) {
            (Join::Slerp { .. }, Some(before)) => timeline.join_before(index).map_or(0, wanted) * before.image.num_inference_steps,
            _ => 0,
        };
        let moving = motion.zip(scene.motion.as_ref());
        let moving = moving.map_or(0, |(model, motion)| Windows::new(model, motion, scene.frames, params.fps).work());
        scene.image.num_inference_steps + between + moving
    };
    params.scenes.iter().enumerate().map(of_scene).sum::<usize>() as f64
}
