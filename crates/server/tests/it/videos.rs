//! `POST /generate-video`, `POST /generate-video/info` and `POST /animate`: frames, headers, faults, and cleaning up.

use std::{fs, io::Cursor, time::Duration};

use actix_web::http::StatusCode;
use base64::{Engine as _, prelude::BASE64_STANDARD};
use image::{ImageFormat, RgbImage};
use serde_json::{Value, json};
use server::ServerSettings;

use crate::fake::{Answer, Running, ask, engine, post_to};

/// The body of the service's own example, at a size that is quick to encode.
fn example() -> Value {
    json!({
        "scenes": [
            "A peaceful sunrise over mountains with mist",
            "A busy city street at noon with people walking",
            "A calm beach at sunset with waves"
        ],
        "num_inference_steps": 25, "duration_per_scene": 3.0, "fps": 24, "width": 64, "height": 64, "transition_frames": 12
    })
}

fn with(changes: Value) -> Value {
    let mut body = example();
    body.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    body
}

async fn video(body: &Value) -> Answer {
    ask(post_to("/generate-video", body.to_string())).await
}

async fn info(body: &Value) -> Value {
    let answer = ask(post_to("/generate-video/info", body.to_string())).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    answer.json()
}

/// The number of frames in an MP4 file: the sample count of its one track.
fn frames(mp4: &[u8]) -> u32 {
    let at = mp4.windows(4).position(|window| window == b"stsz").unwrap();
    u32::from_be_bytes(mp4[at + 12..at + 16].try_into().unwrap())
}

#[actix_web::test]
async fn the_example_is_240_frames_of_mp4() {
    let answer = video(&example()).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.header("content-type"), Some("video/mp4"));
    let disposition = answer.header("content-disposition").unwrap();
    assert!(disposition.starts_with("attachment; filename=\"video_") && disposition.ends_with(".mp4\""), "{disposition}");
    let heads = ["x-video-scenes", "x-video-duration", "x-video-fps", "x-hero-used"].map(|name| answer.header(name).unwrap().to_owned());
    assert_eq!(heads, ["3", "10.0", "24", "false"]);
    assert!(answer.header("x-seed").unwrap().parse::<u32>().is_ok());
    assert_eq!(answer.header("x-prompt-truncated"), None);
    assert_eq!(&answer.body[4..8], b"ftyp");
    assert_eq!(frames(&answer.body), 240);
}

#[actix_web::test]
async fn the_same_seed_gives_the_same_bytes() {
    let body = with(json!({"seed": 5, "duration_per_scene": 0.5}));
    let (first, second) = (video(&body).await, video(&body).await);
    assert_eq!((first.header("x-seed"), &first.body), (Some("5"), &second.body));
}

#[actix_web::test]
async fn a_hero_and_a_long_prompt_are_reported_in_the_headers() {
    let long = "a boat and ".repeat(30);
    let answer = video(&with(json!({"hero_description": "a red fox", "scenes": [long, "a star"], "duration_per_scene": 0.2}))).await;
    assert_eq!((answer.header("x-hero-used"), answer.header("x-prompt-truncated")), (Some("true"), Some("true")));
    assert_eq!(answer.header("x-video-duration"), Some("0.8333333333333334"));
}

#[actix_web::test]
async fn the_info_has_the_services_arithmetic() {
    let expected = json!({
        "scenes_count": 3, "frames_per_scene": 72, "transition_frames": 12, "total_frames": 240, "total_duration_seconds": 10.0,
        "fps": 24, "resolution": "64x64", "estimated_generation_time_seconds": null
    });
    let mut found = info(&with(json!({"seed": 1}))).await;
    let timeline = found.as_object_mut().unwrap().remove("timeline").unwrap();
    assert_eq!((found, timeline.as_array().unwrap().len()), (expected, 5));
    let cut = info(&with(json!({"join": "cut", "fps": "30000/1001", "duration_per_scene": 1}))).await;
    assert_eq!((&cut["total_frames"], &cut["fps"], &cut["transition_frames"]), (&json!(87), &json!(30000.0 / 1001.0), &json!(0)));
    // One scene is not a video, but has a length.
    assert_eq!(info(&with(json!({"scenes": ["a boat"]}))).await["total_frames"], 72);
    let own = json!({"scenes": ["a boat", {"prompt": "a star", "duration": 1.0, "join": "cut"}, "a sun"]});
    assert_eq!(info(&with(own)).await["total_frames"], 72 + 12 + 24 + 72);
}

