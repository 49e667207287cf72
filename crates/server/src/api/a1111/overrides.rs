//! The web UI's options that act here: their kinds, their defaults, and how they change a request.
//!
//! It must not know who set an option, nor whether for one request or for all. The invariants: an option with a value that would change the
//! picture and cannot be honoured is refused; every option of `GET /options` is in [`KNOWN`].

use generation::{ImageFormat, Limits, field_error::shortened};
use serde_json::{Map, Value, json};

use crate::inputs::{boolean, integer, string};

/// The names of what no option of a name selects.
const AUTOMATIC: [&str; 3] = ["automatic", "none", ""];
/// The web UI's name of a layer that is not skipped is 1.
const LAYERS: (u32, u32) = (1, Limits::DEFAULT.clip_skip.1 + 1);

/// What an option changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// The model.
    Model,
    /// The autoencoder.
    Vae,
    /// The last layer of the text encoder that is used.
    Layers,
    /// The format of files.
    Format,
    /// The quality of JPEG files.
    Quality,
    /// Whether a picture is repainted in all the requested steps.
    FixSteps,
    /// A share of fresh noise.
    Eta,
    /// It has one value here, and would change the picture with another.
    Fixed,
    /// It has no effect on pictures.
    Idle,
}

/// An option: its name, its kind, its default.
type Known = (&'static str, Kind, fn() -> Value);

pub(super) const MODEL: &str = "sd_model_checkpoint";

/// The options that are known here.
const KNOWN: [Known; 32] = [
    (MODEL, Kind::Model, || Value::Null),
    ("sd_checkpoint_hash", Kind::Idle, || json!("")),
    ("sd_vae", Kind::Vae, || json!("Automatic")),
    ("CLIP_stop_at_last_layers", Kind::Layers, || json!(1)),
    ("samples_format", Kind::Format, || json!("png")),
    ("jpeg_quality", Kind::Quality, || json!(80)),
    ("img2img_fix_steps", Kind::FixSteps, || json!(false)),
    ("eta_ddim", Kind::Eta, || json!(0.0)),
    ("eta_ancestral", Kind::Eta, || json!(1.0)),
    ("randn_source", Kind::Fixed, || json!("CPU")),
    ("eta_noise_seed_delta", Kind::Fixed, || json!(0)),
    ("emphasis", Kind::Fixed, || json!("Original")),
    ("sd_unet", Kind::Fixed, || json!("Automatic")),
    ("tiling", Kind::Fixed, || json!(false)),
    ("face_restoration", Kind::Fixed, || json!(false)),
    ("sd_lora", Kind::Fixed, || json!("None")),
    ("sd_hypernetwork", Kind::Fixed, || json!("None")),
    ("s_churn", Kind::Fixed, || json!(0.0)),
    ("s_noise", Kind::Fixed, || json!(1.0)),
    ("s_min_uncond", Kind::Fixed, || json!(0.0)),
    ("sgm_noise_multiplier", Kind::Fixed, || json!(false)),
    ("initial_noise_multiplier", Kind::Fixed, || json!(1.0)),
    ("inpainting_mask_weight", Kind::Fixed, || json!(1.0)),
    ("img2img_extra_noise", Kind::Fixed, || json!(0.0)),
    ("img2img_color_correction", Kind::Fixed, || json!(false)),
    ("token_merging_ratio", Kind::Fixed, || json!(0.0)),
    ("samples_save", Kind::Idle, || json!(false)),
    ("grid_save", Kind::Idle, || json!(false)),
    ("return_grid", Kind::Idle, || json!(false)),
    ("enable_pnginfo", Kind::Idle, || json!(true)),
    ("live_previews_enable", Kind::Idle, || json!(true)),
    ("face_restoration_model", Kind::Idle, || Value::Null),
];

/// What a value of an option means here.
pub(super) enum Meaning {
    /// It acts; the value in one form.
    Acts(Value),
    /// It is what happens anyway.
    Nothing,
    /// It cannot be honoured; why, as a sentence.
    Refused(String),
    /// There is no such option.
    Unknown,
}

/// What a value of an option means. The model's name is not looked up.
pub(super) fn meaning(name: &str, value: &Value) -> Meaning {
    let Some((_, kind, default)) = KNOWN.iter().find(|(known, ..)| *known == name) else { return Meaning::Unknown };
    if value.is_null() {
        return Meaning::Nothing;
    }
    let checked = match kind {
        // Open WebUI sends an empty name while no model is chosen.
        Kind::Model if value.as_str().is_some_and(|name| name.trim().is_empty()) => return Meaning::Nothing,
        Kind::Model => string(value).map(Value::from).map_err(|(_, sentence)| sentence.to_owned()),
        Kind::Vae => vae(value),
        Kind::Layers => bounded(value, LAYERS),
        Kind::Format => format(value),
        Kind::Quality => bounded(value, (1, 100)),
        Kind::FixSteps => boolean(value).map(Value::from).map_err(|(_, sentence)| sentence.to_owned()),
        Kind::Eta => match value.as_f64() {
            Some(eta) if (0.0..=1.0).contains(&eta) => Ok(json!(eta)),
            Some(_) | None => Err("Input should be a number from 0 to 1".to_owned()),
        },
        Kind::Fixed if is_same(value, &default()) => return Meaning::Nothing,
        Kind::Fixed => Err(format!("this server has no value for it but {}", default())),
        Kind::Idle => return Meaning::Nothing,
    };
    match checked {
        Ok(value) => Meaning::Acts(value),
        Err(reason) => Meaning::Refused(reason),
    }
}

/// Whether two values are the same; 1 and 1.0 are, and so are "None" and "none".
fn is_same(a: &Value, b: &Value) -> bool {
    match (a.as_f64(), b.as_f64(), a.as_str(), b.as_str()) {
        (Some(a), Some(b), ..) => a.total_cmp(&b).is_eq(),
        (_, _, Some(a), Some(b)) => {
            a.eq_ignore_ascii_case(b) || (AUTOMATIC.contains(&lower(a).as_str()) && AUTOMATIC.contains(&lower(b).as_str()))
        }
        _ => a == b,
    }
}

fn lower(text: &str) -> String {
    text.trim().to_ascii_lowercase()
}

fn bounded(value: &Value, (min, max): (u32, u32)) -> Result<Value, String> {
    match integer(value) {
        Ok(number) if (i128::from(min)..=i128::from(max)).contains(&number) => Ok(json!(u32::try_from(number).unwrap_or(min))),
        Ok(_) => Err(format!("Input should be from {min} to {max}")),
        Err((_, sentence)) => Err(sentence.to_owned()),
    }
}

fn vae(value: &Value) -> Result<Value, String> {
    let name = string(value).map_err(|(_, sentence)| sentence.to_owned())?;
    let is_known = AUTOMATIC.contains(&lower(&name).as_str()) || vae_of(&name).is_some();
    if is_known {
        Ok(name.into())
    } else {
        Err("there is no such autoencoder here: GET /sdapi/v1/sd-vae lists those that there are".to_owned())
    }
}

fn vae_of(name: &str) -> Option<&'static str> {
    let all = diffusion_core::weights::VaeChoice::ALL.map(diffusion_core::weights::VaeChoice::name);
    all.into_iter().find(|known| known.eq_ignore_ascii_case(name.trim()))
}

