//! Convolution on the CPU: rows of pixels are gathered into a matrix, widened on the way, and multiplied; in tiles.
//!
//! Two ways to share the work. With small weights and many pixels each thread takes tiles of its own, small enough to stay in its
//! cache. With large weights and few pixels (the depths of a UNet) one large tile is gathered and multiplied by all threads, so that
//! the weights are walked once.

use candle_core::{Device, Tensor};
use rayon::prelude::*;

use super::{
    by_dtype,
    element::{Element, Elements, vectorised},
    matmul::{Extents, Threads, View, linear, multiply, start_rows},
};
use crate::{
    Result,
    ops::{ConvExtras, Nhwc, conv2d::ConvGeometry},
};

/// Gathered rows of a tile that one thread works on.
const OWN_TILE_BYTES: usize = 1 << 20;
/// Gathered rows of a tile that all threads work on.
const SHARED_TILE_BYTES: usize = 48 << 20;
/// Weights up to this size are walked once for each small tile.
const SMALL_WEIGHT_BYTES: usize = 3 << 19;

/// See `portable::conv2d`; `weight` and `bias` in f32.
pub(in crate::ops) fn conv2d(
    x: &Nhwc,
    weight: &Tensor,
    bias: Option<&Tensor>,
    geometry: ConvGeometry,
    extras: ConvExtras<'_>,
) -> Result<Nhwc> {
    let (batch, height, width, channels) = x.dims()?;
    let (out_height, out_width) = geometry.output;
    let outputs = weight.dim(1)?;
    let params = geometry.params;
    if params.kernel == 1 && params.stride == 1 && geometry.output == (height, width) && extras.per_image.is_none() {
        let rows = x.tensor().reshape(((), channels))?;
        let residual = extras.residual.map(|residual| residual.tensor().reshape(((), outputs))).transpose()?;
        return Nhwc::new(linear(&rows, weight, bias, residual.as_ref())?.reshape((batch, out_height, out_width, outputs))?);
    }
    by_dtype!(x.tensor(), conv2d_of(x, weight, bias, geometry, extras))
}

/// The picture that rows are gathered from.
struct Gather<'a, T> {
    picture: &'a [T],
    size: (usize, usize, usize),
    geometry: ConvGeometry,
}

impl<T: Element> Gather<'_, T> {
    /// Fills `target` with the rows from `first` on: for each output pixel its taps in the order ky, kx, channel.
    #[inline(always)]
    fn rows(&self, first: usize, target: &mut [f32]) {
        let (height, width, channels) = self.size;
        let (kernel, stride, pad) = (self.geometry.params.kernel, self.geometry.params.stride, self.geometry.params.pad_before);
        let (out_height, out_width) = self.geometry.output;
        let (tall, wide) = self.geometry.enlarged;
        let enlarged = (tall, wide) != (height, width);
        for (row, taps) in target.chunks_mut(kernel * kernel * channels).enumerate() {
            let pixel = first + row;
            let (image, y, x) = (pixel / (out_height * out_width), pixel / out_width % out_height, pixel % out_width);
            for (ky, taps) in taps.chunks_mut(kernel * channels).enumerate() {
                let Some(source_y) = (y * stride + ky).checked_sub(pad).filter(|y| *y < tall) else {
                    taps.fill(0.0);
                    continue;
                };
                let line = (image * height + source_y * height / tall) * width;
                let start_x = x * stride;
                // Away from the edges the taps of a kernel row lie side by side.
                if !enlarged && start_x >= pad && start_x - pad + kernel <= width {
                    let at = (line + start_x - pad) * channels;
                    T::widen_into(self.picture.get(at..).unwrap_or_default(), taps);
                    continue;
                }
                for (kx, tap) in taps.chunks_mut(channels).enumerate() {
                    match (start_x + kx).checked_sub(pad).filter(|x| *x < wide) {
                        Some(source_x) => {
                            let at = (line + source_x * width / wide) * channels;
                            T::widen_into(self.picture.get(at..).unwrap_or_default(), tap);
                        }
                        None => tap.fill(0.0),
                    }
                }
            }
        }
    }
}

