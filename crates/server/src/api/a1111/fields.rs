//! The bodies of `/sdapi/v1/txt2img` and `img2img`: their fields, and the request that they make.
//!
//! It must not know where a picture comes from. The invariants: a field that the web UI has is read here or refused by
//! [`super::unsupported`]; what a client leaves out is the model's own choice.

use diffusion_core::schedulers::SchedulerName;
use generation::{
    ControlRequest, HiresRequest, ImageRequest, Limits, MaskRequest, ModelInfo,
    field_error::shortened,
    limits::{HIRES_SCALE, MASK_BLUR, MASK_PADDING, SHARE, SIDE_MULTIPLE},
    sampler,
    validate::{DEFAULT_GUIDANCE_SCALE, DEFAULT_REFINER_SWITCH, DEFAULT_STEPS, DEFAULT_STRENGTH, smallest_strength, steps_to_run},
};
use serde_json::{Map, Value, json};

use super::{
    controlnet::unit::Units,
    overrides::{Meaning, Overrides, meaning},
    unsupported::{is_nothing, refuse_scripts, unsupported_picture_rows, unsupported_rows},
};
use crate::{
    http::Problem,
    inputs::{Body, EXAMPLE_IMAGE, Fields, Row, TypeFault, body_table, random_seed, rows},
};

const LIMITS: Limits = Limits::DEFAULT;
/// The sides of a picture that is asked for; they are rounded down to multiples of 8.
const SIDES: (u32, u32) = LIMITS.side;
/// The web UI's numbers of resize modes and fills.
const RESIZE_MODES: [&str; 4] = ["stretch", "crop", "fill", "latent"];
const FILLS: [&str; 4] = ["fill", "original", "noise", "nothing"];
/// The sampler of a request that names only a schedule.
const DEFAULT_SAMPLER: &str = "Euler";
/// Names of what a client does not choose.
const UNCHOSEN: [&str; 4] = ["", "none", "use same sampler", "use same scheduler"];

const ONE_IMAGE: TypeFault = ("value_error", "Value error, this server starts from one picture: send one");
const NOT_A_LIST: TypeFault =
    ("list_type", "Input should be a list with a picture in base64, as a data URL, or as an http or https address");
const NO_CUT_UNITS: &str =
    "Value error, the pictures of ControlNets are not cut to the part about the mask here: send false, or leave the units out";
const NOT_AN_OBJECT: TypeFault = ("dict_type", "Input should be a valid dictionary");

/// A request for pictures.
#[derive(Default)]
pub(super) struct WebUiImage {
    image: ImageRequest,
    sampler_name: Option<String>,
    sampler_index: Option<String>,
    scheduler: Option<String>,
    batch_size: Option<i128>,
    n_iter: Option<i128>,
    clip_skip: Option<i128>,
    denoising_strength: Option<f64>,
    overrides: Map<String, Value>,
    unknown_overrides: Vec<String>,
    restore_overrides: Option<bool>,
    send_images: Option<bool>,
    save_images: Option<bool>,
    hires: WebUiHires,
    /// The picture and its mask, as texts.
    pub(super) source: Option<String>,
    pub(super) mask: Option<String>,
    resize_mode: Option<i128>,
    mask_blur: Option<f64>,
    mask_blur_x: Option<f64>,
    mask_blur_y: Option<f64>,
    fill: Option<i128>,
    only_masked: Option<bool>,
    padding: Option<i128>,
    invert: Option<bool>,
    include_init_images: Option<bool>,
    /// The units of the ControlNet extension.
    pub(super) units: Units,
}

/// The second pass of a request.
#[derive(Default)]
struct WebUiHires {
    enabled: Option<bool>,
    request: HiresRequest,
    second_pass_steps: Option<i128>,
    steps: Option<i128>,
    sampler: Option<String>,
    scheduler: Option<String>,
}

body_table! {
    /// The body of `POST /sdapi/v1/txt2img`, as AUTOMATIC1111's web UI has it. Fields for what this server cannot do are accepted while they
    /// ask for nothing; unknown keys are ignored, and named in `X-Ignored-Fields`.
    pub(super) TXT2IMG: WebUiImage, Txt2ImgBody as "WebUiTxt2ImgRequest",
    example {"prompt": "a (boat:1.2) on the sea", "steps": 4, "width": 128, "height": 128, "seed": 4},
    [&PROMPTS, &SAMPLING, &SIZE, &ANSWER, &STRENGTH, &HIRES, &SCRIPTS, &unsupported_rows()]
}

