//! Every tolerance of this crate's goldens, each with its reason. All are relative to the expected tensor's norm unless they say otherwise.

/// A scheduler's latents at any step of a run: some hundred f32 roundings lie between the two, and diffusers' coefficients are f32.
pub(crate) const SCHEDULER_STEP: f64 = 1e-5;

/// Models against diffusers in f32: both are off by some 1e-6 against f64 (the golden script prints it), for sums run in another order.
pub(crate) const MODELS: f64 = 1e-5;

/// Models in half precision, decibels: how much less than diffusers' own bf16 ours may be worth against diffusers in f32. What a random
/// model loses scatters by some tenths with the order of the sums.
pub(crate) const BF16_BELOW_DB: f64 = 1.0;

/// A fast execution of an op against the portable one in f32: sums of some thousand products in another order.
pub(crate) const OPS: f64 = 2e-6;

/// The portable norms, of numbers whose mean is seven times their deviation: candle sums some thousand numbers one after the other.
pub(crate) const NORMS_PORTABLE: f64 = 1e-5;

/// A fast execution against the portable one in bf16, where the portable execution rounds between an op's parts and the fast one does not.
pub(crate) const OPS_BF16: f64 = 6e-3;

/// Whole pictures and videos against diffusers' own pipelines in f32, at least, in decibels: diffusers in f32 stands at 90 dB against itself in f64,
/// and one byte in fifteen off by one is 60 dB.
pub(crate) const PICTURE_PSNR: f64 = 60.0;

/// Small pictures of a few steps, and the final latents of them, against diffusers' in f32, at least, in decibels: what counts as the same
/// picture; one byte in 250 off by one.
pub(crate) const EQUAL_PICTURES: f64 = 72.0;

/// A continuous timestep (a quarter of a logarithm, below 2 in size), absolute: one f32 rounding.
pub(crate) const CONTINUOUS_TIMESTEP: f64 = 1.2e-7;

/// The embedded model's shape pictures whose figure and ground both have the prompt's colour, and those of the right shape: the ratios
/// of its evaluation over 200 pictures.
pub(crate) const NANO_SD_COLOURS: f64 = 0.9;
pub(crate) const NANO_SD_KINDS: f64 = 0.85;

/// The embedded model's pictures in bf16 against f32, at least, in decibels.
pub(crate) const NANO_SD_BF16_DB: f64 = 36.0;

/// A captioner's pixels against transformers' image processor, absolute, for values of up to 2.7 in size: two f32 roundings.
pub(crate) const BLIP_PIXELS: f32 = 5e-7;
