//! Attacks with headers: foreign hosts, pages of other origins, ambiguous framing, spoofed names. None of them makes a job.

use server::ServerSettings;

use super::{exchange, request};
use crate::fake::{Running, engine};

async fn server() -> Running {
    Running::with_settings(ServerSettings::default(), engine(4).await).await
}

/// The row's name, the target, the lines that name a host, and the status that refuses them. `PORT` is the server's.
const HOSTS: [(&str, &str, &[&str], u16); 29] = [
    ("another's name", "/health", &["Host: evil.com"], 421),
    ("another's name and our port", "/health", &["Host: evil.com:PORT"], 421),
    ("our name below another's", "/health", &["Host: localhost.evil.com"], 421),
    ("our address below another's", "/health", &["Host: 127.0.0.1.evil.com"], 421),
    ("our name at another's end", "/health", &["Host: evil-localhost"], 421),
    ("a name that is bound to us", "/health", &["Host: 7f000001.c0a80001.rbndr.us"], 421),
    ("a name that tells our address", "/health", &["Host: 127-0-0-1.nip.io"], 421),
    ("our address as a number", "/health", &["Host: 2130706433"], 421),
    ("our address with a part left out", "/health", &["Host: 127.1"], 421),
    ("our address in hexadecimal", "/health", &["Host: 0x7f000001"], 421),
    ("any address", "/health", &["Host: 0.0.0.0"], 421),
    ("a neighbour's address", "/health", &["Host: 192.168.0.10"], 421),
    ("a cloud's metadata", "/health", &["Host: 169.254.169.254"], 421),
    ("another address of IPv6", "/health", &["Host: [fd00::1]"], 421),
    ("ours as they forwarded it", "/health", &["Host: evil.com", "X-Forwarded-Host: localhost"], 421),
    ("ours as they standardly forwarded it", "/health", &["Host: evil.com", "Forwarded: host=localhost"], 421),
    ("ours in a header that some trust", "/health", &["Host: evil.com", "X-Host: localhost", "X-Original-Host: localhost"], 421),
    ("a user's name before it", "/health", &["Host: localhost@evil.com"], 400),
    ("a user's name before ours", "/health", &["Host: evil.com@localhost"], 400),
    ("two in one line", "/health", &["Host: localhost, evil.com"], 400),
    ("a space in it", "/health", &["Host: localhost evil.com"], 400),
    ("a path behind it", "/health", &["Host: localhost/evil.com"], 400),
    ("nothing", "/health", &["Host: "], 400),
    ("no such line", "/health", &[], 400),
    ("two lines", "/health", &["Host: localhost", "Host: evil.com"], 400),
    ("two lines, ours last", "/health", &["Host: evil.com", "Host: localhost"], 400),
    ("an absolute target of another's", "http://evil.com/health", &["Host: localhost"], 400),
    ("an absolute target of ours", "http://localhost/health", &["Host: evil.com"], 400),
    ("both another's", "http://evil.com/health", &["Host: evil.com"], 421),
];

