//! Videos of scenes: a picture for each prompt, held for a while, and joins between them.
//!
//! It must not know encoders or where a request came from: frames leave through a sink, one by one, and no more than a few are held. The
//! invariants: a video has the frames that its [`Timeline`] says; frame k is the same whichever frame the rendering begins with, so that
//! one that was broken off can go on. Scenes are made at the model's own size and brought to the video's with Lanczos, as the service
//! does whose API the server is compatible with; its crossfade's weights are i / n, so that a join begins with the old scene.

mod between;
mod moving;
mod timeline;

use image::RgbImage;

pub(super) use self::between::decoded_together;
use self::moving::push_moving;
pub use self::timeline::{Span, Timeline, scene_frames};
use super::{MotionParams, PictureParams, StableDiffusion, StableVideoDiffusion, TextToImageParams, blend::blend, film::Film, interpolate};
use crate::{
    Error, Result,
    denoise::StepReport,
    frames::FrameSink,
    journal::{Journal, Kept, Run},
    preprocess,
};

/// How one scene goes over into the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Join {
    /// At once.
    Cut,
    /// Frame i of the join is i / n of the next scene and the rest of the old one.
    Crossfade {
        /// Frames between the scenes; 0 is a cut.
        frames: usize,
    },
    /// Through pictures between the two: noise turned, texts mixed, each denoised anew. Frame i of n is at (i + 1) / (n + 1) of the
    /// way, so that no picture of a scene is shown twice.
    Slerp {
        /// Frames between the scenes; 0 is a cut.
        frames: usize,
    },
}

impl Join {
    /// Its name: "cut", "crossfade" or "slerp".
    pub fn name(&self) -> &'static str {
        match self {
            Self::Cut => "cut",
            Self::Crossfade { .. } => "crossfade",
            Self::Slerp { .. } => "slerp",
        }
    }

    /// The frames that it adds between the scenes.
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
    /// How its picture is made; the size is best the model's own.
    pub picture: TextToImageParams,
    /// How many frames it has of its own.
    pub frames: usize,
    /// How its picture moves; `None` holds it still.
    pub motion: Option<MotionParams>,
}

/// One video.
#[derive(Clone, Debug)]
pub struct ScenesParams {
    /// The scenes in order; at least one.
    pub scenes: Vec<SceneParams>,
    /// Between each scene and the next; what is not given is a cut.
    pub joins: Vec<Join>,
    /// Pixels across a frame.
    pub width: u32,
    /// Pixels down a frame.
    pub height: u32,
    /// Frames in a second, for scenes that move.
    pub fps: f64,
    /// The frame to begin with: those before it are neither made nor pushed. 0 for the whole video.
    pub first_frame: usize,
}

impl ScenesParams {
    /// Where every scene lies.
    pub fn timeline(&self) -> Timeline {
        Timeline::new(self.scenes.iter().map(|scene| scene.frames), &self.joins)
    }

    /// The join between a scene and the one before it; one without frames is a cut.
    fn join_before(&self, scene: usize) -> Join {
        let join = scene.checked_sub(1).and_then(|before| self.joins.get(before)).copied();
        join.filter(|join| join.frames() > 0).unwrap_or(Join::Cut)
    }

    /// Refuses, before the first step, what would only be found at the scene that it concerns.
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
            return Err(Error::Params { field: "fps", reason: format!("{} is no number of frames in a second", self.fps) });
        }
        for (index, scene) in self.scenes.iter().enumerate() {
            scene.picture.check(pixels_per_latent)?;
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
                    return Err(Error::Params { field: "join", reason: "there are pictures in between only between still scenes".into() });
                }
                interpolate::check_sizes(&before.picture, &scene.picture)?;
            }
        }
        Ok(())
    }
}

/// What is being made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activity {
    /// A scene's picture.
    Picture,
    /// A picture between two scenes.
    Between,
    /// A scene's picture in motion.
    Motion,
}

/// How far a video is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SceneProgress {
    /// The scene being made, from 0; of a join, the scene behind it.
    pub scene: usize,
    /// All scenes.
    pub scenes: usize,
    /// What is being made of it.
    pub activity: Activity,
    /// Steps done of the model run that is on.
    pub step: usize,
    /// Steps of that run; 0 until its first is done.
    pub steps: usize,
    /// Frames done, those included that were there before.
    pub frame: usize,
    /// All frames.
    pub frames: usize,
    /// Model work done, in steps of a picture; for an estimate of the time left.
    pub work_done: f64,
    /// Model work in all.
    pub work_total: f64,
}

/// Sees every step and every frame; returns `Break` to stop, which the pipeline answers with [`Error::Cancelled`].
pub trait SceneMonitor {
    /// Called when something new begins, after every model step, and after every frame that was pushed.
    fn on_progress(&mut self, progress: &SceneProgress) -> std::ops::ControlFlow<()>;

