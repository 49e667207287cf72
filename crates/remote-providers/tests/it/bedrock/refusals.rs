//! Requests that Nova Reel and Bedrock refuse are refused locally first, or explained: each error names its field, its value and the limit.

use remote_fakes::aws::Account;
use remote_providers::{AwsKeys, Bedrock, BedrockSettings, ErrorKind, Provider as _, Shot, VideoRequest};
use secrecy::SecretString;
use serde_json::{Map, Value, json};
use std::time::Duration;

use super::{World, checked_all, fresh, images, text};
use crate::drive::check_error;

fn options(options: Value) -> VideoRequest {
    let options: Map<String, Value> = serde_json::from_value(options).unwrap();
    VideoRequest { options, ..text() }
}

fn shots(count: usize) -> VideoRequest {
    let shots = (0..count).map(|index| Shot { text: format!("shot {index}"), image: None }).collect();
    VideoRequest { shots, ..VideoRequest::default() }
}

fn prompt(characters: usize) -> String {
    "\u{96ea}".repeat(characters)
}

#[tokio::test]
async fn a_request_that_nova_reel_refuses_is_not_sent() {
    let world = World::new().await;
    let provider = world.provider().await;
    let task = |name: &str| options(json!({"taskType": name}));
    let table = [
        (VideoRequest { prompt: String::new(), ..text() }, ["prompt", "1 to 512"]),
        (VideoRequest { prompt: prompt(513), ..task("TEXT_VIDEO") }, ["513", "512"]),
        (VideoRequest { prompt: prompt(4001), ..text() }, ["4001", "4000"]),
        (VideoRequest { seconds: Some(7), ..text() }, ["seconds is 7", "multiple of 6 from 12 to 120"]),
        (VideoRequest { seconds: Some(126), ..text() }, ["seconds is 126", "120"]),
        (VideoRequest { seconds: Some(6), ..task("MULTI_SHOT_AUTOMATED") }, ["seconds is 6", "12"]),
        (VideoRequest { seconds: Some(12), ..task("TEXT_VIDEO") }, ["seconds is 12", "6"]),
        (VideoRequest { seconds: Some(0), ..text() }, ["seconds is 0", "6"]),
        (VideoRequest { fps: Some(30), ..text() }, ["fps is 30", "24"]),
        (VideoRequest { size: Some((1920, 1080)), ..text() }, ["1920x1080", "1280x720"]),
        (VideoRequest { seed: Some(2_147_483_647), ..text() }, ["2147483647", "2147483646"]),
        (VideoRequest { negative_prompt: Some("people".to_owned()), ..text() }, ["negative_prompt", "none"]),
        (VideoRequest { last_image: Some(images::frame()), ..text() }, ["last_image", "first frame"]),
        (VideoRequest { image: Some(images::frame()), seconds: Some(12), ..text() }, ["image", "MULTI_SHOT_AUTOMATED"]),
        (VideoRequest { image: Some(images::frame()), ..shots(2) }, ["image", "each shot"]),
        (VideoRequest { prompt: "a fox".to_owned(), ..shots(2) }, ["prompt", "shots"]),
        (VideoRequest { seconds: Some(18), ..shots(2) }, ["seconds is 18", "12"]),
        (shots(1), ["1", "2 to 20"]),
        (shots(21), ["21", "2 to 20"]),
        (VideoRequest { shots: shots(2).shots, ..task("TEXT_VIDEO") }, ["shots", "TEXT_VIDEO"]),
        (task("MULTI_SHOT_MANUAL"), ["0", "2 to 20"]),
        (task("VIDEO_TEXT"), ["VIDEO_TEXT", "TEXT_VIDEO"]),
        (options(json!({"taskType": 1})), ["taskType is 1", "TEXT_VIDEO"]),
        (options(json!({"cfgScale": 7})), ["cfgScale", "taskType"]),
    ];
    for (request, words) in table {
        let error = check_error(&provider, "", &request);
        assert!(words.iter().all(|words| error.reason.contains(words)), "{words:?}: {error}");
        // A start refuses it too, and neither sends a request.
        assert_eq!(provider.start("", &request, "job-1").await.unwrap_err(), error);
    }
    let mut long = shots(2);
    long.shots[1].text = prompt(513);
    assert!(check_error(&provider, "", &long).reason.contains("shots[1].text has 513 characters"));
    long.shots[1] = Shot { text: String::new(), image: None };
    assert!(check_error(&provider, "", &long).reason.contains("shots[1].text is empty"));
    let error = check_error(&provider, "nova-canvas", &text());
    assert!(error.reason.contains("\"nova-canvas\"") && error.reason.contains("nova-reel"), "{error}");
    assert!(world.bedrock.requests().is_empty());

    // The limits themselves are accepted; they count characters, as Amazon does.
    for request in [
        VideoRequest { prompt: prompt(512), seed: Some(2_147_483_646), ..text() },
        VideoRequest { prompt: prompt(4000), seconds: Some(12), ..text() },
        shots(20),
    ] {
        world.run(&provider, &request, fresh(&format!("job-{}", request.prompt.len()))).await.unwrap();
    }
    assert_eq!(world.bedrock.begun(), 3);
}

