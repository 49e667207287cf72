//! Frames of one rate shown at another: what a motion model makes at 7 a second, in a video of 24.
//!
//! It must not know models. The invariants: output frame k shows the moment `k / to` of the scene, mixed linearly from the two frames
//! around it; one frame is held, and none is made that is not wanted.

use image::RgbImage;

use super::blend;
use crate::Result;

/// Mixes in steps of this part of the way between two frames: finer than a byte shows.
const PARTS: usize = 1024;

/// A scene's frames on their way to another rate.
pub(crate) struct Retime {
    /// Frames a second that come in, and that go out.
    from: f64,
    to: f64,
    /// Frames that go out, and those that have gone.
    wanted: usize,
    made: usize,
    /// The last frame that came in, and how many have.
    last: Option<RgbImage>,
    taken: usize,
}

impl Retime {
    pub(crate) fn new(from: f64, to: f64, wanted: usize) -> Self {
        Self { from, to, wanted, made: 0, last: None, taken: 0 }
    }

    /// How many frames must come in.
    pub(crate) fn needed(from: f64, to: f64, wanted: usize) -> usize {
        let last = wanted.saturating_sub(1) as f64 * from / to;
        // One more than the moment of the last output frame, unless that is a frame's own; at least the picture itself.
        last.ceil() as usize + 1
    }

    /// Takes the next frame in, and hands on the output frames that are known with it.
    pub(crate) fn take(&mut self, frame: RgbImage, mut out: impl FnMut(RgbImage) -> Result<()>) -> Result<()> {
        let newest = self.taken;
        self.taken += 1;
        while self.made < self.wanted {
            let moment = self.made as f64 * self.from / self.to;
            if moment > newest as f64 {
                break;
            }
            let part = ((moment - (newest as f64 - 1.0)) * PARTS as f64).round() as usize;
            match &self.last {
                Some(last) if part < PARTS => out(blend(last, &frame, part, PARTS))?,
                Some(_) | None => out(frame.clone())?,
            }
            self.made += 1;
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

    /// The red of every output frame for input frames of 0, 100, 200, ..
    fn reds(from: f64, to: f64, wanted: usize) -> Vec<u8> {
        let mut retime = Retime::new(from, to, wanted);
        let mut made = Vec::new();
        for index in 0..Retime::needed(from, to, wanted) {
            let frame = RgbImage::from_pixel(1, 1, Rgb([(index * 100).min(255) as u8, 0, 0]));
            retime
                .take(frame, |frame| {
                    made.push(frame.get_pixel(0, 0).0[0]);
                    Ok(())
                })
                .unwrap();
        }
        made
    }

    #[test]
    fn frames_lie_between_their_neighbours() {
        assert_eq!(reds(5.0, 10.0, 5), [0, 50, 100, 150, 200]);
        assert_eq!(reds(10.0, 5.0, 2), [0, 200]);
        assert_eq!(reds(7.0, 7.0, 3), [0, 100, 200]);
        assert_eq!(reds(1.0, 24.0, 1), [0]);
        assert_eq!(reds(1.0, 4.0, 4), [0, 25, 50, 75]);
    }

    #[test]
    fn no_more_frames_are_needed_than_are_shown() {
        assert_eq!(
            [(7.0, 24.0, 72), (7.0, 7.0, 8), (7.0, 24.0, 1), (7.0, 24.0, 0)].map(|(from, to, wanted)| Retime::needed(from, to, wanted)),
            [22, 8, 1, 1]
        );
    }
}
