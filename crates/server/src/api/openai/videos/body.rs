//! The body of `POST /v1/videos`, and the video that it asks for.
//!
//! It must not know where a picture comes from. The invariant: all faults of the other fields are reported before anything is fetched.

use diffusion_core::{adapters::AdapterChoice, imaging::Camera, weights::VaeChoice};
use generation::{
    Limits, ModelInfo,
    limits::SHARE,
    validate::{DEFAULT_GUIDANCE_SCALE, DEFAULT_STEPS},
    video::{ClipRequest, ClipRules, FpsRequest, SceneRequest, ScenesRequest, VideoSpec},
};
use image::RgbImage;
use remote_providers::{InputImage, VideoRequest};
use serde_json::{Value, json};
use utoipa::openapi::{RefOr, Schema};

use crate::{
    api::images::loras_body::{LORA, loras, loras_schema},
    http::Problem,
    inputs::{Body, Fields, TypeFault, body_table, boolean, random_seed, string},
};

const LIMITS: Limits = Limits::DEFAULT;
/// The bounds of a video's length, and its default, in seconds.
const SECONDS: (f64, f64) = (1.0, 20.0);
const DEFAULT_SECONDS: f64 = 4.0;
/// The bounds of a video's frame rate, and its default.
const FPS: (f64, f64) = (1.0, 60.0);
const DEFAULT_FPS: f64 = 24.0;
/// The default size: upright, unless the picture is not.
const DEFAULT_SIZE: (u32, u32) = (720, 1280);
/// The share of the first frame that a remix repaints, if neither the request nor the operator says it.
const REMIX_STRENGTH: f64 = 0.4;
const SIZE_FAULT: TypeFault = ("value_error", "Value error, a size is WIDTHxHEIGHT in pixels, such as \"720x1280\"");
const FILE_FAULT: TypeFault =
    ("value_error", "Value error, this server keeps no uploaded files: send the picture itself, or its address as image_url");
const SOURCE_FAULT: TypeFault = ("string_type", "Input should be a file, an address, base64, a data URL, or an object with image_url");

const STREAM_FAULT: TypeFault =
    ("value_error", "Value error, videos are not streamed: leave it out, and poll GET /v1/videos/{id} until the video is completed");
/// The fault of a field that only this machine's models follow.
const OF_THIS_MACHINE: TypeFault = ("value_error", "Value error, a service makes the video, and takes no such choice: leave it out");

const PROMPT_IDLE: &str = "The prompt changed nothing: the motion model reads no text. The operator (tasks.repaint_strength) or the request \
                           (strength) can let it repaint the picture before it moves.";

/// A request for a video.
#[derive(Default)]
pub(crate) struct Movie {
    pub(crate) prompt: Option<String>,
    pub(crate) model: Option<String>,
    seconds: Option<f64>,
    size: Option<String>,
    pub(crate) source: Option<String>,
    pub(crate) seed: Option<i128>,
    fps: Option<f64>,
    negative_prompt: Option<String>,
    num_inference_steps: Option<i128>,
    guidance_scale: Option<f64>,
    scheduler: Option<String>,
    loras: Option<Vec<AdapterChoice>>,
    vae: Option<String>,
    strength: Option<f64>,
    motion_strength: Option<f64>,
    camera_motion: Option<String>,
}

