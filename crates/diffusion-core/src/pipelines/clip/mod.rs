//! A clip: a given image set in motion for any length, at any frame rate and size, with an optional camera motion.
//!
//! This module must not depend on encoders or on the origin of a request: frames are pushed to a sink, one by one, and only a few are held
//! in memory. Invariants: a clip has exactly the requested number of frames, each of exactly the requested size; frame k does not depend on
//! the frame that rendering starts with; nothing is squeezed: the image is first cropped to the video's aspect ratio.
//!
//! The steps: the image is cropped to the video's aspect ratio around its centre; optionally repainted by a prompt; set in motion at the
//! model's size, window by window; converted to the video's frame rate, each frame a blend of its two neighbours in time; and the part that
//! the camera sees is resized to the video's size with Lanczos, with subpixel edges, so that a slow camera does not jitter.

use image::RgbImage;

use super::{
    Activity, ImageParams, MotionParams, StableDiffusion, StableVideoDiffusion, Start, VideoContext, first_user_step,
    image_to_video::Windows,
    progress::{FrameProgress, VideoRun, VideoSize},
};
use crate::{
    Error, Result,
    imaging::{Camera, Part, Retime, resized_part},
    journal::Run,
};

/// The repainting of the image before it moves.
#[derive(Clone, Debug)]
pub struct RepaintParams {
    /// The prompt and the settings; the size is preferably [`StableDiffusion::size_for`] the video's aspect ratio. Its start must be noise,
    /// which the clip's image replaces.
    pub image: ImageParams,
    /// The strength of the repainting, in [0, 1]: `steps * strength` of the steps are run.
    pub strength: f64,
}

/// One clip.
#[derive(Clone, Debug)]
pub struct ClipParams {
    /// The image; parts outside the video's aspect ratio are cropped evenly at both ends.
    pub image: RgbImage,
    /// The repainting before the motion; `None` for none.
    pub repaint: Option<RepaintParams>,
    /// The motion: `conditioning_fps` is also the rate at which the model's frames are shown, `num_frames` (at least 2) the frames of a
    /// window, and `size` preferably [`StableVideoDiffusion::size_for`] the video's aspect ratio.
    pub motion: MotionParams,
    /// The camera motion.
    pub camera: Camera,
    /// Frames of the video, at least 1.
    pub frames: usize,
    /// Frames per second.
    pub fps: f64,
    /// The frame width in pixels.
    pub width: u32,
    /// The frame height in pixels.
    pub height: u32,
    /// The seed of the motion's noise; window k uses this plus k.
    pub seed: u64,
    /// The first frame to push; earlier ones are skipped. 0 for the whole video.
    pub first_frame: usize,
}

/// The frames that a motion model generates for a clip, before frame rate conversion and resizing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NativeFrames {
    /// The width of the model's frames in pixels.
    pub width: u32,
    /// The height of the model's frames in pixels.
    pub height: u32,
    /// The number of the model's frames that the clip uses.
    pub frames: usize,
    /// The number of model runs.
    pub windows: usize,
    /// Frames of each run, the first of which repeats the last of the previous run.
    pub window_frames: usize,
}

impl ClipParams {
    fn retime(&self) -> Retime {
        Retime::new(self.motion.conditioning_fps.into(), self.fps, self.frames)
    }

    /// Checks all parameters before the first step.
    fn check(&self, model: &StableVideoDiffusion, painter: Option<&StableDiffusion>) -> Result<()> {
        let refuse = |field, reason: &str| Err(Error::Params { field, reason: reason.into() });
        if self.image.width() == 0 || self.image.height() == 0 {
            return refuse("image", "a picture has at least one pixel");
        }
        if self.width == 0 || self.height == 0 {
            return refuse(if self.width == 0 { "width" } else { "height" }, "a frame has at least one pixel");
        }
        if self.frames == 0 {
            return refuse("frames", "a video has at least one frame");
        }
        if !(self.fps.is_finite() && self.fps > 0.0) {
            return Err(Error::Params { field: "fps", reason: format!("{} is not a positive number of frames per second", self.fps) });
        }
        model.check(&self.motion)?;
        if self.motion.num_frames == Some(1) {
            return refuse("num_frames", "a window of one frame does not move: at least 2");
        }
        match (&self.repaint, painter) {
            (None, _) => Ok(()),
            (Some(_), None) => refuse("prompt", "there is no model that could repaint the picture"),
            (Some(repaint), Some(painter)) => {
                repaint.image.check_from_noise("the repainting of a clip's image", painter.pixels_per_latent())?;
                first_user_step(repaint.image.num_inference_steps, repaint.strength).map(|_| ())
            }
        }
    }

