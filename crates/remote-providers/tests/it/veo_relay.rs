//! Veo through a relay: each form of a result, each fault, and the form's content.

use std::time::Duration;

use guarded_http::HeaderMap;
use remote_fakes::{Fault, RelayOptions, RelayResult, Reply, Server, VeoRelayFake, multipart, sample_video};
use remote_providers::{ErrorKind, Provider, ProviderError, Source, Started, Status, VeoRelay, VeoRelaySettings, VideoRequest};
use secrecy::SecretString;
use serde_json::{Map, Value, json};

use crate::{
    flow::patience,
    videos::{download, jpeg, png, request, shown},
};

const KEY: &str = "sk-relay-4f1d9c";

fn settings(url: String) -> VeoRelaySettings {
    VeoRelaySettings { base_url: url, ..VeoRelaySettings::new(SecretString::from(KEY)) }
}

async fn relay(options: RelayOptions) -> (VeoRelayFake, VeoRelay) {
    patient_relay(options, false).await
}

async fn patient_relay(options: RelayOptions, stalls: bool) -> (VeoRelayFake, VeoRelay) {
    let fake = VeoRelayFake::start(options).await.unwrap();
    let relay = VeoRelay::new(VeoRelaySettings { timeout: patience(stalls), ..settings(fake.server.url()) }).unwrap();
    (fake, relay)
}

async fn start(relay: &VeoRelay) -> String {
    match relay.start("", &request(), "token").await.unwrap() {
        Started::Pending(id) => id,
        started @ Started::Finished(..) => panic!("{started:?}"),
    }
}

/// Polls until the job finishes.
async fn end(relay: &VeoRelay, id: &str) -> Result<Source, ProviderError> {
    for _ in 0..9 {
        match relay.poll(id).await? {
            Status::Pending(_) => {}
            Status::Finished(source) => return Ok(source),
            Status::Failed(error) => return Err(error),
        }
    }
    panic!("the job has no end");
}

/// A server that answers every request with this JSON.
async fn saying(status: u16, body: Value) -> (Server, VeoRelay) {
    let server = Server::start(move |_| Reply::json(status, &body)).await.unwrap();
    let relay = VeoRelay::new(settings(server.url())).unwrap();
    (server, relay)
}

#[tokio::test]
async fn every_form_of_a_result_leads_to_the_video() {
    let ways = [
        RelayResult::VideoUrl,
        RelayResult::MetadataUrl,
        RelayResult::Redirect(301),
        RelayResult::Redirect(302),
        RelayResult::Redirect(307),
        RelayResult::Json("video_url"),
        RelayResult::Json("url"),
        RelayResult::Bytes,
    ];
    for result in ways {
        for is_unified in [false, true] {
            if is_unified && result == RelayResult::MetadataUrl {
                continue;
            }
            let (fake, relay) = relay(RelayOptions { result, is_unified, ..RelayOptions::default() }).await;
            let id = start(&relay).await;
            assert!(matches!(relay.poll(&id).await.unwrap(), Status::Pending(Some(33))), "{result:?}");
            let got = download(end(&relay, &id).await.unwrap()).await;
            assert_eq!(got, (200, sample_video(0)), "{result:?}");
            // The key stays with the relay: its storage refuses requests with a key.
            assert!(fake.storage.requests().iter().all(|request| request.header("authorization").is_none()));
            assert!(fake.server.requests().iter().all(|request| request.bearer() == Some(KEY)), "{result:?}");
        }
    }
}

#[tokio::test]
async fn a_video_behind_content_is_not_read_to_find_it() {
    let (fake, relay) =
        relay(RelayOptions { result: RelayResult::Bytes, polls: 0, video: sample_video(64 << 20), ..RelayOptions::default() }).await;
    let id = start(&relay).await;
    let Source::Url { url, headers } = end(&relay, &id).await.unwrap() else { panic!("the video was read") };
    assert_eq!(url, format!("{}/v1/videos/{id}/content", fake.server.url()));
    assert_eq!(headers.get("authorization").unwrap(), &format!("Bearer {KEY}"));
    assert!(headers.get("authorization").unwrap().is_sensitive());
}

