//! A scene that moves: its image set in motion, as often as the scene is long, and brought to the video's rate and size.
//!
//! It must not know encoders. The invariants: the first frame ends the crossfade before it, which is made of it; a frame is resized once,
//! and what lies between two frames is mixed of the resized ones.

use image::RgbImage;

use super::{Activity, Join, SceneParams, ScenesParams, VideoRun, Windows};
use crate::{
    Result,
    imaging::{Retime, blend, resized},
    pipelines::{MotionParams, StableVideoDiffusion, progress::FrameProgress},
};

/// Hands a moving scene's frames on, those of the crossfade before it included, and returns the last one.
pub(super) fn push_moving(
    model: &StableVideoDiffusion,
    (index, scene, motion): (usize, &SceneParams, &MotionParams),
    image: RgbImage,
    (join, before): (Join, Option<&RgbImage>),
    params: &ScenesParams,
    video: &mut VideoRun<'_>,
) -> Result<Option<RgbImage>> {
    video.progress.begin(index, Activity::Motion)?;
    let mut retime = Retime::new(motion.conditioning_fps.into(), params.fps, scene.frames);
    let mut fade = match (join, before) {
        (Join::Crossfade { frames }, Some(before)) => Some((before, frames)),
        _ => None,
    };
    // The video's last frame.
    let mut last = None;
    let mut take = |frame: &RgbImage, progress: &mut FrameProgress<'_>| {
        let frame = resized(frame, params.width, params.height)?;
        if let Some((before, frames)) = fade.take() {
            for i in 0..frames {
                progress.push(|| blend(before, &frame, i, frames))?;
            }
        }
        last.get_or_insert_with(|| frame.clone());
        retime.take(frame, |frame| {
            last = Some(frame.clone());
            progress.push(|| frame)
        })
    };
    Windows::new(model, motion, scene.frames, params.fps).show(image, (index, scene.image.seed), video, &mut take)?;
    Ok(last)
}
