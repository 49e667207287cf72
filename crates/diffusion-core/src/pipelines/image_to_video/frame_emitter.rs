//! The frames of one model run on their way out: decoded some at a time, kept, handed on.
//!
//! It must not know models: a decode arrives as a function. The invariants: every frame leaves once and in order, however the decode is
//! split; frames that are decoded together are the same ones wherever the run was continued.

use std::ops::Range;

use candle_core::Tensor;
use image::RgbImage;

use crate::{Result, denoise::StepMonitor, frames::to_rgb_image, journal::RunJournal, pipelines::decode_split::DecodeSplit};

/// Takes what one model run makes: its steps, and then its frames.
pub(in crate::pipelines) trait RunOutput: StepMonitor {
    /// Takes the next frame.
    ///
    /// # Errors
    /// [`crate::Error::Sink`] if the sink refuses the frame; [`crate::Error::Cancelled`] if the monitor breaks.
    fn push_frame(&mut self, frame: RgbImage) -> Result<()>;
}

/// Emits the frames of one model run.
pub(super) struct FrameEmitter<'a> {
    /// All frames of the run.
    frames: usize,
    /// Frames that have left.
    done: usize,
    output: &'a mut dyn RunOutput,
    journal: RunJournal<'a>,
}

impl<'a> FrameEmitter<'a> {
    pub(super) fn new(frames: usize, output: &'a mut dyn RunOutput, journal: RunJournal<'a>) -> Self {
        Self { frames, done: 0, output, journal }
    }

    /// Hands on the leading frames that the journal kept at this (width, height), and returns whether these are all.
    pub(super) fn push_kept(&mut self, size: (u32, u32)) -> Result<bool> {
        while self.done < self.frames
            && let Some(frame) = self.journal.image(self.done, size)
        {
            if self.done == 0 {
                self.output.on_kept();
            }
            self.push(frame)?;
        }
        Ok(self.done == self.frames)
    }

    /// The run's latents of this shape: those that were kept, else those that `make` makes, which are kept.
    pub(super) fn latents_or(&mut self, shape: &[usize], make: impl FnOnce(&mut dyn StepMonitor) -> Result<Tensor>) -> Result<Tensor> {
        self.journal.latents_or(shape, self.output, make)
    }

    /// Decodes the frames that have not left, and hands them on. `decode` makes [frames, 3, height, width] of a range of frames, split so.
    pub(super) fn decode(
        &mut self,
        mut split: DecodeSplit,
        mut decode: impl FnMut(Range<usize>, DecodeSplit) -> Result<Tensor>,
    ) -> Result<()> {
        // Frames see those that they are decoded with. So chunks are counted from the run's first frame, or from where the split changed,
        // and not from the first frame that has not left.
        let mut origin = 0;
        while self.done < self.frames {
            let (done, frames) = (self.done, self.frames);
            let (first, decoded) = split.decode(self.output, |split| {
                origin = done - (done - origin) % split.together;
                Ok((origin, decode(origin..frames.min(origin + split.together), split)?))
            })?;
            for index in done - first..decoded.dim(0)? {
                let frame = to_rgb_image(&decoded.narrow(0, index, 1)?)?;
                self.journal.keep_image(first + index, &frame);
                self.push(frame)?;
            }
        }
        Ok(())
    }

    fn push(&mut self, frame: RgbImage) -> Result<()> {
        self.output.push_frame(frame)?;
        self.done += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use std::ops::ControlFlow;

    use candle_core::{DType, Device};

    use super::*;
    use crate::{Error, denoise::StepReport, journal::Run};

    /// Keeps the frames that left.
    #[derive(Default)]
    struct Left(Vec<RgbImage>);

    impl StepMonitor for Left {
        fn on_step(&mut self, _: &StepReport<'_>) -> ControlFlow<()> {
            ControlFlow::Continue(())
        }
    }

    impl RunOutput for Left {
        fn push_frame(&mut self, frame: RgbImage) -> Result<()> {
            self.0.push(frame);
            Ok(())
        }
    }

    /// The frames that left, and the ranges that were decoded, where no more than `room` frames can be decoded at once from frame `from`
    /// on; frames before `there` have left already.
    fn left(frames: usize, together: usize, there: usize, room: impl Fn(usize) -> usize) -> (Vec<usize>, Vec<Range<usize>>) {
        let (mut sink, mut ranges, mut nothing) = (Left::default(), Vec::new(), ());
        let journal = RunJournal::new(&mut nothing, Run::Motion { scene: 0, run: 0 });
        let mut emitter = FrameEmitter { done: there, ..FrameEmitter::new(frames, &mut sink, journal) };
        emitter
            .decode(DecodeSplit::new(together, (64, 64), None), |range, _| {
                if range.len() > room(range.start) {
                    return Err(Error::OutOfMemory { what: "no room".into() });
                }
                ranges.push(range.clone());
                // A frame's bytes are its number.
                let made =
                    range.map(|frame| Ok(Tensor::full(frame as f32 / 127.5 - 1.0, (1, 3, 1, 1), &Device::Cpu)?.to_dtype(DType::F32)?));
                Ok(Tensor::cat(&made.collect::<Result<Vec<_>>>()?, 0)?)
            })
            .unwrap();
        (sink.0.iter().map(|frame| usize::from(frame.get_pixel(0, 0).0[0])).collect(), ranges)
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
