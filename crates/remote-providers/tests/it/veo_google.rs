//! Veo at Google through both of its APIs: each form of a result, each kind of error, and where the key goes.

use std::time::Duration;

use remote_fakes::{Fault, GoogleOptions, GoogleResult, Recorded, Reply, Server, VeoGoogleFake, sample_video};
use remote_providers::{
    ErrorKind, GoogleAccess, Provider as _, ProviderError, Shot, Source, Status, VeoGoogle, VeoGoogleSettings, VideoRequest,
};
use serde_json::{Map, Value, json};

use crate::{
    drive::{KEY, check_error, failure, finish, poll_error, start, start_error},
    flow::{self, PACE, patience},
    videos::{jpeg, png, request},
};

fn developer_at(base_url: String) -> VeoGoogle {
    let access = GoogleAccess::Developer { base_url, key: KEY.into() };
    VeoGoogle::new(VeoGoogleSettings { access, timeout: patience(false), pace: PACE, ..VeoGoogleSettings::developer(KEY.into()) }).unwrap()
}

async fn developer(options: GoogleOptions) -> (VeoGoogleFake, VeoGoogle) {
    let fake = VeoGoogleFake::start(GoogleOptions { key: KEY.to_owned(), ..options }).await.unwrap();
    let veo = developer_at(fake.server.url());
    (fake, veo)
}

async fn vertex(storage_uri: Option<&str>) -> (VeoGoogleFake, VeoGoogle) {
    let fake = VeoGoogleFake::start(GoogleOptions { key: KEY.to_owned(), ..GoogleOptions::vertex() }).await.unwrap();
    let veo = vertex_at(fake.server.url(), fake.storage.url(), storage_uri);
    (fake, veo)
}

fn vertex_at(base_url: String, storage_url: String, storage_uri: Option<&str>) -> VeoGoogle {
    let access = GoogleAccess::Vertex {
        base_url: Some(base_url),
        storage_url,
        project: "my-project".to_owned(),
        location: "us-central1".to_owned(),
        token: KEY.into(),
        storage_uri: storage_uri.map(str::to_owned),
    };
    let settings = VeoGoogleSettings::vertex("", "", KEY.into());
    VeoGoogle::new(VeoGoogleSettings { access, timeout: patience(false), pace: PACE, ..settings }).unwrap()
}

/// A server that answers every request with this JSON, and a provider of each API for it.
async fn saying(status: u16, body: Value) -> (Server, VeoGoogle, VeoGoogle) {
    let server = Server::start(move |_| Reply::json(status, &body)).await.unwrap();
    let (developer, vertex) = (developer_at(server.url()), vertex_at(server.url(), server.url(), None));
    (server, developer, vertex)
}

const OPERATION: &str = "models/veo-3.1-generate-preview/operations/op1";
const VERTEX_MODEL: &str = "/v1beta1/projects/my-project/locations/us-central1/publishers/google/models/veo-3.1-generate-001";

fn lines(requests: &[Recorded]) -> Vec<String> {
    requests.iter().map(|request| format!("{} {}", request.method, request.path)).collect()
}

/// Asserts that each request has the key in this header, and nowhere else.
fn assert_key_in(requests: &[Recorded], header: &str, value: &str) {
    for request in requests {
        assert_eq!(request.header(header), Some(value), "{request:?}");
        let elsewhere = request.headers.iter().filter(|(name, value)| name != header && value.contains(KEY)).count();
        let address = format!("{}?{}", request.path, request.query.as_deref().unwrap_or_default());
        assert!(elsewhere == 0 && !address.contains(KEY) && !String::from_utf8_lossy(&request.body).contains(KEY), "{request:?}");
    }
}