body_table! {
    /// The body of `POST /v1/videos` as JSON: OpenAI's fields, and a few of this server's. Unknown keys are ignored, and named in the answer.
    pub(crate) MOVIE: Movie, MovieBody as "OpenAiVideoRequest",
    example {"prompt": "a peaceful sunrise over mountains with mist", "seconds": "4", "size": "720x1280"},
    {
        /// What the video shows. With a picture on this machine: what the picture is repainted to show before it moves, if the operator or
        /// `strength` lets prompts repaint it; the answer's `remarks` say so.
        prompt: Text(|r| &mut r.prompt).required().checked().length(1, LIMITS.max_prompt_chars),
        /// What makes it: "local", a name that `GET /v1/models` lists, or a service's and a model's name. Absent, or a name of OpenAI's own
        /// models: as the operator has set it. Another unknown name is 404 with the known ones.
        model: Text(|r| &mut r.model),
        /// How long it lasts, in seconds; a number or a text.
        seconds: Number(SECONDS, |r| &mut r.seconds).checked().or(|| 4.into()),
        /// "WIDTHxHEIGHT" in pixels; "1280x720" for a picture that is wider than high, else "720x1280" if absent. The model makes frames of
        /// its own size, which are resized.
        size: Text(|r| &mut r.size),
        /// The picture that it starts from: an http or https address, base64 of a PNG, JPEG or WebP file, a data URL, an object with
        /// `image_url`, or in a form a file.
        input_reference: Other(reference_schema, |r, fields, name| r.source = reference(fields, name)),
        /// The noise's seed: the same request with the same seed gives the same video. Drawn at random if absent or -1.
        seed: Seed(LIMITS.max_seed, |r| &mut r.seed),
        /// Frames per second.
        fps: Number(FPS, |r| &mut r.fps).checked().or(|| 24.into()),
        /// What the picture should not show.
        negative_prompt: Text(|r| &mut r.negative_prompt).length(0, LIMITS.max_prompt_chars),
        /// Denoising steps of the picture that moves.
        num_inference_steps: Whole(LIMITS.steps, |r| &mut r.num_inference_steps).or(|| DEFAULT_STEPS.into()),
        /// Classifier-free guidance of the picture that moves.
        guidance_scale: Number(LIMITS.guidance_scale, |r| &mut r.guidance_scale).or(|| DEFAULT_GUIDANCE_SCALE.into()),
        /// The scheduler of the picture that moves; the model's own if absent.
        scheduler: Scheduler(|r| &mut r.scheduler),
        /// LoRAs and other adapters that change the model of the picture that moves; its usual ones if absent. Tags in the prompt
        /// (`<lora:ink:0.8>`) add to them. A service takes none.
        loras: Other(loras_schema, |r, fields, name| r.loras = loras(fields, name)).inside(|| LORA.facts()),
        /// The autoencoder of that model: `full`, or `tiny` (TAESD), where it has one. A service takes none.
        vae: Text(|r| &mut r.vae).one_of(|| VaeChoice::ALL.map(VaeChoice::name).to_vec()),
        stream: Silent(|_, fields, name| refuse_stream(fields, name)),
        /// How much of a given picture the prompt repaints before it moves; as the operator has set it if absent.
        strength: Number(SHARE, |r| &mut r.strength),
        /// How much moves in a given picture.
        motion_strength: Number(SHARE, |r| &mut r.motion_strength),
        /// How the camera moves over a given picture.
        camera_motion: Text(|r| &mut r.camera_motion).one_of(|| Camera::ALL.map(Camera::name).to_vec()),
    }
}

fn reference_schema() -> Value {
    let object = json!({"type": "object", "properties": {"image_url": {"type": "string"}}, "required": ["image_url"]});
    json!({"oneOf": [{"type": "string"}, object, {"type": "null"}]})
}

fn reference(fields: &mut Fields<'_>, name: &'static str) -> Option<String> {
    let fault = match fields.get(name) {
        Some(Value::Object(object)) => match (object.get("image_url"), object.get("file_id")) {
            (Some(Value::String(address)), _) => return Some(address.clone()),
            (None, Some(_)) => FILE_FAULT,
            _ => SOURCE_FAULT,
        },
        None | Some(Value::Null | Value::String(_)) => return fields.read(name, string),
        Some(_) => SOURCE_FAULT,
    };
    fields.value_fault(name, fault);
    None
}

fn refuse_stream(fields: &mut Fields<'_>, name: &'static str) {
    if fields.read(name, boolean) == Some(true) {
        fields.value_fault(name, STREAM_FAULT);
    }
}

/// A form of `POST /v1/videos` in /openapi.json.
pub(crate) enum MovieForm {}

