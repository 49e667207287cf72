//! `GET /controlnet/..`: what there is for units; and `POST /controlnet/detect`: the control images that a module makes of pictures.

use std::{
    collections::BTreeMap,
    future::{Ready, ready},
};

use actix_web::{
    HttpRequest, HttpResponse,
    web::{self, Data, Json, Payload},
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use diffusion_core::imaging::canny;
use generation::{Limits, limits::CANNY_THRESHOLD, png, validate::CANNY_THRESHOLDS};
use serde_json::{Value, json};

use super::{
    unit::MODULES,
    wire::{
        WebUiControlImages, WebUiControlModels, WebUiControlModule, WebUiControlModules, WebUiControlSettings, WebUiControlSlider,
        WebUiControlVersion,
    },
};
use crate::{
    access::Caller,
    http::{JsonBodyProblems, Problem, QueueProblems, RequestBody, RequestNotes, check_type, offload},
    inputs::{Body, EXAMPLE_IMAGE, Fields, Requester, SourceError, TypeFault, body_table},
    state::ApiState,
};

/// The version of the extension's API that units follow.
const VERSION: u32 = 3;
/// The most pictures of a request.
const MOST: usize = 16;

const NOT_PICTURES: TypeFault =
    ("list_type", "Input should be a list of at most 16 pictures in base64, as data URLs, or as http or https addresses");
const NO_PICTURE: TypeFault = ("value_error", "Value error, it holds no picture");
const NO_MODULE: TypeFault = ("value_error", "Value error, this server finds edges only: send canny, or none");

/// A request for control images.
#[derive(Default)]
pub(super) struct Detection {
    module: Option<String>,
    sources: Vec<String>,
    low: Option<f64>,
    high: Option<f64>,
}

body_table! {
    /// The body of `POST /controlnet/detect`.
    pub(super) DETECT: Detection, DetectBody as "WebUiControlNetDetectRequest",
    example {"controlnet_module": "canny", "controlnet_input_images": [EXAMPLE_IMAGE]},
    {
        /// What makes the control images: `none`, or `canny`.
        controlnet_module: Text(|r| &mut r.module).or(|| "none".into()),
        /// The pictures.
        controlnet_input_images: Other(pictures_schema, pictures),
        /// The name of `controlnet_input_images` in some clients.
        controlnet_images: Silent(pictures),
        /// For canny: what every pixel of a line exceeds; the default if negative.
        controlnet_threshold_a: Number((-1.0, CANNY_THRESHOLD.1), |r| &mut r.low).checked().or(|| CANNY_THRESHOLDS.0.into()),
        /// For canny: what some pixel of a line exceeds; the default if negative.
        controlnet_threshold_b: Number((-1.0, CANNY_THRESHOLD.1), |r| &mut r.high).checked().or(|| CANNY_THRESHOLDS.1.into()),
        // Pictures keep their size.
        controlnet_processor_res: Silent(|_, _, _| {}),
        controlnet_masks: Silent(|_, _, _| {}),
        low_vram: Silent(|_, _, _| {}),
    }
}

fn pictures_schema() -> Value {
    json!({"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": MOST})
}

fn pictures(request: &mut Detection, fields: &mut Fields<'_>, name: &'static str) {
    let value = match fields.get(name) {
        Some(value) if !value.is_null() => value,
        Some(_) | None => return,
    };
    let Some(list) = value.as_array().filter(|list| list.len() <= MOST) else { return fields.value_fault(name, NOT_PICTURES) };
    for (index, picture) in list.iter().enumerate() {
        match picture.as_str() {
            Some(picture) => request.sources.push(picture.to_owned()),
            None => fields.fault(&[name.into(), index.into()], NOT_PICTURES, picture),
        }
    }
}

/// The version of the extension's API.
#[utoipa::path(get, path = "/controlnet/version", tag = "automatic1111", responses((status = 200, description = "The version", body = WebUiControlVersion)))]
pub(crate) fn version() -> Ready<Json<WebUiControlVersion>> {
    ready(Json(WebUiControlVersion { version: VERSION }))
}

/// What holds for all units.
#[utoipa::path(get, path = "/controlnet/settings", tag = "automatic1111", responses((status = 200, description = "The settings", body = WebUiControlSettings)))]
pub(crate) fn settings() -> Ready<Json<WebUiControlSettings>> {
    ready(Json(WebUiControlSettings { control_net_unit_count: Limits::DEFAULT.max_controlnets }))
}

/// The ControlNets that units may name.
#[utoipa::path(get, path = "/controlnet/model_list", tag = "automatic1111", responses((status = 200, description = "The ControlNets", body = WebUiControlModels)))]
pub(crate) async fn model_list(state: Data<ApiState>) -> Result<Json<WebUiControlModels>, Problem> {
    let views = state.local().models();
    // All models have the same folder.
    let of =
        move || views.iter().find_map(|view| view.info.as_ref().filter(|info| info.controlnets.is_some())?.usable_controlnets().into());
    Ok(Json(WebUiControlModels { model_list: web::block(of).await?.unwrap_or_default() }))
}

/// What makes control images from pictures.
#[utoipa::path(get, path = "/controlnet/module_list", tag = "automatic1111", responses((status = 200, description = "The modules", body = WebUiControlModules)))]
pub(crate) fn module_list() -> Ready<Json<WebUiControlModules>> {
    let slider = |name, value| WebUiControlSlider { name, value, min: CANNY_THRESHOLD.0, max: CANNY_THRESHOLD.1 };
    let of_canny = vec![
        WebUiControlSlider { name: "Resolution", value: 512.0, min: 64.0, max: 2048.0 },
        slider("Canny Low Threshold", CANNY_THRESHOLDS.0),
        slider("Canny High Threshold", CANNY_THRESHOLDS.1),
    ];
    let detail = |name| WebUiControlModule { model_free: false, sliders: if name == "canny" { of_canny.clone() } else { Vec::new() } };
    let module_detail: BTreeMap<_, _> = MODULES.iter().map(|name| (*name, detail(*name))).collect();
    ready(Json(WebUiControlModules { module_list: MODULES.to_vec(), module_detail }))
}

/// The control images that a module makes of pictures.
#[utoipa::path(
    post,
    path = "/controlnet/detect",
    tag = "automatic1111",
    request_body = DetectBody,
    responses((status = 200, description = "The control images", body = WebUiControlImages), JsonBodyProblems, QueueProblems)
)]
pub(crate) async fn detect(request: HttpRequest, caller: Caller, payload: Payload, state: Data<ApiState>) -> HttpResponse {
    let mut body = RequestBody::new(payload);
    let answer = detected(&request, &caller, &mut body, &state).await;
    body.held_by(answer.map(|images| HttpResponse::Ok().json(WebUiControlImages { images, info: "Success" })))
}

