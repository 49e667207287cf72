//! The context of a call: the monitor that watches it, the journal that keeps its finished pieces, the sink that takes its frames.
//!
//! It must not know models. The invariant: the context does not change the result, only who sees it being made and what is not made twice.

use crate::{
    denoise::StepMonitor,
    frames::FrameSink,
    journal::{Journal, Run},
    pipelines::VideoMonitor,
};

/// The context of one image.
///
/// `RunContext::new(&mut monitor)` is enough for a caller without a journal, `RunContext::new(&mut ())` for one that needs no progress either.
pub struct RunContext<'a> {
    /// Sees every step, and can cancel.
    pub monitor: &'a mut dyn StepMonitor,
    /// Keeps the finished latents and the finished image.
    pub journal: &'a mut dyn Journal,
    /// The name under which the journal keeps them.
    pub run: Run,
}

impl<'a> RunContext<'a> {
    /// A context without a journal.
    pub fn new(monitor: &'a mut dyn StepMonitor) -> Self {
        Self { monitor, journal: no_journal(), run: Run::Image { index: 0 } }
    }

    /// Adds a journal, which keeps the image under the name `run`. What it has of the image is not made again.
    #[must_use]
    pub fn with_journal(self, journal: &'a mut dyn Journal, run: Run) -> Self {
        Self { journal, run, ..self }
    }
}

/// The context of one video.
///
/// `VideoContext::new(&mut monitor, &mut sink)` is enough for a caller without a journal.
pub struct VideoContext<'a> {
    /// Sees every step and every frame, and can cancel.
    pub monitor: &'a mut dyn VideoMonitor,
    /// Takes the frames, one by one.
    pub sink: &'a mut dyn FrameSink,
    /// Keeps each model run's finished latents and images.
    pub journal: &'a mut dyn Journal,
}

impl<'a> VideoContext<'a> {
    /// A context without a journal.
    pub fn new(monitor: &'a mut dyn VideoMonitor, sink: &'a mut dyn FrameSink) -> Self {
        Self { monitor, sink, journal: no_journal() }
    }

    /// Adds a journal. What it has of the video is not made again; all frames reach the sink all the same.
    #[must_use]
    pub fn with_journal(self, journal: &'a mut dyn Journal) -> Self {
        Self { journal, ..self }
    }
}

/// The journal that keeps nothing. Nothing leaks: a box of a unit takes no memory.
fn no_journal<'a>() -> &'a mut dyn Journal {
    Box::leak(Box::new(()))
}