fn conv2d_of<T: Element>(x: &Nhwc, weight: &Tensor, bias: Option<&Tensor>, geometry: ConvGeometry, extras: ConvExtras<'_>) -> Result<Nhwc> {
    let (batch, height, width, channels) = x.dims()?;
    let (inner, columns) = weight.dims2()?;
    let (out_height, out_width) = geometry.output;
    let pixels = out_height * out_width;
    let rows = batch * pixels;
    let (picture, weight) = (Elements::of(x.tensor())?, Elements::of(weight)?);
    let gather = Gather { picture: picture.slice::<T>()?, size: (height, width, channels), geometry };
    let right = View { data: weight.slice()?, row_stride: columns, column_stride: 1 };
    let biases = image_biases(bias, extras.per_image, batch, columns)?;
    let residual_lock = extras.residual.map(|residual| Elements::of(residual.tensor())).transpose()?;
    let residual = residual_lock.as_ref().map(|lock| lock.slice::<T>()).transpose()?;
    // The bias of the image that a row belongs to; a tile may span images.
    let start = |target: &mut [f32], first: usize| {
        let mut row = first;
        let mut rest = target;
        while !rest.is_empty() {
            let image = row / pixels.max(1);
            let here = ((image + 1) * pixels - row).min(rest.len() / columns);
            let (now, later) = rest.split_at_mut(here * columns);
            start_rows(now, columns, row, biases.get(image * columns..(image + 1) * columns), residual);
            rest = later;
            row += here;
        }
    };
    let mut y = vec![T::narrow(0.0); rows * columns];
    let own = inner * columns * 4 <= SMALL_WEIGHT_BYTES;
    let tile_bytes = if own { OWN_TILE_BYTES } else { SHARED_TILE_BYTES };
    let tile = (tile_bytes / 4 / inner.max(columns).max(1)).max(1);
    let one_tile = |first: usize, y: &mut [T], gathered: &mut Vec<f32>, wide: &mut Vec<f32>| -> Result<()> {
        let rows = y.len() / columns.max(1);
        gathered.resize(rows * inner, 0.0);
        let threads = if own { Threads::One } else { Threads::All };
        let strip = (1 << 14) / inner.max(1) + 1;
        match threads {
            Threads::One => vectorised(
                #[inline(always)]
                || gather.rows(first, gathered),
            ),
            Threads::All => {
                gathered.par_chunks_mut(strip * inner).enumerate().for_each(|(i, rows)| {
                    vectorised(
                        #[inline(always)]
                        || gather.rows(first + i * strip, rows),
                    )
                });
            }
        }
        let left = View { data: gathered, row_stride: inner, column_stride: 1 };
        let product = |target: &mut [f32]| {
            start(target, first);
            multiply(target, columns, true, left, right, Extents { rows, inner, columns }, threads)
        };
        if let Some(target) = T::as_f32_mut(y) {
            return product(target);
        }
        wide.resize(rows * columns, 0.0);
        product(wide)?;
        vectorised(
            #[inline(always)]
            || T::narrow_into(wide, y),
        );
        Ok(())
    };
    let tile_len = (tile * columns).max(1);
    if own {
        y.par_chunks_mut(tile_len)
            .enumerate()
            .try_for_each_init(|| (Vec::new(), Vec::new()), |(gathered, wide), (index, y)| one_tile(index * tile, y, gathered, wide))?;
    } else {
        let (mut gathered, mut wide) = (Vec::new(), Vec::new());
        for (index, y) in y.chunks_mut(tile_len).enumerate() {
            one_tile(index * tile, y, &mut gathered, &mut wide)?;
        }
    }
    Nhwc::new(Tensor::from_vec(y, (batch, out_height, out_width, columns), &Device::Cpu)?)
}

/// The bias of each image, [batch, columns].
fn image_biases(bias: Option<&Tensor>, per_image: Option<&Tensor>, batch: usize, columns: usize) -> Result<Vec<f32>> {
    let shared = match bias {
        Some(bias) => Elements::of(bias)?.slice::<f32>()?.to_vec(),
        None => vec![0.0; columns],
    };
    let mut biases = match per_image {
        Some(per_image) => per_image.to_dtype(candle_core::DType::F32)?.flatten_all()?.to_vec1::<f32>()?,
        None => vec![0.0; batch * columns],
    };
    for image in biases.chunks_mut(columns.max(1)) {
        for (value, bias) in image.iter_mut().zip(&shared) {
            *value += bias;
        }
    }
    Ok(biases)
}
