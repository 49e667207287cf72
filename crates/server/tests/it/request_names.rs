//! The names under which clients send fields: other programs' names, misspelt ones, and values with aliases.

use actix_web::http::StatusCode;
use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Value, json};

use crate::{
    fake::{Answer, ask, post_to},
    task_client::png,
};

async fn send(path: &str, body: &Value) -> Answer {
    ask(post_to(path, body.to_string())).await
}

/// One quick, valid body for every shape of every route with a body.
fn bodies() -> Vec<(&'static str, Value)> {
    let image = BASE64_STANDARD.encode(png());
    vec![
        ("/generate", json!({"prompt": "a boat", "return_base64": true})),
        ("/generate-video/info", json!({"scenes": ["a boat"]})),
        ("/generate-video", json!({"scenes": ["a boat", "a fox"], "duration_per_scene": 0.2, "width": 64, "height": 64})),
        ("/generate-video", json!({"text": "a boat"})),
        ("/generate-video", json!({"characterImageUrl": format!("data:image/png;base64,{image}"), "script": "a boat", "duration": 1})),
        ("/animate", json!({"image": image})),
        ("/api/v1/videos/generate", json!({"image": image, "duration": 1, "resolution": "64x48"})),
        ("/api/v1/images/generate", json!({"prompt": "a boat", "width": 64, "height": 64})),
        ("/api/v1/images/generate-i2i", json!({"prompt": "a boat", "image": image, "width": 64, "height": 64})),
    ]
}