#[actix_web::test]
async fn an_estimate_comes_from_measurements() {
    let running = Running::start(4).await;
    let client = reqwest::Client::new();
    let ask = || client.post(running.url("/generate-video/info")).json(&example()).send();
    let estimate = |answer: Value| answer["estimated_generation_time_seconds"].clone();
    assert_eq!(estimate(ask().await.unwrap().json().await.unwrap()), Value::Null);
    // "stuck" takes a second in its first step, but the time outside the steps counts too.
    let answer = client.post(running.url("/generate")).json(&json!({"prompt": "stuck", "num_inference_steps": 5})).send().await.unwrap();
    assert!(answer.status().is_success());
    let seconds = estimate(ask().await.unwrap().json().await.unwrap()).as_f64().unwrap();
    assert!((3.0..10.0).contains(&seconds), "three pictures of a second each: {seconds}");
}

#[actix_web::test]
async fn fewer_than_two_scenes_are_no_video() {
    for scenes in [json!([]), json!(["a boat"])] {
        let answer = video(&with(json!({ "scenes": scenes }))).await;
        assert_eq!((answer.status, answer.json()), (StatusCode::BAD_REQUEST, json!({"detail": "At least 2 scenes required"})));
    }
}

#[actix_web::test]
async fn every_fault_is_reported_with_its_place() {
    let body = with(json!({
        "fps": 0, "width": 100_000, "join": "wipe", "motion": {"num_frames": 1, "max_guidance_scale": "strong"},
        "scenes": ["a boat", 5, {"prompt": ""}, {"seed": -2, "motion": {"motion_bucket_id": 0}}, {"prompt": "a", "source": "film"}]
    }));
    let answer = video(&body).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", answer.text());
    let faults: Vec<String> = answer.json()["detail"]
        .as_array()
        .unwrap()
        .iter()
        .map(|fault| {
            let place: Vec<String> = fault["loc"]
                .as_array()
                .unwrap()
                .iter()
                .skip(1)
                .map(|step| step.as_str().map_or_else(|| step.to_string(), str::to_owned))
                .collect();
            format!("{} {}", place.join("."), fault["type"].as_str().unwrap())
        })
        .collect();
    let expected = [
        "scenes.1 string_type",
        "scenes.2.prompt string_too_short",
        "scenes.3.prompt missing",
        "scenes.3.seed greater_than_equal",
        "scenes.3.motion.motion_bucket_id greater_than_equal",
        "scenes.4.source enum",
        "fps greater_than_equal",
        "width less_than_equal",
        "join enum",
        "motion.max_guidance_scale float_parsing",
        "motion.num_frames greater_than_equal",
    ];
    assert_eq!(faults, expected);
    let missing = ask(post_to("/generate-video/info", "{}")).await.json();
    assert_eq!(missing["detail"][0]["loc"], json!(["body", "scenes"]));
    let list = video(&with(json!({"scenes": "a boat"}))).await.json();
    assert_eq!(list["detail"][0]["type"], "list_type");
}