    /// The total model work, in steps of an image.
    fn work(&self, windows: &Windows<'_>) -> f64 {
        self.repaint.as_ref().map_or(0.0, RepaintParams::work) + windows.work() as f64
    }
}

impl RepaintParams {
    fn work(&self) -> f64 {
        self.strength * self.image.num_inference_steps as f64
    }
}

impl StableVideoDiffusion {
    /// The frames that this model generates for a clip of `frames` frames at a rate of `fps`.
    pub fn native_frames(&self, motion: &MotionParams, frames: usize, fps: f64) -> NativeFrames {
        let windows = Windows::new(self, motion, frames, fps);
        let (width, height) = motion.size.unwrap_or_else(|| self.default_size());
        NativeFrames { width, height, frames: windows.needed, windows: windows.runs(), window_frames: windows.frames_of_a_run() }
    }

    /// The number of frames of a video at a rate of `fps` that one window covers.
    pub fn frames_of_a_window(&self, motion: &MotionParams, fps: f64) -> usize {
        let last = Windows::new(self, motion, 1, fps).frames_of_a_run().saturating_sub(1) as f64;
        let seconds = last / f64::from(motion.conditioning_fps.max(1));
        // Compensates for rounding below a whole number: 3 / 7 * 7 may be less than 3.
        (seconds * fps + 1e-9) as usize + 1
    }

    /// Generates a clip from an image, frame by frame; `painter` repaints the image if requested. All frames from `first_frame` on reach
    /// the sink, and parts that the context's journal has are reused.
    ///
    /// # Errors
    /// [`Error::Params`] naming the parameter that is out of range; [`Error::Sink`] if the sink refuses a frame; [`Error::Cancelled`] if
    /// the monitor breaks; [`Error::NonFinite`] if a model's numbers overflow; [`Error::Candle`] from the device.
    pub fn clip(&self, params: &ClipParams, painter: Option<&StableDiffusion>, context: VideoContext<'_>) -> Result<()> {
        params.check(self, painter)?;
        if params.first_frame >= params.frames {
            return Ok(());
        }
        let windows = Windows::new(self, &params.motion, params.frames, params.fps);
        let size = VideoSize { scenes: 1, frames: params.frames, work: params.work(&windows) };
        let mut video = VideoRun::new(context, params.first_frame, size);
        let image = self.first_image(params, painter, &mut video)?;
        video.progress.begin(0, Activity::Motion)?;
        let mut retime = params.retime();
        let mut take = |frame: &RgbImage, progress: &mut FrameProgress<'_>| {
            retime.take(frame.clone(), |frame| {
                if progress.is_behind() {
                    progress.skip_to(progress.position() + 1);
                    return Ok(());
                }
                let part = params.camera.part(frame.dimensions(), progress.position(), params.frames);
                let seen = resized_part(&frame, part, params.width, params.height)?;
                progress.push(|| seen)
            })
        };
        windows.run(image, (0, params.seed), &mut video, &mut take)
    }

    /// The image to set in motion: cropped to the video's aspect ratio, and repainted if requested.
    fn first_image(&self, params: &ClipParams, painter: Option<&StableDiffusion>, video: &mut VideoRun<'_>) -> Result<RgbImage> {
        let part = Part::covering(params.image.dimensions(), (params.width, params.height));
        let Some((repaint, painter)) = params.repaint.as_ref().zip(painter) else {
            let (width, height) = params.motion.size.unwrap_or_else(|| self.default_size());
            return resized_part(&params.image, part, width, height);
        };
        let init_image = resized_part(&params.image, part, repaint.image.width, repaint.image.height)?;
        video.progress.begin(0, Activity::Image)?;
        let start = Start::Image { init_image, strength: repaint.strength };
        let call = ImageParams { start, ..repaint.image.clone() };
        video.run(Run::Scene { scene: 0 }, repaint.work(), |context| painter.image(&call, context))
    }
}