#[tokio::test]
async fn the_developer_api_from_start_to_file() {
    let (fake, veo) = developer(GoogleOptions::developer()).await;
    let asked = VideoRequest {
        negative_prompt: Some("rain".to_owned()),
        last_image: Some(jpeg()),
        size: Some((720, 1280)),
        seconds: Some(8),
        ..request()
    };
    assert_eq!(flow::video(&veo, "", &asked, patience(false)).await.unwrap(), sample_video(0));
    let requests = fake.server.requests();
    let poll = "GET /v1beta/models/veo-3.1-generate-preview/operations/op00000001";
    let start = "POST /v1beta/models/veo-3.1-generate-preview:predictLongRunning";
    assert_eq!(lines(&requests), [start, poll, poll, poll, "GET /v1beta/files/op00000001:download"]);
    let image = |image: remote_providers::InputImage| json!({"bytesBase64Encoded": image.base64(), "mimeType": image.format.media_type()});
    let instance = json!({"prompt": "Slow pan across the valley", "image": image(png()), "lastFrame": image(jpeg())});
    let parameters = json!({"sampleCount": 1, "durationSeconds": 8, "aspectRatio": "9:16", "resolution": "720p", "negativePrompt": "rain"});
    assert_eq!(requests[0].json(), json!({"instances": [instance], "parameters": parameters}));
    assert_key_in(&requests, "x-goog-api-key", KEY);
    let stored = fake.storage.requests();
    assert_eq!(stored.len(), 1);
    assert!(stored[0].headers.iter().all(|(_, value)| !value.contains(KEY)), "the redirect led to another origin");
}

#[tokio::test]
async fn a_text_alone_and_a_video_within_the_answer() {
    let (fake, veo) = developer(GoogleOptions { result: GoogleResult::Bytes, ..GoogleOptions::developer() }).await;
    let text = VideoRequest { prompt: "A river".to_owned(), ..VideoRequest::default() };
    let id = start(&veo, "models/veo-3.1-generate-preview", &text).await;
    let (progress, source) = finish(&veo, &id).await;
    assert_eq!(progress, [None, None]);
    assert!(matches!(source, Ok(Source::Bytes(bytes)) if bytes == sample_video(0)));
    assert_eq!(fake.server.requests()[0].json(), json!({"instances": [{"prompt": "A river"}], "parameters": {"sampleCount": 1}}));
}

#[tokio::test]
async fn vertex_with_the_video_within_the_answer() {
    let (fake, veo) = vertex(None).await;
    let options = Map::from_iter([("generateAudio".to_owned(), json!(false)), ("resizeMode".to_owned(), json!("crop"))]);
    let asked = VideoRequest { seed: Some(7), fps: Some(24), options, ..request() };
    assert_eq!(flow::video(&veo, "", &asked, patience(false)).await.unwrap(), sample_video(0));
    let requests = fake.server.requests();
    let poll = format!("POST {VERTEX_MODEL}:fetchPredictOperation");
    assert_eq!(lines(&requests), [format!("POST {VERTEX_MODEL}:predictLongRunning"), poll.clone(), poll.clone(), poll]);
    let parameters = json!({"sampleCount": 1, "durationSeconds": 6, "seed": 7, "fps": 24, "generateAudio": false, "resizeMode": "CROP"});
    assert_eq!(requests[0].json()["parameters"], parameters);
    let operation = format!("{}/operations/op00000001", VERTEX_MODEL.trim_start_matches("/v1beta1/"));
    assert_eq!(requests[1].json(), json!({"operationName": operation}));
    assert_key_in(&requests, "authorization", &format!("Bearer {KEY}"));
}

#[tokio::test]
async fn vertex_with_the_video_in_the_operators_bucket() {
    let (fake, veo) = vertex(Some("gs://my-bucket/videos/")).await;
    assert_eq!(flow::video(&veo, "", &request(), patience(false)).await.unwrap(), sample_video(0));
    assert_eq!(fake.server.requests()[0].json()["parameters"]["storageUri"], "gs://my-bucket/videos/");
    let stored = fake.storage.requests();
    assert_eq!(lines(&stored), ["GET /storage/v1/b/my-bucket/o/videos%2Fop00000001%2Fsample%200.mp4"]);
    assert_eq!(stored[0].query.as_deref(), Some("alt=media"));
    assert_key_in(&stored, "authorization", &format!("Bearer {KEY}"));
}