body_table! {
    /// The body of `POST /sdapi/v1/img2img`: that of `POST /sdapi/v1/txt2img` without a second pass, and a picture.
    pub(super) IMG2IMG: WebUiImage, Img2ImgBody as "WebUiImg2ImgRequest",
    example {"init_images": [EXAMPLE_IMAGE], "prompt": "a boat", "denoising_strength": 0.6, "steps": 4, "width": 128, "height": 128, "seed": 4},
    [&PICTURE, &PROMPTS, &SAMPLING, &SIZE, &ANSWER, &STRENGTH, &MASKING, &SCRIPTS, &unsupported_rows(), &unsupported_picture_rows()]
}

const PROMPTS: [Row<WebUiImage>; 2] = rows! { WebUiImage;
    /// What the picture shows, in the web UI's language: `(word:1.2)`, `[word]`, `BREAK`, `<lora:ink:0.8>`, any length. It may be empty.
    prompt: Text(|r| &mut r.image.prompt).length(0, LIMITS.max_prompt_chars),
    /// What the picture should not show.
    negative_prompt: Text(|r| &mut r.image.negative_prompt).length(0, LIMITS.max_prompt_chars),
};

const SAMPLING: [Row<WebUiImage>; 10] = rows! { WebUiImage;
    /// The noise's seed; picture k has `seed` + k. Drawn at random if absent or -1; `info` tells which.
    seed: Seed(LIMITS.max_seed, |r| &mut r.image.seed),
    /// The sampler, as `GET /sdapi/v1/samplers` lists them; the old names with a schedule behind them ("DPM++ 2M Karras") too. The model's own
    /// if absent.
    sampler_name: Text(|r| &mut r.sampler_name),
    /// The old name of `sampler_name`, which takes precedence.
    sampler_index: Text(|r| &mut r.sampler_index),
    /// The schedule, as `GET /sdapi/v1/schedulers` lists them; "Automatic" if absent.
    scheduler: Text(|r| &mut r.scheduler),
    /// Denoising steps. If absent, as many as suit the model, else 25.
    steps: Whole(LIMITS.steps, |r| &mut r.image.num_inference_steps).or(|| DEFAULT_STEPS.into()),
    /// Classifier-free guidance: how closely the picture follows the prompt. If absent, what suits the model, else 7.5.
    cfg_scale: Number(LIMITS.guidance_scale, |r| &mut r.image.guidance_scale).or(|| DEFAULT_GUIDANCE_SCALE.into()),
    /// The share of fresh noise in a step, for the samplers that use it.
    eta: Number(SHARE, |r| &mut r.image.eta),
    /// The last layer of the text encoder that is used, counted from the end; 1, or 0, skips none. `CLIP_stop_at_last_layers` in
    /// `override_settings` takes precedence.
    clip_skip: Whole((0, LIMITS.clip_skip.1 + 1), |r| &mut r.clip_skip).checked(),
    /// The model that ends the picture: Stable Diffusion XL's refiner, as `GET /sdapi/v1/sd-models` lists it.
    refiner_checkpoint: Text(|r| &mut r.image.refiner),
    /// The share of the steps after which the refiner takes over.
    refiner_switch_at: Number(SHARE, |r| &mut r.image.refiner_switch).or(|| DEFAULT_REFINER_SWITCH.into()),
};

const SIZE: [Row<WebUiImage>; 4] = rows! { WebUiImage;
    /// Width in pixels, rounded down to a multiple of 8; the model's own if absent. Width x height is at most 2097152.
    width: Whole(SIDES, |r| &mut r.image.width),
    /// Height in pixels, likewise.
    height: Whole(SIDES, |r| &mut r.image.height),
    /// The number of pictures; `batch_size` x `n_iter` is at most 16.
    batch_size: Whole(LIMITS.count, |r| &mut r.batch_size).checked().or(|| 1.into()),
    /// How many times so many pictures are made.
    n_iter: Whole(LIMITS.count, |r| &mut r.n_iter).checked().or(|| 1.into()),
};

