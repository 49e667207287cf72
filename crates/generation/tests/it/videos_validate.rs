//! Validation of requests for videos: each rule with its error, and the field in which it is reported.

use diffusion_core::pipelines::scenes::Join;
use generation::{
    FieldError, FieldErrorKind, Limits,
    field_error::Bound,
    video::{AnimationRequest, FpsRequest, MotionRequest, SceneRequest, ScenesRequest, ScenesSpec},
};
use image::RgbImage;

fn scene(prompt: &str) -> SceneRequest {
    SceneRequest { prompt: Some(prompt.into()), ..SceneRequest::default() }
}

fn request() -> ScenesRequest {
    ScenesRequest { scenes: Some(vec![scene("a boat"), scene("a star")]), seed: Some(5), ..ScenesRequest::default() }
}

fn spec(request: ScenesRequest) -> ScenesSpec {
    request.validate(&Limits::default()).unwrap()
}

fn fault(request: ScenesRequest) -> FieldError {
    let mut errors = request.validate(&Limits::default()).unwrap_err();
    assert_eq!(errors.len(), 1, "{errors:?}");
    errors.remove(0)
}

#[test]
fn absent_fields_have_the_defaults() {
    let spec = spec(request());
    assert_eq!((spec.width(), spec.height(), spec.fps().to_string().as_str()), (512, 512, "24"));
    assert_eq!((spec.num_inference_steps(), spec.guidance_scale(), spec.has_hero()), (25, 7.5, false));
    assert_eq!((spec.frames_per_scene(), spec.transition_frames(), spec.timeline().frames()), (72, 12, 156));
    assert_eq!(spec.seconds(), 6.5);
    assert_eq!(spec.joins(), [Join::Crossfade { frames: 12 }]);
    assert_eq!(spec.scenes().iter().map(|scene| (scene.seed(), scene.motion().is_some())).collect::<Vec<_>>(), [(5, false), (6, false)]);
}

#[test]
fn a_hero_precedes_every_prompt() {
    let spec = spec(ScenesRequest { hero_description: Some(" a red fox ".into()), ..request() });
    assert!(spec.has_hero());
    assert_eq!(spec.scenes().iter().map(|scene| scene.prompt()).collect::<Vec<_>>(), ["a red fox, a boat", "a red fox, a star"]);
}

#[test]
fn a_scene_may_differ_from_the_rest() {
    let own = SceneRequest {
        negative_prompt: Some("fog".into()),
        seed: Some(99),
        duration: Some(0.5),
        join: Some("slerp".into()),
        transition_frames: Some(3),
        ..scene("a boat")
    };
    let moving = SceneRequest { source: Some("moving".into()), ..scene("a star") };
    let bucket = MotionRequest { motion_bucket_id: Some(200), ..MotionRequest::default() };
    let fast = SceneRequest { motion: Some(bucket), ..scene("a sun") };
    let base = ScenesRequest { negative_prompt: Some("snow".into()), join: Some("cut".into()), ..request() };
    let validated = spec(ScenesRequest { scenes: Some(vec![own, scene("a tree"), moving, fast]), ..base });
    let [own, still, moving, fast] = validated.scenes() else { panic!("{validated:?}") };
    assert_eq!((own.negative_prompt(), own.seed(), own.frames()), ("fog", 99, 12));
    assert_eq!((still.negative_prompt(), still.seed(), still.frames()), ("snow", 6, 72));
    assert_eq!(validated.joins(), [Join::Slerp { frames: 3 }, Join::Cut, Join::Cut]);
    assert_eq!(moving.motion().map(|motion| motion.motion_bucket_id()), Some(127));
    assert_eq!(fast.motion().map(|motion| (motion.motion_bucket_id(), motion.conditioning_fps())), Some((200, 7)));
}

