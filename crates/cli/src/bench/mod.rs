//! `framewright bench`: times what a user waits for (a step, a decode, a whole picture), and holds it against this machine.
//!
//! A step is one guided call of the UNet as a picture's loop makes it: one latent, two texts whose keys and values are made beforehand.
//! Operations are those of the layers' definitions; what the two texts share counts once. A kernel that saves products may so exceed
//! the machine's peak.
//!
//! It must not know what a model is made of. The invariant: the device has finished before a clock is read, and what is checked is
//! checked outside the clock.

mod machine;
mod plain;
mod report;
mod workload;

use std::time::{Duration, Instant};

use anyhow::Result;
use diffusion_core::{
    pipelines::{StableDiffusion, TextToImageParams},
    policy::ExecutionPolicy,
    schedulers::SchedulerName,
    weights::{RandomWeights, WeightSource},
};

use self::{machine::Machine, report::Report, workload::Workload};
use crate::{args::BenchArgs, failure::Usage, model::Model, output, settings::Settings};

/// The seed of random weights and of every input.
const SEED: u64 = 0;

/// One thing that was timed.
pub(super) struct Timing {
    /// What: "unet step", "vae decode", "picture".
    pub(super) what: &'static str,
    /// Side of the picture in pixels.
    pub(super) size: u32,
    /// Steps and scheduler of a whole picture.
    pub(super) picture: Option<(u32, String)>,
    /// How long each run took, shortest first.
    pub(super) runs: Vec<Duration>,
    /// Floating-point operations of one run.
    pub(super) flops: u64,
}

impl Timing {
    /// Times `run`, after one run that is not timed and whose operations are counted.
    fn measure(repeat: u32, mut run: impl FnMut() -> Result<()>) -> Result<(Vec<Duration>, u64)> {
        let (first, flops) = diffusion_core::ops::execution::counting(&mut run);
        first?;
        let mut runs = Vec::new();
        for _ in 0..repeat {
            let started = Instant::now();
            run()?;
            runs.push(started.elapsed());
        }
        runs.sort_unstable();
        Ok((runs, flops))
    }

    /// The duration that a share of the runs does not exceed (nearest rank).
    pub(super) fn percentile(&self, share: f64) -> Duration {
        let rank = (share * self.runs.len() as f64).ceil() as usize;
        self.runs.get(rank.clamp(1, self.runs.len().max(1)) - 1).copied().unwrap_or_default()
    }

    /// Steps a second at the median; a decode counts as one.
    pub(super) fn per_second(&self) -> f64 {
        f64::from(self.picture.as_ref().map_or(1, |(steps, _)| *steps)) / self.percentile(0.5).as_secs_f64()
    }
}

/// Times, and prints.
///
/// # Errors
/// [`Usage`] for a size, scheduler or architecture that there is not; otherwise if the model cannot be loaded or run, or with `--plain`
/// if its outputs differ from the portable path's.
pub(crate) fn run(args: &BenchArgs, settings: &Settings) -> Result<()> {
    let schedulers = args.scheduler.iter().map(|name| name.parse()).collect::<Result<Vec<SchedulerName>, _>>();
    let schedulers = schedulers.map_err(|error| Usage(format!("--scheduler: {error}")))?;
    check(args)?;
    let source = source(args, settings)?;
    let policy = ExecutionPolicy::resolve(settings.compute.device, settings.compute.precision)?;
    if args.plain {
        return plain::run(source.as_ref(), &policy, args.size.first().copied(), args.repeat.unwrap_or(3));
    }

    let repeat = args.repeat.unwrap_or(5);
    let mut machine = Machine::measure(&policy)?;
    let started = Instant::now();
    let model = StableDiffusion::load(source.as_ref(), &policy)?;
    let load_time = started.elapsed();
    let (own_size, _) = model.default_size();
    let sizes = if args.size.is_empty() { vec![own_size] } else { args.size.clone() };
    let schedulers = if schedulers.is_empty() { vec![model.scheduler_name()] } else { schedulers };

    let bar = output::task_bar((sizes.len() * (2 + args.steps.len() * schedulers.len())) as u64);
    let mut timings = Vec::new();
    for size in sizes {
        let workload = Workload::new(model.unet(), model.vae(), &policy, size)?;
        bar.set_message(format!("unet step, {size}x{size}"));
        let (runs, flops) = Timing::measure(repeat, || workload.step().map(drop))?;
        timings.push(Timing { what: "unet step", size, picture: None, runs, flops });
        bar.inc(1);
        bar.set_message(format!("vae decode, {size}x{size}"));
        let (runs, flops) = Timing::measure(repeat, || workload.decode().map(drop))?;
        timings.push(Timing { what: "vae decode", size, picture: None, runs, flops });
        bar.inc(1);
        for steps in &args.steps {
            for scheduler in &schedulers {
                bar.set_message(format!("picture, {size}x{size}, {steps} steps, {scheduler}"));
                let params = TextToImageParams {
                    num_inference_steps: *steps as usize,
                    scheduler: Some(*scheduler),
                    ..TextToImageParams::new("a red circle on a blue background", (size, size))
                };
                let (runs, flops) = Timing::measure(repeat, || Ok(model.text_to_image(&params, &mut ()).map(drop)?))?;
                timings.push(Timing { what: "picture", size, picture: Some((*steps, scheduler.to_string())), runs, flops });
                bar.inc(1);
            }
        }
    }
    bar.finish_and_clear();
    machine.measure_again(&policy)?;
    let report = Report { machine, model: model.name().to_owned(), policy: model.policy().clone(), load_time, timings };
    if args.json {
        output::json(&report.json())?
    } else {
        output::result(report.table())?
    }
    Ok(())
}

/// Refuses what would only fail after minutes.
fn check(args: &BenchArgs) -> Result<(), Usage> {
    let within = |flag: &str, values: &[u32], least: u32, most: u32| match values.iter().find(|value| !(least..=most).contains(value)) {
        Some(value) => Err(Usage(format!("{flag} {value}: is outside {least}..={most}"))),
        None => Ok(()),
    };
    within("--size", &args.size, 64, 2048)?;
    within("--steps", &args.steps, 1, 150)?;
    within("--repeat", args.repeat.as_slice(), 1, 1000)?;
    match args.size.iter().find(|size| !size.is_multiple_of(8)) {
        Some(size) => Err(Usage(format!("--size {size}: is no multiple of 8"))),
        None => Ok(()),
    }
}

fn source(args: &BenchArgs, settings: &Settings) -> Result<Box<dyn WeightSource>> {
    match &args.architecture {
        None => Ok(Model::parse(&settings.model.name, None)?.open(&settings.hub)?),
        Some(name) => {
            let known: Vec<_> = RandomWeights::architectures().collect();
            if !known.contains(&name.as_str()) {
                return Err(Usage(format!("--architecture {name}: is none of {}", known.join(", "))).into());
            }
            Ok(Box::new(RandomWeights::new(name, SEED)?))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_runs_that_happened() {
        let timing = |runs: &[u64]| Timing {
            what: "picture",
            size: 64,
            picture: Some((10, "ddim".into())),
            runs: runs.iter().copied().map(Duration::from_secs).collect(),
            flops: 0,
        };
        let ten = timing(&[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
        assert_eq!((ten.percentile(0.5).as_secs(), ten.percentile(0.95).as_secs()), (5, 10));
        assert_eq!(timing(&[4]).percentile(0.5).as_secs(), 4);
        assert_eq!(timing(&[]).percentile(0.5).as_secs(), 0);
        assert!((ten.per_second() - 2.0).abs() < 1e-9);
    }
}