    /// Called after every model step, before [`Self::on_progress`] is: for those who want to see what the step shows.
    fn on_model_step(&mut self, _step: &StepReport<'_>) {}

    /// Called where memory did not suffice and the work goes on in smaller parts; `what` is a sentence for a log.
    fn on_step_down(&mut self, _what: &str) {}
}

/// A monitor that sees nothing and never stops.
impl SceneMonitor for () {
    fn on_progress(&mut self, _: &SceneProgress) -> std::ops::ControlFlow<()> {
        std::ops::ControlFlow::Continue(())
    }
}

impl StableDiffusion {
    /// Makes a video of scenes, frame by frame; `motion` sets the pictures of those in motion that are to move.
    ///
    /// # Errors
    /// [`Error::Params`] naming the parameter that is out of range; [`Error::Sink`] if the sink refuses a frame; [`Error::Cancelled`] if
    /// the monitor breaks; [`Error::NonFinite`] if the model's numbers overflow; [`Error::Candle`] from the device.
    pub fn scenes(
        &self,
        params: &ScenesParams,
        motion: Option<&StableVideoDiffusion>,
        monitor: &mut dyn SceneMonitor,
        sink: &mut dyn FrameSink,
    ) -> Result<()> {
        self.scenes_kept(params, motion, monitor, sink, &mut ())
    }

    /// As [`Self::scenes`], with what was kept of the same video before: all frames reach the sink from `first_frame` on, and pictures
    /// that were kept are not made again.
    ///
    /// # Errors
    /// As [`Self::scenes`].
    pub fn scenes_kept(
        &self,
        params: &ScenesParams,
        motion: Option<&StableVideoDiffusion>,
        monitor: &mut dyn SceneMonitor,
        sink: &mut dyn FrameSink,
        journal: &mut dyn Journal,
    ) -> Result<()> {
        params.check(self.pixels_per_latent(), motion)?;
        let timeline = params.timeline();
        let size = (params.scenes.len(), timeline.frames(), work(params, motion, &timeline));
        let mut film = Film::new(sink, monitor, params.first_frame, size);
        // The scene before and its last frame.
        let mut before: Option<(&SceneParams, RgbImage)> = None;
        for (index, scene) in params.scenes.iter().enumerate() {
            if timeline.end_of_say(index) <= params.first_frame {
                film.skip_to(timeline.scene(index).map_or(0, |span| span.end()));
                before = None;
                continue;
            }
            film.begin(index, Activity::Picture)?;
            film.begin_run(scene.picture.num_inference_steps as f64);
            let kept = Kept::new(journal, Run::Scene { scene: index });
            let picture = self.picture(PictureParams::TextToImage(&scene.picture), &mut film, kept)?;
            film.end_run();
            if let (Some(motion), Some(moves)) = (motion, &scene.motion) {
                let join = params.join_before(index);
                if before.is_none() {
                    // The join is a cut, or all there.
                    film.skip_to(timeline.scene(index).map_or(0, |span| span.start));
                }
                let last = before.as_ref().map(|(_, last)| last);
                let last = push_moving(motion, (scene, moves), picture, (join, last), params, (index, &mut film), journal)?;
                before = last.map(|last| (scene, last));
                continue;
            }
            let picture = preprocess::resized(&picture, params.width, params.height)?;
            match (params.join_before(index), &before) {
                (Join::Crossfade { frames }, Some((_, last))) => {
                    for i in 0..frames {
                        film.push(|| blend(last, &picture, i, frames))?;
                    }
                }
                (Join::Slerp { frames }, Some((scene_before, _))) => {
                    film.begin(index, Activity::Between)?;
                    let ends = (&scene_before.picture, &scene.picture);
                    self.push_between(ends, (index, frames), params, &mut film, journal)?;
                }
                (Join::Cut, _) => {}
                // The scene before has no say any more: all of the join is there.
                (Join::Crossfade { .. } | Join::Slerp { .. }, None) => film.skip_to(timeline.scene(index).map_or(0, |span| span.start)),
            }
            for _ in 0..scene.frames {
                film.push(|| picture.clone())?;
            }
            before = Some((scene, picture));
        }
        Ok(())
    }
}

/// The model's work in all, in steps of a picture, of what is not there yet.
fn work(params: &ScenesParams, motion: Option<&StableVideoDiffusion>, timeline: &Timeline) -> f64 {
    let of_scene = |(index, scene): (usize, &SceneParams)| {
        if timeline.end_of_say(index) <= params.first_frame {
            return 0;
        }
        let wanted = |span: Span| span.end().saturating_sub(span.start.max(params.first_frame));
        // A picture between two scenes takes the first one's steps.
        let before = index.checked_sub(1).and_then(|before| params.scenes.get(before));
        let between = match (params.join_before(index), before) {
            (Join::Slerp { .. }, Some(before)) => timeline.join_before(index).map_or(0, wanted) * before.picture.num_inference_steps,
            _ => 0,
        };
        let moving = motion.zip(scene.motion.as_ref()).map_or(0, |(model, motion)| moving::work(model, motion, scene.frames, params.fps));
        scene.picture.num_inference_steps + between + moving
    };
    params.scenes.iter().enumerate().map(of_scene).sum::<usize>() as f64
}
