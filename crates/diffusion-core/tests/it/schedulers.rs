//! The schedulers against diffusers': exact timesteps, latents at every step, late starts, and refusals.

use std::collections::BTreeMap;

use candle_core::{DType, Tensor};
use diffusion_core::{
    Error,
    noise::SeededNoise,
    schedulers::{PredictionType, Scheduler, SchedulerConfig, SchedulerKind, SchedulerName},
};
use serde_json::{Value, json};

use crate::{golden, golden_metadata, relative_error, tolerance};

const SHAPE: [usize; 4] = [1, 4, 6, 5];
/// The seeds of `scripts/golden/schedulers.py`.
const LATENTS_SEED: u64 = 7;
const NOISE_SEED: u64 = 42;
const OUTPUT_SEED: u64 = 1000;

fn randn(seed: u64) -> Tensor {
    SeededNoise::new(seed).randn(&SHAPE).unwrap()
}

fn name(text: &str) -> SchedulerName {
    text.parse().unwrap()
}

fn floats(tensor: &Tensor) -> Vec<f64> {
    tensor.to_dtype(DType::F64).unwrap().flatten_all().unwrap().to_vec1().unwrap()
}

/// At every step, every scheduler recovers the clean latents from a correct prediction of the noise.
#[test]
fn the_clean_latents_are_recovered() {
    let (clean, noise) = (randn(LATENTS_SEED), randn(NOISE_SEED));
    for kind in SchedulerKind::ALL {
        let config = SchedulerConfig::from_json(&json!({"_class_name": "DDIMScheduler"}), Some(kind.into())).unwrap();
        let scheduler = config.start(8).unwrap();
        for index in 0..scheduler.timesteps().len() {
            let latents = scheduler.add_noise(&clean, &noise, index).unwrap();
            let found = scheduler.run().clean(&latents, &noise, index).unwrap();
            // The noisier the latents, the more of the clean ones is lost to rounding.
            let error = relative_error(&found, &clean);
            assert!(error <= 1e-4, "{kind:?}, step {index}: {error:e}");
        }
    }
}

/// Steps from `latents` at step `start` to the end; returns the largest relative error of a step against the rows of `expected`.
fn walk(scheduler: &mut dyn Scheduler, mut latents: Tensor, start: usize, expected: &Tensor, context: &str) -> f64 {
    let mut noise = SeededNoise::new(NOISE_SEED);
    let mut worst = 0.0_f64;
    let steps = scheduler.timesteps().len() - start;
    assert_eq!(expected.dim(0).unwrap(), steps, "{context}");
    for row in 0..steps {
        let index = start + row;
        latents = scheduler.step(&randn(OUTPUT_SEED + index as u64), index, &latents, &mut noise).unwrap();
        let error = relative_error(&latents, &expected.get(row).unwrap());
        assert!(error <= tolerance::SCHEDULER_STEP, "{context}: step {index}: {error:e}");
        worst = worst.max(error);
    }
    worst
}

