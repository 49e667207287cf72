//! Parsing the body of `POST /api/v1/videos/generate`.
//!
//! It must not know where a picture comes from: here its source is a text, and the caller supplies the loaded picture. The invariant: all
//! faults of the other fields are reported before anything is fetched.

use diffusion_core::{imaging::Camera, weights::VaeChoice};
use generation::{
    Limits, Priority,
    limits::SHARE,
    video::{ClipRequest, ClipRules, ClipSpec, FpsRequest, RepaintSpec},
};
use guarded_http::Guard;
use image::RgbImage;
use remote_providers::{InputImage, VideoRequest};

use crate::{
    api::{
        images::loras_body::{LORA, loras, loras_schema},
        tasks::priority,
    },
    http::{Problem, RequestNotes},
    inputs::{Body, EXAMPLE_IMAGE, TypeFault, body_table, check_callback, random_seed},
    state::{Maker, Services, TasksSettings},
};

const LIMITS: Limits = Limits::DEFAULT;
/// The bounds of a video's length, in seconds.
const SECONDS: (f64, f64) = (1.0, 10.0);
/// The bounds of a video's frame rate.
const FPS: (f64, f64) = (24.0, 60.0);
/// The default size of a video and of a picture.
pub(super) const DEFAULT_SIZE: (u32, u32) = (1920, 1080);
/// The services that a request can name.
const SERVICES: [&str; 7] = ["local", "veo3", "veo", "bedrock", "pika", "replicate", "huggingface"];
const SERVICE_FAULT: TypeFault = ("enum", "Input should be 'local', 'veo3', 'veo', 'bedrock', 'pika', 'replicate' or 'huggingface'");
/// The default strength of the motion.
const DEFAULT_MOTION_STRENGTH: f64 = 0.5;

/// A request for a video, in this API's format.
#[derive(Default)]
pub(crate) struct Clip {
    pub(crate) clip: ClipRequest,
    fps: Option<f64>,
    /// The picture, as the caller names or sends it.
    pub(crate) source: Option<String>,
    optimize_prompt: Option<bool>,
    service: Option<String>,
    model: Option<String>,
    priority: Option<String>,
    /// The task's priority among the caller's tasks.
    pub(crate) own_priority: Priority,
    pub(crate) callback_url: Option<String>,
}

body_table! {
    /// The body of `POST /api/v1/videos/generate`. Other programs' names of the fields are accepted; unknown keys are ignored, and named in
    /// the answer's `ignored_fields`.
    CLIP: Clip, VideoTaskBody as "VideoTaskRequest",
    example {
        "image": EXAMPLE_IMAGE, "duration": 5, "fps": 30, "resolution": "1280x720", "motion_strength": 0.5, "camera_motion": "pan"
    },
    {
        /// The picture: an http or https address, base64 of a PNG, JPEG or WebP file, or a data URL. It is cropped to the video's
        /// proportions about its middle.
        image: Text(|r| &mut r.source).required(),
        /// What happens, if a service makes the video. On this machine, what the repainted picture shows, if the operator lets prompts
        /// repaint the picture before it moves; otherwise the prompt has no effect, because the motion model reads no text. The answer's
        /// `remarks` say which.
        prompt: Text(|r| &mut r.clip.prompt).length(0, LIMITS.max_prompt_chars),
        /// How long the video lasts, in seconds: `duration * fps` frames, rounded to a whole number. Long videos take several runs of the
        /// model, each of which continues from the last frame of the previous one. If absent: the length of one run.
        duration: Number(SECONDS, |r| &mut r.clip.duration),
        /// Frames per second. Frames between two of the model's are interpolated.
        fps: Number(FPS, |r| &mut r.fps).or(|| 30.into()),
        /// "WIDTHxHEIGHT" in pixels. The model makes frames of its own size, which the result names; they are resized.
        resolution: Text(|r| &mut r.clip.resolution).or(|| format!("{}x{}", DEFAULT_SIZE.0, DEFAULT_SIZE.1).into()),
        /// How much moves: the model's motion bucket 1 + `motion_strength` x 254.
        motion_strength: Number(SHARE, |r| &mut r.clip.motion_strength).or(|| DEFAULT_MOTION_STRENGTH.into()),
        /// How the camera moves over the frames: to the right, upwards, in to the middle, or not at all.
        camera_motion: Text(|r| &mut r.clip.camera_motion)
            .one_of(|| Camera::ALL.map(Camera::name).to_vec())
            .or(|| Camera::default().name().into()),
        /// true is refused: this server does not rewrite prompts.
        optimize_prompt: Truth(|r| &mut r.optimize_prompt),
        /// The noise's seed: the same request with the same seed gives the same video. Drawn at random if absent or -1.
        seed: Seed(LIMITS.max_seed, |r| &mut r.clip.seed),
        /// What makes it: "local", "veo3" or another service's name. If the service is not set up, this machine makes the video, and the
        /// answer's `remarks` say so. Absent: as the operator has set it.
        service: Text(|r| &mut r.service).one_of(|| SERVICES.to_vec()),
        /// What makes it, by a model's name: "local", a name that `GET /models` lists, a service's name, or a service's and a model's
        /// ("veo/veo_3_1", "replicate/owner/name"); an unknown name is 404 with the known ones. It takes precedence over `service`.
        model: Text(|r| &mut r.model),
        /// LoRAs and other adapters that change the model which repaints the picture; its usual ones if absent. Tags in the prompt
        /// (`<lora:ink:0.8>`) add to them. A service takes none.
        loras: Other(loras_schema, |r, fields, name| r.clip.loras = loras(fields, name)).inside(|| LORA.facts()),
        /// The autoencoder of that model: `full`, or `tiny` (TAESD), where it has one. A service takes none.
        vae: Text(|r| &mut r.clip.vae).one_of(|| VaeChoice::ALL.map(VaeChoice::name).to_vec()),
        /// Its priority among your waiting tasks: a higher one is served first. It does not pass the tasks of other keys.
        priority: Text(|r| &mut r.priority).one_of(priority::names).or(|| "normal".into()),
        /// Where to post the job's result, signed as Standard Webhooks: a public http or https address.
        callback_url: Text(|r| &mut r.callback_url),
    }
}

