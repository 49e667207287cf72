//! The memory that a pipeline call needs, computed in advance from the models' configurations.
//!
//! This module must not depend on requests or on the available memory. Invariant: plain values only, so that request validation does not
//! need the thread that owns the device. Counted are weights as stored in memory, and activations as in the models' plans; both are checked
//! against the measured peaks of runs in `generation`'s memory module, which adds the rest of the process.

use std::{
    ops::ControlFlow,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use candle_core::{DType, Device};

use super::{StableDiffusion, StableVideoDiffusion, decode_split::DecodeSplit, image::VaeConfigs, image_to_video::MOST_ELEMENTS, scenes};
use crate::{
    Result,
    models::{AutoencoderKlTemporalDecoderConfig, Tiling, UNet2dConfig, UNetSpatioTemporalConfig},
    ops::memory::{self, weight_bytes, working_bytes},
    policy::ExecutionPolicy,
    weights::{Component, ComponentWeights, ModelFamily, TensorShape, VaeChoice, WatchedTensors, WeightSource},
};

/// Bytes per pixel for an image's conversion from and to tensors: planes in f32, copied between layouts, and bytes.
const PIXEL_BYTES: u64 = 64;

/// The CPU allocator's fragmentation, as the divisor of the allocated memory, and its maximum in bytes: the layers of a decode grow, so
/// blocks freed by earlier layers are too small for later ones. Measured in both precisions: 45 percent for an image with tiny-sd's shape,
/// 7 percent for svd's, whose frames are large compared to everything else.
const IMAGE_GAPS: u64 = 2;
const VIDEO_GAPS: u64 = 8;
const MOST_GAPS: u64 = 1 << 30;

/// The parts of a policy that affect memory. It holds no device, because a device belongs to its thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    on_cpu: bool,
    unet: DType,
    vae: DType,
}

impl Place {
    fn of(policy: &ExecutionPolicy) -> Self {
        Self { on_cpu: policy.device.is_cpu(), unet: policy.unet, vae: policy.vae }
    }

    /// Adds the allocator's fragmentation, `held / part`.
    fn with_gaps(self, held: u64, part: u64) -> u64 {
        if self.on_cpu { held.saturating_add((held / part).min(MOST_GAPS)) } else { held }
    }
}

/// The memory needs of an image model.
#[derive(Clone, Debug, PartialEq)]
pub struct ImageMemory {
    unet: UNet2dConfig,
    vaes: VaeConfigs,
    place: Place,
    weights: u64,
    controlnet: LargestControlNet,
}

impl ImageMemory {
    /// Reads the configurations and the tensors' shapes; no tensor. A source that generates its tensors does not know their shapes, so its
    /// weights count as 0 bytes.
    ///
    /// # Errors
    /// As [`StableDiffusion::load`], for configurations.
    pub fn of(source: &dyn WeightSource, policy: &ExecutionPolicy) -> Result<Self> {
        let unet = UNet2dConfig::from_json(&source.config(Component::Unet)?)?;
        let family = ModelFamily::of_images(source)?;
        let vaes = VaeConfigs::read(source, family)?;
        let upcast = vaes.upcast(policy);
        let mut weights = stored_weights(source, family.weighted_components(), &upcast)?.saturating_sub(compact_saving(&unet, policy));
        if vaes.tiny.is_some() {
            weights = weights.saturating_add(stored_weights(source, &[Component::TinyVae], policy)?);
        }
        let controlnet = LargestControlNet::of(source, &unet, policy)?;
        Ok(Self { unet, vaes, place: Place::of(&upcast), weights, controlnet })
    }

    /// The size of a ControlNet's weights, in bytes, if it is as large as the model allows: a copy of the noise predictor's first half.
    pub fn controlnet_weights(&self) -> u64 {
        self.controlnet.weights
    }

    /// The size of its file in f32, in bytes: a net's file is read as a whole and held while the net is loaded.
    pub fn controlnet_file(&self) -> u64 {
        self.controlnet.file
    }

    /// The size of the loaded weights, in bytes.
    pub fn weights(&self) -> u64 {
        self.weights
    }

