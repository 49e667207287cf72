//! Budgets: refusals, reports, and overflow of local jobs within them.

use std::time::{Duration, Instant};

use generation::jobs::{Overflow, Routing};
use reqwest::{Method, StatusCode};
use serde_json::json;
use server::access::{AccessSettings, ApiKey};

use super::{
    characters, i2v,
    world::{World, prices, video_status},
};
use crate::{fake::PATIENCE, task_client::clip};

#[actix_web::test]
async fn an_exhausted_budget_is_402_and_spends_nothing_more() {
    let world = World::start().await;
    let server = world.serve(|_, jobs| {
        jobs.spend.prices = prices();
        jobs.spend.provider_caps = [("bedrock".into(), 1_200_000)].into();
    });
    let server = server.await;
    let text = || server.ask(Method::POST, "/generate-video", Some(json!({"text": "a boat"})));
    for _ in 0..2 {
        let (status, submitted) = text().await;
        assert_eq!(status, StatusCode::OK, "{submitted}");
        video_status(&server, submitted["job_id"].as_str().unwrap(), "completed").await;
    }
    let (status, refused) = text().await;
    assert_eq!(status, StatusCode::PAYMENT_REQUIRED, "{refused}");
    let detail = refused["detail"].as_str().unwrap();
    for word in ["bedrock", "1.20 USD", "1.00 USD", "0.50 USD", "wait for the next month"] {
        assert!(detail.contains(word), "{word}: {detail}");
    }
    let budget = &refused["budget"];
    let amounts = ["service", "cap_usd", "spent_usd", "left_usd", "price_usd"].map(|field| budget[field].clone());
    assert_eq!(amounts, [json!("bedrock"), json!(1.2), json!(1.0), json!(0.2), json!(0.5)]);
    // Below /api/v1, the error has that API's format.
    let (status, refused) =
        server.ask(Method::POST, "/api/v1/videos/generate", Some(clip(json!({"service": "bedrock", "prompt": "a"})))).await;
    assert_eq!((status, &refused["error"]["code"]), (StatusCode::PAYMENT_REQUIRED, &json!("BUDGET_EXCEEDED")), "{refused}");
    assert_eq!(refused["error"]["details"]["price_usd"], 0.5, "{refused}");
    assert_eq!(world.bedrock.begun(), 2);

    let (_, usage) = server.ask(Method::GET, "/api/v1/usage", None).await;
    let bedrock = json!({"service": "bedrock", "videos": 2, "spent_usd": 1.0, "reserved_usd": 0.0});
    assert_eq!((&usage["spent_usd"], &usage["services"]), (&json!(1.0), &json!([bedrock])), "{usage}");
    let metrics = reqwest::get(server.url("/metrics")).await.unwrap().text().await.unwrap();
    let line = "framewright_provider_spend_usd{provider=\"bedrock\",key=\"\",state=\"spent\"} 1.0";
    assert!(metrics.lines().any(|found| found == line), "{metrics}");
}

