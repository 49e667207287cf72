//! Preview pictures of a job in the making: made on the device's thread, and only while somebody wants them.
//!
//! It must not know where they are shown. The invariants: who wants previews holds a [`Previews`], and when the last one is dropped no
//! more are made; there are at most two a second; a reader that is slow gets the newest and misses the rest; a preview that cannot
//! be made is no fault of the job.

use std::{
    cell::Cell,
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use diffusion_core::denoise::StepReport;
use tokio::sync::watch;

use crate::png;

/// The time between two previews of a job.
const EVERY: Duration = Duration::from_millis(500);

/// What a job looks like after a step.
#[derive(Clone, PartialEq, Eq)]
pub struct Preview {
    /// The picture or the scene being made, from 0.
    pub part: u32,
    /// Steps done of the model run that is on, from 1.
    pub step: usize,
    /// Steps of that run.
    pub steps: usize,
    /// The picture so far, at most 256 pixels at its longer side, as PNG.
    pub png: Vec<u8>,
}

impl fmt::Debug for Preview {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { part, step, steps, png } = self;
        write!(f, "Preview(part {part}, step {step} of {steps}, {} bytes)", png.len())
    }
}

/// Where a job's newest preview lies; clones are the same place.
#[derive(Clone, Debug)]
pub struct PreviewSlot(watch::Sender<Option<Arc<Preview>>>);

impl Default for PreviewSlot {
    fn default() -> Self {
        Self(watch::Sender::new(None))
    }
}

impl PreviewSlot {
    /// Previews are wanted from now on, until what this returns is dropped.
    pub fn want(&self) -> Previews {
        let mut newest = self.0.subscribe();
        // One that is there already, for somebody else, is news here.
        newest.mark_changed();
        Previews(newest)
    }

    fn is_wanted(&self) -> bool {
        self.0.receiver_count() > 0
    }
}

/// The wish for a job's previews, and where they come out. Dropping it ends the wish.
#[derive(Debug)]
pub struct Previews(watch::Receiver<Option<Arc<Preview>>>);

impl Previews {
    /// Waits for a preview newer than the last one that this gave, and gives the newest; `None` once the job makes no more.
    pub async fn next(&mut self) -> Option<Arc<Preview>> {
        loop {
            self.0.changed().await.ok()?;
            let newest = self.0.borrow_and_update().clone();
            if newest.is_some() {
                return newest;
            }
        }
    }
}

/// The device's end: makes previews of one job.
pub(crate) struct Previewer {
    slot: PreviewSlot,
    now: fn() -> Instant,
    due: Cell<Due>,
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
        Self { slot, now, due: Cell::new(Due::Now) }
    }

    /// Makes a preview of a step, if somebody wants one and it is time; returns what that took.
    pub(crate) fn look(&self, part: u32, step: &StepReport<'_>) -> Duration {
        if !self.slot.is_wanted() {
            return Duration::ZERO;
        }
        let started = (self.now)();
        match self.due.get() {
            Due::Now => {}
            Due::At(due) if started >= due => {}
            Due::At(_) | Due::Never => return Duration::ZERO,
        }
        let made = (step.preview)().map_err(|error| error.to_string());
        let made = made.and_then(|picture| png::encode_fast(&picture).map_err(|error| error.to_string()));
        let ended = (self.now)();
        match made {
            Ok(png) => {
                self.slot.0.send_replace(Some(Arc::new(Preview { part, step: step.step, steps: step.steps, png })));
                self.due.set(Due::At(ended + EVERY));
            }
            Err(reason) => {
                let reason = reason.lines().next().unwrap_or_default();
                tracing::warn!(reason, "there are no previews of this job: one cannot be made");
                self.due.set(Due::Never);
            }
        }
        ended.saturating_duration_since(started)
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
    /// Milliseconds that the clock was put forward, by one test alone.
    static LATER: AtomicU64 = AtomicU64::new(0);

    fn now() -> Instant {
        *START + Duration::from_millis(LATER.load(Ordering::Relaxed))
    }

    fn look(previewer: &Previewer, step: usize, made: &Cell<usize>) {
        let latents = SeededNoise::new(1).randn(&[1, 4, 1, 1]).unwrap();
        let preview = || {
            made.set(made.get() + 1);
            Ok(RgbImage::from_pixel(8, 8, Rgb([step as u8, 1, 2])))
        };
        previewer.look(3, &StepReport { step, steps: 20, timestep: 0.0, latents: &latents, preview: &preview });
    }

    #[tokio::test]
    async fn previews_are_made_for_those_who_want_them_and_at_most_two_a_second() {
        let (slot, made) = (PreviewSlot::default(), Cell::new(0));
        let previewer = Previewer::new(slot.clone(), now);
        look(&previewer, 1, &made);
        assert_eq!(made.get(), 0, "nobody wants one");

        let mut slow = slot.want();
        for step in 2..=11 {
            look(&previewer, step, &made);
            LATER.fetch_add(100, Ordering::Relaxed);
        }
        assert_eq!(made.get(), 2, "a second went by");
        let mut late = slot.want();
        for previews in [&mut slow, &mut late] {
            let newest = previews.next().await.unwrap();
            assert_eq!((newest.part, newest.step, newest.steps), (3, 7, 20), "the newest, and nothing before it");
            assert_eq!(image::load_from_memory(&newest.png).unwrap().to_rgb8().get_pixel(4, 4).0, [7, 1, 2]);
        }

        drop((slow, late));
        LATER.fetch_add(1000, Ordering::Relaxed);
        look(&previewer, 12, &made);
        assert_eq!(made.get(), 2, "nobody wants one any more");

        let mut again = slot.want();
        assert_eq!(again.next().await.unwrap().step, 7, "what was made for others is there at once");
        look(&previewer, 13, &made);
        assert_eq!((made.get(), again.next().await.unwrap().step), (3, 13));
        drop((slot, previewer));
        assert!(again.next().await.is_none(), "the job is gone");
    }

    #[test]
    fn what_fails_once_is_not_tried_at_every_step() {
        let (slot, tried) = (PreviewSlot::default(), Cell::new(0));
        let previewer = Previewer::new(slot.clone(), Instant::now);
        let _wish = slot.want();
        let latents = SeededNoise::new(1).randn(&[1, 4, 1, 1]).unwrap();
        let preview = || {
            tried.set(tried.get() + 1);
            Err(diffusion_core::Error::OutOfMemory { what: "as told".into() })
        };
        for step in 1..=3 {
            previewer.look(0, &StepReport { step, steps: 3, timestep: 0.0, latents: &latents, preview: &preview });
        }
        assert_eq!(tried.get(), 1);
    }
}
