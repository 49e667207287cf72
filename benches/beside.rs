//! The cost of loading a model beside a running one: step times alone, and while another model is read and packed.
//!
//! `cargo bench -p benches --bench beside [-- [--usual-priority] [WORKING] [SIDE] [ROUNDS]]`. WORKING is the architecture whose steps are
//! timed (tiny-sd), SIDE its image's side in pixels (256). The other model is a diffusers folder of Stable Diffusion 1.5's shape in f16,
//! 2.1 GB in the temporary folder; both have seeded random weights. Each round times [`STEPS`] steps alone and as many beside the load, at
//! a later part of the load than the round before; every second round reverses the order of the two, because other programs may disturb
//! either. Results of one machine are in `results/`.
#![expect(clippy::print_stdout, reason = "a bench prints its measurements")]

use std::{
    collections::HashMap,
    env, fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use candle_core::{DType, Tensor};
use cpu_kernels::{Level, Priority};
use diffusion_core::{
    pipelines::{StableDiffusion, nano_svd},
    policy::{DeviceChoice, ExecutionPolicy, Precision},
    weights::{Component, OpenOptions, RandomWeights, TensorShape, TensorSource, WeightSource, open_model},
};
use generation::{
    Backend as _, BackendError, ImageRequest, JobContext, Limits, LocalBackend, LocalSettings, ModelSetup, ModelState, OpenModel,
    PoolSettings, Work,
};
use recycler::CachingAllocator;

/// As in the program.
#[global_allocator]
static ALLOCATOR: CachingAllocator = CachingAllocator::new();

/// Steps per measurement.
const STEPS: usize = 40;
const WORKING: &str = "working";
const OTHER: &str = "other";
/// The structure of the model that is loaded.
const OTHER_SHAPE: &str = "sd15";
/// Its components with weights, and their files in a diffusers folder.
const FILES: [(Component, &str); 3] = [
    (Component::TextEncoder, "text_encoder/model.safetensors"),
    (Component::Unet, "unet/diffusion_pytorch_model.safetensors"),
    (Component::Vae, "vae/diffusion_pytorch_model.safetensors"),
];

fn main() -> Result<()> {
    let mut priority = Priority::Low;
    let mut values = Vec::new();
    // `cargo bench` adds this flag.
    for argument in env::args().skip(1).filter(|argument| argument != "--bench") {
        if argument == "--usual-priority" { priority = Priority::Usual } else { values.push(argument) }
    }
    let mut values = values.into_iter();
    let working = values.next().unwrap_or_else(|| "tiny-sd".to_owned());
    let side: u32 = values.next().map_or(Ok(256), |text| text.parse()).context("SIDE is a number of pixels")?;
    let rounds: u32 = values.next().map_or(Ok(8), |text| text.parse()).context("ROUNDS is a number")?;
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    cpu_kernels::configure(threads, Level::detect(), priority);
    let folder = tempfile::tempdir()?;
    write_other(folder.path())?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(measure(folder.path(), priority, &working, side, rounds))
}

async fn measure(folder: &Path, priority: Priority, working: &str, side: u32, rounds: u32) -> Result<()> {
    let policy = ExecutionPolicy::resolve(DeviceChoice::Cpu, Precision::Auto)?;
    let (folder, own, others) = (folder.to_owned(), policy.clone(), policy.clone());
    let shape = working.to_owned();
    let models = vec![
        ModelSetup::new(WORKING, move || {
            priority.take();
            OpenModel::of(Box::new(RandomWeights::new(&shape, 1)?), &own, Box::new(nano_svd()), None)
        }),
        ModelSetup::new(OTHER, move || {
            priority.take();
            OpenModel::of(Box::new(Stored::open(&folder)?), &others, Box::new(nano_svd()), None)
        }),
    ];
    let pool = PoolSettings { release: Some(|| ALLOCATOR.trim()), ..PoolSettings::default() };
    let local = LocalBackend::start_pool(LocalSettings::new(Instant::now), models, pool)?;
    local.loaded().await.map_err(|reason| anyhow!(reason))?;
    local.opened_model(Some(OTHER)).await?;
    let unhindered = load_alone(&local).await?;
    println!(
        "{working} makes {side}x{side} in {} on {threads} threads at {priority:?} priority",
        policy.unet.as_str(),
        threads = threads()
    );
    println!("{OTHER_SHAPE}'s shape in f16, loaded alone: {:.1} s", unhindered.as_secs_f64());
    println!("{:<8} {:>6} {:>10} {:>10} {:>10}   load", "", "steps", "p50", "p95", "most");
    // Warms up.
    steps(&local, side, None).await?;
    let (mut alone, mut beside, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..rounds {
        let mut medians = [Duration::ZERO; 2];
        let order = if round % 2 == 0 { [false, true] } else { [true, false] };
        for is_beside in order {
            // Stops short of the end, because the load would finish before the steps.
            let from = is_beside.then(|| 0.9 * f64::from(round) / f64::from(rounds));
            let (times, shares) = steps(&local, side, from).await?;
            println!("{}", row(if is_beside { "beside" } else { "alone" }, &times, shares));
            let (of_kind, median) = if is_beside { (&mut beside, &mut medians[1]) } else { (&mut alone, &mut medians[0]) };
            *median = percentile(&times, 0.5);
            of_kind.extend(times);
        }
        ratios.push(medians[1].as_secs_f64() / medians[0].as_secs_f64());
    }
    println!("all rounds");
    println!("{}", row("alone", &alone, None));
    println!("{}", row("beside", &beside, None));
    ratios.sort_by(f64::total_cmp);
    let of = |share: f64| percentile(&beside, share).as_secs_f64() / percentile(&alone, share).as_secs_f64();
    let texts: Vec<_> = ratios.iter().map(|ratio| format!("{ratio:.3}")).collect();
    println!(
        "beside / alone: p50 {:.3}, p95 {:.3}, mean {:.3}; p50 by rounds: {}",
        of(0.5),
        of(0.95),
        mean(&beside) / mean(&alone),
        texts.join(" ")
    );
    Ok(())
}

fn threads() -> usize {
    cpu_kernels::engine().pool().threads()
}

/// Loads the other model while the device is idle, and drops it again.
async fn load_alone(local: &LocalBackend) -> Result<Duration> {
    let began = Instant::now();
    local.load_model(OTHER)?;
    until(local, |state| *state == ModelState::Ready).await?;
    let took = began.elapsed();
    drop_other(local).await?;
    Ok(took)
}

async fn drop_other(local: &LocalBackend) -> Result<()> {
    local.unload_model(OTHER)?;
    until(local, |state| *state == ModelState::Unloaded).await
}

async fn until(local: &LocalBackend, is_reached: impl Fn(&ModelState) -> bool) -> Result<()> {
    let mut changes = local.changes();
    loop {
        let state = state(local)?;
        if is_reached(&state) {
            return Ok(());
        }
        if let ModelState::Failed { reason } = state {
            bail!(reason);
        }
        changes.changed().await?;
    }
}

/// The fraction of the other model that has been read.
fn share(local: &LocalBackend) -> Result<f64> {
    match state(local)? {
        ModelState::Unloaded | ModelState::Queued => Ok(0.0),
        ModelState::Loading { share } => Ok(share),
        ModelState::Ready => Ok(1.0),
        ModelState::Failed { reason } => bail!(reason),
    }
}

fn state(local: &LocalBackend) -> Result<ModelState> {
    Ok(local.models().into_iter().find(|view| view.name == OTHER).context("the other model is gone")?.state)
}

/// Times the steps of one job: alone, or while the other model is loaded, once its share `from` has been read. Also returns the shares that
/// had been read when the steps began and ended.
async fn steps(local: &LocalBackend, side: u32, from: Option<f64>) -> Result<(Vec<Duration>, Option<(f64, f64)>)> {
    let info = local.model_named(None)?;
    let request = ImageRequest {
        prompt: Some("a red circle on a blue background".into()),
        num_inference_steps: Some(150),
        count: Some(16),
        width: Some(side.into()),
        height: Some(side.into()),
        seed: Some(1),
        ..ImageRequest::default()
    };
    let spec = request.validate(&Limits::DEFAULT, &info).map_err(|faults| anyhow!("{faults:?}"))?;
    if let Some(from) = from {
        local.load_model(OTHER)?;
        while share(local)? < from {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
    let job = JobContext::default();
    let (cancel, mut progress) = (job.cancel.clone(), job.progress.subscribe());
    let running = tokio::spawn({
        let local = local.clone();
        async move { local.run(Arc::new(Work::Image(spec)), job).await }
    });
    progress.wait_for(|progress| progress.step > 0).await?;
    let begun = share(local)?;
    let mut times = Vec::new();
    let mut last: Option<(u32, usize, Instant)> = None;
    loop {
        progress.changed().await?;
        let (part, step) = {
            let progress = progress.borrow_and_update();
            (progress.part, progress.step)
        };
        let now = Instant::now();
        if let Some((last_part, last_step, at)) = last
            && (part, step) == (last_part, last_step + 1)
        {
            times.push(now - at);
        }
        last = Some((part, step, now));
        if times.len() >= STEPS {
            break;
        }
    }
    let ended = share(local)?;
    ensure!(from.is_none() || ended < 1.0, "the load finished before the steps");
    cancel.cancel();
    ensure!(matches!(running.await?, Err(BackendError::Cancelled)), "the job finished before it was cancelled");
    drop_other(local).await?;
    Ok((times, from.map(|_| (begun, ended))))
}

fn percentile(times: &[Duration], share: f64) -> Duration {
    let mut sorted = times.to_vec();
    sorted.sort();
    sorted.get(((sorted.len() as f64 * share) as usize).min(sorted.len().saturating_sub(1))).copied().unwrap_or_default()
}

fn mean(times: &[Duration]) -> f64 {
    times.iter().sum::<Duration>().as_secs_f64() / times.len() as f64
}

fn row(name: &str, times: &[Duration], load: Option<(f64, f64)>) -> String {
    let of = |share| format!("{:.1} ms", percentile(times, share).as_secs_f64() * 1e3);
    let load = load.map_or_else(String::new, |(begun, ended)| format!("{:.1} to {:.1} %", 100.0 * begun, 100.0 * ended));
    format!("{name:<8} {:>6} {:>10} {:>10} {:>10}   {load}", times.len(), of(0.5), of(0.95), of(1.0)).trim_end().to_owned()
}

/// A model with tensors in files; everything else comes from its architecture.
struct Stored {
    shape: RandomWeights,
    files: Box<dyn WeightSource>,
}

impl Stored {
    fn open(folder: &Path) -> diffusion_core::Result<Self> {
        Ok(Self { shape: RandomWeights::new(OTHER_SHAPE, 2)?, files: open_model(folder, &OpenOptions::default())? })
    }
}

impl WeightSource for Stored {
    fn name(&self) -> String {
        self.files.name()
    }

    fn config(&self, component: Component) -> diffusion_core::Result<serde_json::Value> {
        self.shape.config(component)
    }

    fn file(&self, component: Component, file_name: &str) -> diffusion_core::Result<Option<Vec<u8>>> {
        self.shape.file(component, file_name)
    }

    fn tensors(&self, component: Component) -> diffusion_core::Result<Arc<dyn TensorSource>> {
        self.files.tensors(component)
    }
}

/// Writes the other model, by recording the tensors that a load reads.
fn write_other(folder: &Path) -> Result<()> {
    let recording = Recording { shape: RandomWeights::new(OTHER_SHAPE, 2)?, read: Arc::default() };
    for component in [Component::ModelIndex, Component::Scheduler, Component::Unet, Component::Vae, Component::TextEncoder] {
        let file = folder.join(component.folder()).join(component.config_file());
        fs::create_dir_all(file.parent().unwrap_or(folder))?;
        fs::write(file, recording.shape.config(component)?.to_string())?;
    }
    let policy = ExecutionPolicy::resolve(DeviceChoice::Cpu, Precision::Bf16)?;
    drop(StableDiffusion::load(&recording, &policy)?);
    for (component, file) in FILES {
        let tensors = recording.read.lock().unwrap_or_else(PoisonError::into_inner).remove(component.folder());
        candle_core::safetensors::save(&tensors.context("a component was not read")?, folder.join(file))?;
    }
    ALLOCATOR.trim();
    Ok(())
}

/// The tensors that were read, by component folder and name.
type Read = Arc<Mutex<HashMap<&'static str, HashMap<String, Tensor>>>>;

struct Recording {
    shape: RandomWeights,
    read: Read,
}

impl WeightSource for Recording {
    fn name(&self) -> String {
        self.shape.name()
    }

    fn config(&self, component: Component) -> diffusion_core::Result<serde_json::Value> {
        self.shape.config(component)
    }

    fn file(&self, component: Component, file_name: &str) -> diffusion_core::Result<Option<Vec<u8>>> {
        self.shape.file(component, file_name)
    }

    fn tensors(&self, component: Component) -> diffusion_core::Result<Arc<dyn TensorSource>> {
        Ok(Arc::new(Recorded { tensors: self.shape.tensors(component)?, component, read: Arc::clone(&self.read) }))
    }
}

struct Recorded {
    tensors: Arc<dyn TensorSource>,
    component: Component,
    read: Read,
}

impl TensorSource for Recorded {
    fn file_of(&self, tensor: &str) -> PathBuf {
        self.tensors.file_of(tensor)
    }

    fn names(&self) -> Vec<String> {
        self.tensors.names()
    }

    fn shape(&self, tensor: &str) -> Option<TensorShape> {
        self.tensors.shape(tensor)
    }

    fn read(&self, name: &str, shape: &[usize]) -> diffusion_core::Result<Tensor> {
        let tensor = self.tensors.read(name, shape)?;
        let half = tensor.to_dtype(DType::F16)?;
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        read.entry(self.component.folder()).or_default().insert(name.to_owned(), half);
        Ok(tensor)
    }
}
