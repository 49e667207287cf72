//! The noise schedule of training and the levels that a run visits: betas, timestep spacings and sigma schedules, shared by all schedulers.
//!
//! This module must not depend on any scheduler's steps. Invariant: betas, cumulative products and sigmas are f32 exactly where diffusers'
//! are, and equal to the last bit; timesteps are equal. Reference: `__init__` and `set_timesteps` of diffusers' scheduler classes, torch's
//! linspace and cumprod (`RangeFactoriesKernel.cpp`, `ReduceOpsKernel.cpp`). Square roots are exact, as torch's are on AVX2 but not quite
//! on AVX-512.

use std::f64::consts::PI;

use super::{
    SigmaSchedule,
    beta_quantile::beta_quantile,
    config::{BetaSchedule, FinalSigma, SchedulerConfig, TimestepSpacing},
    file::FILE,
    numpy::{arange_down, interp, linspace, ln_f32},
};
use crate::{Error, Result};

/// The noise that training adds at each timestep.
#[derive(Debug, Clone)]
pub(super) struct NoiseSchedule {
    /// The remaining share of signal power, by timestep.
    pub(super) alphas_cumprod: Vec<f32>,
}

impl NoiseSchedule {
    /// The schedule of a class that steps in alphas_cumprod: its last entry may be 0.
    pub(super) fn new(config: &SchedulerConfig) -> Self {
        let mut betas = betas(config);
        if config.rescale_betas_zero_snr {
            rescale_zero_terminal_snr(&mut betas);
        }
        let alphas = betas.iter().map(|beta| 1.0 - beta);
        Self { alphas_cumprod: cumprod(alphas) }
    }

    /// The schedule of a class that steps in sigmas: with zero terminal signal the last entry is 2^-24, so that its sigma stays finite.
    pub(super) fn for_sigmas(config: &SchedulerConfig) -> Self {
        let mut schedule = Self::new(config);
        if config.rescale_betas_zero_snr
            && let Some(last) = schedule.alphas_cumprod.last_mut()
        {
            *last = 2_f32.powi(-24);
        }
        schedule
    }

    /// The entry of a timestep; -1 is the last one, as in Python (trailing spacing rounds to it with 61 steps of 1000).
    pub(super) fn at(&self, timestep: i64) -> Result<f32> {
        let length = self.alphas_cumprod.len();
        let index = if timestep < 0 { length.checked_add_signed(timestep as isize) } else { usize::try_from(timestep).ok() };
        index.and_then(|index| self.alphas_cumprod.get(index)).copied().ok_or_else(|| {
            let reason = format!("leads to timestep {timestep}, but the model was trained on 0 to {}", length.saturating_sub(1));
            Error::config(FILE, "steps_offset", reason)
        })
    }

    /// Noise-to-signal ratios by timestep.
    pub(super) fn sigmas(&self) -> Vec<f32> {
        self.alphas_cumprod.iter().map(|&alpha| sigma(alpha)).collect()
    }

    /// The noise-to-signal ratio at timestep 0.
    pub(super) fn sigma_min(&self) -> f32 {
        self.alphas_cumprod.first().map_or(0.0, |&alpha| sigma(alpha))
    }

    /// Number of timesteps below `lambda_min`, which the DPM solvers skip: diffusers' `lambda_min_clipped`.
    pub(super) fn clipped(&self, lambda_min: f64) -> usize {
        let lambda = |alpha: f32| ln_f32(alpha.sqrt()) - ln_f32((1.0 - alpha).sqrt());
        self.alphas_cumprod.iter().rev().take_while(|&&alpha| lambda(alpha) < lambda_min as f32).count()
    }
}

fn sigma(alpha_cumprod: f32) -> f32 {
    ((1.0 - alpha_cumprod) / alpha_cumprod).sqrt()
}

/// `torch.cumprod` of f32: accumulated in f64, rounded at each entry.
fn cumprod(values: impl Iterator<Item = f32>) -> Vec<f32> {
    values
        .scan(1.0_f64, |product, value| {
            *product *= f64::from(value);
            Some(*product as f32)
        })
        .collect()
}

fn betas(config: &SchedulerConfig) -> Vec<f32> {
    if let Some(betas) = &config.trained_betas {
        return betas.clone();
    }
    let (count, start, end) = (config.num_train_timesteps, config.beta_start, config.beta_end);
    match config.beta_schedule {
        BetaSchedule::Linear => torch_linspace(start as f32, end as f32, count),
        BetaSchedule::ScaledLinear => {
            torch_linspace(start.sqrt() as f32, end.sqrt() as f32, count).into_iter().map(|root| root * root).collect()
        }
        BetaSchedule::Sigmoid => {
            let sigmoid = |x: f32| 1.0 / (1.0 + (-x).exp());
            let (range, start) = ((end - start) as f32, start as f32);
            torch_linspace(-6.0, 6.0, count).into_iter().map(|x| sigmoid(x) * range + start).collect()
        }
        BetaSchedule::SquaredCosCapV2 => betas_for_alpha_bar(count, |t| ((t + 0.008) / 1.008 * PI / 2.0).cos().powi(2)),
        BetaSchedule::Exponential => betas_for_alpha_bar(count, |t| (t * -12.0).exp()),
        BetaSchedule::Laplace => betas_for_alpha_bar(count, |t| {
            let lambda = -0.5 * 1_f64.copysign(0.5 - t) * (1.0 - 2.0 * (0.5 - t).abs() + 1e-6).ln();
            let snr = lambda.exp();
            (snr / (1.0 + snr)).sqrt()
        }),
    }
}

