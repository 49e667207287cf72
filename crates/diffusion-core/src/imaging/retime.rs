//! Frame rate conversion: for example from a motion model's 7 frames per second to a video's 24.
//!
//! This module must not depend on models. Invariants: output frame k shows the scene at time `k / to`, blended linearly from the two
//! adjacent input frames; one frame is held in memory, and no unneeded frame is computed.

use image::RgbImage;

use super::blend;
use crate::Result;

/// The number of blend steps between two frames: finer than the resolution of a byte.
const PARTS: usize = 1024;

/// Converts a scene's frames to another frame rate.
pub(crate) struct Retime {
    /// Input and output frames per second.
    from: f64,
    to: f64,
    /// Output frames: the total, and the number so far.
    wanted: usize,
    emitted: usize,
    /// The last input frame, and the number of input frames so far.
    last: Option<RgbImage>,
    received: usize,
}

impl Retime {
    pub(crate) fn new(from: f64, to: f64, wanted: usize) -> Self {
        Self { from, to, wanted, emitted: 0, last: None, received: 0 }
    }

    /// The number of input frames needed.
    pub(crate) fn needed(from: f64, to: f64, wanted: usize) -> usize {
        let last = wanted.saturating_sub(1) as f64 * from / to;
        // Up to the first input frame at or after the time of the last output frame; at least one.
        last.ceil() as usize + 1
    }

    /// Takes the next input frame, and passes on the output frames that it completes.
    pub(crate) fn take(&mut self, frame: RgbImage, mut out: impl FnMut(RgbImage) -> Result<()>) -> Result<()> {
        let newest = self.received;
        self.received += 1;
        while self.emitted < self.wanted {
            let moment = self.emitted as f64 * self.from / self.to;
            if moment > newest as f64 {
                break;
            }
            let part = ((moment - (newest as f64 - 1.0)) * PARTS as f64).round() as usize;
            match &self.last {
                Some(last) if part < PARTS => out(blend(last, &frame, part, PARTS))?,
                Some(_) | None => out(frame.clone())?,
            }
            self.emitted += 1;
        }
        self.last = Some(frame);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use image::Rgb;

    use super::*;

    /// The red channel of every output frame for input frames of 0, 100, 200, ..
    fn reds(from: f64, to: f64, wanted: usize) -> Vec<u8> {
        let mut retime = Retime::new(from, to, wanted);
        let mut reds = Vec::new();
        for index in 0..Retime::needed(from, to, wanted) {
            let frame = RgbImage::from_pixel(1, 1, Rgb([(index * 100).min(255) as u8, 0, 0]));
            retime
                .take(frame, |frame| {
                    reds.push(frame.get_pixel(0, 0).0[0]);
                    Ok(())
                })
                .unwrap();
        }
        reds
    }

    #[test]
    fn output_frames_are_blends_of_the_adjacent_input_frames() {
        assert_eq!(reds(5.0, 10.0, 5), [0, 50, 100, 150, 200]);
        assert_eq!(reds(10.0, 5.0, 2), [0, 200]);
        assert_eq!(reds(7.0, 7.0, 3), [0, 100, 200]);
        assert_eq!(reds(1.0, 24.0, 1), [0]);
        assert_eq!(reds(1.0, 4.0, 4), [0, 25, 50, 75]);
    }

    #[test]
    fn only_the_shown_input_frames_are_needed() {
        assert_eq!(
            [(7.0, 24.0, 72), (7.0, 7.0, 8), (7.0, 24.0, 1), (7.0, 24.0, 0)].map(|(from, to, wanted)| Retime::needed(from, to, wanted)),
            [22, 8, 1, 1]
        );
    }
}
