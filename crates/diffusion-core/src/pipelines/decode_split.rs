//! How a decode is split, and split further while the device has no memory for it.
//!
//! It must not know models: a decode arrives as a function. The invariants: every retry is split further than the one before, so retries
//! end; a decode that fits as it was asked for is made as it was asked for, because smaller parts give slightly other pixels.

use std::fmt;

use crate::{Error, Result, denoise::StepMonitor, models::Tiling};

/// Sides in pixels of the tiles that an image is cut into where even one alone is too much. A tile below the second shows too little of
/// the image for its colours to agree with its neighbours'.
const TILE_SIDES: [usize; 2] = [512, 256];

/// How a decode is split.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct DecodeSplit {
    /// Images that are decoded at once, at least 1.
    pub(super) together: usize,
    /// The longer side of what is decoded at once, in pixels.
    side: usize,
    /// The tiles that were stepped down to; `None` is the model's own way.
    tile: Option<usize>,
}

impl DecodeSplit {
    /// So many images of (width, height) pixels at once, in the model's own tiles.
    pub(super) fn new(together: usize, (width, height): (u32, u32), tiling: Option<Tiling>) -> Self {
        let (width, height) = (width as usize, height as usize);
        let own_tile = tiling.filter(|tiling| width.saturating_mul(height) > tiling.above_pixels);
        let side = width.max(height);
        let side = own_tile.map_or(side, |tiling| side.min(tiling.tile_sample_min_size));
        Self { together: together.max(1), side, tile: None }
    }

    /// The side of the smallest tiles that are stepped down to, in pixels.
    pub(super) fn smallest_tile() -> usize {
        let [_, smallest] = TILE_SIDES;
        smallest
    }

    /// The tiling to decode with; `own` is the model's.
    pub(super) fn tiling(self, own: Option<Tiling>) -> Option<Tiling> {
        self.tile.map_or(own, |side| Some(Tiling { above_pixels: 0, tile_sample_min_size: side }))
    }

    /// Half as many at once; of one alone, smaller tiles.
    fn smaller(self) -> Option<Self> {
        if self.together > 1 {
            return Some(Self { together: self.together / 2, ..self });
        }
        let tile = TILE_SIDES.into_iter().find(|tile| *tile < self.side)?;
        Some(Self { side: tile, tile: Some(tile), ..self })
    }

    /// Calls `decode` with this split, and then with smaller ones until there is memory for it; the last one stays.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`] if there is no smaller one; whatever else `decode` returns.
    pub(super) fn decode<T>(&mut self, monitor: &mut dyn StepMonitor, mut decode: impl FnMut(Self) -> Result<T>) -> Result<T> {
        loop {
            let what = match decode(*self) {
                Err(Error::OutOfMemory { what }) => what,
                made => return made,
            };
            let Some(smaller) = self.smaller() else { return Err(Error::OutOfMemory { what: format!("decoding {self}: {what}") }) };
            monitor.on_step_down(&format!("there is no memory to decode {self} ({what}); going on with {smaller}"));
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
    struct Told(Vec<String>);

    impl StepMonitor for Told {
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

    /// The splits that are tried where only `fits` has memory, and how it ended.
    fn tried(mut split: DecodeSplit, fits: impl Fn(DecodeSplit) -> bool) -> (Tried, Result<()>, Vec<String>) {
        let (mut tried, mut told) = (Vec::new(), Told::default());
        let made = split.decode(&mut told, |split| {
            tried.push((split.together, split.tile));
            if fits(split) { Ok(()) } else { Err(full()) }
        });
        assert_eq!(tried.last(), Some(&(split.together, split.tile)), "the last one stays");
        (tried, made, told.0)
    }

    #[test]
    fn halves_then_tiles_then_the_error() {
        let split = DecodeSplit::new(7, (1024, 576), Some(Tiling::default()));
        let (all, made, told) = tried(split, |_| false);
        assert_eq!(all, [(7, None), (3, None), (1, None), (1, Some(512)), (1, Some(256))]);
        assert_eq!(made.unwrap_err().to_string(), "out of memory: decoding one picture at once in tiles of 256 pixels: no room");
        assert_eq!(told.len(), 4);
        assert_eq!(told[0], "there is no memory to decode 7 pictures at once (no room); going on with 3 pictures at once");
        let (some, made, told) = tried(split, |split| split.together <= 3);
        assert_eq!((some.as_slice(), told.len()), (&[(7, None), (3, None)][..], 1));
        made.unwrap();
    }

    #[test]
    fn what_fits_is_made_as_it_was_asked_for() {
        let (all, made, told) = tried(DecodeSplit::new(25, (1024, 576), None), |_| true);
        assert_eq!((all.as_slice(), told.len()), (&[(25, None)][..], 0));
        made.unwrap();
    }

    #[test]
    fn tiles_are_smaller_than_what_they_are_cut_from() {
        let last = |size, tiling| tried(DecodeSplit::new(1, size, tiling), |_| false).0;
        assert_eq!(last((512, 512), None), [(1, None), (1, Some(256))]);
        assert_eq!(last((256, 128), None), [(1, None)]);
        // Cut into tiles of 512 of itself already.
        assert_eq!(last((2048, 1024), Some(Tiling::default())), [(1, None), (1, Some(256))]);
        let tiling = DecodeSplit::new(1, (512, 512), Some(Tiling::default())).tiling(Some(Tiling::default()));
        assert_eq!(tiling, Some(Tiling::default()));
    }

    #[test]
    fn another_error_is_no_reason_to_split() {
        let mut split = DecodeSplit::new(4, (64, 64), None);
        let made: Result<()> = split.decode(&mut Told::default(), |_| Err(Error::Cancelled));
        assert!(matches!(made, Err(Error::Cancelled)) && split.together == 4);
    }
}
