//! From a request's body to its answer: the pictures' job, and the pictures with their description.
//!
//! It is a held job: when the client hangs up, actix drops the handler, which drops the held job, which cancels it. Nothing else may keep the
//! held job alive.

use std::{sync::Arc, time::SystemTime};

use actix_web::{
    HttpRequest, HttpResponse,
    http::{StatusCode, header::ContentType},
    web::Bytes,
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use generation::{
    FieldError, ImageSpec, JobOutput, ModelInfo,
    jobs::{HeldOutput, Work},
};
use serde_json::{Map, Value};

use super::{
    fields::{Given, Wanted, WebUiImage, check, field_name},
    given::{given, stand_in},
    info::{Facts, info},
    models::{pool_name, request_model, title_of},
    overrides::unknown,
    wire::WebUiImages,
};
use crate::{
    access::Caller,
    api::{
        metadata::JobMetadata,
        submission::{Submission, finished},
        tasks::metadata::TaskMetadata,
    },
    http::{HeldMemory, IgnoredField, Problem, RequestNotes, idempotency, offload},
    inputs::{Body, Requester, SourceError, Table, fields::parse_object},
    state::ApiState,
};

/// Keys with which SillyTavern names its server: secrets of another program, which are neither read nor repeated.
const OF_CLIENTS: [&str; 2] = ["url", "auth"];
/// Keys with pictures, which an answer repeats only if asked to.
const PICTURES: [&str; 2] = ["init_images", "mask"];

/// A request's body, and a copy of it for the answer.
pub(super) struct Asked {
    body: Body<WebUiImage>,
    echo: Map<String, Value>,
    bytes: Bytes,
    /// Whether the body is one with a picture.
    has_picture: bool,
    /// The memory of the body, until the job has its own.
    held: HeldMemory,
}

impl Asked {
    /// Reads a body.
    ///
    /// # Errors
    /// If it is not a JSON object.
    pub(super) fn read(table: &'static Table<WebUiImage>, bytes: Bytes, held: HeldMemory) -> Result<Self, Problem> {
        let mut json = parse_object(&bytes)?;
        json.retain(|name, _| !OF_CLIENTS.contains(&name.as_str()));
        let has_picture = std::ptr::eq(table, &raw const super::fields::IMG2IMG);
        let echo = json.clone();
        Ok(Self { body: table.read(json), echo, bytes, has_picture, held })
    }
}

/// Makes the pictures.
pub(super) async fn make(request: &HttpRequest, caller: Caller, asked: Asked, state: &ApiState) -> Result<HttpResponse, Problem> {
    let Asked { mut body, mut echo, bytes, has_picture, held } = asked;
    let (owner, began) = (caller.owner.clone(), SystemTime::now());
    let submission = Submission::by(caller, request, &bytes).await?;
    drop(bytes);
    let wanted = check(&mut body, state.web_ui.options(&owner));
    let mut notes = RequestNotes::new(std::mem::take(&mut body.named.ignored), wanted.remarks.clone());
    if !wanted.unknown_overrides.is_empty() {
        notes.remarks.push(unknown(&wanted.unknown_overrides));
        let named = wanted.unknown_overrides.iter().map(|name| format!("override_settings.{name}"));
        notes.ignored_fields.extend(named.map(|field| IgnoredField { field, did_you_mean: None }));
    }
    notes.remarks.extend(body.request.units.remarks());
    let unknown = std::mem::take(&mut body.request.units.unknown);
    notes.ignored_fields.extend(unknown.into_iter().map(|field| IgnoredField { field, did_you_mean: None }));
    notes.tell(request);
    let name = wanted.overrides.model().map_or(Ok(None), |title| request_model(state, title))?;
    let refiner = body.request.refiner().map(|title| pool_name(state, title)).transpose()?;
    let model = state.ready_model(name.as_deref()).await?;
    state.await_refiner(refiner.as_deref()).await;
    let source = body.request.source.take();
    let mask = body.request.mask.take().filter(|mask| !mask.trim().is_empty());
    if has_picture && source.is_none() && body.faults.iter().all(|fault| fault.loc.get(1) != Some(&"init_images".into())) {
        body.look(|fields| fields.rule_fault("init_images", generation::FieldErrorKind::Missing));
    }
    let models = (name.clone(), refiner);
    // Every fault of the other fields is known before a picture is fetched or decoded.
    let stands_in = source.as_ref().map_or_else(Given::default, |_| stand_in(mask.is_some()));
    let stands_in = Given { controls: body.request.units.without_images(source.is_some()), ..stands_in };
    let (mut spec, mut remarks) = spec_of(&body, &wanted, models.clone(), stands_in, &model, state)?;
    let base_url = state.access.base_url(request);
    if source.is_some() || !body.request.units.is_empty() {
        let asker = Requester { owner: &owner, base_url: &base_url };
        let mut pictures = match source {
            None => Given::default(),
            Some(source) => given(source, mask, asker, state).await.map_err(|(field, error)| match error {
                SourceError::Refused(reason) => body.fault(field, reason),
                SourceError::Failed(error) => *error,
            })?,
        };
        let size = (spec.width(), spec.height());
        pictures.controls = body.request.units.with_images(pictures.image.as_ref(), size, asker, state).await?;
        (spec, remarks) = spec_of(&body, &wanted, models, pictures, &model, state)?;
    }
    drop(held);
    notes.remarks.append(&mut remarks);
    notes.remarks.extend(spec.remarks_on(&model));
    notes.tell(request);
    let metadata = TaskMetadata { base_url, notes: notes.clone(), seed: Some(spec.seed()), ..TaskMetadata::default() };
    let (job, replayed) = submission.hold(state, "img", Work::Image(spec.clone()), None, JobMetadata::Task(metadata)).await?;
    state.web_ui.set_options(&owner, wanted.kept.clone());
    let running = state.web_ui.begin(&owner, &job, wanted.batch_size, spec.refiner().is_none());
    let output = finished(state, "Generation", job).await.map_err(|problem| body.request.units.renamed(of_run(problem, has_picture)))?;
    drop(running);
    if let JobOutput::Images(images) = &output.output {
        if images.is_empty() {
            return Err(interrupted());
        }
        notes.remarks.extend(images.iter().flat_map(|image| &image.remarks).cloned());
        notes.tell(request);
    }
    if !wanted.echoes_images {
        without_control_images(&mut echo);
        for name in PICTURES {
            if has_picture || echo.contains_key(name) {
                echo.insert(name.to_owned(), Value::Null);
            }
        }
    }
    let title = title_of(state, name.as_deref());
    let mut response = answer(output, echo, (spec, title, model), (wanted, began, notes)).await?;
    idempotency::mark(&mut response, replayed);
    Ok(response)
}

/// Takes the pictures of ControlNets out of a copy of the body.
fn without_control_images(echo: &mut Map<String, Value>) {
    let scripts = echo.get_mut("alwayson_scripts").and_then(Value::as_object_mut).into_iter().flat_map(Map::values_mut);
    let units = scripts.filter_map(|script| script.get_mut("args")?.as_array_mut()).flatten().filter_map(Value::as_object_mut);
    for unit in units {
        for name in ["image", "input_image"] {
            if let Some(image) = unit.get_mut(name) {
                *image = Value::Null;
            }
        }
    }
}

/// The spec of a body with these pictures, or all its faults; and remarks on it.
fn spec_of(
    body: &Body<WebUiImage>,
    wanted: &Wanted,
    models: (Option<String>, Option<String>),
    given: Given,
    model: &ModelInfo,
    state: &ApiState,
) -> Result<(ImageSpec, Vec<String>), Problem> {
    let (request, remarks) = body.request.image_request(wanted, models, given, model)?;
    let spec = body.or_problem(request.validate(&state.limits, model).map_err(renamed));
    Ok((spec.map_err(|problem| body.request.units.renamed(problem))?, remarks))
}

/// Validation faults under the web UI's names.
fn renamed(errors: Vec<FieldError>) -> Vec<FieldError> {
    let of = |error: FieldError| {
        let field = match (error.group, error.field) {
            (Some("hires"), field) => hires_field(field),
            (Some("mask"), field) => mask_field(field),
            (_, "hires") => "enable_hr",
            (_, field) => field_name(field),
        };
        FieldError { field, group: None, ..error }
    };
    errors.into_iter().map(of).collect()
}

fn hires_field(field: &'static str) -> &'static str {
    match field {
        "scale" => "hr_scale",
        "width" => "hr_resize_x",
        "height" => "hr_resize_y",
        "upscaler" => "hr_upscaler",
        "steps" => "hr_second_pass_steps",
        "strength" => "denoising_strength",
        "guidance_scale" => "hr_cfg",
        "scheduler" => "hr_sampler_name",
        "prompt" => "hr_prompt",
        "negative_prompt" => "hr_negative_prompt",
        same => same,
    }
}

fn mask_field(field: &'static str) -> &'static str {
    match field {
        "blur" => "mask_blur",
        "fill" => "inpainting_fill",
        "padding" => "inpaint_full_res_padding",
        same => same,
    }
}

/// The end of a job that has run, with the web UI's names of fields.
fn of_run(problem: Problem, has_picture: bool) -> Problem {
    if problem.status == StatusCode::GONE {
        return interrupted();
    }
    let mut problem = problem.of_run();
    for fault in &mut problem.fields {
        if let Some(field) = fault.loc.get_mut(1)
            && let Some(name) = field.as_str().map(str::to_owned)
        {
            let known = if has_picture || name != "strength" { field_name(&name).to_owned() } else { "denoising_strength".to_owned() };
            *field = known.into();
        }
    }
    problem
}

/// A request that was interrupted before its first picture was finished.
fn interrupted() -> Problem {
    Problem::new(StatusCode::GONE, "interrupted", "Interrupted before the first picture was finished").of_run()
}

/// The answer with the pictures.
async fn answer(
    output: Arc<HeldOutput>,
    echo: Map<String, Value>,
    (spec, title, model): (ImageSpec, String, Arc<ModelInfo>),
    (wanted, began, notes): (Wanted, SystemTime, RequestNotes),
) -> Result<HttpResponse, Problem> {
    let JobOutput::Images(images) = &output.output else { return Err(Problem::internal()) };
    let bytes = images.iter().map(|image| image.file().1.len()).sum();
    let body = offload(bytes, move || {
        let JobOutput::Images(images) = &output.output else { return String::new() };
        let text = |name: &str| echo.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let (prompt, negative) = (text("prompt"), text("negative_prompt"));
        let facts = Facts {
            spec: &spec,
            model: &model,
            title: &title,
            prompts: (&prompt, &negative),
            batch_size: wanted.batch_size,
            began,
            notes: &notes,
        };
        let info = info(&facts, images);
        let files = images.iter().filter(|_| wanted.sends_images).map(|image| BASE64_STANDARD.encode(image.file().1));
        let answer = WebUiImages { images: files.collect(), parameters: echo, info };
        // It contains nothing that JSON cannot represent.
        serde_json::to_string(&answer).unwrap_or_default()
    });
    Ok(HttpResponse::Ok().content_type(ContentType::json()).body(body.await?))
}