#[actix_web::test]
async fn a_failure_is_reported_and_leaves_no_files() {
    let scratch = tempfile::tempdir().unwrap();
    let settings = ServerSettings { scratch: scratch.path().to_owned(), ..ServerSettings::default() };
    let running = Running::with_settings(settings, engine(4).await).await;
    let client = reqwest::Client::new();
    let ask = |prompt: &str| client.post(running.url("/generate-video")).json(&with(json!({"scenes": [prompt, "a star"]}))).send();
    for (prompt, detail) in [
        ("broken", "Video generation failed: tokenizer: broken as told"),
        ("panic", "Video generation failed: internal error: the fake model panics"),
    ] {
        let answer = ask(prompt).await.unwrap();
        assert_eq!(answer.status().as_u16(), 500);
        assert_eq!(answer.json::<Value>().await.unwrap(), json!({ "detail": detail }));
    }
    let refused = ask("no scheduler").await.unwrap();
    assert_eq!(refused.status().as_u16(), 422);
    assert_eq!(refused.json::<Value>().await.unwrap()["detail"][0]["loc"], json!(["body", "scheduler"]));
    assert!(ask("a boat").await.unwrap().status().is_success());
    // A client that hangs up gets no video, and leaves no files.
    let hung_up = tokio::time::timeout(Duration::from_millis(200), ask("slow")).await;
    assert!(hung_up.is_err());
    running.wait_for_jobs(0).await;
    assert_eq!(fs::read_dir(scratch.path()).unwrap().count(), 0);
}

fn image(format: ImageFormat) -> String {
    let mut bytes = Cursor::new(Vec::new());
    RgbImage::new(6, 4).write_to(&mut bytes, format).unwrap();
    BASE64_STANDARD.encode(bytes.into_inner())
}

async fn animate(body: Value) -> Answer {
    ask(post_to("/animate", body.to_string())).await
}

#[actix_web::test]
async fn an_image_is_set_in_motion() {
    for image in [image(ImageFormat::Png), image(ImageFormat::Jpeg), format!("data:image/webp;base64,{}", image(ImageFormat::WebP))] {
        let answer = animate(json!({"image": image, "seed": 3, "fps": 12, "motion_bucket_id": 200})).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", String::from_utf8_lossy(&answer.body));
        assert_eq!((answer.header("x-video-fps"), answer.header("x-seed")), (Some("12"), Some("3")));
        assert_eq!(frames(&answer.body), 8);
    }
}

#[actix_web::test]
async fn invalid_images_are_refused() {
    let faults = |body: Value| async move {
        let answer = animate(body).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
        let detail = answer.json()["detail"].clone();
        detail.as_array().unwrap().iter().map(|fault| (fault["loc"][1].clone(), fault["msg"].clone())).collect::<Vec<_>>()
    };
    let first = |found: Vec<(Value, Value)>| found.into_iter().next().unwrap();
    assert_eq!(first(faults(json!({})).await), (json!("image"), json!("Field required")));
    assert_eq!(first(faults(json!({"image": "***"})).await).1, "Value error, the picture is no base64 and no data URL");
    let text = BASE64_STANDARD.encode("no picture");
    assert!(first(faults(json!({ "image": text })).await).1.as_str().unwrap().contains("no PNG, JPEG or WebP"));
    let several = faults(json!({"image": image(ImageFormat::Png), "num_frames": 1, "width": 100, "height": 64, "fps": "fast"})).await;
    let names: Vec<&str> = several.iter().map(|(name, _)| name.as_str().unwrap()).collect();
    assert_eq!(names, ["num_frames", "fps", "width"]);
}

#[actix_web::test]
async fn a_missing_folder_is_503_without_its_path() {
    let folder = tempfile::tempdir().unwrap();
    let settings = ServerSettings { scratch: folder.path().join("nowhere-to-write"), ..ServerSettings::default() };
    let server = Running::with_settings(settings, engine(2).await).await;
    let answer = reqwest::Client::new().post(server.url("/generate-video")).json(&example()).send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 503);
    assert!(answer.headers().contains_key("retry-after"));
    let message = answer.text().await.unwrap();
    assert!(message.contains("the folder for videos in the making cannot be used") && !message.contains("nowhere-to-write"), "{message}");
}
