//! Bodies that are too long, too slow, or malformed: each is refused while it is still being sent.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use super::{FileServer, Raw, UPLOAD_BYTES, exchange, images, new_job, request};
use generation_test::PATIENCE;

/// Short enough for a test.
const SHORT: Duration = Duration::from_millis(300);

const FORM: &str = "Content-Type: multipart/form-data; boundary=edge";
const PART: &str = "--edge\r\nContent-Disposition: form-data; name=\"character\"; filename=\"a.png\"\r\nContent-Type: image/png\r\n";

/// A part without a file.
fn field(name: &str, value: &str) -> String {
    format!("--edge\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
}

/// The row's name, the `Content-Type` line, the body in one piece, and the status that refuses it.
fn rows() -> Vec<(&'static str, &'static str, String, u16)> {
    let many = |count: usize| field("a", "b").repeat(count);
    let heads: String = (0..40).map(|number| format!("X-{number}: y\r\n")).collect();
    vec![
        ("no file", FORM, format!("{}--edge--\r\n", field("a", "b")), 422),
        ("a file of another name", FORM, format!("{}--edge--\r\n", field("Character", "b")), 422),
        ("no parts", FORM, "--edge--\r\n".into(), 422),
        ("JSON", "Content-Type: application/json", "{}".into(), 415),
        ("a plain form", "Content-Type: application/x-www-form-urlencoded", "character=x".into(), 415),
        ("another kind of multipart", "Content-Type: multipart/mixed; boundary=edge", format!("{PART}\r\nx\r\n--edge--\r\n"), 415),
        ("no type", "X-Nothing: 1", format!("{PART}\r\nx\r\n--edge--\r\n"), 415),
        ("no boundary", "Content-Type: multipart/form-data", format!("{PART}\r\nx\r\n--edge--\r\n"), 400),
        ("an empty boundary", "Content-Type: multipart/form-data; boundary=\"\"", format!("{PART}\r\nx\r\n--edge--\r\n"), 400),
        ("another boundary", "Content-Type: multipart/form-data; boundary=other", format!("{PART}\r\nx\r\n--edge--\r\n"), 400),
        ("a boundary that never comes", FORM, "x".repeat(3000), 400),
        ("no end", FORM, format!("{PART}\r\nx"), 400),
        ("an end inside of a part's head", FORM, "--edge\r\nContent-Disposition: form-data; na".into(), 400),
        ("a part without a name", FORM, "--edge\r\nContent-Disposition: form-data\r\n\r\nx\r\n--edge--\r\n".into(), 400),
        ("a part without a disposition", FORM, "--edge\r\nContent-Type: image/png\r\n\r\nx\r\n--edge--\r\n".into(), 400),
        ("a part with a hundred heads", FORM, format!("--edge\r\n{heads}\r\nx\r\n--edge--\r\n"), 400),
        ("a head of 100 kB", FORM, format!("--edge\r\nX-Long: {}\r\n\r\nx\r\n--edge--\r\n", "y".repeat(100_000)), 400),
        (
            "a multipart inside",
            FORM,
            format!("{}\r\n\r\nx\r\n--edge--\r\n", PART.replace("image/png", "multipart/mixed; boundary=b").trim_end()),
            400,
        ),
        ("the file twice", FORM, format!("{PART}\r\nx\r\n{PART}\r\ny\r\n--edge--\r\n"), 400),
        ("a thousand parts", FORM, format!("{}--edge--\r\n", many(1000)), 400),
        ("a part longer than it says", FORM, format!("{PART}Content-Length: 1\r\n\r\nxyz\r\n--edge--\r\n"), 400),
        ("a part shorter than it says", FORM, format!("{PART}Content-Length: 100\r\n\r\nxyz\r\n--edge--\r\n"), 400),
        ("a part of a length that is none", FORM, format!("{PART}Content-Length: -1\r\n\r\nxyz\r\n--edge--\r\n"), 400),
        ("a file that is too long by a byte", FORM, format!("{PART}\r\n{}\r\n--edge--\r\n", "x".repeat(UPLOAD_BYTES + 1)), 413),
        ("a long field beside the file", FORM, format!("{}--edge--\r\n", field("a", &"x\n".repeat(UPLOAD_BYTES))), 413),
        ("a long line before the first part", FORM, format!("{}\r\n{PART}", "x".repeat(UPLOAD_BYTES)), 400),
        ("endless lines before the first part", FORM, "x\r\n".repeat(UPLOAD_BYTES), 413),
        ("compressed", "Content-Encoding: gzip\r\nContent-Type: multipart/form-data; boundary=edge", "\u{1f}\u{8b}\u{8}".into(), 400),
    ]
}

#[actix_web::test]
async fn malformed_forms_are_refused() {
    let server = FileServer::start(Vec::new(), PATIENCE).await;
    let mut wrong = Vec::new();
    for (name, kind, body, status) in rows() {
        let length = format!("Content-Length: {}", body.len());
        let answer = exchange(server.address, request("POST /upload-character", &["Host: localhost", kind, &length], &body)).await;
        if answer.status() != status || !answer.body().starts_with(r#"{"detail":"#) {
            wrong.push((name, status, answer.0));
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");
    assert_eq!(server.stored(), Vec::<String>::new());
    // The longest accepted file is read to its end, and then refused because it is not a picture.
    let longest = "x".repeat(UPLOAD_BYTES);
    let answer = images::upload(server.address, "filename=\"a\"", "image/png", longest.as_bytes()).await;
    assert!(answer.body().contains("File must be an image: a PNG"), "{}", answer.0);
}

/// The row's name, the end of the headers, the kind of data (see [`stream`]), and the status that ends it.
const ENDLESS: [(&str, &str, &str, u16); 8] = [
    ("chunks of a file", "Transfer-Encoding: chunked\r\n\r\n", "FILE", 413),
    ("chunks of a part's head", "Transfer-Encoding: chunked\r\n\r\n", "HEAD", 400),
    ("chunks of parts", "Transfer-Encoding: chunked\r\n\r\n", "PARTS", 400),
    ("chunks before the first part", "Transfer-Encoding: chunked\r\n\r\n", "PREAMBLE", 413),
    ("a file of the length that it says", "Content-Length: 1000000000000\r\n\r\n", "FILE", 413),
    ("a length that never comes", "Content-Length: 1000000\r\n\r\n", "SLOWLY", 408),
    ("a chunk that never comes", "Transfer-Encoding: chunked\r\n\r\n", "SLOW CHUNKS", 408),
    ("a part that stops", "Content-Length: 1000000\r\n\r\n", "STOPS", 408),
];

/// The first data, the data that is repeated, and the pause between repetitions.
fn stream(kind: &str, chunked: bool) -> (String, String, Duration) {
    let frame = |text: &str| if chunked { format!("{:x}\r\n{text}\r\n", text.len()) } else { text.to_owned() };
    let part = format!("{PART}\r\n");
    let full = "x".repeat(8192);
    match kind {
        "FILE" => (frame(&part), frame(&full), Duration::ZERO),
        "HEAD" => (frame("--edge\r\nX-Long: "), frame(&full), Duration::ZERO),
        "PARTS" => (String::new(), frame(&field("a", "b")), Duration::ZERO),
        "PREAMBLE" => (String::new(), frame(&format!("{full}\r\n")), Duration::ZERO),
        "SLOWLY" | "SLOW CHUNKS" => (frame(&part), frame("x"), Duration::from_millis(10)),
        "STOPS" => (frame(&part), String::new(), Duration::from_millis(10)),
        other => panic!("{other}"),
    }
}

#[actix_web::test]
async fn an_endless_form_is_cut_off() {
    let patient = FileServer::start(Vec::new(), PATIENCE).await;
    let hurried = FileServer::start(Vec::new(), SHORT).await;
    for (name, framing, kind, status) in ENDLESS {
        let server = if status == 408 { &hurried } else { &patient };
        let (first, again, pause) = stream(kind, framing.starts_with("Transfer"));
        let (mut read, mut write) = TcpStream::connect(server.address).await.unwrap().into_split();
        let head = format!("POST /upload-character HTTP/1.1\r\nHost: localhost\r\n{FORM}\r\n{framing}{first}");
        let sending = tokio::spawn(async move {
            write.write_all(head.as_bytes()).await.unwrap();
            // Fails once the server has closed the connection, which the test waits for.
            while write.write_all(again.as_bytes()).await.is_ok() {
                tokio::time::sleep(pause).await;
                if again.is_empty() {
                    tokio::time::sleep(PATIENCE).await;
                }
            }
        });
        let mut answer = Vec::new();
        let _reset = tokio::time::timeout(PATIENCE, read.read_to_end(&mut answer)).await.expect(name);
        let answer = Raw(String::from_utf8_lossy(&answer).into_owned());
        assert_eq!((answer.status(), answer.header("connection")), (status, Some("close")), "{name}: {}", answer.0);
        sending.abort();
    }
    for server in [patient, hurried] {
        assert_eq!(server.stored(), Vec::<String>::new());
        assert_eq!(images::upload(server.address, "filename=\"a\"", "image/png", &images::png(4, 4)).await.status(), 200);
    }
}

/// A request with a picture, whose body is sent in full or not at all.
fn large(path: &str, bytes: usize, body: &str) -> String {
    let length = format!("Content-Length: {bytes}");
    request(&format!("POST {path}"), &["Host: localhost", "Content-Type: application/json", &length], body)
}

const WITH_IMAGES: [&str; 3] = ["/animate", "/api/v1/videos/generate", "/api/v1/images/generate-i2i"];

#[actix_web::test]
async fn large_bodies_share_a_memory_budget() {
    let server = FileServer::start(Vec::new(), SHORT).await;
    let long = "x".repeat(2 << 20);
    let held = server.memory.take(usize::MAX, PATIENCE).await.unwrap();
    for path in WITH_IMAGES {
        let answer = exchange(server.address, large(path, long.len(), &long)).await;
        assert_eq!((answer.status(), answer.header("retry-after")), (503, Some("5")), "{path}: {}", answer.0);
        assert!(answer.body().contains("busy with other large requests"), "{path}: {}", answer.0);
        assert_eq!(exchange(server.address, large(path, 2, "{}")).await.status(), 422, "{path}: a short one needs none");
    }
    drop(held);
    for path in WITH_IMAGES {
        let answer = exchange(server.address, large(path, long.len(), &long)).await;
        assert_eq!((answer.status(), answer.body().contains("Malformed JSON")), (400, true), "{path}: {}", answer.0);
    }
    assert!(server.memory.take(usize::MAX, PATIENCE).await.is_ok(), "all of it was given back");
}

#[actix_web::test]
async fn a_large_body_is_not_read_for_a_job_that_would_be_refused() {
    let server = FileServer::start(Vec::new(), PATIENCE).await;
    server.jobs.submit(new_job("", "slow", "slow")).await.unwrap();
    for path in WITH_IMAGES {
        // The body never arrives, and the server does not wait for it.
        let answer = exchange(server.address, large(path, 2 << 20, "")).await;
        assert_eq!((answer.status(), answer.header("retry-after").is_some()), (429, true), "{path}: {}", answer.0);
    }
}
