//! Videos with adapters on a real model: those of the request, those of tags, and what is refused.

use std::fs;

use generation::{
    BackendError, FieldError, JobContext, Limits, LocalBackend,
    video::{ClipRequest, ClipRules, FpsRequest, SceneRequest, ScenesRequest, ScenesSpec, VideoSpec},
};

use crate::{adapters::Folder, fake::video};

/// A video of two scenes with these prompts.
fn scenes(prompts: [&str; 2], loras: Option<&[&str]>) -> ScenesRequest {
    let scene = |prompt: &str| SceneRequest { prompt: Some(prompt.into()), ..SceneRequest::default() };
    ScenesRequest {
        scenes: Some(prompts.map(scene).into()),
        loras: loras.map(|loras| loras.iter().map(|text| text.parse().unwrap()).collect()),
        num_inference_steps: Some(1),
        duration_per_scene: Some(0.2),
        fps: Some(FpsRequest::Number(10.0)),
        width: Some(64),
        height: Some(64),
        transition_frames: Some(0),
        seed: Some(5),
        ..ScenesRequest::default()
    }
}

fn scenes_spec(local: &LocalBackend, mut request: ScenesRequest) -> Result<ScenesSpec, Vec<FieldError>> {
    request.fill_in(&local.model().unwrap());
    request.validate(&Limits::default())
}

/// The first frame of a video, as a file of its own.
async fn first_frame(local: &LocalBackend, spec: ScenesSpec) -> Result<Vec<u8>, BackendError> {
    let folder = tempfile::tempdir().unwrap();
    let frames = folder.path().join("frames/");
    let video = video(local, VideoSpec::Scenes(spec), &frames, JobContext::default()).await?;
    Ok(fs::read(video.path.join("frame-000000.png")).unwrap())
}

#[tokio::test]
async fn a_video_is_made_with_the_adapters_of_its_request_or_of_its_tags() {
    let folder = Folder::new("scenes");
    let local = folder.backend(&["ink:0.4"]).await;
    let frame = async |prompts, loras| first_frame(&local, scenes_spec(&local, scenes(prompts, loras)).unwrap()).await.unwrap();
    let plain = ["a boat", "a red boat"];
    let (usual, none) = (frame(plain, None).await, frame(plain, Some(&[])).await);
    let inked = frame(plain, Some(&["ink:0.9"])).await;
    assert!(usual != none && inked != none && inked != usual);
    assert!(usual == frame(plain, Some(&["ink:0.4"])).await);
    // Tags leave the prompts, and add to the others.
    let tagged = frame(["a boat<lora:ink:0.9>", "a red boat<lora:ink:0.9>"], Some(&[])).await;
    assert!(tagged == inked);
    let hero = ScenesRequest { hero_description: Some("<lora:ink:0.9>".into()), ..scenes(plain, Some(&[])) };
    assert!(first_frame(&local, scenes_spec(&local, hero).unwrap()).await.unwrap() == inked);
    let stored = serde_json::to_string(&scenes_spec(&local, scenes(plain, Some(&["ink:0.9"]))).unwrap()).unwrap();
    assert_eq!(serde_json::from_str::<ScenesSpec>(&stored).unwrap().loras().unwrap()[0].to_string(), "ink:0.9:0.9");
}

#[tokio::test]
async fn scenes_with_other_tags_and_choices_that_are_not_there_are_refused() {
    let folder = Folder::new("other-tags");
    let local = folder.backend(&[]).await;
    let faults = |request: ScenesRequest| {
        let errors = scenes_spec(&local, request).unwrap_err();
        errors.iter().map(|error| (error.field, error.scene, error.message.clone())).collect::<Vec<_>>()
    };
    let [(field, scene, message)] = &faults(scenes(["a <lora:ink:1>", "b"], None))[..] else { panic!("one fault") };
    assert_eq!((*field, *scene), ("prompt", Some(1)));
    assert!(
        message.contains("it has no tag, and the first scene has <lora:ink:1>: all scenes of a video are made with the same"),
        "{message}"
    );
    let [(field, ..)] = &faults(scenes(["<lora:ink:1>", "b<lora:ink:1>"], None))[..] else { panic!("one fault") };
    assert_eq!(*field, "prompt");
    assert_eq!(faults(scenes(["a", "b"], Some(&["nothing"])))[0].0, "loras");
    assert_eq!(faults(scenes(["a <lora:nothing:1>", "b <lora:nothing:1>"], None))[0].0, "scenes");
    assert_eq!(faults(ScenesRequest { vae: Some("tiny".into()), ..scenes(["a", "b"], None) })[0].0, "vae");
    assert_eq!(faults(ScenesRequest { vae: Some("huge".into()), ..scenes(["a", "b"], None) })[0].0, "vae");
    let mut clip = ClipRequest {
        image: Some(image::RgbImage::new(64, 64)),
        prompt: Some("a boat <lora:nothing:1>".into()),
        seed: Some(1),
        ..ClipRequest::default()
    };
    clip.fill_in(&local.model().unwrap());
    assert_eq!(clip.clone().validate(&ClipRules::default(), &Limits::default()).unwrap_err()[0].field, "prompt");
    clip.prompt = Some("a boat <lora:ink:0.5>".into());
    let spec = clip.validate(&ClipRules::default(), &Limits::default()).unwrap();
    let repaint = spec.repaint().unwrap();
    assert_eq!((repaint.prompt(), repaint.loras().unwrap()[0].to_string()), ("a boat ", "ink:0.5:0.5".to_owned()));
}
