//! `POST /sdapi/v1/extra-single-image` and `/extra-batch-images`: resizing pictures by resampling, and by networks in held jobs.

use actix_web::{
    HttpRequest, HttpResponse,
    web::{self, Data, Payload},
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use diffusion_core::{
    adapters::UpscalerFolder,
    imaging::{Part, resized_part},
};
use generation::{JobOutput, UpscaleRequest, UpscaledSize, Upscaler, jobs::Work, limits::SHARE, png, upscale};
use image::RgbImage;
use serde_json::{Value, json};

use super::{
    unsupported::refuse,
    wire::{WebUiExtraImage, WebUiExtraImages},
};
use crate::{
    access::Caller,
    api::{
        metadata::JobMetadata,
        submission::{Submission, finished},
        tasks::metadata::TaskMetadata,
    },
    http::{JsonBodyProblems, Problem, QueueProblems, RequestBody, RequestNotes, check_type, offload},
    inputs::{Body, EXAMPLE_IMAGE, Fields, Requester, Row, SourceError, TypeFault, body_table, rows, value_error},
    state::ApiState,
};

/// The longest side of a result, and the bounds of a factor.
const SIDE: (u32, u32) = (1, upscale::MAX_SIDE);
const FACTOR: (f64, f64) = (0.25, 8.0);
/// The most pictures of a request.
const MOST: usize = 16;

const NO_FACES: TypeFault = ("value_error", "Value error, this server restores no faces: send 0");
const NOT_A_LIST: TypeFault = ("list_type", "Input should be a list of at most 16 objects with data, a picture in base64 or as a data URL");

/// A request to resize pictures.
#[derive(Default)]
pub(super) struct Extras {
    image: Option<String>,
    images: Vec<String>,
    resize_mode: Option<i128>,
    factor: Option<f64>,
    width: Option<i128>,
    height: Option<i128>,
    crop: Option<bool>,
    upscaler_1: Option<String>,
    upscaler_2: Option<String>,
    visibility: Option<f64>,
}

body_table! {
    /// The body of `POST /sdapi/v1/extra-single-image`.
    pub(super) SINGLE: Extras, SingleBody as "WebUiExtraImageRequest",
    example {"image": EXAMPLE_IMAGE, "upscaler_1": "Lanczos", "upscaling_resize": 2},
    [&rows! { Extras;
        /// The picture: base64 of a PNG, JPEG or WebP file, a data URL, or an http or https address.
        image: Text(|r| &mut r.image).required().checked(),
    }, &RESIZING]
}

body_table! {
    /// The body of `POST /sdapi/v1/extra-batch-images`.
    pub(super) BATCH: Extras, BatchBody as "WebUiExtraImagesRequest",
    example {"imageList": [{"name": "a.png", "data": EXAMPLE_IMAGE}], "upscaler_1": "Nearest", "upscaling_resize": 2},
    [&rows! { Extras;
        /// The pictures: objects with `data` (base64 of a PNG, JPEG or WebP file, or a data URL) and `name`.
        imageList: Other(images_schema, images),
    }, &RESIZING]
}

const RESIZING: [Row<Extras>; 14] = rows! { Extras;
    /// 0 resizes by `upscaling_resize`, 1 to `upscaling_resize_w` and `upscaling_resize_h`.
    resize_mode: Whole((0, 1), |r| &mut r.resize_mode).checked().or(|| 0.into()),
    /// The factor.
    upscaling_resize: Number(FACTOR, |r| &mut r.factor).checked().or(|| 2.into()),
    /// The width in pixels.
    upscaling_resize_w: Whole(SIDE, |r| &mut r.width).checked().or(|| 512.into()),
    /// The height in pixels.
    upscaling_resize_h: Whole(SIDE, |r| &mut r.height).checked().or(|| 512.into()),
    /// Whether a picture of other proportions is cropped to this width and height; if not, it fits inside them.
    upscaling_crop: Truth(|r| &mut r.crop).or(|| true.into()),
    /// What enlarges it, as `GET /sdapi/v1/upscalers` lists them; "None" leaves it as it is.
    upscaler_1: Text(|r| &mut r.upscaler_1).or(|| "None".into()),
    /// A second upscaler, whose result is laid over the first one's.
    upscaler_2: Text(|r| &mut r.upscaler_2).or(|| "None".into()),
    /// How opaque it is.
    extras_upscaler_2_visibility: Number(SHARE, |r| &mut r.visibility).checked().or(|| 0.into()),
    gfpgan_visibility: Silent(|_, fields, name| refuse(fields, name, NO_FACES)),
    codeformer_visibility: Silent(|_, fields, name| refuse(fields, name, NO_FACES)),
    codeformer_weight: Silent(|_, _, _| {}),
    show_extras_results: Silent(|_, _, _| {}),
    upscale_first: Silent(|_, _, _| {}),
    save_images: Silent(|_, _, _| {}),
};

fn images_schema() -> Value {
    let entry =
        json!({"type": "object", "required": ["data"], "properties": {"data": {"type": "string"}, "name": {"type": ["string", "null"]}}});
    json!({"type": "array", "items": entry, "minItems": 1, "maxItems": MOST})
}

fn images(extras: &mut Extras, fields: &mut Fields<'_>, name: &'static str) {
    let Some(Value::Array(list)) = fields.get(name).filter(|list| list.as_array().is_some_and(|list| (1..=MOST).contains(&list.len())))
    else {
        return fields.value_fault(name, NOT_A_LIST);
    };
    for (index, entry) in list.iter().enumerate() {
        match entry.get("data").and_then(Value::as_str) {
            Some(data) => extras.images.push(data.to_owned()),
            None => fields.fault(&[name.into(), index.into()], NOT_A_LIST, entry),
        }
    }
}

/// Resizes a picture.
#[utoipa::path(
    post,
    path = "/sdapi/v1/extra-single-image",
    tag = "automatic1111",
    request_body = SingleBody,
    responses((status = 200, description = "The resized picture", body = WebUiExtraImage), JsonBodyProblems, QueueProblems)
)]
pub(crate) async fn single(request: HttpRequest, caller: Caller, payload: Payload, state: Data<ApiState>) -> HttpResponse {
    let mut body = RequestBody::new(payload);
    let answer = match resized(&request, &caller, &mut body, &state, false).await {
        Ok((html_info, images)) => images.into_iter().next().map(|image| HttpResponse::Ok().json(WebUiExtraImage { html_info, image })),
        Err(problem) => return body.held_by(Err(problem)),
    };
    body.held_by(answer.ok_or_else(Problem::internal))
}

