//! Clients that hang up: their slots are free at once, whether the job is queued or running, whether they close the connection or
//! half-close it.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::fake::{PATIENCE, Running};

#[actix_web::test]
async fn a_closed_connection_stops_the_running_job() {
    let server = Running::start(1).await;
    let client = server.request("slow").await;
    server.wait_for_jobs(1).await;
    drop(client);
    server.wait_for_jobs(0).await;
}

#[actix_web::test]
async fn a_half_closed_connection_stops_the_running_job() {
    let server = Running::start(1).await;
    let mut client = server.request("slow").await;
    server.wait_for_jobs(1).await;
    client.shutdown().await.unwrap();
    server.wait_for_jobs(0).await;
    // The other half is still open, and the server has closed it.
    let mut rest = Vec::new();
    let read = tokio::time::timeout(PATIENCE, client.read_to_end(&mut rest)).await.expect("the server closes its half");
    assert!(read.is_err() || rest.is_empty(), "no picture is sent: {rest:?}");
}

#[actix_web::test]
async fn a_hang_up_frees_the_slot_of_a_queued_job() {
    let server = Running::start(2).await;
    let running = server.request("slow").await;
    server.wait_for_jobs(1).await;
    let mut waiting = server.request("slow").await;
    server.wait_for_jobs(2).await;
    waiting.shutdown().await.unwrap();
    server.wait_for_jobs(1).await;
    // The job of the other client is not affected.
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(server.jobs.active(), 1);
    drop(running);
    server.wait_for_jobs(0).await;
}

#[actix_web::test]
async fn the_slot_of_a_client_that_hung_up_goes_to_the_next() {
    let server = Running::start(1).await;
    let gone = server.request("slow").await;
    server.wait_for_jobs(1).await;
    drop(gone);
    server.wait_for_jobs(0).await;
    let answer = reqwest::Client::new().post(server.url("/generate")).json(&serde_json::json!({"prompt": "a boat"})).send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 200);
}

#[actix_web::test]
async fn a_connection_is_reused_for_the_next_request() {
    let server = Running::start(1).await;
    let mut client = server.request("a boat").await;
    let mut seen = Vec::new();
    let mut buffer = [0; 4096];
    // The last chunk of a PNG is the end of the answer.
    while !seen.ends_with(b"IEND\xaeB`\x82") {
        let count = tokio::time::timeout(PATIENCE, client.read(&mut buffer)).await.unwrap().unwrap();
        assert!(count > 0, "the server has closed the connection after {} bytes", seen.len());
        seen.extend_from_slice(&buffer[..count]);
    }
    client.write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    let count = tokio::time::timeout(PATIENCE, client.read(&mut buffer)).await.unwrap().unwrap();
    assert!(buffer[..count].starts_with(b"HTTP/1.1 200 OK"));
}
