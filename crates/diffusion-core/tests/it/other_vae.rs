//! Other autoencoders in a model: AutoencoderTiny against diffusers' pipelines with `pipe.vae` replaced (tests/golden/pipelines/tiny_vae,
//! scripts/golden/tiny_vae.py), and autoencoders from folders and files.

use std::{collections::HashMap, ops::ControlFlow, path::Path};

use candle_core::Tensor;
use diffusion_core::{
    Error, Result,
    denoise::{StepMonitor, StepReport},
    pipelines::{ImageCall, ImageMemory, ImageParams, RunContext, StableDiffusion, Start, inspect, nano_sd},
    policy::ExecutionPolicy,
    weights::{Component, DiffusersFolder, OpenOptions, OtherVae, SingleFile, SingleFileOptions, VaeChoice, WeightSource, open_model},
};
use image::{GrayImage, RgbImage};
use serde_json::{Value as Json, json};

use crate::{
    golden, golden_metadata, golden_weights,
    pipelines::{GoldenModel, deviation, image_of, params, psnr},
    tiny_turbo::TinyTurbo,
    tolerance,
};

struct Goldens {
    tensors: HashMap<String, Tensor>,
    calls: serde_json::Map<String, Json>,
    shapes: Json,
}

impl Goldens {
    fn load() -> Self {
        let metadata = golden_metadata("pipelines", "tiny_vae");
        let (calls, shapes) = (serde_json::from_str(&metadata["calls"]).unwrap(), serde_json::from_str(&metadata["shapes"]).unwrap());
        Self { tensors: golden("pipelines", "tiny_vae"), calls, shapes }
    }

    fn image(&self, name: &str) -> RgbImage {
        image_of(&self.tensors[name])
    }

    /// The model with the tiny autoencoder as its own.
    fn source(&self, name: &str) -> GoldenModel {
        GoldenModel { shapes: self.shapes.clone(), call: self.calls[name].clone(), poison: None }
    }

    /// The model with its own autoencoder.
    fn full_source(&self, name: &str) -> GoldenModel {
        let mut full = self.source(name);
        full.call["vae"] = Json::Null;
        full.call["model_index"] = Json::Null;
        full
    }

    fn make(&self, name: &str, source: &dyn WeightSource, vae: VaeChoice, monitor: &mut dyn StepMonitor) -> RgbImage {
        let call = &self.calls[name];
        let init_image = || self.image("init_image");
        let strength = || call["strength"].as_f64().unwrap();
        let start = match name {
            "text_to_image" => Start::Noise,
            "image_to_image" => Start::Image { init_image: init_image(), strength: strength() },
            _ => {
                let (mask, (height, width)) = (&self.tensors["mask_image"], self.tensors["mask_image"].dims2().unwrap());
                let bytes = mask.flatten_all().unwrap().to_vec1::<u8>().unwrap();
                let mask_image = GrayImage::from_raw(width as u32, height as u32, bytes).unwrap();
                Start::Inpaint { init_image: init_image(), mask_image, strength: strength() }
            }
        };
        let model = StableDiffusion::load(source, &ExecutionPolicy::cpu_f32()).unwrap();
        model.image(&ImageParams { start, vae, ..params(call) }, RunContext::new(monitor)).unwrap()
    }

    /// Writes the AutoencoderTiny as a folder of its own.
    fn write_vae(&self, folder: &Path) {
        std::fs::write(folder.join("config.json"), self.calls["text_to_image"]["vae"].to_string()).unwrap();
        let shapes: HashMap<String, Vec<usize>> = serde_json::from_value(self.shapes["vae_tiny"].clone()).unwrap();
        let tensors: HashMap<String, Tensor> =
            shapes.iter().map(|(name, shape)| (name.clone(), golden_weights::draw(name, shape))).collect();
        candle_core::safetensors::save(&tensors, folder.join("diffusion_pytorch_model.safetensors")).unwrap();
    }
}

