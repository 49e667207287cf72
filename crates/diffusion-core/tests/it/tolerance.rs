//! Every tolerance of this crate's goldens, each with its reason. All are relative to the expected tensor's norm unless they say otherwise.

/// Noise against torch, largest absolute difference: the block path agrees to the last bit where torch runs its AVX2 form; a processor or
/// build without it rounds the logarithm and sine of numbers up to 6 in another way.
pub(crate) const NOISE_ABSOLUTE: f32 = 4e-6;

/// A scheduler's latents at any step of a run: some hundred f32 roundings lie between the two, and diffusers' coefficients are f32.
pub(crate) const SCHEDULER_STEP: f64 = 1e-5;
