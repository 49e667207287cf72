//! `/ready`, `/metrics`, and the effects of requests on them.

use std::{sync::mpsc, time::Instant};

use actix_web::{http::StatusCode, test::TestRequest};
use generation::{LocalBackend, LocalSettings};
use serde_json::{Value, json};
use server::{ServerSettings, access::AccessSettings};

use crate::{
    attacks::{ALICES_KEY, keys},
    fake::{Engine, Running, ask, ask_engine, engine, model},
};

/// The metrics, as a client with this `Accept` gets them.
async fn metrics(server: &Running, accept: &str, media_type: &str) -> String {
    let answer = reqwest::Client::new().get(server.url("/metrics")).header("accept", accept).send().await.unwrap();
    assert_eq!((answer.status().as_u16(), &answer.headers()["vary"]), (200, &"Accept".parse().unwrap()));
    assert_eq!(answer.headers()["content-type"], media_type);
    answer.text().await.unwrap()
}

async fn open_metrics(server: &Running) -> String {
    metrics(
        server,
        "application/openmetrics-text;version=1.0.0;q=0.5,*/*;q=0.1",
        "application/openmetrics-text; version=1.0.0; charset=utf-8",
    )
    .await
}

#[actix_web::test]
async fn metrics_are_in_the_format_that_accept_selects() {
    let server = Running::start(2).await;
    reqwest::get(server.url("/health")).await.unwrap();
    let open = open_metrics(&server).await;
    let text = metrics(&server, "*/*", "text/plain; version=0.0.4; charset=utf-8").await;
    let health = "framewright_http_requests_total{method=\"GET\",route=\"/health\",status=\"200\"}";
    assert_eq!((value(&open, health), value(&text, health)), (1.0, 1.0));
    // OpenMetrics describes a counter under its name without the suffix of its values, the text format with it.
    for (metrics, ending) in [(&open, ""), (&text, "_total")] {
        for counter in ["framewright_http_requests", "framewright_jobs"] {
            assert!(metrics.contains(&format!("\n# TYPE {counter}{ending} counter\n")), "{metrics}");
        }
        let types: Vec<_> = metrics.lines().filter_map(|line| line.strip_prefix("# TYPE ")).collect();
        assert_eq!(types.iter().filter(|described| described.ends_with(" histogram")).count(), 4, "{types:?}");
        // Every value belongs to a described metric.
        for line in metrics.lines().filter(|line| !line.starts_with('#')) {
            let name = line.split(['{', ' ']).next().unwrap();
            let endings = ["", "_bucket", "_sum", "_count", if ending.is_empty() { "_total" } else { "" }];
            let described = endings
                .iter()
                .filter_map(|end| name.strip_suffix(end))
                .any(|name| types.iter().any(|of| of.split(' ').next() == Some(name)));
            assert!(described, "{line}");
        }
    }
    assert!(open.ends_with("# EOF\n") && !text.contains("# EOF"));
}

/// The value of a series.
fn value(text: &str, series: &str) -> f64 {
    let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("{series} in\n{text}")).parse().unwrap()
}

#[actix_web::test]
async fn a_server_is_ready_when_it_accepts_work() {
    let answer = ask(TestRequest::get().uri("/ready")).await;
    let ready = json!({"ready": true, "model_loaded": true, "store_writable": true, "detail": null});
    assert_eq!((answer.status, answer.json()), (StatusCode::OK, ready));

    let (go, wait) = mpsc::channel::<()>();
    let local = LocalBackend::start(LocalSettings::new(Instant::now), move || {
        let _ = wait.recv();
        Ok(model())
    });
    let loading = Engine { local: local.unwrap(), places: 4 };
    let answer = ask_engine(loading, TestRequest::get().uri("/ready")).await;
    let waits = json!({"ready": false, "model_loaded": false, "store_writable": true, "detail": "Model not loaded yet"});
    assert_eq!((answer.status, answer.json()), (StatusCode::SERVICE_UNAVAILABLE, waits));
    assert_eq!(answer.header("retry-after"), Some("1"));
    drop(go);
}

