//! How an image is cut into tiles for an upscaler.
//!
//! A body's pixel depends on some hundred pixels around it (fifteen convolutions a block), but very little on the far ones: the residuals'
//! factors damp them. So tiles overlap by a margin on either side, which is computed and thrown away, and no blending is needed. Networks that
//! see less than a margin far are exact. All tiles of an image have the same shape; at the image's own edges a tile ends where the image does.

use std::ops::Range;

use crate::models::UpscalerModel;

/// Pixels of the result that a tail computes at a time.
pub(super) const TAIL_PIXELS: usize = 512 * 512;

/// The size of tiles, in pixels of the network's input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tiles {
    /// The longest side of a tile. Images up to this size are enlarged whole.
    pub longest: usize,
    /// How much of a tile's context is thrown away at each side that is no edge of the image.
    pub margin: usize,
}

impl Default for Tiles {
    /// 512 pixels with a margin of 32. The README has the figures behind both.
    fn default() -> Self {
        Self { longest: 512, margin: 32 }
    }
}

/// A tile along one side of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Span {
    /// Its first pixel in the image.
    pub(super) start: usize,
    /// Its pixels.
    pub(super) length: usize,
    /// Those of its pixels that are its own in the result.
    pub(super) own: Range<usize>,
}

impl Tiles {
    /// The tiles along a side.
    pub(super) fn spans(self, model: &UpscalerModel, extent: usize) -> Vec<Span> {
        self.cut(extent, model.body_reach() + crate::models::TAIL_REACH)
    }

    /// `reach` is how far the network sees.
    fn cut(self, extent: usize, reach: usize) -> Vec<Span> {
        let margin = self.margin.min(reach);
        let longest = self.longest.max(2 * margin + 1);
        if extent <= longest {
            return vec![Span { start: 0, length: extent, own: 0..extent }];
        }
        let count = (extent - 2 * margin).div_ceil(longest - 2 * margin);
        let length = (extent + (count - 1) * 2 * margin).div_ceil(count);
        let start = |index: usize| index * (extent - length) / (count - 1);
        // The middle of an overlap is the border of two tiles.
        let border = |index: usize| (start(index) + start(index - 1) + length) / 2;
        let span = |index: usize| {
            let from = if index == 0 { 0 } else { border(index) };
            let until = if index + 1 == count { extent } else { border(index + 1) };
            Span { start: start(index), length, own: from - start(index)..until - start(index) }
        };
        (0..count).map(span).collect()
    }

    /// The number of tiles of an image of this (width, height).
    pub(super) fn count(self, model: &UpscalerModel, (width, height): (u32, u32)) -> usize {
        let along = |side: u32| self.spans(model, (side as usize).div_ceil(model.unshuffle())).len();
        along(width) * along(height)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_have_one_shape_cover_all_and_keep_their_margins() {
        for extent in 1..700 {
            for (longest, margin, reach) in [(96, 16, 400), (96, 16, 5), (33, 16, 400), (20, 16, 400), (512, 32, 400)] {
                let spans = Tiles { longest, margin }.cut(extent, reach);
                let mut next = 0;
                for (index, span) in spans.iter().enumerate() {
                    assert_eq!(span.length, spans[0].length);
                    assert!(span.length <= longest.max(2 * margin + 1) && span.start + span.length <= extent);
                    assert_eq!(span.start + span.own.start, next, "{extent}: {spans:?}");
                    next = span.start + span.own.end;
                    let margin = margin.min(reach);
                    assert!(index == 0 || span.own.start >= margin, "{extent}: {spans:?}");
                    assert!(index + 1 == spans.len() || span.own.end + margin <= span.length, "{extent}: {spans:?}");
                }
                assert_eq!(next, extent);
            }
        }
    }
}
