//! `GET /api/v1/tasks` as a gallery reads it: what tasks make, searched and filtered; and how a task is asked for again.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use reqwest::Method;
use serde_json::{Value, json};
use server::{ServerSettings, access::AccessSettings};

use crate::{
    attacks::{ALICES_KEY, BOBS_KEY, keys},
    fake::{Running, engine},
    task_client::{png, settings, start},
};

const GENERATE: &str = "/api/v1/images/generate";

async fn generate(server: &Running, body: Value) -> String {
    let (status, answer) = server.ask(Method::POST, GENERATE, Some(body)).await;
    assert_eq!(status.as_u16(), 200, "{answer}");
    answer["task_id"].as_str().unwrap().to_owned()
}

async fn list(server: &Running, query: &str) -> Vec<Value> {
    let (status, tasks) = server.ask(Method::GET, &format!("/api/v1/tasks?{query}"), None).await;
    assert_eq!(status.as_u16(), 200, "{tasks}");
    tasks.as_array().unwrap().clone()
}

async fn ids(server: &Running, query: &str) -> Vec<String> {
    list(server, query).await.iter().map(|task| task["task_id"].as_str().unwrap().to_owned()).collect()
}

#[actix_web::test]
async fn an_entry_says_what_its_task_makes() {
    let server = start().await;
    let image = generate(&server, json!({"prompt": "A boat", "width": 100, "height": 90, "seed": 7})).await;
    let broken = server.submit(json!({"prompt": "broken"})).await;
    let video = server.submit(json!({})).await;
    for id in [&broken, &video] {
        server.ended(id).await;
    }
    let tasks = list(&server, "order=asc").await;
    let [first, second, third] = tasks.as_slice() else { panic!("{tasks:?}") };
    let expected = json!({
        "kind": "image", "prompt": "A boat", "model": null, "width": 100, "height": 90, "seed": 7, "priority": "normal",
        "frames": null, "duration_seconds": null, "error": null
    });
    for (key, value) in expected.as_object().unwrap() {
        assert_eq!(&first[key], value, "{key}: {first}");
    }
    let file = &first["file"];
    assert_eq!((&file["name"], &file["media_type"], &file["expired"]), (&json!("image-0.png"), &json!("image/png"), &json!(false)));
    assert_eq!(file["url"], server.url(&format!("/files/{image}/image-0.png")));
    let bytes = reqwest::get(file["url"].as_str().unwrap()).await.unwrap().bytes().await.unwrap();
    assert_eq!(file["bytes"], bytes.len());
    assert_eq!(first["thumbnail_url"], server.url(&format!("/api/v1/tasks/{image}/thumbnail")));
    assert!(first["elapsed_seconds"].as_f64().unwrap() >= 0.0 && first["completed_at"].is_string());
    assert_eq!(
        (&second["error"], &second["file"], &second["thumbnail_url"]),
        (&json!("tokenizer: broken as told"), &Value::Null, &Value::Null)
    );
    assert_eq!((&second["kind"], &second["prompt"]), (&json!("video"), &json!("broken")));
    assert_eq!((&third["frames"], &third["duration_seconds"], &third["prompt"]), (&json!(24), &json!(1.0), &Value::Null));
    // The whole task has the same keys.
    let task = server.task(&image).await;
    for key in ["kind", "prompt", "model", "width", "height", "seed", "priority", "file", "thumbnail_url", "elapsed_seconds"] {
        assert_eq!(task[key], first[key], "{key}");
    }
}

#[actix_web::test]
async fn tasks_are_searched_and_filtered() {
    let server = start().await;
    let boat = generate(&server, json!({"prompt": "A Boat at Sunset", "width": 64, "height": 64})).await;
    let apples = generate(&server, json!({"prompt": "\u{c4}pfel at sunset", "width": 64, "height": 64})).await;
    let broken = server.submit(json!({"prompt": "broken"})).await;
    let video = server.submit(json!({"prompt": "a boat"})).await;
    server.ended(&broken).await;
    server.ended(&video).await;
    assert_eq!(ids(&server, "q=boat").await, [video.as_str(), boat.as_str()]);
    assert_eq!(ids(&server, "q=SUNSET+boat").await, [boat.as_str()]);
    assert_eq!(ids(&server, "q=%C3%A4PFEL").await, [apples.as_str()]);
    assert!(ids(&server, "q=100%25").await.is_empty());
    assert_eq!(ids(&server, "q=boat&kind=video").await, [video.as_str()]);
    assert_eq!(ids(&server, "kind=image&order=asc").await, [boat.as_str(), apples.as_str()]);
    assert_eq!(ids(&server, "kind=upscale").await, Vec::<String>::new());
    assert_eq!(ids(&server, "status=failed&status=pending").await, [broken.as_str()]);
    assert_eq!(ids(&server, "status=completed,failed&kind=video").await, [video.as_str(), broken.as_str()]);
    // The next page keeps the filter.
    let answer = reqwest::get(server.url("/api/v1/tasks?q=sunset&kind=image&status=completed,failed&limit=1")).await.unwrap();
    let link = answer.headers()["link"].to_str().unwrap().to_owned();
    let next = link.strip_prefix('<').unwrap().strip_suffix(">; rel=\"next\"").unwrap();
    let page: Value = reqwest::get(next).await.unwrap().json().await.unwrap();
    assert_eq!((page.as_array().unwrap().len(), &page[0]["task_id"]), (1, &json!(boat)));
    for (query, place) in [("kind=picture", "kind"), ("status=completed,lost", "status"), (&format!("q={}", "x".repeat(501)), "q")] {
        let (status, body) = server.ask(Method::GET, &format!("/api/v1/tasks?{query}"), None).await;
        assert_eq!((status.as_u16(), &body["detail"][0]["loc"]), (422, &json!(["query", place])), "{query}");
    }
}

