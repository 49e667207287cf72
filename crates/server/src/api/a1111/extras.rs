//! `POST /sdapi/v1/extra-single-image` and `/extra-batch-images`: resizing pictures without a model.

use actix_web::{
    HttpRequest, HttpResponse,
    web::{self, Data, Payload},
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use diffusion_core::imaging::{Part, resized_part};
use generation::{Limits, Upscaler, limits::SHARE, png};
use image::RgbImage;
use serde_json::{Value, json};

use super::{
    unsupported::refuse,
    wire::{WebUiExtraImage, WebUiExtraImages},
};
use crate::{
    access::Caller,
    http::{JsonBodyProblems, Problem, QueueProblems, RequestBody, RequestNotes, check_type, offload},
    inputs::{Body, EXAMPLE_IMAGE, Fields, Requester, Row, SourceError, TypeFault, body_table, rows},
    state::ApiState,
};

/// The longest side of a result, and the bounds of a factor.
const SIDE: (u32, u32) = (1, Limits::DEFAULT.max_output_side);
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
#[derive(Clone, Copy)]
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
    let mut body = offload(bytes.len(), move || if is_batch { BATCH.parse(&bytes) } else { SINGLE.parse(&bytes) }).await??;
    RequestNotes::new(std::mem::take(&mut body.named.ignored), Vec::new()).tell(request);
    let resizing = resizing(&mut body);
    let Some(resizing) = resizing.filter(|_| body.faults.is_empty()) else {
        return Err(Problem::invalid(std::mem::take(&mut body.faults)));
    };
    let base_url = state.access.base_url(request);
    let asker = Requester { owner: &caller.owner, base_url: &base_url };
    let field = if is_batch { "imageList" } else { "image" };
    let sources: Vec<String> = body.request.image.take().into_iter().chain(std::mem::take(&mut body.request.images)).collect();
    let (mut files, mut said) = (Vec::new(), String::new());
    for source in sources {
        let image = state.images().image(source, asker).await.map_err(|error| match error {
            SourceError::Refused(reason) => body.fault(field, reason),
            SourceError::Failed(error) => *error,
        })?;
        let made = web::block(move || made(&image.image, resizing)).await?;
        let (file, size) = made.map_err(|reason| body.fault(field, reason))?;
        said = format!("Resized to {}x{} by {}", size.0, size.1, resizing.first);
        files.push(file);
    }
    drop(held);
    Ok((said, files))
}

fn resizing(body: &mut Body<Extras>) -> Option<Resizing> {
    let names = [("upscaler_1", body.request.upscaler_1.take()), ("upscaler_2", body.request.upscaler_2.take())];
    let [first, second] = names.map(|(field, name)| upscaler(body, field, name.as_deref().unwrap_or("None")));
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

fn upscaler(body: &mut Body<Extras>, field: &'static str, name: &str) -> Option<Upscaler> {
    match name.parse::<Upscaler>() {
        Ok(Upscaler::Latent(_)) => {
            let fault = ("value_error", "Value error, it enlarges latents: GET /sdapi/v1/upscalers lists what enlarges pictures");
            body.look(|fields| fields.value_fault(field, fault));
            None
        }
        Ok(upscaler) => Some(upscaler),
        Err(error) => {
            body.look(|fields| fields.rule_fault(field, generation::FieldErrorKind::Value { error: error.to_string() }));
            None
        }
    }
}

/// The file of a resized picture, base64, and its size.
fn made(image: &RgbImage, resizing: Resizing) -> Result<(String, (u32, u32)), String> {
    let Resizing { first, second, to } = resizing;
    // The web UI does nothing without an upscaler.
    let image = if first == Upscaler::None && second.is_none() { image.clone() } else { enlarged(image, (first, second), to)? };
    let file = png::encode_fast(&image).map_err(|error| error.to_string())?;
    Ok((BASE64_STANDARD.encode(file), image.dimensions()))
}

fn enlarged(image: &RgbImage, (first, second): (Upscaler, Option<(Upscaler, f64)>), to: Target) -> Result<RgbImage, String> {
    let (width, height) = image.dimensions();
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
    let enlarge = |upscaler: Upscaler| upscaler.enlarged(image, size).map_err(|error| error.to_string());
    let mut result = enlarge(first)?;
    if let Some((second, visibility)) = second {
        let over = enlarge(second)?;
        for (below, over) in result.pixels_mut().zip(over.pixels()) {
            for (below, over) in below.0.iter_mut().zip(over.0) {
                *below = (f64::from(*below) * (1.0 - visibility) + f64::from(over) * visibility).round() as u8;
            }
        }
    }
    match to {
        Target::Cropped(width, height) if result.dimensions() != (width, height) => {
            let part = Part::covering(result.dimensions(), (width, height));
            resized_part(&result, part, width, height).map_err(|error| error.to_string())
        }
        Target::Factor(_) | Target::Cropped(..) | Target::Inside(..) => Ok(result),
    }
}
