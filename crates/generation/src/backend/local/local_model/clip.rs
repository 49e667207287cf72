//! Clips on this machine's models: from a spec to what the pipelines want, with the sizes that the loaded models decide.
//!
//! It must not know queues or encoders. The invariant: a clip is as its [`VideoShape`] says before the first frame, because both are read
//! from the same parameters.

use diffusion_core::{
    Result,
    pipelines::{
        ImageParams, StableDiffusion, StableVideoDiffusion, VideoContext,
        clip::{ClipParams, RepaintParams},
    },
};

use super::{LocalModel, count, motion_params, no_pictures, truncated};
use crate::{
    backend::{local::memory::MemoryPlan, video_file::VideoShape},
    model_info::TruncatedText,
    spec::video::ClipSpec,
};

impl LocalModel {
    /// What a clip will be.
    pub(super) fn clip_shape(&mut self, spec: &ClipSpec) -> Result<VideoShape> {
        if spec.repaint().is_some() {
            self.pictures()?;
        }
        let model = self.motion.open(&self.memory)?;
        let params = clip_params(spec, model, self.pictures.as_ref(), 0, &self.memory);
        let native = model.native_frames(&params.motion, params.frames, params.fps);
        Ok(VideoShape { width: params.width, height: params.height, fps: spec.fps(), frames: params.frames, native: Some(native) })
    }

    pub(super) fn clip(&mut self, spec: &ClipSpec, first_frame: usize, context: VideoContext<'_>) -> Result<Vec<TruncatedText>> {
        let model = self.motion.open(&self.memory)?;
        let painter = self.pictures.as_ref();
        let cut = match spec.repaint() {
            None => Vec::new(),
            Some(repaint) => {
                let painter = painter.ok_or_else(no_pictures)?;
                truncated(painter, [repaint.prompt()], [repaint.negative_prompt()], repaint.guidance_scale())?
            }
        };
        model.clip(&clip_params(spec, model, painter, first_frame, &self.memory), painter, context)?;
        Ok(cut)
    }
}

/// A clip as the pipelines want it: models run at the size that suits them, in the video's proportions.
fn clip_params(
    spec: &ClipSpec,
    model: &StableVideoDiffusion,
    painter: Option<&StableDiffusion>,
    first_frame: usize,
    memory: &MemoryPlan,
) -> ClipParams {
    let proportions = spec.proportions();
    let native = model.size_for(proportions, spec.longer_side(), spec.motion().num_frames().map(count));
    let motion = motion_params(spec.motion(), Some(native), memory);
    let fps = spec.fps().as_f64();
    let (width, height) = spec.size().unwrap_or(native);
    let repaint = spec.repaint().zip(painter).map(|(repaint, painter)| {
        let image = ImageParams {
            negative_prompt: repaint.negative_prompt().to_owned(),
            num_inference_steps: count(repaint.num_inference_steps()),
            guidance_scale: repaint.guidance_scale(),
            seed: spec.seed(),
            scheduler: repaint.scheduler(),
            ..ImageParams::new(repaint.prompt(), painter.size_for(proportions))
        };
        RepaintParams { image, strength: repaint.strength() }
    });
    ClipParams {
        image: spec.image().clone(),
        repaint,
        frames: spec.frames().unwrap_or_else(|| model.frames_of_a_window(&motion, fps)),
        motion,
        camera: spec.camera(),
        fps,
        width,
        height,
        seed: spec.seed(),
        first_frame,
    }
}