impl utoipa::PartialSchema for MovieForm {
    fn schema() -> RefOr<Schema> {
        let mut schema = MOVIE.facts().schema.clone();
        schema.as_object_mut().map(|schema| schema.remove("example"));
        let description = schema["properties"]["input_reference"]["description"].take();
        schema["properties"]["input_reference"] = json!({"type": "string", "format": "binary", "description": description});
        serde_json::from_value(schema).unwrap_or_default()
    }
}

impl utoipa::ToSchema for MovieForm {
    fn name() -> std::borrow::Cow<'static, str> {
        "OpenAiVideoForm".into()
    }
}

/// Checks what the table does not; faults are kept for [`Body::or_problem`].
pub(super) fn check(body: &mut Body<Movie>, by_service: bool) {
    if by_service {
        // It draws the seed itself.
        let given = [("loras", body.request.loras.is_some()), ("vae", body.request.vae.is_some())];
        for (field, _) in given.into_iter().filter(|(_, is_given)| *is_given) {
            body.look(|fields| fields.value_fault(field, OF_THIS_MACHINE));
        }
    } else {
        body.request.seed.get_or_insert_with(|| random_seed().into());
    }
    if body.request.size.as_deref().is_some_and(|size| sides(size).is_none()) {
        body.look(|fields| fields.value_fault("size", SIZE_FAULT));
    }
}

fn sides(size: &str) -> Option<(u32, u32)> {
    let (width, height) = size.trim().split_once(['x', 'X', '\u{d7}'])?;
    Some((width.trim().parse().ok()?, height.trim().parse().ok()?))
}

impl Movie {
    pub(super) fn seconds(&self) -> f64 {
        self.seconds.unwrap_or(DEFAULT_SECONDS)
    }

    fn fps(&self) -> f64 {
        self.fps.unwrap_or(DEFAULT_FPS)
    }

    /// (width, height) in pixels.
    pub(super) fn size(&self, image: Option<(u32, u32)>) -> (u32, u32) {
        let default = match image {
            Some((width, height)) if width > height => (DEFAULT_SIZE.1, DEFAULT_SIZE.0),
            _ => DEFAULT_SIZE,
        };
        self.size.as_deref().and_then(sides).unwrap_or(default)
    }

    /// Lets the prompt of a remix repaint the first frame of the earlier video, as much as the operator has set, or else a little.
    pub(super) fn let_prompt_repaint(&mut self, operators: f64) {
        self.strength.get_or_insert(if operators > 0.0 { operators } else { REMIX_STRENGTH });
    }

    /// Remarks on a prompt that has no effect on a given picture, and on what goes with it.
    pub(super) fn remarks_on_prompt(&self, operators: f64) -> Vec<String> {
        if self.strength.unwrap_or(operators) > 0.0 {
            return Vec::new();
        }
        let given = [("loras", self.loras.is_some()), ("vae", self.vae.is_some())];
        let idle = given.into_iter().filter(|(_, is_given)| *is_given);
        let idle = idle.map(|(name, _)| format!("{name} changed nothing: only a picture that a prompt repaints is made with them."));
        std::iter::once(PROMPT_IDLE.to_owned()).chain(idle).collect()
    }

    /// A remark on fields for which services have no parameter.
    pub(super) fn remark_on_services(&self) -> Option<String> {
        let idle = [
            ("num_inference_steps", self.num_inference_steps.is_some()),
            ("guidance_scale", self.guidance_scale.is_some()),
            ("scheduler", self.scheduler.is_some()),
            ("strength", self.strength.is_some()),
            ("motion_strength", self.motion_strength.is_some()),
            ("camera_motion", self.camera_motion.is_some()),
        ];
        let idle: Vec<_> = idle.into_iter().filter(|(_, is_given)| *is_given).map(|(name, _)| name).collect();
        (!idle.is_empty()).then(|| format!("{} changed nothing: a service has no such parameter.", idle.join(" and ")))
    }

