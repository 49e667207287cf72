//! Servers that answer too much, too slowly, or with something else than they declare.

use std::time::{Duration, Instant};

use guarded_http::{Error, ErrorKind, Fetched, Guard, Limits, Stage};

use crate::{
    scripted::{LIMITS, ScriptedResolver, settings},
    server::{PATIENCE, Server, Step, ok},
};

const SCRIPT: &str = "origin.example 127.0.0.1\nslow.example 127.0.0.1";

async fn fetch_within(steps: Vec<Step>, limits: Limits) -> Result<Fetched, Error> {
    let server = Server::start(move |_| steps.clone()).await;
    let allow = [format!("origin.example:{}", server.port())];
    let guard = Guard::with_resolver(settings(&allow, &[]), ScriptedResolver::new(SCRIPT));
    let url = format!("http://origin.example:{}/path?secret=1", server.port());
    let fetched = guard.get(&url, &limits).await;
    if let Err(error) = &fetched {
        let message = error.to_string();
        assert!(message.starts_with("origin.example: ") && !message.contains('\n'), "{message}");
        for word in ["secret", "path", "127.0.0.1", "smuggled"] {
            assert!(!format!("{message} {error:?}").contains(word), "{error:?}");
        }
    }
    fetched
}

async fn fetch(answer: impl Into<Vec<u8>>) -> Result<Fetched, Error> {
    fetch_within(vec![Step::Send(answer.into())], LIMITS).await
}

#[tokio::test]
async fn an_image_within_the_limits_arrives() {
    let body: Vec<u8> = (0..1000_u32).map(|index| (index % 251) as u8).collect();
    let fetched = fetch(ok("image/png", &body)).await.unwrap();
    assert_eq!(fetched.bytes, body);
    assert_eq!(fetched.final_url.path(), "/path");
    assert_eq!(format!("{fetched:?}"), r#"Fetched { bytes: 1000, host: Some("origin.example"), .. }"#);
    // Chunked, and without a length until the connection closes.
    let chunked =
        "HTTP/1.1 200 OK\r\nContent-Type: IMAGE/PNG; charset=x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
    assert_eq!(fetch(chunked).await.unwrap().bytes, b"abcde");
    let open = "HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\nContent-Encoding: identity\r\n\r\nabc";
    assert_eq!(fetch(open).await.unwrap().bytes, b"abc");
}

#[tokio::test]
async fn an_answer_over_the_limit_is_refused() {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: image/png\r\n";
    let chunk = [b"400\r\n".as_slice(), &[b'x'; 0x400], b"\r\n"].concat();
    let cases = [
        // One byte too many, declared in advance; the body is not awaited.
        vec![Step::Send(format!("{head}Content-Length: 1001\r\n\r\n").into()), Step::Hold],
        vec![Step::Send(format!("{head}Content-Length: 18446744073709551613\r\n\r\n").into()), Step::Hold],
        // Undeclared and endless.
        vec![Step::Send(format!("{head}Transfer-Encoding: chunked\r\n\r\n").into()), Step::SendForever(chunk)],
        vec![Step::Send(format!("{head}\r\n").into()), Step::SendForever(vec![b'x'; 100])],
        // One byte too many, in small chunks.
        vec![Step::Send(format!("{head}\r\n").into()), Step::Send(vec![b'x'; 1001])],
    ];
    for (case, steps) in cases.into_iter().enumerate() {
        let error = fetch_within(steps, LIMITS).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TooLarge, "case {case}: {error}");
        assert_eq!(error.to_string(), "origin.example: the answer has more than 1000 bytes");
    }
}

#[tokio::test]
async fn wrong_lengths_smuggle_nothing_in() {
    // More bytes than declared: the rest is never read, and the connection is not reused.
    let fetched = fetch("HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: 4\r\n\r\ngoodHTTP/1.1 200 smuggled").await.unwrap();
    assert_eq!(fetched.bytes, b"good");
    // Fewer: the answer broke off.
    let error = fetch("HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: 40\r\n\r\nsmuggled").await.unwrap_err();
    assert!(matches!(error, Error::Unreachable { stage: Stage::Body, .. }), "{error:?}");
    // Two lengths, invalid lengths, and an invalid chunk.
    for head in ["Content-Length: 4\r\nContent-Length: 9", "Content-Length: smuggled", "Content-Length: -1"] {
        let error = fetch(format!("HTTP/1.1 200 OK\r\nContent-Type: image/png\r\n{head}\r\n\r\n")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unreachable, "{head}: {error:?}");
    }
    let error = fetch("HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nTransfer-Encoding: chunked\r\n\r\nsmuggled").await.unwrap_err();
    assert!(matches!(error, Error::Unreachable { stage: Stage::Body, .. }), "{error:?}");
}

