//! From a request for a video to its job.
//!
//! The order matters: the request's name first, because a repetition gets the video of its first request whatever has happened since; then
//! the fields; then the picture; then the job, which is on disk before the answer.

use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, web::Bytes};
use generation::{
    ModelInfo,
    jobs::{Job, Submitted, Work},
    video::{RemoteVideoSpec, VideoSpec},
};
use image::RgbImage;
use serde_json::{Map, Value};

use super::{
    body::{Movie, check},
    metadata::OpenAiVideoMetadata,
    view,
};
use crate::{
    access::Caller,
    api::{
        metadata::JobMetadata,
        openai::model_names,
        submission::{Submission, new_id},
        tasks::task_view::Links,
    },
    http::{HeldMemory, Problem, RequestNotes, idempotency},
    inputs::{Body, Requester, SourceError, image_source, image_source::GivenImage, input_image},
    state::{ApiState, Maker},
};

/// The service that makes the videos of requests which name a model of its own.
const VEO: &str = "veo";

/// A request's body, and its picture.
pub(super) struct Asked {
    pub(super) body: Body<Movie>,
    pub(super) image: Option<Picture>,
    /// The memory of the body, until the job has its own.
    pub(super) held: HeldMemory,
    pub(super) remixed_from: Option<String>,
}

/// A picture as it came.
pub(super) enum Picture {
    File(Vec<u8>),
    Decoded(RgbImage),
}

/// The submission of a request with these contents, by its name if it has one.
pub(super) async fn identified(request: &HttpRequest, caller: Caller, contents: &Bytes, state: &ApiState) -> Result<Submission, Problem> {
    let name = state.repeats.identify(request, &caller.owner, contents).await?;
    Ok(Submission::identified(caller, name))
}

/// The answer to a request that was accepted before.
pub(super) async fn earlier(request: &HttpRequest, submission: &Submission, state: &ApiState) -> Result<Option<HttpResponse>, Problem> {
    let before = submission.before(state).await?;
    Ok(before.map(|Submitted { job, .. }| accepted(request, &job, true, &state.access.base_url(request), state)))
}

