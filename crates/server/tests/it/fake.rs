//! A model that needs no weights behind the real server, and a raw client that can hang up in every way.
//!
//! The prompt says what the model does: "slow" takes steps until it is cancelled, "panic" panics, "refuse" and "broken" fail in the two
//! ways that a pipeline can, and everything else is a picture in the colour of its seed.

use std::{
    net::SocketAddr,
    ops::ControlFlow,
    time::{Duration, Instant},
};

use actix_web::{
    App,
    http::{StatusCode, header::HeaderMap},
    test,
};
use diffusion_core::{
    Error,
    denoise::{StepMonitor, StepReport},
    noise::SeededNoise,
    schedulers::SchedulerKind,
};
use generation::{Engine, EngineSettings, ImageSpec, LoadedModel, ModelInfo};
use image::{Rgb, RgbImage};
use serde_json::Value;
use server::{ApiState, Server, ServerSettings, app};
use tokio::{io::AsyncWriteExt as _, net::TcpStream, sync::oneshot, task::JoinHandle};

/// Long enough for any machine, short enough to fail before a person gives up.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) fn model() -> LoadedModel {
    let info = ModelInfo {
        name: "fake".into(),
        device: "cpu".into(),
        device_reason: "there is no other".into(),
        default_width: 64,
        default_height: 72,
        scheduler: SchedulerKind::Ddim.into(),
    };
    LoadedModel { info, generate: Box::new(generate) }
}

fn generate(spec: &ImageSpec, seed: u64, monitor: &mut dyn StepMonitor) -> diffusion_core::Result<RgbImage> {
    let latents = SeededNoise::new(seed).randn(&[1, 4, 1, 1])?;
    match spec.prompt() {
        "panic" => panic!("the fake model panics"),
        "refuse" => return Err(Error::Params { field: "num_inference_steps", reason: "not with this scheduler".into() }),
        "broken" => return Err(Error::Tokenizer("broken as told\nbacktrace".into())),
        _ => {}
    }
    let slow = spec.prompt() == "slow";
    let steps = if slow { usize::MAX } else { spec.num_inference_steps() as usize };
    for step in 1..=steps {
        if slow {
            std::thread::sleep(Duration::from_millis(2));
        }
        if monitor.on_step(&StepReport { step, steps, timestep: 0.0, latents: &latents }) == ControlFlow::Break(()) {
            return Err(Error::Cancelled);
        }
    }
    Ok(RgbImage::from_pixel(spec.width(), spec.height(), Rgb([(seed % 256) as u8, 1, 2])))
}

/// An engine whose model is loaded.
pub(crate) async fn engine(places: usize) -> Engine {
    let settings = EngineSettings { queue_capacity: places, ..EngineSettings::new(Instant::now) };
    let engine = Engine::start(settings, || Ok(model())).unwrap();
    engine.loaded().await.unwrap();
    engine
}

/// One answer, read whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    pub(crate) fn json(&self) -> Value {
        assert_eq!(self.header("content-type"), Some("application/json"), "{self:?}");
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

/// Asks an app without a socket whose model is loaded.
pub(crate) async fn ask(request: test::TestRequest) -> Answer {
    ask_engine(engine(4).await, request).await
}

pub(crate) async fn ask_engine(engine: Engine, request: test::TestRequest) -> Answer {
    let app = test::init_service(App::new().configure(|config| app::configure(config, ApiState::new(engine)))).await;
    let response = test::call_service(&app, request.to_request()).await;
    let (status, headers) = (response.status(), response.headers().clone());
    Answer { status, headers, body: test::read_body(response).await.to_vec() }
}

/// `POST /generate` with a body as it stands.
pub(crate) fn post(body: impl Into<Vec<u8>>) -> test::TestRequest {
    test::TestRequest::post().uri("/generate").insert_header(("Content-Type", "application/json")).set_payload(body.into())
}

/// The server behind a real socket; it stops when it is dropped.
pub(crate) struct Running {
    pub(crate) engine: Engine,
    pub(crate) address: SocketAddr,
    pub(crate) stop: oneshot::Sender<()>,
    pub(crate) ended: JoinHandle<std::io::Result<()>>,
}

impl Running {
    pub(crate) async fn start(places: usize) -> Self {
        Self::with(engine(places).await)
    }

    pub(crate) fn with(engine: Engine) -> Self {
        let settings = ServerSettings { port: 0, ..ServerSettings::default() };
        let server = Server::bind(&settings, engine.clone()).unwrap();
        let address = server.addresses()[0];
        let (stop, stopped) = oneshot::channel::<()>();
        let ended = tokio::spawn(server.run_until(async {
            let _ = stopped.await;
        }));
        Self { engine, address, stop, ended }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Sends a request for a picture over a connection of its own, and waits for nothing.
    pub(crate) async fn request(&self, prompt: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let body = format!(r#"{{"prompt": "{prompt}"}}"#);
        let head =
            format!("POST /generate HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n", body.len());
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(body.as_bytes()).await.unwrap();
        stream
    }

    /// Waits until the engine holds this many jobs.
    pub(crate) async fn wait_for_jobs(&self, jobs: usize) {
        let deadline = Instant::now() + PATIENCE;
        while self.engine.jobs() != jobs {
            assert!(Instant::now() < deadline, "{jobs} jobs expected, there are {}", self.engine.jobs());
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}
