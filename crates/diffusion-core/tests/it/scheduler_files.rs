//! Scheduler files as they occur in practice against diffusers (scripts/golden/scheduler_files.py): whole runs of its pipelines over files,
//! classes in model_index.json, named schedulers and kinds of requests; and every key with unusual values under every scheduler.
#![expect(clippy::print_stdout, reason = "figures for runs with --nocapture")]

use std::{collections::BTreeMap, ops::ControlFlow, sync::Arc};

use candle_core::Tensor;
use diffusion_core::{
    Error, Result,
    denoise::{StepMonitor, StepReport},
    noise::SeededNoise,
    pipelines::{ImageParams, RunContext, StableDiffusion, Start},
    policy::ExecutionPolicy,
    schedulers::{SchedulerConfig, SchedulerFile},
    weights::{Component, TensorSource, WeightSource},
};
use image::{GrayImage, RgbImage};
use serde_json::{Value as Json, json};

use crate::{golden, golden_metadata, pipelines::GoldenModel, relative_error, tolerance};

/// The tiny golden model with a case's scheduler file and model_index.json.
struct Folder {
    model: GoldenModel,
    scheduler: Json,
    index: Json,
}

impl Folder {
    fn new(shapes: &Json, unet: &Json, scheduler: &Json, pipeline: &str, class: &Json) -> Self {
        let call = json!({"unet": unet, "scheduler_config": {}});
        let model = GoldenModel { shapes: shapes.clone(), call, poison: None };
        let mut index = model.config(Component::ModelIndex).unwrap();
        index["_class_name"] = json!(pipeline);
        index["scheduler"] = json!(["diffusers", class]);
        Self { model, scheduler: scheduler.clone(), index }
    }

    fn load(&self) -> StableDiffusion {
        StableDiffusion::load(self, &ExecutionPolicy::cpu_f32()).unwrap()
    }
}

impl WeightSource for Folder {
    fn name(&self) -> String {
        self.model.name()
    }

    fn config(&self, component: Component) -> Result<Json> {
        match component {
            Component::Scheduler => Ok(self.scheduler.clone()),
            Component::ModelIndex => Ok(self.index.clone()),
            Component::Unet
            | Component::Vae
            | Component::TinyVae
            | Component::ControlNet
            | Component::Upscaler
            | Component::TextEncoder
            | Component::TextEncoder2
            | Component::ImageEncoder
            | Component::Tokenizer
            | Component::Tokenizer2
            | Component::FeatureExtractor
            | Component::Captioner => self.model.config(component),
        }
    }

    fn file(&self, component: Component, file_name: &str) -> Result<Option<Vec<u8>>> {
        self.model.file(component, file_name)
    }

    fn tensors(&self, component: Component) -> Result<Arc<dyn TensorSource>> {
        self.model.tensors(component)
    }
}

/// Keeps the latents of the last step.
#[derive(Default)]
struct Last(Option<Tensor>);

impl StepMonitor for Last {
    fn on_step(&mut self, step: &StepReport<'_>) -> ControlFlow<()> {
        self.0 = Some(step.latents.clone());
        ControlFlow::Continue(())
    }
}

/// The golden image and mask, and a request with the script's settings.
struct Request {
    init_image: RgbImage,
    mask_image: GrayImage,
    base: ImageParams,
}

impl Request {
    fn load() -> Self {
        let images = golden("pipelines", "pictures");
        let bytes = |name: &str| {
            let dims = images[name].dims();
            (dims[1] as u32, dims[0] as u32, images[name].flatten_all().unwrap().to_vec1::<u8>().unwrap())
        };
        let ((width, height, image), mask) = (bytes("init_image"), bytes("mask_image"));
        let base = ImageParams {
            negative_prompt: "noisy, dark".into(),
            guidance_scale: 5.0,
            seed: 11,
            num_inference_steps: 6,
            ..ImageParams::new("a red circle on a blue ground, with mist", (64, 64))
        };
        Self {
            init_image: RgbImage::from_raw(width, height, image).unwrap(),
            mask_image: GrayImage::from_raw(mask.0, mask.1, mask.2).unwrap(),
            base,
        }
    }

