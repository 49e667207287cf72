//! What `framewright bench` prints: a table for people, JSON for programs, the same numbers in both.

use std::{fmt::Write as _, time::Duration};

use diffusion_core::policy::ExecutionPolicy;
use serde_json::{Value, json};

use super::{Machine, Timing, machine};
use crate::output;

/// Everything that was measured.
pub(super) struct Report {
    /// The machine.
    pub(super) machine: Machine,
    /// The model's name.
    pub(super) model: String,
    /// Where the model ran.
    pub(super) policy: ExecutionPolicy,
    /// How long the model took to load.
    pub(super) load_time: Duration,
    /// The timings.
    pub(super) timings: Vec<Timing>,
}

impl Report {
    /// The table, without a line end at its end.
    pub(super) fn table(&self) -> String {
        let Self { machine, model, policy, load_time, timings } = self;
        let mut text = format!(
            "{}, {} threads, {}\n{}\n{model} in {} on {}, loaded in {:.2} s\n\n",
            machine.processor,
            machine.threads,
            output::size(machine.memory),
            machine::build(),
            policy.unet.as_str(),
            policy.reason,
            load_time.as_secs_f64(),
        );
        let names: Vec<_> = timings.iter().map(name).collect();
        let width = names.iter().map(String::len).max().unwrap_or(0);
        let mut line = |name: &str, size: &str, p50: &str, p95: &str, speed: &str, work: &str, share: &str| {
            let _ = writeln!(text, "{name:width$}  {size:>9}  {p50:>9}  {p95:>9}  {speed:>7}  {work:>8}  {share:>7}");
        };
        line("", "size", "p50", "p95", "it/s", "GFLOP", "of peak");
        for (timing, name) in timings.iter().zip(&names) {
            line(
                name,
                &format!("{0}x{0}", timing.size),
                &seconds(timing.percentile(0.5)),
                &seconds(timing.percentile(0.95)),
                &format!("{:.2}", timing.per_second()),
                &format!("{:.1}", timing.flops as f64 / 1e9),
                &format!("{:.0} %", 100.0 * self.share_of_peak(timing)),
            );
        }
        let _ = write!(
            text,
            "\npeak: a matrix product here reaches {:.0} GFLOP/s in {}; most memory held: {}",
            machine.peak_flops / 1e9,
            machine.peak_precision,
            machine.peak_memory.map_or_else(|| "unknown".into(), output::size),
        );
        text
    }

    /// The same as JSON; times in seconds.
    pub(super) fn json(&self) -> Value {
        let Self { machine, model, policy, load_time, timings } = self;
        let timings: Vec<_> = timings
            .iter()
            .map(|timing| {
                json!({
                    "what": timing.what,
                    "width": timing.size,
                    "height": timing.size,
                    "steps": timing.picture.as_ref().map(|(steps, _)| steps),
                    "scheduler": timing.picture.as_ref().map(|(_, scheduler)| scheduler),
                    "runs": timing.runs.iter().map(Duration::as_secs_f64).collect::<Vec<_>>(),
                    "p50": timing.percentile(0.5).as_secs_f64(),
                    "p95": timing.percentile(0.95).as_secs_f64(),
                    "its_per_second": timing.per_second(),
                    "flops": timing.flops,
                    "share_of_peak": self.share_of_peak(timing),
                })
            })
            .collect();
        json!({
            "hardware": { "processor": machine.processor, "threads": machine.threads, "memory_bytes": machine.memory },
            "build": machine::build(),
            "model": model,
            "device": policy.device_name(),
            "device_reason": policy.reason,
            "precision": { "text_encoder": policy.text_encoder.as_str(), "unet": policy.unet.as_str(), "vae": policy.vae.as_str() },
            "load_seconds": load_time.as_secs_f64(),
            "matrix_product_peak": { "flops_per_second": machine.peak_flops, "precision": machine.peak_precision },
            "peak_memory_bytes": machine.peak_memory,
            "timings": timings,
        })
    }

    fn share_of_peak(&self, timing: &Timing) -> f64 {
        timing.flops as f64 / timing.percentile(0.5).as_secs_f64() / self.machine.peak_flops
    }
}

fn name(timing: &Timing) -> String {
    match &timing.picture {
        None if timing.what == "unet step" => "unet step (guided: 2 texts)".into(),
        None => timing.what.into(),
        Some((steps, scheduler)) => format!("{}, {steps} steps, {scheduler}", timing.what),
    }
}

/// Enough digits to compare by, few enough to read.
fn seconds(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    if seconds < 1.0 { format!("{:.1} ms", seconds * 1e3) } else { format!("{seconds:.2} s") }
}
