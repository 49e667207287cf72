//! The models of `[[models]]`, how they share the device, and which models `model.name` and `model.motion` select.
//!
//! It handles names and numbers, and opens no model. The invariant: a model's name differs from every other model's and from every
//! provider's, so that `--model` and a request's `model` are unambiguous.

use std::path::{Path, PathBuf};

use cpu_kernels::Level;
use diffusion_core::{adapters::AdapterChoice, policy::Precision, prompt::PromptSyntax, schedulers::SchedulerName};
use generation::{Limits, ModelDefaults, limits::SIDE_MULTIPLE};
use serde::Deserialize;

use super::{ModelSettings, SERVICES, Settings, VaeSetting, service_of, values};
use crate::{
    model::{EMBEDDED, EMBEDDED_MOTION},
    parts::Parts,
};

/// The longest name, in bytes.
const MAX_NAME: usize = 128;

/// How models share the device.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct PoolSettings {
    /// Memory that the loaded models may use together, in bytes. Absent: as much as fits beside a job within `compute.memory_limit`.
    #[serde(deserialize_with = "values::memory_limit")]
    pub budget: Option<u64>,
    /// Seconds without a job after which a model is unloaded, 1 to 31536000. Absent: never.
    #[serde(deserialize_with = "values::idle_seconds")]
    pub idle_seconds: Option<u64>,
}

/// Files that change models.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct AdaptersSettings {
    /// The folder of LoRAs and other adapters (`.safetensors`, `.pt`, `.bin`, `.ckpt`), which requests name by their files' names without
    /// endings. Absent: no request can name any.
    pub folder: Option<PathBuf>,
    /// The folder of textual-inversion embeddings (`.safetensors`, `.pt`, `.bin`), each a word of every prompt: its file's name without the
    /// ending, in any case. They are read when a model is loaded. Absent: none.
    pub embeddings: Option<PathBuf>,
}

/// ControlNets, by which pictures lead a model.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ControlNetsSettings {
    /// The folder of ControlNets: diffusers folders and files (`.safetensors`, `.pth`, `.pt`, `.bin`, `.ckpt`), which requests name by their
    /// names without endings; a folder comes before a file of the same name. Absent: no request can name any.
    pub folder: Option<PathBuf>,
}

/// Upscalers, which enlarge pictures.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct UpscalersSettings {
    /// The folder of upscalers (`.safetensors`, `.pth`, `.pt`, `.bin`, `.ckpt`): ESRGAN, Real-ESRGAN and its compact ones, which requests and
    /// commands name by their files' names without endings. Absent: none can be named.
    pub folder: Option<PathBuf>,
}

/// A named model: requests give the name in `model`, commands in `--model`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PoolModelSettings {
    /// The name that requests use: up to 128 visible ASCII characters; not `local` or a provider's name, alone or before a slash.
    pub name: String,
    /// Where the model is: a diffusers folder, a `.safetensors` file, a hub id, or `nano-sd`.
    pub source: String,
    /// `auto`, `f32`, `bf16` or `f16`. Absent: `compute.precision`.
    #[serde(default, deserialize_with = "values::parsed_option")]
    pub precision: Option<Precision>,
    /// The motion model for its images. Absent: `model.motion`.
    #[serde(default)]
    pub motion: Option<String>,
    /// Its autoencoder, as in `model.vae`. Absent: `full`.
    #[serde(default, deserialize_with = "values::parsed_option")]
    pub vae: Option<VaeSetting>,
    /// Its text encoder, as in `model.text_encoder`. Absent: its own.
    #[serde(default)]
    pub text_encoder: Option<PathBuf>,
    /// Its second text encoder, as in `model.text_encoder_2`. Absent: its own.
    #[serde(default)]
    pub text_encoder_2: Option<PathBuf>,
    /// Denoising steps of requests that set none. Absent: the model's own default, else 25.
    #[serde(default)]
    pub steps: Option<u32>,
    /// Guidance scale of requests that set none. Absent: the model's own default, else 7.5.
    #[serde(default)]
    pub guidance_scale: Option<f64>,
    /// Width in pixels of images whose requests set none, a multiple of 8; only together with `height`.
    #[serde(default)]
    pub width: Option<u32>,
    /// Height in pixels of such images, a multiple of 8; only together with `width`.
    #[serde(default)]
    pub height: Option<u32>,
    /// The scheduler of requests that set none. Absent: the model's own.
    #[serde(default, deserialize_with = "values::parsed_option")]
    pub scheduler: Option<SchedulerName>,
    /// The adapters of requests that choose none: `NAME`, `NAME:WEIGHT` or `NAME:WEIGHT:TEXT_WEIGHT` each.
    #[serde(default, deserialize_with = "values::parsed_list")]
    pub loras: Vec<AdapterChoice>,
    /// The language of prompts in requests that set none: `plain`, `a1111` or `compel`. Absent: `plain`.
    #[serde(default, deserialize_with = "values::parsed_option")]
    pub prompt_syntax: Option<PromptSyntax>,
}