    /// The final latents of one kind of request.
    fn make(&self, model: &StableDiffusion, kind: &str, base: ImageParams) -> Result<Tensor> {
        let mut last = Last::default();
        let init_image = self.init_image.clone();
        let start = match kind {
            "text" => Start::Noise,
            "image" => Start::Image { init_image, strength: 0.6 },
            _ => Start::Inpaint { init_image, mask_image: self.mask_image.clone(), strength: 0.75 },
        };
        model.image(&ImageParams { start, ..base }, RunContext::new(&mut last))?;
        Ok(last.0.unwrap())
    }
}

/// The PSNR between the images of both latents, in f32.
fn image_psnr(model: &StableDiffusion, actual: &Tensor, expected: &Tensor) -> f64 {
    let image = |latents: &Tensor| {
        let decoded = model.vae().decode(latents).unwrap();
        let values = decoded.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        values.into_iter().map(|value| f64::from((value / 2.0 + 0.5).clamp(0.0, 1.0))).collect::<Vec<f64>>()
    };
    let (actual, expected) = (image(actual), image(expected));
    let squares = actual.iter().zip(&expected).map(|(a, e)| (a - e).powi(2)).sum::<f64>();
    10.0 * (actual.len() as f64 / squares).log10()
}

#[test]
fn schedulers_start_from_the_pipelines_scheduler_config() {
    check_pipelines("schedulers", 160);
}

#[test]
fn pipelines_pass_eta_to_the_schedulers_that_have_it() {
    check_pipelines("eta", 6);
}

/// Makes the final latents of every case of a golden, at least `least` of them, and compares them.
fn check_pipelines(name: &str, least: usize) {
    let (latents, metadata) = (golden("pipelines", name), golden_metadata("pipelines", name));
    let cases: Vec<Json> = serde_json::from_str(&metadata["cases"]).unwrap();
    let shapes: Json = serde_json::from_str(&metadata["shapes"]).unwrap();
    let request = Request::load();
    let mut faults = Vec::new();
    let mut worst = f64::INFINITY;
    for (number, case) in cases.iter().enumerate() {
        let file = &cases[case["file_of"].as_u64().unwrap() as usize]["file"];
        let model = Folder::new(&shapes, &case["unet"], file, case["index"].as_str().unwrap(), &case["class"]).load();
        let base = ImageParams {
            num_inference_steps: case["steps"].as_u64().unwrap() as usize,
            scheduler: case["name"].as_str().map(|name| name.parse().unwrap()),
            eta: case["eta"].as_f64(),
            ..request.base.clone()
        };
        let expected = &latents[&number.to_string()];
        let fault = match request.make(&model, case["kind"].as_str().unwrap(), base) {
            Err(error) => error.to_string(),
            Ok(made) => {
                let (image, latent) = (image_psnr(&model, &made, expected), -20.0 * relative_error(&made, expected).log10());
                worst = worst.min(image).min(latent);
                if image.min(latent) >= tolerance::EQUAL_IMAGES {
                    continue;
                }
                format!("pictures {image:.1} dB, latents {latent:.1} dB")
            }
        };
        faults.push(format!("{number} {} {} {}: {fault}", case["kind"], case["label"], case["name"]));
    }
    println!("{} cases, the worst at {worst:.1} dB", cases.len());
    assert!(faults.is_empty(), "{} of {}\n{}", faults.len(), cases.len(), faults.join("\n"));
    assert!(cases.len() >= least);
}

/// Settings that diffusers runs and this crate refuses: the start of the scheduler's name, and the key.
const UNSUPPORTED: [(&str, &str); 8] = [
    ("dpmpp", "use_flow_sigmas"),
    ("unipc", "use_flow_sigmas"),
    ("deis", "use_flow_sigmas"),
    ("dpmpp-2m", "use_lu_lambdas"),
    ("euler", "interpolation_type"),
    ("dpmpp", "prediction_type"),
    ("unipc", "prediction_type"),
    ("deis", "prediction_type"),
];

/// A row of the golden's table: its name, key and value, the other keys, and the index of its latents if diffusers runs it.
type FileCase = (String, String, Json, BTreeMap<String, Json>, Option<usize>);

