//! `Idempotency-Key`: one job per request, however often it is sent.

use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::{
    fake::{Running, engine},
    task_client::{clip, settings, start},
};

async fn post(server: &Running, path: &str, key: &str, body: &Value) -> Response {
    // Equal values are serialized to equal bytes.
    let request = reqwest::Client::new().post(server.url(path)).header("idempotency-key", key).json(body);
    request.send().await.unwrap()
}

fn replayed(answer: &Response) -> Option<&str> {
    answer.headers().get("idempotent-replayed").map(|value| value.to_str().unwrap())
}

async fn tasks(server: &Running) -> usize {
    server.ask(Method::GET, "/api/v1/tasks", None).await.1.as_array().unwrap().len()
}

const VIDEOS: &str = "/api/v1/videos/generate";
const IMAGES: &str = "/api/v1/images/generate";

#[actix_web::test]
async fn a_repeated_request_gets_the_same_answer_and_makes_one_job() {
    let folder = tempfile::tempdir().unwrap();
    let server = Running::in_folder(folder.path(), settings(), engine(4).await).await;
    let body = clip(json!({"prompt": "a boat"}));
    let first = post(&server, VIDEOS, "one", &body).await;
    assert_eq!((first.status().as_u16(), replayed(&first)), (200, None));
    let first: Value = first.json().await.unwrap();
    server.ended(first["task_id"].as_str().unwrap()).await;
    let again = post(&server, VIDEOS, "one", &body).await;
    assert_eq!((again.status().as_u16(), replayed(&again)), (200, Some("true")));
    // The answer of that time, although the job is completed by now.
    assert_eq!(again.json::<Value>().await.unwrap(), first);
    assert_eq!(tasks(&server).await, 1);
    server.end().await;
    let server = Running::in_folder(folder.path(), settings(), engine(4).await).await;
    let later = post(&server, VIDEOS, "one", &body).await;
    assert_eq!(replayed(&later), Some("true"));
    assert_eq!(later.json::<Value>().await.unwrap(), first);
    let other = post(&server, VIDEOS, "two", &body).await;
    assert_eq!(replayed(&other), None);
    assert_eq!(tasks(&server).await, 2);
}

#[actix_web::test]
async fn another_request_with_the_same_key_is_refused() {
    let server = start().await;
    let body = clip(json!({}));
    assert_eq!(post(&server, VIDEOS, "one", &body).await.status().as_u16(), 200);
    for (path, other) in [(VIDEOS, clip(json!({"seed": 4}))), (IMAGES, body), (IMAGES, json!({"prompt": "a boat"}))] {
        let answer = post(&server, path, "one", &other).await;
        assert_eq!(answer.status().as_u16(), 422);
        let answer: Value = answer.json().await.unwrap();
        let fault = &answer["detail"][0];
        assert_eq!(fault["loc"], json!(["header", "Idempotency-Key"]));
        assert_eq!(fault["msg"], "Value error, Idempotency-Key \"one\" was used before with another request");
    }
    assert_eq!(post(&server, VIDEOS, "a b", &clip(json!({}))).await.status().as_u16(), 422);
    assert_eq!(tasks(&server).await, 1);
}

#[actix_web::test]
async fn concurrent_requests_with_one_key_make_one_job() {
    let server = start().await;
    let body = clip(json!({}));
    let answers = futures_util::future::join_all((0..8).map(|_| post(&server, VIDEOS, "one", &body))).await;
    let fresh = answers.iter().filter(|answer| replayed(answer).is_none()).count();
    assert_eq!(fresh, 1);
    let mut ids = Vec::new();
    for answer in answers {
        assert_eq!(answer.status().as_u16(), 200);
        ids.push(answer.json::<Value>().await.unwrap()["task_id"].clone());
    }
    ids.dedup();
    assert_eq!((ids.len(), tasks(&server).await), (1, 1));
}

#[actix_web::test]
async fn a_finished_image_is_sent_again() {
    let server = start().await;
    let body = json!({"prompt": "a boat", "width": 64, "height": 64});
    let first: Value = post(&server, IMAGES, "one", &body).await.json().await.unwrap();
    let again = post(&server, IMAGES, "one", &body).await;
    assert_eq!(replayed(&again), Some("true"));
    assert_eq!(again.json::<Value>().await.unwrap(), first);
    assert_eq!(tasks(&server).await, 1);
}

#[actix_web::test]
async fn a_refused_request_leaves_its_key_free() {
    let server = start().await;
    assert_eq!(post(&server, VIDEOS, "one", &clip(json!({"fps": 5}))).await.status().as_u16(), 422);
    assert_eq!(post(&server, VIDEOS, "one", &clip(json!({}))).await.status().as_u16(), 200);
}
