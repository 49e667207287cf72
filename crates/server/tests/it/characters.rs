//! The characters API: uploads, videos of characters, their list, their files, and ownership.

use std::{io::Cursor, time::Instant};

use actix_web::http::StatusCode;
use generation::jobs::JobState;
use guarded_http::GuardSettings;
use image::{ImageFormat, Rgb, RgbImage};
use serde_json::{Value, json};
use server::{ServerSettings, access::AccessSettings};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

use crate::{
    attacks::{ALICES_KEY, BOBS_KEY, keys},
    fake::{PATIENCE, Running, engine},
};

/// A picture file, wider than high.
fn image(format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    RgbImage::from_pixel(32, 24, Rgb([200, 80, 20])).write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

/// A client of a running server, with or without a key.
struct Client<'a> {
    server: &'a Running,
    key: Option<&'static str>,
}

/// A complete answer.
#[derive(Debug)]
struct Got {
    status: u16,
    headers: reqwest::header::HeaderMap,
    body: Vec<u8>,
}

impl Got {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&self.body)))
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

impl Client<'_> {
    async fn send(&self, request: reqwest::RequestBuilder) -> Got {
        let request = match self.key {
            Some(key) => request.bearer_auth(key),
            None => request,
        };
        let answer = request.send().await.unwrap();
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        Got { status, headers, body: answer.bytes().await.unwrap().to_vec() }
    }

    async fn get(&self, path: &str) -> Got {
        self.send(reqwest::Client::new().get(self.server.url(path))).await
    }

    async fn upload_as(&self, part: &str, media_type: &str, file: &[u8]) -> Got {
        let head =
            format!("--x\r\nContent-Disposition: form-data; name=\"{part}\"; filename=\"../me.php\"\r\nContent-Type: {media_type}\r\n\r\n");
        let body = [head.as_bytes(), file, b"\r\n--x--\r\n"].concat();
        let request = reqwest::Client::new().post(self.server.url("/upload-character"));
        self.send(request.header("content-type", "multipart/form-data; boundary=x").body(body)).await
    }

    /// Uploads the picture and returns its path.
    async fn upload(&self) -> String {
        let answer = self.upload_as("character", "image/png", &image(ImageFormat::Png)).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()["imageUrl"].as_str().unwrap().to_owned()
    }

    async fn post(&self, body: &Value) -> Got {
        self.send(reqwest::Client::new().post(self.server.url("/generate-video")).json(body)).await
    }

    async fn generate(&self, body: &Value) -> Value {
        let answer = self.post(body).await;
        assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
        answer.json()
    }

    /// Polls until the generation has one of these statuses.
    async fn wait(&self, id: &Value, statuses: &[&str]) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let answer = self.get(&format!("/generation/{}", id.as_str().unwrap())).await;
            assert_eq!(answer.status, 200, "{answer:?}");
            let generation = answer.json();
            if statuses.contains(&generation["status"].as_str().unwrap()) {
                return generation;
            }
            assert!(Instant::now() < deadline, "{generation}");
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    }

    async fn refused(&self, body: &Value, field: &str) -> String {
        let answer = self.post(body).await;
        assert_eq!(answer.status, 422, "{body}: {}", String::from_utf8_lossy(&answer.body));
        let faults = answer.json()["detail"].clone();
        assert_eq!((faults.as_array().unwrap().len(), &faults[0]["loc"]), (1, &json!(["body", field])), "{faults}");
        faults[0]["msg"].as_str().unwrap().to_owned()
    }
}

fn plain(server: &Running) -> Client<'_> {
    Client { server, key: None }
}

fn body(image: &str, changes: Value) -> Value {
    let mut body = json!({"characterImageUrl": image, "script": "The character waves hello", "duration": 1, "quality": "256"});
    body.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    body
}