impl PoolModelSettings {
    fn defaults(&self) -> ModelDefaults {
        ModelDefaults {
            num_inference_steps: self.steps,
            guidance_scale: self.guidance_scale,
            size: self.width.zip(self.height),
            scheduler: self.scheduler,
            loras: self.loras.clone(),
            prompt_syntax: self.prompt_syntax,
            vae: self.vae.as_ref().and_then(VaeSetting::named),
        }
    }

    fn parts(&self) -> Parts {
        let Self { text_encoder, text_encoder_2, .. } = self;
        Parts { vae: path_of(self.vae.as_ref()), text_encoder: text_encoder.clone(), text_encoder_2: text_encoder_2.clone() }
    }

    fn check(&self) -> Result<(), (&'static str, String)> {
        let limits = Limits::DEFAULT;
        let name = &self.name;
        let is_word = !name.is_empty() && name.len() <= MAX_NAME && name.chars().all(|letter| letter.is_ascii_graphic());
        if !is_word {
            return Err(("name", format!("{name:?} is not a valid name: use 1 to {MAX_NAME} visible ASCII characters without blanks")));
        }
        if service_of(name) == "local" || SERVICES.contains(&service_of(name)) {
            let service = service_of(name);
            return Err(("name", format!("{name:?} could mean a model of {service}: choose a name that does not begin with it")));
        }
        if [EMBEDDED, EMBEDDED_MOTION].contains(&name.as_str()) {
            return Err(("name", format!("{name:?} is the name of an embedded model: choose another name")));
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
                Err((
                    "width",
                    format!("{width}x{height} is not a valid size: sides are multiples of {SIDE_MULTIPLE} within {least}..={most}"),
                ))
            }
            (Some(_), None) => Err(("width", "it needs height".to_owned())),
            (None, Some(_)) => Err(("height", "it needs width".to_owned())),
        }
    }
}

/// A model with all its settings.
#[derive(Clone, Debug)]
pub(crate) struct ChosenModel {
    /// The name that requests use.
    pub name: String,
    /// Where the model is, in the form that `Model::parse` reads.
    pub source: String,
    /// Where its motion model is, in the same form.
    pub motion: String,
    /// Where its parts are that are not its own.
    pub parts: Parts,
    pub precision: Precision,
    /// The values of fields that requests omit.
    pub defaults: ModelDefaults,
}

impl Settings {
    /// The default model: the entry of `[[models]]` that `model.name` names, or else the model at that place.
    pub(crate) fn default_model(&self) -> ChosenModel {
        let vae = self.model.vae.as_ref().and_then(VaeSetting::named);
        self.model_named(&self.model.name).map_or_else(
            || ChosenModel {
                parts: self.model.parts(),
                defaults: ModelDefaults { vae, ..ModelDefaults::default() },
                ..self.unlisted(&self.model.name)
            },
            |model| self.chosen(model),
        )
    }

    /// The model of this name: an entry of `[[models]]`, or else the model at that place.
    pub(crate) fn model_at(&self, name: &str) -> ChosenModel {
        self.model_named(name).map_or_else(|| self.unlisted(name), |model| self.chosen(model))
    }

    fn unlisted(&self, name: &str) -> ChosenModel {
        ChosenModel {
            name: name.to_owned(),
            source: name.to_owned(),
            motion: self.motion_model().0,
            parts: Parts::default(),
            precision: self.compute.precision,
            defaults: ModelDefaults::default(),
        }
    }

    /// The models of `[[models]]` other than the default.
    pub(crate) fn other_models(&self) -> impl Iterator<Item = ChosenModel> {
        self.models.iter().filter(|model| model.name != self.model.name).map(|model| self.chosen(model))
    }

    /// Where the motion model is, and its precision. If `model.motion` names an entry of `[[models]]`, it means that entry's motion model.
    pub(crate) fn motion_model(&self) -> (String, Precision) {
        let named = self.model_named(&self.model.motion);
        let source = named.and_then(|model| model.motion.as_ref()).unwrap_or(&self.model.motion);
        (source.clone(), named.and_then(|model| model.precision).unwrap_or(self.compute.precision))
    }

