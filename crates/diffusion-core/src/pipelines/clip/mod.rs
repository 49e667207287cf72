//! A clip: a given image, in motion for as long as is wanted, at the wanted rate and size, seen by a camera that may move.
//!
//! It must not know encoders or where a request came from: frames leave through a sink, one by one, and no more than a few are held. The
//! invariants: a clip has exactly the frames that are asked for, each of exactly the size that is asked for; frame k is the same
//! whichever frame the making begins with; nothing is squeezed: the image is cut to the video's proportions before all else.
//!
//! The way of the image: cut to the video's proportions about its middle; repainted by a prompt, where that is asked for; set in motion
//! at the model's size, window after window; brought to the video's rate, each frame mixed of its two neighbours in time; and what the
//! camera sees of it brought to the video's size with Lanczos, edges between pixels included, so that a slow camera does not tremble.

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

/// How the image is repainted before it moves.
#[derive(Clone, Debug)]
pub struct RepaintParams {
    /// The prompt and the settings, the size best [`StableDiffusion::size_for`] the video's proportions. Its start is noise: the clip's
    /// image takes that place.
    pub image: ImageParams,
    /// How much of the image is repainted, in [0, 1]: `steps * strength` of the steps are run.
    pub strength: f64,
}

/// One clip.
#[derive(Clone, Debug)]
pub struct ClipParams {
    /// The image; what the video's proportions have no room for is cut off at both ends alike.
    pub image: RgbImage,
    /// How it is repainted first; `None` leaves it as it is.
    pub repaint: Option<RepaintParams>,
    /// How it moves: `conditioning_fps` is also the rate at which the model's frames are shown, `num_frames` (at least 2) the frames of a
    /// window, and `size` best [`StableVideoDiffusion::size_for`] the video's proportions.
    pub motion: MotionParams,
    /// How the camera moves.
    pub camera: Camera,
    /// Frames of the video, at least 1.
    pub frames: usize,
    /// Frames in a second.
    pub fps: f64,
    /// Pixels across a frame.
    pub width: u32,
    /// Pixels down a frame.
    pub height: u32,
    /// The seed of the motion's noise; window k has this plus k.
    pub seed: u64,
    /// The frame to begin with: those before it are not pushed. 0 for the whole video.
    pub first_frame: usize,
}

/// What a motion model makes for a clip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NativeFrames {
    /// Pixels across a frame as the model makes it.
    pub width: u32,
    /// Pixels down such a frame.
    pub height: u32,
    /// The model's frames that are shown.
    pub frames: usize,
    /// How often the model runs.
    pub windows: usize,
    /// Frames of each run, the first of which repeats the last of the run before.
    pub window_frames: usize,
}

impl ClipParams {
    fn retime(&self) -> Retime {
        Retime::new(self.motion.conditioning_fps.into(), self.fps, self.frames)
    }

    /// Refuses, before the first step, what would only be found later.
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
            return Err(Error::Params { field: "fps", reason: format!("{} is no number of frames in a second", self.fps) });
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

    /// The model's work in all, in steps of an image.
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
    /// What this model makes for a clip of so many frames at such a rate.
    pub fn native_frames(&self, motion: &MotionParams, frames: usize, fps: f64) -> NativeFrames {
        let windows = Windows::new(self, motion, frames, fps);
        let (width, height) = motion.size.unwrap_or_else(|| self.default_size());
        NativeFrames { width, height, frames: windows.needed, windows: windows.runs(), window_frames: windows.frames_of_a_run() }
    }

    /// How many frames of a video at such a rate one window is enough for.
    pub fn frames_of_a_window(&self, motion: &MotionParams, fps: f64) -> usize {
        let last = Windows::new(self, motion, 1, fps).frames_of_a_run().saturating_sub(1) as f64;
        let seconds = last / f64::from(motion.conditioning_fps.max(1));
        // What rounding took from a whole number is given back: 3 / 7 * 7 may be less than 3.
        (seconds * fps + 1e-9) as usize + 1
    }

    /// Makes a clip of an image, frame by frame; `painter` repaints the image where that is asked for. All frames reach the sink from
    /// `first_frame` on, and what the context's journal has of the clip is not made again.
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
        windows.show(image, (0, params.seed), &mut video, &mut take)
    }

    /// The image that is set in motion: cut to the video's proportions, and repainted where that is asked for.
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