#[actix_web::test]
async fn an_upload_is_re_encoded_under_a_new_name() {
    let server = Running::start(4).await;
    let client = plain(&server);
    for (format, media_type) in [(ImageFormat::Png, "image/png"), (ImageFormat::Jpeg, "image/jpeg"), (ImageFormat::WebP, "IMAGE/WEBP")] {
        let answer = client.upload_as("character", media_type, &image(format)).await;
        assert_eq!((answer.status, answer.json().as_object().unwrap().len()), (200, 1), "{answer:?}");
        let url = answer.json()["imageUrl"].as_str().unwrap().to_owned();
        let id = url.strip_prefix("/uploads/character_").unwrap().strip_suffix(".png").unwrap();
        assert_eq!(id.parse::<uuid::Uuid>().unwrap().get_version_num(), 4);
        let stored = client.get(&url).await;
        assert_eq!((stored.status, stored.header("content-type")), (200, "image/png"));
        assert_eq!(image::load_from_memory_with_format(&stored.body, ImageFormat::Png).unwrap().width(), 32);
    }
    let no_image = client.upload_as("character", "image/png", b"GIF89a").await;
    assert_eq!(no_image.status, 400);
    assert!(no_image.json()["detail"].as_str().unwrap().starts_with("File must be an image"));
    assert_eq!(client.upload_as("character", "text/html", &image(ImageFormat::Png)).await.status, 400);
    let missing = client.upload_as("file", "image/png", &image(ImageFormat::Png)).await;
    assert_eq!((missing.status, &missing.json()["detail"][0]["loc"]), (422, &json!(["body", "character"])));
    for none in ["/uploads/none.png", "/uploads/%2e%2e%2fjobs.sqlite", "/uploads/_%2fcharacter.png", "/uploads/"] {
        let answer = client.get(none).await;
        assert_eq!((answer.status, answer.json()), (404, json!({"detail": "Not Found"})), "{none}");
    }
}

#[actix_web::test]
async fn a_character_video_completes_and_its_answers_have_the_services_keys() {
    let server = Running::start(4).await;
    let client = plain(&server);
    let image = client.upload().await;
    let sent = json!({"characterImageUrl": image, "script": "The character waves hello and smiles at the camera", "seed": 7});
    let submitted = client.generate(&sent).await;
    let mut keys: Vec<_> = submitted.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    let expected = [
        "characterImageUrl",
        "createdAt",
        "duration",
        "error",
        "etaSeconds",
        "id",
        "notes",
        "progress",
        "quality",
        "queuePosition",
        "script",
        "scriptUsed",
        "seed",
        "status",
        "video",
        "videoUrl",
    ];
    assert_eq!(keys, expected);
    assert_eq!(submitted["id"].as_str().unwrap().parse::<uuid::Uuid>().unwrap().get_version_num(), 4);
    assert_eq!((&submitted["characterImageUrl"], &submitted["script"]), (&sent["characterImageUrl"], &sent["script"]));
    assert_eq!((&submitted["duration"], &submitted["quality"], &submitted["seed"]), (&json!(5), &json!("768"), &json!(7)));
    assert_eq!((&submitted["status"], &submitted["videoUrl"], &submitted["progress"]), (&json!("pending"), &json!(null), &json!(0)));
    let created = submitted["createdAt"].as_str().unwrap();
    assert!(created.len() == 24 && created.ends_with('Z') && created.parse::<jiff::Timestamp>().is_ok(), "{created}");
    let note = "The script repaints the picture at a strength of 0.4 before it moves; how it moves is the motion model's own";
    assert_eq!((&submitted["scriptUsed"], &submitted["notes"]), (&json!(true), &json!([note])));

    let done = client.wait(&submitted["id"], &["completed", "failed"]).await;
    let path = format!("/videos/video_{}.mp4", submitted["id"].as_str().unwrap());
    assert_eq!((&done["status"], &done["videoUrl"], &done["progress"]), (&json!("completed"), &json!(path), &json!(100)));
    assert_eq!((&done["error"], &done["queuePosition"], &done["etaSeconds"]), (&json!(null), &json!(null), &json!(null)));
    assert_eq!((&done["createdAt"], &done["script"]), (&submitted["createdAt"], &submitted["script"]));
    let facts = json!({
        "width": 768, "height": 576, "frames": 120, "fps": "24", "nativeWidth": 64, "nativeHeight": 64, "nativeFrames": 15
    });
    assert_eq!(done["video"], facts);

    let video = client.get(&path).await;
    assert_eq!((video.status, video.header("content-type"), video.header("accept-ranges")), (200, "video/mp4", "bytes"));
    assert_eq!(&video.body[4..8], b"ftyp");
    let part = client.send(reqwest::Client::new().get(server.url(&path)).header("range", "bytes=4-7")).await;
    let range = format!("bytes 4-7/{}", video.body.len());
    assert_eq!((part.status, part.body.as_slice(), part.header("content-range")), (206, b"ftyp".as_slice(), range.as_str()));
    let head = client.send(reqwest::Client::new().head(server.url(&path))).await;
    assert_eq!((head.status, head.header("content-length"), head.body.len()), (200, video.body.len().to_string().as_str(), 0));
    for none in ["/videos/video_none.mp4", "/videos/none.mp4", &path.replace(".mp4", ".webm"), "/videos/video_.mp4"] {
        assert_eq!(client.get(none).await.status, 404, "{none}");
    }
}

