//! Fakes of every service, a server in front of them, and a client of both.

use std::{
    collections::{BTreeMap, VecDeque},
    io::Cursor,
    sync::{Arc, LazyLock, Mutex},
    time::{Duration, Instant, SystemTime},
};

use generation::{
    Backend, LocalBackend, RemoteBackend, RemoteSettings,
    jobs::{JobsSettings, Price},
};
use generation_test::Checked;
use guarded_http::GuardSettings;
use image::{ImageFormat, Rgb, RgbImage};
use remote_fakes::{
    HuggingFaceFake, PikaWebFake, RelayOptions, ReplicateFake, Reply, Server, VeoRelayFake, aws::Account, bedrock::Bedrock as BedrockFake,
    s3::S3, sample_video,
};
use remote_providers::{
    AwsKeys, Bedrock, BedrockSettings, DownloadLimits, Guard, HuggingFace, HuggingFaceSettings, Interrogator, Pace, PikaWeb,
    PikaWebSettings, Provider, Replicate, ReplicateInterrogator, ReplicateInterrogatorSettings, ReplicateSettings, VeoRelay,
    VeoRelaySettings,
};
use reqwest::{Method, StatusCode};
use serde_json::Value;
use server::{GameCallback, ServerSettings, Service, Services, webhooks::WebhookSettings};

use crate::fake::{PATIENCE, Running, engine};

/// The video that the fakes serve: 12 frames of 64x48.
pub(crate) static VIDEO: LazyLock<Vec<u8>> = LazyLock::new(|| sample_video(0));

/// The server's secrets, by name.
pub(crate) const SECRETS: [(&str, &str); 8] = [
    ("the access key", "AKIAQ7SECRETKEYID01A"),
    ("the secret key", "zZ9secretAwsKey/zZ9secretAwsKey+zZ9secre"),
    ("the session token", "IQoJsecretSessionTokenOfAws=="),
    ("the relay's key", "sk-relay-secret-4f1d9c"),
    ("Pika's token", "pika-secret-token-77aa"),
    ("Replicate's token", "r8_secretReplicateToken123"),
    ("Hugging Face's token", "hf_secretHuggingFaceToken456"),
    ("the callback's key", "game-secret-key-88bb"),
];

pub(crate) fn secret(what: &str) -> String {
    SECRETS.iter().find(|(name, _)| *name == what).unwrap().1.to_owned()
}

const BUCKET: &str = "videos-of-tests";
const PACE: Pace = Pace {
    initial_wait: Duration::from_millis(5),
    interval: Duration::from_millis(5),
    max_interval: Duration::from_millis(20),
    deadline: Duration::from_secs(30),
};

/// The fakes, a server for images, and a receiver of callbacks.
pub(crate) struct World {
    pub(crate) s3: S3,
    pub(crate) bedrock: BedrockFake,
    pub(crate) relay: VeoRelayFake,
    pub(crate) pika: PikaWebFake,
    pub(crate) replicate: ReplicateFake,
    pub(crate) hugging_face: HuggingFaceFake,
    pub(crate) images: Server,
    pub(crate) game: Server,
    /// The next statuses of the callback's receiver; 200 after them.
    pub(crate) game_answers: Arc<Mutex<VecDeque<u16>>>,
}

impl World {
    pub(crate) async fn start() -> Self {
        let account = Account {
            access_key: secret("the access key"),
            secret_key: secret("the secret key"),
            session_token: Some(secret("the session token")),
            ..Account::default()
        };
        let s3 = S3::start(account.clone(), &[BUCKET]).await.unwrap();
        let bedrock = BedrockFake::start(account, &s3).await.unwrap();
        let relay = RelayOptions { key: secret("the relay's key"), ..RelayOptions::default() };
        let pika = PikaWebFake::start(&secret("Pika's token")).await.unwrap();
        let replicate = ReplicateFake::start(&secret("Replicate's token")).await.unwrap();
        let hugging_face = HuggingFaceFake::start(&secret("Hugging Face's token")).await.unwrap();
        let game_answers = Arc::new(Mutex::new(VecDeque::new()));
        let answers = Arc::clone(&game_answers);
        let game = Server::start(move |_| Reply::empty(answers.lock().unwrap().pop_front().unwrap_or(200))).await.unwrap();
        Self {
            s3,
            bedrock,
            relay: VeoRelayFake::start(relay).await.unwrap(),
            pika,
            replicate,
            hugging_face,
            images: Server::start(|_| Reply::bytes(200, "image/png", png())).await.unwrap(),
            game,
            game_answers,
        }
    }

    /// The URL of a client's image.
    pub(crate) fn image_url(&self) -> String {
        format!("{}/image.png", self.images.url())
    }

