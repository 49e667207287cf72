//! Access control in normal use: public addresses, allowed origins, rates, and the headers of every answer.

use std::num::{NonZeroU32, NonZeroUsize};

use serde_json::{Value, json};
use server::{
    Server, ServerSettings,
    access::{AccessSettings, AllowedHosts, AllowedOrigins, KeyLimits},
};

use crate::{
    attacks::{ALICES_KEY, BOBS_KEY, exchange, keys, request},
    fake::{Running, engine, jobs},
};

async fn serving(access: AccessSettings) -> Running {
    Running::with_settings(ServerSettings { access, ..ServerSettings::default() }, engine(4).await).await
}

#[actix_web::test]
async fn a_public_address_is_refused_without_a_key() {
    for host in ["0.0.0.0", "::"] {
        let settings = ServerSettings { host: host.into(), port: 0, ..ServerSettings::default() };
        let data = tempfile::tempdir().unwrap();
        let jobs = jobs(data.path(), engine(1).await).await;
        let Err(error) = Server::bind(&settings, jobs.clone()) else { panic!("{host} is bound without a key") };
        let error = error.to_string();
        assert!(error.starts_with(&format!("others can reach {host}, and there is no API key: ")), "{error}");
        assert!(error.contains("--allow-public-without-key") && !error.contains('\n'), "{error}");
    }
    let confirmed = AccessSettings { allow_public_without_key: true, ..AccessSettings::default() };
    let with_keys = AccessSettings { keys: keys(), ..AccessSettings::default() };
    for (access, host, status) in [
        (confirmed.clone(), "evil.com", 421),
        (confirmed, "192.168.1.5", 200),
        (with_keys.clone(), "evil.com", 200),
        (AccessSettings { allowed_hosts: AllowedHosts::parse(&["studio.example.com"]).unwrap(), ..with_keys }, "evil.com", 421),
    ] {
        let settings = ServerSettings { host: "0.0.0.0".into(), access, ..ServerSettings::default() };
        let server = Running::with_settings(settings, engine(1).await).await;
        let address = std::net::SocketAddr::from(([127, 0, 0, 1], server.address.port()));
        let answer = exchange(address, request("GET /health", &[&format!("Host: {host}")], "")).await;
        assert_eq!(answer.status(), status, "{host}: {}", answer.0);
    }
}

#[actix_web::test]
async fn an_allowed_host_and_the_public_url_are_ours() {
    let access = AccessSettings {
        allowed_hosts: AllowedHosts::parse(&["studio.lan"]).unwrap(),
        public_url: Some("https://studio.example.com/api/".parse().unwrap()),
        ..AccessSettings::default()
    };
    let server = serving(access).await;
    let body = r#"{"scenes": ["a boat", "a star"]}"#;
    let length = format!("Content-Length: {}", body.len());
    for (host, origin, status) in [
        ("studio.lan", "http://studio.lan", 200),
        ("studio.example.com", "https://studio.example.com", 200),
        ("localhost", "https://studio.example.com", 200),
        ("other.lan", "http://other.lan", 421),
        ("studio.lan", "http://other.lan", 403),
    ] {
        let (host, origin) = (format!("Host: {host}"), format!("Origin: {origin}"));
        let lines = [host.as_str(), &origin, "Content-Type: application/json", &length];
        let answer = exchange(server.address, request("POST /generate-video/info", &lines, body)).await;
        assert_eq!(answer.status(), status, "{host} {origin}: {}", answer.0);
    }
}

#[actix_web::test]
async fn pages_of_allowed_origins_may_send_requests_and_read_answers() {
    let origins =
        |origins: &[&str]| AccessSettings { allowed_origins: AllowedOrigins::parse(origins).unwrap(), ..AccessSettings::default() };
    for (allowed, origin, opened) in [
        (vec!["https://studio.example.com"], "https://studio.example.com", Some("https://studio.example.com")),
        (vec!["https://studio.example.com"], "https://evil.com", None),
        (vec!["*"], "https://evil.com", Some("*")),
        (vec!["*"], "null", Some("*")),
        (vec![], "https://studio.example.com", None),
    ] {
        let server = serving(origins(&allowed)).await;
        let origin = format!("Origin: {origin}");
        let asks = ["Host: localhost", &origin, "Access-Control-Request-Method: POST", "Access-Control-Request-Headers: authorization"];
        let question = exchange(server.address, request("OPTIONS /generate", &asks, "")).await;
        assert_eq!(question.status(), if opened.is_some() { 204 } else { 403 }, "{}", question.0);
        assert_eq!(question.header("access-control-allow-methods").is_some(), opened.is_some());
        let body = r#"{"prompt": "a boat", "num_inference_steps": 1}"#;
        let length = format!("Content-Length: {}", body.len());
        let sends = ["Host: localhost", &origin, "Sec-Fetch-Site: cross-site", "Content-Type: application/json", &length];
        let made = exchange(server.address, request("POST /generate", &sends, body)).await;
        assert_eq!(made.status(), if opened.is_some() { 200 } else { 403 }, "{}", made.0);
        let read = exchange(server.address, request("GET /health", &["Host: localhost", &origin], "")).await;
        assert_eq!(read.status(), 200);
        let refused = exchange(server.address, request("GET /none", &["Host: localhost", &origin], "")).await;
        for answer in [&question, &made, &read, &refused] {
            assert_eq!(answer.header("access-control-allow-origin"), opened, "{}", answer.0);
            assert_eq!(answer.header("access-control-allow-credentials"), None, "{}", answer.0);
        }
        let exposed = made.header("access-control-expose-headers").unwrap_or_default();
        assert_eq!(exposed.contains("X-Seed"), opened.is_some(), "{exposed}");
        // A cache must not serve one origin's answer to another, if they differ.
        assert_eq!(read.header("vary"), allowed.first().filter(|allowed| **allowed != "*").map(|_| "Origin"));
    }
}

