//! An image that Stable Diffusion XL's base model begins and its refiner ends, against diffusers' `denoising_end` and `denoising_start`
//! (tests/golden/sdxl/refined, scripts/golden/refiner.py).

use std::ops::ControlFlow;

use diffusion_core::{
    Error,
    denoise::{StepMonitor, StepReport},
    journal::{Journal, KeptLatents, Run},
    pipelines::{HandedOver, ImageParams, RunContext, StableDiffusion, Start, XlParams},
    policy::ExecutionPolicy,
};
use image::{GrayImage, RgbImage};
use serde_json::Value as Json;

use crate::{
    golden, golden_metadata,
    pipelines::{check_psnrs, image_of, psnr},
    sdxl::{source_of, xl_params},
};

struct Models {
    base: StableDiffusion,
    refiner: StableDiffusion,
    call: Json,
}

impl Models {
    fn load(call: &Json) -> Self {
        let load = |call: &Json| StableDiffusion::load(&source_of("refined", call), &ExecutionPolicy::cpu_f32()).unwrap();
        let mut of_refiner = call.clone();
        for part in ["unet", "index"] {
            of_refiner[part] = call["refiner"][part].clone();
        }
        Self { base: load(call), refiner: load(&of_refiner), call: call.clone() }
    }

    fn params(&self) -> ImageParams {
        let start = match self.call["strength"].as_f64() {
            Some(strength) => Start::Image { init_image: image_of(&golden("sdxl", "refined")["init_image"]), strength },
            None => Start::Noise,
        };
        ImageParams { start, ..xl_params(&self.call) }
    }

    fn begin(&self, params: &ImageParams, monitor: &mut dyn StepMonitor) -> diffusion_core::Result<HandedOver> {
        self.base.begin(params, self.call["switch"].as_f64().unwrap(), monitor)
    }

    fn refine(&self, params: &ImageParams, from: Option<HandedOver>, context: RunContext<'_>) -> diffusion_core::Result<RgbImage> {
        self.refiner.refine(params, from, self.call["switch"].as_f64().unwrap(), context)
    }
}

fn calls() -> serde_json::Map<String, Json> {
    serde_json::from_str(&golden_metadata("sdxl", "refined")["calls"]).unwrap()
}

/// The steps that were reported, and how many there are in all.
#[derive(Default)]
struct Steps(Vec<(usize, usize)>);

impl StepMonitor for Steps {
    fn on_step(&mut self, report: &StepReport<'_>) -> ControlFlow<()> {
        self.0.push((report.step, report.steps));
        ControlFlow::Continue(())
    }
}

#[test]
fn a_base_and_its_refiner_match_diffusers() {
    let images = golden("sdxl", "refined");
    let mut found = Vec::new();
    for (name, call) in calls() {
        let models = Models::load(&call);
        let (params, mut steps) = (models.params(), Steps::default());
        let handed = models.begin(&params, &mut steps).unwrap();
        let made = models.refine(&params, Some(handed), RunContext::new(&mut steps)).unwrap();
        found.push((psnr(&made, &image_of(&images[&name])), name.clone()));
        // Both count the steps of the whole; Heun's cut may repeat one.
        let all = steps.0.len();
        if call["scheduler"].is_null() {
            assert_eq!(steps.0, (1..=all).map(|step| (step, all)).collect::<Vec<_>>(), "{name}");
        }
    }
    assert_eq!(found.len(), 10);
    check_psnrs(&found);
}

#[test]
fn a_switch_that_leaves_no_step_and_other_misuse_are_refused() {
    let mut models = Models::load(&calls()["default"]);
    let params = models.params();
    let field = |result: diffusion_core::Result<()>| match result {
        Err(Error::Params { field, reason }) => (field, reason),
        other => panic!("{other:?}"),
    };
    for (switch, part) in [
        (0.0, "0 is not between 0 and 1"),
        (1.0, "1 is not between 0 and 1"),
        (0.001, "0.001 leaves no step to the model before the refiner: raise it"),
        (0.999, "0.999 leaves no step to the refiner: lower it"),
    ] {
        models.call["switch"] = switch.into();
        let (name, reason) = field(models.begin(&params, &mut ()).map(drop));
        assert_eq!(name, "refiner_switch");
        assert!(reason.contains(part), "{reason}");
    }
    let (name, _) = field(models.base.begin(&params, f64::NAN, &mut ()).map(drop));
    assert_eq!(name, "refiner_switch");
    models.call["switch"] = 0.5.into();
    let inpaint = Start::Inpaint { init_image: RgbImage::new(96, 64), mask_image: GrayImage::new(96, 64), strength: 1.0 };
    assert_eq!(field(models.begin(&ImageParams { start: inpaint, ..params.clone() }, &mut ()).map(drop)).0, "mask_image");
    // The refiner begins no image from noise.
    assert_eq!(field(models.refiner.begin(&params, 0.5, &mut ()).map(drop)).0, "init_image");
    // Latents of another size.
    let handed = models.begin(&params, &mut ()).unwrap();
    let (name, reason) =
        field(models.refine(&ImageParams { width: 64, ..params.clone() }, Some(handed), RunContext::new(&mut ())).map(drop));
    assert!(name == "refiner" && reason.contains("shape"), "{name}: {reason}");
    // Fields that neither uses.
    let xl = XlParams { aesthetic_score: Some(7.0), ..params.xl.clone() };
    let handed = models.begin(&ImageParams { xl: xl.clone(), ..params.clone() }, &mut ()).unwrap();
    let (name, _) = field(models.base.refine(&ImageParams { xl, ..params.clone() }, Some(handed), 0.5, RunContext::new(&mut ())).map(drop));
    assert_eq!(name, "aesthetic_score");
}

/// Keeps the latents of one run.
#[derive(Default)]
struct Kept(Option<KeptLatents>);

impl Journal for Kept {
    fn latents(&mut self, _: Run) -> Option<KeptLatents> {
        self.0.clone()
    }

    fn keep_latents(&mut self, _: Run, latents: &KeptLatents) {
        self.0 = Some(latents.clone());
    }

    fn image(&mut self, _: Run, _: usize) -> Option<RgbImage> {
        None
    }

    fn keep_image(&mut self, _: Run, _: usize, _: &RgbImage) {}
}

#[test]
fn kept_latents_need_no_base() {
    let models = Models::load(&calls()["default"]);
    let (params, mut kept, run) = (models.params(), Kept::default(), Run::Image { index: 0 });
    let handed = models.begin(&params, &mut ()).unwrap();
    let made = models.refine(&params, Some(handed), RunContext::new(&mut ()).with_journal(&mut kept, run)).unwrap();
    let again = models.refine(&params, None, RunContext::new(&mut ()).with_journal(&mut kept, run)).unwrap();
    assert!(made == again);
    assert!(models.refine(&params, None, RunContext::new(&mut ())).is_err());
}