    async fn providers(&self) -> Vec<(Arc<dyn Provider>, &'static str)> {
        let keys = AwsKeys {
            access_key_id: secret("the access key"),
            secret_access_key: secret("the secret key").into(),
            session_token: Some(secret("the session token").into()),
        };
        let bedrock = BedrockSettings {
            region: Some("us-east-1".into()),
            keys: Some(keys),
            endpoint: Some(self.bedrock.url()),
            s3_endpoint: Some(self.s3.url()),
            pace: PACE,
            ..BedrockSettings::new(BUCKET)
        };
        let relay = VeoRelaySettings {
            base_url: self.relay.server.url(),
            pace: PACE,
            timeout: Duration::from_secs(2),
            ..VeoRelaySettings::new(secret("the relay's key").into())
        };
        let pika = PikaWebSettings { base_url: self.pika.base_url(), pace: PACE, ..PikaWebSettings::new(secret("Pika's token").into()) };
        let token = secret("Replicate's token");
        // The model has its own name for the image parameter.
        let image_key = "first_frame_image".to_owned();
        let base_url = self.replicate.server.url();
        let replicate = ReplicateSettings { base_url, image_key, pace: PACE, ..ReplicateSettings::new(token.into()) };
        let token = secret("Hugging Face's token");
        let hugging_face = HuggingFaceSettings { base_url: self.hugging_face.server.url(), ..HuggingFaceSettings::new(token.into()) };
        vec![
            (Arc::new(Bedrock::connect(bedrock).await.unwrap()), "nova-reel"),
            (Arc::new(VeoRelay::new(relay).unwrap()), "veo_3_1"),
            (Arc::new(PikaWeb::new(pika)), "1.5"),
            (Arc::new(Replicate::new(replicate)), ""),
            (Arc::new(HuggingFace::new(hugging_face)), "stabilityai/stable-video-diffusion-img2vid-xt"),
        ]
    }

    /// The fakes are the only allowed addresses of this machine.
    fn guard(&self) -> GuardSettings {
        let urls = [
            self.s3.url(),
            self.relay.server.url(),
            self.relay.storage.url(),
            self.pika.base_url(),
            self.replicate.server.url(),
            self.images.url(),
        ];
        let allow = urls.iter().flat_map(|url| guarded_http::AllowedHost::of_url(&url.parse().unwrap())).collect();
        GuardSettings { allow, ..GuardSettings::default() }
    }

    /// A server with every service and the routing of the documents; the closure changes its settings.
    pub(crate) async fn serve(&self, change: impl FnOnce(&mut ServerSettings, &mut JobsSettings)) -> Running {
        self.serve_beside(engine(8).await.local, change).await
    }

    /// The same with this local backend.
    pub(crate) async fn serve_beside(&self, local: LocalBackend, change: impl FnOnce(&mut ServerSettings, &mut JobsSettings)) -> Running {
        let providers = self.providers().await;
        let interrogator = ReplicateInterrogatorSettings {
            base_url: self.replicate.server.url(),
            interval: Duration::from_millis(10),
            ..ReplicateInterrogatorSettings::new(secret("Replicate's token").into())
        };
        let captions: Arc<dyn Interrogator> = Arc::new(ReplicateInterrogator::new(interrogator).unwrap());
        let backends = providers.iter().map(|(provider, _)| {
            let settings = RemoteSettings {
                pause: Duration::from_millis(5),
                download: DownloadLimits { max_bytes: 1 << 20, timeout: Duration::from_secs(5) },
                ..RemoteSettings::new(Instant::now)
            };
            let backend = RemoteBackend::new(Arc::clone(provider), Guard::new(self.guard()), settings);
            Arc::new(backend.with_captions(Arc::clone(&captions))) as Arc<dyn Backend>
        });
        let backends = backends.collect();
        let callback = GameCallback::new(&format!("{}/requests", self.game.url()), &secret("the callback's key").into(), &self.guard());
        let services = Services {
            services: providers.into_iter().map(|(provider, model)| Service { provider, model: model.into() }).collect(),
            local_models: vec!["tiny".into()],
            pool_models: Vec::new(),
            text: Some("bedrock/nova-reel".into()),
            i2v: Some("pika".into()),
            characters: Some("huggingface".into()),
            tasks: Some("veo".into()),
            captions: true,
            callback: Some(callback.unwrap()),
        };
        let retries = [5, 5, 5].map(Duration::from_millis).to_vec();
        let webhooks = WebhookSettings { retries, poll: Duration::from_millis(10), ..ServerSettings::default().webhooks };
        let mut settings = ServerSettings { guard: self.guard(), services, webhooks, ..crate::task_client::settings() };
        let data = tempfile::tempdir().unwrap();
        let mut jobs = JobsSettings { queue_capacity: 64, ..JobsSettings::new(data.path(), SystemTime::now) };
        change(&mut settings, &mut jobs);
        let jobs = Checked::open_with(jobs, local, backends).await.unwrap();
        let running = Running::with_jobs(data.path(), settings, jobs);
        Running { _data: Some(data), ..running }
    }
}

/// The price of a video of each service: half a dollar.
pub(crate) fn prices() -> BTreeMap<String, Price> {
    let price = Price { per_second: 0, per_job: 500_000, usual_seconds: 0 };
    ["bedrock", "veo", "pika", "replicate", "huggingface"].map(|name| (name.to_owned(), price)).into()
}

/// A small picture's PNG file.
fn png() -> Vec<u8> {
    let mut file = Cursor::new(Vec::new());
    RgbImage::from_fn(96, 54, |x, y| Rgb([x as u8 * 2, y as u8 * 3, 40])).write_to(&mut file, ImageFormat::Png).unwrap();
    file.into_inner()
}

/// Polls `GET /video-status` until a job has this status.
pub(crate) async fn video_status(server: &Running, id: &str, wanted: &str) -> Value {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let (status, answer) = server.ask(Method::GET, &format!("/video-status?job_id={id}"), None).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        if answer["status"] == wanted {
            return answer;
        }
        assert!(answer["status"] == "inprogress" && Instant::now() < deadline, "{answer}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// The status and the bytes of the file at a URL.
pub(crate) async fn fetch(url: &str) -> (u16, Vec<u8>) {
    let answer = reqwest::get(url).await.unwrap();
    (answer.status().as_u16(), answer.bytes().await.unwrap().to_vec())
}
