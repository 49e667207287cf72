//! A stream of pictures: server-sent events as OpenAI's clients read them.
//!
//! The invariants: the stream ends with the finished pictures or with an error, so that a client never takes a broken stream for a short
//! one; comments keep proxies from closing it meanwhile; hanging up cancels the job as it does for an answer in one piece.

use std::{sync::Arc, time::Duration};

use actix_web::{
    HttpResponse,
    http::header::{CACHE_CONTROL, HeaderName, HeaderValue},
    web::{self, Bytes},
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use futures_util::stream;
use generation::{
    ImageFormat, JobOutput, Preview, PreviewOf, Previews,
    jobs::{HeldOutput, HeldResult},
};
use tokio::sync::oneshot;

use super::{
    body::{Verb, Wanted},
    making::size_text,
    wire::OpenAiImageEvent,
};
use crate::{
    api::{
        openai::{models::seconds, problems},
        submission::Ending,
    },
    http::Problem,
};

/// No proxy may hold events back to compress or to cache them.
const CACHING: &str = "no-store, no-cache, no-transform";
/// Makes buffering proxies (nginx) pass each event on at once.
const ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// A held job whose pictures are streamed.
pub(super) struct Streamed {
    pub(super) verb: Verb,
    pub(super) wanted: Wanted,
    /// (width, height) of the finished pictures.
    pub(super) size: (u32, u32),
    pub(super) result: oneshot::Receiver<HeldResult>,
    pub(super) ending: Ending,
    /// Previews, if partial pictures are wanted.
    pub(super) previews: Option<Previews>,
    pub(super) heartbeat: Duration,
}

enum Next {
    Greeting(Streamed),
    More(Streamed, u32),
    End,
}

/// The answer with the stream.
pub(super) fn answer(streamed: Streamed) -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/event-stream; charset=utf-8")
        .insert_header((CACHE_CONTROL, CACHING))
        .insert_header((ACCEL_BUFFERING, HeaderValue::from_static("no")))
        .streaming(stream::unfold(Next::Greeting(streamed), step))
}

async fn step(next: Next) -> Option<(Result<Bytes, actix_web::Error>, Next)> {
    let (text, next) = match next {
        // The head goes out with it, so that the client knows that its job is accepted.
        Next::Greeting(streamed) => (": accepted\n\n".to_owned(), Next::More(streamed, 0)),
        Next::More(streamed, sent) => streamed.more(sent).await,
        Next::End => return None,
    };
    Some((Ok(text.into()), next))
}

impl Streamed {
    /// The next events, after `sent` partial pictures.
    async fn more(mut self, sent: u32) -> (String, Next) {
        loop {
            if sent >= self.wanted.partial_images {
                self.previews = None;
            }
            tokio::select! {
                biased;
                result = &mut self.result => {
                    let text = match result {
                        Ok(Ok(output)) => self.finished(output).await,
                        Ok(Err(error)) => Err(self.ending.problem(&error)),
                        Err(_) => Err(Problem::internal()),
                    };
                    return (text.unwrap_or_else(|problem| error_event(&problem)), Next::End);
                }
                preview = next_preview(&mut self.previews) => {
                    if !is_due(preview.of, sent, self.wanted.partial_images) {
                        continue;
                    }
                    if let Ok(text) = self.partial(preview, sent).await {
                        return (text, Next::More(self, sent + 1));
                    }
                }
                () = tokio::time::sleep(self.heartbeat) => return (": still here\n\n".to_owned(), Next::More(self, sent)),
            }
        }
    }

    /// The event of a partial picture, encoded as the finished ones are.
    async fn partial(&self, preview: Arc<Preview>, index: u32) -> Result<String, Problem> {
        let format = self.wanted.format;
        let file = web::block(move || match format {
            ImageFormat::Png => Ok(preview.png.clone()),
            ImageFormat::Jpeg { .. } | ImageFormat::WebP => image::load_from_memory(&preview.png)
                .map_err(|_| Problem::internal())
                .and_then(|image| format.encode(&image.into_rgb8(), "").map_err(|_| Problem::internal())),
        });
        let file = file.await??;
        let kind = if self.verb == Verb::Edit { "image_edit.partial_image" } else { "image_generation.partial_image" };
        Ok(text_of(&self.event(kind, &file, Some(index), None)))
    }

    /// The events of the finished pictures.
    async fn finished(self, output: Arc<HeldOutput>) -> Result<String, Problem> {
        let kind = if self.verb == Verb::Edit { "image_edit.completed" } else { "image_generation.completed" };
        // Long texts are made off the async threads.
        let Self { verb, wanted, size, .. } = self;
        let texts = web::block(move || {
            let JobOutput::Images(images) = &output.output else { return Err(Problem::internal()) };
            let event = |file: &[u8], seed| event((verb, kind), &wanted, size, file, None, Some(seed));
            Ok(images.iter().map(|image| text_of(&event(image.file().1, image.seed))).collect())
        });
        texts.await?
    }

    fn event(&self, kind: &'static str, file: &[u8], index: Option<u32>, seed: Option<u64>) -> OpenAiImageEvent {
        event((self.verb, kind), &self.wanted, self.size, file, index, seed)
    }
}

fn event(
    (_, kind): (Verb, &'static str),
    wanted: &Wanted,
    size: (u32, u32),
    file: &[u8],
    partial_image_index: Option<u32>,
    seed: Option<u64>,
) -> OpenAiImageEvent {
    OpenAiImageEvent {
        kind,
        b64_json: BASE64_STANDARD.encode(file),
        partial_image_index,
        created_at: seconds(std::time::SystemTime::now()),
        size: size_text(size),
        quality: wanted.quality.clone(),
        background: "opaque",
        output_format: wanted.format.name(),
        seed,
    }
}

/// Whether a preview is the next partial picture: `wanted` of them are spread over the steps of the first picture.
fn is_due(of: PreviewOf, sent: u32, wanted: u32) -> bool {
    match of {
        PreviewOf::Step { part: 0, step, steps } => step as u64 * u64::from(wanted + 1) >= u64::from(sent) * steps as u64,
        PreviewOf::Step { .. } | PreviewOf::Frame { .. } => false,
    }
}

fn text_of(event: &OpenAiImageEvent) -> String {
    // It contains nothing that JSON cannot represent, and serialized JSON contains no line break.
    format!("event: {}\ndata: {}\n\n", event.kind, serde_json::to_string(event).unwrap_or_default())
}

fn error_event(problem: &Problem) -> String {
    format!("event: error\ndata: {}\n\n", problems::render(problem))
}

/// The next preview; pending forever if there will be none.
async fn next_preview(previews: &mut Option<Previews>) -> Arc<Preview> {
    if let Some(wanted) = previews
        && let Some(preview) = wanted.next().await
    {
        return preview;
    }
    *previews = None;
    std::future::pending().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partial_pictures_are_spread_over_the_steps() {
        let at = |step, sent, wanted| is_due(PreviewOf::Step { part: 0, step, steps: 20 }, sent, wanted);
        assert!(at(1, 0, 3) && !at(4, 1, 3) && at(5, 1, 3) && !at(9, 2, 3) && at(10, 2, 3));
        assert!(!is_due(PreviewOf::Step { part: 1, step: 20, steps: 20 }, 0, 3) && !is_due(PreviewOf::Frame { frame: 1 }, 0, 3));
    }
}
