//! A request that names only a prompt, and what it becomes for each kind of few-step model: the operator's settings, then the file beside
//! the model, then the model's own files.

use std::sync::Arc;

use diffusion_core::{
    Error, Result,
    pipelines::{nano_sd, nano_svd},
    policy::ExecutionPolicy,
    weights::{Component, TensorSource, VaeChoice, WeightSource},
};
use generation::{FieldErrorKind, ImageRequest, ImageSpec, Limits, LoadedModel, ModelDefaults, ModelInfo};
use serde_json::{Value, json};

/// nano-sd under another name, with other files.
struct Marked {
    name: &'static str,
    scheduler: Value,
    sidecar: Option<&'static str>,
}

impl WeightSource for Marked {
    fn name(&self) -> String {
        self.name.into()
    }

    fn config(&self, component: Component) -> Result<Value> {
        let mut config = nano_sd().config(component)?;
        if component == Component::Scheduler {
            config.as_object_mut().unwrap().extend(self.scheduler.as_object().unwrap().clone());
        } else if component == Component::ModelIndex {
            config["scheduler"] = json!(["diffusers", self.scheduler["_class_name"]]);
        }
        Ok(config)
    }

    fn file(&self, component: Component, file_name: &str) -> Result<Option<Vec<u8>>> {
        if (component, file_name) == (Component::ModelIndex, "framewright.json") {
            return Ok(self.sidecar.map(|text| text.as_bytes().to_vec()));
        }
        nano_sd().file(component, file_name)
    }

    fn tensors(&self, component: Component) -> Result<Arc<dyn TensorSource>> {
        nano_sd().tensors(component)
    }
}

fn turbo() -> Marked {
    let scheduler = json!({"_class_name": "EulerDiscreteScheduler", "timestep_spacing": "trailing", "prediction_type": "epsilon"});
    Marked { name: "stabilityai/sd-turbo", scheduler, sidecar: None }
}

fn facts(model: &Marked, operator: ModelDefaults) -> Result<ModelInfo> {
    let (mut info, _) = LoadedModel::facts(model, &ExecutionPolicy::cpu_f32(), &nano_svd(), None)?;
    info.set_defaults(operator)?;
    Ok(info)
}

/// The request with a prompt alone.
fn spec(info: &ModelInfo) -> ImageSpec {
    let request = ImageRequest { prompt: Some("a boat".into()), seed: Some(1), ..ImageRequest::default() };
    request.validate(&Limits::default(), info).unwrap()
}

#[test]
fn a_prompt_alone_suits_each_few_step_model() {
    let own = |class: &str| Marked { name: "folder", scheduler: json!({"_class_name": class}), sidecar: None };
    let sidecar = |text| Marked { sidecar: Some(text), ..own("DDIMScheduler") };
    let operator = |steps, scale| ModelDefaults { num_inference_steps: steps, guidance_scale: scale, ..ModelDefaults::default() };
    for (model, operator, expected) in [
        (turbo(), operator(None, None), (1, 0.0, 128)),
        (own("LCMScheduler"), operator(None, None), (4, 1.0, 128)),
        (own("TCDScheduler"), operator(None, None), (4, 0.0, 128)),
        (own("DDIMScheduler"), operator(None, None), (25, 7.5, 128)),
        (sidecar(r#"{"steps": 8, "guidance_scale": 0, "width": 64, "height": 72}"#), operator(None, None), (8, 0.0, 64)),
        // The operator's come first, field by field.
        (turbo(), operator(Some(2), None), (2, 0.0, 128)),
        (sidecar(r#"{"steps": 8}"#), operator(None, Some(1.5)), (8, 1.5, 128)),
    ] {
        let spec = spec(&facts(&model, operator).unwrap());
        let found = (spec.num_inference_steps(), spec.guidance_scale(), spec.width());
        assert_eq!(found, expected, "{} {} {:?}", model.name, model.scheduler, model.sidecar);
    }
}

#[test]
fn an_image_over_another_leaves_a_few_step_model_a_step() {
    let info = facts(&turbo(), ModelDefaults::default()).unwrap();
    let steps = |strength| {
        let request = ImageRequest {
            prompt: Some("a boat".into()),
            seed: Some(1),
            strength,
            init_image: Some(image::RgbImage::new(64, 64)),
            ..ImageRequest::default()
        };
        request.validate(&Limits::default(), &info).unwrap().num_inference_steps()
    };
    assert_eq!([None, Some(1.0), Some(0.5), Some(0.3)].map(steps), [2, 1, 2, 4]);
}

#[test]
fn a_file_beside_the_model_with_a_wrong_value_is_named() {
    let model = Marked { sidecar: Some(r#"{"steps": 1000}"#), ..turbo() };
    let refused = facts(&model, ModelDefaults::default());
    assert!(
        matches!(&refused, Err(Error::Config { file, field, .. }) if file == "stabilityai/sd-turbo/framewright.json" && field == "steps"),
        "{refused:?}"
    );
}

#[test]
fn an_autoencoder_that_the_model_does_not_have_is_refused() {
    let info = facts(&turbo(), ModelDefaults::default()).unwrap();
    assert_eq!((info.vaes.as_slice(), spec(&info).vae()), (&[VaeChoice::Full][..], VaeChoice::Full));
    let operator = ModelDefaults { vae: Some(VaeChoice::Tiny), ..ModelDefaults::default() };
    assert!(matches!(facts(&turbo(), operator.clone()), Err(Error::Params { field: "vae", .. })));
    let request = |vae: &str| ImageRequest { prompt: Some("a".into()), seed: Some(1), vae: Some(vae.into()), ..ImageRequest::default() };
    let errors = request("tiny").validate(&Limits::default(), &info).unwrap_err();
    assert!(matches!(errors.as_slice(), [error] if error.field == "vae" && error.message.contains("vae_tiny")), "{errors:?}");
    let errors = request("small").validate(&Limits::default(), &info).unwrap_err();
    assert!(
        matches!(errors.as_slice(), [error] if error.field == "vae" && matches!(error.kind, FieldErrorKind::Enum { .. })),
        "{errors:?}"
    );

    let mut both = ModelInfo { vaes: VaeChoice::ALL.to_vec(), ..info };
    both.set_defaults(operator).unwrap();
    assert_eq!(spec(&both).vae(), VaeChoice::Tiny);
    assert_eq!(request("full").validate(&Limits::default(), &both).unwrap().vae(), VaeChoice::Full);
}
