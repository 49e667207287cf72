//! Splits a decode into parts, and into smaller ones while the device runs out of memory.
//!
//! This module must not depend on models: a decode arrives as a function. Invariants: every retry is split further than the one before, so
//! retries terminate; a decode that fits in memory is not split beyond the request, because smaller parts give slightly different pixels.

use std::fmt;

use crate::{Error, Result, denoise::StepMonitor, models::Tiling};

/// Tile sides in pixels to try where even a single image does not fit. A tile smaller than the second covers too little of the image for
/// its colours to match its neighbours'.
const TILE_SIDES: [usize; 2] = [512, 256];

/// How a decode is split.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct DecodeSplit {
    /// Images per decode, at least 1.
    pub(super) together: usize,
    /// The longer side of an image, or of a tile of it, in pixels.
    side: usize,
    /// The side of the tiles that replace the model's own tiling; `None` for the model's own.
    tile: Option<usize>,
}

impl DecodeSplit {
    /// Decodes `together` images of (width, height) pixels at once, in the model's own tiles.
    pub(super) fn new(together: usize, (width, height): (u32, u32), tiling: Option<Tiling>) -> Self {
        let (width, height) = (width as usize, height as usize);
        let own_tile = tiling.filter(|tiling| width.saturating_mul(height) > tiling.above_pixels);
        let side = width.max(height);
        let side = own_tile.map_or(side, |tiling| side.min(tiling.tile_sample_min_size));
        Self { together: together.max(1), side, tile: None }
    }

    /// The side of the smallest tiles, in pixels.
    pub(super) fn smallest_tile() -> usize {
        let [_, smallest] = TILE_SIDES;
        smallest
    }

    /// The tiling to decode with; `own` is the model's.
    pub(super) fn tiling(self, own: Option<Tiling>) -> Option<Tiling> {
        self.tile.map_or(own, |side| Some(Tiling { above_pixels: 0, tile_sample_min_size: side }))
    }

    /// Halves the number of images, or reduces the tile of a single image.
    fn smaller(self) -> Option<Self> {
        if self.together > 1 {
            return Some(Self { together: self.together / 2, ..self });
        }
        let tile = TILE_SIDES.into_iter().find(|tile| *tile < self.side)?;
        Some(Self { side: tile, tile: Some(tile), ..self })
    }

    /// Calls `decode` with this split, then with smaller ones until it fits in memory; `self` keeps the last split.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`] if there is no smaller split; any other error of `decode`.
    pub(super) fn decode<T>(&mut self, monitor: &mut dyn StepMonitor, mut decode: impl FnMut(Self) -> Result<T>) -> Result<T> {
        loop {
            let what = match decode(*self) {
                Err(Error::OutOfMemory { what }) => what,
                result => return result,
            };
            let Some(smaller) = self.smaller() else { return Err(Error::OutOfMemory { what: format!("decoding {self}: {what}") }) };
            monitor.on_step_down(&format!("there is no memory to decode {self} ({what}); continuing with {smaller}"));
            *self = smaller;
        }
    }
}

impl fmt::Display for DecodeSplit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.together {
            1 => write!(f, "one picture at once")?,
            together => write!(f, "{together} pictures at once")?,
        }
        self.tile.map_or(Ok(()), |tile| write!(f, " in tiles of {tile} pixels"))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use std::ops::ControlFlow;

    use super::*;
    use crate::denoise::StepReport;

    #[derive(Default)]
    struct StepDowns(Vec<String>);

    impl StepMonitor for StepDowns {
        fn on_step(&mut self, _: &StepReport<'_>) -> ControlFlow<()> {
            ControlFlow::Continue(())
        }

        fn on_step_down(&mut self, what: &str) {
            self.0.push(what.to_owned());
        }
    }

    fn full() -> Error {
        Error::OutOfMemory { what: "no room".into() }
    }

    type Tried = Vec<(usize, Option<usize>)>;

    /// The attempted splits if only those that `fits` accepts have enough memory, the result, and the log messages.
    fn tried(mut split: DecodeSplit, fits: impl Fn(DecodeSplit) -> bool) -> (Tried, Result<()>, Vec<String>) {
        let (mut tried, mut step_downs) = (Vec::new(), StepDowns::default());
        let result = split.decode(&mut step_downs, |split| {
            tried.push((split.together, split.tile));
            if fits(split) { Ok(()) } else { Err(full()) }
        });
        assert_eq!(tried.last(), Some(&(split.together, split.tile)), "the last one stays");
        (tried, result, step_downs.0)
    }

    #[test]
    fn halves_then_tiles_then_the_error() {
        let split = DecodeSplit::new(7, (1024, 576), Some(Tiling::default()));
        let (all, result, messages) = tried(split, |_| false);
        assert_eq!(all, [(7, None), (3, None), (1, None), (1, Some(512)), (1, Some(256))]);
        assert_eq!(result.unwrap_err().to_string(), "out of memory: decoding one picture at once in tiles of 256 pixels: no room");
        assert_eq!(messages.len(), 4);
        assert_eq!(messages[0], "there is no memory to decode 7 pictures at once (no room); continuing with 3 pictures at once");
        let (some, result, messages) = tried(split, |split| split.together <= 3);
        assert_eq!((some.as_slice(), messages.len()), (&[(7, None), (3, None)][..], 1));
        result.unwrap();
    }

    #[test]
    fn a_decode_that_fits_is_not_split() {
        let (all, result, messages) = tried(DecodeSplit::new(25, (1024, 576), None), |_| true);
        assert_eq!((all.as_slice(), messages.len()), (&[(25, None)][..], 0));
        result.unwrap();
    }

    #[test]
    fn tiles_are_smaller_than_the_image_or_its_own_tiles() {
        let last = |size, tiling| tried(DecodeSplit::new(1, size, tiling), |_| false).0;
        assert_eq!(last((512, 512), None), [(1, None), (1, Some(256))]);
        assert_eq!(last((256, 128), None), [(1, None)]);
        // The model's own tiling already uses tiles of 512.
        assert_eq!(last((2048, 1024), Some(Tiling::default())), [(1, None), (1, Some(256))]);
        let tiling = DecodeSplit::new(1, (512, 512), Some(Tiling::default())).tiling(Some(Tiling::default()));
        assert_eq!(tiling, Some(Tiling::default()));
    }

    #[test]
    fn other_errors_do_not_split() {
        let mut split = DecodeSplit::new(4, (64, 64), None);
        let result: Result<()> = split.decode(&mut StepDowns::default(), |_| Err(Error::Cancelled));
        assert!(matches!(result, Err(Error::Cancelled)) && split.together == 4);
    }
}
