//! The requests of AUTOMATIC1111's real clients as they are on the wire: Open WebUI, SillyTavern, webuiapi.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use reqwest::{Client, Method};
use serde_json::{Value, json};

use crate::{
    a1111::made,
    fake::Running,
    task_client::{png, start},
};

async fn answer(server: &Running, method: Method, path: &str, body: Option<&Value>) -> Value {
    let mut request = Client::new().request(method, server.url(path));
    // SillyTavern sends it without a password, Open WebUI empty.
    request = request.header("authorization", if path.ends_with("options") { "" } else { "Basic Og==" });
    if let Some(body) = body {
        request = request.json(body);
    }
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 200, "{path}");
    answer.json().await.unwrap()
}

#[actix_web::test]
async fn open_webui_verifies_lists_switches_and_generates() {
    let server = start().await;
    let mut options = answer(&server, Method::GET, "/sdapi/v1/options", None).await;
    let models = answer(&server, Method::GET, "/sdapi/v1/sd-models", None).await;
    let (title, name) = (models[0]["title"].as_str().unwrap(), models[0]["model_name"].as_str().unwrap());
    assert_eq!((title, name), (options["sd_model_checkpoint"].as_str().unwrap(), "local"));
    options["sd_model_checkpoint"] = json!(title);
    assert_eq!(answer(&server, Method::POST, "/sdapi/v1/options", Some(&options)).await, Value::Null);
    let body = json!({"prompt": "a boat", "batch_size": 1, "width": 512, "height": 512, "steps": 4, "negative_prompt": "fog"});
    let (images, info, _) = made(&server, "/sdapi/v1/txt2img", body).await;
    assert_eq!((images[0].width(), info["steps"].as_u64()), (512, Some(4)));
}

#[actix_web::test]
async fn sillytavern_pings_lists_sets_the_model_and_generates() {
    let server = start().await;
    for (list, key) in [
        ("upscalers", "name"),
        ("latent-upscale-modes", "name"),
        ("samplers", "name"),
        ("schedulers", "name"),
        ("sd-models", "title"),
        ("sd-vae", "model_name"),
    ] {
        let entries = answer(&server, Method::GET, &format!("/sdapi/v1/{list}"), None).await;
        assert!(entries.as_array().unwrap().iter().all(|entry| entry[key].is_string()), "{list}: {entries}");
    }
    answer(&server, Method::POST, "/sdapi/v1/options", Some(&json!({"sd_model_checkpoint": "local"}))).await;
    let progress = answer(&server, Method::GET, "/sdapi/v1/progress", None).await;
    assert!(progress["progress"] == 0.0 && progress["state"]["job_count"] == 0, "{progress}");
    let body = json!({
        "url": "http://127.0.0.1:7860", "auth": "me:secret-of-sillytavern", "prompt": "best quality, a boat", "negative_prompt": "low quality",
        "sampler_name": "DPM++ 2M", "scheduler": "karras", "steps": 4, "cfg_scale": 7, "width": 64, "height": 64, "restore_faces": false,
        "enable_hr": true, "hr_upscaler": "Latent", "hr_scale": 1.5, "hr_additional_modules": [], "denoising_strength": 0.7,
        "hr_second_pass_steps": 0, "seed": 5, "override_settings": {"CLIP_stop_at_last_layers": 1, "sd_vae": "full", "forge_additional_modules": []},
        "override_settings_restore_afterwards": true, "clip_skip": 1, "save_images": true, "send_images": true, "do_not_save_grid": false,
        "do_not_save_samples": false,
    });
    let (images, info, whole) = made(&server, "/sdapi/v1/txt2img", body.clone()).await;
    assert_eq!((images[0].width(), images[0].height()), (96, 96));
    assert_eq!(info["ignored_fields"], json!([]));
    assert!(!whole.to_string().contains("secret-of-sillytavern") && whole["parameters"].get("url").is_none(), "{whole}");
    let mut detailed = body;
    detailed["alwayson_scripts"] = json!({"ADetailer": {"args": [{"ad_model": "face_yolov8n.pt"}]}});
    let (status, refused) = server.ask(Method::POST, "/sdapi/v1/txt2img", Some(detailed)).await;
    assert!(status.as_u16() == 422 && refused["detail"].as_str().unwrap().contains("alwayson_scripts.ADetailer"), "{refused}");
}

/// webuiapi 0.9.17 sends every field, whatever its caller chose.
fn of_webuiapi() -> Value {
    json!({
        "prompt": "a boat", "styles": [], "seed": -1, "subseed": -1, "subseed_strength": 0.0, "seed_resize_from_h": 0, "seed_resize_from_w": 0,
        "batch_size": 1, "n_iter": 1, "steps": 20, "cfg_scale": 7.0, "width": 512, "height": 512, "restore_faces": false, "tiling": false,
        "do_not_save_samples": false, "do_not_save_grid": false, "negative_prompt": "", "eta": 1.0, "s_churn": 0, "s_tmax": 0, "s_tmin": 0,
        "s_noise": 1, "override_settings": {}, "override_settings_restore_afterwards": true, "sampler_name": "Euler a",
        "scheduler": "automatic", "sampler_index": "Euler a", "script_name": null, "script_args": [], "send_images": true, "save_images": false,
        "alwayson_scripts": {},
    })
}

#[actix_web::test]
async fn webuiapi_sends_every_field() {
    let server = start().await;
    let mut body = of_webuiapi();
    body.as_object_mut().unwrap().extend(
        json!({
            "enable_hr": false, "hr_scale": 2, "hr_upscaler": "Latent", "hr_second_pass_steps": 0, "hr_resize_x": 0, "hr_resize_y": 0,
            "hr_checkpoint_name": null, "hr_sampler_name": null, "hr_scheduler": null, "hr_prompt": "", "hr_negative_prompt": "",
            "denoising_strength": 0.7, "firstphase_width": 0, "firstphase_height": 0,
        })
        .as_object()
        .unwrap()
        .clone(),
    );
    assert_eq!(body.as_object().unwrap().len(), 47);
    let (images, info, _) = made(&server, "/sdapi/v1/txt2img", body).await;
    assert_eq!((images[0].width(), &info["sampler_name"], &info["ignored_fields"]), (512, &json!("Euler a"), &json!([])));
    let mut body = of_webuiapi();
    body.as_object_mut().unwrap().extend(
        json!({
            "init_images": [format!("data:image/png;base64,{}", BASE64_STANDARD.encode(png()))], "resize_mode": 0, "denoising_strength": 0.75,
            "mask_blur": 4, "inpainting_fill": 0, "inpaint_full_res": true, "inpaint_full_res_padding": 0, "inpainting_mask_invert": 0,
            "initial_noise_multiplier": 1, "image_cfg_scale": 1.5, "include_init_images": false,
        })
        .as_object()
        .unwrap()
        .clone(),
    );
    let (images, info, _) = made(&server, "/sdapi/v1/img2img", body).await;
    assert_eq!((images[0].width(), &info["denoising_strength"], &info["ignored_fields"]), (512, &json!(0.75), &json!([])));
}