/// `torch.linspace` in f32, which fuses its multiplications and, in the upper half, counts down from the end.
fn torch_linspace(start: f32, end: f32, count: usize) -> Vec<f32> {
    let step = (end - start) / (count as f32 - 1.0);
    let value = |index: usize| {
        if index < count / 2 { step.mul_add(index as f32, start) } else { (-step).mul_add((count - index - 1) as f32, end) }
    };
    (0..count).map(value).collect()
}

fn betas_for_alpha_bar(count: usize, alpha_bar: impl Fn(f64) -> f64) -> Vec<f32> {
    let at = |index: usize| alpha_bar(index as f64 / count as f64);
    (0..count).map(|index| (1.0 - at(index + 1) / at(index)).min(0.999) as f32).collect()
}

/// Shifts and scales the schedule so that no signal remains at its end (arXiv 2305.08891, algorithm 1).
fn rescale_zero_terminal_snr(betas: &mut [f32]) {
    let mut roots: Vec<f32> = cumprod(betas.iter().map(|beta| 1.0 - beta)).into_iter().map(f32::sqrt).collect();
    let (Some(&first), Some(&last)) = (roots.first(), roots.last()) else { return };
    let scale = first / (first - last);
    roots.iter_mut().for_each(|root| *root = (*root - last) * scale);
    let mut before = 1.0;
    for (beta, root) in betas.iter_mut().zip(roots) {
        let alpha_bar = root * root;
        *beta = 1.0 - alpha_bar / before;
        before = alpha_bar;
    }
}

/// The falling timesteps of the classes that visit `steps` of them. If `whole`, linspace is rounded to integers, else to f32.
pub(super) fn spaced_timesteps(config: &SchedulerConfig, steps: usize, whole: bool) -> Vec<f64> {
    let trained = config.num_train_timesteps;
    match config.timestep_spacing {
        TimestepSpacing::Linspace => {
            let round = |t: f64| if whole { t.round_ties_even() } else { f64::from(t as f32) };
            linspace(0.0, trained as f64 - 1.0, steps).into_iter().rev().map(round).collect()
        }
        TimestepSpacing::Leading => leading(trained / steps, 0..steps, config.steps_offset),
        TimestepSpacing::Trailing => trailing(trained, trained as f64 / steps as f64),
    }
}

/// The falling timesteps of the multistep solvers: all but timestep 0 of steps + 1 spaced over the first `last` training steps.
fn solver_timesteps(config: &SchedulerConfig, steps: usize, last: usize) -> Vec<f64> {
    match config.timestep_spacing {
        TimestepSpacing::Linspace => {
            linspace(0.0, last as f64 - 1.0, steps + 1).into_iter().skip(1).rev().map(f64::round_ties_even).collect()
        }
        TimestepSpacing::Leading => leading(last / (steps + 1), 1..steps + 1, config.steps_offset),
        TimestepSpacing::Trailing => trailing(last, config.num_train_timesteps as f64 / steps as f64),
    }
}

fn leading(ratio: usize, multiples: std::ops::Range<usize>, offset: i64) -> Vec<f64> {
    multiples.rev().map(|multiple| (multiple * ratio) as f64 + offset as f64).collect()
}

fn trailing(last: usize, ratio: f64) -> Vec<f64> {
    arange_down(last as f64, ratio).into_iter().map(|t| t.round_ties_even() - 1.0).collect()
}

/// A run's noise levels: one sigma for each timestep, and the sigma after the last step.
#[derive(Debug, Clone)]
pub(super) struct Levels {
    pub(super) timesteps: Vec<f64>,
    pub(super) sigmas: Vec<f32>,
}

impl Levels {
    /// The largest sigma; 0 if there are none.
    pub(super) fn max_sigma(&self) -> f32 {
        self.sigmas.iter().copied().fold(0.0, f32::max)
    }
}

