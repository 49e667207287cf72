//! Jobs of the embedded models that are broken off wherever they can be and gone on with from a journal: the same bytes, and nothing
//! that was finished made twice.

use std::{fs, ops::ControlFlow, path::Path};

use diffusion_core::{
    Error,
    denoise::{StepMonitor, StepReport},
    error::BoxError,
    frames::FrameSink,
    journal::{Journal, Kept, Run},
    pipelines::{
        nano_sd, nano_svd,
        scenes::{SceneMonitor, SceneProgress},
    },
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

/// Still scenes with a crossfade and pictures in between, a cut, and two scenes that move, one of them in several runs.
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

/// Counts the model's steps and breaks at a report.
#[derive(Default)]
struct Watcher {
    reports: usize,
    /// How many reports it stands; no limit if absent.
    stands: Option<usize>,
    steps: usize,
    last: Option<SceneProgress>,
    /// Steps of the run that it broke: they are lost.
    lost: usize,
}

impl SceneMonitor for Watcher {
    fn on_progress(&mut self, progress: &SceneProgress) -> ControlFlow<()> {
        // A beginning has no step yet, and a frame is one more than before.
        let is_step = progress.step > 0 && self.last.is_none_or(|last| last.frame == progress.frame);
        self.steps += usize::from(is_step);
        self.reports += 1;
        assert!(progress.work_done <= progress.work_total);
        assert!(self.last.is_none_or(|last| last.work_done <= progress.work_done), "{progress:?} after {:?}", self.last);
        self.last = Some(*progress);
        if self.stands == Some(self.reports) {
            self.lost = if is_step { progress.step } else { 0 };
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    }
}

/// A sink that takes some frames and no more.
#[derive(Default)]
struct Full {
    taken: Vec<RgbImage>,
    room: Option<usize>,
}

impl FrameSink for Full {
    fn push(&mut self, frame: RgbImage) -> Result<(), BoxError> {
        if self.room == Some(self.taken.len()) {
            return Err("no space left".into());
        }
        self.taken.push(frame);
        Ok(())
    }
}

struct Attempt {
    watcher: Watcher,
    frames: Vec<RgbImage>,
    outcome: diffusion_core::Result<()>,
}

fn attempt(model: &mut dyn DeviceModel, spec: &VideoSpec, folder: &Path, stands: Option<usize>, room: Option<usize>) -> Attempt {
    let mut watcher = Watcher { stands, ..Watcher::default() };
    let mut sink = Full { taken: Vec::new(), room };
    let outcome = model.video(spec, 0, &mut watcher, &mut sink, &mut FolderJournal::new(folder)).map(|_| ());
    Attempt { watcher, frames: sink.taken, outcome }
}

/// The frames of a video that nothing broke, and the model's steps for it; without a journal.
fn unbroken(model: &mut dyn DeviceModel, spec: &VideoSpec) -> (Vec<RgbImage>, usize) {
    let (mut watcher, mut frames) = (Watcher::default(), Vec::new());
    model.video(spec, 0, &mut watcher, &mut frames, &mut ()).unwrap();
    (frames, watcher.steps)
}

fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// Breaks at the first report, begins again and breaks at the second, and so on to the end: every beginning, step and frame, with every
/// amount of pieces kept.
fn goes_on_after_a_break_at_every_report(spec: &VideoSpec) {
    let mut model = model();
    let (whole, steps) = unbroken(model.as_mut(), spec);
    let folder = tempfile::tempdir().unwrap();
    let (mut made, mut lost) = (0, 0);
    for stands in 1.. {
        let attempt = attempt(model.as_mut(), spec, folder.path(), Some(stands), None);
        made += attempt.watcher.steps;
        lost += attempt.watcher.lost;
        assert!(whole.starts_with(&attempt.frames), "broken at report {stands}");
        match attempt.outcome {
            Err(Error::Cancelled) => {}
            other => {
                other.unwrap();
                assert!(stands > 5, "only {stands} breaks");
                assert_eq!(attempt.frames.len(), whole.len());
                let last = attempt.watcher.last.unwrap();
                assert_eq!((last.frame, last.work_done), (whole.len(), last.work_total));
                break;
            }
        }
    }
    assert_eq!(made, steps + lost, "no step that was kept is made again");
}

#[test]
fn a_video_of_scenes_goes_on_after_a_break_at_every_report() {
    goes_on_after_a_break_at_every_report(&scenes());
}

#[test]
fn an_animation_goes_on_after_a_break_at_every_report() {
    goes_on_after_a_break_at_every_report(&animation());
}

#[test]
fn a_video_goes_on_after_a_sink_that_failed_at_every_frame() {
    let mut model = model();
    for spec in [scenes(), animation()] {
        let (whole, steps) = unbroken(model.as_mut(), &spec);
        let folder = tempfile::tempdir().unwrap();
        let mut made = 0;
        for room in 0..=whole.len() {
            let attempt = attempt(model.as_mut(), &spec, folder.path(), None, Some(room));
            made += attempt.watcher.steps;
            assert!(attempt.frames == whole[..room], "room for {room}");
            assert_eq!(attempt.outcome.is_ok(), room == whole.len());
        }
        assert_eq!(made, steps, "a frame that is refused costs no step");
    }
}

#[test]
fn what_is_lost_of_a_journal_is_made_again_and_nothing_else() {
    let mut model = model();
    for spec in [scenes(), animation()] {
        let (whole, steps) = unbroken(model.as_mut(), &spec);
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
        // A decode that was killed is made again from its latents.
        let pictures = kept.iter().filter(|file| file.extension().is_some_and(|ending| ending == "png"));
        pictures.for_each(|file| fs::remove_file(file).unwrap());
        assert_eq!(again("latents alone"), 0);
        assert_eq!(files(folder.path()), kept);
        // Pictures that are there need no latents.
        let latents = kept.iter().filter(|file| file.extension().is_some_and(|ending| ending == "safetensors"));
        latents.clone().for_each(|file| fs::write(file, b"torn").unwrap());
        assert_eq!(again("pictures alone"), 0);
        // A run of which both are torn is made again.
        let torn = |file: &&std::path::PathBuf| file.ends_with("scene-1.0.png") || file.ends_with("scene-0-motion-0.3.png");
        fs::write(kept.iter().find(torn).unwrap(), b"torn").unwrap();
        let steps_again = again("a torn picture without latents");
        assert!(steps_again > 0 && steps_again <= 2, "{steps_again} steps");
    }
}

#[test]
fn a_folder_of_another_model_or_size_is_no_journal_of_this_one() {
    let mut model = model();
    let folder = tempfile::tempdir().unwrap();
    let mut other = FolderJournal::new(folder.path());
    let run = Run::Motion { scene: 0, run: 0 };
    for frame in 0..5 {
        Kept::new(&mut other, run).keep_picture(frame, &RgbImage::new(64, 64));
    }
    let (whole, steps) = unbroken(model.as_mut(), &animation());
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
fn pictures_of_every_kind_are_gone_on_with() {
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
            let (mut of_folder, mut nothing) = (FolderJournal::new(folder.path()), ());
            let journal: &mut dyn Journal = if journal { &mut of_folder } else { &mut nothing };
            let made = model.picture(&spec, spec.seed(), &mut monitor, Kept::new(journal, Run::Picture { index }));
            (made.map(|picture| picture.image), monitor.steps)
        };
        let (whole, steps) = make(false, 0, None);
        let whole = whole.unwrap();
        assert!(matches!(make(true, 0, Some(2)), (Err(Error::Cancelled), 2)));
        assert_eq!(files(folder.path()).len(), 0);
        let (made, made_steps) = make(true, 0, None);
        assert!(made.unwrap() == whole && made_steps == steps, "{:?}", spec.mode().strength());
        fs::remove_file(folder.path().join("picture-0.0.png")).unwrap();
        let (made, made_steps) = make(true, 0, None);
        assert!(made.unwrap() == whole && made_steps == 0);
        let (made, made_steps) = make(true, 0, None);
        assert!(made.unwrap() == whole && made_steps == 0);
        assert!(make(true, 1, None).1 == steps, "another picture has pages of its own");
    }
}

#[tokio::test]
async fn a_job_that_was_let_go_ends_with_the_same_file() {
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
            made = video(&local, scenes(), &file, context) => drop(made),
            seen = progress.wait_for(|progress| progress.frame >= frames) => drop(seen),
        }
    }
    assert!(!files(&journal).is_empty());
    video(&local, scenes(), &file("gone-on.mp4"), context()).await.unwrap();
    let read = |name: &str| fs::read(folder.path().join(name)).unwrap();
    assert!(read("gone-on.mp4") == read("whole.mp4"));
}