#[test]
fn a_file_is_validated_by_the_keys_that_a_scheduler_uses() {
    const SHAPE: [usize; 4] = [1, 4, 2, 2];
    let (latents, metadata) = (golden("schedulers", "files"), golden_metadata("schedulers", "files"));
    let table: Vec<FileCase> = serde_json::from_str(&metadata["table"]).unwrap();
    let sd15: Json = serde_json::from_str(&metadata["file"]).unwrap();
    let betas = |value: &Json| if *value == json!("1000 x 0.01") { json!(vec![0.01; 1000]) } else { value.clone() };
    let randn = |seed| SeededNoise::new(seed).randn(&SHAPE).unwrap();
    let run = |file: &Json, name: &str| -> Result<Tensor> {
        let mut run = SchedulerConfig::from_json(file, Some(name.parse()?))?.start(5)?;
        let mut latents = (randn(7) * run.init_noise_sigma())?;
        let mut noise = SeededNoise::new(42);
        for index in 0..run.timesteps().len() {
            latents = run.step(&randn(1000 + index as u64), index, &latents, &mut noise)?;
        }
        Ok(latents)
    };
    let (mut faults, mut same, mut refused) = (Vec::new(), 0, 0);
    for (name, key, value, other_keys, row) in &table {
        let mut file = sd15.clone();
        for (key, value) in other_keys.iter().chain([(key, value)]) {
            file[key] = betas(value);
        }
        let unsupported = UNSUPPORTED.iter().any(|(start, other)| name.starts_with(start) && key == other);
        let context = || format!("{name} {key} {value} with {other_keys:?}");
        match (run(&file, name), row) {
            (Ok(made), Some(row)) => {
                let error = relative_error(&made, &latents["latents"].get(*row).unwrap());
                if error <= tolerance::SCHEDULER_STEP { same += 1 } else { faults.push(format!("{}: {error:e}", context())) }
            }
            (Err(Error::Config { field, .. }), Some(_)) if unsupported && field == *key => refused += 1,
            (Err(error), Some(_)) => faults.push(format!("{}: {error}", context())),
            // diffusers makes no image with it.
            (Err(Error::Config { .. }), None) => refused += 1,
            (Err(error), None) => faults.push(format!("{}: {error}", context())),
            // diffusers overflows there, or refuses something harmless.
            (Ok(_), None) => {}
        }
    }
    println!("{same} as diffusers, {refused} refused, of {}", table.len());
    assert!(faults.is_empty(), "{} of {}\n{}", faults.len(), table.len(), faults.join("\n"));
    assert!(same >= 1500 && refused >= 200, "{same} {refused}");
}

#[test]
fn a_model_with_an_unsupported_scheduler_loads_and_says_what_to_do() {
    let metadata = golden_metadata("pipelines", "schedulers");
    let shapes: Json = serde_json::from_str(&metadata["shapes"]).unwrap();
    let request = Request::load();
    for (file, class, field) in [
        (json!({"_class_name": "KDPM2DiscreteScheduler"}), json!("KDPM2DiscreteScheduler"), "_class_name"),
        (json!({}), json!("EDMEulerScheduler"), "_class_name"),
        (json!({"_class_name": "DDIMScheduler", "timestep_spacing": "sideways"}), json!("DDIMScheduler"), "timestep_spacing"),
    ] {
        let model = Folder::new(&shapes, &json!({}), &file, "StableDiffusionPipeline", &class).load();
        let error = request.make(&model, "text", request.base.clone()).unwrap_err();
        assert!(matches!(&error, Error::Config { field: found, .. } if found == field), "{error}");
        assert!(model.scheduler_name().is_err());
        let base = ImageParams { scheduler: Some("euler".parse().unwrap()), ..request.base.clone() };
        assert_eq!(request.make(&model, "text", base).is_ok(), field == "_class_name");
    }
    let nothing = SchedulerFile::new(&json!({}), None).unwrap();
    assert!(nothing.own_kind().unwrap_err().to_string().contains("_class_name: missing"));
    assert!(nothing.scheduler(Some("euler".parse().unwrap())).is_ok());
}
