//! A fake hub on loopback: one repository, its commit, its tree in pages, and its files with ranges; weights are in Git LFS. It can be made
//! to fail in the ways that networks and mirrors fail, and records every request.

use std::{
    collections::{BTreeMap, HashMap},
    io::{BufRead as _, BufReader, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use serde_json::{Value, json};
use sha1::Digest as _;

/// A received request.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) headers: HashMap<String, String>,
}

/// What goes wrong with a response.
#[derive(Clone, Debug)]
pub(super) enum Fault {
    /// The connection closes after this many bytes of the body.
    BreakAfter(usize),
    /// An error without a body.
    Status(u16),
    /// The whole file, whatever the requested range.
    IgnoreRange,
    /// 302 to the same path on another server, as a hub does for large files.
    RedirectTo(String),
    /// 206 with a Content-Range that starts this many bytes later than requested.
    OtherRange(usize),
    /// 416, as from a server that holds a shorter file.
    NoSuchRange,
    /// The right number of bytes with different content.
    OtherBytes,
    /// 200 and an HTML page with an error.
    Page,
    /// The whole file without a length, or its first bytes up to this many; then the connection closes.
    NoLength(Option<usize>),
    /// A body declared as compressed.
    Encoded,
}

struct State {
    files: BTreeMap<String, Vec<u8>>,
    commit: String,
    requests: Mutex<Vec<Request>>,
    /// By file and by number of the GET of that file (from 1).
    faults: Mutex<HashMap<(String, usize), Fault>>,
    gets: Mutex<HashMap<String, usize>>,
    refusal: Mutex<Option<(u16, Option<String>)>>,
    stopping: AtomicBool,
}

/// The server; it stops when dropped.
pub(super) struct HubServer {
    state: Arc<State>,
    address: SocketAddr,
}

impl HubServer {
    pub(super) fn start(files: BTreeMap<String, Vec<u8>>, commit: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State {
            files,
            commit: commit.into(),
            requests: Mutex::default(),
            faults: Mutex::default(),
            gets: Mutex::default(),
            refusal: Mutex::default(),
            stopping: AtomicBool::new(false),
        });
        let served = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if served.stopping.load(Ordering::SeqCst) {
                    break;
                }
                let state = Arc::clone(&served);
                // The client has to notice an interrupted connection.
                std::thread::spawn(move || stream.map(|stream| state.answer(&stream)));
            }
        });
        Self { state, address }
    }

    pub(super) fn address(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(super) fn requests(&self) -> Vec<Request> {
        self.state.requests.lock().unwrap().clone()
    }

    /// The `nth` GET of a file fails with `fault`.
    pub(super) fn fault(&self, file: &str, nth: usize, fault: Fault) {
        self.state.faults.lock().unwrap().insert((file.into(), nth), fault);
    }

    pub(super) fn clear_faults(&self) {
        self.state.faults.lock().unwrap().clear();
    }

    /// Every request gets this status and error code.
    pub(super) fn refuse(&self, status: u16, code: Option<&str>) {
        *self.state.refusal.lock().unwrap() = Some((status, code.map(str::to_owned)));
    }
}

impl Drop for HubServer {
    fn drop(&mut self) {
        self.state.stopping.store(true, Ordering::SeqCst);
        // Wakes the accepting thread, which then closes the listener.
        let _ = TcpStream::connect(self.address);
    }
}