#[actix_web::test]
async fn a_task_says_how_it_is_asked_for_again_and_that_gives_the_same_picture() {
    let server = start().await;
    let sent = json!({
        "prompt": "a boat", "style": "watercolour", "negative_prompt": "fog", "width": 100, "height": 90, "cfg_scale": 3, "quality": "low",
        "scheduler": "DPM++ 2M Karras", "colour": 1
    });
    let id = generate(&server, sent).await;
    let task = server.task(&id).await;
    let again = &task["request"];
    assert_eq!((&again["path"], &again["needs"]), (&json!(GENERATE), &json!([])));
    let body = &again["body"];
    let expected = json!({
        "prompt": "a boat, watercolour", "negative_prompt": "fog", "width": 100, "height": 90, "cfg_scale": 3.0, "steps": 10,
        "scheduler": "dpmpp-2m-karras", "prompt_syntax": "plain", "vae": "full", "loras": []
    });
    for (key, value) in expected.as_object().unwrap() {
        assert_eq!(&body[key], value, "{key}: {body}");
    }
    assert!(body["seed"].is_u64() && body.get("colour").is_none(), "{body}");
    assert!(task["parameters"].as_str().unwrap().starts_with("a boat, watercolour\nNegative prompt: fog\nSteps: 10,"), "{task}");
    let same = generate(&server, body.clone()).await;
    let (same, first) = (server.task(&same).await, &task);
    assert_eq!(same["result"]["result"]["files"][0]["sha256"], first["result"]["result"]["files"][0]["sha256"]);
    assert_eq!(same["request"], first["request"]);

    let image = BASE64_STANDARD.encode(png());
    let sent = json!({"prompt": "a boat", "image": image, "reference_weight": 0.6, "width": 64, "height": 64, "seed": 5});
    let (status, answer) = server.ask(Method::POST, "/api/v1/images/generate-i2i", Some(sent)).await;
    assert_eq!(status.as_u16(), 200, "{answer}");
    let again = server.task(answer["task_id"].as_str().unwrap()).await["request"].clone();
    assert_eq!((&again["path"], &again["needs"]), (&json!("/api/v1/images/generate-i2i"), &json!(["image"])));
    assert_eq!((&again["body"]["strength"], again["body"].get("image")), (&json!(0.4), None));
    let mut body = again["body"].clone();
    body["image"] = json!(image);
    let (_, answer) = server.ask(Method::POST, "/api/v1/images/generate-i2i", Some(body)).await;
    assert_eq!(server.task(answer["task_id"].as_str().unwrap()).await["request"], again);

    let video = server.submit(json!({"camera_motion": "pan", "motion_strength": 0.5})).await;
    let again = server.task(&video).await["request"].clone();
    let body = json!({
        "duration": 1.0, "fps": 24.0, "resolution": "64x48", "motion_strength": 0.5, "camera_motion": "pan", "seed": 3
    });
    assert_eq!(again, json!({"path": "/api/v1/videos/generate", "body": body, "needs": ["image"]}));
}

#[actix_web::test]
async fn tasks_of_others_are_not_found_by_any_words() {
    let access = AccessSettings { keys: keys(), ..AccessSettings::default() };
    let server = Running::with_settings(ServerSettings { access, ..settings() }, engine(4).await).await;
    let client = reqwest::Client::new();
    let body = json!({"prompt": "a boat", "width": 64, "height": 64});
    let made = client.post(server.url(GENERATE)).bearer_auth(ALICES_KEY).json(&body).send().await.unwrap();
    assert_eq!(made.status().as_u16(), 200);
    for (key, found) in [(ALICES_KEY, 1), (BOBS_KEY, 0)] {
        for query in ["q=boat", "kind=image", "status=completed,failed", ""] {
            let url = server.url(&format!("/api/v1/tasks?{query}"));
            let tasks: Value = client.get(url).bearer_auth(key).send().await.unwrap().json().await.unwrap();
            assert_eq!(tasks.as_array().unwrap().len(), found, "{query}");
            if let Some(task) = tasks.get(0) {
                // A page shows files by their links alone.
                let file = reqwest::get(task["file"]["url"].as_str().unwrap()).await.unwrap();
                assert_eq!(file.status().as_u16(), 200);
                let url = task["thumbnail_url"].as_str().unwrap();
                assert!(url.contains("?expires=") && url.contains("&signature="), "{url}");
            }
        }
    }
}
