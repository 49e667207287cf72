//! Bedrock's and Nova Reel's checks of a request's body.

use std::io::Cursor;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use image::{DynamicImage, ImageFormat, RgbImage, RgbaImage};
use remote_fakes::aws::SignedRequest;
use serde_json::{Value, json};

use super::{BUCKET, World, assert_refused, but, text_video};

fn with_input(input: Value) -> Value {
    let mut body = text_video();
    body["modelInput"] = input;
    body
}

fn automated(seconds: u32) -> Value {
    with_input(json!({
        "taskType": "MULTI_SHOT_AUTOMATED",
        "multiShotAutomatedParams": {"text": "a fox"},
        "videoGenerationConfig": {"durationSeconds": seconds, "fps": 24, "dimension": "1280x720"},
    }))
}

fn manual(shots: usize) -> Value {
    let shots: Vec<_> = (0..shots).map(|index| json!({"text": format!("shot {index}")})).collect();
    with_input(json!({
        "taskType": "MULTI_SHOT_MANUAL",
        "multiShotManualParams": {"shots": shots},
        "videoGenerationConfig": {"fps": 24, "dimension": "1280x720"},
    }))
}

fn file(image: impl Into<DynamicImage>, format: ImageFormat) -> String {
    let mut bytes = Cursor::new(Vec::new());
    image.into().write_to(&mut bytes, format).unwrap();
    STANDARD.encode(bytes.into_inner())
}

fn with_image(format: &str, bytes: &str) -> Value {
    let images = json!([{"format": format, "source": {"bytes": bytes}}]);
    but(text_video(), "/modelInput/textToVideoParams/images", images)
}

#[tokio::test]
async fn correct_requests_are_carried_out() {
    let world = World::new().await;
    let right = file(RgbImage::new(1280, 720), ImageFormat::Png);
    let opaque = file(RgbaImage::from_pixel(1280, 720, image::Rgba([9, 9, 9, 255])), ImageFormat::Png);
    let bodies = [
        text_video(),
        but(text_video(), "/modelInput/videoGenerationConfig/seed", json!(null)),
        but(text_video(), "/modelInput/videoGenerationConfig/seed", json!(2_147_483_646)),
        but(text_video(), "/modelInput/textToVideoParams/text", json!("\u{96ea}".repeat(512))),
        but(text_video(), "/outputDataConfig/s3OutputDataConfig/s3Uri", json!(format!("s3://{BUCKET}"))),
        but(text_video(), "/modelId", json!("amazon.nova-reel-v1:0")),
        but(text_video(), "/tags", json!([{"key": "job", "value": "1"}])),
        with_image("png", &right),
        with_image("png", &opaque),
        with_image("jpeg", &file(RgbImage::new(1280, 720), ImageFormat::Jpeg)),
        automated(12),
        automated(120),
        manual(2),
        manual(20),
        but(
            manual(2),
            "/modelInput/multiShotManualParams/shots",
            json!([{"text": "a", "image": {"format": "png", "source": {"bytes": right}}}, {"text": "b"}]),
        ),
    ];
    let count = bodies.len();
    for (index, body) in bodies.into_iter().enumerate() {
        let body = but(body, "/clientRequestToken", json!(format!("token-{index}")));
        let answer = world.send(&world.start(&body)).await;
        assert_eq!(answer.status, 200, "{index}: {}", answer.text());
    }
    assert_eq!(world.bedrock.begun(), count);
    let arn = world.begin().await;
    let answer = world.send(&world.get(&arn)).await;
    assert_eq!((answer.status, answer.json()["status"].as_str().unwrap()), (200, "InProgress"));
}

