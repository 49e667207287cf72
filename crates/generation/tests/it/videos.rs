//! Videos on the device: the file, failures, resuming a folder of frames, progress.

use std::{fs, path::Path, sync::Arc, time::Duration};

use generation::{
    BackendError, JobOutput, Limits,
    jobs::{Jobs, Work},
    video::{GeneratedVideo, SceneRequest, ScenesRequest, VideoOutput, VideoSpec},
};
use generation_test::{Checked, local};
use video_encode::{Container, PngFolder};

use crate::fake::{held_only, hold};

fn spec(prompt: &str) -> VideoSpec {
    let scene = |prompt: &str| SceneRequest { prompt: Some(prompt.into()), ..SceneRequest::default() };
    let request = ScenesRequest {
        scenes: Some(vec![scene(prompt), scene("a star")]),
        duration_per_scene: Some(0.5),
        transition_frames: Some(2),
        width: Some(64),
        height: Some(48),
        seed: Some(1),
        ..ScenesRequest::default()
    };
    VideoSpec::Scenes(request.validate(&Limits::default()).unwrap())
}

async fn jobs() -> Checked {
    held_only(4, local().await)
}

async fn make(jobs: &Jobs, prompt: &str, output: VideoOutput) -> Result<GeneratedVideo, Arc<BackendError>> {
    let job = hold(jobs, Work::Video(spec(prompt)), Some(output)).await.unwrap();
    match Arc::unwrap_or_clone(job.finished().await?).output {
        JobOutput::Video(video) => Ok(video),
        JobOutput::Images(images) => panic!("{images:?}"),
    }
}

fn files(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_video_is_written_with_its_poster_and_contact_sheet() {
    let (jobs, folder) = (jobs().await, tempfile::tempdir().unwrap());
    let output = VideoOutput {
        poster: Some(folder.path().join("poster.png")),
        contact_sheet: Some(folder.path().join("sheet.png")),
        ..VideoOutput::new(folder.path().join("a.mp4")).unwrap()
    };
    let video = make(&jobs, "a boat", output).await.unwrap();
    assert_eq!(files(folder.path()), ["a.mp4", "poster.png", "sheet.png"]);
    assert_eq!((video.shape.frames, video.shape.fps.to_string().as_str()), (26, "24"));
    assert_eq!(video.bytes, fs::metadata(&video.path).unwrap().len());
    let poster = image::open(folder.path().join("poster.png")).unwrap().to_rgb8();
    assert_eq!((poster.dimensions(), poster.get_pixel(0, 0).0), ((64, 48), [0, 1, 2]));
}

#[tokio::test]
async fn a_job_that_fails_leaves_no_file_and_the_next_one_works() {
    let (jobs, folder) = (jobs().await, tempfile::tempdir().unwrap());
    let output = || VideoOutput::new(folder.path().join("a.mp4")).unwrap();
    assert!(matches!(*make(&jobs, "panic", output()).await.unwrap_err(), BackendError::Internal(_)));
    assert!(matches!(*make(&jobs, "broken", output()).await.unwrap_err(), BackendError::Model(_)));
    assert_eq!(files(folder.path()), [""; 0]);
    make(&jobs, "a boat", output()).await.unwrap();
    assert_eq!(files(folder.path()), ["a.mp4"]);
}

#[tokio::test]
async fn an_unwritable_folder_is_reported_before_the_first_frame() {
    let (jobs, folder) = (jobs().await, tempfile::tempdir().unwrap());
    fs::write(folder.path().join("file"), "").unwrap();
    // "panic" would panic at its first frame.
    let error = make(&jobs, "panic", VideoOutput::new(folder.path().join("file/a.mp4")).unwrap()).await.unwrap_err();
    assert!(matches!(*error, BackendError::Video(_)), "{error:?}");
    assert!(error.to_string().contains("file"), "{error}");
}

#[tokio::test]
async fn dropping_a_video_stops_it_and_leaves_nothing() {
    let (jobs, folder) = (jobs().await, tempfile::tempdir().unwrap());
    let job = hold(&jobs, Work::Video(spec("slow")), Some(VideoOutput::new(folder.path().join("a.mp4")).unwrap())).await.unwrap();
    let mut progress = job.progress();
    let seen = *progress.wait_for(|progress| progress.frame >= 3).await.unwrap();
    assert_eq!((seen.parts, seen.frames, seen.step, seen.steps), (2, 26, 3, 3));
    assert!(seen.share > 0.0);
    drop(job);
    generation_test::eventually("the place is free", || jobs.active() == 0).await;
    assert_eq!(files(folder.path()), [""; 0]);
}

#[tokio::test]
async fn existing_frames_are_not_made_again() {
    let (jobs, folder) = (jobs().await, tempfile::tempdir().unwrap());
    let out = folder.path().join("frames");
    let output =
        || VideoOutput { container: Container::PngFolder, resume: Some(PngFolder::whole_frames(&out)), ..VideoOutput::new(&out).unwrap() };
    make(&jobs, "a boat", output()).await.unwrap();
    let read = |frame: u64| fs::read(out.join(PngFolder::frame_name(frame))).unwrap();
    let whole: Vec<Vec<u8>> = (0..26).map(read).collect();
    let written = |frame: u64| fs::metadata(out.join(PngFolder::frame_name(frame))).unwrap().modified().unwrap();
    let before = written(9);
    // As a kill leaves it: complete frames up to a torn one.
    fs::write(out.join(PngFolder::frame_name(10)), &whole[10][..20]).unwrap();
    std::thread::sleep(Duration::from_millis(20));
    make(&jobs, "a boat", output()).await.unwrap();
    assert_eq!((0..26).map(read).collect::<Vec<_>>(), whole);
    assert_eq!(written(9), before);
    assert!(written(10) > before);
    // All frames exist: nothing is made, not even by a model that would fail at its first frame.
    assert_eq!(make(&jobs, "panic", output()).await.unwrap().shape.frames, 26);
}
