//! Understanding the body of `POST /api/v1/videos/generate`.
//!
//! It must not know where a picture comes from: its source is a text here, and whoever fetches it hands the picture back. The invariant:
//! all that is wrong with the other fields is told before anything is fetched.

use diffusion_core::pipelines::clip::Camera;
use generation::{
    Limits,
    limits::SHARE,
    video::{ClipRequest, ClipRules, ClipSpec, FpsRequest},
};
use guarded_http::Guard;
use image::RgbImage;

use crate::{
    http::{Problem, RequestNotes},
    inputs::{Body, EXAMPLE_PICTURE, TypeFault, body_table, check_callback, random_seed},
    state::TasksSettings,
};

const LIMITS: Limits = Limits::DEFAULT;
/// The bounds of a video's length, in seconds.
const SECONDS: (f64, f64) = (1.0, 10.0);
/// The bounds of a video's frame rate.
const FPS: (f64, f64) = (24.0, 60.0);
/// The size of a video and of a picture when nobody says.
pub(super) const DEFAULT_SIZE: (u32, u32) = (1920, 1080);
/// How much moves when nobody says.
const DEFAULT_MOTION_STRENGTH: f64 = 0.5;

/// A request for a video as clients of this API write it.
#[derive(Default)]
pub(crate) struct Clip {
    pub(crate) clip: ClipRequest,
    fps: Option<f64>,
    /// The picture, as the caller names or sends it.
    pub(crate) source: Option<String>,
    optimize_prompt: Option<bool>,
    pub(crate) callback_url: Option<String>,
}

body_table! {
    /// What `POST /api/v1/videos/generate` takes. Other programs' names of the fields are understood; keys that no field has are ignored,
    /// and named in the answer's `ignored_fields`.
    CLIP: Clip, VideoTaskBody as "VideoTaskRequest",
    example {
        "image": EXAMPLE_PICTURE, "duration": 5, "fps": 30, "resolution": "1280x720", "motion_strength": 0.5, "camera_motion": "pan"
    },
    {
        /// The picture: an http or https address, base64 of a PNG, JPEG or WebP file, or a data URL. It is cut to the video's
        /// proportions about its middle.
        image: Text(|r| &mut r.source).required(),
        /// Where the operator lets prompts repaint the picture before it moves, what it is to show; else it changes nothing, for the
        /// motion model knows no texts. The answer's `remarks` say which.
        prompt: Text(|r| &mut r.clip.prompt).length(0, LIMITS.max_prompt_chars),
        /// How long the video lasts, in seconds: `duration * fps` frames to the nearest whole number, made in as many runs of the model
        /// as it takes, each going on from the last frame of the one before. As long as one run is enough for, if absent.
        duration: Number(SECONDS, |r| &mut r.clip.duration),
        /// Frames in a second. Those between two frames of the model's are mixed.
        fps: Number(FPS, |r| &mut r.fps).or(|| 30.into()),
        /// "WIDTHxHEIGHT" in pixels. The model makes frames of its own size, which the result names; they are resized.
        resolution: Text(|r| &mut r.clip.resolution).or(|| format!("{}x{}", DEFAULT_SIZE.0, DEFAULT_SIZE.1).into()),
        /// How much moves: the model's motion bucket 1 + `motion_strength` x 254.
        motion_strength: Number(SHARE, |r| &mut r.clip.motion_strength).or(|| DEFAULT_MOTION_STRENGTH.into()),
        /// How the camera moves over the frames: to the right, upwards, in to the middle, or not at all.
        camera_motion: Text(|r| &mut r.clip.camera_motion)
            .one_of(|| Camera::ALL.map(Camera::name).to_vec())
            .or(|| Camera::default().name().into()),
        /// true is refused: there is nothing here that rewrites prompts.
        optimize_prompt: Truth(|r| &mut r.optimize_prompt),
        /// The noise's seed: the same request with the same seed gives the same video. Drawn at random if absent or -1.
        seed: Seed(LIMITS.max_seed, |r| &mut r.clip.seed),
        /// Where to tell that the job has ended, signed as Standard Webhooks are: an http or https address that is public.
        callback_url: Text(|r| &mut r.callback_url),
    }
}

/// Why a body is refused whose `optimize_prompt` is true.
pub(super) const NO_OPTIMIZER: TypeFault = ("value_error", "Value error, no prompt optimizer is configured");

const PROMPT_IDLE: &str = "The prompt changed nothing: the motion model knows no texts. The operator can let prompts repaint the picture \
                           before it moves (tasks.repaint_strength).";

/// Reads the fields that are there, and what is to be said of them; faults are kept for [`Body::check`].
pub(crate) fn parse(body: &[u8], settings: &TasksSettings, guard: &Guard) -> Result<(Body<Clip>, RequestNotes), Problem> {
    let mut body = CLIP.parse(body)?;
    check_callback(&mut body, |clip| clip.callback_url.as_deref(), guard);
    if body.request.optimize_prompt == Some(true) {
        body.look(|fields| fields.value_fault("optimize_prompt", NO_OPTIMIZER));
    }
    let Clip { clip, fps, .. } = &mut body.request;
    clip.fps = fps.map(FpsRequest::Number);
    clip.strength = Some(settings.repaint_strength);
    clip.motion_strength.get_or_insert(DEFAULT_MOTION_STRENGTH);
    clip.seed.get_or_insert_with(|| random_seed().into());
    let notes = RequestNotes::new(body.named.ignored.clone(), remarks(clip, settings));
    Ok((body, notes))
}

fn remarks(request: &ClipRequest, settings: &TasksSettings) -> Vec<String> {
    let has_prompt = request.prompt.as_deref().is_some_and(|prompt| !prompt.trim().is_empty());
    let strength = settings.repaint_strength;
    let remark = (has_prompt && strength <= 0.0).then(|| PROMPT_IDLE.to_owned());
    let remark = remark.or_else(|| {
        has_prompt
            .then(|| format!("The prompt repainted the picture at a strength of {strength} before it moved; it did not guide the motion."))
    });
    remark.into_iter().collect()
}

impl Body<Clip> {
    /// Checks all but the picture.
    ///
    /// # Errors
    /// 422 with every fault.
    pub(crate) fn check(&self, limits: &Limits) -> Result<(), Problem> {
        self.spec(self.request.source.as_ref().map(|_| RgbImage::new(1, 1)), limits).map(drop)
    }

    /// The spec of what is to be made of the picture.
    ///
    /// # Errors
    /// 422 with every fault.
    pub(crate) fn spec(&self, image: Option<RgbImage>, limits: &Limits) -> Result<ClipSpec, Problem> {
        // Thirty frames a second are the rules' own default.
        let rules = ClipRules { seconds: SECONDS, fps: FPS, default_size: Some(DEFAULT_SIZE), ..ClipRules::default() };
        self.judged(ClipRequest { image, ..self.request.clip.clone() }.validate(&rules, limits))
    }
}
