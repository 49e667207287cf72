//! The Tasks API's videos: submitting, reading, cancelling, and their files.

use actix_web::http::StatusCode;
use generation::video::ClipRules;
use guarded_http::GuardSettings;
use reqwest::Method;
use serde_json::{Value, json};
use server::ServerSettings;
use sha2::{Digest as _, Sha256};

use crate::{
    fake::{Running, ask, engine, post_to},
    task_client::{clip, png, settings, start},
};

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The number of frames in an MP4 file: the sample count of its one track.
fn frames(mp4: &[u8]) -> u32 {
    let at = mp4.windows(4).position(|window| window == b"stsz").unwrap();
    u32::from_be_bytes(mp4[at + 12..at + 16].try_into().unwrap())
}

#[actix_web::test]
async fn an_image_becomes_a_video_that_can_be_fetched() {
    let server = Running::start(4).await;
    let body = clip(json!({"prompt": "Gentle camera pan", "camera_motion": "pan", "motion_strength": 0.6}));
    let (status, submitted) = server.ask(Method::POST, "/api/v1/videos/generate", Some(body)).await;
    assert_eq!(status.as_u16(), 200, "{submitted}");
    let id = submitted["task_id"].as_str().unwrap();
    assert!(id.len() == 16 && id.starts_with("vid_") && id[4..].bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
    assert_eq!(submitted["status"], "pending");
    assert_eq!(submitted["message"], format!("Video generation task submitted. Poll /api/v1/tasks/{id} for status."));
    assert!(submitted["remarks"][0].as_str().unwrap().starts_with("The prompt changed nothing"), "{submitted}");

    let task = server.ended(id).await;
    assert_eq!((&task["status"], &task["progress"], &task["error"]), (&json!("completed"), &json!(100), &Value::Null), "{task}");
    assert_eq!((&task["queue_position"], &task["attempts"]), (&Value::Null, &json!(1)));
    for time in ["created_at", "updated_at", "completed_at"] {
        let text = task[time].as_str().unwrap();
        assert!(text.ends_with('Z') && text.parse::<jiff::Timestamp>().is_ok(), "{text}");
    }
    assert_eq!(task["result"]["service"], "local");
    let output = &task["result"]["result"];
    assert_eq!([&output["width"], &output["height"], &output["frames"]], [&json!(64), &json!(48), &json!(24)]);
    assert_eq!((&output["fps"], &output["seed"], &output["image_url"]), (&json!("24"), &json!(3), &Value::Null));
    assert_eq!(output["native"], json!({"width": 64, "height": 64, "frames": 15}));
    assert_eq!(output["remarks"], submitted["remarks"]);

    let url = output["video_url"].as_str().unwrap();
    assert_eq!(url, server.url(&format!("/files/{id}/video.mp4")));
    let client = reqwest::Client::new();
    let whole = client.get(url).send().await.unwrap();
    let head = |name: &str| whole.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
    assert_eq!((whole.status().as_u16(), head("content-type").as_deref()), (200, Some("video/mp4")));
    assert_eq!(head("content-disposition").as_deref(), Some("inline; filename=\"video.mp4\""));
    assert_eq!((head("accept-ranges").as_deref(), head("x-content-type-options").as_deref()), (Some("bytes"), Some("nosniff")));
    let tag = head("etag").unwrap();
    let bytes = whole.bytes().await.unwrap();
    assert_eq!(frames(&bytes), 24);
    assert_eq!(tag, format!("\"{}\"", sha256(&bytes)));
    assert_eq!((&output["files"][0]["sha256"], &output["files"][0]["bytes"]), (&json!(sha256(&bytes)), &json!(bytes.len())));

    let part = client.get(url).header("range", "bytes=10-19").header("if-range", &tag).send().await.unwrap();
    assert_eq!(part.status().as_u16(), 206);
    assert_eq!(part.headers()["content-range"], format!("bytes 10-19/{}", bytes.len()));
    assert_eq!(part.bytes().await.unwrap(), bytes[10..20]);
    let other = client.get(url).header("range", "bytes=10-19").header("if-range", "\"another\"").send().await.unwrap();
    assert_eq!((other.status().as_u16(), other.bytes().await.unwrap()), (200, bytes.clone()));
    let beyond = client.get(url).header("range", "bytes=99999999-").send().await.unwrap();
    assert_eq!((beyond.status().as_u16(), &beyond.headers()["content-range"]), (416, &format!("bytes */{}", bytes.len()).parse().unwrap()));
    let known = client.get(url).header("if-none-match", &tag).send().await.unwrap();
    assert_eq!((known.status().as_u16(), known.headers().get("content-length")), (304, None));
    let head = client.head(url).send().await.unwrap();
    assert_eq!((head.status().as_u16(), &head.headers()["content-length"]), (200, &bytes.len().to_string().parse().unwrap()));
    // Caches must not change the bytes, whose digest is the tag, and must not keep a refusal as a file.
    for (answer, caching) in [(&head, "private, max-age=3600, no-transform"), (&known, "private, max-age=3600, no-transform")] {
        assert_eq!((&answer.headers()["cache-control"], &answer.headers()["etag"]), (&caching.parse().unwrap(), &tag.parse().unwrap()));
    }
    let stale = client.get(url).header("range", "bytes=10-19").header("if-range", "stale").send().await.unwrap();
    assert_eq!((stale.status().as_u16(), stale.bytes().await.unwrap()), (200, bytes.clone()));
    let two = client.get(url).header("if-match", "\"another\"").header("if-match", &tag).send().await.unwrap();
    assert_eq!((two.status().as_u16(), two.bytes().await.unwrap()), (200, bytes.clone()));
    let another = client.get(url).header("if-match", "\"another\"").send().await.unwrap();
    assert_eq!((another.status().as_u16(), &another.headers()["cache-control"]), (412, &"private".parse().unwrap()));

    let older = server.ask(Method::GET, &format!("/api/v1/videos/{id}"), None).await.1;
    let expected = json!({
        "task_id": id, "status": "completed", "progress": 100, "video_url": url, "error": null,
        "created_at": task["created_at"], "updated_at": task["updated_at"]
    });
    assert_eq!(older, expected);
}

#[actix_web::test]
async fn unknown_files_are_404() {
    let server = start().await;
    let id = server.submit(json!({})).await;
    server.ended(&id).await;
    for path in [
        "/files/vid_000000000000/video.mp4".to_owned(),
        format!("/files/{id}/other.mp4"),
        format!("/files/{id}/..%2f..%2fjobs.sqlite"),
        format!("/files/..%2f{id}/video.mp4"),
        format!("/files/{id}/video.mp4/more"),
    ] {
        let (status, body) = server.ask(Method::GET, &path, None).await;
        assert_eq!((status.as_u16(), &body["detail"]), (404, &json!("Not Found")), "{path}");
    }
}

#[actix_web::test]
async fn queued_and_running_tasks_can_be_read_and_cancelled() {
    let server = start().await;
    let first = server.submit(json!({"prompt": "slow"})).await;
    let (second, third) = (server.submit(json!({})).await, server.submit(json!({})).await);
    let task = server.task_when(&first, |task| task["progress"].as_u64().unwrap() > 5).await;
    assert_eq!((&task["status"], &task["queue_position"], &task["result"]), (&json!("processing"), &Value::Null, &Value::Null));
    assert!(task["eta_seconds"].as_f64().unwrap() >= 0.0 && task["progress"].as_u64().unwrap() < 100, "{task}");
    for (id, position) in [(&second, 0), (&third, 1)] {
        let task = server.task(id).await;
        assert_eq!((&task["status"], &task["progress"], &task["queue_position"]), (&json!("pending"), &json!(0), &json!(position)));
    }
    // Both running and queued tasks can be cancelled.
    for id in [&third, &first] {
        let (status, answer) = server.ask(Method::DELETE, &format!("/api/v1/tasks/{id}"), None).await;
        let expected = json!({"success": true, "message": format!("Task {id} has been cancelled"), "task_id": id});
        assert_eq!((status.as_u16(), answer), (200, expected));
        let task = server.task(id).await;
        assert_eq!((&task["status"], &task["error"], &task["message"]), (&json!("cancelled"), &Value::Null, &json!("Cancelled")));
        assert!(task["progress"].as_u64().unwrap() < 100);
        assert_eq!(server.ask(Method::GET, &format!("/api/v1/videos/{id}"), None).await.1["status"], "cancelled");
    }
    // The device is free for the task between them.
    assert_eq!(server.ended(&second).await["status"], "completed");
    for (id, sentence) in [(&first, "has been cancelled already"), (&second, "is completed already")] {
        let (status, answer) = server.ask(Method::DELETE, &format!("/api/v1/tasks/{id}"), None).await;
        let sentence = format!("Task {id} {sentence}");
        let error = json!({"code": "HTTP_ERROR", "message": sentence, "details": {}});
        assert_eq!((status.as_u16(), answer), (409, json!({"detail": sentence, "error": error})));
    }
    assert_eq!(server.task(&first).await["status"], "cancelled");
}

#[actix_web::test]
async fn unknown_tasks_are_404_in_both_error_formats() {
    let server = start().await;
    let sentence = "Task not found: vid_000000000000";
    let expected = json!({"detail": sentence, "error": {"code": "TASK_NOT_FOUND", "message": sentence, "details": {}}});
    for (method, path) in [
        (Method::GET, "/api/v1/tasks/vid_000000000000"),
        (Method::DELETE, "/api/v1/tasks/vid_000000000000"),
        (Method::GET, "/api/v1/videos/vid_000000000000"),
        (Method::GET, "/api/v1/tasks/vid_000000000000/events"),
        (Method::GET, "/api/v1/tasks?after=vid_000000000000"),
    ] {
        let (status, body) = server.ask(method, path, None).await;
        assert_eq!((status.as_u16(), &body), (404, &expected), "{path}");
    }
    let (status, body) = server.ask(Method::GET, "/api/v1/nothing", None).await;
    assert_eq!((status.as_u16(), &body["detail"], &body["error"]["code"]), (404, &json!("Not Found"), &json!("HTTP_ERROR")));
    let answer = reqwest::Client::new().post(server.url("/api/v1/tasks/a")).send().await.unwrap();
    assert_eq!((answer.status().as_u16(), &answer.headers()["allow"]), (405, &"GET, HEAD, PATCH, DELETE, OPTIONS".parse().unwrap()));
    assert_eq!(answer.json::<Value>().await.unwrap()["error"]["message"], "Method Not Allowed");
}

#[actix_web::test]
async fn a_failed_task_has_a_reason_in_one_line() {
    let server = start().await;
    for (prompt, kind, code, message) in [
        ("broken", "VideoGenerationError", "model", "tokenizer: broken as told"),
        // The message of a panic is in the log only.
        ("panic", "ServiceError", "internal", "internal error"),
    ] {
        let id = server.submit(json!({ "prompt": prompt })).await;
        let task = server.ended(&id).await;
        let error = json!({"type": kind, "message": message, "retryable": false, "code": code});
        assert_eq!((&task["status"], &task["error"], &task["result"]), (&json!("failed"), &error, &Value::Null), "{task}");
        assert_eq!(server.ask(Method::GET, &format!("/api/v1/videos/{id}"), None).await.1["error"], message);
    }
    assert_eq!(server.ended(&server.submit(json!({})).await).await["status"], "completed");
}

#[actix_web::test]
async fn tasks_are_listed_page_by_page() {
    let server = Running::with_settings(settings(), engine(8).await).await;
    let mut ids = Vec::new();
    for prompt in ["", "broken", "", ""] {
        ids.push(server.submit(json!({ "prompt": prompt })).await);
    }
    for id in &ids {
        server.ended(id).await;
    }
    let listed = |tasks: &Value| -> Vec<String> {
        tasks.as_array().unwrap().iter().map(|task| task["task_id"].as_str().unwrap().to_owned()).collect()
    };
    let newest_first: Vec<String> = ids.iter().rev().cloned().collect();
    for path in ["/api/v1/tasks", "/api/v1/tasks/"] {
        let (status, tasks) = server.ask(Method::GET, path, None).await;
        assert_eq!((status.as_u16(), listed(&tasks)), (200, newest_first.clone()), "{path}");
        let keys: Vec<&String> = tasks[0].as_object().unwrap().keys().collect();
        // The keys of the first version, and further ones.
        let first = ["task_id", "status", "progress", "created_at", "updated_at", "message", "queue_position", "eta_seconds"];
        assert!(first.iter().all(|key| keys.iter().any(|known| known == key)), "{keys:?}");
    }
    let failed = server.ask(Method::GET, "/api/v1/tasks?status=failed", None).await.1;
    assert_eq!((listed(&failed), &failed[0]["message"]), (vec![ids[1].clone()], &json!("tokenizer: broken as told")));

    let mut url = server.url("/api/v1/tasks?limit=3&order=asc");
    let mut seen = Vec::new();
    for expected in [3, 1] {
        let answer = reqwest::get(&url).await.unwrap();
        let link = answer.headers().get("link").map(|link| link.to_str().unwrap().to_owned());
        let page = listed(&answer.json().await.unwrap());
        assert_eq!((page.len(), link.is_some()), (expected, expected == 3));
        seen.extend(page);
        url = link.map_or(url, |link| link.strip_prefix('<').unwrap().strip_suffix(">; rel=\"next\"").unwrap().to_owned());
    }
    assert_eq!(seen, ids);
    let (status, body) = server.ask(Method::GET, "/api/v1/tasks?limit=0&status=queued", None).await;
    assert_eq!((status.as_u16(), &body["detail"][0]["loc"]), (422, &json!(["query", "limit"])));
    assert_eq!(body["error"]["details"], body["detail"]);
}

#[actix_web::test]
async fn every_fault_is_reported_and_nothing_is_made() {
    let body = json!({
        "image": "AAAA", "prompt": "x".repeat(2001), "duration": 0.5, "fps": 12, "resolution": "big", "motion_strength": 2,
        "camera_motion": "dolly", "optimize_prompt": true, "seed": -2, "callback_url": "http://127.0.0.1/"
    });
    let answer = ask(post_to("/api/v1/videos/generate", body.to_string())).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    let answer = answer.json();
    let faults: Vec<String> = answer["detail"]
        .as_array()
        .unwrap()
        .iter()
        .map(|fault| format!("{} {}", fault["loc"][1].as_str().unwrap(), fault["type"].as_str().unwrap()))
        .collect();
    let expected = [
        "prompt string_too_long",
        "duration greater_than_equal",
        "fps greater_than_equal",
        "resolution value_error",
        "motion_strength less_than_equal",
        "camera_motion enum",
        "optimize_prompt value_error",
        "seed greater_than_equal",
        "callback_url value_error",
    ];
    assert_eq!(faults, expected, "{answer}");
    assert_eq!((&answer["error"]["code"], &answer["error"]["details"]), (&json!("VALIDATION_ERROR"), &answer["detail"]));

    for (changes, field, sentence) in [
        (json!({"image": null}), "image", "Input should be a valid string"),
        (json!({"image": "AAAA"}), "image", "Value error, the picture is no PNG, JPEG or WebP of at most 8192 pixels a side"),
        (json!({"image": "***"}), "image", "Value error, the picture is no base64, no data URL and no http or https address"),
        (json!({"image": "http://127.0.0.1:9/a.png"}), "image", "Value error, 127.0.0.1: this"),
        (json!({"image": "http://169.254.169.254/latest/meta-data"}), "image", "Value error, 169.254.169.254: this"),
        (json!({"duration": 11}), "duration", "Input should be less than or equal to 10"),
        (json!({"fps": 61}), "fps", "Input should be less than or equal to 60"),
        (json!({"optimize_prompt": true}), "optimize_prompt", "Value error, no prompt optimizer is configured"),
        (json!({"optimize_prompt": "perhaps"}), "optimize_prompt", "Input should be a valid boolean, unable to interpret input"),
        (json!({"callback_url": "ftp://media.example/"}), "callback_url", "Value error, media.example: only http and https are allowed"),
    ] {
        let answer = ask(post_to("/api/v1/videos/generate", clip(changes.clone()).to_string())).await.json();
        let detail = &answer["detail"];
        assert_eq!((detail.as_array().unwrap().len(), &detail[0]["loc"]), (1, &json!(["body", field])), "{changes}: {answer}");
        assert!(detail[0]["msg"].as_str().unwrap().starts_with(sentence), "{answer}");
    }
    let missing = ask(post_to("/api/v1/videos/generate", "{}")).await.json();
    assert_eq!((&missing["detail"][0]["type"], &missing["detail"][0]["loc"]), (&json!("missing"), &json!(["body", "image"])));
    let malformed = ask(post_to("/api/v1/videos/generate", "{")).await;
    assert_eq!((malformed.status, &malformed.json()["error"]["code"]), (StatusCode::BAD_REQUEST, &json!("HTTP_ERROR")));
}

#[actix_web::test]
async fn an_image_is_fetched_from_an_allowed_address() {
    let images = actix_web::HttpServer::new(|| {
        actix_web::App::new()
            .route("/a.png", actix_web::web::get().to(|| async { actix_web::HttpResponse::Ok().content_type("image/png").body(png()) }))
    });
    let images = images.workers(1).disable_signals().bind("127.0.0.1:0").unwrap();
    let address = images.addrs()[0];
    let running = images.run();
    let handle = running.handle();
    tokio::spawn(running);
    let guard = GuardSettings { allow: vec![address.to_string().parse().unwrap()], ..GuardSettings::default() };
    let server = Running::with_settings(ServerSettings { guard, ..settings() }, engine(4).await).await;
    let id = server.submit(json!({"image": format!("http://{address}/a.png")})).await;
    assert_eq!(server.ended(&id).await["status"], "completed");
    let (status, answer) =
        server.ask(Method::POST, "/api/v1/videos/generate", Some(clip(json!({"image": format!("http://{address}/none.png")})))).await;
    assert_eq!((status.as_u16(), &answer["detail"][0]["msg"]), (422, &json!("Value error, 127.0.0.1: answered with status 404")));
    handle.stop(false).await;
}

#[actix_web::test]
async fn the_default_length_is_the_models() {
    let server = start().await;
    let id = server.submit(json!({"duration": null, "fps": null})).await;
    let output = server.ended(&id).await["result"]["result"].take();
    assert_eq!((&output["frames"], &output["fps"]), (&json!(31), &json!("30")), "{output}");
}

#[actix_web::test]
async fn a_full_queue_is_429() {
    let server = Running::with_settings(settings(), engine(1).await).await;
    let slow = server.submit(json!({"prompt": "slow"})).await;
    let answer = reqwest::Client::new().post(server.url("/api/v1/videos/generate")).json(&clip(json!({}))).send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 429);
    assert!(answer.headers()["retry-after"].to_str().unwrap().parse::<u64>().unwrap() >= 1);
    assert_eq!(answer.json::<Value>().await.unwrap()["error"]["code"], "RATE_LIMIT_EXCEEDED");
    assert_eq!(server.ask(Method::DELETE, &format!("/api/v1/tasks/{slow}"), None).await.0.as_u16(), 200);
}

