//! Jobs of the embedded models that are interrupted at every possible point and resumed from a journal: the bytes are the same, and no
//! finished piece is made twice.

use std::{fs, ops::ControlFlow, path::Path};

use diffusion_core::{
    Error,
    denoise::{StepMonitor, StepReport},
    error::BoxError,
    frames::FrameSink,
    journal::{Journal, Run},
    pipelines::{RunContext, VideoContext, VideoMonitor, VideoProgress, nano_sd, nano_svd},
    policy::ExecutionPolicy,
};
use generation::{
    DeviceModel, FolderJournal, ImageRequest, JobContext, Limits, LoadedModel, LocalBackend, LocalSettings,
    video::{AnimationRequest, FpsRequest, MotionRequest, SceneRequest, ScenesRequest, VideoSpec},
};
use image::{GrayImage, Luma, Rgb, RgbImage};

use crate::fake::video;

fn load() -> diffusion_core::Result<LoadedModel> {
    LoadedModel::load(&nano_sd(), &ExecutionPolicy::cpu_f32(), Box::new(nano_svd()), None)
}

fn model() -> Box<dyn DeviceModel> {
    load().unwrap().model
}

fn motion(num_frames: i128) -> MotionRequest {
    MotionRequest {
        num_frames: Some(num_frames),
        num_inference_steps: Some(2),
        conditioning_fps: Some(5),
        decode_chunk_size: Some(2),
        ..MotionRequest::default()
    }
}

/// Still scenes with a crossfade and a latent interpolation, a cut, and two moving scenes, one of them in several runs.
fn scenes() -> VideoSpec {
    let scene = |prompt: &str, join: &str| SceneRequest {
        prompt: Some(prompt.into()),
        join: Some(join.into()),
        duration: Some(0.25),
        ..SceneRequest::default()
    };
    let moving =
        |prompt: &str, seconds: f64| SceneRequest { source: Some("moving".into()), duration: Some(seconds), ..scene(prompt, "crossfade") };
    let request = ScenesRequest {
        scenes: Some(vec![
            scene("a red circle on a blue background", "crossfade"),
            scene("a star", "slerp"),
            scene("a sunrise over mountains", "cut"),
            moving("a boat on the sea at noon", 0.9),
            moving("a yellow triangle", 0.5),
        ]),
        num_inference_steps: Some(2),
        scheduler: Some("euler-ancestral".into()),
        fps: Some(FpsRequest::Number(8.0)),
        width: Some(64),
        height: Some(48),
        transition_frames: Some(3),
        seed: Some(3),
        motion: motion(3),
        ..ScenesRequest::default()
    };
    VideoSpec::Scenes(request.validate(&Limits::default()).unwrap())
}

fn animation() -> VideoSpec {
    let request = AnimationRequest { image: Some(painted()), motion: motion(5), seed: Some(4), ..AnimationRequest::default() };
    VideoSpec::Animation(request.validate(&Limits::default()).unwrap())
}

fn painted() -> RgbImage {
    RgbImage::from_fn(128, 128, |x, y| Rgb([(2 * x) as u8, (2 * y) as u8, 90]))
}

/// Counts the model's steps and interrupts at a report.
#[derive(Default)]
struct Watcher {
    reports: usize,
    /// The report at which it interrupts; `None` for never.
    stop_at: Option<usize>,
    steps: usize,
    last: Option<VideoProgress>,
    /// Steps of the interrupted run, which are lost.
    lost: usize,
}

