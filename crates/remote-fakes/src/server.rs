//! An HTTP/1.1 server on loopback that records requests and can break off answers.
//!
//! It must not know any provider, and must not change requests. A body longer than [`MAX_BODY`] closes the connection.

use std::{
    fmt, io,
    sync::{Arc, Mutex, PoisonError},
};

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

use crate::Recorded;

/// The maximum size of a request's head, in bytes.
const MAX_HEAD: usize = 64 << 10;
/// The maximum size of a body, in bytes.
const MAX_BODY: usize = 256 << 20;

/// A fake's answer to a request.
#[derive(Clone, PartialEq, Eq)]
pub struct Reply {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    end: End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Whole,
    Stall,
    CloseAfter(usize),
}

impl Reply {
    /// An answer without a body.
    pub fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new(), end: End::Whole }
    }

    /// A JSON answer.
    pub fn json(status: u16, body: &Value) -> Self {
        Self::bytes(status, "application/json", body.to_string())
    }

    /// An answer of bytes with a media type.
    pub fn bytes(status: u16, media_type: &str, body: impl Into<Vec<u8>>) -> Self {
        Self { body: body.into(), ..Self::empty(status) }.header("content-type", media_type)
    }

    /// The same, with one more header.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl fmt::Display) -> Self {
        self.headers.push((name.to_owned(), value.to_string()));
        self
    }

    /// The same, but it is never sent.
    #[must_use]
    pub fn stall(mut self) -> Self {
        self.end = End::Stall;
        self
    }

    /// The same, but the connection closes after this many bytes of the body; with 0, before the head.
    #[must_use]
    pub fn close_after(mut self, bytes: usize) -> Self {
        self.end = End::CloseAfter(bytes);
        self
    }

    /// The head as sent.
    fn head(&self) -> String {
        let mut head = format!("HTTP/1.1 {} Fake\r\n", self.status);
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if self.status != 204 && self.status != 304 {
            head.push_str(&format!("content-length: {}\r\n", self.body.len()));
        }
        head + "\r\n"
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?} ({} bytes, {:?})", self.status, self.headers, self.body.len(), self.end)
    }
}

/// A running server; dropping it stops it.
#[derive(Debug)]
pub struct Server {
    port: u16,
    requests: Arc<Mutex<Vec<Recorded>>>,
    _listening: JoinSet<()>,
}

impl Server {
    /// Listens on a free port of 127.0.0.1, and answers each request with the handler's reply.
    ///
    /// # Errors
    /// If no port can be opened.
    pub async fn start(handler: impl Fn(&Recorded) -> Reply + Send + Sync + 'static) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let port = listener.local_addr()?.port();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (handler, kept): (Arc<Handler>, _) = (Arc::new(handler), requests.clone());
        let mut listening = JoinSet::new();
        listening.spawn(async move {
            // Dropped with the listener, together with its connections.
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                while connections.try_join_next().is_some() {}
                connections.spawn(serve(stream, handler.clone(), kept.clone()));
            }
        });
        Ok(Self { port, requests, _listening: listening })
    }

    /// The base URL: "http://127.0.0.1:40000".
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// All requests so far.
    pub fn requests(&self) -> Vec<Recorded> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

type Handler = dyn Fn(&Recorded) -> Reply + Send + Sync;

/// Serves one connection until it is closed or a request is malformed.
async fn serve(mut stream: TcpStream, handler: Arc<Handler>, requests: Arc<Mutex<Vec<Recorded>>>) {
    // An answer's head and body are written separately: with Nagle's algorithm the body would wait 40 ms for the head's acknowledgement.
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let mut buffer = Vec::new();
    while let Ok(Some(request)) = read_request(&mut stream, &mut buffer).await {
        let reply = handler(&request);
        let without_body = request.method == "HEAD";
        let closing = request.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
        requests.lock().unwrap_or_else(PoisonError::into_inner).push(request);
        if write_reply(&mut stream, &reply, without_body).await.is_err() || reply.end != End::Whole || closing {
            return;
        }
    }
}

