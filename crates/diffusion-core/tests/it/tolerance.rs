//! Every tolerance of this crate's goldens, with its reason. All are relative to the expected tensor's norm unless stated otherwise.

/// A scheduler's latents at any step of a run: some hundred f32 roundings lie between the two, and diffusers' coefficients are f32.
pub(crate) const SCHEDULER_STEP: f64 = 1e-5;

/// Models against diffusers in f32: both differ by some 1e-6 from f64 (the golden script prints it), because sums are in a different order.
pub(crate) const MODELS: f64 = 1e-5;

/// Models in half precision, in decibels: how far below diffusers' own bf16 ours may be, both against diffusers in f32. The loss of a
/// random model varies by some tenths with the order of the sums.
pub(crate) const BF16_BELOW_DB: f64 = 1.0;

/// The same for upscalers, against spandrel's own bf16. The largest loss at any level is 1.4 dB, in random models of 1
/// and 2 blocks; at the published model's 23 blocks and 128x128 pixels, ours was 0.7 dB nearer to f32 than spandrel's
/// (benches/results/two-core-xeon.md).
pub(crate) const UPSCALERS_BF16_BELOW_DB: f64 = 1.75;

/// A fast execution of an op against the portable one in f32: sums of some thousand products in a different order.
pub(crate) const OPS: f64 = 2e-6;

/// The portable norms, for numbers whose mean is seven times their deviation: candle sums some thousand numbers sequentially.
pub(crate) const NORMS_PORTABLE: f64 = 1e-5;

/// A fast execution against the portable one in bf16, which rounds between an op's parts, unlike the fast one.
pub(crate) const OPS_BF16: f64 = 6e-3;

/// Minimum PSNR of whole images and videos against diffusers' pipelines in f32, in decibels: diffusers in f32 has 90 dB against itself in
/// f64, and one byte in fifteen off by one is 60 dB.
pub(crate) const IMAGE_PSNR: f64 = 60.0;

/// Minimum for small images of a few steps, and for their final latents, against diffusers in f32, in decibels, to count as the same image;
/// one byte in 250 off by one.
pub(crate) const EQUAL_IMAGES: f64 = 72.0;

/// A continuous timestep (a quarter of a logarithm, below 2 in magnitude), absolute: one f32 rounding.
pub(crate) const CONTINUOUS_TIMESTEP: f64 = 1.2e-7;

/// Minimum shares of the embedded model's shape images whose figure and background both have the prompt's colour, and of those with the
/// right shape: the ratios of its evaluation over 200 images.
pub(crate) const NANO_SD_COLOURS: f64 = 0.9;
pub(crate) const NANO_SD_KINDS: f64 = 0.85;

/// Minimum PSNR of the embedded model's images in bf16 against f32, in decibels.
pub(crate) const NANO_SD_BF16_DB: f64 = 36.0;

/// A captioner's pixels against transformers' image processor, absolute, for values up to 2.7 in magnitude: two f32 roundings.
pub(crate) const BLIP_PIXELS: f32 = 5e-7;