impl VideoMonitor for Watcher {
    fn on_progress(&mut self, progress: &VideoProgress) -> ControlFlow<()> {
        // A start has no step yet, and a new frame is not a step.
        let is_step = progress.step > 0 && self.last.is_none_or(|last| last.frame == progress.frame);
        self.steps += usize::from(is_step);
        self.reports += 1;
        assert!(progress.work_done <= progress.work_total);
        assert!(self.last.is_none_or(|last| last.work_done <= progress.work_done), "{progress:?} after {:?}", self.last);
        self.last = Some(*progress);
        if self.stop_at == Some(self.reports) {
            self.lost = if is_step { progress.step } else { 0 };
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    }
}

/// A sink that accepts a limited number of frames.
#[derive(Default)]
struct LimitedSink {
    frames: Vec<RgbImage>,
    room: Option<usize>,
}

impl FrameSink for LimitedSink {
    fn push(&mut self, frame: RgbImage) -> Result<(), BoxError> {
        if self.room == Some(self.frames.len()) {
            return Err("no space left".into());
        }
        self.frames.push(frame);
        Ok(())
    }
}

struct Attempt {
    watcher: Watcher,
    frames: Vec<RgbImage>,
    outcome: diffusion_core::Result<()>,
}

fn attempt(model: &mut dyn DeviceModel, spec: &VideoSpec, folder: &Path, stop_at: Option<usize>, room: Option<usize>) -> Attempt {
    let mut watcher = Watcher { stop_at, ..Watcher::default() };
    let mut sink = LimitedSink { frames: Vec::new(), room };
    let mut journal = FolderJournal::new(folder);
    let context = VideoContext::new(&mut watcher, &mut sink).with_journal(&mut journal);
    let outcome = model.video(spec, 0, context).map(|_| ());
    Attempt { watcher, frames: sink.frames, outcome }
}

/// The frames of an uninterrupted video, and the model's steps for it; without a journal.
fn uninterrupted(model: &mut dyn DeviceModel, spec: &VideoSpec) -> (Vec<RgbImage>, usize) {
    let (mut watcher, mut frames) = (Watcher::default(), Vec::new());
    model.video(spec, 0, VideoContext::new(&mut watcher, &mut frames)).unwrap();
    (frames, watcher.steps)
}

fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// Interrupts at the first report, resumes and interrupts at the second, and so on to the end: every start, step and frame, with every set
/// of kept pieces.
fn resumes_after_an_interruption_at_every_report(spec: &VideoSpec) {
    let mut model = model();
    let (whole, steps) = uninterrupted(model.as_mut(), spec);
    let folder = tempfile::tempdir().unwrap();
    let (mut total, mut lost) = (0, 0);
    for stop_at in 1.. {
        let attempt = attempt(model.as_mut(), spec, folder.path(), Some(stop_at), None);
        total += attempt.watcher.steps;
        lost += attempt.watcher.lost;
        assert!(whole.starts_with(&attempt.frames), "broken at report {stop_at}");
        match attempt.outcome {
            Err(Error::Cancelled) => {}
            other => {
                other.unwrap();
                assert!(stop_at > 5, "only {stop_at} breaks");
                assert_eq!(attempt.frames.len(), whole.len());
                let last = attempt.watcher.last.unwrap();
                assert_eq!((last.frame, last.work_done), (whole.len(), last.work_total));
                break;
            }
        }
    }
    assert_eq!(total, steps + lost, "no step that was kept is made again");
}

#[test]
fn a_video_of_scenes_resumes_after_an_interruption_at_every_report() {
    resumes_after_an_interruption_at_every_report(&scenes());
}

#[test]
fn an_animation_resumes_after_an_interruption_at_every_report() {
    resumes_after_an_interruption_at_every_report(&animation());
}

#[test]
fn a_video_resumes_after_the_sink_failed_at_every_frame() {
    let mut model = model();
    for spec in [scenes(), animation()] {
        let (whole, steps) = uninterrupted(model.as_mut(), &spec);
        let folder = tempfile::tempdir().unwrap();
        let mut total = 0;
        for room in 0..=whole.len() {
            let attempt = attempt(model.as_mut(), &spec, folder.path(), None, Some(room));
            total += attempt.watcher.steps;
            assert!(attempt.frames == whole[..room], "room for {room}");
            assert_eq!(attempt.outcome.is_ok(), room == whole.len());
        }
        assert_eq!(total, steps, "a frame that is refused costs no step");
    }
}

#[test]
fn only_lost_pieces_of_a_journal_are_made_again() {
    let mut model = model();
    for spec in [scenes(), animation()] {
        let (whole, steps) = uninterrupted(model.as_mut(), &spec);
        let folder = tempfile::tempdir().unwrap();
        let mut again = |what: &str| {
            let attempt = attempt(model.as_mut(), &spec, folder.path(), None, None);
            attempt.outcome.unwrap();
            assert!(attempt.frames == whole, "{what}");
            attempt.watcher.steps
        };
        assert_eq!(again("an empty journal"), steps);
        let kept = files(folder.path());
        assert_eq!(again("a full one"), 0);
        assert_eq!(files(folder.path()), kept);
        // An interrupted decode is repeated from its latents.
        let images = kept.iter().filter(|file| file.extension().is_some_and(|ending| ending == "png"));
        images.for_each(|file| fs::remove_file(file).unwrap());
        assert_eq!(again("latents alone"), 0);
        assert_eq!(files(folder.path()), kept);
        // Pictures that exist need no latents.
        let latents = kept.iter().filter(|file| file.extension().is_some_and(|ending| ending == "safetensors"));
        latents.clone().for_each(|file| fs::write(file, b"torn").unwrap());
        assert_eq!(again("pictures alone"), 0);
        // A run whose picture and latents are both torn is repeated.
        let torn = |file: &&std::path::PathBuf| file.ends_with("scene-1.0.png") || file.ends_with("scene-0-motion-0.3.png");
        fs::write(kept.iter().find(torn).unwrap(), b"torn").unwrap();
        let steps_again = again("a torn picture without latents");
        assert!(steps_again > 0 && steps_again <= 2, "{steps_again} steps");
    }
}

#[test]
fn a_journal_of_another_model_or_size_is_not_used() {
    let mut model = model();
    let folder = tempfile::tempdir().unwrap();
    let mut other = FolderJournal::new(folder.path());
    let run = Run::Motion { scene: 0, run: 0 };
    for frame in 0..5 {
        other.keep_image(run, frame, &RgbImage::new(64, 64));
    }
    let (whole, steps) = uninterrupted(model.as_mut(), &animation());
    let attempt = attempt(model.as_mut(), &animation(), folder.path(), None, None);
    assert!(attempt.frames == whole);
    assert_eq!(attempt.watcher.steps, steps);
}

/// Stops after a step.
struct StopAfter {
    stop: Option<usize>,
    steps: usize,
}

impl StepMonitor for StopAfter {
    fn on_step(&mut self, step: &StepReport<'_>) -> ControlFlow<()> {
        self.steps += 1;
        if self.stop == Some(step.step) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

#[test]
fn images_of_every_kind_are_resumed() {
    let mut model = model();
    let info = load().unwrap().info;
    let mask = GrayImage::from_fn(128, 128, |x, _| Luma([if x < 64 { 255 } else { 0 }]));
    let image = || Some(painted());
    for (init_image, mask_image) in [(None, None), (image(), None), (image(), Some(mask))] {
        let request = ImageRequest {
            prompt: Some("a red star".into()),
            num_inference_steps: Some(4),
            strength: init_image.is_some().then_some(0.8),
            init_image,
            mask_image,
            scheduler: Some("euler-ancestral".into()),
            seed: Some(9),
            ..ImageRequest::default()
        };
        let spec = request.validate(&Limits::default(), &info).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let mut make = |journal: bool, index: usize, stop: Option<usize>| {
            let mut monitor = StopAfter { stop, steps: 0 };
            let mut of_folder = FolderJournal::new(folder.path());
            let context = RunContext::new(&mut monitor);
            let context = if journal { context.with_journal(&mut of_folder, Run::Image { index }) } else { context };
            let made = model.image(&spec, spec.seed(), context);
            (made.map(|output| output.image), monitor.steps)
        };
        let (whole, steps) = make(false, 0, None);
        let whole = whole.unwrap();
        assert!(matches!(make(true, 0, Some(2)), (Err(Error::Cancelled), 2)));
        assert_eq!(files(folder.path()).len(), 0);
        let (picture, made_steps) = make(true, 0, None);
        assert!(picture.unwrap() == whole && made_steps == steps, "{:?}", spec.mode().strength());
        fs::remove_file(folder.path().join("picture-0.0.png")).unwrap();
        let (picture, made_steps) = make(true, 0, None);
        assert!(picture.unwrap() == whole && made_steps == 0);
        let (picture, made_steps) = make(true, 0, None);
        assert!(picture.unwrap() == whole && made_steps == 0);
        assert!(make(true, 1, None).1 == steps, "another image has its own pieces");
    }
}

#[tokio::test]
async fn a_dropped_and_resumed_job_ends_with_the_same_file() {
    let local = LocalBackend::start(LocalSettings::new(std::time::Instant::now), load).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    video(&local, scenes(), &file("whole.mp4"), JobContext::default()).await.unwrap();
    let journal = folder.path().join("journal");
    let context = || JobContext { journal: Box::new(FolderJournal::new(&journal)), ..JobContext::default() };
    for frames in [1, 6, 12] {
        let (context, file) = (context(), file("gone-on.mp4"));
        let mut progress = context.progress.subscribe();
        tokio::select! {
            result = video(&local, scenes(), &file, context) => drop(result),
            seen = progress.wait_for(|progress| progress.frame >= frames) => drop(seen),
        }
    }
    assert!(!files(&journal).is_empty());
    video(&local, scenes(), &file("gone-on.mp4"), context()).await.unwrap();
    let read = |name: &str| fs::read(folder.path().join(name)).unwrap();
    assert!(read("gone-on.mp4") == read("whole.mp4"));
}
