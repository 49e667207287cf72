//! Images in two passes, masks that are filled, and latents that are stretched, with the embedded model.

use std::{ops::ControlFlow, sync::LazyLock};

use diffusion_core::{
    Error, Result,
    denoise::{StepMonitor, StepReport},
    imaging::{nearest, resized},
    journal::{Journal, KeptLatents, Run},
    pipelines::{Enlarge, EnlargeImage, ImageParams, LatentResize, MaskFill, RunContext, SecondPass, StableDiffusion, Start, nano_sd},
    policy::ExecutionPolicy,
};
use image::{GrayImage, Luma, RgbImage};

use crate::pipelines::psnr;

static MODEL: LazyLock<StableDiffusion> = LazyLock::new(|| StableDiffusion::load(&nano_sd(), &ExecutionPolicy::cpu_f32()).unwrap());

fn params(size: (u32, u32), steps: usize) -> ImageParams {
    ImageParams { seed: 3, num_inference_steps: steps, ..ImageParams::new("a red circle on a blue background", size) }
}

fn alone(params: &ImageParams) -> RgbImage {
    MODEL.image(params, RunContext::new(&mut ())).unwrap()
}

fn second(size: (u32, u32), enlarged: (u32, u32), enlarge: Enlarge<'_>) -> SecondPass<'_> {
    SecondPass { params: params(size, 8), strength: 0.5, enlarged, enlarge }
}

/// Records steps, and stops after some.
#[derive(Default)]
struct Steps {
    seen: Vec<(usize, usize)>,
    most: Option<usize>,
}

impl StepMonitor for Steps {
    fn on_step(&mut self, step: &StepReport<'_>) -> ControlFlow<()> {
        self.seen.push((step.step, step.steps));
        if self.most.is_some_and(|most| self.seen.len() >= most) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

#[test]
fn an_image_enlarged_by_its_pixels_is_two_images_one_after_the_other() {
    let first = params((128, 128), 6);
    for (enlarge, size, enlarged) in [
        (&(|image: &RgbImage, (width, height)| resized(image, width, height)) as &EnlargeImage<'_>, (192, 192), (192, 192)),
        (&|image: &RgbImage, (width, height)| nearest(image, width, height), (160, 96), (160, 160)),
    ] {
        let mut monitor = Steps::default();
        let made =
            MODEL.image_in_two_passes(&first, &second(size, enlarged, Enlarge::Image(enlarge)), RunContext::new(&mut monitor)).unwrap();
        assert_eq!(monitor.seen, (1..=10).map(|step| (step, 10)).collect::<Vec<_>>(), "six steps, then half of eight");
        let between = enlarge(&alone(&first), enlarged).unwrap();
        let (left, top) = ((enlarged.0 - size.0) / 2, (enlarged.1 - size.1) / 2);
        let init_image = image::imageops::crop_imm(&between, left, top, size.0, size.1).to_image();
        let by_hand = alone(&ImageParams { start: Start::Image { init_image, strength: 0.5 }, ..params(size, 8) });
        assert_eq!(made, by_hand);
    }
}

#[test]
fn enlarged_latents_keep_what_the_first_pass_shows() {
    let first = params((128, 128), 25);
    let small = alone(&first);
    for way in LatentResize::ALL {
        let pass = SecondPass { params: params((192, 192), 25), strength: 0.4, enlarged: (192, 192), enlarge: Enlarge::Latents(way) };
        let made = MODEL.image_in_two_passes(&first, &pass, RunContext::new(&mut ())).unwrap();
        assert_eq!(made.dimensions(), (192, 192));
        let likeness = psnr(&resized(&made, 128, 128).unwrap(), &small);
        assert!(likeness > 15.0, "{}: {likeness} dB", way.name());
    }
    // Latents that keep their size are not changed, so only the repainting is left.
    let of = |way| {
        let pass = SecondPass { params: params((128, 128), 8), strength: 0.5, enlarged: (128, 128), enlarge: Enlarge::Latents(way) };
        MODEL.image_in_two_passes(&params((128, 128), 6), &pass, RunContext::new(&mut ())).unwrap()
    };
    let kept = of(LatentResize::Nearest);
    assert!(LatentResize::ALL.into_iter().all(|way| psnr(&of(way), &kept) > 60.0));
}

#[derive(Default)]
struct Kept {
    latents: Option<KeptLatents>,
    image: Option<RgbImage>,
}

impl Journal for Kept {
    fn latents(&mut self, _run: Run) -> Option<KeptLatents> {
        self.latents.clone()
    }

    fn keep_latents(&mut self, _run: Run, latents: &KeptLatents) {
        self.latents = Some(latents.clone());
    }

    fn image(&mut self, _run: Run, _index: usize) -> Option<RgbImage> {
        self.image.clone()
    }

    fn keep_image(&mut self, _run: Run, _index: usize, image: &RgbImage) {
        self.image = Some(image.clone());
    }
}

#[test]
fn a_resumed_image_is_the_same_and_a_stopped_one_keeps_nothing_of_its_first_pass() {
    let (first, run) = (params((64, 64), 4), Run::Image { index: 0 });
    let pass = || second((96, 96), (96, 96), Enlarge::Latents(LatentResize::Bilinear));
    let whole = MODEL.image_in_two_passes(&first, &pass(), RunContext::new(&mut ())).unwrap();
    let mut journal = Kept::default();
    for most in [2, 6] {
        let mut monitor = Steps { most: Some(most), ..Steps::default() };
        let stopped = MODEL.image_in_two_passes(&first, &pass(), RunContext::new(&mut monitor).with_journal(&mut journal, run));
        assert!(matches!(stopped, Err(Error::Cancelled)) && journal.latents.is_none(), "{most}");
    }
    let made = MODEL.image_in_two_passes(&first, &pass(), RunContext::new(&mut ()).with_journal(&mut journal, run)).unwrap();
    journal.image = None;
    let mut monitor = Steps::default();
    let resumed = MODEL.image_in_two_passes(&first, &pass(), RunContext::new(&mut monitor).with_journal(&mut journal, run)).unwrap();
    assert!(made == whole && resumed == whole && monitor.seen.is_empty());
}

#[test]
fn only_an_image_from_noise_has_a_second_pass() {
    let start = Start::Image { init_image: RgbImage::new(64, 64), strength: 0.5 };
    let first = ImageParams { start, ..params((64, 64), 4) };
    let pass = second((96, 96), (96, 96), Enlarge::Latents(LatentResize::Bilinear));
    let refused: Result<RgbImage> = MODEL.image_in_two_passes(&first, &pass, RunContext::new(&mut ()));
    assert!(matches!(refused, Err(Error::Params { field: "start", .. })));
}

#[test]
fn a_mask_is_filled_before_noise_is_added_and_stretched_latents_are_an_image_of_the_size() {
    let init_image = alone(&params((128, 128), 10));
    let mask_image = GrayImage::from_fn(128, 128, |x, _| Luma([if x < 64 { 255 } else { 0 }]));
    let of = |mask_fill, strength| {
        let start = Start::Inpaint { init_image: init_image.clone(), mask_image: mask_image.clone(), strength };
        alone(&ImageParams { mask_fill, start, ..params((128, 128), 8) })
    };
    let kept = of(MaskFill::Image, 0.25);
    for fill in [MaskFill::Noise, MaskFill::Nothing] {
        assert!(psnr(&of(fill, 0.25), &kept) < 40.0, "{fill:?} shows where little is repainted");
        assert_eq!(of(fill, 1.0), of(MaskFill::Image, 1.0), "noise alone starts from no image");
    }
    let large = resized(&init_image, 200, 168).unwrap();
    let stretched = |stretch_latents, image: &RgbImage| {
        let start = Start::Image { init_image: image.clone(), strength: 0.25 };
        alone(&ImageParams { stretch_latents, start, ..params((128, 128), 8) })
    };
    let by_latents = stretched(true, &large);
    assert!(by_latents.dimensions() == (128, 128) && psnr(&by_latents, &stretched(false, &large)) > 15.0);
    assert_eq!(stretched(true, &init_image), stretched(false, &init_image), "the same size is not stretched");
}
