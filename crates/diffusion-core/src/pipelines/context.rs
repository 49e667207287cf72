//! What a caller hands a pipeline beside the parameters: who watches it, where its finished pieces are kept, where its frames go.
//!
//! It must not know models. The invariant: a context changes nothing of what is made, only who hears of it and what is not made twice.

use crate::{
    denoise::StepMonitor,
    frames::FrameSink,
    journal::{Journal, Run},
    pipelines::VideoMonitor,
};

/// The context of one image.
///
/// `RunContext::new(&mut monitor)` is all that a caller without a journal needs, and `RunContext::new(&mut ())` all that one needs who does
/// not watch.
pub struct RunContext<'a> {
    /// Sees every step, and can cancel.
    pub monitor: &'a mut dyn StepMonitor,
    /// Keeps the finished latents and the finished image.
    pub journal: &'a mut dyn Journal,
    /// The name under which the journal keeps them.
    pub run: Run,
}

impl<'a> RunContext<'a> {
    /// A run that `monitor` watches and of which nothing is kept.
    pub fn new(monitor: &'a mut dyn StepMonitor) -> Self {
        Self { monitor, journal: no_journal(), run: Run::Image { index: 0 } }
    }

    /// The same run with a journal, which knows it as `run`: what the journal has of it is not made again.
    #[must_use]
    pub fn with_journal(self, journal: &'a mut dyn Journal, run: Run) -> Self {
        Self { journal, run, ..self }
    }
}

/// The context of one video.
///
/// `VideoContext::new(&mut monitor, &mut sink)` is all that a caller without a journal needs.
pub struct VideoContext<'a> {
    /// Sees every step and every frame, and can cancel.
    pub monitor: &'a mut dyn VideoMonitor,
    /// Takes the frames, one by one.
    pub sink: &'a mut dyn FrameSink,
    /// Keeps each model run's finished latents and images.
    pub journal: &'a mut dyn Journal,
}

impl<'a> VideoContext<'a> {
    /// A video that `monitor` watches, whose frames go to `sink`, and of which nothing is kept.
    pub fn new(monitor: &'a mut dyn VideoMonitor, sink: &'a mut dyn FrameSink) -> Self {
        Self { monitor, sink, journal: no_journal() }
    }

    /// The same video with a journal: what the journal has of it is not made again, and all frames reach the sink all the same.
    #[must_use]
    pub fn with_journal(self, journal: &'a mut dyn Journal) -> Self {
        Self { journal, ..self }
    }
}

/// The journal that keeps nothing. Leaks nothing: a box of nothing takes no memory.
fn no_journal<'a>() -> &'a mut dyn Journal {
    Box::leak(Box::new(()))
}
