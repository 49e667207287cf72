//! `POST /generate`: the file, the JSON, the seed, and failures of the model.

use actix_web::http::StatusCode;
use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::json;

use crate::fake::{Running, ask, post};

#[actix_web::test]
async fn an_image_comes_as_a_file_with_a_unique_name() {
    let answer = ask(post(r#"{"prompt": "a boat", "seed": 300}"#)).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!((answer.header("content-type"), answer.header("x-seed")), (Some("image/png"), Some("300")));
    let disposition = answer.header("content-disposition").unwrap();
    let name = disposition.strip_prefix("attachment; filename=\"").and_then(|rest| rest.strip_suffix(".png\"")).unwrap();
    assert!(name.parse::<uuid::Uuid>().is_ok(), "{disposition}");
    let image = image::load_from_memory(&answer.body).unwrap().to_rgb8();
    assert_eq!(image.dimensions(), (64, 72), "the model's own size");
    assert_eq!(image.get_pixel(0, 0).0, [44, 1, 2]);
}

#[actix_web::test]
async fn an_image_comes_as_base64_on_request() {
    let body = r#"{"prompt": "a boat", "num_inference_steps": 30, "return_base64": true, "seed": 5, "width": 80, "height": 64}"#;
    let answer = ask(post(body)).await;
    assert_eq!(answer.status, StatusCode::OK);
    let mut json = answer.json();
    let image = BASE64_STANDARD.decode(json["image_base64"].take().as_str().unwrap()).unwrap();
    let parameters = json["parameters"].take();
    assert!(parameters.as_str().unwrap().starts_with("a boat\nSteps: 30, Sampler: DDIM, CFG scale: 7.5, Seed: 5, Size: 80x64"));
    let expected = json!({
        "success": true, "prompt": "a boat", "steps": 30, "image_base64": null, "format": "png",
        "seed": 5, "width": 80, "height": 64, "model": "fake", "parameters": null, "prompt_truncated": false
    });
    assert_eq!(json, expected);
    assert_eq!(image::load_from_memory(&image).unwrap().to_rgb8().dimensions(), (80, 64));
    let file = ask(post(body.replace("true", "false"))).await;
    assert_eq!(file.body, image, "the same picture in both forms, byte for byte");
}

#[actix_web::test]
async fn without_a_seed_a_random_one_is_reported() {
    let mut seeds = Vec::new();
    for _ in 0..3 {
        seeds.push(ask(post(r#"{"prompt": "a boat", "seed": null}"#)).await.header("x-seed").unwrap().parse::<u32>().unwrap());
    }
    seeds.dedup();
    assert!(seeds.len() > 1, "three equal draws of 32 bits: {seeds:?}");
}

#[actix_web::test]
async fn a_truncated_prompt_is_reported_in_the_headers_and_in_the_json() {
    // The fake model reads 75 words.
    let (all, more) = (vec!["boat"; 75].join(" "), vec!["boat"; 76].join(" "));
    for (prompt, negative_prompt, cut) in [(&all, &all, false), (&more, &all, true), (&all, &more, true), (&more, &more, true)] {
        let mut body = json!({"prompt": prompt, "negative_prompt": negative_prompt});
        let file = ask(post(body.to_string())).await;
        body["return_base64"] = true.into();
        let json = ask(post(body.to_string())).await;
        for answer in [&file, &json] {
            assert_eq!((answer.status, answer.header("x-prompt-truncated")), (StatusCode::OK, cut.then_some("true")));
        }
        assert_eq!(json.json()["prompt_truncated"], cut);
        assert_eq!(json.json()["prompt"], *prompt, "the prompt comes back in full");
    }
}

#[actix_web::test]
async fn the_body_is_parsed_as_leniently_as_by_fastapi() {
    let body = r#"{"prompt": "a boat", "num_inference_steps": "30", "guidance_scale": "5", "width": 64.0, "return_base64": "yes",
                   "negative_prompt": null, "scheduler": null, "height": null, "nobody knows": [1]}"#;
    let answer = ask(post(body)).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    assert_eq!(answer.json()["steps"], 30);
    let untyped = actix_web::test::TestRequest::post().uri("/generate").set_payload(r#"{"prompt": "a boat"}"#);
    assert_eq!(ask(untyped).await.status, StatusCode::OK, "a body without a type counts as JSON");
}

#[actix_web::test]
async fn failures_of_the_model_are_500_and_the_next_image_is_made() {
    let server = Running::start(4).await;
    let client = reqwest::Client::new();
    let ask = |prompt: &'static str| client.post(server.url("/generate")).json(&json!({"prompt": prompt})).send();
    for (prompt, detail) in
        [("panic", "Generation failed: internal error: the fake model panics"), ("broken", "Generation failed: tokenizer: broken as told")]
    {
        let answer = ask(prompt).await.unwrap();
        assert_eq!(answer.status().as_u16(), 500);
        assert_eq!(answer.json::<serde_json::Value>().await.unwrap(), json!({"detail": detail}));
    }
    assert_eq!(ask("a boat").await.unwrap().status().as_u16(), 200);
}

#[actix_web::test]
async fn faults_that_only_the_model_detects_are_422() {
    let answer = ask(post(r#"{"prompt": "refuse"}"#)).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    let expected = json!({"detail": [{
        "type": "value_error", "loc": ["body", "num_inference_steps"], "msg": "Value error, not with this scheduler", "input": null,
        "ctx": {"error": "not with this scheduler"}
    }]});
    assert_eq!(answer.json(), expected);
    // A model's own scheduler file that it cannot run is a refusal of the model, not a failure.
    let answer = ask(post(r#"{"prompt": "no scheduler"}"#)).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    let detail = &answer.json()["detail"][0];
    assert_eq!(detail["loc"], json!(["body", "scheduler"]));
    assert!(detail["msg"].as_str().unwrap().contains("field _class_name: unsupported value \"Odd\""), "{detail}");
}

#[actix_web::test]
async fn a_full_queue_is_429_with_retry_after() {
    let server = Running::start(2).await;
    let _running = server.request("slow").await;
    let _waiting = server.request("slow").await;
    server.wait_for_jobs(2).await;
    let answer = reqwest::Client::new().post(server.url("/generate")).json(&json!({"prompt": "a boat"})).send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 429);
    assert_eq!(answer.headers()["retry-after"], "5", "the initial estimate, because no picture has been timed yet");
    let body: serde_json::Value = answer.json().await.unwrap();
    assert_eq!(body, json!({"detail": "the queue is full (2 places); try again in about 5 s"}));
}

#[actix_web::test]
async fn numbers_are_accepted_in_the_forms_that_fastapi_accepts() {
    for (steps, seed, guidance, expected) in [
        ("3", "10", "7", "10"),
        ("3.0", "1e1", "true", "10"),
        (r#""3.0""#, r#"" 1_0 ""#, r#""7""#, "10"),
        ("true", r#""+10""#, r#""1_0.5""#, "10"),
        (r#""03""#, "false", "7e0", "0"),
    ] {
        let body = format!(r#"{{"prompt": "a boat", "num_inference_steps": {steps}, "seed": {seed}, "guidance_scale": {guidance}}}"#);
        let answer = ask(post(body.clone())).await;
        assert_eq!((answer.status, answer.header("x-seed")), (StatusCode::OK, Some(expected)), "{body}");
    }
}
