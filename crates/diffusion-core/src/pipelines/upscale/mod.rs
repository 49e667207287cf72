//! Upscaling: enlarges an image with an [`UpscalerModel`], in tiles where it is large, and resamples the result to the size that is wanted.
//!
//! This module must not know where images come from. Invariants: memory is bounded by [`Tiles`], whatever the image's size; the result of a
//! call does not depend on threads; transparency is kept.

mod tiles;

use std::ops::ControlFlow;

use candle_core::{DType, Device, Tensor};
use image::{GrayImage, RgbImage, RgbaImage};

pub use self::tiles::Tiles;
use self::tiles::{Span, TAIL_PIXELS};
use crate::{
    Error, Result,
    imaging::resized,
    models::{TAIL_REACH, UpscalerModel, body_numbers, tail_numbers, weight_bytes},
    ops::{Nhwc, memory},
    policy::ExecutionPolicy,
    weights::{Component, ComponentWeights, UpscalerConfig, UpscalerFile},
};

/// As often an image is enlarged at most, when the factor that is wanted is larger than the network's own.
pub const MOST_PASSES: usize = 3;

/// How far a call is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UpscaleProgress {
    /// Finished blocks of the network, over all tiles.
    pub done: usize,
    /// All of them.
    pub total: usize,
    /// Finished tiles.
    pub tiles_done: usize,
    /// All of them.
    pub tiles: usize,
}

/// Called after each block of a tile; it can stop the call.
pub type Watch<'a> = &'a mut dyn FnMut(UpscaleProgress) -> ControlFlow<()>;

/// A loaded upscaler.
#[derive(Debug)]
pub struct Upscaler {
    model: UpscalerModel,
    tiles: Tiles,
}

impl Upscaler {
    /// Reads the weights, in the precision that the policy has for noise predictors.
    ///
    /// # Errors
    /// [`Error::Weights`] if a tensor is missing or mis-shaped.
    pub fn load(file: &UpscalerFile, policy: &ExecutionPolicy) -> Result<Self> {
        let weights = ComponentWeights::new(file.tensors(), Component::Upscaler, policy.unet, &policy.device);
        Ok(Self { model: UpscalerModel::load(file.config(), &weights)?, tiles: Tiles::default() })
    }

    /// The same with other tiles.
    #[must_use]
    pub fn with_tiles(self, tiles: Tiles) -> Self {
        Self { tiles, ..self }
    }

    /// The architecture.
    pub fn config(&self) -> &UpscalerConfig {
        self.model.config()
    }

    /// Enlarges an image to exactly this (width, height), as AUTOMATIC1111 does: with the network, again while the result is smaller than
    /// that (at most [`MOST_PASSES`] times), and then by resampling. Transparency is enlarged in the same way, where there is any.
    ///
    /// # Errors
    /// [`Error::Params`] for an empty image or size; [`Error::Cancelled`] if `watch` says so; [`Error::NonFinite`] if numbers overflow.
    pub fn upscale(&self, image: &RgbaImage, to: (u32, u32), watch: Watch<'_>) -> Result<RgbaImage> {
        check_size(image.dimensions())?;
        check_size(to)?;
        let colours = RgbImage::from_fn(image.width(), image.height(), |x, y| {
            let [red, green, blue, _] = image.get_pixel(x, y).0;
            image::Rgb([red, green, blue])
        });
        let is_opaque = image.pixels().all(|pixel| pixel.0[3] == u8::MAX);
        let sizes = passes(self.config(), image.dimensions(), to);
        let layers = if is_opaque { 1 } else { 2 };
        let tiles: usize = sizes.iter().map(|size| layers * self.tiles.count(&self.model, *size)).sum();
        let mut meter = Meter { watch, steps: self.model.body_steps(), done: 0, tiles_done: 0, tiles };
        let colours = self.to_size(colours, &sizes, to, &mut meter)?;
        let alpha = if is_opaque {
            GrayImage::from_pixel(to.0, to.1, image::Luma([u8::MAX]))
        } else {
            let grey = RgbImage::from_fn(image.width(), image.height(), |x, y| image::Rgb([image.get_pixel(x, y).0[3]; 3]));
            // The network sees a grey picture.
            image::imageops::grayscale(&self.to_size(grey, &sizes, to, &mut meter)?)
        };
        Ok(RgbaImage::from_fn(to.0, to.1, |x, y| {
            let [red, green, blue] = colours.get_pixel(x, y).0;
            image::Rgba([red, green, blue, alpha.get_pixel(x, y).0[0]])
        }))
    }

