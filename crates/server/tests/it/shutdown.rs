//! Shutdown: requested, caused by the model, or a failed start.

use std::{
    net::TcpListener,
    time::{Instant, SystemTime},
};

use generation::{LocalBackend, LocalSettings, jobs::JobsSettings};
use generation_test::Checked;
use serde_json::json;
use server::{Server, ServerSettings};

use crate::fake::{Engine, PATIENCE, Running, engine};

#[actix_web::test]
async fn a_shutdown_answers_waiting_requests() {
    let server = Running::start(2).await;
    let ask = || tokio::spawn(reqwest::Client::new().post(server.url("/generate")).json(&json!({"prompt": "slow"})).send());
    let clients = [ask(), ask()];
    server.wait_for_jobs(2).await;
    server.stop.send(()).unwrap();
    for client in clients {
        let answer = client.await.unwrap().unwrap();
        assert_eq!(answer.status().as_u16(), 503);
        assert_eq!(answer.json::<serde_json::Value>().await.unwrap(), json!({"detail": "The server is shutting down"}));
    }
    tokio::time::timeout(PATIENCE, server.ended).await.expect("the server exits").unwrap().unwrap();
}

#[actix_web::test]
async fn a_model_that_cannot_be_loaded_stops_the_server_with_its_reason() {
    let load = || Err(diffusion_core::Error::file("unet/config.json", "missing"));
    let server = Running::with(Engine { local: LocalBackend::start(LocalSettings::new(Instant::now), load).unwrap(), places: 4 }).await;
    let ended = tokio::time::timeout(PATIENCE, server.ended).await.expect("the server exits").unwrap();
    assert_eq!(ended.unwrap_err().to_string(), "unet/config.json: missing");
}

#[actix_web::test]
async fn a_port_in_use_is_reported_by_its_number() {
    let occupied = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = occupied.local_addr().unwrap().port();
    let settings = ServerSettings { port, ..ServerSettings::default() };
    let data = tempfile::tempdir().unwrap();
    let jobs = Checked::open(JobsSettings::new(data.path(), SystemTime::now), engine(1).await.local).await.unwrap();
    let Err(error) = Server::bind(&settings, jobs.clone()) else { panic!("the port is in use") };
    assert_eq!(error.to_string(), format!("port {port} of 127.0.0.1 is in use; choose another with --port"));
}
