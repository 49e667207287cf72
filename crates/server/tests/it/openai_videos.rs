//! OpenAI's video routes: creating, polling, listing, deleting and remixing, and every refusal as these clients read it.

use std::time::{Duration, Instant};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use reqwest::{
    Client, Method, Response,
    multipart::{Form, Part},
};
use serde_json::{Value, json};
use server::{ServerSettings, access::AccessSettings};

use crate::{
    attacks::{ALICES_KEY, BOBS_KEY, keys},
    fake::{PATIENCE, Running, engine},
    task_client::{png, start},
};

pub(crate) const VIDEOS: &str = "/v1/videos";
const WORDS: [&str; 4] = ["queued", "in_progress", "completed", "failed"];

/// The body of a quick video.
pub(crate) fn quick(changes: Value) -> Value {
    let mut body = json!({"prompt": "a boat", "seconds": "1", "size": "64x48", "fps": 8, "seed": 3});
    body.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    body
}

pub(crate) async fn create(server: &Running, changes: Value) -> Value {
    let (status, video) = server.ask(Method::POST, VIDEOS, Some(quick(changes))).await;
    assert_eq!(status.as_u16(), 200, "{video}");
    video
}

pub(crate) fn id(video: &Value) -> &str {
    video["id"].as_str().unwrap_or_else(|| panic!("{video}"))
}

