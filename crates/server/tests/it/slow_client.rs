//! Clients that send a request too slowly get a 408, and their connection is closed.

use std::time::Duration;

use server::ServerSettings;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::fake::{PATIENCE, Running, engine};

/// Short enough for a test.
const SHORT: Duration = Duration::from_millis(200);

/// A server with short deadlines.
async fn hurried() -> Running {
    Running::with_settings(ServerSettings { body_timeout: SHORT, head_timeout: SHORT, ..ServerSettings::default() }, engine(1).await).await
}

/// Sends `head`, then one byte of `rest` every few milliseconds; returns the answer once the server has closed the connection.
async fn trickle(server: &Running, head: &str, rest: &str) -> String {
    let (mut read, mut write) = TcpStream::connect(server.address).await.unwrap().into_split();
    write.write_all(head.as_bytes()).await.unwrap();
    let rest = rest.to_owned();
    let sending = tokio::spawn(async move {
        for byte in rest.bytes().cycle() {
            // The server has closed the connection, which the test waits for.
            if write.write_all(&[byte]).await.is_err() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    let mut answer = Vec::new();
    // A reset after the answer is fine too.
    let _end = tokio::time::timeout(PATIENCE, read.read_to_end(&mut answer)).await.expect("the server closes the connection");
    tokio::time::timeout(PATIENCE, sending).await.expect("the server reads no more").unwrap();
    String::from_utf8(answer).unwrap()
}

#[actix_web::test]
async fn a_slow_body_is_408() {
    let server = hurried().await;
    let head = "POST /generate HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";
    // A body with a length, and one in chunks of one space each.
    for (framing, rest) in [("Content-Length: 1000000\r\n\r\n", " "), ("Transfer-Encoding: chunked\r\n\r\n", "1\r\n \r\n")] {
        let answer = trickle(&server, &format!("{head}{framing}"), rest).await;
        assert!(answer.starts_with("HTTP/1.1 408 Request Timeout\r\n") && answer.contains("connection: close\r\n"), "{answer}");
        assert!(answer.ends_with(r#"{"detail":"Request body too slow: it did not arrive within 0.2 s"}"#), "{answer}");
    }
    // Other requests are not affected.
    let health: serde_json::Value = reqwest::get(server.url("/health")).await.unwrap().json().await.unwrap();
    assert_eq!(health["jobs"], 0);
}

#[actix_web::test]
async fn slow_headers_are_408() {
    let server = hurried().await;
    let answer = trickle(&server, "GET /health HTTP/1.1\r\nX-Long: ", "x").await;
    assert!(answer.starts_with("HTTP/1.1 408 Request Timeout\r\n"), "{answer}");
}

#[actix_web::test]
async fn an_image_may_take_longer_than_its_request() {
    let server = hurried().await;
    let _slow = server.request("slow").await;
    server.wait_for_jobs(1).await;
    tokio::time::sleep(2 * SHORT).await;
    assert_eq!(server.jobs.active(), 1, "the deadline applies to the body only");
}
