//! Links to videos: Signature Version 4 in the query, one hour, no header.

use std::time::{Duration, SystemTime};

use remote_fakes::aws::Account;
use remote_providers::{Bedrock, BedrockSettings, ErrorKind, Provider as _};
use reqwest::{Client, Method};
use url::Url;

use super::{World, fresh, keys, text};

/// The provider, a finished video's id, and a link to it.
async fn linked(world: &World) -> (Bedrock, String, Url) {
    world.bedrock.set_polls(0);
    let provider = world.provider().await;
    let id = world.run(&provider, &text(), fresh("job-1")).await.unwrap().id;
    let url = provider.link(&id).await.unwrap().unwrap();
    (provider, id, url)
}

/// Status and body of a request without any headers of ours.
async fn get(url: impl reqwest::IntoUrl) -> (u16, String) {
    let answer = Client::builder().no_proxy().build().unwrap().get(url).send().await.unwrap();
    let status = answer.status().as_u16();
    (status, String::from_utf8_lossy(&answer.bytes().await.unwrap()).into_owned())
}

fn value(url: &Url, name: &str) -> String {
    url.query_pairs().find(|(known, _)| known == name).unwrap().1.into_owned()
}

#[tokio::test]
async fn a_link_is_valid_for_an_hour_and_needs_no_header() {
    let world = World::new().await;
    let (provider, id, url) = linked(&world).await;
    let names: Vec<_> = url.query_pairs().map(|(name, _)| name.into_owned()).collect();
    let wanted = ["X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires", "X-Amz-SignedHeaders", "X-Amz-Signature"];
    assert_eq!(names, wanted);
    assert_eq!(value(&url, "X-Amz-Algorithm"), "AWS4-HMAC-SHA256");
    assert_eq!(value(&url, "X-Amz-Expires"), "3600");
    assert_eq!(value(&url, "X-Amz-SignedHeaders"), "host");
    assert_eq!(url.path(), "/fw-videos/clips/fake00000001/output.mp4");
    assert_eq!(get(url.clone()).await.0, 200);

    world.s3.clock.advance(Duration::from_secs(3500));
    assert_eq!(get(url.clone()).await.0, 200);
    world.s3.clock.advance(Duration::from_secs(101));
    let (status, body) = get(url).await;
    assert!(status == 403 && body.contains("AccessDenied") && body.contains("Request has expired"), "{body}");

    // A new link is signed by this machine's clock, from which the fake's is an hour away; so the fake's clock is turned back.
    world.s3.clock.turn_back(Duration::from_secs(3601));
    let again = provider.link(&id).await.unwrap().unwrap();
    assert_eq!(get(again).await.0, 200);
}

#[tokio::test]
async fn a_link_that_was_altered_is_refused() {
    let world = World::new().await;
    let (_, _, url) = linked(&world).await;
    let text = url.as_str();
    let altered = [
        ("the file", text.replace("output.mp4", "manifest.json"), "SignatureDoesNotMatch"),
        ("the life", text.replace("X-Amz-Expires=3600", "X-Amz-Expires=7200"), "SignatureDoesNotMatch"),
        ("too long a life", text.replace("X-Amz-Expires=3600", "X-Amz-Expires=604801"), "AuthorizationQueryParametersError"),
        ("the region", text.replace("us-east-1", "eu-west-1"), "AuthorizationQueryParametersError"),
        ("the key", text.replace("AKIDEXAMPLE", "AKIDANOTHER"), "InvalidAccessKeyId"),
        ("one more parameter", format!("{text}&response-content-type=text/html"), "SignatureDoesNotMatch"),
        ("no signature", text.split("&X-Amz-Signature").next().unwrap().to_owned(), "AccessDenied"),
    ];
    for (name, altered, code) in altered {
        assert_ne!(altered, text, "{name}");
        let (status, body) = get(altered).await;
        assert!((400..=403).contains(&status) && body.contains(&format!("<Code>{code}</Code>")), "{name}: {status} {body}");
    }
    let put = Client::builder().no_proxy().build().unwrap().request(Method::PUT, url).body("x").send().await.unwrap();
    assert_eq!(put.status(), 403);
}

#[tokio::test]
async fn there_is_no_link_before_the_video_exists() {
    let world = World::new().await;
    world.bedrock.set_polls(2);
    let provider = world.provider().await;
    let remote_providers::Started::Pending(id) = provider.start("", &text(), "job-1").await.unwrap() else {
        panic!("finished at the start")
    };
    assert_eq!(provider.link(&id).await.unwrap(), None);
    assert_eq!(provider.link("arn:aws:bedrock:us-east-1:1:async-invoke/another").await.unwrap_err().kind, ErrorKind::NotFound);
    assert_eq!(provider.link("").await.unwrap_err().kind, ErrorKind::InvalidRequest);
}

#[tokio::test]
async fn the_operator_sets_a_links_lifetime_up_to_a_week() {
    let world = World::new().await;
    let (_, id, _) = linked(&world).await;
    let week = Duration::from_secs(7 * 24 * 3600);
    let provider = Bedrock::connect(BedrockSettings { link_lifetime: week, ..world.settings() }).await.unwrap();
    let url = provider.link(&id).await.unwrap().unwrap();
    assert_eq!(value(&url, "X-Amz-Expires"), "604800");
    assert_eq!(get(url).await.0, 200);
    for wrong in [Duration::ZERO, week + Duration::from_secs(1)] {
        let error = Bedrock::connect(BedrockSettings { link_lifetime: wrong, ..world.settings() }).await.unwrap_err();
        assert!(error.kind == ErrorKind::Settings && error.reason.contains("604800"), "{error}");
    }
}

#[tokio::test]
async fn temporary_keys_sign_with_their_token() {
    let account = Account {
        session_token: Some("a-session-token/+=".to_owned()),
        expires: Some(SystemTime::now() + Duration::from_secs(7200)),
        ..Account::default()
    };
    let world = World::with(account.clone()).await;
    world.bedrock.set_polls(0);
    let provider = Bedrock::connect(BedrockSettings { keys: Some(keys(&account)), ..world.settings() }).await.unwrap();
    let id = world.run(&provider, &text(), fresh("job-1")).await.unwrap().id;
    let url = provider.link(&id).await.unwrap().unwrap();
    assert_eq!(value(&url, "X-Amz-Security-Token"), "a-session-token/+=");
    assert_eq!(get(url.clone()).await.0, 200);
    // Once the keys have expired, a link younger than its hour is refused too.
    world.s3.clock.advance(Duration::from_secs(7201));
    assert_ne!(get(url).await.0, 200);
    world.bedrock.clock.advance(Duration::from_secs(7201));
    let error = super::checked_all(provider.poll(&id).await.unwrap_err());
    assert_eq!((error.kind, error.code.as_deref()), (ErrorKind::Credentials, Some("ExpiredTokenException")), "{error}");
}
