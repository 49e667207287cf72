//! OpenAI's image routes and model list: answers, forms, streams, and every refusal as these clients read it.

use std::io::Cursor;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use image::{DynamicImage, ImageFormat, Rgb, RgbImage, Rgba, RgbaImage};
use reqwest::{
    Client, Method, Response,
    multipart::{Form, Part},
};
use serde_json::{Value, json};
use server::{ServerSettings, access::AccessSettings};

use crate::{
    attacks::{ALICES_KEY, BOBS_KEY, keys},
    fake::{Running, engine},
    task_client::{png, start},
};

const GENERATIONS: &str = "/v1/images/generations";

async fn generate(server: &Running, body: Value) -> Value {
    let (status, answer) = server.ask(Method::POST, GENERATIONS, Some(body)).await;
    assert_eq!(status.as_u16(), 200, "{answer}");
    answer
}

fn file(answer: &Value, index: usize) -> Vec<u8> {
    let data = &answer["data"][index];
    assert!(data.get("url").is_none(), "{data}");
    BASE64_STANDARD.decode(data["b64_json"].as_str().unwrap()).unwrap()
}

fn parameters(answer: &Value) -> &str {
    answer["data"][0]["parameters"].as_str().unwrap()
}

/// A picture whose left half is transparent.
fn mask(width: u32, height: u32) -> Vec<u8> {
    let mask = RgbaImage::from_fn(width, height, |x, _| Rgba([0, 0, 0, if x < width / 2 { 0 } else { 255 }]));
    encoded(mask.into())
}

fn encoded(image: DynamicImage) -> Vec<u8> {
    let mut file = Cursor::new(Vec::new());
    image.write_to(&mut file, ImageFormat::Png).unwrap();
    file.into_inner()
}

fn part(file: Vec<u8>) -> Part {
    // As the clients send a file that has no name.
    Part::bytes(file).file_name("upload").mime_str("application/octet-stream").unwrap()
}

