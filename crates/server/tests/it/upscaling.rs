//! Upscalers in the APIs: OpenAI's route and list, and AUTOMATIC1111's lists, second passes and extras.

use std::{io::Cursor, path::Path, time::Instant};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use generation::{LocalBackend, LocalSettings, ModelSetup, OpenModel, PoolSettings, Upscalers};
use generation_test::{UPSCALERS, model, upscalers};
use image::{DynamicImage, ImageFormat, Rgba, RgbaImage};
use reqwest::{
    Client, Method,
    multipart::{Form, Part},
};
use serde_json::{Value, json};

use crate::{
    a1111::{TXT2IMG, made, refused},
    fake::{Engine, Running},
    task_client::{png, settings},
};

const UPSCALE: &str = "/v1/images/upscale";

async fn start(upscalers: Upscalers) -> Running {
    let setup = ModelSetup::new("fake", || Ok(OpenModel::new(|_| Ok(model()))));
    let local = LocalBackend::start_with(LocalSettings::new(Instant::now), vec![setup], PoolSettings::default(), upscalers).unwrap();
    local.loaded().await.unwrap();
    Running::with_settings(settings(), Engine { local, places: 4 }).await
}

async fn with_networks() -> Running {
    start(upscalers(Path::new(UPSCALERS), None)).await
}

fn source() -> String {
    BASE64_STANDARD.encode(png())
}

async fn get(server: &Running, path: &str) -> Value {
    let (status, answer) = server.ask(Method::GET, path, None).await;
    assert_eq!(status.as_u16(), 200, "{answer}");
    answer
}

async fn enlarge(server: &Running, changes: Value) -> (u16, Value) {
    let mut body = json!({"image": source(), "model": "compact_x2"});
    body.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    let (status, answer) = server.ask(Method::POST, UPSCALE, Some(body)).await;
    (status.as_u16(), answer)
}

fn decoded(answer: &Value) -> DynamicImage {
    let file = BASE64_STANDARD.decode(answer["data"][0]["b64_json"].as_str().unwrap()).unwrap();
    let image = image::load_from_memory(&file).unwrap();
    assert_eq!(answer["size"], format!("{}x{}", image.width(), image.height()));
    image
}

#[actix_web::test]
async fn a_picture_is_enlarged_by_json_and_by_form() {
    let server = with_networks().await;
    for (changes, size) in [
        (json!({}), (96, 64)),
        (json!({"scale": 1.5, "output_format": "jpeg", "output_compression": 80}), (72, 48)),
        (json!({"model": null, "upscaler": "real_x4.safetensors", "output_format": "webp"}), (192, 128)),
    ] {
        let (status, answer) = enlarge(&server, changes.clone()).await;
        assert_eq!(status, 200, "{changes}: {answer}");
        let image = decoded(&answer);
        assert_eq!((image.width(), image.height()), size, "{changes}");
        assert_eq!(answer["output_format"], changes.get("output_format").cloned().unwrap_or_else(|| "png".into()));
        assert!(answer["data"][0]["parameters"].as_str().unwrap().starts_with("Postprocess upscale by: "), "{answer}");
    }
    let clear = DynamicImage::from(RgbaImage::from_fn(10, 6, |x, _| Rgba([9, 200, 30, if x < 5 { 0 } else { 255 }])));
    let mut file = Cursor::new(Vec::new());
    clear.write_to(&mut file, ImageFormat::Png).unwrap();
    let form = || {
        let part = Part::bytes(file.get_ref().clone()).file_name("upload").mime_str("application/octet-stream").unwrap();
        Form::new().part("image", part).text("model", "compact_x2").text("scale", "2").text("sclae", "3")
    };
    let answer = Client::new().post(server.url(UPSCALE)).multipart(form()).send().await.unwrap();
    let answer: Value = answer.json().await.unwrap();
    let image = decoded(&answer);
    assert!(image.color().has_alpha() && (image.width(), image.height()) == (20, 12), "{answer}");
    assert_eq!(answer["ignored_fields"], json!([{"field": "sclae", "did_you_mean": "scale"}]));
}