/// Resizes pictures.
#[utoipa::path(
    post,
    path = "/sdapi/v1/extra-batch-images",
    tag = "automatic1111",
    request_body = BatchBody,
    responses((status = 200, description = "The resized pictures", body = WebUiExtraImages), JsonBodyProblems, QueueProblems)
)]
pub(crate) async fn batch(request: HttpRequest, caller: Caller, payload: Payload, state: Data<ApiState>) -> HttpResponse {
    let mut body = RequestBody::new(payload);
    let answer = resized(&request, &caller, &mut body, &state, true).await;
    body.held_by(answer.map(|(html_info, images)| HttpResponse::Ok().json(WebUiExtraImages { html_info, images })))
}

/// What is done to every picture.
#[derive(Clone)]
struct Resizing {
    first: Upscaler,
    second: Option<(Upscaler, f64)>,
    to: Target,
}

#[derive(Clone, Copy)]
enum Target {
    Factor(f64),
    Cropped(u32, u32),
    Inside(u32, u32),
}

async fn resized(
    request: &HttpRequest,
    caller: &Caller,
    body: &mut RequestBody,
    state: &ApiState,
    is_batch: bool,
) -> Result<(String, Vec<String>), Problem> {
    check_type(request)?;
    let (bytes, held) = state.read_picture(body, request).await?;
    let body = offload(bytes.len(), move || if is_batch { BATCH.parse(&bytes) } else { SINGLE.parse(&bytes) }).await??;
    let folder = state.local().upscalers().folder().cloned();
    // A network's file is read unless it is known.
    let (mut body, resizing) = web::block(move || {
        let mut body = body;
        let resizing = resizing(&mut body, folder.as_ref());
        (body, resizing)
    })
    .await?;
    RequestNotes::new(std::mem::take(&mut body.named.ignored), Vec::new()).tell(request);
    let Some(resizing) = resizing.filter(|_| body.faults.is_empty()) else {
        return Err(Problem::invalid(std::mem::take(&mut body.faults)));
    };
    let base_url = state.access.base_url(request);
    let asker = Requester { owner: &caller.owner, base_url: &base_url };
    let field = if is_batch { "imageList" } else { "image" };
    let sources: Vec<String> = body.request.image.take().into_iter().chain(std::mem::take(&mut body.request.images)).collect();
    let (mut files, mut said, mut pixels) = (Vec::new(), String::new(), 0);
    for source in sources {
        let whole = state.images().whole(source, asker).await.map_err(|error| match error {
            SourceError::Refused(reason) => body.fault(field, reason),
            SourceError::Failed(error) => *error,
        })?;
        let image = web::block(move || whole.into_rgb8()).await?;
        let size = size_of(image.dimensions(), resizing.to, &mut pixels).map_err(|reason| body.fault(field, reason))?;
        let mut layers = Vec::new();
        for (upscaler, field) in resizing.upscalers() {
            let layer = match upscaler.network() {
                None => None,
                Some(name) => Some(by_network(name, &image, size, caller, state).await.map_err(|problem| of_field(problem, field))?),
            };
            layers.push(layer);
        }
        let resizing_of_one = resizing.clone();
        let made = web::block(move || made(&image, size, &resizing_of_one, layers)).await?;
        let (file, size) = made.map_err(|reason| body.fault(field, reason))?;
        said = format!("Resized to {}x{} by {}", size.0, size.1, resizing.first);
        files.push(file);
    }
    drop(held);
    Ok((said, files))
}