async fn detected(request: &HttpRequest, caller: &Caller, body: &mut RequestBody, state: &ApiState) -> Result<Vec<String>, Problem> {
    check_type(request)?;
    let (bytes, held) = state.read_picture(body, request).await?;
    let mut body: Body<Detection> = offload(bytes.len(), move || DETECT.parse(&bytes)).await??;
    RequestNotes::new(std::mem::take(&mut body.named.ignored), Vec::new()).tell(request);
    let module = body.request.module.clone().unwrap_or_default().trim().to_lowercase();
    let finds_edges = match module.as_str() {
        "" | "none" => false,
        "canny" => true,
        _ => {
            body.look(|fields| fields.value_fault("controlnet_module", NO_MODULE));
            false
        }
    };
    if body.request.sources.is_empty() && body.faults.is_empty() {
        body.look(|fields| fields.value_fault("controlnet_input_images", NO_PICTURE));
    }
    if !body.faults.is_empty() {
        return Err(Problem::invalid(std::mem::take(&mut body.faults)));
    }
    let threshold = |given: Option<f64>, default: f64| given.filter(|given| *given >= 0.0).unwrap_or(default);
    let (low, high) = (threshold(body.request.low, CANNY_THRESHOLDS.0), threshold(body.request.high, CANNY_THRESHOLDS.1));
    let base_url = state.access.base_url(request);
    let asker = Requester { owner: &caller.owner, base_url: &base_url };
    let mut files = Vec::new();
    for source in std::mem::take(&mut body.request.sources) {
        let given = state.images().image(source, asker).await.map_err(|error| match error {
            SourceError::Refused(reason) => body.fault("controlnet_input_images", reason),
            SourceError::Failed(error) => *error,
        })?;
        let file = web::block(move || {
            let image = if finds_edges { canny(&given.image, low.min(high), low.max(high)) } else { given.image };
            png::encode_fast(&image).map(|file| BASE64_STANDARD.encode(file))
        });
        files.push(file.await?.map_err(|_| Problem::internal())?);
    }
    drop(held);
    Ok(files)
}
