//! `GET /api/v1/tasks/{id}/thumbnail` and `GET /api/v1/bundle`: what a gallery shows and downloads.

use std::collections::BTreeMap;

use image::DynamicImage;
use reqwest::{Client, Method, Response};
use serde_json::{Value, json};
use server::{ServerSettings, access::AccessSettings};

use crate::{
    attacks::{ALICES_KEY, BOBS_KEY, keys},
    fake::{Running, engine},
    task_client::{settings, start},
};

const GENERATE: &str = "/api/v1/images/generate";

async fn generate(server: &Running, changes: Value) -> String {
    let mut body = json!({"prompt": "a boat", "width": 64, "height": 64, "seed": 7});
    body.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    let (status, answer) = server.ask(Method::POST, GENERATE, Some(body)).await;
    assert_eq!(status.as_u16(), 200, "{answer}");
    answer["task_id"].as_str().unwrap().to_owned()
}

fn header<'a>(answer: &'a Response, name: &str) -> &'a str {
    answer.headers()[name].to_str().unwrap()
}

async fn picture(answer: Response) -> DynamicImage {
    image::load_from_memory(&answer.bytes().await.unwrap()).unwrap()
}

#[actix_web::test]
async fn a_thumbnail_is_small_cached_and_of_the_first_frame() {
    let server = start().await;
    let wide = generate(&server, json!({"width": 1280, "height": 640})).await;
    let url = server.url(&format!("/api/v1/tasks/{wide}/thumbnail"));
    let answer = reqwest::get(&url).await.unwrap();
    assert_eq!((answer.status().as_u16(), header(&answer, "content-type")), (200, "image/jpeg"));
    assert_eq!(header(&answer, "cache-control"), "private, max-age=31536000, immutable");
    let tag = header(&answer, "etag").to_owned();
    assert!(tag.starts_with('"') && tag.len() == 66, "{tag}");
    let first = answer.bytes().await.unwrap();
    let small = image::load_from_memory(&first).unwrap();
    assert_eq!((small.width(), small.height()), (320, 160));
    let client = Client::new();
    let known = client.get(&url).header("if-none-match", &tag).send().await.unwrap();
    assert_eq!((known.status().as_u16(), header(&known, "etag")), (304, tag.as_str()));
    let head = client.head(&url).send().await.unwrap();
    assert_eq!((head.status().as_u16(), header(&head, "content-length")), (200, first.len().to_string().as_str()));
    assert_eq!(reqwest::get(&url).await.unwrap().bytes().await.unwrap(), first, "the same bytes again");

    let tiny = generate(&server, json!({})).await;
    let small = picture(reqwest::get(server.url(&format!("/api/v1/tasks/{tiny}/thumbnail"))).await.unwrap()).await;
    assert_eq!((small.width(), small.height()), (64, 64), "it is not enlarged");
    let video = server.submit(json!({"resolution": "640x480"})).await;
    server.ended(&video).await;
    let poster = picture(reqwest::get(server.url(&format!("/api/v1/tasks/{video}/thumbnail"))).await.unwrap()).await;
    assert_eq!((poster.width(), poster.height()), (320, 240));
}

#[actix_web::test]
async fn there_is_no_thumbnail_before_there_is_a_picture_nor_after_it_is_deleted() {
    let server = start().await;
    let slow = server.submit(json!({"prompt": "slow"})).await;
    let broken = "img_000000000000".to_owned();
    for (id, code) in [(&slow, "HTTP_ERROR"), (&broken, "TASK_NOT_FOUND")] {
        let (status, answer) = server.ask(Method::GET, &format!("/api/v1/tasks/{id}/thumbnail"), None).await;
        assert_eq!((status.as_u16(), &answer["error"]["code"]), (404, &json!(code)), "{answer}");
    }
    assert_eq!(server.task(&slow).await["thumbnail_url"], Value::Null);
    assert_eq!(server.ask(Method::DELETE, &format!("/api/v1/tasks/{slow}?forget=true"), None).await.0.as_u16(), 200);
    let done = generate(&server, json!({})).await;
    let url = server.url(&format!("/api/v1/tasks/{done}/thumbnail"));
    assert_eq!(reqwest::get(&url).await.unwrap().status().as_u16(), 200);
    assert_eq!(server.ask(Method::DELETE, &format!("/api/v1/tasks/{done}?forget=true"), None).await.0.as_u16(), 200);
    assert_eq!(reqwest::get(&url).await.unwrap().status().as_u16(), 404);
}