#[tokio::test]
async fn the_form_contains_the_request() {
    let (fake, relay) = relay(RelayOptions::default()).await;
    let options = Map::from_iter([("enhance_prompt".to_owned(), json!(true)), ("watermark".to_owned(), json!("true"))]);
    let asked = VideoRequest { image: Some(jpeg()), size: Some((720, 1280)), seconds: Some(8), options, ..request() };
    relay.start("veo_3_1-fast", &asked, "token").await.unwrap();
    relay.start("", &VideoRequest { prompt: "A river".to_owned(), ..VideoRequest::default() }, "token").await.unwrap();
    let forms: Vec<_> = fake.server.requests().iter().map(|request| multipart::parts(request).unwrap()).collect();
    let texts = |form: &[multipart::Part]| {
        let mut texts: Vec<_> = form.iter().filter_map(|part| Some(format!("{}={}", part.name, part.text()?))).collect();
        texts.sort();
        texts
    };
    let prompt = "prompt=Slow pan across the valley";
    assert_eq!(texts(&forms[0]), ["enhance_prompt=true", "model=veo_3_1-fast", prompt, "seconds=8", "size=720x1280", "watermark=true"]);
    assert_eq!(texts(&forms[1]), ["model=veo_3_1", "prompt=A river", "size=1920x1080", "watermark=false"]);
    let file = forms[0].iter().find(|part| part.name == "input_reference").unwrap();
    assert_eq!((file.file_name.as_deref(), file.media_type.as_deref()), (Some("image.jpg"), Some("image/jpeg")));
    assert_eq!(file.bytes, jpeg().bytes);
}

#[tokio::test]
async fn an_image_is_uploaded_if_the_operator_wants_it() {
    let fake = VeoRelayFake::start(RelayOptions::default()).await.unwrap();
    let relay = VeoRelay::new(VeoRelaySettings { skip_upload: false, ..settings(fake.server.url()) }).unwrap();
    relay.start("", &request(), "token").await.unwrap();
    let requests = fake.server.requests();
    assert_eq!(requests.iter().map(|request| request.path.as_str()).collect::<Vec<_>>(), ["/upload-image", "/v1/videos"]);
    let reference = multipart::parts(&requests[1]).unwrap().into_iter().find(|part| part.name == "input_reference").unwrap();
    assert_eq!(reference.text(), Some("https://images.example/uploads/1.png"));

    fake.faults.push("upload", Fault::StatusAfter(502, "bad_gateway"));
    let error = relay.start("", &request(), "token").await.unwrap_err();
    assert_eq!((error.kind, error.may_have_started), (ErrorKind::Unavailable, false));
}

#[tokio::test]
async fn every_status_word_is_understood_in_any_case() {
    let pending =
        ["queued", "pending", "submitted", "not_start", "preparing", "unknown", "notstarted", "created", "starting", "processing"];
    let pending = [&pending[..], &["in_progress", "running", "generating", "IN_PROGRESS", "Queued", "polishing", ""]].concat();
    let finished = ["completed", "complete", "success", "succeeded", "finished", "SUCCESS", "Completed"];
    let failed = ["failed", "failure", "fail", "error", "cancelled", "canceled", "FAILURE", "Canceled"];
    for is_unified in [false, true] {
        let (fake, relay) = relay(RelayOptions { polls: 0, is_unified, ..RelayOptions::default() }).await;
        let id = start(&relay).await;
        for word in pending.iter().chain(&finished).chain(&failed) {
            fake.faults.push("get", Fault::WrongWord(word));
            let status = relay.poll(&id).await.unwrap();
            let is_right = match &status {
                Status::Pending(_) => pending.contains(word),
                Status::Finished(_) => finished.contains(word),
                Status::Failed(error) => failed.contains(word) && error.kind == ErrorKind::Failed,
            };
            assert!(is_right, "{word}: {status:?}");
        }
    }
    // The first answer's status may be any of them too.
    for word in ["in_progress", "pending", "completed", "odd"] {
        let (fake, relay) = relay(RelayOptions::default()).await;
        fake.faults.push("start", Fault::WrongWord(word));
        let id = start(&relay).await;
        assert!(end(&relay, &id).await.is_ok(), "{word}");
    }
}