fn format(value: &Value) -> Result<Value, String> {
    match value.as_str().map(lower).as_deref() {
        Some("jpg" | "jpeg") => Ok(json!("jpg")),
        Some(name @ ("png" | "webp")) => Ok(json!(name)),
        Some(_) | None => Err("Input should be 'png', 'jpg' or 'webp'".to_owned()),
    }
}

/// The options as `GET /options` shows them: those that were set before their defaults.
pub(super) fn shown(set: &Map<String, Value>, model: String) -> Map<String, Value> {
    let mut options: Map<String, Value> = KNOWN.iter().map(|(name, _, default)| ((*name).to_owned(), default())).collect();
    options.insert(MODEL.to_owned(), model.into());
    options.extend(set.iter().map(|(name, value)| (name.clone(), value.clone())));
    options
}

/// Options that act on a request; each has passed [`meaning`].
#[derive(Clone, Debug, Default)]
pub(super) struct Overrides(Map<String, Value>);

impl Overrides {
    /// A caller's options, and before them those of the request.
    pub(super) fn new(options: Map<String, Value>, of_request: Map<String, Value>) -> Self {
        let mut all = options;
        all.extend(of_request);
        Self(all)
    }

    fn whole(&self, name: &str) -> Option<i128> {
        self.0.get(name).and_then(Value::as_u64).map(i128::from)
    }