async fn send(server: &Running, path: &str, form: Form) -> (u16, Value) {
    let answer = Client::new().post(server.url(path)).multipart(form).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

#[actix_web::test]
async fn pictures_come_in_base64_with_consecutive_seeds() {
    let server = start().await;
    let answer = generate(&server, json!({"prompt": "a boat", "n": 2, "seed": 4, "user": "u", "moderation": "low"})).await;
    assert_eq!(answer["data"].as_array().unwrap().len(), 2);
    for (index, seed) in [(0, 4), (1, 5)] {
        let image = image::load_from_memory_with_format(&file(&answer, index), ImageFormat::Png).unwrap();
        // The fake model's own size, and the colour of the seed.
        assert_eq!((image.width(), image.height(), image.into_rgb8().get_pixel(0, 0)), (64, 72, &Rgb([seed, 1, 2])));
        assert_eq!(answer["data"][index]["seed"], seed);
    }
    let said = ["size", "output_format", "background", "quality"].map(|key| answer[key].as_str().unwrap());
    assert_eq!(said, ["64x72", "png", "opaque", "auto"]);
    assert!(answer["created"].as_u64().unwrap() > 1_700_000_000 && answer.get("ignored_fields").is_none(), "{answer}");
    let answer = generate(&server, json!({"prompt": "a boat", "style": "vivid", "sede": 1})).await;
    assert_eq!(answer["ignored_fields"], json!([{"field": "sede", "did_you_mean": "seed"}]));
    assert!(answer["remarks"][0].as_str().unwrap().contains("style \"vivid\" has no effect"), "{answer}");
}

#[actix_web::test]
async fn sizes_qualities_and_formats_take_effect() {
    let server = start().await;
    for (changes, size, expected) in [
        (json!({}), (64, 72), "Steps: 25, Sampler: DDIM, CFG scale: 7.5, Seed: 1, Size: 64x72, Model: fake,"),
        (json!({"size": "auto", "quality": "low"}), (64, 72), "Steps: 13,"),
        (json!({"quality": "hd"}), (64, 72), "Steps: 38,"),
        (json!({"quality": "max"}), (64, 72), "Steps: 50,"),
        (json!({"quality": "max", "steps": 7, "guidance": 3}), (64, 72), "Steps: 7, Sampler: DDIM, CFG scale: 3,"),
        // No side is less than 64 pixels when it is made; the rest is cut off.
        (json!({"size": "96x48"}), (96, 48), "Size: 96x64, Model: fake, Resized to: 96x48,"),
        (json!({"size": "1536x1024"}), (1536, 1024), "Size: 80x64, Model: fake, Resized to: 1536x1024,"),
    ] {
        let mut body = json!({"prompt": "a boat", "seed": 1});
        body.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        let answer = generate(&server, body).await;
        let image = image::load_from_memory(&file(&answer, 0)).unwrap();
        assert_eq!((image.width(), image.height()), size, "{changes}");
        assert_eq!(answer["size"], format!("{}x{}", size.0, size.1));
        assert!(parameters(&answer).contains(expected), "{changes}: {answer}");
    }
    for (format, changes) in [
        (ImageFormat::Jpeg, json!({"output_format": "jpeg", "output_compression": 30})),
        (ImageFormat::WebP, json!({"output_format": "webp", "output_compression": 100})),
    ] {
        for answer_by in ["b64_json", "url"] {
            let mut body = json!({"prompt": "a boat", "response_format": answer_by});
            body.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
            let answer = generate(&server, body).await;
            let bytes = match answer_by {
                "url" => {
                    let sent = reqwest::get(answer["data"][0]["url"].as_str().unwrap()).await.unwrap();
                    assert_eq!(sent.headers()["content-type"], format.to_mime_type());
                    sent.bytes().await.unwrap().to_vec()
                }
                _ => file(&answer, 0),
            };
            assert_eq!(image::guess_format(&bytes).unwrap(), format);
            assert_eq!(answer["output_format"], changes["output_format"]);
        }
    }
}

#[actix_web::test]
async fn a_link_opens_the_picture_for_anyone_who_has_it_and_no_one_else() {
    let access = AccessSettings { keys: keys(), ..AccessSettings::default() };
    let server = Running::with_settings(ServerSettings { access, ..ServerSettings::default() }, engine(4).await).await;
    let body = json!({"prompt": "a boat", "n": 2, "seed": 9, "response_format": "url"});
    let answer = Client::new().post(server.url(GENERATIONS)).bearer_auth(ALICES_KEY).json(&body).send().await.unwrap();
    let answer: Value = answer.json().await.unwrap();
    let data = answer["data"].as_array().unwrap();
    assert!(data.len() == 2 && data.iter().all(|image| image.get("b64_json").is_none()), "{answer}");
    assert_eq!((&data[0]["seed"], &data[1]["seed"]), (&json!(9), &json!(10)));
    let url = data[1]["url"].as_str().unwrap();
    let expires: u64 = url.split("expires=").nth(1).unwrap().split('&').next().unwrap().parse().unwrap();
    assert!(expires >= answer["created"].as_u64().unwrap() + 3600, "{url}");
    let image = reqwest::get(url).await.unwrap();
    assert_eq!((image.status().as_u16(), &image.headers()["content-type"]), (200, &"image/png".parse().unwrap()));
    let (file, _) = url.split_once('?').unwrap();
    assert_eq!(reqwest::get(file).await.unwrap().status().as_u16(), 401);
    assert_eq!(Client::new().get(file).bearer_auth(BOBS_KEY).send().await.unwrap().status().as_u16(), 404);
    for (key, status, code) in [(None, 401, "invalid_api_key"), (Some("not-a-key-of-this-server"), 401, "invalid_api_key")] {
        let mut request = Client::new().post(server.url(GENERATIONS)).json(&body);
        if let Some(key) = key {
            request = request.bearer_auth(key);
        }
        let refused = request.send().await.unwrap();
        assert_eq!(refused.status().as_u16(), status);
        assert_eq!(refused.json::<Value>().await.unwrap()["error"]["code"], code);
    }
}

#[actix_web::test]
async fn edits_and_variations_start_from_the_picture() {
    let server = start().await;
    let form = |image: Vec<u8>| Form::new().part("image", part(image));
    let edit = |form: Form| form.text("prompt", "a boat").text("seed", "3").text("n", "1");
    for (form, path, size, expected) in [
        (edit(form(png())), "edits", "48x32", "Denoising strength: 0.75"),
        (edit(form(png())).text("input_fidelity", "high"), "edits", "48x32", "Denoising strength: 0.5"),
        (edit(form(png())).text("strength", "0.4").text("size", "80x80"), "edits", "80x80", "Denoising strength: 0.4"),
        (edit(form(png())).part("mask", part(mask(48, 32))), "edits", "48x32", "Denoising strength: 1"),
        (edit(form(mask(40, 40))), "edits", "40x40", "Denoising strength: 1"),
        (edit(Form::new().part("image[]", part(png()))), "edits", "48x32", "Denoising strength: 0.75"),
        (form(png()), "variations", "48x32", "Denoising strength: 0.6"),
        (form(png()).text("prompt", "a boat").text("n", "2"), "variations", "48x32", "Denoising strength: 0.6"),
        (edit(Form::new().text("image", BASE64_STANDARD.encode(png()))), "edits", "48x32", "Denoising strength: 0.75"),
    ] {
        let (status, answer) = send(&server, &format!("/v1/images/{path}"), form).await;
        assert_eq!((status, &answer["size"]), (200, &json!(size)), "{answer}");
        assert!(parameters(&answer).contains(expected), "{expected}: {answer}");
        assert!(answer.get("ignored_fields").is_none(), "{answer}");
    }
    // The same as JSON; and a picture of an earlier answer.
    let made = generate(&server, json!({"prompt": "a boat", "response_format": "url"})).await;
    let url = &made["data"][0]["url"];
    for body in [json!({"image": BASE64_STANDARD.encode(png()), "prompt": "a boat"}), json!({"image": [url], "prompt": "a boat"})] {
        let (status, answer) = server.ask(Method::POST, "/v1/images/edits", Some(body)).await;
        assert_eq!(status.as_u16(), 200, "{answer}");
    }
}

#[actix_web::test]
async fn a_fault_of_a_form_is_refused_with_its_field() {
    let server = start().await;
    let form = || Form::new().part("image", part(png())).text("prompt", "a boat");
    let opaque = encoded(RgbImage::new(48, 32).into());
    for (form, param, reason) in [
        (Form::new().text("prompt", "a boat"), "image", "Field required"),
        (Form::new().part("image", part(png())), "prompt", "Field required"),
        (form().part("mask", part(mask(32, 32))), "mask", "it is 32x32 pixels, and the picture 48x32"),
        (form().part("mask", part(opaque)), "mask", "this one has none"),
        (form().part("mask", part(b"GIF89a".to_vec())), "mask", "it is a GIF"),
        (Form::new().part("image", part(b"x".to_vec())).text("prompt", "a boat"), "image", "is no PNG, JPEG or WebP"),
        (form().part("image", part(png())), "image", "start from one picture"),
        (Form::new().part("image[]", part(png())).part("image[]", part(png())).text("prompt", "a"), "image", "start from one picture"),
        (form().text("n", "11"), "n", "less than or equal to 10 (it is \"11\")"),
        (form().text("svg[model]", "x"), "svg", "no drawings"),
        (form().part("markup", part(png())), "markup", "read no marks"),
        (form().text("loras[]", "ink:0.8"), "loras", "no folder of adapters"),
        (form().text("image_url", "x"), "image", ""),
    ] {
        let (status, answer) = send(&server, "/v1/images/edits", form).await;
        if reason.is_empty() {
            // Another name of the picture, beside the file: the file counts.
            assert_eq!(status, 200, "{answer}");
            continue;
        }
        let error = &answer["error"];
        let message = error["message"].as_str().unwrap_or_else(|| panic!("{answer}"));
        assert_eq!((status, &error["param"], &error["type"]), (400, &json!(param), &json!("invalid_request_error")), "{answer}");
        assert!(message.contains(param) && message.contains(reason), "{message}");
    }
    let sent = Client::new().post(server.url("/v1/images/edits")).header("content-type", "image/png").body(png()).send().await.unwrap();
    assert_eq!(sent.status().as_u16(), 415);
    assert!(sent.json::<Value>().await.unwrap()["error"]["message"].as_str().unwrap().contains("multipart/form-data"));
    assert_eq!(server.jobs.active(), 0);
}

#[actix_web::test]
async fn every_value_that_cannot_be_honoured_is_400_with_its_field() {
    let server = start().await;
    for (changes, param, reason) in [
        (json!({"prompt": null}), "prompt", "valid string"),
        (json!({"prompt": " "}), "prompt", "at least 1 character"),
        (json!({"n": 0}), "n", "greater than or equal to 1 (it is 0)"),
        (json!({"n": 11}), "n", "less than or equal to 10 (it is 11)"),
        (json!({"size": "big"}), "size", "WIDTHxHEIGHT"),
        (json!({"size": "8x8"}), "size", "16 to 4096"),
        (json!({"size": "5000x64"}), "size", "16 to 4096"),
        (json!({"quality": "best"}), "quality", "'auto', 'low'"),
        (json!({"response_format": "file"}), "response_format", "'b64_json' or 'url'"),
        (json!({"output_format": "gif"}), "output_format", "'png', 'jpeg' or 'webp'"),
        (json!({"output_compression": 101}), "output_compression", "less than or equal to 100"),
        (json!({"output_compression": 50}), "output_compression", "choose the output_format jpeg"),
        (json!({"output_compression": 50, "output_format": "webp"}), "output_compression", "only JPEG"),
        (json!({"background": "transparent"}), "background", "no transparent pictures"),
        (json!({"moderation": "high"}), "moderation", "'auto' or 'low'"),
        (json!({"style": "oil"}), "style", "'vivid' or 'natural'"),
        (json!({"stream": "maybe"}), "stream", "valid boolean"),
        (json!({"partial_images": 2}), "partial_images", "set stream to true"),
        (json!({"partial_images": 4, "stream": true}), "partial_images", "less than or equal to 3"),
        (json!({"stream": true, "response_format": "url"}), "response_format", "base64"),
        (json!({"frame_count": 4}), "frame_count", "still pictures"),
        (json!({"complexity": "low"}), "complexity", "no drawings"),
        (json!({"seed": -2}), "seed", "greater than or equal to -1"),
        (json!({"steps": 0}), "steps", "greater than or equal to 1"),
        (json!({"guidance": 51}), "guidance", "less than or equal to 50"),
        (json!({"loras": ["ink"]}), "loras", "no folder of adapters"),
        (json!({"scheduler": "best"}), "scheduler", "euler"),
    ] {
        let mut body = json!({"prompt": "a boat"});
        body.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        let (status, answer) = server.ask(Method::POST, GENERATIONS, Some(body)).await;
        let error = &answer["error"];
        assert_eq!((status.as_u16(), &error["param"]), (400, &json!(param)), "{changes}: {answer}");
        let message = error["message"].as_str().unwrap();
        assert!(message.contains(&format!("{param}: ")) && message.contains(reason), "{changes}: {message}");
        assert_eq!((&error["type"], &error["code"]), (&json!("invalid_request_error"), &json!("invalid_value")), "{changes}");
    }
    let (status, answer) = server.ask(Method::POST, GENERATIONS, Some(json!({"n": 0}))).await;
    let expected = json!({
        "message": "prompt: Field required; n: Input should be greater than or equal to 1 (it is 0)",
        "type": "invalid_request_error", "param": "prompt", "code": "missing_required_parameter",
    });
    assert_eq!((status.as_u16(), &answer["error"]), (400, &expected));
    let (status, answer) = server.ask(Method::POST, GENERATIONS, Some(json!({"prompt": "a", "model": "flux"}))).await;
    assert_eq!((status.as_u16(), &answer["error"]["code"], &answer["error"]["param"]), (404, &json!("model_not_found"), &json!("model")));
    for (method, path, status) in [(Method::GET, GENERATIONS, 405), (Method::GET, "/v1/none", 404), (Method::DELETE, "/v1/models/a", 405)] {
        let (found, answer) = server.ask(method, path, None).await;
        assert_eq!(found.as_u16(), status);
        assert!(answer["error"]["message"].is_string() && answer.get("detail").is_none(), "{answer}");
    }
    assert_eq!(server.jobs.active(), 0);
}

/// The events of a stream: their names, and their data.
async fn events(answer: Response) -> Vec<(String, Value)> {
    assert_eq!(answer.headers()["content-type"], "text/event-stream; charset=utf-8");
    let text = answer.text().await.unwrap();
    let of = |event: &str| {
        let (name, data) = event.strip_prefix("event: ")?.split_once("\ndata: ")?;
        Some((name.to_owned(), serde_json::from_str(data).unwrap()))
    };
    text.split("\n\n").filter_map(of).collect()
}

async fn stream(server: &Running, body: Value) -> Response {
    Client::new().post(server.url(GENERATIONS)).json(&body).send().await.unwrap()
}

#[actix_web::test]
async fn a_stream_ends_with_the_pictures_or_with_an_error() {
    let server = start().await;
    let body =
        json!({"prompt": "unhurried", "stream": true, "partial_images": 2, "n": 2, "seed": 5, "output_format": "jpeg", "steps": 150});
    let found = events(stream(&server, body).await).await;
    let names: Vec<&str> = found.iter().map(|(name, _)| name.as_str()).collect();
    let (partial, finished) = names.split_at(names.len() - 2);
    assert!((1..=2).contains(&partial.len()) && partial.iter().all(|name| *name == "image_generation.partial_image"), "{names:?}");
    assert_eq!(finished, ["image_generation.completed"; 2]);
    for (index, (name, data)) in found.iter().enumerate() {
        let file = BASE64_STANDARD.decode(data["b64_json"].as_str().unwrap()).unwrap();
        assert_eq!(image::guess_format(&file).unwrap(), ImageFormat::Jpeg);
        assert_eq!((&data["type"], &data["size"], &data["output_format"]), (&json!(name), &json!("64x72"), &json!("jpeg")));
        let number = (index < partial.len()).then_some(index);
        assert_eq!(data["partial_image_index"], json!(number));
    }
    assert_eq!((&found[names.len() - 2].1["seed"], &found[names.len() - 1].1["seed"]), (&json!(5), &json!(6)));

    let form = Form::new().part("image", part(png())).text("prompt", "a boat").text("stream", "true");
    let answer = Client::new().post(server.url("/v1/images/edits")).multipart(form).send().await.unwrap();
    assert_eq!(events(answer).await[0].0, "image_edit.completed");

    for (prompt, message, kind) in [
        ("broken", "Generation failed: tokenizer: broken as told", "server_error"),
        ("refuse", "num_inference_steps: not with this scheduler", "invalid_request_error"),
    ] {
        let found = events(stream(&server, json!({"prompt": prompt, "stream": true})).await).await;
        let [(name, data)] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!((name.as_str(), &data["error"]["message"], &data["error"]["type"]), ("error", &json!(message), &json!(kind)));
    }
    let refused = stream(&server, json!({"prompt": "a", "stream": true, "n": 0})).await;
    assert_eq!((refused.status().as_u16(), &refused.headers()["content-type"]), (400, &"application/json".parse().unwrap()));
}

#[actix_web::test]
async fn a_stream_says_that_the_server_stops_and_hanging_up_cancels_it() {
    let server = start().await;
    let mut answer = stream(&server, json!({"prompt": "slow", "stream": true})).await;
    assert_eq!(answer.chunk().await.unwrap().unwrap(), ": accepted\n\n");
    server.wait_for_jobs(1).await;
    drop(answer);
    server.wait_for_jobs(0).await;
    let answer = stream(&server, json!({"prompt": "slow", "stream": true})).await;
    server.wait_for_jobs(1).await;
    let (found, ()) = tokio::join!(events(answer), server.end());
    let [(name, data)] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!((name.as_str(), &data["error"]["code"]), ("error", &json!("shutting_down")), "{data}");
}

#[actix_web::test]
async fn models_are_listed_and_found_by_their_names() {
    let server = start().await;
    let (_, list) = server.ask(Method::GET, "/v1/models", None).await;
    assert_eq!(list["object"], "list");
    let model = &list["data"][0];
    let id = model["id"].as_str().unwrap();
    assert_eq!((&model["object"], &model["owned_by"], &model["details"]["state"]), (&json!("model"), &json!("local"), &json!("ready")));
    for capability in ["images.edits", "videos", "videos.input_reference"] {
        assert!(model["capabilities"].as_array().unwrap().contains(&json!(capability)), "{model}");
    }
    assert!(model["created"].as_u64().unwrap() > 0, "{model}");
    let (status, one) = server.ask(Method::GET, &format!("/v1/models/{}", id.replace('/', "%2F")), None).await;
    assert_eq!((status.as_u16(), &one["id"]), (200, &model["id"]));
    let (status, none) = server.ask(Method::GET, "/v1/models/no%2Fsuch", None).await;
    assert_eq!(status.as_u16(), 404);
    let message = none["error"]["message"].as_str().unwrap();
    assert!(message.contains("no/such") && message.contains(id), "{message}");
    // The name is accepted in a request.
    generate(&server, json!({"prompt": "a boat", "model": id})).await;
}