    /// The peak memory for an image in addition to the weights, in bytes.
    pub fn working(&self, call: ImageCall) -> u64 {
        let ImageCall { size, guided, encodes, between, vae, controls } = call;
        let vae = self.vaes.chosen(vae);
        let factor = vae.factor().max(1);
        let latents = (size.1 as usize / factor, size.0 as usize / factor);
        let texts = if guided && self.unet.time_cond_proj_dim.is_none() { 2 } else { 1 };
        let unet = self.unet.planned(texts, latents.0, latents.1);
        // Residuals for the skips, and their sums; each control image's embedding. A net's own run takes less than the noise predictor's.
        let first = self.unet.levels.first().map_or(0, |level| level.channels);
        let embeddings = [first, latents.0, latents.1, controls].into_iter().fold(1, usize::saturating_mul);
        let residuals = if controls > 0 { unet.skip_elements.saturating_mul(2).saturating_add(embeddings) } else { 0 };
        let peak = unet.peak_elements.saturating_add(residuals);
        let steps = working_bytes(peak, unet.largest_elements, self.place.unet, self.place.on_cpu);
        // A device reports when memory runs out, and the decode is then split down to one at a time.
        let together = if between && self.place.on_cpu { scenes::decoded_together(size) } else { 1 };
        let tile = tile(size, self.place.on_cpu);
        let decode = vae.planned_decode(together, tile.0 / factor, tile.1 / factor);
        let mut coding = working_bytes(decode.peak_elements, decode.largest_elements, self.place.vae, self.place.on_cpu);
        if encodes {
            // An encode is not retried in smaller parts.
            let whole = own_tile(size);
            let encode = vae.planned_encode(1, whole.0, whole.1);
            coding = coding.max(working_bytes(encode.peak_elements, encode.largest_elements, self.place.vae, self.place.on_cpu));
        }
        let pixels = u64::from(size.0).saturating_mul(u64::from(size.1)).saturating_mul(together as u64);
        self.place.with_gaps(steps.max(coding), IMAGE_GAPS).saturating_add(pixels.saturating_mul(PIXEL_BYTES))
    }
}

/// The properties of an image call that affect its memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImageCall {
    /// (width, height) in pixels.
    pub size: (u32, u32),
    /// Whether its guidance scale is above 1, which needs two texts.
    pub guided: bool,
    /// Whether it starts from a given image.
    pub encodes: bool,
    /// Whether it is an intermediate image between two scenes, several of which are decoded together.
    pub between: bool,
    /// The autoencoder.
    pub vae: VaeChoice,
    /// The number of its ControlNets.
    pub controls: usize,
}

/// The memory needs of an image-to-video model.
#[derive(Clone, Debug, PartialEq)]
pub struct MotionMemory {
    unet: UNetSpatioTemporalConfig,
    vae: AutoencoderKlTemporalDecoderConfig,
    place: Place,
    weights: u64,
}

/// The properties of an image-to-video run that affect its memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MotionCall {
    /// (width, height) of the frames in pixels.
    pub size: (u32, u32),
    /// Frames.
    pub frames: usize,
    /// Frames decoded together.
    pub decoded_together: usize,
    /// Whether there is guidance, which doubles the batch.
    pub guided: bool,
}

impl MotionMemory {
    /// Reads the configurations and the tensors' shapes; no tensor. A source that generates its tensors does not know their shapes, so its
    /// weights count as 0 bytes.
    ///
    /// # Errors
    /// As [`StableVideoDiffusion::load`], for configurations.
    pub fn of(source: &dyn WeightSource, policy: &ExecutionPolicy) -> Result<Self> {
        let unet = UNetSpatioTemporalConfig::from_json(&source.config(Component::Unet)?)?;
        let vae = AutoencoderKlTemporalDecoderConfig::from_json(&source.config(Component::Vae)?)?;
        let weights = stored_weights(source, ModelFamily::StableVideoDiffusion.weighted_components(), policy)?;
        Ok(Self { unet, vae, place: Place::of(policy), weights })
    }

    /// The size of the weights after loading, in bytes.
    pub fn weights(&self) -> u64 {
        self.weights
    }

    /// See [`StableVideoDiffusion::default_size`].
    pub fn default_size(&self) -> (u32, u32) {
        super::image_to_video::default_size(&self.unet, self.vae.factor())
    }

    /// See [`StableVideoDiffusion::size_for`].
    pub fn size_for(&self, aspect: (u32, u32), longer: Option<u32>, num_frames: Option<usize>) -> (u32, u32) {
        super::image_to_video::size_for(&self.unet, self.vae.factor(), aspect, longer, num_frames)
    }

