//! Images that one model of the pool begins and another one ends.

use std::{sync::Arc, time::Instant};

use diffusion_core::{
    pipelines::{ImageParams, RunContext, StableDiffusion, nano_sd, nano_svd},
    policy::ExecutionPolicy,
    weights::RandomWeights,
};
use generation::{
    FieldError, ImageRequest, ImageSpec, JobProgress, Limits, LocalBackend, LocalSettings, ModelSetup, ModelState, OpenModel, PoolSettings,
    Refusal, SubmitError, jobs::Work,
};

use crate::fake::{held_only, hold, images};

fn setup(name: &str) -> ModelSetup {
    let open = || OpenModel::of(Box::new(nano_sd()), &ExecutionPolicy::cpu_f32(), Box::new(nano_svd()), None);
    ModelSetup::new(name, open)
}

async fn pool(models: Vec<ModelSetup>, budget: Option<u64>) -> LocalBackend {
    let settings = PoolSettings { budget, ..PoolSettings::default() };
    let local = LocalBackend::start_pool(LocalSettings::new(Instant::now), models, settings).unwrap();
    local.loaded().await.unwrap();
    for view in local.models() {
        local.opened_model(Some(&view.name)).await.unwrap();
    }
    local
}

fn request(refiner: &str, switch: f64) -> ImageRequest {
    ImageRequest {
        prompt: Some("a boat".into()),
        refiner: Some(refiner.into()),
        refiner_switch: Some(switch),
        num_inference_steps: Some(6),
        width: Some(64),
        height: Some(64),
        seed: Some(7),
        ..ImageRequest::default()
    }
}

fn spec(local: &LocalBackend, request: ImageRequest) -> Result<ImageSpec, Vec<FieldError>> {
    request.validate(&Limits::default(), &local.model().unwrap())
}

/// The refiner here is the same model under another name, so the image is the pipelines' own.
#[tokio::test]
async fn two_models_make_one_image_after_another() {
    let local = pool(vec![setup("base"), setup("refiner")], None).await;
    let spec = spec(&local, ImageRequest { count: Some(2), ..request("refiner", 0.5) }).unwrap();
    let stored = serde_json::to_string(&spec).unwrap();
    assert_eq!(serde_json::from_str::<ImageSpec>(&stored).unwrap().refiner(), spec.refiner());
    let jobs = held_only(1, local.clone());
    let job = hold(&jobs, Work::Image(spec), None).await.unwrap();
    let mut progress = job.progress();
    let watching = tokio::spawn(async move {
        let mut shares = Vec::new();
        while progress.changed().await.is_ok() {
            let JobProgress { share, step, steps, .. } = *progress.borrow_and_update();
            assert!(step <= steps, "{step} of {steps}");
            shares.push(share);
        }
        shares
    });
    let made = images(job).await.unwrap();
    let shares = watching.await.unwrap();
    assert!(shares.is_sorted() && shares.iter().all(|share| (0.0..=1.0).contains(share)), "{shares:?}");
    let model = StableDiffusion::load(&nano_sd(), &ExecutionPolicy::cpu_f32()).unwrap();
    for (image, seed) in made.iter().zip([7, 8]) {
        let params = ImageParams { seed, num_inference_steps: 6, ..ImageParams::new("a boat", (64, 64)) };
        let handed = model.begin(&params, 0.5, &mut ()).unwrap();
        let expected = model.refine(&params, Some(handed), 0.5, RunContext::new(&mut ())).unwrap();
        assert!(image.image == expected);
        let own = format!("Model: {name}, Refiner: {name}, Refiner switch at: 0.5, ", name = model.name());
        assert!(image.parameters.contains(&own), "{}", image.parameters);
    }
}

/// Where memory does not suffice for both, one is dropped for the other, once a job.
#[tokio::test]
async fn models_that_do_not_fit_beside_each_other_are_swapped() {
    let bytes = StableDiffusion::load(&nano_sd(), &ExecutionPolicy::cpu_f32()).unwrap().memory().weights();
    let local = pool(vec![setup("base"), setup("refiner")], Some(bytes * 3 / 2)).await;
    let jobs = held_only(1, local.clone());
    let spec = spec(&local, ImageRequest { count: Some(3), ..request("refiner", 0.5) }).unwrap();
    let made = images(hold(&jobs, Work::Image(spec), None).await.unwrap()).await.unwrap();
    assert_eq!(made.len(), 3);
    let states: Vec<(u64, ModelState)> = local.models().into_iter().map(|view| (view.loads, view.state)).collect();
    assert_eq!(states, [(1, ModelState::Unloaded), (1, ModelState::Ready)]);
}

#[tokio::test]
async fn refiners_that_cannot_continue_are_refused() {
    let xl = ModelSetup::new("xl", || {
        OpenModel::of(Box::new(RandomWeights::new("sdxl", 0)?), &ExecutionPolicy::cpu_f32(), Box::new(nano_svd()), None)
    });
    let local = pool(vec![setup("base"), xl, setup("refiner")], None).await;
    let jobs = Arc::new(held_only(1, local.clone()));
    for (name, reason) in [
        ("nowhere", "no model \"nowhere\" is set up; there are base, xl, refiner"),
        ("base", "\"base\" is the model itself: name another one"),
        ("xl", "of different families: both must be of Stable Diffusion XL, or neither"),
    ] {
        let refused = hold(&jobs, Work::Image(spec(&local, request(name, 0.5)).unwrap()), None).await;
        let Err(SubmitError::Refused(Refusal::Unfit { field: "refiner", reason: found })) = refused else { panic!("{name}") };
        assert!(found.contains(reason), "{found}");
    }
    let fields = |request| spec(&local, request).unwrap_err().iter().map(|error| error.field).collect::<Vec<_>>();
    assert_eq!(fields(ImageRequest { refiner: None, ..request("", 0.5) }), ["refiner_switch"]);
    assert_eq!(fields(request("refiner", 1.5)), ["refiner_switch"]);
    let (init_image, mask_image) = (Some(image::RgbImage::new(64, 64)), Some(image::GrayImage::new(64, 64)));
    assert_eq!(fields(ImageRequest { init_image, mask_image, ..request("refiner", 0.5) }), ["refiner"]);
    let mut usual = request("refiner", 0.5);
    usual.refiner_switch = None;
    assert_eq!(spec(&local, usual).unwrap().refiner().unwrap().switch(), 0.8);
    // Only the model knows its steps.
    let error = images(hold(&jobs, Work::Image(spec(&local, request("refiner", 0.999)).unwrap()), None).await.unwrap()).await.unwrap_err();
    let (field, reason) = error.refusal().unwrap();
    assert!(field == "refiner_switch" && reason.contains("leaves no step to the refiner"), "{field}: {reason}");
}