/// A picture, enlarged by a network in a job that this request waits for: hanging up cancels it.
async fn by_network(name: &str, image: &RgbImage, size: (u32, u32), caller: &Caller, state: &ApiState) -> Result<RgbImage, Problem> {
    let folder = state.local().upscalers().folder().cloned();
    let request = UpscaleRequest {
        image: Some(image.clone().into()),
        upscaler: Some(name.to_owned()),
        size: UpscaledSize::Exact(size),
        ..UpscaleRequest::default()
    };
    let spec = web::block(move || request.validate(folder.as_ref())).await?.map_err(|faults| {
        let reason = |message: String| message.strip_prefix("Value error, ").map_or(message.clone(), str::to_owned);
        Problem::invalid(faults.into_iter().map(|fault| value_error(fault.field, reason(fault.message), &Value::Null)).collect())
    })?;
    let metadata = JobMetadata::Task(TaskMetadata::default());
    let submission = Submission::identified(caller.clone(), None);
    let (job, _) = submission.hold(state, "img", Work::Upscale(spec), None, metadata).await?;
    let output = finished(state, "Upscaling", job).await.map_err(Problem::of_run)?;
    let JobOutput::Images(images) = &output.output else { return Err(Problem::internal()) };
    images.first().map(|image| image.image.clone()).ok_or_else(Problem::internal)
}

/// A problem under the web UI's names of fields.
fn of_field(mut problem: Problem, upscaler: &'static str) -> Problem {
    for fault in &mut problem.fields {
        let name = match fault.loc.get(1).and_then(Value::as_str) {
            Some("upscaler") => upscaler,
            Some("scale" | "size") => "upscaling_resize",
            Some(_) | None => continue,
        };
        if let Some(field) = fault.loc.get_mut(1) {
            *field = name.into();
        }
    }
    problem
}

impl Resizing {
    /// The upscalers and the fields that name them.
    fn upscalers(&self) -> impl Iterator<Item = (&Upscaler, &'static str)> {
        let second = self.second.as_ref().map(|(upscaler, _)| (upscaler, "upscaler_2"));
        std::iter::once((&self.first, "upscaler_1")).chain(second)
    }
}

fn resizing(body: &mut Body<Extras>, folder: Option<&UpscalerFolder>) -> Option<Resizing> {
    let names = [("upscaler_1", body.request.upscaler_1.take()), ("upscaler_2", body.request.upscaler_2.take())];
    let [first, second] = names.map(|(field, name)| upscaler(body, field, name.as_deref().unwrap_or("None"), folder));
    let Extras { resize_mode, factor, width, height, crop, visibility, .. } = body.request;
    let side = |side: Option<i128>| side.and_then(|side| u32::try_from(side).ok()).unwrap_or(512);
    let (width, height) = (side(width), side(height));
    let to = match (resize_mode, crop) {
        (Some(1), Some(false)) => Target::Inside(width, height),
        (Some(1), _) => Target::Cropped(width, height),
        (_, _) => Target::Factor(factor.unwrap_or(2.0)),
    };
    let second = second?;
    let visible = visibility.filter(|share| *share > 0.0 && second != Upscaler::None);
    Some(Resizing { first: first?, second: visible.map(|share| (second, share)), to })
}