/// Submits the job of a request that was not accepted before.
pub(super) async fn accept(
    request: &HttpRequest,
    mut submission: Submission,
    asked: Asked,
    state: &ApiState,
) -> Result<HttpResponse, Problem> {
    let Asked { mut body, image, held, remixed_from } = asked;
    let owner = submission.caller.owner.clone();
    let base_url = state.access.base_url(request);
    let mut notes = RequestNotes::new(std::mem::take(&mut body.named.ignored), Vec::new());
    notes.tell(request);
    let source = body.request.source.take().filter(|_| image.is_none());
    let has_image = image.is_some() || source.is_some();
    let (maker, remark) = maker(&body.request, has_image, state)?;
    check(&mut body, matches!(maker, Maker::Remote(_)));
    // A model that the request does not name, or that stands for another one, may be any.
    submission.stays_here = body.request.model.is_some() && remark.is_none();
    notes.remarks.extend(remark);
    let operators = state.tasks.repaint_strength;
    let model: Option<(Option<String>, Arc<ModelInfo>)> = match &maker {
        Maker::Remote(_) => {
            notes.remarks.extend(body.request.remark_on_services());
            None
        }
        Maker::Local(name) => {
            let model = state.ready_model(name.as_deref()).await?;
            notes.remarks.extend(model.remarks_on_texts(body.request.prompt.as_deref()));
            if has_image {
                if remixed_from.is_some() {
                    body.request.let_prompt_repaint(operators);
                }
                notes.remarks.extend(body.request.remarks_on_prompt(operators));
            }
            Some((name.clone(), model))
        }
    };
    notes.tell(request);
    let spec_of = |image: Option<RgbImage>| {
        let model = model.as_ref().map(|(name, info)| (name.clone(), info.as_ref()));
        body.spec(image, model, operators, &state.limits)
    };
    let mut spec = spec_of(has_image.then(|| RgbImage::new(8, 8)))?;
    let asker = Requester { owner: &owner, base_url: &base_url };
    let given = picture(image, source, asker, &maker, state).await.map_err(|error| match error {
        SourceError::Refused(reason) => body.fault("input_reference", reason),
        SourceError::Failed(error) => *error,
    })?;
    let size = body.request.size(given.as_ref().map(|given| given.image.dimensions()));
    let model = match &maker {
        Maker::Local(name) => name.clone().unwrap_or_else(|| "local".into()),
        Maker::Remote(model) => model.clone(),
    };
    let movie = OpenAiVideoMetadata {
        base_url: base_url.clone(),
        model,
        prompt: body.request.prompt.clone(),
        seconds: body.request.seconds(),
        size,
        seed: None,
        notes: RequestNotes::default(),
        by_service: matches!(maker, Maker::Remote(_)),
        remixed_from,
        fields: without_image(&body.named.json),
        has_image,
    };
    spec = match maker {
        Maker::Remote(model) => {
            let image = match given {
                None => None,
                Some(given) => Some(input_image(given).await?),
            };
            let (spec, remarks) = state.services.fitted(RemoteVideoSpec::new(model, body.request.remote_request(image, size)))?;
            notes.remarks.extend(remarks);
            VideoSpec::Remote(spec)
        }
        Maker::Local(_) => match given {
            None => spec,
            Some(given) => spec_of(Some(given.image))?,
        },
    };
    drop(held);
    notes.tell(request);
    let seed = spec.remote().map_or(Some(spec.seed()), |remote| remote.request.seed);
    let metadata = JobMetadata::OpenAiVideo(Box::new(OpenAiVideoMetadata { notes, seed, ..movie }));
    let Submitted { job, replayed, .. } = submission.submit(state, new_id("video"), Work::Video(spec), metadata).await?;
    Ok(accepted(request, &job, replayed, &base_url, state))
}

/// What makes the video, and a remark if that is not what the request names.
fn maker(movie: &Movie, has_image: bool, state: &ApiState) -> Result<(Maker, Option<String>), Problem> {
    let services = &state.services;
    let route = if has_image { services.tasks.as_ref() } else { services.text.as_ref() };
    let Some(name) = movie.model.as_deref() else { return Ok((services.default_maker(route), None)) };
    match services.maker(name) {
        Ok(maker) => Ok((maker, None)),
        Err(_) if model_names::is_veo(name) && services.maker(VEO).is_ok() => Ok((services.named(VEO)?, None)),
        Err(_) => match model_names::stand_in(name, "video") {
            Some(remark) => Ok((services.default_maker(route), Some(remark))),
            None => Ok((services.named(name)?, None)),
        },
    }
}

/// The given picture, decoded.
async fn picture(
    image: Option<Picture>,
    source: Option<String>,
    asker: Requester<'_>,
    maker: &Maker,
    state: &ApiState,
) -> Result<Option<GivenImage>, SourceError> {
    match (image, source) {
        (Some(Picture::Decoded(image)), _) => Ok(Some(image.into())),
        (Some(Picture::File(file)), _) => Ok(Some(image_source::decode_file(file).await?.into())),
        (None, Some(source)) => state.images_for(maker).image(source, asker).await.map(Some),
        (None, None) => Ok(None),
    }
}

/// The fields of a request without its picture, which may be long and is not asked for again.
fn without_image(fields: &Map<String, Value>) -> Map<String, Value> {
    fields.iter().filter(|(name, _)| *name != "input_reference").map(|(name, value)| (name.clone(), value.clone())).collect()
}

fn accepted(request: &HttpRequest, job: &Job, replayed: bool, base_url: &str, state: &ApiState) -> HttpResponse {
    OpenAiVideoMetadata::of(job).notes.tell(request);
    let mut answer = view::answer(job, Links { access: &state.access, base_url });
    idempotency::mark(&mut answer, replayed);
    answer
}
