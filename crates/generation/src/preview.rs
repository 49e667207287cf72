//! What a video looks like while it is being made: now and then a small picture of its newest frame, for whoever watches.
//!
//! It must not know who watches. The invariants: a preview is a frame of the video, smaller; nobody who watches costs nothing; and a
//! video is the same whether it is watched or not.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use diffusion_core::{error::BoxError, frames::FrameSink};
use image::{RgbImage, imageops};
use tokio::sync::watch;

use crate::png;

/// The longer side of a preview at most, in pixels.
const LONGER_SIDE: u32 = 320;
/// At least so long passes between two previews of a video.
const EVERY: Duration = Duration::from_millis(500);

/// A frame of a video that is not finished.
#[derive(Clone, PartialEq, Eq)]
pub struct Preview {
    /// Which frame it is, from 0.
    pub frame: usize,
    /// Pixels across.
    pub width: u32,
    /// Pixels down.
    pub height: u32,
    /// The picture as PNG.
    pub png: Vec<u8>,
}

impl std::fmt::Debug for Preview {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Preview").field("frame", &self.frame).field("png_bytes", &self.png.len()).finish_non_exhaustive()
    }
}

/// Where a job shows its previews; clones share it.
#[derive(Clone, Debug)]
pub struct Previews(Arc<watch::Sender<Option<Arc<Preview>>>>);

impl Default for Previews {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(None)))
    }
}

impl Previews {
    /// The newest preview, now and at every change, for as long as the job is worked on.
    pub fn watch(&self) -> watch::Receiver<Option<Arc<Preview>>> {
        self.0.subscribe()
    }
}

/// A sink that shows some of the frames that go through it.
pub(crate) struct Shown<'a> {
    sink: &'a mut dyn FrameSink,
    previews: &'a Previews,
    now: fn() -> Instant,
    /// The number of the next frame.
    next: usize,
    shown: Option<Instant>,
}

impl<'a> Shown<'a> {
    /// Frames go on to `sink`, the first of them as number `first_frame`.
    pub(crate) fn new(sink: &'a mut dyn FrameSink, first_frame: usize, previews: &'a Previews, now: fn() -> Instant) -> Self {
        Self { sink, previews, now, next: first_frame, shown: None }
    }

    fn show(&mut self, image: &RgbImage) {
        let longer = image.width().max(image.height()).max(1);
        let side = |side: u32| (u64::from(side) * u64::from(LONGER_SIDE.min(longer)) / u64::from(longer)).max(1) as u32;
        let (width, height) = (side(image.width()), side(image.height()));
        // A preview that cannot be written is none.
        if let Ok(png) = png::encode(&imageops::thumbnail(image, width, height), "") {
            self.previews.0.send_replace(Some(Arc::new(Preview { frame: self.next, width, height, png })));
        }
    }
}

impl FrameSink for Shown<'_> {
    fn push(&mut self, frame: RgbImage) -> Result<(), BoxError> {
        if self.previews.0.receiver_count() > 0 {
            let now = (self.now)();
            if self.shown.is_none_or(|shown| now.saturating_duration_since(shown) >= EVERY) {
                self.shown = Some(now);
                self.show(&frame);
            }
        }
        self.next += 1;
        self.sink.push(frame)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn who_watches_sees_a_small_frame_now_and_then() {
        let previews = Previews::default();
        let mut frames: Vec<RgbImage> = Vec::new();
        let mut sink = Shown::new(&mut frames, 5, &previews, Instant::now);
        sink.push(RgbImage::new(640, 360)).unwrap();
        let mut watched = previews.watch();
        assert_eq!(*watched.borrow_and_update(), None, "nobody watched");
        for _ in 0..3 {
            sink.push(RgbImage::new(640, 360)).unwrap();
        }
        let shown = watched.borrow_and_update().clone().unwrap();
        assert_eq!((shown.frame, shown.width, shown.height), (6, 320, 180));
        assert!(shown.png.starts_with(b"\x89PNG"));
        assert_eq!(frames.len(), 4, "every frame goes on");
    }
}
