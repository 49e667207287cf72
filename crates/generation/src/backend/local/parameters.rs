//! The generation parameters as text, in the format that AUTOMATIC1111's web UI writes and its tools read: the prompt,
//! "Negative prompt: ..", and a line of "Key: value" pairs, with values quoted as JSON where they hold a comma, colon or newline.
//!
//! The invariant: an image generated again from this text with the same model is the same image, and the same request has the same text. So
//! prompts are `escaped`; a prompt that escapes cannot protect from that reader is repeated literally among the pairs.

use diffusion_core::{
    adapters::AdapterChoice,
    prompt::PromptSyntax,
    schedulers::{SchedulerKind, SchedulerName, SigmaSchedule},
    weights::{TextEncoder, VaeChoice},
};

use crate::{
    model_info::ModelInfo,
    spec::{
        escaped, has_comment,
        image::{ControlSpec, HiresSpec, ImageMode, ImageSpec, MaskContent, ResizeMode},
    },
};

/// The value of "Version:".
const VERSION: &str = concat!("framewright ", env!("CARGO_PKG_VERSION"));

/// Names of adapters or embeddings with the hashes of their files.
type NamesAndHashes<'a> = &'a [(String, String)];

/// The parameters of the image with this seed, made by a model and its refiner.
///
/// `loras` and `embeddings` are the names and hashes of those that it used; the former are tags behind the prompt, as the web UI takes them from a prompt.
pub(crate) fn text(
    spec: &ImageSpec,
    seed: u64,
    (model, of_refiner): (&ModelInfo, Option<&ModelInfo>),
    (loras, embeddings): (NamesAndHashes<'_>, NamesAndHashes<'_>),
) -> String {
    let mut pairs = vec![("Steps", spec.num_inference_steps().to_string())];
    if let Some((sampler, schedule)) = spec.scheduler().or(model.scheduler).map(sampler) {
        pairs.push(("Sampler", sampler.to_owned()));
        pairs.extend(schedule.map(|schedule| ("Schedule type", schedule.to_owned())));
    }
    pairs.extend([
        ("CFG scale", spec.guidance_scale().to_string()),
        ("Seed", seed.to_string()),
        ("Size", format!("{}x{}", spec.width(), spec.height())),
        ("Model", model.name.clone()),
    ]);
    pairs.extend(spec.output_size().map(|(width, height)| ("Resized to", format!("{width}x{height}"))));
    let strength = spec.mode().strength().or(spec.hires().map(HiresSpec::strength));
    pairs.extend(strength.map(|strength| ("Denoising strength", strength.to_string())));
    pairs.extend(given(spec));
    pairs.extend(hires(spec));
    pairs.extend(eta(spec, model));
    // The web UI has no keys for these fields of Stable Diffusion XL.
    pairs.extend(spec.sdxl().described());
    // In the web UI 1 means the last layer; here 0 means that no layer is skipped.
    pairs.extend((spec.clip_skip() > 0).then(|| ("Clip skip", (spec.clip_skip() + 1).to_string())));
    let syntax = spec.prompt_syntax();
    pairs.extend((syntax != PromptSyntax::Plain).then(|| ("Prompt syntax", syntax.to_string())));
    pairs.extend(controls(spec));
    // The web UI's keys. Its share is of the steps, and this one of training's timesteps, which is nearly the same.
    if let (Some(refiner), Some(of_refiner)) = (spec.refiner(), of_refiner) {
        pairs.push(("Refiner", of_refiner.name.clone()));
        pairs.push(("Refiner switch at", refiner.switch().to_string()));
    }
    let other_vae = model.other_vae.as_ref().filter(|(choice, _)| *choice == spec.vae()).map(|(_, name)| name.clone());
    pairs.extend(other_vae.or((spec.vae() == VaeChoice::Tiny).then(|| spec.vae().to_string())).map(|name| ("VAE", name)));
    for (which, name) in &model.other_text_encoders {
        let key = match which {
            TextEncoder::First => "Text encoder",
            TextEncoder::Second => "Text encoder 2",
        };
        pairs.push((key, name.clone()));
    }
    for (key, files) in [("Lora hashes", loras), ("TI hashes", embeddings)] {
        let hashes: Vec<String> = files.iter().map(|(name, hash)| format!("{}: {hash}", name.replace([',', ':'], ""))).collect();
        pairs.extend((!hashes.is_empty()).then(|| (key, hashes.join(", "))));
    }
    // Noise comes from torch's CPU generator on every device; the web UI assumes the CUDA generator without this key.
    pairs.push(("RNG", "CPU".to_owned()));
    let prompts = [("Literal prompt", spec.prompt()), ("Literal negative prompt", spec.negative_prompt())];
    pairs.extend(prompts.into_iter().filter(|(_, prompt)| has_comment(prompt)).map(|(key, prompt)| (key, prompt.to_owned())));
    pairs.push(("Version", VERSION.to_owned()));

    let written = |prompt: &str| escaped(prompt, syntax);
    let mut text = written(spec.prompt());
    text.extend(spec.loras().iter().map(AdapterChoice::tag));
    if !spec.negative_prompt().is_empty() {
        text.push_str("\nNegative prompt: ");
        text.push_str(&written(spec.negative_prompt()));
    }
    text.push('\n');
    let line: Vec<String> = pairs.iter().map(|(key, value)| format!("{key}: {}", quoted(value))).collect();
    text.push_str(&line.join(", "));
    // A PNG text chunk ends at a NUL.
    text.replace('\0', "")
}

