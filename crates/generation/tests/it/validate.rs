//! Every validation rule with its error, and all errors at once.

use diffusion_core::schedulers::SchedulerKind;
use generation::{
    FieldError, FieldErrorKind, HiresRequest, ImageMode, ImageRequest, ImageSpec, Limits, MaskContent, MaskRequest, ModelInfo, ResizeMode,
    field_error::Bound,
};
use generation_test::info;
use image::{GrayImage, RgbImage};

use crate::fake::request;

fn errors(request: ImageRequest) -> Vec<FieldError> {
    request.validate(&Limits::default(), &info()).unwrap_err()
}

fn ge(ge: i128) -> FieldErrorKind {
    FieldErrorKind::GreaterThanEqual { ge: Bound::Integer(ge) }
}

fn le(le: i128) -> FieldErrorKind {
    FieldErrorKind::LessThanEqual { le: Bound::Integer(le) }
}

#[test]
fn absent_fields_come_from_the_model_and_the_defaults() {
    let request = ImageRequest { prompt: Some("a boat".into()), seed: Some(0), ..ImageRequest::default() };
    let model = ModelInfo { default_width: 128, default_height: 192, ..info() };
    let spec = request.validate(&Limits::default(), &model).unwrap();
    assert_eq!((spec.width(), spec.height(), spec.count()), (128, 192, 1));
    assert_eq!((spec.num_inference_steps(), spec.guidance_scale(), spec.clip_skip(), spec.eta()), (25, 7.5, 0, None));
    assert_eq!((spec.prompt(), spec.negative_prompt(), spec.scheduler()), ("a boat", "", None));
    assert!(matches!(spec.mode(), ImageMode::TextToImage));
}

#[test]
fn each_rule_names_its_field_and_its_limit() {
    let base = || request("a boat");
    let too_long = FieldErrorKind::StringTooLong { max_length: 2000 };
    let table: Vec<(ImageRequest, &str, FieldErrorKind)> = vec![
        (ImageRequest { prompt: None, ..base() }, "prompt", FieldErrorKind::Missing),
        (request(""), "prompt", FieldErrorKind::StringTooShort { min_length: 1 }),
        (request(" \t\n"), "prompt", FieldErrorKind::StringTooShort { min_length: 1 }),
        (request(&"é".repeat(2001)), "prompt", too_long.clone()),
        (ImageRequest { negative_prompt: Some("x".repeat(2001)), ..base() }, "negative_prompt", too_long),
        (ImageRequest { num_inference_steps: Some(0), ..base() }, "num_inference_steps", ge(1)),
        (ImageRequest { num_inference_steps: Some(-1), ..base() }, "num_inference_steps", ge(1)),
        (ImageRequest { num_inference_steps: Some(151), ..base() }, "num_inference_steps", le(150)),
        (ImageRequest { num_inference_steps: Some(i128::MAX), ..base() }, "num_inference_steps", le(150)),
        (
            ImageRequest { guidance_scale: Some(-0.5), ..base() },
            "guidance_scale",
            FieldErrorKind::GreaterThanEqual { ge: Bound::Float(0.0) },
        ),
        (ImageRequest { guidance_scale: Some(50.5), ..base() }, "guidance_scale", FieldErrorKind::LessThanEqual { le: Bound::Float(50.0) }),
        (ImageRequest { guidance_scale: Some(f64::NAN), ..base() }, "guidance_scale", FieldErrorKind::FiniteNumber),
        (ImageRequest { guidance_scale: Some(f64::INFINITY), ..base() }, "guidance_scale", FieldErrorKind::FiniteNumber),
        (ImageRequest { width: Some(56), ..base() }, "width", ge(64)),
        (ImageRequest { width: Some(100), ..base() }, "width", FieldErrorKind::MultipleOf { multiple_of: 8 }),
        (ImageRequest { height: Some(2056), ..base() }, "height", le(2048)),
        (
            ImageRequest { width: Some(2048), height: Some(2048), ..base() },
            "width",
            FieldErrorKind::Value { error: "2048 x 2048 is 4194304 pixels, and a picture has at most 2097152".into() },
        ),
        (ImageRequest { count: Some(0), ..base() }, "count", ge(1)),
        (ImageRequest { count: Some(17), ..base() }, "count", le(16)),
        (ImageRequest { seed: None, ..base() }, "seed", FieldErrorKind::Missing),
        (ImageRequest { seed: Some(-2), ..base() }, "seed", ge(-1)),
        (ImageRequest { seed: Some(1 << 63), ..base() }, "seed", le((1 << 63) - 1)),
        (ImageRequest { seed: Some(1 << 64), ..base() }, "seed", le((1 << 63) - 1)),
        (ImageRequest { eta: Some(-0.1), ..base() }, "eta", FieldErrorKind::GreaterThanEqual { ge: Bound::Float(0.0) }),
        (ImageRequest { eta: Some(1.1), ..base() }, "eta", FieldErrorKind::LessThanEqual { le: Bound::Float(1.0) }),
        (ImageRequest { eta: Some(f64::NAN), ..base() }, "eta", FieldErrorKind::FiniteNumber),
        (ImageRequest { clip_skip: Some(13), ..base() }, "clip_skip", le(12)),
    ];
    for (request, field, kind) in table {
        let found = errors(request);
        let [error] = found.as_slice() else { panic!("{field}: one fault expected, found {found:?}") };
        assert_eq!((error.field, &error.kind), (field, &kind));
        assert!(error.value.chars().count() <= 103, "{field}: the value is cut");
    }
}

