//! Every environment variable of a provider setting has an effect, and the table has a row for each.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use secrecy::{ExposeSecret as _, SecretString};

use super::{
    routing::{InterrogatorKind, Route},
    tests::{acts, from_environment},
    *,
};

type Row = (&'static str, &'static str, fn(&Settings) -> bool);

fn is(secret: Option<&SecretString>, text: &str) -> bool {
    secret.is_some_and(|secret| secret.expose_secret() == text)
}

fn amounts(pairs: &[(&str, f64)]) -> BTreeMap<String, f64> {
    pairs.iter().map(|(name, dollars)| ((*name).to_owned(), *dollars)).collect()
}

pub(super) const TABLE: [Row; 106] = [
    ("AWS_ACCESS_KEY_ID", "AKIA1", |s| is(s.providers.bedrock.access_key_id.as_ref(), "AKIA1")),
    ("AWS_SECRET_ACCESS_KEY", "s1", |s| is(s.providers.bedrock.secret_access_key.as_ref(), "s1")),
    ("AWS_SESSION_TOKEN", "t1", |s| is(s.providers.bedrock.session_token.as_ref(), "t1")),
    ("AWS_BEARER_TOKEN_BEDROCK", "b1", |s| is(s.providers.bedrock.bearer_token.as_ref(), "b1")),
    ("AWS_PROFILE", "work", |s| s.providers.bedrock.profile.as_deref() == Some("work")),
    ("AWS_REGION", "eu-west-1", |s| s.providers.bedrock.region.as_deref() == Some("eu-west-1")),
    ("AWS_DEFAULT_REGION", "eu-west-2", |s| s.providers.bedrock.region.as_deref() == Some("eu-west-2")),
    ("S3_BUCKET_NAME", "videos", |s| s.providers.bedrock.bucket.as_deref() == Some("videos")),
    ("AWS_ENDPOINT_URL", "http://127.0.0.1:1", |s| {
        let (endpoint, s3) = (&s.providers.bedrock.endpoint, &s.providers.bedrock.s3_endpoint);
        [endpoint, s3].map(Option::as_deref) == [Some("http://127.0.0.1:1"); 2]
    }),
    ("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", "http://127.0.0.1:2", |s| {
        s.providers.bedrock.endpoint.as_deref() == Some("http://127.0.0.1:2") && s.providers.bedrock.s3_endpoint.is_none()
    }),
    ("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:3", |s| {
        s.providers.bedrock.s3_endpoint.as_deref() == Some("http://127.0.0.1:3") && s.providers.bedrock.endpoint.is_none()
    }),
    ("VEO3_API_KEY", "v1", |s| is(s.providers.veo.api_key.as_ref(), "v1")),
    ("VEO3_BASE_URL", "https://relay.example/", |s| s.providers.veo.base_url == "https://relay.example"),
    ("VEO3_ENDPOINT", "/v2/videos", |s| s.providers.veo.endpoint == "/v2/videos"),
    ("VEO3_MODEL", "veo_3_1-fast", |s| s.providers.veo.model == "veo_3_1-fast"),
    ("VEO3_SKIP_UPLOAD", "false", |s| !s.providers.veo.skip_upload),
    ("VIDEO_GENERATION_MAX_RETRIES", "5", |s| s.providers.veo.max_retries == 5),
    ("VIDEO_GENERATION_RETRY_DELAY", "0.5", |s| s.providers.veo.retry_delay == 0.5),
    ("VIDEO_GENERATION_RETRY_BACKOFF", "3", |s| s.providers.veo.retry_backoff == 3.0),
    ("VIDEO_MAX_CONCURRENT", "7", |s| s.providers.veo.max_concurrent == 7),
    ("GEMINI_API_KEY", "g1", |s| is(s.providers.veo.google_api_key.as_ref(), "g1")),
    ("GOOGLE_API_KEY", "g2", |s| is(s.providers.veo.google_api_key.as_ref(), "g2")),
    ("PIKAPI_BEARER_TOKEN", "p1", |s| is(s.providers.pika.bearer_token.as_ref(), "p1")),
    ("PIKAPI_BASE_URL", "http://127.0.0.1:4/web", |s| s.providers.pika.base_url == "http://127.0.0.1:4/web"),
    ("FAL_KEY", "f1", |s| is(s.providers.pika.fal_key.as_ref(), "f1")),
    ("INITIAL_WAIT_TIME", "1", |s| s.providers.pika.initial_wait_time == Some(1.0)),
    ("MAX_CHECK_TIME", "2.5", |s| s.providers.pika.max_check_time == Some(2.5)),
    ("REPLICATE_API_TOKEN", "r8_1", |s| is(s.providers.replicate.api_token.as_ref(), "r8_1")),
    ("REPLICATE_BASE_URL", "http://127.0.0.1:5", |s| s.providers.replicate.base_url == "http://127.0.0.1:5"),
    ("REPLICATE_MODEL_ID", "a/b:0123", |s| s.interrogator.replicate_model == "a/b:0123"),
    ("HF_TOKEN", "hf_1", |s| is(s.providers.huggingface.token.as_ref(), "hf_1")),
    ("HUGGING_FACE_TOKEN", "hf_2", |s| is(s.providers.huggingface.token.as_ref(), "hf_2")),
    ("CALLBACK_API_URL", "https://game.example/requests", |s| s.i2v.callback_url.as_deref() == Some("https://game.example/requests")),
    ("GAME_API_KEY", "gk", |s| is(s.i2v.callback_key.as_ref(), "gk")),
    ("FRAMEWRIGHT__BEDROCK__ACCESS_KEY_ID", "2", |s| is(s.providers.bedrock.access_key_id.as_ref(), "2")),
    ("FRAMEWRIGHT__BEDROCK__SECRET_ACCESS_KEY", "3", |s| is(s.providers.bedrock.secret_access_key.as_ref(), "3")),
    ("FRAMEWRIGHT__BEDROCK__REGION", "us-east-1", |s| s.providers.bedrock.region.as_deref() == Some("us-east-1")),
    ("FRAMEWRIGHT__BEDROCK__BUCKET", "b", |s| s.providers.bedrock.bucket.as_deref() == Some("b")),
    ("FRAMEWRIGHT__PROVIDERS__BEDROCK__ACCESS_KEY_ID", "2", |s| is(s.providers.bedrock.access_key_id.as_ref(), "2")),
    ("FRAMEWRIGHT__PROVIDERS__BEDROCK__SECRET_ACCESS_KEY", "3", |s| is(s.providers.bedrock.secret_access_key.as_ref(), "3")),
    ("FRAMEWRIGHT__PROVIDERS__BEDROCK__SESSION_TOKEN", "4", |s| is(s.providers.bedrock.session_token.as_ref(), "4")),
    ("FRAMEWRIGHT__PROVIDERS__BEDROCK__BEARER_TOKEN", "5", |s| is(s.providers.bedrock.bearer_token.as_ref(), "5")),
    ("FRAMEWRIGHT__PROVIDERS__BEDROCK__PROFILE", "p", |s| s.providers.bedrock.profile.as_deref() == Some("p")),
    ("FRAMEWRIGHT__PROVIDERS__BEDROCK__REGION", "us-east-1", |s| s.providers.bedrock.region.as_deref() == Some("us-east-1")),
    ("FRAMEWRIGHT__PROVIDERS__BEDROCK__BUCKET", "b", |s| s.providers.bedrock.bucket.as_deref() == Some("b")),
    ("FRAMEWRIGHT__PROVIDERS__BEDROCK__MODEL", "amazon.nova-reel-v1:0", |s| s.providers.bedrock.model == "amazon.nova-reel-v1:0"),
    ("FRAMEWRIGHT__PROVIDERS__BEDROCK__ENDPOINT", "https://a", |s| s.providers.bedrock.endpoint.as_deref() == Some("https://a")),
    ("FRAMEWRIGHT__PROVIDERS__BEDROCK__S3_ENDPOINT", "https://a", |s| s.providers.bedrock.s3_endpoint.as_deref() == Some("https://a")),
    ("FRAMEWRIGHT__PROVIDERS__BEDROCK__MAX_CONCURRENT", "3", |s| s.providers.bedrock.max_concurrent == 3),
    ("FRAMEWRIGHT__PROVIDERS__VEO__API_KEY", "v", |s| is(s.providers.veo.api_key.as_ref(), "v")),
    ("FRAMEWRIGHT__PROVIDERS__VEO__BASE_URL", "https://a", |s| s.providers.veo.base_url == "https://a"),
    ("FRAMEWRIGHT__PROVIDERS__VEO__ENDPOINT", "/v", |s| s.providers.veo.endpoint == "/v"),
    ("FRAMEWRIGHT__PROVIDERS__VEO__MODEL", "veo_4", |s| s.providers.veo.model == "veo_4"),
    ("FRAMEWRIGHT__PROVIDERS__VEO__SKIP_UPLOAD", "0", |s| !s.providers.veo.skip_upload),
    ("FRAMEWRIGHT__PROVIDERS__VEO__GOOGLE_API_KEY", "g", |s| is(s.providers.veo.google_api_key.as_ref(), "g")),
    ("FRAMEWRIGHT__PROVIDERS__VEO__GOOGLE_BASE_URL", "https://a", |s| s.providers.veo.google_base_url.as_deref() == Some("https://a")),
    ("FRAMEWRIGHT__PROVIDERS__VEO__GOOGLE_MODEL", "veo-4", |s| s.providers.veo.google_model == "veo-4"),
    ("FRAMEWRIGHT__PROVIDERS__VEO__VERTEX_PROJECT", "p", |s| s.providers.veo.vertex_project.as_deref() == Some("p")),
    ("FRAMEWRIGHT__PROVIDERS__VEO__VERTEX_LOCATION", "europe-west4", |s| s.providers.veo.vertex_location == "europe-west4"),
    ("FRAMEWRIGHT__PROVIDERS__VEO__VERTEX_TOKEN", "t", |s| is(s.providers.veo.vertex_token.as_ref(), "t")),
    ("FRAMEWRIGHT__PROVIDERS__VEO__MAX_RETRIES", "0", |s| s.providers.veo.max_retries == 0),
    ("FRAMEWRIGHT__PROVIDERS__VEO__RETRY_DELAY", "1", |s| s.providers.veo.retry_delay == 1.0),
    ("FRAMEWRIGHT__PROVIDERS__VEO__RETRY_BACKOFF", "1.5", |s| s.providers.veo.retry_backoff == 1.5),
    ("FRAMEWRIGHT__PROVIDERS__VEO__MAX_CONCURRENT", "3", |s| s.providers.veo.max_concurrent == 3),
    ("FRAMEWRIGHT__PROVIDERS__PIKA__BEARER_TOKEN", "p", |s| is(s.providers.pika.bearer_token.as_ref(), "p")),
    ("FRAMEWRIGHT__PROVIDERS__PIKA__BASE_URL", "https://a/", |s| s.providers.pika.base_url == "https://a"),
    ("FRAMEWRIGHT__PROVIDERS__PIKA__MODEL", "2.0", |s| s.providers.pika.model == "2.0"),
    ("FRAMEWRIGHT__PROVIDERS__PIKA__FAL_KEY", "f", |s| is(s.providers.pika.fal_key.as_ref(), "f")),
    ("FRAMEWRIGHT__PROVIDERS__PIKA__FAL_BASE_URL", "https://a", |s| s.providers.pika.fal_base_url == "https://a"),
    ("FRAMEWRIGHT__PROVIDERS__PIKA__FAL_MODEL", "a/b", |s| s.providers.pika.fal_model == "a/b"),
    ("FRAMEWRIGHT__PROVIDERS__PIKA__INITIAL_WAIT_TIME", "0", |s| s.providers.pika.initial_wait_time == Some(0.0)),
    ("FRAMEWRIGHT__PROVIDERS__PIKA__MAX_CHECK_TIME", "9", |s| s.providers.pika.max_check_time == Some(9.0)),
    ("FRAMEWRIGHT__PROVIDERS__PIKA__MAX_CONCURRENT", "3", |s| s.providers.pika.max_concurrent == 3),
    ("FRAMEWRIGHT__PROVIDERS__REPLICATE__API_TOKEN", "r", |s| is(s.providers.replicate.api_token.as_ref(), "r")),
    ("FRAMEWRIGHT__PROVIDERS__REPLICATE__BASE_URL", "https://a", |s| s.providers.replicate.base_url == "https://a"),
    ("FRAMEWRIGHT__PROVIDERS__REPLICATE__VIDEO_MODEL", "a/b", |s| s.providers.replicate.video_model.as_deref() == Some("a/b")),
    ("FRAMEWRIGHT__PROVIDERS__REPLICATE__IMAGE_INPUT", "input_image", |s| {
        s.providers.replicate.image_input.as_deref() == Some("input_image")
    }),
    ("FRAMEWRIGHT__PROVIDERS__REPLICATE__MAX_CONCURRENT", "3", |s| s.providers.replicate.max_concurrent == 3),
    ("FRAMEWRIGHT__PROVIDERS__HUGGINGFACE__TOKEN", "h", |s| is(s.providers.huggingface.token.as_ref(), "h")),
    ("FRAMEWRIGHT__PROVIDERS__HUGGINGFACE__BASE_URL", "https://a", |s| s.providers.huggingface.base_url == "https://a"),
    ("FRAMEWRIGHT__PROVIDERS__HUGGINGFACE__MODEL", "a/b", |s| s.providers.huggingface.model == "a/b"),
    ("FRAMEWRIGHT__PROVIDERS__HUGGINGFACE__MAX_CONCURRENT", "3", |s| s.providers.huggingface.max_concurrent == 3),
    ("FRAMEWRIGHT__ROUTING__TEXT", "bedrock", |s| s.routing.text == Route::Remote("bedrock".into())),
    ("FRAMEWRIGHT__ROUTING__I2V", "replicate/a/b", |s| s.routing.i2v == Route::Remote("replicate/a/b".into())),
    ("FRAMEWRIGHT__ROUTING__CHARACTERS", "auto", |s| s.routing.characters == Route::Auto),
    ("FRAMEWRIGHT__ROUTING__TASKS", "local", |s| s.routing.tasks == Route::Local),
    ("FRAMEWRIGHT__ROUTING__OVERFLOW_AFTER_SECONDS", "120", |s| s.routing.overflow_after_seconds == Some(120)),
    ("FRAMEWRIGHT__ROUTING__OVERFLOW_MODEL", "pika", |s| s.routing.overflow_model.as_deref() == Some("pika")),
    ("FRAMEWRIGHT__INTERROGATOR__KIND", "none", |s| s.interrogator.kind == InterrogatorKind::None),
    ("FRAMEWRIGHT__INTERROGATOR__REPLICATE_MODEL", "a/b:1", |s| s.interrogator.replicate_model == "a/b:1"),
    ("FRAMEWRIGHT__INTERROGATOR__LOCAL_MODEL", "/blip", |s| s.interrogator.local_model.as_deref() == Some("/blip")),
    ("FRAMEWRIGHT__I2V__CALLBACK_URL", "http://127.0.0.1:1/r", |s| s.i2v.callback_url.as_deref() == Some("http://127.0.0.1:1/r")),
    ("FRAMEWRIGHT__I2V__CALLBACK_KEY", "k", |s| is(s.i2v.callback_key.as_ref(), "k")),
    ("FRAMEWRIGHT__BUDGET__PROVIDERS", "bedrock=50, pika=2.5", |s| s.budget.providers == amounts(&[("bedrock", 50.0), ("pika", 2.5)])),
    ("FRAMEWRIGHT__BUDGET__KEYS", "alice=10", |s| s.budget.keys == amounts(&[("alice", 10.0)])),
    ("FRAMEWRIGHT__BUDGET__PRICES", "bedrock/nova-reel=0.48", |s| s.budget.prices == amounts(&[("bedrock/nova-reel", 0.48)])),
    ("FRAMEWRIGHT__PROVIDERS__BEDROCK__PREFIX", "a/b", |s| s.providers.bedrock.prefix.as_deref() == Some("a/b")),
    ("FRAMEWRIGHT__PROVIDERS__BEDROCK__POLL_SECONDS", "0.5", |s| s.providers.bedrock.poll_seconds == Some(0.5)),
    ("FRAMEWRIGHT__PROVIDERS__BEDROCK__DEADLINE_SECONDS", "60", |s| s.providers.bedrock.deadline_seconds == Some(60.0)),
    ("FRAMEWRIGHT__PROVIDERS__VEO__POLL_SECONDS", "0.5", |s| s.providers.veo.poll_seconds == Some(0.5)),
    ("FRAMEWRIGHT__PROVIDERS__VEO__DEADLINE_SECONDS", "60", |s| s.providers.veo.deadline_seconds == Some(60.0)),
    ("FRAMEWRIGHT__PROVIDERS__PIKA__POLL_SECONDS", "0.5", |s| s.providers.pika.poll_seconds == Some(0.5)),
    ("FRAMEWRIGHT__PROVIDERS__REPLICATE__POLL_SECONDS", "0.5", |s| s.providers.replicate.poll_seconds == Some(0.5)),
    ("FRAMEWRIGHT__PROVIDERS__REPLICATE__DEADLINE_SECONDS", "60", |s| s.providers.replicate.deadline_seconds == Some(60.0)),
    ("FRAMEWRIGHT__BUDGET__EACH_KEY", "5", |s| s.budget.each_key == Some(5.0)),
    ("FRAMEWRIGHT__BUDGET__PRICES_PER_SECOND", "bedrock=0.08", |s| s.budget.prices_per_second == amounts(&[("bedrock", 0.08)])),
];

