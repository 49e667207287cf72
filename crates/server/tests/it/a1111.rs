//! AUTOMATIC1111's API: pictures, options, lists, progress, and every refusal in the web UI's form.

use std::time::{Duration, Instant};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use image::{DynamicImage, ImageFormat};
use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value, json};
use server::{ServerSettings, access::AccessSettings};

use crate::{
    attacks::{ALICES_KEY, BOBS_KEY, keys},
    fake::{PATIENCE, Running, engine},
    task_client::start,
};

pub(crate) const TXT2IMG: &str = "/sdapi/v1/txt2img";

pub(crate) async fn post(server: &Running, path: &str, body: Value) -> (u16, Value) {
    let (status, answer) = server.ask(Method::POST, path, Some(body)).await;
    (status.as_u16(), answer)
}

async fn get(server: &Running, path: &str) -> Value {
    let (status, answer) = server.ask(Method::GET, path, None).await;
    assert_eq!(status.as_u16(), 200, "{path}: {answer}");
    answer
}

pub(crate) async fn made(server: &Running, path: &str, body: Value) -> (Vec<DynamicImage>, Value, Value) {
    let (status, answer) = post(server, path, body).await;
    assert_eq!(status, 200, "{answer}");
    let decoded = |file: &Value| image::load_from_memory(&BASE64_STANDARD.decode(file.as_str().unwrap()).unwrap()).unwrap();
    let images = answer["images"].as_array().unwrap().iter().map(decoded).collect();
    let info: Value = serde_json::from_str(answer["info"].as_str().unwrap()).unwrap();
    (images, info, answer)
}

pub(crate) async fn refused(server: &Running, path: &str, body: Value) -> (u16, String) {
    let (status, answer) = post(server, path, body).await;
    assert!(status >= 400, "{answer}");
    let keys: Vec<&String> = answer.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["error", "detail", "body", "errors"], "{answer}");
    assert_eq!(answer["detail"], answer["errors"]);
    (status, answer["detail"].as_str().unwrap().to_owned())
}

#[actix_web::test]
async fn pictures_come_with_the_web_uis_description() {
    let server = start().await;
    let body = json!({
        "prompt": "a (boat:1.2)", "negative_prompt": "fog", "seed": 4, "steps": 3, "cfg_scale": 5, "batch_size": 2, "n_iter": 2,
        "sampler_name": "DPM++ 2M", "scheduler": "Karras", "sede": 1,
    });
    let (images, info, answer) = made(&server, TXT2IMG, body.clone()).await;
    assert_eq!(answer["parameters"], body);
    let colours: Vec<_> = images.iter().map(|image| image.to_rgb8().get_pixel(0, 0).0[0]).collect();
    assert_eq!((colours, images[0].width(), images[0].height()), (vec![4, 5, 6, 7], 64, 72));
    for (key, value) in [
        ("prompt", json!("a (boat:1.2)")),
        ("all_negative_prompts", json!(["fog", "fog", "fog", "fog"])),
        ("seed", json!(4)),
        ("all_seeds", json!([4, 5, 6, 7])),
        ("sampler_name", json!("DPM++ 2M")),
        ("steps", json!(3)),
        ("cfg_scale", json!(5.0)),
        ("batch_size", json!(2)),
        ("sd_model_name", json!("local")),
        ("clip_skip", json!(1)),
        ("index_of_first_image", json!(0)),
        ("ignored_fields", json!([{"field": "sede", "did_you_mean": "seed"}])),
    ] {
        assert_eq!(info[key], value, "{key}");
    }
    let keys = [
        "all_prompts",
        "subseed",
        "all_subseeds",
        "subseed_strength",
        "width",
        "height",
        "restore_faces",
        "face_restoration_model",
        "sd_model_hash",
        "sd_vae_name",
        "sd_vae_hash",
        "seed_resize_from_w",
        "seed_resize_from_h",
        "denoising_strength",
        "extra_generation_params",
        "styles",
        "is_using_inpainting_conditioning",
    ];
    assert!(keys.iter().all(|key| info.get(key).is_some()), "{info}");
    assert_eq!(info["job_timestamp"].as_str().unwrap().len(), 14);
    let text = info["infotexts"][1].as_str().unwrap();
    assert!(
        text.starts_with("a (boat:1.2)\nNegative prompt: fog\nSteps: 3, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 5, Seed: 5"),
        "{text}"
    );
    // The file has the same text.
    let (_, read) = post(&server, "/sdapi/v1/png-info", json!({"image": answer["images"][1]})).await;
    assert_eq!(read["info"], text);
    assert_eq!((&read["items"]["parameters"], &read["parameters"]["Seed"]), (&json!(text), &json!("5")));
}