#[actix_web::test]
async fn duration_and_quality_take_effect() {
    let server = Running::start(4).await;
    let client = plain(&server);
    let image = client.upload().await;
    for (duration, quality, frames, width) in [(1, "512", 24, 512), (2, "256", 48, 256)] {
        let submitted = client.generate(&body(&image, json!({"duration": duration, "quality": quality}))).await;
        assert_eq!((&submitted["duration"], &submitted["quality"]), (&json!(duration), &json!(quality)));
        let done = client.wait(&submitted["id"], &["completed", "failed"]).await;
        assert_eq!((&done["video"]["frames"], &done["video"]["width"]), (&json!(frames), &json!(width)), "{done}");
    }
    // Numbers are accepted in every form that pydantic accepts.
    let submitted = client.generate(&body(&image, json!({"duration": "1"}))).await;
    assert_eq!(submitted["duration"], json!(1));
}

#[actix_web::test]
async fn a_setting_turns_the_script_off_and_the_answer_says_so() {
    let settings = ServerSettings { repaint_strength: 0.0, ..ServerSettings::default() };
    let server = Running::with_settings(settings, engine(4).await).await;
    let client = plain(&server);
    let image = client.upload().await;
    // The script would make the job fail if it were used.
    let submitted = client.generate(&body(&image, json!({"script": "broken"}))).await;
    let note = "The script is not used: characters.repaint_strength is 0 on this server";
    assert_eq!((&submitted["scriptUsed"], &submitted["notes"]), (&json!(false), &json!([note])));
    assert_eq!(client.wait(&submitted["id"], &["completed", "failed"]).await["status"], "completed");
    let without = Running::start(4).await;
    let client = plain(&without);
    let image = client.upload().await;
    let submitted = client.generate(&body(&image, json!({"script": " "}))).await;
    assert_eq!(
        (&submitted["scriptUsed"], &submitted["notes"][0]),
        (&json!(false), &json!("The script is empty, so the picture moves as it is"))
    );
}

#[actix_web::test]
async fn faults_have_this_apis_field_names() {
    let server = Running::start(4).await;
    let client = plain(&server);
    let image = client.upload().await;
    let no_image = "Value error, there is no such upload of yours";
    let no_address = "Value error, it is neither a path under /uploads/ nor an http or https address nor a data URL";
    for (changes, field, message) in [
        (json!({"duration": 11}), "duration", "Input should be less than or equal to 10"),
        (json!({"duration": 0}), "duration", "Input should be greater than or equal to 1"),
        (json!({"duration": 2.5}), "duration", "Input should be a valid integer, got a number with a fractional part"),
        (json!({"quality": "high"}), "quality", "Value error, the longer side has 256 to 1024 pixels, as \"1024\""),
        (json!({"quality": "2048"}), "quality", "Value error, the longer side has 256 to 1024 pixels, as \"1024\""),
        (json!({"quality": 768}), "quality", "Input should be a valid string"),
        (json!({"script": "x".repeat(2001)}), "script", "String should have at most 2000 characters"),
        (json!({"script": null}), "script", "Input should be a valid string"),
        (json!({"seed": -2}), "seed", "Input should be greater than or equal to -1"),
        (json!({"characterImageUrl": "/uploads/character_123.jpg"}), "characterImageUrl", no_image),
        (json!({"characterImageUrl": "/uploads/../jobs.sqlite"}), "characterImageUrl", no_image),
        (json!({"characterImageUrl": "/uploads/%2e%2e/jobs.sqlite"}), "characterImageUrl", no_image),
        (json!({"characterImageUrl": "/etc/passwd"}), "characterImageUrl", no_address),
        (json!({"characterImageUrl": "file:///etc/passwd"}), "characterImageUrl", no_address),
        (json!({"characterImageUrl": ""}), "characterImageUrl", no_address),
        (json!({"characterImageUrl": 5}), "characterImageUrl", "Input should be a valid string"),
    ] {
        assert_eq!(client.refused(&body(&image, changes.clone()), field).await, message, "{changes}");
    }
    for field in ["characterImageUrl", "script"] {
        let mut without = body(&image, json!({}));
        without.as_object_mut().unwrap().remove(field);
        assert_eq!(client.refused(&without, field).await, "Field required");
    }
    let none = client.get("/generation/none").await;
    assert_eq!((none.status, none.json()), (404, json!({"detail": "Generation not found"})));
    assert_eq!(client.get("/generations").await.json(), json!([]), "nothing was accepted");
}

