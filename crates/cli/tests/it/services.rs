//! The four documented APIs end to end: keys and addresses from their documents' own variables, with fake providers, and the same requests
//! without keys on the embedded models.

use std::{
    io::{BufRead as _, BufReader},
    sync::LazyLock,
    time::{Duration, Instant},
};

use image::{Rgb, RgbImage};
use remote_fakes::{
    HuggingFaceFake, PikaWebFake, RelayOptions, ReplicateFake, Reply, Server, VeoRelayFake, aws::Account, bedrock::Bedrock, s3::S3,
    sample_video,
};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::served::{Killed, Served};

/// Only against a test that never ends: a video of 720p takes one and a half minutes on a slow machine, and many times that on a busy one.
const PATIENCE: Duration = Duration::from_secs(1800);
const BUCKET: &str = "videos-of-tests";
/// A captioner whose captions mean nothing.
const CAPTIONER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../diffusion-core/tests/golden/blip/model");

const ACCESS_KEY: &str = "AKIAQ7SECRETKEYID01A";
const SECRET_KEY: &str = "zZ9secretAwsKey/zZ9secretAwsKey+zZ9secre";
const SESSION: &str = "IQoJsecretSessionTokenOfAws";
const RELAY: &str = "sk-relay-secret-4f1d9c";
const PIKA: &str = "pika-secret-token-77aa";
const REPLICATE: &str = "r8_secretReplicateToken123";
const HUGGING_FACE: &str = "hf_secretHuggingFaceToken456";
const GAME: &str = "game-secret-key-88bb";
/// The server's own key.
pub(crate) const SERVER_KEY: &str = "alices-secret-key-of-this-server";

/// The program's secrets; nothing else may reveal them.
pub(crate) const SECRETS: [&str; 9] = [ACCESS_KEY, SECRET_KEY, SESSION, RELAY, PIKA, REPLICATE, HUGGING_FACE, GAME, SERVER_KEY];

/// The video that the fakes return: 12 frames of 64x48.
static VIDEO: LazyLock<Vec<u8>> = LazyLock::new(|| sample_video(0));

/// The fakes, on their own threads.
pub(crate) struct Fakes {
    pub(crate) s3: S3,
    pub(crate) bedrock: Bedrock,
    pub(crate) relay: VeoRelayFake,
    pub(crate) pika: PikaWebFake,
    pub(crate) replicate: ReplicateFake,
    pub(crate) hugging_face: HuggingFaceFake,
    pub(crate) images: Server,
    pub(crate) game: Server,
    _runtime: Runtime,
}