#[tokio::test]
async fn a_filtered_video_is_a_failure_with_its_reasons() {
    let (fake, veo) = developer(GoogleOptions::developer()).await;
    fake.faults.push("start", Fault::ContentFilterAtEnd);
    let id = start(&veo, "", &request()).await;
    let error = failure(&veo, &id).await;
    assert!(error.kind == ErrorKind::ContentFilter && error.reason.contains("issue with the audio"), "{error}");
    assert!(!error.is_retryable() && !error.may_have_started);

    let video = json!({"uri": "https://generativelanguage.googleapis.com/v1beta/files/x:download?alt=media"});
    let ends = [
        (json!({"raiMediaFilteredCount": 2, "raiMediaFilteredReasons": ["One.", "Two."]}), Some((ErrorKind::ContentFilter, "One. Two."))),
        (json!({"raiMediaFilteredCount": 1}), Some((ErrorKind::ContentFilter, "1 of the videos"))),
        (json!({"raiMediaFilteredCount": 1, "generatedSamples": []}), Some((ErrorKind::ContentFilter, "1 of the videos"))),
        (json!({}), Some((ErrorKind::Failed, "has no video"))),
        (json!({"raiMediaFilteredCount": 0, "videos": []}), Some((ErrorKind::Failed, "has no video"))),
        // Of several videos, a remaining one is the result.
        (json!({"raiMediaFilteredCount": 1, "raiMediaFilteredReasons": ["One."], "generatedSamples": [{"video": video}]}), None),
        (json!({"raiMediaFilteredCount": 1, "videos": [{"gcsUri": "gs://b/o.mp4"}]}), None),
    ];
    for (response, end) in ends {
        for is_nested in [true, false] {
            let response = if is_nested { json!({"generateVideoResponse": response}) } else { response.clone() };
            let body = json!({"name": OPERATION, "done": true, "response": response});
            let (_server, _, veo) = saying(200, body.clone()).await;
            match (finish(&veo, OPERATION).await.1, end) {
                (Err(error), Some((kind, words))) => {
                    assert!(error.kind == kind && error.reason.contains(words), "{body}: {error}");
                    assert_eq!(error.is_retryable(), kind == ErrorKind::Failed, "{body}");
                }
                (Ok(_), None) => {}
                (found, _) => panic!("{body}: {found:?}"),
            }
        }
    }
}

#[tokio::test]
async fn each_status_of_google_rpc_has_its_kind() {
    use ErrorKind::{Credentials, Failed, Forbidden, InvalidRequest, NotFound, RateLimited, Unavailable};
    // (HTTP status, Google's status, gRPC's number, kind, retryable, whether a start may have begun)
    let table = [
        (499, "CANCELLED", 1, Failed, false, true),
        (500, "UNKNOWN", 2, Unavailable, true, true),
        (400, "INVALID_ARGUMENT", 3, InvalidRequest, false, false),
        (504, "DEADLINE_EXCEEDED", 4, Unavailable, true, true),
        (404, "NOT_FOUND", 5, NotFound, false, false),
        (403, "PERMISSION_DENIED", 7, Forbidden, false, false),
        (429, "RESOURCE_EXHAUSTED", 8, RateLimited, true, false),
        (400, "FAILED_PRECONDITION", 9, Forbidden, false, false),
        (501, "UNIMPLEMENTED", 12, NotFound, false, true),
        (500, "INTERNAL", 13, Unavailable, true, true),
        (503, "UNAVAILABLE", 14, Unavailable, true, false),
        (401, "UNAUTHENTICATED", 16, Credentials, false, false),
    ];
    for (code, status, number, kind, retryable, may_have_started) in table {
        let answered = json!({"error": {"code": code, "message": "Google's words.", "status": status}});
        for body in [answered.clone(), json!([answered])] {
            let (_server, developer, vertex) = saying(code, body).await;
            for veo in [developer, vertex] {
                let error = start_error(&veo, "", &request()).await;
                assert_eq!((error.kind, error.is_retryable(), error.may_have_started), (kind, retryable, may_have_started), "{error}");
                assert_eq!((error.reason.as_str(), error.code.as_deref()), ("Google's words.", Some(status)));
                let error = poll_error(&veo, OPERATION).await;
                assert!(error.kind == kind && !error.may_have_started && error.reason.ends_with("Google's words."), "{error}");
            }
        }
        let ended = json!({"name": OPERATION, "done": true, "error": {"code": number, "message": "Google's words."}});
        let (_server, veo, _) = saying(200, ended).await;
        let error = failure(&veo, OPERATION).await;
        assert_eq!((error.kind, error.code.as_deref(), error.may_have_started), (kind, Some(status), false), "{error}");
    }
}