const ANSWER: [Row<WebUiImage>; 4] = rows! { WebUiImage;
    /// Options for this request, as `GET /sdapi/v1/options` has them: `sd_model_checkpoint`, `sd_vae`, `CLIP_stop_at_last_layers`,
    /// `samples_format`, .. A value that cannot be honoured is refused; unknown names are in `X-Ignored-Fields`.
    override_settings: Other(|| json!({"type": ["object", "null"]}), overrides),
    /// Whether these options end with the request; if false, they stay set as by `POST /sdapi/v1/options`.
    override_settings_restore_afterwards: Truth(|r| &mut r.restore_overrides).or(|| true.into()),
    /// Whether the answer has the pictures.
    send_images: Truth(|r| &mut r.send_images).or(|| true.into()),
    /// Accepted for clients of the web UI; this server keeps no folder of pictures.
    save_images: Truth(|r| &mut r.save_images),
};

const STRENGTH: [Row<WebUiImage>; 1] = rows! { WebUiImage;
    /// The share of the steps that repaint the picture: the one that is sent, or that of the first pass. At least one step is run.
    denoising_strength: Number(SHARE, |r| &mut r.denoising_strength).or(|| DEFAULT_STRENGTH.into()),
};

const HIRES: [Row<WebUiImage>; 12] = rows! { WebUiImage;
    /// Whether the picture is enlarged and repainted ("hires fix").
    enable_hr: Truth(|r| &mut r.hires.enabled),
    /// How many times larger it becomes.
    hr_scale: Number(HIRES_SCALE, |r| &mut r.hires.request.scale).or(|| 2.into()),
    /// What enlarges it, as `GET /sdapi/v1/upscalers` and `/latent-upscale-modes` list them.
    hr_upscaler: Text(|r| &mut r.hires.request.upscaler).or(|| "Latent".into()),
    /// The steps that repaint it; as many as in the first pass if absent or 0. All of them are run.
    hr_second_pass_steps: Whole((0, LIMITS.steps.1), |r| &mut r.hires.second_pass_steps).checked(),
    /// Another name of `hr_second_pass_steps`.
    hr_steps: Whole((0, LIMITS.steps.1), |r| &mut r.hires.steps).checked(),
    /// Its width, instead of `hr_scale`; 0 keeps the proportions.
    hr_resize_x: Whole((0, LIMITS.side.1), |r| &mut r.hires.request.width).checked(),
    /// Its height, likewise.
    hr_resize_y: Whole((0, LIMITS.side.1), |r| &mut r.hires.request.height).checked(),
    /// The second pass's sampler; that of the first if absent.
    hr_sampler_name: Text(|r| &mut r.hires.sampler),
    /// The second pass's schedule.
    hr_scheduler: Text(|r| &mut r.hires.scheduler),
    /// The second pass's prompt; that of the first if empty.
    hr_prompt: Text(|r| &mut r.hires.request.prompt).length(0, LIMITS.max_prompt_chars),
    /// The second pass's negative prompt, likewise.
    hr_negative_prompt: Text(|r| &mut r.hires.request.negative_prompt).length(0, LIMITS.max_prompt_chars),
    /// The second pass's guidance; that of the first if absent.
    hr_cfg: Number(LIMITS.guidance_scale, |r| &mut r.hires.request.guidance_scale),
};

const SCRIPTS: [Row<WebUiImage>; 1] = rows! { WebUiImage;
    /// Extensions by their names, each with its `args`. There is one, `ControlNet`, whose arguments are its units; others are refused unless they
    /// are off (no arguments, or false as the first).
    alwayson_scripts: Other(|| json!({"type": ["object", "null"]}), scripts),
};

const PICTURE: [Row<WebUiImage>; 3] = rows! { WebUiImage;
    /// A list with the picture: base64 of a PNG, JPEG or WebP file, a data URL, or an http or https address.
    init_images: Other(|| json!({"type": ["array", "null"], "items": {"type": "string"}, "maxItems": 1}), picture),
    /// How a picture of other proportions becomes as large as the result: 0 stretches it, 1 crops it, 2 fills the edges up, 3 stretches its
    /// latents.
    resize_mode: Whole((0, 3), |r| &mut r.resize_mode).checked().or(|| 0.into()),
    /// Whether the answer's `parameters` repeat the picture and its mask.
    include_init_images: Truth(|r| &mut r.include_init_images),
};

