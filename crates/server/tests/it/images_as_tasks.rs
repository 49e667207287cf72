//! `POST /api/v1/images/generate` and `/generate-i2i`: sizes, fields, and pictures whose client has hung up.

use std::{io::Cursor, time::Duration};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use image::ImageFormat;
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    fake::Running,
    task_client::{clip, png, start},
};

const GENERATE: &str = "/api/v1/images/generate";

async fn generate(server: &Running, path: &str, body: Value) -> Value {
    let (status, answer) = server.ask(Method::POST, path, Some(body)).await;
    assert_eq!(status.as_u16(), 200, "{answer}");
    answer
}

fn size(answer: &Value) -> (u32, u32) {
    let file = BASE64_STANDARD.decode(answer["image_b64"].as_str().unwrap()).unwrap();
    let image = image::load(Cursor::new(file), ImageFormat::Png).unwrap();
    (image.width(), image.height())
}

#[actix_web::test]
async fn an_image_is_made_at_the_models_size_and_resized() {
    let server = start().await;
    let body = json!({"prompt": "A serene mountain landscape", "width": 1920, "height": 1080, "quality": "high", "seed": 5});
    let answer = generate(&server, GENERATE, body).await;
    assert_eq!(size(&answer), (1920, 1080));
    assert_eq!((&answer["width"], &answer["height"]), (&json!(1920), &json!(1080)));
    // The fake model's own size is 64 x 72.
    assert_eq!((&answer["native_width"], &answer["native_height"]), (&json!(88), &json!(64)));
    assert_eq!((&answer["service"], &answer["seed"]), (&json!("local"), &json!(5)));
    assert!(answer["duration"].as_f64().unwrap() >= 0.0);
    let parameters = answer["parameters"].as_str().unwrap();
    assert!(parameters.contains("Steps: 30,") && parameters.contains("Size: 88x64,"), "{parameters}");

    let id = answer["task_id"].as_str().unwrap();
    assert!(id.starts_with("img_") && id.len() == 16, "{id}");
    let url = answer["image_url"].as_str().unwrap();
    let file = reqwest::get(url).await.unwrap();
    assert_eq!(file.headers()["content-type"], "image/png");
    assert_eq!(BASE64_STANDARD.encode(file.bytes().await.unwrap()), answer["image_b64"].as_str().unwrap());
    let task = server.task(id).await;
    let output = &task["result"]["result"];
    assert_eq!((&output["image_url"], &output["video_url"], &output["frames"]), (&json!(url), &Value::Null, &Value::Null));
    assert_eq!(output["native"], json!({"width": 88, "height": 64, "frames": null}));
    // The answer's URL works in the next request, although its address is not public.
    let next = server.submit(json!({ "image": url })).await;
    assert_eq!(server.ended(&next).await["status"], "completed");
    for none in [url.replace("image-0", "image-1"), server.url("/health"), url.replace("img_", "img-")] {
        let (status, answer) = server.ask(Method::POST, "/api/v1/videos/generate", Some(clip(json!({ "image": none })))).await;
        assert_eq!(status.as_u16(), 422);
        assert!(answer["detail"][0]["msg"].as_str().unwrap().contains("this server has no picture of yours at /"), "{answer}");
    }
}

#[actix_web::test]
async fn every_field_takes_effect() {
    let server = start().await;
    let parameters = |answer: Value| answer["parameters"].as_str().unwrap().to_owned();
    let small = |changes: Value| {
        let mut body = json!({"prompt": "a boat", "width": 100, "height": 90, "seed": 1});
        body.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        body
    };
    for (changes, expected) in [
        (json!({}), "a boat\nSteps: 25, Sampler: DDIM, CFG scale: 7.5, Seed: 1, Size: 72x64, Model: fake, Resized to: 100x90,"),
        (json!({"quality": "low"}), "a boat\nSteps: 10,"),
        (json!({"quality": "ultra", "steps": 33}), "a boat\nSteps: 33,"),
        (json!({"quality": "medium", "style": "watercolour"}), "a boat, watercolour\nSteps: 20,"),
        (json!({"negative_prompt": "fog", "cfg_scale": 3}), "a boat\nNegative prompt: fog\nSteps: 25, Sampler: DDIM, CFG scale: 3,"),
        (json!({"service": "midjourney", "seed": 7}), "a boat\nSteps: 25, Sampler: DDIM, CFG scale: 7.5, Seed: 7,"),
    ] {
        let answer = generate(&server, GENERATE, small(changes.clone())).await;
        assert_eq!(answer["service"], "local");
        let text = parameters(answer);
        assert!(text.starts_with(expected), "{changes}: {text}");
    }
    let image = BASE64_STANDARD.encode(png());
    for (weight, strength) in [(json!(null), "0.3"), (json!(0.0), "1"), (json!(1.0), "0.04")] {
        let body = small(json!({"image": image, "reference_weight": weight}));
        let text = parameters(generate(&server, "/api/v1/images/generate-i2i", body).await);
        assert!(text.contains(&format!("Denoising strength: {strength}")), "{weight}: {text}");
    }
    let services = server.ask(Method::GET, "/api/v1/images/services", None).await.1;
    assert_eq!(services, json!(["local"]));
}