#[tokio::test]
async fn details_of_googles_errors_refine_the_kind() {
    let error_of = |status, error: Value| async move {
        let (_server, veo, _) = saying(status, json!({"error": error})).await;
        start_error(&veo, "", &request()).await
    };
    let info = json!([{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}]);
    let error = error_of(400, json!({"code": 400, "message": "No.", "status": "INVALID_ARGUMENT", "details": info})).await;
    assert_eq!(error.kind, ErrorKind::Credentials);

    let retry = json!({"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "37.5s"});
    let quota = |id: &str| json!({"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [{"quotaId": id}]});
    let exhausted = |id: &str| json!({"code": 429, "message": "Quota.", "status": "RESOURCE_EXHAUSTED", "details": [quota(id), retry]});
    let error = error_of(429, exhausted("VideosPerMinutePerProject")).await;
    assert_eq!((error.kind, error.retry_after), (ErrorKind::RateLimited, Some(Duration::from_millis(37_500))));
    let error = error_of(429, exhausted("VideosPerDayPerProject")).await;
    assert_eq!((error.kind, error.is_retryable()), (ErrorKind::Quota, false));

    for message in [
        "The prompt could not be submitted. It contains words that violate Google's Responsible AI practices.",
        "The input image violates our usage guidelines.",
    ] {
        let error = error_of(400, json!({"code": 400, "message": message, "status": "INVALID_ARGUMENT"})).await;
        assert!(error.kind == ErrorKind::ContentFilter && error.reason == message && !error.may_have_started, "{error}");
    }
    // Proxies answer in another format.
    let server = Server::start(|_| Reply::bytes(502, "text/html", "<h1>Bad Gateway</h1>")).await.unwrap();
    let error = start_error(&developer_at(server.url()), "", &request()).await;
    assert!(error.kind == ErrorKind::Unavailable && error.may_have_started && error.reason == "status 502", "{error}");
}

#[tokio::test]
async fn a_wrong_key_an_unknown_model_and_a_forgotten_job_say_so() {
    let fake = VeoGoogleFake::start(GoogleOptions::developer()).await.unwrap();
    assert_eq!(start_error(&developer_at(fake.server.url()), "", &request()).await.kind, ErrorKind::Credentials);
    let fake = VeoGoogleFake::start(GoogleOptions::vertex()).await.unwrap();
    let veo = vertex_at(fake.server.url(), fake.storage.url(), None);
    assert_eq!(start_error(&veo, "", &request()).await.kind, ErrorKind::Credentials);

    let (_fake, veo) = developer(GoogleOptions::developer()).await;
    let error = start_error(&veo, "veo-9", &request()).await;
    assert!(error.kind == ErrorKind::NotFound && error.reason.contains("models/veo-9 is not found"), "{error}");
    let error = poll_error(&veo, OPERATION).await;
    assert!(error.kind == ErrorKind::NotFound && error.reason.starts_with("the provider does not know the job any more"), "{error}");
}

#[tokio::test]
async fn invalid_operation_names_are_not_requested() {
    for name in
        ["", "op1", "operations", "https://evil.test/operations/x", "models/../operations/x", "models/v/operations/a?b", "a//operations/x"]
    {
        let (server, veo, vertex) = saying(200, json!({"name": name})).await;
        let error = start_error(&veo, "", &request()).await;
        assert!(error.kind == ErrorKind::Protocol && error.may_have_started, "{name}: {error}");
        assert_eq!(poll_error(&vertex, name).await.kind, ErrorKind::Protocol, "{name}");
        assert_eq!(server.requests().len(), 1, "{name}");
    }
    let long = format!("models/v/operations/{}", "x".repeat(2048));
    let (_server, veo, _) = saying(200, json!({"name": long})).await;
    assert_eq!(start_error(&veo, "", &request()).await.kind, ErrorKind::Protocol);
    // An operation of another collection is queried by its own name, on Vertex too.
    let (server, _, vertex) = saying(200, json!({"name": "operations/x"})).await;
    assert!(matches!(vertex.poll("projects/p/locations/l/operations/x").await, Ok(Status::Pending(None))));
    assert_eq!(lines(&server.requests()), ["POST /v1beta1/projects/p/locations/l:fetchPredictOperation"]);
}

#[tokio::test]
async fn only_true_counts_as_done() {
    for done in [json!(null), json!(false), json!("true"), json!(1), json!("finished")] {
        let (_server, veo, _) = saying(200, json!({"name": OPERATION, "done": done})).await;
        assert!(matches!(veo.poll(OPERATION).await, Ok(Status::Pending(None))), "{done}");
    }
    for body in [json!([]), json!("done"), Value::Null] {
        let (_server, veo, _) = saying(200, body.clone()).await;
        assert_eq!(poll_error(&veo, OPERATION).await.kind, ErrorKind::Protocol, "{body}");
    }
}

/// The results of both APIs for a finished operation with this video.
async fn source(video: Value) -> (String, Result<Status, ProviderError>, Result<Status, ProviderError>) {
    let body = json!({"done": true, "response": {"generateVideoResponse": {"generatedSamples": [{"video": video}]}}});
    let (server, developer, vertex) = saying(200, body).await;
    (server.url(), developer.poll(OPERATION).await, vertex.poll(OPERATION).await)
}

#[tokio::test]
async fn the_key_goes_to_the_base_url_and_to_google_only() {
    for address in [
        "https://generativelanguage.googleapis.com/v1beta/files/x:download?alt=media",
        "https://cdn.test/x.mp4",
        "http://storage.googleapis.com/x.mp4",
        "https://googleapis.com.evil.test/x.mp4",
        "https://evilgoogleapis.com/x.mp4",
    ] {
        let (_, status, _) = source(json!({"uri": address})).await;
        let Ok(Status::Finished(Source::Url { url, headers })) = status else { panic!("{address}") };
        let is_google = address.starts_with("https://generativelanguage.googleapis.com/");
        assert_eq!((url.as_str(), headers.len()), (address, usize::from(is_google)));
        assert!(headers.values().all(|value| value.is_sensitive()) && !format!("{headers:?}").contains(KEY));
    }
    for wrong in [json!({"uri": "ftp://x.test/x"}), json!({"uri": "x.mp4"}), json!({"uri": ""}), json!({}), json!({"encodedVideo": "%"})] {
        let (_, developer, vertex) = source(wrong.clone()).await;
        for status in [developer, vertex] {
            let error = status.unwrap_err();
            assert_eq!((error.kind, error.may_have_started), (ErrorKind::Protocol, false), "{wrong}");
        }
    }
    // Only Vertex uses Cloud Storage.
    for (uri, path) in [
        ("gs://b/o.mp4", Some("/storage/v1/b/b/o/o.mp4?alt=media")),
        ("gs://b/a/../c d?e#f.mp4", Some("/storage/v1/b/b/o/a%2F..%2Fc%20d%3Fe%23f.mp4?alt=media")),
        ("gs://b", None),
        ("gs://b/", None),
        ("gs:///o.mp4", None),
        ("gs://../o.mp4", None),
    ] {
        let (origin, developer, vertex) = source(json!({"gcsUri": uri})).await;
        assert_eq!(developer.unwrap_err().kind, ErrorKind::Protocol);
        match (vertex, path) {
            (Ok(Status::Finished(Source::Url { url, headers })), Some(path)) => {
                assert_eq!((url, headers.len()), (format!("{origin}{path}"), 1));
            }
            (Err(error), None) => assert_eq!(error.kind, ErrorKind::Protocol),
            (found, _) => panic!("{uri}: {found:?}"),
        }
    }
}

#[test]
fn unsupported_parameters_are_refused_with_the_limit() {
    let option = |name: &str, value: Value| VideoRequest { options: Map::from_iter([(name.to_owned(), value)]), ..request() };
    let developer = developer_at("https://veo.test".to_owned());
    let vertex = vertex_at("https://veo.test".to_owned(), "https://storage.test".to_owned(), None);
    let both = [
        (VideoRequest::default(), "prompt"),
        (VideoRequest { shots: vec![Shot::default()], ..request() }, "shots"),
        (VideoRequest { image: None, last_image: Some(png()), ..request() }, "last_image"),
        (VideoRequest { seconds: Some(0), ..request() }, "at least 1"),
        (VideoRequest { seconds: Some(11), ..request() }, "at most 10"),
        (VideoRequest { size: Some((512, 512)), ..request() }, "16:9"),
        (VideoRequest { size: Some((0, 0)), ..request() }, "size"),
        (VideoRequest { size: Some((4096, 2304)), ..request() }, "3840x2160"),
        (option("resolution", json!("480p")), "720p, 1080p, 4k"),
        (option("enhancePrompt", json!("yes")), "true or false"),
        (option("sampleCount", json!(4)), "options.sampleCount"),
        (option("storageUri", json!("gs://other/")), "options.storageUri"),
    ];
    for (request, words) in both {
        for veo in [&developer, &vertex] {
            let error = check_error(veo, "", &request);
            assert!(error.reason.contains(words), "{words}: {error}");
        }
    }
    for (request, words) in [
        (VideoRequest { seed: Some(1), ..request() }, "seed: Veo takes seeds on Vertex AI only"),
        (option("generateAudio", json!(true)), "options.generateAudio"),
    ] {
        assert!(check_error(&developer, "", &request).reason.contains(words), "{words}");
        vertex.check("", &request).unwrap();
    }
    assert!(check_error(&vertex, "", &VideoRequest { seed: Some(1 << 32), ..request() }).reason.contains("4294967295"));
    for model in ["a/b", "..", "veo?x", "veo:predict", "vé", "models/", "models/models/veo"] {
        check_error(&developer, model, &request());
    }
    // Ignored, because it changes nothing.
    developer.check("veo-3.0-fast-generate-001", &VideoRequest { fps: Some(30), ..request() }).unwrap();
}

#[tokio::test]
async fn lengths_and_shapes_are_those_that_veo_makes() {
    let (fake, veo) = developer(GoogleOptions::developer()).await;
    let asked = |seconds, size| VideoRequest { seconds: Some(seconds), size: Some(size), ..request() };
    // (request, length, aspect ratio, resolution); this API makes large videos in 8 seconds only.
    let table = [
        (asked(1, (1280, 720)), 4, "16:9", "720p"),
        (asked(4, (720, 1280)), 4, "9:16", "720p"),
        (asked(5, (640, 360)), 6, "16:9", "720p"),
        (asked(7, (1280, 720)), 8, "16:9", "720p"),
        (asked(10, (1280, 720)), 8, "16:9", "720p"),
        (asked(4, (1920, 1080)), 8, "16:9", "1080p"),
        (asked(4, (2160, 3840)), 8, "9:16", "4k"),
        (asked(4, (1792, 1024)), 8, "16:9", "1080p"),
    ];
    for (request, seconds, aspect_ratio, resolution) in table {
        start(&veo, "", &request).await;
        let parameters = &fake.server.requests().last().unwrap().json()["parameters"];
        let expected = json!({"sampleCount": 1, "durationSeconds": seconds, "aspectRatio": aspect_ratio, "resolution": resolution});
        assert_eq!(parameters, &expected);
    }
    let (fake, veo) = vertex(None).await;
    start(&veo, "", &asked(4, (1920, 1080))).await;
    assert_eq!(fake.server.requests()[0].json()["parameters"]["durationSeconds"], 4);
}

#[test]
fn settings_that_cannot_work_are_refused() {
    let developer = |base_url: &str, key: &str| GoogleAccess::Developer { base_url: base_url.to_owned(), key: key.into() };
    let vertex = |project: &str, location: &str, storage_url: &str, storage_uri: Option<&str>| GoogleAccess::Vertex {
        base_url: None,
        storage_url: storage_url.to_owned(),
        project: project.to_owned(),
        location: location.to_owned(),
        token: KEY.into(),
        storage_uri: storage_uri.map(str::to_owned),
    };
    let storage = "https://storage.googleapis.com";
    for access in [
        developer("", KEY),
        developer("https://u:p@veo.test", KEY),
        developer("https://veo.test?key=1", KEY),
        developer("https://veo.test", ""),
        developer("https://veo.test", "line\nbreak"),
        vertex("", "us-central1", storage, None),
        vertex("p/../q", "us-central1", storage, None),
        vertex("p", "evil.test/x", storage, None),
        vertex("p", "us-central1", "storage", None),
        vertex("p", "us-central1", storage, Some("s3://bucket/")),
    ] {
        let settings = VeoGoogleSettings { access, ..VeoGoogleSettings::developer(KEY.into()) };
        assert!(!format!("{settings:?}").contains(KEY));
        let error = VeoGoogle::new(settings).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Settings, "{error}");
        assert!(!error.to_string().contains("u:p"), "{error}");
    }
    for (settings, is_vertex) in
        [(VeoGoogleSettings::developer(KEY.into()), false), (VeoGoogleSettings::vertex("p", "global", KEY.into()), true)]
    {
        let veo = VeoGoogle::new(settings).unwrap();
        assert!(!format!("{veo:?}").contains(KEY));
        assert_eq!((veo.name(), veo.honours_token(), format!("{veo:?}").contains("projects/p/")), ("veo", false, is_vertex));
        assert_eq!((veo.pace().interval, veo.pace().deadline), (Duration::from_secs(10), Duration::from_secs(600)));
    }
}

#[tokio::test]
async fn google_repeats_the_key_and_the_errors_do_not() {
    // Cut at the maximum length, the text would end within the key.
    let long = format!("{} {KEY} is no key", "x".repeat(500));
    for message in [format!("bad key {KEY}"), long, format!("see https://x.test/v.mp4?sig={KEY}")] {
        let (_server, developer, vertex) = saying(400, json!({"error": {"message": message, "status": KEY}})).await;
        let (_other, ended, _) = saying(200, json!({"done": true, "error": {"message": message}})).await;
        let filtered = json!({"done": true, "response": {"raiMediaFilteredReasons": [message]}});
        let (_third, filtered, _) = saying(200, filtered).await;
        let errors = [
            start_error(&developer, "", &request()).await,
            poll_error(&vertex, OPERATION).await,
            failure(&ended, OPERATION).await,
            failure(&filtered, OPERATION).await,
        ];
        for error in errors {
            assert!(!format!("{error:?}").contains(&KEY[..8]), "{error:?}");
        }
    }
}