/// The second pass, under the web UI's keys.
fn hires(spec: &ImageSpec) -> Vec<(&'static str, String)> {
    let Some(hires) = spec.hires() else { return Vec::new() };
    let mut pairs = vec![match hires.scale() {
        Some(scale) => ("Hires upscale", scale.to_string()),
        None => ("Hires resize", format!("{}x{}", hires.size().0, hires.size().1)),
    }];
    if hires.steps() != spec.num_inference_steps() {
        pairs.push(("Hires steps", hires.steps().to_string()));
    }
    pairs.push(("Hires upscaler", hires.upscaler().to_string()));
    if let Some((sampler, schedule)) = hires.scheduler().filter(|scheduler| Some(*scheduler) != spec.scheduler()).map(sampler) {
        pairs.push(("Hires sampler", sampler.to_owned()));
        pairs.extend(schedule.map(|schedule| ("Hires schedule type", schedule.to_owned())));
    }
    if hires.guidance_scale().total_cmp(&spec.guidance_scale()).is_ne() {
        pairs.push(("Hires CFG Scale", hires.guidance_scale().to_string()));
    }
    let prompts = [("Hires prompt", hires.prompt()), ("Hires negative prompt", hires.negative_prompt())];
    pairs.extend(prompts.into_iter().filter_map(|(key, prompt)| Some((key, prompt?.to_owned()))));
    pairs
}

/// How a given image and its mask were applied, under the web UI's keys.
fn given(spec: &ImageSpec) -> Vec<(&'static str, String)> {
    let (resize, mask) = match spec.mode() {
        ImageMode::TextToImage => return Vec::new(),
        ImageMode::ImageToImage { resize, .. } => (*resize, None),
        ImageMode::Inpaint { resize, mask, .. } => (*resize, mask.as_ref()),
    };
    let mut pairs = Vec::new();
    if let Some(mask) = mask {
        if mask.blur() > 0.0 {
            pairs.push(("Mask blur", mask.blur().to_string()));
        }
        if mask.invert() {
            pairs.push(("Mask mode", "Inpaint not masked".to_owned()));
        }
        let content = match mask.content() {
            MaskContent::Original => None,
            MaskContent::Fill => Some("fill"),
            MaskContent::Noise => Some("latent noise"),
            MaskContent::Nothing => Some("latent nothing"),
        };
        pairs.extend(content.map(|content| ("Masked content", content.to_owned())));
        if let Some(padding) = mask.only_masked() {
            pairs.push(("Inpaint area", "Only masked".to_owned()));
            pairs.push(("Masked area padding", padding.to_string()));
        }
    }
    let resized = match resize {
        ResizeMode::Stretch => None,
        ResizeMode::Crop => Some("Crop and resize"),
        ResizeMode::Fill => Some("Resize and fill"),
        ResizeMode::Latent => Some("Just resize (latent upscale)"),
    };
    pairs.extend(resized.map(|mode| ("Resize mode", mode.to_owned())));
    pairs
}

/// The ControlNets, in the form of sd-webui-controlnet, which the web UI reads.
fn controls(spec: &ImageSpec) -> impl Iterator<Item = (&'static str, String)> {
    const KEYS: [&str; 4] = ["ControlNet 0", "ControlNet 1", "ControlNet 2", "ControlNet 3"];
    let mode = if spec.controls().guess_mode() { "ControlNet is more important" } else { "Balanced" };
    let text = move |control: &ControlSpec| {
        let (start, end) = control.window();
        let mut parts = vec![
            format!("Module: {}", if control.canny().is_some() { "canny" } else { "none" }),
            // The web UI splits the value at commas and colons.
            format!("Model: {}", control.name().replace([',', ':'], "")),
            format!("Weight: {}", control.weight()),
            "Resize Mode: Just Resize".to_owned(),
        ];
        parts.extend(control.canny().map(|canny| format!("Threshold A: {}, Threshold B: {}", canny.low, canny.high)));
        parts.push(format!("Guidance Start: {start}, Guidance End: {end}, Pixel Perfect: True, Control Mode: {mode}"));
        parts.join(", ")
    };
    KEYS.into_iter().zip(spec.controls().nets().iter().map(text).collect::<Vec<_>>())
}