    /// The request to a provider. What the caller left to this API's defaults is left to the provider.
    pub(super) fn remote_request(&self, image: Option<InputImage>, size: (u32, u32)) -> VideoRequest {
        VideoRequest {
            prompt: self.prompt.clone().unwrap_or_default(),
            image,
            seconds: self.seconds.map(|seconds| seconds.ceil() as u32),
            size: self.size.is_some().then_some(size),
            fps: self.fps.map(|fps| fps.round() as u32),
            seed: self.seed.and_then(|seed| u64::try_from(seed).ok()),
            negative_prompt: self.negative_prompt.clone(),
            ..VideoRequest::default()
        }
    }
}

impl Body<Movie> {
    /// The spec of the video that this machine makes: of a picture in motion, or of one scene. `model` is this machine's, by its name;
    /// `None` for a video that a service makes, whose fields have the same bounds.
    ///
    /// # Errors
    /// 400 with every fault.
    pub(super) fn spec(
        &self,
        image: Option<RgbImage>,
        model: Option<(Option<String>, &ModelInfo)>,
        operators_strength: f64,
        limits: &Limits,
    ) -> Result<VideoSpec, Problem> {
        let movie = &self.request;
        let (model, info) = model.map_or((None, None), |(name, info)| (name, Some(info)));
        // A service draws its own.
        let seed = movie.seed.or(info.is_none().then_some(0));
        let size = movie.size(image.as_ref().map(RgbImage::dimensions));
        let fps = Some(FpsRequest::Number(movie.fps()));
        if image.is_some() {
            let mut clip = ClipRequest {
                model,
                image,
                prompt: movie.prompt.clone(),
                negative_prompt: movie.negative_prompt.clone(),
                strength: Some(movie.strength.unwrap_or(operators_strength)),
                num_inference_steps: movie.num_inference_steps,
                guidance_scale: movie.guidance_scale,
                scheduler: movie.scheduler.clone(),
                loras: movie.loras.clone().filter(|_| info.is_some()),
                vae: movie.vae.clone().filter(|_| info.is_some()),
                duration: Some(movie.seconds()),
                fps,
                resolution: Some(format!("{}x{}", size.0, size.1)),
                motion_strength: movie.motion_strength,
                camera_motion: movie.camera_motion.clone(),
                seed,
                ..ClipRequest::default()
            };
            info.inspect(|info| clip.fill_in(info));
            let rules = ClipRules { seconds: SECONDS, fps: FPS, ..ClipRules::default() };
            return self.or_problem(clip.validate(&rules, limits).map_err(renamed)).map(VideoSpec::Clip);
        }
        let scene = SceneRequest { prompt: movie.prompt.clone(), source: Some("moving".into()), ..SceneRequest::default() };
        let mut scenes = ScenesRequest {
            model,
            scenes: Some(vec![scene]),
            negative_prompt: movie.negative_prompt.clone(),
            num_inference_steps: movie.num_inference_steps,
            guidance_scale: movie.guidance_scale,
            scheduler: movie.scheduler.clone(),
            loras: movie.loras.clone().filter(|_| info.is_some()),
            vae: movie.vae.clone().filter(|_| info.is_some()),
            duration_per_scene: Some(movie.seconds()),
            fps,
            width: Some(size.0.into()),
            height: Some(size.1.into()),
            // Keeps circles round when frames are resized.
            proportional: true,
            seed,
            ..ScenesRequest::default()
        };
        info.inspect(|info| scenes.fill_in(info));
        self.or_problem(scenes.validate(limits).map_err(renamed)).map(VideoSpec::Scenes)
    }
}

/// Validation faults under this API's field names.
fn renamed(errors: Vec<generation::FieldError>) -> Vec<generation::FieldError> {
    let name = |field: &'static str| match field {
        "width" | "height" | "resolution" => "size",
        "duration" | "duration_per_scene" => "seconds",
        "image" => "input_reference",
        same => same,
    };
    errors.into_iter().map(|error| generation::FieldError { field: name(error.field), scene: None, ..error }).collect()
}