    fn to_size(&self, mut image: RgbImage, sizes: &[(u32, u32)], to: (u32, u32), meter: &mut Meter<'_>) -> Result<RgbImage> {
        for _ in sizes {
            image = self.pass(&image, meter)?;
        }
        if image.dimensions() == to { Ok(image) } else { resized(&image, to.0, to.1) }
    }

    /// Enlarges an image by the network's own factor.
    ///
    /// # Errors
    /// As [`Self::upscale`].
    pub fn enlarge(&self, image: &RgbImage, watch: Watch<'_>) -> Result<RgbImage> {
        check_size(image.dimensions())?;
        let tiles = self.tiles.count(&self.model, image.dimensions());
        self.pass(image, &mut Meter { watch, steps: self.model.body_steps(), done: 0, tiles_done: 0, tiles })
    }

    fn pass(&self, image: &RgbImage, meter: &mut Meter<'_>) -> Result<RgbImage> {
        let (width, height) = (image.width() as usize, image.height() as usize);
        let numbers: Vec<f32> = image.as_raw().iter().map(|byte| f32::from(*byte) / 255.0).collect();
        let pixels = Tensor::from_vec(numbers, (1, height, width, 3), &Device::Cpu)?.permute((0, 3, 1, 2))?;
        let input = self.model.input(&pixels)?;
        let (_, down, across, _) = input.dims()?;
        let scale = self.config().scale();
        let mut result = Canvas::new(width * scale, height * scale)?;
        let (lines, columns) = (self.tiles.spans(&self.model, down), self.tiles.spans(&self.model, across));
        for line in &lines {
            for column in &columns {
                let part = cropped(&input, line.start..line.start + line.length, column.start..column.start + column.length)?;
                let features = self.model.body(&part, &mut || meter.step())?;
                self.finish(&features, &part, line, column, &mut result)?;
                meter.tile();
            }
        }
        result.image()
    }

    /// Runs the tail for a tile's own part, some lines at a time.
    fn finish(&self, features: &Nhwc, input: &Nhwc, line: &Span, column: &Span, result: &mut Canvas) -> Result<()> {
        let scale = self.model.tail_scale();
        let columns = column.own.clone();
        let (from, until) = (columns.start.saturating_sub(TAIL_REACH), (columns.end + TAIL_REACH).min(column.length));
        let strip = (TAIL_PIXELS / (scale * scale * (until - from)).max(1)).max(2 * TAIL_REACH);
        for first in line.own.clone().step_by(strip) {
            let end = line.own.end.min(first + strip);
            let (top, bottom) = (first.saturating_sub(TAIL_REACH), (end + TAIL_REACH).min(line.length));
            let tail = self.model.tail(&cropped(features, top..bottom, from..until)?, &cropped(input, top..bottom, from..until)?)?;
            let (skip_lines, skip_columns) = ((first - top) * scale, (columns.start - from) * scale);
            let own = cropped(&tail, skip_lines..skip_lines + (end - first) * scale, skip_columns..skip_columns + columns.len() * scale)?;
            result.put(&own, (line.start + first) * scale, (column.start + columns.start) * scale)?;
        }
        Ok(())
    }
}

/// The sizes of the images that the network enlarges, one after the other, to reach `to` from `from`.
pub fn passes(config: &UpscalerConfig, from: (u32, u32), to: (u32, u32)) -> Vec<(u32, u32)> {
    let scale = u32::try_from(config.scale()).unwrap_or(u32::MAX);
    let mut sizes = vec![from];
    let grown = |(width, height): (u32, u32)| (width.saturating_mul(scale), height.saturating_mul(scale));
    while let Some(last) =
        sizes.last().copied().map(grown).filter(|last| scale > 1 && sizes.len() < MOST_PASSES && (last.0 < to.0 || last.1 < to.1))
    {
        sizes.push(last);
    }
    sizes
}

/// The largest image that exists on the way to this size, in pixels: the last one that the network makes may be larger than what is wanted.
pub fn largest_pixels(config: &UpscalerConfig, from: (u32, u32), to: (u32, u32)) -> u64 {
    let scale = config.scale() as u64;
    let last = passes(config, from, to).last().copied().unwrap_or(from);
    let made = (u64::from(last.0) * scale).saturating_mul(u64::from(last.1) * scale);
    made.max(u64::from(to.0) * u64::from(to.1))
}

