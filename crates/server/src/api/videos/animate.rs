//! `POST /animate`: a picture in motion, as an MP4 file.

use actix_web::{
    HttpRequest, HttpResponse,
    web::{Data, Payload},
};
use generation::video::{AnimationRequest, AnimationSpec, VideoSpec};
use image::RgbImage;

use crate::{
    access::Caller,
    api::{
        submission::Submission,
        tasks::async_video::{self, TaskAccepted},
        videos::{
            scenes::make,
            scenes_body::{fps, motion_fields},
            wire::AnimateBody,
        },
    },
    files::{Mp4File, decoding, picture_text},
    http::{
        IdempotencyHeader, JsonBodyProblems, NotMade, PreferHeader, Problem, QueueProblems, RequestBody, RequestNotes, check_type, insert,
        respond_async,
    },
    inputs::{Fields, Shape, integer, judged, parse_named, picture_source, random_seed, seed, string, value_error},
    state::ApiState,
};

/// The order in which faults are told.
const FIELDS: [&str; 13] = [
    "image",
    "num_frames",
    "num_inference_steps",
    "fps",
    "conditioning_fps",
    "motion_bucket_id",
    "noise_aug_strength",
    "min_guidance_scale",
    "max_guidance_scale",
    "decode_chunk_size",
    "width",
    "height",
    "seed",
];
static SHAPE: Shape = Shape::new(&FIELDS, &[]);

/// Sets a picture in motion.
///
/// Waits until the video is made. Hanging up cancels it. With `Prefer: respond-async` it makes a job instead, which
/// `GET /api/v1/tasks/{id}` tells of.
#[utoipa::path(
    post,
    path = "/animate",
    tag = "generation",
    request_body = AnimateBody,
    params(IdempotencyHeader, PreferHeader),
    responses(
        (
            status = 200,
            description = "The video: H.264 in MP4, which plays in every browser",
            body = Mp4File,
            content_type = "video/mp4",
            headers(
                ("Content-Disposition" = String, description = "attachment, with a unique file name"),
                ("X-Video-FPS" = String, description = "Frames in a second: a number or a fraction"),
                ("X-Seed" = u64, description = "The seed that it was made with"),
            )
        ),
        TaskAccepted,
        JsonBodyProblems,
        QueueProblems,
        NotMade,
    )
)]
pub(crate) async fn animate(request: HttpRequest, caller: Caller, payload: Payload, state: Data<ApiState>) -> HttpResponse {
    let mut body = RequestBody::new(payload);
    let answer = answer(&request, caller, &mut body, &state).await;
    body.held_by(answer)
}

async fn answer(request: &HttpRequest, caller: Caller, body: &mut RequestBody, state: &ApiState) -> Result<HttpResponse, Problem> {
    check_type(request)?;
    state.ready_model()?;
    let (bytes, held) = state.read_large(body, request, &caller.owner).await?;
    let limits = state.limits.clone();
    let named = match respond_async::is_wanted(request) {
        true => Some(Submission::by(caller.clone(), request, &bytes).await?),
        false => None,
    };
    let read = async {
        // A large picture takes a while to decode, and much memory while it is.
        let _turn = decoding::turn().await.map_err(|_| Problem::internal())?;
        actix_web::web::block(move || spec(&bytes, &limits)).await?
    };
    if let Some(asked) = named {
        let read = async {
            let (spec, notes) = read.await?;
            notes.tell(request);
            Ok((VideoSpec::Animation(spec?), notes))
        };
        let answer = async_video::answer(request, asked, state, read).await;
        drop(held);
        return answer;
    }
    let (spec, notes) = read.await?;
    notes.tell(request);
    let spec = spec?;
    drop(held);
    let fps = spec.fps().to_string();
    let made = make(state, &caller, VideoSpec::Animation(spec)).await?;
    Ok(made.answer(|response| insert(response, "X-Video-FPS", &fps)))
}

/// What a body asks for, or all that is wrong with it; and what is to be said of it.
fn spec(body: &[u8], limits: &generation::Limits) -> Result<(Result<AnimationSpec, Problem>, RequestNotes), Problem> {
    let named = parse_named(body, &SHAPE)?;
    let mut fields = Fields::new(&named.json);
    let image = fields.required("image", string).and_then(|text| match picture(&text) {
        Ok(picture) => Some(picture),
        Err(sentence) => {
            fields.faults.push(value_error("image", sentence, &text.into()));
            None
        }
    });
    let request = AnimationRequest {
        image,
        motion: motion_fields(&mut fields),
        fps: fields.read("fps", fps),
        width: fields.read("width", integer),
        height: fields.read("height", integer),
        seed: Some(fields.read("seed", seed).unwrap_or(random_seed().into())),
    };
    let faults = fields.faults;
    let spec = judged(request.validate(limits), faults, &named, &FIELDS);
    Ok((spec, RequestNotes::new(named.ignored, Vec::new())))
}

/// A picture from base64 or a data URL.
fn picture(text: &str) -> Result<RgbImage, String> {
    picture_source::of_bytes(picture_text::bytes(text).map_err(|error| error.to_string())?)
}