/// The video once it has ended, as the clients wait for that.
pub(crate) async fn ended(server: &Running, id: &str) -> Value {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let (status, video) = server.ask(Method::GET, &format!("{VIDEOS}/{id}"), None).await;
        assert_eq!(status.as_u16(), 200, "{video}");
        let word = video["status"].as_str().unwrap();
        assert!(WORDS.contains(&word) && Instant::now() < deadline, "{video}");
        if !["queued", "in_progress"].contains(&word) {
            return video;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

pub(crate) async fn made(server: &Running, changes: Value) -> Value {
    let video = ended(server, id(&create(server, changes).await)).await;
    assert_eq!(video["status"], "completed", "{video}");
    video
}

async fn running(server: &Running, id: &str) {
    let deadline = Instant::now() + PATIENCE;
    while server.ask(Method::GET, &format!("{VIDEOS}/{id}"), None).await.1["status"] != "in_progress" {
        assert!(Instant::now() < deadline);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn delete(server: &Running, id: &str) -> (u16, Value) {
    let (status, answer) = server.ask(Method::DELETE, &format!("{VIDEOS}/{id}"), None).await;
    (status.as_u16(), answer)
}

fn picture() -> Part {
    Part::bytes(png()).file_name("picture.png").mime_str("image/png").unwrap()
}

/// The parts that the clients send for a quick video.
fn form() -> Form {
    Form::new().text("prompt", "a boat").text("seconds", "1").text("size", "64x48").text("fps", "8").text("seed", "3")
}

async fn send(server: &Running, form: Form) -> (u16, Value) {
    let answer = Client::new().post(server.url(VIDEOS)).multipart(form).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

/// Asserts a refusal in the clients' format.
fn assert_refused((status, answer): (u16, Value), expected: u16, (param, code): (Option<&str>, &str), reason: &str) {
    let error = &answer["error"];
    let message = error["message"].as_str().unwrap_or_else(|| panic!("{answer}"));
    assert_eq!((status, &error["param"], &error["code"]), (expected, &json!(param), &json!(code)), "{answer}");
    assert!(message.contains(reason) && param.is_none_or(|param| message.contains(param)), "{reason}: {message}");
    assert!(answer.get("detail").is_none() && error["type"] == "invalid_request_error", "{answer}");
}

#[actix_web::test]
async fn a_video_is_accepted_polled_and_read() {
    let server = start().await;
    let answer = Client::new().post(server.url(VIDEOS)).json(&quick(json!({"camera_moton": "pan"}))).send().await.unwrap();
    let wait: u64 = answer.headers()["openai-poll-after-ms"].to_str().unwrap().parse().unwrap();
    assert!((500..=5000).contains(&wait), "{wait}");
    let video: Value = answer.json().await.unwrap();
    assert!(id(&video).starts_with("video_") && ["queued", "in_progress"].contains(&video["status"].as_str().unwrap()), "{video}");
    for (key, expected) in [
        ("object", json!("video")),
        ("model", json!("local")),
        ("seconds", json!("1")),
        ("size", json!("64x48")),
        ("prompt", json!("a boat")),
        ("seed", json!(3)),
        ("created", video["created_at"].clone()),
        ("ignored_fields", json!([{"field": "camera_moton", "did_you_mean": "camera_motion"}])),
    ] {
        assert_eq!(video[key], expected, "{key}: {video}");
    }
    assert!(video["created_at"].as_u64().unwrap() > 1_700_000_000 && video["progress"].as_u64().unwrap() < 100, "{video}");
    for key in ["completed_at", "expires_at", "error", "video_url", "remixed_from_video_id"] {
        assert_eq!(video.get(key), Some(&Value::Null), "{key}: {video}");
    }
    let done = ended(&server, id(&video)).await;
    assert_eq!((&done["status"], &done["progress"], &done["error"]), (&json!("completed"), &json!(100), &Value::Null), "{done}");
    assert!(done["completed_at"].as_u64().unwrap() >= done["created_at"].as_u64().unwrap(), "{done}");
    let file = reqwest::get(done["video_url"].as_str().unwrap()).await.unwrap();
    assert_eq!((file.status().as_u16(), &file.headers()["content-type"]), (200, &"video/mp4".parse().unwrap()));
    let answer = reqwest::get(server.url(&format!("{VIDEOS}/{}", id(&video)))).await.unwrap();
    assert!(!answer.headers().contains_key("openai-poll-after-ms"), "it has ended");
}

/// The older service: a slash at the end, numbers for texts, its own default model, and its keys.
#[actix_web::test]
async fn clients_of_the_older_service_are_understood() {
    let server = start().await;
    let body = json!({"prompt": "a boat", "model": "veo_3_1", "input_reference": BASE64_STANDARD.encode(png()), "seconds": 1, "fps": 8});
    let (status, video) = server.ask(Method::POST, "/v1/videos/", Some(body)).await;
    assert_eq!((status.as_u16(), &video["size"], &video["seconds"]), (200, &json!("1280x720"), &json!("1")), "{video}");
    assert!(video["remarks"][0].as_str().unwrap().contains("veo_3_1 is not set up here"), "{video}");
    let done = ended(&server, id(&video)).await;
    assert!(done["created"].is_u64() && done["video_url"].is_string(), "{done}");
    let upright = create(&server, json!({"size": null})).await;
    assert_eq!(upright["size"], "720x1280", "{upright}");
    assert_eq!(server.ask(Method::GET, "/v1/videos/", None).await.1["data"].as_array().unwrap().len(), 2);
}

#[actix_web::test]
async fn a_picture_comes_as_a_file_an_address_base64_or_an_object() {
    let server = start().await;
    let text = BASE64_STANDARD.encode(png());
    let url = format!("data:image/png;base64,{text}");
    for form in [
        form().part("input_reference", picture()),
        form().text("input_reference", text.clone()),
        form().text("input_reference", url.clone()),
        form().text("input_reference[image_url]", url.clone()),
    ] {
        let (status, video) = send(&server, form).await;
        assert_eq!((status, &video["size"]), (200, &json!("64x48")), "{video}");
        assert!(video.get("ignored_fields").is_none(), "{video}");
        assert_eq!(ended(&server, id(&video)).await["status"], "completed");
    }
    for reference in [json!(url), json!({"image_url": url})] {
        made(&server, json!({"input_reference": reference, "strength": 0.6, "motion_strength": 0.3, "camera_motion": "pan"})).await;
    }
    // A picture that the prompt does not repaint: the answer says so.
    let still = create(&server, json!({"input_reference": text, "strength": 0})).await;
    assert!(still["remarks"][0].as_str().unwrap().contains("The prompt changed nothing"), "{still}");
}

fn counted(server: &Running, body: &Value, count: u32) -> reqwest::RequestBuilder {
    Client::new().post(server.url(VIDEOS)).json(body).header("x-stainless-retry-count", count)
}

async fn id_of(answer: Response) -> (String, bool) {
    let replayed = answer.headers().contains_key("idempotent-replayed");
    (id(&answer.json().await.unwrap()).to_owned(), replayed)
}

async fn count(server: &Running) -> usize {
    server.ask(Method::GET, VIDEOS, None).await.1["data"].as_array().unwrap().len()
}

#[actix_web::test]
async fn a_repeated_request_is_the_same_video() {
    let server = start().await;
    let body = quick(json!({"seed": null}));
    let first = id_of(counted(&server, &body, 0).send().await.unwrap()).await;
    let again = id_of(counted(&server, &body, 1).send().await.unwrap()).await;
    let other = id_of(counted(&server, &body, 0).send().await.unwrap()).await;
    assert_eq!((&again.0, first.1, again.1), (&first.0, false, true));
    assert!(other.0 != first.0 && count(&server).await == 2, "an equal request is another video");
    // The boundary of a form is another one each time.
    let sent = |count: u32| {
        let form = form().part("input_reference", picture());
        Client::new().post(server.url(VIDEOS)).multipart(form).header("x-stainless-retry-count", count).send()
    };
    let first = id_of(sent(0).await.unwrap()).await;
    assert_eq!(id_of(sent(2).await.unwrap()).await, (first.0, true));
    let named = || Client::new().post(server.url(VIDEOS)).json(&body).header("idempotency-key", "mine").send();
    let first = id_of(named().await.unwrap()).await;
    assert_eq!(id_of(named().await.unwrap()).await, (first.0.clone(), true));
    // A repeated remix, although the video that it is of is gone; a repeated deletion.
    ended(&server, &first.0).await;
    let remix = |count: u32| {
        let url = server.url(&format!("{VIDEOS}/{}/remix", first.0));
        Client::new().post(url).json(&json!({"prompt": "at night"})).header("x-stainless-retry-count", count).send()
    };
    let remixed = id_of(remix(0).await.unwrap()).await;
    let gone = |count: u32| {
        let url = server.url(&format!("{VIDEOS}/{}", first.0));
        Client::new().delete(url).header("x-stainless-retry-count", count).send()
    };
    assert_eq!(gone(0).await.unwrap().status().as_u16(), 200);
    assert_eq!(gone(1).await.unwrap().json::<Value>().await.unwrap()["deleted"], true);
    assert_eq!(gone(0).await.unwrap().status().as_u16(), 404);
    assert_eq!(id_of(remix(1).await.unwrap()).await, (remixed.0, true));
}

#[actix_web::test]
async fn videos_are_listed_in_pages() {
    let access = AccessSettings { keys: keys(), ..AccessSettings::default() };
    let server = Running::with_settings(ServerSettings { access, ..ServerSettings::default() }, engine(8).await).await;
    let get = async |key: &str, query: &str| {
        let answer = Client::new().get(server.url(&format!("{VIDEOS}{query}"))).bearer_auth(key).send().await.unwrap();
        (answer.status().as_u16(), answer.json::<Value>().await.unwrap())
    };
    let mut ids = Vec::new();
    for seed in 0..5 {
        let answer =
            Client::new().post(server.url(VIDEOS)).bearer_auth(ALICES_KEY).json(&quick(json!({"seed": seed}))).send().await.unwrap();
        ids.push(id_of(answer).await.0);
    }
    // A task of another API is no video of this one.
    let task = json!({"image": BASE64_STANDARD.encode(png()), "duration": 1, "resolution": "64x48"});
    let task = Client::new().post(server.url("/api/v1/videos/generate")).bearer_auth(ALICES_KEY).json(&task).send().await.unwrap();
    let task = task.json::<Value>().await.unwrap()["task_id"].as_str().unwrap().to_owned();
    for order in ["asc", "desc"] {
        let (mut seen, mut after, mut pages) = (Vec::new(), String::new(), 0);
        loop {
            let (status, page) = get(ALICES_KEY, &format!("?limit=2&order={order}{after}")).await;
            assert_eq!((status, &page["object"]), (200, &json!("list")), "{page}");
            let data = page["data"].as_array().unwrap();
            let of_page: Vec<String> = data.iter().map(|video| id(video).to_owned()).collect();
            assert_eq!((&page["first_id"], &page["last_id"]), (&json!(of_page.first()), &json!(of_page.last())));
            seen.extend(of_page);
            pages += 1;
            if page["has_more"] == false {
                break;
            }
            after = format!("&after={}", page["last_id"].as_str().unwrap());
        }
        if order == "desc" {
            seen.reverse();
        }
        assert_eq!((&seen, pages), (&ids, 3), "{order}");
    }
    let (_, newest) = get(ALICES_KEY, "").await;
    assert_eq!((id(&newest["data"][0]), newest["data"].as_array().unwrap().len()), (ids[4].as_str(), 5));
    let (_, none) = get(BOBS_KEY, "").await;
    assert_eq!(none, json!({"object": "list", "data": [], "first_id": null, "last_id": null, "has_more": false}));
    let of_alice = [format!("?after={}", ids[0]), format!("/{}", ids[0]), format!("/{}/content", ids[0]), format!("/{task}")];
    for (key, query, status, param, reason) in [
        (ALICES_KEY, "?limit=0", 400, Some("limit"), "greater than or equal to 1"),
        (ALICES_KEY, "?limit=101", 400, Some("limit"), "less than or equal to 100"),
        (ALICES_KEY, "?order=up", 400, Some("order"), "'asc' or 'desc'"),
        (ALICES_KEY, "?after=video_none", 404, None, "video_none"),
        (BOBS_KEY, of_alice[0].as_str(), 404, None, ids[0].as_str()),
        (BOBS_KEY, of_alice[1].as_str(), 404, None, ids[0].as_str()),
        (BOBS_KEY, of_alice[2].as_str(), 404, None, ids[0].as_str()),
        (ALICES_KEY, of_alice[3].as_str(), 404, None, task.as_str()),
    ] {
        let code = if status == 404 { "not_found" } else { "invalid_value" };
        assert_refused(get(key, query).await, status, (param, code), reason);
    }
    let foreign = Client::new().delete(server.url(&format!("{VIDEOS}/{}", ids[0]))).bearer_auth(BOBS_KEY).send().await.unwrap();
    assert_eq!(foreign.status().as_u16(), 404);
    assert_eq!(get(ALICES_KEY, &format!("/{}", ids[0])).await.0, 200);
}

#[actix_web::test]
async fn a_deleted_video_is_gone_whatever_it_was_doing() {
    let server = start().await;
    let finished = made(&server, json!({})).await;
    let slow = create(&server, json!({"prompt": "slow"})).await;
    running(&server, id(&slow)).await;
    let queued = create(&server, json!({"prompt": "slow"})).await;
    assert_eq!(queued["status"], "queued");
    for video in [&finished, &queued, &slow] {
        let expected = json!({"id": id(video), "object": "video.deleted", "deleted": true});
        assert_eq!(delete(&server, id(video)).await, (200, expected));
        assert_refused(delete(&server, id(video)).await, 404, (None, "not_found"), id(video));
        for path in ["", "/content", "/content?variant=thumbnail"] {
            let (status, answer) = server.ask(Method::GET, &format!("{VIDEOS}/{}{path}", id(video)), None).await;
            assert_refused((status.as_u16(), answer), 404, (None, "not_found"), id(video));
        }
    }
    assert_eq!((server.jobs.active(), count(&server).await), (0, 0));
    assert_eq!(reqwest::get(finished["video_url"].as_str().unwrap()).await.unwrap().status().as_u16(), 404);
    let folder = server._data.as_ref().unwrap().path().to_owned();
    let left = |id: &str| {
        let entries = walk(&folder);
        entries.into_iter().filter(|path| path.contains(id)).collect::<Vec<_>>()
    };
    assert_eq!(left(id(&finished)), Vec::<String>::new());
    assert_eq!(left(id(&slow)), Vec::<String>::new());
    made(&server, json!({})).await;
}

fn walk(folder: &std::path::Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path.to_string_lossy().into_owned()] }).collect()
}

#[actix_web::test]
async fn a_remix_is_the_same_video_with_another_prompt() {
    let server = start().await;
    let of_text = made(&server, json!({"negative_prompt": "fog", "num_inference_steps": 7})).await;
    let of_picture = made(&server, json!({"input_reference": BASE64_STANDARD.encode(png())})).await;
    for video in [&of_text, &of_picture] {
        let path = format!("{VIDEOS}/{}/remix", id(video));
        let (status, remix) = server.ask(Method::POST, &path, Some(json!({"prompt": "the same at night", "sede": 1}))).await;
        assert_eq!(status.as_u16(), 200, "{remix}");
        assert_eq!(remix["remixed_from_video_id"], video["id"]);
        assert_eq!(remix["ignored_fields"][0]["field"], "sede");
        let remix = ended(&server, id(&remix)).await;
        for key in ["size", "seconds", "seed", "model"] {
            assert_eq!(remix[key], video[key], "{key}: {remix}");
        }
        assert_eq!((&remix["status"], &remix["prompt"]), (&json!("completed"), &json!("the same at night")));
        // And a remix of the remix.
        let path = format!("{VIDEOS}/{}/remix", id(&remix));
        let (status, next) = server.ask(Method::POST, &path, Some(json!({"prompt": "the same at dawn"}))).await;
        assert_eq!((status.as_u16(), &next["remixed_from_video_id"]), (200, &remix["id"]), "{next}");
        assert_eq!(ended(&server, id(&next)).await["status"], "completed");
    }
    let slow = create(&server, json!({"prompt": "slow"})).await;
    for (video, body, status, expected, reason) in [
        (id(&slow), json!({"prompt": "a"}), 400, (None, "video_not_ready"), "not ready yet (status:"),
        (id(&of_text), json!({}), 400, (Some("prompt"), "missing_required_parameter"), "Field required"),
        (id(&of_text), json!({"prompt": " "}), 400, (Some("prompt"), "invalid_value"), "at least 1 character"),
        ("video_none", json!({"prompt": "a"}), 404, (None, "not_found"), "video_none"),
    ] {
        let (found, answer) = server.ask(Method::POST, &format!("{VIDEOS}/{video}/remix"), Some(body)).await;
        assert_refused((found.as_u16(), answer), status, expected, reason);
    }
    assert_eq!(delete(&server, id(&slow)).await.0, 200);
    // The documented example.
    let api = server.ask(Method::GET, "/openapi.json", None).await.1;
    let example = api["components"]["schemas"]["OpenAiRemixRequest"]["example"].clone();
    assert_eq!(server.ask(Method::POST, &format!("{VIDEOS}/{}/remix", id(&of_text)), Some(example)).await.0.as_u16(), 200);
}

#[actix_web::test]
async fn every_value_that_cannot_be_honoured_is_400_with_its_field() {
    let server = start().await;
    for (changes, param, reason) in [
        (json!({"prompt": " "}), "prompt", "at least 1 character"),
        (json!({"prompt": 5}), "prompt", "valid string"),
        (json!({"seconds": "0"}), "seconds", "greater than or equal to 1 (it is \"0\")"),
        (json!({"seconds": 21}), "seconds", "less than or equal to 20 (it is 21)"),
        (json!({"seconds": "long"}), "seconds", "valid number"),
        (json!({"size": "big"}), "size", "WIDTHxHEIGHT"),
        (json!({"size": "0x0"}), "size", "greater than or equal to 16"),
        (json!({"size": "99999x64"}), "size", ""),
        (json!({"fps": 0}), "fps", "greater than or equal to 1"),
        (json!({"fps": 61}), "fps", "less than or equal to 60"),
        (json!({"seed": -2}), "seed", "greater than or equal to -1"),
        (json!({"steps": 0}), "steps", "greater than or equal to 1"),
        (json!({"guidance": 51}), "guidance", "less than or equal to 50"),
        (json!({"scheduler": "best"}), "scheduler", "euler"),
        (json!({"loras": ["ink"]}), "loras", "no folder of adapters"),
        (json!({"vae": "none"}), "vae", ""),
        (json!({"stream": true}), "stream", "videos are not streamed"),
        (json!({"stream": "true"}), "stream", "videos are not streamed"),
        (json!({"input_reference": "no picture"}), "input_reference", ""),
        (json!({"input_reference": 5}), "input_reference", "a file, an address, base64"),
        (json!({"input_reference": {}}), "input_reference", "a file, an address, base64"),
        (json!({"input_reference": {"file_id": "file-1"}}), "input_reference", "keeps no uploaded files"),
        (json!({"input_reference": BASE64_STANDARD.encode(png()), "strength": 2}), "strength", "less than or equal to 1"),
        (json!({"input_reference": BASE64_STANDARD.encode(png()), "camera_motion": "spin"}), "camera_motion", "pan"),
    ] {
        let (status, answer) = server.ask(Method::POST, VIDEOS, Some(quick(changes))).await;
        assert_refused((status.as_u16(), answer), 400, (Some(param), "invalid_value"), reason);
    }
    let (status, answer) = server.ask(Method::POST, VIDEOS, Some(json!({"seconds": 4}))).await;
    assert_refused((status.as_u16(), answer), 400, (Some("prompt"), "missing_required_parameter"), "Field required");
    let (status, answer) = server.ask(Method::POST, VIDEOS, Some(quick(json!({"model": "sora"})))).await;
    assert_refused((status.as_u16(), answer), 404, (Some("model"), "model_not_found"), "local");
    assert_refused(
        send(&server, form().text("seed", "4")).await,
        400,
        (None, "malformed_multipart"),
        "\"seed\" of the form is there twice",
    );
    let gif = Part::bytes(b"GIF89a".to_vec()).file_name("a.gif");
    assert_refused(send(&server, form().part("input_reference", gif)).await, 400, (Some("input_reference"), "invalid_value"), "GIF");
    assert_eq!((server.jobs.active(), count(&server).await), (0, 0));
    assert!(create(&server, json!({"stream": false})).await.get("ignored_fields").is_none());
}

#[actix_web::test]
async fn what_no_model_here_does_is_refused_with_what_to_do_instead() {
    let server = start().await;
    for (path, instead) in [("characters", "input_reference"), ("edits", "remix"), ("extensions", "POST /v1/videos")] {
        // As long as a real video, so that an early answer would meet a client that still sends.
        let video = Part::bytes(vec![7_u8; 3 << 20]).file_name("a.mp4").mime_str("video/mp4").unwrap();
        let form = Form::new().text("prompt", "a").text("name", "a").part("video", video);
        let answer = Client::new().post(server.url(&format!("{VIDEOS}/{path}"))).multipart(form).send().await.unwrap();
        let refused = (answer.status().as_u16(), answer.json().await.unwrap());
        assert_refused(refused, 400, (None, "unsupported_operation"), instead);
    }
    let (status, answer) = server.ask(Method::GET, "/v1/videos/characters/char_1", None).await;
    assert_refused((status.as_u16(), answer), 404, (None, "not_found"), "no characters");
}

#[actix_web::test]
async fn a_cancelled_or_broken_video_has_failed_with_the_reason() {
    let server = start().await;
    let slow = create(&server, json!({"prompt": "slow"})).await;
    assert_eq!(server.ask(Method::DELETE, &format!("/api/v1/tasks/{}", id(&slow)), None).await.0.as_u16(), 200);
    let broken = create(&server, json!({"prompt": "broken"})).await;
    for (video, code, reason) in [(&slow, "cancelled", "cancelled"), (&broken, "model", "broken as told")] {
        let video = ended(&server, id(video)).await;
        assert_eq!((&video["status"], &video["error"]["code"]), (&json!("failed"), &json!(code)), "{video}");
        assert!(video["error"]["message"].as_str().unwrap().contains(reason) && video["progress"].as_u64().unwrap() < 100, "{video}");
        let (status, answer) = server.ask(Method::GET, &format!("{VIDEOS}/{}/content", id(&video)), None).await;
        assert_refused((status.as_u16(), answer), 400, (None, "video_not_ready"), reason);
    }
}

/// The clients give up at once if they are told to wait longer than two minutes, and do not repeat what they are told not to.
#[actix_web::test]
async fn a_full_queue_is_429_and_a_client_may_come_back_soon() {
    let server = Running::with(engine(1).await).await;
    let slow = create(&server, json!({"prompt": "slow"})).await;
    let full = Client::new().post(server.url(VIDEOS)).json(&quick(json!({}))).send().await.unwrap();
    assert_eq!((full.status().as_u16(), full.headers().get("x-should-retry")), (429, None));
    let seconds: u64 = full.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=120).contains(&seconds), "{seconds}");
    assert_eq!(full.json::<Value>().await.unwrap()["error"]["type"], "rate_limit_error");
    assert_eq!(delete(&server, id(&slow)).await.0, 200);
    made(&server, json!({})).await;
}

