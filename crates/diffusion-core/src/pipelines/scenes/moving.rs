//! A scene that moves: its picture set in motion, as often as the scene is long, and brought to the video's rate and size.
//!
//! It must not know encoders. The invariants: the first frame ends the crossfade before it, which is made of it; a frame is resized once,
//! and what lies between two frames is mixed of the resized ones.

use image::RgbImage;

use super::{Activity, Film, Join, SceneParams, ScenesParams, blend};
use crate::{
    Result,
    journal::Journal,
    pipelines::{MotionParams, StableVideoDiffusion, retime::Retime, windows::Windows},
    preprocess,
};

/// The model's runs for a scene.
fn windows<'a>(model: &'a StableVideoDiffusion, motion: &'a MotionParams, frames: usize, fps: f64) -> Windows<'a> {
    Windows { model, motion, needed: Retime::needed(motion.conditioning_fps.into(), fps, frames) }
}

/// The model's work for a scene, in steps of a picture.
pub(super) fn work(model: &StableVideoDiffusion, motion: &MotionParams, frames: usize, fps: f64) -> usize {
    windows(model, motion, frames, fps).work()
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
    film.begin(index, Activity::Motion)?;
    let mut retime = Retime::new(motion.conditioning_fps.into(), params.fps, scene.frames);
    let mut fade = match (join, before) {
        (Join::Crossfade { frames }, Some(before)) => Some((before, frames)),
        _ => None,
    };
    // The video's last frame.
    let mut last = None;
    let mut take = |frame: &RgbImage, film: &mut Film<'_>| {
        let frame = preprocess::resized(frame, params.width, params.height)?;
        if let Some((before, frames)) = fade.take() {
            for i in 0..frames {
                film.push(|| blend(before, &frame, i, frames))?;
            }
        }
        last.get_or_insert_with(|| frame.clone());
        retime.take(frame, |frame| {
            last = Some(frame.clone());
            film.push(|| frame)
        })
    };
    windows(model, motion, scene.frames, params.fps).show(picture, (index, scene.picture.seed), film, &mut take, journal)?;
    Ok(last)
}