#[tokio::test]
async fn every_failure_has_its_kind_and_advice() {
    use ErrorKind::{ContentFilter, Credentials, Failed, InvalidRequest, NotFound, Quota, RateLimited, Unavailable};
    // (fault of the start, kind, retryable, may have started, a part of the message)
    let at_start = [
        (Fault::RetryAfter(429, "RATE_LIMIT_EXCEEDED", 7), RateLimited, true, false, "slow down"),
        (Fault::Status(429, "too_many"), RateLimited, true, false, "too_many"),
        (Fault::Status(500, "upstream"), Unavailable, true, true, "the relay cannot do this now"),
        (Fault::Status(503, "SERVICE_UNAVAILABLE"), Unavailable, true, false, "try again later"),
        (Fault::StatusAfter(502, "bad_gateway"), Unavailable, true, true, "the relay lost the answer"),
        (Fault::StatusAfter(524, "cloudflare"), Unavailable, true, true, "try again later"),
        (Fault::Status(301, "moved"), ErrorKind::Protocol, false, false, "redirects to another address (status 301)"),
        (Fault::Stall, Unavailable, true, true, "no answer in time"),
        (Fault::CloseAfterBytes(0), Unavailable, true, true, "broke off"),
        (Fault::CloseAfterBytes(9), Unavailable, true, true, "broke off"),
        (Fault::ContentFilterAtStart, ContentFilter, false, false, "change the prompt or the image"),
        (Fault::Status(400, "INVALID_PROMPT"), InvalidRequest, false, false, "change the request"),
        (Fault::Status(500, "CONTENT_POLICY_VIOLATION"), ContentFilter, false, false, "change the prompt or the image"),
        (Fault::Status(401, "invalid_token"), Credentials, false, false, "check the provider's key"),
        (Fault::Status(402, "unpaid"), Quota, false, false, "add credit"),
        (Fault::Status(403, "insufficient_user_quota"), Quota, false, false, "add credit"),
        (Fault::Status(404, "model_not_found"), NotFound, false, false, "check the model's name"),
    ];
    for (fault, kind, retryable, may_have_started, word) in at_start {
        let (fake, relay) = patient_relay(RelayOptions::default(), fault == Fault::Stall).await;
        fake.faults.push("start", fault.clone());
        let error = relay.start("", &request(), "token").await.unwrap_err();
        assert!(shown(&error, KEY).contains(word), "{fault:?}: {error}");
        assert_eq!((error.kind, error.is_retryable(), error.may_have_started), (kind, retryable, may_have_started), "{fault:?}");
        assert_eq!(error.retry_after, matches!(fault, Fault::RetryAfter(..)).then_some(Duration::from_secs(7)), "{fault:?}");
        assert!(fake.faults.all_taken());
    }
    let at_end = [
        (Fault::ContentFilterAtEnd, ContentFilter, false),
        (Fault::Failed("Content policy violation"), ContentFilter, false),
        (Fault::Failed("NSFW_CONTENT_DETECTED in the image"), ContentFilter, false),
        (Fault::Failed("COPYRIGHT_VIOLATION"), ContentFilter, false),
        (Fault::Failed("PUBLIC_ERROR_AUDIO_FILTERED"), ContentFilter, false),
        (Fault::Failed("Audio filtered"), ContentFilter, false),
        (Fault::Failed("INVALID_INPUT: the image is too small"), InvalidRequest, false),
        (Fault::Failed("INTERNAL_ERROR"), Unavailable, true),
        (Fault::Failed("Service temporarily unavailable"), Unavailable, true),
        (Fault::Failed("TIMEOUT"), Unavailable, true),
        (Fault::Failed("RATE_LIMIT_EXCEEDED"), RateLimited, true),
        (Fault::Failed("INSUFFICIENT_QUOTA"), Quota, true),
        (Fault::Failed("the moon is in the wrong house"), Failed, true),
    ];
    for is_unified in [false, true] {
        for (fault, kind, retryable) in at_end.clone() {
            let (fake, relay) = relay(RelayOptions { is_unified, ..RelayOptions::default() }).await;
            fake.faults.push("start", fault.clone());
            let id = start(&relay).await;
            let error = end(&relay, &id).await.unwrap_err();
            let text = shown(&error, KEY);
            assert_eq!((error.kind, error.is_retryable()), (kind, retryable), "{fault:?}: {text}");
            if let Fault::Failed(message) = fault {
                assert!(text.contains(message), "{text}");
            }
        }
    }
}

#[tokio::test]
async fn a_failed_poll_starts_nothing() {
    for operation in ["get", "content"] {
        let faults = [
            (Fault::RetryAfter(429, "RATE_LIMIT_EXCEEDED", 3), ErrorKind::RateLimited),
            (Fault::Status(500, "upstream"), ErrorKind::Unavailable),
            (Fault::Stall, ErrorKind::Unavailable),
            (Fault::CloseAfterBytes(0), ErrorKind::Unavailable),
        ];
        for (fault, kind) in faults {
            let options = RelayOptions { polls: 0, result: RelayResult::Redirect(302), ..RelayOptions::default() };
            let (fake, relay) = patient_relay(options, fault == Fault::Stall).await;
            let id = start(&relay).await;
            fake.faults.push(operation, fault.clone());
            let error = relay.poll(&id).await.unwrap_err();
            shown(&error, KEY);
            assert_eq!((error.kind, error.is_retryable(), error.may_have_started), (kind, true, false), "{operation} {fault:?}");
            assert_eq!(download(end(&relay, &id).await.unwrap()).await.0, 200);
        }
    }
    let (_fake, relay) = relay(RelayOptions::default()).await;
    assert_eq!(relay.poll("video_none").await.unwrap_err().kind, ErrorKind::NotFound);
}