#[actix_web::test]
async fn what_is_left_out_or_asks_for_nothing_is_the_models_choice() {
    let server = start().await;
    let (images, info, _) = made(&server, TXT2IMG, json!({})).await;
    assert_eq!((images.len(), info["sampler_name"].as_str(), info["steps"].as_u64()), (1, Some("DDIM"), Some(25)));
    let nulls = json!({
        "prompt": null, "seed": null, "sampler_name": null, "scheduler": "automatic", "steps": null, "styles": null, "override_settings": null,
        "alwayson_scripts": {}, "script_name": null, "refiner_checkpoint": null, "refiner_switch_at": null, "denoising_strength": null,
        "enable_hr": false, "hr_upscaler": "Latent", "hr_checkpoint_name": null, "width": 70, "height": 79, "save_images": true,
    });
    let answer = Client::new().post(server.url(TXT2IMG)).json(&nulls).send().await.unwrap();
    let remarks = answer.headers()["x-remarks"].to_str().unwrap().to_owned();
    assert!(remarks.contains("width 70 is rounded down to 64") && remarks.contains("save_images has no effect"), "{remarks}");
    assert!(answer.headers()["x-process-time"].to_str().unwrap().parse::<f64>().is_ok());
    let info: Value = serde_json::from_str(answer.json::<Value>().await.unwrap()["info"].as_str().unwrap()).unwrap();
    assert_eq!((&info["width"], &info["height"], &info["remarks"].as_array().unwrap().len()), (&json!(64), &json!(72), &3));
    let (images, _, answer) = made(&server, TXT2IMG, json!({"prompt": "a", "send_images": false})).await;
    assert!(images.is_empty() && answer["info"].as_str().unwrap().contains("infotexts"));
}

#[actix_web::test]
async fn samplers_are_found_by_every_name_and_others_are_404() {
    let server = start().await;
    for (names, line) in [
        (json!({"sampler_name": "DPM++ 2M Karras"}), "Sampler: DPM++ 2M, Schedule type: Karras"),
        (json!({"sampler_index": "Euler a"}), "Sampler: Euler a, CFG"),
        (
            json!({"sampler_name": "DPM++ 2M", "sampler_index": "Euler", "scheduler": "Automatic"}),
            "Sampler: DPM++ 2M, Schedule type: Karras",
        ),
        (json!({"sampler_name": "DPM++ 2M", "scheduler": "uniform"}), "Sampler: DPM++ 2M, CFG"),
        (json!({"scheduler": "exponential"}), "Sampler: Euler, Schedule type: Exponential"),
    ] {
        let mut body = json!({"prompt": "a", "steps": 2});
        body.as_object_mut().unwrap().extend(names.as_object().unwrap().clone());
        let (_, info, _) = made(&server, TXT2IMG, body).await;
        assert!(info["infotexts"][0].as_str().unwrap().contains(line), "{names}: {info}");
    }
    let (status, sentence) = refused(&server, TXT2IMG, json!({"sampler_name": "DPM++ SDE"})).await;
    assert!(status == 404 && sentence.starts_with("Sampler not found: ") && sentence.contains("GET /sdapi/v1/samplers"), "{sentence}");
    for sampler in get(&server, "/sdapi/v1/samplers").await.as_array().unwrap() {
        let (_, info, _) = made(&server, TXT2IMG, json!({"prompt": "a", "steps": 2, "sampler_name": sampler["name"]})).await;
        assert_eq!(info["sampler_name"], sampler["name"]);
    }
    for schedule in get(&server, "/sdapi/v1/schedulers").await.as_array().unwrap() {
        made(&server, TXT2IMG, json!({"steps": 2, "sampler_name": "Euler", "scheduler": schedule["label"]})).await;
    }
}