fn with(body: &Value, more: Value) -> Value {
    let mut body = body.clone();
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

#[actix_web::test]
async fn other_programs_field_names_work() {
    // As clients of AUTOMATIC1111, OpenAI and JavaScript send them.
    let parameters = |answer: Answer| answer.json()["parameters"].as_str().unwrap().to_owned();
    for (names, part) in [
        (
            json!({"steps": 5, "cfg_scale": 3.5, "sampler_name": "DPM++ 2M", "scheduler": "Karras"}),
            "Steps: 5, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 3.5",
        ),
        (json!({"num_steps": 6, "cfg": 2, "sampler": "euler_a"}), "Steps: 6, Sampler: Euler a, CFG scale: 2"),
        (json!({"numInferenceSteps": 7, "guidanceScale": 1, "scheduler": "UniPC"}), "Steps: 7, Sampler: UniPC, CFG scale: 1"),
        (
            json!({"negative": "a fox", "size": "128x64", "n": 1, "seed": 9}),
            "Negative prompt: a fox\nSteps: 25, Sampler: DDIM, CFG scale: 7.5, Seed: 9, Size: 128x64",
        ),
    ] {
        let body = with(&json!({"prompt": "a boat", "return_base64": true}), names);
        let answer = send("/generate", &body).await;
        assert_eq!((answer.status, answer.header("x-ignored-fields")), (StatusCode::OK, None), "{body}: {}", answer.text());
        let parameters = parameters(answer);
        assert!(parameters.contains(part), "{body}: {parameters}");
    }
    let body =
        json!({"prompt": "a boat", "num_inference_steps": 4, "guidance_scale": 2, "sampler_index": "Heun", "width": 64, "height": 64});
    let parameters = parameters(send("/api/v1/images/generate", &body).await);
    assert!(parameters.contains("Steps: 4, Sampler: Heun, CFG scale: 2"), "{parameters}");
    let body = json!({"scenes": ["a", {"text": "b", "seconds": 1}], "steps": 3, "seconds": 2, "frame_rate": 10, "transition": "cut"});
    let info = send("/generate-video/info", &body).await.json();
    assert_eq!((&info["total_frames"], &info["fps"], info.get("ignored_fields")), (&json!(30), &json!(10), None));
}

#[actix_web::test]
async fn unknown_keys_are_reported_on_every_route() {
    for (path, body) in bodies() {
        let body = with(&body, json!({"callback_ur": 1, "Ünknown": 2}));
        let answer = send(path, &body).await;
        assert!(answer.status.is_success(), "{path}: {}", String::from_utf8_lossy(&answer.body));
        let head = answer.header("x-ignored-fields").unwrap_or_else(|| panic!("{path} says nothing of {body}"));
        assert!(head.contains("callback_ur") && head.contains("\"%C3%9Cnknown\""), "{path}: {head}");
        if answer.header("content-type") == Some("application/json") {
            let answer = answer.json();
            let named = answer.get("ignored_fields").or(answer.get("ignoredFields")).unwrap_or_else(|| panic!("{path}: {answer}"));
            assert_eq!(
                (&named[0]["field"], &named[1]["field"], named.as_array().unwrap().len()),
                (&json!("callback_ur"), &json!("Ünknown"), 2)
            );
        }
    }
    // The same for a picture's file, for a refusal, and inside scenes and motions.
    let misspelt = json!({"prompt": "a boat", "negative_promt": "a fox"});
    let image = send("/generate", &misspelt).await;
    assert_eq!(
        (image.header("content-type"), image.header("x-ignored-fields")),
        (Some("image/png"), Some("negative_promt;did_you_mean=negative_prompt"))
    );
    let refused = send("/generate", &json!({"promt": "a boat"})).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(refused.header("x-ignored-fields"), Some("promt;did_you_mean=prompt"));
    let inside = json!({"scenes": ["a", {"prompt": "b", "sede": 1, "motion": {"num_frame": 8}}], "motion": {"fps": 7}});
    let named = send("/generate-video/info", &inside).await.json()["ignored_fields"].take();
    let expected = json!([
        {"field": "scenes.1.sede", "did_you_mean": "seed"},
        {"field": "scenes.1.motion.num_frame", "did_you_mean": "num_frames"},
        {"field": "motion.fps", "did_you_mean": null},
    ]);
    assert_eq!(named, expected);
}

#[actix_web::test]
async fn a_replayed_answer_reports_the_same_keys() {
    let body = json!({"image": BASE64_STANDARD.encode(png()), "duration": 1, "resolution": "64x48", "cfg": 3});
    let server = crate::fake::Running::start(4).await;
    let client = reqwest::Client::new();
    let mut answers = Vec::new();
    for _ in 0..2 {
        let request = client.post(server.url("/api/v1/videos/generate")).header("Idempotency-Key", "a").json(&body);
        let answer = request.send().await.unwrap();
        let head = answer.headers()["x-ignored-fields"].to_str().unwrap().to_owned();
        answers.push((head, answer.json::<Value>().await.unwrap()));
    }
    assert_eq!(answers[0], answers[1]);
    assert_eq!((answers[0].0.as_str(), &answers[0].1["ignored_fields"][0]["field"]), ("cfg", &json!("cfg")));
    let id = answers[0].1["task_id"].as_str().unwrap();
    assert_eq!(server.ended(id).await["result"]["result"]["ignored_fields"][0]["field"], "cfg");
}

#[actix_web::test]
async fn two_names_of_one_field_with_two_values_are_refused_by_both_names() {
    for (path, body) in bodies() {
        let (field, key) = if path.contains("/images/") { ("steps", "num_inference_steps") } else { ("num_inference_steps", "steps") };
        let has_steps = !(body.get("text").is_some() || body.get("script").is_some() || path == "/api/v1/videos/generate");
        let (field, key, values) =
            if has_steps { (field, key, (json!(5), json!(6))) } else { ("callback_url", "webhook", (json!("a"), json!("b"))) };
        let answer = send(path, &with(&body, json!({field: values.0, key: values.1}))).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{path}");
        let faults = answer.json()["detail"].take();
        let both = format!("{key} and {field} are names of one field, and their values differ");
        let count = faults.as_array().unwrap().iter().filter(|fault| fault["msg"].as_str().unwrap().contains(&both)).count();
        assert_eq!(count, 1, "{path}: {faults}");
    }
    // The same value twice is not a fault.
    assert_eq!(send("/generate", &json!({"prompt": "a", "steps": 5, "num_inference_steps": 5.0})).await.status, StatusCode::OK);
}

#[actix_web::test]
async fn a_fault_has_the_key_that_was_sent() {
    for (path, body, loc) in [
        ("/generate", json!({"prompt": "a", "steps": 0}), json!(["body", "steps"])),
        ("/generate", json!({"prompt": "a", "cfg": "high"}), json!(["body", "cfg"])),
        ("/generate", json!({"prompt": "a", "sampler_name": "DPM++ 2S a"}), json!(["body", "sampler_name"])),
        ("/generate", json!({"prompt": "a", "num_images": 2}), json!(["body", "num_images"])),
        ("/generate", json!({"text": " "}), json!(["body", "text"])),
        ("/generate-video/info", json!({"scenes": ["a", {"text": ""}]}), json!(["body", "scenes", 1, "text"])),
        ("/generate-video/info", json!({"scenes": ["a"], "motion": {"steps": 0}}), json!(["body", "motion", "steps"])),
        ("/animate", json!({"init_image": "?"}), json!(["body", "init_image"])),
        ("/api/v1/images/generate", json!({"prompt": "a", "num_inference_steps": 0}), json!(["body", "num_inference_steps"])),
        ("/api/v1/images/generate-i2i", json!({"prompt": "a", "image_url": "?"}), json!(["body", "image_url"])),
        ("/api/v1/videos/generate", json!({"image_url": "?"}), json!(["body", "image_url"])),
    ] {
        let answer = send(path, &body).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{path} {body}: {}", answer.text());
        let faults = answer.json()["detail"].take();
        assert_eq!((faults.as_array().unwrap().len(), &faults[0]["loc"]), (1, &loc), "{path} {body}: {faults}");
    }
}

#[actix_web::test]
async fn an_unknown_scheduler_is_answered_with_the_nearest() {
    for (name, nearest) in [("DPM++ 2S a", "dpmpp-2s"), ("eular", "euler"), ("DPM++ SDE Karras", "dpmpp-2m-sde-karras")] {
        let fault = send("/generate", &json!({"prompt": "a", "scheduler": name})).await.json()["detail"][0].take();
        assert_eq!((&fault["type"], &fault["ctx"]["nearest"]), (&json!("enum"), &json!(nearest)), "{fault}");
        assert!(fault["msg"].as_str().unwrap().ends_with(&format!("did you mean '{nearest}'?")), "{fault}");
    }
    let fault = send("/generate-video/info", &json!({"scenes": ["a"], "join": "crosfade"})).await.json()["detail"][0].take();
    assert_eq!(fault["ctx"]["nearest"], "crossfade");
}

#[actix_web::test]
async fn a_seed_of_minus_one_is_drawn_and_reported() {
    for (path, body) in bodies() {
        let mut seeds = Vec::new();
        for _ in 0..2 {
            let answer = send(path, &with(&body, json!({"seed": -1}))).await;
            assert!(answer.status.is_success(), "{path}: {}", String::from_utf8_lossy(&answer.body));
            let in_head = answer.header("x-seed").map(str::to_owned);
            seeds.push(in_head.unwrap_or_else(|| answer.json()["seed"].to_string()));
        }
        if path != "/generate-video/info" {
            assert!(seeds[0] != seeds[1] && seeds.iter().all(|seed| seed.parse::<u32>().is_ok()), "{path}: {seeds:?}");
        }
    }
    let scenes = json!({"scenes": [{"prompt": "a", "seed": -1}, "b"]});
    assert_eq!(send("/generate-video/info", &scenes).await.status, StatusCode::OK);
}

#[actix_web::test]
async fn a_strength_is_the_complement_of_a_reference_weight() {
    let body = json!({"prompt": "a boat", "image": BASE64_STANDARD.encode(png()), "width": 64, "height": 64});
    let strength = async |more: Value| {
        let answer = send("/api/v1/images/generate-i2i", &with(&body, more)).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
        answer.json()["parameters"].as_str().unwrap().split("Denoising strength: ").nth(1).unwrap().split(',').next().unwrap().to_owned()
    };
    assert_eq!(strength(json!({"reference_weight": 0.4})).await, "0.6");
    assert_eq!(strength(json!({"denoising_strength": 0.6})).await, "0.6");
    assert_eq!(strength(json!({"reference_weight": 0.4, "strength": 0.6})).await, "0.6");
    for (wrong, message) in [
        (json!({"reference_weight": 0.4, "strength": 0.5}), "it says the same as reference_weight"),
        (json!({"strength": 1.5}), "a strength is 0 to 1"),
    ] {
        let fault = send("/api/v1/images/generate-i2i", &with(&body, wrong)).await.json()["detail"][0].take();
        assert!(fault["loc"] == json!(["body", "strength"]) && fault["msg"].as_str().unwrap().contains(message), "{fault}");
    }
    let without = send("/api/v1/images/generate", &json!({"prompt": "a", "width": 64, "height": 64, "strength": 0.5})).await;
    assert_eq!(without.header("x-ignored-fields"), Some("strength"));
}

#[actix_web::test]
async fn a_script_that_the_model_cannot_read_gets_a_remark() {
    let remark = "the model does not read the Cyrillic script, so that part of the prompt has little effect: write it in English";
    for (path, body) in [
        ("/generate", json!({"prompt": "красный круг", "return_base64": true})),
        ("/generate-video", json!({"scenes": ["a boat", "красный круг"], "duration_per_scene": 0.2, "width": 64, "height": 64})),
        ("/generate-video", json!({"text": "красный круг"})),
        ("/api/v1/images/generate", json!({"prompt": "a boat", "negative_prompt": "красный круг", "width": 64, "height": 64})),
    ] {
        let answer = send(path, &body).await;
        assert_eq!((answer.status, answer.header("x-remarks")), (StatusCode::OK, Some(remark)), "{path}");
        if answer.header("content-type") == Some("application/json") {
            assert_eq!(answer.json()["remarks"], json!([remark]), "{path}");
        }
    }
    for prompt in ["café in Österreich, Đêm", "🦊🌙", "a fox, 5 €"] {
        assert_eq!(send("/generate", &json!({"prompt": prompt})).await.header("x-remarks"), None, "{prompt}");
    }
}

/// Remarks that only a run finds.
#[actix_web::test]
async fn remarks_of_a_run_are_in_its_answer() {
    let remark = "adapter ink: 2 keys fit no layer";
    for (path, body) in [
        ("/generate", json!({"prompt": "remark"})),
        ("/generate", json!({"prompt": "remark", "return_base64": true})),
        ("/api/v1/images/generate", json!({"prompt": "remark", "width": 64, "height": 64})),
    ] {
        let answer = send(path, &body).await;
        assert_eq!((answer.status, answer.header("x-remarks")), (StatusCode::OK, Some(remark)), "{path}");
        if answer.header("content-type") == Some("application/json") {
            assert_eq!(answer.json()["remarks"], json!([remark]), "{path}");
        }
    }
}

#[actix_web::test]
async fn eta_is_a_field_of_every_body_of_an_image() {
    let remark = "eta has no effect with the scheduler euler; the schedulers that take it are ddim, euler-ancestral, tcd";
    let images = bodies().into_iter().filter(|(path, _)| *path == "/generate" || path.contains("/images/"));
    let mut tried = 0;
    for (path, body) in images {
        let answer = send(path, &with(&body, json!({"eta": 0.5, "scheduler": "ddim"}))).await;
        assert_eq!((answer.status, answer.header("x-remarks")), (StatusCode::OK, None), "{path}: {}", answer.text());
        let parameters = answer.json()["parameters"].as_str().unwrap().to_owned();
        assert!(parameters.contains(", Eta DDIM: 0.5,"), "{path}: {parameters}");
        let idle = send(path, &with(&body, json!({"eta": 0.5, "scheduler": "euler"}))).await;
        assert_eq!(
            (idle.status, idle.header("x-remarks"), idle.json()["remarks"].take()),
            (StatusCode::OK, Some(remark), json!([remark])),
            "{path}"
        );
        for (eta, kind) in [(json!(1.5), "less_than_equal"), (json!(-0.1), "greater_than_equal"), (json!("much"), "float_parsing")] {
            let fault = send(path, &with(&body, json!({"eta": eta}))).await.json()["detail"][0].take();
            assert_eq!((&fault["type"], &fault["loc"]), (&json!(kind), &json!(["body", "eta"])), "{path} {eta}: {fault}");
        }
        tried += 1;
    }
    assert_eq!(tried, 3);
}