/// Programs send the names of OpenAI's models unless they are told otherwise.
#[actix_web::test]
async fn a_name_of_openais_models_stands_for_the_default_and_the_answer_says_so() {
    let server = start().await;
    for name in ["sora-2", "sora-2-pro", "veo_3_1-fast"] {
        let answer = Client::new().post(server.url(VIDEOS)).json(&quick(json!({"model": name}))).send().await.unwrap();
        assert!(answer.headers()["x-remarks"].to_str().unwrap().starts_with(name));
        let video: Value = answer.json().await.unwrap();
        let remark = format!("{name} is not set up here: the default model makes the video. GET /v1/models lists the names.");
        assert_eq!((&video["remarks"], &video["model"]), (&json!([remark]), &json!("local")), "{video}");
        assert_eq!(ended(&server, id(&video)).await["remarks"], video["remarks"]);
    }
    for name in ["dall-e-3", "gpt-image-1"] {
        let body = json!({"prompt": "a boat", "model": name});
        let (status, answer) = server.ask(Method::POST, "/v1/images/generations", Some(body)).await;
        let remark = format!("{name} is not set up here: the default model makes the picture. GET /v1/models lists the names.");
        assert_eq!((status.as_u16(), &answer["remarks"]), (200, &json!([remark])), "{answer}");
    }
    for (path, name) in [(VIDEOS, "sora"), (VIDEOS, "gpt-4o"), ("/v1/images/generations", "flux"), ("/generate", "dall-e-3")] {
        let (status, answer) = server.ask(Method::POST, path, Some(json!({"prompt": "a boat", "model": name}))).await;
        assert_eq!(status.as_u16(), 404, "{name}: {answer}");
    }
}