#[tokio::test]
async fn storage_faults_are_left_to_the_download() {
    let (fake, relay) = relay(RelayOptions::default()).await;
    let id = start(&relay).await;
    let Source::Url { url, headers } = end(&relay, &id).await.unwrap() else { panic!("no address") };
    let again = || Source::Url { url: url.clone(), headers: headers.clone() };
    assert_eq!(headers, HeaderMap::new());
    fake.faults.push("download", Fault::TooLarge(1 << 20));
    assert_eq!(download(again()).await.1.len(), 1 << 20);
    fake.faults.push("download", Fault::NotAVideo(b"<html>"));
    assert_eq!(download(again()).await.1, b"<html>");
    fake.clock.advance(Duration::from_secs(3601));
    assert_eq!(download(again()).await.0, 403);
    // Another poll returns a new link.
    assert_eq!(download(end(&relay, &id).await.unwrap()).await.0, 200);
}

#[tokio::test]
async fn missing_content_is_a_missing_result() {
    let server = Server::start(|request| match request.path.as_str() {
        "/v1/videos/v/content" => Reply::json(404, &json!({"error": {"message": "gone", "type": "x"}})),
        _ => Reply::json(200, &json!({"id": "v", "status": "completed"})),
    });
    let server = server.await.unwrap();
    let relay = VeoRelay::new(settings(server.url())).unwrap();
    let error = relay.poll("v").await.unwrap_err();
    assert_eq!((error.kind, error.is_retryable()), (ErrorKind::Result, true), "{error}");
}

