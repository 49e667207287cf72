//! `GET /api/v1/machine`, and what `GET /models` says beside the models.

use reqwest::Method;
use serde_json::{Value, json};
use server::{MachineProbe, ServerSettings, access::AccessSettings};

use crate::{
    attacks::{ALICES_KEY, BOBS_KEY, keys},
    fake::{Running, engine},
    task_client::{settings, start},
};

async fn of(server: &Running, key: &str) -> Value {
    let answer = reqwest::Client::new().get(server.url("/api/v1/machine")).bearer_auth(key).send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 200);
    answer.json().await.unwrap()
}

#[actix_web::test]
async fn the_machine_is_described_without_folders_and_tasks_of_others() {
    let machine = MachineProbe {
        total_memory: || Some(1 << 35),
        available_memory: || Some(1 << 34),
        free_disk: |folder| folder.is_absolute().then_some(1 << 40),
        threads: || Some(3),
    };
    let access = AccessSettings { keys: keys(), ..AccessSettings::default() };
    let server =
        Running::with_settings(ServerSettings { access, machine, resident_memory: || Some(1_234_567), ..settings() }, engine(4).await)
            .await;
    let client = reqwest::Client::new();
    let nobody = client.get(server.url("/api/v1/machine")).send().await.unwrap();
    assert_eq!(nobody.status().as_u16(), 401);
    let mut ids = Vec::new();
    for (key, prompt) in [(ALICES_KEY, "a boat"), (ALICES_KEY, "broken"), (BOBS_KEY, "refuse")] {
        let body = json!({"prompt": prompt, "width": 64, "height": 64});
        let post = client.post(server.url("/api/v1/images/generate")).bearer_auth(key).header("prefer", "respond-async").json(&body);
        let answer: Value = post.send().await.unwrap().json().await.unwrap();
        let id = answer["task_id"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned();
        server.jobs.finished(if key == ALICES_KEY { "alice" } else { "bob" }, &id).await.unwrap();
        ids.push(id);
    }
    let machine = of(&server, ALICES_KEY).await;
    let expected = json!({
        "version": env!("CARGO_PKG_VERSION"), "device": "cpu", "cpu_threads": 3,
        "queue": {"waiting": 0, "running": 0, "capacity": 4}
    });
    for (key, value) in expected.as_object().unwrap() {
        assert_eq!(&machine[key], value, "{key}: {machine}");
    }
    let memory = &machine["memory"];
    assert_eq!((&memory["total_bytes"], &memory["available_bytes"]), (&json!(1_u64 << 35), &json!(1_u64 << 34)), "{memory}");
    assert_eq!((&memory["resident_bytes"], &memory["limit_bytes"]), (&json!(1_234_567), &Value::Null), "{memory}");
    assert!(memory["models_bytes"].is_u64() && machine["uptime_seconds"].is_u64(), "{machine}");
    assert!(machine["device_reason"].is_string() && machine["precision"].is_string(), "{machine}");
    let store = &machine["store"];
    assert_eq!((&store["jobs"], &store["kept_files"]), (&json!({"completed": 1, "failed": 2}), &json!(1)), "{store}");
    assert!(store["kept_bytes"].as_u64().unwrap() > 0 && store["folder_free_bytes"] == json!(1_u64 << 40), "{store}");
    let errors = machine["errors"].as_array().unwrap();
    assert_eq!(errors.len(), 1, "{machine}");
    assert_eq!((&errors[0]["task_id"], &errors[0]["kind"], &errors[0]["code"]), (&json!(ids[1]), &json!("image"), &json!("model")));
    assert!(errors[0]["message"].as_str().unwrap().contains("broken as told") && errors[0]["at"].is_string(), "{machine}");
    assert!(!machine.to_string().contains(std::env::temp_dir().to_str().unwrap()), "{machine}");
    let of_bob = of(&server, BOBS_KEY).await;
    assert_eq!(of_bob["errors"].as_array().unwrap().iter().map(|error| error["task_id"].clone()).collect::<Vec<_>>(), [json!(ids[2])]);
    for speed in machine["speed"].as_array().unwrap() {
        assert!(speed["seconds_per_step"].is_f64() && speed["model"].is_string(), "{speed}");
    }
}

#[actix_web::test]
async fn only_the_last_failures_are_listed() {
    let server = start().await;
    let mut ids = Vec::new();
    for _ in 0..21 {
        let (status, _) = server.ask(Method::POST, "/api/v1/images/generate", Some(json!({"prompt": "broken"}))).await;
        assert_eq!(status.as_u16(), 500);
        let (_, list) = server.ask(Method::GET, "/api/v1/tasks?limit=1", None).await;
        ids.push(list[0]["task_id"].clone());
    }
    let (_, machine) = server.ask(Method::GET, "/api/v1/machine", None).await;
    let listed: Vec<Value> = machine["errors"].as_array().unwrap().iter().map(|error| error["task_id"].clone()).collect();
    ids.reverse();
    assert_eq!(listed, ids[..20]);
    // This server asks no system.
    assert_eq!((&machine["memory"]["total_bytes"], &machine["store"]["folder_free_bytes"]), (&Value::Null, &Value::Null), "{machine}");
}

#[actix_web::test]
async fn models_have_kinds_and_schedulers() {
    let server = start().await;
    let (status, models) = server.ask(Method::GET, "/models", None).await;
    assert_eq!(status.as_u16(), 200);
    let model = &models["models"][0];
    assert_eq!((&model["kind"], &model["family"]), (&json!("image"), &Value::Null), "{model}");
    let schedulers: Vec<&str> = model["schedulers"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    assert_eq!(schedulers[0], "ddim", "its own is first");
    assert!(schedulers.contains(&"dpmpp-2m-karras") && schedulers.iter().filter(|name| **name == "ddim").count() == 1, "{schedulers:?}");
    // The fake model has no files of a motion model, and there is no folder of upscalers.
    assert_eq!((&models["motion"], &models["upscalers"]), (&Value::Null, &json!([])), "{models}");
}