#[actix_web::test]
async fn images_come_from_uploads_or_through_the_guard() {
    // A server of the operator, which is on the allow-list.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let theirs = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = [0; 1024];
            let _received = stream.read(&mut head).await;
            let file = image(ImageFormat::Png);
            let answer = format!("HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: {}\r\n\r\n", file.len());
            let _sent = stream.write_all(&[answer.as_bytes(), &file].concat()).await;
        }
    });
    let guard = GuardSettings { allow: vec![theirs.to_string().parse().unwrap()], ..GuardSettings::default() };
    let server = Running::with_settings(ServerSettings { guard, ..ServerSettings::default() }, engine(8).await).await;
    let client = plain(&server);
    let upload = client.upload().await;
    let submitted = client.generate(&body(&server.url(&upload), json!({}))).await;
    assert_eq!(submitted["characterImageUrl"], json!(upload), "our own address is shortened to its path");
    let far = format!("http://{theirs}/a.png?size=2");
    let submitted = client.generate(&body(&far, json!({}))).await;
    assert_eq!(submitted["characterImageUrl"], json!(far));
    assert_eq!(client.wait(&submitted["id"], &["completed", "failed"]).await["status"], "completed");

    let private = "this host has no public address; private, local and reserved ones are not allowed";
    let other = server.url("/health").replace("/health", ":1/uploads/a.png");
    for (address, reason) in [
        ("http://127.0.0.1:9/a.png", private),
        ("http://[::ffff:10.0.0.1]/a.png", private),
        ("http://169.254.169.254/latest/meta-data", private),
        (other.as_str(), ""),
        (server.url("/files/x/y").as_str(), ""),
        (server.url("/uploads/../files/a.png").as_str(), ""),
    ] {
        let message = client.refused(&body(address, json!({})), "characterImageUrl").await;
        assert!(message.contains(reason), "{address}: {message}");
    }
}

#[actix_web::test]
async fn generations_are_listed_newest_first_and_without_other_apis_jobs() {
    let server = Running::start(64).await;
    let client = plain(&server);
    let image = client.upload().await;
    let mut ids = Vec::new();
    for number in 0..12 {
        ids.push(client.generate(&body(&image, json!({ "seed": number }))).await["id"].clone());
        client.generate(&json!({"text": "slow"})).await;
    }
    ids.reverse();
    let listed = |answer: Got| -> Vec<Value> { answer.json().as_array().unwrap().iter().map(|one| one["id"].clone()).collect() };
    assert_eq!(listed(client.get("/generations").await), ids);
    assert_eq!(listed(client.get("/generations?limit=10").await), ids[..10]);
    assert_eq!(client.get("/generations?limit=0").await.status, 422);
    // A text video's job belongs to another API.
    let text = client.generate(&json!({"text": "slow"})).await["job_id"].as_str().unwrap().to_owned();
    assert_eq!(client.get(&format!("/generation/{text}")).await.status, 404);
}