#[actix_web::test]
async fn foreign_hosts_are_refused() {
    let server = server().await;
    let mut wrong = Vec::new();
    for (name, target, lines, status) in HOSTS {
        let lines: Vec<_> = lines.iter().map(|line| line.replace("PORT", &server.address.port().to_string())).collect();
        let lines: Vec<_> = lines.iter().map(String::as_str).collect();
        let answer = exchange(server.address, request(&format!("GET {target}"), &lines, "")).await;
        if answer.status() != status || answer.0.contains("healthy") {
            wrong.push((name, answer.0));
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");
    for host in ["localhost", "LOCALHOST:1", "localhost.", "127.0.0.1", "127.0.0.1:9999", "[::1]:80", "127.9.9.9"] {
        let answer = exchange(server.address, request("GET /health", &[&format!("Host: {host}")], "")).await;
        assert_eq!(answer.status(), 200, "{host}: {}", answer.0);
    }
    let absolute = exchange(server.address, request("GET http://localhost/health", &["Host: localhost"], "")).await;
    assert_eq!(absolute.status(), 200, "{}", absolute.0);
}

const JSON: &str = "Content-Type: application/json";
const BODY: &str = r#"{"prompt": "slow"}"#;

/// The row's name, the request line, the headers that tell its origin, and the status that refuses it. `HOST` is the server's.
const ORIGINS: [(&str, &str, &[&str], u16); 31] = [
    ("another page", "POST /generate", &["Origin: https://evil.com", JSON], 403),
    ("another page that asks for nothing of note", "POST /generate", &["Origin: https://evil.com", "Content-Type: text/plain"], 403),
    ("a form of another page", "POST /generate", &["Origin: https://evil.com", "Content-Type: application/x-www-form-urlencoded"], 403),
    ("a form with a file", "POST /generate", &["Origin: https://evil.com", "Content-Type: multipart/form-data; boundary=x"], 403),
    ("a form without an origin", "POST /generate", &["Content-Type: text/plain"], 415),
    ("no type and another page", "POST /generate", &["Origin: https://evil.com"], 403),
    ("a frame that is nobody's", "POST /generate", &["Origin: null", JSON], 403),
    ("a file on this machine", "POST /generate", &["Origin: file://", JSON], 403),
    ("an extension", "POST /generate", &["Origin: chrome-extension://abcdefghijklmnop", JSON], 403),
    ("another port of this machine", "POST /generate", &["Origin: http://localhost:1", JSON], 403),
    ("the port that http implies", "POST /generate", &["Origin: http://localhost", JSON], 403),
    ("this machine by another name", "POST /generate", &["Origin: http://127.0.0.1:PORT", JSON], 403),
    ("our origin and more", "POST /generate", &["Origin: http://HOST.evil.com", JSON], 403),
    ("our host below another's", "POST /generate", &["Origin: http://localhost.evil.com:PORT", JSON], 403),
    ("another's name that ends as ours", "POST /generate", &["Origin: http://evil-localhost:PORT", JSON], 403),
    ("our host as a user's name", "POST /generate", &["Origin: http://HOST@evil.com", JSON], 403),
    ("a user's name before our host", "POST /generate", &["Origin: http://evil.com@HOST", JSON], 403),
    ("our host as a path", "POST /generate", &["Origin: http://evil.com/HOST", JSON], 403),
    ("our origin with a path", "POST /generate", &["Origin: http://HOST/", JSON], 403),
    ("our host without a scheme", "POST /generate", &["Origin: HOST", JSON], 403),
    ("our host by another protocol", "POST /generate", &["Origin: ftp://HOST", JSON], 403),
    ("an origin that is empty", "POST /generate", &["Origin: ", JSON], 403),
    ("two origins", "POST /generate", &["Origin: http://HOST", "Origin: https://evil.com", JSON], 403),
    ("two origins in one line", "POST /generate", &["Origin: http://HOST https://evil.com", JSON], 403),
    ("a fetch across sites", "POST /generate", &["Sec-Fetch-Site: cross-site", JSON], 403),
    ("a fetch across ports", "POST /generate", &["Sec-Fetch-Site: same-site", JSON], 403),
    ("a fetch across sites that says our origin", "POST /generate", &["Origin: http://HOST", "Sec-Fetch-Site: cross-site", JSON], 403),
    ("a fetch of a kind that is unknown", "POST /generate", &["Sec-Fetch-Site: other", JSON], 403),
    ("a reading request with a body", "GET /health", &["Origin: https://evil.com", JSON], 403),
    ("a question before the request", "OPTIONS /generate", &["Origin: https://evil.com", "Access-Control-Request-Method: POST"], 403),
    (
        "what we call ourselves is what they forwarded",
        "POST /generate",
        &["Origin: https://evil.com", "X-Forwarded-Host: evil.com", JSON],
        403,
    ),
];

#[actix_web::test]
async fn pages_of_other_origins_make_no_job() {
    let server = server().await;
    let port = server.address.port();
    let host = format!("localhost:{port}");
    let host_line = format!("Host: {host}");
    let length = format!("Content-Length: {}", BODY.len());
    let mut wrong = Vec::new();
    for (name, first, lines, status) in ORIGINS {
        let lines: Vec<_> = lines.iter().map(|line| line.replace("HOST", &host).replace("PORT", &port.to_string())).collect();
        let mut all = vec![host_line.as_str(), &length];
        all.extend(lines.iter().map(String::as_str));
        let answer = exchange(server.address, request(first, &all, BODY)).await;
        if answer.status() != status || answer.header("access-control-allow-origin").is_some() {
            wrong.push((name, answer.0));
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");
    assert_eq!(server.jobs.active(), 0);
    // Our own page, and a program.
    for lines in [vec!["Origin: http://HOST", "Sec-Fetch-Site: same-origin"], vec!["Origin: https://HOST"], vec![]] {
        let lines: Vec<_> = lines.iter().map(|line| line.replace("HOST", &host)).collect();
        let body = r#"{"prompt": "a boat", "num_inference_steps": 1}"#;
        let length = format!("Content-Length: {}", body.len());
        let mut all = vec![host_line.as_str(), JSON, &length];
        all.extend(lines.iter().map(String::as_str));
        assert_eq!(exchange(server.address, request("POST /generate", &all, body)).await.status(), 200, "{lines:?}");
    }
}

/// Requests whose length or method is ambiguous, as on the wire; each is refused and its connection closed, so that the data after it is
/// not taken for a request.
const FRAMING: [(&str, &str, u16); 18] = [
    ("two lengths", "POST /generate HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nContent-Length: 44\r\n\r\nNEXT", 400),
    ("the same length twice", "POST /generate HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n{}NEXT", 400),
    ("two lengths in a line", "POST /generate HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2, 2\r\n\r\n{}NEXT", 400),
    ("a length with a sign", "POST /generate HTTP/1.1\r\nHost: localhost\r\nContent-Length: +2\r\n\r\n{}NEXT", 400),
    ("a negative length", "POST /generate HTTP/1.1\r\nHost: localhost\r\nContent-Length: -2\r\n\r\n{}NEXT", 400),
    ("a length in hexadecimal", "POST /generate HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0x2\r\n\r\n{}NEXT", 400),
    ("a length beyond numbers", "POST /generate HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999999999999\r\n\r\n{}NEXT", 400),
    (
        "a length and chunks",
        "POST /generate HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nNEXT",
        400,
    ),
    (
        "chunks and a length",
        "POST /generate HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\nNEXT",
        400,
    ),
    (
        "chunks twice",
        "POST /generate HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\nNEXT",
        400,
    ),
    ("chunks of an unknown kind", "POST /generate HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\nNEXT", 400),
    (
        "chunks before another coding",
        "POST /generate HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\nNEXT",
        400,
    ),
    ("a space before the colon", "POST /generate HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\nNEXT", 400),
    ("chunks before there were any", "POST /generate HTTP/1.0\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nNEXT", 400),
    ("a line that goes on in the next", "POST /generate HTTP/1.1\r\nHost: localhost\r\nX-A: b\r\n Content-Length: 2\r\n\r\n{}NEXT", 400),
    ("a NUL in the head", "GET /health HTTP/1.1\r\nHost: localhost\r\nX-A: b\0c\r\n\r\nNEXT", 400),
    ("a carriage return in the head", "GET /health HTTP/1.1\r\nHost: localhost\r\nX-A: b\rX-B: c\r\n\r\nNEXT", 400),
    ("a head without end", "GET /health HTTP/1.1\r\nHost: localhost\r\nX-Long: LONG", 431),
];

#[actix_web::test]
async fn ambiguous_requests_are_refused() {
    let server = server().await;
    let next = "GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let mut wrong = Vec::new();
    for (name, bytes, status) in FRAMING {
        let bytes = bytes.replace("NEXT", next).replace("LONG", &"x".repeat(400_000));
        let answer = exchange(server.address, bytes).await;
        if answer.status() != status || answer.0.contains("openapi") {
            wrong.push((name, answer.0));
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");
    assert_eq!(server.jobs.active(), 0);
}

/// Attempts to override the method, which some servers honour.
const METHODS: [(&str, &str, &[&str]); 5] = [
    ("a header", "GET /generate", &["X-HTTP-Method-Override: POST"]),
    ("another header", "GET /generate", &["X-HTTP-Method: POST", "X-Method-Override: POST"]),
    ("a query", "GET /generate?_method=POST", &[]),
    ("a method that there is not", "GENERATE /generate", &[]),
    ("an echo", "TRACE /generate", &["Authorization: Bearer secret"]),
];

#[actix_web::test]
async fn only_the_request_line_sets_the_method() {
    let server = server().await;
    for (name, first, lines) in METHODS {
        let length = format!("Content-Length: {}", BODY.len());
        let mut all = vec!["Host: localhost", JSON, &length];
        all.extend(lines);
        let answer = exchange(server.address, request(first, &all, BODY)).await;
        assert_eq!((answer.status(), answer.0.contains("secret")), (405, false), "{name}: {}", answer.0);
    }
    assert_eq!(server.jobs.active(), 0);
}

/// Invalid values of `X-Request-Id`: the answer has a new one instead.
const REQUEST_IDS: [(&str, &[&str]); 9] = [
    ("empty", &["X-Request-Id: "]),
    ("a space in it", &["X-Request-Id: a b"]),
    ("a tab in it", &["X-Request-Id: a\tb"]),
    ("too long", &["X-Request-Id: LONG"]),
    ("no ASCII", &["X-Request-Id: caf\u{e9}"]),
    ("letters that are not seen", &["X-Request-Id: a\u{202e}b"]),
    ("two", &["X-Request-Id: a", "X-Request-Id: b"]),
    ("a second line in it", &["X-Request-Id: a b\r\nX-Evil: 1"]),
    ("a colour of the terminal", &["X-Request-Id: \u{9b}31m"]),
];

#[actix_web::test]
async fn a_request_id_is_one_word_or_a_new_one() {
    let server = server().await;
    for (name, lines) in REQUEST_IDS {
        let lines: Vec<_> = lines.iter().map(|line| line.replace("LONG", &"x".repeat(129))).collect();
        let mut all = vec!["Host: localhost"];
        all.extend(lines.iter().map(String::as_str));
        let answer = exchange(server.address, request("GET /health", &all, "")).await;
        assert_eq!((answer.status(), answer.header("x-evil")), (200, None), "{name}: {}", answer.0);
        assert!(uuid::Uuid::try_parse(answer.header("x-request-id").unwrap()).is_ok(), "{name}: {}", answer.0);
    }
    // Valid values are echoed in every answer.
    let longest = "x".repeat(128);
    for (path, host, id) in [("/health", "localhost", "a%0d%0aX-Evil:1"), ("/none", "localhost", "7"), ("/health", "evil.com", &longest)] {
        let all = [format!("Host: {host}"), format!("X-Request-Id: {id}")];
        let answer = exchange(server.address, request(&format!("GET {path}"), &all.each_ref().map(String::as_str), "")).await;
        assert_eq!((answer.header("x-request-id"), answer.header("x-evil")), (Some(id), None), "{}", answer.0);
    }
}