    /// The CPU kernels' level, if it is not the fastest: the one that is set; or, where a model's precision is bf16, one that multiplies it
    /// though it is slower, because others keep its weights in f32.
    pub(crate) fn cpu_level(&self) -> Option<Level> {
        let wants_bf16 = || {
            let own = self.models.iter().filter_map(|model| model.precision);
            own.chain([self.compute.precision]).any(|precision| precision == Precision::Bf16)
        };
        let slower = (!Level::detect().has_bf16() && Level::Avx512Bf16.is_available()).then_some(Level::Avx512Bf16);
        self.compute.cpu_level.or_else(|| slower.filter(|_| wants_bf16()))
    }

    /// Where a model named by the user is: the source of the entry of `[[models]]` with this name, or else the name itself.
    pub(crate) fn source_of<'a>(&'a self, name: &'a str) -> &'a str {
        self.model_named(name).map_or(name, |model| &model.source)
    }

    /// Where the parts of a model named by the user are that are not its own.
    pub(crate) fn parts_of(&self, name: &str) -> Parts {
        match self.model_named(name) {
            Some(model) => model.parts(),
            None if name == self.model.name => self.model.parts(),
            None => Parts::default(),
        }
    }

    fn model_named(&self, name: &str) -> Option<&PoolModelSettings> {
        self.models.iter().find(|model| model.name == name)
    }

    fn chosen(&self, model: &PoolModelSettings) -> ChosenModel {
        ChosenModel {
            name: model.name.clone(),
            source: model.source.clone(),
            motion: model.motion.clone().unwrap_or_else(|| self.motion_model().0),
            parts: model.parts(),
            precision: model.precision.unwrap_or(self.compute.precision),
            defaults: model.defaults(),
        }
    }

    /// Checks the models of `[[models]]`, and lets flags override the settings of the model that they select; `is_flag` tells whether a
    /// setting comes from a flag.
    ///
    /// # Errors
    /// The first invalid setting, in one line.
    pub(super) fn check_models(&mut self, is_flag: impl Fn(&str) -> bool) -> Result<(), String> {
        check(&self.models)?;
        if let Some(index) = self.models.iter().position(|model| !model.loras.is_empty()).filter(|_| self.adapters.folder.is_none()) {
            return Err(format!("setting models.{index}.loras: adapters come from a folder: set adapters.folder"));
        }
        if let Some(model) = self.model_named(&self.model.motion)
            && model.motion.is_none()
        {
            let name = &model.name;
            return Err(format!(
                "setting model.motion: the model {name:?} of [[models]] has no motion of its own: set models.motion there"
            ));
        }
        for model in self.models.iter_mut().filter(|model| [&self.model.name, &self.model.motion].contains(&&model.name)) {
            if is_flag("compute.precision") {
                model.precision = None;
            }
            if model.name == self.model.name {
                for (field, setting, flag) in [
                    ("model.text_encoder", &mut model.text_encoder, &self.model.text_encoder),
                    ("model.text_encoder_2", &mut model.text_encoder_2, &self.model.text_encoder_2),
                ] {
                    if is_flag(field) {
                        setting.clone_from(flag);
                    }
                }
                if is_flag("model.vae") {
                    model.vae.clone_from(&self.model.vae);
                }
            }
            if is_flag("model.motion") && model.name != self.model.motion {
                model.motion = None;
            }
        }
        Ok(())
    }
}

impl ModelSettings {
    fn parts(&self) -> Parts {
        let Self { text_encoder, text_encoder_2, .. } = self;
        Parts { vae: path_of(self.vae.as_ref()), text_encoder: text_encoder.clone(), text_encoder_2: text_encoder_2.clone() }
    }
}

fn path_of(vae: Option<&VaeSetting>) -> Option<PathBuf> {
    vae.and_then(VaeSetting::path).map(Path::to_owned)
}