#[test]
fn images_with_a_tiny_autoencoder_match_diffusers() {
    let goldens = Goldens::load();
    for name in ["text_to_image", "image_to_image", "inpaint"] {
        let expected = goldens.image(name);
        assert!(deviation(&expected) >= 30.0, "{name}");
        let image = goldens.make(name, &goldens.source(name), VaeChoice::Full, &mut ());
        let decibels = psnr(&image, &expected);
        assert!(decibels >= tolerance::IMAGE_PSNR, "{name}: {decibels:.1} dB");
    }
}

#[test]
fn an_autoencoder_from_another_folder_makes_the_same_image_as_the_models_own() {
    let goldens = Goldens::load();
    let folder = tempfile::tempdir().unwrap();
    goldens.write_vae(folder.path());
    let both = OtherVae::open(Box::new(goldens.full_source("image_to_image")), folder.path()).unwrap();
    assert_eq!(both.remarks(), [format!("the VAE tiny: {}", folder.path().display())]);
    assert_eq!(both.vaes(), [VaeChoice::Tiny, VaeChoice::Full]);
    assert!(inspect(&both).refusals.is_empty());
    let make = |source: &dyn WeightSource, vae| goldens.make("image_to_image", source, vae, &mut ());
    assert!(make(&both, VaeChoice::Tiny) == make(&goldens.source("image_to_image"), VaeChoice::Full));
    assert!(make(&both, VaeChoice::Full) == make(&goldens.full_source("image_to_image"), VaeChoice::Full));
}

#[test]
fn a_tiny_autoencoder_counts_in_the_memory_plan() {
    let goldens = Goldens::load();
    let folder = tempfile::tempdir().unwrap();
    goldens.write_vae(folder.path());
    let policy = ExecutionPolicy::cpu_f32();
    let full = ImageMemory::of(&goldens.full_source("text_to_image"), &policy).unwrap();
    let both = OtherVae::open(Box::new(goldens.full_source("text_to_image")), folder.path()).unwrap();
    let both = ImageMemory::of(&both, &policy).unwrap();
    assert!(both.weights() > full.weights());
    let call = |vae| ImageCall { size: (512, 512), guided: false, encodes: true, between: false, vae, controls: 0 };
    assert_eq!(both.working(call(VaeChoice::Full)), full.working(call(VaeChoice::Full)));
    // Its layers of 16 channels at full size need more than the golden model's 8.
    assert!(both.working(call(VaeChoice::Tiny)) > full.working(call(VaeChoice::Full)));
}

#[test]
fn a_tiny_autoencoder_lies_beside_the_models_own() {
    let goldens = Goldens::load();
    let folder = tempfile::tempdir().unwrap();
    let index = goldens.full_source("text_to_image").config(Component::ModelIndex).unwrap();
    std::fs::write(folder.path().join("model_index.json"), index.to_string()).unwrap();
    assert_eq!(DiffusersFolder::open(folder.path(), None).unwrap().vaes(), [VaeChoice::Full]);
    std::fs::create_dir(folder.path().join("vae_tiny")).unwrap();
    goldens.write_vae(&folder.path().join("vae_tiny"));
    let source = DiffusersFolder::open(folder.path(), None).unwrap();
    assert_eq!(source.vaes(), [VaeChoice::Full, VaeChoice::Tiny]);
    assert_eq!(source.config(Component::TinyVae).unwrap(), goldens.calls["text_to_image"]["vae"]);
    assert!(source.tensors(Component::TinyVae).unwrap().names().iter().any(|name| name == "decoder.layers.0.weight"));
}

/// The preview of the last step.
#[derive(Default)]
struct LastPreview(Option<RgbImage>);

impl StepMonitor for LastPreview {
    fn on_step(&mut self, step: &StepReport<'_>) -> ControlFlow<()> {
        self.0 = Some((step.preview)().unwrap());
        ControlFlow::Continue(())
    }
}