impl State {
    fn answer(&self, mut stream: &TcpStream) -> std::io::Result<()> {
        let Some(request) = read(stream)? else { return Ok(()) };
        self.requests.lock().unwrap().push(request.clone());
        if let Some((status, code)) = self.refusal.lock().unwrap().clone() {
            let headers = code.map_or(String::new(), |code| format!("X-Error-Code: {code}\r\n"));
            return head(stream, status, &headers, 0);
        }
        let path = request.path.split('?').next().unwrap_or_default();
        if path == "/api/models/someone/tiny/revision/main" {
            let siblings: Vec<Value> = self.files.keys().map(|name| json!({"rfilename": name})).collect();
            return send_json(stream, "", &json!({"id": "someone/tiny", "sha": self.commit, "siblings": siblings}));
        }
        if path == format!("/api/models/someone/tiny/tree/{}", self.commit) {
            let half = self.files.len() / 2;
            let entries = self.files.iter().map(|(name, bytes)| entry(name, bytes));
            if request.path.contains("cursor=half") {
                return send_json(stream, "", &entries.skip(half).collect());
            }
            // As a mirror passes it on: with the address of the hub behind it, which clients must not follow.
            let next = format!("Link: <https://hub.invalid{path}?recursive=true&cursor=half>; rel=\"next\"\r\n");
            return send_json(
                stream,
                &next,
                &entries.take(half).chain([json!({"type": "directory", "oid": "d", "path": "unet"})]).collect(),
            );
        }
        let name = path.strip_prefix(&format!("/someone/tiny/resolve/{}/", self.commit)).unwrap_or_default();
        let Some(bytes) = self.files.get(name) else { return head(stream, 404, "X-Error-Code: EntryNotFound\r\n", 0) };
        let common = format!("ETag: \"{}\"\r\nX-Repo-Commit: {}\r\nAccept-Ranges: bytes\r\n", blob(name, bytes), self.commit);
        let nth = {
            let mut gets = self.gets.lock().unwrap();
            let count = gets.entry(name.to_owned()).or_default();
            *count += 1;
            *count
        };
        let fault = self.faults.lock().unwrap().get(&(name.to_owned(), nth)).cloned();
        let from = request.headers.get("range").map(|range| range.strip_prefix("bytes=").unwrap().strip_suffix('-').unwrap());
        let from = from.map(|from| from.parse::<usize>().unwrap()).filter(|_| !matches!(fault, Some(Fault::IgnoreRange)));
        let ranged = |from: usize| format!("{common}Content-Range: bytes {from}-{}/{}\r\n", bytes.len() - 1, bytes.len());
        let (status, headers, body) = match from {
            None => (200, common.clone(), bytes.as_slice()),
            Some(from) => (206, ranged(from), &bytes[from..]),
        };
        match fault {
            Some(Fault::Status(status)) => head(stream, status, "", 0),
            Some(Fault::RedirectTo(other)) => head(stream, 302, &format!("{common}Location: {other}{path}\r\n"), 0),
            Some(Fault::BreakAfter(length)) => {
                head(stream, status, &headers, body.len())?;
                stream.write_all(&body[..length.min(body.len())])
            }
            Some(Fault::OtherRange(later)) => {
                let body = &body[later..];
                head(stream, 206, &ranged(bytes.len() - body.len()), body.len())?;
                stream.write_all(body)
            }
            Some(Fault::NoSuchRange) => head(stream, 416, &format!("Content-Range: bytes */{}\r\n", bytes.len()), 0),
            Some(Fault::OtherBytes) => {
                head(stream, status, &headers, body.len())?;
                stream.write_all(&body.iter().map(|byte| byte ^ 1).collect::<Vec<_>>())
            }
            Some(Fault::Page) => {
                let page = b"<html>Please log in to this network</html>";
                head(stream, 200, "Content-Type: text/html\r\n", page.len())?;
                stream.write_all(page)
            }
            Some(Fault::NoLength(length)) => {
                write!(stream, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")?;
                stream.write_all(&bytes[..length.unwrap_or(bytes.len())])
            }
            Some(Fault::Encoded) => {
                head(stream, status, &format!("{headers}Content-Encoding: gzip\r\n"), body.len())?;
                stream.write_all(body)
            }
            None | Some(Fault::IgnoreRange) => {
                head(stream, status, &headers, body.len())?;
                stream.write_all(body)
            }
        }
    }
}

/// The name of a file's blob in a cache: the SHA-256 of its content if it is in Git LFS, else its git id.
pub(super) fn blob(name: &str, bytes: &[u8]) -> String {
    if is_lfs(name) { hex(&sha2::Sha256::digest(bytes)) } else { git_id(bytes) }
}

/// The git id of a file's object: the file itself, or the pointer to its content in Git LFS.
pub(super) fn git_blob(name: &str, bytes: &[u8]) -> String {
    let pointer = || format!("version https://git-lfs.github.com/spec/v1\noid sha256:{}\nsize {}\n", blob(name, bytes), bytes.len());
    if is_lfs(name) { git_id(pointer().as_bytes()) } else { git_id(bytes) }
}

fn is_lfs(name: &str) -> bool {
    name.ends_with(".safetensors") || name.ends_with(".bin")
}

fn git_id(bytes: &[u8]) -> String {
    hex(&sha1::Sha1::new().chain_update(format!("blob {}\0", bytes.len())).chain_update(bytes).finalize())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn entry(name: &str, bytes: &[u8]) -> Value {
    let mut entry = json!({"type": "file", "oid": git_blob(name, bytes), "size": bytes.len(), "path": name});
    if is_lfs(name) {
        entry["lfs"] = json!({"oid": blob(name, bytes), "size": bytes.len(), "pointerSize": 134});
        entry["xetHash"] = json!("c".repeat(64));
    }
    entry
}

fn send_json(mut stream: &TcpStream, headers: &str, value: &Value) -> std::io::Result<()> {
    let body = value.to_string();
    head(stream, 200, &format!("Content-Type: application/json\r\n{headers}"), body.len())?;
    stream.write_all(body.as_bytes())
}

fn head(mut stream: &TcpStream, status: u16, headers: &str, length: usize) -> std::io::Result<()> {
    write!(stream, "HTTP/1.1 {status} Status\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n")
}

fn read(stream: &TcpStream) -> std::io::Result<Option<Request>> {
    let mut lines = BufReader::new(stream).lines();
    let Some(first) = lines.next().transpose()? else { return Ok(None) };
    let mut words = first.split(' ').map(str::to_owned);
    let (Some(method), Some(path)) = (words.next(), words.next()) else { return Ok(None) };
    let mut headers = HashMap::new();
    for line in lines {
        let line = line?;
        let Some((name, value)) = line.split_once(':') else { break };
        headers.insert(name.to_lowercase(), value.trim().to_owned());
    }
    Ok(Some(Request { method, path, headers }))
}
