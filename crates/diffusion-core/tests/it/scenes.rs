//! Videos of scenes on the tiny golden model: images between two prompts against diffusers' (tests/golden/pipelines/scenes,
//! scripts/golden/scenes.py), and properties of every video: its timeline, its joins, resuming, errors and progress.
#![expect(clippy::print_stdout, reason = "figures for runs with --nocapture")]

use std::{collections::HashMap, ops::ControlFlow};

use candle_core::Tensor;
use diffusion_core::{
    Error, Result,
    error::BoxError,
    frames::FrameSink,
    imaging::resized,
    pipelines::{
        Activity, ImageParams, RunContext, StableDiffusion, Start, VideoContext, VideoMonitor, VideoProgress,
        scenes::{Join, SceneParams, ScenesParams, Span},
    },
    policy::ExecutionPolicy,
};
use image::{GrayImage, RgbImage};
use serde_json::Value as Json;

use crate::{
    golden, golden_metadata,
    pipelines::{GoldenModel, deviation, params, psnr},
    tolerance,
};

/// The golden videos and the calls that produced them.
struct Goldens {
    tensors: HashMap<String, Tensor>,
    videos: serde_json::Map<String, Json>,
    model: StableDiffusion,
}

impl Goldens {
    fn load() -> Self {
        let metadata = golden_metadata("pipelines", "scenes");
        let videos: serde_json::Map<String, Json> = serde_json::from_str(&metadata["videos"]).unwrap();
        let shapes = serde_json::from_str(&metadata["shapes"]).unwrap();
        // No scene changes the model's own configurations.
        let call = videos.values().next().unwrap()["scenes"][0].clone();
        let model = StableDiffusion::load(&GoldenModel { shapes, call, poison: None }, &ExecutionPolicy::cpu_f32()).unwrap();
        Self { tensors: golden("pipelines", "scenes"), videos, model }
    }

    fn frames(&self, name: &str) -> Vec<RgbImage> {
        let (frames, height, width, _) = self.tensors[name].dims4().unwrap();
        let frame = |index| self.tensors[name].get(index).unwrap().flatten_all().unwrap().to_vec1::<u8>().unwrap();
        (0..frames).map(|index| RgbImage::from_raw(width as u32, height as u32, frame(index)).unwrap()).collect()
    }
}

/// A scene of the golden model: 32 x 24 pixels in two steps, for tests that render many.
fn scene(prompt: &str, seed: u64, frames: usize) -> SceneParams {
    let image = ImageParams { num_inference_steps: 2, guidance_scale: 3.0, seed, ..ImageParams::new(prompt, (32, 24)) };
    SceneParams { image, frames, motion: None }
}

/// Every kind of join between scenes of different lengths, steps and schedulers, in a different size than the model's.
fn video() -> ScenesParams {
    let mut scenes = vec![scene("a", 1, 2), scene("b", 2, 3), scene("c", 3, 1), scene("d", 3, 0), scene("e", 4, 2), scene("f", 4, 2)];
    for (scene, steps, scheduler) in [(1, 3, "euler-ancestral"), (3, 3, "heun"), (4, 1, "ddim")] {
        scenes[scene].image.num_inference_steps = steps;
        scenes[scene].image.scheduler = Some(scheduler.parse().unwrap());
    }
    let joins = vec![
        Join::Crossfade { frames: 3 },
        Join::Slerp { frames: 3 },
        Join::Crossfade { frames: 2 },
        Join::Slerp { frames: 4 },
        // The last join is absent: a cut.
    ];
    ScenesParams { scenes, joins, width: 20, height: 36, fps: 24.0, first_frame: 0 }
}

fn whole(model: &StableDiffusion, params: &ScenesParams) -> Vec<RgbImage> {
    let mut frames = Vec::new();
    model.scenes(params, None, VideoContext::new(&mut (), &mut frames)).unwrap();
    frames
}

/// A monitor that records every report, and can break at one.
#[derive(Default)]
struct Watcher {
    seen: Vec<VideoProgress>,
    /// The report at which it breaks; never if `None`.
    break_at: Option<usize>,
}

