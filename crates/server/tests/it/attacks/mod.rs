//! Attacks, each a row with the refusal that it gets: one file per class, with an array of rows.
//!
//! Everything is sent over a real socket, byte by byte as written here, because a client library would correct half of it.

mod archive;
mod bodies;
mod heads;
mod images;
mod keys;
mod traversal;

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use actix_web::{App, HttpServer};
use generation::{
    ImageRequest, ImageSpec, Limits,
    jobs::{Durability, JobState, Jobs, Metadata, NewJob, Priority, Work},
};
use server::{
    ApiState,
    access::{Access, AccessSettings, ApiKey, LinkSecret},
    request_memory::RequestMemory,
    routes as app,
    uploads::{UploadLimits, UploadStore},
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::fake::{PATIENCE, engine, jobs, model};

/// A text that no answer may contain.
pub(crate) const SECRET: &str = "nobody may read this";

/// The one file of [`FileServer::job`].
pub(crate) const IMAGE: &str = "image-0.png";

pub(crate) const ALICES_KEY: &str = "alices-secret-key-1";
pub(crate) const BOBS_KEY: &str = "bobs-secret-key-22";

/// The two keys of a server with keys.
pub(crate) fn keys() -> Vec<ApiKey> {
    vec![ApiKey::new("alice", ALICES_KEY).unwrap(), ApiKey::new("bob", BOBS_KEY).unwrap()]
}

/// A raw answer.
pub(crate) struct Raw(pub(crate) String);

impl Raw {
    /// Zero if the connection was closed without an answer.
    pub(crate) fn status(&self) -> u16 {
        self.0.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)).map_or(0, |code| code.parse().unwrap())
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let head = self.0.split("\r\n\r\n").next().unwrap();
        let mut lines = head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    pub(crate) fn body(&self) -> &str {
        self.0.split_once("\r\n\r\n").map_or("", |(_, body)| body)
    }
}

/// Sends bytes over a new connection, and returns everything that arrives until it is closed.
pub(crate) async fn exchange(address: SocketAddr, request: impl AsRef<[u8]>) -> Raw {
    let (mut read, mut write) = TcpStream::connect(address).await.unwrap().into_split();
    let request = request.as_ref().to_vec();
    // The server may answer and close before it has read everything, which many rows test.
    let sending = tokio::spawn(async move {
        let _refused = write.write_all(&request).await;
        write
    });
    let mut answer = Vec::new();
    let _reset = tokio::time::timeout(PATIENCE, read.read_to_end(&mut answer)).await.expect("the server closes the connection");
    let _write = tokio::time::timeout(PATIENCE, sending).await.expect("the server reads no more").unwrap();
    Raw(String::from_utf8_lossy(&answer).into_owned())
}

/// One request in one piece: its request line, further headers, its body.
pub(crate) fn request(first: &str, lines: &[&str], body: &str) -> String {
    let lines: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
    format!("{first} HTTP/1.1\r\n{lines}Connection: close\r\n\r\n{body}")
}

/// The server's routes over a folder that tests can inspect.
pub(crate) struct FileServer {
    pub(crate) address: SocketAddr,
    pub(crate) folder: TempDir,
    pub(crate) access: Arc<Access>,
    pub(crate) jobs: Jobs,
    pub(crate) memory: RequestMemory,
}

/// The spec of one small picture.
pub(crate) fn spec(prompt: &str) -> ImageSpec {
    let request = ImageRequest { prompt: Some(prompt.into()), width: Some(64), height: Some(64), seed: Some(1), ..ImageRequest::default() };
    request.validate(&Limits::DEFAULT, &model().info).unwrap()
}

/// The size limit of uploads to [`FileServer`].
pub(crate) const UPLOAD_BYTES: usize = 1 << 20;

/// A stored image job.
pub(crate) fn new_job(owner: &str, id: &str, prompt: &str) -> NewJob {
    NewJob {
        id: id.to_owned(),
        owner: owner.to_owned(),
        priority: Priority::Normal,
        own_priority: Priority::Normal,
        work: Work::Image(spec(prompt)),
        durability: Durability::Stored,
        metadata: Metadata::default(),
        idempotency: None,
        callback_url: None,
    }
}

impl FileServer {
    /// A server with these keys; a body has `timeout` to arrive.
    pub(crate) async fn start(keys: Vec<ApiKey>, timeout: Duration) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let settings = AccessSettings { keys, ..AccessSettings::default() };
        let access = Arc::new(Access::new(settings, &["127.0.0.1".parse().unwrap()], LinkSecret::from_text("a test's")).unwrap());
        let jobs = jobs(&folder.path().join("jobs"), engine(1).await).await;
        let limits = UploadLimits { bytes: UPLOAD_BYTES, ..UploadLimits::default() };
        let state = ApiState {
            access: Arc::clone(&access),
            uploads: UploadStore::new(folder.path().join("uploads"), limits),
            body_timeout: timeout,
            ..ApiState::new(jobs.clone(), std::env::temp_dir())
        };
        let memory = state.memory.clone();
        let server = HttpServer::new(move || {
            let state = state.clone();
            App::new().configure(move |config| app::configure(config, state))
        });
        let server = server.workers(1).disable_signals().h1_allow_half_closed(false).bind(("127.0.0.1", 0)).unwrap();
        let address = server.addrs()[0];
        tokio::spawn(server.run());
        // The tests replace files of its jobs, so those are not checked at the end.
        Self { address, folder, access, jobs: jobs.clone(), memory }
    }

    /// Makes a job of `owner` whose only file is [`PICTURE`], replaces the file's contents by `text`, and returns the folder of the file.
    pub(crate) async fn job(&self, owner: &str, id: &str, text: &str) -> PathBuf {
        self.jobs.submit(new_job(owner, id, "a boat")).await.unwrap();
        let job = self.jobs.finished(owner, id).await.unwrap().unwrap();
        assert_eq!(job.state, JobState::Completed);
        let folder = self.folder.path().join("jobs/artifacts").join(id);
        std::fs::write(folder.join(IMAGE), text).unwrap();
        folder
    }

    /// The paths of all files below the folder except the jobs' own.
    pub(crate) fn stored(&self) -> Vec<String> {
        let mut found = Vec::new();
        let mut folders = vec![self.folder.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.ends_with("jobs") {
                    continue;
                }
                if path.is_dir() {
                    folders.push(path);
                } else {
                    found.push(path.strip_prefix(self.folder.path()).unwrap().to_str().unwrap().to_owned());
                }
            }
        }
        found.sort();
        found
    }
}
