//! The report of `framewright bench`: a table for people, JSON for programs, with the same numbers.

use std::{fmt::Write as _, time::Duration};

use diffusion_core::weights::VaeChoice;
use serde_json::{Value, json};

use super::{
    Machine, ModelTimings, Timing,
    machine::{self, Peak},
    timing::STEP,
};
use crate::output;

pub(super) struct Report {
    /// The machine.
    pub(super) machine: Machine,
    /// The model.
    pub(super) measured: ModelTimings,
}

impl Report {
    /// The table, without a trailing line break.
    pub(super) fn table(&self) -> String {
        let Self { machine, measured: ModelTimings { model, policy, load_time, timings, missing } } = self;
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
        let names: Vec<_> = timings.iter().map(Self::name).collect();
        let width = names.iter().map(String::len).max().unwrap_or(0);
        let mut line = |name: &str, size: &str, p50: &str, p95: &str, speed: &str, work: &str, share: &str| {
            let line = format!("{name:width$}  {size:>9}  {p50:>9}  {p95:>9}  {speed:>16}  {work:>9}  {share:>7}");
            let _ = writeln!(text, "{}", line.trim_end());
        };
        line("", "size", "p50", "p95", "speed", "GFLOP", "of peak");
        for (timing, name) in timings.iter().zip(&names) {
            let share = self.share_of_peak(timing);
            line(
                name,
                &timing.size.to_string(),
                &seconds(timing.percentile(0.5)),
                &seconds(timing.percentile(0.95)),
                &format!("{} {}/s", digits(timing.per_second()), timing.unit()),
                &share.map_or_else(String::new, |_| format!("{:.1}", timing.flops as f64 / 1e9)),
                &share.map_or_else(String::new, |share| format!("{:.0} %", 100.0 * share)),
            );
        }
        let _ = write!(
            text,
            "\npeak: {}; most memory held: {}",
            peak(machine.peak),
            machine.peak_memory.map_or_else(|| "unknown".into(), output::size),
        );
        if timings.iter().filter_map(|timing| self.share_of_peak(timing)).any(|share| share > 1.0) {
            let _ = write!(text, "\nabove 100 %: operations are counted by the layers' definitions, and the kernels need fewer");
        }
        for missing in missing {
            let _ = write!(text, "\nnot timed: {missing}");
        }
        text
    }

    /// The same numbers as JSON; times in seconds.
    pub(super) fn json(&self) -> Value {
        let Self { machine, measured: ModelTimings { model, policy, load_time, timings, missing } } = self;
        let timings: Vec<_> = timings
            .iter()
            .map(|timing| {
                json!({
                    "what": timing.what,
                    "width": timing.size.width,
                    "height": timing.size.height,
                    "frames": timing.frames,
                    "texts": timing.texts,
                    "vae": timing.vae.map(VaeChoice::name),
                    "steps": timing.steps,
                    "scheduler": timing.by.as_ref().filter(|_| timing.steps.is_some()),
                    "encoder": timing.by.as_ref().filter(|_| timing.steps.is_none()),
                    "runs": timing.runs.iter().map(Duration::as_secs_f64).collect::<Vec<_>>(),
                    "p50": timing.percentile(0.5).as_secs_f64(),
                    "p95": timing.percentile(0.95).as_secs_f64(),
                    "its_per_second": timing.per_second(),
                    "its": timing.unit(),
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
            "peak": { "flops_per_second": machine.peak.flops, "precision": machine.peak.precision, "by": machine.peak.by },
            "matrix_product_peak": { "flops_per_second": machine.peak.product, "precision": machine.peak.precision },
            "peak_memory_bytes": machine.peak_memory,
            "timings": timings,
            "not_timed": missing,
        })
    }

    /// The share of the machine's peak speed that the median run reaches, if its operations are counted.
    fn share_of_peak(&self, timing: &Timing) -> Option<f64> {
        Some(timing.flops_per_second()? / self.machine.peak.flops)
    }

    fn name(timing: &Timing) -> String {
        let mut words = vec![timing.what.to_owned()];
        if timing.what == STEP {
            words = vec![match (timing.texts, timing.frames) {
                (Some(1), _) => format!("{STEP} (unguided: 1 text)"),
                (_, Some(_)) => format!("{STEP} (guided: 2 clips)"),
                (_, None) => format!("{STEP} (guided: 2 texts)"),
            }];
        }
        words.extend(timing.vae.filter(|vae| *vae == VaeChoice::Tiny).map(|_| "TAESD".to_owned()));
        words.extend(timing.frames.map(|frames| format!("{frames} frames")));
        words.extend(timing.steps.map(|steps| format!("{steps} steps")));
        words.extend(timing.by.clone());
        words.join(", ")
    }
}

/// The peak in words; with the share of it that a matrix product reaches, if that is not what reached it.
fn peak(Peak { flops, by, product, precision }: Peak) -> String {
    let mut text = format!("{by} reaches {:.0} GFLOP/s in {precision} here", flops / 1e9);
    if product < flops {
        let _ = write!(text, ", a matrix product {:.0} ({:.0} %)", product / 1e9, 100.0 * product / flops);
    }
    text
}

fn seconds(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    if seconds < 1.0 { format!("{:.1} ms", seconds * 1e3) } else { format!("{seconds:.2} s") }
}

/// A speed with about three significant digits.
fn digits(speed: f64) -> String {
    match speed {
        0.0..0.1 => format!("{speed:.4}"),
        0.1..100.0 => format!("{speed:.2}"),
        _ => format!("{speed:.0}"),
    }
}
