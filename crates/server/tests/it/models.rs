//! `/models`, and `model` in the bodies of every API.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use diffusion_core::{
    Error,
    adapters::{AdapterFolder, ControlNetFolder},
    pipelines::nano_sd,
    weights::{Component, TensorShape},
};
use generation::{LoadWatch, LoadedModel, LocalBackend, LocalSettings, ModelDefaults, ModelInfo, ModelSetup, OpenModel, PoolSettings};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use server::{ServerSettings, Services};

use crate::{
    fake::{Engine, PATIENCE, Running, ask_engine, model, post},
    task_client::{clip, settings},
};

fn setup(name: &str, before: impl Fn(&LoadWatch) -> diffusion_core::Result<()> + Send + Sync + 'static) -> ModelSetup {
    let before = Arc::new(before);
    ModelSetup::new(name, move || {
        let before = Arc::clone(&before);
        let LoadedModel { info, memory, .. } = model();
        let load = move |watch: &LoadWatch| {
            before(watch)?;
            Ok(model())
        };
        Ok(OpenModel::new(load).with_facts(info, memory))
    })
}

/// A server with the models "own", "turbo", whose load waits for the flag, and "broken".
async fn server(may_load: &Arc<AtomicBool>) -> Running {
    let may = Arc::clone(may_load);
    let waits = move |watch: &LoadWatch| {
        while !may.load(Ordering::Relaxed) {
            if watch.is_cancelled() {
                return Err(Error::Cancelled);
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    };
    let broken = |_: &LoadWatch| Err(Error::file("/srv/models/broken/unet/config.json", "truncated"));
    server_of(vec![setup("turbo", waits), setup("broken", broken)]).await
}

/// A server with the models "own" and these.
async fn server_of(others: Vec<ModelSetup>) -> Running {
    let (local_models, pool_models) = (vec!["own".into()], others.iter().map(|model| model.name().to_owned()).collect());
    let models = std::iter::once(setup("own", |_| Ok(()))).chain(others).collect();
    let local = LocalBackend::start_pool(LocalSettings::new(Instant::now), models, PoolSettings::default()).unwrap();
    local.loaded().await.unwrap();
    let services = Services { local_models, pool_models, ..Services::default() };
    Running::with_settings(ServerSettings { services, ..settings() }, Engine { local, places: 8 }).await
}

async fn model_of(server: &Running, name: &str) -> Value {
    let (status, listed) = server.ask(Method::GET, "/models", None).await;
    assert_eq!(status, StatusCode::OK, "{listed}");
    listed["models"].as_array().unwrap().iter().find(|model| model["name"] == name).unwrap().clone()
}

async fn until(server: &Running, name: &str, state: &str) -> Value {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let model = model_of(server, name).await;
        if model["state"] == state {
            return model;
        }
        assert!(Instant::now() < deadline, "{model}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

#[actix_web::test]
async fn models_are_listed_loaded_and_unloaded() {
    let may_load = Arc::new(AtomicBool::new(false));
    let server = server(&may_load).await;
    let own = model_of(&server, "own").await;
    assert_eq!((&own["default"], &own["state"], &own["loads"]), (&json!(true), &json!("ready"), &json!(1)));
    assert_eq!(model_of(&server, "turbo").await["state"], "unloaded");
    let (status, answer) = server.ask(Method::POST, "/models/turbo/load", None).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{answer}");
    assert_eq!(until(&server, "turbo", "loading").await["progress"], 0);
    // Unloading stops a load in progress.
    let (status, _) = server.ask(Method::POST, "/models/turbo/unload", None).await;
    assert_eq!(status, StatusCode::ACCEPTED);
    until(&server, "turbo", "unloaded").await;
    may_load.store(true, Ordering::Relaxed);
    server.ask(Method::POST, "/models/turbo/load", None).await;
    until(&server, "turbo", "ready").await;
    server.ask(Method::POST, "/models/turbo/unload", None).await;
    until(&server, "turbo", "unloaded").await;
    for path in ["/models/none/load", "/models/none/unload"] {
        let (status, answer) = server.ask(Method::POST, path, None).await;
        assert_eq!(status, StatusCode::NOT_FOUND);
        assert_eq!(answer, json!({"detail": "no model \"none\" is set up; there are own, turbo, broken"}));
    }
}

/// One model is loaded at a time, as far as its tensors are read; the next one waits for it.
#[actix_web::test]
async fn models_show_how_far_they_are_and_which_of_them_wait() {
    let may_load = Arc::new(AtomicBool::new(false));
    let may = Arc::clone(&may_load);
    let half = move |watch: &LoadWatch| {
        let source = watch.watched(Box::new(nano_sd()));
        let tensors = source.tensors(Component::Unet)?;
        for name in tensors.names() {
            if let Some(TensorShape::Known(shape)) = tensors.shape(&name) {
                tensors.read(&name, &shape)?;
            }
        }
        while !may.load(Ordering::Relaxed) && !watch.is_cancelled() {
            std::thread::sleep(Duration::from_millis(1));
        }
        if watch.is_cancelled() { Err(Error::Cancelled) } else { Ok(()) }
    };
    let server = server_of(vec![setup("turbo", half), setup("other", |_| Ok(()))]).await;
    for name in ["turbo", "other"] {
        // Loads are begun in the order in which they were asked for once the files are open.
        server.jobs.local().opened_model(Some(name)).await.unwrap();
        let (status, answer) = server.ask(Method::POST, &format!("/models/{name}/load"), None).await;
        assert_eq!(status, StatusCode::ACCEPTED, "{answer}");
    }
    let deadline = Instant::now() + PATIENCE;
    let progress = loop {
        let progress = until(&server, "turbo", "loading").await["progress"].as_u64().unwrap();
        // Most of it, and not all, is the noise predictor.
        if progress > 50 {
            break progress;
        }
        assert!(Instant::now() < deadline, "{progress} %");
    };
    assert!(progress < 100, "{progress} %");
    assert_eq!(model_of(&server, "other").await["state"], "queued");
    may_load.store(true, Ordering::Relaxed);
    for name in ["turbo", "other"] {
        let model = until(&server, name, "ready").await;
        assert_eq!((model.get("progress"), &model["loads"]), (None, &json!(1)), "{model}");
    }
}

#[actix_web::test]
async fn a_task_is_cancelled_while_its_model_is_being_loaded() {
    let server = server(&Arc::new(AtomicBool::new(false))).await;
    let (_, taken) = server.ask(Method::POST, "/api/v1/videos/generate", Some(clip(json!({"model": "turbo"})))).await;
    let path = format!("/api/v1/tasks/{}", taken["task_id"].as_str().unwrap());
    until(&server, "turbo", "loading").await;
    let (status, answer) = server.ask(Method::DELETE, &path, None).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    let (_, task) = server.ask(Method::GET, &path, None).await;
    assert_eq!(task["status"], "cancelled", "{task}");
    // The load goes on, and the others serve meanwhile.
    let body = json!({"prompt": "a boat", "model": "own", "return_base64": true, "num_inference_steps": 2});
    let (status, answer) = server.ask(Method::POST, "/generate", Some(body)).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    assert_eq!(model_of(&server, "turbo").await["state"], "loading");
    server.ask(Method::POST, "/models/turbo/unload", None).await;
    until(&server, "turbo", "unloaded").await;
}

/// A model of a hub may still be on its way when a request names it.
#[actix_web::test]
async fn a_request_waits_for_the_files_of_its_model() {
    let is_there = Arc::new(AtomicBool::new(false));
    let there = Arc::clone(&is_there);
    let late = ModelSetup::new("late", move || {
        while !there.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(1));
        }
        let LoadedModel { info, memory, .. } = model();
        Ok(OpenModel::new(|_: &LoadWatch| Ok(model())).with_facts(info, memory))
    });
    let server = server_of(vec![late]).await;
    let body = json!({"prompt": "a boat", "model": "late", "return_base64": true, "num_inference_steps": 2});
    let request = server.ask(Method::POST, "/generate", Some(body));
    let arrives = async {
        // Long enough for a request that does not wait to be refused.
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_eq!(model_of(&server, "late").await["state"], "unloaded");
        is_there.store(true, Ordering::Relaxed);
    };
    let ((status, answer), ()) = tokio::join!(request, arrives);
    assert_eq!(status, StatusCode::OK, "{answer}");
}

#[actix_web::test]
async fn a_task_shows_that_its_model_is_being_loaded() {
    let may_load = Arc::new(AtomicBool::new(false));
    let server = server(&may_load).await;
    let (status, submitted) = server.ask(Method::POST, "/api/v1/videos/generate", Some(clip(json!({"model": "turbo"})))).await;
    assert_eq!(status, StatusCode::OK, "{submitted}");
    let path = format!("/api/v1/tasks/{}", submitted["task_id"].as_str().unwrap());
    until(&server, "turbo", "loading").await;
    let (_, task) = server.ask(Method::GET, &path, None).await;
    assert_eq!(task["status"], "pending", "{task}");
    assert_eq!(task["waits_for_model"], json!({"name": "turbo", "state": "loading", "progress": 0}), "{task}");
    assert_eq!(task["message"], "Its model turbo is being loaded: 0 %");
    may_load.store(true, Ordering::Relaxed);
    let deadline = Instant::now() + PATIENCE;
    loop {
        let (_, task) = server.ask(Method::GET, &path, None).await;
        if task["status"] == "completed" {
            assert_eq!(task.get("waits_for_model"), None);
            return;
        }
        assert!(Instant::now() < deadline, "{task}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[actix_web::test]
async fn a_model_that_cannot_be_loaded_says_why_and_the_others_work() {
    let server = server(&Arc::new(AtomicBool::new(true))).await;
    let (status, answer) = server.ask(Method::POST, "/generate", Some(json!({"prompt": "a boat", "model": "broken"}))).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{answer}");
    let message = answer["detail"].as_str().unwrap();
    assert!(message.contains("the model broken could not be loaded") && message.contains("truncated"), "{message}");
    let model = model_of(&server, "broken").await;
    assert_eq!(model["state"], "failed", "{model}");
    assert_eq!(model["reason"], "config.json: truncated", "paths are not for clients");
    // Every listed name is accepted.
    for model in ["turbo", "own", "local", "local/own", "local/turbo"] {
        let body = json!({"prompt": "a boat", "model": model, "return_base64": true, "num_inference_steps": 2});
        let (status, answer) = server.ask(Method::POST, "/generate", Some(body)).await;
        assert_eq!(status, StatusCode::OK, "{model}: {answer}");
    }
}

#[actix_web::test]
async fn an_unknown_model_is_404_with_the_known_names_in_every_api() {
    let server = server(&Arc::new(AtomicBool::new(true))).await;
    let names = "there are local, local/own, turbo, broken";
    let image = clip(json!({}))["image"].clone();
    for (path, body) in [
        ("/generate", json!({"prompt": "a boat", "model": "none"})),
        ("/generate-video", json!({"scenes": ["a", "b"], "model": "none"})),
        ("/generate-video/info", json!({"scenes": ["a", "b"], "model": "none"})),
        ("/generate-video", json!({"text": "a boat", "model": "none"})),
        ("/generate-video", json!({"characterImageUrl": image, "script": "it moves", "model": "none"})),
        ("/animate", json!({"image": image, "model": "none"})),
    ] {
        let (status, answer) = server.ask(Method::POST, path, Some(body)).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{path}: {answer}");
        assert!(answer["detail"].as_str().unwrap().contains(names), "{path}: {answer}");
    }
    for (path, body) in [
        ("/api/v1/videos/generate", clip(json!({"model": "none"}))),
        ("/api/v1/images/generate", json!({"prompt": "a boat", "model": "none"})),
        ("/api/v1/images/generate-i2i", json!({"prompt": "a boat", "image": image, "model": "none"})),
    ] {
        let (status, answer) = server.ask(Method::POST, path, Some(body)).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{path}: {answer}");
        assert_eq!(answer["error"]["code"], "MODEL_NOT_FOUND", "{path}: {answer}");
        assert!(answer["error"]["message"].as_str().unwrap().contains(names), "{path}: {answer}");
    }
    assert_eq!(server.jobs.active(), 0);
}

/// A backend whose model has a folder with the adapter "ink" and one with the ControlNet "canny", both with a web page besides; the fake
/// model does not read them.
pub(crate) async fn with_adapters(folder: &std::path::Path) -> Engine {
    let header = r#"{"lora_unet_x.lora_up.weight":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#;
    let file = [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &[0; 4]].concat();
    std::fs::write(folder.join("ink.safetensors"), file).unwrap();
    std::fs::write(folder.join("page.safetensors"), "<!DOCTYPE html>").unwrap();
    let nets = folder.join("nets");
    std::fs::create_dir_all(nets.join("canny")).unwrap();
    let net = r#"{"controlnet_cond_embedding.conv_in.bias":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#;
    let file = [&(net.len() as u64).to_le_bytes()[..], net.as_bytes(), &[0; 4]].concat();
    std::fs::write(nets.join("canny/diffusion_pytorch_model.safetensors"), file).unwrap();
    std::fs::write(nets.join("canny/config.json"), r#"{"_class_name": "ControlNetModel"}"#).unwrap();
    std::fs::write(nets.join("page.safetensors"), "<!DOCTYPE html>").unwrap();
    let adapters = Some(AdapterFolder::open(folder).unwrap());
    let controlnets = Some(ControlNetFolder::open(nets).unwrap());
    let load = move || {
        let LoadedModel { info, memory, model } = model();
        Ok(LoadedModel { info: ModelInfo { adapters, controlnets, ..info }, memory, model })
    };
    let local = LocalBackend::start(LocalSettings::new(Instant::now), load).unwrap();
    local.loaded().await.unwrap();
    Engine { local, places: 4 }
}

#[tokio::test]
async fn requests_choose_adapters_by_the_names_that_are_listed() {
    let folder = tempfile::tempdir().unwrap();
    let engine = with_adapters(folder.path()).await;
    let ask = async |body: Value| ask_engine(engine.clone(), post(body.to_string())).await;
    for loras in
        [json!([{"name": "ink", "weight": 0.5}]), json!(["ink:0.5"]), json!([{"name": "ink", "weight": "0.5", "text_weight": 0.5}])]
    {
        let answer = ask(json!({"prompt": "a boat", "loras": loras})).await;
        assert_eq!(answer.status, StatusCode::OK.as_u16(), "{answer:?}");
        let tag = b"a boat<lora:ink:0.5>\n";
        assert!(answer.body.windows(tag.len()).any(|bytes| bytes == tag), "the picture's text has no tag: {loras}");
    }
    for (loras, place, kind) in [
        (json!("ink"), json!(["body", "loras"]), "list_type"),
        (json!([5]), json!(["body", "loras", 0]), "value_error"),
        (json!(["ink:strong"]), json!(["body", "loras", 0]), "value_error"),
        (json!(["ink", {"weight": 1}]), json!(["body", "loras", 1, "name"]), "missing"),
        (json!([{"name": "ink", "weight": 100.5}]), json!(["body", "loras", 0, "weight"]), "less_than_equal"),
        (json!([{"name": "ink", "text_weight": []}]), json!(["body", "loras", 0, "text_weight"]), "float_type"),
        (json!([{"name": "../ink"}]), json!(["body", "loras"]), "value_error"),
        (json!([{"name": "pen"}]), json!(["body", "loras"]), "value_error"),
        (json!([{"name": "page"}]), json!(["body", "loras"]), "value_error"),
        (json!(vec!["ink"; 17]), json!(["body", "loras"]), "too_long"),
    ] {
        let answer = ask(json!({"prompt": "a boat", "loras": loras})).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY.as_u16(), "{loras}: {answer:?}");
        let fault = &answer.json()["detail"][0];
        assert_eq!((&fault["loc"], fault["type"].as_str().unwrap()), (&place, kind), "{loras}: {fault}");
    }
    let listed = ask_engine(engine.clone(), actix_web::test::TestRequest::get().uri("/models")).await;
    // What cannot be used is not listed.
    assert_eq!(listed.json()["adapters"], json!(["ink"]));
    assert_eq!(listed.json()["controlnets"], json!(["canny"]));
    assert_eq!(listed.json()["models"][0]["loras"], json!([]));
}

/// Every fault of an entry is at its place, and none is said twice.
#[tokio::test]
async fn faults_of_controlnets_are_at_their_places() {
    let folder = tempfile::tempdir().unwrap();
    let engine = with_adapters(folder.path()).await;
    let image = clip(json!({}))["image"].clone();
    let canny = || json!({"name": "canny", "image": image});
    for (controlnets, faults) in [
        (json!("canny"), json!([[["body", "controlnets"], "list_type"]])),
        (json!([5]), json!([[["body", "controlnets", 0], "dict_type"]])),
        (json!([canny(), "canny", null]), json!([[["body", "controlnets", 1], "dict_type"], [["body", "controlnets", 2], "dict_type"]])),
        (json!([{"image": image}]), json!([[["body", "controlnets", 0, "name"], "missing"]])),
        (json!([canny(), {"name": "canny"}]), json!([[["body", "controlnets", 1, "image"], "missing"]])),
        (json!([{"name": "pen", "image": image}]), json!([[["body", "controlnets", 0, "name"], "value_error"]])),
        (json!([canny(), {"name": "page", "image": image}]), json!([[["body", "controlnets", 1, "name"], "value_error"]])),
        (json!([canny(), {"name": "canny", "image": "AAAA"}]), json!([[["body", "controlnets", 1, "image"], "value_error"]])),
        (json!([{"name": "canny", "image": image, "weight": 9}]), json!([[["body", "controlnets", 0, "weight"], "less_than_equal"]])),
        (
            json!([{"name": "canny", "image": image, "start": 0.5, "end": 0.5}]),
            json!([[["body", "controlnets", 0, "start"], "value_error"]]),
        ),
    ] {
        let answer = ask_engine(engine.clone(), post(json!({"prompt": "a boat", "controlnets": controlnets}).to_string())).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY.as_u16(), "{controlnets}: {answer:?}");
        let found: Vec<Value> =
            answer.json()["detail"].as_array().unwrap().iter().map(|fault| json!([fault["loc"], fault["type"]])).collect();
        assert_eq!(Value::from(found), faults, "{controlnets}");
    }
}

#[tokio::test]
async fn a_models_usual_adapters_are_listed() {
    let load = || {
        let LoadedModel { info, memory, model } = model();
        let loras = vec!["ink:0.8".parse().unwrap(), "wash:0.5:0".parse().unwrap()];
        Ok(LoadedModel { info: ModelInfo { defaults: ModelDefaults { loras, ..info.defaults }, ..info }, memory, model })
    };
    let local = LocalBackend::start(LocalSettings::new(Instant::now), load).unwrap();
    local.loaded().await.unwrap();
    let engine = Engine { local, places: 4 };
    let listed = ask_engine(engine, actix_web::test::TestRequest::get().uri("/models")).await;
    assert_eq!(listed.json()["models"][0]["loras"], json!(["ink:0.8:0.8", "wash:0.5:0"]));
}