/// The fault of a body whose `optimize_prompt` is true.
pub(super) const NO_OPTIMIZER: TypeFault = ("value_error", "Value error, no prompt optimizer is configured");

/// The fault of a field that only this machine's models follow.
const OF_THIS_MACHINE: TypeFault = ("value_error", "Value error, a service makes the video, and takes no such choice: leave it out");

const PROMPT_IDLE: &str = "The prompt changed nothing: the motion model reads no text. The operator can let prompts repaint the picture \
                           before it moves (tasks.repaint_strength).";

impl Clip {
    /// Whether the request names this machine explicitly; meaningful only if its maker is local.
    pub(super) fn names_this_machine(&self) -> bool {
        self.model.is_some() || self.service.as_deref() == Some("local")
    }
}

/// A parsed body, and the maker that it selects.
pub(crate) struct Parsed {
    pub(crate) body: Body<Clip>,
    pub(crate) maker: Maker,
    pub(crate) notes: RequestNotes,
}

/// Parses the fields and makes the remarks on them; faults are kept for [`Body::check`].
pub(crate) fn parse(body: &[u8], settings: &TasksSettings, services: &Services, guard: &Guard) -> Result<Parsed, Problem> {
    let mut body = CLIP.parse(body)?;
    check_callback(&mut body, |clip| clip.callback_url.as_deref(), guard);
    if body.request.optimize_prompt == Some(true) {
        body.look(|fields| fields.value_fault("optimize_prompt", NO_OPTIMIZER));
    }
    body.request.own_priority = priority::of(&mut body, |clip| clip.priority.as_deref());
    let (maker, unserved) = maker(&mut body, services)?;
    if matches!(maker, Maker::Remote(_)) {
        let clip = &body.request.clip;
        let given = [("loras", clip.loras.is_some()), ("vae", clip.vae.is_some())];
        for (field, _) in given.into_iter().filter(|(_, is_given)| *is_given) {
            body.look(|fields| fields.value_fault(field, OF_THIS_MACHINE));
        }
    }
    if let Maker::Local(name) = &maker {
        body.request.clip.model.clone_from(name);
    }
    let Clip { clip, fps, .. } = &mut body.request;
    clip.fps = fps.map(FpsRequest::Number);
    clip.strength = Some(settings.repaint_strength);
    let remarks = match maker {
        Maker::Local(_) => remarks(clip, settings),
        Maker::Remote(_) => idle_at_services(clip),
    };
    clip.motion_strength.get_or_insert(DEFAULT_MOTION_STRENGTH);
    let notes = RequestNotes::new(body.named.ignored.clone(), unserved.into_iter().chain(remarks).collect());
    body.request.clip.seed.get_or_insert_with(|| random_seed().into());
    Ok(Parsed { body, maker, notes })
}

