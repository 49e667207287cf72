//! Swaps of what a model has beside its own weights: images stay the same, byte for byte, and memory does not grow.

use std::{fs, path::Path, process::Command, time::Duration, time::Instant};

use diffusion_core::{
    adapters::{AdapterFolder, ControlNetFolder},
    pipelines::{nano_sd, nano_svd},
    policy::{DeviceChoice, ExecutionPolicy, Precision},
    weights::{Component, TensorShape, WeightSource as _},
};
use generation::{Adapters, ImageRequest, Limits, LocalBackend, LocalSettings, ModelSetup, OpenModel, PoolSettings, jobs::Work};
use serde_json::json;

use crate::{
    ALLOCATOR,
    controlnets::{self, control},
    fake::{held_only, hold, images},
};

/// What the jobs choose, in turn: adapters and ControlNets.
const CHOICES: [(&[&str], &[&str]); 6] =
    [(&[], &[]), (&["a"], &[]), (&[], &["canny"]), (&["b:-0.5"], &[]), (&["a:0.3", "b:0.7"], &[]), (&[], &["depth"])];

/// Rounds of these choices: more than forty swaps.
const ROUNDS: usize = 7;

/// The permitted growth of memory after the first round, as a fraction.
const GROWTH: f64 = 0.05;

/// The program that measures is this one, in a process of its own.
#[test]
fn forty_swaps_change_no_image_and_take_no_more_memory() {
    let program = std::env::current_exe().unwrap();
    let name = "swaps::swaps_in_a_process_of_their_own";
    let run = Command::new(program).args(["--exact", name, "--ignored", "--nocapture"]).output().unwrap();
    let (out, errors) = (String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
    assert!(run.status.success() && out.contains("1 passed"), "{out}\n{errors}");
}

#[tokio::test]
#[ignore = "measures its process's memory, so it runs alone: the test above starts it"]
async fn swaps_in_a_process_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    let (loras, nets) = (folder.path().join("loras"), folder.path().join("nets"));
    fs::create_dir_all(&loras).unwrap();
    for (index, name) in ["a", "b"].into_iter().enumerate() {
        write_adapter(&loras.join(format!("{name}.safetensors")), index as f32);
    }
    for (index, name) in ["canny", "depth"].into_iter().enumerate() {
        controlnets::write_folder(&nets.join(name), index as f32);
    }
    let local = backend(&loras, &nets).await;
    let jobs = held_only(1, local.clone());
    let (mut first, mut memory) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        for (index, (loras, nets)) in CHOICES.into_iter().enumerate() {
            let request = ImageRequest {
                prompt: Some("a boat".into()),
                loras: Some(loras.iter().map(|text| text.parse().unwrap()).collect()),
                controlnets: nets.iter().map(|name| control(name)).collect(),
                seed: Some(5),
                num_inference_steps: Some(2),
                ..ImageRequest::default()
            };
            let spec = request.validate(&Limits::default(), &local.model().unwrap()).unwrap();
            let png = images(hold(&jobs, Work::Image(spec), None).await.unwrap()).await.unwrap().remove(0).png;
            if round == 0 {
                assert!(!first.contains(&png), "choice {index} changes nothing");
                first.push(png);
            } else {
                assert!(first[index] == png, "choice {index} in round {round}");
            }
        }
        memory.push(resident_bytes().await);
    }
    assert_eq!(local.models()[0].loads, 1);
    let most = memory.iter().max().unwrap();
    assert!(*most as f64 <= memory[0] as f64 * (1.0 + GROWTH), "memory after each round: {memory:?}");
}

async fn backend(loras: &Path, nets: &Path) -> LocalBackend {
    let (loras, nets) = (AdapterFolder::open(loras).unwrap(), ControlNetFolder::open(nets).unwrap());
    let open = move || {
        let adapters = Adapters::new(|| Ok(Box::new(nano_sd()))).with_loras(loras.clone(), Vec::new()).with_controlnets(nets.clone());
        let policy = ExecutionPolicy::resolve(DeviceChoice::Cpu, Precision::Auto)?;
        OpenModel::adapted(Box::new(nano_sd()), &policy, Box::new(nano_svd()), None, adapters)
    };
    let models = vec![ModelSetup::new("nano", open)];
    let local = LocalBackend::start_pool(LocalSettings::new(Instant::now), models, PoolSettings::default()).unwrap();
    local.loaded().await.unwrap();
    local
}

/// A LoRA of rank 1 for every linear layer and convolution of nano-sd's noise predictor and text encoder: a swap frees and makes all of
/// them. `kind` tells two of them apart.
fn write_adapter(path: &Path, kind: f32) {
    let (mut header, mut bytes) = (serde_json::Map::new(), Vec::new());
    for (prefix, component) in [("lora_unet", Component::Unet), ("lora_te", Component::TextEncoder)] {
        let tensors = nano_sd().tensors(component).unwrap();
        let mut names = tensors.names();
        names.sort();
        for name in names {
            let Some(TensorShape::Known(shape)) = tensors.shape(&name) else { panic!("{name} has no shape") };
            let Some(layer) = name.strip_suffix(".weight").filter(|name| shape.len() > 1 && !name.ends_with("_embedding")) else {
                continue;
            };
            let (mut up, mut down) = (vec![1; shape.len()], shape.clone());
            (up[0], down[0]) = (shape[0], 1);
            for (part, shape) in [("up", up), ("down", down)] {
                let begin = bytes.len();
                let numbers = (0..shape.iter().product::<usize>()).map(|index| 0.05 * ((index as f32 + 0.3) * (1.3 + kind)).sin());
                bytes.extend(numbers.flat_map(f32::to_le_bytes));
                let key = format!("{prefix}_{}.lora_{part}.weight", layer.replace('.', "_"));
                header.insert(key, json!({ "dtype": "F32", "shape": shape, "data_offsets": [begin, bytes.len()] }));
            }
        }
    }
    let header = serde_json::Value::from(header).to_string();
    let file: Vec<u8> = (header.len() as u64).to_le_bytes().into_iter().chain(header.bytes()).chain(bytes).collect();
    fs::write(path, file).unwrap();
}

/// The process's own memory while it is idle: the least of several samples, because a job's last buffers are freed just after it ends. 0
/// where it is not known.
async fn resident_bytes() -> u64 {
    let mut least = u64::MAX;
    for _ in 0..5 {
        tokio::time::sleep(Duration::from_millis(20)).await;
        ALLOCATOR.trim();
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let anonymous = status.lines().find_map(|line| line.strip_prefix("RssAnon:")?.trim().strip_suffix(" kB")?.parse::<u64>().ok());
        least = least.min(anonymous.unwrap_or(0) << 10);
    }
    assert!(least > 0 || cfg!(not(target_os = "linux")), "no RssAnon");
    least
}