impl Fakes {
    pub(crate) fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let account = Account {
            access_key: ACCESS_KEY.into(),
            secret_key: SECRET_KEY.into(),
            session_token: Some(SESSION.into()),
            ..Account::default()
        };
        let mut png = std::io::Cursor::new(Vec::new());
        RgbImage::from_fn(96, 54, |x, y| Rgb([x as u8 * 2, y as u8 * 3, 40])).write_to(&mut png, image::ImageFormat::Png).unwrap();
        let png = png.into_inner();
        let fakes = runtime.block_on(async {
            let s3 = S3::start(account.clone(), &[BUCKET]).await.unwrap();
            let relay = RelayOptions { key: RELAY.into(), ..RelayOptions::default() };
            (
                Bedrock::start(account, &s3).await.unwrap(),
                s3,
                VeoRelayFake::start(relay).await.unwrap(),
                PikaWebFake::start(PIKA).await.unwrap(),
                ReplicateFake::start(REPLICATE).await.unwrap(),
                HuggingFaceFake::start(HUGGING_FACE).await.unwrap(),
                Server::start(move |_| Reply::bytes(200, "image/png", png.clone())).await.unwrap(),
                Server::start(|_| Reply::empty(200)).await.unwrap(),
            )
        });
        let (bedrock, s3, relay, pika, replicate, hugging_face, images, game) = fakes;
        Self { s3, bedrock, relay, pika, replicate, hugging_face, images, game, _runtime: runtime }
    }

    pub(crate) fn image_url(&self) -> String {
        format!("{}/image.png", self.images.url())
    }

    /// Waits for the first callback and returns its body.
    fn called_back(&self) -> Value {
        let first = || self.game.requests().first().map(|callback| callback.json()).unwrap_or_default();
        until(first, |answer| answer["data"].is_object())
    }

    /// The documents' variables, and shorter intervals for tests.
    pub(crate) fn variables(&self) -> Vec<(&'static str, String)> {
        let host = |url: &str| url.strip_prefix("http://").unwrap().to_owned();
        let allowed = [host(&self.images.url()), host(&self.relay.storage.url())].join(",");
        [
            ("AWS_ACCESS_KEY_ID", ACCESS_KEY.to_owned()),
            ("AWS_SECRET_ACCESS_KEY", SECRET_KEY.to_owned()),
            ("AWS_SESSION_TOKEN", SESSION.to_owned()),
            ("AWS_REGION", "us-east-1".to_owned()),
            ("S3_BUCKET_NAME", BUCKET.to_owned()),
            ("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", self.bedrock.url()),
            ("AWS_ENDPOINT_URL_S3", self.s3.url()),
            ("VEO3_API_KEY", RELAY.to_owned()),
            ("VEO3_BASE_URL", self.relay.server.url()),
            ("VEO3_ENDPOINT", "/v1/videos".to_owned()),
            ("VEO3_MODEL", "veo_3_1".to_owned()),
            ("VEO3_SKIP_UPLOAD", "true".to_owned()),
            ("VIDEO_GENERATION_MAX_RETRIES", "3".to_owned()),
            ("VIDEO_GENERATION_RETRY_DELAY", "0.05".to_owned()),
            ("VIDEO_GENERATION_RETRY_BACKOFF", "1.5".to_owned()),
            ("VIDEO_MAX_CONCURRENT", "2".to_owned()),
            ("PIKAPI_BEARER_TOKEN", PIKA.to_owned()),
            ("PIKAPI_BASE_URL", self.pika.base_url()),
            ("INITIAL_WAIT_TIME", "0.1".to_owned()),
            ("MAX_CHECK_TIME", "60".to_owned()),
            ("REPLICATE_API_TOKEN", REPLICATE.to_owned()),
            ("REPLICATE_BASE_URL", self.replicate.server.url()),
            ("GAME_API_KEY", GAME.to_owned()),
            ("CALLBACK_API_URL", format!("{}/requests", self.game.url())),
            ("HF_TOKEN", HUGGING_FACE.to_owned()),
            ("FRAMEWRIGHT__HUB__OFFLINE", "true".to_owned()),
            ("FRAMEWRIGHT__PROVIDERS__HUGGINGFACE__BASE_URL", self.hugging_face.server.url()),
            ("FRAMEWRIGHT__ROUTING__CHARACTERS", "auto".to_owned()),
            ("FRAMEWRIGHT__PROVIDERS__BEDROCK__POLL_SECONDS", "0.1".to_owned()),
            ("FRAMEWRIGHT__PROVIDERS__VEO__POLL_SECONDS", "0.1".to_owned()),
            ("FRAMEWRIGHT__PROVIDERS__PIKA__POLL_SECONDS", "0.1".to_owned()),
            ("FRAMEWRIGHT__PROVIDERS__REPLICATE__POLL_SECONDS", "0.1".to_owned()),
            ("FRAMEWRIGHT__REQUESTS__ALLOWED_HOSTS", allowed),
        ]
        .into()
    }

    /// Starts the program with these and further variables.
    pub(crate) fn serve(&self, more: &[(&'static str, &str)]) -> Served {
        let variables = self.variables();
        let variables: Vec<_> = variables.iter().map(|(name, value)| (*name, value.as_str())).chain(more.iter().copied()).collect();
        Served::start(&variables)
    }
}

/// The JSON body of a response with status 200.
pub(crate) fn json_of(answer: &str) -> Value {
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap()
}

/// Polls until the predicate holds.
pub(crate) fn until(mut ask: impl FnMut() -> Value, is_done: impl Fn(&Value) -> bool) -> Value {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let answer = ask();
        if is_done(&answer) {
            return answer;
        }
        assert!(Instant::now() < deadline, "{answer}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn get(served: &Served, path: &str) -> Value {
    json_of(&served.ask(&format!("GET {path}"), &[], b""))
}

/// Downloads a link's bytes, from this server if the link's host is the one that requests name.
fn file(served: &Served, url: &str) -> Vec<u8> {
    let rest = url.strip_prefix("http://").unwrap();
    let (host, path) = rest.split_once('/').unwrap();
    let address = if host == "localhost" { served.address.as_str() } else { host };
    let request = format!("GET /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    let answer = crate::served::exchange(address, request.as_bytes());
    let head = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer[..head]));
    answer[head + 4..].to_vec()
}

#[test]
fn the_documented_apis_with_their_documents_variables() {
    let fakes = Fakes::start();
    let mut served = fakes.serve(&[]);
    let lines: Vec<String> = served.lines.by_ref().take(5).map(|line| line.unwrap()).collect();
    for (what, model) in [
        ("videos from texts", "bedrock/nova-reel"),
        ("images for /api/v1/i2v", "pika"),
        ("videos of characters", "huggingface"),
        ("videos of tasks", "veo"),
    ] {
        assert!(lines.contains(&format!("{what} go to {model}")), "{lines:?}");
    }

    // 000
    let accepted = served.post("/generate-video", &json!({"text": "A beautiful sunset over the ocean"}));
    let arn = accepted["job_id"].as_str().unwrap();
    assert!(arn.starts_with("arn:aws:bedrock:us-east-1:") && accepted["status"] == "processing", "{accepted}");
    let status = || get(&served, &format!("/video-status?job_id={arn}"));
    let done = until(status, |answer| answer["status"] != "inprogress");
    assert_eq!(done["message"], "Video generation completed successfully");
    assert_eq!(file(&served, done["video_url"].as_str().unwrap()), *VIDEO);

    // 001
    let boundary = "form-of-a-test";
    let mut png = std::io::Cursor::new(Vec::new());
    RgbImage::from_pixel(64, 64, Rgb([9, 90, 200])).write_to(&mut png, image::ImageFormat::Png).unwrap();
    let head = format!(
        "--{boundary}\r\nContent-Disposition: form-data; name=\"character\"; filename=\"a.png\"\r\nContent-Type: image/png\r\n\r\n"
    );
    let body = [head.as_bytes(), png.get_ref(), format!("\r\n--{boundary}--\r\n").as_bytes()].concat();
    let kind = format!("Content-Type: multipart/form-data; boundary={boundary}");
    let uploaded = json_of(&served.ask("POST /upload-character", &[&kind], &body));
    let body = json!({"characterImageUrl": uploaded["imageUrl"], "script": "The character waves", "duration": 5, "quality": "768"});
    let id = served.post("/generate-video", &body)["id"].as_str().unwrap().to_owned();
    let done =
        until(|| get(&served, &format!("/generation/{id}")), |answer| answer["status"] != "pending" && answer["status"] != "processing");
    assert_eq!(file(&served, &format!("http://localhost{}", done["videoUrl"].as_str().unwrap())), *VIDEO);

    // 002
    let body = json!({"image": fakes.image_url(), "prompt": "A serene ocean scene with gentle waves", "duration": 5, "fps": 30});
    let id = served.post("/api/v1/videos/generate", &body)["task_id"].as_str().unwrap().to_owned();
    let done = until(|| get(&served, &format!("/api/v1/tasks/{id}")), |task| task["completed_at"].is_string());
    assert_eq!(file(&served, done["result"]["result"]["video_url"].as_str().unwrap()), *VIDEO);

    // 003
    let body = json!({"image_id": fakes.image_url()}).to_string();
    let lines = ["Content-Type: application/json", "x-request-id: your-request-id"];
    let accepted = json_of(&served.ask("POST /api/v1/i2v", &lines, body.as_bytes()));
    assert_eq!(accepted["message"], "Video generation pipeline initialized | ETA: 5-7 minutes");
    let answer = fakes.called_back();
    assert_eq!(answer["data"]["status"], "COMPLETED");
    assert_eq!(file(&served, answer["data"]["output"]["url"].as_str().unwrap()), *VIDEO);
    assert_eq!((fakes.bedrock.begun(), fakes.pika.jobs(), fakes.replicate.predictions()), (1, 1, 1));
}

#[test]
fn the_same_requests_without_keys_run_on_the_embedded_models() {
    let fakes = Fakes::start();
    let allowed = fakes.images.url().strip_prefix("http://").unwrap().to_owned();
    let game = format!("{}/requests", fakes.game.url());
    let served = Served::start(&[("FRAMEWRIGHT__REQUESTS__ALLOWED_HOSTS", &allowed), ("CALLBACK_API_URL", &game), ("GAME_API_KEY", GAME)]);
    let body = json!({"image": fakes.image_url(), "prompt": "waves", "duration": 1, "fps": 24, "resolution": "64x64", "service": "veo3"});
    let accepted = served.post("/api/v1/videos/generate", &body);
    assert!(accepted["remarks"].to_string().contains("veo3 is not set up here"), "{accepted}");
    let id = accepted["task_id"].as_str().unwrap();
    let body = json!({"image_id": fakes.image_url()}).to_string();
    served.ask("POST /api/v1/i2v", &["Content-Type: application/json", "x-request-id: a"], body.as_bytes());
    let text = served.post("/generate-video", &json!({"text": "a red circle on a blue background"}));
    let text = text["job_id"].as_str().unwrap();
    let done = until(|| get(&served, &format!("/api/v1/tasks/{id}")), |task| task["completed_at"].is_string());
    assert_eq!(&file(&served, done["result"]["result"]["video_url"].as_str().unwrap())[4..8], b"ftyp");
    let answer = fakes.called_back();
    assert_eq!(&file(&served, answer["data"]["output"]["url"].as_str().unwrap())[4..8], b"ftyp");
    let done = until(|| get(&served, &format!("/video-status?job_id={text}")), |answer| answer["status"] != "inprogress");
    assert_eq!(&file(&served, done["video_url"].as_str().unwrap())[4..8], b"ftyp");
}

#[test]
fn the_local_captioner_writes_the_prompt_if_configured() {
    let fakes = Fakes::start();
    let served = fakes.serve(&[("FRAMEWRIGHT__INTERROGATOR__KIND", "local"), ("FRAMEWRIGHT__INTERROGATOR__LOCAL_MODEL", CAPTIONER)]);
    let body = json!({"image_id": fakes.image_url()}).to_string();
    served.ask("POST /api/v1/i2v", &["Content-Type: application/json", "x-request-id: a"], body.as_bytes());
    let answer = fakes.called_back();
    assert_eq!(answer["data"]["status"], "COMPLETED", "{answer}");
    let prompt = fakes.pika.server.requests()[0].json()["promptText"].as_str().unwrap().to_owned();
    assert!(!prompt.trim().is_empty(), "{prompt}");
    assert_eq!(fakes.replicate.predictions(), 0);
    // The same image gets the same caption.
    served.ask("POST /api/v1/i2v", &["Content-Type: application/json", "x-request-id: b"], body.as_bytes());
    let generate = || fakes.pika.server.requests().into_iter().filter(|request| request.method == "POST").nth(1);
    let second = until(|| generate().map(|request| request.json()).unwrap_or_default(), Value::is_object);
    assert_eq!(second["promptText"], prompt);
}

#[test]
fn unknown_fields_of_the_local_captioner_are_named_at_the_start_and_can_be_refused() {
    let model = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(CAPTIONER).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, model.path().join(path.file_name().unwrap())).unwrap();
    }
    let path = model.path().join("config.json");
    let mut config: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    config["auto_map"] = json!({});
    config["text_config"]["decay"] = json!(0.9999);
    std::fs::write(&path, config.to_string()).unwrap();

    let folder = model.path().to_str().unwrap();
    let serve = |policy: &str| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_framewright"));
        command.args(["serve", "--port", "0", "--data-dir", "data", "--unknown-fields", policy]).current_dir(folder).env_clear();
        command.envs([("FRAMEWRIGHT__INTERROGATOR__KIND", "local"), ("FRAMEWRIGHT__INTERROGATOR__LOCAL_MODEL", folder)]);
        command
    };
    let mut child = Killed(serve("warn").stderr(std::process::Stdio::piped()).spawn().unwrap());
    let lines = BufReader::new(child.0.stderr.take().unwrap()).lines().map(|line| line.unwrap());
    let warnings: Vec<_> = lines.take(2).filter(|line| line.starts_with("warning: ")).collect();
    assert_eq!(warnings, [format!("warning: {folder}: unknown fields are ignored: config.json: auto_map, text_config.decay")]);
    let refused = crate::program::run(&mut serve("refuse"));
    assert_eq!((refused.code, refused.stderr.lines().count()), (1, 1), "{refused:?}");
    assert!(refused.stderr.contains("config.json: field auto_map: unknown field, and model.unknown_fields is"), "{refused:?}");
}