async fn write_reply(stream: &mut TcpStream, reply: &Reply, without_body: bool) -> io::Result<()> {
    let sent = match reply.end {
        End::Whole => reply.body.len(),
        End::Stall => {
            // Until the client closes the connection.
            while stream.read(&mut [0; 64]).await? != 0 {}
            return Ok(());
        }
        End::CloseAfter(0) => return Ok(()),
        End::CloseAfter(bytes) => bytes.min(reply.body.len()),
    };
    stream.write_all(reply.head().as_bytes()).await?;
    if !without_body {
        stream.write_all(reply.body.get(..sent).unwrap_or_default()).await?;
    }
    stream.flush().await
}

/// Reads the next request; `None` if the connection is closed before it.
async fn read_request(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> io::Result<Option<Recorded>> {
    let (mut request, head) = loop {
        if let Some(found) = parse_head(buffer)? {
            break found;
        }
        if buffer.len() > MAX_HEAD {
            return Err(malformed("the head is too long"));
        }
        if stream.read_buf(buffer).await? == 0 {
            return Ok(None);
        }
    };
    buffer.drain(..head);
    if request.header("expect").is_some_and(|value| value.eq_ignore_ascii_case("100-continue")) {
        stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
    }
    request.body = match (request.header("transfer-encoding"), request.header("content-length")) {
        (Some(coding), _) if coding.eq_ignore_ascii_case("chunked") => read_chunks(stream, buffer).await?,
        (Some(_), _) => return Err(malformed("unknown transfer coding")),
        (None, Some(length)) => {
            let length = length.parse().map_err(|_| malformed("content-length is no number"))?;
            take(stream, buffer, length).await?
        }
        (None, None) => Vec::new(),
    };
    Ok(Some(request))
}

/// Parses the request head in the buffer; returns it with its length, or `None` if it is incomplete.
fn parse_head(buffer: &[u8]) -> io::Result<Option<(Recorded, usize)>> {
    let mut headers = [httparse::EMPTY_HEADER; 100];
    let mut parsed = httparse::Request::new(&mut headers);
    let httparse::Status::Complete(length) = parsed.parse(buffer).map_err(|_| malformed("the head is no HTTP"))? else {
        return Ok(None);
    };
    let target = parsed.path.unwrap_or_default();
    let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query.to_owned())));
    let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    let headers = parsed.headers.iter().map(|header| (header.name.to_ascii_lowercase(), text(header.value))).collect();
    let method = parsed.method.unwrap_or_default().to_owned();
    let request = Recorded { method, path: path.to_owned(), query, headers, body: Vec::new() };
    Ok(Some((request, length)))
}

async fn read_chunks(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let line = read_line(stream, buffer).await?;
        let size = line.split(';').next().unwrap_or_default().trim();
        let size = usize::from_str_radix(size, 16).map_err(|_| malformed("a chunk's size is no number"))?;
        if size == 0 {
            // Trailers are ignored; an empty line ends them.
            while !read_line(stream, buffer).await?.is_empty() {}
            return Ok(body);
        }
        body.extend(take(stream, buffer, size).await?);
        if body.len() > MAX_BODY || !read_line(stream, buffer).await?.is_empty() {
            return Err(malformed("a chunk is longer than it says, or the body than allowed"));
        }
    }
}

/// Reads a line, without its line end.
async fn read_line(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> io::Result<String> {
    loop {
        if let Some(end) = buffer.windows(2).position(|pair| pair == b"\r\n") {
            let line = buffer.drain(..end + 2).take(end).collect();
            return String::from_utf8(line).map_err(|_| malformed("a line is no text"));
        }
        if buffer.len() > MAX_HEAD || stream.read_buf(buffer).await? == 0 {
            return Err(malformed("the body breaks off"));
        }
    }
}

/// Reads exactly this many bytes.
async fn take(stream: &mut TcpStream, buffer: &mut Vec<u8>, length: usize) -> io::Result<Vec<u8>> {
    if length > MAX_BODY {
        return Err(malformed("the body is too long"));
    }
    while buffer.len() < length {
        if stream.read_buf(buffer).await? == 0 {
            return Err(malformed("the body breaks off"));
        }
    }
    Ok(buffer.drain(..length).collect())
}

fn malformed(why: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}
