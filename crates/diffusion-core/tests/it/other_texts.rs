//! Text encoders beside a model: checkpoints without theirs are what they are with them, whatever form the text encoders have.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
};

use candle_core::{DType, Device, Tensor};
use diffusion_core::{
    Error, Result,
    pipelines::{ImageMemory, ImageParams, RunContext, StableDiffusion, inspect, nano_sd},
    policy::ExecutionPolicy,
    tokenizer::ClipTokenizer,
    weights::{Component, ModelFamily, OpenOptions, OtherText, OtherTexts, TextEncoder, WeightSource, open_model},
};
use image::RgbImage;
use serde_json::{Value as Json, json};

use crate::{
    pipelines::psnr,
    tiny_turbo::TinyTurbo,
    weights::safetensors_bytes,
    weights_single_file::{check_tensors, golden_json, write_checkpoint},
};

/// Opens a model with text encoders beside it.
fn open_with(model: &Path, texts: &[(TextEncoder, &Path)]) -> Result<Box<dyn WeightSource>> {
    let mut options = OpenOptions::default();
    let mut opened = Vec::new();
    for (which, path) in texts {
        let text = OtherText::open(path, *which)?;
        match which {
            TextEncoder::First => options.text_encoder = Some(text.facts()?),
            TextEncoder::Second => options.text_encoder_2 = Some(text.facts()?),
        }
        opened.push(text);
    }
    Ok(Box::new(OtherTexts::new(open_model(model, &options)?, opened)?))
}

fn refusal(model: &Path, texts: &[(TextEncoder, &Path)]) -> String {
    open_with(model, texts).err().unwrap().to_string()
}

/// A golden checkpoint in parts: the model without text encoders, and one file for each prefix, without it.
struct Split {
    folder: tempfile::TempDir,
    golden: Json,
}