/// The eta, where the scheduler takes one and the request's differs from the default; the web UI has a separate key for DDIM's.
fn eta(spec: &ImageSpec, model: &ModelInfo) -> Option<(&'static str, String)> {
    let kind = spec.scheduler().or(model.scheduler)?.kind;
    let eta = spec.eta().filter(|eta| kind.default_eta().is_some_and(|default| *eta != default))?;
    Some((if kind == SchedulerKind::Ddim { "Eta DDIM" } else { "Eta" }, eta.to_string()))
}

/// Writes a value that holds a separator, or could be mistaken for a quoted one, as a JSON string.
fn quoted(value: &str) -> String {
    if value.contains([',', ':', '\n', '"']) || value != value.trim() {
        serde_json::Value::from(value).to_string()
    } else {
        value.to_owned()
    }
}

/// A scheduler in AUTOMATIC1111's vocabulary: the sampler, and the schedule type where it differs from the sampler's default.
/// Names that it lacks (DDPM, DEIS, TCD, the single-step DPM++ 2S) follow their papers.
pub fn sampler(scheduler: SchedulerName) -> (&'static str, Option<&'static str>) {
    let sampler = match scheduler.kind {
        SchedulerKind::Ddim => "DDIM",
        SchedulerKind::Ddpm => "DDPM",
        SchedulerKind::Pndm => "PLMS",
        SchedulerKind::Lms => "LMS",
        SchedulerKind::Euler => "Euler",
        SchedulerKind::EulerAncestral => "Euler a",
        SchedulerKind::Heun => "Heun",
        SchedulerKind::DpmMultistep => "DPM++ 2M",
        SchedulerKind::DpmMultistepSde => "DPM++ 2M SDE",
        SchedulerKind::DpmSinglestep => "DPM++ 2S",
        SchedulerKind::UniPc => "UniPC",
        SchedulerKind::Deis => "DEIS",
        SchedulerKind::Lcm => "LCM",
        SchedulerKind::Tcd => "TCD",
        // A kind newer than this table keeps its own name.
        newer => newer.as_str(),
    };
    let schedule = scheduler.sigmas.map(|sigmas| match sigmas {
        SigmaSchedule::Karras => "Karras",
        SigmaSchedule::Exponential => "Exponential",
        SigmaSchedule::Beta => "Beta",
    });
    (sampler, schedule)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{image::ImageRequest, limits::Limits};

    #[test]
    fn values_with_separators_are_quoted_as_json() {
        assert_eq!(quoted("nano-sd (embedded)"), "nano-sd (embedded)");
        assert_eq!(quoted("a, \"b\""), r#""a, \"b\"""#);
        assert_eq!(quoted("C:\\models"), r#""C:\\models""#);
        assert_eq!(quoted("\"mine\""), r#""\"mine\"""#);
    }

    #[test]
    fn an_autoencoder_that_is_not_the_models_own_is_named() {
        let told = |vae: VaeChoice, other: VaeChoice| {
            let of_model = ModelInfo::for_tests();
            let model = ModelInfo { vaes: VaeChoice::ALL.to_vec(), other_vae: Some((other, "kl-f8,mse.safetensors".into())), ..of_model };
            let request =
                ImageRequest { prompt: Some("a boat".into()), vae: Some(vae.to_string()), seed: Some(1), ..ImageRequest::default() };
            request.validate(&Limits::default(), &model).map(|spec| text(&spec, 1, (&model, None), (&[], &[]))).unwrap_or_default()
        };
        for choice in VaeChoice::ALL {
            let text = told(choice, choice);
            assert!(text.contains(r#", VAE: "kl-f8,mse.safetensors", RNG"#), "{text}");
        }
        assert!(told(VaeChoice::Tiny, VaeChoice::Full).contains(", VAE: tiny, RNG"));
        let own = told(VaeChoice::Full, VaeChoice::Tiny);
        assert!(own.starts_with("a boat") && !own.contains("VAE"), "{own}");
    }

    fn named(name: &str) -> (&'static str, Option<&'static str>) {
        name.parse().map(sampler).unwrap_or_default()
    }

    #[test]
    fn schedulers_have_the_names_that_other_tools_know() {
        assert_eq!(named("dpmpp-2m-karras"), ("DPM++ 2M", Some("Karras")));
        assert_eq!(named("euler-ancestral"), ("Euler a", None));
        assert_eq!(named("dpmpp-2m-sde-exponential"), ("DPM++ 2M SDE", Some("Exponential")));
    }
}