#[actix_web::test]
async fn what_cannot_be_honoured_is_refused_by_its_name() {
    let server = start().await;
    for (body, expected) in [
        (json!({"steps": 151}), "steps: Input should be less than or equal to 150 (it is 151)"),
        (json!({"width": 32}), "width: Input should be greater than or equal to 64 (it is 32)"),
        (
            json!({"batch_size": 8, "n_iter": 3}),
            "batch_size: batch_size x n_iter is the number of pictures, and a request makes at most 16 (it is 8)",
        ),
        (json!({"restore_faces": true}), "restore_faces: this server restores no faces: send false (it is true)"),
        (json!({"tiling": true, "styles": ["ink"]}), "tiling: this server makes no pictures that tile: send false (it is true)"),
        (json!({"script_name": "x/y/z plot", "script_args": [1]}), "script_name: this server runs no scripts"),
        (
            json!({"alwayson_scripts": {"ADetailer": {"args": [true, {"ad_model": "face"}]}}}),
            "alwayson_scripts.ADetailer: this server has no such extension",
        ),
        (
            json!({"override_settings": {"randn_source": "GPU"}}),
            "override_settings.randn_source: this server has no value for it but \"CPU\"",
        ),
        (
            json!({"override_settings": {"CLIP_stop_at_last_layers": 99}}),
            "override_settings.CLIP_stop_at_last_layers: Input should be from 1 to 13",
        ),
        (json!({"enable_hr": true, "hr_upscaler": "R-ESRGAN 4x+"}), "hr_upscaler: there is no upscaler \"R-ESRGAN 4x+\""),
        (json!({"enable_hr": true, "hr_scale": 9}), "hr_scale: Input should be less than or equal to 4"),
        (json!({"enable_hr": true, "denoising_strength": 0}), "denoising_strength: it repaints nothing"),
        (json!({"enable_hr": true, "width": 2048, "height": 64}), "hr_scale: Input should be less than or equal to 2048"),
        (json!({"prompt": "refuse"}), "steps: not with this scheduler"),
    ] {
        let (status, sentence) = refused(&server, TXT2IMG, body.clone()).await;
        assert!(status == 422 && sentence.contains(expected), "{body}: {status} {sentence}");
    }
    let (status, sentence) = refused(&server, TXT2IMG, json!({"override_settings": {"sd_model_checkpoint": "sdxl"}})).await;
    assert!(status == 404 && sentence.contains("\"sdxl\"") && sentence.contains("local"), "{sentence}");
    let (status, sentence) = refused(&server, "/sdapi/v1/interrogate", json!({"image": ""})).await;
    assert!(status == 404 && sentence.contains("interrogate"), "{sentence}");
    let (status, answer) = post(&server, "/sdapi/v1/txt2img/", json!({})).await;
    assert_eq!((status, &answer["detail"]), (404, &json!("Not Found")));
    let (_, info, _) = made(&server, TXT2IMG, json!({"override_settings": {"forge_preset": "sd", "x": null}})).await;
    assert_eq!(info["ignored_fields"], json!([{"field": "override_settings.forge_preset", "did_you_mean": null}]));
}