/// The maker, and a remark if it is not the service that was named.
fn maker(body: &mut Body<Clip>, services: &Services) -> Result<(Maker, Option<String>), Problem> {
    let Clip { service, model, .. } = &body.request;
    let (service, model) = (service.clone(), model.clone());
    if service.as_deref().is_some_and(|name| !SERVICES.contains(&name)) {
        body.look(|fields| fields.value_fault("service", SERVICE_FAULT));
    }
    if let Some(name) = model {
        return Ok((services.named(&name)?, None));
    }
    Ok(match service.as_deref() {
        None => (services.default_maker(services.tasks.as_ref()), None),
        Some(name) => match services.maker(if name == "veo3" { "veo" } else { name }) {
            Ok(maker) => (maker, None),
            Err(_) => (Maker::Local(None), Some(format!("The service {name} is not set up here, so this machine makes the video."))),
        },
    })
}

/// A remark on the fields that services have no parameter for.
fn idle_at_services(request: &ClipRequest) -> Vec<String> {
    let idle = [("motion_strength", request.motion_strength.is_some()), ("camera_motion", request.camera_motion.is_some())];
    let idle: Vec<_> = idle.into_iter().filter(|(_, is_given)| *is_given).map(|(name, _)| name).collect();
    let remark = || format!("{} changed nothing: at a service, the prompt alone says how things move.", idle.join(" and "));
    (!idle.is_empty()).then(remark).into_iter().collect()
}

fn remarks(request: &ClipRequest, settings: &TasksSettings) -> Vec<String> {
    let has_prompt = request.prompt.as_deref().is_some_and(|prompt| !prompt.trim().is_empty());
    let strength = settings.repaint_strength;
    let remark = (has_prompt && strength <= 0.0).then(|| PROMPT_IDLE.to_owned());
    let remark = remark.or_else(|| {
        has_prompt
            .then(|| format!("The prompt repainted the picture at a strength of {strength} before it moved; it did not guide the motion."))
    });
    let idle = !has_prompt || strength <= 0.0;
    let given = [("loras", request.loras.is_some()), ("vae", request.vae.is_some())];
    let idle = given.into_iter().filter(|(_, is_given)| idle && *is_given);
    let idle = idle.map(|(name, _)| format!("{name} changed nothing: only a picture that a prompt repaints is made with them."));
    remark.into_iter().chain(idle).collect()
}

impl Body<Clip> {
    /// Validates all fields but the picture; returns how it is repainted.
    ///
    /// # Errors
    /// 422 with every fault.
    pub(crate) fn check(&self, limits: &Limits) -> Result<Option<RepaintSpec>, Problem> {
        let spec = self.spec(self.request.source.as_ref().map(|_| RgbImage::new(1, 1)), limits)?;
        Ok(spec.repaint().cloned())
    }

    /// The request to a provider. Fields that the caller left to this API's defaults are left to the provider.
    pub(crate) fn remote_request(&self, image: InputImage) -> VideoRequest {
        let given = |field: &str| self.named.json.get(field).is_some_and(|value| !value.is_null());
        let clip = &self.request.clip;
        let size = clip.resolution.as_deref().and_then(|text| text.trim().split_once(['x', 'X']));
        VideoRequest {
            prompt: clip.prompt.clone().unwrap_or_default(),
            image: Some(image),
            seconds: clip.duration.map(|seconds| seconds.ceil() as u32),
            size: size.and_then(|(width, height)| Some((width.trim().parse().ok()?, height.trim().parse().ok()?))),
            fps: self.request.fps.map(|fps| fps.round() as u32),
            seed: clip.seed.filter(|_| given("seed")).and_then(|seed| u64::try_from(seed).ok()),
            ..VideoRequest::default()
        }
    }

    /// The spec of the clip that this machine makes of the picture.
    ///
    /// # Errors
    /// 422 with every fault.
    pub(crate) fn spec(&self, image: Option<RgbImage>, limits: &Limits) -> Result<ClipSpec, Problem> {
        // The rules' own default is thirty frames per second.
        let rules = ClipRules { seconds: SECONDS, fps: FPS, default_size: Some(DEFAULT_SIZE), ..ClipRules::default() };
        self.or_problem(ClipRequest { image, ..self.request.clip.clone() }.validate(&rules, limits))
    }
}
