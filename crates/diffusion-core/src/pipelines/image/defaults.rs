//! What a model's own files say about requests that leave a parameter out: a sidecar file beside its model_index.json, and the marks of
//! models that were distilled to a few steps.
//!
//! It must not know requests, nor the operator's settings, which come before it. The invariant: a default is stated only where the files
//! leave no doubt; a model without such marks has none. References: the `__call__` defaults of diffusers' `LatentConsistencyModelPipeline`,
//! and the model cards of LCM-LoRA, TCD and SD-Turbo.

use serde_json::{Map, Value};

use super::own_scheduler::OwnScheduler;
use crate::{
    Error, Result,
    models::UNet2dConfig,
    schedulers::{SchedulerKind, SchedulerName},
    weights::{Component, WeightSource},
};

/// The sidecar's file name.
const SIDECAR: &str = "framewright.json";

/// Defaults of one model's requests. Empty fields leave the choice to the caller.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ImageDefaults {
    /// Denoising steps.
    pub num_inference_steps: Option<u32>,
    /// Classifier-free guidance, or the scale that the model embeds.
    pub guidance_scale: Option<f64>,
    /// (width, height) in pixels.
    pub size: Option<(u32, u32)>,
    /// The scheduler.
    pub scheduler: Option<SchedulerName>,
}

impl ImageDefaults {
    /// Reads the sidecar, `framewright.json` beside the model_index.json of a folder or `NAME.framewright.json` beside a single file
    /// NAME.safetensors, and for what it leaves out the model's other files.
    ///
    /// The sidecar is a JSON object with any of the keys `steps`, `guidance_scale`, `width` and `height` (both or neither), and
    /// `scheduler`.
    ///
    /// # Errors
    /// [`Error::Config`] naming the sidecar and its field; those of the source for the model's other files.
    pub fn of(source: &dyn WeightSource) -> Result<Self> {
        Ok(Self::sidecar(source)?.or(Self::of_marks(source)?))
    }

    /// Where the sidecar of a model of this name is: in its folder, or beside its file.
    pub fn sidecar_of(model: &str) -> String {
        match model.rsplit_once('.') {
            Some((stem, "safetensors" | "sft" | "ckpt" | "pt" | "pth" | "bin")) => format!("{stem}.{SIDECAR}"),
            Some(_) | None => format!("{model}/{SIDECAR}"),
        }
    }

    /// The sidecar's own fields; empty if there is none.
    pub(in crate::pipelines) fn sidecar(source: &dyn WeightSource) -> Result<Self> {
        let bytes = source.file(Component::ModelIndex, SIDECAR)?;
        bytes.map_or_else(
            || Ok(Self::default()),
            |bytes| Self::parse(&bytes).map_err(|error| error.in_file(&Self::sidecar_of(&source.name()))),
        )
    }