#[actix_web::test]
async fn a_link_leads_to_a_stored_picture_that_can_be_enlarged_again() {
    let server = with_networks().await;
    let (status, answer) = enlarge(&server, json!({"response_format": "url"})).await;
    assert_eq!(status, 200, "{answer}");
    let url = answer["data"][0]["url"].as_str().unwrap();
    assert!(answer["data"][0].get("b64_json").is_none());
    let file = Client::new().get(url).send().await.unwrap();
    assert_eq!(file.headers()["content-type"], "image/png");
    let image = image::load_from_memory(&file.bytes().await.unwrap()).unwrap();
    assert_eq!((image.width(), image.height()), (96, 64));
    let tasks = get(&server, "/api/v1/tasks").await;
    assert!(tasks.to_string().contains("img_"), "{tasks}");
    let (status, answer) = enlarge(&server, json!({"image": url})).await;
    assert_eq!((status, &answer["size"]), (200, &json!("192x128")), "{answer}");
}

#[actix_web::test]
async fn an_enlargement_can_become_a_task() {
    let server = with_networks().await;
    let ask = || {
        let body = json!({"image": source(), "model": "compact_x2"});
        Client::new().post(server.url(UPSCALE)).header("Prefer", "respond-async").header("Idempotency-Key", "one").json(&body).send()
    };
    let answer = ask().await.unwrap();
    assert_eq!((answer.status().as_u16(), &answer.headers()["preference-applied"]), (202, &"respond-async".parse().unwrap()));
    let location = answer.headers()["location"].to_str().unwrap().to_owned();
    let id = answer.json::<Value>().await.unwrap()["task_id"].as_str().unwrap().to_owned();
    assert_eq!(location, server.url(&format!("/api/v1/tasks/{id}")));
    let again = ask().await.unwrap();
    assert_eq!((again.status().as_u16(), &again.headers()["idempotent-replayed"]), (202, &"true".parse().unwrap()));
    assert_eq!(again.json::<Value>().await.unwrap()["task_id"], id);
    let task = server.ended(&id).await;
    assert_eq!((&task["status"], &task["result"]["result"]["width"]), (&json!("completed"), &json!(96)), "{task}");
}

#[actix_web::test]
async fn what_cannot_be_enlarged_is_refused_with_its_field() {
    let server = with_networks().await;
    for (changes, param, reason) in [
        (json!({"model": null}), "model", "Field required"),
        (json!({"model": "Lanczos"}), "model", "is no network"),
        (json!({"model": null, "upscaler": "None"}), "upscaler", "is no network"),
        (json!({"upscaler": "real_x4"}), "upscaler", "leave one of the two out"),
        (json!({"image": null}), "image", "Field required"),
        (json!({"image": "***"}), "image", "no base64"),
        (json!({"scale": 17}), "scale", "less than or equal to 16"),
        (json!({"scale": 9}), "scale", "at most 8 times as large"),
        (json!({"scale": "much"}), "scale", "number"),
        (json!({"output_format": "gif"}), "output_format", "'png', 'jpeg' or 'webp'"),
        (json!({"output_compression": 50}), "output_compression", "only JPEG"),
        (json!({"response_format": "file"}), "response_format", "'b64_json' or 'url'"),
    ] {
        let (status, answer) = enlarge(&server, changes.clone()).await;
        let error = &answer["error"];
        assert_eq!((status, error["param"].as_str()), (400, Some(param)), "{changes}: {answer}");
        assert!(error["message"].as_str().unwrap().contains(reason), "{changes}: {answer}");
    }
    let none = start(Upscalers::default()).await;
    for (server, changes, reason) in [
        (&server, json!({"model": "compact_x3"}), "the nearest is \"compact_x"),
        (&server, json!({"model": "fake"}), "there is no upscaler \"fake\""),
        (&server, json!({"model": null, "upscaler": "../compact_x2"}), "there is no upscaler"),
        (&none, json!({}), "upscalers.folder"),
    ] {
        let (status, answer) = enlarge(server, changes.clone()).await;
        let error = &answer["error"];
        assert_eq!((status, &error["param"], &error["code"]), (404, &json!("model"), &json!("model_not_found")), "{changes}: {answer}");
        assert!(error["message"].as_str().unwrap().contains(reason), "{changes}: {answer}");
    }
}

