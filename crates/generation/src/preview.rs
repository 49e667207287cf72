//! Previews of a running job: its current step, and its video's frames as they are finished. Made on the device's thread, and only while a
//! client wants them.
//!
//! It must not know where they are shown. Invariants: a client that wants previews holds a [`Previews`], and after the last one is dropped
//! no more are made; there are at most two per second; a slow reader gets the newest and misses the rest; a preview that fails does not
//! affect the job; the job's output is the same with and without previews.

use std::{
    cell::Cell,
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use diffusion_core::{denoise::StepReport, error::BoxError, frames::FrameSink};
use image::{RgbImage, imageops::thumbnail};
use tokio::sync::watch;

use crate::png;

/// The minimum time between two previews of a job.
const MIN_INTERVAL: Duration = Duration::from_millis(500);
/// The maximum length of a preview's longer side, in pixels.
const MAX_LONGER_SIDE: u32 = 256;

/// A preview of a job.
#[derive(Clone, PartialEq, Eq)]
pub struct Preview {
    /// Its subject.
    pub of: PreviewOf,
    /// Pixels across.
    pub width: u32,
    /// Pixels down.
    pub height: u32,
    /// The picture as PNG.
    pub png: Vec<u8>,
}

/// The subject of a preview.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PreviewOf {
    /// A rough estimate of a model run's result; of many frames, the middle one.
    Step {
        /// The index of the picture or the scene being made, from 0.
        part: u32,
        /// Steps done of the run, from 1.
        step: usize,
        /// The run's number of steps.
        steps: usize,
    },
    /// A finished frame of the video.
    Frame {
        /// Its index, from 0.
        frame: usize,
    },
}

impl fmt::Debug for Preview {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Preview").field("of", &self.of).field("png_bytes", &self.png.len()).finish_non_exhaustive()
    }
}

/// A job's newest preview; clones share it.
#[derive(Clone, Debug)]
pub struct PreviewSlot(watch::Sender<Option<Arc<Preview>>>);

impl Default for PreviewSlot {
    fn default() -> Self {
        Self(watch::Sender::new(None))
    }
}

impl PreviewSlot {
    /// Asks for previews until the returned value is dropped.
    pub fn want(&self) -> Previews {
        let mut newest = self.0.subscribe();
        // A preview that was made for another client is new to this one.
        newest.mark_changed();
        Previews(newest)
    }

    fn is_wanted(&self) -> bool {
        self.0.receiver_count() > 0
    }
}

/// A subscription to a job's previews. Dropping it ends the subscription.
#[derive(Debug)]
pub struct Previews(watch::Receiver<Option<Arc<Preview>>>);

impl Previews {
    /// Waits for a preview newer than the last one returned, and returns the newest; `None` once the job makes no more.
    pub async fn next(&mut self) -> Option<Arc<Preview>> {
        loop {
            self.0.changed().await.ok()?;
            let newest = self.0.borrow_and_update().clone();
            if newest.is_some() {
                return newest;
            }
        }
    }

    /// The newest preview so far, without waiting.
    pub fn newest(&self) -> Option<Arc<Preview>> {
        self.0.borrow().clone()
    }
}

/// The device's side: makes the previews of one job.
pub(crate) struct Previewer {
    slot: PreviewSlot,
    now: fn() -> Instant,
    due: Cell<Due>,
    spent: Cell<Duration>,
}

/// When the next preview may be made.
#[derive(Clone, Copy)]
enum Due {
    Now,
    At(Instant),
    Never,
}

impl Previewer {
    pub(crate) fn new(slot: PreviewSlot, now: fn() -> Instant) -> Self {
        Self { slot, now, due: Cell::new(Due::Now), spent: Cell::default() }
    }

    /// Makes a preview of a step if a client wants it and it is due; returns the time it took.
    pub(crate) fn look(&self, part: u32, step: &StepReport<'_>) -> Duration {
        self.make(PreviewOf::Step { part, step: step.step, steps: step.steps }, || (step.preview)().map_err(|error| error.to_string()))
    }

    /// The total time spent on previews.
    pub(crate) fn spent(&self) -> Duration {
        self.spent.get()
    }

    fn make(&self, of: PreviewOf, image: impl FnOnce() -> Result<RgbImage, String>) -> Duration {
        if !self.slot.is_wanted() {
            return Duration::ZERO;
        }
        let started = (self.now)();
        match self.due.get() {
            Due::Now => {}
            Due::At(due) if started >= due => {}
            Due::At(_) | Due::Never => return Duration::ZERO,
        }
        let preview = image().map(small).and_then(|image| {
            let png = png::encode_fast(&image).map_err(|error| error.to_string())?;
            Ok(Preview { of, width: image.width(), height: image.height(), png })
        });
        let ended = (self.now)();
        match preview {
            Ok(preview) => {
                self.slot.0.send_replace(Some(Arc::new(preview)));
                self.due.set(Due::At(ended + MIN_INTERVAL));
            }
            Err(reason) => {
                let reason = reason.lines().next().unwrap_or_default();
                tracing::warn!(reason, "a preview failed, so this job makes no more");
                self.due.set(Due::Never);
            }
        }
        let took = ended.saturating_duration_since(started);
        self.spent.set(self.spent.get() + took);
        took
    }
}

/// Shrinks a picture that is too large for a preview.
fn small(image: RgbImage) -> RgbImage {
    within(image, MAX_LONGER_SIDE)
}