/// Runs every case of a golden, at least `least`; returns each scheduler's largest error with its case.
fn check_trajectories(golden_name: &str, least: usize) -> BTreeMap<String, (f64, String)> {
    let (metadata, tensors) = (golden_metadata("schedulers", golden_name), golden("schedulers", golden_name));
    let cases: Vec<Value> = serde_json::from_str(&metadata["cases"]).unwrap();
    let configs: BTreeMap<String, Value> = serde_json::from_str(&metadata["configs"]).unwrap();
    assert!(cases.len() >= least, "{} cases", cases.len());
    let mut worst: BTreeMap<String, (f64, String)> = BTreeMap::new();
    for case in &cases {
        let key = case["key"].as_str().unwrap();
        let scheduler = case["name"].as_str().unwrap();
        let config = SchedulerConfig::from_json(&configs[case["variant"].as_str().unwrap()], Some(name(scheduler))).unwrap();
        let config = match case["eta"].as_f64() {
            Some(eta) => config.with_eta(eta),
            None => config,
        };
        let steps = usize::try_from(case["steps"].as_u64().unwrap()).unwrap();
        let mut run = config.start(steps).unwrap();
        let timesteps = floats(&tensors[&format!("{key}/timesteps")]);
        let is_continuous = case["variant"] == "svd" || (case["variant"] == "sigma-range" && run.timesteps()[0] < 1.0);
        if is_continuous {
            // Continuous timesteps are logarithms, whose last bit torch leaves to the processor's library.
            assert_eq!(run.timesteps().len(), timesteps.len(), "{key}");
            for (actual, expected) in run.timesteps().iter().zip(timesteps) {
                assert!((actual - expected).abs() <= tolerance::CONTINUOUS_TIMESTEP, "{key}: {actual} {expected}");
            }
        } else {
            assert_eq!(run.timesteps(), timesteps, "{key}");
        }
        // As f32, its type in diffusers: the JSON reader may be off by the last bit of an f64.
        assert_eq!(run.init_noise_sigma() as f32, case["init_noise_sigma"].as_f64().unwrap() as f32, "{key}");
        let latents = (randn(LATENTS_SEED) * run.init_noise_sigma()).unwrap();
        let error = walk(run.as_mut(), latents, 0, &tensors[key], key);
        let entry = worst.entry(scheduler.to_owned()).or_default();
        if error >= entry.0 {
            *entry = (error, key.to_owned());
        }
        let last = run.timesteps().len() - 1;
        let before = match last {
            0 => (randn(LATENTS_SEED) * run.init_noise_sigma()).unwrap(),
            _ => tensors[key].get(last - 1).unwrap(),
        };
        let scaled = run.scale_model_input(&before, last).unwrap();
        assert!(relative_error(&scaled, &tensors[&format!("{key}/scaled")]) <= tolerance::SCHEDULER_STEP, "{key}: scaled input");
    }
    for (scheduler, (error, key)) in &worst {
        eprintln!("{scheduler:24} {error:.1e} at {key}");
    }
    worst
}

#[test]
fn latents_match_diffusers_at_every_step() {
    assert_eq!(check_trajectories("trajectories", 500).len(), SchedulerName::all().len());
}

#[test]
fn eta_is_the_share_of_noise_as_in_diffusers_and_k_diffusion() {
    let takes_eta = SchedulerKind::ALL.into_iter().filter(|kind| kind.default_eta().is_some()).map(|kind| kind.as_str().to_owned());
    let checked = check_trajectories("eta", 40);
    assert_eq!(
        checked.into_keys().collect::<Vec<_>>(),
        takes_eta.collect::<std::collections::BTreeSet<_>>().into_iter().collect::<Vec<_>>()
    );
}

/// Without its noise, an ancestral step is an Euler step.
#[test]
fn an_ancestral_scheduler_of_eta_0_is_euler() {
    let walk = |scheduler: &str| {
        let mut run = SchedulerConfig::from_json(&sd15(), Some(name(scheduler))).unwrap().with_eta(0.0).start(5).unwrap();
        let (mut latents, mut noise) = ((randn(LATENTS_SEED) * run.init_noise_sigma()).unwrap(), SeededNoise::new(NOISE_SEED));
        for index in 0..5 {
            latents = run.step(&randn(OUTPUT_SEED + index as u64), index, &latents, &mut noise).unwrap();
        }
        floats(&latents)
    };
    assert_eq!(walk("euler-ancestral"), walk("euler"));
}

#[test]
fn the_scheduler_of_stable_video_diffusion_matches_diffusers() {
    check_trajectories("video", 4);
    let metadata = golden_metadata("schedulers", "video");
    let configs: BTreeMap<String, Value> = serde_json::from_str(&metadata["configs"]).unwrap();
    let own = SchedulerConfig::from_json(&configs["svd"], None).unwrap();
    assert_eq!((own.name(), own.prediction_type()), (name("euler-karras"), PredictionType::VPrediction));
    let run = own.start(25).unwrap();
    assert!((run.init_noise_sigma() - 700.0_f64.hypot(1.0)).abs() < 1e-4);
    assert!((run.timesteps()[0] - 0.25 * 700.0_f64.ln()).abs() < 1e-6 && (run.timesteps()[24] - 0.25 * 0.002_f64.ln()).abs() < 1e-6);
}