/// The levels of the classes derived from k-diffusion (Euler, LMS, Heun): timesteps in f32, fractional under a sigma schedule.
pub(super) fn discrete_levels(config: &SchedulerConfig, steps: usize) -> Levels {
    let schedule = NoiseSchedule::for_sigmas(config);
    let training = schedule.sigmas();
    let mut timesteps = spaced_timesteps(config, steps, false);
    let mut sigmas: Vec<f64> = timesteps.iter().map(|&t| interp(t, &training)).collect();
    if let Some(spread) = config.name.sigmas {
        let (first, last) = (sigmas.first().copied().unwrap_or(0.0), sigmas.last().copied().unwrap_or(0.0));
        sigmas = spread_sigmas(spread, config.sigma_min.unwrap_or(last), config.sigma_max.unwrap_or(first), steps);
        let log_sigmas = log(&training);
        timesteps = sigmas.iter().map(|&sigma| f64::from(sigma_to_t(sigma, &log_sigmas) as f32)).collect();
    }
    sigmas.push(match config.final_sigma {
        FinalSigma::Zero => 0.0,
        FinalSigma::SigmaMin => f64::from(schedule.sigma_min()),
    });
    Levels { timesteps, sigmas: sigmas.into_iter().map(|sigma| sigma as f32).collect() }
}

/// A multistep solver's smallest sigma, if its sigmas do not end at zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SmallestSigma {
    /// The training schedule's.
    Trained,
    /// Under a sigma schedule a repetition of its last sigma, else the training schedule's.
    Repeated,
}

/// The levels of the multistep solvers: integer timesteps over the first `num_train_timesteps - clipped` training steps. Under a sigma
/// schedule they are truncated to integers, or rounded for Karras' if `rounds_karras`.
pub(super) fn solver_levels(config: &SchedulerConfig, steps: usize, smallest: SmallestSigma, rounds_karras: bool) -> Levels {
    let schedule = NoiseSchedule::for_sigmas(config);
    let training = schedule.sigmas();
    let (timesteps, mut sigmas) = match config.name.sigmas {
        None => {
            let timesteps = solver_timesteps(config, steps, config.num_train_timesteps - schedule.clipped(config.lambda_min_clipped));
            let sigmas: Vec<f64> = timesteps.iter().map(|&t| interp(t, &training)).collect();
            (timesteps, sigmas)
        }
        Some(spread) => {
            let end = |sigma: Option<&f32>| sigma.copied().map_or(0.0, f64::from);
            let (first, last) = (end(training.first()), end(training.last()));
            let sigmas = spread_sigmas(spread, config.sigma_min.unwrap_or(first), config.sigma_max.unwrap_or(last), steps);
            let log_sigmas = log(&training);
            let round = rounds_karras && spread == SigmaSchedule::Karras;
            let whole = |t: f64| if round { t.round_ties_even() } else { t.trunc() };
            (sigmas.iter().map(|&sigma| whole(sigma_to_t(sigma, &log_sigmas))).collect(), sigmas)
        }
    };
    sigmas.push(match (config.final_sigma, smallest, config.name.sigmas) {
        (FinalSigma::Zero, _, _) => 0.0,
        (FinalSigma::SigmaMin, SmallestSigma::Repeated, Some(_)) => sigmas.last().copied().unwrap_or(0.0),
        (FinalSigma::SigmaMin, _, _) => f64::from(schedule.sigma_min()),
    });
    Levels { timesteps, sigmas: sigmas.into_iter().map(|sigma| sigma as f32).collect() }
}

fn log(sigmas: &[f32]) -> Vec<f32> {
    sigmas.iter().map(|&sigma| ln_f32(sigma)).collect()
}

/// `count` sigmas from the largest to the smallest.
fn spread_sigmas(schedule: SigmaSchedule, min: f64, max: f64, count: usize) -> Vec<f64> {
    match schedule {
        SigmaSchedule::Karras => {
            const RHO: f64 = 7.0;
            let (min, max) = (min.powf(1.0 / RHO), max.powf(1.0 / RHO));
            linspace(0.0, 1.0, count).into_iter().map(|ramp| (max + ramp * (min - max)).powf(RHO)).collect()
        }
        SigmaSchedule::Exponential => linspace(max.ln(), min.ln(), count).into_iter().map(f64::exp).collect(),
        SigmaSchedule::Beta => linspace(0.0, 1.0, count).into_iter().map(|ramp| min + beta_quantile(1.0 - ramp) * (max - min)).collect(),
    }
}

/// The fractional training timestep with the noise level `sigma`; interpolated linearly in the logarithm.
fn sigma_to_t(sigma: f64, log_sigmas: &[f32]) -> f64 {
    let log_sigma = sigma.max(1e-10).ln();
    let below = log_sigmas.iter().rposition(|&low| log_sigma - f64::from(low) >= 0.0).unwrap_or(0);
    let below = below.min(log_sigmas.len().saturating_sub(2));
    let (Some(&low), Some(&high)) = (log_sigmas.get(below), log_sigmas.get(below + 1)) else { return 0.0 };
    let weight = ((f64::from(low) - log_sigma) / f64::from(low - high)).clamp(0.0, 1.0);
    (1.0 - weight) * below as f64 + weight * (below + 1) as f64
}