impl Split {
    fn new(name: &str, prefixes: &[(&str, &str)]) -> Self {
        let (folder, golden) = (tempfile::tempdir().unwrap(), golden_json(name));
        let whole = folder.path().join("whole.safetensors");
        write_checkpoint(&golden, &whole);
        let mut rest = candle_core::safetensors::load(&whole, &Device::Cpu).unwrap();
        for (prefix, file) in prefixes {
            let (of_part, others): (HashMap<_, _>, HashMap<_, _>) = rest.into_iter().partition(|(name, _)| name.starts_with(prefix));
            rest = others;
            let own = of_part.into_iter().map(|(name, tensor)| (name[prefix.len()..].to_owned(), tensor)).collect();
            save(&own, &folder.path().join(file));
        }
        save(&rest, &folder.path().join("bare.safetensors"));
        Self { folder, golden }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The checkpoint with the parts given back in other places is the whole one.
    fn check(&self, texts: &[(TextEncoder, &Path)], family: ModelFamily) {
        let model = open_with(&self.path("bare.safetensors"), texts).unwrap();
        assert_eq!(ModelFamily::of(model.as_ref()).unwrap(), family);
        check_tensors(model.as_ref(), &self.golden);
        let whole = open_model(&self.path("whole.safetensors"), &OpenOptions::default()).unwrap();
        for component in [Component::ModelIndex, Component::Scheduler, Component::Unet] {
            assert_eq!(model.config(component).unwrap(), whole.config(component).unwrap(), "{component}");
        }
        for component in [Component::Tokenizer, Component::Tokenizer2] {
            assert_eq!(model.config(component).ok(), whole.config(component).ok(), "{component}");
        }
        let inspection = inspect(model.as_ref());
        assert!(inspection.refusals.is_empty() && inspection.ignored.is_empty(), "{inspection:?}");
        let memory = |source: &dyn WeightSource| ImageMemory::of(source, &ExecutionPolicy::cpu_f32()).unwrap().weights();
        assert_eq!(memory(model.as_ref()), memory(whole.as_ref()));
    }
}

fn save(tensors: &HashMap<String, Tensor>, path: &Path) {
    candle_core::safetensors::save(tensors, path).unwrap();
}

const FIRST: &str = "conditioner.embedders.0.transformer.";
const SECOND: &str = "conditioner.embedders.1.model.";

#[test]
fn stable_diffusion_1_takes_its_text_encoder_from_elsewhere() {
    let split = Split::new("ldm_tiny.json", &[("cond_stage_model.transformer.", "text.safetensors")]);
    let message = refusal(&split.path("bare.safetensors"), &[]);
    let advice = "has no text encoder, so it is not a complete Stable Diffusion checkpoint: name one besides (--text-encoder), or give";
    assert!(message.contains(advice) && message.lines().count() == 1, "{message}");
    let text = split.path("text.safetensors");
    split.check(&[(TextEncoder::First, &text)], ModelFamily::StableDiffusion);
    // The names of transformers 5.6 and later lack a level; and a checkpoint has a text encoder, too.
    let tensors = candle_core::safetensors::load(&text, &Device::Cpu).unwrap();
    let newer = tensors.into_iter().map(|(name, tensor)| (name.strip_prefix("text_model.").unwrap().to_owned(), tensor)).collect();
    save(&newer, &text);
    split.check(&[(TextEncoder::First, &text)], ModelFamily::StableDiffusion);
    split.check(&[(TextEncoder::First, &split.path("whole.safetensors"))], ModelFamily::StableDiffusion);
    let message = refusal(&split.path("bare.safetensors"), &[(TextEncoder::First, &text), (TextEncoder::Second, &text)]);
    assert!(message.contains("is a text encoder without a projection, not Stable Diffusion XL's second one"), "{message}");
}

#[test]
fn stable_diffusion_xl_takes_either_text_encoder_or_both() {
    let split = Split::new("ldm_xl.json", &[(FIRST, "first.safetensors"), (SECOND, "second.safetensors")]);
    let (first, second) = (split.path("first.safetensors"), split.path("second.safetensors"));
    let both: [(TextEncoder, &Path); 2] = [(TextEncoder::First, &first), (TextEncoder::Second, &second)];
    split.check(&both, ModelFamily::StableDiffusionXl);
    let bare = split.path("bare.safetensors");
    let missing = |texts: &[(TextEncoder, &Path)]| refusal(&bare, texts);
    assert!(missing(&[]).contains("name both besides (--text-encoder and --text-encoder-2), or give"), "{}", missing(&[]));
    assert!(missing(&both[..1]).contains("has no second text encoder, so it is not"), "{}", missing(&both[..1]));
    assert!(missing(&both[..1]).contains("name one besides (--text-encoder-2)"));
    assert!(missing(&both[1..]).contains("name one besides (--text-encoder), or give"), "{}", missing(&both[1..]));
    for (prefix, file, which) in [(FIRST, &first, TextEncoder::First), (SECOND, &second, TextEncoder::Second)] {
        let split = Split::new("ldm_xl.json", &[(prefix, "one.safetensors")]);
        split.check(&[(which, file)], ModelFamily::StableDiffusionXl);
        let flag = if which == TextEncoder::First { "(--text-encoder)" } else { "(--text-encoder-2)" };
        assert!(refusal(&split.path("bare.safetensors"), &[]).contains(flag));
    }
}

#[test]
fn the_refiner_takes_its_only_text_encoder_as_the_second() {
    let split = Split::new("ldm_refiner.json", &[("conditioner.embedders.0.model.", "text.safetensors")]);
    let (bare, text) = (split.path("bare.safetensors"), split.path("text.safetensors"));
    split.check(&[(TextEncoder::Second, &text)], ModelFamily::StableDiffusionXlRefiner);
    let message = refusal(&split.path("whole.safetensors"), &[(TextEncoder::First, &text)]);
    assert!(message.contains("refiner, which has no first text encoder: give this one as the second (--text-encoder-2)"), "{message}");
    // Its time ids are five, so no other width of the pooled text fits.
    let tensors = candle_core::safetensors::load(&text, &Device::Cpu).unwrap();
    let narrow = |(name, tensor): (String, Tensor)| {
        let tensor = if name == "text_projection" { tensor.narrow(1, 0, 36).unwrap().contiguous().unwrap() } else { tensor };
        (name, tensor)
    };
    save(&tensors.into_iter().map(narrow).collect(), &text);
    match open_with(&bare, &[(TextEncoder::Second, &text)]) {
        Err(Error::Params { field: "text_encoder_2", reason }) => {
            assert!(reason.contains("36 channels") && reason.contains("reads 80") && reason.contains("5 embeddings"), "{reason}");
        }
        other => panic!("{:?}", other.map(|model| model.name())),
    }
}

fn image(source: &dyn WeightSource) -> RgbImage {
    let model = StableDiffusion::load(source, &ExecutionPolicy::cpu_f32()).unwrap();
    let params = ImageParams { num_inference_steps: 1, guidance_scale: 0.0, ..ImageParams::new("a boat", (64, 64)) };
    model.image(&params, RunContext::new(&mut ())).unwrap()
}

#[test]
fn every_form_of_a_text_encoder_makes_the_same_image() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let (whole, bare, openclip, half) =
        (at("whole.safetensors"), at("bare.safetensors"), at("openclip.safetensors"), at("half.safetensors"));
    TinyTurbo::load().write_single_file(&whole, &[], &[]);
    TinyTurbo::load().write_folder(&at("folder"), None);
    let expected = image(open_model(&whole, &OpenOptions::default()).unwrap().as_ref());
    let all = candle_core::safetensors::load(&whole, &Device::Cpu).unwrap();
    let (of_text, others): (HashMap<_, _>, HashMap<_, _>) = all.into_iter().partition(|(name, _)| name.starts_with("cond_stage_model."));
    save(&others, &bare);
    let alone = |name: &str| name.strip_prefix("cond_stage_model.model.").unwrap().to_owned();
    let alone: HashMap<String, Tensor> = of_text.into_iter().map(|(name, tensor)| (alone(&name), tensor)).collect();
    save(&alone, &openclip);
    save(&alone.into_iter().map(|(name, tensor)| (name, tensor.to_dtype(DType::F16).unwrap())).collect(), &half);
    let text = at("folder/text_encoder");
    let transformers = text.join("model.safetensors");
    // A folder says what it is; a model that has a text encoder says what its file does not.
    let forms: [(&Path, &Path); 6] = [
        (&bare, &openclip),
        (&bare, &text),
        (&bare, &at("folder")),
        (&whole, &openclip),
        (&whole, &transformers),
        (&at("folder"), &transformers),
    ];
    for (model, text) in forms {
        let source = open_with(model, &[(TextEncoder::First, text)]).unwrap();
        let name = text.file_name().unwrap().to_string_lossy().into_owned();
        assert_eq!(source.other_text_encoders(), [(TextEncoder::First, name)]);
        assert!(source.remarks().contains(&format!("the text encoder: {}", text.display())));
        assert!(image(source.as_ref()) == expected, "{} in {}", text.display(), model.display());
    }
    let decibels = psnr(&image(open_with(&bare, &[(TextEncoder::First, &half)]).unwrap().as_ref()), &expected);
    assert!(decibels > 40.0, "{decibels}");
    // A folder without its own.
    fs::rename(&text, at("text")).unwrap();
    let opened = open_model(&at("folder"), &OpenOptions::default()).unwrap();
    let refused = StableDiffusion::load(opened.as_ref(), &ExecutionPolicy::cpu_f32()).err().unwrap().to_string();
    assert!(refused.contains("text_encoder/config.json: is missing: name one besides (--text-encoder)"), "{refused}");
    let index = at("folder/model_index.json");
    let mut entries: Json = serde_json::from_slice(&fs::read(&index).unwrap()).unwrap();
    entries["text_encoder"] = json!([null, null]);
    fs::write(&index, entries.to_string()).unwrap();
    assert!(refusal(&at("folder"), &[]).contains("field text_encoder: missing: name one besides (--text-encoder)"));
    assert!(image(open_with(&at("folder"), &[(TextEncoder::First, &at("text"))]).unwrap().as_ref()) == expected);
}

