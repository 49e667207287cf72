//! The bodies that the Tasks API takes, as they stand in /openapi.json, and their bounds.
//!
//! What comes in is read field by field ([`super::clip_body`], [`super::picture_body`]); the types here describe it. The bounds are those
//! that are checked; a test holds the two together.

use utoipa::ToSchema;

use crate::inputs::EXAMPLE_PICTURE;

/// The shortest and the longest video, in seconds.
pub(crate) const SECONDS: (f64, f64) = (1.0, 10.0);
/// The lowest and the highest frame rate of a video.
pub(crate) const FPS: (f64, f64) = (24.0, 60.0);
/// The size of a video and of a picture when nobody says.
pub(crate) const DEFAULT_SIZE: (u32, u32) = (1920, 1080);
/// How much moves when nobody says.
pub(crate) const DEFAULT_MOTION_STRENGTH: f64 = 0.5;
/// The shortest and the longest side of a picture.
pub(crate) const SIDES: (u32, u32) = (64, 4096);

/// What `POST /api/v1/videos/generate` takes. Other programs' names of the fields are understood; keys that no field has are ignored, and
/// named in the answer's `ignored_fields`.
#[derive(ToSchema)]
#[schema(as = VideoTaskRequest, example = json!({
    "image": EXAMPLE_PICTURE, "duration": 5, "fps": 30, "resolution": "1280x720", "motion_strength": 0.5, "camera_motion": "pan"
}))]
#[expect(dead_code, reason = "it describes what is read field by field")]
pub(crate) struct VideoTaskBody {
    /// The picture: an http or https address, base64 of a PNG, JPEG or WebP file, or a data URL. It is cut to the video's proportions about
    /// its middle.
    image: String,
    /// Where the operator lets prompts repaint the picture before it moves, what it is to show; else it changes nothing, for the motion
    /// model knows no texts. The answer's `remarks` say which.
    #[schema(max_length = 2000)]
    prompt: Option<String>,
    /// How long the video lasts, in seconds: `duration * fps` frames to the nearest whole number, made in as many runs of the model as it
    /// takes, each going on from the last frame of the one before. As long as one run is enough for, if absent.
    #[schema(minimum = 1, maximum = 10)]
    duration: Option<f64>,
    /// Frames in a second. Those between two frames of the model's are mixed.
    #[schema(minimum = 24, maximum = 60, default = 30)]
    fps: Option<f64>,
    /// "WIDTHxHEIGHT" in pixels. The model makes frames of its own size, which the result names; they are resized.
    #[schema(default = "1920x1080", example = "1280x720")]
    resolution: Option<String>,
    /// How much moves: the model's motion bucket 1 + `motion_strength` x 254.
    #[schema(minimum = 0, maximum = 1, default = 0.5)]
    motion_strength: Option<f64>,
    /// How the camera moves over the frames.
    camera_motion: Option<CameraMotion>,
    /// true is refused: there is nothing here that rewrites prompts.
    #[schema(default = false)]
    optimize_prompt: Option<bool>,
    /// The noise's seed: the same request with the same seed gives the same video. Drawn at random if absent or -1.
    #[schema(minimum = -1, maximum = 9223372036854775807i64)]
    seed: Option<i64>,
    /// Where to post the task when it has ended, signed as Standard Webhooks are; http or https, at a public address.
    callback_url: Option<String>,
}

/// How the camera moves.
#[derive(ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(default = "static")]
#[expect(dead_code, reason = "it describes what is read field by field")]
pub(crate) enum CameraMotion {
    /// To the right.
    Pan,
    /// Upwards.
    Tilt,
    /// In, to the middle.
    Zoom,
    /// Not at all.
    Static,
}

/// What `POST /api/v1/images/generate` takes. Other programs' names of the fields are understood; keys that no field has are ignored, and
/// named in the answer's `ignored_fields`.
#[derive(ToSchema)]
#[schema(as = PictureTaskRequest, example = json!({
    "prompt": "a peaceful sunrise over mountains with mist", "width": 1920, "height": 1080, "quality": "high"
}))]
#[expect(dead_code, reason = "it describes what is read field by field")]
pub(crate) struct PictureTaskBody {
    /// What the picture shows.
    #[schema(min_length = 1, max_length = 2000)]
    prompt: String,
    /// Which service is meant to make it. Whichever is named, this machine does, and says so in the answer.
    service: Option<ServiceName>,
    /// Pixels across. The model makes the picture at about its own number of pixels in these proportions, then it is resized; the answer
    /// names both sizes.
    #[schema(minimum = 64, maximum = 4096, default = 1920)]
    width: Option<i64>,
    /// Pixels down.
    #[schema(minimum = 64, maximum = 4096, default = 1080)]
    height: Option<i64>,
    /// How many denoising steps: 10, 20, 30 or 50.
    quality: Option<QualityName>,
    /// Stands behind the prompt, after a comma.
    #[schema(max_length = 2000, example = "watercolour")]
    style: Option<String>,
    /// What the picture should not show.
    #[schema(max_length = 2000)]
    negative_prompt: Option<String>,
    /// The noise's seed. Drawn at random if absent or -1, and told in the answer.
    #[schema(minimum = -1, maximum = 9223372036854775807i64)]
    seed: Option<i64>,
    /// How closely the picture follows the prompt; 1 or less turns it off.
    #[schema(minimum = 0, maximum = 50, default = 7.5)]
    cfg_scale: Option<f64>,
    /// Denoising steps, whatever `quality` says.
    #[schema(minimum = 1, maximum = 150)]
    steps: Option<i64>,
    /// The scheduler; the model's own if absent. See `POST /generate`.
    scheduler: Option<String>,
    /// true is refused: there is nothing here that rewrites prompts.
    #[schema(default = false)]
    optimize_prompt: Option<bool>,
    /// Where to post the task when it has ended.
    callback_url: Option<String>,
}

/// What `POST /api/v1/images/generate-i2i` takes: all that `POST /api/v1/images/generate` takes, and a picture.
#[derive(ToSchema)]
#[schema(as = PictureFromPictureRequest, example = json!({
    "image": EXAMPLE_PICTURE, "prompt": "the sea at night with boats and a moon", "reference_weight": 0.5, "width": 1024, "height": 1024
}))]
#[expect(dead_code, reason = "it describes what is read field by field")]
pub(crate) struct PictureFromPictureBody {
    /// The picture: an http or https address, base64 of a PNG, JPEG or WebP file, or a data URL. It is cut to the wanted proportions about
    /// its middle.
    image: String,
    /// How much of it stays: 1 - `reference_weight` of the steps are run on it, and at least one.
    #[schema(minimum = 0, maximum = 1, default = 0.7)]
    reference_weight: Option<f64>,
    /// The same said the other way round, as diffusers says it: the share of the steps.
    #[schema(minimum = 0, maximum = 1)]
    strength: Option<f64>,
    /// The rest.
    #[serde(flatten)]
    rest: PictureTaskBody,
}

/// The services that clients name.
#[derive(ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(default = "local")]
#[expect(dead_code, reason = "it describes what is read field by field")]
pub(crate) enum ServiceName {
    /// This machine.
    Local,
    /// This machine all the same.
    Doubao,
    /// This machine all the same.
    NanoBanana,
    /// This machine all the same.
    Midjourney,
}

/// How many denoising steps.
#[derive(ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(default = "high")]
#[expect(dead_code, reason = "it describes what is read field by field")]
pub(crate) enum QualityName {
    /// 10.
    Low,
    /// 20.
    Medium,
    /// 30.
    High,
    /// 50.
    Ultra,
}