    /// See [`StableVideoDiffusion::default_num_frames`].
    pub fn default_num_frames(&self) -> usize {
        self.unet.num_frames
    }

    /// The maximum number of frames of (width, height) pixels to decode together, so that every device can index every tensor's elements.
    pub fn most_decoded_together(&self, size: (u32, u32)) -> usize {
        let factor = self.vae.factor().max(1);
        let tile = own_tile(size);
        let of_one = self.vae.planned_decode(1, tile.0 / factor, tile.1 / factor).largest_elements.max(1);
        ((MOST_ELEMENTS - 1) / of_one).max(1)
    }

    /// The peak memory for a run in addition to the weights, in bytes.
    pub fn working(&self, call: MotionCall) -> u64 {
        let (MotionCall { size, frames, decoded_together, guided }, factor) = (call, self.vae.factor().max(1));
        let latents = (size.1 as usize / factor, size.0 as usize / factor);
        let on_cpu = self.place.on_cpu;
        let unet = self.unet.planned(if guided { 2 } else { 1 }, frames, latents.0, latents.1);
        let steps = working_bytes(unet.peak_elements, unet.largest_elements, self.place.unet, on_cpu);
        // A device reports when memory runs out, and the decode is then split down to one at a time.
        let together = if on_cpu { decoded_together.clamp(1, frames.max(1)) } else { 1 };
        let tile = tile(size, on_cpu);
        let decode = self.vae.planned_decode(together, tile.0 / factor, tile.1 / factor);
        let decode = working_bytes(decode.peak_elements, decode.largest_elements, self.place.vae, on_cpu);
        let whole = own_tile(size);
        let encode = self.vae.planned_encode(1, whole.0, whole.1);
        let dtype = if self.place.vae == DType::F16 && self.vae.force_upcast { DType::F32 } else { self.place.vae };
        let encode = working_bytes(encode.peak_elements, encode.largest_elements, dtype, on_cpu);
        let pixels = u64::from(size.0).saturating_mul(u64::from(size.1)).saturating_mul(together as u64);
        self.place.with_gaps(steps.max(decode).max(encode), VIDEO_GAPS).saturating_add(pixels.saturating_mul(PIXEL_BYTES))
    }
}

impl StableDiffusion {
    /// The memory needs of the loaded model and of its calls.
    pub fn memory(&self) -> ImageMemory {
        ImageMemory {
            unet: self.unet.config().clone(),
            vaes: self.vaes.configs(),
            place: Place::of(&self.policy),
            weights: self.weight_bytes,
            controlnet: self.controlnet,
        }
    }
}

impl StableVideoDiffusion {
    /// The memory needs of the loaded model and of its runs.
    pub fn memory(&self) -> MotionMemory {
        MotionMemory {
            unet: self.unet.config().clone(),
            vae: self.vae.config().clone(),
            place: Place::of(&self.policy),
            weights: self.weight_bytes,
        }
    }
}

/// What kernels that the noise predictor keeps compact take less than other weights of their shapes.
pub(super) fn compact_saving(unet: &UNet2dConfig, policy: &ExecutionPolicy) -> u64 {
    memory::compact_saving(unet.compact_elements().1, policy.unet, policy.device.is_cpu())
}

/// The memory that a source's tensors need after loading.
fn stored_weights(source: &dyn WeightSource, components: &[Component], policy: &ExecutionPolicy) -> Result<u64> {
    let mut weights = 0_u64;
    for component in components {
        let own = [(Component::Unet, policy.unet), (Component::Vae, policy.vae), (Component::TinyVae, policy.vae)];
        let dtype = own.into_iter().find(|(part, _)| part == component).map_or(policy.text_encoder, |(_, dtype)| dtype);
        let tensors = source.tensors(*component)?;
        for name in tensors.names() {
            let unused =
                *component == Component::Vae && !policy.encodes && ["encoder.", "quant_conv."].iter().any(|part| name.starts_with(part));
            if let Some(TensorShape::Known(shape)) = tensors.shape(&name).filter(|_| !unused) {
                weights = weights.saturating_add(weight_bytes(&shape, dtype, policy.device.is_cpu()));
            }
        }
    }
    Ok(weights)
}