#[test]
fn every_provider_variable_has_an_effect() {
    acts(&TABLE);
}

#[test]
fn the_old_section_fills_gaps_in_the_new_one() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("settings.toml");
    let text = "[bedrock]\nregion = \"eu-west-1\"\nbucket = \"old\"\n[providers.bedrock]\nbucket = \"new\"\n\
                [budget.prices]\n\"bedrock/nova-reel\" = 0.48\n[budget.providers]\nbedrock = 5\n";
    std::fs::write(&file, text).unwrap();
    let settings = Settings::resolve(Some(&file), []).unwrap();
    let bedrock = &settings.providers.bedrock;
    assert_eq!((bedrock.region.as_deref(), bedrock.bucket.as_deref()), (Some("eu-west-1"), Some("new")));
    assert_eq!((settings.budget.prices["bedrock/nova-reel"], settings.budget.providers["bedrock"]), (0.48, 5.0));
}

#[test]
fn a_provider_setting_error_names_setting_value_limit_and_origin() {
    let refused = |name: &str, value: &str| from_environment(&[(name, value)]).unwrap_err().to_string();
    for (name, value, expected) in [
        ("VIDEO_MAX_CONCURRENT", "0", "setting providers.veo.max_concurrent: 0 is outside 1..=1024 (from VIDEO_MAX_CONCURRENT)"),
        ("MAX_CHECK_TIME", "-1", "setting providers.pika.max_check_time: -1 is outside 0..=86400 (from MAX_CHECK_TIME)"),
        (
            "VEO3_ENDPOINT",
            "v1",
            "setting providers.veo.endpoint: \"v1\" is no path: it begins with a slash, and has no query (from VEO3_ENDPOINT)",
        ),
        (
            "PIKAPI_BASE_URL",
            "pika",
            "setting providers.pika.base_url: \"pika\" is not an http:// or https:// address (from PIKAPI_BASE_URL)",
        ),
        (
            "FRAMEWRIGHT__ROUTING__TEXT",
            "sora",
            "setting routing.text: \"sora\" is none of auto, local, bedrock, veo, pika, replicate, huggingface, or a model of one of them \
             (from FRAMEWRIGHT__ROUTING__TEXT)",
        ),
        (
            "FRAMEWRIGHT__ROUTING__OVERFLOW_MODEL",
            "local",
            "setting routing.overflow_model: \"local\" is no model of bedrock, veo, pika, replicate, huggingface \
             (from FRAMEWRIGHT__ROUTING__OVERFLOW_MODEL)",
        ),
        (
            "FRAMEWRIGHT__BUDGET__PROVIDERS",
            "pika=-1",
            "setting budget.providers: pika: -1 is outside 0..=1000000 (from FRAMEWRIGHT__BUDGET__PROVIDERS)",
        ),
        (
            "FRAMEWRIGHT__INTERROGATOR__KIND",
            "blip",
            "setting interrogator.kind: \"blip\" is none of auto, replicate, local, none (from FRAMEWRIGHT__INTERROGATOR__KIND)",
        ),
    ] {
        assert_eq!(refused(name, value), expected);
    }
    assert!(refused("FRAMEWRIGHT__BUDGET__KEYS", "alice").starts_with("setting budget.keys: invalid type: found string \"alice\""));
}

#[test]
fn no_provider_key_is_printed() {
    for (name, _, _) in TABLE {
        // A budget is set per key, but contains no secret.
        let is_secret = ["KEY", "TOKEN"].iter().any(|word| name.contains(word)) && !name.contains("__BUDGET__");
        if is_secret {
            let settings = from_environment(&[(name, "hunter2")]).unwrap();
            assert!(!format!("{settings:?}").contains("hunter2"), "{name}");
        }
    }
}
