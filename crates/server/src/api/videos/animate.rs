//! `POST /animate`: a picture in motion, as an MP4 file.

use std::sync::Arc;

use actix_web::{
    HttpRequest, HttpResponse,
    web::{Data, Payload},
};
use generation::{
    Limits,
    video::{AnimationRequest, AnimationSpec, MotionRequest, VideoSpec},
};
use image::RgbImage;

use crate::{
    access::Caller,
    api::{
        submission::Submission,
        tasks::async_video::{self, TaskAccepted},
        videos::{
            scenes::make,
            scenes_body::{fps, fps_schema, motion_run, motion_settings},
        },
    },
    files::{Mp4File, decoding, image_text},
    http::{
        HeldJobProblems, IdempotencyHeader, JsonBodyProblems, ModelProblems, PreferHeader, Problem, QueueProblems, RequestBody,
        RequestNotes, check_type, insert, respond_async,
    },
    inputs::{EXAMPLE_IMAGE, Holds, body_table, image_source, random_seed, rows, value_error},
    state::{ApiState, Services},
};

const LIMITS: Limits = Limits::DEFAULT;

/// A request for an animation, with its picture still as text.
#[derive(Default)]
struct Animate {
    request: AnimationRequest,
    image: Option<String>,
}

impl Holds<MotionRequest> for Animate {
    fn held(&mut self) -> &mut MotionRequest {
        &mut self.request.motion
    }
}

body_table! {
    /// The body of `POST /animate`. Other programs' names of the fields are accepted; unknown keys are ignored, and named in the answer's
    /// `X-Ignored-Fields`.
    ANIMATE: Animate, AnimateBody as "AnimateRequest",
    example {"image": EXAMPLE_IMAGE, "motion_bucket_id": 127, "seed": 42},
    [
        &rows! { Animate;
            /// The picture: base64 of a PNG, JPEG or WebP file, or a data URL.
            image: Text(|r| &mut r.image).required(),
            /// The model whose motion model is used, by a name that `GET /models` lists; the default one if absent. An unknown name is 404
            /// with the known ones.
            model: Text(|r| &mut r.request.model),
        },
        &motion_run(),
        &rows! { Animate;
            /// Frames per second. The model is conditioned on the same rate unless `conditioning_fps` is set.
            fps: Other(fps_schema, |r, fields, name| r.request.fps = fields.read(name, fps)),
        },
        &motion_settings(),
        &rows! { Animate;
            /// Width in pixels, a multiple of 8; the model's own if absent.
            width: Side(LIMITS.side, |r| &mut r.request.width),
            /// Height in pixels, a multiple of 8; the model's own if absent.
            height: Side(LIMITS.side, |r| &mut r.request.height),
            /// The noise's seed. Drawn at random if absent or -1; the answer tells which.
            seed: Seed(LIMITS.max_seed, |r| &mut r.request.seed),
        },
    ]
}

/// Sets a picture in motion.
///
/// Waits until the video is made. Hanging up cancels it. With `Prefer: respond-async` it becomes a job instead; poll `GET
/// /api/v1/tasks/{id}`.
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
                ("X-Video-FPS" = String, description = "Frames per second: a number or a fraction"),
                ("X-Seed" = u64, description = "The seed that it was made with"),
                ("Idempotent-Replayed" = String, description = "true if this request was answered before, or is being answered; else absent"),
            )
        ),
        TaskAccepted,
        JsonBodyProblems,
        ModelProblems,
        QueueProblems,
        HeldJobProblems,
    )
)]
pub(crate) async fn animate(request: HttpRequest, caller: Caller, payload: Payload, state: Data<ApiState>) -> HttpResponse {
    let mut body = RequestBody::new(payload);
    let answer = answer(&request, caller, &mut body, &state).await;
    body.held_by(answer)
}

async fn answer(request: &HttpRequest, caller: Caller, body: &mut RequestBody, state: &ApiState) -> Result<HttpResponse, Problem> {
    check_type(request)?;
    if state.services.pool_models.is_empty() {
        state.ready_model(None).await?;
    }
    let (bytes, held) = state.read_large(body, request, &caller.owner).await?;
    let (limits, services) = (state.limits.clone(), Arc::clone(&state.services));
    let submission = Submission::by(caller, request, &bytes).await?;
    let read = async {
        // A large picture takes long to decode, and needs much memory meanwhile.
        let _turn = decoding::turn().await.map_err(|_| Problem::internal())?;
        let read = actix_web::web::block(move || spec(&bytes, &limits, &services)).await?;
        if let Ok((Ok(spec), _)) = &read {
            // Only the wait counts here: submitting the job checks the model.
            state.ready_model(spec.model()).await.ok();
        }
        read
    };
    if respond_async::is_wanted(request) {
        let read = async {
            let (spec, notes) = read.await?;
            notes.tell(request);
            Ok((VideoSpec::Animation(spec?), notes))
        };
        let answer = async_video::answer(request, submission, state, read).await;
        drop(held);
        return answer;
    }
    let (spec, notes) = read.await?;
    notes.tell(request);
    let spec = spec?;
    drop(held);
    let fps = spec.fps().to_string();
    let video = make(state, request, submission, VideoSpec::Animation(spec), notes).await?;
    Ok(video.answer(|response| insert(response, "X-Video-FPS", &fps)))
}

/// The spec of a body or all its faults, and the notes on it.
fn spec(body: &[u8], limits: &Limits, services: &Services) -> Result<(Result<AnimationSpec, Problem>, RequestNotes), Problem> {
    let mut body = ANIMATE.parse(body)?;
    let mut request = std::mem::take(&mut body.request.request);
    request.image = body.request.image.take().and_then(|text| {
        let sentence = |sentence| body.faults.push(value_error("image", sentence, &text.as_str().into()));
        image(&text).map_err(sentence).ok()
    });
    request.seed.get_or_insert_with(|| random_seed().into());
    request.model = services.local_model(request.model.as_deref())?;
    let spec = body.or_problem(request.validate(limits));
    Ok((spec, RequestNotes::new(body.named.ignored, Vec::new())))
}

/// A picture from base64 or a data URL.
fn image(text: &str) -> Result<RgbImage, String> {
    image_source::decode_bytes(image_text::bytes(text).map_err(|error| error.to_string())?)
}
