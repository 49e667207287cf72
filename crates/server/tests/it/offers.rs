//! Requests that offer another protocol: they are answered in HTTP/1.1, and their bodies have the declared length.

use serde_json::json;
use server::ServerSettings;

use crate::{
    attacks::{Raw, exchange},
    fake::{PATIENCE, Running, engine},
    task_client::{png, start},
};

/// Headers that offer another protocol. "N" stands for the length of the body, which is a valid request.
const OFFERS: [(&str, &[&str]); 12] = [
    ("a websocket", &["Connection: Upgrade", "Upgrade: websocket", "Content-Length: N"]),
    ("in capitals", &["Connection: upgrade", "Upgrade: WebSocket", "Content-Length: N"]),
    ("without the connection's word", &["Upgrade: websocket", "Content-Length: N"]),
    ("a length before", &["Content-Length: N", "Upgrade: websocket", "Connection: keep-alive, Upgrade"]),
    ("with a key for it", &["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Key: AAAA", "Content-Length: N"]),
    ("in chunks", &["Connection: Upgrade", "Upgrade: websocket", "Transfer-Encoding: chunked"]),
    ("with a question first", &["Connection: Upgrade", "Upgrade: websocket", "Expect: 100-continue", "Content-Length: N"]),
    ("HTTP/2", &["Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk", "Content-Length: N"]),
    ("one of two", &["Connection: Upgrade", "Upgrade: h2c, websocket", "Content-Length: N"]),
    ("two lines of them", &["Connection: Upgrade", "Upgrade: h2c", "Upgrade: websocket", "Content-Length: N"]),
    ("no protocol", &["Connection: Upgrade", "Content-Length: N"]),
    ("a question alone", &["Connection: close", "Expect: 100-continue", "Content-Length: N"]),
];

#[actix_web::test]
async fn a_request_that_offers_another_protocol_is_answered_immediately() {
    // If the server waited for more of the body, it would wait longer than the test.
    let settings = ServerSettings { body_timeout: PATIENCE * 10, ..ServerSettings::default() };
    let server = Running::with_settings(settings, engine(4).await).await;
    let body = r#"{"prompt": "a boat", "num_inference_steps": 1}"#;
    for (name, lines) in OFFERS {
        let lines: String = lines.iter().map(|line| format!("{}\r\n", line.replace('N', &body.len().to_string()))).collect();
        let sent = if lines.contains("chunked") { format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len()) } else { body.to_owned() };
        let head = format!("POST /generate HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n{lines}\r\n");
        let answer = exchange(server.address, format!("{head}{sent}")).await.0;
        let expects = lines.contains("Expect");
        assert_eq!(answer.starts_with("HTTP/1.1 100 Continue\r\n\r\n"), expects, "{name}: {answer}");
        let answer = Raw(answer.trim_start_matches("HTTP/1.1 100 Continue\r\n\r\n").to_owned());
        assert_eq!((answer.status(), answer.header("content-type")), (200, Some("image/png")), "{name}: {}", answer.0);
        assert_eq!((answer.header("connection"), answer.header("upgrade")), (Some("close"), None), "{name}: {}", answer.0);
    }
    let offer = ["Host: localhost", "Connection: Upgrade", "Upgrade: websocket", "Content-Type: application/json"];
    // Data after the body is neither a part of it nor a request.
    let behind = "GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let head = format!("POST /generate HTTP/1.1\r\n{}\r\nContent-Length: {}\r\n\r\n", offer.join("\r\n"), body.len());
    let answer = exchange(server.address, format!("{head}{body}{behind}")).await;
    assert!(answer.status() == 200 && !answer.0.contains("openapi"), "{}", answer.0);
    // No length, no body.
    let none = exchange(server.address, format!("POST /generate HTTP/1.1\r\n{}\r\n\r\n", offer.join("\r\n"))).await;
    assert_eq!(none.status(), 422, "{}", none.0);
    let get = exchange(server.address, format!("GET /health HTTP/1.1\r\n{}\r\n\r\n", offer.join("\r\n"))).await;
    assert_eq!((get.status(), get.header("connection")), (200, Some("close")), "{}", get.0);
    let head = exchange(server.address, format!("HEAD /health HTTP/1.1\r\n{}\r\n\r\n", offer.join("\r\n"))).await;
    assert_eq!((head.status(), head.body()), (200, ""), "{}", head.0);
}

#[actix_web::test]
async fn streams_and_uploads_are_complete_although_another_protocol_is_offered() {
    let server = start().await;
    let id = server.submit(json!({})).await;
    server.ended(&id).await;
    let offer = "Host: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n";
    // The stream ends with the connection, and is not chunked.
    let stream = exchange(server.address, format!("GET /api/v1/tasks/{id}/events HTTP/1.1\r\n{offer}\r\n")).await;
    assert_eq!((stream.status(), stream.header("transfer-encoding")), (200, None), "{}", stream.0);
    assert!(stream.body().starts_with("retry: ") && stream.body().ends_with("\n\n"), "{}", stream.0);
    let last = stream.body().trim_end().rsplit("\n\n").next().unwrap();
    assert!(last.contains("event: completed"), "{last}");
    let edge = "edge";
    let mut file =
        format!("--{edge}\r\nContent-Disposition: form-data; name=\"character\"; filename=\"a.png\"\r\nContent-Type: image/png\r\n\r\n")
            .into_bytes();
    file.extend(png());
    file.extend(format!("\r\n--{edge}--\r\n").as_bytes());
    let head = format!(
        "POST /upload-character HTTP/1.1\r\n{offer}Content-Type: multipart/form-data; boundary={edge}\r\nContent-Length: {}\r\n\r\n",
        file.len()
    );
    let uploaded = exchange(server.address, [head.as_bytes(), &file].concat()).await;
    assert_eq!(uploaded.status(), 200, "{}", uploaded.0);
}