    /// These defaults, and for what they leave out those.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            num_inference_steps: self.num_inference_steps.or(other.num_inference_steps),
            guidance_scale: self.guidance_scale.or(other.guidance_scale),
            size: self.size.or(other.size),
            scheduler: self.scheduler.or(other.scheduler),
        }
    }

    fn parse(bytes: &[u8]) -> Result<Self> {
        let json: Value = serde_json::from_slice(bytes).map_err(|error| refuse("(top)", format!("is no JSON: {error}")))?;
        let fields = json.as_object().ok_or_else(|| refuse("(top)", "expected a JSON object"))?;
        const KNOWN: [&str; 5] = ["steps", "guidance_scale", "width", "height", "scheduler"];
        if let Some(unknown) = fields.keys().find(|key| !KNOWN.contains(&key.as_str())) {
            return Err(refuse(unknown, format!("unknown; known are {}", KNOWN.join(", "))));
        }
        let size = match (whole(fields, "width")?, whole(fields, "height")?) {
            (Some(width), Some(height)) => Some((width, height)),
            (None, None) => None,
            (Some(_), None) => return Err(refuse("width", "it needs height")),
            (None, Some(_)) => return Err(refuse("height", "it needs width")),
        };
        let guidance_scale = |value: &Value| {
            let number = value.as_f64().filter(|number| number.is_finite());
            number.ok_or_else(|| refuse("guidance_scale", format!("expected a number, found {value}")))
        };
        let scheduler = |value: &Value| {
            let name = value.as_str().ok_or_else(|| refuse("scheduler", format!("expected a name, found {value}")))?;
            name.parse().map_err(|error| if let Error::Params { reason, .. } = error { refuse("scheduler", reason) } else { error })
        };
        Ok(Self {
            num_inference_steps: whole(fields, "steps")?,
            guidance_scale: fields.get("guidance_scale").map(guidance_scale).transpose()?,
            size,
            scheduler: fields.get("scheduler").map(scheduler).transpose()?,
        })
    }

    /// The defaults of a distilled model, by its own marks.
    fn of_marks(source: &dyn WeightSource) -> Result<Self> {
        let of = |num_inference_steps, guidance_scale| Self {
            num_inference_steps: Some(num_inference_steps),
            guidance_scale: Some(guidance_scale),
            ..Self::default()
        };
        let scheduler = OwnScheduler::read(source)?;
        let embeds_guidance = UNet2dConfig::from_json(&source.config(Component::Unet)?)?.time_cond_proj_dim.is_some();
        Ok(match scheduler.kind() {
            // The scale of `LatentConsistencyModelPipeline`, which such a model was trained to follow.
            _ if embeds_guidance => of(4, 8.5),
            Some(SchedulerKind::Lcm) => of(4, 1.0),
            Some(SchedulerKind::Tcd) => of(4, 0.0),
            // The scheduler file alone does not tell: people give ordinary models this spacing too.
            Some(SchedulerKind::Euler | SchedulerKind::EulerAncestral)
                if scheduler.trails_on_noise() && source.name().to_lowercase().contains("turbo") =>
            {
                of(1, 0.0)
            }
            _ => Self::default(),
        })
    }
}

fn refuse(field: &str, reason: impl Into<String>) -> Error {
    Error::config(SIDECAR, field, reason)
}

