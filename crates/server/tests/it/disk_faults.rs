//! Disk faults as clients see them: a full or missing disk, a database locked by another program, and damaged rows. The answer is 503 with
//! the reason and `Retry-After`, never 500, and never late.

use std::{
    fs, io,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

use generation::jobs::{FailHook, JobsSettings};
use generation_test::Checked;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use server::ServerSettings;

use crate::{
    fake::{PATIENCE, Running, engine},
    task_client::{clip, png, settings},
};

/// The answer: its status, the seconds of `Retry-After`, and its body.
async fn ask(server: &Running, method: Method, path: &str, body: Option<Value>) -> (u16, Option<String>, Value) {
    let mut request = reqwest::Client::new().request(method, server.url(path)).timeout(PATIENCE);
    if let Some(body) = body {
        request = request.json(&body);
    }
    let answer = request.send().await.unwrap();
    let seconds = answer.headers().get("retry-after").map(|seconds| seconds.to_str().unwrap().to_owned());
    (answer.status().as_u16(), seconds, answer.json().await.unwrap())
}

fn refused(reason: &str, seconds: &str) -> (u16, Option<String>, Value) {
    let error = json!({"code": "SERVICE_ERROR", "message": reason, "details": {"service": "local", "retryable": true}});
    (503, Some(seconds.into()), json!({ "detail": reason, "error": error }))
}

async fn until_ready(server: &Running) {
    let deadline = Instant::now() + PATIENCE;
    while reqwest::get(server.url("/ready")).await.unwrap().status() != StatusCode::OK {
        assert!(Instant::now() < deadline, "it is ready again");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn upload(server: &Running) -> (u16, Option<String>, Value) {
    let head = "--x\r\nContent-Disposition: form-data; name=\"character\"; filename=\"a.png\"\r\nContent-Type: image/png\r\n\r\n";
    let body = [head.as_bytes(), &png(), b"\r\n--x--\r\n"].concat();
    let request = reqwest::Client::new().post(server.url("/upload-character"));
    let answer = request.header("content-type", "multipart/form-data; boundary=x").body(body).send().await.unwrap();
    let seconds = answer.headers().get("retry-after").map(|seconds| seconds.to_str().unwrap().to_owned());
    (answer.status().as_u16(), seconds, answer.json().await.unwrap())
}

/// A server whose disk is full while the flag is set.
async fn on_a_disk(folder: &Path) -> (Running, Arc<AtomicBool>) {
    let is_full = Arc::new(AtomicBool::new(false));
    let disk = Arc::clone(&is_full);
    let hook = FailHook::with_disk(move || if disk.load(Ordering::Relaxed) { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) });
    let jobs = JobsSettings { fail_hook: hook, ..JobsSettings::new(folder, SystemTime::now) };
    let engine = engine(4).await;
    (Running::with_jobs(folder, settings(), Checked::open(jobs, engine.local).await.unwrap()), is_full)
}

#[actix_web::test]
async fn a_full_disk_is_reported_at_once_and_no_accepted_job_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let (server, is_full) = on_a_disk(folder.path()).await;
    is_full.store(true, Ordering::Relaxed);
    let (status, seconds, ready) = ask(&server, Method::GET, "/ready", None).await;
    assert_eq!((status, seconds.as_deref()), (503, Some("1")));
    assert_eq!(ready["detail"], "The store of jobs cannot be written to: the disk is full");
    assert_eq!(reqwest::get(server.url("/health")).await.unwrap().status(), StatusCode::OK);

    // A caller that waits for a picture gets an error, and the job is cancelled.
    let image = || ask(&server, Method::POST, "/api/v1/images/generate", Some(json!({"prompt": "a boat"})));
    assert_eq!(image().await, refused("The picture cannot be stored now: the disk is full", "30"));
    let (_, _, listed) = ask(&server, Method::GET, "/api/v1/tasks", None).await;
    let id = listed[0]["task_id"].as_str().unwrap();
    server.task_when(id, |task| task["status"] == "cancelled").await;

    // A job with an `Idempotency-Key` waits for space, and is found by its key.
    let named = || async {
        let body = json!({"prompt": "a boat"});
        let request = reqwest::Client::new().post(server.url("/api/v1/images/generate")).header("Idempotency-Key", "k").json(&body);
        let answer = request.timeout(PATIENCE).send().await.unwrap();
        (answer.status().as_u16(), answer.json::<Value>().await.unwrap())
    };
    assert_eq!(named().await.0, 503);
    let (_, _, listed) = ask(&server, Method::GET, "/api/v1/tasks?status=pending", None).await;
    let waiting = listed[0]["task_id"].as_str().unwrap().to_owned();
    assert_eq!(listed[0]["message"], "Waiting: the disk is full; the task continues when that is fixed");
    assert_eq!(named().await.0, 503, "the repeated request still waits");

    // While a job waits for space, no more jobs are accepted.
    let video = || ask(&server, Method::POST, "/api/v1/videos/generate", Some(clip(json!({}))));
    assert_eq!(video().await, refused("The store of jobs cannot be used: the disk is full", "30"));
    is_full.store(false, Ordering::Relaxed);
    let task = server.ended(&waiting).await;
    assert_eq!(task["status"], "completed", "{task}");
    assert_eq!(named().await.0, 200);
    until_ready(&server).await;
    assert_eq!(video().await.0, 200);
}

#[actix_web::test]
async fn a_locked_database_is_reported_to_all_callers_within_one_timeout() {
    let folder = tempfile::tempdir().unwrap();
    let server = Running::in_folder(folder.path(), settings(), engine(8).await).await;
    let id = server.submit(json!({"prompt": "slow"})).await;
    let other = rusqlite::Connection::open(folder.path().join("jobs.sqlite")).unwrap();
    for begin in ["BEGIN IMMEDIATE", "BEGIN EXCLUSIVE"] {
        other.execute_batch(begin).unwrap();
        let began = Instant::now();
        let posts = (0..5).map(|_| ask(&server, Method::POST, "/api/v1/videos/generate", Some(clip(json!({})))));
        let task = format!("/api/v1/tasks/{id}");
        let cancel = ask(&server, Method::DELETE, &task, None);
        let read = async {
            server.task(&id).await;
            began.elapsed()
        };
        let (posted, cancelled, read) = futures_util::future::join3(futures_util::future::join_all(posts), cancel, read).await;
        for answer in posted.into_iter().chain([cancelled]) {
            assert_eq!(answer, refused("The store of jobs cannot be used: another program holds the database", "2"));
        }
        assert!(read < Duration::from_secs(3), "reads do not wait for writers: {read:?}");
        // One after another, the six would take eighteen seconds; they once took ten each.
        assert!(began.elapsed() < Duration::from_secs(12), "{begin}: {:?}", began.elapsed());
        other.execute_batch("ROLLBACK").unwrap();
    }
    assert_eq!(ask(&server, Method::DELETE, &format!("/api/v1/tasks/{id}"), None).await.0, 200);
}

#[actix_web::test]
async fn a_missing_data_folder_is_reported_until_it_is_back() {
    let parent = tempfile::tempdir().unwrap();
    let (here, there) = (parent.path().join("data"), parent.path().join("elsewhere"));
    let server = Running::in_folder(&here, ServerSettings::default(), engine(4).await).await;
    let id = server.submit(json!({})).await;
    server.ended(&id).await;
    fs::rename(&here, &there).unwrap();
    // A file at the path where the uploads' folder would be created.
    fs::write(&here, "").unwrap();
    let gone = "The store of jobs cannot be used: the data folder is gone";
    assert_eq!(ask(&server, Method::POST, "/api/v1/videos/generate", Some(clip(json!({})))).await, refused(gone, "30"));
    assert_eq!(ask(&server, Method::DELETE, &format!("/api/v1/tasks/{id}"), None).await, refused(gone, "30"));
    let missing = json!({"detail": "the file could not be stored: the data folder is gone"});
    assert_eq!(upload(&server).await, (503, Some("30".into()), missing));
    let (status, _, ready) = ask(&server, Method::GET, "/ready", None).await;
    assert_eq!((status, &ready["detail"]), (503, &json!("The store of jobs cannot be written to: the data folder is gone")));
    assert_eq!(server.task(&id).await["status"], "completed", "reads are still answered");
    fs::remove_file(&here).unwrap();
    fs::rename(&there, &here).unwrap();
    until_ready(&server).await;
    assert_eq!(upload(&server).await.0, 200);
    let id = server.submit(json!({})).await;
    assert_eq!(server.ended(&id).await["status"], "completed");
}

#[actix_web::test]
async fn a_server_that_shuts_down_is_not_ready() {
    let settings = ServerSettings { shutdown_limit: PATIENCE, ..settings() };
    let server = Running::with_settings(settings, engine(4).await).await;
    let id = server.submit(json!({"prompt": "slow"})).await;
    server.task_when(&id, |task| task["status"] == "processing").await;
    let mut stopping = server.jobs.stopping();
    let (jobs, url) = (server.jobs.clone(), server.url("/ready"));
    server.stop.send(()).unwrap();
    stopping.wait_for(|is_stopping| *is_stopping).await.unwrap();
    let answer = reqwest::get(url).await.unwrap();
    assert_eq!(answer.status().as_u16(), 503);
    let ready: Value = answer.json().await.unwrap();
    assert_eq!((&ready["ready"], &ready["detail"]), (&json!(false), &json!("The server is shutting down")));
    jobs.cancel("", &id).await.unwrap();
    tokio::time::timeout(PATIENCE, server.ended).await.unwrap().unwrap().unwrap();
}

#[actix_web::test]
async fn a_damaged_row_is_reported_and_hides_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let server = Running::in_folder(folder.path(), settings(), engine(8).await).await;
    let done = server.submit(json!({})).await;
    server.ended(&done).await;
    let runs = server.submit(json!({"prompt": "slow"})).await;
    server.task_when(&runs, |task| task["status"] == "processing").await;
    let waits = server.submit(json!({})).await;
    let other = rusqlite::Connection::open(folder.path().join("jobs.sqlite")).unwrap();
    for (set, id) in [("outcome = '{'", &done), ("metadata = 'x', parts = -1", &waits)] {
        assert_eq!(other.execute(&format!("UPDATE jobs SET {set} WHERE id = ?1"), [id]).unwrap(), 1);
    }
    let (status, _, listed) = ask(&server, Method::GET, "/api/v1/tasks?order=asc", None).await;
    let shown: Vec<_> = listed.as_array().unwrap().iter().map(|task| (&task["task_id"], &task["status"])).collect();
    let ids = [&done, &runs, &waits].map(|id| json!(id));
    assert_eq!(status, 200);
    assert_eq!(shown, [(&ids[0], &json!("failed")), (&ids[1], &json!("processing")), (&ids[2], &json!("pending"))]);
    let message = listed[0]["message"].as_str().unwrap();
    assert!(message.starts_with("the stored job is damaged: its outcome cannot be read"), "{message}");
    let task = server.task(&done).await;
    assert_eq!((&task["status"], &task["result"], &task["error"]["message"]), (&json!("failed"), &Value::Null, &json!(message)));
    // Its file is intact.
    assert_eq!(reqwest::get(server.url(&format!("/files/{done}/video.mp4"))).await.unwrap().status(), StatusCode::OK);
    for id in [&done, &waits] {
        for path in [format!("/api/v1/videos/{id}"), format!("/video-status?job_id={id}"), format!("/generation/{id}")] {
            assert!(reqwest::get(server.url(&path)).await.unwrap().status().as_u16() < 500, "{path}");
        }
    }
    let events = reqwest::get(server.url(&format!("/api/v1/tasks/{done}/events"))).await.unwrap();
    assert_eq!(events.status(), StatusCode::OK);
    assert!(events.text().await.unwrap().contains("event: "));
    assert_eq!(ask(&server, Method::DELETE, &format!("/api/v1/tasks/{done}"), None).await.0, 409);
    for id in [&waits, &runs] {
        assert_eq!(ask(&server, Method::DELETE, &format!("/api/v1/tasks/{id}"), None).await.0, 200, "{id}");
    }
}
