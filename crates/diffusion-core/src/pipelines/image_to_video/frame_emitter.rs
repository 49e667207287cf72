//! Emits the frames of one model run: decodes them in chunks, journals them and pushes them to the output.
//!
//! This module must not depend on models: a decode arrives as a function. Invariants: every frame is pushed once and in order, however the
//! decode is split; chunk boundaries do not depend on where the run was resumed.

use std::ops::Range;

use candle_core::Tensor;
use image::RgbImage;

use crate::{Result, denoise::StepMonitor, frames::to_rgb_image, journal::RunJournal, pipelines::decode_split::DecodeSplit};

/// Receives the output of one model run: its steps, then its frames.
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
    /// Frames pushed so far.
    done: usize,
    output: &'a mut dyn RunOutput,
    journal: RunJournal<'a>,
}

impl<'a> FrameEmitter<'a> {
    pub(super) fn new(frames: usize, output: &'a mut dyn RunOutput, journal: RunJournal<'a>) -> Self {
        Self { frames, done: 0, output, journal }
    }

    /// Pushes the leading frames that the journal has at this (width, height), and returns whether these are all.
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

    /// The run's latents of this shape, from the journal or from `make`, whose result is journaled.
    pub(super) fn latents_or(&mut self, shape: &[usize], make: impl FnOnce(&mut dyn StepMonitor) -> Result<Tensor>) -> Result<Tensor> {
        self.journal.latents_or(shape, self.output, make)
    }

    /// Decodes and pushes the remaining frames. `decode` returns a range of frames as [frames, 3, height, width], with the given split.
    pub(super) fn decode(
        &mut self,
        mut split: DecodeSplit,
        mut decode: impl FnMut(Range<usize>, DecodeSplit) -> Result<Tensor>,
    ) -> Result<()> {
        // Frames of a chunk influence one another, so chunks are aligned to the run's first frame, or to where the split changed, and not
        // to the first frame that remains.
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

    /// Collects the pushed frames.
    #[derive(Default)]
    struct Pushed(Vec<RgbImage>);

    impl StepMonitor for Pushed {
        fn on_step(&mut self, _: &StepReport<'_>) -> ControlFlow<()> {
            ControlFlow::Continue(())
        }
    }

    impl RunOutput for Pushed {
        fn push_frame(&mut self, frame: RgbImage) -> Result<()> {
            self.0.push(frame);
            Ok(())
        }
    }

    /// The pushed frames and the decoded ranges if at most `capacity(first)` frames fit in memory for a decode that starts at frame
    /// `first`; the first `done` frames were pushed before.
    fn emitted(frames: usize, together: usize, done: usize, capacity: impl Fn(usize) -> usize) -> (Vec<usize>, Vec<Range<usize>>) {
        let (mut sink, mut ranges, mut nothing) = (Pushed::default(), Vec::new(), ());
        let journal = RunJournal::new(&mut nothing, Run::Motion { scene: 0, run: 0 });
        let mut emitter = FrameEmitter { done, ..FrameEmitter::new(frames, &mut sink, journal) };
        emitter
            .decode(DecodeSplit::new(together, (64, 64), None), |range, _| {
                if range.len() > capacity(range.start) {
                    return Err(Error::OutOfMemory { what: "no room".into() });
                }
                ranges.push(range.clone());
                // A frame's bytes are its number.
                let decoded =
                    range.map(|frame| Ok(Tensor::full(frame as f32 / 127.5 - 1.0, (1, 3, 1, 1), &Device::Cpu)?.to_dtype(DType::F32)?));
                Ok(Tensor::cat(&decoded.collect::<Result<Vec<_>>>()?, 0)?)
            })
            .unwrap();
        (sink.0.iter().map(|frame| usize::from(frame.get_pixel(0, 0).0[0])).collect(), ranges)
    }

    #[test]
    fn every_frame_is_pushed_once_and_in_order() {
        for (frames, together, done) in [(14, 14, 0), (14, 4, 0), (14, 4, 5), (14, 4, 8), (14, 5, 13), (3, 8, 0), (3, 3, 3)] {
            for capacity in [14, 7, 3, 1] {
                let (sink, _) = emitted(frames, together, done, |_| capacity);
                assert_eq!(sink, (done..frames).collect::<Vec<_>>(), "{frames} frames by {together} from {done}, capacity {capacity}");
            }
        }
    }

    #[test]
    fn a_resumed_run_keeps_the_chunk_boundaries() {
        assert_eq!(emitted(10, 4, 0, |_| 9).1, [0..4, 4..8, 8..10]);
        assert_eq!(emitted(10, 4, 6, |_| 9).1, [4..8, 8..10]);
        // Memory is short from frame 4 on: earlier frames are not decoded again, and halves follow one another.
        assert_eq!(emitted(10, 4, 0, |first| if first < 4 { 4 } else { 2 }).1, [0..4, 4..6, 6..8, 8..10]);
        assert_eq!(emitted(10, 4, 7, |_| 2).1, [6..8, 8..10]);
        assert_eq!(emitted(7, 7, 0, |_| 3).1, [0..3, 3..6, 6..7]);
    }
}