/// Shrinks a picture whose longer side exceeds this many pixels.
pub(crate) fn within(image: RgbImage, max_longer_side: u32) -> RgbImage {
    let (width, height) = image.dimensions();
    let longer = width.max(height);
    if longer <= max_longer_side {
        return image;
    }
    let side = |side: u32| (u64::from(side) * u64::from(max_longer_side) / u64::from(longer)).max(1) as u32;
    thumbnail(&image, side(width), side(height))
}

/// A sink that makes previews of some of the frames that pass through it.
pub(crate) struct PreviewingSink<'a> {
    sink: &'a mut dyn FrameSink,
    previewer: &'a Previewer,
    /// The index of the next frame.
    next: usize,
}

impl<'a> PreviewingSink<'a> {
    /// Frames are passed to `sink`; the first one has the index `first_frame`.
    pub(crate) fn new(sink: &'a mut dyn FrameSink, first_frame: usize, previewer: &'a Previewer) -> Self {
        Self { sink, previewer, next: first_frame }
    }
}

impl FrameSink for PreviewingSink<'_> {
    fn push(&mut self, frame: RgbImage) -> Result<(), BoxError> {
        self.previewer.make(PreviewOf::Frame { frame: self.next }, || Ok(frame.clone()));
        self.next += 1;
        self.sink.push(frame)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use std::sync::{
        LazyLock,
        atomic::{AtomicU64, Ordering},
    };

    use diffusion_core::noise::SeededNoise;
    use image::{Rgb, RgbImage};

    use super::*;

    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    /// Milliseconds by which the test clock was advanced; used by one test only.
    static LATER: AtomicU64 = AtomicU64::new(0);

    fn now() -> Instant {
        *START + Duration::from_millis(LATER.load(Ordering::Relaxed))
    }

    fn look(previewer: &Previewer, step: usize, count: &Cell<usize>) {
        let latents = SeededNoise::new(1).randn(&[1, 4, 1, 1]).unwrap();
        let preview = || {
            count.set(count.get() + 1);
            Ok(RgbImage::from_pixel(8, 8, Rgb([step as u8, 1, 2])))
        };
        previewer.look(3, &StepReport { step, steps: 20, timestep: 0.0, latents: &latents, preview: &preview });
    }

    fn of_step(step: usize) -> PreviewOf {
        PreviewOf::Step { part: 3, step, steps: 20 }
    }

    #[tokio::test]
    async fn previews_are_made_on_request_and_at_most_two_per_second() {
        let (slot, count) = (PreviewSlot::default(), Cell::new(0));
        let previewer = Previewer::new(slot.clone(), now);
        look(&previewer, 1, &count);
        assert_eq!(count.get(), 0, "nobody wants one");

        let mut slow = slot.want();
        for step in 2..=11 {
            look(&previewer, step, &count);
            LATER.fetch_add(100, Ordering::Relaxed);
        }
        assert_eq!(count.get(), 2, "a second went by");
        let mut late = slot.want();
        for previews in [&mut slow, &mut late] {
            let newest = previews.next().await.unwrap();
            assert_eq!(newest.of, of_step(7), "the newest, and nothing before it");
            assert_eq!(image::load_from_memory(&newest.png).unwrap().to_rgb8().get_pixel(4, 4).0, [7, 1, 2]);
        }

        drop((slow, late));
        LATER.fetch_add(1000, Ordering::Relaxed);
        look(&previewer, 12, &count);
        assert_eq!(count.get(), 2, "nobody wants one any more");

        let mut again = slot.want();
        assert_eq!(again.next().await.unwrap().of, of_step(7), "the preview for other clients is available at once");
        look(&previewer, 13, &count);
        assert_eq!((count.get(), again.next().await.unwrap().of), (3, of_step(13)));
        drop((slot, previewer));
        assert!(again.next().await.is_none(), "the job is gone");
    }

    #[tokio::test]
    async fn previews_of_frames_are_small_and_the_frames_pass_unchanged() {
        let slot = PreviewSlot::default();
        let previewer = Previewer::new(slot.clone(), Instant::now);
        let mut frames: Vec<RgbImage> = Vec::new();
        let mut shown = PreviewingSink::new(&mut frames, 5, &previewer);
        shown.push(RgbImage::new(640, 360)).unwrap();
        let mut previews = slot.want();
        for _ in 0..3 {
            shown.push(RgbImage::new(640, 360)).unwrap();
        }
        let seen = previews.next().await.unwrap();
        assert_eq!((seen.of, seen.width, seen.height), (PreviewOf::Frame { frame: 6 }, 256, 144));
        assert_eq!(image::load_from_memory(&seen.png).unwrap().to_rgb8().dimensions(), (256, 144));
        assert_eq!((frames.len(), frames[3].dimensions()), (4, (640, 360)));
        assert_eq!([small(RgbImage::new(256, 3)), small(RgbImage::new(9, 900))].map(|small| small.dimensions()), [(256, 3), (2, 256)]);
    }

    #[test]
    fn a_failed_preview_is_not_tried_again() {
        let (slot, tried) = (PreviewSlot::default(), Cell::new(0));
        let previewer = Previewer::new(slot.clone(), Instant::now);
        let _wish = slot.want();
        let latents = SeededNoise::new(1).randn(&[1, 4, 1, 1]).unwrap();
        let preview = || {
            tried.set(tried.get() + 1);
            Err(diffusion_core::Error::OutOfMemory { what: "as scripted".into() })
        };
        for step in 1..=3 {
            previewer.look(0, &StepReport { step, steps: 3, timestep: 0.0, latents: &latents, preview: &preview });
        }
        assert_eq!(tried.get(), 1);
    }
}