#[test]
fn a_tiny_autoencoder_makes_the_previews() {
    let goldens = Goldens::load();
    let folder = tempfile::tempdir().unwrap();
    goldens.write_vae(folder.path());
    let source = OtherVae::open(Box::new(goldens.full_source("text_to_image")), folder.path()).unwrap();
    let mut last = LastPreview::default();
    let image = goldens.make("text_to_image", &source, VaeChoice::Tiny, &mut last);
    assert!(last.0.unwrap() == image, "the last step's latents are the image's");
    let full = goldens.make("text_to_image", &source, VaeChoice::Full, &mut LastPreview::default());
    assert!(full == goldens.make("text_to_image", &goldens.full_source("text_to_image"), VaeChoice::Full, &mut ()));
}

#[test]
fn a_tiny_autoencoder_with_other_latents_is_refused() {
    let goldens = Goldens::load();
    let folder = tempfile::tempdir().unwrap();
    goldens.write_vae(folder.path());
    let open = |field: &str, value: Json| {
        let mut config = goldens.calls["text_to_image"]["vae"].clone();
        config[field] = value;
        std::fs::write(folder.path().join("config.json"), config.to_string()).unwrap();
        let source = OtherVae::open(Box::new(goldens.full_source("text_to_image")), folder.path()).unwrap();
        let refused = inspect(&source).refusals.into_iter().next();
        let found = StableDiffusion::load(&source, &ExecutionPolicy::cpu_f32()).err();
        assert_eq!(refused.map(|error| error.to_string()), found.as_ref().map(ToString::to_string));
        found
    };
    assert!(open("scaling_factor", json!(1.0)).is_none());
    assert!(matches!(open("latent_channels", json!(16)), Some(Error::Config { field, .. }) if field == "latent_channels"));
}

#[test]
fn a_model_without_a_tiny_autoencoder_says_so() {
    let model = StableDiffusion::load(&nano_sd(), &ExecutionPolicy::cpu_f32()).unwrap();
    let params = ImageParams { num_inference_steps: 1, vae: VaeChoice::Tiny, ..ImageParams::new("a boat", (64, 64)) };
    let refused = model.image(&params, RunContext::new(&mut ()));
    assert!(matches!(refused, Err(Error::Params { field: "vae", reason }) if reason.contains("vae_tiny")));
}

#[test]
fn an_autoencoder_in_a_checkpoint_is_the_checkpoints_own() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    TinyTurbo::load().write_single_file(&path, &[], &[]);
    let open = || SingleFile::open(&path, SingleFileOptions::default()).unwrap();
    let image = |source: &dyn WeightSource| {
        let model = StableDiffusion::load(source, &ExecutionPolicy::cpu_f32()).unwrap();
        let params = ImageParams { num_inference_steps: 1, guidance_scale: 0.0, ..ImageParams::new("a boat", (64, 64)) };
        model.image(&params, RunContext::new(&mut ())).unwrap()
    };
    let other = OtherVae::open(Box::new(open()), &path).unwrap();
    assert_eq!(other.config(Component::Vae).unwrap()["scaling_factor"], json!(0.18215));
    assert!(image(&other) == image(&open()));
}