#[actix_web::test]
async fn spending_is_recorded_by_key() {
    let world = World::start().await;
    let server = world.serve(|settings, jobs| {
        let key = |name: &str| ApiKey::new(name, &format!("{name}s-key-of-the-tests")).unwrap();
        settings.access = AccessSettings { keys: vec![key("alice"), key("bob")], ..AccessSettings::default() };
        jobs.spend.prices = prices();
        jobs.spend.owner_caps = [("alice".into(), 500_000)].into();
    });
    let server = server.await;
    let ask = async |name: &str, method: Method, path: &str, body: Option<serde_json::Value>| {
        let mut request = reqwest::Client::new().request(method, server.url(path)).bearer_auth(format!("{name}s-key-of-the-tests"));
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await.unwrap();
        (answer.status(), answer.text().await.unwrap())
    };
    let text = || Some(json!({"text": "a boat"}));
    assert_eq!(ask("alice", Method::POST, "/generate-video", text()).await.0, StatusCode::OK);
    let (status, refused) = ask("alice", Method::POST, "/generate-video", text()).await;
    assert_eq!(status, StatusCode::PAYMENT_REQUIRED, "{refused}");
    assert!(refused.contains("your budget"), "{refused}");
    let (status, submitted) = ask("bob", Method::POST, "/generate-video", text()).await;
    assert_eq!(status, StatusCode::OK, "{submitted}");
    // Each key sees its own spending, first reserved and finally spent.
    for name in ["alice", "bob"] {
        let until = Instant::now() + PATIENCE;
        loop {
            let (_, usage) = ask(name, Method::GET, "/api/v1/usage", None).await;
            let usage: serde_json::Value = serde_json::from_str(&usage).unwrap();
            assert_eq!(usage["key"], name, "{usage}");
            if usage["spent_usd"] == 0.5 && usage["reserved_usd"] == 0.0 {
                break;
            }
            assert!(usage["reserved_usd"] == 0.5 && Instant::now() < until, "{usage}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
    let arn = serde_json::from_str::<serde_json::Value>(&submitted).unwrap()["job_id"].as_str().unwrap().to_owned();
    let path = format!("/video-status?job_id={arn}");
    assert_eq!(ask("alice", Method::GET, &path, None).await.0, StatusCode::NOT_FOUND);
    assert_eq!(ask("bob", Method::GET, &path, None).await.0, StatusCode::OK);
    let (_, metrics) = ask("bob", Method::GET, "/metrics", None).await;
    for name in ["alice", "bob"] {
        let line = format!("framewright_provider_spend_usd{{provider=\"bedrock\",key=\"{name}\",state=\"spent\"}} 0.5");
        assert!(metrics.lines().any(|found| found == line), "{metrics}");
    }
    assert!(!metrics.contains("-key-of-the-tests"));
    assert_eq!(ask("bob", Method::GET, "/api/v1/usage?month=2026-13", None).await.0, StatusCode::UNPROCESSABLE_ENTITY);
}

#[actix_web::test]
async fn local_jobs_with_a_long_forecast_overflow_while_the_budget_allows() {
    let world = World::start().await;
    let server = world.serve(|settings, jobs| {
        settings.services.tasks = None;
        jobs.spend.prices = prices();
        jobs.spend.provider_caps = [("veo".into(), 500_000)].into();
        let overflow = Overflow { after: Duration::from_nanos(1), model: "veo/veo_3_1".into() };
        jobs.routing = Routing { overflow: Some(overflow) };
    });
    let server = server.await;
    // Without measurements there is no forecast, so the first job stays here.
    let first = server.submit(json!({"prompt": "a boat"})).await;
    assert_eq!(server.ended(&first).await["status"], "completed");
    // A request that names this machine stays here.
    for named in ["model", "service"] {
        let here = server.submit(json!({"prompt": "a boat", named: "local"})).await;
        assert_eq!(server.ended(&here).await["status"], "completed", "{named}");
    }
    let (status, here) = server.ask(Method::POST, "/generate-video", Some(json!({"text": "a boat", "model": "local"}))).await;
    assert_eq!(status, StatusCode::OK, "{here}");
    assert_eq!(server.ended(here["job_id"].as_str().unwrap()).await["status"], "completed");
    assert!(world.relay.server.requests().is_empty());
    let (status, submitted) = server.ask(Method::POST, "/api/v1/videos/generate", Some(clip(json!({"prompt": "a boat"})))).await;
    assert_eq!(status, StatusCode::OK, "{submitted}");
    assert!(submitted["remarks"].to_string().contains("veo makes the video"), "{submitted}");
    let task = server.ended(submitted["task_id"].as_str().unwrap()).await;
    assert_eq!(task["status"], "completed", "{task}");
    let begun = || world.relay.server.requests().iter().filter(|request| request.method == "POST").count();
    assert_eq!(begun(), 1);
    // Remarks about the local video are replaced.
    let remarks = task["result"]["result"]["remarks"].as_array().unwrap();
    assert!(matches!(remarks.as_slice(), [one] if one.as_str().unwrap().starts_with("veo makes the video")), "{task}");
    // The budget does not allow another, so the third job stays here.
    let third = server.submit(json!({"prompt": "a boat"})).await;
    assert_eq!(server.ended(&third).await["status"], "completed");
    assert_eq!(begun(), 1);
}

#[actix_web::test]
async fn every_api_reports_an_overflow() {
    let world = World::start().await;
    let server = world.serve(|settings, jobs| {
        settings.services.tasks = None;
        settings.services.i2v = None;
        settings.services.characters = None;
        let overflow = Overflow { after: Duration::from_nanos(1), model: "veo/veo_3_1".into() };
        jobs.routing = Routing { overflow: Some(overflow) };
    });
    let server = server.await;
    let remark = "veo makes the video, because this machine would have taken longer";
    let first = server.submit(json!({"prompt": "a boat"})).await;
    assert_eq!(server.ended(&first).await["status"], "completed");
    let (status, task, _, answer) = i2v::post(&server, Some("req-1"), &json!({"image_id": world.image_url()})).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    let task = server.ended(&task.unwrap()).await;
    assert!(task["result"]["result"]["remarks"].to_string().contains(remark), "{task}");
    let image = characters::upload(&server).await;
    let submitted = characters::generate(&server, &image).await;
    assert!(submitted["notes"].to_string().contains(remark), "{submitted}");
    assert!(characters::ended(&server, submitted["id"].as_str().unwrap()).await["notes"].to_string().contains(remark), "{submitted}");
}
