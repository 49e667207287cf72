//! Seeded random weights and single-file checkpoints, through the models: every configuration is accepted, every tensor that a model
//! requests exists in the right shape, and the outputs are finite and not constant.

use candle_core::{DType, Device, Tensor};
use diffusion_core::{
    models::{
        AutoencoderKl, AutoencoderKlConfig, ClipTextConfig, ClipTextModel, ClipTextModelWithProjection, ClipTextProjectionConfig,
        UNet2dConditionModel, UNet2dConfig,
    },
    noise::SeededNoise,
    schedulers::SchedulerConfig,
    tokenizer::ClipTokenizer,
    weights::{Component, ComponentWeights, ModelFamily, RandomWeights, WeightSource},
};

struct Configs {
    unet: UNet2dConfig,
    vae: AutoencoderKlConfig,
    text_encoder: Option<ClipTextConfig>,
    text_encoder_2: Option<ClipTextProjectionConfig>,
}

/// Parses every configuration, including the scheduler's, with the code that uses it.
fn configs(model: &dyn WeightSource) -> Configs {
    let scheduler = SchedulerConfig::from_json(&model.config(Component::Scheduler).unwrap(), None).unwrap();
    assert!(!scheduler.start(4).unwrap().timesteps().is_empty());
    let components = ModelFamily::of(model).unwrap().weighted_components();
    let config = |component| components.contains(&component).then(|| model.config(component).unwrap());
    Configs {
        unet: UNet2dConfig::from_json(&model.config(Component::Unet).unwrap()).unwrap(),
        vae: AutoencoderKlConfig::from_json(&model.config(Component::Vae).unwrap()).unwrap(),
        text_encoder: config(Component::TextEncoder).map(|config| ClipTextConfig::from_json(&config).unwrap()),
        text_encoder_2: config(Component::TextEncoder2).map(|config| ClipTextProjectionConfig::from_json(&config).unwrap()),
    }
}

fn weights(model: &dyn WeightSource, component: Component) -> ComponentWeights {
    ComponentWeights::new(model.tensors(component).unwrap(), component, DType::F32, &Device::Cpu)
}

fn standard_deviation(tensor: &Tensor) -> f64 {
    let values: Vec<f32> = tensor.flatten_all().unwrap().to_vec1().unwrap();
    let count = values.len() as f64;
    let mean = values.iter().map(|value| f64::from(*value)).sum::<f64>() / count;
    (values.iter().map(|value| (f64::from(*value) - mean).powi(2)).sum::<f64>() / count).sqrt()
}

/// Runs all of a model's components once; `size` is the latents' side.
pub(crate) fn run(model: &dyn WeightSource, size: usize) {
    let Configs { unet, vae, text_encoder, text_encoder_2 } = configs(model);
    let ids = Tensor::from_vec(vec![1_u32, 7, 3, 2, 5], (1, 5), &Device::Cpu).unwrap();
    let is_first_alone = text_encoder_2.is_none();
    let first = text_encoder.map(|config| {
        let text = ClipTextModel::load(&config, &weights(model, Component::TextEncoder)).unwrap();
        if is_first_alone { text.forward(&ids, 0).unwrap() } else { text.penultimate(&ids, 0).unwrap() }
    });
    let second = text_encoder_2.map(|config| {
        let text = ClipTextModelWithProjection::load(&config, &weights(model, Component::TextEncoder2)).unwrap();
        text.forward(&ids, 0).unwrap()
    });
    let all: Vec<&Tensor> = first.iter().chain(second.iter().map(|second| &second.hidden_states)).collect();
    let states = Tensor::cat(&all, 2).unwrap();
    let sample = SeededNoise::new(1).randn(&[1, unet.in_channels, size, size]).unwrap();
    let predicted = UNet2dConditionModel::load(&unet, &weights(model, Component::Unet)).unwrap();
    let text = match &second {
        None => predicted.text_context(&states).unwrap(),
        Some(second) => {
            let ids: Vec<f32> = if first.is_some() { vec![64.0, 48.0, 0.0, 8.0, 64.0, 48.0] } else { vec![64.0, 48.0, 0.0, 8.0, 6.0] };
            let ids = Tensor::new(ids, &Device::Cpu).unwrap().unsqueeze(0).unwrap();
            predicted.text_time_context(&states, &second.text_embeds, &ids).unwrap()
        }
    };
    let predicted = predicted.forward(&sample, 500.0, &text, None).unwrap();
    let latents = SeededNoise::new(2).randn(&[1, 4, size, size]).unwrap();
    let vae = AutoencoderKl::load(&vae, &weights(model, Component::Vae)).unwrap();
    let pixels = vae.decode(&latents).unwrap();
    let encoded = vae.encode(&pixels).unwrap().mode();
    for (what, tensor) in [("text", &states), ("unet", &predicted), ("pixels", &pixels), ("latents", &encoded)] {
        let deviation = standard_deviation(tensor);
        assert!(deviation.is_finite() && deviation > 0.01 && deviation < 100.0, "{}: {what}: {deviation}", model.name());
    }
}

#[test]
fn models_accept_every_architecture() {
    for name in RandomWeights::architectures() {
        let model = RandomWeights::new(name, 0).unwrap();
        if !ModelFamily::of(&model).unwrap().makes_images() {
            continue;
        }
        let Configs { unet, text_encoder, text_encoder_2, .. } = configs(&model);
        let text_encoder = text_encoder.unwrap();
        let hidden = text_encoder.hidden_size + text_encoder_2.map_or(0, |config| config.text.hidden_size);
        assert!(unet.levels.iter().all(|level| level.cross_attention_dim == hidden), "{name}");
        assert_eq!(unet.has_mid_block, name != "tiny-sd");
        // The tokenizer falls back to OpenAI's vocabulary, whose ids the text encoder accepts.
        let encoding = ClipTokenizer::load(&model).unwrap().encode("a lighthouse").unwrap();
        assert!(encoding.ids.iter().all(|id| (*id as usize) < text_encoder.vocab_size));
        assert_eq!(encoding.ids.last(), Some(&if ["sd21", "sd-turbo"].contains(&name) { 0 } else { 49_407 }));
    }
}

#[test]
fn random_nano_sd_gives_finite_varied_outputs() {
    run(&RandomWeights::new("nano-sd", 3).unwrap(), 8);
}