#[test]
fn a_checkpoint_without_an_autoencoder_takes_one_from_elsewhere() {
    let folder = tempfile::tempdir().unwrap();
    let [whole, bare, vae] = ["whole", "bare", "vae"].map(|name| folder.path().join(format!("{name}.safetensors")));
    TinyTurbo::load().write_single_file(&whole, &[], &[]);
    let all = candle_core::safetensors::load(&whole, &candle_core::Device::Cpu).unwrap();
    let (of_vae, others): (HashMap<_, _>, HashMap<_, _>) = all.into_iter().partition(|(name, _)| name.starts_with("first_stage_model."));
    candle_core::safetensors::save(&of_vae, &vae).unwrap();
    candle_core::safetensors::save(&others, &bare).unwrap();
    let open = |has_other_vae| open_model(&bare, &OpenOptions { has_other_vae, ..OpenOptions::default() });
    let message = open(false).err().unwrap().to_string();
    assert!(message.contains("has no VAE, so it is not a complete Stable Diffusion checkpoint: name one besides (--vae)"), "{message}");

    let image = |source: &dyn WeightSource| {
        let model = StableDiffusion::load(source, &ExecutionPolicy::cpu_f32()).unwrap();
        let params = ImageParams { num_inference_steps: 1, guidance_scale: 0.0, ..ImageParams::new("a boat", (64, 64)) };
        model.image(&params, RunContext::new(&mut ())).unwrap()
    };
    let other = OtherVae::open(open(true).unwrap(), &vae).unwrap();
    assert_eq!(other.config(Component::Vae).unwrap()["scaling_factor"], json!(0.18215));
    assert!(inspect(&other).refusals.is_empty());
    assert!(image(&other) == image(&SingleFile::open(&whole, SingleFileOptions::default()).unwrap()));

    // A small one stands beside the model's own, and cannot replace it.
    let tiny = tempfile::tempdir().unwrap();
    Goldens::load().write_vae(tiny.path());
    let message = OtherVae::open(open(true).unwrap(), tiny.path()).err().unwrap().to_string();
    assert!(message.contains("has no vae") && message.ends_with("give the folder or file of an AutoencoderKL as its VAE"), "{message}");
}

/// Errors in an autoencoder's configuration name the file that was given, not the model's own.
#[test]
fn a_wrong_configuration_is_named_by_its_own_path() {
    let (goldens, folder) = (Goldens::load(), tempfile::tempdir().unwrap());
    goldens.write_vae(folder.path());
    let path = folder.path().join("config.json");
    let mut config = goldens.calls["text_to_image"]["vae"].clone();
    for (field, value) in [("latent_channels", json!(16)), ("act_fn", json!("odd")), ("_class_name", json!("AutoencoderKLWan"))] {
        let valid = std::mem::replace(&mut config[field], value);
        std::fs::write(&path, config.to_string()).unwrap();
        config[field] = valid;
        let refused = OtherVae::open(Box::new(goldens.full_source("text_to_image")), folder.path())
            .and_then(|source| StableDiffusion::load(&source, &ExecutionPolicy::cpu_f32()).map(drop));
        let expected = path.display().to_string();
        assert!(matches!(&refused, Err(Error::Config { file, field: found, .. }) if *file == expected && found == field), "{refused:?}");
    }
}

#[test]
fn what_is_no_autoencoder_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let open = |path: &Path| -> Result<OtherVae> { OtherVae::open(Box::new(nano_sd()), path) };
    assert!(matches!(open(&folder.path().join("absent")), Err(Error::File { .. })));
    // An empty folder has no config.json.
    assert!(matches!(open(folder.path()), Err(Error::File { .. })));
    std::fs::write(folder.path().join("config.json"), r#"{"_class_name": "AutoencoderKLWan"}"#).unwrap();
    assert!(matches!(open(folder.path()), Err(Error::Config { field, .. }) if field == "_class_name"));
    let file = folder.path().join("lora.safetensors");
    candle_core::safetensors::save(&HashMap::from([("a", golden_weights::draw("a", &[2, 2]))]), &file).unwrap();
    assert!(
        open(&file).is_err_and(|error| error.to_string().contains("is a textual-inversion embedding, or another single tensor, not a VAE"))
    );
    let bare = folder.path().join("vae.safetensors");
    let name = "encoder.down_blocks.0.resnets.0.conv1.weight";
    candle_core::safetensors::save(&HashMap::from([(name, golden_weights::draw(name, &[2, 2]))]), &bare).unwrap();
    assert!(open(&bare).is_err_and(|error| error.to_string().contains("config.json")));
}