#[test]
fn a_late_start_matches_diffusers() {
    let (metadata, tensors) = (golden_metadata("schedulers", "trajectories"), golden("schedulers", "trajectories"));
    let configs: BTreeMap<String, Value> = serde_json::from_str(&metadata["configs"]).unwrap();
    let late: BTreeMap<String, usize> = serde_json::from_str(&metadata["late"]).unwrap();
    for scheduler in SchedulerName::all() {
        let mut run = SchedulerConfig::from_json(&configs["sd15"], Some(scheduler)).unwrap().start(late["steps"]).unwrap();
        let start = late["start"] * run.order();
        let expected = &tensors[&format!("{scheduler}/late")];
        let noisy = run.add_noise(&randn(LATENTS_SEED), &randn(LATENTS_SEED + 1), start).unwrap();
        let error = relative_error(&noisy, &expected.get(0).unwrap());
        assert!(error <= tolerance::SCHEDULER_STEP, "{scheduler}: noised: {error:e}");
        let rows = expected.narrow(0, 1, expected.dim(0).unwrap() - 1).unwrap();
        walk(run.as_mut(), noisy, start, &rows, &format!("{scheduler} from {start}"));
    }
}

#[test]
fn timesteps_match_diffusers_for_1_to_100_steps() {
    let (metadata, tensors) = (golden_metadata("schedulers", "timesteps"), golden("schedulers", "timesteps"));
    let cases: BTreeMap<String, String> = serde_json::from_str(&metadata["cases"]).unwrap();
    let file: Value = serde_json::from_str(&metadata["config"]).unwrap();
    assert_eq!(cases.len(), SchedulerName::all().len() * 3);
    for (case, key) in cases {
        let (scheduler, spacing) = case.split_once('/').unwrap();
        let mut file = file.clone();
        file["timestep_spacing"] = json!(spacing);
        let config = SchedulerConfig::from_json(&file, Some(name(scheduler))).unwrap();
        let mut expected = floats(&tensors[&key]).into_iter();
        for (index, length) in tensors[&format!("{key}/lengths")].to_vec1::<i64>().unwrap().into_iter().enumerate() {
            let run = config.start(index + 1).unwrap();
            let expected: Vec<f64> = expected.by_ref().take(usize::try_from(length).unwrap()).collect();
            assert_eq!(run.timesteps(), expected, "{case}: {} steps", index + 1);
        }
        assert_eq!(expected.next(), None);
    }
}

fn sd15() -> Value {
    json!({
        "_class_name": "PNDMScheduler", "_diffusers_version": "0.6.0", "beta_end": 0.012, "beta_schedule": "scaled_linear",
        "beta_start": 0.00085, "num_train_timesteps": 1000, "set_alpha_to_one": false, "skip_prk_steps": true, "steps_offset": 1,
        "trained_betas": null, "clip_sample": false
    })
}

#[test]
fn the_file_names_the_default_scheduler() {
    let read = |file: &Value| SchedulerConfig::from_json(file, None).unwrap();
    assert_eq!(read(&sd15()).name(), name("pndm"));
    assert_eq!(read(&sd15()).prediction_type(), PredictionType::Epsilon);
    let mut file = json!({"_class_name": "DPMSolverMultistepScheduler", "use_karras_sigmas": true, "prediction_type": "v_prediction"});
    assert_eq!(read(&file).name(), name("dpmpp-2m-karras"));
    assert_eq!(read(&file).prediction_type(), PredictionType::VPrediction);
    file["algorithm_type"] = json!("sde-dpmsolver++");
    assert_eq!(read(&file).name(), name("dpmpp-2m-sde-karras"));
    let named = SchedulerConfig::from_json(&file, Some(name("euler-beta"))).unwrap();
    assert_eq!(named.name(), name("euler-beta"));
}