#[actix_web::test]
async fn options_are_set_overridden_and_kept() {
    let server = start().await;
    let options = get(&server, "/sdapi/v1/options").await;
    assert_eq!((&options["sd_model_checkpoint"], &options["samples_format"]), (&json!("local"), &json!("png")));
    assert_eq!((&options["CLIP_stop_at_last_layers"], &options["sd_vae"]), (&json!(1), &json!("Automatic")));
    assert!(options.get("forge_preset").is_none(), "SillyTavern would take the server for Forge");
    // As Open WebUI switches the model: the whole object posted back.
    let mut all = options.clone();
    all["CLIP_stop_at_last_layers"] = json!(2);
    all["unknown_here"] = json!({"a": 1});
    let answer = Client::new().post(server.url("/sdapi/v1/options")).json(&all).send().await.unwrap();
    assert_eq!(answer.headers()["x-ignored-fields"], "unknown_here");
    assert_eq!(answer.json::<Value>().await.unwrap(), Value::Null);
    let clip_skip = async |body: Value| made(&server, TXT2IMG, body).await.1["clip_skip"].clone();
    assert_eq!(clip_skip(json!({})).await, 2);
    assert_eq!(clip_skip(json!({"clip_skip": 3})).await, 2, "an option comes before the field");
    assert_eq!(clip_skip(json!({"override_settings": {"CLIP_stop_at_last_layers": 4}})).await, 4);
    assert_eq!(clip_skip(json!({})).await, 2, "it ended with its request");
    let keeps = json!({"override_settings": {"CLIP_stop_at_last_layers": 4}, "override_settings_restore_afterwards": false});
    assert_eq!((clip_skip(keeps).await, clip_skip(json!({})).await), (json!(4), json!(4)));
    let (status, _) = post(&server, "/sdapi/v1/options", json!({"samples_format": "jpg", "jpeg_quality": 50})).await;
    assert_eq!(status, 200);
    let (_, _, answer) = made(&server, TXT2IMG, json!({"prompt": "a"})).await;
    let file = BASE64_STANDARD.decode(answer["images"][0].as_str().unwrap()).unwrap();
    assert_eq!(image::guess_format(&file).unwrap(), ImageFormat::Jpeg);
    for (options, status, expected) in [
        (json!({"samples_format": "gif"}), 422, "samples_format: Input should be 'png', 'jpg' or 'webp'"),
        (json!({"sd_vae": "mse"}), 422, "sd_vae: there is no such autoencoder here"),
        (json!({"sd_model_checkpoint": "sdxl [0123abcd]"}), 404, "\"sdxl [0123abcd]\""),
    ] {
        let (found, sentence) = refused(&server, "/sdapi/v1/options", options).await;
        assert!(found == status && sentence.contains(expected), "{sentence}");
    }
    for title in ["local", "local.safetensors", "local.safetensors [0123abcd]"] {
        assert_eq!(post(&server, "/sdapi/v1/options", json!({"sd_model_checkpoint": title})).await, (200, Value::Null));
        assert_eq!(get(&server, "/sdapi/v1/options").await["sd_model_checkpoint"], "local");
    }
}

#[actix_web::test]
async fn options_and_jobs_are_their_callers_own() {
    let access = AccessSettings { keys: keys(), ..AccessSettings::default() };
    let server = Running::with_settings(ServerSettings { access, ..ServerSettings::default() }, engine(4).await).await;
    let basic = |key: &'static str| move |request: RequestBuilder| request.basic_auth("user", Some(key));
    let (alice, bob) = (basic(ALICES_KEY), basic(BOBS_KEY));
    let options = json!({"CLIP_stop_at_last_layers": 2});
    let set = alice(Client::new().post(server.url("/sdapi/v1/options")).json(&options)).send().await.unwrap();
    assert_eq!(set.status().as_u16(), 200);
    let clients: [(&dyn Fn(RequestBuilder) -> RequestBuilder, u32); 2] = [(&alice, 2), (&bob, 1)];
    for (client, value) in clients {
        let request = client(Client::new().get(server.url("/sdapi/v1/options")));
        assert_eq!(request.send().await.unwrap().json::<Value>().await.unwrap()["CLIP_stop_at_last_layers"], value);
    }
    let running = tokio::spawn(alice(Client::new().post(server.url(TXT2IMG)).json(&json!({"prompt": "slow"}))).send());
    let count = async |client: &dyn Fn(RequestBuilder) -> RequestBuilder| {
        let answer = client(Client::new().get(server.url("/sdapi/v1/progress"))).send().await.unwrap();
        answer.json::<Value>().await.unwrap()["state"]["job_count"].clone()
    };
    let deadline = Instant::now() + PATIENCE;
    while count(&alice).await != 1 {
        assert!(Instant::now() < deadline);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(count(&bob).await, 0);
    bob(Client::new().post(server.url("/sdapi/v1/interrupt"))).send().await.unwrap();
    assert_eq!(count(&alice).await, 1, "another caller's job is not theirs to end");
    alice(Client::new().post(server.url("/sdapi/v1/interrupt"))).send().await.unwrap();
    assert_eq!(running.await.unwrap().unwrap().status().as_u16(), 410);
    let unknown = Client::new().get(server.url("/sdapi/v1/options")).header("authorization", "").send().await.unwrap();
    assert_eq!(unknown.status().as_u16(), 401);
    assert_eq!(unknown.json::<Value>().await.unwrap()["error"], "unauthorized");
}

#[actix_web::test]
async fn an_empty_authorization_is_none() {
    let server = start().await;
    for value in ["", "Basic ", "Basic Og=="] {
        let answer = Client::new().get(server.url("/sdapi/v1/options")).header("authorization", value).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 200, "{value:?}");
    }
}

