//! Videos from the request to the file, and requests that must be sent only once.

use remote_fakes::{Fault, bedrock::OWNER};
use remote_providers::{
    Bedrock, BedrockSettings, DownloadLimits, ErrorKind, Provider as _, RemoteState, Shot, Started, Status, VideoRequest,
};
use serde_json::{Map, Value, json};
use std::time::Duration;

use super::{BUCKET, World, fetch, fresh, images, text};

/// Each task with its expected input.
fn tasks() -> Vec<(VideoRequest, Value)> {
    let config = |more: Value| {
        let mut config = json!({"fps": 24, "dimension": "1280x720"});
        config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        config
    };
    let shot = |text: &str| Shot { text: text.to_owned(), image: None };
    let long = "snow ".repeat(200);
    vec![
        (
            text(),
            json!({"taskType": "TEXT_VIDEO", "textToVideoParams": {"text": "a red fox in the snow"},
                "videoGenerationConfig": config(json!({"durationSeconds": 6}))}),
        ),
        (
            VideoRequest { image: Some(images::frame()), seed: Some(2_147_483_646), seconds: Some(6), fps: Some(24), ..text() },
            json!({"taskType": "TEXT_VIDEO", "textToVideoParams": {"text": "a red fox in the snow", "images": [images::input()]},
                "videoGenerationConfig": config(json!({"durationSeconds": 6, "seed": 2_147_483_646}))}),
        ),
        (
            VideoRequest { seconds: Some(120), size: Some((1280, 720)), ..text() },
            json!({"taskType": "MULTI_SHOT_AUTOMATED", "multiShotAutomatedParams": {"text": "a red fox in the snow"},
                "videoGenerationConfig": config(json!({"durationSeconds": 120}))}),
        ),
        (
            VideoRequest { prompt: long.clone(), ..text() },
            json!({"taskType": "MULTI_SHOT_AUTOMATED", "multiShotAutomatedParams": {"text": long},
                "videoGenerationConfig": config(json!({"durationSeconds": 12}))}),
        ),
        (
            VideoRequest {
                prompt: String::new(),
                shots: vec![shot("a fox"), Shot { image: Some(images::frame()), ..shot("the fox runs") }],
                seconds: Some(12),
                seed: Some(0),
                ..VideoRequest::default()
            },
            json!({"taskType": "MULTI_SHOT_MANUAL",
                "multiShotManualParams": {"shots": [{"text": "a fox"}, {"text": "the fox runs", "image": images::input()}]},
                "videoGenerationConfig": config(json!({"seed": 0}))}),
        ),
    ]
}

#[tokio::test]
async fn every_task_runs_from_the_request_to_the_file() {
    let folder = tempfile::tempdir().unwrap();
    for (index, (request, input)) in tasks().into_iter().enumerate() {
        let world = World::new().await;
        let video: Vec<u8> = (0..3_000_000_u32).map(|at| (at % 251) as u8).collect();
        world.bedrock.set_video(video.clone());
        world.bedrock.set_polls(3);
        let provider = world.provider().await;
        provider.check("nova-reel", &request).unwrap();
        let finished = world.run(&provider, &request, fresh("job-1")).await.unwrap();
        let id = finished.id.clone();
        assert_eq!(id, format!("arn:aws:bedrock:us-east-1:{OWNER}:async-invoke/fake00000001"));
        let file = folder.path().join(format!("{index}.mp4"));
        assert_eq!(fetch(finished, &DownloadLimits::default(), &file).await.unwrap(), 3_000_000);
        assert_eq!(std::fs::read(&file).unwrap(), video);

        let body = json!({
            "clientRequestToken": "job-1",
            "modelId": "amazon.nova-reel-v1:1",
            "modelInput": input,
            "outputDataConfig": {"s3OutputDataConfig": {"s3Uri": format!("s3://{BUCKET}/clips")}},
        });
        assert_eq!(world.starts().iter().map(|start| start.json()).collect::<Vec<_>>(), [body]);
        // One poll per InProgress, and one for the final status.
        let polls: Vec<_> = world.bedrock.requests().into_iter().filter(|request| request.method == "GET").collect();
        assert_eq!(polls.len(), 4);
        assert!(polls.iter().all(|poll| poll.path == format!("/async-invoke/{}", id.replace(':', "%3A").replace('/', "%2F"))));
        let asked = RemoteState { asked: true, ..fresh("job-1") };
        assert_eq!(world.states(), [asked.clone(), RemoteState { id: Some(id), ..asked }]);
        // The video is fetched once, with the link alone.
        let fetches = world.s3.requests();
        assert_eq!(fetches.iter().map(|fetch| fetch.path.as_str()).collect::<Vec<_>>(), ["/fw-videos/clips/fake00000001/output.mp4"]);
        assert!(fetches[0].header("authorization").is_none() && fetches[0].query_value("X-Amz-Signature").is_some());
    }
}

#[tokio::test]
async fn an_option_selects_the_task_if_two_are_possible() {
    let world = World::new().await;
    let provider = world.provider().await;
    let options = Map::from_iter([("taskType".to_owned(), json!("MULTI_SHOT_AUTOMATED"))]);
    world.run(&provider, &VideoRequest { options, ..text() }, fresh("job-1")).await.unwrap();
    assert_eq!(world.starts()[0].json()["modelInput"]["taskType"], "MULTI_SHOT_AUTOMATED");
}