#[test]
fn unsupported_values_are_refused_by_name() {
    let cases = [
        ("ddim", "thresholding", json!("yes")),
        ("dpmpp-2m", "use_flow_sigmas", json!(true)),
        ("dpmpp-2m", "use_lu_lambdas", json!(true)),
        ("dpmpp-2m", "variance_type", json!("learned_range")),
        ("dpmpp-2s", "solver_order", json!(4)),
        ("dpmpp-2m", "solver_order", json!(0)),
        ("dpmpp-2m", "solver_type", json!("rk4")),
        ("dpmpp-2m", "algorithm_type", json!("dpmsolver+++")),
        ("dpmpp-2s", "algorithm_type", json!("sde-dpmsolver")),
        ("unipc", "solver_p", json!({"order": 2})),
        ("unipc", "use_dynamic_shifting", json!(true)),
        ("unipc", "disable_corrector", json!([0.5])),
        ("euler", "interpolation_type", json!("log_linear")),
        ("euler", "final_sigmas_type", json!("warped")),
        ("euler", "prediction_type", json!("flow_prediction")),
        ("pndm", "prediction_type", json!("sample")),
        ("euler-ancestral", "prediction_type", json!("sample")),
        ("ddpm", "variance_type", json!("learned")),
        ("lcm", "original_inference_steps", json!(0)),
        ("ddim", "beta_schedule", json!("sigmoid")),
        ("ddim", "beta_start", json!("small")),
        ("ddim", "num_train_timesteps", json!(1000.5)),
        ("ddim", "num_train_timesteps", json!(-3)),
        ("ddim", "trained_betas", json!([0.1, 0.2])),
        ("ddim", "clip_sample", json!("yes")),
        ("ddim", "timestep_spacing", json!("sideways")),
    ];
    for (scheduler, key, value) in cases {
        let mut file = sd15();
        file[key] = value.clone();
        let error =
            SchedulerConfig::from_json(&file, Some(name(scheduler))).err().unwrap_or_else(|| panic!("{scheduler} took {key} {value}"));
        let Error::Config { file, field, reason } = &error else { panic!("{error}") };
        assert_eq!((file.as_str(), field.as_str()), ("scheduler/scheduler_config.json", key), "{reason}");
        assert!(reason.contains(name(scheduler).kind.class_name()), "{reason}");
    }
    // A class without these keys ignores them.
    let mut file = sd15();
    for (key, value) in [("thresholding", json!(true)), ("solver_order", json!(9)), ("use_flow_sigmas", json!(true))] {
        file[key] = value;
    }
    assert!(SchedulerConfig::from_json(&file, Some(name("euler"))).is_ok());
}

#[test]
fn unknown_classes_and_impossible_runs_are_explained() {
    let refused = |file: &Value| SchedulerConfig::from_json(file, None).unwrap_err().to_string();
    assert!(refused(&json!({"_class_name": "KDPM2DiscreteScheduler"})).contains("KDPM2DiscreteScheduler"));
    assert!(refused(&json!({})).contains("_class_name: missing"));
    assert!(SchedulerConfig::from_json(&json!({}), Some(name("ddim"))).is_ok());
    assert!(refused(&json!([])).contains("JSON object"));
    let two = json!({"_class_name": "EulerDiscreteScheduler", "use_karras_sigmas": true, "use_beta_sigmas": true});
    assert!(refused(&two).contains("use_beta_sigmas"));

    let impossible = SchedulerName { kind: SchedulerKind::Ddim, ..name("euler-karras") };
    assert!(SchedulerConfig::from_json(&sd15(), Some(impossible)).is_err());
    for (scheduler, steps) in [("ddim", 0), ("ddim", 1001), ("lcm", 51), ("tcd", 0)] {
        let error = SchedulerConfig::from_json(&sd15(), Some(name(scheduler))).unwrap().start(steps).err().unwrap().to_string();
        assert!(error.contains("num_inference_steps") && error.contains(&steps.to_string()), "{error}");
    }
    // diffusers fails with an index error here: step 1000 with an offset of 1 lies beyond the training schedule.
    let error = SchedulerConfig::from_json(&sd15(), Some(name("ddim"))).unwrap().start(1000).err().unwrap();
    assert!(error.to_string().contains("steps_offset"), "{error}");
    // The Runge-Kutta start of PNDM needs four steps.
    assert!(SchedulerConfig::from_json(&json!({}), Some(name("pndm"))).unwrap().start(3).is_err());
}

#[test]
fn a_step_out_of_range_is_an_error() {
    for scheduler in SchedulerName::all() {
        let mut run = SchedulerConfig::from_json(&sd15(), Some(scheduler)).unwrap().start(5).unwrap();
        let (latents, mut noise) = (randn(1), SeededNoise::new(0));
        let end = run.timesteps().len();
        assert!(run.step(&latents, end, &latents, &mut noise).is_err(), "{scheduler}");
        assert!(run.add_noise(&latents, &latents, end).is_err(), "{scheduler}");
        assert!(run.scale_model_input(&latents, end).is_err(), "{scheduler}");
    }
}