fn upscaler(body: &mut Body<Extras>, field: &'static str, name: &str, folder: Option<&UpscalerFolder>) -> Option<Upscaler> {
    match Upscaler::choose(name, folder) {
        Ok(Upscaler::Latent(_)) => {
            let fault = ("value_error", "Value error, it enlarges latents: GET /sdapi/v1/upscalers lists what enlarges pictures");
            body.look(|fields| fields.value_fault(field, fault));
            None
        }
        Ok(upscaler) => Some(upscaler),
        Err(error) => {
            body.look(|fields| fields.rule_fault(field, generation::FieldErrorKind::Value { error }));
            None
        }
    }
}

/// The size of the enlarged picture, before it is cropped. `pixels` counts those of the whole answer, which waits in memory.
fn size_of((width, height): (u32, u32), to: Target, pixels: &mut u64) -> Result<(u32, u32), String> {
    let by = |factor: f64| {
        // A cast from float saturates.
        let side = |side: u32| ((f64::from(side) * factor) as u32).max(1);
        (side(width), side(height))
    };
    let share = |to: u32, from: u32| f64::from(to) / f64::from(from.max(1));
    let size = match to {
        Target::Factor(factor) => by(factor),
        Target::Cropped(to_width, to_height) => by(share(to_width, width).max(share(to_height, height))),
        Target::Inside(to_width, to_height) => by(share(to_width, width).min(share(to_height, height))),
    };
    if size.0.max(size.1) > SIDE.1 {
        return Err(format!("it would have {}x{} pixels, and a side of a resized picture has at most {}", size.0, size.1, SIDE.1));
    }
    *pixels += u64::from(size.0) * u64::from(size.1);
    if *pixels > upscale::MAX_PIXELS {
        return Err(format!("the answer would have {pixels} pixels in all, and {} are the limit", upscale::MAX_PIXELS));
    }
    Ok(size)
}

/// The file of a resized picture, base64, and its size. `layers` are the results of the upscalers that are networks.
fn made(image: &RgbImage, size: (u32, u32), resizing: &Resizing, layers: Vec<Option<RgbImage>>) -> Result<(String, (u32, u32)), String> {
    // The web UI does nothing without an upscaler.
    let does_nothing = resizing.first == Upscaler::None && resizing.second.is_none();
    let image = if does_nothing { image.clone() } else { enlarged(image, size, resizing, layers)? };
    let file = png::encode_fast(&image).map_err(|error| error.to_string())?;
    Ok((BASE64_STANDARD.encode(file), image.dimensions()))
}

fn enlarged(image: &RgbImage, size: (u32, u32), resizing: &Resizing, layers: Vec<Option<RgbImage>>) -> Result<RgbImage, String> {
    let Resizing { first, second, to } = resizing;
    let mut layers = layers.into_iter();
    let mut enlarge = |upscaler: &Upscaler| match layers.next().flatten() {
        Some(layer) => Ok(layer),
        None => upscaler.enlarged(image, size).map_err(|error| error.to_string()),
    };
    let mut result = enlarge(first)?;
    if let Some((second, visibility)) = second {
        let over = enlarge(second)?;
        for (below, over) in result.pixels_mut().zip(over.pixels()) {
            for (below, over) in below.0.iter_mut().zip(over.0) {
                *below = (f64::from(*below) * (1.0 - visibility) + f64::from(over) * visibility).round() as u8;
            }
        }
    }
    match *to {
        Target::Cropped(width, height) if result.dimensions() != (width, height) => {
            let part = Part::covering(result.dimensions(), (width, height));
            resized_part(&result, part, width, height).map_err(|error| error.to_string())
        }
        Target::Factor(_) | Target::Cropped(..) | Target::Inside(..) => Ok(result),
    }
}
