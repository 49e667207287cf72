//! `framewright bench`: times what a user waits for (a step, a decode, a whole picture, the frames of a video) and compares it with this
//! machine's peak.
//!
//! Operations are counted from the layers' definitions; work that both guidance halves share counts once. A kernel that saves
//! multiplications can therefore exceed the machine's peak.
//!
//! It must not know a model's structure. The invariant: the device has finished before the clock is read, and outputs are checked outside
//! the timed section.

mod encoder;
mod images;
mod machine;
mod plain;
mod report;
mod size;
mod timing;
mod videos;
mod workload;

use std::time::Duration;

use anyhow::Result;
use diffusion_core::{
    policy::ExecutionPolicy,
    schedulers::SchedulerName,
    weights::{ModelFamily, RandomWeights, VaeChoice, WeightSource},
};
use generation::ModelDefaults;

use self::{machine::Machine, report::Report, size::Size, timing::Timing, workload::Workload};
use crate::{
    args::BenchArgs,
    failure::Usage,
    flags,
    model::Model,
    output,
    parts::Parts,
    settings::{ChosenModel, Settings},
};

/// The seed of random weights and of every input.
const SEED: u64 = 0;
/// Default repetitions; fewer with `--plain`, which runs the slow path too.
const REPEAT: u32 = 5;
const REPEAT_PLAIN: u32 = 3;

/// The measurements requested by the flags.
struct BenchRequest {
    /// None for the model's own size.
    sizes: Vec<Size>,
    /// Of whole pictures or videos.
    steps: Vec<u32>,
    /// None for the model's own.
    schedulers: Vec<SchedulerName>,
    /// Of whole images; None for the default one.
    guidance_scale: Option<f64>,
    /// None for the model's TAESD where it has one.
    vae: Option<VaeChoice>,
    /// Of a video; None for the number that the model was trained on.
    frames: Option<usize>,
    /// Frames that are decoded together; None for all.
    decode_chunk_size: Option<usize>,
    repeat: u32,
}

impl BenchRequest {
    /// The flags, filled in with the model's `defaults`. Rejects values that would otherwise fail only after minutes.
    fn new(args: &BenchArgs, defaults: &ModelDefaults) -> Result<Self, Usage> {
        let within = |flag: &str, values: &[u32], most: u32| match values.iter().find(|value| !(1..=most).contains(value)) {
            Some(value) => Err(Usage(format!("{flag} {value}: is outside 1..={most}"))),
            None => Ok(()),
        };
        within("--steps", &args.steps, 150)?;
        within("--repeat", args.repeat.as_slice(), 1000)?;
        within("--frames", args.frames.as_slice(), 1000)?;
        within("--decode-chunk-size", args.decode_chunk_size.as_slice(), 1000)?;
        let sizes: Vec<_> = args.size.iter().map(|size| size.parse()).collect::<Result<_, Usage>>()?;
        let schedulers: Vec<_> = args.scheduler.iter().map(|name| flags::scheduler(name)).collect::<Result<_, _>>()?;
        Ok(Self {
            sizes: given_or(sizes, defaults.size.map(Size::from)),
            steps: given_or(args.steps.clone(), defaults.num_inference_steps),
            schedulers: given_or(schedulers, defaults.scheduler),
            guidance_scale: defaults.guidance_scale,
            vae: defaults.vae,
            frames: args.frames.map(|frames| frames as usize),
            decode_chunk_size: args.decode_chunk_size.map(|frames| frames as usize),
            repeat: args.repeat.unwrap_or(if args.plain { REPEAT_PLAIN } else { REPEAT }),
        })
    }

    /// The requested sizes, else the model's own.
    fn sizes_or(&self, own: (u32, u32)) -> Vec<Size> {
        if self.sizes.is_empty() { vec![own.into()] } else { self.sizes.clone() }
    }

    /// Rejects flags that an image model cannot use.
    fn check_images(&self) -> Result<(), Usage> {
        for (flag, given) in [("--frames", self.frames), ("--decode-chunk-size", self.decode_chunk_size)] {
            if let Some(given) = given {
                return Err(Usage(format!("{flag} {given}: the model makes pictures, not videos")));
            }
        }
        Ok(())
    }
}

fn given_or<T>(given: Vec<T>, default: Option<T>) -> Vec<T> {
    if given.is_empty() { default.into_iter().collect() } else { given }
}

/// The timings of one model.
struct ModelTimings {
    /// The model's name.
    model: String,
    /// Where it ran.
    policy: ExecutionPolicy,
    /// How long it took to load.
    load_time: Duration,
    timings: Vec<Timing>,
    /// What could not be timed, and why.
    missing: Vec<String>,
}

impl ModelTimings {
    fn new(model: &str, policy: &ExecutionPolicy, load_time: Duration) -> Self {
        Self { model: model.to_owned(), policy: policy.clone(), load_time, timings: Vec::new(), missing: Vec::new() }
    }

    /// Adds the encoder's timing; on a machine without an encoder, records that and keeps the other timings.
    fn encoder(&mut self, timing: Result<Timing>) {
        match timing {
            Ok(timing) => self.timings.push(timing),
            Err(error) => {
                let missing = format!("video encoder: {error:#}");
                if !self.missing.contains(&missing) {
                    self.missing.push(missing);
                }
            }
        }
    }
}

/// Runs the benchmark and prints the report.
///
/// # Errors
/// [`Usage`] for an unknown size, scheduler or architecture; otherwise if the model cannot be loaded or run, or with `--plain` if its
/// outputs differ from the portable path's.
pub(crate) fn run(args: &BenchArgs, settings: &Settings) -> Result<()> {
    let ChosenModel { source, parts, precision, defaults, .. } = settings.default_model();
    let defaults = if args.architecture.is_none() { defaults } else { ModelDefaults::default() };
    let wanted = BenchRequest::new(args, &defaults)?;
    let source = self::source(args, &source, &parts, settings)?;
    let family = ModelFamily::of(source.as_ref())?;
    if family.makes_images() {
        wanted.check_images()?;
    }
    let policy = ExecutionPolicy::resolve(settings.compute.device, precision)?;
    if args.plain {
        return plain::run(source.as_ref(), &policy, wanted.sizes.first().copied(), wanted.repeat);
    }

    let mut machine = Machine::measure(&policy)?;
    let measured = match family {
        ModelFamily::StableVideoDiffusion => videos::run(source.as_ref(), &policy, &wanted)?,
        ModelFamily::StableDiffusion | ModelFamily::StableDiffusionXl | ModelFamily::StableDiffusionXlRefiner => {
            images::run(source.as_ref(), &policy, &wanted)?
        }
    };
    let reached = measured.timings.iter().filter_map(Timing::flops_per_second).fold(0.0, f64::max);
    machine.measure_again(&policy, reached)?;
    let report = Report { machine, measured };
    if args.json {
        output::json(&report.json())?
    } else {
        output::result(report.table())?
    }
    Ok(())
}

fn source(args: &BenchArgs, model: &str, parts: &Parts, settings: &Settings) -> Result<Box<dyn WeightSource>> {
    match &args.architecture {
        None => {
            parts.check()?;
            let source = Model::parse(model, None)?.open_with(parts, &settings.hub)?;
            settings.model.unknown_fields.judge(source.as_ref())?;
            Ok(source)
        }
        Some(name) => {
            let known: Vec<_> = RandomWeights::architectures().collect();
            if !known.contains(&name.as_str()) {
                return Err(Usage(format!("--architecture {name}: is none of {}", known.join(", "))).into());
            }
            Ok(Box::new(RandomWeights::new(name, SEED)?))
        }
    }
}