/// The largest ControlNet that fits a noise predictor: its first half's tensors, and a convolution for each of its skips. The embedding of
/// the control image is small beside them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct LargestControlNet {
    /// The size of its weights in memory, in bytes.
    weights: u64,
    /// The size of its file in f32, in bytes.
    file: u64,
}

impl LargestControlNet {
    /// Reads the shapes of the noise predictor's tensors; zeros for a source that generates them.
    pub(super) fn of(source: &dyn WeightSource, unet: &UNet2dConfig, policy: &ExecutionPolicy) -> Result<Self> {
        const COPIED: [&str; 5] = ["conv_in.", "time_embedding.", "add_embedding.", "down_blocks.", "mid_block."];
        let tensors = source.tensors(Component::Unet)?;
        let names = tensors.names().into_iter().filter(|name| COPIED.iter().any(|start| name.starts_with(start)));
        let shape = |name: String| if let Some(TensorShape::Known(shape)) = tensors.shape(&name) { Some(shape) } else { None };
        let mut net = names.filter_map(shape).fold(Self::default(), |net, shape| net.with(&shape, policy));
        if net.weights > 0 {
            for channels in unet.residual_channels() {
                net = net.with(&[channels, channels, 1, 1], policy);
            }
        }
        let saved = memory::compact_saving(unet.compact_elements().0, policy.unet, policy.device.is_cpu());
        Ok(Self { weights: net.weights.saturating_sub(saved), ..net })
    }

    fn with(self, shape: &[usize], policy: &ExecutionPolicy) -> Self {
        let weights = weight_bytes(shape, policy.unet, policy.device.is_cpu());
        let file = shape.iter().fold(size_of::<f32>() as u64, |bytes, side| bytes.saturating_mul(*side as u64));
        Self { weights: self.weights.saturating_add(weights), file: self.file.saturating_add(file) }
    }
}

/// The (height, width) in pixels of one encode or decode: a tile's if the models tile an image of this size by themselves.
fn own_tile((width, height): (u32, u32)) -> (usize, usize) {
    let (width, height) = (width as usize, height as usize);
    let tiling = Tiling::default();
    if width.saturating_mul(height) > tiling.above_pixels {
        (height.min(tiling.tile_sample_min_size), width.min(tiling.tile_sample_min_size))
    } else {
        (height, width)
    }
}

/// The same for a decode, which is retried in smaller tiles if a device runs out of memory.
fn tile(size: (u32, u32), on_cpu: bool) -> (usize, usize) {
    let (height, width) = own_tile(size);
    if on_cpu {
        return (height, width);
    }
    let smallest = DecodeSplit::smallest_tile();
    (height.min(smallest), width.min(smallest))
}

/// Counts the bytes of a model's weights as they are loaded.
#[derive(Clone, Debug, Default)]
pub(super) struct WeightCounter(Arc<AtomicU64>);

impl WeightCounter {
    /// A component's weights, counted as they are read.
    pub(super) fn component(
        &self,
        source: &dyn WeightSource,
        component: Component,
        dtype: DType,
        device: &Device,
    ) -> Result<ComponentWeights> {
        let (bytes, on_cpu) = (Arc::clone(&self.0), device.is_cpu());
        let counted = WatchedTensors::new(source.tensors(component)?, move |shape| {
            bytes.fetch_add(weight_bytes(shape, dtype, on_cpu), Ordering::Relaxed);
            ControlFlow::Continue(())
        });
        Ok(ComponentWeights::new(Arc::new(counted), component, dtype, device))
    }

