//! Clips on this machine's models: turns a spec into pipeline parameters, with the sizes that the loaded models determine.
//!
//! It must not know queues or encoders. The invariant: a clip has the [`VideoShape`] that was announced before its first frame, because
//! both are read from the same parameters.

use diffusion_core::{
    Result,
    pipelines::{
        ImageParams, StableDiffusion, StableVideoDiffusion, VideoContext,
        clip::{ClipParams, RepaintParams},
    },
    prompt::PromptSyntax,
    weights::StopCheck,
};

use super::{AdaptedImages, LocalModel, count, motion_params, never, no_images, truncated};
use crate::{
    backend::{local::memory::MemoryPlan, video_file::VideoShape},
    model_info::TruncatedText,
    spec::video::ClipSpec,
};

impl LocalModel {
    /// The shape of a clip.
    pub(super) fn clip_shape(&mut self, spec: &ClipSpec, stop: &StopCheck) -> Result<VideoShape> {
        if let Some(repaint) = spec.repaint() {
            self.adapt(repaint.loras(), stop)?;
            self.painter().ok_or_else(no_images)?;
        }
        let model = self.motion.open(&self.memory)?;
        let painter = self.images.as_ref().and_then(AdaptedImages::model);
        let params = clip_params(spec, model, painter, 0, &self.memory);
        let native = model.native_frames(&params.motion, params.frames, params.fps);
        Ok(VideoShape { width: params.width, height: params.height, fps: spec.fps(), frames: params.frames, native: Some(native) })
    }

    pub(super) fn clip(&mut self, spec: &ClipSpec, first_frame: usize, context: VideoContext<'_>) -> Result<Vec<TruncatedText>> {
        if let Some(repaint) = spec.repaint() {
            self.adapt(repaint.loras(), &never())?;
        }
        let model = self.motion.open(&self.memory)?;
        let painter = self.images.as_ref().and_then(AdaptedImages::model);
        let truncated_texts = match spec.repaint() {
            None => Vec::new(),
            Some(repaint) => {
                let painter = painter.ok_or_else(no_images)?;
                truncated(
                    painter,
                    [("prompt", repaint.prompt())],
                    [("negative_prompt", repaint.negative_prompt())],
                    PromptSyntax::Plain,
                    repaint.guidance_scale(),
                )?
            }
        };
        model.clip(&clip_params(spec, model, painter, first_frame, &self.memory), painter, context)?;
        Ok(truncated_texts)
    }
}

/// The pipelines' parameters for a clip: models run at the size that suits them, in the video's proportions.
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
            vae: repaint.vae(),
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
