//! Validation of requests for clips: each rule with its error, the defaults, and storing a spec.

use diffusion_core::imaging::Camera;
use generation::{
    FieldError, FieldErrorKind, Limits,
    field_error::Bound,
    video::{ClipRequest, ClipRules, ClipSpec, FpsRequest, MotionRequest},
};
use image::RgbImage;
use video_encode::FrameRate;

fn request() -> ClipRequest {
    ClipRequest { image: Some(RgbImage::new(40, 30)), seed: Some(5), ..ClipRequest::default() }
}

fn spec(request: ClipRequest) -> ClipSpec {
    request.validate(&ClipRules::default(), &Limits::default()).unwrap()
}

/// The rules of an API with its own rates and sizes.
fn strict() -> ClipRules {
    ClipRules { fps: (24.0, 60.0), default_size: Some((1920, 1080)), ..ClipRules::default() }
}

fn fault(request: ClipRequest) -> FieldError {
    let mut errors = request.validate(&strict(), &Limits::default()).unwrap_err();
    assert_eq!(errors.len(), 1, "{errors:?}");
    errors.remove(0)
}

#[test]
fn defaults_are_the_rules_or_the_models() {
    let plain = spec(request());
    assert_eq!((plain.frames(), plain.size(), plain.longer_side()), (None, None, None));
    assert_eq!((plain.fps().to_string().as_str(), plain.camera(), plain.seed()), ("30", Camera::Static, 5));
    assert!(plain.repaint().is_none());
    let motion = plain.motion();
    assert_eq!((motion.motion_bucket_id(), motion.conditioning_fps(), motion.num_frames()), (127, 7, None));
    assert_eq!((motion.num_inference_steps(), motion.noise_aug_strength()), (25, 0.02));
    let strict = request().validate(&strict(), &Limits::default()).unwrap();
    assert_eq!((strict.size(), strict.fps()), (Some((1920, 1080)), FrameRate::whole(30)));
}

#[test]
fn frames_are_the_duration_times_the_rate_rounded() {
    let frames = |duration, fps| spec(ClipRequest { duration: Some(duration), fps: Some(fps), ..request() }).frames();
    let number = FpsRequest::Number;
    let found = [(5.0, 30.0), (1.0, 24.0), (10.0, 60.0), (1.5, 25.0), (2.02, 24.0)].map(|(seconds, fps)| frames(seconds, number(fps)));
    assert_eq!(found, [150, 24, 600, 38, 48].map(Some));
    assert_eq!(frames(10.0, FpsRequest::Text("30000/1001".into())), Some(300));
}

#[test]
fn a_size_is_the_requested_one_or_follows_from_the_quality() {
    let sizes = |resolution: Option<&str>, quality: Option<&str>| {
        let request = ClipRequest { resolution: resolution.map(str::to_owned), quality: quality.map(str::to_owned), ..request() };
        let spec = spec(request);
        (spec.size(), spec.longer_side(), spec.proportions())
    };
    assert_eq!(sizes(None, None), (None, None, (40, 30)));
    assert_eq!(sizes(Some("1920x1080"), None), (Some((1920, 1080)), None, (1920, 1080)));
    assert_eq!(sizes(Some("16x17"), Some("512")), (Some((16, 17)), Some(512), (16, 17)));
    // In the picture's own proportions.
    assert_eq!(sizes(None, Some("768")), (Some((768, 576)), Some(768), (768, 576)));
}

#[test]
fn an_image_is_repainted_if_there_is_a_prompt_and_a_strength() {
    let repaint = |prompt: &str, strength| spec(ClipRequest { prompt: Some(prompt.into()), strength, ..request() }).repaint().cloned();
    let usual = repaint("a boat", None).unwrap();
    assert_eq!((usual.prompt(), usual.strength(), usual.num_inference_steps(), usual.guidance_scale()), ("a boat", 0.4, 25, 7.5));
    assert_eq!(repaint("a boat", Some(1.0)).unwrap().strength(), 1.0);
    assert!(repaint("a boat", Some(0.0)).is_none() && repaint(" ", None).is_none());
}

#[test]
fn a_motion_strength_is_a_motion_bucket() {
    let bucket = |strength| spec(ClipRequest { motion_strength: Some(strength), ..request() }).motion().motion_bucket_id();
    assert_eq!([0.0, 0.5, 0.6, 1.0].map(bucket), [1, 128, 153, 255]);
}