    /// The size in memory of the weights read so far.
    pub(super) fn bytes(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::{
        pipelines::{nano_sd, nano_svd},
        weights::RandomWeights,
    };

    #[test]
    fn a_model_that_is_not_loaded_weighs_what_it_will() {
        for dtype in [DType::F32, DType::BF16] {
            let policy = ExecutionPolicy { unet: dtype, vae: dtype, text_encoder: dtype, ..ExecutionPolicy::cpu_f32() };
            let (before, loaded) =
                (MotionMemory::of(&nano_svd(), &policy).unwrap(), StableVideoDiffusion::load(&nano_svd(), &policy).unwrap());
            let after = loaded.memory();
            assert_eq!((before.default_size(), before.default_num_frames()), (loaded.default_size(), loaded.default_num_frames()));
            // Weights that a single token of context leaves unused are not read.
            assert!(
                after.weights() <= before.weights() && after.weights() * 10 > before.weights() * 8,
                "{} of {}",
                after.weights(),
                before.weights()
            );
        }
    }

    #[test]
    fn images_take_more_the_larger_they_are_until_they_are_cut_into_tiles() {
        let memory = StableDiffusion::load(&nano_sd(), &ExecutionPolicy::cpu_f32()).unwrap().memory();
        // 7.4 million numbers, of which most are in 3x3 kernels, that may be kept as 36 points each.
        assert!((29_000_000..4 * 29_600_000).contains(&memory.weights()), "{}", memory.weights());
        let call =
            |side: u32| ImageCall { size: (side, side), guided: true, encodes: false, between: false, vae: VaeChoice::Full, controls: 0 };
        let of = |side: u32| memory.working(call(side));
        assert!(of(64) < of(128) && of(128) < of(512) && of(512) < of(1024));
        assert!(of(1032) < of(1024) && of(1032) > of(512));
        assert!(memory.working(ImageCall { encodes: true, ..call(512) }) >= of(512));
        // The decode of so small a model hides a few.
        assert!(memory.working(ImageCall { controls: 1, ..call(64) }) >= of(64));
        assert!(memory.working(ImageCall { controls: 100_000, ..call(64) }) > 2 * of(64));
        // A first half is less than the whole.
        assert!((memory.weights() / 10..memory.weights() / 2).contains(&memory.controlnet_weights()), "{}", memory.controlnet_weights());
        // Sixteen are decoded together.
        assert!(memory.working(ImageCall { between: true, ..call(128) }) > 8 * (of(128) - of(64)));
        assert_eq!(memory.working(ImageCall { between: true, ..call(512) }), of(512));
    }

    #[test]
    fn stable_video_diffusion_at_its_own_size_takes_what_its_plans_say() {
        let memory = MotionMemory::of(&RandomWeights::new("svd", 0).unwrap(), &ExecutionPolicy::cpu_f32()).unwrap();
        assert_eq!((memory.default_size(), memory.default_num_frames(), memory.weights()), ((1024, 576), 14, 0));
        let call = MotionCall { size: (1024, 576), frames: 14, decoded_together: 14, guided: true };
        let pixels = 14 * 1024 * 576;
        assert_eq!(memory.working(call), 4 * pixels * (256 + 4 * 128) + (1 << 30) + 64 * pixels);
        assert_eq!(memory.most_decoded_together((1024, 576)), 14);
        let one = memory.working(MotionCall { decoded_together: 1, ..call });
        assert!(one < memory.working(call) / 2, "{one}");
    }

    /// The growth of a run's peak from one size to another, in MiB: `ru_maxrss` of `framewright bench --random-weights` on two cores (an
    /// EPYC with AVX-512 and its bfloat16); in the difference, weights and everything else constant cancel out.
    #[test]
    fn larger_calls_take_as_much_more_as_runs_did() {
        const MIB: f64 = (1 << 20) as f64;
        let policy = |dtype| ExecutionPolicy { unet: dtype, vae: dtype, text_encoder: dtype, ..ExecutionPolicy::cpu_f32() };
        for (dtype, side, measured) in
            [(DType::F32, 512, 697.0), (DType::F32, 768, 1851.0), (DType::BF16, 512, 369.1), (DType::BF16, 768, 919.8)]
        {
            let memory = ImageMemory::of(&RandomWeights::new("tiny-sd", 0).unwrap(), &policy(dtype)).unwrap();
            let working = |side| {
                memory.working(ImageCall {
                    size: (side, side),
                    guided: true,
                    encodes: false,
                    between: false,
                    vae: VaeChoice::Full,
                    controls: 0,
                }) as f64
            };
            let ratio = (working(side) - working(256)) / MIB / measured;
            assert!((1.0..1.15).contains(&ratio), "tiny-sd, {dtype:?}, {side}: {ratio}");
        }
        let memory = MotionMemory::of(&RandomWeights::new("svd", 0).unwrap(), &policy(DType::BF16)).unwrap();
        let working = |frames| memory.working(MotionCall { size: (512, 512), frames, decoded_together: frames, guided: true }) as f64;
        let ratio = (working(6) - working(2)) / MIB / 1716.7;
        assert!((1.0..1.15).contains(&ratio), "svd: {ratio}");
    }
}