#[actix_web::test]
async fn a_key_over_its_rate_gets_retry_after() {
    let limits = KeyLimits { requests_per_minute: NonZeroU32::new(1), burst: NonZeroU32::new(2).unwrap(), concurrent_requests: None };
    let server = serving(AccessSettings { keys: keys(), key_limits: limits, ..AccessSettings::default() }).await;
    let ask = |key: &'static str, path: &'static str| {
        let client = reqwest::Client::new();
        client.get(server.url(path)).bearer_auth(key).send()
    };
    // An unknown path counts like any other.
    for _ in 0..2 {
        assert_eq!(ask(ALICES_KEY, "/none").await.unwrap().status().as_u16(), 404);
    }
    let refused = ask(ALICES_KEY, "/none").await.unwrap();
    assert_eq!(refused.status().as_u16(), 429);
    let seconds: u64 = refused.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=60).contains(&seconds), "{seconds}");
    let body: Value = refused.json().await.unwrap();
    assert_eq!(body, json!({"detail": format!("Too many requests with this key; try again in {seconds} s")}));
    assert_eq!(ask(BOBS_KEY, "/none").await.unwrap().status().as_u16(), 404, "another key");
    assert_eq!(ask(ALICES_KEY, "/health").await.unwrap().status().as_u16(), 200, "open paths have no limit");
}

#[actix_web::test]
async fn a_key_has_a_limit_of_concurrent_requests() {
    let limits = KeyLimits { concurrent_requests: NonZeroUsize::new(1), ..KeyLimits::default() };
    let server = serving(AccessSettings { keys: keys(), key_limits: limits, ..AccessSettings::default() }).await;
    let ask = |key: &'static str, prompt: &'static str| {
        let body = json!({"prompt": prompt, "num_inference_steps": 1});
        reqwest::Client::new().post(server.url("/generate")).bearer_auth(key).json(&body).send()
    };
    let slow = tokio::spawn(ask(ALICES_KEY, "slow"));
    server.wait_for_jobs(1).await;
    let refused = ask(ALICES_KEY, "a boat").await.unwrap();
    assert_eq!((refused.status().as_u16(), refused.headers()["retry-after"].to_str().unwrap()), (429, "1"));
    assert_eq!(refused.json::<Value>().await.unwrap(), json!({"detail": "Too many requests at once with this key: the limit is 1"}));
    slow.abort();
    server.wait_for_jobs(0).await;
    let client = generation_test::PATIENCE;
    let deadline = std::time::Instant::now() + client;
    // The job ends slightly before its request does.
    while ask(ALICES_KEY, "a boat").await.unwrap().status().as_u16() != 200 {
        assert!(std::time::Instant::now() < deadline, "the slot is never freed");
    }
}

#[actix_web::test]
async fn every_answer_has_security_headers() {
    let server = serving(AccessSettings { keys: keys(), ..AccessSettings::default() }).await;
    let key = format!("Authorization: Bearer {ALICES_KEY}");
    for (first, lines, status, cache) in [
        ("GET /", vec!["Host: localhost"], 200, None),
        ("GET /docs", vec!["Host: localhost"], 200, None),
        ("GET /none", vec!["Host: localhost", &key], 404, Some("no-store")),
        ("GET /files/a/b", vec!["Host: localhost", &key], 404, Some("private")),
        ("GET /generate", vec!["Host: localhost"], 401, Some("no-store")),
        ("GET /health", vec!["Host: evil.com"], 421, None),
    ] {
        let answer = exchange(server.address, request(first, &lines, "")).await;
        assert_eq!(answer.status(), status, "{first}: {}", answer.0);
        let head =
            ["x-content-type-options", "referrer-policy", "x-frame-options", "cross-origin-resource-policy", "cache-control", "server"];
        let expected = [Some("nosniff"), Some("same-origin"), Some("DENY"), Some("same-origin"), cache, None];
        assert_eq!(head.map(|name| answer.header(name)), expected, "{first}: {}", answer.0);
        assert!(answer.header("x-request-id").is_some());
    }
    let docs = exchange(server.address, request("GET /docs", &["Host: localhost"], "")).await;
    assert!(docs.header("content-security-policy").unwrap().starts_with("default-src 'self';"), "the page's own policy stays");
}