#[actix_web::test]
async fn every_fault_of_an_image_is_reported() {
    let server = start().await;
    let body = json!({
        "width": 10, "height": 5000, "quality": "best", "service": "dalle", "style": 5, "seed": -2, "cfg_scale": 51, "steps": 0,
        "optimize_prompt": true, "reference_weight": 1.5, "callback_url": "http://localhost:1/"
    });
    let faults_of = |answer: &Value| -> Vec<String> {
        let faults = answer["detail"].as_array().unwrap();
        faults.iter().map(|fault| format!("{} {}", fault["loc"][1].as_str().unwrap(), fault["type"].as_str().unwrap())).collect()
    };
    let (status, answer) = server.ask(Method::POST, "/api/v1/images/generate-i2i", Some(body)).await;
    assert_eq!(status.as_u16(), 422);
    let expected = [
        "prompt missing",
        "image missing",
        "service enum",
        "width greater_than_equal",
        "height less_than_equal",
        "reference_weight less_than_equal",
        "quality enum",
        "style string_type",
        "seed greater_than_equal",
        "cfg_scale less_than_equal",
        "steps greater_than_equal",
        "optimize_prompt value_error",
        "callback_url value_error",
    ];
    assert_eq!(faults_of(&answer), expected, "{answer}");
    let (_, answer) = server.ask(Method::POST, GENERATE, Some(json!({"prompt": " ", "style": "oil"}))).await;
    assert_eq!(faults_of(&answer), ["prompt string_too_short"]);
}

#[actix_web::test]
async fn failed_images_say_why() {
    let server = start().await;
    for (prompt, sentence) in
        [("broken", "Image generation failed: tokenizer: broken as told"), ("panic", "Image generation failed: internal error")]
    {
        let (status, answer) = server.ask(Method::POST, GENERATE, Some(json!({ "prompt": prompt }))).await;
        let error = json!({"code": "INTERNAL_ERROR", "message": sentence, "details": {}});
        assert_eq!((status.as_u16(), answer), (500, json!({"detail": sentence, "error": error})));
    }
    // A refusal of the model is a fault of the request, under this API's field name.
    for (prompt, field, reason) in [("refuse", "steps", "not with this scheduler"), ("no scheduler", "scheduler", "field _class_name")] {
        let (status, answer) = server.ask(Method::POST, GENERATE, Some(json!({ "prompt": prompt }))).await;
        assert_eq!((status.as_u16(), &answer["detail"][0]["loc"]), (422, &json!(["body", field])), "{answer}");
        assert!(answer["detail"][0]["msg"].as_str().unwrap().contains(reason), "{answer}");
    }
}

#[actix_web::test]
async fn hanging_up_cancels_an_image_unless_it_can_be_fetched_later() {
    let server = start().await;
    let client = reqwest::Client::new();
    let slow = |key: Option<&'static str>| {
        let mut request = client.post(server.url(GENERATE)).json(&json!({"prompt": "slow"}));
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        request.send()
    };
    tokio::select! {
        answer = slow(None) => panic!("it never ends by itself: {answer:?}"),
        // Not earlier: the server may take long to read the request.
        () = server.wait_for_jobs(1) => {}
    }
    server.wait_for_jobs(0).await;
    let tasks = server.ask(Method::GET, "/api/v1/tasks", None).await.1;
    assert_eq!((tasks.as_array().unwrap().len(), &tasks[0]["status"]), (1, &json!("cancelled")));

    tokio::select! {
        answer = slow(Some("a")) => panic!("it never ends by itself: {answer:?}"),
        () = server.wait_for_jobs(1) => {}
    }
    let second = tokio::time::timeout(Duration::from_millis(300), slow(Some("a")));
    assert!(second.await.is_err(), "the second waits for the same");
    let tasks = server.ask(Method::GET, "/api/v1/tasks", None).await.1;
    assert_eq!((tasks.as_array().unwrap().len(), &tasks[0]["status"]), (2, &json!("processing")));
    let id = tasks[0]["task_id"].as_str().unwrap();
    assert_eq!(server.ask(Method::DELETE, &format!("/api/v1/tasks/{id}"), None).await.0.as_u16(), 200);
    // A repeated request gets the outcome.
    let answer = client.post(server.url(GENERATE)).json(&json!({"prompt": "slow"})).header("idempotency-key", "a").send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 410);
    assert_eq!(answer.json::<Value>().await.unwrap()["error"]["code"], "TASK_CANCELLED");
}
