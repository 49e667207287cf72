//! A scene that moves: its image set in motion for the length of the scene, and converted to the video's frame rate and size.
//!
//! This module must not depend on encoders. Invariants: a crossfade before the scene blends into the scene's first frame; a frame is
//! resized once, and intermediate frames are blends of resized ones.

use image::RgbImage;

use super::{Activity, Join, SceneParams, ScenesParams, VideoRun, Windows};
use crate::{
    Result,
    imaging::{Retime, blend, resized},
    pipelines::{MotionParams, StableVideoDiffusion, progress::FrameProgress},
};

/// Pushes a moving scene's frames, including those of the crossfade before it, and returns the last one.
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
    // The scene's latest frame at the video's size.
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
    Windows::new(model, motion, scene.frames, params.fps).run(image, (index, scene.image.seed), video, &mut take)?;
    Ok(last)
}