#[tokio::test]
async fn a_bucket_needs_no_prefix_and_a_model_may_have_any_id() {
    let world = World::new().await;
    let models = [("nova-reel".to_owned(), "amazon.nova-reel-v1:0".to_owned())].into();
    let provider = Bedrock::connect(BedrockSettings { prefix: None, models, ..world.settings() }).await.unwrap();
    let finished = world.run(&provider, &text(), fresh("job-1")).await.unwrap();
    let start = world.starts()[0].json();
    assert_eq!(start["modelId"], "amazon.nova-reel-v1:0");
    assert_eq!(start.pointer("/outputDataConfig/s3OutputDataConfig/s3Uri").unwrap(), &format!("s3://{BUCKET}"));
    let file = tempfile::NamedTempFile::new().unwrap();
    fetch(finished, &DownloadLimits::default(), file.path()).await.unwrap();
    assert_eq!(world.s3.keys(BUCKET).len(), 3);
    assert!(world.s3.requests()[0].path.starts_with("/fw-videos/fake00000001/"));
}

#[tokio::test]
async fn two_starts_with_one_token_make_one_video_and_send_the_same_bytes() {
    let world = World::new().await;
    let provider = world.provider().await;
    let request = VideoRequest { image: Some(images::frame()), seed: Some(7), ..text() };
    let mut ids = Vec::new();
    for _ in 0..6 {
        match provider.start("", &request, "job-1").await.unwrap() {
            Started::Pending(id) => ids.push(id),
            Started::Finished(..) => panic!("finished at the start"),
        }
    }
    ids.dedup();
    assert_eq!((ids.len(), world.bedrock.begun()), (1, 1));
    let starts = world.starts();
    assert!(starts.iter().all(|start| start.body == starts[0].body));

    // The same token with other parameters is refused, and the state of the first job is unknown.
    let error = world.run(&provider, &text(), fresh("job-1")).await.unwrap_err();
    assert_eq!((error.kind, error.code.as_deref()), (ErrorKind::Uncertain, Some("ConflictException")), "{error}");
    provider.start("", &request, "job-2").await.unwrap();
    assert_eq!(world.bedrock.begun(), 2);
}

#[tokio::test]
async fn a_lost_start_is_retried_and_billed_once() {
    let lost = [
        ("stalled", Fault::Stall),
        ("broken off before its head", Fault::CloseAfterBytes(0)),
        ("broken off", Fault::CloseAfterBytes(10)),
        ("a fault after the start", Fault::StatusAfter(500, "InternalServerException")),
    ];
    for (name, fault) in lost {
        let world = World::new().await;
        // Long enough for a slow machine to answer the second start.
        let timeout = if fault == Fault::Stall { Duration::from_secs(3) } else { Duration::from_secs(60) };
        let provider = Bedrock::connect(BedrockSettings { timeout, ..world.settings() }).await.unwrap();
        world.bedrock.faults.push("start", fault);
        world.run(&provider, &text(), fresh("job-1")).await.unwrap();
        assert_eq!((world.starts().len(), world.bedrock.begun()), (2, 1), "{name}");
        assert!(world.bedrock.faults.all_taken(), "{name}");
    }
}

#[tokio::test]
async fn a_job_is_resumed_from_its_stored_state() {
    let world = World::new().await;
    world.bedrock.set_polls(0);
    let first = world.run(&world.provider().await, &text(), fresh("job-1")).await.unwrap();

    // By its id, even with changed settings.
    let moved = BedrockSettings { bucket: "another-bucket".to_owned(), prefix: None, ..world.settings() };
    let provider = Bedrock::connect(moved).await.unwrap();
    let known = RemoteState { asked: true, id: Some(first.id.clone()), ..fresh("job-1") };
    let second = world.run(&provider, &text(), known).await.unwrap();
    assert_eq!((second.id.as_str(), world.starts().len()), (first.id.as_str(), 1));
    let file = tempfile::NamedTempFile::new().unwrap();
    assert!(fetch(second, &DownloadLimits::default(), file.path()).await.unwrap() > 0);

    // By its token, if the program exited before the answer arrived.
    let asked = RemoteState { asked: true, ..fresh("job-1") };
    let third = world.run(&world.provider().await, &text(), asked).await.unwrap();
    assert_eq!((third.id, world.bedrock.begun()), (first.id, 1));
}

#[tokio::test]
async fn each_status_is_interpreted() {
    let world = World::new().await;
    let provider = world.provider().await;
    let Started::Pending(id) = provider.start("", &text(), "job-1").await.unwrap() else { panic!("finished at the start") };
    assert!(matches!(provider.poll(&id).await.unwrap(), Status::Pending(None)));
    assert!(matches!(provider.poll(&id).await.unwrap(), Status::Finished(_)));
    // A finished job stays finished, and cancelling it sends nothing, because there is no such call.
    let before = world.bedrock.requests().len();
    provider.cancel(&id).await.unwrap();
    assert_eq!(world.bedrock.requests().len(), before);
    assert!(matches!(provider.poll(&id).await.unwrap(), Status::Finished(_)));
}

#[tokio::test]
async fn the_reason_of_a_failure_is_kept() {
    let world = World::new().await;
    let provider = world.provider().await;
    let reason = "Failed to write output to S3. Please check the permissions of the bucket fw-videos.";
    world.bedrock.faults.push("start", Fault::Failed(reason));
    let error = world.run(&provider, &text(), fresh("job-1")).await.unwrap_err();
    assert_eq!((error.kind, error.reason.as_str()), (ErrorKind::Failed, reason));
    assert!(error.to_string().contains(reason) && !error.is_retryable());
}