#[test]
fn a_route_to_an_unconfigured_provider_fails_the_start_and_names_the_missing_setting() {
    let refused = |variables: &[(&str, &str)]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_framewright"));
        let data = tempfile::tempdir().unwrap();
        command.args(["serve", "--port", "0", "--data-dir", data.path().to_str().unwrap()]).env_clear().envs(variables.iter().copied());
        let run = crate::program::run(&mut command);
        assert_eq!((run.code, run.stderr.lines().count()), (2, 1), "{run:?}");
        run.stderr
    };
    for (variables, expected) in [
        (vec![("FRAMEWRIGHT__ROUTING__TEXT", "bedrock")], "setting routing.text: bedrock is not set up; it needs providers.bedrock.bucket"),
        (vec![("FRAMEWRIGHT__ROUTING__I2V", "pika")], "setting routing.i2v: pika is not set up; it needs providers.pika.bearer_token"),
        (vec![("CALLBACK_API_URL", "http://127.0.0.1:1")], "setting i2v.callback_url: it needs i2v.callback_key (GAME_API_KEY)"),
        (
            vec![("FRAMEWRIGHT__INTERROGATOR__KIND", "replicate")],
            "setting interrogator.kind: replicate needs providers.replicate.api_token",
        ),
        (vec![("FRAMEWRIGHT__INTERROGATOR__KIND", "local")], "setting interrogator.kind: local needs interrogator.local_model"),
        (vec![("FRAMEWRIGHT__ROUTING__OVERFLOW_AFTER_SECONDS", "9")], "setting routing.overflow_after_seconds: it needs"),
        (
            vec![
                ("S3_BUCKET_NAME", "bucket"),
                ("AWS_REGION", "us-east-1"),
                ("AWS_BEARER_TOKEN_BEDROCK", "bearer-secret"),
                ("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", "http://127.0.0.1:1"),
            ],
            "is not sent to a plain-http endpoint",
        ),
        (
            vec![("REPLICATE_API_TOKEN", "r8_1"), ("REPLICATE_MODEL_ID", "clip interrogator")],
            "setting interrogator.replicate_model: the model's name is \"clip interrogator\"; it has to be owner/name",
        ),
        (
            vec![("REPLICATE_API_TOKEN", "r8_1"), ("FRAMEWRIGHT__PROVIDERS__REPLICATE__VIDEO_MODEL", "video-01")],
            "settings of providers.replicate: the model's name is \"video-01\"; it has to be owner/name",
        ),
        (
            vec![("FAL_KEY", "key"), ("FRAMEWRIGHT__PROVIDERS__PIKA__FAL_MODEL", "fal-ai//pika")],
            "settings of providers.pika: the model's name is \"fal-ai//pika\"",
        ),
        (
            vec![
                ("S3_BUCKET_NAME", "bucket"),
                ("AWS_REGION", "us east 1"),
                ("AWS_ACCESS_KEY_ID", "AKIA1"),
                ("AWS_SECRET_ACCESS_KEY", "secret"),
            ],
            "settings of providers.bedrock: the region is \"us east 1\"; it has small letters, digits and hyphens",
        ),
    ] {
        let line = refused(&variables);
        assert!(line.contains(expected) && !line.contains("bearer-secret"), "{variables:?}: {line}");
    }
    // The bucket alone may be another program's: the server starts, and says what is missing.
    let mut served = Served::start(&[("S3_BUCKET_NAME", "bucket")]);
    let lines: Vec<String> = served.lines.by_ref().take(2).map(|line| line.unwrap()).collect();
    assert!(lines.iter().any(|line| line.starts_with("bedrock is not set up: no region is set")), "{lines:?}");
    // A role's keys are in no setting, and finding them costs a call: it is used only if the operator says so.
    let mut served = Served::start(&[("S3_BUCKET_NAME", "bucket"), ("AWS_REGION", "us-east-1")]);
    let lines: Vec<String> = served.lines.by_ref().take(2).map(|line| line.unwrap()).collect();
    assert!(lines.iter().any(|line| line.starts_with("videos from texts stay here: bedrock has no key")), "{lines:?}");
}

#[test]
fn the_image_input_name_is_a_setting() {
    let fakes = Fakes::start();
    let served = fakes.serve(&[
        ("FRAMEWRIGHT__PROVIDERS__REPLICATE__VIDEO_MODEL", "minimax/video-01"),
        ("FRAMEWRIGHT__PROVIDERS__REPLICATE__IMAGE_INPUT", "first_frame_image"),
    ]);
    let body = json!({"image": fakes.image_url(), "prompt": "waves", "model": "replicate"});
    let id = served.post("/api/v1/videos/generate", &body)["task_id"].as_str().unwrap().to_owned();
    let task = until(|| get(&served, &format!("/api/v1/tasks/{id}")), |task| task["completed_at"].is_string());
    assert_eq!(task["status"], "completed", "{task}");
    let requests: Vec<_> = fakes.replicate.server.requests().into_iter().filter(|request| request.method == "POST").collect();
    assert_eq!((requests.len(), requests[0].path.as_str()), (1, "/v1/models/minimax/video-01/predictions"));
    assert!(requests[0].json()["input"]["first_frame_image"].is_string(), "{}", requests[0].json());
}