impl VideoMonitor for Watcher {
    fn on_progress(&mut self, progress: &VideoProgress) -> ControlFlow<()> {
        self.seen.push(*progress);
        if Some(self.seen.len()) == self.break_at { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

/// A sink that accepts a number of frames and refuses the rest.
struct Full {
    accepted: Vec<RgbImage>,
    capacity: usize,
    refused: usize,
}

impl FrameSink for Full {
    fn push(&mut self, frame: RgbImage) -> std::result::Result<(), BoxError> {
        if self.accepted.len() == self.capacity {
            self.refused += 1;
            return Err("no space left".into());
        }
        self.accepted.push(frame);
        Ok(())
    }
}

#[test]
fn slerp_joins_match_diffusers() {
    let goldens = Goldens::load();
    let mut table = Vec::new();
    for (name, video) in &goldens.videos {
        let scene = |index: usize| SceneParams { image: params(&video["scenes"][index]), frames: 1, motion: None };
        let number = |value: &Json| value.as_u64().unwrap() as usize;
        let params = ScenesParams {
            scenes: vec![scene(0), scene(1)],
            joins: vec![Join::Slerp { frames: number(&video["frames"]) }],
            width: number(&video["size"][0]) as u32,
            height: number(&video["size"][1]) as u32,
            fps: 24.0,
            first_frame: 0,
        };
        let (found, expected) = (whole(&goldens.model, &params), goldens.frames(name));
        assert_eq!(found.len(), expected.len(), "{name}");
        for (index, (found, expected)) in found.iter().zip(&expected).enumerate() {
            assert!(deviation(expected) >= 30.0, "{name}");
            table.push((psnr(found, expected), format!("{name}, frame {index}")));
        }
    }
    let lines = table.iter().map(|(psnr, name)| format!("{name}: {psnr:.1} dB")).collect::<Vec<String>>().join("\n");
    assert!(table.iter().all(|(psnr, _)| *psnr >= tolerance::IMAGE_PSNR), "\n{lines}");
    println!("{lines}");
    assert!(table.len() >= 50);
}

#[test]
fn frames_follow_the_timeline() {
    let model = Goldens::load().model;
    let params = video();
    let timeline = params.timeline();
    let frames = whole(&model, &params);
    assert_eq!((frames.len(), timeline.frames()), (22, 22));
    let of = |span: Option<Span>| &frames[span.unwrap().start..span.unwrap().end()];
    let images = params.scenes.iter().map(|scene| {
        let image = model.image(&scene.image, RunContext::new(&mut ())).unwrap();
        resized(&image, params.width, params.height).unwrap()
    });
    let images = images.collect::<Vec<RgbImage>>();
    for (index, image) in images.iter().enumerate() {
        // All of a scene's frames are its image.
        assert_eq!(of(timeline.scene(index)).len(), params.scenes[index].frames);
        assert!(of(timeline.scene(index)).iter().all(|frame| frame == image), "scene {index}");
        let Some(before) = index.checked_sub(1) else { continue };
        let between = of(timeline.join_before(index));
        let join = params.joins.get(before).copied().unwrap_or(Join::Cut);
        assert_eq!(between.len(), join.frames());
        match join {
            Join::Cut => {}
            Join::Crossfade { frames } => {
                for (i, frame) in between.iter().enumerate() {
                    let mixed = images[before].iter().zip(image.iter()).map(|(old, new)| {
                        // In integers: (n - i) parts of the old and i of the new, rounded to the nearest byte, halves up.
                        let parts = (frames - i) * usize::from(*old) + i * usize::from(*new);
                        ((2 * parts + frames) / (2 * frames)) as u8
                    });
                    assert!(frame.iter().copied().eq(mixed), "join before scene {index}, frame {i}");
                }
                assert_eq!(between[0], images[before]);
            }
            Join::Slerp { .. } => {
                let all = [std::slice::from_ref(&images[before]), between, std::slice::from_ref(image)].concat();
                for (at, frame) in all.iter().enumerate() {
                    assert!(!all[..at].contains(frame), "join before scene {index}: an image is shown twice");
                }
            }
        }
    }
}

#[test]
fn a_video_can_resume_at_any_frame() {
    let model = Goldens::load().model;
    let unbroken = whole(&model, &video());
    for first_frame in 0..=unbroken.len() + 1 {
        let params = ScenesParams { first_frame, ..video() };
        let tail = whole(&model, &params);
        assert!(tail == unbroken[first_frame.min(unbroken.len())..], "from frame {first_frame}: {} frames", tail.len());
    }
}

#[test]
fn a_join_without_frames_is_a_cut() {
    let model = Goldens::load().model;
    let cut = ScenesParams { joins: Vec::new(), ..video() };
    let expected = whole(&model, &cut);
    assert_eq!(expected.len(), 10);
    for join in [Join::Cut, Join::Crossfade { frames: 0 }, Join::Slerp { frames: 0 }] {
        for first_frame in [0, 2, 4, 6] {
            let params = ScenesParams { joins: vec![join; 5], first_frame, ..video() };
            assert!(whole(&model, &params) == expected[first_frame..], "{join:?} from frame {first_frame}");
        }
    }
    // Scenes joined by a cut may have different sizes, and so may those with an empty join.
    let mut params = ScenesParams { joins: vec![Join::Slerp { frames: 0 }], ..video() };
    params.scenes.truncate(2);
    params.scenes[1].image.width = 40;
    assert_eq!(whole(&model, &params).len(), 5);
}

#[test]
fn a_sink_that_refuses_a_frame_stops_the_video() {
    let model = Goldens::load().model;
    let unbroken = whole(&model, &video());
    for capacity in 0..unbroken.len() {
        let mut sink = Full { accepted: Vec::new(), capacity, refused: 0 };
        let mut watcher = Watcher::default();
        match model.scenes(&video(), None, VideoContext::new(&mut watcher, &mut sink)) {
            Err(Error::Sink(reason)) => assert_eq!(reason.to_string(), "no space left"),
            other => panic!("{other:?}"),
        }
        assert!(sink.accepted == unbroken[..capacity]);
        assert_eq!(sink.refused, 1);
        // A refused frame is not reported as done.
        assert_eq!(watcher.seen.last().unwrap().frame, capacity);
    }
    let mut sink = Full { accepted: Vec::new(), capacity: unbroken.len(), refused: 0 };
    model.scenes(&video(), None, VideoContext::new(&mut (), &mut sink)).unwrap();
}

#[test]
fn a_breaking_monitor_stops_the_video_at_once() {
    let model = Goldens::load().model;
    let mut watcher = Watcher::default();
    let mut unbroken = Vec::new();
    model.scenes(&video(), None, VideoContext::new(&mut watcher, &mut unbroken)).unwrap();
    let reports = watcher.seen;
    // At every kind of report: a start, a step, a frame.
    for break_at in 1..=reports.len() {
        let mut watcher = Watcher { break_at: Some(break_at), ..Watcher::default() };
        let mut frames = Vec::new();
        let outcome = model.scenes(&video(), None, VideoContext::new(&mut watcher, &mut frames));
        assert!(matches!(outcome, Err(Error::Cancelled)), "{outcome:?} after {break_at} reports");
        assert!(watcher.seen == reports[..break_at], "called again after it broke");
        assert!(frames == unbroken[..reports[break_at - 1].frame]);
    }
}

#[test]
fn progress_reaches_the_total_and_never_decreases() {
    let model = Goldens::load().model;
    let frames = video().timeline().frames();
    for first_frame in 0..frames {
        let mut watcher = Watcher::default();
        model.scenes(&ScenesParams { first_frame, ..video() }, None, VideoContext::new(&mut watcher, &mut Vec::new())).unwrap();
        let seen = watcher.seen;
        for pair in seen.windows(2) {
            let order = |progress: &VideoProgress| (progress.scene, progress.frame);
            assert!(order(&pair[0]) <= order(&pair[1]) && pair[0].frame <= pair[1].frame, "{pair:?}");
            assert!(pair[0].work_done <= pair[1].work_done, "{pair:?}");
        }
        for progress in &seen {
            assert!(
                progress.work_done <= progress.work_total && progress.frame <= frames && progress.step <= progress.steps,
                "{progress:?}"
            );
            assert_eq!((progress.scenes, progress.frames), (6, frames));
        }
        let last = seen.last().unwrap();
        assert_eq!((last.frame, last.work_done, last.scene), (frames, last.work_total, 5), "from frame {first_frame}");
        // No frame is reported before it is done, and earlier frames count as done.
        assert_eq!(seen.iter().filter(|progress| progress.frame > first_frame).map(|progress| progress.frame).min(), Some(first_frame + 1));
        assert!(seen[0].work_done == 0.0 && seen[0].step == 0);
    }
}

#[test]
fn progress_names_the_activity() {
    let model = Goldens::load().model;
    let mut params = video();
    params.scenes = vec![scene("a", 1, 1), scene("b", 2, 2)];
    params.joins = vec![Join::Slerp { frames: 2 }];
    let mut watcher = Watcher::default();
    model.scenes(&params, None, VideoContext::new(&mut watcher, &mut Vec::new())).unwrap();
    let seen = watcher.seen.iter().map(|seen| (seen.scene, seen.activity, seen.step, seen.steps, seen.frame, seen.work_done));
    use Activity::{Between, Image};
    // The model's own scheduler calls the model three times in two steps.
    let expected = [
        (0, Image, 0, 0, 0, 0.0),
        (0, Image, 1, 3, 0, 2.0 / 3.0),
        (0, Image, 2, 3, 0, 4.0 / 3.0),
        (0, Image, 3, 3, 0, 2.0),
        (0, Image, 3, 3, 1, 2.0),
        (1, Image, 0, 0, 1, 2.0),
        (1, Image, 1, 3, 1, 2.0 + 2.0 / 3.0),
        (1, Image, 2, 3, 1, 2.0 + 4.0 / 3.0),
        (1, Image, 3, 3, 1, 4.0),
        (1, Between, 0, 0, 1, 4.0),
        (1, Between, 1, 3, 1, 4.0 + 2.0 / 3.0),
        (1, Between, 2, 3, 1, 4.0 + 4.0 / 3.0),
        (1, Between, 3, 3, 1, 6.0),
        (1, Between, 1, 3, 1, 6.0 + 2.0 / 3.0),
        (1, Between, 2, 3, 1, 6.0 + 4.0 / 3.0),
        (1, Between, 3, 3, 1, 8.0),
        // Two images of this size are decoded at once.
        (1, Between, 3, 3, 2, 8.0),
        (1, Between, 3, 3, 3, 8.0),
        (1, Between, 3, 3, 4, 8.0),
        (1, Between, 3, 3, 5, 8.0),
    ];
    assert_eq!(seen.collect::<Vec<_>>(), expected);
}

fn from_image() -> Start {
    Start::Image { init_image: RgbImage::new(32, 24), strength: 0.5 }
}

fn inpainted() -> Start {
    Start::Inpaint { init_image: RgbImage::new(32, 24), mask_image: GrayImage::new(32, 24), strength: 0.5 }
}

#[test]
fn invalid_parameters_are_refused_by_name_before_the_first_step() {
    let model = Goldens::load().model;
    let changed = |change: fn(&mut ScenesParams)| {
        let mut params = video();
        change(&mut params);
        let (mut watcher, mut frames) = (Watcher::default(), Vec::new());
        let outcome: Result<()> = model.scenes(&params, None, VideoContext::new(&mut watcher, &mut frames));
        assert!(watcher.seen.is_empty() && frames.is_empty());
        match outcome {
            Err(Error::Params { field, .. }) => field,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(changed(|params| params.scenes.clear()), "scenes");
    assert_eq!(changed(|params| params.width = 0), "width");
    assert_eq!(changed(|params| params.height = 0), "height");
    // Also a fault in the last scene.
    assert_eq!(changed(|params| params.scenes[5].image.num_inference_steps = 0), "num_inference_steps");
    // A slerp cannot join scenes of different sizes.
    assert_eq!(changed(|params| params.scenes[4].image.width = 40), "width");
    assert_eq!(changed(|params| params.scenes[4].image.height = 40), "height");
    // Scenes are generated from their prompts alone.
    assert_eq!(changed(|params| params.scenes[2].image.start = from_image()), "start");
    assert_eq!(changed(|params| params.scenes[5].image.start = inpainted()), "start");
}