#[tokio::test]
async fn version_one_makes_one_shot_only() {
    let world = World::new().await;
    let models = [("nova-reel".to_owned(), "amazon.nova-reel-v1:0".to_owned())].into();
    let provider = Bedrock::connect(BedrockSettings { models, ..world.settings() }).await.unwrap();
    for request in [shots(2), VideoRequest { seconds: Some(12), ..text() }] {
        let error = check_error(&provider, "", &request);
        assert!(error.reason.contains("amazon.nova-reel-v1:0") && error.reason.contains("one shot of 6 seconds"), "{error}");
    }
    world.run(&provider, &text(), fresh("job-1")).await.unwrap();
}

/// Asserts that a run with these settings is refused, and that its error names the cause.
async fn refused(world: &World, settings: BedrockSettings, kind: ErrorKind, code: &str, words: &str) {
    let provider = Bedrock::connect(settings).await.unwrap();
    let error = world.run(&provider, &text(), fresh("job-1")).await.unwrap_err();
    assert_eq!((error.kind, error.code.as_deref()), (kind, Some(code)), "{error}");
    assert!(error.reason.contains(words), "{words}: {error}");
    assert!(!error.may_have_started && !error.is_retryable());
    assert_eq!((world.starts().len(), world.bedrock.begun()), (1, 0));
}

#[tokio::test]
async fn wrong_settings_are_named_by_the_error() {
    let account = Account::default();
    let with_keys = |access: &str, secret: &str, token: Option<&str>| {
        Some(AwsKeys {
            access_key_id: access.to_owned(),
            secret_access_key: SecretString::from(secret),
            session_token: token.map(SecretString::from),
        })
    };
    let (access, secret) = (account.access_key.as_str(), account.secret_key.as_str());

    let world = World::new().await;
    let settings = BedrockSettings { keys: with_keys(access, "another-secret", None), ..world.settings() };
    refused(&world, settings, ErrorKind::Credentials, "InvalidSignatureException", "signature").await;

    let world = World::new().await;
    let settings = BedrockSettings { keys: with_keys("AKIDANOTHER", secret, None), ..world.settings() };
    refused(&world, settings, ErrorKind::Credentials, "UnrecognizedClientException", "security token").await;

    let world = World::new().await;
    let settings = BedrockSettings { keys: with_keys(access, secret, Some("a-session-token")), ..world.settings() };
    refused(&world, settings, ErrorKind::Credentials, "UnrecognizedClientException", "security token").await;

    let world = World::new().await;
    let settings = BedrockSettings { region: Some("eu-west-1".to_owned()), ..world.settings() };
    refused(&world, settings, ErrorKind::Credentials, "InvalidSignatureException", "not 'eu-west-1'").await;

    let world = World::new().await;
    let models = [("nova-reel".to_owned(), "amazon.nova-real-v1:1".to_owned())].into();
    let settings = BedrockSettings { models, ..world.settings() };
    refused(&world, settings, ErrorKind::NotFound, "ValidationException", "model identifier").await;

    let world = World::new().await;
    let settings = BedrockSettings { bucket: "another-bucket".to_owned(), ..world.settings() };
    refused(&world, settings, ErrorKind::Settings, "ValidationException", "Output Config").await;

    // An invalid bucket name is found locally, or else by Amazon.
    let world = World::new().await;
    for bucket in ["Videos", "ab", "under_score", "s3://videos", ""] {
        let error = Bedrock::connect(BedrockSettings { bucket: bucket.to_owned(), ..world.settings() }).await.unwrap_err();
        assert!(error.kind == ErrorKind::Settings && error.reason.contains(&format!("{bucket:?}")), "{error}");
    }
    let settings = BedrockSettings { bucket: "-videos-".to_owned(), ..world.settings() };
    refused(&world, settings, ErrorKind::Settings, "ValidationException", "s3Uri").await;
}