#[tokio::test]
async fn ids_are_escaped_and_dots_are_refused() {
    let (server, relay) = saying(200, json!({"status": "queued"})).await;
    relay.poll("a/../b?c=d#e%2F ü").await.unwrap();
    assert_eq!(server.requests()[0].path, "/v1/videos/a%2F..%2Fb%3Fc=d%23e%252F%20%C3%BC");
    for id in ["", ".", ".."] {
        assert_eq!(relay.poll(id).await.unwrap_err().kind, ErrorKind::Protocol);
    }
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn every_form_of_a_start_is_read() {
    let good = [
        json!({"id": "v1", "status": "queued"}),
        json!({"task_id": "v1", "status": "submitted"}),
        json!({"code": "success", "message": "", "data": "v1"}),
        json!({"code": "success", "data": {"id": 9, "task_id": "v1", "status": "NOT_START"}}),
        json!({"id": "v1"}),
        json!({"id": "v1", "status": "processing", "error": null, "code": 200}),
    ];
    for body in good {
        let (_server, relay) = saying(200, body.clone()).await;
        assert!(matches!(relay.start("", &request(), "t").await, Ok(Started::Pending(id)) if id == "v1"), "{body}");
    }
    let bad = [
        (json!({"status": "queued"}), ErrorKind::Protocol, true),
        (json!({"id": "..", "status": "queued"}), ErrorKind::Protocol, true),
        (json!("v1"), ErrorKind::Protocol, true),
        (json!({"code": "fail_to_fetch_task", "message": "Audio filtered", "data": null}), ErrorKind::ContentFilter, false),
        (json!({"error": {"code": "insufficient_quota", "message": "no money"}}), ErrorKind::Quota, false),
        (json!({"id": "v1", "status": "failed", "error": "no"}), ErrorKind::Failed, false),
    ];
    for (body, kind, may_have_started) in bad {
        let (_server, relay) = saying(200, body.clone()).await;
        let error = relay.start("", &request(), "t").await.unwrap_err();
        assert_eq!((error.kind, error.may_have_started), (kind, may_have_started), "{body}");
    }
    let (_server, relay) = saying(200, json!({"id": "v1", "status": "completed", "video_url": "https://cdn.example/v.mp4"})).await;
    assert!(matches!(relay.start("", &request(), "t").await.unwrap(), Started::Finished(id, Source::Url { url, .. })
        if id == "v1" && url == "https://cdn.example/v.mp4"));
}

#[tokio::test]
async fn the_key_goes_to_the_relay_only() {
    let at = |body: Value| async move {
        let (server, relay) = saying(200, body).await;
        (server.url(), relay.poll("v").await)
    };
    let (_, status) = at(json!({"status": "completed", "url": "https://cdn.example/v.mp4?sig=1"})).await;
    assert!(matches!(status.unwrap(), Status::Finished(Source::Url { headers, .. }) if headers.is_empty()));
    let (origin, status) = at(json!({"status": "completed", "data": {"output": [{"url": "/v1/videos/v/content"}]}})).await;
    let Status::Finished(Source::Url { url, headers }) = status.unwrap() else { panic!("not finished") };
    assert_eq!((url, headers.len()), (format!("{origin}/v1/videos/v/content"), 1));
    let (_, status) = at(json!({"status": "SUCCESS", "fail_reason": "data:video/mp4;base64,AAAA"})).await;
    assert!(matches!(status.unwrap(), Status::Finished(Source::Bytes(bytes)) if bytes == [0, 0, 0]));
    for wrong in ["ftp://cdn.example/v.mp4", "file:///etc/passwd", "v.mp4", "data:video/mp4,plain"] {
        let (_, status) = at(json!({"status": "completed", "url": wrong})).await;
        assert_eq!(status.unwrap_err().kind, ErrorKind::Protocol, "{wrong}");
    }
}

#[tokio::test]
async fn no_secret_is_ever_shown() {
    let (_server, relay) = saying(400, json!({"error": {"message": format!("bad key {KEY}"), "code": KEY}})).await;
    shown(&relay.start("", &request(), "t").await.unwrap_err(), KEY);
    shown(&relay.poll("v").await.unwrap_err(), KEY);
    let (_server, failing) = saying(200, json!({"status": "failed", "error": format!("refused {KEY}")})).await;
    let Status::Failed(error) = failing.poll("v").await.unwrap() else { panic!("not failed") };
    shown(&error, KEY);
    let settings = settings("https://relay.example".to_owned());
    for text in [format!("{relay:?}"), format!("{settings:?}")] {
        assert!(!text.contains(KEY), "{text}");
    }
}

#[test]
fn settings_that_cannot_work_are_refused() {
    let base_urls = ["", "relay.example", "ftp://relay.example", "https://u:p@relay.example", "https://relay.example?key=1"];
    for base_url in base_urls {
        let error = VeoRelay::new(settings(base_url.to_owned())).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Settings, "{base_url}");
    }
    for key in ["", "line\nbreak"] {
        let settings = VeoRelaySettings { key: SecretString::from(key), ..settings("https://relay.example".to_owned()) };
        assert_eq!(VeoRelay::new(settings).unwrap_err().kind, ErrorKind::Settings, "{key:?}");
    }
    let relay = VeoRelay::new(VeoRelaySettings::new(SecretString::from(KEY))).unwrap();
    assert_eq!((relay.name(), relay.honours_token()), ("veo", false));
    assert_eq!((relay.pace().interval, relay.pace().deadline), (Duration::from_secs(5), Duration::from_secs(600)));
}

#[test]
fn requests_that_the_form_has_no_field_for_are_refused() {
    let relay = VeoRelay::new(settings("https://relay.example".to_owned())).unwrap();
    let option = |name: &str, value: Value| Map::from_iter([(name.to_owned(), value)]);
    let refused = [
        ("prompt", VideoRequest::default()),
        ("shots", VideoRequest { shots: vec![remote_providers::Shot::default()], ..request() }),
        ("last_image", VideoRequest { last_image: Some(png()), ..request() }),
        ("negative_prompt", VideoRequest { negative_prompt: Some("rain".to_owned()), ..request() }),
        ("seed", VideoRequest { seed: Some(1), ..request() }),
        ("seconds", VideoRequest { seconds: Some(0), ..request() }),
        ("size", VideoRequest { size: Some((0, 720)), ..request() }),
        ("options.model", VideoRequest { options: option("model", json!("other")), ..request() }),
        ("options.style", VideoRequest { options: option("style", json!({"a": 1})), ..request() }),
    ];
    for (field, request) in refused {
        let error = relay.check("", &request).unwrap_err();
        assert_eq!(error.kind, ErrorKind::InvalidRequest);
        assert!(error.reason.starts_with(field), "{field}: {error}");
    }
    relay.check("", &request()).unwrap();
    relay.check("", &VideoRequest { prompt: String::new(), fps: Some(30), options: option("style", json!("news")), ..request() }).unwrap();
}