fn check(models: &[PoolModelSettings]) -> Result<(), String> {
    for (index, model) in models.iter().enumerate() {
        model.check().map_err(|(field, reason)| format!("setting models.{index}.{field}: {reason}"))?;
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

    use diffusion_core::{policy::Precision, weights::VaeChoice};

    use super::super::{ChosenModel, Layer, Settings};
    use crate::parts::Parts;

    fn read(text: &str) -> Result<Settings, String> {
        read_with(text, [])
    }

    fn read_with<const N: usize>(text: &str, flags: [Layer; N]) -> Result<Settings, String> {
        let mut file = tempfile::NamedTempFile::with_suffix(".toml").unwrap();
        file.write_all(text.as_bytes()).unwrap();
        Settings::resolve(Some(file.path()), flags).map_err(|error| error.to_string())
    }

    #[test]
    fn models_are_read_with_their_settings() {
        let settings = read(
            "[adapters]\nfolder = \"loras\"\nembeddings = \"words\"\n\n\
             [pool]\nbudget = 4000000000\nidle_seconds = 300\n\n[[models]]\nname = \"turbo\"\nsource = \"stabilityai/sd-turbo\"\n\
             loras = [\"ink:0.8\"]\nprecision = \"f32\"\nsteps = 1\nguidance_scale = 0.0\nwidth = 512\nheight = 512\nscheduler = \"euler\"\n\n\
             [[models]]\nname = \"owner/other\"\nsource = \"nano-sd\"\n",
        );
        let settings = settings.unwrap();
        assert_eq!((settings.pool.budget, settings.pool.idle_seconds), (Some(4_000_000_000), Some(300)));
        let names: Vec<_> = settings.models.iter().map(|model| model.name.as_str()).collect();
        assert_eq!(names, ["turbo", "owner/other"]);
        let defaults = settings.models[0].defaults();
        assert_eq!((defaults.num_inference_steps, defaults.guidance_scale, defaults.size), (Some(1), Some(0.0), Some((512, 512))));
        assert_eq!(defaults.scheduler.unwrap().to_string(), "euler");
        assert_eq!(defaults.loras, ["ink:0.8".parse().unwrap()]);
    }

    #[test]
    fn a_name_that_could_mean_two_models_is_refused() {
        for name in ["local", "local/a", "bedrock", "bedrock/nova-reel", "veo/a", "huggingface/a/b", "", "a b", "nano-sd", "nano-svd"] {
            let refused = read(&format!("[[models]]\nname = {name:?}\nsource = \"nano-sd\"\n")).unwrap_err();
            assert!(refused.starts_with("setting models.0.name: "), "{name}: {refused}");
        }
        let twice = "[[models]]\nname = \"a\"\nsource = \"nano-sd\"\n".repeat(2);
        assert_eq!(read(&twice).unwrap_err(), "setting models.1.name: \"a\" is another model's name");
    }

    const TWO: &str = "[model]\nname = \"turbo\"\nmotion = \"svd-folder\"\n\n[compute]\nprecision = \"bf16\"\n\n\
        [[models]]\nname = \"turbo\"\nsource = \"stabilityai/sd-turbo\"\nprecision = \"f32\"\nmotion = \"own-motion\"\nsteps = 1\n\n\
        [[models]]\nname = \"b\"\nsource = \"nano-sd\"\n";

    #[test]
    fn the_default_model_may_be_one_of_the_list() {
        let settings = read(TWO).unwrap();
        let default = settings.default_model();
        assert_eq!((default.name.as_str(), default.source.as_str()), ("turbo", "stabilityai/sd-turbo"));
        assert_eq!((default.motion.as_str(), default.precision), ("own-motion", Precision::F32));
        assert_eq!(default.defaults.num_inference_steps, Some(1));
        let others: Vec<_> = settings.other_models().map(|model| (model.name, model.motion, model.precision)).collect();
        assert_eq!(others, [("b".to_owned(), "svd-folder".to_owned(), Precision::Bf16)]);
        // A flag selects another.
        let settings = read_with(TWO, [Layer::flag("--model", "model.name", "b")]).unwrap();
        assert_eq!(settings.default_model().source, "nano-sd");
        assert_eq!(settings.other_models().map(|model| model.name).collect::<Vec<_>>(), ["turbo"]);
    }

    #[test]
    fn flags_override_the_settings_of_the_model_that_they_select() {
        let precision = || Layer::flag("--precision", "compute.precision", "f16");
        let default = read_with(TWO, [precision(), Layer::flag("--motion-model", "model.motion", "other")]).unwrap().default_model();
        assert_eq!((default.precision, default.motion.as_str()), (Precision::F16, "other"));
        // The other models keep their settings.
        let settings = read_with(TWO, [precision(), Layer::flag("--model", "model.name", "b")]).unwrap();
        assert_eq!(settings.other_models().map(|model| model.precision).collect::<Vec<_>>(), [Precision::F32]);
        // A variable does not count as a flag.
        let variable = Layer::flag("FRAMEWRIGHT__COMPUTE__PRECISION", "compute.precision", "f16");
        assert_eq!(read_with(TWO, [variable]).unwrap().default_model().precision, Precision::F32);
    }

    #[test]
    fn an_autoencoder_is_named_or_lies_elsewhere() {
        let text = "[model]\nname = \"a\"\nvae = \"full\"\n\n[[models]]\nname = \"a\"\nsource = \"nano-sd\"\nvae = \"taesd\"\n\n\
            [[models]]\nname = \"b\"\nsource = \"nano-sd\"\nvae = \"tiny\"\n";
        let settings = read(text).unwrap();
        let found = |model: &ChosenModel| (model.parts.vae.clone(), model.defaults.vae);
        assert_eq!(found(&settings.default_model()), (Some("taesd".into()), None));
        assert_eq!(settings.other_models().map(|model| found(&model)).collect::<Vec<_>>(), [(None, Some(VaeChoice::Tiny))]);
        let vae_of = |settings: &Settings, name: &str| settings.parts_of(name).vae;
        assert_eq!(["a", "b", "c"].map(|name| vae_of(&settings, name)), [Some("taesd".into()), None, None]);
        // A flag acts on the model that it selects.
        let settings = read_with(text, [Layer::flag("--vae", "model.vae", "tiny")]).unwrap();
        assert_eq!(found(&settings.default_model()), (None, Some(VaeChoice::Tiny)));
        // Without an entry of the list.
        let settings = read("[model]\nname = \"nano-sd\"\nvae = \"taesd\"\n").unwrap();
        assert_eq!((found(&settings.default_model()), vae_of(&settings, "nano-sd")), ((Some("taesd".into()), None), Some("taesd".into())));
    }

    #[test]
    fn text_encoders_lie_elsewhere_as_flags_or_settings_say() {
        let text = "[model]\nname = \"a\"\ntext_encoder = \"default\"\n\n[[models]]\nname = \"a\"\nsource = \"nano-sd\"\n\
            text_encoder = \"clip_l.safetensors\"\n\n[[models]]\nname = \"b\"\nsource = \"nano-sd\"\ntext_encoder_2 = \"clip_g\"\n";
        let found = |parts: Parts| (parts.text_encoder, parts.text_encoder_2);
        let settings = read(text).unwrap();
        assert_eq!(found(settings.default_model().parts), (Some("clip_l.safetensors".into()), None));
        assert_eq!(found(settings.parts_of("b")), (None, Some("clip_g".into())));
        // A flag acts on the model that it selects.
        let flag = Layer::flag("--text-encoder-2", "model.text_encoder_2", "other");
        let settings = read_with(text, [flag]).unwrap();
        assert_eq!(found(settings.default_model().parts), (Some("clip_l.safetensors".into()), Some("other".into())));
        assert_eq!(found(settings.parts_of("b")), (None, Some("clip_g".into())));
        // Without an entry of the list.
        let settings = read("[model]\nname = \"nano-sd\"\ntext_encoder = \"clip_l\"\n").unwrap();
        assert_eq!(found(settings.parts_of("nano-sd")), (Some("clip_l".into()), None));
    }

    #[test]
    fn a_motion_model_may_come_from_an_entry_of_the_list() {
        let motion = |name: &str| read_with(TWO, [Layer::flag("--model", "model.motion", name)]);
        assert_eq!(motion("turbo").unwrap().motion_model(), ("own-motion".to_owned(), Precision::F32));
        assert_eq!(motion("other").unwrap().motion_model(), ("other".to_owned(), Precision::Bf16));
        let refused = motion("b").unwrap_err();
        assert!(refused.starts_with("setting model.motion: the model \"b\" of [[models]] has no motion of its own"), "{refused}");
    }

    #[test]
    fn numbers_outside_their_limits_are_refused_by_name() {
        for (line, field) in [
            ("steps = 0", "steps"),
            ("guidance_scale = -1.0", "guidance_scale"),
            ("width = 512", "width"),
            ("height = 512", "height"),
            ("width = 500\nheight = 512", "width"),
            ("loras = [\"ink\"]", "loras"),
        ] {
            let refused = read(&format!("[[models]]\nname = \"a\"\nsource = \"nano-sd\"\n{line}\n")).unwrap_err();
            assert!(refused.starts_with(&format!("setting models.0.{field}: ")), "{line}: {refused}");
        }
        for line in ["precision = \"f12\"", "scheduler = \"none\"", "loras = [\"ink:x\"]", "colour = 1"] {
            assert!(read(&format!("[[models]]\nname = \"a\"\nsource = \"nano-sd\"\n{line}\n")).is_err(), "{line}");
        }
    }
}