/// The configurations of the published text encoders, as far as their shapes decide.
#[test]
fn the_published_text_encoders_are_told_apart_by_their_shapes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("text.safetensors");
    let open = |tensors: &[(String, Vec<usize>)], which| {
        let tensors: Vec<(&str, &[usize])> = tensors.iter().map(|(name, shape)| (name.as_str(), shape.as_slice())).collect();
        fs::write(&path, safetensors_bytes(&tensors, 0.0)).unwrap();
        let opened = OtherTexts::new(Box::new(nano_sd()), vec![OtherText::open(&path, which).unwrap()]);
        let config = match opened {
            Ok(model) => model.config(which.component()).unwrap(),
            // The model has no second one, which is said after the file is read.
            Err(_) => return OtherText::open(&path, which).unwrap().facts().map(|facts| json!(facts.is_openclip)).unwrap(),
        };
        json!([config["hidden_act"], config["num_hidden_layers"], config["num_attention_heads"]])
    };
    let clip = |width: usize, layers: usize| {
        let mut tensors = vec![
            ("text_model.embeddings.token_embedding.weight".to_owned(), vec![8, width]),
            ("text_model.embeddings.position_embedding.weight".to_owned(), vec![4, width]),
            ("text_projection.weight".to_owned(), vec![width, width]),
            // Of a whole CLIP.
            ("vision_model.x".to_owned(), vec![1]),
        ];
        tensors.extend((0..layers).map(|layer| (format!("text_model.encoder.layers.{layer}.mlp.fc1.weight"), vec![4, 1])));
        tensors
    };
    let openclip = |width: usize, layers: usize| {
        let mut tensors = vec![
            ("token_embedding.weight".to_owned(), vec![8, width]),
            ("positional_embedding".to_owned(), vec![4, width]),
            ("text_projection".to_owned(), vec![width, width]),
            ("visual.x".to_owned(), vec![1]),
        ];
        let names = |layer| ["ln_1.weight", "mlp.c_fc.weight"].map(|name| (format!("transformer.resblocks.{layer}.{name}"), vec![4, 1]));
        tensors.extend((0..layers).flat_map(names));
        tensors
    };
    type Files = fn(usize, usize) -> Vec<(String, Vec<usize>)>;
    for files in [clip as Files, openclip] {
        assert_eq!(open(&files(768, 12), TextEncoder::First), json!(["quick_gelu", 12, 12]));
        assert_eq!(open(&files(1024, 24), TextEncoder::First), json!(["gelu", 23, 16]));
        assert_eq!(open(&files(1280, 32), TextEncoder::Second), json!(true));
    }
}

