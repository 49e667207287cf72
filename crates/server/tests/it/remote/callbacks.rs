//! The callback of document 003: retried until it arrives, with its request's name escaped.

use reqwest::StatusCode;
use serde_json::json;

use super::{
    i2v::{callbacks, post},
    world::World,
};

#[actix_web::test]
async fn a_callback_is_retried_until_it_arrives() {
    let world = World::start().await;
    *world.game_answers.lock().unwrap() = [500, 503].into();
    let server = world.serve(|_, _| {}).await;
    post(&server, Some("req-1"), &json!({"image_id": world.image_url()})).await;
    let received = callbacks(&world, 3).await;
    assert!(
        received.iter().all(|callback| callback.path == "/requests/req-1/callback" && callback.json() == received[0].json()),
        "{received:?}"
    );
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    assert_eq!(world.game.requests().len(), 3);
}

#[actix_web::test]
async fn a_name_is_one_segment_of_the_callbacks_address() {
    let world = World::start().await;
    let server = world.serve(|settings, _| settings.services.i2v = None).await;
    for (count, (name, path)) in [
        ("../../admin", "/requests/..%2F..%2Fadmin/callback"),
        ("a?b=c#d", "/requests/a%3Fb%3Dc%23d/callback"),
        ("a%2Fb", "/requests/a%252Fb/callback"),
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(post(&server, Some(name), &json!({"image_id": world.image_url()})).await.0, StatusCode::OK, "{name}");
        let received = callbacks(&world, count + 1).await;
        assert_eq!(received[count].path, path);
    }
    for name in ["..", "."] {
        assert_eq!(post(&server, Some(name), &json!({"image_id": world.image_url()})).await.0, StatusCode::UNPROCESSABLE_ENTITY);
    }
}