#[tokio::test]
async fn slow_servers_hit_the_overall_timeout() {
    let limits = Limits { timeout: Duration::from_millis(300), ..LIMITS };
    let head = b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: 900\r\n\r\n".to_vec();
    let pause = Duration::from_millis(20);
    let cases = [
        // Sends nothing; trickles the head; trickles the body; stalls in the middle of the body; sends "100 Continue" again and again.
        vec![Step::Hold],
        vec![Step::Send(b"HTTP/1.1 200 OK\r\nX: ".to_vec()), Step::Trickle(b"x".to_vec(), pause)],
        vec![Step::Send(head.clone()), Step::Trickle(b"x".to_vec(), pause)],
        vec![Step::Send(head), Step::Send(vec![b'x'; 500]), Step::Hold],
        vec![Step::Trickle(b"HTTP/1.1 100 Continue\r\n\r\n".to_vec(), pause)],
    ];
    for (case, steps) in cases.into_iter().enumerate() {
        let started = Instant::now();
        let error = fetch_within(steps, limits).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Timeout, "case {case}: {error:?}");
        assert_eq!(error.to_string(), "origin.example: no complete answer within 300ms");
        assert!(started.elapsed() < PATIENCE && error.is_transient());
    }
}

#[tokio::test]
async fn the_settings_timeout_caps_a_calls_timeout() {
    let server = Server::start(|_| vec![Step::Hold]).await;
    let allow = [format!("origin.example:{}", server.port())];
    let settings = guarded_http::GuardSettings { timeout: Duration::from_millis(200), ..settings(&allow, &[]) };
    let guard = Guard::with_resolver(settings, ScriptedResolver::new(SCRIPT));
    let url = format!("http://origin.example:{}/", server.port());
    assert_eq!(guard.get(&url, &LIMITS).await.unwrap_err().to_string(), "origin.example: no complete answer within 200ms");
    let posted = guard.post(&url, Default::default(), Vec::new(), LIMITS.timeout).await;
    assert_eq!(posted.unwrap_err().kind(), ErrorKind::Timeout);
}

#[tokio::test]
async fn a_declared_type_of_something_else_is_refused_by_name() {
    for (head, claimed) in [
        ("Content-Type: text/html\r\n", "text/html"),
        ("Content-Type: TEXT/HTML; charset=smuggled\r\n", "text/html"),
        ("Content-Type: image/png, text/html\r\n", "text/html"),
        ("Content-Type: text/html; image/png\r\n", "text/html"),
        ("Content-Type: image/png\r\nContent-Type: text/html\r\n", "text/html"),
        ("Content-Type: application/json\r\n", "application/json"),
        ("Content-Type: video/mp4\r\n", "video/mp4"),
        ("Content-Type: text/plain\r\n", "text/plain"),
    ] {
        let error = fetch(format!("HTTP/1.1 200 OK\r\n{head}Content-Length: 8\r\n\r\nsmuggled")).await.unwrap_err();
        let expected = format!("origin.example: the answer is declared as {claimed}, and image/png or image/jpeg is wanted");
        assert_eq!((error.to_string(), error.kind()), (expected, ErrorKind::WrongType), "{head}");
    }
}

#[tokio::test]
async fn uninformative_or_similar_types_are_accepted() {
    let types = [
        "Content-Type: binary/octet-stream",
        "Content-Type: application/octet-stream",
        "Content-Type: application/x-download; name=a.png",
        "Content-Type: image/jpg",
        "Content-Type: IMAGE/PJPEG",
        "Content-Type: image/svg+xml",
        "Content-Type: image/*",
        "Content-Type: jpg",
        "Content-Type: undefined",
        "Content-Type: ",
        "Content-Type: image/png\r\nContent-Type: image/png",
        "X-Content-Type: text/html",
    ];
    for head in types {
        assert_eq!(fetch(format!("HTTP/1.1 200 OK\r\n{head}\r\nContent-Length: 3\r\n\r\nabc")).await.unwrap().bytes, b"abc", "{head}");
    }
    let not_ascii = [b"HTTP/1.1 200 OK\r\nContent-Type: \xff\xfe\r\nContent-Length: 3\r\n\r\nabc".as_slice()].concat();
    assert_eq!(fetch(not_ascii).await.unwrap().bytes, b"abc");
}