#[test]
fn a_text_encoder_that_does_not_fit_is_refused_before_a_tensor_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config.json");
    let mut json = nano_sd().config(Component::TextEncoder).unwrap();
    let source = |json: &Json| {
        fs::write(&config, json.to_string()).unwrap();
        OtherTexts::new(Box::new(nano_sd()), vec![OtherText::open(folder.path(), TextEncoder::First).unwrap()]).unwrap()
    };
    // There are no tensors, so none was read.
    let load = |source: &OtherTexts| StableDiffusion::load(source, &ExecutionPolicy::cpu_f32()).err().unwrap();
    let refused = |json: &Json| {
        let source = source(json);
        let error = load(&source);
        assert_eq!(inspect(&source).refusals[0].to_string(), error.to_string());
        error
    };
    json["hidden_size"] = 256.into();
    let expected = config.display().to_string();
    let Error::Config { file, field, reason } = refused(&json) else { panic!("not a field of a configuration") };
    assert_eq!((file, field.as_str(), reason.as_str()), (expected, "hidden_size", "256, but the model reads 128"));
    json["hidden_size"] = 128.into();
    let ids = ClipTokenizer::load(&nano_sd()).unwrap().vocab_size();
    json["vocab_size"] = (ids - 1).into();
    let said = load(&source(&json)).to_string();
    assert!(said.ends_with(&format!("field vocab_size: {}, but the model's tokenizer has {ids} ids", ids - 1)), "{said}");
    json["hidden_act"] = "odd".into();
    assert!(refused(&json).to_string().contains("hidden_act"));
    for (class, is) in [
        ("CLIPVisionModel", "\"CLIPVisionModel\", an image encoder alone; supported are CLIPTextModel"),
        ("T5EncoderModel", "\"T5EncoderModel\", a T5 text encoder"),
    ] {
        fs::write(&config, json!({ "architectures": [class] }).to_string()).unwrap();
        let said = OtherText::open(folder.path(), TextEncoder::First).err().unwrap().to_string();
        assert!(said.contains("config.json: field architectures: unsupported value ") && said.contains(is), "{said}");
    }
    fs::write(&config, json!({ "architectures": ["CLIPTextModel"] }).to_string()).unwrap();
    let said = OtherText::open(folder.path(), TextEncoder::Second).err().unwrap().to_string();
    assert!(
        said.contains("without a projection; supported are CLIPTextModelWithProjection, CLIPModel, and this one as --text-encoder"),
        "{said}"
    );
    fs::write(&config, json!({ "_class_name": "AutoencoderKL" }).to_string()).unwrap();
    let said = OtherText::open(folder.path(), TextEncoder::First).err().unwrap().to_string();
    assert!(said.contains("\"AutoencoderKL\", one component of a diffusers model, its VAE; supported"), "{said}");
}
