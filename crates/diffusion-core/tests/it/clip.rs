//! Clips of any length made from a given image: properties of every clip with the embedded models, and the camera's motion over a still
//! image.
#![expect(clippy::print_stdout, reason = "figures for runs with --nocapture")]

use std::{
    collections::{BTreeSet, HashMap},
    ops::ControlFlow,
    sync::LazyLock,
};

use diffusion_core::{
    Error,
    imaging::{Camera, Part, TRAVEL, resized, resized_part},
    journal::{Journal, KeptLatents, Run},
    pipelines::{
        Activity, ImageParams, MotionParams, StableDiffusion, StableVideoDiffusion, Start, VideoContext, VideoMonitor, VideoProgress,
        clip::{ClipParams, RepaintParams},
        nano_sd, nano_svd,
    },
    policy::ExecutionPolicy,
};
use image::{Rgb, RgbImage};

use crate::{golden, pipelines::psnr};

static MODEL: LazyLock<StableVideoDiffusion> =
    LazyLock::new(|| StableVideoDiffusion::load(&nano_svd(), &ExecutionPolicy::cpu_f32()).unwrap());
static PAINTER: LazyLock<StableDiffusion> = LazyLock::new(|| StableDiffusion::load(&nano_sd(), &ExecutionPolicy::cpu_f32()).unwrap());

/// One of nano-sd's own images, 128 x 128.
fn image(name: &str) -> RgbImage {
    let tensor = &golden("nano_sd", "pictures")[name];
    RgbImage::from_raw(128, 128, tensor.flatten_all().unwrap().to_vec1().unwrap()).unwrap()
}

/// A clip of the model's own size and rate, with its default number of steps.
fn clip(name: &str, frames: usize) -> ClipParams {
    ClipParams {
        image: image(name),
        repaint: None,
        motion: MotionParams::default(),
        camera: Camera::Static,
        frames,
        fps: 7.0,
        width: 128,
        height: 128,
        seed: 1,
        first_frame: 0,
    }
}

/// The same with so few steps and pixels that a test can render many.
fn small(frames: usize) -> ClipParams {
    let motion = MotionParams { size: Some((32, 32)), num_frames: Some(3), num_inference_steps: 1, ..MotionParams::default() };
    ClipParams { motion, ..clip("shape", frames) }
}

fn repaint(strength: f64) -> RepaintParams {
    let image = ImageParams { num_inference_steps: 10, seed: 4, ..ImageParams::new("a red circle on a blue background", (128, 128)) };
    RepaintParams { image, strength }
}

fn render(params: &ClipParams) -> Vec<RgbImage> {
    let mut frames = Vec::new();
    MODEL.clip(params, Some(&PAINTER), VideoContext::new(&mut (), &mut frames)).unwrap();
    frames
}