#[actix_web::test]
async fn the_lists_have_the_upscalers() {
    let server = with_networks().await;
    let models = get(&server, "/v1/models").await;
    let upscaler = models["data"].as_array().unwrap().iter().find(|model| model["id"] == "compact_x2").unwrap();
    assert_eq!((&upscaler["capabilities"], &upscaler["owned_by"]), (&json!(["images.upscale"]), &json!("local")));
    assert_eq!(get(&server, "/v1/models/compact_x2").await["id"], "compact_x2");
    let upscalers = get(&server, "/sdapi/v1/upscalers").await;
    let names: Vec<&str> = upscalers.as_array().unwrap().iter().map(|upscaler| upscaler["name"].as_str().unwrap()).collect();
    assert_eq!(names[..3], ["None", "Lanczos", "Nearest"]);
    let compact = upscalers.as_array().unwrap().iter().find(|upscaler| upscaler["name"] == "compact_x2").unwrap();
    assert_eq!((&compact["scale"], &compact["model_name"]), (&json!(2.0), &json!("Real-ESRGAN Compact")));
    let networks = get(&server, "/sdapi/v1/realesrgan-models").await;
    assert_eq!(networks.as_array().unwrap().len(), names.len() - 3);
    assert_eq!(get(&start(Upscalers::default()).await, "/sdapi/v1/realesrgan-models").await, json!([]));
}

#[actix_web::test]
async fn second_passes_and_extras_take_a_network() {
    let server = with_networks().await;
    let body = json!({"prompt": "a boat", "enable_hr": true, "hr_upscaler": "compact_x2", "steps": 2, "seed": 1});
    let (images, info, _) = made(&server, TXT2IMG, body).await;
    assert_eq!((images[0].width(), images[0].height()), (128, 144));
    assert!(info["infotexts"][0].as_str().unwrap().contains("Hires upscaler: compact_x2"), "{info}");
    let (_, said) = refused(&server, TXT2IMG, json!({"prompt": "a", "enable_hr": true, "hr_upscaler": "compact_x3"})).await;
    assert!(said.contains("hr_upscaler: there is no upscaler \"compact_x3\", the nearest is \"compact_x"), "{said}");

    let single = "/sdapi/v1/extra-single-image";
    let mut results = Vec::new();
    for (changes, size) in [
        (json!({"upscaler_1": "compact_x2", "upscaling_resize": 2}), (96, 64)),
        (json!({"upscaler_1": "compact_x2", "upscaling_resize": 3}), (144, 96)),
        (json!({"upscaler_1": "real_x4", "resize_mode": 1, "upscaling_resize_w": 64, "upscaling_resize_h": 64}), (64, 64)),
        (json!({"upscaler_1": "Lanczos", "upscaler_2": "compact_x2", "extras_upscaler_2_visibility": 0.5}), (96, 64)),
        (json!({"upscaler_1": "Lanczos"}), (96, 64)),
    ] {
        let mut body = json!({"image": source()});
        body.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        let (status, answer) = server.ask(Method::POST, single, Some(body)).await;
        assert_eq!(status.as_u16(), 200, "{changes}: {answer}");
        let image = image::load_from_memory(&BASE64_STANDARD.decode(answer["image"].as_str().unwrap()).unwrap()).unwrap().to_rgb8();
        assert_eq!(image.dimensions(), size, "{changes}");
        assert!(answer["html_info"].as_str().unwrap().contains(changes["upscaler_1"].as_str().unwrap()), "{answer}");
        results.push(image);
    }
    // Half of each: the network's picture, and the resampled one.
    let (network, mixed, resampled) = (&results[0], &results[3], &results[4]);
    let halves = network.as_raw().iter().zip(resampled.as_raw()).map(|(a, b)| (f64::from(*a) + f64::from(*b)) / 2.0);
    assert!(halves.zip(mixed.as_raw()).all(|(half, mixed)| (half - f64::from(*mixed)).abs() <= 0.5));
    let batch = json!({"imageList": [{"name": "a", "data": source()}, {"name": "b", "data": source()}], "upscaler_1": "compact_x2"});
    let (status, answer) = server.ask(Method::POST, "/sdapi/v1/extra-batch-images", Some(batch)).await;
    assert!(status.as_u16() == 200 && answer["images"].as_array().unwrap().len() == 2, "{answer}");
    let (_, said) = refused(&server, single, json!({"image": source(), "upscaler_1": "compact_x3"})).await;
    assert!(said.contains("upscaler_1: there is no upscaler \"compact_x3\""), "{said}");
}
