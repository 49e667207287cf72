//! Videos of scenes on this machine's models: turns a spec into pipeline parameters.
//!
//! It must not know queues, encoders or what is kept of earlier videos. The invariant: whatever decides a scene's images is in its key, too
//! (`backend/parts/keys.rs`).

use diffusion_core::{
    Result,
    pipelines::{
        ImageParams, StableVideoDiffusion, VideoContext,
        scenes::{SceneParams, ScenesParams},
    },
};

use super::{LocalModel, count, motion_params, never, no_images, truncated};
use crate::{
    model_info::TruncatedText,
    spec::video::{MotionSpec, ScenesSpec},
};

impl LocalModel {
    /// Makes a video of scenes, and returns the texts that were truncated.
    pub(super) fn scenes(&mut self, spec: &ScenesSpec, first_frame: usize, context: VideoContext<'_>) -> Result<Vec<TruncatedText>> {
        // Its adapters are there since the shape was asked for.
        self.adapt(spec.loras(), &never())?;
        let motion = if spec.moves() { Some(self.motion.open(&self.memory)?) } else { None };
        let images = self.images.as_ref().ok_or_else(no_images)?;
        let model = images.model().ok_or_else(no_images)?;
        let prompts = spec.scenes().iter().map(|scene| ("prompt", scene.prompt()));
        let negatives = spec.scenes().iter().map(|scene| ("negative_prompt", scene.negative_prompt()));
        let truncated = truncated(model, prompts, negatives, spec.prompt_syntax(), spec.guidance_scale())?;
        let size = (spec.width(), spec.height());
        let (width, height) = if spec.proportional() { model.size_for(size) } else { model.default_size() };
        let moving = |model: &StableVideoDiffusion, motion: &MotionSpec| {
            let native = spec.proportional().then(|| model.size_for(size, None, motion.num_frames().map(count)));
            motion_params(motion, native, &self.memory)
        };
        let scenes = spec.scenes().iter().map(|scene| SceneParams {
            image: ImageParams {
                negative_prompt: scene.negative_prompt().to_owned(),
                prompt_syntax: spec.prompt_syntax(),
                num_inference_steps: count(spec.num_inference_steps()),
                guidance_scale: spec.guidance_scale(),
                seed: scene.seed(),
                scheduler: spec.scheduler(),
                vae: spec.vae(),
                ..ImageParams::new(scene.prompt(), (width, height))
            },
            frames: scene.frames(),
            motion: motion.zip(scene.motion()).map(|(model, spec)| moving(model, spec)),
        });
        let params = ScenesParams {
            scenes: scenes.collect(),
            joins: spec.joins().to_vec(),
            width: spec.width(),
            height: spec.height(),
            fps: spec.fps().as_f64(),
            first_frame,
        };
        let made = model.scenes(&params, motion, context);
        made.map_err(|error| match spec.loras() {
            Some(loras) => images.of_run(error, loras),
            None => error,
        })?;
        Ok(truncated)
    }
}
