//! OpenAI's clients send a request again by themselves: one job, whatever happens to the first answer.

use std::time::Duration;

use reqwest::{
    Client, Method, RequestBuilder, Response,
    multipart::{Form, Part},
};
use serde_json::{Value, json};

use crate::{
    fake::{Running, engine},
    task_client::{png, start},
};

fn post(server: &Running, body: &Value, count: Option<u32>) -> RequestBuilder {
    counted(Client::new().post(server.url("/v1/images/generations")).json(body), count)
}

fn counted(request: RequestBuilder, count: Option<u32>) -> RequestBuilder {
    match count {
        None => request,
        Some(count) => request.header("x-stainless-retry-count", count),
    }
}

async fn tasks(server: &Running) -> Vec<Value> {
    server.ask(Method::GET, "/api/v1/tasks", None).await.1.as_array().unwrap().clone()
}

fn replayed(answer: &Response) -> bool {
    answer.headers().contains_key("idempotent-replayed")
}

/// Sends a request, and hangs up once its job runs.
async fn hang_up(server: &Running, request: RequestBuilder) {
    tokio::select! {
        answer = request.send() => panic!("too early: {answer:?}"),
        () = server.wait_for_jobs(1) => {}
    }
}

#[actix_web::test]
async fn a_repetition_gets_the_pictures_of_its_first_request() {
    let server = start().await;
    for body in [
        json!({"prompt": "unhurried", "steps": 150, "n": 2}),
        json!({"prompt": "unhurried", "steps": 150, "response_format": "url"}),
        json!({"prompt": "unhurried", "steps": 150, "stream": true}),
    ] {
        let streams = body["stream"] == true;
        if streams {
            let mut answer = post(&server, &body, Some(0)).send().await.unwrap();
            answer.chunk().await.unwrap();
        } else {
            hang_up(&server, post(&server, &body, Some(0))).await;
        }
        let jobs = server.jobs.metrics();
        let again = post(&server, &body, Some(1)).send().await.unwrap();
        assert_eq!(again.status().as_u16(), 200);
        assert!(streams || replayed(&again));
        again.bytes().await.unwrap();
        let done = server.jobs.metrics();
        assert_eq!(format!("{:?}", (done.completed, done.cancelled)), format!("{:?}", (jobs.completed + 1, jobs.cancelled)), "{body}");
        assert_eq!(server.jobs.active(), 0);
    }
}

#[actix_web::test]
async fn a_lost_answer_is_sent_again_and_equal_requests_are_two_jobs() {
    let server = start().await;
    let body = json!({"prompt": "a boat"});
    let seed = async |count| {
        let answer = post(&server, &body, count).send().await.unwrap();
        let is_replayed = replayed(&answer);
        (answer.json::<Value>().await.unwrap()["data"][0]["seed"].as_u64().unwrap(), is_replayed)
    };
    let (one, other) = (seed(Some(0)).await, seed(Some(0)).await);
    assert!(one.0 != other.0 && !one.1 && !other.1);
    assert_eq!([seed(Some(1)).await, seed(Some(1)).await, seed(Some(2)).await], [(one.0, true), (other.0, true), (one.0, true)]);
    let fresh = seed(Some(1)).await;
    assert!(!fresh.1, "no first request is left for it");
    let plain = seed(None).await;
    assert!(!plain.1);
    assert_eq!(server.jobs.metrics().completed, 4);
}

#[actix_web::test]
async fn a_form_is_recognised_although_its_boundary_is_another() {
    let server = start().await;
    let edit = |count| {
        let part = Part::bytes(png()).file_name("upload");
        let form = Form::new().text("prompt", "a boat").part("image", part);
        counted(Client::new().post(server.url("/v1/images/edits")).multipart(form), Some(count)).send()
    };
    let first: Value = edit(0).await.unwrap().json().await.unwrap();
    let again = edit(1).await.unwrap();
    assert!(replayed(&again));
    assert_eq!(again.json::<Value>().await.unwrap()["data"], first["data"]);
}

#[actix_web::test]
async fn without_repetitions_hanging_up_cancels() {
    let server = start().await;
    hang_up(&server, post(&server, &json!({"prompt": "slow"}), None)).await;
    server.wait_for_jobs(0).await;
}

#[actix_web::test]
async fn no_answer_about_a_job_that_has_run_is_repeated() {
    let server = Running::with(engine(1).await).await;
    for (prompt, answer_by) in [("broken", "b64_json"), ("panic", "url"), ("memory", "url"), ("memory", "b64_json")] {
        let answer = post(&server, &json!({"prompt": prompt, "response_format": answer_by}), Some(0)).send().await.unwrap();
        assert!(answer.status().is_server_error(), "{prompt}");
        assert_eq!(answer.headers().get("x-should-retry").map(|value| value.to_str().unwrap()), Some("false"), "{prompt} {answer_by}");
    }
    // A refusal of the model is a fault of the request.
    for answer_by in ["b64_json", "url"] {
        let answer = post(&server, &json!({"prompt": "refuse", "response_format": answer_by}), Some(0)).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 400);
        assert_eq!(answer.json::<Value>().await.unwrap()["error"]["param"], "num_inference_steps");
    }
    // What was not accepted may be sent again, soon.
    let slow = json!({"prompt": "slow"});
    tokio::select! {
        answer = post(&server, &slow, Some(0)).send() => panic!("{answer:?}"),
        () = async {
            server.wait_for_jobs(1).await;
            let full = post(&server, &json!({"prompt": "a boat"}), Some(0)).send().await.unwrap();
            assert_eq!((full.status().as_u16(), full.headers().get("x-should-retry")), (429, None));
            let seconds: u64 = full.headers()["retry-after"].to_str().unwrap().parse().unwrap();
            assert!((1..=120).contains(&seconds));
            assert_eq!(full.json::<Value>().await.unwrap()["error"]["type"], "rate_limit_error");
            // The same request as the one that runs is no repetition of it.
            let same = post(&server, &slow, None).send().await.unwrap();
            assert_eq!(same.status().as_u16(), 429);
        } => {}
    }
    // Its client may come back for it.
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(server.jobs.active(), 1);
    let id = tasks(&server).await[0]["task_id"].as_str().unwrap().to_owned();
    assert_eq!(server.ask(Method::DELETE, &format!("/api/v1/tasks/{id}"), None).await.0.as_u16(), 200);
}