#[actix_web::test]
async fn a_thumbnail_and_a_bundle_are_for_their_owner_and_a_signed_link_opens_the_thumbnail() {
    let access = AccessSettings { keys: keys(), ..AccessSettings::default() };
    let server = Running::with_settings(ServerSettings { access, ..settings() }, engine(4).await).await;
    let client = Client::new();
    let body = json!({"prompt": "a boat", "width": 64, "height": 64});
    let made: Value = client.post(server.url(GENERATE)).bearer_auth(ALICES_KEY).json(&body).send().await.unwrap().json().await.unwrap();
    let id = made["task_id"].as_str().unwrap();
    for path in [format!("/api/v1/tasks/{id}/thumbnail"), format!("/api/v1/bundle?ids={id}")] {
        for (key, expected) in [(Some(ALICES_KEY), 200), (Some(BOBS_KEY), 404), (None, 401)] {
            let mut request = client.get(server.url(&path));
            if let Some(key) = key {
                request = request.bearer_auth(key);
            }
            assert_eq!(request.send().await.unwrap().status().as_u16(), expected, "{path} {key:?}");
        }
    }
    let list = server.url("/api/v1/tasks");
    let tasks: Value = client.get(&list).bearer_auth(ALICES_KEY).send().await.unwrap().json().await.unwrap();
    let link = tasks[0]["thumbnail_url"].as_str().unwrap();
    assert_eq!(reqwest::get(link).await.unwrap().status().as_u16(), 200);
    // The link is the same for a while, so that a browser's cache finds it again.
    let again: Value = client.get(&list).bearer_auth(ALICES_KEY).send().await.unwrap().json().await.unwrap();
    assert_eq!(again[0]["thumbnail_url"], link);
    // It opens nothing else.
    for forged in [link.replace("/thumbnail", ""), link.replace("/thumbnail", "/events"), link.replace("signature=", "signature=A")] {
        let status = reqwest::get(&forged).await.unwrap().status().as_u16();
        assert!([401, 404].contains(&status), "{forged}: {status}");
    }
}

/// The files of an archive whose members are stored as they are, read by its central directory (APPNOTE.TXT, 4.3.12 and 4.3.16).
fn unzipped(archive: &[u8]) -> BTreeMap<String, Vec<u8>> {
    let u16_at = |at: usize| usize::from(u16::from_le_bytes(archive[at..at + 2].try_into().unwrap()));
    let u32_at = |at: usize| u32::from_le_bytes(archive[at..at + 4].try_into().unwrap()) as usize;
    let end = archive.len() - 22;
    assert_eq!(&archive[end..end + 4], b"PK\x05\x06", "the archive is complete");
    let (count, mut at) = (u16_at(end + 10), u32_at(end + 16));
    let mut files = BTreeMap::new();
    for _ in 0..count {
        assert_eq!(&archive[at..at + 4], b"PK\x01\x02");
        let [crc, packed, whole] = [16, 20, 24].map(|offset| u32_at(at + offset));
        let [name, extra, comment] = [28, 30, 32].map(|offset| u16_at(at + offset));
        assert_eq!((u16_at(at + 10), packed), (0, whole), "it is stored");
        let text = String::from_utf8(archive[at + 46..at + 46 + name].to_vec()).unwrap();
        let local = u32_at(at + 42);
        assert_eq!(&archive[local..local + 4], b"PK\x03\x04");
        let data = local + 30 + u16_at(local + 26) + u16_at(local + 28);
        let bytes = archive[data..data + whole].to_vec();
        assert_eq!(crc32(&bytes) as usize, crc, "{text}");
        assert!(files.insert(text, bytes).is_none(), "names are unique");
        at += 46 + name + extra + comment;
    }
    files
}

