//! OpenAI's videos, made by services: by a model's name, by the older service's default name, or by the operator's routing.

use remote_fakes::Fault;
use reqwest::Method;
use serde_json::{Value, json};

use super::world::{VIDEO, World, fetch};
use crate::openai_videos::{VIDEOS, ended, id};

#[actix_web::test]
async fn a_service_makes_the_video_that_names_it_or_is_routed_to_it() {
    let world = World::start().await;
    let server = world.serve(|_, _| {}).await;
    let image = json!(world.image_url());
    for (changes, model, is_stand_in) in [
        (json!({"model": "veo_3_1", "input_reference": image}), "veo/veo_3_1", false),
        (json!({"model": "veo_3_1-fast"}), "veo/veo_3_1", false),
        (json!({"model": "bedrock"}), "bedrock/nova-reel", false),
        (json!({"model": "sora-2"}), "bedrock/nova-reel", true),
        (json!({"model": "sora-2-pro", "input_reference": image}), "veo/veo_3_1", true),
        (json!({"input_reference": {"image_url": image}}), "veo/veo_3_1", false),
        (json!({"model": "local", "size": "64x48", "fps": 8}), "local", false),
    ] {
        let mut body = json!({"prompt": "the boat sails away", "seconds": "6"});
        body.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        let (status, video) = server.ask(Method::POST, VIDEOS, Some(body)).await;
        assert_eq!((status.as_u16(), &video["model"]), (200, &json!(model)), "{changes}: {video}");
        let says = video["remarks"].as_array().into_iter().flatten().any(|remark| remark.as_str().unwrap().contains("is not set up here"));
        assert_eq!(says, is_stand_in, "{changes}: {video}");
        let video = ended(&server, id(&video)).await;
        assert_eq!(video["status"], "completed", "{video}");
        let content = fetch(&server.url(&format!("{VIDEOS}/{}/content", id(&video)))).await;
        assert!(content.0 == 200 && (model == "local" || content.1 == *VIDEO), "the bytes, and no redirection");
    }
}

#[actix_web::test]
async fn what_only_this_machine_follows_is_refused_and_a_services_failure_is_told() {
    let world = World::start().await;
    let server = world.serve(|_, _| {}).await;
    for (field, value) in [("loras", json!(["ink"])), ("vae", json!("tiny"))] {
        let body = json!({"prompt": "a boat", "model": "veo", field: value});
        let (status, answer) = server.ask(Method::POST, VIDEOS, Some(body)).await;
        assert_eq!((status.as_u16(), &answer["error"]["param"]), (400, &json!(field)), "{answer}");
        assert!(answer["error"]["message"].as_str().unwrap().contains("a service makes the video"), "{answer}");
    }
    world.relay.faults.push("start", Fault::Status(401, "invalid_api_key"));
    let (_, video) = server.ask(Method::POST, VIDEOS, Some(json!({"prompt": "a boat", "model": "veo"}))).await;
    let video: Value = ended(&server, id(&video)).await;
    assert_eq!((&video["status"], &video["error"]["code"]), (&json!("failed"), &json!("provider")), "{video}");
    assert!(video["error"]["message"].as_str().unwrap().contains("check the provider's key"), "{video}");
}
