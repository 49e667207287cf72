//! The shapes of attention operands, and the layout of packed keys and values.

use crate::{
    elementwise::{Element, put},
    product::{COLUMN, STEP_BYTES, TILE_BYTES},
    runtime::Level,
};

/// Keys whose scores are computed together.
pub(crate) const KEYS: usize = 256;

/// The shapes of an attention's operands.
#[derive(Clone, Copy, Debug)]
pub struct AttentionShape {
    /// Number of images.
    pub images: usize,
    /// Queries of an image.
    pub queries: usize,
    /// Keys, and values, of an image.
    pub keys: usize,
    /// Heads, side by side in a token's channels.
    pub heads: usize,
    /// Channels of a head.
    pub head_dim: usize,
    /// The factor of the scores.
    pub scale: f32,
    /// Whether a query sees only keys at its own and earlier positions.
    pub causal: bool,
}

/// A head's keys and values as the products read them.
#[derive(Clone, Copy)]
pub(crate) struct Layout {
    pub(super) bf16: bool,
    /// Elements of a step.
    pub(super) step: usize,
    /// Steps of a query.
    pub(crate) query_steps: usize,
    /// Columns of keys.
    pub(crate) key_columns: usize,
    /// Columns of values.
    pub(crate) value_columns: usize,
    /// Steps of all keys, the inner dimension of the product with the values.
    pub(crate) key_steps: usize,
}

impl Layout {
    pub(super) fn of<T: Element>(level: Level, shape: &AttentionShape) -> Self {
        let bf16 = T::HALF && level.has_bf16();
        let step = STEP_BYTES / if bf16 { 2 } else { 4 };
        Self {
            bf16,
            step,
            query_steps: shape.head_dim.div_ceil(step),
            key_columns: shape.keys.div_ceil(COLUMN),
            value_columns: shape.head_dim.div_ceil(COLUMN),
            key_steps: shape.keys.div_ceil(step),
        }
    }

    /// Keys, or channels, in 32 bits.
    pub(crate) fn keys_of_unit(&self) -> usize {
        if self.bf16 { 2 } else { 1 }
    }

    /// 32-bit units of a query with `head_dim` channels.
    pub(crate) fn query_units(&self, head_dim: usize) -> usize {
        head_dim.div_ceil(self.keys_of_unit())
    }

    pub(crate) fn key_bytes(&self) -> usize {
        self.key_columns * self.query_steps * TILE_BYTES
    }

    /// Bytes from one query to the next where [`Self::copy_queries`] puts them: an odd number of cache lines, so that a tile's rows spread over
    /// the cache's sets.
    pub(super) fn query_stride(&self) -> usize {
        (self.query_steps | 1) * STEP_BYTES
    }

    /// Copies `count` queries of `head_dim` channels, `channels` elements apart, in the products' precision: whole steps, with zeros behind
    /// the last channel and in the rows from `count` to `rows`.
    ///
    /// # Safety
    /// The queries are there, and `to` has space for `rows` of them.
    #[inline]
    pub(super) unsafe fn copy_queries<T: Element>(
        &self,
        from: *const T,
        channels: usize,
        head_dim: usize,
        count: usize,
        rows: usize,
        to: *mut u8,
    ) {
        let written = head_dim * if self.bf16 { 2 } else { 4 };
        let all = self.query_steps * STEP_BYTES;
        for row in 0..rows {
            // SAFETY: guaranteed by the caller; a query is at most its steps long.
            unsafe {
                let to = to.add(row * self.query_stride());
                if row >= count {
                    to.write_bytes(0, all);
                    continue;
                }
                let from = from.add(row * channels);
                if T::HALF == self.bf16 {
                    to.copy_from_nonoverlapping(from.cast(), written);
                } else {
                    (0..head_dim).for_each(|channel| put(self.bf16, to, channel, *from.add(channel)));
                }
                to.add(written).write_bytes(0, all - written);
            }
        }
    }

    pub(super) fn head_bytes(&self) -> usize {
        self.key_bytes() + self.value_columns * self.key_steps * TILE_BYTES
    }
}

/// A head: its dimensions, and its packed keys and values.
pub(super) struct Head<'a> {
    pub(super) layout: &'a Layout,
    /// Packed keys; packed values follow.
    pub(super) keys: *const u8,
    /// Keys of a query; a causal query sees fewer.
    pub(super) key_count: usize,
    pub(super) head_dim: usize,
    /// Elements from one query to the next.
    pub(super) channels: usize,
    /// Factor from scores to base-2 exponents.
    pub(super) factor: f32,
    pub(super) causal: bool,
}

/// The shapes of a temporal attention's operands.
#[derive(Clone, Copy, Debug)]
pub struct TemporalShape {
    /// Number of clips.
    pub clips: usize,
    /// Frames of a clip; each attends to all of them.
    pub frames: usize,
    /// Pixels of a frame.
    pub pixels: usize,
    /// Heads, side by side in a pixel's channels.
    pub heads: usize,
    /// Channels of a head.
    pub head_dim: usize,
    /// The factor of the scores.
    pub scale: f32,
}