/// The checksum of an archive's members (ISO 3309).
fn crc32(bytes: &[u8]) -> u32 {
    let step =
        |crc: u32, byte: &u8| (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 });
    !bytes.iter().fold(!0, step)
}

#[actix_web::test]
async fn a_bundle_has_all_files_under_readable_names_and_how_they_were_made() {
    let server = start().await;
    let boat = generate(&server, json!({"prompt": "A boat, at sunset!"})).await;
    let same = generate(&server, json!({"prompt": "A boat, at sunset!", "model": "local"})).await;
    let video = server.submit(json!({})).await;
    let broken = server.submit(json!({"prompt": "broken"})).await;
    for id in [&video, &broken] {
        server.ended(id).await;
    }
    let answer = reqwest::get(server.url(&format!("/api/v1/bundle?ids={boat},{same},{video},{broken},{boat}"))).await.unwrap();
    assert_eq!((answer.status().as_u16(), header(&answer, "content-type")), (200, "application/zip"));
    let disposition = header(&answer, "content-disposition").to_owned();
    let time = disposition.strip_prefix("attachment; filename=\"framewright-").and_then(|rest| rest.strip_suffix(".zip\"")).unwrap();
    assert!(time.len() == 15 && time.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-'), "{disposition}");
    let files = unzipped(&answer.bytes().await.unwrap());
    let names: Vec<&str> = files.keys().map(String::as_str).collect();
    assert_eq!(names, ["0001-a-boat-at-sunset-7.png", "0002-a-boat-at-sunset-7.png", "0003-video-3.mp4", "parameters.json"]);
    for (name, id) in names.iter().zip([&boat, &same, &video]) {
        let url = server.task(id).await["file"]["url"].as_str().unwrap().to_owned();
        assert_eq!(reqwest::get(url).await.unwrap().bytes().await.unwrap(), files[*name], "{name}");
    }
    let parameters: Value = serde_json::from_slice(&files["parameters.json"]).unwrap();
    let entries = parameters.as_array().unwrap();
    assert_eq!(entries.len(), 4);
    let first = &entries[0];
    assert_eq!((&first["file"], &first["task_id"]), (&json!(names[0]), &json!(boat)));
    assert_eq!((&first["prompt"], &first["seed"], &first["model"]), (&json!("A boat, at sunset!"), &json!(7), &Value::Null));
    assert_eq!(first["request"], server.task(&boat).await["request"]);
    assert_eq!((&entries[3]["file"], &entries[3]["task_id"]), (&Value::Null, &json!(broken)));
}

#[actix_web::test]
async fn a_bundle_of_unknown_tasks_is_refused_before_a_byte_is_sent() {
    let server = start().await;
    let boat = generate(&server, json!({})).await;
    let (status, answer) = server.ask(Method::GET, &format!("/api/v1/bundle?ids=img_0,{boat},vid_1"), None).await;
    assert_eq!((status.as_u16(), &answer["error"]["code"]), (404, &json!("TASK_NOT_FOUND")));
    assert_eq!(answer["detail"], "Task not found: img_0, vid_1");
    let many = vec![boat.as_str(); 501].join(",");
    assert_eq!(reqwest::get(server.url(&format!("/api/v1/bundle?ids={many}"))).await.unwrap().status().as_u16(), 200, "each is named once");
    let many = (0..501).map(|id| id.to_string()).collect::<Vec<_>>().join(",");
    for query in ["", "?ids=", "?ids=a,,b", &format!("?ids={many}")] {
        let (status, answer) = server.ask(Method::GET, &format!("/api/v1/bundle{query}"), None).await;
        assert_eq!((status.as_u16(), &answer["detail"][0]["loc"]), (422, &json!(["query", "ids"])), "{query}");
    }
}