#[test]
fn the_limits_themselves_are_allowed() {
    let request = ImageRequest {
        prompt: Some("é".repeat(2000)),
        negative_prompt: Some("é".repeat(2000)),
        num_inference_steps: Some(150),
        guidance_scale: Some(50.0),
        width: Some(2048),
        height: Some(1024),
        count: Some(16),
        seed: Some((1 << 63) - 1),
        scheduler: Some("euler".into()),
        eta: Some(1.0),
        clip_skip: Some(12),
        ..ImageRequest::default()
    };
    let spec = request.validate(&Limits::default(), &info()).unwrap();
    assert_eq!(spec.seed_of(15), (1 << 63) + 14);
    assert_eq!(spec.scheduler(), Some(SchedulerKind::Euler.into()));
}

#[test]
fn all_errors_are_returned_at_once() {
    let request = ImageRequest {
        prompt: Some(String::new()),
        num_inference_steps: Some(0),
        width: Some(9),
        scheduler: Some("none such".into()),
        ..ImageRequest::default()
    };
    let found = errors(request);
    let fields: Vec<_> = found.iter().map(|error| error.field).collect();
    assert_eq!(fields, ["prompt", "num_inference_steps", "width", "seed", "scheduler"]);
}

#[test]
fn the_error_for_an_unknown_scheduler_names_the_known_ones() {
    let found = errors(ImageRequest { scheduler: Some("elevator".into()), ..request("a boat") });
    let [error] = found.as_slice() else { panic!("one fault expected, found {found:?}") };
    let FieldErrorKind::Enum { expected, .. } = &error.kind else { panic!("{error:?}") };
    for name in ["ddim", "euler-ancestral", "dpmpp-2m-karras"] {
        assert!(expected.iter().any(|known| known == name), "{name}");
        assert!(error.message.contains(name));
    }
}

#[test]
fn an_eta_without_effect_has_a_remark() {
    let remarks = |scheduler: Option<&str>, eta| {
        let request = ImageRequest { scheduler: scheduler.map(str::to_owned), eta, ..request("a boat") };
        request.validate(&Limits::default(), &info()).unwrap().remarks_on(&info())
    };
    for (scheduler, eta) in [(None, Some(0.5)), (Some("euler-ancestral"), Some(0.5)), (Some("TCD"), Some(1.0)), (Some("euler"), None)] {
        assert_eq!(remarks(scheduler, eta), [""; 0], "{scheduler:?} {eta:?}");
    }
    let remark = "eta has no effect with the scheduler unipc-karras; the schedulers that take it are ddim, euler-ancestral, tcd";
    assert_eq!(remarks(Some("unipc-karras"), Some(0.0)), [remark]);
}

