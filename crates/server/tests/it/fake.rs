//! The real server with the fake model of generation's tests, and a raw client that can hang up in every way.

use std::{
    net::SocketAddr,
    path::Path,
    time::{Duration, Instant, SystemTime},
};

use actix_web::{
    App,
    http::{StatusCode, header::HeaderMap},
    test,
};
use generation::{
    LocalBackend,
    jobs::{JobsSettings, StoreError},
};
use generation_test::Checked;
pub(crate) use generation_test::{PATIENCE, model};
use serde_json::Value;
use server::{ApiState, Server, ServerSettings, routes as app};
use tokio::{io::AsyncWriteExt as _, net::TcpStream, sync::oneshot, task::JoinHandle};

/// A backend, and the capacity of the queue.
#[derive(Clone)]
pub(crate) struct Engine {
    pub(crate) local: LocalBackend,
    pub(crate) places: usize,
}

/// A backend whose model is loaded.
pub(crate) async fn engine(places: usize) -> Engine {
    Engine { local: generation_test::local().await, places }
}

/// A complete answer.
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

/// Sends a request to an app without a socket, whose model is loaded.
pub(crate) async fn ask(request: test::TestRequest) -> Answer {
    ask_engine(engine(4).await, request).await
}

pub(crate) async fn ask_engine(engine: Engine, request: test::TestRequest) -> Answer {
    let data = tempfile::tempdir().unwrap();
    let jobs = jobs(data.path(), engine).await;
    let app =
        test::init_service(App::new().configure(|config| app::configure(config, ApiState::new(jobs.clone(), std::env::temp_dir())))).await;
    let response = test::call_service(&app, request.to_request()).await;
    let (status, headers) = (response.status(), response.headers().clone());
    Answer { status, headers, body: test::read_body(response).await.to_vec() }
}

/// The jobs of a folder.
pub(crate) async fn jobs(folder: &Path, engine: Engine) -> Checked {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let settings = JobsSettings { queue_capacity: engine.places, ..JobsSettings::new(folder, SystemTime::now) };
        match Checked::open(settings, engine.local.clone()).await {
            // The threads of a stopped server release the folder slightly later.
            Err(StoreError::InUse { .. }) if Instant::now() < deadline => tokio::time::sleep(Duration::from_millis(1)).await,
            opened => return opened.unwrap(),
        }
    }
}

/// `POST /generate` with this body.
pub(crate) fn post(body: impl Into<Vec<u8>>) -> test::TestRequest {
    post_to("/generate", body)
}

/// A POST of this body to a path.
pub(crate) fn post_to(path: &str, body: impl Into<Vec<u8>>) -> test::TestRequest {
    test::TestRequest::post().uri(path).insert_header(("Content-Type", "application/json")).set_payload(body.into())
}

/// The server on a real socket; it stops when it is dropped.
pub(crate) struct Running {
    pub(crate) jobs: Checked,
    /// The folder of its jobs, if it owns one.
    pub(crate) _data: Option<tempfile::TempDir>,
    pub(crate) address: SocketAddr,
    pub(crate) stop: oneshot::Sender<()>,
    pub(crate) ended: JoinHandle<std::io::Result<()>>,
}

impl Running {
    pub(crate) async fn start(places: usize) -> Self {
        Self::with(engine(places).await).await
    }

    pub(crate) async fn with(engine: Engine) -> Self {
        Self::with_settings(ServerSettings::default(), engine).await
    }

    /// A server with these settings, on a free port.
    pub(crate) async fn with_settings(settings: ServerSettings, engine: Engine) -> Self {
        let data = tempfile::tempdir().unwrap();
        let running = Self::in_folder(data.path(), settings, engine).await;
        Self { _data: Some(data), ..running }
    }

    /// A server with the jobs of a folder, which may contain those of an earlier server.
    pub(crate) async fn in_folder(folder: &Path, settings: ServerSettings, engine: Engine) -> Self {
        Self::with_jobs(folder, settings, jobs(folder, engine).await)
    }

    /// A server with these jobs, which are in this folder.
    pub(crate) fn with_jobs(folder: &Path, settings: ServerSettings, jobs: Checked) -> Self {
        let settings = ServerSettings { port: 0, uploads: folder.join("uploads"), ..settings };
        let server = Server::bind(&settings, jobs.clone()).unwrap();
        let address = server.addresses()[0];
        let (stop, stopped) = oneshot::channel::<()>();
        let ended = tokio::spawn(server.run_until(async {
            let _ = stopped.await;
        }));
        Self { jobs, _data: None, address, stop, ended }
    }

    /// Stops it, and waits until it has released its jobs.
    pub(crate) async fn end(self) {
        drop(self.stop);
        self.ended.await.unwrap().unwrap();
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Sends a request for a picture over a new connection, without waiting for the answer.
    pub(crate) async fn request(&self, prompt: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let body = format!(r#"{{"prompt": "{prompt}"}}"#);
        let head = format!(
            "POST /generate HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(body.as_bytes()).await.unwrap();
        stream
    }

    /// Waits until this number of jobs is queued or running.
    pub(crate) async fn wait_for_jobs(&self, jobs: usize) {
        let deadline = Instant::now() + PATIENCE;
        while self.jobs.active() != jobs {
            assert!(Instant::now() < deadline, "{jobs} jobs expected, there are {}", self.jobs.active());
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}