const MASKING: [Row<WebUiImage>; 8] = rows! { WebUiImage;
    /// Where the picture is repainted: a picture that is white there, or, if it is transparent anywhere, opaque there.
    mask: Text(|r| &mut r.mask),
    /// The blur of the mask's edge, in pixels.
    mask_blur: Number(MASK_BLUR, |r| &mut r.mask_blur).checked().or(|| 4.into()),
    /// The same for the mask's width only; it must be the same as `mask_blur_y`.
    mask_blur_x: Number(MASK_BLUR, |r| &mut r.mask_blur_x).checked(),
    /// The same for its height.
    mask_blur_y: Number(MASK_BLUR, |r| &mut r.mask_blur_y).checked(),
    /// What the masked part starts from: 0 colours from around it, 1 the picture, 2 noise, 3 nothing.
    inpainting_fill: Whole((0, 3), |r| &mut r.fill).checked().or(|| 0.into()),
    /// Whether the part about the mask alone is made, at the full `width` and `height`, and put back.
    inpaint_full_res: Truth(|r| &mut r.only_masked).or(|| true.into()),
    /// The pixels about the mask that belong to that part.
    inpaint_full_res_padding: Whole(MASK_PADDING, |r| &mut r.padding).checked().or(|| 0.into()),
    /// Whether everything but the mask is repainted.
    inpainting_mask_invert: Truth(|r| &mut r.invert),
};

/// Reads the picture: a text, alone or in a list.
fn picture(image: &mut WebUiImage, fields: &mut Fields<'_>, name: &'static str) {
    image.source = match fields.get(name) {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) => Some(text.clone()),
        Some(Value::Array(list)) => match list.as_slice() {
            [] => None,
            [Value::String(text)] => Some(text.clone()),
            [_] => return fields.value_fault(name, NOT_A_LIST),
            _ => return fields.value_fault(name, ONE_IMAGE),
        },
        Some(Value::Bool(_) | Value::Number(_) | Value::Object(_)) => return fields.value_fault(name, NOT_A_LIST),
    };
}

/// Reads the extensions of a request.
fn scripts(image: &mut WebUiImage, fields: &mut Fields<'_>, name: &'static str) {
    refuse_scripts(fields, name, |fields, script, arguments| image.units.read(fields, script, arguments));
}

/// Reads the options of a request.
fn overrides(image: &mut WebUiImage, fields: &mut Fields<'_>, name: &'static str) {
    let settings = match fields.get(name) {
        Some(value) if is_nothing(value) => return,
        Some(Value::Object(settings)) => settings,
        Some(_) => return fields.value_fault(name, NOT_AN_OBJECT),
        None => return,
    };
    for (option, value) in settings {
        match meaning(option, value) {
            Meaning::Acts(value) => drop(image.overrides.insert(option.clone(), value)),
            Meaning::Nothing => {}
            Meaning::Refused(reason) => {
                fields.faults.push(crate::inputs::value_error(&format!("{name}.{}", shortened(option)), reason, value));
            }
            Meaning::Unknown if is_nothing(value) => {}
            Meaning::Unknown => image.unknown_overrides.push(shortened(option).into_owned()),
        }
    }
}

/// A name that a client has chosen.
fn chosen(name: Option<&String>) -> Option<&str> {
    name.map(|name| name.trim()).filter(|name| !UNCHOSEN.contains(&name.to_lowercase().as_str()))
}

/// The scheduler of a sampler and a schedule; `None` if neither was chosen.
fn scheduler(samplers: [Option<&String>; 2], schedule: Option<&String>) -> Result<Option<SchedulerName>, Problem> {
    let sampler = samplers.into_iter().find_map(chosen);
    let schedule = chosen(schedule).filter(|name| !name.eq_ignore_ascii_case("automatic"));
    if sampler.is_none() && schedule.is_none() {
        return Ok(None);
    }
    let named = SchedulerName::of_sampler(sampler.unwrap_or(DEFAULT_SAMPLER), schedule.unwrap_or("automatic"));
    named.map(Some).map_err(|error| {
        let reason = if let diffusion_core::Error::Params { reason, .. } = error { reason } else { error.to_string() };
        Problem::missing(format!("Sampler not found: {reason}; GET /sdapi/v1/samplers and /schedulers list those that there are"))
    })
}

/// What a request wants beside its pictures.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    pub(super) overrides: Overrides,
    /// The options that stay set after the request.
    pub(super) kept: Map<String, Value>,
    pub(super) batch_size: u32,
    pub(super) sends_images: bool,
    pub(super) echoes_images: bool,
    pub(super) remarks: Vec<String>,
    pub(super) unknown_overrides: Vec<String>,
}