/// The mean difference of two frames' bytes.
fn difference(a: &RgbImage, b: &RgbImage) -> f64 {
    let sum: f64 = a.iter().zip(b.iter()).map(|(a, b)| f64::from(a.abs_diff(*b))).sum();
    sum / a.as_raw().len() as f64
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

#[test]
fn windows_join_without_a_jump() {
    for name in ["shape", "landscape"] {
        // The model's own frames, four windows of them.
        let frames = render(&clip(name, 29));
        let first = psnr(&frames[0], &image(name));
        let steps = frames.windows(2).map(|pair| difference(&pair[0], &pair[1])).collect::<Vec<f64>>();
        // A window ends with its eighth frame, and each later one has seven new ones.
        let (seams, within): (Vec<_>, Vec<_>) = steps.iter().enumerate().partition(|(index, _)| index % 7 == 0 && *index > 0);
        let values = |of: Vec<(usize, &f64)>| of.into_iter().map(|(_, step)| *step).collect::<Vec<f64>>();
        let (seams, median) = (values(seams), median(values(within)));
        println!("{name}: frame 1 is {first:.1} dB from the image; seams {seams:.2?}, median within windows {median:.2}");
        assert_eq!(seams.len(), 3);
        assert!(seams.iter().all(|seam| *seam <= 3.0 * median), "{name}: {steps:.2?}");
        assert!(first >= 18.0, "{name}: {first:.1} dB");
    }
}

#[test]
fn a_clip_has_the_requested_frames_and_size() {
    for (seconds, fps, width, height) in
        [(1, 24.0, 31, 17), (2, 24.0, 64, 64), (3, 7.0, 33, 48), (5, 30.0, 17, 90), (10, 60.0, 16, 16), (2, 5.0, 1, 1)]
    {
        let frames = (f64::from(seconds) * fps) as usize;
        let params = ClipParams { fps, width, height, ..small(frames) };
        let native = MODEL.native_frames(&params.motion, frames, fps);
        // The frames from 0 to the time of the last one, in windows of three that overlap by one frame.
        let needed = ((frames - 1) as f64 * 7.0 / fps).ceil() as usize + 1;
        assert_eq!((native.frames, native.windows, native.window_frames), (needed, (needed - 1).div_ceil(2), 3));
        let rendered = render(&params);
        assert_eq!(rendered.len(), frames, "{seconds} s at {fps}");
        assert!(rendered.iter().all(|frame| frame.dimensions() == (width, height)));
    }
    let motion = MotionParams::default();
    assert_eq!([7.0, 24.0, 30.0, 60.0].map(|fps| MODEL.frames_of_a_window(&motion, fps)), [8, 25, 31, 61]);
    for fps in [7.0, 12.5, 24.0, 30.0, 60.0] {
        let frames = MODEL.frames_of_a_window(&motion, fps);
        assert_eq!([0, 1].map(|more| MODEL.native_frames(&motion, frames + more, fps).windows), [1, 2], "{fps}");
    }
}

#[test]
fn models_run_at_the_size_that_suits_them() {
    assert_eq!(MODEL.size_for((1, 1), None, None), (128, 128));
    assert_eq!(MODEL.size_for((1920, 1080), None, None), (176, 96));
    assert_eq!(MODEL.size_for((1080, 1920), None, None), (96, 176));
    // Up to the model's own size, and not beyond.
    assert_eq!(MODEL.size_for((1, 1), Some(64), None), (64, 64));
    assert_eq!(MODEL.size_for((1, 1), Some(1024), None), (128, 128));
    assert_eq!(MODEL.size_for((1, 1), None, Some(32)), (64, 64));
    let (width, height) = PAINTER.size_for((16, 9));
    assert!(width > height && width.is_multiple_of(8) && height.is_multiple_of(8), "{width}x{height}");
}

#[test]
fn a_seed_repeats_and_another_differs() {
    let params = ClipParams { fps: 24.0, ..small(20) };
    let frames = render(&params);
    assert!(render(&params) == frames);
    assert!(render(&ClipParams { seed: 2, ..params.clone() }) != frames);
    // Any frame is the same whichever frame the run starts with.
    for first_frame in [1, 7, 19, 20, 21] {
        let tail = render(&ClipParams { first_frame, ..params.clone() });
        assert!(tail == frames[first_frame.min(20)..], "from frame {first_frame}");
    }
}

#[test]
fn the_aspect_ratio_is_preserved() {
    // Two grey squares on black: in any frame they are as wide as they are high.
    let mut image = RgbImage::new(300, 200);
    for (left, top) in [(90, 60), (170, 100)] {
        for (x, y) in (0..40u32).flat_map(|x| (0..40u32).map(move |y| (x, y))) {
            image.put_pixel(left + x, top + y, Rgb([200; 3]));
        }
    }
    for (width, height) in [(240, 160), (160, 160), (96, 176)] {
        let part = Part::covering(image.dimensions(), (width, height));
        let native = MODEL.size_for((width, height), None, None);
        let seen = resized_part(&image, part, native.0, native.1).unwrap();
        let frame = resized(&seen, width, height).unwrap();
        // The total width and height of the squares: 120 and 80 pixels of the image.
        let bright = || frame.enumerate_pixels().filter(|(_, _, pixel)| pixel.0[0] > 100);
        let range = |values: Vec<u32>| f64::from(values.iter().max().unwrap() - values.iter().min().unwrap() + 1);
        let (across, down) = (range(bright().map(|(x, _, _)| x).collect()), range(bright().map(|(_, y, _)| y).collect()));
        let scale = f64::from(height) / 200.0;
        let seen_across = (120.0 * scale).min(f64::from(width));
        assert!((across - seen_across).abs() <= 3.0 && (down - 80.0 * scale).abs() <= 3.0, "{width}x{height}: {across} x {down}");
    }
}

#[test]
fn the_camera_crops_the_frames() {
    let of = |camera| render(&ClipParams { camera, width: 32, height: 32, ..small(9) });
    // At the model's own size and rate, a static camera shows its frames unchanged.
    let own = of(Camera::Static);
    for camera in [Camera::Pan, Camera::Tilt, Camera::Zoom] {
        for (index, (seen, frame)) in of(camera).iter().zip(&own).enumerate() {
            let part = camera.part((32, 32), index, 9);
            assert!(*seen == resized_part(frame, part, 32, 32).unwrap(), "{camera:?}, frame {index}");
        }
    }
}

/// An image with texture everywhere: blotches of a few pixels.
fn texture(width: u32, height: u32) -> RgbImage {
    let value = |x: u32, y: u32, salt: u32| {
        (x.wrapping_mul(73_856_093) ^ y.wrapping_mul(19_349_663) ^ salt.wrapping_mul(83_492_791)).wrapping_mul(2_654_435_761) >> 24
    };
    let coarse =
        RgbImage::from_fn(width / 4, height / 4, |x, y| Rgb([value(x, y, 1), value(x, y, 2), value(x, y, 3)].map(|value| value as u8)));
    resized(&coarse, width, height).unwrap()
}

/// The displacement in `to` of a 24 x 24 block centred at (x, y) in `from`, to the nearest pixel.
fn block_flow(from: &RgbImage, to: &RgbImage, (x, y): (i32, i32), reach: i32) -> (i32, i32) {
    let at = |image: &RgbImage, x: i32, y: i32| {
        (x >= 0 && y >= 0 && x < image.width() as i32 && y < image.height() as i32).then(|| image.get_pixel(x as u32, y as u32).0)
    };
    let cost = |dx: i32, dy: i32| -> Option<u64> {
        let mut sum = 0;
        for (i, j) in (-12..12).flat_map(|i| (-12..12).map(move |j| (i, j))) {
            let (a, b) = (at(from, x + i, y + j)?, at(to, x + dx + i, y + dy + j)?);
            sum += a.iter().zip(b).map(|(a, b)| u64::from(a.abs_diff(b)).pow(2)).sum::<u64>();
        }
        Some(sum)
    };
    let displacements = (-reach..=reach).flat_map(|dx| (-reach..=reach).map(move |dy| (dx, dy)));
    displacements.filter_map(|(dx, dy)| cost(dx, dy).map(|cost| (cost, (dx, dy)))).min().unwrap().1
}

#[test]
fn a_still_image_moves_as_far_as_documented_and_in_the_right_direction() {
    let (width, height, frames) = (192u32, 128u32, 49);
    let still = texture(width, height);
    let seen = |camera: Camera, index| resized_part(&still, camera.part((width, height), index, frames), width, height).unwrap();
    let way = TRAVEL / (1.0 - TRAVEL);
    let grid = || (52..=140).step_by(22).flat_map(|x| (44..=84).step_by(20).map(move |y| (x, y)));
    for camera in Camera::ALL {
        let [first, middle, last] = [0, 24, 48].map(|index| seen(camera, index));
        for (to, share) in [(&middle, 0.5), (&last, 1.0)] {
            let flows = grid().map(|at| (at, block_flow(&first, to, at, 40))).collect::<Vec<_>>();
            let expected = |(x, y): (i32, i32)| match camera {
                Camera::Static => (0.0, 0.0),
                Camera::Pan => (-way * share * f64::from(width), 0.0),
                Camera::Tilt => (0.0, way * share * f64::from(height)),
                Camera::Zoom => {
                    let larger = (1.0 - TRAVEL).powf(-share) - 1.0;
                    (larger * (f64::from(x) - 96.0), larger * (f64::from(y) - 64.0))
                }
            };
            let mean = |pick: fn(&(i32, i32)) -> i32| flows.iter().map(|(_, flow)| f64::from(pick(flow))).sum::<f64>() / flows.len() as f64;
            println!("{camera:?}, {share} of the way: mean flow ({:.2}, {:.2})", mean(|flow| flow.0), mean(|flow| flow.1));
            for (at, flow) in &flows {
                let expected_flow = expected(*at);
                let off = (f64::from(flow.0) - expected_flow.0).abs().max((f64::from(flow.1) - expected_flow.1).abs());
                // To the nearest pixel, and a zoom moves a block's edges differently than its centre.
                assert!(off <= 1.2, "{camera:?}, {share} of the way, {at:?}: {flow:?}, expected {expected_flow:?}");
            }
        }
    }
}

#[test]
fn a_slow_camera_does_not_jitter() {
    // A soft spot whose centre can be determined to a hundredth of a pixel.
    let spot = RgbImage::from_fn(128, 96, |x, y| {
        let (dx, dy) = (f64::from(x) - 64.0, f64::from(y) - 48.0);
        Rgb([(230.0 * (-(dx * dx + dy * dy) / 72.0).exp()) as u8; 3])
    });
    let middle = |frame: &RgbImage| {
        let (mut x, mut y, mut all) = (0.0, 0.0, 0.0);
        for (column, row, pixel) in frame.enumerate_pixels() {
            let weight = f64::from(pixel.0[0]);
            (x, y, all) = (x + weight * f64::from(column), y + weight * f64::from(row), all + weight);
        }
        (x / all, y / all)
    };
    let frames = 240;
    for camera in [Camera::Pan, Camera::Tilt, Camera::Zoom] {
        let mut farthest: f64 = 0.0;
        for index in 0..frames {
            let part = camera.part((128, 96), index, frames);
            let (x, y) = middle(&resized_part(&spot, part, 128, 96).unwrap());
            let expected = ((64.5 - part.left) * 128.0 / part.width - 0.5, (48.5 - part.top) * 96.0 / part.height - 0.5);
            farthest = farthest.max((x - expected.0).abs()).max((y - expected.1).abs());
        }
        println!("{camera:?}: at most {farthest:.3} pixels off its path");
        assert!(farthest < 0.1, "{camera:?}: {farthest}");
    }
}

#[test]
fn an_image_is_repainted_before_it_moves() {
    let plain = small(2);
    let params = |strength| ClipParams { repaint: Some(repaint(strength)), ..plain.clone() };
    let (little, much) = (render(&params(0.2)), render(&params(1.0)));
    assert!(render(&params(0.2)) == little);
    let first = &render(&plain)[0];
    let [near, far] = [&little, &much].map(|frames| difference(&frames[0], first));
    println!("repainted by 0.2: {near:.2}, by 1: {far:.2}");
    assert!(near > 0.0 && near < far, "{near} {far}");
}

/// Records every report, and breaks at the report `break_at`.
#[derive(Default)]
struct Watcher {
    seen: Vec<VideoProgress>,
    break_at: Option<usize>,
}

impl VideoMonitor for Watcher {
    fn on_progress(&mut self, progress: &VideoProgress) -> ControlFlow<()> {
        self.seen.push(*progress);
        if Some(self.seen.len()) == self.break_at { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

#[test]
fn progress_reaches_the_end_and_can_be_cancelled_anywhere() {
    let params = ClipParams { repaint: Some(repaint(0.3)), ..small(5) };
    let (mut watcher, mut whole) = (Watcher::default(), Vec::new());
    MODEL.clip(&params, Some(&PAINTER), VideoContext::new(&mut watcher, &mut whole)).unwrap();
    let seen = watcher.seen;
    for pair in seen.windows(2) {
        assert!(pair[0].work_done <= pair[1].work_done && pair[0].frame <= pair[1].frame, "{pair:?}");
    }
    assert_eq!((seen[0].activity, seen[0].work_done), (Activity::Image, 0.0));
    let last = seen.last().unwrap();
    assert_eq!((last.activity, last.frame, last.frames, last.scenes), (Activity::Motion, 5, 5, 1));
    // Two windows with one step and three frames each, and three steps of an image.
    assert_eq!((last.work_done, last.work_total), (9.0, 9.0));
    for break_at in 1..=seen.len() {
        let (mut watcher, mut frames) = (Watcher { break_at: Some(break_at), ..Watcher::default() }, Vec::new());
        let outcome = MODEL.clip(&params, Some(&PAINTER), VideoContext::new(&mut watcher, &mut frames));
        assert!(matches!(outcome, Err(Error::Cancelled)), "{outcome:?} after {break_at} reports");
        assert!(frames == whole[..seen[break_at - 1].frame]);
    }
}

/// An in-memory journal that fails if a run is denoised twice.
#[derive(Default)]
struct Memory {
    latents: HashMap<Run, KeptLatents>,
    images: HashMap<(Run, usize), RgbImage>,
}

impl Journal for Memory {
    fn latents(&mut self, run: Run) -> Option<KeptLatents> {
        self.latents.get(&run).cloned()
    }

    fn keep_latents(&mut self, run: Run, latents: &KeptLatents) {
        assert!(self.latents.insert(run, latents.clone()).is_none(), "{run} was denoised twice");
    }

    fn image(&mut self, run: Run, frame: usize) -> Option<RgbImage> {
        self.images.get(&(run, frame)).cloned()
    }

    fn keep_image(&mut self, run: Run, frame: usize, image: &RgbImage) {
        self.images.insert((run, frame), image.clone());
    }
}

#[test]
fn an_interrupted_clip_resumes_after_the_journaled_parts() {
    let params = ClipParams { repaint: Some(repaint(0.3)), fps: 10.0, camera: Camera::Pan, ..small(8) };
    let whole = render(&params);
    let mut watcher = Watcher::default();
    MODEL.clip(&params, Some(&PAINTER), VideoContext::new(&mut watcher, &mut Vec::new())).unwrap();
    for break_at in 1..=watcher.seen.len() {
        let mut journal = Memory::default();
        let mut broken = Watcher { break_at: Some(break_at), ..Watcher::default() };
        let outcome = MODEL.clip(&params, Some(&PAINTER), VideoContext::new(&mut broken, &mut Vec::new()).with_journal(&mut journal));
        assert!(matches!(outcome, Err(Error::Cancelled)));
        let mut frames = Vec::new();
        MODEL.clip(&params, Some(&PAINTER), VideoContext::new(&mut (), &mut frames).with_journal(&mut journal)).unwrap();
        assert!(frames == whole, "interrupted after {break_at} reports");
        let runs = journal.latents.keys().map(ToString::to_string).collect::<BTreeSet<String>>();
        assert_eq!(runs.into_iter().collect::<Vec<_>>(), ["scene-0", "scene-0-motion-0", "scene-0-motion-1", "scene-0-motion-2"]);
    }
}

#[test]
fn invalid_parameters_are_refused_by_name_before_the_first_step() {
    let refused = |params: ClipParams, painter: Option<&StableDiffusion>| {
        let (mut watcher, mut frames) = (Watcher::default(), Vec::new());
        let outcome = MODEL.clip(&params, painter, VideoContext::new(&mut watcher, &mut frames));
        assert!(watcher.seen.is_empty() && frames.is_empty());
        match outcome {
            Err(Error::Params { field, .. }) => field,
            other => panic!("{other:?}"),
        }
    };
    let motion = |motion: MotionParams| ClipParams { motion, ..small(3) };
    let own = || small(3).motion;
    for (params, field) in [
        (ClipParams { image: RgbImage::new(0, 1), ..small(3) }, "image"),
        (ClipParams { width: 0, ..small(3) }, "width"),
        (ClipParams { height: 0, ..small(3) }, "height"),
        (ClipParams { frames: 0, ..small(3) }, "frames"),
        (ClipParams { fps: 0.0, ..small(3) }, "fps"),
        (ClipParams { fps: f64::NAN, ..small(3) }, "fps"),
        (ClipParams { repaint: Some(repaint(1.5)), ..small(3) }, "strength"),
        (ClipParams { repaint: Some(repaint(0.01)), ..small(3) }, "strength"),
        (motion(MotionParams { num_frames: Some(1), ..own() }), "num_frames"),
        (motion(MotionParams { size: Some((33, 32)), ..own() }), "width"),
        (motion(MotionParams { num_inference_steps: 0, ..own() }), "num_inference_steps"),
    ] {
        assert_eq!(refused(params, Some(&PAINTER)), field);
    }
    assert_eq!(refused(ClipParams { repaint: Some(repaint(0.5)), ..small(3) }, None), "prompt");
    // Only the clip's own image can be repainted.
    let mut another = repaint(0.5);
    another.image.start = Start::Image { init_image: image("shape"), strength: 0.5 };
    assert_eq!(refused(ClipParams { repaint: Some(another), ..small(3) }, Some(&PAINTER)), "start");
}
