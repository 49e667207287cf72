//! A call's frames on their way out: decoded some at a time, kept, handed to the sink, counted.
//!
//! It must not know models: a decode arrives as a function. The invariants: every frame leaves once and in order, whichever way they are
//! divided; frames that are decoded together are the same ones wherever the call was gone on with.

use std::ops::Range;

use candle_core::Tensor;
use image::RgbImage;

use super::Division;
use crate::{
    Error, Result,
    denoise::StepMonitor,
    frames::{FrameSink, to_rgb_image},
    journal::Kept,
};

/// A call's frames on their way out.
pub(super) struct Leaving<'a> {
    /// All frames of the call.
    pub(super) frames: usize,
    /// Those that have left.
    pub(super) done: usize,
    pub(super) monitor: &'a mut dyn StepMonitor,
    pub(super) sink: &'a mut dyn FrameSink,
}

impl Leaving<'_> {
    /// Hands the next frame on.
    pub(super) fn push(&mut self, frame: RgbImage) -> Result<()> {
        self.sink.push(frame).map_err(Error::Sink)?;
        self.done += 1;
        if self.monitor.on_frame(self.done, self.frames).is_break() { Err(Error::Cancelled) } else { Ok(()) }
    }

    /// Decodes the frames that have not left, and hands them on. `decode` makes [frames, 3, height, width] of some frames, divided so.
    pub(super) fn decode(
        &mut self,
        mut division: Division,
        kept: &mut Kept<'_>,
        mut decode: impl FnMut(Range<usize>, Division) -> Result<Tensor>,
    ) -> Result<()> {
        // Frames see those that they are decoded with, so parts are counted from where they were counted from, not from the first frame
        // that has not left.
        let mut origin = 0;
        while self.done < self.frames {
            let (done, frames) = (self.done, self.frames);
            let (first, decoded) = division.decode(self.monitor, |division| {
                origin = done - (done - origin) % division.together;
                Ok((origin, decode(origin..frames.min(origin + division.together), division)?))
            })?;
            for index in done - first..decoded.dim(0)? {
                let frame = to_rgb_image(&decoded.narrow(0, index, 1)?)?;
                kept.keep_picture(first + index, &frame);
                self.push(frame)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use candle_core::{DType, Device};

    use super::*;
    use crate::journal::Run;

    /// The frames that left, and the ranges that were decoded, where no more than `room` frames can be decoded at once from frame `from`
    /// on; frames before `there` have left already.
    fn left(frames: usize, together: usize, there: usize, room: impl Fn(usize) -> usize) -> (Vec<usize>, Vec<Range<usize>>) {
        let (mut sink, mut ranges, mut nothing) = (Vec::new(), Vec::new(), ());
        let mut leaving = Leaving { frames, done: there, monitor: &mut (), sink: &mut sink };
        let division = Division::new(together, (64, 64), None);
        let mut kept = Kept::new(&mut nothing, Run::Motion { scene: 0, run: 0 });
        leaving
            .decode(division, &mut kept, |range, _| {
                if range.len() > room(range.start) {
                    return Err(Error::OutOfMemory { what: "no room".into() });
                }
                ranges.push(range.clone());
                // A frame is as wide as its number, and one more.
                let made =
                    range.map(|frame| Ok(Tensor::full(frame as f32 / 127.5 - 1.0, (1, 3, 1, 1), &Device::Cpu)?.to_dtype(DType::F32)?));
                Ok(Tensor::cat(&made.collect::<Result<Vec<_>>>()?, 0)?)
            })
            .unwrap();
        (sink.iter().map(|frame: &RgbImage| usize::from(frame.get_pixel(0, 0).0[0])).collect(), ranges)
    }

    #[test]
    fn every_frame_leaves_once_and_in_order() {
        for (frames, together, there) in [(14, 14, 0), (14, 4, 0), (14, 4, 5), (14, 4, 8), (14, 5, 13), (3, 8, 0), (3, 3, 3)] {
            for room in [14, 7, 3, 1] {
                let (sink, _) = left(frames, together, there, |_| room);
                assert_eq!(sink, (there..frames).collect::<Vec<_>>(), "{frames} frames by {together} from {there}, room for {room}");
            }
        }
    }

    #[test]
    fn parts_begin_where_they_would_have_begun() {
        assert_eq!(left(10, 4, 0, |_| 9).1, [0..4, 4..8, 8..10]);
        assert_eq!(left(10, 4, 6, |_| 9).1, [4..8, 8..10]);
        // Memory is short from frame 4 on: those before it are not made again, and halves follow one another.
        assert_eq!(left(10, 4, 0, |first| if first < 4 { 4 } else { 2 }).1, [0..4, 4..6, 6..8, 8..10]);
        assert_eq!(left(10, 4, 7, |_| 2).1, [6..8, 8..10]);
        assert_eq!(left(7, 7, 0, |_| 3).1, [0..3, 3..6, 6..7]);
    }
}
