//! Each fault of a provider, through the loop and the download, leads to its error kind with advice.
//!
//! A row has (the fake's operation, the fault, how often, the expected end). A transient fault ends in the video.

use std::time::Duration;

use remote_fakes::{
    FalFake, Fault, Faults, GoogleOptions, HuggingFaceFake, PikaWebFake, RelayOptions, RelayResult, ReplicateFake, STABLE_VIDEO_DIFFUSION,
    VeoGoogleFake, VeoRelayFake,
};
use remote_providers::{
    ErrorKind::{
        self, ContentFilter, Credentials, Failed, InvalidRequest, NotFound, Protocol, Quota, RateLimited, Result as NoResult, TooLarge,
        Unavailable, Uncertain,
    },
    GoogleAccess, HuggingFace, HuggingFaceSettings, PikaFal, PikaFalSettings, PikaWeb, PikaWebSettings, Provider, Replicate,
    ReplicateSettings, VeoGoogle, VeoGoogleSettings, VeoRelay, VeoRelaySettings, VideoRequest,
};
use serde_json::json;

use crate::{
    drive,
    drive::KEY,
    flow::{LIMIT, PACE, TRIES, patience, video},
    videos,
};

/// The error's kind and words; `None` for the video.
type End = Option<(ErrorKind, &'static str)>;
type Row = (&'static str, Fault, u32, End);

const LARGE: Fault = Fault::TooLarge(LIMIT + 1);
const PAGE: Fault = Fault::NotAVideo(b"<html>");
const WAIT: &str = "try again later";
const FILTER: &str = "change the prompt or the image";
const CONSOLE: &str = "look at the provider's console before asking again";

/// Rows for the start and status operations of every provider with jobs.
fn of_jobs(start: &'static str, get: &'static str) -> Vec<Row> {
    vec![
        (start, Fault::RetryAfter(429, "throttled", 0), TRIES - 1, None),
        (start, Fault::RetryAfter(429, "throttled", 0), TRIES, Some((RateLimited, WAIT))),
        (start, Fault::Status(503, "down"), TRIES - 1, None),
        (start, Fault::Status(503, "down"), TRIES, Some((Unavailable, WAIT))),
        (start, Fault::Status(401, "who"), 1, Some((Credentials, "check the provider's key"))),
        (start, Fault::Status(402, "money"), 1, Some((Quota, "add credit"))),
        // Without an idempotency token none of these may be retried: the video may already be billed.
        (start, Fault::Status(500, "oops"), 1, Some((Uncertain, CONSOLE))),
        (start, Fault::StatusAfter(502, "lost"), 1, Some((Uncertain, CONSOLE))),
        (start, Fault::Stall, 1, Some((Uncertain, CONSOLE))),
        (start, Fault::CloseAfterBytes(0), 1, Some((Uncertain, CONSOLE))),
        (start, Fault::CloseAfterBytes(7), 1, Some((Uncertain, CONSOLE))),
        // A poll costs nothing, so an outage is waited out.
        (get, Fault::RetryAfter(429, "throttled", 0), 2 * TRIES, None),
        (get, Fault::Status(500, "oops"), 2 * TRIES, None),
        (get, Fault::Stall, 1, None),
        (get, Fault::CloseAfterBytes(0), 1, None),
        (get, Fault::CloseAfterBytes(7), 1, None),
        (get, Fault::Status(401, "who"), 1, Some((Credentials, "check the provider's key"))),
        (get, Fault::Status(404, "gone"), 1, Some((NotFound, "does not know the job any more"))),
    ]
}

/// Rows for the storage faults of a download.
fn of_storage(download: &'static str) -> Vec<Row> {
    vec![
        (download, Fault::Status(500, "oops"), 1, Some((NoResult, "the provider may still have the video"))),
        (download, Fault::Stall, 1, Some((NoResult, "the provider may still have the video"))),
        (download, Fault::CloseAfterBytes(0), 1, Some((NoResult, "the provider may still have the video"))),
        // Truncated.
        (download, Fault::CloseAfterBytes(1000), 1, Some((NoResult, "the provider may still have the video"))),
        (download, Fault::Expired, 1, Some((NoResult, "the link to the video has expired or is refused"))),
        (download, LARGE, 1, Some((TooLarge, "the video has more than 65536 bytes; ask for a shorter video"))),
    ]
}

/// The same provider twice: with a normal timeout, and with a short one for stalls.
fn both<P>(new: impl Fn(Duration) -> P) -> [(P, Duration); 2] {
    [false, true].map(|stalls| (new(patience(stalls)), patience(stalls)))
}

/// Runs a row. The number of starts is tested with the loop.
async fn check<P: Provider>(
    name: &str,
    faults: &Faults,
    [patient, hasty]: &[(P, Duration); 2],
    model: &str,
    request: &VideoRequest,
    row: Row,
) {
    let (operation, fault, times, end) = row;
    let (provider, timeout) = if fault == Fault::Stall { hasty } else { patient };
    for _ in 0..times {
        faults.push(operation, fault.clone());
    }
    let found = video(provider, model, request, *timeout).await;
    match (&found, end) {
        (Ok(bytes), None) => assert_eq!(bytes.get(4..8), Some(b"ftyp".as_slice()), "{name} {operation} {fault:?}"),
        (Err(error), Some((kind, words))) => {
            let shown = error.to_string();
            assert!(error.kind == kind && shown.contains(words), "{name} {operation} {fault:?}: {:?}: {shown}", error.kind);
            assert_eq!(error.may_have_started, kind == Uncertain, "{name} {operation} {fault:?}");
        }
        (found, end) => panic!("{name} {operation} {fault:?}: {found:?} instead of {end:?}"),
    }
    assert!(faults.all_taken(), "{name} {operation} {fault:?}");
}

#[tokio::test]
async fn faults_of_veo_through_a_relay() {
    let own: [Row; 12] = [
        ("start", Fault::ContentFilterAtStart, 1, Some((ContentFilter, FILTER))),
        ("start", Fault::ContentFilterAtEnd, 1, Some((ContentFilter, FILTER))),
        ("start", Fault::Failed("INVALID_INPUT: too small"), 1, Some((InvalidRequest, "change the request"))),
        ("start", Fault::Failed("the moon is in the wrong house"), 1, Some((Failed, "try again with another prompt or image"))),
        ("start", Fault::WrongWord("polishing"), 1, None),
        ("get", Fault::WrongWord("polishing"), 5, None),
        ("start", LARGE, 1, Some((TooLarge, "ask for a shorter video"))),
        ("start", PAGE, 1, Some((NoResult, "text/html"))),
        ("start", Fault::Expired, 1, Some((NoResult, "has expired"))),
        ("get", Fault::Status(500, "PROMINENT_PEOPLE_FILTER_FAILED"), 1, Some((ContentFilter, FILTER))),
        ("get", Fault::Status(403, "insufficient_user_quota"), 1, Some((Quota, "add credit"))),
        ("get", Fault::Failed("TIMEOUT"), 1, Some((Unavailable, WAIT))),
    ];
    let fake = VeoRelayFake::start(RelayOptions { key: KEY.to_owned(), ..RelayOptions::default() }).await.unwrap();
    let veo = both(|timeout| relay(&fake, timeout));
    for row in own.into_iter().chain(of_jobs("start", "get")).chain(of_storage("download")) {
        check("relay", &fake.faults, &veo, "", &videos::request(), row).await;
    }
    // The video from `/content` itself, and through its redirect.
    for result in [RelayResult::Bytes, RelayResult::Redirect(302), RelayResult::Json("url")] {
        let own: [Row; 3] = [
            ("start", LARGE, 1, Some((TooLarge, "ask for a shorter video"))),
            ("content", Fault::Status(500, "oops"), 2, None),
            ("content", Fault::Status(404, "gone"), 1, None),
        ];
        let fake = VeoRelayFake::start(RelayOptions { key: KEY.to_owned(), result, ..RelayOptions::default() }).await.unwrap();
        let veo = both(|timeout| relay(&fake, timeout));
        for row in own {
            check("relay's content", &fake.faults, &veo, "", &videos::request(), row).await;
        }
    }
}

fn relay(fake: &VeoRelayFake, timeout: Duration) -> VeoRelay {
    let settings = VeoRelaySettings { base_url: fake.server.url(), timeout, pace: PACE, ..VeoRelaySettings::new(KEY.into()) };
    VeoRelay::new(settings).unwrap()
}

#[tokio::test]
async fn faults_of_veo_at_google() {
    let own: [Row; 10] = [
        ("start", Fault::ContentFilterAtStart, 1, Some((ContentFilter, FILTER))),
        ("start", Fault::ContentFilterAtEnd, 1, Some((ContentFilter, FILTER))),
        ("start", Fault::Failed("Internal error. Please try again."), 1, Some((Unavailable, WAIT))),
        ("get", Fault::WrongWord("finished"), 5, None),
        ("start", LARGE, 1, Some((TooLarge, "ask for a shorter video"))),
        ("start", PAGE, 1, Some((NoResult, "text/html"))),
        ("start", Fault::Expired, 1, Some((NoResult, "has expired or is refused"))),
        ("file", Fault::Status(500, "INTERNAL"), 1, Some((NoResult, "the provider may still have the video"))),
        ("start", Fault::Status(429, "RESOURCE_EXHAUSTED"), TRIES, Some((RateLimited, WAIT))),
        ("start", Fault::Status(500, "RESOURCE_EXHAUSTED"), 1, Some((Uncertain, CONSOLE))),
    ];
    let fake = VeoGoogleFake::start(GoogleOptions { key: KEY.to_owned(), ..GoogleOptions::developer() }).await.unwrap();
    let veo = both(|timeout| google(GoogleAccess::Developer { base_url: fake.server.url(), key: KEY.into() }, timeout));
    for row in own.into_iter().chain(of_jobs("start", "get")).chain(of_storage("download")) {
        check("developer", &fake.faults, &veo, "", &videos::request(), row).await;
    }
    for storage_uri in [None, Some("gs://my-bucket/videos/".to_owned())] {
        let large = ("start", LARGE, 1, Some((TooLarge, "ask for a shorter video")));
        let mut rows = of_jobs("start", "get");
        rows.push(large);
        if storage_uri.is_some() {
            rows.extend(of_storage("download"));
        }
        let fake = VeoGoogleFake::start(GoogleOptions { key: KEY.to_owned(), ..GoogleOptions::vertex() }).await.unwrap();
        let access = GoogleAccess::Vertex {
            base_url: Some(fake.server.url()),
            storage_url: fake.storage.url(),
            project: "my-project".to_owned(),
            location: "us-central1".to_owned(),
            token: KEY.into(),
            storage_uri,
        };
        let veo = both(|timeout| google(access.clone(), timeout));
        for row in rows {
            check("vertex", &fake.faults, &veo, "veo-3.1-generate-001", &videos::request(), row).await;
        }
    }
}

fn google(access: GoogleAccess, timeout: Duration) -> VeoGoogle {
    VeoGoogle::new(VeoGoogleSettings { access, timeout, pace: PACE, ..VeoGoogleSettings::developer(KEY.into()) }).unwrap()
}

#[tokio::test]
async fn faults_of_pikas_web_form() {
    let own: [Row; 6] = [
        ("generate", Fault::ContentFilterAtStart, 1, Some((ContentFilter, FILTER))),
        ("generate", Fault::ContentFilterAtEnd, 1, Some((ContentFilter, FILTER))),
        ("generate", Fault::Failed("out of memory"), 1, Some((Failed, "out of memory"))),
        ("job", Fault::WrongWord("generating"), 5, None),
        ("job", Fault::WrongWord("banished"), 1, Some((Failed, "the job ended with status \"banished\""))),
        ("job", Fault::WrongWord("finished"), 1, Some((Protocol, "has no resultUrl"))),
    ];
    let fake = PikaWebFake::start(KEY).await.unwrap();
    let settings = |timeout| PikaWebSettings { base_url: fake.base_url(), timeout, pace: PACE, ..PikaWebSettings::new(KEY.into()) };
    let provider = both(|timeout| PikaWeb::new(settings(timeout)));
    for row in own.into_iter().chain(of_jobs("generate", "job")).chain(of_storage("download")) {
        check("pika", &fake.faults, &provider, "", &drive::request(), row).await;
    }
}

#[tokio::test]
async fn faults_of_pika_through_fal() {
    let own: [Row; 9] = [
        ("submit", Fault::ContentFilterAtStart, 1, Some((ContentFilter, FILTER))),
        ("submit", Fault::ContentFilterAtEnd, 1, Some((ContentFilter, FILTER))),
        ("submit", Fault::Failed("Request timed out"), 1, Some((Failed, "Request timed out (request_timeout)"))),
        ("submit", Fault::Status(403, "User is locked. Reason: Exhausted balance."), 1, Some((Quota, "add credit"))),
        ("status", Fault::WrongWord("DONE"), 1, Some((Protocol, "the request's status is \"DONE\""))),
        ("result", Fault::Status(502, "bad gateway"), 5, None),
        ("result", Fault::Stall, 1, None),
        ("result", Fault::CloseAfterBytes(5), 1, None),
        ("result", Fault::WrongWord(""), 1, Some((Protocol, "no video.url"))),
    ];
    let fake = FalFake::start(KEY).await.unwrap();
    let settings = |timeout| PikaFalSettings { base_url: fake.server.url(), timeout, pace: PACE, ..PikaFalSettings::new(KEY.into()) };
    let provider = both(|timeout| PikaFal::new(settings(timeout)));
    for row in own.into_iter().chain(of_jobs("submit", "status")).chain(of_storage("download")) {
        check("fal", &fake.faults, &provider, "", &drive::request(), row).await;
    }
}

#[tokio::test]
async fn faults_of_replicate() {
    let own: [Row; 6] = [
        ("create", Fault::ContentFilterAtStart, 1, Some((ContentFilter, FILTER))),
        ("create", Fault::ContentFilterAtEnd, 1, Some((ContentFilter, FILTER))),
        ("create", Fault::Failed("CUDA out of memory"), 1, Some((Failed, "CUDA out of memory"))),
        ("create", Fault::Failed("Prediction interrupted; please retry (code: PA)"), 1, Some((Failed, "please retry"))),
        ("get", Fault::WrongWord("exploded"), 1, Some((Protocol, "\"exploded\", which is none of Replicate's"))),
        ("get", Fault::WrongWord("canceled"), 1, Some((Failed, "canceled at the provider"))),
    ];
    let options = json!({"image_key": "input_image", "frames_per_second": 6});
    let request = VideoRequest { prompt: String::new(), ..drive::request_with(options) };
    let fake = ReplicateFake::start(KEY).await.unwrap();
    let settings = |timeout| ReplicateSettings { base_url: fake.server.url(), timeout, pace: PACE, ..ReplicateSettings::new(KEY.into()) };
    let provider = both(|timeout| Replicate::new(settings(timeout)));
    for row in own.into_iter().chain(of_jobs("create", "get")).chain(of_storage("download")) {
        check("replicate", &fake.faults, &provider, STABLE_VIDEO_DIFFUSION, &request, row).await;
    }
}

/// There is no job: a start that breaks off is retried, as the original client does, because its video is not stored anywhere.
#[tokio::test]
async fn faults_of_hugging_face() {
    let rows: [Row; 21] = [
        ("infer", Fault::RetryAfter(503, "", 0), TRIES - 1, None),
        ("infer", Fault::RetryAfter(503, "", 0), TRIES, Some((Unavailable, "currently loading"))),
        ("infer", Fault::Status(503, "busy"), TRIES - 1, None),
        ("infer", Fault::RetryAfter(429, "rate limit", 0), TRIES - 1, None),
        ("infer", Fault::RetryAfter(429, "rate limit", 0), TRIES, Some((RateLimited, WAIT))),
        ("infer", Fault::Status(500, "oops"), 1, Some((Unavailable, WAIT))),
        ("infer", Fault::Status(401, "who"), 1, Some((Credentials, "check the provider's key"))),
        ("infer", Fault::Status(402, "exceeded your monthly credits"), 1, Some((Quota, "add credit"))),
        ("infer", Fault::Status(404, "no such model"), 1, Some((NotFound, "check the model's name"))),
        ("infer", Fault::Stall, 1, None),
        ("infer", Fault::Stall, TRIES, Some((Unavailable, "no answer in time"))),
        ("infer", Fault::CloseAfterBytes(0), 1, None),
        // Truncated.
        ("infer", Fault::CloseAfterBytes(1000), 1, None),
        ("infer", Fault::CloseAfterBytes(1000), TRIES, Some((Unavailable, "broke off"))),
        ("infer", Fault::ContentFilterAtStart, 1, Some((ContentFilter, FILTER))),
        ("infer", Fault::Failed("flagged as sensitive"), 1, Some((ContentFilter, FILTER))),
        ("infer", Fault::Failed("the pipeline broke"), 1, Some((Failed, "the pipeline broke"))),
        ("infer", Fault::WrongWord("text/html"), 1, Some((Protocol, "the answer's type is \"text/html\""))),
        ("infer", Fault::NotAVideo(b"FAKE"), TRIES - 1, None),
        ("infer", Fault::NotAVideo(b"FAKE"), TRIES, Some((NoResult, "the answer's 4 bytes are no video"))),
        ("infer", LARGE, 1, Some((TooLarge, "ask for a shorter video"))),
    ];
    let fake = HuggingFaceFake::start(KEY).await.unwrap();
    let settings = |timeout| HuggingFaceSettings {
        base_url: fake.server.url(),
        timeout,
        wait: Duration::ZERO,
        ..HuggingFaceSettings::new(KEY.into())
    };
    let provider = both(|timeout| HuggingFace::new(settings(timeout)));
    for row in rows {
        check("hugging face", &fake.faults, &provider, "", &drive::request(), row).await;
    }
}
