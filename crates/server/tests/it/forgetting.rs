//! `DELETE /api/v1/tasks/{id}?forget=true`: a task is deleted with everything known of it.

use reqwest::Method;
use serde_json::{Value, json};
use server::{ServerSettings, access::AccessSettings};

use crate::{
    attacks::{ALICES_KEY, BOBS_KEY, keys},
    fake::{Running, engine},
    task_client::{clip, settings, start},
};

#[actix_web::test]
async fn a_task_is_deleted_in_every_state() {
    let server = start().await;
    let done = server.submit(json!({})).await;
    let video = server.ended(&done).await["result"]["result"]["video_url"].as_str().unwrap().to_owned();
    let failed = server.submit(json!({"prompt": "broken"})).await;
    server.ended(&failed).await;
    let runs = server.submit(json!({"prompt": "slow"})).await;
    let waits = server.submit(json!({})).await;
    server.task_when(&runs, |task| task["status"] == "processing").await;
    for id in [&done, &failed, &waits, &runs] {
        let path = format!("/api/v1/tasks/{id}?forget=true");
        let (status, answer) = server.ask(Method::DELETE, &path, None).await;
        let expected = json!({"success": true, "message": format!("Task {id} has been deleted"), "task_id": id});
        assert_eq!((status.as_u16(), answer), (200, expected));
        for (method, path) in [(Method::GET, format!("/api/v1/tasks/{id}")), (Method::DELETE, path)] {
            let (status, answer) = server.ask(method, &path, None).await;
            assert_eq!((status.as_u16(), &answer["error"]["code"]), (404, &json!("TASK_NOT_FOUND")), "{path}");
        }
    }
    assert_eq!(server.ask(Method::GET, "/api/v1/tasks", None).await.1, json!([]));
    assert_eq!(reqwest::get(video).await.unwrap().status().as_u16(), 404);
    server.wait_for_jobs(0).await;
    assert_eq!(server.jobs.stats().await.unwrap().kept_files, 0);
    // Without the word it cancels, as before.
    let ended = server.submit(json!({})).await;
    server.ended(&ended).await;
    for query in ["", "?forget=false"] {
        let (status, _) = server.ask(Method::DELETE, &format!("/api/v1/tasks/{ended}{query}"), None).await;
        assert_eq!(status.as_u16(), 409, "{query}");
    }
    let (status, answer) = server.ask(Method::DELETE, &format!("/api/v1/tasks/{ended}?forget=perhaps"), None).await;
    assert_eq!((status.as_u16(), &answer["detail"][0]["loc"]), (422, &json!(["query", "forget"])));
}

#[actix_web::test]
async fn a_request_that_waits_is_deleted_like_a_task() {
    let server = start().await;
    let _waiting = server.request("slow").await;
    server.wait_for_jobs(1).await;
    let tasks = server.ask(Method::GET, "/api/v1/tasks", None).await.1;
    let id = tasks[0]["task_id"].as_str().unwrap().to_owned();
    assert_eq!(server.ask(Method::DELETE, &format!("/api/v1/tasks/{id}?forget=true"), None).await.0.as_u16(), 200);
    assert_eq!(server.ask(Method::GET, &format!("/api/v1/tasks/{id}"), None).await.0.as_u16(), 404);
}

#[actix_web::test]
async fn only_its_owner_deletes_a_task() {
    let access = AccessSettings { keys: keys(), ..AccessSettings::default() };
    let server = Running::with_settings(ServerSettings { access, ..settings() }, engine(4).await).await;
    let client = reqwest::Client::new();
    let answer = client.post(server.url("/api/v1/videos/generate")).bearer_auth(ALICES_KEY).json(&clip(json!({}))).send().await.unwrap();
    let id = answer.json::<Value>().await.unwrap()["task_id"].as_str().unwrap().to_owned();
    let path = server.url(&format!("/api/v1/tasks/{id}?forget=true"));
    for (key, expected) in [(BOBS_KEY, 404), (ALICES_KEY, 200), (ALICES_KEY, 404)] {
        assert_eq!(client.delete(&path).bearer_auth(key).send().await.unwrap().status().as_u16(), expected, "{key}");
    }
}