#[tokio::test]
async fn a_wrong_clock_is_named() {
    let world = World::new().await;
    world.bedrock.clock.advance(Duration::from_secs(3600));
    refused(&world, world.settings(), ErrorKind::Credentials, "InvalidSignatureException", "Signature expired").await;
    let world = World::new().await;
    world.bedrock.clock.turn_back(Duration::from_secs(3600));
    refused(&world, world.settings(), ErrorKind::Credentials, "InvalidSignatureException", "not yet current").await;
}

#[tokio::test]
async fn settings_that_cannot_work_are_refused_at_once() {
    let world = World::new().await;
    let of = |settings: BedrockSettings| async { checked_all(Bedrock::connect(settings).await.unwrap_err()) };
    let table = [
        (BedrockSettings { default_model: "reel".to_owned(), ..world.settings() }, "\"reel\""),
        (BedrockSettings { endpoint: Some("bedrock.example".to_owned()), ..world.settings() }, "the endpoint is no http or https address"),
        (BedrockSettings { s3_endpoint: Some("ftp://u:k-5f1d9c-secret@h".to_owned()), ..world.settings() }, "the S3 endpoint is no http"),
    ];
    for (settings, words) in table {
        let error = of(settings).await;
        assert!(error.kind == ErrorKind::Settings && error.reason.contains(words), "{words}: {error}");
    }
}

#[tokio::test]
async fn a_bearer_token_wins_over_keys_and_is_not_sent_over_plain_http() {
    let account = Account { bearer: Some("a-bearer-token".to_owned()), ..Account::default() };
    let world = World::with(account.clone()).await;
    let bearer = || Some(SecretString::from("a-bearer-token"));
    let error = Bedrock::connect(BedrockSettings { bearer_token: bearer(), ..world.settings() }).await.unwrap_err();
    let error = checked_all(error);
    assert_eq!(error.kind, ErrorKind::Settings);
    for words in ["AWS_BEARER_TOKEN_BEDROCK", "plain-http", "https"] {
        assert!(error.reason.contains(words), "{error}");
    }
    let loud = BedrockSettings { bearer_token: bearer(), endpoint: Some(" HTTP://127.0.0.1:1".to_owned()), ..world.settings() };
    assert_eq!(Bedrock::connect(loud).await.unwrap_err().kind, ErrorKind::Settings);
    assert!(world.bedrock.requests().is_empty());

    // Over https it is used although keys are set; over http only if the operator allows it.
    let safe = BedrockSettings { bearer_token: bearer(), endpoint: Some("https://127.0.0.1:1".to_owned()), ..world.settings() };
    Bedrock::connect(safe).await.unwrap();
    let open = BedrockSettings { bearer_token: bearer(), bearer_over_http: true, ..world.settings() };
    let provider = Bedrock::connect(open).await.unwrap();
    let finished = world.run(&provider, &text(), fresh("job-1")).await.unwrap();
    assert!(world.bedrock.requests().iter().all(|request| request.bearer() == Some("a-bearer-token")));
    let file = tempfile::NamedTempFile::new().unwrap();
    super::fetch(finished, &remote_providers::DownloadLimits::default(), file.path()).await.unwrap();
    assert!(world.s3.requests().iter().all(|request| request.header("authorization").is_none()));

    // A blank token counts as none.
    let blank = BedrockSettings { bearer_token: Some(SecretString::from(" ")), ..world.settings() };
    world.run(&Bedrock::connect(blank).await.unwrap(), &text(), fresh("job-2")).await.unwrap();
    assert!(world.starts().last().unwrap().header("authorization").unwrap().starts_with("AWS4-HMAC-SHA256 "));

    // A token that Bedrock does not know.
    let wrong = BedrockSettings { bearer_token: Some(SecretString::from("another")), bearer_over_http: true, ..world.settings() };
    let error = world.run(&Bedrock::connect(wrong).await.unwrap(), &text(), fresh("job-3")).await.unwrap_err();
    assert_eq!((error.kind, error.code.as_deref()), (ErrorKind::Credentials, Some("AccessDeniedException")), "{error}");
}