#[tokio::test]
async fn a_label_that_is_no_coding_is_ignored() {
    for coding in ["", "identity", "utf-8", "UTF-8", "aws-chunked", "aws-chunked, utf-8", "base64", "binary", "none", "\"\"", "gzipped"] {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Encoding: {coding}\r\nContent-Length: 3\r\n\r\nabc");
        assert_eq!(fetch(head).await.unwrap().bytes, b"abc", "{coding}");
    }
}

#[tokio::test]
async fn compressed_answers_are_not_unpacked() {
    // The head of a gzip file; a bomb would continue. It is never decoded.
    let body = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03";
    for encoding in [
        "gzip",
        "GZIP",
        "x-gzip",
        "br",
        "deflate",
        "zstd",
        "compress",
        "identity, gzip",
        "aws-chunked,gzip",
        "gzip, gzip, gzip",
        "identity\r\nContent-Encoding: gzip",
    ] {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Encoding: {encoding}\r\nContent-Length: 10\r\n\r\n");
        let error = fetch([head.as_bytes(), body].concat()).await.unwrap_err();
        assert_eq!(error.to_string(), "origin.example: the answer is encoded (compressed), which is not undone", "{encoding}");
    }
    // The same through the transfer encoding; an unknown one is read to the end of the connection.
    for encoding in ["gzip, chunked", "gzip", "smuggled"] {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nTransfer-Encoding: {encoding}\r\n\r\n");
        let error = fetch([head.as_bytes(), b"a\r\n", body, b"\r\n0\r\n\r\n"].concat()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WrongType, "{encoding}: {error:?}");
    }
    // Without the header, the bytes are just bytes.
    assert_eq!(fetch(ok("image/png", body)).await.unwrap().bytes, body);
}

#[tokio::test]
async fn statuses_and_garbage_are_distinguished() {
    for status in [204, 400, 401, 404, 418, 429, 500, 503] {
        let error = fetch(format!("HTTP/1.1 {status} smuggled\r\nContent-Length: 0\r\n\r\n")).await.unwrap_err();
        assert_eq!(error.to_string(), format!("origin.example: answered with status {status}"));
        assert_eq!((error.kind(), error.is_transient()), (ErrorKind::Status, status == 429 || status >= 500));
    }
    for garbage in ["smuggled", "SSH-2.0-OpenSSH_9.9\r\n", "", "HTTP/1.1 smuggled\r\n\r\n", "\0\0\0\0"] {
        let error = fetch(garbage).await.unwrap_err();
        assert!(matches!(error, Error::Unreachable { stage: Stage::Answer, .. }), "{garbage:?}: {error:?}");
        assert_eq!(error.to_string(), "origin.example: the server gave no valid answer");
    }
    // An endless head.
    let endless = vec![Step::Send(b"HTTP/1.1 200 OK\r\n".to_vec()), Step::SendForever(b"X: yyyyyyyyyyyyyyyyyyyyyyyy\r\n".repeat(100))];
    let error = fetch_within(endless, LIMITS).await.unwrap_err();
    assert!(matches!(error, Error::Unreachable { stage: Stage::Answer, .. }), "{error:?}");
    let endless = vec![Step::Send(b"HTTP/1.1 200 OK\r\nX: ".to_vec()), Step::SendForever(vec![b'y'; 10_000])];
    let error = fetch_within(endless, LIMITS).await.unwrap_err();
    assert!(matches!(error, Error::Unreachable { stage: Stage::Answer, .. }), "{error:?}");
}

#[tokio::test]
async fn closed_ports_and_plain_servers_behind_https_are_unreachable() {
    let server = Server::start(|_| vec![Step::Send(ok("image/png", b"x"))]).await;
    // Bound but not listening, so that no other process gets the port meanwhile.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let closed = socket.local_addr().unwrap().port();
    let guard = Guard::with_resolver(settings(&["127.0.0.1".to_owned()], &[server.port(), closed]), ScriptedResolver::new(SCRIPT));
    for url in [format!("http://origin.example:{closed}/"), format!("https://origin.example:{}/", server.port())] {
        let error = guard.get(&url, &LIMITS).await.unwrap_err();
        let Error::Unreachable { stage, .. } = &error else { panic!("{url}: {error:?}") };
        assert!(matches!(stage, Stage::Connect | Stage::Setup), "{url}: {error:?}");
    }
    assert!(server.requests().is_empty());
}