#[test]
fn frame_rates_are_numbers_or_fractions() {
    let fps = |fps: FpsRequest| spec(ScenesRequest { fps: Some(fps), ..request() }).fps().to_string();
    assert_eq!(fps(FpsRequest::Number(12.5)), "25/2");
    assert_eq!(fps(FpsRequest::Number(29.97)), "30000/1001");
    assert_eq!(fps(FpsRequest::Text("24000/1001".into())), "24000/1001");
    assert_eq!(fps(FpsRequest::Text("30".into())), "30");
}

#[test]
fn each_rule_names_its_field_and_its_limit() {
    let ge = |ge: i128| FieldErrorKind::GreaterThanEqual { ge: Bound::Integer(ge) };
    let le = |le: i128| FieldErrorKind::LessThanEqual { le: Bound::Integer(le) };
    let two = |first: SceneRequest| ScenesRequest { scenes: Some(vec![first, scene("a star")]), ..request() };
    let motion = |motion: MotionRequest| ScenesRequest { motion, ..request() };
    let table: Vec<(ScenesRequest, &str, FieldErrorKind)> = vec![
        (ScenesRequest { scenes: None, ..request() }, "scenes", FieldErrorKind::Missing),
        (ScenesRequest { scenes: Some(vec![]), ..request() }, "scenes", FieldErrorKind::TooShort { min_length: 1 }),
        (ScenesRequest { scenes: Some(vec![scene("a"); 65]), ..request() }, "scenes", FieldErrorKind::TooLong { max_length: 64 }),
        (ScenesRequest { fps: Some(FpsRequest::Number(0.0)), ..request() }, "fps", ge(1)),
        (
            ScenesRequest { fps: Some(FpsRequest::Number(121.0)), ..request() },
            "fps",
            FieldErrorKind::LessThanEqual { le: Bound::Float(120.0) },
        ),
        (ScenesRequest { fps: Some(FpsRequest::Number(f64::NAN)), ..request() }, "fps", FieldErrorKind::FiniteNumber),
        (ScenesRequest { width: Some(15), ..request() }, "width", ge(16)),
        (ScenesRequest { height: Some(2049), ..request() }, "height", le(2048)),
        (ScenesRequest { transition_frames: Some(-1), ..request() }, "transition_frames", ge(0)),
        (ScenesRequest { transition_frames: Some(241), ..request() }, "transition_frames", le(240)),
        (ScenesRequest { seed: Some(-2), ..request() }, "seed", ge(-1)),
        (
            ScenesRequest { duration_per_scene: Some(-0.1), ..request() },
            "duration_per_scene",
            FieldErrorKind::GreaterThanEqual { ge: Bound::Float(0.0) },
        ),
        (
            ScenesRequest { join: Some("wipe".into()), ..request() },
            "join",
            FieldErrorKind::not_one_of("wipe", &["cut", "crossfade", "slerp"]),
        ),
        (two(scene(" ")), "scenes.0.prompt", FieldErrorKind::StringTooShort { min_length: 1 }),
        (two(SceneRequest::default()), "scenes.0.prompt", FieldErrorKind::Missing),
        (two(SceneRequest { seed: Some(-2), ..scene("a boat") }), "scenes.0.seed", ge(-1)),
        (
            two(SceneRequest { source: Some("film".into()), ..scene("a boat") }),
            "scenes.0.source",
            FieldErrorKind::not_one_of("film", &["still", "moving"]),
        ),
        (motion(MotionRequest { num_frames: Some(1), ..MotionRequest::default() }), "motion.num_frames", ge(2)),
        (motion(MotionRequest { num_frames: Some(65), ..MotionRequest::default() }), "motion.num_frames", le(64)),
        (motion(MotionRequest { motion_bucket_id: Some(0), ..MotionRequest::default() }), "motion.motion_bucket_id", ge(1)),
        (
            two(SceneRequest {
                motion: Some(MotionRequest { num_inference_steps: Some(151), ..MotionRequest::default() }),
                ..scene("a boat")
            }),
            "scenes.0.motion.num_inference_steps",
            le(150),
        ),
    ];
    for (request, place, kind) in table {
        let found = fault(request);
        assert_eq!(found.kind, kind, "{place}");
        assert!(found.to_string().starts_with(&format!("{place}: ")), "{place}: {found}");
    }
}