#[actix_web::test]
async fn failed_and_cancelled_generations_say_why() {
    let server = Running::start(8).await;
    let client = plain(&server);
    let image = client.upload().await;
    let broken = client.generate(&body(&image, json!({"script": "broken"}))).await;
    let failed = client.wait(&broken["id"], &["completed", "failed"]).await;
    assert_eq!((&failed["status"], &failed["videoUrl"]), (&json!("failed"), &json!(null)));
    assert!(failed["error"].as_str().unwrap().ends_with("broken as told"), "{failed}");

    let slow = client.generate(&body(&image, json!({"script": "slow"}))).await;
    let waits = client.generate(&body(&image, json!({}))).await;
    assert_eq!(client.wait(&slow["id"], &["processing"]).await["queuePosition"], json!(null));
    assert_eq!(client.wait(&waits["id"], &["pending"]).await["queuePosition"], json!(0));
    let id = slow["id"].as_str().unwrap();
    server.jobs.cancel("", id).await.unwrap();
    let cancelled = client.wait(&slow["id"], &["failed"]).await;
    assert_eq!(cancelled["error"], json!("cancelled"));
    assert_eq!(client.wait(&waits["id"], &["completed", "failed"]).await["status"], "completed");
    assert_eq!(client.get(&format!("/videos/video_{id}.mp4")).await.status, 404);
}

#[actix_web::test]
async fn repeated_requests_with_one_idempotency_key_make_one_job() {
    let server = Running::start(8).await;
    let client = plain(&server);
    let image = client.upload().await;
    let ask = |body: Value| {
        let request = reqwest::Client::new().post(server.url("/generate-video")).header("Idempotency-Key", "once").json(&body);
        client.send(request)
    };
    let first = ask(body(&image, json!({}))).await;
    let again = ask(body(&image, json!({}))).await;
    assert_eq!((first.status, again.status, &first.json()["id"]), (200, 200, &again.json()["id"]));
    assert_eq!((first.header("idempotent-replayed"), again.header("idempotent-replayed")), ("", "true"));
    let other = ask(body(&image, json!({"duration": 2}))).await;
    assert_eq!(other.status, 422, "{other:?}");
    assert_eq!(client.get("/generations").await.json().as_array().unwrap().len(), 1);
}

#[actix_web::test]
async fn with_keys_everything_belongs_to_its_owner_and_links_open_files() {
    let access = AccessSettings { keys: keys(), ..AccessSettings::default() };
    let server = Running::with_settings(ServerSettings { access, ..ServerSettings::default() }, engine(8).await).await;
    let alice = Client { server: &server, key: Some(ALICES_KEY) };
    let bob = Client { server: &server, key: Some(BOBS_KEY) };
    let nobody = plain(&server);
    let link = alice.upload().await;
    let path = link.split('?').next().unwrap();
    assert!(link.contains("?expires=") && link.contains("&signature="), "{link}");
    assert_eq!((nobody.get(&link).await.status, nobody.get(path).await.status), (200, 401));
    assert_eq!((alice.get(path).await.status, bob.get(path).await.status), (200, 404));

    assert_eq!(nobody.post(&body(path, json!({}))).await.status, 401);
    assert!(bob.refused(&body(path, json!({})), "characterImageUrl").await.ends_with("there is no such upload of yours"));
    // The signed link is accepted like its path.
    let submitted = alice.generate(&body(&link, json!({}))).await;
    assert!(submitted["characterImageUrl"].as_str().unwrap().starts_with(&format!("{path}?expires=")), "{submitted}");
    let done = alice.wait(&submitted["id"], &["completed", "failed"]).await;
    let video = done["videoUrl"].as_str().unwrap();
    let (plain_path, _) = video.split_once("?expires=").unwrap();
    assert_eq!((nobody.get(video).await.status, nobody.get(plain_path).await.status), (200, 401));
    assert_eq!((alice.get(plain_path).await.status, bob.get(plain_path).await.status), (200, 404));
    let generation = format!("/generation/{}", submitted["id"].as_str().unwrap());
    assert_eq!((bob.get(&generation).await.status, nobody.get(&generation).await.status), (404, 401));
    assert_eq!(bob.get("/generations").await.json(), json!([]));
    let id = submitted["id"].as_str().unwrap();
    assert_eq!(server.jobs.get("alice", id).await.unwrap().unwrap().state, JobState::Completed);
    assert_eq!(StatusCode::OK.as_u16(), nobody.get("/health").await.status);
}