/// Bytes of a loaded upscaler's weights.
pub fn upscaler_bytes(config: &UpscalerConfig, policy: &ExecutionPolicy) -> u64 {
    weight_bytes(config, policy.unet, policy.device.is_cpu())
}

/// Bytes that a call takes besides the weights: the activations of a tile, and the images.
pub fn upscale_bytes(config: &UpscalerConfig, policy: &ExecutionPolicy, from: (u32, u32), to: (u32, u32)) -> u64 {
    let tiles = Tiles::default();
    let last = passes(config, from, to).last().copied().unwrap_or(from);
    let side = |side: u32| (side as usize).min(tiles.longest);
    let tile = side(last.0).saturating_mul(side(last.1));
    let tail = TAIL_PIXELS.min(tile.saturating_mul(config.scale().pow(2)));
    let on_cpu = policy.device.is_cpu();
    let working = |pixels: usize, numbers: usize| {
        memory::working_bytes(pixels.saturating_mul(numbers), pixels.saturating_mul(numbers / 3), policy.unet, on_cpu)
    };
    // The image in f32 twice, as bytes, and the enlarged one with and without transparency.
    let images = u64::from(last.0) * u64::from(last.1) * 32 + largest_pixels(config, from, to).saturating_mul(12);
    working(tile, body_numbers(config)).max(working(tile, 2 * body_numbers(config) / 5) + working(tail, tail_numbers(config))) + images
}

fn check_size((width, height): (u32, u32)) -> Result<()> {
    if width > 0 && height > 0 {
        return Ok(());
    }
    Err(Error::Params { field: "image", reason: format!("a picture of {width}x{height} pixels cannot be enlarged") })
}

fn cropped(image: &Nhwc, lines: std::ops::Range<usize>, columns: std::ops::Range<usize>) -> Result<Nhwc> {
    Nhwc::new(image.tensor().narrow(1, lines.start, lines.len())?.narrow(2, columns.start, columns.len())?)
}

struct Meter<'a> {
    watch: Watch<'a>,
    /// Blocks of a tile.
    steps: usize,
    done: usize,
    tiles_done: usize,
    tiles: usize,
}

impl Meter<'_> {
    fn step(&mut self) -> Result<()> {
        self.done += 1;
        let progress = UpscaleProgress { done: self.done, total: self.steps * self.tiles, tiles_done: self.tiles_done, tiles: self.tiles };
        match (self.watch)(progress) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(Error::Cancelled),
        }
    }

    fn tile(&mut self) {
        self.tiles_done += 1;
    }
}

/// The enlarged image, in bytes.
struct Canvas {
    bytes: Vec<u8>,
    width: usize,
    height: usize,
}

impl Canvas {
    fn new(width: usize, height: usize) -> Result<Self> {
        let size = width.checked_mul(height).and_then(|pixels| pixels.checked_mul(3));
        let too_large = || Error::Params { field: "image", reason: format!("a picture of {width}x{height} pixels is too large") };
        Ok(Self { bytes: vec![0; size.ok_or_else(too_large)?], width, height })
    }

    /// Rounds a part to bytes; what lies beyond the edges, of an image that was filled up, is left out.
    fn put(&mut self, part: &Nhwc, top: usize, left: usize) -> Result<()> {
        let (_, height, width, _) = part.dims()?;
        let numbers: Vec<f32> = part.tensor().to_dtype(DType::F32)?.flatten_all()?.to_vec1()?;
        if !numbers.iter().all(|number| number.is_finite()) {
            return Err(Error::NonFinite { what: "the enlarged picture".into() });
        }
        let columns = width.min(self.width.saturating_sub(left));
        for (line, numbers) in numbers.chunks_exact(3 * width.max(1)).take(height.min(self.height.saturating_sub(top))).enumerate() {
            let start = ((top + line) * self.width + left) * 3;
            let bytes = self.bytes.get_mut(start..start + 3 * columns).unwrap_or_default();
            for (byte, number) in bytes.iter_mut().zip(numbers) {
                *byte = (number.clamp(0.0, 1.0) * 255.0).round() as u8;
            }
        }
        Ok(())
    }

    fn image(self) -> Result<RgbImage> {
        let size = (self.width, self.height);
        let image = u32::try_from(size.0).ok().zip(u32::try_from(size.1).ok()).and_then(|(w, h)| RgbImage::from_raw(w, h, self.bytes));
        image.ok_or_else(|| Error::Params { field: "image", reason: format!("a picture of {}x{} pixels is too large", size.0, size.1) })
    }
}
