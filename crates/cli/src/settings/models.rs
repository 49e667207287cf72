//! The models that a server has beside the default one, and how they share the device.
//!
//! It knows names and numbers, and no model. The invariant: a model's name is no other's, and no service's, so that a request's `model` means
//! one thing.

use diffusion_core::{policy::Precision, schedulers::SchedulerName};
use generation::{Limits, ModelDefaults, limits::SIDE_MULTIPLE};
use serde::Deserialize;

use super::{SERVICES, service_of, values};

/// The longest name, in bytes.
const MAX_NAME: usize = 128;

/// How models share the device.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct PoolSettings {
    /// What loaded models may hold together, in bytes; absent: as much as fits beside a job within `compute.memory_limit`.
    #[serde(deserialize_with = "values::memory_limit")]
    pub budget: Option<u64>,
    /// After how many seconds without a job a model is unloaded, 1..=31536000; absent: never.
    #[serde(deserialize_with = "values::idle_seconds")]
    pub idle_seconds: Option<u64>,
}

/// A model beside the default one, which requests ask for by its name.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PoolModelSettings {
    /// The name that requests give: up to 128 bytes without blanks, no service's, and not beginning with one's and a slash.
    pub name: String,
    /// What `model.name` takes: a diffusers folder, a `.safetensors` file, a hub id, or `nano-sd`.
    pub source: String,
    /// auto, f32, bf16 or f16; absent: `compute.precision`.
    #[serde(default, deserialize_with = "values::parsed_option")]
    pub precision: Option<Precision>,
    /// What sets its images in motion; absent: `model.motion`.
    #[serde(default)]
    pub motion: Option<String>,
    /// Denoising steps of requests that name none.
    #[serde(default)]
    pub steps: Option<u32>,
    /// Guidance of requests that name none.
    #[serde(default)]
    pub guidance_scale: Option<f64>,
    /// Width in pixels of images whose requests name none, a multiple of 8; with `height`.
    #[serde(default)]
    pub width: Option<u32>,
    /// Height in pixels, likewise.
    #[serde(default)]
    pub height: Option<u32>,
    /// The scheduler of requests that name none; absent: the model's own.
    #[serde(default, deserialize_with = "values::parsed_option")]
    pub scheduler: Option<SchedulerName>,
}

impl PoolModelSettings {
    /// What requests that leave it out are filled in with.
    pub(crate) fn defaults(&self) -> ModelDefaults {
        ModelDefaults {
            num_inference_steps: self.steps,
            guidance_scale: self.guidance_scale,
            size: self.width.zip(self.height),
            scheduler: self.scheduler,
        }
    }

    fn check(&self) -> Result<(), (&'static str, String)> {
        let limits = Limits::DEFAULT;
        let name = &self.name;
        let is_word = !name.is_empty() && name.len() <= MAX_NAME && name.chars().all(|letter| letter.is_ascii_graphic());
        if !is_word {
            return Err(("name", format!("{name:?} is no name: it has 1 to {MAX_NAME} letters, digits and signs of ASCII, and no blanks")));
        }
        if service_of(name) == "local" || SERVICES.contains(&service_of(name)) {
            let service = service_of(name);
            return Err(("name", format!("{name:?} would be taken for a model of {service}: choose a name that does not begin with it")));
        }
        let within = |value: f64, (least, most): (f64, f64)| (least..=most).contains(&value);
        if let Some(steps) = self.steps.filter(|steps| !(limits.steps.0..=limits.steps.1).contains(steps)) {
            return Err(("steps", format!("{steps} is not within {}..={}", limits.steps.0, limits.steps.1)));
        }
        if let Some(scale) = self.guidance_scale.filter(|scale| !within(*scale, limits.guidance_scale)) {
            return Err(("guidance_scale", format!("{scale} is not within {}..={}", limits.guidance_scale.0, limits.guidance_scale.1)));
        }
        let is_side = |side: u32| (limits.side.0..=limits.side.1).contains(&side) && side.is_multiple_of(SIDE_MULTIPLE);
        match (self.width, self.height) {
            (None, None) => Ok(()),
            (Some(width), Some(height)) if is_side(width) && is_side(height) => Ok(()),
            (Some(width), Some(height)) => {
                let (least, most) = limits.side;
                Err(("width", format!("{width}x{height} is no size: sides are multiples of {SIDE_MULTIPLE} within {least}..={most}")))
            }
            (Some(_), None) => Err(("width", "it needs height".to_owned())),
            (None, Some(_)) => Err(("height", "it needs width".to_owned())),
        }
    }
}