#[tokio::test]
async fn each_mistake_in_the_body_is_a_validation_exception() {
    let world = World::new().await;
    let config = "/modelInput/videoGenerationConfig";
    let uri = "/outputDataConfig/s3OutputDataConfig/s3Uri";
    let black = RgbImage::new(1280, 720);
    let clear = RgbaImage::new(1280, 720);
    let table = [
        ("513 characters", but(text_video(), "/modelInput/textToVideoParams/text", json!("x".repeat(513))), "513"),
        ("no characters", but(text_video(), "/modelInput/textToVideoParams/text", json!("")), "#/textToVideoParams/text"),
        ("no text", but(text_video(), "/modelInput/textToVideoParams/text", json!(null)), "text"),
        ("4001 characters", but(automated(12), "/modelInput/multiShotAutomatedParams/text", json!("x".repeat(4001))), "4001"),
        ("durationSeconds of seven", but(text_video(), &format!("{config}/durationSeconds"), json!(7)), "durationSeconds"),
        ("durationSeconds left out", but(text_video(), &format!("{config}/durationSeconds"), json!(null)), "durationSeconds"),
        ("durationSeconds on MULTI_SHOT_MANUAL", but(manual(2), &format!("{config}/durationSeconds"), json!(12)), "[durationSeconds]"),
        ("13 seconds automated", automated(13), "durationSeconds"),
        ("126 seconds automated", automated(126), "durationSeconds"),
        ("another rate", but(text_video(), &format!("{config}/fps"), json!(30)), "#/videoGenerationConfig/fps"),
        ("another size", but(text_video(), &format!("{config}/dimension"), json!("1920x1080")), "#/videoGenerationConfig/dimension"),
        ("seed too large", but(text_video(), &format!("{config}/seed"), json!(2_147_483_647_u32)), "2147483647"),
        ("seed below zero", but(text_video(), &format!("{config}/seed"), json!(-1)), "#/videoGenerationConfig/seed"),
        ("seed as text", but(text_video(), &format!("{config}/seed"), json!("42")), "#/videoGenerationConfig/seed"),
        ("unknown task", but(text_video(), "/modelInput/taskType", json!("VIDEO_TEXT")), "VIDEO_TEXT"),
        ("no task", but(text_video(), "/modelInput/taskType", json!(null)), "#/taskType"),
        ("a field that the model lacks", but(text_video(), "/modelInput/cfgScale", json!(7)), "[cfgScale]"),
        ("another task's fields", but(text_video(), "/modelInput/multiShotManualParams", json!({})), "[multiShotManualParams]"),
        ("one shot", manual(1), "minimum item count: 2"),
        ("21 shots", manual(21), "maximum item count: 20"),
        ("several shots of version one", but(manual(2), "/modelId", json!("amazon.nova-reel-v1:0")), "MULTI_SHOT_MANUAL"),
        ("bad base64", with_image("png", "@@@@"), "base64"),
        ("a data URL", with_image("png", &format!("data:image/png;base64,{}", file(black.clone(), ImageFormat::Png))), "base64"),
        ("no image", with_image("png", &STANDARD.encode(b"<html>")), "not a valid Png"),
        ("another format", with_image("jpeg", &file(black.clone(), ImageFormat::Png)), "not a valid Jpeg"),
        ("an unknown format", with_image("webp", &file(black, ImageFormat::Png)), "png or jpeg"),
        ("another image size", with_image("png", &file(RgbImage::new(1024, 576), ImageFormat::Png)), "1024x576"),
        ("transparent pixels", with_image("png", &file(clear, ImageFormat::Png)), "transparent"),
        ("two images", but(with_image("png", ""), "/modelInput/textToVideoParams/images", json!([{}, {}])), "exactly 1"),
        ("no outputDataConfig", but(text_video(), "/outputDataConfig", json!(null)), "outputDataConfig"),
        ("no s3Uri", but(text_video(), uri, json!(null)), "s3Uri"),
        ("an https address for S3", but(text_video(), uri, json!("https://fw-videos.s3.amazonaws.com/")), "s3://"),
        ("no bucket", but(text_video(), uri, json!("s3:///clips")), "s3Uri"),
        ("capital letters in a bucket", but(text_video(), uri, json!("s3://FW-videos")), "FW-videos"),
        ("a bucket that there is not", but(text_video(), uri, json!("s3://another-bucket")), "Output Config"),
        ("no model", but(text_video(), "/modelId", json!(null)), "modelId"),
        ("an unknown model", but(text_video(), "/modelId", json!("amazon.nova-reel-v9:9")), "model identifier is invalid"),
        ("a model with a space", but(text_video(), "/modelId", json!("nova reel")), "regular expression"),
        ("a token with a space", but(text_video(), "/clientRequestToken", json!("a b")), "clientRequestToken"),
        ("a token that is too long", but(text_video(), "/clientRequestToken", json!("x".repeat(257))), "clientRequestToken"),
        ("an unknown field", but(text_video(), "/modelID", json!("x")), "modelID"),
    ];
    for (name, body, words) in table {
        assert_refused(&world.send(&world.start(&body)).await, name, 400, "ValidationException", words);
    }
    assert_eq!(world.bedrock.begun(), 0);
}

#[tokio::test]
async fn bodies_that_are_not_json_are_refused_by_type_or_bytes() {
    let world = World::new().await;
    let mut typed = world.start(&text_video());
    typed.headers[0].1 = "text/plain".to_owned();
    let answer = world.send(&typed).await;
    assert_refused(&answer, "another content type", 404, "UnknownOperationException", "application/json");
    let mut broken = world.start(&text_video());
    broken.body.pop();
    assert_refused(&world.send(&broken).await, "cut JSON", 400, "SerializationException", "JSON");
    broken.body = b"[]".to_vec();
    assert_refused(&world.send(&broken).await, "an array", 400, "SerializationException", "JSON");
    let put = SignedRequest { method: "PUT", ..world.start(&text_video()) };
    assert_refused(&world.send(&put).await, "another method", 404, "UnknownOperationException", "not recognized");
}

#[tokio::test]
async fn a_reused_token_gives_the_same_video_or_a_conflict() {
    let world = World::new().await;
    let arn = world.begin().await;
    assert_eq!(world.begin().await, arn);
    let other = but(text_video(), "/modelInput/videoGenerationConfig/seed", json!(43));
    assert_refused(&world.send(&world.start(&other)).await, "another request", 400, "ConflictException", "clientRequestToken");
    assert_eq!(world.bedrock.begun(), 1);
}