/// Checks what the table does not; faults are kept for [`Body::or_problem`].
pub(super) fn check(body: &mut Body<WebUiImage>, options: Map<String, Value>) -> Wanted {
    let request = &mut body.request;
    request.image.seed.get_or_insert_with(|| random_seed().into());
    let (batch, rounds) = (request.batch_size.unwrap_or(1), request.n_iter.unwrap_or(1));
    let count = batch.saturating_mul(rounds);
    request.image.count = Some(count);
    let mut remarks = Vec::new();
    for (name, side) in [("width", &mut request.image.width), ("height", &mut request.image.height)] {
        if let Some(value) = side
            && *value % i128::from(SIDE_MULTIPLE) != 0
        {
            let rounded = *value - value.rem_euclid(i128::from(SIDE_MULTIPLE));
            remarks.push(format!("{name} {value} is rounded down to {rounded}: sides are multiples of {SIDE_MULTIPLE}"));
            *value = rounded;
        }
    }
    if request.save_images == Some(true) {
        remarks.push("save_images has no effect: this server keeps no folder of pictures, and the answer has them".to_owned());
    }
    let own = std::mem::take(&mut request.overrides);
    let kept = if request.restore_overrides == Some(false) { own.clone() } else { Map::new() };
    let wanted = Wanted {
        overrides: Overrides::new(options, own),
        kept,
        batch_size: u32::try_from(batch).unwrap_or(1),
        sends_images: request.send_images != Some(false),
        echoes_images: request.include_init_images == Some(true),
        remarks,
        unknown_overrides: std::mem::take(&mut request.unknown_overrides),
    };
    let blurs = (request.mask_blur_x, request.mask_blur_y);
    let has_mask = request.mask.as_ref().is_some_and(|mask| !mask.trim().is_empty());
    let cuts_units = !request.units.is_empty() && has_mask && request.only_masked != Some(false);
    let most = i128::from(LIMITS.count.1);
    if count > most {
        let sentence = "Value error, batch_size x n_iter is the number of pictures, and a request makes at most 16";
        body.look(|fields| fields.value_fault("batch_size", ("value_error", sentence)));
    }
    if cuts_units {
        body.look(|fields| fields.value_fault("inpaint_full_res", ("value_error", NO_CUT_UNITS)));
    }
    if matches!(blurs, (Some(x), Some(y)) if x.total_cmp(&y).is_ne()) {
        let sentence = "Value error, the mask is blurred alike in both directions: send mask_blur";
        body.look(|fields| fields.value_fault("mask_blur_x", ("value_error", sentence)));
    }
    wanted
}

/// A picture and its mask, or stand-ins for them.
#[derive(Default)]
pub(super) struct Given {
    pub(super) image: Option<image::RgbImage>,
    pub(super) mask: Option<image::GrayImage>,
    pub(super) controls: Vec<ControlRequest>,
}

impl WebUiImage {
    /// The request for the pictures, and remarks on it.
    ///
    /// # Errors
    /// 404 for an unknown sampler.
    pub(super) fn image_request(
        &self,
        wanted: &Wanted,
        (model_name, refiner): (Option<String>, Option<String>),
        given: Given,
        model: &ModelInfo,
    ) -> Result<(ImageRequest, Vec<String>), Problem> {
        let overrides = &wanted.overrides;
        let named = scheduler([self.sampler_name.as_ref(), self.sampler_index.as_ref()], self.scheduler.as_ref())?;
        let sampler_name = named.or(model.scheduler).map(|name| sampler(name).0);
        let mut remarks = Vec::new();
        let (steps, strength) = match &given.image {
            None => (self.image.num_inference_steps, None),
            Some(_) => self.repainted_steps(overrides.fix_steps(), model, &mut remarks),
        };
        let mask = given.mask.is_some().then(|| self.mask_request());
        let resize = given.image.is_some().then(|| number_of(&RESIZE_MODES, self.resize_mode.unwrap_or(0))).flatten();
        let refiner_switch = self.image.refiner_switch.filter(|_| refiner.is_some());
        let request = ImageRequest {
            model: model_name,
            wordless: true,
            prompt: Some(self.image.prompt.clone().unwrap_or_default()),
            prompt_syntax: Some("a1111".to_owned()),
            vae: overrides.vae(),
            num_inference_steps: steps,
            scheduler: named.map(|name| name.to_string()),
            eta: self.image.eta.or_else(|| overrides.eta(sampler_name?).filter(|_| named.is_some())),
            clip_skip: overrides.skipped_layers().or_else(|| self.clip_skip.map(|last| (last - 1).max(0))),
            refiner,
            refiner_switch,
            file_format: overrides.file_format(),
            init_image: given.image,
            mask_image: given.mask,
            strength,
            mask,
            resize_mode: resize.map(str::to_owned),
            hires: self.hires_request()?,
            controlnets: given.controls,
            guess_mode: self.units.guess_mode(),
            ..self.image.clone()
        };
        Ok((request, remarks))
    }

