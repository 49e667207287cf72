//! Clients that send a request so slowly that it never ends: they are told so, and let go.

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

/// Sends `head`, then one more byte of `rest` every few milliseconds; the answer, once the server has closed the connection.
async fn trickle(server: &Running, head: &str, rest: &str) -> String {
    let (mut read, mut write) = TcpStream::connect(server.address).await.unwrap().into_split();
    write.write_all(head.as_bytes()).await.unwrap();
    let rest = rest.to_owned();
    let sending = tokio::spawn(async move {
        for byte in rest.bytes().cycle() {
            // The server has closed its end, which is what is waited for.
            if write.write_all(&[byte]).await.is_err() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    let mut answer = Vec::new();
    // A reset behind the answer is an end as good as any.
    let _end = tokio::time::timeout(PATIENCE, read.read_to_end(&mut answer)).await.expect("the server closes the connection");
    tokio::time::timeout(PATIENCE, sending).await.expect("the server reads no more").unwrap();
    String::from_utf8(answer).unwrap()
}

#[actix_web::test]
async fn a_body_that_trickles_in_is_408() {
    let server = hurried().await;
    let head = "POST /generate HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";
    // A body of a known length, and one in chunks of a space each.
    for (framing, rest) in [("Content-Length: 1000000\r\n\r\n", " "), ("Transfer-Encoding: chunked\r\n\r\n", "1\r\n \r\n")] {
        let answer = trickle(&server, &format!("{head}{framing}"), rest).await;
        assert!(answer.starts_with("HTTP/1.1 408 Request Timeout\r\n") && answer.contains("connection: close\r\n"), "{answer}");
        assert!(answer.ends_with(r#"{"detail":"Request body too slow: it did not arrive within 0.2 s"}"#), "{answer}");
    }
    // Nobody else noticed.
    let health: serde_json::Value = reqwest::get(server.url("/health")).await.unwrap().json().await.unwrap();
    assert_eq!(health["jobs"], 0);
}

#[actix_web::test]
async fn a_head_that_trickles_in_is_408() {
    let server = hurried().await;
    let answer = trickle(&server, "GET /health HTTP/1.1\r\nX-Long: ", "x").await;
    assert!(answer.starts_with("HTTP/1.1 408 Request Timeout\r\n"), "{answer}");
}

#[actix_web::test]
async fn a_picture_may_take_longer_than_its_request() {
    let server = hurried().await;
    let _slow = server.request("slow").await;
    server.wait_for_jobs(1).await;
    tokio::time::sleep(2 * SHORT).await;
    assert_eq!(server.jobs.active(), 1, "the deadline is the body's alone");
}