#[test]
fn each_rule_names_its_field_and_its_limit() {
    let value = |error: &str| FieldErrorKind::Value { error: error.into() };
    let ge = |ge: f64| FieldErrorKind::GreaterThanEqual { ge: Bound::Float(ge) };
    let le = |le: f64| FieldErrorKind::LessThanEqual { le: Bound::Float(le) };
    let resolution = |text: &str| ClipRequest { resolution: Some(text.into()), ..request() };
    let boat = || ClipRequest { prompt: Some("a boat".into()), ..request() };
    let table: Vec<(ClipRequest, &str, FieldErrorKind)> = vec![
        (ClipRequest { image: None, ..request() }, "image", FieldErrorKind::Missing),
        (ClipRequest { image: Some(RgbImage::new(0, 3)), ..request() }, "image", value("a picture has at least one pixel")),
        (ClipRequest { prompt: Some("a".repeat(2001)), ..request() }, "prompt", FieldErrorKind::StringTooLong { max_length: 2000 }),
        (ClipRequest { strength: Some(1.1), ..boat() }, "strength", le(1.0)),
        (
            ClipRequest { strength: Some(0.01), ..boat() },
            "strength",
            value("0.01 of 25 steps leaves no step to run; the smallest strength that works is 0.04, or 0, which repaints nothing"),
        ),
        (
            ClipRequest { num_inference_steps: Some(0), ..boat() },
            "num_inference_steps",
            FieldErrorKind::GreaterThanEqual { ge: Bound::Integer(1) },
        ),
        (ClipRequest { duration: Some(0.5), ..request() }, "duration", ge(1.0)),
        (ClipRequest { duration: Some(10.5), ..request() }, "duration", le(10.0)),
        (ClipRequest { duration: Some(f64::NAN), ..request() }, "duration", FieldErrorKind::FiniteNumber),
        (
            ClipRequest { fps: Some(FpsRequest::Number(23.0)), ..request() },
            "fps",
            FieldErrorKind::GreaterThanEqual { ge: Bound::Integer(24) },
        ),
        (ClipRequest { fps: Some(FpsRequest::Number(61.0)), ..request() }, "fps", le(60.0)),
        (ClipRequest { fps: Some(FpsRequest::Text("12".into())), ..request() }, "fps", value("12 is outside 24 to 60 frames a second")),
        (resolution("large"), "resolution", value("it is no WIDTHxHEIGHT in pixels, as 1280x720")),
        (resolution("15x64"), "resolution", value("a side has 16 to 2048 pixels")),
        (resolution("64x2049"), "resolution", value("a side has 16 to 2048 pixels")),
        (resolution("2048x2048"), "resolution", value("that is 4194304 pixels, and a frame has at most 2097152")),
        (
            ClipRequest { quality: Some("2000".into()), ..request() },
            "quality",
            value("the longer side has 256 to 1024 pixels, as \"1024\""),
        ),
        (
            ClipRequest { quality: Some("high".into()), ..request() },
            "quality",
            value("the longer side has 256 to 1024 pixels, as \"1024\""),
        ),
        (ClipRequest { motion_strength: Some(-0.1), ..request() }, "motion_strength", ge(0.0)),
        (ClipRequest { motion_strength: Some(1.5), ..request() }, "motion_strength", le(1.0)),
        (
            ClipRequest {
                motion_strength: Some(0.5),
                motion: MotionRequest { motion_bucket_id: Some(3), ..MotionRequest::default() },
                ..request()
            },
            "motion_strength",
            value("it says the same as motion_bucket_id: give one of them"),
        ),
        (
            ClipRequest { camera_motion: Some("roll".into()), ..request() },
            "camera_motion",
            FieldErrorKind::not_one_of("roll", &["static", "pan", "tilt", "zoom"]),
        ),
        (ClipRequest { seed: None, ..request() }, "seed", FieldErrorKind::Missing),
        (
            ClipRequest {
                duration: Some(10.0),
                motion: MotionRequest { conditioning_fps: Some(60), ..MotionRequest::default() },
                ..request()
            },
            "duration",
            value("300 frames of the video are 600 of the motion model, which makes at most 512 for a clip"),
        ),
    ];
    for (request, field, kind) in table {
        let found = fault(request);
        assert_eq!((found.field, &found.kind), (field, &kind), "{found}");
    }
    // All errors at once, those of the motion in its group.
    let motion = MotionRequest { num_frames: Some(1), ..MotionRequest::default() };
    let all = ClipRequest { duration: Some(99.0), motion, image: None, ..request() };
    let errors = all.validate(&strict(), &Limits::default()).unwrap_err();
    assert_eq!(
        errors.iter().map(|error| (error.group, error.field)).collect::<Vec<_>>(),
        [(None, "image"), (None, "duration"), (Some("motion"), "num_frames")]
    );
}

#[test]
fn a_stored_spec_is_read_back_unchanged() {
    let image = RgbImage::from_raw(5, 3, (0..45).map(|index| (index * 37 % 256) as u8).collect()).unwrap();
    let full = ClipRequest {
        image: Some(image.clone()),
        prompt: Some("a boat".into()),
        scheduler: Some("dpmpp-2m-karras".into()),
        duration: Some(1.7),
        fps: Some(FpsRequest::Text("30000/1001".into())),
        resolution: Some("63x47".into()),
        camera_motion: Some("pan".into()),
        motion_strength: Some(0.3),
        motion: MotionRequest { noise_aug_strength: Some(0.1), ..MotionRequest::default() },
        ..request()
    };
    for request in [full, request()] {
        let spec = spec(request);
        let stored = serde_json::to_string(&spec).unwrap();
        let read: ClipSpec = serde_json::from_str(&stored).unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), stored);
        assert_eq!((read.image(), read.repaint(), read.motion()), (spec.image(), spec.repaint(), spec.motion()));
        assert_eq!((read.camera(), read.frames(), read.fps(), read.size()), (spec.camera(), spec.frames(), spec.fps(), spec.size()));
        assert_eq!((read.longer_side(), read.seed()), (spec.longer_side(), spec.seed()));
    }
}
