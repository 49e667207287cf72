//! The context of a call: the monitor that observes it, the journal that keeps its finished parts, the sink that takes its frames.
//!
//! This module must not depend on models. Invariant: the context affects progress reports and the reuse of finished parts, never the
//! result.

use crate::{
    denoise::StepMonitor,
    frames::FrameSink,
    journal::{Journal, Run},
    pipelines::VideoMonitor,
};

/// The context of one image.
///
/// `RunContext::new(&mut monitor)` suffices for a caller without a journal, and `RunContext::new(&mut ())` for one without progress either.
pub struct RunContext<'a> {
    /// Observes every step, and can cancel.
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

    /// Adds a journal, which keeps the image under the name `run`. Parts that it already has are reused.
    #[must_use]
    pub fn with_journal(self, journal: &'a mut dyn Journal, run: Run) -> Self {
        Self { journal, run, ..self }
    }
}

/// The context of one video.
///
/// `VideoContext::new(&mut monitor, &mut sink)` suffices for a caller without a journal.
pub struct VideoContext<'a> {
    /// Observes every step and every frame, and can cancel.
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

    /// Adds a journal. Parts that it already has are reused; all frames still reach the sink.
    #[must_use]
    pub fn with_journal(self, journal: &'a mut dyn Journal) -> Self {
        Self { journal, ..self }
    }
}

/// The journal that keeps nothing. Nothing leaks, because a box of a unit takes no memory.
fn no_journal<'a>() -> &'a mut dyn Journal {
    Box::leak(Box::new(()))
}