#[test]
fn a_spec_of_an_earlier_version_is_read() {
    let spec = request("a boat").validate(&Limits::default(), &info()).unwrap();
    let mut stored = serde_json::to_value(&spec).unwrap();
    for newer in ["eta", "output_size"] {
        assert!(stored.as_object_mut().unwrap().remove(newer).is_some());
    }
    let read: ImageSpec = serde_json::from_value(stored).unwrap();
    assert_eq!((read.prompt(), read.eta(), read.output_size()), ("a boat", None, None));
}

#[test]
fn an_initial_image_sets_the_size_and_allows_strength_and_mask() {
    let image = || Some(RgbImage::new(101, 70));
    let spec = |request: ImageRequest| request.validate(&Limits::default(), &info()).unwrap();
    let image_to_image = spec(ImageRequest { init_image: image(), ..request("a boat") });
    assert_eq!((image_to_image.width(), image_to_image.height()), (96, 64));
    assert_eq!(image_to_image.mode().strength(), Some(0.75));
    let mask_image = Some(GrayImage::new(8, 8));
    let inpaint = spec(ImageRequest { init_image: image(), mask_image, strength: Some(1.0), ..request("a boat") });
    assert!(matches!(inpaint.mode(), ImageMode::Inpaint { strength: 1.0, .. }));
}

#[test]
fn strength_and_mask_need_an_image_with_pixels() {
    let fields = |request: ImageRequest| errors(request).iter().map(|error| error.field).collect::<Vec<_>>();
    assert_eq!(fields(ImageRequest { strength: Some(0.5), ..request("a boat") }), ["strength"]);
    assert_eq!(fields(ImageRequest { mask_image: Some(GrayImage::new(8, 8)), ..request("a boat") }), ["mask_image"]);
    assert_eq!(fields(ImageRequest { init_image: Some(RgbImage::new(0, 8)), ..request("a boat") }), ["init_image"]);
    let strength = Some(1.5);
    assert_eq!(fields(ImageRequest { strength, init_image: Some(RgbImage::new(8, 8)), ..request("a boat") }), ["strength"]);
}

#[test]
fn the_error_for_a_strength_without_a_step_names_the_smallest_one() {
    let image = |mask: bool, strength, steps| ImageRequest {
        init_image: Some(RgbImage::new(64, 64)),
        mask_image: mask.then(|| GrayImage::new(64, 64)),
        strength: Some(strength),
        num_inference_steps: Some(steps),
        ..request("a boat")
    };
    for mask in [false, true] {
        for (strength, steps, smallest) in [(0.03, 25, "0.04"), (0.0, 4, "0.25"), (0.3, 3, "0.3334"), (0.99, 1, "1")] {
            let found = errors(image(mask, strength, steps));
            let [error] = found.as_slice() else { panic!("one fault expected, found {found:?}") };
            assert_eq!(error.field, "strength");
            assert!(error.message.ends_with(&format!("the smallest strength that works is {smallest}")), "{}", error.message);
            let corrected = image(mask, smallest.parse().unwrap(), steps);
            assert!(corrected.validate(&Limits::default(), &info()).is_ok(), "{smallest} of {steps}");
        }
    }
}

#[test]
fn a_model_without_its_own_scheduler_requires_one() {
    let model = ModelInfo { scheduler: None, scheduler_reason: "KDPM2DiscreteScheduler is not known".into(), ..info() };
    let found = request("a boat").validate(&Limits::default(), &model).unwrap_err();
    let [error] = found.as_slice() else { panic!("one fault expected, found {found:?}") };
    assert_eq!(error.field, "scheduler");
    assert!(error.message.contains("name one") && error.message.contains("KDPM2DiscreteScheduler is not known"), "{}", error.message);
    let named = ImageRequest { scheduler: Some("euler".into()), ..request("a boat") };
    assert!(named.validate(&Limits::default(), &model).is_ok());
}

