//! Attacks, each a row with its refusal: one file a class, one array of rows in each.
//!
//! Everything goes over a real socket, byte by byte as it is written here, for a client library would mend half of it on the way.

mod archive;
mod bodies;
mod heads;
mod keys;
mod pictures;
mod traversal;

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use actix_web::{
    App, HttpRequest, HttpResponse, HttpServer, ResponseError as _,
    middleware::from_fn,
    web::{self, Data, Path, Payload},
};
use server::{
    ApiState,
    access::{self, Access, AccessSettings, ApiKey, Caller, LinkSecret},
    jail,
    multipart_file::{FileLimits, MultipartBody},
    uploads::{UploadLimits, UploadStore},
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::fake::{PATIENCE, engine, jobs};

/// What no answer may contain.
pub(crate) const SECRET: &str = "nobody may read this";

pub(crate) const ALICES_KEY: &str = "alices-secret-key-1";
pub(crate) const BOBS_KEY: &str = "bobs-secret-key-22";

/// The two keys of a server that has some.
pub(crate) fn keys() -> Vec<ApiKey> {
    vec![ApiKey::new("alice", ALICES_KEY).unwrap(), ApiKey::new("bob", BOBS_KEY).unwrap()]
}

/// An answer as it came over the wire.
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

/// Sends bytes over a connection of their own; whatever comes back until it is closed.
pub(crate) async fn exchange(address: SocketAddr, request: impl AsRef<[u8]>) -> Raw {
    let (mut read, mut write) = TcpStream::connect(address).await.unwrap().into_split();
    let request = request.as_ref().to_vec();
    // The server may answer and close before it has read everything, which is what many rows are about.
    let sending = tokio::spawn(async move {
        let _refused = write.write_all(&request).await;
        write
    });
    let mut answer = Vec::new();
    let _reset = tokio::time::timeout(PATIENCE, read.read_to_end(&mut answer)).await.expect("the server closes the connection");
    let _write = tokio::time::timeout(PATIENCE, sending).await.expect("the server reads no more").unwrap();
    Raw(String::from_utf8_lossy(&answer).into_owned())
}

/// One request in one piece: its first line, further lines, its body.
pub(crate) fn request(first: &str, lines: &[&str], body: &str) -> String {
    let lines: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
    format!("{first} HTTP/1.1\r\n{lines}Connection: close\r\n\r\n{body}")
}

/// Routes that serve files and take uploads as the product's do, behind the product's gate.
pub(crate) struct FileServer {
    pub(crate) address: SocketAddr,
    pub(crate) folder: TempDir,
    pub(crate) access: Arc<Access>,
}

/// The longest upload of [`FileServer`].
pub(crate) const UPLOAD_BYTES: usize = 1 << 20;

/// What the handlers share.
#[derive(Clone)]
struct Files {
    files: PathBuf,
    uploads: UploadStore,
    timeout: Duration,
}

impl FileServer {
    /// With these keys; a body may take `timeout` to arrive.
    pub(crate) async fn start(keys: Vec<ApiKey>, timeout: Duration) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let settings = AccessSettings { keys, ..AccessSettings::default() };
        let access = Arc::new(Access::new(settings, &["127.0.0.1".parse().unwrap()], LinkSecret::from_text("a test's")).unwrap());
        let mut state = ApiState::new(jobs(&folder.path().join("jobs"), engine(1).await), std::env::temp_dir());
        state.access = Arc::clone(&access);
        let limits = UploadLimits { bytes: UPLOAD_BYTES, ..UploadLimits::default() };
        let files =
            Files { files: folder.path().join("artifacts"), uploads: UploadStore::new(folder.path().join("uploads"), limits), timeout };
        let server = HttpServer::new(move || {
            let gated = web::scope("")
                .wrap(from_fn(access::gate))
                .route("/files/{job}/{name}", web::to(file))
                .route("/uploads/{name:.*}", web::to(uploaded))
                .route("/upload-character", web::post().to(upload));
            App::new().app_data(Data::new(state.clone())).app_data(Data::new(files.clone())).service(gated)
        });
        let server = server.workers(1).disable_signals().h1_allow_half_closed(false).bind(("127.0.0.1", 0)).unwrap();
        let address = server.addrs()[0];
        tokio::spawn(server.run());
        Self { address, folder, access }
    }

    /// Every file below the folder but the jobs' own, by its path in it.
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

async fn file(request: HttpRequest, path: Path<(String, String)>, files: Data<Files>, caller: Caller) -> HttpResponse {
    let (job, name) = path.into_inner();
    match jail::open(&files.files.join(&caller.owner), &format!("{job}/{name}")) {
        Ok(file) => file.answer(&request, "text/plain"),
        Err(error) => server::error::ApiError::from(error).error_response(),
    }
}

async fn uploaded(request: HttpRequest, name: Path<String>, files: Data<Files>, caller: Caller) -> HttpResponse {
    match files.uploads.open(&caller.owner, &name) {
        Ok(file) => file.answer(&request, "image/png"),
        Err(error) => server::error::ApiError::from(error).error_response(),
    }
}

async fn upload(request: HttpRequest, payload: Payload, files: Data<Files>, caller: Caller) -> HttpResponse {
    let mut body = MultipartBody::new(payload);
    let limits = FileLimits { bytes: files.uploads.limits().bytes, timeout: files.timeout };
    let saved = match body.read(&request, "character", &limits).await {
        Ok(file) => files.uploads.save(&caller.owner, "character", file).await,
        Err(error) => Err(error),
    };
    body.held_by(match saved {
        Ok(upload) => HttpResponse::Ok().body(upload.name),
        Err(error) => error.error_response(),
    })
}