#[actix_web::test]
async fn a_store_that_cannot_be_written_is_not_ready_while_health_answers() {
    let folder = tempfile::tempdir().unwrap();
    let server = Running::in_folder(folder.path(), ServerSettings::default(), engine(2).await).await;
    // Another program locks the database.
    let other = rusqlite::Connection::open(folder.path().join("jobs.sqlite")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let answer = reqwest::get(server.url("/ready")).await.unwrap();
    assert_eq!(answer.status().as_u16(), 503);
    let ready: Value = answer.json().await.unwrap();
    assert_eq!((&ready["store_writable"], &ready["model_loaded"]), (&json!(false), &json!(true)), "{ready}");
    assert_eq!(reqwest::get(server.url("/health")).await.unwrap().status().as_u16(), 200);
    other.execute_batch("ROLLBACK").unwrap();
}

#[actix_web::test]
async fn metrics_cover_requests_jobs_and_the_machine() {
    let settings = ServerSettings { resident_memory: || Some(1_234_567), ..ServerSettings::default() };
    let server = Running::with_settings(settings, engine(8).await).await;
    let client = reqwest::Client::new();
    let text = |text: &'static str| client.post(server.url("/generate-video")).json(&json!({ "text": text })).send();
    let job: Value = text("a boat").await.unwrap().json().await.unwrap();
    let id = job["job_id"].as_str().unwrap().to_owned();
    server.jobs.finished("", &id).await.unwrap();
    let broken: Value = text("broken").await.unwrap().json().await.unwrap();
    server.jobs.finished("", broken["job_id"].as_str().unwrap()).await.unwrap();
    for path in [format!("/video-status?job_id={id}"), "/generation/secret-name".into(), "/none/secret-name".into()] {
        reqwest::get(server.url(&path)).await.unwrap();
    }
    client.request("BREW".parse().unwrap(), server.url("/")).send().await.unwrap();
    client.post(server.url("/generate")).json(&json!({"prompt": "a boat", "num_inference_steps": 4})).send().await.unwrap();
    let _slow = server.request("slow").await;
    server.wait_for_jobs(1).await;

    let scrape = open_metrics(&server).await;
    let requests = |method: &str, route: &str, status: &str| {
        value(&scrape, &format!("framewright_http_requests_total{{method=\"{method}\",route=\"{route}\",status=\"{status}\"}}"))
    };
    assert_eq!(requests("POST", "/generate-video", "200"), 2.0);
    assert_eq!(requests("GET", "/generation/{id}", "404"), 1.0);
    assert_eq!(requests("GET", "none", "404"), 1.0);
    assert_eq!(requests("other", "/", "405"), 1.0);
    assert_eq!(value(&scrape, "framewright_http_request_seconds_count{method=\"GET\",route=\"/video-status\"}"), 1.0);
    for (series, expected) in [
        ("framewright_jobs_total{outcome=\"completed\"}", 2.0),
        ("framewright_jobs_total{outcome=\"failed\"}", 1.0),
        ("framewright_stored_jobs{state=\"completed\"}", 1.0),
        ("framewright_stored_jobs{state=\"failed\"}", 1.0),
        ("framewright_job_wait_seconds_count", 4.0),
        ("framewright_job_run_seconds_count", 3.0),
        ("framewright_queue_depth", 0.0),
        ("framewright_running_jobs", 1.0),
        ("framewright_artifact_files", 1.0),
        ("framewright_model_loaded", 1.0),
        ("framewright_store_up", 1.0),
        ("process_resident_memory_bytes", 1_234_567.0),
    ] {
        assert_eq!(value(&scrape, series), expected, "{series}");
    }
    assert!(value(&scrape, "framewright_artifact_bytes") > 1000.0);
    // The first step of a run is not timed, because its start was not observed.
    assert!(value(&scrape, "framewright_step_seconds_count{of=\"picture\"}") >= 3.0);
    assert!(!scrape.contains("secret-name") && !scrape.contains(&id) && !scrape.contains("BREW"), "{scrape}");
    assert!(scrape.ends_with("# EOF\n"));
}

#[actix_web::test]
async fn metrics_need_a_key_and_probes_do_not() {
    let access = AccessSettings { keys: keys(), ..AccessSettings::default() };
    let server = Running::with_settings(ServerSettings { access, ..ServerSettings::default() }, engine(2).await).await;
    let ask = |path: &str, key: Option<&str>| {
        let request = reqwest::Client::new().get(server.url(path));
        key.map_or(request.try_clone().unwrap(), |key| request.bearer_auth(key)).send()
    };
    assert_eq!(ask("/metrics", None).await.unwrap().status().as_u16(), 401);
    let scrape = ask("/metrics", Some(ALICES_KEY)).await.unwrap().text().await.unwrap();
    assert!(!scrape.contains("alice"), "{scrape}");
    assert_eq!(value(&scrape, "framewright_http_requests_total{method=\"GET\",route=\"/metrics\",status=\"401\"}"), 1.0);
    for open in ["/health", "/ready"] {
        assert_eq!(ask(open, None).await.unwrap().status().as_u16(), 200, "{open}");
    }
}