    /// The model's name as the client wrote it.
    pub(super) fn model(&self) -> Option<&str> {
        self.0.get(MODEL).and_then(Value::as_str)
    }

    /// The autoencoder; `None` for the model's own choice.
    pub(super) fn vae(&self) -> Option<String> {
        self.0.get("sd_vae").and_then(Value::as_str).and_then(vae_of).map(str::to_owned)
    }

    /// The number of the text encoder's last layers to skip.
    pub(super) fn skipped_layers(&self) -> Option<i128> {
        self.whole("CLIP_stop_at_last_layers").map(|last| last - 1)
    }

    /// The format of files.
    pub(super) fn file_format(&self) -> ImageFormat {
        match self.0.get("samples_format").and_then(Value::as_str) {
            Some("jpg") => {
                ImageFormat::Jpeg { quality: self.whole("jpeg_quality").and_then(|quality| u8::try_from(quality).ok()).unwrap_or(80) }
            }
            Some("webp") => ImageFormat::WebP,
            Some(_) | None => ImageFormat::Png,
        }
    }

    /// Whether a picture is repainted in all the requested steps.
    pub(super) fn fix_steps(&self) -> bool {
        self.0.get("img2img_fix_steps").and_then(Value::as_bool).unwrap_or(false)
    }

    /// The share of fresh noise of a sampler, if one was set for it.
    pub(super) fn eta(&self, sampler: &str) -> Option<f64> {
        let name = if sampler == "DDIM" { "eta_ddim" } else { "eta_ancestral" };
        self.0.get(name).and_then(Value::as_f64)
    }
}

/// The sentence about an unknown name in `override_settings`.
pub(super) fn unknown(names: &[String]) -> String {
    format!("override_settings: {} changed nothing, because there is no such option here", shortened(&names.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(name: &str, value: Value) -> String {
        match meaning(name, &value) {
            Meaning::Acts(value) => format!("acts {value}"),
            Meaning::Nothing => "nothing".to_owned(),
            Meaning::Refused(reason) => reason,
            Meaning::Unknown => "unknown".to_owned(),
        }
    }

    #[test]
    fn options_act_or_say_why_not() {
        assert_eq!(told("CLIP_stop_at_last_layers", json!("2")), "acts 2");
        assert_eq!(told("CLIP_stop_at_last_layers", json!(0)), "Input should be from 1 to 13");
        assert_eq!(told("samples_format", json!("JPEG")), "acts \"jpg\"");
        assert_eq!(told("sd_vae", json!("Tiny")), "acts \"Tiny\"");
        assert!(told("sd_vae", json!("mse.safetensors")).contains("GET /sdapi/v1/sd-vae"));
        assert_eq!(told("randn_source", json!("GPU")), "this server has no value for it but \"CPU\"");
        assert_eq!(told("sd_unet", json!("None")), "nothing");
        assert_eq!((told("s_noise", json!(1)), told("sd_vae", Value::Null)), ("nothing".into(), "nothing".into()));
        assert_eq!(told("forge_preset", json!("sd")), "unknown");
    }

    #[test]
    fn every_default_is_shown_and_asks_for_nothing_else() {
        let shown = shown(&Map::from_iter([("jpeg_quality".to_owned(), json!(50))]), "local".to_owned());
        assert_eq!((shown.len(), &shown["jpeg_quality"], &shown[MODEL]), (KNOWN.len(), &json!(50), &json!("local")));
        for (name, value) in shown {
            assert!(!matches!(meaning(&name, &value), Meaning::Refused(_) | Meaning::Unknown), "{name} {value}");
        }
    }

    #[test]
    fn the_requests_own_options_come_first() {
        let set = Map::from_iter([("sd_vae".to_owned(), json!("tiny")), (MODEL.to_owned(), json!("a"))]);
        let own = Map::from_iter([("sd_vae".to_owned(), json!("Automatic")), ("CLIP_stop_at_last_layers".to_owned(), json!(2))]);
        let overrides = Overrides::new(set, own);
        assert_eq!((overrides.vae(), overrides.model(), overrides.skipped_layers()), (None, Some("a"), Some(1)));
    }
}