#[test]
fn totals_over_all_scenes_are_bounded() {
    let error = |request: ScenesRequest| match fault(request) {
        FieldError { kind: FieldErrorKind::Value { error }, .. } => error,
        other => panic!("{other:?}"),
    };
    let long = ScenesRequest { duration_per_scene: Some(600.0), ..request() };
    assert_eq!(error(long), "the video would have 28812 frames, and has at most 14400");
    let none = ScenesRequest { duration_per_scene: Some(0.01), transition_frames: Some(0), ..request() };
    assert!(error(none).starts_with("the video would have no frame"));
    let between = ScenesRequest {
        scenes: Some(vec![scene("a"); 10]),
        join: Some("slerp".into()),
        transition_frames: Some(200),
        duration_per_scene: Some(0.1),
        ..request()
    };
    assert_eq!(error(between), "the model would have to make 1810 pictures, and makes at most 512");
    let moving = SceneRequest { source: Some("moving".into()), duration: Some(80.0), ..scene("a boat") };
    let moving = ScenesRequest { scenes: Some(vec![moving]), ..request() };
    assert_eq!(error(moving), "1920 frames of the video are 560 of the motion model, which makes at most 512 for a scene");
    let through = SceneRequest { source: Some("moving".into()), join: Some("slerp".into()), ..scene("a boat") };
    let through = ScenesRequest { scenes: Some(vec![through, scene("a star")]), ..request() };
    assert!(error(through).starts_with("a moving scene can only be cut or crossfaded"));
    let still = SceneRequest { source: Some("still".into()), motion: Some(MotionRequest::default()), ..scene("a boat") };
    assert_eq!(error(ScenesRequest { scenes: Some(vec![still]), ..request() }), "a still scene has no motion");
}

#[test]
fn all_errors_are_returned_at_once() {
    let bad = SceneRequest { seed: Some(-1), ..scene("") };
    let request = ScenesRequest { scenes: Some(vec![scene("a boat"), bad]), width: Some(1), seed: None, ..ScenesRequest::default() };
    let errors = request.validate(&Limits::default()).unwrap_err();
    let places: Vec<String> = errors.iter().map(|error| error.to_string().split(": ").next().unwrap().to_owned()).collect();
    assert_eq!(places, ["width", "seed", "scenes.1.prompt", "scenes.1.seed"]);
}

#[test]
fn an_animation_is_conditioned_on_its_frame_rate() {
    let request = || AnimationRequest { image: Some(RgbImage::new(4, 4)), seed: Some(1), ..AnimationRequest::default() };
    let spec = request().validate(&Limits::default()).unwrap();
    assert_eq!((spec.fps().to_string().as_str(), spec.motion().conditioning_fps(), spec.size()), ("7", 7, None));
    let fast = AnimationRequest { fps: Some(FpsRequest::Number(12.5)), ..request() }.validate(&Limits::default()).unwrap();
    assert_eq!((fast.fps().to_string().as_str(), fast.motion().conditioning_fps()), ("25/2", 13));
    let sized = AnimationRequest { width: Some(128), height: Some(64), ..request() }.validate(&Limits::default()).unwrap();
    assert_eq!(sized.size(), Some((128, 64)));
    let faults = |request: AnimationRequest| {
        let errors = request.validate(&Limits::default()).unwrap_err();
        errors.iter().map(|error| error.field).collect::<Vec<_>>()
    };
    assert_eq!(faults(AnimationRequest { image: None, seed: None, ..request() }), ["image", "seed"]);
    assert_eq!(faults(AnimationRequest { width: Some(128), ..request() }), ["height"]);
    assert_eq!(faults(AnimationRequest { image: Some(RgbImage::new(0, 4)), ..request() }), ["image"]);
}
