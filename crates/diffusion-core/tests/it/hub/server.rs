//! A server on loopback that has the shape of a hub: one repository, its commit, its tree, and its files with ranges. It can be told to
//! fail in the ways that networks fail, and remembers every request.

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

/// A request as it came.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) headers: HashMap<String, String>,
}

/// What goes wrong with an answer.
#[derive(Clone, Debug)]
pub(super) enum Fault {
    /// The connection closes after so many bytes of the body.
    BreakAfter(usize),
    /// An error without a body.
    Status(u16),
    /// The whole file, whatever range was asked for.
    IgnoreRange,
    /// 302 to the same path on another server, as a hub does for large files.
    RedirectTo(String),
}

struct State {
    files: BTreeMap<String, Vec<u8>>,
    commit: String,
    requests: Mutex<Vec<Request>>,
    /// By file and by the how-manieth GET of that file (from 1).
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
                // A connection that breaks is the client's to notice.
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

    /// The `nth` GET of a file goes wrong.
    pub(super) fn fault(&self, file: &str, nth: usize, fault: Fault) {
        self.state.faults.lock().unwrap().insert((file.into(), nth), fault);
    }

    pub(super) fn clear_faults(&self) {
        self.state.faults.lock().unwrap().clear();
    }

    /// Everything is answered with this status and error code.
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
            return send_json(stream, &json!({"id": "someone/tiny", "sha": self.commit, "siblings": siblings}));
        }
        if path == format!("/api/models/someone/tiny/tree/{}", self.commit) {
            let tree: Vec<Value> = self
                .files
                .iter()
                .map(|(name, bytes)| entry(name, bytes))
                .chain([json!({"type": "directory", "oid": "d", "path": "unet"})])
                .collect();
            return send_json(stream, &Value::from(tree));
        }
        let name = path.strip_prefix(&format!("/someone/tiny/resolve/{}/", self.commit)).unwrap_or_default();
        let Some(bytes) = self.files.get(name) else { return head(stream, 404, "X-Error-Code: EntryNotFound\r\n", 0) };
        let common = format!("ETag: \"{}\"\r\nX-Repo-Commit: {}\r\nAccept-Ranges: bytes\r\n", oid(bytes), self.commit);
        if request.method == "HEAD" {
            return head(stream, 200, &format!("{common}X-Linked-Size: {}\r\n", bytes.len()), bytes.len());
        }
        let nth = {
            let mut gets = self.gets.lock().unwrap();
            let count = gets.entry(name.to_owned()).or_default();
            *count += 1;
            *count
        };
        let fault = self.faults.lock().unwrap().get(&(name.to_owned(), nth)).cloned();
        let range = match fault {
            Some(Fault::IgnoreRange) => None,
            Some(_) | None => request.headers.get("range").and_then(|range| range.strip_prefix("bytes=")?.split_once('-')),
        };
        let (status, range) = match range {
            None => (200, 0..bytes.len()),
            Some((start, end)) => (206, start.parse().unwrap()..bytes.len().min(end.parse::<usize>().unwrap() + 1)),
        };
        let body = &bytes[range];
        match fault {
            Some(Fault::Status(status)) => head(stream, status, "", 0),
            Some(Fault::RedirectTo(other)) => head(stream, 302, &format!("{common}Location: {other}{path}\r\n"), 0),
            Some(Fault::BreakAfter(length)) => {
                head(stream, status, &common, body.len())?;
                stream.write_all(&body[..length.min(body.len())])
            }
            None | Some(Fault::IgnoreRange) => {
                head(stream, status, &common, body.len())?;
                stream.write_all(body)
            }
        }
    }
}

/// Some identity of the content, as git has one.
fn oid(bytes: &[u8]) -> String {
    let hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325, |state: u64, byte| (state ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3));
    format!("{hash:040x}")
}

fn entry(name: &str, bytes: &[u8]) -> Value {
    json!({"type": "file", "oid": oid(bytes), "size": bytes.len(), "path": name})
}

fn send_json(mut stream: &TcpStream, value: &Value) -> std::io::Result<()> {
    let body = value.to_string();
    head(stream, 200, "Content-Type: application/json\r\n", body.len())?;
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