async fn progress_when(server: &Running, is_so: impl Fn(&Value) -> bool) -> Value {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let progress = get(server, "/sdapi/v1/progress").await;
        if is_so(&progress) {
            return progress;
        }
        assert!(Instant::now() < deadline, "{progress}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn slow(server: &Running, body: Value) -> tokio::task::JoinHandle<reqwest::Result<reqwest::Response>> {
    tokio::spawn(Client::new().post(server.url(TXT2IMG)).json(&body).send())
}

#[actix_web::test]
async fn progress_shows_the_running_job_with_a_picture() {
    let server = start().await;
    let idle = get(&server, "/sdapi/v1/progress").await;
    assert_eq!((&idle["progress"], &idle["state"]["job_count"], &idle["current_image"]), (&json!(0.0), &json!(0), &Value::Null));
    let running = slow(&server, json!({"prompt": "slow", "n_iter": 3}));
    let shown = progress_when(&server, |progress| progress["current_image"].is_string()).await;
    let preview = image::load_from_memory(&BASE64_STANDARD.decode(shown["current_image"].as_str().unwrap()).unwrap()).unwrap();
    assert_eq!((preview.width(), preview.height()), (8, 8));
    assert_eq!((&shown["state"]["job_count"], &shown["state"]["job"]), (&json!(3), &json!("Batch 1 out of 3")));
    assert!(shown["progress"].as_f64().unwrap() > 0.0 && shown["state"]["sampling_step"].as_u64().unwrap() > 0);
    assert_eq!(get(&server, "/sdapi/v1/progress?skip_current_image=true").await["current_image"], Value::Null);
    let (status, answer) = post(&server, "/sdapi/v1/interrupt", json!({})).await;
    assert_eq!((status, answer), (200, json!({})));
    let ended = running.await.unwrap().unwrap();
    assert_eq!(ended.status().as_u16(), 410);
    assert_eq!(ended.json::<Value>().await.unwrap()["detail"], "Interrupted before the first picture was finished");
    let after = get(&server, "/sdapi/v1/progress").await;
    assert_eq!((&after["progress"], &after["state"]["job_count"]), (&json!(0.0), &json!(0)), "as SillyTavern waits for it");
    assert_eq!(post(&server, "/sdapi/v1/interrupt", json!({})).await, (200, json!({})), "without a job");
    assert_eq!(post(&server, "/sdapi/v1/skip", json!({})).await, (200, Value::Null));
}

#[actix_web::test]
async fn an_interrupted_request_has_the_pictures_that_are_finished() {
    let server = start().await;
    let running = slow(&server, json!({"prompt": "unhurried", "steps": 150, "n_iter": 4, "seed": 8}));
    progress_when(&server, |progress| progress["state"]["job_no"] == 1).await;
    post(&server, "/sdapi/v1/interrupt", json!({})).await;
    let answer = running.await.unwrap().unwrap();
    assert_eq!(answer.status().as_u16(), 200);
    let answer: Value = answer.json().await.unwrap();
    let info: Value = serde_json::from_str(answer["info"].as_str().unwrap()).unwrap();
    // How many are finished by then depends on the machine.
    let count = answer["images"].as_array().unwrap().len();
    let seeds: Vec<usize> = (8..8 + count).collect();
    assert!((1..4).contains(&count) && info["all_seeds"] == json!(seeds), "{info}");
}

#[actix_web::test]
async fn a_skipped_picture_is_left_out() {
    let server = start().await;
    let running = slow(&server, json!({"prompt": "unhurried", "steps": 150, "n_iter": 6, "seed": 8}));
    progress_when(&server, |progress| progress["state"]["job_no"] == 1).await;
    post(&server, "/sdapi/v1/skip", json!({})).await;
    assert_eq!(get(&server, "/sdapi/v1/progress").await["state"]["skipped"], true);
    let answer: Value = running.await.unwrap().unwrap().json().await.unwrap();
    let info: Value = serde_json::from_str(answer["info"].as_str().unwrap()).unwrap();
    let seeds: Vec<u64> = info["all_seeds"].as_array().unwrap().iter().map(|seed| seed.as_u64().unwrap()).collect();
    assert!(seeds.len() == 5 && seeds[0] == 8 && seeds.is_sorted() && seeds[4] <= 13, "{seeds:?}");
}

#[actix_web::test]
async fn hanging_up_cancels_the_job() {
    let server = start().await;
    let running = slow(&server, json!({"prompt": "slow"}));
    progress_when(&server, |progress| progress["state"]["job_count"] == 1).await;
    running.abort();
    server.wait_for_jobs(0).await;
    assert_eq!(get(&server, "/sdapi/v1/progress").await["state"]["job_count"], 0);
}

#[actix_web::test]
async fn lists_say_what_there_is() {
    let server = start().await;
    let model = get(&server, "/sdapi/v1/sd-models").await;
    let title = json!({"title": "local", "model_name": "local", "hash": null, "sha256": null, "filename": "local", "config": null});
    assert_eq!(model, json!([title]));
    assert_eq!(get(&server, "/sdapi/v1/sd-vae").await, json!([{"model_name": "full", "filename": "full"}]));
    let names = |list: &Value| list.as_array().unwrap().iter().map(|entry| entry["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
    assert_eq!(names(&get(&server, "/sdapi/v1/upscalers").await), ["None", "Lanczos", "Nearest"]);
    let latent = names(&get(&server, "/sdapi/v1/latent-upscale-modes").await);
    assert_eq!((latent.len(), latent[0].as_str()), (6, "Latent"));
    assert_eq!(names(&get(&server, "/sdapi/v1/schedulers").await), ["automatic", "uniform", "karras", "exponential", "beta"]);
    for list in ["loras", "hypernetworks", "prompt-styles", "face-restorers", "realesrgan-models", "script-info", "extensions"] {
        assert_eq!(get(&server, &format!("/sdapi/v1/{list}")).await, json!([]), "{list}");
    }
    assert_eq!(get(&server, "/sdapi/v1/scripts").await, json!({"txt2img": [], "img2img": []}));
    assert_eq!(get(&server, "/sdapi/v1/embeddings").await, json!({"loaded": {}, "skipped": {}}));
    assert_eq!(get(&server, "/sdapi/v1/cmd-flags").await, json!({}));
    assert!(get(&server, "/sdapi/v1/memory").await["ram"].is_object());
    for path in ["refresh-checkpoints", "refresh-vae", "refresh-loras", "refresh-embeddings"] {
        assert_eq!(post(&server, &format!("/sdapi/v1/{path}"), Value::Null).await, (200, Value::Null), "{path}");
    }
    for path in ["unload-checkpoint", "reload-checkpoint"] {
        assert_eq!(post(&server, &format!("/sdapi/v1/{path}"), Value::Null).await, (200, json!({})), "{path}");
    }
}