#[actix_web::test]
async fn tasks_outlive_the_server() {
    let folder = tempfile::tempdir().unwrap();
    let settings = ServerSettings { shutdown_limit: std::time::Duration::ZERO, ..settings() };
    let first = Running::in_folder(folder.path(), settings.clone(), engine(4).await).await;
    let (done, slow, waiting) =
        (first.submit(json!({})).await, first.submit(json!({"prompt": "slow"})).await, first.submit(json!({"seed": 9})).await);
    first.ended(&done).await;
    first.task_when(&slow, |task| task["status"] == "processing").await;
    first.end().await;
    let second = Running::in_folder(folder.path(), settings, engine(4).await).await;
    assert_eq!(second.task(&done).await["status"], "completed");
    let task = second.task_when(&slow, |task| task["status"] == "processing").await;
    assert_eq!(task["attempts"], 2);
    assert_eq!(second.ask(Method::DELETE, &format!("/api/v1/tasks/{slow}"), None).await.0.as_u16(), 200);
    assert_eq!(second.ended(&waiting).await["status"], "completed");
}

#[actix_web::test]
async fn the_documented_bounds_of_tasks_are_the_ones_that_are_checked() {
    let api = ask(actix_web::test::TestRequest::get().uri("/openapi.json")).await.json();
    let video = &api["components"]["schemas"]["VideoTaskRequest"]["properties"];
    assert_eq!(video["fps"]["default"].as_f64().unwrap(), ClipRules::default().default_fps.as_f64());
    for (field, below, above) in [("duration", 0.9, 10.1), ("fps", 23.9, 60.1), ("motion_strength", -0.1, 1.1)] {
        for (bound, outside) in [("minimum", below), ("maximum", above)] {
            let inside = video[field][bound].as_f64().unwrap();
            for (value, refused) in [(inside, false), (outside, true)] {
                let answer = ask(post_to("/api/v1/videos/generate", clip(json!({ field: value })).to_string())).await;
                assert_eq!(answer.status == StatusCode::UNPROCESSABLE_ENTITY, refused, "{field} {value}: {}", answer.text());
            }
        }
    }
    let image = &api["components"]["schemas"]["PictureTaskRequest"]["properties"];
    for field in ["width", "height"] {
        assert_eq!((&image[field]["minimum"], &image[field]["maximum"]), (&json!(64), &json!(4096)));
        for value in [63, 4097] {
            let answer = ask(post_to("/api/v1/images/generate", json!({"prompt": "a boat", field: value}).to_string())).await;
            assert_eq!(answer.json()["detail"][0]["loc"], json!(["body", field]));
        }
    }
}
