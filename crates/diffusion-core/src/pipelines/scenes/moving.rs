//! A scene that moves: its picture set in motion, as often as the scene is long, and brought to the video's rate and size.
//!
//! It must not know encoders. The invariants: the model's frames follow one another without a gap: a run begins with the last frame of the
//! one before, which is shown once; run k has the scene's seed plus k; no more than two frames are held.

use std::{cell::RefCell, ops::ControlFlow};

use image::RgbImage;

use super::{Activity, Film, Join, SceneParams, ScenesParams, blend::blend, retime::Retime};
use crate::{
    Error, Result,
    denoise::{StepMonitor, StepReport},
    error::BoxError,
    frames::FrameSink,
    journal::{Journal, Kept, Run},
    pipelines::{ImageToVideoParams, MotionParams, StableVideoDiffusion},
    preprocess,
};

/// How many frames the model makes in one run.
fn frames_of_a_run(model: &StableVideoDiffusion, motion: &MotionParams) -> usize {
    motion.num_frames.unwrap_or_else(|| model.default_num_frames())
}

/// How often the model runs for a scene.
fn runs(model: &StableVideoDiffusion, motion: &MotionParams, needed: usize) -> usize {
    let new_frames = frames_of_a_run(model, motion).saturating_sub(1).max(1);
    needed.saturating_sub(1).div_ceil(new_frames).max(1)
}

/// The model's work for a scene, in steps of a picture: a step of a motion model counts for each of its frames.
pub(super) fn work(model: &StableVideoDiffusion, motion: &MotionParams, frames: usize, fps: f64) -> usize {
    let needed = Retime::needed(motion.conditioning_fps.into(), fps, frames);
    runs(model, motion, needed) * motion.num_inference_steps * frames_of_a_run(model, motion)
}

/// Hands a moving scene's frames on, those of the crossfade before it included, and returns the last one.
pub(super) fn push_moving(
    model: &StableVideoDiffusion,
    (scene, motion): (&SceneParams, &MotionParams),
    picture: RgbImage,
    (join, before): (Join, Option<&RgbImage>),
    params: &ScenesParams,
    (index, film): (usize, &mut Film<'_>),
    journal: &mut dyn Journal,
) -> Result<Option<RgbImage>> {
    let needed = Retime::needed(motion.conditioning_fps.into(), params.fps, scene.frames);
    film.begin(index, Activity::Motion)?;
    let film = RefCell::new(film);
    let mut shown = Shown {
        film: &film,
        retime: Retime::new(motion.conditioning_fps.into(), params.fps, scene.frames),
        size: (params.width, params.height),
        fade: match (join, before) {
            (Join::Crossfade { frames }, Some(before)) => Some((before, frames)),
            _ => None,
        },
        needed,
        taken: 0,
        repeats: false,
        newest: picture,
        last: None,
    };
    for run in 0..runs(model, motion, needed) {
        film.borrow_mut().begin_run((motion.num_inference_steps * frames_of_a_run(model, motion)) as f64);
        shown.repeats = run > 0;
        let seed = scene.picture.seed.wrapping_add(run as u64);
        let call = ImageToVideoParams { image: shown.newest.clone(), motion: motion.clone(), seed };
        let kept = Kept::new(journal, Run::Motion { scene: index, run });
        model.image_to_video_kept(&call, &mut Watch(&film), &mut shown, kept).map_err(as_cancelled)?;
        film.borrow_mut().end_run();
    }
    Ok(shown.last)
}

/// A break that came by way of the sink is a break all the same.
fn as_cancelled(error: Error) -> Error {
    if let Error::Sink(source) = error {
        return match source.downcast::<Error>() {
            Ok(inner) => *inner,
            Err(source) => Error::Sink(source),
        };
    }
    error
}

/// The model's steps as the video's.
struct Watch<'a, 'b, 'c>(&'a RefCell<&'b mut Film<'c>>);

impl StepMonitor for Watch<'_, '_, '_> {
    fn on_step(&mut self, step: &StepReport<'_>) -> ControlFlow<()> {
        self.0.borrow_mut().on_step(step)
    }

    fn on_kept(&mut self) {
        self.0.borrow_mut().on_kept();
    }

    fn on_step_down(&mut self, what: &str) {
        self.0.borrow_mut().on_step_down(what);
    }
}

/// The model's frames on their way to the video.
struct Shown<'a, 'b, 'c> {
    film: &'a RefCell<&'b mut Film<'c>>,
    retime: Retime,
    size: (u32, u32),
    /// The crossfade that the first frame brings about: from where, and its frames.
    fade: Option<(&'a RgbImage, usize)>,
    /// Frames of the model that are shown, and those that came in.
    needed: usize,
    taken: usize,
    /// Whether the next frame is one that was shown already.
    repeats: bool,
    /// The model's last frame, at its own size.
    newest: RgbImage,
    /// The video's last frame.
    last: Option<RgbImage>,
}

impl Shown<'_, '_, '_> {
    fn take(&mut self, frame: &RgbImage) -> Result<()> {
        let frame = preprocess::resized(frame, self.size.0, self.size.1)?;
        let mut film = self.film.borrow_mut();
        if let Some((before, frames)) = self.fade.take() {
            for i in 0..frames {
                film.push(|| blend(before, &frame, i, frames))?;
            }
        }
        self.last.get_or_insert_with(|| frame.clone());
        let last = &mut self.last;
        self.retime.take(frame, |frame| {
            *last = Some(frame.clone());
            film.push(|| frame)
        })
    }
}

impl FrameSink for Shown<'_, '_, '_> {
    fn push(&mut self, frame: RgbImage) -> std::result::Result<(), BoxError> {
        let is_new = !std::mem::take(&mut self.repeats);
        if is_new && self.taken < self.needed {
            self.taken += 1;
            self.take(&frame)?;
        }
        self.newest = frame;
        Ok(())
    }
}