/// Checks the models beside the default one, whose name is `default`.
///
/// # Errors
/// The first that is wrong, in one line.
pub(super) fn check(models: &[PoolModelSettings], default: &str) -> Result<(), String> {
    for (index, model) in models.iter().enumerate() {
        model.check().map_err(|(field, reason)| format!("setting models.{index}.{field}: {reason}"))?;
        if model.name == default {
            let source = &model.source;
            return Err(format!(
                "setting models.{index}.name: {default:?} is model.name too, which says where a model lies: use {source:?} there (--model {source}), \
                 or choose another name"
            ));
        }
        if models.iter().take(index).any(|other| other.name == model.name) {
            return Err(format!("setting models.{index}.name: {:?} is another model's name", model.name));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::io::Write as _;

    use super::super::Settings;

    fn read(text: &str) -> Result<Settings, String> {
        let mut file = tempfile::NamedTempFile::with_suffix(".toml").unwrap();
        file.write_all(text.as_bytes()).unwrap();
        Settings::resolve(Some(file.path()), []).map_err(|error| error.to_string())
    }

    #[test]
    fn models_are_read_with_what_they_say() {
        let settings = read(
            "[pool]\nbudget = 4000000000\nidle_seconds = 300\n\n[[models]]\nname = \"turbo\"\nsource = \"stabilityai/sd-turbo\"\n\
             precision = \"f32\"\nsteps = 1\nguidance_scale = 0.0\nwidth = 512\nheight = 512\nscheduler = \"euler\"\n\n\
             [[models]]\nname = \"owner/other\"\nsource = \"nano-sd\"\n",
        );
        let settings = settings.unwrap();
        assert_eq!((settings.pool.budget, settings.pool.idle_seconds), (Some(4_000_000_000), Some(300)));
        let names: Vec<_> = settings.models.iter().map(|model| model.name.as_str()).collect();
        assert_eq!(names, ["turbo", "owner/other"]);
        let defaults = settings.models[0].defaults();
        assert_eq!((defaults.num_inference_steps, defaults.guidance_scale, defaults.size), (Some(1), Some(0.0), Some((512, 512))));
        assert_eq!(defaults.scheduler.unwrap().to_string(), "euler");
    }

    #[test]
    fn a_name_that_could_mean_two_models_is_refused() {
        for name in ["local", "local/a", "bedrock", "bedrock/nova-reel", "veo/a", "huggingface/a/b", "", "a b", "nano-sd"] {
            let refused = read(&format!("[[models]]\nname = {name:?}\nsource = \"nano-sd\"\n")).unwrap_err();
            assert!(refused.starts_with("setting models.0.name: "), "{name}: {refused}");
        }
        let default = "[model]\nname = \"turbo\"\n[[models]]\nname = \"turbo\"\nsource = \"stabilityai/sd-turbo\"\n";
        let refused = read(default).unwrap_err();
        assert!(refused.contains("use \"stabilityai/sd-turbo\" there (--model stabilityai/sd-turbo)"), "{refused}");
        let twice = "[[models]]\nname = \"a\"\nsource = \"nano-sd\"\n".repeat(2);
        assert_eq!(read(&twice).unwrap_err(), "setting models.1.name: \"a\" is another model's name");
    }

    #[test]
    fn numbers_outside_their_limits_are_refused_by_name() {
        for (line, field) in [
            ("steps = 0", "steps"),
            ("guidance_scale = -1.0", "guidance_scale"),
            ("width = 512", "width"),
            ("height = 512", "height"),
            ("width = 500\nheight = 512", "width"),
        ] {
            let refused = read(&format!("[[models]]\nname = \"a\"\nsource = \"nano-sd\"\n{line}\n")).unwrap_err();
            assert!(refused.starts_with(&format!("setting models.0.{field}: ")), "{line}: {refused}");
        }
        for line in ["precision = \"f12\"", "scheduler = \"none\"", "colour = 1"] {
            assert!(read(&format!("[[models]]\nname = \"a\"\nsource = \"nano-sd\"\n{line}\n")).is_err(), "{line}");
        }
    }
}