#[test]
fn a_second_pass_is_checked_and_its_faults_are_inside_it() {
    let hires = |second: HiresRequest| ImageRequest { hires: Some(second), ..request("a boat") }.validate(&Limits::default(), &info());
    let spec = hires(HiresRequest { scale: Some(1.5), steps: Some(7), ..HiresRequest::default() }).unwrap();
    let second = spec.hires().unwrap();
    assert_eq!((second.size(), second.steps(), second.strength(), second.upscaler().name()), (spec.made_size(), 7, 0.75, "Latent"));
    let stored = serde_json::to_string(&spec).unwrap();
    let read: ImageSpec = serde_json::from_str(&stored).unwrap();
    assert_eq!((read.hires(), serde_json::to_string(&read).unwrap()), (spec.hires(), stored));
    for (second, field) in [
        (HiresRequest { scale: Some(0.5), ..HiresRequest::default() }, "scale"),
        (HiresRequest { width: Some(32), ..HiresRequest::default() }, "width"),
        (HiresRequest { height: Some(4096), ..HiresRequest::default() }, "height"),
        (HiresRequest { upscaler: Some("SwinIR 4x".into()), ..HiresRequest::default() }, "upscaler"),
        (HiresRequest { steps: Some(0), ..HiresRequest::default() }, "steps"),
        (HiresRequest { strength: Some(0.0), ..HiresRequest::default() }, "strength"),
        (HiresRequest { strength: Some(0.001), ..HiresRequest::default() }, "strength"),
        (HiresRequest { scheduler: Some("best".into()), ..HiresRequest::default() }, "scheduler"),
        (HiresRequest { prompt: Some("x".repeat(2001)), ..HiresRequest::default() }, "prompt"),
        (HiresRequest { prompt: Some("a <lora:ink:1>".into()), ..HiresRequest::default() }, "prompt"),
    ] {
        let errors = hires(second).unwrap_err();
        assert_eq!(errors.iter().map(|error| (error.group, error.field)).collect::<Vec<_>>(), [(Some("hires"), field)]);
    }
    let given = ImageRequest { init_image: Some(RgbImage::new(64, 64)), hires: Some(HiresRequest::default()), ..request("a boat") };
    assert_eq!(given.validate(&Limits::default(), &info()).unwrap_err()[0].field, "hires");
}

#[test]
fn how_a_mask_is_applied_needs_a_mask_and_a_resize_mode_a_picture() {
    let validate = |asked: ImageRequest| asked.validate(&Limits::default(), &info());
    let fields = |asked: ImageRequest| validate(asked).unwrap_err().iter().map(|error| error.field).collect::<Vec<_>>();
    assert_eq!(fields(ImageRequest { resize_mode: Some("crop".into()), ..request("a boat") }), ["resize_mode"]);
    assert_eq!(fields(ImageRequest { mask: Some(MaskRequest::default()), ..request("a boat") }), ["mask"]);
    let masked = |mask: MaskRequest, white: u8| {
        let mask_image = Some(GrayImage::from_pixel(64, 64, image::Luma([white])));
        ImageRequest {
            init_image: Some(RgbImage::new(64, 64)),
            mask_image,
            mask: Some(mask),
            resize_mode: Some("fill".into()),
            ..request("a boat")
        }
    };
    let only = |invert| MaskRequest { only_masked: Some(true), invert: Some(invert), ..MaskRequest::default() };
    assert_eq!(fields(masked(only(false), 0)), ["mask_image"]);
    assert_eq!(fields(masked(only(true), 255)), ["mask_image"]);
    assert_eq!(fields(masked(MaskRequest { blur: Some(65.0), fill: Some("sky".into()), ..MaskRequest::default() }, 255)), ["blur", "fill"]);
    let spec = validate(masked(only(true), 0)).unwrap();
    let read: ImageSpec = serde_json::from_str(&serde_json::to_string(&spec).unwrap()).unwrap();
    let ImageMode::Inpaint { mask: Some(mask), resize: ResizeMode::Fill, .. } = read.mode() else { panic!("{:?}", read.mode()) };
    assert_eq!((mask.only_masked(), mask.invert(), mask.content()), (Some(0), true, MaskContent::Original));
}