fn whole(fields: &Map<String, Value>, field: &str) -> Result<Option<u32>> {
    let number = |value: &Value| {
        let number = value.as_u64().and_then(|number| u32::try_from(number).ok()).filter(|number| *number > 0);
        let is_large = value.as_f64().is_some_and(|number| number > f64::from(u32::MAX) && number.fract() == 0.0);
        number.ok_or_else(|| {
            let reason = if is_large {
                format!("the largest number is {}, found", u32::MAX)
            } else {
                "expected a positive whole number, found".into()
            };
            refuse(field, format!("{reason} {value}"))
        })
    };
    fields.get(field).map(number).transpose()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use std::sync::Arc;

    use serde_json::json;

    use super::*;
    use crate::{pipelines::nano_sd, weights::TensorSource};

    /// The embedded model with other files.
    struct Marked {
        name: &'static str,
        sidecar: Option<&'static str>,
        scheduler: Value,
        unet: Value,
    }

    fn marked(name: &'static str, scheduler: Value) -> Marked {
        Marked { name, sidecar: None, scheduler, unet: json!({}) }
    }

    impl WeightSource for Marked {
        fn name(&self) -> String {
            self.name.into()
        }

        fn config(&self, component: Component) -> Result<Value> {
            let mut config = nano_sd().config(component)?;
            let changes = match component {
                Component::Scheduler => &self.scheduler,
                Component::ModelIndex => &json!({"scheduler": ["diffusers", self.scheduler["_class_name"]]}),
                Component::Unet => &self.unet,
                Component::Vae
                | Component::TinyVae
                | Component::ControlNet
                | Component::Upscaler
                | Component::TextEncoder
                | Component::TextEncoder2
                | Component::ImageEncoder
                | Component::Tokenizer
                | Component::Tokenizer2
                | Component::FeatureExtractor
                | Component::Captioner => return Ok(config),
            };
            let fields = config.as_object_mut().unwrap();
            fields.extend(changes.as_object().unwrap().clone());
            Ok(config)
        }

        fn file(&self, component: Component, file_name: &str) -> Result<Option<Vec<u8>>> {
            let is_sidecar = (component, file_name) == (Component::ModelIndex, SIDECAR);
            Ok(self.sidecar.filter(|_| is_sidecar).map(|text| text.as_bytes().to_vec()))
        }

        fn tensors(&self, component: Component) -> Result<Arc<dyn TensorSource>> {
            nano_sd().tensors(component)
        }
    }

    fn found(model: &Marked) -> (Option<u32>, Option<f64>) {
        let ImageDefaults { num_inference_steps, guidance_scale, size: None, scheduler: None } = ImageDefaults::of(model).unwrap() else {
            unreachable!("neither a size nor a scheduler is told by marks")
        };
        (num_inference_steps, guidance_scale)
    }

    #[test]
    fn distilled_models_are_told_by_their_own_files() {
        let turbo = json!({"_class_name": "EulerDiscreteScheduler", "timestep_spacing": "trailing", "prediction_type": "epsilon"});
        assert_eq!(found(&marked("stabilityai/sd-turbo", turbo.clone())), (Some(1), Some(0.0)));
        let ancestral = json!({"_class_name": "EulerAncestralDiscreteScheduler", "timestep_spacing": "trailing"});
        assert_eq!(found(&marked("/models/SDXL_Turbo", ancestral)), (Some(1), Some(0.0)));
        assert_eq!(found(&marked("/models/lcm", json!({"_class_name": "LCMScheduler"}))), (Some(4), Some(1.0)));
        assert_eq!(found(&marked("/models/hyper", json!({"_class_name": "TCDScheduler"}))), (Some(4), Some(0.0)));
        let lcm = marked("/models/a", json!({"_class_name": "LCMScheduler"}));
        let dreamshaper = Marked { unet: json!({"time_cond_proj_dim": 256}), ..lcm };
        assert_eq!(found(&dreamshaper), (Some(4), Some(8.5)));
    }

    #[test]
    fn one_mark_of_a_turbo_model_is_not_enough() {
        let turbo = json!({"_class_name": "EulerDiscreteScheduler", "timestep_spacing": "trailing", "prediction_type": "epsilon"});
        assert_eq!(found(&marked("/models/mine", turbo.clone())), (None, None));
        for (key, value) in
            [("timestep_spacing", json!("leading")), ("prediction_type", json!("v_prediction")), ("_class_name", json!("DDIMScheduler"))]
        {
            let mut other = turbo.clone();
            other[key] = value;
            assert_eq!(found(&marked("/models/sd-turbo", other)), (None, None), "{key}");
        }
        assert_eq!(ImageDefaults::of(&nano_sd()).unwrap(), ImageDefaults::default());
    }

    #[test]
    fn the_sidecar_comes_before_the_marks_field_by_field() {
        let lcm = marked("/models/lcm", json!({"_class_name": "LCMScheduler"}));
        let text = r#"{"steps": 2, "width": 384, "height": 512, "scheduler": "LCMScheduler"}"#;
        let found = ImageDefaults::of(&Marked { sidecar: Some(text), ..lcm }).unwrap();
        let expected = ImageDefaults {
            num_inference_steps: Some(2),
            guidance_scale: Some(1.0),
            size: Some((384, 512)),
            scheduler: Some(SchedulerKind::Lcm.into()),
        };
        assert_eq!(found, expected);
    }

    #[test]
    fn what_is_wrong_with_a_sidecar_is_named() {
        for (text, field) in [
            ("", "(top)"),
            ("[]", "(top)"),
            (r#"{"steps": 0}"#, "steps"),
            (r#"{"steps": 2.5}"#, "steps"),
            (r#"{"steps": 99999999999}"#, "steps"),
            (r#"{"guidance_scale": "7"}"#, "guidance_scale"),
            (r#"{"width": 512}"#, "width"),
            (r#"{"height": 512}"#, "height"),
            (r#"{"scheduler": "Eular"}"#, "scheduler"),
            (r#"{"scheduler": 1}"#, "scheduler"),
            (r#"{"step": 1}"#, "step"),
        ] {
            match ImageDefaults::parse(text.as_bytes()) {
                Err(Error::Config { file, field: found, .. }) => assert_eq!((file.as_str(), found.as_str()), (SIDECAR, field), "{text}"),
                other => unreachable!("{text}: {other:?}"),
            }
        }
        let large = ImageDefaults::parse(br#"{"steps": 99999999999}"#).unwrap_err().to_string();
        assert!(large.ends_with("field steps: the largest number is 4294967295, found 99999999999"), "{large}");
    }
}