    /// The refiner that the request names.
    pub(super) fn refiner(&self) -> Option<&str> {
        chosen(self.image.refiner.as_ref())
    }

    /// The steps of a run over a picture, and the share of them that is run: the web UI runs at least one.
    fn repainted_steps(&self, fixed: bool, model: &ModelInfo, remarks: &mut Vec<String>) -> (Option<i128>, Option<f64>) {
        let strength = self.denoising_strength.unwrap_or(DEFAULT_STRENGTH);
        let requested =
            self.image.num_inference_steps.or(model.defaults.num_inference_steps.map(i128::from)).unwrap_or(DEFAULT_STEPS.into());
        // Values outside their bounds are refused by the validation.
        let Some(steps) = u32::try_from(requested).ok().filter(|steps| (LIMITS.steps.0..=LIMITS.steps.1).contains(steps)) else {
            return (self.image.num_inference_steps, Some(strength));
        };
        if fixed && strength > 0.0 {
            return (Some(steps_to_run(steps, strength).into()), Some(strength));
        }
        let smallest = smallest_strength(usize::try_from(steps).unwrap_or(1));
        if (0.0..smallest).contains(&strength) {
            remarks.push(format!("denoising_strength {strength} of {steps} steps is less than one step: one is run"));
            return (Some(steps.into()), Some(smallest));
        }
        (self.image.num_inference_steps, Some(strength))
    }

    fn mask_request(&self) -> MaskRequest {
        let blur = self.mask_blur_x.or(self.mask_blur_y).or(self.mask_blur);
        MaskRequest {
            blur: Some(blur.unwrap_or(4.0)),
            fill: number_of(&FILLS, self.fill.unwrap_or(0)).map(str::to_owned),
            only_masked: Some(self.only_masked.unwrap_or(true)),
            padding: Some(self.padding.unwrap_or(0)),
            invert: self.invert,
        }
    }

    fn hires_request(&self) -> Result<Option<HiresRequest>, Problem> {
        if self.hires.enabled != Some(true) {
            return Ok(None);
        }
        let WebUiHires { request, second_pass_steps, steps, sampler, scheduler: schedule, .. } = &self.hires;
        let some = |number: Option<i128>| number.filter(|number| *number != 0);
        let text = |text: &Option<String>| text.clone().filter(|text| !text.trim().is_empty());
        let named = match (chosen(sampler.as_ref()), chosen(schedule.as_ref())) {
            (None, None) => None,
            (None, Some(_)) => scheduler([self.sampler_name.as_ref(), self.sampler_index.as_ref()], schedule.as_ref())?,
            (Some(_), _) => scheduler([sampler.as_ref(), None], schedule.as_ref())?,
        };
        Ok(Some(HiresRequest {
            width: some(request.width),
            height: some(request.height),
            steps: some(*second_pass_steps).or(some(*steps)),
            strength: self.denoising_strength,
            scheduler: named.map(|name| name.to_string()),
            prompt: text(&request.prompt),
            negative_prompt: text(&request.negative_prompt),
            ..request.clone()
        }))
    }
}

fn number_of(names: &[&'static str], number: i128) -> Option<&'static str> {
    names.get(usize::try_from(number).ok()?).copied()
}

/// The web UI's name for a field of an [`ImageRequest`].
pub(super) fn field_name(field: &str) -> &str {
    match field {
        "num_inference_steps" => "steps",
        "guidance_scale" => "cfg_scale",
        "count" => "batch_size",
        "strength" => "denoising_strength",
        "init_image" => "init_images",
        "mask_image" => "mask",
        "scheduler" => "sampler_name",
        "vae" => "override_settings",
        "refiner" => "refiner_checkpoint",
        "refiner_switch" => "refiner_switch_at",
        same => same,
    }
}
